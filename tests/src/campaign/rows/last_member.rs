//! Rows 7, 8 and 11 to 13: the ISR shrinks to its last member, and that one goes too.

use std::time::Duration;

use broker::types::NodeId;
use rand::Rng;

use super::steps::ms;
use crate::campaign::history::{Anomaly, Kind};
use crate::campaign::world::World;

/// Kills the followers of the one leader, and waits until it is alone in the ISR.
fn leave_the_leader_alone(world: &mut World) -> Result<Option<(NodeId, Vec<NodeId>)>, Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(None) };
    let followers: Vec<NodeId> = world.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    for follower in &followers {
        world.fault();
        world.kill(*follower);
        let gap = world.between(Duration::ZERO, world.session(12));
        world.run_for(gap)?;
    }
    world.expect(world.session(20) + ms(2000), "the ISR to be the leader alone", |world| world.isr_is(&[leader]))?;
    let alone = world.between(ms(50), ms(2000));
    world.run_for(alone)?;
    Ok(Some((leader, followers)))
}

/// Row 7.
pub(super) fn last_killed(world: &mut World) -> Result<(), Anomaly> {
    let Some((leader, followers)) = leave_the_leader_alone(world)? else { return Ok(()) };
    world.fault();
    world.kill(leader);
    let out = world.between(ms(10), world.session(20));
    world.run_for(out)?;
    let count = world.rng.random_range(1..=followers.len());
    for follower in &followers[..count] {
        world.start(*follower)?;
    }
    let back = |world: &mut World| followers[..count].iter().all(|id| world.takes_part(*id)) && world.is_leaderless();
    world.expect(world.patience(), "followers to be back and no leader", back)?;
    let wait = world.between(ms(100), world.session(15));
    world.run_for(wait)?;
    if !world.is_leaderless() {
        let what = format!("{followers:?} were not in the ISR, and one of them leads\n{}", world.describe());
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    world.start(leader)?;
    world.settle()
}

/// Row 8.
pub(super) fn last_loses_power(world: &mut World) -> Result<(), Anomaly> {
    let Some((leader, followers)) = leave_the_leader_alone(world)? else { return Ok(()) };
    world.license_unsynced(leader);
    world.fault();
    world.power_loss(leader);
    let out = world.between(ms(10), world.session(20));
    world.run_for(out)?;
    if world.rng.random_bool(0.5) {
        world.start(followers[0])?;
        let gap = world.between(ms(10), world.session(15));
        world.run_for(gap)?;
    }
    world.settle()
}

/// How followers leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    Stopped,
    Paused,
    Killed,
    PowerLost,
}

impl Leave {
    /// It may have lost what it had not synced, or cannot prove that it has not.
    fn is_unclean(self) -> bool {
        matches!(self, Leave::Killed | Leave::PowerLost)
    }
}

/// Row 11. With ELR, a follower that left below the minimum waits there for its return; but one that was killed is taken for one that lost
/// power (KIP-966), and then the last leader leads with what it had synced. So it does without ELR.
pub(super) fn followers_then_power(world: &mut World) -> Result<(), Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(()) };
    let followers: Vec<NodeId> = world.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    let how = match world.rng.random_range(0..6) {
        0 | 1 => Leave::Stopped,
        2 | 3 => Leave::Paused,
        4 => Leave::Killed,
        _ => Leave::PowerLost,
    };
    let [first, second] = followers[..] else { return Ok(()) };
    // What the second had on its disk, should it lose power.
    let mut synced = Vec::new();
    for (follower, isr) in [(first, vec![leader, second]), (second, vec![leader])] {
        world.fault();
        match how {
            Leave::Stopped => world.stop(follower)?,
            Leave::Paused => world.pause(follower),
            Leave::Killed => world.kill(follower),
            Leave::PowerLost => {
                synced = world.synced(follower);
                world.power_loss(follower);
            }
        }
        let gone = |world: &mut World| world.isr_is(&isr);
        world.expect(world.session(20) + ms(2000), "the follower to leave the ISR", gone)?;
        let gap = world.between(ms(20), ms(1000));
        world.run_for(gap)?;
    }
    let elr: &[NodeId] = if world.plan.elr { &[second] } else { &[] };
    if world.all_partitions().any(|partition| partition.elr != elr) {
        let what = format!(
            "{second} left the ISR last, below its minimum, and the ELR should be {elr:?}\n{}",
            world.describe()
        );
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    if how.is_unclean() || !world.plan.elr {
        world.license_unsynced(leader);
        // All may be back before the sessions end: then the one in the ELR is elected before it tells that it started again, and is the last
        // leader that is known.
        for (partition, end) in &synced {
            world.watch.license(*partition, *end);
        }
    }
    world.fault();
    world.power_loss(leader);
    let out = world.between(ms(10), world.session(20));
    world.run_for(out)?;
    let waits_for = if world.plan.elr { second } else { leader };
    if (world.plan.elr && how.is_unclean()) || world.rng.random_bool(0.3) {
        return world.settle();
    }
    // None but one may lead now.
    let others: Vec<NodeId> = [leader, first, second].into_iter().filter(|id| *id != waits_for).collect();
    for id in &others {
        if world.is_up(*id) { world.resume(*id) } else { world.start(*id)? }
    }
    let back = |world: &mut World| others.iter().all(|id| world.takes_part(*id));
    world.expect(world.patience(), "the others to take part again", back)?;
    world.run_for(world.session(10))?;
    if !world.is_leaderless() {
        let what = format!("only {waits_for} may lead, and another leads\n{}", world.describe());
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    world.settle()
}

/// Row 12.
pub(super) fn all_lose_power(world: &mut World) -> Result<(), Anomaly> {
    let brokers = world.shuffled_brokers();
    if !world.plan.flush_each {
        for broker in &brokers {
            world.license_unsynced(*broker);
        }
    }
    let most = if world.rng.random_bool(0.6) { Duration::ZERO } else { world.session(5) };
    for broker in &brokers {
        world.fault();
        world.power_loss(*broker);
        let gap = world.between(Duration::ZERO, most);
        world.run_for(gap)?;
    }
    world.disturb_controllers(0.2);
    let out = world.between(ms(10), world.session(30));
    world.run_for(out)?;
    for broker in world.shuffled_brokers() {
        world.start(broker)?;
        let gap = world.between(Duration::ZERO, world.session(10));
        world.run_for(gap)?;
    }
    world.settle()
}

/// Row 13.
pub(super) fn unclean(world: &mut World) -> Result<(), Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(()) };
    let followers: Vec<NodeId> = world.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    let [behind, other] = followers[..] else { return Ok(()) };
    world.fault();
    for partition in 0..world.plan.partitions {
        let log = world.watch.id(partition).and_then(|id| world.broker(behind)?.replicas.log(&id));
        let end = log.map_or(0, |log| log.log_end_offset());
        world.watch.license(partition, end);
    }
    world.kill(behind);
    world.expect(world.session(20) + ms(2000), "the follower to leave the ISR", |world| {
        world.isr_is(&[leader, other])
    })?;
    let gap = world.between(ms(20), ms(1500));
    world.run_for(gap)?;
    for id in [other, leader] {
        world.fault();
        if world.rng.random_bool(0.7) {
            world.kill(id)
        } else {
            world.power_loss(id)
        }
        let gap = world.between(Duration::ZERO, world.session(12));
        world.run_for(gap)?;
    }
    world.expect(world.session(20) + ms(2000), "no leader", |world| world.is_leaderless())?;
    world.start(behind)?;
    let leads = |world: &mut World| world.all_partitions().all(|partition| partition.leader == behind);
    world.expect(world.session(20) + ms(4000), "an unclean election", leads)?;
    if world.plan.min_isr == 1 {
        let since = world.now.mono;
        world.writes_resume(since, ms(5000))?;
    }
    let out = world.between(ms(10), ms(1500));
    world.run_for(out)?;
    world.settle()
}
