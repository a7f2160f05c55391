//! What a broker's log tells of logs on disk. The facts are those of Kafka's lines, by which operators look for them.
//!
//! Source: `org.apache.kafka.storage.internals.log.{UnifiedLog, LocalLog, LogLoader, ProducerStateManager, LogCleaner, Cleaner}`,
//! `kafka.log.LogManager`.

use std::path::Path;
use std::time::Duration;

use super::cleaning::{CleaningStats, DirtySection};
use super::{Log, LogError};
use crate::logging::{Level, Logger, NodeLog};
use crate::types::TopicPartition;

/// A segment whose batches were read when the log was opened.
#[derive(Debug)]
pub(super) struct ReadAnew {
    pub(super) base_offset: i64,
    /// It is one of those that may not be durable; else its indexes made no sense.
    pub(super) unflushed: bool,
    /// What was cut off at its end, and where it ends since.
    pub(super) cut_bytes: u64,
    pub(super) end_offset: i64,
}

/// What opening a log came to.
#[derive(Debug, Default)]
pub(super) struct Loading {
    /// Segments of an interrupted compaction that were put in their place.
    pub(super) swapped: usize,
    pub(super) read_anew: Vec<ReadAnew>,
    /// Base offsets of segments behind a torn batch, or past a gap.
    pub(super) removed: Vec<i64>,
    /// Where the log ended, if that was before it begins: all of it was dropped.
    pub(super) ended_before_start: Option<i64>,
    /// Index files without a segment, by base offset.
    pub(super) orphans: usize,
    /// Snapshots of producers that made no sense, by offset.
    pub(super) bad_snapshots: Vec<i64>,
}

/// Of segments by their base offsets.
fn offsets(bases: &[i64]) -> String {
    let bases: Vec<String> = bases.iter().map(i64::to_string).collect();
    bases.join(", ")
}

/// The directory in which the partition's directory lies.
fn parent(log: &Log) -> String {
    log.dir().parent().map(|dir| dir.display().to_string()).unwrap_or_default()
}

/// Bytes as MB.
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// By how much `after` is less than `before`.
fn percent_less(before: u64, after: u64) -> f64 {
    if before == 0 { 0.0 } else { 100.0 * (1.0 - after as f64 / before as f64) }
}

impl Loading {
    /// Tells it.
    pub(super) fn tell(&self, log: &Log, book: &NodeLog) {
        let of_partition = || format!("[LogLoader partition={}, dir={}] ", log.topic_partition(), parent(log));
        let say = |level: Level, what: &dyn Fn() -> String| {
            book.write(Logger::LogLoader, level, || of_partition() + &what());
        };
        if self.swapped > 0 {
            say(Level::Info, &|| {
                format!("{} segments of an interrupted compaction were put in their place", self.swapped)
            });
        }
        let unflushed = self.read_anew.iter().filter(|segment| segment.unflushed).count();
        for (index, segment) in self.read_anew.iter().enumerate() {
            let ReadAnew { base_offset, cut_bytes, end_offset, .. } = segment;
            if segment.unflushed {
                say(Level::Info, &|| {
                    format!(
                        "Recovered unflushed segment {base_offset} up to offset {end_offset}, {} of {unflushed}",
                        index + 1
                    )
                });
            } else {
                say(Level::Warn, &|| {
                    format!("The indexes of segment {base_offset} were missing or damaged, and are built anew")
                });
            }
            if *cut_bytes > 0 {
                say(Level::Warn, &|| {
                    format!(
                        "Corruption in segment {base_offset}: it is truncated to offset {end_offset}, by {cut_bytes} bytes"
                    )
                });
            }
        }
        if !self.removed.is_empty() {
            say(Level::Info, &|| format!("Segments behind what was cut off are deleted: {}", offsets(&self.removed)));
        }
        if let Some(end) = self.ended_before_start {
            let start = log.log_start_offset();
            say(Level::Warn, &|| {
                format!("All segments are deleted, as they end at {end}, before the log start offset {start}")
            });
        }
        if self.orphans > 0 {
            say(Level::Warn, &|| format!("{} index files had no segment, and are deleted", self.orphans));
        }
        let of_producers = || format!("[ProducerStateManager partition={}] ", log.topic_partition());
        for offset in &self.bad_snapshots {
            book.warn(Logger::ProducerState, || {
                format!("{}The snapshot at offset {offset} is damaged, and deleted", of_producers())
            });
        }
        if let Some(offset) = log.producers_restored_from() {
            book.info(Logger::ProducerState, || {
                let (count, end) = (log.producer_count(), log.log_end_offset());
                format!(
                    "{}Loaded the snapshot at offset {offset}; {count} producers are known at offset {end}",
                    of_producers()
                )
            });
        }
    }
}

/// A log is open.
pub(super) fn opened(book: &NodeLog, log: &Log, took: Duration, place: (usize, usize)) {
    book.info(Logger::LogManager, || {
        format!(
            "Loaded the log of {} in {} with {} segments, local-log-start-offset {} and log-end-offset {} in {}ms ({}/{} of the directory)",
            log.topic_partition(),
            log.dir().display(),
            log.segment_count(),
            log.log_start_offset(),
            log.log_end_offset(),
            took.as_millis(),
            place.0,
            place.1,
        )
    });
}

/// The logs of a directory are about to be opened.
pub(super) fn loading(book: &NodeLog, root: &Path, count: usize, clean_shutdown: bool) {
    let root = root.display();
    book.info(Logger::LogManager, || match (count, clean_shutdown) {
        (0, _) => format!("There are no logs in {root}"),
        (_, true) => format!("{count} logs in {root} need no recovery: the clean shutdown file is there"),
        (_, false) => format!("{count} logs in {root} are recovered: there is no clean shutdown file"),
    });
}

/// A log was rolled.
pub(super) fn rolled(log: &Log, took: Duration) {
    log.book.info(Logger::LocalLog, || {
        let (name, dir) = (log.topic_partition(), log.dir().display());
        let offset = log.active_segment_base_offset();
        format!(
            "[LocalLog partition={name}, dir={dir}] A new segment begins at offset {offset}, after {} ms",
            took.as_millis()
        )
    });
}

/// A line of a log about itself.
pub(super) fn say(log: &Log, level: Level, message: impl FnOnce() -> String) {
    log.book.write(Logger::UnifiedLog, level, || {
        format!("[UnifiedLog partition={}, dir={}] {}", log.topic_partition(), parent(log), message())
    });
}

/// A snapshot of the producers was written.
pub(super) fn wrote_snapshot(log: &Log, offset: i64, took: Duration) {
    log.book.info(Logger::ProducerState, || {
        let (name, count) = (log.topic_partition(), log.producer_count());
        let ms = took.as_millis();
        format!("[ProducerStateManager partition={name}] Snapshot at offset {offset} with {count} producer ids written in {ms} ms")
    });
}

/// Compaction of a log begins.
pub(super) fn cleaning(book: &NodeLog, name: &TopicPartition, section: &DirtySection, ratio: f64) {
    book.info(Logger::Cleaner, || {
        format!(
            "Cleaner 0: Cleaning of log {name} begins: dirty section = [{}, {}), dirty ratio {ratio:.2}",
            section.first_dirty_offset, section.upper_bound
        )
    });
}

/// A copy takes the place of segments.
pub(super) fn swapping(log: &Log, bases: &[i64], bytes: u64) {
    log.book.info(Logger::Cleaner, || {
        let name = log.topic_partition();
        format!(
            "Cleaner 0: A cleaned segment of {bytes} bytes takes the place of segment(s) {} in log {name}",
            offsets(bases)
        )
    });
}

/// A log is compacted.
pub(super) fn cleaned(
    book: &NodeLog,
    name: &TopicPartition,
    section: (i64, i64),
    stats: &CleaningStats,
    took: Duration,
    full: f64,
) {
    book.info(Logger::LogCleaner, || {
        format!(
            "Log cleaner thread 0 cleaned log {name} (dirty section = [{}, {}]) in {:.1} seconds, buffer utilization {:.1}%. Start size: \
             {:.1} MB ({} messages). End size: {:.1} MB ({} messages). {:.1}% size reduction ({:.1}% fewer messages)",
            section.0,
            section.1,
            took.as_secs_f64(),
            full * 100.0,
            mb(stats.bytes_before),
            stats.records_before,
            mb(stats.bytes_after),
            stats.records_after,
            percent_less(stats.bytes_before, stats.bytes_after),
            percent_less(stats.records_before, stats.records_after),
        )
    });
}

/// Compaction of a log was given up: the log changed meanwhile, or it is to be left alone.
pub(super) fn not_cleaned(book: &NodeLog, name: &TopicPartition) {
    book.info(Logger::LogCleaner, || {
        format!("The cleaning of log {name} is aborted, as the log changed or is to be left alone")
    });
}

/// A log cannot be compacted.
pub(super) fn not_cleanable(book: &NodeLog, name: &TopicPartition, error: &LogError) {
    let level = if error.is_storage_failure() && !matches!(error, LogError::Corrupt { .. }) {
        Level::Error
    } else {
        Level::Warn
    };
    book.write(Logger::LogCleaner, level, || format!("The cleaning of log {name} failed: {error}"));
}
