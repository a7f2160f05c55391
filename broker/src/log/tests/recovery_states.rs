//! The fourteen states that a restart must recover from, each made and opened. The other files of this folder go through their variants.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::compaction::{compacted, contents, put, roll};
use super::damage::{FIRST, check_up_to, check_whole, filled};
use super::*;
use crate::log::disk::Disk;
use crate::log::{LogDir, RealDisk};

const ROOT: &str = "/data";

fn open_dir(disk: &SimDisk) -> Result<LogDir, LogError> {
    LogDir::open(Arc::new(disk.clone()), ROOT.into(), 1, "cluster", now(1))
}

fn name() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A directory with one log of twenty batches in several segments, each with its own epoch.
fn filled_dir(disk: &SimDisk) -> LogDir {
    let mut dir = open_dir(disk).unwrap();
    let log = dir.create_log(name(), TOPIC_ID, small(), now(1)).unwrap();
    for step in 0..20 {
        append(log, step, 2, step as i32 / 5);
    }
    dir
}

fn end_in(dir: &LogDir) -> i64 {
    dir.log(&name()).unwrap().log_end_offset()
}

fn unclean(recovery_point: i64) -> Recovery {
    Recovery { clean_shutdown: false, recovery_point, log_start_offset: -1, ..Recovery::UNKNOWN }
}

fn files(disk: &SimDisk, ending: &str) -> Vec<String> {
    disk.list(&dir()).unwrap().into_iter().filter(|name| name.ends_with(ending)).collect()
}

#[test]
fn state_01_the_clean_marker_is_gone_before_recovery_begins() {
    let disk = SimDisk::new();
    filled_dir(&disk).shutdown_clean(now(2), 7).unwrap();
    let marker = Path::new("/data/.kafka_cleanshutdown");
    assert!(disk.exists(marker));
    // At every operation of the start, the disk stops; what is then left is unclean, or it is the marker of before.
    for changes in 0..6 {
        disk.fail_writes_after(changes, ErrorKind::Other);
        let opened = open_dir(&disk).map(|dir| dir.clean_broker_epoch());
        disk.fail_writes(None);
        disk.kill();
        if !disk.exists(marker) {
            let again = open_dir(&disk).unwrap();
            assert_eq!((again.clean_broker_epoch(), end_in(&again)), (None, 40), "a crash while loading stays unclean");
            return;
        }
        assert!(opened.is_err(), "nothing was recovered with the marker in place");
    }
    panic!("the marker stays");
}

#[test]
fn state_02_a_torn_tail_is_cut_at_the_first_bad_batch_after_the_recovery_point() {
    let disk = SimDisk::new();
    let log = filled(&disk);
    let bases: Vec<i64> = log.segments.iter().map(|segment| segment.base_offset).collect();
    let middle = bases[1];
    drop(log);
    flip(&disk, &file(&format!("{middle:020}.log")), 65);
    // Below the recovery point nobody looks; above it, the log ends at the damage and later segments go.
    check_end(&open_with(&disk, small(), unclean(bases[2])).unwrap(), 40);
    let log = open_with(&disk, small(), unclean(middle)).unwrap();
    check_end(&log, middle);
    assert_eq!(files(&disk, ".log").last().unwrap(), &format!("{middle:020}.log"));
    assert_eq!(disk.read(&file(&format!("{middle:020}.log")), 1 << 20).unwrap().len(), 0);
}

fn check_end(log: &Log, end: i64) {
    assert_eq!(log.log_end_offset(), end);
}

#[test]
fn state_03_an_index_that_is_missing_corrupt_or_orphaned_is_rebuilt() {
    for recovery in [clean(0), unclean(40)] {
        let disk = SimDisk::new();
        filled(&disk).close(now(1)).unwrap();
        let sound = disk.read(&file(&format!("{FIRST}.index")), 1 << 20).unwrap();
        assert!(!sound.is_empty());
        disk.remove_file(&file(&format!("{FIRST}.index"))).unwrap();
        disk.write_atomically(&file(&format!("{FIRST}.timeindex")), &[0x7f; 24]).unwrap();
        disk.write_atomically(&file("00000000000000000999.index"), b"of no log").unwrap();
        let log = open_with(&disk, small(), recovery).unwrap();
        check_whole(&log);
        assert!(!disk.exists(&file("00000000000000000999.index")));
        log.close(now(1)).unwrap();
        assert_eq!(disk.read(&file(&format!("{FIRST}.index")), 1 << 20).unwrap(), sound);
    }
}

#[test]
fn state_04_an_unreadable_checkpoint_means_from_the_first_segment() {
    for content in [&b""[..], b"0\n7\ngarbage", b"1\n0\n", b"\xff\xfe\x00"] {
        let disk = SimDisk::new();
        let mut dir = filled_dir(&disk);
        dir.log_mut(&name()).unwrap().flush(now(1)).unwrap();
        dir.write_checkpoints(&BTreeMap::from([(name(), 40)])).unwrap();
        drop(dir);
        for checkpoint in
            ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint"]
        {
            disk.write_atomically(&Path::new(ROOT).join(checkpoint), content).unwrap();
        }
        // From the start: damage that lay below the recovery point is met.
        flip(&disk, &file(&format!("{FIRST}.log")), 65);
        let dir = open_dir(&disk).unwrap();
        let log = dir.log(&name()).unwrap();
        assert_eq!((log.log_start_offset(), log.log_end_offset(), dir.high_watermark(&name())), (0, 0, None));
    }
}

#[test]
fn state_05_an_interrupted_compaction_split_or_deletion_is_finished_or_given_up() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    for at in 0..12 {
        put(&mut log, at, &format!("key {}", at % 3), Some("value"));
    }
    roll(&mut log);
    let before = contents(&log);
    log.flush(now(1)).unwrap();
    drop(log);
    let copy = disk.read(&file(&format!("{FIRST}.log")), 1 << 20).unwrap();
    // A copy that was not finished is given up; one that was renamed to .swap takes its place; what was given up is removed.
    disk.write_atomically(&file(&format!("{FIRST}.log.cleaned")), b"half a copy").unwrap();
    disk.write_atomically(&file("00000000000000000005.log.deleted"), &copy).unwrap();
    check_contents(&disk, &before);
    disk.rename(&file(&format!("{FIRST}.log")), &file(&format!("{FIRST}.log.swap"))).unwrap();
    check_contents(&disk, &before);
    // A directory that was to be deleted.
    let stray = Path::new("/data/t-9.0123456789abcdef0123456789abcdef-delete");
    disk.create_dir_all(stray).unwrap();
    disk.write_atomically(&stray.join(format!("{FIRST}.log")), &copy).unwrap();
    let opened = open_dir(&disk).unwrap();
    assert_eq!(opened.logs().count(), 1);
    assert!(disk.list(Path::new(ROOT)).unwrap().iter().all(|name| !name.ends_with("-delete")));
}

fn check_contents(disk: &SimDisk, expected: &[(i64, String, Option<String>)]) {
    let log = open_with(disk, compacted(), unclean(12)).unwrap();
    assert_eq!(contents(&log), expected);
    let left = disk.list(&dir()).unwrap();
    let ended = |name: &String| [".cleaned", ".swap", ".deleted"].iter().any(|ending| name.ends_with(ending));
    assert!(!left.iter().any(ended), "{left:?}");
}

#[test]
fn state_06_a_producer_snapshot_that_is_truncated_empty_corrupt_or_stray() {
    type Damage = fn(&SimDisk, &Path);
    let damages: [Damage; 4] = [
        |disk, path| {
            let mut file = disk.open(path, false).unwrap();
            let len = file.len().unwrap();
            file.truncate(len - 3).unwrap();
        },
        |disk, path| disk.write_atomically(path, b"").unwrap(),
        |disk, path| flip(disk, path, 12),
        |disk, path| disk.rename(path, &file("00000000000000000999.snapshot")).unwrap(),
    ];
    for recovery in [clean(0), unclean(40), unclean(0)] {
        for damage in damages {
            let disk = SimDisk::new();
            filled(&disk).close(now(1)).unwrap();
            for name in files(&disk, ".snapshot").iter().rev().take(2) {
                damage(&disk, &file(name));
            }
            let mut log = open_with(&disk, small(), recovery).unwrap();
            check_whole(&log);
            let again = log.append_as_leader(now(1), producer_batch(7, 0, 38, 2, false), 4).unwrap();
            assert_eq!((again.first_offset, log.log_end_offset()), (38, 40), "a retry is known");
            assert!(!disk.exists(&file("00000000000000000999.snapshot")));
        }
    }
}

#[test]
fn state_07_the_leader_epoch_cache_is_rebuilt() {
    for content in [None, Some(&b""[..]), Some(b"0\n9\n0 0\n"), Some(b"0\n2\n3 0\n1 0\n")] {
        for recovery in [clean(0), unclean(40), unclean(0)] {
            let disk = SimDisk::new();
            filled(&disk).close(now(1)).unwrap();
            let path = file("leader-epoch-checkpoint");
            match content {
                Some(content) => disk.write_atomically(&path, content).unwrap(),
                None => disk.remove_file(&path).unwrap(),
            }
            let log = open_with(&disk, small(), recovery).unwrap();
            assert_eq!(log.leader_epochs().entries(), [(0, 0), (1, 10), (2, 20), (3, 30)]);
            assert_eq!(log.end_offset_for_epoch(1), (1, 20));
        }
    }
}

#[test]
fn state_08_the_transaction_index_is_rebuilt() {
    use crate::log::AppendOrigin;
    use crate::records::control::{ControlType, control_key, encode_end_txn_marker};
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    for sequence in 0..3 {
        log.append_as_leader(now(1), producer_batch(7, 0, sequence, 1, true), 0).unwrap();
    }
    let mut marker = BatchBuilder::new(0, Compression::None).producer(7, 0, -1).transactional(true).control(true);
    marker.push(1, Some(&control_key(ControlType::Abort)), Some(&encode_end_txn_marker(0)), &[]);
    log.append(now(1), marker.build_mut(), 0, AppendOrigin::Coordinator).unwrap();
    roll(&mut log);
    let aborted = |log: &Log| log.aborted_transactions(0, 4).unwrap();
    let expected = aborted(&log);
    assert_eq!(expected.len(), 1);
    log.close(now(1)).unwrap();
    let indexes = files(&disk, ".txnindex");
    assert_eq!(indexes.len(), 1, "{indexes:?}");
    let sound = disk.read(&file(&indexes[0]), 1 << 20).unwrap();
    for damage in [None, Some(&b"\x00\x00garbage"[..]), Some(&sound[..sound.len() - 3])] {
        disk.remove_file(&file(&indexes[0])).unwrap();
        if let Some(bytes) = damage {
            disk.write_atomically(&file(&indexes[0]), bytes).unwrap();
        }
        let log = open_with(&disk, small(), unclean(0)).unwrap();
        assert_eq!(aborted(&log), expected);
        log.close(now(1)).unwrap();
        assert_eq!(disk.read(&file(&indexes[0]), 1 << 20).unwrap(), sound, "it stands as before");
    }
}

#[test]
fn state_09_a_log_that_ends_before_it_starts_is_deleted_and_starts_there() {
    let disk = SimDisk::new();
    drop(filled(&disk));
    let log = open_with(&disk, small(), Recovery { log_start_offset: 100, ..unclean(0) }).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.size_bytes()), (100, 100, 0));
    assert_eq!((log.leader_epochs().entries().len(), log.producer_states().count()), (0, 0));
    assert_eq!(files(&disk, ".log"), ["00000000000000000100.log"]);
}

#[test]
fn state_10_an_empty_active_segment() {
    for recovery in [clean(0), unclean(0), unclean(40)] {
        let disk = SimDisk::new();
        let mut log = filled(&disk);
        roll(&mut log);
        assert_eq!(log.active_segment_base_offset(), 40);
        disk.kill();
        drop(log);
        let mut log = open_with(&disk, small(), recovery).unwrap();
        check_whole(&log);
        append(&mut log, 1, 1, 9);
        assert_eq!((log.log_end_offset(), log.active_segment_base_offset()), (41, 40));
    }
}

#[test]
fn state_11_an_io_error_on_roll_checkpoint_or_append() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        let disk = SimDisk::new();
        let mut dir = filled_dir(&disk);
        disk.fail_writes(Some(kind));
        assert!(dir.write_checkpoints(&BTreeMap::from([(name(), 3)])).is_err(), "checkpoint");
        disk.fail_writes(None);
        dir.write_checkpoints(&BTreeMap::from([(name(), 4)])).unwrap();
        assert_eq!(dir.high_watermark(&name()), Some(4), "the next checkpoint is written");
        disk.kill();
        assert_eq!(open_dir(&disk).unwrap().high_watermark(&name()), Some(4));
        // However far a roll or an append came: the log is offline, and is whole when it is opened again.
        for (changes, rolls) in (0..8).flat_map(|changes| [(changes, true), (changes, false)]) {
            let disk = SimDisk::new();
            let mut log = filled(&disk);
            disk.fail_writes_after(changes, kind);
            let failed = match rolls {
                true => log.change(|log| log.roll(now(1))).is_err(),
                false => log.append_as_leader(now(1), producer_batch(7, 0, 40, 2, false), 3).is_err(),
            };
            disk.fail_writes(None);
            assert_eq!(failed, log.offline().is_some());
            assert_eq!(
                log.append_as_leader(now(1), batch(1, 1), 3).is_err(),
                failed,
                "nothing is written after a failure"
            );
            disk.kill();
            drop(log);
            let log = open(&disk, small());
            assert!(log.log_end_offset() >= 40);
            assert_eq!(headers(&log).first().unwrap().base_offset, 0);
            if failed && rolls {
                check_up_to(&log, 40);
            }
        }
    }
}

#[test]
fn state_12_a_duplicate_or_stray_replica_directory() {
    let disk = SimDisk::new();
    drop(filled_dir(&disk));
    for stray in ["not a log", "t-x", "-0", "lost+found", "t-1.0123456789abcdef0123456789abcdef-stray"] {
        disk.create_dir_all(&Path::new(ROOT).join(stray)).unwrap();
    }
    match open_dir(&disk) {
        Ok(dir) => assert_eq!(dir.logs().map(|log| log.topic_partition().clone()).collect::<Vec<_>>(), [name()]),
        Err(error) => panic!("{error}"),
    }
    // The same name twice on a broker is refused by `replica::dirs_tests`; in one directory, only as a topic of another id.
    let mut dir = open_dir(&disk).unwrap();
    let other = dir.create_log(name(), Id([8; 16]), small(), now(1));
    assert!(matches!(other, Err(LogError::InconsistentTopicId { .. })));
}

#[test]
fn state_13_meta_properties_missing_corrupt_or_of_another_cluster() {
    let disk = SimDisk::new();
    drop(filled_dir(&disk));
    let path = Path::new("/data/meta.properties");
    let sound = disk.read(path, 1 << 20).unwrap();
    let other = LogDir::open(Arc::new(disk.clone()), ROOT.into(), 1, "other", now(1)).map(drop);
    assert!(matches!(other, Err(LogError::InvalidFile { .. })));
    let other = LogDir::open(Arc::new(disk.clone()), ROOT.into(), 2, "cluster", now(1)).map(drop);
    assert!(matches!(other, Err(LogError::InvalidFile { .. })));
    for content in [&b""[..], b"\xff\xfe", b"version=9\ncluster.id=cluster\nnode.id=1\n", b"version=1\nnode.id=one\n"] {
        disk.write_atomically(path, content).unwrap();
        assert!(matches!(open_dir(&disk), Err(LogError::InvalidFile { .. })), "{content:?}");
        assert_eq!(disk.read(path, 1 << 20).unwrap(), content, "it is left for whoever mends it");
    }
    disk.write_atomically(path, &sound).unwrap();
    assert_eq!(end_in(&open_dir(&disk).unwrap()), 40);
    // Missing: the directory is formatted, and the logs in it stay.
    disk.remove_file(path).unwrap();
    assert_eq!(end_in(&open_dir(&disk).unwrap()), 40);
    assert!(disk.exists(path));
}

#[test]
fn state_14_a_high_watermark_checkpoint_that_is_stale_missing_or_past_the_end() {
    for (checkpointed, expected) in [(Some(10), Some(10)), (None, None), (Some(4000), Some(4000))] {
        let disk = SimDisk::new();
        let mut dir = filled_dir(&disk);
        let offsets = checkpointed.map(|offset| (name(), offset)).into_iter().collect();
        dir.write_checkpoints(&offsets).unwrap();
        disk.kill();
        drop(dir);
        let dir = open_dir(&disk).unwrap();
        assert_eq!((end_in(&dir), dir.high_watermark(&name())), (40, expected), "a log is never cut for it");
    }
}

#[test]
fn a_real_disk_recovers_the_same_way() {
    let root = tempfile::tempdir().unwrap();
    let disk = RealDisk::new();
    let open_real = || LogDir::open(Arc::new(disk.clone()), root.path().join("data"), 1, "cluster", now(1)).unwrap();
    let mut dir = open_real();
    let log = dir.create_log(name(), TOPIC_ID, small(), now(1)).unwrap();
    for step in 0..20 {
        append(log, step, 2, 0);
    }
    let tail = log.dir().join(format!("{:020}.log", log.active_segment_base_offset()));
    drop(dir);
    let len = std::fs::metadata(&tail).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&tail).unwrap().set_len(len - 3).unwrap();
    assert_eq!(end_in(&open_real()), 38);
}
