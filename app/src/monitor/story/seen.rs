//! What clients saw: what was measured of their requests in the span of a story, beside what was usual before and after.
//!
//! Where nothing was measured nothing is said.

use std::collections::VecDeque;

use serde::Serialize;

use crate::monitor::snapshot::{Snapshot, WorkloadStatus};
use crate::monitor::view::{Metric, SeriesStore};

/// How long before and after a story is looked at to know what is usual.
const AROUND_MS: i64 = 60_000;

/// Points stand one second apart: a story that is shorter is seen in the next.
const POINT_MS: i64 = 1_000;

/// Kinds of errors told at most.
const ERRORS_MAX: usize = 6;

/// A measurement, before, in and after a story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// What was measured, and of whom.
    pub what: String,
    /// `ms`, `records/s`, `answers`.
    pub unit: &'static str,
    /// Median of the minute before.
    pub before: Option<f64>,
    /// The worst of it; of errors, how many.
    pub during: f64,
    /// Median of the minute after; `None` while it goes on.
    pub after: Option<f64>,
}

/// Which end of a scale is the bad one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worst {
    Highest,
    Lowest,
}

/// When a story was.
#[derive(Clone, Copy)]
struct Span {
    from_ms: i64,
    until_ms: i64,
    is_over: bool,
}

/// What was measured. A story that goes on is seen up to the snapshot.
pub fn seen(series: &SeriesStore, snapshot: &Snapshot, from_ms: i64, until_ms: Option<i64>) -> Vec<Seen> {
    let end_ms = until_ms.unwrap_or(snapshot.at_ms);
    let span = Span { from_ms, until_ms: end_ms.max(from_ms + POINT_MS), is_over: until_ms.is_some() };
    let mut rows = Vec::new();
    for (metric, what) in
        [(Metric::ProduceP99Ms, "Produce p99, slowest broker"), (Metric::FetchP99Ms, "Fetch p99, slowest broker")]
    {
        rows.extend(span.read(what.into(), "ms", Worst::Highest, &slowest(series, metric)));
    }
    rows.extend(errors(series, span));
    rows.extend(snapshot.workloads.iter().flat_map(|workload| of_workload(workload, span)));
    rows
}

/// Of each point the highest of all brokers.
fn slowest(series: &SeriesStore, metric: Metric) -> Vec<(i64, f64)> {
    let brokers: Vec<&VecDeque<f64>> = series.of(metric).map(|one| &one.points).collect();
    let highest = |index: usize| {
        let points = brokers.iter().filter_map(|points| points.get(index)).copied();
        points.filter(|point| !point.is_nan()).fold(f64::NAN, f64::max)
    };
    series.at_ms.iter().enumerate().map(|(index, at_ms)| (*at_ms, highest(index))).collect()
}

/// Error codes in answers, each summed up: those with the most first.
fn errors(series: &SeriesStore, span: Span) -> Vec<Seen> {
    let mut rows: Vec<Seen> = Vec::new();
    for one in series.of(Metric::ErrorAnswers) {
        let points: Vec<(i64, f64)> = series.at_ms.iter().copied().zip(one.points.iter().copied()).collect();
        let during: f64 = span.during(&points).sum();
        if during > 0.0 {
            let what = format!("Answers with {}", one.label);
            rows.push(Seen { what, unit: "answers", before: None, during, after: None });
        }
    }
    rows.sort_by(|one, other| other.during.total_cmp(&one.during).then_with(|| one.what.cmp(&other.what)));
    rows.truncate(ERRORS_MAX);
    rows
}

fn of_workload(workload: &WorkloadStatus, span: Span) -> Vec<Seen> {
    let read = |what: &str, unit, worst, value: fn(&crate::monitor::workload::WorkloadPoint) -> f64| {
        let points: Vec<(i64, f64)> = workload.points.iter().map(|point| (point.at_ms, value(point))).collect();
        span.read(format!("Workload {}: {what}", workload.id), unit, worst, &points)
    };
    [
        read("acknowledged", "records/s", Worst::Lowest, |point| point.acked_per_s),
        read("acknowledgement p99", "ms", Worst::Highest, |point| point.ack_p99_ms),
        read("read", "records/s", Worst::Lowest, |point| point.read_per_s),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Span {
    fn within(points: &[(i64, f64)], is_in: impl Fn(i64) -> bool) -> impl Iterator<Item = f64> {
        points.iter().filter(move |(at_ms, value)| is_in(*at_ms) && !value.is_nan()).map(|(_, value)| *value)
    }

    fn during(self, points: &[(i64, f64)]) -> impl Iterator<Item = f64> {
        Span::within(points, move |at_ms| (self.from_ms..=self.until_ms).contains(&at_ms))
    }

    fn read(self, what: String, unit: &'static str, worst: Worst, points: &[(i64, f64)]) -> Option<Seen> {
        let during = self.during(points).reduce(match worst {
            Worst::Highest => f64::max,
            Worst::Lowest => f64::min,
        })?;
        let (from_ms, until_ms) = (self.from_ms, self.until_ms);
        let before = median(Span::within(points, |at_ms| (from_ms - AROUND_MS..from_ms).contains(&at_ms)));
        let later = Span::within(points, |at_ms| at_ms > until_ms && at_ms <= until_ms + AROUND_MS);
        let after = if self.is_over { median(later) } else { None };
        Some(Seen { what, unit, before, during, after })
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
