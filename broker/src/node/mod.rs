//! A broker or a controller as one OS thread with one current-thread tokio runtime: sockets, timers, and the way to stop, kill or pause
//! it. All decisions are made by the synchronous cores (`server::Broker`, [`controller::Controller`]); this room moves bytes and tells
//! the time. It knows no fault and no other node: the network and the disk are handed in.

mod admission;
mod arrival;
mod broker_node;
mod client_line;
mod connection;
pub mod controller;
mod controller_error;
mod controller_log;
#[cfg(test)]
mod controller_log_tests;
mod controller_metrics;
#[cfg(test)]
mod controller_metrics_tests;
mod controller_node;
mod controller_requests;
#[cfg(test)]
mod controller_tests;
mod controller_times;
mod controller_voters;
#[cfg(test)]
mod controller_voters_tests;
mod handle;
mod idle;
mod outlet;
mod process_io;
mod readiness;
mod scrub;
mod slow_line;

pub use client_line::{ClientLine, Way};
pub use handle::{Exit, NodeHandle, NodeSetup, Role};
pub use readiness::Readiness;
pub use scrub::ScrubDesk;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::log::RealDisk;
use crate::log::disk::Disk;
use crate::server::peer::PeerMessage;
use crate::types::{NodeId, Now};

/// What carries a node's messages to others. Sending never waits: what cannot be carried is lost, as on a wire.
pub trait Network: Send + Sync {
    /// Sends `message` to node `to`.
    fn send(&self, to: NodeId, message: PeerMessage);
    /// The node has ended: its connections are closed, if nobody took the network from it before.
    fn hang_up(&self);
}

/// A node's disk, which can be taken from it.
pub trait NodeDisk: Disk {
    /// From now on every change through this disk fails: a node that was killed writes no more, whatever of it still runs.
    fn fence(&self);
}

impl NodeDisk for RealDisk {
    fn fence(&self) {
        RealDisk::fence(self);
    }
}

/// How many messages may wait for a node; what comes on top is lost, as from a full socket buffer.
pub const INBOX_MAX: usize = 8_192;

/// A message that is there.
#[derive(Debug)]
pub struct Delivered {
    /// Who sent it.
    pub from: NodeId,
    /// Since when it waits for the node's thread, on the [`stopwatch`].
    pub arrived: Duration,
    /// What.
    pub message: PeerMessage,
}

/// What waits for a node.
pub type Inbox = tokio::sync::mpsc::Receiver<Delivered>;

/// Time as it goes by while a core works.
pub fn stopwatch() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed()
}

/// A node's clock: monotonic time since the cluster's start (tokio's, so that tests may pause it), and wall-clock time, which may be wrong.
/// Clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    start: tokio::time::Instant,
    skew_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { start: tokio::time::Instant::now(), skew_ms: Arc::default() }
    }

    /// Another node's clock: the same monotonic time, a wall clock of its own.
    pub fn another(&self) -> Clock {
        Clock { start: self.start, skew_ms: Arc::default() }
    }

    /// Sets by how much the wall clock is ahead (or behind, if negative).
    pub fn set_skew_ms(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// The time.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { mono: self.start.elapsed(), wall_ms: wall.as_millis() as i64 + self.skew_ms.load(Ordering::Relaxed) }
    }

    /// The instant at which `mono` is reached.
    pub fn instant(&self, mono: Duration) -> tokio::time::Instant {
        self.start + mono
    }
}
