//! Expositions of a small view, of which it is known what they must say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use broker::metadata::report::NodeState;
use broker::metrics::{Bean, Label, MeterReading, MetricsReport, Reading, Series, Shape, Source, table};

use super::detail::Detail;
use super::{Scope, Shown, text};
use crate::monitor::snapshot::{
    AssignedPartition, Broker, Group, GroupOffset, Member, Partition, Quorum, ReplicaLog, Snapshot, Topic, Voter,
};
use crate::monitor::view::View;

fn series(bean: &'static Bean, labels: &[(&'static str, &'static str)], reading: Reading) -> Series {
    Series { bean, labels: labels.iter().map(|(key, value)| (*key, Label::from(*value))).collect(), reading }
}

fn report(node_id: i32, series: Vec<Series>) -> (i32, Arc<MetricsReport>) {
    (node_id, Arc::new(MetricsReport { node_id, series, ..MetricsReport::default() }))
}

fn broker_report(node_id: i32) -> (i32, Arc<MetricsReport>) {
    let meter = |count| Reading::Meter(MeterReading { count, one_minute_rate: 2.5, ..MeterReading::default() });
    report(
        node_id,
        vec![
            series(&table::topics::MESSAGES_IN, &[], meter(100)),
            series(&table::topics::MESSAGES_IN, &[("topic", "t")], meter(60)),
            series(&table::raft::CURRENT_STATE, &[("current_state", "observer")], Reading::Value(1.0)),
        ],
    )
}

fn controller_report(node_id: i32, is_active: bool) -> (i32, Arc<MetricsReport>) {
    let active = if is_active { 1.0 } else { 0.0 };
    report(
        node_id,
        vec![
            series(&table::controller::ACTIVE_CONTROLLER_COUNT, &[], Reading::Value(active)),
            series(&table::controller::GLOBAL_TOPIC_COUNT, &[], Reading::Value(1.0)),
            series(&table::raft::CURRENT_EPOCH, &[], Reading::Value(4.0)),
        ],
    )
}

fn broker(id: i32, state: NodeState) -> Broker {
    Broker {
        id,
        rack: None,
        host: "h".into(),
        port: 9092,
        state,
        fenced: false,
        epoch: 9,
        leaders: 1,
        replicas: 1,
        offline_log_dirs: Vec::new(),
        out_of_sync_replicas: 0,
        log_size_bytes: 0,
        counters: Default::default(),
        rates: Default::default(),
    }
}

fn voter(id: i32, role: &str) -> Voter {
    Voter {
        id,
        state: NodeState::Running,
        role: role.into(),
        log_end_offset: 121,
        leader_id: 3000,
        epoch: 4,
        high_watermark: 120,
        voted_for: 3000,
        fetched_ago_ms: None,
    }
}

/// Brokers 1 and 3 run, 2 is killed; 1 leads the only partition, 2 is out of its ISR.
fn view() -> View {
    let log = |node_id, log_end_offset| ReplicaLog {
        node_id,
        log_start_offset: 1,
        log_end_offset,
        size_bytes: 100 * node_id as u64,
        segments: 2,
        retention_size_percent: 7,
    };
    let partition = Partition {
        id: 0,
        leader: 1,
        replicas: vec![2, 1, 3],
        isr: vec![1, 3],
        log_start_offset: 1,
        high_watermark: 10,
        last_stable_offset: 8,
        logs: vec![log(1, 12), log(2, 5), log(3, 7)],
        ..Partition::default()
    };
    let topic = Topic {
        name: "t".into(),
        topic_id: String::new(),
        internal: false,
        partitions: vec![partition],
        min_insync_replicas: 2,
        size_bytes: 0,
        messages_in_per_s: 0.0,
        bytes_in_per_s: 0.0,
    };
    let member = Member {
        id: "m".into(),
        client_id: "c".into(),
        host: "/127.0.0.1".into(),
        assignment: vec![AssignedPartition { topic: "t".into(), partition: 0 }],
        ..Member::default()
    };
    let group = |id: &str, lag_ms| Group {
        id: id.into(),
        kind: "classic",
        state: "Stable",
        generation: 3,
        protocol: "range".into(),
        coordinator: 1,
        members: vec![member.clone()],
        offsets: vec![GroupOffset { topic: "t".into(), partition: 0, committed_offset: 4, lag: 6, lag_ms }],
        total_lag: 6,
        shared: Vec::new(),
    };
    let quorum =
        Quorum { leader_id: 3000, voters: vec![voter(3000, "leader"), voter(3001, "follower")], ..Quorum::default() };
    let snapshot = Snapshot {
        quorum,
        brokers: vec![broker(1, NodeState::Running), broker(2, NodeState::Killed), broker(3, NodeState::Running)],
        topics: vec![Arc::new(topic)],
        groups: vec![Arc::new(group("g", Some(1500))), Arc::new(group("no:msk", None))],
        ..Snapshot::default()
    };
    // The killed broker's last report may still lie there.
    let reports = [broker_report(1), broker_report(2), controller_report(3000, true), controller_report(3001, false)];
    View { snapshot: Arc::new(snapshot), metrics: Arc::new(reports.into()), ..View::default() }
}

fn shown(view: &View, scope: Scope, detail: Detail) -> Vec<String> {
    let text = text(Shown { view, data_dir: Path::new("."), detail, window_frames: None }, scope).unwrap();
    assert_well_formed(&text);
    text.lines().map(str::to_owned).collect()
}

/// No family and no series twice; each family has help, and its series stand together.
fn assert_well_formed(text: &str) {
    let (mut families, mut seen, mut family) = (BTreeSet::new(), BTreeSet::new(), "");
    let mut helped = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.'), "{line}");
            helped = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
            assert!(families.insert(family) && helped == family, "{line}");
        } else {
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(seen.insert(series), "twice: {line}");
            assert_eq!(series.split('{').next(), Some(family), "{line}");
        }
    }
}

#[test]
fn all_nodes_stand_behind_one_endpoint() {
    let lines = shown(&view(), Scope::Cluster, Detail::PerPartition);
    for line in [
        "# TYPE kafka_server_brokertopicmetrics_messagesin_total counter",
        "kafka_server_brokertopicmetrics_messagesin_total{node_id=\"1\"} 100",
        "kafka_server_brokertopicmetrics_messagesin_total{node_id=\"1\",topic=\"t\"} 60",
        "# TYPE kafka_server_BrokerTopicMetrics_OneMinuteRate untyped",
        "kafka_server_BrokerTopicMetrics_OneMinuteRate{node_id=\"1\",name=\"MessagesInPerSec\",topic=\"t\"} 2.5",
        "kafka_server_raftmetrics_current_state{node_id=\"1\",current_state=\"observer\"} 1",
        "kafka_server_raft_metrics_current_epoch{node_id=\"3001\"} 4",
        // Told by the leader.
        "kafka_cluster_partition_underreplicated{node_id=\"1\",topic=\"t\",partition=\"0\"} 1",
        "kafka_cluster_Partition_Value{node_id=\"1\",name=\"InSyncReplicasCount\",topic=\"t\",partition=\"0\"} 2",
        "kafka_cluster_partition_atminisr{node_id=\"1\",topic=\"t\",partition=\"0\"} 1",
        "kafka_cluster_partition_underminisr{node_id=\"1\",topic=\"t\",partition=\"0\"} 0",
        "kafka_cluster_partition_laststableoffsetlag{node_id=\"1\",topic=\"t\",partition=\"0\"} 2",
        // Told by each that has a replica.
        "kafka_log_log_size{node_id=\"3\",topic=\"t\",partition=\"0\"} 300",
        "kafka_log_Log_Value{node_id=\"1\",name=\"NumLogSegments\",topic=\"t\",partition=\"0\"} 2",
        "kafka_server_fetcherlagmetrics_consumerlag{node_id=\"3\",clientId=\"ReplicaFetcherThread-0-1\",topic=\"t\",partition=\"0\"} 3",
        // Only the active controller tells the cluster's numbers.
        "kafka_controller_kafkacontroller_activecontrollercount{node_id=\"3001\"} 0",
        "kafka_controller_kafkacontroller_globaltopiccount{node_id=\"3000\"} 1",
        "kafka_controller_kafkacontroller_globaltopiccount{node_id=\"3001\"} 0",
        // kafka_exporter, kafka-lag-exporter, MSK.
        "kafka_brokers 3",
        "kafka_topic_partition_leader_is_preferred{topic=\"t\",partition=\"0\"} 0",
        "kafka_consumergroup_lag_sum{consumergroup=\"g\",topic=\"t\"} 6",
        "kafka_consumergroup_members{consumergroup=\"no:msk\"} 1",
        "kafka_consumergroup_group_lag_seconds{cluster_name=\"brokerscope\",group=\"g\",topic=\"t\",partition=\"0\",\
            member_host=\"/127.0.0.1\",consumer_id=\"m\",client_id=\"c\"} 1.5",
        "kafka_consumer_group_ConsumerLagMetrics_Value{name=\"EstimatedMaxTimeLag\",groupId=\"g\",topic=\"t\"} 1.5",
    ] {
        assert!(lines.iter().any(|given| given == line), "{line} is missing in\n{}", lines.join("\n"));
    }
    let text = lines.join("\n");
    assert!(!text.contains("node_id=\"2\""), "a killed broker has no series");
    assert!(!text.contains("groupId=\"no:msk\""), "MSK leaves such a group out");
    assert!(!text.contains("consumerlag{node_id=\"1\""), "a leader follows nobody");
}

#[test]
fn a_node_speaks_for_itself() {
    let broker = shown(&view(), Scope::Broker(1), Detail::PerNode).join("\n");
    assert!(broker.contains("\nkafka_server_brokertopicmetrics_messagesin_total 100\n"), "{broker}");
    assert!(
        broker.contains("kafka_log_log_size{topic=\"t\",partition=\"0\"} 100"),
        "all, whatever the level: {broker}"
    );
    assert!(
        !broker.contains("node_id") && !broker.contains("kafka_consumergroup") && !broker.contains("raft_metrics_")
    );
    let controller = shown(&view(), Scope::Controller(3000), Detail::PerNode).join("\n");
    assert!(controller.contains("\nkafka_controller_kafkacontroller_activecontrollercount 1\n"), "{controller}");
    assert!(!controller.contains("topic="), "{controller}");
    assert!(shown(&view(), Scope::Broker(2), Detail::PerNode).iter().all(|line| !line.contains("kafka_")));
}

#[test]
fn the_cluster_shows_as_much_as_is_asked_for() {
    let counts = [Detail::PerNode, Detail::PerTopic, Detail::PerPartition].map(|detail| {
        let lines = shown(&view(), Scope::Cluster, detail);
        let of = |label: &str| lines.iter().filter(|line| line.contains("node_id") && line.contains(label)).count();
        (of("topic=") - of("partition="), of("partition="))
    });
    assert_eq!(counts[0], (0, 0));
    assert!(counts[1].0 > 0 && counts[1].1 == 0, "{counts:?}");
    assert!(counts[2].0 == counts[1].0 && counts[2].1 > 0, "{counts:?}");
}

/// Every bean of the table, with all its labels, on a broker and a controller: families never clash, and nothing is told twice.
#[test]
fn the_whole_table_is_well_formed() {
    let reading = |bean: &Bean| match bean.shape {
        Shape::Gauge | Shape::Attribute | Shape::Total => Reading::Value(1.0),
        Shape::Meter => Reading::Meter(MeterReading::default()),
        Shape::Histogram => Reading::Histogram(Box::default()),
        Shape::Timer => Reading::Timer(Box::default(), MeterReading::default()),
    };
    let all = table::all().filter(|bean| bean.source != Source::State).map(|bean| {
        let labels: Vec<_> = bean.keys.iter().map(|key| (*key, "x")).collect();
        series(bean, &labels, reading(bean))
    });
    let mut view = view();
    let reports: BTreeMap<_, _> = [report(1, all.collect())].into();
    view.metrics = Arc::new(reports);
    let lines = shown(&view, Scope::Broker(1), Detail::PerPartition);
    let beans = table::all().count();
    assert!(lines.iter().filter(|line| line.starts_with("# TYPE kafka_")).count() > beans, "{} lines", lines.len());
}

/// Prints how long a scrape of 50,000 series takes: `cargo test --release -p brokerscope --lib a_big_cluster -- --nocapture`.
#[test]
fn a_big_cluster_is_written_down() {
    let mut view = view();
    let mut snapshot = (*view.snapshot).clone();
    let topic = &snapshot.topics[0];
    let partitions: Vec<Partition> =
        (0..10).map(|id| Partition { id, leader: 1 + 2 * (id % 2), ..topic.partitions[0].clone() }).collect();
    let topics = (0..140).map(|n| {
        Arc::new(Topic { name: format!("topic-{n:03}").into(), partitions: partitions.clone(), ..(**topic).clone() })
    });
    snapshot.topics = topics.collect();
    view.snapshot = Arc::new(snapshot);
    let began = std::time::Instant::now();
    let text = text(
        Shown { view: &view, data_dir: Path::new("."), detail: Detail::PerPartition, window_frames: None },
        Scope::Cluster,
    )
    .unwrap();
    let took = began.elapsed();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    println!("{series} series, {} kB of text, written in {took:?}", text.len() / 1024);
    assert!(series > 50_000, "{series}");
}

#[test]
fn a_window_tells_its_frames_and_where_there_is_none_nothing_is_told() {
    for (window_frames, line) in [(None, None), (Some(7), Some("brokerscope_window_frames_total 7"))] {
        let view = View::default();
        let shown = Shown { view: &view, data_dir: Path::new("."), detail: Detail::PerPartition, window_frames };
        let text = text(shown, Scope::Cluster).unwrap();
        assert_eq!(text.lines().find(|line| line.starts_with("brokerscope_window_frames_total")), line);
    }
}
