//! Directed scenarios of two and three brokers' replicas, over disks in memory and a wire that loses nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::sim_controller::SimController;
use super::{Output, ReplicaManager, Role};
use crate::log::SimDisk;
use crate::logging::testing::Reader;
use crate::metadata::config::{NodeConfig, RESOURCE_BROKER, RESOURCE_TOPIC};
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::Image;
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::fetch_request::{FetchPartition, FetchRequestData, FetchTopic};
use crate::records::{BatchBuilder, Compression};
use crate::types::{Id, NodeId, Now, TopicIdPartition};

const SESSION: Duration = Duration::from_secs(9);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn follower_request(from: NodeId, broker_epoch: i64, offset: i64, epoch: i32) -> FetchRequestData {
    let mut request = FetchRequestData { max_bytes: 1000, session_epoch: 0, ..FetchRequestData::default() };
    request.replica_state.replica_id = from;
    request.replica_state.replica_epoch = broker_epoch;
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        current_leader_epoch: epoch,
        partition_max_bytes: 1000,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic_id: topic(1).into(), partitions: vec![partition], ..FetchTopic::default() };
    request.topics.push(topic);
    request
}

/// Brokers whose messages arrive at once, unless a broker is out.
pub(super) struct Trio {
    pub(super) now: Now,
    pub(super) controller: SimController,
    pub(super) managers: BTreeMap<NodeId, ReplicaManager>,
    disks: BTreeMap<NodeId, SimDisk>,
    applied: BTreeMap<NodeId, usize>,
    /// Record bytes that arrived with answers to fetches.
    pub(super) carried_bytes: BTreeMap<NodeId, u64>,
    pub(super) out: Vec<NodeId>,
    pub(super) logs: BTreeMap<NodeId, Reader>,
    pub(super) fetches: Vec<FetchRequestData>,
    events: Vec<Event>,
}

fn config(id: NodeId) -> NodeConfig {
    let overrides =
        [("replica.lag.time.max.ms", "3000"), ("replica.fetch.backoff.ms", "100"), ("min.insync.replicas", "2")];
    let overrides = overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    NodeConfig::new(id, "simulated-cluster-id-1", overrides).unwrap().with_log_dirs(vec![PathBuf::from("/data")])
}

pub(super) fn topic(number: u8) -> Id {
    Id([number; 16])
}

pub(super) fn id(number: u8) -> TopicIdPartition {
    TopicIdPartition { topic_id: topic(number), partition: 0 }
}

fn batch(count: usize) -> bytes::BytesMut {
    let mut batch = BatchBuilder::new(0, Compression::None);
    for index in 0..count {
        batch.push(1_700_000_000_000 + index as i64, None, Some(b"value"), &[]);
    }
    batch.build_mut()
}

impl Trio {
    pub(super) fn new() -> Trio {
        let mut trio = Trio {
            now: Now { mono: Duration::ZERO, wall_ms: 1_700_000_000_000 },
            controller: SimController::new(SESSION, 2),
            managers: BTreeMap::new(),
            disks: BTreeMap::new(),
            applied: BTreeMap::new(),
            carried_bytes: BTreeMap::new(),
            out: Vec::new(),
            logs: BTreeMap::new(),
            fetches: Vec::new(),
            events: Vec::new(),
        };
        for node in [1, 2, 3] {
            trio.disks.insert(node, SimDisk::new());
            trio.start(node);
        }
        trio
    }

    pub(super) fn with_topic(partitions: &[Vec<NodeId>]) -> Trio {
        let mut trio = Trio::new();
        trio.controller.create_topic("t", topic(1), partitions);
        trio.settle();
        trio
    }

    fn start(&mut self, node: NodeId) {
        let disk = Arc::new(self.disks[&node].clone());
        let reader = Reader::new(node);
        let mut manager = ReplicaManager::open(&config(node).with_log(reader.log.clone()), disk, self.now).unwrap();
        self.logs.insert(node, reader);
        let epoch = self.controller.register(self.now.mono, node, Id([node as u8; 16]));
        manager.registered(self.now, epoch, &Default::default());
        self.managers.insert(node, manager);
        self.applied.insert(node, 0);
        self.apply(node);
        self.controller.heartbeat(self.now.mono, node, epoch, epoch);
        self.settle();
    }

    fn apply(&mut self, node: NodeId) {
        let from = self.applied[&node];
        for (image, delta) in &self.controller.history[from..] {
            self.managers.get_mut(&node).unwrap().apply_image(self.now, image, delta);
        }
        self.applied.insert(node, self.controller.history.len());
    }

    /// Carries messages until nothing moves.
    pub(super) fn settle(&mut self) {
        for _ in 0..200 {
            let mut moved = false;
            let nodes: Vec<NodeId> = self.managers.keys().copied().filter(|node| !self.out.contains(node)).collect();
            for node in nodes {
                moved |= self.applied[&node] < self.controller.history.len();
                self.apply(node);
                for output in self.managers.get_mut(&node).unwrap().take_outputs(self.now) {
                    moved = true;
                    self.carry(node, output);
                }
                self.events.extend(self.managers.get_mut(&node).unwrap().take_events());
            }
            if !moved {
                return;
            }
        }
        panic!("the brokers do not come to rest");
    }

    fn carry(&mut self, node: NodeId, output: Output) {
        let now = self.now;
        match output {
            Output::Fetch { leader, id, request } => {
                self.fetches.push((*request).clone());
                match self.managers.get_mut(&leader).filter(|_| !self.out.contains(&leader)) {
                    Some(leader) => leader.on_peer_fetch(now, node, id, &request),
                    None => self.managers.get_mut(&node).unwrap().on_fetch_response(now, leader, id, Err(())),
                }
            }
            Output::FetchReply { to, correlation, response } => {
                if let Some(follower) = self.managers.get_mut(&to).filter(|_| !self.out.contains(&to)) {
                    let data = response.responses.iter().flat_map(|topic| &topic.partitions);
                    let bytes = data.filter_map(|data| data.records.as_ref()).map(|records| records.len() as u64);
                    *self.carried_bytes.entry(to).or_default() += bytes.sum::<u64>();
                    follower.on_fetch_response(now, node, correlation, Ok(*response));
                }
            }
            // The small controller names no directories.
            Output::AssignReplicasToDirs { .. } => {}
            Output::AlterPartition { id, request } => {
                let response = self.controller.alter_partition(&request);
                self.managers.get_mut(&node).unwrap().on_alter_partition_response(now, id, Ok(response));
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.now = self.now.plus(ms(50));
            for (node, manager) in &mut self.managers {
                if !self.out.contains(node) {
                    manager.on_tick(self.now);
                }
            }
            self.settle();
        }
    }

    pub(super) fn at(&mut self, node: NodeId) -> &mut ReplicaManager {
        self.managers.get_mut(&node).unwrap()
    }

    pub(super) fn append(&mut self, node: NodeId, count: usize, acks: i16) -> Result<i64, ErrorCode> {
        let now = self.now;
        self.at(node).append(now, &id(1), batch(count), acks).map(|done| done.last_offset).map_err(|error| error.code)
    }

    fn log_end(&self, node: NodeId) -> i64 {
        self.managers[&node].log(&id(1)).unwrap().log_end_offset()
    }

    fn high_watermark(&self, node: NodeId) -> i64 {
        self.managers[&node].partition(&id(1)).unwrap().high_watermark()
    }

    /// Fences a broker, as if its session had ended, and takes it off the network.
    pub(super) fn take_out(&mut self, node: NodeId) {
        self.out.push(node);
        self.now = self.now.plus(SESSION + ms(1));
        let others: Vec<NodeId> = self.managers.keys().copied().filter(|other| !self.out.contains(other)).collect();
        for other in others {
            let epoch = self.controller.image.brokers[&other].epoch;
            self.controller.heartbeat(self.now.mono, other, epoch, epoch);
        }
        self.controller.tick(self.now.mono);
        self.settle();
    }

    pub(super) fn bring_back(&mut self, node: NodeId) {
        self.out.retain(|out| *out != node);
        let epoch = self.controller.image.brokers[&node].epoch;
        self.controller.heartbeat(self.now.mono, node, epoch, i64::MAX);
        self.settle();
    }
}

#[test]
fn records_reach_all_replicas_and_are_acknowledged() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    assert_eq!(trio.append(1, 3, -1), Ok(2));
    assert_eq!(trio.at(1).partition(&id(1)).unwrap().acknowledged(3, 1), None);
    trio.settle();
    assert_eq!(trio.at(1).partition(&id(1)).unwrap().acknowledged(3, 1), Some(Ok(())));
    assert_eq!((trio.high_watermark(1), trio.log_end(2), trio.log_end(3)), (3, 3, 3));
    trio.pass(ms(600));
    assert_eq!((trio.high_watermark(2), trio.high_watermark(3)), (3, 3), "an idle poll carries the high watermark");
    assert_eq!(trio.append(2, 1, 1), Err(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn ten_thousand_idle_partitions_cost_nothing() {
    let assignments: Vec<Vec<NodeId>> = (0..3000).map(|_| vec![1, 2]).collect();
    let mut trio = Trio::with_topic(&assignments);
    trio.pass(ms(1500));
    trio.fetches.clear();
    trio.pass(ms(2000));
    assert!(trio.fetches.len() >= 3, "long polls go on");
    assert!(trio.fetches.iter().all(|request| request.topics.is_empty()), "and name no partition");
    trio.fetches.clear();
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    let named: usize = trio.fetches.iter().flat_map(|request| &request.topics).map(|t| t.partitions.len()).sum();
    assert_eq!(named, 1, "only the partition that moved");
    assert_eq!(trio.high_watermark(1), 1);
}

/// Broker 3 comes back with everything still to be fetched, 40 batches of some 100 kB, while these configs are in force.
fn comes_back_throttled(broker: &[(&str, &str)], topic: &[(&str, &str)]) -> Trio {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.take_out(3);
    for _ in 0..40 {
        let mut large = BatchBuilder::new(0, Compression::None);
        large.push(1_700_000_000_000, None, Some(&[7; 100_000]), &[]);
        let now = trio.now;
        trio.at(1).append(now, &id(1), large.build_mut(), -1).unwrap();
        trio.settle();
    }
    trio.controller.configure(RESOURCE_BROKER, "", broker);
    trio.controller.configure(RESOURCE_TOPIC, "t", topic);
    trio.bring_back(3);
    trio
}

#[test]
fn a_leader_holds_back_what_is_behind_and_never_what_is_in_sync() {
    let limits = [("leader.replication.throttled.rate", "500000"), ("replica.fetch.max.bytes", "100000")];
    for (topic, throttled) in [("0:1", true), ("*", true), ("0:2,0:3", false)] {
        let mut trio = comes_back_throttled(&limits, &[("leader.replication.throttled.replicas", topic)]);
        trio.pass(ms(3_000));
        let behind = trio.log_end(3);
        assert_eq!(throttled, behind < 40, "{topic}: {behind} batches are there");
        assert!(behind > 5, "{topic}: {behind} batches are there");
        // The others are in sync: what is written reaches them at once, and is acknowledged.
        assert_eq!(trio.append(1, 1, -1), Ok(40));
        trio.settle();
        assert_eq!((trio.log_end(2), trio.high_watermark(1)), (41, 41));
        trio.pass(ms(9_000));
        assert_eq!(trio.log_end(3), 41, "{topic}");
        trio.pass(ms(3_000));
        assert_eq!(trio.controller.partition(&id(1)).isr.len(), 3);
    }
}

#[test]
fn a_follower_leaves_out_what_has_to_wait_until_it_is_level() {
    let limits = [("follower.replication.throttled.rate", "500000"), ("replica.fetch.max.bytes", "100000")];
    for (topic, throttled) in [("0:3", true), ("*", true), ("0:1", false)] {
        let mut trio = comes_back_throttled(&limits, &[("follower.replication.throttled.replicas", topic)]);
        trio.pass(ms(3_000));
        let behind = trio.log_end(3);
        assert_eq!(throttled, behind < 40, "{topic}: {behind} batches are there");
        assert!(behind > 5, "{topic}: {behind} batches are there");
        trio.pass(ms(10_000));
        assert_eq!(trio.log_end(3), 40, "{topic}");
        assert_eq!(trio.controller.partition(&id(1)).isr.len(), 3);
        assert_eq!(trio.append(1, 1, -1), Ok(40));
        trio.settle();
        assert_eq!(trio.log_end(3), 41, "level: it is not held back");
    }
}

#[test]
fn a_silent_follower_leaves_the_isr_and_comes_back() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.pass(ms(10_000));
    trio.out = vec![3];
    trio.append(1, 1, -1).unwrap();
    trio.pass(ms(2500));
    assert_eq!(trio.controller.partition(&id(1)).isr, [1, 2, 3], "it was level until just now");
    assert_eq!(trio.high_watermark(1), 0, "and counts until it is out");
    trio.pass(ms(1500));
    assert_eq!(trio.controller.partition(&id(1)).isr, [1, 2]);
    assert_eq!(trio.high_watermark(1), 1);
    trio.bring_back(3);
    trio.pass(ms(6000));
    assert_eq!(trio.controller.partition(&id(1)).isr, [1, 2, 3]);
    assert_eq!(trio.at(1).counters().isr_shrinks, 1);
    assert_eq!(trio.at(1).counters().isr_expands, 1);
}

/// It is unfenced, since the controllers hear from it, but the leader does not: that it was level when it fell silent lets it in no more.
#[test]
fn a_follower_joins_the_isr_by_fetching_and_not_by_what_it_had() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    trio.take_out(3);
    let epoch = trio.controller.image.brokers[&3].epoch;
    trio.controller.heartbeat(trio.now.mono, 3, epoch, i64::MAX);
    trio.settle();
    assert!(!trio.controller.image.brokers[&3].fenced);
    assert_eq!(trio.controller.partition(&id(1)).isr, [1, 2]);
    trio.bring_back(3);
    trio.pass(ms(1000));
    assert_eq!(trio.controller.partition(&id(1)).isr, [1, 2, 3]);
}

/// The directory of its replica failed: the controller takes it out of the ISR, and its broker lives on, and is not fenced.
#[test]
fn a_follower_that_the_controller_took_out_is_not_taken_back_unheard() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    trio.out = vec![3];
    let before = trio.controller.image.clone();
    let mut after = before.clone();
    let topic = Arc::make_mut(after.topics.get_mut(&topic(1)).unwrap());
    topic.partitions[0].partition_epoch += 1;
    topic.partitions[0].isr = vec![1, 2];
    let delta = ImageDelta::between(&before, &after);
    let now = trio.now;
    trio.at(1).apply_image(now, &after, &delta);
    trio.now = trio.now.plus(ms(1000));
    let now = trio.now;
    trio.at(1).on_tick(now);
    let proposes = |trio: &Trio| {
        let leader = trio.managers[&1].partition(&id(1)).unwrap().as_leader().unwrap();
        leader.isr.proposal().map(|proposal| proposal.isr.clone())
    };
    assert_eq!(proposes(&trio), None);
    let epoch = trio.controller.image.brokers[&3].epoch;
    trio.at(1).on_peer_fetch(now, 3, 9, &follower_request(3, epoch, 1, 1));
    assert_eq!(proposes(&trio), Some(vec![1, 2, 3]));
}

#[test]
fn below_min_isr_nothing_is_taken_with_acks_all_and_nothing_becomes_visible() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    trio.take_out(2);
    trio.take_out(3);
    assert_eq!(trio.controller.partition(&id(1)).isr, [1]);
    assert_eq!(trio.append(1, 1, -1), Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(trio.append(1, 1, 1), Ok(1), "acks=1 is taken");
    assert_eq!(trio.high_watermark(1), 1, "but not shown");
    trio.bring_back(2);
    trio.pass(ms(1000));
    assert_eq!(trio.high_watermark(1), 2);
}

#[test]
fn a_deposed_leader_cuts_what_only_it_had() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 2, -1).unwrap();
    trio.settle();
    trio.take_out(1);
    assert_eq!(trio.append(1, 5, 1), Ok(6), "it does not know yet");
    assert_eq!(trio.append(2, 1, -1), Ok(2));
    trio.settle();
    trio.bring_back(1);
    trio.pass(ms(1000));
    assert_eq!((trio.log_end(1), trio.log_end(2)), (3, 3));
    let cut = trio.events.iter().any(|event| matches!(event, Event::LogTruncated { from_offset: 7, to_offset: 2, .. }));
    assert!(cut, "{:?}", trio.events);
    trio.pass(ms(1000));
    assert_eq!(trio.controller.partition(&id(1)).isr.len(), 3);
}

/// A leader that was deposed and elected again, and hears of both at once, knows nothing any more of where its followers are.
#[test]
fn a_leader_that_missed_anothers_reign_commits_nothing_by_what_it_knew() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 2, -1).unwrap();
    trio.settle();
    trio.out = vec![3];
    trio.append(1, 2, -1).unwrap();
    trio.settle();
    assert_eq!((trio.high_watermark(1), trio.log_end(2)), (2, 4), "3 is in the ISR and lacks it");
    let elected_again = |epochs: i32, trio: &Trio| {
        let before = &trio.controller.image;
        let mut after = before.clone();
        let topic = Arc::make_mut(after.topics.get_mut(&topic(1)).unwrap());
        let partition = &mut topic.partitions[0];
        partition.leader_epoch += epochs;
        partition.partition_epoch += epochs;
        partition.isr = vec![1, 2];
        let delta = ImageDelta::between(before, &after);
        (after, delta)
    };
    let now = trio.now;
    let (image, delta) = elected_again(2, &trio);
    trio.at(1).apply_image(now, &image, &delta);
    assert_eq!(trio.high_watermark(1), 2, "2 may have cut what it had");
    assert_eq!(
        trio.at(1).partition(&id(1)).unwrap().acknowledged(4, 1),
        Some(Err(ErrorCode::NotLeaderOrFollower)),
        "nobody knows what becomes of it"
    );
}

/// KIP-279: two fast failovers leave three histories; epochs alone tell what is common.
#[test]
fn a_fast_double_failover_leaves_one_history() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 2, -1).unwrap();
    trio.settle();
    trio.out = vec![1, 2, 3];
    trio.append(1, 4, 1).unwrap();
    trio.out = vec![1];
    trio.take_out(1);
    assert_eq!(trio.controller.partition(&id(1)).leader, 2);
    trio.out = vec![1, 2, 3];
    trio.append(2, 2, 1).unwrap();
    trio.out = vec![1];
    trio.take_out(2);
    assert_eq!(trio.controller.partition(&id(1)).leader, 3);
    trio.append(3, 1, 1).unwrap();
    trio.bring_back(2);
    trio.bring_back(1);
    trio.pass(ms(2000));
    assert_eq!([trio.log_end(1), trio.log_end(2), trio.log_end(3)], [3, 3, 3]);
    let chains: Vec<String> = [1, 2, 3]
        .iter()
        .map(|node| format!("{:?}", trio.managers[node].log(&id(1)).unwrap().leader_epochs()))
        .collect();
    assert!(chains.windows(2).all(|pair| pair[0] == pair[1]), "{chains:?}");
}

#[test]
fn a_follower_behind_the_leaders_start_begins_anew() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.take_out(3);
    for _ in 0..5 {
        trio.append(1, 2, -1).unwrap();
        trio.settle();
    }
    trio.pass(ms(1000));
    let name = trio.at(1).partition(&id(1)).unwrap().name().clone();
    for node in [1, 2] {
        trio.at(node).dir.log_mut(&name).unwrap().set_log_start_offset(6).unwrap();
    }
    trio.bring_back(3);
    trio.pass(ms(1500));
    let log = trio.managers[&3].log(&id(1)).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (6, 10));
    assert_eq!(trio.controller.partition(&id(1)).isr.len(), 3);
}

#[test]
fn a_failed_disk_takes_the_only_directory_offline_and_the_broker_halts() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    trio.disks[&1].fail_writes(Some(std::io::ErrorKind::StorageFull));
    assert_eq!(trio.append(1, 1, 1), Err(ErrorCode::KafkaStorageError));
    assert!(matches!(trio.at(1).partition(&id(1)).unwrap().role(), Role::Offline { .. }));
    assert_eq!(trio.at(1).offline().count(), 1);
    assert!(trio.at(1).halted().is_some_and(|reason| reason.starts_with("the metadata log directory /data failed")));
    assert_eq!(trio.append(1, 1, -1), Err(ErrorCode::KafkaStorageError));
    trio.pass(ms(500));
    assert_eq!(trio.log_end(2), 1);
}

#[test]
fn what_is_deleted_is_gone_and_its_name_is_free() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    let gone = trio.controller.delete_topic(&topic(1));
    trio.controller.create_topic("t", topic(2), &[vec![2, 1]]);
    trio.settle();
    assert_eq!(gone.partitions.len(), 1);
    assert!(trio.at(1).partition(&id(1)).is_none());
    assert_eq!(trio.at(2).log(&id(2)).unwrap().log_end_offset(), 0);
    assert_eq!(trio.at(1).changed_reports().1.len(), 1);
}

#[test]
fn logs_that_were_deleted_while_a_broker_was_away_are_strays() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    trio.managers.remove(&3);
    trio.disks[&3].kill();
    trio.controller.delete_topic(&topic(1));
    trio.controller.create_topic("t", topic(2), &[vec![3, 1]]);
    trio.start(3);
    assert_eq!(trio.at(3).log(&id(2)).unwrap().log_end_offset(), 0);
    assert_eq!(trio.at(3).log_dirs().logs().count(), 1);
}

#[test]
fn an_older_image_gives_no_role() {
    let trio = Trio::with_topic(&[vec![1, 2, 3]]);
    let old = trio.controller.image.clone();
    let disk = Arc::new(trio.disks[&1].clone());
    let mut manager = ReplicaManager::open(&config(1), disk, trio.now).unwrap();
    manager.apply_image(trio.now, &old, &ImageDelta::default());
    manager.registered(trio.now, 1_000_000, &old);
    assert_eq!(manager.partitions().count(), 0, "that image knows an earlier incarnation only");
}

#[test]
fn replicas_survive_a_clean_stop_and_tell_the_epoch_they_stopped_in() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 3, -1).unwrap();
    trio.settle();
    trio.pass(ms(600));
    let (now, epoch) = (trio.now, trio.controller.image.brokers[&2].epoch);
    trio.at(2).shutdown(now).unwrap();
    let disk = Arc::new(trio.disks[&2].clone());
    let manager = ReplicaManager::open(&config(2), disk, now).unwrap();
    assert_eq!(manager.previous_broker_epoch(), epoch);
    assert_eq!(manager.log_dirs().logs().next().unwrap().log_end_offset(), 3);
}

#[test]
fn open_replicas_obey_dynamic_configs() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    let mut image = Image::clone(&trio.controller.history.last().unwrap().0);
    let set = |image: &mut Image, kind: i8, name: &str, entries: &[(&str, &str)]| {
        let entries = entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        image.configs.insert((kind, name.into()), Arc::new(entries));
        ImageDelta { configs_changed: [(kind, name.into())].into(), ..ImageDelta::default() }
    };
    let now = trio.now;
    let manager = trio.managers.get_mut(&1).unwrap();
    let seen = |manager: &ReplicaManager| {
        let config = manager.log(&id(1)).unwrap().config().clone();
        let min_isr = manager.partition(&id(1)).unwrap().min_insync_replicas;
        (config.retention_ms, config.max_message_bytes, config.producer_id_expiration_ms, min_isr)
    };
    assert_eq!(seen(manager), (604_800_000, 1_048_588, 86_400_000, 2));
    let of_all: &[_] = &[("log.retention.ms", "7"), ("message.max.bytes", "8"), ("min.insync.replicas", "1")];
    let delta = set(&mut image, RESOURCE_BROKER, "", of_all);
    manager.apply_image(now, &image, &delta);
    assert_eq!(seen(manager), (7, 8, 86_400_000, 1));
    let delta = set(&mut image, RESOURCE_BROKER, "1", &[("producer.id.expiration.ms", "9")]);
    manager.apply_image(now, &image, &delta);
    let delta = set(&mut image, RESOURCE_TOPIC, "t", &[("retention.ms", "10"), ("min.insync.replicas", "3")]);
    manager.apply_image(now, &image, &delta);
    assert_eq!(seen(manager), (10, 8, 9, 3));
    let removed = [(RESOURCE_TOPIC, "t".into()), (RESOURCE_BROKER, "".into()), (RESOURCE_BROKER, "1".into())];
    image.configs.clear();
    manager.apply_image(now, &image, &ImageDelta { configs_changed: removed.into(), ..ImageDelta::default() });
    assert_eq!(seen(manager), (604_800_000, 1_048_588, 86_400_000, 2));
}
