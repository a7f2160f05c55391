//! Rows 1 to 6, 9 and 10, and double failovers: brokers killed, paused, cut off, without power, while the rest has what was acknowledged.

use std::time::Duration;

use broker::types::NodeId;
use rand::Rng;
use rand::seq::SliceRandom;

use super::steps::{LOOK, ms};
use crate::campaign::history::{Anomaly, Kind};
use crate::campaign::world::World;

/// What the table allows beyond the session until writes go on.
const RESUME: Duration = Duration::from_secs(1);

/// Row 1.
pub(super) fn anything(world: &mut World) -> Result<(), Anomaly> {
    world.license_all();
    let brokers = world.shuffled_brokers();
    let count = world.rng.random_range(1..=brokers.len());
    for broker in &brokers[..count] {
        world.fault();
        match world.rng.random_range(0..5) {
            0 | 1 => world.kill(*broker),
            2 => world.power_loss(*broker),
            3 => world.pause(*broker),
            _ => isolate(world, *broker),
        }
        let gap = world.between(Duration::ZERO, world.session(12));
        world.run_for(gap)?;
    }
    world.disturb_controllers(0.3);
    let out = world.between(ms(50), world.session(25));
    world.run_for(out)?;
    world.settle()
}

pub(super) fn isolate(world: &mut World, broker: NodeId) {
    for other in world.controller_ids().chain(world.broker_ids()) {
        if other != broker {
            world.cut_both(broker, other);
        }
    }
}

/// Row 2.
pub(super) fn leader_lost(world: &mut World) -> Result<(), Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(()) };
    world.fault();
    match world.rng.random_range(0..4) {
        0 | 1 => world.kill(leader),
        2 => world.pause(leader),
        _ => isolate(world, leader),
    }
    world.disturb_controllers(0.15);
    let out = world.between(ms(30), world.session(25));
    world.run_for(out)?;
    world.settle()
}

/// Row 3.
pub(super) fn followers_killed(world: &mut World) -> Result<(), Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(()) };
    let epochs: Vec<NodeId> = world.all_partitions().map(|partition| partition.leader).collect();
    let followers: Vec<NodeId> = world.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    let count = world.rng.random_range(1..=followers.len());
    for follower in &followers[..count] {
        world.fault();
        world.kill(*follower);
        let gap = world.between(Duration::ZERO, world.session(15));
        world.run_for(gap)?;
    }
    let out = world.between(ms(30), world.session(25));
    world.run_for(out)?;
    world.settle()?;
    let after: Vec<NodeId> = world.all_partitions().map(|partition| partition.leader).collect();
    if after != epochs {
        let what = format!("leaders were {epochs:?}, and after followers were killed they are {after:?}");
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    Ok(())
}

/// Row 4.
pub(super) fn one_killed(world: &mut World) -> Result<(), Anomaly> {
    let victim = world.any_broker();
    world.fault();
    let disturbed = world.disturb_controllers(0.25);
    let since = world.now.mono + ms(10);
    world.kill(victim);
    if world.rng.random_bool(0.3) {
        // Back before anybody noticed, or while it is being noticed.
        let out = world.between(ms(10), world.session(12));
        world.run_for(out)?;
        world.start(victim)?;
    }
    if !disturbed {
        world.writes_resume(since, world.session(10) + RESUME)?;
    }
    let out = world.between(ms(10), world.session(20));
    world.run_for(out)?;
    world.settle()
}

/// Row 5.
pub(super) fn two_killed(world: &mut World) -> Result<(), Anomaly> {
    // One that is still behind since the last fault would be taken out of the ISR, and could not survive in it.
    let patience = world.patience();
    world.await_in_step(patience)?;
    let brokers = world.shuffled_brokers();
    let (dead, survivor) = (&brokers[..2], brokers[2]);
    for broker in dead {
        world.fault();
        world.kill(*broker);
        let gap = world.between(Duration::ZERO, world.session(20));
        world.run_for(gap)?;
    }
    world.expect(world.session(20) + RESUME, "the ISR to be the survivor", |world| world.isr_is(&[survivor]))?;
    // What was acknowledged while the ISR shrank is on its way for a moment.
    world.run_for(ms(300))?;
    let ends: Vec<i64> = (0..world.plan.partitions).map(|partition| world.watch.committed_end(partition)).collect();
    let (refused, now) = (world.watch.refused, world.now.mono);
    let out = world.between(ms(400), world.session(15));
    world.run_for(out)?;
    for (partition, end) in (0..).zip(&ends) {
        let after = world.watch.committed_end(partition);
        if after != *end || world.watch.last_ack(partition) > now {
            let what = format!(
                "partition {partition} has one in-sync replica of two, and its high watermark went from {end} to {after}"
            );
            return Err(Anomaly::new(Kind::Availability, what));
        }
    }
    let asked = (0..world.plan.partitions).any(|partition| world.is_written(partition));
    // Whoever waits for an answer to what it sent before gives that up first.
    let told = |world: &mut World| world.watch.refused > refused;
    if asked && !world.run_until(Duration::from_secs(8), LOOK, told)? {
        return Err(Anomaly::new(Kind::Availability, "nobody was told NOT_ENOUGH_REPLICAS"));
    }
    let since = world.now.mono;
    let back = dead[world.rng.random_range(0..2)];
    world.start(back)?;
    world.writes_resume(since, world.session(10) + world.plan.timings.lag() + RESUME)?;
    world.settle()
}

/// Row 6.
pub(super) fn all_killed(world: &mut World) -> Result<(), Anomaly> {
    let brokers = world.shuffled_brokers();
    let most = if world.rng.random_bool(0.6) { ms(100) } else { world.session(15) };
    for broker in &brokers {
        world.fault();
        world.kill(*broker);
        let gap = world.between(Duration::ZERO, most);
        world.run_for(gap)?;
    }
    world.disturb_controllers(0.2);
    let out = world.between(ms(10), world.session(40));
    world.run_for(out)?;
    let mut back = world.shuffled_brokers();
    // Whoever is no candidate comes first: the partition must wait.
    let candidates: Vec<NodeId> = world
        .all_partitions()
        .flat_map(|partition| partition.isr.iter().chain(&partition.elr).chain(&partition.last_known_elr).copied())
        .collect();
    let strangers: Vec<NodeId> = back.iter().copied().filter(|id| !candidates.contains(id)).collect();
    for id in &strangers {
        world.start(*id)?;
    }
    if !strangers.is_empty() && world.is_leaderless() {
        world.run_for(world.session(10))?;
        if !world.is_leaderless() {
            let what = format!("{strangers:?} were in no ISR or ELR, and one of them leads\n{}", world.describe());
            return Err(Anomaly::new(Kind::WrongLeader, what));
        }
    }
    back.retain(|id| !strangers.contains(id));
    for id in back {
        world.start(id)?;
        let gap = world.between(Duration::ZERO, world.session(8));
        world.run_for(gap)?;
    }
    world.settle()
}

/// Row 9.
pub(super) fn one_loses_power(world: &mut World) -> Result<(), Anomaly> {
    match world.rng.random_range(0..8) {
        0 => return voters_lose_power(world),
        1 => return voters_keep_promises(world),
        _ => {}
    }
    let victim = world.any_broker();
    world.fault();
    world.power_loss(victim);
    let disturbed = world.disturb_controllers(0.2);
    let since = world.now.mono + ms(10);
    let out = world.between(ms(5), world.session(25));
    world.run_for(out)?;
    world.start(victim)?;
    if !disturbed {
        // Its clients hear nothing from it until they give up, and followers with a fetch under way neither.
        let fetch = world.plan.timings.lag() / 2 + ms(600);
        world.writes_resume(since, world.session(10) + RESUME + ms(3500) + fetch)?;
    }
    world.settle()
}

/// Votes must outlive power: controllers lose it while they elect.
fn voters_lose_power(world: &mut World) -> Result<(), Anomaly> {
    let Some(active) = world.active_controller() else { return world.settle() };
    world.fault();
    world.kill(active);
    let others: Vec<NodeId> = world.controller_ids().filter(|id| *id != active).collect();
    let voted = |world: &World, id: NodeId| world.controller(id).map(|core| core.quorum().epoch());
    let before: Vec<Option<i32>> = others.iter().map(|id| voted(world, *id)).collect();
    // Once somebody stands, both have the new epoch; one of them forgets what it had not synced.
    let stands = |world: &mut World| others.iter().zip(&before).any(|(id, epoch)| voted(world, *id) != *epoch);
    world.run_until(world.patience(), ms(1), stands)?;
    let gap = world.between(Duration::ZERO, ms(3));
    world.run_for(gap)?;
    world.start(active)?;
    for _ in 0..world.rng.random_range(1..6) {
        let id = others[world.rng.random_range(0..others.len())];
        world.power_loss(id);
        world.fault();
        let gap = world.between(Duration::ZERO, ms(2));
        world.run_for(gap)?;
        world.start(id)?;
        let gap = world.between(ms(1), ms(world.plan.timings.election_ms));
        world.run_for(gap)?;
    }
    world.settle()
}

/// What a voter told the leader that it has must outlive its power: the leader goes with it, and who is left was away meanwhile.
fn voters_keep_promises(world: &mut World) -> Result<(), Anomaly> {
    let Some(active) = world.active_controller() else { return world.settle() };
    let mut others: Vec<NodeId> = world.controller_ids().filter(|id| *id != active).collect();
    others.shuffle(&mut world.rng);
    let [promised, away] = others[..] else { return world.settle() };
    world.fault();
    world.pause(away);
    // This is written to the metadata log by the two that are left.
    let victim = world.any_broker();
    world.fault();
    world.kill(victim);
    let written = |world: &mut World| world.all_partitions().all(|partition| !partition.isr.contains(&victim));
    world.run_until(world.session(25), LOOK, written)?;
    let gap = world.between(Duration::ZERO, ms(50));
    world.run_for(gap)?;
    world.fault();
    world.power_loss(promised);
    if world.rng.random_bool(0.5) {
        world.power_loss(active);
    } else {
        world.kill(active);
    }
    world.resume(away);
    let gap = world.between(ms(1), ms(300));
    world.run_for(gap)?;
    world.start(promised)?;
    let out = world.between(world.session(2), world.session(20));
    world.run_for(out)?;
    world.settle()
}

/// Row 10.
pub(super) fn leader_loses_power_briefly(world: &mut World) -> Result<(), Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(()) };
    world.fault();
    world.power_loss(leader);
    let out = world.between(ms(1), world.session(8));
    world.run_for(out)?;
    world.start(leader)?;
    let gap = world.between(ms(1), world.session(10));
    world.run_for(gap)?;
    world.settle()
}

/// KIP-101 and KIP-279: leaders fall one after another, each soon after the others began to follow it.
pub(super) fn double_failover(world: &mut World) -> Result<(), Anomaly> {
    let Some(first) = world.some_leader() else { return Ok(()) };
    world.fault();
    let lose = |world: &mut World, id: NodeId| match world.rng.random_range(0..4) {
        0 => world.pause(id),
        1 => isolate(world, id),
        _ => world.kill(id),
    };
    lose(world, first);
    let led = |world: &World| -> Vec<NodeId> { world.all_partitions().map(|partition| partition.leader).collect() };
    let moved = |world: &mut World| led(world).iter().all(|leader| *leader != first && *leader > 0);
    if world.run_until(world.session(20), ms(1), moved)? {
        let second = led(world)[0];
        let gap = match world.rng.random_range(0..3) {
            0 => world.between(Duration::ZERO, ms(3)),
            1 => world.between(ms(1), ms(200)),
            _ => world.between(ms(100), world.session(12)),
        };
        world.run_for(gap)?;
        world.fault();
        lose(world, second);
        if world.rng.random_bool(0.5) && !world.is_up(first) {
            // The first comes back with what only it had, and follows the third.
            let gap = world.between(Duration::ZERO, world.session(5));
            world.run_for(gap)?;
            world.start(first)?;
        }
        let out = world.between(ms(50), world.session(25));
        world.run_until(out, LOOK, |_| false)?;
    }
    world.settle()
}
