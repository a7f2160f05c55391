//! Between the transaction coordinator and the broker: callers behind its reply numbers, its records in `__transaction_state`, its markers.
//!
//! Source: `kafka.coordinator.transaction.TransactionStateManager`, `TransactionMarkerChannelManager`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::coordinator_lines::LogLines;
use super::coordinator_log::{Change, CoordinatorLog};
use super::topic_metrics::OwnAppends;
use super::txn_markers::{self, MarkerSender};
use super::{add_partitions_to_txn, end_txn, init_producer_id};
use crate::log::{AppendOrigin, AppendRules};
use crate::logging::Logger;
use crate::metadata::config::NodeConfig;
use crate::metadata::report::Event;
use crate::metrics::Collector;
use crate::metrics::table::transactions as bean;
use crate::planted::Bug;
use crate::protocol::messages::AddOffsetsToTxnResponseData;
use crate::protocol::{ErrorCode, Response};
use crate::records::{BatchBuilder, Compression};
use crate::transaction::{Answer, AppendToken, Output, ReplyTo, TransactionConfig, TransactionCoordinator};
use crate::types::{Id, Now, TopicIdPartition};

/// Where transactional ids are kept.
pub const TRANSACTION_TOPIC: &str = "__transaction_state";

/// The feature that says how transactions end.
const VERSION_FEATURE: &str = "transaction.version";

/// Requests that may wait for the coordinator at once.
const MAX_CALLERS: usize = 100_000;

/// Read in one step while partitions are loaded; other work comes in between.
const LOAD_STEP_BYTES: usize = 4 * 1024 * 1024;

/// Who waits for an answer of the coordinator's.
#[derive(Debug)]
pub(super) enum Caller {
    /// InitProducerId.
    Init(Box<RequestContext>),
    /// One transaction of an AddPartitionsToTxn, under that request's number.
    AddPartitions { request: u64, index: usize },
    /// AddOffsetsToTxn.
    AddOffsets(Box<RequestContext>),
    /// EndTxn.
    End(Box<RequestContext>),
}

/// The coordinator, and what connects it with the broker.
pub struct TxnBridge {
    /// The coordinator. What it wants done is done by [`carry_out`].
    pub coordinator: TransactionCoordinator,
    pub(super) markers: MarkerSender,
    topic: Option<Id>,
    log: CoordinatorLog,
    callers: BTreeMap<u64, Caller>,
    last_caller: u64,
}

impl TxnBridge {
    /// What was appended since this was last asked.
    pub(super) fn take_appends(&mut self) -> OwnAppends {
        self.log.take_appends()
    }

    /// A coordinator of nothing yet.
    pub fn new(config: &NodeConfig) -> TxnBridge {
        let id = config.node_id;
        config.log.info(Logger::TransactionCoordinator, || format!("[TransactionCoordinator id={id}] Started"));
        TxnBridge {
            coordinator: TransactionCoordinator::new(transaction_config(config)),
            markers: MarkerSender::default(),
            topic: None,
            log: CoordinatorLog::default().writing(LogLines::of_transactions(config)),
            callers: BTreeMap::new(),
            last_caller: 0,
        }
    }

    /// When [`on_tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.log.is_reading() {
            return Some(Duration::ZERO);
        }
        [self.coordinator.next_deadline(), self.markers.next_deadline()].into_iter().flatten().min()
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.log.times.collect_loads(out, [&bean::LOAD_AVG, &bean::LOAD_MAX]);
        out.count(&bean::UNKNOWN_DESTINATION_QUEUE_SIZE, [], self.markers.without_leader() as u64);
    }

    /// Partition of `__transaction_state` that holds a transactional id.
    pub fn partition_for(&self, transactional_id: &str) -> i32 {
        self.coordinator.partition_for(transactional_id)
    }

    /// Enters somebody who waits; given back if too many do.
    pub(super) fn enter(&mut self, caller: Caller) -> Result<ReplyTo, Caller> {
        if self.callers.len() >= MAX_CALLERS {
            return Err(caller);
        }
        self.last_caller += 1;
        self.callers.insert(self.last_caller, caller);
        Ok(ReplyTo(self.last_caller))
    }

    fn build(records: &[(bytes::Bytes, Option<bytes::Bytes>)], timestamp_ms: i64) -> bytes::BytesMut {
        let mut batch = BatchBuilder::new(0, Compression::None);
        for (key, value) in records {
            batch.push(timestamp_ms, Some(key), value.as_deref(), &[]);
        }
        batch.build_mut()
    }
}

/// Hands a request to the coordinator, which answers it now or later.
pub(super) fn ask(
    broker: &mut Broker,
    context: &RequestContext,
    caller: Caller,
    act: impl FnOnce(&mut Broker, ReplyTo),
) -> Handled {
    match broker.transactions.enter(caller) {
        Ok(to) => act(broker, to),
        Err(_) => {
            let reason = "too many requests wait for the transaction coordinator".to_owned();
            broker.out.closes.push((context.conn, reason));
        }
    }
    Handled::Later
}

/// Lets time pass.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    let (ids, coordinator) = (&mut broker.producer_ids, &mut broker.transactions.coordinator);
    let mut is_wanted = false;
    coordinator.on_tick(now, &mut || {
        is_wanted = true;
        ids.take()
    });
    if is_wanted {
        init_producer_id::ask_for_block(broker, now);
    }
}

/// The image changed.
pub(super) fn on_image(broker: &mut Broker, now: Now) {
    let (image, bridge) = (&broker.image, &mut broker.transactions);
    let topic = image.topic(TRANSACTION_TOPIC);
    let id = topic.map(|topic| topic.id);
    if id != bridge.topic {
        bridge.log.give_up_all();
        bridge.topic = id;
    }
    if let Some(count) = topic.and_then(|topic| i32::try_from(topic.partitions.len()).ok()) {
        bridge.coordinator.set_partition_count(count);
    }
    bridge.coordinator.set_transaction_version(image.features.get(VERSION_FEATURE).copied().unwrap_or(0));
    txn_markers::on_image(broker, now);
}

/// Replicas changed: some may have been won, lost or committed.
pub(super) fn on_changes(broker: &mut Broker, now: Now, changes: &BTreeSet<TopicIdPartition>) {
    let (bridge, replicas) = (&mut broker.transactions, &broker.replicas);
    for id in changes.iter().filter(|id| Some(id.topic_id) == bridge.topic) {
        bridge.log.follow(now, replicas, *id);
    }
}

/// Does what the coordinator wants done. True if there was anything.
pub(super) fn carry_out(broker: &mut Broker, now: Now) -> bool {
    // The coordinator must know of a shard before its first record comes, and have all of them before it hears that it is whole.
    let mut busy = follow_log(broker, now);
    let TxnBridge { log, coordinator, .. } = &mut broker.transactions;
    // A record that cannot be read is skipped, as Kafka does: one bad record must not take all ids of a partition down.
    let errors = log.read_some(now, &broker.replicas, LOAD_STEP_BYTES, |record| {
        if !record.header.is_control() {
            let _ = coordinator.load_record(record.partition, record.key, record.value);
        }
    });
    let event = |error| Event::Error { message: format!("{TRANSACTION_TOPIC}: {error}") };
    broker.events.extend(errors.into_iter().map(event));
    busy |= follow_log(broker, now);
    for output in broker.transactions.coordinator.take_outputs() {
        busy = true;
        match output {
            Output::Reply { to, answer } => answered(broker, now, to, answer),
            Output::Append { shard, token, timestamp_ms, records } => {
                let batch = TxnBridge::build(&records, timestamp_ms);
                let rules = AppendRules::of(AppendOrigin::Coordinator);
                let log = &mut broker.transactions.log;
                log.append(now, &mut broker.replicas, shard, token.0, batch, rules);
                if Bug::TransactionAnsweredEarly.is_planted() {
                    broker.transactions.coordinator.on_append_result(now, token, Ok(()));
                }
            }
            Output::SendMarker { marker, partitions } => broker.transactions.markers.add(marker, partitions),
        }
    }
    txn_markers::send(broker, now) || busy
}

/// Tells the coordinator what became of its shards and appends.
fn follow_log(broker: &mut Broker, now: Now) -> bool {
    let changes = broker.transactions.log.take_changes();
    let busy = !changes.is_empty();
    for change in changes {
        let coordinator = &mut broker.transactions.coordinator;
        match change {
            Change::Begun { partition, epoch } => coordinator.begin_load(partition, epoch),
            Change::Read(_) => {}
            Change::Loaded(partition) => coordinator.finish_load(now, partition),
            Change::Gone(partition) => {
                coordinator.unload(partition);
                broker.transactions.markers.forget_shard(partition);
            }
            Change::Written { token, result } => {
                coordinator.on_append_result(now, AppendToken(token), result.map(|_| ()));
            }
        }
    }
    busy
}

fn answered(broker: &mut Broker, now: Now, to: ReplyTo, answer: Answer) {
    let Some(caller) = broker.transactions.callers.remove(&to.0) else { return };
    match (caller, answer) {
        (Caller::Init(context), Answer::Init(result)) => {
            let response = init_producer_id::transactional(context.header.api_version, result);
            broker.reply(now, &context, response);
        }
        (Caller::AddPartitions { request, index }, Answer::Added(error)) => {
            add_partitions_to_txn::on_added(broker, now, request, index, error);
        }
        (Caller::AddOffsets(context), Answer::Added(error)) => {
            let error = fenced_for(error, context.header.api_version, 2);
            let response = AddOffsetsToTxnResponseData::default().with_error_code(error.code());
            broker.reply(now, &context, Response::AddOffsetsToTxn(response));
        }
        (Caller::End(context), Answer::Ended(result)) => {
            let response = end_txn::response(context.header.api_version, result);
            broker.reply(now, &context, response);
        }
        // The coordinator answers each in its own kind.
        _ => {}
    }
}

/// Clients before `since` do not know PRODUCER_FENCED.
pub(super) fn fenced_for(error: ErrorCode, version: i16, since: i16) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced if version < since => ErrorCode::InvalidProducerEpoch,
        error => error,
    }
}

fn transaction_config(config: &NodeConfig) -> TransactionConfig {
    TransactionConfig {
        node_id: config.node_id,
        log: config.log.clone(),
        max_timeout_ms: config.i32("transaction.max.timeout.ms"),
        expiration_ms: config.i64("transactional.id.expiration.ms"),
        abort_interval_ms: config.i64("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        expiry_interval_ms: config.i64("transaction.remove.expired.transaction.cleanup.interval.ms"),
        partitions: config.i32("transaction.state.log.num.partitions"),
        ..TransactionConfig::default()
    }
}
