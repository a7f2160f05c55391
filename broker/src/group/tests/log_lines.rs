//! What is written to the broker's log about groups.

use super::*;
use crate::logging::{Level, LogLine, Logger, NodeLog};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequestData, ShareGroupHeartbeatRequestData};

const PREFIX: &str = "[GroupCoordinator id=1 topic=__consumer_offsets partition=0] ";

fn bench() -> (Bench, crossbeam_channel::Receiver<LogLine>) {
    let (writer, lines) = crossbeam_channel::bounded(10_000);
    let log = NodeLog::new(1, writer, || 0);
    let bench = Bench::with(GroupConfig { node_id: 1, log, offsets_partitions: 1, ..GroupConfig::default() });
    (bench, lines)
}

/// That lines with these facts were written about a group, at INFO.
fn wrote(lines: &crossbeam_channel::Receiver<LogLine>, group: &str, facts: &[&str]) {
    let all: Vec<LogLine> = lines.try_iter().collect();
    let prefix = format!("{PREFIX}[GroupId {group}] ");
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

/// What was written at DEBUG, without what all lines of the partition begin with.
fn debug_lines(lines: &crossbeam_channel::Receiver<LogLine>, logger: Logger) -> Vec<String> {
    let told = lines.try_iter().filter(|line| (line.logger, line.level) == (logger, Level::Debug));
    told.map(|line| line.message.strip_prefix(PREFIX).unwrap().to_owned()).collect()
}

fn ask_for(bench: &Bench, logger: Logger, level: Level) {
    bench.groups.config().log.levels().unwrap().set(logger, Some(level)).unwrap();
}

#[test]
fn offsets_are_told_one_by_one_to_those_who_ask() {
    let (mut bench, lines) = bench();
    bench.commit_offset(2, "quiet", "", -1, &[("t", 3, 5)]);
    wrote(&lines, "quiet", &["Is made by a commit of offsets, and has no members"]);
    bench.commit_offset(2, "quiet", "", -1, &[("t", 3, 6)]);
    assert!(lines.is_empty(), "it is there already, and nobody asked for offsets");
    ask_for(&bench, Logger::OffsetMetadata, Level::Debug);
    let (members, generation) = bench.stable("g", 1);
    lines.try_iter().count();
    let to = bench.commit_offset(2, "g", &members[0], generation, &[("t", 0, 7), ("u", 1, 8), ("u", 99, 9)]);
    let answered = bench.committed(to);
    assert_eq!(answered, [ErrorCode::None, ErrorCode::None, ErrorCode::UnknownTopicOrPartition]);
    let of = |what: &str| format!("[GroupId g] Commits offset {what}, leader epoch -1, of member '{}'", members[0]);
    assert_eq!(debug_lines(&lines, Logger::OffsetMetadata), [of("7 of t-0"), of("8 of u-1")], "not what is refused");
    // In a transaction, to its end.
    bench.commit_in_txn(11, "g", &[("t", 2, 40)]);
    bench.end_txn(0, 11, true);
    bench.commit_in_txn(12, "g", &[("t", 2, 50)]);
    bench.end_txn(0, 12, false);
    let in_txn = |producer: i64, offset: i64| {
        format!(
            "[GroupId g] Commits offset {offset} of t-2, leader epoch -1, in the transaction of producer {producer}, of member ''"
        )
    };
    let ended = |producer: i64, how: &str| {
        format!("The transaction of producer {producer} is {how}, and with it the offsets in it")
    };
    assert_eq!(
        debug_lines(&lines, Logger::OffsetMetadata),
        [in_txn(11, 40), ended(11, "committed"), in_txn(12, 50), ended(12, "aborted")]
    );
    assert_eq!(bench.offset("g", "t", 2), 40);
}

#[test]
fn loaded_groups_are_told_with_their_members_to_those_who_ask() {
    let (mut bench, lines) = bench();
    let (mut members, _) = bench.stable("classic", 2);
    bench.well(&consumer::joining("consumer", "c1", &["t"]));
    bench.runs(&streams::joining("streams", "s1", streams::reading(&["t"])));
    bench.pass(3_000);
    lines.try_iter().count();
    bench.fail_over();
    assert!(debug_lines(&lines, Logger::GroupMetadata).is_empty(), "nobody asked");
    ask_for(&bench, Logger::GroupMetadata, Level::Debug);
    bench.fail_over();
    let mut told = debug_lines(&lines, Logger::GroupMetadata);
    told.retain(|line| line.contains("Loaded member"));
    told.sort();
    members.sort();
    let mut expected: Vec<String> =
        members.iter().map(|member| format!("[GroupId classic] Loaded member {member}")).collect();
    expected.push("[GroupId consumer] Loaded member c1".to_owned());
    expected.push("[GroupId streams] Loaded member s1".to_owned());
    assert_eq!(told, expected);
}

#[test]
fn a_streams_group_from_its_first_member_to_its_last() {
    use super::streams::{alive, joining, reading};
    let (mut bench, lines) = bench();
    let (epoch, _) = bench.runs(&joining("s", "m1", reading(&["t"])));
    wrote(&lines, "s", &["Member m1 joins by the streams protocol", "Group epoch is ", " with 1 members"]);
    bench.pass(3_000);
    bench.runs(&alive("s", "m1", epoch));
    wrote(&lines, "s", &["A new target assignment was worked out for epoch ", "Member m1 is in epoch "]);
    let epoch = bench.streams("s").member("m1").unwrap().current.epoch;
    for _ in 0..3 {
        bench.pass(5_000);
        bench.runs(&alive("s", "m1", epoch));
    }
    assert!(lines.is_empty(), "who is only alive is nothing to tell: {:#?}", lines.try_iter().collect::<Vec<_>>());
    let (second, _) = bench.runs(&joining("s", "m2", reading(&["t"])));
    wrote(&lines, "s", &["Member m2 joins by the streams protocol", " with 2 members"]);
    bench.runs(&alive("s", "m2", -1));
    wrote(&lines, "s", &["Member m2 left", " with 1 members"]);
    assert!(second > 0);
    bench.pass(60_000);
    wrote(&lines, "s", &["Member m1 is fenced in epoch ", "its session expired", " with 0 members"]);
    bench.fail_over();
    wrote(&lines, "s", &["Unloaded", "Loaded streams group with 0 members"]);
}

#[test]
fn groups_that_change_their_protocol_say_so_and_why() {
    use super::consumer::{alive, joining};
    let (mut bench, lines) = bench();
    let (ids, _) = bench.stable("g", 1);
    lines.try_iter().count();
    bench.well(&joining("g", "new", &["t"]));
    wrote(
        &lines,
        "g",
        &[
            "Is a consumer group from now on, after having been a classic one",
            "Member new joins by the consumer protocol",
        ],
    );
    bench.pass(1_000);
    bench.heartbeat("g", &ids[0], 1);
    lines.try_iter().count();
    bench.well(&alive("g", "new", -1));
    wrote(
        &lines,
        "g",
        &[
            "Is a classic group from now on, after having been a consumer group: ",
            "Member new left",
            "Prepares to rebalance",
        ],
    );
    // One that may not.
    let mut config = GroupConfig { offsets_partitions: 1, ..bench.groups.config().clone() };
    config.consumer.may_upgrade = false;
    let mut bench = Bench::with(config);
    bench.stable("g", 1);
    lines.try_iter().count();
    assert_eq!(bench.refused(&joining("g", "new", &["t"])).0, ErrorCode::GroupIdNotFound);
    wrote(&lines, "g", &["Stays a classic group: online upgrade is disabled"]);
    assert_eq!(bench.state("g"), "Stable");
}
