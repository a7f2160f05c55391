//! Directed scenarios of voters that come and go.

use std::time::Duration;

use super::config::VoterBug;
use super::sim::World;
use super::{MetadataLog, Output, ReplicaKey, Role, VoterChangeError};
use crate::records::control::VoterEndpoint;
use crate::types::{Id, NodeId, Now};

const SECOND: Duration = Duration::from_secs(1);

/// Voters 1 to `voters` with kraft.version 1, and `spares` more controllers from 51 on.
fn upgraded(seed: u64, voters: usize, spares: usize) -> (World, NodeId) {
    let mut world = World::with_spares(seed, voters, spares, |_| {});
    let leader = world.settle_down(SECOND);
    world.run_until("all voters are described", SECOND, |world| world.quorum(leader).described_voters().supports(1));
    assert!(world.upgrade(leader));
    world.settle_down(SECOND);
    (world, leader)
}

fn changed(world: &mut World, what: &str, voters: &[NodeId]) {
    world.run_until(what, 2 * SECOND, |world| world.voter_ids() == voters && world.is_settled());
}

/// What a leader says to a change, asked directly.
fn refusal(world: &mut World, leader: NodeId, ask: impl FnOnce(&mut super::Quorum, Now)) -> Option<VoterChangeError> {
    let now = Now { mono: world.time, wall_ms: 1_790_000_000_000 + world.time.as_millis() as i64 };
    let quorum = world.nodes.get_mut(&leader).and_then(|node| node.quorum.as_mut()).expect("it is up");
    ask(quorum, now);
    quorum.take_outputs().into_iter().find_map(|output| match output {
        Output::VoterChange { outcome, .. } => outcome.err(),
        _ => None,
    })
}

fn key(world: &World, id: NodeId) -> ReplicaKey {
    world.nodes[&id].config.key()
}

#[test]
fn the_voters_of_the_configuration_are_written_into_the_log() {
    let (world, leader) = upgraded(1, 3, 0);
    for id in world.ids() {
        assert_eq!(world.quorum(id).kraft_version(), 1, "{id}");
        let keys: Vec<ReplicaKey> = world.quorum(id).voters().keys().collect();
        assert_eq!(keys, [1, 2, 3].map(|id| key(&world, id)), "{id}");
    }
    assert_eq!(world.leader(), Some(leader), "nobody minds");
}

#[test]
fn a_version_that_a_voter_has_not_said_to_speak_is_refused() {
    let mut world = World::with_spares(3, 3, 0, |config| {
        if config.id == 3 {
            config.directory_id = Id::ZERO;
        }
    });
    let leader = world.settle_down(SECOND);
    world.run_for(SECOND);
    let now = Now { mono: world.time, wall_ms: 0 };
    let mut upgrade = |version| {
        let quorum = world.nodes.get_mut(&leader).and_then(|node| node.quorum.as_mut()).expect("it is up");
        quorum.upgrade_kraft_version(now, version).map_err(|error| error.to_string())
    };
    assert_eq!(upgrade(0), Ok(None));
    let refused = "Invalid upgrade of kraft.version to 1 because not all of the voters support it";
    assert_eq!(upgrade(1), Err(refused.to_owned()));
}

#[test]
fn a_controller_becomes_a_voter_and_is_one_after_a_power_loss() {
    for seed in 0..20 {
        let (mut world, leader) = upgraded(seed, 3, 1);
        world.add_voter(leader, 51);
        changed(&mut world, "51 votes", &[1, 2, 3, 51]);
        for id in world.ids() {
            world.power_loss(id);
        }
        for id in world.ids() {
            world.start(id);
        }
        // Three of four are needed, and the new one makes the third.
        world.kill(2);
        world.settle_down(2 * SECOND);
        assert_eq!(world.voter_ids(), [1, 2, 3, 51]);
    }
}

#[test]
fn one_grows_to_five_and_shrinks_to_one_that_was_not_there() {
    let (mut world, leader) = upgraded(5, 1, 4);
    for id in [51, 52, 53, 54] {
        world.add_voter(leader, id);
        let voters: Vec<NodeId> = [1].into_iter().chain(51..=id).collect();
        changed(&mut world, "one more votes", &voters);
    }
    for (gone, left) in [(1, &[51, 52, 53, 54][..]), (51, &[52, 53, 54]), (54, &[52, 53]), (52, &[53])] {
        let leader = world.settle_down(2 * SECOND);
        world.append(leader).expect("it leads");
        world.remove_voter(leader, gone);
        changed(&mut world, "one less votes", left);
    }
    for id in world.ids().into_iter().filter(|id| *id != 53) {
        world.kill(id);
    }
    world.append(53).expect("it leads alone");
    world.run_until("it commits alone", SECOND, |world| {
        world.quorum(53).high_watermark() == world.quorum(53).log_end_offset()
    });
}

#[test]
fn a_leader_that_removes_itself_leads_until_that_is_committed_and_hands_over() {
    for seed in 0..20 {
        let (mut world, leader) = upgraded(seed, 3, 0);
        let others: Vec<NodeId> = [1, 2, 3].into_iter().filter(|id| *id != leader).collect();
        world.isolate(leader);
        world.remove_voter(leader, leader);
        world.run_for(Duration::from_millis(5));
        assert_eq!(world.quorum(leader).role(), Role::Leader, "nobody else has it");
        world.heal();
        world.run_until("another leads", SECOND, |world| world.leader().is_some_and(|now| now != leader));
        changed(&mut world, "it is gone", &others);
        assert_eq!(world.quorum(leader).role(), Role::Follower, "it follows as an observer");
        assert!(world.checker.tally.voter_changes >= 1, "and it was told so");
    }
}

/// It is the only one who has the record, and without its vote there is no majority: it has to stand once more.
#[test]
fn a_leader_that_removed_itself_and_fell_before_anybody_heard_stands_again() {
    for seed in 0..20 {
        let (mut world, leader) = upgraded(seed, 2, 0);
        let other = 3 - leader;
        world.cut(leader, other);
        world.remove_voter(leader, leader);
        world.run_until("it is on its disk", SECOND, |world| {
            world.nodes[&leader].log.synced_offset() == world.nodes[&leader].log.end_offset()
        });
        world.power_loss(leader);
        world.heal();
        world.start(leader);
        changed(&mut world, "the other is alone", &[other]);
    }
}

#[test]
fn a_change_that_was_not_committed_is_taken_back() {
    let (mut world, old) = upgraded(9, 3, 1);
    let epoch = world.quorum(old).epoch();
    world.isolate(old);
    let key = key(&world, 51);
    let now = Now { mono: world.time, wall_ms: 0 };
    world.add_voter(old, 51);
    // Whoever is cut off cannot even ask the new voter; so it is the removal of another that is to be undone.
    let quorum = world.nodes.get_mut(&old).and_then(|node| node.quorum.as_mut()).expect("it is up");
    quorum.on_peer_down(now, key.id);
    let gone = [1, 2, 3].into_iter().find(|id| *id != old).expect("another");
    world.remove_voter(old, gone);
    assert_eq!(world.quorum(old).voters().len(), 2);
    world.run_until("another leads", 3 * SECOND, |world| {
        world.leader().is_some_and(|leader| leader != old && world.quorum(leader).epoch() > epoch)
    });
    world.heal();
    changed(&mut world, "all three vote", &[1, 2, 3]);
    assert!(world.checker.tally.truncations >= 1);
}

#[test]
fn a_voter_with_a_new_disk_is_another_replica_and_joins_by_itself() {
    for seed in 0..10 {
        let (mut world, leader) = upgraded(seed, 3, 0);
        let lost = [1, 2, 3].into_iter().find(|id| *id != leader).expect("another");
        let before = key(&world, lost);
        world.replace_disk(lost);
        world.nodes.get_mut(&lost).expect("a node").config.auto_join = true;
        world.start(lost);
        let joined = |world: &World| {
            let key = key(world, lost);
            world.leader().is_some_and(|leader| world.quorum(leader).voters().keys().any(|known| known == key))
        };
        world.run_until("the new disk votes", 5 * SECOND, joined);
        world.settle_down(SECOND);
        assert_ne!(key(&world, lost), before);
        assert_eq!(world.voter_ids(), [1, 2, 3]);
    }
}

#[test]
fn what_is_refused_is_refused_in_kafkas_words() {
    let mut world = World::with_spares(2, 3, 2, |_| {});
    let leader = world.settle_down(SECOND);
    let (other, spare) = (key(&world, if leader == 1 { 2 } else { 1 }), key(&world, 51));
    let add = |voter| move |quorum: &mut super::Quorum, now| quorum.add_voter(now, Some(7), voter, Vec::new(), true);
    let remove = |voter| move |quorum: &mut super::Quorum, now| quorum.remove_voter(now, Some(7), voter);
    let text = |error: Option<VoterChangeError>| error.expect("refused").to_string();
    let unsupported = "Cluster doesn't support adding voter because the kraft.version feature is 0";
    assert_eq!(text(refusal(&mut world, leader, add(spare))), unsupported);
    assert_eq!(refusal(&mut world, other.id, add(spare)), Some(VoterChangeError::NotLeader));
    world.run_until("described", SECOND, |world| world.quorum(leader).described_voters().supports(1));
    world.upgrade(leader);
    assert!(
        text(refusal(&mut world, leader, remove(other)))
            .starts_with("Request timed out waiting for voters to commit the latest voter change at Optional[")
    );
    world.settle_down(SECOND);
    let stranger = ReplicaKey { directory_id: Id([99; 16]), ..other };
    assert!(text(refusal(&mut world, leader, add(stranger))).ends_with(&format!(
        "is already part of the set of voters [{}, {}, {}].",
        key(&world, 1),
        key(&world, 2),
        key(&world, 3)
    )));
    let not_found = format!("Cannot remove voter {stranger} from the set of voters [");
    assert!(text(refusal(&mut world, leader, remove(stranger))).starts_with(&not_found));
    // An observer that is no controller, one that never fetched, and one that is down.
    world.checker.tally.voter_changes_refused = 0;
    world.add_voter(leader, 101);
    world.run_for(Duration::from_millis(100));
    assert_eq!((world.checker.tally.voter_changes_refused, world.voter_ids().len()), (1, 3));
    world.kill(52);
    world.add_voter(leader, 52);
    assert_eq!(refusal(&mut world, leader, add(spare)), Some(VoterChangeError::OperationPending));
    world.run_for(3 * SECOND);
    assert_eq!((world.checker.tally.voter_changes_refused, world.voter_ids().len()), (2, 3));
}

#[test]
fn who_waits_for_a_change_that_took_too_long_is_told_before_the_next_begins() {
    let (mut world, leader) = upgraded(8, 3, 2);
    let [first, second] = [51, 52].map(|id| key(&world, id));
    let now = Now { mono: world.time, wall_ms: 0 };
    let quorum = world.nodes.get_mut(&leader).and_then(|node| node.quorum.as_mut()).expect("it is up");
    quorum.add_voter(now, Some(1), first, Vec::new(), true);
    let late = Now { mono: now.mono + 60 * SECOND, ..now };
    quorum.add_voter(late, Some(2), second, Vec::new(), true);
    let told = |output| match output {
        Output::VoterChange { token, outcome } => Some((token, outcome)),
        _ => None,
    };
    let told: Vec<_> = quorum.take_outputs().into_iter().filter_map(told).collect();
    assert_eq!(told, [(1, Err(VoterChangeError::TimedOut))], "and the other one waits");
}

#[test]
fn a_replica_that_lags_behind_is_not_made_a_voter() {
    let (mut world, leader) = upgraded(4, 3, 1);
    world.kill(51);
    world.run_for(SECOND);
    // A leader that never saw it: it does not know how far it is.
    world.resign(leader);
    let leader = world.settle_down(2 * SECOND);
    for _ in 0..50 {
        world.append(leader).expect("it leads");
    }
    world.start(51);
    world.cut(51, leader);
    world.add_voter(leader, 51);
    world.run_for(Duration::from_millis(50));
    world.cuts.clear();
    world.settle_down(SECOND);
    assert_eq!(world.voter_ids(), [1, 2, 3]);
    world.run_for(3 * SECOND);
    world.add_voter(leader, 51);
    changed(&mut world, "now it has caught up", &[1, 2, 3, 51]);
}

#[test]
fn a_voter_that_listens_elsewhere_says_so() {
    let (mut world, leader) = upgraded(6, 3, 0);
    let endpoint = VoterEndpoint { name: "CONTROLLER".to_owned(), host: "elsewhere".to_owned(), port: 9 };
    for id in [1, 2, 3] {
        world.kill(id);
        world.nodes.get_mut(&id).expect("a node").config.endpoints = vec![endpoint.clone()];
        world.start(id);
        world.run_until("it is known", 3 * SECOND, |world| {
            let Some(leader) = world.leader() else { return false };
            let voter = world.quorum(leader).voters().get(id);
            voter.is_some_and(|voter| voter.endpoints == [endpoint.clone()]) && world.is_settled()
        });
    }
    assert!(world.quorum(leader).voters().supports(1));
}

/// The bug that Raft's dissertation had: two leaders, each before it committed anything, change the same voters, and their majorities do not
/// meet. With the rule the second leader's epoch must reach a majority of the old voters first, and then the first leader cannot come back.
fn two_leaders_change_the_same_voters(planted: Option<VoterBug>) {
    let mut world = World::with_spares(1, 4, 1, |config| config.planted = planted);
    let first = world.settle_down(SECOND);
    world.run_until("described", SECOND, |world| world.quorum(first).described_voters().supports(1));
    world.upgrade(first);
    world.settle_down(SECOND);
    let rest: Vec<NodeId> = (1..=4).filter(|id| *id != first).collect();
    let (second, third, fourth) = (rest[0], rest[1], rest[2]);
    let epoch = world.quorum(first).epoch();
    // The first leader adds 51: only those two have it.
    world.only(&[first, 51]);
    world.add_voter(first, 51);
    world.run_until("51 has it", SECOND, |world| {
        world.nodes[&51].log.end_offset() > world.quorum(second).log_end_offset()
    });
    world.kill(first);
    world.kill(51);
    // The second is elected by three of four, and removes the first before the fourth hears of its epoch.
    world.only(&[second, third, fourth]);
    world.run_until("another leads", 5 * SECOND, |world| {
        world.leader().is_some_and(|leader| world.quorum(leader).epoch() > epoch)
    });
    let leader = world.leader().expect("a leader");
    let behind = rest.iter().copied().filter(|id| *id != leader).max().expect("another");
    world.only(&rest.iter().copied().filter(|id| *id != behind).collect::<Vec<_>>());
    world.remove_voter(leader, first);
    world.run_for(Duration::from_millis(100));
    let removed = world.quorum(leader).voters().len() == 3;
    assert_eq!(removed, planted.is_some(), "without a commit of its own epoch it may not");
    // The first comes back with 51 and the one that heard nothing.
    for id in rest.iter().copied().filter(|id| *id != behind) {
        world.kill(id);
    }
    world.start(first);
    world.start(51);
    world.only(&[first, 51, behind]);
    world.run_for(3 * SECOND);
    world.heal();
    for id in world.ids() {
        world.start(id);
    }
    world.settle_down(5 * SECOND);
    world.checker.check_all_have_all(&world.nodes);
}

#[test]
fn a_leader_changes_voters_only_after_a_commit_of_its_own() {
    two_leaders_change_the_same_voters(None);
    let bug = Some(VoterBug::ChangeBeforeOwnEpoch);
    assert!(std::panic::catch_unwind(|| two_leaders_change_the_same_voters(bug)).is_err(), "it is not caught");
}
