//! What is looked at record by record before a leader appends: keys where the topic is compacted, timestamps where they are limited; and
//! the compression that the topic wants.
//!
//! Source: `org.apache.kafka.storage.internals.log.LogValidator`.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::append::Conversion;
use super::{Log, LogError};
use crate::records::{BatchHeader, Record, TimestampType, batches, convert, records};
use crate::types::Now;

/// What a batch may unpack to when its records must be looked at one by one; but at least this.
const MIN_DECOMPRESSED_BYTES: usize = 16 << 20;
/// And so many times what it may be as a whole.
const MAX_RATIO: usize = 64;
/// More are counted, and not told one by one.
const MAX_ERRORS: usize = 1_000;
/// `RecordBatch.NO_TIMESTAMP`
const NO_TIMESTAMP: i64 = -1;

/// Records that may not be appended; no record of their batch was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecords {
    /// A timestamp is one of the reasons: INVALID_TIMESTAMP. [INVALID_RECORD] otherwise.
    pub has_invalid_timestamp: bool,
    /// How many.
    pub count: usize,
    /// How many of them have no key, in a compacted topic.
    pub missing_keys: usize,
    /// The first of them: place in the batch, and what is wrong.
    pub errors: Arc<[(i32, String)]>,
}

impl std::fmt::Display for RejectedRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.has_invalid_timestamp {
            return write!(f, "One or more records have been rejected due to invalid timestamp");
        }
        let shown = self.errors.iter().take(3);
        let shown: Vec<String> =
            shown.map(|(index, message)| format!("RecordError(batchIndex={index}, message='{message}')")).collect();
        write!(
            f,
            "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at \
             most: [{}]",
            self.count,
            shown.join(", ")
        )
    }
}

fn mistyped_record(record: &Record) -> String {
    let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    format!(
        "Invalid timestamp type in message DefaultRecord(offset={}, timestamp={}, key={} bytes, value={} bytes). Producer should not set \
         timestamp type to LogAppendTime.",
        record.offset,
        record.timestamp_ms,
        size(&record.key),
        size(&record.value)
    )
}

impl Log {
    fn max_decompressed_bytes(&self) -> usize {
        self.config.max_message_bytes.saturating_mul(MAX_RATIO).max(MIN_DECOMPRESSED_BYTES)
    }

    /// Looks at each record of a batch, where there is something to look for. `header` is that of `batch`.
    pub(super) fn check_records(&self, now: Now, header: &BatchHeader, batch: &[u8]) -> Result<(), LogError> {
        let compacted = self.config.cleanup_compact && !header.is_control();
        let stamps = self.config.message_timestamp_type == TimestampType::LogAppendTime;
        let limited = !stamps && !header.is_control();
        // Where the log stamps, no producer may say that it has; elsewhere none may that gives no time.
        let mistyped = header.timestamp_type() == TimestampType::LogAppendTime
            && !header.is_control()
            && (stamps || header.max_timestamp == NO_TIMESTAMP);
        // Only a limit on the past needs each record's timestamp.
        let by_record =
            self.config.message_timestamp_before_max_ms != i64::MAX || self.is_off(now, header.max_timestamp);
        let limited = limited && by_record;
        if !compacted && !limited && !mistyped {
            return Ok(());
        }
        let (mut errors, mut count, mut missing_keys, mut has_invalid_timestamp) = (Vec::new(), 0, 0, false);
        for (index, record) in records(batch, self.max_decompressed_bytes())?.enumerate() {
            let record = record?;
            let wrong = if compacted && record.key.is_none() {
                missing_keys += 1;
                Some(format!(
                    "Compacted topic cannot accept message without key in topic partition {}",
                    self.topic_partition
                ))
            } else if limited && self.is_off(now, record.timestamp_ms) {
                has_invalid_timestamp = true;
                Some(self.out_of_range(now, record.timestamp_ms, record.offset))
            } else if mistyped {
                has_invalid_timestamp = true;
                Some(mistyped_record(&record))
            } else {
                None
            };
            if let Some(message) = wrong {
                count += 1;
                if errors.len() < MAX_ERRORS {
                    errors.push((index as i32, message));
                }
            }
        }
        match count {
            // The records are in order, and their header lies about them.
            0 if limited && self.is_off(now, header.max_timestamp) => {
                Err(LogError::InvalidTimestamp { timestamp_ms: header.max_timestamp, now_ms: now.wall_ms })
            }
            0 => Ok(()),
            count => {
                let rejected = RejectedRecords { has_invalid_timestamp, count, missing_keys, errors: errors.into() };
                Err(LogError::RejectedRecords(rejected))
            }
        }
    }

    fn is_off(&self, now: Now, timestamp_ms: i64) -> bool {
        let (before, after) = (self.config.message_timestamp_before_max_ms, self.config.message_timestamp_after_max_ms);
        timestamp_ms >= 0
            && (now.wall_ms.saturating_sub(timestamp_ms) > before || timestamp_ms.saturating_sub(now.wall_ms) > after)
    }

    fn out_of_range(&self, now: Now, timestamp_ms: i64, offset: i64) -> String {
        let from = now.wall_ms.saturating_sub(self.config.message_timestamp_before_max_ms);
        let to = now.wall_ms.saturating_add(self.config.message_timestamp_after_max_ms);
        format!(
            "Timestamp {timestamp_ms} of message with offset {offset} is out of range. The timestamp should be within [{from}, {to}]"
        )
    }

    /// The batches in the topic's compression, and what that took; `None` if they are in it already. Control batches stay as they are.
    pub(super) fn converted(&self, all: &[u8]) -> Result<Option<(BytesMut, Conversion)>, LogError> {
        let Some(codec) = self.config.compression else { return Ok(None) };
        let differs = |header: &BatchHeader| {
            !header.is_control() && header.compression().is_ok_and(|compression| compression != codec.compression)
        };
        if !batches(all).flatten().any(|(header, _)| differs(&header)) {
            return Ok(None);
        }
        let since = self.store.disk.stopwatch();
        let (mut converted, mut temporary_bytes) = (BytesMut::with_capacity(all.len()), 0);
        for batch in batches(all) {
            let (header, batch) = batch?;
            if differs(&header) {
                let one = convert(batch, codec, self.max_decompressed_bytes())?;
                converted.extend_from_slice(&one.batch);
                temporary_bytes += one.temporary_bytes;
            } else {
                converted.extend_from_slice(batch);
            }
        }
        let took = self.store.disk.stopwatch().saturating_sub(since);
        Ok(Some((converted, Conversion { took, temporary_bytes })))
    }
}
