//! What an alarm may watch: tables of what is refused, and what comes of the rest.

use super::super::store::{Datum, Dimension, Key, Store};
use super::formula::Formula;
use super::query::{Query, What};

fn key(broker: &str) -> Key {
    Key::new("LeaderCount", vec![(Dimension::ClusterName, "c".into()), (Dimension::BrokerId, broker.into())])
}

fn stat(id: &str, broker: &str, statistic: &str) -> Query {
    let (key, statistic) = (key(broker).into(), statistic.parse().unwrap());
    Query { id: id.into(), is_wanted: false, label: None, what: What::Stat { key, statistic, period_s: 10 } }
}

fn expression(id: &str, text: &str) -> Query {
    Query { id: id.into(), is_wanted: true, label: None, what: What::expression(text, None).unwrap() }
}

fn hidden(query: Query) -> Query {
    Query { is_wanted: false, ..query }
}

fn lasting(query: Query, period_s: i64) -> Query {
    let what = match query.what {
        What::Stat { key, statistic, .. } => What::Stat { key, statistic, period_s },
        What::Expression { text, parsed, .. } => What::Expression { text, parsed, period_s: Some(period_s) },
    };
    Query { what, ..query }
}

fn two() -> Vec<Query> {
    vec![stat("m1", "1", "Average"), stat("m2", "2", "Sum")]
}

fn with(queries: &[Query]) -> Result<Formula, String> {
    Formula::new(two().into_iter().chain(queries.iter().cloned()).collect())
}

/// Of broker b there are b leaders in each second of 10 to 40; broker 2 is silent from 20 to 30.
fn store() -> Store {
    let mut store = Store::default();
    for second in 10..40 {
        let brokers = (1..=2).filter(|broker| *broker == 1 || !(20..30).contains(&second));
        store.put(second, brokers.map(|broker| Datum { key: key(&broker.to_string()), value: f64::from(broker) }));
    }
    store
}

/// The points of what has one line.
fn points(formula: &Formula, period_s: i64, span: (i64, i64)) -> Vec<(i64, f64)> {
    let mut lines = formula.lines(&store(), period_s, span).unwrap();
    let line = lines.pop().unwrap();
    assert!(lines.is_empty() && line.group.is_empty() && !formula.is_grouped());
    line.points
}

#[test]
fn groups_are_watched_one_by_one() {
    let query = r#"SELECT MAX(LeaderCount) FROM "AWS/Kafka" GROUP BY "Broker ID" ORDER BY MAX() DESC"#;
    let formula = Formula::new(vec![lasting(expression("q1", query), 10)]).unwrap();
    let lines = formula.lines(&store(), 10, (10, 30)).unwrap();
    let told: Vec<(String, &[(i64, f64)])> = lines.iter().map(|line| (line.name(), line.points.as_slice())).collect();
    assert_eq!(told, [("2".into(), &[(10, 2.0)][..]), ("1".into(), &[(10, 1.0), (20, 1.0)])]);
    assert!(formula.is_grouped());
}

#[test]
fn what_is_watched_is_worked_out() {
    for (text, expected) in [
        ("m1 + m2", vec![(10, 21.0), (30, 21.0)]),
        ("m1 + FILL(m2, 0)", vec![(10, 21.0), (20, 1.0), (30, 21.0)]),
        ("IF(m2 > 19, 1, 0)", vec![(10, 1.0), (30, 1.0)]),
        ("SUM(METRICS())", vec![(10, 21.0), (20, 1.0), (30, 21.0)]),
        ("e0 * 2", vec![(10, 2.0), (20, 2.0), (30, 2.0)]),
        ("TIME_SERIES(7)", vec![(10, 7.0), (20, 7.0), (30, 7.0)]),
    ] {
        let formula = with(&[hidden(expression("e0", "m1")), expression("e1", text)]).unwrap();
        assert_eq!(points(&formula, 10, (10, 40)), expected, "{text}");
        assert_eq!(formula.period_s(), 10);
    }
    let insights = r#"SELECT MAX(LeaderCount) FROM "AWS/Kafka" WHERE "Broker ID" != '3'"#;
    let formula = Formula::new(vec![lasting(expression("q1", insights), 10)]).unwrap();
    assert_eq!(points(&formula, 10, (10, 40)), [(10, 2.0), (20, 1.0), (30, 2.0)]);
    // For a chart, in periods of another length.
    assert_eq!(points(&formula, 20, (20, 40)), [(20, 2.0)]);
    let alone = Query { is_wanted: true, ..stat("m1", "1", "Maximum") };
    assert_eq!(points(&Formula::new(vec![alone]).unwrap(), 10, (30, 40)), [(30, 1.0)]);
}

#[test]
fn what_no_alarm_can_watch_is_refused() {
    let of_many: Vec<Query> = (3..12).map(|number| stat(&format!("m{number}"), "1", "Average")).collect();
    let search = r#"SUM(SEARCH('{AWS/Kafka,"Cluster Name"} MetricName="x"', 'Sum', 10))"#;
    let insights = r#"SELECT MAX(LeaderCount) FROM "AWS/Kafka""#;
    for (queries, expected) in [
        (vec![], "Exactly one element"),
        (vec![hidden(expression("e1", "m1 + m2"))], "Exactly one element"),
        (vec![expression("e1", "m1"), expression("e2", "m2")], "Exactly one element"),
        (vec![expression("m1", "m2")], "not unique"),
        (vec![expression("E1", "m2")], "lower-case letter"),
        (vec![expression("e-1", "m2")], "lower-case letter"),
        (vec![expression("e1", "m1 + m3")], "no query has the id \"m3\""),
        (vec![expression("e1", "m1"), hidden(expression("e2", "m3"))], "no query has the id \"m3\""),
        (vec![expression("e1", "e1 + 1")], "needs itself"),
        (vec![expression("e1", "AVG(m1)")], "comes to a number"),
        (vec![expression("e1", "METRICS()")], "several time series"),
        (vec![expression("e1", "[m1, m2]")], "several time series"),
        (vec![expression("e1", search)], "SEARCH"),
        (vec![expression("e1", "m1"), hidden(expression("e2", search))], "SEARCH"),
        (vec![expression("e1", "NOPE(m1)")], "no function"),
        (vec![expression("e1", "ANOMALY_DETECTION_BAND(m1, 2)")], "anomaly detection is not there"),
        (vec![lasting(expression("e1", "m1"), 60)], "the same Period"),
        (vec![lasting(stat("m3", "3", "Sum"), 60), expression("e1", "m1")], "the same Period"),
        (vec![lasting(expression("e1", &format!("{insights} GROUP BY \"Broker ID\"")), 10)], "ORDER BY"),
        (
            vec![hidden(expression("q1", &format!("{insights} GROUP BY \"Broker ID\""))), expression("e1", "q1 * 2")],
            "several time series",
        ),
        (vec![expression("e1", insights), hidden(expression("e2", insights))], "only one Metrics Insights"),
        ([of_many, vec![expression("e1", "m1")]].concat(), "no more than 10 metrics"),
        ((0..20).map(|number| hidden(expression(&format!("e{number}"), "m1"))).collect(), "no more than 20"),
    ] {
        let said = with(&queries).unwrap_err();
        assert!(said.contains(expected) && said.ends_with('.') && !said.contains('\n'), "{expected}: {said}");
    }
    assert!(Formula::new(vec![expression("e1", "TIME_SERIES(1)")]).unwrap_err().contains("Period"));
}

#[test]
fn too_much_work_is_refused_by_the_number_of_periods() {
    let formula = with(&[expression("e1", "m1 / m2")]).unwrap();
    assert_eq!(formula.check(900), Ok(()));
    let long = vec!["METRICS()"; 150].join(",");
    let formula = with(&[expression("e1", &format!("SUM([{long}])"))]).unwrap();
    assert_eq!(formula.check(5), Ok(()));
    assert!(formula.check(900).unwrap_err().contains("too much work"));
    let insights = lasting(expression("q1", r#"SELECT MAX(LeaderCount) FROM "AWS/Kafka""#), 60);
    let formula = Formula::new(vec![insights]).unwrap();
    assert_eq!(formula.check(180), Ok(()));
    assert!(formula.check(181).unwrap_err().contains("three hours"));
}

#[test]
fn it_is_told_in_words() {
    let formula = with(&[expression("e1", "m1 /\n  m2 * 100")]).unwrap();
    let words: Vec<(String, String)> = formula.words();
    let words: Vec<(&str, &str)> = words.iter().map(|(id, words)| (id.as_str(), words.as_str())).collect();
    let stats = [("m1", "Average of LeaderCount of broker 1"), ("m2", "Sum of LeaderCount of broker 2")];
    assert_eq!(words, [&[("e1", "m1 / m2 * 100")][..], &stats].concat());
    assert_eq!(formula.title(), "m1 / m2 * 100");
    let labelled =
        |label: &str| with(&[Query { label: Some(label.into()), ..expression("e1", "m1") }]).unwrap().title();
    assert_eq!((labelled("Share"), labelled("${LABEL} of it")), ("Share".into(), "m1".into()));
    assert!(formula.adds_up());
}
