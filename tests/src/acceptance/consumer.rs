//! A consumer on its own thread, which notes all that it is given.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::producer::impatient;
use super::recorder::Recorder;
use crate::campaign::{Anomaly, Kind, Value};
use crate::clients;

/// Who begins again does so no more often.
const AGAIN: Duration = Duration::from_millis(700);

/// What a consumer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Reads from the beginning, then follows the end.
    Tail,
    /// Begins again whenever it has come to the end.
    Again,
    /// Subscribes, in a group, and commits.
    Group,
    /// Reads from the beginning to the end, and is done.
    Drain,
}

struct Watching {
    recorder: Arc<Recorder>,
    process: u32,
}

impl ClientContext for Watching {}

impl ConsumerContext for Watching {
    fn post_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            for element in partitions.elements() {
                self.recorder.assigned(self.process, element.partition() as u32);
            }
        }
    }
}

/// What a consumer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    /// Number in the history.
    pub(super) process: u32,
    pub(super) habit: Habit,
    /// `isolation.level=read_committed`
    pub(super) committed: bool,
}

/// A running consumer.
pub(super) struct ConsumerThread {
    pub(super) reader: Reader,
    stop: Arc<AtomicBool>,
    handle: JoinHandle<Result<(), String>>,
}

impl ConsumerThread {
    pub(super) fn start(
        bootstrap_servers: &str,
        topic: &str,
        partitions: u32,
        reader: Reader,
        recorder: Arc<Recorder>,
    ) -> ConsumerThread {
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            bootstrap_servers: bootstrap_servers.to_owned(),
            topic: topic.to_owned(),
            partitions,
            reader,
            recorder,
            stop: stop.clone(),
        };
        ConsumerThread { reader, stop, handle: std::thread::spawn(move || worker.run()) }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Stops it, and waits until it has gone.
    pub(super) fn join(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.join().unwrap_or_else(|_| Err("the consumer's thread panicked".into()))
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    bootstrap_servers: String,
    topic: String,
    partitions: u32,
    reader: Reader,
    recorder: Arc<Recorder>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn client(&self) -> Result<BaseConsumer<Watching>, String> {
        let group = self.reader.habit == Habit::Group;
        let mut config = clients::config(&self.bootstrap_servers);
        config
            .set("group.id", format!("{}-{}", self.topic, self.reader.process))
            .set("enable.auto.commit", group.to_string())
            .set("auto.commit.interval.ms", "250")
            // Nobody deletes anything here: a position that is out of range is news.
            .set("auto.offset.reset", if group { "earliest" } else { "error" })
            .set("isolation.level", if self.reader.committed { "read_committed" } else { "read_uncommitted" })
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "50")
            .set("session.timeout.ms", "10000");
        for (key, value) in impatient() {
            config.set(key, value);
        }
        let watching = Watching { recorder: self.recorder.clone(), process: self.reader.process };
        config.create_with_context(watching).map_err(|error| format!("no consumer: {error}"))
    }

    /// A client that reads from the beginning. A new one each time: librdkafka aborts the process now and then when it is assigned what it
    /// is just leaving (`rd_kafka_assignment_partition_stopped`).
    fn begin(&self) -> Result<BaseConsumer<Watching>, String> {
        let client = self.client()?;
        if self.reader.habit == Habit::Group {
            client.subscribe(&[&self.topic]).map_err(|error| format!("cannot subscribe: {error}"))?;
            return Ok(client);
        }
        let mut assignment = TopicPartitionList::new();
        for partition in 0..self.partitions {
            self.recorder.assigned(self.reader.process, partition);
            let added = assignment.add_partition_offset(&self.topic, partition as i32, Offset::Offset(0));
            added.map_err(|error| format!("cannot ask for offset 0: {error}"))?;
        }
        client.assign(&assignment).map_err(|error| format!("cannot assign: {error}"))?;
        Ok(client)
    }

    fn run(self) -> Result<(), String> {
        let mut client = self.begin()?;
        let (mut ended, mut began) = (BTreeSet::new(), Instant::now());
        while !self.stop.load(Ordering::Relaxed) {
            match client.poll(Duration::from_millis(50)) {
                None => {}
                Some(Ok(message)) => {
                    ended.remove(&message.partition());
                    self.take(&message);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    self.out_of_range();
                    client = self.begin()?;
                    ended.clear();
                }
                Some(Err(error)) => self.error(&error),
            }
            let all = ended.len() == self.partitions as usize;
            if all && self.reader.habit == Habit::Drain {
                return Ok(());
            }
            if all && self.reader.habit == Habit::Again && began.elapsed() > AGAIN {
                client = self.begin()?;
                (ended, began) = (BTreeSet::new(), Instant::now());
            }
        }
        if self.reader.habit == Habit::Group {
            // What is not committed is read again by whoever comes next; nobody does.
            let _ = client.commit_consumer_state(CommitMode::Async);
        }
        Ok(())
    }

    fn take(&self, message: &rdkafka::message::BorrowedMessage<'_>) {
        let value =
            message.payload().and_then(|bytes| bytes.first_chunk::<8>()).map(|head| Value::from_be_bytes(*head));
        let (partition, offset) = (message.partition() as u32, message.offset());
        match value {
            Some(value) => self.recorder.read(self.reader.process, self.reader.committed, partition, offset, value),
            None => {
                let what = format!("offset {offset} of partition {partition} holds a record that nobody wrote");
                self.recorder.anomaly(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
    }

    fn out_of_range(&self) {
        self.recorder.noted("position out of range");
        if !self.recorder.lossy() {
            let what = format!("a position of consumer {} is out of range", self.reader.process);
            self.recorder.anomaly(Anomaly::new(Kind::UnexpectedError, what));
        }
    }

    fn error(&self, error: &KafkaError) {
        self.recorder.noted(&format!("consumer: {error}"));
        if matches!(error, KafkaError::MessageConsumption(RDKafkaErrorCode::BadMessage)) {
            let what = format!("consumer {} was given bytes that are no records: {error}", self.reader.process);
            self.recorder.anomaly(Anomaly::new(Kind::UnexpectedError, what));
        }
    }
}
