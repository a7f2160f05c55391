//! Rows 1 to 6, 9 and 10, and double failovers: brokers killed, paused, cut off, without power, while the rest has what was acknowledged.

use std::time::Duration;

use rand::Rng;
use rdkafka::types::RDKafkaErrorCode;

use crate::acceptance::stage::{SESSION, Stage, ms};
use crate::campaign::{Anomaly, Kind};

/// Row 1.
pub(super) fn anything(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    stage.license_all();
    let brokers = stage.shuffled_brokers();
    let count = stage.rng.random_range(1..=brokers.len());
    for broker in &brokers[..count] {
        match stage.rng.random_range(0..5) {
            0 | 1 => stage.kill(*broker)?,
            2 => stage.power_loss(*broker)?,
            3 => stage.pause(*broker)?,
            _ => drop(stage.isolate(*broker)?),
        }
        let gap = stage.sessions(0, 12);
        stage.pass(gap);
    }
    stage.disturb_controllers(0.3)?;
    let out = stage.sessions(1, 25);
    stage.pass(out);
    stage.settle()
}

/// Kills, pauses or isolates.
fn lose(stage: &mut Stage<'_>, broker: i32) -> Result<(), Anomaly> {
    match stage.rng.random_range(0..4) {
        0 | 1 => stage.kill(broker),
        2 => stage.pause(broker),
        _ => stage.isolate(broker).map(drop),
    }
}

/// Row 2.
pub(super) fn leader_lost(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    stage.license_acks_1();
    let since = stage.recorder.now();
    lose(stage, leader)?;
    let disturbed = stage.disturb_controllers(0.15)?;
    if !disturbed && stage.chance(0.7) {
        stage.writes_resume(since)?;
    }
    let out = stage.sessions(1, 20);
    stage.pass(out);
    stage.settle()
}

/// Row 3.
pub(super) fn followers_killed(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    let followers: Vec<i32> = stage.shuffled_brokers().into_iter().filter(|id| *id != leader).collect();
    let count = stage.rng.random_range(1..=followers.len());
    for follower in &followers[..count] {
        stage.kill(*follower)?;
        let gap = stage.sessions(0, 15);
        stage.pass(gap);
    }
    let out = stage.sessions(1, 25);
    stage.pass(out);
    // acks=1 needs the leader only.
    let since = stage.recorder.now();
    stage.resumed(since)?;
    stage.settle()?;
    let view = stage.house.next_view()?;
    if view.partitions(&stage.topic).iter().any(|partition| partition.leader != leader) {
        let what = format!("{leader} led, only followers were killed, and now others lead\n    {}", stage.describe());
        return Err(Anomaly::new(Kind::WrongLeader, what));
    }
    Ok(())
}

/// Row 4.
pub(super) fn one_killed(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let victim = if stage.chance(0.7) { stage.some_leader()? } else { stage.any_broker() };
    let disturbed = stage.disturb_controllers(0.2)?;
    let since = stage.recorder.now();
    stage.kill(victim)?;
    if stage.chance(0.3) {
        // Back before anybody noticed, or while it is being noticed.
        let out = stage.sessions(0, 12);
        stage.pass(out);
        stage.start(victim)?;
    }
    if !disturbed {
        stage.writes_resume(since)?;
    }
    let out = stage.sessions(0, 15);
    stage.pass(out);
    stage.settle()
}

/// Row 5.
pub(super) fn two_killed(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let brokers = stage.shuffled_brokers();
    let (dead, survivor) = ([brokers[0], brokers[1]], brokers[2]);
    stage.license_acks_1();
    for broker in dead {
        stage.kill(broker)?;
        let gap = stage.sessions(0, 20);
        stage.pass(gap);
    }
    stage.expect("an ISR of the survivor alone", |view| stage.isr_is(view, &[survivor]))?;
    nothing_is_committed(stage, survivor)?;
    let since = stage.recorder.now();
    let back = dead[stage.rng.random_range(0..2)];
    stage.start(back)?;
    stage.writes_resume(since)?;
    stage.settle()
}

/// One in-sync replica of two: acks=all is refused, the high watermark stands, what acks=1 writes stays invisible.
fn nothing_is_committed(stage: &Stage<'_>, survivor: i32) -> Result<(), Anomaly> {
    let plain = stage.plan.producers.iter().any(|producer| producer.acks == -1 && !producer.idempotent);
    let refused = stage.recorder.count(RDKafkaErrorCode::NotEnoughReplicas);
    if plain {
        // By then it has also answered what was on its way while the ISR shrank.
        let told = |_: &_| stage.recorder.count(RDKafkaErrorCode::NotEnoughReplicas) > refused;
        stage.expect("a producer that is told NOT_ENOUGH_REPLICAS", told)?;
    } else {
        stage.pass(ms(500));
    }
    let view = stage.house.next_view()?;
    let marks: Vec<i64> = view.partitions(&stage.topic).iter().map(|partition| partition.high_watermark).collect();
    let (read, since) =
        (stage.partitions().map(|p| stage.recorder.read_end(p)).collect::<Vec<_>>(), stage.recorder.now());
    let ends: Vec<i64> = view.partitions(&stage.topic).iter().map(|p| p.log_end_offsets[&survivor]).collect();
    let stands = |view: &crate::acceptance::view::View| {
        let partitions = view.partitions(&stage.topic);
        partitions.iter().zip(&marks).all(|(partition, mark)| partition.high_watermark == *mark)
    };
    stage.holds(SESSION, Kind::Availability, "with one in-sync replica of two the high watermark moved", stands)?;
    for partition in stage.partitions() {
        let known = read[partition as usize].max(marks[partition as usize]);
        if stage.recorder.read_end(partition) > known {
            let what = format!("partition {partition} is committed up to {known}, and was read further");
            return Err(Anomaly::new(Kind::ReadAboveHighWatermark, what));
        }
        let only_all = stage.plan.producers.iter().all(|p| p.partition != partition || p.acks == -1);
        if only_all && stage.recorder.last_ack(partition) > Some(since) {
            let what = format!("partition {partition} has one in-sync replica of two, and acks=all was acknowledged");
            return Err(Anomaly::new(Kind::AcknowledgedTooEarly, what));
        }
    }
    // Who writes with acks=1 does write meanwhile, or nothing would have been shown.
    for producer in stage.plan.producers.iter().filter(|producer| producer.acks == 1) {
        let partition = producer.partition as usize;
        stage.expect("records with acks=1", |view| {
            view.partitions(&stage.topic)[partition].log_end_offsets.get(&survivor) > Some(&ends[partition])
        })?;
    }
    Ok(())
}

/// Row 6.
pub(super) fn all_killed(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let brokers = stage.shuffled_brokers();
    let most = if stage.chance(0.6) { ms(100) } else { SESSION * 3 / 2 };
    for broker in &brokers {
        stage.kill(*broker)?;
        let gap = stage.between(Duration::ZERO, most);
        stage.pass(gap);
    }
    stage.disturb_controllers(0.2)?;
    let out = stage.sessions(0, 20);
    stage.pass(out);
    // Whoever is no candidate comes first: the partition must wait.
    let view = stage.house.next_view()?;
    let candidates: Vec<i32> = view
        .partitions(&stage.topic)
        .iter()
        .flat_map(|partition| partition.isr.iter().chain(&partition.elr).copied())
        .collect();
    let back = stage.shuffled_brokers();
    let (candidates, strangers): (Vec<i32>, Vec<i32>) = back.into_iter().partition(|id| candidates.contains(id));
    if !candidates.is_empty() && !strangers.is_empty() && stage.is_leaderless(&view) {
        for id in &strangers {
            stage.start(*id)?;
        }
        stage.expect("strangers that take part", |view| strangers.iter().all(|id| stage.is_back(view, *id)))?;
        let what = format!("{strangers:?} were in no ISR or ELR, and one of them leads");
        stage.holds(SESSION / 2, Kind::WrongLeader, &what, |view| stage.is_leaderless(view))?;
    }
    for id in candidates {
        stage.start(id)?;
        let gap = stage.sessions(0, 8);
        stage.pass(gap);
    }
    stage.settle()
}

/// Row 9.
pub(super) fn one_loses_power(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let victim = if stage.chance(0.7) { stage.some_leader()? } else { stage.any_broker() };
    let since = stage.recorder.now();
    stage.power_loss(victim)?;
    let disturbed = stage.disturb_controllers(0.2)?;
    let out = stage.sessions(0, 20);
    stage.pass(out);
    if !disturbed && stage.chance(0.5) {
        stage.writes_resume(since)?;
    }
    stage.start(victim)?;
    let out = stage.sessions(0, 10);
    stage.pass(out);
    stage.settle()
}

/// Row 10.
pub(super) fn leader_loses_power_briefly(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let leader = stage.some_leader()?;
    let since = stage.recorder.now();
    stage.power_loss(leader)?;
    let out = stage.sessions(0, 7);
    stage.pass(out);
    stage.start(leader)?;
    stage.writes_resume(since)?;
    stage.settle()
}

/// KIP-101 and KIP-279: leaders fall one after another, each soon after the others began to follow it.
pub(super) fn double_failover(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let first = stage.some_leader()?;
    stage.license_acks_1();
    lose(stage, first)?;
    let topic = stage.topic.clone();
    let moved = |view: &crate::acceptance::view::View| {
        view.partitions(&topic).iter().all(|partition| partition.leader != first && partition.leader > 0)
    };
    stage.expect("other leaders", moved)?;
    let gap = if stage.chance(0.5) { stage.between(Duration::ZERO, ms(200)) } else { stage.sessions(1, 12) };
    stage.pass(gap);
    let second = stage.some_leader()?;
    lose(stage, second)?;
    if stage.chance(0.5) && stage.is_held(first) {
        // The first comes back with what only it had, and follows the third.
        let gap = stage.sessions(0, 5);
        stage.pass(gap);
        stage.start(first)?;
    }
    let out = stage.sessions(1, 25);
    stage.pass(out);
    stage.settle()
}
