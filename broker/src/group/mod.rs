//! Group coordinator: classic groups, consumer groups (KIP-848), share groups (KIP-932), streams groups (KIP-1071) and committed
//! offsets, for the partitions of `__consumer_offsets` that this broker leads.
//!
//! Pure: requests, append results and time go in; replies, appends and events come out. It knows the metadata image, but no log, no
//! replica and no connection: who asked is an opaque [`ReplyTo`], and what must be written is an [`Output::Append`] whose fate comes back
//! through [`GroupCoordinator::on_append_result`]; of the log's it only hands a guard of transactions on. Nothing is answered as written before it is committed.
//!
//! Sources: `org.apache.kafka.coordinator.group` (`GroupMetadataManager`, `OffsetMetadataManager`, `classic.ClassicGroup`).

mod admin;
mod api;
mod classic;
mod config;
mod consumer;
mod consumer_protocol;
mod coordinator;
mod expiry;
mod follow;
mod join;
mod kind;
mod leave;
mod load;
mod log_lines;
mod metrics;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod open_offsets;
mod pending;
mod rebalance;
pub mod record;
mod report;
mod share;
mod streams;
mod sync;
mod tell_members;
#[cfg(test)]
mod tests;
mod timer;
mod topics;
mod txn_offsets;
mod work;

pub use api::{
    AppendToken, ClientInfo, GroupResponse, OffsetsRecord, Output, ReplyTo, ShareStateRequest, ShareStateResponse,
    TxnEnd, TxnProducer,
};
pub use classic::GroupState;
pub use config::{ConsumerConfig, GroupConfig, Limits, ShareConfig, StreamsConfig};
pub use consumer::assign::Assignor;
pub use consumer::compile_pattern;
pub use coordinator::GroupCoordinator;
pub use share::LatestOffsets;
pub use streams::{MISSING_INTERNAL_TOPICS, StreamsBeat};
pub use txn_offsets::txn_offset_commit_refused;
