//! A member of a share group.
//!
//! Source: `ShareGroupMember`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::group::consumer::{Assignment, MemberState};

/// What a member says of itself: `ShareGroupMemberMetadataValue`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MemberMetadata {
    /// `client.rack`
    pub rack_id: Option<String>,
    /// `client.id`
    pub client_id: String,
    /// Its address as Java prints it.
    pub client_host: String,
    /// Topics that it reads.
    pub topics: BTreeSet<Arc<str>>,
}

/// What a member has: `ShareGroupCurrentMemberAssignmentValue`. Partitions are shared, so it has its target as soon as it is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Current {
    /// Its epoch.
    pub epoch: i32,
    /// The epoch before.
    pub previous_epoch: i32,
    /// Always stable, unless a broker of a later version wrote it.
    pub state: MemberState,
    /// Partitions that it may read.
    pub assigned: Assignment,
}

impl Default for Current {
    fn default() -> Current {
        Current { epoch: 0, previous_epoch: -1, state: MemberState::Stable, assigned: Assignment::new() }
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Member id, chosen by itself.
    pub id: Arc<str>,
    /// What it says of itself.
    pub metadata: MemberMetadata,
    /// What it has.
    pub current: Current,
}

impl Member {
    /// A member of which nothing is known yet.
    pub fn new(id: Arc<str>) -> Member {
        Member { id, metadata: MemberMetadata::default(), current: Current::default() }
    }

    /// Whether it has all that it should have in this epoch.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == epoch
    }

    /// Memory that it stands for.
    pub fn size_bytes(&self) -> usize {
        self.id.len() + self.metadata.topics.iter().map(|topic| topic.len()).sum::<usize>()
    }
}
