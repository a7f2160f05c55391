//! Guards of transactional appends: a batch that begins a transaction on a partition is written only if the transaction coordinator was asked
//! since, and no marker came between the question and its answer.
//!
//! Source: KIP-890; `org.apache.kafka.storage.internals.log.VerificationStateEntry`, `VerificationGuard`.

use std::collections::HashMap;

use super::LogError;
use crate::records::BatchHeader;

/// Names one question to the transaction coordinator; never the same twice in one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerificationGuard(u64);

/// What a transactional append must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TransactionCheck {
    /// Nothing: `transaction.partition.verification.enable` is off, or the batch is of no transaction.
    #[default]
    Off,
    /// That the transaction is open here, or this guard.
    Guard(Option<VerificationGuard>),
}

/// A question that is not settled.
#[derive(Clone, Debug)]
struct Entry {
    guard: VerificationGuard,
    since_ms: i64,
    lowest_sequence: i32,
    epoch: i16,
    supports_epoch_bump: bool,
}

/// The questions of one log, by producer id. In memory only: what is lost is asked anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Verifications {
    entries: HashMap<i64, Entry>,
    last: u64,
}

impl Verifications {
    /// The guard of a producer that is about to begin a transaction here; the same one until it has begun.
    pub(super) fn start(
        &mut self,
        now_ms: i64,
        producer_id: i64,
        epoch: i16,
        sequence: i32,
        supports_epoch_bump: bool,
    ) -> VerificationGuard {
        let last = &mut self.last;
        let entry = self.entries.entry(producer_id).or_insert_with(|| {
            *last += 1;
            let guard = VerificationGuard(*last);
            Entry { guard, since_ms: now_ms, lowest_sequence: sequence, epoch, supports_epoch_bump }
        });
        if epoch > entry.epoch || (epoch == entry.epoch && sequence < entry.lowest_sequence) {
            (entry.epoch, entry.lowest_sequence) = (epoch, sequence);
        }
        entry.guard
    }

    /// How many are not settled.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a batch that would begin a transaction may.
    pub(super) fn allows(&self, header: &BatchHeader, check: TransactionCheck) -> bool {
        match check {
            TransactionCheck::Off => true,
            TransactionCheck::Guard(guard) => {
                guard.is_some() && self.entries.get(&header.producer_id).map(|entry| entry.guard) == guard
            }
        }
    }

    /// A later batch must not overtake an earlier one that is still being verified; `is_known`: the log has batches of this producer.
    pub(super) fn check_sequence(&self, header: &BatchHeader, is_known: bool) -> Result<(), LogError> {
        let Some(entry) = self.entries.get(&header.producer_id) else { return Ok(()) };
        let first = header.base_sequence;
        let unknown = entry.supports_epoch_bump && first != 0 && !is_known;
        if unknown || first > entry.lowest_sequence {
            let last_sequence = if unknown { -1 } else { entry.lowest_sequence };
            return Err(LogError::OutOfOrderSequence {
                producer_id: header.producer_id,
                sequence: first,
                last_sequence,
            });
        }
        Ok(())
    }

    /// A transactional batch or a marker was written: the transaction has begun, or is over. A marker that carries the epoch for which a
    /// version 2 transaction is being verified ended the one before.
    pub(super) fn settle(&mut self, header: &BatchHeader) {
        if !header.is_transactional() {
            return;
        }
        let next_has_begun = self.entries.get(&header.producer_id).is_some_and(|entry| {
            entry.supports_epoch_bump && header.is_control() && header.producer_epoch == entry.epoch
        });
        if !next_has_begun {
            self.entries.remove(&header.producer_id);
        }
    }

    /// Forgets what was never settled.
    pub(super) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.entries.retain(|_, entry| now_ms.saturating_sub(entry.since_ms) < expiration_ms);
    }
}
