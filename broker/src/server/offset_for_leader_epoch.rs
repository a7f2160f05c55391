//! OffsetForLeaderEpoch, versions 2 to 4 (KIP-101, KIP-279, KIP-320): where an epoch ended in the leader's log.
//!
//! Source: `kafka.server.KafkaApis.handleOffsetForLeaderEpochRequest`, `kafka.server.ReplicaManager.lastOffsetForLeaderEpoch`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{TopicKey, find_partition};
use crate::protocol::messages::{
    OffsetForLeaderEpochRequestData, OffsetForLeaderEpochResponseData, OffsetForLeaderTopicResult,
    offset_for_leader_epoch_response as wire,
};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Id, Now};

/// Answers an OffsetForLeaderEpoch request. It moves nothing, so it does not matter whether a replica asks.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: OffsetForLeaderEpochRequestData,
) -> Handled {
    Handled::Reply(Response::OffsetForLeaderEpoch(answer(broker, request)))
}

/// The answer, for clients and for other brokers.
pub fn answer(broker: &Broker, request: OffsetForLeaderEpochRequestData) -> OffsetForLeaderEpochResponseData {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let key = TopicKey::of(false, &topic.topic, Id::ZERO);
            let look = |asked: &crate::protocol::messages::OffsetForLeaderPartition| {
                let found = find_partition(broker, &key, asked.partition).and_then(|id| {
                    broker.replicas.end_offset_for_epoch(&id, asked.current_leader_epoch, asked.leader_epoch)
                });
                let code = found.err().unwrap_or(ErrorCode::None);
                let (leader_epoch, end_offset) = found.unwrap_or((-1, -1));
                wire::EpochEndOffset {
                    error_code: code.code(),
                    partition: asked.partition,
                    leader_epoch,
                    end_offset,
                    ..wire::EpochEndOffset::default()
                }
            };
            OffsetForLeaderTopicResult {
                partitions: topic.partitions.iter().map(look).collect(),
                topic: topic.topic,
                ..OffsetForLeaderTopicResult::default()
            }
        })
        .collect();
    OffsetForLeaderEpochResponseData { topics, ..OffsetForLeaderEpochResponseData::default() }
}
