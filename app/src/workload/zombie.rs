//! A producer that was frozen with its transaction open. When it wakes up another producer of its transactional id has taken its place, and it
//! does not know: it goes on writing, and tries to commit.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::counts::Counts;
use super::producer::{Deliveries, Hand, TRANSACTION_STEP, WorkloadProducer, told};
use crate::ledger::Shelved;

/// So many records it tries to write once it is awake.
const TRIES: usize = 20;

/// Whether an error says that another producer has the transactional id by now.
pub fn is_fencing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    };
    matches!(code, Some(Fenced | InvalidProducerEpoch | ProducerFenced))
}

impl WorkloadProducer {
    /// Stands still in its transaction, if that is still wanted, until it is woken; then goes on as if nothing had happened. Whether it did:
    /// its client is of no use any more.
    pub(super) fn stands_still(&self, producer: &BaseProducer<Deliveries>, hand: &mut Hand) -> bool {
        // What was handed over is in the log, and all reports are in: the transaction is open for everybody to see.
        let is_flushed = self.until_done(|| producer.flush(TRANSACTION_STEP)).is_ok();
        let in_transaction = &producer.context().in_transaction;
        if !is_flushed || in_transaction.get() == 0 || !self.freeze.begin() {
            return false;
        }
        // Whoever takes its place has it aborted before anything else, and this producer has never asked for a commit: if one of these
        // records is read as committed, a promise was broken.
        hand.transaction = None;
        self.ledger.book().aborted(self.number);
        self.counts.aborted.add(in_transaction.take());
        self.counts.aborted_transactions.add_one();
        if self.freeze.wait(|| self.is_stopped()) {
            self.go_on(producer, hand);
        }
        true
    }

    fn go_on(&self, producer: &BaseProducer<Deliveries>, hand: &mut Hand) {
        let spec = self.asked.get();
        for _ in 0..TRIES {
            // A client that has learned that it is fenced takes no record any more.
            if let Err(error) = self.hand_over(producer, &spec, hand, true) {
                self.refused(&error);
                break;
            }
        }
        let flushed = self.until_done(|| producer.flush(TRANSACTION_STEP));
        let committed = flushed.and_then(|()| self.until_done(|| producer.commit_transaction(TRANSACTION_STEP)));
        if let Err(error) = committed {
            self.refused(&error);
        }
    }

    fn refused(&self, error: &KafkaError) {
        if is_fencing(error) {
            self.counts.fenced.add_one();
        }
        self.counts.trouble(told(&format!("producer {}, which was frozen", self.number), error));
    }
}

/// What became of a record that a producer wrote after it had been frozen. Whatever it was told, such a record is never committed.
pub(super) fn delivered(counts: &Counts, ledger: &Shelved, (number, sequence): (u32, u64), error: Option<&KafkaError>) {
    match error {
        None => counts.aborted.add_one(),
        Some(error) => {
            counts.failed.add_one();
            if is_fencing(error) {
                counts.fenced.add_one();
            }
            counts.trouble(told(&format!("producer {number}, which was frozen"), error));
        }
    }
    ledger.book().never_committed(number, sequence, error.is_some_and(is_fencing));
}
