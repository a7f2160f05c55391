//! One round of compaction of one log, in steps: of each key only the last record is kept below a certain offset.
//!
//! First the dirty section (what was written since the last round) is read into a map from key to last offset; if it does not fit, the
//! round ends where the map is full. Then every segment below that end is copied without what the map says is superseded, neighbours
//! into one as long as they fit, and each copy is swapped in. Offsets never change, nor does the order.
//!
//! Two things are done more carefully than in Kafka. The dirty section is made durable before the first swap, since what supersedes a
//! record must not be lost after the record. And each copy keeps the last batch of what it replaces, if only as a header, so that
//! segments still follow each other without a gap, and a recovery that meets one knows that something was lost.
//!
//! Source: `org.apache.kafka.storage.internals.log.Cleaner`; KIP-58, KIP-98, KIP-354, KIP-534.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::append::end_txn_marker;
use super::cleaned_txns::{CleanedTxns, Verdict};
use super::offset_map::OffsetMap;
use super::segment::{CLEANED, Segment, Store};
use super::{Log, LogError, lines};
use crate::records::rewrite::{RawRecord, unpack, with_records, without_records};
use crate::records::{BatchError, BatchHeader, batches, validate};
use crate::types::Now;

/// What one batch may unpack to.
const MAX_DECOMPRESSED_BYTES: usize = 256 << 20;
/// A copy is made durable in parts of this size, so that its last sync has little left to do.
const SYNC_BYTES: u64 = 8 << 20;

const GONE: LogError = LogError::InvalidRecord("a segment went away while it was compacted");

/// The part of a log that a round works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirtySection {
    /// Below it the log was cleaned before.
    pub(super) first_dirty_offset: i64,
    /// Base offset of the first segment that is left alone.
    pub(super) upper_bound: i64,
}

/// What a round may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    pub(super) map_bytes: u64,
    pub(super) map_load_factor: f64,
    pub(super) read_bytes: usize,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleaningStats {
    /// Bytes of the segments that were copied.
    pub bytes_before: u64,
    /// Bytes of the copies.
    pub bytes_after: u64,
    /// Records read while copying.
    pub records_before: u64,
    /// Records kept.
    pub records_after: u64,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to do. How many bytes were read and written.
    More(u64),
    /// The log is clean below this offset.
    Done(i64),
}

enum Phase {
    Flush,
    Map { segment: i64, position: u64 },
    Copy { groups: VecDeque<Vec<i64>>, group: Option<Box<Group>> },
}

/// Segments that become one.
struct Group {
    bases: Vec<i64>,
    /// The one that is copied now.
    source: usize,
    position: u64,
    store: Store,
    copy: Segment,
    unsynced_bytes: u64,
}

pub(super) struct Cleaning {
    section: DirtySection,
    means: Means,
    started_ms: i64,
    started: Duration,
    structure: u64,
    map: OffsetMap,
    txns: CleanedTxns,
    phase: Phase,
    pub(super) stats: CleaningStats,
    io_bytes: u64,
}

impl Cleaning {
    pub(super) fn begin(log: &mut Log, section: DirtySection, means: Means, now: Now) -> Cleaning {
        log.cleaning = true;
        let keys = (section.upper_bound - section.first_dirty_offset).max(0) as u64;
        Cleaning {
            section,
            means,
            started_ms: now.wall_ms,
            started: now.mono,
            structure: log.structure,
            map: OffsetMap::new(means.map_bytes, means.map_load_factor, keys),
            txns: CleanedTxns::default(),
            phase: Phase::Flush,
            stats: CleaningStats::default(),
            io_bytes: 0,
        }
    }

    /// Whether the log was truncated, or lost segments, since the round began, or is another of the same name: the round must then be given up.
    pub(super) fn is_void(&self, log: &Log) -> bool {
        !log.cleaning || log.structure != self.structure || log.offline().is_some()
    }

    /// Does work worth about `budget_bytes`.
    ///
    /// # Errors
    /// [`LogError::Corrupt`]: the log holds bytes that make no sense, and was left as it was. Else the disk failed.
    pub(super) fn step(&mut self, log: &mut Log, now: Now, budget_bytes: u64) -> Result<Progress, LogError> {
        let mut used = 0;
        let progress = self.work(log, now, budget_bytes, &mut used);
        self.io_bytes += used;
        progress
    }

    fn work(&mut self, log: &mut Log, now: Now, budget: u64, used: &mut u64) -> Result<Progress, LogError> {
        while *used < budget {
            match &mut self.phase {
                Phase::Flush => {
                    if log.recovery_point < self.section.upper_bound {
                        log.flush_closed(now)?;
                    }
                    self.begin_map(log)?;
                }
                Phase::Map { .. } => *used += self.map_some(log)?,
                Phase::Copy { groups, group: None } => match groups.pop_front() {
                    Some(bases) => self.begin_group(log, bases)?,
                    None => return Ok(Progress::Done(self.map.latest_offset + 1)),
                },
                Phase::Copy { .. } => *used += self.copy_some(log)?,
            }
        }
        Ok(Progress::More(*used))
    }

    /// Bytes read and written since the last call.
    pub(super) fn take_io_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.io_bytes)
    }

    /// How full the map of keys was.
    pub(super) fn map_utilization(&self) -> f64 {
        self.map.utilization()
    }

    /// Where it began to look for keys.
    pub(super) fn first_dirty_offset(&self) -> i64 {
        self.section.first_dirty_offset
    }

    /// When it began, by the monotonic clock.
    pub(super) fn started(&self) -> Duration {
        self.started
    }

    /// Gives the round up. What was swapped in stays: it is as good as what it replaced.
    pub(super) fn abort(self, log: &mut Log) {
        log.cleaning = false;
        if let Phase::Copy { group: Some(group), .. } = self.phase {
            // What is not removed now is removed at the next start.
            let _ = group.copy.delete(&group.store);
        }
    }

    fn begin_map(&mut self, log: &mut Log) -> Result<(), LogError> {
        let from = self.section.first_dirty_offset;
        self.txns = CleanedTxns::default();
        self.txns.add_aborted(&log.aborted_transactions(from, self.section.upper_bound)?);
        let first = log.segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        match log.segments.get(first).filter(|segment| segment.base_offset < self.section.upper_bound) {
            Some(segment) => {
                let position = segment.indexed_position(&log.store, from)?;
                self.phase = Phase::Map { segment: segment.base_offset, position };
            }
            None => self.begin_copies(log),
        }
        Ok(())
    }

    /// Takes the keys of some batches into the map.
    fn map_some(&mut self, log: &mut Log) -> Result<u64, LogError> {
        let Phase::Map { segment: base, position } = self.phase else { return Ok(0) };
        let index = log.segment_index(base).ok_or(GONE)?;
        let segment = &mut log.segments[index];
        let bytes = segment.read_batches(&log.store, position, self.means.read_bytes)?;
        if bytes.is_empty() {
            segment.release();
            let next = log.segments.get(index + 1).map(|next| next.base_offset);
            let end = next.unwrap_or(i64::MAX).min(self.section.upper_bound);
            // Nothing may be left at the segment's end.
            self.map.latest_offset = end - 1;
            match next.filter(|next| *next < self.section.upper_bound) {
                Some(next) => self.phase = Phase::Map { segment: next, position: 0 },
                None => self.begin_copies(log),
            }
            return Ok(0);
        }
        let mut at = position;
        for batch in batches(&bytes) {
            let corrupt = |reason| log.segments[index].corrupt(&log.store, at, reason);
            let (header, batch) = batch.map_err(&corrupt)?;
            validate(batch).map_err(&corrupt)?;
            if !self.map_batch(&header, batch).map_err(corrupt_or(&corrupt))? {
                self.begin_copies(log);
                return Ok(bytes.len() as u64);
            }
            at += batch.len() as u64;
        }
        self.phase = Phase::Map { segment: base, position: at };
        Ok(bytes.len() as u64)
    }

    /// False if the map is full.
    fn map_batch(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, LogError> {
        let from = self.section.first_dirty_offset;
        if header.is_control() {
            self.on_control(header, batch)?;
        } else if !self.txns.on_data(header) {
            for record in unpack(batch, MAX_DECOMPRESSED_BYTES)?.records() {
                let record = record?;
                if let Some(key) = record.key
                    && record.offset >= from
                    && !self.map.put(key, record.offset)
                {
                    return Ok(false);
                }
            }
        }
        if header.last_offset() >= from {
            self.map.latest_offset = header.last_offset();
        }
        Ok(true)
    }

    fn on_control(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<Verdict, LogError> {
        let marker = end_txn_marker(header, batch)?;
        Ok(self.txns.on_control(header, marker.map(|marker| marker.abort), header.record_count == 0))
    }

    fn begin_copies(&mut self, log: &Log) {
        self.txns = CleanedTxns::default();
        let end = self.map.latest_offset + 1;
        let count = log.segments.partition_point(|segment| segment.base_offset < end.min(self.section.upper_bound));
        self.phase =
            Phase::Copy { groups: grouped(log, &log.segments[..count], self.section.upper_bound), group: None };
    }

    fn begin_group(&mut self, log: &mut Log, bases: Vec<i64>) -> Result<(), LogError> {
        let (Some(&first), Some(&last)) = (bases.first(), bases.last()) else { return Ok(()) };
        let store = Store { disk: Arc::clone(&log.store.disk), dir: log.store.dir.clone(), ending: CLEANED };
        let created_ms = log.segment_index(last).map_or(self.started_ms, |index| log.segments[index].created_ms);
        let copy = Segment::create(&store, first, 0, created_ms)?;
        self.enter_source(log, first)?;
        if let Phase::Copy { group, .. } = &mut self.phase {
            *group = Some(Box::new(Group { bases, source: 0, position: 0, store, copy, unsynced_bytes: 0 }));
        }
        Ok(())
    }

    /// A new segment tells which transactions that reach into it were aborted.
    fn enter_source(&mut self, log: &Log, base: i64) -> Result<(), LogError> {
        let index = log.segment_index(base).ok_or(GONE)?;
        let segment = &log.segments[index];
        let end = log.segments.get(index + 1).map_or(segment.next_offset, |next| next.base_offset);
        self.txns.add_aborted(&log.aborted_transactions(base, end)?);
        Ok(())
    }

    /// Copies some batches, or swaps the copy in if it is whole.
    fn copy_some(&mut self, log: &mut Log) -> Result<u64, LogError> {
        let Phase::Copy { group: slot, .. } = &mut self.phase else { return Ok(0) };
        let Some(mut group) = slot.take() else { return Ok(0) };
        if group.source == group.bases.len() {
            self.finish_group(log, *group)?;
            return Ok(0);
        }
        let copied = self.copy_from_source(log, &mut group);
        // Whatever is wrong with the original, the copy must not be left behind.
        if let Phase::Copy { group: slot, .. } = &mut self.phase {
            *slot = Some(group);
        }
        copied
    }

    fn copy_from_source(&mut self, log: &mut Log, group: &mut Group) -> Result<u64, LogError> {
        let index = log.segment_index(group.bases[group.source]).ok_or(GONE)?;
        let segment = &mut log.segments[index];
        let bytes = segment.read_batches(&log.store, group.position, self.means.read_bytes)?;
        if !bytes.is_empty() {
            return Ok(bytes.len() as u64 + self.copy_batches(log, group, index, &bytes)?);
        }
        segment.release();
        (group.source, group.position) = (group.source + 1, 0);
        if let Some(&base) = group.bases.get(group.source) {
            self.enter_source(log, base)?;
        }
        Ok(0)
    }

    fn copy_batches(&mut self, log: &Log, group: &mut Group, index: usize, bytes: &[u8]) -> Result<u64, LogError> {
        let segment = &log.segments[index];
        let is_last_source = group.source + 1 == group.bases.len();
        let (mut kept, mut headers, mut ended) = (Vec::with_capacity(bytes.len()), Vec::new(), Vec::new());
        let mut at = group.position;
        for batch in batches(bytes) {
            let position = at;
            let corrupt = |reason| segment.corrupt(&log.store, position, reason);
            let (header, batch) = batch.map_err(&corrupt)?;
            validate(batch).map_err(&corrupt)?;
            at += batch.len() as u64;
            let is_last = is_last_source && at >= segment.size_bytes;
            let before = kept.len();
            ended.extend(self.filter(log, &header, batch, is_last, &mut kept).map_err(corrupt_or(&corrupt))?);
            if kept.len() > before {
                headers.push(BatchHeader::parse(&kept[before..])?);
            }
        }
        group.position = at;
        self.stats.bytes_before += bytes.len() as u64;
        self.stats.bytes_after += kept.len() as u64;
        if !kept.is_empty() {
            group.copy.append(&group.store, &kept, &headers, log.config.index_interval_bytes)?;
            group.unsynced_bytes += kept.len() as u64;
        }
        for txn in ended {
            group.copy.push_aborted(&group.store, txn)?;
        }
        if group.unsynced_bytes >= SYNC_BYTES {
            group.copy.flush(&group.store)?;
            group.unsynced_bytes = 0;
        }
        Ok(kept.len() as u64)
    }

    /// Adds to `out` what is kept of a batch. Gives the aborted transaction that ends with it, if records of it are still there.
    fn filter(
        &mut self,
        log: &Log,
        header: &BatchHeader,
        batch: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<super::AbortedTxn>, LogError> {
        let verdict = match header.is_control() {
            true => self.on_control(header, batch)?,
            false => Verdict { may_go: self.txns.on_data(header), ended: None },
        };
        let horizon = header.delete_horizon_ms();
        let is_past_horizon = horizon.is_some_and(|horizon| horizon <= self.started_ms);
        let discard = verdict.may_go && (!header.is_control() || is_past_horizon);
        let retain_empty =
            is_last || header.next_offset() == self.section.upper_bound || is_last_of_producer(log, header);
        self.stats.records_before += header.record_count as u64;
        if discard {
            if retain_empty {
                out.extend_from_slice(&without_records(header));
            }
            return Ok(verdict.ended);
        }
        let unpacked = unpack(batch, MAX_DECOMPRESSED_BYTES)?;
        let mut records = Vec::with_capacity(header.record_count as usize);
        for record in unpacked.records() {
            let record = record?;
            if header.is_control() || self.keeps(&record, is_past_horizon) {
                records.push(record);
            }
        }
        self.stats.records_after += records.len() as u64;
        let has_tombstones = !header.is_control() && records.iter().any(|record| !record.has_value);
        let is_marker_of_nothing = header.is_control() && verdict.may_go;
        let sets_horizon = horizon.is_none() && (has_tombstones || is_marker_of_nothing);
        if records.is_empty() {
            if retain_empty {
                out.extend_from_slice(&without_records(header));
            }
        } else if records.len() == header.record_count as usize && !sets_horizon {
            out.extend_from_slice(batch);
        } else {
            let new_horizon = self.started_ms.saturating_add(log.config.delete_retention_ms.max(0));
            out.extend_from_slice(&with_records(header, &records, sets_horizon.then_some(new_horizon)));
        }
        Ok(verdict.ended)
    }

    fn keeps(&self, record: &RawRecord<'_>, is_past_horizon: bool) -> bool {
        if record.offset > self.map.latest_offset {
            return true;
        }
        // A record without a key has no place in a compacted log.
        let Some(key) = record.key else { return false };
        let is_last = self.map.get(key).is_none_or(|last| record.offset >= last);
        is_last && (record.has_value || !is_past_horizon)
    }

    fn finish_group(&mut self, log: &mut Log, mut group: Group) -> Result<(), LogError> {
        group.copy.complete(&group.store)?;
        group.copy.flush(&group.store)?;
        group.copy.flush_indexes(&group.store)?;
        lines::swapping(log, &group.bases, group.copy.size_bytes);
        log.swap_in(group.copy, &group.bases)?;
        self.structure = log.structure;
        Ok(())
    }
}

/// What the bytes of a batch say wrongly is the log's fault; what the disk says stays as it is.
fn corrupt_or(corrupt: &impl Fn(BatchError) -> LogError) -> impl Fn(LogError) -> LogError + '_ {
    move |error| match error {
        LogError::Batch(reason) => corrupt(reason),
        other => other,
    }
}

/// Whether the batch is the last thing known of a producer that may come back: its last sequence number, or at least its epoch.
fn is_last_of_producer(log: &Log, header: &BatchHeader) -> bool {
    if !header.has_producer_id() {
        return false;
    }
    log.producers.get(header.producer_id).is_some_and(|state| match state.last_batch() {
        Some(last) => header.last_offset() == last.last_offset,
        None => header.is_control() && header.producer_epoch == state.epoch,
    })
}

/// Neighbours that fit into one segment together, by bytes, index entries and offsets.
fn grouped(log: &Log, segments: &[Segment], upper_bound: i64) -> VecDeque<Vec<i64>> {
    let (max_bytes, max_index) = (log.config.segment_bytes, u64::from(log.config.segment_index_bytes));
    let mut groups: VecDeque<Vec<i64>> = VecDeque::new();
    let (mut bytes, mut index_bytes, mut time_bytes) = (0, 0, 0);
    for (at, segment) in segments.iter().enumerate() {
        let (index, time) = segment.index_size_bytes();
        let end = segments.get(at + 1).map_or(upper_bound, |next| next.base_offset);
        let joins = groups.back().is_some_and(|group| {
            let in_range = segment.size_bytes == 0 || end - 1 - group[0] <= i64::from(i32::MAX);
            bytes + segment.size_bytes <= max_bytes
                && index_bytes + index <= max_index
                && time_bytes + time <= max_index
                && in_range
        });
        match groups.back_mut().filter(|_| joins) {
            Some(group) => {
                group.push(segment.base_offset);
                (bytes, index_bytes, time_bytes) = (bytes + segment.size_bytes, index_bytes + index, time_bytes + time);
            }
            None => {
                groups.push_back(vec![segment.base_offset]);
                (bytes, index_bytes, time_bytes) = (segment.size_bytes, index, time);
            }
        }
    }
    groups
}
