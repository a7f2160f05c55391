//! A partition of `__consumer_offsets` comes to this broker, or goes.
//!
//! Source: `CoordinatorLoaderImpl`, `GroupMetadataManager.replay`, `onLoaded`, `onUnloaded`.

use std::sync::Arc;

use super::admin::forget_timers;
use super::api::AppendToken;
use super::classic::{ClassicGroup, GroupState};
use super::coordinator::{GroupCoordinator, Shard, Step};
use super::pending::Change;
use super::rebalance::session;
use super::record::{Decoded, RecordError, decode};
use super::timer::TimerKey;
use crate::protocol::ErrorCode;
use crate::types::Now;

impl GroupCoordinator {
    /// This broker became leader of an offsets partition: from now on its groups are told COORDINATOR_LOAD_IN_PROGRESS.
    pub fn begin_load(&mut self, now: Now, partition: i32) {
        self.unload_partition(now, partition);
        self.shards.insert(partition, Shard::new());
    }

    /// One record of the log, oldest first, up to the log's end; not those of transactions, nor control records. Offsets that are not
    /// committed yet are known, but not shown. A broken record is skipped and told.
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
                if value.is_some() && !shard.groups.contains_key(&id) {
                    shard.groups.insert(id.clone(), ClassicGroup::new(id.clone(), Some(now.wall_ms)));
                    self.shared.group_count += 1;
                }
                shard.set_offset(&mut self.shared, &id, &topic.into(), partition, value);
            }
            Decoded::Group { group, value: Some(value) } => {
                let id: Arc<str> = group.into();
                let before = shard.groups.insert(id.clone(), ClassicGroup::from_record(id, value));
                self.shared.group_count += usize::from(before.is_none());
            }
            Decoded::Group { group, value: None } => {
                let before = shard.groups.remove(group.as_str());
                self.shared.group_count -= usize::from(before.is_some());
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
        for group in shard.groups.values_mut() {
            step.touch(&group.id);
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
        self.schedule_expiry(now, partition);
        self.fail_refused(now);
        token
    }

    /// This broker is no longer leader of an offsets partition: all who wait are sent away with NOT_COORDINATOR.
    pub fn unload_partition(&mut self, now: Now, partition: i32) {
        let Some(mut shard) = self.shards.remove(&partition) else { return };
        self.shared.timers.cancel(&TimerKey::Expiry(partition));
        for append in std::mem::take(&mut shard.log.appends) {
            self.shared.timers.cancel(&TimerKey::Append(partition, append.token));
            for (_, deferred) in append.deferred {
                let answer = deferred.resolve(Err(ErrorCode::NotCoordinator), &mut self.shared.gathers);
                self.shared.reply_all(answer);
            }
        }
        for offset in shard.offsets.values().flat_map(|topics| topics.values()).flat_map(|offsets| offsets.values()) {
            self.shared.offset_count = self.shared.offset_count.saturating_sub(1);
            self.shared.offset_metadata_bytes = self.shared.offset_metadata_bytes.saturating_sub(offset.metadata.len());
        }
        let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition, now };
        for group in shard.groups.values_mut() {
            step.touch(&group.id);
            step.shared.group_count = step.shared.group_count.saturating_sub(1);
            step.unload(group);
        }
    }

    /// Forgets a group that was never written.
    pub(super) fn remove_group(&mut self, id: &Arc<str>) {
        let partition = self.partition_for(id);
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        if let Some(group) = shard.groups.remove(id) {
            self.shared.group_count = self.shared.group_count.saturating_sub(1);
            self.shared.dirty.insert(group.id.clone());
            forget_timers(&mut self.shared, &group);
        }
    }
}

impl Step<'_> {
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
