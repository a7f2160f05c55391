//! What scenarios look at in a snapshot, and what they ask for, by short names.

use broker::metadata::report::NodeState;

use crate::monitor::command::{Command, FaultKind, FaultRequest};
use crate::monitor::names::grouped;
use crate::monitor::snapshot::{Broker, Group, Partition, Snapshot, Topic, WorkloadStatus};
use crate::monitor::workload::{WorkloadChange, WorkloadSpec};

pub fn is_up(broker: &Broker) -> bool {
    broker.state == NodeState::Running && !broker.fenced
}

pub fn topic<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Topic> {
    snapshot.topics.iter().find(|topic| &*topic.name == name).map(|topic| &**topic)
}

/// Partition 0, or one of which nothing is known.
pub fn first(snapshot: &Snapshot, name: &str) -> Partition {
    let unknown = Partition { leader: -1, ..Partition::default() };
    topic(snapshot, name).and_then(|topic| topic.partitions.first()).cloned().unwrap_or(unknown)
}

/// Records that can be read in all its partitions.
pub fn committed(snapshot: &Snapshot, name: &str) -> i64 {
    topic(snapshot, name).map_or(0, |topic| topic.partitions.iter().map(|one| one.high_watermark).sum())
}

/// All its replicas are in sync.
pub fn is_in_sync(snapshot: &Snapshot, name: &str) -> bool {
    topic(snapshot, name).is_some_and(|topic| {
        !topic.partitions.is_empty() && topic.partitions.iter().all(|one| !one.is_under_replicated() && one.leader > 0)
    })
}

pub fn group<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Group> {
    snapshot.groups.iter().find(|group| &*group.id == id).map(|group| &**group)
}

pub fn lag(snapshot: &Snapshot, id: &str) -> i64 {
    group(snapshot, id).map_or(0, |group| group.total_lag)
}

/// The workload that writes to a topic, or one that has done nothing.
pub fn writer(snapshot: &Snapshot, topic: &str) -> WorkloadStatus {
    let found = snapshot.workloads.iter().find(|one| one.topic == topic && one.producers > 0);
    found.cloned().unwrap_or_default()
}

/// The newest workload that reads as a group, or one that has done nothing.
pub fn reader(snapshot: &Snapshot, id: &str) -> WorkloadStatus {
    snapshot.workloads.iter().rev().find(|one| one.group == id && one.consumers > 0).cloned().unwrap_or_default()
}

pub fn count(value: i64) -> String {
    grouped(value)
}

pub fn counted(value: u64) -> String {
    grouped(i64::try_from(value).unwrap_or(i64::MAX))
}

pub fn start(spec: WorkloadSpec) -> Vec<Command> {
    vec![Command::StartWorkload(spec)]
}

pub fn change(workload: &WorkloadStatus, name: &str, value: impl Into<serde_json::Value>) -> Vec<Command> {
    vec![Command::ChangeWorkload { id: workload.id, change: WorkloadChange::of(name, value) }]
}

/// A workload that only reads.
pub fn readers(topic: &str, group: &str, consumers: u32) -> WorkloadSpec {
    WorkloadSpec { topic: topic.into(), group: group.into(), producers: 0, consumers, ..WorkloadSpec::default() }
}

/// A workload that only writes.
pub fn writers(topic: &str, partitions: i32, rate_per_s: u64) -> WorkloadSpec {
    WorkloadSpec { topic: topic.into(), partitions, rate_per_s, consumers: 0, ..WorkloadSpec::default() }
}

pub fn fault(kind: FaultKind, broker: i32) -> Vec<Command> {
    vec![Command::InjectFault(FaultRequest { broker: Some(broker), ..FaultRequest::new(kind) })]
}
