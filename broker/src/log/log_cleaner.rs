//! Which log of a directory is compacted next, and how far each has come.
//!
//! One log at a time, the dirtiest first, a step at each call: a node is one thread, and its other work must not wait.
//! Source: `org.apache.kafka.storage.internals.log.LogCleaner`, `LogCleanerManager`, `LogToClean`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::checkpoint::Offsets;
use super::cleaning::{Cleaning, CleaningStats, DirtySection, Means, Progress};
use super::segment::Segment;
use super::{Log, LogConfig, LogDir, LogError, lines};
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
    gauges: CleanerGauges,
    io_bytes: u64,
}

/// What the cleaner of one directory has to show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CleanerGauges {
    /// What the last finished round did.
    pub last: CleaningStats,
    /// How long it took.
    pub last_took: Duration,
    /// How full its map of keys was, 0 to 1.
    pub last_map_utilization: f64,
    /// How dirty the dirtiest log was when it was last looked for, 0 to 1.
    pub dirtiest_ratio: f64,
    /// By how much the log that waited longest was late then, after its `max.compaction.lag.ms`.
    pub compaction_delay_ms: i64,
    /// When a log to be compacted was last looked for, on the monotonic clock.
    pub looked_at: Option<Duration>,
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
            lines::not_cleaned(&self.book, &partition);
            cleaning.abort(log);
            return None;
        }
        let progress = cleaning.step(log, now, STEP_BYTES);
        self.cleaner.io_bytes += cleaning.take_io_bytes();
        let error = match progress {
            Ok(Progress::More(bytes)) => {
                let pause = Duration::try_from_secs_f64(bytes as f64 / config.max_bytes_per_second.max(1.0));
                self.cleaner.next_step = now.mono + pause.unwrap_or_default().max(STEP_PAUSE);
                self.cleaner.current = Some((partition, cleaning));
                return None;
            }
            Ok(Progress::Done(to_offset)) => {
                let stats = cleaning.stats;
                let gauges = &mut self.cleaner.gauges;
                (gauges.last, gauges.last_map_utilization) = (stats, cleaning.map_utilization());
                gauges.last_took = now.mono.saturating_sub(cleaning.started());
                let section = (cleaning.first_dirty_offset(), to_offset);
                lines::cleaned(&self.book, &partition, section, &stats, gauges.last_took, gauges.last_map_utilization);
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
        lines::not_cleanable(&self.book, &partition, &error);
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

    /// What the cleaner has to show.
    pub fn cleaner_gauges(&self) -> CleanerGauges {
        self.cleaner.gauges
    }

    /// Bytes that the cleaner read and wrote since the last call.
    pub fn take_cleaner_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.cleaner.io_bytes)
    }

    /// How much the cleaner would work on, were it not for what is wrong with those logs.
    pub fn uncleanable_bytes(&mut self) -> u64 {
        let (logs, uncleanable) = (&mut self.logs, &self.cleaner.uncleanable);
        let is_uncleanable = |name: &TopicPartition| uncleanable.contains_key(name);
        logs.iter_mut().filter(|(name, _)| is_uncleanable(name)).map(|(_, log)| log.dirty_bytes()).sum()
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
        let gauges = &mut self.cleaner.gauges;
        (gauges.looked_at, gauges.dirtiest_ratio, gauges.compaction_delay_ms) = (Some(now.mono), 0.0, 0);
        for (name, log) in logs.iter_mut().filter(|(_, log)| log.config.cleanup_compact && log.offline().is_none()) {
            if self.cleaner.uncleanable.contains_key(name) {
                continue;
            }
            let Some(high_watermark) = high_watermark(log) else { continue };
            let Some(dirt) = log.dirt(now.wall_ms, high_watermark) else { continue };
            gauges.dirtiest_ratio = gauges.dirtiest_ratio.max(dirt.ratio);
            gauges.compaction_delay_ms = gauges.compaction_delay_ms.max(dirt.delay_ms);
            if let Some((ratio, section)) = dirt.due()
                && dirtiest.as_ref().is_none_or(|(most, ..)| ratio > *most)
            {
                dirtiest = Some((ratio, name.clone(), section));
            }
        }
        let Some((ratio, name, section)) = dirtiest else { return false };
        lines::cleaning(&self.book, &name, &section, ratio);
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

/// What compaction would work on in a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dirt {
    section: DirtySection,
    /// How dirty it is.
    pub(super) ratio: f64,
    is_dirty_enough: bool,
    /// By how much it is late after its `max.compaction.lag.ms`; 0 if it is not.
    pub(super) delay_ms: i64,
}

impl Dirt {
    /// How dirty the log is, if it is time for it.
    pub(super) fn due(&self) -> Option<(f64, DirtySection)> {
        (self.is_dirty_enough || self.delay_ms > 0).then_some((self.ratio, self.section))
    }
}

impl Log {
    /// Bytes of closed segments that were written since the log was last compacted.
    fn dirty_bytes(&mut self) -> u64 {
        let first_dirty_offset = self.first_dirty_offset();
        let dirty = self.closed_from(first_dirty_offset);
        self.segments[dirty].iter().map(|segment| segment.size_bytes).sum()
    }

    /// What compaction would work on; `None` if there is nothing.
    pub(super) fn dirt(&mut self, now_ms: i64, high_watermark: i64) -> Option<Dirt> {
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
        Some(Dirt {
            section: DirtySection { first_dirty_offset, upper_bound },
            ratio,
            is_dirty_enough: ratio > self.config.min_cleanable_dirty_ratio,
            delay_ms: self.compaction_delay_ms(dirty, now_ms),
        })
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

    /// By how much the oldest dirty records are older than `max.compaction.lag.ms`.
    fn compaction_delay_ms(&mut self, dirty: std::ops::Range<usize>, now_ms: i64) -> i64 {
        let LogConfig { max_compaction_lag_ms, .. } = self.config;
        if max_compaction_lag_ms == i64::MAX {
            return 0;
        }
        let until = now_ms.saturating_sub(max_compaction_lag_ms.max(0));
        let store = &self.store;
        let first = |segment: &mut Segment| segment.first_timestamp_ms(store).ok().flatten();
        let firsts = self.segments[dirty].iter_mut().filter_map(first);
        let earliest = firsts.filter(|timestamp| *timestamp > 0).min();
        earliest.map_or(0, |earliest| until.saturating_sub(earliest).max(0))
    }
}
