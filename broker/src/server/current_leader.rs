//! Which partition a client means, and where it should go when this broker does not lead it (KIP-951).
//!
//! Source: `kafka.server.KafkaApis.getCurrentLeader`, `kafka.server.ReplicaManager.getPartitionOrError`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::broker::Broker;
use crate::metadata::image::{BrokerImage, TopicImage};
use crate::protocol::ErrorCode;
use crate::protocol::messages::KafkaString;
use crate::types::{Id, NO_NODE, NodeId, TopicIdPartition};

/// A topic as a request names it: by name, or by id in later versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicKey {
    /// By id.
    Id(Id),
    /// By name.
    Name(KafkaName),
}

/// A topic's name, kept apart from the frame that it came in.
pub type KafkaName = Arc<str>;

impl TopicKey {
    /// As a request of a version that uses ids or names has it.
    pub fn of(by_id: bool, name: &KafkaString, id: Id) -> TopicKey {
        if by_id { TopicKey::Id(id) } else { TopicKey::Name(name.as_str().into()) }
    }

    /// Its id; zero if it goes by name.
    pub fn id(&self) -> Id {
        match self {
            TopicKey::Id(id) => *id,
            TopicKey::Name(_) => Id::ZERO,
        }
    }

    /// Its name; empty if it goes by id.
    pub fn name(&self) -> &str {
        match self {
            TopicKey::Id(_) => "",
            TopicKey::Name(name) => name,
        }
    }
}

/// The topic, as the image has it.
pub fn find_topic<'a>(broker: &'a Broker, key: &TopicKey) -> Result<&'a Arc<TopicImage>, ErrorCode> {
    match key {
        TopicKey::Id(id) => broker.image.topics.get(id).ok_or(ErrorCode::UnknownTopicId),
        TopicKey::Name(name) => broker.image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition),
    }
}

/// The partition, if the image has it.
pub fn find_partition(broker: &Broker, key: &TopicKey, partition: i32) -> Result<TopicIdPartition, ErrorCode> {
    let topic = find_topic(broker, key)?;
    topic.partition(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(TopicIdPartition { topic_id: topic.id, partition })
}

/// Leader and leader epoch as this broker knows them: its replica first, then the image.
pub fn current_leader(broker: &Broker, id: &TopicIdPartition) -> (NodeId, i32) {
    if let Some(replica) = broker.replicas.partition(id).filter(|replica| !replica.is_offline()) {
        return (replica.leader(), replica.leader_epoch());
    }
    let state = broker.image.topics.get(&id.topic_id).and_then(|topic| topic.partition(id.partition));
    state.map_or((NO_NODE, -1), |state| (state.leader, state.leader_epoch))
}

/// The brokers that an answer sends the client to, each once.
#[derive(Debug, Default)]
pub struct Endpoints(BTreeMap<NodeId, Endpoint>);

/// Where a broker listens for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Broker.
    pub node_id: NodeId,
    /// Host.
    pub host: KafkaString,
    /// Port.
    pub port: i32,
    /// Rack.
    pub rack: Option<KafkaString>,
}

impl Endpoints {
    /// Adds a broker, if it is alive.
    pub fn add(&mut self, broker: &Broker, id: NodeId) {
        if let Some(image) = broker.image.brokers.get(&id).filter(|image| !image.fenced)
            && let Some(endpoint) = client_endpoint(image)
        {
            self.0.insert(id, endpoint);
        }
    }

    /// All of them, by id.
    pub fn into_vec(self) -> Vec<Endpoint> {
        self.0.into_values().collect()
    }
}

fn client_endpoint(image: &BrokerImage) -> Option<Endpoint> {
    let endpoint = image.endpoints.first()?;
    Some(Endpoint {
        node_id: image.id,
        host: endpoint.host.clone().into(),
        port: i32::from(endpoint.port),
        rack: image.rack.clone().map(KafkaString::from),
    })
}
