//! Percentiles of values that are not kept: counts in buckets whose widths grow with the value, so that two sketches add up to one.
//!
//! As DDSketch has it (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", 2019). A percentile is within
//! [`RELATIVE_ERROR`] of a value that is really there, as long as the values fill no more than [`BINS_MAX`] buckets; beyond that the lowest
//! buckets become one.
use borsh::{BorshDeserialize, BorshSerialize};

/// How far a percentile may be from the true one, as part of it.
pub const RELATIVE_ERROR: f64 = 0.02;

/// Buckets of a sketch; with the error above they span values that differ by a factor of 12.
pub const BINS_MAX: usize = 64;

/// The ratio of neighbouring buckets' bounds.
const GAMMA: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);

/// Smaller values count as 0.
const SMALLEST: f64 = 1e-9;

/// Puts the bucket of [`SMALLEST`] above 0, so that a key's sign is its values'.
const OFFSET: f64 = 600.0;

/// Counts by bucket, ascending by value. A count stops at 65,535: five minutes have far fewer values here.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    bins: Vec<(i16, u16)>,
}

fn key(value: f64) -> i16 {
    let size = value.abs();
    if size < SMALLEST {
        return 0;
    }
    // f64::MAX lies in bucket 18,000 or so, which an i16 holds.
    let index = ((size.ln() / GAMMA.ln()).ceil() + OFFSET) as i16;
    if value < 0.0 { -index } else { index }
}

fn middle(key: i16) -> f64 {
    if key == 0 {
        return 0.0;
    }
    let size = 2.0 * GAMMA.powf(f64::from(key.unsigned_abs()) - OFFSET) / (GAMMA + 1.0);
    if key < 0 { -size } else { size }
}

impl Sketch {
    /// Of `count` values that are the same.
    pub fn of(value: f64, count: u32) -> Sketch {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        Sketch { bins: vec![(key(value), count)] }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Sketch) {
        for (key, count) in &other.bins {
            match self.bins.binary_search_by_key(key, |(key, _)| *key) {
                Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(*count),
                Err(at) => self.bins.insert(at, (*key, *count)),
            }
        }
        let too_many = self.bins.len().saturating_sub(BINS_MAX);
        if too_many > 0 {
            let lowest: u16 = self.bins.drain(..too_many).fold(0, |sum, (_, count)| sum.saturating_add(count));
            self.bins[0].1 = self.bins[0].1.saturating_add(lowest);
        }
        self.bins.shrink_to_fit();
    }

    fn count(&self) -> f64 {
        self.bins.iter().map(|(_, count)| f64::from(*count)).sum()
    }

    /// The value at a percentile (0 to 100), by nearest rank; `None` of nothing.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = (percent / 100.0 * self.count()).ceil().max(1.0);
        let mut passed = 0.0;
        let reached = |(_, count): &&(i16, u16)| {
            passed += f64::from(*count);
            passed >= rank
        };
        self.bins.iter().find(reached).or(self.bins.last()).map(|(key, _)| middle(*key))
    }

    /// The mean of what lies between two percentiles (0 to 100); `None` of nothing.
    pub fn trimmed_mean(&self, from: f64, to: f64) -> Option<f64> {
        let total = self.count();
        let (first, last) = (from / 100.0 * total, to / 100.0 * total);
        let (mut passed, mut sum, mut weight) = (0.0, 0.0, 0.0);
        for (key, count) in &self.bins {
            let next = passed + f64::from(*count);
            let inside = (next.min(last) - f64::max(passed, first)).max(0.0);
            sum += inside * middle(*key);
            weight += inside;
            passed = next;
        }
        (weight > 0.0).then(|| sum / weight)
    }

    /// Which part of the values (in percent) is greater than `low` and at most `high`, to the nearest bucket; `None` of nothing.
    pub fn rank(&self, low: Option<f64>, high: Option<f64>) -> Option<f64> {
        let total = self.count();
        let is_inside = |value: f64| {
            low.is_none_or(|low| value > low) && high.is_none_or(|high| value <= high * (1.0 + RELATIVE_ERROR))
        };
        let inside: f64 = self.bins.iter().filter(|(key, _)| is_inside(middle(*key))).map(|(_, n)| f64::from(*n)).sum();
        (total > 0.0).then(|| 100.0 * inside / total)
    }
}
