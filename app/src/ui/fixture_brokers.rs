//! What the brokers of the fixtures measured, made up and always the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::metadata::config::NodeSettings;
use broker::metadata::report::NodeState;
use broker::metrics::table::{network, replica};
use broker::metrics::{Bean, Label, MeterReading, MetricsReport, Reading, Series};

use super::fixture::AT_MS;
use crate::monitor::snapshot::{Broker, Snapshot};
use crate::monitor::view::Measured;

/// What the three brokers were started with.
pub fn settings() -> Arc<BTreeMap<i32, Arc<NodeSettings>>> {
    let of = |id: i32| NodeSettings {
        node_id: id,
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 9091 + id as u16,
        overrides: BTreeMap::from([("log.retention.hours".to_owned(), "24".to_owned())]),
        ..NodeSettings::default()
    };
    Arc::new((1..=3).map(|id| (id, Arc::new(of(id)))).collect())
}

/// Of all brokers that run.
pub fn metrics(snapshot: &Snapshot) -> Measured {
    let running = snapshot.brokers.iter().filter(|broker| broker.state == NodeState::Running);
    let up: Vec<i32> = running.clone().map(|broker| broker.id).collect();
    running.map(|broker| (broker.id, Arc::new(report(broker, &up)))).collect()
}

fn report(broker: &Broker, up: &[i32]) -> MetricsReport {
    let load = f64::from(broker.id) * 0.07;
    let value = |bean: &'static Bean, labels: &[(&'static str, &'static str)], value: f64| Series {
        bean,
        labels: labels.iter().map(|(key, word)| (*key, Label::from(*word))).collect(),
        reading: Reading::Value(value),
    };
    let idle = MeterReading { count: 9, one_minute_rate: 0.97 - load, ..MeterReading::default() };
    let of_listener = [("listener", "PLAINTEXT"), ("networkProcessor", "0")];
    let client = |name: &'static str, version: &'static str, count: f64| {
        let labels = [
            ("clientSoftwareName", name),
            ("clientSoftwareVersion", version),
            ("listener", "PLAINTEXT"),
            ("networkProcessor", "0"),
        ];
        value(&network::CONNECTIONS, &labels, count)
    };
    let connections = broker.counters.connections as f64;
    let leaders: Vec<i32> = up.iter().copied().filter(|id| *id != broker.id).collect();
    let fetched = leaders.iter().map(|leader| {
        let share = broker.rates.replication_in_per_s / leaders.len() as f64;
        let bytes = MeterReading { count: 7, one_minute_rate: share, ..MeterReading::default() };
        let fetcher = Label::from(format!("ReplicaFetcherThread-0-{leader}"));
        let labels = Box::new([("clientId", fetcher), ("brokerHost", "127.0.0.1".into()), ("brokerPort", 9092.into())]);
        Series { bean: &replica::FETCHER_BYTES, labels, reading: Reading::Meter(bytes) }
    });
    let mut series = vec![
        Series { bean: &network::HANDLER_IDLE, labels: Box::new([]), reading: Reading::Meter(idle) },
        value(&network::PROCESSORS_IDLE, &[], 0.96 - load),
        value(&network::REQUEST_QUEUE_SIZE, &[], 0.0),
        value(&network::RESPONSE_QUEUE_SIZE, &[("processor", "0")], 1.0),
        value(&network::CONNECTION_COUNT, &of_listener, connections),
        value(&network::CREATION_RATE, &of_listener, 0.2),
        value(&network::CLOSE_RATE, &of_listener, 0.1),
        value(&network::INCOMING_BYTE_RATE, &of_listener, broker.rates.bytes_in_per_s * 1.04),
        value(&network::OUTGOING_BYTE_RATE, &of_listener, broker.rates.bytes_out_per_s * 1.02),
        value(&network::SELECT_RATE, &of_listener, 412.0),
        client("librdkafka", "2.10.0", connections - 3.0),
        client("apache-kafka-java", "4.3.0", 3.0),
    ];
    series.extend(fetched);
    series.extend(super::fixture_wire::requests(broker.id));
    MetricsReport { node_id: broker.id, at_ms: AT_MS, series, ..MetricsReport::default() }
}
