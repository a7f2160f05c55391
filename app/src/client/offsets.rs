//! Where logs begin and end, where a time stands in them, and where groups are. KIP-79, KIP-709.

use std::collections::BTreeMap;

use broker::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use broker::protocol::messages::metadata_response::MetadataResponsePartition;
use broker::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use broker::protocol::messages::{ListOffsetsRequestData, OffsetFetchRequestData};

use super::cluster::{Client, Partition, To};
use super::error::ClientError;
use crate::monitor::operation::OffsetOf;

/// From 10 on OffsetFetch names topics by id (KIP-848).
const BY_NAME_UP_TO: i16 = 9;

/// As ListOffsets asks for where a log begins.
pub const BEGINNING: i64 = -2;
/// As it asks for where a log ends.
pub const END: i64 = -1;
/// As it asks for the record with the newest timestamp.
pub const NEWEST_TIME: i64 = -3;
/// It can be asked for that from this version on.
const NEWEST_TIME_SINCE: i16 = 7;

/// Where an instant stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Partition.
    pub partition: i32,
    /// The offset of the first record at or after it; -1: there is none.
    pub offset: i64,
    /// The timestamp of that record, ms; -1: there is none, or it is not told.
    pub timestamp_ms: i64,
}

/// The first offset of each partition whose record is at or after `timestamp_ms` (-1: the end, -2: the beginning); -1: there is none.
pub fn offsets_at(
    client: &mut Client,
    partitions: &[Partition<'_>],
    timestamp_ms: i64,
) -> Result<Vec<OffsetOf>, ClientError> {
    let mut found = Vec::new();
    each_found(client, partitions, timestamp_ms, |topic, one| {
        found.push(OffsetOf { topic: topic.into(), partition: one.partition, offset: one.offset });
    })?;
    found.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
    Ok(found)
}

/// The same of partitions of one topic, with timestamps.
pub(super) fn found_at(
    client: &mut Client,
    partitions: &[Partition<'_>],
    timestamp_ms: i64,
) -> Result<Vec<Found>, ClientError> {
    let mut found = Vec::new();
    each_found(client, partitions, timestamp_ms, |_, one| found.push(one))?;
    Ok(found)
}

fn each_found(
    client: &mut Client,
    partitions: &[Partition<'_>],
    timestamp_ms: i64,
    mut put: impl FnMut(&str, Found),
) -> Result<(), ClientError> {
    let answers = client.persist(|client, until| {
        let mut answers = Vec::new();
        for (leader, led) in client.by_leader(partitions, until)? {
            let answer = client.call(To::Broker(leader), until, |version| {
                let is_known = timestamp_ms != NEWEST_TIME || version >= NEWEST_TIME_SINCE;
                let asked_ms = if is_known { timestamp_ms } else { END };
                let mut by_topic: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
                for (topic, partition) in &led {
                    let wanted = ListOffsetsPartition::default().with_partition_index(*partition);
                    by_topic.entry(topic).or_default().push(wanted.with_timestamp(asked_ms));
                }
                let topics = by_topic.into_iter().map(|(topic, partitions)| {
                    ListOffsetsTopic::default().with_name(topic.to_owned().into()).with_partitions(partitions)
                });
                ListOffsetsRequestData::default().with_replica_id(-1).with_topics(topics.collect())
            })?;
            for result in answer.topics.iter().flat_map(|topic| &topic.partitions) {
                ClientError::check(result.error_code, None)?;
            }
            answers.push(answer);
        }
        Ok(answers)
    })?;
    for topic in answers.iter().flat_map(|answer| &answer.topics) {
        for told in &topic.partitions {
            let (partition, offset, timestamp_ms) = (told.partition_index, told.offset, told.timestamp);
            put(topic.name.as_str(), Found { partition, offset, timestamp_ms });
        }
    }
    Ok(())
}

/// The same of all partitions of a topic.
pub fn offsets_of_topic(client: &mut Client, topic: &str, timestamp_ms: i64) -> Result<Vec<OffsetOf>, ClientError> {
    let known = partitions_of(client, topic)?;
    let partitions: Vec<Partition<'_>> = known.into_iter().map(|index| (topic, index)).collect();
    offsets_at(client, &partitions, timestamp_ms)
}

/// The partitions of a topic.
pub(super) fn partitions_of(client: &mut Client, topic: &str) -> Result<Vec<i32>, ClientError> {
    let known = client.persist(|client, until| client.metadata(&[topic], until))?;
    Ok(known.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.partition_index).collect())
}

/// The partitions of a topic that have a leader, and those that have none: nobody can be asked about these.
pub fn led_partitions(client: &mut Client, topic: &str) -> Result<(Vec<i32>, Vec<i32>), ClientError> {
    let known = client.persist(|client, until| client.metadata(&[topic], until))?;
    let all = known.iter().flat_map(|topic| &topic.partitions);
    let (led, others): (Vec<_>, Vec<_>) = all.partition(|partition| partition.leader_id >= 0);
    let indices = |of: Vec<&MetadataResponsePartition>| of.iter().map(|one| one.partition_index).collect();
    Ok((indices(led), indices(others)))
}

/// Where a group is, in all partitions that it has committed an offset of.
pub fn committed_offsets(client: &mut Client, group: &str) -> Result<Vec<OffsetOf>, ClientError> {
    client.persist(|client, until| {
        let answer = client.call_at_most(To::Group(group), BY_NAME_UP_TO, until, |version| {
            if version >= 8 {
                let wanted = OffsetFetchRequestGroup::default().with_group_id(group.to_owned().into());
                OffsetFetchRequestData::default().with_groups(vec![wanted.with_topics(None)])
            } else {
                OffsetFetchRequestData::default().with_group_id(group.to_owned().into()).with_topics(None)
            }
        })?;
        ClientError::check(answer.error_code, None)?;
        let mut found = Vec::new();
        let mut take = |topic: &str, partition, offset, code| {
            ClientError::check(code, None)?;
            if offset >= 0 {
                found.push(OffsetOf { topic: topic.into(), partition, offset });
            }
            Ok::<(), ClientError>(())
        };
        for topic in &answer.topics {
            for told in &topic.partitions {
                take(topic.name.as_str(), told.partition_index, told.committed_offset, told.error_code)?;
            }
        }
        for told in &answer.groups {
            ClientError::check(told.error_code, None)?;
            for topic in &told.topics {
                for told in &topic.partitions {
                    take(topic.name.as_str(), told.partition_index, told.committed_offset, told.error_code)?;
                }
            }
        }
        Ok(found)
    })
}
