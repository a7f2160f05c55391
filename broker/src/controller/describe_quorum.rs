//! The quorum describes itself.
//!
//! DescribeQuorum versions 0-2; KIP-595, KIP-836 (fetch times), KIP-853 (directory ids, nodes).
//! Source: `KafkaRaftClient.handleDescribeQuorumRequest`.

use super::create_topics::text;
use super::names::CLUSTER_METADATA_TOPIC;
use crate::metadata::image::Image;
use crate::protocol::ErrorCode;
use crate::protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use crate::protocol::messages::{DescribeQuorumRequestData, DescribeQuorumResponseData, KafkaString};
use crate::quorum::{self, QuorumReplicas, VoterSet};
use crate::records::control::VoterEndpoint;
use crate::types::NodeId;

/// The quorum as its leader sees it.
#[derive(Clone, Debug)]
pub struct QuorumView {
    /// The leader, which answers.
    pub leader_id: NodeId,
    /// Its epoch.
    pub epoch: i32,
    /// High watermark; -1 while it is not known.
    pub high_watermark: i64,
    /// The voters, with what each says of itself.
    pub voters: VoterSet,
    /// Everybody's logs.
    pub replicas: QuorumReplicas,
}

/// DescribeQuorum, answered by the leader.
pub fn describe_quorum(
    request: &DescribeQuorumRequestData,
    view: &QuorumView,
    image: &Image,
) -> DescribeQuorumResponseData {
    let asked = request.topics.iter().map(|topic| {
        let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.topic_name.as_str(), partitions)
    });
    if !asked.eq([(CLUSTER_METADATA_TOPIC, vec![0])]) {
        return unknown_partition(request);
    }
    let state = |replica: &quorum::ReplicaState| ReplicaState {
        replica_id: replica.node_id,
        replica_directory_id: replica.directory_id.into(),
        log_end_offset: replica.log_end_offset,
        last_fetch_timestamp: replica.last_fetch_ms,
        last_caught_up_timestamp: replica.last_caught_up_ms,
        ..Default::default()
    };
    // Java's empty strings.
    let partition = PartitionData {
        partition_index: 0,
        error_message: Some(KafkaString::default()),
        leader_id: view.leader_id,
        leader_epoch: view.epoch,
        high_watermark: view.high_watermark,
        current_voters: view.replicas.voters.iter().map(state).collect(),
        observers: view.replicas.observers.iter().map(state).collect(),
        ..Default::default()
    };
    let topic =
        TopicData { topic_name: text(CLUSTER_METADATA_TOPIC), partitions: vec![partition], ..Default::default() };
    let nodes = view.replicas.voters.iter().map(|voter| node(voter.node_id, view, image)).collect();
    DescribeQuorumResponseData {
        error_message: Some(KafkaString::default()),
        topics: vec![topic],
        nodes,
        ..Default::default()
    }
}

fn node(node_id: NodeId, view: &QuorumView, image: &Image) -> Node {
    let described = view.voters.get(node_id).map_or(&[][..], |voter| &voter.endpoints);
    if !described.is_empty() {
        let listener = |endpoint: &VoterEndpoint| Listener {
            name: text(&endpoint.name),
            host: text(&endpoint.host),
            port: endpoint.port,
            ..Default::default()
        };
        return Node { node_id, listeners: described.iter().map(listener).collect(), ..Default::default() };
    }
    let endpoints = image.controllers.get(&node_id).map_or(&[][..], |controller| &controller.endpoints);
    let listeners = endpoints
        .iter()
        .map(|endpoint| Listener {
            name: text(&endpoint.name),
            host: text(&endpoint.host),
            port: endpoint.port,
            ..Default::default()
        })
        .collect();
    Node { node_id, listeners, ..Default::default() }
}

fn unknown_partition(request: &DescribeQuorumRequestData) -> DescribeQuorumResponseData {
    let code = ErrorCode::UnknownTopicOrPartition;
    let refuse = |partition_index: i32| PartitionData {
        partition_index,
        error_code: code.code(),
        error_message: Some(KafkaString::from(code.to_string())),
        ..Default::default()
    };
    let topics = request
        .topics
        .iter()
        .map(|topic| TopicData {
            topic_name: topic.topic_name.clone(),
            partitions: topic.partitions.iter().map(|partition| refuse(partition.partition_index)).collect(),
            ..Default::default()
        })
        .collect();
    DescribeQuorumResponseData { error_message: Some(KafkaString::default()), topics, ..Default::default() }
}
