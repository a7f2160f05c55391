use prost::Message;

use super::super::otlp::{
    AnyValue, Data, Gauge, KeyValue, Metric, MetricsData, Number, NumberDataPoint, Resource, ResourceMetrics, Scalar,
    ScopeMetrics, Sum,
};
use super::*;
use crate::records::compress;

fn at(secs: u64) -> Now {
    Now { mono: Duration::from_secs(secs), wall_ms: (secs * 1_000).cast_signed() }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Scalar::Text(value.into())) }) }
}

fn point(labels: &[(&str, &str)], value: Number) -> NumberDataPoint {
    let attributes = labels.iter().map(|(key, value)| attribute(key, value)).collect();
    NumberDataPoint { attributes, value: Some(value) }
}

fn gauge(name: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric { name: name.into(), data: Some(Data::Gauge(Gauge { data_points })) }
}

fn sum(name: &str, aggregation_temporality: i32, is_monotonic: bool, value: i64) -> Metric {
    let data_points = vec![point(&[], Number::Int(value))];
    Metric { name: name.into(), data: Some(Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })) }
}

fn payload(metrics: Vec<Metric>) -> Vec<u8> {
    let resource = Some(Resource { attributes: vec![attribute("group_id", "g")] });
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics: vec![ScopeMetrics { metrics }] }];
    MetricsData { resource_metrics }.encode_to_vec()
}

fn id(number: u16) -> Id {
    Id(u128::from(number + 2).to_be_bytes())
}

fn push(received: &mut Received, now: Now, number: u16, metrics: Vec<Metric>) {
    let bytes = payload(metrics);
    let attributes = ClientAttributes { client_id: Some("app".into()), ..ClientAttributes::default() };
    received.push(now, id(number), &attributes, 1_000, (Compression::None, &bytes)).unwrap();
}

fn shown(received: &mut Received) -> Vec<String> {
    let told = received.changed_report().unwrap();
    let series = told.iter().flat_map(|client| &client.series);
    series.map(|one| format!("{} {:?} {} {}", one.name, one.labels, one.value, one.is_counter)).collect()
}

#[test]
fn the_last_values_and_the_sums_of_differences() {
    let mut received = Received::default();
    assert!(received.changed_report().is_none());
    let one = Number::Double(1.5);
    let first = vec![gauge("g", vec![point(&[("topic", "t")], one), point(&[("topic", "u")], one)])];
    push(&mut received, at(0), 0, [first, vec![sum("d", 1, true, 5), sum("c", 2, true, 5)]].concat());
    let second = vec![gauge("g", vec![point(&[("topic", "t")], Number::Double(2.5))])];
    push(
        &mut received,
        at(1),
        0,
        [second, vec![sum("d", 1, true, 3), sum("c", 2, true, 8), sum("n", 2, false, 1)]].concat(),
    );
    let expected = [
        r#"c {"group_id": "g"} 8 true"#,
        r#"d {"group_id": "g"} 8 true"#,
        r#"g {"group_id": "g", "topic": "t"} 2.5 false"#,
        r#"n {"group_id": "g"} 1 false"#,
    ];
    assert_eq!(shown(&mut received), expected);
    assert!(received.changed_report().is_none(), "told once");
}

#[test]
fn names_of_labels_are_made_fit() {
    let mut received = Received::default();
    let labels = [("node.id", "1"), ("client_id", "forged"), ("9lives", "x"), ("__name__", "forged"), ("", "x")];
    push(&mut received, at(0), 0, vec![gauge("g", vec![point(&labels, Number::Int(1))])]);
    let expected = r#"g {"_9lives": "x", "group_id": "g", "name__": "forged", "node_id": "1"} 1 false"#;
    assert_eq!(shown(&mut received), [expected]);
}

#[test]
fn every_codec_and_what_is_broken() {
    let bytes = payload(vec![gauge("g", vec![point(&[], Number::Int(1))])]);
    let mut received = Received::default();
    let mut push = |compression, bytes: &[u8]| {
        received
            .push(at(0), id(0), &ClientAttributes::default(), 1_000, (compression, bytes))
            .map_err(|e| e.to_string())
    };
    for compression in Compression::ALL {
        assert_eq!(push(compression, &compress(compression, &bytes)), Ok(()));
        let bomb = compress(compression, &vec![0; 9 * 1024 * 1024]);
        assert!(push(compression, &bomb).unwrap_err().contains("do not decompress"), "{compression:?}");
        if compression != Compression::None {
            assert!(push(compression, b"rubbish").unwrap_err().contains("do not decompress"), "{compression:?}");
        }
    }
    assert!(push(Compression::None, b"rubbish").unwrap_err().contains("no OpenTelemetry"));
    for length in 1..bytes.len() {
        // No cut of it makes anything fall over.
        let _ = push(Compression::None, &bytes[..length]);
    }
}

#[test]
fn bounds_and_expiry() {
    let mut received = Received::default();
    let many = |count: usize| {
        let points = (0..count).map(|i| point(&[("i", &i.to_string())], Number::Int(1)));
        vec![gauge("g", points.collect())]
    };
    push(&mut received, at(0), 0, many(CLIENT_SERIES_MAX + 7));
    let told = received.changed_report().unwrap();
    assert_eq!((told[0].series.len(), told[0].series_dropped), (CLIENT_SERIES_MAX, 7));
    for client in 1..40 {
        push(&mut received, at(1), client, many(CLIENT_SERIES_MAX));
    }
    assert_eq!(received.series, SERIES_MAX);
    for client in 0..CLIENTS_MAX as u16 + 1 {
        push(&mut received, at(2), client, many(1));
    }
    assert_eq!(received.clients.len(), CLIENTS_MAX);
    assert_eq!(received.series, received.clients.values().map(|client| client.series.len()).sum::<usize>());
    assert_eq!(received.next_deadline(), Some(Duration::from_secs(62)));
    received.on_tick(at(61));
    assert_eq!(received.clients.len(), CLIENTS_MAX);
    received.on_tick(at(62));
    assert_eq!((received.clients.len(), received.series), (0, 0));
    assert_eq!(received.changed_report().unwrap().len(), 0);
}
