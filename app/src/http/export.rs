//! The exporter: the names under which operators know Kafka's metrics, fed from a snapshot. What we cannot say truthfully is left out.
//!
//! Names of nodes' metrics are those of Strimzi's JMX rules; `kafka_broker*`, `kafka_topic_*` and `kafka_consumergroup_*` are those of
//! kafka_exporter. All nodes stand behind one endpoint here, so that each series of a node carries its `node_id`; on
//! `/metrics/brokers/ID` a broker speaks for itself, without that label, as it would from its own exporter.

use broker::metadata::report::NodeState;

use super::families::{Families, Labels};
use super::process;
use crate::monitor::snapshot::{Broker, Partition, Snapshot, Topic, Voter};

/// Whose metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All nodes, and the cluster as a whole.
    Cluster,
    /// One broker.
    Broker(i32),
}

/// The exposition.
///
/// # Errors
/// The encoder refuses a family.
pub fn text(snapshot: &Snapshot, scope: Scope) -> prometheus::Result<String> {
    let mut exporter = Exporter { snapshot, scope, families: Families::default() };
    exporter.broker_traffic();
    exporter.broker_requests();
    exporter.broker_state();
    exporter.broker_replicas();
    exporter.partitions();
    exporter.logs();
    if scope == Scope::Cluster {
        exporter.controllers();
        exporter.topics();
        exporter.groups();
        super::client_metrics::add(&mut exporter.families, &snapshot.client_metrics);
        process::add(&mut exporter.families);
        let help = "The program's version.";
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        exporter.families.gauge("brokerscope_build_info", help).add(&version, 1.0);
    }
    exporter.families.encode()
}

struct Exporter<'s> {
    snapshot: &'s Snapshot,
    scope: Scope,
    families: Families,
}

/// A node's label, where there are several.
struct NodeLabel(Option<String>);

impl NodeLabel {
    fn with<'l>(&'l self, labels: Labels<'l>) -> Vec<(&'l str, &'l str)> {
        let own = self.0.iter().map(|id| ("node_id", id.as_str()));
        own.chain(labels.iter().copied()).collect()
    }
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// As `org.apache.kafka.metadata.BrokerState`.
fn broker_state(broker: &Broker) -> f64 {
    match broker.state {
        NodeState::Starting => 1.0,
        NodeState::Running if broker.fenced => 1.0,
        NodeState::Running => 3.0,
        NodeState::Stopping => 6.0,
        NodeState::Stopped | NodeState::Killed | NodeState::Paused => 0.0,
    }
}

impl<'s> Exporter<'s> {
    /// Brokers that would answer a scrape: one that is down or paused has no series.
    fn brokers(&self) -> Vec<(&'s Broker, NodeLabel)> {
        let answers =
            |broker: &&Broker| matches!(broker.state, NodeState::Running | NodeState::Starting | NodeState::Stopping);
        let wanted = |broker: &&Broker| self.scope == Scope::Cluster || self.scope == Scope::Broker(broker.id);
        self.snapshot
            .brokers
            .iter()
            .filter(answers)
            .filter(wanted)
            .map(|broker| (broker, self.label(broker.id)))
            .collect()
    }

    fn label(&self, node_id: i32) -> NodeLabel {
        NodeLabel((self.scope == Scope::Cluster).then(|| node_id.to_string()))
    }

    fn each_broker(&mut self, name: &str, help: &str, counter: bool, value: impl Fn(&Broker) -> f64) {
        let brokers = self.brokers();
        let mut family = if counter { self.families.counter(name, help) } else { self.families.gauge(name, help) };
        for (broker, label) in brokers {
            family.add(&label.with(&[]), value(broker));
        }
    }

    /// Kafka has these once for all topics (without a topic) and once for each.
    fn broker_traffic(&mut self) {
        type Get = (fn(&Broker) -> u64, fn(&(std::sync::Arc<str>, u64, u64, u64)) -> u64);
        let families: [(&str, &str, Get); 3] = [
            (
                "kafka_server_brokertopicmetrics_messagesin_total",
                "Records appended by clients.",
                (|b| b.counters.messages_in, |t| t.1),
            ),
            (
                "kafka_server_brokertopicmetrics_bytesin_total",
                "Record bytes appended by clients.",
                (|b| b.counters.bytes_in, |t| t.2),
            ),
            (
                "kafka_server_brokertopicmetrics_bytesout_total",
                "Record bytes read by consumers.",
                (|b| b.counters.bytes_out, |t| t.3),
            ),
        ];
        let brokers = self.brokers();
        for (name, help, (of_broker, of_topic)) in families {
            let mut family = self.families.counter(name, help);
            for (broker, label) in &brokers {
                family.add(&label.with(&[]), of_broker(broker) as f64);
                for topic in &broker.counters.topics {
                    family.add(&label.with(&[("topic", &topic.0)]), of_topic(topic) as f64);
                }
            }
        }
        let prefix = "kafka_server_brokertopicmetrics";
        let requests = |broker: &Broker, apis: &[&str]| -> f64 {
            broker
                .counters
                .requests
                .iter()
                .filter(|request| apis.contains(&request.api))
                .map(|request| request.count as f64)
                .sum()
        };
        self.each_broker(
            &format!("{prefix}_replicationbytesin_total"),
            "Record bytes fetched from leaders.",
            true,
            |b| b.counters.replication_bytes_in as f64,
        );
        self.each_broker(
            &format!("{prefix}_replicationbytesout_total"),
            "Record bytes given to followers.",
            true,
            |b| b.counters.replication_bytes_out as f64,
        );
        self.each_broker(&format!("{prefix}_totalproducerequests_total"), "Produce requests answered.", true, |b| {
            requests(b, &["Produce"])
        });
        self.each_broker(&format!("{prefix}_totalfetchrequests_total"), "Fetch requests answered.", true, |b| {
            requests(b, &["Fetch", "FetchConsumer", "FetchFollower"])
        });
        self.each_broker(
            &format!("{prefix}_failedproducerequests_total"),
            "Produce requests refused, in whole or in part.",
            true,
            |b| b.counters.failed_produce_requests as f64,
        );
        self.each_broker(
            &format!("{prefix}_failedfetchrequests_total"),
            "Fetch requests refused, in whole or in part.",
            true,
            |b| b.counters.failed_fetch_requests as f64,
        );
    }

    fn broker_requests(&mut self) {
        let brokers = self.brokers();
        let help = "Requests answered, by API.";
        let mut family = self.families.counter("kafka_network_requestmetrics_requests_total", help);
        for (broker, label) in &brokers {
            for request in &broker.counters.requests {
                family.add(&label.with(&[("request", request.api)]), request.count as f64);
            }
        }
        drop(family);
        let help = "Time from the arrival of a request to its answer, in ms; the quantiles are over the last seconds.";
        let mut family = self.families.summary("kafka_network_requestmetrics_totaltimems", help);
        for (broker, label) in &brokers {
            for request in &broker.counters.requests {
                let ms = |us: u64| us as f64 / 1000.0;
                // Without a request in the last seconds there is no quantile; a summary says so by NaN.
                let quantile = |us: u64| if request.max_us == 0 { f64::NAN } else { ms(us) };
                let quantiles = [(0.5, quantile(request.p50_us)), (0.99, quantile(request.p99_us))];
                let labels = [("request", request.api)];
                family.add_summary(&label.with(&labels), &quantiles, ms(request.total_time_us), request.count);
            }
        }
        drop(family);
        let listener = [("listener", "PLAINTEXT")];
        let help = "Open client connections.";
        let mut family = self.families.untyped("kafka_server_socket_server_metrics_connection_count", help);
        for (broker, label) in &brokers {
            family.add(&label.with(&listener), broker.counters.connections as f64);
        }
        drop(family);
        let help = "Client connections accepted since the start.";
        let mut family = self.families.counter("kafka_server_socket_server_metrics_connection_creation_total", help);
        for (broker, label) in &brokers {
            family.add(&label.with(&listener), broker.counters.connections_total as f64);
        }
    }

    fn broker_state(&mut self) {
        let help = "State of the broker: 1 starting, 3 running, 6 in controlled shutdown.";
        self.each_broker("kafka_server_kafkaserver_brokerstate", help, false, broker_state);
        let prefix = "kafka_server_replicamanager";
        self.each_broker(&format!("{prefix}_leadercount"), "Partitions that the broker leads.", false, |b| {
            b.leaders as f64
        });
        self.each_broker(&format!("{prefix}_partitioncount"), "Replicas on the broker.", false, |b| b.replicas as f64);
        self.each_broker(
            &format!("{prefix}_isrshrinks_total"),
            "ISR shrinks proposed by the broker as a leader.",
            true,
            |b| b.counters.isr_shrinks as f64,
        );
        self.each_broker(
            &format!("{prefix}_isrexpands_total"),
            "ISR expansions proposed by the broker as a leader.",
            true,
            |b| b.counters.isr_expands as f64,
        );
    }

    fn all_partitions(&self) -> impl Iterator<Item = (&'s Topic, &'s Partition)> + use<'s> {
        self.snapshot
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (&**topic, partition)))
    }

    /// Counts over the partitions that a broker leads.
    fn broker_replicas(&mut self) {
        let brokers = self.brokers();
        type Is = fn(&Topic, &Partition) -> bool;
        let families: [(&str, &str, Is); 3] = [
            ("underreplicatedpartitions", "Led partitions with fewer in-sync replicas than replicas.", |_, p| {
                p.is_under_replicated()
            }),
            (
                "underminisrpartitioncount",
                "Led partitions with fewer in-sync replicas than min.insync.replicas.",
                is_under_min_isr,
            ),
            (
                "atminisrpartitioncount",
                "Led partitions with exactly min.insync.replicas in-sync replicas.",
                is_at_min_isr,
            ),
        ];
        for (name, help, is) in families {
            let mut led = std::collections::BTreeMap::<i32, usize>::new();
            for (topic, partition) in self.all_partitions() {
                *led.entry(partition.leader).or_default() += usize::from(is(topic, partition));
            }
            let mut family = self.families.gauge(&format!("kafka_server_replicamanager_{name}"), help);
            for (broker, label) in &brokers {
                family.add(&label.with(&[]), led.get(&broker.id).copied().unwrap_or(0) as f64);
            }
        }
    }

    /// Per partition, told by its leader.
    fn partitions(&mut self) {
        type Value = fn(&Topic, &Partition) -> f64;
        let families: [(&str, &str, Value); 6] = [
            ("underreplicated", "1: some replica is not in sync.", |_, p| flag(p.is_under_replicated())),
            ("insyncreplicascount", "In-sync replicas.", |_, p| p.isr.len() as f64),
            ("replicascount", "Replicas.", |_, p| p.replicas.len() as f64),
            ("underminisr", "1: fewer in-sync replicas than min.insync.replicas.", |t, p| flag(is_under_min_isr(t, p))),
            ("atminisr", "1: exactly min.insync.replicas in-sync replicas.", |t, p| flag(is_at_min_isr(t, p))),
            ("laststableoffsetlag", "High watermark minus last stable offset.", |_, p| {
                (p.high_watermark - p.last_stable_offset) as f64
            }),
        ];
        for (name, help, value) in families {
            self.each_led_partition(&format!("kafka_cluster_partition_{name}"), help, value);
        }
    }

    fn each_led_partition(&mut self, name: &str, help: &str, value: impl Fn(&Topic, &Partition) -> f64) {
        let brokers = self.brokers();
        let partitions = self.all_partitions();
        let mut family = self.families.gauge(name, help);
        for (topic, partition) in partitions {
            let Some((_, label)) = brokers.iter().find(|(broker, _)| broker.id == partition.leader) else { continue };
            let labels = [("topic", &*topic.name), ("partition", &partition.id.to_string())];
            family.add(&label.with(&labels), value(topic, partition));
        }
    }

    /// Per replica where every replica tells it, else of the leader's log.
    fn logs(&mut self) {
        self.each_led_partition("kafka_log_log_size", "Bytes of the leader's log.", |_, p| p.size_bytes as f64);
        self.each_led_partition("kafka_log_log_logstartoffset", "First offset of the leader's log.", |_, p| {
            p.log_start_offset as f64
        });
        let brokers = self.brokers();
        let partitions = self.all_partitions();
        let mut family = self.families.gauge("kafka_log_log_logendoffset", "Next offset of each replica's log.");
        for (topic, partition) in partitions {
            let id = partition.id.to_string();
            for (broker, label) in &brokers {
                let Some(log_end_offset) = partition.log_end_offsets.get(&broker.id) else { continue };
                family.add(&label.with(&[("topic", &topic.name), ("partition", &id)]), *log_end_offset as f64);
            }
        }
    }

    fn controllers(&mut self) {
        let running = |voter: &&Voter| voter.state == NodeState::Running;
        let voters: Vec<(&Voter, NodeLabel)> =
            self.snapshot.quorum.voters.iter().filter(running).map(|voter| (voter, self.label(voter.id))).collect();
        let totals = &self.snapshot.totals;
        let fenced = self.snapshot.brokers.iter().filter(|broker| broker.epoch >= 0 && broker.fenced).count();
        let active = self.snapshot.brokers.iter().filter(|broker| broker.epoch >= 0 && !broker.fenced).count();
        let not_preferred = self
            .all_partitions()
            .filter(|(_, partition)| partition.replicas.first() != Some(&partition.leader))
            .count();
        // Only the active controller carries the cluster's numbers: dashboards add the controllers up.
        for (name, help, value) in [
            ("activecontrollercount", "1 on the active controller.", 1),
            ("offlinepartitionscount", "Partitions without a leader.", totals.offline_partitions),
            ("globaltopiccount", "Topics.", totals.topics),
            ("globalpartitioncount", "Partitions.", totals.partitions),
            ("activebrokercount", "Registered brokers that are not fenced.", active),
            ("fencedbrokercount", "Registered brokers that are fenced.", fenced),
            ("preferredreplicaimbalancecount", "Partitions not led by their preferred replica.", not_preferred),
        ] {
            let mut family = self.families.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help);
            for (voter, label) in &voters {
                family.add(&label.with(&[]), if voter.role == "leader" { value as f64 } else { 0.0 });
            }
        }
        type Value = fn(&Voter) -> f64;
        let raft: [(&str, &str, Value); 4] = [
            ("current_leader", "Leader of the quorum that the node knows, or -1.", |v| f64::from(v.leader_id)),
            ("current_epoch", "Quorum epoch of the node.", |v| f64::from(v.epoch)),
            ("high_watermark", "Committed end of the metadata log that the node knows.", |v| v.high_watermark as f64),
            ("log_end_offset", "Next offset of the node's metadata log.", |v| v.log_end_offset as f64),
        ];
        for (name, help, value) in raft {
            let mut family = self.families.gauge(&format!("kafka_server_raftmetrics_{name}"), help);
            for (voter, label) in &voters {
                family.add(&label.with(&[]), value(voter));
            }
        }
        let help = "1: the node's role in the quorum.";
        let mut family = self.families.untyped("kafka_server_raftmetrics_current_state", help);
        for (voter, label) in &voters {
            family.add(&label.with(&[("current_state", &voter.role)]), 1.0);
        }
    }

    fn topics(&mut self) {
        let up = |broker: &&Broker| broker.epoch >= 0 && !broker.fenced;
        let brokers: Vec<&Broker> = self.snapshot.brokers.iter().filter(up).collect();
        self.families.gauge("kafka_brokers", "Brokers in the cluster.").add(&[], brokers.len() as f64);
        let mut family = self.families.gauge("kafka_broker_info", "1 for each broker.");
        for broker in brokers {
            let address = format!("{}:{}", broker.host, broker.port);
            family.add(&[("id", &broker.id.to_string()), ("address", &address)], 1.0);
        }
        drop(family);
        let mut family = self.families.gauge("kafka_topic_partitions", "Partitions of a topic.");
        for topic in &self.snapshot.topics {
            family.add(&[("topic", &topic.name)], topic.partitions.len() as f64);
        }
        drop(family);
        type Value = fn(&Partition) -> f64;
        let families: [(&str, &str, Value); 7] = [
            ("current_offset", "Newest offset that can be read (high watermark).", |p| p.high_watermark as f64),
            ("oldest_offset", "Oldest offset.", |p| p.log_start_offset as f64),
            ("leader", "Broker that leads the partition, or -1.", |p| f64::from(p.leader)),
            ("leader_is_preferred", "1: the preferred replica leads.", |p| flag(p.replicas.first() == Some(&p.leader))),
            ("replicas", "Replicas.", |p| p.replicas.len() as f64),
            ("in_sync_replica", "In-sync replicas.", |p| p.isr.len() as f64),
            ("under_replicated_partition", "1: some replica is not in sync.", |p| flag(p.is_under_replicated())),
        ];
        for (name, help, value) in families {
            let partitions = self.all_partitions();
            let mut family = self.families.gauge(&format!("kafka_topic_partition_{name}"), help);
            for (topic, partition) in partitions {
                family.add(&[("topic", &topic.name), ("partition", &partition.id.to_string())], value(partition));
            }
        }
    }

    fn groups(&mut self) {
        let groups = &self.snapshot.groups;
        let mut family = self.families.gauge("kafka_consumergroup_members", "Members of a group.");
        for group in groups {
            family.add(&[("consumergroup", &group.id)], group.members.len() as f64);
        }
        drop(family);
        type Value = fn(&crate::monitor::snapshot::GroupOffset) -> f64;
        let families: [(&str, &str, Value); 2] = [
            ("kafka_consumergroup_current_offset", "Committed offset", |offset| offset.committed_offset as f64),
            ("kafka_consumergroup_lag", "Records between the high watermark and the committed offset", |offset| {
                offset.lag as f64
            }),
        ];
        for (name, help, value) in families {
            let mut family = self.families.gauge(name, &format!("{help}."));
            for group in groups {
                for offset in &group.offsets {
                    let partition = offset.partition.to_string();
                    let labels = [("consumergroup", &*group.id), ("topic", &*offset.topic), ("partition", &*partition)];
                    family.add(&labels, value(offset));
                }
            }
            drop(family);
            let mut family =
                self.families.untyped(&format!("{name}_sum"), &format!("{help}, over all partitions of a topic."));
            for group in groups {
                let mut sums = std::collections::BTreeMap::<&str, f64>::new();
                for offset in &group.offsets {
                    *sums.entry(&offset.topic).or_default() += value(offset);
                }
                for (topic, sum) in sums {
                    family.add(&[("consumergroup", &*group.id), ("topic", topic)], sum);
                }
            }
        }
    }
}

/// `min.insync.replicas`, or all replicas where these are fewer.
fn min_isr(topic: &Topic, partition: &Partition) -> usize {
    usize::try_from(topic.min_insync_replicas).unwrap_or(0).min(partition.replicas.len())
}

fn is_under_min_isr(topic: &Topic, partition: &Partition) -> bool {
    partition.isr.len() < min_isr(topic, partition)
}

fn is_at_min_isr(topic: &Topic, partition: &Partition) -> bool {
    partition.isr.len() == min_isr(topic, partition)
}
