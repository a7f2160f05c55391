//! Produce, versions 3 to 13 (KIP-98, KIP-110, KIP-467, KIP-516, KIP-951). Partitions are appended to at once; with acks=all the answer waits
//! until the in-sync replicas have the records.
//!
//! Source: `kafka.server.KafkaApis.handleProduceRequest`, `kafka.server.ReplicaManager.appendRecords`, `kafka.server.DelayedProduce`,
//! `org.apache.kafka.common.requests.ProduceRequest.validateRecords`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::api_log;
use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{Endpoints, TopicKey, current_leader, find_partition, find_topic};
use super::purgatory::{Delayed, Wake};
use super::txn_verification::{self, Asker, Question, Support};
use crate::log::{AppendOrigin, AppendRules, TransactionCheck, VerificationGuard};
use crate::protocol::messages::{
    KafkaString, PartitionProduceResponse, ProduceRequestData, ProduceResponseData, TopicProduceData,
    TopicProduceResponse, produce_response as wire,
};
use crate::protocol::{ErrorCode, Response};
use crate::records::{BatchHeader, Compression};
use crate::replica::{AppendError, Appended};
use crate::types::{Id, Now, TopicIdPartition, TopicPartition};

/// The client id with which Kafka's admin tools may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
/// From this version on, topics go by id.
const FIRST_WITH_TOPIC_IDS: i16 = 13;
/// From this version on, an answer says who leads instead.
const FIRST_WITH_CURRENT_LEADER: i16 = 10;
/// From this version on, zstd is allowed.
const FIRST_WITH_ZSTD: i16 = 7;
/// Where a batch's length ends, and where its magic stands, in all formats.
const BATCH_LENGTH_END: usize = 12;
const MAGIC_AT: usize = 16;
/// The least that the length may say (`LegacyRecord.RECORD_OVERHEAD_V0`).
const MIN_RECORD_BYTES: i32 = 14;

/// One partition's part of a produce.
#[derive(Debug)]
struct Part {
    index: i32,
    id: Option<TopicIdPartition>,
    result: Result<Appended, AppendError>,
    /// Appended, and not known to be on the in-sync replicas yet.
    pending: bool,
    /// Appended, and then not acknowledged.
    unacknowledged: Option<ErrorCode>,
}

impl Part {
    fn error_code(&self) -> Option<ErrorCode> {
        self.unacknowledged.or(self.result.as_ref().err().map(|error| error.code))
    }
}

#[derive(Debug)]
struct TopicParts {
    topic: TopicKey,
    parts: Vec<Part>,
}

/// A produce with acks=all that waits for its in-sync replicas.
#[derive(Debug, Default)]
pub struct DelayedProduce {
    topics: Vec<TopicParts>,
}

/// Answers a Produce request, now or later.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: ProduceRequestData) -> Handled {
    let mut verifying = Verifying { request, ..Verifying::default() };
    match verifying.begin(broker, context.header.api_version, now) {
        Some(question) => {
            let asker = Asker::Produce(Box::new(verifying));
            txn_verification::ask(broker, now, context, question, asker);
            Handled::Later
        }
        None => proceed(broker, context, now, verifying),
    }
}

/// The transaction coordinator has answered.
pub(super) fn verified(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    mut verifying: Verifying,
    errors: &BTreeMap<TopicPartition, ErrorCode>,
) {
    let support = Support::of_produce(context.header.api_version);
    for (partition, code) in errors {
        if let Some(topic) = broker.image.topic(&partition.topic) {
            let id = TopicIdPartition { topic_id: topic.id, partition: partition.partition };
            verifying.refused.insert(id, verification_error(*code, support));
        }
    }
    match proceed(broker, context, now, verifying) {
        Handled::Reply(response) => broker.reply(now, context, response),
        Handled::NoReply => broker.end_without_reply(now, context),
        Handled::Later => {}
    }
}

/// What producers are told: older ones do not try again after all that may pass by itself.
fn verification_error(code: ErrorCode, support: Support) -> AppendError {
    let name = match code {
        ErrorCode::InvalidTxnState => {
            let message = "Partition was not added to the transaction".to_owned();
            return AppendError::new(code, Some(message), -1);
        }
        ErrorCode::NetworkException => "NETWORK_EXCEPTION",
        ErrorCode::CoordinatorLoadInProgress => "COORDINATOR_LOAD_IN_PROGRESS",
        ErrorCode::CoordinatorNotAvailable => "COORDINATOR_NOT_AVAILABLE",
        ErrorCode::NotCoordinator => "NOT_COORDINATOR",
        ErrorCode::ConcurrentTransactions if support != Support::AddsOnWrite => "CONCURRENT_TRANSACTIONS",
        _ => return AppendError::new(code, None, -1),
    };
    let message = format!("Unable to verify the partition has been added to the transaction. Underlying error: {name}");
    AppendError::new(ErrorCode::NotEnoughReplicas, Some(message), -1)
}

/// A produce on its way to the log, and what is known of its transaction.
#[derive(Debug, Default)]
pub(super) struct Verifying {
    request: ProduceRequestData,
    guards: HashMap<TopicIdPartition, VerificationGuard>,
    refused: HashMap<TopicIdPartition, AppendError>,
    refusal: Option<AppendError>,
}

impl Verifying {
    /// What the transaction coordinator is to be asked, if anything: of partitions where the transaction has not begun.
    fn begin(&mut self, broker: &mut Broker, version: i16, now: Now) -> Option<Question> {
        let transactional_id = self.request.transactional_id.as_ref()?.to_string();
        if request_refusal(&self.request).is_some() {
            return None;
        }
        let support = Support::of_produce(version);
        let adds = support == Support::AddsOnWrite;
        let mut producer = None;
        let mut partitions = BTreeSet::new();
        for topic in &self.request.topic_data {
            let key = TopicKey::of(version >= FIRST_WITH_TOPIC_IDS, &topic.name, Id::from(topic.topic_id));
            for data in &topic.partition_data {
                let header = data.records.as_ref().and_then(|records| BatchHeader::parse(records).ok());
                let is_open = |header: &BatchHeader| header.is_transactional() && header.has_producer_id();
                let Some(header) = header.filter(is_open) else { continue };
                let its = (header.producer_id, header.producer_epoch);
                if *producer.get_or_insert(its) != its {
                    self.refusal = Some(ErrorCode::InvalidProducerIdMapping.into());
                    return None;
                }
                if !adds && !must_verify(broker) {
                    continue;
                }
                let (Ok(id), Ok(topic)) = (find_partition(broker, &key, data.index), find_topic(broker, &key)) else {
                    continue;
                };
                let name = topic.name.clone();
                match broker.replicas.start_verification(now, &id, its, header.base_sequence, adds) {
                    Err(error) => drop(self.refused.insert(id, error)),
                    Ok(None) => {}
                    Ok(Some(guard)) => {
                        self.guards.insert(id, guard);
                        partitions.insert(TopicPartition { topic: name, partition: data.index });
                    }
                }
            }
        }
        let (producer_id, producer_epoch) = producer?;
        (!partitions.is_empty()).then_some(Question {
            transactional_id,
            producer_id,
            producer_epoch,
            partitions,
            support,
        })
    }
}

fn must_verify(broker: &Broker) -> bool {
    broker.config.bool("transaction.partition.verification.enable")
}

fn proceed(broker: &mut Broker, context: &RequestContext, now: Now, verifying: Verifying) -> Handled {
    let (acks, timeout_ms) = (verifying.request.acks, verifying.request.timeout_ms);
    let topics = append_all(broker, context, now, verifying);
    if acks == 0 {
        return close_if_failed(broker, context, &topics);
    }
    let mut delayed = DelayedProduce { topics };
    if acks != -1 || !settle(broker, &mut delayed, None) {
        return Handled::Reply(Response::Produce(response(broker, context, &delayed.topics)));
    }
    let deadline = now.mono + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let watched = delayed.pending().collect();
    match broker.purgatory.wait(context, deadline, watched, Delayed::Produce(delayed)) {
        Err(Delayed::Produce(mut delayed)) => {
            let answer = try_complete(broker, context, &mut delayed, Wake::Expired);
            Handled::Reply(Response::Produce(answer.unwrap_or_default()))
        }
        _ => Handled::Later,
    }
}

fn append_all(broker: &mut Broker, context: &RequestContext, now: Now, verifying: Verifying) -> Vec<TopicParts> {
    let Verifying { request, guards, mut refused, refusal } = verifying;
    let version = context.header.api_version;
    let acks = request.acks;
    let refusal = refusal.or_else(|| request_refusal(&request));
    let must_verify = must_verify(broker);
    let admin = context.header.client_id.as_deref() == Some(ADMIN_CLIENT_ID);
    let last_mentions = last_mentions(&request, version);
    let mut place = 0;
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let TopicProduceData { name, topic_id, partition_data, .. } = topic;
        let key = TopicKey::of(version >= FIRST_WITH_TOPIC_IDS, &name, Id::from(topic_id));
        // It is a part of the frame, which the only batch of a request can otherwise be changed in.
        drop(name);
        let data = partition_data.into_iter().filter(|data| {
            place += 1;
            last_mentions.as_ref().is_none_or(|last| last.get(&(key.clone(), data.index)) == Some(&place))
        });
        let data: Vec<_> = data.collect();
        let parts = data.into_iter().map(|data| {
            let part = |id, result| Part { index: data.index, id, result, pending: false, unacknowledged: None };
            if let Some(refusal) = &refusal {
                return part(None, Err(refusal.clone()));
            }
            let id = match find_partition(broker, &key, data.index) {
                Ok(id) => id,
                Err(code) => return part(None, Err(code.into())),
            };
            if let Some(error) = refused.remove(&id) {
                return part(Some(id), Err(error));
            }
            let check = match must_verify {
                true => TransactionCheck::Guard(guards.get(&id).copied()),
                false => TransactionCheck::Off,
            };
            let rules = AppendRules { check, ..AppendRules::of(AppendOrigin::Client) };
            let mut records = data.records.unwrap_or_default();
            let result = check_frame(version, &records).and_then(|size_bytes| {
                records.truncate(size_bytes);
                let result = BatchHeader::parse(&records)
                    .map_err(|error| broker.replicas.refuse_append(&id, &error))
                    .and_then(|_| check_allowed(broker, &key, acks, admin))
                    .and_then(|()| append(broker, now, &id, records, acks, rules));
                count(broker, &id, size_bytes, &result);
                broker.trace_append(context, id, (acks, size_bytes), &result);
                result
            });
            part(Some(id), result)
        });
        let parts: Vec<Part> = parts.collect();
        if !parts.is_empty() {
            topics.push(TopicParts { topic: key, parts });
        }
    }
    broker.metrics.requests.converted();
    topics
}

/// Where each partition is mentioned last, which is the mention that counts; `None` where there is one partition only.
fn last_mentions(request: &ProduceRequestData, version: i16) -> Option<HashMap<(TopicKey, i32), usize>> {
    let count: usize = request.topic_data.iter().map(|topic| topic.partition_data.len()).sum();
    if count < 2 {
        return None;
    }
    let mut last = HashMap::with_capacity(count);
    let mut place = 0;
    for topic in &request.topic_data {
        let key = TopicKey::of(version >= FIRST_WITH_TOPIC_IDS, &topic.name, Id::from(topic.topic_id));
        for data in &topic.partition_data {
            place += 1;
            last.insert((key.clone(), data.index), place);
        }
    }
    Some(last)
}

/// What speaks against the request as a whole.
fn request_refusal(request: &ProduceRequestData) -> Option<AppendError> {
    let data = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut transactional = false;
    for records in data.filter_map(|data| data.records.as_ref()) {
        if let Err(error) = next_batch(records) {
            return Some(error);
        }
        transactional |= BatchHeader::parse(records).is_ok_and(|header| header.is_transactional());
    }
    let refused = transactional && request.transactional_id.is_none();
    refused.then(|| ErrorCode::TransactionalIdAuthorizationFailed.into())
}

/// Size of the batch that the bytes begin with; none where they end early (`ByteBufferLogInputStream.nextBatch`).
fn next_batch(records: &[u8]) -> Result<Option<usize>, AppendError> {
    let (Some(length), Some(magic)) = (records.get(8..12), records.get(MAGIC_AT)) else { return Ok(None) };
    let length = length.try_into().map_or(0, i32::from_be_bytes);
    let corrupt = |message| Err(AppendError::new(ErrorCode::CorruptMessage, Some(message), -1));
    if length < MIN_RECORD_BYTES {
        return corrupt(format!("Record size {length} is less than the minimum record overhead ({MIN_RECORD_BYTES})"));
    }
    let magic = *magic as i8;
    if !(0..=2).contains(&magic) {
        return corrupt(format!("Invalid magic found in record: {magic}"));
    }
    let size_bytes = usize::try_from(length).unwrap_or(0) + BATCH_LENGTH_END;
    Ok((size_bytes <= records.len()).then_some(size_bytes))
}

/// What a request may carry: exactly one batch, of format v2; its size. A beginning of another one does not count.
fn check_frame(version: i16, records: &[u8]) -> Result<usize, AppendError> {
    let invalid = || AppendError::from(ErrorCode::InvalidRecord);
    let size_bytes = next_batch(records)?.ok_or_else(invalid)?;
    if records.get(MAGIC_AT) != Some(&2) {
        return Err(invalid());
    }
    if version < FIRST_WITH_ZSTD {
        match BatchHeader::parse(records).map(|header| header.compression()) {
            Ok(Ok(Compression::Zstd)) => return Err(ErrorCode::UnsupportedCompressionType.into()),
            // Kafka does not foresee a codec that is none.
            Ok(Err(_)) => return Err(ErrorCode::UnknownServerError.into()),
            _ => {}
        }
    }
    match next_batch(&records[size_bytes..])? {
        Some(_) => Err(invalid()),
        None => Ok(size_bytes),
    }
}

fn check_allowed(broker: &Broker, key: &TopicKey, acks: i16, admin: bool) -> Result<(), AppendError> {
    if !(-1..=1).contains(&acks) {
        return Err(ErrorCode::InvalidRequiredAcks.into());
    }
    let name = find_topic(broker, key).map_err(AppendError::from)?.name.as_ref();
    if INTERNAL_TOPICS.contains(&name) && !admin {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    Ok(())
}

fn append(
    broker: &mut Broker,
    now: Now,
    id: &TopicIdPartition,
    records: Bytes,
    acks: i16,
    rules: AppendRules,
) -> Result<Appended, AppendError> {
    // The batch gets its offsets written into it; a frame that nothing else refers to is used as it is.
    let records = records.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    broker.replicas.append_checked(now, id, records, acks, rules)
}

/// Counts what became of an append. A retry of what is there already counts, as Kafka has it.
fn count(broker: &mut Broker, id: &TopicIdPartition, size_bytes: usize, result: &Result<Appended, AppendError>) {
    let Some(topic) = broker.image.topics.get(&id.topic_id) else { return };
    match result {
        Ok(appended) => {
            let records = u32::try_from(appended.last_offset - appended.first_offset + 1).unwrap_or(0);
            let converted = if appended.converted.is_some() { records } else { 0 };
            if let Some(conversion) = appended.converted {
                broker.metrics.requests.converting(&conversion);
            }
            broker.metrics.topics.appended(topic, size_bytes, records, converted);
        }
        Err(error) => broker.metrics.topics.refused(topic, size_bytes, error),
    }
}

/// With acks=0 there is no answer to carry an error: the connection is closed, so that the client looks for metadata again.
fn close_if_failed(broker: &mut Broker, context: &RequestContext, topics: &[TopicParts]) -> Handled {
    let failed = topics.iter().flat_map(|topic| &topic.parts).find_map(|part| part.result.as_ref().err());
    if let Some(error) = failed {
        let reason = format!("a produce with acks=0 failed with {:?}", error.code);
        api_log::closed_for(broker, context, &reason);
        broker.out.closes.push((context.conn, reason));
    }
    Handled::NoReply
}

impl DelayedProduce {
    /// Partitions whose in-sync replicas do not have the records yet.
    pub(super) fn pending(&self) -> impl Iterator<Item = TopicIdPartition> {
        let parts = self.topics.iter().flat_map(|topic| &topic.parts);
        parts.filter(|part| part.pending).filter_map(|part| part.id)
    }
}

/// Looks which partitions are acknowledged (`at_end`: those that are not get this error); true while some wait.
fn settle(broker: &Broker, delayed: &mut DelayedProduce, at_end: Option<ErrorCode>) -> bool {
    let mut waits = false;
    for part in delayed.topics.iter_mut().flat_map(|topic| &mut topic.parts) {
        let (Some(id), Ok(appended), None) = (part.id, &part.result, part.unacknowledged) else { continue };
        let state = broker.replicas.partition(&id);
        let acknowledged = match state {
            Some(partition) => partition.acknowledged(appended.last_offset + 1, appended.leader_epoch),
            None => Some(Err(ErrorCode::NotLeaderOrFollower)),
        };
        match acknowledged.or(at_end.map(Err)) {
            Some(Ok(())) => part.pending = false,
            Some(Err(code)) => {
                part.pending = false;
                part.unacknowledged = Some(code);
            }
            None => {
                part.pending = true;
                waits = true;
            }
        }
    }
    waits
}

/// Looks again at a produce that waits; its answer, if it is complete.
pub fn try_complete(
    broker: &mut Broker,
    context: &RequestContext,
    delayed: &mut DelayedProduce,
    wake: Wake<'_>,
) -> Option<ProduceResponseData> {
    let at_end = (wake == Wake::Expired).then_some(ErrorCode::RequestTimedOut);
    if settle(broker, delayed, at_end) {
        return None;
    }
    Some(response(broker, context, &delayed.topics))
}

fn response(broker: &Broker, context: &RequestContext, topics: &[TopicParts]) -> ProduceResponseData {
    let mut endpoints = Endpoints::default();
    let version = context.header.api_version;
    let responses = topics
        .iter()
        .map(|topic| TopicProduceResponse {
            name: KafkaString::from(topic.topic.name().to_owned()),
            topic_id: topic.topic.id().into(),
            partition_responses: topic
                .parts
                .iter()
                .map(|part| part_response(broker, version, part, &mut endpoints))
                .collect(),
            ..TopicProduceResponse::default()
        })
        .collect();
    let endpoint = |endpoint: super::current_leader::Endpoint| wire::NodeEndpoint {
        node_id: endpoint.node_id,
        host: endpoint.host,
        port: endpoint.port,
        rack: endpoint.rack,
        ..wire::NodeEndpoint::default()
    };
    let node_endpoints = endpoints.into_vec().into_iter().map(endpoint).collect();
    ProduceResponseData { responses, node_endpoints, ..ProduceResponseData::default() }
}

fn record_error((batch_index, message): &(i32, String)) -> wire::BatchIndexAndErrorMessage {
    wire::BatchIndexAndErrorMessage {
        batch_index: *batch_index,
        batch_index_error_message: Some(KafkaString::from(message.clone())),
        ..wire::BatchIndexAndErrorMessage::default()
    }
}

fn part_response(broker: &Broker, version: i16, part: &Part, endpoints: &mut Endpoints) -> PartitionProduceResponse {
    let code = part.error_code().unwrap_or(ErrorCode::None);
    let mut response = PartitionProduceResponse {
        index: part.index,
        error_code: code.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..PartitionProduceResponse::default()
    };
    match &part.result {
        Ok(appended) => {
            if code == ErrorCode::None
                && let Some(partition) = part.id.and_then(|id| broker.replicas.partition(&id))
            {
                partition.note_acknowledged(appended.last_offset + 1);
            }
            response.base_offset = appended.first_offset;
            response.log_append_time_ms = appended.log_append_time_ms;
            response.log_start_offset = appended.log_start_offset;
        }
        Err(error) => {
            response.log_start_offset = error.log_start_offset;
            response.error_message = error.message.clone().map(KafkaString::from);
            response.record_errors = error.record_errors.iter().map(record_error).collect();
        }
    }
    if version >= FIRST_WITH_CURRENT_LEADER
        && code == ErrorCode::NotLeaderOrFollower
        && let Some(id) = part.id
    {
        let (leader, leader_epoch) = current_leader(broker, &id);
        response.current_leader.leader_id = leader;
        response.current_leader.leader_epoch = leader_epoch;
        endpoints.add(broker, leader);
    }
    response
}
