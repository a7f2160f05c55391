//! What clients (and the group coordinator) do with partitions that this broker leads: append, read, look up offsets.
//!
//! Source: `kafka.cluster.Partition.appendRecordsToLeader`, `readRecords`, `fetchOffsetForTimestamp`, `lastOffsetForLeaderEpoch`.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::manager::ReplicaManager;
use super::partition::Partition;
use crate::log::{
    AbortedTxn, AppendOrigin, AppendRules, Conversion, Flaw, Log, LogError, ProducerState, VerificationGuard,
};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::records::BatchError;
use crate::types::{Now, TopicIdPartition};

/// How far a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// To the high watermark.
    ReadUncommitted,
    /// To the last stable offset.
    ReadCommitted,
}

impl Isolation {
    /// The level of Kafka's number; `None` for a number that is none.
    pub fn from_wire(isolation_level: i8) -> Option<Isolation> {
        match isolation_level {
            0 => Some(Isolation::ReadUncommitted),
            1 => Some(Isolation::ReadCommitted),
            _ => None,
        }
    }
}

/// How far, and on which replica, an offset is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetView {
    /// How far a client sees; `None` sees to the log's end.
    pub isolation: Option<Isolation>,
    /// Only the leader may answer.
    pub leader_only: bool,
}

/// Records were appended (or had been, by the same producer and sequence).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub first_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Leader epoch under which they were appended: to be handed to [`Partition::acknowledged`].
    pub leader_epoch: i32,
    /// The broker's time if the topic has LogAppendTime, else -1.
    pub log_append_time_ms: i64,
    /// First offset of the log.
    pub log_start_offset: i64,
    /// How many records (0 for a duplicate).
    pub records: u32,
    /// How many bytes they take in the log.
    pub bytes: usize,
    /// They were packed anew, as the topic wants it.
    pub converted: Option<Conversion>,
}

/// Records were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendError {
    /// As Kafka calls it.
    pub code: ErrorCode,
    /// What is wrong with the records, where Kafka tells the client.
    pub message: Option<String>,
    /// Place in the batch of each record that is at fault, and its fault.
    pub record_errors: Arc<[(i32, String)]>,
    /// First offset of the log, or -1.
    pub log_start_offset: i64,
    /// What of it is counted apart.
    pub flaw: Option<Flaw>,
}

impl AppendError {
    /// Refused as a whole.
    pub fn new(code: ErrorCode, message: Option<String>, log_start_offset: i64) -> AppendError {
        AppendError { code, message, record_errors: Arc::default(), log_start_offset, flaw: None }
    }
}

impl From<ErrorCode> for AppendError {
    fn from(code: ErrorCode) -> AppendError {
        AppendError::new(code, None, -1)
    }
}

/// A read from one partition.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    /// First offset wanted.
    pub offset: i64,
    /// No more than so many bytes, whole batches.
    pub max_bytes: usize,
    /// But the first batch whole, whatever its size.
    pub at_least_one_batch: bool,
    /// How far it sees.
    pub isolation: Isolation,
    /// Leader epoch that the reader believes in, or -1.
    pub current_leader_epoch: i32,
    /// Epoch of the last record that the reader has, or -1.
    pub last_fetched_epoch: i32,
    /// Only the leader may answer.
    pub leader_only: bool,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadResult {
    /// Whole batches; empty if there are none yet.
    pub records: Bytes,
    /// High watermark.
    pub high_watermark: i64,
    /// Last stable offset.
    pub last_stable_offset: i64,
    /// First offset of the log.
    pub log_start_offset: i64,
    /// The reader's log leaves this one: (epoch, its end here). Then nothing was read.
    pub diverging: Option<(i32, i64)>,
    /// For a reader of committed records: the aborted transactions among them.
    pub aborted: Vec<AbortedTxn>,
}

/// An offset that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetFound {
    /// Its record's timestamp, or -1.
    pub timestamp_ms: i64,
    /// The offset, or -1.
    pub offset: i64,
    /// Its leader epoch, or -1.
    pub leader_epoch: i32,
}

impl OffsetFound {
    /// There is no such offset.
    pub const NONE: OffsetFound = OffsetFound { timestamp_ms: -1, offset: -1, leader_epoch: -1 };
}

/// ListOffsets' special timestamps.
pub mod timestamps {
    /// The end.
    pub const LATEST: i64 = -1;
    /// The beginning.
    pub const EARLIEST: i64 = -2;
    /// The record with the greatest timestamp (KIP-734).
    pub const MAX_TIMESTAMP: i64 = -3;
    /// The beginning of what is on this broker's disk (KIP-405).
    pub const EARLIEST_LOCAL: i64 = -4;
    /// The end of what is in remote storage (KIP-1005).
    pub const LATEST_TIERED: i64 = -5;
    /// The beginning of what is not yet in remote storage (KIP-1023).
    pub const EARLIEST_PENDING_UPLOAD: i64 = -6;
}

impl ReplicaManager {
    /// A partition led here, in the reign that `epoch` means (-1: any), with its log.
    fn led(&self, id: &TopicIdPartition, epoch: i32) -> Result<(&Partition, &Log), ErrorCode> {
        let partition = self.partitions.get(id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        partition.leader_for(epoch)?;
        let log = self.dir.log(partition.name()).ok_or(ErrorCode::KafkaStorageError)?;
        Ok((partition, log))
    }

    /// A partition that is here, led or not.
    fn here(&self, id: &TopicIdPartition, epoch: i32) -> Result<(&Partition, &Log), ErrorCode> {
        let partition = self.partitions.get(id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        if partition.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        partition.check_leader_epoch(epoch)?;
        let log = self.dir.log(partition.name()).ok_or(ErrorCode::KafkaStorageError)?;
        Ok((partition, log))
    }

    /// A partition to read from.
    fn readable(&self, id: &TopicIdPartition, epoch: i32, leader_only: bool) -> Result<(&Partition, &Log), ErrorCode> {
        if leader_only { self.led(id, epoch) } else { self.here(id, epoch) }
    }

    /// Appends a client's batches to a partition led here. With `acks` = -1 it is refused while the ISR is smaller than
    /// `min.insync.replicas`; whether the records are acknowledged is then told by [`Partition::acknowledged`] with `last_offset + 1`.
    pub fn append(
        &mut self,
        now: Now,
        id: &TopicIdPartition,
        records: BytesMut,
        acks: i16,
    ) -> Result<Appended, AppendError> {
        self.append_checked(now, id, records, acks, AppendRules::of(AppendOrigin::Client))
    }

    /// The same for any origin, with what a transaction asks.
    pub fn append_checked(
        &mut self,
        now: Now,
        id: &TopicIdPartition,
        records: BytesMut,
        acks: i16,
        rules: AppendRules,
    ) -> Result<Appended, AppendError> {
        self.led(id, -1)?;
        let partition = self.partitions.get_mut(id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        if acks == -1 && partition.isr().len() < partition.effective_min_isr() {
            let log_start_offset = self.log(id).map_or(-1, Log::log_start_offset);
            return Err(AppendError::new(ErrorCode::NotEnoughReplicas, None, log_start_offset));
        }
        let leader_epoch = partition.leader_epoch();
        let log = self.dir.log_mut(partition.name()).ok_or(ErrorCode::KafkaStorageError)?;
        let log_end = log.log_end_offset();
        if let Some(leader) = partition.as_leader_mut() {
            for (follower, state) in &mut leader.followers {
                state.before_append(self.peers.get(follower).map(|session| session.last_fetch), log_end);
            }
        }
        match log.append_checked(now, records, leader_epoch, rules) {
            Ok(info) => {
                let appended = Appended {
                    first_offset: info.first_offset,
                    last_offset: info.last_offset,
                    leader_epoch,
                    log_append_time_ms: info.log_append_time_ms,
                    log_start_offset: log.log_start_offset(),
                    records: if info.duplicate { 0 } else { info.records },
                    bytes: info.bytes,
                    converted: info.converted,
                };
                self.touch(*id);
                self.advance(id, now.mono);
                Ok(appended)
            }
            Err(error) => Err(self.append_failed(id, &error)),
        }
    }

    /// Whether a producer's transaction is open in a partition led here; if not, the guard under which the coordinator is to be asked.
    ///
    /// # Errors
    /// It is not led here, or the producer is fenced.
    pub fn start_verification(
        &mut self,
        now: Now,
        id: &TopicIdPartition,
        (producer_id, epoch): (i64, i16),
        base_sequence: i32,
        supports_epoch_bump: bool,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        self.led(id, -1)?;
        let partition = self.partitions.get(id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let log = self.dir.log_mut(partition.name()).ok_or(ErrorCode::KafkaStorageError)?;
        let guard = log.start_verification(now, producer_id, epoch, base_sequence, supports_epoch_bump);
        guard.map_err(|error| self.append_failed(id, &error))
    }

    /// Producers known in a partition that is here, led or not.
    ///
    /// # Errors
    /// It is not here, or offline.
    pub fn active_producers(&self, id: &TopicIdPartition) -> Result<Vec<ProducerState>, ErrorCode> {
        let (_, log) = self.here(id, -1)?;
        Ok(log.producer_states().cloned().collect())
    }

    fn append_failed(&mut self, id: &TopicIdPartition, error: &LogError) -> AppendError {
        if error.is_storage_failure() {
            self.fail_log(id, error);
            return ErrorCode::KafkaStorageError.into();
        }
        // Kafka does not foresee that records do not unpack.
        let code = match error {
            LogError::Batch(BatchError::Compression(_)) => ErrorCode::UnknownServerError,
            error => ErrorCode::from(error),
        };
        // Kafka tells no log start offset with the refusals that it expects of clients.
        if matches!(code, ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::CorruptMessage) {
            return AppendError { flaw: error.flaw(), ..code.into() };
        }
        // Only what is wrong with single records is told in words.
        let (message, record_errors) = match error {
            LogError::RejectedRecords(rejected) => (Some(error.to_string()), Arc::clone(&rejected.errors)),
            _ => (None, Arc::default()),
        };
        let log_start_offset = self.log(id).map_or(-1, Log::log_start_offset);
        AppendError { code, message, record_errors, log_start_offset, flaw: error.flaw() }
    }

    /// The refusal of a batch that is not even read into the log.
    pub fn refuse_append(&mut self, id: &TopicIdPartition, error: &BatchError) -> AppendError {
        self.append_failed(id, &LogError::Batch(error.clone()))
    }

    /// Reads from a partition led here, or, where not only the leader may answer, from a follower's log below its high watermark.
    pub fn read(&mut self, id: &TopicIdPartition, request: &ReadRequest) -> Result<ReadResult, ErrorCode> {
        let (partition, log) = self.readable(id, request.current_leader_epoch, request.leader_only)?;
        let high_watermark = partition.high_watermark();
        let mut result = ReadResult {
            records: Bytes::new(),
            high_watermark,
            last_stable_offset: log.last_stable_offset(high_watermark),
            log_start_offset: log.log_start_offset(),
            diverging: None,
            aborted: Vec::new(),
        };
        if request.last_fetched_epoch >= 0 {
            let (epoch, end) = log.end_offset_for_epoch(request.last_fetched_epoch);
            if epoch < 0 || end < 0 || request.offset < log.log_start_offset() {
                return Err(ErrorCode::OffsetOutOfRange);
            }
            if epoch < request.last_fetched_epoch || end < request.offset {
                result.diverging = Some((epoch, end));
                return Ok(result);
            }
        }
        if request.offset < log.log_start_offset() || request.offset > log.log_end_offset() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let up_to = match Bug::ShowUncommitted.is_planted() {
            true => log.log_end_offset(),
            false => visible_end(request.isolation, &result),
        };
        if request.offset >= up_to || (request.max_bytes == 0 && !request.at_least_one_batch) {
            return Ok(result);
        }
        let read = log.read(request.offset, request.max_bytes, up_to, request.at_least_one_batch).and_then(|read| {
            let aborted = match request.isolation {
                Isolation::ReadCommitted if Bug::AbortedListOmitted.is_planted() => Vec::new(),
                Isolation::ReadCommitted => log.aborted_transactions(request.offset, read.next_offset)?,
                Isolation::ReadUncommitted => Vec::new(),
            };
            Ok((read.records, aborted))
        });
        match read {
            Ok((records, aborted)) => (result.records, result.aborted) = (records, aborted),
            Err(LogError::OffsetOutOfRange { .. }) => return Err(ErrorCode::OffsetOutOfRange),
            Err(error) => {
                self.fail_log(id, &error);
                return Err(ErrorCode::KafkaStorageError);
            }
        }
        Ok(result)
    }

    /// Whether a read from `offset` would find a record, at no cost. An error counts as a find: there is something to tell.
    pub fn is_readable(&self, id: &TopicIdPartition, request: &ReadRequest) -> bool {
        let Ok((partition, log)) = self.readable(id, request.current_leader_epoch, request.leader_only) else {
            return true;
        };
        let offset = request.offset;
        let visible = match request.isolation {
            _ if Bug::ShowUncommitted.is_planted() => log.log_end_offset(),
            Isolation::ReadUncommitted => partition.high_watermark(),
            Isolation::ReadCommitted => log.last_stable_offset(partition.high_watermark()),
        };
        offset < visible || offset > log.log_end_offset() || offset < log.log_start_offset()
    }

    /// ListOffsets of one partition.
    pub fn find_offset(
        &mut self,
        id: &TopicIdPartition,
        timestamp: i64,
        view: OffsetView,
        current_leader_epoch: i32,
    ) -> Result<OffsetFound, ErrorCode> {
        let (partition, log) = match view.leader_only {
            true => self.led(id, current_leader_epoch)?,
            false => self.here(id, current_leader_epoch)?,
        };
        let high_watermark = partition.high_watermark();
        let visible = match view.isolation {
            Some(Isolation::ReadUncommitted) => high_watermark,
            Some(Isolation::ReadCommitted) => log.last_stable_offset(high_watermark),
            None => log.log_end_offset(),
        };
        // Until the ISR has confirmed where this reign began, its end is not known to any client (KIP-207).
        let unsettled = view.isolation.is_some()
            && partition.as_leader().is_some_and(|leader| leader.epoch_start_offset > high_watermark);
        let found = match timestamp {
            timestamps::LATEST => {
                let leader_epoch = partition.leader_epoch();
                return if unsettled {
                    Err(ErrorCode::OffsetNotAvailable)
                } else {
                    Ok(OffsetFound { timestamp_ms: -1, offset: visible, leader_epoch })
                };
            }
            timestamps::EARLIEST | timestamps::EARLIEST_LOCAL => {
                let offset = log.log_start_offset();
                let leader_epoch = log.epoch_at(offset).unwrap_or(-1);
                return Ok(OffsetFound { timestamp_ms: -1, offset, leader_epoch });
            }
            // There is no remote storage here: nothing is in it, and nothing waits for it.
            timestamps::LATEST_TIERED | timestamps::EARLIEST_PENDING_UPLOAD => return Ok(OffsetFound::NONE),
            timestamps::MAX_TIMESTAMP => log.max_timestamp_offset(),
            timestamp => log.offset_for_timestamp(timestamp, visible),
        };
        match found {
            Ok(Some(found)) if found.offset < visible => Ok(OffsetFound {
                timestamp_ms: found.timestamp_ms,
                offset: found.offset,
                leader_epoch: found.leader_epoch,
            }),
            Ok(_) if unsettled => Err(ErrorCode::OffsetNotAvailable),
            Ok(_) => Ok(OffsetFound::NONE),
            Err(error) => {
                self.fail_log(id, &error);
                Err(ErrorCode::KafkaStorageError)
            }
        }
    }

    /// Where an epoch ended in the leader's log: (epoch, end offset), (-1, -1) if it is not known.
    pub fn end_offset_for_epoch(
        &self,
        id: &TopicIdPartition,
        current_leader_epoch: i32,
        epoch: i32,
    ) -> Result<(i32, i64), ErrorCode> {
        let (_, log) = self.led(id, current_leader_epoch)?;
        Ok(log.end_offset_for_epoch(epoch))
    }
}

fn visible_end(isolation: Isolation, result: &ReadResult) -> i64 {
    match isolation {
        Isolation::ReadUncommitted => result.high_watermark,
        Isolation::ReadCommitted => result.last_stable_offset,
    }
}
