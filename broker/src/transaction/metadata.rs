//! One transactional id: what is known of it, and what each step would make of it. No time, no replies, no log.
//!
//! A step is prepared (the id is then pending, and takes no other), written, and completed or called off.
//!
//! Source: `org.apache.kafka.coordinator.transaction.TransactionMetadata`, `TxnTransitMetadata`.

use std::collections::BTreeSet;

use super::state::TransactionState;
use crate::protocol::ErrorCode;
use crate::records::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::types::TopicPartition;

/// `transaction.version` from which each end of a transaction bumps the epoch (KIP-890).
pub const EPOCH_BUMP_SINCE: i16 = 2;

/// Whether a producer may be given no further epoch: the last one is kept to fence it with.
pub fn is_epoch_exhausted(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}

/// What is written of a transactional id.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// Producer id.
    pub producer_id: i64,
    /// The one before it, or -1.
    pub previous_producer_id: i64,
    /// The one that follows when this transaction has ended, or -1.
    pub next_producer_id: i64,
    /// Epoch; -1 before the first.
    pub producer_epoch: i16,
    /// The one before it, or -1.
    pub last_producer_epoch: i16,
    /// How long a transaction may stay open.
    pub timeout_ms: i32,
    /// State.
    pub state: TransactionState,
    /// Partitions of the transaction.
    pub partitions: BTreeSet<TopicPartition>,
    /// When the transaction began, or -1.
    pub start_timestamp_ms: i64,
    /// When anything last changed.
    pub last_update_timestamp_ms: i64,
    /// `transaction.version` of the client that changed it last.
    pub client_transaction_version: i16,
}

/// A transactional id of this coordinator.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionMetadata {
    /// What is committed in the log.
    pub current: Transaction,
    /// The state that is being written.
    pub pending: Option<TransactionState>,
    /// An epoch was bumped to fence a producer, and that could not be written: it is not bumped again.
    pub has_failed_epoch_fence: bool,
}

impl TransactionMetadata {
    /// A transactional id that nobody has used before.
    pub fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> TransactionMetadata {
        TransactionMetadata::loaded(Transaction {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start_timestamp_ms: -1,
            last_update_timestamp_ms: now_ms,
            client_transaction_version: 0,
        })
    }

    /// One as the log has it.
    pub fn loaded(current: Transaction) -> TransactionMetadata {
        TransactionMetadata { current, pending: None, has_failed_epoch_fence: false }
    }

    /// Begins to fence the producer of an open transaction.
    pub fn prepare_fence(&mut self) -> Result<Transaction, ErrorCode> {
        let keep = self.has_failed_epoch_fence || self.current.producer_epoch == i16::MAX;
        let mut next = self.current.clone();
        next.producer_epoch += i16::from(!keep);
        self.prepare(TransactionState::PrepareEpochFence, next)
    }

    /// InitProducerId that keeps the producer id. `expected`: the epoch that the client believes to have (KIP-360).
    pub fn prepare_increment_epoch(
        &mut self,
        timeout_ms: i32,
        expected: Option<i16>,
        now_ms: i64,
    ) -> Result<Transaction, ErrorCode> {
        let (epoch, last) = (self.current.producer_epoch, self.current.last_producer_epoch);
        if is_epoch_exhausted(epoch) {
            return Err(ErrorCode::UnknownServerError);
        }
        let (producer_epoch, last_producer_epoch) = match expected {
            None => (epoch + 1, NO_PRODUCER_EPOCH),
            Some(expected) if epoch == NO_PRODUCER_EPOCH || expected == epoch => (epoch + 1, epoch),
            // A retry of a call whose answer was lost.
            Some(expected) if expected == last => (epoch, last),
            Some(_) => return Err(ErrorCode::ProducerFenced),
        };
        let next = Transaction { producer_epoch, last_producer_epoch, ..self.emptied(timeout_ms, now_ms) };
        self.prepare(TransactionState::Empty, next)
    }

    /// InitProducerId that gives a new producer id, as the epochs of the old one are used up.
    pub fn prepare_rotation(
        &mut self,
        producer_id: i64,
        timeout_ms: i32,
        now_ms: i64,
        record_last_epoch: bool,
    ) -> Result<Transaction, ErrorCode> {
        let last_producer_epoch = if record_last_epoch { self.current.producer_epoch } else { NO_PRODUCER_EPOCH };
        let next =
            Transaction { producer_id, producer_epoch: 0, last_producer_epoch, ..self.emptied(timeout_ms, now_ms) };
        self.prepare(TransactionState::Empty, next)
    }

    fn emptied(&self, timeout_ms: i32, now_ms: i64) -> Transaction {
        Transaction {
            timeout_ms,
            partitions: BTreeSet::new(),
            start_timestamp_ms: -1,
            last_update_timestamp_ms: now_ms,
            ..self.current.clone()
        }
    }

    /// AddPartitionsToTxn, AddOffsetsToTxn.
    pub fn prepare_add_partitions(
        &mut self,
        added: &BTreeSet<TopicPartition>,
        now_ms: i64,
        client_transaction_version: i16,
    ) -> Result<Transaction, ErrorCode> {
        let mut next = self.current.clone();
        if self.current.state.may_expire() {
            next.start_timestamp_ms = now_ms;
        }
        next.partitions.extend(added.iter().cloned());
        next.last_update_timestamp_ms = now_ms;
        next.client_transaction_version = client_transaction_version;
        self.prepare(TransactionState::Ongoing, next)
    }

    /// EndTxn. `next_producer_id`: the one to follow, or -1. `nothing_added`: an abort where no transaction is open (KIP-890).
    pub fn prepare_end(
        &mut self,
        to: TransactionState,
        client_transaction_version: i16,
        next_producer_id: i64,
        now_ms: i64,
        nothing_added: bool,
    ) -> Result<Transaction, ErrorCode> {
        let mut next = self.current.clone();
        if client_transaction_version >= EPOCH_BUMP_SINCE {
            next.last_producer_epoch = next.producer_epoch;
            // At the last epoch of all, only an abort goes through.
            let stays = next.producer_epoch == i16::MAX && to == TransactionState::PrepareAbort;
            if !stays {
                next.producer_epoch = next.producer_epoch.checked_add(1).ok_or(ErrorCode::UnknownServerError)?;
            }
        }
        if nothing_added {
            next.start_timestamp_ms = now_ms;
        }
        next.next_producer_id = next_producer_id;
        next.last_update_timestamp_ms = now_ms;
        next.client_transaction_version = client_transaction_version;
        self.prepare(to, next)
    }

    /// All markers are about to be written.
    pub fn prepare_complete(&mut self, now_ms: i64) -> Result<Transaction, ErrorCode> {
        self.has_failed_epoch_fence = false;
        let to = match self.current.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        let mut next = self.current.clone();
        if next.client_transaction_version >= EPOCH_BUMP_SINCE && next.next_producer_id != NO_PRODUCER_ID {
            next.producer_id = next.next_producer_id;
            next.producer_epoch = 0;
        }
        next.next_producer_id = NO_PRODUCER_ID;
        next.partitions = BTreeSet::new();
        next.last_update_timestamp_ms = now_ms;
        self.prepare(to, next)
    }

    /// The transactional id has expired.
    pub fn prepare_dead(&mut self) -> Result<Transaction, ErrorCode> {
        let next = Transaction { partitions: BTreeSet::new(), ..self.current.clone() };
        self.prepare(TransactionState::Dead, next)
    }

    /// Where Kafka throws IllegalStateException, nothing changes and the caller is told UNKNOWN_SERVER_ERROR.
    fn prepare(&mut self, to: TransactionState, next: Transaction) -> Result<Transaction, ErrorCode> {
        let sound = next.producer_id >= 0 && (next.producer_epoch >= 0 || to == TransactionState::Dead);
        if self.pending.is_some() || !sound || !self.current.state.may_become(to) {
            return Err(ErrorCode::UnknownServerError);
        }
        self.pending = Some(to);
        Ok(Transaction { state: to, previous_producer_id: self.current.producer_id, ..next })
    }

    /// What was prepared is committed in the log. False: it was not this that was prepared.
    pub fn complete(&mut self, next: Transaction) -> bool {
        let persistent = !matches!(next.state, TransactionState::Dead | TransactionState::PrepareEpochFence);
        if self.pending != Some(next.state) || !persistent {
            return false;
        }
        self.pending = None;
        self.current = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(index: i32) -> BTreeSet<TopicPartition> {
        BTreeSet::from([TopicPartition { topic: "t".into(), partition: index }])
    }

    fn ongoing(epoch: i16, version: i16) -> TransactionMetadata {
        let mut txn = TransactionMetadata::new(7, 60_000, 1);
        txn.current.producer_epoch = epoch;
        let next = txn.prepare_add_partitions(&partition(0), 5, version).unwrap();
        assert!(txn.complete(next));
        txn
    }

    #[test]
    fn a_first_transaction_in_both_versions() {
        for (version, epoch) in [(0, 0), (1, 0), (2, 1)] {
            let mut txn = TransactionMetadata::new(7, 60_000, 1);
            let next = txn.prepare_increment_epoch(60_000, None, 2).unwrap();
            assert!(txn.complete(next));
            assert_eq!((txn.current.producer_epoch, txn.current.start_timestamp_ms), (0, -1));
            let next = txn.prepare_add_partitions(&partition(0), 5, version).unwrap();
            assert!(txn.complete(next));
            let next = txn.prepare_end(TransactionState::PrepareCommit, version, -1, 6, false).unwrap();
            assert_eq!((next.producer_epoch, next.start_timestamp_ms), (epoch, 5));
            assert!(txn.complete(next));
            let next = txn.prepare_complete(7).unwrap();
            assert!(txn.complete(next));
            assert_eq!(txn.current.state, TransactionState::CompleteCommit);
            assert!(txn.current.partitions.is_empty());
        }
    }

    #[test]
    fn what_is_pending_takes_no_other_step() {
        let mut txn = ongoing(0, 2);
        txn.prepare_fence().unwrap();
        assert_eq!(txn.prepare_add_partitions(&partition(1), 6, 2), Err(ErrorCode::UnknownServerError));
        assert_eq!(txn.prepare_dead(), Err(ErrorCode::UnknownServerError));
    }

    #[test]
    fn an_epoch_given_by_the_client_decides() {
        let table = [
            (None, Ok((6, -1))),
            (Some(5), Ok((6, 5))),
            (Some(4), Ok((5, 4))),
            (Some(3), Err(ErrorCode::ProducerFenced)),
            (Some(6), Err(ErrorCode::ProducerFenced)),
        ];
        for (expected, wanted) in table {
            let mut txn = TransactionMetadata::new(7, 60_000, 1);
            (txn.current.producer_epoch, txn.current.last_producer_epoch) = (5, 4);
            let next = txn.prepare_increment_epoch(1, expected, 2);
            assert_eq!(next.map(|next| (next.producer_epoch, next.last_producer_epoch)), wanted, "{expected:?}");
        }
    }

    #[test]
    fn epochs_that_are_used_up_bring_a_new_producer_id() {
        let mut txn = ongoing(i16::MAX - 1, 2);
        let next = txn.prepare_end(TransactionState::PrepareCommit, 2, 9, 6, false).unwrap();
        assert_eq!((next.producer_id, next.producer_epoch), (7, i16::MAX));
        assert!(txn.complete(next));
        let next = txn.prepare_complete(7).unwrap();
        assert_eq!((next.producer_id, next.previous_producer_id, next.producer_epoch), (9, 7, 0));
        assert_eq!((next.next_producer_id, next.last_producer_epoch), (-1, i16::MAX - 1));
    }

    #[test]
    fn a_fence_that_failed_does_not_bump_again() {
        let mut txn = ongoing(3, 0);
        assert_eq!(txn.prepare_fence().unwrap().producer_epoch, 4);
        txn.pending = None;
        txn.current.producer_epoch = 4;
        txn.has_failed_epoch_fence = true;
        assert_eq!(txn.prepare_fence().unwrap().producer_epoch, 4);
    }
}
