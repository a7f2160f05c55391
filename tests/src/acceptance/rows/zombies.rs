//! Rows 14 and 15: leaders that are replaced and do not know it.

use rand::Rng;

use crate::acceptance::stage::{BROKERS, CONTROLLERS, Stage, ms};
use crate::campaign::Anomaly;

/// Row 14.
pub(super) fn paused(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    stage.license_acks_1();
    let disturbed = stage.disturb_controllers(0.15)?;
    let since = stage.recorder.now();
    stage.pause(leader)?;
    if stage.chance(0.75) {
        if disturbed {
            let out = stage.sessions(11, 25);
            stage.pass(out);
        } else {
            stage.writes_resume(since)?;
        }
    } else {
        let out = stage.sessions(0, 10);
        stage.pass(out);
    }
    stage.start(leader)?;
    let gap = stage.sessions(0, 10);
    stage.pass(gap);
    stage.settle()
}

/// Row 15, and the other directions in which a leader can be cut off.
pub(super) fn cut_off(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    stage.license_acks_1();
    let followers: Vec<i32> = BROKERS.into_iter().filter(|id| *id != leader).collect();
    let since = stage.recorder.now();
    let mut from_controllers = false;
    match stage.rng.random_range(0..8) {
        0..=2 => {
            from_controllers = true;
            for controller in CONTROLLERS {
                stage.cut(leader, controller, true)?;
            }
        }
        3 => {
            for controller in CONTROLLERS {
                stage.cut(leader, controller, false)?;
            }
        }
        4 => {
            for controller in CONTROLLERS {
                stage.cut(controller, leader, false)?;
            }
        }
        5 => {
            let active = stage.house.view().quorum.leader_id;
            stage.cut(leader, active, true)?;
        }
        6 => {
            let follower = followers[stage.rng.random_range(0..followers.len())];
            stage.cut(leader, follower, true)?;
        }
        _ => {
            for follower in &followers {
                stage.cut(leader, *follower, true)?;
            }
        }
    }
    if from_controllers {
        // It is fenced, others lead, and its clients find them.
        stage.writes_resume(since)?;
    }
    let out = stage.between(ms(100), ms(4000));
    stage.pass(out);
    stage.settle()
}
