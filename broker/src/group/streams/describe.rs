//! StreamsGroupDescribe v0.
//!
//! Source: `StreamsGroup.asDescribedGroup`, `StreamsGroupMember.asStreamsGroupDescribeMember`, `ConfiguredTopology`, `StreamsTopology`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::configure::{Configured, ConfiguredSubtopology, InternalTopic};
use super::group::StreamsGroup;
use super::member::Member as GroupMember;
use super::tasks::Tasks;
use super::topology::{Subtopology as Part, TopicInfo as Asked, Topology as GroupTopology};
use crate::group::api::{opt_text, text};
use crate::group::coordinator::GroupCoordinator;
use crate::group::kind::Group;
use crate::protocol::ErrorCode;
use crate::protocol::messages::streams_group_describe_response::{
    Assignment, DescribedGroup, Endpoint, KeyValue, Member, Subtopology, TaskIds, TopicInfo, Topology,
};
use crate::protocol::messages::{KafkaString, StreamsGroupDescribeRequestData, StreamsGroupDescribeResponseData};

impl GroupCoordinator {
    /// Streams groups in full, as far as they are written.
    pub fn streams_group_describe(
        &mut self,
        request: &StreamsGroupDescribeRequestData,
    ) -> StreamsGroupDescribeResponseData {
        // Those without an id first, as Kafka answers them.
        let (empty, named): (Vec<_>, Vec<_>) = request.group_ids.iter().partition(|id| id.as_str().trim().is_empty());
        let invalid = empty.iter().map(|_| failed("", ErrorCode::InvalidGroupId, None));
        let mut groups: Vec<DescribedGroup> = invalid.collect();
        for id in named {
            let id = id.as_str();
            groups.push(match self.shard_for(id) {
                Err(error) => failed(id, error, None),
                Ok((_, shard, _)) => match shard.committed_group(id) {
                    Some(Group::Streams(group)) => described(group),
                    Some(_) => {
                        let message = format!("Group {id} is not a streams group.");
                        failed(id, ErrorCode::GroupIdNotFound, Some(message))
                    }
                    None => failed(id, ErrorCode::GroupIdNotFound, Some(format!("Group {id} not found."))),
                },
            });
        }
        StreamsGroupDescribeResponseData::default().with_groups(groups)
    }
}

fn failed(id: &str, error: ErrorCode, message: Option<String>) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(text(id))
        .with_error_code(error.code())
        .with_error_message(opt_text(message.as_deref()))
}

fn described(group: &StreamsGroup) -> DescribedGroup {
    let configured = group.soft.configured.as_ref().and_then(|configured| configured_topology(configured));
    let topology = configured.or_else(|| group.topology.as_deref().map(topology));
    DescribedGroup::default()
        .with_group_id(text(&group.id))
        .with_group_state(text(group.state().name()))
        .with_group_epoch(group.epoch())
        .with_assignment_epoch(group.target_epoch)
        .with_topology(topology.map(Box::new))
        .with_members(group.members().map(|member| member_of(group, member)).collect())
}

/// The topology with the partitions that its internal topics really have, once all is there.
fn configured_topology(configured: &Configured) -> Option<Topology> {
    let parts = configured.ready()?.iter().map(|(id, part)| configured_part(id, part)).collect();
    Some(Topology::default().with_epoch(configured.topology_epoch).with_subtopologies(Some(parts)))
}

fn configured_part(id: &str, part: &ConfiguredSubtopology) -> Subtopology {
    let topics = |topics: &BTreeMap<Arc<str>, InternalTopic>| -> Vec<TopicInfo> {
        let one = |topic: &InternalTopic| {
            let configs = topic.configs.iter().map(|(key, value)| pair(key, value)).collect();
            topic_info(&topic.name, topic.partitions, topic.replication_factor, configs)
        };
        topics.values().map(one).collect()
    };
    Subtopology::default()
        .with_subtopology_id(text(id))
        .with_source_topics(part.source_topics.iter().map(|topic| text(topic)).collect())
        .with_repartition_sink_topics(part.repartition_sinks.iter().map(|topic| text(topic)).collect())
        .with_repartition_source_topics(topics(&part.repartition_sources))
        .with_state_changelog_topics(topics(&part.changelogs))
}

/// The topology as it was asked for.
fn topology(topology: &GroupTopology) -> Topology {
    let mut parts: Vec<&Part> = topology.subtopologies.iter().collect();
    parts.sort_by(|one, other| one.id.cmp(&other.id));
    let parts = parts.into_iter().map(part_of).collect();
    Topology::default().with_epoch(topology.epoch).with_subtopologies(Some(parts))
}

fn part_of(part: &Part) -> Subtopology {
    let names = |names: &[Arc<str>]| -> Vec<KafkaString> {
        let mut names = names.to_vec();
        names.sort();
        names.iter().map(|name| text(name)).collect()
    };
    let topics = |topics: &[Asked]| -> Vec<TopicInfo> {
        let mut topics: Vec<&Asked> = topics.iter().collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        let one = |topic: &Asked| {
            let configs = topic.configs.iter().map(|(key, value)| pair(key, value)).collect();
            topic_info(&topic.name, topic.partitions, topic.replication_factor, configs)
        };
        topics.into_iter().map(one).collect()
    };
    Subtopology::default()
        .with_subtopology_id(text(&part.id))
        .with_source_topics(names(&part.source_topics))
        .with_repartition_sink_topics(names(&part.repartition_sinks))
        .with_repartition_source_topics(topics(&part.repartition_sources))
        .with_state_changelog_topics(topics(&part.changelogs))
}

fn topic_info(name: &str, partitions: i32, replication_factor: i16, configs: Vec<KeyValue>) -> TopicInfo {
    TopicInfo::default()
        .with_name(text(name))
        .with_partitions(partitions)
        .with_replication_factor(replication_factor)
        .with_topic_configs(configs)
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue::default().with_key(text(key)).with_value(text(value))
}

fn member_of(group: &StreamsGroup, member: &GroupMember) -> Member {
    let metadata = &member.metadata;
    let assigned = &member.current.assigned;
    let target = group.target_of(&member.id).cloned().unwrap_or_default();
    let endpoint = metadata.user_endpoint.as_ref();
    let endpoint = endpoint.map(|(host, port)| Box::new(Endpoint::default().with_host(text(host)).with_port(*port)));
    Member::default()
        .with_member_id(text(&member.id))
        .with_member_epoch(member.current.epoch)
        .with_instance_id(opt_text(metadata.instance_id.as_deref()))
        .with_rack_id(opt_text(metadata.rack_id.as_deref()))
        .with_client_id(text(&metadata.client_id))
        .with_client_host(text(&metadata.client_host))
        .with_topology_epoch(metadata.topology_epoch)
        .with_process_id(text(&metadata.process_id))
        .with_user_endpoint(endpoint)
        .with_client_tags(metadata.client_tags.iter().map(|(key, value)| pair(key, value)).collect())
        .with_assignment(assignment(&assigned.active_tasks(), &assigned.standby, &assigned.warmup))
        .with_target_assignment(assignment(&target.active, &target.standby, &target.warmup))
}

fn assignment(active: &Tasks, standby: &Tasks, warmup: &Tasks) -> Assignment {
    let ids = |tasks: &Tasks| -> Vec<TaskIds> {
        let one = |(id, partitions): (&Arc<str>, &BTreeSet<i32>)| {
            TaskIds::default().with_subtopology_id(text(id)).with_partitions(partitions.iter().copied().collect())
        };
        tasks.iter().map(one).collect()
    };
    Assignment::default().with_active_tasks(ids(active)).with_standby_tasks(ids(standby)).with_warmup_tasks(ids(warmup))
}
