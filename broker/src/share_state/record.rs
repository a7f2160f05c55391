//! Records of `__share_group_state` as Kafka 4.3 writes them: snapshots (key 0) and updates (key 1), values of version 0. A tombstone is a
//! snapshot's key without a value.
//!
//! Source: `ShareSnapshotKey.json`, `ShareSnapshotValue.json`, `ShareUpdateKey.json`, `ShareUpdateValue.json`,
//! `org.apache.kafka.coordinator.share.ShareCoordinatorRecordHelpers`; KIP-932, KIP-1226 (the tagged field).

use std::str::FromStr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::StateBatch;
use super::state::{NO_COUNT, Record, ShareState, StateUpdate};
pub use crate::records::fields::RecordError;
use crate::records::fields::{Input, put_compact_length, put_string};
use crate::types::{Id, TopicIdPartition};

const SNAPSHOT: i16 = 0;
const UPDATE: i16 = 1;

/// The tag of the delivery-complete count, in both values.
const COMPLETE_COUNT_TAG: u8 = 0;

/// Bytes of a batch: two offsets, state, count, and that there are no tagged fields.
const BATCH_BYTES: usize = 20;

/// A share partition: whose, and of what.
///
/// Source: `org.apache.kafka.server.share.SharePartitionKey`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharePartitionKey {
    /// The share group.
    pub group_id: Arc<str>,
    /// The partition.
    pub id: TopicIdPartition,
}

/// What was given as a share partition is not `group:topic id:partition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share partition is named by group, topic id and partition")]
pub struct InvalidKey;

impl FromStr for SharePartitionKey {
    type Err = InvalidKey;

    /// From the right, since a group's id may hold colons. Java's `split` knows no empty pieces at the end, so that colons there are none.
    fn from_str(text: &str) -> Result<SharePartitionKey, InvalidKey> {
        let mut pieces = text.trim_end_matches(':').rsplitn(3, ':');
        let mut next = || pieces.next().ok_or(InvalidKey);
        let (partition, topic_id, group_id) = (next()?, next()?, next()?);
        if group_id.trim_matches(|c: char| c <= ' ').is_empty() {
            return Err(InvalidKey);
        }
        let topic_id = topic_id.parse().map_err(|_| InvalidKey)?;
        let partition = partition.parse().map_err(|_| InvalidKey)?;
        Ok(SharePartitionKey { group_id: group_id.into(), id: TopicIdPartition { topic_id, partition } })
    }
}

/// Key and value of a record.
///
/// # Errors
/// The group's id or the state is longer than the format can say.
pub fn encode(key: &SharePartitionKey, record: &Record) -> Result<(Bytes, Option<Bytes>), RecordError> {
    let kind = if matches!(record, Record::Update(_)) { UPDATE } else { SNAPSHOT };
    let mut out = BytesMut::with_capacity(24 + key.group_id.len());
    out.put_i16(kind);
    put_string(&mut out, &key.group_id)?;
    out.put_slice(&key.id.topic_id.0);
    out.put_i32(key.id.partition);
    let value = match record {
        Record::Tombstone => None,
        Record::Snapshot(state) => Some(encode_snapshot(state)?),
        Record::Update(update) => Some(encode_update(update)?),
    };
    Ok((out.freeze(), value))
}

fn encode_snapshot(state: &ShareState) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::with_capacity(64 + BATCH_BYTES * state.batches.len());
    out.put_i16(0);
    out.put_i32(state.snapshot_epoch);
    out.put_i32(state.state_epoch);
    out.put_i32(state.leader_epoch);
    out.put_i64(state.start_offset);
    out.put_i64(state.create_timestamp_ms);
    out.put_i64(state.write_timestamp_ms);
    put_rest(&mut out, &state.batches, state.delivery_complete_count)?;
    Ok(out.freeze())
}

fn encode_update(update: &StateUpdate) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::with_capacity(32 + BATCH_BYTES * update.batches.len());
    out.put_i16(0);
    out.put_i32(update.snapshot_epoch);
    out.put_i32(update.leader_epoch);
    out.put_i64(update.start_offset);
    put_rest(&mut out, &update.batches, update.delivery_complete_count)?;
    Ok(out.freeze())
}

/// The batches, and the delivery-complete count unless it has its default.
fn put_rest(out: &mut BytesMut, batches: &[StateBatch], delivery_complete_count: i32) -> Result<(), RecordError> {
    put_compact_length(out, batches.len())?;
    for batch in batches {
        out.put_i64(batch.first_offset);
        out.put_i64(batch.last_offset);
        out.put_i8(batch.delivery_state);
        out.put_i16(batch.delivery_count);
        out.put_u8(0);
    }
    if delivery_complete_count == NO_COUNT {
        out.put_u8(0);
    } else {
        out.put_slice(&[1, COMPLETE_COUNT_TAG, 4]);
        out.put_i32(delivery_complete_count);
    }
    Ok(())
}

/// The share partition that a record is about, and what it says.
///
/// # Errors
/// The bytes are no such record.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<(SharePartitionKey, Record), RecordError> {
    let mut input = Input::new(key);
    let kind = input.i16()?;
    if kind != SNAPSHOT && kind != UPDATE {
        return Err(RecordError::UnknownVersion(kind));
    }
    let group_id = input.string()?.into();
    let id = TopicIdPartition { topic_id: Id(input.take()?), partition: input.i32()? };
    let record = match value {
        None if kind == SNAPSHOT => Record::Tombstone,
        // Kafka writes none.
        None => return Err(RecordError::Malformed),
        Some(value) => decode_value(kind, value)?,
    };
    Ok((SharePartitionKey { group_id, id }, record))
}

fn decode_value(kind: i16, value: &[u8]) -> Result<Record, RecordError> {
    let mut input = Input::new(value);
    match input.i16()? {
        0 if kind == SNAPSHOT => decode_snapshot(&mut input).map(Record::Snapshot),
        0 => decode_update(&mut input).map(Record::Update),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

fn decode_snapshot(input: &mut Input<'_>) -> Result<ShareState, RecordError> {
    let (snapshot_epoch, state_epoch, leader_epoch) = (input.i32()?, input.i32()?, input.i32()?);
    let (start_offset, create_timestamp_ms, write_timestamp_ms) = (input.i64()?, input.i64()?, input.i64()?);
    let (batches, delivery_complete_count) = take_rest(input)?;
    Ok(ShareState {
        snapshot_epoch,
        state_epoch,
        leader_epoch,
        start_offset,
        delivery_complete_count,
        create_timestamp_ms,
        write_timestamp_ms,
        batches,
    })
}

fn decode_update(input: &mut Input<'_>) -> Result<StateUpdate, RecordError> {
    let (snapshot_epoch, leader_epoch, start_offset) = (input.i32()?, input.i32()?, input.i64()?);
    let (batches, delivery_complete_count) = take_rest(input)?;
    Ok(StateUpdate { snapshot_epoch, leader_epoch, start_offset, delivery_complete_count, batches })
}

fn take_rest(input: &mut Input<'_>) -> Result<(Vec<StateBatch>, i32), RecordError> {
    let mut batches = Vec::new();
    for _ in 0..input.compact_length()?.ok_or(RecordError::Malformed)? {
        let (first_offset, last_offset) = (input.i64()?, input.i64()?);
        let (delivery_state, delivery_count) = (input.i8()?, input.i16()?);
        input.tagged_fields(|_, _| Ok(()))?;
        let batch = StateBatch { first_offset, last_offset, delivery_count, delivery_state };
        batches.push(Some(batch).filter(StateBatch::is_sound).ok_or(RecordError::Malformed)?);
    }
    let mut delivery_complete_count = NO_COUNT;
    input.tagged_fields(|tag, mut field| {
        if tag == u32::from(COMPLETE_COUNT_TAG) {
            delivery_complete_count = field.i32()?;
        }
        Ok(())
    })?;
    Ok((batches, delivery_complete_count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOPIC: Id = Id([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

    fn key() -> SharePartitionKey {
        SharePartitionKey { group_id: "grp".into(), id: TopicIdPartition { topic_id: TOPIC, partition: 7 } }
    }

    fn state() -> ShareState {
        let batch = |first_offset, last_offset, delivery_state, delivery_count| StateBatch {
            first_offset,
            last_offset,
            delivery_count,
            delivery_state,
        };
        ShareState {
            snapshot_epoch: 3,
            state_epoch: 4,
            leader_epoch: 5,
            start_offset: 10,
            delivery_complete_count: 11,
            create_timestamp_ms: 1000,
            write_timestamp_ms: 2000,
            batches: vec![batch(10, 20, 2, 1), batch(21, 300, 0, 5)],
        }
    }

    fn update(of: ShareState) -> StateUpdate {
        let ShareState { snapshot_epoch, leader_epoch, start_offset, delivery_complete_count, batches, .. } = of;
        StateUpdate { snapshot_epoch, leader_epoch, start_offset, delivery_complete_count, batches }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Written by Kafka 4.3's `ShareCoordinatorRecordHelpers` and `ShareCoordinatorRecordSerde`.
    #[test]
    fn records_are_kafkas_byte_for_byte() {
        let bare = ShareState { start_offset: -1, delivery_complete_count: -1, batches: Vec::new(), ..state() };
        let snapshot_key = "000000036772700102030405060708090a0b0c0d0e0f1000000007";
        let update_key = "000100036772700102030405060708090a0b0c0d0e0f1000000007";
        let batches = "03000000000000000a0000000000000014020001000000000000000015000000000000012c00000500";
        let table = [
            (
                Record::Snapshot(state()),
                snapshot_key,
                format!(
                    "0000000000030000000400000005000000000000000a00000000000003e800000000000007d0{batches}0100040000000b"
                ),
            ),
            (
                Record::Update(update(state())),
                update_key,
                format!("00000000000300000005000000000000000a{batches}0100040000000b"),
            ),
            (
                Record::Snapshot(bare.clone()),
                snapshot_key,
                "0000000000030000000400000005ffffffffffffffff00000000000003e800000000000007d00100".to_owned(),
            ),
            (
                Record::Update(StateUpdate { leader_epoch: -1, ..update(bare) }),
                update_key,
                "000000000003ffffffffffffffffffffffff0100".to_owned(),
            ),
        ];
        for (record, wanted_key, wanted_value) in table {
            let (key_bytes, value) = encode(&key(), &record).unwrap();
            assert_eq!((hex(&key_bytes).as_str(), hex(&value.unwrap())), (wanted_key, wanted_value), "{record:?}");
        }
        let (tombstone, value) = encode(&key(), &Record::Tombstone).unwrap();
        assert_eq!((hex(&tombstone).as_str(), value), (snapshot_key, None));
    }

    #[test]
    fn what_is_cut_short_or_impossible_is_told() {
        for record in [Record::Snapshot(state()), Record::Update(update(state()))] {
            let (key_bytes, value) = encode(&key(), &record).unwrap();
            let value = value.unwrap();
            for length in 0..value.len() {
                assert!(decode(&key_bytes, Some(&value[..length])).is_err(), "{length} of {record:?}");
            }
            for length in 0..key_bytes.len() {
                assert!(decode(&key_bytes[..length], Some(&value)).is_err(), "{length} of the key");
            }
        }
        assert_eq!(decode(&[0, 2], None), Err(RecordError::UnknownVersion(2)));
        let (key_bytes, _) = encode(&key(), &Record::Update(update(state()))).unwrap();
        assert_eq!(decode(&key_bytes, None), Err(RecordError::Malformed), "an update has a value");
        assert_eq!(decode(&key_bytes, Some(&[0, 1])), Err(RecordError::UnknownVersion(1)));
        let mut turned = state();
        turned.batches[0].first_offset = 21;
        let (key_bytes, value) = encode(&key(), &Record::Snapshot(turned)).unwrap();
        assert_eq!(decode(&key_bytes, value.as_deref()), Err(RecordError::Malformed));
        // A billion batches are claimed, and none is there.
        let claim = [&[0, 0][..], &[0; 16], &[0xff, 0xff, 0xff, 0xff, 0x07]].concat();
        assert!(decode(&key_bytes, Some(&claim)).is_err());
    }

    /// Answers of Kafka 4.3's `SharePartitionKey.getInstance`.
    #[test]
    fn keys_are_read_as_kafka_reads_them() {
        let id = TOPIC.to_string();
        let table = [
            (format!("g:{id}:0"), Some(("g", 0))),
            (format!("a:b:{id}:-1"), Some(("a:b", -1))),
            (format!("g:{id}:0::"), Some(("g", 0))),
            (format!("g:{id}:+3"), Some(("g", 3))),
            (format!("g:{id}==:4"), Some(("g", 4))),
            (format!("::{id}:5"), Some((":", 5))),
            (format!(" :{id}:0"), None),
            (format!(":{id}:0"), None),
            (format!("{id}:0"), None),
            (format!("g:{id}:x"), None),
            (format!("g:{id}:2147483648"), None),
            ("g:AQ:1".to_owned(), None),
            (String::new(), None),
            (":::".to_owned(), None),
        ];
        for (text, wanted) in table {
            let found = text.parse::<SharePartitionKey>().ok();
            let found = found.as_ref().map(|key| (&*key.group_id, key.id.partition));
            assert_eq!(found, wanted, "{text:?}");
        }
    }

    fn any_state() -> impl Strategy<Value = ShareState> {
        let batch = (0..1i64 << 50, 0..1_000_000i64, any::<i8>(), any::<i16>());
        let batch = batch.prop_map(|(first_offset, length, delivery_state, delivery_count)| StateBatch {
            first_offset,
            last_offset: first_offset + length,
            delivery_count,
            delivery_state,
        });
        let numbers = (any::<[i32; 4]>(), any::<[i64; 3]>());
        (numbers, proptest::collection::vec(batch, 0..200)).prop_map(|((ints, longs), batches)| ShareState {
            snapshot_epoch: ints[0],
            state_epoch: ints[1],
            leader_epoch: ints[2],
            start_offset: longs[0],
            delivery_complete_count: ints[3],
            create_timestamp_ms: longs[1],
            write_timestamp_ms: longs[2],
            batches,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn records_survive(state in any_state(), group in ".{0,40}", id in any::<[u8; 16]>(), partition in any::<i32>()) {
            let id = TopicIdPartition { topic_id: Id(id), partition };
            let key = SharePartitionKey { group_id: group.into(), id };
            for record in [Record::Snapshot(state.clone()), Record::Update(update(state)), Record::Tombstone] {
                let (key_bytes, value) = encode(&key, &record).unwrap();
                prop_assert_eq!(decode(&key_bytes, value.as_deref()).unwrap(), (key.clone(), record));
            }
        }

        #[test]
        fn no_bytes_do_harm(key in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
            let _ = decode(&key, Some(&value));
            let (sound, _) = encode(&self::key(), &Record::Tombstone).unwrap();
            let _ = decode(&sound, Some(&[&[0, 0], &value[..]].concat()));
        }
    }
}
