//! Alarms, with AWS' own client.

use super::quote::quoted;
use crate::monitor::cloudwatch::alarm::Alarm;
use crate::monitor::cloudwatch::catalog::NAMESPACE;

/// `aws cloudwatch … --endpoint-url …`.
pub fn call(http: &str, operation: &str) -> String {
    format!("aws cloudwatch {operation} --endpoint-url {}", quoted(http))
}

/// Puts an alarm.
pub fn put(http: &str, alarm: &Alarm) -> String {
    let dimensions: Vec<serde_json::Value> = alarm
        .key
        .dimensions
        .iter()
        .map(|(dimension, value)| serde_json::json!({ "Name": dimension.name(), "Value": &**value }))
        .collect();
    let dimensions = serde_json::Value::Array(dimensions).to_string();
    let statistic = if alarm.statistic.is_simple() { "--statistic" } else { "--extended-statistic" };
    let mut parts = vec![
        call(http, "put-metric-alarm"),
        format!("--alarm-name {}", quoted(&alarm.name)),
        format!("--namespace {NAMESPACE} --metric-name {}", alarm.key.metric),
        format!("--dimensions {}", quoted(&dimensions)),
        format!("{statistic} {} --period {}", quoted(&alarm.statistic.to_string()), alarm.period_s),
        format!("--comparison-operator {} --threshold={}", alarm.comparison.name(), alarm.threshold),
        format!(
            "--datapoints-to-alarm {} --evaluation-periods {}",
            alarm.datapoints_to_alarm, alarm.evaluation_periods
        ),
        format!("--treat-missing-data {}", alarm.missing.name()),
        format!("--tags Key=severity,Value={}", alarm.severity.name()),
    ];
    if !alarm.description.is_empty() {
        parts.push(format!("--alarm-description {}", quoted(&alarm.description)));
    }
    parts.join(" ")
}

/// Has an alarm be in a state, until the next evaluation.
pub fn set_state(http: &str, name: &str, state: &str, reason: &str) -> String {
    let operation = call(http, "set-alarm-state");
    format!("{operation} --alarm-name {} --state-value {state} --state-reason {}", quoted(name), quoted(reason))
}

/// Deletes alarms.
pub fn delete(http: &str, names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("{} --alarm-names {}", call(http, "delete-alarms"), names.join(" "))
}
