//! What the files of a partition tell, for tests and pictures: segments, batches, transactions, and a stretch that was compacted away.

use std::sync::Arc;

use broker::log::{BatchOutline, LogOutline, Marker, RecordOutline, SegmentOutline};
use broker::records::BatchHeader;

use super::fixture::AT_MS;
use super::tape_picture::log_end;
use crate::monitor::inquiry::{Findings, TapeWish};
use crate::monitor::snapshot::Snapshot;

/// Offsets of a pattern of batches, which comes again and again.
const ROUND: i64 = 40;
/// Batches of a round: offsets, records, attributes, producer.
const BATCHES: [(i32, i32, i16, i64); 7] = [
    (12, 12, 0, 4_001),
    (6, 6, 0x10, 7),
    (7, 3, 0, -1),
    (5, 5, 0x10, 9),
    (1, 1, 0x30, 7),
    (1, 1, 0x30, 9),
    // Of the rest of a round nothing is left.
    (4, 4, 0x04, 4_001),
];
const TRANSACTIONAL: i16 = 0x10;
const SEGMENTS: i64 = 6;

/// Answers as the program would that has these files.
pub fn answer(wish: &TapeWish, snapshot: &Snapshot) -> Result<Arc<Findings>, String> {
    let topic = snapshot.topics.iter().find(|topic| topic.name == wish.topic);
    let partition = topic.and_then(|topic| topic.partitions.iter().find(|partition| partition.id == wish.partition));
    let Some(partition) = partition else { return Err("There is no such log.".to_owned()) };
    let (start, end) = (partition.log_start_offset, log_end(partition));
    let size = ((end - start) / SEGMENTS).max(1);
    let segments = (0..SEGMENTS).map(|index| {
        let base = start + index * size;
        let next = if index + 1 == SEGMENTS { end } else { base + size };
        SegmentOutline {
            base_offset: base,
            next_offset: next,
            size_bytes: (next - base) as u64 * 214,
            index_bytes: [(next - base) as u64 / 2, (next - base) as u64 * 3 / 4, 68],
            first_timestamp_ms: Some(at_ms(base, end)),
            max_timestamp_ms: Some(at_ms(next - 1, end)),
            is_active: index + 1 == SEGMENTS,
        }
    });
    let outline = LogOutline {
        segments: segments.collect(),
        epochs: vec![(partition.leader_epoch - 1, start), (partition.leader_epoch, end - 60)],
        batches: batches(wish, (start, end)),
        ..LogOutline::default()
    };
    Ok(Arc::new(Findings::Tape(Box::new(outline))))
}

fn at_ms(offset: i64, end: i64) -> i64 {
    AT_MS - (end - offset) * 40
}

fn batches(wish: &TapeWish, (start, end): (i64, i64)) -> Vec<BatchOutline> {
    let mut batches = Vec::new();
    let with_records = wish.to - wish.from <= 512;
    let mut base = wish.from.max(start) / ROUND * ROUND;
    while base < wish.to.min(end) && batches.len() < 3_000 {
        let mut at = base;
        for (offsets, records, attributes, producer_id) in BATCHES {
            let is_in = at + i64::from(offsets) <= end && at >= start;
            if is_in && at < wish.to && at + i64::from(offsets) > wish.from {
                batches.push(batch(at, (offsets, records), attributes, producer_id, end, with_records));
            }
            at += i64::from(offsets);
        }
        base += ROUND;
    }
    batches
}

fn batch(
    at: i64,
    (offsets, records): (i32, i32),
    attributes: i16,
    producer_id: i64,
    end: i64,
    with_records: bool,
) -> BatchOutline {
    let header = BatchHeader {
        base_offset: at,
        batch_length: 49 + records * 190,
        partition_leader_epoch: 3,
        crc: 0,
        attributes,
        last_offset_delta: offsets - 1,
        base_timestamp: at_ms(at, end),
        max_timestamp: at_ms(at + i64::from(offsets) - 1, end),
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        base_sequence: if producer_id < 0 || header_is_control(attributes) { -1 } else { (at % 100_000) as i32 },
        record_count: records,
    };
    let marker = header_is_control(attributes).then_some(if producer_id == 9 { Marker::Abort } else { Marker::Commit });
    let record = |index: i32| {
        let offset = at + i64::from(if records < offsets { index * 2 } else { index });
        let value_bytes = (index != 1 || attributes & TRANSACTIONAL != 0).then_some(180);
        RecordOutline { offset, timestamp_ms: at_ms(offset, end), key_bytes: Some(8), value_bytes }
    };
    BatchOutline {
        header,
        segment: 0,
        position: (at as u64).wrapping_mul(214),
        marker,
        records: with_records.then(|| (0..records).map(record).collect()),
    }
}

fn header_is_control(attributes: i16) -> bool {
    attributes & 0x20 != 0
}
