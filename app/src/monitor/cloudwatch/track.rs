//! One resolution of one series: statistic sets of periods of one length, the newest so many of them.
//!
//! Points that are the same one after the other stand once. What is older than the open chunk never changes and is shared with whoever reads.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::VecDeque;
use std::sync::Arc;

use super::statistics::StatisticSet;

/// A track is cut into about so many chunks.
const CHUNKS: i64 = 15;

/// How long periods are, and how many are kept.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Seconds.
    pub period_s: i64,
    /// Periods.
    pub points: i64,
}

impl Resolution {
    /// How far back this reaches.
    pub fn kept_s(self) -> i64 {
        self.period_s * self.points
    }

    /// The start of the period in which a second lies.
    pub fn start_of(self, at_s: i64) -> i64 {
        at_s - at_s.rem_euclid(self.period_s)
    }
}

/// The same values in periods that follow each other.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
struct Run {
    at_s: i64,
    length: u32,
    set: StatisticSet,
}

/// The points of one resolution. Cheap to clone.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct Track {
    resolution: Resolution,
    sealed: Arc<VecDeque<Arc<[Run]>>>,
    open: Vec<Run>,
    /// The period that is not over.
    current: Option<(i64, StatisticSet)>,
}

impl Track {
    /// Without a point.
    pub fn new(resolution: Resolution) -> Track {
        Track { resolution, sealed: Arc::default(), open: Vec::new(), current: None }
    }

    /// Whether it is as one is that was filled here, and of this resolution.
    pub fn is_sound(&self, resolution: Resolution) -> bool {
        let all = || self.sealed.iter().flat_map(|chunk| chunk.iter()).chain(&self.open);
        // Beyond this no clock of ours goes, s.
        let is_time = |at_s: i64| (0..1_000_000_000_000).contains(&at_s);
        self.resolution == resolution
            && all().all(|run| (1..=resolution.points).contains(&i64::from(run.length)) && is_time(run.at_s))
            && all().map(|run| i64::from(run.length)).sum::<i64>() <= 4 * resolution.points
            && self.current.as_ref().is_none_or(|(at_s, _)| is_time(*at_s))
    }

    /// How it is cut.
    pub fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Adds values of a second. One before the newest counts for the newest: a clock that was set back a little makes no hole.
    pub fn add(&mut self, at_s: i64, set: &StatisticSet) {
        let start = self.resolution.start_of(at_s);
        match &mut self.current {
            Some((current, values)) if *current >= start => values.merge(set),
            current => {
                if let Some((at_s, set)) = current.replace((start, set.clone())) {
                    self.close(at_s, set);
                }
            }
        }
    }

    fn close(&mut self, at_s: i64, set: StatisticSet) {
        let period_s = self.resolution.period_s;
        match self.open.last_mut() {
            Some(last) if last.set == set && last.at_s + i64::from(last.length) * period_s == at_s => last.length += 1,
            _ => self.open.push(Run { at_s, length: 1, set }),
        }
        let span = self.open.first().map_or(0, |first| at_s + period_s - first.at_s);
        if span >= self.resolution.kept_s() / CHUNKS {
            let sealed = Arc::make_mut(&mut self.sealed);
            sealed.push_back(std::mem::take(&mut self.open).into());
            let oldest = at_s + period_s - self.resolution.kept_s();
            let is_over = |chunk: &Arc<[Run]>| {
                chunk.last().is_none_or(|last| last.at_s + i64::from(last.length) * period_s <= oldest)
            };
            while sealed.front().is_some_and(is_over) {
                sealed.pop_front();
            }
        }
    }

    /// The period that is not over, and what there is of it.
    pub fn current(&self) -> Option<(i64, &StatisticSet)> {
        self.current.as_ref().map(|(at_s, set)| (*at_s, set))
    }

    /// The points whose periods begin in `from_s..until_s`, oldest first; of the period that is not over, what there is of it.
    pub fn points(&self, from_s: i64, until_s: i64) -> impl Iterator<Item = (i64, &StatisticSet)> {
        let Resolution { period_s, .. } = self.resolution;
        // Kept is what the newest point allows, wherever chunks are cut.
        let newest = self.current.as_ref().map_or(i64::MIN, |(at_s, _)| *at_s);
        let from_s = from_s.max(newest.saturating_sub(self.resolution.kept_s() - period_s));
        let overlaps =
            move |run: &&Run| run.at_s < until_s && run.at_s + i64::from(run.length - 1) * period_s >= from_s;
        let whole = self.sealed.iter().flat_map(|chunk| chunk.iter()).chain(&self.open).filter(overlaps);
        let whole = whole
            .flat_map(move |run| (0..i64::from(run.length)).map(move |index| (run.at_s + index * period_s, &run.set)));
        let current = self.current.iter().map(|(at_s, set)| (*at_s, set));
        whole.chain(current).filter(move |(at_s, _)| (from_s..until_s).contains(at_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Resolution = Resolution { period_s: 1, points: 30 };

    fn times(track: &Track, from_s: i64, until_s: i64) -> Vec<i64> {
        track.points(from_s, until_s).map(|(at_s, _)| at_s).collect()
    }

    #[test]
    fn the_newest_points_are_kept_and_no_more() {
        for value in [|_: i64| 1.0, |second: i64| second as f64] {
            let mut track = Track::new(SECONDS);
            for second in 100..200 {
                track.add(second, &StatisticSet::of(value(second)));
            }
            assert_eq!(times(&track, 0, i64::MAX), (170..200).collect::<Vec<_>>());
            assert_eq!(times(&track, 180, 183), [180, 181, 182]);
            assert!(track.sealed.len() <= CHUNKS as usize + 2);
        }
    }

    #[test]
    fn equal_points_stand_once_and_holes_stay_holes() {
        let mut track = Track::new(SECONDS);
        for second in [10, 11, 14, 15] {
            track.add(second, &StatisticSet::of(1.0));
        }
        assert_eq!(times(&track, 0, 100), [10, 11, 14, 15]);
        let runs = track.sealed.iter().map(|chunk| chunk.len()).sum::<usize>() + track.open.len();
        assert_eq!(runs, 2);
    }

    #[test]
    fn a_clock_set_back_a_little_counts_for_the_newest() {
        let mut track = Track::new(SECONDS);
        for second in [10, 11, 10, 12] {
            track.add(second, &StatisticSet::of(1.0));
        }
        let counts: Vec<_> = track.points(0, 100).map(|(at_s, set)| (at_s, set.count)).collect();
        assert_eq!(counts, [(10, 1), (11, 2), (12, 1)]);
    }

    #[test]
    fn readers_keep_what_they_took() {
        let mut track = Track::new(SECONDS);
        (0..40).for_each(|second| track.add(second, &StatisticSet::of(second as f64)));
        let taken = track.clone();
        (40..90).for_each(|second| track.add(second, &StatisticSet::of(second as f64)));
        assert_eq!(times(&taken, 0, 100), (10..40).collect::<Vec<_>>());
    }
}
