//! The metadata log's batches: made here by a leader, taken apart here for those who apply them.

use bytes::{Bytes, BytesMut};

use super::snapshot::SnapshotId;
use super::voter_set::VoterSet;
use crate::records::control::{ControlType, LeaderChange, Voter, control_key};
use crate::records::{self, BatchBuilder, BatchError, BatchHeader, Compression};
use crate::types::{Id, NodeId};

/// A record that means something to the controller or a broker: one that is not the quorum's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataRecord {
    /// Its offset.
    pub offset: i64,
    /// Epoch of the leader that wrote it.
    pub epoch: i32,
    /// When it was written, by that leader's clock.
    pub timestamp_ms: i64,
    /// An encoded metadata record.
    pub value: Bytes,
}

/// Batches, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Their records, without the quorum's own (control) records.
    pub records: Vec<DataRecord>,
    /// Where the last of them ends, control batches counted: where to read on, and what a snapshot taken here would be called.
    pub end: Option<SnapshotId>,
    /// When the last of them was written.
    pub last_timestamp_ms: i64,
}

/// [`take_apart`], for those who need records and the offset to read on only.
pub fn data_records(batches: &[u8], max_batch_bytes: usize) -> Result<(Vec<DataRecord>, Option<i64>), BatchError> {
    let committed = take_apart(batches, max_batch_bytes)?;
    Ok((committed.records, committed.end.map(|end| end.end_offset)))
}

/// Takes batches apart and leaves out the quorum's own (control) records.
pub fn take_apart(batches: &[u8], max_batch_bytes: usize) -> Result<Committed, BatchError> {
    let mut found = Vec::new();
    let mut end = None;
    let mut last_timestamp_ms = -1;
    for batch in records::batches(batches) {
        let (header, bytes) = batch?;
        end = Some(SnapshotId { end_offset: header.next_offset(), epoch: header.partition_leader_epoch });
        last_timestamp_ms = header.max_timestamp;
        if header.is_control() {
            continue;
        }
        for record in records::records(bytes, max_batch_bytes)? {
            let record = record?;
            let Some(value) = record.value else {
                return Err(BatchError::Invalid("a metadata record has no value"));
            };
            let (offset, timestamp_ms) = (record.offset, record.timestamp_ms);
            found.push(DataRecord { offset, epoch: header.partition_leader_epoch, timestamp_ms, value });
        }
    }
    Ok(Committed { records: found, end, last_timestamp_ms })
}

/// A batch of metadata records: keyless, uncompressed, as Kafka writes them.
pub(super) fn data_batch(base_offset: i64, epoch: i32, timestamp_ms: i64, values: &[Bytes]) -> BytesMut {
    let mut builder = BatchBuilder::new(base_offset, Compression::None).leader_epoch(epoch);
    for value in values {
        builder.push(timestamp_ms, None, Some(value), &[]);
    }
    builder.build_mut()
}

/// First batch of a leader's epoch: the leader change, in version 0 (without directory ids) as Kafka 4.3 writes it.
pub(super) fn leader_change_batch(
    base_offset: i64,
    epoch: i32,
    timestamp_ms: i64,
    leader_id: NodeId,
    voters: &VoterSet,
    granting: impl IntoIterator<Item = NodeId>,
) -> BytesMut {
    let voter = |id: NodeId| Voter { id, directory_id: Id::ZERO };
    let message = LeaderChange {
        version: 0,
        leader_id,
        voters: voters.ids().map(voter).collect(),
        granting_voters: granting.into_iter().map(voter).collect(),
    };
    control_batch(base_offset, epoch, timestamp_ms, &[(ControlType::LeaderChange, message.encode())])
}

/// A batch of the quorum's own records.
pub(super) fn control_batch(
    base_offset: i64,
    epoch: i32,
    timestamp_ms: i64,
    content: &[(ControlType, Bytes)],
) -> BytesMut {
    let mut builder = BatchBuilder::new(base_offset, Compression::None).leader_epoch(epoch).control(true);
    for (control_type, value) in content {
        builder.push(timestamp_ms, Some(&control_key(*control_type)), Some(value), &[]);
    }
    builder.build_mut()
}

/// Whether `batches` are whole, undamaged, and go on where a log that ends at `end_offset` in `last_epoch` stops, under a leader of `epoch`.
pub(super) fn continues(batches: &[u8], end_offset: i64, last_epoch: i32, epoch: i32) -> Result<(), BatchError> {
    let (mut expected_offset, mut lowest_epoch) = (end_offset, last_epoch);
    for batch in records::batches(batches) {
        let (_, bytes) = batch?;
        let header: BatchHeader = records::validate(bytes)?;
        if header.base_offset != expected_offset {
            return Err(BatchError::Invalid("a batch does not begin where the log ends"));
        }
        if !(lowest_epoch..=epoch).contains(&header.partition_leader_epoch) {
            return Err(BatchError::Invalid("a batch is of an epoch that cannot follow"));
        }
        expected_offset = header.last_offset() + 1;
        lowest_epoch = header.partition_leader_epoch;
    }
    Ok(())
}
