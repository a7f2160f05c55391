//! Alarms on metric math, as they are put, told and refused.

use serde_json::{Value, json};

use super::alarms;
use super::tests::{ask, change, dimensions, view};
use crate::monitor::cloudwatch::watch::{CloudwatchView, Watch};

fn stat(id: &str, broker: &str) -> Value {
    let metric = json!({ "Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": dimensions(broker) });
    json!({ "Id": id, "ReturnData": false, "MetricStat": { "Metric": metric, "Period": 10, "Stat": "Maximum" } })
}

fn expression(id: &str, text: &str) -> Value {
    json!({ "Id": id, "Expression": text, "ReturnData": true })
}

fn wish(name: &str, metrics: &[Value]) -> Value {
    json!({
        "AlarmName": name, "EvaluationPeriods": 2, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", "Metrics": metrics,
    })
}

#[test]
fn they_are_told_as_they_were_put() {
    let mut watch = Watch::default();
    let labelled = json!({ "Id": "e1", "Expression": "m1 / m2", "Label": "Share", "Period": 10 });
    let sql = json!({ "Id": "q1", "Expression": "SELECT MAX(LeaderCount) FROM \"AWS/Kafka\"", "Period": 60 });
    for (name, metrics) in [("share", vec![stat("m1", "1"), stat("m2", "2"), labelled]), ("sql", vec![sql])] {
        change(alarms::put, &mut watch, &wish(name, &metrics)).unwrap();
        let told =
            ask(alarms::describe, &watch.view(), json!({ "AlarmNames": [name] })).unwrap()["MetricAlarms"][0].clone();
        for (index, metric) in metrics.iter().enumerate() {
            let mut expected = metric.clone();
            expected["ReturnData"] = json!(index == metrics.len() - 1);
            let mut told = told["Metrics"][index].clone();
            if let Some(list) = told.pointer_mut("/MetricStat/Metric/Dimensions").and_then(Value::as_array_mut) {
                list.sort_by_key(|one| one["Name"].to_string());
            }
            assert_eq!(told, expected, "{name}");
        }
        for of_one_metric in ["Namespace", "MetricName", "Dimensions", "Period", "Statistic", "Unit"] {
            assert_eq!(told[of_one_metric], Value::Null, "{of_one_metric}");
        }
        assert_eq!((&told["StateValue"], &told["Threshold"]), (&json!("INSUFFICIENT_DATA"), &json!(5.0)));
    }
    // Not the metric's own.
    let of_metric = json!({ "Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": dimensions("1") });
    assert_eq!(ask(alarms::describe_for_metric, &watch.view(), of_metric).unwrap()["MetricAlarms"], json!([]));
    let history = ask(alarms::history, &watch.view(), json!({ "AlarmName": "sql" })).unwrap();
    assert_eq!(history["AlarmHistoryItems"][0]["HistorySummary"], "Alarm \"sql\" created");
    // One on a metric may take its place, and the other way round.
    let plain = json!({
        "AlarmName": "share", "Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": dimensions("1"), "Statistic": "Maximum",
        "Period": 10, "EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "LessThanThreshold", "Metrics": [],
    });
    change(alarms::put, &mut watch, &plain).unwrap();
    let told =
        ask(alarms::describe, &watch.view(), json!({ "AlarmNames": ["share"] })).unwrap()["MetricAlarms"][0].clone();
    assert_eq!((&told["MetricName"], &told["Metrics"]), (&json!("LeaderCount"), &Value::Null));
}

#[test]
fn what_makes_no_sense_is_refused_as_cloudwatch_does() {
    let mut watch = Watch::default();
    let sound = [stat("m1", "1"), stat("m2", "2"), expression("e1", "m1 / m2")];
    let with = |id: usize, pointer: &str, value: Value| {
        let mut metrics = sound.to_vec();
        *metrics[id].pointer_mut(pointer).unwrap() = value;
        wish("a", &metrics)
    };
    let besides = |name: &str, value: Value| {
        let mut wish = wish("a", &sound);
        wish[name] = value;
        wish
    };
    for (wish, code, said) in [
        (
            besides("MetricName", json!("LeaderCount")),
            "ValidationError",
            "MetricName should not be set if list of Metrics is set.",
        ),
        (besides("Period", json!(10)), "ValidationError", "Period should not be set"),
        (besides("Statistic", json!("Sum")), "ValidationError", "Statistic should not be set"),
        (besides("ThresholdMetricId", json!("e1")), "ValidationError", "Anomaly detection is not there"),
        (besides("EvaluationPeriods", json!(10_000)), "ValidationError", "EvaluationPeriods"),
        (besides("Threshold", Value::Null), "MissingParameter", "Threshold"),
        (
            with(2, "/ReturnData", json!(false)),
            "ValidationError",
            "Exactly one element of the metrics list should return data.",
        ),
        (
            with(0, "/ReturnData", json!(true)),
            "ValidationError",
            "Exactly one element of the metrics list should return data.",
        ),
        (with(0, "/Id", json!("m2")), "ValidationError", "not unique"),
        (with(0, "/Id", json!("M1")), "ValidationError", "lower-case letter"),
        (with(0, "/Id", json!("m3")), "ValidationError", "no query has the id \"m1\""),
        (with(0, "/MetricStat/Period", json!(7)), "InvalidParameterValue", "Period"),
        (with(0, "/MetricStat/Period", json!(60)), "ValidationError", "the same Period"),
        (with(0, "/MetricStat/Stat", json!("Mean")), "InvalidParameterValue", "not a statistic"),
        (with(0, "/MetricStat/Metric/MetricName", json!("Nope")), "InvalidParameterValue", "no metric"),
        (with(0, "/MetricStat/Metric/Namespace", json!("AWS/EC2")), "ValidationError", "no namespace"),
        (with(0, "/MetricStat", Value::Null), "ValidationError", "either MetricStat or Expression"),
        (with(2, "/Expression", json!("m1 /")), "ValidationError", "at its end"),
        (with(2, "/Expression", json!("SELECT AVG(m)")), "ValidationError", "FROM is expected, at character 14"),
        (wish("a", &vec![stat("m1", "1"); 21]), "InvalidParameterValue", "more than 20"),
        (
            wish("a", &[json!({ "Id": "m1", "AccountId": "111122223333", "Expression": "m2" })]),
            "InvalidParameterValue",
            "account",
        ),
    ] {
        let fault = change(alarms::put, &mut watch, &wish).unwrap_err();
        assert!(fault.message.contains(said) && !fault.message.contains('\n'), "{said}: {}", fault.message);
        assert_eq!(fault.code, code, "{said}");
    }
    assert_eq!(change(alarms::put, &mut watch, &wish("a", &sound)), Ok(()));
}

#[test]
fn contributors_are_the_groups_that_ring() {
    let mut watch = Watch::default();
    let sql = r#"SELECT MAX(LeaderCount) FROM "AWS/Kafka" GROUP BY "Broker ID" ORDER BY MAX() DESC"#;
    let query = json!({ "Id": "q1", "Expression": sql, "Period": 10 });
    let mut put = |name: &str, threshold: usize| {
        let mut wish = wish(name, std::slice::from_ref(&query));
        wish["Threshold"] = json!(threshold);
        change(alarms::put, &mut watch, &wish)
    };
    put("many", 3).unwrap();
    put("few", 148).unwrap();
    let view = CloudwatchView { alarms: watch.view().alarms, ..view(150) };
    let of =
        |name: &str, token: Value| ask(alarms::contributors, &view, json!({ "AlarmName": name, "NextToken": token }));
    // Of broker b there are b leaders.
    let few = of("few", Value::Null).unwrap();
    let brokers =
        few["AlarmContributors"].as_array().unwrap().iter().map(|one| &one["ContributorAttributes"]["Broker ID"]);
    assert_eq!(brokers.collect::<Vec<_>>(), [&json!("150"), &json!("149")]);
    let (one, other) = (&few["AlarmContributors"][0], &few["AlarmContributors"][1]);
    assert!(one["StateReason"].as_str().unwrap().contains("greater than the threshold (148)"));
    assert!(one["ContributorId"] != other["ContributorId"] && one["ContributorId"].as_str().unwrap().len() == 16);
    let first = of("many", Value::Null).unwrap();
    let second = of("many", first["NextToken"].clone()).unwrap();
    let count = |page: &Value| page["AlarmContributors"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), &second["NextToken"]), (100, 47, &Value::Null));
    assert_eq!(of("none", Value::Null).unwrap_err().shape, "ResourceNotFoundException");
    assert_eq!(of("many", json!("x")).unwrap_err().code, "InvalidNextToken");
}
