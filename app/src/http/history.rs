//! What was: how much of it is recorded, the cluster as it was at a time, and all of it as a file.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::problem::Problem;
use super::server::Sources;
use crate::monitor::history::file;
use crate::monitor::history::record::Opened;

/// A recording may have some hundred megabytes, and stands in memory while it is written: one at a time.
static WRITING: Semaphore = Semaphore::const_new(1);

/// `GET /api/history`.
pub async fn extent(State(sources): State<Sources>) -> Response {
    Json(sources.history.record().extent()).into_response()
}

/// Of when.
#[derive(Debug, Deserialize)]
pub struct When {
    at_ms: Option<String>,
}

/// `GET /api/history/cluster?at_ms=T`: what `GET /api/cluster` said at that time, or last before it.
pub async fn cluster(State(sources): State<Sources>, Query(when): Query<When>) -> Result<Response, Problem> {
    let at_ms: i64 = when
        .at_ms
        .as_deref()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::bad_request("at_ms is a time: milliseconds since 1970."))?;
    let record = sources.history.record();
    let Some((from_ms, _)) = record.archive.span_ms() else {
        return Err(Problem::not_found("Nothing is recorded yet."));
    };
    if at_ms < from_ms {
        return Err(Problem::not_found(format!("Nothing is recorded before {from_ms}.")));
    }
    let found = tokio::task::spawn_blocking(move || record.snapshot_at(at_ms, &mut Opened::default())).await;
    match found {
        Ok(Ok(snapshot)) => Ok(Json(snapshot).into_response()),
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(error) => Err(failed(&error.to_string())),
    }
}

fn failed(why: &str) -> Problem {
    Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, format!("The history could not be read: {why}."))
}

/// `GET /api/history/recording`: a file that the window opens.
pub async fn recording(State(sources): State<Sources>) -> Result<Response, Problem> {
    let _permit = WRITING.acquire().await.map_err(|error| failed(&error.to_string()))?;
    let record = sources.history.record();
    let written = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        file::write(&record, &mut bytes).map(|()| bytes)
    });
    match written.await {
        Ok(Ok(bytes)) => {
            let name = format!("attachment; filename=\"history.{}\"", file::EXTENSION);
            let headers = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_DISPOSITION, name)];
            Ok((headers, bytes).into_response())
        }
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(error) => Err(failed(&error.to_string())),
    }
}
