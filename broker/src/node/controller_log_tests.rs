//! What controllers and their quorum write to their logs.

use std::collections::BTreeSet;

use super::controller_tests::{Cluster, VOTERS, text};
use crate::logging::{Level, LogLine, Logger};
use crate::protocol::messages::{DeleteTopicsRequestData, UpdateFeaturesRequestData};
use crate::server::peer::PeerRequest;
use crate::types::NodeId;

fn lines(cluster: &Cluster) -> Vec<LogLine> {
    cluster.lines.try_iter().collect()
}

/// Whether a node wrote a line with these facts.
fn wrote(lines: &[LogLine], node: NodeId, logger: Logger, level: Level, facts: &[&str]) -> bool {
    lines.iter().any(|line| {
        (line.node_id, line.logger, line.level) == (node, logger, level)
            && facts.iter().all(|fact| line.message.contains(fact))
    })
}

fn standbys(cluster: &Cluster) -> Vec<NodeId> {
    let active = cluster.active();
    VOTERS.into_iter().filter(|id| *id != active).collect()
}

#[test]
fn a_quorum_tells_of_its_election_and_then_nothing() {
    let mut cluster = Cluster::new();
    cluster.run(2_000);
    let active = cluster.active();
    let told = lines(&cluster);
    let (client, state, controller) = (Logger::RaftClient, Logger::QuorumState, Logger::QuorumController);
    for id in VOTERS {
        let prefix = format!("[RaftManager id={id}] ");
        assert!(
            wrote(&told, id, client, Level::Info, &[&prefix, "Starts with voters [3000, 3001, 3002]"]),
            "{told:#?}"
        );
    }
    let prefix = format!("[RaftManager id={active}] ");
    assert!(wrote(&told, active, state, Level::Info, &[&prefix, "Transition to Candidate(", " from Prospective"]));
    assert!(wrote(&told, active, state, Level::Info, &["Transition to Leader(epoch=", " from Candidate"]));
    assert!(wrote(&told, active, controller, Level::Info, &["Becomes the active controller in epoch "]));
    for id in standbys(&cluster) {
        let leader = format!("leaderId={active}, ");
        assert!(wrote(&told, id, state, Level::Info, &["Transition to Follower(epoch=", &leader]), "{told:#?}");
        assert!(wrote(&told, id, controller, Level::Info, &[&format!("the leader is {active}")]));
        // What the active controller decided, the others tell as well.
        assert!(wrote(&told, id, Logger::FeatureControl, Level::Info, &["metadata.version"]), "{told:#?}");
    }
    let granted = format!("Vote for {active} in epoch ");
    assert!(told.iter().any(|line| line.message.contains(&granted) && line.message.ends_with("is granted")));
    cluster.run(10_000);
    let idle = lines(&cluster);
    assert!(idle.is_empty(), "a healthy quorum has nothing to tell: {idle:#?}");
}

#[test]
fn a_leader_that_is_cut_off_tells_why_it_is_none_any_more() {
    let mut cluster = Cluster::new();
    cluster.run(2_000);
    let old = cluster.active();
    lines(&cluster);
    cluster.cut_off = BTreeSet::from([old]);
    cluster.run(3_000);
    let new = cluster.active();
    let told = lines(&cluster);
    assert!(wrote(&told, old, Logger::RaftClient, Level::Info, &["Resigns as leader", "no majority fetched in time"]));
    let resigned = ["Is no longer the active controller", "no majority fetched in time"];
    assert!(wrote(&told, old, Logger::QuorumController, Level::Warn, &resigned), "{told:#?}");
    let silent = format!("Leader {old} has not answered a fetch for too long");
    assert!(told.iter().any(|line| line.message.contains(&silent)), "{told:#?}");
    assert!(wrote(&told, new, Logger::QuorumController, Level::Info, &["Becomes the active controller"]));
}

#[test]
fn brokers_topics_and_refusals_are_told_by_all_controllers() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let (active, standbys) = (cluster.active(), standbys(&cluster));
    lines(&cluster);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    cluster.ask(active, Cluster::create("t"));
    cluster.ask(active, Cluster::create("t"));
    let request = DeleteTopicsRequestData { topic_names: vec![text("gone")], ..Default::default() };
    cluster.ask(active, PeerRequest::DeleteTopics(Box::new(request)));
    let epoch = format!("epoch {epoch}");
    let told = lines(&cluster);
    for id in standbys.into_iter().chain([active]) {
        let registered = ["Broker 1 registered for the first time", &epoch];
        assert!(wrote(&told, id, Logger::ClusterControl, Level::Info, &registered), "{id}: {told:#?}");
        let unfenced = ["Broker 1 (", &epoch, "is now unfenced"];
        assert!(wrote(&told, id, Logger::ClusterControl, Level::Info, &unfenced), "{id}: {told:#?}");
        let created = ["Partition t-0 was created", "isr [1], leader 1, leader epoch 0"];
        assert!(wrote(&told, id, Logger::ReplicationControl, Level::Info, &created), "{id}: {told:#?}");
    }
    assert!(wrote(&told, active, Logger::BrokerHeartbeats, Level::Info, &["Broker 1 may be unfenced"]));
    for answer in ["CreateTopics: t SUCCESS", "CreateTopics: t TopicAlreadyExists", "DeleteTopics: gone Unknown"] {
        assert!(wrote(&told, active, Logger::ReplicationControl, Level::Info, &[answer]), "{answer}: {told:#?}");
    }
    assert!(!told.iter().any(|line| line.level > Level::Info), "{told:#?}");
    // What is nobody's to ask of a controller.
    let request = PeerRequest::WriteTxnMarkers(Box::default());
    cluster.ask(active, request);
    let told = lines(&cluster);
    let failed = [&*format!("[ControllerApis nodeId={active}] "), "WriteTxnMarkers of node 1"];
    assert!(wrote(&told, active, Logger::ControllerApis, Level::Error, &failed), "{told:#?}");
    let update = crate::protocol::messages::update_features_request::FeatureUpdateKey {
        feature: text("no.such.feature"),
        max_version_level: 1,
        upgrade_type: 1,
        ..Default::default()
    };
    let request = UpdateFeaturesRequestData { feature_updates: vec![update], ..Default::default() };
    cluster.ask(active, PeerRequest::UpdateFeatures(Box::new(request)));
    let told = lines(&cluster);
    assert!(wrote(&told, active, Logger::FeatureControl, Level::Warn, &["no.such.feature"]), "{told:#?}");
}
