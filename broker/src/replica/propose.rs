//! Changes of the ISR: proposed by the leader, decided by the controller.
//!
//! Source: `kafka.cluster.Partition.maybeExpandIsr`, `maybeShrinkIsr`, `submitAlterPartition`; KIP-497, KIP-903.

use std::collections::BTreeMap;

use super::alter::AlterItem;
use super::isr::{FollowerState, Proposal};
use super::leader::LeaderView;
use super::lines;
use super::manager::ReplicaManager;
use super::partition::Partition;
use crate::log::Log;
use crate::logging::{Level, Logger};
use crate::planted::Bug;
use crate::protocol::messages::{AlterPartitionResponseData, alter_partition_response as wire};
use crate::protocol::{ErrorCode, error_name};
use crate::types::{Id, NodeId, Now, TopicIdPartition};

/// What to do about a proposal that the controller did not simply agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It was certainly not done: the committed ISR stands.
    Withdraw,
    /// It may have been done, or our state is old: the image will tell.
    AwaitImage,
    /// Ask again.
    Retry,
}

fn refusal(code: ErrorCode) -> Refusal {
    match code {
        ErrorCode::OperationNotAttempted | ErrorCode::IneligibleReplica => Refusal::Withdraw,
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::FencedLeaderEpoch
        | ErrorCode::InvalidUpdateVersion
        | ErrorCode::InvalidRequest
        | ErrorCode::NewLeaderElected => Refusal::AwaitImage,
        _ => Refusal::Retry,
    }
}

fn level_of(refusal: Refusal) -> Level {
    match refusal {
        Refusal::Withdraw => Level::Info,
        Refusal::AwaitImage => Level::Debug,
        Refusal::Retry => Level::Warn,
    }
}

impl ReplicaManager {
    /// Looks at every partition led here: who lags for too long leaves its ISR, who has caught up joins. Costs one look-up for each that
    /// is in order.
    pub(super) fn check_isrs(&mut self, now: Now) {
        let view = LeaderView { now: now.mono, lag_time_max: self.settings.lag_time_max, brokers: &self.brokers };
        let needs_care = |partition: &Partition| {
            let Some(leader) = partition.as_leader() else { return false };
            let whole = leader.isr.members().len() > leader.followers.len();
            let Some(log) = self.dir.log(partition.name()) else { return false };
            !whole || !leader.out_of_sync(self.me, log.log_end_offset(), &view).is_empty()
        };
        let care: Vec<TopicIdPartition> =
            self.partitions.values().filter(|partition| needs_care(partition)).map(Partition::id).collect();
        for id in care {
            self.maybe_shrink(now, &id);
            self.maybe_expand_to_any(now, &id);
            self.advance(&id, now.mono);
        }
    }

    fn maybe_shrink(&mut self, now: Now, id: &TopicIdPartition) {
        let Some(partition) = self.partitions.get(id) else { return };
        let (Some(leader), Some(log)) = (partition.as_leader(), self.dir.log(partition.name())) else { return };
        let view = LeaderView { now: now.mono, lag_time_max: self.settings.lag_time_max, brokers: &self.brokers };
        let leaving = leader.out_of_sync(self.me, log.log_end_offset(), &view);
        if leaving.is_empty() {
            return;
        }
        self.say_of(id, Level::Info, |partition| {
            let stays: Vec<NodeId> = partition.isr().iter().copied().filter(|id| !leaving.contains(id)).collect();
            let lag = |id: &NodeId| {
                let state = partition.as_leader().and_then(|leader| leader.followers.get(id));
                lines::laggard(*id, state, now.mono)
            };
            let end = self.dir.log(partition.name()).map_or(-1, Log::log_end_offset);
            format!(
                "ISR is to shrink from {} to {}. Leader: (highWatermark: {}, endOffset: {end}). Out of sync: {}",
                lines::ids(partition.isr()),
                lines::ids(&stays),
                partition.high_watermark(),
                leaving.iter().map(lag).collect::<Vec<_>>().join(" "),
            )
        });
        let token = self.next_id();
        if let Some(leader) = self.partitions.get_mut(id).and_then(|partition| partition.as_leader_mut()) {
            leader.isr.propose_shrink(token, &leaving);
        }
        self.submit(id);
    }

    /// As Kafka does with each fetch of a follower's, which in a session does not come by here: so only who goes on fetching may join, and not
    /// who was level when it fell silent or was taken out (a replica whose directory failed, while its broker lives).
    fn maybe_expand_to_any(&mut self, now: Now, id: &TopicIdPartition) {
        let Some(partition) = self.partitions.get(id) else { return };
        let Some(leader) = partition.as_leader() else { return };
        if leader.isr.members().len() > leader.followers.len() {
            return;
        }
        let fetches = |id: NodeId, state: &FollowerState| {
            let in_session = self.peers.get(&id).map(|session| session.last_fetch);
            state.fetches(in_session, now.mono, self.settings.lag_time_max)
        };
        let joins = |(id, state): &(&NodeId, &FollowerState)| {
            fetches(**id, state) && leader.may_expand_to(**id, partition.high_watermark(), &self.brokers)
        };
        if let Some(follower) = leader.followers.iter().find(joins).map(|(id, _)| *id) {
            self.maybe_expand(id, follower);
        }
    }

    /// Proposes a follower for the ISR if it may join.
    pub(super) fn maybe_expand(&mut self, id: &TopicIdPartition, follower: NodeId) {
        let token = self.last_id + 1;
        let Some(partition) = self.partitions.get_mut(id) else { return };
        let high_watermark = partition.high_watermark();
        let Some(leader) = partition.as_leader_mut() else { return };
        if !leader.may_expand_to(follower, high_watermark, &self.brokers) {
            return;
        }
        leader.isr.propose_expansion(token, follower);
        self.last_id = token;
        self.submit(id);
    }

    fn submit(&mut self, id: &TopicIdPartition) {
        let Some(partition) = self.partitions.get(id) else { return };
        let Some(leader) = partition.as_leader() else { return };
        let Some(proposal) = leader.isr.proposal().cloned() else { return };
        let epoch = |member: NodeId| {
            if member == self.me {
                return self.broker_epoch;
            }
            leader.followers.get(&member).and_then(|follower| follower.broker_epoch).unwrap_or(-1)
        };
        let isr_with_epochs = proposal.isr.iter().map(|member| (*member, epoch(*member))).collect();
        let (leader_epoch, partition_epoch) = (partition.leader_epoch(), partition.partition_epoch());
        self.say_of(id, Level::Debug, |_| {
            format!(
                "ISR {} is proposed in leader epoch {leader_epoch} upon partition epoch {partition_epoch}",
                lines::ids(&proposal.isr)
            )
        });
        self.alter.push(*id, AlterItem { proposal, leader_epoch, partition_epoch, isr_with_epochs });
    }

    /// The active controller answered request `id`, or nobody did.
    pub fn on_alter_partition_response(&mut self, now: Now, id: u64, result: Result<AlterPartitionResponseData, ()>) {
        let Some(mut items) = self.alter.answered(id) else { return };
        match &result {
            Ok(response) if response.error_code == 0 => {}
            Ok(response) => self.config.log.warn(Logger::AlterPartitionManager, || {
                let error = error_name(ErrorCode::from(response.error_code));
                format!(
                    "The controller answered {error} to the ISRs that broker epoch {} proposes: it is asked again",
                    self.broker_epoch
                )
            }),
            Err(()) => self.config.log.debug(Logger::AlterPartitionManager, || {
                format!("No controller answered to the ISRs of {} partitions: they are proposed again", items.len())
            }),
        }
        if let Ok(response) = result
            && response.error_code == 0
        {
            for topic in &response.topics {
                let topic_id = Id(topic.topic_id.to_bytes());
                for answer in &topic.partitions {
                    let id = TopicIdPartition { topic_id, partition: answer.partition_index };
                    if let Some(item) = items.remove(&id)
                        && !self.take_answer(now, &id, &item.proposal, answer)
                    {
                        items.insert(id, item);
                    }
                }
            }
        }
        self.retry_alter(now, items);
    }

    fn retry_alter(&mut self, now: Now, items: BTreeMap<TopicIdPartition, AlterItem>) {
        if !items.is_empty() {
            self.alter.retry(now.mono, items);
        }
    }

    /// False if the proposal must be sent again.
    fn take_answer(
        &mut self,
        now: Now,
        id: &TopicIdPartition,
        proposal: &Proposal,
        answer: &wire::PartitionData,
    ) -> bool {
        let Some(partition) = self.partitions.get_mut(id) else { return true };
        let code = ErrorCode::from(answer.error_code);
        if answer.error_code == 0 {
            let shrinks = proposal.joining.is_none();
            let isr = answer.isr.clone();
            if partition.isr_committed(proposal, answer.leader_epoch, answer.partition_epoch, isr) {
                self.metrics.isr_shrinks.mark(u64::from(shrinks));
                self.metrics.isr_expands.mark(u64::from(!shrinks));
                self.say_of(id, Level::Info, |partition| {
                    let under =
                        if partition.isr().len() < partition.effective_min_isr() { " (under-min-isr)" } else { "" };
                    let (isr, version) = (lines::ids(partition.isr()), partition.partition_epoch());
                    format!("ISR is {isr}{under} from partition epoch {version} on")
                });
                self.touch(*id);
                self.advance(id, now.mono);
                self.maybe_expand_to_any(now, id);
            }
            return true;
        }
        self.metrics.failed_isr_updates.mark(1);
        let refusal = match code {
            ErrorCode::InvalidUpdateVersion if Bug::WithdrawOnInvalidVersion.is_planted() => Refusal::Withdraw,
            code => refusal(code),
        };
        self.say_of(id, level_of(refusal), |partition| {
            let (proposed, isr) = (lines::ids(&proposal.isr), lines::ids(partition.isr()));
            let then = match refusal {
                Refusal::Retry => "it is proposed again".to_owned(),
                Refusal::AwaitImage => "newer metadata is waited for".to_owned(),
                Refusal::Withdraw => format!("it stays {isr}"),
            };
            format!("ISR {proposed} was refused with {}: {then}", error_name(code))
        });
        match refusal {
            Refusal::Retry => return false,
            Refusal::AwaitImage => {}
            Refusal::Withdraw => {
                let leader = self.partitions.get_mut(id).and_then(Partition::as_leader_mut);
                if let Some(leader) = leader
                    && leader.isr.proposal().map(|pending| pending.token) == Some(proposal.token)
                {
                    leader.isr.withdraw();
                }
            }
        }
        true
    }
}
