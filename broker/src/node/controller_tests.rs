//! Three controllers on logs in memory, joined by a network that delivers at once or cuts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::controller::{Controller, quorum_config};
use crate::controller::supported_features;
use crate::log::SimDisk;
use crate::logging::{LogLine, NodeLog};
use crate::metadata::config::{NodeConfig, profile_overrides};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::broker_registration_request::Feature;
use crate::protocol::messages::create_topics_request::CreatableTopic;
use crate::protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use crate::protocol::messages::*;
use crate::quorum::{MemoryElectionStore, MemoryMetadataLog, Message, Quorum};
use crate::server::peer::{PeerMessage, PeerRequest, PeerResponse};
use crate::types::{Id, NodeId, Now};

pub(super) const VOTERS: [NodeId; 3] = [3000, 3001, 3002];
const CLIENT: NodeId = 1;

pub(super) struct Cluster {
    pub(super) now: Now,
    pub(super) nodes: BTreeMap<NodeId, Controller>,
    disks: BTreeMap<NodeId, (MemoryMetadataLog, MemoryElectionStore)>,
    pub(super) wires: VecDeque<(NodeId, NodeId, PeerMessage)>,
    /// What each node sent to the quorum, and what came to it from there.
    pub(super) sent: BTreeMap<NodeId, Vec<Message>>,
    pub(super) heard: BTreeMap<NodeId, Vec<Message>>,
    pub(super) cut_off: BTreeSet<NodeId>,
    answers: BTreeMap<u64, PeerResponse>,
    pub(super) events: Vec<(NodeId, Event)>,
    /// What the nodes write to their logs.
    pub(super) lines: Receiver<LogLine>,
    writer: Sender<LogLine>,
    correlation: u64,
    overrides: BTreeMap<String, String>,
}

fn with_overrides(overrides: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all = profile_overrides("lab").unwrap();
    all.extend(overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    all
}

/// A snapshot every few records, and next to nothing of the log before it.
pub(super) const SNAPSHOTS: [(&str, &str); 3] = [
    ("metadata.log.max.record.bytes.between.snapshots", "1000"),
    ("metadata.max.retention.bytes", "0"),
    ("internal.metadata.log.segment.bytes", "2000"),
];

pub(super) fn text(text: &str) -> KafkaString {
    KafkaString::from(text.to_owned())
}

impl Cluster {
    pub(super) fn new() -> Cluster {
        Cluster::with(&[])
    }

    pub(super) fn with(overrides: &[(&str, &str)]) -> Cluster {
        let (writer, lines) = crossbeam_channel::bounded(100_000);
        let mut cluster = Cluster {
            lines,
            writer,
            now: Now { mono: Duration::from_secs(10), wall_ms: 1_700_000_000_000 },
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            wires: VecDeque::new(),
            sent: BTreeMap::new(),
            heard: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            answers: BTreeMap::new(),
            events: Vec::new(),
            correlation: 0,
            overrides: with_overrides(overrides),
        };
        for id in VOTERS {
            cluster.start(id);
        }
        cluster
    }

    pub(super) fn start(&mut self, id: NodeId) {
        let config = NodeConfig::new(id, "test-cluster", self.overrides.clone()).unwrap().with_voters(VOTERS.to_vec());
        let config = config.with_controllers((3000..=3004).collect());
        let config = config.with_log(NodeLog::new(id, self.writer.clone(), || 0));
        let (log, store) = self.disks.entry(id).or_default().clone();
        let quorum = Quorum::new(
            quorum_config(&config, Id([id as u8; 16])),
            Box::new(log),
            Box::new(store),
            id as u64,
            self.now,
        )
        .unwrap();
        self.nodes.insert(id, Controller::with_quorum(config, quorum, id as u64, self.now));
        self.collect(id);
    }

    pub(super) fn collect(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let outbox = node.take_outbox();
        for (_, message) in &outbox.peer {
            if let PeerMessage::Quorum(message) = message {
                self.sent.entry(id).or_default().push(message.clone());
            }
        }
        self.wires.extend(outbox.peer.into_iter().map(|(to, message)| (id, to, message)));
        self.events.extend(outbox.events.into_iter().map(|event| (id, event)));
        assert_eq!(node.failure(), None);
    }

    fn deliver(&mut self) {
        while let Some((from, to, message)) = self.wires.pop_front() {
            if self.cut_off.contains(&from) || self.cut_off.contains(&to) {
                continue;
            }
            if to == CLIENT {
                if let PeerMessage::Response { correlation, body } = message {
                    self.answers.insert(correlation, body);
                }
            } else if let Some(node) = self.nodes.get_mut(&to) {
                if let PeerMessage::Quorum(message) = &message {
                    self.heard.entry(to).or_default().push(message.clone());
                }
                node.on_peer_message(self.now, from, message);
                self.collect(to);
            }
        }
    }

    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now.mono + Duration::from_millis(ms);
        while self.now.mono < end {
            self.now = self.now.plus(Duration::from_millis(1));
            for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                let due = self.nodes.get(&id).and_then(Controller::next_deadline);
                if due.is_some_and(|due| due <= self.now.mono)
                    && let Some(node) = self.nodes.get_mut(&id)
                {
                    node.on_tick(self.now);
                    self.collect(id);
                }
                self.deliver();
            }
        }
    }

    pub(super) fn active(&self) -> NodeId {
        let active: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|(id, node)| node.is_active() && !self.cut_off.contains(id))
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(active.len(), 1, "{active:?}");
        active[0]
    }

    fn send(&mut self, to: NodeId, body: PeerRequest) -> u64 {
        self.correlation += 1;
        let correlation = self.correlation;
        self.wires.push_back((CLIENT, to, PeerMessage::Request { correlation, body }));
        self.deliver();
        correlation
    }

    pub(super) fn ask(&mut self, to: NodeId, body: PeerRequest) -> PeerResponse {
        let correlation = self.send(to, body);
        self.run(50);
        self.answers.remove(&correlation).unwrap()
    }

    pub(super) fn register(&mut self, incarnation: u128) -> i64 {
        let feature = |range: crate::metadata::record::FeatureRange| Feature {
            name: text(&range.name),
            min_supported_version: range.min_supported_version,
            max_supported_version: range.max_supported_version,
            ..Default::default()
        };
        let request = BrokerRegistrationRequestData {
            broker_id: CLIENT,
            cluster_id: text("test-cluster"),
            incarnation_id: Id(incarnation.to_be_bytes()).into(),
            features: supported_features().into_iter().map(feature).collect(),
            log_dirs: vec![Id(500u128.to_be_bytes()).into()],
            ..Default::default()
        };
        let active = self.active();
        match self.ask(active, PeerRequest::BrokerRegistration(Box::new(request))) {
            PeerResponse::BrokerRegistration(response) => {
                assert_eq!(response.error_code, 0);
                response.broker_epoch
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn heartbeat(&mut self, broker_epoch: i64) -> BrokerHeartbeatResponseData {
        let request = BrokerHeartbeatRequestData {
            broker_id: CLIENT,
            broker_epoch,
            current_metadata_offset: broker_epoch,
            ..Default::default()
        };
        let active = self.active();
        match self.ask(active, PeerRequest::BrokerHeartbeat(Box::new(request))) {
            PeerResponse::BrokerHeartbeat(response) => *response,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn create(name: &str) -> PeerRequest {
        let topic = CreatableTopic { name: text(name), num_partitions: 1, replication_factor: 1, ..Default::default() };
        PeerRequest::CreateTopics(Box::new(CreateTopicsRequestData { topics: vec![topic], ..Default::default() }))
    }

    pub(super) fn assert_agreement(&self) {
        let mut images = self.nodes.values().map(Controller::image);
        let first = images.next().unwrap();
        for image in images {
            assert_eq!(first, image);
        }
    }
}

#[test]
fn a_cluster_comes_up_and_knows_its_controllers() {
    let mut cluster = Cluster::new();
    cluster.run(2_000);
    let active = cluster.active();
    let image = cluster.nodes[&active].image();
    assert_eq!(image.features["metadata.version"], 30);
    assert_eq!(image.controllers.keys().copied().collect::<Vec<_>>(), VOTERS);
    cluster.assert_agreement();
    let elected: Vec<_> =
        cluster.events.iter().filter(|(_, event)| matches!(event, Event::ControllerElected { .. })).collect();
    assert_eq!(elected.len(), 1);
    let reports: Vec<_> =
        VOTERS.iter().map(|id| cluster.nodes.get_mut(id).unwrap().report(cluster.now).unwrap()).collect();
    assert!(reports.iter().all(|report| report.leader_id == active && report.image.is_some()));
    let leader = reports.iter().find(|report| report.role == "leader").unwrap();
    assert_eq!(leader.voters.len(), 3);
    let now = cluster.now;
    assert!(VOTERS.iter().all(|id| cluster.nodes.get_mut(id).unwrap().report(now).is_none()), "nothing new");
}

#[test]
fn a_broker_lives_through_a_failover_of_its_controller() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let epoch = cluster.register(1);
    assert!(!cluster.heartbeat(epoch).is_fenced);
    let old = cluster.active();
    assert!(
        matches!(cluster.ask(old, Cluster::create("t")), PeerResponse::CreateTopics(r) if r.topics[0].error_code == 0)
    );
    cluster.nodes.remove(&old);
    cluster.run(1_000);
    let new = cluster.active();
    assert_ne!(new, old);
    assert!(!cluster.heartbeat(epoch).is_fenced, "the new one gives it a full session");
    let PeerResponse::CreateTopics(again) = cluster.ask(new, Cluster::create("t")) else { panic!() };
    assert_eq!(again.topics[0].error_code, ErrorCode::TopicAlreadyExists.code());
    cluster.start(old);
    cluster.run(1_500);
    cluster.assert_agreement();
    let image = cluster.nodes[&new].image().clone();
    assert!(image.brokers[&CLIENT].fenced, "silent since");
    assert!(cluster.events.iter().any(|(_, event)| matches!(event, Event::BrokerFenced { .. })));
}

#[test]
fn a_standby_says_who_leads() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let active = cluster.active();
    let standby = VOTERS.into_iter().find(|id| *id != active).unwrap();
    let answer = cluster.ask(standby, Cluster::create("t"));
    assert!(matches!(answer, PeerResponse::NotController { leader_id } if leader_id == active), "{answer:?}");
}

#[test]
fn what_cannot_be_committed_is_not_answered_and_forgotten() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    let old = cluster.active();
    // It goes on alone: what it appends now reaches nobody.
    let others: Vec<NodeId> = VOTERS.into_iter().filter(|id| *id != old).collect();
    cluster.cut_off.extend(&others);
    let asked = cluster.send(old, Cluster::create("lost"));
    cluster.run(50);
    assert!(!cluster.answers.contains_key(&asked), "not committed, not answered");
    cluster.cut_off = BTreeSet::from([old]);
    cluster.run(1_500);
    assert_ne!(cluster.active(), old);
    cluster.cut_off.clear();
    cluster.run(1_000);
    cluster.assert_agreement();
    assert!(cluster.nodes[&old].image().topic("lost").is_none());
    let told = cluster.events.iter().any(|(_, event)| matches!(event, Event::TopicCreated { .. }));
    assert!(!told, "what did not happen is not told");
    let resigned =
        cluster.events.iter().any(|(id, event)| *id == old && matches!(event, Event::ControllerResigned { .. }));
    assert!(resigned);
}

#[test]
fn leadership_is_handed_over_before_a_stop() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let old = cluster.active();
    let now = cluster.now;
    cluster.nodes.get_mut(&old).unwrap().begin_shutdown(now);
    cluster.collect(old);
    cluster.deliver();
    let before = cluster.now.mono;
    while !cluster.nodes[&old].has_handed_over() {
        cluster.run(1);
        assert!(cluster.now.mono - before < Duration::from_millis(200));
    }
    cluster.run(100);
    assert_ne!(cluster.active(), old);
}

#[test]
fn the_quorum_describes_itself() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let active = cluster.active();
    let request = |topic: &str| {
        let partitions = vec![PartitionData::default()];
        let topics = vec![TopicData { topic_name: text(topic), partitions, ..Default::default() }];
        PeerRequest::DescribeQuorum(Box::new(DescribeQuorumRequestData { topics, ..Default::default() }))
    };
    let PeerResponse::DescribeQuorum(answer) = cluster.ask(active, request("__cluster_metadata")) else { panic!() };
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((partition.leader_id, partition.error_code, partition.current_voters.len()), (active, 0, 3));
    assert!(partition.high_watermark > 0 && partition.leader_epoch > 0);
    assert_eq!(answer.nodes.len(), 3);
    let PeerResponse::DescribeQuorum(answer) = cluster.ask(active, request("t")) else { panic!() };
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
    let standby = VOTERS.into_iter().find(|id| *id != active).unwrap();
    assert!(matches!(cluster.ask(standby, request("__cluster_metadata")), PeerResponse::NotController { .. }));
}

#[test]
fn a_registration_survives_a_restart_of_all_controllers() {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let epoch = cluster.register(1);
    cluster.nodes.clear();
    cluster.wires.clear();
    for id in VOTERS {
        cluster.start(id);
    }
    cluster.run(1_000);
    assert!(!cluster.heartbeat(epoch).is_fenced);
    let second = cluster.register(2);
    assert!(second > epoch);
    assert!(cluster.heartbeat(epoch).error_code == ErrorCode::StaleBrokerEpoch.code());
}

fn alone(disk: &std::sync::Arc<dyn crate::log::disk::Disk>, root: &std::path::Path, now: Now) -> Controller {
    alone_with(&[], disk, root, now)
}

pub(super) fn alone_with(
    overrides: &[(&str, &str)],
    disk: &std::sync::Arc<dyn crate::log::disk::Disk>,
    root: &std::path::Path,
    now: Now,
) -> Controller {
    let config = NodeConfig::new(3000, "test-cluster", with_overrides(overrides))
        .unwrap()
        .with_voters(vec![3000])
        .with_log_dirs(vec![root.to_owned()]);
    Controller::new(config, disk.clone(), 5, now).unwrap()
}

#[test]
fn a_controller_alone_finds_on_its_disk_what_it_committed() {
    let sim = SimDisk::new();
    let disk: std::sync::Arc<dyn crate::log::disk::Disk> = std::sync::Arc::new(sim.clone());
    let root = std::path::Path::new("/data");
    let mut cluster = Cluster::new();
    cluster.nodes = BTreeMap::from([(3000, alone(&disk, root, cluster.now))]);
    cluster.wires.clear();
    cluster.run(500);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    cluster.ask(3000, Cluster::create("t"));
    let image = cluster.nodes[&3000].image().clone();
    assert!(image.topic("t").is_some());
    cluster.nodes.clear();
    sim.power_loss();
    cluster.nodes = BTreeMap::from([(3000, alone(&disk, root, cluster.now))]);
    cluster.run(500);
    let again = cluster.nodes[&3000].image().clone();
    assert_eq!((&again.topics, &again.brokers, &again.features), (&image.topics, &image.brokers, &image.features));
    assert!(cluster.nodes[&3000].is_active());
    let mut other = NodeConfig::new(3001, "test-cluster", BTreeMap::new()).unwrap().with_voters(vec![3001]);
    other.log_dirs = vec![root.to_owned()];
    assert!(Controller::new(other, disk, 5, cluster.now).is_err(), "another node's directory");
}

#[test]
fn a_start_reads_the_snapshot_and_the_log_after_it() {
    let sim = SimDisk::new();
    let disk: std::sync::Arc<dyn crate::log::disk::Disk> = std::sync::Arc::new(sim.clone());
    let root = std::path::Path::new("/data");
    let mut cluster = Cluster::new();
    let start = |now| BTreeMap::from([(3000, alone_with(&SNAPSHOTS, &disk, root, now))]);
    cluster.nodes = start(cluster.now);
    cluster.wires.clear();
    cluster.run(500);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    for topic in 0..40 {
        cluster.ask(3000, Cluster::create(&format!("t{topic}")));
        cluster.heartbeat(epoch);
    }
    let quorum = cluster.nodes[&3000].quorum();
    assert!(quorum.log_start_offset() > 20, "the log begins at {}", quorum.log_start_offset());
    let image = cluster.nodes[&3000].image().clone();
    assert_eq!(image.topics.len(), 40);
    for power_loss in [false, true] {
        cluster.nodes.clear();
        if power_loss {
            sim.power_loss();
        }
        cluster.nodes = start(cluster.now);
        let newest = cluster.nodes[&3000].quorum().latest_snapshot().unwrap();
        assert_eq!(cluster.nodes[&3000].image().offset, newest.end_offset - 1, "before anything is elected");
        cluster.run(500);
        let again = cluster.nodes[&3000].image().clone();
        assert_eq!((&again.topics, &again.brokers, &again.features), (&image.topics, &image.brokers, &image.features));
        assert!(cluster.nodes[&3000].is_active());
        assert_eq!(cluster.heartbeat(epoch).error_code, ErrorCode::None.code());
    }
}

#[test]
fn a_controller_that_was_away_for_long_gets_a_snapshot() {
    let mut cluster = Cluster::with(&SNAPSHOTS);
    cluster.run(1_000);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    let away = VOTERS.into_iter().find(|id| *id != cluster.active()).unwrap();
    cluster.nodes.remove(&away);
    for topic in 0..60 {
        let active = cluster.active();
        cluster.ask(active, Cluster::create(&format!("t{topic}")));
        cluster.heartbeat(epoch);
    }
    cluster.start(away);
    cluster.run(1_000);
    let back = &cluster.nodes[&away];
    assert!(back.quorum().log_start_offset() > 0);
    assert_eq!(back.image().topics.len(), 60);
    cluster.assert_agreement();
}

/// Files for Kafka's `DumpLogSegments --cluster-metadata-decoder` to read, and what it reads, where there is a Java and a directory of Kafka's
/// jars (`KAFKA_JARS`).
#[test]
fn kafkas_tool_reads_a_snapshot() {
    let Some(jars) = std::env::var_os("KAFKA_JARS") else { return };
    let root = tempfile::tempdir().unwrap();
    let disk: std::sync::Arc<dyn crate::log::disk::Disk> = std::sync::Arc::new(crate::log::RealDisk::new());
    let mut cluster = Cluster::new();
    cluster.nodes = BTreeMap::from([(3000, alone_with(&SNAPSHOTS, &disk, root.path(), cluster.now))]);
    cluster.wires.clear();
    cluster.run(500);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    for topic in 0..12 {
        cluster.ask(3000, Cluster::create(&format!("t{topic}")));
    }
    let newest = cluster.nodes[&3000].quorum().latest_snapshot().unwrap();
    let file = root.path().join("__cluster_metadata-0").join(newest.file_name());
    let output = std::process::Command::new("java")
        .args(["-cp", &format!("{}/*", jars.display()), "org.apache.kafka.tools.DumpLogSegments"])
        .args(["--cluster-metadata-decoder", "--files"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    for expected in
        ["SnapshotHeader", "SnapshotFooter", "FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "PARTITION_RECORD"]
    {
        assert!(text.contains(expected), "{expected} is missing");
    }
}
