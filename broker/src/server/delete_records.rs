//! DeleteRecords, versions 0 to 2 (KIP-107). The leader's log begins later at once; the answer waits until every live replica's does.
//!
//! Source: `kafka.server.KafkaApis.handleDeleteRecordsRequest`, `kafka.server.ReplicaManager.deleteRecords`,
//! `kafka.server.DelayedDeleteRecords`.

use std::collections::HashMap;
use std::time::Duration;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{TopicKey, find_partition};
use super::purgatory::{Delayed, Wake};
use crate::controller::is_internal;
use crate::protocol::messages::{
    DeleteRecordsPartitionResult, DeleteRecordsRequestData, DeleteRecordsResponseData, DeleteRecordsTopic,
    DeleteRecordsTopicResult, KafkaString,
};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Id, Now, TopicIdPartition};

/// `DeleteRecordsResponse.INVALID_LOW_WATERMARK`.
const INVALID_LOW_WATERMARK: i64 = -1;

#[derive(Debug)]
struct Part {
    index: i32,
    id: Option<TopicIdPartition>,
    /// Offset that the low watermark has to reach.
    required: i64,
    low_watermark: i64,
    error: ErrorCode,
    pending: bool,
}

/// A deletion that waits for its replicas.
#[derive(Debug, Default)]
pub struct DelayedDeleteRecords {
    topics: Vec<(KafkaString, Vec<Part>)>,
}

impl DelayedDeleteRecords {
    /// Partitions whose replicas have the records still.
    pub(super) fn pending(&self) -> impl Iterator<Item = TopicIdPartition> {
        let parts = self.topics.iter().flat_map(|(_, parts)| parts);
        parts.filter(|part| part.pending).filter_map(|part| part.id)
    }
}

/// Answers a DeleteRecords request, now or later.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: DeleteRecordsRequestData) -> Handled {
    let mut delayed = DelayedDeleteRecords::default();
    for (topic, partitions) in distinct(request.topics) {
        let key = TopicKey::of(false, &topic, Id::ZERO);
        let parts = partitions.into_iter().map(|(index, offset)| delete(broker, now, &key, index, offset));
        delayed.topics.push((topic, parts.collect()));
    }
    if !settle(broker, &mut delayed) {
        return Handled::Reply(Response::DeleteRecords(response(&delayed)));
    }
    let deadline = now.mono + Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let watched = delayed.pending().collect();
    match broker.purgatory.wait(context, deadline, watched, Delayed::DeleteRecords(delayed)) {
        Err(Delayed::DeleteRecords(mut delayed)) => {
            let answer = try_complete(broker, &mut delayed, Wake::Expired);
            Handled::Reply(Response::DeleteRecords(answer.unwrap_or_default()))
        }
        _ => Handled::Later,
    }
}

/// Offsets by topic and partition: of a partition that is named twice the last counts, and a topic without partitions is none.
fn distinct(topics: Vec<DeleteRecordsTopic>) -> Vec<(KafkaString, Vec<(i32, i64)>)> {
    let mut found: Vec<(KafkaString, Vec<(i32, i64)>)> = Vec::new();
    let (mut places, mut last) = (HashMap::new(), HashMap::new());
    for topic in topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let place = *places.entry(topic.name.clone()).or_insert_with(|| {
            found.push((topic.name, Vec::new()));
            found.len() - 1
        });
        for partition in &topic.partitions {
            let offsets = &mut found[place].1;
            match last.insert((place, partition.partition_index), offsets.len()) {
                Some(before) => {
                    offsets[before].1 = partition.offset;
                    last.insert((place, partition.partition_index), before);
                }
                None => offsets.push((partition.partition_index, partition.offset)),
            }
        }
    }
    found
}

fn delete(broker: &mut Broker, now: Now, key: &TopicKey, index: i32, offset: i64) -> Part {
    let id = find_partition(broker, key, index);
    let result = id.and_then(|id| match is_internal(key.name()) {
        true => Err(ErrorCode::InvalidTopicException),
        false => Ok((id, broker.replicas.delete_records(now, &id, offset)?)),
    });
    match result {
        Ok((id, required)) => Part {
            index,
            id: Some(id),
            required,
            low_watermark: INVALID_LOW_WATERMARK,
            error: ErrorCode::None,
            pending: true,
        },
        Err(error) => {
            Part { index, id: None, required: 0, low_watermark: INVALID_LOW_WATERMARK, error, pending: false }
        }
    }
}

/// Looks which partitions are done; true if some wait.
fn settle(broker: &Broker, delayed: &mut DelayedDeleteRecords) -> bool {
    let mut waits = false;
    for part in delayed.topics.iter_mut().flat_map(|(_, parts)| parts).filter(|part| part.pending) {
        let Some(id) = part.id else { continue };
        match broker.replicas.low_watermark(&id) {
            Ok(low_watermark) => {
                part.low_watermark = low_watermark;
                part.pending = low_watermark < part.required;
            }
            Err(error) => {
                (part.low_watermark, part.error, part.pending) = (INVALID_LOW_WATERMARK, error, false);
            }
        }
        waits |= part.pending;
    }
    waits
}

/// Looks again at a deletion that waits; its answer, if it is complete.
pub fn try_complete(
    broker: &Broker,
    delayed: &mut DelayedDeleteRecords,
    wake: Wake<'_>,
) -> Option<DeleteRecordsResponseData> {
    if settle(broker, delayed) {
        if wake != Wake::Expired {
            return None;
        }
        for part in delayed.topics.iter_mut().flat_map(|(_, parts)| parts).filter(|part| part.pending) {
            part.error = ErrorCode::RequestTimedOut;
        }
    }
    Some(response(delayed))
}

fn response(delayed: &DelayedDeleteRecords) -> DeleteRecordsResponseData {
    let part = |part: &Part| DeleteRecordsPartitionResult {
        partition_index: part.index,
        low_watermark: part.low_watermark,
        error_code: part.error.code(),
        ..Default::default()
    };
    let topics = delayed.topics.iter().map(|(name, parts)| DeleteRecordsTopicResult {
        name: name.clone(),
        partitions: parts.iter().map(part).collect(),
        ..Default::default()
    });
    DeleteRecordsResponseData { topics: topics.collect(), ..Default::default() }
}
