//! The bridge over a broker's real replicas on a simulated disk.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use super::*;
use crate::log::{SimDisk, VerificationGuard};
use crate::metadata::image::{BrokerImage, PartitionImage, TopicImage};
use crate::metrics::Rounds;
use crate::metrics::table::groups;
use crate::protocol::messages::{
    KafkaString, OffsetCommitRequestData, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetFetchRequestData, OffsetFetchRequestGroup, OffsetFetchRequestTopics, TxnOffsetCommitRequestData,
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use crate::protocol::{Api, RequestHeader};
use crate::records::BatchHeader;
use crate::types::NodeId;

const OFFSETS_ID: Id = Id([1; 16]);
const TOPIC_ID: Id = Id([2; 16]);
const PRODUCER_ID: i64 = 1234;

/// One broker's replicas and groups.
struct Site {
    disk: SimDisk,
    replicas: ReplicaManager,
    groups: GroupBridge,
    image: Image,
    now: Now,
    events: Vec<Event>,
    markers: Vec<(u64, ErrorCode)>,
}

fn config(min_isr: &str) -> NodeConfig {
    let overrides = [("min.insync.replicas", min_isr), ("offsets.topic.num.partitions", "2")];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
    NodeConfig::new(1, "a-cluster-of-one-broker", overrides.into()).unwrap().with_log_dirs(vec![PathBuf::from("/data")])
}

fn image_of(leader: NodeId, leader_epoch: i32, isr: &[NodeId]) -> Image {
    let mut image = Image { offset: 10, ..Image::default() };
    let broker = |id: NodeId| BrokerImage {
        id,
        epoch: 5,
        incarnation: Id::ZERO,
        endpoints: Vec::new(),
        rack: None,
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
        features: Vec::new(),
        cordoned_log_dirs: Vec::new(),
    };
    for id in [1, 2] {
        image.brokers.insert(id, Arc::new(broker(id)));
    }
    let partition = PartitionImage {
        leader,
        leader_epoch,
        partition_epoch: leader_epoch,
        replicas: vec![1, 2],
        isr: isr.to_vec(),
        ..PartitionImage::default()
    };
    for (name, id) in [(OFFSETS_TOPIC, OFFSETS_ID), ("t", TOPIC_ID)] {
        let topic = TopicImage { name: name.into(), id, partitions: vec![partition.clone(); 2] };
        image.topic_ids.insert(topic.name.clone(), id);
        image.topics.insert(id, Arc::new(topic));
    }
    image
}

impl Site {
    fn new(min_isr: &str, image: Image) -> Site {
        let now = Now { mono: Duration::from_secs(100), wall_ms: 1_700_000_000_000 };
        Site::on(SimDisk::new(), min_isr, image, now)
    }

    fn on(disk: SimDisk, min_isr: &str, image: Image, now: Now) -> Site {
        let config = config(min_isr);
        let replicas = ReplicaManager::open(&config, Arc::new(disk.clone()), now).unwrap();
        let groups = GroupBridge::new(&config, 7);
        let mut site = Site { disk, replicas, groups, image, now, events: Vec::new(), markers: Vec::new() };
        site.replicas.registered(now, 5, &site.image);
        site.groups.follow_image(now, &site.image, &ImageDelta::default());
        assert!(site.drive().is_empty());
        site
    }

    /// Another image, as the controller would send it.
    fn follow(&mut self, image: Image) -> Vec<Response> {
        let ids = [OFFSETS_ID, TOPIC_ID]
            .into_iter()
            .flat_map(|topic_id| (0..2).map(move |partition| TopicIdPartition { topic_id, partition }));
        let delta = ImageDelta { partitions_changed: ids.collect(), ..ImageDelta::default() };
        self.image = image;
        self.replicas.apply_image(self.now, &self.image, &delta);
        self.groups.follow_image(self.now, &self.image, &delta);
        self.drive()
    }

    /// What the broker's own loop does.
    fn drive(&mut self) -> Vec<Response> {
        let mut responses = Vec::new();
        loop {
            let changes = self.replicas.take_changes();
            self.groups.follow_replicas(self.now, &self.replicas, &changes);
            let done = self.groups.act(self.now, &mut self.replicas);
            if changes.is_empty() && done.is_empty() {
                return responses;
            }
            for done in done {
                match done {
                    Done::Reply(_, response) => responses.push(response),
                    Done::Streams(_, beat) => responses.push(Response::StreamsGroupHeartbeat(beat.response)),
                    Done::Marker(number, error) => self.markers.push((number, error)),
                    Done::Event(event) => self.events.push(event),
                    // No group here is a share group.
                    Done::ShareState(..) | Done::LatestOffsets(..) | Done::Append => {}
                }
            }
        }
    }

    fn ask(
        &mut self,
        api_key: Api,
        api_version: i16,
        act: impl FnOnce(&mut GroupCoordinator, Now, ReplyTo, &ClientInfo, &Image),
    ) -> Vec<Response> {
        let header = RequestHeader { api_key, api_version, correlation_id: 1, client_id: Some("app".into()) };
        let client_host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let context =
            RequestContext { conn: 1, seq: 1, header, client_host, received: self.now, size_bytes: 0, body: None };
        let to = self.groups.enter(Caller::Client(Box::new(context.clone()))).unwrap();
        act(&mut self.groups.coordinator, self.now, to, &client_info(&context), &self.image);
        self.drive()
    }

    /// Commits an offset of t-0 for a simple consumer.
    fn commit(&mut self, offset: i64) -> Vec<Response> {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(KafkaString::from_static("t"))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequestData::default()
            .with_group_id(KafkaString::from_static("g"))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        self.ask(Api::OffsetCommit, 9, |groups, now, to, client, image| {
            groups.offset_commit(now, to, client, &request, image);
        })
    }

    /// The same as part of a transaction.
    fn commit_in_txn(&mut self, version: i16, offset: i64, guard: Option<VerificationGuard>) -> ErrorCode {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(KafkaString::from_static("t"))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequestData::default()
            .with_group_id(KafkaString::from_static("g"))
            .with_producer_id(PRODUCER_ID)
            .with_producer_epoch(3)
            .with_topics(vec![topic]);
        let responses = self.ask(Api::TxnOffsetCommit, version, |groups, now, to, client, image| {
            groups.txn_offset_commit(now, to, client, &request, guard, image);
        });
        let [Response::TxnOffsetCommit(response)] = &responses[..] else { panic!("{responses:?}") };
        ErrorCode::from(response.topics[0].partitions[0].error_code)
    }

    /// The guard under which the transaction coordinator would be asked.
    fn verify(&mut self) -> Option<VerificationGuard> {
        let id = self.offsets_partition();
        self.replicas.start_verification(self.now, &id, (PRODUCER_ID, 3), 0, true).unwrap()
    }

    fn offsets_partition(&self) -> TopicIdPartition {
        TopicIdPartition { topic_id: OFFSETS_ID, partition: self.groups.partition_for("g") }
    }

    /// Ends the transaction, and drops what was answered.
    fn end_txn(&mut self, commit: bool, producer_epoch: i16) -> Vec<(u64, ErrorCode)> {
        let end =
            TxnEnd { producer_id: PRODUCER_ID, producer_epoch, coordinator_epoch: 1, commit, transaction_version: 2 };
        let to = self.groups.enter(Caller::Marker(77)).unwrap();
        self.groups.coordinator.complete_transaction(self.now, to, self.groups.partition_for("g"), end);
        assert!(self.drive().is_empty());
        std::mem::take(&mut self.markers)
    }

    fn committed(&mut self) -> Result<i64, ErrorCode> {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(KafkaString::from_static("t"))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(KafkaString::from_static("g"))
            .with_topics(Some(vec![topic]));
        let request = OffsetFetchRequestData::default().with_groups(vec![group]);
        let responses = self.ask(Api::OffsetFetch, 9, |groups, now, to, client, image| {
            groups.offset_fetch(now, to, client, &request, image);
        });
        let [Response::OffsetFetch(response)] = &responses[..] else { panic!("{responses:?}") };
        let group = &response.groups[0];
        match ErrorCode::from(group.error_code) {
            ErrorCode::None => Ok(group.topics[0].partitions[0].committed_offset),
            error => Err(error),
        }
    }
}

fn commit_error(responses: &[Response]) -> ErrorCode {
    let [Response::OffsetCommit(response)] = responses else { panic!("{responses:?}") };
    ErrorCode::from(response.topics[0].partitions[0].error_code)
}

#[test]
fn what_is_led_by_another_while_it_is_loaded_is_loaded_anew() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    for offset in 1..=20 {
        site.commit(offset);
    }
    site.follow(image_of(2, 1, &[1, 2]));
    // This broker leads; before it has read the log, another did, and this one does again.
    for images in [&[image_of(1, 2, &[1])][..], &[image_of(2, 3, &[1, 2]), image_of(1, 4, &[1])]] {
        for image in images {
            let partitions_changed = BTreeSet::from([site.offsets_partition()]);
            let delta = ImageDelta { partitions_changed, ..ImageDelta::default() };
            site.replicas.apply_image(site.now, image, &delta);
        }
        let changes = site.replicas.take_changes();
        site.groups.follow_replicas(site.now, &site.replicas, &changes);
    }
    site.image = image_of(1, 4, &[1]);
    site.drive();
    assert_eq!(site.groups.next_deadline(), Some(Duration::ZERO), "it is to be read anew");
    site.drive();
    assert_eq!((site.committed(), site.events.len()), (Ok(20), 0));
    // Who leads on in another epoch goes on as it is.
    let delta = ImageDelta { partitions_changed: [site.offsets_partition()].into(), ..ImageDelta::default() };
    site.image = image_of(1, 5, &[1]);
    site.replicas.apply_image(site.now, &site.image, &delta);
    let changes = site.replicas.take_changes();
    site.groups.follow_replicas(site.now, &site.replicas, &changes);
    assert_eq!((site.groups.next_deadline() == Some(Duration::ZERO), site.committed()), (false, Ok(20)));
}

#[test]
fn offsets_are_kept_in_the_log_and_found_there_again() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    for offset in 1..=20 {
        assert_eq!(commit_error(&site.commit(offset)), ErrorCode::None);
    }
    assert_eq!(site.committed(), Ok(20));
    // Another broker leads, then this one again.
    assert!(site.follow(image_of(2, 1, &[1, 2])).is_empty());
    assert_eq!(site.committed(), Err(ErrorCode::NotCoordinator));
    assert_eq!(commit_error(&site.commit(21)), ErrorCode::NotCoordinator);
    site.follow(image_of(1, 2, &[1]));
    assert_eq!(site.committed(), Ok(20));
    // The broker restarts.
    site.replicas.shutdown(site.now).unwrap();
    let mut site = Site::on(site.disk, "1", image_of(1, 3, &[1]), site.now);
    assert_eq!(site.committed(), Ok(20));
    assert!(site.events.is_empty());
    // The topic is gone, and with it the groups.
    let mut image = image_of(1, 3, &[1]);
    image.topics.remove(&OFFSETS_ID);
    image.topic_ids.remove(OFFSETS_TOPIC);
    site.follow(image);
    assert_eq!(site.committed(), Err(ErrorCode::NotCoordinator));
}

#[test]
fn too_small_an_isr_refuses_commits_but_not_reads() {
    let mut site = Site::new("2", image_of(1, 0, &[1]));
    assert_eq!(commit_error(&site.commit(1)), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(site.committed(), Ok(-1));
}

#[test]
fn a_commit_waits_for_the_followers_and_is_lost_with_the_leadership() {
    let mut site = Site::new("1", image_of(1, 0, &[1, 2]));
    assert!(site.commit(1).is_empty());
    assert_eq!(site.committed(), Ok(-1));
    // Its client does not wait for ever.
    site.now = site.now.plus(Duration::from_secs(5));
    site.groups.coordinator.on_tick(site.now);
    assert_eq!(commit_error(&site.drive()), ErrorCode::CoordinatorNotAvailable);
    // The follower leaves the ISR: what it held up is committed.
    assert!(site.commit(2).is_empty());
    let answers = site.follow(image_of(1, 1, &[1]));
    assert_eq!(commit_error(&answers), ErrorCode::None);
    assert_eq!(site.committed(), Ok(2));
    // And one that another leader cuts short.
    site.follow(image_of(1, 2, &[1, 2]));
    assert!(site.commit(3).is_empty());
    assert_eq!(commit_error(&site.follow(image_of(2, 3, &[1, 2]))), ErrorCode::NotCoordinator);
}

#[test]
fn what_a_new_leader_has_beyond_its_high_watermark_is_not_shown_before_it_is_committed() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    site.commit(1);
    site.follow(image_of(1, 1, &[1, 2]));
    assert!(site.commit(2).is_empty());
    site.follow(image_of(2, 2, &[1, 2]));
    assert!(site.follow(image_of(1, 3, &[1, 2])).is_empty());
    assert_eq!(site.committed(), Ok(1));
    site.follow(image_of(1, 4, &[1]));
    assert_eq!(site.committed(), Ok(2));
}

#[test]
fn a_transactions_offsets_are_found_again_in_the_log() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    site.commit(1);
    // Nobody has asked the transaction coordinator.
    assert_eq!(site.commit_in_txn(5, 2, None), ErrorCode::InvalidTxnState);
    let guard = site.verify();
    assert!(guard.is_some());
    assert_eq!(site.commit_in_txn(5, 2, guard), ErrorCode::None);
    assert_eq!(site.verify(), None, "it is open here now");
    assert_eq!(site.commit_in_txn(5, 3, None), ErrorCode::None);
    assert_eq!(site.committed(), Ok(1));
    // Another leads, then this one again: the transaction is still open.
    site.follow(image_of(2, 1, &[1, 2]));
    assert_eq!(site.end_txn(true, 4), [(77, ErrorCode::NotLeaderOrFollower)]);
    site.follow(image_of(1, 2, &[1]));
    assert_eq!(site.committed(), Ok(1));
    // An older epoch ends nothing, nor does one that is not newer (KIP-890).
    assert_eq!(site.end_txn(true, 2), [(77, ErrorCode::InvalidProducerEpoch)]);
    assert_eq!(site.end_txn(true, 3), [(77, ErrorCode::InvalidProducerEpoch)]);
    assert_eq!(site.committed(), Ok(1));
    assert_eq!(site.end_txn(true, 4), [(77, ErrorCode::None)]);
    assert_eq!(site.committed(), Ok(3));
    // The producer is fenced, and the broker restarts.
    assert_eq!(site.commit_in_txn(5, 4, guard), ErrorCode::InvalidProducerEpoch);
    site.replicas.shutdown(site.now).unwrap();
    let mut site = Site::on(site.disk, "1", image_of(1, 3, &[1]), site.now);
    assert_eq!(site.committed(), Ok(3));
    assert!(site.events.is_empty());
}

#[test]
fn an_aborted_transactions_offsets_are_not() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    site.commit(1);
    let guard = site.verify();
    assert_eq!(site.commit_in_txn(5, 2, guard), ErrorCode::None);
    assert_eq!(site.end_txn(false, 4), [(77, ErrorCode::None)]);
    assert_eq!(site.committed(), Ok(1));
    site.follow(image_of(2, 1, &[1, 2]));
    site.follow(image_of(1, 2, &[1]));
    assert_eq!(site.committed(), Ok(1));
    // What Kafka's tools read in the log: a transactional batch of this producer, and a control record that says that it was aborted.
    let id = site.offsets_partition();
    let log = site.replicas.log(&id).unwrap();
    let read = log.read(0, usize::MAX, log.log_end_offset(), true).unwrap().records;
    let batches: Vec<(BatchHeader, &[u8])> = records::batches(&read).map(Result::unwrap).collect();
    let facts: Vec<_> = batches.iter().map(|(header, _)| (header.is_transactional(), header.is_control())).collect();
    assert_eq!(facts, [(false, false), (true, false), (true, true)]);
    for (header, _) in &batches[1..] {
        assert_eq!((header.producer_id, header.base_sequence), (PRODUCER_ID, records::NO_SEQUENCE));
    }
    let marker = records::records(batches[2].1, 1 << 20).unwrap().next().unwrap().unwrap();
    assert_eq!(control_type(&marker.key.unwrap()).unwrap(), Some(ControlType::Abort));
}

#[test]
fn commits_are_timed_by_when_the_followers_have_them() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    let told = |site: &mut Site| {
        let mut out = Rounds::new(site.now).begin(site.now.plus(Duration::from_secs(1))).unwrap();
        site.groups.collect(&mut out);
        out.finish(1, Id::ZERO)
    };
    site.commit(1);
    let report = told(&mut site);
    let active = report.get(&groups::NUM_PARTITIONS, &[("state", "active")]).unwrap().value();
    assert_eq!(active, site.groups.log.partition_counts().1 as f64);
    assert!(active > 0.0);
    assert_eq!(report.get(&groups::PURGATORY_MAX, &[]).unwrap().value(), 0.0, "nobody else has to have it");
    site.follow(image_of(1, 1, &[1, 2]));
    assert!(site.commit(2).is_empty());
    site.now = site.now.plus(Duration::from_millis(1_250));
    site.follow(image_of(1, 2, &[1]));
    let report = told(&mut site);
    assert_eq!(report.get(&groups::PURGATORY_MAX, &[]).unwrap().value(), 1_250.0);
    // Loading took no time on a clock that stands still.
    assert_eq!(report.get(&groups::LOAD_MAX, &[]).unwrap().value(), 0.0);
    site.follow(image_of(2, 3, &[1, 2]));
    let report = told(&mut site);
    assert_eq!(report.get(&groups::NUM_PARTITIONS, &[("state", "active")]).unwrap().value(), 0.0);
}

#[test]
fn a_marker_waits_for_the_followers() {
    let mut site = Site::new("1", image_of(1, 0, &[1]));
    let guard = site.verify();
    assert_eq!(site.commit_in_txn(5, 2, guard), ErrorCode::None);
    site.follow(image_of(1, 1, &[1, 2]));
    assert!(site.end_txn(true, 4).is_empty());
    assert_eq!(site.committed(), Ok(-1));
    assert!(site.follow(image_of(1, 2, &[1])).is_empty());
    assert_eq!(std::mem::take(&mut site.markers), [(77, ErrorCode::None)]);
    assert_eq!(site.committed(), Ok(2));
    // Or is lost with the leadership.
    site.follow(image_of(1, 3, &[1, 2]));
    assert!(site.end_txn(true, 5).is_empty());
    site.follow(image_of(2, 4, &[1, 2]));
    assert_eq!(site.markers, [(77, ErrorCode::NotLeaderOrFollower)]);
}

#[test]
fn partitions_that_are_loaded_and_given_up_are_told() {
    use crate::logging::{Level, LogLine, NodeLog};
    let mut site = Site::new("1", image_of(1, 3, &[1]));
    site.follow(image_of(1, 3, &[1]));
    site.commit(7);
    let (writer, lines) = crossbeam_channel::bounded(100);
    let config = config("1").with_log(NodeLog::new(1, writer, || 0));
    site.groups = GroupBridge::new(&config, 7);
    site.groups.follow_image(site.now, &site.image, &ImageDelta::default());
    let partition = site.offsets_partition();
    site.groups.follow_replicas(site.now, &site.replicas, &BTreeSet::from([partition]));
    site.drive();
    site.follow(image_of(2, 4, &[1, 2]));
    let told: Vec<LogLine> = lines.try_iter().collect();
    let wrote = |logger: Logger, fact: &str| {
        let fits = |line: &&LogLine| (line.logger, line.level) == (logger, Level::Info) && line.message.contains(fact);
        assert!(told.iter().any(|line| fits(&line)), "{fact}: {told:#?}");
    };
    let name = format!("[GroupCoordinator id=1] {OFFSETS_TOPIC}-{}: ", partition.partition);
    wrote(Logger::GroupCoordinator, "[GroupCoordinator id=1] Started");
    wrote(Logger::CoordinatorRuntime, &format!("{name}loads in epoch 3, from offset 0 to "));
    wrote(Logger::CoordinatorRuntime, &format!("{name}loaded in epoch 3 in 0 ms: "));
    wrote(Logger::CoordinatorRuntime, &format!("{name}unloaded, after epoch 3"));
    let loaded = told.iter().find(|line| line.message.contains("loaded in epoch")).unwrap();
    assert!(!loaded.message.contains(" 0 records") && !loaded.message.contains(" 0 bytes"), "{}", loaded.message);
}
