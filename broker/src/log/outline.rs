//! What a log consists of (segments, batches, records, epochs, and how far it is compacted), read from its files from outside.
//!
//! As all that [`super::LogFiles`] does, it changes nothing, asks no node, and takes nothing for granted: the writer may be at work
//! meanwhile. What cannot be read any more, or not yet, is not there.

use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

use super::index::TimeEntry;
use super::log_cleaner::CLEANER_OFFSETS;
use super::segment::{OFFSET_INDEX, Segment, TIME_INDEX, TXN_INDEX, load_index};
use super::{LogError, LogFiles, checkpoint};
use crate::records::control::{ControlType, control_type};
use crate::records::{BatchHeader, TimestampType, records};
use crate::types::TopicPartition;

/// Epochs that are told: the newest.
const EPOCHS_MAX: usize = 1_000;
/// Batches at the end of a segment, behind its last index entry, that are walked over to learn how it ends.
const TAIL_BATCHES_MAX: usize = 2_000;
/// Batches before the window that are walked over in one segment: with an index there are few.
const SKIPPED_BATCHES_MAX: usize = 20_000;
/// Segments that the batches of one window are looked for in.
const SEGMENTS_WALKED_MAX: usize = 3_000;
/// What one batch may unpack to, that its records are told.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// What all of them may have on disk together.
const BATCHES_BYTES_MAX: usize = 32 << 20;
/// And what they may unpack to together.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// What is looked at of a log, and how much of it is told at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Batches that end at or after this offset are told.
    pub from: i64,
    /// And that begin before this one.
    pub to: i64,
    /// So many segments, those around the window.
    pub segments_max: usize,
    /// So many batches, the first of the window.
    pub batches_max: usize,
    /// Records are told if the batches of the window have no more offsets than this.
    pub records_max: i64,
}

/// What a log consists of.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct LogOutline {
    /// Segments, by offset, without gaps.
    pub segments: Vec<SegmentOutline>,
    /// Segments before these that are not told.
    pub segments_before: usize,
    /// Segments after these that are not told.
    pub segments_after: usize,
    /// Leader epochs and the offsets where they begin; at most the newest thousand.
    pub epochs: Vec<(i32, i64)>,
    /// The first offset that compaction has not cleaned yet; `None`: nothing was ever compacted.
    pub first_dirty_offset: Option<i64>,
    /// Batches of the window, by offset.
    pub batches: Vec<BatchOutline>,
    /// The batches are told up to this offset only: there were too many.
    pub batches_end: Option<i64>,
}

/// One segment.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct SegmentOutline {
    /// Its name: no record in it is before that offset.
    pub base_offset: i64,
    /// Offset after its last record, as far as that can be told.
    pub next_offset: i64,
    /// Bytes of its batches.
    pub size_bytes: u64,
    /// Bytes of its offset index, time index and transaction index, as far as they are written.
    pub index_bytes: [u64; 3],
    /// Of its first batch; `None`: it has none, or none with a time.
    pub first_timestamp_ms: Option<i64>,
    /// The largest of its records.
    pub max_timestamp_ms: Option<i64>,
    /// Whether the log grows here.
    pub is_active: bool,
}

/// One batch.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct BatchOutline {
    /// All its fields.
    pub header: BatchHeader,
    /// Segment that it stands in.
    pub segment: i64,
    /// Where in the segment's file.
    pub position: u64,
    /// Which marker it is, of a transaction.
    pub marker: Option<Marker>,
    /// Its records; `None`: not looked at, or not readable.
    pub records: Option<Arc<[RecordOutline]>>,
}

/// How a transaction ended.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Committed.
    Commit,
    /// Aborted.
    Abort,
}

/// One record.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct RecordOutline {
    /// Offset.
    pub offset: i64,
    /// Timestamp.
    pub timestamp_ms: i64,
    /// Size of its key, if it has one.
    pub key_bytes: Option<usize>,
    /// Size of its value; `None`: it is a tombstone.
    pub value_bytes: Option<usize>,
}

impl BatchOutline {
    /// How many of its offsets have no record any more: compaction took them.
    pub fn missing(&self) -> i64 {
        (i64::from(self.header.last_offset_delta) + 1 - i64::from(self.header.record_count)).max(0)
    }
}

impl LogFiles {
    /// Tells what the log of `name` consists of.
    ///
    /// # Errors
    /// The directory cannot be read; `NotFound` where the log is gone.
    pub fn outline(&mut self, name: &TopicPartition, window: &Window) -> Result<LogOutline, LogError> {
        self.list()?;
        let mut outline = LogOutline {
            epochs: self.epochs(),
            first_dirty_offset: self.first_dirty_offset(name),
            ..LogOutline::default()
        };
        let told = told(&self.bases, window);
        (outline.segments_before, outline.segments_after) = (told.start, self.bases.len() - told.end);
        // Retention and compaction may take segments away meanwhile.
        outline.segments = told.filter_map(|index| self.segment(index).ok()).collect();
        self.batches(window, &mut outline);
        let offsets: i64 = outline.batches.iter().map(|batch| i64::from(batch.header.last_offset_delta) + 1).sum();
        let are_few = outline.batches_end.is_none() && offsets <= window.records_max;
        self.records(&mut outline.batches, are_few);
        Ok(outline)
    }

    fn epochs(&self) -> Vec<(i32, i64)> {
        let mut all = self.leader_epochs();
        all.drain(..all.len().saturating_sub(EPOCHS_MAX));
        all
    }

    fn first_dirty_offset(&self, name: &TopicPartition) -> Option<i64> {
        let path = self.store.dir.parent()?.join(CLEANER_OFFSETS);
        checkpoint::read_offsets(&*self.store.disk, &path).ok()??.get(name).copied()
    }

    fn segment(&self, index: usize) -> Result<SegmentOutline, LogError> {
        let (store, base) = (&self.store, self.bases[index]);
        let segment = Segment::for_reading(store, base)?;
        let is_active = index + 1 == self.bases.len();
        let times = load_index::<12>(store, base, TIME_INDEX).ok().flatten();
        let mut max_ms =
            times.and_then(|times| times.last()).map_or(-1, |entry| TimeEntry::from_bytes(&entry).timestamp_ms);
        let (mut first, mut next_offset, mut walked) = (None, base, 0);
        segment.scan(store, 0, false, &mut |_, header, _| {
            first = Some(*header);
            Ok(false)
        })?;
        let from = segment.indexed_position(store, i64::MAX)?;
        segment.scan(store, from, false, &mut |_, header, _| {
            walked += 1;
            next_offset = header.next_offset();
            max_ms = max_ms.max(header.max_timestamp);
            Ok(walked < TAIL_BATCHES_MAX)
        })?;
        let len = |suffix| store.disk.open(&store.path(base, suffix), false).and_then(|file| file.len()).unwrap_or(0);
        let first_ms = first.map(|header| match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp,
            TimestampType::LogAppendTime => header.max_timestamp,
        });
        Ok(SegmentOutline {
            base_offset: base,
            next_offset,
            size_bytes: segment.size_bytes,
            index_bytes: [len(OFFSET_INDEX), len(TIME_INDEX), len(TXN_INDEX)],
            first_timestamp_ms: first_ms.filter(|ms| *ms >= 0),
            max_timestamp_ms: Some(max_ms).filter(|ms| *ms >= 0),
            is_active,
        })
    }

    /// Headers of the window's batches, as far as they may be told and can be read.
    fn batches(&self, window: &Window, outline: &mut LogOutline) {
        let first = self.bases.partition_point(|base| *base <= window.from).saturating_sub(1);
        let bases = self.bases.iter().skip(first).take_while(|base| **base < window.to);
        for (index, base) in bases.enumerate() {
            if index == SEGMENTS_WALKED_MAX {
                outline.batches_end = Some(*base);
                return;
            }
            let Ok(segment) = Segment::for_reading(&self.store, *base) else { continue };
            let Ok(from) = segment.indexed_position(&self.store, window.from) else { continue };
            let batches = &mut outline.batches;
            let (mut end, mut skipped) = (None, 0);
            // Where a batch is torn the writer is at work: the log ends there for now.
            let _ = segment.scan(&self.store, from, false, &mut |position, header, _| {
                if header.base_offset >= window.to {
                    return Ok(false);
                }
                if batches.len() >= window.batches_max {
                    end = Some(header.base_offset);
                    return Ok(false);
                }
                if header.last_offset() >= window.from {
                    let (segment, header) = (*base, *header);
                    batches.push(BatchOutline { header, segment, position, marker: None, records: None });
                } else {
                    skipped += 1;
                }
                Ok(skipped < SKIPPED_BATCHES_MAX)
            });
            if end.is_some() {
                outline.batches_end = end;
                return;
            }
        }
    }

    /// Reads what stands in the batches, if they are few; markers are small, and always read.
    fn records(&self, batches: &mut [BatchOutline], are_few: bool) {
        let (mut left, mut left_unpacked) = (BATCHES_BYTES_MAX, UNPACKED_BYTES_MAX);
        let mut open: Option<Segment> = None;
        for batch in batches.iter_mut().filter(|batch| are_few || batch.header.is_control()) {
            let size = batch.header.size_bytes();
            let Some(rest) = left.checked_sub(size) else { return };
            left = rest;
            if open.as_ref().is_none_or(|segment| segment.base_offset != batch.segment) {
                open = Segment::for_reading(&self.store, batch.segment).ok();
            }
            let bytes = open.as_ref().and_then(|segment| segment.read_at(&self.store, size, batch.position).ok());
            if let Some(bytes) = bytes {
                let unpacked_max = left_unpacked.min(BATCH_BYTES_MAX);
                (batch.records, batch.marker) = content(&batch.header, &bytes, unpacked_max);
                // What cannot be unpacked has cost as much as it might.
                let cost = batch.records.as_deref().map_or(unpacked_max, unpacked_bytes);
                left_unpacked = left_unpacked.saturating_sub(cost);
            }
        }
    }
}

/// Which segments are told: those around the window.
fn told(bases: &[i64], window: &Window) -> std::ops::Range<usize> {
    let first = bases.partition_point(|base| *base <= window.from).saturating_sub(1);
    let last = bases.partition_point(|base| *base < window.to).max(first);
    let spare = window.segments_max.saturating_sub(last - first);
    let start = first.saturating_sub(spare / 2).min(bases.len().saturating_sub(window.segments_max));
    start..(start + window.segments_max).min(bases.len())
}

fn unpacked_bytes(records: &[RecordOutline]) -> usize {
    records.iter().map(|record| record.key_bytes.unwrap_or(0) + record.value_bytes.unwrap_or(0)).sum()
}

fn content(header: &BatchHeader, bytes: &[u8], unpacked_max: usize) -> (Option<Arc<[RecordOutline]>>, Option<Marker>) {
    // Meanwhile another batch may stand there. And none has more records than offsets.
    let is_it = BatchHeader::parse(bytes).ok().as_ref() == Some(header);
    if !is_it || i64::from(header.record_count) > i64::from(header.last_offset_delta) + 1 {
        return (None, None);
    }
    let Ok(all) = records(bytes, unpacked_max) else { return (None, None) };
    let (mut told, mut marker) = (Vec::new(), None);
    for record in all {
        let Ok(record) = record else { return (None, None) };
        if header.is_control()
            && let Some(key) = &record.key
        {
            marker = match control_type(key) {
                Ok(Some(ControlType::Commit)) => Some(Marker::Commit),
                Ok(Some(ControlType::Abort)) => Some(Marker::Abort),
                _ => None,
            };
        }
        told.push(RecordOutline {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key_bytes: record.key.as_ref().map(bytes::Bytes::len),
            value_bytes: record.value.as_ref().map(bytes::Bytes::len),
        });
    }
    (Some(told.into()), marker)
}
