//! Offsets go when nobody has needed them for `offsets.retention.minutes`, and with the last of them their group; offsets of deleted
//! topics go at once.
//!
//! Source: `GroupCoordinatorShard.cleanupGroupMetadata`, `ClassicGroup.offsetExpirationCondition`, KIP-211.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::admin::tombstone;
use super::api::OffsetsRecord;
use super::classic::GroupState;
use super::coordinator::{GroupCoordinator, Shard, Step};
use super::kind::Group;
use super::pending::Change;
use super::record::OffsetAndMetadata;
use super::timer::TimerKey;
use crate::logging::{Level, Logger};
use crate::types::{Id, Now};

/// What the age of an offset is counted from.
enum AgeOf {
    /// The moment since when the group is empty.
    EmptyGroup(i64),
    /// The offset's own commit.
    Commit,
}

impl GroupCoordinator {
    /// Looks through one partition, and comes back later.
    pub(super) fn expire_offsets(&mut self, now: Now, partition: i32) {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| !shard.loading) else { return };
        let retention_ms = self.shared.config.offsets_retention_ms;
        let ids: Vec<Arc<str>> = shard.groups.keys().cloned().collect();
        for id in ids {
            let Some(group) = shard.groups.get(&id) else { continue };
            let (expired, all) = shard.expired(group, now.wall_ms, retention_ms);
            if !expired.is_empty() {
                self.shared.metrics.expiring(expired.len());
                self.shared.note_as(Logger::OffsetMetadata, partition, Level::Info, || {
                    let of = expired.iter().filter_map(|(_, change)| match change {
                        Change::Offset { topic, partition, .. } => Some(format!("{topic}-{partition}")),
                        _ => None,
                    });
                    format!(
                        "[GroupId {id}] Offsets have expired (all of them: {all}): {}",
                        of.collect::<Vec<_>>().join(", ")
                    )
                });
            }
            let awaited = group.classic().is_some_and(|group| !group.pending_joins.is_empty());
            let group_goes = all && group.is_empty() && group.may_expire() && !awaited;
            if group_goes {
                self.shared.note(partition, Level::Info, &id, || {
                    "Is empty, and nothing is left of it: it is deleted".to_owned()
                });
                shard.delete(&mut self.shared, partition, now, &id, expired);
            } else {
                Step { shared: &mut self.shared, log: &mut shard.log, partition, now }.append_in_pieces(expired, None);
            }
        }
        self.schedule_expiry(now, partition);
    }

    pub(super) fn schedule_expiry(&mut self, now: Now, partition: i32) {
        let interval = u64::try_from(self.shared.config.retention_check_interval_ms).unwrap_or(1).max(1);
        self.shared.timers.schedule(TimerKey::Expiry(partition), now.mono + Duration::from_millis(interval));
    }

    /// Topics were deleted: their offsets are of no use to anybody. Those of a topic that has got the same name since are.
    pub fn on_topics_deleted(&mut self, now: Now, topics: &BTreeMap<Arc<str>, BTreeSet<Id>>) {
        for (partition, shard) in self.shards.iter_mut().filter(|(_, shard)| !shard.loading) {
            let gone = shard.offsets_of_topics(topics);
            let entries =
                gone.into_iter().filter_map(|(group, topic, index)| tombstone(&group, topic, index)).collect();
            let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition: *partition, now };
            step.append_in_pieces(entries, None);
        }
        let ids: BTreeSet<Id> = topics.values().flatten().copied().collect();
        self.forget_share_states(now, &ids);
        self.fail_refused(now);
    }
}

impl Shard {
    /// Whose offsets are of these topics: group, topic, partition. Those on their way count, and those of open transactions.
    fn offsets_of_topics(&self, topics: &BTreeMap<Arc<str>, BTreeSet<Id>>) -> Vec<(Arc<str>, Arc<str>, i32)> {
        let is_of = |topic: &Arc<str>, offset: &OffsetAndMetadata| {
            let ids = topics.get(topic);
            ids.is_some_and(|ids| offset.topic_id == Id::ZERO || ids.contains(&offset.topic_id))
        };
        let mut found: BTreeMap<(Arc<str>, Arc<str>, i32), bool> = BTreeMap::new();
        for (group, offsets) in &self.offsets {
            for (topic, partitions) in topics.keys().filter_map(|topic| offsets.get_key_value(topic)) {
                for (index, offset) in partitions {
                    found.insert((group.clone(), topic.clone(), *index), is_of(topic, offset));
                }
            }
        }
        for change in self.log.changes() {
            if let Change::Offset { group, topic, partition, value } = change
                && topics.contains_key(topic)
            {
                let is_of = value.as_ref().is_some_and(|offset| is_of(topic, offset));
                found.insert((group.clone(), topic.clone(), *partition), is_of);
            }
        }
        for (key, offset) in self.open.all().chain(self.log.txn_offsets()) {
            if is_of(&key.1, offset) {
                found.insert(key.clone(), true);
            }
        }
        found.into_iter().filter_map(|(key, is_of)| is_of.then_some(key)).collect()
    }

    /// Tombstones of a group's expired offsets, and whether nothing of it is left then.
    fn expired(&self, group: &Group, now_ms: i64, retention_ms: i64) -> (Vec<(OffsetsRecord, Change)>, bool) {
        // What is on its way decides the next time.
        if self.log.offsets_of(group.id()).next().is_some() {
            return (Vec::new(), false);
        }
        let open: BTreeSet<(&Arc<str>, i32)> = self.open_offsets(group.id()).collect();
        let Some(offsets) = self.offsets.get(group.id()) else { return (Vec::new(), open.is_empty()) };
        let Some(age_of) = age_of(group) else { return (Vec::new(), false) };
        let (mut entries, mut all) = (Vec::new(), open.is_empty());
        for (topic, partitions) in offsets {
            let in_use = group.is_subscribed_to(topic);
            for (index, offset) in partitions {
                let may_go = !in_use && !open.contains(&(topic, *index));
                if may_go && is_expired(offset, &age_of, now_ms, retention_ms) {
                    entries.extend(tombstone(group.id(), topic.clone(), *index));
                } else {
                    all = false;
                }
            }
        }
        (entries, all)
    }
}

fn age_of(group: &Group) -> Option<AgeOf> {
    let Group::Classic(group) = group else { return Some(AgeOf::Commit) };
    if group.protocol_type.is_none() {
        return Some(AgeOf::Commit);
    }
    match group.state() {
        GroupState::Empty => Some(group.state_timestamp_ms.map_or(AgeOf::Commit, AgeOf::EmptyGroup)),
        GroupState::Stable if group.uses_consumer_protocol() && group.subscribed_topics.is_some() => {
            Some(AgeOf::Commit)
        }
        _ => None,
    }
}

fn is_expired(offset: &OffsetAndMetadata, age_of: &AgeOf, now_ms: i64, retention_ms: i64) -> bool {
    if let Some(expire_timestamp_ms) = offset.expire_timestamp_ms {
        return now_ms >= expire_timestamp_ms;
    }
    let since_ms = match age_of {
        AgeOf::EmptyGroup(since_ms) => *since_ms,
        AgeOf::Commit => offset.commit_timestamp_ms,
    };
    now_ms.saturating_sub(since_ms) >= retention_ms
}
