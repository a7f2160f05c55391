//! Records read and written, a few at a time, for somebody to look at. KIP-98 (aborted transactions), KIP-392 (nobody is asked but the leader).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use broker::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use broker::protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use broker::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use broker::protocol::messages::{FetchRequestData, KafkaString, ProduceRequestData};
use broker::records::control::{ControlType, control_type};
use broker::records::{BatchBuilder, BatchHeader, Compression, TimestampType, batches, records};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::messages::{Isolation, Message, NewMessage};
use crate::monitor::partitioner::partition_for_key;

/// From 13 on Fetch, and Produce too, name topics by id (KIP-516).
const BY_NAME_UP_TO: i16 = 12;
/// What one batch may unpack to.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// What a fetch found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetched {
    /// Records from the wanted offset on.
    pub messages: Vec<Message>,
    /// Where to go on.
    pub next_offset: i64,
    /// The first offset of the log.
    pub log_start_offset: i64,
    /// Its high watermark.
    pub high_watermark: i64,
    /// Its last stable offset.
    pub last_stable_offset: i64,
    /// A batch that could not be read, and why: it was left out.
    pub unreadable: Option<String>,
}

/// Reads records of a partition from an offset on: about `bytes_max`, but at least one batch. Waits `wait_ms` at most for the first.
pub fn fetch(
    client: &mut Client,
    (topic, partition): (&Arc<str>, i32),
    offset: i64,
    isolation: Isolation,
    bytes_max: i32,
    wait_ms: i32,
) -> Result<Fetched, ClientError> {
    client.persist(|client, until| {
        let leaders = client.by_leader(&[(&**topic, partition)], until)?;
        let Some(leader) = leaders.into_keys().next() else { return Ok(Fetched::default()) };
        let answer = client.call_at_most(To::Broker(leader), BY_NAME_UP_TO, until, |_| {
            let wanted = FetchPartition::default()
                .with_partition(partition)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(offset)
                .with_last_fetched_epoch(-1)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(bytes_max);
            let wanted = FetchTopic::default().with_topic(topic.to_string().into()).with_partitions(vec![wanted]);
            FetchRequestData::default()
                .with_replica_id(-1)
                .with_max_wait_ms(wait_ms)
                .with_min_bytes(1)
                .with_max_bytes(bytes_max)
                .with_isolation_level(i8::from(isolation == Isolation::Committed))
                .with_session_epoch(-1)
                .with_topics(vec![wanted])
        })?;
        ClientError::check(answer.error_code, None)?;
        let found = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(found) = found else { return Ok(Fetched { next_offset: offset, ..Fetched::default() }) };
        ClientError::check(found.error_code, None)?;
        Ok(read(topic, partition, offset, isolation, &found))
    })
}

/// Takes records out of what a leader answered.
fn read(topic: &Arc<str>, partition: i32, offset: i64, isolation: Isolation, found: &PartitionData) -> Fetched {
    let mut fetched = Fetched {
        messages: Vec::new(),
        next_offset: offset,
        log_start_offset: found.log_start_offset,
        high_watermark: found.high_watermark,
        last_stable_offset: found.last_stable_offset,
        unreadable: None,
    };
    let mut aborted = Aborted::of(found.aborted_transactions.as_deref().unwrap_or_default());
    let bytes = found.records.clone().unwrap_or_default();
    for batch in batches(&bytes) {
        let (header, batch) = match batch {
            Ok(batch) => batch,
            // The last one is cut off where the answer ends; it comes whole with the next.
            Err(_) if fetched.next_offset > offset => break,
            Err(error) => {
                fetched.unreadable = Some(error.to_string());
                break;
            }
        };
        let is_aborted = isolation == Isolation::Committed && aborted.has(&header, batch);
        if !header.is_control() && !is_aborted {
            let taken = take(topic, partition, offset, &header, batch, &mut fetched.messages);
            fetched.unreadable = taken.err().or(fetched.unreadable);
        }
        fetched.next_offset = fetched.next_offset.max(header.next_offset());
    }
    fetched
}

fn take(
    topic: &Arc<str>,
    partition: i32,
    from: i64,
    header: &BatchHeader,
    batch: &[u8],
    messages: &mut Vec<Message>,
) -> Result<(), String> {
    let wrong = |error: broker::records::BatchError| format!("the batch at offset {}: {error}", header.base_offset);
    let codec = header.compression().map_err(wrong)?.name();
    for record in records(batch, DECOMPRESSED_BYTES_MAX).map_err(wrong)? {
        let record = record.map_err(wrong)?;
        // A batch comes whole, also where the wanted offset lies in its midst.
        if record.offset < from {
            continue;
        }
        let text = |name: bytes::Bytes| String::from_utf8_lossy(&name).into_owned();
        messages.push(Message {
            topic: topic.clone(),
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            is_log_append_time: header.timestamp_type() == TimestampType::LogAppendTime,
            key: record.key,
            value: record.value,
            headers: record.headers.iter().map(|(name, value)| (text(name), value)).collect(),
            producer_id: header.has_producer_id().then_some(header.producer_id),
            is_transactional: header.is_transactional(),
            codec,
            leader_epoch: header.partition_leader_epoch,
        });
    }
    Ok(())
}

/// Which producers' records are of aborted transactions, as one goes along.
struct Aborted {
    /// By the offset from which on.
    coming: BTreeMap<i64, Vec<i64>>,
    now: BTreeSet<i64>,
}

impl Aborted {
    fn of(told: &[AbortedTransaction]) -> Aborted {
        let mut coming: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for one in told {
            coming.entry(one.first_offset).or_default().push(one.producer_id);
        }
        Aborted { coming, now: BTreeSet::new() }
    }

    /// Whether the next batch is of one.
    fn has(&mut self, header: &BatchHeader, batch: &[u8]) -> bool {
        let later = self.coming.split_off(&(header.last_offset() + 1));
        self.now.extend(std::mem::replace(&mut self.coming, later).into_values().flatten());
        if header.is_control() && is_abort(batch) {
            self.now.remove(&header.producer_id);
        }
        header.is_transactional() && self.now.contains(&header.producer_id)
    }
}

fn is_abort(batch: &[u8]) -> bool {
    let Ok(mut all) = records(batch, DECOMPRESSED_BYTES_MAX) else { return false };
    let key = all.next().and_then(Result::ok).and_then(|record| record.key);
    key.is_some_and(|key| matches!(control_type(&key), Ok(Some(ControlType::Abort))))
}

/// Writes a record where its key leads it, if no partition is named; without a key, to the first. Where it stands then.
pub fn write(
    client: &mut Client,
    topic: &str,
    partition: Option<i32>,
    message: &NewMessage,
) -> Result<(i32, i64), ClientError> {
    let partition = match (partition, &message.key) {
        (Some(partition), _) => partition,
        (None, None) => 0,
        (None, Some(key)) => {
            let known = client.persist(|client, until| client.metadata(&[topic], until))?;
            let partitions = known.first().map_or(0, |topic| topic.partitions.len());
            partition_for_key(key, partitions as i32)
        }
    };
    Ok((partition, produce(client, (topic, partition), message)?))
}

/// Writes a record with acks=all; its offset.
pub fn produce(client: &mut Client, (topic, partition): (&str, i32), message: &NewMessage) -> Result<i64, ClientError> {
    let timeout_ms = client.broker_patience_ms();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let mut batch = BatchBuilder::new(0, Compression::None);
    let headers: Vec<(&[u8], Option<&[u8]>)> =
        message.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref())).collect();
    let timestamp_ms = message.timestamp_ms.unwrap_or(now_ms);
    batch.push(timestamp_ms, message.key.as_deref(), message.value.as_deref(), &headers);
    let batch = batch.build();
    client.persist(|client, until| {
        let leaders = client.by_leader(&[(topic, partition)], until)?;
        let Some(leader) = leaders.into_keys().next() else { return Ok(-1) };
        let answer = client.call_at_most(To::Broker(leader), BY_NAME_UP_TO, until, |_| {
            let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.clone()));
            let data = TopicProduceData::default().with_name(topic.to_owned().into()).with_partition_data(vec![data]);
            ProduceRequestData::default().with_acks(-1).with_timeout_ms(timeout_ms).with_topic_data(vec![data])
        });
        // Without a sequence number a record that is sent again may stand there twice.
        let answer = answer.map_err(|error| match error {
            ClientError::Lost { address, why } => ClientError::Uncertain { address, why },
            other => other,
        })?;
        let Some(result) = answer.responses.into_iter().flat_map(|topic| topic.partition_responses).next() else {
            return Ok(-1);
        };
        ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))?;
        Ok(result.base_offset)
    })
}
