//! Rows 7, 8 and 11 to 13: the ISR shrinks to its last member, and that one goes too.

use std::time::Duration;

use rand::Rng;

use crate::acceptance::stage::{SESSION, Stage, ms};
use crate::acceptance::view::View;
use crate::campaign::{Anomaly, Kind};

fn followers_of(stage: &mut Stage<'_>, leader: i32) -> [i32; 2] {
    let followers: Vec<i32> = stage.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    [followers[0], followers[1]]
}

/// Kills the followers of the one leader, waits until it is alone in the ISR, and lets it work alone for a while.
fn leave_the_leader_alone(stage: &mut Stage<'_>) -> Result<(i32, [i32; 2]), Anomaly> {
    let leader = stage.some_leader()?;
    let followers = followers_of(stage, leader);
    for follower in followers {
        stage.kill(follower)?;
        let gap = stage.sessions(0, 12);
        stage.pass(gap);
    }
    stage.expect("an ISR of the leader alone", |view| stage.isr_is(view, &[leader]))?;
    let since = stage.recorder.now();
    stage.resumed(since)?;
    let alone = stage.between(ms(50), ms(1500));
    stage.pass(alone);
    Ok((leader, followers))
}

/// Row 7.
pub(super) fn last_killed(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let (leader, followers) = leave_the_leader_alone(stage)?;
    stage.kill(leader)?;
    let out = stage.sessions(0, 20);
    stage.pass(out);
    let count = stage.rng.random_range(1..=followers.len());
    for follower in &followers[..count] {
        stage.start(*follower)?;
    }
    let back = |view: &View| followers[..count].iter().all(|id| stage.is_back(view, *id)) && stage.is_leaderless(view);
    stage.expect("followers and no leader", back)?;
    let what = format!("{followers:?} were not in the ISR, and one of them leads");
    stage.holds(SESSION, Kind::WrongLeader, &what, |view| stage.is_leaderless(view))?;
    let since = stage.recorder.now();
    stage.start(leader)?;
    stage.writes_resume(since)?;
    stage.settle()
}

/// Row 8.
pub(super) fn last_loses_power(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let (leader, followers) = leave_the_leader_alone(stage)?;
    stage.license_unsynced(&[leader]);
    stage.power_loss(leader)?;
    let out = stage.sessions(0, 20);
    stage.pass(out);
    if stage.chance(0.5) {
        stage.start(followers[0])?;
        let gap = stage.sessions(0, 15);
        stage.pass(gap);
    }
    stage.settle()
}

/// How followers leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    Stopped,
    Paused,
    Killed,
}

/// Row 11. With ELR, a follower that left below the minimum waits there for its return; but one that was killed is taken for one that lost
/// power (KIP-966), and then the last leader leads with what it had synced.
pub(super) fn followers_then_power(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    let [first, second] = followers_of(stage, leader);
    let how = match stage.rng.random_range(0..5) {
        0 | 1 => Leave::Stopped,
        2 | 3 => Leave::Paused,
        _ => Leave::Killed,
    };
    for (follower, isr) in [(first, vec![leader, second]), (second, vec![leader])] {
        match how {
            Leave::Stopped => stage.stop(follower)?,
            Leave::Paused => stage.pause(follower)?,
            Leave::Killed => stage.kill(follower)?,
        }
        stage.expect("an ISR without the follower", |view| stage.isr_is(view, &isr))?;
        let gap = stage.between(ms(20), ms(800));
        stage.pass(gap);
    }
    let view = stage.house.next_view()?;
    if view.partitions(&stage.topic).iter().any(|partition| partition.elr != [second]) {
        let what = format!(
            "{second} left the ISR last, below its minimum, and is not alone in the ELR\n    {}",
            stage.describe()
        );
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    if how == Leave::Killed {
        stage.license_unsynced(&[leader]);
    }
    stage.power_loss(leader)?;
    let out = stage.sessions(0, 20);
    stage.pass(out);
    if how != Leave::Killed && stage.chance(0.7) {
        // Neither the leader nor the one that left earlier may lead now.
        stage.start(leader)?;
        stage.start(first)?;
        stage.expect("both at work again", |view| stage.is_back(view, leader) && stage.is_back(view, first))?;
        let what = format!("only {second} is eligible, and another leads");
        stage.holds(SESSION / 2, Kind::WrongLeader, &what, |view| stage.is_leaderless(view))?;
    }
    stage.settle()
}

/// Row 12.
pub(super) fn all_lose_power(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let brokers = stage.shuffled_brokers();
    stage.license_unsynced(&brokers);
    let most = if stage.chance(0.6) { Duration::ZERO } else { SESSION / 2 };
    for broker in &brokers {
        stage.power_loss(*broker)?;
        let gap = stage.between(Duration::ZERO, most);
        stage.pass(gap);
    }
    stage.disturb_controllers(0.2)?;
    let out = stage.sessions(0, 20);
    stage.pass(out);
    for broker in stage.shuffled_brokers() {
        stage.start(broker)?;
        let gap = stage.sessions(0, 10);
        stage.pass(gap);
    }
    stage.settle()
}

/// Row 13.
pub(super) fn unclean(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    let [behind, other] = followers_of(stage, leader);
    let view = stage.house.next_view()?;
    for partition in view.partitions(&stage.topic) {
        let end = partition.log_end_offsets.get(&behind).copied().unwrap_or(0);
        stage.recorder.license(partition.id, end, true);
    }
    stage.kill(behind)?;
    stage.expect("an ISR without the follower", |view| stage.isr_is(view, &[leader, other]))?;
    let gap = stage.between(ms(20), ms(1000));
    stage.pass(gap);
    for id in [other, leader] {
        if stage.chance(0.7) {
            stage.kill(id)?;
        } else {
            stage.power_loss(id)?;
        }
        let gap = stage.sessions(0, 12);
        stage.pass(gap);
    }
    stage.expect("no leader", |view| stage.is_leaderless(view))?;
    let since = stage.recorder.now();
    stage.start(behind)?;
    let topic = stage.topic.clone();
    stage.expect("an unclean leader", |view| {
        view.partitions(&topic).iter().all(|partition| partition.leader == behind)
    })?;
    if stage.plan.min_isr == 1 {
        stage.writes_resume(since)?;
    }
    let out = stage.between(ms(10), ms(1000));
    stage.pass(out);
    stage.settle()
}
