//! How long it takes to answer what other nodes ask, this one itself included. Followers' fetches are in `follower_times`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::peer_costs::Asked;
use super::request_times::Stations;
use crate::types::NodeId;

/// Questions that may be open at once. More are answered as well, and not measured.
const OPEN_MAX: usize = 10_000;

/// One that is open for longer will not be answered: its asker is gone.
const FORGET_AFTER: Duration = Duration::from_secs(120);

/// See the module. `Key` names a question among those of one asker.
#[derive(Debug)]
pub struct PeerTimes<Key> {
    open: BTreeMap<(NodeId, Key), (Asked, Stations)>,
}

impl<Key: Ord> Default for PeerTimes<Key> {
    fn default() -> PeerTimes<Key> {
        PeerTimes { open: BTreeMap::new() }
    }
}

impl<Key: Ord> PeerTimes<Key> {
    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A question, which is here since `arrived`, is taken up at `begun`.
    pub fn begin(&mut self, from: NodeId, key: Key, asked: Asked, (arrived, begun): (Duration, Duration)) {
        if self.open.len() >= OPEN_MAX {
            self.open.retain(|_, (_, stations)| begun.saturating_sub(stations.begun) < FORGET_AFTER);
        }
        if self.open.len() < OPEN_MAX {
            // It has not turned to something else until it says so.
            let stations = Stations { arrived, begun, worked: Duration::MAX, ..Stations::default() };
            self.open.insert((from, key), (asked, stations));
        }
    }

    /// What could be done for it at once is done.
    pub fn worked(&mut self, from: NodeId, key: Key, at: Duration) {
        if let Some((_, stations)) = self.open.get_mut(&(from, key)) {
            stations.worked = at;
        }
    }

    /// It is answered.
    pub fn end(&mut self, to: NodeId, key: Key, at: Duration) -> Option<(Asked, Stations)> {
        let (asked, stations) = self.open.remove(&(to, key))?;
        Some((asked, Stations { answered: at, taken: at, sent: at, ..stations }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn askers_that_are_gone_do_not_keep_others_from_being_measured() {
        let asked = Asked { name: "WriteTxnMarkers", version: 1, size_bytes: 10 };
        let mut times = PeerTimes::default();
        for number in 0..OPEN_MAX as u64 + 5 {
            times.begin(2, number, asked, (seconds(1), seconds(1)));
        }
        assert!(times.end(2, OPEN_MAX as u64, seconds(2)).is_none(), "there was no room");
        times.begin(3, 1, asked, (seconds(198), seconds(200)));
        times.worked(3, 1, seconds(201));
        let (ended, stations) = times.end(3, 1, seconds(205)).unwrap();
        assert_eq!((ended, stations.parts().request_queue), (asked, seconds(2)));
        assert_eq!((stations.parts().local, stations.parts().remote), (seconds(1), seconds(4)));
        assert!(times.is_empty(), "all others were too old");
    }
}
