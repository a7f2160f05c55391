//! From the classic protocol to the consumer protocol and back, while the members run on.
//!
//! Source: `GroupMetadataManager.convertToConsumerGroup`, `convertToClassicGroup`, `ConsumerGroup.fromClassicGroup`,
//! `ClassicGroup.fromConsumerGroup`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::group::ConsumerGroup;
use super::heartbeat::upgraded_current;
use super::member::{Assignment, ClassicMetadata, Member, MemberMetadata};
use super::records::ConsumerRecord;
use super::work::classic_tombstone;
use crate::group::admin::forget_timers;
use crate::group::api::{OffsetsRecord, Refusal};
use crate::group::classic::{ClassicGroup, MemberDetails};
use crate::group::consumer_protocol::{self, PROTOCOL_TYPE};
use crate::group::coordinator::Step;
use crate::group::kind::{Group, Recorded};
use crate::group::pending::Deferred;
use crate::group::record;
use crate::group::topics::Topics;
use crate::group::work::{Work, encode};
use crate::logging::Level;
use crate::protocol::ErrorCode;

impl Work<'_> {
    /// A classic group with members becomes a consumer group: the group, and the records that make it so.
    #[expect(clippy::type_complexity, reason = "as for a group that is there")]
    pub fn upgrade(
        &mut self,
        id: &Arc<str>,
    ) -> Result<(Option<ConsumerGroup>, Vec<OffsetsRecord>, Vec<ConsumerRecord>), Refusal> {
        let Some(Group::Classic(classic)) = self.shard.groups.get(id) else {
            return Err(ErrorCode::GroupIdNotFound.into());
        };
        let refuse = |why: &str| {
            let message = format!("Cannot upgrade classic group {id} to consumer group because {why}.");
            self.note(Level::Info, id, || format!("Stays a classic group: {why}"));
            Err(Refusal::new(ErrorCode::GroupIdNotFound, message))
        };
        let config = &self.shared.config.consumer;
        if !config.may_upgrade {
            return refuse("online upgrade is disabled");
        }
        if !classic.uses_consumer_protocol() {
            return refuse("the group does not use the consumer embedded protocol");
        }
        if classic.member_count() > usize::try_from(config.max_size).unwrap_or(0) {
            return refuse("the group size exceeds the consumer group maximum size");
        }
        let (group, records) = match from_classic(classic, &self.shared.topics) {
            Ok(converted) => converted,
            Err(Unconvertible::Malformed) => return refuse("the embedded consumer protocol is malformed"),
            Err(Unconvertible::UserData) => {
                self.note(Level::Info, id, || "Stays a classic group: it has an assignor of its own".to_owned());
                let message = format!(
                    "Cannot upgrade classic group {id} to consumer group because an unsupported custom assignor is in \
                     use. Please refer to the documentation or switch to a default assignor before re-attempting the \
                     upgrade."
                );
                return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
            }
        };
        let first = vec![classic_tombstone(classic)?];
        // Who waits in a rebalance is asked to join again, now the group of the other kind.
        let Some(classic) = self.shard.groups.get_mut(id).and_then(Group::classic_mut) else {
            return Err(ErrorCode::UnknownServerError.into());
        };
        forget_timers(self.shared, classic);
        let mut step = Step { shared: self.shared, log: &mut self.shard.log, partition: self.partition, now: self.now };
        for member in classic.member_ids() {
            step.send_away(classic, &member, ErrorCode::RebalanceInProgress);
        }
        for member in group.members() {
            self.restart_session(id, member);
        }
        self.note(Level::Info, id, || "Is a consumer group from now on, after having been a classic one".to_owned());
        Ok((Some(group), first, records))
    }

    /// Whether all that stay when these go speak the classic protocol, and may do so in a classic group.
    pub fn may_downgrade_without(&self, group: &ConsumerGroup, gone: &[Arc<Member>]) -> bool {
        let classic_gone = gone.iter().filter(|member| member.is_classic()).count();
        let left = group.member_count() - gone.len().min(group.member_count());
        left > 0 && group.classic_count() - classic_gone == left && self.fits_classic(left)
    }

    /// The same where a classic member takes the place of the last other one.
    pub fn may_downgrade_replacing(&self, group: &ConsumerGroup, replaced: &Member) -> bool {
        !replaced.is_classic()
            && group.classic_count() + 1 == group.member_count()
            && self.fits_classic(group.member_count())
    }

    fn fits_classic(&self, members: usize) -> bool {
        self.shared.config.consumer.may_downgrade
            && members <= usize::try_from(self.shared.config.max_size).unwrap_or(0)
    }

    /// A group becomes a classic one as these members go, and is rebalanced.
    pub fn downgrade_without(
        &mut self,
        id: &Arc<str>,
        gone: &[Arc<Member>],
        reason: &str,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        let Some(group) = self.group(id) else { return Err(ErrorCode::GroupIdNotFound.into()) };
        let stays = |member: &&Arc<Member>| gone.iter().all(|gone| gone.id != member.id);
        let staying: Vec<(Member, Arc<Assignment>)> =
            group.members().filter(stays).map(|member| ((**member).clone(), target(group, &member.id))).collect();
        let tombstones = group.tombstones();
        self.become_classic(id, staying, tombstones, Vec::new(), Some(reason), deferred)
    }

    /// A group becomes a classic one as a classic member takes the place of `replaced`. `records` have been worked out before.
    pub fn downgrade_replacing(
        &mut self,
        id: &Arc<str>,
        replaced: &Member,
        joining: Member,
        records: Vec<ConsumerRecord>,
        reason: Option<&str>,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        let Some(group) = self.group(id) else { return Err(ErrorCode::GroupIdNotFound.into()) };
        let tombstones = group.tombstones_with(&replaced.id, &joining.id);
        let mut staying: Vec<(Member, Arc<Assignment>)> = group
            .members()
            .filter(|member| member.id != replaced.id)
            .map(|member| ((**member).clone(), target(group, &member.id)))
            .collect();
        staying.push((joining, target(group, &replaced.id)));
        self.become_classic(id, staying, tombstones, records, reason, deferred)
    }

    fn become_classic(
        &mut self,
        id: &Arc<str>,
        staying: Vec<(Member, Arc<Assignment>)>,
        tombstones: Vec<ConsumerRecord>,
        records: Vec<ConsumerRecord>,
        reason: Option<&str>,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        let Some(group) = self.group(id) else { return Err(ErrorCode::GroupIdNotFound.into()) };
        let ids = group.member_ids();
        let classic = to_classic(group, staying, &self.shared.topics, self.now.wall_ms)?;
        let mut written = encode::<ConsumerGroup>(id, &records)?;
        written.append(&mut encode::<ConsumerGroup>(id, &tombstones)?);
        let record = record::encode_group(id, Some(&classic.to_record(None)));
        written.push(record.map_err(|_| Refusal::from(ErrorCode::UnknownServerError))?);
        self.note(Level::Info, id, || {
            let why = reason.unwrap_or("a classic member took the place of the last other one");
            format!("Is a classic group from now on, after having been a consumer group: {why}")
        });
        for member in ids {
            self.cancel_timers(id, &member);
        }
        self.store(id, written, classic.into(), deferred);
        let Some(classic) = self.shard.groups.get_mut(id).and_then(Group::classic_mut) else { return Ok(()) };
        let mut step = Step { shared: self.shared, log: &mut self.shard.log, partition: self.partition, now: self.now };
        for member in classic.member_ids() {
            step.restart_session(classic, &member);
        }
        if let Some(reason) = reason {
            step.prepare_rebalance(classic, reason);
        }
        Ok(())
    }
}

fn target(group: &ConsumerGroup, member: &str) -> Arc<Assignment> {
    group.target_of(member).cloned().unwrap_or_default()
}

/// Why a classic group cannot become a consumer group.
enum Unconvertible {
    Malformed,
    /// An assignor of its own keeps data in the assignments, which would be lost.
    UserData,
}

fn from_classic(
    classic: &ClassicGroup,
    topics: &Topics,
) -> Result<(ConsumerGroup, Vec<ConsumerRecord>), Unconvertible> {
    let generation = classic.generation;
    let protocol = classic.protocol_name.clone().or_else(|| classic.select_protocol()).unwrap_or_default();
    let (mut metadata, mut targets, mut currents) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = Vec::new();
    for member in classic.members() {
        let assignment = consumer_protocol::assignment(&member.assignment).ok_or(Unconvertible::Malformed)?;
        if !assignment.user_data.is_empty() {
            return Err(Unconvertible::UserData);
        }
        let mut assigned = Assignment::new();
        for partition in assignment.partitions {
            if let Some(facts) = topics.get(&partition.topic) {
                assigned.entry(facts.id).or_default().insert(partition.partition);
            }
        }
        let subscription =
            consumer_protocol::subscription(&member.metadata(&protocol)).ok_or(Unconvertible::Malformed)?;
        names.extend(subscription.topics.iter().cloned());
        let value = MemberMetadata {
            instance_id: member.instance_id.clone(),
            rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: subscription.topics,
            regex: String::new(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            assignor: None,
            classic: Some(ClassicMetadata {
                session_timeout_ms: member.session_timeout_ms,
                protocols: member.protocols.clone(),
            }),
        };
        metadata.push(ConsumerRecord::Member(member.id.clone(), Some(Box::new(value))));
        let current = Box::new(upgraded_current(&assigned, generation));
        targets.push(ConsumerRecord::TargetMember(member.id.clone(), Some(Arc::new(assigned))));
        currents.push(ConsumerRecord::Current(member.id.clone(), Some(current)));
    }
    let mut records = metadata;
    records.push(ConsumerRecord::Group(Some((generation, topics.hash(names.iter())))));
    records.append(&mut targets);
    records.push(ConsumerRecord::TargetEpoch(Some((generation, 0))));
    records.append(&mut currents);
    let mut group = ConsumerGroup::new(classic.id.clone());
    records.iter().for_each(|record| group.replay(record));
    Ok((group, records))
}

fn to_classic(
    group: &ConsumerGroup,
    staying: Vec<(Member, Arc<Assignment>)>,
    topics: &Topics,
    now_ms: i64,
) -> Result<ClassicGroup, Refusal> {
    let mut classic = ClassicGroup::new(group.id.clone(), Some(now_ms));
    classic.generation = group.epoch;
    let mut targets: BTreeMap<Arc<str>, Arc<Assignment>> = BTreeMap::new();
    for (member, target) in staying {
        let protocols = member.metadata.classic.ok_or(Refusal::from(ErrorCode::UnknownServerError))?;
        let details = MemberDetails {
            instance_id: member.metadata.instance_id,
            client_id: member.metadata.client_id,
            client_host: member.metadata.client_host,
            rebalance_timeout_ms: member.metadata.rebalance_timeout_ms,
            session_timeout_ms: protocols.session_timeout_ms,
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: protocols.protocols,
        };
        targets.insert(member.id.clone(), target);
        classic.add(crate::group::classic::Member::new(member.id, details));
    }
    classic.become_stable();
    let protocol = classic.protocol_name.clone().unwrap_or_default();
    for (id, target) in targets {
        let blob = classic.member(&id).map(|member| member.metadata(&protocol)).unwrap_or_default();
        classic.set_assignment(&id, serialized(&target, consumer_protocol::version(&blob).unwrap_or(0), topics));
    }
    Ok(classic)
}

/// An assignment as classic members read it; topics that do not exist are left out.
pub fn serialized(assignment: &Assignment, version: i16, topics: &Topics) -> Bytes {
    let named = assignment.iter().filter_map(|(topic, partitions)| Some((topics.name(*topic)?, partitions)));
    consumer_protocol::serialize_assignment(version, named)
}
