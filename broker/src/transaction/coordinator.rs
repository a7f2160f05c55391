//! The coordinator as a whole: its shards, the appends on their way, and who gets which input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::api::{Answer, AppendToken, Output, ReplyTo, TransactionConfig};
use super::metadata::{Transaction, TransactionMetadata};
use super::record::{self, RecordError};
use crate::logging::{Level, Logger};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::types::{Now, coordinator_partition};

/// A completion that could not be written is tried again after this.
const RETRY: Duration = Duration::from_millis(100);

/// One partition of `__transaction_state` that this broker leads.
#[derive(Debug)]
pub(super) struct Shard {
    /// Leader epoch.
    pub(super) epoch: i32,
    pub(super) loading: bool,
    pub(super) ids: BTreeMap<Arc<str>, Entry>,
}

/// A transactional id.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) txn: TransactionMetadata,
    /// Its transaction is ending: what is written once all markers are.
    pub(super) completing: Option<Transaction>,
}

/// Who hears how an EndTxn went.
#[derive(Clone, Copy, Debug)]
pub(super) enum EndFor {
    /// The client that asked for it.
    Client(ReplyTo),
    /// An InitProducerId that found an open transaction: its client has to come again.
    Init(ReplyTo),
    /// Nobody: the transaction's time was over.
    Nobody,
}

/// What is done when an append is committed or has failed.
#[derive(Debug)]
pub(super) enum Then {
    Init(Option<ReplyTo>),
    Added(Option<ReplyTo>),
    End { of: Option<EndFor>, transaction_version: i16, is_fence: bool },
    Completed,
}

/// An append on its way.
#[derive(Debug)]
struct Pending {
    shard: i32,
    /// Until when the client waits.
    deadline: Duration,
    what: What,
}

#[derive(Debug)]
enum What {
    Step { id: Arc<str>, next: Box<Transaction>, then: Then },
    Expired(Vec<Arc<str>>),
}

/// Transactional ids of the shards that this broker leads. See the room's head.
pub struct TransactionCoordinator {
    pub(super) config: TransactionConfig,
    pub(super) shards: BTreeMap<i32, Shard>,
    pub(super) transaction_version: i16,
    partitions: i32,
    outputs: Vec<Output>,
    appends: BTreeMap<AppendToken, Pending>,
    last_token: u64,
    /// Completions to be written once more.
    retries: Vec<(i32, Arc<str>)>,
    retry_at: Option<Duration>,
    pub(super) next_abort_at: Duration,
    pub(super) next_expiry_at: Duration,
}

impl TransactionCoordinator {
    /// A coordinator of no shard yet.
    pub fn new(config: TransactionConfig) -> TransactionCoordinator {
        TransactionCoordinator {
            partitions: config.partitions.max(1),
            config,
            shards: BTreeMap::new(),
            transaction_version: 0,
            outputs: Vec::new(),
            appends: BTreeMap::new(),
            last_token: 0,
            retries: Vec::new(),
            retry_at: None,
            next_abort_at: Duration::ZERO,
            next_expiry_at: Duration::ZERO,
        }
    }

    pub(super) fn tell(&self, level: Level, message: impl FnOnce() -> String) {
        let id = self.config.node_id;
        let line = || format!("[TransactionCoordinator id={id}] {}", message());
        self.config.log.write(Logger::TransactionCoordinator, level, line);
    }

    /// What was to be written of a transactional id, and was not.
    fn tell_unwritten(&self, shard: i32, id: &str, next: &Transaction, error: ErrorCode) {
        let node = self.config.node_id;
        self.config.log.info(Logger::TransactionState, || {
            format!(
                "[Transaction State Manager {node}]: TransactionalId {id} stays as it was: its step to {} (producer id {}, epoch {}) \
                 could not be written to partition {shard}: {error:?}",
                next.state.name(),
                next.producer_id,
                next.producer_epoch
            )
        });
    }

    /// The finalized level of `transaction.version`.
    pub fn set_transaction_version(&mut self, level: i16) {
        self.transaction_version = level;
    }

    /// How many partitions `__transaction_state` really has; until told, what the settings say.
    pub fn set_partition_count(&mut self, partitions: i32) {
        self.partitions = partitions.max(1);
    }

    /// Partition of `__transaction_state` that holds a transactional id.
    pub fn partition_for(&self, transactional_id: &str) -> i32 {
        coordinator_partition(transactional_id, self.partitions)
    }

    /// Takes what is to be done, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// When [`TransactionCoordinator::on_tick`] next has something to do; `None` while it coordinates nothing.
    pub fn next_deadline(&self) -> Option<Duration> {
        let client = self.appends.values().filter(|append| append.waits()).map(|append| append.deadline).min();
        let own = (!self.shards.is_empty()).then_some(self.next_abort_at.min(self.next_expiry_at));
        [client, own, self.retry_at].into_iter().flatten().min()
    }

    /// Lets time pass. `new_id`: a fresh producer id, if there is one.
    pub fn on_tick(&mut self, now: Now, new_id: &mut dyn FnMut() -> Option<i64>) {
        if self.retry_at.is_some_and(|at| at <= now.mono) {
            self.retry_at = None;
            for (shard, id) in std::mem::take(&mut self.retries) {
                self.write_completion(now, shard, &id);
            }
        }
        self.expire(now, new_id);
        let late: Vec<AppendToken> = self
            .appends
            .iter()
            .filter(|(_, append)| append.waits() && append.deadline <= now.mono)
            .map(|(token, _)| *token)
            .collect();
        for token in late {
            // The record may yet be committed, and then counts: only the client is sent away.
            if let Some(Pending { what: What::Step { then, .. }, .. }) = self.appends.get_mut(&token) {
                let answer = then.take_answer(Err(ErrorCode::CoordinatorNotAvailable), (-1, -1));
                self.outputs.extend(answer);
            }
        }
    }

    pub(super) fn reply(&mut self, to: ReplyTo, answer: Answer) {
        self.outputs.push(Output::Reply { to, answer });
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// The shard that holds a transactional id, loaded.
    pub(super) fn shard_for(&mut self, transactional_id: &str) -> Result<(i32, &mut Shard), ErrorCode> {
        let partition = self.partition_for(transactional_id);
        match self.shards.get_mut(&partition) {
            None => Err(ErrorCode::NotCoordinator),
            Some(shard) if shard.loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Some(shard) => Ok((partition, shard)),
        }
    }

    /// The state of a transactional id, if it has one.
    pub(super) fn entry_for(&mut self, transactional_id: &str) -> Result<(i32, Option<&mut Entry>), ErrorCode> {
        let (partition, shard) = self.shard_for(transactional_id)?;
        Ok((partition, shard.ids.get_mut(transactional_id)))
    }

    pub(super) fn id_count(&self) -> usize {
        self.shards.values().map(|shard| shard.ids.len()).sum()
    }

    /// Has a prepared step written.
    pub(super) fn write(&mut self, now: Now, shard: i32, id: &Arc<str>, next: Transaction, then: Then) {
        let patience = Duration::from_millis(u64::try_from(next.timeout_ms).unwrap_or(0));
        let encoded = record::encode_key(id)
            .and_then(|key| Ok((key, Some(record::encode_value(&next, self.transaction_version)?))));
        let what = What::Step { id: id.clone(), next: Box::new(next), then };
        let token = self.enter(Pending { shard, deadline: now.mono + patience, what });
        match encoded {
            Ok(record) => {
                self.output(Output::Append { shard, token, timestamp_ms: now.wall_ms, records: vec![record] })
            }
            Err(_) => self.on_append_result(now, token, Err(ErrorCode::UnknownServerError)),
        }
    }

    /// Has tombstones written of ids that are prepared to die.
    pub(super) fn write_tombstones(&mut self, now: Now, shard: i32, ids: Vec<Arc<str>>) {
        let records = ids.iter().filter_map(|id| Some((record::encode_key(id).ok()?, None))).collect();
        let token = self.enter(Pending { shard, deadline: now.mono, what: What::Expired(ids) });
        self.output(Output::Append { shard, token, timestamp_ms: now.wall_ms, records });
    }

    fn enter(&mut self, pending: Pending) -> AppendToken {
        self.last_token += 1;
        let token = AppendToken(self.last_token);
        self.appends.insert(token, pending);
        token
    }

    /// The fate of an append: committed, or why not.
    pub fn on_append_result(&mut self, now: Now, token: AppendToken, result: Result<(), ErrorCode>) {
        let Some(Pending { shard, what, .. }) = self.appends.remove(&token) else { return };
        let result = result.map_err(append_error);
        match what {
            What::Expired(ids) => self.forget(shard, &ids, result.is_ok()),
            What::Step { id, next, then } => self.step_written(now, shard, &id, *next, then, result),
        }
    }

    fn forget(&mut self, shard: i32, ids: &[Arc<str>], is_written: bool) {
        let Some(shard) = self.shards.get_mut(&shard) else { return };
        for id in ids {
            match (is_written, shard.ids.get_mut(id)) {
                (true, _) => drop(shard.ids.remove(id)),
                (false, Some(entry)) => entry.txn.pending = None,
                (false, None) => {}
            }
        }
    }

    fn step_written(
        &mut self,
        now: Now,
        shard: i32,
        id: &Arc<str>,
        next: Transaction,
        mut then: Then,
        result: Result<(), ErrorCode>,
    ) {
        if let Err(error) = result {
            self.tell_unwritten(shard, id, &next, error);
        }
        let Some(entry) = self.shards.get_mut(&shard).and_then(|shard| shard.ids.get_mut(id)) else { return };
        if let Err(error) = result {
            match then {
                // All markers are written: the end of the transaction must be, too.
                Then::Completed if error == ErrorCode::CoordinatorNotAvailable => {
                    self.retries.push((shard, id.clone()));
                    self.retry_at.get_or_insert(now.mono + RETRY);
                }
                _ => entry.txn.pending = None,
            }
            if matches!(then, Then::End { is_fence: true, transaction_version: ..2, .. }) {
                entry.txn.has_failed_epoch_fence = true;
            }
            self.outputs.extend(then.take_answer(Err(error), (-1, -1)));
            return;
        }
        let given = (next.producer_id, next.producer_epoch);
        let (state, is_timed_out) = (next.state, matches!(then, Then::End { of: Some(EndFor::Nobody), .. }));
        if !entry.txn.complete(next) {
            self.outputs.extend(then.take_answer(Err(ErrorCode::UnknownServerError), (-1, -1)));
            return;
        }
        match then {
            Then::Init(_) => self.tell(Level::Info, || {
                format!("TransactionalId {id} got producer id {} and epoch {} (partition {shard})", given.0, given.1)
            }),
            Then::End { .. } if is_timed_out => self.tell(Level::Info, || {
                format!("TransactionalId {id}: its transaction is rolled back, as its time was over")
            }),
            _ => self.tell(Level::Debug, || {
                let (producer_id, epoch) = given;
                format!("TransactionalId {id} is {} with producer id {producer_id}, epoch {epoch}", state.name())
            }),
        }
        match then {
            Then::End { .. } => self.ended(now, shard, id, then),
            Then::Completed => {
                if let Ok((_, Some(entry))) = self.entry_for(id) {
                    entry.completing = None;
                }
            }
            mut then => self.outputs.extend(then.take_answer(Ok(()), given)),
        }
    }

    /// This broker leads a shard from now on, in this leader epoch: its ids are told COORDINATOR_LOAD_IN_PROGRESS.
    pub fn begin_load(&mut self, partition: i32, epoch: i32) {
        self.unload(partition);
        self.tell(Level::Info, || format!("Coordinates partition {partition} from epoch {epoch} on"));
        self.shards.insert(partition, Shard { epoch, loading: true, ids: BTreeMap::new() });
    }

    /// One record of the log, oldest first. A record that cannot be read is skipped, as Kafka does with unknown versions.
    pub fn load_record(&mut self, partition: i32, key: &[u8], value: Option<&[u8]>) -> Result<(), RecordError> {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.loading) else { return Ok(()) };
        if Bug::TransactionsNotLoaded.is_planted() {
            return Ok(());
        }
        let id: Arc<str> = record::decode_key(key)?.into();
        match value {
            None => drop(shard.ids.remove(&id)),
            Some(value) => {
                let txn = TransactionMetadata::loaded(record::decode_value(value)?);
                shard.ids.insert(id, Entry { txn, completing: None });
            }
        }
        Ok(())
    }

    /// All is loaded and committed: transactions that were ending go on to end.
    pub fn finish_load(&mut self, now: Now, partition: i32) {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.loading) else { return };
        shard.loading = false;
        let is_ending = |entry: &Entry| entry.txn.current.state.is_ending() && !Bug::MarkersNotResumed.is_planted();
        let ending: Vec<Arc<str>> =
            shard.ids.iter().filter(|(_, entry)| is_ending(entry)).map(|(id, _)| id.clone()).collect();
        for id in ending {
            self.tell(Level::Info, || {
                format!("TransactionalId {id}: its markers are sent anew, as its end is decided")
            });
            self.begin_completion(now, partition, &id);
        }
    }

    /// This broker no longer leads a shard: all who wait are sent away with NOT_COORDINATOR.
    pub fn unload(&mut self, partition: i32) {
        if let Some(shard) = self.shards.remove(&partition) {
            let (epoch, ids) = (shard.epoch, shard.ids.len());
            self.tell(Level::Info, || {
                format!("Coordinates partition {partition} no more, after epoch {epoch}, with {ids} ids")
            });
        }
        self.retries.retain(|(shard, _)| *shard != partition);
        let gone: Vec<AppendToken> =
            self.appends.iter().filter(|(_, append)| append.shard == partition).map(|(token, _)| *token).collect();
        for token in gone {
            if let Some(Pending { what: What::Step { mut then, .. }, .. }) = self.appends.remove(&token) {
                self.outputs.extend(then.take_answer(Err(ErrorCode::NotCoordinator), (-1, -1)));
            }
        }
    }
}

impl Pending {
    /// Whether a client waits for it.
    fn waits(&self) -> bool {
        match &self.what {
            What::Step { then: Then::Init(to) | Then::Added(to), .. } => to.is_some(),
            What::Step { then: Then::End { of, .. }, .. } => matches!(of, Some(EndFor::Client(_) | EndFor::Init(_))),
            _ => false,
        }
    }
}

impl Then {
    /// The answer to whoever waits, once.
    pub(super) fn take_answer(&mut self, result: Result<(), ErrorCode>, given: (i64, i16)) -> Option<Output> {
        let (to, answer) = match self {
            Then::Init(to) => (to.take()?, Answer::Init(result.map(|()| given))),
            Then::Added(to) => (to.take()?, Answer::Added(result.err().unwrap_or(ErrorCode::None))),
            Then::End { of, .. } => match of.take()? {
                EndFor::Client(to) => (to, Answer::Ended(result.map(|()| given))),
                EndFor::Init(to) => (to, Answer::Init(Err(result.err().unwrap_or(ErrorCode::ConcurrentTransactions)))),
                EndFor::Nobody => return None,
            },
            Then::Completed => return None,
        };
        Some(Output::Reply { to, answer })
    }
}

/// As `TransactionStateManager.appendTransactionToLog` translates what the log says.
fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        other => other,
    }
}
