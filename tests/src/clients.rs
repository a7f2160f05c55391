//! librdkafka through the crate `rdkafka`, set up the way its users set it up.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};

use crate::wait::wait_for;

/// How long a client may take for anything on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// For one question.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What all clients share.
pub fn config(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers);
    config
}

/// Creates a topic.
///
/// # Panics
/// If the cluster refuses.
pub fn create_topic(bootstrap_servers: &str, topic: &str, partitions: i32, replication_factor: i32) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap_servers).create().expect("an admin client");
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication_factor));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let results = runtime.block_on(admin.create_topics([&new], &options)).expect("CreateTopics is answered");
    assert_eq!(results, vec![Ok(topic.to_string())]);
}

/// Counts what became of each record.
#[derive(Default)]
pub struct Deliveries {
    /// Acknowledged.
    pub acknowledged: std::sync::atomic::AtomicU64,
    /// Errors, as told.
    pub errors: std::sync::Mutex<Vec<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            Err((error, _)) => self.errors.lock().expect("not poisoned").push(error.to_string()),
        }
    }
}

/// A producer that counts deliveries.
///
/// # Panics
/// If librdkafka refuses a setting.
pub fn producer(bootstrap_servers: &str, settings: &[(&str, &str)]) -> BaseProducer<Deliveries> {
    let mut config = config(bootstrap_servers);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create_with_context(Deliveries::default()).expect("a producer")
}

/// Hands one record over, waiting while the client's queue is full.
///
/// # Panics
/// If the client refuses it for another reason.
pub fn send(producer: &BaseProducer<Deliveries>, topic: &str, partition: Option<i32>, key: &str, value: &str) {
    loop {
        let mut record = BaseRecord::to(topic).key(key).payload(value);
        if let Some(partition) = partition {
            record = record.partition(partition);
        }
        match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return;
            }
            Err((rdkafka::error::KafkaError::MessageProduction(rdkafka::types::RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => panic!("the client refused a record: {error}"),
        }
    }
}

/// Waits until every record was answered for; all must have been acknowledged.
///
/// # Panics
/// If one was not.
pub fn flush(producer: &BaseProducer<Deliveries>, expected: u64) {
    producer.flush(PATIENCE).expect("the queue drains");
    let deliveries = producer.context();
    assert_eq!(*deliveries.errors.lock().expect("not poisoned"), Vec::<String>::new());
    assert_eq!(deliveries.acknowledged.load(std::sync::atomic::Ordering::Relaxed), expected);
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// Reads partitions 0 to `partitions`-1 from the beginning to the end that they have now.
///
/// # Panics
/// If that takes too long.
pub fn read_all(bootstrap_servers: &str, topic: &str, partitions: i32) -> Vec<Read> {
    let consumer: BaseConsumer = config(bootstrap_servers)
        .set("group.id", "reads-everything")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "false")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    let mut expected = 0;
    for partition in 0..partitions {
        // A leader that was just elected does not know its high watermark yet. librdkafka that was asked while there was no leader has been
        // seen to wait for all of its time and to find nothing, so each attempt is a short one.
        let (low, high) = wait_for("watermarks", PATIENCE, || {
            consumer.fetch_watermarks(topic, partition, ATTEMPT).map_err(|error| error.to_string())
        });
        expected += high - low;
        assignment
            .add_partition_offset(topic, partition, rdkafka::Offset::Beginning)
            .expect("an offset that can be asked for");
    }
    consumer.assign(&assignment).expect("an assignment");
    poll_until(&consumer, expected as usize)
}

/// Values of each partition, from its beginning to its end as `isolation` (`read_committed`, `read_uncommitted`) has it.
///
/// # Panics
/// If that takes too long.
pub fn read_as(bootstrap_servers: &str, topic: &str, partitions: i32, isolation: &str) -> Vec<Vec<String>> {
    let consumer: BaseConsumer = config(bootstrap_servers)
        .set("group.id", "reads-to-the-end")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, rdkafka::Offset::Beginning)
            .expect("an offset that can be asked for");
    }
    consumer.assign(&list).expect("an assignment");
    let mut read = vec![Vec::new(); partitions as usize];
    let mut at_end = vec![false; partitions as usize];
    let start = Instant::now();
    while at_end.contains(&false) {
        assert!(start.elapsed() < PATIENCE, "{topic} does not end: {at_end:?}");
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let value = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
                read[message.partition() as usize].push(value);
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => at_end[partition as usize] = true,
            Some(Err(_)) | None => {}
        }
    }
    read
}

/// Polls until so many records were read.
///
/// # Panics
/// If they do not come in time.
pub fn poll_until<C: rdkafka::consumer::ConsumerContext>(consumer: &BaseConsumer<C>, expected: usize) -> Vec<Read> {
    let mut read = Vec::with_capacity(expected);
    let start = Instant::now();
    while read.len() < expected {
        assert!(start.elapsed() < PATIENCE, "read {} of {expected} records", read.len());
        // Errors are transient: the client goes on by itself.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            read.push(Read {
                partition: message.partition(),
                offset: message.offset(),
                key: text(message.key()),
                value: text(message.payload()),
            });
        }
    }
    read
}
