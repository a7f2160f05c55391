//! How many partitions internal topics must have. Pure.
//!
//! Source: `RepartitionTopics`, `CopartitionedTopicsEnforcer`, `ChangelogTopics`, `InternalTopicManager.decidePartitionCounts`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::topology::{Subtopology, Topology};
use crate::group::api::Refusal;
use crate::group::topics::Topics;
use crate::protocol::ErrorCode;

/// Why a topology cannot be run.
#[derive(Debug, PartialEq)]
pub enum Problem {
    /// Not as the topics are: members are told by a status, and may hope.
    Status(i8, String),
    /// Not at all: the heartbeat is refused.
    Refused(Refusal),
}

impl From<ErrorCode> for Problem {
    fn from(error: ErrorCode) -> Problem {
        Problem::Refused(error.into())
    }
}

/// Topics expected to have the same partitions have not.
pub const INCORRECTLY_PARTITIONED_TOPICS: i8 = 2;

/// Partitions that a topic has, or, while it does not exist, will have.
pub struct Counts<'a> {
    topics: &'a Topics,
    decided: BTreeMap<Arc<str>, i32>,
}

impl<'a> Counts<'a> {
    /// Decides on those of internal topics.
    pub fn decide(topology: &Topology, topics: &'a Topics) -> Result<Counts<'a>, Problem> {
        let parts = topology.in_order();
        let groups: Vec<Vec<BTreeSet<&Arc<str>>>> =
            parts.iter().map(|part| copartition_groups(part)).collect::<Result<_, _>>()?;
        let mut counts = Counts { topics, decided: BTreeMap::new() };
        counts.decided = counts.repartition_topics(&parts)?;
        let repartition = || parts.iter().flat_map(|part| &part.repartition_sources);
        let fixed: BTreeSet<&Arc<str>> =
            repartition().filter(|topic| topic.partitions != 0).map(|topic| &topic.name).collect();
        let flexible: BTreeSet<&Arc<str>> =
            repartition().filter(|topic| topic.partitions == 0).map(|topic| &topic.name).collect();
        // Of all that say it themselves, in one group or not: so Kafka has it.
        let mut said: BTreeSet<Option<i32>> = fixed.iter().map(|topic| counts.of(topic)).collect();
        let fixed_count = said.pop_first().flatten().filter(|_| said.is_empty());
        for group in groups.into_iter().flatten() {
            let agreed = counts.agree(&group, (&fixed, fixed_count), &flexible)?;
            counts.decided.extend(agreed);
        }
        for part in &parts {
            let tasks = counts.tasks_of(part)?;
            for changelog in &part.changelogs {
                counts.decided.insert(changelog.name.clone(), tasks);
            }
        }
        Ok(counts)
    }

    /// Of one topic.
    pub fn of(&self, topic: &str) -> Option<i32> {
        let there = self.topics.get(topic).map(|facts| facts.partitions);
        there.or_else(|| self.decided(topic))
    }

    /// What was decided for one topic.
    pub fn decided(&self, topic: &str) -> Option<i32> {
        self.decided.get(topic).copied()
    }

    /// Tasks of a subtopology: as many as its largest source has partitions.
    pub fn tasks_of(&self, part: &Subtopology) -> Result<i32, Problem> {
        let mut most = None;
        for source in part.sources() {
            most = most.max(Some(self.of(source).ok_or(ErrorCode::UnknownServerError)?));
        }
        let none = || invalid(format!("No source topics found for subtopology {}", part.id));
        most.ok_or_else(none)
    }

    /// A repartition topic has as many partitions as the largest source of who writes it, unless it says otherwise itself.
    fn repartition_topics(&self, parts: &[&Subtopology]) -> Result<BTreeMap<Arc<str>, i32>, Problem> {
        let mut counts: BTreeMap<Arc<str>, i32> = BTreeMap::new();
        for topic in parts.iter().flat_map(|part| &part.repartition_sources).filter(|topic| topic.partitions != 0) {
            counts.insert(topic.name.clone(), topic.partitions);
        }
        let mut open: Vec<&&Subtopology> = parts.iter().collect();
        loop {
            let before = open.len();
            open.retain(|part| {
                let undecided = |sink: &&Arc<str>| !counts.contains_key(*sink);
                let sinks: Vec<&Arc<str>> = part.repartition_sinks.iter().filter(undecided).collect();
                if sinks.is_empty() {
                    return false;
                }
                let own = part.repartition_sources.iter().filter_map(|topic| counts.get(&topic.name).copied());
                let others = part.source_topics.iter().filter_map(|topic| self.of(topic));
                let Some(count) = own.chain(others).max() else { return true };
                counts.extend(sinks.into_iter().map(|sink| (sink.clone(), count)).collect::<Vec<_>>());
                false
            });
            if open.is_empty() {
                break;
            }
            if open.len() == before {
                return Err(invalid(
                    "Failed to compute number of partitions for all repartition topics. There may be loops in the \
                     topology that cannot be resolved.",
                ));
            }
        }
        let mut read = parts.iter().flat_map(|part| &part.repartition_sources);
        if read.any(|topic| !counts.contains_key(&topic.name)) {
            return Err(invalid(
                "Failed to compute number of partitions for all repartition topics, because a repartition source \
                 topic is never used as a sink topic.",
            ));
        }
        Ok(counts)
    }

    /// Topics that must have the same partitions: what repartition topics among them get.
    fn agree(
        &self,
        group: &BTreeSet<&Arc<str>>,
        (fixed, fixed_count): (&BTreeSet<&Arc<str>>, Option<i32>),
        flexible: &BTreeSet<&Arc<str>>,
    ) -> Result<BTreeMap<Arc<str>, i32>, Problem> {
        let (mut repartition, mut others) = (BTreeMap::new(), BTreeMap::new());
        for topic in group {
            let count = self.of(topic).ok_or(ErrorCode::UnknownServerError)?;
            let of = if fixed.contains(topic) || flexible.contains(topic) { &mut repartition } else { &mut others };
            of.insert(*topic, count);
        }
        let agreed = if let Some(first) = others.values().next().copied() {
            if others.values().any(|count| *count != first) {
                return Err(differ(&others));
            }
            first
        } else if group.is_empty() {
            return Ok(BTreeMap::new());
        } else if !fixed.is_empty() {
            fixed_count.ok_or_else(|| differ(&repartition))?
        } else {
            match repartition.values().copied().max() {
                None => return Ok(BTreeMap::new()),
                Some(0) => {
                    let names: Vec<&str> = repartition.keys().map(|name| &***name).collect();
                    return Err(invalid(format!(
                        "All topics in the copartition group had undefined partition number: [{}]",
                        names.join(", ")
                    )));
                }
                Some(most) => most,
            }
        };
        for (topic, count) in &repartition {
            if fixed.contains(topic) && *count != agreed {
                let detail = format!(
                    "Number of partitions [{count}] of repartition topic [{topic}] doesn't match number of partitions \
                     [{agreed}] of the source topic."
                );
                return Err(Problem::Status(INCORRECTLY_PARTITIONED_TOPICS, detail));
            }
        }
        Ok(repartition.into_keys().map(|topic| (topic.clone(), agreed)).collect())
    }
}

fn differ(counts: &BTreeMap<&Arc<str>, i32>) -> Problem {
    let counts: Vec<String> = counts.iter().map(|(topic, count)| format!("{topic}={count}")).collect();
    let detail = format!("Following topics do not have the same number of partitions: [{{{}}}]", counts.join(", "));
    Problem::Status(INCORRECTLY_PARTITIONED_TOPICS, detail)
}

fn copartition_groups(part: &Subtopology) -> Result<Vec<BTreeSet<&Arc<str>>>, Problem> {
    let mut groups = Vec::new();
    for group in &part.copartition_groups {
        let mut names = BTreeSet::new();
        for place in &group.source_topics {
            let name = usize::try_from(*place).ok().and_then(|place| part.source_topics.get(place));
            names.insert(name.ok_or(ErrorCode::UnknownServerError)?);
        }
        for place in &group.repartition_sources {
            let topic = usize::try_from(*place).ok().and_then(|place| part.repartition_sources.get(place));
            names.insert(&topic.ok_or(ErrorCode::UnknownServerError)?.name);
        }
        groups.push(names);
    }
    Ok(groups)
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::Refused(Refusal::new(ErrorCode::StreamsInvalidTopology, message))
}
