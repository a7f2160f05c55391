//! What a log consists of, told by its files alone.

use proptest::prelude::*;

use super::compaction::{compact, compacted, keyed, put, roll};
use super::files::outside;
use super::*;
use crate::log::disk::Disk;
use crate::log::{AppendOrigin, LogOutline, Marker, Window};
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};

const ALL: Window = Window { from: 0, to: i64::MAX, segments_max: 100, batches_max: 1_000, records_max: 1_000 };

fn outline(disk: &SimDisk, window: Window) -> LogOutline {
    outside(disk).outline(&TopicPartition::new("t", 0), &window).unwrap()
}

fn told(outline: &LogOutline) -> Vec<BatchHeader> {
    outline.batches.iter().map(|batch| batch.header).collect()
}

#[test]
fn segments_batches_and_epochs_are_those_of_the_log() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    for (index, epoch) in [0, 0, 0, 2, 2, 2, 2, 5, 5, 5, 5, 5].into_iter().enumerate() {
        append(&mut log, 1_000 + index as i64 * 10, 1 + index as i32 % 3, epoch);
    }
    log.flush(now(1)).unwrap();
    let found = outline(&disk, ALL);
    assert_eq!(told(&found), headers(&log));
    assert_eq!(found.epochs, [(0, 0), (2, 6), (5, 13)]);
    assert_eq!((found.first_dirty_offset, found.batches_end), (None, None));
    assert_eq!(found.segments.len(), log.segment_count());
    assert!(found.segments.len() > 2);
    for pair in found.segments.windows(2) {
        assert_eq!(pair[0].next_offset, pair[1].base_offset);
        assert!(pair[0].max_timestamp_ms < pair[1].first_timestamp_ms && !pair[0].is_active);
    }
    let last = found.segments.last().unwrap();
    assert_eq!((last.next_offset, last.is_active), (log.log_end_offset(), true));
    assert_eq!(last.max_timestamp_ms, Some(1_110));
    let bytes: u64 = found.segments.iter().map(|segment| segment.size_bytes).sum();
    assert_eq!(bytes, log.size_bytes());
    let offsets: Vec<i64> = found
        .batches
        .iter()
        .flat_map(|batch| batch.records.iter().flat_map(|all| all.iter()))
        .map(|one| one.offset)
        .collect();
    assert_eq!(offsets, (0..log.log_end_offset()).collect::<Vec<_>>());
    assert!(found.batches.iter().all(|batch| batch.missing() == 0));
}

#[test]
fn a_window_tells_what_overlaps_it_and_no_more_than_it_may() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    for index in 0..40 {
        append(&mut log, index, 3, 0);
    }
    let all = headers(&log);
    for (from, to) in [(0, 1), (7, 8), (50, 70), (119, 200), (300, 400), (60, 60)] {
        let expected: Vec<BatchHeader> =
            all.iter().filter(|header| header.last_offset() >= from && header.base_offset < to).copied().collect();
        let expected = if from >= to { Vec::new() } else { expected };
        let found = told(&outline(&disk, Window { from, to, ..ALL }));
        let found: Vec<BatchHeader> = if from >= to { Vec::new() } else { found };
        assert_eq!(found, expected, "{from} to {to}");
    }
    let cut = outline(&disk, Window { from: 10, batches_max: 5, ..ALL });
    assert_eq!((cut.batches.len(), cut.batches_end), (5, Some(24)), "of offsets 9 to 23");
    assert!(cut.batches.iter().all(|batch| batch.records.is_none()), "what is cut is too much for records");
    let few = outline(&disk, Window { from: 60, to: 61, segments_max: 3, ..ALL });
    assert_eq!(few.segments.len(), 3);
    assert!(few.segments.iter().any(|segment| segment.base_offset <= 60 && 60 < segment.next_offset));
    assert_eq!(few.segments_before + 3 + few.segments_after, log.segment_count());
    let none = outline(&disk, Window { from: 0, to: 30, records_max: 29, ..ALL });
    assert!(none.batches[0].records.is_none());
}

#[test]
fn compaction_leaves_holes_that_are_seen() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    for round in 0..6 {
        for key in ["a", "b", "c"] {
            put(&mut log, round, key, Some("v"));
        }
    }
    log.append_as_leader(now(9), keyed(9, Compression::None, &[("d", Some("1")), ("e", None), ("d", Some("2"))]), 0)
        .unwrap();
    roll(&mut log);
    let cleaned = compact(&mut log, 100);
    let end = log.log_end_offset();
    let path = dir().parent().unwrap().join("cleaner-offset-checkpoint");
    disk.write_atomically(&path, format!("0\n1\nt 0 {}\n", cleaned.unwrap()).as_bytes()).unwrap();
    let found = outline(&disk, ALL);
    assert_eq!(told(&found), headers(&log));
    assert_eq!(found.first_dirty_offset, cleaned);
    let kept: usize = found.batches.iter().filter_map(|batch| batch.records.as_ref()).map(|all| all.len()).sum();
    assert!((kept as i64) < end, "{kept} of {end}");
    let torn = found.batches.iter().find(|batch| batch.header.base_offset == 18).unwrap();
    let offsets: Vec<i64> = torn.records.as_ref().unwrap().iter().map(|one| one.offset).collect();
    assert_eq!((torn.missing(), offsets), (1, vec![19, 20]));
    assert_eq!(torn.records.as_ref().unwrap()[0].value_bytes, None, "a tombstone");
}

#[test]
fn transactions_end_with_a_marker() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    for (sequence, kind) in [(0, ControlType::Commit), (2, ControlType::Abort)] {
        log.append_as_leader(now(1), producer_batch(6, 0, sequence, 2, true), 0).unwrap();
        let mut end = BatchBuilder::new(0, Compression::None).producer(6, 0, -1).transactional(true).control(true);
        end.push(90, Some(&control_key(kind)), Some(&encode_end_txn_marker(0)), &[]);
        log.append(now(1), end.build_mut(), 0, AppendOrigin::Coordinator).unwrap();
    }
    let markers: Vec<Option<Marker>> = outline(&disk, ALL).batches.iter().map(|batch| batch.marker).collect();
    assert_eq!(markers, [None, Some(Marker::Commit), None, Some(Marker::Abort)]);
}

proptest! {
    /// Whatever stands in the files, it is told or left out; nothing is refused but a directory that is not there.
    #[test]
    fn files_of_anybody_are_read(
        damage in prop::collection::vec((0..6usize, 0..400u64, any::<u8>()), 0..60),
        window in (0..60i64, 0..60i64),
    ) {
        let disk = SimDisk::new();
        let mut log = open(&disk, small());
        for index in 0..12 {
            append(&mut log, index, 3, 0);
        }
        log.flush(now(1)).unwrap();
        let names = disk.list(&dir()).unwrap();
        for (name, at, byte) in damage {
            let path = dir().join(&names[name % names.len()]);
            disk.open(&path, false).unwrap().write_all_at(&[byte], at).unwrap();
        }
        let window = Window { from: window.0, to: window.1, ..ALL };
        let found = outline(&disk, window);
        prop_assert!(found.batches.len() <= ALL.batches_max);
        prop_assert!(found.batches.iter().all(|batch| batch.header.last_offset() >= window.from));
    }
}
