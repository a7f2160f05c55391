//! A broker or a controller as one OS thread with one current-thread tokio runtime: sockets, timers, and the way to stop, kill or pause
//! it. All decisions are made by the synchronous cores (`server::Broker`, [`controller::Controller`]); this room moves bytes and tells
//! the time. It knows no fault and no other node: the network and the disk are handed in.

mod admission;
mod broker_node;
mod connection;
pub mod controller;
mod controller_node;
mod controller_requests;
#[cfg(test)]
mod controller_tests;
mod handle;
mod outlet;
mod readiness;
mod scrub;

pub use handle::{Exit, NodeHandle, NodeSetup, Role};
pub use readiness::Readiness;
pub use scrub::ScrubDesk;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::server::peer::PeerMessage;
use crate::types::{NodeId, Now};

/// What carries messages between nodes. Sending never waits: what cannot be carried is lost, as on a wire.
pub trait Network: Send + Sync {
    /// Sends `message` to node `to`.
    fn send(&self, from: NodeId, to: NodeId, message: PeerMessage);
}

/// How many messages may wait for a node; what comes on top is lost, as from a full socket buffer.
pub const INBOX_MAX: usize = 8_192;

/// What waits for a node: who sent it, and what.
pub type Inbox = tokio::sync::mpsc::Receiver<(NodeId, PeerMessage)>;

/// A node's clock: monotonic time since the cluster's start (tokio's, so that tests may pause it), and wall-clock time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { start: tokio::time::Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { mono: self.start.elapsed(), wall_ms: wall.as_millis() as i64 }
    }

    /// The instant at which `mono` is reached.
    pub fn instant(&self, mono: Duration) -> tokio::time::Instant {
        self.start + mono
    }
}
