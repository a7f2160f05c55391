//! A consumer group, changed by replaying records only.
//!
//! Source: `ConsumerGroup`, `ModernGroup`, `GroupMetadataManager.replay`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::{Assignment, Current, LEAVE, Member, Owned};
use super::records::ConsumerRecord;
use super::regexes::ResolvedRegex;
use crate::group::api::{OffsetsRecord, Refusal};
use crate::group::kind::{Group, Recorded};
use crate::group::work::{Refresh, Standing};
use crate::protocol::ErrorCode;
use crate::records::fields::RecordError;
use crate::types::Id;

/// State of a consumer group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerState {
    /// No members; perhaps offsets.
    Empty,
    /// Its target assignment is of an older epoch.
    Assigning,
    /// Not all members have their target yet.
    Reconciling,
    /// All members have what they should have.
    Stable,
}

impl ConsumerState {
    /// As Kafka names it.
    pub fn name(self) -> &'static str {
        match self {
            ConsumerState::Empty => "Empty",
            ConsumerState::Assigning => "Assigning",
            ConsumerState::Reconciling => "Reconciling",
            ConsumerState::Stable => "Stable",
        }
    }
}

/// How often a topic is subscribed to: by how many members' names, and by how many regular expressions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscribers {
    /// Members that name it.
    pub by_name: usize,
    /// Regular expressions that mean it.
    pub by_regex: usize,
}

/// Topics that a group reads.
pub type Subscribed = BTreeMap<Arc<str>, Subscribers>;

/// A consumer group.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// Group id.
    pub id: Arc<str>,
    /// Grows with each change of members, subscriptions or topics.
    pub epoch: i32,
    /// Of the topics that it reads.
    pub metadata_hash: u64,
    /// Group epoch for which the target was worked out.
    pub target_epoch: i32,
    /// When it was, ms; 0 if that is not known.
    pub target_at_ms: i64,
    members: BTreeMap<Arc<str>, Arc<Member>>,
    static_members: BTreeMap<String, Arc<str>>,
    target: BTreeMap<Arc<str>, Arc<Assignment>>,
    /// Who holds a partition, by the epoch of its member.
    partition_epochs: BTreeMap<Id, BTreeMap<i32, i32>>,
    subscribed: Subscribed,
    regexes: BTreeMap<String, ResolvedRegex>,
    /// A record of Kafka 4.0 is in the log, to be removed.
    pub has_partition_metadata: bool,
    /// Not in the log: when the topics are looked at again.
    pub refresh: Refresh,
    size_bytes: usize,
}

/// The same group, if all that the log keeps of it is the same.
impl PartialEq for ConsumerGroup {
    fn eq(&self, other: &ConsumerGroup) -> bool {
        (&self.id, self.epoch, self.metadata_hash, self.target_epoch, self.target_at_ms)
            == (&other.id, other.epoch, other.metadata_hash, other.target_epoch, other.target_at_ms)
            && self.members == other.members
            && self.static_members == other.static_members
            && self.target == other.target
            && self.partition_epochs == other.partition_epochs
            && self.subscribed == other.subscribed
            && self.regexes == other.regexes
    }
}

impl ConsumerGroup {
    /// Its state.
    pub fn state(&self) -> ConsumerState {
        if self.members.is_empty() {
            ConsumerState::Empty
        } else if self.epoch > self.target_epoch {
            ConsumerState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Its members.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.values()
    }

    /// Their ids.
    pub fn member_ids(&self) -> Vec<Arc<str>> {
        self.members.keys().cloned().collect()
    }

    /// How many.
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Memory that its members stand for.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// One of them.
    pub fn member(&self, id: &str) -> Option<&Arc<Member>> {
        self.members.get(id)
    }

    /// One of them, or UNKNOWN_MEMBER_ID.
    pub fn known_member(&self, id: &str) -> Result<&Arc<Member>, Refusal> {
        let unknown =
            || Refusal::new(ErrorCode::UnknownMemberId, format!("Member {id} is not a member of group {}.", self.id));
        self.member(id).ok_or_else(unknown)
    }

    /// Id of a static member.
    pub fn static_member_id(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.static_members.get(instance_id)
    }

    /// A static member.
    pub fn static_member(&self, instance_id: &str) -> Option<&Arc<Member>> {
        self.member(self.static_member_id(instance_id)?)
    }

    /// What a member should have.
    pub fn target_of(&self, id: &str) -> Option<&Arc<Assignment>> {
        self.target.get(id)
    }

    /// What a member should have; for a static one that has just come back, what the one before it should.
    pub fn target_or_replaced(&self, member: &Member) -> Arc<Assignment> {
        let id = match member.instance_id() {
            Some(instance_id) => self.static_member_id(instance_id),
            None => Some(&member.id),
        };
        id.and_then(|id| self.target_of(id)).cloned().unwrap_or_default()
    }

    /// Epoch of the member that holds a partition; -1 if nobody does.
    pub fn partition_epoch(&self, topic: Id, partition: i32) -> i32 {
        self.partition_epochs.get(&topic).and_then(|epochs| epochs.get(&partition)).copied().unwrap_or(-1)
    }

    /// Topics that it reads.
    pub fn subscribed(&self) -> &Subscribed {
        &self.subscribed
    }

    /// Its resolved regular expressions.
    pub fn regexes(&self) -> &BTreeMap<String, ResolvedRegex> {
        &self.regexes
    }

    /// How many members have which regular expression.
    pub fn regex_counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for regex in self.members.values().filter_map(|member| member.regex()) {
            *counts.entry(regex).or_default() += 1;
        }
        counts
    }

    /// How many members have this one.
    pub fn regex_count(&self, regex: &str) -> usize {
        self.members.values().filter(|member| member.regex() == Some(regex)).count()
    }

    /// Members that speak the classic protocol.
    pub fn classic_count(&self) -> usize {
        self.members.values().filter(|member| member.is_classic()).count()
    }

    /// The assignor that most members ask for.
    pub fn preferred_assignor<'a>(members: impl Iterator<Item = &'a Member>) -> Option<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for assignor in members.filter_map(|member| member.metadata.assignor.as_deref()) {
            *counts.entry(assignor).or_default() += 1;
        }
        // Among equals the last by name: of uniform and range the one that comes first in Java's hash map.
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.to_owned())
    }

    fn member_or_new(&self, id: &Arc<str>) -> Member {
        self.member(id).map_or_else(|| Member::new(id.clone()), |member| (**member).clone())
    }

    fn put(&mut self, member: Member) {
        self.forget(&member.id);
        for topic in &member.metadata.topics {
            self.subscribed.entry(topic.clone()).or_default().by_name += 1;
        }
        if let Some(instance_id) = member.instance_id() {
            self.static_members.insert(instance_id.to_owned(), member.id.clone());
        }
        self.hold(&member.current.assigned, member.current.epoch);
        self.hold(&member.current.revoking, member.current.epoch);
        self.size_bytes += member.size_bytes();
        self.members.insert(member.id.clone(), Arc::new(member));
    }

    fn remove(&mut self, id: &str) {
        let Some(member) = self.forget(id) else { return };
        if let Some(instance_id) = member.instance_id()
            && self.static_members.get(instance_id).is_some_and(|of| **of == *id)
        {
            self.static_members.remove(instance_id);
        }
    }

    /// Takes a member out of all counts.
    fn forget(&mut self, id: &str) -> Option<Arc<Member>> {
        let member = self.members.remove(id)?;
        for topic in &member.metadata.topics {
            self.uncount(topic, |subscribers| &mut subscribers.by_name);
        }
        self.release(&member.current.assigned, member.current.epoch);
        self.release(&member.current.revoking, member.current.epoch);
        self.size_bytes = self.size_bytes.saturating_sub(member.size_bytes());
        Some(member)
    }

    fn uncount(&mut self, topic: &Arc<str>, which: impl Fn(&mut Subscribers) -> &mut usize) {
        uncount(&mut self.subscribed, topic, which);
    }

    fn set_regex(&mut self, regex: &str, value: Option<ResolvedRegex>) {
        if let Some(before) = self.regexes.remove(regex) {
            for topic in &before.topics {
                self.uncount(topic, |subscribers| &mut subscribers.by_regex);
            }
        }
        if let Some(value) = value {
            for topic in &value.topics {
                self.subscribed.entry(topic.clone()).or_default().by_regex += 1;
            }
            self.regexes.insert(regex.to_owned(), value);
        }
    }

    fn hold(&mut self, owned: &Owned, epoch: i32) {
        for (topic, partitions) in owned {
            let epochs = self.partition_epochs.entry(*topic).or_default();
            for partition in partitions.keys() {
                epochs.insert(*partition, epoch);
            }
        }
    }

    fn release(&mut self, owned: &Owned, epoch: i32) {
        for (topic, partitions) in owned {
            let Some(epochs) = self.partition_epochs.get_mut(topic) else { continue };
            for partition in partitions.keys() {
                // Another member may hold it by now, in a later epoch.
                if epochs.get(partition) == Some(&epoch) {
                    epochs.remove(partition);
                }
            }
            if epochs.is_empty() {
                self.partition_epochs.remove(topic);
            }
        }
    }

    /// Records that remove all of it.
    pub fn tombstones(&self) -> Vec<ConsumerRecord> {
        self.tombstones_of(self.member_ids(), self.regexes.keys())
    }

    /// The same, with `joining` in place of `leaving`, whose own have been written.
    pub fn tombstones_with(&self, leaving: &str, joining: &Arc<str>) -> Vec<ConsumerRecord> {
        let instead = |id: Arc<str>| if *id == *leaving { joining.clone() } else { id };
        self.tombstones_of(self.member_ids().into_iter().map(instead).collect(), self.regexes.keys())
    }

    fn tombstones_of<'a>(&self, ids: Vec<Arc<str>>, regexes: impl Iterator<Item = &'a String>) -> Vec<ConsumerRecord> {
        let mut records: Vec<_> = ids.iter().map(|id| ConsumerRecord::Current(id.clone(), None)).collect();
        records.extend(ids.iter().map(|id| ConsumerRecord::TargetMember(id.clone(), None)));
        records.push(ConsumerRecord::TargetEpoch(None));
        records.extend(ids.iter().map(|id| ConsumerRecord::Member(id.clone(), None)));
        records.extend(regexes.map(|regex| ConsumerRecord::Regex(regex.clone(), None)));
        records.push(ConsumerRecord::PartitionMetadata(false));
        records.push(ConsumerRecord::Group(None));
        records
    }

    /// Topics that it will read once `old` is `new`, and these regular expressions are gone.
    pub fn subscribed_with(
        &self,
        old: &[&Member],
        new: Option<&Member>,
        gone_regexes: impl Iterator<Item = String>,
    ) -> Subscribed {
        let mut subscribed = self.subscribed.clone();
        for topic in old.iter().flat_map(|member| &member.metadata.topics) {
            uncount(&mut subscribed, topic, |subscribers| &mut subscribers.by_name);
        }
        for topic in new.iter().flat_map(|member| &member.metadata.topics) {
            subscribed.entry(topic.clone()).or_default().by_name += 1;
        }
        for regex in gone_regexes.filter_map(|regex| self.regexes.get(&regex)) {
            for topic in &regex.topics {
                uncount(&mut subscribed, topic, |subscribers| &mut subscribers.by_regex);
            }
        }
        subscribed
    }

    /// Names of the topics that a member reads.
    pub fn topics_of(&self, member: &Member) -> BTreeSet<Arc<str>> {
        let mut topics = member.metadata.topics.clone();
        if let Some(resolved) = member.regex().and_then(|regex| self.regexes.get(regex)) {
            topics.extend(resolved.topics.iter().cloned());
        }
        topics
    }
}

impl Recorded for ConsumerGroup {
    type Record = ConsumerRecord;

    fn new(id: Arc<str>) -> ConsumerGroup {
        ConsumerGroup {
            id,
            // Kafka's first epoch; the first change makes it 2.
            epoch: 1,
            metadata_hash: 0,
            target_epoch: 1,
            target_at_ms: 0,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            target: BTreeMap::new(),
            partition_epochs: BTreeMap::new(),
            subscribed: Subscribed::new(),
            regexes: BTreeMap::new(),
            has_partition_metadata: false,
            refresh: Refresh::default(),
            size_bytes: 0,
        }
    }

    fn of(group: &Group) -> Option<&ConsumerGroup> {
        group.consumer()
    }

    fn of_mut(group: &mut Group) -> Option<&mut ConsumerGroup> {
        group.consumer_mut()
    }

    fn replay(&mut self, record: &ConsumerRecord) {
        match record {
            ConsumerRecord::Group(Some((epoch, hash))) => (self.epoch, self.metadata_hash) = (*epoch, *hash),
            // The group as such is removed by who holds it.
            ConsumerRecord::Group(None) => {}
            ConsumerRecord::PartitionMetadata(there) => self.has_partition_metadata = *there,
            ConsumerRecord::Member(id, Some(metadata)) => {
                let mut member = self.member_or_new(id);
                member.metadata = (**metadata).clone();
                self.put(member);
            }
            ConsumerRecord::Member(id, None) => self.remove(id),
            ConsumerRecord::TargetEpoch(value) => {
                (self.target_epoch, self.target_at_ms) = value.unwrap_or((-1, 0));
            }
            ConsumerRecord::TargetMember(id, Some(target)) => {
                self.target.insert(id.clone(), target.clone());
            }
            ConsumerRecord::TargetMember(id, None) => {
                self.target.remove(id);
            }
            ConsumerRecord::Current(id, Some(current)) => {
                let mut member = self.member_or_new(id);
                member.current = (**current).clone();
                self.put(member);
            }
            ConsumerRecord::Current(id, None) => {
                if let Some(member) = self.member(id) {
                    let mut member = (**member).clone();
                    member.current = Current { epoch: LEAVE, previous_epoch: LEAVE, ..Current::default() };
                    self.put(member);
                }
            }
            ConsumerRecord::Regex(regex, value) => self.set_regex(regex, value.clone()),
        }
    }

    fn encode(id: &str, record: &ConsumerRecord) -> Result<OffsetsRecord, RecordError> {
        record.encode(id)
    }

    fn is_tombstone(record: &ConsumerRecord) -> bool {
        record.is_tombstone()
    }

    fn removes_group(record: &ConsumerRecord) -> bool {
        matches!(record, ConsumerRecord::Group(None))
    }

    fn standing(&self) -> Standing {
        Standing {
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            state: self.state().name(),
            members: self.member_count(),
        }
    }

    fn refresh_mut(&mut self) -> &mut Refresh {
        &mut self.refresh
    }
}

fn uncount(subscribed: &mut Subscribed, topic: &Arc<str>, which: impl Fn(&mut Subscribers) -> &mut usize) {
    if let Some(subscribers) = subscribed.get_mut(topic) {
        let count = which(subscribers);
        *count = count.saturating_sub(1);
        if *subscribers == Subscribers::default() {
            subscribed.remove(topic);
        }
    }
}
