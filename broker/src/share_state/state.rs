//! What is kept of a share partition, and what each record makes of it.
//!
//! Source: `org.apache.kafka.coordinator.share.ShareGroupOffset`, `ShareCoordinatorShard.replay`.

use super::batch::{StateBatch, combine};

/// The start offset of a share partition that was never consumed from, and "unchanged" in an update.
pub const NO_OFFSET: i64 = -1;

/// A delivery-complete count that is not known (KIP-1226).
pub const NO_COUNT: i32 = -1;

/// All of a share partition's state, as a snapshot records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// Number of the snapshot.
    pub snapshot_epoch: i32,
    /// Grows each time the group begins anew with the partition.
    pub state_epoch: i32,
    /// Leader epoch of the partition when its leader last said.
    pub leader_epoch: i32,
    /// First offset that is not done with, or [`NO_OFFSET`].
    pub start_offset: i64,
    /// Offsets from the start on whose delivery is complete, or [`NO_COUNT`].
    pub delivery_complete_count: i32,
    /// When the state was written as it came.
    pub create_timestamp_ms: i64,
    /// When it was last written; later than the former if it was only written again.
    pub write_timestamp_ms: i64,
    /// Delivery states of offsets from the start on, in order.
    pub batches: Vec<StateBatch>,
}

/// What changed since the last snapshot or update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateUpdate {
    /// Number of the snapshot that it changes.
    pub snapshot_epoch: i32,
    /// Leader epoch, or -1: as before.
    pub leader_epoch: i32,
    /// Start offset, or [`NO_OFFSET`]: as before.
    pub start_offset: i64,
    /// Delivery-complete count.
    pub delivery_complete_count: i32,
    /// Delivery states, to be laid over the former.
    pub batches: Vec<StateBatch>,
}

/// One record about a share partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Its whole state.
    Snapshot(ShareState),
    /// What changed.
    Update(StateUpdate),
    /// It has none any more.
    Tombstone,
}

/// A share partition as its records made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state: ShareState,
    /// The highest leader epoch and state epoch seen: what comes with a lower one is fenced. Snapshots may hold lower ones, so that, as with
    /// Kafka, a successor knows lower ones where the log before a snapshot is deleted; by then the state epoch fences.
    pub(super) leader_epoch: i32,
    pub(super) state_epoch: Option<i32>,
    /// Updates that count towards the next snapshot.
    pub(super) updates: i32,
    /// Offset of the first record that is needed to know it.
    pub(super) needed_offset: i64,
}

impl Entry {
    /// Lets a record, which lies at `offset`, do what it does.
    pub(super) fn replay(entry: &mut Option<Entry>, record: &Record, offset: i64, updates_per_snapshot: i32) {
        match record {
            Record::Tombstone => *entry = None,
            Record::Snapshot(state) => {
                let before = entry.take();
                let updates = before.as_ref().map_or(0, |before| before.updates);
                *entry = Some(Entry {
                    leader_epoch: before
                        .as_ref()
                        .map_or(state.leader_epoch, |it| it.leader_epoch.max(state.leader_epoch)),
                    state_epoch: before.and_then(|before| before.state_epoch).max(Some(state.state_epoch)),
                    state: state.clone(),
                    // One that only writes again what is cold begins no new count.
                    updates: if updates >= updates_per_snapshot { 0 } else { updates },
                    needed_offset: offset,
                });
            }
            Record::Update(update) => match entry {
                Some(entry) => {
                    entry.state = entry.state.updated(update);
                    entry.leader_epoch = entry.leader_epoch.max(update.leader_epoch);
                    entry.updates = entry.updates.saturating_add(1);
                }
                None => *entry = Some(Entry::begun_by(update, offset)),
            },
        }
    }

    /// An update whose snapshot is not there.
    fn begun_by(update: &StateUpdate, offset: i64) -> Entry {
        let state = ShareState {
            snapshot_epoch: update.snapshot_epoch,
            state_epoch: 0,
            leader_epoch: update.leader_epoch,
            start_offset: update.start_offset,
            delivery_complete_count: update.delivery_complete_count,
            create_timestamp_ms: 0,
            write_timestamp_ms: 0,
            batches: update.batches.clone(),
        };
        Entry { state, leader_epoch: update.leader_epoch, state_epoch: None, updates: 1, needed_offset: offset }
    }
}

impl ShareState {
    fn updated(&self, update: &StateUpdate) -> ShareState {
        let start_offset = if update.start_offset == NO_OFFSET { self.start_offset } else { update.start_offset };
        ShareState {
            snapshot_epoch: self.snapshot_epoch,
            state_epoch: self.state_epoch,
            leader_epoch: if update.leader_epoch == -1 { self.leader_epoch } else { update.leader_epoch },
            start_offset,
            delivery_complete_count: update.delivery_complete_count,
            create_timestamp_ms: self.create_timestamp_ms,
            write_timestamp_ms: self.write_timestamp_ms,
            batches: combine(&self.batches, &update.batches, start_offset),
        }
    }
}
