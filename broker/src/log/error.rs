//! What a log answers when it does not do what it was asked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RejectedRecords;
use crate::records::BatchError;
use crate::types::Id;

/// Why a log refused or failed. In brackets: Kafka's error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The disk failed. After a failed change the log is offline. [KAFKA_STORAGE_ERROR]
    #[error("{path}: {message}", path = path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
        /// The same in words.
        message: String,
    },
    /// An earlier change failed, so that memory and disk may differ: no more changes until the log is opened anew. [KAFKA_STORAGE_ERROR]
    #[error("the log is offline since a change failed: {0}")]
    Offline(Arc<str>),
    /// What stands on the disk is not a log. [KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE]
    #[error("{path} at {position}: {reason}", path = path.display())]
    Corrupt {
        /// File.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// What is wrong.
        reason: BatchError,
    },
    /// The offset is not in the log. [OFFSET_OUT_OF_RANGE]
    #[error("offset {requested} is outside of {log_start_offset}..={log_end_offset}")]
    OffsetOutOfRange {
        /// Asked for.
        requested: i64,
        /// First that is there.
        log_start_offset: i64,
        /// The one after the last.
        log_end_offset: i64,
    },
    /// The bytes are not sound batches. [CORRUPT_MESSAGE, or INVALID_RECORD: see [`BatchError`]]
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A batch that its sender may not write. [INVALID_RECORD]
    #[error("{0}")]
    InvalidRecord(&'static str),
    /// A batch whose offsets or sequence numbers make no sense. [INVALID_RECORD]
    #[error("{0}")]
    InvalidNumbers(&'static str),
    /// Records that the topic does not take. [INVALID_RECORD, INVALID_TIMESTAMP]
    #[error("{0}")]
    RejectedRecords(RejectedRecords),
    /// A batch over `max.message.bytes`. [MESSAGE_TOO_LARGE]
    #[error("a batch of {size_bytes} bytes is larger than max.message.bytes = {limit_bytes}")]
    MessageTooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// More bytes at once than a segment takes. [RECORD_LIST_TOO_LARGE]
    #[error("{size_bytes} bytes of batches do not fit into segment.bytes = {limit_bytes}")]
    RecordListTooLarge {
        /// Their size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A timestamp too far off. [INVALID_TIMESTAMP]
    #[error("timestamp {timestamp_ms} is too far from the broker's time {now_ms}")]
    InvalidTimestamp {
        /// The record's.
        timestamp_ms: i64,
        /// The broker's.
        now_ms: i64,
    },
    /// A gap in a producer's sequence. [OUT_OF_ORDER_SEQUENCE_NUMBER]
    #[error("producer {producer_id}: sequence {sequence} does not follow {last_sequence}")]
    OutOfOrderSequence {
        /// Producer.
        producer_id: i64,
        /// Of the batch.
        sequence: i32,
        /// Of the last record appended, or -1.
        last_sequence: i32,
    },
    /// A producer with an older epoch: fenced. [INVALID_PRODUCER_EPOCH]
    #[error("producer {producer_id}: epoch {epoch} is older than {current_epoch}")]
    InvalidProducerEpoch {
        /// Producer.
        producer_id: i64,
        /// Of the batch.
        epoch: i16,
        /// As known.
        current_epoch: i16,
    },
    /// A record outside of the producer's open transaction. [INVALID_TXN_STATE]
    #[error("producer {producer_id} has an open transaction and wrote outside of it")]
    InvalidTxnState {
        /// Producer.
        producer_id: i64,
    },
    /// A record that begins a transaction of which the coordinator was not asked. [INVALID_TXN_STATE]
    #[error("Record was not part of an ongoing transaction")]
    TransactionNotVerified {
        /// Producer.
        producer_id: i64,
    },
    /// A transaction marker of an older coordinator. [TRANSACTION_COORDINATOR_FENCED]
    #[error("producer {producer_id}: coordinator epoch {epoch} is older than {current_epoch}")]
    TransactionCoordinatorFenced {
        /// Producer.
        producer_id: i64,
        /// Of the marker.
        epoch: i32,
        /// As known.
        current_epoch: i32,
    },
    /// A follower was given batches that do not continue its log. If its log is empty it should start anew at `first_offset`.
    #[error("batches {first_offset}..={last_offset} do not continue the log, which ends at {log_end_offset}")]
    UnexpectedAppendOffset {
        /// First offset of the first batch.
        first_offset: i64,
        /// Last offset of the last batch.
        last_offset: i64,
        /// Where the log ends.
        log_end_offset: i64,
    },
    /// The directory holds a partition of another topic of the same name. [INCONSISTENT_TOPIC_ID]
    #[error("{path} holds topic id {found}, not {expected}", path = path.display())]
    InconsistentTopicId {
        /// Directory.
        path: PathBuf,
        /// In `partition.metadata`.
        found: Id,
        /// Expected.
        expected: Id,
    },
    /// A small file of Kafka's (checkpoint, properties, snapshot) that cannot be understood.
    #[error("{path}: {reason}", path = path.display())]
    InvalidFile {
        /// File.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What is wrong with a client's records, as far as it is counted apart.
///
/// Source: `org.apache.kafka.storage.internals.log.LogValidator.MetricsRecorder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A format that is not expected.
    Magic,
    /// A checksum that does not fit.
    Checksum,
    /// Offsets or sequence numbers that make no sense.
    Numbers,
    /// So many records without a key, in a compacted topic.
    MissingKeys(usize),
}

impl LogError {
    /// What is wrong with the records, if that is what it is.
    pub fn flaw(&self) -> Option<Flaw> {
        match self {
            LogError::Batch(BatchError::UnsupportedMagic(_)) => Some(Flaw::Magic),
            LogError::Batch(BatchError::ChecksumMismatch { .. }) => Some(Flaw::Checksum),
            LogError::InvalidNumbers(_) => Some(Flaw::Numbers),
            LogError::RejectedRecords(rejected) if rejected.missing_keys > 0 => {
                Some(Flaw::MissingKeys(rejected.missing_keys))
            }
            _ => None,
        }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> LogError + '_ {
        move |error| LogError::Io { path: path.to_owned(), kind: error.kind(), message: error.to_string() }
    }

    pub(super) fn invalid_file(path: &Path, reason: impl Into<String>) -> LogError {
        LogError::InvalidFile { path: path.to_owned(), reason: reason.into() }
    }

    /// The disk's fault, not the caller's: the log directory should be taken for offline.
    pub fn is_storage_failure(&self) -> bool {
        matches!(self, LogError::Io { .. } | LogError::Offline(_) | LogError::Corrupt { .. })
    }
}
