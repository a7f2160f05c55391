//! Records are given to a member.
//!
//! Source: `SharePartition.acquire`, `acquireNewBatchRecords`, `createBatches`, `acquireSubsetBatchRecords`,
//! `shouldThrottleRecordsDelivery`; KIP-1206.

use std::sync::Arc;
use std::time::Duration;

use super::SharePartition;
use super::piece::{Batch, Piece, RecordState};
use crate::share::{LogBatch, ShareLimits};

/// How strictly the number of records is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireMode {
    /// Whole batches, so that they may be a few more.
    BatchOptimized,
    /// Not one more.
    RecordLimit,
}

impl AcquireMode {
    /// The mode of Kafka's number; `None` for a number that is none.
    pub fn from_wire(share_acquire_mode: i8) -> Option<AcquireMode> {
        match share_acquire_mode {
            0 => Some(AcquireMode::BatchOptimized),
            1 => Some(AcquireMode::RecordLimit),
            _ => None,
        }
    }
}

/// What a member asks for.
#[derive(Clone, Debug)]
pub struct Acquire<'a> {
    /// Member.
    pub member: &'a Arc<str>,
    /// How strictly `max_records` is meant.
    pub mode: AcquireMode,
    /// New records are put in batches of about so many.
    pub batch_size: i64,
    /// How many records.
    pub max_records: i64,
    /// From where the log was read.
    pub fetch_offset: i64,
}

/// Records that a member got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquiredRange {
    /// First offset.
    pub first_offset: i64,
    /// Last offset.
    pub last_offset: i64,
    /// Deliveries, this one included.
    pub delivery_count: i16,
}

impl AcquiredRange {
    fn new(first_offset: i64, last_offset: i64, delivery_count: i32) -> AcquiredRange {
        let delivery_count = i16::try_from(delivery_count).unwrap_or(i16::MAX);
        AcquiredRange { first_offset, last_offset, delivery_count }
    }

    /// Offsets in it.
    pub fn len(&self) -> i64 {
        self.last_offset - self.first_offset + 1
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.len() <= 0
    }
}

/// A part of the log that was read.
#[derive(Clone, Copy, Debug)]
enum Stretch {
    /// A batch in flight, by its first offset.
    Known(i64),
    /// Offsets of which nothing is known.
    New(i64, i64),
}

/// One acquisition as it goes on.
struct Taking<'a> {
    ask: &'a Acquire<'a>,
    limits: &'a ShareLimits,
    log: &'a [LogBatch],
    until: Duration,
    /// What was read: first and last offset that may be acquired.
    read: (i64, i64),
    max: i64,
    count: i64,
    acquired: Vec<AcquiredRange>,
}

impl Taking<'_> {
    fn left(&self) -> i64 {
        self.max - self.count
    }

    fn push(&mut self, first: i64, last: i64, delivery_count: i32) {
        let range = AcquiredRange::new(first, last, delivery_count);
        self.count += range.len();
        self.acquired.push(range);
    }

    fn is_record_limit(&self) -> bool {
        self.ask.mode == AcquireMode::RecordLimit
    }

    /// Last offset of the log's batch that has `offset`.
    fn end_of_log_batch(&self, offset: i64) -> i64 {
        let batch = self.log.iter().find(|batch| batch.base <= offset && offset <= batch.last);
        batch.map_or(offset, |batch| batch.last)
    }
}

impl SharePartition {
    /// Gives records to a member, out of the batches that were read from `fetch_offset` on.
    pub fn acquire(
        &mut self,
        now: Duration,
        limits: &ShareLimits,
        ask: &Acquire<'_>,
        log: &[LogBatch],
    ) -> Vec<AcquiredRange> {
        let (Some(first), Some(last)) = (log.first(), log.last()) else { return Vec::new() };
        if ask.max_records <= 0 || last.last < self.start {
            return Vec::new();
        }
        let Some((to, max)) = self.room(limits, ask, last.last) else { return Vec::new() };
        self.skip_absent(ask.fetch_offset, first.base - 1);
        let (until, read) = (now + limits.record_lock, (first.base, to));
        let mut taking = Taking { ask, limits, log, until, read, max, count: 0, acquired: Vec::new() };
        let from = self.floor_of(first.base);
        for stretch in self.stretches(from, to) {
            if taking.left() <= 0 {
                break;
            }
            let known_to = match stretch {
                Stretch::New(first, last) => self.acquire_new(&mut taking, first, last),
                Stretch::Known(first) => {
                    if !self.acquire_known(&mut taking, first) {
                        break;
                    }
                    first
                }
            };
            self.forget_gaps(from, known_to);
        }
        let acquired = self.archive_aborted(taking.acquired, log);
        self.move_start();
        if !acquired.is_empty() {
            self.lock_until(until);
        }
        acquired
    }

    /// Up to where, and how many records may be acquired. Where the locks are used up, what is in flight may still be delivered again.
    fn room(&self, limits: &ShareLimits, ask: &Acquire<'_>, last: i64) -> Option<(i64, i64)> {
        let free = limits.max_record_locks - self.in_flight();
        if free > 0 {
            return Some((last, ask.max_records.min(free)));
        }
        let end = self.next_new() - 1;
        (ask.fetch_offset <= end).then(|| (last.min(end), ask.max_records.min(end - ask.fetch_offset + 1)))
    }

    /// First offset of the batch in flight that has `offset`, or the start offset if that is later; without one, that offset itself.
    fn floor_of(&self, offset: i64) -> i64 {
        let offset = offset.max(self.start);
        let floor = self.batches.range(..=offset).next_back().filter(|(_, batch)| batch.last >= offset);
        floor.map_or(offset, |(first, _)| *first)
    }

    /// What of `[from, to]` may be acquired, in order. What is neither in flight nor in a gap nor new is not in the log.
    fn stretches(&self, from: i64, to: i64) -> Vec<Stretch> {
        if from > to {
            return Vec::new();
        }
        let known = self.batches.range(from..=to).map(|(first, _)| (*first, Stretch::Known(*first)));
        let gaps = self.gaps.range(..=to).filter(|(_, last)| **last >= from);
        let gaps = gaps.map(|(first, last)| (*first, Stretch::New((*first).max(from), (*last).min(to))));
        let mut all: Vec<(i64, Stretch)> = known.chain(gaps).collect();
        let new = self.next_new().max(from);
        if new <= to {
            all.push((new, Stretch::New(new, to)));
        }
        all.sort_unstable_by_key(|(first, _)| *first);
        all.into_iter().map(|(_, stretch)| stretch).collect()
    }

    /// Offsets of which nothing was known are in flight now. How far they are known from now on.
    fn acquire_new(&mut self, taking: &mut Taking<'_>, first: i64, last: i64) -> i64 {
        // Between the log's batches there may be nothing.
        let begin = taking.log.iter().find(|batch| batch.last >= first).map_or(last + 1, |batch| batch.base.max(first));
        let end = taking.log.iter().rfind(|batch| batch.base <= last).map_or(first - 1, |batch| batch.last.min(last));
        if begin > end {
            return last;
        }
        let wanted = begin.saturating_add(taking.left() - 1);
        let end = if wanted < end { taking.end_of_log_batch(wanted).min(end) } else { end };
        if self.batches.range(..begin).next_back().is_none() && self.gaps.range(..first).next().is_none() {
            self.start = self.start.max(begin);
        }
        if taking.is_record_limit() {
            self.add_to_limit(taking, begin, end, wanted.min(end));
        } else {
            self.add_batches(taking, begin, end);
        }
        end
    }

    /// One batch, of which the member gets what it asked for.
    fn add_to_limit(&mut self, taking: &mut Taking<'_>, first: i64, last: i64, acquired_to: i64) {
        let mut batch = Batch::new(first, Piece::new(last, RecordState::Available, 0));
        for (_, piece) in batch.cut(first, acquired_to) {
            piece.give(taking.ask.member, taking.until);
        }
        self.batches.insert(first, batch);
        self.came_in_flight(first, last);
        taking.push(first, acquired_to, 1);
    }

    /// Batches of about the size that the member wants, each of whole batches of the log.
    fn add_batches(&mut self, taking: &mut Taking<'_>, first: i64, last: i64) {
        let mut begin = first;
        for base in taking.log.iter().map(|batch| batch.base).filter(|base| (first..=last).contains(base)) {
            if base - begin >= taking.ask.batch_size.max(1) {
                self.add_batch(taking, begin, base - 1);
                begin = base;
            }
        }
        self.add_batch(taking, begin, last);
    }

    fn add_batch(&mut self, taking: &mut Taking<'_>, first: i64, last: i64) {
        let piece = Piece::acquired(last, 1, taking.ask.member, taking.until);
        self.batches.insert(first, Batch::new(first, piece));
        self.came_in_flight(first, last);
        taking.push(first, last, 1);
    }

    /// Takes of a batch in flight what is free. False: nothing more is to be acquired now, so that what failed often comes with few others.
    fn acquire_known(&mut self, taking: &mut Taking<'_>, first: i64) -> bool {
        let Some(batch) = self.batches.get_mut(&first) else { return true };
        let is_throttled = is_throttled(batch, taking);
        if is_throttled && taking.count > 0 {
            return false;
        }
        let (from, to) = taking.read;
        let len = batch.last - first + 1;
        let is_inside = first >= from && batch.last <= to;
        let is_too_much = taking.is_record_limit() && len > taking.left();
        if is_inside && !batch.is_split && !is_too_much && !is_throttled {
            let last = batch.last;
            if let Some(piece) = batch.whole().filter(|piece| piece.is_free()) {
                piece.give(taking.ask.member, taking.until);
                let delivery_count = piece.delivery_count;
                taking.push(first, last, delivery_count);
            }
            return true;
        }
        let before = taking.count;
        acquire_pieces(batch, first, taking);
        !(is_throttled && taking.count > before)
    }
}

/// Whether something in the batch was delivered so often that it should come with fewer others.
fn is_throttled(batch: &Batch, taking: &Taking<'_>) -> bool {
    let (from, to) = taking.read;
    let free = batch.touching(from, to).filter(|(_, piece)| piece.is_free());
    free.map(|(_, piece)| piece.delivery_count).max().unwrap_or(0) >= taking.limits.throttled_from()
}

/// Takes single offsets of a batch.
fn acquire_pieces(batch: &mut Batch, first: i64, taking: &mut Taking<'_>) {
    let (from, to) = (taking.read.0.max(first), taking.read.1.min(batch.last));
    let (len, room) = (batch.last - first + 1, taking.left());
    let mut got: Vec<AcquiredRange> = Vec::new();
    let (mut count, mut most) = (0i64, None);
    let free: Vec<(i64, i64, i32)> = batch
        .touching(from, to)
        .filter(|(_, piece)| piece.is_free())
        .map(|(at, piece)| (at.max(from), piece.last.min(to), piece.delivery_count))
        .collect();
    for (at, last, deliveries) in free {
        let is_last_attempt = taking.limits.is_last_attempt(deliveries);
        if is_last_attempt && count > 0 {
            break;
        }
        let over = deliveries - taking.limits.throttled_from();
        if over >= 0 && most.is_none() {
            most = Some((len >> (over + 1).min(62)).max(1));
        }
        let mut take = last - at + 1;
        if is_last_attempt {
            take = 1;
        }
        if taking.is_record_limit() {
            take = take.min(room - count);
        }
        if let Some(most) = most.filter(|most| count < *most) {
            take = take.min(most - count);
        }
        for (_, piece) in batch.cut(at, at + take - 1) {
            piece.give(taking.ask.member, taking.until);
        }
        count += take;
        extend(&mut got, AcquiredRange::new(at, at + take - 1, deliveries.saturating_add(1)));
        let is_full = taking.is_record_limit() && count >= room;
        if is_last_attempt || is_full || most == Some(count) {
            break;
        }
    }
    batch.join();
    taking.count += count;
    taking.acquired.append(&mut got);
}

fn extend(ranges: &mut Vec<AcquiredRange>, range: AcquiredRange) {
    match ranges.last_mut() {
        Some(last) if last.last_offset + 1 == range.first_offset && last.delivery_count == range.delivery_count => {
            last.last_offset = range.last_offset;
        }
        _ => ranges.push(range),
    }
}
