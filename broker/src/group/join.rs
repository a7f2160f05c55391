//! JoinGroup v0–9: KIP-345 (static members), KIP-394 (member id required), KIP-559, KIP-800 (reason), KIP-814 (skip assignment).
//!
//! Source: `GroupCoordinatorService.joinGroup`, `GroupMetadataManager.classicGroupJoin`.

use std::sync::Arc;

use bytes::Bytes;

use super::api::{ClientInfo, GroupResponse, ReplyTo, text};
use super::classic::{ClassicGroup, GroupState, Member, MemberDetails, own_protocols, protocols_bytes};
use super::consumer::ConsumerGroup;
use super::coordinator::{GroupCoordinator, Step};
use super::kind::Group;
use super::pending::{StaticJoin, Then, append_error};
use super::rebalance::{join_error, joined, session};
use super::record;
use super::streams::StreamsGroup;
use super::timer::TimerKey;
use super::work::{Work, encode};
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{JoinGroupRequestData, JoinGroupResponseData};
use crate::types::{Id, Now};

/// Longest string that the record format holds.
pub(super) const MAX_STRING: usize = i16::MAX as usize;

/// How much of a client id goes into the member ids that we make of it.
const MAX_CLIENT_ID_IN_MEMBER_ID: usize = 1024;

/// A JoinGroup taken apart, in memory of its own.
struct Join<'a> {
    to: ReplyTo,
    client: &'a ClientInfo,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    protocol_type: &'a str,
    protocols: Vec<(String, Bytes)>,
    session_timeout_ms: i32,
    rebalance_timeout_ms: i32,
    reason: &'a str,
}

impl GroupCoordinator {
    /// A member wants to join. Answered by [`GroupResponse::Join`], perhaps much later.
    pub fn join_group(&mut self, now: Now, to: ReplyTo, client: &ClientInfo, request: &JoinGroupRequestData) {
        if let Err((member_id, error)) = self.try_join(now, to, client, request) {
            self.shared.reply(to, GroupResponse::Join(join_error(member_id, error)));
        }
        self.fail_refused(now);
    }

    /// What is wrong comes with the member id that Kafka answers with: the request's own, or none where it throws.
    fn try_join<'a>(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &'a JoinGroupRequestData,
    ) -> Result<(), (&'a str, ErrorCode)> {
        let config = &self.shared.config;
        let (group_id, member_id) = (request.group_id.as_str(), request.member_id.as_str());
        if group_id.is_empty() || group_id.len() > MAX_STRING {
            return Err((member_id, ErrorCode::InvalidGroupId));
        }
        if !(config.min_session_timeout_ms..=config.max_session_timeout_ms).contains(&request.session_timeout_ms) {
            return Err((member_id, ErrorCode::InvalidSessionTimeout));
        }
        check_strings(request).map_err(|error| (member_id, error))?;
        let protocols = own_protocols(&request.protocols);
        if protocols_bytes(&protocols) > config.limits.member_bytes {
            return Err((member_id, ErrorCode::UnknownServerError));
        }
        let max_groups = config.limits.groups;
        let Some(protocols) = self.join_consumer_group(now, to, client, request, protocols)? else { return Ok(()) };
        let join = Join {
            to,
            client,
            member_id,
            instance_id: request.group_instance_id.as_ref().map(|id| id.as_str()),
            protocol_type: request.protocol_type.as_str(),
            protocols,
            session_timeout_ms: request.session_timeout_ms,
            // Version 0 has one time-out for both.
            rebalance_timeout_ms: match client.api_version {
                0 => request.session_timeout_ms,
                _ => request.rebalance_timeout_ms,
            },
            reason: request.reason.as_ref().map_or("not provided", |reason| reason.as_str()),
        };

        let (partition, shard, shared) = self.shard_for(group_id).map_err(|error| ("", error))?;
        let is_new = !shard.groups.contains_key(group_id);
        if is_new && !join.member_id.is_empty() {
            return Err((member_id, ErrorCode::UnknownMemberId));
        }
        let id: Arc<str> = group_id.into();
        if is_new {
            if shared.group_count >= max_groups {
                return Err((member_id, ErrorCode::CoordinatorNotAvailable));
            }
            shared.group_count += 1;
            shard.groups.insert(id.clone(), ClassicGroup::new(id.clone(), Some(now.wall_ms)).into());
        }
        let Some(Group::Classic(group)) = shard.groups.get_mut(&id) else {
            return Err((member_id, ErrorCode::UnknownServerError));
        };
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        step.touch(&id);
        let appended_before = step.log.last_token();
        step.join(group, join);
        if is_new && step.log.last_token() == appended_before {
            step.append_new_group(group, to);
        }
        Ok(())
    }

    /// A consumer group with members takes the join itself; one without, like an empty streams group, becomes a classic group. Returns the protocols if the join is still
    /// to be done.
    #[expect(clippy::type_complexity, reason = "as for a join as a whole")]
    fn join_consumer_group<'a>(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &'a JoinGroupRequestData,
        protocols: Vec<(String, Bytes)>,
    ) -> Result<Option<Vec<(String, Bytes)>>, (&'a str, ErrorCode)> {
        let thrown = |error| ("", error);
        let (partition, shard, shared) = self.shard_for(request.group_id.as_str()).map_err(thrown)?;
        let mut work = Work { shared, shard, partition, now };
        let id: Arc<str> = request.group_id.as_str().into();
        let tombstones = match work.shard.groups.get(&id) {
            None | Some(Group::Classic(_)) => return Ok(Some(protocols)),
            Some(Group::Consumer(group)) if !group.is_empty() => {
                work.classic_join(to, client, request, protocols).map_err(thrown)?;
                return Ok(None);
            }
            Some(Group::Share(_)) => return Err(thrown(ErrorCode::InconsistentGroupProtocol)),
            Some(Group::Streams(group)) if !group.is_empty() => {
                return Err(thrown(ErrorCode::InconsistentGroupProtocol));
            }
            Some(_) if !request.member_id.is_empty() => {
                return Err((request.member_id.as_str(), ErrorCode::UnknownMemberId));
            }
            Some(Group::Consumer(group)) => encode::<ConsumerGroup>(&id, &group.tombstones()),
            Some(Group::Streams(group)) => encode::<StreamsGroup>(&id, &group.tombstones()),
        };
        let mut records = tombstones.map_err(|refusal| thrown(refusal.error))?;
        work.shared.timers.cancel(&TimerKey::FirstAssignment(id.clone()));
        let empty = ClassicGroup::new(id.clone(), Some(now.wall_ms));
        let record = record::encode_group(&id, Some(&empty.to_record(None)));
        records.push(record.map_err(|_| thrown(ErrorCode::UnknownServerError))?);
        work.store(&id, records, empty.into(), None);
        Ok(Some(protocols))
    }

    /// A new group could not be written down: if nothing has come of it yet, it never was.
    pub(super) fn new_group_failed(&mut self, now: Now, id: &Arc<str>, join: ReplyTo, error: ErrorCode) {
        let timed_out = error == ErrorCode::RequestTimedOut;
        let mut never_was = false;
        self.with_group(now, id, |step, group| {
            never_was = !timed_out && group.generation == 0;
            let gives_up = |member: &&Member| never_was || member.awaiting_join() == Some(join);
            let ids: Vec<Arc<str>> = group.members().filter(gives_up).map(|member| member.id.clone()).collect();
            for id in ids {
                step.shared.timers.cancel(&session(&group.id, &id));
                if let Some(mut member) = group.remove(&id) {
                    step.answer_parked(&mut member, "", append_error(error));
                }
            }
            // The group may be in the log, and others may have come: only who cannot wait any longer goes.
            if timed_out && group.member_count() > 0 {
                step.maybe_complete_join_phase(group);
            }
        });
        if never_was {
            self.remove_group(id);
        }
    }
}

fn check_strings(request: &JoinGroupRequestData) -> Result<(), ErrorCode> {
    // A static member's id is its instance id, a dash and 36 characters.
    let instance_id_length = request.group_instance_id.as_ref().map_or(0, |id| id.len());
    if instance_id_length > MAX_STRING - 64 || request.protocol_type.len() > MAX_STRING {
        return Err(ErrorCode::InvalidRequest);
    }
    if request.protocols.iter().any(|protocol| protocol.name.len() > MAX_STRING) {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    Ok(())
}

impl Step<'_> {
    fn join(&mut self, group: &mut ClassicGroup, join: Join<'_>) {
        let to = join.to;
        let refuse = |step: &mut Self, member_id: &str, error| {
            step.shared.reply(to, GroupResponse::Join(join_error(member_id, error)));
        };
        if !self.accepts(group, &join) {
            self.note(Level::Info, &group.id, || format!("There is no room for member '{}'", join.member_id));
            // Kafka forgets the member here too; whoever waits under this id must hear it.
            let why = MemberChange::Left { reason: "the group has reached group.max.size".into() };
            self.drop_member(group, join.member_id, why);
            return refuse(self, "", ErrorCode::GroupMaxSizeReached);
        }
        if !group.supports_protocols(join.protocol_type, &join.protocols) {
            return refuse(self, join.member_id, ErrorCode::InconsistentGroupProtocol);
        }
        if join.member_id.is_empty() {
            return self.join_new(group, join);
        }
        if group.is_pending(join.member_id) {
            if join.instance_id.is_some() {
                // Pending ids are given to dynamic members only; Kafka does not foresee another.
                return refuse(self, "", ErrorCode::UnknownServerError);
            }
            let id: Arc<str> = join.member_id.into();
            return self.add_member(group, id, join);
        }
        match group.validate_member(join.member_id, join.instance_id) {
            Ok(()) => self.join_again(group, join),
            Err(error) => refuse(self, join.member_id, error),
        }
    }

    /// Existing members come in; new ones as long as there is room.
    fn accepts(&self, group: &ClassicGroup, join: &Join<'_>) -> bool {
        let limits = &self.shared.config.limits;
        let is_member = group.has_member(join.member_id);
        let known = is_member || group.is_pending(join.member_id);
        if !known
            && (group.member_count() + group.pending_joins.len() >= limits.members_per_group
                || group.size_bytes() + protocols_bytes(&join.protocols) > limits.group_bytes)
        {
            return false;
        }
        let max_size = usize::try_from(self.shared.config.max_size).unwrap_or(0);
        match group.state() {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                group.member(join.member_id).is_some_and(Member::is_awaiting_join) || group.awaiting_joins() < max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => is_member || group.member_count() < max_size,
        }
    }

    fn join_new(&mut self, group: &mut ClassicGroup, join: Join<'_>) {
        let id = self.new_member_id(&join);
        if let Some(instance_id) = join.instance_id {
            match group.static_member_id(instance_id).cloned() {
                Some(old) => self.replace_static_member(group, old, id, join),
                None => self.add_member(group, id, join),
            }
        } else if join.client.api_version >= 4 {
            // KIP-394: the id is given out first, so that a client that never hears of it leaves no member behind.
            self.schedule(session(&group.id, &id), join.session_timeout_ms);
            group.pending_joins.insert(id.clone());
            self.note(Level::Info, &group.id, || {
                format!(
                    "A member without an id gets {id} in state {}, and is asked to join with it",
                    group.state().name()
                )
            });
            self.shared.reply(join.to, GroupResponse::Join(join_error(&id, ErrorCode::MemberIdRequired)));
        } else {
            self.add_member(group, id, join);
        }
    }

    fn new_member_id(&mut self, join: &Join<'_>) -> Arc<str> {
        let client_id = &join.client.client_id;
        let prefix = join.instance_id.unwrap_or_else(|| {
            let mut end = client_id.len().min(MAX_CLIENT_ID_IN_MEMBER_ID);
            while !client_id.is_char_boundary(end) {
                end -= 1;
            }
            &client_id[..end]
        });
        let uuid = uuid::Uuid::from_bytes(Id::random(&mut self.shared.rng).0);
        format!("{prefix}-{uuid}").into()
    }

    fn add_member(&mut self, group: &mut ClassicGroup, id: Arc<str>, join: Join<'_>) {
        let reason = format!("member {id} joins; client reason: {}", short(join.reason));
        self.note(Level::Info, &group.id, || {
            let of = join.instance_id.map_or(String::new(), |id| format!(" with instance id {id}"));
            format!("Member {id}{of} joins in state {}; client reason: {}", group.state().name(), short(join.reason))
        });
        let mut member = Member::new(
            id.clone(),
            MemberDetails {
                instance_id: join.instance_id.map(str::to_owned),
                client_id: join.client.client_id.clone(),
                client_host: join.client.client_host.clone(),
                rebalance_timeout_ms: join.rebalance_timeout_ms,
                session_timeout_ms: join.session_timeout_ms,
                protocol_type: join.protocol_type.to_owned(),
                protocols: join.protocols,
            },
        );
        member.is_new = true;
        self.shared.tell_member(&group.id, &member, MemberChange::Joined);
        if group.is_in(GroupState::PreparingRebalance) && group.previous_state == GroupState::Empty {
            group.new_member_added = true;
        }
        group.add(member);
        self.park_join(group, &id, join.to);
        // It does not know its id yet and cannot send heartbeats. If its client gave up and came back, this one must go some day.
        self.schedule(session(&group.id, &id), self.shared.config.new_member_join_timeout_ms);
        self.maybe_prepare_rebalance(group, &reason);
    }

    /// A member that the group knows.
    fn join_again(&mut self, group: &mut ClassicGroup, join: Join<'_>) {
        let Some(member) = group.member(join.member_id) else { return };
        let same = member.matches(&join.protocols);
        let state = group.state();
        let reason = match state {
            GroupState::PreparingRebalance => "joins during a rebalance",
            GroupState::CompletingRebalance if !same => "joins with other metadata during a rebalance",
            GroupState::Stable if group.is_leader(join.member_id) => "is the leader and joins again",
            GroupState::Stable if !same => "joins with other metadata",
            // It may have missed the answer: tell it the generation that it is in.
            GroupState::CompletingRebalance | GroupState::Stable => {
                let response = joined(group, join.member_id, false);
                return self.shared.reply(join.to, GroupResponse::Join(response));
            }
            GroupState::Empty | GroupState::Dead => {
                let response = join_error(join.member_id, ErrorCode::UnknownMemberId);
                return self.shared.reply(join.to, GroupResponse::Join(response));
            }
        };
        let reason = format!("member {} {reason}; client reason: {}", join.member_id, short(join.reason));
        if !same && !matches!(state, GroupState::PreparingRebalance) {
            self.shared.tell_member(&group.id, member, MemberChange::Resubscribed);
        }
        group.update_member(join.member_id, join.protocols, join.rebalance_timeout_ms, join.session_timeout_ms);
        self.park_join(group, join.member_id, join.to);
        self.maybe_prepare_rebalance(group, &reason);
    }

    /// KIP-345: a static member comes back without its id. The old one is fenced; if nothing else changed, nobody else notices.
    fn replace_static_member(&mut self, group: &mut ClassicGroup, old_id: Arc<str>, id: Arc<str>, join: Join<'_>) {
        let old_leader = group.leader.clone();
        let Some(mut old) = group.replace_static_member(&old_id, id.clone()) else { return };
        self.note(Level::Info, &group.id, || {
            let (of, state) = (join.instance_id.unwrap_or_default(), group.state().name());
            format!("Static member {of} joins without its id in state {state}: member {id} takes the place of {old_id}")
        });
        if let Some(member) = group.member(&id) {
            let change = MemberChange::Replaced { member_id: old_id.to_string() };
            self.shared.tell_member(&group.id, member, change);
        }
        self.answer_parked(&mut old, &old_id, ErrorCode::FencedInstanceId);
        self.shared.timers.cancel(&session(&group.id, &old_id));
        self.restart_session(group, &id);
        group.update_member(&id, join.protocols, join.rebalance_timeout_ms, join.session_timeout_ms);
        self.park_join(group, &id, join.to);
        match group.state() {
            GroupState::Stable if group.select_protocol() == group.protocol_name => {
                let then = StaticJoin {
                    group: group.id.clone(),
                    old_member: old_id,
                    new_member: id,
                    old_protocols: old.protocols,
                    old_rebalance_timeout_ms: old.rebalance_timeout_ms,
                    old_session_timeout_ms: old.session_timeout_ms,
                    old_leader,
                    can_skip_assignment: join.client.api_version >= 9,
                };
                match record::encode_group(&group.id, Some(&group.to_record(None))) {
                    Ok(record) => self.append(vec![record], Vec::new(), Some(Then::StaticJoin(Box::new(then)))),
                    Err(_) => self.finish_static_join(group, then, Err(ErrorCode::UnknownServerError)),
                }
            }
            GroupState::Stable => self.maybe_prepare_rebalance(group, "a static member came back with other protocols"),
            GroupState::CompletingRebalance => {
                self.prepare_rebalance(group, "a static member came back during a rebalance");
            }
            _ => self.maybe_complete_join_phase(group),
        }
    }

    /// The group with the static member's new id is committed, or not.
    pub(super) fn finish_static_join(
        &mut self,
        group: &mut ClassicGroup,
        join: StaticJoin,
        result: Result<(), ErrorCode>,
    ) {
        let id = &join.new_member;
        if !group.is_in(GroupState::Stable) {
            // A rebalance began meanwhile; it answers this member with all others.
            return;
        }
        let Some(to) = group.member(id).is_some().then(|| group.set_awaiting_join(id, None)).flatten() else { return };
        let Err(error) = result else {
            let response = self.static_joined(group, &join);
            return self.shared.reply(to, GroupResponse::Join(response));
        };
        let response =
            JoinGroupResponseData { error_code: append_error(error).code(), ..self.static_joined(group, &join) };
        let response = response.with_members(Vec::new()).with_member_id(text("")).with_skip_assignment(false);
        self.shared.reply(to, GroupResponse::Join(response));
        // The log still names the old member.
        group.update_member(id, join.old_protocols, join.old_rebalance_timeout_ms, join.old_session_timeout_ms);
        if let Some(mut replaced) = group.replace_static_member(id, join.old_member.clone()) {
            self.shared.timers.cancel(&session(&group.id, id));
            self.answer_parked(&mut replaced, id, ErrorCode::FencedInstanceId);
            self.restart_session(group, &join.old_member);
        }
    }

    fn static_joined(&self, group: &ClassicGroup, join: &StaticJoin) -> JoinGroupResponseData {
        if join.can_skip_assignment {
            return joined(group, &join.new_member, group.is_leader(&join.new_member));
        }
        // Older clients would work out an assignment that nobody waits for: they are told the old leader's id, and so think that
        // they are none.
        joined(group, &join.new_member, false)
            .with_members(Vec::new())
            .with_leader(text(join.old_leader.as_deref().unwrap_or("")))
    }

    /// A new group is written down empty, so that the log knows of it.
    fn append_new_group(&mut self, group: &ClassicGroup, join: ReplyTo) {
        let empty = ClassicGroup::new(group.id.clone(), group.state_timestamp_ms).to_record(None);
        if let Ok(record) = record::encode_group(&group.id, Some(&empty)) {
            self.append(vec![record], Vec::new(), Some(Then::NewGroup { group: group.id.clone(), join }));
        }
    }
}

/// What a client gives as its reason is shown, but not at any length.
pub(super) fn short(reason: &str) -> String {
    reason.chars().take(200).collect()
}
