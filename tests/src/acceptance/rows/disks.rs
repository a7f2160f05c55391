//! Rows 16 and 17: disks that are slow, full or broken.

use std::path::PathBuf;

use rand::Rng;
use serde_json::{Value, json};

use crate::acceptance::files;
use crate::acceptance::stage::{CONTROLLERS, LAG, Stage};
use crate::acceptance::view::View;
use crate::campaign::{Anomaly, Kind};

/// Row 16.
pub(super) fn slow(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let victim = if stage.chance(0.5) { stage.some_leader()? } else { stage.any_broker() };
    let grade = stage.rng.random_range(0..3);
    let delay_ms = match grade {
        0 => stage.rng.random_range(1..=15),
        1 => stage.rng.random_range(10..=150),
        _ => stage.rng.random_range(LAG.as_millis() as u64..=LAG.as_millis() as u64 * 3 / 2),
    };
    stage.recorder.expect_zombies();
    let since = stage.recorder.now();
    stage.fault(&json!({"kind": "slow_disk", "broker": victim, "delay_ms": delay_ms}))?;
    if grade < 2 {
        let out = stage.sessions(5, 30);
        stage.pass(out);
        return stage.settle();
    }
    // Out of the ISR once it lags, and then it holds nobody up.
    stage.expect("an ISR without the slow broker", |view: &View| {
        view.partitions(&stage.topic).iter().all(|partition| !partition.isr.contains(&victim))
    })?;
    stage.writes_resume(since)?;
    stage.settle()
}

/// The log directories of a broker in which it keeps the topic.
fn log_dirs(stage: &Stage<'_>, broker: i32) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = stage
        .partitions()
        .filter_map(|partition| files::log_dir_of(stage.house.data_dir(), broker, &stage.topic, partition).ok())
        .collect();
    dirs.sort_unstable();
    dirs.dedup();
    dirs
}

/// Row 17.
pub(super) fn failing(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    if stage.chance(0.15) {
        return failing_controller(stage);
    }
    let victim = if stage.chance(0.7) { stage.some_leader()? } else { stage.any_broker() };
    let mut fault = what(stage);
    fault["broker"] = json!(victim);
    let dirs = log_dirs(stage, victim);
    let one = (!dirs.is_empty() && stage.chance(0.6)).then(|| dirs[stage.rng.random_range(0..dirs.len())].clone());
    if let Some(dir) = &one {
        fault["log_dir"] = json!(dir);
    }
    let hit: Vec<u32> = stage
        .partitions()
        .filter(|partition| {
            let dir = files::log_dir_of(stage.house.data_dir(), victim, &stage.topic, *partition).ok();
            one.is_none() || dir == one
        })
        .collect();
    stage.remember(victim);
    let since = stage.recorder.now();
    let id = stage.fault(&fault)?;
    // Nothing can be written there: others lead what it held, and acknowledge.
    stage.writes_resume(since)?;
    let topic = stage.topic.clone();
    stage.expect("other leaders of what stands on the broken disk", |view| {
        let partitions = view.partitions(&topic).iter();
        let mut hit = partitions.filter(|partition| hit.contains(&partition.id));
        hit.all(|partition| partition.leader > 0 && partition.leader != victim && !partition.isr.contains(&victim))
    })?;
    let out = stage.sessions(0, 10);
    // The metadata log lies on the first disk, and nobody is a broker without it.
    let metadata = stage.house.data_dir().join(format!("broker-{victim}/disk-1"));
    if one.is_none_or(|dir| dir == metadata) {
        stage.expect("a broker that has halted", |view| view.state(victim) == "killed")?;
        stage.pass(out);
        stage.heal(id)?;
    } else {
        let what = format!("{victim} has a sound disk with its metadata, and does not go on with that");
        stage.holds(out, Kind::NodeFailed, &what, |view| view.takes_part(victim))?;
        stage.heal(id)?;
        // What went offline stays so until its broker starts again.
        stage.kill(victim)?;
    }
    stage.settle()
}

fn what(stage: &mut Stage<'_>) -> Value {
    match stage.chance(0.5) {
        true => json!({"kind": "disk_full"}),
        false => json!({"kind": "disk_error", "operations": "writes"}),
    }
}

fn failing_controller(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let controller = CONTROLLERS[stage.rng.random_range(0..CONTROLLERS.len())];
    let mut fault = what(stage);
    fault["controller"] = json!(controller);
    let id = stage.fault(&fault)?;
    // Its metadata log is all that it has. Something must be decided for it to find out.
    let victim = stage.any_broker();
    let since = stage.recorder.now();
    stage.kill(victim)?;
    stage.expect("a controller that has halted", |view| view.state(controller) == "killed")?;
    stage.writes_resume(since)?;
    if stage.house.next_view()?.quorum.leader_id == controller {
        let what = format!("{controller} has halted, and is the active controller\n    {}", stage.describe());
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    stage.heal(id)?;
    stage.settle()
}
