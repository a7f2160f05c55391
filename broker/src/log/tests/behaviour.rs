//! What a log does while nothing goes wrong, and what it refuses.

use std::io::ErrorKind;

use super::*;
use crate::log::disk::Disk;
use crate::records::{TimestampType, set_base_offset, set_leader_epoch};

/// On a real disk, where time goes by.
#[test]
fn each_flush_is_timed() {
    let root = tempfile::tempdir().unwrap();
    let name = TopicPartition::new("t", 0);
    let disk = Arc::new(crate::log::RealDisk::new());
    let dir = root.path().join("t-0");
    let mut log = Log::open(disk, dir, name, Some(TOPIC_ID), LogConfig::default(), Recovery::UNKNOWN, now(0)).unwrap();
    log.take_flushes();
    for at in 1..=3 {
        log.append_as_leader(now(at), batch(at, 2), 0).unwrap();
        log.flush(now(at)).unwrap();
    }
    let flushes = log.take_flushes();
    assert_eq!(flushes.len(), 3);
    assert!(flushes.iter().all(|took| !took.is_zero()), "{flushes:?}");
    assert!(log.take_flushes().is_empty());
    log.append_as_leader(now(9), batch(9, 2), 0).unwrap();
    assert!(log.take_flushes().is_empty(), "appended, not flushed");
}

#[test]
fn offsets_and_epochs_are_assigned_in_place() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig::default());
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.latest_epoch()), (0, 0, None));
    let info = append(&mut log, 5, 3, 2);
    assert_eq!((info.first_offset, info.last_offset, info.records, info.log_append_time_ms), (0, 2, 3, -1));
    assert_eq!((info.max_timestamp_ms, info.bytes as u64, info.duplicate), (5, log.size_bytes(), false));
    let mut two = batch(7, 1);
    two.extend_from_slice(&batch(9, 2));
    let info = log.append_as_leader(now(9), two, 4).unwrap();
    assert_eq!((info.first_offset, info.last_offset, info.records, info.max_timestamp_ms), (3, 5, 3, 9));
    let found: Vec<_> =
        headers(&log).iter().map(|header| (header.base_offset, header.partition_leader_epoch)).collect();
    assert_eq!(found, [(0, 2), (3, 4), (4, 4)]);
    assert_eq!(
        [log.end_offset_for_epoch(2), log.end_offset_for_epoch(4), log.end_offset_for_epoch(5)],
        [(2, 3), (4, 6), (-1, -1)]
    );
    assert_eq!([log.epoch_at(2), log.epoch_at(3)], [Some(2), Some(4)]);
}

#[test]
fn reads_give_whole_batches() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    for _ in 0..60 {
        append(&mut log, 1, 3, 0);
    }
    assert!(log.segment_count() > 5);
    let size = batch(1, 3).len();
    for from in 0..180 {
        let read = log.read(from, size * 2 + size / 2, i64::MAX, false).unwrap();
        assert_eq!(read.base_offset, Some(from / 3 * 3));
        assert!(read.records.len() == size * 2 || read.records.len() == size);
        assert_eq!(offsets_of(&read.records)[0], from / 3 * 3);
        let read = log.read(from, 1, i64::MAX, true).unwrap();
        assert_eq!((read.records.len(), read.next_offset), (size, from / 3 * 3 + 3));
        let read = log.read(from, 1, i64::MAX, false).unwrap();
        assert!(read.records.is_empty() && read.first_batch_too_large);
    }
    assert_eq!(log.read(3, 1 << 20, 9, true).unwrap().next_offset, 9);
    assert_eq!(log.read(3, 1 << 20, 5, true).unwrap().records.len(), 0, "the batch reaches past what may be seen");
    assert_eq!(log.read(180, 100, i64::MAX, true).unwrap().records.len(), 0);
    for from in [-1, 181] {
        assert!(matches!(log.read(from, 100, i64::MAX, true), Err(LogError::OffsetOutOfRange { .. })));
    }
}

#[test]
fn followers_keep_what_the_leader_wrote() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let [mut leader, mut follower] = [&disks[0], &disks[1]].map(|disk| open(disk, small()));
    for epoch in [0, 0, 3, 3, 4] {
        append(&mut leader, 1, 4, epoch);
    }
    while follower.log_end_offset() < leader.log_end_offset() {
        let read = leader.read(follower.log_end_offset(), 150, i64::MAX, true).unwrap();
        follower.append_as_follower(now(1), &read.records).unwrap();
    }
    assert_eq!(headers(&leader), headers(&follower));
    assert_eq!(leader.leader_epochs(), follower.leader_epochs());
    let at = |offset: i64| {
        let mut single = batch(1, 1);
        set_base_offset(&mut single, offset);
        set_leader_epoch(&mut single, 4);
        single
    };
    let error = follower.append_as_follower(now(1), &at(19)).unwrap_err();
    assert_eq!(error, LogError::UnexpectedAppendOffset { first_offset: 19, last_offset: 19, log_end_offset: 20 });
    follower.append_as_follower(now(1), &at(25)).unwrap();
    assert_eq!(follower.log_end_offset(), 26, "compaction on the leader leaves gaps");
    assert!(follower.offline().is_none());
}

#[test]
fn unsound_batches_are_refused_and_do_no_harm() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { max_message_bytes: 500, ..small() });
    let mut torn = batch(1, 2);
    torn.truncate(torn.len() - 1);
    let mut damaged = batch(1, 2);
    damaged[70] ^= 1;
    let mut control = BatchBuilder::new(0, Compression::None).control(true);
    control.push(1, Some(b"0000"), None, &[]);
    let mut nameless = BatchBuilder::new(0, Compression::None).producer(4, 0, -1);
    nameless.push(1, None, None, &[]);
    for (what, bytes) in [
        ("nothing", BytesMut::new()),
        ("torn", torn),
        ("damaged", damaged),
        ("empty", batch(1, 0)),
        ("too large", batch(1, 60)),
        ("control", control.build_mut()),
        ("no sequence", nameless.build_mut()),
        ("from the future", batch(3_600_002, 1)),
    ] {
        assert!(log.append_as_leader(now(1), bytes, 0).is_err(), "{what}");
    }
    assert_eq!((log.log_end_offset(), log.size_bytes(), log.offline()), (0, 0, None));
    append(&mut log, 1, 1, 0);
}

#[test]
fn the_log_can_stamp() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { message_timestamp_type: TimestampType::LogAppendTime, ..small() });
    let info = log.append_as_leader(now(1234), batch(9_999_999_999, 2), 0).unwrap();
    assert_eq!((info.log_append_time_ms, info.max_timestamp_ms), (1234, 1234));
    let read = log.read(0, 1000, 2, true).unwrap().records;
    crate::records::validate(&read).unwrap();
    assert!(records(&read, 1000).unwrap().all(|record| record.unwrap().timestamp_ms == 1234));
}

#[test]
fn old_timestamps_can_be_refused_record_by_record() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { message_timestamp_before_max_ms: 100, ..small() });
    let mut mixed = BatchBuilder::new(0, Compression::Lz4);
    mixed.push(1000, None, None, &[]);
    mixed.push(850, None, None, &[]);
    let error = log.append_as_leader(now(1000), mixed.build_mut(), 0).unwrap_err();
    let LogError::RejectedRecords(rejected) = error else { panic!("{error}") };
    assert!(rejected.has_invalid_timestamp);
    let why = "Timestamp 850 of message with offset 1 is out of range. The timestamp should be within [900, 3601000]";
    assert_eq!(*rejected.errors, [(1, why.to_owned())]);
    log.append_as_leader(now(1000), batch(900, 1), 0).unwrap();
}

#[test]
fn segments_roll_by_size_time_index_and_offset() {
    let roll = |config: LogConfig, steps: &[i64]| {
        let disk = SimDisk::new();
        let mut log = open(&disk, config);
        for &at in steps {
            append(&mut log, at, 1, 0);
        }
        log.segment_count()
    };
    let size = batch(1, 1).len() as u64;
    let config = LogConfig::default;
    assert_eq!(roll(LogConfig { segment_bytes: size * 3, ..config() }, &[1; 7]), 3);
    assert_eq!(roll(LogConfig { segment_ms: 100, ..config() }, &[0, 100, 101, 150, 201, 202]), 3);
    assert_eq!(
        roll(
            LogConfig { index_interval_bytes: 0, segment_index_bytes: 48, ..config() },
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        ),
        3
    );
    let disk = SimDisk::new();
    let mut log = open(&disk, config());
    append(&mut log, 1, 1, 0);
    let mut far = BatchBuilder::new(0, Compression::None);
    far.push(1, None, None, &[]);
    let mut far = far.build_mut();
    set_base_offset(&mut far, 1 << 33);
    log.set_config(LogConfig { cleanup_compact: true, ..config() });
    log.append_as_follower(now(1), &far).unwrap();
    assert_eq!((log.segment_count(), log.log_end_offset()), (2, (1 << 33) + 1));
    assert_eq!(log.read(1, 1000, i64::MAX, true).unwrap().base_offset, Some(1 << 33));
}

#[test]
fn each_segment_rolls_earlier_by_what_is_drawn_for_it() {
    let ages = || {
        let disk = SimDisk::new();
        let mut log = open(&disk, LogConfig { segment_ms: 100, segment_jitter_ms: 60, ..LogConfig::default() });
        let mut rolled_at = vec![0];
        for at in 0..2000 {
            append(&mut log, at, 1, 0);
            if log.segment_count() > rolled_at.len() {
                rolled_at.push(at);
            }
        }
        rolled_at.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let drawn = ages();
    assert!(drawn.iter().all(|age| (42..=101).contains(age)), "{drawn:?}");
    assert!(drawn.iter().collect::<std::collections::BTreeSet<_>>().len() > 5, "{drawn:?}");
    assert_eq!(drawn, ages(), "by nothing but the time");
}

#[test]
fn a_retry_is_answered_with_the_first_offsets() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    let first = log.append_as_leader(now(1), producer_batch(7, 0, 0, 3, false), 0).unwrap();
    append(&mut log, 1, 5, 0);
    let size = log.size_bytes();
    let again = log.append_as_leader(now(1), producer_batch(7, 0, 0, 3, false), 0).unwrap();
    assert_eq!((again.first_offset, again.last_offset, again.duplicate), (first.first_offset, first.last_offset, true));
    assert_eq!(log.size_bytes(), size);
    let gap = log.append_as_leader(now(1), producer_batch(7, 0, 5, 1, false), 0).unwrap_err();
    assert_eq!(gap, LogError::OutOfOrderSequence { producer_id: 7, sequence: 5, last_sequence: 2 });
    log.append_as_leader(now(1), producer_batch(7, 1, 0, 1, false), 0).unwrap();
    let fenced = log.append_as_leader(now(1), producer_batch(7, 0, 3, 1, false), 0).unwrap_err();
    assert_eq!(fenced, LogError::InvalidProducerEpoch { producer_id: 7, epoch: 0, current_epoch: 1 });
    assert_eq!(log.producer_states().count(), 1);
}

#[test]
fn truncation_forgets_what_was_cut() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    for sequence in 0..40 {
        log.append_as_leader(now(sequence), producer_batch(7, 0, sequence as i32 * 2, 2, false), sequence as i32 / 10)
            .unwrap();
    }
    for (target, end) in [(80, 80), (71, 70), (20, 20), (19, 18), (0, 0)] {
        assert_eq!(log.truncate_to(target).unwrap(), end);
        assert_eq!(log.log_end_offset(), end);
        assert_eq!(headers(&log).len() as i64, end / 2);
        let state = log.producer_states().next();
        assert_eq!(state.map(|state| i64::from(state.last_sequence())), (end > 0).then_some(end - 1));
        assert_eq!(log.latest_epoch(), (end > 0).then_some((end - 1) as i32 / 20));
    }
    append(&mut log, 1, 1, 9);
    assert_eq!(log.leader_epochs().entries(), [(9, 0)]);
    log.truncate_fully_and_start_at(500).unwrap();
    assert_eq!(
        (log.log_start_offset(), log.log_end_offset(), log.size_bytes(), log.latest_epoch()),
        (500, 500, 0, None)
    );
    append(&mut log, 1, 2, 9);
    assert_eq!(log.read(500, 1000, i64::MAX, true).unwrap().next_offset, 502);
}

#[test]
fn an_epoch_without_records_is_forgotten_by_a_truncation() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    append(&mut log, 1, 1, 0);
    log.assign_epoch_start(5, 1).unwrap();
    assert_eq!((log.latest_epoch(), log.end_offset_for_epoch(0)), (Some(5), (0, 1)));
    log.truncate_to(1).unwrap();
    assert_eq!(log.latest_epoch(), Some(0));
}

#[test]
fn retention_by_time_size_and_start() {
    let fill = |config: LogConfig| {
        let disk = SimDisk::new();
        let mut log = open(&disk, config);
        for at in 0..20 {
            append(&mut log, at * 100, 1, at as i32 / 5);
        }
        log
    };
    let size = batch(1, 1).len() as u64;
    let config = LogConfig { segment_bytes: size * 4, retention_ms: -1, ..LogConfig::default() };
    let mut log = fill(LogConfig { retention_ms: 1000, ..config.clone() });
    assert_eq!(log.segment_count(), 5);
    assert_eq!(log.apply_retention(now(1800), 6).unwrap(), 1, "only what is below the high watermark");
    assert_eq!((log.log_start_offset(), log.leader_epochs().entries()[0]), (4, (0, 4)));
    assert_eq!(log.apply_retention(now(1800), 20).unwrap(), 1);
    assert_eq!(log.apply_retention(now(9999), 20).unwrap(), 3, "the active segment too");
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.size_bytes(), log.segment_count()), (20, 20, 0, 1));
    assert_eq!(log.apply_retention(now(99_999), 20).unwrap(), 0);
    append(&mut log, 10_000, 1, 9);

    let mut log = fill(LogConfig { retention_bytes: (size * 9) as i64, ..config.clone() });
    assert_eq!(log.apply_retention(now(0), 20).unwrap(), 2);
    assert_eq!(log.size_bytes(), size * 12);

    let mut log = fill(config);
    log.set_log_start_offset(9).unwrap();
    assert!(log.set_log_start_offset(21).is_err());
    assert!(matches!(log.read(8, 100, 20, true), Err(LogError::OffsetOutOfRange { .. })));
    assert_eq!(log.apply_retention(now(0), 20).unwrap(), 2);
    assert_eq!((log.log_start_offset(), log.segment_count()), (9, 3));
    assert_eq!(log.leader_epochs().entries(), [(1, 9), (2, 10), (3, 15)]);
}

#[test]
fn timestamps_are_found() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    assert_eq!((log.offset_for_timestamp(0, 0), log.max_timestamp_offset()), (Ok(None), Ok(None)));
    for step in 0..50 {
        let mut builder = BatchBuilder::new(0, Compression::ALL[step as usize % 5]);
        builder.push(step * 10, None, Some(&[7; 30]), &[]);
        builder.push(step * 10 + 5, None, Some(&[8; 30]), &[]);
        log.append_as_leader(now(step * 10), builder.build_mut(), step as i32 / 20).unwrap();
    }
    append(&mut log, 3, 1, 2);
    for timestamp in 0..=495 {
        let found = log.offset_for_timestamp(timestamp, 101).unwrap().unwrap();
        let expected = (timestamp + 4) / 5;
        assert_eq!(
            (found.offset, found.timestamp_ms, found.leader_epoch),
            (expected, expected * 5, (expected / 40) as i32),
            "{timestamp}"
        );
    }
    assert_eq!(log.offset_for_timestamp(496, 101).unwrap(), None);
    assert_eq!(log.offset_for_timestamp(400, 80).unwrap(), None, "nothing at or above the limit");
    let newest = log.max_timestamp_offset().unwrap().unwrap();
    assert_eq!((newest.offset, newest.timestamp_ms), (99, 495));
    log.set_log_start_offset(41).unwrap();
    assert_eq!(log.offset_for_timestamp(0, 101).unwrap().unwrap().offset, 41);
}

#[test]
fn flushes_when_asked() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { flush_messages: 3, flush_ms: 50, ..small() });
    append(&mut log, 0, 2, 0);
    assert_eq!(log.recovery_point(), 0);
    append(&mut log, 0, 1, 0);
    assert_eq!(log.recovery_point(), 3);
    append(&mut log, 0, 1, 0);
    log.flush_if_due(now(49)).unwrap();
    assert_eq!(log.recovery_point(), 3);
    log.flush_if_due(now(50)).unwrap();
    assert_eq!(log.recovery_point(), 4);
    disk.power_loss();
    let log = open_with(
        &disk,
        small(),
        Recovery { clean_shutdown: false, recovery_point: 3, log_start_offset: -1, ..Recovery::UNKNOWN },
    )
    .unwrap();
    assert_eq!(log.log_end_offset(), 4);
}

#[test]
fn closed_segments_are_flushed_one_by_one() {
    let disk = SimDisk::new();
    let mut log = damage::filled(&disk);
    let bases: Vec<i64> = log.segments.iter().map(|segment| segment.base_offset).collect();
    for base in &bases[1..] {
        log.flush_closed_segment(now(1)).unwrap();
        assert_eq!(log.recovery_point(), *base);
    }
    assert_eq!(log.closed_unflushed_records(), 0);
    let syncs = disk.syncs();
    log.flush_closed_segment(now(1)).unwrap();
    assert_eq!(disk.syncs(), syncs, "the active segment is left alone");
    let recovery_point = log.recovery_point();
    disk.power_loss();
    drop(log);
    let recovery = Recovery { clean_shutdown: false, recovery_point, log_start_offset: -1, ..Recovery::UNKNOWN };
    damage::check_up_to(&open_with(&disk, small(), recovery).unwrap(), recovery_point);
}

#[test]
fn a_preallocated_segment_gives_back_what_it_does_not_need() {
    let disk = SimDisk::new();
    let config = LogConfig { preallocate: true, ..small() };
    let file_bytes = |name: &str| disk.open(&file(name), false).unwrap().len().unwrap();
    let mut log = open(&disk, config.clone());
    append(&mut log, 1, 2, 0);
    let first = "00000000000000000000.log";
    assert_eq!(file_bytes(first), config.segment_bytes);
    assert!(log.size_bytes() < config.segment_bytes, "what is allocated is not counted");
    log.change(|log| log.roll(now(1))).unwrap();
    assert_eq!(file_bytes(first), log.size_bytes());
    append(&mut log, 1, 3, 0);
    let (second, size_bytes) = ("00000000000000000002.log", log.size_bytes());
    assert_eq!(file_bytes(second), config.segment_bytes);
    disk.kill();
    let log = open(&disk, config.clone());
    assert_eq!((log.log_end_offset(), log.size_bytes()), (5, size_bytes), "a recovery takes no zeros for records");
    assert_eq!(file_bytes(second), size_bytes - file_bytes(first));
    let mut log = log;
    log.change(|log| log.roll(now(1))).unwrap();
    append(&mut log, 1, 1, 0);
    let size_bytes = log.size_bytes() - size_bytes;
    log.close(now(1)).unwrap();
    assert_eq!(file_bytes("00000000000000000005.log"), size_bytes);
}

#[test]
fn a_failing_disk_takes_the_log_offline() {
    type Change = fn(&mut Log) -> Result<(), LogError>;
    let changes: [(&str, Change); 5] = [
        ("append", |log| log.append_as_leader(now(1), batch(1, 1), 0).map(drop)),
        ("truncate", |log| log.truncate_to(1).map(drop)),
        ("restart", |log| log.truncate_fully_and_start_at(9)),
        ("flush", |log| log.flush(now(1))),
        ("epoch", |log| log.assign_epoch_start(9, 1)),
    ];
    for (what, change) in changes {
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            let disk = SimDisk::new();
            let mut log = open(&disk, small());
            append(&mut log, 1, 2, 0);
            disk.fail_writes(Some(kind));
            assert!(matches!(change(&mut log), Err(LogError::Io { kind: found, .. }) if found == kind), "{what}");
            disk.fail_writes(None);
            assert!(log.offline().is_some(), "{what}");
            for (_, change) in changes {
                assert!(matches!(change(&mut log), Err(LogError::Offline(_))), "{what}");
            }
            assert_eq!(
                log.log_end_offset(),
                if what == "restart" || what == "truncate" { log.log_end_offset() } else { 2 }
            );
            disk.kill();
            let mut log = open(&disk, small());
            assert!(log.log_end_offset() == 2 || what == "restart" || what == "truncate", "{what}");
            append(&mut log, 1, 1, 10);
        }
    }
}

#[test]
fn many_logs_are_small() {
    assert!(size_of::<Log>() + size_of::<super::super::segment::Segment>() < 2048);
    let disk = SimDisk::new();
    drop(open(&disk, small()));
    assert_eq!(disk.list(&dir()).unwrap(), ["00000000000000000000.log", "partition.metadata"]);
    assert_eq!(disk.syncs(), 0, "beginning a log waits for no disk");
}
