//! ShareGroupDescribe v1.
//!
//! Source: `ShareGroup.asDescribedGroup`, `ShareGroupMember.asShareGroupDescribeMember`.

use std::collections::BTreeMap;

use super::ASSIGNOR;
use super::group::ShareGroup;
use super::member::Member as GroupMember;
use crate::group::api::{opt_text, text};
use crate::group::coordinator::GroupCoordinator;
use crate::group::kind::Group;
use crate::group::topics::Topics;
use crate::protocol::ErrorCode;
use crate::protocol::messages::share_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};
use crate::protocol::messages::{ShareGroupDescribeRequestData, ShareGroupDescribeResponseData};

impl GroupCoordinator {
    /// Share groups in full, as far as they are written.
    pub fn share_group_describe(&mut self, request: &ShareGroupDescribeRequestData) -> ShareGroupDescribeResponseData {
        // Those without an id first, as Kafka answers them.
        let (empty, named): (Vec<_>, Vec<_>) = request.group_ids.iter().partition(|id| id.is_empty());
        let invalid = empty.iter().map(|_| failed("", ErrorCode::InvalidGroupId, None));
        let mut groups: Vec<DescribedGroup> = invalid.collect();
        for id in named {
            let id = id.as_str();
            let not_found = |why| failed(id, ErrorCode::GroupIdNotFound, Some(format!("Group {id} {why}.")));
            groups.push(match self.shard_for(id) {
                Err(error) => failed(id, error, Some(error.to_string())),
                Ok((_, shard, shared)) => match shard.committed_group(id) {
                    Some(Group::Share(group)) => described(group, &shared.topics),
                    Some(_) => not_found("is not a share group"),
                    None => not_found("not found"),
                },
            });
        }
        ShareGroupDescribeResponseData::default().with_groups(groups)
    }
}

fn failed(id: &str, error: ErrorCode, message: Option<String>) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(text(id))
        .with_error_code(error.code())
        .with_error_message(opt_text(message.as_deref()))
}

fn described(group: &ShareGroup, topics: &Topics) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(text(&group.id))
        .with_group_state(text(group.state_name()))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.target_epoch)
        .with_assignor_name(text(ASSIGNOR))
        .with_members(group.members().map(|member| member_of(member, topics)).collect())
}

fn member_of(member: &GroupMember, topics: &Topics) -> Member {
    let metadata = &member.metadata;
    let mut assigned: BTreeMap<&str, TopicPartitions> = BTreeMap::new();
    for (id, partitions) in &member.current.assigned {
        if let Some(name) = topics.name(*id) {
            let topic = TopicPartitions::default()
                .with_topic_id((*id).into())
                .with_topic_name(text(name))
                .with_partitions(partitions.iter().copied().collect());
            assigned.insert(name, topic);
        }
    }
    Member::default()
        .with_member_id(text(&member.id))
        .with_rack_id(opt_text(metadata.rack_id.as_deref()))
        .with_member_epoch(member.current.epoch)
        .with_client_id(text(&metadata.client_id))
        .with_client_host(text(&metadata.client_host))
        .with_subscribed_topic_names(metadata.topics.iter().map(|topic| text(topic)).collect())
        .with_assignment(Assignment::default().with_topic_partitions(assigned.into_values().collect()))
}
