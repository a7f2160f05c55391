//! The persister, and the coordinator behind it, over a broker's real replicas on a simulated disk.

use std::path::PathBuf;

use super::super::peer::{PeerMessage, PeerResponse};
use super::super::share_state_bridge;
use super::*;
use crate::log::disk::Disk;
use crate::log::{RealDisk, SimDisk};
use crate::metadata::config::NodeConfig;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{BrokerImage, Endpoint, PartitionImage, TopicImage};
use crate::protocol::messages::{
    delete_share_group_state_request, initialize_share_group_state_request, read_share_group_state_request,
    write_share_group_state_request,
};
use crate::types::Id;

const TOPIC: Id = Id([1; 16]);
const STATES: Id = Id([2; 16]);
const ASKER: StateAsker = StateAsker::Groups(7);

struct Site {
    broker: Broker,
    now: Now,
}

/// Partitions of `__share_group_state`, by leader.
fn image(leaders: &[NodeId]) -> Image {
    let mut image = Image { offset: 10, ..Image::default() };
    for id in [1, 2] {
        let endpoint = Endpoint { name: "PLAINTEXT".into(), host: "h".into(), port: 9092, security_protocol: 0 };
        let broker = BrokerImage {
            id,
            epoch: 5,
            incarnation: Id::ZERO,
            endpoints: vec![endpoint],
            rack: None,
            fenced: false,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
            features: Vec::new(),
            cordoned_log_dirs: Vec::new(),
        };
        image.brokers.insert(id, Arc::new(broker));
    }
    let partition = |leader: &NodeId| PartitionImage {
        leader: *leader,
        replicas: vec![*leader],
        isr: vec![*leader],
        ..PartitionImage::default()
    };
    let states = leaders.iter().map(partition).collect();
    for (name, id, partitions) in [("t", TOPIC, vec![partition(&1); 4]), (SHARE_STATE_TOPIC, STATES, states)] {
        if partitions.is_empty() {
            continue;
        }
        let topic = TopicImage { name: name.into(), id, partitions };
        image.topic_ids.insert(topic.name.clone(), id);
        image.topics.insert(id, Arc::new(topic));
    }
    image
}

impl Site {
    fn new(leaders: &[NodeId]) -> Site {
        Site::on(Arc::new(SimDisk::new()), "/data".into(), leaders)
    }

    fn on(disk: Arc<dyn Disk>, dir: PathBuf, leaders: &[NodeId]) -> Site {
        let now = Now { mono: Duration::from_secs(100), wall_ms: 1_700_000_000_000 };
        let overrides = [("share.coordinator.state.topic.min.isr", "1")];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = NodeConfig::new(1, "a-cluster-of-two-brokers", overrides.into()).unwrap();
        let config = config.with_log_dirs(vec![dir]).with_voters(vec![3000]);
        let mut broker = Broker::open(config, disk, 7, now).unwrap();
        broker.image = image(leaders);
        broker.replicas.registered(now, 5, &broker.image);
        let mut site = Site { broker, now };
        share_state_bridge::on_image(&mut site.broker, now, &ImageDelta::default());
        site.drive();
        site.broker.out.peer.clear();
        site
    }

    fn follow(&mut self, image: Image, delta: &ImageDelta) {
        self.broker.image = image;
        self.broker.replicas.apply_image(self.now, &self.broker.image, delta);
        share_state_bridge::on_image(&mut self.broker, self.now, delta);
        on_image(&mut self.broker, self.now);
        self.drive();
    }

    /// What the broker's own loop does, but for telling the askers.
    fn drive(&mut self) {
        let (broker, now) = (&mut self.broker, self.now);
        loop {
            let changes = broker.replicas.take_changes();
            share_state_bridge::on_changes(broker, now, &changes);
            let mut busy = !changes.is_empty();
            busy |= share_state_bridge::carry_out(broker, now);
            busy |= send(broker, now);
            busy |= forward::hear_oneself(broker, now);
            if !busy {
                return;
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
        forward::on_tick(&mut self.broker, self.now);
        share_state_bridge::on_tick(&mut self.broker, self.now);
        on_tick(&mut self.broker, self.now);
        self.drive();
    }

    fn ask(&mut self, request: StateRequest) {
        ask(&mut self.broker, self.now, ASKER, request);
        self.drive();
    }

    /// Asks, and takes the answer that has come.
    fn answer(&mut self, request: StateRequest) -> Vec<(i32, PartResponse)> {
        self.ask(request);
        self.take_answer().unwrap()
    }

    fn take_answer(&mut self) -> Option<Vec<(i32, PartResponse)>> {
        let (asker, response) = self.broker.persister.done.pop()?;
        assert_eq!(asker, ASKER);
        Some(response.split().into_iter().map(|(id, part)| (id.partition, part)).collect())
    }

    fn codes(answer: &[(i32, PartResponse)]) -> Vec<(i32, ErrorCode)> {
        answer.iter().map(|(partition, part)| (*partition, part.error())).collect()
    }

    /// Questions to broker 2: number, partitions.
    fn sent(&mut self) -> Vec<(u64, StateRequest)> {
        let sent = std::mem::take(&mut self.broker.out.peer).into_iter();
        let asked = sent.filter_map(|(to, message)| match message {
            PeerMessage::Request { correlation, body: PeerRequest::ShareState(request) } => {
                assert_eq!(to, 2);
                Some((correlation, request))
            }
            _ => None,
        });
        asked.collect()
    }

    /// Broker 2 answers with this error.
    fn reply(&mut self, (correlation, request): (u64, StateRequest), error: ErrorCode) {
        let kind = request.kind();
        let part = |(id, _): (TopicIdPartition, PartRequest)| {
            (id, PartResponse::refusal(kind, id.partition, error, &error.to_string()))
        };
        let body = PeerResponse::ShareState(StateResponse::join(kind, request.split().into_iter().map(part)));
        forward::on_peer_message(&mut self.broker, self.now, 2, PeerMessage::Response { correlation, body });
        self.drive();
    }

    fn assert_empty(&self) {
        let persister = &self.broker.persister;
        assert!(persister.jobs.is_empty() && persister.order.is_empty() && persister.unsent.is_empty());
        assert!(persister.in_flight.is_empty() && persister.done.is_empty() && persister.open_parts == 0);
    }
}

fn request(kind: StateKind, parts: Vec<PartRequest>) -> StateRequest {
    let parts = parts.into_iter().map(|part| {
        let id = TopicIdPartition { topic_id: TOPIC, partition: part.partition() };
        (id, part)
    });
    StateRequest::join(kind, KafkaString::from_static("g"), parts)
}

fn initialize(partitions: &[i32]) -> StateRequest {
    let part = |&partition: &i32| {
        let part = initialize_share_group_state_request::PartitionData::default().with_partition(partition);
        PartRequest::Initialize(part.with_state_epoch(1).with_start_offset(5))
    };
    request(StateKind::Initialize, partitions.iter().map(part).collect())
}

fn write(partition: i32, start: i64) -> StateRequest {
    let part = write_share_group_state_request::PartitionData::default().with_partition(partition);
    let part = part.with_state_epoch(1).with_leader_epoch(0).with_start_offset(start).with_delivery_complete_count(0);
    request(StateKind::Write, vec![PartRequest::Write(part)])
}

fn read(partition: i32, leader_epoch: i32) -> StateRequest {
    let part = read_share_group_state_request::PartitionData::default().with_partition(partition);
    request(StateKind::Read, vec![PartRequest::Read(part.with_leader_epoch(leader_epoch))])
}

fn delete(partition: i32) -> StateRequest {
    let part = delete_share_group_state_request::PartitionData::default().with_partition(partition);
    request(StateKind::Delete, vec![PartRequest::Delete(part)])
}

const DONE: ErrorCode = ErrorCode::None;

#[test]
fn a_broker_that_coordinates_asks_itself() {
    let mut site = Site::new(&[1, 1, 1]);
    let answer = site.answer(initialize(&[0, 1, 2, 3]));
    assert_eq!(Site::codes(&answer), [(0, DONE), (1, DONE), (2, DONE), (3, DONE)]);
    assert_eq!(Site::codes(&site.answer(write(1, 9))), [(1, DONE)]);
    let answer = site.answer(read(1, 0));
    let PartResponse::Read(part) = &answer[0].1 else { panic!() };
    assert_eq!((part.error_code, part.state_epoch, part.start_offset), (0, 1, 9));
    site.assert_empty();
}

#[test]
fn a_partition_that_is_not_there_is_told_in_the_end() {
    let mut site = Site::new(&[1]);
    site.ask(initialize(&[4]));
    assert!(site.broker.persister.done.is_empty(), "it may come yet");
    for _ in 0..100 {
        site.pass(500);
    }
    assert_eq!(Site::codes(&site.take_answer().unwrap()), [(4, ErrorCode::UnknownTopicOrPartition)]);
    site.assert_empty();
}

#[test]
fn the_state_outlives_the_broker_and_goes_with_its_topic() {
    let disk = Arc::new(SimDisk::new());
    let mut site = Site::on(disk.clone(), "/data".into(), &[1, 1, 1]);
    site.answer(initialize(&[0, 1, 2]));
    site.answer(write(0, 8));
    site.answer(delete(1));
    site.broker.shutdown(site.now).unwrap();
    drop(site);
    let mut site = Site::on(disk, "/data".into(), &[1, 1, 1]);
    let answer = site.answer(read(0, 0));
    let PartResponse::Read(part) = &answer[0].1 else { panic!() };
    assert_eq!((part.error_code, part.start_offset), (0, 8));
    assert_eq!(Site::codes(&site.answer(read(1, 0))), [(1, ErrorCode::InvalidRequest)]);
    let mut without = image(&[1, 1, 1]);
    let topic = without.topics.remove(&TOPIC).unwrap();
    without.topic_ids.remove("t");
    site.follow(without, &ImageDelta { topics_deleted: [(TOPIC, topic)].into(), ..ImageDelta::default() });
    // Made anew it would have another id; the same one shows that nothing is left.
    site.follow(image(&[1, 1, 1]), &ImageDelta::default());
    for partition in [0, 2] {
        assert_eq!(Site::codes(&site.answer(read(partition, 0))), [(partition, ErrorCode::InvalidRequest)]);
    }
    site.assert_empty();
}

#[test]
fn each_coordinator_is_asked_for_what_is_its_own() {
    let mut site = Site::new(&[1, 2, 2, 1]);
    site.ask(initialize(&[0, 1, 2, 3]));
    let sent = site.sent();
    assert_eq!(sent.len(), 1);
    let elsewhere: Vec<i32> = sent[0].1.clone().split().iter().map(|(id, _)| id.partition).collect();
    let own = |partition: &i32| {
        let id = TopicIdPartition { topic_id: TOPIC, partition: *partition };
        [0, 3].contains(&share_state::partition_for("g", id, 4))
    };
    assert!(!elsewhere.is_empty() && elsewhere.len() < 4 && !elsewhere.iter().any(own), "{elsewhere:?}");
    assert!(site.broker.persister.done.is_empty(), "all answers in one");
    site.reply(sent[0].clone(), ErrorCode::FencedStateEpoch);
    let wanted = (0..4).map(|partition| (partition, if own(&partition) { DONE } else { ErrorCode::FencedStateEpoch }));
    assert_eq!(Site::codes(&site.take_answer().unwrap()), wanted.collect::<Vec<_>>());
    site.assert_empty();
}

#[test]
fn the_topic_is_made_when_it_is_needed_and_asked_as_soon_as_it_is_there() {
    let mut site = Site::new(&[]);
    site.ask(initialize(&[0]));
    assert!(site.sent().is_empty());
    let pending = site.broker.requests.next_deadline();
    assert!(pending.is_some(), "the controller is asked for the topic");
    site.follow(image(&[2]), &ImageDelta::default());
    let sent = site.sent();
    assert_eq!(sent.len(), 1, "without waiting for the next attempt");
    site.reply(sent[0].clone(), DONE);
    assert_eq!(Site::codes(&site.take_answer().unwrap()), [(0, DONE)]);
}

#[test]
fn what_has_no_coordinator_now_is_asked_again_and_not_for_ever() {
    let errors = [
        ErrorCode::NotCoordinator,
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::UnknownTopicOrPartition,
    ];
    for error in errors {
        let mut site = Site::new(&[2]);
        site.ask(write(0, 5));
        let (mut attempts, mut waited_ms) = (0, 0);
        while site.broker.persister.done.is_empty() {
            for sent in site.sent() {
                attempts += 1;
                site.reply(sent, error);
            }
            site.pass(50);
            waited_ms += 50;
        }
        assert_eq!(Site::codes(&site.take_answer().unwrap()), [(0, error)]);
        assert_eq!(waited_ms, 30_000);
        assert!((30..40).contains(&attempts), "{attempts}: at 0, 50, 150, 350, 750, 1550 ms, and once a second");
        site.assert_empty();
    }
}

#[test]
fn a_repetition_does_not_overtake() {
    let mut site = Site::new(&[2]);
    site.ask(write(0, 5));
    site.ask(write(0, 6));
    site.ask(write(1, 7));
    let sent = site.sent();
    assert_eq!(sent.len(), 2, "another share partition has its own order");
    site.reply(sent[0].clone(), ErrorCode::NotCoordinator);
    site.reply(sent[1].clone(), DONE);
    assert!(site.sent().is_empty());
    site.pass(50);
    let sent = site.sent();
    assert_eq!(sent[0].1, write(0, 5));
    site.reply(sent[0].clone(), DONE);
    let sent = site.sent();
    assert_eq!(sent[0].1, write(0, 6));
    site.reply(sent[0].clone(), ErrorCode::FencedLeaderEpoch);
    let codes: Vec<_> = std::iter::from_fn(|| site.take_answer()).map(|answer| Site::codes(&answer)[0]).collect();
    assert_eq!(codes, [(0, ErrorCode::FencedLeaderEpoch), (0, DONE), (1, DONE)]);
    site.assert_empty();
}

#[test]
fn a_coordinator_that_is_gone_is_not_waited_for() {
    let mut site = Site::new(&[2]);
    site.ask(write(0, 5));
    let former = site.sent();
    let mut next = image(&[2]);
    Arc::make_mut(next.brokers.get_mut(&2).unwrap()).epoch = 6;
    site.follow(next, &ImageDelta::default());
    let sent = site.sent();
    assert_eq!(sent.len(), 1, "its next life is asked at once");
    site.reply(former[0].clone(), ErrorCode::FencedLeaderEpoch);
    assert!(site.broker.persister.done.is_empty(), "what its last life says comes too late");
    forward::on_peer_message(&mut site.broker, site.now, 2, PeerMessage::Refused { correlation: sent[0].0 });
    site.drive();
    site.pass(100);
    let sent = site.sent();
    site.reply(sent[0].clone(), DONE);
    assert_eq!(Site::codes(&site.take_answer().unwrap()), [(0, DONE)]);
    site.pass(60_000);
    site.assert_empty();
    assert_eq!(site.broker.requests.next_deadline(), None, "nothing is left under way");
}

#[test]
fn what_waits_is_bounded_and_nobody_is_left_without_an_answer() {
    let mut site = Site::new(&[2]);
    site.broker.persister.open_parts = MAX_PARTS;
    let answer = site.answer(write(0, 5));
    assert_eq!(Site::codes(&answer), [(0, ErrorCode::CoordinatorNotAvailable)]);
    site.broker.persister.open_parts = 0;
    assert_eq!(Site::codes(&site.answer(request(StateKind::Write, Vec::new()))), []);
    // An answer that names something else, and one to something else.
    site.ask(write(0, 5));
    let (correlation, _) = site.sent().remove(0);
    site.reply((correlation, write(1, 5)), DONE);
    assert_eq!(Site::codes(&site.take_answer().unwrap()), [(0, ErrorCode::UnknownServerError)]);
    site.assert_empty();
}

/// By hand:
///
///     KAFKA_LOG_OUT=/some/dir cargo test -p broker --lib kafkas_tools_read_the_state -- --ignored
///     kafka-dump-log.sh --share-group-state-decoder --files /some/dir/__share_group_state-0/00000000000000000000.log
#[test]
#[ignore = "writes files for Kafka's tools"]
fn kafkas_tools_read_the_state() {
    let Some(root) = std::env::var_os("KAFKA_LOG_OUT") else { return };
    let mut site = Site::on(Arc::new(RealDisk::new()), root.into(), &[1]);
    site.answer(initialize(&[0, 1]));
    site.answer(read(0, 3));
    let batch = write_share_group_state_request::StateBatch::default().with_first_offset(9).with_last_offset(12);
    let part = write_share_group_state_request::PartitionData::default().with_state_epoch(1).with_leader_epoch(3);
    let part = part.with_start_offset(8).with_delivery_complete_count(4).with_state_batches(vec![
        batch.clone().with_delivery_state(2).with_delivery_count(1),
        batch.with_first_offset(11).with_last_offset(20).with_delivery_count(2),
    ]);
    site.answer(request(StateKind::Write, vec![PartRequest::Write(part)]));
    site.answer(delete(1));
    site.broker.shutdown(site.now).unwrap();
}

#[test]
fn writes_and_what_is_pruned_are_told() {
    use crate::metrics::table::{requests, shares};
    let mut site = Site::new(&[1]);
    site.answer(initialize(&[0]));
    let writes = 594;
    for start in 6..6 + writes {
        assert_eq!(Site::codes(&site.answer(write(0, start))), [(0, DONE)]);
    }
    site.pass(300_000);
    let report = site.broker.metrics_report(site.now.plus(Duration::from_secs(1))).unwrap();
    let pruned = report.get(&shares::LAST_PRUNED_OFFSET, &[("topic", SHARE_STATE_TOPIC), ("partition", "0")]).unwrap();
    let log_start =
        site.broker.replicas.log(&TopicIdPartition { topic_id: STATES, partition: 0 }).unwrap().log_start_offset();
    assert_eq!(pruned.value(), log_start as f64);
    assert!(log_start >= 500, "there is a snapshot after 500 updates: {log_start}");
    assert_eq!(report.get(&shares::WRITE_TOTAL, &[]).unwrap().value(), writes as f64);
    // What a broker asks itself is a request all the same, as in Kafka.
    let count = |name, version| {
        report.get(&requests::REQUESTS, &[("request", name), ("version", version)]).map(crate::metrics::Series::value)
    };
    assert_eq!(count("WriteShareGroupState", "1"), Some(writes as f64));
    assert_eq!(count("InitializeShareGroupState", "0"), Some(1.0));
    let errors = [("request", "WriteShareGroupState"), ("error", "NONE")];
    assert_eq!(report.get(&requests::ERRORS, &errors).unwrap().value(), writes as f64);
    assert!(site.broker.peer_times.is_empty());
}
