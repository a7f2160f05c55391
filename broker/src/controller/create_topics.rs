//! Topics are created.
//!
//! CreateTopics versions 2-7; KIP-464 (defaults), KIP-525 (configs in the answer), KIP-516 (topic ids).
//! Source: `ControllerApis.createTopics`, `ReplicationControlManager.createTopics`; errors and messages as there.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_RECORDS_PER_REQUEST;
use super::names::{CLUSTER_METADATA_TOPIC, check_topic_name};
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::MetadataRecord;
use crate::metadata::config::{
    ConfigDef, RESOURCE_BROKER, RESOURCE_TOPIC, TopicConfig, topic_defs, validate_topic_configs,
};
use crate::metadata::record::{ConfigRecord, PartitionRecord, TopicRecord};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::create_topics_request::CreatableTopic;
use crate::protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use crate::protocol::messages::{CreateTopicsRequestData, CreateTopicsResponseData, KafkaString};
use crate::types::{Id, NodeId};

/// An error code and what there is to say about it.
pub(super) type ApiError = (ErrorCode, Option<String>);

pub(super) fn error(code: ErrorCode, message: impl Into<String>) -> ApiError {
    (code, Some(message.into()))
}

pub(super) fn too_large() -> ApiError {
    error(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.")
}

/// Where a new partition goes.
pub(super) struct Placed {
    /// The preferred leader first.
    pub(super) replicas: Vec<NodeId>,
    /// Those of them that are alive; not empty.
    pub(super) isr: Vec<NodeId>,
}

/// `DescribeConfigsResponse.ConfigSource`.
mod source {
    pub(super) const TOPIC: i8 = 1;
    pub(super) const DYNAMIC_BROKER: i8 = 2;
    pub(super) const DYNAMIC_DEFAULT_BROKER: i8 = 3;
    pub(super) const STATIC_BROKER: i8 = 4;
    pub(super) const DEFAULT: i8 = 5;
}

impl ControllerState {
    /// CreateTopics.
    pub fn create_topics(&mut self, request: &CreateTopicsRequestData) -> Decision<CreateTopicsResponseData> {
        let fail_all = |(code, message): ApiError| {
            let topics = request.topics.iter().map(|topic| failed(&topic.name, (code, message.clone()))).collect();
            Decision::only(CreateTopicsResponseData { topics, ..Default::default() })
        };
        if self.partitions_wanted(request) > MAX_RECORDS_PER_REQUEST {
            return fail_all(error(ErrorCode::PolicyViolation, "Excessively large number of partitions per request."));
        }
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in &request.topics {
            *count.entry(topic.name.as_str()).or_default() += 1;
        }
        let unified = self.unified_names();
        let mut changes = Changes::default();
        let mut response = CreateTopicsResponseData::default();
        let mut special = Vec::new();
        for topic in &request.topics {
            let name = topic.name.as_str();
            match count.get_mut(name) {
                // Told once, after all others.
                Some(0) => {}
                Some(times) if *times > 1 => {
                    *times = 0;
                    special.push(failed(&topic.name, error(ErrorCode::InvalidRequest, "Duplicate topic name.")));
                }
                _ if name == CLUSTER_METADATA_TOPIC => {
                    let message = format!("Creation of internal topic {name} is prohibited.");
                    special.push(failed(&topic.name, error(ErrorCode::InvalidRequest, message)));
                }
                _ => response.topics.push(match self.create_topic(topic, &unified, &mut changes) {
                    Ok(result) => result,
                    Err(error) => failed(&topic.name, error),
                }),
            }
        }
        response.topics.append(&mut special);
        if changes.records.len() > MAX_RECORDS_PER_REQUEST {
            return fail_all(too_large());
        }
        if request.validate_only { Decision::only(response) } else { changes.with(response) }
    }

    fn partitions_wanted(&self, request: &CreateTopicsRequestData) -> usize {
        let default = self.config.usize("num.partitions");
        let of = |topic: &CreatableTopic| match topic.num_partitions {
            _ if !topic.assignments.is_empty() => topic.assignments.len(),
            -1 => default,
            wanted => usize::try_from(wanted).unwrap_or(0),
        };
        request.topics.iter().map(of).fold(0, usize::saturating_add)
    }

    /// Existing names with '.' or '_' in them, by what they look like in metrics.
    fn unified_names(&self) -> BTreeMap<String, String> {
        let ambiguous = self.image.topic_ids.keys().filter(|name| name.contains(['.', '_']));
        ambiguous.map(|name| (name.replace('.', "_"), name.to_string())).collect()
    }

    fn create_topic(
        &mut self,
        topic: &CreatableTopic,
        unified: &BTreeMap<String, String>,
        changes: &mut Changes,
    ) -> Result<CreatableTopicResult, ApiError> {
        let name = topic.name.as_str();
        if self.image.topic_ids.contains_key(name) {
            return Err(error(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        check_topic_name(name).map_err(|message| error(ErrorCode::InvalidTopicException, message))?;
        if let Some(existing) = name.contains(['.', '_']).then(|| unified.get(&name.replace('.', "_"))).flatten() {
            let message = format!("Topic '{name}' collides with existing topic: {existing}");
            return Err(error(ErrorCode::InvalidTopicException, message));
        }
        let configs = self.check_configs(topic)?;
        let partitions = self.place_topic(topic)?;
        self.charge(partitions.len())?;
        let mut topic_id = Id::random(&mut self.rng);
        while self.image.topics.contains_key(&topic_id) {
            topic_id = Id::random(&mut self.rng);
        }
        let replication_factor = partitions.first().map_or(0, |first| first.replicas.len());
        changes.push(TopicRecord { name: name.to_owned(), topic_id });
        for (key, value) in &configs {
            changes.push(ConfigRecord {
                resource_type: RESOURCE_TOPIC,
                resource_name: name.to_owned(),
                name: key.clone(),
                value: Some(value.clone()),
            });
        }
        let count = partitions.len() as i32;
        for (index, placed) in partitions.into_iter().enumerate() {
            changes.records.push(self.new_partition(topic_id, index as i32, placed));
        }
        changes.events.push(Event::TopicCreated {
            topic: name.to_owned(),
            partitions: count,
            replication_factor: replication_factor as i16,
        });
        Ok(CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: topic_id.into(),
            num_partitions: count,
            replication_factor: replication_factor as i16,
            configs: Some(self.effective_configs(&configs)),
            ..Default::default()
        })
    }

    fn check_configs(&self, topic: &CreatableTopic) -> Result<BTreeMap<String, String>, ApiError> {
        let mut configs = BTreeMap::new();
        let mut nulls = Vec::new();
        for config in &topic.configs {
            match &config.value {
                Some(value) => drop(configs.insert(config.name.as_str().to_owned(), value.as_str().to_owned())),
                None => nulls.push(config.name.as_str()),
            }
        }
        if !nulls.is_empty() {
            let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
            return Err(error(ErrorCode::InvalidConfig, message));
        }
        let pairs = configs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        validate_topic_configs(pairs, &self.config)
            .map_err(|invalid| error(ErrorCode::InvalidConfig, invalid.to_string()))?;
        Ok(configs)
    }

    /// Where each partition goes.
    fn place_topic(&mut self, topic: &CreatableTopic) -> Result<Vec<Placed>, ApiError> {
        if !topic.assignments.is_empty() {
            return self.place_by_hand(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(error(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            return Err(error(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        let partitions = match topic.num_partitions {
            -1 => self.config.usize("num.partitions"),
            wanted => usize::try_from(wanted).unwrap_or(0),
        };
        let factor = match topic.replication_factor {
            -1 => i16::try_from(self.config.i64("default.replication.factor")).unwrap_or(i16::MAX),
            wanted => wanted,
        };
        self.place_new(partitions, factor).map_err(|why| {
            let message = format!("Unable to replicate the partition {factor} time(s): {why}");
            error(ErrorCode::InvalidReplicationFactor, message)
        })
    }

    /// Places new partitions; on failure says why, in Kafka's words.
    pub(super) fn place_new(&mut self, partitions: usize, factor: i16) -> Result<Vec<Placed>, String> {
        let brokers = self.usable_brokers();
        let placed =
            super::place(&brokers, partitions, factor, &mut self.rng).map_err(|refused| refused.to_string())?;
        let with_isr = |replicas: Vec<NodeId>| {
            let isr = self.active_of(&replicas);
            if isr.is_empty() {
                return Err("All brokers are currently fenced or in controlled shutdown.".to_owned());
            }
            Ok(Placed { replicas, isr })
        };
        placed.into_iter().map(with_isr).collect()
    }

    pub(super) fn active_of(&self, replicas: &[NodeId]) -> Vec<NodeId> {
        replicas.iter().copied().filter(|id| self.is_active(*id)).collect()
    }

    fn place_by_hand(&self, topic: &CreatableTopic) -> Result<Vec<Placed>, ApiError> {
        if topic.replication_factor != -1 {
            return Err(error(
                ErrorCode::InvalidRequest,
                "A manual partition assignment was specified, but replication factor was not set to -1.",
            ));
        }
        if topic.num_partitions != -1 {
            return Err(error(
                ErrorCode::InvalidRequest,
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            ));
        }
        let mut placed = BTreeMap::new();
        let mut factor = None;
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if placed.contains_key(&index) {
                let message = format!("Found multiple manual partition assignments for partition {index}");
                return Err(error(ErrorCode::InvalidReplicaAssignment, message));
            }
            let replicas = &assignment.broker_ids;
            self.check_manual_assignment(replicas, factor)?;
            factor = Some(replicas.len());
            let isr = self.isr_by_hand(index, replicas)?;
            placed.insert(index, Placed { replicas: replicas.clone(), isr });
        }
        if placed.keys().copied().ne(0..placed.len() as i32) {
            return Err(error(
                ErrorCode::InvalidReplicaAssignment,
                "partitions should be a consecutive 0-based integer sequence",
            ));
        }
        Ok(placed.into_values().collect())
    }

    pub(super) fn isr_by_hand(&self, index: i32, replicas: &[NodeId]) -> Result<Vec<NodeId>, ApiError> {
        let isr = self.active_of(replicas);
        if isr.is_empty() {
            let message = format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                 controlled shutdown."
            );
            return Err(error(ErrorCode::InvalidReplicaAssignment, message));
        }
        Ok(isr)
    }

    pub(super) fn check_manual_assignment(&self, replicas: &[NodeId], factor: Option<usize>) -> Result<(), ApiError> {
        let refuse = |message: String| Err(error(ErrorCode::InvalidReplicaAssignment, message));
        if replicas.is_empty() {
            return refuse("The manual partition assignment includes an empty replica list.".to_owned());
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        let mut seen = BTreeSet::new();
        for id in sorted {
            if !self.image.brokers.contains_key(&id) {
                return refuse(format!(
                    "The manual partition assignment includes broker {id}, but no such broker is registered."
                ));
            }
            if !seen.insert(id) {
                return refuse(format!("The manual partition assignment includes the broker {id} more than once."));
            }
        }
        match factor {
            Some(factor) if factor != replicas.len() => refuse(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not consistent \
                 with previous partitions, which have {factor} replica(s).",
                replicas.len()
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn new_partition(&self, topic_id: Id, partition_id: i32, placed: Placed) -> MetadataRecord {
        let Placed { replicas, isr } = placed;
        PartitionRecord {
            partition_id,
            topic_id,
            leader: isr.first().copied().unwrap_or(-1),
            directories: replicas.iter().map(|id| self.default_directory(*id)).collect(),
            replicas,
            isr,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        }
        .into()
    }

    /// All configs of a topic with these of its own, as they apply.
    fn effective_configs(&self, own: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs> {
        let mut defs: Vec<&ConfigDef> = topic_defs().iter().filter(|def| !def.internal).collect();
        defs.sort_by_key(|def| def.name);
        let describe = |def: &ConfigDef| {
            // No topic has an empty name: this finds what applies without a topic's own configs.
            let inherited = || TopicConfig::text_in(&self.image, "", &self.config, def.name);
            let value = own.get(def.name).cloned().or_else(inherited);
            CreatableTopicConfigs {
                name: text(def.name),
                value: value.filter(|_| !def.sensitive()).map(KafkaString::from),
                read_only: false,
                config_source: self.source_of(def, own),
                is_sensitive: def.sensitive(),
                ..Default::default()
            }
        };
        defs.into_iter().map(describe).collect()
    }

    fn source_of(&self, def: &ConfigDef, own: &BTreeMap<String, String>) -> i8 {
        if own.contains_key(def.name) {
            return source::TOPIC;
        }
        let node_name = self.config.node_id.to_string();
        for key in def.broker_synonyms {
            let dynamic = |resource: &str| {
                let configs = self.image.configs.get(&(RESOURCE_BROKER, resource.into()));
                configs.is_some_and(|configs| configs.contains_key(*key))
            };
            if dynamic(&node_name) {
                return source::DYNAMIC_BROKER;
            }
            if dynamic("") {
                return source::DYNAMIC_DEFAULT_BROKER;
            }
            if self.config.overrides().contains_key(*key) {
                return source::STATIC_BROKER;
            }
        }
        source::DEFAULT
    }
}

pub(super) fn text(text: &str) -> KafkaString {
    KafkaString::from(text.to_owned())
}

fn failed(name: &KafkaString, (code, message): ApiError) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.clone(),
        error_code: code.code(),
        error_message: message.map(KafkaString::from),
        // Java's empty list.
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
