//! What is done to share groups only, beside writing their changes.

use std::sync::Arc;

use super::group::ShareGroup;
use crate::group::api::Refusal;
use crate::group::coordinator::{Shared, within};
use crate::group::kind::Group;
use crate::group::timer::TimerKey;
use crate::group::work::Work;
use crate::protocol::ErrorCode;

impl Shared {
    /// `share.session.timeout.ms` of a group.
    pub fn share_session_timeout_ms(&self, group: &str) -> i32 {
        let config = &self.config.share;
        let own = self.overrides.get(group).and_then(|own| own.share_session_timeout_ms);
        within(own, config.session_timeout_ms, config.session_timeout_bounds_ms)
    }

    /// `share.heartbeat.interval.ms` of a group.
    pub fn share_heartbeat_interval_ms(&self, group: &str) -> i32 {
        let config = &self.config.share;
        let own = self.overrides.get(group).and_then(|own| own.share_heartbeat_interval_ms);
        within(own, config.heartbeat_interval_ms, config.heartbeat_interval_bounds_ms)
    }

    /// `share.assignment.interval.ms` of a group.
    pub fn share_assignment_interval_ms(&self, group: &str) -> i32 {
        let config = &self.config.share;
        let own = self.overrides.get(group).and_then(|own| own.share_assignment_interval_ms);
        within(own, config.assignment_interval_ms, config.assignment_interval_bounds_ms)
    }
}

impl Work<'_> {
    /// A share group, or GROUP_ID_NOT_FOUND.
    pub fn known_share_group(&self, id: &str) -> Result<&ShareGroup, Refusal> {
        let error = ErrorCode::GroupIdNotFound;
        match self.shard.groups.get(id) {
            None => Err(Refusal::new(error, format!("Group {id} not found."))),
            Some(Group::Share(group)) => Ok(group),
            Some(_) => Err(Refusal::new(error, format!("Group {id} is not a share group."))),
        }
    }

    /// A member has been heard of.
    pub fn restart_share_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        let timeout_ms = self.shared.share_session_timeout_ms(group);
        let key = TimerKey::Session { group: group.clone(), member: member.clone() };
        self.schedule(key, timeout_ms);
    }
}
