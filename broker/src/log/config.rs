//! What a log is told about itself. Names and defaults are Kafka's topic configs.

use std::time::Duration;

use crate::records::{Codec, TimestampType};

/// One log's configuration; [`LogConfig::default`] is Kafka's.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `segment.jitter.ms`
    pub segment_jitter_ms: i64,
    /// `preallocate`: the active segment's file has its full length from the start.
    pub preallocate: bool,
    /// `segment.index.bytes`
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`
    pub index_interval_bytes: u32,
    /// `max.message.bytes`: of a whole batch.
    pub max_message_bytes: usize,
    /// `retention.ms`; -1 keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; -1 keeps all.
    pub retention_bytes: i64,
    /// `cleanup.policy` has `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` has `compact`.
    pub cleanup_compact: bool,
    /// `min.cleanable.dirty.ratio`: compaction begins when more than this part of the log is dirty.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: younger records are left alone.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: older ones are compacted whatever the ratio.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long a tombstone stays after the round of compaction that first met it.
    pub delete_retention_ms: i64,
    /// `compression.type` and its level; `None` keeps what the producer chose.
    pub compression: Option<Codec>,
    /// `flush.messages`
    pub flush_messages: i64,
    /// `flush.ms`
    pub flush_ms: i64,
    /// `message.timestamp.type`
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`
    pub message_timestamp_after_max_ms: i64,
    /// `file.delete.delay.ms`
    pub file_delete_delay_ms: u64,
    /// `producer.id.expiration.ms`, of the broker.
    pub producer_id_expiration_ms: i64,
    /// Producer ids remembered at most; the one silent for longest is forgotten first. Kafka has no such limit.
    pub max_producer_ids: usize,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_jitter_ms: 0,
            preallocate: false,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: 1_048_588,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            cleanup_delete: true,
            cleanup_compact: false,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 86_400_000,
            compression: None,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
            file_delete_delay_ms: 60_000,
            producer_id_expiration_ms: 86_400_000,
            max_producer_ids: 100_000,
        }
    }
}

impl LogConfig {
    /// How long a segment stays active at most: a compacted log must roll in time for `max.compaction.lag.ms`.
    pub(super) fn max_segment_ms(&self) -> i64 {
        match self.cleanup_compact && self.max_compaction_lag_ms > 0 {
            true => self.max_compaction_lag_ms.min(self.segment_ms),
            false => self.segment_ms,
        }
    }

    /// Bytes that a new segment's file begins with.
    pub(super) fn allocated_bytes(&self) -> u64 {
        if self.preallocate { self.segment_bytes } else { 0 }
    }

    /// `file.delete.delay.ms`
    pub fn file_delete_delay(&self) -> Duration {
        Duration::from_millis(self.file_delete_delay_ms)
    }
}
