//! What happened in the last half minute or so.

use std::time::Duration;

/// Length of a window; the one before counts too.
const WINDOW: Duration = Duration::from_secs(30);

/// Count, sum and greatest of what was recorded in the present window of 30 s and the one before, and totals of the whole life.
///
/// Windows end when it is read, which nodes do once a second.
///
/// Source: `org.apache.kafka.common.metrics.stats.{Rate, Avg, Max}` with the default two samples of 30 s.
#[derive(Clone, Debug, Default)]
pub struct Windowed {
    total: f64,
    count: u64,
    before: Window,
    present: Window,
    began: Option<Duration>,
    rate_s: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    count: u64,
    sum: f64,
    greatest: Option<f64>,
}

impl Window {
    fn record(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.greatest = Some(self.greatest.map_or(value, |greatest| greatest.max(value)));
    }
}

impl Windowed {
    /// Something happened once.
    pub fn once(&mut self) {
        self.record(1.0);
    }

    /// A value was seen.
    pub fn record(&mut self, value: f64) {
        self.total += value;
        self.count += 1;
        self.present.record(value);
    }

    /// So many values were seen, which make so much together; none of them is taken for the greatest.
    pub fn record_many(&mut self, count: u64, sum: f64) {
        self.total += sum;
        self.count += count;
        self.present.count += count;
        self.present.sum += sum;
    }

    /// Ends windows that are over, before its values are read.
    pub fn turn(&mut self, now: Duration) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_sub(began);
        if age >= WINDOW * 2 {
            self.before = Window::default();
            self.present = Window::default();
            self.began = Some(now);
        } else if age >= WINDOW {
            self.before = std::mem::take(&mut self.present);
            self.began = Some(began + WINDOW);
        }
        let age = now.saturating_sub(self.began.unwrap_or(now));
        // As Kafka, which counts a window that has not been yet as full, so that a first value is not taken for a high rate.
        self.rate_s = (WINDOW + age).as_secs_f64();
    }

    /// Sum of all values ever recorded.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// How many values were ever recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values recorded per second.
    pub fn rate(&self) -> f64 {
        self.per_s((self.before.count + self.present.count) as f64)
    }

    /// Sum of the values per second.
    pub fn sum_rate(&self) -> f64 {
        self.per_s(self.before.sum + self.present.sum)
    }

    /// Mean of the values; NaN without any, as Kafka has it.
    pub fn average(&self) -> f64 {
        (self.before.sum + self.present.sum) / (self.before.count + self.present.count) as f64
    }

    /// The greatest value; NaN without any.
    pub fn max(&self) -> f64 {
        let greatest = [self.before.greatest, self.present.greatest].into_iter().flatten().reduce(f64::max);
        greatest.unwrap_or(f64::NAN)
    }

    /// The time that rates are taken over, s.
    pub fn span_s(&self) -> f64 {
        self.rate_s
    }

    fn per_s(&self, sum: f64) -> f64 {
        if self.rate_s > 0.0 { sum / self.rate_s } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_no_number_but_a_rate_of_zero() {
        let mut windowed = Windowed::default();
        windowed.turn(s(5));
        assert!(windowed.average().is_nan() && windowed.max().is_nan());
        assert_eq!((windowed.rate(), windowed.sum_rate(), windowed.total()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn two_windows_count() {
        let mut windowed = Windowed::default();
        windowed.turn(s(0));
        (0..30).for_each(|_| windowed.record(4.0));
        windowed.record(9.0);
        windowed.turn(s(30));
        assert_eq!((windowed.max(), windowed.count(), windowed.total()), (9.0, 31, 129.0));
        assert!((windowed.rate() - 31.0 / 30.0).abs() < 1e-9);
        windowed.record(1.0);
        windowed.turn(s(45));
        assert!((windowed.sum_rate() - 130.0 / 45.0).abs() < 1e-9);
        // The first window is over now; what came after counts still.
        windowed.turn(s(60));
        assert_eq!((windowed.max(), windowed.average()), (1.0, 1.0));
        windowed.turn(s(500));
        assert_eq!((windowed.rate(), windowed.count()), (0.0, 32));
    }
}
