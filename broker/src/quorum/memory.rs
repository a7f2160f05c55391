//! The metadata log in memory, for simulations: it knows what was synced and can lose the rest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::metadata_log::{EpochEnd, MetadataLog, MetadataLogError};
use super::snapshot::{self, SnapshotChunk, SnapshotId, SnapshotInfo, SnapshotPart};
use crate::records::{self, BatchHeader};
use crate::types::Now;

/// A log in memory. Clones share its content, so a restarted member finds it.
#[derive(Debug, Default)]
pub struct MemoryMetadataLog {
    content: Arc<Mutex<Content>>,
    /// As in `content`; there is one member at a time.
    snapshots: Vec<SnapshotInfo>,
}

impl Clone for MemoryMetadataLog {
    fn clone(&self) -> MemoryMetadataLog {
        let snapshots = self.content().snapshots.iter().map(|(info, _)| *info).collect();
        MemoryMetadataLog { content: Arc::clone(&self.content), snapshots }
    }
}

#[derive(Debug, Default)]
struct Content {
    /// As a reader sees it.
    batches: Vec<Batch>,
    /// As a power loss leaves it.
    durable: Vec<Batch>,
    /// So many leading batches are the same in both.
    common: usize,
    /// Where both begin.
    start_offset: i64,
    /// Epoch of the snapshot that they go on from.
    base_epoch: i32,
    /// Whole snapshots: those are durable.
    snapshots: Vec<(SnapshotInfo, Bytes)>,
    parts: BTreeMap<SnapshotPart, Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Batch {
    next_offset: i64,
    epoch: i32,
    bytes: Bytes,
}

impl MemoryMetadataLog {
    /// Loses what was not synced, except for the first `kept` of the unsynced batches (a disk may have written them already).
    pub fn power_loss(&self, kept: usize) {
        let mut content = self.content();
        content.parts.clear();
        let extends = content.common == content.durable.len();
        if extends {
            let length = content.batches.len().min(content.common + kept);
            content.batches.truncate(length);
            content.durable = content.batches.clone();
        } else {
            content.batches = content.durable.clone();
        }
        content.common = content.batches.len();
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn end_offset(&self) -> i64 {
        self.batches.last().map_or(self.start_offset, |batch| batch.next_offset)
    }

    fn push(&mut self, header: &BatchHeader, bytes: Bytes) -> Result<(), MetadataLogError> {
        let end = self.end_offset();
        if header.base_offset != end {
            let start = self.start_offset;
            return Err(MetadataLogError::OutOfRange { offset: header.base_offset, start, end });
        }
        self.batches.push(Batch { next_offset: header.last_offset() + 1, epoch: header.partition_leader_epoch, bytes });
        Ok(())
    }
}

impl MetadataLog for MemoryMetadataLog {
    fn start_offset(&self) -> i64 {
        self.content().start_offset
    }

    fn end_offset(&self) -> i64 {
        self.content().end_offset()
    }

    fn synced_offset(&self) -> i64 {
        let content = self.content();
        content.batches[..content.common].last().map_or(content.start_offset, |batch| batch.next_offset)
    }

    fn last_epoch(&self) -> i32 {
        let content = self.content();
        content.batches.last().map_or(content.base_epoch, |batch| batch.epoch)
    }

    fn end_offset_for_epoch(&self, epoch: i32) -> EpochEnd {
        let content = self.content();
        let count = content.batches.partition_point(|batch| batch.epoch <= epoch);
        match content.batches[..count].last() {
            Some(last) => EpochEnd { epoch: last.epoch, end_offset: last.next_offset },
            None if content.base_epoch > 0 && content.base_epoch <= epoch => {
                EpochEnd { epoch: content.base_epoch, end_offset: content.start_offset }
            }
            None => EpochEnd { epoch, end_offset: content.start_offset },
        }
    }

    fn append_leader(&mut self, _: Now, mut batch: BytesMut, epoch: i32) -> Result<i64, MetadataLogError> {
        let mut content = self.content();
        let base_offset = content.end_offset();
        records::set_base_offset(&mut batch, base_offset);
        records::set_leader_epoch(&mut batch, epoch);
        let header = records::validate(&batch)?;
        content.push(&header, batch.freeze())?;
        Ok(base_offset)
    }

    fn append_follower(&mut self, _: Now, batches: &Bytes) -> Result<(), MetadataLogError> {
        let mut content = self.content();
        for item in records::batches(batches) {
            let (header, bytes) = item?;
            content.push(&header, batches.slice_ref(bytes))?;
        }
        Ok(())
    }

    fn truncate_to(&mut self, offset: i64) -> Result<(), MetadataLogError> {
        let mut content = self.content();
        let count = content.batches.partition_point(|batch| batch.next_offset <= offset);
        content.batches.truncate(count);
        content.common = content.common.min(count);
        Ok(())
    }

    fn read(&self, from: i64, max_bytes: usize, up_to: i64) -> Result<Bytes, MetadataLogError> {
        let content = self.content();
        let end = content.end_offset();
        let start = content.start_offset;
        if from < start || from > end {
            return Err(MetadataLogError::OutOfRange { offset: from, start, end });
        }
        let first = content.batches.partition_point(|batch| batch.next_offset <= from);
        let mut out = BytesMut::new();
        for batch in content.batches[first..].iter().take_while(|batch| batch.next_offset <= up_to) {
            if !out.is_empty() && out.len() + batch.bytes.len() > max_bytes {
                break;
            }
            out.extend_from_slice(&batch.bytes);
        }
        Ok(out.freeze())
    }

    fn sync(&mut self, _: Now) -> Result<(), MetadataLogError> {
        let mut content = self.content();
        let content = &mut *content;
        content.durable.truncate(content.common);
        content.durable.extend_from_slice(&content.batches[content.common..]);
        content.common = content.batches.len();
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.content().batches.iter().map(|batch| batch.bytes.len() as u64).sum()
    }

    fn snapshots(&self) -> &[SnapshotInfo] {
        &self.snapshots
    }

    fn read_snapshot(
        &self,
        id: SnapshotId,
        position: u64,
        max_bytes: usize,
    ) -> Result<Option<SnapshotChunk>, MetadataLogError> {
        let content = self.content();
        let Some((info, bytes)) = content.snapshots.iter().find(|(info, _)| info.id == id) else { return Ok(None) };
        let from = (position as usize).min(bytes.len());
        let to = from.saturating_add(max_bytes).min(bytes.len());
        Ok(Some(SnapshotChunk { size_bytes: info.size_bytes, bytes: bytes.slice(from..to) }))
    }

    fn write_snapshot_part(&mut self, part: SnapshotPart, position: u64, bytes: &[u8]) -> Result<(), MetadataLogError> {
        let mut content = self.content();
        let written = content.parts.entry(part).or_default();
        written.resize(position as usize, 0);
        written.extend_from_slice(bytes);
        Ok(())
    }

    fn complete_snapshot(&mut self, part: SnapshotPart) -> Result<bool, MetadataLogError> {
        let mut content = self.content();
        let bytes = content.parts.remove(&part).unwrap_or_default();
        let Ok(read) = snapshot::read(part.id, &bytes, usize::MAX) else { return Ok(false) };
        let size_bytes = bytes.len() as u64;
        let info = SnapshotInfo { id: part.id, size_bytes, last_contained_ms: read.last_contained_ms };
        content.snapshots.retain(|(known, _)| known.id != part.id);
        content.snapshots.push((info, Bytes::from(bytes)));
        content.snapshots.sort_unstable_by_key(|(known, _)| known.id);
        let known = content.snapshots.iter().map(|(known, _)| *known).collect();
        drop(content);
        self.snapshots = known;
        Ok(true)
    }

    fn discard_snapshot_part(&mut self, part: SnapshotPart) -> Result<(), MetadataLogError> {
        self.content().parts.remove(&part);
        Ok(())
    }

    fn restart_at_snapshot(&mut self, id: SnapshotId) -> Result<(), MetadataLogError> {
        let mut content = self.content();
        let content_of = &mut *content;
        content_of.batches.clear();
        content_of.durable.clear();
        content_of.common = 0;
        (content_of.start_offset, content_of.base_epoch) = (id.end_offset, id.epoch);
        content_of.snapshots.retain(|(known, _)| known.id >= id);
        drop(content);
        self.snapshots.retain(|known| known.id >= id);
        Ok(())
    }

    fn delete_before_snapshot(&mut self, _: Now, id: SnapshotId, _: i64) -> Result<(), MetadataLogError> {
        let mut content = self.content();
        let content_of = &mut *content;
        // What is committed is the same in both, but for what this member has not synced yet.
        let gone = content_of.batches[..content_of.common].partition_point(|batch| batch.next_offset <= id.end_offset);
        if gone > 0 {
            let last = &content_of.batches[gone - 1];
            (content_of.start_offset, content_of.base_epoch) = (last.next_offset, last.epoch);
            content_of.batches.drain(..gone);
            content_of.durable.drain(..gone);
            content_of.common -= gone;
        }
        content_of.snapshots.retain(|(known, _)| known.id >= id);
        drop(content);
        self.snapshots.retain(|known| known.id >= id);
        Ok(())
    }
}
