//! A node's disk with what can go wrong with it: the real disk behind a switch, and an honest account of what is not durable on it.
//!
//! A [`Drive`] stays with a node's seat; each incarnation of the node mounts it anew and is fenced off by its death. While no fault is in
//! force an operation costs one atomic load more, and a write one uncontended lock.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::locked;
use super::undo::FileData;
use super::unsynced::{FileRef, Unsynced};
use crate::log::RealDisk;
use crate::log::disk::{Disk, DiskFile, Space};
use crate::node::NodeDisk;

/// What a disk does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskEffect {
    /// Each operation takes this much longer, on the thread of the node that asked for it.
    Slow(Duration),
    /// Nothing can grow: ENOSPC.
    Full,
    /// Operations fail: EIO.
    Failing {
        /// Reads of files and directories.
        reads: bool,
        /// Writes, syncs, and changes of names.
        writes: bool,
        /// Syncs of files and directories alone.
        syncs: bool,
    },
}

/// A fault of a disk, or of one log directory on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFault {
    /// What is below this directory; `None`: everything.
    pub log_dir: Option<PathBuf>,
    /// What it does.
    pub effect: DiskEffect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Change,
    Growth,
    Sync,
}

/// The faults in force.
#[derive(Default)]
struct Switch {
    armed: AtomicBool,
    faults: Mutex<Vec<(u64, DiskFault)>>,
    last_id: AtomicU64,
    changed: Condvar,
}

impl Switch {
    /// Waits as long as the disk is slow, then refuses if it is broken. A node that is killed waits no longer.
    fn check(&self, operation: Operation, path: &Path, disk: &RealDisk) -> io::Result<()> {
        let mut faults = locked(&self.faults);
        let start = Instant::now();
        loop {
            let hit = |(_, fault): &&(u64, DiskFault)| fault.log_dir.as_deref().is_none_or(|dir| path.starts_with(dir));
            let delay = faults.iter().filter(hit).filter_map(|(_, fault)| match fault.effect {
                DiskEffect::Slow(delay) => Some(delay),
                _ => None,
            });
            let left = delay.max().unwrap_or_default().saturating_sub(start.elapsed());
            if left.is_zero() || disk.is_fenced() {
                return match faults.iter().filter(hit).find_map(|(_, fault)| fault.effect.refusal(operation)) {
                    Some(error) => Err(error),
                    None => Ok(()),
                };
            }
            faults = self.changed.wait_timeout(faults, left).map_or_else(|poisoned| poisoned.into_inner().0, |ok| ok.0);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<(u64, DiskFault)>)) {
        let mut faults = locked(&self.faults);
        change(&mut faults);
        self.armed.store(!faults.is_empty(), Ordering::Release);
        drop(faults);
        self.changed.notify_all();
    }
}

impl DiskEffect {
    fn refusal(self, operation: Operation) -> Option<io::Error> {
        match self {
            DiskEffect::Full if operation == Operation::Growth => {
                Some(io::Error::new(io::ErrorKind::StorageFull, "No space left on device"))
            }
            DiskEffect::Failing { reads: true, .. } if operation == Operation::Read => Some(input_output_error()),
            DiskEffect::Failing { writes: true, .. } if operation != Operation::Read => Some(input_output_error()),
            DiskEffect::Failing { syncs: true, .. } if operation == Operation::Sync => Some(input_output_error()),
            DiskEffect::Slow(_) | DiskEffect::Full | DiskEffect::Failing { .. } => None,
        }
    }
}

#[cfg(unix)]
fn input_output_error() -> io::Error {
    const EIO: i32 = 5;
    io::Error::from_raw_os_error(EIO)
}

#[cfg(not(unix))]
fn input_output_error() -> io::Error {
    io::Error::other("Input/output error")
}

/// A node's drive. Clones are one drive.
#[derive(Clone)]
pub struct Drive {
    switch: Arc<Switch>,
    unsynced: Arc<Mutex<Unsynced>>,
}

impl Drive {
    /// A drive on which everything is durable so far. What a loss of power would bring back is kept in `kept_dir`, which is of this drive
    /// alone and lies on the file system of the data.
    pub fn new(kept_dir: PathBuf) -> Drive {
        Drive { switch: Arc::default(), unsynced: Arc::new(Mutex::new(Unsynced::new(kept_dir))) }
    }

    /// The disk for one incarnation of the node.
    pub fn mount(&self) -> FaultDisk {
        FaultDisk { real: RealDisk::new(), drive: self.clone() }
    }

    /// Puts a fault into force; its id.
    pub fn break_it(&self, fault: DiskFault) -> u64 {
        let id = self.switch.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.switch.change(|faults| faults.push((id, fault)));
        id
    }

    /// Ends a fault.
    pub fn heal(&self, id: u64) {
        self.switch.change(|faults| faults.retain(|(other, _)| *other != id));
    }

    /// What was not synced is gone; of the unsynced bytes appended to a file the first `survive(how many there are)` reached the disk.
    /// Every mounted disk must have been fenced.
    ///
    /// # Errors
    /// The real disk failed; what it holds then is neither the one nor the other.
    pub fn power_loss(&self, mut survive: impl FnMut(u64) -> u64) -> io::Result<()> {
        locked(&self.unsynced).power_loss(&mut survive)
    }
}

/// The drive as one incarnation of a node sees it. Clones are one disk and share the fence.
#[derive(Clone)]
pub struct FaultDisk {
    real: RealDisk,
    drive: Drive,
}

impl FaultDisk {
    fn check(&self, operation: Operation, path: &Path) -> io::Result<()> {
        match self.drive.switch.armed.load(Ordering::Acquire) {
            true => self.drive.switch.check(operation, path, &self.real),
            false => Ok(()),
        }
    }

    /// Removes a file or directory (it may have to be kept), and syncs its directory if too much is kept.
    fn remove(&self, path: &Path, remove: impl Fn() -> io::Result<()>) -> io::Result<()> {
        self.check(Operation::Change, path)?;
        let mut unsynced = locked(&self.drive.unsynced);
        let mut cannot_keep = false;
        let sync = unsynced.remove(path, |keep_at| match keep_at {
            None => remove(),
            Some(place) => match self.real.rename(path, place) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    cannot_keep = true;
                    remove()
                }
                moved => moved,
            },
        })?;
        match (path.parent(), sync || cannot_keep) {
            (Some(dir), true) => self.sync_names(&mut unsynced, dir),
            _ => Ok(()),
        }
    }

    fn sync_names(&self, unsynced: &mut Unsynced, dir: &Path) -> io::Result<()> {
        self.real.sync_dir(dir)?;
        unsynced.dir_synced(dir)
    }
}

impl NodeDisk for FaultDisk {
    fn fence(&self) {
        self.real.fence();
        // Whoever waits for a slow disk looks again.
        self.drive.switch.change(|_| {});
    }
}

impl Disk for FaultDisk {
    fn stopwatch(&self) -> Duration {
        self.real.stopwatch()
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut unsynced = locked(&self.drive.unsynced);
        let (file, created) = match self.real.open(path, false) {
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                drop(unsynced);
                self.check(Operation::Growth, path)?;
                unsynced = locked(&self.drive.unsynced);
                (self.real.open(path, true)?, true)
            }
            opened => (opened?, false),
        };
        let data = unsynced.opened(path, created, &*file)?;
        drop(unsynced);
        Ok(Box::new(FaultFile { disk: self.clone(), path: path.into(), file, data }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.check(Operation::Read, dir)?;
        self.real.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let missing = Unsynced::missing_dirs(dir);
        if missing.is_empty() {
            return self.real.create_dir_all(dir);
        }
        self.check(Operation::Growth, dir)?;
        let mut unsynced = locked(&self.drive.unsynced);
        self.real.create_dir_all(dir)?;
        missing.iter().rev().try_for_each(|dir| unsynced.dir_created(dir))
    }

    fn exists(&self, path: &Path) -> bool {
        self.real.exists(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.real.is_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Operation::Change, from)?;
        if from == to {
            return self.real.rename(from, to);
        }
        let mut unsynced = locked(&self.drive.unsynced);
        if from.parent() != to.parent() {
            self.real.rename(from, to)?;
            unsynced.moved(from, to)?;
            return [from, to]
                .iter()
                .filter_map(|path| path.parent())
                .try_for_each(|dir| self.sync_names(&mut unsynced, dir));
        }
        if !self.real.exists(to) {
            self.real.rename(from, to)?;
            return unsynced.renamed(from, to);
        }
        // What is replaced gets a second name first, so that a crash of the whole program leaves one or the other.
        let mut cannot_keep = false;
        let sync = unsynced.remove(to, |keep_at| {
            cannot_keep = keep_at.is_some_and(|place| std::fs::hard_link(to, place).is_err());
            self.real.rename(from, to).inspect_err(|_| {
                // Nothing was replaced, so nothing is to be kept; what is left over takes room until the next start.
                let _ = keep_at.map(std::fs::remove_file);
            })
        })?;
        unsynced.renamed(from, to)?;
        match (to.parent(), sync || cannot_keep) {
            (Some(dir), true) => self.sync_names(&mut unsynced, dir),
            _ => Ok(()),
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.remove(path, || self.real.remove_file(path))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.remove(dir, || self.real.remove_dir_all(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(Operation::Sync, dir)?;
        let mut unsynced = locked(&self.drive.unsynced);
        self.sync_names(&mut unsynced, dir)
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let space = self.real.space(dir)?;
        // A disk that refuses to grow has no room.
        let is_full = self.check(Operation::Growth, dir).is_err_and(|error| error.kind() == io::ErrorKind::StorageFull);
        Ok(if is_full { Space { usable_bytes: 0, ..space } } else { space })
    }
}

struct FaultFile {
    disk: FaultDisk,
    path: Box<Path>,
    file: Box<dyn DiskFile>,
    data: FileRef,
}

impl FaultFile {
    fn check(&self, operation: Operation) -> io::Result<()> {
        self.disk.check(operation, &self.path)
    }

    /// After a change that failed half-way, the length is what the disk says.
    fn measured(&self, data: &mut FileData, error: io::Error) -> io::Error {
        if let Ok(size_bytes) = self.file.len() {
            data.resized(size_bytes);
        }
        error
    }
}

impl DiskFile for FaultFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.check(Operation::Read)?;
        self.file.read_exact_at(buffer, position)
    }

    fn read_at(&self, len: usize, position: u64) -> io::Result<Vec<u8>> {
        self.check(Operation::Read)?;
        self.file.read_at(len, position)
    }

    fn write_all_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        let end = position + bytes.len() as u64;
        let mut refusal = None;
        let mut taken = bytes;
        if self.disk.drive.switch.armed.load(Ordering::Acquire) {
            let grows = end > locked(&self.data).size_bytes();
            refusal = self.check(if grows { Operation::Growth } else { Operation::Change }).err();
            match &refusal {
                // A disk that fills up takes a part.
                Some(error) if error.kind() == io::ErrorKind::StorageFull => taken = &bytes[..bytes.len() / 2],
                Some(_) => taken = &[],
                None => {}
            }
        }
        let data = Arc::clone(&self.data);
        let mut data = locked(&data);
        if !taken.is_empty() {
            let end = position + taken.len() as u64;
            let kept = data.remember(&*self.file, position, end)?;
            self.file.write_all_at(taken, position).map_err(|error| self.measured(&mut data, error))?;
            let size_bytes = data.size_bytes().max(end);
            data.resized(size_bytes);
            if !kept {
                self.file.sync()?;
                data.synced();
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let grows = len > locked(&self.data).size_bytes();
        self.check(if grows { Operation::Growth } else { Operation::Change })?;
        let data = Arc::clone(&self.data);
        let mut data = locked(&data);
        let kept = data.remember(&*self.file, len, u64::MAX)?;
        self.file.truncate(len).map_err(|error| self.measured(&mut data, error))?;
        data.resized(len);
        if !kept {
            self.file.sync()?;
            data.synced();
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check(Operation::Sync)?;
        let data = Arc::clone(&self.data);
        let mut data = locked(&data);
        self.file.sync()?;
        data.synced();
        Ok(())
    }
}
