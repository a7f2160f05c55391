//! What happens when nobody says anything.

use super::*;

#[test]
fn a_silent_member_is_thrown_out() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 2);
    bench.pass(9_000);
    assert_eq!(bench.heartbeat("g", &ids[0], generation), ErrorCode::None);
    bench.pass(1_500);
    assert_eq!(bench.state("g"), "PreparingRebalance");
    assert_eq!(bench.heartbeat("g", &ids[1], generation), ErrorCode::UnknownMemberId);
    assert_eq!(bench.told_of(&ids[1]), [MemberChange::Joined, MemberChange::SessionExpired]);
    assert_eq!(bench.told_of(&ids[0]), [MemberChange::Joined]);
    let to = bench.join(9, &join_request("g", &ids[0]));
    assert_eq!((bench.joined(to).generation_id, bench.state("g")), (generation + 1, "CompletingRebalance"));
    assert!(matches!(
        bench
            .events
            .iter()
            .find(|event| matches!(event, Event::GroupRebalance { reason, .. } if reason.contains("session"))),
        Some(Event::GroupRebalance { state: "PreparingRebalance", .. })
    ));
}

#[test]
fn a_commit_is_as_good_as_a_heartbeat() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    for _ in 0..4 {
        bench.pass(9_000);
        let to = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 1)]);
        assert_eq!(bench.committed(to), [ErrorCode::None]);
    }
    assert_eq!(bench.state("g"), "Stable");
}

#[test]
fn who_does_not_rejoin_is_left_behind() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 3);
    let to = bench.join(9, &join_request("g", &ids[0]));
    for _ in 0..7 {
        for id in &ids[1..] {
            bench.heartbeat("g", id, generation);
        }
        bench.pass(9_000);
    }
    let joined = bench.joined(to);
    assert_eq!((joined.generation_id, joined.members.len()), (generation + 1, 1));
    for id in &ids[1..] {
        assert_eq!(bench.told_of(id), [MemberChange::Joined, MemberChange::NotRejoined]);
    }
    assert_eq!(bench.heartbeat("g", &ids[1], generation), ErrorCode::UnknownMemberId);
}

#[test]
fn a_leader_that_does_not_rejoin_is_replaced() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 3);
    let other = |id: &str| join_request("g", id).with_protocols(vec![protocol("range", &["u"])]);
    let to = [bench.join(9, &other(&ids[1])), bench.join(9, &other(&ids[2]))];
    for _ in 0..7 {
        bench.heartbeat("g", &ids[0], generation);
        bench.pass(9_000);
    }
    let joined: Vec<JoinGroupResponseData> = to.into_iter().map(|to| bench.joined(to)).collect();
    assert_eq!(joined[0].leader, joined[1].leader);
    assert!(ids[1..].contains(&joined[0].leader.to_string()));
}

#[test]
fn who_does_not_sync_is_thrown_out() {
    let mut bench = Bench::new();
    let (a, to_a) = bench.join_dynamic("g");
    let (b, to_b) = bench.join_dynamic("g");
    bench.pass(6_000);
    let leader = bench.joined(to_a).leader.to_string();
    bench.joined(to_b);
    let silent = if leader == a { &b } else { &a };
    let sync = bench.sync("g", &leader, 1, &[(&leader, assignment("t", 0))]);
    assert_eq!(bench.synced(sync).error_code, 0);
    assert_eq!(bench.state("g"), "Stable");
    for _ in 0..7 {
        bench.heartbeat("g", &a, 1);
        bench.heartbeat("g", &b, 1);
        bench.pass(9_000);
    }
    assert_eq!(bench.state("g"), "PreparingRebalance", "its heartbeats do not help it");
    assert_eq!(bench.told_of(silent), [MemberChange::Joined, MemberChange::NotSynced]);
    assert_eq!(bench.heartbeat("g", silent, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_leader_that_does_not_sync_frees_the_others() {
    let mut bench = Bench::new();
    let (a, to_a) = bench.join_dynamic("g");
    let (b, to_b) = bench.join_dynamic("g");
    bench.pass(6_000);
    let leader = bench.joined(to_a).leader.to_string();
    bench.joined(to_b);
    let follower = if leader == a { &b } else { &a };
    let sync = bench.sync("g", follower, 1, &[]);
    bench.pass(9_999);
    assert!(bench.is_waiting(sync));
    bench.pass(1);
    assert_eq!(ErrorCode::from(bench.synced(sync).error_code), ErrorCode::RebalanceInProgress);
    let to = bench.join(9, &join_request("g", follower));
    let joined = bench.joined(to);
    assert_eq!((joined.generation_id, joined.leader.as_str()), (2, follower.as_str()));
}

#[test]
fn an_id_that_is_not_used_expires() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    let to = bench.join(9, &join_request("g", ""));
    let pending = bench.joined(to).member_id.to_string();
    let to = bench.join(9, &join_request("g", &ids[0]));
    bench.pass(9_999);
    assert!(bench.is_waiting(to));
    bench.pass(1);
    assert_eq!(bench.joined(to).generation_id, generation + 1);
    let to = bench.join(9, &join_request("g", &pending));
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn a_new_member_does_not_wait_for_ever() {
    let config = GroupConfig { initial_rebalance_delay_ms: 1_000_000, ..GroupConfig::default() };
    let mut bench = Bench::with(config);
    let to = bench.join(3, &join_request("g", ""));
    bench.pass(300_000);
    assert_eq!(ErrorCode::from(bench.joined(to).error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn nobody_waits_longer_than_the_commit_timeout() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    bench.fate = Fate::Wait;
    let commit = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 7)]);
    let stable = bench.fetch_request(8, &fetch_groups(&[("g", None)]).with_require_stable(true));
    bench.pass(4_999);
    assert!(bench.is_waiting(commit) && bench.is_waiting(stable));
    bench.pass(1);
    assert_eq!(bench.committed(commit), [ErrorCode::CoordinatorNotAvailable]);
    let fetched = bench.fetched(stable);
    assert_eq!(ErrorCode::from(fetched.groups[0].error_code), ErrorCode::NotCoordinator);
    assert_eq!(bench.offset("g", "t", 0), -1);
    // It is in the log, though, and when it is committed after all, it counts.
    bench.settle(Ok(()));
    assert_eq!(bench.offset("g", "t", 0), 7);
}

#[test]
fn an_assignment_that_is_not_committed_in_time_starts_over() {
    let mut bench = Bench::new();
    let (id, to) = bench.join_dynamic("g");
    bench.pass(3_000);
    bench.joined(to);
    bench.fate = Fate::Wait;
    let sync = bench.sync("g", &id, 1, &[(&id, assignment("t", 1))]);
    bench.pass(5_000);
    assert_eq!(ErrorCode::from(bench.synced(sync).error_code), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.state("g"), "PreparingRebalance");
    bench.settle(Ok(()));
    assert_eq!(bench.state("g"), "PreparingRebalance");
}

#[test]
fn an_idle_coordinator_keeps_no_deadline_but_the_expiry() {
    let mut bench = Bench::new();
    let (ids, _) = bench.stable("g", 3);
    let members: Vec<(&str, Option<&str>)> = ids.iter().map(|id| (id.as_str(), None)).collect();
    bench.leave(5, "g", &members);
    assert_eq!(bench.state("g"), "Empty");
    assert_eq!(bench.groups.shared.timers.len(), 50, "one per partition");
}
