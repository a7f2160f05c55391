//! Metrics Insights: what is read, what is refused and where, and what comes of it.

use proptest::prelude::*;

use super::super::store::{Datum, Dimension, Key, Store};
use super::compute::{Line, Value};
use super::insights::Insights;

/// Of each of three brokers, and of two topics on each; all are as many as the broker's number, in each of 120 seconds from 0 on.
fn store() -> Store {
    let mut store = Store::default();
    let key = |broker: i32, topic: Option<&str>| {
        let mut dimensions =
            vec![(Dimension::ClusterName, "c".into()), (Dimension::BrokerId, broker.to_string().into())];
        dimensions.extend(topic.map(|topic| (Dimension::Topic, topic.into())));
        Key::new("BytesInPerSec", dimensions)
    };
    for second in 0..120 {
        let data = (1..=3).flat_map(|broker| {
            let value = f64::from(broker);
            [None, Some("a"), Some("it's")].map(|topic| Datum { key: key(broker, topic), value })
        });
        store.put(second, data);
    }
    store
}

fn answer(query: &str) -> Value {
    let query = Insights::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    query.answer(&store(), 60, (0, 120), |_| Ok(())).unwrap()
}

/// Values of the first period by group.
fn lines(query: &str) -> Vec<(String, f64)> {
    let name = |line: &Line| {
        let values = line.key.iter().flat_map(|key| &key.dimensions).map(|(_, value)| value.to_string());
        values.collect::<Vec<_>>().join(" ")
    };
    answer(query).lines().iter().filter_map(|line| Some((name(line), line.points.first()?.1))).collect()
}

#[test]
fn one_line_without_groups() {
    let brokers = r#"FROM SCHEMA("AWS/Kafka", "Cluster Name", "Broker ID")"#;
    for (query, expected) in [
        (format!("SELECT AVG(BytesInPerSec) {brokers}"), 2.0),
        (format!("select sum(BytesInPerSec) {brokers}"), 360.0),
        (format!("SELECT MIN(BytesInPerSec) {brokers}"), 1.0),
        (format!("SELECT MAX(\"BytesInPerSec\") {brokers}"), 3.0),
        (format!("SELECT COUNT(BytesInPerSec) {brokers}"), 180.0),
        ("SELECT COUNT(BytesInPerSec) FROM \"AWS/Kafka\"".into(), 540.0),
        (r#"SELECT COUNT(BytesInPerSec) FROM SCHEMA("AWS/Kafka", Topic, "Broker ID", "Cluster Name")"#.into(), 360.0),
        (format!("SELECT AVG(BytesInPerSec) {brokers} WHERE \"Broker ID\" = '1'"), 1.0),
        (format!("SELECT AVG(BytesInPerSec) {brokers} WHERE \"Broker ID\" != '1'"), 2.5),
        (format!("SELECT AVG(BytesInPerSec) {brokers} WHERE NOT \"Broker ID\" = '3'"), 1.5),
        (format!("SELECT SUM(BytesInPerSec) {brokers} WHERE \"Broker ID\" = '1' OR \"Broker ID\" = '3'"), 240.0),
        (format!("SELECT SUM(BytesInPerSec) {brokers} WHERE NOT (\"Broker ID\"='1' or \"Broker ID\"='3')"), 120.0),
        ("SELECT COUNT(BytesInPerSec) FROM \"AWS/Kafka\" WHERE Topic='it\\'s' AND \"Broker ID\"!='2'".into(), 120.0),
        // Who has no topic is neither this one nor another.
        ("SELECT COUNT(BytesInPerSec) FROM \"AWS/Kafka\" WHERE Topic != 'a'".into(), 180.0),
        ("SELECT COUNT(BytesInPerSec) FROM \"AWS/Kafka\" WHERE NOT Topic = 'a'".into(), 180.0),
        ("SELECT COUNT(BytesInPerSec) FROM \"AWS/Kafka\" WHERE Topic = 'a' OR \"Broker ID\" = '1'".into(), 300.0),
    ] {
        assert_eq!(lines(&query), [(String::new(), expected)], "{query}");
        assert!(matches!(answer(&query), Value::Line(_)));
    }
    for nothing in [
        r#"SELECT AVG(BytesInPerSec) FROM "AWS/EC2""#,
        r#"SELECT AVG(BytesInPerSec) FROM SCHEMA("AWS/Kafka")"#,
        r#"SELECT AVG(BytesInPerSec) FROM SCHEMA("AWS/Kafka", InstanceId)"#,
        r#"SELECT AVG(bytesinpersec) FROM "AWS/Kafka""#,
        r#"SELECT AVG(BytesInPerSec) FROM "AWS/Kafka" WHERE InstanceId = 'i'"#,
    ] {
        assert_eq!(lines(nothing), [], "{nothing}");
    }
}

#[test]
fn groups_are_told_apart_put_in_order_and_cut() {
    let by_broker =
        r#"SELECT SUM(BytesInPerSec) FROM SCHEMA("AWS/Kafka", "Broker ID", "Cluster Name") GROUP BY "Broker ID""#;
    let named =
        |lines: &[(&str, f64)]| lines.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect::<Vec<_>>();
    for (query, expected) in [
        (by_broker.to_owned(), named(&[("1", 60.0), ("2", 120.0), ("3", 180.0)])),
        (format!("{by_broker} ORDER BY AVG() DESC"), named(&[("3", 180.0), ("2", 120.0), ("1", 60.0)])),
        (format!("{by_broker} ORDER BY MAX() DESC LIMIT 1"), named(&[("3", 180.0)])),
        (format!("{by_broker} order by min() asc limit 2"), named(&[("1", 60.0), ("2", 120.0)])),
        (format!("{by_broker} ORDER BY SUM() LIMIT 1"), named(&[("1", 60.0)])),
        (format!("{by_broker} LIMIT 500"), named(&[("1", 60.0), ("2", 120.0), ("3", 180.0)])),
        (
            r#"SELECT MAX(BytesInPerSec) FROM "AWS/Kafka" WHERE "Broker ID" != '1' GROUP BY Topic, "Broker ID""#.into(),
            // Who has no topic is told as CloudWatch does.
            named(&[("Other 2", 2.0), ("Other 3", 3.0), ("a 2", 2.0), ("a 3", 3.0), ("it's 2", 2.0), ("it's 3", 3.0)]),
        ),
        (r#"SELECT MAX(Nope) FROM "AWS/Kafka" GROUP BY Topic"#.into(), Vec::new()),
    ] {
        assert_eq!(lines(&query), expected, "{query}");
        assert!(matches!(answer(&query), Value::Lines(_)));
    }
}

#[test]
fn what_is_wrong_is_said_with_where() {
    let long = format!("SELECT AVG(m) FROM n WHERE {}a='b'{}", "(".repeat(40), ")".repeat(40));
    let nots = format!("SELECT AVG(m) FROM n WHERE {} a='b'", "NOT ".repeat(400));
    for (query, expected) in [
        ("SELECT", "one of AVG, COUNT, MAX, MIN and SUM is expected, at character 7"),
        ("SELECT STDDEV(m) FROM n", "and not STDDEV, at character 8"),
        ("SELECT AVG m FROM n", "( is expected, and not m, at character 12"),
        ("SELECT AVG(*) FROM n", "'*' is not expected, at character 12"),
        ("SELECT AVG('m') FROM n", "a metric's name (in double quotes) is expected, and not 'm'"),
        ("SELECT AVG(m)", "FROM is expected, at character 14"),
        ("SELECT AVG(m) FROM AWS/Kafka", "'/' is not expected, at character 23"),
        ("SELECT AVG(m) FROM WHERE", "WHERE is a keyword"),
        ("SELECT AVG(m) FROM SCHEMA()", "a namespace"),
        ("SELECT AVG(m) FROM SCHEMA(n Topic)", ") is expected, and not Topic"),
        ("SELECT AVG(m) FROM n WHERE", "a dimension"),
        ("SELECT AVG(m) FROM n WHERE Topic", "= or != is expected"),
        ("SELECT AVG(m) FROM n WHERE Topic > 'a'", "'>' is not expected"),
        ("SELECT AVG(m) FROM n WHERE Topic = a", "a value in single quotes is expected, and not a"),
        ("SELECT AVG(m) FROM n WHERE Topic = \"a\"", "a value in single quotes is expected"),
        ("SELECT AVG(m) FROM n WHERE Topic = 'a", "a quotation mark is not closed, at character 36"),
        ("SELECT AVG(m) FROM n WHERE (Topic = 'a'", ") is expected"),
        ("SELECT AVG(m) FROM n WHERE tag.env = 'a'", "neither tags nor accounts"),
        ("SELECT AVG(m) FROM n WHERE 1a = 'a'", "begins with a digit"),
        ("SELECT AVG(m) FROM n GROUP Topic", "BY is expected"),
        (
            "SELECT AVG(m) FROM n GROUP BY Topic, InstanceId",
            "no metric here has the dimension \"InstanceId\", at character 38",
        ),
        ("SELECT AVG(m) FROM n ORDER BY Topic", "one of AVG"),
        ("SELECT AVG(m) FROM n ORDER BY MAX(m)", ") is expected, and not m"),
        ("SELECT AVG(m) FROM n LIMIT 0", "a whole number from 1 to 500"),
        ("SELECT AVG(m) FROM n LIMIT 501", "a whole number from 1 to 500"),
        ("SELECT AVG(m) FROM n LIMIT 5 GROUP BY Topic", "GROUP is not expected there, at character 30"),
        ("SELECT AVG(m), MAX(m) FROM n", "FROM is expected, and not ,"),
        (&long, "nest deeper than 16"),
        (&nots, "nest deeper than 16"),
    ] {
        let said = Insights::parse(query).unwrap_err().to_string();
        assert!(said.contains(expected) && said.ends_with('.') && !said.contains('\n'), "{query}: {said}");
    }
    assert!(Insights::is_one(" select\nAVG(m)") && Insights::is_one("SELECT(") && !Insights::is_one("selected + 1"));
}

#[test]
fn what_it_costs_is_told_and_may_be_too_much() {
    let query = Insights::parse("SELECT AVG(BytesInPerSec) FROM \"AWS/Kafka\"").unwrap();
    let mut numbers = 0;
    query
        .answer(&store(), 60, (0, 120), |more| {
            numbers += more;
            Ok(())
        })
        .unwrap();
    assert_eq!(numbers, 9 * 3);
    let broke = |_| Err(super::senseless("too much"));
    assert!(query.answer(&store(), 60, (0, 120), broke).is_err());
}

proptest! {
    /// Whatever is written, it is read or refused in one line, and nothing is too deep.
    #[test]
    fn nothing_makes_it_panic(
        parts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "SELECT", "AVG", "(", ")", "BytesInPerSec", "FROM", "SCHEMA", "\"AWS/Kafka\"", ",", "WHERE", "Topic", "=", "!=", "'a'", "AND",
                    "OR", "NOT", "GROUP", "BY", "ORDER", "MAX", "DESC", "LIMIT", "5", "\"", "'", "\\", "é", "!",
                ]).prop_map(str::to_owned),
                ".{0,5}",
            ],
            0..60,
        ),
        is_whole in any::<bool>(),
    ) {
        let text = parts.join(" ");
        let text = if is_whole { format!("SELECT AVG(BytesInPerSec) FROM \"AWS/Kafka\" WHERE {text}") } else { text };
        match Insights::parse(&text) {
            Ok(query) => drop(query.answer(&store(), 60, (0, 120), |_| Ok(()))),
            Err(error) => prop_assert!(error.to_string().contains("at character")),
        }
    }

    /// A sum over groups is the sum over all, and averages lie between least and greatest.
    #[test]
    fn groups_add_up(values in prop::collection::vec(prop::collection::vec(0u32..1_000, 4), 1..40)) {
        let mut store = Store::default();
        for (second, of_brokers) in (0..).zip(&values) {
            let data = (0..).zip(of_brokers).map(|(broker, value): (i32, _)| Datum {
                key: Key::new("m", vec![(Dimension::BrokerId, broker.to_string().into())]),
                value: f64::from(*value),
            });
            store.put(second, data);
        }
        let of = |function: &str, more: &str| {
            let query = Insights::parse(&format!("SELECT {function}(m) FROM \"AWS/Kafka\" {more}")).unwrap();
            query.answer(&store, 10, (0, 40), |_| Ok(())).unwrap().lines()
        };
        let total: Vec<f64> = of("SUM", "").remove(0).points.iter().map(|point| point.1).collect();
        let groups = of("SUM", "GROUP BY \"Broker ID\"");
        prop_assert_eq!(groups.len(), 4);
        for (index, total) in total.iter().enumerate() {
            prop_assert_eq!(groups.iter().map(|line| line.points[index].1).sum::<f64>(), *total);
        }
        let (least, mean, most) = (of("MIN", "").remove(0), of("AVG", "").remove(0), of("MAX", "").remove(0));
        for index in 0..total.len() {
            let mean = mean.points[index].1;
            prop_assert!(least.points[index].1 <= mean + 1e-9 && mean <= most.points[index].1 + 1e-9);
        }
    }
}
