//! AddPartitionsToTxn and AddOffsetsToTxn: what a transaction will have written to; and the question of a partition's leader whether it was
//! told (KIP-890).
//!
//! Source: `TransactionCoordinator.handleAddPartitionsToTransaction`, `handleVerifyPartitionsInTransaction`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::api::{Answer, ReplyTo};
use super::coordinator::{Then, TransactionCoordinator};
use super::metadata::Transaction;
use super::state::TransactionState;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::types::{Now, TopicPartition};

impl TransactionCoordinator {
    /// Answered by [`Answer::Added`].
    pub fn add_partitions(
        &mut self,
        now: Now,
        to: ReplyTo,
        transactional_id: &str,
        producer: (i64, i16),
        partitions: &BTreeSet<TopicPartition>,
        transaction_version: i16,
    ) {
        match self.prepare_add(now, transactional_id, producer, partitions, transaction_version) {
            Err(error) => self.reply(to, Answer::Added(error)),
            Ok(None) => self.reply(to, Answer::Added(ErrorCode::None)),
            Ok(Some((shard, next))) => {
                let id: Arc<str> = transactional_id.into();
                self.write(now, shard, &id, next, Then::Added(Some(to)));
            }
        }
    }

    fn prepare_add(
        &mut self,
        now: Now,
        transactional_id: &str,
        (producer_id, producer_epoch): (i64, i16),
        partitions: &BTreeSet<TopicPartition>,
        transaction_version: i16,
    ) -> Result<Option<(i32, Transaction)>, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let (shard, entry) = self.entry_for(transactional_id)?;
        let txn = &mut entry.ok_or(ErrorCode::InvalidProducerIdMapping)?.txn;
        let current = &txn.current;
        if txn.pending.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        check_producer(current, producer_id, producer_epoch)?;
        if current.state == TransactionState::Ongoing && partitions.is_subset(&current.partitions) {
            return Ok(None);
        }
        Ok(Some((shard, txn.prepare_add_partitions(partitions, now.wall_ms, transaction_version)?)))
    }

    /// Whether these partitions are in the producer's transaction: a code for each.
    pub fn verify_partitions(
        &mut self,
        transactional_id: &str,
        (producer_id, producer_epoch): (i64, i16),
        partitions: &BTreeSet<TopicPartition>,
    ) -> Vec<(TopicPartition, ErrorCode)> {
        let found = match transactional_id.is_empty() {
            true => Err(ErrorCode::InvalidRequest),
            false => self.entry_for(transactional_id).and_then(|(_, entry)| {
                let current = &entry.ok_or(ErrorCode::InvalidProducerIdMapping)?.txn.current;
                check_producer(current, producer_id, producer_epoch)?;
                Ok(current)
            }),
        };
        let code = |partition: &TopicPartition| match &found {
            Err(error) => *error,
            Ok(current) if current.partitions.contains(partition) => ErrorCode::None,
            Ok(_) => ErrorCode::TransactionAbortable,
        };
        partitions.iter().map(|partition| (partition.clone(), code(partition))).collect()
    }
}

fn check_producer(current: &Transaction, producer_id: i64, producer_epoch: i16) -> Result<(), ErrorCode> {
    if current.producer_id != producer_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if current.producer_epoch != producer_epoch && !Bug::ProducerNotFenced.is_planted() {
        return Err(ErrorCode::ProducerFenced);
    }
    if current.state.is_ending() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    Ok(())
}
