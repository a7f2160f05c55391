//! Scripts of faults: run, told, stopped; and what was done so far, as a script.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::changes::{body_of, carry_out, done, number};
use super::guard;
use super::problem::Problem;
use super::server::Sources;
use crate::monitor::command::Command;
use crate::monitor::script::record::recorded;
use crate::monitor::script::{Script, ScriptError};

/// `GET /api/scripts`: runs and their verdicts, oldest first.
pub async fn list(State(sources): State<Sources>) -> Response {
    Json(&*sources.slot.latest().snapshot.scripts).into_response()
}

/// `GET /api/scripts/recorded`: what was broken since the start, as YAML that can be run.
pub async fn record(State(sources): State<Sources>) -> Result<Response, Problem> {
    let script = recorded(&sources.slot.latest().snapshot);
    if script.steps.is_empty() {
        return Err(Problem::not_found("Nothing was broken yet, so there is nothing to record."));
    }
    let yaml = script.to_yaml().map_err(|error| Problem::bad_request(format!("No script came of it: {error}.")))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(guard::YAML))], yaml).into_response())
}

/// `POST /api/scripts`: JSON or YAML.
pub async fn run(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let is_yaml = is_yaml(request.headers());
    let bytes = body_of(request.into_body()).await?;
    let script = if is_yaml { from_yaml(&bytes) } else { Script::from_json(&bytes) };
    let script = script.map_err(|error| Problem::bad_request(format!("The script is not as expected: {error}.")))?;
    Ok(done(carry_out(&sources, Command::RunScript(Box::new(script))).await?))
}

/// `DELETE /api/scripts/ID`: stops it, and heals what it broke.
pub async fn stop(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "script")?;
    Ok(done(carry_out(&sources, Command::StopScript(id)).await?))
}

fn from_yaml(bytes: &[u8]) -> Result<Script, ScriptError> {
    Script::from_yaml(&String::from_utf8_lossy(bytes))
}

fn is_yaml(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(guard::is_yaml)
}
