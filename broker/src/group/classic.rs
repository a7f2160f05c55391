//! One classic group: its members and what state they are in. No time, no replies, no log.
//!
//! Source: `org.apache.kafka.coordinator.group.classic.ClassicGroup` and `ClassicGroupMember`. Members are kept in the order of their
//! ids, so that the same inputs give the same leader in every run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::api::ReplyTo;
use super::consumer_protocol;
use super::coordinator::java_bucket;
use super::record::{GroupRecord, MemberRecord};
use crate::protocol::ErrorCode;
use crate::protocol::messages::JoinGroupRequestProtocol;

/// State of a classic group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// All have joined; the leader works out the assignment.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
    /// Its metadata is being removed, or has moved to another coordinator.
    Dead,
}

impl GroupState {
    /// As Kafka names it.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }

    /// Whether a group may go from `self` to `next`.
    pub(super) fn may_become(self, next: GroupState) -> bool {
        use GroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        match next {
            Empty => self == PreparingRebalance,
            PreparingRebalance => matches!(self, Stable | CompletingRebalance | Empty),
            CompletingRebalance => self == PreparingRebalance,
            Stable => self == CompletingRebalance,
            Dead => true,
        }
    }
}

/// A JoinGroup that waits for its answer.
pub(super) type AwaitingJoin = ReplyTo;

/// A member of a group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) protocol_type: String,
    /// Protocols that it supports, most liked first, each with its metadata.
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    /// True until its first JoinGroup was answered.
    pub(super) is_new: bool,
    awaiting_join: Option<AwaitingJoin>,
    pub(super) awaiting_sync: Option<ReplyTo>,
}

/// What a member told about itself when it joined.
pub(super) struct MemberDetails {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) protocol_type: String,
    pub(super) protocols: Vec<(String, Bytes)>,
}

impl Member {
    pub(super) fn new(id: Arc<str>, details: MemberDetails) -> Member {
        Member {
            id,
            instance_id: details.instance_id,
            client_id: details.client_id,
            client_host: details.client_host,
            rebalance_timeout_ms: details.rebalance_timeout_ms,
            session_timeout_ms: details.session_timeout_ms,
            protocol_type: details.protocol_type,
            protocols: details.protocols,
            assignment: Bytes::new(),
            is_new: false,
            awaiting_join: None,
            awaiting_sync: None,
        }
    }

    pub(super) fn awaiting_join(&self) -> Option<AwaitingJoin> {
        self.awaiting_join
    }

    pub(super) fn is_awaiting_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    pub(super) fn take_awaiting_join(&mut self) -> Option<AwaitingJoin> {
        self.awaiting_join.take()
    }

    /// A member whose request is parked cannot send heartbeats; a new one must not be parked for ever either.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// Whether it joins with the same protocols and metadata as before.
    pub(super) fn matches(&self, protocols: &[(String, Bytes)]) -> bool {
        self.protocols == protocols
    }

    /// Its metadata for a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, data)| data.clone()).unwrap_or_default()
    }

    /// Memory that it stands for.
    pub(super) fn size_bytes(&self) -> usize {
        protocols_bytes(&self.protocols) + self.id.len() + self.client_id.len() + self.assignment.len()
    }
}

/// Memory of a protocol list.
pub(super) fn protocols_bytes(protocols: &[(String, Bytes)]) -> usize {
    protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum()
}

/// Protocols of a request in memory of their own; a name given twice counts once.
pub(super) fn own_protocols(protocols: &[JoinGroupRequestProtocol]) -> Vec<(String, Bytes)> {
    let mut seen = BTreeSet::new();
    protocols
        .iter()
        .filter(|protocol| seen.insert(protocol.name.as_str()))
        .map(|protocol| (protocol.name.as_str().to_owned(), Bytes::copy_from_slice(&protocol.metadata)))
        .collect()
}

/// A classic group.
#[derive(Clone, Debug)]
pub(super) struct ClassicGroup {
    pub(super) id: Arc<str>,
    state: GroupState,
    pub(super) previous_state: GroupState,
    pub(super) state_timestamp_ms: Option<i64>,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) generation: i32,
    pub(super) leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    static_members: BTreeMap<String, Arc<str>>,
    /// Ids given out (KIP-394) to members that have not come back with them yet.
    pub(super) pending_joins: BTreeSet<Arc<str>>,
    /// Members of this generation that have not sent SyncGroup yet.
    pub(super) pending_syncs: BTreeSet<Arc<str>>,
    /// Topics that its members read, where the protocol tells.
    pub(super) subscribed_topics: Option<BTreeSet<String>>,
    /// A member came during the initial delay: it may be prolonged.
    pub(super) new_member_added: bool,
    /// (delay, remaining) of the initial rebalance, ms.
    pub(super) initial_delay_ms: Option<(i32, i32)>,
    awaiting_joins: usize,
    supported_protocols: BTreeMap<String, usize>,
    size_bytes: usize,
}

impl ClassicGroup {
    pub(super) fn new(id: Arc<str>, state_timestamp_ms: Option<i64>) -> ClassicGroup {
        ClassicGroup {
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_timestamp_ms,
            protocol_type: None,
            protocol_name: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            subscribed_topics: None,
            new_member_added: false,
            initial_delay_ms: None,
            awaiting_joins: 0,
            supported_protocols: BTreeMap::new(),
            size_bytes: 0,
        }
    }

    /// A group as the log tells it. Members of a record that names one twice, or an instance twice, are taken once.
    pub(super) fn from_record(id: Arc<str>, record: GroupRecord) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, Some(record.state_timestamp_ms).filter(|ms| *ms != -1));
        group.generation = record.generation.max(0);
        group.protocol_type = Some(record.protocol_type.clone()).filter(|name| !name.is_empty());
        group.protocol_name = record.protocol.clone();
        for member in record.members {
            let id: Arc<str> = member.member_id.as_str().into();
            let taken_instance = member.instance_id.as_ref().is_some_and(|it| group.static_members.contains_key(it));
            if group.members.contains_key(&id) || taken_instance {
                continue;
            }
            group.insert(Member {
                assignment: member.assignment,
                ..Member::new(
                    id,
                    MemberDetails {
                        instance_id: member.instance_id,
                        client_id: member.client_id,
                        client_host: member.client_host,
                        rebalance_timeout_ms: match member.rebalance_timeout_ms {
                            -1 => member.session_timeout_ms,
                            ms => ms,
                        },
                        session_timeout_ms: member.session_timeout_ms,
                        protocol_type: record.protocol_type.clone(),
                        protocols: vec![(record.protocol.clone().unwrap_or_default(), member.subscription)],
                    },
                )
            });
        }
        // A leader that is no member would leave the group without one for ever.
        group.leader = record.leader.map(Arc::from).filter(|id: &Arc<str>| group.members.contains_key(id));
        if group.leader.is_none() {
            group.leader = group.members.keys().next().cloned();
        }
        if !group.members.is_empty() {
            group.state = GroupState::Stable;
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    pub(super) fn state(&self) -> GroupState {
        self.state
    }

    pub(super) fn is_in(&self, state: GroupState) -> bool {
        self.state == state
    }

    pub(super) fn transition_to(&mut self, next: GroupState, now_ms: i64) {
        debug_assert!(self.state.may_become(next), "{:?} -> {next:?}", self.state);
        self.previous_state = self.state;
        self.state = next;
        self.state_timestamp_ms = Some(now_ms);
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(super) fn member_ids(&self) -> Vec<Arc<str>> {
        self.members.keys().cloned().collect()
    }

    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(super) fn has_member(&self, id: &str) -> bool {
        self.members.contains_key(id)
    }

    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.pending_joins.contains(id)
    }

    pub(super) fn static_member_id(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.static_members.get(instance_id)
    }

    pub(super) fn awaiting_joins(&self) -> usize {
        self.awaiting_joins
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The group of a consumer that only stores offsets.
    pub(super) fn is_simple(&self) -> bool {
        self.protocol_type.is_none() && self.is_in(GroupState::Empty) && self.pending_joins.is_empty()
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(consumer_protocol::PROTOCOL_TYPE)
    }

    /// Longest rebalance time-out of its members.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    pub(super) fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_joins && self.pending_joins.is_empty()
    }

    /// Adds a member; the first one decides protocol type and leader.
    pub(super) fn add(&mut self, member: Member) {
        self.pending_joins.remove(&member.id);
        if self.members.is_empty() {
            self.protocol_type = Some(member.protocol_type.clone());
        }
        self.insert(member);
    }

    fn insert(&mut self, member: Member) {
        debug_assert!(!self.members.contains_key(&member.id));
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.awaiting_joins += usize::from(member.is_awaiting_join());
        self.size_bytes += member.size_bytes();
        self.count_protocols(&member.protocols);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member (or a pending id) out. Its parked requests come with it: the caller must answer them.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
        let member = self.members.remove(id)?;
        self.awaiting_joins -= usize::from(member.is_awaiting_join());
        self.size_bytes = self.size_bytes.saturating_sub(member.size_bytes());
        self.uncount_protocols(&member.protocols);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Gives a static member's place to a new member id. Returns the old member, whose parked requests the caller must answer.
    pub(super) fn replace_static_member(&mut self, old_id: &str, new_id: Arc<str>) -> Option<Member> {
        let was_leader = self.is_leader(old_id);
        let leader = self.leader.clone();
        let old = self.remove(old_id)?;
        let mut new = old.clone();
        new.id = new_id.clone();
        new.is_new = false;
        new.awaiting_join = None;
        new.awaiting_sync = None;
        self.insert(new);
        self.leader = if was_leader { Some(new_id) } else { leader };
        Some(old)
    }

    /// New protocols and time-outs of a member that joins again.
    pub(super) fn update_member(
        &mut self,
        id: &str,
        protocols: Vec<(String, Bytes)>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
    ) {
        let Some(mut member) = self.members.remove(id) else { return };
        self.uncount_protocols(&member.protocols);
        self.size_bytes = self.size_bytes.saturating_sub(member.size_bytes());
        member.protocols = protocols;
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        self.count_protocols(&member.protocols);
        self.size_bytes += member.size_bytes();
        self.members.insert(member.id.clone(), member);
    }

    /// Parks a JoinGroup (or, with `None`, takes it out). Returns the one that was parked before.
    pub(super) fn set_awaiting_join(&mut self, id: &str, to: Option<AwaitingJoin>) -> Option<AwaitingJoin> {
        let member = self.members.get_mut(id)?;
        let before = std::mem::replace(&mut member.awaiting_join, to);
        self.awaiting_joins += usize::from(to.is_some());
        self.awaiting_joins -= usize::from(before.is_some());
        before
    }

    /// Parks a SyncGroup (or, with `None`, takes it out). Returns the one that was parked before.
    pub(super) fn set_awaiting_sync(&mut self, id: &str, to: Option<ReplyTo>) -> Option<ReplyTo> {
        std::mem::replace(&mut self.members.get_mut(id)?.awaiting_sync, to)
    }

    pub(super) fn set_joined(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.is_new = false;
        }
    }

    pub(super) fn set_assignment(&mut self, id: &str, assignment: Bytes) {
        if let Some(member) = self.members.get_mut(id) {
            self.size_bytes = self.size_bytes.saturating_sub(member.assignment.len()) + assignment.len();
            member.assignment = assignment;
        }
    }

    /// If the leader did not join again, one that did takes its place. False if nobody joined.
    pub(super) fn maybe_elect_new_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(Member::is_awaiting_join) {
            return true;
        }
        match self.members.values().find(|member| member.is_awaiting_join()) {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// Whether a member with these protocols fits in.
    pub(super) fn supports_protocols(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.is_in(GroupState::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| self.is_supported_by_all(name))
    }

    fn is_supported_by_all(&self, protocol: &str) -> bool {
        self.supported_protocols.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    /// Each member votes for the first of its protocols that all support; among equals the order of Java's hash map decides, as with Kafka.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| self.is_supported_by_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let chosen = votes.into_iter().min_by_key(|(name, count)| (std::cmp::Reverse(*count), java_bucket(name)));
        chosen.map(|(name, _)| name.to_owned())
    }

    /// A group that was a consumer group: each member has its assignment at once.
    pub(super) fn become_stable(&mut self) {
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        self.state = GroupState::Stable;
    }

    /// All have joined: next generation, with its protocol. Without members the group is empty.
    pub(super) fn init_next_generation(&mut self, now_ms: i64) {
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.protocol_name = self.select_protocol();
        let next = if self.members.is_empty() { GroupState::Empty } else { GroupState::CompletingRebalance };
        self.subscribed_topics = self.compute_subscribed_topics();
        self.transition_to(next, now_ms);
        self.pending_syncs.clear();
    }

    fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(consumer_protocol::subscribed_topics(&member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// Whether its members read this topic; unknown counts as yes for consumers.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, or fine.
    pub(super) fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(existing) if &**existing != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.has_member(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Its state as a record, with these assignments in place of the members' own.
    pub(super) fn to_record(&self, assignments: Option<&BTreeMap<Arc<str>, Bytes>>) -> GroupRecord {
        let protocol = self.protocol_name.as_deref().unwrap_or("");
        let member_record = |member: &Member| MemberRecord {
            member_id: member.id.to_string(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: match assignments {
                Some(assignments) => assignments.get(&member.id).cloned().unwrap_or_default(),
                None => member.assignment.clone(),
            },
        };
        GroupRecord {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.as_ref().map(ToString::to_string),
            state_timestamp_ms: self.state_timestamp_ms.unwrap_or(-1),
            members: self.members.values().map(member_record).collect(),
        }
    }

    fn count_protocols(&mut self, protocols: &[(String, Bytes)]) {
        for (name, _) in protocols {
            *self.supported_protocols.entry(name.clone()).or_default() += 1;
        }
    }

    fn uncount_protocols(&mut self, protocols: &[(String, Bytes)]) {
        for (name, _) in protocols {
            if let Some(count) = self.supported_protocols.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.supported_protocols.remove(name);
                }
            }
        }
    }
}
