//! The machine's own disk. Reads and writes are made in line: for the sizes of a log they cost less than handing them over.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::disk::{Disk, DiskFile, Space};

/// File descriptors that one disk keeps open at most, unless told otherwise. Six nodes stay below the usual limit of 1024.
const DEFAULT_MAX_OPEN_FILES: usize = 96;

/// The file system. Clones are one disk: they share the open files and the fence.
///
/// A [`DiskFile`] of it is a name; the descriptors behind are kept for the files used last, so that ten thousand partitions
/// need no more descriptors than ten. After [`RealDisk::fence`] nothing can be changed through it: a node that was killed can
/// never write again, whatever of it still runs. Its next generation gets a new `RealDisk`.
#[derive(Clone, Debug)]
pub struct RealDisk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held for reading by every change, for writing by the fence: when `fence` returns, no change is under way.
    fenced: RwLock<bool>,
    open: Mutex<OpenFiles>,
    next_id: AtomicU64,
    began: Instant,
}

#[derive(Debug)]
struct OpenFiles {
    files: HashMap<u64, (Arc<File>, u64)>,
    uses: u64,
    max: usize,
}

impl Default for RealDisk {
    fn default() -> RealDisk {
        RealDisk::new()
    }
}

impl RealDisk {
    /// A disk with a fence of its own.
    pub fn new() -> RealDisk {
        RealDisk::with_max_open_files(DEFAULT_MAX_OPEN_FILES)
    }

    /// The same, keeping at most `max` file descriptors open.
    pub fn with_max_open_files(max: usize) -> RealDisk {
        let open = OpenFiles { files: HashMap::new(), uses: 0, max: max.max(1) };
        RealDisk {
            shared: Arc::new(Shared {
                fenced: RwLock::new(false),
                open: Mutex::new(open),
                next_id: AtomicU64::new(0),
                began: Instant::now(),
            }),
        }
    }

    /// From now on every change fails; returns when those under way are done.
    pub fn fence(&self) {
        *self.shared.fenced.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Whether [`RealDisk::fence`] was called.
    pub fn is_fenced(&self) -> bool {
        *self.shared.fenced.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// File descriptors open now.
    pub fn open_files(&self) -> usize {
        self.shared.open_files().files.len()
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let fenced = self.fenced.read().unwrap_or_else(PoisonError::into_inner);
        if *fenced {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the node that held this disk was killed"));
        }
        change()
    }

    fn open_files(&self) -> MutexGuard<'_, OpenFiles> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenFiles {
    fn get(&mut self, id: u64) -> Option<Arc<File>> {
        self.uses += 1;
        let uses = self.uses;
        self.files.get_mut(&id).map(|(file, used)| {
            *used = uses;
            Arc::clone(file)
        })
    }

    fn insert(&mut self, id: u64, file: Arc<File>) {
        if self.files.len() >= self.max
            && let Some(oldest) = self.files.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id)
        {
            self.files.remove(&oldest);
        }
        self.files.insert(id, (file, self.uses));
    }
}

impl Disk for RealDisk {
    fn stopwatch(&self) -> Duration {
        self.shared.began.elapsed()
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => self
                .shared
                .change(|| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path))?,
            opened => opened?,
        };
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        self.shared.open_files().insert(id, Arc::new(file));
        Ok(Box::new(RealFile { shared: Arc::clone(&self.shared), path: path.into(), id }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.shared.change(|| fs::create_dir_all(dir))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.change(|| fs::rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.change(|| fs::remove_file(path))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.shared.change(|| fs::remove_dir_all(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.change(|| sync_dir(dir))
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        space(dir)
    }
}

#[cfg(unix)]
fn space(dir: &Path) -> io::Result<Space> {
    let volume = rustix::fs::statvfs(dir)?;
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    Ok(Space { total_bytes: bytes(volume.f_blocks), usable_bytes: bytes(volume.f_bavail) })
}

#[cfg(not(unix))]
fn space(_dir: &Path) -> io::Result<Space> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(()) // Directories cannot be opened as files there; names are journalled by the file system.
}

/// A name, and the key of its descriptor among the open ones.
struct RealFile {
    shared: Arc<Shared>,
    path: Box<Path>,
    id: u64,
}

impl RealFile {
    fn file(&self) -> io::Result<Arc<File>> {
        if let Some(file) = self.shared.open_files().get(self.id) {
            return Ok(file);
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(&self.path)?);
        self.shared.open_files().insert(self.id, Arc::clone(&file));
        Ok(file)
    }
}

impl Drop for RealFile {
    fn drop(&mut self) {
        self.shared.open_files().files.remove(&self.id);
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file()?.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        positioned::read_exact_at(&*self.file()?, buffer, position)
    }

    #[cfg(unix)]
    fn read_at(&self, len: usize, position: u64) -> io::Result<Vec<u8>> {
        positioned::read_at(&*self.file()?, len, position)
    }

    fn write_all_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        let file = self.file()?;
        self.shared.change(|| positioned::write_all_at(&file, bytes, position))
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let file = self.file()?;
        self.shared.change(|| file.set_len(len))
    }

    fn sync(&mut self) -> io::Result<()> {
        let file = self.file()?;
        self.shared.change(|| file.sync_data())
    }
}

#[cfg(unix)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<()> {
        file.read_exact_at(buffer, position)
    }

    /// Into memory that was not zeroed first.
    pub(super) fn read_at(file: &File, len: usize, position: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let at = position + bytes.len() as u64;
            match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    pub(super) fn write_all_at(file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        file.write_all_at(bytes, position)
    }
}

#[cfg(windows)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt;

    pub(super) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match file.seek_read(buffer, position)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    buffer = &mut buffer[read..];
                    position += read as u64;
                }
            }
        }
        Ok(())
    }

    pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match file.seek_write(bytes, position)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => {
                    bytes = &bytes[written..];
                    position += written as u64;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_need_few_descriptors() {
        let root = tempfile::tempdir().unwrap();
        let disk = RealDisk::with_max_open_files(4);
        let mut files: Vec<_> = (0..50).map(|i| disk.open(&root.path().join(i.to_string()), true).unwrap()).collect();
        for round in 0..3u8 {
            for (i, file) in files.iter_mut().enumerate() {
                file.write_all_at(&[i as u8, round], u64::from(round) * 2).unwrap();
            }
        }
        assert_eq!(disk.open_files(), 4);
        for (i, file) in files.iter().enumerate() {
            let mut bytes = [0; 6];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(bytes, [i as u8, 0, i as u8, 1, i as u8, 2]);
        }
        drop(files);
        assert_eq!(disk.open_files(), 0);
    }

    #[test]
    fn a_fenced_disk_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let disk = RealDisk::new();
        let path = root.path().join("file");
        let mut file = disk.open(&path, true).unwrap();
        file.write_all_at(b"before", 0).unwrap();
        disk.clone().fence();
        assert!(file.write_all_at(b"after!", 0).is_err());
        assert!(file.truncate(0).is_err());
        assert!(disk.rename(&path, &root.path().join("other")).is_err());
        assert!(disk.remove_file(&path).is_err());
        assert!(disk.open(&root.path().join("new"), true).is_err());
        assert_eq!(disk.read(&path, 100).unwrap(), b"before");
        RealDisk::new().write_atomically(&path, b"next").unwrap();
        assert_eq!(disk.list(root.path()).unwrap(), ["file"]);
    }
}
