//! Replicas that move during the storm: reassignments begun, replaced by others and cancelled while nodes die, and brokers that come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use broker::controller::Rebalance;
use broker::protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use broker::protocol::messages::{AlterPartitionReassignmentsRequestData, KafkaString};
use broker::server::peer::PeerRequest;
use broker::types::NodeId;
use rand::Rng;
use rand::rngs::StdRng;

use super::checker::Violation;
use super::client::TOPIC;
use super::world::World;

/// Brokers that a run has at one time, at most.
const BROKERS_MAX: usize = 6;

/// See the module.
pub(super) struct Moves {
    next_at: Duration,
    /// Brokers come and go, and the cluster plans the moves; otherwise the moves are drawn, and the brokers stay.
    brokers_change: bool,
    /// The broker that is to go, and how far that is. One at a time.
    leaving: Option<(NodeId, Step)>,
    next_id: NodeId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Its replicas move off.
    Evacuated,
    /// It has none left, was stopped, and is to be unregistered.
    Dismissed,
}

impl Moves {
    pub(super) fn new(rng: &mut StdRng, start: Duration, brokers: i32) -> Moves {
        Moves {
            next_at: start + Duration::from_millis(rng.random_range(50..500)),
            brokers_change: rng.random_bool(0.5),
            leaving: None,
            next_id: brokers + 1,
        }
    }

    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// Begins a move, or cancels what is under way, if it is time.
    pub(super) fn act(&mut self, world: &mut World) -> Result<(), Violation> {
        if self.next_at > world.now.mono {
            return Ok(());
        }
        self.next_at = world.now.mono + Duration::from_millis(world.rng.random_range(50..1500));
        let partition = world.rng.random_range(0..world.plan.partitions);
        if world.rng.random_ratio(1, 5) {
            order_reassignment(world, partition, None);
        } else if self.brokers_change {
            self.change_brokers(world)?;
        } else {
            let target = any_three(world);
            order_reassignment(world, partition, Some(target));
        }
        Ok(())
    }

    /// As the cluster does it: a new one starts and gets its share; one that goes is emptied, stopped, unregistered, and its disk is gone.
    fn change_brokers(&mut self, world: &mut World) -> Result<(), Violation> {
        let ids = broker_ids(world);
        match self.leaving {
            None if ids.len() < BROKERS_MAX && world.rng.random_bool(0.5) => {
                world.add(self.next_id)?;
                world.summary.brokers_added += 1;
                self.next_id += 1;
            }
            None if ids.len() > 4 && world.rng.random_bool(0.5) => {
                let id = ids[world.rng.random_range(0..ids.len())];
                self.leaving = Some((id, Step::Evacuated));
                world.order(PeerRequest::Rebalance(Rebalance::Evacuate(id)));
            }
            None => world.order(PeerRequest::Rebalance(Rebalance::Spread)),
            Some((id, Step::Evacuated)) if world.is_at_work(id) && is_empty(world, id) => {
                world.kill(id);
                self.leaving = Some((id, Step::Dismissed));
                world.order(PeerRequest::Rebalance(Rebalance::Dismiss(id)));
            }
            Some((id, Step::Evacuated)) if world.rng.random_ratio(1, 8) => {
                self.leaving = None;
                world.order(PeerRequest::Rebalance(Rebalance::Keep(id)));
            }
            Some((id, Step::Evacuated)) => world.order(PeerRequest::Rebalance(Rebalance::Evacuate(id))),
            Some((id, Step::Dismissed)) if is_unknown(world, id) => {
                world.nodes.remove(&id);
                world.summary.brokers_removed += 1;
                self.leaving = None;
            }
            // It was given replicas before it had stopped.
            Some((id, Step::Dismissed)) if !is_empty(world, id) => {
                world.start(id)?;
                self.leaving = Some((id, Step::Evacuated));
            }
            Some((id, Step::Dismissed)) => world.order(PeerRequest::Rebalance(Rebalance::Dismiss(id))),
        }
        Ok(())
    }
}

fn broker_ids(world: &World) -> Vec<NodeId> {
    world.nodes.keys().copied().filter(|id| *id < 3000).collect()
}

/// As far as the active controller has committed.
fn is_empty(world: &World, id: NodeId) -> bool {
    let topic = world.decided().and_then(|image| image.topic(TOPIC));
    topic.is_some_and(|topic| topic.partitions.iter().all(|partition| !partition.replicas.contains(&id)))
}

fn is_unknown(world: &World, id: NodeId) -> bool {
    world.decided().is_some_and(|image| !image.brokers.contains_key(&id))
}

fn any_three(world: &mut World) -> Vec<NodeId> {
    let mut ids = broker_ids(world);
    while ids.len() > 3 {
        ids.remove(world.rng.random_range(0..ids.len()));
    }
    let first = world.rng.random_range(0..ids.len());
    ids.swap(0, first);
    ids
}

/// To these replicas, or back to those from before.
fn order_reassignment(world: &mut World, partition: i32, replicas: Option<Vec<NodeId>>) {
    if let Some(target) = &replicas {
        let target: BTreeSet<NodeId> = target.iter().copied().collect();
        world.checker.moves.ordered.insert((partition, target));
    }
    let partition = ReassignablePartition { partition_index: partition, replicas, ..Default::default() };
    let topic =
        ReassignableTopic { name: KafkaString::from_static(TOPIC), partitions: vec![partition], ..Default::default() };
    let request = AlterPartitionReassignmentsRequestData {
        topics: vec![topic],
        allow_replication_factor_change: true,
        ..Default::default()
    };
    world.order(PeerRequest::AlterPartitionReassignments(Box::new(request)));
}
