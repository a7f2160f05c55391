//! The broker behind its sockets: one file per API, and the state machine that they share. Synchronous throughout.
//!
//! May know everything below it (protocol, metadata, quorum, replica, group). Knows no socket, no thread, no clock and no other broker:
//! what it wants sent lies in an [`context::Outbox`], and time is told to it.

pub mod api_versions;
pub mod auto_create;
mod broker;
pub mod context;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_quorum;
pub mod describe_topic_partitions;
mod endpoints;
pub mod init_producer_id;
pub mod lifecycle;
pub mod metadata;
pub mod metrics;
pub mod peer;
pub mod peer_requests;

pub use broker::Broker;
