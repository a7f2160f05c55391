//! The metadata log in memory, for simulations: it knows what was synced and can lose the rest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::metadata_log::{EpochEnd, MetadataLog, MetadataLogError};
use crate::records::{self, BatchHeader};
use crate::types::Now;

/// A log in memory. Clones share its content, so a restarted member finds it.
#[derive(Clone, Debug, Default)]
pub struct MemoryMetadataLog(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// As a reader sees it.
    batches: Vec<Batch>,
    /// As a power loss leaves it.
    durable: Vec<Batch>,
    /// So many leading batches are the same in both.
    common: usize,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn end_offset(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.next_offset)
    }

    fn push(&mut self, header: &BatchHeader, bytes: Bytes) -> Result<(), MetadataLogError> {
        let end = self.end_offset();
        if header.base_offset != end {
            return Err(MetadataLogError::OutOfRange { offset: header.base_offset, start: 0, end });
        }
        self.batches.push(Batch { next_offset: header.last_offset() + 1, epoch: header.partition_leader_epoch, bytes });
        Ok(())
    }
}

impl MetadataLog for MemoryMetadataLog {
    fn start_offset(&self) -> i64 {
        0
    }

    fn end_offset(&self) -> i64 {
        self.content().end_offset()
    }

    fn synced_offset(&self) -> i64 {
        let content = self.content();
        content.batches[..content.common].last().map_or(0, |batch| batch.next_offset)
    }

    fn last_epoch(&self) -> i32 {
        self.content().batches.last().map_or(0, |batch| batch.epoch)
    }

    fn end_offset_for_epoch(&self, epoch: i32) -> EpochEnd {
        let content = self.content();
        let count = content.batches.partition_point(|batch| batch.epoch <= epoch);
        match content.batches[..count].last() {
            Some(last) => EpochEnd { epoch: last.epoch, end_offset: last.next_offset },
            None => EpochEnd { epoch, end_offset: 0 },
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
        if from < 0 || from > end {
            return Err(MetadataLogError::OutOfRange { offset: from, start: 0, end });
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
}
