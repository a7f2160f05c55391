//! AddPartitionsToTxn v0–5: clients below `transaction.version` 2 say what they will write to (v0–3); leaders of partitions ask whether they
//! did, or say it for clients of version 2 (v4–5, several transactions at once).
//!
//! KIP-98, KIP-890. Source: `kafka.server.KafkaApis.handleAddPartitionsToTxnRequest`.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use super::peer::{PeerMessage, PeerResponse};
use super::txn_bridge::{Caller, fenced_for};
use crate::controller::is_internal;
use crate::protocol::messages::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequestData, AddPartitionsToTxnResponseData,
    AddPartitionsToTxnResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};
use crate::protocol::{ErrorCode, Response};
use crate::types::{NodeId, Now, TopicPartition};

/// The version from which several transactions come at once.
const BATCHED: i16 = 4;
/// The version that adds for clients of `transaction.version` 2.
const VERSION_2: i16 = 5;

/// Who waits for the answer.
#[derive(Debug)]
pub(super) enum Asker {
    Client(Box<RequestContext>),
    Peer { to: NodeId, correlation: u64 },
}

/// A request whose transactions are answered one by one.
#[derive(Debug)]
struct Gathering {
    asker: Asker,
    transactions: Vec<AddPartitionsToTxnTransaction>,
    results: Vec<Option<Results>>,
}

/// What came of one transaction's partitions.
#[derive(Debug)]
enum Results {
    /// The same of all, which are told as they were asked for.
    All(ErrorCode),
    /// Of each its own.
    Each(BTreeMap<TopicPartition, ErrorCode>),
}

/// Requests that are not answered yet. Bounded by the callers of the coordinator.
#[derive(Debug, Default)]
pub struct AddingPartitions {
    gathering: BTreeMap<u64, Gathering>,
    last: u64,
}

/// Answers a client's request, now or later.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    mut request: AddPartitionsToTxnRequestData,
) -> Handled {
    if context.header.api_version < BATCHED {
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(std::mem::take(&mut request.v3_and_below_transactional_id))
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(std::mem::take(&mut request.v3_and_below_topics));
        request.transactions = vec![transaction];
    }
    let transaction_version = if context.header.api_version >= VERSION_2 { 2 } else { 0 };
    start(broker, now, Asker::Client(Box::new(context.clone())), request.transactions, transaction_version);
    Handled::Later
}

/// Another broker's, for a client of `transaction.version` 2, or to verify.
pub(super) fn from_peer(
    broker: &mut Broker,
    now: Now,
    to: NodeId,
    correlation: u64,
    request: AddPartitionsToTxnRequestData,
) {
    start(broker, now, Asker::Peer { to, correlation }, request.transactions, 2);
}

fn start(
    broker: &mut Broker,
    now: Now,
    asker: Asker,
    transactions: Vec<AddPartitionsToTxnTransaction>,
    transaction_version: i16,
) {
    // Clients below version 4 name topics that are theirs; the internal ones are not.
    let is_client = matches!(&asker, Asker::Client(context) if context.header.api_version < BATCHED);
    let results = transactions.iter().map(|_| None).collect();
    let adding = &mut broker.adding_partitions;
    adding.last += 1;
    let number = adding.last;
    adding.gathering.insert(number, Gathering { asker, transactions: transactions.clone(), results });
    for (index, transaction) in transactions.into_iter().enumerate() {
        let partitions = partitions_of(&transaction);
        let refusal = refusal(broker, &partitions, is_client);
        match refusal {
            Some(results) => put(broker, number, index, Results::Each(results)),
            None => add(broker, now, (number, index), &partitions, &transaction, transaction_version),
        }
    }
    answer_if_whole(broker, now, number);
}

fn partitions_of(transaction: &AddPartitionsToTxnTransaction) -> BTreeSet<TopicPartition> {
    let mut partitions = BTreeSet::new();
    for topic in &transaction.topics {
        let name: std::sync::Arc<str> = topic.name.as_str().into();
        partitions.extend(topic.partitions.iter().map(|&partition| TopicPartition { topic: name.clone(), partition }));
    }
    partitions
}

/// One partition that may not be added, and none is.
fn refusal(
    broker: &Broker,
    partitions: &BTreeSet<TopicPartition>,
    is_client: bool,
) -> Option<BTreeMap<TopicPartition, ErrorCode>> {
    let code = |it: &TopicPartition| {
        if is_client && is_internal(&it.topic) {
            return ErrorCode::TopicAuthorizationFailed;
        }
        match broker.image.partition(&it.topic, it.partition) {
            Some(_) => ErrorCode::OperationNotAttempted,
            None => ErrorCode::UnknownTopicOrPartition,
        }
    };
    let codes: BTreeMap<_, _> = partitions.iter().map(|it| (it.clone(), code(it))).collect();
    codes.values().any(|code| *code != ErrorCode::OperationNotAttempted).then_some(codes)
}

fn add(
    broker: &mut Broker,
    now: Now,
    (number, index): (u64, usize),
    partitions: &BTreeSet<TopicPartition>,
    transaction: &AddPartitionsToTxnTransaction,
    transaction_version: i16,
) {
    let id = transaction.transactional_id.as_str();
    let producer = (transaction.producer_id, transaction.producer_epoch);
    if transaction.verify_only {
        let results = broker.transactions.coordinator.verify_partitions(id, producer, partitions);
        return put(broker, number, index, Results::Each(results.into_iter().collect()));
    }
    match broker.transactions.enter(Caller::AddPartitions { request: number, index }) {
        Ok(to) => {
            let coordinator = &mut broker.transactions.coordinator;
            coordinator.add_partitions(now, to, id, producer, partitions, transaction_version);
        }
        Err(_) => put(broker, number, index, Results::All(ErrorCode::CoordinatorNotAvailable)),
    }
}

fn put(broker: &mut Broker, number: u64, index: usize, results: Results) {
    let gathering = broker.adding_partitions.gathering.get_mut(&number);
    if let Some(slot) = gathering.and_then(|gathering| gathering.results.get_mut(index)) {
        *slot = Some(results);
    }
}

/// The coordinator has added the partitions of one transaction, or not.
pub(super) fn on_added(broker: &mut Broker, now: Now, number: u64, index: usize, error: ErrorCode) {
    let Some(gathering) = broker.adding_partitions.gathering.get(&number) else { return };
    let error = match &gathering.asker {
        Asker::Client(context) => fenced_for(error, context.header.api_version, 2),
        Asker::Peer { .. } => error,
    };
    put(broker, number, index, Results::All(error));
    answer_if_whole(broker, now, number);
}

fn answer_if_whole(broker: &mut Broker, now: Now, number: u64) {
    let Some(gathering) = broker.adding_partitions.gathering.get(&number) else { return };
    if gathering.results.iter().any(Option::is_none) {
        return;
    }
    let Some(gathering) = broker.adding_partitions.gathering.remove(&number) else { return };
    let Gathering { asker, transactions, results } = gathering;
    let results = transactions.iter().zip(results).map(|(transaction, results)| {
        let topics = match results {
            Some(Results::Each(results)) => topic_results(results),
            Some(Results::All(code)) => as_asked(transaction, code),
            None => Vec::new(),
        };
        AddPartitionsToTxnResult::default()
            .with_transactional_id(text(transaction.transactional_id.as_str()))
            .with_topic_results(topics)
    });
    let response = AddPartitionsToTxnResponseData::default().with_results_by_transaction(results.collect());
    match asker {
        Asker::Peer { to, correlation } => {
            let body = PeerResponse::AddPartitionsToTxn(Box::new(response));
            broker.out.peer.push((to, PeerMessage::Response { correlation, body }));
        }
        Asker::Client(context) => {
            let response = in_version(response, context.header.api_version);
            broker.reply(now, &context, Response::AddPartitionsToTxn(response));
        }
    }
}

/// The same code for all, doubles included.
fn as_asked(transaction: &AddPartitionsToTxnTransaction, code: ErrorCode) -> Vec<AddPartitionsToTxnTopicResult> {
    let partition = |index: &i32| {
        AddPartitionsToTxnPartitionResult::default().with_partition_index(*index).with_partition_error_code(code.code())
    };
    let topic = |topic: &AddPartitionsToTxnTopic| {
        AddPartitionsToTxnTopicResult::default()
            .with_name(text(topic.name.as_str()))
            .with_results_by_partition(topic.partitions.iter().map(partition).collect())
    };
    transaction.topics.iter().map(topic).collect()
}

fn topic_results(results: BTreeMap<TopicPartition, ErrorCode>) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut topics: Vec<AddPartitionsToTxnTopicResult> = Vec::new();
    for (it, code) in results {
        let result = AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(it.partition)
            .with_partition_error_code(code.code());
        match topics.last_mut().filter(|topic| topic.name.as_str() == &*it.topic) {
            Some(topic) => topic.results_by_partition.push(result),
            None => topics.push(
                AddPartitionsToTxnTopicResult::default()
                    .with_name(text(&it.topic))
                    .with_results_by_partition(vec![result]),
            ),
        }
    }
    topics
}

fn in_version(mut response: AddPartitionsToTxnResponseData, version: i16) -> AddPartitionsToTxnResponseData {
    if version < BATCHED {
        let results = std::mem::take(&mut response.results_by_transaction);
        response.results_by_topic_v3_and_below = results.into_iter().flat_map(|it| it.topic_results).collect();
    }
    response
}
