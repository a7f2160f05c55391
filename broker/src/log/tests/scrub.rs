//! A scrub finds what rots, and nothing where nothing does.

use super::compaction::{compact, compacted, put, roll};
use super::damage::{FIRST, filled};
use super::*;
use crate::log::disk::Disk;
use crate::log::{Finding, Scrub};

/// A whole scrub in small steps, which must leave the disk as it is.
fn scrub(disk: &SimDisk, log: &Log) -> Scrub {
    let writes = disk.writes();
    let mut scrub = Scrub::begin(log);
    let mut steps = 0;
    while !scrub.step(log, 100) {
        steps += 1;
        assert!(steps < 10_000, "it ends");
    }
    assert_eq!(disk.writes(), writes, "nothing is changed");
    scrub
}

fn findings(disk: &SimDisk, log: &Log) -> Vec<Finding> {
    scrub(disk, log).findings().to_vec()
}

#[test]
fn a_sound_log_has_no_findings() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    assert_eq!(findings(&disk, &log), []);
    log.flush(now(1)).unwrap();
    let done = scrub(&disk, &log);
    assert_eq!((done.findings(), done.batches(), done.bytes_done()), (&[][..], 20, log.size_bytes()));
    log.close(now(1)).unwrap();
    let mut log = open_with(&disk, small(), clean(0)).unwrap();
    assert_eq!(findings(&disk, &log), []);
    roll(&mut log);
    log.set_log_start_offset(13).unwrap();
    assert_eq!(findings(&disk, &log), []);
    log.truncate_to(27).unwrap();
    assert_eq!(findings(&disk, &log), []);
}

#[test]
fn a_compacted_log_has_no_findings() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    for at in 0..60 {
        put(&mut log, at, &format!("key {}", at % 7), (at % 5 != 0).then_some("value"));
    }
    roll(&mut log);
    compact(&mut log, 100).unwrap();
    assert!(headers(&log).len() < 30);
    assert_eq!(findings(&disk, &log), []);
}

#[test]
fn a_flipped_bit_below_the_recovery_point_is_told_with_its_place() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    log.flush(now(1)).unwrap();
    let size = producer_batch(7, 0, 0, 2, false).len() as u64;
    flip(&disk, &file(&format!("{FIRST}.log")), size * 3 + 65);
    let done = scrub(&disk, &log);
    let [found] = done.findings() else { panic!("{:?}", done.findings()) };
    assert_eq!((found.partition.as_str(), found.file.as_str()), ("t-0", "00000000000000000000.log"));
    assert_eq!((found.position, found.first_offset, found.last_offset), (size * 3, 6, 7));
    assert_eq!((done.batches(), done.bytes_done()), (20, log.size_bytes()), "the rest was checked too");
    disk.kill();
    drop(log);
    let recovery = Recovery { clean_shutdown: false, recovery_point: 40, log_start_offset: -1, ..Recovery::UNKNOWN };
    let log = open_with(&disk, small(), recovery).unwrap();
    assert_eq!(log.log_end_offset(), 40, "a recovery does not look there");
    assert_eq!(findings(&disk, &log).len(), 1);
}

#[test]
fn every_byte_of_a_header_is_checked() {
    let size = producer_batch(7, 0, 0, 2, false).len() as u64;
    for at in 0..size {
        let disk = SimDisk::new();
        let mut log = filled(&disk);
        log.flush(now(1)).unwrap();
        flip(&disk, &file(&format!("{FIRST}.log")), size * 2 + at);
        let found = findings(&disk, &log);
        assert!((1..=3).contains(&found.len()), "byte {at}: {found:?}");
        assert!(found.iter().all(|found| found.file.starts_with(FIRST)), "byte {at} condemns others: {found:?}");
        let near = |found: &Finding| found.position >= size * 2 || !found.file.ends_with(".log");
        assert!(found.iter().all(near), "byte {at}: {found:?}");
    }
}

#[test]
fn damaged_indexes_are_told() {
    let names: Vec<String> = {
        let disk = SimDisk::new();
        let mut log = filled(&disk);
        log.flush(now(1)).unwrap();
        let names = disk.list(&dir()).unwrap().into_iter();
        names.filter(|name| name.starts_with(FIRST) && name.ends_with("index")).collect()
    };
    assert!(names.len() >= 2, "{names:?}");
    for name in names.iter().filter(|name| !name.ends_with(".txnindex")) {
        let disk = SimDisk::new();
        let mut log = filled(&disk);
        log.flush(now(1)).unwrap();
        flip(&disk, &file(name), 7);
        let found = findings(&disk, &log);
        assert!(!found.is_empty() && found.iter().all(|found| found.file == *name), "{name}: {found:?}");
    }
}

#[test]
fn damaged_epochs_and_snapshots_are_told() {
    for name in ["leader-epoch-checkpoint", "00000000000000000010.snapshot"] {
        let disk = SimDisk::new();
        let mut log = filled(&disk);
        log.flush(now(1)).unwrap();
        let mut snapshots = disk.list(&dir()).unwrap().into_iter().filter(|name| name.ends_with("snapshot"));
        let name = if name.ends_with("snapshot") { snapshots.next_back().unwrap() } else { name.to_owned() };
        flip(&disk, &file(&name), 12);
        let found = findings(&disk, &log);
        let [found] = &found[..] else { panic!("{name}: {found:?}") };
        assert_eq!((found.file.as_str(), found.first_offset, found.last_offset), (name.as_str(), -1, -1));
    }
}

#[test]
fn a_disk_that_does_not_read_is_told_and_ends_it() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    log.flush(now(1)).unwrap();
    disk.fail_reads(true);
    let found = findings(&disk, &log);
    disk.fail_reads(false);
    assert!(found.iter().any(|found| found.problem.contains("cannot be read")), "{found:?}");
}

#[test]
fn a_log_that_changes_its_shape_meanwhile_is_begun_anew() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    let mut scrub = Scrub::begin(&log);
    scrub.step(&log, 700);
    log.truncate_to(4).unwrap();
    append(&mut log, 1, 2, 9);
    while !scrub.step(&log, 100) {}
    assert_eq!((scrub.findings(), scrub.batches()), (&[][..], 3));
}
