//! Who can be reached where, as clients are told it, and what they may do; shared by Metadata, DescribeCluster and
//! DescribeTopicPartitions.
//!
//! Source: `org.apache.kafka.metadata.KRaftMetadataCache`, `kafka.server.AuthHelper`.

use crate::metadata::image::{BrokerImage, Endpoint, Image, PartitionImage};
use crate::protocol::messages::KafkaString;
use crate::types::{Id, NO_NODE, NodeId};

/// "Not asked for" in a field of authorized operations.
pub(super) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// Everything that can be done with a topic, as bits numbered by `AclOperation`: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE,
/// DESCRIBE_CONFIGS, ALTER_CONFIGS. There is no authorizer, so everybody may do everything.
pub(super) const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);

/// Everything that can be done with a cluster: CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS,
/// IDEMPOTENT_WRITE.
pub(super) const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[u32]) -> i32 {
    let mut field = 0;
    let mut index = 0;
    while index < operations.len() {
        field |= 1 << operations[index];
        index += 1;
    }
    field
}

/// `DirectoryId.LOST`: the replica's directory went offline.
const LOST_DIRECTORY: Id = Id(2u128.to_be_bytes());
/// `DirectoryId.MIGRATING` and `DirectoryId.UNASSIGNED`: not known yet, hence not offline.
const UNKNOWN_DIRECTORIES: [Id; 2] = [Id::ZERO, Id(1u128.to_be_bytes())];

/// Where clients reach a broker.
pub(super) fn of(broker: &BrokerImage) -> Option<&Endpoint> {
    broker.endpoints.first()
}

/// The broker of this id, if it is registered and has an endpoint; fenced or not.
pub(super) fn reachable(image: &Image, id: NodeId) -> Option<&BrokerImage> {
    image.brokers.get(&id).map(AsRef::as_ref).filter(|broker| of(broker).is_some())
}

/// Brokers in service, with where they are.
pub(super) fn in_service(image: &Image) -> impl Iterator<Item = (&BrokerImage, &Endpoint)> {
    let registered = image.brokers.values().filter_map(|broker| Some((broker.as_ref(), of(broker)?)));
    registered.filter(|(broker, _)| !broker.fenced)
}

/// Whom to name as the controller: with KRaft any broker will do, since each forwards. This one, unless it is fenced.
pub(super) fn controller_for_clients(image: &Image, own_id: NodeId) -> NodeId {
    let mut ids = in_service(image).map(|(broker, _)| broker.id).peekable();
    let first = ids.peek().copied().unwrap_or(NO_NODE);
    if ids.any(|id| id == own_id) { own_id } else { first }
}

/// Replicas on brokers that are gone, fenced or without the replica's directory.
pub(super) fn offline_replicas(image: &Image, partition: &PartitionImage) -> Vec<NodeId> {
    let offline = |(index, id): (usize, &NodeId)| {
        let Some(broker) = reachable(image, *id).filter(|broker| !broker.fenced) else { return true };
        partition.directories.get(index).is_some_and(|directory| !has_directory(broker, *directory))
    };
    partition.replicas.iter().enumerate().filter(|entry| offline(*entry)).map(|(_, id)| *id).collect()
}

/// `DirectoryId.isOnline`.
fn has_directory(broker: &BrokerImage, directory: Id) -> bool {
    let unknown = UNKNOWN_DIRECTORIES.contains(&directory) || broker.log_dirs.is_empty();
    directory != LOST_DIRECTORY && (unknown || broker.log_dirs.contains(&directory))
}

/// A text for the wire.
pub(super) fn text(text: &str) -> KafkaString {
    KafkaString::from(text.to_owned())
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::metadata::image::TopicImage;
    use std::sync::Arc;

    /// Brokers 1 to `count`, at ports 9092 and up, in zones a, b, c.
    pub(crate) fn image_of_brokers(count: i32) -> Image {
        let mut image = Image::default();
        for id in 1..=count {
            let rack = ["a", "b", "c"][(id as usize - 1) % 3];
            let broker = BrokerImage {
                id,
                epoch: 1,
                incarnation: Id::ZERO,
                endpoints: vec![Endpoint {
                    name: "PLAINTEXT".into(),
                    host: "127.0.0.1".into(),
                    port: 9091 + id as u16,
                    security_protocol: 0,
                }],
                rack: Some(rack.into()),
                fenced: false,
                in_controlled_shutdown: false,
                log_dirs: vec![directory_of(id)],
                features: Vec::new(),
                cordoned_log_dirs: Vec::new(),
            };
            image.brokers.insert(id, Arc::new(broker));
        }
        image
    }

    pub(crate) fn directory_of(broker: NodeId) -> Id {
        Id(((1u128 << 100) + broker as u128).to_be_bytes())
    }

    pub(crate) fn change_broker(image: &mut Image, id: NodeId, change: impl FnOnce(&mut BrokerImage)) {
        change(Arc::make_mut(image.brokers.get_mut(&id).unwrap()));
    }

    /// A topic whose partitions have these replicas, all in sync, the first leading.
    pub(crate) fn add_topic(image: &mut Image, name: &str, replicas: &[&[NodeId]]) -> Id {
        let id = Id(((7u128 << 64) + image.topics.len() as u128 + 1).to_be_bytes());
        let partition = |replicas: &&[NodeId]| PartitionImage {
            leader: replicas[0],
            leader_epoch: 5,
            partition_epoch: 9,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            directories: replicas.iter().map(|id| directory_of(*id)).collect(),
            ..PartitionImage::default()
        };
        let topic = TopicImage { name: name.into(), id, partitions: replicas.iter().map(partition).collect() };
        image.topic_ids.insert(name.into(), id);
        image.topics.insert(id, Arc::new(topic));
        id
    }

    pub(crate) fn change_partition(
        image: &mut Image,
        topic: Id,
        index: usize,
        change: impl FnOnce(&mut PartitionImage),
    ) {
        change(&mut Arc::make_mut(image.topics.get_mut(&topic).unwrap()).partitions[index]);
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    #[test]
    fn any_broker_in_service_is_the_controller_for_clients() {
        let mut image = image_of_brokers(3);
        assert_eq!(controller_for_clients(&image, 2), 2);
        change_broker(&mut image, 2, |broker| broker.fenced = true);
        assert_eq!(controller_for_clients(&image, 2), 1);
        for id in [1, 3] {
            change_broker(&mut image, id, |broker| broker.fenced = true);
        }
        assert_eq!(controller_for_clients(&image, 2), NO_NODE);
    }

    #[test]
    fn replicas_are_offline_with_their_broker_or_their_directory() {
        let mut image = image_of_brokers(3);
        let topic = add_topic(&mut image, "t", &[&[1, 2, 3, 4]]);
        let offline = |image: &Image| offline_replicas(image, image.partition("t", 0).unwrap());
        assert_eq!(offline(&image), [4]);
        change_broker(&mut image, 1, |broker| broker.fenced = true);
        change_partition(&mut image, topic, 0, |partition| partition.directories[1] = LOST_DIRECTORY);
        assert_eq!(offline(&image), [1, 2, 4]);
        change_partition(&mut image, topic, 0, |partition| partition.directories[1] = directory_of(9));
        assert_eq!(offline(&image), [1, 2, 4]);
        change_partition(&mut image, topic, 0, |partition| partition.directories[1] = UNKNOWN_DIRECTORIES[1]);
        assert_eq!(offline(&image), [1, 4]);
    }
}
