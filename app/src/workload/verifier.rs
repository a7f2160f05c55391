//! Reads back all that a workload writes, and checks it off in the ledger: two consumers, one for everything and one for what is committed, which
//! are in no group and follow each partition; and when the producers have ended, all once more from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::producer::{client_config, told};
use super::record::{is_sound, read_number};
use crate::ledger::Shelved;
use crate::ledger::book::Seen;
use crate::ledger::drain::Begin;
use crate::ledger::leaf::Reader;
use crate::monitor::ledger::{Acks, Stage};

/// A stop is noticed within this time.
const IDLE: Duration = Duration::from_millis(50);
/// Records that one consumer is given before it is the other's turn.
const TURN: usize = 2_000;
/// New partitions are looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// One question to a broker.
const ASK: Duration = Duration::from_secs(2);
/// Where records are missing, the end of a log is believed once it has stood for so long: a new leader's high watermark may lag.
const END_STANDS: Duration = Duration::from_secs(5);
/// The last reading is given up when it got no further for so long.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// After a truncation it is read again from so far back.
const STEP_BACK: i64 = 20_000;

/// Reads one workload's topic.
pub struct Verifier {
    /// Where to connect.
    pub bootstrap_servers: String,
    /// The topic.
    pub topic: String,
    /// Where what is read is checked off.
    pub shelved: Arc<Shelved>,
    /// Set when the producers have ended.
    pub ended: Arc<AtomicBool>,
    /// Set when the program ends.
    pub quits: Arc<AtomicBool>,
    /// Where each partition ended before the first record, as far as that could be told.
    pub begins: BTreeMap<i32, i64>,
}

/// One consumer and where it is.
struct Reading {
    consumer: BaseConsumer,
    reader: Reader,
    next: BTreeMap<i32, i64>,
    /// Partitions that are read to their end, since when.
    ends: BTreeMap<i32, Instant>,
}

/// Where the partitions of a topic end, as far as that is told in time.
pub fn ends(bootstrap_servers: &str, topic: &str, stop: &AtomicBool) -> BTreeMap<i32, i64> {
    let Ok(consumer) = client_config(bootstrap_servers, "demo-ledger").create::<BaseConsumer>() else {
        return BTreeMap::new();
    };
    let deadline = Instant::now() + ASK;
    let mut found = BTreeMap::new();
    for partition in partitions(&consumer, topic).unwrap_or_default() {
        let left = deadline.saturating_duration_since(Instant::now()).max(IDLE);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if let Ok((_, high)) = consumer.fetch_watermarks(topic, partition, left) {
            found.insert(partition, high);
        }
    }
    found
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> KafkaResult<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK)?;
    let ids = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
    Ok(ids.collect())
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Verifier {
    /// Follows until the producers have ended, then reads everything once more.
    pub fn run(mut self) {
        let made = [Reader::Everything, Reader::Committed].map(|reader| self.reading(reader));
        let mut readings = match made {
            [Ok(one), Ok(other)] => [one, other],
            [Err(error), _] | [_, Err(error)] => {
                self.shelved.set_trouble(Some(format!("the ledger's readers could not be made: {error}")));
                return self.shelved.set_stage(Stage::Unfinished);
            }
        };
        self.follow(&mut readings);
        if self.quits.load(Ordering::Relaxed) {
            return self.shelved.set_stage(Stage::Unfinished);
        }
        self.shelved.set_stage(Stage::Draining);
        let stage = match self.drain(&mut readings) {
            Ok(()) => {
                self.shelved.set_trouble(None);
                Stage::Verified
            }
            Err(why) => {
                self.shelved.set_trouble(Some(why));
                Stage::Unfinished
            }
        };
        self.shelved.set_stage(stage);
    }

    fn reading(&self, reader: Reader) -> KafkaResult<Reading> {
        let isolation = if reader.is_committed() { "read_committed" } else { "read_uncommitted" };
        let consumer: BaseConsumer = client_config(&self.bootstrap_servers, "demo-ledger")
            // It never joins one; the library wants a name before it takes partitions.
            .set("group.id", format!("brokerscope-ledger-{}", self.shelved.id))
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "200")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", "1048576")
            .create()?;
        Ok(Reading { consumer, reader, next: BTreeMap::new(), ends: BTreeMap::new() })
    }

    fn follow(&mut self, readings: &mut [Reading; 2]) {
        let mut next_look = Instant::now();
        while !self.quits.load(Ordering::Relaxed) {
            // What was acknowledged last is known once the producers have ended: the last reading finds it.
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            if Instant::now() >= next_look {
                self.take_up(readings);
                let is_whole = !readings[0].next.is_empty();
                next_look = Instant::now() + if is_whole { LOOK_EVERY } else { IDLE };
            }
            let mut any = false;
            for reading in readings.iter_mut() {
                any |= self.turn(reading, Duration::ZERO);
            }
            // What was in the way is not any more; what is left to be read is counted.
            if any || self.turn(&mut readings[0], IDLE) {
                self.shelved.set_trouble(None);
            }
        }
    }

    /// Takes up partitions of which it became known where to begin.
    fn take_up(&mut self, readings: &mut [Reading; 2]) {
        let known = match partitions(&readings[0].consumer, &self.topic) {
            Ok(known) => known,
            Err(error) => return self.shelved.set_trouble(Some(told("the ledger's reader", &error))),
        };
        let had_all = !readings[0].next.is_empty();
        let mut is_news = false;
        for partition in known {
            let first = self.shelved.book().first_offset(partition);
            let begin = match (self.begins.get(&partition), first) {
                (Some(begin), _) => *begin,
                (None, Some(first)) => first,
                // It is new, or where it ended could not be told: its first acknowledgement will tell.
                (None, None) => continue,
            };
            self.begins.insert(partition, begin);
            for reading in readings.iter_mut() {
                if let std::collections::btree_map::Entry::Vacant(place) = reading.next.entry(partition) {
                    place.insert(begin);
                    self.shelved.book().moved(reading.reader, partition, begin);
                    is_news = true;
                }
            }
        }
        if is_news || !had_all {
            readings.iter_mut().for_each(|reading| self.assign(reading));
        }
    }

    fn assign(&self, reading: &mut Reading) {
        let mut list = TopicPartitionList::new();
        for (partition, next) in &reading.next {
            // An offset is a number from 0.
            let _ = list.add_partition_offset(&self.topic, *partition, Offset::Offset(*next));
        }
        reading.ends.clear();
        if let Err(error) = reading.consumer.assign(&list) {
            self.shelved.set_trouble(Some(told("the ledger's reader", &error)));
        }
    }

    /// Takes what there is; whether there was anything.
    fn turn(&self, reading: &mut Reading, patience: Duration) -> bool {
        for taken in 0..TURN {
            let wait = if taken == 0 { patience } else { Duration::ZERO };
            match reading.consumer.poll(wait) {
                None => return taken > 0,
                Some(Ok(record)) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    let seen = self.seen(record.key().unwrap_or_default(), record.payload().unwrap_or_default());
                    self.shelved.book().read(reading.reader, partition, offset, seen, now_ms());
                    reading.next.insert(partition, offset + 1);
                    reading.ends.remove(&partition);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    reading.ends.entry(partition).or_insert_with(Instant::now);
                }
                Some(Err(error)) => {
                    self.mend(reading, &error);
                    return true;
                }
            }
        }
        true
    }

    fn seen(&self, key: &[u8], value: &[u8]) -> Seen {
        match read_number(value).filter(|number| number.workload == self.shelved.id) {
            Some(number) => {
                Seen::Own { producer: number.producer, sequence: number.sequence, is_sound: is_sound(key, value) }
            }
            None => Seen::Foreign,
        }
    }

    /// A log may have been cut back, or begin later: goes on where that is possible. All else passes by itself.
    fn mend(&self, reading: &mut Reading, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        let is_off = matches!(
            code,
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::LogTruncation
            )
        );
        if !is_off {
            return self.shelved.set_trouble(Some(told("the ledger's reader", error)));
        }
        let places: Vec<(i32, i64)> = reading.next.iter().map(|(partition, next)| (*partition, *next)).collect();
        for (partition, next) in places {
            let Ok((low, high)) = reading.consumer.fetch_watermarks(&self.topic, partition, ASK) else { continue };
            let begin = self.begins.get(&partition).copied().unwrap_or(low);
            // What was cut off and what stands in its place cannot be told from here: a stretch is read again.
            let from = (next.min(high) - STEP_BACK).max(begin).max(low);
            self.shelved.book().moved(reading.reader, partition, from);
            reading.next.insert(partition, from);
        }
        self.assign(reading);
    }

    /// Reads all once more; an error is a sentence.
    fn drain(&self, readings: &mut [Reading; 2]) -> Result<(), String> {
        self.shelved.set_trouble(None);
        for (reading, reader) in readings.iter_mut().zip([Reader::Drain, Reader::CommittedDrain]) {
            reading.reader = reader;
            self.rewind(reading)?;
        }
        let mut last_progress = Instant::now();
        let mut open: BTreeSet<usize> = (0..readings.len()).collect();
        while !open.is_empty() {
            if self.quits.load(Ordering::Relaxed) {
                return Err("the program ended before all was read again".into());
            }
            let mut any = false;
            for index in open.clone() {
                let reading = &mut readings[index];
                any |= self.turn(reading, if any { Duration::ZERO } else { IDLE });
                if self.is_at_end(reading) {
                    open.remove(&index);
                }
            }
            if any {
                last_progress = Instant::now();
            }
            if last_progress.elapsed() > NO_PROGRESS {
                return Err(self.missing(readings));
            }
        }
        let acks = if self.shelved.spec().is_acks_all() { Acks::All } else { Acks::Leader };
        for reading in readings {
            self.shelved.book().drain_ends(reading.reader, acks, now_ms());
        }
        Ok(())
    }

    fn rewind(&self, reading: &mut Reading) -> Result<(), String> {
        let deadline = Instant::now() + NO_PROGRESS;
        let mut begins = Vec::new();
        for (partition, began) in &self.begins {
            let low = loop {
                match reading.consumer.fetch_watermarks(&self.topic, *partition, ASK) {
                    Ok((low, _)) => break low,
                    Err(_) if self.quits.load(Ordering::Relaxed) || Instant::now() > deadline => {
                        return Err(format!(
                            "partition {partition} has no leader that answers, and cannot be read again"
                        ));
                    }
                    Err(_) => {}
                }
            };
            let offset = low.max(*began);
            begins.push(Begin { partition: *partition, offset, is_cut: low > *began });
        }
        self.shelved.book().drain_begins(reading.reader, &begins);
        reading.next = begins.iter().map(|begin| (begin.partition, begin.offset)).collect();
        self.assign(reading);
        Ok(())
    }

    /// Whether there is nothing more to come.
    fn is_at_end(&self, reading: &Reading) -> bool {
        let book = self.shelved.book();
        reading.next.iter().all(|(partition, next)| {
            let is_whole = *next >= book.acknowledged_end(*partition);
            let stands = |since: &Instant| is_whole || since.elapsed() >= END_STANDS;
            reading.ends.get(partition).is_some_and(stands)
        })
    }

    fn missing(&self, readings: &[Reading; 2]) -> String {
        let at_end = |partition: &i32| readings.iter().all(|reading| reading.ends.contains_key(partition));
        let open: Vec<String> = self.begins.keys().filter(|one| !at_end(one)).map(i32::to_string).collect();
        let why = self.shelved.progress().trouble.unwrap_or_else(|| "nothing more comes".into());
        format!("partitions {} could not be read to their end: {why}", open.join(", "))
    }
}
