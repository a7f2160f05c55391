//! Where partitions end, asked of their leaders for the group coordinator: the lag of share groups counts from there.
//!
//! Source: `org.apache.kafka.server.util.NetworkPartitionMetadataClient`.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::Broker;
use super::endpoints::text;
use super::peer::PeerRequest;
use super::peer_requests::{Pending, Purpose};
use super::{endpoints, forward, list_offsets};
use crate::group::LatestOffsets;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    ListOffsetsPartition, ListOffsetsRequestData, ListOffsetsResponseData, ListOffsetsTopic,
};
use crate::replica::timestamps;
use crate::types::{NodeId, Now, TopicPartition};

/// The version that brokers speak to each other.
const VERSION: i16 = 11;

/// What is asked of other brokers, until all have answered.
#[derive(Debug, Default)]
pub struct LatestOffsetsClient {
    /// By the coordinator's number: what is known, and how many brokers have not answered.
    asks: BTreeMap<u64, (LatestOffsets, usize)>,
    /// One broker's part: whose question it is of, and the partitions.
    parts: BTreeMap<u64, (u64, BTreeSet<TopicPartition>)>,
    last: u64,
}

/// Asks the leaders of these partitions. The group coordinator is told under `number` when all have answered, or have not in time.
pub(super) fn ask(broker: &mut Broker, now: Now, number: u64, partitions: BTreeSet<TopicPartition>) {
    let mut known = LatestOffsets::new();
    let mut by_leader: BTreeMap<NodeId, BTreeSet<TopicPartition>> = BTreeMap::new();
    for partition in partitions {
        let leader = broker.image.partition(&partition.topic, partition.partition).map(|found| found.leader);
        match leader.filter(|leader| endpoints::reachable(&broker.image, *leader).is_some()) {
            Some(leader) => drop(by_leader.entry(leader).or_default().insert(partition)),
            None => drop(known.insert(partition, Err(ErrorCode::LeaderNotAvailable))),
        }
    }
    if let Some(own) = by_leader.remove(&broker.config.node_id) {
        let response = answer(broker, request(&own));
        take(&mut known, &own, &response);
    }
    broker.latest_offsets.asks.insert(number, (known, by_leader.len()));
    let deadline = now.mono + broker.config.millis("request.timeout.ms");
    for (to, partitions) in by_leader {
        let client = &mut broker.latest_offsets;
        client.last += 1;
        let body = PeerRequest::ListOffsets(Box::new(request(&partitions)));
        client.parts.insert(client.last, (number, partitions));
        let purpose = Purpose::LatestOffsets(client.last);
        forward::send(broker, to, Pending { purpose, to, repeat: None, deadline, retry_at: None }, body);
    }
    finish(broker, number);
}

/// The answer to another broker.
pub(super) fn answer(broker: &mut Broker, request: ListOffsetsRequestData) -> ListOffsetsResponseData {
    list_offsets::answer(broker, VERSION, request)
}

/// A broker answered, or (`None`) did not.
pub(super) fn on_answer(broker: &mut Broker, part: u64, response: Option<ListOffsetsResponseData>) {
    let client = &mut broker.latest_offsets;
    let Some((number, partitions)) = client.parts.remove(&part) else { return };
    let Some((known, waiting)) = client.asks.get_mut(&number) else { return };
    *waiting = waiting.saturating_sub(1);
    match response {
        Some(response) => take(known, &partitions, &response),
        None => known.extend(partitions.into_iter().map(|partition| (partition, Err(ErrorCode::NetworkException)))),
    }
    finish(broker, number);
}

fn finish(broker: &mut Broker, number: u64) {
    if broker.latest_offsets.asks.get(&number).is_some_and(|(_, waiting)| *waiting == 0)
        && let Some((known, _)) = broker.latest_offsets.asks.remove(&number)
    {
        broker.groups.coordinator.on_latest_offsets(number, &known);
    }
}

fn request(partitions: &BTreeSet<TopicPartition>) -> ListOffsetsRequestData {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for partition in partitions {
        let asked = ListOffsetsPartition::default()
            .with_partition_index(partition.partition)
            .with_timestamp(timestamps::LATEST)
            .with_current_leader_epoch(-1);
        topics.entry(&partition.topic).or_default().push(asked);
    }
    let topic = |(name, partitions)| ListOffsetsTopic::default().with_name(text(name)).with_partitions(partitions);
    ListOffsetsRequestData::default().with_replica_id(-1).with_topics(topics.into_iter().map(topic).collect())
}

/// What is not answered does not exist.
fn take(known: &mut LatestOffsets, asked: &BTreeSet<TopicPartition>, response: &ListOffsetsResponseData) {
    for partition in asked {
        let topic = response.topics.iter().find(|topic| topic.name.as_str() == &*partition.topic);
        let found =
            topic.and_then(|topic| topic.partitions.iter().find(|it| it.partition_index == partition.partition));
        let offset = match found {
            None => Err(ErrorCode::UnknownTopicOrPartition),
            Some(found) if found.error_code != 0 => Err(ErrorCode::from(found.error_code)),
            Some(found) => Ok(found.offset),
        };
        known.insert(partition.clone(), offset);
    }
}
