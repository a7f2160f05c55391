//! The course of a workload: what each second had.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counts::Counts;
use crate::monitor::workload::{WORKLOAD_POINTS_KEPT, WorkloadPoint};

const SECOND: Duration = Duration::from_secs(1);

/// The last seconds of a workload.
#[derive(Debug)]
pub struct Course {
    points: Arc<VecDeque<WorkloadPoint>>,
    last: (Instant, [u64; 3]),
}

impl Course {
    /// From now on.
    pub fn new(now: Instant) -> Course {
        Course { points: Arc::default(), last: (now, [0; 3]) }
    }

    /// All points.
    pub fn points(&self) -> &Arc<VecDeque<WorkloadPoint>> {
        &self.points
    }

    /// The newest; nothing but zeros before the first second is over.
    pub fn newest(&self) -> WorkloadPoint {
        self.points.back().copied().unwrap_or_default()
    }

    /// Notes what the last second had, if it is over.
    pub fn note(&mut self, counts: &Counts, now: Instant) {
        let (since, before) = self.last;
        let passed = now.saturating_duration_since(since);
        if passed < SECOND {
            return;
        }
        let totals = [counts.sent.get(), counts.acked.get(), counts.read.get()];
        let per_s = |index: usize| totals[index].saturating_sub(before[index]) as f64 / passed.as_secs_f64();
        let (ack_p50_ms, ack_p99_ms) = counts.acks().window.turn();
        let (end_to_end_p50_ms, end_to_end_p99_ms) = counts.end_to_end().turn();
        let points = Arc::make_mut(&mut self.points);
        points.push_back(WorkloadPoint {
            at_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64),
            sent_per_s: per_s(0),
            acked_per_s: per_s(1),
            read_per_s: per_s(2),
            ack_p50_ms,
            ack_p99_ms,
            end_to_end_p50_ms,
            end_to_end_p99_ms,
        });
        if points.len() > WORKLOAD_POINTS_KEPT {
            points.pop_front();
        }
        self.last = (now, totals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_time_that_passed() {
        let began = Instant::now();
        let mut course = Course::new(began);
        let counts = Counts::default();
        counts.sent.add(3_000);
        counts.read.add(500);
        course.note(&counts, began + SECOND / 2);
        assert_eq!(course.points().len(), 0, "the second is not over");
        course.note(&counts, began + 2 * SECOND);
        let point = course.newest();
        assert_eq!((point.sent_per_s, point.acked_per_s, point.read_per_s), (1_500.0, 0.0, 250.0));
        assert!(point.ack_p50_ms.is_nan());
        (3..1_000).for_each(|second| course.note(&counts, began + second * SECOND));
        assert_eq!(course.points().len(), WORKLOAD_POINTS_KEPT);
        assert_eq!(course.newest().sent_per_s, 0.0);
    }
}
