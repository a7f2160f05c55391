//! One share group's view of one partition: which offsets are in flight, from its start offset on, and what is to be kept of them.
//!
//! Records come in flight when they are acquired for the first time. They leave when everything up to them is done and kept: then the start
//! offset moves. Each change that must outlive the leader goes out as a [`StateWrite`], one at a time; what happens meanwhile goes with the
//! next. Until a write is answered, an acknowledgement is not answered either, and can be taken back.
//!
//! Source: `kafka.server.share.SharePartition` (KIP-932, KIP-1206, KIP-1222, KIP-1226).

mod acknowledge;
mod acquire;
mod archive;
mod changes;
mod piece;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::{Histogram, Meter};

pub use acknowledge::{Acknowledgement, Refusal};
pub use acquire::{Acquire, AcquireMode, AcquiredRange};
pub use changes::{StateBatch, StateWrite};
pub use piece::RecordState;
use piece::{Batch, Piece};

/// What was kept of a share partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptState {
    /// Fences writes of those who read an older state.
    pub state_epoch: i32,
    /// Start offset.
    pub start_offset: i64,
    /// By offset.
    pub batches: Vec<StateBatch>,
}

/// What was kept makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch {first_offset}-{last_offset} that was kept is not in order")]
pub struct LoadError {
    /// Of the batch.
    pub first_offset: i64,
    /// Of the batch.
    pub last_offset: i64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct SharePartition {
    state_epoch: i32,
    /// Nothing before it is delivered (again).
    start: i64,
    /// In flight; none ends before the start offset.
    batches: BTreeMap<i64, Batch>,
    /// Offsets between batches that were kept, of which nothing was: either they were never acquired, or they are not in the log. First → last.
    gaps: BTreeMap<i64, i64>,
    /// No lock runs out before this; it may be early.
    earliest_lock: Option<Duration>,
    /// Changes that are not sent yet.
    queued: Vec<StateBatch>,
    /// Number of the last of them.
    queued_to: u64,
    /// Number of the last change in the write that is under way.
    writing: Option<u64>,
    last_change: u64,
    /// Records whose lock ran out.
    pub lock_timeouts: Meter,
    /// Offsets of batches that came in flight.
    pub batch_sizes: Histogram,
}

impl SharePartition {
    /// From what was kept of it.
    ///
    /// # Errors
    /// Batches before the start offset, out of order, or in no known state.
    pub fn load(kept: &KeptState) -> Result<SharePartition, LoadError> {
        let mut partition = SharePartition {
            state_epoch: kept.state_epoch,
            start: kept.start_offset.max(0),
            batches: BTreeMap::new(),
            gaps: BTreeMap::new(),
            earliest_lock: None,
            queued: Vec::new(),
            queued_to: 0,
            writing: None,
            last_change: 0,
            lock_timeouts: Meter::default(),
            batch_sizes: Histogram::default(),
        };
        let mut next = partition.start;
        for batch in &kept.batches {
            let error = LoadError { first_offset: batch.first_offset, last_offset: batch.last_offset };
            let ordered = batch.first_offset >= next && batch.first_offset <= batch.last_offset;
            let state = RecordState::of_kept(batch.delivery_state).filter(|_| ordered && batch.last_offset < i64::MAX);
            let Some(state) = state else { return Err(error) };
            if batch.first_offset > next {
                partition.gaps.insert(next, batch.first_offset - 1);
            }
            let piece = Piece::new(batch.last_offset, state, i32::from(batch.delivery_count));
            partition.batches.insert(batch.first_offset, Batch::new(batch.first_offset, piece));
            partition.came_in_flight(batch.first_offset, batch.last_offset);
            next = batch.last_offset + 1;
        }
        partition.move_start();
        Ok(partition)
    }

    fn came_in_flight(&mut self, first_offset: i64, last_offset: i64) {
        self.batch_sizes.record(u64::try_from(last_offset - first_offset + 1).unwrap_or(0));
    }

    /// How many batches are in flight.
    pub fn batches_in_flight(&self) -> usize {
        self.batches.len()
    }

    /// Fences writes of those who read an older state.
    pub fn state_epoch(&self) -> i32 {
        self.state_epoch
    }

    /// Nothing before it is delivered (again).
    pub fn start_offset(&self) -> i64 {
        self.start
    }

    /// The first offset that never was in flight.
    fn next_new(&self) -> i64 {
        self.batches.last_key_value().map_or(self.start, |(_, batch)| batch.last + 1)
    }

    /// Offsets from the first to the last in flight.
    pub fn in_flight(&self) -> i64 {
        self.next_new() - self.start
    }

    /// From where records are to be read for the next who asks.
    pub fn next_fetch_offset(&self) -> i64 {
        let free = self.batches.values().flat_map(Batch::pieces).find(|(_, piece)| piece.is_free());
        let free = free.map(|(first, _)| first.max(self.start));
        let gap = self.gaps.keys().next().copied();
        match (free, gap) {
            (Some(free), Some(gap)) => free.min(gap),
            (free, gap) => free.or(gap).unwrap_or_else(|| self.next_new()),
        }
    }

    /// Whether there is any use in reading.
    pub fn can_acquire(&self, max_record_locks: i64) -> bool {
        self.next_fetch_offset() != self.next_new() || self.in_flight() < max_record_locks
    }

    /// When a lock may run out, on the monotonic clock.
    pub fn next_lock_end(&self) -> Option<Duration> {
        self.earliest_lock
    }

    /// Nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Calls `look` with each stretch of offsets in flight: first and last offset, state, deliveries.
    pub fn each_state(&self, mut look: impl FnMut(i64, i64, RecordState, i32)) {
        for (first, piece) in self.batches.values().flat_map(Batch::pieces) {
            look(first, piece.last, piece.state, piece.delivery_count);
        }
    }

    fn lock_until(&mut self, until: Duration) {
        self.earliest_lock = Some(changes::sooner(self.earliest_lock, until));
    }

    /// Moves the start offset past what is done and kept.
    fn move_start(&mut self) -> bool {
        let before = self.start;
        while let Some(entry) = self.batches.first_entry() {
            if let Some((gap, _)) = self.gaps.first_key_value().filter(|(gap, _)| **gap < *entry.key()) {
                self.start = self.start.max(*gap);
                break;
            }
            let batch = entry.get();
            let open = batch.pieces().find(|(_, piece)| piece.last >= self.start && !piece.is_done());
            if let Some((first, _)) = open {
                self.start = self.start.max(first);
                break;
            }
            self.start = self.start.max(batch.last + 1);
            entry.remove();
        }
        self.start != before
    }
}
