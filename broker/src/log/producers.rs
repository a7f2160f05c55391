//! What a log remembers of idempotent and transactional producers: the last five batches of each, its epoch, its open transaction.
//!
//! Source: `org.apache.kafka.storage.internals.log.ProducerStateManager`, `ProducerAppendInfo`, `ProducerStateEntry`; KIP-98, KIP-360.

use std::collections::{BTreeSet, HashMap};

use super::{AppendOrigin, AppendRules, LogError};
use crate::planted::Bug;
use crate::records::{BatchHeader, NO_PRODUCER_EPOCH, NO_SEQUENCE, next_sequence};

/// Batches remembered for each producer: as many as it may have in flight.
const REMEMBERED_BATCHES: usize = 5;

/// A batch that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Records in it, less one.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp_ms: i64,
}

impl ProducerBatch {
    /// Offset of its first record.
    pub fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    fn first_sequence(&self) -> i32 {
        if self.last_sequence < self.offset_delta {
            (i64::from(i32::MAX) + 1 - i64::from(self.offset_delta) + i64::from(self.last_sequence)) as i32
        } else {
            self.last_sequence - self.offset_delta
        }
    }
}

/// What is known of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch; -1 if only a transaction marker was seen.
    pub epoch: i16,
    /// Epoch of the coordinator that last ended a transaction; -1 if none did.
    pub coordinator_epoch: i32,
    /// Timestamp of its last batch or marker.
    pub last_timestamp_ms: i64,
    /// First offset of its open transaction.
    pub current_txn_first_offset: Option<i64>,
    batches: [Option<ProducerBatch>; REMEMBERED_BATCHES],
}

impl ProducerState {
    fn new(producer_id: i64) -> ProducerState {
        ProducerState {
            producer_id,
            epoch: NO_PRODUCER_EPOCH,
            coordinator_epoch: -1,
            last_timestamp_ms: -1,
            current_txn_first_offset: None,
            batches: [None; REMEMBERED_BATCHES],
        }
    }

    /// The batches remembered, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = &ProducerBatch> {
        self.batches.iter().flatten()
    }

    /// The last batch of the current epoch.
    pub fn last_batch(&self) -> Option<&ProducerBatch> {
        self.batches().last()
    }

    /// Sequence number of the last record; -1 if there is none in this epoch.
    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// Whether the log has batches of it.
    pub(super) fn has_batches(&self) -> bool {
        self.batches.iter().any(Option::is_some)
    }

    /// Whether it has a transaction open in this epoch.
    pub fn is_open_in(&self, epoch: i16) -> bool {
        self.current_txn_first_offset.is_some() && self.epoch == epoch
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches = [None; REMEMBERED_BATCHES];
        }
    }

    fn add(&mut self, batch: ProducerBatch) {
        if self.batches.iter().all(Option::is_some) {
            self.batches.rotate_left(1);
            self.batches[REMEMBERED_BATCHES - 1] = None;
        }
        if let Some(free) = self.batches.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(batch);
        }
    }

    fn duplicate_of(&self, header: &BatchHeader) -> Option<ProducerBatch> {
        if Bug::SequenceCheckOff.is_planted() {
            return None;
        }
        if header.producer_epoch != self.epoch {
            return None;
        }
        let same = |batch: &&ProducerBatch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        };
        self.batches().find(same).copied()
    }

    fn check_sequence(&self, header: &BatchHeader) -> Result<(), LogError> {
        let (last, first) = (self.last_sequence(), header.base_sequence);
        let in_order = if self.epoch == NO_PRODUCER_EPOCH {
            true // All of its records are gone; Kafka takes any number then.
        } else if self.epoch == header.producer_epoch {
            (last != NO_SEQUENCE && next_sequence(last, 1) == first) || (last == NO_SEQUENCE && first == 0)
        } else {
            first == 0
        };
        if in_order || Bug::SequenceCheckOff.is_planted() {
            return Ok(());
        }
        Err(LogError::OutOfOrderSequence { producer_id: self.producer_id, sequence: first, last_sequence: last })
    }
}

/// A transaction that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    /// Producer id.
    pub producer_id: i64,
    /// First offset of its records.
    pub first_offset: i64,
    /// Offset of its marker.
    pub last_offset: i64,
    /// Aborted, not committed.
    pub aborted: bool,
}

/// An abort or commit marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Aborts, does not commit.
    pub abort: bool,
    /// Epoch of the coordinator that wrote it.
    pub coordinator_epoch: i32,
}

/// The producers of one log.
#[derive(Clone, Debug, Default)]
pub struct ProducerStates {
    producers: HashMap<i64, ProducerState>,
    /// First offset of each open transaction.
    open: BTreeSet<(i64, i64)>,
    /// Ended, but the marker may still be above the high watermark.
    unreplicated: Vec<CompletedTxn>,
    max_producers: usize,
}

/// States as they will be once a list of batches is appended. Nothing is changed until [`ProducerStates::commit`].
#[derive(Debug, Default)]
pub struct Staged {
    states: Vec<ProducerState>,
    completed: Vec<CompletedTxn>,
}

impl Staged {
    /// Transactions that the batches end.
    pub fn completed(&self) -> &[CompletedTxn] {
        &self.completed
    }
}

impl ProducerStates {
    /// Remembers at most `max_producers` producers.
    pub fn new(max_producers: usize) -> ProducerStates {
        ProducerStates { max_producers: max_producers.max(1), ..ProducerStates::default() }
    }

    /// What is known of a producer.
    pub fn get(&self, producer_id: i64) -> Option<&ProducerState> {
        self.producers.get(&producer_id)
    }

    /// All producers known, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &ProducerState> {
        self.producers.values()
    }

    /// How many producers are known.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// The batch as it was appended before, if it was.
    pub fn duplicate_of(&self, header: &BatchHeader) -> Option<ProducerBatch> {
        self.producers.get(&header.producer_id)?.duplicate_of(header)
    }

    /// Takes a batch into `staged`. `header` has its final offsets. Without rules another replica has checked it.
    pub fn stage(
        &self,
        staged: &mut Staged,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        rules: Option<AppendRules>,
    ) -> Result<(), LogError> {
        let replicated = rules.is_none();
        if !header.has_producer_id() {
            return Ok(());
        }
        let id = header.producer_id;
        let index = match staged.states.iter().position(|state| state.producer_id == id) {
            Some(index) => index,
            None => {
                staged.states.push(self.producers.get(&id).cloned().unwrap_or_else(|| ProducerState::new(id)));
                staged.states.len() - 1
            }
        };
        let state = &mut staged.states[index];
        let is_late = match marker {
            Some(_) if rules.is_some_and(|rules| rules.transaction_version >= 2) => is_late_marker(state, header),
            _ => header.producer_epoch < state.epoch,
        };
        if is_late && !replicated {
            let (epoch, current_epoch) = (header.producer_epoch, state.epoch);
            return Err(LogError::InvalidProducerEpoch { producer_id: id, epoch, current_epoch });
        }
        if header.is_control() {
            if let Some(marker) = marker {
                staged.completed.extend(end_transaction(state, header, marker, replicated)?);
            }
            return Ok(());
        }
        if rules.is_some_and(|rules| rules.origin == AppendOrigin::Client) {
            state.check_sequence(header)?;
        }
        append_data(state, header, replicated)
    }

    /// Makes what was staged the truth.
    pub fn commit(&mut self, staged: Staged) {
        for state in staged.states {
            let before = self.producers.get(&state.producer_id).and_then(|before| before.current_txn_first_offset);
            if before != state.current_txn_first_offset {
                if let Some(first) = before {
                    self.open.remove(&(first, state.producer_id));
                }
                if let Some(first) = state.current_txn_first_offset {
                    self.open.insert((first, state.producer_id));
                }
            }
            self.insert(state);
        }
        self.unreplicated.extend(staged.completed);
    }

    fn insert(&mut self, state: ProducerState) {
        if self.producers.len() >= self.max_producers && !self.producers.contains_key(&state.producer_id) {
            self.forget_some();
        }
        self.producers.insert(state.producer_id, state);
    }

    /// Forgets an eighth, those silent for longest, so that a flood of new ids costs little each.
    fn forget_some(&mut self) {
        let mut idle: Vec<(i64, i64)> = self
            .producers
            .values()
            .filter(|state| state.current_txn_first_offset.is_none())
            .map(|state| (state.last_timestamp_ms, state.producer_id))
            .collect();
        let count = (self.max_producers / 8).max(1).min(idle.len());
        if count > 0 {
            idle.select_nth_unstable(count - 1);
        }
        for (_, id) in &idle[..count] {
            self.producers.remove(id);
        }
    }

    pub(super) fn restore(&mut self, entries: Vec<SnapshotEntry>) {
        for entry in entries {
            let mut state = ProducerState::new(entry.producer_id);
            state.epoch = entry.epoch;
            state.coordinator_epoch = entry.coordinator_epoch;
            state.last_timestamp_ms = entry.batch.timestamp_ms;
            state.current_txn_first_offset =
                (entry.current_txn_first_offset >= 0).then_some(entry.current_txn_first_offset);
            if entry.batch.last_sequence != NO_SEQUENCE && entry.batch.last_offset >= 0 {
                state.add(entry.batch);
            }
            if let Some(first) = state.current_txn_first_offset {
                self.open.insert((first, state.producer_id));
            }
            self.insert(state);
        }
    }

    pub(super) fn snapshot(&self) -> Vec<SnapshotEntry> {
        let mut entries: Vec<SnapshotEntry> = self.producers.values().map(SnapshotEntry::of).collect();
        entries.sort_unstable_by_key(|entry| entry.producer_id);
        entries
    }

    /// Forgets producers silent for longer than `expiration_ms`, unless a transaction is open.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, state| {
            state.current_txn_first_offset.is_some() || now_ms.saturating_sub(state.last_timestamp_ms) < expiration_ms
        });
    }

    /// Forgets ended transactions whose markers are below the high watermark: they hold nothing back any more.
    pub fn on_high_watermark(&mut self, high_watermark: i64) {
        self.unreplicated.retain(|txn| txn.last_offset >= high_watermark);
    }

    /// When the producer of the oldest open transaction last wrote.
    pub fn oldest_txn_last_timestamp_ms(&self) -> Option<i64> {
        let (_, producer_id) = self.open.first()?;
        self.producers.get(producer_id).map(|state| state.last_timestamp_ms)
    }

    /// First offset of a transaction that is open, or whose marker is not below the high watermark.
    pub fn first_unstable_offset(&self, high_watermark: i64) -> Option<i64> {
        let ended =
            self.unreplicated.iter().filter(|txn| txn.last_offset >= high_watermark).map(|txn| txn.first_offset).min();
        let open = self.open.first().map(|&(first, _)| first);
        [ended, open].into_iter().flatten().min()
    }

    /// First offset of a transaction that is open once `completed`, one of those that are staged, has ended. Others may begin and end in the
    /// same append: a follower is given many batches at once.
    pub(super) fn last_stable_offset_after(&self, staged: &Staged, completed: &CompletedTxn) -> i64 {
        let end = completed.last_offset + 1;
        let ended = |(first, id): (i64, i64)| {
            let is_it =
                |txn: &CompletedTxn| (txn.first_offset, txn.producer_id) == (first, id) && txn.last_offset < end;
            staged.completed.iter().any(is_it)
        };
        let before = self.open.iter().copied().find(|open| !ended(*open)).map(|(first, _)| first);
        let begun = staged.states.iter().filter_map(|state| state.current_txn_first_offset);
        let ending = staged.completed.iter().filter(|txn| txn.last_offset >= end).map(|txn| txn.first_offset);
        before.into_iter().chain(begun).chain(ending).fold(end, i64::min)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = ProducerStates::new(self.max_producers);
    }
}

/// A transaction of version 2 ends with an epoch of its own, above that of its records. The same epoch once more is the marker repeated, if the
/// transaction is over; it is let through (KAFKA-19999, KIP-1228).
fn is_late_marker(state: &ProducerState, header: &BatchHeader) -> bool {
    let epoch = header.producer_epoch;
    let repeated = epoch == state.epoch && (state.current_txn_first_offset.is_none() || epoch == i16::MAX);
    epoch <= state.epoch && !repeated
}

fn append_data(state: &mut ProducerState, header: &BatchHeader, replicated: bool) -> Result<(), LogError> {
    state.set_epoch(header.producer_epoch);
    state.add(ProducerBatch {
        last_sequence: header.last_sequence(),
        last_offset: header.last_offset(),
        offset_delta: header.last_offset_delta,
        timestamp_ms: header.max_timestamp,
    });
    state.last_timestamp_ms = header.max_timestamp;
    match state.current_txn_first_offset {
        Some(_) if !header.is_transactional() && !replicated => {
            return Err(LogError::InvalidTxnState { producer_id: state.producer_id });
        }
        None if header.is_transactional() => state.current_txn_first_offset = Some(header.base_offset),
        _ => {}
    }
    Ok(())
}

fn end_transaction(
    state: &mut ProducerState,
    header: &BatchHeader,
    marker: EndTxnMarker,
    replicated: bool,
) -> Result<Option<CompletedTxn>, LogError> {
    if marker.coordinator_epoch < state.coordinator_epoch && !replicated {
        return Err(LogError::TransactionCoordinatorFenced {
            producer_id: state.producer_id,
            epoch: marker.coordinator_epoch,
            current_epoch: state.coordinator_epoch,
        });
    }
    state.set_epoch(header.producer_epoch);
    state.coordinator_epoch = marker.coordinator_epoch;
    state.last_timestamp_ms = header.max_timestamp;
    Ok(state.current_txn_first_offset.take().map(|first_offset| CompletedTxn {
        producer_id: state.producer_id,
        first_offset,
        last_offset: header.base_offset,
        aborted: marker.abort,
    }))
}

/// One producer as a snapshot file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapshotEntry {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) batch: ProducerBatch,
    pub(super) coordinator_epoch: i32,
    pub(super) current_txn_first_offset: i64,
}

impl SnapshotEntry {
    fn of(state: &ProducerState) -> SnapshotEntry {
        let none = ProducerBatch { last_sequence: NO_SEQUENCE, last_offset: -1, offset_delta: 0, timestamp_ms: -1 };
        let mut batch = state.last_batch().copied().unwrap_or(none);
        batch.timestamp_ms = state.last_timestamp_ms;
        SnapshotEntry {
            producer_id: state.producer_id,
            epoch: state.epoch,
            batch,
            coordinator_epoch: state.coordinator_epoch,
            current_txn_first_offset: state.current_txn_first_offset.unwrap_or(-1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, Compression};

    fn header(offset: i64, epoch: i16, sequence: i32, records: i32, transactional: bool) -> BatchHeader {
        let mut batch =
            BatchBuilder::new(offset, Compression::None).producer(9, epoch, sequence).transactional(transactional);
        for _ in 0..records {
            batch.push(offset, None, None, &[]);
        }
        BatchHeader::parse(&batch.build()).unwrap()
    }

    fn append(states: &mut ProducerStates, header: BatchHeader) -> Result<(), LogError> {
        let mut staged = Staged::default();
        states.stage(&mut staged, &header, None, Some(AppendRules::of(AppendOrigin::Client)))?;
        states.commit(staged);
        Ok(())
    }

    fn end(
        states: &mut ProducerStates,
        offset: i64,
        epoch: i16,
        coordinator_epoch: i32,
    ) -> Result<Vec<CompletedTxn>, LogError> {
        let mut batch =
            BatchBuilder::new(offset, Compression::None).producer(9, epoch, -1).transactional(true).control(true);
        batch.push(offset, Some(b"0000"), None, &[]);
        let header = BatchHeader::parse(&batch.build()).unwrap();
        let mut staged = Staged::default();
        let marker = EndTxnMarker { abort: true, coordinator_epoch };
        states.stage(&mut staged, &header, Some(marker), Some(AppendRules::of(AppendOrigin::Coordinator)))?;
        let completed = staged.completed().to_vec();
        states.commit(staged);
        Ok(completed)
    }

    #[test]
    fn the_last_five_batches_are_known_again() {
        let mut states = ProducerStates::new(10);
        for i in 0..7 {
            append(&mut states, header(i * 3, 0, i as i32 * 3, 3, false)).unwrap();
        }
        for i in 0..7 {
            let again = states.duplicate_of(&header(100, 0, i as i32 * 3, 3, false));
            assert_eq!(again.map(|batch| batch.first_offset()), (i >= 2).then_some(i * 3), "batch {i}");
        }
        assert_eq!(states.duplicate_of(&header(100, 0, 18, 2, false)), None, "another length");
        assert!(matches!(append(&mut states, header(100, 0, 3, 3, false)), Err(LogError::OutOfOrderSequence { .. })));
        assert!(matches!(append(&mut states, header(100, 0, 22, 1, false)), Err(LogError::OutOfOrderSequence { .. })));
    }

    #[test]
    fn sequences_wrap_around() {
        let mut states = ProducerStates::new(10);
        append(&mut states, header(0, 0, i32::MAX - 1, 4, false)).unwrap();
        assert_eq!(states.get(9).unwrap().last_sequence(), 1);
        assert!(states.duplicate_of(&header(0, 0, i32::MAX - 1, 4, false)).is_some());
        append(&mut states, header(4, 0, 2, 1, false)).unwrap();
        let mut states = ProducerStates::new(10);
        append(&mut states, header(0, 0, i32::MAX, 1, false)).unwrap();
        append(&mut states, header(1, 0, 0, 1, false)).unwrap();
    }

    #[test]
    fn epochs_fence() {
        let mut states = ProducerStates::new(10);
        append(&mut states, header(0, 3, 0, 1, false)).unwrap();
        assert!(matches!(append(&mut states, header(1, 4, 1, 1, false)), Err(LogError::OutOfOrderSequence { .. })));
        append(&mut states, header(1, 4, 0, 1, false)).unwrap();
        assert!(matches!(append(&mut states, header(2, 3, 1, 1, false)), Err(LogError::InvalidProducerEpoch { .. })));
        assert_eq!(states.duplicate_of(&header(1, 3, 0, 1, false)), None);
    }

    #[test]
    fn open_transactions_hold_the_last_stable_offset() {
        let mut states = ProducerStates::new(10);
        append(&mut states, header(5, 0, 0, 2, true)).unwrap();
        append(&mut states, header(7, 0, 2, 2, true)).unwrap();
        assert_eq!(states.first_unstable_offset(100), Some(5));
        assert!(matches!(append(&mut states, header(9, 0, 4, 1, false)), Err(LogError::InvalidTxnState { .. })));
        let completed = end(&mut states, 9, 0, 1).unwrap();
        assert_eq!(completed, [CompletedTxn { producer_id: 9, first_offset: 5, last_offset: 9, aborted: true }]);
        assert_eq!(states.first_unstable_offset(9), Some(5), "the marker is not replicated yet");
        assert_eq!(states.first_unstable_offset(10), None);
        states.on_high_watermark(10);
        assert_eq!(states.first_unstable_offset(0), None);
        assert!(matches!(end(&mut states, 10, 0, 0), Err(LogError::TransactionCoordinatorFenced { .. })));
        assert_eq!(end(&mut states, 10, 0, 1).unwrap(), []);
    }

    #[test]
    fn the_silent_are_forgotten() {
        let mut states = ProducerStates::new(8);
        for id in 0..20 {
            let mut batch = BatchBuilder::new(id, Compression::None).producer(id, 0, 0).transactional(id == 0);
            batch.push(id, None, None, &[]);
            append(&mut states, BatchHeader::parse(&batch.build()).unwrap()).unwrap();
        }
        assert_eq!(states.len(), 8);
        assert!(states.get(0).is_some() && states.get(1).is_none() && states.get(19).is_some());
        states.expire(1000, 985);
        assert_eq!(states.len(), 5, "the open transaction and 16..=19");
        assert_eq!(states.snapshot().len(), 5);
    }
}
