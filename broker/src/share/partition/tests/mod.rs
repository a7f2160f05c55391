//! Share partitions by tables, and against a model that knows single offsets only.

mod model;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::share::{LogBatch, ShareLimits};

/// Locks of these tests, ms.
const LOCK_MS: u64 = 100;

fn limits() -> ShareLimits {
    ShareLimits { record_lock: at(LOCK_MS), delivery_count_limit: 5, max_record_locks: 200, may_renew: true }
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn log(batches: &[(i64, i64)]) -> Vec<LogBatch> {
    batches.iter().map(|(base, last)| LogBatch { base: *base, last: *last, is_aborted: false }).collect()
}

fn kept(start_offset: i64, batches: &[(i64, i64, i8, i16)]) -> KeptState {
    let batch = |(first_offset, last_offset, delivery_state, delivery_count): &(i64, i64, i8, i16)| StateBatch {
        first_offset: *first_offset,
        last_offset: *last_offset,
        delivery_state: *delivery_state,
        delivery_count: *delivery_count,
    };
    KeptState { state_epoch: 3, start_offset, batches: batches.iter().map(batch).collect() }
}

/// A share partition with its clock and its limits.
struct Stage {
    partition: SharePartition,
    limits: ShareLimits,
    now: Duration,
    batch_size: i64,
    mode: AcquireMode,
}

impl Stage {
    fn new(start_offset: i64) -> Stage {
        Stage::loaded(&kept(start_offset, &[]))
    }

    fn loaded(kept: &KeptState) -> Stage {
        let partition = SharePartition::load(kept).unwrap();
        Stage { partition, limits: limits(), now: at(0), batch_size: 500, mode: AcquireMode::BatchOptimized }
    }

    /// What a member gets out of these batches of the log, read from where the partition wants it.
    fn acquire(&mut self, member: &str, max_records: i64, batches: &[LogBatch]) -> Vec<(i64, i64, i16)> {
        let member: Arc<str> = member.into();
        let fetch_offset = self.partition.next_fetch_offset();
        let (mode, batch_size) = (self.mode, self.batch_size);
        let ask = Acquire { member: &member, mode, batch_size, max_records, fetch_offset };
        let acquired = self.partition.acquire(self.now, &self.limits, &ask, batches);
        acquired.iter().map(|range| (range.first_offset, range.last_offset, range.delivery_count)).collect()
    }

    fn acknowledge(&mut self, member: &str, first: i64, last: i64, types: &[i8]) -> Result<Option<u64>, Refusal> {
        let one = Acknowledgement { first_offset: first, last_offset: last, types: types.to_vec() };
        self.partition.acknowledge(self.now, &self.limits, member, &[one])
    }

    /// Keeps everything that is to be kept.
    fn keep(&mut self) -> Vec<(i64, i64, i8, i16)> {
        let mut kept = Vec::new();
        while let Some(write) = self.partition.take_write() {
            let told = |b: &StateBatch| (b.first_offset, b.last_offset, b.delivery_state, b.delivery_count);
            kept.extend(write.batches.iter().map(told));
            self.partition.written(self.now, &self.limits, true);
        }
        kept
    }

    /// One write fails.
    fn fail(&mut self) {
        self.partition.take_write().unwrap();
        self.partition.written(self.now, &self.limits, false);
    }

    fn offsets(&self) -> (i64, i64) {
        (self.partition.start_offset(), self.partition.next_fetch_offset())
    }
}
