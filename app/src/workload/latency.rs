//! How long records took, over the last seconds: one histogram a second, the oldest of which is used anew.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::monitor::workload::Latency;

/// Seconds that percentiles look back.
const WINDOW_S: usize = 10;
/// From a microsecond to ten minutes, told with two digits.
const MAX_US: u64 = 600_000_000;
const DIGITS: u8 = 2;

/// Latencies of the last seconds.
#[derive(Debug)]
pub struct Window {
    slots: Vec<Histogram<u32>>,
    now: usize,
}

impl Default for Window {
    fn default() -> Window {
        Window { slots: (0..WINDOW_S).map(|_| histogram()).collect(), now: 0 }
    }
}

fn histogram() -> Histogram<u32> {
    // These bounds are fine: the highest is more than twice the lowest, and there are at most five digits.
    Histogram::new_with_bounds(1, MAX_US, DIGITS).expect("bounds")
}

impl Window {
    /// One record took so long.
    pub fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(MAX_US).clamp(1, MAX_US);
        self.slots[self.now].saturating_record(us);
    }

    /// A second is over: what it had, median and 99 of 100 in ms; NaN where nothing was measured.
    pub fn turn(&mut self) -> (f64, f64) {
        let over = &self.slots[self.now];
        let told = if over.is_empty() { (f64::NAN, f64::NAN) } else { (at(over, 0.5), at(over, 0.99)) };
        self.now = (self.now + 1) % self.slots.len();
        self.slots[self.now].reset();
        told
    }

    /// Of all seconds that are kept.
    pub fn latency(&self) -> Latency {
        let mut all = histogram();
        for slot in &self.slots {
            // They have the same bounds.
            let _ = all.add(slot);
        }
        if all.is_empty() {
            return Latency::default();
        }
        Latency {
            count: all.len(),
            p50_ms: at(&all, 0.5),
            p95_ms: at(&all, 0.95),
            p99_ms: at(&all, 0.99),
            max_ms: all.max() as f64 / 1000.0,
        }
    }
}

fn at(histogram: &Histogram<u32>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_measured() {
        let mut window = Window::default();
        (1..=1000).for_each(|ms| window.record(Duration::from_millis(ms)));
        let latency = window.latency();
        let near = |value: f64, expected: f64| (value - expected).abs() <= expected * 0.01;
        assert_eq!(latency.count, 1000);
        assert!(near(latency.p50_ms, 500.0) && near(latency.p95_ms, 950.0), "{latency:?}");
        assert!(near(latency.p99_ms, 990.0) && near(latency.max_ms, 1000.0), "{latency:?}");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        window.record(Duration::from_secs(5));
        let (p50, p99) = window.turn();
        assert!(p50 > 4_900.0 && p99 > 4_900.0);
        assert!(window.turn().0.is_nan());
        (2..WINDOW_S - 1).for_each(|_| _ = window.turn());
        assert_eq!(window.latency().count, 1, "the tenth second");
        window.turn();
        assert_eq!(window.latency(), Latency::default());
    }

    #[test]
    fn what_took_longer_than_can_be_told_is_told_as_that() {
        let mut window = Window::default();
        window.record(Duration::from_secs(100_000));
        assert!(window.latency().max_ms >= MAX_US as f64 / 1000.0 * 0.99);
    }
}
