//! Requests by API, from the MBeans that brokers keep as Kafka does (`kafka.network:type=RequestMetrics`).

use std::collections::{BTreeMap, BTreeSet};

use broker::metrics::names::Attribute;
use broker::metrics::table::requests as bean;
use broker::metrics::{Bean, MetricsReport, QUANTILES, Series};

use crate::monitor::view::Measured;

/// The parts of a request's time, in the order in which they pass, and Kafka's names of them.
pub const PARTS: [(&str, &str); 5] = [
    ("request queue", "RequestQueueTimeMs"),
    ("local", "LocalTimeMs"),
    ("remote", "RemoteTimeMs"),
    ("response queue", "ResponseQueueTimeMs"),
    ("response send", "ResponseSendTimeMs"),
];

const BEANS: [&Bean; 5] = [
    &bean::REQUEST_QUEUE_TIME,
    &bean::LOCAL_TIME,
    &bean::REMOTE_TIME,
    &bean::RESPONSE_QUEUE_TIME,
    &bean::RESPONSE_SEND_TIME,
];

/// An API on one broker or several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiRow {
    /// As Kafka's metrics name it.
    pub api: String,
    /// Versions that were asked for.
    pub versions: BTreeSet<i32>,
    /// Requests since the brokers started.
    pub count: f64,
    /// Per second, over the last minute.
    pub per_s: f64,
    /// Mean times of the parts, ms, in the order of [`PARTS`].
    pub parts_ms: [f64; PARTS.len()],
    /// Mean of the whole, ms.
    pub mean_ms: f64,
    /// The slowest broker's 99th percentile, ms.
    pub p99_ms: f64,
    /// The longest, ms.
    pub max_ms: f64,
    /// For how long clients were made to wait after the answer, mean, ms.
    pub throttle_ms: f64,
    /// Mean size of a request.
    pub request_bytes: f64,
    /// Error codes in answers per second over the last minute, without `NONE`.
    pub errors_per_s: f64,
    /// By error: how many since the brokers started.
    pub errors: BTreeMap<String, f64>,
}

/// Of all brokers, or of one; those that are asked most often first. APIs that nobody used are left out.
pub fn rows(measured: &Measured, only: Option<i32>) -> Vec<ApiRow> {
    let mut rows: BTreeMap<String, Sums> = BTreeMap::new();
    let reports = measured.iter().filter(|(id, _)| only.is_none_or(|only| only == **id));
    for report in reports.map(|(_, report)| report).filter(|report| is_broker(report)) {
        for series in &report.series {
            if let Some(api) = series.label("request") {
                rows.entry(api.to_string()).or_default().take(series);
            }
        }
    }
    let mut rows: Vec<ApiRow> = rows.into_iter().filter_map(|(api, sums)| sums.row(api)).collect();
    rows.sort_by(|one, other| other.per_s.total_cmp(&one.per_s).then_with(|| one.api.cmp(&other.api)));
    rows
}

fn is_broker(report: &MetricsReport) -> bool {
    !crate::monitor::names::is_controller(report.node_id)
}

/// Means, weighted by how many requests each broker had.
#[derive(Debug, Default)]
struct Sums {
    row: ApiRow,
    weights: BTreeMap<&'static str, f64>,
}

impl Sums {
    fn take(&mut self, series: &Series) {
        let is = |bean: &'static Bean| std::ptr::eq(series.bean, bean);
        let read = |attribute: Attribute| attribute.read(&series.reading).unwrap_or(0.0);
        let (count, mean) = (read(Attribute::Count), read(Attribute::Mean));
        let row = &mut self.row;
        if is(&bean::REQUESTS) {
            row.count += count;
            row.per_s += read(Attribute::OneMinuteRate);
            row.versions.extend(series.label("version").and_then(|version| version.to_string().parse::<i32>().ok()));
            return;
        }
        if is(&bean::ERRORS) {
            let error = series.label("error").map(ToString::to_string).unwrap_or_default();
            if error != "NONE" && count > 0.0 {
                row.errors_per_s += read(Attribute::OneMinuteRate);
                *row.errors.entry(error).or_default() += count;
            }
            return;
        }
        if is(&bean::TOTAL_TIME) {
            row.p99_ms = row.p99_ms.max(p99(series));
            row.max_ms = row.max_ms.max(read(Attribute::Max));
        }
        let part = BEANS.iter().position(|bean| is(bean));
        let field = match part {
            Some(part) => &mut row.parts_ms[part],
            None if is(&bean::TOTAL_TIME) => &mut row.mean_ms,
            None if is(&bean::THROTTLE_TIME) => &mut row.throttle_ms,
            None if is(&bean::REQUEST_BYTES) => &mut row.request_bytes,
            None => return,
        };
        let weight = self.weights.entry(series.bean.name).or_default();
        *weight += count;
        if *weight > 0.0 {
            *field += (mean - *field) * count / *weight;
        }
    }

    fn row(self, api: String) -> Option<ApiRow> {
        (self.row.count > 0.0).then_some(ApiRow { api, ..self.row })
    }
}

fn p99(series: &Series) -> f64 {
    let place = QUANTILES.iter().position(|quantile| (*quantile - 0.99).abs() < f64::EPSILON);
    place.and_then(|place| Attribute::Percentile(place).read(&series.reading)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::metrics::{HistogramReading, Label, MeterReading, Reading};
    use broker::types::Id;

    use super::*;

    fn series(bean: &'static Bean, labels: &[(&'static str, &'static str)], reading: Reading) -> Series {
        Series { bean, labels: labels.iter().map(|(key, word)| (*key, Label::from(*word))).collect(), reading }
    }

    fn report(node_id: i32, count: u64, mean: f64) -> (i32, Arc<MetricsReport>) {
        let meter =
            |count, rate| Reading::Meter(MeterReading { count, one_minute_rate: rate, ..MeterReading::default() });
        let time = HistogramReading {
            count,
            mean,
            max: mean * 3.0,
            quantiles: [mean * 2.0; QUANTILES.len()],
            ..HistogramReading::default()
        };
        let all = vec![
            series(&bean::REQUESTS, &[("request", "Produce"), ("version", "9")], meter(count, 2.0)),
            series(&bean::REQUESTS, &[("request", "Fetch"), ("version", "17")], meter(0, 0.0)),
            series(&bean::ERRORS, &[("request", "Produce"), ("error", "NONE")], meter(count, 2.0)),
            series(&bean::ERRORS, &[("request", "Produce"), ("error", "NOT_LEADER_OR_FOLLOWER")], meter(3, 0.5)),
            series(&bean::REMOTE_TIME, &[("request", "Produce")], Reading::Histogram(Box::new(time))),
            series(&bean::TOTAL_TIME, &[("request", "Produce")], Reading::Histogram(Box::new(time))),
        ];
        let report = MetricsReport { node_id, incarnation: Id::ZERO, series: all, ..MetricsReport::default() };
        (node_id, Arc::new(report))
    }

    #[test]
    fn brokers_are_added_up_and_means_weighted() {
        let measured = Measured::from([report(1, 30, 2.0), report(2, 10, 6.0), report(3000, 99, 9.0)]);
        let all = rows(&measured, None);
        assert_eq!(all.len(), 1, "what nobody asked for is left out: {all:?}");
        let produce = &all[0];
        assert_eq!((produce.api.as_str(), produce.count, produce.per_s), ("Produce", 40.0, 4.0));
        assert_eq!((produce.mean_ms, produce.parts_ms[2], produce.p99_ms, produce.max_ms), (3.0, 3.0, 12.0, 18.0));
        assert_eq!((produce.errors_per_s, produce.errors["NOT_LEADER_OR_FOLLOWER"]), (1.0, 6.0));
        assert_eq!(produce.versions, [9].into());
        assert_eq!(rows(&measured, Some(2))[0].mean_ms, 6.0);
    }
}
