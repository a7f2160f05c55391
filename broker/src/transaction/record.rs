//! Records of `__transaction_state` as Kafka 4.3 writes them: values of version 0, and of version 1 (with KIP-890's tagged fields) while
//! `transaction.version` is 1 or more.
//!
//! Source: `org.apache.kafka.coordinator.transaction.TransactionLog`, `TransactionLogKey.json`, `TransactionLogValue.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::metadata::Transaction;
use super::state::TransactionState;
pub use crate::records::fields::RecordError;
use crate::records::fields::{Input, put_compact_length, put_string};
use crate::types::TopicPartition;

/// Key of a transactional id.
pub fn encode_key(transactional_id: &str) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::with_capacity(4 + transactional_id.len());
    out.put_i16(0);
    put_string(&mut out, transactional_id)?;
    Ok(out.freeze())
}

/// Value of a transactional id, at the cluster's `transaction.version`.
pub fn encode_value(txn: &Transaction, transaction_version: i16) -> Result<Bytes, RecordError> {
    let flexible = transaction_version >= 1;
    let mut out = BytesMut::with_capacity(64);
    out.put_i16(i16::from(flexible));
    out.put_i64(txn.producer_id);
    out.put_i16(txn.producer_epoch);
    out.put_i32(txn.timeout_ms);
    out.put_i8(txn.state as i8);
    // Kafka writes null where there is no transaction, which an empty one is not.
    let topics = (txn.state != TransactionState::Empty).then(|| by_topic(&txn.partitions));
    put_count(&mut out, topics.as_ref().map(BTreeMap::len), flexible)?;
    for (topic, partitions) in topics.into_iter().flatten() {
        match flexible {
            true => {
                put_count(&mut out, Some(topic.len()), true)?;
                out.put_slice(topic.as_bytes());
            }
            false => put_string(&mut out, topic)?,
        }
        put_count(&mut out, Some(partitions.len()), flexible)?;
        partitions.into_iter().for_each(|partition| out.put_i32(partition));
        if flexible {
            out.put_u8(0);
        }
    }
    out.put_i64(txn.last_update_timestamp_ms);
    out.put_i64(txn.start_timestamp_ms);
    if flexible {
        put_tagged_fields(&mut out, txn);
    }
    Ok(out.freeze())
}

/// Those of KIP-890, each unless it has its default.
fn put_tagged_fields(out: &mut BytesMut, txn: &Transaction) {
    let (previous, next) = (txn.previous_producer_id, txn.next_producer_id);
    let present = [previous != -1, next != -1, txn.client_transaction_version != 0];
    out.put_u8(present.iter().map(|present| u8::from(*present)).sum());
    for (tag, id, present) in [(0, previous, present[0]), (1, next, present[1])] {
        if present {
            out.put_slice(&[tag, 8]);
            out.put_i64(id);
        }
    }
    if present[2] {
        out.put_slice(&[2, 2]);
        out.put_i16(txn.client_transaction_version);
    }
}

fn by_topic(partitions: &BTreeSet<TopicPartition>) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    topics
}

/// The transactional id that a key names.
pub fn decode_key(key: &[u8]) -> Result<String, RecordError> {
    let mut input = Input::new(key);
    match input.i16()? {
        0 => input.string(),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

/// A transactional id's value. What a value does not hold (the last epoch) is unknown, as in Kafka.
pub fn decode_value(value: &[u8]) -> Result<Transaction, RecordError> {
    let mut input = Input::new(value);
    let version = input.i16()?;
    if !(0..=1).contains(&version) {
        return Err(RecordError::UnknownVersion(version));
    }
    let flexible = version >= 1;
    let producer_id = input.i64()?;
    let producer_epoch = input.i16()?;
    let timeout_ms = input.i32()?;
    let state = TransactionState::from_id(input.i8()?).ok_or(RecordError::Malformed)?;
    let mut partitions = BTreeSet::new();
    for _ in 0..input.any_length(flexible)?.unwrap_or(0) {
        let topic: Arc<str> =
            if flexible { input.compact_string()?.ok_or(RecordError::Malformed)? } else { input.string()? }.into();
        for _ in 0..input.any_length(flexible)?.ok_or(RecordError::Malformed)? {
            partitions.insert(TopicPartition { topic: topic.clone(), partition: input.i32()? });
        }
        if flexible {
            input.tagged_fields(|_, _| Ok(()))?;
        }
    }
    let last_update_timestamp_ms = input.i64()?;
    let start_timestamp_ms = input.i64()?;
    let (mut previous_producer_id, mut next_producer_id, mut client_transaction_version) = (-1, -1, 0);
    if flexible {
        input.tagged_fields(|tag, mut field| {
            match tag {
                0 => previous_producer_id = field.i64()?,
                1 => next_producer_id = field.i64()?,
                2 => client_transaction_version = field.i16()?,
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(Transaction {
        producer_id,
        previous_producer_id,
        next_producer_id,
        producer_epoch,
        last_producer_epoch: -1,
        timeout_ms,
        state,
        partitions,
        start_timestamp_ms,
        last_update_timestamp_ms,
        client_transaction_version,
    })
}

/// How many elements follow; `None` is null.
fn put_count(out: &mut BytesMut, count: Option<usize>, compact: bool) -> Result<(), RecordError> {
    match (count, compact) {
        (Some(count), true) => put_compact_length(out, count)?,
        (None, true) => out.put_u8(0),
        (count, false) => {
            let too_long = RecordError::TooLong(count.unwrap_or(0));
            out.put_i32(count.map_or(Ok(-1), i32::try_from).map_err(|_| too_long)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(state: TransactionState) -> Transaction {
        let part = |topic: &str, partition| TopicPartition { topic: topic.into(), partition };
        let open = state != TransactionState::Empty;
        let partitions = [part("a", 0), part("a", 7), part("b", 1)].into_iter().filter(|_| open).collect();
        Transaction {
            producer_id: 1 << 40,
            previous_producer_id: 3,
            next_producer_id: 4,
            producer_epoch: 9,
            last_producer_epoch: -1,
            timeout_ms: 60_000,
            state,
            partitions,
            start_timestamp_ms: 11,
            last_update_timestamp_ms: 12,
            client_transaction_version: 2,
        }
    }

    #[test]
    fn records_survive() {
        assert_eq!(decode_key(&encode_key("my-id").unwrap()).unwrap(), "my-id");
        for state in TransactionState::ALL {
            let value = txn(state);
            assert_eq!(decode_value(&encode_value(&value, 2).unwrap()).unwrap(), value);
            // Version 0 has no room for what KIP-890 brought.
            let old = decode_value(&encode_value(&value, 0).unwrap()).unwrap();
            let without =
                Transaction { previous_producer_id: -1, next_producer_id: -1, client_transaction_version: 0, ..value };
            assert_eq!(old, without);
        }
    }

    #[test]
    fn what_is_cut_short_is_told() {
        for version in [0, 2] {
            let bytes = encode_value(&txn(TransactionState::Ongoing), version).unwrap();
            for length in 0..bytes.len() {
                assert!(decode_value(&bytes[..length]).is_err(), "{length} of version {version}");
            }
        }
        assert_eq!(decode_value(&[0, 2]), Err(RecordError::UnknownVersion(2)));
        assert_eq!(decode_key(&[0, 1]), Err(RecordError::UnknownVersion(1)));
    }
}
