//! DeleteRecords, DescribeLogDirs and AlterReplicaLogDirs as a client sees them, and what Produce tells of single records.

use std::sync::Arc;

use super::data_tests::{INTERNAL, Outcome, Site, TOPIC, batch, batch_of, image, partition};
use super::peer::{PeerMessage, PeerRequest};
use crate::metadata::config::RESOURCE_TOPIC;
use crate::metadata::delta::ImageDelta;
use crate::protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use crate::protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use crate::protocol::messages::fetch_request::{FetchPartition, FetchRequestData, FetchTopic};
use crate::protocol::messages::{
    AlterReplicaLogDirsRequestData, DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequestData,
    DeleteRecordsTopic, DescribeLogDirsRequestData, DescribeLogDirsResult, KafkaString,
};
use crate::protocol::{Api, ErrorCode, Response};
use crate::records::{BatchBuilder, Compression};

fn delete(topic: &str, partitions: &[(i32, i64)]) -> DeleteRecordsRequestData {
    let partitions = partitions.iter().map(|&(partition_index, offset)| DeleteRecordsPartition {
        partition_index,
        offset,
        ..Default::default()
    });
    let topic = DeleteRecordsTopic {
        name: KafkaString::from(topic.to_owned()),
        partitions: partitions.collect(),
        ..Default::default()
    };
    DeleteRecordsRequestData { topics: vec![topic], timeout_ms: 1000, ..Default::default() }
}

fn results(outcome: Outcome) -> Vec<(ErrorCode, i64)> {
    let Outcome::Answer(Response::DeleteRecords(mut answer)) = outcome else { panic!("{outcome:?}") };
    let result = |part: DeleteRecordsPartitionResult| (ErrorCode::from(part.error_code), part.low_watermark);
    answer.topics.remove(0).partitions.into_iter().map(result).collect()
}

/// Sets configs of the topic `t`.
fn configure(site: &mut Site, configs: &[(&str, &str)]) {
    let key = (RESOURCE_TOPIC, "t".into());
    let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    site.broker.image.configs.insert(key.clone(), Arc::new(configs));
    let delta = ImageDelta { configs_changed: [key].into(), ..ImageDelta::default() };
    site.broker.replicas.apply_image(site.now, &site.broker.image, &delta);
}

#[test]
fn records_are_deleted_at_every_version() {
    use ErrorCode::{InvalidTopicException, OffsetOutOfRange, UnknownTopicOrPartition};
    let mut site = Site::alone();
    for _ in 0..9 {
        site.produce(9, -1, batch(1));
    }
    for version in 0..=2 {
        let offset = i64::from(version) + 1;
        assert_eq!(results(site.ask(version, delete("t", &[(0, offset)]))), [(ErrorCode::None, offset)], "v{version}");
    }
    let mut ask = |topic, partitions: &[_]| results(site.ask(2, delete(topic, partitions)));
    assert_eq!(ask("t", &[(0, 2)]), [(ErrorCode::None, 3)], "it never goes back");
    assert_eq!(ask("t", &[(0, 10), (7, 0), (1, 0)])[..2], [(OffsetOutOfRange, -1), (UnknownTopicOrPartition, -1)]);
    assert_eq!(ask("t", &[(0, -2)]), [(OffsetOutOfRange, -1)]);
    assert_eq!(ask("u", &[(0, 0)]), [(UnknownTopicOrPartition, -1)]);
    assert_eq!(ask("__consumer_offsets", &[(0, 0)]), [(InvalidTopicException, -1)]);
    assert_eq!(ask("t", &[(0, -1)]), [(ErrorCode::None, 9)], "all that is committed");
    assert_eq!(site.broker.replicas.log(&partition(0)).unwrap().log_start_offset(), 9);
    configure(&mut site, &[("cleanup.policy", "compact")]);
    assert_eq!(results(site.ask(2, delete("t", &[(0, 9)]))), [(ErrorCode::PolicyViolation, -1)]);
    configure(&mut site, &[("cleanup.policy", "compact,delete")]);
    assert_eq!(results(site.ask(2, delete("t", &[(0, 9)]))), [(ErrorCode::None, 9)]);
    site.change(image(2, 1, &[1, 2], &[1, 2]));
    assert_eq!(results(site.ask(2, delete("t", &[(0, 9)]))), [(ErrorCode::NotLeaderOrFollower, -1)]);
    assert_ne!(TOPIC, INTERNAL);
}

/// Broker 2 fetches from partition 0 as a follower.
fn follow(site: &mut Site, offset: i64, log_start_offset: i64) {
    let mut request = FetchRequestData { max_bytes: 1 << 20, session_epoch: 0, ..FetchRequestData::default() };
    request.replica_state.replica_id = 2;
    request.replica_state.replica_epoch = 5;
    let part = FetchPartition {
        fetch_offset: offset,
        log_start_offset,
        current_leader_epoch: 0,
        last_fetched_epoch: if offset > 0 { 0 } else { -1 },
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    request.topics.push(FetchTopic { topic_id: TOPIC.into(), partitions: vec![part], ..FetchTopic::default() });
    let message = PeerMessage::Request { correlation: 1, body: PeerRequest::Fetch(Box::new(request)) };
    site.broker.on_peer_message(site.now, 2, message);
}

#[test]
fn a_deletion_waits_for_the_replicas_and_no_longer_than_asked() {
    let mut site = Site::with(image(1, 0, &[1, 2], &[1, 2]));
    let header = Site::header(Api::DeleteRecords, 2);
    site.produce(9, 1, batch(5));
    follow(&mut site, 0, 0);
    follow(&mut site, 5, 0);
    assert_eq!(site.ask(2, delete("t", &[(0, 3)])), Outcome::Waits);
    assert_eq!(site.broker.purgatory.len(), 1);
    follow(&mut site, 5, 3);
    assert_eq!(results(site.outcome(&header)), [(ErrorCode::None, 3)]);
    assert_eq!(site.ask(2, delete("t", &[(0, 4)])), Outcome::Waits);
    site.pass(999);
    assert_eq!(site.outcome(&header), Outcome::Waits);
    site.pass(1);
    assert_eq!(results(site.outcome(&header)), [(ErrorCode::RequestTimedOut, 3)]);
    assert_eq!(site.ask(2, delete("t", &[(0, 5)])), Outcome::Waits);
    site.change(image(2, 1, &[1, 2], &[1, 2]));
    assert_eq!(results(site.outcome(&header)), [(ErrorCode::NotLeaderOrFollower, -1)]);
    assert!(site.broker.purgatory.is_empty());
}

#[test]
fn log_directories_are_described_at_every_version() {
    let mut site = Site::alone();
    let size = batch(2).len() as i64;
    site.produce(9, -1, batch(2));
    let mut ask = |version, topics: Option<&[(&str, i32)]>| -> DescribeLogDirsResult {
        let topics = topics.map(|topics| {
            let topic = |(name, partition): &(&str, i32)| DescribableLogDirTopic {
                topic: KafkaString::from((*name).to_owned()),
                partitions: vec![*partition],
                ..Default::default()
            };
            topics.iter().map(topic).collect()
        });
        match site.ask(version, DescribeLogDirsRequestData { topics, ..Default::default() }) {
            Outcome::Answer(Response::DescribeLogDirs(mut answer)) => answer.results.remove(0),
            other => panic!("{other:?}"),
        }
    };
    for version in 1..=5 {
        let dir = ask(version, None);
        assert_eq!((dir.error_code, dir.log_dir.as_str()), (0, "/data"));
        assert_eq!(dir.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 2]);
        let t = &dir.topics[1];
        assert_eq!((t.name.as_str(), t.partitions[0].partition_size, t.partitions[0].offset_lag), ("t", size, 0));
        assert!(t.partitions.iter().all(|part| !part.is_future_key));
        assert_eq!((dir.total_bytes, dir.usable_bytes), (-1, -1), "a disk in memory knows no room");
    }
    let dir = ask(4, Some(&[("t", 1), ("nowhere", 0)]));
    assert_eq!((dir.topics.len(), dir.topics[0].partitions.len()), (1, 1));
    assert_eq!(dir.topics[0].partitions[0].partition_index, 1);
}

#[test]
fn replicas_are_moved_at_every_version() {
    let mut site = Site::alone();
    for version in 1..=2 {
        let topic = |partitions: &[i32]| AlterReplicaLogDirTopic {
            name: KafkaString::from_static("t"),
            partitions: partitions.to_vec(),
            ..Default::default()
        };
        let dir = |path: &'static str, partitions: &[i32]| AlterReplicaLogDir {
            path: KafkaString::from_static(path),
            topics: vec![topic(partitions)],
            ..Default::default()
        };
        let dirs = vec![dir("/data", &[0, 7]), dir("/elsewhere", &[1])];
        let request = AlterReplicaLogDirsRequestData { dirs, ..Default::default() };
        let Outcome::Answer(Response::AlterReplicaLogDirs(answer)) = site.ask(version, request) else { panic!() };
        let parts = answer.results[0].partitions.iter();
        let codes: Vec<_> = parts.map(|part| (part.partition_index, ErrorCode::from(part.error_code))).collect();
        let expected = [(0, ErrorCode::None), (1, ErrorCode::LogDirNotFound), (7, ErrorCode::UnknownTopicOrPartition)];
        assert_eq!(codes, expected, "v{version}");
    }
}

#[test]
fn produce_tells_which_records_are_at_fault_and_converts_the_others() {
    let mut site = Site::alone();
    configure(&mut site, &[("cleanup.policy", "compact"), ("compression.type", "zstd")]);
    let mut mixed = BatchBuilder::new(0, Compression::Gzip);
    mixed.push(1_700_000_000_000, Some(b"k"), Some(b"v"), &[]);
    mixed.push(1_700_000_000_000, None, Some(b"v"), &[]);
    let mixed = mixed.build();
    for version in [7, 8, 13] {
        let answer = site.produce(version, -1, mixed.clone());
        assert_eq!(answer.error_code, ErrorCode::InvalidRecord.code(), "v{version}");
        let told: Vec<i32> = answer.record_errors.iter().map(|error| error.batch_index).collect();
        assert_eq!(told, if version >= 8 { vec![1] } else { vec![] });
    }
    let mut keyed = BatchBuilder::new(0, Compression::Gzip);
    keyed.push(1_700_000_000_000, Some(b"k"), Some(b"v"), &[]);
    assert_eq!(site.produce(9, -1, keyed.build()).error_code, 0);
    let log = site.broker.replicas.log(&partition(0)).unwrap();
    let read = log.read(0, 1 << 20, 1, true).unwrap().records;
    assert_eq!(crate::records::validate(&read).unwrap().compression().unwrap(), Compression::Zstd);
    configure(&mut site, &[]);
    assert_eq!(site.produce(9, -1, batch_of(BatchBuilder::new(0, Compression::None), 1)).error_code, 0);
}
