//! What controllers and their quorum write to their logs.

use std::collections::BTreeSet;

use super::controller_tests::{Cluster, SNAPSHOTS, VOTERS, text};
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

#[test]
fn a_snapshot_that_is_fetched_is_told_from_its_name_to_its_end() {
    let mut cluster = Cluster::with(&SNAPSHOTS);
    cluster.run(1_000);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    let away = standbys(&cluster)[0];
    cluster.nodes.remove(&away);
    for topic in 0..60 {
        let active = cluster.active();
        cluster.ask(active, Cluster::create(&format!("t{topic}")));
        cluster.heartbeat(epoch);
    }
    let active = cluster.active();
    let newest = cluster.nodes[&active].quorum().latest_snapshot().unwrap();
    let made = lines(&cluster);
    let file = format!("{:020}-{:010}.checkpoint", newest.end_offset, newest.epoch);
    let named = format!("New KRaft snapshot file {file}");
    assert!(wrote(&made, active, Logger::SnapshotGenerator, Level::Info, &[&named, "bytes were read"]), "{made:#?}");
    cluster.start(away);
    cluster.run(1_000);
    let told = lines(&cluster);
    let installed = cluster.nodes[&away].quorum().log_start_offset();
    assert!(installed > 0);
    let begins = format!("Fetches snapshot {file} from leader {active}");
    let ends = format!("The log was truncated to nothing: it goes on at offset {installed}, after snapshot {file}");
    for fact in [begins, ends] {
        assert!(wrote(&told, away, Logger::RaftClient, Level::Info, &[&fact]), "{fact}: {told:#?}");
    }
    let others = |line: &&LogLine| line.node_id != away && line.message.contains("Fetches snapshot");
    assert_eq!(told.iter().find(others), None, "nobody else had to");
}

#[test]
fn quotas_are_told_by_all_controllers_when_they_are_set_and_when_they_go() {
    use crate::protocol::messages::AlterClientQuotasRequestData;
    use crate::protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let active = cluster.active();
    lines(&cluster);
    for (value, remove, facts) in [(1_024.0, false, "1024"), (0.0, true, "removed")] {
        let op = OpData { key: text("producer_byte_rate"), value, remove, ..Default::default() };
        let entity =
            EntityData { entity_type: text("client-id"), entity_name: Some(text("loud")), ..Default::default() };
        let entry = EntryData { entity: vec![entity], ops: vec![op], ..Default::default() };
        let request = AlterClientQuotasRequestData { entries: vec![entry], ..Default::default() };
        cluster.ask(active, PeerRequest::AlterClientQuotas(Box::new(request)));
        cluster.run(1_000);
        let told = lines(&cluster);
        for id in VOTERS {
            let facts = ["client-id", "loud", "producer_byte_rate", facts];
            assert!(wrote(&told, id, Logger::QuotaControl, Level::Info, &facts), "{id}: {told:#?}");
        }
    }
}
