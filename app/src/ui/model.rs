//! What the screens need to know beyond the bare view, worked out once per snapshot and not once per frame.

use std::sync::Arc;

use broker::metadata::report::NodeState;
use broker::metrics::names::Attribute;
use broker::metrics::table::controller::UNCLEAN_LEADER_ELECTIONS;

use super::discard::Discard;
use super::faults::Faults;
use super::verdicts;
use super::widgets::icon::Icon;
use super::widgets::matrix::Cell;
use super::widgets::pill::{Mood, Pill};
use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::inquiry::{Inquiry, Query};
use crate::monitor::snapshot::{ActiveFault, Broker, Group, Partition, Snapshot, Topic};
use crate::monitor::view::{Severity, View};

/// The cluster in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Health {
    /// Not up yet.
    #[default]
    Starting,
    /// All is well.
    Healthy,
    /// It serves, with less redundancy than it should have.
    Degraded,
    /// Something does not serve.
    Unavailable,
}

impl Health {
    /// As a pill.
    pub fn pill(self) -> Pill {
        match self {
            Health::Starting => Pill::new(Mood::Busy, Icon::Clock, "Starting"),
            Health::Healthy => Pill::new(Mood::Good, Icon::Check, "Healthy"),
            Health::Degraded => Pill::new(Mood::Warning, Icon::Warning, "Degraded"),
            Health::Unavailable => Pill::new(Mood::Critical, Icon::Critical, "Unavailable"),
        }
    }
}

/// How a partition is, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PartitionHealth {
    /// All replicas are in sync.
    #[default]
    InSync,
    /// Some replica is not.
    UnderReplicated,
    /// Fewer than min.insync.replicas: writes with acks=all are refused.
    UnderMinIsr,
    /// Its leader is on a broker that does not take part: until another is elected, clients wait.
    LeaderUnreachable,
    /// No leader.
    Offline,
}

impl PartitionHealth {
    /// Of a partition of a topic with this `min.insync.replicas`, while the brokers in `down` do not take part.
    pub fn of(partition: &Partition, min_isr: i32, down: &[i32]) -> PartitionHealth {
        if partition.is_offline() {
            PartitionHealth::Offline
        } else if down.contains(&partition.leader) {
            PartitionHealth::LeaderUnreachable
        } else if (partition.isr.len() as i32) < min_isr {
            PartitionHealth::UnderMinIsr
        } else if partition.is_under_replicated() {
            PartitionHealth::UnderReplicated
        } else {
            PartitionHealth::InSync
        }
    }

    /// As a pill; healthy is blank.
    pub fn pill(self) -> Option<Pill> {
        match self {
            PartitionHealth::InSync => None,
            PartitionHealth::UnderReplicated => Some(Pill::new(Mood::Warning, Icon::Warning, "Under-replicated")),
            PartitionHealth::UnderMinIsr => Some(Pill::new(Mood::Critical, Icon::Warning, "Under min ISR")),
            PartitionHealth::LeaderUnreachable => Some(Pill::new(Mood::Critical, Icon::Warning, "Leader unreachable")),
            PartitionHealth::Offline => Some(Pill::new(Mood::Critical, Icon::Critical, "Offline")),
        }
    }
}

/// A topic's partitions, counted by how they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicHealth {
    /// With fewer in-sync replicas than replicas.
    pub under_replicated: usize,
    /// With fewer in-sync replicas than min.insync.replicas.
    pub under_min_isr: usize,
    /// Led by a broker that does not take part.
    pub unreachable: usize,
    /// Without a leader.
    pub offline: usize,
}

impl TopicHealth {
    /// The worst of its partitions.
    pub fn worst(self) -> PartitionHealth {
        if self.offline > 0 {
            PartitionHealth::Offline
        } else if self.unreachable > 0 {
            PartitionHealth::LeaderUnreachable
        } else if self.under_min_isr > 0 {
            PartitionHealth::UnderMinIsr
        } else if self.under_replicated > 0 {
            PartitionHealth::UnderReplicated
        } else {
            PartitionHealth::InSync
        }
    }
}

/// A row of the partition map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRow {
    /// Index of the topic.
    pub topic: u32,
    /// Index of the partition.
    pub partition: u32,
    /// How it is.
    pub health: PartitionHealth,
}

/// The view, and what follows from it.
#[derive(Debug, Default)]
pub struct Model {
    /// The view.
    pub view: View,
    /// Grows whenever anything in the view but its logs changed: what caches are keyed by.
    pub generation: u64,
    /// The cluster in one word.
    pub health: Health,
    /// Brokers that do not take part: not running, or fenced.
    pub down: Vec<i32>,
    /// Per topic, in the order of the snapshot.
    pub topics: Vec<TopicHealth>,
    /// Partitions that are out of sync, the worst first.
    pub troubled: Vec<MapRow>,
    /// All other partitions: topics by name, internal ones last.
    pub in_sync: Vec<MapRow>,
    /// Brokers up, as `host:port,…`.
    pub bootstrap: String,
    /// Topics with some partition out of sync.
    pub topics_in_trouble: usize,
    /// Groups that rebalance, or fall behind without members.
    pub groups_in_trouble: usize,
    /// Critical events of the last five minutes.
    pub fresh_alarms: usize,
    /// What Strimzi's dashboard opens with.
    pub vitals: Vitals,
    /// When something was broken.
    pub faults: Faults,
    /// Grows with each second of the metric store: what is read from it is kept until then.
    pub measured: u64,
    /// Grows whenever alarms changed.
    pub alarmed: u64,
    /// Grows whenever the nodes' logs changed; nothing else is worked out anew for that.
    pub logged: u64,
    /// Alarms in state ALARM.
    pub alarms: usize,
    /// How bad the worst of them is.
    pub alarms_mood: Mood,
    discard: Discard,
}

/// The cluster's health in numbers, as Strimzi's Kafka dashboard has them; what `Totals` has is not repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Brokers that run and are not fenced.
    pub brokers_online: usize,
    /// Replicas on these.
    pub online_replicas: usize,
    /// Partitions whose ISR is just min.insync.replicas, or all replicas where these are fewer.
    pub at_min_isr: usize,
    /// Of these, those that are under-replicated.
    pub at_min_isr_by_loss: usize,
    /// Unclean leader elections per second, over the last minute; `None`: no active controller tells.
    pub unclean_elections_per_s: Option<f64>,
}

const FRESH_ALARM_MS: i64 = 5 * 60 * 1000;

impl Model {
    /// Takes a new view in; returns whether anything changed.
    pub fn update(&mut self, view: View) -> bool {
        let same_logs = view.logs.is_same(&self.view.logs);
        if !same_logs {
            self.logged += 1;
            self.view.logs = view.logs.clone();
        }
        let same_inquiries = view.inquiries.is_same(&self.view.inquiries);
        self.view.inquiries = view.inquiries.clone();
        let same_messages = view.messages.generation == self.view.messages.generation;
        self.view.messages = view.messages.clone();
        let same_export = view.export.generation == self.view.export.generation;
        self.view.export = view.export.clone();
        let same_snapshot = Arc::ptr_eq(&view.snapshot, &self.view.snapshot);
        let same_events = Arc::ptr_eq(&view.events, &self.view.events);
        let same_store = Arc::ptr_eq(&view.cloudwatch.store, &self.view.cloudwatch.store);
        let same_alarms = Arc::ptr_eq(&view.cloudwatch.alarms, &self.view.cloudwatch.alarms);
        let same_rest = same_events && same_store && same_alarms && Arc::ptr_eq(&view.series, &self.view.series);
        if same_snapshot && same_rest && self.generation > 0 {
            return !(same_logs && same_inquiries && same_messages && same_export);
        }
        let same_faults = same_events
            && view.snapshot.faults == self.view.snapshot.faults
            && Arc::ptr_eq(&view.snapshot.past_faults, &self.view.snapshot.past_faults);
        self.discard.put(std::mem::replace(&mut self.view, view));
        self.measured += u64::from(!same_store);
        if !same_alarms {
            self.alarmed += 1;
            self.count_alarms();
        }
        if !same_faults || self.generation == 0 {
            self.faults.update(&self.view.snapshot, self.view.events.iter().map(|event| &**event));
        }
        self.generation += 1;
        if !same_snapshot || self.generation == 1 {
            self.derive();
        }
        let since_ms = self.snapshot().at_ms - FRESH_ALARM_MS;
        let newest = self.view.events.iter().rev().take_while(|event| event.at_ms >= since_ms);
        self.fresh_alarms = newest.filter(|event| event.severity == Severity::Critical).count();
        true
    }

    /// What is known of a question to the cluster; `None`: nobody asked.
    pub fn inquiry(&self, query: &Query) -> Option<&Inquiry> {
        self.view.inquiries.get(query)
    }

    /// The cluster's clock, as it was told last: it goes on by seconds.
    pub fn now_ms(&self) -> i64 {
        self.view.series.at_ms.back().copied().unwrap_or_default().max(self.snapshot().at_ms)
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.view.snapshot
    }

    /// The topic and partition of a row of the map.
    pub fn partition(&self, row: MapRow) -> Option<(&Topic, &Partition)> {
        let topic = self.view.snapshot.topics.get(row.topic as usize)?;
        Some((topic, topic.partitions.get(row.partition as usize)?))
    }

    /// A topic by name, with how it is.
    pub fn topic(&self, name: &str) -> Option<(&Arc<Topic>, TopicHealth)> {
        let topics = &self.view.snapshot.topics;
        let index = topics.iter().position(|topic| &*topic.name == name)?;
        Some((&topics[index], self.topics.get(index).copied().unwrap_or_default()))
    }

    /// A group by id.
    pub fn group(&self, id: &str) -> Option<&Arc<Group>> {
        self.view.snapshot.groups.iter().find(|group| &*group.id == id)
    }

    fn count_alarms(&mut self) {
        let all = self.view.cloudwatch.alarms.alarms.values();
        let ringing = || all.clone().filter(|status| status.state == AlarmState::Alarm);
        self.alarms = ringing().count();
        let is_critical = ringing().any(|status| status.alarm.severity == Severity::Critical);
        self.alarms_mood = if is_critical { Mood::Critical } else { Mood::Warning };
    }

    fn derive(&mut self) {
        let snapshot = self.view.snapshot.clone();
        let down = snapshot.brokers.iter().filter(|broker| !is_up(broker));
        self.down = down.map(|broker| broker.id).collect();
        self.topics.clear();
        self.troubled.clear();
        self.in_sync.clear();
        let mut internal = Vec::new();
        for (topic_index, topic) in snapshot.topics.iter().enumerate() {
            let mut counts = TopicHealth::default();
            for (partition_index, partition) in topic.partitions.iter().enumerate() {
                let health = PartitionHealth::of(partition, topic.min_insync_replicas, &self.down);
                let row = MapRow { topic: topic_index as u32, partition: partition_index as u32, health };
                counts.offline += usize::from(health == PartitionHealth::Offline);
                counts.unreachable += usize::from(health == PartitionHealth::LeaderUnreachable);
                counts.under_min_isr += usize::from((partition.isr.len() as i32) < topic.min_insync_replicas);
                counts.under_replicated += usize::from(partition.is_under_replicated());
                match (health, topic.internal) {
                    (PartitionHealth::InSync, true) => internal.push(row),
                    (PartitionHealth::InSync, false) => self.in_sync.push(row),
                    _ => self.troubled.push(row),
                }
            }
            self.topics.push(counts);
        }
        self.in_sync.append(&mut internal);
        self.vitals = vitals(&self.view);
        // Stable, and by what changes rarely: rows must not dance while one reads them.
        self.troubled.sort_by_key(|row| {
            let internal = snapshot.topics[row.topic as usize].internal;
            (std::cmp::Reverse(row.health), internal, row.topic, row.partition)
        });
        self.topics_in_trouble = self.topics.iter().filter(|topic| topic.worst() != PartitionHealth::InSync).count();
        self.groups_in_trouble = snapshot.groups.iter().filter(|group| self.is_in_trouble(group)).count();
        self.bootstrap = bootstrap(&snapshot);
        let unreachable = self.topics.iter().any(|topic| topic.unreachable > 0);
        self.health = health(&snapshot, unreachable);
    }
}

impl Model {
    /// Its state or its verdict says that somebody should look.
    fn is_in_trouble(&self, group: &Group) -> bool {
        let verdict = verdicts::of(self, group).map_or(Mood::Quiet, verdicts::mood);
        group_mood(group) >= Mood::Busy || verdict >= Mood::Warning
    }
}

fn vitals(view: &View) -> Vitals {
    let snapshot = &view.snapshot;
    let up = || snapshot.brokers.iter().filter(|broker| is_up(broker));
    let mut vitals = Vitals {
        brokers_online: up().count(),
        online_replicas: up().map(|broker| broker.replicas).sum(),
        unclean_elections_per_s: unclean_elections_per_s(view),
        ..Vitals::default()
    };
    for topic in &snapshot.topics {
        for partition in topic.partitions.iter().filter(|partition| !partition.is_offline()) {
            let least = (topic.min_insync_replicas.max(0) as usize).min(partition.replicas.len());
            if partition.isr.len() == least {
                vitals.at_min_isr += 1;
                vitals.at_min_isr_by_loss += usize::from(partition.is_under_replicated());
            }
        }
    }
    vitals
}

/// Every controller counts all elections, so that one tells for all.
fn unclean_elections_per_s(view: &View) -> Option<f64> {
    let report = view.metrics.get(&view.snapshot.quorum.leader_id)?;
    let series = report.of(&UNCLEAN_LEADER_ELECTIONS).next()?;
    Attribute::OneMinuteRate.read(&series.reading)
}

fn bootstrap(snapshot: &Snapshot) -> String {
    let listening = snapshot.brokers.iter().filter(|broker| broker.port != 0);
    listening.map(|broker| format!("{}:{}", broker.host, broker.port)).collect::<Vec<_>>().join(",")
}

fn health(snapshot: &Snapshot, unreachable: bool) -> Health {
    let totals = &snapshot.totals;
    let all_starting = snapshot.brokers.iter().all(|broker| broker.state == NodeState::Starting);
    if snapshot.brokers.is_empty() || all_starting {
        Health::Starting
    } else if unreachable
        || totals.offline_partitions > 0
        || snapshot.quorum.leader_id < 0
        || !snapshot.brokers.iter().any(is_up)
    {
        Health::Unavailable
    } else if totals.under_replicated_partitions > 0
        || snapshot.brokers.iter().any(|broker| !is_up(broker))
        || snapshot.quorum.voters.iter().any(|voter| voter.state != NodeState::Running)
    {
        Health::Degraded
    } else {
        Health::Healthy
    }
}

/// Whether a broker takes part.
pub fn is_up(broker: &Broker) -> bool {
    broker.state == NodeState::Running && !broker.fenced
}

/// A node's state as a pill; a broker that runs but is fenced is not well.
pub fn node_pill(state: NodeState, fenced: bool) -> Pill {
    match state {
        NodeState::Running if fenced => Pill::new(Mood::Warning, Icon::Warning, "Fenced"),
        NodeState::Running => Pill::new(Mood::Good, Icon::Check, "Running"),
        NodeState::Starting => Pill::new(Mood::Busy, Icon::Clock, "Starting"),
        NodeState::Stopping => Pill::new(Mood::Warning, Icon::Clock, "Stopping"),
        NodeState::Stopped => Pill::new(Mood::Warning, Icon::Stop, "Stopped"),
        NodeState::Killed => Pill::new(Mood::Critical, Icon::Kill, "Killed"),
        NodeState::Paused => Pill::new(Mood::Warning, Icon::Pause, "Paused"),
    }
}

/// How a group is.
pub fn group_mood(group: &Group) -> Mood {
    match group.state {
        "Stable" => Mood::Good,
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => Mood::Busy,
        // A Streams group whose topics are missing or do not fit stands still until somebody mends them.
        "NotReady" => Mood::Warning,
        "Empty" if group.total_lag > 0 => Mood::Warning,
        "Dead" => Mood::Critical,
        _ => Mood::Quiet,
    }
}

/// A group's state as a pill.
pub fn group_pill(group: &Group) -> Pill {
    let mood = group_mood(group);
    match group.state {
        "Stable" => Pill::new(mood, Icon::Check, "Stable"),
        "PreparingRebalance" => Pill::new(mood, Icon::Clock, "Preparing rebalance"),
        "CompletingRebalance" => Pill::new(mood, Icon::Clock, "Completing rebalance"),
        "Assigning" => Pill::new(mood, Icon::Clock, "Assigning"),
        "Reconciling" => Pill::new(mood, Icon::Clock, "Reconciling"),
        "NotReady" => Pill::new(mood, Icon::Clock, "Not ready"),
        "Empty" => Pill::new(mood, Icon::Stop, "Empty"),
        other => Pill::new(mood, Icon::Close, other),
    }
}

/// What the map shows for a partition on a broker.
pub fn map_cell(partition: &Partition, broker: &Broker) -> Cell {
    if !partition.replicas.contains(&broker.id) {
        return Cell::Blank;
    }
    match (partition.leader == broker.id, is_up(broker)) {
        (true, true) => Cell::Leader,
        (true, false) => Cell::LeaderUnreachable,
        (false, false) => Cell::Offline,
        (false, true) if partition.isr.contains(&broker.id) => Cell::InSync,
        (false, true) => Cell::Behind(behind(partition, broker.id)),
    }
}

/// By how many offsets a replica's log is behind the leader's.
pub fn behind(partition: &Partition, replica: i32) -> Option<i64> {
    let leader = partition.log_end_offsets.get(&partition.leader)?;
    let replica = partition.log_end_offsets.get(&replica)?;
    Some((leader - replica).max(0))
}

/// A fault that hits a node.
pub fn fault_on(snapshot: &Snapshot, node_id: i32) -> Option<&ActiveFault> {
    snapshot.faults.iter().find(|fault| fault.node_ids.contains(&node_id))
}

/// A value worked out again only when its key changed.
#[derive(Debug)]
pub struct Cached<K, V> {
    entry: Option<(K, V)>,
}

impl<K, V> Default for Cached<K, V> {
    fn default() -> Self {
        Cached { entry: None }
    }
}

impl<K, V> Cached<K, V> {
    /// The value as it was worked out last.
    pub fn peek(&self) -> Option<&V> {
        self.entry.as_ref().map(|entry| &entry.1)
    }
}

impl<K: PartialEq, V> Cached<K, V> {
    /// Whether the value for `key` is at hand.
    pub fn is_fresh(&self, key: &K) -> bool {
        self.entry.as_ref().is_some_and(|(known, _)| known == key)
    }

    /// The value for `key`.
    pub fn get(&mut self, key: K, make: impl FnOnce() -> V) -> &V {
        let fresh = self.is_fresh(&key);
        let entry = if fresh { self.entry.take() } else { None };
        &self.entry.insert(entry.unwrap_or_else(|| (key, make()))).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn the_worst_comes_first() {
        let mut model = Model::default();
        assert!(model.update(fixture::incident()));
        assert_eq!(model.health, Health::Unavailable);
        assert!(model.troubled.is_sorted_by_key(|row| std::cmp::Reverse(row.health)));
        assert_eq!(model.troubled[0].health, PartitionHealth::Offline);
        let all: usize = model.snapshot().topics.iter().map(|topic| topic.partitions.len()).sum();
        assert_eq!(model.troubled.len() + model.in_sync.len(), all);
        let (topic, _) = model.partition(model.in_sync[0]).unwrap();
        assert!(!topic.internal);
    }

    #[test]
    fn vitals_count_as_kafka_does() {
        let mut model = Model::default();
        model.update(fixture::healthy());
        let replicas = model.snapshot().brokers.iter().map(|broker| broker.replicas).sum();
        let well = Vitals { brokers_online: 3, online_replicas: replicas, ..Vitals::default() };
        assert_eq!(model.vitals, well);
        model.update(fixture::incident());
        let vitals = model.vitals;
        assert_eq!(vitals.brokers_online, 2);
        // The unreplicated topic is at its min ISR from the start.
        assert!(vitals.at_min_isr > vitals.at_min_isr_by_loss && vitals.at_min_isr_by_loss > 80);
        assert_eq!(model.faults.bands().len(), 1);
    }

    #[test]
    fn between_kill_and_election_the_leader_is_unreachable() {
        let mut view = fixture::healthy();
        Arc::make_mut(&mut view.snapshot).brokers[1].state = NodeState::Killed;
        let mut model = Model::default();
        model.update(view);
        assert_eq!(model.health, Health::Unavailable);
        assert!(model.troubled.iter().all(|row| row.health == PartitionHealth::LeaderUnreachable));
        let led =
            model.troubled.iter().filter_map(|row| model.partition(*row)).filter(|found| found.1.leader == 2).count();
        assert_eq!((led, model.down.as_slice()), (model.troubled.len(), [2].as_slice()));
    }

    #[test]
    fn the_same_view_changes_nothing() {
        let view = fixture::incident();
        let mut model = Model::default();
        assert!(model.update(view.clone()));
        assert!(!model.update(view.clone()));
        assert_eq!(model.generation, 1);
        let logs = fixture::healthy().logs;
        assert!(model.update(View { logs, ..view }));
        assert_eq!((model.generation, model.logged), (1, 2), "logs are news of their own");
    }

    #[test]
    fn health_in_one_word() {
        let mut model = Model::default();
        model.update(View::default());
        assert_eq!(model.health, Health::Starting);
        model.update(fixture::healthy());
        assert_eq!(model.health, Health::Healthy);
    }

    #[test]
    fn cells_follow_leader_isr_and_reachability() {
        let view = fixture::incident();
        let brokers = &view.snapshot.brokers;
        let partition = Partition {
            leader: 1,
            replicas: vec![1, 2, 3],
            isr: vec![1],
            log_end_offsets: [(1, 100), (3, 40)].into(),
            ..Partition::default()
        };
        assert_eq!(map_cell(&partition, &brokers[0]), Cell::Leader);
        assert_eq!(map_cell(&partition, &brokers[1]), Cell::Offline);
        assert_eq!(map_cell(&partition, &brokers[2]), Cell::Behind(Some(60)));
        let elsewhere = Partition { leader: 2, replicas: vec![2], isr: vec![2], ..Partition::default() };
        assert_eq!(map_cell(&elsewhere, &brokers[0]), Cell::Blank);
        assert_eq!(map_cell(&elsewhere, &brokers[1]), Cell::LeaderUnreachable);
    }

    #[test]
    fn caches_keep_until_the_key_changes() {
        let mut cached = Cached::default();
        assert_eq!(*cached.get(1, || "a"), "a");
        assert_eq!(*cached.get(1, || "b"), "a");
        assert_eq!(*cached.get(2, || "c"), "c");
    }
}
