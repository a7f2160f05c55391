//! An image as the records that make it: the content of a snapshot (KIP-630), in Kafka's order, given piece by piece.
//!
//! Source: `org.apache.kafka.image.MetadataImage.write` and the `write` of each of its parts.

use std::collections::VecDeque;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use super::image::{BrokerImage, ControllerImage, Image, PartitionImage, TopicImage};
use super::record::{
    ClientQuotaRecord, ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, ProducerIdsRecord,
    QuotaEntity, RegisterBrokerRecord, RegisterControllerRecord, TopicRecord,
};
use crate::types::{Id, NO_NODE, NodeId};

/// It is written first, since the versions of all other records depend on it.
const METADATA_VERSION: &str = "metadata.version";

/// What comes next.
#[derive(Debug)]
enum Stage {
    Features,
    Brokers(Option<NodeId>),
    Controllers,
    Topics(Option<Id>),
    Configs,
    ClientQuotas,
    ProducerIds,
    Done,
}

/// The records of an image, one after the other. Applied to an empty image they give the same image again.
#[derive(Debug)]
pub struct ImageRecords {
    image: Arc<Image>,
    stage: Stage,
    /// Made and not yet given: those of one topic at most, or of one of the smaller parts.
    ready: VecDeque<MetadataRecord>,
}

impl ImageRecords {
    /// All records of `image`.
    pub fn new(image: Arc<Image>) -> ImageRecords {
        ImageRecords { image, stage: Stage::Features, ready: VecDeque::new() }
    }

    /// Makes the next few, and says what comes after them.
    fn refill(&mut self) -> Stage {
        let image = Arc::clone(&self.image);
        match self.stage {
            Stage::Features => {
                self.ready.extend(features(&image));
                Stage::Brokers(None)
            }
            Stage::Brokers(after) => match image.brokers.range((after.map_or(Unbounded, Excluded), Unbounded)).next() {
                Some((id, broker)) => {
                    self.ready.push_back(registration(broker));
                    Stage::Brokers(Some(*id))
                }
                None => Stage::Controllers,
            },
            Stage::Controllers => {
                self.ready.extend(image.controllers.values().map(|controller| controller_registration(controller)));
                Stage::Topics(None)
            }
            Stage::Topics(after) => match image.topics.range((after.map_or(Unbounded, Excluded), Unbounded)).next() {
                Some((id, topic)) => {
                    self.ready.extend(topic_records(topic));
                    Stage::Topics(Some(*id))
                }
                None => Stage::Configs,
            },
            Stage::Configs => {
                self.ready.extend(configs(&image));
                Stage::ClientQuotas
            }
            Stage::ClientQuotas => {
                self.ready.extend(client_quotas(&image));
                Stage::ProducerIds
            }
            Stage::ProducerIds => {
                if image.next_producer_id != 0 {
                    let next_producer_id = image.next_producer_id;
                    self.ready
                        .push_back(ProducerIdsRecord { broker_id: NO_NODE, broker_epoch: -1, next_producer_id }.into());
                }
                Stage::Done
            }
            Stage::Done => Stage::Done,
        }
    }
}

impl Iterator for ImageRecords {
    type Item = MetadataRecord;

    fn next(&mut self) -> Option<MetadataRecord> {
        while self.ready.is_empty() && !matches!(self.stage, Stage::Done) {
            self.stage = self.refill();
        }
        self.ready.pop_front()
    }
}

fn features(image: &Image) -> impl Iterator<Item = MetadataRecord> + '_ {
    let first = image.features.get_key_value(METADATA_VERSION);
    let others = image.features.iter().filter(|(name, _)| *name != METADATA_VERSION);
    first
        .into_iter()
        .chain(others)
        .map(|(name, level)| FeatureLevelRecord { name: name.clone(), feature_level: *level }.into())
}

fn registration(broker: &BrokerImage) -> MetadataRecord {
    let cordoned = &broker.cordoned_log_dirs;
    RegisterBrokerRecord {
        broker_id: broker.id,
        is_migrating_zk_broker: false,
        incarnation_id: broker.incarnation,
        broker_epoch: broker.epoch,
        end_points: broker.endpoints.clone(),
        features: broker.features.clone(),
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: broker.log_dirs.clone(),
        cordoned_log_dirs: (!cordoned.is_empty()).then(|| cordoned.clone()),
    }
    .into()
}

fn controller_registration(controller: &ControllerImage) -> MetadataRecord {
    RegisterControllerRecord {
        controller_id: controller.id,
        incarnation_id: controller.incarnation,
        zk_migration_ready: false,
        end_points: controller.endpoints.clone(),
        features: controller.features.clone(),
    }
    .into()
}

fn topic_records(topic: &TopicImage) -> impl Iterator<Item = MetadataRecord> + '_ {
    let head = TopicRecord { name: topic.name.to_string(), topic_id: topic.id }.into();
    let partitions = topic.partitions.iter().enumerate();
    std::iter::once(head).chain(partitions.map(|(index, image)| partition(topic.id, index as i32, image)))
}

fn partition(topic_id: Id, partition_id: i32, image: &PartitionImage) -> MetadataRecord {
    let unless_empty = |nodes: &[NodeId]| (!nodes.is_empty()).then(|| nodes.to_vec());
    PartitionRecord {
        partition_id,
        topic_id,
        replicas: image.replicas.clone(),
        isr: image.isr.clone(),
        removing_replicas: image.removing.clone(),
        adding_replicas: image.adding.clone(),
        leader: image.leader,
        leader_epoch: image.leader_epoch,
        partition_epoch: image.partition_epoch,
        directories: image.directories.clone(),
        leader_recovery_state: i8::from(image.recovering),
        eligible_leader_replicas: unless_empty(&image.elr),
        last_known_elr: unless_empty(&image.last_known_elr),
    }
    .into()
}

fn configs(image: &Image) -> impl Iterator<Item = MetadataRecord> + '_ {
    image.configs.iter().flat_map(|((resource_type, resource_name), configs)| {
        configs.iter().map(move |(name, value)| {
            ConfigRecord {
                resource_type: *resource_type,
                resource_name: resource_name.to_string(),
                name: name.clone(),
                value: Some(value.clone()),
            }
            .into()
        })
    })
}

fn client_quotas(image: &Image) -> impl Iterator<Item = MetadataRecord> + '_ {
    image.client_quotas.iter().flat_map(|(entity, quotas)| {
        quotas.iter().map(move |(key, value)| {
            let part = |(entity_type, entity_name): &(String, Option<String>)| QuotaEntity {
                entity_type: entity_type.clone(),
                entity_name: entity_name.clone(),
            };
            let entity = entity.iter().map(part).collect();
            ClientQuotaRecord { entity, key: key.clone(), value: *value, remove: false }.into()
        })
    })
}
