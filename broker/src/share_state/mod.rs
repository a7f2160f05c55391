//! Share coordinator: the delivery state of share partitions (KIP-932), kept in the partitions of `__share_group_state` that this broker leads.
//!
//! Pure: requests, the fates of appends, and time go in; answers and appends come out. It knows no log, no replica, no connection, no group
//! and no share partition in use. Nothing is answered as done before the record behind it is committed.
//!
//! Sources: `org.apache.kafka.coordinator.share` of Kafka 4.3; KIP-932, KIP-1226.

mod api;
mod batch;
mod coordinator;
mod decide;
#[cfg(test)]
mod model_tests;
mod record;
mod report;
mod request;
mod state;
#[cfg(test)]
mod tests;
mod upkeep;

pub use api::{AppendToken, Output, ReplyTo, ShareCoordinatorConfig};
pub use coordinator::{ShareCoordinator, partition_for};
pub use record::{SharePartitionKey, decode as decode_record};
pub use request::{PartRequest, PartResponse, StateKind, StateRequest, StateResponse};
pub use state::Record as StateRecord;
