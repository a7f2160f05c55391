//! Replicas move: a partition gets others, and keeps those it has until the new ones are in sync.
//!
//! AlterPartitionReassignments versions 0-1, ListPartitionReassignments version 0; KIP-455, KIP-860 (a replication factor that must stay).
//! Source: `ReplicationControlManager.alterPartitionReassignments`, `PartitionReassignmentReplicas`, `PartitionReassignmentRevert`; errors
//! and messages as there. Three differences. Where a reassignment replaces another, what the new target names is on its way in or here, and
//! nothing of it on its way out (Kafka keeps the old sets where the new ones are empty, and so takes away a replica that was asked for). A
//! partition named twice in one request is refused the second time (Kafka appends both, each made for the same state). A cancellation that
//! needs an unclean election asks the living replicas, not the first one.

use std::collections::BTreeSet;

use super::MAX_RECORDS_PER_REQUEST;
use super::create_topics::{ApiError, error, too_large};
use super::leadership::{Reason, tell};
use super::partition_change::{Election, PartitionChange};
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::image::{PartitionImage, TopicImage};
use crate::metadata::report::{Cause, Event};
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use crate::protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use crate::protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use crate::protocol::messages::{
    AlterPartitionReassignmentsRequestData, AlterPartitionReassignmentsResponseData, KafkaString,
    ListPartitionReassignmentsRequestData, ListPartitionReassignmentsResponseData,
};
use crate::types::{NodeId, TopicPartition};

impl PartitionImage {
    /// Whether replicas are on their way in or out.
    pub fn is_reassigning(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// The replicas that it will have when its reassignment is done, the preferred leader first.
    pub fn target_replicas(&self) -> Vec<NodeId> {
        minus(&self.replicas, &self.removing)
    }

    /// The replicas that it had before its reassignment.
    pub(super) fn original_replicas(&self) -> Vec<NodeId> {
        minus(&self.replicas, &self.adding)
    }
}

fn minus(all: &[NodeId], but: &[NodeId]) -> Vec<NodeId> {
    all.iter().copied().filter(|id| !but.contains(id)).collect()
}

impl ControllerState {
    /// AlterPartitionReassignments.
    pub fn alter_partition_reassignments(
        &self,
        request: &AlterPartitionReassignmentsRequestData,
    ) -> Decision<AlterPartitionReassignmentsResponseData> {
        if request.topics.is_empty() {
            // Java's empty string.
            let error_message = Some(KafkaString::default());
            return Decision::only(AlterPartitionReassignmentsResponseData { error_message, ..Default::default() });
        }
        let mut changes = Changes::default();
        let mut response = AlterPartitionReassignmentsResponseData {
            allow_replication_factor_change: request.allow_replication_factor_change,
            ..Default::default()
        };
        let mut seen = BTreeSet::new();
        for topic in &request.topics {
            let mut answer = ReassignableTopicResponse { name: topic.name.clone(), ..Default::default() };
            for target in &topic.partitions {
                let (name, index) = (topic.name.as_str(), target.partition_index);
                let outcome = if seen.insert((name, index)) {
                    self.reassign_one(name, target, request.allow_replication_factor_change, &mut changes)
                } else {
                    Err(error(ErrorCode::InvalidRequest, format!("Partition {name}:{index} is named more than once.")))
                };
                let (code, message) = outcome.err().unwrap_or((ErrorCode::None, None));
                answer.partitions.push(ReassignablePartitionResponse {
                    partition_index: index,
                    error_code: code.code(),
                    error_message: message.map(KafkaString::from),
                    ..Default::default()
                });
            }
            response.responses.push(answer);
        }
        if changes.records.len() > MAX_RECORDS_PER_REQUEST {
            let (code, message) = too_large();
            return Decision::only(AlterPartitionReassignmentsResponseData {
                error_code: code.code(),
                error_message: message.map(KafkaString::from),
                ..Default::default()
            });
        }
        changes.with(response)
    }

    fn reassign_one(
        &self,
        name: &str,
        target: &ReassignablePartition,
        may_change_factor: bool,
        changes: &mut Changes,
    ) -> Result<(), ApiError> {
        let unknown = |message: String| error(ErrorCode::UnknownTopicOrPartition, message);
        let index = target.partition_index;
        let topic = self.image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
        let partition =
            topic.partition(index).ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
        match &target.replicas {
            None => self.cancel(topic, index as usize, partition, changes),
            Some(replicas) => {
                self.check_manual_assignment(replicas, None)?;
                if !may_change_factor {
                    check_factor(partition, replicas.len())?;
                }
                self.move_replicas(topic, index as usize, partition, replicas, changes);
                Ok(())
            }
        }
    }

    /// Begins a reassignment, in place of any that is under way; done at once if all of `target` is in sync.
    pub(super) fn move_replicas(
        &self,
        topic: &TopicImage,
        index: usize,
        partition: &PartitionImage,
        target: &[NodeId],
        changes: &mut Changes,
    ) {
        let removing: Vec<NodeId> =
            minus(&partition.replicas, target).into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let is_new = |id: &NodeId| !partition.replicas.contains(id) || partition.adding.contains(id);
        let adding: Vec<NodeId> = target.iter().copied().filter(is_new).collect::<BTreeSet<_>>().into_iter().collect();
        let acceptable = |id: NodeId| self.is_active(id) && self.has_online_directory(id, partition);
        let config = self.topic_config(&topic.name);
        let change = PartitionChange {
            election: Election::Online,
            target_replicas: target.iter().chain(&removing).copied().collect(),
            directories: self.directories_of(partition, target),
            target_adding: adding,
            target_removing: removing,
            ..self.change_of(topic, index, partition, &config, &acceptable)
        };
        self.commit_move(topic, index, partition, change, "its replicas were reassigned", changes);
    }

    /// Goes back to the replicas from before. Where only replicas that were on their way in are in sync, that loses what they alone have.
    pub(super) fn cancel(
        &self,
        topic: &TopicImage,
        index: usize,
        partition: &PartitionImage,
        changes: &mut Changes,
    ) -> Result<(), ApiError> {
        if !partition.is_reassigning() {
            return Err((ErrorCode::NoReassignmentInProgress, None));
        }
        let replicas = partition.original_replicas();
        if replicas.is_empty() {
            return Err(error(
                ErrorCode::InvalidReplicaAssignment,
                "Invalid replica assignment: addingReplicas contains all replicas.",
            ));
        }
        let config = self.topic_config(&topic.name);
        let isr = minus(&partition.isr, &partition.adding);
        let acceptable = |id: NodeId| self.is_active(id) && self.has_online_directory(id, partition);
        let nobody_has_all = isr.is_empty() && minus(&partition.elr, &partition.adding).is_empty();
        let may_lose = config.unclean_leader_election_enable && replicas.iter().any(|id| acceptable(*id));
        if nobody_has_all && !may_lose {
            let message = format!(
                "Unable to revert partition assignment for {}:{index} because it would require an unclean leader election.",
                topic.name
            );
            return Err(error(ErrorCode::InvalidReplicaAssignment, message));
        }
        let change = PartitionChange {
            target_isr: isr,
            target_replicas: replicas,
            target_adding: Vec::new(),
            target_removing: Vec::new(),
            ..self.change_of(topic, index, partition, &config, &acceptable)
        };
        self.commit_move(topic, index, partition, change, "its reassignment was cancelled", changes);
        Ok(())
    }

    fn commit_move(
        &self,
        topic: &TopicImage,
        index: usize,
        partition: &PartitionImage,
        change: PartitionChange<'_>,
        cause: &str,
        changes: &mut Changes,
    ) {
        if let Some(changed) = change.build() {
            tell(topic, index, partition, &changed, &Reason::new(cause, Cause::Reassigned), &mut changes.events);
            changes.push(changed.record);
        }
    }

    /// ListPartitionReassignments.
    pub fn list_partition_reassignments(
        &self,
        request: &ListPartitionReassignmentsRequestData,
    ) -> Decision<ListPartitionReassignmentsResponseData> {
        let mut response = ListPartitionReassignmentsResponseData::default();
        match &request.topics {
            None => {
                for topic in self.image.topics.values() {
                    let all = 0..topic.partitions.len() as i32;
                    response.topics.extend(ongoing(topic, all));
                }
            }
            Some(topics) => {
                for asked in topics {
                    if let Some(topic) = self.image.topic(asked.name.as_str()) {
                        response.topics.extend(ongoing(topic, asked.partition_indexes.iter().copied()));
                    }
                }
            }
        }
        Decision::only(response)
    }
}

/// What is under way in a topic; `None` if nothing is.
fn ongoing(topic: &TopicImage, asked: impl Iterator<Item = i32>) -> Option<OngoingTopicReassignment> {
    let one = |index: i32| {
        let partition = topic.partition(index).filter(|partition| partition.is_reassigning())?;
        Some(OngoingPartitionReassignment {
            partition_index: index,
            replicas: partition.replicas.clone(),
            adding_replicas: partition.adding.clone(),
            removing_replicas: partition.removing.clone(),
            ..Default::default()
        })
    };
    let partitions: Vec<_> = asked.filter_map(one).collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment {
        name: KafkaString::from(topic.name.to_string()),
        partitions,
        ..Default::default()
    })
}

/// Source: `ReplicationControlManager.validatePartitionReplicationFactorUnchanged`.
fn check_factor(partition: &PartitionImage, wanted: usize) -> Result<(), ApiError> {
    let present = partition.target_replicas().len();
    if present == wanted {
        return Ok(());
    }
    let message = format!("The replication factor is changed from {present} to {wanted}");
    Err(error(ErrorCode::InvalidReplicationFactor, message))
}

/// Whether anything of a reassignment changed, told for the window.
pub(super) fn tell_move(
    topic: &TopicImage,
    index: usize,
    before: &PartitionImage,
    after: &PartitionImage,
) -> Option<Event> {
    let same = before.replicas == after.replicas && before.adding == after.adding && before.removing == after.removing;
    (!same).then(|| Event::ReplicasChanged {
        partition: TopicPartition::new(topic.name.clone(), index as i32),
        from: before.replicas.clone(),
        to: after.replicas.clone(),
        adding: after.adding.clone(),
        removing: after.removing.clone(),
    })
}
