//! Share groups (KIP-932): members that read the same partitions side by side, their epochs and assignments, and which partitions have a
//! share state.
//!
//! A change of such a group is a list of records of `__consumer_offsets`, and replaying them is the only way in which a group changes, as in
//! `consumer`. The share states themselves are the persister's, which this room asks by an output; it knows no client connection and no log,
//! and time is told to it.
//!
//! Sources: `org.apache.kafka.coordinator.group.modern.share`, `GroupMetadataManager.shareGroup…`, KIP-932.

pub(in crate::group) mod alter_offsets;
pub(in crate::group) mod ask;
mod assign;
pub(in crate::group) mod delete_offsets;
mod describe;
mod describe_offsets;
mod group;
mod heartbeat;
mod member;
mod records;
mod report;
mod state;
mod work;

pub use describe_offsets::LatestOffsets;
pub use group::ShareGroup;
pub use member::Member;
pub use records::{ShareRecord, decode};
#[cfg(test)]
pub use {
    member::{Current, MemberMetadata},
    state::{StatePartitions, TopicState},
};

/// The one assignor that Kafka has for share groups.
pub const ASSIGNOR: &str = "simple";
