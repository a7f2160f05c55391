//! Groups as the window shows them.

use std::sync::Arc;

use super::classic::Member;
use super::consumer_protocol;
use super::coordinator::{GroupCoordinator, GroupOffsets, Shared};
use super::kind::Group;
use super::{share, streams};
use crate::metadata::report::{GroupReport, MemberReport};
use crate::types::TopicPartition;

impl GroupCoordinator {
    /// Groups that changed since the last call; those that went are told once, without a state.
    pub fn changed_reports(&mut self) -> Vec<GroupReport> {
        let mut reports = Vec::new();
        for id in std::mem::take(&mut self.shared.dirty) {
            let partition = self.partition_for(&id);
            let shard = self.shards.get(&partition);
            match shard.and_then(|shard| Some((shard, shard.groups.get(&id)?))) {
                // What is still loading is told when it is loaded.
                Some((shard, _)) if shard.loading => {}
                Some((shard, group)) => {
                    reports.push(report(group, shard.offsets.get(&id), &self.shared));
                    self.reported.insert(id);
                }
                None => {
                    if self.reported.remove(&id) {
                        reports.push(gone(id));
                    }
                }
            }
        }
        reports
    }
}

fn report(group: &Group, offsets: Option<&GroupOffsets>, shared: &Shared) -> GroupReport {
    let offsets = offsets.into_iter().flatten().flat_map(|(topic, partitions)| {
        partitions
            .iter()
            .map(|(index, offset)| (TopicPartition { topic: topic.clone(), partition: *index }, offset.offset))
    });
    let (generation, protocol, members) = match group {
        Group::Classic(group) => {
            let protocol = group.uses_consumer_protocol().then(|| group.protocol_name.clone().unwrap_or_default());
            let member = |member: &Member| member_report(member, protocol.as_deref());
            (group.generation, group.protocol_name.clone().unwrap_or_default(), group.members().map(member).collect())
        }
        Group::Consumer(group) => {
            (group.epoch, group.assignor_name(&shared.config.consumer), group.member_reports(&shared.topics))
        }
        Group::Share(group) => (group.epoch, share::ASSIGNOR.to_owned(), group.member_reports(&shared.topics)),
        Group::Streams(group) => (group.epoch(), streams::ASSIGNOR.to_owned(), group.member_reports(&shared.topics)),
    };
    GroupReport {
        group_id: group.id().clone(),
        group_type: group.type_name(),
        state: Some(group.state_name()),
        generation,
        protocol_type: group.protocol_type().to_owned(),
        protocol,
        members,
        offsets: offsets.collect(),
    }
}

/// `protocol`: the assignor, of a group that speaks the consumer protocol.
fn member_report(member: &Member, protocol: Option<&str>) -> MemberReport {
    let assignment = protocol.and_then(|_| consumer_protocol::assigned_partitions(&member.assignment));
    let subscription = protocol.and_then(|name| consumer_protocol::subscription(&member.metadata(name)));
    let subscription = subscription.unwrap_or_default();
    MemberReport {
        member_id: member.id.to_string(),
        client_id: member.client_id.clone(),
        // Java prints addresses with a slash before them.
        client_host: member.client_host.trim_start_matches('/').to_owned(),
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id,
        topics: subscription.topics.into_iter().collect(),
        epoch: 0,
        assignment: assignment.unwrap_or_default(),
        target: None,
    }
}

fn gone(id: Arc<str>) -> GroupReport {
    GroupReport {
        group_id: id,
        group_type: "classic",
        state: None,
        generation: 0,
        protocol_type: String::new(),
        protocol: String::new(),
        members: Vec::new(),
        offsets: Vec::new(),
    }
}
