//! SyncGroup v0–5 (KIP-559: protocol type and name) and Heartbeat v0–4.
//!
//! Source: `GroupMetadataManager.classicGroupSync`, `classicGroupHeartbeat`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::api::{ClientInfo, GroupResponse, ReplyTo, opt_text};
use super::classic::{ClassicGroup, GroupState};
use super::coordinator::{GroupCoordinator, Step};
use super::kind::Group;
use super::pending::{Then, append_error};
use super::rebalance::sync_error;
use super::record;
use super::work::Work;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    HeartbeatRequestData, HeartbeatResponseData, SyncGroupRequestData, SyncGroupResponseData,
};
use crate::types::Now;

impl GroupCoordinator {
    /// A member asks for its assignment; the leader brings all of them. Answered by [`GroupResponse::Sync`].
    pub fn sync_group(&mut self, now: Now, to: ReplyTo, client: &ClientInfo, request: &SyncGroupRequestData) {
        if let Err(error) = self.try_sync(now, to, client, request) {
            self.shared.reply(to, GroupResponse::Sync(sync_error(error)));
        }
        self.fail_refused(now);
    }

    fn try_sync(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &SyncGroupRequestData,
    ) -> Result<(), ErrorCode> {
        if client.api_version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let (partition, shard, shared) = self.shard_for(request.group_id.as_str())?;
        let group = match shard.groups.get_mut(request.group_id.as_str()) {
            None | Some(Group::Share(_) | Group::Streams(_)) => return Err(ErrorCode::UnknownMemberId),
            Some(Group::Consumer(_)) => return Work { shared, shard, partition, now }.classic_sync(to, request),
            Some(Group::Classic(group)) => group,
        };
        if group.is_in(GroupState::Empty) {
            return Err(ErrorCode::UnknownMemberId);
        }
        validate(group, request)?;
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        step.touch(&group.id);
        step.sync(group, to, request)
    }

    /// A member is alive. Answered at once.
    pub fn heartbeat(&mut self, now: Now, request: &HeartbeatRequestData) -> HeartbeatResponseData {
        let error = match self.try_heartbeat(now, request) {
            // The group will be here in a moment; no reason for the member to run.
            Ok(()) | Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
            Err(error) => error,
        };
        HeartbeatResponseData::default().with_error_code(error.code())
    }

    fn try_heartbeat(&mut self, now: Now, request: &HeartbeatRequestData) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let (partition, shard, shared) = self.shard_for(request.group_id.as_str())?;
        let group = match shard.groups.get_mut(request.group_id.as_str()) {
            None | Some(Group::Share(_) | Group::Streams(_)) => return Err(ErrorCode::UnknownMemberId),
            Some(Group::Consumer(_)) => return Work { shared, shard, partition, now }.classic_heartbeat(request),
            Some(Group::Classic(group)) => group,
        };
        let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
        group.validate_member(request.member_id.as_str(), instance_id)?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        match group.state() {
            GroupState::Empty | GroupState::Dead => Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => {
                step.restart_session(group, request.member_id.as_str());
                Err(ErrorCode::RebalanceInProgress)
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                step.restart_session(group, request.member_id.as_str());
                Ok(())
            }
        }
    }
}

fn validate(group: &ClassicGroup, request: &SyncGroupRequestData) -> Result<(), ErrorCode> {
    let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
    group.validate_member(request.member_id.as_str(), instance_id)?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    let differs = |said: &Option<crate::protocol::messages::KafkaString>, is: &Option<String>| {
        said.as_ref().is_some_and(|said| is.as_deref() != Some(said.as_str()))
    };
    if differs(&request.protocol_type, &group.protocol_type) || differs(&request.protocol_name, &group.protocol_name) {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    Ok(())
}

impl Step<'_> {
    fn sync(&mut self, group: &mut ClassicGroup, to: ReplyTo, request: &SyncGroupRequestData) -> Result<(), ErrorCode> {
        let member_id = request.member_id.as_str();
        match group.state() {
            GroupState::Empty | GroupState::Dead => Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::CompletingRebalance => {
                if let Some(before) = group.set_awaiting_sync(member_id, Some(to)) {
                    self.shared.reply(before, GroupResponse::Sync(sync_error(ErrorCode::RebalanceInProgress)));
                }
                group.pending_syncs.remove(member_id);
                if group.is_leader(member_id) {
                    self.store_assignments(group, request);
                }
                Ok(())
            }
            GroupState::Stable => {
                group.pending_syncs.remove(member_id);
                let response = assigned(group, member_id);
                self.shared.reply(to, GroupResponse::Sync(response));
                Ok(())
            }
        }
    }

    /// The leader's word is written down before anybody acts on it.
    fn store_assignments(&mut self, group: &mut ClassicGroup, request: &SyncGroupRequestData) {
        let mut assignments: BTreeMap<Arc<str>, Bytes> =
            group.member_ids().into_iter().map(|id| (id, Bytes::new())).collect();
        for given in &request.assignments {
            if let Some(assignment) = assignments.get_mut(given.member_id.as_str()) {
                *assignment = Bytes::copy_from_slice(&given.assignment);
            }
        }
        let record = record::encode_group(&group.id, Some(&group.to_record(Some(&assignments))));
        let generation = group.generation;
        match record {
            Ok(record) => {
                let then = Then::Sync { group: group.id.clone(), generation, assignments };
                self.append(vec![record], Vec::new(), Some(then));
            }
            Err(_) => self.finish_sync(group, generation, assignments, Err(ErrorCode::UnknownServerError)),
        }
    }

    /// The assignments are committed, or not. The group may have moved on meanwhile.
    pub(super) fn finish_sync(
        &mut self,
        group: &mut ClassicGroup,
        generation: i32,
        mut assignments: BTreeMap<Arc<str>, Bytes>,
        result: Result<(), ErrorCode>,
    ) {
        if !group.is_in(GroupState::CompletingRebalance) || group.generation != generation {
            return;
        }
        if let Err(error) = result {
            let error = append_error(error);
            self.reset_assignments(group, error);
            return self.maybe_prepare_rebalance(group, &format!("the assignment could not be stored: {error}"));
        }
        for id in group.member_ids() {
            group.set_assignment(&id, assignments.remove(&id).unwrap_or_default());
        }
        group.transition_to(GroupState::Stable, self.now.wall_ms);
        self.shared.metrics.classic_rebalanced();
        for id in group.member_ids() {
            if let Some(to) = group.set_awaiting_sync(&id, None) {
                let response = assigned(group, &id);
                self.shared.reply(to, GroupResponse::Sync(response));
                self.restart_session(group, &id);
            }
        }
        self.tell(group, "the leader's assignment is stored");
    }
}

fn assigned(group: &ClassicGroup, member_id: &str) -> SyncGroupResponseData {
    SyncGroupResponseData::default()
        .with_protocol_type(opt_text(group.protocol_type.as_deref()))
        .with_protocol_name(opt_text(group.protocol_name.as_deref()))
        .with_assignment(group.member(member_id).map(|member| member.assignment.clone()).unwrap_or_default())
}
