//! Events for [`super::fixture`]: a start, and the incident with its causes.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::metadata::report::NodeState;

use super::fixture::{AT_MS, KILLED_MS};
use crate::monitor::fact::Fact;
use crate::monitor::view::{EventEntry, Severity};

pub(super) fn start_events() -> VecDeque<Arc<EventEntry>> {
    let mut events = Events::default();
    let at = AT_MS - 14 * 60_000;
    events.add(
        at,
        3001,
        "controller_elected",
        Severity::Info,
        "Controller 3001 is active, epoch 4",
        "it won the vote with 2 of 3",
        "3001",
    );
    for id in 1..=3 {
        let text = format!("Broker {id} registered, epoch {}", 9 + id * 4);
        events.add(at + 120 * id, 3001, "broker_registered", Severity::Info, &text, "", &format!("broker {id}"));
        let text = format!("Broker {id} takes part");
        events.add(
            at + 120 * id + 60,
            3001,
            "broker_unfenced",
            Severity::Info,
            &text,
            "it caught up with the metadata log",
            &format!("broker {id}"),
        );
    }
    events.add(
        at + 9_000,
        3001,
        "topic_created",
        Severity::Info,
        "Topic demo was created: 6 partitions, replication factor 3",
        "",
        "demo",
    );
    events.0
}

pub(super) fn incident_events() -> VecDeque<Arc<EventEntry>> {
    let mut events = Events(start_events());
    let at = AT_MS - 520_000;
    events.add(
        at,
        1,
        "isr_changed",
        Severity::Warning,
        "ISR of clicks-4 went from 1, 2, 3 to 1, 2",
        "replica 3 was 3.1 s behind (replica.lag.time.max.ms is 3000)",
        "clicks-4",
    );
    let fell_behind = events.says(&[], isr("clicks", 4, &[1, 2, 3], &[1, 2]));
    events.add(
        at + 30_000,
        1,
        "isr_changed",
        Severity::Info,
        "ISR of clicks-4 went from 1, 2 to 1, 2, 3",
        "replica 3 caught up",
        "clicks-4",
    );
    events.says(&[fell_behind], isr("clicks", 4, &[1, 2], &[1, 2, 3]));
    events.add(
        KILLED_MS,
        2,
        "node_state_changed",
        Severity::Critical,
        "Broker 2 was killed",
        "fault 7: kill, injected by hand",
        "broker 2",
    );
    let killed = events.says(&[], Fact::Node { node_id: 2, state: NodeState::Killed });
    fault_began(&mut events, killed);
    let fenced_ms = KILLED_MS + 1_512;
    events.add(
        fenced_ms,
        3001,
        "broker_fenced",
        Severity::Critical,
        "Broker 2 was fenced",
        "no heartbeat for 1,512 ms (broker.session.timeout.ms is 1500)",
        "broker 2",
    );
    let fenced = events.says(&[killed], Fact::Fenced { broker: 2 });
    partitions_fall(&mut events, fenced, fenced_ms);
    group_moves(&mut events, fenced_ms);
    events.add(
        AT_MS - 41_000,
        1,
        "isr_changed",
        Severity::Warning,
        "ISR of clicks-11 went from 1, 3 to 1",
        "replica 3 was 3.4 s behind (replica.lag.time.max.ms is 3000)",
        "clicks-11",
    );
    events.says(&[], isr("clicks", 11, &[1, 3], &[1]));
    events.add(
        AT_MS - 12_000,
        1,
        "connection_rejected",
        Severity::Info,
        "A connection from 127.0.0.1:51234 was closed",
        "it announced a request of 1,347,375,956 bytes (a TLS or HTTP client?)",
        "127.0.0.1:51234",
    );
    let member = || "fraud-check-2".to_owned();
    let text = "Member fraud-check-2 joined group fraud-check";
    events.add(AT_MS - 2_310, 1, "group_member", Severity::Info, text, "", "fraud-check");
    let joined = events.says(&[], Fact::Member { group: "fraud-check".into(), member: member(), is_in: true });
    events.add(
        AT_MS - 2_300,
        1,
        "group_rebalance",
        Severity::Info,
        "Group fraud-check prepares to rebalance, generation 9",
        "member fraud-check-2 joined",
        "fraud-check",
    );
    events.says(&[joined], group("fraud-check", 9, "PreparingRebalance"));
    events.0
}

/// The fault is told when it is done: its effect is told before it.
fn fault_began(events: &mut Events, killed: u64) {
    let (text, until) = ("Fault 7 began: broker 2 is killed", "it lasts until it is healed");
    events.add(KILLED_MS + 4, -1, "fault_began", Severity::Warning, text, until, "broker 2");
    let what = "broker 2 is killed".to_owned();
    events.says(&[], Fact::FaultBegan { fault: 7, what, node_ids: vec![2] });
    events.leads_to(killed);
}

fn partitions_fall(events: &mut Events, fenced: u64, fenced_ms: i64) {
    for (topic, partitions) in [("clicks", 24), ("demo", 6), ("orders", 12), ("payments", 6)] {
        for partition in (1..partitions).step_by(3) {
            let name = format!("{topic}-{partition}");
            let at_ms = fenced_ms + 3 + i64::from(partition);
            let text = format!("ISR of {name} went from 1, 2, 3 to 1, 3");
            events.add(
                at_ms,
                3001,
                "isr_changed",
                Severity::Warning,
                &text,
                "broker 2 was fenced, and is in no ISR",
                &name,
            );
            events.says(&[fenced], isr(topic, partition, &[1, 2, 3], &[1, 3]));
            let text = format!("{name} is led by broker 3 now, before by broker 2; leader epoch {}", 5 + partition % 3);
            let cause = "broker 2 was fenced; 3 is the first in-sync replica";
            events.add(at_ms, 3001, "leader_elected", Severity::Warning, &text, cause, &name);
            events.says(&[fenced], leader(topic, partition, 2, 3));
        }
    }
    events.add(
        fenced_ms + 30,
        3001,
        "leader_elected",
        Severity::Critical,
        "audit-1 has no leader",
        "broker 2 held the only replica",
        "audit-1",
    );
    events.says(&[fenced], leader("audit", 1, 2, -1));
}

fn group_moves(events: &mut Events, fenced_ms: i64) {
    events.add(
        fenced_ms + 400,
        3,
        "group_rebalance",
        Severity::Info,
        "Group demo-readers moved to broker 3 and rebalances",
        "its coordinator, broker 2, was fenced",
        "demo-readers",
    );
    let began = events.says(&[], group("demo-readers", 7, "PreparingRebalance"));
    events.add(
        fenced_ms + 3_100,
        3,
        "group_rebalance",
        Severity::Info,
        "Group demo-readers is stable, generation 8",
        "2 members, range",
        "demo-readers",
    );
    events.says(&[began], group("demo-readers", 8, "Stable"));
}

fn isr(topic: &str, partition: i32, from: &[i32], to: &[i32]) -> Fact {
    Fact::Isr { topic: topic.into(), partition, from: from.to_vec(), to: to.to_vec() }
}

fn leader(topic: &str, partition: i32, from: i32, to: i32) -> Fact {
    Fact::Leader { topic: topic.into(), partition, from, to, is_unclean: false }
}

fn group(group: &str, generation: i32, state: &str) -> Fact {
    Fact::Group { group: group.into(), generation, state: state.into() }
}

#[derive(Default)]
struct Events(VecDeque<Arc<EventEntry>>);

impl Events {
    #[expect(clippy::too_many_arguments, reason = "a table of events reads best one to a line")]
    fn add(
        &mut self,
        at_ms: i64,
        node_id: i32,
        kind: &'static str,
        severity: Severity,
        text: &str,
        cause: &str,
        subject: &str,
    ) {
        let entry = EventEntry {
            event: None,
            because_of: Vec::new(),
            led_to: Vec::new(),
            fact: Fact::Other,
            seq: self.0.len() as u64 + 1,
            at_ms,
            node_id,
            kind,
            severity,
            text: text.into(),
            cause: cause.into(),
            subject: subject.into(),
        };
        self.0.push_back(Arc::new(entry));
    }
    /// What the newest of them says, and from which it followed. Its seq.
    fn says(&mut self, because_of: &[u64], fact: Fact) -> u64 {
        let Some(newest) = self.0.back_mut() else { return 0 };
        let newest = Arc::make_mut(newest);
        (newest.because_of, newest.fact) = (because_of.to_vec(), fact);
        newest.seq
    }

    /// One that was told before followed from the newest.
    fn leads_to(&mut self, seq: u64) {
        if let Some(newest) = self.0.back_mut() {
            Arc::make_mut(newest).led_to.push(seq);
        }
    }
}
