//! ShareFetch, versions 1 and 2 (KIP-932, KIP-1206, KIP-1222): records for a member of a share group, and what became of those that it got
//! before. It waits for records, and for what it acknowledges to be kept.
//!
//! Source: `kafka.server.KafkaApis.handleShareFetchRequest`, `kafka.server.share.DelayedShareFetch`, `ShareFetchUtils`,
//! `org.apache.kafka.server.share.fetch.PartitionMaxBytesStrategy`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{Endpoint, Endpoints, current_leader};
use super::purgatory::{Delayed, Wake};
use super::share_acknowledge::{self, ByPartition, FIRST_WITH_RENEW};
use super::share_bridge::{self, AckResult, ShareKey};
use super::share_calls::{self, Call, Work};
use super::topic_metrics::TopicMetrics;
use super::{share_limits, throttle};
use crate::logging::Level;
use crate::metadata::image::TopicImage;
use crate::protocol::messages::{
    KafkaString, ShareFetchRequestData, ShareFetchResponseData, share_fetch_request, share_fetch_response as wire,
};
use crate::protocol::{ErrorCode, Response};
use crate::replica::{Isolation, ReadRequest, ReadResult};
use crate::share::log_batches::slice;
use crate::share::session::{INITIAL_EPOCH, Plan, Told, rotate};
use crate::share::{Acknowledgement, Acquire, AcquireMode, AcquiredRange, SessionKey, log_batches};
use crate::types::{Id, Now, TopicIdPartition};

/// The length in front of an answer, which counts.
const SIZE_BYTES: usize = 4;

/// A partition that a fetch looks at.
#[derive(Debug)]
struct Look {
    key: ShareKey,
    error: Option<ErrorCode>,
}

/// What a member wants to have.
#[derive(Debug)]
pub(super) struct ShareFetch {
    session: SessionKey,
    looks: Vec<Look>,
    /// Partitions that are not even looked at.
    refused: Vec<Part>,
    isolation: Isolation,
    mode: AcquireMode,
    max_records: i64,
    batch_size: i64,
    min_bytes: i32,
    max_bytes: i32,
    /// One of its partitions is not led here any more: it need not wait.
    is_lost: bool,
    /// Since when it waits for something to acquire from.
    waits_since: Duration,
    /// It has found enough.
    is_acquired: bool,
}

/// What there was of one partition.
#[derive(Debug)]
pub(super) struct Part {
    id: TopicIdPartition,
    error: Option<ErrorCode>,
    records: Bytes,
    acquired: Vec<AcquiredRange>,
}

impl Part {
    fn new(id: TopicIdPartition, error: Option<ErrorCode>) -> Part {
        Part { id, error, records: Bytes::new(), acquired: Vec::new() }
    }
}

impl ShareFetch {
    /// The share partitions that it looks at.
    pub(super) fn keys(&self) -> impl Iterator<Item = ShareKey> + '_ {
        self.looks.iter().map(|look| look.key.clone())
    }

    fn read(&self, offset: i64, max_bytes: usize, at_least_one_batch: bool) -> ReadRequest {
        ReadRequest {
            offset,
            max_bytes,
            at_least_one_batch,
            isolation: self.isolation,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            leader_only: true,
        }
    }
}

/// Answers a ShareFetch request, now or later.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: ShareFetchRequestData) -> Handled {
    match fetch(broker, context, now, request) {
        Ok(Some(response)) => Handled::Reply(response),
        Ok(None) => Handled::Later,
        Err(error) => Handled::Reply(Response::ShareFetch(refusal(broker, context, now, error))),
    }
}

fn refusal(broker: &mut Broker, context: &RequestContext, now: Now, error: ErrorCode) -> ShareFetchResponseData {
    let throttle_time_ms = throttle::fetched(broker, now, context, 0);
    ShareFetchResponseData { error_code: error.code(), throttle_time_ms, ..ShareFetchResponseData::default() }
}

fn fetch(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    mut request: ShareFetchRequestData,
) -> Result<Option<Response>, ErrorCode> {
    let session = share_acknowledge::session_key(broker, request.group_id.as_ref(), request.member_id.as_ref())?;
    let version = context.header.api_version;
    let is_renewal = version >= FIRST_WITH_RENEW && request.is_renew_ack;
    // A lock that was just renewed should not run out while its member waits for records.
    if is_renewal && (request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms) != (0, 0, 0, 0) {
        return Err(ErrorCode::InvalidRequest);
    }
    let number = broker.shares.calls.number().ok_or(ErrorCode::UnknownServerError)?;
    let named = take_named(&mut request);
    let added: Vec<TopicIdPartition> = named.iter().map(|(id, _)| *id).collect();
    let forgotten = forgotten(&request);
    let has_acknowledgements = named.iter().any(|(_, batches)| !batches.is_empty());
    let epoch = request.share_session_epoch;
    let changes = (added.as_slice(), forgotten.as_slice());
    let plan = broker.shares.sessions.fetch(&session, epoch, context.conn, changes, has_acknowledgements);
    match &plan {
        Ok(_) if epoch == INITIAL_EPOCH => {
            share_bridge::tell_session(broker, Level::Debug, &session, || {
                format!("begins with {} partitions", added.len())
            });
        }
        Ok(_) => {}
        Err(error) => {
            // One that is behind finds out, and begins anew.
            let is_behind = *error == ErrorCode::InvalidShareSessionEpoch;
            let level = if is_behind { Level::Debug } else { Level::Error };
            share_bridge::tell_session(broker, level, &session, || format!("epoch {epoch} is refused: {error:?}"));
        }
    }
    let plan = match plan {
        Err(ErrorCode::ShareSessionLimitReached) => {
            let work = Work::Refused(ErrorCode::ShareSessionLimitReached);
            let call = Call { context: context.clone(), session, epoch, unkept: 0, acknowledged: Vec::new(), work };
            return wait(broker, now, number, call, request.max_wait_ms)
                .map_err(|_| ErrorCode::ShareSessionLimitReached);
        }
        plan => plan?,
    };
    let (mut acknowledged, mut unkept) = (Vec::new(), 0);
    if has_acknowledgements {
        let by_partition: ByPartition = named.into_iter().collect();
        let renew = (version >= FIRST_WITH_RENEW, request.is_renew_ack);
        (acknowledged, unkept) = share_acknowledge::take(broker, now, &session, number, renew, by_partition);
    }
    let work = match plan {
        Plan::Partitions(partitions) if !is_renewal => prepare(broker, context, now, &request, &session, partitions),
        _ => Ok(Work::Read(Vec::new())),
    };
    // What was acknowledged stays so; nobody is told.
    let work = work?;
    let is_waiting = matches!(work, Work::Records(_));
    let call = Call { context: context.clone(), session, epoch, unkept, acknowledged, work };
    if !is_waiting {
        return Ok(share_calls::answer_or_wait(broker, now, number, call));
    }
    match wait(broker, now, number, call, request.max_wait_ms) {
        Ok(waits) => Ok(waits),
        Err(mut call) => {
            read_now(broker, now, &mut call);
            Ok(share_calls::answer_or_wait(broker, now, number, *call))
        }
    }
}

/// The partitions that a request names, with what it acknowledges of each.
fn take_named(request: &mut ShareFetchRequestData) -> Vec<(TopicIdPartition, Vec<Acknowledgement>)> {
    let acknowledgement = |batch: share_fetch_request::AcknowledgementBatch| Acknowledgement {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        types: batch.acknowledge_types,
    };
    let mut named = Vec::new();
    for topic in std::mem::take(&mut request.topics) {
        let topic_id = Id::from(topic.topic_id);
        for partition in topic.partitions {
            let id = TopicIdPartition { topic_id, partition: partition.partition_index };
            named.push((id, partition.acknowledgement_batches.into_iter().map(acknowledgement).collect()));
        }
    }
    named
}

fn forgotten(request: &ShareFetchRequestData) -> Vec<TopicIdPartition> {
    let topics = request.forgotten_topics_data.iter();
    let of_topic = |topic: &share_fetch_request::ForgottenTopic| {
        let topic_id = Id::from(topic.topic_id);
        topic.partitions.iter().map(move |partition| TopicIdPartition { topic_id, partition: *partition }).collect()
    };
    topics.flat_map(|topic| -> Vec<_> { of_topic(topic) }).collect()
}

/// Lets a call wait for at most so long. Given back if it cannot.
fn wait(
    broker: &mut Broker,
    now: Now,
    number: u64,
    call: Call,
    max_wait_ms: i32,
) -> Result<Option<Response>, Box<Call>> {
    let Some(max_wait_ms) = u64::try_from(max_wait_ms).ok().filter(|wait_ms| *wait_ms > 0) else {
        return Err(Box::new(call));
    };
    let deadline = now.mono + Duration::from_millis(max_wait_ms);
    let watched = match &call.work {
        Work::Records(fetch) => fetch.looks.iter().map(|look| look.key.id).collect(),
        _ => Vec::new(),
    };
    match broker.purgatory.wait(&call.context, deadline, watched, Delayed::ShareFetch(number)) {
        Ok(()) => {
            broker.shares.calls.put(number, call);
            Ok(None)
        }
        Err(_) => Err(Box::new(call)),
    }
}

/// What a fetch looks at, or what there is already.
fn prepare(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: &ShareFetchRequestData,
    session: &SessionKey,
    mut partitions: Vec<TopicIdPartition>,
) -> Result<Work, ErrorCode> {
    let mut refused = Vec::new();
    partitions.retain(|id| {
        let known = known(broker, id);
        refused.extend(known.err().map(|error| Part::new(*id, Some(error))));
        known.is_ok()
    });
    if partitions.is_empty() {
        return Ok(Work::Read(refused));
    }
    let mode = AcquireMode::from_wire(request.share_acquire_mode).ok_or(ErrorCode::UnknownServerError)?;
    let limit = i32::try_from(broker.config.i64("fetch.max.bytes")).unwrap_or(i32::MAX);
    // More at once would always have to wait, and never be had.
    let quota = broker.quotas.fetch.max_at_once(throttle::client(context)).map_or(i32::MAX, |bytes| bytes as i32);
    let max_bytes = request.max_bytes.min(limit).min(quota);
    if max_bytes == 0 || request.max_records == 0 {
        return Ok(Work::Read(refused));
    }
    rotate(&mut partitions, request.share_session_epoch);
    let look = |id| {
        let key = ShareKey { id, group: Arc::clone(&session.group) };
        let error = share_bridge::lead(broker, now, &key).err();
        Look { key, error }
    };
    let looks: Vec<Look> = partitions.into_iter().map(look).collect();
    count_topics(broker, looks.iter().map(|look| look.key.id), TopicMetrics::share_fetched);
    let mut fetch = ShareFetch {
        session: session.clone(),
        looks,
        refused,
        isolation: share_limits::isolation(broker, &session.group),
        mode,
        max_records: i64::from(request.max_records),
        batch_size: i64::from(request.batch_size),
        min_bytes: request.min_bytes.min(max_bytes),
        max_bytes,
        is_lost: false,
        waits_since: now.mono,
        is_acquired: false,
    };
    if fetch.looks.iter().all(|look| look.error.is_some()) || has_enough(broker, now, &mut fetch, None) {
        return Ok(Work::Read(read_all(broker, now, fetch)));
    }
    Ok(Work::Records(fetch))
}

/// Counts each topic once.
pub(super) fn count_topics(
    broker: &mut Broker,
    partitions: impl Iterator<Item = TopicIdPartition>,
    count: fn(&mut TopicMetrics, &TopicImage),
) {
    let topics: BTreeSet<Id> = partitions.map(|id| id.topic_id).collect();
    for topic in topics.iter().filter_map(|id| broker.image.topics.get(id)) {
        count(&mut broker.metrics.topics, topic);
    }
}

fn known(broker: &Broker, id: &TopicIdPartition) -> Result<(), ErrorCode> {
    let topic = broker.image.topics.get(&id.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
    topic.partition(id.partition).map(|_| ()).ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// From where the share partition is to be read, if there is any use in it.
fn acquirable(broker: &mut Broker, look: &Look, max_record_locks: i64) -> Option<i64> {
    if look.error.is_some() {
        return None;
    }
    let log_start_offset = broker.replicas.log(&look.key.id).map_or(0, |log| log.log_start_offset());
    let partition = broker.shares.partition_mut(&look.key)?;
    partition.move_log_start(log_start_offset);
    partition.can_acquire(max_record_locks).then(|| partition.next_fetch_offset())
}

/// Whether what can be had is worth an answer. `changes`: nothing else changed since this was last asked.
fn has_enough(
    broker: &mut Broker,
    now: Now,
    fetch: &mut ShareFetch,
    changes: Option<&BTreeSet<TopicIdPartition>>,
) -> bool {
    fetch.is_acquired = finds_enough(broker, now, fetch, changes);
    fetch.is_acquired
}

/// Source of what is measured: `DelayedShareFetch.updateAcquireElapsedTimeMetric`; each look begins to wait anew.
fn has_waited(broker: &mut Broker, now: Now, fetch: &mut ShareFetch) {
    let waited = now.mono.saturating_sub(std::mem::replace(&mut fetch.waits_since, now.mono));
    broker.shares.metrics.acquired(&fetch.session.group, waited);
}

fn finds_enough(
    broker: &mut Broker,
    now: Now,
    fetch: &mut ShareFetch,
    changes: Option<&BTreeSet<TopicIdPartition>>,
) -> bool {
    let locks = share_limits::limits(broker, &fetch.session.group).max_record_locks;
    let changes = changes.filter(|_| fetch.min_bytes <= 1);
    let of_interest = |look: &&Look| changes.is_none_or(|changes| changes.contains(&look.key.id));
    let mut open = Vec::new();
    for look in fetch.looks.iter().filter(of_interest) {
        open.extend(acquirable(broker, look, locks).map(|offset| (look.key.id, offset)));
    }
    if !open.is_empty() {
        has_waited(broker, now, fetch);
    }
    if fetch.min_bytes <= 0 {
        return !open.is_empty();
    }
    let shares = share_of_bytes(fetch.max_bytes, open.len());
    let mut bytes = 0usize;
    for ((id, offset), limit) in open.iter().zip(shares) {
        let request = fetch.read(*offset, limit, true);
        if !broker.replicas.is_readable(id, &request) {
            continue;
        }
        // Any record is enough: nothing need be read only to be counted.
        if fetch.min_bytes <= 1 {
            return true;
        }
        match broker.replicas.read(id, &request) {
            Ok(read) => bytes += read.records.len().min(limit.max(1)),
            Err(_) => return true,
        }
    }
    bytes >= usize::try_from(fetch.min_bytes).unwrap_or(0)
}

/// How much is read of each of so many partitions: the same of all, and what is left over of the first.
fn share_of_bytes(max_bytes: i32, partitions: usize) -> Vec<usize> {
    let max_bytes = usize::try_from(max_bytes).unwrap_or(0);
    let each = max_bytes / partitions.max(1);
    let over = max_bytes % partitions.max(1);
    let share = |index: usize| match each {
        0 => usize::from(index < over),
        _ if index == 0 => each + over,
        _ => each,
    };
    (0..partitions).map(share).collect()
}

/// Reads the partitions in turn and gives the member what is free, until the answer is full. The first batch is always whole.
fn read_all(broker: &mut Broker, now: Now, mut fetch: ShareFetch) -> Vec<Part> {
    if !fetch.is_acquired {
        has_waited(broker, now, &mut fetch);
    }
    let limits = share_limits::limits(broker, &fetch.session.group);
    let mut open = Vec::new();
    for look in &fetch.looks {
        open.extend(acquirable(broker, look, limits.max_record_locks).map(|offset| (look, offset)));
    }
    broker.shares.metrics.fetched(&fetch.session.group, fetch.looks.len(), open.len());
    let shares = share_of_bytes(fetch.max_bytes, open.len());
    let (mut room, mut first, mut left) = (usize::try_from(fetch.max_bytes).unwrap_or(0), true, fetch.max_records);
    let mut parts = Vec::new();
    for ((look, offset), share) in open.into_iter().zip(shares) {
        let id = look.key.id;
        if fetch.max_bytes < 0 {
            // Kafka does not foresee a negative limit.
            parts.push(Part::new(id, Some(ErrorCode::UnknownServerError)));
            continue;
        }
        if left <= 0 {
            parts.push(Part::new(id, None));
            continue;
        }
        match broker.replicas.read(&id, &fetch.read(offset, share.min(room), first)) {
            Ok(read) => {
                room = room.saturating_sub(read.records.len());
                first &= read.records.is_empty();
                let part = acquire(broker, now, &fetch, &look.key, (offset, left), read);
                left -= part.acquired.iter().map(AcquiredRange::len).sum::<i64>();
                parts.push(part);
            }
            // The log begins later by now: the next fetch will begin there.
            Err(ErrorCode::OffsetOutOfRange) => parts.push(Part::new(id, None)),
            Err(error) => parts.push(Part::new(id, Some(error))),
        }
    }
    let failed = fetch.looks.iter().filter_map(|look| look.error.map(|error| Part::new(look.key.id, Some(error))));
    parts.extend(failed);
    let failed = parts.iter().filter(|part| part.error.is_some()).map(|part| part.id);
    count_topics(broker, failed, TopicMetrics::share_fetch_failed);
    parts.extend(fetch.refused);
    parts
}

fn acquire(
    broker: &mut Broker,
    now: Now,
    fetch: &ShareFetch,
    key: &ShareKey,
    (fetch_offset, max_records): (i64, i64),
    read: ReadResult,
) -> Part {
    let limits = share_limits::limits(broker, &key.group);
    let mut part = Part::new(key.id, None);
    let Some(partition) = broker.shares.partition_mut(key) else { return part };
    let batches = log_batches(&read.records, &read.aborted);
    let (mode, batch_size) = (fetch.mode, fetch.batch_size);
    let ask = Acquire { member: &fetch.session.member, mode, batch_size, max_records, fetch_offset };
    part.acquired = partition.acquire(now.mono, &limits, &ask, &batches);
    if let (Some(first), Some(last)) = (part.acquired.first(), part.acquired.last()) {
        part.records = slice(&read.records, first.first_offset, last.last_offset);
    }
    broker.shares.touched(key);
    part
}

/// A share partition is not led here any more, or could not be read: who waits for its records waits no more.
pub(super) fn lost(broker: &mut Broker, key: &ShareKey, error: ErrorCode) {
    for number in broker.shares.calls.watching(key) {
        let Some(mut call) = broker.shares.calls.take(number) else { continue };
        if let Work::Records(fetch) = &mut call.work {
            fetch.is_lost = true;
            let looks = fetch.looks.iter_mut().filter(|look| look.key == *key);
            looks.for_each(|look| look.error = Some(error));
        }
        broker.shares.calls.put(number, call);
    }
}

/// Looks again at a fetch that waits; true if it waits no more for records.
pub(super) fn look_again(broker: &mut Broker, now: Now, number: u64, wake: Wake<'_>) -> bool {
    let Some(mut call) = broker.shares.calls.take(number) else { return true };
    let is_over = match (&mut call.work, wake) {
        (Work::Refused(error), Wake::Expired) => {
            let (error, context) = (*error, call.context.clone());
            let response = refusal(broker, &context, now, error);
            broker.reply(now, &context, Response::ShareFetch(response));
            return true;
        }
        (Work::Records(_), Wake::Expired) => true,
        (Work::Records(fetch), Wake::Changed(changes)) => {
            fetch.is_lost || has_enough(broker, now, fetch, Some(changes))
        }
        // Only its acknowledgements are waited for.
        (Work::Read(_) | Work::None, _) => true,
        (Work::Refused(_), _) => false,
    };
    if is_over {
        read_now(broker, now, &mut call);
    }
    share_calls::settle(broker, now, number, call);
    is_over
}

/// Reads what there is, however little.
fn read_now(broker: &mut Broker, now: Now, call: &mut Call) {
    call.work = match std::mem::replace(&mut call.work, Work::None) {
        Work::Records(fetch) => Work::Read(read_all(broker, now, fetch)),
        work => work,
    };
}

/// What a ShareFetch is answered.
pub(super) fn answer(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    (session, epoch): (&SessionKey, i32),
    parts: Vec<Part>,
    acknowledged: Vec<(TopicIdPartition, AckResult)>,
) -> ShareFetchResponseData {
    let told = |part: &Part| Told {
        partition: part.id,
        has_records: !part.records.is_empty(),
        is_error: part.error.is_some(),
    };
    let told: Vec<Told> = parts.iter().map(told).collect();
    let mut answer = Answer::default();
    match throttled(broker, now, context, (session, epoch), &parts) {
        Some(throttled) => answer.response = throttled,
        None => match broker.shares.sessions.shape(session, epoch, &told) {
            Ok(keep) => {
                let kept = parts.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(part, _)| part);
                fill(broker, &mut answer, kept);
            }
            Err(error) => answer.response.error_code = error.code(),
        },
    }
    answer.response.acquisition_lock_timeout_ms = share_limits::record_lock_ms(broker, &session.group);
    for (id, result) in acknowledged {
        let part = answer.part(id);
        if let Err((error, message)) = result {
            part.acknowledge_error_code = error.code();
            part.acknowledge_error_message = message.map(KafkaString::from);
        }
    }
    answer.response
}

/// What a client that has to wait is told instead: nothing, and for how long. What it acquired comes again when its locks have run out.
fn throttled(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    (session, epoch): (&SessionKey, i32),
    parts: &[Part],
) -> Option<ShareFetchResponseData> {
    if !broker.quotas.fetch.is_enabled() && !broker.quotas.request.is_enabled() {
        return None;
    }
    let mut size_bytes = 0;
    if broker.quotas.fetch.is_enabled() {
        let mut whole = Answer::default();
        for part in parts {
            *whole.part(part.id) = wire_part(part);
        }
        size_bytes = SIZE_BYTES + whole.response.encoded_len(context.header.api_version).unwrap_or(0);
    }
    let throttle_time_ms = throttle::fetched(broker, now, context, size_bytes);
    if throttle_time_ms == 0 {
        return None;
    }
    let error = broker.shares.sessions.check(session, epoch).err().unwrap_or(ErrorCode::None);
    Some(ShareFetchResponseData { throttle_time_ms, error_code: error.code(), ..ShareFetchResponseData::default() })
}

fn fill(broker: &mut Broker, answer: &mut Answer, parts: impl Iterator<Item = Part>) {
    let mut endpoints = Endpoints::default();
    for part in parts {
        let mut told = wire_part(&part);
        if matches!(part.error, Some(ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)) {
            let (leader, leader_epoch) = current_leader(broker, &part.id);
            (told.current_leader.leader_id, told.current_leader.leader_epoch) = (leader, leader_epoch);
            endpoints.add(broker, leader);
        }
        if let (1.., Some(topic)) = (part.records.len() as u64, broker.image.topics.get(&part.id.topic_id)) {
            broker.metrics.topics.given(topic, part.records.len() as u64);
        }
        *answer.part(part.id) = told;
    }
    answer.response.node_endpoints = endpoints.into_vec().into_iter().map(node_endpoint).collect();
}

fn wire_part(part: &Part) -> wire::PartitionData {
    let acquired = |range: &AcquiredRange| wire::AcquiredRecords {
        first_offset: range.first_offset,
        last_offset: range.last_offset,
        delivery_count: range.delivery_count,
        ..wire::AcquiredRecords::default()
    };
    wire::PartitionData {
        partition_index: part.id.partition,
        error_code: part.error.unwrap_or(ErrorCode::None).code(),
        records: Some(part.records.clone()),
        acquired_records: part.acquired.iter().map(acquired).collect(),
        ..wire::PartitionData::default()
    }
}

/// An answer as it grows.
#[derive(Default)]
struct Answer {
    response: ShareFetchResponseData,
    topics: HashMap<Id, usize>,
    places: HashMap<TopicIdPartition, (usize, usize)>,
}

impl Answer {
    /// The place of a partition; an empty one if it has none yet.
    fn part(&mut self, id: TopicIdPartition) -> &mut wire::PartitionData {
        let topics = &mut self.response.responses;
        let (topic, part) = *self.places.entry(id).or_insert_with(|| {
            let topic = *self.topics.entry(id.topic_id).or_insert_with(|| {
                let topic_id = id.topic_id.into();
                topics.push(wire::ShareFetchableTopicResponse { topic_id, ..Default::default() });
                topics.len() - 1
            });
            let parts = &mut topics[topic].partitions;
            let (partition_index, records) = (id.partition, Some(Bytes::new()));
            parts.push(wire::PartitionData { partition_index, records, ..wire::PartitionData::default() });
            (topic, parts.len() - 1)
        });
        &mut topics[topic].partitions[part]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_gets_its_share_of_the_bytes() {
        assert_eq!(share_of_bytes(100, 3), [34, 33, 33]);
        assert_eq!(share_of_bytes(2, 3), [1, 1, 0]);
        assert_eq!(share_of_bytes(-1, 2), [0, 0]);
        assert!(share_of_bytes(100, 0).is_empty());
    }
}
