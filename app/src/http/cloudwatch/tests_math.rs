//! Metric math in GetMetricData: tables of expressions.

use serde_json::{Value, json};

use super::fault::Fault;
use super::metrics;
use super::tests::{START_S, ask, dimensions, view};

/// `l1` to `l3`: the leaders of brokers 1 to 3, which are as many as their numbers; `b1`: bytes, the number of the second. One point in 60 s of two.
fn answer(queries: &[Value]) -> Result<Value, Fault> {
    let stat = |id: &str, metric: &str, broker: &str, stat: &str| {
        let metric = json!({ "Namespace": "AWS/Kafka", "MetricName": metric, "Dimensions": dimensions(broker) });
        json!({ "Id": id, "ReturnData": false, "MetricStat": { "Metric": metric, "Period": 60, "Stat": stat } })
    };
    let mut all = vec![
        stat("l1", "LeaderCount", "1", "Average"),
        stat("l2", "LeaderCount", "2", "Average"),
        stat("l3", "LeaderCount", "3", "Average"),
        stat("b1", "BytesInPerSec", "1", "Maximum"),
        stat("none", "LeaderCount", "9", "Average"),
    ];
    all.extend_from_slice(queries);
    let wish = json!({ "MetricDataQueries": all, "StartTime": START_S, "EndTime": START_S + 120, "ScanBy": "TimestampAscending" });
    ask(metrics::data, &view(3), wish)
}

/// The lines of an expression: their labels and values.
fn lines(expression: &str) -> Result<Vec<(String, Value)>, Fault> {
    let answer = answer(&[json!({ "Id": "e", "Expression": expression, "Period": 60 })])?;
    let results = answer["MetricDataResults"].as_array().unwrap();
    Ok(results.iter().map(|line| (line["Label"].as_str().unwrap().to_owned(), line["Values"].clone())).collect())
}

const SEARCH: &str = r#"SEARCH('{AWS/Kafka,"Cluster Name","Broker ID"} MetricName="LeaderCount"', 'Maximum', 60)"#;

#[test]
fn expressions_of_one_line() {
    for (expression, expected) in [
        ("l1 + l2", json!([3.0, 3.0])),
        ("l3 - 1", json!([2.0, 2.0])),
        ("l1 / l2 * 100", json!([50.0, 50.0])),
        ("2 ^ l3", json!([8.0, 8.0])),
        ("-b1", json!([-59.0, -119.0])),
        ("l1 / 0", json!([])),
        ("l1 + none", json!([])),
        ("b1 > 100", json!([0.0, 1.0])),
        ("RATE(b1)", json!([1.0])),
        ("DIFF(b1)", json!([60.0])),
        ("RUNNING_SUM(b1)", json!([59.0, 178.0])),
        ("ABS(1 - b1)", json!([58.0, 118.0])),
        ("SUM(METRICS()) - b1", json!([6.0, 6.0])),
        ("SUM(METRICS('l'))", json!([6.0, 6.0])),
        ("AVG([l1, l2])", json!([1.5, 1.5])),
        ("MIN([l3, l2])", json!([2.0, 2.0])),
        ("MAX([b1, l2])", json!([59.0, 119.0])),
        ("b1 - AVG(b1)", json!([-30.0, 30.0])),
        ("FILL(none, 7)", json!([7.0, 7.0])),
        ("FILL(RATE(b1), 0)", json!([0.0, 1.0])),
        ("FILL(RATE(b1), REPEAT)", json!([1.0])),
        ("IF(b1 > 100, b1, 0)", json!([0.0, 119.0])),
        ("IF(b1 > 100, b1)", json!([119.0])),
        ("IF(b1 > 100 AND l1 == 1, 1, 2)", json!([2.0, 1.0])),
        ("TIME_SERIES(5)", json!([5.0, 5.0])),
        ("TIME_SERIES(METRIC_COUNT(METRICS('l')))", json!([3.0, 3.0])),
        ("l1 * PERIOD(l1)", json!([60.0, 60.0])),
        ("FIRST(SORT(METRICS('l'), MAX, DESC))", json!([3.0, 3.0])),
        (&format!("SUM({SEARCH})"), json!([6.0, 6.0])),
    ] {
        assert_eq!(lines(expression), Ok(vec![("e".to_owned(), expected)]), "{expression}");
    }
}

#[test]
fn expressions_of_many_lines_keep_their_names() {
    let named = |lines: &[(&str, f64)]| -> Vec<(String, Value)> {
        lines.iter().map(|(name, value)| (format!("{name} LeaderCount"), json!([value, value]))).collect()
    };
    for (expression, expected) in [
        (SEARCH.to_owned(), named(&[("1", 1.0), ("2", 2.0), ("3", 3.0)])),
        (format!("{SEARCH} * 10"), named(&[("1", 10.0), ("2", 20.0), ("3", 30.0)])),
        (format!("{SEARCH} / l2"), named(&[("1", 0.5), ("2", 1.0), ("3", 1.5)])),
        (format!("SORT({SEARCH}, AVG, DESC, 2)"), named(&[("3", 3.0), ("2", 2.0)])),
        (format!("SLICE({SEARCH}, 1, 2)"), named(&[("2", 2.0)])),
        ("REMOVE_EMPTY([none, l2])".to_owned(), named(&[("2", 2.0)])),
    ] {
        assert_eq!(lines(&expression), Ok(expected), "{expression}");
    }
}

#[test]
fn expressions_use_each_other_in_any_order() {
    let expression = |id: &str, expression: &str, more: Value| {
        let mut query = json!({ "Id": id, "Expression": expression });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };
    let answer_of = answer(&[
        expression("total", "part + l3", json!({ "Label": "All of ${LABEL}" })),
        expression("part", "l1 + l2", json!({ "ReturnData": false })),
    ])
    .unwrap();
    let results = answer_of["MetricDataResults"].as_array().unwrap();
    assert_eq!(
        (results.len(), &results[0]["Label"], &results[0]["Values"]),
        (1, &json!("All of total"), &json!([6.0, 6.0]))
    );
    let circle = answer(&[expression("a", "b + 1", json!({})), expression("b", "a + 1", json!({}))]);
    assert!(circle.unwrap_err().message.contains("needs itself"));
}

#[test]
fn what_makes_no_sense_is_said_in_one_sentence() {
    for (expression, expected) in [
        ("l1 + m9", "no query has the id \"m9\""),
        ("AVG(l1)", "comes to a number"),
        ("5", "comes to a number"),
        ("METRICS() + METRICS()", "both sides"),
        ("NOPE(l1)", "there is no function \"NOPE\""),
        ("RATE(5)", "takes time series"),
        ("RATE(l1, l2)", "no more than 1"),
        ("RATE()", "needs more arguments"),
        ("FILL(l1, l2)", "takes a number"),
        ("IF(METRICS(), 1, 2)", "single time series"),
        ("SORT(METRICS(), MEAN, ASC)", "MEAN"),
        ("FIRST(REMOVE_EMPTY([none]))", "no time series"),
        ("'Average'", "where a value should"),
        ("SEARCH(l1, 'Average', 60)", "in quotes"),
        ("SEARCH('{AWS/Kafka} x=', 'Average', 60)", "a value is expected"),
        ("SEARCH('{AWS/Kafka}', 'Mean', 60)", "not a statistic"),
        ("SEARCH('{AWS/Kafka}', 'Average', 0)", "number of seconds"),
        ("SELECT AVG(LeaderCount) FROM AWS/Kafka", "'/' is not expected, at character 33 of the query"),
        ("SUM(SELECT AVG(LeaderCount))", "a comma or ')'"),
        ("l1 +", "at its end"),
    ] {
        let fault = lines(expression).unwrap_err();
        assert_eq!(fault.code, "ValidationError", "{expression}");
        assert!(fault.message.contains(expected) && !fault.message.contains('\n'), "{expression}: {}", fault.message);
    }
}

#[test]
fn too_much_work_is_refused_and_not_begun() {
    let long = vec!["METRICS()"; 150].iter().fold("SUM([".to_owned(), |text, one| text + one + ",") + "l1])";
    let queries: Vec<Value> = (0..400).map(|id| json!({ "Id": format!("e{id}"), "Expression": long })).collect();
    // Small series: all of that is some million numbers.
    assert!(answer(&queries).is_ok());
    let wish = json!({
        "MetricDataQueries": [{ "Id": "e", "Expression": "TIME_SERIES(1)", "Period": 1 }],
        "StartTime": 0, "EndTime": START_S,
    });
    let fault = ask(metrics::data, &view(1), wish).unwrap_err();
    assert!(fault.message.contains("too many numbers"), "{}", fault.message);
}

#[test]
fn metrics_insights_answers_with_labels() {
    let of = |query: &str, more: Value| {
        let mut wish = json!({ "Id": "q1", "Expression": query, "Period": 60 });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = answer(&[wish, json!({ "Id": "e", "Expression": "q1 * 10", "ReturnData": false })])?;
        let results = answer["MetricDataResults"].as_array().unwrap().clone();
        Ok::<_, Fault>(
            results.iter().map(|line| (line["Label"].clone(), line["Values"][0].clone())).collect::<Vec<_>>(),
        )
    };
    let from = r#"FROM SCHEMA("AWS/Kafka", "Cluster Name", "Broker ID")"#;
    let grouped = format!(
        r#"SELECT MAX(LeaderCount) {from} WHERE "Broker ID" != '2' GROUP BY "Broker ID" ORDER BY MAX() DESC LIMIT 5"#
    );
    let single = format!("SELECT SUM(LeaderCount) {from}");
    for (query, more, expected) in [
        (&grouped, json!({}), vec![(json!("3"), json!(3.0)), (json!("1"), json!(1.0))]),
        (&single, json!({}), vec![(json!("q1"), json!(360.0))]),
        (&single, json!({ "Label": "All" }), vec![(json!("All"), json!(360.0))]),
        (
            &grouped,
            json!({ "Label": "${LABEL}|&|${PROP('Dim.Broker ID')}|&|${PROP('MetricName')}" }),
            vec![(json!("3|&|3|&|LeaderCount"), json!(3.0)), (json!("1|&|1|&|LeaderCount"), json!(1.0))],
        ),
    ] {
        assert_eq!(of(query, more), Ok(expected), "{query}");
    }
    assert_eq!(of(&single, json!({ "Period": null })).unwrap_err().code, "MissingParameter");
    let twice = json!({ "Id": "q2", "Expression": single, "Period": 60 });
    let fault = answer(&[json!({ "Id": "q1", "Expression": single, "Period": 60 }), twice]).unwrap_err();
    assert!(fault.message.contains("only one Metrics Insights query"), "{}", fault.message);
    // Other expressions go on with what it gave.
    let sums = [
        json!({ "Id": "q1", "Expression": grouped, "Period": 60, "ReturnData": false }),
        json!({ "Id": "e", "Expression": "SUM(q1) / l2" }),
    ];
    assert_eq!(answer(&sums).unwrap()["MetricDataResults"][0]["Values"], json!([2.0, 2.0]));
}
