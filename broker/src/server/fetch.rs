//! Fetch of clients, versions 4 to 18 (KIP-74, KIP-110, KIP-227, KIP-320, KIP-392, KIP-516, KIP-903, KIP-951). What claims to come from a
//! replica is refused: on a client port it may move nothing.
//!
//! Source: `kafka.server.KafkaApis.handleFetchRequest`, `kafka.server.ReplicaManager.fetchMessages`, `kafka.server.DelayedFetch`.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{Endpoint, Endpoints, current_leader, find_partition, find_topic};
use super::fetch_session::{FetchKey, FetchParams, FetchPlan, Told};
use super::purgatory::{Delayed, Wake};
use super::throttle;
use crate::metadata::config::TopicConfig;
use crate::protocol::messages::{
    FetchRequestData, FetchResponseData, FetchableTopicResponse, KafkaString, fetch_response as wire,
};
use crate::protocol::{ErrorCode, Response};
use crate::replica::{Isolation, ReadRequest, ReadResult};
use crate::types::{Now, TopicIdPartition};

/// `replica_id` of Kafka's ReplicaVerificationTool, which reads followers, too.
const DEBUGGING_CONSUMER: i32 = -2;
/// From this version on, topics go by id.
const FIRST_WITH_TOPIC_IDS: i16 = 13;
/// From this version on, an answer says who leads instead.
const FIRST_WITH_CURRENT_LEADER: i16 = 16;
/// From this version on, zstd is allowed.
const FIRST_WITH_ZSTD: i16 = 10;
/// From this version on, a consumer says where it is (KIP-392), and may read followers.
const FIRST_WITH_RACK: i16 = 11;
/// Up to this version, clients do not know KAFKA_STORAGE_ERROR.
const LAST_WITHOUT_STORAGE_ERROR: i16 = 5;

/// The length in front of an answer, which counts.
const SIZE_BYTES: usize = 4;

/// A partition that a fetch looks at.
#[derive(Debug)]
struct Look {
    key: FetchKey,
    params: FetchParams,
    id: Result<TopicIdPartition, ErrorCode>,
    /// Bytes that can be read, and how far they were counted.
    readable_bytes: usize,
    counted_to: i64,
}

/// A fetch that waits for records.
#[derive(Debug)]
pub struct DelayedFetch {
    plan: FetchPlan,
    looks: Vec<Look>,
    isolation: Isolation,
    leader_only: bool,
    min_bytes: usize,
    max_bytes: i32,
}

type PartRead = Result<ReadResult, ErrorCode>;

/// Answers a Fetch request, now or later.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: FetchRequestData) -> Handled {
    let by_id = context.header.api_version >= FIRST_WITH_TOPIC_IDS;
    let as_replica = request.replica_id >= 0 || request.replica_state.replica_id >= 0;
    let plan = match broker.sessions.plan(now, &request, by_id) {
        Ok(plan) => plan,
        Err(code) => {
            let throttle_time_ms = throttle::fetched(broker, now, context, 0);
            let response =
                FetchResponseData { error_code: code.code(), throttle_time_ms, ..FetchResponseData::default() };
            return Handled::Reply(Response::Fetch(response));
        }
    };
    let Some(isolation) = Isolation::from_wire(request.isolation_level) else {
        let mut response = refusal(context.header.api_version, &request, ErrorCode::UnknownServerError);
        response.throttle_time_ms = throttle::fetched(broker, now, context, 0);
        return Handled::Reply(Response::Fetch(response));
    };
    let followers_too = context.header.api_version >= FIRST_WITH_RACK
        || [request.replica_id, request.replica_state.replica_id].contains(&DEBUGGING_CONSUMER);
    let mut delayed = prepare(broker, context, &request, plan, as_replica, isolation, !followers_too);
    count_asked(broker, &delayed);
    let reads = read_all(broker, &delayed);
    let any_known = delayed.looks.iter().any(|look| look.id.is_ok());
    if request.max_wait_ms <= 0 || !any_known || is_enough(&delayed, &reads) {
        return Handled::Reply(Response::Fetch(answer(broker, now, context, &delayed, reads)));
    }
    count(&mut delayed, &reads);
    let deadline = now.mono + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let watched = delayed.looks.iter().filter_map(|look| look.id.ok()).collect();
    match broker.purgatory.wait(context, deadline, watched, Delayed::Fetch(delayed)) {
        Err(Delayed::Fetch(delayed)) => Handled::Reply(Response::Fetch(answer(broker, now, context, &delayed, reads))),
        _ => Handled::Later,
    }
}

/// What is answered where nothing was read: with ids, the request's error only.
fn refusal(version: i16, request: &FetchRequestData, error: ErrorCode) -> FetchResponseData {
    let mut response =
        FetchResponseData { error_code: error.code(), session_id: request.session_id, ..FetchResponseData::default() };
    if version >= FIRST_WITH_TOPIC_IDS {
        return response;
    }
    let part = |index: i32| wire::PartitionData {
        partition_index: index,
        error_code: error.code(),
        high_watermark: -1,
        records: Some(Bytes::new()),
        aborted_transactions: Some(Vec::new()),
        ..wire::PartitionData::default()
    };
    response.responses = request
        .topics
        .iter()
        .map(|topic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            partitions: topic.partitions.iter().map(|partition| part(partition.partition)).collect(),
            ..FetchableTopicResponse::default()
        })
        .collect();
    response
}

fn prepare(
    broker: &Broker,
    context: &RequestContext,
    request: &FetchRequestData,
    plan: FetchPlan,
    as_replica: bool,
    isolation: Isolation,
    leader_only: bool,
) -> DelayedFetch {
    let limit = i32::try_from(broker.config.i64("fetch.max.bytes")).unwrap_or(i32::MAX);
    // More at once would always have to wait, and never be had.
    let quota = broker.quotas.fetch.max_at_once(throttle::client(context)).map_or(i32::MAX, |bytes| bytes as i32);
    let max_bytes = request.max_bytes.min(limit).min(quota);
    let look = |(key, params): &(FetchKey, FetchParams)| Look {
        key: key.clone(),
        params: *params,
        id: match as_replica {
            true => Err(ErrorCode::TopicAuthorizationFailed),
            false => find_partition(broker, &key.topic, key.partition),
        },
        readable_bytes: 0,
        counted_to: params.offset,
    };
    DelayedFetch {
        looks: plan.partitions.iter().map(look).collect(),
        plan,
        isolation,
        leader_only,
        min_bytes: usize::try_from(request.min_bytes.min(max_bytes)).unwrap_or(0),
        max_bytes,
    }
}

/// Counts the partitions that are asked for, topic by topic.
fn count_asked(broker: &mut Broker, delayed: &DelayedFetch) {
    let asked = delayed.looks.chunk_by(|a, b| a.key.topic == b.key.topic);
    for looks in asked {
        let found = looks.iter().filter_map(|look| look.id.ok());
        let (count, last) = found.fold((0, None), |(count, _), id| (count + 1, Some(id)));
        if let Some(topic) = last.and_then(|id| broker.image.topics.get(&id.topic_id)) {
            broker.metrics.topics.fetched(topic, count);
        }
    }
}

/// Reads the partitions in turn, until the answer is full. The first batch is always whole.
fn read_all(broker: &mut Broker, delayed: &DelayedFetch) -> Vec<PartRead> {
    let mut room = delayed.max_bytes;
    let mut first = true;
    let mut reads = Vec::with_capacity(delayed.looks.len());
    for look in &delayed.looks {
        let read = look.id.and_then(|id| {
            // Kafka does not foresee a negative limit.
            let limit = usize::try_from(look.params.max_bytes.min(room)).map_err(|_| ErrorCode::UnknownServerError);
            let read = limit.and_then(|limit| {
                let request = delayed.read(look, look.params.offset, limit);
                broker.replicas.read(&id, &ReadRequest { at_least_one_batch: first, ..request })
            });
            if let (Err(error), Some(topic)) = (&read, broker.image.topics.get(&id.topic_id)) {
                broker.metrics.topics.read_failed(topic, *error);
            }
            read
        });
        let bytes = read.as_ref().map_or(0, |read| read.records.len());
        if bytes > 0 {
            first = false;
            room = room.saturating_sub(i32::try_from(bytes).unwrap_or(i32::MAX)).max(0);
        }
        reads.push(read);
    }
    reads
}

impl DelayedFetch {
    fn read(&self, look: &Look, offset: i64, max_bytes: usize) -> ReadRequest {
        ReadRequest {
            offset,
            max_bytes,
            at_least_one_batch: true,
            isolation: self.isolation,
            current_leader_epoch: look.params.current_leader_epoch,
            last_fetched_epoch: look.params.last_fetched_epoch,
            leader_only: self.leader_only,
        }
    }
}

/// Whether what was read is worth an answer now. What is wrong with the request itself waits with the rest; what is wrong with a partition
/// here does not.
fn is_enough(delayed: &DelayedFetch, reads: &[PartRead]) -> bool {
    let bytes: usize = reads.iter().flatten().map(|read| read.records.len()).sum();
    let urgent = |(look, read): (&Look, &PartRead)| {
        look.id.is_ok() && read.as_ref().map_or(true, |read| read.diverging.is_some())
    };
    bytes >= delayed.min_bytes || delayed.looks.iter().zip(reads).any(urgent)
}

fn visible_end(isolation: Isolation, read: &ReadResult) -> i64 {
    match isolation {
        Isolation::ReadUncommitted => read.high_watermark,
        Isolation::ReadCommitted => read.last_stable_offset,
    }
}

/// Remembers how much there is already, so that only what comes later is read for counting.
fn count(delayed: &mut DelayedFetch, reads: &[PartRead]) {
    let isolation = delayed.isolation;
    for (look, read) in delayed.looks.iter_mut().zip(reads) {
        if let Ok(read) = read {
            look.readable_bytes = read.records.len();
            look.counted_to = look.params.offset.max(visible_end(isolation, read));
        }
    }
}

/// Looks again at a fetch that waits; its answer, if it is complete.
pub fn try_complete(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    delayed: &mut DelayedFetch,
    wake: Wake<'_>,
) -> Option<FetchResponseData> {
    let complete = match wake {
        Wake::Expired => true,
        Wake::Changed(changes) => has_enough(broker, delayed, changes),
    };
    if !complete {
        return None;
    }
    let reads = read_all(broker, delayed);
    Some(answer(broker, now, context, delayed, reads))
}

fn has_enough(broker: &mut Broker, delayed: &mut DelayedFetch, changes: &BTreeSet<TopicIdPartition>) -> bool {
    for index in 0..delayed.looks.len() {
        let look = &delayed.looks[index];
        let Ok(id) = look.id else { continue };
        if !changes.contains(&id) {
            continue;
        }
        let limit = usize::try_from(look.params.max_bytes).unwrap_or(0);
        let request = ReadRequest { last_fetched_epoch: -1, ..delayed.read(look, look.counted_to, limit) };
        if !broker.replicas.is_readable(&id, &request) {
            continue;
        }
        // Any record is enough: nothing need be read only to be counted.
        if delayed.min_bytes <= 1 {
            return true;
        }
        let look = &mut delayed.looks[index];
        match broker.replicas.read(&id, &request) {
            Ok(read) => {
                look.readable_bytes = look.readable_bytes.saturating_add(read.records.len()).min(limit.max(1));
                look.counted_to = look.counted_to.max(visible_end(request.isolation, &read));
            }
            Err(_) => return true,
        }
    }
    let readable: usize = delayed.looks.iter().map(|look| look.readable_bytes).sum();
    readable >= delayed.min_bytes.max(1)
}

fn answer(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    delayed: &DelayedFetch,
    reads: Vec<PartRead>,
) -> FetchResponseData {
    let version = context.header.api_version;
    let mut endpoints = Endpoints::default();
    let parts: Vec<wire::PartitionData> = delayed
        .looks
        .iter()
        .zip(reads)
        .map(|(look, read)| part(broker, version, delayed.isolation, look, read, &mut endpoints))
        .collect();
    let told: Vec<(FetchKey, Told)> =
        delayed.looks.iter().zip(&parts).map(|(look, part)| (look.key.clone(), told(part))).collect();
    if let Some(throttled) = throttled(broker, now, context, delayed, &told, &parts) {
        return throttled;
    }
    let mut keep = vec![true; parts.len()];
    let session_id = match broker.sessions.shape(now, &delayed.plan, &told, |index, kept| keep[index] = kept) {
        Ok(session_id) => session_id,
        Err(code) => return FetchResponseData { error_code: code.code(), ..FetchResponseData::default() },
    };
    let mut response = FetchResponseData { session_id, ..FetchResponseData::default() };
    response.node_endpoints = endpoints.into_vec().into_iter().map(node_endpoint).collect();
    let kept = delayed.looks.iter().zip(parts).zip(keep).filter(|(_, keep)| *keep).map(|(kept, _)| kept);
    // What is not there at all stands last.
    let (found, unknown): (Vec<_>, Vec<_>) = kept.partition(|(look, _)| look.id.is_ok());
    for (look, part) in found.into_iter().chain(unknown) {
        count_out(broker, look, &part);
        if let (true, Ok(id)) = (broker.trace.is_following(), look.id) {
            broker.trace_fetch(id, &part, Ok(context));
        }
        push(&mut response, look, part);
    }
    response
}

/// What a client that has to wait is told instead: nothing, and for how long.
fn throttled(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    delayed: &DelayedFetch,
    told: &[(FetchKey, Told)],
    parts: &[wire::PartitionData],
) -> Option<FetchResponseData> {
    if !broker.quotas.fetch.is_enabled() && !broker.quotas.request.is_enabled() {
        return None;
    }
    let mut size_bytes = 0;
    if broker.quotas.fetch.is_enabled() {
        let mut response = FetchResponseData::default();
        let kept = broker.sessions.would_keep(&delayed.plan, told);
        for ((look, part), _) in delayed.looks.iter().zip(parts).zip(kept).filter(|(_, kept)| *kept) {
            push(&mut response, look, part.clone());
        }
        size_bytes = SIZE_BYTES + response.encoded_len(context.header.api_version).unwrap_or(0);
    }
    let throttle_time_ms = throttle::fetched(broker, now, context, size_bytes);
    if throttle_time_ms == 0 {
        return None;
    }
    let (session_id, error) = match broker.sessions.throttled(&delayed.plan) {
        Ok(session_id) => (session_id, ErrorCode::None),
        Err(error) => (0, error),
    };
    Some(FetchResponseData { throttle_time_ms, error_code: error.code(), session_id, ..FetchResponseData::default() })
}

fn part(
    broker: &Broker,
    version: i16,
    isolation: Isolation,
    look: &Look,
    read: PartRead,
    endpoints: &mut Endpoints,
) -> wire::PartitionData {
    let mut part = wire::PartitionData {
        partition_index: look.key.partition,
        high_watermark: -1,
        records: Some(Bytes::new()),
        // Of what is not there at all, an empty list is told.
        aborted_transactions: look.id.is_err().then(Vec::new),
        ..wire::PartitionData::default()
    };
    match read {
        Ok(_) if version < FIRST_WITH_ZSTD && is_zstd(broker, look) => {
            part.error_code = ErrorCode::UnsupportedCompressionType.code();
        }
        Ok(read) => {
            part.high_watermark = read.high_watermark;
            part.last_stable_offset = read.last_stable_offset;
            part.log_start_offset = read.log_start_offset;
            let aborted = read.aborted.iter().map(|txn| wire::AbortedTransaction {
                producer_id: txn.producer_id,
                first_offset: txn.first_offset,
                ..wire::AbortedTransaction::default()
            });
            part.aborted_transactions = (isolation == Isolation::ReadCommitted).then(|| aborted.collect());
            part.records = Some(read.records);
            if let Some((epoch, end_offset)) = read.diverging {
                part.diverging_epoch.epoch = epoch;
                part.diverging_epoch.end_offset = end_offset;
            }
        }
        Err(ErrorCode::KafkaStorageError) if version <= LAST_WITHOUT_STORAGE_ERROR => {
            part.error_code = ErrorCode::NotLeaderOrFollower.code();
        }
        Err(code) => {
            part.error_code = code.code();
            let elsewhere = matches!(code, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
            if let (true, Ok(id)) = (elsewhere && version >= FIRST_WITH_CURRENT_LEADER, look.id) {
                let (leader, leader_epoch) = current_leader(broker, &id);
                part.current_leader.leader_id = leader;
                part.current_leader.leader_epoch = leader_epoch;
                endpoints.add(broker, leader);
            }
        }
    }
    part
}

/// Old clients cannot read zstd: a topic that is set to it is not given to them.
fn is_zstd(broker: &Broker, look: &Look) -> bool {
    let Ok(topic) = find_topic(broker, &look.key.topic) else { return false };
    TopicConfig::resolve_in(&broker.image, &topic.name, &broker.config).compression_type == "zstd"
}

fn told(part: &wire::PartitionData) -> Told {
    let diverging = part.diverging_epoch.epoch >= 0 || part.diverging_epoch.end_offset >= 0;
    Told {
        high_watermark: part.high_watermark,
        log_start_offset: part.log_start_offset,
        has_records: part.records.as_ref().is_some_and(|records| !records.is_empty()),
        is_error: part.error_code != 0 || diverging,
    }
}

fn node_endpoint(endpoint: Endpoint) -> wire::NodeEndpoint {
    wire::NodeEndpoint {
        node_id: endpoint.node_id,
        host: endpoint.host,
        port: endpoint.port,
        rack: endpoint.rack,
        ..wire::NodeEndpoint::default()
    }
}

fn count_out(broker: &mut Broker, look: &Look, part: &wire::PartitionData) {
    let bytes = part.records.as_ref().map_or(0, Bytes::len) as u64;
    let topic = look.id.ok().and_then(|id| broker.image.topics.get(&id.topic_id));
    if let (1.., Some(topic)) = (bytes, topic) {
        broker.metrics.topics.given(topic, bytes);
    }
}

fn push(response: &mut FetchResponseData, look: &Look, part: wire::PartitionData) {
    let (name, topic_id) = (look.key.topic.name(), look.key.topic.id().into());
    let same = |topic: &FetchableTopicResponse| topic.topic_id == topic_id && topic.topic.as_str() == name;
    if !response.responses.last().is_some_and(same) {
        let topic = KafkaString::from(name.to_owned());
        response.responses.push(FetchableTopicResponse { topic, topic_id, ..FetchableTopicResponse::default() });
    }
    if let Some(topic) = response.responses.last_mut() {
        topic.partitions.push(part);
    }
}
