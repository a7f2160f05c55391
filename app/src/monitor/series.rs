//! Time series of the last minutes: one point a second, one axis for all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::snapshot::{Rates, Snapshot};
use super::view::{Measured, Metric, SERIES_POINTS_KEPT, Series, SeriesStore};
use broker::metadata::report::NodeState;
use broker::metrics::names::Attribute;
use broker::metrics::table::requests as bean;
use broker::types::Id;

/// Groups with a series of their own.
const GROUPS_CHARTED: usize = 200;

/// Writes the series; clones of [`SeriesStore`] go out to readers.
#[derive(Debug, Default)]
pub struct Recorder {
    store: Arc<SeriesStore>,
    errors: ErrorCount,
}

impl Recorder {
    /// What was recorded so far.
    pub fn store(&self) -> Arc<SeriesStore> {
        self.store.clone()
    }

    /// Adds one point to each series.
    pub fn record(&mut self, at_ms: i64, snapshot: &Snapshot, measured: &Measured) {
        let mut values = values(snapshot);
        let errors = self.errors.count(measured);
        values.extend(errors.into_iter().map(|(code, count)| (Metric::ErrorAnswers, code, count)));
        let store = Arc::make_mut(&mut self.store);
        let known = store.at_ms.len();
        store.at_ms.push_back(at_ms);
        let mut fresh: Vec<Option<f64>> = vec![None; store.series.len()];
        for (metric, label, value) in values {
            match store.series.iter().position(|series| series.metric == metric && series.label == label) {
                Some(index) => fresh[index] = Some(value),
                None => {
                    let points = std::iter::repeat_n(f64::NAN, known).collect();
                    store.series.push(Arc::new(Series { metric, label, points }));
                    fresh.push(Some(value));
                }
            }
        }
        let too_many = store.at_ms.len() > SERIES_POINTS_KEPT;
        if too_many {
            store.at_ms.pop_front();
        }
        for (series, value) in store.series.iter_mut().zip(fresh) {
            let points: &mut VecDeque<f64> = &mut Arc::make_mut(series).points;
            points.push_back(value.unwrap_or(f64::NAN));
            if too_many {
                points.pop_front();
            }
        }
        // What nobody has told for the whole axis is forgotten.
        store.series.retain(|series| series.points.iter().any(|point| !point.is_nan()));
    }
}

/// Error codes with a series of their own.
const CODES_CHARTED: usize = 60;

/// Counts of error codes, as brokers told them last.
#[derive(Debug, Default)]
struct ErrorCount {
    told: BTreeMap<i32, (Id, BTreeMap<String, f64>)>,
}

impl ErrorCount {
    /// How many were added since the last time, by code. What a broker counted before it is first seen is nobody's news.
    fn count(&mut self, measured: &Measured) -> BTreeMap<String, f64> {
        let mut added: BTreeMap<String, f64> = BTreeMap::new();
        for (id, report) in measured {
            let mut counts: BTreeMap<String, f64> = BTreeMap::new();
            for series in report.of(&bean::ERRORS) {
                let label = |name: &str| series.label(name).map(ToString::to_string).unwrap_or_default();
                let code = label("error");
                if code != "NONE" && label("request") != "FetchFollower" {
                    *counts.entry(code).or_default() += Attribute::Count.read(&series.reading).unwrap_or(0.0);
                }
            }
            let last = self.told.insert(*id, (report.incarnation, counts.clone()));
            let Some((_, last)) = last.filter(|(incarnation, _)| *incarnation == report.incarnation) else { continue };
            for (code, count) in counts {
                let more = count - last.get(&code).copied().unwrap_or(0.0);
                if more > 0.0 && (added.len() < CODES_CHARTED || added.contains_key(&code)) {
                    *added.entry(code).or_default() += more;
                }
            }
        }
        self.told.retain(|id, _| measured.contains_key(id));
        added
    }
}

fn values(snapshot: &Snapshot) -> Vec<(Metric, String, f64)> {
    let mut values = Vec::new();
    let totals = &snapshot.totals;
    push_traffic(&mut values, "", &totals.rates);
    for (metric, value) in [
        (Metric::UnderReplicatedPartitions, totals.under_replicated_partitions),
        (Metric::UnderMinIsrPartitions, totals.under_min_isr_partitions),
        (Metric::OfflinePartitions, totals.offline_partitions),
    ] {
        values.push((metric, String::new(), value as f64));
    }
    for broker in snapshot.brokers.iter().filter(|broker| broker.state == NodeState::Running) {
        push_traffic(&mut values, &broker.id.to_string(), &broker.rates);
    }
    for group in snapshot.groups.iter().filter(|group| group.has_lag()).take(GROUPS_CHARTED) {
        values.push((Metric::GroupLag, group.id.to_string(), group.total_lag as f64));
    }
    values
}

fn push_traffic(values: &mut Vec<(Metric, String, f64)>, label: &str, rates: &Rates) {
    // A latency of 0 means that nothing was asked: there is no point to draw.
    let latency = |ms: f64| if ms > 0.0 { ms } else { f64::NAN };
    for (metric, value) in [
        (Metric::MessagesInPerS, rates.messages_in_per_s),
        (Metric::BytesInPerS, rates.bytes_in_per_s),
        (Metric::BytesOutPerS, rates.bytes_out_per_s),
        (Metric::ProduceP50Ms, latency(rates.produce_p50_ms)),
        (Metric::ProduceP99Ms, latency(rates.produce_p99_ms)),
        (Metric::FetchP50Ms, latency(rates.fetch_p50_ms)),
        (Metric::FetchP99Ms, latency(rates.fetch_p99_ms)),
    ] {
        values.push((metric, label.to_string(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::snapshot::Group;

    fn snapshot(lag: i64, groups: &[(&str, i64)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.totals.total_lag = lag;
        snapshot.groups = groups
            .iter()
            .map(|(id, total_lag)| {
                Arc::new(Group {
                    id: (*id).into(),
                    kind: "classic",
                    state: "Stable",
                    generation: 1,
                    protocol: "range".into(),
                    coordinator: 1,
                    members: Vec::new(),
                    offsets: Vec::new(),
                    total_lag: *total_lag,
                    shared: Vec::new(),
                })
            })
            .collect();
        snapshot
    }

    #[test]
    fn all_series_are_as_long_as_the_axis() {
        let mut recorder = Recorder::default();
        recorder.record(1000, &snapshot(1, &[]), &Measured::new());
        recorder.record(2000, &snapshot(2, &[("late", 7)]), &Measured::new());
        recorder.record(3000, &snapshot(3, &[]), &Measured::new());
        let store = recorder.store();
        let late = store.get(Metric::GroupLag, "late").unwrap();
        assert!(late.points[0].is_nan() && late.points[2].is_nan());
        assert_eq!(late.points[1], 7.0);
        assert!(store.series.iter().all(|series| series.points.len() == 3));
        assert!(store.get(Metric::ProduceP50Ms, "").is_none(), "a series without any point is not kept");
    }

    #[test]
    fn the_axis_is_bounded_and_dead_series_go() {
        let mut recorder = Recorder::default();
        recorder.record(0, &snapshot(0, &[("gone", 1)]), &Measured::new());
        for second in 1..=SERIES_POINTS_KEPT as i64 {
            recorder.record(second * 1000, &snapshot(0, &[]), &Measured::new());
        }
        let store = recorder.store();
        assert_eq!(store.at_ms.len(), SERIES_POINTS_KEPT);
        assert_eq!(store.at_ms[0], 1000);
        assert!(store.get(Metric::GroupLag, "gone").is_none());
    }

    #[test]
    fn readers_keep_what_they_took() {
        let mut recorder = Recorder::default();
        recorder.record(1000, &snapshot(1, &[]), &Measured::new());
        let taken = recorder.store();
        recorder.record(2000, &snapshot(2, &[]), &Measured::new());
        assert_eq!(taken.at_ms.len(), 1);
        assert_eq!(recorder.store().at_ms.len(), 2);
    }
}
