//! Row 15, the hard part: what a leader asks of the controllers hangs in the network or is answered in vain, while its followers come and go
//! (KIP-497, KIP-903).

use std::time::Duration;

use broker::types::NodeId;
use rand::Rng;

use super::steps::{LOOK, ms};
use crate::campaign::history::Anomaly;
use crate::campaign::world::{TroubleKind, World};

/// Has a follower start again, so that it is in no ISR any more, and the leader ask for it to be taken back, which hangs. `None`: it did not ask.
fn ask_in_vain(world: &mut World, hangs: Duration, percent: u32) -> Result<Option<[NodeId; 3]>, Anomaly> {
    let Some(leader) = world.some_leader() else { return Ok(None) };
    let followers: Vec<NodeId> = world.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    let [follower, other] = followers[..] else { return Ok(None) };
    world.fault();
    world.kill(follower);
    world.run_for(ms(2))?;
    world.trouble(leader, TroubleKind::ProposalsHang, hangs, percent);
    world.start(follower)?;
    let hung = world.hung;
    let asked = world.run_until(hangs, ms(1), |world| world.hung > hung)?;
    Ok(asked.then_some([leader, follower, other]))
}

/// Proposals arrive late, behind newer ones, at a controller for which the world has changed.
pub(super) fn late(world: &mut World) -> Result<(), Anomaly> {
    let most = world.session(15) + Duration::from_secs(1);
    let hangs = world.between(ms(300), most) + ms(world.plan.timings.heartbeat_ms);
    let percent = if world.rng.random_bool(0.5) { 60 } else { 100 };
    let until = world.now.mono + hangs + ms(410);
    let Some([leader, follower, other]) = ask_in_vain(world, hangs, percent)? else { return world.settle() };
    let gap = world.between(Duration::ZERO, ms(100));
    world.run_for(gap)?;
    world.fault();
    match world.rng.random_range(0..8) {
        // Whom the leader wants back is another than it was.
        0..=2 => {
            world.power_loss(follower);
            let out = world.between(ms(1), ms(300));
            world.run_for(out)?;
            if world.rng.random_bool(0.7) {
                world.cut_both(leader, follower);
            }
            world.start(follower)?;
        }
        // Who is in the ISR that the leader names was taken out of it, and is back, but lacks what was written since.
        3..=5 => {
            world.pause(other);
            let fenced = |world: &mut World| world.all_partitions().all(|partition| !partition.isr.contains(&other));
            world.run_until(world.session(20), LOOK, fenced)?;
            world.cut_both(leader, other);
            world.resume(other);
        }
        6 => {
            world.kill(other);
            let out = world.between(ms(1), ms(300));
            world.run_for(out)?;
            world.start(other)?;
            world.cut_both(leader, other);
        }
        _ => world.pause(leader),
    }
    let rest = until.saturating_sub(world.now.mono);
    let more = world.between(ms(10), world.session(10));
    world.run_for(rest + more)?;
    world.settle()
}

/// A proposal is accepted, but the leader hears of it neither by the answer nor by the metadata; what it asks again is refused as outdated.
/// Until it knows more, the follower must count.
pub(super) fn unanswered(world: &mut World) -> Result<(), Anomaly> {
    let lag = world.plan.timings.lag();
    let hangs = world.between(ms(200), ms(600)) + ms(world.plan.timings.heartbeat_ms);
    let Some([leader, follower, _]) = ask_in_vain(world, hangs, 100)? else { return world.settle() };
    world.troubles.clear();
    let blind = lag * 3 + ms(1000);
    world.trouble(leader, TroubleKind::MetadataStands, blind, 100);
    world.trouble(leader, TroubleKind::AnswersLost, hangs + ms(500), 100);
    let taken_in = |world: &mut World| {
        world.all_partitions().all(|partition| partition.leader != leader || partition.isr.contains(&follower))
    };
    if world.run_until(hangs + ms(1000), ms(5), taken_in)? {
        world.fault();
        world.cut_both(leader, follower);
        let out = world.between(lag, blind);
        world.run_for(out)?;
    }
    world.settle()
}

/// The metadata does not reach a leader while another is elected, and then it again. What it knew of its followers is not so any more: they
/// have cut off what the other did not have.
pub(super) fn given_away_and_back(world: &mut World) -> Result<(), Anomaly> {
    let index = world.rng.random_range(0..world.plan.partitions);
    let Some([preferred, leader]) = world.partition(index).and_then(|it| it.replicas.first_chunk().copied()) else {
        return world.settle();
    };
    let leads = move |world: &World, id: NodeId| world.partition(index).is_some_and(|it| it.leader == id);
    world.fault();
    world.kill(preferred);
    world.run_until(world.session(20) + Duration::from_secs(1), LOOK, |world| leads(world, leader))?;
    world.start(preferred)?;
    let patience = world.patience();
    world.await_whole(patience)?;
    if !leads(world, leader) {
        return world.settle();
    }
    let blind = world.session(40) + Duration::from_secs(3);
    world.trouble(leader, TroubleKind::MetadataStands, blind, 100);
    // What is written from now on reaches the third only.
    world.cut_both(leader, preferred);
    let gap = world.between(ms(50), ms(400));
    world.run_for(gap)?;
    world.fault();
    world.elect_preferred(index);
    if world.run_until(ms(1500), ms(1), |world| leads(world, preferred))? {
        let gap = world.between(Duration::ZERO, ms(60));
        world.run_for(gap)?;
        world.fault();
        world.kill(preferred);
        world.run_until(world.session(20) + Duration::from_secs(1), ms(2), |world| leads(world, leader))?;
    }
    world.troubles.clear();
    let gap = world.between(ms(10), world.session(5));
    world.run_for(gap)?;
    world.settle()
}
