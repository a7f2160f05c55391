//! A transactional producer on its own thread: transactions over all partitions, some with an offset of a group, committed or aborted at
//! random; it dies in their midst, sleeps too long, and goes on when another has come with its transactional id.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaError};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::plan::TransactorPlan;
use super::producer::impatient;
use super::recorder::Recorder;
use crate::campaign::{Anomaly, Kind, Outcome, Value};
use crate::clients;

/// One call of the client's; who is told that it takes longer calls again.
const CALL: Duration = Duration::from_secs(10);
/// A cluster that heals lets a transaction begin and end within this.
const PATIENCE: Duration = Duration::from_secs(120);
/// `transaction.abort.timed.out.transaction.cleanup.interval.ms` of the row's process, and some more.
const CLEANUP: Duration = Duration::from_millis(1_500);

struct Fates {
    recorder: Arc<Recorder>,
}

impl ClientContext for Fates {}

impl ProducerContext for Fates {
    type DeliveryOpaque = usize;

    /// A record that failed makes its transaction fail, so that nothing is wrong with that by itself.
    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        match result {
            Ok(message) => self.recorder.acknowledged(index, Some(message.offset()).filter(|offset| *offset >= 0)),
            Err((KafkaError::MessageProduction(code), _)) => self.recorder.refused(*code),
            Err((error, _)) => self.recorder.noted(&format!("transactional: {error}")),
        }
    }
}

type Client = ThreadedProducer<Fates>;

/// A running transactional producer.
pub(super) struct TransactorThread {
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
    handle: JoinHandle<Result<(), String>>,
}

impl TransactorThread {
    pub(super) fn start(
        bootstrap_servers: &str,
        topic: &str,
        partitions: u32,
        process: u32,
        plan: TransactorPlan,
        (rng, recorder): (StdRng, Arc<Recorder>),
    ) -> TransactorThread {
        let (stop, ended) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let worker = Worker {
            bootstrap_servers: bootstrap_servers.to_owned(),
            topic: topic.to_owned(),
            partitions,
            process,
            plan,
            rng,
            recorder,
            stop: stop.clone(),
            ended: Arc::clone(&ended),
            sent: 0,
            offset: 0,
        };
        TransactorThread { stop, ended, handle: std::thread::spawn(move || worker.run()) }
    }

    /// So many transactions are behind it.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// No more transactions.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// All its transactions have ended, or are left to the coordinator.
    pub(super) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    pub(super) fn join(self) -> Result<(), String> {
        self.stop();
        self.handle.join().unwrap_or_else(|_| Err("the transactional producer's thread panicked".into()))
    }
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Commit,
    Abort,
    /// The producer is gone, whatever it had sent.
    Die,
    /// It is committed when its time is over.
    Oversleep,
    /// Another comes with the same transactional id before it is committed.
    Usurp,
}

/// Who goes on.
enum Next {
    Same,
    /// A new client.
    Anew,
    /// This one.
    Other(Client),
}

struct Worker {
    bootstrap_servers: String,
    topic: String,
    partitions: u32,
    process: u32,
    plan: TransactorPlan,
    rng: StdRng,
    recorder: Arc<Recorder>,
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
    sent: u64,
    /// Committed with the last transaction that had one.
    offset: i64,
}

/// The client's own error behind one of the crate's.
fn cause(error: &KafkaError) -> Option<&RDKafkaError> {
    match error {
        KafkaError::Transaction(error) => Some(error),
        _ => None,
    }
}

/// Whether the same call may be made again.
fn may_go_on(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Flush(_)) || cause(error).is_some_and(RDKafkaError::is_retriable)
}

fn is_fenced(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    cause(error).is_some_and(|error| matches!(error.code(), Fenced | InvalidProducerEpoch | ProducerFenced))
}

impl Worker {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn group(&self) -> String {
        format!("{}-{}", self.topic, self.process)
    }

    fn run(mut self) -> Result<(), String> {
        let group = self.group_client()?;
        let mut next = Next::Anew;
        let mut client = self.new_client()?;
        while !self.stopped() {
            client = match next {
                Next::Same => client,
                Next::Other(other) => other,
                Next::Anew => {
                    drop(client);
                    let client = self.new_client()?;
                    self.init(&client)?;
                    client
                }
            };
            self.read_offset(&group);
            next = self.transaction(&client, &group)?;
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(next, Next::Same) && self.plan.leaves_open {
            self.leave_open(&client);
        }
        Ok(())
    }

    fn new_client(&self) -> Result<Client, String> {
        let mut config = clients::config(&self.bootstrap_servers);
        config
            .set("transactional.id", self.group())
            .set("transaction.timeout.ms", self.plan.timeout_ms.to_string())
            .set("linger.ms", "1")
            .set("batch.num.messages", self.plan.batch.to_string())
            .set("request.timeout.ms", "1500");
        for (key, value) in impatient() {
            config.set(key, value);
        }
        let fates = Fates { recorder: self.recorder.clone() };
        config.create_with_context(fates).map_err(|error| format!("no transactional producer: {error}"))
    }

    /// Asks for the group's offset, and lends its name to the transactions.
    fn group_client(&self) -> Result<BaseConsumer, String> {
        let mut config = clients::config(&self.bootstrap_servers);
        // It waits for open transactions' offsets only if it reads what is committed.
        config.set("group.id", self.group()).set("isolation.level", "read_committed");
        for (key, value) in impatient() {
            config.set(key, value);
        }
        config.create().map_err(|error| format!("no group: {error}"))
    }

    /// From here on all others of the same transactional id are fenced, and what they left open has ended.
    fn init(&self, client: &Client) -> Result<(), String> {
        let start = Instant::now();
        while let Err(error) = client.init_transactions(CALL) {
            self.recorder.noted(&format!("init: {error}"));
            if !may_go_on(&error) || start.elapsed() > PATIENCE {
                return Err(format!("transactional producer {} cannot begin: {error}", self.process));
            }
        }
        Ok(())
    }

    fn choose(&mut self) -> Deed {
        match self.rng.random_range(0..100) {
            0..58 => Deed::Commit,
            58..80 => Deed::Abort,
            80..88 => Deed::Die,
            88..90 => Deed::Oversleep,
            _ => Deed::Usurp,
        }
    }

    fn transaction(&mut self, client: &Client, group: &BaseConsumer) -> Result<Next, String> {
        let began = Instant::now();
        let txn = self.recorder.txn_began(self.process);
        if let Err(error) = client.begin_transaction() {
            self.recorder.txn_ended(txn, Outcome::Fail, None);
            return self.lost(&error, began).map(|()| Next::Anew);
        }
        let sent = self.send_some(client, txn).and_then(|()| self.send_offset(client, group, txn));
        let deed = self.choose();
        if let Err(error) = sent {
            self.recorder.txn_ended(txn, Outcome::Fail, None);
            self.lost(&error, began)?;
            return self.abort(client, began);
        }
        match deed {
            Deed::Commit => self.commit(client, txn, began),
            Deed::Abort => {
                self.recorder.txn_ended(txn, Outcome::Fail, Some("aborted"));
                self.abort(client, began)
            }
            Deed::Die => {
                self.recorder.txn_ended(txn, Outcome::Fail, Some("died"));
                Ok(Next::Anew)
            }
            Deed::Oversleep => {
                let end = began + Duration::from_millis(self.plan.timeout_ms) + CLEANUP;
                while Instant::now() < end && !self.stopped() {
                    std::thread::park_timeout(Duration::from_millis(50));
                }
                self.recorder.noted("overslept");
                self.commit(client, txn, began)
            }
            Deed::Usurp => self.usurp(client, txn),
        }
    }

    fn send_some(&mut self, client: &Client, txn: u32) -> Result<(), KafkaError> {
        for _ in 0..self.rng.random_range(1..=self.plan.records_max) {
            let partition = self.rng.random_range(0..self.partitions);
            let value = (Value::from(self.process) << 32) | self.sent;
            self.sent += 1;
            let payload = value.to_be_bytes();
            let index = self.recorder.began_in(Some(txn), self.process, partition, value, -1);
            let record: BaseRecord<'_, [u8], [u8; 8], usize> = BaseRecord::with_opaque_to(&self.topic, index);
            client.send(record.partition(partition as i32).payload(&payload)).map_err(|(error, _)| error)?;
            if self.rng.random_bool(0.2) {
                client.poll(Duration::from_millis(self.rng.random_range(0..20)));
            }
        }
        Ok(())
    }

    fn send_offset(&mut self, client: &Client, group: &BaseConsumer, txn: u32) -> Result<(), KafkaError> {
        if !self.rng.random_bool(0.4) {
            return Ok(());
        }
        self.offset += self.rng.random_range(1..10);
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, 0, Offset::Offset(self.offset))?;
        let Some(metadata) = group.group_metadata() else { return Ok(()) };
        let start = Instant::now();
        loop {
            match client.send_offsets_to_transaction(&offsets, &metadata, CALL) {
                Ok(()) => break,
                Err(error) if may_go_on(&error) && start.elapsed() < PATIENCE => {}
                Err(error) => return Err(error),
            }
        }
        self.recorder.txn_offset(txn, self.offset);
        Ok(())
    }

    fn commit(&mut self, client: &Client, txn: u32, began: Instant) -> Result<Next, String> {
        let start = Instant::now();
        loop {
            match client.commit_transaction(CALL) {
                Ok(()) => {
                    self.recorder.txn_ended(txn, Outcome::Ok(None), Some("committed"));
                    return Ok(Next::Same);
                }
                Err(error) if may_go_on(&error) => {
                    self.recorder.noted(&format!("commit: {error}"));
                    if start.elapsed() > PATIENCE {
                        return Err(format!("transaction {txn} of {} could not be committed: {error}", self.process));
                    }
                }
                // It may have been asked for, or not even that.
                Err(error) => {
                    self.recorder.noted(&format!("commit: {error}"));
                    self.lost(&error, began)?;
                    return self.abort(client, began);
                }
            }
        }
    }

    fn abort(&self, client: &Client, began: Instant) -> Result<Next, String> {
        let start = Instant::now();
        while let Err(error) = client.abort_transaction(CALL) {
            self.recorder.noted(&format!("abort: {error}"));
            if !may_go_on(&error) {
                return self.lost(&error, began).map(|()| Next::Anew);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("a transaction of {} could not be aborted: {error}", self.process));
            }
        }
        Ok(Next::Same)
    }

    /// Another comes with the same transactional id: what was open is aborted, and who had it gets nothing committed any more, not even
    /// what the other has begun since.
    fn usurp(&mut self, client: &Client, txn: u32) -> Result<Next, String> {
        self.recorder.txn_ended(txn, Outcome::Fail, Some("fenced"));
        // Half of the time nothing of it is on its way any more.
        if self.rng.random_bool(0.5) {
            let _ = client.flush(CALL);
        }
        let other = self.new_client()?;
        self.init(&other)?;
        let (began, theirs) = (Instant::now(), self.recorder.txn_began(self.process));
        let sent = other.begin_transaction().and_then(|()| self.send_some(&other, theirs));
        let sent = sent.and_then(|()| other.flush(CALL));
        if client.commit_transaction(CALL).is_ok() {
            let what = format!("transaction {txn} was committed by {}, who was fenced before it asked", self.process);
            self.recorder.anomaly(Anomaly::new(Kind::NotFenced, what));
        }
        let next = match sent {
            Ok(()) => self.commit(&other, theirs, began)?,
            Err(error) => {
                self.recorder.txn_ended(theirs, Outcome::Fail, None);
                self.lost(&error, began)?;
                self.abort(&other, began)?
            }
        };
        Ok(if matches!(next, Next::Same) { Next::Other(other) } else { next })
    }

    /// A transaction that nobody will end but the coordinator.
    fn leave_open(&mut self, client: &Client) {
        let txn = self.recorder.txn_began(self.process);
        self.recorder.txn_ended(txn, Outcome::Fail, Some("left open"));
        if client.begin_transaction().is_ok() && self.send_some(client, txn).is_ok() {
            let _ = client.flush(CALL);
        }
    }

    /// The client gives the transaction up. Who is fenced for nothing is told of: nobody else was there, and its time was not over.
    fn lost(&self, error: &KafkaError, began: Instant) -> Result<(), String> {
        self.recorder.noted(&format!("transaction: {error}"));
        if is_fenced(error) && began.elapsed() < Duration::from_millis(self.plan.timeout_ms) {
            let what =
                format!("transactional producer {}, {:?} after it began: {error}", self.process, began.elapsed());
            self.recorder.anomaly(Anomaly::new(Kind::FencedForNothing, what));
        }
        Ok(())
    }

    /// None of its transactions is open now. In a fault there may be no answer; what is asked for later tells the same.
    fn read_offset(&self, group: &BaseConsumer) {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, 0);
        let Ok(told) = group.committed_offsets(asked, Duration::from_secs(2)) else { return };
        let Some(element) = told.find_partition(&self.topic, 0).filter(|element| element.error().is_ok()) else {
            return;
        };
        let offset = match element.offset() {
            Offset::Offset(offset) => offset,
            _ => -1,
        };
        self.recorder.offset_read(self.process, offset);
    }
}
