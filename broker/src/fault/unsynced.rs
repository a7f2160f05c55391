//! What a loss of power would take from a node's real disk: which bytes and names were not made durable yet, and how to bring back what
//! they replaced.
//!
//! The rules are those of `log::SimDisk`, as pessimistic as POSIX allows: bytes need `sync`, names need `sync_dir` of their directory.
//! Of appends only lengths are kept; bytes that were overwritten or cut off are kept in memory, files that were removed or replaced are
//! kept beside the data, under other names. Both are bounded: what passes a bound is made durable at once, as a kernel under pressure
//! writes back. A file that is moved to another directory is made durable too. The tree knows only names that were touched.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::locked;
use super::undo::FileData;
use crate::log::disk::DiskFile;

/// Bytes of removed and replaced files that are kept at most.
const KEPT_FILES_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Removed and replaced files (or directories) that are kept at most.
const KEPT_FILES_MAX: usize = 1024;
/// Files of one directory that are known before those that are closed and durable are forgotten.
const SWEEP_FROM: usize = 64;

type Key = u64;
/// The unsynced bytes of a file, shared with whoever has it open.
pub(super) type FileRef = Arc<Mutex<FileData>>;

/// Names not yet durable, of all directories.
pub(super) struct Unsynced {
    /// What all paths begin with (`/`).
    root: PathBuf,
    /// Where removed and replaced files wait.
    kept_dir: PathBuf,
    nodes: HashMap<Key, Node>,
    next_key: Key,
    kept_files: usize,
    kept_bytes: u64,
}

struct Node {
    kind: Kind,
    /// Reachable by a name now.
    current: bool,
    /// Durable names of other times that a loss of power would give back to it.
    durable_names: u32,
    /// Where it waits, if it is reachable by no name.
    kept: Option<Kept>,
}

#[derive(Clone, Copy)]
struct Kept {
    number: Key,
    size_bytes: u64,
}

enum Kind {
    File(FileRef),
    Dir(DirData),
}

#[derive(Default)]
struct DirData {
    /// Names that are known.
    children: BTreeMap<Box<str>, Key>,
    /// Names whose durable meaning differs from the present one: what they meant; `None`: nothing.
    durable: BTreeMap<Box<str>, Option<Key>>,
    sweep_at: usize,
}

const ROOT: Key = 0;

/// The names of a directory: what they mean, and what those meant that are not durable.
type Entries = (Vec<(Box<str>, Key)>, Vec<(Box<str>, Option<Key>)>);

/// What one name means now and durably.
struct Name {
    dir: Key,
    name: Box<str>,
    /// It means now what it means durably.
    durable: bool,
}

impl Unsynced {
    /// Everything under the root of `kept_dir` is durable. What waits in `kept_dir` from another life of the process is removed.
    pub(super) fn new(kept_dir: PathBuf) -> Unsynced {
        let root = kept_dir.components().take_while(|component| !matches!(component, Component::Normal(_))).collect();
        // It is absent, as a rule; whatever else keeps it from being removed shows when it is needed.
        let _ = fs::remove_dir_all(&kept_dir);
        let mut tree = Unsynced { root, kept_dir, nodes: HashMap::new(), next_key: ROOT, kept_files: 0, kept_bytes: 0 };
        tree.reset();
        tree
    }

    fn reset(&mut self) {
        (self.nodes, self.next_key) = (HashMap::new(), ROOT);
        (self.kept_files, self.kept_bytes) = (0, 0);
        self.add(Kind::Dir(DirData::default()));
    }

    fn add(&mut self, kind: Kind) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        self.nodes.insert(key, Node { kind, current: true, durable_names: 0, kept: None });
        key
    }

    fn dir_data(&mut self, key: Key) -> io::Result<&mut DirData> {
        match self.nodes.get_mut(&key).map(|node| &mut node.kind) {
            Some(Kind::Dir(dir)) => Ok(dir),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn names<'a>(&self, path: &'a Path) -> io::Result<Vec<&'a str>> {
        let below = path.strip_prefix(&self.root).map_err(|_| io::ErrorKind::InvalidInput)?;
        let name = |component| match component {
            Component::Normal(name) => Ok(name.to_str().ok_or(io::ErrorKind::InvalidInput)?),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        };
        below.components().map(name).collect()
    }

    /// A directory that exists.
    fn dir(&mut self, path: &Path) -> io::Result<Key> {
        let mut dir = ROOT;
        for name in self.names(path)? {
            dir = self.child(dir, name, || Ok(Kind::Dir(DirData::default())))?;
        }
        Ok(dir)
    }

    /// What stands under a name; met for the first time, it is durable.
    fn child(&mut self, dir: Key, name: &str, meet: impl FnOnce() -> io::Result<Kind>) -> io::Result<Key> {
        if let Some(key) = self.dir_data(dir)?.children.get(name) {
            return Ok(*key);
        }
        let key = self.add(meet()?);
        self.dir_data(dir)?.children.insert(name.into(), key);
        Ok(key)
    }

    fn name(&mut self, path: &Path) -> io::Result<Name> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        let dir = self.dir(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        let durable = !self.dir_data(dir)?.durable.contains_key(name);
        Ok(Name { dir, name: name.into(), durable })
    }

    /// A file that was opened; `created`: it was not there before.
    pub(super) fn opened(&mut self, path: &Path, created: bool, file: &dyn DiskFile) -> io::Result<FileRef> {
        let Name { dir, name, durable } = self.name(path)?;
        self.sweep(dir)?;
        let key = self.child(dir, &name, || Ok(Kind::File(FileData::new_ref(file.len()?))))?;
        if created && durable {
            self.dir_data(dir)?.durable.insert(name, None);
        }
        match self.nodes.get(&key).map(|node| &node.kind) {
            Some(Kind::File(data)) => {
                // Measured under the lock, so that no write is under way.
                let mut known = locked(data);
                known.measured(file.len()?);
                drop(known);
                Ok(Arc::clone(data))
            }
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// Forgets files that are closed and durable, once there are many.
    fn sweep(&mut self, dir: Key) -> io::Result<()> {
        let data = self.dir_data(dir)?;
        if data.children.len() < data.sweep_at.max(SWEEP_FROM) {
            return Ok(());
        }
        let children: Vec<(Box<str>, Key)> = data.children.iter().map(|(name, key)| (name.clone(), *key)).collect();
        for (name, key) in children {
            let Some(node) = self.nodes.get(&key) else { continue };
            let idle = match &node.kind {
                Kind::File(file) => Arc::strong_count(file) == 1 && locked(file).is_durable(),
                Kind::Dir(dir) => dir.children.is_empty() && dir.durable.is_empty(),
            };
            if idle && node.durable_names == 0 && !self.dir_data(dir)?.durable.contains_key(&name) {
                self.nodes.remove(&key);
                self.dir_data(dir)?.children.remove(&name);
            }
        }
        let data = self.dir_data(dir)?;
        data.sweep_at = data.children.len() * 2;
        Ok(())
    }

    /// Directories that are about to be made: those of `path` and above that are not there.
    pub(super) fn missing_dirs(path: &Path) -> Vec<PathBuf> {
        path.ancestors().take_while(|dir| !dir.exists()).map(Path::to_path_buf).collect()
    }

    /// A directory was made.
    pub(super) fn dir_created(&mut self, path: &Path) -> io::Result<()> {
        let Name { dir, name, durable } = self.name(path)?;
        self.child(dir, &name, || Ok(Kind::Dir(DirData::default())))?;
        if durable {
            self.dir_data(dir)?.durable.insert(name, None);
        }
        Ok(())
    }

    /// Takes a name away. `remove` removes what it means, or is given the place to move it to if a loss of power would need it.
    /// True: the directory has to be synced now, as too much is kept.
    pub(super) fn remove(
        &mut self,
        path: &Path,
        remove: impl FnOnce(Option<&Path>) -> io::Result<()>,
    ) -> io::Result<bool> {
        // Before any of its directories is taken for one that exists.
        let size_bytes = size_of(path, &fs::metadata(path)?);
        let name = self.name(path)?;
        let key = self.child(name.dir, &name.name, || meet(path))?;
        let needed = name.durable || self.nodes.get(&key).is_some_and(|node| node.durable_names > 0);
        if !needed {
            remove(None)?;
            self.unbind(&name, key)?;
            return Ok(false);
        }
        let kept = Kept { number: self.next_key, size_bytes };
        self.next_key += 1;
        fs::create_dir_all(&self.kept_dir)?;
        remove(Some(&self.kept_dir.join(kept.number.to_string())))?;
        self.unbind(&name, key)?;
        if let Some(node) = self.nodes.get_mut(&key) {
            node.kept = Some(kept);
        }
        self.kept_files += 1;
        self.kept_bytes += size_bytes;
        Ok(self.kept_files > KEPT_FILES_MAX || self.kept_bytes > KEPT_FILES_MAX_BYTES)
    }

    fn unbind(&mut self, name: &Name, key: Key) -> io::Result<()> {
        let dir = self.dir_data(name.dir)?;
        dir.children.remove(&name.name);
        if name.durable {
            dir.durable.insert(name.name.clone(), Some(key));
        } else if dir.durable.get(&name.name) == Some(&None) {
            dir.durable.remove(&name.name);
        }
        if let Some(node) = self.nodes.get_mut(&key) {
            node.current = false;
            node.durable_names += u32::from(name.durable);
        }
        self.forget_if_gone(key);
        Ok(())
    }

    /// Moved within its directory; what stood at `to` was removed before.
    pub(super) fn renamed(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let name = self.name(from)?;
        let key = self.child(name.dir, &name.name, || meet(to))?;
        // Held as current, so that it is not forgotten between its two names.
        if let Some(node) = self.nodes.get_mut(&key) {
            node.durable_names += 1;
        }
        self.unbind(&name, key)?;
        let to = self.name(to)?;
        let dir = self.dir_data(to.dir)?;
        dir.children.insert(to.name.clone(), key);
        let came_home = dir.durable.get(&to.name) == Some(&Some(key));
        if came_home {
            dir.durable.remove(&to.name);
        } else if to.durable {
            dir.durable.insert(to.name, None);
        }
        if let Some(node) = self.nodes.get_mut(&key) {
            node.current = true;
            node.durable_names -= 1 + u32::from(came_home);
        }
        Ok(())
    }

    /// Moved to another directory and made durable in both.
    pub(super) fn moved(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, target) = (self.name(from)?, self.name(to)?);
        let key = self.child(from.dir, &from.name, || meet(to))?;
        self.dir_data(from.dir)?.children.remove(&from.name);
        self.dir_data(target.dir)?.children.insert(target.name, key);
        Ok(())
    }

    /// The names in a directory, and the way to it, are durable.
    pub(super) fn dir_synced(&mut self, path: &Path) -> io::Result<()> {
        let mut dir = ROOT;
        for name in self.names(path)? {
            self.way_synced(dir, name)?;
            dir = self.child(dir, name, || Ok(Kind::Dir(DirData::default())))?;
        }
        for key in std::mem::take(&mut self.dir_data(dir)?.durable).into_values().flatten() {
            self.lose_durable_name(key);
        }
        Ok(())
    }

    /// The present meaning of a name is durable: what it means loses the names that it had before; what the name meant before has its present
    /// name, if it was moved, and is gone if it was removed.
    fn way_synced(&mut self, dir: Key, name: &str) -> io::Result<()> {
        let mut next = Some(Box::<str>::from(name));
        while let Some(name) = next.take() {
            let data = self.dir_data(dir)?;
            let Some(before) = data.durable.remove(&name) else { return Ok(()) };
            let Some(key) = data.children.get(&name).copied() else { return Ok(()) };
            let had = data.durable.iter().find(|(_, durable)| **durable == Some(key)).map(|(name, _)| name.clone());
            if let Some(had) = had {
                match data.children.contains_key(&had) {
                    true => drop(data.durable.insert(had, None)),
                    false => drop(data.durable.remove(&had)),
                }
                self.lose_durable_name(key);
            }
            if let Some(before) = before {
                let data = self.dir_data(dir)?;
                next = data.children.iter().find(|(_, key)| **key == before).map(|(name, _)| name.clone());
                self.lose_durable_name(before);
            }
        }
        Ok(())
    }

    fn lose_durable_name(&mut self, key: Key) {
        if let Some(node) = self.nodes.get_mut(&key) {
            node.durable_names -= 1;
        }
        self.forget_if_gone(key);
    }

    /// Forgets what has no name, now or durably, with all that is in it.
    fn forget_if_gone(&mut self, key: Key) {
        if self.nodes.get(&key).is_none_or(|node| node.current || node.durable_names > 0) {
            return;
        }
        let Some(node) = self.nodes.remove(&key) else { return };
        if let Some(kept) = node.kept {
            self.kept_files -= 1;
            self.kept_bytes -= kept.size_bytes;
            let place = self.kept_dir.join(kept.number.to_string());
            // If it cannot be removed it takes room until the next start, no more.
            let _ = if place.is_dir() { fs::remove_dir_all(&place) } else { fs::remove_file(&place) };
        }
        let Kind::Dir(dir) = node.kind else { return };
        for child in dir.children.into_values() {
            if let Some(node) = self.nodes.get_mut(&child) {
                node.current = false;
            }
            self.forget_if_gone(child);
        }
        for child in dir.durable.into_values().flatten() {
            self.lose_durable_name(child);
        }
    }

    /// The power is lost: the disk holds again what was durable, and of the unsynced bytes appended to a file the first
    /// `survive(how many there are)`. The node must be dead.
    pub(super) fn power_loss(&mut self, survive: &mut dyn FnMut(u64) -> u64) -> io::Result<()> {
        fs::create_dir_all(&self.kept_dir)?;
        let root = self.root.clone();
        self.take_down(ROOT, &root)?;
        self.put_up(ROOT, &root)?;
        self.lose_bytes(ROOT, &root, survive)?;
        self.reset();
        fs::remove_dir_all(&self.kept_dir)
    }

    fn place(&self, key: Key) -> Option<PathBuf> {
        let kept = self.nodes.get(&key)?.kept?;
        Some(self.kept_dir.join(kept.number.to_string()))
    }

    fn entries(&mut self, dir: Key) -> io::Result<Entries> {
        let data = self.dir_data(dir)?;
        let children = data.children.iter().map(|(name, key)| (name.clone(), *key)).collect();
        Ok((children, data.durable.iter().map(|(name, key)| (name.clone(), *key)).collect()))
    }

    fn is_dir(&self, key: Key) -> bool {
        matches!(self.nodes.get(&key), Some(Node { kind: Kind::Dir(_), .. }))
    }

    /// Takes away every name that is not durable; what it meant waits.
    fn take_down(&mut self, dir: Key, path: &Path) -> io::Result<()> {
        let (children, durable) = self.entries(dir)?;
        for (name, _) in &durable {
            let Some(key) = self.dir_data(dir)?.children.remove(name) else { continue };
            let kept = Kept { number: self.next_key, size_bytes: 0 };
            self.next_key += 1;
            fs::rename(path.join(&**name), self.kept_dir.join(kept.number.to_string()))?;
            if let Some(node) = self.nodes.get_mut(&key) {
                node.kept = Some(kept);
            }
        }
        let named = children.into_iter().map(|(name, key)| (path.join(&*name), key));
        let unnamed = durable.into_iter().filter_map(|(name, key)| Some((path.join(&*name), key?)));
        let all: BTreeMap<Key, PathBuf> = named.chain(unnamed).map(|(path, key)| (key, path)).collect();
        for (key, path) in all {
            if self.is_dir(key) {
                let path = self.place(key).unwrap_or(path);
                self.take_down(key, &path)?;
            }
        }
        Ok(())
    }

    /// Gives every durable name back to what it meant.
    fn put_up(&mut self, dir: Key, path: &Path) -> io::Result<()> {
        for (name, key) in std::mem::take(&mut self.dir_data(dir)?.durable) {
            let Some(key) = key else { continue };
            if let Some(place) = self.place(key) {
                fs::rename(place, path.join(&*name))?;
            }
            if let Some(node) = self.nodes.get_mut(&key) {
                node.kept = None;
            }
            self.dir_data(dir)?.children.insert(name, key);
        }
        for (name, key) in self.entries(dir)?.0 {
            if self.is_dir(key) {
                self.put_up(key, &path.join(&*name))?;
            }
        }
        Ok(())
    }

    fn lose_bytes(&mut self, dir: Key, path: &Path, survive: &mut dyn FnMut(u64) -> u64) -> io::Result<()> {
        for (name, key) in self.entries(dir)?.0 {
            let path = path.join(&*name);
            match self.nodes.get(&key).map(|node| &node.kind) {
                Some(Kind::Dir(_)) => self.lose_bytes(key, &path, survive)?,
                Some(Kind::File(file)) => {
                    let mut data = locked(file);
                    if !data.is_durable() {
                        data.power_loss(&OpenOptions::new().read(true).write(true).open(&path)?, survive)?;
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

impl Drop for Unsynced {
    fn drop(&mut self) {
        // The process ends or the cluster does: what was kept is of no use to anybody.
        let _ = fs::remove_dir_all(&self.kept_dir);
    }
}

/// What stands at a path and was not touched so far.
fn meet(path: &Path) -> io::Result<Kind> {
    let metadata = fs::metadata(path)?;
    Ok(match metadata.is_dir() {
        true => Kind::Dir(DirData::default()),
        false => Kind::File(FileData::new_ref(metadata.len())),
    })
}

fn size_of(path: &Path, metadata: &fs::Metadata) -> u64 {
    let inside = |entries: fs::ReadDir| entries.flatten().filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
    if metadata.is_dir() { fs::read_dir(path).map_or(0, inside) } else { metadata.len() }
}
