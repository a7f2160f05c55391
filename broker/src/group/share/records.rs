//! Records of share groups in `__consumer_offsets`, byte for byte as Apache Kafka 4.3 writes them: keys 10 to 15.
//!
//! Source: `GroupCoordinatorRecordHelpers`, and the message definitions `ShareGroup…Key` and `…Value`.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::member::{Current, MemberMetadata};
use super::state::{StatePartitions, TopicState, TopicStates};
use crate::group::api::OffsetsRecord;
use crate::group::consumer::records::{
    put_assignment, put_partitions, read_assignment, read_target, read_target_epoch, target_epoch_value, target_value,
};
use crate::group::consumer::{Assignment, MemberState};
use crate::records::fields::{
    Input, RecordError, put_compact_length, put_compact_nullable_string, put_compact_string, put_no_tags, put_string,
    started_value, value_of_version_0,
};
use crate::types::Id;

const MEMBER: i16 = 10;
const GROUP: i16 = 11;
const TARGET_EPOCH: i16 = 12;
const TARGET_MEMBER: i16 = 13;
const CURRENT: i16 = 14;
const STATE: i16 = 15;

/// One change of a share group; `None` removes.
#[derive(Clone, Debug, PartialEq)]
pub enum ShareRecord {
    /// A member.
    Member(Arc<str>, Option<Box<MemberMetadata>>),
    /// The group's epoch and the hash of what its topics look like.
    Group(Option<(i32, u64)>),
    /// Epoch of the target assignment, and when it was worked out.
    TargetEpoch(Option<(i32, i64)>),
    /// What a member should have.
    TargetMember(Arc<str>, Option<Arc<Assignment>>),
    /// What a member has.
    Current(Arc<str>, Option<Box<Current>>),
    /// Which partitions have a share state, will have one, or had one.
    State(Option<Arc<StatePartitions>>),
}

impl ShareRecord {
    /// Whether it removes something.
    pub fn is_tombstone(&self) -> bool {
        match self {
            ShareRecord::Member(_, value) => value.is_none(),
            ShareRecord::Group(value) => value.is_none(),
            ShareRecord::TargetEpoch(value) => value.is_none(),
            ShareRecord::TargetMember(_, value) => value.is_none(),
            ShareRecord::Current(_, value) => value.is_none(),
            ShareRecord::State(value) => value.is_none(),
        }
    }

    /// As it is written.
    pub fn encode(&self, group: &str) -> Result<OffsetsRecord, RecordError> {
        let (kind, member, value) = match self {
            ShareRecord::Member(id, value) => (MEMBER, Some(id), value.as_deref().map(member_value).transpose()?),
            ShareRecord::Group(value) => (GROUP, None, value.map(|(epoch, hash)| group_value(epoch, hash))),
            ShareRecord::TargetEpoch(value) => {
                (TARGET_EPOCH, None, value.map(|(epoch, at_ms)| target_epoch_value(epoch, at_ms)))
            }
            ShareRecord::TargetMember(id, value) => {
                (TARGET_MEMBER, Some(id), value.as_deref().map(target_value).transpose()?)
            }
            ShareRecord::Current(id, value) => (CURRENT, Some(id), value.as_deref().map(current_value).transpose()?),
            ShareRecord::State(value) => (STATE, None, value.as_deref().map(state_value).transpose()?),
        };
        let mut key = BytesMut::with_capacity(6 + group.len() + member.map_or(0, |id| id.len()));
        key.put_i16(kind);
        put_string(&mut key, group)?;
        if let Some(member) = member {
            put_string(&mut key, member)?;
        }
        Ok(OffsetsRecord { key: key.freeze(), value: value.map(BytesMut::freeze) })
    }
}

/// Reads a record whose key's type has been read; `None` for those of other groups than share groups.
pub fn decode(
    kind: i16,
    key: &mut Input<'_>,
    value: Option<&[u8]>,
) -> Result<Option<(String, ShareRecord)>, RecordError> {
    if !matches!(kind, MEMBER..=STATE) {
        return Ok(None);
    }
    let group = key.string()?;
    let value = value.map(value_of_version_0).transpose()?;
    let record = match kind {
        MEMBER => ShareRecord::Member(key.string()?.into(), value.map(read_member).transpose()?.map(Box::new)),
        GROUP => ShareRecord::Group(value.map(read_group).transpose()?),
        TARGET_EPOCH => ShareRecord::TargetEpoch(value.map(read_target_epoch).transpose()?),
        TARGET_MEMBER => {
            ShareRecord::TargetMember(key.string()?.into(), value.map(read_target).transpose()?.map(Arc::new))
        }
        CURRENT => ShareRecord::Current(key.string()?.into(), value.map(read_current).transpose()?.map(Box::new)),
        _ => ShareRecord::State(value.map(read_state).transpose()?.map(Arc::new)),
    };
    Ok(Some((group, record)))
}

fn member_value(member: &MemberMetadata) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    put_compact_nullable_string(&mut out, member.rack_id.as_deref())?;
    put_compact_string(&mut out, &member.client_id)?;
    put_compact_string(&mut out, &member.client_host)?;
    put_compact_length(&mut out, member.topics.len())?;
    for topic in &member.topics {
        put_compact_string(&mut out, topic)?;
    }
    put_no_tags(&mut out);
    Ok(out)
}

fn read_member(mut input: Input<'_>) -> Result<MemberMetadata, RecordError> {
    let mut member = MemberMetadata {
        rack_id: input.compact_string()?,
        client_id: input.required_string()?,
        client_host: input.required_string()?,
        ..MemberMetadata::default()
    };
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        member.topics.insert(input.required_string()?.into());
    }
    Ok(member)
}

fn group_value(epoch: i32, hash: u64) -> BytesMut {
    let mut out = started_value();
    out.put_i32(epoch);
    out.put_u64(hash);
    put_no_tags(&mut out);
    out
}

fn read_group(mut input: Input<'_>) -> Result<(i32, u64), RecordError> {
    Ok((input.i32()?, input.i64()?.cast_unsigned()))
}

fn current_value(current: &Current) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    out.put_i32(current.epoch);
    out.put_i32(current.previous_epoch);
    out.put_i8(current.state as i8);
    put_assignment(&mut out, &current.assigned)?;
    put_no_tags(&mut out);
    Ok(out)
}

fn read_current(mut input: Input<'_>) -> Result<Current, RecordError> {
    let (epoch, previous_epoch) = (input.i32()?, input.i32()?);
    let state = MemberState::of(input.i8()?);
    Ok(Current { epoch, previous_epoch, state, assigned: read_assignment(&mut input)? })
}

fn state_value(state: &StatePartitions) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    for topics in [&state.initializing, &state.initialized] {
        put_compact_length(&mut out, topics.len())?;
        for (id, topic) in topics {
            out.put_slice(&id.0);
            put_compact_string(&mut out, &topic.name)?;
            put_partitions(&mut out, &topic.partitions)?;
            put_no_tags(&mut out);
        }
    }
    put_compact_length(&mut out, state.deleting.len())?;
    for (id, name) in &state.deleting {
        out.put_slice(&id.0);
        put_compact_string(&mut out, name)?;
        put_no_tags(&mut out);
    }
    put_no_tags(&mut out);
    Ok(out)
}

fn read_states(input: &mut Input<'_>) -> Result<TopicStates, RecordError> {
    let mut topics = TopicStates::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let id = Id(input.take()?);
        let name = input.required_string()?.into();
        let partitions = input.compact_i32s()?.into_iter().collect();
        input.tagged_fields(|_, _| Ok(()))?;
        topics.insert(id, TopicState { name, partitions });
    }
    Ok(topics)
}

fn read_state(mut input: Input<'_>) -> Result<StatePartitions, RecordError> {
    let mut state = StatePartitions {
        initializing: read_states(&mut input)?,
        initialized: read_states(&mut input)?,
        ..StatePartitions::default()
    };
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let id = Id(input.take()?);
        state.deleting.insert(id, input.required_string()?.into());
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(state)
}
