//! Events in words: one sentence what happened, one why, and how grave it is.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::metadata::report::{
    Event, FenceReason, MemberChange, MemberIdentity, MembershipStep, NodeEvent, NodeState,
};

use super::cloudwatch::alarm::AlarmState;
use super::cloudwatch::alarms::Transition;
use super::event_links::{Linker, Links};
use super::fact::{self, Fact};
use super::logs::run::LogNews;
use super::names::{self, count, node, node_inside, nodes};
use super::snapshot::{ActiveFault, WorkloadStatus};
use super::view::{EVENTS_KEPT, EventEntry, Severity};

/// The newest events, numbered.
#[derive(Debug, Default)]
pub struct EventLog {
    entries: Arc<VecDeque<Arc<EventEntry>>>,
    last_seq: u64,
    linker: Linker,
    /// Those in force, as they were told last.
    faults: Vec<ActiveFault>,
}

impl EventLog {
    /// The newest events, oldest first.
    pub fn entries(&self) -> Arc<VecDeque<Arc<EventEntry>>> {
        self.entries.clone()
    }

    /// Adds an event.
    pub fn push(&mut self, event: &NodeEvent) {
        self.last_seq += 1;
        let Links { because_of, led_to } = self.linker.event(self.last_seq, event);
        self.keep(EventEntry { because_of, led_to, ..entry(self.last_seq, event) });
    }

    /// Adds which faults began and which are over, now that these are in force. Returns whether there was anything to add.
    pub fn push_faults(&mut self, faults: &[ActiveFault], workloads: &[WorkloadStatus], now_ms: i64) -> bool {
        let is_in = |all: &[ActiveFault], id: u64| all.iter().any(|fault| fault.id == id);
        let before = std::mem::replace(&mut self.faults, faults.to_vec());
        let last_seq = self.last_seq;
        for fault in faults.iter().filter(|fault| !is_in(&before, fault.id)) {
            self.last_seq += 1;
            let links = self.linker.fault_began(self.last_seq, fault, workloads);
            self.keep(fault_began(self.last_seq, fault, links));
        }
        for fault in before.iter().filter(|fault| !is_in(faults, fault.id)) {
            self.last_seq += 1;
            let links = self.linker.fault_ended(fault.id);
            self.keep(fault_ended(self.last_seq, fault, now_ms, links));
        }
        self.last_seq > last_seq
    }

    /// Adds an alarm's change of state. Returns false if it is no news: an alarm that was made and finds all well.
    pub fn push_alarm(&mut self, change: &Transition) -> bool {
        if (change.from, change.status.state) == (AlarmState::InsufficientData, AlarmState::Ok) {
            return false;
        }
        self.last_seq += 1;
        self.keep(alarm_entry(self.last_seq, change));
        true
    }

    /// Adds what was told of the nodes' logs.
    pub fn push_logs(&mut self, news: LogNews) {
        self.last_seq += 1;
        let LogNews { at_ms, node_id, kind, severity, text, cause, subject } = news;
        let entry =
            EventEntry { seq: self.last_seq, at_ms, node_id, kind, severity, text, cause, subject, ..unlinked() };
        self.keep(entry);
    }

    fn keep(&mut self, entry: EventEntry) {
        let entries = Arc::make_mut(&mut self.entries);
        if entries.len() == EVENTS_KEPT {
            entries.pop_front();
        }
        entries.push_back(Arc::new(entry));
    }
}

/// What is said of an event.
struct Said {
    kind: &'static str,
    severity: Severity,
    text: String,
    cause: String,
    subject: String,
}

impl Said {
    fn new(kind: &'static str, severity: Severity, subject: impl ToString, text: String) -> Said {
        Said { kind, severity, text, cause: String::new(), subject: subject.to_string() }
    }

    fn because(mut self, cause: impl Into<String>) -> Said {
        self.cause = cause.into();
        self
    }
}

/// An event ready to be shown.
pub fn entry(seq: u64, event: &NodeEvent) -> EventEntry {
    let Said { kind, severity, text, cause, subject } = say(event);
    let (at_ms, node_id, fact) = (event.at_ms, event.node_id, fact::fact(event));
    let told = Some(Arc::new(event.event.clone()));
    EventEntry { seq, at_ms, node_id, kind, severity, text, cause, subject, event: told, fact, ..unlinked() }
}

/// Of what no node told.
fn unlinked() -> EventEntry {
    EventEntry {
        seq: 0,
        at_ms: 0,
        node_id: -1,
        kind: "",
        severity: Severity::Info,
        text: String::new(),
        cause: String::new(),
        subject: String::new(),
        because_of: Vec::new(),
        led_to: Vec::new(),
        fact: Fact::Other,
        event: None,
    }
}

fn fault_began(seq: u64, fault: &ActiveFault, Links { because_of, led_to }: Links) -> EventEntry {
    let until = match fault.request.duration_ms {
        Some(duration_ms) => format!("It is over after {} ms by itself.", names::grouped(duration_ms as i64)),
        None => "It lasts until it is healed.".into(),
    };
    EventEntry {
        seq,
        at_ms: fault.since_ms,
        kind: "fault_began",
        severity: Severity::Warning,
        text: format!("Fault {} began: {}.", fault.id, fault.what),
        cause: until,
        subject: fault_subject(fault),
        fact: fact::fault_began(fault),
        because_of,
        led_to,
        ..unlinked()
    }
}

fn fault_ended(seq: u64, fault: &ActiveFault, now_ms: i64, Links { because_of, led_to }: Links) -> EventEntry {
    EventEntry {
        seq,
        at_ms: now_ms,
        kind: "fault_ended",
        text: format!("Fault {} is over: {}.", fault.id, fault.what),
        subject: fault_subject(fault),
        fact: Fact::FaultEnded { fault: fault.id },
        because_of,
        led_to,
        ..unlinked()
    }
}

fn fault_subject(fault: &ActiveFault) -> String {
    match fault.node_ids.as_slice() {
        [] => format!("Fault {}", fault.id),
        ids => ids.iter().map(|id| node(*id)).collect::<Vec<_>>().join(", "),
    }
}

fn alarm_entry(seq: u64, change: &Transition) -> EventEntry {
    let status = &change.status;
    let alarm = &status.alarm;
    let (severity, text) = match status.state {
        AlarmState::Alarm => (alarm.severity, format!("Alarm: {}. {}", alarm.name, alarm.description)),
        AlarmState::Ok => (Severity::Info, format!("No alarm any more: {}.", alarm.name)),
        AlarmState::InsufficientData => (Severity::Info, format!("Nothing is known of {} any more.", alarm.name)),
    };
    EventEntry {
        seq,
        at_ms: status.changed_ms,
        node_id: -1,
        kind: "alarm_state_changed",
        severity,
        text: text.trim_end().to_owned(),
        cause: status.reason.clone(),
        subject: alarm.name.clone(),
        ..unlinked()
    }
}

fn say(event: &NodeEvent) -> Said {
    use Severity::{Critical, Info, Warning};
    let teller = event.node_id;
    match &event.event {
        Event::ControllerElected { epoch, .. } => {
            let text = format!("{} is the active controller in epoch {epoch}.", node(teller));
            Said::new("controller_elected", Info, node(teller), text)
        }
        Event::ControllerResigned { epoch, reason, .. } => {
            let text = format!("{} is no longer the active controller (epoch {epoch}).", node(teller));
            Said::new("controller_resigned", Warning, node(teller), text).because(*reason)
        }
        Event::BrokerRegistered { broker_id, broker_epoch, .. } => {
            let text = format!("{} registered with broker epoch {broker_epoch}.", node(*broker_id));
            Said::new("broker_registered", Info, node(*broker_id), text)
        }
        Event::BrokerFenced { broker_id, reason, .. } => {
            let severity = if *reason == FenceReason::ControlledShutdown { Info } else { Warning };
            let text = format!("{} was fenced: it leads nothing and is in no ISR.", node(*broker_id));
            Said::new("broker_fenced", severity, node(*broker_id), text).because(fence_reason(*reason))
        }
        Event::BrokerUnfenced { broker_id, .. } => {
            let text = format!("{} takes part: it was unfenced.", node(*broker_id));
            Said::new("broker_unfenced", Info, node(*broker_id), text)
        }
        Event::LeaderElected { partition, from, to, leader_epoch, unclean, cause, .. } => {
            let severity = if *to < 0 || *unclean { Critical } else { Info };
            let how = if *unclean { ", uncleanly: records may be lost" } else { "" };
            let text = if *to < 0 {
                format!("{partition} has no leader any more; it was {}.", node_inside(*from))
            } else {
                format!(
                    "{partition} is led by {} (was {}), epoch {leader_epoch}{how}.",
                    node_inside(*to),
                    node_inside(*from)
                )
            };
            Said::new("leader_elected", severity, partition, text).because(cause)
        }
        Event::IsrChanged { partition, from, to, cause, .. } => {
            let severity = if to.len() < from.len() { Warning } else { Info };
            let verb = if to.len() < from.len() { "shrank" } else { "changed" };
            let verb = if to.len() > from.len() { "grew" } else { verb };
            let text = format!("The ISR of {partition} {verb} from {} to {}.", nodes(from), nodes(to));
            Said::new("isr_changed", severity, partition, text).because(cause)
        }
        Event::TopicCreated { topic, partitions, replication_factor } => {
            let text = format!(
                "Topic {topic} was created with {} and replication factor {replication_factor}.",
                count(*partitions, "partition", "partitions")
            );
            Said::new("topic_created", Info, topic, text)
        }
        Event::TopicDeleted { topic } => Said::new("topic_deleted", Info, topic, format!("Topic {topic} was deleted.")),
        Event::ConfigChanged { resource, key, value } => {
            let text = match value {
                Some(value) => format!("{key} of {resource} was set to {value}."),
                None => format!("{key} of {resource} went back to its default."),
            };
            Said::new("config_changed", Info, resource, text)
        }
        Event::FeatureChanged { feature, from, to } => {
            let text = format!("{feature} was finalized at level {to} (was {from}).");
            Said::new("feature_changed", Info, feature, text)
        }
        Event::PartitionsAdded { topic, partitions } => {
            let text = format!("Topic {topic} grew to {}.", count(*partitions, "partition", "partitions"));
            Said::new("partitions_added", Info, topic, text)
        }
        Event::ReplicasChanged { partition, from, to, adding, removing } => {
            let text = if adding.is_empty() && removing.is_empty() {
                format!("{partition} has its replicas on {} (was {}).", nodes(to), nodes(from))
            } else {
                let staying: Vec<i32> = to.iter().copied().filter(|id| !removing.contains(id)).collect();
                format!("The replicas of {partition} are moving from {} to {}.", nodes(from), nodes(&staying))
            };
            Said::new("replicas_changed", Info, partition, text)
        }
        Event::ControllersChanged { controller_id, is_added } => {
            let (kind, end) = match is_added {
                true => ("controller_added", "was added, and votes"),
                false => ("controller_removed", "was removed from the voters, and for good"),
            };
            let name = node(*controller_id);
            Said::new(kind, Info, name.clone(), format!("{name} {end}."))
        }
        Event::MembershipChanged { broker_id, step } => {
            let (kind, text) = membership_step(*broker_id, step);
            Said::new(kind, Info, node(*broker_id), text)
        }
        Event::GroupRebalance { group_id, generation, state, reason, .. } => {
            let text = format!("Group {group_id} is {state} in generation {generation}.");
            Said::new("group_rebalance", Info, group_id, text).because(reason)
        }
        Event::GroupMember { group_id, member, change } => {
            let (severity, what) = member_change(change);
            let text = format!("{} {what} group {group_id}.", member_name(member));
            let said = Said::new("group_member", severity, group_id, text);
            match change {
                MemberChange::Left { reason } => said.because(reason),
                MemberChange::Replaced { member_id } => said.because(format!("It was {member_id} before.")),
                _ => said,
            }
        }
        Event::LogTruncated { partition, from_offset, to_offset, cause, .. } => {
            let text =
                format!("{} cut its log of {partition} back from offset {from_offset} to {to_offset}.", node(teller));
            Said::new("log_truncated", Warning, partition, text).because(cause)
        }
        Event::NodeStateChanged { state, cause, .. } => {
            let (severity, text) = state_change(*state);
            Said::new("node_state_changed", severity, node(teller), format!("{} {text}.", node(teller)))
                .because(&cause.words)
        }
        Event::ConnectionRejected { peer, reason } => {
            let text = format!("{} closed a connection from {peer}.", node(teller));
            Said::new("connection_rejected", Warning, node(teller), text).because(reason)
        }
        Event::Error { message } => Said::new("error", Warning, node(teller), format!("{}: {message}", node(teller))),
        Event::DroppedEvents { count: dropped } => {
            let dropped = i64::try_from(*dropped).unwrap_or(i64::MAX);
            let text = format!("{} of {} could not be told.", count(dropped, "event", "events"), node_inside(teller));
            Said::new("dropped_events", Warning, node(teller), text)
                .because("More happened at once than the monitor takes in.")
        }
    }
}

fn membership_step(broker: i32, step: &MembershipStep) -> (&'static str, String) {
    let name = node(broker);
    match step {
        MembershipStep::Added { zone: Some(zone) } => ("broker_added", format!("{name} was added, in zone {zone}.")),
        MembershipStep::Added { zone: None } => ("broker_added", format!("{name} was added.")),
        MembershipStep::Leaving { replicas } => {
            let replicas = i64::try_from(*replicas).unwrap_or(i64::MAX);
            let replicas = count(replicas, "replica", "replicas");
            ("broker_leaving", format!("{name} is being removed: {replicas} to be moved to the others."))
        }
        MembershipStep::Stays => ("broker_stays", format!("{name} is not removed after all.")),
        MembershipStep::Removed => {
            ("broker_removed", format!("{name} was removed: it has no replicas, and is unregistered."))
        }
    }
}

/// `client-1 at 127.0.0.1`
fn member_name(member: &MemberIdentity) -> String {
    let name = names::member(member.instance_id.as_deref(), &member.client_id, &member.member_id);
    format!("Member {name} at {}", member.client_host)
}

fn member_change(change: &MemberChange) -> (Severity, &'static str) {
    match change {
        MemberChange::Joined => (Severity::Info, "joined"),
        MemberChange::Replaced { .. } => (Severity::Info, "came back under its instance id to"),
        MemberChange::Resubscribed => (Severity::Info, "reads other topics, or offers other assignors, in"),
        MemberChange::Left { .. } => (Severity::Info, "left"),
        MemberChange::LeftForAWhile => (Severity::Info, "left, and may come back to its partitions in,"),
        MemberChange::SessionExpired => (Severity::Warning, "sent no heartbeat in time, and is out of"),
        MemberChange::NotRejoined => (Severity::Warning, "did not join again in time, and is out of"),
        MemberChange::NotSynced => (Severity::Warning, "did not ask for its assignment in time, and is out of"),
        MemberChange::NotRevoked => (Severity::Warning, "did not give up its partitions in time, and is out of"),
    }
}

fn fence_reason(reason: FenceReason) -> String {
    match reason {
        FenceReason::SessionExpired { missed_ms } => format!("No heartbeat for {missed_ms} ms: its session expired."),
        FenceReason::ControlledShutdown => "Its controlled shutdown is complete.".into(),
        FenceReason::Reregistered => "It registered anew: a new incarnation starts fenced.".into(),
        FenceReason::Unregistered => "It was unregistered.".into(),
    }
}

fn state_change(state: NodeState) -> (Severity, &'static str) {
    match state {
        NodeState::Starting => (Severity::Info, "is starting"),
        NodeState::Running => (Severity::Info, "is running"),
        NodeState::Stopping => (Severity::Info, "is shutting down in order"),
        NodeState::Stopped => (Severity::Warning, "has stopped"),
        NodeState::Killed => (Severity::Critical, "was killed"),
        NodeState::Paused => (Severity::Critical, "is paused: its sockets accept, nobody answers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::metadata::report::Cause;
    use broker::types::{Id, TopicPartition};

    fn said(node_id: i32, event: Event) -> EventEntry {
        entry(1, &NodeEvent { node_id, at_ms: 5, event })
    }

    #[test]
    fn every_kind_is_a_sentence_with_a_subject() {
        let partition = TopicPartition::new("orders", 3);
        let elected = |from, to, unclean| Event::LeaderElected {
            partition: partition.clone(),
            from,
            to,
            leader_epoch: 4,
            unclean,
            cause: "broker 1 was fenced".into(),
            because: Cause::Fenced { broker_id: 1, broker_epoch: 7 },
        };
        let config = |value: Option<&str>| Event::ConfigChanged {
            resource: "topic t".into(),
            key: "retention.ms".into(),
            value: value.map(str::to_owned),
        };
        let isr = |from: &[i32], to: &[i32]| Event::IsrChanged {
            partition: partition.clone(),
            from: from.to_vec(),
            to: to.to_vec(),
            cause: "caught up".into(),
            because: Cause::LeaderAsked { leader_id: 1, taken_in: vec![], taken_out: vec![] },
        };
        let state = |state| Event::NodeStateChanged { state, incarnation: Id::ZERO, cause: "by hand".into() };
        use Severity::{Critical, Info, Warning};
        for (node_id, event, severity, text) in [
            (
                3000,
                Event::ControllerElected { epoch: 2, previous: None },
                Info,
                "Controller 3000 is the active controller in epoch 2.",
            ),
            (3000, elected(1, 2, false), Info, "orders-3 is led by broker 2 (was broker 1), epoch 4."),
            (
                3000,
                elected(1, 2, true),
                Critical,
                "orders-3 is led by broker 2 (was broker 1), epoch 4, uncleanly: records may be lost.",
            ),
            (3000, elected(1, -1, false), Critical, "orders-3 has no leader any more; it was broker 1."),
            (1, isr(&[1, 2, 3], &[1, 2]), Warning, "The ISR of orders-3 shrank from 1, 2, 3 to 1, 2."),
            (1, isr(&[1], &[1, 2]), Info, "The ISR of orders-3 grew from 1 to 1, 2."),
            (2, state(NodeState::Killed), Critical, "Broker 2 was killed."),
            (-1, Event::DroppedEvents { count: 1 }, Warning, "1 event of no broker could not be told."),
            (
                3000,
                Event::BrokerFenced {
                    broker_id: 2,
                    broker_epoch: 7,
                    incarnation: Id::ZERO,
                    reason: FenceReason::SessionExpired { missed_ms: 1600 },
                },
                Warning,
                "Broker 2 was fenced: it leads nothing and is in no ISR.",
            ),
            (
                3000,
                Event::TopicCreated { topic: "t".into(), partitions: 1, replication_factor: 3 },
                Info,
                "Topic t was created with 1 partition and replication factor 3.",
            ),
            (
                -1,
                Event::MembershipChanged { broker_id: 4, step: MembershipStep::Added { zone: Some("a".into()) } },
                Info,
                "Broker 4 was added, in zone a.",
            ),
            (
                -1,
                Event::MembershipChanged { broker_id: 1, step: MembershipStep::Leaving { replicas: 1 } },
                Info,
                "Broker 1 is being removed: 1 replica to be moved to the others.",
            ),
            (
                -1,
                Event::ControllersChanged { controller_id: 3003, is_added: true },
                Info,
                "Controller 3003 was added, and votes.",
            ),
            (3000, config(Some("7")), Info, "retention.ms of topic t was set to 7."),
            (3000, config(None), Info, "retention.ms of topic t went back to its default."),
            (
                3000,
                Event::FeatureChanged { feature: "group.version".into(), from: 0, to: 1 },
                Info,
                "group.version was finalized at level 1 (was 0).",
            ),
        ] {
            let entry = said(node_id, event);
            assert_eq!((entry.severity, entry.text.as_str()), (severity, text));
            assert!(!entry.subject.is_empty() && !entry.kind.is_empty());
        }
    }

    #[test]
    fn the_log_is_bounded_and_numbered() {
        let mut log = EventLog::default();
        let event = NodeEvent { node_id: 1, at_ms: 1, event: Event::Error { message: "x".into() } };
        (0..EVENTS_KEPT + 10).for_each(|_| log.push(&event));
        let entries = log.entries();
        assert_eq!(entries.len(), EVENTS_KEPT);
        assert_eq!((entries[0].seq, entries[EVENTS_KEPT - 1].seq), (11, EVENTS_KEPT as u64 + 10));
    }
}
