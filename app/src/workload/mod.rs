//! Built-in producers and consumers: real Kafka clients (librdkafka) over real TCP, so that there is life to watch and something to break.
//!
//! Knows the monitor's words and the bootstrap servers; nothing of the cluster, the window or HTTP.

pub mod consumer;
pub mod counts;
pub mod pace;
pub mod producer;
pub mod record;
pub mod run;
pub mod spec;

pub use run::Workloads;
