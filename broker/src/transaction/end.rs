//! EndTxn, in both versions, and the same where a producer is fenced or its time is over.
//!
//! Version 2 (KIP-890) gives a new epoch with each end, so that a client's retry is told by its epoch. `Empty`, `CompleteAbort` and
//! `CompleteCommit` are where the versions differ most: see the table in the tests.
//!
//! Source: `TransactionCoordinator.endTransaction`, `endTransactionWithTV1`.

use std::sync::Arc;

use super::api::{Answer, ReplyTo};
use super::coordinator::{EndFor, Then, TransactionCoordinator};
use super::metadata::{EPOCH_BUMP_SINCE, Transaction, TransactionMetadata, is_epoch_exhausted};
use super::state::TransactionState::{
    CompleteAbort, CompleteCommit, Dead, Empty, Ongoing, PrepareAbort, PrepareCommit, PrepareEpochFence,
};
use crate::logging::Level;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::records::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::types::Now;

/// The end of a transaction as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EndTxn<'a> {
    /// Whose.
    pub transactional_id: &'a str,
    /// Producer id.
    pub producer_id: i64,
    /// Epoch.
    pub producer_epoch: i16,
    /// Commit, do not abort.
    pub commit: bool,
    /// `transaction.version` of who asks.
    pub transaction_version: i16,
}

/// What becomes of it.
enum Outcome {
    /// It was done before: this is the producer now.
    Done((i64, i16)),
    /// To be written.
    Write { shard: i32, next: Box<Transaction>, is_fence: bool },
}

impl TransactionCoordinator {
    /// A client's EndTxn. Answered by [`Answer::Ended`] once it is committed that the transaction will end so; its markers follow.
    pub fn end_txn(&mut self, now: Now, to: ReplyTo, request: EndTxn<'_>, new_id: &mut dyn FnMut() -> Option<i64>) {
        self.end(now, EndFor::Client(to), request, new_id);
    }

    pub(super) fn end(&mut self, now: Now, of: EndFor, request: EndTxn<'_>, new_id: &mut dyn FnMut() -> Option<i64>) {
        let is_v2 = request.transaction_version >= EPOCH_BUMP_SINCE;
        let then = |is_fence| Then::End { of: Some(of), transaction_version: request.transaction_version, is_fence };
        let prepared = match request.transactional_id.is_empty() {
            true => Err(ErrorCode::InvalidRequest),
            false => self.entry_for(request.transactional_id).and_then(|(shard, entry)| {
                let txn = &mut entry.ok_or(ErrorCode::InvalidProducerIdMapping)?.txn;
                let is_client = matches!(of, EndFor::Client(_));
                match is_v2 {
                    true => prepare_v2(txn, now, &request, is_client, new_id),
                    false => prepare_v1(txn, now, &request, is_client),
                }
                .map(|outcome| outcome.in_shard(shard))
            }),
        };
        match prepared {
            Err(error) => {
                self.tell(Level::Debug, || {
                    format!("TransactionalId {}: EndTxn is answered {error:?}", request.transactional_id)
                });
                let answer = then(false).take_answer(Err(error), (-1, -1));
                answer.into_iter().for_each(|answer| self.output(answer));
            }
            Ok(Outcome::Done(given)) => {
                let given = if is_v2 { given } else { (NO_PRODUCER_ID, NO_PRODUCER_EPOCH) };
                let answer = then(false).take_answer(Ok(()), given);
                answer.into_iter().for_each(|answer| self.output(answer));
            }
            Ok(Outcome::Write { shard, next, is_fence }) => {
                let id: Arc<str> = request.transactional_id.into();
                self.write(now, shard, &id, *next, then(is_fence));
            }
        }
    }

    /// It is committed that the transaction will end: its client may go on, and the markers are sent.
    pub(super) fn ended(&mut self, now: Now, shard: i32, id: &Arc<str>, mut then: Then) {
        let next = self.begin_completion(now, shard, id);
        let is_v2 = matches!(then, Then::End { transaction_version: EPOCH_BUMP_SINCE.., .. });
        let given = next.filter(|_| is_v2).unwrap_or((NO_PRODUCER_ID, NO_PRODUCER_EPOCH));
        if let Some(answer) = then.take_answer(Ok(()), given) {
            self.output(answer);
        }
    }
}

impl Outcome {
    fn in_shard(self, shard: i32) -> Outcome {
        match self {
            Outcome::Write { next, is_fence, .. } => Outcome::Write { shard, next, is_fence },
            done => done,
        }
    }

    fn write(next: Transaction, is_fence: bool) -> Outcome {
        Outcome::Write { shard: -1, next: Box::new(next), is_fence }
    }
}

fn prepare_v1(
    txn: &mut TransactionMetadata,
    now: Now,
    request: &EndTxn<'_>,
    is_client: bool,
) -> Result<Outcome, ErrorCode> {
    let current = &txn.current;
    let epoch = request.producer_epoch;
    if current.producer_id != request.producer_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    let is_fenced = (is_client && epoch != current.producer_epoch) || epoch < current.producer_epoch;
    if is_fenced && !Bug::ProducerNotFenced.is_planted() {
        return Err(ErrorCode::ProducerFenced);
    }
    let is_fencing = txn.pending == Some(PrepareEpochFence);
    if txn.pending.is_some() && !is_fencing {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    match (current.state, request.commit) {
        (Ongoing, commit) => {
            let is_fence = is_fencing && !commit;
            if is_fence {
                txn.pending = None;
                txn.current.producer_epoch = epoch;
                txn.current.last_producer_epoch = NO_PRODUCER_EPOCH;
            }
            let to = if commit { PrepareCommit } else { PrepareAbort };
            Ok(Outcome::write(txn.prepare_end(to, 0, NO_PRODUCER_ID, now.wall_ms, false)?, is_fence))
        }
        (CompleteCommit, true) | (CompleteAbort, false) => {
            Ok(Outcome::Done((current.producer_id, current.producer_epoch)))
        }
        (PrepareCommit, true) | (PrepareAbort, false) => Err(ErrorCode::ConcurrentTransactions),
        (Dead | PrepareEpochFence, _) => Err(ErrorCode::UnknownServerError),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

fn prepare_v2(
    txn: &mut TransactionMetadata,
    now: Now,
    request: &EndTxn<'_>,
    is_client: bool,
    new_id: &mut dyn FnMut() -> Option<i64>,
) -> Result<Outcome, ErrorCode> {
    let current = &txn.current;
    let epoch = request.producer_epoch;
    let is_fence = txn.pending == Some(PrepareEpochFence);
    // A retry whose first answer was lost carries the epoch before, or the last epoch of the producer id before.
    let retries_overflow = !is_fence
        && current.previous_producer_id == request.producer_id
        && epoch == i16::MAX - 1
        && current.producer_epoch == 0;
    let retries_bump = !is_fence && i32::from(current.producer_epoch) == i32::from(epoch) + 1;
    let is_retry = retries_bump || retries_overflow;
    let is_same = epoch == current.producer_epoch;
    let is_valid_epoch = match current.state {
        _ if is_fence => (!is_client || is_same) && epoch >= current.producer_epoch,
        Ongoing | Empty | Dead | PrepareEpochFence => is_same,
        PrepareCommit | PrepareAbort => retries_bump,
        CompleteCommit | CompleteAbort => is_retry || is_same,
    };
    if txn.pending.is_some() && !is_fence {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    if current.producer_id != request.producer_id && !retries_overflow {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if !is_valid_epoch && !Bug::ProducerNotFenced.is_planted() {
        return Err(ErrorCode::ProducerFenced);
    }
    let (to, nothing_added) = match (current.state, request.commit) {
        (Ongoing, true) => (PrepareCommit, false),
        (Ongoing, false) => (PrepareAbort, false),
        (CompleteCommit, true) | (CompleteAbort, false) if is_retry => {
            return Ok(Outcome::Done((current.producer_id, current.producer_epoch)));
        }
        // An abort where nothing was added: the client cannot know that.
        (CompleteCommit | CompleteAbort, false) if !is_retry => (PrepareAbort, true),
        (Empty, false) => (PrepareAbort, true),
        (PrepareCommit, true) | (PrepareAbort, false) => return Err(ErrorCode::ConcurrentTransactions),
        (Dead | PrepareEpochFence, _) => return Err(ErrorCode::UnknownServerError),
        _ => return Err(ErrorCode::InvalidTxnState),
    };
    let next_producer_id = match is_epoch_exhausted(current.producer_epoch) {
        true => new_id().ok_or(ErrorCode::CoordinatorLoadInProgress)?,
        false => NO_PRODUCER_ID,
    };
    if is_fence && to == PrepareAbort {
        txn.pending = None;
    }
    let next = txn.prepare_end(to, request.transaction_version, next_producer_id, now.wall_ms, nothing_added)?;
    Ok(Outcome::write(next, is_fence))
}

impl TransactionCoordinator {
    /// An answer to a request that never came to a shard.
    pub fn refuse_end(&mut self, to: ReplyTo, error: ErrorCode) {
        self.reply(to, Answer::Ended(Err(error)));
    }
}
