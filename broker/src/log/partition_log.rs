//! A partition's log: what it is made of, and what it can be asked without touching the disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::encode_partition_metadata;
use super::epochs::LeaderEpochs;
use super::lines::{self, Loading};
use super::producers::{ProducerState, ProducerStates};
use super::segment::{Segment, Store};
use super::tails::Tails;
use super::verification::Verifications;
use super::{LogConfig, LogError, snapshot};
use crate::logging::{Level, NodeLog};
use crate::planted::Bug;
use crate::types::{Id, Now, TopicPartition};

pub(super) const SNAPSHOT: &str = "snapshot";
pub(super) const EPOCHS_FILE: &str = "leader-epoch-checkpoint";
pub(super) const METADATA_FILE: &str = "partition.metadata";
/// Flushes of one log that are timed between two looks; more than a disk can do.
const FLUSHES_MAX: usize = 10_000;

/// One partition's log.
///
/// A change that the disk refuses leaves memory and disk apart: the log then answers [`LogError::Offline`] to every further
/// change, until it is opened anew. Reads go on as long as the disk gives them.
pub struct Log {
    pub(super) store: Store,
    pub(super) topic_partition: TopicPartition,
    pub(super) topic_id: Option<Id>,
    pub(super) config: LogConfig,
    /// Ascending by base offset, never empty; the last is the active one.
    pub(super) segments: Vec<Segment>,
    pub(super) log_start_offset: i64,
    pub(super) log_end_offset: i64,
    pub(super) size_bytes: u64,
    /// Everything below is durable.
    pub(super) recovery_point: i64,
    /// The highest recovery point that a checkpoint may hold: up to there, segments are made durable before the next begins, so
    /// that a recovery that starts there misses nothing after a truncation.
    pub(super) max_recovery_point: i64,
    pub(super) last_flush: Duration,
    /// The directory has names that are not durable yet.
    pub(super) new_names: bool,
    /// A truncation is not durable yet, or may not be: after an unclean start nobody knows.
    pub(super) cut_unflushed: bool,
    /// So has the directory's parent: the directory itself is new.
    pub(super) new_dir: bool,
    /// `partition.metadata` is not durable yet.
    pub(super) topic_id_dirty: bool,
    pub(super) epochs: LeaderEpochs,
    /// The epochs file is not durable yet.
    pub(super) epochs_dirty: bool,
    /// The epochs file differs from `epochs` where no records are; it is written with the next record.
    pub(super) epochs_stale: bool,
    pub(super) producers: ProducerStates,
    /// Offset of the newest snapshot file, or -1.
    pub(super) last_snapshot_offset: i64,
    /// Offset of the snapshot from which the producers were restored, or -1.
    pub(super) producers_from: i64,
    /// Transactions about to begin.
    pub(super) verifications: Verifications,
    /// How long each flush took since the last look.
    pub(super) flushes: Vec<Duration>,
    pub(super) recent: Recent,
    /// Below it the log was compacted; `None` if it never was.
    pub(super) cleaned_to: Option<i64>,
    /// A round of compaction is under way: segments are deleted after it.
    pub(super) cleaning: bool,
    /// Grows with each change to the list of segments but rolls.
    pub(super) structure: u64,
    /// Where its newest batches are kept in memory, and its number there.
    pub(super) tails: Option<(Arc<Tails>, u64)>,
    pub(super) offline: Option<Arc<str>>,
    /// What opening it came to, until that is told.
    pub(super) loading: Loading,
    /// Where it tells what it does; nowhere unless it is told.
    pub(super) book: NodeLog,
}

/// Where the newest batches lie, so that readers at the tail need no index.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    batches: [(i64, u64); 8],
    len: usize,
}

impl Recent {
    pub(super) fn push(&mut self, base_offset: i64, position: u64) {
        if self.len == self.batches.len() {
            self.batches.rotate_left(1);
            self.len -= 1;
        }
        self.batches[self.len] = (base_offset, position);
        self.len += 1;
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Position of the batch that holds `offset`, if that is one of the newest.
    pub(super) fn find(&self, offset: i64) -> Option<u64> {
        self.batches[..self.len].iter().rev().find(|(base, _)| *base <= offset).map(|&(_, position)| position)
    }
}

impl Log {
    /// First offset that readers may see.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    /// Offset that the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset
    }

    /// The log start offset is not simply where the first segment begins, and so must be remembered.
    pub(super) fn starts_inside_segment(&self) -> bool {
        self.segments.first().is_some_and(|first| self.log_start_offset > first.base_offset)
    }

    /// Bytes of all batches.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Everything below is durable.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    /// Where the next round of compaction begins; `None` if there was none yet (`cleaner-offset-checkpoint`).
    pub fn cleaned_to(&self) -> Option<i64> {
        self.cleaned_to
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Base offset of the active segment.
    pub fn active_segment_base_offset(&self) -> i64 {
        self.segments.last().map_or(self.log_start_offset, |segment| segment.base_offset)
    }

    /// Directory of the partition.
    pub fn dir(&self) -> &Path {
        &self.store.dir
    }

    /// Whose log it is.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// Topic id in `partition.metadata`.
    pub fn topic_id(&self) -> Option<Id> {
        self.topic_id
    }

    /// Notes the topic id of a log that was opened without one; refuses another.
    pub fn assign_topic_id(&mut self, id: Id) -> Result<(), LogError> {
        match self.topic_id {
            Some(found) if found == id => Ok(()),
            Some(found) => Err(LogError::InconsistentTopicId { path: self.store.dir.clone(), found, expected: id }),
            None => self.change(|log| {
                let path = log.store.dir.join(METADATA_FILE);
                let text = encode_partition_metadata(id);
                log.store.disk.replace(&path, text.as_bytes()).map_err(LogError::io(&path))?;
                (log.topic_id, log.topic_id_dirty) = (Some(id), true);
                Ok(())
            }),
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Another configuration, from the next change on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Why the log takes no more changes, if so.
    pub fn offline(&self) -> Option<&str> {
        self.offline.as_deref()
    }

    /// Tells there what it does from now on, and first what opening it came to.
    pub(super) fn tell_in(&mut self, book: &NodeLog) {
        self.book = book.clone();
        std::mem::take(&mut self.loading).tell(self, book);
    }

    /// Keeps its newest batches in memory from now on, in a room that many logs share.
    pub(super) fn keep_tail_in(&mut self, tails: &Arc<Tails>) {
        self.tails = Some((Arc::clone(tails), tails.new_log()));
    }

    /// Epoch of the last entry in the epoch cache.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.latest()
    }

    /// Leader epoch that the record at `offset` was written in.
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        self.epochs.epoch_at(offset)
    }

    /// The largest epoch of this log that is not larger than `epoch`, and where it ends; (-1, -1) where that is not known.
    pub fn end_offset_for_epoch(&self, epoch: i32) -> (i32, i64) {
        self.epochs.end_offset_for(epoch, self.log_end_offset)
    }

    /// The epoch cache.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Offset of the snapshot from which the producers were restored: of those known from it only the last batch before it is known.
    pub fn producers_restored_from(&self) -> Option<i64> {
        (self.producers_from >= 0).then_some(self.producers_from)
    }

    /// What is known of each producer, in no order.
    pub fn producer_states(&self) -> impl Iterator<Item = &ProducerState> {
        self.producers.iter()
    }

    /// Readers of committed records stop here: at the first open transaction, or at the high watermark.
    pub fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        if Bug::LastStableOffsetIgnored.is_planted() {
            return high_watermark;
        }
        let unstable = self.producers.first_unstable_offset(high_watermark);
        unstable.map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// Notes that `epoch` begins at `start_offset`.
    pub fn assign_epoch_start(&mut self, epoch: i32, start_offset: i64) -> Result<(), LogError> {
        self.change(|log| {
            let news = log.epochs.assign(epoch, start_offset);
            if news && start_offset == log.log_end_offset {
                // Without a record in it the next start would drop the epoch all the same.
                log.epochs_stale = true;
            } else if news {
                log.write_epochs()?;
            }
            Ok(())
        })
    }

    /// Runs a change; a failure of the disk takes the log offline.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Log) -> Result<T, LogError>) -> Result<T, LogError> {
        if let Some(reason) = &self.offline {
            return Err(LogError::Offline(Arc::clone(reason)));
        }
        let result = change(self);
        if let Err(error) = &result
            && error.is_storage_failure()
        {
            self.offline = Some(error.to_string().into());
            lines::say(self, Level::Error, || format!("A change failed, and no more are made: {error}"));
        }
        result
    }

    /// Where the segment with that base offset stands.
    pub(super) fn segment_index(&self, base_offset: i64) -> Option<usize> {
        self.segments.binary_search_by_key(&base_offset, |segment| segment.base_offset).ok()
    }

    pub(super) fn active(&mut self) -> Result<&mut Segment, LogError> {
        let missing = LogError::InvalidRecord("the log has no segment");
        self.segments.last_mut().ok_or(missing)
    }

    /// Writes the epochs; the file is made durable by the next flush, and built anew from the batches if it does not survive.
    pub(super) fn write_epochs(&mut self) -> Result<(), LogError> {
        let path = self.store.dir.join(EPOCHS_FILE);
        let text = self.epochs.encode();
        self.store.disk.replace(&path, text.as_bytes()).map_err(LogError::io(&path))?;
        (self.epochs_dirty, self.epochs_stale) = (true, false);
        Ok(())
    }

    /// Writes what is known of the producers; a snapshot that does not survive is built anew from the batches.
    pub(super) fn write_snapshot(&mut self) -> Result<(), LogError> {
        let offset = self.log_end_offset;
        // Of a log that never held a record there is nothing to tell.
        if offset <= self.last_snapshot_offset.max(0) {
            return Ok(());
        }
        let since = self.store.disk.stopwatch();
        let path = self.store.path(offset, SNAPSHOT);
        let bytes = snapshot::encode(&self.producers.snapshot());
        let write = || {
            let mut file = self.store.disk.open(&path, true)?;
            file.truncate(0)?;
            file.write_all_at(&bytes, 0)
        };
        write().map_err(LogError::io(&path))?;
        self.last_snapshot_offset = offset;
        lines::wrote_snapshot(self, offset, self.store.disk.stopwatch().saturating_sub(since));
        Ok(())
    }

    /// Ends the active segment and begins the next at the log's end.
    pub(super) fn roll(&mut self, now: Now) -> Result<(), LogError> {
        let base_offset = self.log_end_offset;
        if self.active()?.base_offset == base_offset {
            return Ok(()); // It is empty: there is nothing to end.
        }
        let since = self.store.disk.stopwatch();
        if self.cut_unflushed || (base_offset <= self.max_recovery_point && self.recovery_point < base_offset) {
            self.flush_now(now)?;
        }
        self.write_snapshot()?;
        if let Some(active) = self.segments.last_mut() {
            let is_cut = active.complete(&self.store)?;
            if self.recovery_point >= base_offset {
                // No later flush would come back to it.
                if is_cut {
                    active.flush(&self.store)?;
                }
                active.flush_indexes(&self.store)?;
            }
            active.release();
        }
        if self.recovery_point >= base_offset {
            self.sync_snapshot(base_offset)?;
        }
        let segment = Segment::create(&self.store, base_offset, self.config.allocated_bytes(), now.wall_ms)?;
        self.segments.push(segment);
        self.new_names = true;
        self.recent.clear();
        lines::rolled(self, self.store.disk.stopwatch().saturating_sub(since));
        Ok(())
    }

    /// Makes everything durable.
    pub fn flush(&mut self, now: Now) -> Result<(), LogError> {
        self.change(|log| log.flush_now(now))
    }

    /// Flushes if `flush.ms` asks for it.
    pub fn flush_if_due(&mut self, now: Now) -> Result<(), LogError> {
        let waited = now.mono.saturating_sub(self.last_flush).as_millis();
        let due = self.recovery_point < self.log_end_offset && waited >= self.config.flush_ms.max(0) as u128;
        if due { self.flush(now) } else { Ok(()) }
    }

    /// Whether a loss of power after a clean stop could take anything that counts. An epoch that began at the log's end does not: it is
    /// dropped at the next start all the same. Nor do the files of a log that never held a record: ten thousand such logs would
    /// make a stop wait for sixty thousand fsyncs.
    fn has_unflushed(&self) -> bool {
        let held_records = self.log_end_offset > 0;
        self.recovery_point < self.log_end_offset
            || self.cut_unflushed
            || held_records && (self.new_names || self.topic_id_dirty)
    }

    pub(super) fn flush_now(&mut self, now: Now) -> Result<(), LogError> {
        lines::say(self, Level::Debug, || {
            format!("Flushing up to offset {}, from recovery point {}", self.log_end_offset, self.recovery_point)
        });
        self.flush_segments(self.segments.len())?;
        self.cut_unflushed = false;
        self.recovery_point = self.log_end_offset;
        self.max_recovery_point = self.max_recovery_point.max(self.recovery_point);
        self.last_flush = now.mono;
        Ok(())
    }

    /// Makes everything but the active segment durable.
    pub(super) fn flush_closed(&mut self, now: Now) -> Result<(), LogError> {
        self.change(|log| {
            let active = log.active_segment_base_offset();
            if log.cut_unflushed {
                return log.flush_now(now);
            }
            if log.recovery_point < active {
                log.flush_segments(log.segments.len() - 1)?;
                log.recovery_point = active;
                log.max_recovery_point = log.max_recovery_point.max(active);
            }
            Ok(())
        })
    }

    /// Records of closed segments that are not known to be durable: what a recovery has to read again beside the active segment.
    pub fn closed_unflushed_records(&self) -> i64 {
        let active = self.segments.last().map_or(0, |segment| segment.base_offset);
        (active - self.recovery_point).max(0)
    }

    /// Makes the first closed segment durable that is not, so that the recovery point moves to its end.
    pub fn flush_closed_segment(&mut self, now: Now) -> Result<(), LogError> {
        if self.closed_unflushed_records() == 0 {
            return Ok(());
        }
        self.change(|log| {
            if log.cut_unflushed {
                return log.flush_now(now);
            }
            let next = log.segments.partition_point(|segment| segment.base_offset <= log.recovery_point);
            let end = log.segments.get(next).map_or(log.recovery_point, |segment| segment.base_offset);
            log.flush_segments(next)?;
            log.recovery_point = end;
            log.max_recovery_point = log.max_recovery_point.max(end);
            Ok(())
        })
    }

    /// How long each flush took since the last call.
    pub fn take_flushes(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.flushes)
    }

    /// How many producers are known.
    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// When the producer of the oldest open transaction last wrote (`ProducerStateManager.hasLateTransaction`).
    pub fn oldest_txn_last_timestamp_ms(&self) -> Option<i64> {
        self.producers.oldest_txn_last_timestamp_ms()
    }

    fn flush_segments(&mut self, count: usize) -> Result<(), LogError> {
        let since = self.store.disk.stopwatch();
        let flushed = self.make_durable(count);
        if self.flushes.len() < FLUSHES_MAX {
            self.flushes.push(self.store.disk.stopwatch().saturating_sub(since));
        }
        flushed
    }

    /// Makes the first `count` segments durable, as far as they are not, and all that stands beside them.
    fn make_durable(&mut self, count: usize) -> Result<(), LogError> {
        let first =
            self.segments.partition_point(|segment| segment.base_offset <= self.recovery_point).saturating_sub(1);
        let last = self.segments.len() - 1;
        for segment in &self.segments[(first + 1).min(self.segments.len())..] {
            self.sync_snapshot(segment.base_offset)?;
        }
        for (index, segment) in self.segments[..count].iter_mut().enumerate().skip(first) {
            // The active segment's indexes are built anew after a crash.
            segment.flush(&self.store)?;
            if index < last {
                segment.flush_indexes(&self.store)?;
                segment.release();
            }
        }
        if self.epochs_dirty {
            let path = self.store.dir.join(EPOCHS_FILE);
            let text = self.epochs.encode();
            self.store.disk.write_atomically(&path, text.as_bytes()).map_err(LogError::io(&path))?;
            self.epochs_dirty = false;
        }
        if let Some(id) = self.topic_id.filter(|_| self.topic_id_dirty) {
            let path = self.store.dir.join(METADATA_FILE);
            let text = encode_partition_metadata(id);
            self.store.disk.write_atomically(&path, text.as_bytes()).map_err(LogError::io(&path))?;
            self.topic_id_dirty = false;
        }
        if let Some(root) = self.store.dir.parent().filter(|_| self.new_dir) {
            self.store.disk.sync_dir(root).map_err(LogError::io(root))?;
            self.new_dir = false;
        }
        if self.new_names {
            self.store.disk.sync_dir(&self.store.dir).map_err(LogError::io(&self.store.dir))?;
            self.new_names = false;
        }
        Ok(())
    }

    /// The clean end: everything durable, indexes complete, a snapshot of the producers. Gives the recovery point.
    pub fn close(mut self, now: Now) -> Result<i64, LogError> {
        self.close_now(now)?;
        Ok(self.recovery_point)
    }

    pub(super) fn close_now(&mut self, now: Now) -> Result<(), LogError> {
        self.change(|log| {
            let snapshot = log.last_snapshot_offset;
            log.write_snapshot()?;
            let is_cut = match log.segments.last_mut() {
                Some(active) => active.complete(&log.store)?,
                None => false,
            };
            if is_cut || log.has_unflushed() {
                log.flush_now(now)?;
            }
            let mut synced = match log.segments.last_mut() {
                Some(active) => active.flush_indexes(&log.store)?,
                None => false,
            };
            if log.last_snapshot_offset != snapshot {
                log.sync_snapshot(log.last_snapshot_offset)?;
                synced = true;
            }
            if synced {
                log.store.disk.sync_dir(&log.store.dir).map_err(LogError::io(&log.store.dir))?;
            }
            Ok(())
        })
    }

    fn sync_snapshot(&self, offset: i64) -> Result<(), LogError> {
        let path = self.store.path(offset, SNAPSHOT);
        match self.store.disk.open(&path, false).and_then(|mut file| file.sync()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LogError::io(&path)(error)),
            _ => Ok(()),
        }
    }
}
