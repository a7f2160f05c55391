//! Guided scenarios: things that one should have seen a cluster do, a few steps each, on the cluster that runs. A step does what a person could do
//! by hand (commands), and is over when what must be seen is seen (in a snapshot): nothing is told that did not happen.
//!
//! Data and a state machine: knows commands and snapshots, and no window, node or clock.

mod basics;
mod delivery;
mod eyes;
mod failures;
mod groups;
mod storage;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::command::Command;
use super::snapshot::Snapshot;

/// What topics and groups of scenarios begin with: what begins so is removed at the end.
pub const PREFIX: &str = "guide-";

/// A step that takes longer than this has something in its way, ms.
const LATE_MS: i64 = 45_000;

/// All, the first ones first.
pub static SCENARIOS: &[&Scenario] = &[
    &basics::LOG,
    &basics::FAN_OUT,
    &groups::SIZES,
    &groups::LAG,
    &groups::REBALANCES,
    &failures::FAILOVER,
    &failures::MIN_ISR,
    &failures::ZONE,
    &delivery::ACKS,
    &delivery::UNCLEAN,
    &delivery::EXACTLY_ONCE,
    &storage::COMPACTION,
    &storage::DISK_FULL,
];

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// What it is called.
    pub title: &'static str,
    /// What one has seen at the end.
    pub what: &'static str,
    /// Its steps, in their order.
    pub steps: &'static [Step],
}

/// A step.
#[derive(Debug)]
pub struct Step {
    /// What is done.
    pub title: &'static str,
    /// What happens, and what to look at.
    pub why: &'static str,
    /// Where it is to be seen.
    pub watch: Watch,
    /// What is done.
    act: fn(&Facts, &Snapshot) -> Vec<Command>,
    /// What must be seen.
    see: fn(&Facts, &Snapshot) -> Seen,
}

/// Where something is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nodes and the partition map.
    Cluster,
    /// A topic.
    Topic(&'static str),
    /// A group.
    Group(&'static str),
    /// Workloads.
    Workloads,
}

/// Whether what must be seen is seen, and what of it, in a sentence with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not yet.
    NotYet(String),
    /// It is.
    Yes(String),
}

impl Seen {
    /// Seen, if it is so.
    fn when(is_so: bool, words: String) -> Seen {
        if is_so { Seen::Yes(words) } else { Seen::NotYet(words) }
    }
}

/// What a run remembers: how the cluster was when each step began.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    marks: Vec<Arc<Snapshot>>,
}

impl Facts {
    /// When this step began.
    fn before(&self) -> &Snapshot {
        self.marks.last().map_or(&NOTHING, |mark| mark)
    }

    /// When a step began, counted from 0.
    fn mark(&self, step: usize) -> &Snapshot {
        self.marks.get(step).map_or(&NOTHING, |mark| mark)
    }
}

static NOTHING: std::sync::LazyLock<Snapshot> = std::sync::LazyLock::new(Snapshot::default);

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is to be begun.
    Ready,
    /// It was begun; what is seen so far.
    Doing {
        /// When it was.
        since_ms: i64,
        /// What is seen.
        seen: String,
        /// Whether it takes longer than it should.
        is_late: bool,
    },
    /// What must be seen was seen.
    Done(String),
    /// What the scenario made is being removed.
    Cleaning {
        /// Topics are deleted once nobody writes to them any more.
        are_topics_deleted: bool,
    },
    /// All is as it was before.
    Over,
}

/// A scenario that somebody goes through.
#[derive(Clone, Debug)]
pub struct Run {
    /// Which.
    pub scenario: &'static Scenario,
    /// Which step, from 0.
    pub step: usize,
    /// How far that is.
    pub phase: Phase,
    facts: Facts,
    /// What was seen in each step that is over.
    pub told: Vec<String>,
}

impl Run {
    /// Before its first step.
    pub fn of(scenario: &'static Scenario) -> Run {
        Run { scenario, step: 0, phase: Phase::Ready, facts: Facts::default(), told: Vec::new() }
    }

    /// Why a scenario cannot begin on this cluster now, in a sentence.
    pub fn obstacle(snapshot: &Snapshot) -> Option<String> {
        let up = snapshot.brokers.iter().filter(|broker| eyes::is_up(broker)).count();
        if up < 3 {
            return Some(format!("It needs three brokers that run; there are {up}."));
        }
        if !snapshot.faults.is_empty() {
            return Some("Something is broken by hand; heal it first.".into());
        }
        if snapshot.totals.under_replicated_partitions > 0 || snapshot.totals.offline_partitions > 0 {
            return Some("Some replicas are not in sync yet; wait until they are.".into());
        }
        let is_left = snapshot.topics.iter().any(|topic| topic.name.starts_with(PREFIX));
        is_left.then(|| "Topics of an earlier scenario are still there; clean up first.".to_owned())
    }

    /// The step that is looked at.
    pub fn now(&self) -> &'static Step {
        &self.scenario.steps[self.step.min(self.scenario.steps.len() - 1)]
    }

    /// Whether its last step is over.
    pub fn is_at_end(&self) -> bool {
        self.step + 1 == self.scenario.steps.len() && matches!(self.phase, Phase::Done(_))
    }

    /// Somebody begins the step: what is to be sent.
    pub fn begin(&mut self, snapshot: &Arc<Snapshot>) -> Vec<Command> {
        if self.phase != Phase::Ready {
            return Vec::new();
        }
        self.facts.marks.truncate(self.step);
        self.facts.marks.push(Arc::clone(snapshot));
        self.phase = Phase::Doing { since_ms: snapshot.at_ms, seen: String::new(), is_late: false };
        (self.now().act)(&self.facts, snapshot)
    }

    /// Somebody goes on to the next step.
    pub fn next(&mut self) {
        if let Phase::Done(seen) = &self.phase
            && self.step + 1 < self.scenario.steps.len()
        {
            self.told.push(seen.clone());
            self.step += 1;
            self.phase = Phase::Ready;
        }
    }

    /// Somebody leaves: what was made is removed, what was broken heals.
    pub fn leave(&mut self, snapshot: &Snapshot) -> Vec<Command> {
        self.phase = Phase::Cleaning { are_topics_deleted: false };
        let mut commands: Vec<Command> = Vec::new();
        if !snapshot.faults.is_empty() {
            commands.push(Command::HealAllFaults);
        }
        let own = snapshot.workloads.iter().filter(|workload| workload.topic.starts_with(PREFIX));
        commands.extend(own.map(|workload| Command::StopWorkload(workload.id)));
        commands
    }

    /// A new snapshot: how far it is, and what is to be sent.
    pub fn look(&mut self, snapshot: &Snapshot) -> Vec<Command> {
        match &mut self.phase {
            Phase::Doing { since_ms, seen, is_late } => {
                // A snapshot of before tells nothing of what was done.
                if snapshot.at_ms <= *since_ms {
                    return Vec::new();
                }
                match (self.scenario.steps[self.step].see)(&self.facts, snapshot) {
                    Seen::Yes(words) => self.phase = Phase::Done(words),
                    Seen::NotYet(words) => {
                        *seen = words;
                        *is_late = snapshot.at_ms - *since_ms > LATE_MS;
                    }
                }
                Vec::new()
            }
            Phase::Cleaning { are_topics_deleted } => {
                let is_written = snapshot.workloads.iter().any(|workload| workload.topic.starts_with(PREFIX));
                let own = snapshot.topics.iter().filter(|topic| topic.name.starts_with(PREFIX));
                let topics: Vec<Command> =
                    own.map(|topic| Command::DeleteTopic { name: topic.name.to_string() }).collect();
                if is_written {
                    return Vec::new();
                }
                if topics.is_empty() {
                    self.phase = Phase::Over;
                    return Vec::new();
                }
                if std::mem::replace(are_topics_deleted, true) { Vec::new() } else { topics }
            }
            Phase::Ready | Phase::Done(_) | Phase::Over => Vec::new(),
        }
    }
}
