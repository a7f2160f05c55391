//! A rate over sampled windows. A window begins with the first record in it, so that gaps count.

/// How many windows there are, and how long each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// `quota.window.num`, at least 1.
    pub count: u64,
    /// `quota.window.size.seconds`, in ms.
    pub size_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    started_ms: u64,
    last_ms: u64,
    value: f64,
}

/// What was recorded, by windows.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: Vec<Sample>,
    current: usize,
}

impl Rate {
    /// Adds `value` at `now_ms`; a negative one takes back.
    pub fn record(&mut self, windows: Windows, value: f64, now_ms: u64) {
        let fresh = Sample { started_ms: now_ms, last_ms: now_ms, value: 0.0 };
        if self.samples.is_empty() {
            self.samples.push(fresh);
        }
        if now_ms.saturating_sub(self.samples[self.current].started_ms) >= windows.size_ms {
            // One more than there are windows: the oldest may overlap with what is looked at.
            self.current = (self.current + 1) % (usize::try_from(windows.count).unwrap_or(usize::MAX - 1) + 1);
            match self.samples.get_mut(self.current) {
                Some(sample) => *sample = fresh,
                None => self.samples.push(fresh),
            }
        }
        let sample = &mut self.samples[self.current];
        sample.value += value;
        sample.last_ms = now_ms;
    }

    fn forget_old(&mut self, windows: Windows, now_ms: u64) {
        let age_max = windows.count.saturating_mul(windows.size_ms);
        for sample in &mut self.samples {
            if now_ms.saturating_sub(sample.last_ms) >= age_max {
                *sample = Sample { started_ms: now_ms, last_ms: now_ms, value: 0.0 };
            }
        }
    }

    /// The time that the rate is taken over, ms: all windows but one, and what there is of the last.
    pub fn span_ms(&mut self, windows: Windows, now_ms: u64) -> u64 {
        self.forget_old(windows, now_ms);
        let oldest_ms = self.samples.iter().map(|sample| sample.started_ms).min().unwrap_or(now_ms);
        let elapsed_ms = now_ms.saturating_sub(oldest_ms);
        let missing = windows.count.saturating_sub(1).saturating_sub(elapsed_ms / windows.size_ms.max(1));
        (elapsed_ms + missing.saturating_mul(windows.size_ms)).max(1)
    }

    /// Per second.
    pub fn measure(&mut self, windows: Windows, now_ms: u64) -> f64 {
        self.forget_old(windows, now_ms);
        let sum: f64 = self.samples.iter().map(|sample| sample.value).sum();
        sum / (self.span_ms(windows, now_ms) as f64 / 1000.0)
    }

    /// How long nothing must be recorded for the rate to come down to `limit`, ms: (rate - limit) / limit × span. 0: it is not above.
    pub fn throttle_time_ms(&mut self, windows: Windows, limit: f64, now_ms: u64) -> i32 {
        let rate = self.measure(windows, now_ms);
        if rate <= limit {
            return 0;
        }
        let time_ms = (rate - limit) / limit * self.span_ms(windows, now_ms) as f64;
        // As Math.round; what has no number is 0.
        (time_ms + 0.5).floor() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: Windows = Windows { count: 11, size_ms: 1000 };

    #[test]
    fn windows_that_are_not_there_yet_count_as_empty() {
        let mut rate = Rate::default();
        rate.record(WINDOWS, 1000.0, 5000);
        assert_eq!(rate.span_ms(WINDOWS, 5000), 10_000);
        assert_eq!(rate.measure(WINDOWS, 5000), 100.0);
        assert_eq!(rate.span_ms(WINDOWS, 5500), 10_500);
        // 20 kB at 1 kB/s: 20 s, of which ten have passed already.
        rate.record(WINDOWS, 19_000.0, 5000);
        assert_eq!(rate.throttle_time_ms(WINDOWS, 1000.0, 5000), 10_000);
        assert_eq!(rate.throttle_time_ms(WINDOWS, 2000.0, 5000), 0);
    }

    #[test]
    fn what_is_older_than_all_windows_is_forgotten() {
        let mut rate = Rate::default();
        rate.record(WINDOWS, 1000.0, 0);
        rate.record(WINDOWS, 100.0, 5000);
        assert_eq!(rate.measure(WINDOWS, 10_000), 110.0);
        // The first window's last record is eleven windows old.
        assert_eq!(rate.measure(WINDOWS, 11_000), 10.0);
        assert_eq!(rate.measure(WINDOWS, 16_000), 0.0);
    }

    #[test]
    fn what_is_recorded_in_step_is_measured_as_it_was() {
        let mut rate = Rate::default();
        for step in 0..200 {
            rate.record(WINDOWS, 50.0, step * 100);
        }
        let measured = rate.measure(WINDOWS, 20_000);
        assert!((490.0..=510.0).contains(&measured), "{measured}");
        assert!(rate.samples.len() <= 12);
    }

    #[test]
    fn what_is_taken_back_never_was() {
        let mut rate = Rate::default();
        rate.record(WINDOWS, 700.0, 0);
        rate.record(WINDOWS, -700.0, 0);
        assert_eq!(rate.measure(WINDOWS, 0), 0.0);
        assert_eq!(rate.throttle_time_ms(WINDOWS, f64::NAN, 0), 0);
    }
}
