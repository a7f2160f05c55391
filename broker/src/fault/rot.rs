//! A bit of a log file that flips by itself, as media do after years: within the part of a batch that its checksum covers, so that whoever
//! checks it finds it. The file is written past the node, which may run and does not notice.

use std::io;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::log::RealDisk;
use crate::log::disk::{Disk, DiskFile};
use crate::records::{BatchHeader, HEADER_BYTES};

/// A bit that flipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rot {
    /// Of this file.
    pub path: PathBuf,
    /// In this byte.
    pub position: u64,
    /// What the byte was.
    pub was: u8,
    /// What it is.
    pub is: u8,
    /// First offset of the batch that it lies in.
    pub base_offset: i64,
}

/// What a batch's checksum covers begins here.
const COVERED_FROM: u64 = 21;

/// Flips one bit of the logs whose partition directory (`topic-0`) `chosen` accepts; the same seed and the same files give the same bit.
/// `None`: none of them holds a record.
///
/// # Errors
/// A directory cannot be read, or a file neither read nor written.
pub fn rot(log_dirs: &[PathBuf], seed: u64, chosen: impl Fn(&str) -> bool) -> io::Result<Option<Rot>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut files = Vec::new();
    for dir in log_dirs {
        collect(dir, &chosen, &mut files)?;
    }
    files.sort();
    while !files.is_empty() {
        let path = files.swap_remove(rng.random_range(0..files.len()));
        if let Some(rot) = rot_file(&path, &mut rng)? {
            return Ok(Some(rot));
        }
    }
    Ok(None)
}

/// Flips the bit back; false: the byte is another by now, or the file is gone.
///
/// # Errors
/// The file can neither be read nor written.
pub fn mend(rot: &Rot) -> io::Result<bool> {
    let disk = RealDisk::new();
    let mut file = match disk.open(&rot.path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let is = file.read_at(1, rot.position)?;
    if is != [rot.is] {
        return Ok(false);
    }
    file.write_all_at(&[rot.was], rot.position)?;
    Ok(true)
}

fn collect(log_dir: &Path, chosen: &impl Fn(&str) -> bool, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(log_dir)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || !entry.file_name().to_str().is_some_and(chosen) {
            continue;
        }
        for file in std::fs::read_dir(entry.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// The batch in the middle is found by going from one to the next: only they know where they begin.
fn rot_file(path: &Path, rng: &mut StdRng) -> io::Result<Option<Rot>> {
    let mut file = RealDisk::new().open(path, false)?;
    let len = file.len()?;
    let aim = rng.random_range(len / 4..=len * 3 / 4);
    let Some((start, header)) = batch_at(&*file, len, aim)? else { return Ok(None) };
    let position = start + rng.random_range(COVERED_FROM..header.size_bytes() as u64);
    let was = match file.read_at(1, position)?.as_slice() {
        [was] => *was,
        // It was cut off meanwhile.
        _ => return Ok(None),
    };
    let is = was ^ (1 << rng.random_range(0..8));
    file.write_all_at(&[is], position)?;
    Ok(Some(Rot { path: path.to_owned(), position, was, is, base_offset: header.base_offset }))
}

/// The whole batch that holds the byte at `aim`, or the last whole one before it.
fn batch_at(file: &dyn DiskFile, len: u64, aim: u64) -> io::Result<Option<(u64, BatchHeader)>> {
    let (mut at, mut found) = (0, None);
    while at <= aim && at + HEADER_BYTES as u64 <= len {
        let Ok(header) = BatchHeader::parse(&file.read_at(HEADER_BYTES, at)?) else { break };
        let end = at + header.size_bytes() as u64;
        if end > len {
            break;
        }
        found = Some((at, header));
        at = end;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, Compression, validate};

    fn log_of(batches: i64) -> Vec<u8> {
        let batch = |number: i64| {
            let mut builder = BatchBuilder::new(number, Compression::None);
            builder.push(1, None, Some(b"twelve bytes"), &[]);
            builder.build().to_vec()
        };
        (0..batches).flat_map(batch).collect()
    }

    #[test]
    fn one_bit_flips_that_the_checksum_covers_and_flips_back() {
        let root = tempfile::tempdir().unwrap();
        let dirs = [root.path().to_owned()];
        let sound = log_of(20);
        for name in ["a-0", "a-1", "b-0"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
            std::fs::write(root.path().join(name).join("00000000000000000000.log"), &sound).unwrap();
        }
        std::fs::write(root.path().join("a-1/00000000000000000020.log"), []).unwrap();
        for seed in 0..50 {
            let rot = rot(&dirs, seed, |name| name == "a-1").unwrap().unwrap();
            assert!(rot.path.ends_with("a-1/00000000000000000000.log"));
            assert_eq!((rot.was ^ rot.is).count_ones(), 1);
            let rotten = std::fs::read(&rot.path).unwrap();
            let size = sound.len() / 20;
            let wrong: Vec<i64> = rotten
                .chunks(size)
                .enumerate()
                .filter(|(_, batch)| validate(batch).is_err())
                .map(|(index, _)| index as i64)
                .collect();
            assert_eq!(wrong, [rot.base_offset], "{rot:?}");
            assert!((4..16).contains(&rot.base_offset), "about the middle");
            assert!(mend(&rot).unwrap() && !mend(&rot).unwrap(), "once");
            assert_eq!(std::fs::read(&rot.path).unwrap(), sound);
        }
        let again = |seed| rot(&dirs, seed, |_| true).unwrap().unwrap();
        let first = again(7);
        mend(&first).unwrap();
        assert_eq!(again(7), first);
        assert_eq!(rot(&dirs, 1, |name| name == "c-0").unwrap(), None);
        std::fs::remove_file(&first.path).unwrap();
        assert!(!mend(&first).unwrap());
    }
}
