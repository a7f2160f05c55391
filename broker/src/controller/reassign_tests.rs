//! Replicas that move, decision by decision.

use super::Rebalance;
use super::testing::{Harness, id};
use crate::metadata::record::MetadataRecord;
use crate::metadata::report::{Event, FenceReason};
use crate::protocol::ErrorCode;
use crate::protocol::messages::ListPartitionReassignmentsRequestData;
use crate::protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use crate::protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use crate::protocol::messages::{AlterPartitionReassignmentsRequestData, AlterPartitionReassignmentsResponseData};
use crate::types::NodeId;

const OK: (ErrorCode, Option<String>) = (ErrorCode::None, None);

/// (replicas, adding, removing, ISR, leader, leader epoch).
type Shape = (Vec<NodeId>, Vec<NodeId>, Vec<NodeId>, Vec<NodeId>, NodeId, i32);

fn shape(harness: &Harness) -> Shape {
    let p = harness.partition("t");
    (p.replicas.clone(), p.adding.clone(), p.removing.clone(), p.isr.clone(), p.leader, p.leader_epoch)
}

fn five_brokers() -> Harness {
    let mut harness = Harness::with_brokers(&[("min.insync.replicas", "2")], 5);
    harness.create_at("t", &[1, 2, 3], &[]);
    harness.events.clear();
    harness
}

fn list(harness: &Harness, topics: Option<Vec<(&str, Vec<i32>)>>) -> Vec<(String, i32, Vec<NodeId>)> {
    let topic = |(name, partition_indexes): (&str, Vec<i32>)| ListPartitionReassignmentsTopics {
        name: super::testing::text(name),
        partition_indexes,
        ..Default::default()
    };
    let request = ListPartitionReassignmentsRequestData {
        topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
        ..Default::default()
    };
    let response = harness.state.list_partition_reassignments(&request).response;
    let mut listed = Vec::new();
    for topic in response.topics {
        for p in topic.partitions {
            listed.push((topic.name.as_str().to_owned(), p.partition_index, p.replicas));
        }
    }
    listed
}

#[test]
fn replicas_stay_until_the_new_ones_are_in_sync() {
    let mut harness = five_brokers();
    assert_eq!(harness.reassign("t", Some(&[4, 5, 3])), OK);
    assert_eq!(shape(&harness), (vec![4, 5, 3, 1, 2], vec![4, 5], vec![1, 2], vec![1, 2, 3], 1, 0));
    let directories = &harness.partition("t").directories;
    assert_eq!(*directories, [id(504), id(505), id(503), id(501), id(502)]);
    assert_eq!(list(&harness, None), [("t".to_owned(), 0, vec![4, 5, 3, 1, 2])]);
    assert_eq!(harness.propose("t", &[1, 2, 3, 4]), ErrorCode::None);
    assert_eq!(shape(&harness).0, [4, 5, 3, 1, 2], "5 is missing");
    // The last one joins: the leader itself is on its way out, so another one takes over.
    assert_eq!(harness.propose("t", &[1, 2, 3, 4, 5]), ErrorCode::NewLeaderElected);
    assert_eq!(shape(&harness), (vec![4, 5, 3], vec![], vec![], vec![3, 4, 5], 4, 1));
    assert!(list(&harness, None).is_empty());
    let told = harness.events.iter().filter(|event| matches!(event, Event::ReplicasChanged { .. })).count();
    assert_eq!(told, 2, "begun and done");
}

#[test]
fn a_leader_that_stays_begins_an_epoch_when_others_leave() {
    let mut harness = five_brokers();
    harness.reassign("t", Some(&[1, 2, 4]));
    assert_eq!(shape(&harness).5, 0);
    assert_eq!(harness.propose("t", &[1, 2, 3, 4]), ErrorCode::None);
    assert_eq!(shape(&harness), (vec![1, 2, 4], vec![], vec![], vec![1, 2, 4], 1, 1));
}

#[test]
fn what_needs_no_copy_is_done_at_once() {
    let mut harness = five_brokers();
    harness.reassign("t", Some(&[3, 2, 1]));
    assert_eq!(shape(&harness), (vec![3, 2, 1], vec![], vec![], vec![1, 2, 3], 1, 0), "another order");
    harness.reassign("t", Some(&[3, 2]));
    assert_eq!(shape(&harness), (vec![3, 2], vec![], vec![], vec![2, 3], 3, 1), "one fewer, and it led");
    let written = harness.log.len();
    assert_eq!(harness.reassign("t", Some(&[3, 2])), OK);
    assert_eq!(harness.log.len(), written, "nothing to do");
}

#[test]
fn a_cancelled_reassignment_leaves_nothing_behind() {
    let mut harness = five_brokers();
    let none = (ErrorCode::NoReassignmentInProgress, None);
    assert_eq!(harness.reassign("t", None), none);
    harness.reassign("t", Some(&[4, 5, 3]));
    harness.propose("t", &[1, 2, 3, 4]);
    assert_eq!(harness.reassign("t", None), OK);
    assert_eq!(shape(&harness), (vec![3, 1, 2], vec![], vec![], vec![1, 2, 3], 1, 1));
    assert_eq!(harness.reassign("t", None), none);
}

#[test]
fn a_cancellation_that_would_lose_records_needs_leave_to() {
    for (unclean, expected) in [("false", ErrorCode::InvalidReplicaAssignment), ("true", ErrorCode::None)] {
        let mut harness = Harness::with_brokers(&[], 4);
        harness.create_at("t", &[1, 2], &[("unclean.leader.election.enable", unclean)]);
        harness.reassign("t", Some(&[3, 4]));
        harness.propose("t", &[1, 2, 3]);
        harness.propose("t", &[1, 3]);
        harness.kill(1);
        assert_eq!(shape(&harness).3, [3]);
        assert_eq!(harness.reassign("t", None).0, expected);
        let after = harness.partition("t");
        assert_eq!((after.recovering, after.leader), if unclean == "true" { (true, 2) } else { (false, 3) });
    }
}

#[test]
fn one_reassignment_replaces_another() {
    let mut harness = five_brokers();
    harness.reassign("t", Some(&[1, 2, 4]));
    harness.reassign("t", Some(&[1, 2, 5]));
    assert_eq!(shape(&harness), (vec![1, 2, 5, 3, 4], vec![5], vec![3, 4], vec![1, 2, 3], 1, 0));
    // Back to what it was: nobody leaves who was asked for.
    harness.reassign("t", Some(&[1, 2, 3]));
    assert_eq!(shape(&harness), (vec![1, 2, 3], vec![], vec![], vec![1, 2, 3], 1, 1));
}

#[test]
fn a_replica_that_was_on_its_way_in_still_is() {
    let mut harness = five_brokers();
    harness.reassign("t", Some(&[1, 2, 3, 4]));
    harness.reassign("t", Some(&[4, 1, 2, 3, 5]));
    assert_eq!(shape(&harness), (vec![4, 1, 2, 3, 5], vec![4, 5], vec![], vec![1, 2, 3], 1, 0));
    harness.reassign("t", None);
    assert_eq!(shape(&harness).0, [1, 2, 3]);
}

#[test]
fn what_cannot_be_is_refused_in_kafkas_words() {
    let mut harness = five_brokers();
    let mut cases = Vec::new();
    let mut case = |topic: &str, index, replicas: Option<&[NodeId]>, may, code, message: &str| {
        cases.push((harness.reassign_as(topic, index, replicas, may), (code, Some(message.to_owned()))));
    };
    let unknown = ErrorCode::UnknownTopicOrPartition;
    case("x", 0, Some(&[1]), true, unknown, "Unable to find a topic named x.");
    case("t", 1, None, true, unknown, "Unable to find partition t:1.");
    let invalid = ErrorCode::InvalidReplicaAssignment;
    case("t", 0, Some(&[]), true, invalid, "The manual partition assignment includes an empty replica list.");
    case(
        "t",
        0,
        Some(&[1, 9]),
        true,
        invalid,
        "The manual partition assignment includes broker 9, but no such broker is registered.",
    );
    case("t", 0, Some(&[1, 1]), true, invalid, "The manual partition assignment includes the broker 1 more than once.");
    case(
        "t",
        0,
        Some(&[1, 2]),
        false,
        ErrorCode::InvalidReplicationFactor,
        "The replication factor is changed from 3 to 2",
    );
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    harness.reassign("t", Some(&[1, 2]));
    assert_eq!(harness.reassign_as("t", 0, Some(&[4, 5]), false), OK, "two are its factor now");
}

#[test]
fn each_partition_gets_its_own_answer() {
    let mut harness = five_brokers();
    let partition = |index: i32| ReassignablePartition {
        partition_index: index,
        replicas: Some(vec![4, 5, 1]),
        ..Default::default()
    };
    let topic = ReassignableTopic {
        name: super::testing::text("t"),
        partitions: vec![partition(0), partition(7), partition(0)],
        ..Default::default()
    };
    let request = AlterPartitionReassignmentsRequestData { topics: vec![topic], ..Default::default() };
    let decision = harness.state.alter_partition_reassignments(&request);
    assert_eq!(decision.records.len(), 1);
    let response: AlterPartitionReassignmentsResponseData = harness.commit(decision);
    assert_eq!(response.error_code, 0);
    let codes: Vec<ErrorCode> =
        response.responses[0].partitions.iter().map(|partition| ErrorCode::from(partition.error_code)).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidRequest]);
    assert_eq!(list(&harness, Some(vec![("t", vec![0, 1]), ("x", vec![0])])).len(), 1);
    assert!(list(&harness, Some(vec![("t", vec![1])])).is_empty());
}

#[test]
fn an_unregistered_broker_is_gone_from_every_isr() {
    let mut harness = five_brokers();
    assert_eq!(harness.unregister(9), ErrorCode::BrokerIdNotRegistered);
    assert_eq!(harness.unregister(1), ErrorCode::None);
    assert_eq!(harness.seats("t"), (2, vec![2, 3], vec![]));
    assert!(!harness.state.image().brokers.contains_key(&1));
    assert!(matches!(harness.log.last(), Some(MetadataRecord::UnregisterBroker(_))));
    let fenced = &harness.events[0];
    assert!(matches!(fenced, Event::BrokerFenced { broker_id: 1, reason: FenceReason::Unregistered, .. }));
    assert_eq!(harness.unregister(1), ErrorCode::BrokerIdNotRegistered);
    // It may come back as a new one.
    harness.start(1, 77);
    assert_eq!(harness.propose("t", &[2, 3, 1]), ErrorCode::None);
}

#[test]
fn a_broker_is_emptied_and_others_take_over() {
    let mut harness = Harness::with_brokers(&[], 4);
    for topic in ["t", "u"] {
        harness.create_at(topic, &[1, 2, 3], &[]);
    }
    let wish = Rebalance::Evacuate(2);
    let decision = harness.state.rebalance(&wish);
    let progress = harness.commit(decision);
    assert_eq!((progress.begun, progress.ongoing, progress.left, progress.refused), (2, 2, 2, None));
    assert_eq!(harness.partition("t").target_replicas(), [1, 4, 3]);
    let decision = harness.state.rebalance(&wish);
    assert_eq!(harness.commit(decision).begun, 0, "it is under way");
    for topic in ["t", "u"] {
        harness.propose(topic, &[1, 2, 3, 4]);
    }
    let decision = harness.state.rebalance(&wish);
    assert_eq!((decision.response.ongoing, decision.response.left), (0, 0));
    harness.create_at("v", &[1, 2, 3, 4], &[]);
    let refused = harness.state.rebalance(&wish).response.refused;
    assert_eq!(
        refused.as_deref(),
        Some("broker 2 cannot leave: v-0 has 4 replicas, and only 3 other broker(s) are running")
    );
}

#[test]
fn a_broker_is_dismissed_only_when_it_is_empty() {
    let mut harness = five_brokers();
    let wish = Rebalance::Evacuate(1);
    let decision = harness.state.rebalance(&wish);
    harness.commit(decision);
    let decision = harness.state.rebalance(&Rebalance::Dismiss(1));
    assert_eq!((decision.records.len(), decision.response.left), (0, 1));
    harness.propose("t", &[1, 2, 3, 4]);
    let decision = harness.state.rebalance(&Rebalance::Dismiss(1));
    assert_eq!(harness.commit(decision).left, 0);
    assert!(!harness.state.image().brokers.contains_key(&1));
    // Asked again, as after an answer that was lost.
    let decision = harness.state.rebalance(&Rebalance::Dismiss(1));
    assert_eq!((decision.records.len(), decision.response.left), (0, 0));
}

#[test]
fn a_broker_that_stays_after_all_keeps_what_it_has() {
    let mut harness = five_brokers();
    let decision = harness.state.rebalance(&Rebalance::Evacuate(1));
    harness.commit(decision);
    assert!(harness.partition("t").is_reassigning());
    let decision = harness.state.rebalance(&Rebalance::Keep(1));
    assert_eq!(harness.commit(decision).left, 1);
    // Broker 4 goes, and as in Kafka the leader epoch rises whenever a replica does.
    assert_eq!(shape(&harness), (vec![2, 3, 1], vec![], vec![], vec![1, 2, 3], 1, 1));
}

#[test]
fn a_broker_that_stays_leaves_no_replica_too_many() {
    let mut harness = five_brokers();
    for target in [[1, 2, 4], [1, 2, 5]] {
        assert_eq!(harness.reassign("t", Some(&target)).0, ErrorCode::None);
    }
    assert_eq!(harness.partition("t").removing, [3, 4], "the first move was replaced by the second");
    let decision = harness.state.rebalance(&Rebalance::Keep(4));
    harness.commit(decision);
    let partition = harness.partition("t");
    assert_eq!((partition.target_replicas(), partition.is_reassigning()), (vec![1, 2, 3], false));
}

#[test]
fn spreading_ends_with_preferred_leaders() {
    let mut harness = Harness::with_brokers(&[], 2);
    for topic in ["t", "u"] {
        harness.create_at(topic, &[1], &[]);
    }
    let decision = harness.state.rebalance(&Rebalance::Spread);
    assert_eq!(harness.commit(decision).begun, 1);
    let moved = ["t", "u"].into_iter().find(|topic| harness.partition(topic).is_reassigning()).unwrap();
    harness.propose(moved, &[1, 2]);
    assert_eq!(harness.seats(moved), (2, vec![2], vec![]));
    let decision = harness.state.rebalance(&Rebalance::Spread);
    assert_eq!((decision.records.len(), decision.response.ongoing), (0, 0));
}
