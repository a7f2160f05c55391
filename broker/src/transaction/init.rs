//! InitProducerId of a transactional id: its producer id and a new epoch, which fences whoever had it before.
//!
//! Source: `TransactionCoordinator.handleInitProducerId`, `prepareInitProducerIdTransit`; KIP-360, KIP-939 (refused, as Kafka does).

use std::sync::Arc;

use super::api::{Answer, ReplyTo};
use super::coordinator::{EndFor, Entry, Then, TransactionCoordinator};
use super::end::EndTxn;
use super::metadata::{Transaction, TransactionMetadata, is_epoch_exhausted};
use super::state::TransactionState;
use crate::logging::Level;
use crate::protocol::ErrorCode;
use crate::records::NO_PRODUCER_EPOCH;
use crate::types::Now;

/// What a producer asks for.
#[derive(Clone, Copy, Debug)]
pub struct InitTxn<'a> {
    /// Whose.
    pub transactional_id: &'a str,
    /// How long its transactions may stay open.
    pub timeout_ms: i32,
    /// Two-phase commit is wanted.
    pub enable_2pc: bool,
    /// A prepared transaction is to be kept.
    pub keep_prepared: bool,
    /// Producer id and epoch that it believes to have.
    pub expected: Option<(i64, i16)>,
}

impl TransactionCoordinator {
    /// Answered by [`Answer::Init`]. `new_id`: a fresh producer id, if there is one; without one the client comes again.
    pub fn init_producer_id(
        &mut self,
        now: Now,
        to: ReplyTo,
        request: InitTxn<'_>,
        new_id: &mut dyn FnMut() -> Option<i64>,
    ) {
        match self.prepare_init(now, request, new_id) {
            Err(error) => {
                self.tell(Level::Info, || {
                    format!("TransactionalId {}: InitProducerId is answered {error:?}", request.transactional_id)
                });
                self.reply(to, Answer::Init(Err(error)));
            }
            Ok((_, id, next)) if next.state == TransactionState::PrepareEpochFence => {
                let abort = EndTxn {
                    transactional_id: &id,
                    producer_id: next.producer_id,
                    producer_epoch: next.producer_epoch,
                    commit: false,
                    transaction_version: self.transaction_version,
                };
                self.end(now, EndFor::Init(to), abort, new_id);
            }
            Ok((shard, id, next)) => self.write(now, shard, &id, next, Then::Init(Some(to))),
        }
    }

    fn prepare_init(
        &mut self,
        now: Now,
        request: InitTxn<'_>,
        new_id: &mut dyn FnMut() -> Option<i64>,
    ) -> Result<(i32, Arc<str>, Transaction), ErrorCode> {
        if request.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if request.enable_2pc {
            // transaction.two.phase.commit.enable is false, and cannot be true.
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if request.keep_prepared {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if request.timeout_ms <= 0 || request.timeout_ms > self.config.max_timeout_ms {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let is_full = self.id_count() >= self.config.max_ids;
        let (partition, shard) = self.shard_for(request.transactional_id)?;
        if !shard.ids.contains_key(request.transactional_id) {
            if is_full {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            let producer_id = new_id().ok_or(ErrorCode::CoordinatorLoadInProgress)?;
            let txn = TransactionMetadata::new(producer_id, request.timeout_ms, now.wall_ms);
            shard.ids.insert(request.transactional_id.into(), Entry { txn, completing: None });
        }
        let id: Arc<str> = request.transactional_id.into();
        let entry = shard.ids.get_mut(&id).ok_or(ErrorCode::UnknownServerError)?;
        Ok((partition, id, prepare(&mut entry.txn, now, request, new_id)?))
    }
}

fn prepare(
    txn: &mut TransactionMetadata,
    now: Now,
    request: InitTxn<'_>,
    new_id: &mut dyn FnMut() -> Option<i64>,
) -> Result<Transaction, ErrorCode> {
    if txn.pending.is_some() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    let current = &txn.current;
    // A producer of an id before this one may come once more, if that one's epochs were used up: its answer was lost.
    let is_known = |(id, epoch): (i64, i16)| {
        current.producer_epoch == NO_PRODUCER_EPOCH
            || id == current.producer_id
            || (id == current.previous_producer_id && is_epoch_exhausted(epoch))
    };
    if !request.expected.is_none_or(is_known) {
        return Err(ErrorCode::ProducerFenced);
    }
    let expected = request.expected.map(|(_, epoch)| epoch);
    match current.state {
        TransactionState::PrepareAbort | TransactionState::PrepareCommit => Err(ErrorCode::ConcurrentTransactions),
        TransactionState::Ongoing => txn.prepare_fence(),
        TransactionState::Dead | TransactionState::PrepareEpochFence => Err(ErrorCode::UnknownServerError),
        TransactionState::Empty | TransactionState::CompleteAbort | TransactionState::CompleteCommit => {
            let is_current = expected.is_none_or(|epoch| epoch == current.producer_epoch);
            if is_epoch_exhausted(current.producer_epoch) && is_current {
                let producer_id = new_id().ok_or(ErrorCode::CoordinatorLoadInProgress)?;
                txn.prepare_rotation(producer_id, request.timeout_ms, now.wall_ms, expected.is_some())
            } else {
                txn.prepare_increment_epoch(request.timeout_ms, expected, now.wall_ms)
            }
        }
    }
}
