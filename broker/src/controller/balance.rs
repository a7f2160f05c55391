//! What the controller does on its own from time to time: leadership back to preferred replicas, and unclean elections where a topic allows
//! them.
//!
//! Source: `ReplicationControlManager.maybeBalancePartitionLeaders`, `maybeElectUncleanLeaders`; `auto.leader.rebalance.enable`,
//! `leader.imbalance.check.interval.seconds`, `unclean.leader.election.interval.ms`.

use std::time::Duration;

use super::leadership::{Reason, tell};
use super::partition_change::{Election, PartitionChange};
use super::state::{Changes, ControllerState, Decision};
use crate::logging::{Level, Logger};
use crate::metadata::image::{PartitionImage, TopicImage};
use crate::metadata::report::Cause;
use crate::types::{NodeId, Now};

/// Elections at once; the rest follows with the next tick.
const MAX_ELECTIONS: usize = 1_000;

impl ControllerState {
    pub(super) fn schedule_balance(&mut self, now: Now) {
        let seconds = u64::try_from(self.config.i64("leader.imbalance.check.interval.seconds")).unwrap_or(0);
        self.next_balance = now.mono + Duration::from_secs(seconds.max(1));
    }

    pub(super) fn schedule_unclean_check(&mut self, now: Now) {
        let interval = self.config.millis("unclean.leader.election.interval.ms");
        self.next_unclean_check = now.mono + interval.max(Duration::from_secs(1));
    }

    /// What is due now of the controller's own accord, one decision at a time: append it, then ask again.
    pub fn tick(&mut self, now: Now) -> Option<Decision<()>> {
        if let Some(fenced) = self.expire_session(now) {
            return Some(fenced);
        }
        if now.mono >= self.next_balance {
            let balanced = self.balance_leaders();
            if balanced.records.len() < MAX_ELECTIONS {
                self.schedule_balance(now);
            }
            if !balanced.records.is_empty() {
                return Some(balanced);
            }
        }
        if now.mono >= self.next_unclean_check {
            let elected = self.elect_uncleanly();
            if elected.records.len() < MAX_ELECTIONS {
                self.schedule_unclean_check(now);
            }
            if !elected.records.is_empty() {
                return Some(elected);
            }
        }
        None
    }

    /// When [`ControllerState::tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Duration {
        let own = self.next_balance.min(self.next_unclean_check);
        self.next_expiry().map_or(own, |expiry| expiry.min(own))
    }

    fn balance_leaders(&self) -> Decision<()> {
        if !self.config.bool("auto.leader.rebalance.enable") {
            return Decision::only(());
        }
        self.prefer_leaders()
    }

    /// Every leadership back to its preferred replica, where that is in sync.
    pub(super) fn prefer_leaders(&self) -> Decision<()> {
        let reason = Reason::new("back to its preferred leader", Cause::Preferred);
        self.elect_where(&reason, Election::Preferred, |_, partition| {
            partition.replicas.first() != Some(&partition.leader)
        })
    }

    fn elect_uncleanly(&self) -> Decision<()> {
        let cause = "no eligible replica is left, and the topic allows an unclean election";
        self.elect_where(&Reason::new(cause, Cause::Unclean), Election::Unclean, |topic, partition| {
            partition.leader < 0 && self.topic_config(&topic.name).unclean_leader_election_enable
        })
    }

    fn elect_where(
        &self,
        reason: &Reason,
        election: Election,
        wanted: impl Fn(&TopicImage, &PartitionImage) -> bool,
    ) -> Decision<()> {
        let mut changes = Changes::default();
        for topic in self.image.topics.values() {
            for (index, partition) in topic.partitions.iter().enumerate() {
                if changes.records.len() >= MAX_ELECTIONS {
                    return changes.with(());
                }
                if !wanted(topic, partition) {
                    continue;
                }
                let acceptable = |id: NodeId| self.is_active(id) && self.has_online_directory(id, partition);
                let config = self.topic_config(&topic.name);
                let change =
                    PartitionChange { election, ..self.change_of(topic, index, partition, &config, &acceptable) };
                if let Some(changed) = change.build() {
                    let level = if election == Election::Unclean { Level::Info } else { Level::Debug };
                    self.tell(Logger::ReplicationControl, level, || {
                        let (topic, led_by, why) = (&topic.name, partition.leader, &reason.words);
                        format!("{election:?} election of {topic}-{index}, led by {led_by}: {why}")
                    });
                    tell(topic, index, partition, &changed, reason, &mut changes.events);
                    changes.push(changed.record);
                }
            }
        }
        changes.with(())
    }
}
