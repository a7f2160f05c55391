//! Compaction that is interrupted at every operation of the disk, by a kill and by a loss of power; and recovery that is interrupted too.

use std::collections::BTreeMap;

use super::compaction::{compact, compact_with, compacted, contents, keyed, put, roll};
use super::*;
use crate::log::cleaning::Means;
use crate::log::disk::Disk;

type Contents = Vec<(i64, String, Option<String>)>;

const MEANS: Means = Means { map_bytes: 1 << 20, map_load_factor: 0.9, read_bytes: 200 };

fn config() -> LogConfig {
    LogConfig { segment_bytes: 400, ..compacted() }
}

/// A log that was compacted once, and is dirty again: its round replaces several segments by one, twice.
fn dirty(disk: &SimDisk, flushed: bool) -> (Log, Contents) {
    let mut log = open(disk, config());
    for at in 0..24 {
        let key = format!("key {}", at % 6);
        let value = format!("first {at}");
        log.append_as_leader(now(at), keyed(at, Compression::Lz4, &[(&key, Some(&value)), ("all", Some(&value))]), 0)
            .unwrap();
    }
    roll(&mut log);
    compact(&mut log, 100).unwrap();
    for at in 0..14 {
        put(&mut log, at, &format!("key {}", at % 9), (at != 3).then_some("second"));
    }
    if flushed {
        log.flush(now(200)).unwrap();
    }
    let before = contents(&log);
    assert!(log.segment_count() > 5);
    (log, before)
}

/// Of every key the last record below the log's end is there, as it was; and nothing that never was.
fn check(log: &Log, before: &Contents, what: &str) {
    let after = contents(log);
    let end = log.log_end_offset();
    assert!(after.iter().all(|record| before.contains(record)), "{what}: {after:?}");
    assert!(after.windows(2).all(|pair| pair[0].0 < pair[1].0), "{what}: out of order");
    let last: BTreeMap<_, _> =
        before.iter().filter(|record| record.0 < end).map(|record| (&record.1, record)).collect();
    for (key, record) in last {
        assert!(after.contains(record), "{what}: {key} lost {record:?}");
    }
    let directory = &log.store.disk.list(&dir()).unwrap();
    assert!(directory.iter().all(|name| !name.contains("cleaned") && !name.contains("swap")), "{what}: {directory:?}");
}

fn stop(disk: &SimDisk, power_loss: bool) {
    disk.fail_writes(None);
    if power_loss { disk.power_loss() } else { disk.kill() }
}

fn crash_everywhere(flushed: bool, power_loss: bool) {
    let mut interrupted = 0;
    for step in 0.. {
        let disk = SimDisk::new();
        let (mut log, before) = dirty(&disk, flushed);
        let end = log.log_end_offset();
        disk.fail_writes_after(step, std::io::ErrorKind::Other);
        let result = compact_with(&mut log, 300, end, MEANS);
        let recovery_point = if step % 2 == 0 { 0 } else { log.recovery_point() };
        let is_whole = result.is_ok();
        interrupted += u64::from(!is_whole);
        drop(log);
        // The recovery is interrupted as well, and again.
        for recovery_step in [0, 1, 2, 3, 5, 8] {
            stop(&disk, power_loss);
            disk.fail_writes_after(recovery_step, std::io::ErrorKind::Other);
            let recovery = Recovery { recovery_point, ..Recovery::UNKNOWN };
            drop(open_with(&disk, config(), recovery));
        }
        stop(&disk, power_loss);
        let what = format!("step {step}, flushed {flushed}, power loss {power_loss}");
        let mut log = open_with(&disk, config(), Recovery { recovery_point, ..Recovery::UNKNOWN }).unwrap();
        if flushed || !power_loss || is_whole {
            let lost = end - log.log_end_offset();
            assert!(lost == 0 || (power_loss && !flushed), "{what}: {lost} offsets lost");
        }
        check(&log, &before, &what);
        log.cleaned_to = None;
        roll(&mut log);
        compact(&mut log, 400);
        check(&log, &before, &what);
        put(&mut log, 500, "key 1", Some("third"));
        if is_whole {
            break;
        }
    }
    assert!(interrupted > 40, "{interrupted} operations");
}

#[test]
fn killed_at_every_operation() {
    crash_everywhere(true, false);
    crash_everywhere(false, false);
}

#[test]
fn without_power_at_every_operation() {
    crash_everywhere(true, true);
    crash_everywhere(false, true);
}

/// Names as a directory may hold them: what a rename changed may have reached the disk, or not, file by file.
#[test]
fn half_renamed_files_are_settled() {
    let disk = SimDisk::new();
    let (mut log, before) = dirty(&disk, true);
    let end = log.log_end_offset();
    let read = |disk: &SimDisk| -> BTreeMap<String, Vec<u8>> {
        let names = disk.list(&dir()).unwrap();
        names.into_iter().map(|name| (name.clone(), disk.read(&file(&name), 1 << 20).unwrap())).collect()
    };
    let old = read(&disk);
    compact_with(&mut log, 300, end, MEANS).unwrap();
    let expected = contents(&log);
    let new = read(&disk);
    let base = "00000000000000000000";
    let ours = ["log", "index", "timeindex"].map(|suffix| format!("{base}.{suffix}"));
    // The copy of the first group covers what begins below the next segment.
    let next = log.segments[1].base_offset;
    let covered = |name: &str| name[..20].parse::<i64>().is_ok_and(|offset| offset < next);
    for swapped in 0..8 {
        for (removed, is_final) in [(false, false), (true, false), (true, true)] {
            let disk = SimDisk::new();
            disk.create_dir_all(&dir()).unwrap();
            let is_swapped =
                |name: &str| ours.iter().position(|own| own == name).is_some_and(|at| swapped >> at & 1 == 1);
            for (name, bytes) in &old {
                if !(removed && name.len() > 20 && covered(name)) {
                    disk.write_atomically(&file(name), bytes).unwrap();
                }
            }
            for name in &ours {
                let ending = match (removed, is_final && is_swapped(name), is_swapped(name)) {
                    (true, true, _) => "",
                    (true, false, _) | (false, _, true) => ".swap",
                    (false, _, false) => ".cleaned",
                };
                disk.write_atomically(&file(&format!("{name}{ending}")), &new[name]).unwrap();
            }
            let recovery = Recovery { clean_shutdown: false, recovery_point: end, ..Recovery::UNKNOWN };
            let log = open_with(&disk, config(), recovery).unwrap();
            let what = format!("{swapped:b} {removed} {is_final}");
            check(&log, &before, &what);
            assert_eq!(log.log_end_offset(), end, "{what}");
            if removed || swapped == 7 {
                let below = |all: &Contents| all.iter().filter(|it| it.0 < next).cloned().collect::<Vec<_>>();
                assert_eq!(below(&contents(&log)), below(&expected), "{what}: the swap is finished");
            } else {
                assert_eq!(contents(&log), before, "{what}: the copy is given up");
            }
        }
    }
}
