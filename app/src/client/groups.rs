//! Groups set to other offsets, freed of some, and deleted. As `kafka-consumer-groups.sh` does it: nobody may be in the group. KIP-222, KIP-496.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use broker::protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use broker::protocol::messages::{DeleteGroupsRequestData, OffsetCommitRequestData, OffsetDeleteRequestData};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::operation::OffsetOf;

/// From 10 on OffsetCommit names topics by id (KIP-848).
const BY_NAME_UP_TO: i16 = 9;

/// Sets where a group goes on.
pub fn set_offsets(client: &mut Client, group: &str, offsets: &[OffsetOf]) -> Result<(), ClientError> {
    client.persist(|client, until| {
        let mut by_topic: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for one in offsets {
            let wanted = OffsetCommitRequestPartition::default()
                .with_partition_index(one.partition)
                .with_committed_offset(one.offset)
                .with_committed_metadata(Some(String::new().into()));
            by_topic.entry(&one.topic).or_default().push(wanted);
        }
        let answer = client.call_at_most(To::Group(group), BY_NAME_UP_TO, until, |_| {
            let topics = by_topic.iter().map(|(name, partitions)| {
                let name = (*name).to_owned().into();
                OffsetCommitRequestTopic::default().with_name(name).with_partitions(partitions.clone())
            });
            OffsetCommitRequestData::default()
                .with_group_id(group.to_owned().into())
                .with_generation_id_or_member_epoch(-1)
                .with_topics(topics.collect())
        })?;
        let results = answer.topics.iter().flat_map(|topic| &topic.partitions);
        results.into_iter().try_for_each(|result| ClientError::check(result.error_code, None))
    })
}

/// Has a group forget where it was in these partitions.
pub fn delete_offsets(client: &mut Client, group: &str, partitions: &[(Arc<str>, i32)]) -> Result<(), ClientError> {
    client.persist(|client, until| {
        let mut by_topic: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for (topic, partition) in partitions {
            let wanted = OffsetDeleteRequestPartition::default().with_partition_index(*partition);
            by_topic.entry(topic).or_default().push(wanted);
        }
        let answer = client.call(To::Group(group), until, |_| {
            let topics = by_topic.iter().map(|(topic, partitions)| {
                let name = (*topic).to_owned().into();
                OffsetDeleteRequestTopic::default().with_name(name).with_partitions(partitions.clone())
            });
            OffsetDeleteRequestData::default().with_group_id(group.to_owned().into()).with_topics(topics.collect())
        })?;
        ClientError::check(answer.error_code, None)?;
        let results = answer.topics.iter().flat_map(|topic| &topic.partitions);
        results.into_iter().try_for_each(|result| ClientError::check(result.error_code, None))
    })
}

/// Deletes a group with all that it committed.
pub fn delete_group(client: &mut Client, group: &str) -> Result<(), ClientError> {
    client.persist(|client, until| {
        let answer = client.call(To::Group(group), until, |_| {
            DeleteGroupsRequestData::default().with_groups_names(vec![group.to_owned().into()])
        })?;
        answer.results.into_iter().try_for_each(|result| ClientError::check(result.error_code, None))
    })
}
