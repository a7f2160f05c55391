//! Damage to the files of a node that is down: the last bytes of its partitions' last segments flip or go, as after a write that a crash
//! tore.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How a tail is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Bits of the last bytes flip.
    Flip,
    /// The last bytes are cut off.
    Cut,
}

/// A file that was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Which.
    pub path: PathBuf,
    /// Where the damage begins.
    pub position: u64,
}

/// Bytes at the end of a segment that are damaged: within the last batch, whose header alone has 61.
const DAMAGED_BYTES: u64 = 16;

/// Damages the end of the last segment of each partition in a log directory whose name `chosen` accepts.
///
/// # Errors
/// The directory cannot be read or a file not written.
pub fn corrupt_tails(log_dir: &Path, damage: Damage, chosen: impl Fn(&str) -> bool) -> io::Result<Vec<Tail>> {
    let mut tails = Vec::new();
    for entry in fs::read_dir(log_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_dir() || !name.to_str().is_some_and(&chosen) {
            continue;
        }
        if let Some(path) = last_segment(&entry.path())? {
            tails.extend(corrupt(path, damage)?);
        }
    }
    Ok(tails)
}

/// Segments are named by their base offset in 20 digits, so the last by name is the last.
fn last_segment(partition_dir: &Path) -> io::Result<Option<PathBuf>> {
    let paths = fs::read_dir(partition_dir)?.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "log")).max())
}

fn corrupt(path: PathBuf, damage: Damage) -> io::Result<Option<Tail>> {
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let len = file.metadata()?.len();
    let damaged = DAMAGED_BYTES.min(len);
    if damaged == 0 {
        return Ok(None);
    }
    let position = len - damaged;
    match damage {
        Damage::Cut => file.set_len(position)?,
        Damage::Flip => {
            let mut bytes = vec![0; damaged as usize];
            file.seek(SeekFrom::Start(position))?;
            file.read_exact(&mut bytes)?;
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
            file.seek(SeekFrom::Start(position))?;
            file.write_all(&bytes)?;
        }
    }
    Ok(Some(Tail { path, position }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_last_segment_is_damaged_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let read = |name: &str| fs::read(root.path().join(name)).unwrap();
        write("meta.properties", b"version=1");
        write("a-0/00000000000000000000.log", &[1; 40]);
        write("a-0/00000000000000000007.log", &[1; 40]);
        write("a-0/00000000000000000007.index", &[1; 40]);
        write("b-0/00000000000000000000.log", &[1; 3]);
        write("c-0/00000000000000000000.log", &[]);
        write("d-0/00000000000000000000.log", &[1; 40]);
        let tails = corrupt_tails(root.path(), Damage::Flip, |name| name != "d-0").unwrap();
        assert_eq!(tails.len(), 2);
        assert_eq!(read("a-0/00000000000000000000.log"), [1; 40]);
        assert_eq!(read("a-0/00000000000000000007.index"), [1; 40]);
        assert_eq!(read("a-0/00000000000000000007.log"), [[1; 24].as_slice(), &[254; 16]].concat());
        assert_eq!(read("b-0/00000000000000000000.log"), [254; 3]);
        assert_eq!(read("d-0/00000000000000000000.log"), [1; 40]);
        corrupt_tails(root.path(), Damage::Cut, |name| name == "a-0").unwrap();
        assert_eq!(read("a-0/00000000000000000007.log"), [1; 24]);
    }
}
