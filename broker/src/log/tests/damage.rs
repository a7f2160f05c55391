//! What a stop, a kill, a loss of power or rot can leave behind (durability.md, section 3).

use super::*;
use crate::log::disk::Disk;

pub(super) const FIRST: &str = "00000000000000000000";

/// Twenty batches of two records in several segments, epochs 0 to 3, one producer.
pub(super) fn filled(disk: &SimDisk) -> Log {
    let mut log = open(disk, small());
    for step in 0..20 {
        log.append_as_leader(now(step), producer_batch(7, 0, step as i32 * 2, 2, false), step as i32 / 5).unwrap();
    }
    assert!(log.segment_count() > 2);
    log
}

pub(super) fn check_whole(log: &Log) {
    check_up_to(log, 40);
}

pub(super) fn check_up_to(log: &Log, end: i64) {
    assert_eq!(log.log_end_offset(), end);
    assert_eq!(headers(log).len() as i64, end / 2);
    assert_eq!(
        log.producer_states().map(|state| i64::from(state.last_sequence())).collect::<Vec<_>>(),
        if end > 0 { vec![end - 1] } else { vec![] }
    );
    let expected: Vec<(i32, i64)> =
        (0..4).map(|epoch| (epoch, i64::from(epoch) * 10)).filter(|(_, start)| *start < end).collect();
    assert_eq!(log.leader_epochs().entries(), expected);
}

#[test]
fn a_clean_stop_needs_no_recovery() {
    let disk = SimDisk::new();
    let log = filled(&disk);
    assert_eq!(log.close(now(1)).unwrap(), 40);
    disk.power_loss();
    let writes = disk.writes();
    let log = open_with(&disk, small(), clean(0)).unwrap();
    check_whole(&log);
    assert_eq!(disk.writes(), writes, "nothing had to be mended");
    assert_eq!(log.offset_for_timestamp(1, 40).unwrap().unwrap().offset, 0);
}

#[test]
fn a_kill_loses_nothing() {
    for recovery_point in [0, 12, 40] {
        let disk = SimDisk::new();
        let log = filled(&disk);
        disk.kill();
        drop(log);
        let recovery = Recovery { clean_shutdown: false, recovery_point, log_start_offset: -1, ..Recovery::UNKNOWN };
        check_whole(&open_with(&disk, small(), recovery).unwrap());
    }
}

#[test]
fn a_loss_of_power_keeps_what_was_flushed() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    log.flush(now(1)).unwrap();
    let recovery = Recovery {
        clean_shutdown: false,
        recovery_point: log.recovery_point(),
        log_start_offset: -1,
        ..Recovery::UNKNOWN
    };
    append(&mut log, 1, 5, 7);
    disk.power_loss();
    check_whole(&open_with(&disk, small(), recovery).unwrap());
}

#[test]
fn nothing_flushed_nothing_left() {
    let disk = SimDisk::new();
    drop(filled(&disk));
    disk.power_loss();
    check_up_to(&open(&disk, small()), 0);
}

#[test]
fn a_torn_tail_is_cut() {
    for torn in 1..60 {
        let disk = SimDisk::new();
        let log = filled(&disk);
        let path = file(&format!("{:020}.log", log.active_segment_base_offset()));
        drop(log);
        let mut last = disk.open(&path, false).unwrap();
        let len = last.len().unwrap();
        last.truncate(len - torn).unwrap();
        check_up_to(&open(&disk, small()), 38);
        let log = open_with(&disk, small(), clean(0)).unwrap();
        check_up_to(&log, 38);
    }
}

#[test]
fn garbage_behind_the_end_is_cut() {
    for garbage in [vec![0; 500], vec![0xff; 100], b"not a batch".to_vec()] {
        for recovery in [Recovery::UNKNOWN, clean(0)] {
            let disk = SimDisk::new();
            let log = filled(&disk);
            let path = file(&format!("{:020}.log", log.active_segment_base_offset()));
            log.close(now(1)).unwrap();
            let mut last = disk.open(&path, false).unwrap();
            let len = last.len().unwrap();
            last.write_all_at(&garbage, len).unwrap();
            check_whole(&open_with(&disk, small(), recovery).unwrap());
            assert_eq!(last.len().unwrap(), len);
        }
    }
}

#[test]
fn rot_cuts_the_log_and_later_segments_go() {
    let disk = SimDisk::new();
    drop(filled(&disk));
    let size = producer_batch(7, 0, 0, 2, false).len() as u64;
    flip(&disk, &file(&format!("{FIRST}.log")), size * 3 + 70);
    check_up_to(&open(&disk, small()), 6);
    let logs: Vec<String> = disk.list(&dir()).unwrap().into_iter().filter(|name| !name.starts_with(FIRST)).collect();
    assert_eq!(logs, ["leader-epoch-checkpoint", "partition.metadata"]);
}

#[test]
fn indexes_are_rebuilt() {
    let names: Vec<String> = {
        let disk = SimDisk::new();
        filled(&disk).close(now(1)).unwrap();
        disk.list(&dir()).unwrap().into_iter().filter(|name| name.ends_with("index")).collect()
    };
    assert!(names.len() >= 6, "{names:?}");
    for name in &names {
        type Damage = fn(&SimDisk, &Path);
        let damages: [(&str, Damage); 4] = [
            ("removed", |disk, path| disk.remove_file(path).unwrap()),
            ("torn", |disk, path| {
                let mut file = disk.open(path, false).unwrap();
                let len = file.len().unwrap();
                file.truncate(len.saturating_sub(3)).unwrap();
            }),
            ("zeros", |disk, path| {
                // As Kafka leaves it after a crash: of full size.
                let mut file = disk.open(path, false).unwrap();
                file.truncate(4800).unwrap();
            }),
            ("nonsense", |disk, path| disk.write_atomically(path, &[0x7f; 24]).unwrap()),
        ];
        for (what, damage) in damages {
            let disk = SimDisk::new();
            filled(&disk).close(now(1)).unwrap();
            damage(&disk, &file(name));
            let log = open_with(&disk, small(), clean(0)).unwrap();
            check_whole(&log);
            for timestamp in 0..20 {
                let found = log.offset_for_timestamp(timestamp, 40).unwrap();
                assert_eq!(found.map(|found| found.offset), (timestamp <= 1).then_some(0), "{name} {what}");
            }
        }
    }
}

#[test]
fn orphans_are_removed() {
    let disk = SimDisk::new();
    filled(&disk).close(now(1)).unwrap();
    for name in [
        "00000000000000000999.index",
        "00000000000000000999.timeindex",
        "00000000000000000000.log.deleted",
        "00000000000000000000.index.cleaned",
        "leader-epoch-checkpoint.tmp",
        "00000000000000000999.snapshot",
    ] {
        disk.write_atomically(&file(name), b"left over").unwrap();
    }
    check_whole(&open_with(&disk, small(), clean(0)).unwrap());
    assert!(
        disk.list(&dir())
            .unwrap()
            .iter()
            .all(|name| !name.contains("999") && !name.ends_with("ed") && !name.ends_with("tmp"))
    );
}

#[test]
fn snapshots_are_mended() {
    let snapshots = |disk: &SimDisk| -> Vec<String> {
        disk.list(&dir()).unwrap().into_iter().filter(|name| name.ends_with("snapshot")).collect()
    };
    for damage in 0..4 {
        let disk = SimDisk::new();
        filled(&disk).close(now(1)).unwrap();
        let names = snapshots(&disk);
        assert!(names.len() > 2);
        for name in names.iter().rev().take(damage) {
            match damage {
                1 => disk.write_atomically(&file(name), b"").unwrap(),
                2 => flip(&disk, &file(name), 12),
                _ => disk.remove_file(&file(name)).unwrap(),
            }
        }
        check_whole(&open_with(&disk, small(), clean(0)).unwrap());
    }
}

#[test]
fn the_epochs_file_is_rebuilt() {
    for text in [None, Some(&b""[..]), Some(b"0\n1\n"), Some(b"0\n2\n3 0\n1 0\n"), Some(b"0\n1\n99 99\n")] {
        let disk = SimDisk::new();
        filled(&disk).close(now(1)).unwrap();
        let path = file("leader-epoch-checkpoint");
        disk.remove_file(&path).unwrap();
        if let Some(text) = text {
            disk.write_atomically(&path, text).unwrap();
        }
        let stale = text.is_some_and(|text| text.ends_with(b"99\n"));
        let recovery = if stale { Recovery::UNKNOWN } else { clean(0) };
        check_whole(&open_with(&disk, small(), recovery).unwrap());
    }
}

#[test]
fn old_records_laid_bare_by_a_lost_truncation_do_not_follow_new_ones() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig::default());
    for epoch in [1, 1, 1, 1] {
        append(&mut log, 1, 1, epoch);
    }
    let old = disk.read(&file(&format!("{FIRST}.log")), 1 << 20).unwrap();
    log.truncate_to(2).unwrap();
    append(&mut log, 1, 1, 2);
    let kept = log.size_bytes();
    disk.open(&file(&format!("{FIRST}.log")), false).unwrap().write_all_at(&old[kept as usize..], kept).unwrap();
    disk.kill();
    let log = open(&disk, LogConfig::default());
    assert_eq!((log.log_end_offset(), log.size_bytes()), (3, kept));
    assert_eq!(log.leader_epochs().entries(), [(1, 0), (2, 2)]);
}

#[test]
fn a_log_that_ends_before_it_starts_is_emptied() {
    let disk = SimDisk::new();
    drop(filled(&disk));
    let mut log = open_with(&disk, small(), Recovery { log_start_offset: 100, ..Recovery::UNKNOWN }).unwrap();
    assert_eq!(
        (log.log_start_offset(), log.log_end_offset(), log.size_bytes(), log.latest_epoch()),
        (100, 100, 0, None)
    );
    append(&mut log, 1, 1, 5);
    assert_eq!(log.read(100, 1000, i64::MAX, true).unwrap().next_offset, 101);
}

#[test]
fn the_log_start_is_remembered() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    log.set_log_start_offset(7).unwrap();
    log.close(now(1)).unwrap();
    let log = open_with(&disk, small(), clean(7)).unwrap();
    assert_eq!((log.log_start_offset(), log.leader_epochs().entries()[0]), (7, (0, 7)));
}

#[test]
fn a_directory_of_another_topic_is_refused() {
    let disk = SimDisk::new();
    filled(&disk).close(now(1)).unwrap();
    let name = TopicPartition::new("t", 0);
    let other = Log::open(Arc::new(disk.clone()), dir(), name.clone(), Some(Id([6; 16])), small(), clean(0), now(0));
    assert!(matches!(other, Err(LogError::InconsistentTopicId { .. })));
    let same = Log::open(Arc::new(disk), dir(), name, None, small(), clean(0), now(0)).unwrap();
    assert_eq!(same.topic_id(), Some(TOPIC_ID));
}

/// A kill leaves a truncation in the page cache only. Should the power go later, what was cut off must not be back under a segment that
/// happens to begin where it ended.
#[test]
fn what_was_cut_off_before_a_kill_does_not_come_back_under_a_later_segment() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    while log.segments.len() < 3 {
        append(&mut log, 1, 2, 1);
    }
    log.flush(now(1)).unwrap();
    let (cut, next) = (log.segments[1].base_offset + 2, log.segments[2].base_offset);
    log.truncate_to(cut).unwrap();
    append(&mut log, 1, 2, 2);
    drop(log);
    disk.kill();
    let mut log = open(&disk, small());
    while log.segments.len() < 3 {
        append(&mut log, 1, 2, 3);
    }
    assert_eq!(log.segments[2].base_offset, next, "as long as what was there before");
    append(&mut log, 1, 2, 4);
    // The later segment reaches the disk by itself, name and bytes.
    disk.sync_dir(&dir()).unwrap();
    disk.power_loss_keeping(|bytes| bytes);
    let log = open(&disk, small());
    let stale = |header: &BatchHeader| header.base_offset >= cut && header.partition_leader_epoch == 1;
    assert_eq!(headers(&log).into_iter().find(stale), None);
    assert!(log.log_end_offset() > next, "the later segment is there");
}

/// The same of a log that was cut down to nothing, and closed properly after the kill.
#[test]
fn what_was_cut_off_before_a_kill_does_not_come_back_after_a_clean_stop() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    append(&mut log, 1, 2, 1);
    log.flush(now(1)).unwrap();
    log.truncate_to(0).unwrap();
    drop(log);
    disk.kill();
    open(&disk, small()).close(now(2)).unwrap();
    disk.power_loss();
    assert_eq!(open_with(&disk, small(), clean(0)).unwrap().log_end_offset(), 0);
}
