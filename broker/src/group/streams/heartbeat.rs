//! StreamsGroupHeartbeat v0 (KIP-1071): a member joins with its topology, tells what it has, and is told what it should have.
//!
//! Source: `GroupCoordinatorService.streamsGroupHeartbeat`, `GroupMetadataManager.streamsGroupHeartbeat`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::answer::{
    ASSIGNMENT_DELAYED, SHUTDOWN_APPLICATION, STALE_TOPOLOGY, StreamsBeat, endpoints, refused, status, task_ids,
};
use super::configure::{Configured, ConfiguredSubtopology};
use super::group::StreamsGroup;
use super::member::Member;
use super::reconcile::Reconcile;
use super::records::{GroupMetadata, StreamsRecord};
use super::target::{Target, work_out};
use super::tasks::{TaskSet, Tasks};
use super::topology::Topology;
use crate::group::api::{ClientInfo, GroupResponse, OffsetsRecord, Refusal, ReplyTo, text};
use crate::group::consumer::{LEAVE, classic_tombstone};
use crate::group::coordinator::GroupCoordinator;
use crate::group::join::MAX_STRING;
use crate::group::kind::{Group, Recorded};
use crate::group::pending::Deferred;
use crate::group::timer::TimerKey;
use crate::group::work::{Change, Work};
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::streams_group_heartbeat_request::TaskIds;
use crate::protocol::messages::streams_group_heartbeat_response::Status;
use crate::protocol::messages::{KafkaString, StreamsGroupHeartbeatRequestData, StreamsGroupHeartbeatResponseData};
use crate::types::Now;

/// Epoch by which static members of other groups leave for a while; of streams groups there are none yet.
const LEAVE_STATIC: i32 = -2;

/// The topology, and what is found out about it.
struct Looked {
    topology: Arc<Topology>,
    configured: Arc<Configured>,
    metadata_hash: u64,
    /// The topics have been looked at.
    refreshed: bool,
}

/// What a member's step comes to.
struct Outcome {
    before: Member,
    after: Member,
    looked: Looked,
    records: Vec<StreamsRecord>,
    statuses: Vec<Status>,
}

impl GroupCoordinator {
    /// A member is alive, joins or leaves. Answered by [`GroupResponse::StreamsHeartbeat`] when what it changes is written.
    pub fn streams_group_heartbeat(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &StreamsGroupHeartbeatRequestData,
    ) {
        if let Err(refusal) = self.try_streams_heartbeat(now, to, client, request) {
            self.shared.reply(to, GroupResponse::StreamsHeartbeat(Box::new(refused(&refusal))));
        }
        self.fail_refused(now);
    }

    fn try_streams_heartbeat(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &StreamsGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        check_supported(request)?;
        validate(request)?;
        let id = request.group_id.as_str();
        if id.len() > MAX_STRING || request.member_id.len() > MAX_STRING {
            return Err(ErrorCode::InvalidRequest.into());
        }
        let (partition, shard, shared) = self.shard_for(id)?;
        let mut work = Work { shared, shard, partition, now };
        match request.member_epoch {
            LEAVE | LEAVE_STATIC => work.leave_streams(to, request),
            _ => work.streams_heartbeat(to, client, request),
        }
    }
}

fn invalid(message: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal::new(ErrorCode::InvalidRequest, message))
}

/// `GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsUsingUnsupportedFeatures`
fn check_supported(request: &StreamsGroupHeartbeatRequestData) -> Result<(), Refusal> {
    if request.instance_id.is_some() {
        return invalid("Static membership is not yet supported.");
    }
    if request.task_offsets.is_some() {
        return invalid("TaskOffsets are not supported yet.");
    }
    if request.task_end_offsets.is_some() {
        return invalid("TaskEndOffsets are not supported yet.");
    }
    if request.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
        return invalid("WarmupTasks are not supported yet.");
    }
    let mut parts = request.topology.iter().flat_map(|topology| &topology.subtopologies);
    if parts.any(|part| !part.source_topic_regex.is_empty()) {
        return invalid("Regular expressions for source topics are not supported yet.");
    }
    Ok(())
}

/// `GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsInvalid`
fn validate(request: &StreamsGroupHeartbeatRequestData) -> Result<(), Refusal> {
    let is_blank = |text: Option<&KafkaString>| text.is_some_and(|text| text.as_str().trim().is_empty());
    if is_blank(Some(&request.member_id)) {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(Some(&request.group_id)) {
        return invalid("GroupId can't be empty.");
    }
    if is_blank(request.rack_id.as_ref()) {
        return invalid("RackId can't be empty.");
    }
    let epoch = request.member_epoch;
    let tasks = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    if epoch == 0 {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        for (name, tasks) in ["ActiveTasks", "StandbyTasks", "WarmupTasks"].into_iter().zip(tasks) {
            if tasks.as_ref().is_none_or(|tasks| !tasks.is_empty()) {
                return invalid(format!("{name} must be empty when (re-)joining."));
            }
        }
        let Some(topology) = &request.topology else {
            return invalid("Topology must be non-null when (re-)joining.");
        };
        let mut changelogs = topology.subtopologies.iter().flat_map(|part| &part.state_changelog_topics);
        if let Some(topic) = changelogs.find(|topic| topic.partitions != 0) {
            let message = format!(
                "Changelog topic {} must have an undefined partition count, but it is set to {}.",
                topic.name.as_str(),
                topic.partitions
            );
            return Err(Refusal::new(ErrorCode::StreamsInvalidTopology, message));
        }
    } else if epoch == LEAVE_STATIC {
        // No request with one comes here.
        return invalid("InstanceId can't be null.");
    } else if epoch < LEAVE_STATIC {
        return invalid(format!("MemberEpoch is {epoch}, but must be greater than or equal to -2."));
    }
    let given = tasks.iter().filter(|tasks| tasks.is_some()).count();
    if given != 0 && given != tasks.len() {
        return invalid("If one task-type is non-null, all must be non-null.");
    }
    if epoch != 0 && request.topology.is_some() {
        return invalid("Topology can only be provided when (re-)joining.");
    }
    Ok(())
}

impl Work<'_> {
    fn streams_heartbeat(
        &mut self,
        to: ReplyTo,
        client: &ClientInfo,
        request: &StreamsGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        let id: Arc<str> = request.group_id.as_str().into();
        let joins = request.member_epoch == 0;
        let (base, first) = self.streams_group_or_new(&id, joins)?;
        let is_new = base.is_some();
        let group: Cow<'_, StreamsGroup> = match (&base, self.streams_group(&id)) {
            (Some(base), _) => Cow::Borrowed(base),
            (None, Some(group)) => Cow::Borrowed(group),
            (None, None) => return Err(ErrorCode::UnknownServerError.into()),
        };
        let max_size = self.shared.config.streams.max_size;
        if joins && group.member_count() >= usize::try_from(max_size).unwrap_or(0) {
            let message = format!("The streams group has reached its maximum capacity of {max_size} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
        }
        // Asked before anything else of a group without members: its first target is worked out when more have come.
        let delay_ms = if group.is_empty() { self.shared.streams_initial_delay_ms(&id) } else { 0 };
        let delay = TimerKey::FirstAssignment(id.clone());
        let is_delayed = delay_ms > 0 || self.shared.timers.is_set(&delay);
        let outcome = self.streams_step(&group, client, request, is_delayed)?;
        let Outcome { before, after, looked, records, mut statuses } = outcome;

        let mut soft = group.soft.clone();
        soft.configured = Some(looked.configured.clone());
        if request.shutdown_application && soft.shutdown_by.is_none() {
            soft.shutdown_by = Some(after.id.clone());
        }
        let mut response = StreamsGroupHeartbeatResponseData::default()
            .with_member_id(text(&after.id))
            .with_member_epoch(after.current.epoch)
            .with_heartbeat_interval_ms(self.shared.streams_heartbeat_interval_ms(&id));
        let assigned = &after.current.assigned;
        if joins || before.current.assigned != *assigned {
            response.active_tasks = Some(task_ids(&assigned.active_tasks()));
            response.standby_tasks = Some(task_ids(&assigned.standby));
            response.warmup_tasks = Some(task_ids(&assigned.warmup));
            soft.endpoint_epoch = soft.endpoint_epoch.wrapping_add(i32::from(after.metadata.user_endpoint.is_some()));
        }
        if soft.endpoint_epoch != request.endpoint_information_epoch {
            let endpoints = endpoints(&group, &after, &looked.configured, &self.shared.topics);
            response.partitions_by_user_endpoint = Some(endpoints);
        }
        statuses.extend(looked.configured.problem.iter().map(|(code, detail)| status(*code, detail)));
        if let Some(member) = &soft.shutdown_by {
            let detail = format!(
                "Streams group member {member} encountered a fatal error and requested a shutdown for the entire \
                 application."
            );
            statuses.push(status(SHUTDOWN_APPLICATION, &detail));
        }
        response.status = Some(statuses);
        let joined = group.member(&after.id).is_none();
        drop(group);
        if joined {
            self.note(Level::Info, &id, || format!("Member {} joins by the streams protocol", after.id));
            self.shared.tell_member(&id, &after, MemberChange::Joined);
        }
        // What is not in the log a new group knows from the next heartbeat on only, as with Kafka.
        if !is_new && let Some(group) = self.shard.groups.get_mut(&id).and_then(StreamsGroup::of_mut) {
            response.endpoint_information_epoch = soft.endpoint_epoch;
            group.soft = soft;
        }
        let missing = looked.configured.missing.values().map(|topic| topic.creatable()).collect();
        let beat = Box::new(StreamsBeat { response, missing });
        let current_changed = before.current != after.current;
        if current_changed {
            self.note(Level::Info, &id, || {
                let current = &after.current;
                let (epoch, previous) = (current.epoch, current.previous_epoch);
                format!("Member {} is in epoch {epoch}, after {previous}, {:?}", after.id, current.state)
            });
        }
        let refreshed = looked.refreshed && !is_new;
        let change = Change { base, first, records, refreshed, is_heartbeat: true };
        self.commit::<StreamsGroup>(&id, change, Some(Deferred::StreamsHeartbeat { to, beat }))?;
        if delay_ms > 0 && !self.shared.timers.is_set(&delay) {
            self.schedule(delay, delay_ms);
        }
        if current_changed {
            self.watch_tasks(&id, &after);
        }
        self.restart_streams_session(&id, &after.id);
        Ok(())
    }

    /// The group to be made, if it is not there, and the records of what was before it.
    fn streams_group_or_new(
        &mut self,
        id: &Arc<str>,
        creates: bool,
    ) -> Result<(Option<StreamsGroup>, Vec<OffsetsRecord>), Refusal> {
        let not_found = |message| Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
        match self.shard.groups.get_mut(id) {
            Some(Group::Streams(_)) => Ok((None, Vec::new())),
            None if !creates => not_found(format!("Streams group {id} not found.")),
            None if self.shared.group_count >= self.shared.config.limits.groups => {
                Err(ErrorCode::CoordinatorNotAvailable.into())
            }
            None => Ok((Some(StreamsGroup::new(id.clone())), Vec::new())),
            Some(Group::Classic(group)) if creates && group.is_in(crate::group::GroupState::Empty) => {
                let first = vec![classic_tombstone(group)?];
                crate::group::admin::forget_timers(self.shared, group);
                Ok((Some(StreamsGroup::new(id.clone())), first))
            }
            Some(_) => not_found(format!("Group {id} is not a streams group.")),
        }
    }

    /// From what a member says of itself to what it may have: topology, epoch, target, assignment.
    fn streams_step(
        &self,
        group: &StreamsGroup,
        client: &ClientInfo,
        request: &StreamsGroupHeartbeatRequestData,
        is_delayed: bool,
    ) -> Result<Outcome, Refusal> {
        let owned = owned_of(request);
        let before = member_of(group, request, owned.as_ref())?;
        let mut after = described(&before, client, request)?;
        let mut records = Vec::new();
        let mut bumps = after.metadata != before.metadata;
        if bumps {
            records.push(StreamsRecord::Member(after.id.clone(), Some(Box::new(after.metadata.clone()))));
        }
        let topology = topology_of(group, request, &mut records)?;
        self.check_streams_room(group, &after, &topology)?;
        let mut statuses = Vec::new();
        if let Some(known) = group.topology.as_ref().filter(|known| after.metadata.topology_epoch < known.epoch) {
            let detail = format!(
                "The member's topology epoch {} is behind the group's topology epoch {}.",
                after.metadata.topology_epoch, known.epoch
            );
            statuses.push(status(STALE_TOPOLOGY, &detail));
        }
        let looked = self.look(group, topology)?;
        bumps |= looked.metadata_hash != group.metadata.metadata_hash;
        let validated_epoch = match looked.configured.ready() {
            None => -1,
            Some(parts) => {
                check_tasks(parts, request)?;
                looked.topology.epoch
            }
        };
        let configs = self.shared.streams_assignment_configs(&group.id);
        bumps |= validated_epoch != group.metadata.validated_epoch || configs != group.metadata.assignment_configs;
        let mut epoch = group.epoch();
        if bumps {
            epoch = epoch.saturating_add(1);
            records.push(StreamsRecord::Group(Some(Box::new(GroupMetadata {
                epoch,
                metadata_hash: looked.metadata_hash,
                validated_epoch,
                assignment_configs: configs.clone(),
            }))));
        }
        let delayed = match self.streams_delay(group, epoch, is_delayed) {
            Some(reason) => {
                statuses
                    .push(status(ASSIGNMENT_DELAYED, &format!("Assignment delayed due to the configured {reason}.")));
                true
            }
            None => false,
        };
        let target = if is_delayed {
            Target { epoch: group.target_epoch, tasks: Arc::default() }
        } else if delayed || group.target_epoch >= epoch {
            Target { epoch: group.target_epoch, tasks: group.target_of(&after.id).cloned().unwrap_or_default() }
        } else {
            let at = (epoch, self.now.wall_ms);
            work_out(group, Some(&after), &looked.configured, &configs, at, &mut records)
        };
        if !after.is_reconciled_to(target.epoch) {
            let owned = match owned {
                Some(owned) => Some(owned?),
                None => None,
            };
            let step = Reconcile {
                group,
                process_id: &after.metadata.process_id,
                target_epoch: target.epoch,
                target: &target.tasks,
                owned: owned.as_ref(),
            };
            let current = step.step(&after.current)?;
            if current != after.current {
                records.push(StreamsRecord::Current(after.id.clone(), Some(Box::new(current.clone()))));
                after.current = current;
            }
        }
        Ok(Outcome { before, after, looked, records, statuses })
    }

    /// What keeps the target from being worked out now.
    fn streams_delay(&self, group: &StreamsGroup, epoch: i32, is_delayed: bool) -> Option<&'static str> {
        if is_delayed {
            return Some("initial rebalance delay");
        }
        let may_assign = self.may_assign_tasks(group);
        (group.target_epoch < epoch && !may_assign).then_some("assignment interval")
    }

    /// A target is worked out once in an interval at most.
    pub fn may_assign_tasks(&self, group: &StreamsGroup) -> bool {
        let interval_ms = i64::from(self.shared.streams_assignment_interval_ms(&group.id));
        let next_ms = group.target_at_ms.saturating_add(interval_ms);
        group.target_at_ms == 0 || interval_ms == 0 || self.now.wall_ms >= next_ms
    }

    /// The topology with its topics: as it was found last, unless they may be other ones now.
    fn look(&self, group: &StreamsGroup, topology: Arc<Topology>) -> Result<Looked, Refusal> {
        let topics = &self.shared.topics;
        let known = group.soft.configured.as_ref().filter(|_| group.topology.is_some());
        if let Some(configured) = known.filter(|_| !group.soft.refresh.is_due(self.now, group.epoch())) {
            let (configured, metadata_hash) = (configured.clone(), group.metadata.metadata_hash);
            return Ok(Looked { topology, configured, metadata_hash, refreshed: false });
        }
        let metadata_hash = topics.hash(topology.required_topics().into_iter());
        let configured = match known.filter(|_| metadata_hash == group.metadata.metadata_hash) {
            Some(configured) => configured.clone(),
            None => Arc::new(Configured::new(&topology, topics)?),
        };
        Ok(Looked { topology, configured, metadata_hash, refreshed: true })
    }

    /// Our own bounds.
    fn check_streams_room(&self, group: &StreamsGroup, member: &Member, topology: &Topology) -> Result<(), Refusal> {
        let limits = &self.shared.config.limits;
        let is_member = group.member(&member.id).is_some();
        let (own, shared) = (member.size_bytes(), topology.size_bytes());
        let too_many = !is_member && group.member_count() >= limits.members_per_group;
        let too_large = own > limits.member_bytes || shared > limits.member_bytes;
        if too_many || too_large || group.size_bytes() + own > limits.group_bytes {
            return Err(ErrorCode::GroupMaxSizeReached.into());
        }
        Ok(())
    }
}

/// What the member says that it has; where it names a subtopology twice, Kafka fails as soon as it needs it.
fn owned_of(request: &StreamsGroupHeartbeatRequestData) -> Option<Result<TaskSet, Refusal>> {
    let lists = (&request.active_tasks, &request.standby_tasks, &request.warmup_tasks);
    let (Some(active), Some(standby), Some(warmup)) = lists else { return None };
    let read = |lists: &[TaskIds]| -> Result<Tasks, Refusal> {
        let mut tasks = Tasks::new();
        for list in lists {
            let partitions: BTreeSet<i32> = list.partitions.iter().copied().collect();
            if tasks.insert(list.subtopology_id.as_str().into(), partitions).is_some() {
                return Err(ErrorCode::UnknownServerError.into());
            }
        }
        Ok(tasks)
    };
    let all = || Ok(TaskSet { active: read(active)?, standby: read(standby)?, warmup: read(warmup)? });
    Some(all())
}

/// The member as it is. It is in the epoch that it was told last, or, if that answer was lost, in the one before.
fn member_of(
    group: &StreamsGroup,
    request: &StreamsGroupHeartbeatRequestData,
    owned: Option<&Result<TaskSet, Refusal>>,
) -> Result<Member, Refusal> {
    let (id, given) = (request.member_id.as_str(), request.member_epoch);
    if given == 0 {
        return Ok(group.member(id).map_or_else(|| Member::new(id.into()), |member| (**member).clone()));
    }
    let member = group.known_member(id)?;
    let known = member.current.epoch;
    let is_within =
        || owned.is_some_and(|owned| owned.as_ref().is_ok_and(|owned| owned.is_within(&member.current.assigned)));
    if given == known || (given < known && given == member.current.previous_epoch && is_within()) {
        return Ok((**member).clone());
    }
    let which = if given > known { "greater" } else { "smaller" };
    let message = format!(
        "The streams group member has a {which} member epoch ({given}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
}

/// The member with what the request says of it.
fn described(
    before: &Member,
    client: &ClientInfo,
    request: &StreamsGroupHeartbeatRequestData,
) -> Result<Member, Refusal> {
    let mut after = before.clone();
    let metadata = &mut after.metadata;
    if let Some(rack_id) = &request.rack_id {
        metadata.rack_id = Some(rack_id.to_string());
    }
    if request.rebalance_timeout_ms != -1 {
        metadata.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(topology) = &request.topology {
        metadata.topology_epoch = topology.epoch;
    }
    if let Some(process_id) = request.process_id.as_ref().filter(|id| *metadata.process_id != *id.as_str()) {
        metadata.process_id = process_id.as_str().into();
    }
    if let Some(tags) = &request.client_tags {
        let known: BTreeMap<String, String> =
            tags.iter().map(|tag| (tag.key.to_string(), tag.value.to_string())).collect();
        // Where Kafka fails with an exception of Java's own.
        if known.len() != tags.len() {
            return Err(ErrorCode::UnknownServerError.into());
        }
        metadata.client_tags = known;
    }
    if let Some(endpoint) = &request.user_endpoint {
        metadata.user_endpoint = Some((endpoint.host.to_string(), endpoint.port));
    }
    metadata.client_id = client.client_id.clone();
    metadata.client_host = client.client_host.clone();
    Ok(after)
}

/// The group's topology, or the first one that it is told.
fn topology_of(
    group: &StreamsGroup,
    request: &StreamsGroupHeartbeatRequestData,
    records: &mut Vec<StreamsRecord>,
) -> Result<Arc<Topology>, Refusal> {
    let asked = request.topology.as_deref().map(Topology::of_request).transpose()?;
    match (asked, &group.topology) {
        (None, None) => Err(ErrorCode::UnknownServerError.into()),
        (None, Some(known)) => Ok(known.clone()),
        (Some(asked), None) => {
            let asked = Arc::new(asked);
            records.push(StreamsRecord::Topology(Some(asked.clone())));
            Ok(asked)
        }
        (Some(asked), Some(known)) if known.epoch > asked.epoch || known.is_same(&asked) => Ok(known.clone()),
        (Some(_), Some(_)) => Err(Refusal::new(ErrorCode::InvalidRequest, "Topology updates are not supported yet.")),
    }
}

/// A member can only have tasks that there are.
fn check_tasks(
    parts: &BTreeMap<Arc<str>, ConfiguredSubtopology>,
    request: &StreamsGroupHeartbeatRequestData,
) -> Result<(), Refusal> {
    let lists = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    for list in lists.into_iter().flatten().flatten() {
        let id = list.subtopology_id.as_str();
        let Some(part) = parts.get(id) else {
            let message = format!("Subtopology {id} does not exist in the topology.");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        };
        if let Some(partition) = list.partitions.iter().find(|partition| !(0..part.tasks).contains(*partition)) {
            let message = format!(
                "Task {partition} for subtopology {id} is invalid. Number of tasks for this subtopology: {}",
                part.tasks
            );
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    }
    Ok(())
}
