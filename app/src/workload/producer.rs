//! One built-in producer: a librdkafka client, paced, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::bindings::{rd_kafka_message_broker_id, rd_kafka_message_status, rd_kafka_msg_status_t};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig};
use rdkafka::{ClientContext, Statistics};

use super::asked::Asked;
use super::counts::{Count, Counts};
use super::dice::Dice;
use super::freeze::Freeze;
use super::keys::Keys;
use super::pace::Pace;
use super::payload::{Maker, Wish};
use super::record::Number;
use super::zombie;
use crate::ledger::Shelved;
use crate::ledger::book::Ack;
use crate::monitor::ledger::Acks;
use crate::monitor::workload::WorkloadSpec;

/// Records are handed over this often.
const TICK: Duration = Duration::from_millis(10);

/// A stop is noticed within this time.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// How long a stopping producer waits for its last acknowledgements.
const FLUSH: Duration = Duration::from_secs(2);

/// As fast as it can is still no faster than this, over all producers.
const AT_MOST_PER_S: f64 = super::spec::RATE_MAX as f64;

/// How long a transaction may take to be begun, committed or aborted before it is looked whether to stop.
pub(super) const TRANSACTION_STEP: Duration = Duration::from_secs(1);

/// One producer of a workload.
pub struct WorkloadProducer {
    /// Where to connect.
    pub bootstrap_servers: String,
    /// What is asked for, which changes.
    pub asked: Asked,
    /// Workload.
    pub workload: u64,
    /// Number within it, from 1.
    pub number: u32,
    /// The next record's number; it goes on where an earlier client of this number ended.
    pub sequence: Arc<AtomicU64>,
    /// When the workload began.
    pub began: Instant,
    /// Where it counts.
    pub counts: Arc<Counts>,
    /// Where what was promised is entered.
    pub ledger: Arc<Shelved>,
    /// Whether it is to stand still in a transaction.
    pub freeze: Arc<Freeze>,
    /// Of the one whose place it takes.
    pub fences: Option<Arc<Freeze>>,
    /// Set to end it.
    pub stop: Arc<AtomicBool>,
}

/// Counts what becomes of each record, and enters it in the ledger.
pub(super) struct Deliveries {
    counts: Arc<Counts>,
    ledger: Arc<Shelved>,
    /// Acknowledged in the transaction that is open.
    pub(super) in_transaction: Count,
    /// The producer's.
    number: u32,
    began: Instant,
    /// `None`: nobody acknowledges.
    acks: Option<Acks>,
    transactional: bool,
    /// The epoch that it began with; -1: not told yet.
    first_epoch: AtomicI64,
}

/// What is known of a record on its way.
pub struct Handed {
    /// Its number.
    sequence: u64,
    /// When it was handed over, in microseconds since the workload began.
    at_us: u64,
    /// By a producer whose place another has taken.
    by_zombie: bool,
}

impl ClientContext for Deliveries {
    /// Only an epoch that rises while a client lives is its own doing: one with a transactional.id begins where the last has ended.
    fn stats(&self, statistics: Statistics) {
        let Some(epoch) = statistics.eos.map(|eos| eos.producer_epoch).filter(|epoch| *epoch >= 0) else { return };
        let first = if self.transactional { epoch } else { 0 };
        let first = match self.first_epoch.compare_exchange(-1, first, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => first,
            Err(known) => known,
        };
        if epoch > first {
            self.ledger.book().epoch_raised();
        }
    }

    fn error(&self, error: KafkaError, _: &str) {
        self.counts.trouble(told(&format!("producer {}", self.number), &error));
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Handed>;

    fn delivery(&self, result: &DeliveryResult<'_>, handed: Box<Handed>) {
        let Handed { sequence, at_us, by_zombie } = *handed;
        if by_zombie {
            let error = result.as_ref().err().map(|(error, _)| error);
            return zombie::delivered(&self.counts, &self.ledger, (self.number, sequence), error);
        }
        match (result, self.acks) {
            // Nobody acknowledges with acks=0.
            (Ok(_), None) => self.counts.unknown.add_one(),
            (Ok(message), Some(acks)) => {
                let ack = Ack {
                    producer: self.number,
                    sequence,
                    partition: message.partition(),
                    offset: message.offset(),
                    broker: answered_by(message),
                    acks,
                    at_ms: now_ms(),
                };
                if self.transactional {
                    self.in_transaction.add_one();
                    self.ledger.book().delivered(ack);
                } else {
                    self.counts.acked.add_one();
                    self.ledger.book().acknowledged(ack);
                }
                let took = self.began.elapsed().saturating_sub(Duration::from_micros(at_us));
                self.counts.acknowledge(message.partition(), message.offset(), took);
            }
            (Err((error, message)), _) => {
                if was_never_written(message) && is_certain(error) {
                    self.counts.failed.add_one();
                    self.ledger.book().failed(self.number, sequence);
                } else {
                    self.counts.unknown.add_one();
                }
                // What is thrown away at the end is no trouble.
                if !matches!(
                    error.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
                ) {
                    self.counts.trouble(told(&format!("producer {}", self.number), error));
                }
            }
        }
    }
}

/// The broker that answered, or -1.
fn answered_by(message: &BorrowedMessage<'_>) -> i32 {
    // SAFETY: the message lives as long as the report that is borrowed here, and is only read.
    #[expect(unsafe_code, reason = "the library's wrapper has no name for that call")]
    unsafe {
        rd_kafka_message_broker_id(message.ptr())
    }
}

/// Whether the client knows of no attempt that can have brought it into a log.
fn was_never_written(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: as above.
    #[expect(unsafe_code, reason = "the library's wrapper has no name for that call")]
    let status = unsafe { rd_kafka_message_status(message.ptr()) };
    status == rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}

/// Whether an error says for certain that the record was not appended, at no attempt. That it was thrown out of the client's queue does not:
/// after a fatal error (OUT_OF_ORDER_SEQUENCE_NUMBER) that happens to what an earlier attempt has written too.
fn is_certain(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::QueueFull
                | Code::UnknownPartition
                | Code::UnknownTopic
                | Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidRecord
                | Code::InvalidMessageSize
                | Code::InvalidTopic
                | Code::MessageBatchTooLarge
                | Code::InvalidRequiredAcks
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::PolicyViolation
                | Code::UnsupportedForMessageFormat
        )
    )
}

/// What a producer has at hand while it sends.
pub(super) struct Hand {
    pace: Pace,
    keys: Keys,
    maker: Maker,
    key: String,
    value: String,
    /// When the transaction that is open began.
    pub(super) transaction: Option<Instant>,
    /// Decides which transactions are aborted.
    dice: Dice,
}

impl WorkloadProducer {
    /// Sends until it is told to stop.
    pub fn run(&self) {
        let spec = self.asked.get();
        self.ledger.book().client_began(self.number, self.sequence.load(Ordering::Relaxed));
        let producer = match self.client(&spec) {
            Ok(producer) => producer,
            Err(error) => return self.counts.fail(format!("producer {}: {error}", self.number)),
        };
        if let Err(error) = self.send(&producer, &spec) {
            self.counts.fail(format!("producer {}: {error}", self.number));
        }
        // What nobody answers within this time is purged, and its delivery report says what is known of it.
        if producer.flush(FLUSH).is_err() {
            producer.purge(PurgeConfig::default().queue().inflight());
            // The reports of what was purged are taken in here; were it to fail, they would be counted nowhere.
            let _ = producer.flush(FLUSH);
        }
    }

    fn client(&self, spec: &WorkloadSpec) -> KafkaResult<BaseProducer<Deliveries>> {
        let mut config = client_config(&self.bootstrap_servers, &format!("demo-producer-{}", self.number));
        config
            .set("acks", if spec.is_acks_all() { "all" } else { &spec.acks })
            .set("enable.idempotence", if spec.idempotent { "true" } else { "false" })
            .set("linger.ms", spec.linger_ms.to_string())
            .set("batch.size", spec.batch_bytes.to_string())
            .set("compression.type", spec.compression.name())
            .set("queue.buffering.max.messages", "20000")
            .set("queue.buffering.max.kbytes", "32768")
            .set("message.timeout.ms", "120000")
            .set("request.timeout.ms", "5000")
            .set("retry.backoff.ms", "50")
            .set("statistics.interval.ms", "1000");
        if spec.is_transactional() {
            config
                .set("transactional.id", format!("brokerscope-demo-{}-{}", self.workload, self.number))
                .set("transaction.timeout.ms", "60000")
                .set("message.timeout.ms", "60000");
        }
        config.create_with_context(Deliveries {
            counts: self.counts.clone(),
            in_transaction: Count::default(),
            number: self.number,
            began: self.began,
            ledger: self.ledger.clone(),
            acks: match spec.acks.as_str() {
                "0" => None,
                "1" => Some(Acks::Leader),
                _ => Some(Acks::All),
            },
            transactional: spec.is_transactional(),
            first_epoch: AtomicI64::new(-1),
        })
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn send(&self, producer: &BaseProducer<Deliveries>, made_for: &WorkloadSpec) -> KafkaResult<()> {
        let transactional = made_for.is_transactional();
        if transactional {
            self.until_done(|| producer.init_transactions(TRANSACTION_STEP))?;
            // From here on the one before has no say any more.
            self.fences.iter().for_each(|before| before.fence());
        }
        let mut hand = Hand {
            pace: Pace::new(1.0, self.began.elapsed()),
            keys: Keys::new(made_for, self.number),
            maker: Maker::new(self.number),
            key: String::new(),
            value: String::new(),
            transaction: None,
            dice: Dice::of(&[made_for.seed, self.number.into(), 7]),
        };
        while !self.is_stopped() {
            let spec = self.asked.get();
            let wait = self.tick(producer, &spec, transactional, &mut hand)?;
            if hand.transaction.is_some() && self.freeze.is_wanted() && self.stands_still(producer, &mut hand) {
                return Ok(());
            }
            if let Some(began) = hand.transaction
                && began.elapsed() >= Duration::from_millis(spec.transaction_ms.max(1))
            {
                self.end_transaction(producer, &spec, &mut hand)?;
            }
            producer.poll(wait.min(STOP_CHECK));
        }
        if hand.transaction.is_some() {
            self.end_transaction(producer, &self.asked.get(), &mut hand)?;
        }
        Ok(())
    }

    /// Sends what is due; returns how long there is nothing to do.
    fn tick(
        &self,
        producer: &BaseProducer<Deliveries>,
        spec: &WorkloadSpec,
        transactional: bool,
        hand: &mut Hand,
    ) -> KafkaResult<Duration> {
        let now = self.began.elapsed();
        let asked_for = spec.rate_at(now.as_millis() as u64);
        let rate = if spec.rate_per_s == 0 { AT_MOST_PER_S } else { asked_for.min(AT_MOST_PER_S) };
        if spec.paused || rate <= 0.0 {
            // Nothing becomes due meanwhile.
            hand.pace = Pace::new(1.0, now);
            return Ok(STOP_CHECK);
        }
        hand.pace.set(rate / f64::from(spec.producers.max(1)));
        hand.keys.follow(spec);
        let due = hand.pace.due(now);
        if due > 0 && transactional && hand.transaction.is_none() {
            producer.begin_transaction()?;
            hand.transaction = Some(Instant::now());
        }
        for _ in 0..due {
            if let Err(error) = self.hand_over(producer, spec, hand, false) {
                match error {
                    // The cluster does not keep up: this record stays due.
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {}
                    error if producer.client().fatal_error().is_some() => return Err(error),
                    // The topic or a partition is not there just now: the metadata may bring it back. Or the transaction is to be aborted.
                    error => self.counts.trouble(told(&format!("producer {}", self.number), &error)),
                }
                break;
            }
            hand.pace.sent(1);
        }
        Ok(hand.pace.wait(TICK))
    }

    /// Hands one record to the client library.
    pub(super) fn hand_over(
        &self,
        producer: &BaseProducer<Deliveries>,
        spec: &WorkloadSpec,
        hand: &mut Hand,
        by_zombie: bool,
    ) -> KafkaResult<()> {
        // Taken at once: one that was frozen counts on beside the one that has its place.
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let number = Number { workload: self.workload, producer: self.number, sequence };
        let wish = Wish { number, key: hand.keys.choose(sequence), at_ms: now_ms() };
        hand.maker.write(spec, &wish, &mut hand.key, &mut hand.value);
        let handed = Box::new(Handed { sequence, at_us: self.began.elapsed().as_micros() as u64, by_zombie });
        // A reader may have it before this thread goes on.
        self.ledger.book().sent(self.number, sequence);
        let record =
            BaseRecord::with_opaque_to(&spec.topic, handed).key(&hand.key).payload(&hand.value).timestamp(wish.at_ms);
        let Err((error, _)) = producer.send(record) else {
            self.counts.sent.add_one();
            return Ok(());
        };
        // The number is free again, if nobody has taken the next one.
        match self.sequence.compare_exchange(sequence + 1, sequence, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => self.ledger.book().not_sent(self.number, sequence),
            Err(_) => self.ledger.book().failed(self.number, sequence),
        }
        Err(error)
    }

    /// Commits, or aborts as often as was asked for, or where a commit is not possible.
    fn end_transaction(
        &self,
        producer: &BaseProducer<Deliveries>,
        spec: &WorkloadSpec,
        hand: &mut Hand,
    ) -> KafkaResult<()> {
        hand.transaction = None;
        let is_unwanted = hand.dice.share() * 100.0 < f64::from(spec.abort_percent);
        // All reports are in before, so that each record is counted where it belongs.
        let flushed = self.until_done(|| producer.flush(TRANSACTION_STEP));
        if flushed.is_ok() && !is_unwanted {
            self.ledger.book().commit_begins(self.number);
        }
        let committed = match flushed {
            Ok(()) if !is_unwanted => self.until_done(|| producer.commit_transaction(TRANSACTION_STEP)).map_err(Some),
            Ok(()) => Err(None),
            Err(error) => Err(Some(error)),
        };
        let in_transaction = &producer.context().in_transaction;
        match committed {
            Ok(()) => {
                self.counts.committed_transactions.add_one();
                self.counts.acked.add(in_transaction.take());
                self.ledger.book().committed(self.number, now_ms());
                Ok(())
            }
            Err(error) => {
                if let Some(error) = error
                    && producer.client().fatal_error().is_some()
                {
                    self.ledger.book().transaction_unknown(self.number);
                    return Err(error);
                }
                if let Err(error) = self.until_done(|| producer.abort_transaction(TRANSACTION_STEP)) {
                    self.ledger.book().transaction_unknown(self.number);
                    return Err(error);
                }
                self.ledger.book().aborted(self.number);
                self.counts.aborted_transactions.add_one();
                self.counts.aborted.add(in_transaction.take());
                Ok(())
            }
        }
    }

    /// Tries again what may be tried again, until it is done or the workload stops.
    pub(super) fn until_done(&self, mut attempt: impl FnMut() -> KafkaResult<()>) -> KafkaResult<()> {
        let mut stopped_at: Option<Instant> = None;
        loop {
            let error = match attempt() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let may_pass = match &error {
                KafkaError::Transaction(error) => error.is_retriable(),
                other => other.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut),
            };
            if self.is_stopped() {
                let since = *stopped_at.get_or_insert_with(Instant::now);
                if since.elapsed() >= FLUSH {
                    return Err(error);
                }
            }
            if !may_pass {
                return Err(error);
            }
        }
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Who has which trouble: the client library's own words, without the part that says where in it they come from.
pub fn told(who: &str, error: &KafkaError) -> String {
    let words = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    // `UnknownTopic (Broker: Unknown topic)`
    let inner = words.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(&words);
    let plain = inner.trim_start_matches("Broker: ").trim_start_matches("Local: ");
    format!("{who}: {}", if plain.is_empty() { inner } else { plain })
}

/// What all built-in clients have in common: they come back quickly after a broker died, and keep quiet.
pub fn client_config(bootstrap_servers: &str, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap_servers)
        .set("client.id", client_id)
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.connection.setup.timeout.ms", "2000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("topic.metadata.refresh.fast.interval.ms", "100")
        .set("broker.address.family", "any")
        .set_log_level(RDKafkaLogLevel::Emerg);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certain_failures_count_as_failed() {
        for (code, certain) in [
            (RDKafkaErrorCode::MessageTimedOut, false),
            (RDKafkaErrorCode::RequestTimedOut, false),
            (RDKafkaErrorCode::NotEnoughReplicasAfterAppend, false),
            (RDKafkaErrorCode::PurgeInflight, false),
            (RDKafkaErrorCode::PurgeQueue, false),
            // An earlier attempt, whose answer was lost, may have been appended.
            (RDKafkaErrorCode::NotEnoughReplicas, false),
            (RDKafkaErrorCode::MessageSizeTooLarge, true),
        ] {
            assert_eq!(is_certain(&KafkaError::MessageProduction(code)), certain, "{code:?}");
        }
    }

    #[test]
    fn trouble_is_told_in_words() {
        let error = KafkaError::MessageProduction(RDKafkaErrorCode::NotEnoughReplicas);
        assert_eq!(told("producer 1", &error), "producer 1: Not enough in-sync replicas");
        let error = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert_eq!(told("consumer 2", &error), "consumer 2: All broker connections are down");
    }

    #[test]
    fn clients_can_be_made() {
        use crate::monitor::workload::Codec;
        for (acks, idempotent, compression, transaction_ms) in [
            ("all", true, Codec::None, 0),
            ("all", true, Codec::Zstd, 500),
            ("1", false, Codec::Lz4, 0),
            ("0", false, Codec::Snappy, 0),
            ("0", false, Codec::Gzip, 0),
        ] {
            let spec =
                WorkloadSpec { acks: acks.into(), idempotent, compression, transaction_ms, ..WorkloadSpec::default() };
            let producer = WorkloadProducer {
                bootstrap_servers: "127.0.0.1:1".into(),
                asked: Asked::new(spec.clone()),
                workload: 1,
                number: 1,
                sequence: Arc::default(),
                began: Instant::now(),
                counts: Arc::default(),
                ledger: Arc::new(Shelved::new(1, Arc::default(), 0)),
                freeze: Arc::default(),
                fences: None,
                stop: Arc::default(),
            };
            assert!(producer.client(&spec).is_ok(), "acks {acks}, {compression:?}");
        }
    }
}
