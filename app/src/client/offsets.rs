//! Where logs begin and end, where a time stands in them, and where groups are. KIP-79, KIP-709.

use std::collections::BTreeMap;

use broker::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use broker::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use broker::protocol::messages::{ListOffsetsRequestData, OffsetFetchRequestData};

use super::cluster::{Client, Partition, To};
use super::error::ClientError;
use crate::monitor::operation::OffsetOf;

/// From 10 on OffsetFetch names topics by id (KIP-848).
const BY_NAME_UP_TO: i16 = 9;

/// The first offset of each partition whose record is at or after `timestamp_ms` (-1: the end, -2: the beginning); -1: there is none.
pub fn offsets_at(
    client: &mut Client,
    partitions: &[Partition<'_>],
    timestamp_ms: i64,
) -> Result<Vec<OffsetOf>, ClientError> {
    client.persist(|client, until| {
        let mut found = Vec::new();
        for (leader, led) in client.by_leader(partitions, until)? {
            let answer = client.call(To::Broker(leader), until, |_| {
                let mut by_topic: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
                for (topic, partition) in &led {
                    let wanted = ListOffsetsPartition::default().with_partition_index(*partition);
                    by_topic.entry(topic).or_default().push(wanted.with_timestamp(timestamp_ms));
                }
                let topics = by_topic.into_iter().map(|(topic, partitions)| {
                    ListOffsetsTopic::default().with_name(topic.to_owned().into()).with_partitions(partitions)
                });
                ListOffsetsRequestData::default().with_replica_id(-1).with_topics(topics.collect())
            })?;
            for topic in answer.topics {
                for result in topic.partitions {
                    ClientError::check(result.error_code, None)?;
                    found.push(OffsetOf {
                        topic: topic.name.as_str().into(),
                        partition: result.partition_index,
                        offset: result.offset,
                    });
                }
            }
        }
        found.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
        Ok(found)
    })
}

/// The same of all partitions of a topic.
pub fn offsets_of_topic(client: &mut Client, topic: &str, timestamp_ms: i64) -> Result<Vec<OffsetOf>, ClientError> {
    let known = client.persist(|client, until| client.metadata(&[topic], until))?;
    let indexes = known.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.partition_index);
    let partitions: Vec<Partition<'_>> = indexes.map(|index| (topic, index)).collect();
    offsets_at(client, &partitions, timestamp_ms)
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
