//! What is done to streams groups only, beside writing their changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::StreamsGroup;
use super::member::{Member, MemberState};
use super::target::NUM_STANDBY_REPLICAS;
use crate::group::api::Refusal;
use crate::group::coordinator::{Shared, within};
use crate::group::kind::Group;
use crate::group::timer::TimerKey;
use crate::group::work::Work;
use crate::protocol::ErrorCode;

impl Shared {
    /// `streams.session.timeout.ms` of a group.
    pub fn streams_session_timeout_ms(&self, group: &str) -> i32 {
        let config = &self.config.streams;
        let own = self.overrides.get(group).and_then(|own| own.streams_session_timeout_ms);
        within(own, config.session_timeout_ms, config.session_timeout_bounds_ms)
    }

    /// `streams.heartbeat.interval.ms` of a group.
    pub fn streams_heartbeat_interval_ms(&self, group: &str) -> i32 {
        let config = &self.config.streams;
        let own = self.overrides.get(group).and_then(|own| own.streams_heartbeat_interval_ms);
        within(own, config.heartbeat_interval_ms, config.heartbeat_interval_bounds_ms)
    }

    /// `streams.assignment.interval.ms` of a group.
    pub fn streams_assignment_interval_ms(&self, group: &str) -> i32 {
        let config = &self.config.streams;
        let own = self.overrides.get(group).and_then(|own| own.streams_assignment_interval_ms);
        within(own, config.assignment_interval_ms, config.assignment_interval_bounds_ms)
    }

    /// `streams.initial.rebalance.delay.ms` of a group.
    pub fn streams_initial_delay_ms(&self, group: &str) -> i32 {
        let own = self.overrides.get(group).and_then(|own| own.streams_initial_rebalance_delay_ms);
        own.unwrap_or(self.config.streams.initial_rebalance_delay_ms)
    }

    /// What the assignor is given of a group's settings.
    pub fn streams_assignment_configs(&self, group: &str) -> BTreeMap<String, String> {
        let config = &self.config.streams;
        let own = self.overrides.get(group).and_then(|own| own.streams_num_standby_replicas);
        let replicas = within(own, config.num_standby_replicas, (0, config.max_standby_replicas));
        [(NUM_STANDBY_REPLICAS.to_owned(), replicas.to_string())].into()
    }
}

impl Work<'_> {
    /// A streams group.
    pub fn streams_group(&self, id: &str) -> Option<&StreamsGroup> {
        self.find(id)
    }

    /// A streams group, or GROUP_ID_NOT_FOUND.
    pub fn known_streams_group(&self, id: &str) -> Result<&StreamsGroup, Refusal> {
        let error = ErrorCode::GroupIdNotFound;
        match self.shard.groups.get(id) {
            None => Err(Refusal::new(error, format!("Group {id} not found."))),
            Some(Group::Streams(group)) => Ok(group),
            Some(_) => Err(Refusal::new(error, format!("Group {id} is not a streams group."))),
        }
    }

    /// A member has been heard of.
    pub fn restart_streams_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        let timeout_ms = self.shared.streams_session_timeout_ms(group);
        let key = TimerKey::Session { group: group.clone(), member: member.clone() };
        self.schedule(key, timeout_ms);
    }

    /// A member that must give tasks up has its rebalance time-out for it.
    pub fn watch_tasks(&mut self, group: &Arc<str>, member: &Member) {
        let key = TimerKey::Revoke { group: group.clone(), member: member.id.clone() };
        if member.current.state == MemberState::UnrevokedTasks {
            self.schedule(key, member.metadata.rebalance_timeout_ms);
        } else {
            self.shared.timers.cancel(&key);
        }
    }
}
