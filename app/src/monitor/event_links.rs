//! Which event followed from which. The nodes' events say by what they were caused (a broker's epoch, a start of a node, a leader epoch, a
//! fault's id); here that is looked up. Of causes that no node can know (why a heartbeat did not come), what is in force on that very node is
//! taken: its state, a fault of its links or of its disk; never what happened near in time.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use broker::metadata::report::{Cause, Event, FenceReason, MemberChange, MemberIdentity, NodeEvent, NodeState};
use broker::types::{Id, NodeId, TopicPartition};

use super::fault::{End, FaultKind};
use super::names::is_controller;
use super::snapshot::{ActiveFault, WorkloadStatus};

/// Names of events that are remembered.
const NAMES_KEPT: usize = 20_000;

/// Effects that wait for a cause which was not told yet.
const WAITING_KEPT: usize = 2_000;

/// Of what one event can be the cause, or the effect, at most.
const LINKS_MAX: usize = 64;

/// What an event is known by to those that follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// A fault came into force.
    Fault(u64),
    /// A node's last change of state.
    Node(NodeId),
    /// A start of a node is going down, or is down.
    Down(NodeId, Id),
    /// A start of a node came up, or goes on.
    Up(NodeId, Id),
    Registered(NodeId, i64),
    Fenced(NodeId, i64),
    Unfenced(NodeId, i64),
    /// A partition is led in that epoch.
    Led(TopicPartition, i32),
    /// A broker lost a partition's leadership.
    LostLead(TopicPartition, NodeId),
    LeftIsr(TopicPartition, NodeId),
    /// A partition's replicas move.
    Moving(TopicPartition),
    /// A broker comes or goes for good.
    Membership(NodeId),
    /// A controller is active in that epoch.
    Active(i32),
    Resigned(i32),
    /// What last became of a member of a group.
    Member(String, String),
    /// A group's last change of state.
    Group(String),
}

/// What an event is linked to, by seq.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Events that it followed from, told before it.
    pub because_of: Vec<u64>,
    /// Events that followed from it, although they were told before it.
    pub led_to: Vec<u64>,
}

/// A fault that is in force, and the member of a group that it hits.
#[derive(Clone, Debug)]
struct InForce {
    fault: ActiveFault,
    member: Option<(String, String)>,
}

/// What was told so far, as far as anything can follow from it.
#[derive(Debug, Default)]
pub(super) struct Linker {
    named: HashMap<Name, u64>,
    order: VecDeque<(Name, u64)>,
    waiting: HashMap<Name, Vec<(u64, i64)>>,
    waiting_order: VecDeque<Name>,
    states: BTreeMap<NodeId, NodeState>,
    /// Groups that rebalance.
    rebalancing: HashSet<String>,
    faults: Vec<InForce>,
}

/// Causes found, and those that may still be told.
#[derive(Default)]
struct Causes {
    found: Vec<u64>,
    awaited: Vec<Name>,
}

impl Linker {
    /// A fault came into force. A consumer that it hits is known by its workload.
    pub fn fault_began(&mut self, seq: u64, fault: &ActiveFault, workloads: &[WorkloadStatus]) -> Links {
        let consumer = |status: &WorkloadStatus| {
            let number = fault.request.consumer?;
            let member = status.members.iter().find(|member| member.number == number)?;
            Some((status.group.clone(), member.client_id.clone()))
        };
        let workload = workloads.iter().find(|status| Some(status.id) == fault.request.workload);
        self.faults.push(InForce { fault: fault.clone(), member: workload.and_then(consumer) });
        Links { because_of: Vec::new(), led_to: self.name(Name::Fault(fault.id), seq, fault.since_ms) }
    }

    /// A fault is over.
    pub fn fault_ended(&mut self, id: u64) -> Links {
        self.faults.retain(|one| one.fault.id != id);
        Links { because_of: self.named.get(&Name::Fault(id)).copied().into_iter().collect(), led_to: Vec::new() }
    }

    /// A node told something.
    pub fn event(&mut self, seq: u64, told: &NodeEvent) -> Links {
        let mut causes = self.causes(told);
        causes.found.sort_unstable();
        causes.found.dedup();
        causes.found.truncate(LINKS_MAX);
        for name in causes.awaited {
            self.wait(name, seq, told.at_ms);
        }
        let mut led_to = Vec::new();
        for name in self.names(told) {
            led_to.append(&mut self.name(name, seq, told.at_ms));
        }
        led_to.retain(|effect| *effect != seq);
        Links { because_of: causes.found, led_to }
    }

    /// From now on the event is known by that name. Those that waited for it.
    fn name(&mut self, name: Name, seq: u64, at_ms: i64) -> Vec<u64> {
        if self.order.len() == NAMES_KEPT
            && let Some((oldest, of)) = self.order.pop_front()
            && self.named.get(&oldest) == Some(&of)
        {
            self.named.remove(&oldest);
        }
        self.order.push_back((name.clone(), seq));
        let waiting = self.waiting.remove(&name).unwrap_or_default();
        // Nothing follows from what happened later: that a node is down now explains no heartbeat that was missed before.
        let is_state = matches!(name, Name::Down(..) | Name::Up(..));
        self.named.insert(name, seq);
        waiting
            .into_iter()
            .filter(|(_, effect_ms)| !is_state || at_ms <= *effect_ms)
            .map(|(effect, _)| effect)
            .collect()
    }

    fn wait(&mut self, name: Name, seq: u64, at_ms: i64) {
        while self.waiting_order.len() >= WAITING_KEPT {
            let Some(oldest) = self.waiting_order.pop_front() else { break };
            if let Some(effects) = self.waiting.get_mut(&oldest) {
                effects.remove(0);
                if effects.is_empty() {
                    self.waiting.remove(&oldest);
                }
            }
        }
        self.waiting_order.push_back(name.clone());
        self.waiting.entry(name).or_default().push((seq, at_ms));
    }

    fn seq(&self, name: &Name) -> Option<u64> {
        self.named.get(name).copied()
    }

    /// One that can only have been told before.
    fn known(&self, name: &Name) -> Causes {
        Causes { found: self.seq(name).into_iter().collect(), awaited: Vec::new() }
    }

    /// One that may be told later, as another node tells it.
    fn sought(&self, name: Name) -> Causes {
        match self.seq(&name) {
            Some(seq) => Causes { found: vec![seq], awaited: Vec::new() },
            None => Causes { found: Vec::new(), awaited: vec![name] },
        }
    }

    fn is_down(&self, id: NodeId) -> bool {
        self.states.get(&id).is_some_and(|state| !matches!(state, NodeState::Running | NodeState::Starting))
    }

    fn faults(&self, hits: impl Fn(&InForce) -> bool) -> Vec<u64> {
        let faults = self.faults.iter().filter(|one| hits(one));
        faults.filter_map(|one| self.seq(&Name::Fault(one.fault.id))).collect()
    }

    /// What keeps a node from doing what it should: that it is down, or a fault that holds up what it has to send, or its disk.
    fn holds_up(&self, id: NodeId, peers: &dyn Fn(NodeId) -> bool) -> Vec<u64> {
        if self.is_down(id) {
            return self.seq(&Name::Node(id)).into_iter().collect();
        }
        self.faults(|one| is_between(&one.fault, id, peers) || is_slow(&one.fault, id))
    }

    fn causes(&self, told: &NodeEvent) -> Causes {
        match &told.event {
            Event::NodeStateChanged { state, cause, .. } => self.why_state(told.node_id, *state, cause.fault),
            Event::BrokerRegistered { broker_id, incarnation, .. } => self.sought(Name::Up(*broker_id, *incarnation)),
            Event::BrokerFenced { broker_id, incarnation, reason, .. } => {
                self.why_fenced(told.node_id, *broker_id, *incarnation, *reason)
            }
            Event::BrokerUnfenced { broker_id, broker_epoch, incarnation } => {
                self.why_unfenced(*broker_id, *broker_epoch, *incarnation)
            }
            Event::LeaderElected { partition, to, leader_epoch, because, .. } => match because {
                Cause::Preferred => self.known(&Name::LostLead(partition.clone(), *to)),
                Cause::Unclean => self.known(&Name::Led(partition.clone(), leader_epoch - 1)),
                because => self.why_partition(partition, because),
            },
            Event::IsrChanged { partition, because, .. } => self.why_partition(partition, because),
            Event::ReplicasChanged { partition, adding, removing, .. } => self.why_moved(partition, adding, removing),
            Event::LogTruncated { partition, leader_epoch, .. } => {
                self.sought(Name::Led(partition.clone(), *leader_epoch))
            }
            Event::ControllerElected { previous, .. } => self.why_elected(*previous),
            Event::ControllerResigned { epoch, seen_epoch, .. } => self.why_resigned(told.node_id, *epoch, *seen_epoch),
            Event::GroupMember { group_id, member, change } => self.why_member(told.node_id, group_id, member, change),
            Event::GroupRebalance { group_id, members, .. } => self.why_group(group_id, members),
            _ => Causes::default(),
        }
    }

    fn why_state(&self, id: NodeId, state: NodeState, fault: Option<u64>) -> Causes {
        if let Some(fault) = fault {
            return self.sought(Name::Fault(fault));
        }
        let was_at_work = self.states.get(&id).is_none_or(|before| *before == NodeState::Running);
        if was_at_work && state == NodeState::Killed {
            return Causes { found: self.faults(|one| is_of_disk(&one.fault, id)), awaited: Vec::new() };
        }
        if was_at_work { Causes::default() } else { self.known(&Name::Node(id)) }
    }

    fn why_fenced(&self, teller: NodeId, id: NodeId, incarnation: Id, reason: FenceReason) -> Causes {
        let down = Name::Down(id, incarnation);
        match reason {
            FenceReason::Unregistered => self.known(&Name::Membership(id)),
            FenceReason::SessionExpired { .. } if !self.is_down(id) => {
                let found = self.holds_up(id, &|peer| peer == teller);
                let awaited = if found.is_empty() && self.seq(&down).is_none() { vec![down] } else { Vec::new() };
                Causes { found, awaited }
            }
            _ => self.sought(down),
        }
    }

    fn why_unfenced(&self, id: NodeId, epoch: i64, incarnation: Id) -> Causes {
        let Some(fenced) = self.seq(&Name::Fenced(id, epoch)) else {
            return self.sought(Name::Registered(id, epoch));
        };
        let resumed = self.seq(&Name::Up(id, incarnation)).filter(|up| *up > fenced);
        Causes { found: [Some(fenced), resumed].into_iter().flatten().collect(), awaited: Vec::new() }
    }

    fn why_partition(&self, partition: &TopicPartition, because: &Cause) -> Causes {
        match because {
            Cause::Fenced { broker_id, broker_epoch } => self.sought(Name::Fenced(*broker_id, *broker_epoch)),
            Cause::ShuttingDown { broker_id, incarnation } => self.sought(Name::Down(*broker_id, *incarnation)),
            Cause::Unfenced { broker_id, broker_epoch } => self.sought(Name::Unfenced(*broker_id, *broker_epoch)),
            Cause::DirectoryFailed { broker_id } => {
                Causes { found: self.faults(|one| is_of_disk(&one.fault, *broker_id)), awaited: Vec::new() }
            }
            Cause::Reassigned => self.known(&Name::Moving(partition.clone())),
            Cause::LeaderAsked { leader_id, taken_in, taken_out } => {
                let back = taken_in.iter().filter_map(|(id, epoch)| self.why_back(partition, *id, *epoch));
                let late = |id: &NodeId| self.holds_up(*id, &|peer| peer == *leader_id);
                Causes { found: back.chain(taken_out.iter().flat_map(late)).collect(), awaited: Vec::new() }
            }
            Cause::Preferred | Cause::Unclean | Cause::Operator => Causes::default(),
        }
    }

    /// A replica caught up: since its broker is back, since it fell behind, or since it was placed there.
    fn why_back(&self, partition: &TopicPartition, id: NodeId, epoch: i64) -> Option<u64> {
        let left = self.seq(&Name::LeftIsr(partition.clone(), id));
        let unfenced = self.seq(&Name::Unfenced(id, epoch));
        let moving = self.seq(&Name::Moving(partition.clone()));
        match left {
            Some(left) => unfenced.filter(|unfenced| *unfenced > left).or(Some(left)),
            None => moving,
        }
    }

    fn why_moved(&self, partition: &TopicPartition, adding: &[NodeId], removing: &[NodeId]) -> Causes {
        if adding.is_empty() && removing.is_empty() {
            return self.known(&Name::Moving(partition.clone()));
        }
        let membership = adding.iter().chain(removing).filter_map(|id| self.seq(&Name::Membership(*id)));
        Causes { found: membership.collect(), awaited: Vec::new() }
    }

    fn why_elected(&self, previous: Option<(NodeId, i32)>) -> Causes {
        let Some((id, epoch)) = previous else { return Causes::default() };
        let found = match self.seq(&Name::Resigned(epoch)) {
            Some(resigned) => vec![resigned],
            None => self.holds_up(id, &is_controller),
        };
        Causes { found, awaited: Vec::new() }
    }

    fn why_resigned(&self, id: NodeId, epoch: i32, seen_epoch: i32) -> Causes {
        let found = self.holds_up(id, &is_controller);
        if found.is_empty() && seen_epoch > epoch {
            return self.sought(Name::Active(seen_epoch));
        }
        Causes { found, awaited: Vec::new() }
    }

    fn why_member(&self, coordinator: NodeId, group: &str, member: &MemberIdentity, change: &MemberChange) -> Causes {
        let is_silent = matches!(
            change,
            MemberChange::SessionExpired
                | MemberChange::NotRejoined
                | MemberChange::NotSynced
                | MemberChange::NotRevoked
        );
        if !is_silent {
            return Causes::default();
        }
        let hit = |one: &InForce| {
            let crashed = one.member.as_ref().is_some_and(|(of, client)| of == group && *client == member.client_id);
            crashed || is_to_clients(&one.fault, coordinator)
        };
        Causes { found: self.faults(hit), awaited: Vec::new() }
    }

    fn why_group(&self, group: &str, members: &[String]) -> Causes {
        let member = |id: &String| self.seq(&Name::Member(group.to_owned(), id.clone()));
        let mut found: Vec<u64> = members.iter().filter_map(member).collect();
        if self.rebalancing.contains(group) {
            found.extend(self.seq(&Name::Group(group.to_owned())));
        }
        Causes { found, awaited: Vec::new() }
    }

    /// What an event is known by.
    fn names(&mut self, told: &NodeEvent) -> Vec<Name> {
        match &told.event {
            Event::NodeStateChanged { state, incarnation, .. } => {
                self.states.insert(told.node_id, *state);
                let is_up = matches!(state, NodeState::Starting | NodeState::Running);
                let start = if is_up { Name::Up } else { Name::Down };
                vec![Name::Node(told.node_id), start(told.node_id, *incarnation)]
            }
            Event::BrokerRegistered { broker_id, broker_epoch, .. } => {
                vec![Name::Registered(*broker_id, *broker_epoch)]
            }
            Event::BrokerFenced { broker_id, broker_epoch, .. } => vec![Name::Fenced(*broker_id, *broker_epoch)],
            Event::BrokerUnfenced { broker_id, broker_epoch, .. } => vec![Name::Unfenced(*broker_id, *broker_epoch)],
            Event::LeaderElected { partition, from, leader_epoch, .. } => {
                let mut names = vec![Name::Led(partition.clone(), *leader_epoch)];
                if *from >= 0 {
                    names.push(Name::LostLead(partition.clone(), *from));
                }
                names
            }
            Event::IsrChanged { partition, from, to, .. } => {
                let gone = from.iter().filter(|id| !to.contains(id));
                gone.take(LINKS_MAX).map(|id| Name::LeftIsr(partition.clone(), *id)).collect()
            }
            Event::ReplicasChanged { partition, .. } => vec![Name::Moving(partition.clone())],
            Event::MembershipChanged { broker_id, .. } => vec![Name::Membership(*broker_id)],
            Event::ControllerElected { epoch, .. } => vec![Name::Active(*epoch)],
            // One that another election made resign is no cause of that election.
            Event::ControllerResigned { epoch, seen_epoch, .. } if seen_epoch <= epoch => vec![Name::Resigned(*epoch)],
            Event::GroupMember { group_id, member, .. } => {
                vec![Name::Member(group_id.clone(), member.member_id.clone())]
            }
            Event::GroupRebalance { group_id, state, .. } => {
                self.note_group(group_id, is_rebalancing(state));
                vec![Name::Group(group_id.clone())]
            }
            _ => Vec::new(),
        }
    }

    fn note_group(&mut self, group: &str, is_rebalancing: bool) {
        if !is_rebalancing {
            self.rebalancing.remove(group);
        } else if self.rebalancing.len() < NAMES_KEPT {
            self.rebalancing.insert(group.to_owned());
        }
    }
}

/// Whether a group in that state is on its way to another.
pub fn is_rebalancing(state: &str) -> bool {
    !matches!(state, "Stable" | "Empty" | "Dead")
}

/// Whether a fault holds up messages between a node and some of its peers.
fn is_between(fault: &ActiveFault, id: NodeId, peers: &dyn Fn(NodeId) -> bool) -> bool {
    match fault.request.kind {
        // Of several controllers, one that is cut off keeps no other from its work.
        FaultKind::Isolate => fault.node_ids.iter().any(|hit| *hit == id || (!is_controller(id) && peers(*hit))),
        FaultKind::Cut | FaultKind::Delay | FaultKind::Bandwidth | FaultKind::Drop => {
            let ends = [fault.request.from, fault.request.to].map(|end| end.and_then(End::node));
            matches!(ends, [Some(from), Some(to)] if (from == id && peers(to)) || (to == id && peers(from)))
        }
        _ => false,
    }
}

/// Whether a fault holds up what a broker and its clients say to each other.
fn is_to_clients(fault: &ActiveFault, broker: NodeId) -> bool {
    let ends = [fault.request.from, fault.request.to];
    ends.contains(&Some(End::Clients)) && ends.contains(&Some(End::Node(broker)))
}

/// A node does its work on one thread: a disk that is slow keeps it from all of it.
fn is_slow(fault: &ActiveFault, id: NodeId) -> bool {
    fault.request.kind == FaultKind::SlowDisk && fault.node_ids.contains(&id)
}

fn is_of_disk(fault: &ActiveFault, id: NodeId) -> bool {
    let of_disk = [FaultKind::DiskFull, FaultKind::DiskError, FaultKind::BitRot];
    of_disk.contains(&fault.request.kind) && fault.node_ids.contains(&id)
}
