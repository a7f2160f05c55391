//! Groups that go from the classic protocol to the consumer protocol and back, with members of both.

use super::consumer::{Has, alive, has, joining, owning};
use super::*;
use crate::group::consumer::MemberState;
use crate::group::consumer_protocol;

/// A classic member's group as it stands: topic t has four partitions.
fn classic_group(bench: &mut Bench, members: usize) -> (Vec<String>, i32) {
    let (ids, generation) = bench.stable("g", members);
    assert_eq!(bench.state("g"), "Stable");
    (ids, generation)
}

fn kind(bench: &Bench) -> &'static str {
    let partition = bench.groups.partition_for("g");
    bench.groups.shards[&partition].groups["g"].type_name()
}

fn assigned(blob: &[u8]) -> Has {
    let mut topics = Has::new();
    for partition in consumer_protocol::assignment(blob).unwrap().partitions {
        topics.entry(partition.topic.to_string()).or_default().insert(partition.partition);
    }
    topics
}

/// A classic member that says what it has.
fn rejoin(bench: &mut Bench, member: &str, owned: &Has) -> JoinGroupResponseData {
    let mut blob = BytesMut::new();
    blob.put_i16(1);
    blob.put_i32(1);
    blob.put_i16(1);
    blob.put_slice(b"t");
    blob.put_i32(-1);
    blob.put_i32(owned.len() as i32);
    for (topic, partitions) in owned {
        blob.put_i16(topic.len() as i16);
        blob.put_slice(topic.as_bytes());
        blob.put_i32(partitions.len() as i32);
        partitions.iter().for_each(|partition| blob.put_i32(*partition));
    }
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(blob.freeze());
    let to = bench.join(9, &join_request("g", member).with_protocols(vec![protocol]));
    bench.joined(to)
}

fn sync(bench: &mut Bench, member: &str, generation: i32) -> Result<Has, ErrorCode> {
    let to = bench.sync("g", member, generation, &[]);
    let response = bench.synced(to);
    match ErrorCode::from(response.error_code) {
        ErrorCode::None => Ok(assigned(&response.assignment)),
        error => Err(error),
    }
}

#[test]
fn a_classic_group_is_upgraded_member_by_member() {
    let mut bench = Bench::new();
    let (ids, generation) = classic_group(&mut bench, 1);
    let old = ids[0].as_str();
    // Its one member has t-0; the newcomer gets what is free.
    assert_eq!(generation, 1);
    let (epoch, assignment) = bench.well(&joining("g", "new", &["t"]));
    assert_eq!(
        (epoch, assignment),
        (2, Some(has(&[("t", &[2, 3])]))),
        "a classic group's target may be replaced at once"
    );
    assert_eq!((kind(&bench), bench.consumers("g").member_count()), ("consumer", 2));
    bench.check_replay("g");

    // The classic member is told to join again, which gives it the rest.
    assert_eq!(bench.heartbeat("g", old, 1), ErrorCode::RebalanceInProgress);
    assert_eq!(sync(&mut bench, old, 1), Err(ErrorCode::RebalanceInProgress));
    let response = rejoin(&mut bench, old, &has(&[("t", &[0])]));
    assert_eq!((response.error_code, response.generation_id, response.leader.as_str()), (0, 2, ""));
    assert_eq!(response.protocol_name.unwrap().as_str(), "range");
    assert_eq!(sync(&mut bench, old, 2), Ok(has(&[("t", &[0, 1])])));
    assert_eq!(sync(&mut bench, old, 1), Err(ErrorCode::IllegalGeneration));
    assert_eq!(sync(&mut bench, "new", 2), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.heartbeat("g", old, 2), ErrorCode::None);
    assert_eq!(bench.heartbeat("g", "new", 2), ErrorCode::UnknownMemberId);
    assert_eq!(bench.state("g"), "Stable");
    let to = bench.commit_offset(8, "g", old, 2, &[("t", 0, 5)]);
    assert_eq!(bench.committed(to), [ErrorCode::None]);
    let to = bench.commit_offset(8, "g", old, 3, &[("t", 0, 5)]);
    assert_eq!(bench.committed(to), [ErrorCode::IllegalGeneration]);
    bench.check_replay("g");

    // The last classic member goes.
    let to = bench.leave(5, "g", &[(old, None)]);
    assert_eq!(bench.left(to).members[0].error_code, 0);
    bench.pass(1_000);
    assert_eq!(bench.well(&alive("g", "new", 2)), (3, Some(has(&[("t", &[0, 1, 2, 3])]))));
    bench.check_replay("g");
    assert_eq!(bench.offset("g", "t", 0), 5);
}

#[test]
fn a_classic_member_gives_up_before_it_gets() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "new", &["t"]));
    bench.pass(1_000);
    // A classic member joins a consumer group: first an id, then a place.
    let to = bench.join(9, &join_request("g", ""));
    let response = bench.joined(to);
    assert_eq!(ErrorCode::from(response.error_code), ErrorCode::MemberIdRequired);
    let old = response.member_id.to_string();
    let response = rejoin(&mut bench, &old, &Has::new());
    assert_eq!((response.error_code, response.generation_id), (0, 3));
    assert_eq!(sync(&mut bench, &old, 3), Ok(Has::new()));
    assert_eq!(bench.member_state("g", &old), MemberState::UnreleasedPartitions);
    assert_eq!(bench.heartbeat("g", &old, 3), ErrorCode::None, "it waits for the other");
    let kept = has(&[("t", &[0, 1])]);
    assert_eq!(bench.well(&alive("g", "new", 2)), (2, Some(kept.clone())));
    assert_eq!(bench.well(&owning("g", "new", 2, &kept)).0, 3);
    assert_eq!(bench.heartbeat("g", &old, 3), ErrorCode::RebalanceInProgress, "what it waited for is free");
    rejoin(&mut bench, &old, &Has::new());
    assert_eq!(sync(&mut bench, &old, 3), Ok(has(&[("t", &[2, 3])])));

    // A third comes: the classic one must give a partition up, and says so by joining again.
    bench.pass(1_000);
    bench.well(&joining("g", "third", &["t"]));
    assert_eq!(bench.heartbeat("g", &old, 3), ErrorCode::RebalanceInProgress);
    let all = has(&[("t", &[2, 3])]);
    let response = rejoin(&mut bench, &old, &all);
    let target = bench.consumers("g").target_of(&old).cloned().unwrap();
    let count: usize = target.values().map(std::collections::BTreeSet::len).sum();
    if count < 2 {
        assert_eq!(response.generation_id, 3);
        assert_eq!(bench.member_state("g", &old), MemberState::UnrevokedPartitions);
        let left = sync(&mut bench, &old, 3).unwrap();
        assert_eq!(rejoin(&mut bench, &old, &left).generation_id, 4);
    }
    bench.check_replay("g");
    // One that does not join again in time is thrown out.
    bench.pass(1_000);
    bench.well(&alive("g", "third", -1));
    bench.pass(1_000);
    bench.well(&alive("g", "new", 3));
    for _ in 0..7 {
        bench.pass(9_000);
        bench.heartbeat("g", &old, 4);
        let epoch = bench.consumers("g").member("new").unwrap().current.epoch;
        bench.well(&alive("g", "new", epoch));
    }
    assert!(bench.consumers("g").member(&old).is_none());
}

#[test]
fn a_group_of_classic_members_alone_is_a_classic_group_again() {
    let mut bench = Bench::new();
    let (ids, _) = classic_group(&mut bench, 1);
    let old = ids[0].as_str();
    bench.well(&joining("g", "new", &["t"]));
    bench.pass(1_000);
    bench.well(&alive("g", "new", -1));
    assert_eq!((kind(&bench), bench.state("g")), ("classic", "PreparingRebalance"));
    let (to, _) = (bench.join(9, &join_request("g", old)), ());
    let response = bench.joined(to);
    assert_eq!((response.error_code, response.generation_id, response.leader.as_str()), (0, 3, old));
    let sync = bench.sync("g", old, 3, &[(old, assignment("t", 0))]);
    assert_eq!(bench.synced(sync).error_code, 0);
    bench.fail_over();
    assert_eq!((kind(&bench), bench.state("g")), ("classic", "Stable"));
}

#[test]
fn the_last_other_member_is_replaced_by_a_classic_one() {
    let mut bench = Bench::new();
    let new = joining("g", "new", &["t"]).with_instance_id(Some(text("i")));
    bench.well(&new);
    bench.well(&alive("g", "new", -2).with_instance_id(Some(text("i"))));
    let request = join_request("g", "").with_group_instance_id(Some(text("i")));
    let to = bench.join(9, &request);
    let response = bench.joined(to);
    assert_eq!((response.error_code, kind(&bench), bench.state("g")), (0, "classic", "Stable"));
    let to = bench.sync("g", response.member_id.as_str(), response.generation_id, &[]);
    let response = bench.synced(to);
    assert_eq!((response.error_code, assigned(&response.assignment)), (0, has(&[("t", &[0, 1, 2, 3])])));
    bench.fail_over();
    assert_eq!((kind(&bench), bench.state("g")), ("classic", "Stable"));
}

#[test]
fn empty_groups_change_their_kind_at_once() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, 5)]);
    bench.committed(to);
    bench.well(&joining("g", "new", &["t"]));
    assert_eq!((kind(&bench), bench.offset("g", "t", 0)), ("consumer", 5));
    bench.check_replay("g");
    bench.well(&alive("g", "new", -1));
    let (_, to) = bench.join_dynamic("g");
    assert_eq!(kind(&bench), "classic");
    bench.pass(3_000);
    assert_eq!(bench.joined(to).error_code, 0);
    assert_eq!(bench.offset("g", "t", 0), 5);
    bench.fail_over();
    assert_eq!((kind(&bench), bench.offset("g", "t", 0)), ("classic", 5));
    // Somebody who believes to be in a group that is empty does not make another of it.
    let mut bench = Bench::new();
    bench.well(&joining("g", "new", &["t"]));
    bench.well(&alive("g", "new", -1));
    let to = bench.join(9, &join_request("g", "old"));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn a_classic_member_too_has_regular_expressions_resolved() {
    let mut bench = Bench::new();
    let regex = |request: crate::protocol::messages::ConsumerGroupHeartbeatRequestData, regex: &str| {
        request.with_subscribed_topic_regex(Some(text(regex)))
    };
    bench.well(&regex(joining("g", "a", &["t"]).with_instance_id(Some(text("i"))), "x"));
    bench.pass(0);
    // Too soon after the first.
    bench.well(&regex(joining("g", "b", &["t"]), "u"));
    bench.pass(0);
    assert!(!bench.consumers("g").regexes().contains_key("u"));
    // The only resolved one goes with its member, and the next who comes has the other resolved.
    for instance in ["i", "j"] {
        let to = bench.join(9, &join_request("g", "").with_group_instance_id(Some(text(instance))));
        assert_eq!(bench.joined(to).error_code, 0);
        bench.pass(0);
    }
    assert!(bench.consumers("g").regexes().contains_key("u"));
    bench.check_replay("g");
}

/// Kafka throws here, and its answer to what is thrown has no member id.
#[test]
fn a_join_that_a_consumer_group_refuses_names_no_member() {
    let mut bench = Bench::new();
    let (ids, _) = classic_group(&mut bench, 1);
    bench.well(&joining("g", "new", &["t"]));
    let other = join_request("g", &ids[0]).with_protocols(vec![protocol("own", &["t"])]);
    let unknown = join_request("g", "x").with_group_instance_id(Some(text("i")));
    for (request, error) in [(other, ErrorCode::InconsistentGroupProtocol), (unknown, ErrorCode::UnknownMemberId)] {
        let to = bench.join(9, &request);
        let response = bench.joined(to);
        assert_eq!((ErrorCode::from(response.error_code), response.member_id.as_str()), (error, ""));
    }
}

#[test]
fn what_cannot_be_upgraded_stays_as_it_is() {
    let refused = |bench: &mut Bench, why: &str| {
        let (error, message) = bench.refused(&joining("g", "new", &["t"]));
        let expected = format!("Cannot upgrade classic group g to consumer group because {why}.");
        assert_eq!((error, message), (ErrorCode::GroupIdNotFound, expected));
        assert_eq!((kind(bench), bench.state("g")), ("classic", "Stable"));
    };
    let mut config = GroupConfig::default();
    config.consumer.may_upgrade = false;
    let mut bench = Bench::with(config);
    classic_group(&mut bench, 1);
    refused(&mut bench, "online upgrade is disabled");

    let mut config = GroupConfig::default();
    config.consumer.max_size = 1;
    let mut bench = Bench::with(config);
    classic_group(&mut bench, 2);
    refused(&mut bench, "the group size exceeds the consumer group maximum size");

    let mut bench = Bench::new();
    let (ids, _) = classic_group(&mut bench, 1);
    let (_, newcomer) = bench.join_dynamic("g");
    bench.join(9, &join_request("g", &ids[0]));
    bench.joined(newcomer);
    let custom = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7]);
    let to = bench.sync("g", &ids[0], 2, &[(&ids[0], custom)]);
    bench.synced(to);
    let message = bench.refused(&joining("g", "new", &["t"])).1;
    assert!(message.contains("an unsupported custom assignor is in use"), "{message}");

    let mut config = GroupConfig::default();
    config.consumer.may_downgrade = false;
    let mut bench = Bench::with(config);
    classic_group(&mut bench, 1);
    bench.well(&joining("g", "new", &["t"]));
    bench.pass(1_000);
    bench.well(&alive("g", "new", -1));
    assert_eq!(kind(&bench), "consumer");
}

#[test]
fn who_waits_in_a_rebalance_is_sent_to_join_the_group_of_the_other_kind() {
    let mut bench = Bench::new();
    let (ids, _) = classic_group(&mut bench, 1);
    let (newcomer, waiting) = bench.join_dynamic("g");
    assert!(bench.is_waiting(waiting));
    bench.well(&joining("g", "new", &["t"]));
    let response = bench.joined(waiting);
    assert_eq!(ErrorCode::from(response.error_code), ErrorCode::RebalanceInProgress);
    assert_eq!((kind(&bench), bench.consumers("g").member_count()), ("consumer", 3));
    for member in [&ids[0], &newcomer] {
        let owned = if *member == ids[0] { has(&[("t", &[0])]) } else { Has::new() };
        let response = rejoin(&mut bench, member, &owned);
        assert_eq!(response.error_code, 0);
        sync(&mut bench, member, response.generation_id).unwrap();
    }
    bench.check_replay("g");
}

#[test]
fn a_change_of_kind_that_cannot_be_written_has_not_been() {
    let mut bench = Bench::new();
    let (ids, generation) = classic_group(&mut bench, 1);
    let (_, waiting) = bench.join_dynamic("g");
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    assert_eq!(bench.refused(&joining("g", "new", &["t"])).0, ErrorCode::CoordinatorNotAvailable);
    assert_eq!((kind(&bench), bench.state("g")), ("classic", "PreparingRebalance"));
    assert_eq!(ErrorCode::from(bench.joined(waiting).error_code), ErrorCode::RebalanceInProgress);
    bench.fate = Fate::Commit;
    assert_eq!(bench.heartbeat("g", &ids[0], generation), ErrorCode::RebalanceInProgress);
    let to = bench.join(9, &join_request("g", &ids[0]));
    bench.pass(60_000);
    assert_eq!(bench.joined(to).error_code, 0, "the rebalance goes on");

    // And back: whoever waits in the classic group that never was is told.
    let mut bench = Bench::new();
    let (ids, _) = classic_group(&mut bench, 1);
    bench.well(&joining("g", "new", &["t"]));
    bench.pass(1_000);
    bench.fate = Fate::Wait;
    let leave = bench.start_beat(1, &alive("g", "new", -1));
    assert_eq!(kind(&bench), "classic");
    let (_, first) = (0, bench.join(9, &join_request("g", "")));
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(ErrorCode::from(bench.beaten(leave).error_code), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(ErrorCode::from(bench.joined(first).error_code), ErrorCode::MemberIdRequired);
    assert_eq!((kind(&bench), bench.consumers("g").member_count()), ("consumer", 2));
    bench.fate = Fate::Commit;
    assert_eq!(bench.heartbeat("g", &ids[0], 1), ErrorCode::RebalanceInProgress);
    bench.check_replay("g");
}
