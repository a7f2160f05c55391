//! ShareGroupHeartbeat v1 (KIP-932): a member joins, is alive, leaves, and is told what it may read.
//!
//! Source: `GroupCoordinatorService.shareGroupHeartbeat`, `GroupMetadataManager.shareGroupHeartbeat`, `ShareGroupAssignmentBuilder`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ask::Purpose;
use super::assign::{MemberSpec, assign};
use super::group::ShareGroup;
use super::member::{Current, Member};
use super::records::ShareRecord;
use super::state::TopicStates;
use crate::group::api::{ClientInfo, GroupResponse, Refusal, ReplyTo, ShareStateRequest, opt_text, text};
use crate::group::consumer::{Assignment, LEAVE, MemberState, ids_of};
use crate::group::coordinator::GroupCoordinator;
use crate::group::join::MAX_STRING;
use crate::group::kind::{Group, Recorded};
use crate::group::pending::Deferred;
use crate::group::timer::TimerKey;
use crate::group::work::{Change, Work};
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::share_group_heartbeat_response::{Assignment as WireAssignment, TopicPartitions};
use crate::protocol::messages::{ShareGroupHeartbeatRequestData, ShareGroupHeartbeatResponseData};
use crate::types::{Id, Now};

/// Members name themselves by a printed UUID at most.
const MAX_MEMBER_ID: usize = 36;

/// What a heartbeat comes to.
struct Outcome {
    member: Member,
    records: Vec<ShareRecord>,
    refreshed: bool,
    /// Group epoch, and the partitions that the persister is to be asked for.
    epoch: i32,
    missing: TopicStates,
}

/// What a member should have, and since which epoch.
struct Target {
    epoch: i32,
    assignment: Arc<Assignment>,
}

impl GroupCoordinator {
    /// A member is alive, joins or leaves. Answered by [`GroupResponse::ShareHeartbeat`] when what it changes is written.
    pub fn share_group_heartbeat(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &ShareGroupHeartbeatRequestData,
    ) {
        if let Err(refusal) = self.try_share_heartbeat(now, to, client, request) {
            self.shared.reply(to, GroupResponse::ShareHeartbeat(refused(&refusal)));
        }
        self.fail_refused(now);
    }

    fn try_share_heartbeat(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &ShareGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        validate(request)?;
        let id = request.group_id.as_str();
        if id.len() > MAX_STRING {
            return Err(ErrorCode::InvalidRequest.into());
        }
        let (partition, shard, shared) = self.shard_for(id)?;
        let mut work = Work { shared, shard, partition, now };
        match request.member_epoch {
            LEAVE => work.leave_share_group(to, request),
            _ => work.share_heartbeat(to, client, request),
        }
    }

    /// A member of a share group has not been heard of for too long. Does nothing where the group is of another kind, or the member gone.
    pub(in crate::group) fn expire_share_member(&mut self, now: Now, id: &Arc<str>, member: &Arc<str>) {
        let Ok((partition, shard, shared)) = self.shard_for(id) else { return };
        let mut work = Work { shared, shard, partition, now };
        let Some(group) = work.find::<ShareGroup>(id) else { return };
        let Some(found) = group.member(member).cloned() else { return };
        let records = group.without(&found, &work.shared.topics);
        work.note(Level::Info, id, || {
            format!("Member {member} is fenced in epoch {}: its session expired", found.current.epoch)
        });
        work.shared.tell_member(id, &*found, MemberChange::SessionExpired);
        if work.commit(id, Change::<ShareGroup>::of(records), None).is_err() {
            // It could not even be written down; it is tried again.
            work.restart_share_session(id, member);
        }
    }
}

/// `KafkaApis.isMemberIdValid`, `GroupCoordinatorService.throwIfShareGroupHeartbeatRequestIsInvalid`
fn validate(request: &ShareGroupHeartbeatRequestData) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let member_id = request.member_id.as_str();
    if member_id.is_empty() || member_id.encode_utf16().count() > MAX_MEMBER_ID {
        return Err(ErrorCode::InvalidRequest.into());
    }
    if member_id.trim().is_empty() {
        return invalid("MemberId can't be empty.");
    }
    if request.group_id.as_str().trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if request.rack_id.as_ref().is_some_and(|id| id.as_str().trim().is_empty()) {
        return invalid("RackId can't be empty.");
    }
    if request.member_epoch == 0 && request.subscribed_topic_names.as_ref().is_none_or(Vec::is_empty) {
        return invalid("SubscribedTopicNames must be set in first request.");
    }
    if request.member_epoch < LEAVE {
        return invalid("MemberEpoch is invalid.");
    }
    Ok(())
}

impl Work<'_> {
    fn share_heartbeat(
        &mut self,
        to: ReplyTo,
        client: &ClientInfo,
        request: &ShareGroupHeartbeatRequestData,
    ) -> Result<(), Refusal> {
        let id: Arc<str> = request.group_id.as_str().into();
        let creates = request.member_epoch == 0;
        let base = self.share_base(&id, creates)?;
        let group: Cow<'_, ShareGroup> = match (&base, self.find::<ShareGroup>(&id)) {
            (Some(base), _) => Cow::Borrowed(base),
            (None, Some(group)) => Cow::Borrowed(group),
            (None, None) => return Err(ErrorCode::UnknownServerError.into()),
        };
        self.check_share_room(&group, request)?;
        let before = match group.known_member(request.member_id.as_str()) {
            Ok(member) => (**member).clone(),
            Err(_) if creates => Member::new(request.member_id.as_str().into()),
            Err(refusal) => return Err(refusal),
        };
        check_epoch(&before, request.member_epoch)?;
        let outcome = self.advance_share(&group, &before, described(&before, client, request));
        let member = outcome.member;
        let tells =
            creates || request.subscribed_topic_names.is_some() || before.current.assigned != member.current.assigned;
        let response = ShareGroupHeartbeatResponseData::default()
            .with_member_id(Some(text(&member.id)))
            .with_member_epoch(member.current.epoch)
            .with_heartbeat_interval_ms(self.shared.share_heartbeat_interval_ms(&id))
            .with_assignment(tells.then(|| Box::new(wire_assignment(&member.current.assigned))));
        let is_new = group.member(&member.id).is_none();
        drop(group);
        if is_new {
            self.note(Level::Info, &id, || format!("Member {} joins by the share protocol", member.id));
            self.shared.tell_member(&id, &member, MemberChange::Joined);
        } else if before.metadata.topics != member.metadata.topics {
            self.shared.tell_member(&id, &member, MemberChange::Resubscribed);
        }
        let change = Change {
            base,
            first: Vec::new(),
            records: outcome.records,
            refreshed: outcome.refreshed,
            is_heartbeat: true,
        };
        self.commit_share(&id, change, Some(Deferred::ShareHeartbeat { to, response }))?;
        self.restart_share_session(&id, &member.id);
        if !outcome.missing.is_empty() {
            let request = super::ask::initialize(&id, outcome.epoch, &outcome.missing);
            self.ask_share_state(&id, Purpose::Initialize, ShareStateRequest::Initialize(Box::new(request)));
        }
        Ok(())
    }

    /// The group that it is to be made of, if there is none.
    pub fn share_base(&self, id: &Arc<str>, creates: bool) -> Result<Option<ShareGroup>, Refusal> {
        let refuse = |message: String| Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
        match self.shard.groups.get(id) {
            Some(Group::Share(_)) => Ok(None),
            Some(_) => refuse(format!("Group {id} is not a share group.")),
            None if !creates => refuse(format!("Share group {id} not found.")),
            None if self.shared.group_count >= self.shared.config.limits.groups => {
                Err(ErrorCode::CoordinatorNotAvailable.into())
            }
            None => Ok(Some(ShareGroup::new(id.clone()))),
        }
    }

    /// `group.share.max.size`, and our own bounds.
    fn check_share_room(&self, group: &ShareGroup, request: &ShareGroupHeartbeatRequestData) -> Result<(), Refusal> {
        let max_size = usize::try_from(self.shared.config.share.max_size).unwrap_or(0);
        let limits = &self.shared.config.limits;
        let is_member = group.member(request.member_id.as_str()).is_some();
        if group.member_count() >= max_size.min(limits.members_per_group) && !is_member {
            let message = format!("The share group has reached its maximum capacity of {max_size} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
        }
        let bytes = request.subscribed_topic_names.iter().flatten().map(|topic| topic.len()).sum::<usize>();
        if bytes > limits.member_bytes || group.size_bytes() + bytes > limits.group_bytes {
            return Err(ErrorCode::GroupMaxSizeReached.into());
        }
        Ok(())
    }

    /// From what a member says of itself to what it may have: epoch, target, assignment; and which partitions lack a share state.
    fn advance_share(&self, group: &ShareGroup, before: &Member, mut after: Member) -> Outcome {
        let (topics, now_ms) = (&self.shared.topics, self.now.wall_ms);
        let mut records = Vec::new();
        if after != *before {
            records.push(ShareRecord::Member(after.id.clone(), Some(Box::new(after.metadata.clone()))));
        }
        let mut bumps = after.metadata.topics != before.metadata.topics;
        // Partitions have got their states, and no target that knows of them is on its way.
        bumps |= group.target_epoch >= group.epoch && group.has_unassigned(topics);
        let subscribed = group.subscribed_with(before, Some(&after));
        let mut epoch = group.epoch;
        let refreshed = bumps || group.refresh.is_due(self.now, group.epoch);
        if refreshed {
            let hash = topics.hash(subscribed.keys());
            bumps |= hash != group.metadata_hash;
            if bumps {
                epoch += 1;
                records.push(ShareRecord::Group(Some((epoch, hash))));
            }
        }
        let target = if group.target_epoch >= epoch || !self.may_assign_share(group) {
            let assignment = group.target_of(&after.id).cloned().unwrap_or_default();
            Target { epoch: group.target_epoch, assignment }
        } else {
            self.assign_share(group, &after, epoch, &mut records)
        };
        self.settle_member(&mut after, &target, bumps, &mut records);

        let state = group.state().cloned().unwrap_or_default();
        let retry_ms = i64::from(self.shared.config.share.initialize_retry_interval_ms);
        let is_stale = now_ms.saturating_sub(group.state_at_ms) >= retry_ms;
        let missing = state.missing(subscribed.keys(), is_stale, topics);
        if !missing.is_empty() {
            records.push(ShareRecord::State(Some(Arc::new(state.with_initializing(&missing, topics)))));
        }
        Outcome { member: after, records, refreshed, epoch, missing }
    }

    /// A target is worked out once in an interval at most.
    fn may_assign_share(&self, group: &ShareGroup) -> bool {
        let interval_ms = i64::from(self.shared.share_assignment_interval_ms(&group.id));
        group.target_at_ms == 0 || interval_ms == 0 || self.now.wall_ms >= group.target_at_ms + interval_ms
    }

    /// Works the target out, and writes down what is other than before.
    fn assign_share(&self, group: &ShareGroup, asking: &Member, epoch: i32, records: &mut Vec<ShareRecord>) -> Target {
        let topics = &self.shared.topics;
        // Members with the same subscription share one set of ids.
        let mut known: BTreeMap<&BTreeSet<Arc<str>>, Arc<BTreeSet<Id>>> = BTreeMap::new();
        let mut members: BTreeMap<Arc<str>, MemberSpec> = BTreeMap::new();
        let others = group.members().map(|member| &**member).filter(|member| member.id != asking.id);
        for member in others.chain([asking]) {
            let names = &member.metadata.topics;
            let ids = known.entry(names).or_insert_with(|| Arc::new(ids_of(names, topics))).clone();
            let target = group.target_of(&member.id).cloned().unwrap_or_default();
            members.insert(member.id.clone(), MemberSpec { topics: ids, target });
        }
        let initialized = group.state().into_iter().flat_map(|state| &state.initialized);
        let assignable = initialized.map(|(id, topic)| (*id, topic.partitions.clone())).collect();
        let mut own = Arc::new(Assignment::new());
        for (id, target) in assign(&members, &assignable) {
            let target = Arc::new(target);
            if id == asking.id {
                own = target.clone();
            }
            if group.target_of(&id) != Some(&target) {
                records.push(ShareRecord::TargetMember(id, Some(target)));
            }
        }
        records.push(ShareRecord::TargetEpoch(Some((epoch, self.now.wall_ms))));
        Target { epoch, assignment: own }
    }

    /// A member gets what it should have at once: nobody need give anything up for it.
    fn settle_member(&self, member: &mut Member, target: &Target, force: bool, records: &mut Vec<ShareRecord>) {
        if !force && member.is_reconciled_to(target.epoch) {
            return;
        }
        // A target that waits for its interval may be older than the subscription.
        let read = ids_of(&member.metadata.topics, &self.shared.topics);
        let assigned = target.assignment.iter().filter(|(topic, _)| read.contains(topic));
        let assigned: Assignment = assigned.map(|(topic, partitions)| (*topic, partitions.clone())).collect();
        let current = if target.epoch == member.current.epoch {
            Current { assigned, ..member.current.clone() }
        } else {
            let previous_epoch = member.current.epoch;
            Current { epoch: target.epoch, previous_epoch, state: MemberState::Stable, assigned }
        };
        if current != member.current {
            records.push(ShareRecord::Current(member.id.clone(), Some(Box::new(current.clone()))));
            member.current = current;
        }
    }

    fn leave_share_group(&mut self, to: ReplyTo, request: &ShareGroupHeartbeatRequestData) -> Result<(), Refusal> {
        let group = self.known_share_group(request.group_id.as_str())?;
        let id = group.id.clone();
        let member = group.known_member(request.member_id.as_str())?.clone();
        let response = ShareGroupHeartbeatResponseData::default()
            .with_member_id(Some(text(&member.id)))
            .with_member_epoch(request.member_epoch);
        let records = group.without(&member, &self.shared.topics);
        self.note(Level::Info, &id, || format!("Member {} left", member.id));
        self.shared.tell_member(&id, &*member, MemberChange::Left { reason: String::new() });
        self.commit(&id, Change::<ShareGroup>::of(records), Some(Deferred::ShareHeartbeat { to, response }))?;
        self.shared.timers.cancel(&TimerKey::Session { group: id, member: member.id.clone() });
        Ok(())
    }
}

/// A member is in the epoch that it was told last, or, if that answer was lost, in the one before.
fn check_epoch(member: &Member, given: i32) -> Result<(), Refusal> {
    let (known, previous) = (member.current.epoch, member.current.previous_epoch);
    if given == 0 || given == known || (given < known && given == previous) {
        return Ok(());
    }
    let message = if given > known {
        format!(
            "The share group member has a greater member epoch ({given}) than the one known by the group coordinator \
             ({known}). The member must abandon all its partitions and rejoin."
        )
    } else {
        format!(
            "The share group member has a smaller member epoch ({given}) than the one known by the group coordinator \
             ({known}), and it does not match the previous member epoch ({previous}). The member must abandon all its \
             partitions and rejoin."
        )
    };
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
}

/// The member with what the request says of it.
fn described(before: &Member, client: &ClientInfo, request: &ShareGroupHeartbeatRequestData) -> Member {
    let mut after = before.clone();
    let metadata = &mut after.metadata;
    if let Some(rack_id) = &request.rack_id {
        metadata.rack_id = Some(rack_id.to_string());
    }
    if let Some(names) = &request.subscribed_topic_names {
        metadata.topics = names.iter().map(|name| name.as_str().into()).collect();
    }
    metadata.client_id = client.client_id.clone();
    metadata.client_host = client.client_host.clone();
    after
}

fn wire_assignment(assigned: &Assignment) -> WireAssignment {
    let topic = |(id, partitions): (&Id, &BTreeSet<i32>)| {
        TopicPartitions::default().with_topic_id((*id).into()).with_partitions(partitions.iter().copied().collect())
    };
    WireAssignment::default().with_topic_partitions(assigned.iter().map(topic).collect())
}

fn refused(refusal: &Refusal) -> ShareGroupHeartbeatResponseData {
    ShareGroupHeartbeatResponseData::default()
        .with_error_code(refusal.error.code())
        .with_error_message(opt_text(refusal.message.as_deref()))
}
