//! The quorum of the fixtures: what the metadata log of these topics adds up to, and the last of its records.

use std::path::PathBuf;
use std::sync::Arc;

use broker::metadata::MetadataRecord;
use broker::metadata::config::{RESOURCE_BROKER, RESOURCE_TOPIC};
use broker::metadata::image::{BrokerImage, ControllerImage, Endpoint, Image, PartitionImage, TopicImage};
use broker::metadata::record::{
    BrokerRegistrationChangeRecord, ConfigRecord, NoOpRecord, PartitionChangeRecord, PartitionRecord, TopicRecord,
};
use broker::quorum::{
    ElectionOutline, ElectionState, QuorumContent, QuorumOutline, QuorumRecord, SnapshotId, SnapshotInfo,
};
use broker::records::control::{LeaderChange, Voter};
use broker::types::Id;

use super::fixture::{AT_MS, KILLED_MS};
use crate::monitor::inquiry::{Findings, Inquiries, Query};
use crate::monitor::quorum::{LogFindings, LogWish};
use crate::monitor::snapshot::{Broker, Snapshot, Topic};

/// Where the records of the fixture begin.
const FIRST: i64 = 18_881;
/// Where they end.
const END: i64 = 18_934;
const EPOCH: i32 = 4;
/// The batch in which broker 2 is fenced, where it is.
const FENCED_BATCH: i64 = 14;
/// The active controller.
const LEADER: i32 = 3001;

/// What the metadata log adds up to.
pub fn image(topics: &[Topic], brokers: &[Broker]) -> Image {
    let topics = topics.iter().enumerate().map(|(index, topic)| {
        let image = TopicImage { name: Arc::clone(&topic.name), id: id(index), partitions: partitions(topic) };
        (image.id, Arc::new(image))
    });
    let topics: std::collections::BTreeMap<Id, Arc<TopicImage>> = topics.collect();
    let configs = [("cleanup.policy", "compact"), ("retention.ms", "86400000")];
    let configs = configs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let has_configs = topics.values().filter(|topic| !topic.name.starts_with("__")).take(2);
    let mut all: broker::metadata::image::Configs = has_configs
        .map(|topic| ((RESOURCE_TOPIC, Arc::clone(&topic.name)), Arc::new(configs.clone().into())))
        .collect();
    all.insert((RESOURCE_BROKER, "".into()), Arc::new([("log.cleaner.threads".into(), "2".into())].into()));
    let features = [("eligible.leader.replicas.version", 1), ("group.version", 1), ("metadata.version", 29)];
    Image {
        offset: 18_932,
        epoch: EPOCH,
        brokers: brokers.iter().map(|one| (one.id, Arc::new(broker(one)))).collect(),
        controllers: (3000..3003).map(|id| (id, Arc::new(controller(id)))).collect(),
        topic_ids: topics.values().map(|topic| (Arc::clone(&topic.name), topic.id)).collect(),
        topics,
        configs: all,
        features: features.map(|(name, level)| (name.to_owned(), level)).into(),
        next_producer_id: 3_000,
        ..Image::default()
    }
}

fn id(index: usize) -> Id {
    Id((0x7a31_0000_5511_0000_u128 << 64 | (0x2290 + index as u128)).to_be_bytes())
}

fn partitions(topic: &Topic) -> Vec<PartitionImage> {
    let one = |partition: &crate::monitor::snapshot::Partition| PartitionImage {
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.leader_epoch + 2,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
        elr: partition.elr.clone(),
        ..PartitionImage::default()
    };
    topic.partitions.iter().map(one).collect()
}

fn endpoint(name: &str, port: u16) -> Vec<Endpoint> {
    vec![Endpoint { name: name.into(), host: "127.0.0.1".into(), port, security_protocol: 0 }]
}

fn broker(one: &Broker) -> BrokerImage {
    BrokerImage {
        id: one.id,
        epoch: one.epoch,
        incarnation: id(100 + one.id as usize),
        endpoints: endpoint("PLAINTEXT", one.port),
        rack: one.rack.clone(),
        fenced: one.fenced,
        in_controlled_shutdown: false,
        log_dirs: vec![id(200 + one.id as usize)],
        features: Vec::new(),
        cordoned_log_dirs: Vec::new(),
    }
}

fn controller(node_id: i32) -> ControllerImage {
    ControllerImage {
        id: node_id,
        incarnation: id(node_id as usize),
        endpoints: endpoint("CONTROLLER", 0),
        features: Vec::new(),
    }
}

/// The answers to what the quorum's screen asks when it is opened.
pub fn answers(snapshot: &Snapshot, broken: bool) -> Inquiries {
    let mut inquiries = Inquiries::default();
    let found =
        LogFindings::read(PathBuf::from("/data/controller-3001/__cluster_metadata-0"), outline(snapshot, broken));
    let found = Arc::new(Findings::Quorum(Box::new(found)));
    for (from, to) in [(0, 0), (16_500, i64::MAX)] {
        let query = Query::Quorum(LogWish { node_id: LEADER, from, to });
        inquiries.answer(&query, AT_MS, Ok(Arc::clone(&found)));
    }
    inquiries
}

fn outline(snapshot: &Snapshot, broken: bool) -> QuorumOutline {
    let mut election = [3002, 3000, 3002, LEADER].into_iter().zip(1..);
    let voters = vec![3000, LEADER, 3002];
    let elections = election.by_ref().map(|(leader_id, epoch): (i32, i32)| ElectionOutline {
        epoch,
        start_offset: [0, 3_120, 9_407, FIRST][epoch as usize - 1],
        at_ms: AT_MS - 86_400_000 / i64::from(epoch * epoch * epoch),
        leader_id,
        voters: voters.clone(),
        granting: vec![if leader_id == 3000 { 3002 } else { 3000 }, leader_id],
    });
    let snapshot_at = |end_offset, epoch, size_bytes| SnapshotInfo {
        id: SnapshotId { end_offset, epoch },
        size_bytes,
        last_contained_ms: AT_MS - (18_933 - end_offset) * 500,
    };
    QuorumOutline {
        state: Some(ElectionState { epoch: EPOCH, leader: Some(LEADER), voted: None }),
        snapshots: vec![snapshot_at(9_000, 2, 31_204), snapshot_at(17_800, 3, 40_918)],
        segments: vec![(9_000, 812_331)],
        elections: elections.collect(),
        records: records(snapshot, broken),
        cut_at: None,
    }
}

fn records(snapshot: &Snapshot, broken: bool) -> Vec<QuorumRecord> {
    let voter = |id| Voter { id, directory_id: Id::ZERO };
    let change = LeaderChange {
        version: 0,
        leader_id: LEADER,
        voters: [3000, LEADER, 3002].map(voter).to_vec(),
        granting_voters: [3000, LEADER].map(voter).to_vec(),
    };
    let mut said: Vec<Vec<QuorumContent>> = vec![vec![QuorumContent::LeaderChange(change)]];
    let data = |record: MetadataRecord| QuorumContent::Data(record.encode());
    let topic = snapshot.image.topics.values().nth(1);
    if let Some(topic) = topic {
        let made = TopicRecord { name: topic.name.to_string(), topic_id: topic.id };
        let retention = ConfigRecord {
            resource_type: RESOURCE_TOPIC,
            resource_name: topic.name.to_string(),
            name: "retention.ms".into(),
            value: Some("86400000".into()),
        };
        let partition = |partition_id| PartitionRecord {
            partition_id,
            topic_id: topic.id,
            replicas: vec![1, 2, 3],
            isr: vec![1, 2, 3],
            leader: 1 + partition_id % 3,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        };
        let partitions = (0..6).map(|id| data(partition(id).into()));
        said.push([data(made.into()), data(retention.into())].into_iter().chain(partitions).collect());
    }
    said.extend((0..12).map(|_| vec![data(NoOpRecord::default().into())]));
    if broken {
        let fenced = BrokerRegistrationChangeRecord { broker_id: 2, broker_epoch: 71, fenced: 1, ..Default::default() };
        let changed = snapshot.image.topics.values().flat_map(|topic| {
            let lost = |partition_id: i32| PartitionChangeRecord {
                partition_id,
                topic_id: topic.id,
                isr: Some(vec![1, 3]),
                leader: if partition_id % 3 == 1 { 3 } else { -2 },
                ..PartitionChangeRecord::default()
            };
            (0..topic.partitions.len().min(4)).map(move |id| lost(id as i32))
        });
        said.push([data(fenced.into())].into_iter().chain(changed.map(|one| data(one.into()))).collect());
    }
    let count: usize = said.iter().map(Vec::len).sum();
    said.extend((count..(END - FIRST) as usize).map(|_| vec![data(NoOpRecord::default().into())]));
    number(said)
}

/// Each batch after the other; the last record is not committed yet.
fn number(batches: Vec<Vec<QuorumContent>>) -> Vec<QuorumRecord> {
    let mut offset = FIRST;
    let mut records = Vec::new();
    for (index, batch) in batches.into_iter().enumerate() {
        let first = offset;
        // Twice a second something is written; what came with the kill came when broker 2 was fenced.
        let timestamp_ms = KILLED_MS + (index as i64 - FENCED_BATCH) * 500 + 1_512;
        for content in batch {
            records.push(QuorumRecord { offset, epoch: EPOCH, timestamp_ms, batch: first, content });
            offset += 1;
        }
    }
    records
}
