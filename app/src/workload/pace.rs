//! How many records are due: a steady rate in small ticks, without a burst after a pause.

use std::time::Duration;

/// What could not be sent for longer than this is not made up for.
const CATCH_UP: Duration = Duration::from_millis(100);

/// The pace of one producer.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    per_s: f64,
    since: Duration,
    due: f64,
}

impl Pace {
    /// `per_s` records a second from `now` on.
    pub fn new(per_s: f64, now: Duration) -> Pace {
        Pace { per_s, since: now, due: 0.0 }
    }

    /// From now on so many a second.
    pub fn set(&mut self, per_s: f64) {
        self.per_s = per_s;
    }

    /// How many records are due now.
    pub fn due(&mut self, now: Duration) -> u64 {
        let passed = now.saturating_sub(self.since);
        self.since = now;
        self.due += self.per_s * passed.as_secs_f64();
        self.due = self.due.min((self.per_s * CATCH_UP.as_secs_f64()).max(1.0));
        self.due as u64
    }

    /// So many were sent.
    pub fn sent(&mut self, records: u64) {
        self.due -= records as f64;
    }

    /// How long until the next record is due, within `tick`.
    pub fn wait(&self, tick: Duration) -> Duration {
        let missing = (1.0 - self.due).max(0.0) / self.per_s;
        // Slow rates need no ticks; a stop must not wait for them, so the caller bounds this.
        Duration::from_secs_f64(missing.min(3600.0)).max(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Ticks every `tick_ms` for a second and counts.
    fn in_a_second(per_s: f64, tick_ms: u64) -> u64 {
        let mut pace = Pace::new(per_s, ms(0));
        (1..=1000 / tick_ms)
            .map(|tick| {
                let due = pace.due(ms(tick * tick_ms));
                pace.sent(due);
                due
            })
            .sum()
    }

    #[test]
    fn the_rate_is_kept_whatever_the_tick() {
        for (per_s, tick_ms) in [(1000.0, 10), (333.0, 10), (7.0, 10), (100_000.0, 20), (1.0, 10)] {
            let sent = in_a_second(per_s, tick_ms);
            assert!((sent as f64 - per_s).abs() <= 1.0, "{per_s} in ticks of {tick_ms}: {sent}");
        }
    }

    #[test]
    fn there_is_no_burst_after_a_pause() {
        let mut pace = Pace::new(1000.0, ms(0));
        assert_eq!(pace.due(ms(60_000)), 100);
        // What the client did not take stays due.
        pace.sent(30);
        assert_eq!(pace.due(ms(60_000)), 70);
    }

    #[test]
    fn another_rate_is_kept_at_once() {
        let mut pace = Pace::new(1000.0, ms(0));
        let due = pace.due(ms(50));
        pace.sent(due);
        pace.set(4000.0);
        assert_eq!(pace.due(ms(100)), 200);
        pace.set(10.0);
        assert_eq!(pace.due(ms(110)), 1, "what was due at the old rate is not made up for");
    }

    #[test]
    fn slow_rates_wait_longer() {
        let mut pace = Pace::new(2.0, ms(0));
        assert_eq!(pace.due(ms(1)), 0);
        assert!(pace.wait(ms(10)) > ms(400));
        assert_eq!(Pace::new(100_000.0, ms(0)).wait(ms(10)), ms(10));
    }
}
