//! The payload of a push: OpenTelemetry's `MetricsData`, as far as Kafka's clients use it (gauges and sums).
//!
//! Source: `opentelemetry/proto/metrics/v1/metrics.proto`, `common.proto`, `resource.proto`: numbers of fields; other fields are skipped.

use std::collections::BTreeMap;

use prost::{Message, Oneof};

use crate::records::{BatchError, Compression, decompress};

/// Decompressed bytes of one push at most.
const PAYLOAD_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Labels of a series at most, and their lengths in characters.
const LABELS_MAX: usize = 16;
const LABEL_NAME_MAX: usize = 64;
const LABEL_VALUE_MAX: usize = 256;

/// Longest name of a metric, in characters.
const NAME_MAX: usize = 256;

/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: i32 = 1;

/// A payload that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The compressed bytes are broken, or hold too much.
    #[error("the metrics do not decompress: {0}")]
    Compressed(#[from] BatchError),
    /// The bytes are no `MetricsData`.
    #[error("the metrics are no OpenTelemetry MetricsData: {0}")]
    Malformed(#[from] prost::DecodeError),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricsData {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeMetrics {
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(oneof = "Data", tags = "5, 7")]
    pub(super) data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Gauge {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<NumberDataPoint>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sum {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<NumberDataPoint>,
    #[prost(int32, tag = "2")]
    pub(super) aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    pub(super) is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NumberDataPoint {
    #[prost(message, repeated, tag = "7")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(oneof = "Number", tags = "4, 6")]
    pub(super) value: Option<Number>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum Number {
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Int(i64),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Scalar", tags = "1, 2, 3, 4")]
    pub(super) value: Option<Scalar>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Scalar {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

/// Labels by name, as Prometheus allows them.
pub(super) type Labels = BTreeMap<String, String>;

/// One number of a push.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) value: f64,
    /// To be added to what was there.
    pub(super) is_delta: bool,
    /// It only grows.
    pub(super) is_counter: bool,
}

/// Reads a payload.
pub(super) fn read(compression: Compression, bytes: &[u8]) -> Result<Vec<Point>, PayloadError> {
    let bytes = decompress(compression, bytes, PAYLOAD_MAX_BYTES)?;
    let data = MetricsData::decode(bytes.as_slice())?;
    let mut points = Vec::new();
    for of_resource in data.resource_metrics {
        let mut common = Labels::new();
        add_labels(&mut common, of_resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        for metric in of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            add_points(&mut points, &common, metric);
        }
    }
    Ok(points)
}

fn add_points(points: &mut Vec<Point>, common: &Labels, metric: Metric) {
    let (data_points, is_delta, is_counter) = match metric.data {
        Some(Data::Gauge(gauge)) => (gauge.data_points, false, false),
        Some(Data::Sum(sum)) => (sum.data_points, sum.aggregation_temporality == DELTA, sum.is_monotonic),
        None => return,
    };
    let name: String = metric.name.chars().take(NAME_MAX).collect();
    for point in data_points {
        let value = match point.value {
            Some(Number::Double(value)) => value,
            Some(Number::Int(value)) => value as f64,
            None => continue,
        };
        let mut labels = common.clone();
        add_labels(&mut labels, point.attributes);
        points.push(Point { name: name.clone(), labels, value, is_delta, is_counter });
    }
}

fn add_labels(labels: &mut Labels, attributes: Vec<KeyValue>) {
    for attribute in attributes {
        let value = match attribute.value.and_then(|any| any.value) {
            Some(Scalar::Text(text)) => text.chars().take(LABEL_VALUE_MAX).collect(),
            Some(Scalar::Bool(value)) => value.to_string(),
            Some(Scalar::Int(value)) => value.to_string(),
            Some(Scalar::Double(value)) => value.to_string(),
            None => continue,
        };
        let name = label_name(&attribute.key);
        // These two are ours, and an empty label is none.
        let is_taken = ["client_id", "client_instance_id", ""].contains(&name.as_str());
        if !is_taken && (labels.len() < LABELS_MAX || labels.contains_key(&name)) {
            labels.insert(name, value);
        }
    }
}

/// Letters, digits and underscores; two underscores in front are Prometheus' own.
fn label_name(key: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = key.chars().take(LABEL_NAME_MAX).map(allowed).collect();
    let name = name.trim_start_matches('_');
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name.to_owned() }
}
