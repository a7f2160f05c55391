//! Streams groups (KIP-1071): applications of Kafka Streams whose tasks the broker gives out. What an application is made of (its topology),
//! its members, epochs and tasks.
//!
//! A change of such a group is a list of records of `__consumer_offsets`; replaying them is the only way in which what the log keeps of a
//! group changes. This room knows no client connection and no log, and creates no topic: it says which are missing; time is told to it.
//!
//! Sources: `org.apache.kafka.coordinator.group.streams`, `GroupMetadataManager.streamsGroup…`, KIP-1071.

mod answer;
mod assign;
mod configure;
mod describe;
mod fence;
mod group;
mod heartbeat;
mod member;
mod offsets;
mod partitions;
mod reconcile;
mod records;
mod report;
mod target;
mod tasks;
mod topology;
mod work;

pub use answer::{StreamsBeat, refused};
pub use group::StreamsGroup;
pub use member::Member;
pub use records::{StreamsRecord, decode};

/// As ListGroups names its members' protocol.
pub const PROTOCOL_TYPE: &str = "streams";

/// The one assignor of Kafka 4.3.
pub const ASSIGNOR: &str = "sticky";

/// Why MISSING_INTERNAL_TOPICS is told; the broker adds to its detail what went wrong when it created them.
pub use answer::MISSING_INTERNAL_TOPICS;

#[cfg(test)]
pub use member::MemberState;
