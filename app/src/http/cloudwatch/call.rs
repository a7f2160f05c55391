//! One call: from the request to the answer.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::fault::Fault;
use super::params::Params;
use super::tree::Tree;
use super::wire::{Protocol, Question};
use super::{alarms, metrics};
use crate::http::server::Sources;
use crate::monitor::cloudwatch::watch::{Change, CloudwatchView};
use crate::monitor::command::Command;

/// All operations that there are.
pub(super) const OPERATIONS: [&str; 11] = [
    "ListMetrics",
    "GetMetricData",
    "GetMetricStatistics",
    "PutMetricAlarm",
    "DescribeAlarms",
    "DescribeAlarmsForMetric",
    "DescribeAlarmHistory",
    "DescribeAlarmContributors",
    "DeleteAlarms",
    "SetAlarmState",
    "DescribeLogGroups",
];

/// CloudWatch takes no longer bodies either, where they may be longest.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A body that takes longer to arrive is not waited for.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// A change that takes longer is not waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// `POST /`: the operation stands in a header or in the form.
pub async fn call(State(sources): State<Sources>, request: Request) -> Response {
    answer(sources, None, request).await
}

/// `POST /service/GraniteServiceVersion20100801/operation/NAME`.
pub async fn call_by_path(State(sources): State<Sources>, Path(operation): Path<String>, request: Request) -> Response {
    answer(sources, Some(operation), request).await
}

async fn answer(sources: Sources, operation: Option<String>, request: Request) -> Response {
    let protocol = Protocol::of(request.headers());
    let (parts, body) = request.into_parts();
    let question = match bytes_of(body).await {
        Ok(body) => protocol.read(operation, &parts.headers, &body),
        Err(fault) => Err(fault),
    };
    match question {
        Ok(Question { operation, params }) => {
            let answer = carry_out(&sources, &operation, params).await;
            protocol.write(&operation, answer)
        }
        Err(fault) => protocol.write("Unknown", Err(fault)),
    }
}

async fn bytes_of(body: Body) -> Result<axum::body::Bytes, Fault> {
    let too_late = |_| Fault::body(StatusCode::REQUEST_TIMEOUT, "The body of the request did not arrive in time.");
    let too_long = |_| {
        let text = format!("The body of the request is longer than {BODY_BYTES_MAX} bytes, or was cut off.");
        Fault::body(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(too_late)?
        .map_err(too_long)
}

async fn carry_out(sources: &Sources, operation: &str, params: serde_json::Value) -> Result<Option<Tree>, Fault> {
    let changing = match operation {
        "PutMetricAlarm" => Some(alarms::put(Params::new(&params)?)?),
        "DeleteAlarms" => Some(alarms::delete(Params::new(&params)?)?),
        "SetAlarmState" => Some(alarms::set_state(Params::new(&params)?)?),
        _ => None,
    };
    if let Some(change) = changing {
        return make(sources, change).await.map(|()| None);
    }
    if operation == "DescribeLogGroups" {
        return Ok(Some(log_groups()));
    }
    let read: fn(&CloudwatchView, Params<'_>, i64) -> Result<Tree, Fault> = match operation {
        "ListMetrics" => metrics::list,
        "GetMetricData" => metrics::data,
        "GetMetricStatistics" => metrics::statistics,
        "DescribeAlarms" => alarms::describe,
        "DescribeAlarmsForMetric" => alarms::describe_for_metric,
        "DescribeAlarmHistory" => alarms::history,
        "DescribeAlarmContributors" => alarms::contributors,
        _ => return Err(Fault::operation(operation)),
    };
    let view = sources.slot.latest().cloudwatch;
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    // Many points take a while to be gathered; the rest of HTTP goes on meanwhile.
    let read = tokio::task::spawn_blocking(move || read(&view, Params::new(&params)?, now_ms)).await;
    read.map_err(|error| Fault::internal(format!("The answer could not be made: {error}.")))?.map(Some)
}

/// CloudWatch Logs' only operation here: Grafana's "Save & test" asks for log groups too, and there are none.
fn log_groups() -> Tree {
    Tree::Struct(vec![("logGroups", Tree::List(Vec::new()))])
}

/// Hands in a change, and waits until whoever reads next sees it.
async fn make(sources: &Sources, change: Change) -> Result<(), Fault> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    // Whoever asked may have gone away meanwhile.
    sources.orders.ask(Command::Monitoring(change), move |outcome| drop(answer.send(outcome)));
    let late = |_| Fault::internal("The monitor did not answer in time.");
    let gone = |_| Fault::internal("The program is shutting down.");
    tokio::time::timeout(ANSWER_PATIENCE, answered).await.map_err(late)?.map_err(gone)??;
    Ok(())
}
