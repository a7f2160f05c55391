//! The bytes of one file that are not durable: how long it durably is, and what stood where durable bytes were overwritten or cut off.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};

use crate::log::disk::DiskFile;

/// Old bytes that are kept of one file at most; a change that needs more is made durable at once.
pub(super) const UNDO_MAX_BYTES: usize = 256 * 1024;

/// See the module. Changes are recorded before they are made, lengths after.
pub(super) struct FileData {
    size_bytes: u64,
    durable_bytes: u64,
    /// In order: position, what stood there.
    undo: Vec<(u64, Vec<u8>)>,
    undo_bytes: usize,
}

impl FileData {
    /// A file of this length, all of it durable.
    pub(super) fn new_ref(size_bytes: u64) -> Arc<Mutex<FileData>> {
        let data = FileData { size_bytes, durable_bytes: size_bytes, undo: Vec::new(), undo_bytes: 0 };
        Arc::new(Mutex::new(data))
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn is_durable(&self) -> bool {
        self.size_bytes == self.durable_bytes && self.undo.is_empty()
    }

    /// Keeps what stands from `from` to `to`, so far as it is durable. False: it is too much, so sync after the change.
    pub(super) fn remember(&mut self, file: &dyn DiskFile, from: u64, to: u64) -> io::Result<bool> {
        let to = to.min(self.durable_bytes).min(self.size_bytes);
        if from >= to {
            return Ok(true);
        }
        let Some(len) = usize::try_from(to - from).ok().filter(|len| self.undo_bytes + len <= UNDO_MAX_BYTES) else {
            return Ok(false);
        };
        let mut old = vec![0; len];
        file.read_exact_at(&mut old, from)?;
        self.undo.push((from, old));
        self.undo_bytes += len;
        Ok(true)
    }

    /// How long the file is. If that is not what was recorded, it was changed behind the drive's back while its node was down (a fault, a
    /// person): what is there then counts as durable.
    pub(super) fn measured(&mut self, size_bytes: u64) {
        if size_bytes != self.size_bytes {
            self.size_bytes = size_bytes;
            self.synced();
        }
    }

    pub(super) fn resized(&mut self, size_bytes: u64) {
        self.size_bytes = size_bytes;
    }

    pub(super) fn synced(&mut self) {
        (self.undo, self.undo_bytes) = (Vec::new(), 0);
        self.durable_bytes = self.size_bytes;
    }

    /// Back to what was durable. If nothing of that was touched, a part of what was appended may survive.
    pub(super) fn power_loss(&mut self, file: &File, survive: &mut dyn FnMut(u64) -> u64) -> io::Result<()> {
        let appended = self.size_bytes.saturating_sub(self.durable_bytes);
        let survived = if self.undo.is_empty() { survive(appended).min(appended) } else { 0 };
        file.set_len(self.durable_bytes + survived)?;
        for (position, old) in std::mem::take(&mut self.undo).into_iter().rev() {
            write_at(file, &old, position)?;
        }
        self.undo_bytes = 0;
        self.size_bytes = self.durable_bytes + survived;
        self.durable_bytes = self.size_bytes;
        Ok(())
    }
}

fn write_at(mut file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(position))?;
    file.write_all(bytes)
}
