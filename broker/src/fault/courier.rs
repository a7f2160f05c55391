//! Carries what is late. Its thread is started with the first late message and ends with the links.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::links::{Direction, Wires};
use super::locked;
use crate::node::{INBOX_MAX, Way};
use crate::server::peer::PeerMessage;
use crate::server::peer_size::wire_bytes;
use crate::types::NodeId;

/// A message that is to arrive at a time.
pub(super) struct Parcel {
    pub(super) direction: Direction,
    pub(super) message: PeerMessage,
    pub(super) due: Instant,
}

#[derive(Default)]
struct Lanes {
    /// No lane is empty.
    lanes: HashMap<Direction, Lane>,
    at_work: bool,
    closed: bool,
}

/// What is on its way in one direction: at most [`INBOX_MAX`] messages, due in the order in which they were sent.
struct Lane {
    waiting: VecDeque<Waiting>,
    /// Nothing narrow was passed later than then.
    free_at: Instant,
    /// When the first arrives.
    next: Instant,
}

struct Waiting {
    due: Instant,
    message: PeerMessage,
    /// Known once it is asked for.
    size_bytes: Option<usize>,
}

impl Lane {
    /// When the first arrives: after its delay, and when a narrow link has passed it.
    fn arrival(&mut self, way: &Way) -> Option<Instant> {
        let first = self.waiting.front_mut()?;
        if way.bytes_per_s.is_none() {
            return Some(first.due);
        }
        let size_bytes = *first.size_bytes.get_or_insert_with(|| wire_bytes(&first.message));
        Some(first.due.max(self.free_at) + way.duration(size_bytes))
    }
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
        let now = Instant::now();
        let empty = || Lane { waiting: VecDeque::new(), free_at: now, next: now };
        let lane = lanes.lanes.entry(parcel.direction).or_insert_with(empty);
        if lane.waiting.len() < INBOX_MAX {
            let due = lane.waiting.back().map_or(parcel.due, |before| parcel.due.max(before.due));
            lane.waiting.push_back(Waiting { due, message: parcel.message, size_bytes: None });
            self.shared.changed.notify_one();
        }
        None
    }

    /// The rules have changed: what waits may arrive at another time.
    pub(super) fn look(&self) {
        // Under the lock, so that whoever carries either sees the rules or is woken.
        let lanes = locked(&self.shared.lanes);
        self.shared.changed.notify_one();
        drop(lanes);
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
            let due = lanes.lanes.values().map(|lane| lane.next).min();
            let wait = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            lanes = match due {
                None => self.changed.wait(lanes).unwrap_or_else(PoisonError::into_inner),
                Some(_) => self.changed.wait_timeout(lanes, wait).map_or_else(|error| error.into_inner().0, |ok| ok.0),
            };
        }
    }

    fn carry_lane(&self, lanes: &mut Lanes, direction: Direction, now: Instant) {
        let Some(lane) = lanes.lanes.get_mut(&direction) else { return };
        let way = self.wires.rule(direction);
        while let Some(at) = lane.arrival(&way) {
            lane.next = at;
            if at > now {
                return;
            }
            lane.free_at = at;
            if let Some(Waiting { message, .. }) = lane.waiting.pop_front()
                && !way.is_cut
            {
                self.wires.deliver(direction, message);
            }
        }
        lanes.lanes.remove(&direction);
    }
}
