//! `GET /api/connections`: who is connected to which broker, and what each asks.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use broker::metadata::connections::{ApiUse, ConnectionReport};
use broker::protocol::{ErrorCode, error_name};
use serde::Serialize;

use super::server::Sources;
use crate::monitor::view::Connected;

/// The connections of one broker.
#[derive(Debug, Serialize)]
struct OfBroker<'a> {
    broker: i32,
    at_ms: i64,
    connections: Vec<Connection<'a>>,
    /// Open connections that are not told one by one: those that ask least, when there are too many.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Connection<'a> {
    /// Its number on that broker since its start.
    id: u64,
    address: &'a str,
    opened_ms: i64,
    client_id: Option<&'a str>,
    software_name: &'a str,
    software_version: &'a str,
    apis: Vec<Api<'a>>,
}

/// Requests of one API and version since the connection was opened; times are sums over them.
#[derive(Debug, Serialize)]
struct Api<'a> {
    api: &'a str,
    version: i16,
    count: u64,
    per_s: f64,
    in_bytes: u64,
    out_bytes: u64,
    request_queue_us: u64,
    local_us: u64,
    remote_us: u64,
    throttle_us: u64,
    response_queue_us: u64,
    response_send_us: u64,
    max_us: u64,
    /// By Kafka's name of the error.
    errors: BTreeMap<String, u64>,
}

/// `GET /api/connections`.
pub async fn connections(State(sources): State<Sources>) -> Response {
    let connected = sources.slot.latest().connections;
    Json(told(&connected)).into_response()
}

fn told(connected: &Connected) -> Vec<OfBroker<'_>> {
    let told = connected.iter().map(|(broker, report)| OfBroker {
        broker: *broker,
        at_ms: report.at_ms,
        connections: report.connections.iter().map(connection).collect(),
        left_out: report.left_out,
    });
    told.collect()
}

fn connection(one: &ConnectionReport) -> Connection<'_> {
    Connection {
        id: one.conn,
        address: &one.address,
        opened_ms: one.opened_ms,
        client_id: one.client_id.as_deref(),
        software_name: &one.software_name,
        software_version: &one.software_version,
        apis: one.apis.iter().map(api).collect(),
    }
}

fn api(usage: &ApiUse) -> Api<'_> {
    let errors = usage.errors.iter().map(|(code, times)| (error_name(ErrorCode::from(*code)), *times));
    Api {
        api: usage.api,
        version: usage.version,
        count: usage.count,
        per_s: usage.per_s,
        in_bytes: usage.in_bytes,
        out_bytes: usage.out_bytes,
        request_queue_us: usage.request_queue_us,
        local_us: usage.local_us,
        remote_us: usage.remote_us,
        throttle_us: usage.throttle_us,
        response_queue_us: usage.response_queue_us,
        response_send_us: usage.response_send_us,
        max_us: usage.max_us,
        errors: errors.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::metadata::connections::ConnectionsReport;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_is_told_with_its_requests_and_errors_by_name() {
        let usage =
            ApiUse { api: "Produce", version: 9, count: 2, per_s: 1.5, errors: vec![(6, 1)], ..ApiUse::default() };
        let one =
            ConnectionReport { conn: 7, address: "127.0.0.1:4711".into(), apis: vec![usage], ..Default::default() };
        let report = ConnectionsReport { node_id: 1, connections: vec![one], left_out: 3, ..Default::default() };
        let connected = Connected::from([(1, Arc::new(report))]);
        let told = serde_json::to_value(told(&connected)).unwrap();
        assert_eq!((&told[0]["broker"], &told[0]["left_out"]), (&json!(1), &json!(3)));
        let one = &told[0]["connections"][0];
        assert_eq!((&one["id"], &one["client_id"]), (&json!(7), &json!(null)));
        assert_eq!(one["apis"][0]["errors"], json!({ "NOT_LEADER_OR_FOLLOWER": 1 }));
        assert_eq!((&one["apis"][0]["api"], &one["apis"][0]["per_s"]), (&json!("Produce"), &json!(1.5)));
    }
}
