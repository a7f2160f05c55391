//! Snapshots on disk, beside the log: written and fetched under another name, renamed when they are whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::control_state::FIRST_BATCH_MAX_BYTES;
use super::metadata_log::MetadataLogError;
use super::snapshot::{self, PART_SUFFIX, SnapshotChunk, SnapshotId, SnapshotInfo, SnapshotPart};
use crate::log::disk::Disk;

/// Far more than any image takes.
const MAX_SNAPSHOT_BYTES: u64 = 1 << 30;
/// Kafka's name for a snapshot that it is about to delete.
const DELETED_SUFFIX: &str = ".checkpoint.deleted";

/// The snapshots in one directory.
pub(super) struct SnapshotFiles {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    max_batch_bytes: usize,
    /// Whole ones, oldest first.
    known: Vec<SnapshotInfo>,
}

impl SnapshotFiles {
    /// Looks around in `dir`, which need not exist: removes what never became whole, and newest snapshots that are damaged.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, max_batch_bytes: usize) -> Result<SnapshotFiles, MetadataLogError> {
        let mut files = SnapshotFiles { disk, dir: dir.to_owned(), max_batch_bytes, known: Vec::new() };
        if !files.disk.exists(dir) {
            return Ok(files);
        }
        let names = files.disk.list(dir).map_err(|error| failed(dir, &error))?;
        for name in names.iter().filter(|name| name.ends_with(PART_SUFFIX) || name.ends_with(DELETED_SUFFIX)) {
            files.remove(&dir.join(name))?;
        }
        let mut found: Vec<SnapshotId> = names.iter().filter_map(|name| SnapshotId::from_file_name(name)).collect();
        found.sort_unstable();
        // One must be good, to begin with; those before it are read only if that is.
        while let Some(newest) = found.last() {
            if files.is_sound(&files.path(*newest), *newest)? {
                break;
            }
            files.remove(&files.path(*newest))?;
            found.pop();
        }
        for id in found {
            if let Some(info) = files.look_at(id)? {
                files.known.push(info);
            }
        }
        Ok(files)
    }

    pub fn known(&self) -> &[SnapshotInfo] {
        &self.known
    }

    fn path(&self, id: SnapshotId) -> PathBuf {
        self.dir.join(id.file_name())
    }

    fn remove(&self, path: &Path) -> Result<(), MetadataLogError> {
        match self.disk.remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, &error)),
            _ => Ok(()),
        }
    }

    fn is_sound(&self, path: &Path, id: SnapshotId) -> Result<bool, MetadataLogError> {
        let bytes = self.disk.read(path, MAX_SNAPSHOT_BYTES).map_err(|error| failed(path, &error))?;
        Ok(snapshot::read(id, &bytes, self.max_batch_bytes).is_ok())
    }

    /// Size and age of a snapshot; `None` if it does not even begin as one.
    fn look_at(&self, id: SnapshotId) -> Result<Option<SnapshotInfo>, MetadataLogError> {
        let path = self.path(id);
        let chunk = self.read_at(&path, 0, FIRST_BATCH_MAX_BYTES as u64)?;
        let info = |last_contained_ms| SnapshotInfo { id, size_bytes: chunk.size_bytes, last_contained_ms };
        Ok(snapshot::last_contained_ms(&chunk.bytes).ok().map(info))
    }

    fn read_at(&self, path: &Path, position: u64, max_bytes: u64) -> Result<SnapshotChunk, MetadataLogError> {
        let read = || {
            let file = self.disk.open(path, false)?;
            let size_bytes = file.len()?;
            let mut bytes = vec![0; size_bytes.saturating_sub(position).min(max_bytes) as usize];
            file.read_exact_at(&mut bytes, position)?;
            Ok(SnapshotChunk { size_bytes, bytes: Bytes::from(bytes) })
        };
        read().map_err(|error| failed(path, &error))
    }

    pub fn read(
        &self,
        id: SnapshotId,
        position: u64,
        max_bytes: usize,
    ) -> Result<Option<SnapshotChunk>, MetadataLogError> {
        match self.known.iter().any(|known| known.id == id) {
            true => Ok(Some(self.read_at(&self.path(id), position, max_bytes as u64)?)),
            false => Ok(None),
        }
    }

    pub fn write_part(&self, part: SnapshotPart, position: u64, bytes: &[u8]) -> Result<(), MetadataLogError> {
        let path = self.dir.join(part.file_name());
        let write = || {
            let mut file = self.disk.open(&path, position == 0)?;
            if position == 0 {
                file.truncate(0)?;
            }
            file.write_all_at(bytes, position)
        };
        write().map_err(|error| failed(&path, &error))
    }

    pub fn discard_part(&self, part: SnapshotPart) -> Result<(), MetadataLogError> {
        self.remove(&self.dir.join(part.file_name()))
    }

    /// False: it is damaged, and gone.
    pub fn complete(&mut self, part: SnapshotPart) -> Result<bool, MetadataLogError> {
        let path = self.dir.join(part.file_name());
        if !self.is_sound(&path, part.id)? {
            self.remove(&path)?;
            return Ok(false);
        }
        let finish = || {
            self.disk.open(&path, false)?.sync()?;
            self.disk.rename(&path, &self.path(part.id))?;
            self.disk.sync_dir(&self.dir)
        };
        finish().map_err(|error| failed(&path, &error))?;
        self.known.retain(|known| known.id != part.id);
        self.known.extend(self.look_at(part.id)?);
        self.known.sort_unstable_by_key(|known| known.id);
        Ok(true)
    }

    /// Deletes those before `id`, the oldest first.
    pub fn delete_before(&mut self, id: SnapshotId) -> Result<(), MetadataLogError> {
        let older = self.known.partition_point(|known| known.id < id);
        for known in self.known.drain(..older).collect::<Vec<_>>() {
            self.remove(&self.path(known.id))?;
        }
        Ok(())
    }
}

fn failed(path: &Path, error: &std::io::Error) -> MetadataLogError {
    MetadataLogError::Storage(format!("{}: {error}", path.display()))
}
