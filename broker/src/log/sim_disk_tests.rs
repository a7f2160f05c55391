//! What a simulated disk keeps and what it loses.

use super::*;
use proptest::prelude::*;

fn content(disk: &SimDisk, path: &str) -> Vec<u8> {
    disk.read(Path::new(path), 1 << 20).unwrap()
}

#[test]
fn unsynced_bytes_and_names_are_lost() {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/a/b")).unwrap();
    let mut synced = disk.open(Path::new("/a/b/synced"), true).unwrap();
    synced.write_all_at(b"durable", 0).unwrap();
    synced.sync().unwrap();
    disk.sync_dir(Path::new("/a/b")).unwrap();
    synced.write_all_at(b"lost", 3).unwrap();
    synced.write_all_at(b"more", 20).unwrap();
    synced.truncate(1).unwrap();
    let mut nameless = disk.open(Path::new("/a/b/nameless"), true).unwrap();
    nameless.write_all_at(b"x", 0).unwrap();
    nameless.sync().unwrap();
    disk.power_loss();
    assert_eq!(disk.list(Path::new("/a/b")).unwrap(), ["synced"]);
    assert_eq!(content(&disk, "/a/b/synced"), b"durable");
    assert!(synced.write_all_at(b"zombie", 0).is_err());
}

#[test]
fn a_killed_node_keeps_its_bytes() {
    let disk = SimDisk::new();
    let mut file = disk.open(Path::new("/f"), true).unwrap();
    file.write_all_at(b"kept", 0).unwrap();
    disk.kill();
    assert!(file.write_all_at(b"gone", 0).is_err());
    assert_eq!(content(&disk, "/f"), b"kept");
}

#[test]
fn atomic_writes_survive_whole() {
    let disk = SimDisk::new();
    let path = Path::new("/file");
    disk.write_atomically(path, b"one").unwrap();
    disk.power_loss();
    assert_eq!(content(&disk, "/file"), b"one");
    disk.write_atomically(path, b"second").unwrap();
    disk.rename(path, Path::new("/moved")).unwrap();
    disk.power_loss();
    assert_eq!(content(&disk, "/file"), b"second");
    disk.fail_writes(Some(io::ErrorKind::StorageFull));
    assert!(disk.write_atomically(path, b"third").is_err());
    disk.fail_writes(None);
    assert_eq!(content(&disk, "/file"), b"second");
}

#[test]
fn one_directory_can_fail_alone() {
    let disk = SimDisk::new();
    for dir in ["/d1", "/d2"] {
        disk.create_dir_all(Path::new(dir)).unwrap();
        disk.write_atomically(&Path::new(dir).join("f"), b"one").unwrap();
    }
    disk.fail_writes_under(Path::new("/d1"), Some(io::ErrorKind::StorageFull));
    disk.fail_reads_under(Path::new("/d1"), true);
    assert!(disk.write_atomically(Path::new("/d1/f"), b"two").is_err());
    assert!(disk.read(Path::new("/d1/f"), 9).is_err());
    assert!(disk.rename(Path::new("/d1/f"), Path::new("/d2/g")).is_err());
    disk.write_atomically(Path::new("/d2/f"), b"two").unwrap();
    assert_eq!(content(&disk, "/d2/f"), b"two");
    disk.fail_writes_under(Path::new("/d1"), None);
    disk.fail_reads_under(Path::new("/d1"), false);
    assert_eq!(content(&disk, "/d1/f"), b"one");
    disk.write_atomically(Path::new("/d1/f"), b"two").unwrap();
}

#[test]
fn a_directory_that_is_synced_has_one_name() {
    let disk = SimDisk::new();
    let write = |path: &str, bytes: &[u8]| {
        disk.create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        let mut file = disk.open(Path::new(path), true).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync().unwrap();
    };
    write("/t-0/f", b"old");
    disk.sync_dir(Path::new("/t-0")).unwrap();
    disk.rename(Path::new("/t-0"), Path::new("/t-0.deleted")).unwrap();
    write("/t-0/f", b"new");
    disk.sync_dir(Path::new("/t-0")).unwrap();
    disk.power_loss();
    assert_eq!((content(&disk, "/t-0/f"), content(&disk, "/t-0.deleted/f")), (b"new".to_vec(), b"old".to_vec()));
    disk.remove_dir_all(Path::new("/t-0")).unwrap();
    disk.rename(Path::new("/t-0.deleted"), Path::new("/t-0")).unwrap();
    disk.sync_dir(Path::new("/t-0")).unwrap();
    disk.power_loss();
    assert_eq!(disk.list(Path::new("/")).unwrap(), ["t-0"]);
    assert_eq!(content(&disk, "/t-0/f"), b"old");
}

#[test]
fn what_a_file_system_refuses_is_refused() {
    let disk = SimDisk::new();
    for dir in ["/full", "/other", "/empty"] {
        disk.create_dir_all(Path::new(dir)).unwrap();
    }
    let mut file = disk.open(Path::new("/full/f"), true).unwrap();
    file.write_all_at(&[], 10).unwrap();
    assert_eq!(file.len().unwrap(), 0, "nothing written extends nothing");
    let rename = |from: &str, to: &str| disk.rename(Path::new(from), Path::new(to)).map_err(|error| error.kind());
    assert_eq!(rename("/other", "/full"), Err(io::ErrorKind::DirectoryNotEmpty));
    assert_eq!(rename("/other", "/full/f"), Err(io::ErrorKind::NotADirectory));
    assert_eq!(rename("/full/f", "/other"), Err(io::ErrorKind::IsADirectory));
    assert_eq!(rename("/full", "/empty"), Ok(()));
    assert_eq!(disk.list(Path::new("/")).unwrap(), ["empty", "other"]);
}

proptest! {
    /// Whatever happens after a sync, a loss of power brings back exactly what was synced.
    #[test]
    fn sync_is_what_survives(steps in prop::collection::vec((0..4u8, 0..40usize, prop::collection::vec(any::<u8>(), 0..20)), 0..30)) {
        let disk = SimDisk::new();
        let mut file = disk.open(Path::new("/f"), true).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let (mut now, mut durable) = (Vec::new(), Vec::new());
        for (step, position, bytes) in steps {
            match step {
                0 | 1 => {
                    file.write_all_at(&bytes, position as u64).unwrap();
                    let end = position + bytes.len();
                    if now.len() < end && !bytes.is_empty() {
                        now.resize(end, 0);
                    }
                    if !bytes.is_empty() {
                        now[position..end].copy_from_slice(&bytes);
                    }
                }
                2 => {
                    file.truncate(position as u64).unwrap();
                    now.resize(position, 0);
                }
                _ => {
                    file.sync().unwrap();
                    durable = now.clone();
                }
            }
            prop_assert_eq!(file.len().unwrap(), now.len() as u64);
        }
        prop_assert_eq!(content(&disk, "/f"), now);
        disk.power_loss();
        prop_assert_eq!(content(&disk, "/f"), durable);
    }
}
