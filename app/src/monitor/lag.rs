//! Lag in time: how long ago did the log end stand where a group is now?
//!
//! A short history of (time, high watermark) per partition answers it, by interpolation between two points.

use std::collections::VecDeque;

/// Points kept per partition. When full, every other point of the older half goes: recent history stays sharp, old history stays.
const POINTS_KEPT: usize = 96;

/// The log end of one partition over time.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: VecDeque<Point>,
}

/// The high watermark stood at `offset` from `first_ms` to `last_ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    offset: i64,
    first_ms: i64,
    last_ms: i64,
}

impl History {
    /// Notes where the high watermark stands.
    pub fn note(&mut self, at_ms: i64, high_watermark: i64) {
        if self.points.back().is_some_and(|last| at_ms < last.last_ms) {
            // The clock was set back: what came before says nothing now.
            self.points.clear();
        }
        // A new leader may know less for a moment, or the log was cut back: what is below stays.
        while self.points.back().is_some_and(|last| high_watermark < last.offset) {
            self.points.pop_back();
        }
        match self.points.back_mut() {
            Some(last) if last.offset == high_watermark => last.last_ms = at_ms,
            _ => {
                if self.points.len() == POINTS_KEPT {
                    self.thin_out();
                }
                self.points.push_back(Point { offset: high_watermark, first_ms: at_ms, last_ms: at_ms });
            }
        }
    }

    /// Whether nothing was noted yet.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// How long ago the high watermark, which is at `high_watermark` now, left `offset`; `None`: that was before this history began.
    pub fn age_ms(&self, now_ms: i64, offset: i64, high_watermark: i64) -> Option<i64> {
        if offset >= high_watermark {
            return Some(0);
        }
        let later = self.points.partition_point(|point| point.offset <= offset);
        let before = self.points.get(later.checked_sub(1)?)?;
        // What came since the last point is in no point yet.
        let newest = Point { offset: high_watermark, first_ms: now_ms.max(before.last_ms), last_ms: now_ms };
        let after = self.points.get(later).unwrap_or(&newest);
        let part = (offset - before.offset) as f64 / (after.offset - before.offset) as f64;
        let left_ms = before.last_ms + (part * (after.first_ms - before.last_ms) as f64) as i64;
        Some((now_ms - left_ms).max(0))
    }

    fn thin_out(&mut self) {
        let mut index = 0;
        let half = self.points.len() / 2;
        self.points.retain(|_| {
            index += 1;
            index > half || index % 2 == 1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(points: &[(i64, i64)]) -> History {
        let mut history = History::default();
        for (at_ms, high_watermark) in points {
            history.note(*at_ms, *high_watermark);
        }
        history
    }

    #[test]
    fn age_table() {
        // (points, now, offset, age)
        let steady: &[(i64, i64)] = &[(1000, 0), (2000, 100), (3000, 200)];
        let idle_then_burst: &[(i64, i64)] = &[(1000, 100), (60_000, 100), (61_000, 200)];
        for (points, now_ms, offset, expected) in [
            (steady, 3000, 200, Some(0)),
            (steady, 3000, 100, Some(1000)),
            (steady, 3500, 150, Some(1000)),
            (steady, 3000, 0, Some(2000)),
            (steady, 3000, -1, None),
            (idle_then_burst, 61_000, 100, Some(1000)),
            (idle_then_burst, 61_000, 99, None),
            (&[], 1000, 5, Some(0)),
        ] {
            let end = points.last().map_or(5, |(_, end)| *end);
            assert_eq!(history(points).age_ms(now_ms, offset, end), expected, "{points:?} {offset}");
        }
    }

    #[test]
    fn what_came_since_the_last_point_counts_too() {
        let steady = history(&[(1000, 0), (2000, 100)]);
        assert_eq!(steady.age_ms(2500, 100, 150), Some(500));
        assert_eq!(steady.age_ms(2500, 125, 150), Some(250));
        assert_eq!(steady.age_ms(2500, 150, 150), Some(0));
        assert_eq!(history(&[]).age_ms(2500, 1, 150), None);
    }

    #[test]
    fn a_log_cut_back_keeps_what_is_below() {
        let cut = history(&[(1000, 0), (2000, 100), (3000, 50), (4000, 60)]);
        assert_eq!(cut.age_ms(4000, 50, 60), Some(1000));
        assert_eq!(cut.age_ms(4000, 25, 60), Some(2000));
        let anew = history(&[(1000, 10), (2000, 100), (3000, 0), (4000, 60)]);
        assert_eq!(anew.age_ms(4000, 30, 60), Some(500));
        let set_back = history(&[(1000, 0), (2000, 100), (1500, 150)]);
        assert_eq!(set_back.age_ms(1500, 100, 150), None);
    }

    #[test]
    fn history_is_bounded_and_keeps_its_beginning() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.note(second * 1000, second * 10);
        }
        assert!(history.points.len() <= POINTS_KEPT);
        let age_ms = history.age_ms(9_999_000, 99_000, 99_990).unwrap();
        assert!((age_ms - 99_000).abs() < 2000, "{age_ms}");
        assert!(history.age_ms(9_999_000, 0, 99_990).is_some());
    }
}
