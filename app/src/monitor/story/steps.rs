//! A story step by step: what is of one kind and followed from the same is one step.

use std::collections::{BTreeSet, HashMap};

use broker::metadata::report::NodeState;
use serde::Serialize;

use super::gather::Gathered;
use crate::monitor::fact::Fact;
use crate::monitor::names::{node, nodes};
use crate::monitor::view::{EventEntry, Severity};

/// Events of a step that are told one by one.
const ITEMS_MAX: usize = 200;

/// Nodes that are named in a step's sentence.
const NODES_MAX: usize = 4;

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// When the first of it happened.
    pub at_ms: i64,
    /// When the last of it happened.
    pub until_ms: i64,
    /// Kind of its events.
    pub kind: &'static str,
    /// Of the gravest of them.
    pub severity: Severity,
    /// In one sentence.
    pub text: String,
    /// Why, in one sentence, as the first of them tells it.
    pub cause: String,
    /// Node that told the first of them; -1: the program itself.
    pub node_id: i32,
    /// Seq of the first of them.
    pub seq: u64,
    /// How many events it has.
    pub count: usize,
    /// Each of them in one sentence; at most 200, and none where it is but one.
    pub items: Vec<String>,
    /// Steps that it followed from, by their place.
    pub because_of: Vec<usize>,
}

/// What can be one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Class {
    Alone(u64),
    NodeDown,
    NodeUp,
    Fenced,
    Unfenced,
    /// Partitions of an internal topic are coordinators: told by topic.
    Leaders(Option<String>, Leadership),
    IsrShrunk,
    IsrGrew,
    Replicas,
    Group(String),
    Members(String, bool),
    Truncated,
    Kind(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Leadership {
    Moved,
    Unclean,
    Lost,
    Back,
}

fn class(entry: &EventEntry) -> Class {
    match &entry.fact {
        Fact::FaultBegan { .. } | Fact::FaultEnded { .. } => Class::Alone(entry.seq),
        Fact::Node { state: NodeState::Starting | NodeState::Running, .. } => Class::NodeUp,
        Fact::Node { .. } => Class::NodeDown,
        Fact::Fenced { .. } => Class::Fenced,
        Fact::Unfenced { .. } => Class::Unfenced,
        Fact::Leader { topic, from, to, is_unclean, .. } => {
            let leadership = match (*from, *to) {
                (_, ..0) => Leadership::Lost,
                _ if *is_unclean => Leadership::Unclean,
                (..0, _) => Leadership::Back,
                _ => Leadership::Moved,
            };
            Class::Leaders(topic.starts_with("__").then(|| topic.clone()), leadership)
        }
        Fact::Isr { from, to, .. } if to.len() < from.len() => Class::IsrShrunk,
        Fact::Isr { .. } => Class::IsrGrew,
        Fact::Replicas { .. } => Class::Replicas,
        Fact::Group { group, .. } => Class::Group(group.clone()),
        Fact::Member { group, is_in, .. } => Class::Members(group.clone(), *is_in),
        Fact::Truncated { .. } => Class::Truncated,
        Fact::Controller { .. } | Fact::Resigned { .. } => Class::Alone(entry.seq),
        Fact::Other => Class::Kind(entry.kind),
    }
}

struct Fold<'e> {
    class: Class,
    entries: Vec<&'e EventEntry>,
    because_of: BTreeSet<usize>,
}

/// The steps of a story.
pub fn steps(gathered: &Gathered<'_>) -> Vec<Step> {
    let mut folds: Vec<Fold<'_>> = Vec::new();
    let mut known: HashMap<(Class, Option<usize>), usize> = HashMap::new();
    let mut step_of: Vec<usize> = Vec::with_capacity(gathered.entries.len());
    for (index, entry) in gathered.entries.iter().enumerate() {
        let parents: BTreeSet<usize> = gathered.causes[index].iter().map(|cause| step_of[*cause]).collect();
        // That a broker registered is on the way from its start to its return.
        if let Some(parent) = parents.last().filter(|_| entry.kind == "broker_registered") {
            step_of.push(*parent);
            continue;
        }
        let class = class(entry);
        // The states that a node or a group goes through are one step; an election that follows from another is its own.
        let goes_on = matches!(class, Class::NodeDown | Class::NodeUp | Class::Group(_) | Class::Replicas);
        let of_kind = parents.iter().copied().find(|parent| goes_on && folds[*parent].class == class);
        let key = (class.clone(), parents.last().copied());
        let step = of_kind.or_else(|| known.get(&key).copied()).unwrap_or_else(|| {
            folds.push(Fold { class, entries: Vec::new(), because_of: BTreeSet::new() });
            folds.len() - 1
        });
        known.insert(key, step);
        let fold = &mut folds[step];
        fold.entries.push(entry);
        // A step that is joined later may follow from one that stands behind it: what it began with is its cause.
        fold.because_of.extend(parents.into_iter().filter(|parent| *parent < step));
        step_of.push(step);
    }
    folds.into_iter().map(Fold::step).collect()
}

impl Fold<'_> {
    fn step(self) -> Step {
        let first = self.entries[0];
        let items = self.entries.iter().take(ITEMS_MAX).map(|entry| entry.text.clone());
        Step {
            at_ms: self.entries.iter().map(|entry| entry.at_ms).min().unwrap_or(first.at_ms),
            until_ms: self.entries.iter().map(|entry| entry.at_ms).max().unwrap_or(first.at_ms),
            kind: first.kind,
            severity: self.entries.iter().map(|entry| entry.severity).max().unwrap_or(first.severity),
            text: self.text(),
            cause: first.cause.clone(),
            node_id: first.node_id,
            seq: first.seq,
            count: self.entries.len(),
            items: if self.entries.len() > 1 { items.collect() } else { Vec::new() },
            because_of: self.because_of.into_iter().collect(),
        }
    }

    fn text(&self) -> String {
        let (first, last) = (self.entries[0], self.entries[self.entries.len() - 1]);
        match &self.class {
            Class::Group(group) => return group_text(group, last),
            Class::NodeUp if self.node_ids().len() == 1 => return last.text.clone(),
            Class::NodeDown if self.node_ids().len() == 1 => return last.text.clone(),
            _ if self.entries.len() == 1 => return first.text.clone(),
            _ => {}
        }
        let partitions = self.partitions();
        match &self.class {
            Class::NodeUp => format!("{} run again.", named(&self.node_ids())),
            Class::NodeDown => format!("{} are down.", named(&self.node_ids())),
            Class::Fenced => format!("{} were fenced: they lead nothing and are in no ISR.", named(&self.node_ids())),
            Class::Unfenced => format!("{} take part: they were unfenced.", named(&self.node_ids())),
            Class::Leaders(topic, leadership) => self.leaders(topic.as_deref(), *leadership, partitions),
            Class::IsrShrunk => format!("{partitions} ISRs shrank: {} left.", brokers(&self.isr_moves().0)),
            Class::IsrGrew => match self.isr_moves().1.as_slice() {
                [] => format!("{partitions} ISRs changed."),
                [one] => format!("{partitions} ISRs grew: broker {one} is in."),
                several => format!("{partitions} ISRs grew: {} are in.", brokers(several)),
            },
            Class::Replicas => format!("The replicas of {partitions} partitions move."),
            Class::Members(group, true) => format!("{} members joined group {group}.", self.entries.len()),
            Class::Members(group, false) => format!("{} members left group {group}.", self.entries.len()),
            Class::Truncated => format!("{partitions} logs were cut back to what their leaders have."),
            Class::Group(_) | Class::Alone(_) | Class::Kind(_) => {
                format!("{} (and {} more)", first.text, self.entries.len() - 1)
            }
        }
    }

    fn leaders(&self, topic: Option<&str>, leadership: Leadership, partitions: usize) -> String {
        let way = |entry: &&EventEntry| match &entry.fact {
            Fact::Leader { from, to, .. } => Some((*from, *to)),
            _ => None,
        };
        let ways: Vec<(i32, i32)> = self.entries.iter().filter_map(way).collect();
        let (from, to) = (one_of(ways.iter().map(|(from, _)| *from)), one_of(ways.iter().map(|(_, to)| *to)));
        let what = match topic {
            Some(topic) => format!("{partitions} partitions of {topic}, with their coordinators,"),
            None => format!("{partitions} partitions"),
        };
        match leadership {
            Leadership::Moved => format!("{what} changed leaders: {from} → {to}."),
            Leadership::Unclean => format!("{what} changed leaders uncleanly: {from} → {to}. Records may be lost."),
            Leadership::Lost => format!("{what} have no leader any more; it was {from}."),
            Leadership::Back => format!("{what} have a leader again: {to}."),
        }
    }

    /// How many there are, each counted once.
    fn partitions(&self) -> usize {
        let partition = |entry: &&EventEntry| match &entry.fact {
            Fact::Leader { topic, partition, .. }
            | Fact::Isr { topic, partition, .. }
            | Fact::Replicas { topic, partition, .. }
            | Fact::Truncated { topic, partition, .. } => Some((topic.clone(), *partition)),
            _ => None,
        };
        self.entries.iter().filter_map(partition).collect::<BTreeSet<_>>().len()
    }

    fn node_ids(&self) -> BTreeSet<i32> {
        let id = |entry: &&EventEntry| match &entry.fact {
            Fact::Node { node_id, .. } => Some(*node_id),
            Fact::Fenced { broker } | Fact::Unfenced { broker } => Some(*broker),
            _ => None,
        };
        self.entries.iter().filter_map(id).collect()
    }

    /// Who left ISRs, and who came in.
    fn isr_moves(&self) -> (Vec<i32>, Vec<i32>) {
        let (mut out, mut back) = (BTreeSet::new(), BTreeSet::new());
        for entry in &self.entries {
            if let Fact::Isr { from, to, .. } = &entry.fact {
                out.extend(from.iter().filter(|id| !to.contains(id)));
                back.extend(to.iter().filter(|id| !from.contains(id)));
            }
        }
        (out.into_iter().collect(), back.into_iter().collect())
    }
}

fn group_text(group: &str, last: &EventEntry) -> String {
    match &last.fact {
        Fact::Group { generation, state, .. } if state == "Stable" => {
            format!("Group {group} rebalanced: it is Stable in generation {generation}.")
        }
        _ => last.text.clone(),
    }
}

/// `Brokers 1, 3`; `Broker 1`.
fn named(ids: &BTreeSet<i32>) -> String {
    let ids: Vec<i32> = ids.iter().copied().collect();
    match ids.as_slice() {
        [id] => node(*id),
        ids => format!("Nodes {}", nodes(ids)),
    }
}

/// `broker 1`, `brokers 1, 3`.
fn brokers(ids: &[i32]) -> String {
    match ids {
        [id] => format!("broker {id}"),
        ids => format!("brokers {}", nodes(ids)),
    }
}

/// `1 or 3`; of many, how many.
fn one_of(ids: impl Iterator<Item = i32>) -> String {
    let ids: BTreeSet<i32> = ids.collect();
    if ids.len() > NODES_MAX {
        return format!("{} brokers", ids.len());
    }
    let names: Vec<String> = ids.iter().map(|id| if *id < 0 { "nobody".into() } else { id.to_string() }).collect();
    names.join(" or ")
}
