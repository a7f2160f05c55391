//! A real cluster to test against, with librdkafka beside it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker::cluster::{Cluster, ClusterConfig, Profile};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::Client;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster of three brokers.
pub struct House {
    /// The nodes.
    pub cluster: Cluster,
    /// Where they listen.
    pub servers: String,
    _dir: tempfile::TempDir,
}

/// Opens one with one controller.
pub fn house() -> House {
    house_with(1)
}

/// Opens one with so many controllers.
pub fn house_with(controllers: u32) -> House {
    let dir = tempfile::tempdir().unwrap();
    let (reports, reports_in) = crossbeam_channel::unbounded();
    let (lines, lines_in) = crossbeam_channel::unbounded();
    // Nobody looks; they must not fill up.
    std::thread::spawn(move || reports_in.iter().for_each(drop));
    std::thread::spawn(move || lines_in.iter().for_each(drop));
    let config = ClusterConfig {
        brokers: 3,
        controllers,
        zones: 3,
        log_dirs: 1,
        data_dir: dir.path().to_path_buf(),
        kafka_port: 0,
        bind: [127, 0, 0, 1].into(),
        profile: Profile::Lab,
        overrides: BTreeMap::new(),
    };
    let cluster = Cluster::start(config, reports, lines).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    House { servers: cluster.bootstrap_servers(), cluster, _dir: dir }
}

impl House {
    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(&self.servers, PATIENCE)
    }

    /// Settings of librdkafka.
    pub fn rdkafka(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers).set("group.id", "g").set("enable.auto.commit", "false");
        config
    }

    /// A consumer of librdkafka.
    pub fn consumer(&self) -> BaseConsumer {
        self.rdkafka().create().unwrap()
    }

    /// Values `0`, `1`, … to a partition, with timestamps 1,000 apart from 10,000 on.
    pub fn write(&self, topic: &str, partition: i32, count: i64) {
        let producer: BaseProducer = self.rdkafka().create().unwrap();
        for number in 0..count {
            let value = number.to_string();
            let record = BaseRecord::<(), str>::to(topic).payload(&value).partition(partition);
            producer.send(record.timestamp(10_000 + number * 1_000)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// (partitions, replicas of partition 0, leader of partition 0), as librdkafka sees them.
    pub fn seen(&self, topic: &str) -> (usize, Vec<i32>, i32) {
        let metadata = self.consumer().fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        partitions
            .first()
            .map_or((0, Vec::new(), -1), |first| (partitions.len(), first.replicas().to_vec(), first.leader()))
    }
}

/// Looks until it is so.
pub fn until<T: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<(), T>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(seen) = look() {
        assert!(Instant::now() < deadline, "{what} did not come to pass: {seen:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
