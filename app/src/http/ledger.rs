//! The durability ledger: what it says, and reproductions.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::changes::{carry_out, json_of, number};
use super::problem::Problem;
use super::server::Sources;
use crate::monitor::command::{Command, LedgerExport};

/// What of it is asked for.
#[derive(Debug, Deserialize)]
pub struct What {
    of: Option<String>,
}

/// `GET /api/ledger`: by workload. `GET /api/ledger?of=clients`: what of anybody's acknowledged records vanished.
pub async fn list(State(sources): State<Sources>, Query(what): Query<What>) -> Result<Response, Problem> {
    let ledger = sources.slot.latest().ledger;
    match what.of.as_deref() {
        None | Some("workloads") => Ok(Json(&*ledger.workloads).into_response()),
        Some("clients") => Ok(Json(&*ledger.vanished).into_response()),
        Some(_) => Err(Problem::bad_request("of is workloads or clients.")),
    }
}

/// Where a reproduction is to go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Where {
    #[serde(default)]
    folder: Option<PathBuf>,
}

/// `POST /api/ledger/ID/export`.
pub async fn export(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = number(&id, "ledger of a workload")?;
    let Where { folder } = json_of(request).await?;
    if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
        return Err(Problem::bad_request("folder is a path from the root of the file system on."));
    }
    let done = carry_out(&sources, Command::ExportLedger(LedgerExport { id, folder })).await?;
    Ok(Json(json!({ "id": id, "message": done.text })).into_response())
}
