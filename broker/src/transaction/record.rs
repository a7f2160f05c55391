//! Records of `__transaction_state` as Kafka 4.3 writes them: values of version 0, and of version 1 (with KIP-890's tagged fields) while
//! `transaction.version` is 1 or more.
//!
//! Source: `org.apache.kafka.coordinator.transaction.TransactionLog`, `TransactionLogKey.json`, `TransactionLogValue.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::metadata::Transaction;
use super::state::TransactionState;
use crate::types::TopicPartition;

/// Why a record could not be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A string is longer than its length field can say.
    #[error("a string of {0} bytes does not fit the record format")]
    TooLong(usize),
    /// The bytes end early, or say something impossible.
    #[error("the record is cut short or malformed")]
    Malformed,
    /// A version that Kafka 4.3 does not know either; it is skipped.
    #[error("record version {0} is not known")]
    UnknownVersion(i16),
}

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
    let mut input = Input(key);
    match input.i16()? {
        0 => input.string(),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

/// A transactional id's value. What a value does not hold (the last epoch) is unknown, as in Kafka.
pub fn decode_value(value: &[u8]) -> Result<Transaction, RecordError> {
    let mut input = Input(value);
    let version = input.i16()?;
    if !(0..=1).contains(&version) {
        return Err(RecordError::UnknownVersion(version));
    }
    let flexible = version >= 1;
    let producer_id = input.i64()?;
    let producer_epoch = input.i16()?;
    let timeout_ms = input.i32()?;
    let [state] = input.take()?;
    let state = TransactionState::from_id(i8::from_be_bytes([state])).ok_or(RecordError::Malformed)?;
    let mut partitions = BTreeSet::new();
    for _ in 0..input.count(flexible)?.unwrap_or(0) {
        let topic: Arc<str> = if flexible { input.compact_string()? } else { input.string()? }.into();
        for _ in 0..input.count(flexible)?.ok_or(RecordError::Malformed)? {
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

fn put_string(out: &mut BytesMut, value: &str) -> Result<(), RecordError> {
    out.put_i16(i16::try_from(value.len()).map_err(|_| RecordError::TooLong(value.len()))?);
    out.put_slice(value.as_bytes());
    Ok(())
}

/// A length or a count; `None` is null.
fn put_count(out: &mut BytesMut, count: Option<usize>, compact: bool) -> Result<(), RecordError> {
    let too_long = RecordError::TooLong(count.unwrap_or(0));
    let count = count.map(i32::try_from).transpose().map_err(|_| too_long)?;
    if !compact {
        out.put_i32(count.unwrap_or(-1));
        return Ok(());
    }
    let mut rest = count.map_or(0, |count| count as u32 + 1);
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
    Ok(())
}

/// Bytes not yet read; no claimed length is allocated before its bytes are there.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(RecordError::Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(RecordError::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn i16(&mut self) -> Result<i16, RecordError> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, RecordError> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, RecordError> {
        self.take().map(i64::from_be_bytes)
    }

    fn varint(&mut self) -> Result<u32, RecordError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Malformed)
    }

    fn count(&mut self, compact: bool) -> Result<Option<usize>, RecordError> {
        if compact {
            return Ok((self.varint()? as usize).checked_sub(1));
        }
        match self.i32()? {
            -1 => Ok(None),
            count => usize::try_from(count).map(Some).map_err(|_| RecordError::Malformed),
        }
    }

    fn string(&mut self) -> Result<String, RecordError> {
        let length = usize::try_from(self.i16()?).map_err(|_| RecordError::Malformed)?;
        utf8(self.slice(length)?)
    }

    fn compact_string(&mut self) -> Result<String, RecordError> {
        let length = self.count(true)?.ok_or(RecordError::Malformed)?;
        utf8(self.slice(length)?)
    }

    fn tagged_fields(
        &mut self,
        mut each: impl FnMut(u32, Input<'a>) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()? as usize;
            each(tag, Input(self.slice(length)?))?;
        }
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<String, RecordError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| RecordError::Malformed)
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
