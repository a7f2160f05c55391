//! What may be read.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::problem::Problem;
use super::server::Sources;
use crate::monitor::ledger::LedgerStatus;
use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::view::View;
use broker::cluster::ScrubProgress;
use broker::metadata::report::NodeState;

/// `GET /`: where things are.
pub async fn index() -> Response {
    let paths = [
        "/metrics",
        "/metrics/brokers/{id}",
        "/metrics/controllers/{id}",
        "/metrics/exporter",
        "/metrics/node/{id}",
        "/healthz",
        "/readyz",
        "/api/cluster",
        "/api/connections",
        "/api/groups",
        "/api/client-metrics",
        "/api/events?after={seq}",
        "/api/stories",
        "/api/logs?after={seq}&node={id}&level={LEVEL}&logger={name}&contains={text}&limit={n}",
        "/api/loggers?node={id}",
        "/api/log-delivery",
        "/api/faults",
        "/api/faults/{id}",
        "/api/brokers",
        "/api/brokers/{id}",
        "/api/brokers/{id}/removal",
        "/api/brokers/{id}/start",
        "/api/controllers",
        "/api/controllers/{id}",
        "/api/controllers/{id}/start",
        "/api/scripts",
        "/api/scripts/recorded",
        "/api/scripts/{id}",
        "/api/scrub",
        "/api/snippets",
        "/api/workloads",
        "/api/workloads/{id}",
        "/api/workloads/{id}/crash",
        "/api/workloads/{id}/revive",
        "/api/ledger",
        "/api/ledger/{id}/export",
        "/api/monitoring",
        "/api/topics",
        "/api/topics/{name}",
    ];
    Json(json!({ "name": "brokerscope", "version": env!("CARGO_PKG_VERSION"), "paths": &paths[..] })).into_response()
}

/// `GET /healthz`: the program answers.
pub async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /readyz`: the cluster takes writes.
pub async fn readyz(State(sources): State<Sources>) -> Result<Response, Problem> {
    match unready(&sources, &sources.slot.latest()) {
        None => Ok(Json(json!({ "status": "ready" })).into_response()),
        Some(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

fn unready(sources: &Sources, view: &View) -> Option<&'static str> {
    let snapshot = &view.snapshot;
    if !sources.ready.load(std::sync::atomic::Ordering::Acquire) {
        return Some("The cluster is starting.");
    }
    if snapshot.quorum.leader_id < 0 {
        return Some("There is no active controller.");
    }
    let takes_part = |broker: &crate::monitor::snapshot::Broker| broker.state == NodeState::Running && !broker.fenced;
    if !snapshot.brokers.iter().any(takes_part) {
        return Some("No broker takes part.");
    }
    None
}

/// `GET /api/cluster`.
pub async fn cluster(State(sources): State<Sources>) -> Response {
    Json(sources.slot.latest().snapshot).into_response()
}

/// From which event on.
#[derive(Debug, Deserialize)]
pub struct After {
    after: Option<String>,
}

/// `GET /api/events?after=SEQ`.
pub async fn events(State(sources): State<Sources>, Query(query): Query<After>) -> Result<Response, Problem> {
    let after: u64 = match query.after.as_deref() {
        None | Some("") => 0,
        Some(text) => {
            let invalid = |_| Problem::bad_request("after is the sequence number of an event: a number from 0.");
            text.parse().map_err(invalid)?
        }
    };
    let view = sources.slot.latest();
    let first = view.events.partition_point(|event| event.seq <= after);
    let events: Vec<_> = view.events.iter().skip(first).collect();
    Ok(Json(events).into_response())
}

/// `GET /api/faults`.
pub async fn faults(State(sources): State<Sources>) -> Response {
    Json(&sources.slot.latest().snapshot.faults).into_response()
}

/// A broker's scrub.
#[derive(Serialize)]
struct BrokerScrub {
    broker: i32,
    #[serde(flatten)]
    progress: ScrubProgress,
}

/// `GET /api/scrub`: of each broker that was asked for one since it started.
pub async fn scrubs(State(sources): State<Sources>) -> Response {
    let scrubs = (sources.scrubs)().into_iter().map(|(broker, progress)| BrokerScrub { broker, progress });
    Json(scrubs.collect::<Vec<_>>()).into_response()
}

/// `GET /api/snippets`: programs that connect to this cluster.
pub async fn snippets(State(sources): State<Sources>) -> Response {
    let snapshot = sources.slot.latest().snapshot;
    let listening = snapshot.brokers.iter().filter(|broker| broker.port != 0);
    let servers = listening.map(|broker| format!("{}:{}", broker.host, broker.port)).collect::<Vec<_>>().join(",");
    Json(crate::monitor::snippets::snippets(&servers)).into_response()
}

/// A workload, with what the ledger counts of it.
#[derive(Serialize)]
struct WithLedger<'a> {
    #[serde(flatten)]
    workload: &'a WorkloadStatus,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    unexplained: u64,
}

/// `GET /api/workloads`.
pub async fn workloads(State(sources): State<Sources>) -> Response {
    let view = sources.slot.latest();
    let with_ledger = |workload: &WorkloadStatus| -> Value {
        let ledger = view.ledger.workloads.iter().find(|status| status.id == workload.id);
        let count = |of: fn(&LedgerStatus) -> u64| ledger.map_or(0, |status| of(status));
        json!(WithLedger {
            workload,
            lost: count(|status| status.lost),
            duplicated: count(|status| status.duplicated),
            reordered: count(|status| status.reordered),
            unexplained: count(|status| status.unexplained),
        })
    };
    Json(view.snapshot.workloads.iter().map(with_ledger).collect::<Vec<_>>()).into_response()
}
