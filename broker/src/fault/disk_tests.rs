//! The drive against the simulated disk, whose losses of power are the model, and its faults one by one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{DiskEffect, DiskFault, Drive};
use crate::log::SimDisk;
use crate::log::disk::Disk;
use crate::node::NodeDisk;

#[derive(Clone, Debug)]
enum Step {
    Write { file: usize, position: u64, bytes: Vec<u8> },
    Append { file: usize, bytes: Vec<u8> },
    Truncate { file: usize, len: u64 },
    Sync { file: usize },
    SyncDir { dir: usize },
    Rename { from: usize, to: usize },
    RenameDir { dir: usize, to: usize },
    Remove { file: usize },
    RemoveDir { dir: usize },
    CreateDir { dir: usize },
    Replace { file: usize, bytes: Vec<u8>, atomically: bool },
    Remount,
    PowerLoss { tenths: usize },
}

const DIRS: [&str; 3] = ["p-0", "p-1", "p-0.gone"];
const FILES: usize = 9;

fn dir_of(root: &Path, dir: usize) -> PathBuf {
    root.join(DIRS[dir % DIRS.len()])
}

fn file_of(root: &Path, file: usize) -> PathBuf {
    dir_of(root, file / 3).join(["a", "b", "c"][file % 3])
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1..255u8, 0..20)
}

fn step() -> impl Strategy<Value = Step> {
    let (file, dir) = (0..FILES, 0..DIRS.len());
    prop_oneof![
        4 => (file.clone(), 0..30u64, bytes()).prop_map(|(file, position, bytes)| Step::Write { file, position, bytes }),
        6 => (file.clone(), bytes()).prop_map(|(file, bytes)| Step::Append { file, bytes }),
        3 => (file.clone(), 0..30u64).prop_map(|(file, len)| Step::Truncate { file, len }),
        5 => file.clone().prop_map(|file| Step::Sync { file }),
        5 => dir.clone().prop_map(|dir| Step::SyncDir { dir }),
        4 => (file.clone(), 0..3usize).prop_map(|(from, to)| Step::Rename { from, to: from / 3 * 3 + to }),
        2 => (dir.clone(), dir.clone()).prop_map(|(dir, to)| Step::RenameDir { dir, to }),
        3 => file.clone().prop_map(|file| Step::Remove { file }),
        1 => dir.clone().prop_map(|dir| Step::RemoveDir { dir }),
        2 => dir.prop_map(|dir| Step::CreateDir { dir }),
        2 => (file, bytes(), any::<bool>()).prop_map(|(file, bytes, atomically)| Step::Replace { file, bytes, atomically }),
        1 => Just(Step::Remount),
        2 => (0..11usize).prop_map(|tenths| Step::PowerLoss { tenths }),
    ]
}

/// Carries out a step that changes the disk; what kind of error it gave.
fn carry_out(disk: &dyn Disk, root: &Path, step: &Step) -> Result<(), io::ErrorKind> {
    let open = |file: usize| disk.open(&file_of(root, file), true);
    match step {
        Step::Write { file, position, bytes } => open(*file).and_then(|mut file| file.write_all_at(bytes, *position)),
        Step::Append { file, bytes } => open(*file).and_then(|mut file| file.write_all_at(bytes, file.len()?)),
        Step::Truncate { file, len } => open(*file).and_then(|mut file| file.truncate(*len)),
        Step::Sync { file } => open(*file).and_then(|mut file| file.sync()),
        Step::SyncDir { dir } if *dir == 0 => disk.sync_dir(root),
        Step::SyncDir { dir } => disk.sync_dir(&dir_of(root, *dir)),
        Step::Rename { from, to } => disk.rename(&file_of(root, *from), &file_of(root, *to)),
        // Replacing an empty directory is nothing a log does; the drive makes it durable, as it cannot give a directory a second name.
        Step::RenameDir { to, .. } if disk.list(&dir_of(root, *to)).is_ok_and(|names| names.is_empty()) => Ok(()),
        Step::RenameDir { dir, to } => disk.rename(&dir_of(root, *dir), &dir_of(root, *to)),
        Step::Remove { file } => disk.remove_file(&file_of(root, *file)),
        Step::RemoveDir { dir } => disk.remove_dir_all(&dir_of(root, *dir)),
        Step::CreateDir { dir } => disk.create_dir_all(&dir_of(root, *dir)),
        Step::Replace { file, bytes, atomically: true } => disk.write_atomically(&file_of(root, *file), bytes),
        Step::Replace { file, bytes, atomically: false } => disk.replace(&file_of(root, *file), bytes),
        Step::Remount | Step::PowerLoss { .. } => Ok(()),
    }
    .map_err(|error| error.kind())
}

fn content(disk: &dyn Disk, root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut content = BTreeMap::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for name in disk.list(&dir).unwrap() {
            let path = dir.join(name);
            match disk.is_dir(&path) {
                true => {
                    content.insert(path.clone(), None);
                    dirs.push(path);
                }
                false => drop(content.insert(path.clone(), Some(disk.read(&path, 1 << 20).unwrap()))),
            }
        }
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is done to both, the real disk loses what the model loses, and no more.
    #[test]
    fn a_loss_of_power_takes_what_the_model_says(steps in prop::collection::vec(step(), 0..60)) {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("data");
        std::fs::create_dir(&root).unwrap();
        let (drive, model) = (Drive::new(temporary.path().join("kept")), SimDisk::new());
        model.create_dir_all(&root).unwrap();
        model.sync_dir(&root).unwrap();
        let mut disk = drive.mount();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Remount | Step::PowerLoss { .. } => {
                    disk.fence();
                    model.kill();
                    prop_assert!(disk.create_dir_all(&root.join("zombie")).is_err());
                    disk = drive.mount();
                }
                _ => prop_assert_eq!(carry_out(&disk, &root, step), carry_out(&model, &root, step), "step {}: {:?}", number, step),
            }
            if let Step::PowerLoss { tenths } = step {
                drive.power_loss(|bytes| bytes * *tenths as u64 / 10).unwrap();
                model.power_loss_keeping(|bytes| bytes * *tenths / 10);
                prop_assert!(!temporary.path().join("kept").exists());
            }
            prop_assert_eq!(content(&disk, &root), content(&model, &root), "after step {}: {:?}", number, step);
        }
        disk.fence();
        drive.power_loss(|_| 0).unwrap();
        model.power_loss();
        prop_assert_eq!(content(&drive.mount(), &root), content(&model, &root));
    }
}

fn drive() -> (tempfile::TempDir, Drive) {
    let root = tempfile::tempdir().unwrap();
    let drive = Drive::new(root.path().join("kept"));
    (root, drive)
}

fn fault(effect: DiskEffect) -> DiskFault {
    DiskFault { log_dir: None, effect }
}

#[test]
fn handles_held_open_are_accounted_for_through_renames_and_deaths() {
    let (root, drive) = drive();
    let (old, new) = (root.path().join("log"), root.path().join("log.deleted"));
    let disk = drive.mount();
    let mut file = disk.open(&old, true).unwrap();
    file.write_all_at(b"durable", 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(root.path()).unwrap();
    disk.rename(&old, &new).unwrap();
    file.write_all_at(b" and not", 7).unwrap();
    disk.fence();
    // The next incarnation finds all of it, as the page cache has it; the power takes it nevertheless.
    let disk = drive.mount();
    assert_eq!(disk.read(&new, 100).unwrap(), b"durable and not");
    disk.fence();
    drive.power_loss(|bytes| bytes / 2).unwrap();
    assert_eq!(drive.mount().read(&old, 100).unwrap(), b"durable and");
    assert!(!drive.mount().exists(&new));
}

#[test]
fn what_is_too_much_to_be_kept_is_made_durable() {
    let (root, drive) = drive();
    let disk = drive.mount();
    let path = root.path().join("big");
    let mut file = disk.open(&path, true).unwrap();
    let bytes = vec![1; 3 * super::undo::UNDO_MAX_BYTES];
    file.write_all_at(&bytes, 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(root.path()).unwrap();
    file.truncate(10).unwrap();
    file.write_all_at(&[2; 5], 10).unwrap();
    disk.fence();
    drive.power_loss(|_| 0).unwrap();
    assert_eq!(drive.mount().read(&path, 100).unwrap(), [1; 10]);
}

#[test]
fn a_full_disk_takes_a_part_and_a_failing_one_nothing() {
    let (root, drive) = drive();
    let disk = drive.mount();
    let path = root.path().join("file");
    let mut file = disk.open(&path, true).unwrap();
    file.write_all_at(b"12345678", 0).unwrap();
    let full = drive.break_it(fault(DiskEffect::Full));
    file.write_all_at(b"ab", 0).unwrap();
    assert_eq!(file.write_all_at(b"abcd", 8).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read(&path, 100).unwrap(), b"ab345678ab");
    assert!(disk.open(&root.path().join("new"), true).is_err());
    assert!(disk.create_dir_all(&root.path().join("new")).is_err());
    file.truncate(4).unwrap();
    file.sync().unwrap();
    drive.heal(full);
    file.write_all_at(b"cd", 4).unwrap();

    let failing = drive.break_it(fault(DiskEffect::Failing { reads: false, writes: true, syncs: false }));
    assert!(file.write_all_at(b"x", 0).is_err() && file.sync().is_err() && disk.remove_file(&path).is_err());
    assert_eq!(disk.read(&path, 100).unwrap(), b"ab34cd");
    drive.heal(failing);
    let failing = drive.break_it(fault(DiskEffect::Failing { reads: false, writes: false, syncs: true }));
    file.write_all_at(b"cd", 4).unwrap();
    assert!(file.sync().is_err() && disk.sync_dir(root.path()).is_err());
    assert_eq!(disk.read(&path, 100).unwrap(), b"ab34cd");
    drive.heal(failing);
    file.sync().unwrap();
    let elsewhere = DiskFault { log_dir: Some(root.path().join("other")), effect: DiskEffect::Full };
    drive.break_it(elsewhere);
    drive.break_it(fault(DiskEffect::Failing { reads: true, writes: false, syncs: false }));
    file.write_all_at(b"ef", 6).unwrap();
    assert!(disk.read(&path, 100).is_err());
    assert!(disk.list(root.path()).is_err());
}

#[test]
fn a_slow_disk_is_slow_until_it_heals_or_its_node_dies() {
    let (root, drive) = drive();
    let disk = drive.mount();
    let mut file = disk.open(&root.path().join("file"), true).unwrap();
    let slow = |delay_ms| drive.break_it(fault(DiskEffect::Slow(Duration::from_millis(delay_ms))));
    let short = slow(30);
    let start = Instant::now();
    file.write_all_at(b"1", 0).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    drive.heal(short);
    for heals in [true, false] {
        let long = slow(3_600_000);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| file.write_all_at(b"2", 1));
            if heals {
                drive.heal(long)
            } else {
                disk.fence()
            }
            assert_eq!(waiting.join().unwrap().is_ok(), heals);
        });
    }
}
