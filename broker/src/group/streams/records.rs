//! Records of streams groups in `__consumer_offsets`, byte for byte as Apache Kafka 4.3 writes them: keys 17 and 19 to 23.
//!
//! Source: `StreamsCoordinatorRecordHelpers`, and the message definitions `StreamsGroup…Key` and `…Value`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::member::{Current, MemberMetadata, MemberState};
use super::tasks::{Owned, TaskSet, Tasks, TasksSince};
use super::topology::{CopartitionGroup, Subtopology, TopicInfo, Topology};
use crate::group::api::OffsetsRecord;
use crate::group::consumer::records::{put_varint, read_target_epoch, target_epoch_value};
use crate::records::fields::{
    Input, RecordError, put_compact_length, put_compact_nullable_string, put_compact_string, put_no_tags, put_string,
    started_value, value_of_version_0,
};

const GROUP: i16 = 17;
const MEMBER: i16 = 19;
const TARGET_EPOCH: i16 = 20;
const TARGET_MEMBER: i16 = 21;
const CURRENT: i16 = 22;
const TOPOLOGY: i16 = 23;

/// What is kept of a group as such: `StreamsGroupMetadataValue`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMetadata {
    /// Group epoch.
    pub epoch: i32,
    /// Of what its topics look like.
    pub metadata_hash: u64,
    /// Epoch of the topology whose topics were found to be right; -1 if they were not.
    pub validated_epoch: i32,
    /// Settings that the assignor was given last.
    pub assignment_configs: BTreeMap<String, String>,
}

/// One change of a streams group; `None` removes.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamsRecord {
    /// The group as such.
    Group(Option<Box<GroupMetadata>>),
    /// A member.
    Member(Arc<str>, Option<Box<MemberMetadata>>),
    /// Epoch of the target assignment, and when it was worked out.
    TargetEpoch(Option<(i32, i64)>),
    /// What a member should have.
    TargetMember(Arc<str>, Option<Arc<TaskSet>>),
    /// What a member has.
    Current(Arc<str>, Option<Box<Current>>),
    /// What the application is made of.
    Topology(Option<Arc<Topology>>),
}

impl StreamsRecord {
    /// Whether it removes something.
    pub fn is_tombstone(&self) -> bool {
        match self {
            StreamsRecord::Group(value) => value.is_none(),
            StreamsRecord::Member(_, value) => value.is_none(),
            StreamsRecord::TargetEpoch(value) => value.is_none(),
            StreamsRecord::TargetMember(_, value) => value.is_none(),
            StreamsRecord::Current(_, value) => value.is_none(),
            StreamsRecord::Topology(value) => value.is_none(),
        }
    }

    /// As it is written.
    pub fn encode(&self, group: &str) -> Result<OffsetsRecord, RecordError> {
        let (kind, member, value) = match self {
            StreamsRecord::Group(value) => (GROUP, None, value.as_deref().map(group_value).transpose()?),
            StreamsRecord::Member(id, value) => (MEMBER, Some(id), value.as_deref().map(member_value).transpose()?),
            StreamsRecord::TargetEpoch(value) => {
                (TARGET_EPOCH, None, value.map(|(epoch, at_ms)| target_epoch_value(epoch, at_ms)))
            }
            StreamsRecord::TargetMember(id, value) => {
                (TARGET_MEMBER, Some(id), value.as_deref().map(target_value).transpose()?)
            }
            StreamsRecord::Current(id, value) => (CURRENT, Some(id), value.as_deref().map(current_value).transpose()?),
            StreamsRecord::Topology(value) => (TOPOLOGY, None, value.as_deref().map(topology_value).transpose()?),
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

/// Reads a record whose key's type has been read; `None` for those of other groups than streams groups.
pub fn decode(
    kind: i16,
    key: &mut Input<'_>,
    value: Option<&[u8]>,
) -> Result<Option<(String, StreamsRecord)>, RecordError> {
    if !matches!(kind, GROUP | MEMBER..=TOPOLOGY) {
        return Ok(None);
    }
    let group = key.string()?;
    let value = value.map(value_of_version_0).transpose()?;
    let record = match kind {
        GROUP => StreamsRecord::Group(value.map(read_group).transpose()?.map(Box::new)),
        MEMBER => StreamsRecord::Member(key.string()?.into(), value.map(read_member).transpose()?.map(Box::new)),
        TARGET_EPOCH => StreamsRecord::TargetEpoch(value.map(read_target_epoch).transpose()?),
        TARGET_MEMBER => {
            StreamsRecord::TargetMember(key.string()?.into(), value.map(read_target).transpose()?.map(Arc::new))
        }
        CURRENT => StreamsRecord::Current(key.string()?.into(), value.map(read_current).transpose()?.map(Box::new)),
        _ => StreamsRecord::Topology(value.map(read_topology).transpose()?.map(Arc::new)),
    };
    Ok(Some((group, record)))
}

/// Keys and values, each pair a struct of its own.
fn put_pairs<'a>(
    out: &mut BytesMut,
    pairs: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) -> Result<(), RecordError> {
    put_compact_length(out, pairs.len())?;
    for (key, value) in pairs {
        put_compact_string(out, key)?;
        put_compact_string(out, value)?;
        put_no_tags(out);
    }
    Ok(())
}

fn read_pairs(input: &mut Input<'_>) -> Result<Vec<(String, String)>, RecordError> {
    let mut pairs = Vec::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        pairs.push((input.required_string()?, input.required_string()?));
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(pairs)
}

fn group_value(group: &GroupMetadata) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    out.put_i32(group.epoch);
    out.put_i64(group.metadata_hash.cast_signed());
    // Tagged fields, left out where they have their defaults.
    let (has_epoch, has_configs) = (group.validated_epoch != -1, !group.assignment_configs.is_empty());
    out.put_u8(u8::from(has_epoch) + u8::from(has_configs));
    if has_epoch {
        out.put_slice(&[0, 4]);
        out.put_i32(group.validated_epoch);
    }
    if has_configs {
        let mut configs = BytesMut::new();
        put_pairs(&mut configs, group.assignment_configs.iter())?;
        out.put_u8(1);
        put_varint(&mut out, configs.len());
        out.put_slice(&configs);
    }
    Ok(out)
}

fn read_group(mut input: Input<'_>) -> Result<GroupMetadata, RecordError> {
    let (epoch, metadata_hash) = (input.i32()?, input.i64()?.cast_unsigned());
    let mut group = GroupMetadata { epoch, metadata_hash, validated_epoch: -1, assignment_configs: BTreeMap::new() };
    input.tagged_fields(|tag, mut field| {
        match tag {
            0 => group.validated_epoch = field.i32()?,
            1 => group.assignment_configs = read_pairs(&mut field)?.into_iter().collect(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(group)
}

fn member_value(member: &MemberMetadata) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    put_compact_nullable_string(&mut out, member.instance_id.as_deref())?;
    put_compact_nullable_string(&mut out, member.rack_id.as_deref())?;
    put_compact_string(&mut out, &member.client_id)?;
    put_compact_string(&mut out, &member.client_host)?;
    out.put_i32(member.rebalance_timeout_ms);
    out.put_i32(member.topology_epoch);
    put_compact_string(&mut out, &member.process_id)?;
    match &member.user_endpoint {
        None => out.put_i8(-1),
        Some((host, port)) => {
            out.put_i8(1);
            put_compact_string(&mut out, host)?;
            out.put_u16(*port);
            put_no_tags(&mut out);
        }
    }
    put_pairs(&mut out, member.client_tags.iter())?;
    put_no_tags(&mut out);
    Ok(out)
}

fn read_member(mut input: Input<'_>) -> Result<MemberMetadata, RecordError> {
    let mut member = MemberMetadata {
        instance_id: input.compact_string()?,
        rack_id: input.compact_string()?,
        client_id: input.required_string()?,
        client_host: input.required_string()?,
        rebalance_timeout_ms: input.i32()?,
        topology_epoch: input.i32()?,
        process_id: input.required_string()?.into(),
        ..MemberMetadata::default()
    };
    if input.i8()? >= 0 {
        let host = input.required_string()?;
        member.user_endpoint = Some((host, input.i16()?.cast_unsigned()));
        input.tagged_fields(|_, _| Ok(()))?;
    }
    member.client_tags = read_pairs(&mut input)?.into_iter().collect();
    Ok(member)
}

fn put_tasks(out: &mut BytesMut, tasks: &Tasks) -> Result<(), RecordError> {
    put_compact_length(out, tasks.len())?;
    for (id, partitions) in tasks {
        put_compact_string(out, id)?;
        put_compact_length(out, partitions.len())?;
        partitions.iter().for_each(|partition| out.put_i32(*partition));
        put_no_tags(out);
    }
    Ok(())
}

fn put_tasks_since(out: &mut BytesMut, tasks: &TasksSince) -> Result<(), RecordError> {
    put_compact_length(out, tasks.len())?;
    for (id, partitions) in tasks {
        put_compact_string(out, id)?;
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

/// Before Kafka 4.3 no epochs were kept: each task then counts as got in the member's epoch.
fn read_tasks_since(input: &mut Input<'_>, member_epoch: i32) -> Result<TasksSince, RecordError> {
    let mut tasks = TasksSince::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let id = input.required_string()?.into();
        let partitions = input.compact_i32s()?;
        let mut epochs = Vec::new();
        input.tagged_fields(|tag, mut field| {
            if tag == 0 {
                epochs = field.compact_i32s()?;
            }
            Ok(())
        })?;
        let has_epochs = epochs.len() == partitions.len();
        let epoch_of = |index: usize| epochs.get(index).copied().filter(|_| has_epochs).unwrap_or(member_epoch);
        let since = partitions.iter().enumerate().map(|(index, partition)| (*partition, epoch_of(index)));
        tasks.insert(id, since.collect());
    }
    Ok(tasks)
}

fn read_tasks(input: &mut Input<'_>) -> Result<Tasks, RecordError> {
    let since = read_tasks_since(input, 0)?;
    let without =
        |(id, partitions): (Arc<str>, BTreeMap<i32, i32>)| (id, partitions.into_keys().collect::<BTreeSet<i32>>());
    Ok(since.into_iter().map(without).collect())
}

fn target_value(target: &TaskSet) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    for tasks in [&target.active, &target.standby, &target.warmup] {
        put_tasks(&mut out, tasks)?;
    }
    put_no_tags(&mut out);
    Ok(out)
}

fn read_target(mut input: Input<'_>) -> Result<TaskSet, RecordError> {
    Ok(TaskSet { active: read_tasks(&mut input)?, standby: read_tasks(&mut input)?, warmup: read_tasks(&mut input)? })
}

fn current_value(current: &Current) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    out.put_i32(current.epoch);
    out.put_i32(current.previous_epoch);
    out.put_i8(current.state as i8);
    for owned in [&current.assigned, &current.revoking] {
        put_tasks_since(&mut out, &owned.active)?;
        put_tasks(&mut out, &owned.standby)?;
        put_tasks(&mut out, &owned.warmup)?;
    }
    put_no_tags(&mut out);
    Ok(out)
}

fn read_current(mut input: Input<'_>) -> Result<Current, RecordError> {
    let (epoch, previous_epoch) = (input.i32()?, input.i32()?);
    let state = MemberState::of(input.i8()?);
    let mut read_owned = || -> Result<Owned, RecordError> {
        Ok(Owned {
            active: read_tasks_since(&mut input, epoch)?,
            standby: read_tasks(&mut input)?,
            warmup: read_tasks(&mut input)?,
        })
    };
    let assigned = read_owned()?;
    Ok(Current { epoch, previous_epoch, state, assigned, revoking: read_owned()? })
}

fn put_names(out: &mut BytesMut, names: &[Arc<str>]) -> Result<(), RecordError> {
    put_compact_length(out, names.len())?;
    names.iter().try_for_each(|name| put_compact_string(out, name))
}

fn read_names(input: &mut Input<'_>) -> Result<Vec<Arc<str>>, RecordError> {
    (0..input.compact_length()?.unwrap_or(0)).map(|_| Ok(input.required_string()?.into())).collect()
}

fn put_topics(out: &mut BytesMut, topics: &[TopicInfo]) -> Result<(), RecordError> {
    put_compact_length(out, topics.len())?;
    for topic in topics {
        put_compact_string(out, &topic.name)?;
        out.put_i32(topic.partitions);
        out.put_i16(topic.replication_factor);
        put_pairs(out, topic.configs.iter().map(|(key, value)| (key, value)))?;
        put_no_tags(out);
    }
    Ok(())
}

fn read_topics(input: &mut Input<'_>) -> Result<Vec<TopicInfo>, RecordError> {
    let mut topics = Vec::new();
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        topics.push(TopicInfo {
            name: input.required_string()?.into(),
            partitions: input.i32()?,
            replication_factor: input.i16()?,
            configs: read_pairs(input)?,
        });
        input.tagged_fields(|_, _| Ok(()))?;
    }
    Ok(topics)
}

fn put_places(out: &mut BytesMut, places: &[i16]) -> Result<(), RecordError> {
    put_compact_length(out, places.len())?;
    places.iter().for_each(|place| out.put_i16(*place));
    Ok(())
}

fn read_places(input: &mut Input<'_>) -> Result<Vec<i16>, RecordError> {
    (0..input.compact_length()?.unwrap_or(0)).map(|_| input.i16()).collect()
}

fn topology_value(topology: &Topology) -> Result<BytesMut, RecordError> {
    let mut out = started_value();
    out.put_i32(topology.epoch);
    put_compact_length(&mut out, topology.subtopologies.len())?;
    for part in &topology.subtopologies {
        put_compact_string(&mut out, &part.id)?;
        put_names(&mut out, &part.source_topics)?;
        put_compact_length(&mut out, part.source_topic_regex.len())?;
        part.source_topic_regex.iter().try_for_each(|regex| put_compact_string(&mut out, regex))?;
        put_topics(&mut out, &part.changelogs)?;
        put_names(&mut out, &part.repartition_sinks)?;
        put_topics(&mut out, &part.repartition_sources)?;
        put_compact_length(&mut out, part.copartition_groups.len())?;
        for group in &part.copartition_groups {
            put_places(&mut out, &group.source_topics)?;
            put_places(&mut out, &group.source_topic_regex)?;
            put_places(&mut out, &group.repartition_sources)?;
            put_no_tags(&mut out);
        }
        put_no_tags(&mut out);
    }
    put_no_tags(&mut out);
    Ok(out)
}

fn read_topology(mut input: Input<'_>) -> Result<Topology, RecordError> {
    let mut topology = Topology { epoch: input.i32()?, subtopologies: Vec::new() };
    for _ in 0..input.compact_length()?.unwrap_or(0) {
        let mut part = Subtopology {
            id: input.required_string()?.into(),
            source_topics: read_names(&mut input)?,
            source_topic_regex: read_names(&mut input)?.iter().map(ToString::to_string).collect(),
            changelogs: read_topics(&mut input)?,
            repartition_sinks: read_names(&mut input)?,
            repartition_sources: read_topics(&mut input)?,
            copartition_groups: Vec::new(),
        };
        for _ in 0..input.compact_length()?.unwrap_or(0) {
            part.copartition_groups.push(CopartitionGroup {
                source_topics: read_places(&mut input)?,
                source_topic_regex: read_places(&mut input)?,
                repartition_sources: read_places(&mut input)?,
            });
            input.tagged_fields(|_, _| Ok(()))?;
        }
        input.tagged_fields(|_, _| Ok(()))?;
        topology.subtopologies.push(part);
    }
    Ok(topology)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn hex(text: &str) -> Bytes {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn tasks(id: &str, partitions: &[i32]) -> Tasks {
        [(id.into(), partitions.iter().copied().collect())].into()
    }

    fn since(id: &str, partitions: &[(i32, i32)]) -> TasksSince {
        [(id.into(), partitions.iter().copied().collect())].into()
    }

    fn a_topology() -> Topology {
        let part = |id: &str| Subtopology {
            id: id.into(),
            source_topics: Vec::new(),
            source_topic_regex: Vec::new(),
            changelogs: Vec::new(),
            repartition_sinks: Vec::new(),
            repartition_sources: Vec::new(),
            copartition_groups: Vec::new(),
        };
        let first = Subtopology {
            source_topics: vec!["in".into(), "other".into()],
            repartition_sinks: vec!["app-rep".into()],
            copartition_groups: vec![CopartitionGroup {
                source_topics: vec![0, 1],
                source_topic_regex: Vec::new(),
                repartition_sources: Vec::new(),
            }],
            ..part("0")
        };
        let second = Subtopology {
            changelogs: vec![TopicInfo {
                name: "app-store-changelog".into(),
                partitions: 0,
                replication_factor: 3,
                configs: vec![("cleanup.policy".into(), "compact".into())],
            }],
            repartition_sources: vec![TopicInfo {
                name: "app-rep".into(),
                partitions: 6,
                replication_factor: 0,
                configs: Vec::new(),
            }],
            ..part("1")
        };
        Topology { epoch: 3, subtopologies: vec![first, second] }
    }

    /// What `StreamsCoordinatorRecordHelpers` and `GroupCoordinatorRecordSerde` of Kafka 4.3 write.
    #[test]
    fn records_are_written_as_kafka_writes_them() {
        let group = GroupMetadata {
            epoch: 7,
            metadata_hash: 0x0102_0304_0506_0708,
            validated_epoch: 3,
            assignment_configs: [("num.standby.replicas".into(), "1".into())].into(),
        };
        let not_ready =
            GroupMetadata { epoch: 2, metadata_hash: 0, validated_epoch: -1, assignment_configs: BTreeMap::new() };
        let member = MemberMetadata {
            instance_id: None,
            rack_id: Some("r".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 60_000,
            topology_epoch: 3,
            process_id: "p".into(),
            user_endpoint: Some(("host".into(), u16::MAX)),
            client_tags: [("b".into(), "2".into()), ("a".into(), "1".into())].into(),
        };
        let plain = MemberMetadata { rebalance_timeout_ms: -1, topology_epoch: -1, ..MemberMetadata::default() };
        let current = Current {
            epoch: 7,
            previous_epoch: 6,
            state: MemberState::UnrevokedTasks,
            assigned: Owned {
                active: since("0", &[(0, 4), (1, 5)]),
                standby: tasks("1", &[2]),
                warmup: tasks("2", &[0]),
            },
            revoking: Owned { active: since("1", &[(3, 2)]), ..Owned::default() },
        };
        let target = TaskSet { active: tasks("0", &[0, 1]), standby: tasks("1", &[2]), warmup: tasks("2", &[0]) };
        let id = || Arc::<str>::from("m-1");
        let (group_key, member_key) = ("0003677270", "000367727000036d2d31");
        let table = [
            (
                StreamsRecord::Group(Some(Box::new(group))),
                format!("0011{group_key}"),
                "000000000007010203040506070802000400000003011902156e756d2e7374616e6462792e7265706c69636173023100",
            ),
            (
                StreamsRecord::Group(Some(Box::new(not_ready))),
                format!("0011{group_key}"),
                "000000000002000000000000000000",
            ),
            (
                StreamsRecord::TargetEpoch(Some((7, 1_700_000_000_000))),
                format!("0014{group_key}"),
                "0000000000070100080000018bcfe56800",
            ),
            (
                StreamsRecord::Member(id(), Some(Box::new(member))),
                format!("0013{member_key}"),
                "000000027202630b2f3132372e302e302e310000ea600000000302700105686f7374ffff00030261023100026202320000",
            ),
            (
                StreamsRecord::Member(id(), Some(Box::new(plain))),
                format!("0013{member_key}"),
                "000000000101ffffffffffffffff01ff0100",
            ),
            (
                StreamsRecord::Current(id(), Some(Box::new(current))),
                format!("0016{member_key}"),
                "000000000007000000060202023003000000000000000101000903000000040000000502023102000000020002023202000000
                 000002023102000000030100050200000002010100",
            ),
            (
                StreamsRecord::TargetMember(id(), Some(Arc::new(target))),
                format!("0015{member_key}"),
                "00000202300300000000000000010002023102000000020002023202000000000000",
            ),
            (
                StreamsRecord::Topology(Some(Arc::new(a_topology()))),
                format!("0017{group_key}"),
                "0000000000030302300303696e066f74686572010102086170702d7265700102030000000101010000023101010214617070
                 2d73746f72652d6368616e67656c6f67000000000003020f636c65616e75702e706f6c69637908636f6d7061637400000102
                 086170702d7265700000000600000100010000",
            ),
        ];
        for (record, key, value) in table {
            let written = record.encode("grp").unwrap();
            assert_eq!((written.key.clone(), written.value.clone()), (hex(&key), Some(hex(value))), "{record:?}");
            let mut key = Input::new(&written.key);
            let kind = key.i16().unwrap();
            let read = decode(kind, &mut key, written.value.as_deref()).unwrap();
            assert_eq!(read, Some(("grp".to_owned(), record)));
        }
        let tombstone = StreamsRecord::Member(id(), None).encode("grp").unwrap();
        assert_eq!((tombstone.key, tombstone.value), (hex(&format!("0013{member_key}")), None));
        let tombstone = StreamsRecord::Topology(None).encode("grp").unwrap();
        assert_eq!((tombstone.key, tombstone.value), (hex(&format!("0017{group_key}")), None));
    }

    #[test]
    fn epochs_that_an_older_broker_did_not_write_are_the_members() {
        let mut value = started_value();
        value.put_i32(9);
        value.put_i32(8);
        value.put_i8(1);
        put_tasks(&mut value, &tasks("0", &[1, 2])).unwrap();
        for _ in 0..5 {
            put_tasks(&mut value, &Tasks::new()).unwrap();
        }
        put_no_tags(&mut value);
        let current = read_current(value_of_version_0(&value).unwrap()).unwrap();
        assert_eq!(current.assigned.active, since("0", &[(1, 9), (2, 9)]));
    }

    proptest::proptest! {
        #[test]
        fn a_cut_or_bent_record_is_no_panic(at in 0usize..200, with: u8, cut in 0usize..200) {
            let record = StreamsRecord::Topology(Some(Arc::new(a_topology()))).encode("grp").unwrap();
            let mut value = record.value.unwrap().to_vec();
            if let Some(byte) = value.get_mut(at) {
                *byte = with;
            }
            value.truncate(value.len().saturating_sub(cut));
            for kind in [GROUP, MEMBER, TARGET_EPOCH, TARGET_MEMBER, CURRENT, TOPOLOGY] {
                let _ = decode(kind, &mut Input::new(b"\0\x03grp\0\x03m-1"), Some(&value));
            }
        }
    }
}
