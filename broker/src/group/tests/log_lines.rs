//! What is written to the broker's log about groups.

use super::*;
use crate::logging::{Level, LogLine, Logger, NodeLog};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequestData, ShareGroupHeartbeatRequestData};

fn bench() -> (Bench, crossbeam_channel::Receiver<LogLine>) {
    let (writer, lines) = crossbeam_channel::bounded(10_000);
    let log = NodeLog::new(1, writer, || 0);
    let bench = Bench::with(GroupConfig { node_id: 1, log, offsets_partitions: 1, ..GroupConfig::default() });
    (bench, lines)
}

/// That lines with these facts were written about a group, at INFO.
fn wrote(lines: &crossbeam_channel::Receiver<LogLine>, group: &str, facts: &[&str]) {
    let all: Vec<LogLine> = lines.try_iter().collect();
    let prefix = format!("[GroupCoordinator id=1 topic=__consumer_offsets partition=0] [GroupId {group}] ");
    for fact in facts {
        let fits = |line: &LogLine| {
            line.level == Level::Info && line.message.starts_with(&prefix) && line.message.contains(fact)
        };
        assert!(all.iter().any(fits), "{fact}: {all:#?}");
    }
    assert!(all.iter().all(|line| matches!(line.logger, Logger::GroupMetadata | Logger::OffsetMetadata)), "{all:#?}");
}

#[test]
fn a_classic_group_from_its_first_member_to_its_last() {
    let (mut bench, lines) = bench();
    let (members, generation) = bench.stable("g", 2);
    let stable = format!("Stabilized in generation {generation} with 2 members");
    let assigned = format!("Generation {generation} of 2 members has its assignment from leader ");
    let joins = format!("Member {} joins in state ", members[0]);
    wrote(&lines, "g", &["A member without an id gets ", &joins, "Prepares to rebalance", &stable, &assigned]);
    // Heartbeats and commits are nothing to tell.
    bench.heartbeat("g", &members[0], generation);
    bench.heartbeat("g", &members[1], generation);
    assert!(lines.is_empty());
    bench.leave(5, "g", &[(&members[1], None)]);
    let left = format!("Member '{}' left; client reason: ", members[1]);
    wrote(&lines, "g", &[&left, "Prepares to rebalance", "members left"]);
    bench.pass(70_000);
    wrote(&lines, "g", &["has failed: its session expired", "Is Empty in generation "]);
    bench.fail_over();
    wrote(&lines, "g", &["Unloaded", "Loaded classic group with 0 members"]);
}

#[test]
fn offsets_that_expire_are_named() {
    let (mut bench, lines) = bench();
    bench.commit_offset(2, "g", "", -1, &[("t", 3, 5)]);
    lines.try_iter().count();
    bench.pass(8 * 24 * 3_600_000);
    wrote(&lines, "g", &["Offsets have expired (all of them: true): t-3", "nothing is left of it: it is deleted"]);
}

#[test]
fn groups_whose_assignment_the_broker_works_out() {
    let (mut bench, lines) = bench();
    let image = image_of(&["t"]);
    bench.groups.on_image(&image, &ImageDelta::default());
    let request = ConsumerGroupHeartbeatRequestData::default()
        .with_group_id(text("c"))
        .with_member_id(text("m1"))
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![text("t")]))
        .with_topic_partitions(Some(Vec::new()));
    let (to, now) = (bench.to(), bench.now);
    bench.groups.consumer_group_heartbeat(now, to, &client(1), &request);
    bench.pump();
    wrote(
        &lines,
        "c",
        &[
            "Member m1 joins by the consumer protocol",
            "Group epoch is 2 now, with 1 members",
            "A new target assignment was worked out for epoch 2",
            "Member m1 has a new assignment state: epoch=2, previousEpoch=0, state=Stable",
        ],
    );
    bench.pass(60_000);
    wrote(
        &lines,
        "c",
        &["Member m1 is fenced in epoch 2: its session expired", "Group epoch is 3 now, with 0 members"],
    );
    let request = ShareGroupHeartbeatRequestData::default()
        .with_group_id(text("s"))
        .with_member_id(text("m2"))
        .with_subscribed_topic_names(Some(vec![text("t")]));
    let (to, now) = (bench.to(), bench.now);
    bench.groups.share_group_heartbeat(now, to, &client(1), &request);
    bench.pump();
    wrote(&lines, "s", &["Member m2 joins by the share protocol", " now, with 1 members"]);
    let (to, now) = (bench.to(), bench.now);
    bench.groups.share_group_heartbeat(now, to, &client(1), &request.with_member_epoch(-1));
    bench.pump();
    wrote(&lines, "s", &["Member m2 left", " now, with 0 members"]);
}
