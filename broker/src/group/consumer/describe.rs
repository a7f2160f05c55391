//! ConsumerGroupDescribe v0–1.
//!
//! Source: `ConsumerGroup.asDescribedGroup`, `ConsumerGroupMember.asConsumerGroupDescribeMember`.

use std::collections::BTreeMap;

use super::group::ConsumerGroup;
use super::member::{Assignment, Member as GroupMember, partitions_of};
use crate::group::api::{opt_text, text};
use crate::group::coordinator::{GroupCoordinator, Shared};
use crate::group::kind::Group;
use crate::group::topics::Topics;
use crate::protocol::ErrorCode;
use crate::protocol::messages::consumer_group_describe_response::{
    Assignment as WireAssignment, DescribedGroup, Member, TopicPartitions,
};
use crate::protocol::messages::{ConsumerGroupDescribeRequestData, ConsumerGroupDescribeResponseData};

impl GroupCoordinator {
    /// Consumer groups in full, as far as they are written.
    pub fn consumer_group_describe(
        &mut self,
        request: &ConsumerGroupDescribeRequestData,
    ) -> ConsumerGroupDescribeResponseData {
        // Those without an id first, as Kafka answers them.
        let (empty, named): (Vec<_>, Vec<_>) = request.group_ids.iter().partition(|id| id.as_str().trim().is_empty());
        let invalid = empty.iter().map(|_| failed("", ErrorCode::InvalidGroupId, None));
        let mut groups: Vec<DescribedGroup> = invalid.collect();
        for id in named {
            let id = id.as_str();
            groups.push(match self.shard_for(id) {
                Err(error) => failed(id, error, None),
                Ok((_, shard, shared)) => match shard.committed_group(id) {
                    Some(Group::Consumer(group)) => described(group, shared),
                    Some(_) => {
                        let message = format!("Group {id} is not a consumer group.");
                        failed(id, ErrorCode::GroupIdNotFound, Some(message))
                    }
                    None => failed(id, ErrorCode::GroupIdNotFound, Some(format!("Group {id} not found."))),
                },
            });
        }
        ConsumerGroupDescribeResponseData::default().with_groups(groups)
    }
}

fn failed(id: &str, error: ErrorCode, message: Option<String>) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(text(id))
        .with_error_code(error.code())
        .with_error_message(opt_text(message.as_deref()))
}

fn described(group: &ConsumerGroup, shared: &Shared) -> DescribedGroup {
    let assignor = group.assignor_name(&shared.config.consumer);
    let members = group.members().map(|member| member_of(group, member, &shared.topics));
    DescribedGroup::default()
        .with_group_id(text(&group.id))
        .with_group_state(text(group.state().name()))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.target_epoch)
        .with_assignor_name(text(&assignor))
        .with_members(members.collect())
}

fn member_of(group: &ConsumerGroup, member: &GroupMember, topics: &Topics) -> Member {
    let metadata = &member.metadata;
    // It still answers for what it is giving up.
    let mut has = partitions_of(&member.current.assigned);
    for (topic, partitions) in partitions_of(&member.current.revoking) {
        has.entry(topic).or_default().extend(partitions);
    }
    let target = group.target_of(&member.id).cloned().unwrap_or_default();
    Member::default()
        .with_member_id(text(&member.id))
        .with_member_epoch(member.current.epoch)
        .with_instance_id(opt_text(metadata.instance_id.as_deref()))
        .with_rack_id(opt_text(metadata.rack_id.as_deref()))
        .with_client_id(text(&metadata.client_id))
        .with_client_host(text(&metadata.client_host))
        .with_subscribed_topic_names(metadata.topics.iter().map(|topic| text(topic)).collect())
        .with_subscribed_topic_regex(Some(text(&metadata.regex)))
        .with_assignment(wire(&has, topics))
        .with_target_assignment(wire(&target, topics))
        .with_member_type(if member.is_classic() { 0 } else { 1 })
}

fn wire(assignment: &Assignment, topics: &Topics) -> WireAssignment {
    let mut by_name: BTreeMap<&str, TopicPartitions> = BTreeMap::new();
    for (id, partitions) in assignment {
        if let Some(name) = topics.name(*id) {
            let topic = TopicPartitions::default()
                .with_topic_id((*id).into())
                .with_topic_name(text(name))
                .with_partitions(partitions.iter().copied().collect());
            by_name.insert(name, topic);
        }
    }
    WireAssignment::default().with_topic_partitions(by_name.into_values().collect())
}
