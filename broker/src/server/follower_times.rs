//! How long followers' fetches take: each follower has one under way at most. It is passed in memory, so that no part of it is read or written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::request_metrics::Answered;
use super::request_times::Stations;
use crate::protocol::Api;
use crate::types::NodeId;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FollowerTimes {
    by_follower: BTreeMap<NodeId, (u64, Answered, Stations)>,
}

impl FollowerTimes {
    /// A follower's fetch of so many bytes, as it would be written, which is here since `arrived`, is taken up at `begun`.
    pub(super) fn begin(
        &mut self,
        from: NodeId,
        correlation: u64,
        size_bytes: usize,
        (arrived, begun): (Duration, Duration),
    ) {
        let (api, version) = (Api::Fetch, Api::Fetch.max_version());
        let answered = Answered { api, version, size_bytes, muted_for: Duration::ZERO };
        // It has not turned to something else until it says so.
        let stations = Stations { arrived, begun, worked: Duration::MAX, ..Stations::default() };
        self.by_follower.insert(from, (correlation, answered, stations));
    }

    /// What could be done for it at once is done.
    pub(super) fn worked(&mut self, from: NodeId, at: Duration) {
        if let Some((_, _, stations)) = self.by_follower.get_mut(&from) {
            stations.worked = at;
        }
    }

    /// It is answered.
    pub(super) fn end(&mut self, to: NodeId, correlation: u64, at: Duration) -> Option<(Answered, Stations)> {
        let (_, answered, stations) = match self.by_follower.get(&to) {
            Some((number, ..)) if *number == correlation => self.by_follower.remove(&to)?,
            _ => return None,
        };
        Some((answered, Stations { answered: at, taken: at, sent: at, ..stations }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_waits_is_remote_and_what_is_answered_at_once_is_local() {
        let mut times = FollowerTimes::default();
        times.begin(2, 7, 50, (ms(4), ms(10)));
        times.worked(2, ms(11));
        assert!(times.end(2, 6, ms(500)).is_none(), "an answer to an earlier one");
        let (answered, stations) = times.end(2, 7, ms(511)).unwrap();
        assert_eq!((answered.size_bytes, stations.parts().local, stations.parts().remote), (50, ms(1), ms(500)));
        assert_eq!(stations.parts().request_queue, ms(6));
        times.begin(2, 8, 50, (ms(600), ms(600)));
        let (_, stations) = times.end(2, 8, ms(603)).unwrap();
        assert_eq!((stations.parts().local, stations.parts().remote), (ms(3), ms(0)));
        assert!(times.end(2, 8, ms(604)).is_none());
    }
}
