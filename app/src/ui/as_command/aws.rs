//! Alarms, with AWS' own client.

use std::sync::Arc;

use super::quote::quoted;
use crate::monitor::cloudwatch::alarm::{Alarm, Watched};
use crate::monitor::cloudwatch::catalog::NAMESPACE;
use crate::monitor::cloudwatch::math::formula::Formula;
use crate::monitor::cloudwatch::math::query::{Query, What};
use crate::monitor::cloudwatch::store::{Dimension, Key};

/// `aws cloudwatch … --endpoint-url …`.
pub fn call(http: &str, operation: &str) -> String {
    format!("aws cloudwatch {operation} --endpoint-url {}", quoted(http))
}

/// Puts an alarm.
pub fn put(http: &str, alarm: &Alarm) -> String {
    let mut parts = vec![call(http, "put-metric-alarm"), format!("--alarm-name {}", quoted(&alarm.name))];
    parts.extend(watched_by(alarm));
    parts.extend([
        format!("--comparison-operator {} --threshold={}", alarm.comparison.name(), alarm.threshold),
        format!(
            "--datapoints-to-alarm {} --evaluation-periods {}",
            alarm.datapoints_to_alarm, alarm.evaluation_periods
        ),
        format!("--treat-missing-data {}", alarm.missing.name()),
        format!("--tags Key=severity,Value={}", alarm.severity.name()),
    ]);
    if !alarm.description.is_empty() {
        parts.push(format!("--alarm-description {}", quoted(&alarm.description)));
    }
    parts.join(" ")
}

/// The metric math as PutMetricAlarm takes it.
fn metrics(formula: &Formula) -> serde_json::Value {
    let of = |query: &Query| {
        let mut json = serde_json::json!({ "Id": query.id, "ReturnData": query.is_wanted });
        match &query.what {
            What::Stat { key, statistic, period_s } => {
                let metric = serde_json::json!({ "Namespace": NAMESPACE, "MetricName": &*key.metric, "Dimensions": dimensions(key) });
                json["MetricStat"] =
                    serde_json::json!({ "Metric": metric, "Period": period_s, "Stat": statistic.to_string() });
            }
            What::Expression { text, period_s, .. } => {
                json["Expression"] = text.as_str().into();
                if let Some(period_s) = period_s {
                    json["Period"] = (*period_s).into();
                }
            }
        }
        if let Some(label) = &query.label {
            json["Label"] = label.as_str().into();
        }
        json
    };
    formula.queries().iter().map(of).collect()
}

fn dimensions(key: &Key) -> serde_json::Value {
    let one =
        |(dimension, value): &(Dimension, Arc<str>)| serde_json::json!({ "Name": dimension.name(), "Value": &**value });
    key.dimensions.iter().map(one).collect()
}

/// What of its command says what an alarm watches.
fn watched_by(alarm: &Alarm) -> Vec<String> {
    let (key, statistic) = match &alarm.watched {
        Watched::Formula(formula) => return vec![format!("--metrics {}", quoted(&metrics(formula).to_string()))],
        Watched::Metric { key, statistic } => (key, statistic),
    };
    let name = if statistic.is_simple() { "--statistic" } else { "--extended-statistic" };
    vec![
        format!("--namespace {NAMESPACE} --metric-name {}", key.metric),
        format!("--dimensions {}", quoted(&dimensions(key).to_string())),
        format!("{name} {} --period {}", quoted(&statistic.to_string()), alarm.period_s),
    ]
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
