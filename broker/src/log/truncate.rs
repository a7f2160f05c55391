//! Making a log shorter: from its end (what was never committed), and from its beginning (what nobody keeps).
//!
//! Source: `UnifiedLog.truncateTo`, `truncateFullyAndStartAt`, `deleteOldSegments`.

use super::partition_log::SNAPSHOT;
use super::segment::Segment;
use super::{Log, LogError};
use crate::types::Now;

impl Log {
    /// Cuts off `offset` and everything after it (with the whole batch that holds it). Gives the new log end offset.
    pub fn truncate_to(&mut self, offset: i64) -> Result<i64, LogError> {
        self.change(|log| {
            if offset < log.segments.first().map_or(0, |segment| segment.base_offset) {
                log.restart_at(offset.max(0))?;
            } else if offset < log.log_end_offset {
                let visible_from = log.log_start_offset.min(offset);
                log.cut(offset)?;
                if log.log_end_offset < visible_from {
                    // The batch that was cut began before the log start: nothing that may be seen is left.
                    log.restart_at(visible_from)?;
                }
            } else if log.epochs.truncate_from_end(log.log_end_offset) {
                // An epoch that this replica began as a leader, and in which it never wrote.
                log.epochs_stale = true;
            }
            Ok(log.log_end_offset)
        })
    }

    /// Drops everything; the log goes on empty, from `offset`.
    pub fn truncate_fully_and_start_at(&mut self, offset: i64) -> Result<(), LogError> {
        self.change(|log| log.restart_at(offset.max(0)))
    }

    fn cut(&mut self, offset: i64) -> Result<(), LogError> {
        self.recent.clear();
        let kept = self.segments.partition_point(|segment| segment.base_offset < offset).max(1);
        self.delete_last(kept)?;
        if let Some(active) = self.segments.last_mut() {
            active.truncate_to(&self.store, offset)?;
        }
        let first = self.segments.first().map_or(0, |segment| segment.base_offset);
        self.log_end_offset = self.segments.last().map_or(first, |active| active.next_offset);
        self.log_start_offset = self.log_start_offset.min(self.log_end_offset);
        self.size_bytes = self.segments.iter().map(|segment| segment.size_bytes).sum();
        self.recovery_point = self.recovery_point.min(self.log_end_offset);
        self.cut_unflushed = true;
        self.structure += 1;
        self.cleaned_to = self.cleaned_to.map(|offset| offset.min(self.log_end_offset));
        if self.epochs.truncate_from_end(self.log_end_offset) {
            self.write_epochs()?;
        }
        self.reload_producers()
    }

    /// The last first, and durable before anything is written in their place: whatever interrupts this, no gap is left behind.
    fn delete_last(&mut self, kept: usize) -> Result<(), LogError> {
        if self.segments.len() <= kept {
            return Ok(());
        }
        while self.segments.len() > kept
            && let Some(segment) = self.segments.pop()
        {
            segment.delete(&self.store)?;
        }
        self.store.disk.sync_dir(&self.store.dir).map_err(LogError::io(&self.store.dir))
    }

    fn restart_at(&mut self, offset: i64) -> Result<(), LogError> {
        self.recent.clear();
        let created_ms = self.segments.last().map_or(0, |segment| segment.created_ms);
        self.delete_last(0)?;
        self.segments.push(Segment::create(&self.store, offset, self.config.allocated_bytes(), created_ms)?);
        self.new_names = true;
        (self.log_start_offset, self.log_end_offset, self.size_bytes) = (offset, offset, 0);
        self.recovery_point = self.recovery_point.min(offset);
        self.structure += 1;
        self.cleaned_to = None;
        self.epochs.clear();
        self.write_epochs()?;
        for snapshot in self.snapshot_offsets()? {
            self.store.remove_if_there(snapshot, SNAPSHOT)?;
        }
        self.producers.clear();
        (self.last_snapshot_offset, self.producers_from) = (-1, -1);
        Ok(())
    }

    fn snapshot_offsets(&self) -> Result<Vec<i64>, LogError> {
        let names = self.store.disk.list(&self.store.dir).map_err(LogError::io(&self.store.dir))?;
        let offset = |name: &String| name.strip_suffix(".snapshot")?.parse().ok();
        Ok(names.iter().filter_map(offset).collect())
    }

    /// Producers as they were at the log's end: from the newest snapshot that is left, and the batches after it.
    fn reload_producers(&mut self) -> Result<(), LogError> {
        if self.producers.is_empty() && self.last_snapshot_offset <= self.log_end_offset {
            return Ok(());
        }
        self.producers.clear();
        (self.last_snapshot_offset, self.producers_from) = (-1, -1);
        for offset in self.snapshot_offsets()?.into_iter().rev() {
            let is_past = offset > self.log_end_offset;
            let first = self.segments.first().map_or(0, |segment| segment.base_offset);
            if is_past || offset < first || (self.last_snapshot_offset < 0 && !self.load_snapshot(offset)?) {
                self.store.remove_if_there(offset, SNAPSHOT)?;
            }
        }
        self.replay_producers(false)
    }

    /// Readers no longer see what lies before `offset`; whole segments go at the next [`Log::apply_retention`].
    pub fn set_log_start_offset(&mut self, offset: i64) -> Result<(), LogError> {
        if offset > self.log_end_offset {
            return Err(LogError::OffsetOutOfRange {
                requested: offset,
                log_start_offset: self.log_start_offset,
                log_end_offset: self.log_end_offset,
            });
        }
        self.change(|log| {
            if offset <= log.log_start_offset {
                return Ok(());
            }
            log.log_start_offset = offset;
            if log.epochs.truncate_from_start(offset) {
                log.write_epochs()?;
            }
            Ok(())
        })
    }

    /// Deletes the segments that age, size and the log start offset no longer keep; never what is not below the high
    /// watermark, nor while the log is being compacted. Also forgets producers that were silent for too long. Gives the number of
    /// segments deleted.
    pub fn apply_retention(&mut self, now: Now, high_watermark: i64) -> Result<usize, LogError> {
        self.producers.on_high_watermark(high_watermark);
        self.producers.expire(now.wall_ms, self.config.producer_id_expiration_ms);
        self.verifications.expire(now.wall_ms, self.config.producer_id_expiration_ms);
        let (mut expired, roll) = self.expired_segments(now, high_watermark);
        if expired == 0 || self.cleaning {
            return Ok(0);
        }
        self.change(|log| {
            if roll {
                log.roll(now)?;
            }
            expired = expired.min(log.segments.len() - 1);
            log.delete_first(expired)?;
            Ok(expired)
        })
    }

    /// How many of the first segments go, and whether the active one is among them.
    fn expired_segments(&self, now: Now, high_watermark: i64) -> (usize, bool) {
        let mut excess = if self.config.cleanup_delete && self.config.retention_bytes >= 0 {
            self.size_bytes.saturating_sub(self.config.retention_bytes as u64)
        } else {
            0
        };
        let mut by_time = self.config.cleanup_delete && self.config.retention_ms >= 0;
        let mut by_size = excess > 0;
        let mut by_start = true;
        for (index, segment) in self.segments.iter().enumerate() {
            let next = self.segments.get(index + 1);
            let end = next.map_or(self.log_end_offset, |next| next.base_offset);
            let is_active = next.is_none();
            if end > high_watermark || (is_active && segment.size_bytes == 0) {
                return (index, false);
            }
            by_start &= !is_active && end <= self.log_start_offset;
            by_time &= now.wall_ms.saturating_sub(segment.last_written_ms()) > self.config.retention_ms;
            by_size &= excess >= segment.size_bytes;
            if !by_start && !by_time && !by_size {
                return (index, false);
            }
            excess -= segment.size_bytes.min(excess);
        }
        (self.segments.len(), true)
    }

    fn delete_first(&mut self, count: usize) -> Result<(), LogError> {
        for segment in self.segments.drain(..count) {
            self.size_bytes -= segment.size_bytes;
            self.store.remove_if_there(segment.base_offset, SNAPSHOT)?;
            segment.delete(&self.store)?;
        }
        self.structure += 1;
        let first = self.segments.first().map_or(self.log_end_offset, |segment| segment.base_offset);
        self.log_start_offset = self.log_start_offset.max(first);
        if self.epochs.truncate_from_start(self.log_start_offset) {
            self.write_epochs()?;
        }
        Ok(())
    }
}
