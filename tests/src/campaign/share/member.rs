//! A member of a share group: heartbeats to the group's coordinator, and from the leaders of what it is assigned records, which it accepts,
//! releases, rejects, renews or forgets. It repeats and gives up what Kafka's client does (`ShareConsumeRequestManager`). It dies with records
//! locked, sleeps on them, leaves, and comes back as another member.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use broker::protocol::messages::ShareGroupHeartbeatResponseData;
use broker::protocol::{ErrorCode, Response};
use broker::types::{Id, NodeId};
use bytes::BytesMut;
use rand::Rng;

use super::history::{Ack, Fate, Verdict};
use super::node::{NodeSession, Pending, reign};
use super::requests::{FINAL_EPOCH, INITIAL_EPOCH, Identity, Verdicts};
use crate::campaign::client::{Belief, Call, Client, Link};
use crate::campaign::history::{Anomaly, Kind};
use crate::campaign::plan::MemberPlan;
use crate::campaign::world::World;

const PATIENCE: Duration = Duration::from_millis(2_500);
/// Whoever has so many records fetches no more before it is rid of some.
const HELD_MAX: usize = 80;
/// Of requests that it gave up, answers to so many are looked at.
const ABANDONED_MAX: usize = 64;
/// A member leaves its group.
const LEAVE: i32 = -1;

/// A record that it has.
#[derive(Clone, Copy, Debug)]
struct Held {
    delivery: usize,
    node: NodeId,
    session: usize,
    /// What it will say of it; `None`: nothing.
    verdict: Option<Verdict>,
    due: Duration,
    is_under_way: bool,
}

/// See the module.
pub(in crate::campaign) struct Member {
    me: usize,
    plan: MemberPlan,
    identity: Identity,
    /// Its lives are numbered through all members.
    life: u32,
    topic_id: Option<Id>,
    member_epoch: i32,
    assigned: BTreeSet<u32>,
    coordinator: Option<NodeId>,
    group_link: Link,
    heartbeat: Option<(Call, Duration)>,
    heartbeat_at: Duration,
    /// What the last heartbeat was answered is not known, or was an error: the next says all.
    says_all: bool,
    beliefs: Vec<Belief>,
    nodes: BTreeMap<NodeId, NodeSession>,
    held: BTreeMap<(u32, i64), Held>,
    abandoned: Vec<Pending>,
    /// Fetches nothing before then.
    naps_until: Duration,
    /// Does nothing at all before then.
    is_away_until: Duration,
    finishing: bool,
}

impl Member {
    pub(in crate::campaign) fn new(me: usize, plan: MemberPlan, world: &mut World) -> Member {
        let identity = Identity {
            group: plan.group,
            member_id: String::new(),
            renews: plan.renews,
            record_limit: plan.record_limit,
            max_records: plan.max_records,
            max_wait_ms: plan.max_wait_ms,
        };
        let mut member = Member {
            me,
            plan,
            identity,
            life: 0,
            topic_id: None,
            member_epoch: 0,
            assigned: BTreeSet::new(),
            coordinator: None,
            group_link: Link::default(),
            heartbeat: None,
            heartbeat_at: world.now.mono,
            says_all: true,
            beliefs: vec![Belief::default(); world.plan.partitions as usize],
            nodes: BTreeMap::new(),
            held: BTreeMap::new(),
            abandoned: Vec::new(),
            naps_until: Duration::ZERO,
            is_away_until: Duration::ZERO,
            finishing: false,
        };
        member.be_born(world);
        member
    }

    fn be_born(&mut self, world: &mut World) {
        world.history.share.members += 1;
        self.life = world.history.share.members;
        self.identity.member_id = format!("member-{}", self.life);
        self.member_epoch = 0;
        self.assigned.clear();
        (self.heartbeat, self.heartbeat_at) = (None, self.is_away_until);
    }

    fn is_this(&self, world: &World, word: &str) {
        world.say(|| format!("member {} of group {} {word}", self.life, self.identity.group));
    }

    /// Its process ends, with what it has; or (`silently`) its machine does, and nobody hears of it.
    fn die(&mut self, world: &mut World, silently: bool) {
        self.is_this(world, if silently { "falls silent" } else { "dies" });
        for (_, mut node) in std::mem::take(&mut self.nodes) {
            self.abandoned.extend(node.call.take());
            if silently {
                node.link.abandon();
                continue;
            }
            if let Some(session) = node.session {
                world.history.share.session_over(session, world.now.mono);
            }
            node.link.hang_up(world);
        }
        self.group_link.hang_up(world);
        self.come_back_later(world);
    }

    /// Says what it has to say of its records, ends its sessions and leaves the group.
    fn leave(&mut self, world: &mut World) {
        self.is_this(world, "leaves");
        let now = world.now.mono;
        for (id, mut node) in std::mem::take(&mut self.nodes) {
            if node.call.is_none() && node.session.is_some() && node.epoch != INITIAL_EPOCH {
                let verdicts = self.take_verdicts(world, id, node.session, |_| true);
                self.send(world, id, &mut node, (FINAL_EPOCH, false), &[], &[], verdicts);
            }
            if let Some(session) = node.session {
                world.history.share.session_over(session, now);
            }
            self.abandoned.extend(node.call.take());
            node.link.abandon();
        }
        if let Some(coordinator) = self.coordinator.filter(|_| self.heartbeat.is_none()) {
            let (request, version) = self.identity.heartbeat(LEAVE, false);
            self.group_link.call(world, self.me, coordinator, &request, version);
            self.group_link.abandon();
        }
        self.group_link.hang_up(world);
        self.come_back_later(world);
    }

    fn come_back_later(&mut self, world: &mut World) {
        self.held.clear();
        let excess = self.abandoned.len().saturating_sub(ABANDONED_MAX);
        self.abandoned.drain(..excess);
        self.is_away_until = world.now.mono + Duration::from_millis(world.rng.random_range(0..1500));
        self.be_born(world);
    }

    fn heartbeat(&mut self, world: &mut World) {
        let now = world.now.mono;
        if let Some((_, deadline)) = &self.heartbeat {
            if *deadline > now {
                return;
            }
            (self.heartbeat, self.coordinator, self.says_all) = (None, None, true);
            self.group_link.hang_up(world);
        }
        if self.heartbeat_at > now {
            return;
        }
        let (node, (request, version)) = match self.coordinator {
            Some(node) => (node, self.identity.heartbeat(self.member_epoch, self.says_all || self.member_epoch == 0)),
            None => (world.rng.random_range(1..=world.plan.brokers), self.identity.find()),
        };
        self.heartbeat =
            self.group_link.call_listener(world, self.me, node, &request, version).map(|call| (call, now + PATIENCE));
        if self.heartbeat.is_none() {
            self.coordinator = None;
        }
        self.heartbeat_at = now + Duration::from_millis(100);
    }

    fn on_heartbeat(&mut self, world: &mut World, answer: &ShareGroupHeartbeatResponseData) {
        if answer.error_code != 0 || answer.assignment.is_some() {
            let partitions = answer.assignment.iter().flat_map(|it| &it.topic_partitions).flat_map(|it| &it.partitions);
            let partitions: Vec<&i32> = partitions.collect();
            let told = ErrorCode::from(answer.error_code);
            world.say(|| {
                let (life, group) = (self.life, self.identity.group);
                format!("member {life} of group {group}: {told:?}, epoch {}, {partitions:?}", answer.member_epoch)
            });
        }
        self.says_all = answer.error_code != 0;
        match ErrorCode::from(answer.error_code) {
            ErrorCode::None => {
                self.member_epoch = answer.member_epoch;
                let interval = u64::try_from(answer.heartbeat_interval_ms).unwrap_or(500);
                self.heartbeat_at = world.now.mono + Duration::from_millis(interval);
                if let Some(assignment) = &answer.assignment {
                    let partitions = assignment.topic_partitions.iter().flat_map(|topic| &topic.partitions);
                    self.assigned = partitions.map(|partition| *partition as u32).collect();
                }
            }
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => self.coordinator = None,
            ErrorCode::CoordinatorLoadInProgress => {}
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch | ErrorCode::GroupIdNotFound => {
                self.member_epoch = 0;
                self.assigned.clear();
            }
            other => {
                let what = format!("a member of group {} was told {other:?} by its coordinator", self.identity.group);
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
    }

    /// What is to be said to a broker now of records of its session.
    fn take_verdicts(
        &mut self,
        world: &World,
        node: NodeId,
        session: Option<usize>,
        also: impl Fn(&Held) -> bool,
    ) -> Verdicts {
        let now = world.now.mono;
        let mut verdicts = Verdicts::new();
        for ((partition, offset), held) in &mut self.held {
            if held.node != node || Some(held.session) != session || held.is_under_way {
                continue;
            }
            let Some(verdict) = held.verdict.filter(|_| held.due <= now || also(held)) else { continue };
            held.is_under_way = true;
            verdicts.entry(*partition).or_default().push((*offset, verdict));
        }
        verdicts
    }

    /// Asks a broker for what it leads, with what is to be said to it.
    fn poll(&mut self, world: &mut World, id: NodeId, mut node: NodeSession, wanted: &BTreeSet<u32>) {
        let now = world.now.mono;
        node.next_at = now + Duration::from_millis(world.rng.random_range(1..=self.plan.think_ms.max(1)));
        if node.epoch == INITIAL_EPOCH {
            if !wanted.is_empty() && self.naps_until <= now {
                node.session = Some(world.history.share.sessions.len());
                world.history.share.sessions.push(None);
                let added: Vec<u32> = wanted.iter().copied().collect();
                self.send(world, id, &mut node, (INITIAL_EPOCH, true), &added, &[], Verdicts::new());
            }
            if node.call.is_some() || !wanted.is_empty() {
                self.nodes.insert(id, node);
            } else {
                node.link.hang_up(world);
            }
            return;
        }
        let added: Vec<u32> = wanted.difference(&node.partitions).copied().collect();
        let forgotten: Vec<u32> = node.partitions.difference(wanted).copied().collect();
        let verdicts = self.take_verdicts(world, id, node.session, |_| false);
        let is_full = self.held.len() >= HELD_MAX || self.naps_until > now;
        let (has_changes, has_verdicts) = (!added.is_empty() || !forgotten.is_empty(), !verdicts.is_empty());
        let epoch = node.epoch;
        if has_verdicts && (is_full || (!has_changes && world.rng.random_bool(0.4))) {
            self.send(world, id, &mut node, (epoch, false), &[], &[], verdicts);
        } else if has_verdicts || has_changes || (!wanted.is_empty() && !is_full) {
            self.send(world, id, &mut node, (epoch, true), &added, &forgotten, verdicts);
        }
        self.nodes.insert(id, node);
    }

    #[expect(clippy::too_many_arguments, reason = "one request, in its parts")]
    fn send(
        &mut self,
        world: &mut World,
        id: NodeId,
        node: &mut NodeSession,
        (epoch, is_fetch): (i32, bool),
        added: &[u32],
        forgotten: &[u32],
        verdicts: Verdicts,
    ) {
        let (Some(topic_id), Some(session)) = (self.topic_id, node.session) else { return };
        let (request, version) = match is_fetch {
            true => self.identity.fetch(topic_id, epoch, (added, forgotten), &verdicts),
            false => self.identity.acknowledge(topic_id, epoch, &verdicts),
        };
        let now = world.now.mono;
        let Some(call) = node.link.call_listener(world, self.me, id, &request, version) else {
            return self.lose(world, id, node);
        };
        world.history.share.requests += 1;
        let mut acks: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (partition, verdicts) in verdicts {
            for (offset, verdict) in verdicts {
                let Some(held) = self.held.get(&(partition, offset)) else { continue };
                acks.entry(partition).or_default().push(world.history.share.acks.len());
                let (delivery, request) = (held.delivery, world.history.share.requests);
                let ack = Ack { delivery, verdict, request, sent: now, answered: None, reign: -1, fate: Fate::Unknown };
                world.history.share.acks.push(ack);
            }
        }
        node.partitions.extend(added);
        node.partitions.retain(|partition| !forgotten.contains(partition));
        let reigns = (0..world.plan.partitions).map(|partition| reign(world, id, partition)).collect();
        node.call = Some(Pending {
            call,
            deadline: now + PATIENCE,
            node: id,
            session,
            owner: (self.identity.group, self.life),
            asked: now,
            reigns,
            acks,
            is_fetch,
            deliveries: Vec::new(),
        });
    }

    /// A connection is gone, or nobody answers on it: its session is lost, and what is said of its records would be refused.
    fn lose(&mut self, world: &mut World, id: NodeId, node: &mut NodeSession) {
        self.abandoned.extend(node.call.take());
        node.link.hang_up(world);
        self.forget_session(world, node);
        self.beliefs.iter_mut().filter(|belief| belief.is_in(id)).for_each(Belief::doubt);
        node.next_at = world.now.mono + Duration::from_millis(world.rng.random_range(20..200));
    }

    fn forget_session(&mut self, world: &mut World, node: &mut NodeSession) {
        if let Some(session) = node.session {
            self.held.retain(|_, held| held.session != session);
        }
        node.begin_anew(world);
    }

    /// What it will say of a record, and when.
    fn decide(&self, world: &mut World, delivery: usize) -> (Option<Verdict>, Duration) {
        let share = &world.history.share;
        let (Some(delivery), Some(group)) =
            (share.deliveries.get(delivery), share.groups.get(self.identity.group as usize))
        else {
            return (None, Duration::ZERO);
        };
        let (now, lock) = (world.now.mono, group.lock);
        if delivery.value.is_none() {
            return (Some(Verdict::Gap), now);
        }
        if self.finishing {
            return (Some(Verdict::Accept), now);
        }
        let soon = now + Duration::from_millis(world.rng.random_range(0..=self.plan.think_ms));
        if self.plan.accepts_all {
            return (Some(Verdict::Accept), soon);
        }
        match world.rng.random_range(0..100) {
            0..10 => (Some(Verdict::Release), soon),
            10..17 => (Some(Verdict::Reject), soon),
            17..23 if self.identity.renews => {
                (Some(Verdict::Renew), now + lock.mul_f64(world.rng.random_range(0.0..0.9)))
            }
            // The lock runs out first, or nearly.
            23..25 => (Some(Verdict::Accept), now + lock.mul_f64(world.rng.random_range(0.9..1.5))),
            25..27 => (None, Duration::MAX),
            _ => (Some(Verdict::Accept), soon),
        }
    }

    fn on_records(&mut self, world: &mut World, pending: &Pending) {
        for delivery in &pending.deliveries {
            let Some(given) = world.history.share.deliveries.get(*delivery).copied() else { continue };
            let (verdict, due) = self.decide(world, *delivery);
            let (node, session) = (pending.node, pending.session);
            let held = Held { delivery: *delivery, node, session, verdict, due, is_under_way: false };
            self.held.insert((given.partition, given.offset), held);
        }
        if pending.deliveries.is_empty() || self.finishing || self.plan.accepts_all {
            return;
        }
        match world.rng.random_range(0..1000) {
            0..8 => self.die(world, false),
            8..12 => self.die(world, true),
            12..18 => self.leave(world),
            18..26 => self.naps_until = world.now.mono + Duration::from_millis(world.rng.random_range(0..4000)),
            _ => {}
        }
    }

    /// What was said of one partition's records is answered.
    fn on_acknowledged(&mut self, world: &mut World, pending: &Pending, partition: u32, code: ErrorCode) {
        let now = world.now.mono;
        let lock = world.history.share.groups.get(self.identity.group as usize).map_or(Duration::ZERO, |it| it.lock);
        for ack in pending.acks.get(&partition).into_iter().flatten() {
            let Some(ack) = world.history.share.acks.get(*ack).copied() else { continue };
            let Some(offset) = world.history.share.deliveries.get(ack.delivery).map(|it| it.offset) else { continue };
            let Some(held) = self.held.get_mut(&(partition, offset)).filter(|it| it.delivery == ack.delivery) else {
                continue;
            };
            held.is_under_way = false;
            match code {
                ErrorCode::None if ack.verdict == Verdict::Renew => {
                    held.verdict = Some(if world.rng.random_bool(0.3) { Verdict::Renew } else { Verdict::Accept });
                    held.due = now + lock.mul_f64(world.rng.random_range(0.0..0.9));
                }
                // What came with a fetch is not repeated.
                ErrorCode::CoordinatorNotAvailable if !pending.is_fetch => {
                    held.due = now + Duration::from_millis(world.rng.random_range(50..200));
                }
                _ => drop(self.held.remove(&(partition, offset))),
            }
        }
        if matches!(code, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
            self.doubt(partition, pending.node);
        }
    }

    /// A broker does not lead a partition: of what it gave of it, nothing can be said any more.
    fn doubt(&mut self, partition: u32, node: NodeId) {
        self.held.retain(|(of, _), held| *of != partition || held.node != node);
        if let Some(belief) = self.beliefs.get_mut(partition as usize) {
            belief.doubt();
        }
    }

    /// False: the whole request was refused.
    fn on_session(&mut self, world: &mut World, node: &mut NodeSession, pending: &Pending, code: ErrorCode) -> bool {
        match code {
            ErrorCode::None => {}
            ErrorCode::ShareSessionNotFound
            | ErrorCode::InvalidShareSessionEpoch
            | ErrorCode::ShareSessionLimitReached => {
                self.forget_session(world, node);
                return false;
            }
            other => {
                let what = format!("member {} of group {} was told {other:?}", self.life, self.identity.group);
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
        if pending.session == node.session.unwrap_or(usize::MAX) {
            node.epoch = if node.epoch == i32::MAX { 1 } else { node.epoch + 1 };
        }
        code == ErrorCode::None
    }

    fn on_response(&mut self, world: &mut World, id: NodeId, pending: Pending, response: Option<Response>) {
        let Some(mut node) = self.nodes.remove(&id) else { return };
        match response {
            Some(Response::ShareFetch(answer)) => {
                let is_good = self.on_session(world, &mut node, &pending, ErrorCode::from(answer.error_code));
                self.nodes.insert(id, node);
                for part in answer.responses.iter().flat_map(|topic| &topic.partitions).filter(|_| is_good) {
                    let partition = part.partition_index as u32;
                    let code = ErrorCode::from(part.acknowledge_error_code);
                    self.on_acknowledged(world, &pending, partition, code);
                    if part.error_code != 0 {
                        self.doubt(partition, id);
                    }
                }
                if is_good {
                    self.on_records(world, &pending);
                }
            }
            Some(Response::ShareAcknowledge(answer)) => {
                let is_good = self.on_session(world, &mut node, &pending, ErrorCode::from(answer.error_code));
                self.nodes.insert(id, node);
                for part in answer.responses.iter().flat_map(|topic| &topic.partitions).filter(|_| is_good) {
                    self.on_acknowledged(world, &pending, part.partition_index as u32, part.error_code.into());
                }
            }
            _ => {
                self.lose(world, id, &mut node);
                self.nodes.insert(id, node);
            }
        }
    }

    /// Which broker's request an answer on a connection belongs to.
    fn asked(&self, conn: u64, seq: u64) -> Option<NodeId> {
        let is_this = |node: &NodeSession| {
            node.call.as_ref().is_some_and(|pending| pending.call.conn == conn && pending.call.seq == seq)
        };
        self.nodes.iter().find(|(_, node)| is_this(node)).map(|(id, _)| *id)
    }

    fn poll_all(&mut self, world: &mut World) {
        let now = world.now.mono;
        let mut wanted: BTreeMap<NodeId, BTreeSet<u32>> = self.nodes.keys().map(|id| (*id, BTreeSet::new())).collect();
        for partition in self.assigned.clone() {
            let belief = self.beliefs.get_mut(partition as usize);
            if let Some(leader) = belief.and_then(|belief| belief.leader(world, partition)) {
                wanted.entry(leader).or_default().insert(partition);
            }
        }
        for (id, wanted) in wanted {
            let mut node = self.nodes.remove(&id).unwrap_or_default();
            if node.call.as_ref().is_some_and(|pending| pending.deadline <= now) {
                self.lose(world, id, &mut node);
            }
            if node.call.is_some() || node.next_at > now {
                self.nodes.insert(id, node);
                continue;
            }
            self.poll(world, id, node, &wanted);
        }
    }
}

impl Client for Member {
    fn next_at(&self) -> Duration {
        let of_node = |node: &NodeSession| node.call.as_ref().map_or(node.next_at, |pending| pending.deadline);
        let heartbeat = self.heartbeat.as_ref().map_or(self.heartbeat_at, |(_, deadline)| *deadline);
        // Partitions whose leader was not known, or is another, are looked for with each heartbeat at the latest.
        let first = self.nodes.values().map(of_node).fold(heartbeat, Duration::min);
        first.max(self.is_away_until)
    }

    fn act(&mut self, world: &mut World) {
        if self.is_away_until > world.now.mono {
            return;
        }
        self.topic_id = world.watch.id(0).map(|id| id.topic_id);
        self.heartbeat(world);
        self.poll_all(world);
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        if let Some((call, _)) = self.heartbeat.take_if(|(call, _)| call.conn == conn && call.seq == seq) {
            match call.answer(world, frame) {
                Some(Response::FindCoordinator(answer)) => {
                    let found = answer.coordinators.first().filter(|found| found.error_code == 0);
                    self.coordinator = found.map(|found| found.node_id);
                }
                Some(Response::ShareGroupHeartbeat(answer)) => self.on_heartbeat(world, &answer),
                _ => {}
            }
            return;
        }
        let Some(id) = self.asked(conn, seq) else { return };
        let Some(pending) = self.nodes.get_mut(&id).and_then(|node| node.call.take()) else { return };
        let response = pending.call.clone().answer(world, frame);
        self.on_response(world, id, pending, response);
    }

    fn on_answer_leaving(&mut self, world: &mut World, conn: u64, seq: u64, frame: &BytesMut) {
        let abandoned = self.abandoned.iter().position(|pending| pending.call.conn == conn && pending.call.seq == seq);
        if let Some(index) = abandoned {
            self.abandoned.remove(index).leaves(world, frame);
            return;
        }
        let Some(id) = self.asked(conn, seq) else { return };
        if let Some(pending) = self.nodes.get_mut(&id).and_then(|node| node.call.as_mut()) {
            pending.leaves(world, frame);
        }
    }

    fn on_closed(&mut self, world: &mut World, conn: u64) {
        self.group_link.closed(conn);
        if self.heartbeat.take_if(|(call, _)| call.conn == conn).is_some() {
            (self.coordinator, self.says_all) = (None, true);
        }
        let Some(id) = self.nodes.iter().find(|(_, it)| it.link.node(conn).is_some()).map(|(id, _)| *id) else {
            return;
        };
        let Some(mut node) = self.nodes.remove(&id) else { return };
        node.link.closed(conn);
        self.lose(world, id, &mut node);
        self.nodes.insert(id, node);
    }

    fn finish(&mut self) {
        self.finishing = true;
        self.naps_until = Duration::ZERO;
        let is_open = |held: &&mut Held| !held.is_under_way && held.verdict.is_some_and(|it| it != Verdict::Gap);
        for held in self.held.values_mut().filter(is_open) {
            (held.verdict, held.due) = (Some(Verdict::Accept), Duration::ZERO);
        }
    }

    fn is_idle(&self) -> bool {
        true
    }
}
