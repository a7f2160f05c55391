//! Rows 16 and 17: disks that are slow, full or broken.

use std::io::ErrorKind;
use std::time::Duration;

use rand::Rng;

use super::steps::ms;
use crate::campaign::history::{Anomaly, Kind};
use crate::campaign::world::World;

/// Row 16.
pub(super) fn slow(world: &mut World) -> Result<(), Anomaly> {
    let victim = world.any_broker();
    world.fault();
    let lag = world.plan.timings.lag();
    // A leader that is slower than its followers may be, and not slow enough for its session to end, stays: nobody would judge it.
    let grade = world.rng.random_range(0..if lag < world.plan.timings.session() { 2 } else { 3 });
    let (least, most) = match grade {
        0 => (ms(1), ms(15)),
        1 => (ms(10), ms(250)),
        _ => (lag, lag * 3 / 2),
    };
    world.say(|| format!("the disk of {victim} takes {least:?} to {most:?} per step"));
    world.node_mut(victim).slow = Some((least, most));
    if grade < 2 {
        let out = world.between(ms(500), world.session(40));
        world.run_for(out)?;
        return world.settle();
    }
    // Out of the ISR once it lags, and then it holds nobody up.
    let session = world.plan.timings.session();
    let gone = |world: &mut World| world.all_partitions().all(|partition| !partition.isr.contains(&victim));
    world.expect(lag * 2 + session * 2 + Duration::from_secs(2), "the slow broker to leave the ISR", gone)?;
    // Clients whose leader it was, or whom they ask where that is, give a call up after 2.5 s, and may meet it more than once.
    let since = world.now.mono;
    world.writes_resume(since, ms(12_000))?;
    world.settle()
}

/// Row 17.
pub(super) fn failing(world: &mut World) -> Result<(), Anomaly> {
    let error = if world.rng.random_bool(0.5) { ErrorKind::StorageFull } else { ErrorKind::Other };
    if world.plan.log_dirs > 1 && world.rng.random_bool(0.6) {
        return one_directory_fails(world, error);
    }
    let controller = world.rng.random_bool(0.15);
    let victim = if controller { world.rng.random_range(world.controller_ids()) } else { world.any_broker() };
    world.fault();
    world.say(|| format!("the disk of {victim} fails: {error:?}"));
    world.may_fail.insert(victim);
    world.node(victim).disk.fail_writes(Some(error));
    let since = world.now.mono + ms(10);
    let session = world.plan.timings.session();
    let out = world.between(ms(10), session * 2);
    world.run_for(out)?;
    if !controller {
        // Its metadata stands on that disk too: it must not go on as if nothing were.
        let replaced = |world: &mut World| world.all_partitions().all(|partition| partition.leader != victim);
        if !world.run_until(session * 3 + Duration::from_secs(3), ms(20), replaced)? {
            let what = format!("the disk of {victim} fails, and it still leads\n{}", world.describe());
            return Err(Anomaly::new(Kind::Availability, what));
        }
        world.writes_resume(since, session * 3 + Duration::from_secs(6))?;
    }
    world.settle()
}

/// One of several directories fails: the replicas in it are offline, the others go on, unless it is the one with the metadata.
fn one_directory_fails(world: &mut World, error: ErrorKind) -> Result<(), Anomaly> {
    let victim = world.any_broker();
    let dirs = world.log_dirs(victim);
    let index = if world.rng.random_bool(0.75) { world.rng.random_range(1..dirs.len()) } else { 0 };
    let dir = dirs[index].clone();
    world.fault();
    world.say(|| format!("{} fails: {error:?}", dir.display()));
    if index == 0 {
        world.may_fail.insert(victim);
    }
    let within: Vec<bool> = (0..world.plan.partitions)
        .map(|partition| {
            let log = world.watch.id(partition).and_then(|id| world.broker(victim)?.replicas.log(&id));
            index == 0 || log.is_none_or(|log| log.dir().starts_with(&dir))
        })
        .collect();
    world.node(victim).disk.fail_writes_under(&dir, Some(error));
    let since = world.now.mono + ms(10);
    let session = world.plan.timings.session();
    let out = world.between(ms(10), session * 2);
    world.run_for(out)?;
    let replaced = |world: &mut World| {
        world.all_partitions().zip(&within).all(|(partition, within)| !*within || partition.leader != victim)
    };
    if !world.run_until(session * 3 + Duration::from_secs(3), ms(20), replaced)? {
        let what = format!("{} fails, and {victim} still leads what is in it\n{}", dir.display(), world.describe());
        return Err(Anomaly::new(Kind::Availability, what));
    }
    world.writes_resume(since, session * 3 + Duration::from_secs(6))?;
    if index > 0 && !world.takes_part(victim) {
        let what = format!("{} fails, and {victim} takes no part any more\n{}", dir.display(), world.describe());
        return Err(Anomaly::new(Kind::Availability, what));
    }
    world.node(victim).disk.fail_writes_under(&dir, None);
    // A directory comes back with a restart only.
    if world.is_up(victim) {
        world.kill(victim);
    }
    world.settle()
}
