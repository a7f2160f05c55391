//! How a group goes through a rebalance: who is waited for, how long, and who is thrown out.
//!
//! Source: `GroupMetadataManager.prepareRebalance`, `completeClassicGroupJoin`, `expirePendingSync`, …

use std::sync::Arc;

use super::api::{GroupResponse, ReplyTo, opt_text, text};
use super::classic::{ClassicGroup, GroupState, Member};
use super::coordinator::Step;
use super::record;
use super::timer::TimerKey;
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{JoinGroupResponseData, JoinGroupResponseMember, SyncGroupResponseData};

impl Step<'_> {
    /// A rebalance begins if the group's state allows it; else one that runs may be complete now.
    pub(super) fn maybe_prepare_rebalance(&mut self, group: &mut ClassicGroup, reason: &str) {
        if group.state().may_become(GroupState::PreparingRebalance) {
            self.prepare_rebalance(group, reason);
        } else {
            self.maybe_complete_join_phase(group);
        }
    }

    /// A rebalance begins: all members are asked to join again.
    pub(super) fn prepare_rebalance(&mut self, group: &mut ClassicGroup, reason: &str) {
        if group.is_in(GroupState::CompletingRebalance) {
            self.reset_assignments(group, ErrorCode::RebalanceInProgress);
        }
        group.pending_syncs.clear();
        self.shared.timers.cancel(&TimerKey::Sync(group.id.clone()));

        let is_initial = group.is_in(GroupState::Empty);
        group.transition_to(GroupState::PreparingRebalance, self.now.wall_ms);
        self.tell(group, reason);
        if is_initial {
            // The group is new: give the other members time to come.
            let delay = self.shared.config.initial_rebalance_delay_ms;
            let remaining = group.rebalance_timeout_ms().saturating_sub(delay).max(0);
            group.initial_delay_ms = Some((delay, remaining));
            self.schedule(TimerKey::Join(group.id.clone()), delay);
        } else if group.has_all_members_joined() || group.member_count() == 0 {
            // Without members there is no time-out to wait for, whoever is expected.
            self.complete_join(group);
        } else {
            self.schedule(TimerKey::Join(group.id.clone()), group.rebalance_timeout_ms());
        }
    }

    /// All have joined, and it is not the initial wait.
    pub(super) fn maybe_complete_join_phase(&mut self, group: &mut ClassicGroup) {
        let is_initial = group.previous_state == GroupState::Empty;
        if group.is_in(GroupState::PreparingRebalance) && !is_initial && group.has_all_members_joined() {
            self.complete_join(group);
        }
    }

    /// The time to join is over, or may be prolonged once more for a new group that still grows.
    pub(super) fn expire_join(&mut self, group: &mut ClassicGroup) {
        if let Some((delay, remaining)) = group.initial_delay_ms.take()
            && std::mem::take(&mut group.new_member_added)
            && remaining > 0
        {
            let next = self.shared.config.initial_rebalance_delay_ms.min(remaining);
            group.initial_delay_ms = Some((next, remaining.saturating_sub(delay).max(0)));
            self.schedule(TimerKey::Join(group.id.clone()), next);
            return;
        }
        if group.is_in(GroupState::PreparingRebalance) {
            self.complete_join(group);
        }
    }

    /// Whoever has joined makes the next generation.
    pub(super) fn complete_join(&mut self, group: &mut ClassicGroup) {
        self.shared.timers.cancel(&TimerKey::Join(group.id.clone()));
        group.initial_delay_ms = None;
        group.new_member_added = false;
        self.remove_those_not_rejoined(group);
        if group.member_count() > 0 && !group.maybe_elect_new_joined_leader() {
            // Nobody came. Wait on, until session time-outs remove those who are gone.
            self.schedule(TimerKey::Join(group.id.clone()), group.rebalance_timeout_ms());
            return;
        }
        group.init_next_generation(self.now.wall_ms);
        if group.is_in(GroupState::Empty) {
            self.tell(group, "no members are left");
            if let Ok(record) = record::encode_group(&group.id, Some(&group.to_record(None))) {
                self.append(vec![record], Vec::new(), None);
            }
            return;
        }
        self.tell(group, "all members have joined");
        for id in group.member_ids() {
            let response = joined(group, &id, false);
            if let Some(to) = group.set_awaiting_join(&id, None) {
                self.shared.reply(to, GroupResponse::Join(response));
            }
            self.restart_session(group, &id);
            group.set_joined(&id);
            group.pending_syncs.insert(id);
        }
        self.schedule(TimerKey::Sync(group.id.clone()), group.rebalance_timeout_ms());
    }

    fn remove_those_not_rejoined(&mut self, group: &mut ClassicGroup) {
        let gone: Vec<Arc<str>> = group
            .members()
            .filter(|member| !member.is_awaiting_join() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for id in gone {
            self.note(Level::Info, &group.id, || format!("Member {id} was removed: it did not join again in time"));
            self.drop_member(group, &id, MemberChange::NotRejoined);
        }
    }

    /// Members that never asked for their assignment are thrown out.
    pub(super) fn expire_sync(&mut self, group: &mut ClassicGroup) {
        let in_sync_phase = matches!(group.state(), GroupState::CompletingRebalance | GroupState::Stable);
        if !in_sync_phase || group.pending_syncs.is_empty() {
            return;
        }
        for id in std::mem::take(&mut group.pending_syncs) {
            self.note(Level::Info, &group.id, || format!("Member {id} was removed: it did not sync in time"));
            self.drop_member(group, &id, MemberChange::NotSynced);
        }
        self.prepare_rebalance(group, "members did not sync in time");
    }

    /// A session is over.
    pub(super) fn expire_session(&mut self, group: &mut ClassicGroup, member_id: &str) {
        if group.is_pending(member_id) {
            self.note(Level::Info, &group.id, || {
                format!("Pending member {member_id} was removed: its session expired")
            });
            group.remove(member_id);
            if group.is_in(GroupState::PreparingRebalance) && group.has_all_members_joined() {
                self.complete_join(group);
            }
            return;
        }
        // A parked request counts as a heartbeat; the session starts anew when it is answered.
        if group.member(member_id).is_some_and(|member| !member.has_satisfied_heartbeat()) {
            self.note(Level::Info, &group.id, || format!("Member {member_id} has failed: its session expired"));
            self.drop_member(group, member_id, MemberChange::SessionExpired);
            self.after_removal(group, &format!("the session of member {member_id} expired"));
        }
    }

    fn after_removal(&mut self, group: &mut ClassicGroup, reason: &str) {
        match group.state() {
            GroupState::Stable | GroupState::CompletingRebalance => self.maybe_prepare_rebalance(group, reason),
            GroupState::PreparingRebalance if group.has_all_members_joined() => self.complete_join(group),
            _ => {}
        }
    }

    /// Takes a member out, and answers what it has parked.
    pub(super) fn drop_member(&mut self, group: &mut ClassicGroup, id: &str, why: MemberChange) {
        self.shared.timers.cancel(&session(&group.id, id));
        if let Some(mut member) = group.remove(id) {
            self.shared.tell_member(&group.id, &member, why);
            self.answer_parked(&mut member, "", ErrorCode::UnknownMemberId);
        }
    }

    /// Answers the parked requests of a member that is no longer in its group.
    pub(super) fn answer_parked(&mut self, member: &mut Member, member_id: &str, error: ErrorCode) {
        if let Some(to) = member.take_awaiting_join() {
            self.shared.reply(to, GroupResponse::Join(join_error(member_id, error)));
        }
        if let Some(to) = member.awaiting_sync.take() {
            self.shared.reply(to, GroupResponse::Sync(sync_error(error)));
        }
    }

    /// What a member has parked is answered, though it stays.
    pub(super) fn send_away(&mut self, group: &mut ClassicGroup, id: &str, error: ErrorCode) {
        if let Some(to) = group.set_awaiting_join(id, None) {
            self.shared.reply(to, GroupResponse::Join(join_error(id, error)));
        }
        if let Some(to) = group.set_awaiting_sync(id, None) {
            self.shared.reply(to, GroupResponse::Sync(sync_error(error)));
        }
    }

    /// A group that could not become a consumer group goes on where it was.
    pub(super) fn resume(&mut self, group: &ClassicGroup) {
        let timeout_ms = group.rebalance_timeout_ms();
        match group.state() {
            GroupState::PreparingRebalance => self.schedule(TimerKey::Join(group.id.clone()), timeout_ms),
            GroupState::CompletingRebalance => self.schedule(TimerKey::Sync(group.id.clone()), timeout_ms),
            GroupState::Empty | GroupState::Stable | GroupState::Dead => {}
        }
    }

    /// No member keeps an assignment, and those that wait for one are told why.
    pub(super) fn reset_assignments(&mut self, group: &mut ClassicGroup, error: ErrorCode) {
        for id in group.member_ids() {
            group.set_assignment(&id, bytes::Bytes::new());
            if let Some(to) = group.set_awaiting_sync(&id, None) {
                self.shared.reply(to, GroupResponse::Sync(sync_error(error)));
                self.restart_session(group, &id);
            }
        }
    }

    /// The member has been heard of.
    pub(super) fn restart_session(&mut self, group: &ClassicGroup, id: &str) {
        if let Some(member) = group.member(id) {
            self.schedule(session(&group.id, &member.id), member.session_timeout_ms);
        }
    }

    /// Parks a JoinGroup. One that was parked before for this member is told to try again: its client has given up on it.
    pub(super) fn park_join(&mut self, group: &mut ClassicGroup, id: &str, to: ReplyTo) {
        if let Some(before) = group.set_awaiting_join(id, Some(to)) {
            self.shared.reply(before, GroupResponse::Join(join_error(id, ErrorCode::RebalanceInProgress)));
        }
    }

    /// Tells the window.
    pub(super) fn tell(&mut self, group: &ClassicGroup, reason: &str) {
        self.note_state(group, reason);
        self.shared.tell_state(&group.id, group.generation, group.state().name(), reason.to_owned());
    }
}

/// Timer of a member's session.
pub(super) fn session(group: &Arc<str>, member: &str) -> TimerKey {
    TimerKey::Session { group: group.clone(), member: member.into() }
}

/// The group as a member that has joined is told it; the leader is told all members.
pub(super) fn joined(group: &ClassicGroup, member_id: &str, skip_assignment: bool) -> JoinGroupResponseData {
    let protocol = group.protocol_name.as_deref().unwrap_or("");
    let members = if group.is_leader(member_id) {
        group
            .members()
            .map(|member| {
                JoinGroupResponseMember::default()
                    .with_member_id(text(&member.id))
                    .with_group_instance_id(opt_text(member.instance_id.as_deref()))
                    .with_metadata(member.metadata(protocol))
            })
            .collect()
    } else {
        Vec::new()
    };
    JoinGroupResponseData::default()
        .with_member_id(text(member_id))
        .with_members(members)
        .with_generation_id(group.generation)
        .with_protocol_name(opt_text(group.protocol_name.as_deref().filter(|name| !name.is_empty())))
        .with_protocol_type(opt_text(group.protocol_type.as_deref()))
        .with_leader(text(group.leader.as_deref().unwrap_or("")))
        .with_skip_assignment(skip_assignment)
}

/// A refused JoinGroup.
pub(super) fn join_error(member_id: &str, error: ErrorCode) -> JoinGroupResponseData {
    JoinGroupResponseData::default().with_member_id(text(member_id)).with_error_code(error.code())
}

/// A refused SyncGroup.
pub(super) fn sync_error(error: ErrorCode) -> SyncGroupResponseData {
    SyncGroupResponseData::default().with_error_code(error.code())
}
