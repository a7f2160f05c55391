//! The newest batches that were appended to the logs of a directory, as they lie in memory: followers and consumers that keep up get the
//! very buffer that arrived, and no file is read.
//!
//! What is kept is bounded for all logs together, the oldest goes first. A batch is found by what its log looked like when it was
//! appended, so that a truncation or a compaction makes all older ones unreachable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

/// Bytes kept for one directory.
const MAX_BYTES: usize = 8 << 20;
/// What a batch costs beside its bytes, about.
const ENTRY_BYTES: usize = 256;
/// Smaller batches are copied, lest they hold on to the much larger buffer that they arrived in.
const COPIED_BELOW_BYTES: usize = 16 << 10;

/// A log and the number of its changes: (id from [`Tails::new_log`], `Log::structure`).
pub(super) type Shape = (u64, u64);

struct Batch {
    next_offset: i64,
    bytes: Bytes,
}

/// See the module.
pub(super) struct Tails {
    kept: Mutex<Kept>,
    logs: AtomicU64,
    max_bytes: usize,
}

#[derive(Default)]
struct Kept {
    batches: BTreeMap<(Shape, i64), Batch>,
    order: VecDeque<(Shape, i64)>,
    bytes: usize,
}

/// What was found from an offset on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) records: Bytes,
    pub(super) base_offset: i64,
    pub(super) next_offset: i64,
}

impl Default for Tails {
    fn default() -> Tails {
        Tails::with_max_bytes(MAX_BYTES)
    }
}

impl Tails {
    fn with_max_bytes(max_bytes: usize) -> Tails {
        Tails { kept: Mutex::default(), logs: AtomicU64::new(0), max_bytes }
    }

    /// A number for another log.
    pub(super) fn new_log(&self) -> u64 {
        self.logs.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps a batch that was appended.
    pub(super) fn push(&self, shape: Shape, base_offset: i64, next_offset: i64, bytes: Bytes) {
        let cost = bytes.len() + ENTRY_BYTES;
        if cost > self.max_bytes / 2 {
            return;
        }
        let bytes = if bytes.len() < COPIED_BELOW_BYTES { Bytes::copy_from_slice(&bytes) } else { bytes };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += cost;
        kept.order.push_back((shape, base_offset));
        if let Some(before) = kept.batches.insert((shape, base_offset), Batch { next_offset, bytes }) {
            kept.bytes -= before.bytes.len() + ENTRY_BYTES;
        }
        while kept.bytes > self.max_bytes
            && let Some(oldest) = kept.order.pop_front()
        {
            if let Some(batch) = kept.batches.remove(&oldest) {
                kept.bytes -= batch.bytes.len() + ENTRY_BYTES;
            }
        }
    }

    /// Whole batches from the one that holds `from`: up to `max_bytes`, and none that reaches `up_to`. `None` unless at least one is here
    /// that may be read; the file then knows.
    pub(super) fn read(&self, shape: Shape, from: i64, max_bytes: usize, up_to: i64) -> Option<Tail> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (&(_, base_offset), first) = kept.batches.range((shape, i64::MIN)..=(shape, from)).next_back()?;
        if first.next_offset <= from || first.next_offset > up_to || first.bytes.len() > max_bytes {
            return None;
        }
        let (mut size, mut next_offset, mut count) = (0, base_offset, 0);
        let from_first = || kept.batches.range((shape, base_offset)..=(shape, i64::MAX));
        for (&(_, base), batch) in from_first() {
            if base != next_offset || batch.next_offset > up_to || size + batch.bytes.len() > max_bytes {
                break;
            }
            (size, next_offset, count) = (size + batch.bytes.len(), batch.next_offset, count + 1);
        }
        if count == 1 {
            return Some(Tail { records: first.bytes.clone(), base_offset, next_offset });
        }
        let mut records = BytesMut::with_capacity(size);
        from_first().take(count).for_each(|(_, batch)| records.extend_from_slice(&batch.bytes));
        Some(Tail { records: records.freeze(), base_offset, next_offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = (0, 0);

    fn filled(tails: &Tails, bounds: &[(i64, i64)]) {
        for &(base, next) in bounds {
            tails.push(SHAPE, base, next, Bytes::from(vec![base as u8; 100]));
        }
    }

    fn read(tails: &Tails, from: i64, max_bytes: usize, up_to: i64) -> Option<(i64, i64, usize)> {
        tails.read(SHAPE, from, max_bytes, up_to).map(|tail| (tail.base_offset, tail.next_offset, tail.records.len()))
    }

    #[test]
    fn whole_batches_without_gaps_are_found() {
        let tails = Tails::default();
        filled(&tails, &[(10, 15), (15, 20), (20, 21), (30, 31)]);
        assert_eq!(read(&tails, 9, 1000, 100), None, "before what is kept");
        assert_eq!(read(&tails, 12, 1000, 100), Some((10, 21, 300)), "to the gap");
        assert_eq!(read(&tails, 15, 250, 100), Some((15, 21, 200)));
        assert_eq!(read(&tails, 15, 150, 100), Some((15, 20, 100)));
        assert_eq!(read(&tails, 15, 99, 100), None, "not even the first fits");
        assert_eq!(read(&tails, 10, 1000, 19), Some((10, 15, 100)), "only what may be seen");
        assert_eq!(read(&tails, 10, 1000, 14), None);
        assert_eq!(read(&tails, 25, 1000, 100), None, "in the gap");
        assert_eq!(read(&tails, 31, 1000, 100), None, "at the end");
    }

    #[test]
    fn logs_and_their_shapes_are_kept_apart() {
        let tails = Tails::default();
        filled(&tails, &[(0, 5)]);
        assert_eq!(tails.read((0, 1), 0, 1000, 100), None);
        assert_eq!(tails.read((1, 0), 0, 1000, 100), None);
        assert!(tails.read(SHAPE, 0, 1000, 100).is_some());
    }

    #[test]
    fn the_oldest_goes_first_and_nothing_grows() {
        let tails = Tails::with_max_bytes(10 * (100 + ENTRY_BYTES));
        for base in 0..1000 {
            tails.push((base as u64 % 3, 0), base, base + 1, Bytes::from(vec![0; 100]));
        }
        let kept = tails.kept.lock().unwrap();
        assert_eq!((kept.batches.len(), kept.order.len(), kept.bytes), (10, 10, 10 * (100 + ENTRY_BYTES)));
        assert!(kept.batches.contains_key(&((0, 0), 999)));
        drop(kept);
        tails.push(SHAPE, 5000, 5001, Bytes::from(vec![0; 10_000]));
        assert_eq!(read(&tails, 5000, 1 << 20, i64::MAX), None, "what would push out all others is not kept");
    }
}
