//! Controllers that come and go, asked for as Kafka's tools ask.

use super::controller_tests::{Cluster, VOTERS, text};
use crate::protocol::ErrorCode;
use crate::protocol::messages::add_raft_voter_request::Listener;
use crate::protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use crate::protocol::messages::update_features_request::FeatureUpdateKey;
use crate::protocol::messages::*;
use crate::server::peer::{PeerRequest, PeerResponse};
use crate::types::{Id, NodeId};

fn directory(id: NodeId) -> Id {
    Id([id as u8; 16])
}

fn update_kraft(cluster: &mut Cluster, level: i16, validate_only: bool) -> (ErrorCode, String) {
    let update = FeatureUpdateKey {
        feature: text("kraft.version"),
        max_version_level: level,
        upgrade_type: 1,
        ..Default::default()
    };
    let request = UpdateFeaturesRequestData { feature_updates: vec![update], validate_only, ..Default::default() };
    let active = cluster.active();
    let PeerResponse::UpdateFeatures(answer) = cluster.ask(active, PeerRequest::UpdateFeatures(Box::new(request)))
    else {
        panic!()
    };
    let message = answer.error_message.map(|text| text.as_str().to_owned()).unwrap_or_default();
    (ErrorCode::from(answer.error_code), message)
}

fn add(cluster: &mut Cluster, id: NodeId) -> (ErrorCode, String) {
    let listener = Listener { name: text("CONTROLLER"), host: text("elsewhere"), port: 1, ..Default::default() };
    let request = AddRaftVoterRequestData {
        voter_id: id,
        voter_directory_id: directory(id).into(),
        listeners: vec![listener],
        ..Default::default()
    };
    let active = cluster.active();
    let PeerResponse::AddRaftVoter(answer) = cluster.ask(active, PeerRequest::AddRaftVoter(Box::new(request))) else {
        panic!()
    };
    let message = answer.error_message.map(|text| text.as_str().to_owned()).unwrap_or_default();
    (ErrorCode::from(answer.error_code), message)
}

fn remove(cluster: &mut Cluster, id: NodeId) -> ErrorCode {
    let voter_directory_id = directory(id).into();
    let request = RemoveRaftVoterRequestData { voter_id: id, voter_directory_id, ..Default::default() };
    let active = cluster.active();
    match cluster.ask(active, PeerRequest::RemoveRaftVoter(Box::new(request))) {
        PeerResponse::RemoveRaftVoter(answer) => ErrorCode::from(answer.error_code),
        other => panic!("{other:?}"),
    }
}

/// Voters with their directories, their hosts, and observers.
fn describe(cluster: &mut Cluster) -> (Vec<(NodeId, Id)>, Vec<String>, Vec<NodeId>) {
    let topic = TopicData {
        topic_name: text("__cluster_metadata"),
        partitions: vec![PartitionData::default()],
        ..Default::default()
    };
    let request = DescribeQuorumRequestData { topics: vec![topic], ..Default::default() };
    let active = cluster.active();
    let PeerResponse::DescribeQuorum(answer) = cluster.ask(active, PeerRequest::DescribeQuorum(Box::new(request)))
    else {
        panic!()
    };
    let partition = &answer.topics[0].partitions[0];
    let voters =
        partition.current_voters.iter().map(|voter| (voter.replica_id, Id::from(voter.replica_directory_id))).collect();
    let hosts = answer.nodes.iter().flat_map(|node| &node.listeners).map(|l| l.host.as_str().to_owned()).collect();
    (voters, hosts, partition.observers.iter().map(|observer| observer.replica_id).collect())
}

#[test]
fn a_controller_joins_and_another_leaves() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    cluster.start(3003);
    cluster.run(500);
    let (code, message) = add(&mut cluster, 3003);
    assert_eq!(code, ErrorCode::UnsupportedVersion, "{message}");
    assert_eq!(describe(&mut cluster).2, [3003]);

    assert_eq!(update_kraft(&mut cluster, 1, true).0, ErrorCode::None);
    let active = cluster.active();
    assert_eq!(cluster.nodes[&active].quorum().kraft_version(), 0, "it was only asked whether it could");
    assert_eq!(update_kraft(&mut cluster, 1, false).0, ErrorCode::None);
    let (code, message) = update_kraft(&mut cluster, 0, false);
    assert_eq!(code, ErrorCode::InvalidUpdateVersion);
    assert!(message.contains("Can't downgrade the version of this feature"), "{message}");
    assert!(cluster.nodes.values().all(|node| node.quorum().kraft_version() == 1));

    assert_eq!(add(&mut cluster, 3003).0, ErrorCode::None);
    assert_eq!(add(&mut cluster, 3003).0, ErrorCode::DuplicateVoter);
    cluster.run(500);
    let (voters, hosts, observers) = describe(&mut cluster);
    assert_eq!(voters, [3000, 3001, 3002, 3003].map(|id| (id, directory(id))));
    // What a tool said of it gives way to what it says itself.
    assert_eq!(hosts, [3000, 3001, 3002, 3003].map(|id| format!("controller-{id}")));
    assert!(observers.is_empty());

    // The leader itself goes: it answers, hands over, and follows from then on.
    let old = cluster.active();
    assert_eq!(remove(&mut cluster, old), ErrorCode::None);
    cluster.run(500);
    let new = cluster.active();
    assert_ne!(new, old);
    assert_eq!(remove(&mut cluster, old), ErrorCode::VoterNotFound);
    let (voters, _, observers) = describe(&mut cluster);
    assert_eq!(voters.len(), 3);
    assert!(observers.contains(&old) && !voters.iter().any(|(id, _)| *id == old));
    assert_eq!(cluster.nodes[&old].quorum().leader(), Some(new));
    cluster.assert_agreement();
    let told: Vec<String> = cluster.lines.try_iter().map(|line| line.message.into_string()).collect();
    for fact in [
        "Is asked to add voter",
        "Voters were not changed: Unsupported",
        "Voters were not changed: Duplicate",
        "The change of voters is done",
        "The latest voters are [",
        "it was removed from the voters",
    ] {
        assert!(told.iter().any(|line| line.contains(fact)), "{fact}: {told:#?}");
    }
}

#[test]
fn the_first_controllers_can_all_be_replaced() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    assert_eq!(update_kraft(&mut cluster, 1, false).0, ErrorCode::None);
    for id in [3003, 3004] {
        cluster.start(id);
        cluster.run(500);
        assert_eq!(add(&mut cluster, id), (ErrorCode::None, String::new()));
    }
    for id in VOTERS {
        assert_eq!(remove(&mut cluster, id), ErrorCode::None);
        cluster.run(500);
        cluster.nodes.remove(&id);
        cluster.run(500);
    }
    assert_eq!(describe(&mut cluster).0, [3003, 3004].map(|id| (id, directory(id))));
    // Both start again, and know from their logs who votes.
    for id in [3003, 3004] {
        cluster.nodes.remove(&id);
    }
    for id in [3003, 3004] {
        cluster.start(id);
    }
    cluster.run(1_000);
    assert_eq!(describe(&mut cluster).0, [3003, 3004].map(|id| (id, directory(id))));
    assert_eq!(remove(&mut cluster, 3004), ErrorCode::None);
    cluster.run(500);
    assert_eq!((cluster.active(), remove(&mut cluster, 3003)), (3003, ErrorCode::VoterNotFound), "the last one stays");
}
