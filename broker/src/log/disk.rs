//! The disk as the log sees it. A node gets its disk handed in: the real one, or one that a simulation can cut the power of.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Room on a file system, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Of the whole file system.
    pub total_bytes: u64,
    /// What may still be written by this process's user.
    pub usable_bytes: u64,
}

/// A directory tree. All paths are absolute. Shared by the threads of a process, so every method takes `&self`.
///
/// Errors are the operating system's (`io::ErrorKind` as std gives it): a missing file is `NotFound`, a full disk `StorageFull`.
pub trait Disk: Send + Sync {
    /// Opens for reading and writing; creates the file if `create` and it is absent.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>>;
    /// Names (not paths) of what stands in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates a directory and its parents; content if it exists.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Whether a file or directory of that name exists.
    fn exists(&self, path: &Path) -> bool;
    /// Whether it is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Moves a file or a directory within the disk, replacing a file that stands there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable (fsync of the directory).
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Time as it goes by while the disk works. It stands still on a disk that is none.
    fn stopwatch(&self) -> Duration {
        Duration::ZERO
    }

    /// How much room the file system of a directory has. [`io::ErrorKind::Unsupported`] where that cannot be told.
    fn space(&self, _dir: &Path) -> io::Result<Space> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A whole small file (a checkpoint, a properties file). Refuses more than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, false)?;
        let len = file.len()?;
        if len > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{} is {len} bytes long", path.display())));
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Writes a small file so that a crash leaves the old one or the new one: `.tmp` beside it, synced, then renamed.
    fn write_atomically(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary_of(path);
        let mut file = self.open(&temporary, true)?;
        file.truncate(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        drop(file);
        self.rename(&temporary, path)?;
        match path.parent() {
            Some(dir) => self.sync_dir(dir),
            None => Ok(()),
        }
    }

    /// The same without making it durable: after a loss of power the file may be the old one, empty, torn or missing.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary_of(path);
        let mut file = self.open(&temporary, true)?;
        file.truncate(0)?;
        file.write_all_at(bytes, 0)?;
        drop(file);
        self.rename(&temporary, path)
    }
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// An open file; reads and writes name their position, so nothing moves a shared cursor.
pub trait DiskFile: Send {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// True if the file holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buffer` from `position`; `UnexpectedEof` if the file ends before that.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;
    /// Reads `len` bytes from `position`; `UnexpectedEof` if the file ends before that.
    fn read_at(&self, len: usize, position: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, position)?;
        Ok(bytes)
    }
    /// Writes all of `bytes` at `position`, extending the file if needed (a gap reads as zeros).
    fn write_all_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Cuts or extends (with zeros) to `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Makes content and length durable (fdatasync).
    fn sync(&mut self) -> io::Result<()>;
}
