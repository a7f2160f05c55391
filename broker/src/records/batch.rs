//! The 61-byte batch header: read, checked and patched where it lies.

use super::{BatchError, Compression};
use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes of the header; the records follow.
pub const HEADER_BYTES: usize = 61;
/// Bytes before the part that `batch_length` counts (base offset and the length itself).
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// Kafka's "no producer id".
pub const NO_PRODUCER_ID: i64 = -1;
/// Kafka's "no producer epoch".
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// Kafka's "no sequence".
pub const NO_SEQUENCE: i32 = -1;

const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;
/// Length, attributes, two deltas, two lengths and a count: no record is shorter.
const MIN_RECORD_BYTES: usize = 7;

pub(super) const COMPRESSION_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME_FLAG: i16 = 0x08;
pub(super) const TRANSACTIONAL_FLAG: i16 = 0x10;
pub(super) const CONTROL_FLAG: i16 = 0x20;
pub(super) const DELETE_HORIZON_FLAG: i16 = 0x40;

/// Whose clock stamped the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The leader's, on append.
    LogAppendTime,
}

/// A batch's header, all its fields.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Offset of the first record (kept by compaction even if that record is gone).
    pub base_offset: i64,
    /// Bytes after this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch; -1 before that.
    pub partition_leader_epoch: i32,
    /// CRC32C of everything from the attributes on.
    pub crc: u32,
    /// Bits 0–2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon.
    pub attributes: i16,
    /// Offset of the last record, less the base offset.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas add to.
    pub base_timestamp: i64,
    /// Largest timestamp of the records; the append time of a LogAppendTime batch; -1 if there is none.
    pub max_timestamp: i64,
    /// Idempotent or transactional producer, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Records in the batch.
    pub record_count: i32,
}

fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

impl BatchHeader {
    /// Reads a header. The batch itself may be incomplete; its checksum is not looked at.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Incomplete { needed: HEADER_BYTES, have: bytes.len() });
        };
        let header = BatchHeader {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            batch_length: i32::from_be_bytes(field(bytes, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(bytes, LEADER_EPOCH_AT)),
            crc: u32::from_be_bytes(field(bytes, CRC_AT)),
            attributes: i16::from_be_bytes(field(bytes, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            record_count: i32::from_be_bytes(field(bytes, 57)),
        };
        if header.batch_length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
            return Err(BatchError::InvalidLength(header.batch_length));
        }
        if bytes[MAGIC_AT] != 2 {
            return Err(BatchError::UnsupportedMagic(bytes[MAGIC_AT] as i8));
        }
        if header.base_offset < 0 || header.last_offset_delta < 0 || header.record_count < 0 {
            return Err(BatchError::Invalid("a batch's offset, offset delta or record count is negative"));
        }
        if header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1).is_none() {
            return Err(BatchError::Invalid("a batch's last offset is past the end of all offsets"));
        }
        Ok(header)
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Offset of what follows the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// Size of the whole batch, header included.
    pub fn size_bytes(&self) -> usize {
        self.batch_length as usize + LENGTH_PREFIX_BYTES
    }

    /// Sequence number of the last record, or -1.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            base => next_sequence(base, self.last_offset_delta),
        }
    }

    /// Carries markers for the log itself (transaction ends, leader changes), not data.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_FLAG != 0
    }

    /// Belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_FLAG != 0
    }

    /// When its tombstones, or the transaction marker that it is, may go (KIP-534); `None` if compaction has not said so yet.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON_FLAG != 0).then_some(self.base_timestamp)
    }

    /// Was written by an idempotent or transactional producer.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        Compression::from_id((self.attributes & COMPRESSION_MASK) as u8)
    }

    /// Whose clock stamped the records.
    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes & LOG_APPEND_TIME_FLAG {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    pub(super) fn write(&self, out: &mut [u8; HEADER_BYTES]) {
        out[..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        out[MAGIC_AT] = 2;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
    }
}

/// The sequence number `step` after `sequence`; after the largest comes 0.
pub fn next_sequence(sequence: i32, step: i32) -> i32 {
    ((i64::from(sequence) + i64::from(step)) % (i64::from(i32::MAX) + 1)) as i32
}

pub(super) fn checksum(batch: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(&batch[ATTRIBUTES_AT..])
}

/// Checks the batch that `bytes` start with: header, whole length, checksum, and counts that its size can hold.
/// What follows the batch is ignored.
pub fn validate(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(bytes)?;
    let Some(batch) = bytes.get(..header.size_bytes()) else {
        return Err(BatchError::Incomplete { needed: header.size_bytes(), have: bytes.len() });
    };
    let computed = checksum(batch);
    if computed != header.crc {
        return Err(BatchError::ChecksumMismatch { stored: header.crc, computed });
    }
    if header.record_count as i64 > i64::from(header.last_offset_delta) + 1 {
        return Err(BatchError::Invalid("a batch has more records than offsets"));
    }
    let most = (batch.len() - HEADER_BYTES) / MIN_RECORD_BYTES;
    if header.compression()? == Compression::None && header.record_count as usize > most {
        return Err(BatchError::Invalid("a batch has more records than its size can hold"));
    }
    Ok(header)
}

/// Checks every batch in `bytes`, which must hold whole batches only; gives their headers to `each`.
pub fn validate_all(bytes: &[u8], mut each: impl FnMut(&BatchHeader)) -> Result<(), BatchError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let header = validate(rest)?;
        rest = &rest[header.size_bytes()..];
        each(&header);
    }
    Ok(())
}

/// The batches in `bytes`, one after the other. Stops after the first error; checksums are not looked at.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<(BatchHeader, &'a [u8]), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        Some(BatchHeader::parse(rest).and_then(|header| {
            let size = header.size_bytes();
            let Some((batch, after)) = rest.split_at_checked(size) else {
                return Err(BatchError::Incomplete { needed: size, have: rest.len() });
            };
            self.rest = after;
            Ok((header, batch))
        }))
    }
}

impl std::iter::FusedIterator for Batches<'_> {}

/// Writes the base offset into a batch. Outside the checksum.
///
/// # Panics
/// If `batch` is shorter than a header (as are the other patches).
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
}

/// Writes the leader epoch into a batch. Outside the checksum.
pub fn set_leader_epoch(batch: &mut [u8], leader_epoch: i32) {
    batch[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Makes one whole batch a LogAppendTime batch stamped `timestamp_ms`, and mends its checksum.
pub fn set_log_append_time(batch: &mut [u8], timestamp_ms: i64) {
    batch[ATTRIBUTES_AT + 1] |= LOG_APPEND_TIME_FLAG as u8;
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&timestamp_ms.to_be_bytes());
    let crc = checksum(batch);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}

/// Says in a batch that its records' timestamps are their producer's.
pub fn set_create_time(batch: &mut [u8], header: &mut BatchHeader) {
    header.attributes &= !LOG_APPEND_TIME_FLAG;
    batch[ATTRIBUTES_AT + 1] &= !(LOG_APPEND_TIME_FLAG as u8);
    header.crc = checksum(batch);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&header.crc.to_be_bytes());
}
