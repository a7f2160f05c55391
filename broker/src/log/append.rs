//! Appending: one look at each batch's header, one write of the buffer that arrived.
//!
//! Source: `UnifiedLog.append`, `LogValidator`, `ProducerStateManager`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::BytesMut;

use super::producers::{CompletedTxn, EndTxnMarker, ProducerState, Staged};
use super::transactions::AbortedTxn;
use super::verification::{TransactionCheck, VerificationGuard};
use super::{Log, LogConfig, LogError};
use crate::planted::Bug;
use crate::records::control::{ControlType, control_type, decode_end_txn_marker};
use crate::records::{
    BatchHeader, TimestampType, batches, records, set_base_offset, set_create_time, set_leader_epoch,
    set_log_append_time, validate_all,
};
use crate::types::{Now, TopicPartition};

/// A control batch is a handful of bytes.
pub(super) const MAX_CONTROL_BYTES: usize = 64 << 10;

/// Who writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendOrigin {
    /// A client: everything is checked, control batches are refused.
    Client,
    /// A coordinator of this broker, or the leader of the quorum: control batches are welcome, sequences are not checked.
    Coordinator,
}

/// What an append is held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendRules {
    /// Who writes.
    pub origin: AppendOrigin,
    /// What a batch must show that begins a transaction.
    pub check: TransactionCheck,
    /// `transaction.version` of the transaction that a marker ends.
    pub transaction_version: i16,
}

impl AppendRules {
    /// Those of an append that has nothing to do with transactions.
    pub fn of(origin: AppendOrigin) -> AppendRules {
        AppendRules { origin, check: TransactionCheck::Off, transaction_version: 0 }
    }
}

/// What it took to pack records anew, as their topic wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conversion {
    /// How long, on the disk's stopwatch.
    pub took: Duration,
    /// How much memory.
    pub temporary_bytes: usize,
}

/// What an append did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendInfo {
    /// Offset of the first record.
    pub first_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// The time that the records were stamped with, or -1 where producers stamp.
    pub log_append_time_ms: i64,
    /// Largest timestamp of the records.
    pub max_timestamp_ms: i64,
    /// How many records.
    pub records: u32,
    /// How many bytes.
    pub bytes: usize,
    /// The batch was already in the log (a producer's retry): nothing was written, the offsets are those of then.
    pub duplicate: bool,
    /// The records were packed anew, as the topic wants it.
    pub converted: Option<Conversion>,
}

impl Log {
    /// Appends a client's batches (as [`AppendOrigin::Client`]): checks them, gives them offsets and the epoch in place, writes the buffer.
    pub fn append_as_leader(&mut self, now: Now, records: BytesMut, leader_epoch: i32) -> Result<AppendInfo, LogError> {
        self.append(now, records, leader_epoch, AppendOrigin::Client)
    }

    /// The same for any origin; nobody verifies its transaction, and markers are of version 0.
    pub fn append(
        &mut self,
        now: Now,
        records: BytesMut,
        leader_epoch: i32,
        origin: AppendOrigin,
    ) -> Result<AppendInfo, LogError> {
        self.append_checked(now, records, leader_epoch, AppendRules::of(origin))
    }

    /// The same, with what a transaction asks.
    pub fn append_checked(
        &mut self,
        now: Now,
        mut records: BytesMut,
        leader_epoch: i32,
        rules: AppendRules,
    ) -> Result<AppendInfo, LogError> {
        let origin = rules.origin;
        self.change(|log| {
            let mut headers = log.check_batches(&records)?;
            for header in &headers {
                log.check_from_leader(&records, header, origin)?;
            }
            for batch in batches(&records) {
                let (header, batch) = batch?;
                log.check_records(now, &header, batch)?;
            }
            if let [header] = headers[..]
                && origin == AppendOrigin::Client
                && header.has_producer_id()
                && let Some(before) = log.producers.duplicate_of(&header)
            {
                return Ok(AppendInfo {
                    first_offset: before.first_offset(),
                    last_offset: before.last_offset,
                    // As Kafka does, whoever stamps.
                    log_append_time_ms: before.timestamp_ms,
                    max_timestamp_ms: before.timestamp_ms,
                    records: header.record_count as u32,
                    bytes: 0,
                    duplicate: true,
                    converted: None,
                });
            }
            headers.iter().try_for_each(|header| log.check_transaction(header, rules.check))?;
            let converted = log.converted(&records)?;
            let conversion = converted.as_ref().map(|(_, conversion)| *conversion);
            if let Some((converted, _)) = converted {
                records = converted;
                headers = log.check_batches(&records)?;
                headers.iter().try_for_each(|header| log.check_sizes(&records, header))?;
            }
            log.assign(now, &mut records, &mut headers, leader_epoch)?;
            let info = log.write(now, &records, &headers, Some(rules))?;
            let info = AppendInfo { converted: conversion, ..info };
            if let ([_], Some((tails, id))) = (&headers[..], &log.tails) {
                tails.push((*id, log.structure), info.first_offset, info.last_offset + 1, records.freeze());
            }
            Ok(info)
        })
    }

    /// Appends batches as the leader gave them: offsets and epochs stay. They must begin at the log's end.
    pub fn append_as_follower(&mut self, now: Now, records: &[u8]) -> Result<AppendInfo, LogError> {
        self.change(|log| {
            let headers = log.check_batches(records)?;
            let mut next = log.log_end_offset;
            for header in &headers {
                // Compaction leaves gaps between batches, also in a topic that is no longer compacted; but it never goes back.
                if header.base_offset < next && !Bug::AppendWithoutContinuity.is_planted() {
                    let last = headers.last().map_or(next, BatchHeader::last_offset);
                    let first_offset = headers.first().map_or(next, |first| first.base_offset);
                    return Err(LogError::UnexpectedAppendOffset {
                        first_offset,
                        last_offset: last,
                        log_end_offset: log.log_end_offset,
                    });
                }
                next = header.next_offset();
            }
            log.write(now, records, &headers, None)
        })
    }

    fn stamps(&self) -> bool {
        self.config.message_timestamp_type == TimestampType::LogAppendTime
    }

    fn check_batches(&self, records: &[u8]) -> Result<Vec<BatchHeader>, LogError> {
        let mut headers = Vec::with_capacity(1);
        validate_all(records, |header| headers.push(*header))?;
        if headers.is_empty() {
            return Err(LogError::InvalidRecord("there is no batch to append"));
        }
        Ok(headers)
    }

    fn check_from_leader(&self, all: &[u8], header: &BatchHeader, origin: AppendOrigin) -> Result<(), LogError> {
        self.check_sizes(all, header)?;
        if header.record_count == 0 || header.record_count != header.last_offset_delta.saturating_add(1) {
            return Err(LogError::InvalidNumbers("a batch's record count and offsets do not fit together"));
        }
        if origin != AppendOrigin::Client {
            return Ok(());
        }
        if header.base_offset != 0 {
            return Err(LogError::InvalidRecord("a batch to append does not begin at offset 0"));
        }
        if header.is_control() {
            return Err(LogError::InvalidNumbers("clients may not write control records"));
        }
        if header.has_producer_id() && (header.base_sequence < 0 || header.producer_epoch < 0) {
            return Err(LogError::InvalidNumbers("a batch has a producer id, but no epoch or no sequence"));
        }
        if header.is_transactional() && !header.has_producer_id() {
            return Err(LogError::InvalidRecord("a transactional batch has no producer id"));
        }
        Ok(())
    }

    fn check_sizes(&self, all: &[u8], header: &BatchHeader) -> Result<(), LogError> {
        let size_bytes = header.size_bytes();
        if size_bytes > self.config.max_message_bytes {
            return Err(LogError::MessageTooLarge { size_bytes, limit_bytes: self.config.max_message_bytes });
        }
        if all.len() as u64 > self.config.segment_bytes {
            return Err(LogError::RecordListTooLarge {
                size_bytes: all.len() as u64,
                limit_bytes: self.config.segment_bytes,
            });
        }
        Ok(())
    }

    /// Writes offsets, epoch and (if the log stamps) the time into the batches and their headers.
    fn assign(
        &self,
        now: Now,
        records: &mut [u8],
        headers: &mut [BatchHeader],
        leader_epoch: i32,
    ) -> Result<(), LogError> {
        let mut next = self.log_end_offset;
        let mut at = 0;
        for header in headers {
            let batch = &mut records[at..at + header.size_bytes()];
            at += header.size_bytes();
            set_base_offset(batch, next);
            set_leader_epoch(batch, leader_epoch);
            if self.stamps() {
                set_log_append_time(batch, now.wall_ms);
                header.max_timestamp = now.wall_ms;
            } else if header.timestamp_type() == TimestampType::LogAppendTime && !header.is_control() {
                set_create_time(batch, header);
            }
            header.base_offset = next;
            header.partition_leader_epoch = leader_epoch;
            next = next
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .ok_or(LogError::InvalidRecord("no offsets are left"))?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        now: Now,
        bytes: &[u8],
        headers: &[BatchHeader],
        rules: Option<AppendRules>,
    ) -> Result<AppendInfo, LogError> {
        let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
            return Err(LogError::InvalidRecord("there is no batch to append"));
        };
        let mut staged = Staged::default();
        if headers.iter().any(BatchHeader::has_producer_id) {
            for batch in batches(bytes) {
                let (header, batch) = batch?;
                let marker = end_txn_marker(&header, batch)?;
                self.producers.stage(&mut staged, &header, marker, rules)?;
                if rules.is_some_and(|rules| rules.origin == AppendOrigin::Client) {
                    let is_known = self.producers.get(header.producer_id).is_some_and(ProducerState::has_batches);
                    self.verifications.check_sequence(&header, is_known)?;
                }
            }
        }
        if self.must_roll(now, bytes.len() as u64, last)? {
            self.roll(now)?;
        }
        let mut news = self.epochs_stale;
        for header in headers {
            news |= self.epochs.assign(header.partition_leader_epoch, header.base_offset);
        }
        if news {
            self.write_epochs()?;
        }
        self.write_to_active(bytes, headers, staged)?;
        self.log_end_offset = last.next_offset();
        self.size_bytes += bytes.len() as u64;
        if self.log_end_offset - self.recovery_point >= self.config.flush_messages && !Bug::FlushIgnored.is_planted() {
            self.flush_now(now)?;
        }
        Ok(AppendInfo {
            first_offset: first.base_offset,
            last_offset: last.last_offset(),
            log_append_time_ms: if self.stamps() && rules.is_some() { now.wall_ms } else { -1 },
            max_timestamp_ms: headers.iter().map(|header| header.max_timestamp).max().unwrap_or(-1),
            records: headers.iter().map(|header| header.record_count as u32).sum(),
            bytes: bytes.len(),
            duplicate: false,
            converted: None,
        })
    }

    fn write_to_active(&mut self, bytes: &[u8], headers: &[BatchHeader], staged: Staged) -> Result<(), LogError> {
        let interval = self.config.index_interval_bytes;
        let missing = LogError::InvalidRecord("the log has no segment");
        let active = self.segments.last_mut().ok_or(missing)?;
        let mut position = active.size_bytes;
        active.append(&self.store, bytes, headers, interval)?;
        for header in headers {
            self.recent.push(header.base_offset, position);
            position += header.size_bytes() as u64;
        }
        for completed in staged.completed().iter().filter(|completed| completed.aborted) {
            let last_stable_offset = self.producers.last_stable_offset_after(&staged, completed);
            active.push_aborted(&self.store, aborted(completed, last_stable_offset))?;
        }
        self.producers.commit(staged);
        headers.iter().for_each(|header| self.verifications.settle(header));
        Ok(())
    }

    /// A transactional batch needs an open transaction of its epoch, or the coordinator's word.
    fn check_transaction(&self, header: &BatchHeader, check: TransactionCheck) -> Result<(), LogError> {
        if !header.is_transactional() || !header.has_producer_id() || header.is_control() {
            return Ok(());
        }
        let state = self.producers.get(header.producer_id);
        if state.is_some_and(|state| state.is_open_in(header.producer_epoch)) {
            return Ok(());
        }
        if let Some(state) = state.filter(|state| header.producer_epoch < state.epoch) {
            let (epoch, current_epoch) = (header.producer_epoch, state.epoch);
            return Err(LogError::InvalidProducerEpoch { producer_id: header.producer_id, epoch, current_epoch });
        }
        match self.verifications.allows(header, check) {
            true => Ok(()),
            false => Err(LogError::TransactionNotVerified { producer_id: header.producer_id }),
        }
    }

    /// Whether a producer's transaction is open here; if not, the guard under which the transaction coordinator is to be asked.
    ///
    /// Source: `UnifiedLog.maybeStartTransactionVerification`.
    ///
    /// # Errors
    /// The producer is fenced, or too many are being verified.
    pub fn start_verification(
        &mut self,
        now: Now,
        producer_id: i64,
        epoch: i16,
        base_sequence: i32,
        supports_epoch_bump: bool,
    ) -> Result<Option<VerificationGuard>, LogError> {
        if let Some(state) = self.producers.get(producer_id) {
            if epoch < state.epoch {
                return Err(LogError::InvalidProducerEpoch { producer_id, epoch, current_epoch: state.epoch });
            }
            if state.is_open_in(epoch) {
                return Ok(None);
            }
        }
        if self.verifications.len() >= self.config.max_producer_ids {
            return Err(LogError::TransactionNotVerified { producer_id });
        }
        let now_ms = now.wall_ms;
        Ok(Some(self.verifications.start(now_ms, producer_id, epoch, base_sequence, supports_epoch_bump)))
    }

    fn must_roll(&mut self, now: Now, bytes: u64, last: &BatchHeader) -> Result<bool, LogError> {
        let (segment_bytes, index_bytes) = (self.config.segment_bytes, self.config.segment_index_bytes);
        let Some(active) = self.segments.last_mut() else { return Ok(false) };
        let draw = || draw_roll_jitter_ms(&self.config, &self.topic_partition, now);
        let max_age_ms = self.config.max_segment_ms().saturating_sub(*active.roll_jitter_ms.get_or_insert_with(draw));
        if active.size_bytes == 0 {
            return Ok(false);
        }
        let age_ms = match active.first_timestamp_ms(&self.store)? {
            Some(first) => last.max_timestamp.saturating_sub(first),
            None => now.wall_ms.saturating_sub(active.created_ms),
        };
        Ok(active.size_bytes + bytes > segment_bytes
            || age_ms > max_age_ms
            || active.is_index_full(index_bytes)
            || last.last_offset() - active.base_offset > i64::from(i32::MAX))
    }
}

/// Spreads the rolls of many partitions (`LogConfig.randomSegmentJitter`): drawn once per segment, by what sets this moment apart, so that a
/// simulation draws the same again.
fn draw_roll_jitter_ms(config: &LogConfig, topic_partition: &TopicPartition, now: Now) -> i64 {
    let bound_ms = config.segment_jitter_ms.min(config.segment_ms);
    if bound_ms <= 0 {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    (topic_partition, now.mono, now.wall_ms).hash(&mut hasher);
    (hasher.finish() % bound_ms as u64) as i64
}

pub(super) fn aborted(completed: &CompletedTxn, last_stable_offset: i64) -> AbortedTxn {
    AbortedTxn {
        producer_id: completed.producer_id,
        first_offset: completed.first_offset,
        last_offset: completed.last_offset,
        last_stable_offset,
    }
}

/// The marker in a control batch of a producer, if it is one.
pub(super) fn end_txn_marker(header: &BatchHeader, batch: &[u8]) -> Result<Option<EndTxnMarker>, LogError> {
    if !header.is_control() || !header.has_producer_id() {
        return Ok(None);
    }
    let Some(record) = records(batch, MAX_CONTROL_BYTES)?.next() else { return Ok(None) };
    let record = record?;
    let abort = match control_type(&record.key.unwrap_or_default())? {
        Some(ControlType::Abort) => true,
        Some(ControlType::Commit) => false,
        _ => return Ok(None),
    };
    let coordinator_epoch = decode_end_txn_marker(&record.value.unwrap_or_default())?;
    Ok(Some(EndTxnMarker { abort, coordinator_epoch }))
}
