//! Built-in producers and consumers: real Kafka clients (librdkafka) over real TCP, so that there is life to watch and something to break.
//!
//! Knows the monitor's words, the ledger and the bootstrap servers; nothing of the cluster, the window or HTTP.

mod asked;
pub mod consumer;
pub mod counts;
mod course;
mod crash;
mod dice;
mod freeze;
mod keys;
mod latency;
pub mod pace;
mod payload;
pub mod producer;
pub mod record;
mod roll;
pub mod run;
pub mod spec;
mod team;
mod verifier;
mod zombie;

pub use run::Workloads;
