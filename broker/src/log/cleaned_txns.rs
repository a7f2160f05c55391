//! Transactions as the cleaner meets them on its way through a log: which records were aborted, and which markers may go.
//!
//! Source: `org.apache.kafka.storage.internals.log.CleanedTransactionMetadata`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::AbortedTxn;
use crate::records::BatchHeader;

/// See the module.
#[derive(Default)]
pub(super) struct CleanedTxns {
    /// Aborted ones whose first record is still ahead, by that record's offset.
    ahead: BinaryHeap<Reverse<(i64, i64, i64, i64)>>,
    aborted: HashMap<i64, Aborted>,
    committed: HashSet<i64>,
}

struct Aborted {
    txn: AbortedTxn,
    /// A batch of it is still in the log.
    has_batches: bool,
}

/// What becomes of a batch, as far as transactions decide.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// The batch is of no use any more: records of an aborted transaction, or the marker of one that has no records left.
    pub(super) may_go: bool,
    /// The aborted transaction that ends here and still has batches: it belongs into the index.
    pub(super) ended: Option<AbortedTxn>,
}

impl CleanedTxns {
    /// Aborted transactions of the part that comes next. One that spans several parts may be told with each.
    pub(super) fn add_aborted(&mut self, aborted: &[AbortedTxn]) {
        let entry =
            |txn: &AbortedTxn| Reverse((txn.first_offset, txn.producer_id, txn.last_offset, txn.last_stable_offset));
        self.ahead.extend(aborted.iter().map(entry));
    }

    fn pass(&mut self, offset: i64) {
        while let Some(&Reverse((first_offset, producer_id, last_offset, last_stable_offset))) = self.ahead.peek()
            && first_offset <= offset
        {
            self.ahead.pop();
            let txn = AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset };
            self.aborted.entry(producer_id).or_insert(Aborted { txn, has_batches: false });
        }
    }

    /// A data batch. True if an aborted transaction wrote it.
    pub(super) fn on_data(&mut self, header: &BatchHeader) -> bool {
        self.pass(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some(aborted) = self.aborted.get_mut(&header.producer_id) {
            aborted.has_batches = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// A control batch. `aborts`: whether its marker aborts or commits; `None` if it is no transaction marker; and `is_empty` if
    /// compaction has taken its record before.
    pub(super) fn on_control(&mut self, header: &BatchHeader, aborts: Option<bool>, is_empty: bool) -> Verdict {
        self.pass(header.last_offset());
        if is_empty {
            return Verdict { may_go: true, ended: None };
        }
        match aborts {
            Some(true) => match self.aborted.remove(&header.producer_id) {
                Some(aborted) if aborted.has_batches => Verdict { may_go: false, ended: Some(aborted.txn) },
                _ => Verdict { may_go: true, ended: None },
            },
            Some(false) => Verdict { may_go: !self.committed.remove(&header.producer_id), ended: None },
            None => Verdict::default(),
        }
    }
}
