//! What can be found: all commands with what they can be done to, and all objects. Collected when the palette opens, and anew when something
//! of it came or went; partitions are worked out from the query, as there may be very many.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use broker::logging::Logger;

use super::search::Query;
use crate::monitor::cloudwatch::catalog;
use crate::ui::app::{Action, Scene};
use crate::ui::commands::{self, ALL, Id};
use crate::ui::measured;
use crate::ui::widgets::icon::Icon;

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Command(Id),
    Broker,
    Controller,
    Topic,
    Partition,
    Tape,
    Group,
    Alarm,
    Metric,
    Logger,
}

impl Kind {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Command(_) => "command",
            Kind::Broker => "broker",
            Kind::Controller => "controller",
            Kind::Topic => "topic",
            Kind::Partition => "partition",
            Kind::Tape => "tape",
            Kind::Group => "group",
            Kind::Alarm => "alarm",
            Kind::Metric => "metric",
            Kind::Logger => "logger",
        }
    }

    /// As an icon.
    pub fn icon(self) -> Icon {
        match self {
            Kind::Command(id) => commands::entry(id).map_or(Icon::Start, |entry| entry.icon),
            Kind::Broker => Icon::Broker,
            Kind::Controller => Icon::Cluster,
            Kind::Topic | Kind::Partition => Icon::Topics,
            Kind::Tape => Icon::Columns,
            Kind::Group => Icon::Groups,
            Kind::Alarm => Icon::Bell,
            Kind::Metric => Icon::Metrics,
            Kind::Logger => Icon::Logs,
        }
    }

    /// Of two that fit as well, the one with more comes first.
    const fn weight(self) -> i32 {
        match self {
            Kind::Broker | Kind::Controller | Kind::Topic => 30,
            Kind::Group => 25,
            Kind::Partition => 20,
            Kind::Tape => 18,
            Kind::Command(_) => 15,
            Kind::Alarm | Kind::Metric | Kind::Logger => 0,
        }
    }
}

/// Something that can be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// The same in small letters.
    folded: String,
    /// What choosing it does.
    pub action: Action,
    /// Why that cannot be done now.
    pub obstacle: Option<String>,
}

impl Item {
    fn new(kind: Kind, name: String, action: Action) -> Item {
        Item { kind, folded: name.to_lowercase(), name, action, obstacle: None }
    }

    /// How well it fits; commands are found by what they do as well, if not so soon.
    pub fn score(&self, query: &Query) -> Option<i32> {
        let score = query.score(&self.folded).or_else(|| match self.kind {
            Kind::Command(id) => {
                let what = commands::entry(id).map_or("", |entry| entry.what);
                query.is_in(&what.to_lowercase()).then_some(0)
            }
            _ => None,
        })?;
        // What can be done comes before what cannot.
        Some(score + self.kind.weight() - if self.obstacle.is_some() { 100 } else { 0 })
    }

    /// Which bytes of its name in small letters fit.
    pub fn marks(&self, query: &Query) -> Vec<usize> {
        // Some letters change their size with their case: then nothing is marked.
        if self.folded.len() == self.name.len() { query.marks(&self.folded) } else { Vec::new() }
    }

    /// What it is remembered by: names are unique within a kind.
    pub fn key(&self) -> String {
        format!("{} {}", self.kind.word(), self.name)
    }

    /// Whether it is a command that is called the same whatever the cluster is like.
    pub fn is_plain_command(&self) -> bool {
        matches!(self.kind, Kind::Command(id) if commands::entry(id).is_some_and(|entry| entry.name == self.name))
    }
}

/// Something else whenever another item could be found, or another obstacle told.
pub fn fingerprint(scene: &Scene<'_>) -> u64 {
    let snapshot = scene.model.snapshot();
    let mut hasher = DefaultHasher::new();
    for broker in &snapshot.brokers {
        (broker.id, broker.state as u8, &broker.rack).hash(&mut hasher);
    }
    for voter in &snapshot.quorum.voters {
        (voter.id, voter.state as u8).hash(&mut hasher);
    }
    snapshot.topics.iter().for_each(|topic| topic.name.hash(&mut hasher));
    snapshot.groups.iter().for_each(|group| group.id.hash(&mut hasher));
    snapshot.faults.iter().for_each(|fault| fault.id.hash(&mut hasher));
    snapshot.workloads.iter().for_each(|workload| workload.id.hash(&mut hasher));
    let watched = &scene.model.view.cloudwatch;
    watched.alarms.alarms.keys().for_each(|name| name.hash(&mut hasher));
    (snapshot.membership.leaving, watched.level.name(), watched.alarms.set as u8).hash(&mut hasher);
    (scene.options.theme as u8, scene.can_go, snapshot.cluster_id.is_empty()).hash(&mut hasher);
    hasher.finish()
}

/// All items but partitions.
pub fn all(scene: &Scene<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    // Who searches has found the palette.
    for entry in ALL.iter().filter(|entry| entry.id != Id::Palette) {
        let deeds = commands::deeds(entry.id, scene);
        items.extend(deeds.into_iter().map(|deed| Item {
            obstacle: deed.obstacle,
            ..Item::new(Kind::Command(entry.id), deed.name, deed.action)
        }));
    }
    let snapshot = scene.model.snapshot();
    let node = |kind: Kind, name: &str, id: i32| Item::new(kind, format!("{name} {id}"), Action::OpenNode(id));
    items.extend(snapshot.brokers.iter().map(|broker| node(Kind::Broker, "Broker", broker.id)));
    items.extend(snapshot.quorum.voters.iter().map(|voter| node(Kind::Controller, "Controller", voter.id)));
    items.extend(
        snapshot
            .topics
            .iter()
            .map(|topic| Item::new(Kind::Topic, topic.name.to_string(), Action::OpenTopic(Arc::clone(&topic.name)))),
    );
    items.extend(
        snapshot
            .groups
            .iter()
            .map(|group| Item::new(Kind::Group, group.id.to_string(), Action::OpenGroup(Arc::clone(&group.id)))),
    );
    let alarms = scene.model.view.cloudwatch.alarms.alarms.keys();
    items.extend(alarms.map(|name| Item::new(Kind::Alarm, name.to_string(), Action::OpenAlarm(name.to_string()))));
    items.extend(catalog::all().map(|row| {
        let pin = measured::pin_of(row);
        Item::new(Kind::Metric, pin.clone(), Action::OpenMetric(pin))
    }));
    items.extend(
        Logger::ALL.iter().map(|logger| Item::new(Kind::Logger, logger.name().to_owned(), Action::OpenLogger(*logger))),
    );
    items
}

/// So many topics are looked at for a partition, the best first.
const TOPICS_FOR_PARTITIONS: usize = 20;

/// Partitions that are asked for by their number, with how well their topics fit.
pub fn partitions(query: &Query, scene: &Scene<'_>) -> Vec<(i32, Item)> {
    let Some((head, partition)) = query.partition() else { return Vec::new() };
    let topics = scene.model.snapshot().topics.iter();
    let mut found: Vec<(i32, &Arc<_>)> = topics
        // They are numbered from 0 without gaps.
        .filter(|topic| usize::try_from(partition).is_ok_and(|partition| partition < topic.partitions.len()))
        .filter_map(|topic| Some((head.score(&topic.name.to_lowercase())?, topic)))
        .collect();
    found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.name.cmp(&other.1.name)));
    found.truncate(TOPICS_FOR_PARTITIONS);
    let items = |(score, topic): (i32, &Arc<crate::monitor::snapshot::Topic>)| {
        let (name, topic) = (format!("{}-{partition}", topic.name), Arc::clone(&topic.name));
        let tape = Action::OpenTape { topic: Arc::clone(&topic), partition };
        let open = Action::OpenPartition { topic, partition };
        [(Kind::Partition, open), (Kind::Tape, tape)]
            .map(|(kind, action)| (score + kind.weight(), Item::new(kind, name.clone(), action)))
    };
    found.into_iter().flat_map(items).collect()
}
