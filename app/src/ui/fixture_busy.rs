//! A cluster that is large and never at rest, for measuring what the window costs: each view is another one, as the monitor would publish it.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::logging::{Level as LogLevel, LogLine, Logger};
use broker::metadata::report::BrokerCounters;
use broker::metrics::{Label, MeterReading, MetricsReport, Reading, Series as BeanSeries, table};

use super::fixture::{AT_MS, Noise, healthy};
use super::fixture_messages::with_records;
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::alarms::Alarms;
use crate::monitor::cloudwatch::catalog::{self, Definition, Level};
use crate::monitor::cloudwatch::store::{Datum, Dimension, Key, SERIES_MAX, Store};
use crate::monitor::cloudwatch::watch::{CLUSTER_NAME, CloudwatchView};
use crate::monitor::fact::Fact;
use crate::monitor::groups::GroupWatch;
use crate::monitor::logs::ring::{LINES_MAX, Ring};
use crate::monitor::messages::read::MESSAGES_MAX;
use crate::monitor::snapshot::{
    AssignedPartition, Broker, Group, GroupOffset, Member, Partition, Snapshot, Topic, Totals,
};
use crate::monitor::view::{
    EVENTS_KEPT, EventEntry, Measured, Metric, SERIES_POINTS_KEPT, Series, SeriesStore, Severity, View,
};

/// How many partitions each topic has.
pub const PARTITIONS: i32 = 10;
/// How many groups there are.
pub const GROUPS: usize = 200;
/// Views come so often.
pub const EVERY_MS: i64 = 100;
/// Partitions that a group reads.
const READ_BY_GROUP: usize = 50;
const MEMBERS: usize = 5;
/// Every so manyth topic has partitions that are out of sync.
const TROUBLED_EVERY: usize = 40;
/// Log lines that come with each view.
const LINES: usize = 40;

/// It makes views.
pub struct Busy {
    view: View,
    at_ms: i64,
    noise: Noise,
    ring: Ring,
    keys: Vec<(&'static Definition, Key)>,
    store: Store,
    alarms: Alarms,
    series: SeriesStore,
    events: VecDeque<Arc<EventEntry>>,
    groups: GroupWatch,
}

impl Busy {
    /// The topic whose records are read, anew for each view.
    pub const READ_TOPIC: &str = "service-0000.events";

    /// So many brokers with so many topics of [`PARTITIONS`] partitions, and [`GROUPS`] groups.
    pub fn new(brokers: i32, topics: usize) -> Busy {
        let mut view = healthy();
        let topics: Vec<Arc<Topic>> = (0..topics).map(|index| Arc::new(topic(index, brokers))).collect();
        let snapshot = Arc::make_mut(&mut view.snapshot);
        snapshot.brokers = (1..=brokers).map(|id| broker(id, &snapshot.brokers[0], &topics)).collect();
        snapshot.groups = (0..GROUPS).map(|index| Arc::new(group(index, brokers, &topics))).collect();
        snapshot.topics = topics;
        snapshot.totals = totals(snapshot);
        let keys = keys(snapshot);
        let mut busy = Busy {
            at_ms: AT_MS,
            noise: Noise(11),
            ring: Ring::default(),
            store: Store::default(),
            alarms: Alarms::default(),
            series: series(snapshot),
            events: VecDeque::new(),
            keys,
            groups: GroupWatch::default(),
            view,
        };
        let now_s = AT_MS / 1000;
        (now_s - 300..now_s).for_each(|at_s| busy.measure(at_s));
        busy.alarms.set_size(AT_MS, AlarmSet::All, &CLUSTER_NAME.into(), &busy.store);
        (0..LINES_MAX + 1_000).for_each(|_| busy.log());
        (0..EVENTS_KEPT).for_each(|_| busy.happen());
        busy.second();
        busy
    }

    /// The next view: all offsets have moved, there are new lines, and once a second new values of all metrics.
    pub fn turn(&mut self) -> View {
        self.at_ms += EVERY_MS;
        (0..LINES).for_each(|_| self.log());
        let moved = self.moved();
        self.view.snapshot = Arc::new(moved);
        self.view.logs.lines = self.ring.lines();
        with_records(&mut self.view, Busy::READ_TOPIC, MESSAGES_MAX as i64);
        if self.at_ms % 1_000 == 0 {
            self.happen();
            self.second();
        }
        self.view.clone()
    }

    /// A copy that shares nothing with what was given out, as views of a real monitor share little: who lets it go, pays for it.
    fn moved(&mut self) -> Snapshot {
        let mut snapshot = Snapshot::clone(&self.view.snapshot);
        snapshot.sequence += 1;
        snapshot.at_ms = self.at_ms;
        for topic in &mut snapshot.topics {
            let mut moved = Topic::clone(topic);
            for partition in &mut moved.partitions {
                let grown = 1 + (self.noise.next() * 40.0) as i64;
                partition.high_watermark += grown;
                partition.last_stable_offset = partition.high_watermark;
                partition.log_end_offsets.values_mut().for_each(|end| *end += grown);
                partition.size_bytes += 214 * grown as u64;
            }
            moved.messages_in_per_s = 40.0 + 400.0 * self.noise.next();
            *topic = Arc::new(moved);
        }
        for group in &mut snapshot.groups {
            let mut moved = Group::clone(group);
            for offset in &mut moved.offsets {
                offset.committed_offset += 10;
                offset.lag = (self.noise.next() * 900.0) as i64;
            }
            moved.total_lag = moved.offsets.iter().map(|offset| offset.lag).sum();
            *group = Arc::new(moved);
        }
        snapshot
    }

    fn second(&mut self) {
        self.measure(self.at_ms / 1000);
        self.groups.second(self.at_ms, &self.view.snapshot);
        self.view.groups = self.groups.view();
        self.alarms.tick(self.at_ms, &CLUSTER_NAME.into(), &self.store);
        self.view.metrics = Arc::new(self.reports());
        self.view.connections = Arc::new(super::fixture_wire::many(&self.view.snapshot));
        self.view.cloudwatch = CloudwatchView {
            level: Level::PerTopicPerPartition,
            store: Arc::new(self.store.clone()),
            alarms: Arc::new(self.alarms.clone()),
        };
        let at_ms = self.at_ms;
        push(&mut self.series.at_ms, at_ms);
        for series in &mut self.series.series {
            push(&mut Arc::make_mut(series).points, 900.0 + 200.0 * self.noise.next());
        }
        self.view.series = Arc::new(self.series.clone());
        self.view.events = Arc::new(self.events.clone());
    }

    fn measure(&mut self, at_s: i64) {
        let noise = &mut self.noise;
        let data = self.keys.iter().map(|(_, key)| Datum { key: key.clone(), value: 10.0 + 90.0 * noise.next() });
        self.store.put(at_s, data);
    }

    /// What brokers told: all beans once, and some for each topic.
    fn reports(&self) -> Measured {
        let (snapshot, at_ms) = (&self.view.snapshot, self.at_ms);
        let meter = |count| Reading::Meter(MeterReading { count, one_minute_rate: 12.0, ..Default::default() });
        let of_topics: Vec<_> = table::all().filter(|bean| bean.keys == ["topic"]).take(8).collect();
        let report = |broker: &Broker| {
            let alone =
                table::all().map(|bean| BeanSeries { bean, labels: Box::new([]), reading: Reading::Value(1.0) });
            let each = snapshot.topics.iter().flat_map(|topic| {
                of_topics.iter().map(move |bean| {
                    let labels = Box::new([("topic", Label::from(&topic.name))]);
                    BeanSeries { bean, labels, reading: meter(at_ms as u64) }
                })
            });
            let series = alone.chain(each).collect();
            (broker.id, Arc::new(MetricsReport { node_id: broker.id, at_ms, series, ..Default::default() }))
        };
        snapshot.brokers.iter().map(report).collect()
    }

    fn log(&mut self) {
        let number = self.ring.next_seq();
        let node_id = 1 + (number % 3) as i32;
        let (level, logger, message) = match number % 5 {
            0 => (
                LogLevel::Info,
                Logger::GroupMetadata,
                format!(
                    "[GroupCoordinator id={node_id} topic=__consumer_offsets partition={}] [GroupId consumers-of-service-{:03}] Member \
                     reader-{number} joined in state Stable; the group prepares to rebalance in generation {number}",
                    number % 50,
                    number % 200
                ),
            ),
            1 => (
                LogLevel::Warn,
                Logger::Partition,
                format!(
                    "[Partition service-{:04}.events-3 broker={node_id}] ISR goes from 1,2,3 to 1,2",
                    number % 1000
                ),
            ),
            _ => (
                LogLevel::Debug,
                Logger::RequestLogger,
                format!("Completed request: {{\"api\":\"Fetch\",\"n\":{number}}}"),
            ),
        };
        self.ring.push(LogLine { node_id, at_ms: self.at_ms, level, logger, message: message.into(), lost_before: 0 });
    }

    fn happen(&mut self) {
        let seq = self.events.back().map_or(1, |event| event.seq + 1);
        let subject = format!("service-{:04}.events-{}", seq % 1000, seq % 10);
        let event = EventEntry {
            event: None,
            because_of: Vec::new(),
            led_to: Vec::new(),
            fact: Fact::Other,
            seq,
            at_ms: self.at_ms - (EVENTS_KEPT as i64 - seq as i64).max(0) * 200,
            node_id: 3001,
            kind: "leader_elected",
            severity: [Severity::Info, Severity::Warning, Severity::Critical][seq as usize % 3],
            text: format!("{subject} is led by broker 3 now, before by broker 2"),
            cause: "broker 2 was fenced; 3 is the first in-sync replica".into(),
            subject,
        };
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Arc::new(event));
    }
}

fn push<T>(points: &mut VecDeque<T>, point: T) {
    if points.len() == SERIES_POINTS_KEPT {
        points.pop_front();
    }
    points.push_back(point);
}

fn topic(index: usize, brokers: i32) -> Topic {
    let partition = |id: i32| {
        let first = index as i32 + id;
        let replicas: Vec<i32> = (0..3).map(|step| (first + step) % brokers + 1).collect();
        let end = 10_000 + i64::from(id) * 700;
        let mut partition = Partition {
            id,
            leader: replicas[0],
            leader_epoch: 3,
            isr: replicas.clone(),
            log_start_offset: 800,
            high_watermark: end,
            last_stable_offset: end,
            log_end_offsets: replicas.iter().map(|replica| (*replica, end)).collect(),
            size_bytes: (end - 800) as u64 * 214,
            replicas,
            ..Partition::default()
        };
        if index.is_multiple_of(TROUBLED_EVERY) {
            let late = partition.replicas[2];
            partition.isr.pop();
            partition.log_end_offsets.insert(late, end - 2_300);
        }
        partition
    };
    Topic {
        name: format!("service-{index:04}.events").into(),
        topic_id: "p8nVZ1HdQ3y0vQk0f3rKxA".into(),
        internal: false,
        partitions: (0..PARTITIONS).map(partition).collect(),
        min_insync_replicas: 2,
        size_bytes: 64_000_000,
        messages_in_per_s: 120.0,
        bytes_in_per_s: 25_680.0,
    }
}

fn broker(id: i32, like: &Broker, topics: &[Arc<Topic>]) -> Broker {
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let held = || partitions().filter(|partition| partition.replicas.contains(&id));
    Broker {
        id,
        rack: Some(["a", "b", "c"][(id as usize - 1) % 3].into()),
        port: 9091 + id as u16,
        epoch: 9 + i64::from(id),
        leaders: partitions().filter(|partition| partition.leader == id).count(),
        replicas: held().count(),
        out_of_sync_replicas: held().filter(|partition| !partition.isr.contains(&id)).count(),
        counters: BrokerCounters { connections: 200, ..BrokerCounters::default() },
        ..like.clone()
    }
}

fn group(index: usize, brokers: i32, topics: &[Arc<Topic>]) -> Group {
    let partitions = topics
        .iter()
        .cycle()
        .skip(index * 5)
        .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)));
    let read: Vec<_> = partitions.take(READ_BY_GROUP).collect();
    let offsets = read.iter().map(|(topic, partition)| GroupOffset {
        topic: topic.name.clone(),
        partition: partition.id,
        committed_offset: partition.high_watermark - 20,
        lag: 20,
        lag_ms: Some(140),
    });
    let member = |member: usize| Member {
        id: format!("reader-{index}-{member}-5b0c3f7e-91d4-4c1e-9b7a-51ab77e00000"),
        client_id: format!("reader-{index}-{member}"),
        host: "127.0.0.1".into(),
        assignment: read
            .iter()
            .skip(member)
            .step_by(MEMBERS)
            .map(|(topic, partition)| AssignedPartition { topic: topic.name.clone(), partition: partition.id })
            .collect(),
        topics: read.iter().map(|(topic, _)| topic.name.clone()).collect(),
        ..Member::default()
    };
    Group {
        id: format!("consumers-of-service-{index:03}").into(),
        kind: "classic",
        state: "Stable",
        generation: 7,
        protocol: "range".into(),
        coordinator: index as i32 % brokers + 1,
        members: (0..MEMBERS).map(member).collect(),
        offsets: offsets.collect(),
        total_lag: 0,
        shared: Vec::new(),
    }
}

fn totals(snapshot: &Snapshot) -> Totals {
    let partitions = || snapshot.topics.iter().flat_map(|topic| &topic.partitions);
    Totals {
        topics: snapshot.topics.len(),
        partitions: partitions().count(),
        replicas: partitions().map(|partition| partition.replicas.len()).sum(),
        under_replicated_partitions: partitions().filter(|partition| partition.is_under_replicated()).count(),
        active_controllers: 1,
        rates: snapshot.totals.rates,
        ..Totals::default()
    }
}

/// All metrics of brokers, topics and groups, until the store is full.
fn keys(snapshot: &Snapshot) -> Vec<(&'static Definition, Key)> {
    let brokers: Vec<Arc<str>> = snapshot.brokers.iter().map(|broker| broker.id.to_string().into()).collect();
    let mut keys = Vec::new();
    for row in catalog::all() {
        let sets: Vec<Vec<(Dimension, Arc<str>)>> = match row.dimensions() {
            [_] => vec![Vec::new()],
            [_, Dimension::BrokerId] => brokers.iter().map(|id| vec![(Dimension::BrokerId, id.clone())]).collect(),
            [_, Dimension::BrokerId, Dimension::Topic] => snapshot
                .topics
                .iter()
                .take(100)
                .map(|topic| vec![(Dimension::BrokerId, brokers[0].clone()), (Dimension::Topic, topic.name.clone())])
                .collect(),
            [_, Dimension::ConsumerGroup, Dimension::Topic] => snapshot
                .groups
                .iter()
                .map(|group| {
                    let topic = group.offsets[0].topic.clone();
                    vec![(Dimension::ConsumerGroup, group.id.clone()), (Dimension::Topic, topic)]
                })
                .collect(),
            _ => continue,
        };
        for mut dimensions in sets {
            dimensions.push((Dimension::ClusterName, CLUSTER_NAME.into()));
            keys.push((row, Key::new(row.name, dimensions)));
        }
    }
    keys.truncate(SERIES_MAX);
    keys
}

fn series(snapshot: &Snapshot) -> SeriesStore {
    let points = SERIES_POINTS_KEPT as i64;
    let at_ms = (0..points).map(|index| AT_MS - (points - 1 - index) * 1000).collect();
    let one = |metric, label: String| {
        let points = (0..points).map(|index| 900.0 + (index as f64 / 31.0).sin() * 200.0).collect();
        Arc::new(Series { metric, label, points })
    };
    let of_brokers = snapshot.brokers.iter().flat_map(|broker| {
        [
            Metric::MessagesInPerS,
            Metric::BytesInPerS,
            Metric::BytesOutPerS,
            Metric::ProduceP50Ms,
            Metric::ProduceP99Ms,
            Metric::FetchP50Ms,
            Metric::FetchP99Ms,
        ]
        .map(|metric| one(metric, broker.id.to_string()))
    });
    let of_groups = snapshot.groups.iter().map(|group| one(Metric::GroupLag, group.id.to_string()));
    SeriesStore { at_ms, series: of_brokers.chain(of_groups).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_is_another_one() {
        let mut busy = Busy::new(3, 20);
        let first = busy.turn();
        assert_eq!((first.snapshot.totals.partitions, first.snapshot.groups.len()), (200, GROUPS));
        assert_eq!(first.snapshot.totals.under_replicated_partitions, 10);
        let second = busy.turn();
        let end = |view: &View| view.snapshot.topics[0].partitions[0].high_watermark;
        assert!(end(&second) > end(&first) && !first.logs.is_same(&second.logs));
        assert!(second.cloudwatch.store.len() > 1_000 && second.metrics[&1].series.len() > 200);
        assert_eq!(second.logs.lines.next_seq(), first.logs.lines.next_seq() + LINES as u64);
    }
}
