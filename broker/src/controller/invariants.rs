//! Random lives of a cluster: whatever happens, the image stays sane.

use proptest::prelude::*;

use super::testing::Harness;
use crate::metadata::ImageDelta;
use crate::metadata::image::{Image, PartitionImage};
use crate::types::NodeId;

#[derive(Clone, Debug)]
enum Step {
    Start { broker: NodeId, clean: bool },
    Heartbeat { broker: NodeId, want_fence: bool, want_shut_down: bool },
    Wait { ms: u64 },
    Propose { topic: usize, isr: u8, stale: bool },
    Create { partitions: i32, factor: i16, unclean: bool },
    Delete { topic: usize },
    Reassign { topic: usize, order: u64, factor: usize },
    Cancel { topic: usize },
    Rebalance(super::Rebalance),
    Unregister { broker: NodeId },
    Failover,
}

fn rebalance() -> impl Strategy<Value = super::Rebalance> {
    use super::Rebalance::{Dismiss, Evacuate, Keep, Spread};
    prop_oneof![Just(Spread), (1..=4i32).prop_map(Evacuate), (1..=4i32).prop_map(Keep), (1..=4i32).prop_map(Dismiss),]
}

fn step() -> impl Strategy<Value = Step> {
    let broker = 1..=4i32;
    prop_oneof![
        3 => (broker.clone(), any::<bool>()).prop_map(|(broker, clean)| Step::Start { broker, clean }),
        8 => (broker.clone(), 0..8u8, 0..6u8).prop_map(|(broker, fence, stop)| Step::Heartbeat {
            broker, want_fence: fence == 0, want_shut_down: stop == 0
        }),
        4 => (0..6_000u64).prop_map(|ms| Step::Wait { ms }),
        5 => (any::<usize>(), any::<u8>(), any::<bool>()).prop_map(|(topic, isr, stale)| Step::Propose { topic, isr, stale }),
        2 => (1..3i32, 1..5i16, any::<bool>()).prop_map(|(partitions, factor, unclean)| Step::Create { partitions, factor, unclean }),
        1 => any::<usize>().prop_map(|topic| Step::Delete { topic }),
        3 => (any::<usize>(), any::<u64>(), 1..5usize).prop_map(|(topic, order, factor)| Step::Reassign { topic, order, factor }),
        1 => any::<usize>().prop_map(|topic| Step::Cancel { topic }),
        2 => rebalance().prop_map(Step::Rebalance),
        1 => (1..=4i32).prop_map(|broker| Step::Unregister { broker }),
        1 => Just(Step::Failover),
    ]
}

struct World {
    harness: Harness,
    incarnations: u64,
    topics: usize,
}

impl World {
    fn topic(&self, index: usize) -> Option<String> {
        let names: Vec<_> = self.harness.state.image().topic_ids.keys().collect();
        (!names.is_empty()).then(|| names[index % names.len()].to_string())
    }

    fn run(&mut self, step: &Step) {
        let harness = &mut self.harness;
        match *step {
            Step::Start { broker, clean } => {
                self.incarnations += 1;
                let proof = if clean { harness.epoch(broker) } else { -1 };
                let _ = harness.register(broker, 100 + self.incarnations, proof);
            }
            Step::Heartbeat { broker, want_fence, want_shut_down } => {
                harness.heartbeat(broker, want_fence, want_shut_down);
            }
            Step::Wait { ms } => {
                harness.wait(ms);
                harness.tick();
            }
            Step::Propose { topic, isr, stale } => {
                let Some(name) = self.topic(topic) else { return };
                let harness = &mut self.harness;
                let replicas = harness.partition(&name).replicas.clone();
                let chosen: Vec<NodeId> =
                    (0..8).zip(replicas).filter(|(bit, _)| isr & (1 << bit) != 0).map(|(_, id)| id).collect();
                let mut request = harness.proposal(&name, &chosen);
                if stale {
                    request.topics[0].partitions[0].partition_epoch -= 1;
                }
                harness.alter(&request);
            }
            Step::Create { partitions, factor, unclean } => {
                self.topics += 1;
                let name = format!("t{}", self.topics);
                let config = super::testing::text("unclean.leader.election.enable");
                let configs = vec![crate::protocol::messages::create_topics_request::CreatableTopicConfig {
                    name: config,
                    value: Some(super::testing::text(if unclean { "true" } else { "false" })),
                    ..Default::default()
                }];
                harness.create_topics(vec![crate::protocol::messages::create_topics_request::CreatableTopic {
                    name: super::testing::text(&name),
                    num_partitions: partitions,
                    replication_factor: factor,
                    configs,
                    ..Default::default()
                }]);
            }
            Step::Delete { topic } => {
                let Some(name) = self.topic(topic) else { return };
                let request = crate::protocol::messages::DeleteTopicsRequestData {
                    topic_names: vec![super::testing::text(&name)],
                    ..Default::default()
                };
                let decision = self.harness.state.delete_topics(&request);
                self.harness.commit(decision);
            }
            Step::Reassign { topic, order, factor } => {
                let Some(name) = self.topic(topic) else { return };
                let harness = &mut self.harness;
                let mut brokers: Vec<NodeId> = harness.state.image().brokers.keys().copied().collect();
                brokers.sort_by_key(|id| order.rotate_left(*id as u32 * 13) ^ u64::from(id.unsigned_abs()));
                brokers.truncate(factor);
                harness.reassign(&name, Some(&brokers));
            }
            Step::Cancel { topic } => {
                let Some(name) = self.topic(topic) else { return };
                self.harness.reassign(&name, None);
            }
            Step::Rebalance(ref wish) => {
                let decision = harness.state.rebalance(wish);
                harness.commit(decision);
            }
            Step::Unregister { broker } => {
                harness.unregister(broker);
            }
            // Another controller takes over with what the log says.
            Step::Failover => {
                self.incarnations += 1;
                let state = &harness.state;
                harness.state = super::ControllerState::new(
                    state.config.clone(),
                    state.image.clone(),
                    state.registered_at.clone(),
                    self.incarnations + 1_000,
                    harness.now,
                );
            }
        }
    }
}

fn check_partition(image: &Image, partition: &PartitionImage) {
    let active =
        |id: &NodeId| image.brokers.get(id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown);
    let p = partition;
    assert!(p.leader == -1 || p.isr.contains(&p.leader), "the leader is in the ISR: {p:?}");
    assert!(p.leader == -1 || active(&p.leader), "the leader is alive: {p:?}");
    assert!(p.isr.iter().all(active), "the ISR is alive: {p:?}");
    assert!(p.leader != -1 || p.isr.is_empty(), "an ISR without a leader: {p:?}");
    for members in [&p.isr, &p.elr, &p.last_known_elr] {
        assert!(members.iter().all(|id| p.replicas.contains(id)), "replicas only: {p:?}");
        let mut distinct = members.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), members.len(), "each once: {p:?}");
    }
    assert!(p.elr.iter().all(|id| !p.isr.contains(id)), "ISR and ELR share nobody: {p:?}");
    assert_eq!(p.directories.len(), p.replicas.len());
    assert!(p.adding.iter().chain(&p.removing).all(|id| p.replicas.contains(id)), "who comes or goes is here: {p:?}");
    assert!(p.adding.iter().all(|id| !p.removing.contains(id)), "nobody comes and goes: {p:?}");
    assert!(!p.target_replicas().is_empty(), "somebody stays: {p:?}");
    // After an unclean election it is over with the next change of the ISR, which the leader asks for when it has recovered.
    let done = !p.recovering && p.is_reassigning() && p.target_replicas().iter().all(|id| p.isr.contains(id));
    assert!(!done, "a reassignment whose replicas are all in sync is over: {p:?}");
}

fn check(before: &Image, image: &Image) {
    for topic in image.topics.values() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            check_partition(image, partition);
            let Some(last) = before.topics.get(&topic.id).and_then(|topic| topic.partitions.get(index)) else {
                continue;
            };
            assert!(partition.leader_epoch >= last.leader_epoch && partition.partition_epoch >= last.partition_epoch);
            assert!(partition == last || partition.partition_epoch > last.partition_epoch, "every change is counted");
            assert!(
                partition.leader == last.leader || partition.leader_epoch > last.leader_epoch,
                "every leader has its epoch"
            );
            // What was acknowledged is on every member of the ISR: without an unclean election, one of them (or of the ELR) stays.
            let had: Vec<NodeId> = last.isr.iter().chain(&last.elr).copied().collect();
            let has = |id: &NodeId| partition.isr.contains(id) || partition.elr.contains(id);
            let lost =
                !had.is_empty() && !had.iter().any(has) && (!partition.isr.is_empty() || !partition.elr.is_empty());
            // A reassignment that is done hands over to those whom the leader has just named in sync, and to all of them.
            let target = last.target_replicas();
            let handed_over = last.is_reassigning()
                && partition.replicas == target
                && target.iter().all(|id| partition.isr.contains(id));
            assert!(
                !lost || partition.recovering || handed_over,
                "nobody who had everything is left: {last:?} -> {partition:?}"
            );
        }
    }
    for (id, broker) in &image.brokers {
        assert!(before.brokers.get(id).is_none_or(|last| last.epoch <= broker.epoch), "broker epochs grow");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_happens_the_image_stays_sane(steps in prop::collection::vec(step(), 1..80)) {
        let overrides = [("min.insync.replicas", "2"), ("leader.imbalance.check.interval.seconds", "7")];
        let mut world = World { harness: Harness::with_brokers(&overrides, 3), incarnations: 0, topics: 0 };
        for step in &steps {
            let before = world.harness.state.image().clone();
            world.run(step);
            check(&before, world.harness.state.image());
        }
        // Whoever reads the log comes to the same image.
        let mut replayed = Image::default();
        for (offset, record) in world.harness.log.iter().enumerate() {
            replayed.apply(offset as i64, 1, record, &mut ImageDelta::default()).unwrap();
        }
        prop_assert_eq!(&replayed, world.harness.state.image());
    }
}
