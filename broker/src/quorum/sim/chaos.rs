//! Random faults, from one seed.

use std::time::Duration;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::super::QuorumConfig;
use super::super::config::VoterBug;
use super::checker::Tally;
use super::world::{Network, World};
use crate::types::NodeId;

const CHAOS: Duration = Duration::from_secs(4);

/// One run: faults for a while, then everything heals, and then everything must work.
pub fn run(seed: u64) -> Tally {
    let voters = if seed.is_multiple_of(3) { 5 } else { 3 };
    // One batch per fetch makes followers acknowledge a new leader's log piece by piece.
    let fetch_max_bytes = if seed.is_multiple_of(2) { 1 } else { 1 << 20 };
    let mut world = World::new(seed, voters, 3, |config| {
        config.fetch_max_bytes = fetch_max_bytes;
        with_small_logs(config);
    });
    world.snapshot_every = [usize::MAX, 5, 40][(seed / 2 % 3) as usize];
    run_in(world, CHAOS)
}

/// The same on simulated disks, with Kafka's files: shorter, since those cost more.
pub fn run_with_files(seed: u64) -> Tally {
    let mut world = World::with_files(seed, 3, 1, with_small_logs);
    world.snapshot_every = [5, 40, usize::MAX][(seed % 3) as usize];
    run_in(world, CHAOS / 2)
}

/// Voters come and go while everything else happens too, the leader among them.
pub fn run_with_changes(seed: u64, planted: Option<VoterBug>) -> Tally {
    let mut world = World::with_spares(seed, 3, 3, |config| adjust_for_changes(config, seed, planted));
    world.snapshot_every = [usize::MAX, 5, 40][(seed % 3) as usize];
    world.changes_voters = true;
    run_in(world, CHAOS)
}

/// The same on simulated disks, with Kafka's files.
pub fn run_with_changes_and_files(seed: u64) -> Tally {
    let mut world = World::with_spares_and_files(seed, 3, 2, |config| adjust_for_changes(config, seed, None));
    world.snapshot_every = [5, 40, usize::MAX][(seed % 3) as usize];
    world.changes_voters = true;
    run_in(world, CHAOS / 2)
}

fn adjust_for_changes(config: &mut QuorumConfig, seed: u64, planted: Option<VoterBug>) {
    config.planted = planted;
    config.auto_join = config.can_become_voter && config.id > 51 && seed.is_multiple_of(4);
    with_small_logs(config);
}

/// Everything happens often: segments roll, the log's beginning goes, and a snapshot comes in many pieces.
fn with_small_logs(config: &mut QuorumConfig) {
    config.segment_bytes = 600;
    config.max_retention_bytes = 900;
    config.fetch_snapshot_max_bytes = 150;
}

fn run_in(mut world: World, chaos: Duration) -> Tally {
    world.skewed = world.rng.random_bool(0.5);
    let fault_every = world.rng.random_range(20..400);
    let append_every = world.rng.random_range(2..60);
    let change_every = world.rng.random_range(20..300);
    let mut next_change = if world.changes_voters { Duration::from_millis(300) } else { Duration::MAX };
    let mut next_fault = Duration::from_millis(500);
    let mut next_append = Duration::ZERO;
    while world.time < chaos {
        let until = next_fault.min(next_append).min(next_change);
        let span = until.saturating_sub(world.time);
        world.run_for(span);
        if world.time >= next_append {
            append_somewhere(&mut world);
            next_append = world.time + Duration::from_millis(world.rng.random_range(1..=append_every));
        }
        if world.time >= next_change {
            change_voters(&mut world);
            next_change = world.time + Duration::from_millis(world.rng.random_range(1..=change_every));
        }
        if world.time >= next_fault {
            fault(&mut world);
            next_fault = world.time + Duration::from_millis(world.rng.random_range(1..=fault_every));
        }
    }
    recover(&mut world);
    world.checker.tally.clone()
}

fn recover(world: &mut World) {
    world.heal();
    for id in world.ids() {
        world.resume(id);
        world.start(id);
    }
    world.settle_down(Duration::from_secs(5));
    for _ in 0..5 {
        let leader = world.leader().expect("a leader");
        world.append(leader).expect("a settled leader takes records");
        world.settle_down(Duration::from_secs(1));
    }
    world.checker.check_all_have_all(&world.nodes);
    for id in world.ids() {
        world.checker.check_state(id, &world.nodes[&id].state.payloads);
    }
}

/// Every node that takes itself for the leader gets records, also one that others have replaced.
fn append_somewhere(world: &mut World) {
    for id in world.controllers.clone() {
        let leads = world.nodes[&id].quorum.as_ref().is_some_and(|quorum| quorum.is_leader());
        if leads && !world.nodes[&id].paused {
            let count = world.rng.random_range(1..4);
            world.append_many(id, count).expect("a leader takes records");
        }
    }
}

/// Asks for a change or two of everyone who takes itself for the leader.
fn change_voters(world: &mut World) {
    for id in world.controllers.clone() {
        let leads = world.nodes[&id].quorum.as_ref().is_some_and(|quorum| quorum.is_leader());
        if !leads || world.nodes[&id].paused {
            continue;
        }
        if world.quorum(id).kraft_version() == 0 {
            world.upgrade(id);
        }
        for _ in 0..world.rng.random_range(1..=2) {
            let node = *world.controllers.clone().choose(&mut world.rng).expect("controllers");
            // Of one that is removed first, the leader often is the one.
            let node = if world.rng.random_bool(0.2) { id } else { node };
            if !world.is_up(id) || !world.quorum(id).is_leader() {
                break;
            }
            match world.quorum(id).voters().get(node) {
                Some(_) => world.remove_voter(id, node),
                None => world.add_voter(id, node),
            }
        }
    }
}

fn fault(world: &mut World) {
    let ids = world.ids();
    let any = *ids.choose(&mut world.rng).expect("nodes");
    let voter = *world.controllers.clone().choose(&mut world.rng).expect("voters");
    // The leader is where it hurts.
    let node = match world.leader() {
        Some(leader) if world.rng.random_bool(0.3) => leader,
        _ if world.rng.random_bool(0.7) => voter,
        _ => any,
    };
    match world.rng.random_range(0..24) {
        0..=2 => world.kill(node),
        3..=5 => world.power_loss(node),
        6 => {
            for id in world.ids() {
                world.power_loss(id);
            }
        }
        7..=8 => world.pause(node),
        9..=10 => some_cut(world, node),
        11 => world.isolate(node),
        12 => world.cuts.clear(),
        13 => world.network = some_network(world),
        14 => world.resign(node),
        15..=18 => {
            // Back before anybody noticed.
            world.power_loss(node);
            world.start(node);
        }
        _ => mend(world),
    }
}

fn some_cut(world: &mut World, node: NodeId) {
    let send = world.rng.random_bool(0.5);
    let all = world.rng.random_bool(0.5);
    for other in world.ids() {
        if all || world.rng.random_bool(0.4) {
            let (from, to) = if send { (node, other) } else { (other, node) };
            world.cut(from, to);
        }
    }
}

fn some_network(world: &mut World) -> Network {
    let slowest = *[1_u64, 5, 30, 120, 400].choose(&mut world.rng).expect("delays");
    Network {
        delay: (Duration::from_micros(50), Duration::from_millis(slowest)),
        loss: if world.rng.random_bool(0.5) { world.rng.random_range(0.0..0.3) } else { 0.0 },
        duplication: if world.rng.random_bool(0.5) { world.rng.random_range(0.0..0.2) } else { 0.0 },
    }
}

/// Some of what is broken gets better.
fn mend(world: &mut World) {
    for id in world.ids() {
        if world.rng.random_bool(0.6) {
            world.resume(id);
            world.start(id);
        }
    }
    let cuts: Vec<_> = world.cuts.iter().copied().collect();
    for cut in cuts {
        if world.rng.random_bool(0.6) {
            world.cuts.remove(&cut);
        }
    }
    if world.rng.random_bool(0.3) {
        world.network = Network::good();
    }
}
