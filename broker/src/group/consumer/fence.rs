//! Members that go: by their own word, by their time-out, or because a classic one did not rejoin or sync.
//!
//! Source: `GroupMetadataManager.consumerGroupLeave`, `consumerGroupFenceMembers`, and its timers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::ConsumerGroup;
use super::heartbeat::check_instance;
use super::member::{Current, LEAVE_STATIC, Member, MemberState, Owned, owned_since, partitions_of};
use super::records::ConsumerRecord;
use super::regexes;
use crate::group::api::{Refusal, ReplyTo, text};
use crate::group::coordinator::GroupCoordinator;
use crate::group::pending::Deferred;
use crate::group::tell_members::missed;
use crate::group::timer::TimerKey;
use crate::group::work::{Change, Work};
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequestData, ConsumerGroupHeartbeatResponseData};
use crate::types::Now;

/// A node does other things before it resolves more of a group's expressions.
const REST_MS: i32 = 1;

impl Work<'_> {
    /// A member leaves, for good or, if it is a static one, for a while.
    pub fn leave(&mut self, to: ReplyTo, request: &ConsumerGroupHeartbeatRequestData) -> Result<(), Refusal> {
        let (group_id, member_id) = (request.group_id.as_str(), request.member_id.as_str());
        let group = self.known_group(group_id)?;
        let id = group.id.clone();
        let member = match request.instance_id.as_ref().map(|id| id.as_str()) {
            None => group.known_member(member_id)?,
            Some(instance_id) => {
                let unknown =
                    || Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown."));
                let member = group.static_member(instance_id).ok_or_else(unknown)?;
                check_instance(member, member_id, instance_id)?;
                member
            }
        };
        let member = member.clone();
        let response = ConsumerGroupHeartbeatResponseData::default()
            .with_member_id(Some(text(&member.id)))
            .with_member_epoch(request.member_epoch);
        let deferred = Some(Deferred::ConsumerHeartbeat { to, response });
        let is_for_a_while = request.member_epoch == LEAVE_STATIC && request.instance_id.is_some();
        self.note(Level::Info, &id, || {
            let of = member.instance_id().map_or(String::new(), |id| format!(" with instance id {id}"));
            let how = if is_for_a_while { "left for a while" } else { "left" };
            format!("Member {}{of} {how}", member.id)
        });
        let change =
            if is_for_a_while { MemberChange::LeftForAWhile } else { MemberChange::Left { reason: String::new() } };
        self.shared.tell_member(&id, &*member, change);
        if !is_for_a_while {
            return self.fence(&id, &[member], deferred);
        }
        // Its partitions stay its own; who comes back under its instance id gets them as if given in epoch 0.
        let assigned: Owned = owned_since(&partitions_of(&member.current.assigned), 0);
        let current = Current { epoch: LEAVE_STATIC, assigned, revoking: Owned::new(), ..member.current.clone() };
        let records = vec![ConsumerRecord::Current(member.id.clone(), Some(Box::new(current)))];
        self.commit(&id, Change::<ConsumerGroup>::of(records), deferred)
    }

    /// Members are thrown out. If only classic ones are left, the group becomes a classic one.
    pub fn fence(&mut self, id: &Arc<str>, members: &[Arc<Member>], deferred: Option<Deferred>) -> Result<(), Refusal> {
        let Some(group) = self.group(id) else { return Err(ErrorCode::GroupIdNotFound.into()) };
        if members.is_empty() {
            if let Some(deferred) = deferred {
                self.step().defer(deferred);
            }
            return Ok(());
        }
        if self.may_downgrade_without(group, members) {
            let reason = format!("Downgrade group {id} from consumer to classic for member leaving.");
            self.downgrade_without(id, members, &reason, deferred)?;
        } else {
            let records = without(group, members, &self.shared.topics);
            self.commit(id, Change::<ConsumerGroup>::of(records), deferred)?;
        }
        for member in members {
            if self.is_gone(id, &member.id) {
                self.cancel_timers(id, &member.id);
            }
        }
        Ok(())
    }

    fn is_gone(&self, id: &str, member: &str) -> bool {
        self.group(id).is_none_or(|group| group.member(member).is_none())
    }
}

fn without(
    group: &ConsumerGroup,
    members: &[Arc<Member>],
    topics: &crate::group::topics::Topics,
) -> Vec<ConsumerRecord> {
    let mut records = Vec::new();
    let mut regexes: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members {
        records.push(ConsumerRecord::Current(member.id.clone(), None));
        records.push(ConsumerRecord::TargetMember(member.id.clone(), None));
        records.push(ConsumerRecord::Member(member.id.clone(), None));
        if let Some(regex) = member.regex() {
            *regexes.entry(regex).or_default() += 1;
        }
    }
    let gone: Vec<String> = regexes
        .into_iter()
        .filter(|(regex, count)| group.regex_count(regex) == *count)
        .map(|(regex, _)| regex.to_owned())
        .collect();
    records.extend(gone.iter().map(|regex| ConsumerRecord::Regex(regex.clone(), None)));
    let old: Vec<&Member> = members.iter().map(|member| &**member).collect();
    let subscribed = group.subscribed_with(&old, None, gone.into_iter());
    records.push(ConsumerRecord::Group(Some((group.epoch + 1, topics.hash(subscribed.keys())))));
    records
}

impl GroupCoordinator {
    fn with_consumer_group(&mut self, now: Now, id: &str, act: impl FnOnce(&mut Work<'_>, Arc<str>)) {
        if let Ok((partition, shard, shared)) = self.shard_for(id) {
            let mut work = Work { shared, shard, partition, now };
            if let Some(id) = work.group(id).map(|group| group.id.clone()) {
                act(&mut work, id);
            }
        }
    }

    /// A deadline of a consumer group's member is over. Does nothing where the group is of the other kind, or the member gone.
    pub(in crate::group) fn fence_member(&mut self, now: Now, key: &TimerKey) {
        let Some((group, member)) = key.member() else { return };
        self.with_consumer_group(now, group, |work, id| {
            let found = work.group(&id).and_then(|group| group.member(member)).cloned();
            let must_go = |member: &Arc<Member>| {
                !matches!(key, TimerKey::Revoke { .. }) || member.current.state == MemberState::UnrevokedPartitions
            };
            let found = found.filter(must_go);
            if let Some(member) = &found {
                work.note(Level::Info, &id, || {
                    format!(
                        "Member {} is fenced in epoch {}: {}",
                        member.id,
                        member.current.epoch,
                        key.fenced_because()
                    )
                });
                work.shared.tell_member(&id, &**member, missed(key));
            }
            if let Some(member) = found
                && work.fence(&id, std::slice::from_ref(&member), None).is_err()
            {
                // It could not even be written down; it is tried again.
                work.restart_session(&id, &member);
            }
        });
    }

    /// A group's regular expressions are resolved.
    pub(in crate::group) fn resolve_regexes(&mut self, now: Now, id: &str) {
        let mut resolving = self.shared.resolving.remove(id).unwrap_or_default();
        self.with_consumer_group(now, id, |work, id| {
            let Some(group) = work.group(&id) else { return };
            let regexes = group.regex_counts().into_keys().map(str::to_owned);
            let Some(results) = resolving.step(regexes, &work.shared.topics, now.wall_ms) else {
                work.shared.resolving.insert(id.clone(), resolving);
                return work.schedule(TimerKey::Regex(id), REST_MS);
            };
            let records = regexes::resolved(group, results, &work.shared.topics);
            let refreshed = records.iter().any(|record| matches!(record, ConsumerRecord::Group(_)));
            let change = Change::<ConsumerGroup> { refreshed, ..Change::of(records) };
            // What cannot be written is resolved again with the next heartbeat.
            let _ = work.commit(&id, change, None);
        });
    }
}
