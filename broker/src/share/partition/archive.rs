//! Records that will not be delivered because the log has them no more, or because their transaction was aborted.
//!
//! Source: `SharePartition.updateCacheAndOffsets`, `maybeArchiveStaleBatches`, `filterAbortedTransactionalAcquiredRecords`.

use super::piece::RecordState;
use super::{AcquiredRange, SharePartition};
use crate::planted::Bug;
use crate::share::LogBatch;

impl SharePartition {
    /// The log begins here now: what lies before is gone, whoever has it.
    pub fn move_log_start(&mut self, log_start_offset: i64) {
        if log_start_offset <= self.start {
            return;
        }
        self.start = log_start_offset;
        self.forget_gaps(0, log_start_offset - 1);
        self.batches.retain(|_, batch| batch.last >= log_start_offset);
        if let Some(mut entry) = self.batches.first_entry()
            && *entry.key() < log_start_offset
        {
            let first = *entry.key();
            for (_, piece) in entry.get_mut().cut(first, log_start_offset - 1) {
                piece.archive();
            }
        }
        self.move_start();
    }

    /// Nothing of `[from, to]` is in the log: it is not waited for.
    pub(super) fn skip_absent(&mut self, from: i64, to: i64) {
        if from <= to {
            self.forget_gaps(from, to);
            self.archive(from, to, RecordState::Available);
        }
    }

    /// Batches of aborted transactions that were just acquired are archived, and taken out of what is handed over.
    pub(super) fn archive_aborted(&mut self, acquired: Vec<AcquiredRange>, log: &[LogBatch]) -> Vec<AcquiredRange> {
        if Bug::ShareAbortedDelivered.is_planted() {
            return acquired;
        }
        let mut left = acquired;
        for aborted in log.iter().filter(|batch| batch.is_aborted) {
            self.archive(aborted.base, aborted.last, RecordState::Acquired);
            left = left.into_iter().flat_map(|range| without(range, aborted)).collect();
        }
        left
    }

    /// Archives what is in this state. It is not kept as such: nobody will find it in the log again, or who does will archive it again.
    fn archive(&mut self, from: i64, to: i64, state: RecordState) {
        let first = self.batches.range(..=from).next_back().map_or(from, |(first, _)| *first);
        for (_, batch) in self.batches.range_mut(first..=to.max(first)) {
            if !batch.touching(from, to).any(|(_, piece)| piece.state == state) {
                continue;
            }
            for (_, piece) in batch.cut(from, to).filter(|(_, piece)| piece.state == state) {
                piece.archive();
            }
            batch.join();
        }
    }

    /// `[from, to]` is known now.
    pub(super) fn forget_gaps(&mut self, from: i64, to: i64) {
        let touching = |(first, last): &(i64, i64)| *first <= to && *last >= from;
        let touched: Vec<(i64, i64)> =
            self.gaps.range(..=to).map(|(first, last)| (*first, *last)).filter(touching).collect();
        for (first, last) in touched {
            self.gaps.remove(&first);
            if first < from {
                self.gaps.insert(first, from - 1);
            }
            if last > to {
                self.gaps.insert(to + 1, last);
            }
        }
    }
}

fn without(range: AcquiredRange, batch: &LogBatch) -> impl Iterator<Item = AcquiredRange> + use<> {
    let before = AcquiredRange { last_offset: range.last_offset.min(batch.base - 1), ..range };
    let after = AcquiredRange { first_offset: range.first_offset.max(batch.last + 1), ..range };
    [before, after].into_iter().filter(|part| part.first_offset <= part.last_offset)
}
