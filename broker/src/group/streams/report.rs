//! A streams group as the window shows it.

use super::group::StreamsGroup;
use super::member::Member;
use crate::group::topics::Topics;
use crate::metadata::report::MemberReport;
use crate::types::TopicPartition;

impl StreamsGroup {
    /// Its members, with the partitions that the active tasks of each read.
    pub fn member_reports(&self, topics: &Topics) -> Vec<MemberReport> {
        self.members().map(|member| self.report(member, topics)).collect()
    }

    fn report(&self, member: &Member, known: &Topics) -> MemberReport {
        let mut assignment = Vec::new();
        for (id, tasks) in &member.current.assigned.active {
            let part = self.topology.as_ref().and_then(|topology| topology.subtopology(id));
            for topic in part.into_iter().flat_map(|part| part.sources()) {
                let count = known.get(topic).map_or(0, |facts| facts.partitions);
                let partitions = tasks.keys().copied().filter(|partition| *partition < count);
                assignment.extend(partitions.map(|partition| TopicPartition { topic: topic.clone(), partition }));
            }
        }
        assignment.sort();
        let parts = self.topology.as_ref().map(|topology| topology.in_order()).unwrap_or_default();
        let topics = parts.into_iter().flat_map(|part| part.sources()).cloned().collect();
        MemberReport {
            member_id: member.id.to_string(),
            client_id: member.metadata.client_id.clone(),
            client_host: member.metadata.client_host.trim_start_matches('/').to_owned(),
            instance_id: member.metadata.instance_id.clone(),
            rack_id: member.metadata.rack_id.clone(),
            topics,
            epoch: member.current.epoch,
            assignment,
            target: None,
        }
    }
}
