//! A disk in memory that remembers what was made durable, so that a simulation can cut its power.
//!
//! It is as pessimistic as POSIX allows: bytes need `sync`, names need `sync_dir` of their directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};

/// A directory tree in memory. Clones are one disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    root: DirRef,
    /// Handles of earlier generations are dead.
    generation: u64,
    /// Changes at or below these fail.
    failures: BTreeMap<PathBuf, io::ErrorKind>,
    /// Reads of files at or below these fail.
    failing_reads: BTreeSet<PathBuf>,
    /// Changes that still succeed before `failures` set in.
    grace: u64,
    writes: u64,
    syncs: u64,
}

type FileRef = Arc<Mutex<FileData>>;
type DirRef = Arc<Mutex<DirData>>;

#[derive(Clone, Debug)]
enum Node {
    File(FileRef),
    Dir(DirRef),
}

#[derive(Debug, Default)]
struct DirData {
    entries: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
}

#[derive(Debug, Default)]
struct FileData {
    bytes: Vec<u8>,
    durable_len: usize,
    /// Durable bytes that were overwritten or cut off since the last sync, in order: position, what stood there.
    undo: Vec<(usize, Vec<u8>)>,
}

impl Node {
    fn is(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::File(one), Node::File(other)) => Arc::ptr_eq(one, other),
            (Node::Dir(one), Node::Dir(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl DirData {
    /// Makes the present meaning of a name durable. What it means loses the names that it had before; what the name meant before has its
    /// present name, if it was moved, and is gone if it was removed.
    fn sync_name(&mut self, name: &str) {
        let mut next = Some(name.to_owned());
        while let Some(name) = next {
            let Some(node) = self.entries.get(&name).cloned() else { return };
            if self.durable.get(&name).is_some_and(|durable| durable.is(&node)) {
                return;
            }
            self.durable.retain(|_, durable| !durable.is(&node));
            let before = self.durable.insert(name, node);
            next = before.and_then(|before| {
                self.entries.iter().find(|(_, node)| node.is(&before)).map(|(name, _)| name.clone())
            });
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileData {
    fn remember(&mut self, from: usize, to: usize) {
        let (from, to) = (from.min(self.durable_len), to.min(self.durable_len).min(self.bytes.len()));
        if from < to {
            self.undo.push((from, self.bytes[from..to].to_vec()));
        }
    }

    fn write(&mut self, bytes: &[u8], position: usize) {
        // As pwrite: nothing written extends nothing.
        if bytes.is_empty() {
            return;
        }
        let end = position + bytes.len();
        self.remember(position, end);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[position..end].copy_from_slice(bytes);
    }

    fn truncate(&mut self, len: usize) {
        self.remember(len, usize::MAX);
        self.bytes.resize(len, 0);
    }

    fn sync(&mut self) {
        self.undo.clear();
        self.durable_len = self.bytes.len();
    }

    /// Back to what was durable, but for the first `kept` bytes that were appended after it.
    fn power_loss(&mut self, kept: usize) {
        let appended = self.bytes.get(self.durable_len..).unwrap_or_default();
        let kept = if self.undo.is_empty() { appended[..kept.min(appended.len())].to_vec() } else { Vec::new() };
        self.bytes.resize(self.durable_len, 0);
        for (position, old) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.bytes[position..position + old.len()].copy_from_slice(&old);
        }
        self.bytes.extend_from_slice(&kept);
        self.durable_len = self.bytes.len();
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Cuts the power: what was not synced is gone, and so is every open file.
    pub fn power_loss(&self) {
        self.power_loss_keeping(|_| 0);
    }

    /// The same, but of the unsynced bytes appended to a file the first `kept(how many there are)` reach the disk: torn tails.
    pub fn power_loss_keeping(&self, mut kept: impl FnMut(usize) -> usize) {
        let mut state = locked(&self.state);
        state.generation += 1;
        lose_power(&state.root, &mut kept);
    }

    /// The node was killed, the machine runs on: all bytes stay, every open file is dead.
    pub fn kill(&self) {
        locked(&self.state).generation += 1;
    }

    /// From now on every change fails with this error (`StorageFull`, `Other`, …); `None` heals.
    pub fn fail_writes(&self, failure: Option<io::ErrorKind>) {
        self.fail_writes_under(Path::new("/"), failure);
    }

    /// The same, once `changes` more changes have succeeded: a test can so stop at every step of what it looks at.
    pub fn fail_writes_after(&self, changes: u64, failure: io::ErrorKind) {
        self.fail_writes(Some(failure));
        locked(&self.state).grace = changes;
    }

    /// The same for `path` and all below it only: one log directory of several.
    pub fn fail_writes_under(&self, path: &Path, failure: Option<io::ErrorKind>) {
        let mut state = locked(&self.state);
        state.grace = 0;
        let failures = &mut state.failures;
        match failure {
            Some(kind) => failures.insert(path.to_owned(), kind),
            None => failures.remove(path),
        };
    }

    /// From now on every read of a file fails, or no longer.
    pub fn fail_reads(&self, failing: bool) {
        self.fail_reads_under(Path::new("/"), failing);
    }

    /// The same for `path` and all below it only.
    pub fn fail_reads_under(&self, path: &Path, failing: bool) {
        let paths = &mut locked(&self.state).failing_reads;
        if failing {
            paths.insert(path.to_owned())
        } else {
            paths.remove(path)
        };
    }

    /// Changes made so far.
    pub fn writes(&self) -> u64 {
        locked(&self.state).writes
    }

    /// Syncs of files and directories made so far.
    pub fn syncs(&self) -> u64 {
        locked(&self.state).syncs
    }

    /// Bytes in all files.
    pub fn size_bytes(&self) -> u64 {
        size_bytes(&locked(&self.state).root)
    }

    /// Makes a change to what stands at these paths, unless one of them fails.
    fn change<T>(&self, paths: &[&Path], change: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let mut state = locked(&self.state);
        state.check_change(paths)?;
        change(&state)
    }
}

impl State {
    fn check_change(&mut self, paths: &[&Path]) -> io::Result<()> {
        self.writes += 1;
        if self.grace > 0 {
            self.grace -= 1;
            return Ok(());
        }
        paths.iter().try_for_each(|path| self.check_failing(path))
    }

    fn check_failing(&self, path: &Path) -> io::Result<()> {
        match self.failures.iter().find(|(failing, _)| path.starts_with(failing)) {
            Some((_, kind)) => Err(io::Error::new(*kind, "the disk fails, as the simulation asked")),
            None => Ok(()),
        }
    }

    fn check_read(&self, path: &Path) -> io::Result<()> {
        match self.failing_reads.iter().any(|failing| path.starts_with(failing)) {
            true => Err(io::Error::other("the disk fails, as the simulation asked")),
            false => Ok(()),
        }
    }

    fn dir(&self, path: &Path) -> io::Result<DirRef> {
        let mut dir = Arc::clone(&self.root);
        for name in names(path)? {
            let next = locked(&dir).entries.get(name).cloned();
            dir = match next {
                Some(Node::Dir(next)) => next,
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => return Err(not_found(path)),
            };
        }
        Ok(dir)
    }

    fn parent<'a>(&self, path: &'a Path) -> io::Result<(DirRef, &'a str)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.dir(parent)?, name))
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        if path.parent().is_none() {
            return Ok(Node::Dir(Arc::clone(&self.root)));
        }
        let (dir, name) = self.parent(path)?;
        let node = locked(&dir).entries.get(name).cloned();
        node.ok_or_else(|| not_found(path))
    }
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

fn names(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?),
            Component::RootDir | Component::Prefix(_) | Component::CurDir => {}
            Component::ParentDir => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

/// As rename(2): a file replaces a file, a directory an empty directory.
fn check_replaced(node: &Node, replaced: Option<&Node>) -> io::Result<()> {
    match (node, replaced) {
        (_, Some(replaced)) if node.is(replaced) => Ok(()),
        (Node::Dir(_), Some(Node::File(_))) => Err(io::ErrorKind::NotADirectory.into()),
        (Node::File(_), Some(Node::Dir(_))) => Err(io::ErrorKind::IsADirectory.into()),
        (_, Some(Node::Dir(replaced))) if !locked(replaced).entries.is_empty() => {
            Err(io::ErrorKind::DirectoryNotEmpty.into())
        }
        _ => Ok(()),
    }
}

fn lose_power(dir: &DirRef, kept: &mut dyn FnMut(usize) -> usize) {
    let mut data = locked(dir);
    data.entries = data.durable.clone();
    for node in data.entries.values() {
        match node {
            Node::Dir(dir) => lose_power(dir, kept),
            Node::File(file) => {
                let mut file = locked(file);
                let unsynced = file.bytes.len().saturating_sub(file.durable_len);
                let kept = kept(unsynced);
                file.power_loss(kept);
            }
        }
    }
}

fn size_bytes(dir: &DirRef) -> u64 {
    let data = locked(dir);
    data.entries
        .values()
        .map(|node| match node {
            Node::Dir(dir) => size_bytes(dir),
            Node::File(file) => locked(file).bytes.len() as u64,
        })
        .sum()
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut state = locked(&self.state);
        let file = match state.node(path) {
            Ok(Node::File(file)) => file,
            Ok(Node::Dir(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                state.check_change(&[path])?;
                let (dir, name) = state.parent(path)?;
                let file = FileRef::default();
                locked(&dir).entries.insert(name.to_owned(), Node::File(Arc::clone(&file)));
                file
            }
            Err(error) => return Err(error),
        };
        Ok(Box::new(SimFile { disk: self.clone(), file, path: path.into(), generation: state.generation }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let dir = locked(&self.state).dir(dir)?;
        let names = locked(&dir).entries.keys().cloned().collect();
        Ok(names)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(&[path], |state| {
            let mut dir = Arc::clone(&state.root);
            for name in names(path)? {
                let next =
                    match locked(&dir).entries.entry(name.to_owned()).or_insert_with(|| Node::Dir(DirRef::default())) {
                        Node::Dir(next) => Arc::clone(next),
                        Node::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
                    };
                dir = next;
            }
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> bool {
        locked(&self.state).node(path).is_ok()
    }

    fn is_dir(&self, path: &Path) -> bool {
        matches!(locked(&self.state).node(path), Ok(Node::Dir(_)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(&[to, from], |state| {
            let node = state.node(from)?;
            let (to_dir, to_name) = state.parent(to)?;
            let (from_dir, from_name) = state.parent(from)?;
            let replaced = locked(&to_dir).entries.get(to_name).cloned();
            check_replaced(&node, replaced.as_ref())?;
            locked(&from_dir).entries.remove(from_name);
            locked(&to_dir).entries.insert(to_name.to_owned(), node);
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(&[path], |state| match state.node(path)? {
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
            Node::File(_) => {
                let (dir, name) = state.parent(path)?;
                locked(&dir).entries.remove(name);
                Ok(())
            }
        })
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(&[path], |state| {
            state.dir(path)?;
            let (dir, name) = state.parent(path)?;
            locked(&dir).entries.remove(name);
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = locked(&self.state);
        state.check_change(&[path])?;
        state.syncs += 1;
        // A directory whose own name is not durable yet cannot be of use after a loss of power: real file systems write the
        // path to it as well, and what had to happen before it could have that name.
        let mut dir = Arc::clone(&state.root);
        for name in names(path)? {
            let mut data = locked(&dir);
            let Some(Node::Dir(next)) = data.entries.get(name).cloned() else {
                return Err(not_found(path));
            };
            data.sync_name(name);
            drop(data);
            dir = next;
        }
        let mut data = locked(&dir);
        data.durable = data.entries.clone();
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    file: FileRef,
    path: Box<Path>,
    generation: u64,
}

impl SimFile {
    fn check(&self, change: bool) -> io::Result<()> {
        let mut state = locked(&self.disk.state);
        if state.generation != self.generation {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the node that held this file was killed"));
        }
        if change {
            return state.check_change(&[&self.path]);
        }
        state.check_read(&self.path)
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.check(false)?;
        Ok(locked(&self.file).bytes.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.check(false)?;
        let data = locked(&self.file);
        let range =
            usize::try_from(position).ok().and_then(|from| data.bytes.get(from..from.checked_add(buffer.len())?));
        buffer.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        if let Err(error) = self.check(true) {
            // A disk that fills up takes a part.
            if error.kind() == io::ErrorKind::StorageFull {
                locked(&self.file).write(&bytes[..bytes.len() / 2], position as usize);
            }
            return Err(error);
        }
        locked(&self.file).write(bytes, position as usize);
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.check(true)?;
        locked(&self.file).truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check(true)?;
        locked(&self.disk.state).syncs += 1;
        locked(&self.file).sync();
        Ok(())
    }
}

#[cfg(test)]
#[path = "sim_disk_tests.rs"]
mod tests;
