//! Snapshots in, data out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use broker::metadata::report::{BrokerCounters, NodeState, RequestCounters};
use broker::metrics::{
    Bean, HistogramReading, Label, MeterReading, MetricsReport, Reading, Series, Shape, Source, Unit,
};
use broker::types::{Id, Now};

use super::catalog::{self, Level};
use super::measure::Measure;
use crate::monitor::fault::{FaultKind, FaultRequest};
use crate::monitor::host::{CpuTicks, HostReading, MachineTicks, Volume};
use crate::monitor::snapshot::{
    ActiveFault, Broker, Group, GroupOffset, Partition, Quorum, Rates, Snapshot, Topic, Totals, Voter,
};

fn at(second: u64) -> Now {
    Now { mono: Duration::from_secs(second), wall_ms: 1_000_000_000 + second as i64 * 1000 }
}

fn broker(id: i32, counters: BrokerCounters) -> Broker {
    Broker {
        id,
        rack: None,
        host: "127.0.0.1".into(),
        port: 9092,
        state: NodeState::Running,
        fenced: false,
        epoch: 1,
        leaders: 2,
        replicas: 5,
        offline_log_dirs: Vec::new(),
        out_of_sync_replicas: 0,
        log_size_bytes: 300,
        counters,
        rates: Rates::default(),
    }
}

fn counters(messages: u64, produced: u64) -> BrokerCounters {
    BrokerCounters {
        messages_in: messages,
        bytes_in: messages * 10,
        bytes_out: messages * 20,
        connections: 3,
        connections_total: messages / 100,
        requests: vec![RequestCounters {
            api: "Produce",
            count: produced,
            total_time_us: produced * 1500,
            ..RequestCounters::default()
        }],
        topics: vec![("t".into(), messages, messages * 10, messages * 20)],
        ..BrokerCounters::default()
    }
}

fn snapshot(brokers: Vec<Broker>) -> Snapshot {
    let partition = |leader, isr: &[i32]| Partition {
        leader,
        replicas: vec![1, 2, 3],
        isr: isr.to_vec(),
        size_bytes: 50,
        ..Partition::default()
    };
    let topic = Topic {
        name: "t".into(),
        topic_id: String::new(),
        internal: false,
        partitions: vec![partition(1, &[1, 2, 3]), partition(1, &[1]), partition(2, &[2, 3]), partition(-1, &[3])],
        min_insync_replicas: 2,
        size_bytes: 0,
        messages_in_per_s: 0.0,
        bytes_in_per_s: 0.0,
    };
    let voter = |id, role: &str, state| Voter {
        id,
        state,
        role: role.into(),
        log_end_offset: 0,
        leader_id: 3000,
        epoch: 1,
        high_watermark: 0,
        voted_for: 3000,
        fetched_ago_ms: None,
    };
    let offset =
        |partition, lag, lag_ms| GroupOffset { topic: "t".into(), partition, committed_offset: 1, lag, lag_ms };
    let group = |id: &str, kind, state, offsets: Vec<GroupOffset>| {
        Arc::new(Group {
            id: id.into(),
            kind,
            state,
            generation: 1,
            protocol: String::new(),
            coordinator: 1,
            members: Vec::new(),
            total_lag: offsets.iter().map(|offset| offset.lag).sum(),
            shared: Vec::new(),
            offsets,
        })
    };
    Snapshot {
        brokers,
        topics: vec![Arc::new(topic)],
        quorum: Quorum {
            voters: vec![
                voter(3000, "leader", NodeState::Running),
                voter(3001, "follower", NodeState::Running),
                voter(3002, "offline", NodeState::Killed),
            ],
            ..Quorum::default()
        },
        groups: vec![
            group("g", "classic", "Stable", vec![offset(0, 5, Some(1500)), offset(1, 7, Some(4000))]),
            group("unknown-age", "consumer", "Empty", vec![offset(0, 5, None), offset(1, 0, Some(0))]),
            group("moving", "classic", "PreparingRebalance", vec![offset(0, 5, Some(0))]),
            group("sharing", "share", "Stable", vec![offset(0, 5, Some(0))]),
        ],
        totals: Totals { topics: 1, partitions: 4, offline_partitions: 1, log_size_bytes: 900, ..Totals::default() },
        ..Snapshot::default()
    }
}

fn host(second: u64, available: u64) -> HostReading {
    let ticks = |thread, user, system| CpuTicks { thread, user, system };
    HostReading {
        threads: [(1, ticks(10, 100 + 20 * second, 30 * second)), (2, ticks(20 + second / 3, 40, 2))].into(),
        machine: Some(MachineTicks { io_wait: 5 * second, total: 100 * second }),
        root: Some(Volume { used: 30, available: 70 }),
        data: Some(Volume { used: 1, available }),
        app_logs: [(2, 100)].into(),
        ..HostReading::default()
    }
}

type Data = BTreeMap<String, Vec<f64>>;

fn data(measure: &mut Measure, second: u64, snapshot: &Snapshot, level: Level) -> Data {
    let readings = measure.look(at(second), snapshot, &BTreeMap::new(), host(second, 700));
    let mut all = Data::new();
    for datum in catalog::data(&"c".into(), level, &readings) {
        assert!(catalog::definition(&datum.key).is_some(), "{:?}", datum.key);
        all.entry(datum.key.to_string()).or_default().push(datum.value);
    }
    all
}

#[test]
fn states_become_data() {
    let brokers = vec![broker(1, counters(0, 0)), broker(2, counters(0, 0))];
    let data = data(&mut Measure::default(), 1, &snapshot(brokers), Level::PerTopicPerPartition);
    for (key, values) in [
        ("ActiveControllerCount", &[1.0, 0.0][..]),
        ("OfflinePartitionsCount", &[1.0]),
        ("GlobalPartitionCount", &[4.0]),
        ("GlobalTopicCount", &[1.0]),
        ("KafkaDataLogsDiskUsed", &[56.25]),
        ("StorageUsed", &[200.0]),
        ("KafkaDataLogsDiskUsed of broker 1", &[30.0]),
        ("KafkaAppLogsDiskUsed of broker 1", &[0.0]),
        ("KafkaAppLogsDiskUsed of broker 2", &[12.5]),
        ("RootDiskUsed of broker 2", &[30.0]),
        ("PartitionCount of broker 1", &[5.0]),
        ("LeaderCount of broker 1", &[2.0]),
        ("UnderMinIsrPartitionCount of broker 1", &[1.0]),
        ("UnderMinIsrPartitionCount of broker 2", &[0.0]),
        ("UnderReplicatedPartitions of broker 1", &[1.0]),
        ("UnderReplicatedPartitions of broker 2", &[1.0]),
        ("UserPartitionExists of broker 1", &[1.0]),
        ("ConnectionCount of broker 1", &[3.0]),
        ("SumOffsetLag of group g, topic t", &[12.0]),
        ("MaxOffsetLag of group g, topic t", &[7.0]),
        ("EstimatedMaxTimeLag of group g, topic t", &[4.0]),
        ("RollingEstimatedTimeLagMax of group g, topic t", &[4.0]),
        ("OffsetLag of group g, topic t, partition 1", &[7.0]),
        ("EstimatedTimeLag of group g, topic t, partition 0", &[1.5]),
        ("SumOffsetLag of group unknown-age, topic t", &[5.0]),
    ] {
        assert_eq!(data.get(key).map(Vec::as_slice), Some(values), "{key}");
    }
    // What is not known is not there: rates on the first look, ages of what came before, groups that rebalance or share.
    for absent in [
        "BytesInPerSec of broker 1",
        "CpuUser of broker 1",
        "ProduceTotalTimeMsMean of broker 1",
        "EstimatedMaxTimeLag of group unknown-age, topic t",
        "SumOffsetLag of group moving, topic t",
        "SumOffsetLag of group sharing, topic t",
    ] {
        assert!(!data.contains_key(absent), "{absent}");
    }
}

#[test]
fn that_no_controller_is_active_is_known_unless_they_start() {
    for (state, expected) in [(NodeState::Killed, Some(&[0.0][..])), (NodeState::Starting, None)] {
        let mut snapshot = snapshot(Vec::new());
        snapshot.quorum.voters.iter_mut().for_each(|voter| voter.state = state);
        let data = data(&mut Measure::default(), 1, &snapshot, Level::Default);
        assert_eq!(data.get("ActiveControllerCount").map(Vec::as_slice), expected);
    }
}

#[test]
fn levels_include_each_other() {
    let brokers = || vec![broker(1, counters(100, 0))];
    let keys = Level::all().map(|level| {
        let mut measure = Measure::default();
        data(&mut measure, 1, &snapshot(brokers()), level);
        data(&mut measure, 2, &snapshot(brokers()), level).into_keys().collect::<std::collections::BTreeSet<_>>()
    });
    assert!(keys.windows(2).all(|pair| pair[0].is_subset(&pair[1]) && pair[0] != pair[1]));
    assert!(
        !keys[0].contains("ConnectionCreationRate of broker 1")
            && keys[1].contains("ConnectionCreationRate of broker 1")
    );
    assert!(!keys[1].contains("MessagesInPerSec of broker 1, topic t"));
    assert!(keys[2].contains("MessagesInPerSec of broker 1, topic t"));
    assert!(keys[0].contains("BytesInPerSec of broker 1, topic t"));
}

/// Each row: (second, counters' messages and produce requests, state, messages per second, ms per produce request).
#[test]
fn counters_become_rates() {
    use NodeState::{Killed, Paused, Running};
    let mut measure = Measure::default();
    for (second, messages, produced, state, rate, time_ms) in [
        (1, 1000, 10, Running, None, None),
        (2, 1300, 12, Running, Some(300.0), Some(1.5)),
        (4, 1300, 12, Running, Some(0.0), None),
        (5, 1300, 12, Paused, None, None),
        (6, 1300, 12, Paused, None, None),
        (7, 1400, 13, Running, Some(100.0), Some(1.5)),
        (8, 1400, 13, Killed, None, None),
        // It runs again; it has told nothing yet, then counts from 0.
        (9, 1400, 13, Running, Some(0.0), None),
        (10, 200, 2, Running, Some(200.0), Some(1.5)),
    ] {
        let broker = Broker { state, ..broker(1, counters(messages, produced)) };
        let data = data(&mut measure, second, &snapshot(vec![broker]), Level::PerTopicPerBroker);
        let value = |key: &str| data.get(key).map(|values| values[0]);
        assert_eq!(value("MessagesInPerSec of broker 1"), rate, "at {second}");
        assert_eq!(value("BytesInPerSec of broker 1"), rate.map(|rate| rate * 10.0));
        assert_eq!(value("BytesOutPerSec of broker 1, topic t"), rate.map(|rate| rate * 20.0));
        assert_eq!(value("ProduceTotalTimeMsMean of broker 1"), time_ms, "at {second}");
        assert_eq!(value("ConnectionCreationRate of broker 1"), rate.map(|rate| rate / 100.0));
    }
}

#[test]
fn cpu_is_that_of_the_brokers_thread() {
    let mut measure = Measure::default();
    let brokers = || vec![broker(1, counters(0, 0)), broker(2, counters(0, 0))];
    data(&mut measure, 1, &snapshot(brokers()), Level::PerBroker);
    let second = data(&mut measure, 2, &snapshot(brokers()), Level::PerBroker);
    assert_eq!(second["CpuUser of broker 1"], [20.0]);
    assert_eq!(second["CpuSystem of broker 1"], [30.0]);
    assert_eq!(second["CpuIdle of broker 1"], [50.0]);
    assert_eq!(second["CpuIoWait of broker 1"], [5.0]);
    assert_eq!(second["CpuCreditUsage of broker 1"], [0.5 / 60.0]);
    assert_eq!(second["CpuUser of broker 2"], [0.0]);
    // Its next thread began at 0.
    assert_eq!(data(&mut measure, 3, &snapshot(brokers()), Level::PerBroker)["CpuUser of broker 2"], [40.0]);
}

#[test]
fn a_full_disk_is_full_for_its_broker_only() {
    let mut snapshot = snapshot(vec![broker(1, counters(0, 0)), broker(2, counters(0, 0))]);
    snapshot.faults = vec![ActiveFault {
        id: 1,
        kind: "disk_full".into(),
        node_id: 2,
        node_ids: vec![2],
        what: String::new(),
        since_ms: 0,
        until_ms: None,
        request: Arc::new(FaultRequest::new(FaultKind::DiskFull)),
    }];
    let data = data(&mut Measure::default(), 1, &snapshot, Level::Default);
    assert_eq!(data["KafkaDataLogsDiskUsed of broker 1"], [30.0]);
    assert_eq!(data["KafkaDataLogsDiskUsed of broker 2"], [100.0]);
}

#[test]
fn rolling_lag_follows_slowly() {
    let mut measure = Measure::default();
    let with_lag = |ms| {
        let mut snapshot = snapshot(Vec::new());
        let mut group = Group::clone(&snapshot.groups[0]);
        group.offsets.iter_mut().for_each(|offset| offset.lag_ms = Some(ms));
        snapshot.groups = vec![Arc::new(group)];
        snapshot
    };
    let key = "RollingEstimatedTimeLagMax of group g, topic t";
    assert_eq!(data(&mut measure, 0, &with_lag(10_000), Level::Default)[key], [10.0]);
    let later = data(&mut measure, 60, &with_lag(0), Level::Default)[key][0];
    assert!((later - 10.0 / std::f64::consts::E).abs() < 1e-9, "{later}");
}

const fn bean(kind: &'static str, name: &'static str, shape: Shape) -> Bean {
    Bean { domain: "", kind, name, keys: &["request"], shape, unit: Unit::Count, source: Source::Broker, help: "" }
}

static LOCAL_TIME: Bean = bean("RequestMetrics", "LocalTimeMs", Shape::Histogram);
static BYTES: Bean = bean("RequestMetrics", "RequestBytes", Shape::Histogram);
static NETWORK_IDLE: Bean = bean("SocketServer", "NetworkProcessorAvgIdlePercent", Shape::Gauge);
static HANDLER_IDLE: Bean = bean("KafkaRequestHandlerPool", "RequestHandlerAvgIdlePercent", Shape::Meter);
static CONVERSIONS: Bean = bean("BrokerTopicMetrics", "ProduceMessageConversionsPerSec", Shape::Meter);
static INCOMING: Bean = bean("socket-server-metrics", "incoming-byte-total", Shape::Total);
static OUTGOING: Bean = bean("socket-server-metrics", "outgoing-byte-total", Shape::Total);

/// So many requests of 4 ms and 100 bytes, and as many bytes as that is through the sockets.
fn report(life: u8, second: u64, requests: u64) -> Arc<MetricsReport> {
    let histogram = |bean, request: &'static str, sum: f64| Series {
        bean,
        labels: Box::new([("request", Label::Fixed(request))]),
        reading: Reading::Histogram(Box::new(HistogramReading { count: requests, sum, ..HistogramReading::default() })),
    };
    let other = |bean, reading| Series { bean, labels: Box::new([]), reading };
    let (time, bytes) = (requests as f64 * 4.0, requests as f64 * 100.0);
    let series = vec![
        histogram(&LOCAL_TIME, "Produce", time),
        histogram(&BYTES, "Produce", bytes),
        histogram(&BYTES, "Fetch", bytes * 3.0),
        histogram(&BYTES, "FetchConsumer", bytes * 3.0),
        other(&NETWORK_IDLE, Reading::Value(0.25)),
        other(&HANDLER_IDLE, Reading::Meter(MeterReading { one_minute_rate: 0.5, ..MeterReading::default() })),
        other(&CONVERSIONS, Reading::Meter(MeterReading { count: requests, ..MeterReading::default() })),
        other(&INCOMING, Reading::Value(bytes)),
        other(&OUTGOING, Reading::Value(bytes * 2.0)),
    ];
    Arc::new(MetricsReport {
        node_id: 1,
        incarnation: Id([life; 16]),
        mono: Duration::from_secs(second),
        series,
        ..MetricsReport::default()
    })
}

#[test]
fn what_brokers_measured_becomes_data() {
    let mut measure = Measure::default();
    let mut look = |life, second, requests| {
        let measured = [(1, report(life, second, requests))].into();
        let snapshot = snapshot(vec![broker(1, counters(0, 0))]);
        let readings = measure.look(at(second), &snapshot, &measured, HostReading::default());
        let name: Arc<str> = "c".into();
        let data = catalog::data(&name, Level::PerBroker, &readings);
        data.map(|datum| (datum.key.to_string(), datum.value)).collect::<BTreeMap<_, _>>()
    };
    let of = |data: &BTreeMap<String, f64>, metric: &str| data.get(&format!("{metric} of broker 1")).copied();
    let first = look(1, 1, 1_000);
    assert_eq!(of(&first, "NetworkProcessorAvgIdlePercent"), Some(25.0));
    assert_eq!(of(&first, "RequestHandlerAvgIdlePercent"), Some(50.0));
    assert_eq!((of(&first, "ProduceLocalTimeMsMean"), of(&first, "TrafficBytes")), (None, None));
    let second = look(1, 2, 1_010);
    assert_eq!(of(&second, "ProduceLocalTimeMsMean"), Some(4.0));
    assert_eq!(of(&second, "ProduceMessageConversionsPerSec"), Some(10.0));
    assert_eq!(of(&second, "RequestBytesMean"), Some(200.0));
    assert_eq!(of(&second, "NetworkRxThroughput"), Some(1_000.0));
    assert_eq!(of(&second, "TrafficBytes"), Some(3_000.0));
    let idle = look(1, 3, 1_010);
    assert_eq!((of(&idle, "ProduceLocalTimeMsMean"), of(&idle, "TrafficBytes")), (None, Some(0.0)));
    // A new life counts from 0.
    let later = look(2, 4, 5);
    assert_eq!((of(&later, "ProduceLocalTimeMsMean"), of(&later, "TrafficBytes")), (Some(4.0), None));
}

#[test]
fn quotas_tell_who_had_to_wait() {
    use broker::metrics::table::quotas as beans;
    let of = |bean, client: Option<&'static str>, value: f64| Series {
        bean,
        labels: client
            .map(|client| [("user", Label::Fixed("")), ("client-id", Label::Fixed(client))])
            .into_iter()
            .flatten()
            .collect(),
        reading: Reading::Value(value),
    };
    let look = |series: Vec<Series>| {
        let report = MetricsReport { node_id: 1, series, ..MetricsReport::default() };
        let measured = [(1, Arc::new(report))].into();
        let snapshot = snapshot(vec![broker(1, counters(0, 0))]);
        let readings = Measure::default().look(at(1), &snapshot, &measured, HostReading::default());
        let name: Arc<str> = "c".into();
        let data: BTreeMap<String, f64> = catalog::data(&name, Level::PerBroker, &readings)
            .map(|datum| (datum.key.metric.to_string(), datum.value))
            .collect();
        let names = [
            "ProduceThrottleByteRate",
            "ProduceThrottleQueueSize",
            "FetchThrottleByteRate",
            "RequestTime",
            "RequestThrottleTime",
            "RequestThrottleQueueSize",
        ];
        names.map(|name| data.get(name).copied())
    };
    let queues = || vec![of(&beans::PRODUCE_QUEUE_SIZE, None, 2.0), of(&beans::REQUEST_QUEUE_SIZE, None, 0.0)];
    assert_eq!(look(queues()), [None, Some(2.0), None, None, None, Some(0.0)], "nobody has a quota");
    let mut series = queues();
    for (client, bytes, wait_ms) in [("a", 1_000.0, 30.0), ("b", 500.0, 0.0), ("c", 70.0, 5.0)] {
        series.push(of(&beans::PRODUCE_BYTE_RATE, Some(client), bytes));
        series.push(of(&beans::PRODUCE_THROTTLE_TIME, Some(client), wait_ms));
    }
    for (client, percent, wait_ms) in [("a", 2.0, 100.0), ("b", 0.5, 50.0), ("c", 0.0, f64::NAN)] {
        series.push(of(&beans::REQUEST_TIME, Some(client), percent));
        series.push(of(&beans::REQUEST_THROTTLE_TIME, Some(client), wait_ms));
    }
    assert_eq!(look(series), [Some(1_070.0), Some(2.0), None, Some(25.0), Some(75.0), Some(0.0)]);
}
