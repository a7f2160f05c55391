//! A leader proposes an ISR; a broker asks for producer ids.
//!
//! AlterPartition versions 2-3 (KIP-497, KIP-841, KIP-903); AllocateProducerIds version 0 (KIP-730).
//! Source: `ReplicationControlManager.alterPartition`, `validateAlterPartitionData`, `ProducerIdControlManager`.

use std::collections::BTreeSet;

use super::leadership::{Reason, tell};
use super::partition_change::PartitionChange;
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::image::{PartitionImage, TopicImage};
use crate::metadata::record::{NO_LEADER_CHANGE, ProducerIdsRecord};
use crate::metadata::report::Cause;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_partition_request::{BrokerState, PartitionData as Proposal};
use crate::protocol::messages::alter_partition_response::{PartitionData as Answer, TopicData as TopicAnswer};
use crate::protocol::messages::{
    AllocateProducerIdsRequestData, AllocateProducerIdsResponseData, AlterPartitionRequestData,
    AlterPartitionResponseData,
};
use crate::types::{Id, NodeId};

/// Ids that a broker is given at once.
const PRODUCER_ID_BLOCK: i32 = 1_000;

impl ControllerState {
    /// AlterPartition.
    pub fn alter_partition(&self, request: &AlterPartitionRequestData) -> Decision<AlterPartitionResponseData> {
        if let Err(error) = self.check_epoch(request.broker_id, request.broker_epoch) {
            return Decision::only(AlterPartitionResponseData { error_code: error.code(), ..Default::default() });
        }
        let mut changes = Changes::default();
        let mut response = AlterPartitionResponseData::default();
        let mut seen = BTreeSet::new();
        for topic_data in &request.topics {
            let topic_id = Id::from(topic_data.topic_id);
            let topic = self.image.topics.get(&topic_id);
            let mut answer = TopicAnswer { topic_id: topic_data.topic_id, ..Default::default() };
            for proposal in &topic_data.partitions {
                let outcome = match topic {
                    None => Err(ErrorCode::UnknownTopicId),
                    Some(_) if !seen.insert((topic_id, proposal.partition_index)) => Err(ErrorCode::InvalidRequest),
                    Some(topic) => self.alter_one(request.broker_id, topic, proposal, &mut changes),
                };
                answer.partitions.push(outcome.unwrap_or_else(|error| refused(proposal.partition_index, error)));
            }
            response.topics.push(answer);
        }
        changes.with(response)
    }

    fn alter_one(
        &self,
        leader: NodeId,
        topic: &TopicImage,
        proposal: &Proposal,
        changes: &mut Changes,
    ) -> Result<Answer, ErrorCode> {
        let index = proposal.partition_index;
        let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let isr = proposed_isr(proposal);
        self.check_proposal(leader, partition, proposal, &isr)?;
        let acceptable = |id: NodeId| self.is_active(id) && self.has_online_directory(id, partition);
        let config = self.topic_config(&topic.name);
        let change = PartitionChange {
            target_isr: isr.iter().map(|broker| broker.broker_id).collect(),
            target_recovering: Some(proposal.leader_recovery_state == 1),
            ..self.change_of(topic, index as usize, partition, &config, &acceptable)
        };
        let mut after = partition.clone();
        if let Some(changed) = change.build() {
            after = partition.after(&changed.record);
            let reason = reason(leader, (&partition.isr, &after.isr), &isr);
            tell(topic, index as usize, partition, &changed, &reason, &mut changes.events);
            let moved = changed.record.leader != leader && changed.record.leader != NO_LEADER_CHANGE;
            changes.push(changed.record);
            if moved {
                return Err(ErrorCode::NewLeaderElected);
            }
        }
        Ok(Answer {
            partition_index: index,
            leader_id: after.leader,
            leader_epoch: after.leader_epoch,
            isr: after.isr,
            leader_recovery_state: i8::from(after.recovering),
            partition_epoch: after.partition_epoch,
            ..Default::default()
        })
    }

    fn check_proposal(
        &self,
        broker: NodeId,
        partition: &PartitionImage,
        proposal: &Proposal,
        isr: &[BrokerState],
    ) -> Result<(), ErrorCode> {
        // Who knows more than this controller has met a newer one.
        if proposal.leader_epoch > partition.leader_epoch || proposal.partition_epoch > partition.partition_epoch {
            return Err(ErrorCode::NotController);
        }
        let stale_is_fine = Bug::StaleAlterPartition.is_planted();
        if proposal.leader_epoch < partition.leader_epoch && !stale_is_fine {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if broker != partition.leader {
            return Err(ErrorCode::InvalidRequest);
        }
        if proposal.partition_epoch < partition.partition_epoch && !stale_is_fine {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        let ids: BTreeSet<NodeId> = isr.iter().map(|member| member.broker_id).collect();
        let are_replicas = ids.len() == isr.len() && ids.iter().all(|id| partition.replicas.contains(id));
        if !are_replicas || !ids.contains(&partition.leader) {
            return Err(ErrorCode::InvalidRequest);
        }
        let recovers = match proposal.leader_recovery_state {
            0 => false,
            1 => true,
            _ => return Err(ErrorCode::InvalidRequest),
        };
        if recovers && (isr.len() > 1 || !partition.recovering) {
            return Err(ErrorCode::InvalidRequest);
        }
        if isr.iter().all(|member| self.is_eligible(member)) { Ok(()) } else { Err(ErrorCode::IneligibleReplica) }
    }

    /// A replica that restarted since the leader saw it catch up may have lost what it had (KIP-903).
    fn is_eligible(&self, member: &BrokerState) -> bool {
        let known = self.image.brokers.get(&member.broker_id);
        if Bug::IneligibleReplica.is_planted() {
            return true;
        }
        self.is_active(member.broker_id)
            && known.is_some_and(|known| member.broker_epoch == -1 || known.epoch == member.broker_epoch)
    }

    /// AllocateProducerIds.
    pub fn allocate_producer_ids(
        &self,
        request: &AllocateProducerIdsRequestData,
    ) -> Decision<AllocateProducerIdsResponseData> {
        let start = self.image.next_producer_id;
        let next = start.checked_add(i64::from(PRODUCER_ID_BLOCK)).ok_or(ErrorCode::UnknownServerError);
        match self.check_epoch(request.broker_id, request.broker_epoch).and(next) {
            Err(error) => {
                Decision::only(AllocateProducerIdsResponseData { error_code: error.code(), ..Default::default() })
            }
            Ok(next_producer_id) => {
                let mut changes = Changes::default();
                changes.push(ProducerIdsRecord {
                    broker_id: request.broker_id,
                    broker_epoch: request.broker_epoch,
                    next_producer_id,
                });
                changes.with(AllocateProducerIdsResponseData {
                    producer_id_start: start,
                    producer_id_len: PRODUCER_ID_BLOCK,
                    ..Default::default()
                })
            }
        }
    }
}

/// Version 2 names brokers without their epochs; -1 passes the check of epochs.
fn proposed_isr(proposal: &Proposal) -> Vec<BrokerState> {
    if !proposal.new_isr_with_epochs.is_empty() {
        return proposal.new_isr_with_epochs.clone();
    }
    let plain = |id: &NodeId| BrokerState { broker_id: *id, broker_epoch: -1, ..Default::default() };
    proposal.new_isr.iter().map(plain).collect()
}

fn refused(partition_index: i32, error: ErrorCode) -> Answer {
    Answer { partition_index, error_code: error.code(), ..Default::default() }
}

/// What the leader did; why it did so only the leader knows.
fn reason(leader_id: NodeId, (before, after): (&[NodeId], &[NodeId]), proposed: &[BrokerState]) -> Reason {
    let epoch_of = |id: NodeId| proposed.iter().find(|one| one.broker_id == id).map_or(-1, |one| one.broker_epoch);
    let taken_out: Vec<NodeId> = before.iter().copied().filter(|id| !after.contains(id)).collect();
    let taken_in: Vec<NodeId> = after.iter().copied().filter(|id| !before.contains(id)).collect();
    let list = |ids: &[NodeId]| ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
    let words = match (list(&taken_out), list(&taken_in)) {
        (out, back) if out.is_empty() => format!("leader {leader_id} took {back} in"),
        (out, back) if back.is_empty() => format!("leader {leader_id} took {out} out"),
        (out, back) => format!("leader {leader_id} took {out} out and {back} in"),
    };
    let taken_in = taken_in.into_iter().map(|id| (id, epoch_of(id))).collect();
    Reason::new(words, Cause::LeaderAsked { leader_id, taken_in, taken_out })
}
