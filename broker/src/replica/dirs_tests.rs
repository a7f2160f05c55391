//! One broker with several log directories: where replicas go, what a failing directory takes with it, how replicas move.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::metrics_tests::{read, value};
use super::{Output, ReplicaManager, ReplicaManagerError};
use crate::log::SimDisk;
use crate::log::disk::Disk;
use crate::logging::testing::Reader;
use crate::metadata::config::{NodeConfig, RESOURCE_BROKER, RESOURCE_TOPIC};
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{BrokerImage, Image, PartitionImage, TopicImage};
use crate::metadata::record::DIRECTORY_UNASSIGNED;
use crate::metrics::MetricsReport;
use crate::metrics::table::{log as log_bean, replica as bean};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AssignReplicasToDirsRequestData, AssignReplicasToDirsResponseData, assign_replicas_to_dirs_response as wire,
};
use crate::records::{BatchBuilder, Compression};
use crate::types::{Id, Now, TopicIdPartition, TopicPartition};

const TOPIC: Id = Id([7; 16]);

pub(super) fn id(partition: i32) -> TopicIdPartition {
    TopicIdPartition { topic_id: TOPIC, partition }
}

fn name(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

/// A broker that leads all partitions of a topic alone, and a controller that agrees to every directory.
pub(super) struct Site {
    pub(super) disk: SimDisk,
    pub(super) lines: Reader,
    now: Now,
    manager: ReplicaManager,
    image: Image,
    roots: Vec<PathBuf>,
    /// Requests to the controller that are not answered yet.
    held: Vec<(u64, AssignReplicasToDirsRequestData)>,
    hold: bool,
}

fn config(roots: &[PathBuf]) -> NodeConfig {
    NodeConfig::new(1, "a-cluster-of-one-broker", Default::default()).unwrap().with_log_dirs(roots.to_vec())
}

fn open(disk: &SimDisk, roots: &[PathBuf], now: Now) -> Result<ReplicaManager, ReplicaManagerError> {
    ReplicaManager::open(&config(roots), Arc::new(disk.clone()), now)
}

impl Site {
    pub(super) fn new(partitions: usize) -> Site {
        let (disk, roots) = (SimDisk::new(), vec![PathBuf::from("/d1"), PathBuf::from("/d2")]);
        let now = Now { mono: Duration::from_secs(1), wall_ms: 1_700_000_000_000 };
        let lines = Reader::new(1);
        let config = config(&roots).with_log(lines.log.clone());
        let manager = ReplicaManager::open(&config, Arc::new(disk.clone()), now).unwrap();
        let partition = PartitionImage {
            leader: 1,
            replicas: vec![1],
            isr: vec![1],
            directories: vec![DIRECTORY_UNASSIGNED],
            ..PartitionImage::default()
        };
        let mut image = Image { offset: 10, ..Image::default() };
        let topic = TopicImage { name: "t".into(), id: TOPIC, partitions: vec![partition; partitions] };
        image.topic_ids.insert("t".into(), TOPIC);
        image.topics.insert(TOPIC, Arc::new(topic));
        let broker = BrokerImage {
            id: 1,
            epoch: 5,
            incarnation: Id::ZERO,
            endpoints: Vec::new(),
            rack: None,
            fenced: false,
            in_controlled_shutdown: false,
            log_dirs: manager.log_dirs().online_ids(),
            features: Vec::new(),
            cordoned_log_dirs: Vec::new(),
        };
        image.brokers.insert(1, Arc::new(broker));
        let mut site = Site { disk, lines, now, manager, image, roots, held: Vec::new(), hold: false };
        site.manager.registered(now, 5, &site.image);
        site.settle();
        site
    }

    fn answer(&mut self, id: u64, request: &AssignReplicasToDirsRequestData) {
        let mut directories = Vec::new();
        let mut changed = BTreeSet::new();
        for directory in &request.directories {
            let mut answer = wire::DirectoryData { id: directory.id, ..Default::default() };
            for topic in &directory.topics {
                let mut topic_answer = wire::TopicData { topic_id: topic.topic_id, ..Default::default() };
                for partition in &topic.partitions {
                    let index = partition.partition_index;
                    let topic = Arc::make_mut(self.image.topics.get_mut(&TOPIC).unwrap());
                    let state = &mut topic.partitions[index as usize];
                    state.directories = vec![directory.id.into()];
                    state.partition_epoch += 1;
                    changed.insert(TopicIdPartition { topic_id: TOPIC, partition: index });
                    let part = wire::PartitionData { partition_index: index, ..Default::default() };
                    topic_answer.partitions.push(part);
                }
                answer.topics.push(topic_answer);
            }
            directories.push(answer);
        }
        let response = AssignReplicasToDirsResponseData { directories, ..Default::default() };
        self.manager.on_assign_response(self.now, id, Ok(response));
        let delta = ImageDelta { partitions_changed: changed, ..ImageDelta::default() };
        self.manager.apply_image(self.now, &self.image, &delta);
    }

    fn root_of(&self, partition: i32) -> PathBuf {
        self.manager.log_dirs().log(&name(partition)).unwrap().dir().to_owned()
    }

    pub(super) fn settle(&mut self) {
        for output in self.manager.take_outputs(self.now) {
            if let Output::AssignReplicasToDirs { id, request } = output {
                self.held.push((id, *request));
            }
        }
        if !self.hold {
            for (id, request) in std::mem::take(&mut self.held) {
                self.answer(id, &request);
            }
        }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now = self.now.plus(Duration::from_millis(1));
            self.manager.on_tick(self.now);
            self.settle();
        }
    }

    pub(super) fn append(&mut self, partition: i32, bytes: usize) -> Result<i64, ErrorCode> {
        let mut batch = BatchBuilder::new(0, Compression::None);
        batch.push(self.now.wall_ms, None, Some(&vec![7; bytes]), &[]);
        let appended = self.manager.append(self.now, &id(partition), batch.build_mut(), -1);
        appended.map(|appended| appended.first_offset).map_err(|error| error.code)
    }

    pub(super) fn root(&self, partition: i32) -> PathBuf {
        self.manager.log(&id(partition)).unwrap().dir().parent().unwrap().to_owned()
    }

    fn believed(&self, partition: i32) -> Id {
        self.image.partition("t", partition).unwrap().directories[0]
    }

    fn restart(&mut self, clean: bool) {
        if clean {
            self.manager.shutdown(self.now).unwrap();
        }
        self.disk.kill();
        self.held.clear();
        self.manager = open(&self.disk, &self.roots, self.now).unwrap();
        let online = self.manager.log_dirs().online_ids();
        Arc::make_mut(self.image.brokers.get_mut(&1).unwrap()).log_dirs = online;
        self.manager.registered(self.now, 5, &self.image);
        self.settle();
    }

    pub(super) fn move_to(&mut self, partition: i32, root: &str) -> Result<(), ErrorCode> {
        self.manager.move_replica(self.now, &name(partition), Some(id(partition)), root)
    }
}

#[test]
fn replicas_are_spread_over_the_directories_and_the_controller_is_told() {
    let mut site = Site::new(4);
    let ids = site.manager.log_dirs().online_ids();
    assert_eq!(ids.len(), 2);
    let roots: Vec<PathBuf> = (0..4).map(|partition| site.root(partition)).collect();
    assert_eq!(roots.iter().filter(|root| root.as_path() == Path::new("/d1")).count(), 2);
    for partition in 0..4 {
        let expected = if site.root(partition) == Path::new("/d1") { ids[0] } else { ids[1] };
        assert_eq!(site.believed(partition), expected);
    }
    for dir in ["/d1", "/d2"] {
        assert!(site.disk.list(Path::new(dir)).unwrap().contains(&"meta.properties".to_owned()));
    }
    site.append(3, 10).unwrap();
    let before: Vec<PathBuf> = (0..4).map(|partition| site.root(partition)).collect();
    site.pass(6_000);
    site.restart(true);
    assert_eq!(site.manager.log_dirs().online_ids(), ids);
    assert_eq!(site.manager.previous_broker_epoch(), 5);
    assert_eq!((0..4).map(|partition| site.root(partition)).collect::<Vec<_>>(), before);
    assert_eq!(site.manager.log(&id(3)).unwrap().log_end_offset(), 1);
    assert_eq!(site.manager.partition(&id(3)).unwrap().high_watermark(), 1);
}

#[test]
fn a_failing_directory_goes_offline_whole_and_the_rest_goes_on() {
    let mut site = Site::new(4);
    let ids = site.manager.log_dirs().online_ids();
    let there: Vec<i32> = (0..4).filter(|partition| site.root(*partition) == Path::new("/d2")).collect();
    let here: Vec<i32> = (0..4).filter(|partition| !there.contains(partition)).collect();
    for partition in 0..4 {
        site.append(partition, 10).unwrap();
    }
    site.disk.fail_writes_under(Path::new("/d2"), Some(ErrorKind::StorageFull));
    assert_eq!(site.append(there[0], 10), Err(ErrorCode::KafkaStorageError));
    assert!(there.iter().all(|partition| site.manager.partition(&id(*partition)).unwrap().is_offline()));
    assert_eq!(site.append(here[0], 10), Ok(1));
    assert_eq!(site.manager.log_dirs().failed_ids(), [ids[1]]);
    assert_eq!(site.manager.failed_directories().map(|(id, _)| id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(site.manager.halted(), None);
    assert_eq!(site.append(there[1], 10), Err(ErrorCode::KafkaStorageError));
    site.pass(6_000);
    assert_eq!(site.manager.halted(), None, "checkpoints of the others are written");
    // Mended: the next start has it all again.
    site.disk.fail_writes_under(Path::new("/d2"), None);
    site.restart(false);
    for partition in there {
        let log = site.manager.log(&id(partition)).unwrap();
        assert_eq!((log.log_end_offset(), log.dir().parent().unwrap()), (1, Path::new("/d2")));
        assert_eq!(site.append(partition, 10), Ok(1));
    }
    assert_eq!(site.manager.previous_broker_epoch(), -1);
}

#[test]
fn directories_and_moves_are_told() {
    let mut site = Site::new(2);
    let (from, to) = (site.root(0), if site.root(0) == Path::new("/d1") { "/d2" } else { "/d1" });
    for _ in 0..40 {
        site.append(0, 100_000).unwrap();
    }
    assert_eq!(site.move_to(0, to), Ok(()));
    let told = |site: &mut Site| read(&mut site.manager, site.now, &site.image);
    let report = told(&mut site);
    let of = |report: &MetricsReport, bean| value(report, bean);
    assert_eq!(of(&report, &bean::ALTER_LOG_DIRS_MAX_LAG), 40.0, "nothing is copied yet");
    site.pass(3);
    let left = 40 - site.manager.log_dirs().future(&name(0)).unwrap().log_end_offset();
    let report = told(&mut site);
    assert_eq!(of(&report, &bean::ALTER_LOG_DIRS_MAX_LAG), left as f64);
    let copied = site.manager.log_dirs().future(&name(0)).unwrap().size_bytes() as f64;
    // Over the first half minute of a rate's window.
    let rate = of(&report, &bean::ALTER_LOG_DIRS_REPLICATION_BYTE_RATE);
    assert!((rate * 30.0 - copied).abs() <= copied * 0.05, "{rate} of {copied}");
    site.pass(500);
    assert_eq!(of(&told(&mut site), &bean::ALTER_LOG_DIRS_MAX_LAG), 0.0);
    assert_ne!(site.root(0), from);

    let offline = |report: &MetricsReport, dir| {
        report.get(&log_bean::LOG_DIRECTORY_OFFLINE, &[("logDirectory", dir)]).unwrap().value()
    };
    let report = told(&mut site);
    assert_eq!((of(&report, &log_bean::OFFLINE_LOG_DIRECTORY_COUNT), offline(&report, "/d2")), (0.0, 0.0));
    site.disk.fail_writes_under(Path::new("/d2"), Some(ErrorKind::Other));
    site.pass(6_000);
    let there = site.manager.offline().count() as f64;
    let report = told(&mut site);
    assert_eq!((of(&report, &log_bean::OFFLINE_LOG_DIRECTORY_COUNT), offline(&report, "/d2")), (1.0, 1.0));
    assert_eq!((offline(&report, "/d1"), of(&report, &bean::OFFLINE_REPLICA_COUNT)), (0.0, there));
}

#[test]
fn a_failed_checkpoint_fails_the_directory_and_the_first_directory_the_broker() {
    let mut site = Site::new(2);
    site.append(0, 1).unwrap();
    site.append(1, 1).unwrap();
    site.disk.fail_writes_under(Path::new("/d2"), Some(ErrorKind::Other));
    site.pass(6_000);
    assert_eq!(site.manager.offline().count(), 1);
    assert_eq!(site.manager.halted(), None);
    let mut site = Site::new(2);
    site.disk.fail_writes_under(Path::new("/d1"), Some(ErrorKind::Other));
    let first = (0..2).find(|partition| site.root(*partition) == Path::new("/d1")).unwrap();
    assert_eq!(site.append(first, 1), Err(ErrorCode::KafkaStorageError));
    assert!(site.manager.halted().unwrap().starts_with("the metadata log directory /d1 failed: /d1/t-"));
}

#[test]
fn a_directory_that_is_offline_at_the_start_is_gone_without() {
    let mut site = Site::new(2);
    let ids = site.manager.log_dirs().online_ids();
    let gone = (0..2).find(|partition| site.root(*partition) == Path::new("/d2")).unwrap();
    site.append(gone, 1).unwrap();
    site.disk.fail_reads_under(Path::new("/d2"), true);
    site.restart(false);
    assert_eq!(site.manager.log_dirs().online_ids(), [ids[0]]);
    assert!(site.manager.partition(&id(gone)).unwrap().is_offline(), "it must not be begun anew in the other one");
    assert!(site.manager.log(&id(1 - gone)).is_some());
    assert!(
        site.manager.take_events().iter().any(|event| format!("{event:?}").contains("log directory /d2 is offline"))
    );
    site.disk.fail_reads_under(Path::new("/d2"), false);
    site.disk.fail_reads_under(Path::new("/d1"), true);
    assert!(matches!(
        open(&site.disk, &site.roots, site.now),
        Err(ReplicaManagerError::MetadataDir { path, .. }) if path == Path::new("/d1")
    ));
}

#[test]
fn a_replica_in_two_directories_is_nobodys_guess() {
    let site = Site::new(1);
    let here = site.root(0);
    let other = if here == Path::new("/d1") { "/d2" } else { "/d1" };
    site.disk.create_dir_all(&Path::new(other).join("t-0")).unwrap();
    let refused = open(&site.disk, &site.roots, site.now).err().unwrap().to_string();
    assert!(
        refused.starts_with("duplicate log directories for t-0 are found in both /d1/t-0 and /d2/t-0"),
        "{refused}"
    );
}

#[test]
fn a_replica_moves_while_it_is_written_to() {
    let mut site = Site::new(2);
    let (from, to) = (site.root(0), if site.root(0) == Path::new("/d1") { "/d2" } else { "/d1" });
    for _ in 0..40 {
        site.append(0, 100_000).unwrap();
    }
    site.manager.delete_records(site.now, &id(0), 3).unwrap();
    assert_eq!(site.move_to(0, to), Ok(()));
    assert_eq!(site.move_to(0, to), Ok(()), "asked twice");
    assert_eq!(site.root(0), from);
    site.pass(3);
    let future = site.manager.log_dirs().future(&name(0)).unwrap();
    assert!((4..40).contains(&future.log_end_offset()), "in slices: {}", future.log_end_offset());
    for _ in 0..20 {
        site.append(0, 1_000).unwrap();
        site.pass(5);
    }
    site.pass(50);
    assert_eq!(site.root(0), Path::new(to));
    assert!(site.manager.log_dirs().future(&name(0)).is_none());
    let log = site.manager.log(&id(0)).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (3, 60));
    assert_eq!(site.manager.partition(&id(0)).unwrap().high_watermark(), 60);
    assert_eq!(site.append(0, 10), Ok(60));
    let ids = site.manager.log_dirs().online_ids();
    assert_eq!(site.believed(0), if to == "/d1" { ids[0] } else { ids[1] });
    let read = site.manager.log(&id(0)).unwrap().read(3, 1 << 30, 61, true).unwrap();
    assert_eq!(crate::records::batches(&read.records).count(), 58);
    site.pass(61_000);
    let left: Vec<String> = site.disk.list(&from).unwrap().into_iter().filter(|name| name.starts_with("t-0")).collect();
    assert!(left.is_empty(), "{left:?}");
    site.restart(true);
    assert_eq!(site.manager.log(&id(0)).unwrap().log_end_offset(), 61);
}

#[test]
fn a_move_survives_a_kill_and_honours_its_throttle() {
    let mut site = Site::new(2);
    let key = (RESOURCE_BROKER, "".into());
    let rate = ("replica.alter.log.dirs.io.max.bytes.per.second".to_owned(), "1000000".to_owned());
    site.image.configs.insert(key.clone(), Arc::new([rate].into()));
    let delta = ImageDelta { configs_changed: [key].into(), ..ImageDelta::default() };
    site.manager.apply_image(site.now, &site.image, &delta);
    let to = if site.root(0) == Path::new("/d1") { "/d2" } else { "/d1" };
    for _ in 0..40 {
        site.append(0, 100_000).unwrap();
    }
    assert_eq!(site.move_to(0, to), Ok(()));
    site.pass(2_000);
    let copied = site.manager.log_dirs().future(&name(0)).unwrap().size_bytes();
    assert!((1_500_000..=3_100_000).contains(&copied), "{copied} bytes in 2 s at 1 MB/s");
    site.restart(false);
    assert!(site.manager.log_dirs().future(&name(0)).unwrap().size_bytes() >= copied);
    assert_ne!(site.root(0), Path::new(to));
    site.pass(3_500);
    assert_eq!(site.root(0), Path::new(to));
}

#[test]
fn a_log_is_not_compacted_while_it_moves() {
    let mut site = Site::new(2);
    let set = |pairs: &[(&str, &str)]| Arc::new(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect());
    let (broker, topic) = ((RESOURCE_BROKER, "".into()), (RESOURCE_TOPIC, "t".into()));
    let rate = ("replica.alter.log.dirs.io.max.bytes.per.second", "100000");
    let compacted =
        [("cleanup.policy", "compact"), ("segment.bytes", "1048576"), ("min.cleanable.dirty.ratio", "0.01")];
    site.image.configs.insert(broker.clone(), set(&[rate, ("log.cleaner.backoff.ms", "1000")]));
    site.image.configs.insert(topic.clone(), set(&compacted));
    let delta = ImageDelta { configs_changed: [broker, topic].into(), ..ImageDelta::default() };
    site.manager.apply_image(site.now, &site.image, &delta);
    let write = |site: &mut Site| {
        for _ in 0..40 {
            let mut batch = BatchBuilder::new(0, Compression::None);
            batch.push(site.now.wall_ms, Some(b"key"), Some(&[7; 100_000]), &[]);
            site.manager.append(site.now, &id(0), batch.build_mut(), -1).unwrap();
        }
    };
    let size = |site: &Site| site.manager.log(&id(0)).unwrap().size_bytes();
    write(&mut site);
    let whole = size(&site);
    let to = if site.root(0) == Path::new("/d1") { "/d2" } else { "/d1" };
    assert_eq!(site.move_to(0, to), Ok(()));
    site.pass(30_000);
    assert!(site.manager.log_dirs().future(&name(0)).is_some(), "4 MB at 100 kB/s are still on their way");
    assert_eq!(size(&site), whole);
    site.pass(15_000);
    assert_eq!(site.root(0), Path::new(to));
    site.pass(5_000);
    assert!(size(&site) < whole, "it has arrived, and is compacted");
    let report = read(&mut site.manager, site.now, &site.image);
    let of = |bean| value(&report, bean);
    assert!(
        report.of(&log_bean::CLEANER_IO).next().unwrap().value() >= whole as f64,
        "it was read, and written in part"
    );
    let recopied = of(&log_bean::CLEANER_RECOPY_PERCENT);
    assert!(recopied > 0.0 && recopied < 50.0, "one of some 30 batches is left: {recopied} %");
    assert!(of(&log_bean::MAX_BUFFER_UTILIZATION_PERCENT) > 0.0);
    assert!((0.0..=100.0).contains(&of(&log_bean::MAX_DIRTY_PERCENT)));
    // It looks each second; the reading is a second later.
    assert!(
        (1_000.0..=2_500.0).contains(&of(&log_bean::TIME_SINCE_LAST_RUN)),
        "{}",
        of(&log_bean::TIME_SINCE_LAST_RUN)
    );
    for root in ["/d1", "/d2"] {
        let count = |bean| report.get(bean, &[("logDirectory", root)]).unwrap().value();
        assert_eq!((count(&log_bean::UNCLEANABLE_PARTITIONS_COUNT), count(&log_bean::UNCLEANABLE_BYTES)), (0.0, 0.0));
    }
    // The same on the way back.
    write(&mut site);
    let before = size(&site);
    assert_eq!(site.move_to(0, if to == "/d1" { "/d2" } else { "/d1" }), Ok(()));
    site.pass(5_000);
    assert_eq!(size(&site), before);
}

#[test]
fn logs_that_cannot_be_compacted_are_told_by_their_directory() {
    let mut site = Site::new(4);
    let set = |pairs: &[(&str, &str)]| Arc::new(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect());
    let (broker, topic) = ((RESOURCE_BROKER, "".into()), (RESOURCE_TOPIC, "t".into()));
    let compacted =
        [("cleanup.policy", "compact"), ("segment.bytes", "1048576"), ("min.cleanable.dirty.ratio", "0.01")];
    // Nothing is compacted before it is rotten.
    site.image.configs.insert(broker.clone(), set(&[("log.cleaner.backoff.ms", "60000")]));
    site.image.configs.insert(topic.clone(), set(&compacted));
    let delta = ImageDelta { configs_changed: [broker, topic].into(), ..ImageDelta::default() };
    site.manager.apply_image(site.now, &site.image, &delta);
    site.pass(16_000);
    for partition in 0..4 {
        for _ in 0..12 + partition * 12 {
            let mut batch = BatchBuilder::new(0, Compression::None);
            batch.push(site.now.wall_ms, Some(b"key"), Some(&[7; 100_000]), &[]);
            site.manager.append(site.now, &id(partition), batch.build_mut(), -1).unwrap();
        }
    }
    let rotten = [0, 2, 3];
    for partition in rotten {
        let first = site.root_of(partition).join("00000000000000000000.log");
        let mut file = site.disk.open(&first, false).unwrap();
        let byte = file.read_at(1, 100).unwrap()[0];
        file.write_all_at(&[byte ^ 1], 100).unwrap();
    }
    site.pass(70_000);
    let report = read(&mut site.manager, site.now, &site.image);
    // What is closed, by the files on the disk: all segments but the newest.
    let mut expected = BTreeMap::from([("/d1", (0.0, 0.0)), ("/d2", (0.0, 0.0))]);
    for partition in rotten {
        let dir = site.root_of(partition);
        let root = if dir.starts_with("/d1") { "/d1" } else { "/d2" };
        let mut segments: Vec<_> =
            site.disk.list(&dir).unwrap().into_iter().filter(|it| it.ends_with(".log")).collect();
        segments.sort();
        segments.pop();
        let bytes: u64 = segments.iter().map(|it| site.disk.open(&dir.join(it), false).unwrap().len().unwrap()).sum();
        assert!(bytes > 0, "{partition}");
        let of = expected.get_mut(root).unwrap();
        *of = (of.0 + 1.0, of.1 + bytes as f64);
    }
    for (root, expected) in expected {
        let of = |bean| report.get(bean, &[("logDirectory", root)]).unwrap().value();
        assert_eq!((of(&log_bean::UNCLEANABLE_PARTITIONS_COUNT), of(&log_bean::UNCLEANABLE_BYTES)), expected, "{root}");
    }
}

#[test]
fn a_move_waits_for_the_controller_and_can_be_taken_back() {
    let mut site = Site::new(2);
    let (from, to) = (site.root(0), if site.root(0) == Path::new("/d1") { "/d2" } else { "/d1" });
    site.append(0, 10).unwrap();
    site.hold = true;
    site.move_to(0, to).unwrap();
    site.pass(100);
    assert_eq!(site.root(0), from, "the controller has not agreed");
    assert_eq!(site.held.len(), 1);
    let (request_id, request) = site.held.remove(0);
    site.answer(request_id, &request);
    assert_eq!(site.move_to(0, from.to_str().unwrap()), Ok(()));
    assert!(site.manager.log_dirs().future(&name(0)).is_none());
    site.hold = false;
    site.pass(500);
    assert_eq!(site.root(0), from);
    let ids = site.manager.log_dirs().online_ids();
    assert_eq!(site.believed(0), if from == Path::new("/d1") { ids[0] } else { ids[1] }, "told again");
}

#[test]
fn a_promised_copy_takes_over_when_its_original_is_lost() {
    let mut site = Site::new(3);
    // Something that lies in the second directory moves to the first.
    let moved = (0..3).find(|partition| site.root(*partition) == Path::new("/d2")).unwrap();
    site.append(moved, 10).unwrap();
    site.hold = true;
    site.move_to(moved, "/d1").unwrap();
    site.pass(50);
    let (request_id, request) = site.held.remove(0);
    site.answer(request_id, &request);
    site.disk.fail_reads_under(Path::new("/d2"), true);
    site.restart(false);
    site.hold = false;
    assert_eq!(site.root(moved), Path::new("/d1"));
    assert_eq!(site.manager.log(&id(moved)).unwrap().log_end_offset(), 1);
}

#[test]
fn what_a_move_refuses() {
    let mut site = Site::new(2);
    let known = |site: &mut Site, partition, root: &str| {
        let known = (partition < 2).then(|| id(partition));
        site.manager.move_replica(site.now, &name(partition), known, root)
    };
    assert_eq!(known(&mut site, 0, "/d3"), Err(ErrorCode::LogDirNotFound));
    assert_eq!(known(&mut site, 9, "/d2"), Err(ErrorCode::UnknownTopicOrPartition));
    let long = TopicPartition::new("x".repeat(230), 0);
    let refused = site.manager.move_replica(site.now, &long, None, "/d2");
    assert_eq!(refused, Err(ErrorCode::InvalidTopicException));
    let there = (0..2).find(|partition| site.root(*partition) == Path::new("/d2")).unwrap();
    site.move_to(1 - there, "/d2").unwrap();
    site.disk.fail_writes_under(Path::new("/d2"), Some(ErrorKind::Other));
    site.append(there, 1).unwrap_err();
    assert_eq!(known(&mut site, there, "/d1"), Err(ErrorCode::KafkaStorageError));
    assert_eq!(known(&mut site, 1 - there, "/d2"), Err(ErrorCode::KafkaStorageError));
    site.pass(1_000);
    assert_eq!(site.root(1 - there), Path::new("/d1"), "its move ended with the directory");
    assert_eq!(site.append(1 - there, 1), Ok(0));
}

#[test]
fn a_replica_that_comes_later_goes_where_it_was_wished() {
    let mut site = Site::new(0);
    for partition in 0..3 {
        let refused = site.manager.move_replica(site.now, &name(partition), Some(id(partition)), "/d2");
        assert_eq!(refused, Err(ErrorCode::NotLeaderOrFollower));
    }
    let partition = PartitionImage {
        leader: 1,
        replicas: vec![1],
        isr: vec![1],
        directories: vec![DIRECTORY_UNASSIGNED],
        ..PartitionImage::default()
    };
    Arc::make_mut(site.image.topics.get_mut(&TOPIC).unwrap()).partitions = vec![partition; 3];
    let delta = ImageDelta { partitions_changed: (0..3).map(id).collect(), ..ImageDelta::default() };
    site.manager.apply_image(site.now, &site.image, &delta);
    assert!((0..3).all(|partition| site.root(partition) == Path::new("/d2")));
}

#[test]
fn a_scrub_reads_all_logs_of_all_directories_in_slices() {
    let mut site = Site::new(40);
    for partition in 0..40 {
        for _ in 0..3 {
            site.append(partition, 100_000).unwrap();
        }
    }
    assert_eq!(site.manager.scrub_progress(), None);
    let rotten = site.root_of(33).join("00000000000000000000.log");
    let mut file = site.disk.open(&rotten, false).unwrap();
    file.write_all_at(b"rot", 70).unwrap();
    site.manager.start_scrub(site.now);
    site.manager.start_scrub(site.now);
    assert!(site.manager.next_deadline() <= site.now.mono, "it is due");
    let mut seen = Vec::new();
    for _ in 0..1000 {
        site.pass(1);
        let progress = site.manager.scrub_progress().unwrap();
        seen.push(progress.bytes_done);
        if progress.is_done {
            break;
        }
    }
    let done = site.manager.scrub_progress().unwrap();
    assert!(done.is_done && seen.windows(2).all(|pair| pair[1] >= pair[0] && pair[1] - pair[0] < 2 << 20), "{seen:?}");
    let bytes: u64 = site.manager.log_dirs().logs().map(crate::log::Log::size_bytes).sum();
    assert_eq!((done.logs, done.logs_done, done.batches, done.bytes_done), (40, 40, 120, bytes));
    let [found] = &done.findings[..] else { panic!("{:?}", done.findings) };
    assert_eq!((found.partition.as_str(), found.position, found.first_offset), ("t-33", 0, 0));
}

#[test]
fn recovery_points_follow_what_was_rolled() {
    let mut site = Site::new(2);
    site.append(0, 100).unwrap();
    let log = site.manager.dir.log_mut(&name(0)).unwrap();
    let config = crate::log::LogConfig { segment_bytes: 300, ..log.config().clone() };
    log.set_config(config);
    for _ in 0..6 {
        site.append(0, 100).unwrap();
    }
    site.pass(20_000);
    let log = site.manager.log_dirs().log(&name(0)).unwrap();
    let active = log.active_segment_base_offset();
    assert!(active > 2);
    assert_eq!(log.recovery_point(), active);
    let checkpoint = site.root_of(0).parent().unwrap().join("recovery-point-offset-checkpoint");
    let text = String::from_utf8(site.disk.read(&checkpoint, 1000).unwrap()).unwrap();
    assert!(text.contains(&format!("t 0 {active}\n")), "{text}");
}

#[test]
fn each_flush_is_counted_and_what_the_controller_has_yet_to_hear_too() {
    let mut site = Site::new(2);
    let topic = (RESOURCE_TOPIC, Arc::from("t"));
    let each = BTreeMap::from([("flush.messages".to_owned(), "1".to_owned())]);
    site.image.configs.insert(topic.clone(), Arc::new(each));
    let delta = ImageDelta { configs_changed: [topic].into(), ..ImageDelta::default() };
    site.manager.apply_image(site.now, &site.image, &delta);
    let told = |site: &mut Site| {
        let report = read(&mut site.manager, site.now, &site.image);
        (value(&report, &log_bean::LOG_FLUSH_RATE_AND_TIME), value(&report, &bean::QUEUED_REPLICA_TO_DIR_ASSIGNMENTS))
    };
    let (flushes, queued) = told(&mut site);
    let syncs = site.disk.syncs();
    assert_eq!(queued, 0.0, "the controller knows all of them");
    for bytes in 1..=20 {
        site.append(bytes % 2, 100).unwrap();
    }
    let synced = site.disk.syncs() - syncs;
    assert!(synced >= 20, "{synced}");
    assert_eq!(told(&mut site).0 - flushes, 20.0, "one for each append");
    site.hold = true;
    let to = if site.root(0) == Path::new("/d1") { "/d2" } else { "/d1" };
    site.move_to(0, to).unwrap();
    site.pass(5_000);
    let asked: usize = site
        .held
        .iter()
        .flat_map(|(_, asked)| &asked.directories)
        .flat_map(|it| &it.topics)
        .map(|it| it.partitions.len())
        .sum();
    assert_eq!((asked, told(&mut site).1), (1, 1.0), "it was asked, and has not answered");
    site.hold = false;
    site.pass(1_000);
    assert_eq!(told(&mut site).1, 0.0);
}
