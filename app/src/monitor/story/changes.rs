//! Was and now: what a story left otherwise than it was, and whether all is as before.

use std::collections::{BTreeMap, HashMap};

use broker::metadata::report::NodeState;
use serde::Serialize;

use super::Outlook;
use crate::monitor::event_links::is_rebalancing;
use crate::monitor::fact::Fact;
use crate::monitor::names::{node, nodes, state_word};

/// Rows told at most; what is the same of many partitions is one row.
const CHANGES_MAX: usize = 40;

/// Names told in a row at most.
const NAMES_MAX: usize = 100;

/// What was so, and is so now that the story is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `State`, `Leader`, `ISR`, `Generation`, `Active controller`.
    pub what: &'static str,
    /// Of which nodes, partitions or groups; at most 100 of them are named.
    pub names: Vec<String>,
    /// Of how many.
    pub count: usize,
    /// Before.
    pub was: String,
    /// Now.
    pub now: String,
    /// It was otherwise meanwhile, and is as before.
    pub is_back: bool,
}

/// First and last of each thing that a story changes.
#[derive(Default)]
struct Ledger {
    /// In the order in which they were first told.
    order: Vec<(&'static str, String)>,
    values: HashMap<(&'static str, String), Course>,
}

#[derive(Clone)]
struct Course {
    was: String,
    now: String,
    /// It was something else than in the beginning, at some time.
    moved: bool,
}

impl Ledger {
    fn note(&mut self, what: &'static str, name: String, was: String, now: String) {
        let key = (what, name);
        match self.values.get_mut(&key) {
            Some(course) => {
                course.moved |= course.was != now;
                course.now = now;
            }
            None => {
                self.order.push(key.clone());
                self.values.insert(key, Course { moved: was != now, was, now });
            }
        }
    }
}

/// What is another now than before.
pub fn changes<'f>(facts: impl Iterator<Item = &'f Fact>) -> Vec<Change> {
    let mut ledger = Ledger::default();
    let mut generations: HashMap<&str, i32> = HashMap::new();
    for fact in facts {
        match fact {
            Fact::Node { node_id, state } => {
                // That it ran is what its going down means; of one that only starts nothing is known.
                let was = if is_up(*state) { "" } else { "running" };
                ledger.note("State", node(*node_id), was.into(), state_word(*state).into());
            }
            Fact::Leader { topic, partition, from, to, .. } => {
                let leader = |id: i32| if id < 0 { "none".to_owned() } else { id.to_string() };
                ledger.note("Leader", format!("{topic}-{partition}"), leader(*from), leader(*to));
            }
            Fact::Isr { topic, partition, from, to } => {
                let isr = |ids: &[i32]| {
                    let mut ids = ids.to_vec();
                    ids.sort_unstable();
                    nodes(&ids)
                };
                ledger.note("ISR", format!("{topic}-{partition}"), isr(from), isr(to));
            }
            Fact::Group { group, generation, state } => {
                let was = *generations.entry(group).or_insert(*generation);
                // Only a rebalance that begins is told in the generation that was.
                let is_known = was != *generation || state == "PreparingRebalance";
                let was = if is_known { was.to_string() } else { String::new() };
                ledger.note("Generation", group.clone(), was, generation.to_string());
            }
            Fact::Controller { node_id, before } if *before >= 0 => {
                ledger.note("Active controller", String::new(), before.to_string(), node_id.to_string());
            }
            _ => {}
        }
    }
    rows(ledger)
}

fn rows(ledger: Ledger) -> Vec<Change> {
    let Ledger { order, values } = ledger;
    let mut places: BTreeMap<(&'static str, String, String), usize> = BTreeMap::new();
    let mut rows: Vec<Change> = Vec::new();
    for key in order {
        let is_told = |course: &&Course| course.moved && !course.was.is_empty();
        let Some(Course { was, now, .. }) = values.get(&key).filter(is_told).cloned() else { continue };
        let (what, name) = key;
        let place = *places.entry((what, was.clone(), now.clone())).or_insert_with(|| {
            let is_back = was == now;
            rows.push(Change { what, names: Vec::new(), count: 0, was, now, is_back });
            rows.len() - 1
        });
        let row = &mut rows[place];
        row.count += 1;
        if row.names.len() < NAMES_MAX && !name.is_empty() {
            row.names.push(name);
        }
    }
    rows.truncate(CHANGES_MAX);
    rows
}

/// An ISR as it was first, and is now.
type WasNow<'f> = (&'f [i32], &'f [i32]);

/// How a story stands.
pub fn outlook<'f>(facts: impl Iterator<Item = &'f Fact>) -> Outlook {
    let mut faults: BTreeMap<u64, bool> = BTreeMap::new();
    let mut states: BTreeMap<i32, NodeState> = BTreeMap::new();
    let mut groups: HashMap<&str, bool> = HashMap::new();
    let mut isrs: HashMap<(&str, i32), WasNow<'_>> = HashMap::new();
    let mut leaders: HashMap<(&str, i32), i32> = HashMap::new();
    for fact in facts {
        match fact {
            Fact::FaultBegan { fault, .. } => drop(faults.insert(*fault, true)),
            Fact::FaultEnded { fault } => drop(faults.insert(*fault, false)),
            Fact::Node { node_id, state } => drop(states.insert(*node_id, *state)),
            Fact::Group { group, state, .. } => drop(groups.insert(group, is_rebalancing(state))),
            Fact::Isr { topic, partition, from, to } => {
                isrs.entry((topic, *partition)).and_modify(|(_, now)| *now = to).or_insert((from, to));
            }
            Fact::Leader { topic, partition, to, .. } => drop(leaders.insert((topic, *partition), *to)),
            _ => {}
        }
    }
    let is_going = faults.values().any(|is_in_force| *is_in_force)
        || states.values().any(|state| *state != NodeState::Running)
        || groups.values().any(|is_rebalancing| *is_rebalancing);
    let is_worse = isrs.values().any(|(was, now)| now.len() < was.len()) || leaders.values().any(|leader| *leader < 0);
    match (is_going, is_worse) {
        (true, _) => Outlook::Going,
        (false, true) => Outlook::Changed,
        (false, false) => Outlook::AsBefore,
    }
}

fn is_up(state: NodeState) -> bool {
    matches!(state, NodeState::Starting | NodeState::Running)
}
