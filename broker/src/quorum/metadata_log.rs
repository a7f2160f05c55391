//! The log that the quorum replicates, as the quorum sees it.

use bytes::{Bytes, BytesMut};

use crate::records::BatchError;
use crate::types::Now;

/// Where an epoch ends in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: i32,
    /// First offset after its last record.
    pub end_offset: i64,
}

/// The metadata log met something that it cannot go on after.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataLogError {
    /// The disk, or what stands on it.
    #[error("the metadata log failed: {0}")]
    Storage(String),
    /// Bytes that are no batch.
    #[error("the metadata log met a broken batch: {0}")]
    Batch(#[from] BatchError),
    /// An offset that the log does not hold.
    #[error("offset {offset} is outside of the metadata log ({start} to {end})")]
    OutOfRange {
        /// As asked.
        offset: i64,
        /// Log start offset.
        start: i64,
        /// Log end offset.
        end: i64,
    },
}

/// One replica of the metadata log. Epochs in it never fall; an empty log's last epoch is 0, and no record has that epoch.
pub trait MetadataLog: Send {
    /// First offset that it holds.
    fn start_offset(&self) -> i64;
    /// Next offset to be written.
    fn end_offset(&self) -> i64;
    /// Everything below is safe from a power loss.
    fn synced_offset(&self) -> i64;
    /// Epoch of its last record, or 0.
    fn last_epoch(&self) -> i32;
    /// The largest epoch of the log that is not larger than `epoch`, and where it ends; where there is none, `epoch` itself and the log's
    /// start.
    fn end_offset_for_epoch(&self, epoch: i32) -> EpochEnd;
    /// Appends one batch; writes base offset and epoch into it. Returns its base offset.
    fn append_leader(&mut self, now: Now, batch: BytesMut, epoch: i32) -> Result<i64, MetadataLogError>;
    /// Appends whole batches as a leader gave them; the first begins at the log's end.
    fn append_follower(&mut self, now: Now, batches: &Bytes) -> Result<(), MetadataLogError>;
    /// Cuts everything from `offset` on. What was cut may come back after a power loss, until the next sync.
    fn truncate_to(&mut self, offset: i64) -> Result<(), MetadataLogError>;
    /// Whole batches from the one that holds `from`, of which none reaches to `up_to` or past it; at least one batch if there is one.
    fn read(&self, from: i64, max_bytes: usize, up_to: i64) -> Result<Bytes, MetadataLogError>;
    /// Makes all of it durable.
    fn sync(&mut self, now: Now) -> Result<(), MetadataLogError>;
}
