//! What stands beside the frames, since it is a course of things itself: events, series of seconds, metrics, lines of logs, lanes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::blocks::Blocks;
use super::lanes::Lanes;
use crate::monitor::cloudwatch::store::Store;
use crate::monitor::logs::ring::LogLines;
use crate::monitor::view::{EVENTS_KEPT, EventEntry, Metric, SERIES_POINTS_KEPT, Series, SeriesStore, View};

/// Events that are kept; those of a failover of ten thousand partitions are some twenty thousand.
pub const EVENTS_MAX: usize = 60_000;

/// Seconds of which series are kept: four hours.
pub const SECONDS_MAX: usize = 4 * 3_600;

/// What values are of.
pub type Names = Arc<[(Metric, String)]>;

/// One second of all series.
#[derive(Clone, Debug)]
pub struct Second {
    /// Wall clock.
    pub at_ms: i64,
    /// What the values are of; the same for many seconds.
    pub names: Names,
    /// One for each name.
    pub values: Box<[f64]>,
}

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// All that happened.
    pub events: Blocks<Arc<EventEntry>>,
    /// All series.
    pub seconds: Blocks<Second>,
    /// CloudWatch's metrics, as long as those are kept.
    pub store: Arc<Store>,
    /// The newest lines of the nodes' logs.
    pub lines: LogLines,
    /// What is drawn along the time.
    pub lanes: Arc<Lanes>,
}

impl Beside {
    /// Takes in what is new in a view.
    pub fn note(&mut self, view: &View) {
        let last_seq = self.events.last().map_or(0, |event| event.seq);
        let first = view.events.partition_point(|event| event.seq <= last_seq);
        view.events.range(first..).for_each(|event| self.events.push(event.clone(), EVENTS_MAX));
        self.note_series(&view.series);
        self.store = view.cloudwatch.store.clone();
        self.lines = view.logs.lines.clone();
    }

    fn note_series(&mut self, series: &SeriesStore) {
        let last_ms = self.seconds.last().map_or(i64::MIN, |second| second.at_ms);
        let Some(newest_ms) = series.at_ms.back().copied().filter(|at_ms| *at_ms != last_ms) else { return };
        let is_same = |names: &[(Metric, String)]| {
            names.len() == series.series.len()
                && names
                    .iter()
                    .zip(&series.series)
                    .all(|((metric, label), known)| *metric == known.metric && *label == known.label)
        };
        let names = match self.seconds.last().filter(|second| is_same(&second.names)) {
            Some(second) => second.names.clone(),
            None => series.series.iter().map(|series| (series.metric, series.label.clone())).collect(),
        };
        let values = series.series.iter().map(|series| series.points.back().copied().unwrap_or(f64::NAN)).collect();
        self.seconds.push(Second { at_ms: newest_ms, names, values }, SECONDS_MAX);
    }

    /// Forgets what is older than all frames.
    pub fn forget_before(&mut self, from_ms: i64) {
        // Charts reach back further than the instant that they are of.
        let from_ms = from_ms - 1_000 * SERIES_POINTS_KEPT as i64;
        self.events.drop_while(|event| event.at_ms < from_ms);
        self.seconds.drop_while(|second| second.at_ms < from_ms);
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let values = self.seconds.last().map_or(0, |second| second.values.len());
        // An event has three texts and what a node told.
        self.events.len() * 600 + self.seconds.len() * (values * size_of::<f64>() + size_of::<Second>())
    }

    /// A view of `at_ms` with all that stands beside it.
    pub fn complete(&self, at_ms: i64, mut view: View) -> View {
        view.events = Arc::new(self.events_until(at_ms));
        view.series = Arc::new(self.series_until(at_ms));
        view.cloudwatch.store = self.store.clone();
        view.logs.lines = self.lines.until(at_ms);
        view
    }

    fn events_until(&self, at_ms: i64) -> VecDeque<Arc<EventEntry>> {
        let newest = self.events.iter().rev().filter(|event| event.at_ms <= at_ms).take(EVENTS_KEPT);
        let mut events: VecDeque<Arc<EventEntry>> = newest.cloned().collect();
        events.make_contiguous().reverse();
        events
    }

    fn series_until(&self, at_ms: i64) -> SeriesStore {
        let seconds: Vec<&Second> =
            self.seconds.iter().rev().filter(|second| second.at_ms <= at_ms).take(SERIES_POINTS_KEPT).collect();
        let mut store =
            SeriesStore { at_ms: seconds.iter().rev().map(|second| second.at_ms).collect(), series: Vec::new() };
        let mut series: Vec<Series> = Vec::new();
        let mut places: (Option<&Names>, Vec<usize>) = (None, Vec::new());
        for (index, second) in seconds.iter().rev().enumerate() {
            if places.0.is_none_or(|names| !Arc::ptr_eq(names, &second.names)) {
                places = (Some(&second.names), place(&mut series, &second.names));
            }
            for (place, value) in places.1.iter().zip(&second.values) {
                let points = &mut series[*place].points;
                points.resize(index, f64::NAN);
                points.push_back(*value);
            }
        }
        let length = store.at_ms.len();
        for mut one in series {
            one.points.resize(length, f64::NAN);
            store.series.push(Arc::new(one));
        }
        store
    }
}

/// Where each name stands among the series; those that are new are added.
fn place(series: &mut Vec<Series>, names: &[(Metric, String)]) -> Vec<usize> {
    let of = |(metric, label): &(Metric, String)| {
        let known = series.iter().position(|known| known.metric == *metric && known.label == *label);
        known.unwrap_or_else(|| {
            series.push(Series { metric: *metric, label: label.clone(), points: VecDeque::new() });
            series.len() - 1
        })
    };
    names.iter().map(of).collect()
}
