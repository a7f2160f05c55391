//! JoinGroup and SyncGroup: every state, every refusal.

use super::*;

#[test]
fn refusals_before_the_group_is_looked_at() {
    let mut bench = Bench::new();
    let long = "x".repeat(40_000);
    let table: [(JoinGroupRequestData, ErrorCode); 8] = [
        (join_request("", ""), ErrorCode::InvalidGroupId),
        (join_request(&long, ""), ErrorCode::InvalidGroupId),
        (join_request("g", "").with_session_timeout_ms(5_999), ErrorCode::InvalidSessionTimeout),
        (join_request("g", "").with_session_timeout_ms(1_800_001), ErrorCode::InvalidSessionTimeout),
        (join_request("g", "stranger"), ErrorCode::UnknownMemberId),
        (join_request("g", "").with_protocols(Vec::new()), ErrorCode::InconsistentGroupProtocol),
        (join_request("g", "").with_protocol_type(text("")), ErrorCode::InconsistentGroupProtocol),
        (
            join_request("g", "").with_protocols(vec![
                JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(vec![0; 2_000_000].into()),
            ]),
            ErrorCode::UnknownServerError,
        ),
    ];
    for (request, error) in table {
        let to = bench.join(9, &request);
        assert_eq!(ErrorCode::from(bench.joined(to).error_code), error);
    }
}

#[test]
fn a_coordinator_of_other_partitions_says_so() {
    let mut bench = Bench::new();
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    let to = bench.join(9, &join_request("g", ""));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::NotCoordinator);
    assert_eq!(bench.heartbeat("g", "m", 1), ErrorCode::NotCoordinator);
    bench.groups.begin_load(bench.now, partition);
    let to = bench.join(9, &join_request("g", ""));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::CoordinatorLoadInProgress);
    assert_eq!(bench.heartbeat("g", "m", 1), ErrorCode::None, "a loading coordinator does not scare members away");
}

#[test]
fn the_first_member_waits_for_others_and_leads() {
    let mut bench = Bench::new();
    let (id, to) = bench.join_dynamic("g");
    assert!(id.starts_with("app-"));
    assert!(bench.is_waiting(to));
    bench.pass(2_999);
    assert!(bench.is_waiting(to), "group.initial.rebalance.delay.ms");
    bench.pass(1);
    let joined = bench.joined(to);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert_eq!((joined.leader.as_str(), joined.members.len()), (id.as_str(), 1));
    assert_eq!(joined.protocol_type.unwrap().as_str(), "consumer");
    assert_eq!(joined.protocol_name.unwrap().as_str(), "range");
    assert_eq!(joined.members[0].metadata, subscription(&["t"]));
    assert_eq!(bench.state("g"), "CompletingRebalance");

    let to = bench.sync("g", &id, 1, &[(&id, assignment("t", 0))]);
    let synced = bench.synced(to);
    assert_eq!((synced.error_code, synced.assignment), (0, assignment("t", 0)));
    assert_eq!(bench.state("g"), "Stable");
}

#[test]
fn old_clients_join_in_one_step() {
    let mut bench = Bench::new();
    let to = bench.join(3, &join_request("g", ""));
    assert!(bench.is_waiting(to));
    bench.pass(3_000);
    let joined = bench.joined(to);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert_eq!(joined.leader, joined.member_id);
}

#[test]
fn new_members_prolong_the_initial_delay_up_to_the_rebalance_timeout() {
    let mut bench = Bench::new();
    let first = bench.join(3, &join_request("g", "").with_rebalance_timeout_ms(7_000));
    for _ in 0..3 {
        bench.pass(2_000);
        if bench.is_waiting(first) {
            bench.join(3, &join_request("g", "").with_rebalance_timeout_ms(7_000));
        }
    }
    assert!(bench.is_waiting(first), "6 s: prolonged at 3 s by 3 s, at 6 s by the last second");
    bench.pass(1_000);
    let joined = bench.joined(first);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
}

#[test]
fn the_most_liked_common_protocol_is_chosen() {
    let mut bench = Bench::new();
    let with = |names: &[&str]| {
        let protocols = names.iter().map(|name| protocol(name, &["t"])).collect();
        join_request("g", "").with_protocols(protocols)
    };
    let a = bench.join(3, &with(&["sticky", "range", "roundrobin"]));
    let b = bench.join(3, &with(&["range", "roundrobin"]));
    let c = bench.join(3, &with(&["roundrobin", "range"]));
    let d = bench.join(3, &with(&["roundrobin", "range", "own"]));
    let refused = bench.join(3, &with(&["sticky", "own"]));
    assert_eq!(ErrorCode::from(bench.joined(refused).error_code), ErrorCode::InconsistentGroupProtocol);
    let refused = bench.join(3, &with(&["range"]).with_protocol_type(text("connect")));
    assert_eq!(ErrorCode::from(bench.joined(refused).error_code), ErrorCode::InconsistentGroupProtocol);
    bench.pass(60_000);
    let joined: Vec<JoinGroupResponseData> = [a, b, c, d].into_iter().map(|to| bench.joined(to)).collect();
    for response in &joined {
        // Two votes each: the one that Java's hash map has first.
        assert_eq!(response.protocol_name.as_ref().unwrap().as_str(), "range");
        assert_eq!(response.generation_id, 1);
        assert_eq!(response.members.len(), if response.leader == response.member_id { 4 } else { 0 });
    }
}

#[test]
fn a_newcomer_rebalances_a_stable_group() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 2);
    let (newcomer, to) = bench.join_dynamic("g");
    assert_eq!(bench.state("g"), "PreparingRebalance");
    for id in &ids {
        assert_eq!(bench.heartbeat("g", id, generation), ErrorCode::RebalanceInProgress);
    }
    let sync = bench.sync("g", &ids[0], generation, &[]);
    assert_eq!(ErrorCode::from(bench.synced(sync).error_code), ErrorCode::RebalanceInProgress);
    let rejoins: Vec<ReplyTo> = ids.iter().map(|id| bench.join(9, &join_request("g", id))).collect();
    let joined = bench.joined(to);
    assert_eq!((joined.generation_id, joined.leader.as_str()), (generation + 1, ids[0].as_str()), "the leader stays");
    for rejoin in rejoins {
        assert_eq!(bench.joined(rejoin).generation_id, generation + 1);
    }
    assert_eq!(bench.heartbeat("g", &newcomer, generation), ErrorCode::IllegalGeneration);
    assert_eq!(bench.heartbeat("g", &newcomer, generation + 1), ErrorCode::None);
}

#[test]
fn joining_again_in_each_state() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 2);
    // A follower with nothing new is told its generation.
    let to = bench.join(9, &join_request("g", &ids[1]));
    let joined = bench.joined(to);
    assert_eq!((joined.generation_id, joined.members.len()), (generation, 0));
    assert_eq!(bench.state("g"), "Stable");
    // With another subscription it causes a rebalance.
    let other = join_request("g", &ids[1]).with_protocols(vec![protocol("range", &["u"])]);
    let follower = bench.join(9, &other);
    assert!(bench.is_waiting(follower));
    // So does the leader in any case; here the rebalance runs already, and it completes it.
    let leader = bench.join(9, &join_request("g", &ids[0]));
    let joined = bench.joined(leader);
    assert_eq!((joined.generation_id, joined.members.len()), (generation + 1, 2));
    assert_eq!(bench.joined(follower).generation_id, generation + 1);
    // In CompletingRebalance the same metadata gives the same answer, the leader's with all members.
    let again = bench.join(9, &join_request("g", &ids[0]));
    let joined = bench.joined(again);
    assert_eq!((joined.generation_id, joined.members.len()), (generation + 1, 2));
    // Other metadata starts over.
    let follower = bench.join(9, &join_request("g", &ids[1]));
    assert!(bench.is_waiting(follower));
    assert_eq!(bench.state("g"), "PreparingRebalance");
    let leader = bench.join(9, &join_request("g", &ids[0]));
    assert_eq!(bench.joined(leader).generation_id, generation + 2);
    // The leader alone causes a rebalance of a stable group.
    let synced = bench.sync("g", &ids[0], generation + 2, &[]);
    assert_eq!(bench.synced(synced).error_code, 0);
    bench.join(9, &join_request("g", &ids[0]));
    assert_eq!(bench.state("g"), "PreparingRebalance");
}

#[test]
fn a_repeated_request_answers_the_one_before() {
    let mut bench = Bench::new();
    let (id, first) = bench.join_dynamic("g");
    let second = bench.join(9, &join_request("g", &id));
    assert_eq!(ErrorCode::from(bench.joined(first).error_code), ErrorCode::RebalanceInProgress);
    bench.pass(3_000);
    assert_eq!(bench.joined(second).error_code, 0);
    let (other, _) = bench.join_dynamic("g");
    let to = bench.join(9, &join_request("g", &id));
    assert_eq!(bench.joined(to).generation_id, 2);
    let first = bench.sync("g", &other, 2, &[]);
    let second = bench.sync("g", &other, 2, &[]);
    assert_eq!(ErrorCode::from(bench.synced(first).error_code), ErrorCode::RebalanceInProgress);
    assert!(bench.is_waiting(second));
}

#[test]
fn sync_refusals() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    let request = || {
        SyncGroupRequestData::default()
            .with_group_id(text("g"))
            .with_member_id(text(&ids[0]))
            .with_generation_id(generation)
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
    };
    let table = [
        (5, request(), ErrorCode::None),
        (4, request().with_protocol_type(None).with_protocol_name(None), ErrorCode::None),
        (5, request().with_protocol_type(None), ErrorCode::InconsistentGroupProtocol),
        (5, request().with_protocol_name(None), ErrorCode::InconsistentGroupProtocol),
        (5, request().with_protocol_name(Some(text("sticky"))), ErrorCode::InconsistentGroupProtocol),
        (5, request().with_protocol_type(Some(text("connect"))), ErrorCode::InconsistentGroupProtocol),
        (5, request().with_group_id(text("")), ErrorCode::InvalidGroupId),
        (5, request().with_group_id(text("none")), ErrorCode::UnknownMemberId),
        (5, request().with_member_id(text("none")), ErrorCode::UnknownMemberId),
        (5, request().with_group_instance_id(Some(text("none"))), ErrorCode::UnknownMemberId),
        (5, request().with_generation_id(generation + 1), ErrorCode::IllegalGeneration),
    ];
    for (version, request, error) in table {
        let to = bench.to();
        bench.groups.sync_group(bench.now, to, &client(version), &request);
        bench.pump();
        let response = bench.synced(to);
        assert_eq!(ErrorCode::from(response.error_code), error, "{request:?}");
        if error == ErrorCode::None {
            assert_eq!(response.assignment, assignment("t", 0));
        }
    }
}

#[test]
fn an_assignment_counts_when_it_is_committed() {
    let mut bench = Bench::new();
    let (id, to) = bench.join_dynamic("g");
    bench.pass(3_000);
    bench.joined(to);
    bench.fate = Fate::Wait;
    let to = bench.sync("g", &id, 1, &[(&id, assignment("t", 1)), ("stranger", assignment("t", 2))]);
    assert!(bench.is_waiting(to));
    assert_eq!(bench.state("g"), "CompletingRebalance");
    bench.settle(Ok(()));
    assert_eq!(bench.synced(to).assignment, assignment("t", 1));
    assert_eq!(bench.state("g"), "Stable");
}

#[test]
fn an_assignment_that_cannot_be_stored_starts_over() {
    let table = [
        (ErrorCode::NotEnoughReplicas, ErrorCode::CoordinatorNotAvailable),
        (ErrorCode::UnknownTopicOrPartition, ErrorCode::CoordinatorNotAvailable),
        (ErrorCode::NotLeaderOrFollower, ErrorCode::NotCoordinator),
        (ErrorCode::KafkaStorageError, ErrorCode::NotCoordinator),
        (ErrorCode::MessageTooLarge, ErrorCode::UnknownServerError),
        (ErrorCode::RecordListTooLarge, ErrorCode::UnknownServerError),
        (ErrorCode::InvalidRequest, ErrorCode::InvalidRequest),
    ];
    for (cause, told) in table {
        let mut bench = Bench::new();
        let (id, to) = bench.join_dynamic("g");
        bench.pass(3_000);
        bench.joined(to);
        bench.fate = Fate::Refuse(cause);
        let to = bench.sync("g", &id, 1, &[(&id, assignment("t", 1))]);
        let response = bench.synced(to);
        assert_eq!((ErrorCode::from(response.error_code), response.assignment.len()), (told, 0), "{cause:?}");
        assert_eq!(bench.state("g"), "PreparingRebalance");
    }
}

#[test]
fn an_assignment_of_a_generation_that_is_over_is_ignored() {
    let mut bench = Bench::new();
    let (id, to) = bench.join_dynamic("g");
    bench.pass(3_000);
    bench.joined(to);
    bench.fate = Fate::Wait;
    let sync = bench.sync("g", &id, 1, &[(&id, assignment("t", 1))]);
    let (_, newcomer) = bench.join_dynamic("g");
    assert_eq!(ErrorCode::from(bench.synced(sync).error_code), ErrorCode::RebalanceInProgress);
    bench.settle(Ok(()));
    assert_eq!(bench.state("g"), "PreparingRebalance");
    let again = bench.join(9, &join_request("g", &id));
    assert_eq!((bench.joined(again).generation_id, bench.joined(newcomer).generation_id), (2, 2));
}

#[test]
fn a_group_that_cannot_be_written_never_was() {
    let mut bench = Bench::new();
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    let to = bench.join(3, &join_request("g", ""));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.state("g"), "");
    assert_eq!(bench.groups.shared.group_count, 0);
    bench.pass(400_000);
    assert_eq!(bench.state("g"), "");
}

#[test]
fn group_max_size_holds() {
    let mut bench = Bench::with(GroupConfig { max_size: 2, ..GroupConfig::default() });
    let (ids, generation) = bench.stable("g", 2);
    let to = bench.join(9, &join_request("g", ""));
    let response = bench.joined(to);
    assert_eq!(ErrorCode::from(response.error_code), ErrorCode::GroupMaxSizeReached);
    assert_eq!(bench.heartbeat("g", &ids[1], generation), ErrorCode::None);
    // Those who are in stay in.
    let leader = bench.join(9, &join_request("g", &ids[0]));
    let follower = bench.join(9, &join_request("g", &ids[1]));
    assert_eq!((bench.joined(leader).error_code, bench.joined(follower).error_code), (0, 0));
}

#[test]
fn our_own_bounds_hold() {
    let limits = super::super::Limits { groups: 2, members_per_group: 3, ..Default::default() };
    let mut bench = Bench::with(GroupConfig { limits, ..GroupConfig::default() });
    for _ in 0..3 {
        let to = bench.join(9, &join_request("g", ""));
        assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::MemberIdRequired);
    }
    let to = bench.join(9, &join_request("g", ""));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::GroupMaxSizeReached);
    bench.join(9, &join_request("h", ""));
    let to = bench.join(9, &join_request("i", ""));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::CoordinatorNotAvailable);
}

#[test]
fn member_ids_are_those_of_the_seed() {
    let (mut one, mut two) = (Bench::new(), Bench::new());
    assert_eq!(one.join_dynamic("g").0, two.join_dynamic("g").0);
    assert_ne!(one.join_dynamic("g").0, one.join_dynamic("g").0);
}

#[test]
fn a_group_that_has_gone_on_outlives_the_loss_of_its_first_record() {
    let mut bench = Bench::new();
    bench.fate = Fate::Wait;
    let to = bench.join(3, &join_request("g", ""));
    bench.pass(3_000);
    let id = bench.joined(to).member_id.to_string();
    let sync = bench.sync("g", &id, 1, &[(&id, assignment("t", 0))]);
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(ErrorCode::from(bench.synced(sync).error_code), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.state("g"), "PreparingRebalance");
}

#[test]
fn who_made_a_group_does_not_wait_for_its_record_for_ever() {
    let config = GroupConfig { initial_rebalance_delay_ms: 8_000, ..GroupConfig::default() };
    let mut bench = Bench::with(config);
    bench.fate = Fate::Wait;
    let first = bench.join(3, &join_request("g", ""));
    let second = bench.join(3, &join_request("g", ""));
    bench.pass(5_000);
    assert_eq!(ErrorCode::from(bench.joined(first).error_code), ErrorCode::CoordinatorNotAvailable);
    bench.pass(30_000);
    assert_eq!(bench.joined(second).members.len(), 1);
}
