//! A log as its files tell, read by somebody else than the node that writes it, while it writes.
//!
//! Nothing is changed, no node is asked, and nothing is taken for granted: the writer may be in the midst of an append, roll, delete or
//! compact segments meanwhile, or be dead. What cannot be read any more counts as not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::segment::{LOG, Segment, Store};
use super::{LogError, RealDisk, TimestampedOffset};
use crate::records::{BatchHeader, TimestampType, records};

/// Descriptors that readers from outside keep open at most.
const OPEN_FILES_MAX: usize = 16;
/// What one batch may unpack to.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// Batches that one search walks over at most, beyond what the index skips.
const BATCHES_WALKED_MAX: usize = 20_000;

/// Opens logs for reading from outside.
#[derive(Clone, Debug)]
pub struct LogReader {
    disk: RealDisk,
}

impl Default for LogReader {
    fn default() -> LogReader {
        LogReader { disk: RealDisk::with_max_open_files(OPEN_FILES_MAX) }
    }
}

impl LogReader {
    /// The log in that directory (`…/orders-0`). Nothing is read yet.
    pub fn log(&self, dir: &Path) -> LogFiles {
        LogFiles::on(Arc::new(self.disk.clone()), dir)
    }
}

/// One log's files.
pub struct LogFiles {
    pub(super) store: Store,
    /// Base offsets of its segments, as they were when the directory was listed last.
    pub(super) bases: Vec<i64>,
}

/// What a search in one segment came to.
enum Searched {
    Found(TimestampedOffset),
    /// The next segment may have it.
    Ended,
    /// It went as far as it may.
    TooFar,
}

impl LogFiles {
    pub(super) fn on(disk: Arc<dyn Disk>, dir: &Path) -> LogFiles {
        LogFiles { store: Store { disk, dir: PathBuf::from(dir), ending: "" }, bases: Vec::new() }
    }

    /// The first record at or after `offset` and below `below` that is for consumers (control records are not). `None`: there is none.
    ///
    /// # Errors
    /// The files cannot be read; `NotFound` where the log is gone.
    pub fn record_from(&mut self, offset: i64, below: i64) -> Result<Option<TimestampedOffset>, LogError> {
        if !self.bases.is_empty()
            && let Ok((Some(found), false)) = self.search(offset, below)
        {
            return Ok(Some(found));
        }
        // Segments may have come or gone since the directory was listed.
        self.list()?;
        Ok(self.search(offset, below)?.0)
    }

    pub(super) fn list(&mut self) -> Result<(), LogError> {
        let names = self.store.disk.list(&self.store.dir).map_err(LogError::io(&self.store.dir))?;
        self.bases = names.iter().filter_map(|name| base_offset(name)).collect();
        self.bases.sort_unstable();
        Ok(())
    }

    /// What was found, and whether that was in another segment than where `offset` should be.
    fn search(&self, offset: i64, below: i64) -> Result<(Option<TimestampedOffset>, bool), LogError> {
        let first = self.bases.partition_point(|base| *base <= offset).saturating_sub(1);
        let mut walked = 0;
        for (index, base) in self.bases.iter().enumerate().skip(first).take_while(|(_, base)| **base < below) {
            let segment = Segment::for_reading(&self.store, *base)?;
            match self.search_segment(&segment, offset, below, &mut walked)? {
                Searched::Found(found) => return Ok((Some(found), index > first)),
                Searched::Ended => {}
                Searched::TooFar => break,
            }
        }
        Ok((None, false))
    }

    fn search_segment(
        &self,
        segment: &Segment,
        offset: i64,
        below: i64,
        walked: &mut usize,
    ) -> Result<Searched, LogError> {
        let mut position = segment.indexed_position(&self.store, offset)?;
        loop {
            let mut candidate: Option<(u64, BatchHeader)> = None;
            let mut too_far = false;
            // Where a batch is torn the writer is at work: the log ends there for now.
            segment.scan(&self.store, position, false, &mut |at, header, _| {
                *walked += 1;
                too_far = header.base_offset >= below || *walked > BATCHES_WALKED_MAX;
                if !too_far && header.last_offset() >= offset && !header.is_control() {
                    candidate = Some((at, *header));
                }
                Ok(candidate.is_none() && !too_far)
            })?;
            let Some((at, header)) = candidate else {
                return Ok(if too_far { Searched::TooFar } else { Searched::Ended });
            };
            if let Some(found) = self.search_batch(segment, at, &header, offset)? {
                return Ok(if found.offset < below { Searched::Found(found) } else { Searched::TooFar });
            }
            // Compaction took what the batch had at or after `offset`.
            position = at + header.size_bytes() as u64;
        }
    }

    fn search_batch(
        &self,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
        offset: i64,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let leader_epoch = header.partition_leader_epoch;
        let is_whole = header.last_offset_delta + 1 == header.record_count;
        if is_whole && header.timestamp_type() == TimestampType::LogAppendTime {
            let offset = offset.max(header.base_offset);
            return Ok(Some(TimestampedOffset { timestamp_ms: header.max_timestamp, offset, leader_epoch }));
        }
        // Nobody makes producers, or compaction, begin a batch with its base timestamp.
        let batch = segment.read_at(&self.store, header.size_bytes(), position)?;
        for record in records(&batch, DECOMPRESSED_BYTES_MAX)? {
            let record = record?;
            if record.offset >= offset {
                return Ok(Some(TimestampedOffset {
                    timestamp_ms: record.timestamp_ms,
                    offset: record.offset,
                    leader_epoch,
                }));
            }
        }
        Ok(None)
    }
}

/// Of a segment's file, `00000000000000000042.log`.
fn base_offset(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(LOG)?.strip_suffix('.')?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}
