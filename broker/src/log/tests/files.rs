//! A log read from outside, while it is written: by its files alone it tells the same.

use std::collections::BTreeMap;

use super::*;
use crate::log::{AppendOrigin, LogFiles, LogReader, RealDisk};
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};

/// Somebody who reads the log of [`dir`] from outside, and keeps what it knows from one time to the next.
pub(super) fn outside(disk: &SimDisk) -> LogFiles {
    LogFiles::on(Arc::new(disk.clone()), &dir())
}

/// Both must tell the same of each offset.
pub(super) fn check_from_outside(files: &mut LogFiles, log: &Log) {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let mut all = BTreeMap::new();
    let mut from = start;
    while from < end {
        let read = log.read(from, 1 << 20, i64::MAX, true).unwrap();
        for found in batches(&read.records).map(Result::unwrap).filter(|(header, _)| !header.is_control()) {
            for record in records(found.1, 1 << 20).unwrap().map(Result::unwrap) {
                all.insert(record.offset, record.timestamp_ms);
            }
        }
        from = read.next_offset;
    }
    for offset in start..=end {
        for below in [end, (start + end) / 2] {
            let expected = all.range(offset..below.max(offset)).next().map(|(offset, ms)| (*offset, *ms));
            let found = files.record_from(offset, below).unwrap();
            assert_eq!(found.map(|found| (found.offset, found.timestamp_ms)), expected, "from {offset} below {below}");
        }
    }
}

#[test]
fn each_record_of_a_compressed_batch_has_its_own_time() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { segment_bytes: 2000, index_interval_bytes: 300, ..LogConfig::default() });
    let mut files = outside(&disk);
    for (index, compression) in Compression::ALL.into_iter().cycle().take(40).enumerate() {
        let mut builder = BatchBuilder::new(0, compression);
        for record in 0..7 {
            // Producers may stamp as they like: not even upwards.
            let timestamp_ms = 1_000_000 - (index as i64) * 10 + record * 3 % 5;
            builder.push(timestamp_ms, None, Some(format!("value {record}").as_bytes()), &[]);
        }
        log.append_as_leader(now(5), builder.build_mut(), 0).unwrap();
    }
    check_from_outside(&mut files, &log);
    assert!(log.segment_count() > 3, "{}", log.segment_count());
    let found = files.record_from(10, 280).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp_ms), (10, 1_000_000 - 10 + 9 % 5));
}

#[test]
fn the_time_of_an_append_counts_where_the_topic_says_so() {
    let disk = SimDisk::new();
    let config = LogConfig { message_timestamp_type: crate::records::TimestampType::LogAppendTime, ..small() };
    let mut log = open(&disk, config);
    for wall_ms in [700, 800] {
        log.append_as_leader(now(wall_ms), batch(5, 3), 0).unwrap();
    }
    let mut files = outside(&disk);
    for (offset, expected) in [(0, (0, 700)), (2, (2, 700)), (3, (3, 800)), (5, (5, 800))] {
        let found = files.record_from(offset, 6).unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp_ms), expected);
    }
    check_from_outside(&mut files, &log);
}

#[test]
fn markers_of_transactions_are_for_nobody() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    let marker = |log: &mut Log, sequence: i32, kind| {
        let records = BatchBuilder::new(0, Compression::None).producer(6, 0, sequence).transactional(true);
        let mut records = records;
        records.push(50 + i64::from(sequence), None, Some(b"v"), &[]);
        log.append_as_leader(now(1), records.build_mut(), 0).unwrap();
        let mut end = BatchBuilder::new(0, Compression::None).producer(6, 0, -1).transactional(true).control(true);
        end.push(90, Some(&control_key(kind)), Some(&encode_end_txn_marker(0)), &[]);
        log.append(now(1), end.build_mut(), 0, AppendOrigin::Coordinator).unwrap();
    };
    marker(&mut log, 0, ControlType::Commit);
    marker(&mut log, 1, ControlType::Abort);
    let mut files = outside(&disk);
    let mut at = |offset| files.record_from(offset, 4).unwrap().map(|found| (found.offset, found.timestamp_ms));
    assert_eq!((at(0), at(1), at(2), at(3)), (Some((0, 50)), Some((2, 51)), Some((2, 51)), None));
}

#[test]
fn what_is_gone_torn_or_not_a_log_is_told() {
    let missing = LogReader::default().log(Path::new("/nowhere/t-0")).record_from(0, 10);
    let error = missing.unwrap_err();
    assert!(matches!(&error, LogError::Io { kind: std::io::ErrorKind::NotFound, .. }), "{error}");

    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("t-0");
    let name = TopicPartition::new("t", 0);
    let disk = Arc::new(RealDisk::new());
    let mut log =
        Log::open(disk, path.clone(), name, Some(TOPIC_ID), LogConfig::default(), Recovery::UNKNOWN, now(0)).unwrap();
    for timestamp_ms in [10, 20, 30] {
        log.append_as_leader(now(0), batch(timestamp_ms, 2), 0).unwrap();
    }
    let mut files = LogReader::default().log(&path);
    let mut time_at = |offset| files.record_from(offset, 6).unwrap().map(|found| found.timestamp_ms);
    assert_eq!((time_at(1), time_at(4)), (Some(10), Some(30)));
    // As if the writer were in the midst of it, or had given the file room that it has not filled.
    let segment = path.join("00000000000000000000.log");
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &whole[..whole.len() - 3]).unwrap();
    assert_eq!((time_at(3), time_at(4)), (Some(20), None));
    std::fs::write(&segment, [whole.as_slice(), &[0; 5000]].concat()).unwrap();
    assert_eq!((time_at(4), time_at(6)), (Some(30), None));
    std::fs::write(&segment, [7; 5000]).unwrap();
    assert_eq!(time_at(0), None);
}
