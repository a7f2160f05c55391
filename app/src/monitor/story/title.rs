//! A story in one sentence: its cause, and what came of it.

use std::collections::BTreeSet;

use broker::metadata::report::NodeState;

use super::gather::Gathered;
use super::steps::Step;
use crate::monitor::fact::Fact;
use crate::monitor::names::{count, node_inside};
use crate::monitor::view::EventEntry;

/// Consequences that the title names.
const NAMED_MAX: usize = 3;

/// `Broker 2 was killed: 14 partitions changed leaders in 1.9 s, 28 ISRs shrank.`
pub fn title(gathered: &Gathered<'_>, steps: &[Step], from_ms: i64) -> String {
    let cause = cause(gathered);
    let effects = effects(gathered, steps, from_ms);
    if effects.is_empty() { format!("{cause}.") } else { format!("{cause}: {}.", effects.join(", ")) }
}

fn cause(gathered: &Gathered<'_>) -> String {
    let root = gathered.root();
    let Fact::FaultBegan { what, .. } = &root.fact else { return clause(&root.text) };
    // What the fault did to its one node says it better.
    let is_down = |state: NodeState| !matches!(state, NodeState::Starting | NodeState::Running);
    let did = |index: &usize| {
        let is_of_root = gathered.causes[*index].contains(&0);
        is_of_root && matches!(gathered.entries[*index].fact, Fact::Node { state, .. } if is_down(state))
    };
    let downs: Vec<usize> = (1..gathered.entries.len()).filter(did).collect();
    match downs.as_slice() {
        [one] => clause(&gathered.entries[*one].text),
        _ => {
            let mut chars = what.chars();
            let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
            first + chars.as_str()
        }
    }
}

/// A sentence without its end, and without what it explains.
fn clause(text: &str) -> String {
    let text = text.trim_end_matches('.');
    text.split_once(": ").map_or(text, |(before, _)| before).to_owned()
}

fn effects(gathered: &Gathered<'_>, steps: &[Step], from_ms: i64) -> Vec<String> {
    let effects = || gathered.entries.iter().skip(1).copied();
    let mut words = Vec::new();
    let moved = distinct(effects(), |fact| matches!(fact, Fact::Leader { from, to, .. } if *from >= 0 && *to >= 0));
    if moved > 0 {
        let took = steps.iter().find(|step| step.kind == "leader_elected").map(|step| step.until_ms - from_ms);
        let took = took.filter(|took| *took > 0).map(|took| format!(" in {}", seconds(took))).unwrap_or_default();
        let leaders = if moved == 1 { "leader" } else { "leaders" };
        words.push(format!("{} changed {leaders}{took}", partitions(moved)));
    }
    let lost = distinct(effects(), |fact| matches!(fact, Fact::Leader { to, .. } if *to < 0));
    if lost > 0 {
        words.push(format!("{} had no leader", partitions(lost)));
    }
    let shrank = distinct(effects(), |fact| matches!(fact, Fact::Isr { from, to, .. } if to.len() < from.len()));
    if shrank > 0 {
        words.push(format!("{} shrank", count(to_i64(shrank), "ISR", "ISRs")));
    }
    if let Some(id) = effects().find_map(|entry| match entry.fact {
        Fact::Controller { node_id, .. } => Some(node_id),
        _ => None,
    }) {
        words.push(format!("{} became active", node_inside(id)));
    }
    let groups: BTreeSet<&str> = effects()
        .filter_map(|entry| match &entry.fact {
            Fact::Group { group, .. } => Some(group.as_str()),
            _ => None,
        })
        .collect();
    match groups.len() {
        0 => {}
        1 => words.extend(groups.first().map(|group| format!("group {group} rebalanced"))),
        several => words.push(format!("{several} groups rebalanced")),
    }
    let cut = distinct(effects(), |fact| matches!(fact, Fact::Truncated { .. }));
    if cut > 0 {
        words.push(format!("{} cut back", if cut == 1 { "1 log was".into() } else { format!("{cut} logs were") }));
    }
    words.truncate(NAMED_MAX);
    words
}

fn distinct<'e>(entries: impl Iterator<Item = &'e EventEntry>, is: impl Fn(&Fact) -> bool) -> usize {
    let subjects: BTreeSet<&str> =
        entries.filter(|entry| is(&entry.fact)).map(|entry| entry.subject.as_str()).collect();
    subjects.len()
}

fn partitions(number: usize) -> String {
    count(to_i64(number), "partition", "partitions")
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `1.9 s`; `240 ms`.
fn seconds(took_ms: i64) -> String {
    if took_ms < 1_000 { format!("{took_ms} ms") } else { format!("{:.1} s", took_ms as f64 / 1000.0) }
}
