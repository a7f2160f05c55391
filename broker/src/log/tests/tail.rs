//! What is kept in memory of a log, or left out of its files for now, never shows.

use super::*;
use crate::log::LogDir;
use crate::log::disk::Disk;

fn name() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// Reads as `log` does and as one does that has nothing in memory.
fn check_reads(disk: &SimDisk, log: &Log, config: &LogConfig) {
    let bare = open_with(disk, config.clone(), Recovery::UNKNOWN).unwrap();
    let end = log.log_end_offset();
    for from in log.log_start_offset()..=end {
        for up_to in [from, from + 1, from + 3, end] {
            for (max_bytes, at_least_one) in [(0, true), (0, false), (90, true), (300, false), (1 << 20, true)] {
                let read = |log: &Log| log.read(from, max_bytes, up_to, at_least_one).unwrap();
                assert_eq!(read(log), read(&bare), "from {from}, up to {up_to}, {max_bytes} bytes");
            }
        }
    }
}

#[test]
fn a_tail_in_memory_reads_as_its_file_does() {
    let disk = SimDisk::new();
    let mut dir = LogDir::open(Arc::new(disk.clone()), "/data".into(), 1, "cluster", now(1)).unwrap();
    // One segment, so that a read ends nowhere but at the end.
    let config = LogConfig { segment_bytes: 1 << 20, ..small() };
    let log = dir.create_log(name(), TOPIC_ID, config.clone(), now(1)).unwrap();
    for count in [1, 3, 2, 5, 1, 1, 4] {
        append(log, 1, count, 0);
    }
    check_reads(&disk, log, &config);
    log.truncate_to(9).unwrap();
    check_reads(&disk, log, &config);
    append(log, 2, 2, 1);
    append(log, 2, 4, 1);
    check_reads(&disk, log, &config);
    log.truncate_fully_and_start_at(40).unwrap();
    append(log, 3, 3, 2);
    check_reads(&disk, log, &config);
}

#[test]
fn an_epoch_without_records_is_not_written_and_does_not_come_back() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    append(&mut log, 1, 2, 0);
    log.close(now(1)).unwrap();
    let path = file("leader-epoch-checkpoint");
    disk.write_atomically(&path, b"0\n2\n0 0\n5 2\n").unwrap();
    let mut log = open_with(&disk, small(), clean(0)).unwrap();
    assert_eq!(log.latest_epoch(), Some(0));
    // As a follower of a leader that knows more of epoch 0.
    let mut records = batch(1, 3);
    crate::records::set_base_offset(&mut records, 2);
    crate::records::set_leader_epoch(&mut records, 0);
    log.append_as_follower(now(1), &records).unwrap();
    log.close(now(2)).unwrap();
    let log = open_with(&disk, small(), clean(0)).unwrap();
    assert_eq!((log.leader_epochs().entries(), log.log_end_offset()), (&[(0, 0)][..], 5));
}

#[test]
fn to_lead_an_idle_log_and_to_stop_costs_no_disk() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    disk.fail_writes(Some(std::io::ErrorKind::Other));
    log.assign_epoch_start(3, 0).unwrap();
    assert_eq!(log.latest_epoch(), Some(3));
    log.close(now(1)).unwrap();
    disk.fail_writes(None);
    assert_eq!(disk.syncs(), 0);
    let mut log = open_with(&disk, small(), clean(0)).unwrap();
    append(&mut log, 1, 1, 4);
    assert_eq!(log.leader_epochs().entries(), [(4, 0)]);
}
