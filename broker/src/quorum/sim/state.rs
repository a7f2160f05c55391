//! What a simulated node makes of the committed records: the list of their payloads, its snapshots included.

use bytes::Bytes;

use super::super::{Quorum, SnapshotId, SnapshotWriter, take_apart};
use super::checker::Checker;
use crate::types::{NodeId, Now};

/// Payloads per batch of a snapshot, and one batch per step: whatever happens may happen in between.
const BATCH: usize = 7;

/// A node's state machine.
#[derive(Default)]
pub struct NodeState {
    pub payloads: Vec<Bytes>,
    next_offset: i64,
    end: Option<(SnapshotId, i64)>,
    since_snapshot: usize,
    task: Option<(SnapshotWriter, Vec<Bytes>)>,
}

impl NodeState {
    /// Takes in what is committed; begins with a snapshot where it must or may.
    pub fn follow(&mut self, id: NodeId, quorum: &Quorum, checker: &mut Checker) {
        let newest = quorum.latest_snapshot().map_or(0, |newest| newest.end_offset);
        if self.next_offset < quorum.log_start_offset() || (self.next_offset == 0 && newest > 0) {
            let snapshot = quorum.read_snapshot().expect("a snapshot").expect("a snapshot");
            checker.loaded(id, snapshot.id, &snapshot.records);
            self.payloads = snapshot.records;
            self.next_offset = snapshot.id.end_offset;
            self.since_snapshot = 0;
        }
        loop {
            let bytes = quorum.read_committed(self.next_offset, 1 << 20).expect("committed records");
            let committed = take_apart(&bytes, 1 << 20).expect("batches");
            let Some(end) = committed.end else { return };
            self.next_offset = end.end_offset;
            self.end = Some((end, committed.last_timestamp_ms));
            self.since_snapshot += committed.records.len();
            self.payloads.extend(committed.records.into_iter().map(|record| record.value));
        }
    }

    /// Goes on with a snapshot, or begins one if there were `every` records since the last.
    pub fn make_snapshot(&mut self, now: Now, quorum: &mut Quorum, every: usize) -> bool {
        if let Some((mut writer, mut rest)) = self.task.take() {
            if rest.is_empty() {
                return quorum.finish_snapshot(now, writer).expect("the disk works");
            }
            let batch: Vec<Bytes> = rest.drain(..BATCH.min(rest.len())).collect();
            quorum.write_snapshot(&mut writer, &batch).expect("the disk works");
            self.task = Some((writer, rest));
        } else if self.since_snapshot >= every
            && let Some((id, last_contained_ms)) = self.end
        {
            self.since_snapshot = 0;
            let begun = quorum.begin_snapshot(now, id, last_contained_ms).expect("the disk works");
            self.task = begun.map(|writer| (writer, self.payloads.clone()));
        }
        false
    }
}
