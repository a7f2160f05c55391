//! The metric store: statistics of all series over time, at three resolutions.
//!
//! Bounds: [`SERIES_MAX`] series. A series of values that never change takes about 2 KB, one of values that always change 50 to 100 KB after a
//! day, and no series more than some 210 KB. What finds no room is counted ([`Store::dropped`]).

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::statistics::{Statistic, StatisticSet};
use super::track::{Resolution, Track};

/// How many series there may be.
pub const SERIES_MAX: usize = 3_000;

/// What is kept: seconds for 15 minutes, minutes for 3 hours, five minutes for 24 hours.
pub const RESOLUTIONS: [Resolution; 3] = [
    Resolution { period_s: 1, points: 900 },
    Resolution { period_s: 60, points: 180 },
    Resolution { period_s: 300, points: 288 },
];

/// A series that was silent for so long makes room for a new one.
const SILENT_S: i64 = 900;

/// A clock that is set back further than this makes all that was kept worthless.
const SET_BACK_S: i64 = 60;

/// MSK's dimensions.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The cluster.
    ClusterName,
    /// A broker.
    BrokerId,
    /// A consumer group.
    ConsumerGroup,
    /// A topic.
    Topic,
    /// A partition.
    Partition,
}

impl Dimension {
    /// As CloudWatch names it.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::ClusterName => "Cluster Name",
            Dimension::BrokerId => "Broker ID",
            Dimension::ConsumerGroup => "Consumer Group",
            Dimension::Topic => "Topic",
            Dimension::Partition => "Partition",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Dimension> {
        use Dimension::{BrokerId, ClusterName, ConsumerGroup, Partition, Topic};
        [ClusterName, BrokerId, ConsumerGroup, Topic, Partition].into_iter().find(|dimension| dimension.name() == name)
    }
}

/// What tells one series from another: the metric's name, and dimensions in their own order.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// CloudWatch's name.
    pub metric: Arc<str>,
    /// Ascending by dimension.
    pub dimensions: Vec<(Dimension, Arc<str>)>,
}

impl Key {
    /// With dimensions in any order.
    pub fn new(metric: impl Into<Arc<str>>, mut dimensions: Vec<(Dimension, Arc<str>)>) -> Key {
        dimensions.sort();
        Key { metric: metric.into(), dimensions }
    }

    /// The value of a dimension.
    pub fn dimension(&self, dimension: Dimension) -> Option<&Arc<str>> {
        self.dimensions.iter().find(|(own, _)| *own == dimension).map(|(_, value)| value)
    }
}

impl fmt::Display for Key {
    /// `LeaderCount of broker 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        let mut joint = " of";
        for (dimension, value) in &self.dimensions {
            let what = match dimension {
                Dimension::ClusterName => continue,
                Dimension::BrokerId => "broker",
                Dimension::ConsumerGroup => "group",
                Dimension::Topic => "topic",
                Dimension::Partition => "partition",
            };
            write!(f, "{joint} {what} {value}")?;
            joint = ",";
        }
        Ok(())
    }
}

/// One value at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// Of what.
    pub key: Key,
    /// How much; what is not finite is not taken.
    pub value: f64,
}

/// One series at all resolutions. Cheap to clone.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct Series {
    tracks: [Track; 3],
    last_s: i64,
}

/// The value of a statistic in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the period begins, s since 1970.
    pub at_s: i64,
    /// The statistic.
    pub value: f64,
}

impl Series {
    fn new() -> Series {
        Series { tracks: RESOLUTIONS.map(Track::new), last_s: i64::MIN }
    }

    fn add(&mut self, at_s: i64, set: &StatisticSet) {
        self.tracks.iter_mut().for_each(|track| track.add(at_s, set));
        self.last_s = self.last_s.max(at_s);
    }

    /// When the newest value came, s since 1970.
    pub fn last_s(&self) -> i64 {
        self.last_s
    }

    /// The largest value of the newest minute, if it began after `after_s`. Costs a few steps, however much is kept.
    pub fn newest(&self, after_s: i64) -> Option<f64> {
        let (at_s, set) = self.tracks.iter().find(|track| track.resolution().period_s == 60)?.current()?;
        (at_s >= after_s).then_some(set.maximum)
    }

    /// The coarsest resolution whose periods fill these.
    fn track(&self, period_s: i64) -> Option<&Track> {
        self.tracks.iter().rev().find(|track| period_s % track.resolution().period_s == 0)
    }

    /// Statistic sets of periods that begin in `from_s..until_s` (aligned to the period), oldest first; periods without a value are left out.
    /// They are made from the coarsest resolution whose periods fill these, so that they reach back as far as that is kept.
    pub fn sets(&self, period_s: i64, from_s: i64, until_s: i64) -> Vec<(i64, StatisticSet)> {
        let period_s = period_s.max(1);
        let Some(track) = self.track(period_s) else { return Vec::new() };
        let from_s = from_s - from_s.rem_euclid(period_s);
        let mut sets: Vec<(i64, StatisticSet)> = Vec::new();
        for (at_s, set) in track.points(from_s, until_s) {
            let start = at_s - at_s.rem_euclid(period_s);
            match sets.last_mut() {
                Some((last, values)) if *last == start => values.merge(set),
                _ => sets.push((start, set.clone())),
            }
        }
        sets
    }

    /// A statistic of periods that begin in `from_s..until_s`, oldest first; as [`Series::sets`].
    pub fn points(&self, statistic: Statistic, period_s: i64, from_s: i64, until_s: i64) -> Vec<Point> {
        let period_s = period_s.max(1);
        let point = |at_s: i64, set: &StatisticSet| Point { at_s, value: set.get(statistic) };
        match self.track(period_s) {
            // Nothing is put together: what is kept is read where it is.
            Some(track) if track.resolution().period_s == period_s => {
                let from_s = from_s - from_s.rem_euclid(period_s);
                track.points(from_s, until_s).map(|(at_s, set)| point(at_s, set)).collect()
            }
            _ => self.sets(period_s, from_s, until_s).iter().map(|(at_s, set)| point(*at_s, set)).collect(),
        }
    }
}

/// All series. Readers get it by `Arc`; a clone shares all that does not change.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default)]
pub struct Store {
    series: BTreeMap<Arc<Key>, Arc<Series>>,
    newest_s: i64,
    dropped: u64,
}

impl Store {
    /// Takes the values of a second. What comes first finds room first.
    pub fn put(&mut self, at_s: i64, data: impl IntoIterator<Item = Datum>) {
        if at_s < self.newest_s - SET_BACK_S {
            self.series.clear();
        }
        if self.newest_s / 60 != at_s / 60 {
            self.forget_what_is_over(at_s);
        }
        self.newest_s = at_s;
        let mut silent: Option<BTreeSet<(i64, Arc<Key>)>> = None;
        for Datum { key, value } in data.into_iter().filter(|datum| datum.value.is_finite()) {
            if !self.series.contains_key(&key) && self.series.len() >= SERIES_MAX {
                let silent = silent.get_or_insert_with(|| self.silent(at_s));
                let Some((_, longest)) = silent.pop_first() else {
                    self.dropped += 1;
                    continue;
                };
                self.series.remove(&longest);
            }
            let series = match self.series.get_mut(&key) {
                Some(series) => series,
                None => self.series.entry(Arc::new(key)).or_insert_with(|| Arc::new(Series::new())),
            };
            Arc::make_mut(series).add(at_s, &StatisticSet::of(value));
        }
    }

    /// Of series that were written down. `None`: they make no sense.
    pub fn replayed(series: Vec<(Arc<Key>, Arc<Series>)>) -> Option<Store> {
        let is_sound = |series: &Series| series.tracks.iter().zip(RESOLUTIONS).all(|(track, own)| track.is_sound(own));
        if series.len() > SERIES_MAX || !series.iter().all(|(_, series)| is_sound(series)) {
            return None;
        }
        let newest_s = series.iter().map(|(_, series)| series.last_s).max().unwrap_or_default();
        Some(Store { series: series.into_iter().collect(), newest_s, dropped: 0 })
    }

    fn silent(&self, at_s: i64) -> BTreeSet<(i64, Arc<Key>)> {
        let silent = self.series.iter().filter(|(_, series)| series.last_s < at_s - SILENT_S);
        silent.map(|(key, series)| (series.last_s, key.clone())).collect()
    }

    fn forget_what_is_over(&mut self, at_s: i64) {
        let kept_s = RESOLUTIONS.iter().map(|resolution| resolution.kept_s()).max().unwrap_or(0);
        self.series.retain(|_, series| series.last_s > at_s - kept_s);
    }

    /// A series.
    pub fn get(&self, key: &Key) -> Option<&Arc<Series>> {
        self.series.get(key)
    }

    /// All series, by name and dimensions.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Key>, &Arc<Series>)> {
        self.series.iter()
    }

    /// The series of one metric.
    pub fn of(&self, metric: &str) -> impl Iterator<Item = (&Arc<Key>, &Arc<Series>)> {
        let first = Key { metric: metric.into(), dimensions: Vec::new() };
        self.series.range(first.clone()..).take_while(move |(key, _)| key.metric == first.metric)
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// When the newest values came, s since 1970.
    pub fn newest_s(&self) -> i64 {
        self.newest_s
    }

    /// How many values found no room, since the program started.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str, broker: usize) -> Key {
        Key::new(name, vec![(Dimension::BrokerId, broker.to_string().into()), (Dimension::ClusterName, "c".into())])
    }

    fn datum(broker: usize, value: f64) -> Datum {
        Datum { key: key("m", broker), value }
    }

    #[test]
    fn dimensions_have_one_order_and_a_name() {
        let key = key("LeaderCount", 2);
        assert_eq!(key.dimensions[0].0, Dimension::ClusterName);
        assert_eq!(key.to_string(), "LeaderCount of broker 2");
        for (dimension, _) in &key.dimensions {
            assert_eq!(Dimension::named(dimension.name()), Some(*dimension));
        }
    }

    #[test]
    fn each_resolution_reaches_back_as_far_as_it_says() {
        let mut store = Store::default();
        let day = 86_400;
        for second in 0..2 * day {
            store.put(second, [datum(1, (second % 100) as f64)]);
        }
        let series = store.get(&key("m", 1)).unwrap();
        for (period_s, reach_s) in [(1, 900), (10, 900), (60, 10_800), (120, 10_800), (300, day), (3600, day)] {
            let points = series.points(Statistic::SampleCount, period_s, 0, i64::MAX);
            assert_eq!(points.last().unwrap().at_s, 2 * day - period_s);
            let first = points.iter().find(|point| point.value == period_s as f64).unwrap();
            let reach = 2 * day - first.at_s;
            assert!((reach_s - period_s..=reach_s).contains(&reach), "{period_s}: {reach}");
            assert!(points.windows(2).all(|pair| pair[1].at_s - pair[0].at_s == period_s));
        }
    }

    #[test]
    fn there_is_a_bound_and_what_was_silent_makes_room() {
        let mut store = Store::default();
        store.put(0, (0..SERIES_MAX + 5).map(|broker| datum(broker, 1.0)));
        assert_eq!((store.len(), store.dropped()), (SERIES_MAX, 5));
        // All but series 0 go on.
        store.put(SILENT_S + 1, (1..SERIES_MAX + 5).map(|broker| datum(broker, 1.0)));
        assert_eq!(store.len(), SERIES_MAX);
        assert!(store.get(&key("m", 0)).is_none() && store.get(&key("m", SERIES_MAX)).is_some());
        assert_eq!(store.dropped(), 9);
        assert_eq!(store.of("m").count(), SERIES_MAX);
        assert_eq!(store.of("n").count(), 0);
        store.put(3 * 86_400, [datum(1, 1.0)]);
        assert_eq!(store.len(), 1, "what has no point left is forgotten");
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew_and_nothing_infinite_is_kept() {
        let mut store = Store::default();
        store.put(10_000, [datum(1, 1.0)]);
        store.put(9_990, [datum(1, 1.0), datum(2, f64::NAN), datum(3, f64::INFINITY)]);
        assert_eq!(store.len(), 1);
        store.put(5_000, [datum(2, 1.0)]);
        assert_eq!(store.len(), 1);
        assert!(store.get(&key("m", 1)).is_none());
    }

    #[test]
    fn readers_keep_what_they_took() {
        let mut store = Arc::new(Store::default());
        Arc::make_mut(&mut store).put(1, [datum(1, 1.0)]);
        let taken = store.clone();
        Arc::make_mut(&mut store).put(2, [datum(1, 5.0)]);
        let maximum = |store: &Store| store.get(&key("m", 1)).unwrap().points(Statistic::Maximum, 60, 0, 60)[0].value;
        assert_eq!((maximum(&taken), maximum(&store)), (1.0, 5.0));
    }

    proptest! {
        /// Whatever values came when: a coarse period says what all values in it say.
        #[test]
        fn coarse_periods_equal_all_values_in_them(
            values in prop::collection::vec((0i64..4, 5.0..50.0f64), 1..700),
            period_index in 0usize..3,
        ) {
            let mut store = Store::default();
            let (mut at_s, mut all) = (1_000_003, Vec::new());
            for (step, value) in values {
                at_s += step;
                let value = value.round();
                store.put(at_s, [datum(1, value)]);
                all.push((at_s, value));
            }
            let period_s = [60, 300, 900][period_index];
            let sets = store.get(&key("m", 1)).unwrap().sets(period_s, 0, i64::MAX);
            let mut expected: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for (at_s, value) in all {
                expected.entry(at_s - at_s % period_s).or_default().push(value);
            }
            prop_assert_eq!(sets.len(), expected.len());
            for ((at_s, set), (expected_at_s, mut values)) in sets.into_iter().zip(expected) {
                values.sort_by(f64::total_cmp);
                prop_assert_eq!(at_s, expected_at_s);
                prop_assert_eq!(set.count as usize, values.len());
                prop_assert_eq!(set.get(Statistic::Sum), values.iter().sum::<f64>());
                prop_assert_eq!((set.minimum, set.maximum), (values[0], values[values.len() - 1]));
                let p90 = set.get("p90".parse().unwrap());
                let truth = values[(0.9 * values.len() as f64).ceil() as usize - 1];
                prop_assert!((p90 - truth).abs() <= super::super::sketch::RELATIVE_ERROR * truth, "p90 is {} and not {}", p90, truth);
            }
        }
    }
}
