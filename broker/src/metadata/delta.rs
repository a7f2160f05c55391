//! What a record does to the image, and what changed by it.
//!
//! Source: `org.apache.kafka.image.MetadataDelta`, `TopicsDelta`, `ClusterDelta`, `PartitionRegistration.merge`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::RESOURCE_TOPIC;
use super::image::{BrokerImage, ClientQuotaEntity, ControllerImage, Image, PartitionImage, TopicImage};
use super::record::{
    BrokerRegistrationChangeRecord, ClearElrRecord, ClientQuotaRecord, ConfigRecord, MetadataRecord, NO_LEADER_CHANGE,
    NO_RECOVERY_CHANGE, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
};
use crate::planted::Bug;
use crate::types::{Id, NodeId, TopicIdPartition};

/// What a run of records changed in an image. Things are named only; their new state is in the image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageDelta {
    /// Created (and not deleted again).
    pub topics_created: BTreeSet<Id>,
    /// Deleted, as they last were.
    pub topics_deleted: BTreeMap<Id, Arc<TopicImage>>,
    /// Created or changed.
    pub partitions_changed: BTreeSet<TopicIdPartition>,
    /// Registered, changed or gone.
    pub brokers_changed: BTreeSet<NodeId>,
    /// Registered anew.
    pub controllers_changed: BTreeSet<NodeId>,
    /// (resource type, resource name).
    pub configs_changed: BTreeSet<(i8, Arc<str>)>,
    /// Feature names.
    pub features_changed: BTreeSet<String>,
    /// A block of producer ids was given away.
    pub producer_ids_changed: bool,
    /// For whom quotas were set or removed.
    pub client_quotas_changed: BTreeSet<ClientQuotaEntity>,
}

impl ImageDelta {
    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == ImageDelta::default()
    }
}

/// A record that does not fit what came before it: the log is not what it claims to be. The image is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// No such broker.
    #[error("{record}: broker {broker_id} is not registered")]
    UnknownBroker {
        /// Record type.
        record: &'static str,
        /// Broker.
        broker_id: NodeId,
    },
    /// The broker registered again since.
    #[error("{record}: broker {broker_id} has epoch {epoch}, not {given}")]
    BrokerEpoch {
        /// Record type.
        record: &'static str,
        /// Broker.
        broker_id: NodeId,
        /// Its epoch.
        epoch: i64,
        /// Epoch in the record.
        given: i64,
    },
    /// No such topic.
    #[error("{record}: there is no topic {topic_id}")]
    UnknownTopic {
        /// Record type.
        record: &'static str,
        /// Topic.
        topic_id: Id,
    },
    /// The name or id is taken.
    #[error("topic {0} exists already")]
    TopicExists(String),
    /// No such partition, or a partition that leaves a gap.
    #[error("{record}: topic {topic_id} has no place for partition {partition}")]
    BadPartition {
        /// Record type.
        record: &'static str,
        /// Topic.
        topic_id: Id,
        /// Partition.
        partition: i32,
    },
    /// A field holds what it cannot.
    #[error("{record}: {field} cannot be {value}")]
    BadField {
        /// Record type.
        record: &'static str,
        /// Field.
        field: &'static str,
        /// Value.
        value: i64,
    },
    /// A transaction of metadata was aborted; this image has applied it already.
    #[error("an aborted metadata transaction is not supported")]
    AbortedTransaction,
}

impl Image {
    /// Takes in the record at `offset`, written by the quorum leader of `epoch`, and adds what changed to `delta`.
    pub fn apply(
        &mut self,
        offset: i64,
        epoch: i32,
        record: &MetadataRecord,
        delta: &mut ImageDelta,
    ) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::RegisterBroker(r) => self.register_broker(r, delta),
            MetadataRecord::UnregisterBroker(r) => {
                self.broker_at(r.broker_id, r.broker_epoch, record.name())?;
                self.brokers.remove(&r.broker_id);
                delta.brokers_changed.insert(r.broker_id);
            }
            MetadataRecord::Topic(r) => self.create_topic(r, delta)?,
            MetadataRecord::Partition(r) => self.create_partition(r, delta)?,
            MetadataRecord::Config(r) => self.set_config(r, delta),
            MetadataRecord::PartitionChange(r) => self.change_partition(r, delta)?,
            MetadataRecord::FenceBroker(r) => {
                self.broker_at(r.id, r.epoch, record.name())?.fenced = true;
                delta.brokers_changed.insert(r.id);
            }
            MetadataRecord::UnfenceBroker(r) => {
                self.broker_at(r.id, r.epoch, record.name())?.fenced = false;
                delta.brokers_changed.insert(r.id);
            }
            MetadataRecord::RemoveTopic(r) => self.remove_topic(r.topic_id, delta)?,
            MetadataRecord::FeatureLevel(r) => {
                if r.feature_level == 0 {
                    self.features.remove(&r.name);
                } else {
                    self.features.insert(r.name.clone(), r.feature_level);
                }
                delta.features_changed.insert(r.name.clone());
            }
            MetadataRecord::ProducerIds(r) => {
                self.next_producer_id = r.next_producer_id;
                delta.producer_ids_changed = true;
            }
            MetadataRecord::BrokerRegistrationChange(r) => self.change_registration(r, delta)?,
            MetadataRecord::RegisterController(r) => {
                let controller = ControllerImage {
                    id: r.controller_id,
                    incarnation: r.incarnation_id,
                    endpoints: r.end_points.clone(),
                    features: r.features.clone(),
                };
                self.controllers.insert(r.controller_id, Arc::new(controller));
                delta.controllers_changed.insert(r.controller_id);
            }
            MetadataRecord::ClearElr(r) => self.clear_elr(r, delta)?,
            MetadataRecord::AbortTransaction(_) => return Err(ApplyError::AbortedTransaction),
            MetadataRecord::ClientQuota(r) => self.set_quota(r, delta),
            MetadataRecord::Unknown { .. } => self.is_partial = true,
            // A transaction that ends needs no memory of its beginning.
            MetadataRecord::NoOp(_) | MetadataRecord::BeginTransaction(_) | MetadataRecord::EndTransaction(_) => {}
        }
        self.offset = offset;
        self.epoch = epoch;
        Ok(())
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord, delta: &mut ImageDelta) {
        let broker = BrokerImage {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: record.end_points.clone(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
            features: record.features.clone(),
            cordoned_log_dirs: record.cordoned_log_dirs.clone().unwrap_or_default(),
        };
        self.brokers.insert(record.broker_id, Arc::new(broker));
        delta.brokers_changed.insert(record.broker_id);
    }

    fn broker_at(&mut self, id: NodeId, epoch: i64, record: &'static str) -> Result<&mut BrokerImage, ApplyError> {
        let broker = self.brokers.get_mut(&id).ok_or(ApplyError::UnknownBroker { record, broker_id: id })?;
        if broker.epoch != epoch {
            return Err(ApplyError::BrokerEpoch { record, broker_id: id, epoch: broker.epoch, given: epoch });
        }
        Ok(Arc::make_mut(broker))
    }

    fn change_registration(
        &mut self,
        change: &BrokerRegistrationChangeRecord,
        delta: &mut ImageDelta,
    ) -> Result<(), ApplyError> {
        const RECORD: &str = "BrokerRegistrationChangeRecord";
        let bad = |field, value: i8| ApplyError::BadField { record: RECORD, field, value: i64::from(value) };
        if !(-1..=1).contains(&change.fenced) {
            return Err(bad("fenced", change.fenced));
        }
        if !(0..=1).contains(&change.in_controlled_shutdown) {
            return Err(bad("inControlledShutdown", change.in_controlled_shutdown));
        }
        let broker = self.broker_at(change.broker_id, change.broker_epoch, RECORD)?;
        match change.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        broker.in_controlled_shutdown |= change.in_controlled_shutdown == 1;
        if !change.log_dirs.is_empty() {
            broker.log_dirs = change.log_dirs.clone();
        }
        if let Some(cordoned) = &change.cordoned_log_dirs {
            broker.cordoned_log_dirs = cordoned.clone();
        }
        delta.brokers_changed.insert(change.broker_id);
        Ok(())
    }

    fn create_topic(&mut self, record: &TopicRecord, delta: &mut ImageDelta) -> Result<(), ApplyError> {
        let name: Arc<str> = Arc::from(record.name.as_str());
        if self.topic_ids.contains_key(&name) || self.topics.contains_key(&record.topic_id) {
            return Err(ApplyError::TopicExists(record.name.clone()));
        }
        let topic = TopicImage { name: name.clone(), id: record.topic_id, partitions: Vec::new() };
        self.topics.insert(record.topic_id, Arc::new(topic));
        self.topic_ids.insert(name, record.topic_id);
        delta.topics_created.insert(record.topic_id);
        Ok(())
    }

    fn remove_topic(&mut self, topic_id: Id, delta: &mut ImageDelta) -> Result<(), ApplyError> {
        let topic =
            self.topics.remove(&topic_id).ok_or(ApplyError::UnknownTopic { record: "RemoveTopicRecord", topic_id })?;
        self.topic_ids.remove(&topic.name);
        let resource = (RESOURCE_TOPIC, topic.name.clone());
        if self.configs.remove(&resource).is_some() {
            delta.configs_changed.insert(resource);
        }
        delta.partitions_changed.retain(|partition| partition.topic_id != topic_id);
        if !delta.topics_created.remove(&topic_id) {
            delta.topics_deleted.insert(topic_id, topic);
        }
        Ok(())
    }

    fn topic_mut(&mut self, topic_id: Id, record: &'static str) -> Result<&mut TopicImage, ApplyError> {
        let topic = self.topics.get_mut(&topic_id).ok_or(ApplyError::UnknownTopic { record, topic_id })?;
        Ok(Arc::make_mut(topic))
    }

    fn create_partition(&mut self, record: &PartitionRecord, delta: &mut ImageDelta) -> Result<(), ApplyError> {
        const RECORD: &str = "PartitionRecord";
        let (topic_id, partition) = (record.topic_id, record.partition_id);
        check_directories(RECORD, &record.replicas, &record.directories)?;
        let recovering = recovery_state(RECORD, record.leader_recovery_state)?.unwrap_or(false);
        let bad = ApplyError::BadPartition { record: RECORD, topic_id, partition };
        let topic = self.topic_mut(topic_id, RECORD)?;
        let index = usize::try_from(partition).map_err(|_| bad.clone())?;
        let image = PartitionImage {
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
            adding: record.adding_replicas.clone(),
            removing: record.removing_replicas.clone(),
            recovering,
            directories: directories(&record.directories, record.replicas.len()),
        };
        let next = topic.partitions.len();
        match topic.partitions.get_mut(index) {
            Some(existing) => *existing = image,
            None if index == next => topic.partitions.push(image),
            None => return Err(bad),
        }
        delta.partitions_changed.insert(TopicIdPartition { topic_id, partition });
        Ok(())
    }

    fn change_partition(&mut self, change: &PartitionChangeRecord, delta: &mut ImageDelta) -> Result<(), ApplyError> {
        const RECORD: &str = "PartitionChangeRecord";
        let (topic_id, partition) = (change.topic_id, change.partition_id);
        let recovering = recovery_state(RECORD, change.leader_recovery_state)?;
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let image = self.topic_mut(topic_id, RECORD)?.partitions.get_mut(index).ok_or(ApplyError::BadPartition {
            record: RECORD,
            topic_id,
            partition,
        })?;
        if let Some(new) = &change.directories {
            check_directories(RECORD, change.replicas.as_ref().unwrap_or(&image.replicas), new)?;
        }
        image.merge(change, recovering);
        delta.partitions_changed.insert(TopicIdPartition { topic_id, partition });
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigRecord, delta: &mut ImageDelta) {
        let resource = (record.resource_type, Arc::from(record.resource_name.as_str()));
        match &record.value {
            Some(value) => {
                let configs = self.configs.entry(resource.clone()).or_default();
                Arc::make_mut(configs).insert(record.name.clone(), value.clone());
            }
            None => {
                if let Some(configs) = self.configs.get_mut(&resource) {
                    Arc::make_mut(configs).remove(&record.name);
                    if configs.is_empty() {
                        self.configs.remove(&resource);
                    }
                }
            }
        }
        delta.configs_changed.insert(resource);
    }

    fn set_quota(&mut self, record: &ClientQuotaRecord, delta: &mut ImageDelta) {
        let mut entity: ClientQuotaEntity =
            record.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone())).collect();
        entity.sort();
        let quotas = self.client_quotas.entry(entity.clone()).or_default();
        if record.remove {
            quotas.remove(&record.key);
        } else {
            quotas.insert(record.key.clone(), record.value);
        }
        if quotas.is_empty() {
            self.client_quotas.remove(&entity);
        }
        delta.client_quotas_changed.insert(entity);
    }

    fn clear_elr(&mut self, record: &ClearElrRecord, delta: &mut ImageDelta) -> Result<(), ApplyError> {
        let ids: Vec<Id> = if record.topic_name.is_empty() {
            self.topics.keys().copied().collect()
        } else {
            let unknown = ApplyError::UnknownTopic { record: "ClearElrRecord", topic_id: Id::ZERO };
            vec![*self.topic_ids.get(record.topic_name.as_str()).ok_or(unknown)?]
        };
        for topic_id in ids {
            let Some(topic) = self.topics.get_mut(&topic_id) else { continue };
            let has_elr = |p: &PartitionImage| !p.elr.is_empty() || !p.last_known_elr.is_empty();
            if !topic.partitions.iter().any(has_elr) {
                continue;
            }
            for (index, partition) in Arc::make_mut(topic).partitions.iter_mut().enumerate() {
                if has_elr(partition) {
                    partition.elr.clear();
                    partition.last_known_elr.clear();
                    partition.partition_epoch = partition.partition_epoch.saturating_add(1);
                    delta.partitions_changed.insert(TopicIdPartition { topic_id, partition: index as i32 });
                }
            }
        }
        Ok(())
    }
}

impl PartitionImage {
    /// As this partition is after `change`.
    #[must_use]
    pub fn after(&self, change: &PartitionChangeRecord) -> PartitionImage {
        let mut after = self.clone();
        after.merge(change, recovery_state("PartitionChangeRecord", change.leader_recovery_state).unwrap_or(None));
        after
    }

    fn merge(&mut self, change: &PartitionChangeRecord, recovering: Option<bool>) {
        fn set<T: Clone>(field: &mut T, new: &Option<T>) {
            if let Some(new) = new {
                *field = new.clone();
            }
        }
        set(&mut self.replicas, &change.replicas);
        set(&mut self.isr, &change.isr);
        set(&mut self.removing, &change.removing_replicas);
        set(&mut self.adding, &change.adding_replicas);
        set(&mut self.elr, &change.eligible_leader_replicas);
        set(&mut self.last_known_elr, &change.last_known_elr);
        if let Some(new) = &change.directories {
            self.directories = directories(new, self.replicas.len());
        } else if self.directories.len() != self.replicas.len() {
            self.directories = directories(&[], self.replicas.len());
        }
        if change.leader != NO_LEADER_CHANGE {
            self.leader = change.leader;
            let raise = i32::from(!Bug::LeaderEpochNotRaised.is_planted());
            self.leader_epoch = self.leader_epoch.saturating_add(raise);
        }
        self.recovering = recovering.unwrap_or(self.recovering);
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }
}

/// Records from before directories (or without them) say nothing: Kafka's `MIGRATING`, all bits zero.
fn directories(given: &[Id], replicas: usize) -> Vec<Id> {
    if given.is_empty() { vec![Id::ZERO; replicas] } else { given.to_vec() }
}

fn check_directories(record: &'static str, replicas: &[NodeId], directories: &[Id]) -> Result<(), ApplyError> {
    if directories.is_empty() || directories.len() == replicas.len() {
        Ok(())
    } else {
        Err(ApplyError::BadField { record, field: "directories", value: directories.len() as i64 })
    }
}

fn recovery_state(record: &'static str, value: i8) -> Result<Option<bool>, ApplyError> {
    match value {
        NO_RECOVERY_CHANGE => Ok(None),
        0 => Ok(Some(false)),
        1 => Ok(Some(true)),
        _ => Err(ApplyError::BadField { record, field: "leaderRecoveryState", value: i64::from(value) }),
    }
}
