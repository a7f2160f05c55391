//! How a consumer group's change is written: the group is at once as the records make it, and again as it was if they cannot be written.
//! Whoever asked is answered when they are committed.
//!
//! Source: `CoordinatorRuntime`'s write operations.

use std::sync::Arc;
use std::time::Duration;

use super::group::{ConsumerGroup, Refresh};
use super::member::{Member, MemberState, Refusal};
use super::records::ConsumerRecord;
use crate::group::api::OffsetsRecord;
use crate::group::classic::ClassicGroup;
use crate::group::coordinator::{Shard, Shared, Step, ms};
use crate::group::kind::Group;
use crate::group::pending::{Deferred, Then};
use crate::group::record;
use crate::group::timer::TimerKey;
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::types::Now;

/// How long topics may go unlooked at where nothing tells of a change.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// One call's hands: a partition of `__consumer_offsets`, and what all share.
pub struct Work<'a> {
    pub shared: &'a mut Shared,
    pub shard: &'a mut Shard,
    pub partition: i32,
    pub now: Now,
}

/// What a request does to a group.
pub struct Change {
    /// The group before, if it is not the one that is there.
    pub base: Option<ConsumerGroup>,
    /// Records of the group that was there before, to be written first.
    pub first: Vec<OffsetsRecord>,
    /// Records of this one.
    pub records: Vec<ConsumerRecord>,
    /// Its topics have been looked at.
    pub refreshed: bool,
}

impl Work<'_> {
    /// What a step of the rest of the coordinator needs.
    pub fn step(&mut self) -> Step<'_> {
        Step { shared: self.shared, log: &mut self.shard.log, partition: self.partition, now: self.now }
    }

    /// A consumer group.
    pub fn group(&self, id: &str) -> Option<&ConsumerGroup> {
        self.shard.groups.get(id).and_then(Group::consumer)
    }

    /// A consumer group, or GROUP_ID_NOT_FOUND.
    pub fn known_group(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        let error = ErrorCode::GroupIdNotFound;
        match self.shard.groups.get(id) {
            None => Err(Refusal::new(error, format!("Group {id} not found."))),
            Some(Group::Classic(_)) => Err(Refusal::new(error, format!("Group {id} is not a consumer group."))),
            Some(Group::Consumer(group)) => Ok(group),
        }
    }

    /// Writes a change of a consumer group.
    pub fn commit(&mut self, id: &Arc<str>, change: Change, deferred: Option<Deferred>) -> Result<(), Refusal> {
        let refresh = self.now.mono + REFRESH_INTERVAL;
        if change.records.is_empty() && change.base.is_none() && change.first.is_empty() {
            if change.refreshed
                && let Some(group) = self.shard.groups.get_mut(id).and_then(Group::consumer_mut)
            {
                group.refresh = Refresh { at: refresh, epoch: group.epoch };
            }
            self.defer(deferred);
            return Ok(());
        }
        let mut records = change.first;
        records.append(&mut encode(id, &change.records)?);
        let mut group = match change.base {
            Some(base) => base,
            None => self.group(id).cloned().unwrap_or_else(|| ConsumerGroup::new(id.clone())),
        };
        let (epoch, state) = (group.epoch, group.state());
        change.records.iter().for_each(|record| group.replay(record));
        if change.refreshed {
            group.refresh = Refresh { at: refresh, epoch: group.epoch };
        }
        if (group.epoch, group.state()) != (epoch, state) {
            self.tell(&group);
        }
        self.store(id, records, group.into(), deferred);
        Ok(())
    }

    /// Puts a group in its place, and writes what makes it so.
    pub fn store(&mut self, id: &Arc<str>, records: Vec<OffsetsRecord>, group: Group, deferred: Option<Deferred>) {
        let before = self.shard.groups.insert(id.clone(), group).map(Box::new);
        self.shared.group_count += usize::from(before.is_none());
        let then = Then::Replaced { group: id.clone(), before };
        let mut step = self.step();
        step.touch(id);
        step.append(records, Vec::new(), Some(then));
        self.defer(deferred);
    }

    fn defer(&mut self, deferred: Option<Deferred>) {
        if let Some(deferred) = deferred {
            self.step().defer(deferred);
        }
    }

    /// Tells the window.
    pub fn tell(&mut self, group: &ConsumerGroup) {
        self.shared.outputs.push(crate::group::api::Output::Event(Event::GroupRebalance {
            group_id: group.id.to_string(),
            generation: group.epoch,
            state: group.state().name(),
            reason: format!("{} members, target of epoch {}", group.member_count(), group.target_epoch),
        }));
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

    /// Sets a deadline `delay_ms` from now.
    pub fn schedule(&mut self, key: TimerKey, delay_ms: i32) {
        self.shared.timers.schedule(key, self.now.mono + ms(delay_ms));
    }

    /// No deadline is left of a member that goes.
    pub fn cancel_timers(&mut self, group: &Arc<str>, member: &Arc<str>) {
        for key in TimerKey::of_member(group, member) {
            self.shared.timers.cancel(&key);
        }
    }
}

/// A group's records as they are written.
pub fn encode(id: &str, records: &[ConsumerRecord]) -> Result<Vec<OffsetsRecord>, Refusal> {
    let encoded: Result<Vec<OffsetsRecord>, _> = records.iter().map(|record| record.encode(id)).collect();
    encoded.map_err(|_| Refusal::from(ErrorCode::UnknownServerError))
}

/// A classic group's tombstone.
pub fn classic_tombstone(group: &ClassicGroup) -> Result<OffsetsRecord, Refusal> {
    record::encode_group(&group.id, None).map_err(|_| Refusal::from(ErrorCode::UnknownServerError))
}
