//! ShareAcknowledge, versions 1 and 2 (KIP-932, KIP-1222): what became of records that a share group's member got. It is answered when that is
//! kept. The same is done here for acknowledgements that come with a ShareFetch.
//!
//! Source: `kafka.server.KafkaApis.handleShareAcknowledgeRequest`, `handleAcknowledgements`, `validateAcknowledgementBatches`.

use std::collections::{BTreeMap, HashMap};

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{Endpoint, Endpoints, current_leader};
use super::share_bridge::{self, AckResult};
use super::share_calls::{self, Call, Work};
use super::share_state_bridge::has_share_groups;
use super::topic_metrics::TopicMetrics;
use super::{share_fetch, share_limits};
use crate::protocol::messages::{
    KafkaString, ShareAcknowledgeRequestData, ShareAcknowledgeResponseData, share_acknowledge_response as wire,
};
use crate::protocol::{ErrorCode, Response};
use crate::share::{Acknowledgement, SessionKey};
use crate::types::{Id, Now, TopicIdPartition};

/// From this version on, a lock can be renewed.
pub(super) const FIRST_WITH_RENEW: i16 = 2;
/// The type that renews a lock.
const RENEW: i8 = 4;
/// Longest member id, in UTF-16 code units.
const MAX_MEMBER_ID: usize = 36;

/// Acknowledgements by partition.
pub(super) type ByPartition = BTreeMap<TopicIdPartition, Vec<Acknowledgement>>;

/// Answers a ShareAcknowledge request, now or later.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: ShareAcknowledgeRequestData,
) -> Handled {
    match acknowledge(broker, context, now, request) {
        Ok(Some(response)) => Handled::Reply(response),
        Ok(None) => Handled::Later,
        Err(error) => Handled::Reply(Response::ShareAcknowledge(ShareAcknowledgeResponseData {
            error_code: error.code(),
            ..ShareAcknowledgeResponseData::default()
        })),
    }
}

fn acknowledge(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: ShareAcknowledgeRequestData,
) -> Result<Option<Response>, ErrorCode> {
    let session = session_key(broker, request.group_id.as_ref(), request.member_id.as_ref())?;
    let number = broker.shares.calls.number().ok_or(ErrorCode::UnknownServerError)?;
    let epoch = request.share_session_epoch;
    broker.shares.sessions.acknowledge(&session, epoch)?;
    let mut named = ByPartition::new();
    for topic in request.topics {
        let topic_id = Id::from(topic.topic_id);
        for partition in topic.partitions {
            let batches = partition.acknowledgement_batches.into_iter().map(|batch| Acknowledgement {
                first_offset: batch.first_offset,
                last_offset: batch.last_offset,
                types: batch.acknowledge_types,
            });
            named.insert(TopicIdPartition { topic_id, partition: partition.partition_index }, batches.collect());
        }
    }
    let may_renew = (context.header.api_version >= FIRST_WITH_RENEW, request.is_renew_ack);
    let (acknowledged, unkept) = take(broker, now, &session, number, may_renew, named);
    let call = Call { context: context.clone(), session, epoch, unkept, acknowledged, work: Work::None };
    Ok(share_calls::answer_or_wait(broker, now, number, call))
}

/// Whose session a request is about.
///
/// # Errors
/// There are no share groups, or it does not say properly who asks.
pub(super) fn session_key(
    broker: &Broker,
    group: Option<&KafkaString>,
    member: Option<&KafkaString>,
) -> Result<SessionKey, ErrorCode> {
    if !has_share_groups(broker) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let group = group.ok_or(ErrorCode::InvalidRequest)?;
    let named = |member: &&KafkaString| !member.is_empty() && member.as_str().encode_utf16().count() <= MAX_MEMBER_ID;
    let member = member.filter(named).ok_or(ErrorCode::InvalidRequest)?;
    Ok(SessionKey { group: group.as_str().into(), member: member.as_str().into() })
}

/// Takes acknowledgements: what became of them, and how many partitions' are still to be kept. `renew`: whether the version knows how to renew,
/// and whether the request says that it does.
pub(super) fn take(
    broker: &mut Broker,
    now: Now,
    session: &SessionKey,
    call: u64,
    renew: (bool, bool),
    named: ByPartition,
) -> (Vec<(TopicIdPartition, AckResult)>, usize) {
    let (mut results, mut empty, mut meant) = (Vec::new(), Vec::new(), Vec::new());
    for (id, batches) in named {
        match check(broker, &id, &batches, renew) {
            Err(error) => results.push((id, Err((error, None)))),
            Ok(()) if batches.is_empty() => empty.push((id, Ok(()))),
            Ok(()) => meant.push((id, batches)),
        }
    }
    // Kafka forgets partitions without acknowledgements if none has any.
    if !meant.is_empty() {
        results.append(&mut empty);
    }
    let topics = meant.iter().map(|(id, _)| *id);
    share_fetch::count_topics(broker, topics, TopicMetrics::acknowledged);
    let (mut unkept, mut failed) = (0, Vec::new());
    for (id, batches) in meant {
        match share_bridge::acknowledge(broker, now, session, id, &batches, call) {
            Some(result) => {
                failed.extend(result.is_err().then_some(id));
                results.push((id, result));
            }
            None => unkept += 1,
        }
    }
    share_fetch::count_topics(broker, failed.into_iter(), TopicMetrics::acknowledgement_failed);
    (results, unkept)
}

fn check(
    broker: &Broker,
    id: &TopicIdPartition,
    batches: &[Acknowledgement],
    renew: (bool, bool),
) -> Result<(), ErrorCode> {
    let topic = broker.image.topics.get(&id.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
    if !are_in_order(batches, renew) {
        return Err(ErrorCode::InvalidRequest);
    }
    topic.partition(id.partition).map(|_| ()).ok_or(ErrorCode::UnknownTopicOrPartition)
}

fn are_in_order(batches: &[Acknowledgement], (knows_renew, is_renew): (bool, bool)) -> bool {
    let most = if knows_renew { RENEW } else { RENEW - 1 };
    let mut end = -1;
    batches.iter().all(|batch| {
        let has_type = |kind: &i8| (0..=most).contains(kind) && (*kind != RENEW || is_renew);
        let is_long_enough = match batch.types.len() {
            0 => false,
            1 => true,
            // Whoever has so many types has no offsets so far apart that this could overflow.
            len => batch.last_offset.checked_sub(batch.first_offset).is_some_and(|span| span == len as i64 - 1),
        };
        let is_good = batch.first_offset <= batch.last_offset && batch.first_offset >= end && is_long_enough;
        end = batch.last_offset;
        is_good && batch.types.iter().all(has_type)
    })
}

/// What a ShareAcknowledge is answered.
pub(super) fn answer(
    broker: &Broker,
    session: &SessionKey,
    acknowledged: Vec<(TopicIdPartition, AckResult)>,
) -> ShareAcknowledgeResponseData {
    let mut response = ShareAcknowledgeResponseData {
        acquisition_lock_timeout_ms: share_limits::record_lock_ms(broker, &session.group),
        ..ShareAcknowledgeResponseData::default()
    };
    let mut endpoints = Endpoints::default();
    let mut topics: HashMap<Id, usize> = HashMap::new();
    for (id, result) in acknowledged {
        let mut part = wire::PartitionData { partition_index: id.partition, ..wire::PartitionData::default() };
        if let Err((error, message)) = result {
            part.error_code = error.code();
            part.error_message = message.map(KafkaString::from);
            if matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
                let (leader, leader_epoch) = current_leader(broker, &id);
                (part.current_leader.leader_id, part.current_leader.leader_epoch) = (leader, leader_epoch);
                endpoints.add(broker, leader);
            }
        }
        let topic = *topics.entry(id.topic_id).or_insert_with(|| {
            let topic_id = id.topic_id.into();
            response.responses.push(wire::ShareAcknowledgeTopicResponse { topic_id, ..Default::default() });
            response.responses.len() - 1
        });
        response.responses[topic].partitions.push(part);
    }
    response.node_endpoints = endpoints.into_vec().into_iter().map(node_endpoint).collect();
    response
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
    fn batches_of_one_partition_are_in_order() {
        let one = |first_offset, last_offset, types: &[i8]| Acknowledgement {
            first_offset,
            last_offset,
            types: types.to_vec(),
        };
        for (name, batches, renew, expected) in [
            ("nothing", vec![], (true, false), true),
            ("one type for all", vec![one(0, 9, &[1])], (true, false), true),
            ("one each", vec![one(0, 2, &[0, 1, 3])], (true, false), true),
            ("too few", vec![one(0, 3, &[0, 1, 3])], (true, false), false),
            ("none", vec![one(0, 3, &[])], (true, false), false),
            ("backwards", vec![one(3, 0, &[1])], (true, false), false),
            ("out of order", vec![one(5, 9, &[1]), one(0, 3, &[1])], (true, false), false),
            ("the last offset twice passes with Kafka", vec![one(0, 5, &[1]), one(5, 9, &[1])], (true, false), true),
            ("no such type", vec![one(0, 3, &[5])], (true, true), false),
            ("below zero", vec![one(0, 3, &[-1])], (true, true), false),
            ("a renewal", vec![one(0, 3, &[4])], (true, true), true),
            ("a renewal that is not announced", vec![one(0, 3, &[4])], (true, false), false),
            ("a renewal before its version", vec![one(0, 3, &[4])], (false, true), false),
            ("an offset before all", vec![one(-2, 3, &[1])], (true, false), false),
            ("all offsets that there are", vec![one(-1, i64::MAX, &[1, 1])], (true, false), false),
        ] {
            assert_eq!(are_in_order(&batches, renew), expected, "{name}");
        }
    }
}
