//! Members that speak the classic protocol in a consumer group, as while it is upgraded: JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
//!
//! Source: `GroupMetadataManager.classicGroupJoinToConsumerGroup`, `classicGroupSyncToConsumerGroup`,
//! `classicGroupHeartbeatToConsumerGroup`, `classicGroupLeaveToConsumerGroup`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::convert::serialized;
use super::group::ConsumerGroup;
use super::heartbeat::{Asking, Joining, check_instance};
use super::member::{Assignment, ClassicMetadata, Member, MemberState, partitions_of};
use super::target::Target;
use crate::group::api::{ClientInfo, GroupResponse, Refusal, ReplyTo, opt_text, text};
use crate::group::classic::protocols_bytes;
use crate::group::consumer_protocol::{self, PROTOCOL_TYPE, Subscription};
use crate::group::pending::Deferred;
use crate::group::rebalance::join_error;
use crate::group::timer::TimerKey;
use crate::group::work::{Change, Work};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    HeartbeatRequestData, JoinGroupRequestData, JoinGroupResponseData, LeaveGroupResponseData, MemberIdentity,
    MemberResponse, SyncGroupRequestData, SyncGroupResponseData,
};
use crate::types::Id;

/// The version from which a new member is first told its id (KIP-394).
const MEMBER_ID_REQUIRED: i16 = 4;

impl Work<'_> {
    /// A classic member joins a consumer group with members.
    pub fn classic_join(
        &mut self,
        to: ReplyTo,
        client: &ClientInfo,
        request: &JoinGroupRequestData,
        protocols: Vec<(String, Bytes)>,
    ) -> Result<(), ErrorCode> {
        self.try_classic_join(to, client, request, protocols).map_err(|refusal| refusal.error)
    }

    fn try_classic_join(
        &mut self,
        to: ReplyTo,
        client: &ClientInfo,
        request: &JoinGroupRequestData,
        protocols: Vec<(String, Bytes)>,
    ) -> Result<(), Refusal> {
        let id: Arc<str> = request.group_id.as_str().into();
        let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
        let is_unknown = request.member_id.is_empty();
        let member_id: Arc<str> = match request.member_id.as_str() {
            "" => Id::random(&mut self.shared.rng).to_string().into(),
            given => given.into(),
        };
        let group = self.known_group(&id)?.clone();
        self.check_size(&group, &member_id, protocols_bytes(&protocols))?;
        if !supports(&group, request.protocol_type.as_str(), &protocols) {
            let message = format!("Member {member_id}'s protocols are not supported.");
            return Err(Refusal::new(ErrorCode::InconsistentGroupProtocol, message));
        }
        if is_unknown && instance_id.is_none() && client.api_version >= MEMBER_ID_REQUIRED {
            let response = join_error(&member_id, ErrorCode::MemberIdRequired);
            self.shared.reply(to, GroupResponse::Join(response));
            return Ok(());
        }
        let mut records = Vec::new();
        let creates = instance_id.is_none() || is_unknown;
        let joining = Joining { member_id, instance_id, epoch: -1, creates, is_classic: true, owned: None };
        let before = joining.member(&group, &mut records)?;
        let malformed = Refusal::from(ErrorCode::UnknownServerError);
        let (name, blob) = protocols.first().ok_or(malformed.clone())?;
        let name = name.clone();
        let subscription = consumer_protocol::subscription(blob).ok_or(malformed)?;
        let owned = self.owned(&subscription);
        let after = described(&before, client, request, subscription, protocols);
        let replaced = instance_id.and_then(|id| group.static_member(id)).cloned();
        let replaced = replaced.filter(|replaced| self.may_downgrade_replacing(&group, replaced));

        let (member, generation);
        let respond = |member: &Member| {
            JoinGroupResponseData::default()
                .with_member_id(text(&member.id))
                .with_generation_id(member.current.epoch)
                .with_protocol_type(Some(text(PROTOCOL_TYPE)))
                .with_protocol_name(Some(text(&name)))
        };
        let asking = Asking { group: &group, before: &before, after, owned: Some(&owned), is_classic: true };
        if let Some(replaced) = replaced {
            let outcome = self.downgrading(asking, &group)?;
            records.extend(outcome.1);
            member = outcome.0;
            let response = respond(&member);
            let deferred = Some(Deferred::Join { to, response });
            let reason = format!("Downgrade group {id} from consumer to classic with stale assignment.");
            let reason = outcome.2.then_some(reason.as_str());
            return self.downgrade_replacing(&id, &replaced, member, records, reason, deferred);
        }
        let outcome = self.advance(asking)?;
        records.extend(outcome.records);
        member = outcome.member;
        let is_new = group.member(&member.id).is_none();
        let old = instance_id.and_then(|id| group.static_member(id)).filter(|old| old.id != member.id);
        let old = old.map(|old| old.id.clone());
        self.note_joining(&id, &member, is_new, old.as_deref(), "classic");
        generation = respond(&member);
        let change = Change::<ConsumerGroup> { refreshed: outcome.refreshed, ..Change::of(records) };
        self.commit(&id, change, Some(Deferred::Join { to, response: generation }))?;
        self.shared.timers.cancel(&TimerKey::Rejoin { group: id.clone(), member: member.id.clone() });
        self.restart_session(&id, &member);
        let sync = TimerKey::Resync { group: id.clone(), member: member.id.clone() };
        self.schedule(sync, request.rebalance_timeout_ms);
        if outcome.resolve_regexes {
            self.shared.timers.schedule_earlier(TimerKey::Regex(id), self.now.mono);
        }
        Ok(())
    }

    /// The joining member before the group becomes a classic one: it takes its step only if the target is not an old one.
    fn downgrading(
        &self,
        asking: Asking<'_>,
        group: &ConsumerGroup,
    ) -> Result<(Member, Vec<super::ConsumerRecord>, bool), Refusal> {
        let mut member = asking.after.clone();
        let owned = asking.owned;
        let outcome = self.advance(asking)?;
        let metadata_only = |record: &super::ConsumerRecord| {
            matches!(
                record,
                super::ConsumerRecord::Member(..)
                    | super::ConsumerRecord::Group(_)
                    | super::ConsumerRecord::Regex(..)
                    | super::ConsumerRecord::PartitionMetadata(_)
            )
        };
        let mut records: Vec<_> = outcome.records.into_iter().filter(metadata_only).collect();
        let bumped = records.iter().any(|record| matches!(record, super::ConsumerRecord::Group(_)));
        let rebalance = bumped || group.target_epoch < group.epoch;
        if !rebalance {
            let target = Target { epoch: group.target_epoch, assignment: group.target_or_replaced(&member) };
            self.reconcile(group, &mut member, &target, false, owned, &mut records)?;
        }
        Ok((member, records, rebalance))
    }

    /// What a subscription says that its member has, as far as those topics exist.
    fn owned(&self, subscription: &Subscription) -> Assignment {
        let mut owned = Assignment::new();
        for partition in &subscription.owned {
            if let Some(facts) = self.shared.topics.get(&partition.topic) {
                owned.entry(facts.id).or_default().insert(partition.partition);
            }
        }
        owned
    }

    /// A classic member asks for its assignment.
    pub fn classic_sync(&mut self, to: ReplyTo, request: &SyncGroupRequestData) -> Result<(), ErrorCode> {
        let id = request.group_id.as_str();
        let group = self.known_group(id).map_err(|refusal| refusal.error)?;
        let id = group.id.clone();
        let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
        let member = classic_member(group, request.member_id.as_str(), instance_id)?.clone();
        if member.current.epoch != request.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        let first = member.metadata.classic.as_ref().and_then(|classic| classic.protocols.first());
        let (name, blob) = first.cloned().unwrap_or_default();
        let is_other = |given: &Option<crate::protocol::messages::KafkaString>, known: &str| {
            given.as_ref().is_some_and(|given| given.as_str() != known)
        };
        if is_other(&request.protocol_type, PROTOCOL_TYPE) || is_other(&request.protocol_name, &name) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if group.target_epoch > member.current.epoch && member.current.state != MemberState::UnrevokedPartitions {
            self.must_rejoin(&id, &member);
            return Err(ErrorCode::RebalanceInProgress);
        }
        let version = consumer_protocol::version(&blob).unwrap_or(0);
        let assignment = serialized(&partitions_of(&member.current.assigned), version, &self.shared.topics);
        self.shared.timers.cancel(&TimerKey::Resync { group: id.clone(), member: member.id.clone() });
        self.restart_session(&id, &member);
        let response = SyncGroupResponseData::default()
            .with_protocol_type(opt_text(request.protocol_type.as_ref().map(|name| name.as_str())))
            .with_protocol_name(opt_text(request.protocol_name.as_ref().map(|name| name.as_str())))
            .with_assignment(assignment);
        self.step().defer(Deferred::Sync { to, response });
        Ok(())
    }

    /// A classic member is alive; it is told when it must join again.
    pub fn classic_heartbeat(&mut self, request: &HeartbeatRequestData) -> Result<(), ErrorCode> {
        let group = self.known_group(request.group_id.as_str()).map_err(|_| ErrorCode::UnknownMemberId)?;
        let id = group.id.clone();
        let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
        let member = classic_member(group, request.member_id.as_str(), instance_id)?.clone();
        if member.current.epoch != request.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        let must_rejoin = match member.current.state {
            _ if member.current.epoch < group.target_epoch => true,
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => !waits_for_others(group, &member),
            MemberState::Stable | MemberState::Unknown => false,
        };
        self.restart_session(&id, &member);
        if must_rejoin {
            self.must_rejoin(&id, &member);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// It has its rebalance time-out to join again.
    fn must_rejoin(&mut self, group: &Arc<str>, member: &Member) {
        let key = TimerKey::Rejoin { group: group.clone(), member: member.id.clone() };
        if !self.shared.timers.is_set(&key) {
            self.schedule(key, member.metadata.rebalance_timeout_ms);
        }
    }

    /// Members leave a consumer group by LeaveGroup, whichever protocol they speak.
    pub fn classic_leave(
        &mut self,
        id: &Arc<str>,
        to: ReplyTo,
        api_version: i16,
        leaving: &[MemberIdentity],
    ) -> Result<(), ErrorCode> {
        let group = self.known_group(id).map_err(|refusal| refusal.error)?;
        let (mut answers, mut gone): (Vec<MemberResponse>, BTreeMap<Arc<str>, Arc<Member>>) = Default::default();
        for identity in leaving {
            let found = leaving_member(group, identity);
            let error = found.as_ref().err().map_or(ErrorCode::None, |refusal| refusal.error);
            answers.push(
                MemberResponse::default()
                    .with_member_id(identity.member_id.clone())
                    .with_group_instance_id(identity.group_instance_id.clone())
                    .with_error_code(error.code()),
            );
            if let Ok(member) = found {
                gone.insert(member.id.clone(), member.clone());
            }
        }
        let response = LeaveGroupResponseData::default().with_members(answers);
        let gone: Vec<Arc<Member>> = gone.into_values().collect();
        let deferred = Some(Deferred::Leave { to, api_version, response });
        self.fence(id, &gone, deferred).map_err(|refusal| refusal.error)
    }
}

fn leaving_member<'a>(group: &'a ConsumerGroup, identity: &MemberIdentity) -> Result<&'a Arc<Member>, Refusal> {
    let member_id = identity.member_id.as_str();
    let Some(instance_id) = &identity.group_instance_id else { return group.known_member(member_id) };
    let member = group.static_member(instance_id.as_str()).ok_or(Refusal::from(ErrorCode::UnknownMemberId))?;
    if !member_id.is_empty() {
        check_instance(member, member_id, instance_id.as_str())?;
    }
    Ok(member)
}

fn classic_member<'a>(
    group: &'a ConsumerGroup,
    member_id: &str,
    instance_id: Option<&str>,
) -> Result<&'a Arc<Member>, ErrorCode> {
    let member = match instance_id {
        None => group.member(member_id).ok_or(ErrorCode::UnknownMemberId)?,
        Some(instance_id) => {
            let member = group.static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
            check_instance(member, member_id, instance_id).map_err(|refusal| refusal.error)?;
            member
        }
    };
    if member.is_classic() { Ok(member) } else { Err(ErrorCode::UnknownMemberId) }
}

/// Whether a partition that it should have is still another's.
fn waits_for_others(group: &ConsumerGroup, member: &Member) -> bool {
    let Some(target) = group.target_of(&member.id) else { return false };
    target.iter().any(|(topic, partitions)| {
        let has = member.current.assigned.get(topic);
        let lacks = |partition: &&i32| has.is_none_or(|has| !has.contains_key(*partition));
        partitions.iter().filter(lacks).any(|partition| group.partition_epoch(*topic, *partition) != -1)
    })
}

/// Whether all other classic members know one of these assignors.
fn supports(group: &ConsumerGroup, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
    if protocol_type != PROTOCOL_TYPE {
        return false;
    }
    let classics: Vec<&ClassicMetadata> =
        group.members().filter_map(|member| member.metadata.classic.as_ref()).collect();
    let known_to_all = |(name, _): &(String, Bytes)| {
        classics.iter().all(|classic| classic.protocols.iter().any(|(known, _)| known == name))
    };
    protocols.iter().any(known_to_all)
}

fn described(
    before: &Member,
    client: &ClientInfo,
    request: &JoinGroupRequestData,
    subscription: Subscription,
    protocols: Vec<(String, Bytes)>,
) -> Member {
    let mut after = before.clone();
    let metadata = &mut after.metadata;
    if let Some(instance_id) = &request.group_instance_id {
        metadata.instance_id = Some(instance_id.to_string());
    }
    if let Some(rack_id) = subscription.rack_id.filter(|rack| !rack.is_empty()) {
        metadata.rack_id = Some(rack_id);
    }
    if request.rebalance_timeout_ms != -1 {
        metadata.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    metadata.topics = subscription.topics;
    metadata.regex = String::new();
    metadata.client_id = client.client_id.clone();
    metadata.client_host = client.client_host.clone();
    metadata.classic = Some(ClassicMetadata { session_timeout_ms: request.session_timeout_ms, protocols });
    after
}
