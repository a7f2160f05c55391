//! A producer on its own thread: numbered records to one partition, each noted when it is handed over and when its fate is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::plan::ProducerPlan;
use super::recorder::Recorder;
use crate::campaign::{Anomaly, Kind, Value};
use crate::clients;

/// Records that nobody has answered for, at most; a longer outage finds a producer waiting.
const OUTSTANDING_MAX: u64 = 400;
/// How long a producer that repeats goes on about one record: longer than any fault lasts.
const IDEMPOTENT_TIMEOUT_MS: &str = "120000";
/// Without sequence numbers nobody repeats, so that a record is given up early.
const PLAIN_TIMEOUT_MS: &str = "8000";
/// All records are answered for by then.
const FINISH_MAX: Duration = Duration::from_secs(125);

/// What a plain producer may be told in the course of a fault.
const EXPECTED: [RDKafkaErrorCode; 12] = [
    RDKafkaErrorCode::NotLeaderForPartition,
    RDKafkaErrorCode::LeaderNotAvailable,
    RDKafkaErrorCode::UnknownTopicOrPartition,
    RDKafkaErrorCode::NotEnoughReplicas,
    RDKafkaErrorCode::NotEnoughReplicasAfterAppend,
    RDKafkaErrorCode::RequestTimedOut,
    RDKafkaErrorCode::KafkaStorageError,
    RDKafkaErrorCode::MessageTimedOut,
    RDKafkaErrorCode::OperationTimedOut,
    RDKafkaErrorCode::BrokerTransportFailure,
    RDKafkaErrorCode::AllBrokersDown,
    RDKafkaErrorCode::UnknownPartition,
];

struct Fates {
    recorder: Arc<Recorder>,
    plan: ProducerPlan,
    process: u32,
    answered: Arc<AtomicU64>,
}

impl ClientContext for Fates {}

impl ProducerContext for Fates {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(message) => self.recorder.acknowledged(index, Some(message.offset()).filter(|offset| *offset >= 0)),
            Err((error, _)) => self.refused(error),
        }
    }
}

impl Fates {
    fn refused(&self, error: &KafkaError) {
        let KafkaError::MessageProduction(code) = error else {
            let what = format!("producer {} was told {error}", self.process);
            return self.recorder.anomaly(Anomaly::new(Kind::UnexpectedError, what));
        };
        self.recorder.refused(*code);
        if self.recorder.lossy() || (!self.plan.idempotent && EXPECTED.contains(code)) {
            return;
        }
        let what = format!(
            "a record of producer {} (idempotent {}, acks={}) failed: {code:?}",
            self.process, self.plan.idempotent, self.plan.acks
        );
        self.recorder.anomaly(Anomaly::new(Kind::UnexpectedError, what));
    }
}

/// A running producer.
pub(super) struct ProducerThread {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<Result<(), String>>,
}

/// Settings of a producer, as its user would write them.
fn settings(plan: &ProducerPlan) -> Vec<(&'static str, String)> {
    let acks = if plan.acks == -1 { "all".to_owned() } else { plan.acks.to_string() };
    let mut settings = vec![
        ("acks", acks),
        ("enable.idempotence", plan.idempotent.to_string()),
        ("max.in.flight.requests.per.connection", plan.in_flight.to_string()),
        ("batch.num.messages", plan.batch.to_string()),
        ("linger.ms", plan.linger_ms.to_string()),
        ("compression.type", plan.compression.to_owned()),
        ("request.timeout.ms", "1500".to_owned()),
        ("message.timeout.ms", if plan.idempotent { IDEMPOTENT_TIMEOUT_MS } else { PLAIN_TIMEOUT_MS }.to_owned()),
    ];
    if !plan.idempotent {
        settings.push(("retries", "0".to_owned()));
    }
    settings.extend(impatient().map(|(key, value)| (key, value.to_owned())));
    settings
}

/// What lets a client notice within seconds that a broker is gone or silent.
pub(super) fn impatient() -> [(&'static str, &'static str); 6] {
    [
        ("socket.timeout.ms", "3000"),
        ("reconnect.backoff.ms", "50"),
        ("reconnect.backoff.max.ms", "400"),
        ("retry.backoff.ms", "50"),
        ("topic.metadata.refresh.interval.ms", "3000"),
        ("topic.metadata.refresh.fast.interval.ms", "100"),
    ]
}

impl ProducerThread {
    pub(super) fn start(
        bootstrap_servers: &str,
        topic: &str,
        process: u32,
        plan: ProducerPlan,
        recorder: Arc<Recorder>,
    ) -> ProducerThread {
        if !plan.idempotent && plan.acks == -1 {
            recorder.repeats(process);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            bootstrap_servers: bootstrap_servers.to_owned(),
            topic: topic.to_owned(),
            process,
            plan,
            recorder,
            stop: stop.clone(),
            answered: Arc::default(),
            sent: 0,
        };
        ProducerThread { stop, handle: std::thread::spawn(move || worker.run()) }
    }

    /// No more records.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// All records are answered for.
    pub(super) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    pub(super) fn join(self) -> Result<(), String> {
        self.stop();
        self.handle.join().unwrap_or_else(|_| Err("the producer's thread panicked".into()))
    }
}

struct Worker {
    bootstrap_servers: String,
    topic: String,
    process: u32,
    plan: ProducerPlan,
    recorder: Arc<Recorder>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    sent: u64,
}

impl Worker {
    fn client(&self) -> Result<BaseProducer<Fates>, String> {
        let mut config = clients::config(&self.bootstrap_servers);
        for (key, value) in settings(&self.plan) {
            config.set(key, value);
        }
        let fates = Fates {
            recorder: self.recorder.clone(),
            plan: self.plan.clone(),
            process: self.process,
            answered: self.answered.clone(),
        };
        config.create_with_context(fates).map_err(|error| format!("no producer: {error}"))
    }

    fn outstanding(&self) -> u64 {
        self.sent - self.answered.load(Ordering::Relaxed)
    }

    fn run(mut self) -> Result<(), String> {
        let mut client = self.client()?;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some((_, reason)) = client.client().fatal_error() {
                self.fatal(&reason);
                // As an application would: what is queued has failed, and a new producer begins with a new id.
                self.finish(&client)?;
                client = self.client()?;
            }
            for _ in 0..self.plan.batch {
                if self.outstanding() >= OUTSTANDING_MAX || !self.send(&client)? {
                    break;
                }
            }
            client.poll(Duration::from_millis(self.plan.pause_ms));
        }
        self.finish(&client)
    }

    /// The client can no longer say which of its records are written, nor go on.
    fn fatal(&self, reason: &str) {
        self.recorder.noted("fatal");
        let what = format!("producer {} (idempotent {}): {reason}", self.process, self.plan.idempotent);
        match self.recorder.lossy() {
            true => self.recorder.say(what),
            false => self.recorder.anomaly(Anomaly::new(Kind::SequenceLost, what)),
        }
    }

    /// Hands one record over. False: not now.
    fn send(&mut self, client: &BaseProducer<Fates>) -> Result<bool, String> {
        let value = (Value::from(self.process) << 32) | self.sent;
        let mut payload = value.to_be_bytes().to_vec();
        payload.resize(8 + self.plan.padding, b'.');
        let index = self.recorder.began(self.process, self.plan.partition, value, self.plan.acks);
        self.sent += 1;
        let record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(&self.topic, index);
        match client.send(record.partition(self.plan.partition as i32).payload(&payload)) {
            Ok(()) => Ok(true),
            Err((error, _)) => {
                // It never left: nobody will answer for it.
                self.answered.fetch_add(1, Ordering::Relaxed);
                match error {
                    KafkaError::MessageProduction(
                        RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::Fatal | RDKafkaErrorCode::PurgeQueue,
                    ) => Ok(false),
                    error => Err(format!("producer {} cannot send: {error}", self.process)),
                }
            }
        }
    }

    fn finish(&self, client: &BaseProducer<Fates>) -> Result<(), String> {
        let start = Instant::now();
        while self.outstanding() > 0 {
            if start.elapsed() > FINISH_MAX {
                let count = self.outstanding();
                return Err(format!("{count} records of producer {} were not answered for", self.process));
            }
            client.poll(Duration::from_millis(20));
        }
        Ok(())
    }
}
