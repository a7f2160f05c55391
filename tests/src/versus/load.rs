//! Load by librdkafka, set up as its users tune it for throughput, or for latency.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use super::VersusError;

/// Partitions of each topic.
pub const PARTITIONS: i32 = 4;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

fn config(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers);
    config
}

fn runtime() -> Result<tokio::runtime::Runtime, VersusError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(super::io("no runtime"))
}

fn try_create(bootstrap_servers: &str, topic: &str, patience: Duration) -> Result<bool, VersusError> {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap_servers).create()?;
    let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(3)).set("min.insync.replicas", "2");
    let options = AdminOptions::new().operation_timeout(Some(patience)).request_timeout(Some(patience));
    let results = runtime()?.block_on(admin.create_topics([&new], &options));
    Ok(results.is_ok_and(|results| {
        results.iter().all(|result| matches!(result, Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))))
    }))
}

/// The cluster takes part when a topic with three replicas can be created: the same criterion for both.
pub(super) fn create_first_topic(bootstrap_servers: &str, until: Instant) -> Result<(), VersusError> {
    while !try_create(bootstrap_servers, "first", Duration::from_secs(5))? {
        if Instant::now() > until {
            return Err(VersusError::Other("no topic could be created: the cluster did not start".into()));
        }
    }
    Ok(())
}

/// Creates a topic with three replicas, of which two must be in sync.
///
/// # Errors
/// The cluster refuses.
pub fn create_topic(bootstrap_servers: &str, topic: &str) -> Result<(), VersusError> {
    match try_create(bootstrap_servers, topic, Duration::from_secs(30))? {
        true => Ok(()),
        false => Err(VersusError::Other(format!("topic {topic} could not be created"))),
    }
}

/// What became of the records; the opaque is when a record was sent, in microseconds since `began`.
struct Ledger {
    began: Instant,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    latencies_us: Option<Mutex<Vec<u64>>>,
    /// Of the first record that was sent after this and acknowledged: when that was, in microseconds since `began`.
    watch_from_us: AtomicU64,
    first_after_us: AtomicU64,
}

impl Ledger {
    fn new(keep_latencies: bool) -> Ledger {
        Ledger {
            began: Instant::now(),
            acknowledged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies_us: keep_latencies.then(Mutex::default),
            watch_from_us: AtomicU64::new(u64::MAX),
            first_after_us: AtomicU64::new(u64::MAX),
        }
    }

    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

impl ClientContext for Ledger {}

impl ProducerContext for Ledger {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if let Some(latencies) = &self.latencies_us {
            let took = self.now_us().saturating_sub(sent_us as u64);
            latencies.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(took);
        }
        if sent_us as u64 >= self.watch_from_us.load(Ordering::Relaxed) {
            self.first_after_us.fetch_min(self.now_us(), Ordering::Relaxed);
        }
    }
}

/// Sends `records` records of `bytes` bytes as fast as they are taken, acks=all; the time until the last is acknowledged.
///
/// # Errors
/// A record was not acknowledged.
pub fn produce(bootstrap_servers: &str, topic: &str, records: u64, bytes: usize) -> Result<Duration, VersusError> {
    let producer: ThreadedProducer<Ledger> = config(bootstrap_servers)
        .set("acks", "all")
        .set("linger.ms", "10")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "100000")
        .set("queue.buffering.max.messages", "500000")
        .set("queue.buffering.max.kbytes", "1048576")
        .create_with_context(Ledger::new(false))?;
    let payload = vec![b'x'; bytes];
    let began = Instant::now();
    for number in 0..records {
        let mut record = BaseRecord::<(), [u8], usize>::with_opaque_to(topic, 0)
            .partition((number % 4) as i32)
            .payload(&payload[..]);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
    producer.flush(PATIENCE)?;
    let took = began.elapsed();
    let acknowledged = producer.context().acknowledged.load(Ordering::Relaxed);
    if acknowledged != records {
        return Err(VersusError::Other(format!("only {acknowledged} of {records} records were acknowledged")));
    }
    Ok(took)
}

/// Reads `records` records from the beginning of all partitions; the time that takes, without that until the first arrives.
///
/// # Errors
/// They do not come.
pub fn consume(bootstrap_servers: &str, topic: &str, records: u64) -> Result<Duration, VersusError> {
    let consumer: BaseConsumer = config(bootstrap_servers)
        .set("group.id", "versus")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "false")
        .set("queued.min.messages", "1000000")
        // Else a client whose queue was full once asks nothing for a second, of whoever filled it.
        .set("fetch.queue.backoff.ms", "1")
        .set("fetch.message.max.bytes", "1048576")
        .create()?;
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let (mut read, mut began) = (0, None);
    let give_up = Instant::now() + PATIENCE;
    while read < records {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                std::hint::black_box(message.payload());
                began.get_or_insert_with(Instant::now);
                read += 1;
            }
            Some(Err(error)) => return Err(error.into()),
            None if Instant::now() > give_up => {
                return Err(VersusError::Other(format!("only {read} of {records} records could be read")));
            }
            None => {}
        }
    }
    Ok(began.map_or(Duration::ZERO, |began| began.elapsed()))
}

/// Latencies from send to acknowledgement.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Median, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile, in milliseconds.
    pub p99_ms: f64,
}

/// Sends 500 records of 100 bytes a second, each at once; the first second is not counted.
///
/// # Errors
/// The client failed.
pub fn latency(bootstrap_servers: &str, topic: &str, seconds: u64) -> Result<Latency, VersusError> {
    let producer: ThreadedProducer<Ledger> =
        config(bootstrap_servers).set("acks", "all").set("linger.ms", "0").create_with_context(Ledger::new(true))?;
    let ledger = producer.context();
    let payload = [b'x'; 100];
    let began = Instant::now();
    for number in 0..(seconds + 1) * 500 {
        let due = began + Duration::from_millis(2 * number);
        while let Some(rest) = due.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            std::thread::park_timeout(rest);
        }
        let record = BaseRecord::<(), [u8], usize>::with_opaque_to(topic, ledger.now_us() as usize)
            .partition((number % 4) as i32)
            .payload(&payload);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    let latencies = ledger.latencies_us.as_ref().map(|all| {
        let all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut counted: Vec<u64> = all.iter().skip(500).copied().collect();
        counted.sort_unstable();
        counted
    });
    let latencies =
        latencies.filter(|all| !all.is_empty()).ok_or_else(|| VersusError::Other("nothing measured".into()))?;
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    Ok(Latency { p50_ms: at(0.5), p99_ms: at(0.99) })
}

/// Which broker leads partition 0 of a topic.
///
/// # Errors
/// The client failed, or nobody leads it.
pub fn leader(bootstrap_servers: &str, topic: &str) -> Result<i32, VersusError> {
    let consumer: BaseConsumer = config(bootstrap_servers).create()?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30))?;
    let partition = metadata.topics().first().and_then(|topic| topic.partitions().iter().find(|p| p.id() == 0));
    partition
        .map(|partition| partition.leader())
        .filter(|leader| *leader > 0)
        .ok_or_else(|| VersusError::Other(format!("nobody leads {topic}-0")))
}

/// Writes a record every 5 ms to partition 0, and has its leader killed by `kill`; the time from then until a record that was sent after
/// it is acknowledged.
///
/// # Errors
/// None is within two minutes.
pub fn unavailability(
    bootstrap_servers: &str,
    topic: &str,
    kill: impl FnOnce() -> Result<(), VersusError>,
) -> Result<Duration, VersusError> {
    let producer: ThreadedProducer<Ledger> = config(bootstrap_servers)
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("retry.backoff.ms", "20")
        .set("topic.metadata.refresh.fast.interval.ms", "20")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .create_with_context(Ledger::new(false))?;
    let ledger = producer.context();
    let send = || {
        let sent_us = ledger.now_us() as usize;
        let record = BaseRecord::<(), [u8], usize>::with_opaque_to(topic, sent_us).partition(0).payload(b"x");
        // A full queue is as good as a record on its way.
        let _ = producer.send(record);
        std::thread::park_timeout(Duration::from_millis(5));
    };
    while ledger.acknowledged.load(Ordering::Relaxed) < 100 {
        send();
    }
    kill()?;
    let killed_us = ledger.now_us();
    ledger.watch_from_us.store(killed_us, Ordering::Relaxed);
    loop {
        send();
        let first = ledger.first_after_us.load(Ordering::Relaxed);
        if first != u64::MAX {
            return Ok(Duration::from_micros(first - killed_us));
        }
        if ledger.now_us() - killed_us > PATIENCE.as_micros() as u64 {
            return Err(VersusError::Other("nothing was acknowledged within two minutes after the kill".into()));
        }
    }
}
