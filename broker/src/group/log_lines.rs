//! What the coordinator writes to its broker's log about groups: who comes and goes and why, rebalances, epochs.
//!
//! Facts, levels and loggers are those of Kafka's `GroupMetadataManager`, `OffsetMetadataManager` and `GroupCoordinatorShard`.

use super::classic::{ClassicGroup, GroupState};
use super::consumer::Owned;
use super::coordinator::{Shared, Step};
use super::kind::Group;
use super::record::OffsetAndMetadata;
use super::work::{Standing, Work};
use crate::logging::{Level, Logger};

impl Shared {
    /// A line about a group.
    pub(super) fn note(&self, partition: i32, level: Level, group: &str, message: impl FnOnce() -> String) {
        self.note_as(Logger::GroupMetadata, partition, level, || format!("[GroupId {group}] {}", message()));
    }

    /// A line about a partition of `__consumer_offsets`.
    pub(super) fn note_as(&self, logger: Logger, partition: i32, level: Level, message: impl FnOnce() -> String) {
        let id = self.config.node_id;
        self.config.log.write(logger, level, || {
            format!("[GroupCoordinator id={id} topic=__consumer_offsets partition={partition}] {}", message())
        });
    }

    /// A group that stands in a partition that was just read.
    pub(super) fn note_loaded(&self, partition: i32, id: &str, group: &Group) {
        self.note(partition, Level::Info, id, || {
            format!("Loaded {} group with {} members", group.type_name(), group.member_count())
        });
        if self.config.log.is_on(Logger::GroupMetadata, Level::Debug) {
            for member in group.member_ids() {
                self.note(partition, Level::Debug, id, || format!("Loaded member {member}"));
            }
        }
    }

    /// An offset that is to be committed; `how`: as part of what, and by whom.
    pub(super) fn note_offset(
        &self,
        shard: i32,
        group: &str,
        (topic, partition): (&str, i32),
        value: &OffsetAndMetadata,
        how: impl FnOnce() -> String,
    ) {
        self.note_as(Logger::OffsetMetadata, shard, Level::Debug, || {
            let (offset, epoch, how) = (value.offset, value.leader_epoch, how());
            format!("[GroupId {group}] Commits offset {offset} of {topic}-{partition}, leader epoch {epoch}, {how}")
        });
    }

    /// Somebody who is in no group commits offsets, and that makes one.
    pub(super) fn note_simple_group(&self, partition: i32, group: &str) {
        self.note_as(Logger::OffsetMetadata, partition, Level::Info, || {
            format!("[GroupId {group}] Is made by a commit of offsets, and has no members")
        });
    }

    /// One that is here no more, as its partition is led elsewhere.
    pub(super) fn note_unloaded(&self, partition: i32, id: &str) {
        self.note(partition, Level::Info, id, || "Unloaded".to_owned());
    }
}

impl Step<'_> {
    /// A line about a group.
    pub(super) fn note(&self, level: Level, group: &str, message: impl FnOnce() -> String) {
        self.shared.note(self.partition, level, group, message);
    }

    /// A classic group's state.
    pub(super) fn note_state(&self, group: &ClassicGroup, reason: &str) {
        self.note(Level::Info, &group.id, || {
            let (generation, members) = (group.generation, group.member_count());
            let protocol = group.protocol_name.as_deref().unwrap_or("none");
            match group.state() {
                GroupState::PreparingRebalance => {
                    format!("Prepares to rebalance, after generation {generation} with {members} members: {reason}")
                }
                GroupState::CompletingRebalance => {
                    format!(
                        "Stabilized in generation {generation} with {members} members, protocol {protocol}: {reason}"
                    )
                }
                GroupState::Stable => {
                    let leader = group.leader.as_deref().unwrap_or("none");
                    format!(
                        "Generation {generation} of {members} members has its assignment from leader {leader}: {reason}"
                    )
                }
                state => format!("Is {} in generation {generation}: {reason}", state.name()),
            }
        });
    }
}

impl Work<'_> {
    /// A line about a group.
    pub(super) fn note(&self, level: Level, group: &str, message: impl FnOnce() -> String) {
        self.shared.note(self.partition, level, group, message);
    }

    /// What a change made of a group's epochs.
    pub(super) fn note_epochs(&self, id: &str, before: Standing, after: Standing) {
        if after.epoch > before.epoch {
            self.note(Level::Info, id, || {
                format!("Group epoch is {} now, with {} members, {}", after.epoch, after.members, after.state)
            });
        }
        if after.target_epoch > before.target_epoch {
            self.note(Level::Info, id, || {
                format!(
                    "A new target assignment was worked out for epoch {}, for {} members",
                    after.target_epoch, after.members
                )
            });
        }
    }
}

/// Partitions by the ids of their topics.
pub(super) fn owned(owned: &Owned) -> String {
    let topics: Vec<String> = owned
        .iter()
        .map(|(topic, partitions)| format!("{topic}: {:?}", partitions.keys().collect::<Vec<_>>()))
        .collect();
    format!("{{{}}}", topics.join(", "))
}
