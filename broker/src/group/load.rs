//! A partition of `__consumer_offsets` comes to this broker, or goes.
//!
//! Source: `CoordinatorLoaderImpl`, `GroupMetadataManager.replay`, `onLoaded`, `onUnloaded`.

use std::sync::Arc;

use super::admin::forget_timers;
use super::api::AppendToken;
use super::classic::{ClassicGroup, GroupState};
use super::consumer::ConsumerGroup;
use super::coordinator::{GroupCoordinator, Shard, Shared, Step};
use super::kind::{Group, Recorded};
use super::pending::Change;
use super::rebalance::session;
use super::record::{Decoded, RecordError, decode};
use super::share::ShareGroup;
use super::streams::StreamsGroup;
use super::timer::TimerKey;
use super::work::Work;
use crate::protocol::ErrorCode;
use crate::types::Now;

impl GroupCoordinator {
    /// This broker became leader of an offsets partition: from now on its groups are told COORDINATOR_LOAD_IN_PROGRESS.
    pub fn begin_load(&mut self, now: Now, partition: i32) {
        self.unload_partition(now, partition);
        self.shards.insert(partition, Shard::new());
    }

    /// One record of the log, oldest first, up to the log's end; for those of transactions see
    /// [`GroupCoordinator::load_txn_record`] and [`GroupCoordinator::load_marker`]. Offsets that are not committed yet are known, but not
    /// shown. A broken record is skipped and told.
    pub fn load_record(
        &mut self,
        now: Now,
        partition: i32,
        key: &[u8],
        value: Option<&[u8]>,
        committed: bool,
    ) -> Result<(), RecordError> {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.loading) else { return Ok(()) };
        match decode(key, value)? {
            Decoded::Offset { group, topic, partition, value } if !committed => {
                let (group, topic) = (group.into(), topic.into());
                shard.tail.push(Change::Offset { group, topic, partition, value });
            }
            Decoded::Offset { group, topic, partition, value } => {
                let id: Arc<str> = group.into();
                if value.is_some() {
                    shard.need_group(&mut self.shared, now, &id);
                }
                shard.set_offset(&mut self.shared, &id, &topic.into(), partition, value);
            }
            Decoded::Group { group, value: Some(value) } => {
                let id: Arc<str> = group.into();
                let before = shard.groups.insert(id.clone(), ClassicGroup::from_record(id, value).into());
                self.shared.group_count += usize::from(before.is_none());
            }
            // The tombstone of a classic group comes before the records of the consumer group that it became.
            Decoded::Group { group, value: None } => {
                let is_classic = shard.groups.get(group.as_str()).is_some_and(|group| group.classic().is_some());
                if is_classic && shard.groups.remove(group.as_str()).is_some() {
                    self.shared.group_count -= 1;
                }
            }
            Decoded::Consumer { group, record } => {
                shard.replay::<ConsumerGroup>(&mut self.shared, group.into(), &record);
            }
            Decoded::Share { group, record } => shard.replay::<ShareGroup>(&mut self.shared, group.into(), &record),
            Decoded::Streams { group, record } => {
                shard.replay::<StreamsGroup>(&mut self.shared, group.into(), &record);
            }
            Decoded::Other(_) => {}
        }
        Ok(())
    }

    /// All is loaded: sessions start anew, and requests are answered. If some of it was not committed, its fate is to be told by
    /// [`GroupCoordinator::on_append_result`] under the token that is returned.
    pub fn finish_load(&mut self, now: Now, partition: i32) -> Option<AppendToken> {
        let shard = self.shards.get_mut(&partition).filter(|shard| shard.loading)?;
        shard.loading = false;
        let tail = std::mem::take(&mut shard.tail);
        let max_size = usize::try_from(self.shared.config.max_size).unwrap_or(0);
        let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition, now };
        let mut replayed = Vec::new();
        for (id, group) in &mut shard.groups {
            step.touch(id);
            step.shared.note_loaded(partition, id, group);
            let Group::Classic(group) = group else {
                // What the persister was asked for then is given its time anew.
                if let Group::Share(group) = group {
                    group.state_at_ms = now.wall_ms;
                }
                replayed.push(id.clone());
                continue;
            };
            for member in group.member_ids() {
                step.restart_session(group, &member);
            }
            if group.member_count() > max_size {
                step.prepare_rebalance(group, "the loaded group is larger than group.max.size");
            }
        }
        let token = (!tail.is_empty()).then(|| {
            let token = AppendToken(step.shared.next_number());
            // Before anything that the groups have just asked to be written.
            step.enter_first(token, tail);
            token
        });
        for id in replayed {
            self.restart_sessions(now, partition, &id);
        }
        self.schedule_expiry(now, partition);
        self.fail_refused(now);
        token
    }

    /// The sessions of a group's members begin anew.
    pub(super) fn restart_sessions(&mut self, now: Now, partition: i32, id: &Arc<str>) {
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        let mut work = Work { shared: &mut self.shared, shard, partition, now };
        if let Some(group) = work.group(id) {
            for member in group.members().cloned().collect::<Vec<_>>() {
                work.restart_session(id, &member);
                work.watch_revocation(id, &member);
            }
        } else if let Some(group) = work.find::<ShareGroup>(id) {
            for member in group.member_ids() {
                work.restart_share_session(id, &member);
            }
        } else if let Some(group) = work.streams_group(id) {
            for member in group.members().cloned().collect::<Vec<_>>() {
                work.restart_streams_session(id, &member.id);
                work.watch_tasks(id, &member);
            }
        } else if let Some(Group::Classic(group)) = work.shard.groups.get(id) {
            let mut step = Step { shared: work.shared, log: &mut work.shard.log, partition, now };
            for member in group.member_ids() {
                step.restart_session(group, &member);
            }
        }
    }

    /// This broker is no longer leader of an offsets partition: all who wait are sent away with NOT_COORDINATOR.
    pub fn unload_partition(&mut self, now: Now, partition: i32) {
        let Some(mut shard) = self.shards.remove(&partition) else { return };
        self.shared.timers.cancel(&TimerKey::Expiry(partition));
        for append in std::mem::take(&mut shard.log.appends) {
            self.shared.timers.cancel(&TimerKey::Append(partition, append.token));
            for (_, deferred) in append.deferred {
                deferred.settle(Err(ErrorCode::NotCoordinator), &mut self.shared);
            }
        }
        let stored = shard.offsets.values().flat_map(|topics| topics.values()).flat_map(|offsets| offsets.values());
        stored.chain(shard.open.values()).for_each(|offset| self.shared.discount_offset(offset));
        let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition, now };
        for (id, group) in &mut shard.groups {
            step.touch(id);
            step.shared.note_unloaded(partition, id);
            step.shared.group_count = step.shared.group_count.saturating_sub(1);
            match group {
                Group::Classic(group) => step.unload(group),
                Group::Consumer(group) => {
                    step.forget_members(id, group.member_ids());
                    step.shared.timers.cancel(&TimerKey::Regex(id.clone()));
                    step.shared.resolving.remove(id);
                }
                Group::Share(group) => step.forget_members(id, group.member_ids()),
                Group::Streams(group) => {
                    step.forget_members(id, group.member_ids());
                    step.shared.timers.cancel(&TimerKey::FirstAssignment(id.clone()));
                }
            }
        }
    }

    /// Forgets a group that was never written.
    pub(super) fn remove_group(&mut self, id: &Arc<str>) {
        let partition = self.partition_for(id);
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        if let Some(group) = shard.groups.remove(id) {
            self.shared.group_count = self.shared.group_count.saturating_sub(1);
            self.shared.dirty.insert(group.id().clone());
            if let Group::Classic(group) = &group {
                forget_timers(&mut self.shared, group);
            }
        }
    }
}

impl Shard {
    fn replay<G: Recorded>(&mut self, shared: &mut Shared, id: Arc<str>, record: &G::Record) {
        let is_known = self.groups.get(&id).and_then(G::of).is_some();
        if G::removes_group(record) {
            if is_known && self.groups.remove(&id).is_some() {
                shared.group_count = shared.group_count.saturating_sub(1);
            }
            return;
        }
        if !is_known {
            if G::is_tombstone(record) {
                return;
            }
            // Kafka writes offsets of a group that it has never seen before; a simple classic group stands for it until now.
            let group = G::new(id.clone());
            shared.group_count += usize::from(self.groups.insert(id.clone(), group.into()).is_none());
        }
        if let Some(group) = self.groups.get_mut(&id).and_then(G::of_mut) {
            group.replay(record);
        }
    }
}

impl Step<'_> {
    fn forget_members(&mut self, group: &Arc<str>, members: Vec<Arc<str>>) {
        for key in members.iter().flat_map(|member| TimerKey::of_member(group, member)) {
            self.shared.timers.cancel(&key);
        }
    }

    fn unload(&mut self, group: &mut ClassicGroup) {
        forget_timers(self.shared, group);
        for id in group.member_ids() {
            self.shared.timers.cancel(&session(&group.id, &id));
            if let Some(mut member) = group.remove(&id) {
                self.answer_parked(&mut member, &id, ErrorCode::NotCoordinator);
            }
        }
        group.transition_to(GroupState::Dead, self.now.wall_ms);
    }
}
