//! A share group as the window shows it.

use super::group::ShareGroup;
use super::member::Member;
use crate::group::consumer::target;
use crate::group::topics::Topics;
use crate::metadata::report::MemberReport;
use crate::types::TopicPartition;

impl ShareGroup {
    /// Its members, with what each may read now.
    pub fn member_reports(&self, topics: &Topics) -> Vec<MemberReport> {
        self.members().map(|member| report(self, member, topics)).collect()
    }
}

fn report(group: &ShareGroup, member: &Member, topics: &Topics) -> MemberReport {
    let mut assignment = Vec::new();
    for (id, partitions) in &member.current.assigned {
        if let Some(topic) = topics.name(*id) {
            let partition = |partition: &i32| TopicPartition { topic: topic.clone(), partition: *partition };
            assignment.extend(partitions.iter().map(partition));
        }
    }
    assignment.sort();
    MemberReport {
        member_id: member.id.to_string(),
        client_id: member.metadata.client_id.clone(),
        client_host: member.metadata.client_host.trim_start_matches('/').to_owned(),
        instance_id: None,
        rack_id: member.metadata.rack_id.clone(),
        topics: member.metadata.topics.iter().cloned().collect(),
        epoch: member.current.epoch,
        assignment,
        target: Some(target(group.target_of(&member.id).map(|target| &**target), topics)),
    }
}
