//! WriteTxnMarkers v1–2: a transaction coordinator, of this broker or another, or an administrator who aborts a hanging transaction (KIP-664)
//! has transactions ended on partitions led here. Answered when all markers are committed.
//!
//! KIP-98, KIP-1228 (v2: transaction version). Source: `kafka.server.KafkaApis.handleWriteTxnMarkersRequest`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::broker::Broker;
use super::context::{ConnId, Handled, RequestContext};
use super::group_bridge::{self, OFFSETS_TOPIC};
use super::peer::{PeerMessage, PeerResponse};
use super::topic_metrics::OwnAppends;
use crate::group::TxnEnd;
use crate::log::{AppendOrigin, AppendRules, TransactionCheck};
use crate::planted::Bug;
use crate::protocol::messages::{
    KafkaString, WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult, WriteTxnMarkersRequestData, WriteTxnMarkersResponseData,
};
use crate::protocol::{ErrorCode, Response};
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};
use crate::records::{BatchBuilder, Compression, NO_SEQUENCE};
use crate::types::{NodeId, Now, TopicIdPartition};

/// Requests that may wait at once.
const MAX_WAITING: usize = 10_000;

/// Who waits for the answer.
#[derive(Debug)]
pub(super) enum Caller {
    /// A client.
    Client(Box<RequestContext>),
    /// A transaction coordinator.
    Peer { to: NodeId, correlation: u64 },
}

/// A partition's part of a marker.
#[derive(Debug)]
enum State {
    Done(ErrorCode),
    /// In the log, not known to be committed.
    Appended {
        id: TopicIdPartition,
        end_offset: i64,
        leader_epoch: i32,
    },
    /// With the group coordinator.
    Group,
}

#[derive(Debug)]
struct Part {
    /// Place of the marker in its request.
    marker: usize,
    topic: KafkaString,
    index: i32,
    state: State,
}

#[derive(Debug)]
struct Waiting {
    caller: Caller,
    producer_ids: Vec<i64>,
    parts: Vec<Part>,
    deadline: Duration,
}

/// Requests that are not answered yet.
#[derive(Debug, Default)]
pub struct MarkerWrites {
    waiting: BTreeMap<u64, Waiting>,
    watchers: HashMap<TopicIdPartition, BTreeSet<u64>>,
    /// Markers with the group coordinator: request and place in it.
    with_group: BTreeMap<u64, (u64, usize)>,
    last: u64,
}

impl MarkerWrites {
    /// When [`on_tick`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.waiting.values().map(|waiting| waiting.deadline).min()
    }

    /// A client is gone: nobody waits for its answer. What it asked for goes on.
    pub(super) fn on_disconnect(&mut self, conn: ConnId) {
        let is_its = |waiting: &Waiting| matches!(&waiting.caller, Caller::Client(context) if context.conn == conn);
        let gone: Vec<u64> = self.waiting.iter().filter(|(_, it)| is_its(it)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|number| drop(self.take(number)));
    }

    fn take(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        for part in &waiting.parts {
            if let State::Appended { id, .. } = part.state {
                self.unwatch(id, number);
            }
        }
        Some(waiting)
    }

    fn unwatch(&mut self, id: TopicIdPartition, number: u64) {
        if let Some(numbers) = self.watchers.get_mut(&id) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.watchers.remove(&id);
            }
        }
    }
}

/// Answers a client's request, now or later.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: WriteTxnMarkersRequestData) -> Handled {
    start(broker, now, Caller::Client(Box::new(context.clone())), request);
    Handled::Later
}

/// Takes a request in, and answers it as soon as all is written.
pub(super) fn start(broker: &mut Broker, now: Now, caller: Caller, request: WriteTxnMarkersRequestData) {
    let is_full = broker.marker_writes.waiting.len() >= MAX_WAITING;
    broker.marker_writes.last += 1;
    let number = broker.marker_writes.last;
    let deadline = now.mono + broker.config.millis("request.timeout.ms");
    let producer_ids = request.markers.iter().map(|marker| marker.producer_id).collect();
    let mut waiting = Waiting { caller, producer_ids, parts: Vec::new(), deadline };
    let mut for_group = Vec::new();
    for (at, marker) in request.markers.iter().enumerate() {
        for topic in &marker.topics {
            for &index in &topic.partition_indexes {
                let state = match is_full {
                    true => State::Done(ErrorCode::NotLeaderOrFollower),
                    false => write(broker, now, marker, topic.name.as_str(), index),
                };
                if let State::Group = state {
                    for_group.push((waiting.parts.len(), index, end_of(marker)));
                }
                waiting.parts.push(Part { marker: at, topic: topic.name.clone(), index, state });
            }
        }
    }
    for part in &waiting.parts {
        if let State::Appended { id, .. } = part.state {
            broker.marker_writes.watchers.entry(id).or_default().insert(number);
        }
    }
    broker.marker_writes.waiting.insert(number, waiting);
    for (place, partition, end) in for_group {
        broker.marker_writes.last += 1;
        let group_number = broker.marker_writes.last;
        broker.marker_writes.with_group.insert(group_number, (number, place));
        group_bridge::complete_transaction(broker, now, group_number, partition, end);
    }
    look(broker, now, number, false);
}

fn end_of(marker: &WritableTxnMarker) -> TxnEnd {
    TxnEnd {
        producer_id: marker.producer_id,
        producer_epoch: marker.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        commit: marker.transaction_result,
        transaction_version: i16::from(marker.transaction_version),
    }
}

fn write(broker: &mut Broker, now: Now, marker: &WritableTxnMarker, topic: &str, index: i32) -> State {
    let found = broker.image.topic(topic).map(|topic| TopicIdPartition { topic_id: topic.id, partition: index });
    let here = found.filter(|id| broker.replicas.partition(id).is_some_and(|replica| !replica.is_offline()));
    let Some(id) = here else { return State::Done(ErrorCode::UnknownTopicOrPartition) };
    if topic == OFFSETS_TOPIC {
        return State::Group;
    }
    let batch = control_batch(now.wall_ms, &end_of(marker));
    let rules = AppendRules {
        origin: AppendOrigin::Coordinator,
        check: TransactionCheck::Off,
        transaction_version: i16::from(marker.transaction_version),
    };
    let size_bytes = batch.len();
    let result = broker.replicas.append_checked(now, &id, batch, -1, rules);
    if let Some(topic) = broker.image.topics.get(&id.topic_id) {
        let mut appends = OwnAppends::default();
        appends.tried(size_bytes, result.as_ref().map(|appended| appended.records).map_err(|error| error.code));
        broker.metrics.topics.own_appends(topic, appends);
    }
    match result {
        Ok(_) if Bug::MarkerEarly.is_planted() => State::Done(ErrorCode::None),
        Ok(appended) => {
            State::Appended { id, end_offset: appended.last_offset + 1, leader_epoch: appended.leader_epoch }
        }
        Err(error) => State::Done(error.code),
    }
}

/// A batch that ends a transaction on one partition.
pub(super) fn control_batch(timestamp_ms: i64, end: &TxnEnd) -> bytes::BytesMut {
    let commit = match end.commit {
        true => !Bug::CommitMarkerAborts.is_planted(),
        false => Bug::AbortMarkerCommits.is_planted(),
    };
    let kind = if commit { ControlType::Commit } else { ControlType::Abort };
    let mut batch = BatchBuilder::new(0, Compression::None)
        .producer(end.producer_id, end.producer_epoch, NO_SEQUENCE)
        .transactional(true)
        .control(true);
    batch.push(timestamp_ms, Some(&control_key(kind)), Some(&encode_end_txn_marker(end.coordinator_epoch)), &[]);
    batch.build_mut()
}

/// The group coordinator has done its part.
pub(super) fn on_offsets_marker(broker: &mut Broker, now: Now, group_number: u64, error: ErrorCode) {
    let writes = &mut broker.marker_writes;
    let Some((number, place)) = writes.with_group.remove(&group_number) else { return };
    if let Some(part) = writes.waiting.get_mut(&number).and_then(|waiting| waiting.parts.get_mut(place)) {
        part.state = State::Done(error);
        look(broker, now, number, false);
    }
}

/// Partitions changed: some markers may be committed, or lost.
pub(super) fn on_changes(broker: &mut Broker, now: Now, changes: &BTreeSet<TopicIdPartition>) {
    let watchers = &broker.marker_writes.watchers;
    let numbers: BTreeSet<u64> = changes.iter().filter_map(|id| watchers.get(id)).flatten().copied().collect();
    for number in numbers {
        look(broker, now, number, false);
    }
}

/// Lets time pass: whoever has waited long enough hears so.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    let due = |(number, waiting): (&u64, &Waiting)| (waiting.deadline <= now.mono).then_some(*number);
    let late: Vec<u64> = broker.marker_writes.waiting.iter().filter_map(due).collect();
    for number in late {
        look(broker, now, number, true);
    }
}

/// Looks which parts are done, and answers when all are (or when time is up).
fn look(broker: &mut Broker, now: Now, number: u64, is_late: bool) {
    let Some(waiting) = broker.marker_writes.waiting.get_mut(&number) else { return };
    let mut settled = Vec::new();
    for part in &mut waiting.parts {
        if let State::Appended { id, end_offset, leader_epoch } = part.state {
            let result = match broker.replicas.partition(&id) {
                Some(replica) => replica.acknowledged(end_offset, leader_epoch),
                None => Some(Err(ErrorCode::NotLeaderOrFollower)),
            };
            if let Some(result) = result {
                part.state = State::Done(result.err().unwrap_or(ErrorCode::None));
                settled.push(id);
            }
        }
        if is_late && !matches!(part.state, State::Done(_)) {
            part.state = State::Done(ErrorCode::RequestTimedOut);
        }
    }
    let is_done = waiting.parts.iter().all(|part| matches!(part.state, State::Done(_)));
    let waits_for = |part: &Part, of: &TopicIdPartition| matches!(&part.state, State::Appended { id, .. } if id == of);
    settled.retain(|id| !waiting.parts.iter().any(|part| waits_for(part, id)));
    for id in settled {
        broker.marker_writes.unwatch(id, number);
    }
    if !is_done {
        return;
    }
    let Some(waiting) = broker.marker_writes.take(number) else { return };
    let answer = response(&waiting);
    match waiting.caller {
        Caller::Client(context) => broker.reply(now, &context, Response::WriteTxnMarkers(answer)),
        Caller::Peer { to, correlation } => {
            let body = PeerResponse::WriteTxnMarkers(Box::new(answer));
            broker.out.peer.push((to, PeerMessage::Response { correlation, body }));
        }
    }
}

/// One result per producer id, as Kafka's map has it.
fn response(waiting: &Waiting) -> WriteTxnMarkersResponseData {
    let mut producers: BTreeMap<i64, BTreeMap<&str, BTreeMap<i32, ErrorCode>>> = BTreeMap::new();
    for part in &waiting.parts {
        let State::Done(code) = part.state else { continue };
        let Some(producer_id) = waiting.producer_ids.get(part.marker) else { continue };
        producers.entry(*producer_id).or_default().entry(part.topic.as_str()).or_default().insert(part.index, code);
    }
    let partition = |(index, code): (i32, ErrorCode)| {
        WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(code.code())
    };
    let topic = |(name, partitions): (&str, BTreeMap<i32, ErrorCode>)| {
        WritableTxnMarkerTopicResult::default()
            .with_name(KafkaString::from(name.to_owned()))
            .with_partitions(partitions.into_iter().map(partition).collect())
    };
    let marker = |(producer_id, topics): (i64, BTreeMap<&str, BTreeMap<i32, ErrorCode>>)| {
        WritableTxnMarkerResult::default()
            .with_producer_id(producer_id)
            .with_topics(topics.into_iter().map(topic).collect())
    };
    WriteTxnMarkersResponseData::default().with_markers(producers.into_iter().map(marker).collect())
}
