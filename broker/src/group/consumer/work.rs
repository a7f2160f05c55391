//! What is done to consumer groups only, beside writing their changes: who is found, and which deadlines members have.

use std::sync::Arc;

use super::group::ConsumerGroup;
use super::member::{Member, MemberState};
use crate::group::api::{OffsetsRecord, Refusal};
use crate::group::classic::ClassicGroup;
use crate::group::kind::Group;
use crate::group::log_lines::owned;
use crate::group::record;
use crate::group::timer::TimerKey;
use crate::group::work::Work;
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;

impl Work<'_> {
    /// A consumer group.
    pub fn group(&self, id: &str) -> Option<&ConsumerGroup> {
        self.find(id)
    }

    /// A consumer group, or GROUP_ID_NOT_FOUND.
    pub fn known_group(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        let error = ErrorCode::GroupIdNotFound;
        match self.shard.groups.get(id) {
            None => Err(Refusal::new(error, format!("Group {id} not found."))),
            Some(Group::Consumer(group)) => Ok(group),
            Some(_) => Err(Refusal::new(error, format!("Group {id} is not a consumer group."))),
        }
    }

    /// A member comes, or comes back in another one's place.
    pub fn note_joining(&mut self, group: &str, member: &Member, is_new: bool, replaced: Option<&str>, protocol: &str) {
        if !is_new {
            return;
        }
        let change =
            replaced.map_or(MemberChange::Joined, |replaced| MemberChange::Replaced { member_id: replaced.to_owned() });
        self.shared.tell_member(group, member, change);
        self.note(Level::Info, group, || {
            let id = &member.id;
            match (member.instance_id(), replaced) {
                (None, _) => format!("Member {id} joins by the {protocol} protocol"),
                (Some(of), None) => format!("Static member {id} with instance id {of} joins by the {protocol} protocol"),
                (Some(of), Some(old)) => {
                    format!("Static member with instance id {of} joins again by the {protocol} protocol: {id} replaces {old}")
                }
            }
        });
    }

    /// What a member has, and is to have.
    pub fn note_current(&self, group: &str, member: &Member) {
        self.note(Level::Info, group, || {
            let current = &member.current;
            format!(
                "Member {} has a new assignment state: epoch={}, previousEpoch={}, state={:?}, assignedPartitions={}, \
                 revokedPartitions={}",
                member.id,
                current.epoch,
                current.previous_epoch,
                current.state,
                owned(&current.assigned),
                owned(&current.revoking)
            )
        });
    }

    /// A member has been heard of.
    pub fn restart_session(&mut self, group: &Arc<str>, member: &Member) {
        let timeout_ms = match &member.metadata.classic {
            Some(classic) => classic.session_timeout_ms,
            None => self.shared.session_timeout_ms(group),
        };
        let key = TimerKey::Session { group: group.clone(), member: member.id.clone() };
        self.schedule(key, timeout_ms);
    }

    /// A member that must give partitions up has its rebalance time-out for it.
    pub fn watch_revocation(&mut self, group: &Arc<str>, member: &Member) {
        let key = TimerKey::Revoke { group: group.clone(), member: member.id.clone() };
        if member.is_classic() {
            return;
        }
        if member.current.state == MemberState::UnrevokedPartitions {
            self.schedule(key, member.metadata.rebalance_timeout_ms);
        } else {
            self.shared.timers.cancel(&key);
        }
    }
}

/// A classic group's tombstone.
pub fn classic_tombstone(group: &ClassicGroup) -> Result<OffsetsRecord, Refusal> {
    record::encode_group(&group.id, None).map_err(|_| Refusal::from(ErrorCode::UnknownServerError))
}
