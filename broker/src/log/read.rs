//! Reading: whole batches, in one read of the file.

use bytes::Bytes;

use super::segment::Segment;
use super::{AbortedTxn, Log, LogError};
use crate::records::{BatchHeader, HEADER_BYTES};

/// What a read found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FetchedRecords {
    /// Whole batches; empty if there is nothing to read (yet). The first may begin before the offset asked for.
    pub records: Bytes,
    /// Base offset of the first batch.
    pub base_offset: Option<i64>,
    /// Offset after the last record read; the offset asked for if there is none.
    pub next_offset: i64,
    /// There is a batch, but it is larger than `max_bytes`, and no batch was asked for in any case.
    pub first_batch_too_large: bool,
}

impl Log {
    /// Reads whole batches from the one that holds `from`: up to `max_bytes`, and none that reaches `up_to_offset`.
    /// With `at_least_one_batch` the first comes whole whatever its size, so that a reader always gets on.
    pub fn read(
        &self,
        from: i64,
        max_bytes: usize,
        up_to_offset: i64,
        at_least_one_batch: bool,
    ) -> Result<FetchedRecords, LogError> {
        if from < self.log_start_offset || from > self.log_end_offset {
            return Err(LogError::OffsetOutOfRange {
                requested: from,
                log_start_offset: self.log_start_offset,
                log_end_offset: self.log_end_offset,
            });
        }
        let up_to = up_to_offset.min(self.log_end_offset);
        let mut found = FetchedRecords { next_offset: from, ..FetchedRecords::default() };
        if from >= up_to {
            return Ok(found);
        }
        if let Some((tails, id)) = &self.tails
            && let Some(tail) = tails.read((*id, self.structure), from, max_bytes, up_to)
        {
            found.records = tail.records;
            (found.base_offset, found.next_offset) = (Some(tail.base_offset), tail.next_offset);
            return Ok(found);
        }
        let first = self.segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        for segment in &self.segments[first..] {
            // Compaction may leave nothing at or after `from` in a segment.
            if let Some(start) = self.start_of(segment, from)? {
                self.read_segment(segment, start, max_bytes, up_to, at_least_one_batch, &mut found)?;
                break;
            }
        }
        Ok(found)
    }

    fn start_of(&self, segment: &Segment, from: i64) -> Result<Option<u64>, LogError> {
        if segment.base_offset == self.active_segment_base_offset()
            && let Some(position) = self.recent.find(from)
        {
            return Ok(Some(position));
        }
        Ok(segment.find(&self.store, from)?.map(|(position, _)| position))
    }

    fn read_segment(
        &self,
        segment: &Segment,
        start: u64,
        max_bytes: usize,
        up_to: i64,
        at_least_one_batch: bool,
        found: &mut FetchedRecords,
    ) -> Result<(), LogError> {
        let there = usize::try_from(segment.size_bytes - start).unwrap_or(usize::MAX);
        let mut buffer = segment.read_at(&self.store, max_bytes.max(HEADER_BYTES).min(there), start)?;
        let corrupt = |at: usize| move |reason| segment.corrupt(&self.store, start + at as u64, reason);
        let first = BatchHeader::parse(&buffer).map_err(corrupt(0))?;
        let size = first.size_bytes();
        if first.next_offset() > up_to {
            return Ok(());
        }
        if size > max_bytes && !at_least_one_batch {
            found.first_batch_too_large = true;
            return Ok(());
        }
        if size > there {
            let reason = crate::records::BatchError::Incomplete { needed: size, have: there };
            return Err(corrupt(0)(reason));
        }
        if size > buffer.len() {
            let have = buffer.len();
            buffer.resize(size, 0);
            segment.read_exact(&self.store, &mut buffer[have..], start + have as u64)?;
        }
        let (mut end, mut next_offset) = (size, first.next_offset());
        while buffer.len() - end >= HEADER_BYTES {
            let header = BatchHeader::parse(&buffer[end..]).map_err(corrupt(end))?;
            if header.next_offset() > up_to || header.size_bytes() > buffer.len() - end {
                break;
            }
            end += header.size_bytes();
            next_offset = header.next_offset();
        }
        buffer.truncate(end);
        found.records = Bytes::from(buffer);
        found.base_offset = Some(first.base_offset);
        found.next_offset = next_offset;
        Ok(())
    }

    /// Aborted transactions that have records in `from..up_to`: a reader of committed records skips those.
    pub fn aborted_transactions(&self, from: i64, up_to: i64) -> Result<Vec<AbortedTxn>, LogError> {
        let first = self.segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        let mut found = Vec::new();
        for segment in &self.segments[first..] {
            for txn in segment.aborted(&self.store)? {
                if txn.last_offset >= from && txn.first_offset < up_to {
                    found.push(txn);
                }
                if txn.last_stable_offset >= up_to {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}
