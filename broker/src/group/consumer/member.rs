//! A member of a consumer group.
//!
//! Source: `ConsumerGroupMember`, `MemberState`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::types::Id;

/// Partitions by topic.
pub type Assignment = BTreeMap<Id, BTreeSet<i32>>;

/// Partitions by topic, each with the epoch in which its member got it.
pub type Owned = BTreeMap<Id, BTreeMap<i32, i32>>;

/// Epoch by which a member leaves.
pub const LEAVE: i32 = -1;

/// Epoch by which a static member leaves for a while.
pub const LEAVE_STATIC: i32 = -2;

/// How far a member is on its way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it should have.
    Stable = 0,
    /// It must give partitions up before it gets others.
    UnrevokedPartitions = 1,
    /// It waits for partitions that others have not given up.
    UnreleasedPartitions = 2,
    /// Written by a broker of a later version.
    Unknown = 127,
}

impl MemberState {
    /// By its number in records.
    pub fn of(number: i8) -> MemberState {
        match number {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

/// What is kept of a member that speaks the classic protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassicMetadata {
    /// Its session time-out.
    pub session_timeout_ms: i32,
    /// Its assignors, most liked first, each with the subscription for it.
    pub protocols: Vec<(String, Bytes)>,
}

/// What a member says of itself: `ConsumerGroupMemberMetadataValue`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MemberMetadata {
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// `client.rack`
    pub rack_id: Option<String>,
    /// `client.id`
    pub client_id: String,
    /// Its address as Java prints it.
    pub client_host: String,
    /// Topics that it names.
    pub topics: BTreeSet<Arc<str>>,
    /// Regular expression of further topics; empty if it has none.
    pub regex: String,
    /// How long it may take to give partitions up.
    pub rebalance_timeout_ms: i32,
    /// Assignor that it asks for.
    pub assignor: Option<String>,
    /// Set for a member that speaks the classic protocol.
    pub classic: Option<ClassicMetadata>,
}

/// What a member has: `ConsumerGroupCurrentMemberAssignmentValue`.
#[derive(Clone, Debug, PartialEq)]
pub struct Current {
    /// Its epoch.
    pub epoch: i32,
    /// The epoch before.
    pub previous_epoch: i32,
    /// Its state.
    pub state: MemberState,
    /// Partitions that it may read.
    pub assigned: Owned,
    /// Partitions that it must give up.
    pub revoking: Owned,
}

impl Default for Current {
    fn default() -> Current {
        Current {
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Owned::new(),
            revoking: Owned::new(),
        }
    }
}

impl Current {
    /// The same in another epoch.
    pub fn at_epoch(&self, epoch: i32) -> Current {
        Current { previous_epoch: self.epoch, epoch, ..self.clone() }
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Member id.
    pub id: Arc<str>,
    /// What it says of itself.
    pub metadata: MemberMetadata,
    /// What it has.
    pub current: Current,
}

impl Member {
    /// A member of which nothing is known yet.
    pub fn new(id: Arc<str>) -> Member {
        let metadata = MemberMetadata { rebalance_timeout_ms: -1, ..MemberMetadata::default() };
        Member { id, metadata, current: Current::default() }
    }

    /// Whether it speaks the classic protocol.
    pub fn is_classic(&self) -> bool {
        self.metadata.classic.is_some()
    }

    /// Whether it has all that it should have in this epoch.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == epoch
    }

    /// Its regular expression, if it has one.
    pub fn regex(&self) -> Option<&str> {
        Some(self.metadata.regex.as_str()).filter(|regex| !regex.is_empty())
    }

    /// Its instance id, if it is a static member.
    pub fn instance_id(&self) -> Option<&str> {
        self.metadata.instance_id.as_deref()
    }

    /// Memory that it stands for.
    pub fn size_bytes(&self) -> usize {
        let topics: usize = self.metadata.topics.iter().map(|topic| topic.len()).sum();
        let classic = self.metadata.classic.iter().flat_map(|classic| &classic.protocols);
        let classic: usize = classic.map(|(name, blob)| name.len() + blob.len()).sum();
        self.id.len() + topics + self.metadata.regex.len() + classic
    }
}

/// Without the epochs.
pub fn partitions_of(owned: &Owned) -> Assignment {
    owned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}

/// All with one epoch.
pub fn owned_since(assignment: &Assignment, epoch: i32) -> Owned {
    let with_epoch = |partitions: &BTreeSet<i32>| partitions.iter().map(|partition| (*partition, epoch)).collect();
    assignment.iter().map(|(topic, partitions)| (*topic, with_epoch(partitions))).collect()
}
