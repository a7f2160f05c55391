//! A real Prometheus scrapes a running cluster by the configuration that we ship: all of it, and whether its rules fire and its dashboards fill.
//! Skipped, with a word, where Debian's package `prometheus` is not installed.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::clients;
use tests::prometheus::{Prometheus, is_installed, lint};
use tests::serve::{Serve, root};
use tests::wait::wait_for;

/// Alerts wait for 15 s and 30 s, a broker that comes back for its ISR, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

fn is_skipped() -> bool {
    let missing: Vec<&str> = ["prometheus", "promtool"].into_iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        println!("SKIPPED: {missing:?} not installed (Debian: apt-get install prometheus)");
    }
    !missing.is_empty()
}

/// What the dashboards, alert rules and samplers that are named ask for, put in the shortest words. `S` stands for the labels by which Strimzi's
/// dashboards choose a cluster, `P` for those and a pod.
const PUBLIC: &[(&str, &[&str])] = &[
    (
        "Strimzi Kafka",
        &[
            "count(kafka_server_replicamanager_leadercount{S})",
            "sum(kafka_controller_kafkacontroller_activecontrollercount{S})",
            "sum(irate(kafka_controller_controllerstats_uncleanleaderelections_total{S}[5m]))",
            "sum(kafka_server_replicamanager_partitioncount{S})",
            "sum(kafka_server_replicamanager_underreplicatedpartitions{S})",
            "sum(kafka_cluster_partition_atminisr{S})",
            "sum(kafka_cluster_partition_underminisr{S})",
            "kafka_cluster_partition_replicascount{P}",
            "sum(kafka_controller_kafkacontroller_offlinepartitionscount{S})",
            "container_memory_usage_bytes{namespace=\"kafka\",pod=~\"brokerscope-kafka-1\",container=\"kafka\"}",
            "rate(container_cpu_usage_seconds_total{namespace=\"kafka\",pod=~\"brokerscope-kafka-1\",container=\"kafka\"}[5m])",
            "kubelet_volume_stats_available_bytes{namespace=\"kafka\",persistentvolumeclaim=~\"data(-[0-9]+)?-brokerscope-kafka-1\"}",
            "process_open_fds{namespace=\"kafka\",kubernetes_pod_name=~\"brokerscope-kafka-1\",container=\"kafka\"}",
            "jvm_memory_used_bytes{namespace=\"kafka\",kubernetes_pod_name=~\"brokerscope-kafka-1\",strimzi_io_name=\"brokerscope-kafka\"}",
            "rate(jvm_gc_collection_seconds_sum{P}[5m])",
            "rate(jvm_gc_collection_seconds_count{P}[5m])",
            "jvm_threads_current{P}",
            "irate(kafka_server_brokertopicmetrics_bytesin_total{P,topic!=\"\"}[5m])",
            "irate(kafka_server_brokertopicmetrics_bytesout_total{P,topic!=\"\"}[5m])",
            "irate(kafka_server_brokertopicmetrics_messagesin_total{P,topic!=\"\"}[5m])",
            "irate(kafka_server_brokertopicmetrics_totalproducerequests_total{P,topic!=\"\"}[5m])",
            "irate(kafka_server_brokertopicmetrics_totalfetchrequests_total{P,topic!=\"\"}[5m])",
            // Of a topic these are there once it had one, as Kafka's.
            "irate(kafka_server_brokertopicmetrics_failedproducerequests_total{P}[5m])",
            "irate(kafka_server_brokertopicmetrics_failedfetchrequests_total{P}[5m])",
            "kafka_network_socketserver_networkprocessoravgidle_percent{P} <= 1",
            "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent{P} <= 1",
            "irate(kafka_server_kafkaserver_linux_disk_write_bytes{P}[5m])",
            "irate(kafka_server_kafkaserver_linux_disk_read_bytes{P}[5m])",
            "sum(kafka_server_socket_server_metrics_connection_count{P}) by (kubernetes_pod_name, listener)",
            "kafka_log_log_size{P,partition=~\"0\"}",
        ],
    ),
    (
        "Strimzi KRaft",
        &[
            "kafka_server_raftmetrics_append_records_rate{P}",
            "kafka_server_raftmetrics_fetch_records_rate{P}",
            "kafka_server_raftmetrics_commit_latency_avg{P}",
            "max(kafka_server_raftmetrics_current_state) by (kubernetes_pod_name, current_state)",
            "kafka_server_raftmetrics_current_leader{P}",
            "kafka_server_raftmetrics_current_vote{P}",
            "kafka_server_raftmetrics_current_epoch{P}",
            "kafka_server_raftmetrics_high_watermark{P}",
            "kafka_server_raftmetrics_log_end_offset{P}",
            "irate(kafka_server_raftchannelmetrics_incoming_byte_total{P}[5m])",
            "irate(kafka_server_raftchannelmetrics_outgoing_byte_total{P}[5m])",
            "irate(kafka_server_raftchannelmetrics_request_total{P}[5m])",
            "irate(kafka_server_raftchannelmetrics_response_total{P}[5m])",
        ],
    ),
    (
        "Strimzi Kafka Exporter, Grafana 7589",
        &[
            "kafka_broker_info{S}",
            "kafka_brokers",
            "sum(kafka_topic_partitions{S}) by (topic)",
            "sum(kafka_topic_partition_replicas{S})",
            "sum(kafka_topic_partition_in_sync_replica{S})",
            "sum(kafka_topic_partition_under_replicated_partition{S})",
            "sum(kafka_topic_partition_leader_is_preferred{S} < bool 1)",
            "kafka_topic_partition_leader{S} > 0",
            "sum(rate(kafka_topic_partition_current_offset{S}[5m])) by (topic) > 0",
            "sum(kafka_topic_partition_oldest_offset{S}) by (partition, topic)",
            "sum(delta(kafka_consumergroup_current_offset{S}[5m])) by (consumergroup, topic)",
            "kafka_consumergroup_current_offset_sum{S}",
            "sum(kafka_consumergroup_lag{S}) by (consumergroup, topic)",
            "kafka_consumergroup_lag_sum{S}",
            "kafka_consumergroup_members{S}",
            "kafka_exporter_build_info",
        ],
    ),
    (
        "dashboards and alerts of MSK's open monitoring",
        &[
            "rate(kafka_server_BrokerTopicMetrics_Count{name=\"MessagesInPerSec\",topic=\"\"}[5m])",
            "rate(kafka_server_BrokerTopicMetrics_Count{name=\"TotalProduceRequestsPerSec\"}[5m])",
            "kafka_server_KafkaServer_Value{name=\"BrokerState\"} == 3",
            "kafka_controller_KafkaController_Value{name=\"GlobalTopicCount\"} > 0",
            "kafka_controller_KafkaController_Value{name=\"GlobalPartitionCount\"} > 0",
            "kafka_server_ReplicaManager_Value{name=\"UnderReplicatedPartitions\"}",
            "kafka_log_Log_Value{name=\"Size\",topic!=\"\"}",
            "kafka_server_socket_server_metrics_connection_count{listener!=\"\"}",
            "rate(kafka_server_socket_server_metrics_request_total[5m])",
            "rate(kafka_server_socket_server_metrics_response_total[5m])",
            "rate(kafka_server_socket_server_metrics_incoming_byte_total[5m])",
            "rate(kafka_server_socket_server_metrics_outgoing_byte_total[5m])",
            "kafka_consumer_group_ConsumerLagMetrics_Value{name=\"SumOffsetLag\"}",
            "1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))",
            "node_filesystem_avail_bytes / node_filesystem_size_bytes",
            "node_exporter_build_info",
        ],
    ),
    (
        "Cruise Control's sampler",
        &[
            "kafka_server_BrokerTopicMetrics_OneMinuteRate{name=\"BytesInPerSec\",topic=\"\"}",
            "kafka_server_BrokerTopicMetrics_OneMinuteRate{name=\"BytesOutPerSec\",topic!=\"\"}",
            "kafka_server_BrokerTopicMetrics_OneMinuteRate{name=\"ReplicationBytesInPerSec\",topic=\"\"}",
            "kafka_server_BrokerTopicMetrics_OneMinuteRate{name=\"ReplicationBytesOutPerSec\",topic=\"\"}",
            "kafka_server_BrokerTopicMetrics_OneMinuteRate{name=\"TotalFetchRequestsPerSec\",topic=\"\"}",
            "kafka_server_KafkaRequestHandlerPool_OneMinuteRate{name=\"RequestHandlerAvgIdlePercent\"}",
            "kafka_network_RequestMetrics_OneMinuteRate{name=\"RequestsPerSec\",request=\"Produce\"}",
            "kafka_network_RequestMetrics_OneMinuteRate{name=\"RequestsPerSec\",request=\"FetchFollower\"}",
            "kafka_network_RequestMetrics_Max{name=\"RequestQueueTimeMs\",request=\"FetchConsumer\"}",
            "kafka_network_RequestMetrics_Mean{name=\"LocalTimeMs\",request=\"Produce\"}",
            "kafka_network_RequestMetrics_50thPercentile{name=\"TotalTimeMs\",request=\"Produce\"}",
            "kafka_network_RequestMetrics_999thPercentile{name=\"TotalTimeMs\",request=\"FetchFollower\"}",
            "kafka_network_RequestChannel_Value{name=\"RequestQueueSize\"}",
            "kafka_network_RequestChannel_Value{name=\"ResponseQueueSize\"}",
            "kafka_log_LogFlushStats_OneMinuteRate{name=\"LogFlushRateAndTimeMs\"}",
            "kafka_log_LogFlushStats_Max{name=\"LogFlushRateAndTimeMs\"}",
            "kafka_log_LogFlushStats_Mean{name=\"LogFlushRateAndTimeMs\"}",
            "kafka_log_LogFlushStats_50thPercentile{name=\"LogFlushRateAndTimeMs\"}",
            "kafka_log_LogFlushStats_999thPercentile{name=\"LogFlushRateAndTimeMs\"}",
        ],
    ),
];

fn public_queries() -> Vec<String> {
    const CLUSTER: &str = "namespace=\"kafka\",strimzi_io_cluster=\"brokerscope\"";
    let pod = format!("{CLUSTER},kubernetes_pod_name=~\"brokerscope-kafka-.+\"");
    let spelt = |query: &&str| {
        let query = query.replace("{S}", &format!("{{{CLUSTER}}}"));
        query.replace("{P}", &format!("{{{pod}}}")).replace("{P,", &format!("{{{pod},"))
    };
    PUBLIC.iter().flat_map(|(_, queries)| queries.iter()).map(spelt).collect()
}

/// Panels of our dashboard, with the queries as Grafana would send them.
fn panels() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("assets/grafana/brokerscope.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let spelt = |target: &Value| {
        let query = target["expr"].as_str().unwrap();
        let query = query.replace("$__rate_interval", "1m");
        ["$node", "$topic", "$group"].iter().fold(query, |query, variable| query.replace(variable, ".*"))
    };
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let panel = |panel: &Value| {
        let queries = panel["targets"].as_array().unwrap().iter().map(spelt).collect();
        (panel["title"].as_str().unwrap().to_owned(), queries)
    };
    panels.map(panel).collect()
}

#[test]
fn the_dashboard_is_well_formed() {
    let text = fs::read_to_string(root().join("assets/grafana/brokerscope.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{panel}");
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(cells.insert((x, y)), "overlaps: {panel}");
            }
        }
    }
    assert!(self::panels().iter().all(|(title, queries)| !title.is_empty() && !queries.is_empty()));
}

#[test]
fn the_configuration_and_the_rules_are_sound() {
    if is_skipped() {
        return;
    }
    let assets = root().join("assets/prometheus");
    let check = |what: &str, files: &[&str]| {
        let files: Vec<_> = files.iter().map(|file| assets.join(file)).collect();
        let checked = Command::new("promtool").args(["check", what]).args(&files).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    };
    check("config", &["prometheus.yml"]);
    check("rules", &["recording.rules.yml", "alert.rules.yml"]);
}

/// What promtool may say against names that are not ours to choose.
const TOLERATED: [&str; 8] = [
    "should be written in 'snake_case' not 'camelCase'",
    "counter metrics should have \"_total\" suffix",
    "non-counter metrics should not have \"_total\" suffix",
    "non-histogram and non-summary metrics should not have \"_count\" suffix",
    "non-histogram and non-summary metrics should not have \"_sum\" suffix",
    "non-summary metrics should not have \"quantile\" label",
    "metric names should not contain abbreviated units",
    "use base unit",
];

fn load(serve: &Serve) {
    clients::create_topic(&serve.bootstrap_servers, "orders", 6, 3);
    let wish = json!({"topic": "orders", "producers": 1, "consumers": 2, "rate_per_s": 200});
    let (status, answer) = serve.post("/api/workloads", &wish);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_real_prometheus_is_content() {
    if is_skipped() {
        return;
    }
    let serve = Serve::start();
    load(&serve);
    let prometheus = Prometheus::start(&serve);
    wait_for("all targets", PATIENCE, || {
        let up = prometheus.query("up")?;
        let down: Vec<_> = up.iter().filter(|(_, value)| value != "1").collect();
        if up.len() == 13 && down.is_empty() { Ok(()) } else { Err(format!("{} targets, down: {down:?}", up.len())) }
    });
    let endpoints =
        ["/metrics", "/metrics/brokers/1", "/metrics/controllers/3000", "/metrics/exporter", "/metrics/node/1"];
    for path in endpoints {
        let (status, text) = serve.get_text(path);
        assert_eq!(status, 200, "{path}: {text}");
        let complaints = lint(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let ours: Vec<_> = complaints.iter().filter(|said| !TOLERATED.iter().any(|kind| said.contains(kind))).collect();
        assert!(ours.is_empty(), "{path}: {ours:#?}");
    }
    let queries: Vec<String> = panels().into_iter().flat_map(|(_, queries)| queries).chain(public_queries()).collect();
    let mut told = BTreeMap::new();
    wait_for("data for all queries", PATIENCE, || {
        for query in queries.iter().filter(|query| !told.contains_key(*query)).collect::<Vec<_>>() {
            let series = prometheus.query(query)?;
            if !series.is_empty() {
                told.insert(query.clone(), series.len());
            }
        }
        let silent: Vec<_> = queries.iter().filter(|query| !told.contains_key(*query)).collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("no data for {silent:#?}")) }
    });
    let rules = prometheus.query("cluster:kafka_active_controllers:sum").unwrap();
    assert_eq!(rules.first().map(|(_, value)| value.as_str()), Some("1"));
    assert_eq!(prometheus.firing().unwrap(), [], "all is well");
    println!("{} queries have data, of {} series in all", told.len(), told.values().sum::<usize>());
}

#[test]
fn an_alert_fires_when_a_broker_is_killed_and_ends_when_it_is_back() {
    if is_skipped() {
        return;
    }
    let serve = Serve::start();
    load(&serve);
    let prometheus = Prometheus::start(&serve);
    let wanted = |alert: &str, instance: &str| (alert.to_owned(), instance.to_owned());
    wait_for("a quiet cluster", PATIENCE, || match prometheus.query("sum(up)")?.first() {
        Some((_, up)) if up == "13" && prometheus.firing()?.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    serve.fault(&json!({"kind": "kill", "broker": 2}));
    wait_for("alerts of the dead broker", PATIENCE, || {
        let firing = prometheus.firing()?;
        let is_down = firing.contains(&wanted("KafkaBrokerDown", "broker-2"));
        let is_thin = firing.iter().any(|(alert, _)| alert == "KafkaUnderReplicatedPartitions");
        if is_down && is_thin { Ok(()) } else { Err(format!("{firing:?}")) }
    });
    let firing = prometheus.firing().unwrap();
    for (alert, _) in &firing {
        let expected = ["KafkaBrokerDown", "KafkaUnderReplicatedPartitions", "KafkaLeadersNotPreferred"];
        assert!(expected.contains(&alert.as_str()), "{firing:?}");
    }
    let (status, answer) = serve.post("/api/brokers/2/start", &json!({}));
    assert_eq!(status, 200, "{answer}");
    wait_for("the end of the alerts", PATIENCE, || {
        let firing = prometheus.firing()?;
        let of_nodes = firing.iter().filter(|(alert, _)| alert != "KafkaContainerRestarted").count();
        if of_nodes == 0 { Ok(()) } else { Err(format!("{firing:?}")) }
    });
}
