//! Opening a log: what a stop, a kill or a loss of power left is made whole again.
//!
//! After a clean stop only the tail is looked at. Otherwise every batch from the segment of the recovery point on is
//! checked, the log ends before the first that is unsound, and indexes, epochs and producers are built anew from there.
//! Source: `org.apache.kafka.storage.internals.log.LogLoader`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::append::{aborted, end_txn_marker};
use super::checkpoint::{encode_partition_metadata, read_partition_metadata};
use super::disk::Disk;
use super::epochs::LeaderEpochs;
use super::lines::{Loading, ReadAnew};
use super::partition_log::{EPOCHS_FILE, METADATA_FILE, Recent, SNAPSHOT};
use super::producers::{ProducerStates, Staged};
use super::segment::{LOG, OFFSET_INDEX, Segment, Store, TIME_INDEX, TXN_INDEX};
use super::swap::settle_swaps;
use super::verification::Verifications;
use super::{Log, LogConfig, LogError, snapshot};
use crate::logging::NodeLog;
use crate::planted::Bug;
use crate::types::{Id, Now, TopicPartition};

pub(super) const MAX_EPOCHS_BYTES: u64 = 16 << 20;
pub(super) const MAX_SNAPSHOT_BYTES: u64 = 256 << 20;

/// What the directory knows of a log before it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The node stopped cleanly.
    pub clean_shutdown: bool,
    /// Everything below was durable (0 if that is not known).
    pub recovery_point: i64,
    /// Where the log started; -1 if that is not known.
    pub log_start_offset: i64,
    /// Compaction may have left gaps between segments up to here: the cleaner's checkpoint; -1 if it has none of this log,
    /// [`i64::MAX`] if it cannot be read.
    pub cleaned_to: i64,
}

impl Recovery {
    /// A log that is new, or of which nothing is known.
    pub const UNKNOWN: Recovery =
        Recovery { clean_shutdown: false, recovery_point: 0, log_start_offset: -1, cleaned_to: -1 };
}

/// What stands in a partition's directory.
#[derive(Default)]
struct Found {
    segments: BTreeSet<i64>,
    snapshots: BTreeSet<i64>,
    indexes: Vec<(i64, &'static str)>,
}

impl Log {
    /// Opens the log in `dir`, or begins one. Notes `topic_id` if there is none yet; refuses a directory of another topic.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        topic_partition: TopicPartition,
        topic_id: Option<Id>,
        config: LogConfig,
        recovery: Recovery,
        now: Now,
    ) -> Result<Log, LogError> {
        let is_new = !disk.exists(&dir);
        if is_new {
            disk.create_dir_all(&dir).map_err(LogError::io(&dir))?;
        }
        let store = Store { disk, dir, ending: "" };
        let loading = Loading { swapped: settle_swaps(&store)?, ..Loading::default() };
        let (topic_id, topic_id_dirty) = settle_topic_id(&store, topic_id)?;
        let found = look_around(&store)?;
        let max_producers = config.max_producer_ids;
        let recovery_point = recovery.recovery_point.max(0);
        let mut log = Log {
            store,
            topic_partition,
            topic_id,
            config,
            segments: Vec::with_capacity(found.segments.len().max(1)),
            log_start_offset: recovery.log_start_offset.max(0),
            log_end_offset: 0,
            size_bytes: 0,
            recovery_point,
            max_recovery_point: recovery_point,
            last_flush: Duration::ZERO,
            cut_unflushed: false,
            new_names: is_new,
            new_dir: is_new,
            topic_id_dirty,
            epochs: LeaderEpochs::default(),
            epochs_dirty: false,
            epochs_stale: false,
            producers: ProducerStates::new(max_producers),
            last_snapshot_offset: -1,
            producers_from: -1,
            verifications: Verifications::default(),
            flushes: Vec::new(),
            recent: Recent::default(),
            cleaned_to: (0..i64::MAX).contains(&recovery.cleaned_to).then_some(recovery.cleaned_to),
            cleaning: false,
            tails: None,
            structure: 0,
            offline: None,
            loading,
            book: NodeLog::default(),
        };
        log.last_flush = now.mono;
        log.load(&found, recovery, now)?;
        // A truncation of the life before, or one of this recovery, may stand in the page cache only: a later segment that became durable
        // before it would follow on what was cut off.
        log.cut_unflushed = !recovery.clean_shutdown && !is_new;
        Ok(log)
    }

    fn load(&mut self, found: &Found, recovery: Recovery, now: Now) -> Result<(), LogError> {
        let mut epochs_known = self.load_epochs()?;
        let mut rebuilt_from = None;
        let bases: Vec<i64> = found.segments.iter().copied().collect();
        let unflushed = bases.partition_point(|&base| base <= recovery.recovery_point).saturating_sub(1);
        let mut cut = false;
        for (index, &base) in bases.iter().enumerate() {
            // Only compaction leaves gaps, and only below the recovery point; elsewhere the end of the one before was lost.
            let gaps = recovery.clean_shutdown || index <= unflushed || base <= recovery.cleaned_to;
            let follows =
                self.segments.last().is_none_or(|last| last.next_offset == base || (gaps && last.next_offset < base));
            if cut || !follows {
                // Behind a torn batch nothing counts.
                cut = true;
                self.loading.removed.push(base);
                remove_segment(&self.store, base)?;
                continue;
            }
            let (mut segment, sound) = Segment::load(&self.store, base, now.wall_ms)?;
            let unclean = !recovery.clean_shutdown && index >= unflushed;
            if !sound || unclean {
                if unclean && index == unflushed {
                    // What the file says from here on may be older or newer than the batches.
                    self.epochs.truncate_from_end(base.saturating_add(1));
                }
                rebuilt_from.get_or_insert(base);
                let cut_bytes = self.recover_segment(&mut segment, unclean)?;
                cut = cut_bytes > 0;
                let end_offset = segment.next_offset;
                self.loading.read_anew.push(ReadAnew { base_offset: base, unflushed: unclean, cut_bytes, end_offset });
                if index + 1 < bases.len() {
                    segment.complete(&self.store)?;
                }
                self.new_names = true;
            }
            segment.release_indexes();
            if index + 1 < bases.len() {
                segment.release();
            }
            self.segments.push(segment);
        }
        for &(base, suffix) in &found.indexes {
            if !found.segments.contains(&base) {
                self.loading.orphans += usize::from(!self.loading.removed.contains(&base));
                self.store.remove_if_there(base, suffix)?;
            }
        }
        self.settle_ends(recovery, now)?;
        if !epochs_known {
            self.rebuild_epochs()?;
            epochs_known = true;
        }
        let before = self.epochs.clone();
        self.epochs.truncate_from_start(self.log_start_offset);
        self.epochs.truncate_from_end(self.log_end_offset);
        let mut begun_at_end = before.clone();
        begun_at_end.truncate_from_end(self.log_end_offset);
        if before != self.epochs && begun_at_end == self.epochs {
            // The file waits for the first record: most leaders leave no record in their epoch, and there are many logs.
            self.epochs_stale = true;
        } else if self.epochs != before || rebuilt_from.is_some() && epochs_known {
            self.write_epochs()?;
        }
        self.load_producers(found, rebuilt_from)
    }

    /// Where the log begins and ends, now that its segments are known; makes the first segment if there is none.
    fn settle_ends(&mut self, recovery: Recovery, now: Now) -> Result<(), LogError> {
        let end = self.segments.last().map(|segment| segment.next_offset);
        if end.is_some_and(|end| end < self.log_start_offset) {
            // What is left ends before the log begins: none of it may be seen again.
            self.loading.ended_before_start = end;
            for segment in std::mem::take(&mut self.segments) {
                segment.delete(&self.store)?;
            }
        }
        if self.segments.is_empty() {
            self.segments.push(Segment::create(
                &self.store,
                self.log_start_offset,
                self.config.allocated_bytes(),
                now.wall_ms,
            )?);
            self.new_names = true;
        }
        let first = self.segments.first().map_or(0, |segment| segment.base_offset);
        self.log_start_offset = self.log_start_offset.max(first);
        self.log_end_offset = self.segments.last().map_or(0, |segment| segment.next_offset).max(self.log_start_offset);
        self.size_bytes = self.segments.iter().map(|segment| segment.size_bytes).sum();
        // After a crash the checkpoint may be older than a truncation in its segment: only what lies before that is surely durable.
        let checked =
            self.segments.partition_point(|segment| segment.base_offset <= recovery.recovery_point).saturating_sub(1);
        let durable = self.segments.get(checked).map_or(0, |segment| segment.base_offset);
        self.recovery_point =
            if recovery.clean_shutdown { self.log_end_offset } else { durable.min(recovery.recovery_point.max(0)) };
        self.max_recovery_point = self.max_recovery_point.max(self.recovery_point);
        Ok(())
    }

    fn recover_segment(&mut self, segment: &mut Segment, with_epochs: bool) -> Result<u64, LogError> {
        let epochs = &mut self.epochs;
        let mut last_epoch = -1;
        segment.recover(&self.store, self.config.index_interval_bytes, &mut |header| {
            let epoch = header.partition_leader_epoch;
            if epoch >= 0 && epoch < last_epoch {
                return false; // What an older leader wrote, laid bare again by a truncation that did not survive.
            }
            last_epoch = last_epoch.max(epoch);
            if with_epochs {
                epochs.assign(epoch, header.base_offset);
            }
            true
        })
    }

    /// False if there is no epochs file, or an unreadable one: the batches then tell.
    fn load_epochs(&mut self) -> Result<bool, LogError> {
        let path = self.store.dir.join(EPOCHS_FILE);
        match self.store.disk.read(&path, MAX_EPOCHS_BYTES) {
            Ok(text) => match LeaderEpochs::decode(&text) {
                Ok(epochs) => {
                    self.epochs = epochs;
                    Ok(true)
                }
                Err(_) => Ok(false),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(LogError::io(&path)(error)),
        }
    }

    fn rebuild_epochs(&mut self) -> Result<(), LogError> {
        if self.size_bytes == 0 {
            return Ok(());
        }
        let mut epochs = LeaderEpochs::default();
        for segment in &self.segments {
            let scanned = segment.scan(&self.store, 0, false, &mut |_, header, _| {
                epochs.assign(header.partition_leader_epoch, header.base_offset);
                Ok(true)
            })?;
            if let Some(reason) = scanned.error {
                return Err(segment.corrupt(&self.store, scanned.position, reason));
            }
        }
        self.epochs = epochs;
        self.write_epochs()
    }

    /// The newest snapshot that is sound and not past the end (nor past the first segment that was rebuilt, since its batches tell
    /// anew which transactions were aborted), then the batches after it.
    fn load_producers(&mut self, found: &Found, rebuilt_from: Option<i64>) -> Result<(), LogError> {
        if Bug::ProducersNotRebuilt.is_planted() {
            return Ok(());
        }
        let first = self.segments.first().map_or(0, |segment| segment.base_offset);
        let limit = rebuilt_from.unwrap_or(i64::MAX).min(self.log_end_offset);
        for &offset in found.snapshots.iter().rev() {
            if self.last_snapshot_offset >= 0 {
                // Older ones are of use at the start of a segment only: for truncations.
                if !self.segments.iter().any(|segment| segment.base_offset == offset) {
                    self.store.remove_if_there(offset, SNAPSHOT)?;
                }
            } else if offset > limit || offset < first || !self.load_snapshot(offset)? {
                self.store.remove_if_there(offset, SNAPSHOT)?;
            }
        }
        self.replay_producers(rebuilt_from.is_some())
    }

    /// False if the snapshot is damaged.
    pub(super) fn load_snapshot(&mut self, offset: i64) -> Result<bool, LogError> {
        let path = self.store.path(offset, SNAPSHOT);
        let bytes = self.store.disk.read(&path, MAX_SNAPSHOT_BYTES).map_err(LogError::io(&path))?;
        let Ok(entries) = snapshot::decode(&bytes) else {
            self.loading.bad_snapshots.push(offset);
            return Ok(false);
        };
        if !Bug::ProducerSnapshotIgnored.is_planted() {
            self.producers.restore(entries);
        }
        self.producers_from = offset;
        self.last_snapshot_offset = offset;
        Ok(true)
    }

    /// Takes in the batches after the newest snapshot. `rebuild_txn_indexes` also notes the transactions that they abort.
    pub(super) fn replay_producers(&mut self, rebuild_txn_indexes: bool) -> Result<(), LogError> {
        let from = self.last_snapshot_offset;
        let mut producers = std::mem::take(&mut self.producers);
        let store = &self.store;
        for segment in self.segments.iter_mut().filter(|segment| segment.next_offset > from) {
            let Some((start, _)) = segment.find(store, from)? else { continue };
            let traces = segment.producers_found(store, start)?;
            if !traces.any {
                continue;
            }
            let mut found = Vec::new();
            // Markers are told by their records.
            let whole = traces.markers;
            let scanned = segment.scan(store, start, whole, &mut |_, header, batch| {
                if header.base_offset < from || !header.has_producer_id() {
                    return Ok(true);
                }
                let mut staged = Staged::default();
                let marker = if whole { end_txn_marker(header, batch)? } else { None };
                producers.stage(&mut staged, header, marker, None)?;
                for completed in staged.completed().iter().filter(|completed| completed.aborted) {
                    found.push(aborted(completed, producers.last_stable_offset_after(&staged, completed)));
                }
                producers.commit(staged);
                Ok(true)
            })?;
            if let Some(reason) = scanned.error {
                return Err(segment.corrupt(store, scanned.position, reason));
            }
            if rebuild_txn_indexes && !Bug::AbortedIndexNotRebuilt.is_planted() {
                let known = segment.aborted(store)?.last().map_or(-1, |txn| txn.last_offset);
                for txn in found.into_iter().filter(|txn| txn.last_offset > known) {
                    segment.push_aborted(store, txn)?;
                }
            }
        }
        self.producers = producers;
        Ok(())
    }
}

/// The topic id that the directory has or gets, and whether that must still be made durable.
fn settle_topic_id(store: &Store, topic_id: Option<Id>) -> Result<(Option<Id>, bool), LogError> {
    let path = store.dir.join(METADATA_FILE);
    let found = match read_partition_metadata(&*store.disk, &path) {
        // A loss of power may have torn it, in a log of which nothing was flushed yet.
        Err(LogError::InvalidFile { .. }) => None,
        found => found?,
    };
    match (found, topic_id.filter(|id| !id.is_zero())) {
        (Some(found), Some(expected)) if found != expected => {
            Err(LogError::InconsistentTopicId { path: store.dir.clone(), found, expected })
        }
        (None, Some(id)) => {
            store.disk.replace(&path, encode_partition_metadata(id).as_bytes()).map_err(LogError::io(&path))?;
            Ok((Some(id), true))
        }
        (found, _) => Ok((found, false)),
    }
}

fn look_around(store: &Store) -> Result<Found, LogError> {
    let mut found = Found::default();
    for name in store.disk.list(&store.dir).map_err(LogError::io(&store.dir))? {
        let Some((stem, suffix)) = name.split_once('.') else { continue };
        let Some(offset) = stem.parse::<i64>().ok().filter(|offset| *offset >= 0 && stem.len() == 20) else { continue };
        match suffix {
            LOG => drop(found.segments.insert(offset)),
            SNAPSHOT => drop(found.snapshots.insert(offset)),
            OFFSET_INDEX => found.indexes.push((offset, OFFSET_INDEX)),
            TIME_INDEX => found.indexes.push((offset, TIME_INDEX)),
            TXN_INDEX => found.indexes.push((offset, TXN_INDEX)),
            _ => {}
        }
    }
    Ok(found)
}

fn remove_segment(store: &Store, base_offset: i64) -> Result<(), LogError> {
    for suffix in [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX] {
        store.remove_if_there(base_offset, suffix)?;
    }
    Ok(())
}
