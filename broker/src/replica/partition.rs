//! One replica on this broker. It keeps what Kafka's `Partition` keeps beside the log; the log itself stands in the log directory and is
//! handed in as offsets.
//!
//! Source: `kafka.cluster.Partition`.

use std::cell::Cell;
use std::time::Duration;

use super::isr::{Isr, Proposal};
use super::leader::{Leader, LeaderView};
use super::throttle::Throttled;
use crate::metadata::image::PartitionImage;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::types::{Id, NO_NODE, NodeId, TopicIdPartition, TopicPartition};

/// What this broker is for a partition.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// It leads.
    Leader(Leader),
    /// It follows, or waits for a leader to follow.
    Follower,
    /// Its log, or the directory of its log, failed; the partition answers KAFKA_STORAGE_ERROR until the broker is restarted.
    Offline {
        /// What the disk said.
        cause: String,
    },
}

/// A replica on this broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    id: TopicIdPartition,
    name: TopicPartition,
    pub(super) role: Role,
    pub(super) leader: NodeId,
    pub(super) leader_epoch: i32,
    pub(super) partition_epoch: i32,
    pub(super) replicas: Vec<NodeId>,
    /// Those of them that a reassignment adds.
    pub(super) adding: Vec<NodeId>,
    /// A reassignment adds or removes some.
    pub(super) reassigning: bool,
    pub(super) high_watermark: i64,
    /// Id of the log directory that holds it, or held it until it failed.
    pub(super) directory: Option<Id>,
    pub(super) min_insync_replicas: usize,
    pub(super) throttled: Throttled,
    /// Behind the last record that was acknowledged to a client in this epoch, or -1: for those who watch, decides nothing.
    acknowledged_end: Cell<i64>,
}

impl Partition {
    /// A replica that has a log and no role yet.
    pub(super) fn new(
        id: TopicIdPartition,
        name: TopicPartition,
        high_watermark: i64,
        min_insync_replicas: usize,
    ) -> Partition {
        Partition {
            id,
            name,
            role: Role::Follower,
            leader: NO_NODE,
            leader_epoch: -1,
            partition_epoch: -1,
            replicas: Vec::new(),
            adding: Vec::new(),
            reassigning: false,
            high_watermark,
            directory: None,
            min_insync_replicas,
            throttled: Throttled::default(),
            acknowledged_end: Cell::new(-1),
        }
    }

    /// Topic id and index.
    pub fn id(&self) -> TopicIdPartition {
        self.id
    }

    /// Topic name and index.
    pub fn name(&self) -> &TopicPartition {
        &self.name
    }

    /// What this broker is for it.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Whether this broker leads it.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Whether its log failed.
    pub fn is_offline(&self) -> bool {
        matches!(self.role, Role::Offline { .. })
    }

    /// Leader by the last image that this replica acted on, or -1.
    pub fn leader(&self) -> NodeId {
        self.leader
    }

    /// Leader epoch that it acts in; -1 before the first.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Partition epoch that it knows; -1 before the first.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Below it, records are on all in-sync replicas and visible.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// As leader, its log end when the epoch began; else -1.
    pub fn epoch_start_offset(&self) -> i64 {
        self.as_leader().map_or(-1, |leader| leader.epoch_start_offset)
    }

    /// Behind the last record that was acknowledged to a client in this epoch, or -1.
    pub fn acknowledged_end_offset(&self) -> i64 {
        self.acknowledged_end.get()
    }

    /// A client is told that it has been written up to here.
    pub fn note_acknowledged(&self, end: i64) {
        self.acknowledged_end.set(self.acknowledged_end.get().max(end));
    }

    /// In-sync replicas as this leader knows them; empty on a follower.
    pub fn isr(&self) -> &[NodeId] {
        self.as_leader().map_or(&[], |leader| leader.isr.members())
    }

    /// How far each follower's log goes, as this leader knows it; nothing on a follower.
    pub fn follower_log_ends(&self) -> impl Iterator<Item = (NodeId, i64)> {
        let followers = self.as_leader().into_iter().flat_map(|leader| &leader.followers);
        followers.map(|(id, follower)| (*id, follower.log_end_offset))
    }

    /// The leader's own knowledge, if it leads.
    pub(super) fn as_leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    pub(super) fn as_leader_mut(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// Whether a request that names a leader epoch means this reign. `requested`: -1 means that the asker does not care.
    pub fn check_leader_epoch(&self, requested: i32) -> Result<(), ErrorCode> {
        match requested {
            -1 => Ok(()),
            older if older < self.leader_epoch => Err(ErrorCode::FencedLeaderEpoch),
            newer if newer > self.leader_epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// The leader of the reign that the asker means, or the error that tells it what to do.
    pub(super) fn leader_for(&self, requested_epoch: i32) -> Result<&Leader, ErrorCode> {
        if self.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        self.check_leader_epoch(requested_epoch)?;
        self.as_leader().ok_or(ErrorCode::NotLeaderOrFollower)
    }

    /// `min.insync.replicas`, but no more than there are replicas.
    pub(super) fn effective_min_isr(&self) -> usize {
        if Bug::MinIsrNotChecked.is_planted() {
            return 1;
        }
        self.min_insync_replicas.min(self.replicas.len().max(1))
    }

    /// Raises the high watermark as far as the maximal ISR allows; true if it moved.
    pub(super) fn advance_high_watermark(&mut self, log_end: i64, view: &LeaderView<'_>) -> bool {
        let min_isr = self.effective_min_isr();
        let Some(leader) = self.as_leader() else { return false };
        let new = leader.high_watermark(log_end, min_isr, view);
        if new <= self.high_watermark {
            return false;
        }
        self.high_watermark = new;
        true
    }

    /// What a follower learns from its leader. Everything below a high watermark once known is on all in-sync replicas of its time, so it
    /// falls by truncation only.
    pub(super) fn learn_high_watermark(&mut self, leaders: i64, log_end: i64) -> bool {
        let new = leaders.min(log_end);
        if new <= self.high_watermark {
            return false;
        }
        self.high_watermark = new;
        true
    }

    /// The image has a state of this partition that is new to this replica.
    pub(super) fn is_news(&self, image: &PartitionImage) -> bool {
        image.partition_epoch > self.partition_epoch || image.leader_epoch > self.leader_epoch
    }

    /// Takes up leadership, or goes on with it in a new epoch, or only learns of another ISR.
    pub(super) fn lead(&mut self, me: NodeId, image: &PartitionImage, log_end: i64, now: Duration) {
        let new_epoch = image.leader_epoch > self.leader_epoch;
        // An epoch that is left out may have been another's reign, of which this replica never heard: followers may have cut off since what
        // they had confirmed. (Kafka goes on with what it knew of them.)
        let goes_on = image.leader_epoch <= self.leader_epoch.saturating_add(1) || Bug::MissedReignIgnored.is_planted();
        let mut leader = match std::mem::replace(&mut self.role, Role::Follower) {
            Role::Leader(leader) if goes_on => leader,
            _ => Leader::new(image.leader_epoch),
        };
        leader.assign(me, image, log_end, new_epoch, now);
        self.role = Role::Leader(leader);
        self.adopt(image);
    }

    /// Stops leading, if it led.
    pub(super) fn follow(&mut self, image: &PartitionImage) {
        self.role = Role::Follower;
        self.adopt(image);
    }

    fn adopt(&mut self, image: &PartitionImage) {
        if image.leader_epoch != self.leader_epoch {
            self.acknowledged_end.set(-1);
        }
        self.leader = image.leader;
        self.leader_epoch = image.leader_epoch;
        self.partition_epoch = image.partition_epoch;
        self.replicas.clone_from(&image.replicas);
        self.adding.clone_from(&image.adding);
        self.reassigning = !image.adding.is_empty() || !image.removing.is_empty();
    }

    /// Whether records up to `offset` (exclusive) are acknowledged for acks=all: `None` while they wait.
    pub fn acknowledged(&self, offset: i64, epoch_of_append: i32) -> Option<Result<(), ErrorCode>> {
        if self.is_offline() {
            return Some(Err(ErrorCode::KafkaStorageError));
        }
        let Some(leader) = self.as_leader() else { return Some(Err(ErrorCode::NotLeaderOrFollower)) };
        // Since that append this replica has followed another leader, and may have cut the records: unknown, not acknowledged.
        if epoch_of_append < leader.since_epoch {
            return Some(Err(ErrorCode::NotLeaderOrFollower));
        }
        if self.high_watermark < offset && !Bug::AckBeforeIsr.is_planted() {
            return None;
        }
        if leader.isr.maximal_len() < self.effective_min_isr() {
            return Some(Err(ErrorCode::NotEnoughReplicasAfterAppend));
        }
        Some(Ok(()))
    }

    /// The controller agreed to a proposal, or told of a newer state. True if it changed this leader's ISR.
    pub(super) fn isr_committed(
        &mut self,
        proposal: &Proposal,
        leader_epoch: i32,
        partition_epoch: i32,
        isr: Vec<NodeId>,
    ) -> bool {
        if leader_epoch != self.leader_epoch || partition_epoch < self.partition_epoch {
            return false;
        }
        let Some(leader) = self.as_leader_mut() else { return false };
        if leader.isr.proposal().map(|pending| pending.token) != Some(proposal.token) {
            return false;
        }
        leader.isr = Isr::committed(isr);
        self.partition_epoch = partition_epoch;
        true
    }
}
