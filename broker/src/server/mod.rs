//! The broker behind its sockets: one file per API, and the state machine that they share. Synchronous throughout.
//!
//! May know everything below it (protocol, metadata, quorum, replica, group). Knows no socket, no thread, no clock and no other broker:
//! what it wants sent lies in an [`context::Outbox`], and time is told to it.

mod broker;
pub mod context;
pub mod lifecycle;
pub mod metrics;
pub mod peer;
pub mod peer_requests;

pub use broker::Broker;
