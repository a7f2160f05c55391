//! The coordinator as a whole: its partitions, what they share, and who gets which input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::admin::forget_timers;
use super::api::{AppendToken, GroupResponse, OffsetsRecord, Output, ReplyTo, TxnProducer};
use super::classic::ClassicGroup;
use super::config::{GroupConfig, GroupOverrides};
use super::consumer::Resolving;
use super::kind::Group;
use super::metrics::GroupMetrics;
use super::open_offsets::{OffsetKey, OpenOffsets};
use super::pending::{Change, Deferred, Gather, PendingAppend, PendingLog, Then, append_error};
use super::record::OffsetAndMetadata;
use super::share::ask::Ask;
use super::timer::{TimerKey, Timers};
use super::topics::Topics;
use crate::protocol::ErrorCode;
use crate::types::{Now, coordinator_partition, java_hash};

/// Offsets of one group: topic → partition → offset.
pub(super) type GroupOffsets = BTreeMap<Arc<str>, BTreeMap<i32, OffsetAndMetadata>>;

/// What all partitions of one coordinator share.
pub(super) struct Shared {
    pub(super) config: GroupConfig,
    /// Settings of single groups.
    pub(super) overrides: BTreeMap<Arc<str>, GroupOverrides>,
    /// Topics as the metadata has them.
    pub(super) topics: Topics,
    /// Groups whose regular expressions are being resolved.
    pub(super) resolving: BTreeMap<Arc<str>, Resolving>,
    pub(super) timers: Timers,
    pub(super) outputs: Vec<Output>,
    /// Members of whom something became since their group's state was last told.
    pub(super) changed_members: BTreeMap<Arc<str>, Vec<String>>,
    pub(super) rng: StdRng,
    /// Groups whose report has changed.
    pub(super) dirty: BTreeSet<Arc<str>>,
    pub(super) gathers: BTreeMap<u64, Gather>,
    /// What the persister of share states is asked.
    pub(super) asks: BTreeMap<u64, Ask>,
    /// Appends that were refused before they were asked for: too many on their way.
    refused: Vec<(i32, AppendToken)>,
    next_token: u64,
    pub(super) group_count: usize,
    pub(super) offset_count: usize,
    pub(super) offset_metadata_bytes: usize,
    pub(super) metrics: GroupMetrics,
}

impl Shared {
    pub(super) fn reply(&mut self, to: ReplyTo, response: GroupResponse) {
        self.outputs.push(Output::Reply { to, response });
    }

    pub(super) fn reply_all(&mut self, answers: impl IntoIterator<Item = (ReplyTo, GroupResponse)>) {
        for (to, response) in answers {
            self.reply(to, response);
        }
    }

    /// `consumer.session.timeout.ms` of a group.
    pub(super) fn session_timeout_ms(&self, group: &str) -> i32 {
        let config = &self.config.consumer;
        let own = self.overrides.get(group).and_then(|own| own.session_timeout_ms);
        within(own, config.session_timeout_ms, config.session_timeout_bounds_ms)
    }

    /// `consumer.heartbeat.interval.ms` of a group.
    pub(super) fn heartbeat_interval_ms(&self, group: &str) -> i32 {
        let config = &self.config.consumer;
        let own = self.overrides.get(group).and_then(|own| own.heartbeat_interval_ms);
        within(own, config.heartbeat_interval_ms, config.heartbeat_interval_bounds_ms)
    }

    /// `consumer.assignment.interval.ms` of a group.
    pub(super) fn assignment_interval_ms(&self, group: &str) -> i32 {
        let config = &self.config.consumer;
        let own = self.overrides.get(group).and_then(|own| own.assignment_interval_ms);
        within(own, config.assignment_interval_ms, config.assignment_interval_bounds_ms)
    }

    /// A number that names nothing else.
    pub(super) fn next_number(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }
}

/// One partition of `__consumer_offsets` that this broker leads.
pub(super) struct Shard {
    pub(super) loading: bool,
    /// Loaded, but not known to be committed.
    pub(super) tail: Vec<Change>,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    /// Committed offsets only; those on their way are in `log`.
    pub(super) offsets: BTreeMap<Arc<str>, GroupOffsets>,
    /// Offsets of transactions that are not ended; those on their way are in `log`.
    pub(super) open: OpenOffsets<OffsetKey, OffsetAndMetadata>,
    pub(super) log: PendingLog,
}

/// One call's hands: what a group needs to act.
pub(super) struct Step<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) log: &'a mut PendingLog,
    pub(super) partition: i32,
    pub(super) now: Now,
}

impl Step<'_> {
    /// Asks for an append. If too much is on its way already, it fails as one that lacks replicas would.
    pub(super) fn append(&mut self, records: Vec<OffsetsRecord>, changes: Vec<Change>, then: Option<Then>) {
        self.append_as(None, records, changes, then);
    }

    /// The same, as part of a producer's transaction.
    pub(super) fn append_as(
        &mut self,
        producer: Option<TxnProducer>,
        records: Vec<OffsetsRecord>,
        changes: Vec<Change>,
        then: Option<Then>,
    ) {
        let size_bytes =
            records.iter().map(|record| record.key.len() + record.value.as_ref().map_or(0, |v| v.len())).sum();
        let (partition, timestamp_ms) = (self.partition, self.now.wall_ms);
        self.ask(size_bytes, changes, then, |token| Output::Append {
            partition,
            token,
            timestamp_ms,
            records,
            producer,
        });
    }

    /// Asks for an append of this size.
    pub(super) fn ask(
        &mut self,
        size_bytes: usize,
        changes: Vec<Change>,
        then: Option<Then>,
        output: impl FnOnce(AppendToken) -> Output,
    ) {
        let token = AppendToken(self.shared.next_number());
        let limits = &self.shared.config.limits;
        let refused =
            self.log.appends.len() >= limits.pending_appends || self.log.size_bytes + size_bytes > limits.pending_bytes;
        self.enter(token, size_bytes, changes, then);
        if refused {
            self.shared.refused.push((self.partition, token));
            return;
        }
        self.shared.outputs.push(output(token));
    }

    /// Remembers an append whose fate is not known yet.
    pub(super) fn enter(&mut self, token: AppendToken, size_bytes: usize, changes: Vec<Change>, then: Option<Then>) {
        let deadline = self.deadline();
        if then.is_some() {
            self.shared.timers.schedule(TimerKey::Append(self.partition, token), deadline);
        }
        self.log.size_bytes += size_bytes;
        self.log.appends.push_back(PendingAppend { token, size_bytes, changes, then, deadline, deferred: Vec::new() });
    }

    /// The same for records that were in the log before.
    pub(super) fn enter_first(&mut self, token: AppendToken, changes: Vec<Change>) {
        let (deadline, deferred) = (self.deadline(), Vec::new());
        self.log.appends.push_front(PendingAppend { token, size_bytes: 0, changes, then: None, deadline, deferred });
    }

    /// When somebody who asks now will have waited long enough for an append.
    fn deadline(&self) -> Duration {
        self.now.mono + ms(self.shared.config.commit_timeout_ms)
    }

    /// Answers when the newest append is committed; at once if none is on its way.
    pub(super) fn defer(&mut self, deferred: Deferred) {
        let deadline = self.deadline();
        match self.log.last_mut() {
            Some(append) => {
                let key = TimerKey::Append(self.partition, append.token);
                append.deferred.push((deadline, deferred));
                self.shared.timers.schedule_earlier(key, deadline);
            }
            None => deferred.settle(Ok(()), self.shared),
        }
    }

    /// Sets a deadline `delay_ms` from now.
    pub(super) fn schedule(&mut self, key: TimerKey, delay_ms: i32) {
        self.shared.timers.schedule(key, self.now.mono + ms(delay_ms));
    }

    /// This group's report has changed.
    pub(super) fn touch(&mut self, group: &Arc<str>) {
        self.shared.dirty.insert(group.clone());
    }
}

/// A group's own setting within the broker's bounds, or the broker's.
pub(super) fn within(own: Option<i32>, default: i32, (min, max): (i32, i32)) -> i32 {
    own.map_or(default, |own| own.max(min).min(max))
}

/// Kafka's int32 milliseconds; negative ones count as none.
pub(super) fn ms(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Place of a key in a small hash map of Java: where Kafka takes the first of several equals, it is the one with the lowest.
pub(super) fn java_bucket(key: &str) -> u32 {
    let hash = java_hash(key).cast_unsigned();
    (hash ^ (hash >> 16)) & 15
}

/// Consumer groups of the offsets partitions that this broker leads. See the room's head.
pub struct GroupCoordinator {
    pub(super) shared: Shared,
    pub(super) shards: BTreeMap<i32, Shard>,
    /// Groups that a report has named and that are gone since are told once more.
    pub(super) reported: BTreeSet<Arc<str>>,
    partitions: i32,
}

impl GroupCoordinator {
    /// A coordinator of no partition yet. The seed makes its member ids.
    pub fn new(config: GroupConfig, seed: u64) -> GroupCoordinator {
        GroupCoordinator {
            partitions: config.offsets_partitions.max(1),
            shared: Shared {
                config,
                overrides: BTreeMap::new(),
                topics: Topics::default(),
                resolving: BTreeMap::new(),
                timers: Timers::default(),
                outputs: Vec::new(),
                changed_members: BTreeMap::new(),
                rng: StdRng::seed_from_u64(seed),
                dirty: BTreeSet::new(),
                gathers: BTreeMap::new(),
                asks: BTreeMap::new(),
                refused: Vec::new(),
                next_token: 0,
                group_count: 0,
                offset_count: 0,
                offset_metadata_bytes: 0,
                metrics: GroupMetrics::default(),
            },
            shards: BTreeMap::new(),
            reported: BTreeSet::new(),
        }
    }

    /// Its settings.
    pub fn config(&self) -> &GroupConfig {
        &self.shared.config
    }

    /// How many partitions `__consumer_offsets` really has; until told, what the settings say.
    pub fn set_partition_count(&mut self, partitions: i32) {
        self.partitions = partitions.max(1);
    }

    /// Partition of `__consumer_offsets` that holds a group.
    pub fn partition_for(&self, group_id: &str) -> i32 {
        coordinator_partition(group_id, self.partitions)
    }

    /// Partitions that are loaded or being loaded.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        self.shards.keys().copied()
    }

    /// Takes what is to be done, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.shared.outputs)
    }

    /// When [`GroupCoordinator::on_tick`] next has something to do.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.shared.timers.next()
    }

    /// Lets time pass.
    pub fn on_tick(&mut self, now: Now) {
        while let Some(key) = self.shared.timers.pop_due(now.mono) {
            match key {
                TimerKey::Session { ref group, ref member } => {
                    self.with_group(now, group, |step, group| step.expire_session(group, member));
                    self.expire_share_member(now, group, member);
                    self.fence_member(now, &key);
                    self.fence_streams_member(now, &key);
                }
                TimerKey::Revoke { .. } | TimerKey::Rejoin { .. } | TimerKey::Resync { .. } => {
                    self.fence_member(now, &key);
                    self.fence_streams_member(now, &key);
                }
                TimerKey::FirstAssignment(group) => self.assign_first_tasks(now, &group),
                TimerKey::Regex(group) => self.resolve_regexes(now, &group),
                TimerKey::Join(group) => self.with_group(now, &group, |step, group| step.expire_join(group)),
                TimerKey::Sync(group) => self.with_group(now, &group, |step, group| step.expire_sync(group)),
                TimerKey::Expiry(partition) => self.expire_offsets(now, partition),
                TimerKey::Append(partition, token) => self.append_timed_out(now, partition, token),
            }
        }
        self.fail_refused(now);
    }

    /// The fate of an append: committed, or why not.
    pub fn on_append_result(&mut self, now: Now, token: AppendToken, result: Result<(), ErrorCode>) {
        let holder = self.shards.iter_mut().find_map(|(partition, shard)| Some((*partition, shard.log.take(token)?)));
        let Some((partition, append)) = holder else { return };
        self.shared.timers.cancel(&TimerKey::Append(partition, token));
        let PendingAppend { changes, then, deferred, .. } = append;
        if result.is_ok() {
            self.apply(partition, now, changes);
        }
        // What builds on a change that did not come to be does not come to be either, and goes first.
        let later = match (&then, result) {
            (Some(Then::Replaced { group, .. }), Err(_)) => {
                self.shards.get(&partition).map(|shard| shard.log.later_changes(group, token)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        for token in later.into_iter().rev() {
            self.on_append_result(now, token, result);
        }
        if let Some(then) = then {
            self.finish(now, partition, then, result);
        }
        for (_, deferred) in deferred {
            deferred.settle(result, &mut self.shared);
        }
        self.fail_refused(now);
    }

    /// Whether an append is still to be made: one whose forerunner was refused is not.
    pub fn wants(&self, partition: i32, token: AppendToken) -> bool {
        self.shards.get(&partition).is_some_and(|shard| shard.log.is_pending(token))
    }

    /// Nobody waits longer than `offsets.commit.timeout.ms`; the append itself may yet be committed, and then counts.
    fn append_timed_out(&mut self, now: Now, partition: i32, token: AppendToken) {
        let Some(append) = self.shards.get_mut(&partition).and_then(|shard| shard.log.get_mut(token)) else { return };
        let (then, deferred, next) = append.take_due(now.mono);
        if let Some(next) = next {
            self.shared.timers.schedule(TimerKey::Append(partition, token), next);
        }
        match then {
            // What is in the log cannot be taken back by giving up waiting.
            Some(Then::Deleted(_) | Then::Replaced { .. }) | None => {}
            Some(then) => self.finish(now, partition, then, Err(ErrorCode::RequestTimedOut)),
        }
        for deferred in deferred {
            deferred.settle(Err(ErrorCode::RequestTimedOut), &mut self.shared);
        }
    }

    pub(super) fn fail_refused(&mut self, now: Now) {
        while let Some((_, token)) = self.shared.refused.pop() {
            self.on_append_result(now, token, Err(ErrorCode::NotEnoughReplicas));
        }
    }

    fn finish(&mut self, now: Now, partition: i32, then: Then, result: Result<(), ErrorCode>) {
        match then {
            Then::NewGroup { group, join } => {
                if let Err(error) = result {
                    self.new_group_failed(now, &group, join, error);
                }
            }
            Then::Sync { group, generation, assignments } => {
                self.with_group(now, &group, |step, group| step.finish_sync(group, generation, assignments, result));
            }
            Then::StaticJoin(join) => {
                let group = join.group.clone();
                self.with_group(now, &group, |step, group| step.finish_static_join(group, *join, result));
            }
            Then::Replaced { group, before } => {
                if let Err(error) = result {
                    self.take_back(now, partition, &group, before.map(|group| *group), error);
                }
            }
            Then::Deleted(groups) => {
                if result.is_err() {
                    self.restore(partition, groups);
                }
            }
        }
    }

    /// Lets a group act, if it is here and loaded.
    pub(super) fn with_group(&mut self, now: Now, id: &str, act: impl FnOnce(&mut Step<'_>, &mut ClassicGroup)) {
        let partition = self.partition_for(id);
        let Some(Shard { loading: false, groups, log, .. }) = self.shards.get_mut(&partition) else { return };
        if let Some(Group::Classic(group)) = groups.get_mut(id) {
            let mut step = Step { shared: &mut self.shared, log, partition, now };
            step.touch(&group.id);
            act(&mut step, group);
        }
    }

    /// The partition that holds a group, or the error that says why not.
    pub(super) fn shard_for(&mut self, group_id: &str) -> Result<(i32, &mut Shard, &mut Shared), ErrorCode> {
        let partition = self.partition_for(group_id);
        match self.shards.get_mut(&partition) {
            None => Err(ErrorCode::NotCoordinator),
            Some(shard) if shard.loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Some(shard) => Ok((partition, shard, &mut self.shared)),
        }
    }

    /// Committed changes become visible.
    fn apply(&mut self, partition: i32, now: Now, changes: Vec<Change>) {
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        for change in changes {
            match change {
                Change::Offset { group, topic, partition, value } => {
                    self.shared.dirty.insert(group.clone());
                    if value.is_some() {
                        shard.need_group(&mut self.shared, now, &group);
                    }
                    shard.set_offset(&mut self.shared, &group, &topic, partition, value);
                }
                Change::TxnOffset { producer_id, key, value } => {
                    self.shared.dirty.insert(key.0.clone());
                    shard.need_group(&mut self.shared, now, &key.0);
                    shard.put_open(&mut self.shared, key, producer_id, value);
                }
                Change::EndTxn { producer_id, commit } => {
                    shard.end_transaction(&mut self.shared, producer_id, commit);
                }
                Change::GroupTombstone(group) => shard.drop_if_idle(&mut self.shared, &group),
            }
        }
    }

    /// A group is again what it was before a change that could not be written.
    fn take_back(&mut self, now: Now, partition: i32, id: &Arc<str>, before: Option<Group>, error: ErrorCode) {
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        self.shared.dirty.insert(id.clone());
        let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition, now };
        // Who has come to wait in a group that never was is sent away.
        if let Some(Group::Classic(group)) = shard.groups.get_mut(id) {
            forget_timers(step.shared, group);
            for member in group.member_ids() {
                step.send_away(group, &member, append_error(error));
            }
        }
        match before {
            None => {
                if shard.groups.remove(id).is_some() {
                    step.shared.group_count = step.shared.group_count.saturating_sub(1);
                }
            }
            Some(mut before) => {
                if let Group::Classic(group) = &mut before {
                    step.resume(group);
                }
                shard.groups.insert(id.clone(), before);
                self.restart_sessions(now, partition, id);
            }
        }
    }

    fn restore(&mut self, partition: i32, groups: Vec<Group>) {
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        for group in groups {
            self.shared.dirty.insert(group.id().clone());
            if !shard.groups.contains_key(group.id()) {
                shard.groups.insert(group.id().clone(), group);
                self.shared.group_count += 1;
            }
        }
    }
}

impl Shard {
    pub(super) fn new() -> Shard {
        Shard {
            loading: true,
            tail: Vec::new(),
            groups: BTreeMap::new(),
            offsets: BTreeMap::new(),
            open: OpenOffsets::default(),
            log: PendingLog::default(),
        }
    }

    /// A group as far as it is known to be committed.
    pub(super) fn committed_group(&self, id: &str) -> Option<&Group> {
        self.log.group_before(id).unwrap_or_else(|| self.groups.get(id))
    }

    /// Who commits offsets without being member of a group has a simple one, made with the first of them.
    pub(super) fn need_group(&mut self, shared: &mut Shared, now: Now, id: &Arc<str>) {
        if !self.groups.contains_key(id) {
            self.groups.insert(id.clone(), ClassicGroup::new(id.clone(), Some(now.wall_ms)).into());
            shared.group_count += 1;
        }
    }

    /// Puts an offset that was committed outside of transactions, or removes one.
    pub(super) fn set_offset(
        &mut self,
        shared: &mut Shared,
        group: &Arc<str>,
        topic: &Arc<str>,
        partition: i32,
        value: Option<OffsetAndMetadata>,
    ) {
        self.settle_open(shared, &(group.clone(), topic.clone(), partition), value.is_none());
        self.store_offset(shared, group, topic, partition, value);
    }

    /// Puts or removes an offset.
    pub(super) fn store_offset(
        &mut self,
        shared: &mut Shared,
        group: &Arc<str>,
        topic: &Arc<str>,
        partition: i32,
        value: Option<OffsetAndMetadata>,
    ) {
        let before = match value {
            Some(value) => {
                shared.count_offset(&value);
                let topics = self.offsets.entry(group.clone()).or_default();
                topics.entry(topic.clone()).or_default().insert(partition, value)
            }
            None => self.remove_offset(group, topic, partition),
        };
        if let Some(before) = before {
            shared.discount_offset(&before);
        }
    }

    fn remove_offset(&mut self, group: &str, topic: &str, partition: i32) -> Option<OffsetAndMetadata> {
        let topics = self.offsets.get_mut(group)?;
        let partitions = topics.get_mut(topic)?;
        let before = partitions.remove(&partition);
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.offsets.remove(group);
        }
        before
    }

    /// A group whose tombstone is committed goes, unless it came to life again meanwhile.
    fn drop_if_idle(&mut self, shared: &mut Shared, id: &Arc<str>) {
        shared.dirty.insert(id.clone());
        if self.groups.get(id).and_then(Group::classic).is_some_and(ClassicGroup::is_simple)
            && !self.offsets.contains_key(id)
            && self.open.of_group(id).next().is_none()
        {
            self.groups.remove(id);
            shared.group_count = shared.group_count.saturating_sub(1);
        }
    }
}
