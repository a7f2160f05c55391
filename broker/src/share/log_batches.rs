//! What a share partition needs to know of record batches that were read for it: their offsets, and whether their transaction was aborted.
//!
//! Source: `SharePartition.fetchAbortedTransactionRecordBatches`, `ShareFetchUtils.maybeSliceFetchRecords`.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::log::AbortedTxn;
use crate::records::control::{ControlType, control_type};
use crate::records::{self, BatchHeader};

/// A control batch has one small record.
const MAX_CONTROL_BYTES: usize = 64 * 1024;

/// One batch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// Its first offset.
    pub base: i64,
    /// Its last offset.
    pub last: i64,
    /// It belongs to a transaction that was aborted: nobody is to get it.
    pub is_aborted: bool,
}

/// The batches in `bytes`, in order. `aborted` is empty for who reads uncommitted records.
pub fn log_batches(bytes: &[u8], aborted: &[AbortedTxn]) -> Vec<LogBatch> {
    let mut waiting: Vec<(i64, i64)> = aborted.iter().map(|txn| (txn.first_offset, txn.producer_id)).collect();
    waiting.sort_unstable();
    let mut waiting = waiting.into_iter().peekable();
    let mut open: BTreeSet<i64> = BTreeSet::new();
    let mut found = Vec::new();
    for (header, batch) in records::batches(bytes).map_while(Result::ok) {
        let mut is_aborted = false;
        if header.has_producer_id() {
            while let Some((_, producer_id)) = waiting.next_if(|(first, _)| *first <= header.last_offset()) {
                open.insert(producer_id);
            }
            if is_abort_marker(&header, batch) {
                open.remove(&header.producer_id);
            } else {
                is_aborted = header.is_transactional() && open.contains(&header.producer_id);
            }
        }
        found.push(LogBatch { base: header.base_offset, last: header.last_offset(), is_aborted });
    }
    found
}

fn is_abort_marker(header: &BatchHeader, batch: &[u8]) -> bool {
    if !header.is_control() {
        return false;
    }
    let first = records::records(batch, MAX_CONTROL_BYTES).ok().and_then(|mut records| records.next()?.ok());
    let key = first.and_then(|record| record.key);
    key.is_some_and(|key| matches!(control_type(&key), Ok(Some(ControlType::Abort))))
}

/// Of the batches in `records` those that touch `[first, last]`, without a copy.
pub fn slice(records: &Bytes, first: i64, last: i64) -> Bytes {
    let (mut at, mut from, mut to) = (0, None, 0);
    for (header, batch) in records::batches(records).map_while(Result::ok) {
        let end = at + batch.len();
        if header.last_offset() >= first && header.base_offset <= last {
            from.get_or_insert(at);
            to = end;
        }
        at = end;
    }
    from.map_or_else(Bytes::new, |from| records.slice(from..to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, Compression};

    fn batch(base: i64, count: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(base, Compression::None);
        for _ in 0..count {
            builder.push(0, None, Some(b"v"), &[]);
        }
        builder.build().to_vec()
    }

    #[test]
    fn only_what_touches_the_acquired_offsets_is_sent() {
        let parts = [batch(0, 5), batch(5, 5), batch(10, 5)];
        let all = Bytes::from(parts.concat());
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        for (first, last, expected) in [
            (0, 14, 0..sizes.iter().sum()),
            (5, 9, sizes[0]..sizes[0] + sizes[1]),
            (7, 10, sizes[0]..sizes.iter().sum()),
            (0, 0, 0..sizes[0]),
        ] {
            assert_eq!(slice(&all, first, last), all.slice(expected), "{first}-{last}");
        }
        assert!(slice(&all, 20, 30).is_empty());
    }

    #[test]
    fn batches_are_told_by_their_offsets() {
        let all = [batch(3, 2), batch(9, 1)].concat();
        let plain = |base, last| LogBatch { base, last, is_aborted: false };
        assert_eq!(log_batches(&all, &[]), [plain(3, 4), plain(9, 9)]);
        assert_eq!(log_batches(&all[..all.len() - 1], &[]), [plain(3, 4)], "what is cut off is not there");
    }
}
