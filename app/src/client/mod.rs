//! A Kafka client for what a person does to a cluster: it asks, waits and is answered, over TCP, as any of Kafka's own tools does.
//!
//! Knows Kafka's protocol and what is asked for ([`crate::monitor::operation`], [`crate::monitor::inquiry`]); knows no window, no HTTP and
//! nothing of the cluster inside: it would do the same to any Kafka. Every call blocks, within the patience that it was given, so it is
//! made on a thread that may wait. Not for load: the built-in workloads have librdkafka.
//!
//! [`Connection`] speaks to one broker, [`Client`] finds the right one; one file for each kind of wish.

mod cluster;
mod configs;
mod connection;
mod elections;
mod error;
mod groups;
mod log_dirs;
mod offsets;
mod partitions;
mod producers;
mod reassign;
mod records;
mod share_offsets;
mod topics;
mod volume;

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use cluster::{Client, Partition};
pub use configs::{alter_configs, describe_configs};
pub use connection::Connection;
pub use elections::Elected;
pub use elections::elect_leaders;
pub use error::ClientError;
pub use groups::{delete_group, delete_offsets, set_offsets};
pub use log_dirs::log_dirs;
pub use offsets::{BEGINNING, END, committed_offsets, led_partitions, offsets_at, offsets_of_topic};
pub use partitions::{add_partitions, delete_records};
pub use producers::{producers, transactions};
pub use reassign::{Throttled, cancel_reassignments, reassign, reassignments, unthrottle};
pub use records::{Fetched, fetch, produce, write};
pub use share_offsets::share_offsets;
pub use topics::{create_topic, delete_topic};
pub use volume::volume;
