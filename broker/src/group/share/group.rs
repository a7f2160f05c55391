//! A share group, changed by replaying records only.
//!
//! Source: `ShareGroup`, `ModernGroup`, `GroupMetadataManager.replay`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::{Current, Member};
use super::records::ShareRecord;
use super::state::StatePartitions;
use crate::group::api::{OffsetsRecord, Refusal};
use crate::group::consumer::{Assignment, LEAVE};
use crate::group::kind::{Group, Recorded};
use crate::group::topics::Topics;
use crate::group::work::{Refresh, Standing};
use crate::protocol::ErrorCode;
use crate::records::fields::RecordError;
use crate::types::Id;

/// A share group.
#[derive(Clone, Debug)]
pub struct ShareGroup {
    /// Group id.
    pub id: Arc<str>,
    /// Grows with each change of members, subscriptions, topics or initialised partitions.
    pub epoch: i32,
    /// Of the topics that it reads.
    pub metadata_hash: u64,
    /// Group epoch for which the target was worked out.
    pub target_epoch: i32,
    /// When it was, ms; 0 if that is not known.
    pub target_at_ms: i64,
    members: BTreeMap<Arc<str>, Arc<Member>>,
    target: BTreeMap<Arc<str>, Arc<Assignment>>,
    /// How many members read a topic.
    subscribed: BTreeMap<Arc<str>, usize>,
    state: Option<Arc<StatePartitions>>,
    /// Not in the log: when the topics are looked at again.
    pub refresh: Refresh,
    /// Not in the log: when `state` was written last, ms; or loaded.
    pub state_at_ms: i64,
    size_bytes: usize,
}

/// The same group, if all that the log keeps of it is the same.
impl PartialEq for ShareGroup {
    fn eq(&self, other: &ShareGroup) -> bool {
        (&self.id, self.epoch, self.metadata_hash, self.target_epoch, self.target_at_ms)
            == (&other.id, other.epoch, other.metadata_hash, other.target_epoch, other.target_at_ms)
            && self.members == other.members
            && self.target == other.target
            && self.subscribed == other.subscribed
            && self.state == other.state
    }
}

impl ShareGroup {
    /// `Stable` or `Empty`.
    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() { "Empty" } else { "Stable" }
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

    /// What a member should have.
    pub fn target_of(&self, id: &str) -> Option<&Arc<Assignment>> {
        self.target.get(id)
    }

    /// Topics that it reads.
    pub fn subscribed(&self) -> &BTreeMap<Arc<str>, usize> {
        &self.subscribed
    }

    /// Topics that it will read once `old` is `new`.
    pub fn subscribed_with(&self, old: &Member, new: Option<&Member>) -> BTreeMap<Arc<str>, usize> {
        let mut subscribed = self.subscribed.clone();
        for topic in &old.metadata.topics {
            uncount(&mut subscribed, topic);
        }
        for topic in new.iter().flat_map(|member| &member.metadata.topics) {
            *subscribed.entry(topic.clone()).or_default() += 1;
        }
        subscribed
    }

    /// Which partitions have a share state; `None` if it has never had any.
    pub fn state(&self) -> Option<&Arc<StatePartitions>> {
        self.state.as_ref()
    }

    /// Whether a topic that it reads has initialised partitions of which the target knows nothing yet.
    pub fn has_unassigned(&self, topics: &Topics) -> bool {
        let Some(state) = self.state.as_ref().filter(|_| !self.is_empty()) else { return false };
        let mut assigned: BTreeMap<Id, BTreeSet<i32>> = BTreeMap::new();
        for (topic, partitions) in self.target.values().flat_map(|target| target.iter()) {
            assigned.entry(*topic).or_default().extend(partitions);
        }
        // A topic that is gone has got another id if it came back, and nobody is given its partitions.
        let exists = |id: Id| topics.name(id).is_some_and(|name| self.subscribed.contains_key(name));
        let mut read = state.initialized.iter().filter(|(id, _)| exists(**id));
        read.any(|(id, topic)| assigned.get(id) != Some(&topic.partitions))
    }

    fn member_or_new(&self, id: &Arc<str>) -> Member {
        self.member(id).map_or_else(|| Member::new(id.clone()), |member| (**member).clone())
    }

    fn put(&mut self, member: Member) {
        self.forget(&member.id);
        for topic in &member.metadata.topics {
            *self.subscribed.entry(topic.clone()).or_default() += 1;
        }
        self.size_bytes += member.size_bytes();
        self.members.insert(member.id.clone(), Arc::new(member));
    }

    /// Takes a member out of all counts.
    fn forget(&mut self, id: &str) {
        let Some(member) = self.members.remove(id) else { return };
        for topic in &member.metadata.topics {
            uncount(&mut self.subscribed, topic);
        }
        self.size_bytes = self.size_bytes.saturating_sub(member.size_bytes());
    }

    /// Records that remove all of it.
    pub fn tombstones(&self) -> Vec<ShareRecord> {
        let ids = self.member_ids();
        let mut records: Vec<_> = ids.iter().map(|id| ShareRecord::Current(id.clone(), None)).collect();
        records.extend(ids.iter().map(|id| ShareRecord::TargetMember(id.clone(), None)));
        records.push(ShareRecord::TargetEpoch(None));
        records.extend(ids.iter().map(|id| ShareRecord::Member(id.clone(), None)));
        records.push(ShareRecord::State(None));
        records.push(ShareRecord::Group(None));
        records
    }

    /// Records that remove one member.
    pub fn without(&self, member: &Member, topics: &Topics) -> Vec<ShareRecord> {
        let hash = topics.hash(self.subscribed_with(member, None).keys());
        vec![
            ShareRecord::Current(member.id.clone(), None),
            ShareRecord::TargetMember(member.id.clone(), None),
            ShareRecord::Member(member.id.clone(), None),
            ShareRecord::Group(Some((self.epoch + 1, hash))),
        ]
    }
}

impl Recorded for ShareGroup {
    type Record = ShareRecord;

    fn new(id: Arc<str>) -> ShareGroup {
        ShareGroup {
            id,
            // Kafka's first epoch; the first change makes it 2.
            epoch: 1,
            metadata_hash: 0,
            target_epoch: 1,
            target_at_ms: 0,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            subscribed: BTreeMap::new(),
            state: None,
            refresh: Refresh::default(),
            state_at_ms: 0,
            size_bytes: 0,
        }
    }

    fn of(group: &Group) -> Option<&ShareGroup> {
        group.share()
    }

    fn of_mut(group: &mut Group) -> Option<&mut ShareGroup> {
        group.share_mut()
    }

    fn replay(&mut self, record: &ShareRecord) {
        match record {
            ShareRecord::Member(id, Some(metadata)) => {
                let mut member = self.member_or_new(id);
                member.metadata = (**metadata).clone();
                self.put(member);
            }
            ShareRecord::Member(id, None) => self.forget(id),
            ShareRecord::Group(Some((epoch, hash))) => (self.epoch, self.metadata_hash) = (*epoch, *hash),
            // The group as such is removed by who holds it.
            ShareRecord::Group(None) => {}
            ShareRecord::TargetEpoch(value) => {
                (self.target_epoch, self.target_at_ms) = value.unwrap_or((-1, 0));
            }
            ShareRecord::TargetMember(id, Some(target)) => {
                self.target.insert(id.clone(), target.clone());
            }
            ShareRecord::TargetMember(id, None) => {
                self.target.remove(id);
            }
            ShareRecord::Current(id, Some(current)) => {
                let mut member = self.member_or_new(id);
                member.current = (**current).clone();
                self.put(member);
            }
            ShareRecord::Current(id, None) => {
                if let Some(member) = self.member(id) {
                    let mut member = (**member).clone();
                    member.current = Current { epoch: LEAVE, previous_epoch: LEAVE, ..Current::default() };
                    self.put(member);
                }
            }
            ShareRecord::State(state) => self.state.clone_from(state),
        }
    }

    fn encode(id: &str, record: &ShareRecord) -> Result<OffsetsRecord, RecordError> {
        record.encode(id)
    }

    fn is_tombstone(record: &ShareRecord) -> bool {
        record.is_tombstone()
    }

    fn removes_group(record: &ShareRecord) -> bool {
        matches!(record, ShareRecord::Group(None))
    }

    fn standing(&self) -> Standing {
        Standing {
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            state: self.state_name(),
            members: self.member_count(),
        }
    }

    fn refresh_mut(&mut self) -> &mut Refresh {
        &mut self.refresh
    }
}

fn uncount(subscribed: &mut BTreeMap<Arc<str>, usize>, topic: &Arc<str>) {
    if let Some(count) = subscribed.get_mut(topic) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            subscribed.remove(topic);
        }
    }
}
