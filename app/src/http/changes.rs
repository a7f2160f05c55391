//! What may be changed. Each change becomes a command; the answer comes back from whoever carries it out.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::server::Sources;
use crate::monitor::command::{Command, FaultRequest, NewBroker, NewController, WorkloadChange, WorkloadSpec};
use crate::monitor::names::{FIRST_CONTROLLER_ID, is_controller};
use crate::monitor::order::Done;

/// No change needs more.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A body that takes longer to arrive is not waited for.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// A command that takes longer is not waited for: a topic in a cluster that is down.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// The body of a request, of at most [`BODY_BYTES_MAX`].
async fn body_of(body: Body) -> Result<axum::body::Bytes, Problem> {
    let too_late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "The body of the request did not arrive in time.");
    let too_long = |_| {
        let text = format!("The body of the request is longer than {BODY_BYTES_MAX} bytes, or was cut off.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(too_late)?
        .map_err(too_long)
}

/// A JSON object.
pub(super) async fn json_of<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let bytes = body_of(request.into_body()).await?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| unexpected(&error))?;
    if !value.is_object() {
        // Serde would take an array for the fields in their order.
        return Err(Problem::bad_request("The body must be a JSON object."));
    }
    serde_json::from_value(value).map_err(|error| unexpected(&error))
}

fn unexpected(error: &serde_json::Error) -> Problem {
    Problem::bad_request(format!("The body is not as expected: {error}."))
}

/// Has a command carried out, and waits for the answer.
pub(super) async fn carry_out(sources: &Sources, command: Command) -> Result<Done, Problem> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    // Whoever asked may have gone away meanwhile.
    sources.orders.ask(command, move |outcome| drop(answer.send(outcome)));
    let gone = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The cluster is shutting down.");
    let too_late = |_| Problem::new(StatusCode::GATEWAY_TIMEOUT, "The cluster did not answer in time.");
    Ok(tokio::time::timeout(ANSWER_PATIENCE, answered).await.map_err(too_late)?.map_err(gone)??)
}

fn done(done: Done) -> Response {
    Json(match done.id {
        Some(id) => json!({ "id": id }),
        None => json!({ "message": done.text }),
    })
    .into_response()
}

/// What was asked for, cut to a length that fits into a sentence.
pub fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

pub(super) fn number(text: &str, what: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("There is no {what} {}.", shown(text))))
}

/// `POST /api/faults`.
pub async fn inject(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let request: FaultRequest = json_of(request).await?;
    Ok(done(carry_out(&sources, Command::InjectFault(request)).await?))
}

/// `DELETE /api/faults/ID`.
pub async fn heal(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "fault")?;
    Ok(done(carry_out(&sources, Command::HealFault(id)).await?))
}

/// `DELETE /api/faults`.
pub async fn heal_all(State(sources): State<Sources>) -> Result<Response, Problem> {
    Ok(done(carry_out(&sources, Command::HealAllFaults).await?))
}

/// `POST /api/brokers/ID/start`.
pub async fn start_broker(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    start(sources, &id, "broker").await
}

/// `POST /api/controllers/ID/start`.
pub async fn start_controller(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    start(sources, &id, "controller").await
}

/// `POST /api/brokers`.
pub async fn add_broker(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let wish: NewBroker = json_of(request).await?;
    Ok(done(carry_out(&sources, Command::AddBroker(wish)).await?))
}

fn broker_id(text: &str) -> Result<i32, Problem> {
    let missing = || Problem::not_found(format!("There is no broker {}.", shown(text)));
    text.parse().ok().filter(|id| (1..FIRST_CONTROLLER_ID).contains(id)).ok_or_else(missing)
}

/// `DELETE /api/brokers/ID`.
pub async fn remove_broker(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(done(carry_out(&sources, Command::RemoveBroker(broker_id(&id)?)).await?))
}

/// `DELETE /api/brokers/ID/removal`.
pub async fn keep_broker(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(done(carry_out(&sources, Command::KeepBroker(broker_id(&id)?)).await?))
}

/// `POST /api/controllers`.
pub async fn add_controller(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let wish: NewController = json_of(request).await?;
    Ok(done(carry_out(&sources, Command::AddController(wish)).await?))
}

/// `DELETE /api/controllers/ID`.
pub async fn remove_controller(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(format!("There is no controller {}.", shown(&id)));
    let controller = id.parse().ok().filter(|id| is_controller(*id)).ok_or_else(missing)?;
    Ok(done(carry_out(&sources, Command::RemoveController(controller)).await?))
}

async fn start(sources: Sources, id: &str, what: &str) -> Result<Response, Problem> {
    let missing = || Problem::not_found(format!("There is no {what} {}.", shown(id)));
    let id: i32 = id.parse().map_err(|_| missing())?;
    if is_controller(id) != (what == "controller") || (what == "broker" && !(1..FIRST_CONTROLLER_ID).contains(&id)) {
        return Err(missing());
    }
    carry_out(&sources, Command::StartNode(id)).await?;
    Ok(Json(json!({ "id": id })).into_response())
}

/// Whose logs are to be read, as `POST /api/scrub` takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubRequest {
    #[serde(default)]
    broker: Option<i32>,
}

/// `POST /api/scrub`.
pub async fn scrub(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let ScrubRequest { broker } = json_of(request).await?;
    Ok(done(carry_out(&sources, Command::Scrub { broker }).await?))
}

/// As in Kafka's clients, idempotence is on unless it is named or other acks rule it out.
fn settle_idempotence(fields: &mut Map<String, Value>) {
    if !fields.contains_key("idempotent")
        && fields.get("acks").and_then(Value::as_str).is_some_and(|acks| acks == "0" || acks == "1")
    {
        fields.insert("idempotent".into(), Value::Bool(false));
    }
}

/// `POST /api/workloads`.
pub async fn start_workload(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let mut wish: Value = json_of(request).await?;
    if let Some(fields) = wish.as_object_mut() {
        settle_idempotence(fields);
    }
    let spec: WorkloadSpec = serde_json::from_value(wish).map_err(|error| unexpected(&error))?;
    Ok(done(carry_out(&sources, Command::StartWorkload(spec)).await?))
}

/// `DELETE /api/workloads/ID`.
pub async fn stop_workload(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "workload")?;
    Ok(done(carry_out(&sources, Command::StopWorkload(id)).await?))
}

/// `PATCH /api/workloads/ID`: the fields that are to be others.
pub async fn change_workload(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = number(&id, "workload")?;
    let mut change: WorkloadChange = json_of(request).await?;
    settle_idempotence(&mut change.0);
    let done = carry_out(&sources, Command::ChangeWorkload { id, change }).await?;
    // Which clients start anew, if any do.
    let message = (!done.text.is_empty()).then_some(done.text);
    Ok(Json(json!({ "id": id, "message": message })).into_response())
}

/// Which consumer of a workload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhichConsumer {
    #[serde(default)]
    consumer: Option<u32>,
}

/// `POST /api/workloads/ID/crash`.
pub async fn crash_consumer(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = number(&id, "workload")?;
    let WhichConsumer { consumer } = json_of(request).await?;
    let done = carry_out(&sources, Command::CrashConsumer { id, consumer }).await?;
    Ok(Json(json!({ "id": id, "consumer": done.id, "message": done.text })).into_response())
}

/// `POST /api/workloads/ID/revive`.
pub async fn revive_consumer(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = number(&id, "workload")?;
    let WhichConsumer { consumer } = json_of(request).await?;
    let done = carry_out(&sources, Command::ReviveConsumer { id, consumer }).await?;
    Ok(Json(json!({ "id": id, "message": done.text })).into_response())
}

/// A topic, as `POST /api/topics` takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTopic {
    name: String,
    #[serde(default = "broker_default")]
    partitions: i32,
    #[serde(default = "broker_default")]
    replication_factor: i16,
    #[serde(default)]
    configs: BTreeMap<String, String>,
}

fn broker_default<T: From<i8>>() -> T {
    T::from(-1)
}

/// `POST /api/topics`.
pub async fn create_topic(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let NewTopic { name, partitions, replication_factor, configs } = json_of(request).await?;
    let configs = configs.into_iter().collect();
    Ok(done(carry_out(&sources, Command::CreateTopic { name, partitions, replication_factor, configs }).await?))
}

/// `DELETE /api/topics/NAME`.
pub async fn delete_topic(State(sources): State<Sources>, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(done(carry_out(&sources, Command::DeleteTopic { name }).await?))
}
