//! Clients that we did not write, and what they were told: producers with acks=all, a group of consumers, and a last reader of everything.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientContext, Offset, Statistics};

use crate::clients;

/// Producers, each with numbers of its own.
pub const PRODUCERS: usize = 3;
/// Members of the group.
pub const CONSUMERS: usize = 2;
/// Records per second of each producer.
const RATE_PER_S: u64 = 100;
/// So long a record is tried: longer than any fault lasts, so that none is given up.
const MESSAGE_TIMEOUT_MS: &str = "300000";
/// After the storm whoever is to catch up has so long.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Marks by number.
#[derive(Clone, Debug, Default)]
pub struct Marks(Vec<u64>);

impl Marks {
    /// Marks a number; false: it was marked already.
    pub fn mark(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    /// How many are marked.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Numbers that are marked here and not there.
    pub fn without(&self, other: &Marks) -> Vec<u64> {
        let is_in = |marks: &Marks, number: u64| {
            marks.0.get((number / 64) as usize).is_some_and(|word| word & (1 << (number % 64)) != 0)
        };
        (0..self.0.len() as u64 * 64).filter(|number| is_in(self, *number) && !is_in(other, *number)).collect()
    }
}

/// What the clients of one topic were told.
#[derive(Debug)]
pub struct Load {
    topic: String,
    bootstrap_servers: String,
    /// Set when nothing is to be written any more.
    pub stop: AtomicBool,
    /// Set when the group is to end.
    pub leave: AtomicBool,
    /// By producer.
    acked: Vec<Mutex<Marks>>,
    /// What the group read, by producer.
    read: Vec<Mutex<Marks>>,
    /// Handed over.
    pub sent: AtomicU64,
    /// The producer epoch of each client, as it told last. One begins with 0, and raises it where it cannot go on with its sequence numbers.
    epochs: Vec<AtomicI64>,
    /// Given up by the client, with why.
    errors: Mutex<BTreeMap<String, u64>>,
}

struct Deliveries<'a>(&'a Load, usize);

impl ClientContext for Deliveries<'_> {
    fn stats(&self, statistics: Statistics) {
        let epoch = statistics.eos.map_or(0, |eos| eos.producer_epoch);
        self.0.epochs[self.1].fetch_max(epoch, Ordering::Relaxed);
    }
}

impl ProducerContext for Deliveries<'_> {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        match result {
            Ok(_) => drop(self.0.acked[self.1].lock().expect("not poisoned").mark(*number)),
            Err((error, _)) => self.0.note(&error.to_string()),
        }
    }
}

/// `2-17`: record 17 of producer 2.
fn parse(value: Option<&[u8]>) -> Option<(usize, u64)> {
    let (producer, number) = std::str::from_utf8(value?).ok()?.split_once('-')?;
    Some((producer.parse().ok().filter(|producer| *producer < PRODUCERS)?, number.parse().ok()?))
}

impl Load {
    /// On a topic, nothing yet.
    pub fn new(bootstrap_servers: &str, topic: &str) -> Load {
        let marks = || (0..PRODUCERS).map(|_| Mutex::default()).collect();
        Load {
            topic: topic.to_owned(),
            bootstrap_servers: bootstrap_servers.to_owned(),
            stop: AtomicBool::default(),
            leave: AtomicBool::default(),
            acked: marks(),
            read: marks(),
            sent: AtomicU64::default(),
            epochs: (0..PRODUCERS).map(|_| AtomicI64::default()).collect(),
            errors: Mutex::default(),
        }
    }

    fn note(&self, error: &str) {
        *self.errors.lock().expect("not poisoned").entry(error.to_owned()).or_default() += 1;
    }

    /// What went wrong with writing, how often.
    ///
    /// # Panics
    /// Never: nobody panics while it holds the lock.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().expect("not poisoned").clone()
    }

    /// Acknowledged so far.
    ///
    /// # Panics
    /// Never: nobody panics while it holds the lock.
    pub fn acked(&self) -> u64 {
        self.acked.iter().map(|marks| marks.lock().expect("not poisoned").count()).sum()
    }

    /// Read by the group so far.
    ///
    /// # Panics
    /// Never: nobody panics while it holds the lock.
    pub fn read(&self) -> u64 {
        self.read.iter().map(|marks| marks.lock().expect("not poisoned").count()).sum()
    }

    /// Writes until told to stop, then waits for the last answers.
    ///
    /// # Panics
    /// If librdkafka refuses a setting.
    pub fn produce(&self, producer: usize) {
        let mut config = clients::config(&self.bootstrap_servers);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("statistics.interval.ms", "1000")
            .set("message.timeout.ms", MESSAGE_TIMEOUT_MS);
        let client: BaseProducer<Deliveries<'_>> =
            config.create_with_context(Deliveries(self, producer)).expect("a producer");
        let began = Instant::now();
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            while number < began.elapsed().as_millis() as u64 * RATE_PER_S / 1000 {
                let value = format!("{producer}-{number}");
                let record = BaseRecord::with_opaque_to(&self.topic, Box::new(number)).key(&value).payload(&value);
                match client.send(record) {
                    Ok(()) => {
                        self.sent.fetch_add(1, Ordering::Relaxed);
                        number += 1;
                    }
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                    // The client takes nothing any more: that is told, and fails the run.
                    Err((error, _)) => return self.note(&format!("producer {producer} ended: {error}")),
                }
            }
            client.poll(Duration::from_millis(10));
        }
        if let Err(error) = client.flush(CATCH_UP) {
            self.note(&format!("producer {producer} has records under way at the end: {error}"));
        }
    }

    /// Reads in a group until told to leave.
    ///
    /// # Panics
    /// If librdkafka refuses a setting.
    pub fn consume(&self) {
        let consumer: BaseConsumer = clients::config(&self.bootstrap_servers)
            .set("group.id", "storm-readers")
            .set("auto.offset.reset", "earliest")
            .set("auto.commit.interval.ms", "1000")
            .set("session.timeout.ms", "6000")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[&self.topic]).expect("a subscription");
        while !self.leave.load(Ordering::Relaxed) {
            // Errors are transient: the client goes on by itself.
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100))
                && let Some((producer, number)) = parse(message.payload())
            {
                self.read[producer].lock().expect("not poisoned").mark(number);
            }
        }
    }

    /// Acknowledged, and not read by the group; waited for, since it may have to catch up.
    ///
    /// # Panics
    /// Never: nobody panics while it holds the locks.
    pub fn unread_by_group(&self) -> Vec<String> {
        let began = Instant::now();
        loop {
            let missing = self.missing(|producer| self.read[producer].lock().expect("not poisoned").clone());
            if missing.is_empty() || began.elapsed() > CATCH_UP {
                return missing;
            }
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }

    fn missing(&self, found: impl Fn(usize) -> Marks) -> Vec<String> {
        let of = |producer: usize| {
            let acked = self.acked[producer].lock().expect("not poisoned").clone();
            let missing = acked.without(&found(producer));
            missing.into_iter().map(move |number| format!("{producer}-{number}"))
        };
        (0..PRODUCERS).flat_map(of).collect()
    }

    /// Reads all from the beginning: what of the acknowledged is missing, what stands there twice, and what out of order.
    ///
    /// # Panics
    /// If the end does not come in time.
    pub fn read_back(&self, partitions: i32) -> ReadBack {
        let consumer: BaseConsumer = clients::config(&self.bootstrap_servers)
            .set("group.id", "storm-read-back")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(&self.topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let mut at_end = vec![false; partitions as usize];
        let mut found = vec![Marks::default(); PRODUCERS];
        let mut last = BTreeMap::<(i32, usize), u64>::new();
        let mut result = ReadBack::default();
        let mut heard = Instant::now();
        while at_end.contains(&false) {
            assert!(heard.elapsed() < CATCH_UP, "{} does not end: {at_end:?}", self.topic);
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let Some((producer, number)) = parse(message.payload()) else { continue };
                    result.records += 1;
                    let at = || format!("{producer}-{number} at {}@{}", message.partition(), message.offset());
                    let before = last.insert((message.partition(), producer), number);
                    if !found[producer].mark(number) {
                        // librdkafka that is told NOT_ENOUGH_REPLICAS for one batch, and then OUT_OF_ORDER_SEQUENCE_NUMBER for the next, raises
                        // its epoch for all partitions, and sends again what may have been written: that is its own doing.
                        match self.epochs[producer].load(Ordering::Relaxed) {
                            0 => result.twice.push(at()),
                            _ => result.twice_in_another_epoch.push(at()),
                        }
                    } else if before.is_some_and(|before| before > number) {
                        result.out_of_order.push(at());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => at_end[partition as usize] = true,
                Some(Err(_)) | None => {}
            }
        }
        result.missing = self.missing(|producer| found[producer].clone());
        result
    }
}

/// What was found when all was read once more.
#[derive(Debug, Default)]
pub struct ReadBack {
    /// In all.
    pub records: u64,
    /// Acknowledged, and not there.
    pub missing: Vec<String>,
    /// There more than once, though its producer never raised its epoch.
    pub twice: Vec<String>,
    /// There more than once, and its producer raised its epoch.
    pub twice_in_another_epoch: Vec<String>,
    /// Behind what its producer sent later.
    pub out_of_order: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_what_is_missing() {
        let (mut acked, mut read) = (Marks::default(), Marks::default());
        assert!([0, 63, 64, 200].into_iter().all(|number| acked.mark(number)));
        assert!(!acked.mark(64));
        assert!([0, 64, 65].into_iter().all(|number| read.mark(number)));
        assert_eq!((acked.count(), acked.without(&read)), (4, vec![63, 200]));
        assert_eq!(read.without(&acked), [65]);
    }

    #[test]
    fn values_are_read_and_anything_else_is_not() {
        assert_eq!(parse(Some(b"2-17")), Some((2, 17)));
        for other in [&b"9-1"[..], b"x", b"1-", b"\xff-1"] {
            assert_eq!(parse(Some(other)), None);
        }
    }
}
