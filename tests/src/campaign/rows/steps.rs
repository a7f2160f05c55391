//! What the rounds are made of.

use std::fmt::Write;
use std::time::Duration;

use broker::metadata::image::{Image, PartitionImage};
use broker::types::{NodeId, TopicIdPartition};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::campaign::committer::{OFFSETS_TOPIC, TRANSACTION_TOPIC};
use crate::campaign::history::{Anomaly, Kind};
use crate::campaign::plan::TOPIC;
use crate::campaign::share::SHARE_STATE_TOPIC;
use crate::campaign::world::{Action, World};

/// How often conditions are looked at.
pub(super) const LOOK: Duration = Duration::from_millis(20);

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl World {
    /// How long a healed cluster may take until it is whole.
    pub(in crate::campaign) fn patience(&self) -> Duration {
        self.plan.timings.session() * 3 + self.plan.timings.lag() * 2 + Duration::from_secs(30)
    }

    pub(super) fn fault(&mut self) {
        self.counts.faults += 1;
    }

    /// A random time.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.rng.random_range(least..=most.max(least))
    }

    /// A part of a broker's session.
    pub(super) fn session(&self, tenths: u32) -> Duration {
        self.plan.timings.session() * tenths / 10
    }

    /// All brokers in a random order.
    pub(super) fn shuffled_brokers(&mut self) -> Vec<NodeId> {
        let mut brokers: Vec<NodeId> = self.broker_ids().collect();
        brokers.shuffle(&mut self.rng);
        brokers
    }

    pub(super) fn any_broker(&mut self) -> NodeId {
        self.rng.random_range(1..=self.plan.brokers)
    }

    /// Leader of a random partition.
    pub(super) fn some_leader(&mut self) -> Option<NodeId> {
        let partition = self.rng.random_range(0..self.plan.partitions);
        self.partition(partition).map(|partition| partition.leader).filter(|leader| *leader > 0)
    }

    pub(super) fn all_partitions(&self) -> impl Iterator<Item = &PartitionImage> {
        let topic = self.truth().and_then(|image| image.topic(TOPIC));
        topic.into_iter().flat_map(|topic| &topic.partitions)
    }

    /// Every partition's ISR is these.
    pub(super) fn isr_is(&self, members: &[NodeId]) -> bool {
        self.all_partitions().all(|partition| {
            partition.isr.len() == members.len() && members.iter().all(|member| partition.isr.contains(member))
        })
    }

    /// No partition has a leader.
    pub(super) fn is_leaderless(&self) -> bool {
        self.all_partitions().all(|partition| partition.leader < 0)
    }

    /// Waits until something holds in the metadata, which it must.
    pub(super) fn expect(
        &mut self,
        patience: Duration,
        what: &str,
        done: impl FnMut(&mut World) -> bool,
    ) -> Result<(), Anomaly> {
        if self.run_until(patience, LOOK, done)? {
            return Ok(());
        }
        let what = format!("waited {patience:?} for {what}\n{}", self.describe());
        Err(Anomaly::new(Kind::Availability, what))
    }

    /// A broker is registered and unfenced, and knows so.
    pub(super) fn takes_part(&self, id: NodeId) -> bool {
        self.broker(id).is_some_and(|broker| broker.takes_part())
    }

    /// Everybody takes part, every partition has a leader that leads, and a full ISR.
    pub(in crate::campaign) fn is_whole(&self) -> bool {
        let Some(topic) = self.truth().and_then(|image| image.topic(TOPIC)) else { return false };
        self.coordinators_are_whole()
            && self.broker_ids().all(|id| self.takes_part(id))
            && topic.partitions.iter().enumerate().all(|(index, partition)| {
                let leader = self.broker(partition.leader);
                let id = self.watch.id(index as u32);
                let replica = leader.zip(id).and_then(|(leader, id)| leader.replicas.partition(&id));
                partition.isr.len() == 3
                    && replica
                        .is_some_and(|replica| replica.is_leader() && replica.leader_epoch() == partition.leader_epoch)
            })
    }

    /// With transactions or share groups, what coordinators keep counts as much as the topic itself.
    fn coordinators_are_whole(&self) -> bool {
        let counts = !self.plan.transactional.is_empty() || self.plan.share.is_some();
        let image = self.truth().filter(|_| counts);
        let topics =
            [TRANSACTION_TOPIC, OFFSETS_TOPIC, SHARE_STATE_TOPIC].into_iter().filter_map(|topic| image?.topic(topic));
        topics.flat_map(|topic| &topic.partitions).all(|partition| partition.leader > 0 && partition.isr.len() == 3)
    }

    /// All replicas of each partition end where its high watermark is.
    pub(in crate::campaign) fn is_level(&self) -> bool {
        self.is_whole()
            && (0..self.plan.partitions).all(|partition| {
                let Some(id) = self.watch.id(partition) else { return false };
                let mut ends = self.brokers().map(|broker| {
                    let end = broker.replicas.log(&id).map(|log| log.log_end_offset());
                    (end, broker.replicas.partition(&id).map(|replica| replica.high_watermark()))
                });
                let first = ends.next();
                first.is_some_and(|(end, watermark)| end == watermark && ends.all(|other| other == (end, watermark)))
            })
    }

    /// Whether a broker believes that it leads what another leads by now.
    pub(in crate::campaign) fn is_deposed(&self, node: NodeId) -> bool {
        let (Some(truth), Some(own)) = (self.truth(), self.broker(node).map(|broker| &broker.image)) else {
            return true;
        };
        let leaders = |image: &Image, topic| -> Vec<NodeId> {
            image.topic(topic).map_or(Vec::new(), |topic| topic.partitions.iter().map(|it| it.leader).collect())
        };
        [TOPIC, TRANSACTION_TOPIC, OFFSETS_TOPIC, SHARE_STATE_TOPIC].into_iter().any(|topic| {
            let pairs = leaders(own, topic).into_iter().zip(leaders(truth, topic));
            pairs.into_iter().any(|(mine, real)| mine == node && real != node)
        })
    }

    /// Partitions, those of the groups' offsets included, whose leader has a last stable offset below its high watermark.
    pub(in crate::campaign) fn open_transactions(&self) -> Vec<TopicIdPartition> {
        let Some(image) = self.truth() else { return Vec::new() };
        let mut open = Vec::new();
        for topic in [TOPIC, OFFSETS_TOPIC].into_iter().filter_map(|topic| image.topic(topic)) {
            for (index, partition) in (0..).zip(&topic.partitions) {
                let id = TopicIdPartition { topic_id: topic.id, partition: index };
                let leader = self.broker(partition.leader);
                let ends = leader.and_then(|leader| {
                    let high_watermark = leader.replicas.partition(&id)?.high_watermark();
                    Some((leader.replicas.log(&id)?.last_stable_offset(high_watermark), high_watermark))
                });
                if ends.is_none_or(|(stable, high_watermark)| stable != high_watermark) {
                    open.push(id);
                }
            }
        }
        open
    }

    pub(in crate::campaign) fn await_whole(&mut self, patience: Duration) -> Result<(), Anomaly> {
        if self.run_until(patience, LOOK, |world| world.is_whole())? {
            return Ok(());
        }
        let what = format!("waited {patience:?} for a whole cluster\n{}", self.describe());
        Err(Anomaly::new(Kind::Liveness, what))
    }

    /// The same, and all replicas of each partition have all that any of them has: nobody is about to leave the ISR for what it missed.
    pub(super) fn await_in_step(&mut self, patience: Duration) -> Result<(), Anomaly> {
        let in_step = |world: &mut World| {
            let equal = |id| {
                let ends = world.brokers().map(|broker| broker.replicas.log(&id).map(|log| log.log_end_offset()));
                ends.is_sorted_by(|one, other| one == other)
            };
            world.is_whole() && (0..world.plan.partitions).all(|partition| world.watch.id(partition).is_some_and(equal))
        };
        if self.run_until(patience, LOOK, in_step)? {
            return Ok(());
        }
        let what = format!("waited {patience:?} for replicas in step\n{}", self.describe());
        Err(Anomaly::new(Kind::Liveness, what))
    }

    /// All faults end, and the cluster must become whole.
    pub(super) fn settle(&mut self) -> Result<(), Anomaly> {
        self.cuts.clear();
        self.troubles.clear();
        self.clear_schedule();
        self.say(|| "heal all".into());
        let mut nodes: Vec<NodeId> = self.controller_ids().chain(self.broker_ids()).collect();
        nodes.shuffle(&mut self.rng);
        for id in nodes {
            self.node_mut(id).slow = None;
            if self.may_fail.remove(&id) {
                self.node(id).disk.fail_writes(None);
                self.node(id).disk.fail_reads(false);
                if self.is_up(id) {
                    self.kill(id);
                }
            }
            if !self.is_up(id) {
                self.start(id)?;
            } else if self.node(id).paused {
                self.resume(id);
            }
        }
        let patience = self.patience();
        self.await_whole(patience)?;
        self.watch.end_licences();
        self.tidy();
        let rest = self.between(ms(50), ms(800));
        self.run_for(rest)?;
        // A session that the fault had all but ended may end now.
        self.await_whole(patience)
    }

    /// Writes go on: of each partition, something that was sent after `since` is acknowledged within `patience`.
    pub(super) fn writes_resume(&mut self, since: Duration, patience: Duration) -> Result<(), Anomaly> {
        let written: Vec<u32> = (0..self.plan.partitions).filter(|partition| self.is_written(*partition)).collect();
        let left = (since + patience).saturating_sub(self.now.mono);
        let back = |world: &mut World| written.iter().all(|partition| world.watch.last_ack(*partition) > since);
        if self.run_until(left, LOOK, back)? {
            return Ok(());
        }
        let last: Vec<f64> = written.iter().map(|partition| self.watch.last_ack(*partition).as_secs_f64()).collect();
        let what = format!(
            "nothing that was sent after {:.3} s was acknowledged within {patience:?}; of partitions {written:?} it is what was sent at {last:.3?}\n{}",
            since.as_secs_f64(),
            self.describe()
        );
        Err(Anomaly::new(Kind::Availability, what))
    }

    /// Somebody writes to this partition with acks=all.
    pub(super) fn is_written(&self, partition: u32) -> bool {
        let of = |index: usize| index as u32 % self.plan.partitions;
        self.plan.producers.iter().enumerate().any(|(index, producer)| producer.acks == -1 && of(index) == partition)
    }

    /// Now and then a controller fails too, for a while: at most one at a time. True: one did.
    pub(super) fn disturb_controllers(&mut self, chance: f64) -> bool {
        if !self.rng.random_bool(chance) {
            return false;
        }
        let active = self.active_controller();
        let controller = match active.filter(|_| self.rng.random_bool(0.5)) {
            Some(active) => active,
            None => self.rng.random_range(self.controller_ids()),
        };
        let start = self.between(Duration::ZERO, self.session(10));
        let lasts = self.between(ms(5), ms(3000));
        let action = match self.rng.random_range(0..3) {
            0 => Action::Kill(controller),
            1 => Action::PowerLoss(controller),
            _ => Action::Pause(controller),
        };
        self.later(start, action);
        self.later(start + lasts, Action::Revive(controller));
        self.fault();
        true
    }

    /// Up to where a broker's logs are on its disk, by partition.
    pub(super) fn synced(&self, broker: NodeId) -> Vec<(u32, i64)> {
        let synced = |partition: u32| {
            let log = self.watch.id(partition).and_then(|id| self.broker(broker)?.replicas.log(&id))?;
            Some((partition, log.recovery_point()))
        };
        (0..self.plan.partitions).filter_map(synced).collect()
    }

    /// What a broker has not synced may be lost, committed or not.
    pub(super) fn license_unsynced(&mut self, broker: NodeId) {
        for (partition, synced) in self.synced(broker) {
            self.watch.license(partition, synced);
        }
    }

    /// Anything may be lost.
    pub(super) fn license_all(&mut self) {
        for partition in 0..self.plan.partitions {
            self.watch.license(partition, 0);
        }
    }

    /// Stops a broker as an operator does: leadership moved, logs closed, marker left.
    pub(super) fn stop(&mut self, id: NodeId) -> Result<(), Anomaly> {
        self.say(|| format!("stop {id}"));
        let (now, patience) = (self.now, self.plan.timings.session() * 2);
        if let Some(broker) = self.broker_mut(id) {
            broker.begin_shutdown(now, patience);
        }
        self.after(id)?;
        self.run_until(patience * 2, LOOK, |world| world.broker(id).is_none_or(|broker| broker.may_stop()))?;
        let now = self.now;
        if let Some(broker) = self.broker_mut(id) {
            broker
                .shutdown(now)
                .map_err(|why| Anomaly::new(Kind::NodeFailed, format!("{id} does not stop cleanly: {why}")))?;
        }
        self.kill(id);
        Ok(())
    }

    /// The state of things, for a message.
    pub(in crate::campaign) fn describe(&self) -> String {
        let mut text = String::new();
        let Some(image) = self.truth() else { return "nobody has an image".into() };
        for broker in image.brokers.values() {
            let up = if self.is_up(broker.id) { "up" } else { "down" };
            let _ = writeln!(text, "broker {}: {up}, epoch {}, fenced {}", broker.id, broker.epoch, broker.fenced);
        }
        let _ = writeln!(text, "active controller {:?}", self.active_controller());
        for (index, partition) in image.topic(TOPIC).iter().flat_map(|topic| topic.partitions.iter().enumerate()) {
            let _ = writeln!(
                text,
                "partition {index}: leader {} epoch {} isr {:?} elr {:?} last known {:?}, committed {}",
                partition.leader,
                partition.leader_epoch,
                partition.isr,
                partition.elr,
                partition.last_known_elr,
                self.watch.committed_end(index as u32)
            );
            for broker in self.brokers() {
                let Some(id) = self.watch.id(index as u32) else { continue };
                let end = broker.replicas.log(&id).map(|log| log.log_end_offset());
                let role = broker.replicas.partition(&id).map(|replica| {
                    let watermark = replica.high_watermark();
                    format!(
                        "leader {} epoch {} high watermark {watermark}",
                        replica.is_leader(),
                        replica.leader_epoch()
                    )
                });
                let (me, offset) = (broker.config.node_id, broker.image.offset);
                let _ = writeln!(text, "  on {me}: end {end:?}, {role:?}, image {offset}");
            }
        }
        text
    }
}
