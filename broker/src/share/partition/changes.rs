//! What is to be kept of a share partition, and what becomes of it when that succeeded or failed; locks that run out.
//!
//! Source: `SharePartition.rollbackOrProcessStateUpdates`, `writeShareGroupState`, `releaseAcquisitionLockOnTimeout`.

use std::time::Duration;

use super::SharePartition;
use super::piece::{Batch, Piece, RecordState};
use crate::planted::Bug;
use crate::share::ShareLimits;

/// Offsets in one state, as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateBatch {
    /// First offset.
    pub first_offset: i64,
    /// Last offset.
    pub last_offset: i64,
    /// [`RecordState`] as a number.
    pub delivery_state: i8,
    /// Deliveries.
    pub delivery_count: i16,
}

impl StateBatch {
    pub(super) fn of(first: i64, piece: &Piece) -> StateBatch {
        let delivery_count = if Bug::ShareCountNotKept.is_planted() { 0 } else { piece.delivery_count };
        StateBatch {
            first_offset: first,
            last_offset: piece.last,
            delivery_state: piece.state as i8,
            delivery_count: i16::try_from(delivery_count).unwrap_or(i16::MAX),
        }
    }
}

/// What is to be kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// As read.
    pub state_epoch: i32,
    /// Start offset.
    pub start_offset: i64,
    /// In flight and done, from the start offset on (KIP-1226).
    pub delivery_complete_count: i32,
    /// What changed.
    pub batches: Vec<StateBatch>,
}

impl SharePartition {
    /// Number for changes that are about to be made.
    pub(super) fn next_change(&self) -> u64 {
        self.last_change + 1
    }

    /// Changes were made under [`SharePartition::next_change`]; the number to wait for, if there is anything to keep.
    pub(super) fn queue(&mut self, changed: Vec<StateBatch>) -> Option<u64> {
        if changed.is_empty() {
            return None;
        }
        self.last_change += 1;
        self.queued_to = self.last_change;
        self.queued.extend(changed);
        Some(self.last_change)
    }

    /// What is to be kept now: nothing while a write is under way. It is answered by [`SharePartition::written`].
    pub fn take_write(&mut self) -> Option<StateWrite> {
        if self.writing.is_some() || self.queued.is_empty() {
            return None;
        }
        self.writing = Some(self.queued_to);
        Some(StateWrite {
            state_epoch: self.state_epoch,
            start_offset: self.start,
            delivery_complete_count: self.delivery_complete_count(),
            batches: std::mem::take(&mut self.queued),
        })
    }

    /// Whether everything is kept.
    pub fn is_kept(&self) -> bool {
        self.writing.is_none() && self.queued.is_empty()
    }

    fn delivery_complete_count(&self) -> i32 {
        let pieces = self.batches.values().flat_map(Batch::pieces);
        let done = pieces.filter(|(_, piece)| piece.state.is_terminal() && piece.last >= self.start);
        let count: i64 = done.map(|(first, piece)| piece.last - first.max(self.start) + 1).sum();
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    /// The write was answered: its changes stand, or are taken back. Number of the last of them.
    pub fn written(&mut self, now: Duration, limits: &ShareLimits, is_kept: bool) -> Option<u64> {
        let through = self.writing.take()?;
        match is_kept {
            true => self.complete(through),
            false => self.take_back(now, limits, 0, through),
        }
        self.move_start();
        Some(through)
    }

    fn complete(&mut self, through: u64) {
        for batch in self.batches.values_mut() {
            let mut any = false;
            for (_, piece) in batch.pieces_mut() {
                if piece.change.as_ref().is_some_and(|change| change.number <= through) {
                    (piece.change, piece.locked_until) = (None, None);
                    any = true;
                }
            }
            if any {
                batch.join();
            }
        }
    }

    /// Changes from `from` to `to` did not happen. A lock that ran out meanwhile has run out.
    pub(super) fn take_back(&mut self, now: Duration, limits: &ShareLimits, from: u64, to: u64) {
        let (mut released, mut earliest) = (Vec::new(), self.earliest_lock);
        for batch in self.batches.values_mut() {
            for (first, piece) in batch.pieces_mut() {
                let Some(change) = piece.change.take_if(|change| (from..=to).contains(&change.number)) else {
                    continue;
                };
                piece.state = RecordState::Acquired;
                piece.member = change.member;
                match piece.locked_until {
                    Some(until) if until > now => earliest = Some(sooner(earliest, until)),
                    _ => {
                        piece.leave(released_state(limits, piece.delivery_count), None);
                        released.push(StateBatch::of(first, piece));
                    }
                }
            }
            batch.join();
        }
        self.earliest_lock = earliest;
        self.queue(released);
    }

    /// Locks that have run out are gone, whether that can be kept or not; true if there were any.
    pub fn expire_locks(&mut self, now: Duration, limits: &ShareLimits) -> bool {
        if self.earliest_lock.is_none_or(|earliest| earliest > now) {
            return false;
        }
        if Bug::ShareLockForever.is_planted() {
            self.earliest_lock = None;
            return false;
        }
        let (mut released, mut earliest) = (Vec::new(), None);
        for batch in self.batches.values_mut() {
            let mut any = false;
            if Bug::ShareLockTakesBack.is_planted() {
                let due = |piece: &Piece| piece.locked_until.is_some_and(|until| until <= now);
                for (_, piece) in batch.pieces_mut().filter(|(_, piece)| due(piece)) {
                    (piece.state, piece.change) = (RecordState::Acquired, None);
                }
            }
            for (first, piece) in batch.pieces_mut().filter(|(_, piece)| piece.state == RecordState::Acquired) {
                match piece.locked_until {
                    Some(until) if until > now => earliest = Some(sooner(earliest, until)),
                    _ => {
                        self.lock_timeouts.mark((piece.last - first + 1).max(0) as u64);
                        piece.leave(released_state(limits, piece.delivery_count), None);
                        released.push(StateBatch::of(first, piece));
                        any = true;
                    }
                }
            }
            if any {
                batch.join();
            }
        }
        self.earliest_lock = earliest;
        self.queue(released).is_some()
    }
}

pub(super) fn sooner(earliest: Option<Duration>, until: Duration) -> Duration {
    earliest.map_or(until, |earliest| earliest.min(until))
}

/// What becomes of a record that its member gives back, or keeps for too long.
pub(super) fn released_state(limits: &ShareLimits, delivery_count: i32) -> RecordState {
    if limits.is_spent(delivery_count) { RecordState::Archived } else { RecordState::Available }
}
