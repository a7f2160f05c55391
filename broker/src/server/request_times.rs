//! Where a request's time went: the stations that it passed, and what lies between them.
//!
//! Source: `kafka.network.RequestChannel.Request.updateRequestMetrics`.

use std::time::Duration;

/// When a request passed its stations, on the node's stopwatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stations {
    /// The node saw its last bytes on the socket; another node's request was there.
    pub arrived: Duration,
    /// The thread began to work on it.
    pub begun: Duration,
    /// The thread turned to something else.
    pub worked: Duration,
    /// Its answer was ready.
    pub answered: Duration,
    /// Its answer began to be written.
    pub taken: Duration,
    /// Its answer was written.
    pub sent: Duration,
}

/// The parts of a request's time. They add up to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// It waited for its turn.
    pub request_queue: Duration,
    /// It was worked on.
    pub local: Duration,
    /// It waited for something else.
    pub remote: Duration,
    /// Its answer waited to be written.
    pub response_queue: Duration,
    /// Its answer was written.
    pub response_send: Duration,
}

impl Stations {
    /// What lies between the stations. What was answered while it was worked on has waited for nothing else.
    pub fn parts(&self) -> Parts {
        let begun = self.begun.max(self.arrived);
        let answered = self.answered.max(begun);
        let worked = self.worked.clamp(begun, answered);
        let taken = self.taken.max(answered);
        Parts {
            request_queue: begun - self.arrived,
            local: worked - begun,
            remote: answered - worked,
            response_queue: taken - answered,
            response_send: self.sent.max(taken) - taken,
        }
    }
}

impl Parts {
    /// All of them.
    pub fn total(&self) -> Duration {
        self.request_queue + self.local + self.remote + self.response_queue + self.response_send
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_part_lies_between_its_stations() {
        let long_poll =
            Stations { arrived: ms(1), begun: ms(3), worked: ms(6), answered: ms(106), taken: ms(111), sent: ms(118) };
        let parts = long_poll.parts();
        assert_eq!((parts.request_queue, parts.local, parts.remote), (ms(2), ms(3), ms(100)));
        assert_eq!((parts.response_queue, parts.response_send, parts.total()), (ms(5), ms(7), ms(117)));
        let at_once = Stations { answered: ms(6), worked: ms(6), ..long_poll };
        assert_eq!((at_once.parts().local, at_once.parts().remote), (ms(3), ms(0)));
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_total(gaps in proptest::array::uniform6(0u64..10_000_000)) {
            let points: Vec<Duration> = gaps.iter().scan(Duration::ZERO, |at, gap| {
                *at += Duration::from_nanos(*gap);
                Some(*at)
            }).collect();
            let stations = Stations {
                arrived: points[0], begun: points[1], worked: points[2], answered: points[3], taken: points[4], sent: points[5],
            };
            prop_assert_eq!(stations.parts().total(), points[5] - points[0]);
        }

        #[test]
        fn no_order_of_stations_panics(points in proptest::array::uniform6(0u64..1000)) {
            let [arrived, begun, worked, answered, taken, sent] = points.map(Duration::from_millis);
            let parts = Stations { arrived, begun, worked, answered, taken, sent }.parts();
            prop_assert!(parts.total() <= ms(1000));
        }
    }
}
