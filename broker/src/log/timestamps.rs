//! Searching by timestamp. Source: `UnifiedLog.fetchOffsetByTimestamp`, `LogSegment.findOffsetByTimestamp`; KIP-33, KIP-734.

use super::segment::Segment;
use super::{Log, LogError};
use crate::records::{BatchHeader, TimestampType, records};

/// What one batch may unpack to in a search.
const MAX_DECOMPRESSED_BYTES: usize = 256 << 20;

/// A record, named by time and place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampedOffset {
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// Its offset.
    pub offset: i64,
    /// Leader epoch that it was written in, or -1.
    pub leader_epoch: i32,
}

impl Log {
    /// The first record at or after `timestamp_ms` that lies below `up_to`.
    pub fn offset_for_timestamp(&self, timestamp_ms: i64, up_to: i64) -> Result<Option<TimestampedOffset>, LogError> {
        for segment in self.segments.iter().filter(|segment| segment.next_offset > self.log_start_offset) {
            if segment.base_offset >= up_to {
                break;
            }
            if segment.max_timestamp_ms < timestamp_ms {
                continue;
            }
            if let Some(found) = self.search(segment, timestamp_ms, self.log_start_offset)? {
                return Ok((found.offset < up_to).then_some(found));
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp; the first of them.
    pub fn max_timestamp_offset(&self) -> Result<Option<TimestampedOffset>, LogError> {
        let mut best: Option<&Segment> = None;
        for segment in self.segments.iter().filter(|segment| segment.size_bytes > 0 && segment.max_timestamp_ms >= 0) {
            if best.is_none_or(|best| segment.max_timestamp_ms > best.max_timestamp_ms) {
                best = Some(segment);
            }
        }
        let Some(segment) = best else { return Ok(None) };
        self.search(segment, segment.max_timestamp_ms, self.log_start_offset)
    }

    fn search(&self, segment: &Segment, timestamp_ms: i64, from: i64) -> Result<Option<TimestampedOffset>, LogError> {
        let near = segment.indexed_time(&self.store, timestamp_ms)?.max(from);
        let start = segment.indexed_position(&self.store, near)?;
        let mut candidate = start;
        // A header's largest timestamp is the producer's word: where no record keeps it, the search goes on.
        loop {
            let mut found: Option<(u64, BatchHeader)> = None;
            let scanned = segment.scan(&self.store, candidate, false, &mut |position, header, _| {
                if header.max_timestamp >= timestamp_ms && header.last_offset() >= from {
                    found = Some((position, *header));
                }
                Ok(found.is_none())
            })?;
            if let Some(reason) = scanned.error {
                return Err(segment.corrupt(&self.store, scanned.position, reason));
            }
            let Some((position, header)) = found else { return Ok(None) };
            let record = self.search_batch(segment, position, &header, timestamp_ms, from)?;
            if record.is_some() {
                return Ok(record);
            }
            candidate = position + header.size_bytes() as u64;
        }
    }

    fn search_batch(
        &self,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
        timestamp_ms: i64,
        from: i64,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let leader_epoch = header.partition_leader_epoch;
        if header.timestamp_type() == TimestampType::LogAppendTime {
            let offset = header.base_offset.max(from);
            return Ok(Some(TimestampedOffset { timestamp_ms: header.max_timestamp, offset, leader_epoch }));
        }
        let mut batch = vec![0; header.size_bytes()];
        segment.read_exact(&self.store, &mut batch, position)?;
        for record in records(&batch, MAX_DECOMPRESSED_BYTES)? {
            let record = record?;
            if record.timestamp_ms >= timestamp_ms && record.offset >= from {
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
