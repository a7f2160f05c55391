//! A member says what became of records that it has, or goes.
//!
//! Source: `SharePartition.acknowledge`, `releaseAcquiredRecords`; KIP-932, KIP-1222.

use std::time::Duration;

use super::changes::released_state;
use super::piece::{Batch, Piece, RecordState};
use super::{SharePartition, StateBatch};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::share::ShareLimits;

/// The lock is to last longer; the record stays with its member.
const RENEW: i8 = 4;

/// What became of the records `[first_offset, last_offset]`: one type for all, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// First offset.
    pub first_offset: i64,
    /// Last offset.
    pub last_offset: i64,
    /// 0 there is none, 1 accept, 2 release, 3 reject, 4 renew.
    pub types: Vec<i8>,
}

impl Acknowledgement {
    /// Parts of one type.
    fn runs(&self) -> Vec<(i64, i64, i8)> {
        if let [one] = self.types[..] {
            return vec![(self.first_offset, self.last_offset, one)];
        }
        let mut runs: Vec<(i64, i64, i8)> = Vec::new();
        for (offset, next) in (self.first_offset..=self.last_offset).zip(&self.types) {
            match runs.last_mut() {
                Some((_, last, same)) if same == next => *last = offset,
                _ => runs.push((offset, offset, *next)),
            }
        }
        runs
    }
}

/// An acknowledgement that does not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An unknown type.
    #[error("Invalid acknowledge type")]
    UnknownType,
    /// Past what is in flight.
    #[error("Batch record not found. The first offset in request is past acquired records.")]
    FirstOffsetPast,
    /// Past what is in flight.
    #[error("Batch record not found. The last offset in request is past acquired records.")]
    LastOffsetPast,
    /// Before what is in flight.
    #[error("Batch record not found. The request batch offsets are not found in the cache.")]
    NotInFlight,
    /// Nobody has the batch.
    #[error("The batch cannot be acknowledged. The batch is not in the acquired state.")]
    BatchNotAcquired,
    /// Nobody has the batch, of which a part was meant.
    #[error("The batch cannot be acknowledged. The subset batch is not in the acquired state.")]
    SubsetNotAcquired,
    /// Nobody has an offset.
    #[error("The offset cannot be acknowledged. The offset is not acquired.")]
    OffsetNotAcquired,
    /// Another member has the batch.
    #[error("Member is not the owner of batch record")]
    NotOwnerOfBatch,
    /// Another member has an offset.
    #[error("Member is not the owner of offset")]
    NotOwnerOfOffset,
    /// The group does not renew.
    #[error("Renewing acquisition locks is not enabled for the group.")]
    RenewDisabled,
}

impl Refusal {
    /// As Kafka calls it.
    pub fn code(self) -> ErrorCode {
        match self {
            Refusal::UnknownType | Refusal::FirstOffsetPast | Refusal::LastOffsetPast => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidRecordState,
        }
    }
}

/// One request as it goes on.
struct Acknowledging<'a> {
    member: &'a str,
    limits: &'a ShareLimits,
    until: Duration,
    number: u64,
    start: i64,
    changed: Vec<StateBatch>,
    renewed: bool,
}

impl SharePartition {
    /// Takes a member's acknowledgements, all or none. The number of the change that must be kept before they are answered; `None`: nothing
    /// need be kept.
    ///
    /// # Errors
    /// The first that does not stand; then none of them changed anything (locks that were renewed before it stay so).
    pub fn acknowledge(
        &mut self,
        now: Duration,
        limits: &ShareLimits,
        member: &str,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Option<u64>, Refusal> {
        let number = self.next_change();
        let until = now + limits.record_lock;
        let changed = Vec::new();
        let mut work = Acknowledging { member, limits, until, number, start: self.start, changed, renewed: false };
        let result = acknowledgements.iter().try_for_each(|one| self.acknowledge_one(&mut work, one));
        if work.renewed {
            self.lock_until(until);
        }
        match result {
            Ok(()) => Ok(self.queue(work.changed)),
            Err(refusal) => {
                self.take_back(now, limits, number, number);
                Err(refusal)
            }
        }
    }

    fn acknowledge_one(&mut self, work: &mut Acknowledging<'_>, one: &Acknowledgement) -> Result<(), Refusal> {
        if one.types.is_empty() || one.types.iter().any(|kind| !(0..=RENEW).contains(kind)) {
            return Err(Refusal::UnknownType);
        }
        if one.last_offset < self.start {
            return Ok(());
        }
        for first in self.meant(one)? {
            if let Some(batch) = self.batches.get_mut(&first) {
                acknowledge_batch(work, one, first, batch)?;
            }
        }
        Ok(())
    }

    /// First offsets of the batches that are meant.
    fn meant(&self, one: &Acknowledgement) -> Result<Vec<i64>, Refusal> {
        let floor = |offset: i64| self.batches.range(..=offset).next_back().map(|(first, _)| *first);
        let reaches_start = one.first_offset < self.start && one.last_offset >= self.start;
        let at = floor(one.first_offset).or_else(|| floor(self.start).filter(|_| reaches_start));
        let at = at.ok_or(Refusal::NotInFlight)?;
        let meant = self.batches.range(at..=one.last_offset.max(at));
        let last = meant.clone().next_back().map_or(i64::MIN, |(_, batch)| batch.last);
        if last < one.first_offset {
            return Err(Refusal::FirstOffsetPast);
        }
        if last < one.last_offset {
            return Err(Refusal::LastOffsetPast);
        }
        Ok(meant.map(|(first, _)| *first).collect())
    }

    /// A member goes: what it has can be given to others. The number of the change, if there is one.
    pub fn release(&mut self, limits: &ShareLimits, member: &str) -> Option<u64> {
        self.release_those(limits, |piece| piece.belongs_to(member))
    }

    /// Nobody is left who could say anything of what he has: it can be given to others. The number of the change, if there is one.
    pub fn release_all(&mut self, limits: &ShareLimits) -> Option<u64> {
        self.release_those(limits, |_| true)
    }

    fn release_those(&mut self, limits: &ShareLimits, is_meant: impl Fn(&Piece) -> bool) -> Option<u64> {
        let number = self.next_change();
        let mut changed = Vec::new();
        for batch in self.batches.values_mut() {
            let is_held = |piece: &Piece| piece.state == RecordState::Acquired && is_meant(piece);
            for (first, piece) in batch.pieces_mut().filter(|(_, piece)| is_held(piece)) {
                piece.leave(released_state(limits, piece.delivery_count), Some(number));
                changed.push(StateBatch::of(first, piece));
            }
        }
        self.queue(changed)
    }
}

fn acknowledge_batch(
    work: &mut Acknowledging<'_>,
    one: &Acknowledgement,
    first: i64,
    batch: &mut Batch,
) -> Result<(), Refusal> {
    let last = batch.last;
    let is_whole = first >= one.first_offset && last <= one.last_offset && one.types.len() == 1 && first >= work.start;
    if let Some(piece) = batch.whole() {
        match piece.member.as_deref() {
            None => return Err(Refusal::BatchNotAcquired),
            Some(_) if !piece.belongs_to(work.member) => return Err(Refusal::NotOwnerOfBatch),
            Some(_) => {}
        }
        if piece.state != RecordState::Acquired {
            return Err(if is_whole { Refusal::BatchNotAcquired } else { Refusal::SubsetNotAcquired });
        }
        if is_whole {
            return settle(work, first, piece, one.types[0]);
        }
        batch.is_split = true;
    }
    for (from, to, kind) in one.runs() {
        let (from, to) = (from.max(first).max(work.start), to.min(last));
        for (at, piece) in batch.cut(from, to) {
            if piece.state != RecordState::Acquired {
                return Err(Refusal::OffsetNotAcquired);
            }
            if !piece.belongs_to(work.member) {
                return Err(Refusal::NotOwnerOfOffset);
            }
            settle(work, at, piece, kind)?;
        }
    }
    batch.join();
    Ok(())
}

/// One piece, which the member has, takes its new state.
fn settle(work: &mut Acknowledging<'_>, first: i64, piece: &mut Piece, kind: i8) -> Result<(), Refusal> {
    let state = match kind {
        RENEW if !work.limits.may_renew => return Err(Refusal::RenewDisabled),
        RENEW => {
            if !Bug::ShareRenewIgnored.is_planted() {
                piece.locked_until = Some(work.until);
            }
            work.renewed = true;
            return Ok(());
        }
        1 => RecordState::Acknowledged,
        2 => released_state(work.limits, piece.delivery_count),
        _ => RecordState::Archived,
    };
    piece.leave(state, Some(work.number));
    work.changed.push(StateBatch::of(first, piece));
    Ok(())
}
