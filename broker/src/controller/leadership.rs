//! What a change of a broker's standing means for the partitions that it hosts.
//!
//! Source: `ReplicationControlManager.generateLeaderAndIsrUpdates`.

use super::partition_change::{Changed, Election, PartitionChange};
use super::reassign::tell_move;
use super::state::{Changes, ControllerState};
use crate::logging::{Level, Logger};
use crate::metadata::config::TopicConfig;
use crate::metadata::image::{PartitionImage, TopicImage};
use crate::metadata::report::{Cause, Event};
use crate::types::{Id, NodeId, TopicPartition};

/// Which broker's standing changes, and how. The image does not show it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It leaves every ISR and leads no more.
    Leaves(NodeId),
    /// It also leaves every ELR: what it had not synced is gone.
    LeavesUncleanly(NodeId),
    /// It may lead again.
    Returns(NodeId),
    /// One of its directories failed.
    LosesDirectory(NodeId, Id),
}

/// Why partitions change.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    /// In words.
    pub words: String,
    /// For who follows events.
    pub cause: Cause,
}

impl Reason {
    pub(super) fn new(words: impl Into<String>, cause: Cause) -> Reason {
        Reason { words: words.into(), cause }
    }

    pub(super) fn directory_failed(broker_id: NodeId) -> Reason {
        let words = format!("a log directory of broker {broker_id} failed");
        Reason::new(words, Cause::DirectoryFailed { broker_id })
    }
}

impl Standing {
    fn concerns(self, partition: &PartitionImage) -> bool {
        match self {
            Standing::Leaves(id) => partition.isr.contains(&id),
            Standing::LeavesUncleanly(id) => partition.isr.contains(&id) || partition.elr.contains(&id),
            Standing::Returns(_) => partition.leader < 0,
            Standing::LosesDirectory(id, directory) => {
                let index = partition.replicas.iter().position(|replica| *replica == id);
                index.and_then(|index| partition.directories.get(index)) == Some(&directory)
            }
        }
    }

    fn leaver(self) -> Option<NodeId> {
        match self {
            Standing::Leaves(id) | Standing::LeavesUncleanly(id) | Standing::LosesDirectory(id, _) => Some(id),
            Standing::Returns(_) => None,
        }
    }
}

impl ControllerState {
    /// Adds what becomes of all partitions that `standing` concerns.
    pub(super) fn update_partitions(&self, standing: Standing, reason: &Reason, changes: &mut Changes) {
        let before = changes.records.len();
        for topic in self.image.topics.values() {
            let mut config = None;
            for (index, partition) in topic.partitions.iter().enumerate() {
                if standing.concerns(partition) {
                    let config = config.get_or_insert_with(|| self.topic_config(&topic.name));
                    self.update_partition(standing, topic, index, config, reason, changes);
                }
            }
        }
        let changed = changes.records.len() - before;
        if changed > 0 {
            self.tell(Logger::ReplicationControl, Level::Info, || {
                format!("{}: {changed} partition(s) change", reason.words)
            });
        }
    }

    /// Adds what becomes of one partition.
    pub(super) fn update_partition(
        &self,
        standing: Standing,
        topic: &TopicImage,
        index: usize,
        config: &TopicConfig,
        reason: &Reason,
        changes: &mut Changes,
    ) {
        let Some(partition) = topic.partitions.get(index) else { return };
        let leaver = standing.leaver();
        let acceptable = |id: NodeId| {
            Some(id) != leaver
                && (standing == Standing::Returns(id) || self.is_active(id))
                && self.has_online_directory(id, partition)
        };
        let change = PartitionChange {
            acceptable: &acceptable,
            target_isr: without(&partition.isr, leaver),
            unclean_shutdown: match standing {
                Standing::LeavesUncleanly(id) => Some(id),
                _ => None,
            },
            ..self.change_of(topic, index, partition, config, &acceptable)
        };
        if let Some(changed) = change.build() {
            tell(topic, index, partition, &changed, reason, &mut changes.events);
            changes.push(changed.record);
        }
    }

    /// A change that keeps the ISR; election as the topic allows.
    pub(super) fn change_of<'a>(
        &self,
        topic: &TopicImage,
        index: usize,
        partition: &'a PartitionImage,
        config: &TopicConfig,
        acceptable: &'a dyn Fn(NodeId) -> bool,
    ) -> PartitionChange<'a> {
        let min_isr = usize::try_from(config.min_insync_replicas).unwrap_or(1);
        let election = if config.unclean_leader_election_enable { Election::Unclean } else { Election::Online };
        PartitionChange {
            topic_id: topic.id,
            partition_id: index as i32,
            partition,
            acceptable,
            min_isr,
            elr_enabled: self.elr_enabled(),
            election,
            target_isr: partition.isr.clone(),
            unclean_shutdown: None,
            target_recovering: None,
            target_replicas: partition.replicas.clone(),
            target_adding: partition.adding.clone(),
            target_removing: partition.removing.clone(),
            directories: Vec::new(),
        }
    }

    /// Whether it leads anything.
    pub(super) fn leads_something(&self, id: NodeId) -> bool {
        self.image.topics.values().any(|topic| topic.partitions.iter().any(|partition| partition.leader == id))
    }
}

fn without(isr: &[NodeId], leaver: Option<NodeId>) -> Vec<NodeId> {
    isr.iter().copied().filter(|id| Some(*id) != leaver).collect()
}

/// The events of a change.
pub(super) fn tell(
    topic: &TopicImage,
    index: usize,
    before: &PartitionImage,
    changed: &Changed,
    reason: &Reason,
    events: &mut Vec<Event>,
) {
    let after = before.after(&changed.record);
    let partition = TopicPartition::new(topic.name.clone(), index as i32);
    events.extend(tell_move(topic, index, before, &after));
    if after.isr != before.isr {
        events.push(Event::IsrChanged {
            partition: partition.clone(),
            from: before.isr.clone(),
            to: after.isr.clone(),
            cause: reason.words.clone(),
            because: reason.cause.clone(),
        });
    }
    if after.leader != before.leader {
        events.push(Event::LeaderElected {
            partition,
            from: before.leader,
            to: after.leader,
            leader_epoch: after.leader_epoch,
            unclean: changed.unclean,
            cause: reason.words.clone(),
            because: reason.cause.clone(),
        });
    }
}

/// `1512` as `1,512`.
pub(super) fn thousands(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1512, "1,512"), (1_234_567, "1,234,567")] {
            assert_eq!(super::thousands(number), text);
        }
    }
}
