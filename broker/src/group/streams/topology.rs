//! What an application is made of, as its members describe it: subtopologies, the topics that they read, and the internal topics by which
//! they hand records on or keep their state.
//!
//! Source: `StreamsTopology`, `StreamsCoordinatorRecordHelpers.convertToStreamsGroupTopologyRecord`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::group::api::Refusal;
use crate::protocol::ErrorCode;
use crate::protocol::messages::streams_group_heartbeat_request as wire;
use crate::types::java_hash;

/// Subtopologies of one topology at most; Kafka leaves it to the size of a request.
const MAX_SUBTOPOLOGIES: usize = 2_000;

/// An internal topic as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicInfo {
    /// Name.
    pub name: Arc<str>,
    /// Partitions; 0 leaves it to the broker.
    pub partitions: i32,
    /// Copies; 0 leaves it to the broker.
    pub replication_factor: i16,
    /// Configs.
    pub configs: Vec<(String, String)>,
}

/// Topics that must have the same partitions, by their places in the subtopology's lists.
#[derive(Clone, Debug, PartialEq)]
pub struct CopartitionGroup {
    /// Among the source topics.
    pub source_topics: Vec<i16>,
    /// Among the expressions of source topics.
    pub source_topic_regex: Vec<i16>,
    /// Among the repartition topics that are read.
    pub repartition_sources: Vec<i16>,
}

/// A part of a topology that exchanges records with others by topics only.
#[derive(Clone, Debug, PartialEq)]
pub struct Subtopology {
    /// Its id.
    pub id: Arc<str>,
    /// Topics that it reads.
    pub source_topics: Vec<Arc<str>>,
    /// Expressions of further ones; Kafka 4.3 takes none yet.
    pub source_topic_regex: Vec<String>,
    /// Topics that keep its state.
    pub changelogs: Vec<TopicInfo>,
    /// Repartition topics that it writes.
    pub repartition_sinks: Vec<Arc<str>>,
    /// Repartition topics that it reads.
    pub repartition_sources: Vec<TopicInfo>,
    /// Topics that must have the same partitions.
    pub copartition_groups: Vec<CopartitionGroup>,
}

impl Subtopology {
    /// Topics that it reads, of both kinds.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<str>> {
        self.source_topics.iter().chain(self.repartition_sources.iter().map(|topic| &topic.name))
    }
}

/// A topology: `StreamsGroupTopologyValue`.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// Grows with each change of the application's code that changes it.
    pub epoch: i32,
    /// Its parts, in the order in which they came.
    pub subtopologies: Vec<Subtopology>,
}

impl Topology {
    /// What a request describes.
    pub fn of_request(request: &wire::Topology) -> Result<Topology, Refusal> {
        let ids: BTreeSet<&str> = request.subtopologies.iter().map(|part| part.subtopology_id.as_str()).collect();
        // Kafka fails with an exception of Java's collections.
        if ids.len() != request.subtopologies.len() || request.epoch < 0 {
            return Err(ErrorCode::UnknownServerError.into());
        }
        if ids.len() > MAX_SUBTOPOLOGIES {
            return Err(Refusal::new(ErrorCode::InvalidRequest, "The topology has too many subtopologies."));
        }
        let subtopologies = request.subtopologies.iter().map(subtopology).collect();
        Ok(Topology { epoch: request.epoch, subtopologies })
    }

    /// Its parts by their ids, in the order in which Java's hash map has them: where Kafka takes what comes first, it is by this order.
    pub fn in_order(&self) -> Vec<&Subtopology> {
        let mut parts: Vec<&Subtopology> = self.subtopologies.iter().collect();
        let size = java_table_size(parts.len());
        parts.sort_by_key(|part| java_place(&part.id, size));
        parts
    }

    /// One of its parts.
    pub fn subtopology(&self, id: &str) -> Option<&Subtopology> {
        self.subtopologies.iter().find(|part| *part.id == *id)
    }

    /// Whether it is the same but for the order of its parts.
    pub fn is_same(&self, other: &Topology) -> bool {
        let by_id = |topology: &Topology| -> BTreeMap<Arc<str>, Subtopology> {
            topology.subtopologies.iter().map(|part| (part.id.clone(), part.clone())).collect()
        };
        self.epoch == other.epoch && by_id(self) == by_id(other)
    }

    /// Topics that it reads, and those that keep its state.
    pub fn required_topics(&self) -> BTreeSet<&Arc<str>> {
        let changelogs = self.subtopologies.iter().flat_map(|part| part.changelogs.iter().map(|topic| &topic.name));
        self.subtopologies.iter().flat_map(Subtopology::sources).chain(changelogs).collect()
    }

    /// The part that reads a topic; of several the last.
    pub fn reader_of(&self, topic: &str) -> Option<&Subtopology> {
        self.in_order().into_iter().rev().find(|part| part.sources().any(|source| **source == *topic))
    }

    /// Memory that it stands for.
    pub fn size_bytes(&self) -> usize {
        let info = |topic: &TopicInfo| {
            16 + topic.name.len() + topic.configs.iter().map(|(key, value)| 8 + key.len() + value.len()).sum::<usize>()
        };
        let names = |names: &[Arc<str>]| names.iter().map(|name| 8 + name.len()).sum::<usize>();
        let part = |part: &Subtopology| {
            let groups = part.copartition_groups.iter();
            let groups: usize = groups.map(|it| it.source_topics.len() + it.repartition_sources.len()).sum();
            16 + part.id.len()
                + names(&part.source_topics)
                + names(&part.repartition_sinks)
                + part.changelogs.iter().map(info).sum::<usize>()
                + part.repartition_sources.iter().map(info).sum::<usize>()
                + 2 * groups
        };
        self.subtopologies.iter().map(part).sum()
    }
}

fn subtopology(part: &wire::Subtopology) -> Subtopology {
    let names = |names: &[crate::protocol::messages::KafkaString]| {
        names.iter().map(|name| Arc::from(name.as_str())).collect::<Vec<Arc<str>>>()
    };
    let copartition_group = |group: &wire::CopartitionGroup| CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regex.clone(),
        repartition_sources: group.repartition_source_topics.clone(),
    };
    Subtopology {
        id: part.subtopology_id.as_str().into(),
        source_topics: names(&part.source_topics),
        source_topic_regex: part.source_topic_regex.iter().map(ToString::to_string).collect(),
        changelogs: part.state_changelog_topics.iter().map(topic_info).collect(),
        repartition_sinks: names(&part.repartition_sink_topics),
        repartition_sources: part.repartition_source_topics.iter().map(topic_info).collect(),
        copartition_groups: part.copartition_groups.iter().map(copartition_group).collect(),
    }
}

fn topic_info(topic: &wire::TopicInfo) -> TopicInfo {
    let config = |config: &wire::KeyValue| (config.key.to_string(), config.value.to_string());
    TopicInfo {
        name: topic.name.as_str().into(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs: topic.topic_configs.iter().map(config).collect(),
    }
}

/// How many places a hash map of Java's has for so many keys.
pub fn java_table_size(keys: usize) -> u32 {
    let mut size: u32 = 16;
    while keys > (size as usize) / 4 * 3 && size < 1 << 30 {
        size <<= 1;
    }
    size
}

/// Place of a key in such a map.
pub fn java_place(key: &str, size: u32) -> u32 {
    let hash = java_hash(key).cast_unsigned();
    (hash ^ (hash >> 16)) & (size - 1)
}
