//! The sparse indexes beside a segment: files of fixed-size entries that only grow.
//!
//! Offset index: relative offset (int32) and position (int32) of a batch, one entry each `index.interval.bytes`; the offset is the
//! batch's last one. Time index: largest timestamp so far (int64) and relative offset (int32) of the batch that holds it.
//! Kafka maps files of full size into memory; here a file is as long as its entries, and the newest entries wait in memory
//! until some have gathered: neither descriptors nor memory are held for the partitions that sleep. What a crash takes of them is
//! rebuilt from the segment.
//! Source: `org.apache.kafka.storage.internals.log.OffsetIndex`, `TimeIndex`.

use std::cell::OnceCell;
use std::io;
use std::path::Path;

use super::disk::{Disk, DiskFile};

/// Entries that wait in memory at most.
const MAX_PENDING: usize = 32;
/// A search ends in one read of this many entries.
const BLOCK_ENTRIES: u32 = 64;

/// A file of `N`-byte entries.
pub(super) struct EntryFile<const N: usize> {
    file: OnceCell<Box<dyn DiskFile>>,
    written: u32,
    pending: Vec<[u8; N]>,
    last: Option<[u8; N]>,
    /// The file is not there yet, or holds entries that no longer count.
    changed: bool,
    unsynced: bool,
}

impl<const N: usize> EntryFile<N> {
    /// No entries; the file is made (or emptied) with the first ones.
    pub(super) fn empty() -> EntryFile<N> {
        EntryFile { file: OnceCell::new(), written: 0, pending: Vec::new(), last: None, changed: true, unsynced: false }
    }

    /// No entries and no file until there is one.
    pub(super) fn absent() -> EntryFile<N> {
        EntryFile { changed: false, ..EntryFile::empty() }
    }

    /// The entries of an existing file; `None` if its length is not theirs.
    pub(super) fn load(disk: &dyn Disk, path: &Path) -> io::Result<Option<EntryFile<N>>> {
        let file = disk.open(path, false)?;
        let len = file.len()?;
        let Some(written) = u32::try_from(len / N as u64).ok().filter(|_| len % N as u64 == 0) else {
            return Ok(None);
        };
        let mut last = None;
        if written > 0 {
            let mut entry = [0; N];
            file.read_exact_at(&mut entry, len - N as u64)?;
            last = Some(entry);
        }
        Ok(Some(EntryFile {
            file: OnceCell::new(),
            written,
            pending: Vec::new(),
            last,
            changed: false,
            unsynced: false,
        }))
    }

    pub(super) fn len(&self) -> u32 {
        self.written + self.pending.len() as u32
    }

    pub(super) fn last(&self) -> Option<[u8; N]> {
        self.last
    }

    pub(super) fn push(&mut self, disk: &dyn Disk, path: &Path, entry: [u8; N]) -> io::Result<()> {
        self.pending.push(entry);
        self.last = Some(entry);
        if self.pending.len() >= MAX_PENDING { self.write_pending(disk, path) } else { Ok(()) }
    }

    fn file(&self, disk: &dyn Disk, path: &Path, create: bool) -> io::Result<&dyn DiskFile> {
        if self.file.get().is_none() {
            let _ = self.file.set(disk.open(path, create)?);
        }
        self.file.get().map(Box::as_ref).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file_mut(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<&mut Box<dyn DiskFile>> {
        self.file(disk, path, true)?;
        self.file.get_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Writes what waits, so that the file is whole.
    pub(super) fn write_pending(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        if self.pending.is_empty() && !self.changed {
            return Ok(());
        }
        let (written, bytes) = (self.written, self.pending.concat());
        let end = u64::from(written) * N as u64;
        let file = self.file_mut(disk, path)?;
        if written == 0 && !file.is_empty()? {
            file.truncate(0)?;
        }
        if !bytes.is_empty() {
            file.write_all_at(&bytes, end)?;
        }
        self.written += self.pending.len() as u32;
        self.pending.clear();
        (self.changed, self.unsynced) = (false, true);
        Ok(())
    }

    /// Writes what waits and makes it durable. False if there was nothing to do.
    pub(super) fn sync(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<bool> {
        if !self.pending.is_empty() {
            self.write_pending(disk, path)?;
        }
        if !self.unsynced {
            return Ok(false);
        }
        self.file_mut(disk, path)?.sync()?;
        self.unsynced = false;
        Ok(true)
    }

    /// Closes the file until it is needed again.
    pub(super) fn release(&mut self) {
        self.file.take();
        self.pending.shrink_to_fit();
    }

    /// Drops the entries from `len` on.
    pub(super) fn truncate(&mut self, disk: &dyn Disk, path: &Path, len: u32) -> io::Result<()> {
        if len >= self.len() {
            return Ok(());
        }
        if len < self.written {
            self.pending.clear();
            self.file_mut(disk, path)?.truncate(u64::from(len) * N as u64)?;
            self.written = len;
            self.unsynced = true;
        } else {
            self.pending.truncate((len - self.written) as usize);
        }
        self.last = match len.checked_sub(1) {
            Some(last) => Some(self.get(disk, path, last)?),
            None => None,
        };
        Ok(())
    }

    pub(super) fn get(&self, disk: &dyn Disk, path: &Path, index: u32) -> io::Result<[u8; N]> {
        if let Some(pending) = index.checked_sub(self.written) {
            return self.pending.get(pending as usize).copied().ok_or_else(|| io::ErrorKind::InvalidInput.into());
        }
        let mut entry = [0; N];
        self.file(disk, path, false)?.read_exact_at(&mut entry, u64::from(index) * N as u64)?;
        Ok(entry)
    }

    /// Up to `count` entries from `first` on.
    pub(super) fn block(&self, disk: &dyn Disk, path: &Path, first: u32, count: u32) -> io::Result<Vec<[u8; N]>> {
        let in_file = self.written.saturating_sub(first).min(count);
        let mut bytes = vec![0; in_file as usize * N];
        if in_file > 0 {
            self.file(disk, path, false)?.read_exact_at(&mut bytes, u64::from(first) * N as u64)?;
        }
        let pending = self.pending.iter().skip(first.saturating_sub(self.written) as usize);
        Ok(bytes.as_chunks::<N>().0.iter().chain(pending).take(count as usize).copied().collect())
    }

    /// How many entries satisfy `test`, which must hold for a prefix of them.
    pub(super) fn partition_point(
        &self,
        disk: &dyn Disk,
        path: &Path,
        test: impl Fn(&[u8; N]) -> bool,
    ) -> io::Result<u32> {
        if self.pending.first().is_some_and(&test) || self.written == 0 {
            return Ok(self.written + self.pending.partition_point(&test) as u32);
        }
        let (mut low, mut high) = (0, self.written);
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            if test(&self.get(disk, path, middle)?) { low = middle + 1 } else { high = middle }
        }
        let mut block = vec![0; (high - low) as usize * N];
        self.file(disk, path, false)?.read_exact_at(&mut block, u64::from(low) * N as u64)?;
        let (entries, _) = block.as_chunks::<N>();
        Ok(low + entries.partition_point(&test) as u32)
    }

    /// The last entry that satisfies `test` (see [`EntryFile::partition_point`]).
    pub(super) fn last_where(
        &self,
        disk: &dyn Disk,
        path: &Path,
        test: impl Fn(&[u8; N]) -> bool,
    ) -> io::Result<Option<[u8; N]>> {
        match self.partition_point(disk, path, test)?.checked_sub(1) {
            Some(index) => self.get(disk, path, index).map(Some),
            None => Ok(None),
        }
    }
}

/// An entry of the offset index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    pub(super) relative_offset: u32,
    pub(super) position: u32,
}

impl OffsetEntry {
    pub(super) fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.relative_offset) << 32 | u64::from(self.position)).to_be_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8; 8]) -> OffsetEntry {
        let both = u64::from_be_bytes(*bytes);
        OffsetEntry { relative_offset: (both >> 32) as u32, position: both as u32 }
    }
}

/// An entry of the time index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub(super) timestamp_ms: i64,
    pub(super) relative_offset: u32,
}

impl TimeEntry {
    pub(super) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.timestamp_ms.to_be_bytes());
        bytes[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; 12]) -> TimeEntry {
        let mut timestamp = [0; 8];
        timestamp.copy_from_slice(&bytes[..8]);
        let mut offset = [0; 4];
        offset.copy_from_slice(&bytes[8..]);
        TimeEntry { timestamp_ms: i64::from_be_bytes(timestamp), relative_offset: u32::from_be_bytes(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SimDisk;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_are_found_wherever_they_wait(count in 0..300u32, reload in 0..300u32, cut in 0..300u32, sought in 0..700u32) {
            let disk = SimDisk::new();
            let path = Path::new("/0.index");
            let mut index = EntryFile::<8>::empty();
            let entry = |i: u32| OffsetEntry { relative_offset: 2 * i, position: i };
            for i in 0..count {
                if i == reload {
                    index.write_pending(&disk, path).unwrap();
                    index = EntryFile::load(&disk, path).unwrap().unwrap();
                }
                index.push(&disk, path, entry(i).to_bytes()).unwrap();
            }
            let find = |index: &EntryFile<8>| index.last_where(&disk, path, |e| OffsetEntry::from_bytes(e).relative_offset <= sought).unwrap();
            prop_assert_eq!(find(&index), (count > 0).then(|| entry((sought / 2).min(count - 1)).to_bytes()));
            index.truncate(&disk, path, cut).unwrap();
            let left = count.min(cut);
            prop_assert_eq!(index.len(), left);
            prop_assert_eq!(index.last(), (left > 0).then(|| entry(left - 1).to_bytes()));
            prop_assert_eq!(find(&index), (left > 0).then(|| entry((sought / 2).min(left - 1)).to_bytes()));
            index.write_pending(&disk, path).unwrap();
            index.sync(&disk, path).unwrap();
            prop_assert!(!index.sync(&disk, path).unwrap());
            prop_assert_eq!(disk.read(path, 1 << 20).unwrap().len(), left as usize * 8);
        }
    }

    #[test]
    fn an_emptied_index_forgets_its_old_file() {
        let disk = SimDisk::new();
        let path = Path::new("/0.timeindex");
        disk.open(path, true).unwrap().write_all_at(&[7; 36], 0).unwrap();
        let mut index = EntryFile::<12>::empty();
        index.write_pending(&disk, path).unwrap();
        assert_eq!(disk.read(path, 100).unwrap(), b"");
        disk.open(path, true).unwrap().write_all_at(&[7; 35], 0).unwrap();
        assert!(EntryFile::<12>::load(&disk, path).unwrap().is_none());
        let entry = TimeEntry { timestamp_ms: -5, relative_offset: 9 };
        assert_eq!(TimeEntry::from_bytes(&entry.to_bytes()), entry);
    }
}
