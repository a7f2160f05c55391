//! DescribeProducers v0: who writes to a partition that is here, led or not, and whether with an open transaction (KIP-664).
//!
//! Source: `kafka.server.KafkaApis.handleDescribeProducersRequest`, `ReplicaManager.activeProducerState`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use crate::controller::check_topic_name;
use crate::log::ProducerState;
use crate::protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState as WireProducerState, TopicResponse,
};
use crate::protocol::messages::{DescribeProducersRequestData, DescribeProducersResponseData, KafkaString};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Now, TopicIdPartition};

/// Tells the producers of partitions.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: DescribeProducersRequestData,
) -> Handled {
    let topics = request.topics.into_iter().map(|topic| {
        let name = topic.name.as_str();
        let partition = |index: &i32| partition(broker, name, *index);
        let partitions = topic.partition_indexes.iter().map(partition).collect();
        TopicResponse::default().with_name(KafkaString::from(name.to_owned())).with_partitions(partitions)
    });
    let response = DescribeProducersResponseData::default().with_topics(topics.collect());
    Handled::Reply(Response::DescribeProducers(response))
}

fn partition(broker: &Broker, topic: &str, index: i32) -> PartitionResponse {
    let answer = PartitionResponse::default().with_partition_index(index);
    if let Err(reason) = check_topic_name(topic) {
        let error = answer.with_error_code(ErrorCode::InvalidTopicException.code());
        return error.with_error_message(Some(KafkaString::from(reason)));
    }
    let found = match broker.image.topic(topic) {
        None => {
            let message = KafkaString::from(ErrorCode::UnknownTopicOrPartition.to_string());
            let error = answer.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
            return error.with_error_message(Some(message));
        }
        Some(found) if found.partition(index).is_none() => Err(ErrorCode::UnknownTopicOrPartition),
        Some(found) => broker.replicas.active_producers(&TopicIdPartition { topic_id: found.id, partition: index }),
    };
    match found {
        Err(error) => answer.with_error_code(error.code()),
        Ok(producers) => answer.with_active_producers(producers.iter().map(wire).collect()),
    }
}

fn wire(state: &ProducerState) -> WireProducerState {
    WireProducerState::default()
        .with_producer_id(state.producer_id)
        .with_producer_epoch(i32::from(state.epoch))
        .with_last_sequence(state.last_sequence())
        .with_last_timestamp(state.last_timestamp_ms)
        .with_coordinator_epoch(state.coordinator_epoch)
        .with_current_txn_start_offset(state.current_txn_first_offset.unwrap_or(-1))
}
