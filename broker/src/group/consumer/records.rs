//! Records of consumer groups in `__consumer_offsets`, byte for byte as Apache Kafka 4.3 writes them: keys 3 to 8 and 16.
//!
//! Source: `GroupCoordinatorRecordHelpers`, and the message definitions `ConsumerGroup…Key` and `…Value`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::member::{Assignment, ClassicMetadata, Current, MemberMetadata, MemberState, Owned};
use super::regexes::ResolvedRegex;
use crate::group::api::OffsetsRecord;
use crate::records::fields::{Input, RecordError, put_compact_length, put_string};
use crate::types::Id;

const GROUP: i16 = 3;
const PARTITION_METADATA: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET_MEMBER: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

/// One change of a consumer group; `None` removes.
#[derive(Clone, Debug, PartialEq)]
pub enum ConsumerRecord {
    /// The group's epoch and the hash of what its topics look like.
    Group(Option<(i32, u64)>),
    /// Kafka 4.0 and before kept the topics themselves; true if it is there.
    PartitionMetadata(bool),
    /// A member.
    Member(Arc<str>, Option<Box<MemberMetadata>>),
    /// Epoch of the target assignment, and when it was worked out.
    TargetEpoch(Option<(i32, i64)>),
    /// What a member should have.
    TargetMember(Arc<str>, Option<Arc<Assignment>>),
    /// What a member has.
    Current(Arc<str>, Option<Box<Current>>),
    /// Topics that a regular expression means.
    Regex(String, Option<ResolvedRegex>),
}

impl ConsumerRecord {
    /// Whether it removes something.
    pub fn is_tombstone(&self) -> bool {
        match self {
            ConsumerRecord::Group(value) => value.is_none(),
            ConsumerRecord::PartitionMetadata(there) => !there,
            ConsumerRecord::Member(_, value) => value.is_none(),
            ConsumerRecord::TargetEpoch(value) => value.is_none(),
            ConsumerRecord::TargetMember(_, value) => value.is_none(),
            ConsumerRecord::Current(_, value) => value.is_none(),
            ConsumerRecord::Regex(_, value) => value.is_none(),
        }
    }

    /// As it is written.
    pub fn encode(&self, group: &str) -> Result<OffsetsRecord, RecordError> {
        let (kind, name, value) = match self {
            ConsumerRecord::Group(value) => (GROUP, None, value.map(|(epoch, hash)| group_value(epoch, hash))),
            ConsumerRecord::PartitionMetadata(_) => (PARTITION_METADATA, None, None),
            ConsumerRecord::Member(id, value) => (MEMBER, Some(&**id), value.as_deref().map(member_value).transpose()?),
            ConsumerRecord::TargetEpoch(value) => {
                (TARGET_EPOCH, None, value.map(|(epoch, at_ms)| target_epoch_value(epoch, at_ms)))
            }
            ConsumerRecord::TargetMember(id, value) => {
                (TARGET_MEMBER, Some(&**id), value.as_deref().map(target_value).transpose()?)
            }
            ConsumerRecord::Current(id, value) => {
                (CURRENT, Some(&**id), value.as_deref().map(current_value).transpose()?)
            }
            ConsumerRecord::Regex(regex, value) => {
                (REGEX, Some(regex.as_str()), value.as_ref().map(regex_value).transpose()?)
            }
        };
        let mut key = BytesMut::with_capacity(6 + group.len() + name.map_or(0, str::len));
        key.put_i16(kind);
        put_string(&mut key, group)?;
        if let Some(name) = name {
            put_string(&mut key, name)?;
        }
        Ok(OffsetsRecord { key: key.freeze(), value: value.map(BytesMut::freeze) })
    }
}

/// Reads a record whose key's type has been read; `None` for those of other groups than consumer groups.
pub fn decode(
    kind: i16,
    key: &mut Input<'_>,
    value: Option<&[u8]>,
) -> Result<Option<(String, ConsumerRecord)>, RecordError> {
    if !matches!(kind, GROUP..=CURRENT | REGEX) {
        return Ok(None);
    }
    let group = key.string()?;
    let value = value.map(versioned).transpose()?;
    let record = match kind {
        GROUP => ConsumerRecord::Group(value.map(read_group).transpose()?),
        PARTITION_METADATA => ConsumerRecord::PartitionMetadata(value.is_some()),
        MEMBER => ConsumerRecord::Member(key.string()?.into(), value.map(read_member).transpose()?.map(Box::new)),
        TARGET_EPOCH => ConsumerRecord::TargetEpoch(value.map(read_target_epoch).transpose()?),
        TARGET_MEMBER => {
            ConsumerRecord::TargetMember(key.string()?.into(), value.map(read_target).transpose()?.map(Arc::new))
        }
        CURRENT => ConsumerRecord::Current(key.string()?.into(), value.map(read_current).transpose()?.map(Box::new)),
        _ => ConsumerRecord::Regex(key.string()?, value.map(read_regex).transpose()?),
    };
    Ok(Some((group, record)))
}

fn versioned(value: &[u8]) -> Result<Input<'_>, RecordError> {
    let mut input = Input::new(value);
    match input.i16()? {
        0 => Ok(input),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

fn started() -> BytesMut {
    let mut out = BytesMut::with_capacity(64);
    out.put_i16(0);
    out
}

/// No tagged fields.
fn finish(mut out: BytesMut) -> BytesMut {
    out.put_u8(0);
    out
}

/// One tagged field of eight bytes; left out where it has its default.
fn finish_with_i64(mut out: BytesMut, value: i64) -> BytesMut {
    if value == 0 {
        return finish(out);
    }
    out.put_slice(&[1, 0, 8]);
    out.put_i64(value);
    out
}

fn group_value(epoch: i32, hash: u64) -> BytesMut {
    let mut out = started();
    out.put_i32(epoch);
    finish_with_i64(out, hash.cast_signed())
}

fn target_epoch_value(epoch: i32, at_ms: i64) -> BytesMut {
    let mut out = started();
    out.put_i32(epoch);
    finish_with_i64(out, at_ms)
}

fn put_compact(out: &mut BytesMut, text: &str) -> Result<(), RecordError> {
    put_compact_length(out, text.len())?;
    out.put_slice(text.as_bytes());
    Ok(())
}

fn put_compact_option(out: &mut BytesMut, text: Option<&str>) -> Result<(), RecordError> {
    match text {
        Some(text) => put_compact(out, text),
        None => {
            out.put_u8(0);
            Ok(())
        }
    }
}

fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn member_value(member: &MemberMetadata) -> Result<BytesMut, RecordError> {
    let mut out = started();
    put_compact_option(&mut out, member.instance_id.as_deref())?;
    put_compact_option(&mut out, member.rack_id.as_deref())?;
    put_compact(&mut out, &member.client_id)?;
    put_compact(&mut out, &member.client_host)?;
    put_compact_length(&mut out, member.topics.len())?;
    for topic in &member.topics {
        put_compact(&mut out, topic)?;
    }
    put_compact(&mut out, &member.regex)?;
    out.put_i32(member.rebalance_timeout_ms);
    put_compact_option(&mut out, member.assignor.as_deref())?;
    let Some(classic) = &member.classic else { return Ok(finish(out)) };
    let mut field = BytesMut::new();
    // A nullable struct begins with a byte that says that it is there.
    field.put_i8(1);
    field.put_i32(classic.session_timeout_ms);
    put_compact_length(&mut field, classic.protocols.len())?;
    for (name, metadata) in &classic.protocols {
        put_compact(&mut field, name)?;
        put_compact_length(&mut field, metadata.len())?;
        field.put_slice(metadata);
        field.put_u8(0);
    }
    field.put_u8(0);
    out.put_slice(&[1, 0]);
    put_varint(&mut out, field.len());
    out.put_slice(&field);
    Ok(out)
}

fn target_value(assignment: &Assignment) -> Result<BytesMut, RecordError> {
    let mut out = started();
    put_compact_length(&mut out, assignment.len())?;
    for (topic, partitions) in assignment {
        out.put_slice(&topic.0);
        put_compact_length(&mut out, partitions.len())?;
        partitions.iter().for_each(|partition| out.put_i32(*partition));
        out.put_u8(0);
    }
    Ok(finish(out))
}

fn put_owned(out: &mut BytesMut, owned: &Owned) -> Result<(), RecordError> {
    put_compact_length(out, owned.len())?;
    for (topic, partitions) in owned {
        out.put_slice(&topic.0);
        put_compact_length(out, partitions.len())?;
        partitions.keys().for_each(|partition| out.put_i32(*partition));
        let mut epochs = BytesMut::new();
        put_compact_length(&mut epochs, partitions.len())?;
        partitions.values().for_each(|epoch| epochs.put_i32(*epoch));
        out.put_slice(&[1, 0]);
        put_varint(out, epochs.len());
        out.put_slice(&epochs);
    }
    Ok(())
}

fn current_value(current: &Current) -> Result<BytesMut, RecordError> {
    let mut out = started();
    out.put_i32(current.epoch);
    out.put_i32(current.previous_epoch);
    out.put_i8(current.state as i8);
    put_owned(&mut out, &current.assigned)?;
    put_owned(&mut out, &current.revoking)?;
    Ok(finish(out))
}

fn regex_value(resolved: &ResolvedRegex) -> Result<BytesMut, RecordError> {
    let mut out = started();
    put_compact_length(&mut out, resolved.topics.len())?;
    for topic in &resolved.topics {
        put_compact(&mut out, topic)?;
    }
    out.put_i64(resolved.version);
    out.put_i64(resolved.timestamp_ms);
    Ok(finish(out))
}

/// The tagged field 0 of eight bytes, or zero.
fn read_i64_tag(input: &mut Input<'_>) -> Result<i64, RecordError> {
    let mut value = 0;
    input.tagged_fields(|tag, mut field| {
        if tag == 0 {
            value = field.i64()?;
        }
        Ok(())
    })?;
    Ok(value)
}

fn read_group(mut input: Input<'_>) -> Result<(i32, u64), RecordError> {
    let epoch = input.i32()?;
    Ok((epoch, read_i64_tag(&mut input)?.cast_unsigned()))
}

fn read_target_epoch(mut input: Input<'_>) -> Result<(i32, i64), RecordError> {
    let epoch = input.i32()?;
    Ok((epoch, read_i64_tag(&mut input)?))
}

fn required(text: Option<String>) -> Result<String, RecordError> {
    text.ok_or(RecordError::Malformed)
}

fn read_member(mut input: Input<'_>) -> Result<MemberMetadata, RecordError> {
    let mut member = MemberMetadata {
        instance_id: input.compact_string()?,
        rack_id: input.compact_string()?,
        client_id: required(input.compact_string()?)?,
        client_host: required(input.compact_string()?)?,
        ..MemberMetadata::default()
    };
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        member.topics.insert(required(input.compact_string()?)?.into());
    }
    member.regex = input.compact_string()?.unwrap_or_default();
    member.rebalance_timeout_ms = input.i32()?;
    member.assignor = input.compact_string()?;
    input.tagged_fields(|tag, field| {
        if tag == 0 {
            member.classic = read_classic(field)?;
        }
        Ok(())
    })?;
    Ok(member)
}

fn read_classic(mut input: Input<'_>) -> Result<Option<ClassicMetadata>, RecordError> {
    if input.i8()? < 0 {
        return Ok(None);
    }
    let session_timeout_ms = input.i32()?;
    let mut protocols: Vec<(String, Bytes)> = Vec::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let name = required(input.compact_string()?)?;
        protocols.push((name, input.blob(true)?));
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(Some(ClassicMetadata { session_timeout_ms, protocols }))
}

fn read_ints(input: &mut Input<'_>) -> Result<Vec<i32>, RecordError> {
    (0..input.compact_length()?.unwrap_or(0)).map(|_| input.i32()).collect()
}

fn read_target(mut input: Input<'_>) -> Result<Assignment, RecordError> {
    let mut assignment = Assignment::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let topic = Id(input.take()?);
        let partitions: BTreeSet<i32> = read_ints(&mut input)?.into_iter().collect();
        input.tagged_fields(|_, _| Ok(()))?;
        assignment.insert(topic, partitions);
    }
    Ok(assignment)
}

/// Before Kafka 4.3 no epochs were kept: each partition then counts as got in the member's epoch.
fn read_owned(input: &mut Input<'_>, member_epoch: i32) -> Result<Owned, RecordError> {
    let mut owned = Owned::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let topic = Id(input.take()?);
        let partitions = read_ints(input)?;
        let mut epochs = Vec::new();
        input.tagged_fields(|tag, mut field| {
            if tag == 0 {
                epochs = read_ints(&mut field)?;
            }
            Ok(())
        })?;
        let default = member_epoch.max(0);
        let epoch_of = |(index, partition): (usize, &i32)| {
            (*partition, if epochs.len() == partitions.len() { epochs[index] } else { default })
        };
        let partitions: BTreeMap<i32, i32> = partitions.iter().enumerate().map(epoch_of).collect();
        owned.insert(topic, partitions);
    }
    Ok(owned)
}

fn read_current(mut input: Input<'_>) -> Result<Current, RecordError> {
    let (epoch, previous_epoch) = (input.i32()?, input.i32()?);
    let state = MemberState::of(input.i8()?);
    let assigned = read_owned(&mut input, epoch)?;
    let revoking = read_owned(&mut input, epoch)?;
    Ok(Current { epoch, previous_epoch, state, assigned, revoking })
}

fn read_regex(mut input: Input<'_>) -> Result<ResolvedRegex, RecordError> {
    let mut topics = BTreeSet::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        topics.insert(required(input.compact_string()?)?.into());
    }
    Ok(ResolvedRegex { topics, version: input.i64()?, timestamp_ms: input.i64()? })
}
