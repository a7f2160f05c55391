//! Before the first records of a transaction are written to a partition, its coordinator is asked whether it knows of them (clients that add
//! their partitions by themselves), or told of them (`transaction.version` 2, KIP-890). Meanwhile nothing else of that connection is handled,
//! so that a producer's batches stay in order.
//!
//! Source: `org.apache.kafka.server.transaction.AddPartitionsToTxnManager`, `kafka.server.ReplicaManager.handleProduceAppend`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::broker::Broker;
use super::context::{ConnId, RequestContext};
use super::endpoints::{self, text};
use super::peer::PeerRequest;
use super::peer_requests::{Pending, Purpose};
use super::txn_bridge::TRANSACTION_TOPIC;
use super::{forward, produce, txn_offset_commit};
use crate::metrics::table::transactions as bean;
use crate::metrics::{Collector, Histogram, Meter};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AddPartitionsToTxnRequestData, AddPartitionsToTxnResponseData, AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction, TxnOffsetCommitRequestData,
};
use crate::types::{NodeId, Now, TopicPartition};

/// Frames of one connection that may be held back: more than clients have in flight.
const MAX_HELD_FRAMES: usize = 1_000;

/// What a client's version lets it understand, and asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    /// It adds its partitions itself, and does not know TRANSACTION_ABORTABLE.
    Old,
    /// It adds its partitions itself.
    Abortable,
    /// Its partitions are added on its behalf.
    AddsOnWrite,
}

impl Support {
    pub(super) fn of_produce(version: i16) -> Support {
        match version {
            12.. => Support::AddsOnWrite,
            11 => Support::Abortable,
            _ => Support::Old,
        }
    }

    pub(super) fn of_offset_commit(version: i16) -> Support {
        match version {
            5.. => Support::AddsOnWrite,
            4 => Support::Abortable,
            _ => Support::Old,
        }
    }
}

/// What is asked of the coordinator.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) transactional_id: String,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) partitions: BTreeSet<TopicPartition>,
    pub(super) support: Support,
}

/// What goes on when the answer is here.
#[derive(Debug)]
pub(super) enum Asker {
    Produce(Box<produce::Verifying>),
    OffsetCommit { request: Box<TxnOffsetCommitRequestData>, guard: Option<crate::log::VerificationGuard> },
}

#[derive(Debug)]
struct Waiting {
    context: RequestContext,
    question: Question,
    asker: Asker,
    /// Until when an answer CONCURRENT_TRANSACTIONS is not passed on, but asked again.
    patience_until: Duration,
    ask_at: Option<Duration>,
    /// Whom it was sent to, and in which life.
    sent: Option<(NodeId, i64)>,
    /// When it was asked last.
    since: Duration,
}

#[derive(Debug)]
struct Frame {
    seq: u64,
    client_host: IpAddr,
    frame: Bytes,
}

/// Requests that wait for a transaction coordinator, and what is held back behind them. At most one waits per connection.
#[derive(Debug, Default)]
pub struct Verifier {
    waiting: BTreeMap<u64, Waiting>,
    by_connection: HashMap<ConnId, u64>,
    held: HashMap<ConnId, VecDeque<Frame>>,
    /// Connections that may go on.
    released: Vec<ConnId>,
    last: u64,
    times: Times,
}

#[derive(Debug)]
struct Times {
    taken: Histogram,
    failures: Meter,
}

impl Default for Times {
    fn default() -> Times {
        Times { taken: Histogram::millis(), failures: Meter::default() }
    }
}

impl Times {
    /// A coordinator answered, or will not, and refused so many partitions: as in Kafka each time that it is asked counts.
    fn answered(&mut self, took: Duration, refused: usize) {
        self.taken.record_time(took);
        self.failures.mark(refused as u64);
    }
}

impl Verifier {
    /// Tells its series.
    pub(super) fn collect(&mut self, out: &mut Collector) {
        out.histogram(&bean::VERIFICATION_TIME, [], &mut self.times.taken);
        out.meter(&bean::VERIFICATION_FAILURES, [], &mut self.times.failures);
    }

    /// When [`on_tick`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.waiting.values().filter_map(|waiting| waiting.ask_at).min()
    }

    /// Holds a frame back if its connection waits; gives it back if not.
    ///
    /// # Errors
    /// Too many are held back: the connection is to be closed.
    pub(super) fn hold(
        &mut self,
        conn: ConnId,
        seq: u64,
        client_host: IpAddr,
        frame: Bytes,
    ) -> Result<Option<Bytes>, String> {
        if !self.by_connection.contains_key(&conn) && !self.held.contains_key(&conn) {
            return Ok(Some(frame));
        }
        let held = self.held.entry(conn).or_default();
        if held.len() >= MAX_HELD_FRAMES {
            return Err(format!("more than {MAX_HELD_FRAMES} requests wait behind one of a transaction"));
        }
        held.push_back(Frame { seq, client_host, frame });
        Ok(None)
    }

    /// Requests that are held back.
    pub(super) fn held_frames(&self) -> usize {
        self.held.values().map(VecDeque::len).sum()
    }

    pub(super) fn on_disconnect(&mut self, conn: ConnId) {
        self.held.remove(&conn);
        if let Some(number) = self.by_connection.remove(&conn) {
            self.waiting.remove(&number);
        }
    }
}

/// Asks; `asker` goes on when the answer is here.
pub(super) fn ask(broker: &mut Broker, now: Now, context: &RequestContext, question: Question, asker: Asker) {
    let patience = broker.config.millis("add.partitions.to.txn.retry.backoff.max.ms");
    let patience = patience.min(broker.config.millis("request.timeout.ms"));
    let verifier = &mut broker.verifier;
    verifier.last += 1;
    let number = verifier.last;
    let waiting = Waiting {
        context: context.clone(),
        question,
        asker,
        patience_until: now.mono + patience,
        ask_at: None,
        sent: None,
        since: now.mono,
    };
    verifier.by_connection.insert(context.conn, number);
    verifier.waiting.insert(number, waiting);
    if Bug::TransactionNotVerified.is_planted() {
        return finish(broker, now, number, BTreeMap::new());
    }
    send(broker, now, number);
}

fn send(broker: &mut Broker, now: Now, number: u64) {
    let Some(waiting) = broker.verifier.waiting.get_mut(&number) else { return };
    let question = &waiting.question;
    let shard = broker.transactions.partition_for(&question.transactional_id);
    let leader = broker.image.partition(TRANSACTION_TOPIC, shard).map(|partition| partition.leader);
    let coordinator = leader.and_then(|leader| {
        let found = endpoints::reachable(&broker.image, leader).filter(|broker| !broker.fenced)?;
        Some((leader, found.epoch))
    });
    (waiting.ask_at, waiting.since) = (None, now.mono);
    waiting.sent = coordinator;
    let Some((to, _)) = coordinator else {
        // Nobody was asked, so that nothing is measured.
        return end(broker, now, number, all(&broker.verifier, number, ErrorCode::CoordinatorNotAvailable));
    };
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &question.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topic = |(name, partitions): (&str, Vec<i32>)| {
        AddPartitionsToTxnTopic::default().with_name(text(name)).with_partitions(partitions)
    };
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(text(&question.transactional_id))
        .with_producer_id(question.producer_id)
        .with_producer_epoch(question.producer_epoch)
        .with_verify_only(question.support != Support::AddsOnWrite)
        .with_topics(topics.into_iter().map(topic).collect());
    let body = AddPartitionsToTxnRequestData::default().with_transactions(vec![transaction]);
    let deadline = now.mono + broker.config.millis("request.timeout.ms");
    let purpose = Purpose::Verification(number);
    let pending = Pending { purpose, to, repeat: None, deadline, retry_at: None };
    forward::send(broker, to, pending, PeerRequest::AddPartitionsToTxn(Box::new(body)));
}

fn all(verifier: &Verifier, number: u64, code: ErrorCode) -> BTreeMap<TopicPartition, ErrorCode> {
    let partitions = verifier.waiting.get(&number).map(|waiting| &waiting.question.partitions);
    partitions.into_iter().flatten().map(|partition| (partition.clone(), code)).collect()
}

/// The coordinator answered, or (`None`) did not.
pub(super) fn on_answer(broker: &mut Broker, now: Now, number: u64, answer: Option<AddPartitionsToTxnResponseData>) {
    let Some(waiting) = broker.verifier.waiting.get_mut(&number) else { return };
    let Some(answer) = answer else {
        return finish(broker, now, number, all(&broker.verifier, number, ErrorCode::NetworkException));
    };
    if answer.error_code != ErrorCode::None.code() {
        let code = ErrorCode::from(answer.error_code);
        return finish(broker, now, number, all(&broker.verifier, number, code));
    }
    let support = waiting.question.support;
    let mut errors = BTreeMap::new();
    for topic in answer.results_by_transaction.iter().flat_map(|result| &result.topic_results) {
        for partition in &topic.results_by_partition {
            let code = match ErrorCode::from(partition.partition_error_code) {
                ErrorCode::None => continue,
                // Producers know that one.
                ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
                ErrorCode::TransactionAbortable if support == Support::Old => ErrorCode::InvalidTxnState,
                code => code,
            };
            let topic = topic.name.as_str().into();
            errors.insert(TopicPartition { topic, partition: partition.partition_index }, code);
        }
    }
    let is_concurrent = errors.values().any(|code| *code == ErrorCode::ConcurrentTransactions);
    if is_concurrent && support == Support::AddsOnWrite && now.mono < waiting.patience_until {
        // The markers of its last transaction are still being written: that is soon over, and cheaper than a retry of the client's.
        waiting.ask_at = Some(now.mono + broker.config.millis("add.partitions.to.txn.retry.backoff.ms"));
        let took = now.mono.saturating_sub(waiting.since);
        return broker.verifier.times.answered(took, errors.len());
    }
    finish(broker, now, number, errors);
}

fn finish(broker: &mut Broker, now: Now, number: u64, errors: BTreeMap<TopicPartition, ErrorCode>) {
    let Some(waiting) = broker.verifier.waiting.get(&number) else { return };
    let took = now.mono.saturating_sub(waiting.since);
    broker.verifier.times.answered(took, errors.len());
    end(broker, now, number, errors);
}

fn end(broker: &mut Broker, now: Now, number: u64, errors: BTreeMap<TopicPartition, ErrorCode>) {
    let Some(waiting) = broker.verifier.waiting.remove(&number) else { return };
    let conn = waiting.context.conn;
    broker.verifier.by_connection.remove(&conn);
    broker.verifier.released.push(conn);
    match waiting.asker {
        Asker::Produce(verifying) => produce::verified(broker, now, &waiting.context, *verifying, &errors),
        Asker::OffsetCommit { request, guard } => {
            let error = errors.into_values().next();
            txn_offset_commit::verified(broker, now, &waiting.context, &request, guard, error);
        }
    }
}

/// Handles what was held back behind requests that are done. True if there was anything.
pub(super) fn go_on(broker: &mut Broker, now: Now) -> bool {
    let released = std::mem::take(&mut broker.verifier.released);
    let busy = !released.is_empty();
    for conn in released {
        while !broker.verifier.by_connection.contains_key(&conn) {
            let next = broker.verifier.held.get_mut(&conn).and_then(VecDeque::pop_front);
            let Some(Frame { seq, client_host, frame }) = next else {
                broker.verifier.held.remove(&conn);
                break;
            };
            broker.handle_frame(now, conn, seq, client_host, frame);
        }
    }
    busy
}

/// Lets time pass.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    let due = |(number, waiting): (&u64, &Waiting)| waiting.ask_at.is_some_and(|at| at <= now.mono).then_some(*number);
    let due: Vec<u64> = broker.verifier.waiting.iter().filter_map(due).collect();
    for number in due {
        send(broker, now, number);
    }
}

/// The coordinator may have moved, or lives anew: what was asked of its former life gets no answer.
pub(super) fn on_image(broker: &mut Broker, now: Now) {
    let image = &broker.image;
    let is_stale = |waiting: &Waiting| {
        waiting.ask_at.is_none()
            && waiting.sent.is_some_and(|(to, epoch)| {
                !image.brokers.get(&to).is_some_and(|broker| !broker.fenced && broker.epoch == epoch)
            })
    };
    let stale: Vec<u64> =
        broker.verifier.waiting.iter().filter(|(_, waiting)| is_stale(waiting)).map(|(id, _)| *id).collect();
    for number in stale {
        finish(broker, now, number, all(&broker.verifier, number, ErrorCode::NetworkException));
    }
}

#[cfg(test)]
#[path = "txn_verification_tests.rs"]
mod tests;
