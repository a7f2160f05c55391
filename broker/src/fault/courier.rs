//! Carries what is late. Its thread is started with the first late message and ends with the links.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::links::{Direction, Wires};
use super::locked;
use crate::node::INBOX_MAX;
use crate::server::peer::PeerMessage;
use crate::types::NodeId;

/// A message that is to arrive at a time.
pub(super) struct Parcel {
    pub(super) direction: Direction,
    pub(super) message: PeerMessage,
    pub(super) due: Instant,
}

#[derive(Default)]
struct Lanes {
    /// At most [`INBOX_MAX`] messages each, due in the order in which they were sent. No lane is empty.
    lanes: HashMap<Direction, VecDeque<(Instant, PeerMessage)>>,
    at_work: bool,
    closed: bool,
}

struct Shared {
    lanes: Mutex<Lanes>,
    changed: Condvar,
    wires: Arc<Wires>,
}

/// See the module.
pub(super) struct Courier {
    shared: Arc<Shared>,
}

impl Courier {
    pub(super) fn new(wires: Arc<Wires>) -> Courier {
        Courier { shared: Arc::new(Shared { lanes: Mutex::default(), changed: Condvar::new(), wires }) }
    }

    /// Takes a message if it is late, or if others are on their way before it; gives it back if it may pass at once. A full lane, and an
    /// operating system that gives no thread, lose it.
    pub(super) fn take(&self, parcel: Parcel, late: bool) -> Option<Parcel> {
        let mut lanes = locked(&self.shared.lanes);
        if !late && !lanes.lanes.contains_key(&parcel.direction) {
            return Some(parcel);
        }
        if !lanes.at_work {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("late-messages".into()).spawn(move || shared.carry());
            lanes.at_work = thread.is_ok();
            if thread.is_err() {
                return None;
            }
        }
        let lane = lanes.lanes.entry(parcel.direction).or_default();
        if lane.len() < INBOX_MAX {
            let due = lane.back().map_or(parcel.due, |(before, _)| parcel.due.max(*before));
            lane.push_back((due, parcel.message));
            self.shared.changed.notify_one();
        }
        None
    }

    /// Loses what is on its way to or from a node: its connections are gone.
    pub(super) fn forget(&self, node_id: NodeId) {
        locked(&self.shared.lanes).lanes.retain(|(from, to), _| *from != node_id && *to != node_id);
    }

    /// Does something if nothing is on its way.
    pub(super) fn if_idle(&self, act: impl FnOnce()) {
        let lanes = locked(&self.shared.lanes);
        if lanes.lanes.is_empty() {
            act();
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        locked(&self.shared.lanes).closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn carry(&self) {
        let mut lanes = locked(&self.lanes);
        while !lanes.closed {
            let now = Instant::now();
            // Delivered under the lock, so that a message sent meanwhile cannot overtake.
            for direction in lanes.lanes.keys().copied().collect::<Vec<_>>() {
                self.carry_lane(&mut lanes, direction, now);
            }
            if lanes.lanes.is_empty() {
                self.wires.disarm_if_sound();
            }
            let due = lanes.lanes.values().filter_map(|lane| Some(lane.front()?.0)).min();
            let wait = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            lanes = match due {
                None => self.changed.wait(lanes).unwrap_or_else(PoisonError::into_inner),
                Some(_) => self.changed.wait_timeout(lanes, wait).map_or_else(|error| error.into_inner().0, |ok| ok.0),
            };
        }
    }

    fn carry_lane(&self, lanes: &mut Lanes, direction: Direction, now: Instant) {
        let Some(lane) = lanes.lanes.get_mut(&direction) else { return };
        while lane.front().is_some_and(|(due, _)| *due <= now)
            && let Some((_, message)) = lane.pop_front()
        {
            if !self.wires.is_cut(direction) {
                self.wires.deliver(direction, message);
            }
        }
        if lane.is_empty() {
            lanes.lanes.remove(&direction);
        }
    }
}
