//! Produce, Fetch, ListOffsets and OffsetForLeaderEpoch as a client sees them: frames in, frames out, at every version.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::Broker;
use crate::log::{AppendOrigin, Log, LogConfig, Recovery, SimDisk};
use crate::logging::testing::Reader;
use crate::metadata::config::NodeConfig;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{BrokerImage, Endpoint, Image, PartitionImage, TopicImage};
use crate::metrics::{Source, table};
use crate::protocol::messages::fetch_request::{FetchPartition, FetchRequestData, FetchTopic};
use crate::protocol::messages::fetch_response::{FetchResponseData, PartitionData};
use crate::protocol::messages::{
    KafkaString, ListOffsetsPartition, ListOffsetsRequestData, ListOffsetsTopic, OffsetForLeaderEpochRequestData,
    OffsetForLeaderPartition, OffsetForLeaderTopic, PartitionProduceData, PartitionProduceResponse, ProduceRequestData,
    TopicProduceData,
};
use crate::protocol::{Api, ErrorCode, Request, RequestHeader, Response, decode_response, encode_request};
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};
use crate::records::{BatchBuilder, Compression, batches};
use crate::types::{Id, NodeId, Now, TopicIdPartition, TopicPartition};

pub(super) const TOPIC: Id = Id([1; 16]);
pub(super) const INTERNAL: Id = Id([2; 16]);
pub(super) const ALONE: &[NodeId] = &[1];

pub(super) struct Site {
    pub(super) broker: Broker,
    pub(super) now: Now,
    pub(super) lines: Reader,
    seq: u64,
}

/// What became of a request.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are answers, and each is moved once")]
pub(super) enum Outcome {
    Answer(Response),
    NoAnswer,
    Waits,
}

pub(super) fn image(leader: NodeId, epoch: i32, replicas: &[NodeId], isr: &[NodeId]) -> Image {
    let mut image = Image { offset: 10, ..Image::default() };
    for id in [1, 2] {
        let endpoint = Endpoint {
            name: "PLAINTEXT".into(),
            host: format!("broker-{id}"),
            port: 9000 + id as u16,
            security_protocol: 0,
        };
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
    let partition = PartitionImage {
        leader,
        leader_epoch: epoch,
        partition_epoch: epoch,
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        ..PartitionImage::default()
    };
    for (name, id) in [("t", TOPIC), ("__consumer_offsets", INTERNAL)] {
        let topic = TopicImage { name: name.into(), id, partitions: vec![partition.clone(); 2] };
        image.topic_ids.insert(topic.name.clone(), id);
        image.topics.insert(id, Arc::new(topic));
    }
    image
}

pub(super) fn partition(index: i32) -> TopicIdPartition {
    TopicIdPartition { topic_id: TOPIC, partition: index }
}

pub(super) fn batch(count: usize) -> Bytes {
    batch_of(BatchBuilder::new(0, Compression::None), count)
}

pub(super) fn batch_of(mut batch: BatchBuilder, count: usize) -> Bytes {
    for index in 0..count {
        batch.push(1_700_000_000_000 + index as i64, None, Some(b"a value"), &[]);
    }
    batch.build()
}

impl Site {
    pub(super) fn alone() -> Site {
        Site::with(image(1, 0, ALONE, ALONE))
    }

    pub(super) fn with(image: Image) -> Site {
        Site::configured(image, &[])
    }

    pub(super) fn configured(image: Image, configs: &[(&str, &str)]) -> Site {
        Site::on(SimDisk::new(), image, configs)
    }

    /// On what is in this disk's `/data`.
    fn on(disk: SimDisk, image: Image, configs: &[(&str, &str)]) -> Site {
        let now = Now { mono: Duration::from_secs(10), wall_ms: 1_700_000_000_000 };
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let config = NodeConfig::new(1, "a-cluster-of-one-broker", configs).unwrap();
        let config = config.with_log_dirs(vec![PathBuf::from("/data")]).with_voters(vec![3000]);
        let lines = Reader::new(1);
        let mut broker = Broker::open(config.with_log(lines.log.clone()), Arc::new(disk), 7, now).unwrap();
        broker.image = image;
        broker.replicas.registered(now, 5, &broker.image);
        Site { broker, now, lines, seq: 0 }
    }

    pub(super) fn change(&mut self, image: Image) {
        self.broker.image = image;
        let partitions_changed = [partition(0), partition(1)].into();
        let delta = ImageDelta { partitions_changed, ..ImageDelta::default() };
        self.broker.replicas.apply_image(self.now, &self.broker.image, &delta);
        self.broker.on_tick(self.now);
    }

    pub(super) fn header(api: Api, version: i16) -> RequestHeader {
        RequestHeader { api_key: api, api_version: version, correlation_id: 9, client_id: Some("tests".into()) }
    }

    pub(super) fn ask(&mut self, version: i16, request: impl Into<Request>) -> Outcome {
        let header = self.send(version, request.into());
        self.outcome(&header)
    }

    pub(super) fn send(&mut self, version: i16, request: Request) -> RequestHeader {
        let header = Site::header(request.api(), version);
        let frame = encode_request(&header, &request).unwrap().freeze().slice(4..);
        self.send_frame(frame);
        header
    }

    pub(super) fn send_frame(&mut self, frame: Bytes) {
        self.seq += 1;
        self.broker.on_client_frame(self.now, 1, self.seq, [127, 0, 0, 1].into(), frame);
    }

    pub(super) fn outcome(&mut self, header: &RequestHeader) -> Outcome {
        let Some(answer) = self.broker.out.responses.pop() else { return Outcome::Waits };
        let Some(mut frame) = answer.frame else { return Outcome::NoAnswer };
        frame.advance(4);
        Outcome::Answer(decode_response(header, frame.freeze()).unwrap())
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
        self.broker.on_tick(self.now);
    }

    pub(super) fn produce(&mut self, version: i16, acks: i16, records: Bytes) -> PartitionProduceResponse {
        match self.ask(version, produce(version, acks, &[(0, records)])) {
            Outcome::Answer(Response::Produce(mut answer)) => answer.responses.remove(0).partition_responses.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn fetch(&mut self, version: i16, request: FetchRequestData) -> FetchResponseData {
        match self.ask(version, request) {
            Outcome::Answer(Response::Fetch(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn fetch_one(&mut self, version: i16, request: FetchRequestData) -> PartitionData {
        self.fetch(version, request).responses.remove(0).partitions.remove(0)
    }
}

#[test]
fn a_report_has_each_series_once_and_tells_what_a_broker_may_tell() {
    let mut site = Site::alone();
    site.produce(9, -1, batch(3));
    site.pass(10);
    let report = site.broker.metrics_report(site.now.plus(Duration::from_secs(1))).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for series in &report.series {
        let bean = series.bean;
        let labels: Vec<String> = series.labels.iter().map(|(key, label)| format!("{key}={label}")).collect();
        assert!(seen.insert((bean.domain, bean.kind, bean.name, labels)), "{bean:?} twice");
        assert!(matches!(bean.source, Source::Broker | Source::Node), "{bean:?}");
        assert!(table::all().any(|other| std::ptr::eq(other, bean)), "{bean:?} is not in the table");
    }
    let value = |bean| report.get(bean, &[]).unwrap().value();
    // It leads both partitions of both topics, and nobody has registered it.
    assert_eq!((value(&table::replica::LEADER_COUNT), value(&table::node::BROKER_STATE)), (4.0, 1.0));
    assert_eq!(value(&table::node::YAMMER_METRICS_COUNT) + value(&table::node::KAFKA_METRICS_COUNT), {
        report.series.len() as f64
    });
}

pub(super) fn produce(version: i16, acks: i16, partitions: &[(i32, Bytes)]) -> ProduceRequestData {
    let mut topic = TopicProduceData::default();
    if version >= 13 {
        topic.topic_id = TOPIC.into();
    } else {
        topic.name = KafkaString::from_static("t");
    }
    topic.partition_data = partitions
        .iter()
        .map(|(index, records)| PartitionProduceData {
            index: *index,
            records: Some(records.clone()),
            ..PartitionProduceData::default()
        })
        .collect();
    ProduceRequestData { acks, timeout_ms: 1000, topic_data: vec![topic], ..ProduceRequestData::default() }
}

pub(super) fn fetch(version: i16, max_wait_ms: i32, partitions: &[(i32, i64)]) -> FetchRequestData {
    let mut topic = FetchTopic::default();
    if version >= 13 {
        topic.topic_id = TOPIC.into();
    } else {
        topic.topic = KafkaString::from_static("t");
    }
    topic.partitions = partitions
        .iter()
        .map(|&(partition, fetch_offset)| FetchPartition {
            partition,
            fetch_offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        })
        .collect();
    FetchRequestData { max_wait_ms, min_bytes: 1, max_bytes: 1 << 20, topics: vec![topic], ..Default::default() }
}

fn list(timestamp: i64) -> ListOffsetsRequestData {
    let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    let name = KafkaString::from_static("t");
    let topic = ListOffsetsTopic { name, partitions: vec![partition], ..ListOffsetsTopic::default() };
    ListOffsetsRequestData { replica_id: -1, topics: vec![topic], ..ListOffsetsRequestData::default() }
}

#[test]
fn every_version_of_produce_and_fetch_works() {
    let mut site = Site::alone();
    for version in 3..=13 {
        let answer = site.produce(version, -1, batch(2));
        assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(version - 3) * 2), "v{version}");
        assert_eq!(answer.log_append_time_ms, -1);
        assert_eq!(answer.log_start_offset, if version >= 5 { 0 } else { -1 });
    }
    for version in 4..=18 {
        let part = site.fetch_one(version, fetch(version, 0, &[(0, 4)]));
        assert_eq!((part.error_code, part.high_watermark, part.last_stable_offset), (0, 22, 22), "v{version}");
        let records = part.records.unwrap();
        assert_eq!(i64::from_be_bytes(records[..8].try_into().unwrap()), 4, "v{version}: whole batches from there");
    }
}

#[test]
fn every_version_of_list_offsets_and_offset_for_leader_epoch_works() {
    let mut site = Site::alone();
    site.produce(9, -1, batch(3));
    for version in 1..=11 {
        let mut ask = |timestamp| match site.ask(version, list(timestamp)) {
            Outcome::Answer(Response::ListOffsets(mut answer)) => answer.topics.remove(0).partitions.remove(0),
            other => panic!("{other:?}"),
        };
        assert_eq!((ask(-1).offset, ask(-2).offset), (3, 0), "v{version}");
        let by_time = ask(1_700_000_000_001);
        assert_eq!((by_time.offset, by_time.timestamp), (1, 1_700_000_000_001));
        assert_eq!(by_time.leader_epoch, if version >= 4 { 0 } else { -1 });
        let max = ask(-3);
        let expected = if version >= 7 { (0, 2) } else { (ErrorCode::UnsupportedVersion.code(), -1) };
        assert_eq!((max.error_code, max.offset), expected, "v{version}");
    }
    for version in 2..=4 {
        let asked = |leader_epoch, current_leader_epoch| OffsetForLeaderPartition {
            partition: 0,
            current_leader_epoch,
            leader_epoch,
            ..OffsetForLeaderPartition::default()
        };
        let topic = OffsetForLeaderTopic {
            topic: KafkaString::from_static("t"),
            partitions: vec![asked(0, -1), asked(0, 4), asked(5, -1)],
            ..OffsetForLeaderTopic::default()
        };
        let topics = vec![topic];
        let request = OffsetForLeaderEpochRequestData { replica_id: -1, topics, ..Default::default() };
        let Outcome::Answer(Response::OffsetForLeaderEpoch(answer)) = site.ask(version, request) else { panic!() };
        let parts = &answer.topics[0].partitions;
        assert_eq!((parts[0].leader_epoch, parts[0].end_offset), (0, 3));
        assert_eq!(parts[1].error_code, ErrorCode::UnknownLeaderEpoch.code());
        assert_eq!((parts[2].error_code, parts[2].end_offset), (0, -1));
    }
}

#[test]
fn what_produce_refuses() {
    let mut site = Site::alone();
    let code = |answer: PartitionProduceResponse| ErrorCode::from(answer.error_code);
    assert_eq!(code(site.produce(9, 5, batch(1))), ErrorCode::InvalidRequiredAcks);
    let mut corrupt = batch(1).to_vec();
    *corrupt.last_mut().unwrap() ^= 1;
    assert_eq!(code(site.produce(9, 1, corrupt.into())), ErrorCode::CorruptMessage);
    assert_eq!(code(site.produce(9, 1, Bytes::new())), ErrorCode::InvalidRecord);
    let two = [batch(1), batch(1)].concat();
    assert_eq!(code(site.produce(9, 1, two.into())), ErrorCode::InvalidRecord);
    let mut old = batch(1).to_vec();
    old[16] = 1;
    assert_eq!(code(site.produce(9, 1, old.into())), ErrorCode::InvalidRecord);
    let zstd = batch_of(BatchBuilder::new(0, Compression::Zstd), 1);
    assert_eq!(code(site.produce(6, 1, zstd.clone())), ErrorCode::UnsupportedCompressionType);
    assert_eq!(code(site.produce(7, 1, zstd)), ErrorCode::None);
    let large = {
        let mut batch = BatchBuilder::new(0, Compression::None);
        batch.push(0, None, Some(&vec![0; 1_100_000]), &[]);
        batch.build()
    };
    assert_eq!(code(site.produce(9, 1, large)), ErrorCode::MessageTooLarge);
    let transactional = batch_of(BatchBuilder::new(0, Compression::None).producer(7, 0, 0).transactional(true), 1);
    assert_eq!(code(site.produce(9, 1, transactional.clone())), ErrorCode::TransactionalIdAuthorizationFailed);
    let mut request = produce(9, -1, &[(0, transactional)]);
    request.transactional_id = Some(KafkaString::from_static("tx"));
    let Outcome::Answer(Response::Produce(answer)) = site.ask(9, request) else { panic!() };
    let part = &answer.responses[0].partition_responses[0];
    assert_eq!(part.error_code, ErrorCode::NotEnoughReplicas.code(), "it has no coordinator that could be asked");
    assert_eq!(site.broker.replicas.log(&partition(0)).unwrap().log_end_offset(), 1, "nothing of it was appended");
}

#[test]
fn topics_that_are_not_there_and_internal_ones() {
    let mut site = Site::alone();
    let mut ask = |version: i16, change: &dyn Fn(&mut TopicProduceData)| {
        let mut request = produce(version, 1, &[(0, batch(1)), (7, batch(1))]);
        change(&mut request.topic_data[0]);
        let Outcome::Answer(Response::Produce(answer)) = site.ask(version, request) else { panic!() };
        let codes = answer.responses[0].partition_responses.iter();
        codes.map(|part| ErrorCode::from(part.error_code)).collect::<Vec<_>>()
    };
    use ErrorCode::*;
    assert_eq!(ask(9, &|_| {}), [None, UnknownTopicOrPartition]);
    assert_eq!(ask(9, &|topic| topic.name = KafkaString::from_static("u")), [UnknownTopicOrPartition; 2]);
    assert_eq!(ask(13, &|topic| topic.topic_id = Id([9; 16]).into()), [UnknownTopicId; 2]);
    let internal = KafkaString::from_static("__consumer_offsets");
    let codes = ask(9, &|topic| topic.name = internal.clone());
    assert_eq!(codes, [InvalidTopicException, UnknownTopicOrPartition]);
}

#[test]
fn acks_0_has_no_answer_and_an_error_closes_the_connection() {
    let mut site = Site::alone();
    assert_eq!(site.ask(9, produce(9, 0, &[(0, batch(1))])), Outcome::NoAnswer);
    assert!(site.broker.out.closes.is_empty());
    assert_eq!(site.ask(9, produce(9, 0, &[(7, batch(1))])), Outcome::NoAnswer);
    assert_eq!(site.broker.out.closes.len(), 1);
}

#[test]
fn an_idempotent_producer_is_answered_twice_and_appended_once() {
    let mut site = Site::alone();
    let of = |sequence| batch_of(BatchBuilder::new(0, Compression::None).producer(7, 0, sequence), 2);
    assert_eq!(site.produce(9, -1, of(0)).base_offset, 0);
    assert_eq!(site.produce(9, -1, of(2)).base_offset, 2);
    let again = site.produce(9, -1, of(0));
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    assert_eq!(site.produce(9, -1, of(8)).error_code, ErrorCode::OutOfOrderSequenceNumber.code());
    assert_eq!(site.broker.replicas.log(&partition(0)).unwrap().log_end_offset(), 4);
}

#[test]
fn acks_all_waits_for_the_replicas_and_no_longer_than_asked() {
    let mut site = Site::with(image(1, 0, &[1, 2], &[1, 2]));
    assert_eq!(site.ask(10, produce(10, -1, &[(0, batch(1))])), Outcome::Waits);
    assert_eq!(site.broker.purgatory.len(), 1);
    site.pass(999);
    assert_eq!(site.outcome(&Site::header(Api::Produce, 10)), Outcome::Waits);
    site.pass(1);
    let Outcome::Answer(Response::Produce(answer)) = site.outcome(&Site::header(Api::Produce, 10)) else { panic!() };
    let part = &answer.responses[0].partition_responses[0];
    assert_eq!((part.error_code, part.base_offset), (ErrorCode::RequestTimedOut.code(), 0));
    assert!(site.broker.purgatory.is_empty());
}

#[test]
fn acks_all_is_told_when_the_leader_loses_its_place() {
    let mut site = Site::with(image(1, 0, &[1, 2], &[1, 2]));
    assert_eq!(site.ask(10, produce(10, -1, &[(0, batch(1))])), Outcome::Waits);
    site.change(image(2, 1, &[1, 2], &[1, 2]));
    let Outcome::Answer(Response::Produce(answer)) = site.outcome(&Site::header(Api::Produce, 10)) else { panic!() };
    let part = &answer.responses[0].partition_responses[0];
    assert_eq!(part.error_code, ErrorCode::NotLeaderOrFollower.code());
    assert_eq!((part.current_leader.leader_id, part.current_leader.leader_epoch), (2, 1));
    assert_eq!((answer.node_endpoints[0].node_id, answer.node_endpoints[0].port), (2, 9002));
    let fenced = |version| {
        let mut request = fetch(version, 500, &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = 0;
        request
    };
    let answer = site.fetch(16, fenced(16));
    let part = &answer.responses[0].partitions[0];
    assert_eq!(part.error_code, ErrorCode::FencedLeaderEpoch.code());
    assert_eq!((part.current_leader.leader_id, answer.node_endpoints[0].node_id), (2, 2));
    assert!(site.fetch(15, fenced(15)).node_endpoints.is_empty());
}

#[test]
fn a_long_poll_wakes_with_the_records_or_in_time() {
    let mut site = Site::alone();
    let header = Site::header(Api::Fetch, 12);
    assert_eq!(site.ask(12, fetch(12, 300, &[(0, 0), (1, 0)])), Outcome::Waits);
    site.pass(299);
    assert_eq!(site.outcome(&header), Outcome::Waits);
    site.pass(1);
    let Outcome::Answer(Response::Fetch(empty)) = site.outcome(&header) else { panic!() };
    assert!(empty.responses[0].partitions.iter().all(|part| part.records.as_ref().unwrap().is_empty()));

    assert_eq!(site.ask(12, fetch(12, 300, &[(0, 0), (1, 0)])), Outcome::Waits);
    let produce = produce(9, 1, &[(1, batch(1))]);
    let frame = encode_request(&Site::header(Api::Produce, 9), &produce.into()).unwrap().freeze().slice(4..);
    site.broker.on_client_frame(site.now, 2, 1, [127, 0, 0, 1].into(), frame);
    let fetched = site.broker.out.responses.iter().position(|answer| answer.conn == 1).unwrap();
    let answer = site.broker.out.responses.swap_remove(fetched);
    let response = decode_response(&header, answer.frame.unwrap().freeze().slice(4..)).unwrap();
    let Response::Fetch(response) = response else { panic!() };
    assert!(!response.responses[0].partitions[1].records.as_ref().unwrap().is_empty());
    assert!(site.broker.purgatory.is_empty());
}

#[test]
fn min_bytes_counts_what_comes_over_time() {
    let mut site = Site::alone();
    let one = batch(1).len();
    let mut request = fetch(12, 10_000, &[(0, 0)]);
    request.min_bytes = (3 * one) as i32;
    assert_eq!(site.ask(12, request), Outcome::Waits);
    for appended in 1..=3 {
        site.broker.replicas.append(site.now, &partition(0), BytesMut::from(&batch(1)[..]), 1).unwrap();
        site.broker.on_tick(site.now);
        assert_eq!(site.broker.purgatory.len(), usize::from(appended < 3), "after {appended}");
    }
    let Outcome::Answer(Response::Fetch(answer)) = site.outcome(&Site::header(Api::Fetch, 12)) else { panic!() };
    assert_eq!(answer.responses[0].partitions[0].records.as_ref().unwrap().len(), 3 * one);
}

#[test]
fn limits_hold_but_the_first_batch_is_whole() {
    let mut site = Site::alone();
    for _ in 0..3 {
        site.produce(9, 1, batch(1));
    }
    let one = batch(1).len();
    let mut request = fetch(12, 0, &[(0, 0)]);
    request.max_bytes = 1;
    assert_eq!(site.fetch_one(12, request.clone()).records.unwrap().len(), one);
    request.max_bytes = 2 * one as i32 + 5;
    assert_eq!(site.fetch_one(12, request.clone()).records.unwrap().len(), 2 * one);
    request.max_bytes = 1 << 20;
    request.topics[0].partitions[0].partition_max_bytes = 1;
    assert_eq!(site.fetch_one(12, request).records.unwrap().len(), one);
}

#[test]
fn a_closed_connection_is_forgotten() {
    let mut site = Site::alone();
    assert_eq!(site.ask(12, fetch(12, 300, &[(0, 0)])), Outcome::Waits);
    site.broker.on_disconnect(site.now, 1);
    assert!(site.broker.purgatory.is_empty());
    site.pass(1000);
    assert_eq!(site.outcome(&Site::header(Api::Fetch, 12)), Outcome::Waits);
}

#[test]
fn no_client_can_act_as_a_replica() {
    let mut site = Site::with(image(1, 0, &[1, 2], &[1, 2]));
    assert_eq!(site.ask(9, produce(9, -1, &[(0, batch(1))])), Outcome::Waits);
    for version in [4, 12, 14, 15, 18] {
        let mut request = fetch(version, 0, &[(0, 1)]);
        if version >= 15 {
            request.replica_state.replica_id = 2;
            request.replica_state.replica_epoch = 5;
        } else {
            request.replica_id = 2;
        }
        let part = site.fetch_one(version, request);
        assert_eq!(part.error_code, ErrorCode::TopicAuthorizationFailed.code(), "v{version}");
    }
    assert_eq!(site.broker.replicas.partition(&partition(0)).unwrap().high_watermark(), 0);
    assert_eq!(site.broker.purgatory.len(), 1, "the produce still waits");
}

/// From version 11 on a consumer says in which rack it is. Kafka's ReplicaVerificationTool reads followers at any version.
#[test]
fn followers_are_read_by_those_who_know_how() {
    let mut site = Site::with(image(2, 0, &[1, 2], &[1, 2]));
    for (version, replica_id, code) in [
        (10, -1, ErrorCode::NotLeaderOrFollower),
        (10, -2, ErrorCode::None),
        (11, -1, ErrorCode::None),
        (18, -1, ErrorCode::None),
        (18, -2, ErrorCode::None),
    ] {
        let mut request = fetch(version, 0, &[(0, 0)]);
        if version >= 15 {
            request.replica_state.replica_id = replica_id;
        } else {
            request.replica_id = replica_id;
        }
        assert_eq!(site.fetch_one(version, request).error_code, code.code(), "v{version} {replica_id}");
    }
}

#[test]
fn sessions_over_the_wire() {
    let mut site = Site::alone();
    let mut first = fetch(13, 0, &[(0, 0), (1, 0)]);
    first.session_epoch = 0;
    let answer = site.fetch(13, first);
    assert_eq!(answer.responses[0].partitions.len(), 2);
    let session_id = answer.session_id;
    assert_ne!(session_id, 0);
    let mut next = fetch(13, 0, &[]);
    next.topics.clear();
    (next.session_id, next.session_epoch) = (session_id, 1);
    assert!(site.fetch(13, next.clone()).responses.is_empty(), "no news");
    site.produce(9, 1, batch(1));
    next.session_epoch = 2;
    let answer = site.fetch(13, next.clone());
    assert_eq!(answer.responses[0].partitions.len(), 1);
    assert_eq!(site.fetch(13, next).error_code, ErrorCode::InvalidFetchSessionEpoch.code());
    let old = site.fetch(6, fetch(6, 0, &[(0, 0)]));
    assert_eq!(old.session_id, 0, "versions before sessions");
}

#[test]
fn consumers_learn_of_fences_divergence_and_the_range() {
    let mut site = Site::alone();
    site.produce(9, 1, batch(2));
    let mut ask = |change: &dyn Fn(&mut FetchPartition)| {
        let mut request = fetch(12, 500, &[(0, 0)]);
        change(&mut request.topics[0].partitions[0]);
        site.fetch_one(12, request)
    };
    assert_eq!(ask(&|part| part.current_leader_epoch = 3).error_code, ErrorCode::UnknownLeaderEpoch.code());
    let range = ask(&|part| part.fetch_offset = 99);
    assert_eq!((range.error_code, range.high_watermark), (ErrorCode::OffsetOutOfRange.code(), -1));
    assert_eq!(ask(&|part| part.fetch_offset = -1).error_code, ErrorCode::OffsetOutOfRange.code());
    let diverging = ask(&|part| (part.fetch_offset, part.last_fetched_epoch) = (5, 0));
    assert_eq!((diverging.diverging_epoch.epoch, diverging.diverging_epoch.end_offset), (0, 2));
    let mut request = fetch(12, 0, &[(0, 0)]);
    request.isolation_level = 1;
    assert_eq!(site.fetch_one(12, request).aborted_transactions, Some(Vec::new()));
}

/// 0–1 of producer 7, 2: 7 aborted, 3–4 of producer 8, open.
fn with_an_aborted_transaction() -> SimDisk {
    let (disk, now) = (SimDisk::new(), Now { mono: Duration::from_secs(1), wall_ms: 1_700_000_000_000 });
    let (dir, name) = (PathBuf::from("/data/t-0"), TopicPartition::new("t", 0));
    let opened =
        Log::open(Arc::new(disk.clone()), dir, name, Some(TOPIC), LogConfig::default(), Recovery::UNKNOWN, now);
    let mut log = opened.unwrap();
    let of = |id: i64| BatchBuilder::new(0, Compression::None).producer(id, 0, 0).transactional(true);
    log.append_as_leader(now, BytesMut::from(batch_of(of(7), 2)), 0).unwrap();
    let mut marker = BatchBuilder::new(0, Compression::None).producer(7, 0, -1).transactional(true).control(true);
    marker.push(1, Some(&control_key(ControlType::Abort)), Some(&encode_end_txn_marker(1)), &[]);
    log.append(now, marker.build_mut(), 0, AppendOrigin::Coordinator).unwrap();
    log.append_as_leader(now, BytesMut::from(batch_of(of(8), 2)), 0).unwrap();
    log.flush(now).unwrap();
    disk
}

#[test]
fn consumers_of_committed_records_learn_what_was_aborted() {
    let mut site = Site::on(with_an_aborted_transaction(), image(1, 0, ALONE, ALONE), &[]);
    for version in 4..=17 {
        let mut ask = |isolation_level: i8, offset: i64| {
            let mut request = fetch(version, 0, &[(0, offset)]);
            request.isolation_level = isolation_level;
            site.fetch_one(version, request)
        };
        let uncommitted = ask(0, 0);
        assert_eq!((uncommitted.high_watermark, uncommitted.last_stable_offset), (5, 3), "version {version}");
        assert_eq!(uncommitted.aborted_transactions, None, "version {version}");
        let ends = |part: &PartitionData| {
            let headers = batches(part.records.as_ref().unwrap()).map(|batch| batch.unwrap().0.last_offset());
            headers.collect::<Vec<_>>()
        };
        assert_eq!(ends(&uncommitted), [1, 2, 4]);
        let committed = ask(1, 0);
        let aborted = committed.aborted_transactions.as_ref().unwrap();
        assert_eq!(aborted.iter().map(|txn| (txn.producer_id, txn.first_offset)).collect::<Vec<_>>(), [(7, 0)]);
        assert_eq!(ends(&committed), [1, 2], "up to the transaction that is open");
        assert_eq!(ask(1, 3).aborted_transactions, Some(Vec::new()), "after the transaction's end");
    }
}
