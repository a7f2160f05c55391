//! Rows 14 and 15: leaders that are replaced and do not know it.

use broker::types::NodeId;
use rand::Rng;

use super::proposals;
use super::steps::ms;
use crate::campaign::history::Anomaly;
use crate::campaign::world::World;

/// Row 14.
pub(super) fn paused(world: &mut World) -> Result<(), Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(()) };
    world.fault();
    let disturbed = world.disturb_controllers(0.15);
    let since = world.now.mono + ms(10);
    world.pause(leader);
    let long = world.rng.random_bool(0.75);
    let out = match long {
        true => world.between(world.session(11), world.session(30)),
        false => world.between(ms(50), world.session(10)),
    };
    world.run_for(out)?;
    if !disturbed && long {
        // Clients of the leader hear nothing until they give up.
        world.writes_resume(since, world.session(10) + ms(4500))?;
    }
    world.resume(leader);
    let gap = world.between(ms(1), world.session(10));
    world.run_for(gap)?;
    world.settle()
}

/// Row 15, and the other directions in which a leader can be cut off.
pub(super) fn cut_off(world: &mut World) -> Result<(), Anomaly> {
    match world.rng.random_range(0..9) {
        0 | 1 => return proposals::late(world),
        2 => return proposals::unanswered(world),
        3 => return proposals::given_away_and_back(world),
        _ => {}
    }
    let Some(leader) = world.some_leader() else { return Ok(()) };
    let controllers: Vec<NodeId> = world.controller_ids().collect();
    let others: Vec<NodeId> = world.broker_ids().filter(|id| *id != leader).collect();
    world.fault();
    match world.rng.random_range(0..8) {
        0..=2 => controllers.iter().for_each(|id| world.cut_both(leader, *id)),
        3 => world.cuts.extend(controllers.iter().map(|id| (leader, *id))),
        4 => world.cuts.extend(controllers.iter().map(|id| (*id, leader))),
        5 => {
            let active = world.active_controller().unwrap_or(controllers[0]);
            world.cut_both(leader, active);
        }
        6 => {
            let follower = others[world.rng.random_range(0..others.len())];
            world.cut_both(leader, follower);
        }
        _ => others.iter().for_each(|id| world.cut_both(leader, *id)),
    }
    let cuts = world.cuts.clone();
    world.say(|| format!("cut {cuts:?}"));
    let out = world.between(ms(100), world.session(35));
    world.run_for(out)?;
    if world.rng.random_bool(0.2) {
        // A second thing while the first lasts: another broker is killed and comes back.
        let victim = world.any_broker();
        world.fault();
        world.kill(victim);
        let out = world.between(ms(50), world.session(15));
        world.run_for(out)?;
    }
    world.settle()
}
