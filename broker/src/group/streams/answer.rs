//! What a heartbeat is answered: tasks, statuses, and who can be asked for which partition's state.
//!
//! Source: `StreamsGroupHeartbeatResponse.Status`, `StreamsGroup.buildEndpointToPartitions`, `EndpointToPartitionsManager`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::configure::Configured;
use super::group::StreamsGroup;
use super::member::Member;
use super::tasks::Tasks;
use crate::group::api::{Refusal, opt_text, text};
use crate::group::topics::Topics;
use crate::protocol::messages::StreamsGroupHeartbeatResponseData;
use crate::protocol::messages::create_topics_request::CreatableTopic;
use crate::protocol::messages::streams_group_heartbeat_response::{
    Endpoint, EndpointToPartitions, Status, TaskIds, TopicPartition,
};

/// The member's topology is of an older epoch than the group's.
pub const STALE_TOPOLOGY: i8 = 0;
/// Topics that the application reads do not exist.
pub const MISSING_SOURCE_TOPICS: i8 = 1;
/// Internal topics do not exist yet.
pub const MISSING_INTERNAL_TOPICS: i8 = 3;
/// A member has asked for the whole application to be shut down.
pub const SHUTDOWN_APPLICATION: i8 = 4;
/// The target is worked out a little later.
pub const ASSIGNMENT_DELAYED: i8 = 5;

/// The answer to a heartbeat, and the internal topics that are to be created because of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsBeat {
    /// The answer.
    pub response: StreamsGroupHeartbeatResponseData,
    /// Topics that are missing.
    pub missing: Vec<CreatableTopic>,
}

/// A refused heartbeat. Its statuses are none, not null.
pub fn refused(refusal: &Refusal) -> StreamsBeat {
    let response = StreamsGroupHeartbeatResponseData::default()
        .with_error_code(refusal.error.code())
        .with_error_message(opt_text(refusal.message.as_deref()))
        .with_status(Some(Vec::new()));
    StreamsBeat { response, missing: Vec::new() }
}

/// A status as it is told.
pub fn status(code: i8, detail: &str) -> Status {
    Status::default().with_status_code(code).with_status_detail(text(detail))
}

/// Tasks as they are told.
pub fn task_ids(tasks: &Tasks) -> Vec<TaskIds> {
    let one = |(id, partitions): (&Arc<str>, &BTreeSet<i32>)| {
        TaskIds::default().with_subtopology_id(text(id)).with_partitions(partitions.iter().copied().collect())
    };
    tasks.iter().map(one).collect()
}

/// Which partitions can be asked for at which member's endpoint, of all members that have one; `asking` as it will be. Nothing while it is
/// not known which topics the tasks read (where Kafka 4.3 fails).
pub fn endpoints(
    group: &StreamsGroup,
    asking: &Member,
    configured: &Configured,
    topics: &Topics,
) -> Vec<EndpointToPartitions> {
    let others = group.members().map(|member| &**member).filter(|member| member.id != asking.id);
    let with_endpoint = others.chain([asking]).filter_map(|member| {
        let (host, port) = member.metadata.user_endpoint.as_ref()?;
        let endpoint = Endpoint::default().with_host(text(host)).with_port(*port);
        let assigned = &member.current.assigned;
        let entry = EndpointToPartitions::default()
            .with_user_endpoint(endpoint)
            .with_active_partitions(partitions(&assigned.active_tasks(), configured, topics))
            .with_standby_partitions(partitions(&assigned.standby, configured, topics));
        Some(entry)
    });
    with_endpoint.collect()
}

fn partitions(tasks: &Tasks, configured: &Configured, topics: &Topics) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for (id, tasks) in tasks {
        let Some(part) = configured.parts.as_ref().and_then(|parts| parts.get(id)) else { continue };
        for topic in part.sources().collect::<BTreeSet<_>>() {
            let Some(facts) = topics.get(topic) else { continue };
            // As Kafka: of a topic with fewer partitions than there are tasks here, the first of them.
            let count = usize::try_from(facts.partitions).unwrap_or(0);
            let partitions = tasks.iter().copied().take(count).collect();
            all.push(TopicPartition::default().with_topic(text(topic)).with_partitions(partitions));
        }
    }
    all
}
