//! Static members, and leaving.

use super::*;

fn static_join(group: &str, member: &str, instance: &str) -> JoinGroupRequestData {
    join_request(group, member).with_group_instance_id(Some(text(instance)))
}

/// A stable group of one static leader. (member id, generation)
fn stable_static(bench: &mut Bench, instance: &str) -> (String, i32) {
    let to = bench.join(9, &static_join("g", "", instance));
    bench.pass(3_000);
    let joined = bench.joined(to);
    let id = joined.member_id.to_string();
    assert!(id.starts_with(&format!("{instance}-")));
    let to = bench.sync("g", &id, joined.generation_id, &[(&id, assignment("t", 0))]);
    assert_eq!(bench.synced(to).error_code, 0);
    (id, joined.generation_id)
}

#[test]
fn a_static_member_returns_without_a_rebalance() {
    for (version, skip, members, leader_is_new) in [(9, true, 1, true), (8, false, 0, false)] {
        let mut bench = Bench::new();
        let (old, generation) = stable_static(&mut bench, "i");
        bench.fate = Fate::Wait;
        let to = bench.join(version, &static_join("g", "", "i"));
        assert!(bench.is_waiting(to), "its new id is written first");
        bench.settle(Ok(()));
        let joined = bench.joined(to);
        assert_eq!((joined.error_code, joined.generation_id), (0, generation));
        assert_ne!(joined.member_id.as_str(), old);
        assert_eq!((joined.skip_assignment, joined.members.len()), (skip, members));
        assert_eq!(joined.leader == joined.member_id, leader_is_new);
        assert_eq!(bench.state("g"), "Stable");
        // Its assignment is the one it had; whoever still uses the old id is fenced.
        let new = joined.member_id.to_string();
        let to = bench.sync("g", &new, generation, &[]);
        assert_eq!(bench.synced(to).assignment, assignment("t", 0));
        let heartbeat = HeartbeatRequestData::default()
            .with_group_id(text("g"))
            .with_member_id(text(&old))
            .with_group_instance_id(Some(text("i")))
            .with_generation_id(generation);
        let fenced = bench.groups.heartbeat(bench.now, &heartbeat).error_code;
        assert_eq!(ErrorCode::from(fenced), ErrorCode::FencedInstanceId);
        let to = bench.join(9, &static_join("g", &old, "i"));
        assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::FencedInstanceId);
        let to = bench.join(9, &static_join("g", &new, "other"));
        assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::UnknownMemberId);
    }
}

#[test]
fn a_return_that_cannot_be_written_is_taken_back() {
    let mut bench = Bench::new();
    let (old, generation) = stable_static(&mut bench, "i");
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    let to = bench.join(9, &static_join("g", "", "i"));
    let response = bench.joined(to);
    assert_eq!(ErrorCode::from(response.error_code), ErrorCode::CoordinatorNotAvailable);
    assert_eq!((response.member_id.as_str(), response.members.len()), ("", 0));
    assert_eq!(bench.heartbeat("g", &old, generation), ErrorCode::None);
    bench.fate = Fate::Commit;
    bench.pass(10_001);
    assert_eq!(bench.state("g"), "Empty", "the old session runs on, and out");
}

#[test]
fn a_return_with_other_protocols_rebalances() {
    let mut bench = Bench::new();
    let (_, generation) = stable_static(&mut bench, "i");
    let to = bench.join(9, &static_join("g", "", "i").with_protocols(vec![protocol("sticky", &["t"])]));
    // The group is asked about protocols with the old member still in it.
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::InconsistentGroupProtocol);
    let both = vec![protocol("sticky", &["t"]), protocol("range", &["t"])];
    let to = bench.join(9, &static_join("g", "", "i").with_protocols(both));
    let joined = bench.joined(to);
    assert_eq!((joined.error_code, joined.generation_id), (0, generation + 1));
    assert_eq!(joined.protocol_name.unwrap().as_str(), "sticky");
}

#[test]
fn a_return_during_a_rebalance_fences_who_waits() {
    let mut bench = Bench::new();
    let first = bench.join(9, &static_join("g", "", "i"));
    let second = bench.join(9, &static_join("g", "", "i"));
    assert_eq!(ErrorCode::from(bench.joined(first).error_code), ErrorCode::FencedInstanceId);
    bench.pass(3_000);
    let joined = bench.joined(second);
    assert_eq!(joined.generation_id, 1);
    // In CompletingRebalance the leader may already be assigning to the old id.
    let third = bench.join(9, &static_join("g", "", "i"));
    assert_eq!(bench.joined(third).generation_id, 2);
}

#[test]
fn static_members_are_not_thrown_out_of_a_rebalance() {
    let mut bench = Bench::new();
    let (id, generation) = stable_static(&mut bench, "i");
    let (_, to) = bench.join_dynamic("g");
    for _ in 0..7 {
        assert_eq!(bench.heartbeat("g", &id, generation), ErrorCode::RebalanceInProgress);
        bench.pass(9_000);
    }
    let joined = bench.joined(to);
    assert_eq!(joined.generation_id, generation + 1, "after the rebalance time-out");
    assert_eq!(joined.leader, joined.member_id, "a leader that does not join loses the lead");
    assert_eq!(joined.members.len(), 2);
}

#[test]
fn leaving() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 2);
    let to = bench.leave(5, "g", &[(&ids[1], None), ("stranger", None), ("", Some("nobody"))]);
    let codes: Vec<i16> = bench.left(to).members.iter().map(|member| member.error_code).collect();
    let unknown = ErrorCode::UnknownMemberId.code();
    assert_eq!(codes, [0, unknown, unknown]);
    assert_eq!(bench.state("g"), "PreparingRebalance");
    assert_eq!(bench.heartbeat("g", &ids[0], generation), ErrorCode::RebalanceInProgress);
    let to = bench.join(9, &join_request("g", &ids[0]));
    assert_eq!(bench.joined(to).members.len(), 1);

    bench.fate = Fate::Wait;
    let to = bench.leave(2, "g", &[(&ids[0], None)]);
    assert!(bench.is_waiting(to), "that the group is empty is written first");
    bench.settle(Ok(()));
    assert_eq!((bench.left(to).error_code, bench.state("g")), (0, "Empty"));
    let to = bench.leave(2, "g", &[(&ids[0], None)]);
    assert_eq!(ErrorCode::from(bench.left(to).error_code), ErrorCode::UnknownMemberId);
    let to = bench.leave(5, "none", &[("m", None)]);
    assert_eq!(ErrorCode::from(bench.left(to).members[0].error_code), ErrorCode::UnknownMemberId);
    let to = bench.leave(5, "", &[("m", None)]);
    assert_eq!(ErrorCode::from(bench.left(to).error_code), ErrorCode::InvalidGroupId);
}

#[test]
fn who_leaves_with_parked_requests_is_answered() {
    let mut bench = Bench::new();
    let (id, join) = bench.join_dynamic("g");
    let to = bench.leave(5, "g", &[(&id, None)]);
    assert_eq!(bench.left(to).members[0].error_code, 0);
    assert_eq!(ErrorCode::from(bench.joined(join).error_code), ErrorCode::UnknownMemberId);
    bench.pass(3_000);
    assert_eq!(bench.state("g"), "Empty");

    let first = bench.join_dynamic("h");
    let second = bench.join_dynamic("h");
    bench.pass(6_000);
    let generation = bench.joined(first.1).generation_id;
    let leader = bench.joined(second.1).leader.to_string();
    let follower = if first.0 == leader { second.0 } else { first.0 };
    let sync = bench.sync("h", &follower, generation, &[]);
    bench.leave(5, "h", &[(&follower, None)]);
    assert_eq!(ErrorCode::from(bench.synced(sync).error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_member_is_removed_by_its_instance() {
    let mut bench = Bench::new();
    let (id, _) = stable_static(&mut bench, "i");
    let to = bench.leave(5, "g", &[("wrong", Some("i"))]);
    assert_eq!(ErrorCode::from(bench.left(to).members[0].error_code), ErrorCode::FencedInstanceId);
    let to = bench.leave(5, "g", &[("", Some("i"))]);
    let member = &bench.left(to).members[0];
    assert_eq!((member.error_code, member.group_instance_id.as_ref().unwrap().as_str()), (0, "i"));
    assert_eq!(bench.heartbeat("g", &id, 1), ErrorCode::UnknownMemberId);
    assert_eq!(bench.state("g"), "Empty");
}

#[test]
fn a_pending_member_leaves_and_the_rest_go_on() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    let to = bench.join(9, &join_request("g", ""));
    let pending = bench.joined(to).member_id.to_string();
    let to = bench.join(9, &join_request("g", &ids[0]));
    assert!(bench.is_waiting(to), "the rebalance waits for the one that was given an id");
    bench.leave(5, "g", &[(&pending, None)]);
    assert_eq!(bench.joined(to).generation_id, generation + 1);
}
