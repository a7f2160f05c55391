//! From the metric store to the lines of a chart: which metrics a wall has, what is asked of them, and what the lines are called.
//!
//! Pure. Reading a series costs some thousand steps, so that screens keep what they read until the store has a new second.

use std::sync::Arc;

use egui::Color32;

use super::tokens::Palette;
use super::widgets::axis::Unit;
use super::widgets::chart::Trace;
use crate::monitor::cloudwatch::alarm::{Alarm, Watched};
use crate::monitor::cloudwatch::catalog::{self, Definition, Level};
use crate::monitor::cloudwatch::math::formula::WatchedLine;
use crate::monitor::cloudwatch::statistics::{Hundredths, Statistic};
use crate::monitor::cloudwatch::store::{Dimension, Key, Point, Series, Store};

/// How far back charts reach, s, by name.
pub const RANGES: [(i64, &str); 5] =
    [(60, "1 min"), (300, "5 min"), (900, "15 min"), (10_800, "3 h"), (86_400, "24 h")];

/// How long a point of a chart may be, s, by name; and how far back so short periods are kept.
pub const PERIODS: [(i64, &str, i64); 4] =
    [(1, "1 s", 900), (10, "10 s", 900), (60, "1 min", 10_800), (300, "5 min", 86_400)];

/// A chart of fewer points tells nothing of a course of things.
const LEAST_POINTS: i64 = 5;
/// A chart of about so many points is drawn unless another period is chosen.
const GOOD_POINTS: i64 = 72;

/// Under load a second may be looked at late, and one between left out.
const LATE_S: i64 = 3;

/// Lines of a chart; more would not be told apart.
pub const LINES_MAX: usize = 8;

/// The statistics that can be chosen; `None` is the one that each metric is usually looked at by.
pub const STATISTICS: [(Option<Statistic>, &str); 9] = [
    (None, "usual"),
    (Some(Statistic::Average), "Average"),
    (Some(Statistic::Sum), "Sum"),
    (Some(Statistic::Minimum), "Minimum"),
    (Some(Statistic::Maximum), "Maximum"),
    (Some(Statistic::SampleCount), "SampleCount"),
    (Some(Statistic::Percentile(Hundredths(5_000))), "p50"),
    (Some(Statistic::Percentile(Hundredths(9_000))), "p90"),
    (Some(Statistic::Percentile(Hundredths(9_900))), "p99"),
];

/// The five golden signals: can it be used, who leads it, what could be lost, how late are consumers, how much room is left.
pub const GOLDEN: [&str; 5] = [
    "OfflinePartitionsCount",
    "ActiveControllerCount",
    "UnderReplicatedPartitions",
    "EstimatedMaxTimeLag",
    "KafkaDataLogsDiskUsed",
];

/// How much a wall shows. Too much is as useless as too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Size {
    /// [`GOLDEN`].
    #[default]
    Golden,
    /// The thirteen that one should watch at least.
    Seeds,
    /// All of the monitoring level in force.
    All,
}

/// The metrics of a size.
pub fn of_size(size: Size, level: Level) -> Vec<&'static Definition> {
    // Where a name stands for brokers and for the cluster, the brokers tell more.
    let best = |name: &str| {
        let rows = catalog::all().filter(|row| row.name == name);
        rows.max_by_key(|row| row.dimensions() == [Dimension::ClusterName, Dimension::BrokerId])
    };
    match size {
        Size::Golden => GOLDEN.iter().filter_map(|name| best(name)).collect(),
        Size::Seeds => catalog::all()
            .filter(|row| row.is_seed && best(row.name).is_some_and(|best| std::ptr::eq(best, *row)))
            .collect(),
        Size::All => catalog::all().filter(|row| row.level <= level).collect(),
    }
}

/// What tells a row of the catalogue from the others, as it is remembered: `BytesInPerSec by Broker ID, Topic`.
pub fn pin_of(row: &Definition) -> String {
    format!("{} {}", row.name, by(row))
}

/// The row of a pin.
pub fn pinned(pin: &str) -> Option<&'static Definition> {
    catalog::all().find(|row| pin_of(row) == pin)
}

/// `by Broker ID, Topic`; `of the cluster`.
pub fn by(row: &Definition) -> String {
    let own = row.dimensions().iter().filter(|dimension| **dimension != Dimension::ClusterName);
    let names: Vec<&str> = own.map(|dimension| dimension.name()).collect();
    if names.is_empty() { "of the cluster".into() } else { format!("by {}", names.join(", ")) }
}

/// What is asked of all metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// How far back, s.
    pub range_s: i64,
    /// Length of periods, s.
    pub period_s: i64,
    /// `None`: each metric's own.
    pub statistic: Option<Statistic>,
}

impl Query {
    /// Five minutes, by what fits.
    pub fn new() -> Query {
        Query { range_s: 300, period_s: good_period(300), statistic: None }
    }

    /// How old a value may be to stand for now, ms: its period, and a little for what is late.
    pub fn stale_ms(&self) -> i64 {
        (2 * self.period_s + LATE_S) * 1000
    }

    /// Another range; the period stays if it fits.
    pub fn set_range(&mut self, range_s: i64) {
        self.range_s = range_s;
        if !fits(self.period_s, range_s) {
            self.period_s = good_period(range_s);
        }
    }

    /// The statistic for a metric.
    pub fn statistic_of(&self, row: &Definition) -> Statistic {
        self.statistic.unwrap_or(row.statistic)
    }
}

/// Whether a period makes sense in a range: it is kept for so long, and there are enough points.
pub fn fits(period_s: i64, range_s: i64) -> bool {
    let kept_s = PERIODS.iter().find(|period| period.0 == period_s).map_or(0, |period| period.2);
    range_s <= kept_s && range_s / period_s >= LEAST_POINTS
}

fn good_period(range_s: i64) -> i64 {
    let fitting = || PERIODS.iter().map(|period| period.0).filter(|period_s| fits(*period_s, range_s));
    fitting().rfind(|period_s| range_s / period_s >= GOOD_POINTS).or_else(|| fitting().next()).unwrap_or(60)
}

/// The name of a period.
pub fn period_name(period_s: i64) -> &'static str {
    PERIODS.iter().find(|period| period.0 == period_s).map_or("", |period| period.1)
}

/// The lines of a chart, and how many series had no room.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// At most [`LINES_MAX`].
    pub traces: Vec<Trace>,
    /// All series of the metric.
    pub series: usize,
}

/// Reads a metric's lines. Where there are too many, those with the greatest newest value are shown.
pub fn lines(store: &Store, row: &Definition, query: Query, now_ms: i64, style: &Palette) -> Lines {
    let mut series: Vec<Named<'_>> = unordered(store, row).collect();
    let count = series.len();
    if count > LINES_MAX {
        let now_s = now_ms.div_euclid(1000);
        let newest = |series: &Series| series.newest(now_s - 120).unwrap_or(f64::NEG_INFINITY);
        let greatest = |one: &(f64, Named<'_>), other: &(f64, Named<'_>)| {
            other.0.total_cmp(&one.0).then_with(|| one.1.0.cmp(other.1.0))
        };
        let mut ranked: Vec<(f64, Named<'_>)> = series.into_iter().map(|one| (newest(one.1), one)).collect();
        // Of ten thousand series most are looked at once and need no order.
        ranked.select_nth_unstable_by(LINES_MAX - 1, greatest);
        series = ranked.into_iter().take(LINES_MAX).map(|(_, one)| one).collect();
    }
    series.sort_by_cached_key(|(key, _)| in_order(key));
    let statistic = query.statistic_of(row);
    let format = unit(row, statistic);
    let traces = series.into_iter().enumerate().map(|(index, (key, series))| Trace {
        name: line_name(key),
        color: color(style, key, index),
        dashed: false,
        points: points(series, statistic, query, now_ms),
        format,
    });
    Lines { traces: traces.collect(), series: count }
}

/// A series with its name, as the store has it.
pub type Named<'s> = (&'s Arc<Key>, &'s Arc<Series>);

/// All series of a row of the catalogue, brokers in the order of their numbers.
pub fn series_of<'s>(store: &'s Store, row: &Definition) -> Vec<Named<'s>> {
    let mut series: Vec<_> = unordered(store, row).collect();
    series.sort_by_cached_key(|(key, _)| in_order(key));
    series
}

fn unordered<'s>(store: &'s Store, row: &Definition) -> impl Iterator<Item = Named<'s>> {
    let own = row.dimensions();
    let is_of_row = move |key: &Key| {
        key.dimensions.len() == own.len() && own.iter().all(|dimension| key.dimension(*dimension).is_some())
    };
    store.of(row.name).filter(move |(key, _)| is_of_row(key))
}

/// Numbers come in their own order and before words.
fn in_order(key: &Key) -> Vec<(Option<i64>, Arc<str>)> {
    key.dimensions.iter().map(|(_, value)| (value.parse::<i64>().ok(), value.clone())).collect()
}

/// A broker has the same colour in all charts.
fn color(style: &Palette, key: &Key, index: usize) -> Color32 {
    let broker = match key.dimensions.as_slice() {
        [_, (Dimension::BrokerId, id)] => id.parse::<usize>().ok(),
        _ => None,
    };
    style.series[broker.map_or(index, |id| id.saturating_sub(1)) % style.series.len()]
}

/// The points of a series in a query's range, with one period before it so that lines reach the edge; gaps are NaN.
pub fn points(series: &Series, statistic: Statistic, query: Query, now_ms: i64) -> Vec<(i64, f64)> {
    let (from_s, until_s) = span(query, matches!(statistic, Statistic::Sum | Statistic::SampleCount), now_ms);
    with_gaps(series.points(statistic, query.period_s, from_s, until_s), query.period_s)
}

/// From when to when points are asked for. Of a period that is not over, what adds up says too little.
fn span(query: Query, adds_up: bool, now_ms: i64) -> (i64, i64) {
    let Query { range_s, period_s, .. } = query;
    let now_s = now_ms.div_euclid(1000);
    let until_s = if adds_up && period_s > 1 { now_s - now_s.rem_euclid(period_s) } else { now_s + 1 };
    (now_s - range_s - period_s, until_s)
}

fn with_gaps(points: impl IntoIterator<Item = Point>, period_s: i64) -> Vec<(i64, f64)> {
    let mut all: Vec<(i64, f64)> = Vec::new();
    for point in points {
        if let Some((last_ms, _)) = all.last().copied()
            && point.at_s * 1000 - last_ms > period_s.max(LATE_S) * 1000
        {
            all.push((last_ms + period_s * 1000, f64::NAN));
        }
        all.push((point.at_s * 1000, point.value));
    }
    all
}

/// What an alarm watches, as [`points`], with names: one line, or one of each group, at most [`LINES_MAX`] of those that come first.
pub fn courses_of(alarm: &Alarm, store: &Store, query: Query, now_ms: i64) -> Vec<(String, Vec<(i64, f64)>)> {
    let formula = match &alarm.watched {
        Watched::Formula(formula) => formula,
        Watched::Metric { key, statistic } => {
            let points = store.get(key).map(|series| points(series, *statistic, query, now_ms));
            return vec![(watched_name(alarm), points.unwrap_or_default())];
        }
    };
    let span = span(query, formula.adds_up(), now_ms);
    // What is too much work for an alarm was not put; a chart of more periods may be.
    let lines = formula.lines(store, query.period_s, span).unwrap_or_default();
    let course = |line: WatchedLine| {
        let name = if line.group.is_empty() { watched_name(alarm) } else { line_name(&Key::new("", line.group)) };
        let points = line.points.into_iter().map(|(at_s, value)| Point { at_s, value });
        (name, with_gaps(points, query.period_s))
    };
    lines.into_iter().take(LINES_MAX).map(course).collect()
}

/// The first line of what an alarm watches.
pub fn points_of(alarm: &Alarm, store: &Store, query: Query, now_ms: i64) -> Vec<(i64, f64)> {
    courses_of(alarm, store, query, now_ms).into_iter().next().map(|(_, points)| points).unwrap_or_default()
}

/// How what an alarm watches is written: metric math comes to plain numbers.
pub fn unit_of(alarm: &Alarm) -> Unit {
    let metric = alarm.metric().and_then(|(key, statistic)| Some(unit(catalog::definition(key)?, statistic)));
    metric.unwrap_or(Unit::Count)
}

/// What an alarm watches, as a line of a chart is called: `Broker 1, Maximum`, `m1 / m2 * 100`.
pub fn watched_name(alarm: &Alarm) -> String {
    match &alarm.watched {
        Watched::Metric { key, statistic } => format!("{}, {statistic}", line_name(key)),
        Watched::Formula(formula) => formula.title(),
    }
}

/// What a line is called: `Broker 1`, `orders on broker 1`, `billing: orders-3`.
pub fn line_name(key: &Key) -> String {
    let value = |dimension| key.dimension(dimension).map(|value| value.to_string());
    let (broker, topic) = (value(Dimension::BrokerId), value(Dimension::Topic));
    match (broker, value(Dimension::ConsumerGroup), topic, value(Dimension::Partition)) {
        (Some(broker), _, Some(topic), _) => format!("{topic} on broker {broker}"),
        (Some(broker), ..) => format!("Broker {broker}"),
        (_, Some(group), Some(topic), Some(partition)) => format!("{group}: {topic}-{partition}"),
        (_, Some(group), Some(topic), None) => format!("{group}: {topic}"),
        (_, Some(group), ..) => group,
        (_, _, Some(topic), _) => topic,
        _ => "Cluster".into(),
    }
}

/// `LeaderCount {Broker ID="1", Cluster Name="brokerscope"}`.
pub fn cloudwatch_name(key: &Key) -> String {
    let dimensions: Vec<String> =
        key.dimensions.iter().map(|(dimension, value)| format!("{}=\"{value}\"", dimension.name())).collect();
    format!("{} {{{}}}", key.metric, dimensions.join(", "))
}

/// How a statistic of a metric is written.
pub fn unit(row: &Definition, statistic: Statistic) -> Unit {
    if statistic == Statistic::SampleCount {
        return Unit::Count;
    }
    match row.unit {
        catalog::Unit::Count => Unit::Count,
        catalog::Unit::CountPerSecond => Unit::Rate,
        catalog::Unit::Bytes => Unit::Bytes,
        catalog::Unit::BytesPerSecond => Unit::ByteRate,
        catalog::Unit::Percent => Unit::Percent,
        catalog::Unit::Seconds => Unit::Seconds,
        catalog::Unit::Milliseconds => Unit::Millis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::cloudwatch::store::Datum;
    use crate::ui::tokens::DARK;

    #[test]
    fn three_sizes() {
        assert_eq!(of_size(Size::Golden, Level::Default).len(), 5);
        assert_eq!(of_size(Size::Seeds, Level::Default).len(), 13);
        let all = |level| of_size(Size::All, level).len();
        assert!(13 < all(Level::Default) && all(Level::Default) < all(Level::PerBroker));
        assert_eq!(all(Level::PerTopicPerPartition), catalog::all().count());
    }

    #[test]
    fn pins_find_their_row_again() {
        for row in catalog::all() {
            assert!(pinned(&pin_of(row)).is_some_and(|found| std::ptr::eq(found, row)), "{}", row.name);
        }
        assert!(pinned("Nonsense of the cluster").is_none());
    }

    #[test]
    fn periods_fit_ranges() {
        let fitting = |range_s| PERIODS.iter().filter(move |period| fits(period.0, range_s)).map(|period| period.1);
        let all: Vec<Vec<&str>> = RANGES.iter().map(|range| fitting(range.0).collect()).collect();
        assert_eq!(
            all,
            [
                vec!["1 s", "10 s"],
                vec!["1 s", "10 s", "1 min"],
                vec!["1 s", "10 s", "1 min"],
                vec!["1 min", "5 min"],
                vec!["5 min"]
            ]
        );
        let good: Vec<&str> = RANGES.iter().map(|range| period_name(good_period(range.0))).collect();
        assert_eq!(good, ["1 s", "1 s", "10 s", "1 min", "5 min"]);
        let mut query = Query::new();
        query.period_s = 60;
        query.set_range(900);
        assert_eq!(query.period_s, 60);
        query.set_range(86_400);
        assert_eq!(query.period_s, 300);
    }

    fn filled(seconds: i64, brokers: usize, value: impl Fn(i64, usize) -> Option<f64>) -> Store {
        let mut store = Store::default();
        for second in 0..seconds {
            let datum = |broker: usize| {
                let dimensions =
                    vec![(Dimension::ClusterName, "c".into()), (Dimension::BrokerId, broker.to_string().into())];
                Some(Datum { key: Key::new("LeaderCount", dimensions), value: value(second, broker)? })
            };
            store.put(second, (1..=brokers).filter_map(datum));
        }
        store
    }

    fn leaders() -> &'static Definition {
        pinned("LeaderCount by Broker ID").unwrap()
    }

    #[test]
    fn holes_stay_holes_and_unfinished_sums_are_left_out() {
        let store = filled(125, 1, |second, _| (!(60..70).contains(&second)).then_some(2.0));
        let series = series_of(&store, leaders())[0].1;
        let query = |period_s| Query { range_s: 300, period_s, statistic: None };
        let seconds = points(series, Statistic::Average, query(1), 124_000);
        assert_eq!(seconds.len(), 125 - 10 + 1);
        assert_eq!(seconds.iter().filter(|point| point.1.is_nan()).count(), 1);
        let sums = points(series, Statistic::Sum, query(60), 124_000);
        assert_eq!(sums, [(0, 120.0), (60_000, 100.0)]);
        let averages = points(series, Statistic::Average, query(60), 124_000);
        assert_eq!(averages.last(), Some(&(120_000, 2.0)));
    }

    #[test]
    fn the_greatest_lines_are_shown_in_the_order_of_brokers() {
        let store = filled(5, 12, |_, broker| Some(broker as f64));
        let lines = lines(&store, leaders(), Query::new(), 4_000, &DARK);
        assert_eq!((lines.series, lines.traces.len()), (12, LINES_MAX));
        let names: Vec<&str> = series_names(&lines);
        assert!(names.contains(&"Broker 12") && names.contains(&"Broker 5") && !names.contains(&"Broker 4"));
        let few = filled(5, 3, |_, broker| Some(broker as f64));
        let few = super::lines(&few, leaders(), Query::new(), 4_000, &DARK);
        assert_eq!(series_names(&few), ["Broker 1", "Broker 2", "Broker 3"]);
        assert_eq!(few.traces[2].color, DARK.series[2]);
    }

    fn series_names(lines: &Lines) -> Vec<&str> {
        lines.traces.iter().map(|trace| trace.name.as_str()).collect()
    }

    #[test]
    fn names_are_those_that_one_copies() {
        let store = filled(1, 1, |_, _| Some(1.0));
        let (key, _) = series_of(&store, leaders())[0];
        assert_eq!(cloudwatch_name(key), "LeaderCount {Cluster Name=\"c\", Broker ID=\"1\"}");
        assert_eq!(leaders().promql_of(key).unwrap(), "kafka_server_replicamanager_leadercount{node_id=\"1\"}");
    }
}
