//! A streams group: what the log keeps of it is changed by replaying records only.
//!
//! Source: `StreamsGroup`, `GroupMetadataManager.replay`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::configure::Configured;
use super::member::{Current, Member};
use super::records::{GroupMetadata, StreamsRecord};
use super::tasks::{Owned, TaskSet, Tasks};
use super::topology::Topology;
use crate::group::api::{OffsetsRecord, Refusal};
use crate::group::consumer::LEAVE;
use crate::group::kind::{Group, Recorded};
use crate::group::work::{Refresh, Standing};
use crate::protocol::ErrorCode;
use crate::records::fields::RecordError;

/// State of a streams group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamsState {
    /// No members; perhaps offsets.
    Empty,
    /// Its topology's topics are not all there, or not as they must be.
    NotReady,
    /// Its target assignment is of an older epoch.
    Assigning,
    /// Not all members have their target yet.
    Reconciling,
    /// All members have what they should have.
    Stable,
}

impl StreamsState {
    /// As Kafka names it.
    pub fn name(self) -> &'static str {
        match self {
            StreamsState::Empty => "Empty",
            StreamsState::NotReady => "NotReady",
            StreamsState::Assigning => "Assigning",
            StreamsState::Reconciling => "Reconciling",
            StreamsState::Stable => "Stable",
        }
    }
}

/// How many members of which process have a task: by subtopology, partition and process.
type Holders = BTreeMap<Arc<str>, BTreeMap<i32, BTreeMap<Arc<str>, usize>>>;

/// What a coordinator knows of a group beside the log, and its successor finds out anew.
#[derive(Clone, Debug, Default)]
pub struct Soft {
    /// When the topics are looked at again.
    pub refresh: Refresh,
    /// The topology with its topics, as they were when they were looked at.
    pub configured: Option<Arc<Configured>>,
    /// Member that asked for the whole application to be shut down.
    pub shutdown_by: Option<Arc<str>>,
    /// Grows whenever a member with an endpoint is given other tasks.
    pub endpoint_epoch: i32,
}

/// A streams group.
#[derive(Clone, Debug)]
pub struct StreamsGroup {
    /// Group id.
    pub id: Arc<str>,
    /// What is kept of it as such.
    pub metadata: GroupMetadata,
    /// Group epoch for which the target was worked out.
    pub target_epoch: i32,
    /// When it was, ms; 0 if that is not known.
    pub target_at_ms: i64,
    /// What the application is made of.
    pub topology: Option<Arc<Topology>>,
    members: BTreeMap<Arc<str>, Arc<Member>>,
    target: BTreeMap<Arc<str>, Arc<TaskSet>>,
    active: Holders,
    standby: Holders,
    warmup: Holders,
    size_bytes: usize,
    /// Not in the log.
    pub soft: Soft,
}

/// The same group, if all that the log keeps of it is the same.
impl PartialEq for StreamsGroup {
    fn eq(&self, other: &StreamsGroup) -> bool {
        (&self.id, &self.metadata, self.target_epoch, self.target_at_ms)
            == (&other.id, &other.metadata, other.target_epoch, other.target_at_ms)
            && self.topology == other.topology
            && self.members == other.members
            && self.target == other.target
            && (&self.active, &self.standby, &self.warmup) == (&other.active, &other.standby, &other.warmup)
    }
}

impl StreamsGroup {
    /// Its state.
    pub fn state(&self) -> StreamsState {
        if self.members.is_empty() {
            StreamsState::Empty
        } else if self.topology.as_ref().is_none_or(|topology| topology.epoch != self.metadata.validated_epoch) {
            StreamsState::NotReady
        } else if self.metadata.epoch > self.target_epoch {
            StreamsState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            StreamsState::Stable
        } else {
            StreamsState::Reconciling
        }
    }

    /// Group epoch.
    pub fn epoch(&self) -> i32 {
        self.metadata.epoch
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

    /// Memory that its members and its topology stand for.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes + self.topology.as_ref().map_or(0, |topology| topology.size_bytes())
    }

    /// One of its members.
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
    pub fn target_of(&self, id: &str) -> Option<&Arc<TaskSet>> {
        self.target.get(id)
    }

    /// Whether any member has a task as active, or has not given it up.
    pub fn is_active_anywhere(&self, subtopology: &str, partition: i32) -> bool {
        holders(&self.active, subtopology, partition).is_some_and(|holders| !holders.is_empty())
    }

    /// Whether a member of this process has a task as active, or has not given it up.
    pub fn is_active_at(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        holders(&self.active, subtopology, partition).is_some_and(|holders| holders.contains_key(process))
    }

    /// The same for a standby, or a task to warm up.
    pub fn is_copied_at(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        let has = |all| holders(all, subtopology, partition).is_some_and(|holders| holders.contains_key(process));
        has(&self.standby) || has(&self.warmup)
    }

    /// Whether its members read a topic.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        !self.is_empty() && self.topology.as_ref().is_some_and(|topology| topology.reader_of(topic).is_some())
    }

    /// Whether it matters to the group what a topic looks like.
    pub fn requires(&self, topic: &str) -> bool {
        self.topology.as_ref().is_some_and(|topology| topology.required_topics().iter().any(|name| ***name == *topic))
    }

    fn member_or_new(&self, id: &Arc<str>) -> Member {
        self.member(id).map_or_else(|| Member::new(id.clone()), |member| (**member).clone())
    }

    fn put(&mut self, member: Member) {
        self.forget(&member.id);
        for owned in [&member.current.assigned, &member.current.revoking] {
            self.count(owned, &member.metadata.process_id, true);
        }
        self.size_bytes += member.size_bytes();
        self.members.insert(member.id.clone(), Arc::new(member));
    }

    /// Takes a member out of all counts.
    fn forget(&mut self, id: &str) {
        let Some(member) = self.members.remove(id) else { return };
        for owned in [&member.current.assigned, &member.current.revoking] {
            self.count(owned, &member.metadata.process_id, false);
        }
        self.size_bytes = self.size_bytes.saturating_sub(member.size_bytes());
    }

    fn count(&mut self, owned: &Owned, process: &Arc<str>, up: bool) {
        count(&mut self.active, &owned.active_tasks(), process, up);
        count(&mut self.standby, &owned.standby, process, up);
        count(&mut self.warmup, &owned.warmup, process, up);
    }

    /// Records that remove all of it.
    pub fn tombstones(&self) -> Vec<StreamsRecord> {
        let ids = self.member_ids();
        let mut records: Vec<_> = ids.iter().map(|id| StreamsRecord::Current(id.clone(), None)).collect();
        records.extend(ids.iter().map(|id| StreamsRecord::TargetMember(id.clone(), None)));
        records.push(StreamsRecord::TargetEpoch(None));
        records.extend(ids.iter().map(|id| StreamsRecord::Member(id.clone(), None)));
        records.push(StreamsRecord::Group(None));
        records.push(StreamsRecord::Topology(None));
        records
    }
}

impl Recorded for StreamsGroup {
    type Record = StreamsRecord;

    fn new(id: Arc<str>) -> StreamsGroup {
        StreamsGroup {
            id,
            // Kafka's first epoch, and its first validated topology.
            metadata: GroupMetadata {
                epoch: 1,
                metadata_hash: 0,
                validated_epoch: 0,
                assignment_configs: BTreeMap::new(),
            },
            target_epoch: 1,
            target_at_ms: 0,
            topology: None,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            active: Holders::new(),
            standby: Holders::new(),
            warmup: Holders::new(),
            size_bytes: 0,
            soft: Soft::default(),
        }
    }

    fn of(group: &Group) -> Option<&StreamsGroup> {
        group.streams()
    }

    fn of_mut(group: &mut Group) -> Option<&mut StreamsGroup> {
        group.streams_mut()
    }

    fn replay(&mut self, record: &StreamsRecord) {
        match record {
            StreamsRecord::Group(Some(metadata)) => self.metadata = (**metadata).clone(),
            // The group as such is removed by who holds it.
            StreamsRecord::Group(None) => {}
            StreamsRecord::Member(id, Some(metadata)) => {
                let mut member = self.member_or_new(id);
                member.metadata = (**metadata).clone();
                self.put(member);
            }
            StreamsRecord::Member(id, None) => {
                self.forget(id);
                // The application is shut down when its last member has gone.
                if self.members.is_empty() {
                    self.soft.shutdown_by = None;
                }
            }
            StreamsRecord::TargetEpoch(value) => (self.target_epoch, self.target_at_ms) = value.unwrap_or((-1, 0)),
            StreamsRecord::TargetMember(id, Some(target)) => {
                self.target.insert(id.clone(), target.clone());
            }
            StreamsRecord::TargetMember(id, None) => {
                self.target.remove(id);
            }
            StreamsRecord::Current(id, Some(current)) => {
                let mut member = self.member_or_new(id);
                member.current = (**current).clone();
                self.put(member);
            }
            StreamsRecord::Current(id, None) => {
                if let Some(member) = self.member(id) {
                    let mut member = (**member).clone();
                    member.current = Current { epoch: LEAVE, previous_epoch: LEAVE, ..Current::default() };
                    self.put(member);
                }
            }
            StreamsRecord::Topology(topology) => self.topology.clone_from(topology),
        }
    }

    fn encode(id: &str, record: &StreamsRecord) -> Result<OffsetsRecord, RecordError> {
        record.encode(id)
    }

    fn is_tombstone(record: &StreamsRecord) -> bool {
        record.is_tombstone()
    }

    fn removes_group(record: &StreamsRecord) -> bool {
        matches!(record, StreamsRecord::Group(None))
    }

    fn standing(&self) -> Standing {
        Standing {
            epoch: self.metadata.epoch,
            target_epoch: self.target_epoch,
            state: self.state().name(),
            members: self.member_count(),
        }
    }

    fn refresh_mut(&mut self) -> &mut Refresh {
        &mut self.soft.refresh
    }
}

fn holders<'a>(all: &'a Holders, subtopology: &str, partition: i32) -> Option<&'a BTreeMap<Arc<str>, usize>> {
    all.get(subtopology)?.get(&partition)
}

fn count(all: &mut Holders, tasks: &Tasks, process: &Arc<str>, up: bool) {
    for (id, partitions) in tasks {
        if up {
            let by_partition = all.entry(id.clone()).or_default();
            for partition in partitions {
                *by_partition.entry(*partition).or_default().entry(process.clone()).or_default() += 1;
            }
        } else if let Some(by_partition) = all.get_mut(id) {
            uncount(by_partition, partitions, process);
            if by_partition.is_empty() {
                all.remove(id);
            }
        }
    }
}

fn uncount(by_partition: &mut BTreeMap<i32, BTreeMap<Arc<str>, usize>>, gone: &BTreeSet<i32>, process: &Arc<str>) {
    for partition in gone {
        let Some(holders) = by_partition.get_mut(partition) else { continue };
        if let Some(count) = holders.get_mut(process) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                holders.remove(process);
            }
        }
        if holders.is_empty() {
            by_partition.remove(partition);
        }
    }
}
