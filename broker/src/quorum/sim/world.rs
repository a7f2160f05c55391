//! Nodes, their clocks and disks, and the network between them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::{
    AppendError, MemoryElectionStore, MemoryMetadataLog, Message, MetadataLog, Output, Quorum, QuorumConfig,
    ReplicaKey, Role,
};
use super::checker::Checker;
use super::state::NodeState;
use crate::log::SimDisk;
use crate::records;
use crate::types::{Id, NodeId, Now};

/// One second on a true clock.
const MICROS: u64 = 1_000_000;
/// A paused node's network holds so much; the rest is lost.
const HELD_LIMIT: usize = 500;

/// How the network behaves between nodes that can reach each other.
#[derive(Clone, Debug)]
pub struct Network {
    pub delay: (Duration, Duration),
    pub loss: f64,
    pub duplication: f64,
}

impl Network {
    pub fn good() -> Network {
        Network { delay: (Duration::from_micros(50), Duration::from_micros(400)), loss: 0.0, duplication: 0.0 }
    }
}

/// A clock that runs too fast or too slow, and shows the wrong time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Duration,
    rate_ppm: u64,
    wall_offset_ms: i64,
}

impl Clock {
    fn read(&self, time: Duration) -> Now {
        let elapsed = (time - self.started).as_micros() as u64;
        let mono = Duration::from_micros(elapsed * self.rate_ppm / MICROS);
        Now { mono, wall_ms: 1_790_000_000_000 + time.as_millis() as i64 + self.wall_offset_ms }
    }

    /// When (on the true clock) this one shows `mono`.
    fn when(&self, mono: Duration) -> Duration {
        let micros = mono.as_micros().min(1 << 50) as u64;
        self.started + Duration::from_micros(micros * MICROS / self.rate_ppm + 2)
    }
}

pub struct Node {
    pub config: QuorumConfig,
    pub log: MemoryMetadataLog,
    pub store: MemoryElectionStore,
    /// In place of `log` and `store`, in a world with real files.
    pub disk: Option<SimDisk>,
    pub quorum: Option<Quorum>,
    pub state: NodeState,
    pub paused: bool,
    clock: Clock,
    held: Vec<(NodeId, Message)>,
    wake_generation: u64,
}

impl Node {
    /// Its log: as the member has it, or as it lies in memory while the member is down.
    pub fn log(&self) -> Option<&dyn MetadataLog> {
        match &self.quorum {
            Some(quorum) => Some(&*quorum.log),
            None if self.disk.is_none() => Some(&self.log),
            None => None,
        }
    }

    pub fn batches(&self, from: i64) -> Bytes {
        let log = self.log().expect("the node is up, or its log in memory");
        let mut all = BytesMut::new();
        let mut next = from;
        while next < log.end_offset() {
            let read = log.read(next, 1 << 20, i64::MAX).expect("a log");
            let last = records::batches(&read).last().expect("a batch").expect("a batch");
            next = last.0.next_offset();
            all.extend_from_slice(&read);
        }
        all.freeze()
    }
}

enum Event {
    Deliver { from: NodeId, to: NodeId, message: Message },
    Refused { to: NodeId, down: NodeId },
    Wake { node: NodeId, generation: u64 },
}

struct Queued(Duration, u64, Event);

impl PartialEq for Queued {
    fn eq(&self, other: &Queued) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Queued) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Queued) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub struct World {
    pub rng: StdRng,
    pub time: Duration,
    pub nodes: BTreeMap<NodeId, Node>,
    /// The first voters, and those that may become some.
    pub controllers: Vec<NodeId>,
    pub network: Network,
    pub cuts: BTreeSet<(NodeId, NodeId)>,
    pub checker: Checker,
    pub skewed: bool,
    /// Voters come and go.
    pub changes_voters: bool,
    /// Committed records between two snapshots of a node.
    pub snapshot_every: usize,
    queue: BinaryHeap<Reverse<Queued>>,
    sequence: u64,
    next_payload: u64,
}

impl World {
    /// Voters 1, 2, … and observers 101, 102, …, all started; `adjust` may change each one's configuration.
    pub fn new(seed: u64, voters: usize, observers: usize, adjust: impl Fn(&mut QuorumConfig)) -> World {
        World::build(seed, (voters, 0, observers), false, adjust)
    }

    /// The same on simulated disks, with Kafka's files.
    pub fn with_files(seed: u64, voters: usize, observers: usize, adjust: impl Fn(&mut QuorumConfig)) -> World {
        World::build(seed, (voters, 0, observers), true, adjust)
    }

    /// With `spares` more controllers, 51, 52, …, that may be made voters, and one observer.
    pub fn with_spares(seed: u64, voters: usize, spares: usize, adjust: impl Fn(&mut QuorumConfig)) -> World {
        World::build(seed, (voters, spares, 1), false, adjust)
    }

    /// The same on simulated disks, with Kafka's files.
    pub fn with_spares_and_files(seed: u64, voters: usize, spares: usize, adjust: impl Fn(&mut QuorumConfig)) -> World {
        World::build(seed, (voters, spares, 1), true, adjust)
    }

    fn build(seed: u64, counts: (usize, usize, usize), files: bool, adjust: impl Fn(&mut QuorumConfig)) -> World {
        let (voters, spares, observers) = counts;
        let voter_ids: Vec<NodeId> = (1..=voters as NodeId).collect();
        let spare_ids: Vec<NodeId> = (51..).take(spares).collect();
        let observer_ids = (101..).take(observers);
        let mut world = World {
            rng: StdRng::seed_from_u64(seed),
            time: Duration::ZERO,
            nodes: BTreeMap::new(),
            controllers: voter_ids.iter().chain(&spare_ids).copied().collect(),
            network: Network::good(),
            cuts: BTreeSet::new(),
            checker: Checker::new(seed, &voter_ids),
            skewed: false,
            changes_voters: false,
            snapshot_every: usize::MAX,
            queue: BinaryHeap::new(),
            sequence: 0,
            next_payload: 0,
        };
        for id in voter_ids.iter().chain(&spare_ids).copied().chain(observer_ids) {
            let mut config = QuorumConfig::lab(id, voter_ids.clone());
            config.can_become_voter = id < 101;
            config.directory_id = Id([id as u8; 16]);
            config.bootstrap = world.controllers.clone();
            adjust(&mut config);
            let node = Node {
                config,
                log: MemoryMetadataLog::default(),
                store: MemoryElectionStore::default(),
                disk: files.then(SimDisk::new),
                quorum: None,
                state: NodeState::default(),
                paused: false,
                clock: Clock { started: Duration::ZERO, rate_ppm: MICROS, wall_offset_ms: 0 },
                held: Vec::new(),
                wake_generation: 0,
            };
            world.nodes.insert(id, node);
            world.start(id);
        }
        world
    }

    pub fn ids(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    pub fn quorum(&self, id: NodeId) -> &Quorum {
        self.nodes[&id].quorum.as_ref().expect("the node is up")
    }

    pub fn is_up(&self, id: NodeId) -> bool {
        self.nodes[&id].quorum.is_some()
    }

    pub fn start(&mut self, id: NodeId) {
        if self.is_up(id) {
            return;
        }
        let seed = self.rng.random();
        let (rate_ppm, wall_offset_ms) = if self.skewed {
            (self.rng.random_range(900_000..=1_100_000), self.rng.random_range(-60_000..=60_000))
        } else {
            (MICROS, 0)
        };
        let time = self.time;
        let node = self.nodes.get_mut(&id).expect("a node");
        node.clock = Clock { started: time, rate_ppm, wall_offset_ms };
        let now = node.clock.read(time);
        let config = node.config.clone();
        let quorum = match &node.disk {
            Some(disk) => Quorum::open(config, Arc::new(disk.clone()), Path::new("/node/data"), seed, now),
            None => Quorum::new(config, Box::new(node.log.clone()), Box::new(node.store.clone()), seed, now),
        };
        node.quorum = Some(quorum.expect("it starts"));
        node.state = NodeState::default();
        self.checker.started(id);
        self.settle(id);
    }

    /// SIGKILL: memory is gone, the page cache stays.
    pub fn kill(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("a node");
        if node.quorum.take().is_some() {
            node.paused = false;
            node.held.clear();
            node.wake_generation += 1;
            node.state = NodeState::default();
            node.disk.as_ref().map(SimDisk::kill);
            self.checker.crashed(id);
        }
    }

    /// Kill, and what was not synced is gone too (but perhaps for some that the disk had written by itself).
    pub fn power_loss(&mut self, id: NodeId) {
        self.kill(id);
        let kept = self.rng.random_range(0..=2);
        let node = &self.nodes[&id];
        node.log.power_loss(kept);
        if let Some(disk) = &node.disk {
            disk.power_loss_keeping(|unsynced| self.rng.random_range(0..=unsynced));
        }
        self.checker.check_durability(&self.nodes);
    }

    pub fn pause(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("a node");
        node.paused = node.quorum.is_some();
    }

    pub fn resume(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("a node");
        if !std::mem::take(&mut node.paused) {
            return;
        }
        for (from, message) in std::mem::take(&mut node.held) {
            self.deliver(from, id, message);
        }
        self.settle(id);
    }

    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
    }

    /// Cuts everything between `id` and the others, both ways.
    pub fn isolate(&mut self, id: NodeId) {
        for other in self.ids() {
            self.cut(id, other);
            self.cut(other, id);
        }
    }

    /// Leaves only the links among `group` (of the nodes in it), and cuts all others.
    pub fn only(&mut self, group: &[NodeId]) {
        self.cuts.clear();
        for from in self.ids() {
            for to in self.ids() {
                if !(group.contains(&from) && group.contains(&to)) {
                    self.cut(from, to);
                }
            }
        }
    }

    pub fn heal(&mut self) {
        self.cuts.clear();
        self.network = Network::good();
    }

    pub fn resign(&mut self, id: NodeId) {
        self.with(id, |quorum, now| quorum.resign(now));
    }

    /// Appends a record with a payload that no other has.
    pub fn append(&mut self, id: NodeId) -> Result<i64, AppendError> {
        self.append_many(id, 1)
    }

    pub fn append_many(&mut self, id: NodeId, count: usize) -> Result<i64, AppendError> {
        let mut payloads = Vec::new();
        for _ in 0..count {
            self.next_payload += 1;
            payloads.push(Bytes::copy_from_slice(&self.next_payload.to_be_bytes()));
        }
        let epoch = self.quorum(id).epoch();
        let appended = self.with(id, |quorum, now| quorum.append(now, &payloads)).expect("the node runs");
        if let (Ok(offset), Some(last)) = (&appended, payloads.last()) {
            self.checker.appended(id, epoch, *offset, last.clone());
            self.settle(id);
        }
        appended
    }

    /// Raises kraft.version to 1, if this leader may.
    pub fn upgrade(&mut self, leader: NodeId) -> bool {
        self.with(leader, |quorum, now| quorum.upgrade_kraft_version(now, 1)).is_some_and(|result| result.is_ok())
    }

    /// Asks the leader to make a node a voter.
    pub fn add_voter(&mut self, leader: NodeId, id: NodeId) {
        let key = self.nodes[&id].config.key();
        self.with(leader, |quorum, now| quorum.add_voter(now, Some(1), key, Vec::new(), true));
    }

    /// Asks the leader to take a voter out.
    pub fn remove_voter(&mut self, leader: NodeId, id: NodeId) {
        let Some(voter) = self.quorum(leader).voters().get(id) else { return };
        let key = ReplicaKey { id, directory_id: voter.directory_id };
        self.with(leader, |quorum, now| quorum.remove_voter(now, Some(2), key));
    }

    /// A new disk: the log and the vote are gone, and the directory is another one.
    pub fn replace_disk(&mut self, id: NodeId) {
        self.kill(id);
        let node = self.nodes.get_mut(&id).expect("a node");
        node.config.directory_id = Id([node.config.directory_id.0[0] + 100; 16]);
        node.log = MemoryMetadataLog::default();
        node.store = MemoryElectionStore::default();
        node.disk = node.disk.as_ref().map(|_| SimDisk::new());
    }

    /// Voters as the leader counts them.
    pub fn voter_ids(&self) -> Vec<NodeId> {
        self.leader().map(|leader| self.quorum(leader).voters().ids().collect()).unwrap_or_default()
    }

    fn with<T>(&mut self, id: NodeId, act: impl FnOnce(&mut Quorum, Now) -> T) -> Option<T> {
        let time = self.time;
        let node = self.nodes.get_mut(&id).expect("a node");
        let now = node.clock.read(time);
        if node.paused {
            return None;
        }
        let result = act(node.quorum.as_mut()?, now);
        self.settle(id);
        Some(result)
    }

    /// Does what the node wants done, checks what it did, and sets its alarm.
    fn settle(&mut self, id: NodeId) {
        let time = self.time;
        let node = self.nodes.get_mut(&id).expect("a node");
        let Some(quorum) = node.quorum.as_mut() else { return };
        let outputs = quorum.take_outputs();
        for output in outputs {
            self.checker.output(id, &output, &self.nodes);
            if let Output::Send { to, message } = output {
                self.transmit(id, to, message);
            }
        }
        self.checker.step(id, &self.nodes);
        let node = self.nodes.get_mut(&id).expect("a node");
        let Some(quorum) = node.quorum.as_mut() else { return };
        node.state.follow(id, quorum, &mut self.checker);
        if node.state.make_snapshot(node.clock.read(time), quorum, self.snapshot_every) {
            self.checker.tally.snapshots_made += 1;
        }
        let deadline = quorum.next_deadline();
        if deadline == Duration::MAX {
            return;
        }
        // A thread is never woken to the microsecond; a crash may come in between.
        let slack = Duration::from_micros(self.rng.random_range(0..1500));
        let node = self.nodes.get_mut(&id).expect("a node");
        node.wake_generation += 1;
        let generation = node.wake_generation;
        let at = node.clock.when(deadline).max(time) + slack;
        self.push(at, Event::Wake { node: id, generation });
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Queued(at, self.sequence, event)));
    }

    fn transmit(&mut self, from: NodeId, to: NodeId, message: Message) {
        if self.cuts.contains(&(from, to)) || self.rng.random_bool(self.network.loss) {
            return;
        }
        let copies = if self.rng.random_bool(self.network.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let at = self.time + self.random_delay();
            self.push(at, Event::Deliver { from, to, message: message.clone() });
        }
    }

    fn random_delay(&mut self) -> Duration {
        let (low, high) = self.network.delay;
        self.rng.random_range(low..=high)
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        let Some(node) = self.nodes.get_mut(&to) else { return };
        if self.cuts.contains(&(from, to)) {
            return;
        }
        if node.paused {
            if node.held.len() < HELD_LIMIT {
                node.held.push((from, message));
            }
        } else if node.quorum.is_some() {
            self.with(to, |quorum, now| quorum.on_message(now, from, message));
        } else if !self.cuts.contains(&(to, from)) && self.rng.random_bool(0.7) {
            let at = self.time + self.random_delay();
            self.push(at, Event::Refused { to: from, down: to });
        }
    }

    /// Handles the next event, if there is one before `until`.
    pub fn step(&mut self, until: Duration) -> bool {
        let Some(Reverse(Queued(at, ..))) = self.queue.peek() else { return false };
        if *at > until {
            return false;
        }
        let Some(Reverse(Queued(at, _, event))) = self.queue.pop() else { return false };
        self.time = self.time.max(at);
        match event {
            Event::Deliver { from, to, message } => self.deliver(from, to, message),
            Event::Refused { to, down } => {
                self.with(to, |quorum, now| quorum.on_peer_down(now, down));
            }
            Event::Wake { node, generation } => {
                if self.nodes[&node].wake_generation == generation {
                    self.with(node, |quorum, now| quorum.on_tick(now));
                }
            }
        }
        true
    }

    pub fn run_for(&mut self, span: Duration) {
        let until = self.time + span;
        while self.step(until) {}
        self.time = until;
    }

    /// Runs until `reached`, event by event; fails after `limit`. Returns how long it took.
    pub fn run_until(&mut self, what: &str, limit: Duration, reached: impl Fn(&World) -> bool) -> Duration {
        let started = self.time;
        while !reached(self) {
            assert!(
                self.step(started + limit),
                "seed {}: not within {limit:?}: {what}\n{}",
                self.checker.seed,
                self.picture()
            );
        }
        self.time - started
    }

    /// The leader with the highest epoch among the nodes that are up and not paused.
    pub fn leader(&self) -> Option<NodeId> {
        let leads = |id: &&NodeId| {
            let node = &self.nodes[id];
            !node.paused && node.quorum.as_ref().is_some_and(|quorum| quorum.role() == Role::Leader)
        };
        self.controllers.iter().filter(leads).max_by_key(|id| self.quorum(**id).epoch()).copied()
    }

    /// All nodes follow one leader and have committed all that it has.
    pub fn is_settled(&self) -> bool {
        let Some(leader) = self.leader() else { return false };
        let (epoch, end) = (self.quorum(leader).epoch(), self.quorum(leader).log_end_offset());
        self.nodes
            .values()
            .filter_map(|node| node.quorum.as_ref())
            .all(|quorum| quorum.epoch() == epoch && quorum.leader() == Some(leader) && quorum.high_watermark() == end)
    }

    pub fn settle_down(&mut self, limit: Duration) -> NodeId {
        self.run_until("one leader, everything committed everywhere", limit, World::is_settled);
        self.leader().expect("a leader")
    }

    fn picture(&self) -> String {
        let mut lines = Vec::new();
        for (id, node) in &self.nodes {
            lines.push(match &node.quorum {
                Some(quorum) => format!(
                    "{id}: {} in epoch {} under {:?}, voters {:?}, log end {}, high watermark {}{}",
                    quorum.role(),
                    quorum.epoch(),
                    quorum.leader(),
                    quorum.voters().ids().collect::<Vec<_>>(),
                    quorum.log_end_offset(),
                    quorum.high_watermark(),
                    if node.paused { ", paused" } else { "" }
                ),
                None => format!("{id}: down"),
            });
        }
        lines.join("\n")
    }
}
