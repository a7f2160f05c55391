//! A real, Kafka-wire-compatible, multi-broker cluster inside one process.
//!
//! The rooms stand in the order of what they may know: each imports only rooms above it in this list. A test
//! (`tests/tests/layering.rs`) checks that order.

pub mod recorded;

pub mod types;

pub mod planted;

pub mod metrics;

pub mod logging;

pub mod records;

pub mod log;

pub mod protocol;

pub mod metadata;

pub mod quota;

pub mod telemetry;

pub mod quorum;

pub mod controller;

pub mod replica;

pub mod group;
/// Transaction coordinator.
pub mod transaction;

pub mod share_state;

pub mod share;

pub mod server;

pub mod node;

pub mod fault;

pub mod cluster;
