//! Row 19: the broker that coordinates transactions, or keeps the offsets of their groups, is lost while they go on.

use std::time::Duration;

use broker::types::NodeId;
use rand::Rng;

use super::failovers::isolate;
use super::steps::ms;
use crate::campaign::committer::{OFFSETS_TOPIC, TRANSACTION_TOPIC};
use crate::campaign::history::Anomaly;
use crate::campaign::world::{TroubleKind, World};

/// Leads a partition of transactions or, now and then, of groups.
fn coordinator(world: &mut World) -> Option<NodeId> {
    let topic = if world.rng.random_bool(0.75) { TRANSACTION_TOPIC } else { OFFSETS_TOPIC };
    let count = world.truth()?.topic(topic)?.partitions.len();
    let partition = world.rng.random_range(0..count);
    let leader = world.truth()?.topic(topic)?.partitions[partition].leader;
    (leader > 0).then_some(leader)
}

/// Followers are slow, and a leader is lost: of what it holds, something is always on its way to them, be it records, markers, or what a
/// coordinator has decided.
pub(super) fn leader_lost_ahead(world: &mut World) -> Result<(), Anomaly> {
    let victim = if world.rng.random_bool(0.5) { coordinator(world) } else { world.some_leader() };
    lose_ahead(world, victim)
}

/// The same of this one.
pub(super) fn lose_ahead(world: &mut World, victim: Option<NodeId>) -> Result<(), Anomaly> {
    let Some(victim) = victim else { return world.settle() };
    world.fault();
    let slow = world.rng.random_range(10..150);
    world.say(|| format!("all but {victim} are slow ({slow} ms)"));
    for id in world.broker_ids().filter(|id| *id != victim) {
        world.node_mut(id).slow = Some((ms(slow / 2), ms(slow)));
    }
    let lasts = world.between(ms(100), ms(1500));
    world.run_for(lasts)?;
    world.fault();
    match world.rng.random_range(0..4) {
        0..=2 => world.kill(victim),
        _ => world.power_loss(victim),
    }
    let out = world.between(ms(1), world.session(20));
    world.run_for(out)?;
    world.settle()
}

/// A coordinator's markers hang on their way while it is deposed: they arrive behind those of its successor, and behind the first records of
/// the next transaction. Below `transaction.version` 2 these would be ended by them, with Kafka too (KIP-890).
fn markers_hang(world: &mut World) -> Result<(), Anomaly> {
    let Some(victim) = coordinator(world) else { return world.settle() };
    world.fault();
    let lasts = world.between(ms(100), ms(1500));
    world.trouble(victim, TroubleKind::MarkersHang, lasts, 60);
    let gap = world.between(ms(50), lasts);
    world.run_for(gap)?;
    world.fault();
    match world.rng.random_range(0..3) {
        0 => world.pause(victim),
        1 => isolate(world, victim),
        _ => world.stop(victim)?,
    }
    let out = world.between(ms(100), world.session(25));
    world.run_for(out)?;
    world.settle()
}

/// One after another: often the next as soon as it has taken over.
pub(super) fn coordinator_lost(world: &mut World) -> Result<(), Anomaly> {
    if world.plan.transactional.iter().all(|producer| producer.is_v2) && world.rng.random_bool(0.4) {
        return markers_hang(world);
    }
    lose_one_after_another(world, coordinator)
}

/// Whoever this tells, up to three times.
pub(super) fn lose_one_after_another(
    world: &mut World,
    mut next: impl FnMut(&mut World) -> Option<NodeId>,
) -> Result<(), Anomaly> {
    world.disturb_controllers(0.15);
    for _ in 0..world.rng.random_range(1..=3) {
        let Some(victim) = next(world).filter(|victim| world.is_up(*victim)) else { break };
        world.fault();
        match world.rng.random_range(0..6) {
            0 | 1 => world.kill(victim),
            // Of two one after the other, the second might be the last that had everything.
            2 if world.is_whole() => world.power_loss(victim),
            2 => world.kill(victim),
            3 => world.pause(victim),
            4 => isolate(world, victim),
            _ => world.stop(victim)?,
        }
        let out = world.between(ms(1), world.session(20));
        world.run_for(out)?;
        if !world.is_up(victim) {
            world.start(victim)?;
        } else if world.node(victim).paused {
            world.resume(victim);
        }
        world.cuts.clear();
        if !world.rng.random_bool(0.3) {
            let patience = world.patience();
            world.await_whole(patience)?;
        }
        let gap = world.between(Duration::ZERO, world.session(10));
        world.run_for(gap)?;
    }
    world.settle()
}
