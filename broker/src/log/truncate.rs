//! Making a log shorter: from its end (what was never committed), and from its beginning (what nobody keeps).
//!
//! Source: `UnifiedLog.truncateTo`, `truncateFullyAndStartAt`, `deleteOldSegments`.

use super::partition_log::SNAPSHOT;
use super::segment::Segment;
use super::{Log, LogError, lines};
use crate::logging::{Level, Logger};
use crate::types::Now;

/// Why a segment is kept no longer.
#[derive(Clone, Copy, Debug)]
enum Reason {
    /// The log starts after it.
    Start,
    /// `retention.ms`
    Time,
    /// `retention.bytes`
    Size,
}

impl Reason {
    fn text(self, log: &Log) -> String {
        match self {
            Reason::Start => format!("log start offset {}", log.log_start_offset),
            Reason::Time => format!("log retention time {}ms", log.config.retention_ms),
            Reason::Size => format!("log retention size {}", log.config.retention_bytes),
        }
    }
}

impl Log {
    /// Cuts off `offset` and everything after it (with the whole batch that holds it). Gives the new log end offset.
    pub fn truncate_to(&mut self, offset: i64) -> Result<i64, LogError> {
        self.change(|log| {
            lines::say(log, Level::Info, || match offset < log.log_end_offset {
                true => format!("Truncating to offset {offset} from {}", log.log_end_offset),
                false => {
                    format!("Truncating to offset {offset} cuts nothing off, as the log ends at {}", log.log_end_offset)
                }
            });
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
        lines::say(self, Level::Debug, || format!("Truncating fully, to start at offset {offset}"));
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
            lines::say(log, Level::Info, || format!("Log start offset goes from {} to {offset}", log.log_start_offset));
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
        let known = self.producers.len();
        self.producers.expire(now.wall_ms, self.config.producer_id_expiration_ms);
        let forgotten = known - self.producers.len();
        if forgotten > 0 {
            self.book.debug(Logger::ProducerState, || {
                format!(
                    "[ProducerStateManager partition={}] {forgotten} producers were silent for too long",
                    self.topic_partition
                )
            });
        }
        self.verifications.expire(now.wall_ms, self.config.producer_id_expiration_ms);
        let (reasons, roll) = self.expired_segments(now, high_watermark);
        if reasons.is_empty() || self.cleaning {
            return Ok(0);
        }
        self.change(|log| {
            if roll {
                lines::say(log, Level::Info, || "Rolling the active segment, as it is to be deleted too".to_owned());
                log.roll(now)?;
            }
            let expired = reasons.len().min(log.segments.len() - 1);
            for (segment, reason) in log.segments.iter().zip(&reasons).take(expired) {
                lines::say(log, Level::Info, || {
                    let (base, bytes, time) = (segment.base_offset, segment.size_bytes, segment.last_written_ms());
                    let why = reason.text(log);
                    format!(
                        "Deleting segment (baseOffset={base}, size={bytes}, largestRecordTimestamp={time}) due to {why}"
                    )
                });
            }
            log.delete_first(expired)?;
            lines::say(log, Level::Info, || {
                format!(
                    "{expired} segment(s) are deleted; log start offset {}, {} bytes are left",
                    log.log_start_offset, log.size_bytes
                )
            });
            Ok(expired)
        })
    }

    /// Why each of the first segments goes, and whether the active one is among them.
    fn expired_segments(&self, now: Now, high_watermark: i64) -> (Vec<Reason>, bool) {
        let mut reasons = Vec::new();
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
                return (reasons, false);
            }
            by_start &= !is_active && end <= self.log_start_offset;
            by_time &= now.wall_ms.saturating_sub(segment.last_written_ms()) > self.config.retention_ms;
            by_size &= excess >= segment.size_bytes;
            reasons.push(match (by_start, by_time, by_size) {
                (true, ..) => Reason::Start,
                (_, true, _) => Reason::Time,
                (.., true) => Reason::Size,
                _ => return (reasons, false),
            });
            excess -= segment.size_bytes.min(excess);
        }
        (reasons, true)
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
