//! The log that the quorum replicates, as the quorum sees it.

use bytes::{Bytes, BytesMut};

use super::snapshot::{SnapshotChunk, SnapshotId, SnapshotInfo, SnapshotPart};
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

/// One replica of the metadata log. Epochs in it never fall; an empty log's last epoch is that of the snapshot that it goes on from, or 0, and
/// no record has that epoch.
pub trait MetadataLog: Send {
    /// First offset that it holds.
    fn start_offset(&self) -> i64;
    /// Next offset to be written.
    fn end_offset(&self) -> i64;
    /// Everything below is safe from a power loss.
    fn synced_offset(&self) -> i64;
    /// Epoch of its last record, or of the snapshot that it goes on from, or 0.
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
    /// Bytes of all batches.
    fn size_bytes(&self) -> u64;

    /// Whole snapshots, oldest first.
    fn snapshots(&self) -> &[SnapshotInfo];
    /// Up to `max_bytes` of a snapshot; `None` if there is none of that name. Past its end there are no bytes.
    fn read_snapshot(
        &self,
        id: SnapshotId,
        position: u64,
        max_bytes: usize,
    ) -> Result<Option<SnapshotChunk>, MetadataLogError>;
    /// Writes bytes of a snapshot that is not whole yet; at position 0 it begins anew.
    fn write_snapshot_part(&mut self, part: SnapshotPart, position: u64, bytes: &[u8]) -> Result<(), MetadataLogError>;
    /// Checks it, makes it durable, and gives it its name. False: it is damaged, and gone.
    fn complete_snapshot(&mut self, part: SnapshotPart) -> Result<bool, MetadataLogError>;
    /// Forgets one that will not become whole.
    fn discard_snapshot_part(&mut self, part: SnapshotPart) -> Result<(), MetadataLogError>;
    /// Drops the whole log, and the snapshots before `id`: it goes on, empty, where that snapshot ends.
    fn restart_at_snapshot(&mut self, id: SnapshotId) -> Result<(), MetadataLogError>;
    /// Forgets the snapshots before `id`, and what lies before it in the log, whole segments at a time.
    fn delete_before_snapshot(&mut self, now: Now, id: SnapshotId, high_watermark: i64)
    -> Result<(), MetadataLogError>;
}

/// Whether `log` holds all that `id` stands for, or goes on from it. If not, what it holds was never committed, or is in the snapshot.
///
/// Kafka compares ends only (`KafkaMetadataLog.truncateToLatestSnapshot`), which leaves a log standing that diverged in a higher epoch.
pub(super) fn contains(log: &dyn MetadataLog, id: SnapshotId) -> bool {
    let (start, end) = (log.start_offset(), log.end_offset());
    if id.end_offset <= start {
        return true;
    }
    let epoch_end = log.end_offset_for_epoch(id.epoch);
    id.end_offset <= end && epoch_end.epoch == id.epoch && id.end_offset <= epoch_end.end_offset
}
