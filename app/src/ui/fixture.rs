//! Views for tests and for the gallery: a cluster in the middle of an incident, one that is well, one that is empty, one that is huge.
//! The program itself uses nothing of this: tests do, the benchmark and the gallery.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::metadata::report::{BrokerCounters, NodeState};

pub use super::fixture_busy::{Busy, EVERY_MS};
use super::fixture_events::{incident_events, start_events};
use super::{fixture_brokers, fixture_cloudwatch, fixture_logs, fixture_tape};
use crate::monitor::cloudwatch::watch::CloudwatchView;
use crate::monitor::command::{Command, FaultKind, FaultRequest};
use crate::monitor::inquiry::Query;
use crate::monitor::ledger::LedgerView;
use crate::monitor::logs::LogsView;
use crate::monitor::snapshot::{
    ActiveFault, AssignedPartition, Broker, Group, GroupOffset, Member, Membership, Observer, Partition, Quorum, Rates,
    SharedOffset, Snapshot, Topic, Totals, Voter,
};
use crate::monitor::view::{Metric, SERIES_POINTS_KEPT, Series, SeriesStore, View};
use crate::ui::backend::Backend;

pub use super::fixture_cloudwatch::math_alarm;
pub use super::fixture_messages::{reading, with_records};

/// When all fixtures happen.
pub const AT_MS: i64 = 1_790_000_000_000;
/// When broker 2 was killed in [`incident`].
pub(super) const KILLED_MS: i64 = AT_MS - 95_000;

/// A small deterministic noise source.
pub(super) struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

/// Broker 2 is killed, broker 3 is behind on two partitions, an unreplicated topic is offline, a group falls behind.
pub fn incident() -> View {
    let mut topics = vec![
        topic("audit", 3, 1, 1, 40_000),
        topic("clicks", 24, 3, 2, 9_400_000),
        topic("demo", 6, 3, 2, 610_000),
        topic("orders", 12, 3, 2, 2_310_000),
        topic("payments", 6, 3, 3, 880_000),
        topic("__consumer_offsets", 50, 3, 2, 12_000),
    ];
    for topic in &mut topics {
        for partition in &mut topic.partitions {
            kill_broker(partition, 2);
        }
    }
    for index in [4, 11] {
        let partition = &mut topics[1].partitions[index];
        partition.isr.retain(|id| *id != 3);
        if partition.leader == 3 {
            partition.leader = 1;
            partition.leader_epoch += 1;
        }
        let end = partition.log_end_offsets[&partition.leader];
        partition.log_end_offsets.insert(3, end - 48_211 - index as i64 * 913);
    }
    finish(topics, true)
}

/// Everything runs.
pub fn healthy() -> View {
    let topics = vec![
        topic("clicks", 24, 3, 2, 9_400_000),
        topic("demo", 6, 3, 2, 610_000),
        topic("orders", 12, 3, 2, 2_310_000),
        topic("__consumer_offsets", 50, 3, 2, 12_000),
    ];
    finish(topics, false)
}

/// A cluster that has just started: nodes, and nothing on them.
pub fn empty() -> View {
    let mut view = finish(Vec::new(), false);
    let snapshot = Arc::make_mut(&mut view.snapshot);
    snapshot.groups.clear();
    snapshot.workloads.clear();
    view.ledger = LedgerView::default();
    snapshot.totals.rates = Rates::default();
    for broker in &mut snapshot.brokers {
        broker.rates = Rates::default();
        broker.log_size_bytes = 0;
    }
    view.series = Arc::new(SeriesStore::default());
    view.cloudwatch = CloudwatchView::default();
    view.logs = LogsView::default();
    let events = view.events.iter().take(4).cloned().collect();
    view.events = Arc::new(events);
    view
}

/// As many topics as wished, each with `partitions` partitions.
pub fn large(topics: usize, partitions: i32) -> View {
    let mut made: Vec<Topic> =
        (0..topics).map(|index| topic(&format!("service-{index:04}.events"), partitions, 3, 2, 10_000)).collect();
    for topic in made.iter_mut().step_by(40) {
        for partition in topic.partitions.iter_mut().filter(|partition| partition.leader != 3) {
            partition.isr.retain(|id| *id != 3);
            partition.log_end_offsets.insert(3, partition.high_watermark - 2_300 - i64::from(partition.id) * 411);
        }
    }
    let mut view = finish(made, false);
    view.logs.lines = fixture_logs::flood();
    view
}

fn topic(name: &str, partitions: i32, replication_factor: usize, min_isr: i32, records: i64) -> Topic {
    let mut noise = Noise(name.len() as u64 + records as u64);
    let internal = name.starts_with("__");
    let partitions: Vec<Partition> = (0..partitions)
        .map(|id| {
            let replicas: Vec<i32> = (0..replication_factor as i32).map(|step| (id + step) % 3 + 1).collect();
            let end = (records as f64 * (0.85 + 0.3 * noise.next())) as i64;
            let start = (records / 12).min(end);
            Partition {
                id,
                leader: replicas[0],
                leader_epoch: 3 + id % 3,
                isr: replicas.clone(),
                log_start_offset: start,
                high_watermark: end,
                last_stable_offset: end,
                log_end_offsets: replicas.iter().map(|replica| (*replica, end)).collect(),
                size_bytes: (end - start) as u64 * 214,
                replicas,
                ..Partition::default()
            }
        })
        .collect();
    let size_bytes = partitions.iter().map(|partition| partition.size_bytes * partition.replicas.len() as u64).sum();
    let rate = if internal { 4.0 } else { records as f64 / 2_400.0 };
    Topic {
        name: name.into(),
        topic_id: "p8nVZ1HdQ3y0vQk0f3rKxA".into(),
        internal,
        partitions,
        min_insync_replicas: min_isr,
        size_bytes,
        messages_in_per_s: rate,
        bytes_in_per_s: rate * 214.0,
    }
}

/// What a kill leaves behind: another leader where there is one, a smaller ISR, an eligible leader replica where min ISR is missed.
fn kill_broker(partition: &mut Partition, broker: i32) {
    if !partition.replicas.contains(&broker) {
        return;
    }
    let end = partition.high_watermark;
    partition.isr.retain(|id| *id != broker);
    partition.log_end_offsets.insert(broker, end - 12_400 - i64::from(partition.id) * 37);
    if partition.leader == broker {
        partition.leader = partition.isr.first().copied().unwrap_or(-1);
        partition.leader_epoch += 1;
    }
    if partition.isr.is_empty() {
        partition.elr = vec![broker];
    }
}

fn finish(topics: Vec<Topic>, broken: bool) -> View {
    let brokers: Vec<Broker> = (1..=3).map(|id| broker(id, &topics, broken)).collect();
    let totals = totals(&topics, &brokers);
    let events = if broken { incident_events() } else { start_events() };
    let snapshot = Snapshot {
        membership: Membership::default(),
        settings: fixture_brokers::settings(),
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(),
        profile: "lab".into(),
        sequence: 812,
        at_ms: AT_MS,
        quorum: quorum(broken),
        image: Arc::new(super::fixture_quorum::image(&topics, &brokers)),
        brokers,
        groups: groups(&topics, broken).into_iter().map(Arc::new).collect(),
        topics: topics.into_iter().map(Arc::new).collect(),
        totals,
        workloads: match broken {
            true => super::fixture_load::with_a_crash(AT_MS),
            false => super::fixture_load::workloads(AT_MS),
        },
        past_faults: Arc::default(),
        scripts: Arc::default(),
        faults: if broken {
            vec![ActiveFault {
                id: 7,
                kind: "kill".into(),
                node_id: 2,
                node_ids: vec![2],
                what: "broker 2 is killed".into(),
                since_ms: KILLED_MS,
                until_ms: None,
                request: Arc::new(FaultRequest { broker: Some(2), ..FaultRequest::new(FaultKind::Kill) }),
            }]
        } else {
            Vec::new()
        },
        client_metrics: Vec::new(),
    };
    View {
        inquiries: super::fixture_wire::with_trace(super::fixture_quorum::answers(&snapshot, broken)),
        groups: super::fixture_groups::view(&snapshot, broken),
        metrics: Arc::new(fixture_brokers::metrics(&snapshot)),
        connections: Arc::new(super::fixture_wire::connections(&snapshot)),
        snapshot: Arc::new(snapshot),
        series: Arc::new(series(broken)),
        events: Arc::new(events),
        cloudwatch: fixture_cloudwatch::view(broken),
        logs: fixture_logs::view(broken),
        ledger: if broken { super::fixture_ledger::broken(AT_MS) } else { super::fixture_ledger::kept() },
        ..View::default()
    }
}

fn broker(id: i32, topics: &[Topic], broken: bool) -> Broker {
    let down = broken && id == 2;
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let held = || partitions().filter(move |partition| partition.replicas.contains(&id));
    let share = [1.0, 0.9, 1.1][(id as usize - 1) % 3] * if broken { 1.4 } else { 1.0 };
    let rates = Rates {
        messages_in_per_s: 2_140.0 * share,
        bytes_in_per_s: 1_480_000.0 * share,
        bytes_out_per_s: 2_910_000.0 * share,
        // Each byte that is written is fetched by two followers.
        replication_in_per_s: 2_960_000.0 / share,
        replication_out_per_s: 2_960_000.0 * share,
        requests_per_s: 318.0 * share,
        produce_p50_ms: 1.4 * share,
        produce_p99_ms: 8.9 * share,
        fetch_p50_ms: 12.0,
        fetch_p99_ms: 501.0,
    };
    Broker {
        id,
        rack: Some(["a", "b", "c"][(id as usize - 1) % 3].into()),
        host: "127.0.0.1".into(),
        port: 9091 + id as u16,
        state: if down { NodeState::Killed } else { NodeState::Running },
        fenced: down,
        epoch: 9 + i64::from(id) * 4,
        leaders: partitions().filter(|partition| partition.leader == id).count(),
        replicas: held().count(),
        offline_log_dirs: Vec::new(),
        out_of_sync_replicas: held().filter(|partition| !partition.isr.contains(&id)).count(),
        log_size_bytes: held().map(|partition| partition.size_bytes).sum(),
        counters: BrokerCounters { connections: if down { 0 } else { 9 }, ..BrokerCounters::default() },
        rates: if down { Rates::default() } else { rates },
    }
}

fn totals(topics: &[Topic], brokers: &[Broker]) -> Totals {
    let partitions =
        || topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)));
    let sum = |pick: fn(&Rates) -> f64| brokers.iter().map(|broker| pick(&broker.rates)).sum();
    let worst = |pick: fn(&Rates) -> f64| brokers.iter().map(|broker| pick(&broker.rates)).fold(0.0, f64::max);
    Totals {
        topics: topics.len(),
        partitions: partitions().count(),
        replicas: partitions().map(|(_, partition)| partition.replicas.len()).sum(),
        under_replicated_partitions: partitions().filter(|(_, partition)| partition.is_under_replicated()).count(),
        under_min_isr_partitions: partitions()
            .filter(|(topic, partition)| (partition.isr.len() as i32) < topic.min_insync_replicas)
            .count(),
        offline_partitions: partitions().filter(|(_, partition)| partition.is_offline()).count(),
        active_controllers: 1,
        log_size_bytes: brokers.iter().map(|broker| broker.log_size_bytes).sum(),
        total_lag: 0,
        rates: Rates {
            messages_in_per_s: sum(|rates| rates.messages_in_per_s),
            bytes_in_per_s: sum(|rates| rates.bytes_in_per_s),
            bytes_out_per_s: sum(|rates| rates.bytes_out_per_s),
            replication_in_per_s: sum(|rates| rates.replication_in_per_s),
            replication_out_per_s: sum(|rates| rates.replication_out_per_s),
            requests_per_s: sum(|rates| rates.requests_per_s),
            produce_p50_ms: worst(|rates| rates.produce_p50_ms),
            produce_p99_ms: worst(|rates| rates.produce_p99_ms),
            fetch_p50_ms: worst(|rates| rates.fetch_p50_ms),
            fetch_p99_ms: worst(|rates| rates.fetch_p99_ms),
        },
    }
}

fn quorum(broken: bool) -> Quorum {
    let voter = |id: i32, log_end_offset| Voter {
        id,
        state: NodeState::Running,
        role: if id == 3001 { "leader" } else { "follower" }.into(),
        log_end_offset,
        epoch: 4,
        high_watermark: 18_933,
        leader_id: 3001,
        voted_for: 3001,
        fetched_ago_ms: (id != 3001).then_some(140),
    };
    let observer = |id: i32| Observer {
        id,
        log_end_offset: if broken && id == 2 { 18_204 } else { 18_933 },
        fetched_ago_ms: Some(if broken && id == 2 { 94_000 } else { 120 }),
    };
    Quorum {
        leader_id: 3001,
        epoch: 4,
        high_watermark: 18_933,
        voters: vec![voter(3000, 18_933), voter(3001, 18_934), voter(3002, 18_933)],
        observers: vec![observer(1), observer(2), observer(3)],
        kraft_version: 1,
    }
}

fn groups(topics: &[Topic], broken: bool) -> Vec<Group> {
    let mut groups = Vec::new();
    let shapes: [(&str, &'static str, &str, usize, i64); 7] = [
        ("billing", "Stable", "orders", 2, if broken { 18_400 } else { 12 }),
        ("demo-readers", "Stable", "demo", 2, 41),
        ("fraud-check", "PreparingRebalance", "payments", 3, if broken { 2_960 } else { 9 }),
        ("search-indexer", "Empty", "clicks", 0, if broken { 51_200 } else { 0 }),
        ("warehouse", "Stable", "clicks", 6, 130),
        ("word-count", if broken { "NotReady" } else { "Stable" }, "orders", 2, 18),
        ("zz-workers", "Stable", "payments", 3, 240),
    ];
    for (index, (id, state, topic_name, members, lag)) in shapes.into_iter().enumerate() {
        let kind = match id {
            "word-count" => "streams",
            "zz-workers" => "share",
            _ => "classic",
        };
        let Some(topic) = topics.iter().find(|topic| &*topic.name == topic_name) else { continue };
        let mut noise = Noise(index as u64 + 77);
        let offsets: Vec<GroupOffset> = topic
            .partitions
            .iter()
            .map(|partition| {
                let lag = ((lag as f64) * (0.2 + noise.next() * noise.next() * 2.0)) as i64;
                GroupOffset {
                    topic: topic.name.clone(),
                    partition: partition.id,
                    committed_offset: partition.high_watermark - lag,
                    lag,
                    lag_ms: (lag > 0).then_some(lag * 3 + 40),
                }
            })
            .collect();
        let shared = |offset: &GroupOffset| SharedOffset {
            topic: offset.topic.clone(),
            partition: offset.partition,
            start_offset: offset.committed_offset - 40,
            lag: offset.lag,
            lag_ms: offset.lag_ms,
        };
        let (offsets, shared) = match kind {
            "share" => (Vec::new(), offsets.iter().map(shared).collect()),
            _ => (offsets, Vec::new()),
        };
        let members = (0..members).map(|member| Member {
            id: format!("{id}-{member}-5b0c3f7e-91d4-4c1e-9b7a-{:012x}", 0x51ab_77e0_u64 * (member as u64 + 3)),
            client_id: format!("{id}-{member}"),
            host: "127.0.0.1".into(),
            assignment: if state == "PreparingRebalance" {
                Vec::new()
            } else {
                let held = topic.partitions.iter().filter(|partition| partition.id as usize % members == member);
                held.map(|partition| AssignedPartition { topic: topic.name.clone(), partition: partition.id }).collect()
            },
            topics: vec![topic.name.clone()],
            ..Member::default()
        });
        groups.push(Group {
            id: id.into(),
            kind,
            state,
            generation: 7 + index as i32,
            protocol: match kind {
                "streams" => "sticky".into(),
                "share" => "simple".into(),
                _ if state == "Empty" => String::new(),
                _ => "range".into(),
            },
            coordinator: if broken && index % 3 == 1 { 3 } else { index as i32 % 3 + 1 },
            members: members.collect(),
            total_lag: offsets.iter().map(|offset| offset.lag).sum(),
            offsets,
            shared,
        });
    }
    groups
}

fn series(broken: bool) -> SeriesStore {
    let points = SERIES_POINTS_KEPT;
    let at_ms: VecDeque<i64> = (0..points).map(|index| AT_MS - (points - 1 - index) as i64 * 1000).collect();
    let mut store = SeriesStore { at_ms, series: Vec::new() };
    let killed = |at_ms: i64| broken && at_ms >= KILLED_MS;
    for id in 1..=3_i64 {
        let scale = [1.0, 0.9, 1.1][id as usize - 1];
        let traffic = |at_ms: i64, high: f64, noise: f64| match (killed(at_ms), id) {
            (true, 2) => f64::NAN,
            (true, _) => high * scale * 1.4 * noise,
            _ => high * scale * noise,
        };
        let wave = |at_ms: i64, noise: f64| 0.82 + 0.14 * ((at_ms - AT_MS) as f64 / 97_000.0).sin() + 0.09 * noise;
        let mut add = |metric, seed: u64, value: &dyn Fn(i64, f64) -> f64| {
            let mut noise = Noise(seed * 31 + id as u64);
            let points = store.at_ms.iter().map(|at_ms| value(*at_ms, noise.next())).collect();
            store.series.push(Arc::new(Series { metric, label: id.to_string(), points }));
        };
        add(Metric::MessagesInPerS, 1, &|at, n| traffic(at, 2_140.0, wave(at, n)));
        add(Metric::BytesInPerS, 2, &|at, n| traffic(at, 1_480_000.0, wave(at, n)));
        add(Metric::BytesOutPerS, 3, &|at, n| traffic(at, 2_910_000.0, wave(at, n)));
        let spike = move |at_ms: i64| if killed(at_ms) && at_ms < KILLED_MS + 9_000 { 26.0_f64 } else { 1.0 };
        add(Metric::ProduceP50Ms, 4, &|at, n| traffic(at, 1.4, 0.9 + 0.3 * n) * spike(at).sqrt());
        add(Metric::ProduceP99Ms, 5, &|at, n| traffic(at, 8.9, 0.8 + 0.8 * n * n) * spike(at));
        add(Metric::FetchP50Ms, 6, &|at, n| traffic(at, 12.0, 0.8 + 0.4 * n));
        add(Metric::FetchP99Ms, 7, &|at, n| if killed(at) && id == 2 { f64::NAN } else { 480.0 + 28.0 * n });
    }
    for (metric, while_broken) in [
        (Metric::UnderReplicatedPartitions, 99.0),
        (Metric::UnderMinIsrPartitions, 9.0),
        (Metric::OfflinePartitions, 1.0),
    ] {
        let value = |at_ms: i64| {
            if killed(at_ms - 1_600) {
                while_broken
            } else if broken
                && metric == Metric::UnderReplicatedPartitions
                && (AT_MS - 520_000..AT_MS - 490_000).contains(&at_ms)
            {
                11.0
            } else {
                0.0
            }
        };
        let points = store.at_ms.iter().map(|at_ms| value(*at_ms)).collect();
        store.series.push(Arc::new(Series { metric, label: String::new(), points }));
    }
    for (seed, (group, steady, growth)) in [
        ("billing", 140.0, 830.0),
        ("demo-readers", 41.0, 0.0),
        ("fraud-check", 60.0, 160.0),
        ("search-indexer", 300_000.0, 4_200.0),
        ("warehouse", 130.0, 0.0),
    ]
    .into_iter()
    .enumerate()
    {
        let mut noise = Noise(seed as u64 + 900);
        let value = |at_ms: i64, noise: f64| {
            let since = if broken { (at_ms - KILLED_MS).max(0) as f64 / 1000.0 } else { 0.0 };
            steady * (0.94 + 0.12 * noise) + since * growth
        };
        let points = store.at_ms.iter().map(|at_ms| value(*at_ms, noise.next())).collect();
        store.series.push(Arc::new(Series { metric: Metric::GroupLag, label: group.into(), points }));
    }
    store
}

/// What the program would answer to a question about files, answered once in that view.
pub fn answer(view: &mut View, command: &Command) {
    if let Command::Inquire(query @ Query::Tape(wish)) = command
        && view.inquiries.get(query).is_none()
    {
        let answer = fixture_tape::answer(wish, &view.snapshot);
        view.inquiries.answer(query, AT_MS, answer);
    }
}

/// A backend that shows one view, until it is given another, and keeps what it was sent; asked for the files of a log, it has some.
#[derive(Clone, Debug, Default)]
pub struct Still {
    /// The view.
    pub view: View,
    /// What was sent, oldest first.
    pub sent: Arc<std::sync::Mutex<Vec<Command>>>,
    /// What is shown from now on.
    pub next: Arc<std::sync::Mutex<Option<View>>>,
}

impl Still {
    /// Shows `view`.
    pub fn new(view: View) -> Still {
        Still { view, ..Still::default() }
    }
}

impl Backend for Still {
    fn view(&mut self) -> View {
        if let Ok(mut next) = self.next.lock() {
            self.view = next.take().unwrap_or(std::mem::take(&mut self.view));
        }
        let view = self.view.clone();
        self.view.notices.clear();
        view
    }

    fn send(&mut self, command: Command) {
        answer(&mut self.view, &command);
        if let Ok(mut sent) = self.sent.lock() {
            sent.push(command);
        }
    }
}
