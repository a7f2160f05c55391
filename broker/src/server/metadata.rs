//! Metadata v0–13: brokers, and topics with their partitions' leaders.
//!
//! KIP-4 (controller id, all topics as null), KIP-112 (offline replicas), KIP-204 (leader epochs), KIP-430 (authorized operations),
//! KIP-516 (topic ids). Source: `kafka.server.KafkaApis.handleTopicMetadataRequest`, `KRaftMetadataCache.getTopicMetadata`.

use std::collections::BTreeSet;

use super::Broker;
use super::auto_create;
use super::context::{Handled, RequestContext};
use super::endpoints::{
    self, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS, controller_for_clients, offline_replicas, text,
};
use crate::controller::{check_topic_name, is_internal};
use crate::metadata::image::{Image, PartitionImage, TopicImage};
use crate::protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::messages::{KafkaString, KafkaUuid, MetadataRequestData, MetadataResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Id, NO_NODE, NodeId, Now};

/// Topics can be asked for by id from this version on.
const BY_ID_SINCE: i16 = 12;

/// Answers from this broker's image; topics that are not there are asked of the controller where that is wanted and allowed.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: MetadataRequestData) -> Handled {
    let asked = Asked { version: context.header.api_version, own_id: broker.config.node_id, request: &request };
    let (response, unknown) = asked.answer(&broker.image, &broker.config.cluster_id);
    if request.allow_auto_topic_creation && broker.config.bool("auto.create.topics.enable") {
        let names: Vec<&str> = unknown.iter().map(KafkaString::as_str).collect();
        auto_create::create(broker, Some(context), now, &names);
    }
    Handled::Reply(Response::Metadata(response))
}

struct Asked<'a> {
    version: i16,
    own_id: NodeId,
    request: &'a MetadataRequestData,
}

impl Asked<'_> {
    /// The answer, and the names that are allowed but belong to no topic.
    fn answer(&self, image: &Image, cluster_id: &str) -> (MetadataResponseData, Vec<KafkaString>) {
        if let Some(error) = self.malformed() {
            return (self.refusal(error), Vec::new());
        }
        let (mut topics, unknown) = self.topics(image);
        if self.request.include_topic_authorized_operations {
            for topic in topics.iter_mut().filter(|topic| topic.name.is_some()) {
                topic.topic_authorized_operations = TOPIC_OPERATIONS;
            }
        }
        let asked_for_cluster = self.request.include_cluster_authorized_operations;
        let response = MetadataResponseData::default()
            .with_brokers(brokers(image))
            .with_cluster_id(Some(text(cluster_id)))
            .with_controller_id(controller_for_clients(image, self.own_id))
            .with_cluster_authorized_operations(if asked_for_cluster {
                CLUSTER_OPERATIONS
            } else {
                OPERATIONS_NOT_ASKED
            })
            .with_topics(topics);
        (response, unknown)
    }

    /// Before version 12 each topic has a name and no id; from then on it has one of them. That it has neither, Kafka does not foresee.
    fn malformed(&self) -> Option<ErrorCode> {
        let by_id = self.version >= BY_ID_SINCE;
        let mut topics = self.request.topics.iter().flatten();
        topics.find_map(|topic| match (topic.topic_id.is_nil(), topic.name.is_none()) {
            (true, true) if by_id => Some(ErrorCode::UnknownServerError),
            (true, true) => Some(ErrorCode::InvalidRequest),
            (false, _) if !by_id => Some(ErrorCode::InvalidRequest),
            _ => None,
        })
    }

    fn refusal(&self, error: ErrorCode) -> MetadataResponseData {
        let topics = self.request.topics.iter().flatten().map(|topic| {
            MetadataResponseTopic::default()
                .with_error_code(error.code())
                .with_name(Some(topic.name.clone().unwrap_or_default()))
                .with_topic_id(topic.topic_id)
        });
        MetadataResponseData::default().with_topics(topics.collect()).with_error_code(error.code())
    }

    fn topics(&self, image: &Image) -> (Vec<MetadataResponseTopic>, Vec<KafkaString>) {
        let requested = match &self.request.topics {
            Some(topics) if !topics.is_empty() || self.version > 0 => topics,
            _ => return (image.topics.values().map(|topic| self.found(image, topic)).collect(), Vec::new()),
        };
        let ids: BTreeSet<Id> =
            requested.iter().map(|topic| Id::from(topic.topic_id)).filter(|id| !id.is_zero()).collect();
        if !ids.is_empty() {
            return (ids.into_iter().map(|id| self.by_id(image, id)).collect(), Vec::new());
        }
        // Each once, in the order of the request; those that are there come first.
        let mut seen = BTreeSet::new();
        let names = requested.iter().filter_map(|topic| Some(topic.name.as_ref()?.as_str()));
        let names: Vec<&str> = names.filter(|name| seen.insert(*name)).collect();
        let mut topics: Vec<MetadataResponseTopic> =
            names.iter().filter_map(|name| Some(self.found(image, image.topic(name)?))).collect();
        let mut unknown = Vec::new();
        for name in names.into_iter().filter(|name| image.topic(name).is_none()) {
            let error = match check_topic_name(name) {
                Ok(()) => {
                    unknown.push(text(name));
                    ErrorCode::UnknownTopicOrPartition
                }
                Err(_) => ErrorCode::InvalidTopicException,
            };
            topics.push(absent(error, Some(text(name))));
        }
        (topics, unknown)
    }

    fn by_id(&self, image: &Image, id: Id) -> MetadataResponseTopic {
        match image.topics.get(&id) {
            Some(topic) => self.found(image, topic),
            None => absent(ErrorCode::UnknownTopicId, None).with_topic_id(KafkaUuid::from(id)),
        }
    }

    fn found(&self, image: &Image, topic: &TopicImage) -> MetadataResponseTopic {
        let partitions =
            topic.partitions.iter().zip(0..).map(|(partition, index)| self.partition(image, index, partition));
        MetadataResponseTopic::default()
            .with_name(Some(text(&topic.name)))
            .with_topic_id(topic.id.into())
            .with_is_internal(is_internal(&topic.name))
            .with_partitions(partitions.collect())
    }

    fn partition(&self, image: &Image, index: i32, partition: &PartitionImage) -> MetadataResponsePartition {
        // Version 0 cannot say that a replica is offline, so it is left out.
        let listed = |ids: &[NodeId]| -> Vec<NodeId> {
            ids.iter().copied().filter(|id| self.version > 0 || endpoints::reachable(image, *id).is_some()).collect()
        };
        let (replicas, isr) = (listed(&partition.replicas), listed(&partition.isr));
        let complete = replicas.len() == partition.replicas.len() && isr.len() == partition.isr.len();
        let (leader, error) = match endpoints::reachable(image, partition.leader) {
            Some(leader) if complete => (leader.id, ErrorCode::None),
            Some(leader) => (leader.id, ErrorCode::ReplicaNotAvailable),
            None if image.brokers.contains_key(&partition.leader) && self.version >= 6 => {
                (NO_NODE, ErrorCode::ListenerNotFound)
            }
            None => (NO_NODE, ErrorCode::LeaderNotAvailable),
        };
        MetadataResponsePartition::default()
            .with_error_code(error.code())
            .with_partition_index(index)
            .with_leader_id(leader)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(replicas)
            .with_isr_nodes(isr)
            .with_offline_replicas(offline_replicas(image, partition))
    }
}

fn absent(error: ErrorCode, name: Option<KafkaString>) -> MetadataResponseTopic {
    let internal = name.as_ref().is_some_and(|name| is_internal(name.as_str()));
    MetadataResponseTopic::default().with_error_code(error.code()).with_name(name).with_is_internal(internal)
}

fn brokers(image: &Image) -> Vec<MetadataResponseBroker> {
    let broker = |(broker, endpoint): (&crate::metadata::image::BrokerImage, &crate::metadata::image::Endpoint)| {
        MetadataResponseBroker::default()
            .with_node_id(broker.id)
            .with_host(text(&endpoint.host))
            .with_port(i32::from(endpoint.port))
            .with_rack(broker.rack.as_deref().map(text))
    };
    endpoints::in_service(image).map(broker).collect()
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
