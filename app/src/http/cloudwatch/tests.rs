//! The operations, on a made-up store. The protocols are tried by real clients, in tests/interop.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fault::Fault;
use super::params::Params;
use super::tree::Tree;
use super::{alarms, metrics};
use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::cloudwatch::store::{Datum, Dimension, Key, Store};
use crate::monitor::cloudwatch::watch::{Change, CloudwatchView, Watch};

pub(super) const START_S: i64 = 1_795_740_000;

fn key(metric: &str, broker: usize) -> Key {
    let dimensions =
        vec![(Dimension::ClusterName, "brokerscope".into()), (Dimension::BrokerId, broker.to_string().into())];
    Key::new(metric, dimensions)
}

/// LeaderCount of broker b is b in each of 120 seconds, and BytesInPerSec the second's number.
pub(super) fn view(brokers: usize) -> CloudwatchView {
    let mut store = Store::default();
    for second in 0..120 {
        store.put(
            START_S + second,
            (1..=brokers).flat_map(|broker| {
                let leaders = Datum { key: key("LeaderCount", broker), value: broker as f64 };
                [leaders, Datum { key: key("BytesInPerSec", broker), value: second as f64 }]
            }),
        );
    }
    CloudwatchView { store: Arc::new(store), ..CloudwatchView::default() }
}

pub(super) type Operation = fn(&CloudwatchView, Params<'_>, i64) -> Result<Tree, Fault>;

pub(super) fn ask(operation: Operation, view: &CloudwatchView, params: Value) -> Result<Value, Fault> {
    operation(view, Params::new(&params)?, (START_S + 120) * 1000).map(|tree| tree.json())
}

pub(super) fn dimensions(broker: &str) -> Value {
    json!([{ "Name": "Broker ID", "Value": broker }, { "Name": "Cluster Name", "Value": "brokerscope" }])
}

#[test]
fn metrics_are_listed_by_page_and_filter() {
    let view = view(600);
    let (mut found, mut token, mut pages) = (0, Value::Null, 0);
    loop {
        let page = ask(metrics::list, &view, json!({ "MetricName": "LeaderCount", "NextToken": token })).unwrap();
        found += page["Metrics"].as_array().unwrap().len();
        (token, pages) = (page["NextToken"].clone(), pages + 1);
        if token.is_null() {
            break;
        }
    }
    assert_eq!((found, pages), (600, 2));
    for (filter, expected) in [
        (json!({ "Dimensions": [{ "Name": "Broker ID", "Value": "7" }] }), 2),
        (
            json!({ "MetricName": "LeaderCount", "Dimensions": [{ "Name": "Broker ID", "Value": "7" }, { "Name": "Cluster Name" }] }),
            1,
        ),
        (json!({ "Dimensions": [{ "Name": "Topic" }] }), 0),
        (json!({ "Dimensions": [{ "Name": "InstanceId" }] }), 0),
        (json!({ "Namespace": "AWS/EC2" }), 0),
        (json!({ "MetricName": "LeaderCount", "RecentlyActive": "PT3H", "Namespace": "AWS/Kafka" }), 500),
    ] {
        let page = ask(metrics::list, &view, filter.clone()).unwrap();
        assert_eq!(page["Metrics"].as_array().unwrap().len(), expected, "{filter}");
    }
    for (wrong, code) in [
        (json!({ "NextToken": "x" }), "InvalidParameterValue"),
        (json!({ "RecentlyActive": "PT1H" }), "InvalidParameterValue"),
        (json!({ "MetricName": 5 }), "InvalidParameterValue"),
        (json!({ "Dimensions": [{}] }), "MissingParameter"),
        (json!([]), "MalformedInput"),
    ] {
        assert_eq!(ask(metrics::list, &view, wrong.clone()).unwrap_err().code, code, "{wrong}");
    }
}

#[test]
fn statistics_of_one_metric() {
    let view = view(2);
    let wish = |more: Value| {
        let mut wish = json!({
            "Namespace": "AWS/Kafka", "MetricName": "BytesInPerSec", "Dimensions": dimensions("2"),
            "StartTime": START_S, "EndTime": START_S + 120, "Period": 60, "Statistics": ["Sum", "SampleCount"],
            "ExtendedStatistics": ["p100"],
        });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(metrics::statistics, &view, wish)
    };
    let answer = wish(json!({})).unwrap();
    assert_eq!(answer["Label"], "BytesInPerSec");
    assert_eq!(
        answer["Datapoints"],
        json!([
            { "Timestamp": START_S, "Sum": 1770.0, "SampleCount": 60.0, "Unit": "Bytes/Second", "ExtendedStatistics": { "p100": 59.0 } },
            { "Timestamp": START_S + 60, "Sum": 5370.0, "SampleCount": 60.0, "Unit": "Bytes/Second", "ExtendedStatistics": { "p100": 119.0 } },
        ])
    );
    // As the query protocol has it, all is text.
    let as_text = json!({ "Period": "60", "StartTime": "2026-11-27T00:00:00Z", "EndTime": "2026-11-28T00:00:00Z" });
    assert!(wish(as_text).is_ok());
    assert_eq!(wish(json!({ "Unit": "Count" })).unwrap()["Datapoints"], json!([]));
    for (more, code) in [
        (json!({ "Period": 7 }), "InvalidParameterValue"),
        (json!({ "Period": null }), "MissingParameter"),
        (json!({ "StartTime": START_S + 120 }), "InvalidParameterValue"),
        (json!({ "StartTime": START_S - 86_400, "Period": 10 }), "InvalidParameterCombination"),
        (json!({ "StartTime": "soon" }), "InvalidParameterValue"),
        (json!({ "StartTime": 1e300 }), "InvalidParameterValue"),
        (json!({ "Statistics": ["p99"] }), "InvalidParameterValue"),
        (json!({ "Statistics": [], "ExtendedStatistics": [] }), "MissingParameter"),
        (json!({ "Namespace": null }), "MissingParameter"),
    ] {
        assert_eq!(wish(more.clone()).unwrap_err().code, code, "{more}");
    }
}

#[test]
fn data_of_many_metrics_by_page() {
    let view = view(3);
    let stat = |id: &str, broker: &str, stat: &str| {
        let metric = json!({ "Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": dimensions(broker) });
        json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": 10, "Stat": stat } })
    };
    let search = r#"SEARCH('{AWS/Kafka,"Cluster Name","Broker ID"} MetricName="LeaderCount"', 'Maximum', 60)"#;
    let queries = json!([
        stat("a", "1", "Average"),
        stat("none", "9", "Average"),
        { "Id": "e", "Expression": search, "Label": "${LABEL}|${PROP('Dim.Broker ID')}" },
    ]);
    let span = |more: Value| {
        let mut wish = json!({ "MetricDataQueries": queries, "StartTime": START_S, "EndTime": START_S + 120, "ScanBy": "TimestampAscending" });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(metrics::data, &view, wish)
    };
    let answer = span(json!({})).unwrap();
    let results = answer["MetricDataResults"].as_array().unwrap();
    let labels: Vec<_> =
        results.iter().map(|result| (result["Id"].as_str().unwrap(), result["Label"].as_str().unwrap())).collect();
    assert_eq!(
        labels,
        [
            ("a", "LeaderCount"),
            ("none", "LeaderCount"),
            ("e", "1 LeaderCount|1"),
            ("e", "2 LeaderCount|2"),
            ("e", "3 LeaderCount|3")
        ]
    );
    assert_eq!(results[0]["Values"], json!(vec![1.0; 12]));
    assert_eq!(results[0]["Timestamps"][1], START_S + 10);
    assert_eq!((&results[1]["Values"], &results[1]["StatusCode"]), (&json!([]), &json!("Complete")));
    assert_eq!(results[4]["Values"], json!([3.0, 3.0]));
    // 12 + 0 + 3 * 2 points, five to a page.
    let (mut pages, mut points, mut token) = (0, 0, Value::Null);
    loop {
        let page = span(json!({ "MaxDatapoints": 5, "NextToken": token, "ScanBy": null })).unwrap();
        points += page["MetricDataResults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Values"].as_array().unwrap().len())
            .sum::<usize>();
        (token, pages) = (page["NextToken"].clone(), pages + 1);
        if token.is_null() {
            break;
        }
    }
    assert_eq!((pages, points), (4, 18));
    for (more, code) in [
        (json!({ "MetricDataQueries": [stat("A", "1", "Average")] }), "ValidationError"),
        (json!({ "MetricDataQueries": [stat("a", "1", "Mean")] }), "InvalidParameterValue"),
        (json!({ "MetricDataQueries": [stat("a", "1", "Sum"), stat("a", "2", "Sum")] }), "ValidationError"),
        (json!({ "MetricDataQueries": [{ "Id": "m", "Expression": "a + a" }] }), "ValidationError"),
        (json!({ "MetricDataQueries": [{ "Id": "m" }] }), "ValidationError"),
        (json!({ "MetricDataQueries": [] }), "MissingParameter"),
        (json!({ "MetricDataQueries": vec![stat("a", "1", "Sum"); 501] }), "InvalidParameterValue"),
        (json!({ "NextToken": "x" }), "InvalidNextToken"),
        (json!({ "NextToken": "-1.5" }), "InvalidNextToken"),
        (json!({ "MaxDatapoints": 0 }), "InvalidParameterValue"),
        (json!({ "ScanBy": "x" }), "InvalidParameterValue"),
    ] {
        assert_eq!(span(more.clone()).unwrap_err().code, code, "{more}");
    }
}

fn wish(name: &str) -> Value {
    json!({
        "AlarmName": name, "Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": dimensions("1"),
        "Statistic": "Maximum", "Period": 10, "EvaluationPeriods": 2, "Threshold": 0, "ComparisonOperator": "LessThanOrEqualToThreshold",
    })
}

pub(super) fn change(
    operation: fn(Params<'_>) -> Result<Change, Fault>,
    watch: &mut Watch,
    params: &Value,
) -> Result<(), Fault> {
    let (answer, _) = watch.change(1_000, operation(Params::new(params)?)?);
    answer.map(drop).map_err(Fault::from)
}

#[test]
fn alarms_are_put_described_set_and_deleted() {
    let mut watch = Watch::default();
    for number in 0..120 {
        change(alarms::put, &mut watch, &wish(&format!("a{number:03}"))).unwrap();
    }
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = ask(alarms::describe, &watch.view(), json!({ "MaxRecords": 50, "NextToken": token })).unwrap();
        names.extend(page["MetricAlarms"].as_array().unwrap().iter().map(|alarm| alarm["AlarmName"].clone()));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((names.len(), &names[119]), (120, &json!("a119")));
    let only =
        |filter: Value| ask(alarms::describe, &watch.view(), filter).unwrap()["MetricAlarms"].as_array().unwrap().len();
    assert_eq!(only(json!({ "AlarmNames": ["a001", "none"] })), 1);
    assert_eq!(only(json!({ "AlarmNamePrefix": "a00" })), 10);
    assert_eq!(only(json!({ "StateValue": "OK" })), 0);
    assert_eq!(only(json!({ "AlarmTypes": ["CompositeAlarm"] })), 0);
    let one =
        ask(alarms::describe, &watch.view(), json!({ "AlarmNames": ["a001"] })).unwrap()["MetricAlarms"][0].clone();
    for (member, expected) in [
        ("StateValue", json!("INSUFFICIENT_DATA")),
        ("DatapointsToAlarm", json!(2)),
        ("TreatMissingData", json!("missing")),
        ("Threshold", json!(0.0)),
        ("Unit", json!("Count")),
        ("ActionsEnabled", json!(true)),
        ("AlarmArn", json!("arn:aws:cloudwatch:local:000000000000:alarm:a001")),
    ] {
        assert_eq!(one[member], expected, "{member}");
    }
    let set = json!({ "AlarmName": "a001", "StateValue": "ALARM", "StateReason": "to see", "StateReasonData": "{}" });
    change(alarms::set_state, &mut watch, &set).unwrap();
    assert_eq!(watch.view().alarms.count(AlarmState::Alarm), 1);
    let history = ask(alarms::history, &watch.view(), json!({ "AlarmName": "a001", "MaxRecords": 1 })).unwrap();
    assert_eq!(history["AlarmHistoryItems"][0]["HistorySummary"], "Alarm updated from INSUFFICIENT_DATA to ALARM");
    let next = json!({ "AlarmName": "a001", "NextToken": history["NextToken"] });
    let rest = ask(alarms::history, &watch.view(), next).unwrap();
    assert_eq!(rest["AlarmHistoryItems"][0]["HistoryItemType"], "ConfigurationUpdate");
    assert_eq!(rest["AlarmHistoryItems"].as_array().unwrap().len(), 1);
    let of_metric = json!({ "Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": dimensions("1") });
    assert_eq!(
        ask(alarms::describe_for_metric, &watch.view(), of_metric).unwrap()["MetricAlarms"].as_array().unwrap().len(),
        120
    );
    change(alarms::delete, &mut watch, &json!({ "AlarmNames": ["a001"] })).unwrap();
    for (fault, code, status) in [
        (change(alarms::delete, &mut watch, &json!({ "AlarmNames": ["a001"] })), "ResourceNotFound", 404),
        (change(alarms::set_state, &mut watch, &set), "ResourceNotFound", 404),
        (change(alarms::delete, &mut watch, &json!({})), "MissingParameter", 400),
        (
            change(
                alarms::set_state,
                &mut watch,
                &json!({ "AlarmName": "a", "StateValue": "FINE", "StateReason": "" }),
            ),
            "InvalidParameterValue",
            400,
        ),
        (
            change(
                alarms::set_state,
                &mut watch,
                &json!({ "AlarmName": "a", "StateValue": "OK", "StateReason": "", "StateReasonData": "{" }),
            ),
            "InvalidFormat",
            400,
        ),
    ] {
        let fault = fault.unwrap_err();
        assert_eq!((fault.code, fault.status.as_u16()), (code, status), "{}", fault.message);
    }
}

#[test]
fn alarms_that_make_no_sense_are_refused() {
    let mut watch = Watch::default();
    for (member, value, code) in [
        ("AlarmName", json!(""), "MissingParameter"),
        ("AlarmName", json!("x".repeat(256)), "InvalidParameterValue"),
        ("Namespace", json!("AWS/EC2"), "ValidationError"),
        ("MetricName", json!("NoSuchMetric"), "InvalidParameterValue"),
        ("Dimensions", json!([{ "Name": "InstanceId", "Value": "i" }]), "InvalidParameterValue"),
        ("Statistic", json!("p99"), "InvalidParameterCombination"),
        ("ExtendedStatistic", json!("p99"), "InvalidParameterCombination"),
        ("Period", json!(7), "InvalidParameterValue"),
        ("EvaluationPeriods", json!(0), "InvalidParameterValue"),
        ("EvaluationPeriods", json!(1000), "ValidationError"),
        ("DatapointsToAlarm", json!(3), "ValidationError"),
        ("Threshold", Value::Null, "MissingParameter"),
        ("Threshold", json!("NaN"), "InvalidParameterValue"),
        ("ComparisonOperator", json!("GreaterThanUpperThreshold"), "ValidationError"),
        ("ComparisonOperator", json!("Greater"), "InvalidParameterValue"),
        ("TreatMissingData", json!("no"), "InvalidParameterValue"),
        ("Unit", json!("Bytes"), "InvalidParameterValue"),
        ("Metrics", json!([{}]), "ValidationError"),
        ("ThresholdMetricId", json!("ad1"), "ValidationError"),
        ("AlarmActions", json!(["x".repeat(1025)]), "InvalidParameterValue"),
        ("Tags", json!([{ "Key": "severity", "Value": "loud" }]), "InvalidParameterValue"),
    ] {
        let mut wish = wish("a");
        wish[member] = value;
        assert_eq!(change(alarms::put, &mut watch, &wish).unwrap_err().code, code, "{member}");
    }
    assert_eq!(change(alarms::put, &mut watch, &wish("a")), Ok(()));
}
