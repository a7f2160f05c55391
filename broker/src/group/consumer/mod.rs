//! Consumer groups whose assignment the broker works out itself (KIP-848): their members, epochs and assignments.
//!
//! A change of such a group is a list of records of `__consumer_offsets`; replaying them is the only way in which a group changes, on the
//! way up from the log as in the middle of a heartbeat. This room knows no client connection and no log; time is told to it.
//!
//! Sources: `org.apache.kafka.coordinator.group.modern` and its `consumer`, `GroupMetadataManager.consumerGroup…`, KIP-848.

pub mod assign;
mod classic_members;
mod convert;
mod describe;
mod fence;
mod group;
mod heartbeat;
mod member;
mod offsets;
mod reconcile;
pub mod records;
mod regexes;
mod report;
mod target;
mod work;

pub use group::ConsumerGroup;
pub use member::{Assignment, LEAVE, Member, MemberState, Owned};
pub use records::{ConsumerRecord, decode};
pub use regexes::{Resolving, compile_pattern};
pub use report::target;
pub use target::ids_of;
pub use work::classic_tombstone;
