//! A topology together with the topics that are there: how many tasks it has, which internal topics are missing, and what is wrong.
//! Pure.
//!
//! Source: `InternalTopicManager.configureTopics`, `ConfiguredTopology`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::answer::{MISSING_INTERNAL_TOPICS, MISSING_SOURCE_TOPICS};
use super::partitions::{Counts, INCORRECTLY_PARTITIONED_TOPICS, Problem};
use super::topology::{Subtopology, TopicInfo, Topology, java_place, java_table_size};
use crate::group::api::{Refusal, text};
use crate::group::topics::Topics;
use crate::protocol::ErrorCode;
use crate::protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

/// Names that a status spells out.
const NAMES_TOLD: usize = 3;

/// An internal topic as it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct InternalTopic {
    /// Name.
    pub name: Arc<str>,
    /// Partitions.
    pub partitions: i32,
    /// Copies; 0 leaves it to the broker.
    pub replication_factor: i16,
    /// Configs.
    pub configs: BTreeMap<String, String>,
}

impl InternalTopic {
    /// As it is asked of the controller.
    pub fn creatable(&self) -> CreatableTopic {
        let config = |(name, value): (&String, &String)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        CreatableTopic::default()
            .with_name(text(&self.name))
            .with_num_partitions(self.partitions)
            .with_replication_factor(if self.replication_factor == 0 { -1 } else { self.replication_factor })
            .with_configs(self.configs.iter().map(config).collect())
    }
}

/// A subtopology with its topics.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredSubtopology {
    /// How many tasks it has.
    pub tasks: i32,
    /// Topics that it reads.
    pub source_topics: BTreeSet<Arc<str>>,
    /// Repartition topics that it reads.
    pub repartition_sources: BTreeMap<Arc<str>, InternalTopic>,
    /// Repartition topics that it writes.
    pub repartition_sinks: BTreeSet<Arc<str>>,
    /// Topics that keep its state.
    pub changelogs: BTreeMap<Arc<str>, InternalTopic>,
}

impl ConfiguredSubtopology {
    /// Topics that it reads, of both kinds.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<str>> {
        self.source_topics.iter().chain(self.repartition_sources.keys())
    }

    /// Whether it keeps state, so that standbys are of use.
    pub fn is_stateful(&self) -> bool {
        !self.changelogs.is_empty()
    }
}

/// See the file's head.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// Epoch of the topology.
    pub topology_epoch: i32,
    /// Its parts, unless its topics are wrong or missing so that nothing can be said of them.
    pub parts: Option<BTreeMap<Arc<str>, ConfiguredSubtopology>>,
    /// Internal topics that are to be created.
    pub missing: BTreeMap<Arc<str>, InternalTopic>,
    /// Status and detail of what keeps it from being run.
    pub problem: Option<(i8, String)>,
}

impl Configured {
    /// Looks at the topics of a topology.
    pub fn new(topology: &Topology, topics: &Topics) -> Result<Configured, Refusal> {
        let mut configured =
            Configured { topology_epoch: topology.epoch, parts: None, missing: BTreeMap::new(), problem: None };
        match configure(topology, topics) {
            Ok((parts, missing)) => {
                if !missing.is_empty() {
                    let names = in_java_order(missing.keys());
                    configured.problem =
                        Some((MISSING_INTERNAL_TOPICS, format!("Internal topics are missing: {}", told(&names))));
                }
                (configured.parts, configured.missing) = (Some(parts), missing);
            }
            Err(Problem::Status(status, detail)) => configured.problem = Some((status, detail)),
            Err(Problem::Refused(refusal)) => return Err(refusal),
        }
        Ok(configured)
    }

    /// Its parts, if it can be run.
    pub fn ready(&self) -> Option<&BTreeMap<Arc<str>, ConfiguredSubtopology>> {
        self.parts.as_ref().filter(|_| self.problem.is_none())
    }
}

#[expect(clippy::type_complexity, reason = "the parts, and what is missing of them")]
fn configure(
    topology: &Topology,
    topics: &Topics,
) -> Result<(BTreeMap<Arc<str>, ConfiguredSubtopology>, BTreeMap<Arc<str>, InternalTopic>), Problem> {
    let sources = topology.subtopologies.iter().flat_map(|part| &part.source_topics);
    let missing: BTreeSet<&Arc<str>> = sources.filter(|topic| topics.get(topic).is_none()).collect();
    if !missing.is_empty() {
        let names: Vec<&Arc<str>> = missing.into_iter().collect();
        return Err(Problem::Status(MISSING_SOURCE_TOPICS, format!("Source topics {} are missing.", told(&names))));
    }
    let counts = Counts::decide(topology, topics)?;
    let mut parts = BTreeMap::new();
    for part in topology.in_order() {
        parts.insert(part.id.clone(), configured(part, &counts)?);
    }
    let internal = parts.values().flat_map(|part: &ConfiguredSubtopology| {
        part.repartition_sources.values().chain(part.changelogs.values()).cloned()
    });
    let mut missing: BTreeMap<Arc<str>, InternalTopic> = internal.map(|topic| (topic.name.clone(), topic)).collect();
    for name in topology.required_topics() {
        let Some(facts) = topics.get(name) else { continue };
        if let Some(expected) = missing.remove(name)
            && expected.partitions != facts.partitions
        {
            let detail = format!(
                "Existing topic {name} has different number of partitions: expected {}, found {}",
                expected.partitions, facts.partitions
            );
            return Err(Problem::Status(INCORRECTLY_PARTITIONED_TOPICS, detail));
        }
    }
    Ok((parts, missing))
}

fn configured(part: &Subtopology, counts: &Counts<'_>) -> Result<ConfiguredSubtopology, Problem> {
    let tasks = counts.tasks_of(part)?;
    if tasks <= 0 {
        return Err(ErrorCode::UnknownServerError.into());
    }
    Ok(ConfiguredSubtopology {
        tasks,
        source_topics: part.source_topics.iter().cloned().collect(),
        repartition_sources: internal(&part.repartition_sources, counts)?,
        repartition_sinks: part.repartition_sinks.iter().cloned().collect(),
        changelogs: internal(&part.changelogs, counts)?,
    })
}

fn internal(asked: &[TopicInfo], counts: &Counts<'_>) -> Result<BTreeMap<Arc<str>, InternalTopic>, Problem> {
    let mut topics = BTreeMap::new();
    for topic in asked {
        let partitions = match topic.partitions {
            0 => counts.decided(&topic.name).ok_or(ErrorCode::UnknownServerError)?,
            own => own,
        };
        let configs: BTreeMap<String, String> = topic.configs.iter().cloned().collect();
        // Where Kafka fails with an exception of Java's own.
        if partitions < 1 || configs.len() != topic.configs.len() {
            return Err(ErrorCode::UnknownServerError.into());
        }
        let (name, replication_factor) = (topic.name.clone(), topic.replication_factor);
        let topic = InternalTopic { name: name.clone(), partitions, replication_factor, configs };
        if topics.insert(name, topic).is_some() {
            return Err(ErrorCode::UnknownServerError.into());
        }
    }
    Ok(topics)
}

fn in_java_order<'a>(names: impl ExactSizeIterator<Item = &'a Arc<str>>) -> Vec<&'a Arc<str>> {
    let size = java_table_size(names.len());
    let mut names: Vec<&Arc<str>> = names.collect();
    names.sort_by_key(|name| java_place(name, size));
    names
}

/// The first names, and how many more there are.
fn told(names: &[&Arc<str>]) -> String {
    let first: Vec<&str> = names.iter().take(NAMES_TOLD).map(|name| &***name).collect();
    let more = match names.len().saturating_sub(NAMES_TOLD) {
        0 => String::new(),
        more => format!(" and {more} additional topics"),
    };
    format!("{}{more}", first.join(", "))
}
