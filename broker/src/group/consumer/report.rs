//! A consumer group as the window shows it.

use super::group::ConsumerGroup;
use super::member::{Assignment, Member};
use crate::group::config::ConsumerConfig;
use crate::group::topics::Topics;
use crate::metadata::report::MemberReport;
use crate::types::TopicPartition;

impl ConsumerGroup {
    /// The assignor that most members ask for, or the broker's default.
    pub fn assignor_name(&self, config: &ConsumerConfig) -> String {
        let preferred = ConsumerGroup::preferred_assignor(self.members().map(|member| &**member));
        preferred.unwrap_or_else(|| config.assignor(None).name().to_owned())
    }

    /// Its members, with what each may read now.
    pub fn member_reports(&self, topics: &Topics) -> Vec<MemberReport> {
        self.members().map(|member| report(self, member, topics)).collect()
    }
}

fn report(group: &ConsumerGroup, member: &Member, topics: &Topics) -> MemberReport {
    let mut assignment = Vec::new();
    for (id, partitions) in &member.current.assigned {
        if let Some(topic) = topics.name(*id) {
            let partition = |partition: &i32| TopicPartition { topic: topic.clone(), partition: *partition };
            assignment.extend(partitions.keys().map(partition));
        }
    }
    assignment.sort();
    MemberReport {
        member_id: member.id.to_string(),
        client_id: member.metadata.client_id.clone(),
        client_host: member.metadata.client_host.trim_start_matches('/').to_owned(),
        instance_id: member.metadata.instance_id.clone(),
        rack_id: member.metadata.rack_id.clone(),
        topics: group.topics_of(member).into_iter().collect(),
        epoch: member.current.epoch,
        assignment,
        target: Some(target(group.target_of(&member.id).map(|target| &**target), topics)),
    }
}

/// A target by names.
pub fn target(target: Option<&Assignment>, topics: &Topics) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for (id, of_topic) in target.into_iter().flatten() {
        if let Some(topic) = topics.name(*id) {
            let partition = |partition: &i32| TopicPartition { topic: topic.clone(), partition: *partition };
            partitions.extend(of_topic.iter().map(partition));
        }
    }
    partitions.sort();
    partitions
}
