//! A partition on a broker: leader or follower over a log, ISR, high watermark, leader epochs, and the manager of all partitions of one
//! broker. Synchronous and deterministic: inputs and `now` in, outputs out.
//!
//! May know logs, the image and the configuration. Knows no socket, no client and no group; what nodes say to each other travels as
//! Kafka's own Fetch and AlterPartition messages.

mod alter;
mod assign;
mod cleaning;
mod delete_records;
mod dirs;
#[cfg(test)]
mod dirs_tests;
mod failure;
mod fetcher;
mod follow;
mod isr;
mod leader;
mod lines;
#[cfg(test)]
mod lines_tests;
mod manager;
mod metrics;
#[cfg(test)]
mod metrics_tests;
mod partition;
mod peer;
mod propose;
mod read;
#[cfg(test)]
mod reads_tests;
mod relocate;
mod scrub;
mod serve;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod sim_checks;
#[cfg(test)]
mod sim_controller;
#[cfg(test)]
mod tests;
mod throttle;
mod transition;

pub use dirs::LogDirs;
pub use isr::{BrokerStanding, Brokers};
pub use manager::{FollowerFetches, Output, ReplicaManager, ReplicaManagerError, ReplicationCounters};
pub use partition::{Partition, Role};
pub use read::{AppendError, Appended, Isolation, OffsetFound, OffsetView, ReadRequest, ReadResult, timestamps};
pub use scrub::ScrubProgress;
