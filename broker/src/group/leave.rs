//! LeaveGroup v0–5: KIP-345 (several members, by instance id too), KIP-800 (reason).
//!
//! Source: `GroupMetadataManager.classicGroupLeave`, `LeaveGroupResponse`.

use std::sync::Arc;

use super::api::{ClientInfo, GroupResponse, ReplyTo};
use super::classic::{ClassicGroup, GroupState};
use super::coordinator::{GroupCoordinator, Step};
use super::join::short;
use super::kind::Group;
use super::pending::Deferred;
use super::rebalance::session;
use super::work::Work;
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{LeaveGroupRequestData, LeaveGroupResponseData, MemberIdentity, MemberResponse};
use crate::types::Now;

impl GroupCoordinator {
    /// Members leave. Answered by [`GroupResponse::Leave`]; if the group is empty thereafter, when that is written.
    pub fn leave_group(&mut self, now: Now, to: ReplyTo, client: &ClientInfo, request: &LeaveGroupRequestData) {
        if let Err(error) = self.try_leave(now, to, client, request) {
            let response = LeaveGroupResponseData::default().with_error_code(error.code());
            self.shared.reply(to, GroupResponse::Leave(for_version(response, client.api_version)));
        }
        self.fail_refused(now);
    }

    fn try_leave(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &LeaveGroupRequestData,
    ) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let single;
        let leaving: &[MemberIdentity] = if client.api_version <= 2 {
            single = [MemberIdentity::default().with_member_id(request.member_id.clone())];
            &single
        } else {
            &request.members
        };
        let (partition, shard, shared) = self.shard_for(request.group_id.as_str())?;
        if let Some(id) =
            shard.groups.get(request.group_id.as_str()).and_then(Group::consumer).map(|group| group.id.clone())
        {
            return Work { shared, shard, partition, now }.classic_leave(&id, to, client.api_version, leaving);
        }
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        let Some(Group::Classic(group)) = shard.groups.get_mut(request.group_id.as_str()) else {
            let unknown = leaving.iter().map(|member| answer(member, Err(ErrorCode::UnknownMemberId))).collect();
            step.reply_leave(to, client, unknown);
            return Ok(());
        };
        step.touch(&group.id);
        let answers: Vec<MemberResponse> =
            leaving.iter().map(|member| answer(member, step.leave(group, member))).collect();
        let appended_before = step.log.last_token();
        if answers.iter().any(|answer| answer.error_code == 0) {
            step.after_leave(group);
        }
        if step.log.last_token() == appended_before {
            step.reply_leave(to, client, answers);
        } else {
            let response = LeaveGroupResponseData::default().with_members(answers);
            step.defer(Deferred::Leave { to, api_version: client.api_version, response });
        }
        Ok(())
    }
}

impl Step<'_> {
    fn reply_leave(&mut self, to: ReplyTo, client: &ClientInfo, members: Vec<MemberResponse>) {
        let response = LeaveGroupResponseData::default().with_members(members);
        self.shared.reply(to, GroupResponse::Leave(for_version(response, client.api_version)));
    }

    fn leave(&mut self, group: &mut ClassicGroup, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance_id = member.group_instance_id.as_ref().map(|id| id.as_str());
        let member_id = member.member_id.as_str();
        let reason = member.reason.as_ref().map_or(String::new(), |reason| short(reason.as_str()));
        let left = MemberChange::Left { reason };
        if member_id.is_empty() {
            // An administrator removes a static member without knowing its id.
            let id: Arc<str> =
                instance_id.and_then(|id| group.static_member_id(id)).cloned().ok_or(ErrorCode::UnknownMemberId)?;
            self.drop_member(group, &id, left);
        } else if group.is_pending(member_id) {
            group.remove(member_id);
            self.shared.timers.cancel(&session(&group.id, member_id));
        } else {
            group.validate_member(member_id, instance_id)?;
            self.drop_member(group, member_id, left);
        }
        self.note(Level::Info, &group.id, || {
            let of = instance_id.map_or(String::new(), |id| format!(" with instance id {id}"));
            let reason = member.reason.as_ref().map_or("not provided", |reason| reason.as_str());
            format!("Member '{member_id}'{of} left; client reason: {}", short(reason))
        });
        Ok(())
    }

    fn after_leave(&mut self, group: &mut ClassicGroup) {
        match group.state() {
            GroupState::Stable | GroupState::CompletingRebalance => {
                self.maybe_prepare_rebalance(group, "members left");
            }
            GroupState::PreparingRebalance => self.maybe_complete_join_phase(group),
            GroupState::Empty | GroupState::Dead => {}
        }
    }
}

fn answer(member: &MemberIdentity, result: Result<(), ErrorCode>) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(member.member_id.clone())
        .with_group_instance_id(member.group_instance_id.clone())
        .with_error_code(result.err().unwrap_or(ErrorCode::None).code())
}

/// Up to version 2 there is one member and one error.
pub(super) fn for_version(response: LeaveGroupResponseData, api_version: i16) -> LeaveGroupResponseData {
    if api_version > 2 {
        return response;
    }
    let member_error = response.members.first().map_or(0, |member| member.error_code);
    let error = if response.error_code != 0 { response.error_code } else { member_error };
    LeaveGroupResponseData::default().with_error_code(error)
}
