//! What the brokers of the fixtures tell of their connections, and a batch that was followed; made up and always the same.

use std::sync::Arc;
use std::time::Duration;

use broker::metadata::connections::{ApiUse, CONNECTIONS_TOLD_MAX, ConnectionReport, ConnectionsReport};
use broker::metadata::report::NodeState;
use broker::metrics::table::requests as bean;
use broker::metrics::{Bean, HistogramReading, Label, MeterReading, QUANTILES, Reading, Series};
use broker::server::trace::{Station, Step, Trace, TraceState};

use super::fixture::AT_MS;
use crate::monitor::inquiry::{Findings, Inquiries, Query};
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::Connected;

/// Of all brokers that run.
pub fn connections(snapshot: &Snapshot) -> Connected {
    let running = snapshot.brokers.iter().filter(|broker| broker.state == NodeState::Running);
    running.map(|broker| (broker.id, Arc::new(report(broker.id)))).collect()
}

/// As many connections of each broker as are told one by one.
pub fn many(snapshot: &Snapshot) -> Connected {
    let mut all = connections(snapshot);
    for report in all.values_mut().map(Arc::make_mut) {
        let few = report.connections.clone();
        let next =
            |(place, one): (usize, &ConnectionReport)| ConnectionReport { conn: place as u64 + 1, ..one.clone() };
        report.connections = few.iter().cycle().take(CONNECTIONS_TOLD_MAX).enumerate().map(next).collect();
        report.left_out = 100;
    }
    all
}

fn report(node_id: i32) -> ConnectionsReport {
    let api = |api, version, per_s: f64, mean_us: u64, remote_us: u64| {
        let count = (per_s * 812.0) as u64 + 3;
        ApiUse {
            api,
            version,
            count,
            per_s,
            in_bytes: count * 410,
            out_bytes: count * 96,
            request_queue_us: count * 20,
            local_us: count * mean_us,
            remote_us: count * remote_us,
            response_queue_us: count * 12,
            response_send_us: count * 31,
            max_us: (mean_us + remote_us) * 9,
            ..ApiUse::default()
        }
    };
    let begin = |java: bool| if java { api("ApiVersions", 4, 0.0, 80, 0) } else { api("ApiVersions", 3, 0.0, 95, 0) };
    let mut produce = api("Produce", 13, 41.7, 140, 2_300);
    produce.errors = vec![(6, 3)];
    let one = |conn: u64, client_id: &str, software: (&str, &str), apis: Vec<ApiUse>| ConnectionReport {
        conn,
        address: format!("127.0.0.1:{}", 50_000 + node_id as u64 * 1_000 + conn * 37),
        opened_ms: AT_MS - 812_000 + conn as i64 * 9_000,
        client_id: (!client_id.is_empty()).then(|| client_id.to_owned()),
        software_name: software.0.to_owned(),
        software_version: software.1.to_owned(),
        apis,
    };
    let java = ("apache-kafka-java", "4.3.0");
    let connections = vec![
        one(1, "shop", java, vec![begin(true), api("Metadata", 13, 0.0, 210, 0), produce]),
        one(2, "billing-1", ("librdkafka", "2.6.1"), vec![begin(false), api("Fetch", 16, 1.9, 160, 498_000)]),
        one(
            3,
            "search-indexer",
            ("confluent-kafka-go", "2.6.1"),
            vec![begin(false), api("Fetch", 16, 2.0, 150, 500_000)],
        ),
        one(4, "", ("", ""), vec![api("Metadata", 1, 0.2, 180, 0)]),
    ];
    ConnectionsReport { node_id, at_ms: AT_MS, connections, left_out: 0 }
}

/// What a broker counts of requests.
pub fn requests(node_id: i32) -> Vec<Series> {
    let series = |bean: &'static Bean, labels: [(&'static str, &'static str); 2], reading: Reading| Series {
        bean,
        labels: labels
            .into_iter()
            .filter(|(key, _)| !key.is_empty())
            .map(|(key, word)| (key, Label::from(word)))
            .collect(),
        reading,
    };
    let apis: [(&'static str, &'static str, f64, [f64; 5]); 5] = [
        ("Produce", "13", 41.7, [0.02, 0.14, 2.3, 0.01, 0.03]),
        ("FetchConsumer", "16", 3.9, [0.02, 0.15, 499.0, 0.02, 0.05]),
        ("FetchFollower", "18", 83.0, [0.01, 0.11, 12.6, 0.0, 0.0]),
        ("Metadata", "13", 0.2, [0.03, 0.21, 0.0, 0.01, 0.02]),
        ("ApiVersions", "4", 0.01, [0.02, 0.08, 0.0, 0.01, 0.02]),
    ];
    let mut all = Vec::new();
    for (api, version, per_s, parts) in apis {
        let per_s = per_s * (0.8 + 0.1 * f64::from(node_id));
        let count = (per_s * 812.0) as u64 + 3;
        let meter =
            |count, rate| Reading::Meter(MeterReading { count, one_minute_rate: rate, ..MeterReading::default() });
        let time = |mean: f64| {
            let quantiles = QUANTILES.map(|quantile| mean * (1.0 + quantile));
            Reading::Histogram(Box::new(HistogramReading {
                count,
                mean,
                max: mean * 9.0,
                quantiles,
                ..HistogramReading::default()
            }))
        };
        let of_api = [("request", api), ("", "")];
        all.push(series(&bean::REQUESTS, [("request", api), ("version", version)], meter(count, per_s)));
        if api == "Produce" {
            let error = [("request", api), ("error", "NOT_LEADER_OR_FOLLOWER")];
            all.push(series(&bean::ERRORS, error, meter(12, 0.2)));
        }
        all.push(series(&bean::REQUEST_BYTES, of_api, time(410.0)));
        let beans = [
            &bean::REQUEST_QUEUE_TIME,
            &bean::LOCAL_TIME,
            &bean::REMOTE_TIME,
            &bean::RESPONSE_QUEUE_TIME,
            &bean::RESPONSE_SEND_TIME,
        ];
        for (bean, part) in beans.into_iter().zip(parts) {
            all.push(series(bean, of_api, time(part)));
        }
        all.push(series(&bean::TOTAL_TIME, of_api, time(parts.iter().sum())));
    }
    all
}

/// A batch of three records with acks=all that went its way.
pub fn followed() -> TraceState {
    let step =
        |us: u64, node_id: i32, station: Station| Step { at: Duration::from_micros(9_000_000 + us), node_id, station };
    let fetched = Station::Fetched { client_id: "billing-1".into(), connection: 2 };
    let steps = vec![
        step(0, 1, Station::Arrived),
        step(24, 1, Station::Begun),
        step(161, 1, Station::Appended),
        step(402, 1, Station::SentTo(3)),
        step(455, 1, Station::SentTo(2)),
        step(830, 3, Station::Replicated(3)),
        step(1_120, 2, Station::Replicated(2)),
        step(1_310, 1, Station::Confirmed(3)),
        step(2_204, 1, Station::Confirmed(2)),
        step(2_204, 1, Station::Committed),
        step(2_260, 1, Station::Answered(0)),
        step(2_391, 1, Station::Acknowledged),
        step(2_610, 1, fetched),
    ];
    let trace = Trace {
        topic: "orders".into(),
        partition: 0,
        first_offset: 48_112,
        last_offset: 48_114,
        leader: 1,
        leader_epoch: 4,
        isr: vec![1, 2, 3],
        replicas: vec![1, 2, 3],
        size_bytes: 418,
        acks: -1,
        version: 13,
        client_id: "shop".into(),
        software: ("apache-kafka-java".into(), "4.3.0".into()),
        connection: 1,
        at_ms: AT_MS - 4_000,
        steps,
        is_over: true,
    };
    TraceState { wish: None, timed_out: false, trace: Some(trace) }
}

/// Beside other answers, that batch.
pub fn with_trace(mut inquiries: Inquiries) -> Inquiries {
    inquiries.answer(&Query::Trace, i64::MAX / 2, Ok(Arc::new(Findings::Trace(Box::new(followed())))));
    inquiries
}
