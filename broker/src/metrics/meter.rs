//! A count, and how fast it grows.

use borsh::{BorshDeserialize, BorshSerialize};
use std::time::Duration;

/// How often the weighted averages move.
const TICK_S: f64 = 5.0;
const TICK: Duration = Duration::from_secs(5);

/// After so many silent ticks the averages are nothing: no need to count on.
const TICKS_MAX: u128 = 1_000;

/// Counts, and averages the rate over the whole life and, weighted exponentially, over the last 1, 5 and 15 minutes, as `top` averages the load.
///
/// What is counted between two readings is taken to have come before the second; nodes read once a second, the averages move every five.
///
/// Source: `com.yammer.metrics.core.Meter`.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    count: u64,
    /// Counted since the averages last moved.
    since_tick: u64,
    /// Per second; `None` before the first tick.
    averages: Option<[f64; 3]>,
    started: Option<Duration>,
    ticked: Duration,
}

/// What a meter shows. Rates are per second.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct MeterReading {
    /// All that was counted.
    pub count: u64,
    /// Over the whole life.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub mean_rate: f64,
    /// Weighted, over about a minute.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub one_minute_rate: f64,
    /// Weighted, over about five minutes.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub five_minute_rate: f64,
    /// Weighted, over about fifteen minutes.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub fifteen_minute_rate: f64,
}

impl Meter {
    /// So many more.
    pub fn mark(&mut self, count: u64) {
        self.count += count;
        self.since_tick += count;
    }

    /// All that was counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Per second, weighted over about a minute, as it was last read.
    pub fn one_minute_rate(&self) -> f64 {
        self.averages.map_or(0.0, |[one, ..]| one)
    }

    /// Reads it. Its life begins at `previous`, when its owner was read before it was there (a meter is made by its first mark).
    pub fn read(&mut self, now: Duration, previous: Duration) -> MeterReading {
        let started = *self.started.get_or_insert(previous);
        if self.averages.is_none() && self.ticked < started {
            self.ticked = started;
        }
        self.tick(now);
        let life_s = now.saturating_sub(started).as_secs_f64();
        let [one, five, fifteen] = self.averages.unwrap_or_default();
        MeterReading {
            count: self.count,
            mean_rate: if life_s > 0.0 { self.count as f64 / life_s } else { 0.0 },
            one_minute_rate: one,
            five_minute_rate: five,
            fifteen_minute_rate: fifteen,
        }
    }

    fn tick(&mut self, now: Duration) {
        let ticks = now.saturating_sub(self.ticked).as_nanos() / TICK.as_nanos();
        if ticks == 0 {
            return;
        }
        for _ in 0..ticks.min(TICKS_MAX) {
            let rate = std::mem::take(&mut self.since_tick) as f64 / TICK_S;
            self.averages = Some(match self.averages {
                None => [rate; 3],
                Some(averages) => {
                    let mut minutes = [1.0, 5.0, 15.0].into_iter();
                    averages.map(|average| {
                        let weight = 1.0 - (-TICK_S / 60.0 / minutes.next().unwrap_or(1.0)).exp();
                        average + weight * (rate - average)
                    })
                }
            });
        }
        self.ticked += TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn played(per_s: impl Fn(u64) -> u64, seconds: u64) -> MeterReading {
        let mut meter = Meter::default();
        let mut reading = meter.read(s(100), s(100));
        for second in 1..=seconds {
            meter.mark(per_s(second));
            reading = meter.read(s(100 + second), s(99 + second));
        }
        reading
    }

    #[test]
    fn a_steady_rate_is_told_by_all_averages() {
        let reading = played(|_| 40, 600);
        assert_eq!((reading.count, reading.mean_rate), (24_000, 40.0));
        for rate in [reading.one_minute_rate, reading.five_minute_rate, reading.fifteen_minute_rate] {
            assert!((rate - 40.0).abs() < 1e-9, "{reading:?}");
        }
    }

    #[test]
    fn averages_follow_as_far_as_their_minutes_say() {
        // A minute of silence leaves 1/e of the average over one minute.
        let reading = played(|second| if second <= 300 { 100 } else { 0 }, 360);
        assert!((reading.one_minute_rate - 100.0 / std::f64::consts::E).abs() < 0.01, "{reading:?}");
        assert!((reading.five_minute_rate - 100.0 * (-0.2f64).exp()).abs() < 0.01, "{reading:?}");
        assert!((reading.fifteen_minute_rate - 100.0 * (-1.0f64 / 15.0).exp()).abs() < 0.01, "{reading:?}");
    }

    #[test]
    fn a_meter_made_by_its_first_mark_lives_since_the_reading_before() {
        let mut meter = Meter::default();
        meter.mark(10);
        assert_eq!(meter.read(s(51), s(50)).mean_rate, 10.0);
        assert_eq!(meter.read(s(54), s(53)).one_minute_rate, 0.0, "no tick yet");
        assert_eq!(meter.read(s(55), s(54)).one_minute_rate, 2.0, "the first tick is the average");
    }

    #[test]
    fn long_silence_costs_nothing() {
        let mut meter = Meter::default();
        meter.mark(1_000_000);
        meter.read(s(5), s(0));
        let reading = meter.read(s(1 << 40), s(5));
        assert_eq!(reading.count, 1_000_000);
        assert!(reading.one_minute_rate < 1e-9);
    }
}
