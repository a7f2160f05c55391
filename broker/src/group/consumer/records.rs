//! Records of consumer groups in `__consumer_offsets`, byte for byte as Apache Kafka 4.3 writes them: keys 3 to 8 and 16.
//!
//! Source: `GroupCoordinatorRecordHelpers`, and the message definitions `ConsumerGroup…Key` and `…Value`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::member::{Assignment, ClassicMetadata, Current, MemberMetadata, MemberState, Owned};
use super::regexes::ResolvedRegex;
use crate::group::api::OffsetsRecord;
use crate::records::fields::{
    Input, RecordError, put_compact_length, put_compact_nullable_string, put_compact_string, put_i64_tag, put_no_tags,
    put_string, started_value, value_of_version_0,
};
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
    let value = value.map(value_of_version_0).transpose()?;
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

fn group_value(epoch: i32, hash: u64) -> BytesMut {
    target_epoch_value(epoch, hash.cast_signed())
}

/// Of share groups too.
pub fn target_epoch_value(epoch: i32, at_ms: i64) -> BytesMut {
    let mut out = started_value();
    out.put_i32(epoch);
    put_i64_tag(&mut out, at_ms);
    out
}

/// Of streams groups too.
pub fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn member_value(member: &MemberMetadata) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    put_compact_nullable_string(&mut out, member.instance_id.as_deref())?;
    put_compact_nullable_string(&mut out, member.rack_id.as_deref())?;
    put_compact_string(&mut out, &member.client_id)?;
    put_compact_string(&mut out, &member.client_host)?;
    put_compact_length(&mut out, member.topics.len())?;
    for topic in &member.topics {
        put_compact_string(&mut out, topic)?;
    }
    put_compact_string(&mut out, &member.regex)?;
    out.put_i32(member.rebalance_timeout_ms);
    put_compact_nullable_string(&mut out, member.assignor.as_deref())?;
    let Some(classic) = &member.classic else {
        put_no_tags(&mut out);
        return Ok(out);
    };
    let mut field = BytesMut::new();
    // A nullable struct begins with a byte that says that it is there.
    field.put_i8(1);
    field.put_i32(classic.session_timeout_ms);
    put_compact_length(&mut field, classic.protocols.len())?;
    for (name, metadata) in &classic.protocols {
        put_compact_string(&mut field, name)?;
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

/// Of share groups too.
pub fn target_value(assignment: &Assignment) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    put_assignment(&mut out, assignment)?;
    put_no_tags(&mut out);
    Ok(out)
}

/// Topics with their partitions.
pub fn put_assignment(out: &mut BytesMut, assignment: &Assignment) -> Result<(), RecordError> {
    put_compact_length(out, assignment.len())?;
    for (topic, partitions) in assignment {
        out.put_slice(&topic.0);
        put_partitions(out, partitions)?;
        put_no_tags(out);
    }
    Ok(())
}

/// Partitions of one topic.
pub fn put_partitions(out: &mut BytesMut, partitions: &BTreeSet<i32>) -> Result<(), RecordError> {
    put_compact_length(out, partitions.len())?;
    partitions.iter().for_each(|partition| out.put_i32(*partition));
    Ok(())
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
    let mut out = started_value();
    out.put_i32(current.epoch);
    out.put_i32(current.previous_epoch);
    out.put_i8(current.state as i8);
    put_owned(&mut out, &current.assigned)?;
    put_owned(&mut out, &current.revoking)?;
    put_no_tags(&mut out);
    Ok(out)
}

fn regex_value(resolved: &ResolvedRegex) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    put_compact_length(&mut out, resolved.topics.len())?;
    for topic in &resolved.topics {
        put_compact_string(&mut out, topic)?;
    }
    out.put_i64(resolved.version);
    out.put_i64(resolved.timestamp_ms);
    put_no_tags(&mut out);
    Ok(out)
}

fn read_group(mut input: Input<'_>) -> Result<(i32, u64), RecordError> {
    let epoch = input.i32()?;
    Ok((epoch, input.i64_tag()?.cast_unsigned()))
}

/// Of share groups too.
pub fn read_target_epoch(mut input: Input<'_>) -> Result<(i32, i64), RecordError> {
    let epoch = input.i32()?;
    Ok((epoch, input.i64_tag()?))
}

fn read_member(mut input: Input<'_>) -> Result<MemberMetadata, RecordError> {
    let mut member = MemberMetadata {
        instance_id: input.compact_string()?,
        rack_id: input.compact_string()?,
        client_id: input.required_string()?,
        client_host: input.required_string()?,
        ..MemberMetadata::default()
    };
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        member.topics.insert(input.required_string()?.into());
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
        let name = input.required_string()?;
        protocols.push((name, input.blob(true)?));
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(Some(ClassicMetadata { session_timeout_ms, protocols }))
}

/// Of share groups too.
pub fn read_target(mut input: Input<'_>) -> Result<Assignment, RecordError> {
    read_assignment(&mut input)
}

/// Topics with their partitions.
pub fn read_assignment(input: &mut Input<'_>) -> Result<Assignment, RecordError> {
    let mut assignment = Assignment::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let topic = Id(input.take()?);
        let partitions: BTreeSet<i32> = input.compact_i32s()?.into_iter().collect();
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
        let partitions = input.compact_i32s()?;
        let mut epochs = Vec::new();
        input.tagged_fields(|tag, mut field| {
            if tag == 0 {
                epochs = field.compact_i32s()?;
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
        topics.insert(input.required_string()?.into());
    }
    Ok(ResolvedRegex { topics, version: input.i64()?, timestamp_ms: input.i64()? })
}
