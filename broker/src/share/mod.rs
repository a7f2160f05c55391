//! What the leader of a partition does for share groups (KIP-932): which records are with whom, how often each was delivered, and what of
//! that is to be kept; and the share sessions in which members ask. Pure: time is told, records come as ranges of offsets, what is to be
//! kept goes out as a write and is answered later.
//!
//! May know records, log, protocol. Knows no connection, no disk, and neither the group coordinator nor the share coordinator.
//!
//! Source: `kafka.server.share.SharePartition`, `SharePartitionManager`, `org.apache.kafka.server.share.session.ShareSessionCache`.

mod limits;
pub mod log_batches;
pub mod partition;
pub mod session;

pub use limits::{OffsetReset, ShareLimits};
pub use log_batches::{LogBatch, log_batches};
pub use partition::{
    Acknowledgement, Acquire, AcquireMode, AcquiredRange, KeptState, LoadError, RecordState, Refusal, SharePartition,
    StateBatch, StateWrite,
};
pub use session::{SessionKey, ShareSessions};
