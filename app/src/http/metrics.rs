//! The endpoints of Prometheus.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use broker::metadata::report::NodeState;

use super::changes::shown;
use super::export::detail::Detail;
use super::export::{self, Scope, Shown};
use super::problem::Problem;
use super::server::Sources;
use crate::monitor::view::View;

/// `GET /metrics`: all nodes, each series of a node with its `node_id`, and the cluster as a whole.
pub async fn cluster(State(sources): State<Sources>) -> Result<Response, Problem> {
    exposition(sources, Scope::Cluster).await
}

/// `GET /metrics/exporter`: what kafka_exporter would say.
pub async fn exporter(State(sources): State<Sources>) -> Result<Response, Problem> {
    exposition(sources, Scope::Exporter).await
}

/// `GET /metrics/brokers/ID`: what that broker's own exporter would show.
pub async fn broker(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let state = |view: &View, id| view.snapshot.brokers.iter().find(|node| node.id == id).map(|node| node.state);
    let id = running(&sources, "broker", &id, state)?;
    exposition(sources, Scope::Broker(id)).await
}

/// `GET /metrics/controllers/ID`: what that controller's own exporter would show.
pub async fn controller(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = running(&sources, "controller", &id, voter)?;
    exposition(sources, Scope::Controller(id)).await
}

/// `GET /metrics/node/ID`: what node_exporter and the kubelet would show beside that node.
pub async fn machine(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let state = |view: &View, id| {
        let broker = view.snapshot.brokers.iter().find(|node| node.id == id).map(|node| node.state);
        broker.or_else(|| voter(view, id))
    };
    let id = running(&sources, "node", &id, state)?;
    exposition(sources, Scope::Machine(id)).await
}

fn voter(view: &View, id: i32) -> Option<NodeState> {
    view.snapshot.quorum.voters.iter().find(|node| node.id == id).map(|node| node.state)
}

/// The id of a node that runs: one that does not would not answer a scrape either.
fn running(
    sources: &Sources,
    kind: &str,
    id: &str,
    state: impl Fn(&View, i32) -> Option<NodeState>,
) -> Result<i32, Problem> {
    let missing = || Problem::not_found(format!("There is no {kind} {}.", shown(id)));
    let id: i32 = id.parse().map_err(|_| missing())?;
    match state(&sources.slot.latest(), id).ok_or_else(missing)? {
        NodeState::Running => Ok(id),
        _ => {
            let text = format!("The {kind} {id} is not running, so it has no metrics.");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, text))
        }
    }
}

async fn exposition(sources: Sources, scope: Scope) -> Result<Response, Problem> {
    let (slot, data_dir) = (sources.slot.clone(), sources.data_dir.clone());
    // Ten thousand partitions take a while to be written down; the API goes on meanwhile.
    let write = move || {
        let view = slot.latest();
        let detail = Detail::from(view.cloudwatch.level);
        let shown = Shown { view: &view, data_dir: &data_dir, detail, window_frames: slot.frames() };
        export::text(shown, scope)
    };
    let text = sources.scrapes.take(write).await?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}
