//! ConsumerGroupHeartbeat v0–1 (KIP-848): a member joins, tells what it has, and is told what it should have.
//!
//! Source: `GroupCoordinatorService.consumerGroupHeartbeat`, `GroupMetadataManager.consumerGroupHeartbeat`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::group::ConsumerGroup;
use super::member::{Assignment, Current, LEAVE, LEAVE_STATIC, Member, Owned, owned_since};
use super::reconcile::Reconcile;
use super::records::ConsumerRecord;
use super::regexes::{self, RegexChange};
use super::target::{Target, Upcoming, ids_of};
use super::work::classic_tombstone;
use crate::group::api::{ClientInfo, GroupResponse, OffsetsRecord, Refusal, ReplyTo, opt_text, text};
use crate::group::coordinator::{GroupCoordinator, Shared};
use crate::group::join::MAX_STRING;
use crate::group::kind::{Group, Recorded};
use crate::group::pending::Deferred;
use crate::group::timer::TimerKey;
use crate::group::work::{Change, Work};
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::consumer_group_heartbeat_response::{Assignment as WireAssignment, TopicPartitions};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequestData, ConsumerGroupHeartbeatResponseData};
use crate::types::{Id, Now};

/// The version from which members choose their own ids.
const MEMBER_CHOOSES_ID: i16 = 1;

/// What a member of either protocol brings with it.
pub struct Joining<'a> {
    pub member_id: Arc<str>,
    pub instance_id: Option<&'a str>,
    pub epoch: i32,
    /// It may be new.
    pub creates: bool,
    pub is_classic: bool,
    pub owned: Option<&'a Assignment>,
}

/// What one step of a member comes to.
pub struct Outcome {
    pub member: Member,
    pub records: Vec<ConsumerRecord>,
    pub refreshed: bool,
    pub resolve_regexes: bool,
}

/// The member that asks, before and after what it says of itself.
pub struct Asking<'a> {
    pub group: &'a ConsumerGroup,
    pub before: &'a Member,
    pub after: Member,
    pub owned: Option<&'a Assignment>,
    /// A classic member's regular expression is never its own: any change counts.
    pub is_classic: bool,
}

impl GroupCoordinator {
    /// A member is alive, joins or leaves. Answered by [`GroupResponse::ConsumerHeartbeat`] when what it changes is written.
    pub fn consumer_group_heartbeat(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &ConsumerGroupHeartbeatRequestData,
    ) {
        if let Err(refusal) = self.try_consumer_heartbeat(now, to, client, request) {
            let response = refused(&refusal);
            self.shared.reply(to, GroupResponse::ConsumerHeartbeat(response));
        }
        self.fail_refused(now);
    }

    fn try_consumer_heartbeat(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &ConsumerGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        validate(request, client.api_version, &self.shared)?;
        let id = request.group_id.as_str();
        if id.len() > MAX_STRING || request.member_id.len() > MAX_STRING {
            return Err(ErrorCode::InvalidRequest.into());
        }
        let (partition, shard, shared) = self.shard_for(id)?;
        let mut work = Work { shared, shard, partition, now };
        match request.member_epoch {
            LEAVE | LEAVE_STATIC => work.leave(to, request),
            _ => work.heartbeat(to, client, request),
        }
    }
}

/// `GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`
fn validate(request: &ConsumerGroupHeartbeatRequestData, api_version: i16, shared: &Shared) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let is_blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
    let epoch = request.member_epoch;
    if (api_version >= MEMBER_CHOOSES_ID || epoch > 0 || epoch == LEAVE) && is_blank(Some(request.member_id.as_str())) {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(Some(request.group_id.as_str())) {
        return invalid("GroupId can't be empty.");
    }
    if is_blank(request.instance_id.as_ref().map(|id| id.as_str())) {
        return invalid("InstanceId can't be empty.");
    }
    if is_blank(request.rack_id.as_ref().map(|id| id.as_str())) {
        return invalid("RackId can't be empty.");
    }
    if epoch == 0 {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if request.topic_partitions.as_ref().is_none_or(|topics| !topics.is_empty()) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
            return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
    } else if epoch == LEAVE_STATIC && request.instance_id.is_none() {
        return invalid("InstanceId can't be null.");
    } else if epoch < LEAVE_STATIC {
        return invalid("MemberEpoch is invalid.");
    }
    let assignors = &shared.config.consumer.assignors;
    match &request.server_assignor {
        Some(name) if !assignors.iter().any(|assignor| assignor.name() == name.as_str()) => {
            let supported: Vec<&str> = assignors.iter().map(|assignor| assignor.name()).collect();
            let supported = supported.join(", ");
            let message =
                format!("ServerAssignor {} is not supported. Supported assignors: {supported}.", name.as_str());
            Err(Refusal::new(ErrorCode::UnsupportedAssignor, message))
        }
        _ => Ok(()),
    }
}

impl Work<'_> {
    fn heartbeat(
        &mut self,
        to: ReplyTo,
        client: &ClientInfo,
        request: &ConsumerGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        let id: Arc<str> = request.group_id.as_str().into();
        let creates = request.member_epoch == 0;
        let member_id: Arc<str> = match request.member_id.as_str() {
            "" => Id::random(&mut self.shared.rng).to_string().into(),
            given => given.into(),
        };
        let owned = request.topic_partitions.as_ref().map(|topics| {
            let one = |topic: &crate::protocol::messages::consumer_group_heartbeat_request::TopicPartitions| {
                (Id::from(topic.topic_id), topic.partitions.iter().copied().collect::<BTreeSet<i32>>())
            };
            topics.iter().map(one).collect::<Assignment>()
        });

        let (base, first, mut records) = self.get_or_create(&id, creates)?;
        let group: Cow<'_, ConsumerGroup> = match (&base, self.group(&id)) {
            (Some(base), _) => Cow::Borrowed(base),
            (None, Some(group)) => Cow::Borrowed(group),
            (None, None) => return Err(ErrorCode::UnknownServerError.into()),
        };
        self.check_room(&group, request.member_id.as_str(), request)?;
        let instance_id = request.instance_id.as_ref().map(|id| id.as_str());
        let joining = Joining {
            member_id: member_id.clone(),
            instance_id,
            epoch: request.member_epoch,
            creates,
            is_classic: false,
            owned: owned.as_ref(),
        };
        let before = joining.member(&group, &mut records)?;
        let after = described(&before, client, request);
        let asking = Asking { group: &group, before: &before, after, owned: owned.as_ref(), is_classic: false };
        let outcome = self.advance(asking)?;
        records.extend(outcome.records);
        let member = outcome.member;

        let is_full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
            && owned.is_some();
        let tells = creates || is_full || before.current.assigned != member.current.assigned;
        let response = ConsumerGroupHeartbeatResponseData::default()
            .with_member_id(Some(text(&member.id)))
            .with_member_epoch(member.current.epoch)
            .with_heartbeat_interval_ms(self.shared.heartbeat_interval_ms(&id))
            .with_assignment(tells.then(|| Box::new(wire_assignment(&member.current.assigned))));
        let is_new = group.member(&member.id).is_none();
        let replaced = instance_id.and_then(|id| group.static_member(id)).filter(|old| old.id != member.id);
        let replaced = replaced.map(|old| old.id.clone());
        drop(group);
        let current_changed = before.current != member.current;
        self.note_joining(&id, &member, is_new, replaced.as_deref(), "consumer");
        let (said, says) = (&before.metadata, &member.metadata);
        if !is_new && (&said.topics, &said.regex) != (&says.topics, &says.regex) {
            self.shared.tell_member(&id, &member, MemberChange::Resubscribed);
        }
        if current_changed {
            self.note_current(&id, &member);
        }
        let change = Change { base, first, records, refreshed: outcome.refreshed, is_heartbeat: true };
        self.commit(&id, change, Some(Deferred::ConsumerHeartbeat { to, response }))?;
        if current_changed {
            self.watch_revocation(&id, &member);
        }
        self.restart_session(&id, &member);
        if outcome.resolve_regexes {
            self.shared.timers.schedule_earlier(TimerKey::Regex(id), self.now.mono);
        }
        Ok(())
    }

    /// The group that is there, or what it is to be made of.
    #[expect(clippy::type_complexity, reason = "the group, and records of what was before it and of itself")]
    fn get_or_create(
        &mut self,
        id: &Arc<str>,
        creates: bool,
    ) -> Result<(Option<ConsumerGroup>, Vec<OffsetsRecord>, Vec<ConsumerRecord>), Refusal> {
        match self.shard.groups.get_mut(id) {
            Some(Group::Consumer(_)) => Ok((None, Vec::new(), Vec::new())),
            None if !creates => {
                Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("Consumer group {id} not found.")))
            }
            None if self.shared.group_count >= self.shared.config.limits.groups => {
                Err(ErrorCode::CoordinatorNotAvailable.into())
            }
            None => Ok((Some(ConsumerGroup::new(id.clone())), Vec::new(), Vec::new())),
            Some(Group::Classic(_)) if !creates => {
                Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {id} is not a consumer group.")))
            }
            Some(Group::Classic(group)) if group.is_in(crate::group::GroupState::Empty) => {
                let first = vec![classic_tombstone(group)?];
                crate::group::admin::forget_timers(self.shared, group);
                Ok((Some(ConsumerGroup::new(id.clone())), first, Vec::new()))
            }
            Some(Group::Classic(_)) => self.upgrade(id),
            Some(_) => Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {id} is not a consumer group."))),
        }
    }

    /// `group.consumer.max.size`, and our own bounds.
    pub fn check_room(
        &self,
        group: &ConsumerGroup,
        member_id: &str,
        request: &ConsumerGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        let topics = request.subscribed_topic_names.iter().flatten().map(|topic| topic.len()).sum::<usize>();
        let regex = request.subscribed_topic_regex.as_ref().map_or(0, |regex| regex.len());
        self.check_size(group, member_id, topics + regex)
    }

    /// The same, told the bytes that a member brings.
    pub fn check_size(&self, group: &ConsumerGroup, member_id: &str, bytes: usize) -> Result<(), Refusal> {
        let max_size = usize::try_from(self.shared.config.consumer.max_size).unwrap_or(0);
        let limits = &self.shared.config.limits;
        let is_member = !member_id.is_empty() && group.member(member_id).is_some();
        if group.member_count() >= max_size.min(limits.members_per_group) && !is_member {
            let message = format!("The consumer group has reached its maximum capacity of {max_size} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
        }
        if bytes > limits.member_bytes || group.size_bytes() + bytes > limits.group_bytes {
            return Err(ErrorCode::GroupMaxSizeReached.into());
        }
        Ok(())
    }

    /// From what a member says of itself to what it may have: epoch, target, assignment.
    pub fn advance(&self, asking: Asking<'_>) -> Result<Outcome, Refusal> {
        let Asking { group, before, mut after, owned, is_classic } = asking;
        let (topics, config, now_ms) = (&self.shared.topics, &self.shared.config.consumer, self.now.wall_ms);
        let mut records = Vec::new();
        if after != *before {
            records.push(ConsumerRecord::Member(after.id.clone(), Some(Box::new(after.metadata.clone()))));
        }
        let names_changed = after.metadata.topics != before.metadata.topics;
        let refresh_ms = i64::from(config.regex_refresh_interval_ms);
        let (regex, resolve_regexes) =
            regexes::update(group, before, &after, topics, now_ms, refresh_ms, &mut records)?;
        let has_changed = names_changed || regex != RegexChange::None;
        let bumps = if is_classic { has_changed } else { names_changed || regex == RegexChange::UpdatedAndResolved };

        let gone = before.regex().filter(|old| after.regex() != Some(old) && group.regex_count(old) == 1);
        let subscribed = group.subscribed_with(&[before], Some(&after), gone.map(str::to_owned).into_iter());
        let mut epoch = group.epoch;
        let refreshed = bumps || group.refresh.is_due(self.now, group.epoch);
        if refreshed {
            let hash = topics.hash(subscribed.keys());
            if bumps || hash != group.metadata_hash {
                epoch += 1;
                records.push(ConsumerRecord::Group(Some((epoch, hash))));
            }
            if group.has_partition_metadata {
                records.push(ConsumerRecord::PartitionMetadata(false));
            }
        }

        let upcoming = Upcoming { group, member: &after, subscribed: &subscribed };
        let target = if group.target_epoch >= epoch || !self.may_assign(group) {
            Target { epoch: group.target_epoch, assignment: group.target_or_replaced(&after) }
        } else {
            let members = upcoming.members();
            let assignor = config.assignor(ConsumerGroup::preferred_assignor(members.values()).as_deref());
            upcoming.assign(assignor, epoch, now_ms, topics, &mut records)
        };
        let force = if is_classic { bumps } else { has_changed };
        self.reconcile(group, &mut after, &target, force, owned, &mut records)?;
        Ok(Outcome { member: after, records, refreshed, resolve_regexes })
    }

    /// A target is worked out once in an interval at most.
    fn may_assign(&self, group: &ConsumerGroup) -> bool {
        let interval_ms = i64::from(self.shared.assignment_interval_ms(&group.id));
        group.target_at_ms == 0 || interval_ms == 0 || self.now.wall_ms >= group.target_at_ms + interval_ms
    }

    /// One step of a member towards its target.
    pub fn reconcile(
        &self,
        group: &ConsumerGroup,
        member: &mut Member,
        target: &Target,
        force: bool,
        owned: Option<&Assignment>,
        records: &mut Vec<ConsumerRecord>,
    ) -> Result<(), Refusal> {
        if !force && member.is_reconciled_to(target.epoch) {
            return Ok(());
        }
        let topics = ids_of(&group.topics_of(member), &self.shared.topics);
        let step = Reconcile {
            target_epoch: target.epoch,
            target: &target.assignment,
            subscription_changed: force,
            topics: &topics,
            partition_epoch: &|topic, partition| group.partition_epoch(topic, partition),
            owned,
        };
        let current = step.step(&member.current)?;
        if current != member.current {
            records.push(ConsumerRecord::Current(member.id.clone(), Some(Box::new(current.clone()))));
            member.current = current;
        }
        Ok(())
    }
}

impl Joining<'_> {
    /// The member as it is; a static one that takes another's place comes with the records for that.
    pub fn member(&self, group: &ConsumerGroup, records: &mut Vec<ConsumerRecord>) -> Result<Member, Refusal> {
        let Some(instance_id) = self.instance_id else {
            let member = match group.known_member(&self.member_id) {
                Ok(member) => (**member).clone(),
                Err(_) if self.creates => Member::new(self.member_id.clone()),
                Err(refusal) => return Err(refusal),
            };
            self.check_epoch(&member)?;
            return Ok(member);
        };
        let existing = group.static_member(instance_id);
        if !self.creates {
            let member = self.existing(existing, instance_id)?;
            self.check_epoch(&member)?;
            return Ok(member);
        }
        let Some(existing) = existing else {
            let known = group.member(&self.member_id);
            return Ok(known.map_or_else(|| Member::new(self.member_id.clone()), |member| (**member).clone()));
        };
        if !self.is_classic && !existing.is_classic() && existing.current.epoch != LEAVE_STATIC {
            let message = format!(
                "Static member {} with instance id {instance_id} cannot join the group because the instance id is \
                 owned by {} member.",
                self.member_id, existing.id
            );
            return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message));
        }
        let mut member = Member { id: self.member_id.clone(), ..(**existing).clone() };
        member.current = Current { epoch: 0, previous_epoch: 0, ..member.current };
        replace(group, existing, &member, records);
        Ok(member)
    }

    fn existing(&self, existing: Option<&Arc<Member>>, instance_id: &str) -> Result<Member, Refusal> {
        let Some(existing) = existing else {
            return Err(Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown.")));
        };
        check_instance(existing, &self.member_id, instance_id)?;
        Ok((**existing).clone())
    }

    /// A member is in the epoch that it was told last, or, if that answer was lost, in the one before.
    fn check_epoch(&self, member: &Member) -> Result<(), Refusal> {
        let (given, known) = (self.epoch, member.current.epoch);
        if self.is_classic || given == 0 || given == known {
            return Ok(());
        }
        let is_greater = given > known;
        if !is_greater && given == member.current.previous_epoch && self.has_no_more_than(&member.current.assigned) {
            return Ok(());
        }
        let which = if is_greater { "greater" } else { "smaller" };
        let message = format!(
            "The consumer group member has a {which} member epoch ({given}) than the one known by the group \
             coordinator ({known}). The member must abandon all its partitions and rejoin."
        );
        Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
    }

    fn has_no_more_than(&self, assigned: &Owned) -> bool {
        let within = |(topic, partitions): (&Id, &BTreeSet<i32>)| {
            let assigned = assigned.get(topic);
            assigned.is_some_and(|assigned| partitions.iter().all(|partition| assigned.contains_key(partition)))
        };
        self.owned.is_some_and(|owned| owned.iter().all(within))
    }
}

/// FENCED_INSTANCE_ID where another member has the instance id by now.
pub fn check_instance(existing: &Member, member_id: &str, instance_id: &str) -> Result<(), Refusal> {
    if *existing.id == *member_id {
        return Ok(());
    }
    let message =
        format!("Static member {member_id} with instance id {instance_id} was fenced by member {}.", existing.id);
    Err(Refusal::new(ErrorCode::FencedInstanceId, message))
}

/// One member takes the place of another.
fn replace(group: &ConsumerGroup, old: &Member, new: &Member, records: &mut Vec<ConsumerRecord>) {
    records.push(ConsumerRecord::Current(old.id.clone(), None));
    records.push(ConsumerRecord::TargetMember(old.id.clone(), None));
    records.push(ConsumerRecord::Member(old.id.clone(), None));
    records.push(ConsumerRecord::Member(new.id.clone(), Some(Box::new(new.metadata.clone()))));
    let target = group.target_of(&old.id).cloned().unwrap_or_default();
    records.push(ConsumerRecord::TargetMember(new.id.clone(), Some(target)));
    records.push(ConsumerRecord::Current(new.id.clone(), Some(Box::new(new.current.clone()))));
}

/// The member with what the request says of it.
fn described(before: &Member, client: &ClientInfo, request: &ConsumerGroupHeartbeatRequestData) -> Member {
    let mut after = before.clone();
    let metadata = &mut after.metadata;
    if let Some(instance_id) = &request.instance_id {
        metadata.instance_id = Some(instance_id.to_string());
    }
    if let Some(rack_id) = &request.rack_id {
        metadata.rack_id = Some(rack_id.to_string());
    }
    if request.rebalance_timeout_ms != -1 {
        metadata.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(assignor) = &request.server_assignor {
        metadata.assignor = Some(assignor.to_string());
    }
    if let Some(names) = &request.subscribed_topic_names {
        metadata.topics = names.iter().map(|name| name.as_str().into()).collect();
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        metadata.regex = regex.to_string();
    }
    metadata.client_id = client.client_id.clone();
    metadata.client_host = client.client_host.clone();
    metadata.classic = None;
    after
}

fn wire_assignment(assigned: &Owned) -> WireAssignment {
    let topic = |(id, partitions): (&Id, &std::collections::BTreeMap<i32, i32>)| {
        TopicPartitions::default().with_topic_id((*id).into()).with_partitions(partitions.keys().copied().collect())
    };
    WireAssignment::default().with_topic_partitions(assigned.iter().map(topic).collect())
}

/// A refused heartbeat.
pub fn refused(refusal: &Refusal) -> ConsumerGroupHeartbeatResponseData {
    ConsumerGroupHeartbeatResponseData::default()
        .with_error_code(refusal.error.code())
        .with_error_message(opt_text(refusal.message.as_deref()))
}

/// What an upgraded classic member has, all of it since the generation that becomes its epoch.
pub fn upgraded_current(assigned: &Assignment, generation: i32) -> Current {
    Current {
        epoch: generation,
        previous_epoch: generation,
        assigned: owned_since(assigned, generation),
        ..Current::default()
    }
}
