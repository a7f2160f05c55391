//! A log directory: properties, checkpoints, deletion, the clean end.

use std::collections::BTreeMap;

use super::*;
use crate::log::disk::Disk;
use crate::log::{LogDir, MetaProperties, RealDisk};

const ROOT: &str = "/data";

fn open_dir(disk: &SimDisk) -> LogDir {
    LogDir::open(Arc::new(disk.clone()), ROOT.into(), 1, "cluster", now(1)).unwrap()
}

fn name(partition: i32) -> TopicPartition {
    TopicPartition::new("my-topic.x", partition)
}

fn filled(disk: &SimDisk) -> LogDir {
    let mut dir = open_dir(disk);
    for partition in 0..3 {
        let log = dir.create_log(name(partition), TOPIC_ID, small(), now(1)).unwrap();
        append(log, 1, partition + 1, 0);
    }
    dir
}

#[test]
fn a_clean_stop_is_told_from_a_crash() {
    let disk = SimDisk::new();
    let mut dir = filled(&disk);
    assert_eq!(dir.clean_broker_epoch(), None);
    let id = dir.directory_id();
    dir.write_checkpoints(&BTreeMap::from([(name(1), 2)])).unwrap();
    dir.shutdown_clean(now(2), 77).unwrap();
    disk.power_loss();
    let dir = open_dir(&disk);
    assert_eq!((dir.clean_broker_epoch(), dir.directory_id()), (Some(77), id));
    assert!(!disk.exists(Path::new("/data/.kafka_cleanshutdown")));
    let found: Vec<_> =
        dir.logs().map(|log| (log.topic_partition().clone(), log.log_end_offset(), log.topic_id())).collect();
    assert_eq!(found, [(name(0), 1, Some(TOPIC_ID)), (name(1), 2, Some(TOPIC_ID)), (name(2), 3, Some(TOPIC_ID))]);
    assert_eq!([dir.high_watermark(&name(0)), dir.high_watermark(&name(1))], [None, Some(2)]);
    drop(dir);
    assert_eq!(open_dir(&disk).clean_broker_epoch(), None, "a crash while loading is not clean");
}

#[test]
fn checkpoints_are_kafkas() {
    let disk = SimDisk::new();
    let mut dir = filled(&disk);
    dir.log_mut(&name(2)).unwrap().set_log_start_offset(2).unwrap();
    dir.log_mut(&name(1)).unwrap().flush(now(1)).unwrap();
    dir.write_checkpoints(&BTreeMap::from([(name(0), 1), (name(2), 3)])).unwrap();
    let text = |file: &str| String::from_utf8(disk.read(&Path::new(ROOT).join(file), 1000).unwrap()).unwrap();
    assert_eq!(text("recovery-point-offset-checkpoint"), "0\n3\nmy-topic.x 0 0\nmy-topic.x 1 2\nmy-topic.x 2 0\n");
    assert_eq!(text("replication-offset-checkpoint"), "0\n2\nmy-topic.x 0 1\nmy-topic.x 2 3\n");
    assert_eq!(text("log-start-offset-checkpoint"), "0\n1\nmy-topic.x 2 2\n");
    let syncs = disk.syncs();
    dir.write_checkpoints(&BTreeMap::new()).unwrap();
    assert_eq!(disk.syncs(), syncs, "what did not change is not written");
    disk.kill();
    let dir = open_dir(&disk);
    assert_eq!(dir.log(&name(2)).unwrap().log_start_offset(), 2);
}

#[test]
fn unreadable_checkpoints_mean_recovery_from_the_start() {
    let disk = SimDisk::new();
    let mut dir = filled(&disk);
    dir.write_checkpoints(&BTreeMap::new()).unwrap();
    drop(dir);
    for file in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint"] {
        disk.write_atomically(&Path::new(ROOT).join(file), b"0\n7\ngarbage").unwrap();
    }
    let dir = open_dir(&disk);
    assert_eq!(dir.logs().map(Log::log_end_offset).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(dir.high_watermark(&name(1)), None);
}

#[test]
fn deletion_is_a_rename_then_a_removal() {
    let disk = SimDisk::new();
    let mut dir = filled(&disk);
    assert!(dir.delete_log(&name(1), now(5)).unwrap());
    assert!(!dir.delete_log(&name(1), now(5)).unwrap());
    let doomed = |disk: &SimDisk| {
        disk.list(Path::new(ROOT)).unwrap().into_iter().filter(|name| name.ends_with("-delete")).collect::<Vec<_>>()
    };
    let found = doomed(&disk);
    assert!(found[0].starts_with("my-topic.x-1.") && found[0].len() == "my-topic.x-1.".len() + 32 + "-delete".len());
    dir.delete_due(now(60_004)).unwrap();
    assert_eq!(doomed(&disk).len(), 1);
    dir.delete_due(now(60_005)).unwrap();
    assert_eq!(doomed(&disk).len(), 0);
    let log = dir.create_log(name(1), Id([9; 16]), small(), now(5)).unwrap();
    assert_eq!((log.log_end_offset(), log.topic_id()), (0, Some(Id([9; 16]))));
    dir.delete_log(&name(0), now(5)).unwrap();
    drop(dir);
    let dir = open_dir(&disk);
    assert_eq!((dir.logs().count(), doomed(&disk).len()), (2, 0), "what was given up does not come back");
}

#[test]
fn a_directory_of_another_node_is_refused() {
    let disk = SimDisk::new();
    drop(filled(&disk));
    let open = |node, cluster| LogDir::open(Arc::new(disk.clone()), ROOT.into(), node, cluster, now(1)).map(drop);
    assert!(open(1, "cluster").is_ok());
    assert!(matches!(open(2, "cluster"), Err(LogError::InvalidFile { .. })));
    assert!(matches!(open(1, "other"), Err(LogError::InvalidFile { .. })));
    disk.write_atomically(Path::new("/data/meta.properties"), b"\xff\xfe").unwrap();
    assert!(open(1, "cluster").is_err());
}

#[test]
fn the_same_topic_name_with_another_id_is_another_topic() {
    let disk = SimDisk::new();
    let mut dir = filled(&disk);
    assert!(dir.create_log(name(0), TOPIC_ID, small(), now(1)).is_ok());
    assert!(matches!(dir.create_log(name(0), Id([8; 16]), small(), now(1)), Err(LogError::InconsistentTopicId { .. })));
}

#[test]
fn one_rotten_log_does_not_take_the_others_with_it() {
    let disk = SimDisk::new();
    filled(&disk).shutdown_clean(now(1), 5).unwrap();
    let rotten = Path::new(ROOT).join("my-topic.x-1");
    disk.remove_file(&rotten.join("leader-epoch-checkpoint")).unwrap();
    // The tail is sound, so that only the search for epochs meets the rot.
    let log = rotten.join("00000000000000000000.log");
    let whole = disk.read(&log, 1 << 20).unwrap();
    let mut dir = open_dir(&disk);
    let big = LogConfig { index_interval_bytes: 1, ..LogConfig::default() };
    dir.log_mut(&name(1)).unwrap().set_config(big);
    for _ in 0..4 {
        append(dir.log_mut(&name(1)).unwrap(), 1, 1, 0);
    }
    dir.shutdown_clean(now(1), 5).unwrap();
    disk.remove_file(&rotten.join("leader-epoch-checkpoint")).unwrap();
    flip(&disk, &log, whole.len() as u64 + 16);
    let mut dir = open_dir(&disk);
    assert_eq!(dir.unreadable().keys().collect::<Vec<_>>(), [&name(1)]);
    assert_eq!(dir.logs().count(), 2);
    assert!(matches!(dir.create_log(name(1), TOPIC_ID, small(), now(1)), Err(LogError::Corrupt { .. })));
}

#[test]
fn a_failing_log_leaves_no_clean_marker() {
    let disk = SimDisk::new();
    let mut dir = filled(&disk);
    disk.fail_writes(Some(std::io::ErrorKind::Other));
    dir.log_mut(&name(0)).unwrap().append_as_leader(now(1), batch(1, 1), 0).unwrap_err();
    disk.fail_writes(None);
    assert!(dir.shutdown_clean(now(1), 5).is_err());
    drop(dir);
    let dir = open_dir(&disk);
    assert_eq!(dir.clean_broker_epoch(), None);
    assert_eq!(dir.logs().map(Log::log_end_offset).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_thousand_logs_on_a_real_disk() {
    let root = tempfile::tempdir().unwrap();
    let disk = RealDisk::with_max_open_files(20);
    let open_real =
        |disk: &RealDisk| LogDir::open(Arc::new(disk.clone()), root.path().join("data"), 1, "cluster", now(1)).unwrap();
    let mut dir = open_real(&disk);
    for partition in 0..1000 {
        append(dir.create_log(name(partition), TOPIC_ID, small(), now(1)).unwrap(), 1, 1, 0);
    }
    for log in dir.logs_mut() {
        append(log, 2, 1, 0);
    }
    assert!(disk.open_files() <= 20);
    disk.fence();
    assert!(dir.logs_mut().all(|log| log.append_as_leader(now(1), batch(1, 1), 0).is_err()));
    let dir = open_real(&RealDisk::new());
    assert!(dir.logs().all(|log| log.log_end_offset() == 2));
    assert_eq!(dir.logs().count(), 1000);
    assert!(matches!(dir.properties(), MetaProperties { node_id: 1, .. }));
}
