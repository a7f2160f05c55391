//! Records of `__consumer_offsets`, byte for byte as Apache Kafka 4.3 writes them: OffsetCommit (key 1, values 1 and 4, reads 0–4) and
//! GroupMetadata (key 2, value 3, reads 0–4). Those of consumer, share and streams groups are in the rooms of these.
//!
//! Source: `org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers` and `GroupCoordinatorRecordSerde`.

use bytes::{BufMut, Bytes, BytesMut};

use super::api::OffsetsRecord;
use super::consumer;
pub use super::consumer::ConsumerRecord;
use super::share;
pub use super::share::ShareRecord;
use super::streams;
pub use super::streams::StreamsRecord;
pub use crate::records::fields::RecordError;
use crate::records::fields::{Input, put_blob, put_compact_length, put_nullable_string, put_string};
use crate::types::Id;

/// Key of a committed offset.
const OFFSET_COMMIT: i16 = 1;
/// Key of a classic group's state.
const GROUP_METADATA: i16 = 2;

/// A committed offset.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetAndMetadata {
    /// The offset: next record to read.
    pub offset: i64,
    /// Leader epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// Whatever the client wanted to keep with it.
    pub metadata: String,
    /// When it was committed.
    pub commit_timestamp_ms: i64,
    /// When it expires, where a (very old) client asked for its own retention.
    pub expire_timestamp_ms: Option<i64>,
    /// Topic id given by the client, or zero.
    pub topic_id: Id,
}

/// A member as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRecord {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// `client.id`
    pub client_id: String,
    /// Host.
    pub client_host: String,
    /// Rebalance time-out; -1 in old records.
    pub rebalance_timeout_ms: i32,
    /// Session time-out.
    pub session_timeout_ms: i32,
    /// Its metadata for the chosen protocol.
    pub subscription: Bytes,
    /// Its assignment.
    pub assignment: Bytes,
}

/// A classic group as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRecord {
    /// `consumer`, or empty.
    pub protocol_type: String,
    /// Generation.
    pub generation: i32,
    /// Chosen protocol.
    pub protocol: Option<String>,
    /// Leader.
    pub leader: Option<String>,
    /// Since when it is in this state, or -1.
    pub state_timestamp_ms: i64,
    /// Members.
    pub members: Vec<MemberRecord>,
}

/// What a record of `__consumer_offsets` says.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A committed offset, or its tombstone.
    Offset {
        /// Group id.
        group: String,
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// The offset.
        value: Option<OffsetAndMetadata>,
    },
    /// A group's state, or its tombstone.
    Group {
        /// Group id.
        group: String,
        /// The state.
        value: Option<GroupRecord>,
    },
    /// A change of a consumer group.
    Consumer {
        /// Group id.
        group: String,
        /// The change.
        record: ConsumerRecord,
    },
    /// A change of a share group.
    Share {
        /// Group id.
        group: String,
        /// The change.
        record: ShareRecord,
    },
    /// A change of a streams group.
    Streams {
        /// Group id.
        group: String,
        /// The change.
        record: StreamsRecord,
    },
    /// A record that no version of ours knows, skipped.
    Other(i16),
}

/// A committed offset as a record.
pub fn encode_offset(
    group: &str,
    topic: &str,
    partition: i32,
    value: Option<&OffsetAndMetadata>,
) -> Result<OffsetsRecord, RecordError> {
    let mut key = BytesMut::with_capacity(2 + 2 + group.len() + 2 + topic.len() + 4);
    key.put_i16(OFFSET_COMMIT);
    put_string(&mut key, group)?;
    put_string(&mut key, topic)?;
    key.put_i32(partition);
    let value = value.map(encode_offset_value).transpose()?;
    Ok(OffsetsRecord { key: key.freeze(), value })
}

fn encode_offset_value(value: &OffsetAndMetadata) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::with_capacity(48 + value.metadata.len());
    // A retention of its own exists in version 1 only.
    if let Some(expire_timestamp_ms) = value.expire_timestamp_ms {
        out.put_i16(1);
        out.put_i64(value.offset);
        put_string(&mut out, &value.metadata)?;
        out.put_i64(value.commit_timestamp_ms);
        out.put_i64(expire_timestamp_ms);
        return Ok(out.freeze());
    }
    out.put_i16(4);
    out.put_i64(value.offset);
    out.put_i32(value.leader_epoch);
    put_compact_length(&mut out, value.metadata.len())?;
    out.put_slice(value.metadata.as_bytes());
    out.put_i64(value.commit_timestamp_ms);
    if value.topic_id.is_zero() {
        out.put_u8(0);
    } else {
        // One tagged field: tag 0, 16 bytes.
        out.put_slice(&[1, 0, 16]);
        out.put_slice(&value.topic_id.0);
    }
    Ok(out.freeze())
}

/// A group's state as a record.
pub fn encode_group(group: &str, value: Option<&GroupRecord>) -> Result<OffsetsRecord, RecordError> {
    let mut key = BytesMut::with_capacity(4 + group.len());
    key.put_i16(GROUP_METADATA);
    put_string(&mut key, group)?;
    let value = value.map(encode_group_value).transpose()?;
    Ok(OffsetsRecord { key: key.freeze(), value })
}

fn encode_group_value(value: &GroupRecord) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::with_capacity(64 + 256 * value.members.len());
    out.put_i16(3);
    put_string(&mut out, &value.protocol_type)?;
    out.put_i32(value.generation);
    put_nullable_string(&mut out, value.protocol.as_deref())?;
    put_nullable_string(&mut out, value.leader.as_deref())?;
    out.put_i64(value.state_timestamp_ms);
    out.put_i32(i32::try_from(value.members.len()).map_err(|_| RecordError::TooLong(value.members.len()))?);
    for member in &value.members {
        put_string(&mut out, &member.member_id)?;
        put_nullable_string(&mut out, member.instance_id.as_deref())?;
        put_string(&mut out, &member.client_id)?;
        put_string(&mut out, &member.client_host)?;
        out.put_i32(member.rebalance_timeout_ms);
        out.put_i32(member.session_timeout_ms);
        put_blob(&mut out, &member.subscription)?;
        put_blob(&mut out, &member.assignment)?;
    }
    Ok(out.freeze())
}

/// Reads a record. What a broker of another version wrote is told apart from what is broken.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Decoded, RecordError> {
    let mut key = Input::new(key);
    match key.i16()? {
        0 | OFFSET_COMMIT => {
            let group = key.string()?;
            let topic = key.string()?;
            let partition = key.i32()?;
            let value = value.map(decode_offset_value).transpose()?;
            Ok(Decoded::Offset { group, topic, partition, value })
        }
        GROUP_METADATA => {
            let group = key.string()?;
            let value = value.map(decode_group_value).transpose()?;
            Ok(Decoded::Group { group, value })
        }
        kind => {
            if let Some((group, record)) = consumer::decode(kind, &mut key, value)? {
                return Ok(Decoded::Consumer { group, record });
            }
            if let Some((group, record)) = share::decode(kind, &mut key, value)? {
                return Ok(Decoded::Share { group, record });
            }
            if let Some((group, record)) = streams::decode(kind, &mut key, value)? {
                return Ok(Decoded::Streams { group, record });
            }
            Ok(Decoded::Other(kind))
        }
    }
}

fn decode_offset_value(value: &[u8]) -> Result<OffsetAndMetadata, RecordError> {
    let mut input = Input::new(value);
    let version = input.i16()?;
    if !(0..=4).contains(&version) {
        return Err(RecordError::UnknownVersion(version));
    }
    let offset = input.i64()?;
    let leader_epoch = if version >= 3 { input.i32()? } else { -1 };
    let metadata = if version >= 4 { input.compact_string()?.unwrap_or_default() } else { input.string()? };
    let commit_timestamp_ms = input.i64()?;
    let expire_timestamp_ms = if version == 1 { Some(input.i64()?).filter(|ms| *ms != -1) } else { None };
    let mut topic_id = Id::ZERO;
    if version >= 4 {
        input.tagged_fields(|tag, mut field| {
            if tag == 0 {
                topic_id = Id(field.take()?);
            }
            Ok(())
        })?;
    }
    Ok(OffsetAndMetadata { offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms, topic_id })
}

fn decode_group_value(value: &[u8]) -> Result<GroupRecord, RecordError> {
    let mut input = Input::new(value);
    let version = input.i16()?;
    if !(0..=4).contains(&version) {
        return Err(RecordError::UnknownVersion(version));
    }
    let compact = version >= 4;
    let protocol_type = input.any_string(compact)?.ok_or(RecordError::Malformed)?;
    let generation = input.i32()?;
    let protocol = input.any_string(compact)?;
    let leader = input.any_string(compact)?;
    let state_timestamp_ms = if version >= 2 { input.i64()? } else { -1 };
    let count = if compact { input.compact_length()?.unwrap_or(0) } else { input.length()?.unwrap_or(0) };
    let mut members = Vec::new();
    for _ in 0..count {
        members.push(decode_member(&mut input, version)?);
    }
    if compact {
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(GroupRecord { protocol_type, generation, protocol, leader, state_timestamp_ms, members })
}

fn decode_member(input: &mut Input<'_>, version: i16) -> Result<MemberRecord, RecordError> {
    let compact = version >= 4;
    let member_id = input.any_string(compact)?.ok_or(RecordError::Malformed)?;
    let instance_id = if version >= 3 { input.any_string(compact)? } else { None };
    let client_id = input.any_string(compact)?.ok_or(RecordError::Malformed)?;
    let client_host = input.any_string(compact)?.ok_or(RecordError::Malformed)?;
    let rebalance_timeout_ms = if version >= 1 { input.i32()? } else { -1 };
    let session_timeout_ms = input.i32()?;
    let subscription = input.blob(compact)?;
    let assignment = input.blob(compact)?;
    if compact {
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(MemberRecord {
        member_id,
        instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms,
        session_timeout_ms,
        subscription,
        assignment,
    })
}
