//! A member of a streams group: one thread's consumer of an instance of the application.
//!
//! Source: `StreamsGroupMember`, `MemberState`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tasks::Owned;

/// How far a member is on its way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it should have.
    Stable = 1,
    /// It must give tasks up before it gets others.
    UnrevokedTasks = 2,
    /// It waits for tasks that others have not given up.
    UnreleasedTasks = 3,
    /// Written by a broker of a later version.
    Unknown = 127,
}

impl MemberState {
    /// By its number in records.
    pub fn of(number: i8) -> MemberState {
        match number {
            1 => MemberState::Stable,
            2 => MemberState::UnrevokedTasks,
            3 => MemberState::UnreleasedTasks,
            _ => MemberState::Unknown,
        }
    }
}

/// What a member says of itself: `StreamsGroupMemberMetadataValue`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MemberMetadata {
    /// `group.instance.id`; Kafka 4.3 knows no static members yet, but may read one.
    pub instance_id: Option<String>,
    /// `client.rack`
    pub rack_id: Option<String>,
    /// `client.id`
    pub client_id: String,
    /// Its address as Java prints it.
    pub client_host: String,
    /// How long it may take to give tasks up.
    pub rebalance_timeout_ms: i32,
    /// Epoch of its topology.
    pub topology_epoch: i32,
    /// The instance of the application that it is a thread of: what one of its members keeps on disk, all do.
    pub process_id: Arc<str>,
    /// `application.server`: host and port at which its state can be queried.
    pub user_endpoint: Option<(String, u16)>,
    /// `client.tag.*`
    pub client_tags: BTreeMap<String, String>,
}

/// What a member has: `StreamsGroupCurrentMemberAssignmentValue`.
#[derive(Clone, Debug, PartialEq)]
pub struct Current {
    /// Its epoch.
    pub epoch: i32,
    /// The epoch before.
    pub previous_epoch: i32,
    /// Its state.
    pub state: MemberState,
    /// Tasks that it may run.
    pub assigned: Owned,
    /// Tasks that it must give up.
    pub revoking: Owned,
}

impl Default for Current {
    fn default() -> Current {
        Current {
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            assigned: Owned::default(),
            revoking: Owned::default(),
        }
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
        let metadata = MemberMetadata { rebalance_timeout_ms: -1, topology_epoch: -1, ..MemberMetadata::default() };
        Member { id, metadata, current: Current::default() }
    }

    /// Whether it has all that it should have in this epoch.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == epoch
    }

    /// Memory that it stands for.
    pub fn size_bytes(&self) -> usize {
        let metadata = &self.metadata;
        let tags: usize = metadata.client_tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        let endpoint = metadata.user_endpoint.as_ref().map_or(0, |(host, _)| host.len());
        self.id.len() + metadata.process_id.len() + tags + endpoint
    }
}
