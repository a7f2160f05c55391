//! What is monitored: the level of metrics, as MSK's UpdateMonitoring changes it, and how many alarms there are.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::changes::{carry_out, json_of};
use super::problem::Problem;
use super::server::Sources;
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::cloudwatch::catalog::Level;
use crate::monitor::cloudwatch::store::SERIES_MAX;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::Command;

/// `GET /api/monitoring`.
pub async fn show(State(sources): State<Sources>) -> Response {
    let watched = sources.slot.latest().cloudwatch;
    Json(json!({
        "level": watched.level,
        "alarm_set": watched.alarms.set,
        "series": watched.store.len(),
        "series_max": SERIES_MAX,
        "values_dropped": watched.store.dropped(),
        "alarms": {
            "ok": watched.alarms.count(AlarmState::Ok),
            "alarm": watched.alarms.count(AlarmState::Alarm),
            "insufficient_data": watched.alarms.count(AlarmState::InsufficientData),
        },
    }))
    .into_response()
}

/// What is to be changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    alarm_set: Option<AlarmSet>,
}

/// `PUT /api/monitoring`.
pub async fn change(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let Wish { level, alarm_set } = json_of(request).await?;
    if level.is_none() && alarm_set.is_none() {
        return Err(Problem::bad_request("level or alarm_set says what is to be changed."));
    }
    for change in level.map(Change::Level).into_iter().chain(alarm_set.map(Change::AlarmSet)) {
        carry_out(&sources, Command::Monitoring(change)).await?;
    }
    Ok(show(State(sources)).await)
}
