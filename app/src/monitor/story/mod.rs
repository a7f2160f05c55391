//! What just happened: events that followed from one another, told as one story from its cause to its end, with what clients saw meanwhile.
//!
//! Pure: it knows events, series and the snapshot, live or from a recording. Who belongs to a story is said by the events' own links; time
//! decides nothing but over which span a measurement is read.

mod changes;
mod gather;
mod seen;
mod steps;
mod title;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

pub use changes::Change;
pub use seen::Seen;
pub use steps::Step;

use super::fact::Fact;
use super::snapshot::Snapshot;
use super::view::{EventEntry, SeriesStore, Severity};
use gather::Gathered;

/// Stories told at most, the newest.
pub const STORIES_MAX: usize = 200;

/// Things named with a story at most.
const OBJECTS_MAX: usize = 8;

/// What happened, from its cause on; `GET /api/stories`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// Seq of the event that it begins with.
    pub id: u64,
    /// When it began.
    pub from_ms: i64,
    /// When the last of it happened; `None`: it is still going on.
    pub until_ms: Option<i64>,
    /// In one sentence.
    pub title: String,
    /// How grave the gravest of it was.
    pub severity: Severity,
    /// How it stands now.
    pub outlook: Outlook,
    /// From cause to effect; each comes after those that it followed from.
    pub steps: Vec<Step>,
    /// What is another now than before.
    pub changes: Vec<Change>,
    /// What was measured of clients' requests over its span.
    pub seen: Vec<Seen>,
    /// What it is about.
    pub objects: Vec<Object>,
    /// How many events it has.
    pub events: usize,
}

/// How a story stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// A fault is in force, a node is down, or a group rebalances.
    Going,
    /// That is over, and something is worse than before: an ISR is smaller, a partition has no leader.
    Changed,
    /// All is as before again; leaders may be others.
    AsBefore,
}

/// What a story is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A fault, by id.
    Fault(u64),
    /// A node.
    Node(i32),
    /// A group.
    Group(String),
    /// A topic.
    Topic(String),
}

/// All stories, newest first; at most [`STORIES_MAX`].
pub fn stories(events: &VecDeque<Arc<EventEntry>>, series: &SeriesStore, snapshot: &Snapshot) -> Vec<Story> {
    let gathered = gather::gather(events, STORIES_MAX);
    let mut stories: Vec<Story> = gathered.iter().map(|one| story(one, series, snapshot)).collect();
    stories.sort_by_key(|story| std::cmp::Reverse((story.from_ms, story.id)));
    stories
}

fn story(gathered: &Gathered<'_>, series: &SeriesStore, snapshot: &Snapshot) -> Story {
    let from_ms = gathered.began_ms();
    let last_ms = gathered.entries.iter().map(|entry| entry.at_ms).max().unwrap_or(from_ms).max(from_ms);
    let facts = || gathered.entries.iter().map(|entry| &entry.fact);
    let steps = steps::steps(gathered);
    let outlook = changes::outlook(facts());
    let until_ms = (outlook != Outlook::Going).then_some(last_ms);
    Story {
        id: gathered.root().seq,
        from_ms,
        until_ms,
        title: title::title(gathered, &steps, from_ms),
        severity: gathered.entries.iter().map(|entry| entry.severity).max().unwrap_or(Severity::Info),
        outlook,
        changes: changes::changes(facts()),
        seen: seen::seen(series, snapshot, from_ms, until_ms),
        objects: objects(facts()),
        events: gathered.entries.len(),
        steps,
    }
}

/// Those that are named first, the broadest last: topics only where there is room.
fn objects<'f>(facts: impl Iterator<Item = &'f Fact>) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for fact in facts {
        match fact {
            Fact::FaultBegan { fault, node_ids, .. } => {
                objects.push(Object::Fault(*fault));
                objects.extend(node_ids.iter().map(|id| Object::Node(*id)));
            }
            Fact::Node { node_id, .. } | Fact::Controller { node_id, .. } | Fact::Resigned { node_id } => {
                objects.push(Object::Node(*node_id));
            }
            Fact::Fenced { broker } => objects.push(Object::Node(*broker)),
            Fact::Group { group, .. } | Fact::Member { group, .. } => objects.push(Object::Group(group.clone())),
            Fact::Leader { topic, .. } | Fact::Isr { topic, .. } | Fact::Replicas { topic, .. }
                if !topic.starts_with("__") =>
            {
                objects.push(Object::Topic(topic.clone()));
            }
            _ => {}
        }
    }
    objects.sort();
    objects.dedup();
    objects.truncate(OBJECTS_MAX);
    objects
}
