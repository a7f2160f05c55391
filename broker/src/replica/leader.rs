//! The leader's side of a partition: who is in sync, how far the high watermark may go. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::isr::{Brokers, FollowerState, Isr};
use crate::metadata::image::PartitionImage;
use crate::planted::Bug;
use crate::types::NodeId;

/// What a leader looks at beside its own state.
#[derive(Clone, Copy, Debug)]
pub struct LeaderView<'a> {
    /// Monotonic time.
    pub now: Duration,
    /// `replica.lag.time.max.ms`.
    pub lag_time_max: Duration,
    /// Who is registered.
    pub brokers: &'a Brokers,
}

/// What this broker keeps while it leads a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Leader {
    /// First leader epoch since which it has led without a break.
    pub(super) since_epoch: i32,
    /// Log end when the current epoch began.
    pub(super) epoch_start_offset: i64,
    /// The other replicas.
    pub(super) followers: BTreeMap<NodeId, FollowerState>,
    /// In-sync replicas.
    pub(super) isr: Isr,
}

impl Leader {
    pub(super) fn new(since_epoch: i32) -> Leader {
        Leader { since_epoch, epoch_start_offset: -1, followers: BTreeMap::new(), isr: Isr::default() }
    }

    /// Adopts what the image says of replicas and ISR.
    pub(super) fn assign(&mut self, me: NodeId, image: &PartitionImage, log_end: i64, new_epoch: bool, now: Duration) {
        self.followers.retain(|id, _| image.replicas.contains(id));
        for &id in image.replicas.iter().filter(|id| **id != me) {
            let in_isr = image.isr.contains(&id);
            let was_in_isr = self.isr.members().contains(&id);
            match self.followers.get_mut(&id) {
                Some(follower) if new_epoch => follower.new_epoch(now, log_end, in_isr),
                Some(_) => {}
                None => {
                    self.followers.insert(id, FollowerState::at_start_of_reign(now, in_isr));
                }
            }
            if let Some(follower) = self.followers.get_mut(&id).filter(|_| was_in_isr && !in_isr) {
                follower.was_taken_out(now);
            }
        }
        self.isr = Isr::committed(image.isr.clone());
        if new_epoch {
            self.epoch_start_offset = log_end;
        }
    }

    /// How far the high watermark may go: to the least log end of the maximal ISR, and of those followers that are about to join it.
    /// Stands (-1) while the ISR is smaller than `min_isr` (KIP-966).
    pub(super) fn high_watermark(&self, log_end: i64, min_isr: usize, view: &LeaderView<'_>) -> i64 {
        if self.isr.members().len() < min_isr {
            return -1;
        }
        if Bug::HighWatermarkByMajority.is_planted() {
            let mut ends: Vec<i64> = self.followers.values().map(|follower| follower.log_end_offset).collect();
            ends.push(log_end);
            ends.sort_unstable();
            return ends[(ends.len() - 1) / 2];
        }
        let counts = |id: NodeId, follower: &FollowerState| {
            if Bug::HighWatermarkWithoutMaximalIsr.is_planted() {
                return self.isr.members().contains(&id);
            }
            if Bug::ShrinkIsrAlone.is_planted()
                && self.isr.proposal().is_some_and(|proposal| !proposal.isr.contains(&id))
            {
                return false;
            }
            self.isr.maximal_contains(id)
                || (follower.is_caught_up(log_end, view.now, view.lag_time_max)
                    && view.brokers.may_join_isr(id, follower.broker_epoch))
        };
        let ends = self.followers.iter().filter(|(id, follower)| counts(**id, follower));
        ends.map(|(_, follower)| follower.log_end_offset).fold(log_end, i64::min)
    }

    /// Whether a follower may be proposed for the ISR now.
    pub(super) fn may_expand_to(&self, id: NodeId, high_watermark: i64, brokers: &Brokers) -> bool {
        let Some(follower) = self.followers.get(&id) else { return false };
        self.isr.proposal().is_none()
            && !self.isr.members().contains(&id)
            && (follower.log_end_offset >= high_watermark || Bug::GrowIsrEarly.is_planted())
            && (follower.log_end_offset >= self.epoch_start_offset || Bug::GrowIsrEarly.is_planted())
            && brokers.may_join_isr(id, follower.broker_epoch)
    }

    /// Members of the ISR that lag for too long.
    pub(super) fn out_of_sync(&self, me: NodeId, log_end: i64, view: &LeaderView<'_>) -> Vec<NodeId> {
        if self.isr.proposal().is_some() {
            return Vec::new();
        }
        let lags = |id: &NodeId| {
            let follower = self.followers.get(id);
            !follower.is_some_and(|follower| follower.is_caught_up(log_end, view.now, view.lag_time_max))
        };
        self.isr.members().iter().copied().filter(|id| *id != me && lags(id)).collect()
    }
}
