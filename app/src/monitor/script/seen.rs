//! What is looked at while a script runs: a few numbers out of what the program measures anyway.

use std::collections::BTreeMap;

use broker::metadata::report::NodeState;

use crate::monitor::ledger::LedgerView;
use crate::monitor::snapshot::{Partition, Snapshot};
use crate::monitor::workload::WorkloadStatus;

/// One look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// When.
    pub at_ms: i64,
    /// Records that were acknowledged so far, by workload, of those that are to write.
    pub acked: BTreeMap<u64, u64>,
    /// Records that are acknowledged in a second.
    pub writes_per_s: f64,
    /// How far all groups together are behind; `None`: there is no group that reads and has offsets.
    pub lag: Option<i64>,
    /// Partitions without a leader that runs.
    pub leaderless: usize,
    /// Partitions with a replica that is not in sync.
    pub out_of_sync: usize,
    /// All partitions.
    pub partitions: usize,
    /// Behind the highest offset that was acknowledged to a workload.
    pub acked_ends: BTreeMap<(String, i32), i64>,
    /// Of the same partitions: their high watermarks, where there is a leader.
    pub high_watermarks: BTreeMap<(String, i32), i64>,
    /// By workload: acknowledged records that the ledger misses.
    pub lost: BTreeMap<u64, u64>,
}

impl Seen {
    /// Looks at the newest snapshot, and at the workloads' own counters, which are newer.
    pub fn of(at_ms: i64, snapshot: &Snapshot, workloads: &[WorkloadStatus], ledger: &LedgerView) -> Seen {
        let writing = || workloads.iter().filter(|one| one.state == "running" && one.producers > 0);
        let runs = |id: i32| snapshot.brokers.iter().any(|one| one.id == id && one.state == NodeState::Running);
        let is_led = |partition: &Partition| runs(partition.leader);
        let partitions = || snapshot.topics.iter().flat_map(|topic| topic.partitions.iter());
        let acked_ends: BTreeMap<(String, i32), i64> = workloads
            .iter()
            .flat_map(|one| one.acked_ends.iter().map(|(id, end)| ((one.topic.clone(), *id), *end)))
            .fold(BTreeMap::new(), |mut ends, (name, end)| {
                ends.entry(name).and_modify(|before| *before = end.max(*before)).or_insert(end);
                ends
            });
        let of_workloads = snapshot.topics.iter().filter(|topic| workloads.iter().any(|one| *one.topic == *topic.name));
        let high_watermarks = of_workloads
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.to_string(), partition)))
            .filter(|(_, partition)| is_led(partition))
            .map(|(name, partition)| ((name, partition.id), partition.high_watermark))
            .collect();
        // A group without members reads nothing, whatever happens.
        let reading = || snapshot.groups.iter().filter(|group| !group.members.is_empty());
        let offsets = || reading().flat_map(|group| group.offsets.iter());
        Seen {
            at_ms,
            acked: writing().map(|one| (one.id, one.acked)).collect(),
            writes_per_s: writing().map(|one| one.acked_per_s).sum(),
            lag: offsets().next().is_some().then(|| offsets().map(|offset| offset.lag.max(0)).sum()),
            leaderless: partitions().filter(|partition| !is_led(partition)).count(),
            out_of_sync: partitions().filter(|partition| partition.is_under_replicated()).count(),
            partitions: partitions().count(),
            acked_ends,
            high_watermarks,
            lost: ledger.workloads.iter().map(|one| (one.id, one.lost)).collect(),
        }
    }
}
