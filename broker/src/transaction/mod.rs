//! Transaction coordinator: the transactional ids of the partitions of `__transaction_state` that this broker leads.
//!
//! Pure: requests, the fates of appends and markers, and time go in; answers, appends and markers to be sent come out. It knows no log, no
//! replica and no connection. Nothing is answered as done, and no marker is sent, before the record behind it is committed.
//!
//! Sources: `kafka.coordinator.transaction` and `org.apache.kafka.coordinator.transaction` of Kafka 4.3; KIP-98, KIP-360, KIP-447, KIP-890.

mod api;
mod coordinator;
mod end;
mod expiry;
mod init;
mod listing;
mod markers;
pub mod metadata;
mod partitions;
pub mod record;
pub mod state;
#[cfg(test)]
mod tests;

pub use api::{Answer, AppendToken, Marker, Output, ReplyTo, TransactionConfig};
pub use coordinator::TransactionCoordinator;
pub use end::EndTxn;
pub use init::InitTxn;
pub use listing::ListFilter;
pub use state::TransactionState;
