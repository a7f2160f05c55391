//! Which log of a directory is compacted next, and how far each has come.
//!
//! One log at a time, the dirtiest first, a step at each call: a node is one thread, and its other work must not wait.
//! Source: `org.apache.kafka.storage.internals.log.LogCleaner`, `LogCleanerManager`, `LogToClean`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::checkpoint::Offsets;
use super::cleaning::{Cleaning, CleaningStats, DirtySection, Means, Progress};
use super::segment::Segment;
use super::{Log, LogConfig, LogDir, LogError};
use crate::types::{Now, TopicPartition};

pub(super) const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
/// Work of one step.
const STEP_BYTES: u64 = 1 << 20;
/// Between two steps there is room for others.
const STEP_PAUSE: Duration = Duration::from_millis(2);

/// The broker's `log.cleaner.*` configs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`
    pub enable: bool,
    /// `log.cleaner.backoff.ms`: how long to wait when there is nothing to clean.
    pub backoff: Duration,
    /// `log.cleaner.dedupe.buffer.size`, or this directory's part of it.
    pub dedupe_buffer_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`
    pub io_buffer_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`, read and written.
    pub max_bytes_per_second: f64,
}

impl Default for CleanerConfig {
    fn default() -> CleanerConfig {
        CleanerConfig {
            enable: true,
            backoff: Duration::from_secs(15),
            dedupe_buffer_bytes: 128 << 20,
            load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            max_bytes_per_second: f64::MAX,
        }
    }
}

/// What came of compacting a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleaningOutcome {
    /// It is compacted below `to_offset`.
    Cleaned {
        /// Whose log.
        partition: TopicPartition,
        /// First offset after those that are clean now.
        to_offset: i64,
        /// What it took.
        stats: CleaningStats,
    },
    /// It cannot be compacted: its bytes make no sense. It was left as it was, and is not tried again.
    Uncleanable {
        /// Whose log.
        partition: TopicPartition,
        /// What is wrong.
        error: LogError,
    },
    /// The disk failed: the log should be taken for offline.
    Failed {
        /// Whose log.
        partition: TopicPartition,
        /// What the disk said.
        error: LogError,
    },
}

/// The cleaner of one log directory.
#[derive(Default)]
pub(super) struct LogCleaner {
    current: Option<(TopicPartition, Cleaning)>,
    uncleanable: BTreeMap<TopicPartition, LogError>,
    next_step: Duration,
}

impl LogDir {
    /// Does a step of compaction if one is due. `high_watermark` tells a log's, or `None` if the log is to be left alone;
    /// a round on it ends then.
    pub fn clean(
        &mut self,
        now: Now,
        config: &CleanerConfig,
        high_watermark: &dyn Fn(&Log) -> Option<i64>,
    ) -> Option<CleaningOutcome> {
        if !config.enable || now.mono < self.cleaner.next_step {
            return None;
        }
        if self.cleaner.current.is_none() && !self.begin_cleaning(now, config, high_watermark) {
            self.cleaner.next_step = now.mono + config.backoff.max(STEP_PAUSE);
            return None;
        }
        let (partition, mut cleaning) = self.cleaner.current.take()?;
        let log = self.logs.get_mut(&partition)?;
        if cleaning.is_void(log) || high_watermark(log).is_none() {
            cleaning.abort(log);
            return None;
        }
        let error = match cleaning.step(log, now, STEP_BYTES) {
            Ok(Progress::More(bytes)) => {
                let pause = Duration::try_from_secs_f64(bytes as f64 / config.max_bytes_per_second.max(1.0));
                self.cleaner.next_step = now.mono + pause.unwrap_or_default().max(STEP_PAUSE);
                self.cleaner.current = Some((partition, cleaning));
                return None;
            }
            Ok(Progress::Done(to_offset)) => {
                let stats = cleaning.stats;
                cleaning.abort(log);
                log.cleaned_to = Some(to_offset);
                match self.write_cleaner_checkpoint() {
                    Ok(()) => return Some(CleaningOutcome::Cleaned { partition, to_offset, stats }),
                    Err(error) => return Some(CleaningOutcome::Failed { partition, error }),
                }
            }
            Err(error) => error,
        };
        cleaning.abort(log);
        match error {
            LogError::Io { .. } | LogError::Offline(_) => Some(CleaningOutcome::Failed { partition, error }),
            error => {
                self.cleaner.uncleanable.insert(partition.clone(), error.clone());
                Some(CleaningOutcome::Uncleanable { partition, error })
            }
        }
    }

    /// When [`LogDir::clean`] has something to do next, on the monotonic clock.
    pub fn next_cleaning(&self) -> Duration {
        self.cleaner.next_step
    }

    /// Logs that could not be compacted, and why.
    pub fn uncleanable(&self) -> &BTreeMap<TopicPartition, LogError> {
        &self.cleaner.uncleanable
    }

    /// False if no log is dirty enough.
    fn begin_cleaning(
        &mut self,
        now: Now,
        config: &CleanerConfig,
        high_watermark: &dyn Fn(&Log) -> Option<i64>,
    ) -> bool {
        let logs = &mut self.logs;
        self.cleaner.uncleanable.retain(|name, _| logs.contains_key(name));
        let mut dirtiest: Option<(f64, TopicPartition, DirtySection)> = None;
        for (name, log) in logs.iter_mut().filter(|(_, log)| log.config.cleanup_compact && log.offline().is_none()) {
            if self.cleaner.uncleanable.contains_key(name) {
                continue;
            }
            let Some(high_watermark) = high_watermark(log) else { continue };
            if let Some((ratio, section)) = log.dirty_section(now.wall_ms, high_watermark)
                && dirtiest.as_ref().is_none_or(|(most, ..)| ratio > *most)
            {
                dirtiest = Some((ratio, name.clone(), section));
            }
        }
        let Some((_, name, section)) = dirtiest else { return false };
        let means = Means {
            map_bytes: config.dedupe_buffer_bytes,
            map_load_factor: config.load_factor,
            // Kafka halves it too: one half reads, one writes.
            read_bytes: (config.io_buffer_bytes / 2).max(1),
        };
        self.cleaner.current =
            logs.get_mut(&name).map(|log| Cleaning::begin(log, section, means, now)).map(|it| (name, it));
        true
    }

    /// Writes how far each log is clean, if that changed.
    pub(super) fn write_cleaner_checkpoint(&mut self) -> Result<(), LogError> {
        let cleaned = self.logs.iter().filter_map(|(name, log)| Some((name.clone(), log.cleaned_to?)));
        let offsets: Offsets = cleaned.collect();
        self.write_checkpoint(CLEANER_OFFSETS, offsets)
    }
}

impl Log {
    /// What compaction would work on, and how dirty the log is, if it is dirty enough.
    pub(super) fn dirty_section(&mut self, now_ms: i64, high_watermark: i64) -> Option<(f64, DirtySection)> {
        let first_dirty_offset = self.first_dirty_offset();
        let active = self.active_segment_base_offset();
        let dirty = self.closed_from(first_dirty_offset);
        let mut uncleanable = self.last_stable_offset(high_watermark).min(active);
        if self.config.min_compaction_lag_ms > 0 {
            let young = |segment: &&Segment| {
                segment.last_written_ms() > now_ms.saturating_sub(self.config.min_compaction_lag_ms)
            };
            let first_young = self.segments[dirty.clone()].iter().find(young).map(|segment| segment.base_offset);
            uncleanable = uncleanable.min(first_young.unwrap_or(i64::MAX));
        }
        let uncleanable = uncleanable.max(first_dirty_offset);
        let upper_bound =
            self.segments[self.closed_from(uncleanable)].first().map_or(active, |first| first.base_offset);
        let is_dirty = |segment: &&Segment| segment.base_offset < upper_bound;
        let bytes =
            |segments: &[Segment]| segments.iter().filter(is_dirty).map(|segment| segment.size_bytes).sum::<u64>();
        let cleanable_bytes = bytes(&self.segments[dirty.clone()]);
        let clean_end = self.segments.partition_point(|segment| segment.base_offset < first_dirty_offset);
        let clean_bytes: u64 = self.segments[..clean_end].iter().map(|segment| segment.size_bytes).sum();
        if cleanable_bytes == 0 {
            return None;
        }
        let ratio = cleanable_bytes as f64 / (clean_bytes + cleanable_bytes) as f64;
        let overdue = ratio <= self.config.min_cleanable_dirty_ratio && self.is_overdue(dirty, now_ms);
        let is_due = ratio > self.config.min_cleanable_dirty_ratio || overdue;
        is_due.then_some((ratio, DirtySection { first_dirty_offset, upper_bound }))
    }

    /// Where the last round ended, unless the log no longer reaches there.
    fn first_dirty_offset(&mut self) -> i64 {
        let start = self.log_start_offset;
        match self.cleaned_to {
            Some(offset) if (start..=self.log_end_offset).contains(&offset) => offset,
            Some(_) => {
                self.cleaned_to = Some(start);
                start
            }
            None => start,
        }
    }

    /// The segments but the active one, from that which holds `offset`.
    fn closed_from(&self, offset: i64) -> std::ops::Range<usize> {
        let active = self.segments.len() - 1;
        let first = self.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1);
        first.min(active)..active
    }

    /// Whether some dirty records are older than `max.compaction.lag.ms`.
    fn is_overdue(&mut self, dirty: std::ops::Range<usize>, now_ms: i64) -> bool {
        let LogConfig { max_compaction_lag_ms, .. } = self.config;
        if max_compaction_lag_ms == i64::MAX {
            return false;
        }
        let until = now_ms.saturating_sub(max_compaction_lag_ms.max(0));
        let store = &self.store;
        let first = |segment: &mut Segment| segment.first_timestamp_ms(store).ok().flatten();
        let firsts = self.segments[dirty].iter_mut().filter_map(first);
        firsts.filter(|timestamp| *timestamp > 0).min().is_some_and(|earliest| earliest < until)
    }
}
