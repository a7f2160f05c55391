//! Topics and brokers as kafka_exporter (danielqsj/kafka_exporter) tells them, and offsets as kafka-lag-exporter (seglo/kafka-lag-exporter) does.

use super::families::Families;
use crate::monitor::cloudwatch::watch::CLUSTER_NAME;
use crate::monitor::snapshot::{Broker, Partition, Snapshot, Topic};

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

type Value = fn(&Partition) -> f64;

/// By the last part of their names.
const PARTITION: [(&str, &str, Value); 7] = [
    ("current_offset", "Newest offset that can be read (high watermark).", |partition| partition.high_watermark as f64),
    ("oldest_offset", "Oldest offset.", |partition| partition.log_start_offset as f64),
    ("leader", "Broker that leads the partition, or -1.", |partition| f64::from(partition.leader)),
    ("leader_is_preferred", "1: the preferred replica leads.", |partition| {
        flag(partition.replicas.first() == Some(&partition.leader))
    }),
    ("replicas", "Replicas.", |partition| partition.replicas.len() as f64),
    ("in_sync_replica", "In-sync replicas.", |partition| partition.isr.len() as f64),
    ("under_replicated_partition", "1: some replica is not in sync.", |partition| {
        flag(partition.is_under_replicated())
    }),
];

/// Adds them.
pub fn add(families: &mut Families, snapshot: &Snapshot) {
    brokers(families, snapshot);
    let mut family = families.gauge("kafka_topic_partitions", "Partitions of a topic.");
    for topic in &snapshot.topics {
        family.add(&[("topic", &topic.name)], topic.partitions.len() as f64);
    }
    drop(family);
    for (name, help, value) in PARTITION {
        let mut family = families.gauge(&format!("kafka_topic_partition_{name}"), help);
        each_partition(snapshot, |topic, partition, id| {
            family.add(&[("topic", &topic.name), ("partition", id)], value(partition));
        });
    }
    for (name, help, value) in [
        ("latest", "Newest offset that can be read (high watermark).", PARTITION[0].2),
        ("earliest", "Oldest offset.", PARTITION[1].2),
    ] {
        let mut family = families.gauge(&format!("kafka_partition_{name}_offset"), help);
        each_partition(snapshot, |topic, partition, id| {
            let labels = [("cluster_name", CLUSTER_NAME), ("topic", &topic.name), ("partition", id)];
            family.add(&labels, value(partition));
        });
    }
}

fn brokers(families: &mut Families, snapshot: &Snapshot) {
    let is_up = |broker: &&Broker| broker.epoch >= 0 && !broker.fenced;
    let brokers: Vec<&Broker> = snapshot.brokers.iter().filter(is_up).collect();
    families.gauge("kafka_brokers", "Brokers in the cluster.").add(&[], brokers.len() as f64);
    let mut family = families.gauge("kafka_broker_info", "1 for each broker.");
    for broker in brokers {
        let address = format!("{}:{}", broker.host, broker.port);
        family.add(&[("id", &broker.id.to_string()), ("address", &address)], 1.0);
    }
    drop(family);
    let labels = [
        ("branch", ""),
        ("goarch", std::env::consts::ARCH),
        ("goos", std::env::consts::OS),
        ("goversion", ""),
        ("revision", ""),
        ("tags", ""),
        ("version", concat!("brokerscope-", env!("CARGO_PKG_VERSION"))),
    ];
    families.gauge("kafka_exporter_build_info", "Who speaks for kafka_exporter: this program.").add(&labels, 1.0);
}

fn each_partition(snapshot: &Snapshot, mut tell: impl FnMut(&Topic, &Partition, &str)) {
    for topic in &snapshot.topics {
        for partition in &topic.partitions {
            tell(topic, partition, &partition.id.to_string());
        }
    }
}
