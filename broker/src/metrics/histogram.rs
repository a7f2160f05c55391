//! How values are distributed: lately for the quantiles, in the whole life for all else.

use borsh::{BorshDeserialize, BorshSerialize};
use std::time::Duration;

/// The quantiles that are told.
pub const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];

/// A value weighs `exp(ALPHA · seconds)`: after five minutes a hundredth of a new one. Kafka's factor.
const ALPHA: f64 = 0.015;

/// Weights are scaled down before they pass this.
const WEIGHT_MAX: f64 = 1e12;

/// Steps of a power of two: values are told apart to 3 %.
const STEPS: u64 = 16;
const STEPS_BITS: u32 = STEPS.trailing_zeros();

/// Larger values count as this.
const VALUE_MAX: u64 = 1 << 42;

/// Values of a kind: count, least, greatest, mean and deviation of all of them, and quantiles in which old ones fade away.
///
/// Where Kafka keeps a random sample of 1,028 values (`com.yammer.metrics.stats.ExponentiallyDecayingSample`) this keeps buckets of decaying
/// weight: the same weighting without the luck of the sample. A value takes a few nanoseconds and never memory beyond some 5 kB.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// What a value of 1 is in the unit that is told.
    scale: f64,
    count: u64,
    least: u64,
    greatest: u64,
    sum: f64,
    sum_of_squares: f64,
    buckets: Vec<f64>,
    /// What a value weighs now; moves with each reading.
    weight: f64,
    /// When a value weighed 1.
    landmark: Option<Duration>,
}

/// What a histogram shows, in the unit of its bean. All 0 without values, as Kafka's.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct HistogramReading {
    /// Values.
    pub count: u64,
    /// Their sum.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub sum: f64,
    /// The least of all.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub min: f64,
    /// The greatest of all.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub max: f64,
    /// Mean of all.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub mean: f64,
    /// Standard deviation of all.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub std_dev: f64,
    /// For each of [`QUANTILES`].
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub quantiles: [f64; 6],
}

impl Default for Histogram {
    /// Values are told as they come.
    fn default() -> Histogram {
        Histogram::scaled(1.0)
    }
}

impl Histogram {
    /// A value of 1 is told as `scale`.
    pub fn scaled(scale: f64) -> Histogram {
        Histogram {
            scale,
            count: 0,
            least: u64::MAX,
            greatest: 0,
            sum: 0.0,
            sum_of_squares: 0.0,
            buckets: Vec::new(),
            weight: 1.0,
            landmark: None,
        }
    }

    /// Takes microseconds, tells milliseconds.
    pub fn millis() -> Histogram {
        Histogram::scaled(0.001)
    }

    /// One more value.
    pub fn record(&mut self, value: u64) {
        let value = value.min(VALUE_MAX);
        self.count += 1;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        self.sum += value as f64;
        self.sum_of_squares += value as f64 * value as f64;
        let index = bucket(value);
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, 0.0);
        }
        self.buckets[index] += self.weight;
    }

    /// One more value, for a histogram of [`Histogram::millis`].
    pub fn record_time(&mut self, took: Duration) {
        self.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Sum of all values, in the unit that is told.
    pub fn sum(&self) -> f64 {
        self.sum * self.scale
    }

    /// Values so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Reads it, and has what comes next weigh what is due now.
    pub fn read(&mut self, now: Duration) -> HistogramReading {
        self.age(now);
        if self.count == 0 {
            return HistogramReading::default();
        }
        let count = self.count as f64;
        let mean = self.sum / count;
        let variance = if self.count < 2 { 0.0 } else { (self.sum_of_squares - mean * self.sum) / (count - 1.0) };
        HistogramReading {
            count: self.count,
            sum: self.sum * self.scale,
            min: self.least as f64 * self.scale,
            max: self.greatest as f64 * self.scale,
            mean: mean * self.scale,
            std_dev: variance.max(0.0).sqrt() * self.scale,
            quantiles: self.quantiles().map(|value| value * self.scale),
        }
    }

    fn age(&mut self, now: Duration) {
        let landmark = *self.landmark.get_or_insert(now);
        self.weight = (ALPHA * now.saturating_sub(landmark).as_secs_f64()).min(600.0).exp();
        if self.weight > WEIGHT_MAX {
            for bucket in &mut self.buckets {
                *bucket /= self.weight;
            }
            self.weight = 1.0;
            self.landmark = Some(now);
        }
    }

    /// One pass: the quantiles ascend.
    fn quantiles(&self) -> [f64; 6] {
        let total: f64 = self.buckets.iter().sum();
        let mut found = [self.greatest as f64; 6];
        let mut next = 0;
        let mut below = 0.0;
        for (index, weight) in self.buckets.iter().enumerate() {
            below += weight;
            while next < QUANTILES.len() && below >= QUANTILES[next] * total && *weight > 0.0 {
                found[next] = middle(index).clamp(self.least as f64, self.greatest as f64);
                next += 1;
            }
        }
        found
    }
}

/// Small values have a bucket each; then each power of two has [`STEPS`].
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let power = value.ilog2() - STEPS_BITS;
    let step = (value >> power) - STEPS;
    ((u64::from(power) + 1) * STEPS + step) as usize
}

fn middle(index: usize) -> f64 {
    let index = index as u64;
    if index < STEPS {
        return index as f64;
    }
    let power = index / STEPS - 1;
    let low = (STEPS + index % STEPS) << power;
    low as f64 + ((1u64 << power) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_zero() {
        assert_eq!(Histogram::default().read(s(1)), HistogramReading::default());
    }

    #[test]
    fn moments_are_exact_and_quantiles_close() {
        let mut times = Histogram::millis();
        for ms in 1..=1000 {
            times.record_time(Duration::from_millis(ms));
        }
        let reading = times.read(s(1));
        assert_eq!((reading.count, reading.min, reading.max), (1000, 1.0, 1000.0));
        assert!((reading.mean - 500.5).abs() < 1e-9 && (reading.sum - 500_500.0).abs() < 1e-6, "{reading:?}");
        assert!((reading.std_dev - 288.819).abs() < 0.001, "{reading:?}");
        for (quantile, value) in QUANTILES.into_iter().zip(reading.quantiles) {
            assert!((value / (quantile * 1000.0) - 1.0).abs() < 0.035, "{quantile}: {value}");
        }
    }

    #[test]
    fn what_is_old_fades_and_what_is_new_shows() {
        let mut sizes = Histogram::default();
        sizes.read(s(0));
        (0..1000).for_each(|_| sizes.record(10));
        assert_eq!(sizes.read(s(1)).quantiles, [10.0; 6]);
        // Ten minutes later a tenth as many values of another size are all that counts at the median.
        sizes.read(s(600));
        (0..100).for_each(|_| sizes.record(15));
        let reading = sizes.read(s(601));
        assert_eq!((reading.quantiles[0], reading.min), (15.0, 10.0));
    }

    #[test]
    fn a_week_does_not_overflow() {
        let mut sizes = Histogram::default();
        for hour in 0..168 {
            sizes.record(7);
            let reading = sizes.read(s(hour * 3600));
            assert_eq!(reading.quantiles, [7.0; 6], "hour {hour}");
        }
        sizes.record(u64::MAX);
        assert_eq!(sizes.read(s(168 * 3600)).max, VALUE_MAX as f64);
        assert!(sizes.buckets.len() <= 1024);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_and_they_ascend(value in 0u64..VALUE_MAX, step in 1u64..1000) {
            let middle = middle(bucket(value));
            prop_assert!((middle - value as f64).abs() <= value as f64 / 16.0);
            prop_assert!(bucket(value + step) >= bucket(value));
        }
    }
}
