//! When a node makes a snapshot of its image, and how an image comes of one. Every node does both, controllers and brokers.
//!
//! Source: `org.apache.kafka.image.publisher.SnapshotGenerator`, `org.apache.kafka.image.loader.MetadataLoader`; KIP-630.

use std::sync::Arc;
use std::time::Duration;

use crate::logging::{Logger, NodeLog};
use crate::metadata::config::NodeConfig;
use crate::metadata::image::Image;
use crate::metadata::{ImageDelta, ImageRecords, MetadataRecord};
use crate::metrics::Collector;
use crate::metrics::table::metadata as bean;
use crate::quorum::{Quorum, Snapshot, SnapshotId, SnapshotWriter};
use crate::types::{NodeId, Now};

/// Records of one batch.
const BATCH_RECORDS: usize = 1_000;
/// Batches written per step, so that a node with many partitions goes on answering meanwhile.
const STEP_BATCHES: usize = 4;

/// One snapshot under way.
#[derive(Debug)]
struct Task {
    writer: SnapshotWriter,
    records: ImageRecords,
}

/// Watches how much was taken in since the last snapshot, and makes the next one piece by piece.
#[derive(Debug)]
pub struct MetadataSnapshots {
    max_bytes: u64,
    /// Zero: never by time.
    max_interval: Duration,
    bytes: u64,
    last_at: Duration,
    /// Where the image stands.
    end: Option<SnapshotId>,
    last_timestamp_ms: i64,
    task: Option<Task>,
    /// Snapshots that the image was taken from.
    loads: u64,
    made_bytes: u64,
    node_id: NodeId,
    log: NodeLog,
    /// When the last was made, or this began; wall clock.
    made_ms: i64,
}

impl MetadataSnapshots {
    /// As the node is configured: `metadata.log.max.record.bytes.between.snapshots` and `metadata.log.max.snapshot.interval.ms`.
    pub fn new(config: &NodeConfig, now: Now) -> MetadataSnapshots {
        MetadataSnapshots {
            max_bytes: u64::try_from(config.i64("metadata.log.max.record.bytes.between.snapshots")).unwrap_or(u64::MAX),
            max_interval: config.millis("metadata.log.max.snapshot.interval.ms"),
            bytes: 0,
            last_at: now.mono,
            end: None,
            last_timestamp_ms: -1,
            task: None,
            loads: 0,
            made_bytes: 0,
            node_id: config.node_id,
            log: config.log.clone(),
            made_ms: now.wall_ms,
        }
    }

    /// Offset after the last record that the image took in, and when that was written (-1 where that is not known).
    pub fn last_applied(&self) -> (i64, i64) {
        (self.end.map_or(0, |end| end.end_offset), self.last_timestamp_ms)
    }

    /// Tells its series.
    pub fn collect(&self, out: &mut Collector) {
        out.count(&bean::HANDLE_LOAD_SNAPSHOT_COUNT, [], self.loads);
        out.count(&bean::LATEST_SNAPSHOT_GENERATED_BYTES, [], self.made_bytes);
        out.value(&bean::LATEST_SNAPSHOT_GENERATED_AGE, [], (out.now().wall_ms - self.made_ms) as f64);
    }

    /// The image took in so many bytes of batches, up to `end`.
    pub fn applied(&mut self, bytes: usize, end: SnapshotId, last_timestamp_ms: i64) {
        self.bytes += bytes as u64;
        self.end = Some(end);
        self.last_timestamp_ms = last_timestamp_ms;
    }

    /// The image is a snapshot's.
    pub fn loaded(&mut self, now: Now, snapshot: &Snapshot) {
        (self.bytes, self.last_at) = (0, now.mono);
        self.loads += 1;
        self.end = Some(snapshot.id);
        self.last_timestamp_ms = snapshot.last_contained_ms;
    }

    /// Drops the snapshot under way; the next is due when more was taken in.
    pub fn give_up(&mut self, quorum: &mut Quorum) {
        self.bytes = 0;
        if let Some(task) = self.task.take() {
            quorum.abandon_snapshot(task.writer);
        }
    }

    fn is_due(&self, now: Now) -> bool {
        self.bytes >= self.max_bytes || (self.bytes > 0 && now.mono >= self.due_at())
    }

    fn due_at(&self) -> Duration {
        if self.max_interval.is_zero() { Duration::MAX } else { self.last_at.saturating_add(self.max_interval) }
    }

    /// When [`MetadataSnapshots::tick`] is to be called next; zero: at once.
    pub fn next_deadline(&self) -> Duration {
        match (&self.task, self.bytes) {
            (Some(_), _) => Duration::ZERO,
            (None, 0) => Duration::MAX,
            (None, bytes) if bytes >= self.max_bytes => Duration::ZERO,
            (None, _) => self.due_at(),
        }
    }

    /// Goes on with the snapshot under way, or begins one if it is time. `image` gives the image as it is now.
    ///
    /// # Errors
    /// One sentence; the snapshot is given up, and the next comes when it is due.
    pub fn tick(
        &mut self,
        now: Now,
        quorum: &mut Quorum,
        image: impl FnOnce() -> Arc<Image>,
    ) -> Result<Option<SnapshotId>, String> {
        let made = self.go_on_or_begin(now, quorum, image);
        let tell = |what: String| format!("[SnapshotGenerator id={}] {what}", self.node_id);
        match &made {
            Ok(None) => {}
            Ok(Some(id)) => self.log.debug(Logger::SnapshotGenerator, || {
                tell(format!("KRaft snapshot file {} has {} bytes.", id.file_name(), self.made_bytes))
            }),
            Err(message) => self.log.error(Logger::SnapshotGenerator, || tell(message.clone())),
        }
        made
    }

    fn go_on_or_begin(
        &mut self,
        now: Now,
        quorum: &mut Quorum,
        image: impl FnOnce() -> Arc<Image>,
    ) -> Result<Option<SnapshotId>, String> {
        let failed = |error| format!("a snapshot of the metadata log could not be written: {error}");
        if let Some(task) = self.task.take() {
            return self.go_on(now, quorum, task).map_err(failed);
        }
        let Some(id) = self.end.filter(|_| self.is_due(now)) else { return Ok(None) };
        let read = self.bytes;
        (self.bytes, self.last_at) = (0, now.mono);
        let image = image();
        if image.is_partial {
            return Err(
                "no snapshot of the metadata log is written, since it holds records that this version does not keep"
                    .to_owned(),
            );
        }
        let begun = quorum.begin_snapshot(now, id, self.last_timestamp_ms).map_err(failed)?;
        if begun.is_some() {
            self.log.info(Logger::SnapshotGenerator, || {
                let why = match read >= self.max_bytes {
                    true => format!("{read} bytes were read since the last, and {} are the most", self.max_bytes),
                    false => format!("the last is {} ms old", self.max_interval.as_millis()),
                };
                format!("[SnapshotGenerator id={}] New KRaft snapshot file {}: {why}.", self.node_id, id.file_name())
            });
        }
        self.task = begun.map(|writer| Task { writer, records: ImageRecords::new(image) });
        Ok(None)
    }

    fn go_on(
        &mut self,
        now: Now,
        quorum: &mut Quorum,
        mut task: Task,
    ) -> Result<Option<SnapshotId>, crate::quorum::MetadataLogError> {
        let id = task.writer.id();
        for _ in 0..STEP_BATCHES {
            let batch: Vec<_> = task.records.by_ref().take(BATCH_RECORDS).map(|record| record.encode()).collect();
            if batch.is_empty() {
                let made = quorum.finish_snapshot(now, task.writer)?.then_some(id);
                if let Some(bytes) = made.and_then(|id| quorum.snapshot_bytes(id)) {
                    (self.made_bytes, self.made_ms) = (bytes, now.wall_ms);
                }
                return Ok(made);
            }
            if let Err(error) = quorum.write_snapshot(&mut task.writer, &batch) {
                quorum.abandon_snapshot(task.writer);
                return Err(error);
            }
        }
        self.task = Some(task);
        Ok(None)
    }
}

/// The image that a snapshot holds.
///
/// # Errors
/// One sentence: a record in it cannot be understood, or does not fit.
pub fn image_of(snapshot: &Snapshot) -> Result<Image, String> {
    let mut image = Image::default();
    let mut delta = ImageDelta::default();
    let (offset, epoch) = (snapshot.id.end_offset - 1, snapshot.id.epoch);
    let broken = |why: String| format!("the snapshot {} cannot be used: {why}", snapshot.id.file_name());
    for value in &snapshot.records {
        let record = MetadataRecord::decode(value).map_err(|error| broken(error.to_string()))?;
        image.apply(offset, epoch, &record, &mut delta).map_err(|error| broken(error.to_string()))?;
    }
    (image.offset, image.epoch) = (offset, epoch);
    Ok(image)
}

/// The newest snapshot, if one that reads on at `next_offset` has to begin with it, or may as well.
pub fn snapshot_to_begin_with(quorum: &Quorum, next_offset: i64) -> Result<Option<Snapshot>, String> {
    let Some(id) = quorum.latest_snapshot() else { return Ok(None) };
    let must = next_offset < quorum.log_start_offset();
    let may = next_offset == 0 && id.end_offset > 0;
    if must || may { quorum.read_snapshot().map_err(|error| error.to_string()) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::{MemoryElectionStore, MemoryMetadataLog, MetadataLog, QuorumConfig, ReplicaKey, SnapshotPart};

    /// Written by Apache Kafka 4.3.0: one node, formatted with `--standalone` (kraft.version 1), with topics golden-1 to golden-3 of two
    /// partitions each, and rack a.
    const KAFKAS: &[u8] = include_bytes!("../../tests/golden/kafka-4.3.checkpoint");

    #[test]
    fn a_snapshot_of_kafkas_is_read() {
        let id = SnapshotId { end_offset: 47, epoch: 1 };
        let part = SnapshotPart { id, is_fetched: true };
        let (mut log, store) = (MemoryMetadataLog::default(), MemoryElectionStore::default());
        log.write_snapshot_part(part, 0, KAFKAS).unwrap();
        assert_eq!(log.complete_snapshot(part), Ok(true));
        log.restart_at_snapshot(id).unwrap();
        let timings = QuorumConfig::lab(5, vec![3000]);
        let quorum = Quorum::new(timings, Box::new(log), Box::new(store), 1, Now::default()).unwrap();
        let directory_id = "G1k7_86-QVKePClT2UIecA".parse().unwrap();
        assert_eq!(quorum.kraft_version(), 1);
        assert_eq!(quorum.voters().keys().collect::<Vec<_>>(), [ReplicaKey { id: 1, directory_id }]);
        let endpoint = &quorum.voters().get(1).unwrap().endpoints[0];
        assert_eq!((endpoint.name.as_str(), endpoint.host.as_str(), endpoint.port), ("CONTROLLER", "127.0.0.1", 29191));

        let snapshot = snapshot_to_begin_with(&quorum, 0).unwrap().unwrap();
        let image = image_of(&snapshot).unwrap();
        assert_eq!((image.offset, image.epoch, image.is_partial), (46, 1, false));
        assert_eq!((image.features["metadata.version"], image.features["transaction.version"]), (30, 2));
        let broker = &image.brokers[&1];
        assert_eq!((broker.epoch, broker.fenced, broker.rack.as_deref()), (16, false, Some("a")));
        assert!(image.controllers.contains_key(&1));
        let names: Vec<&str> = image.topic_ids.keys().map(AsRef::as_ref).collect();
        assert_eq!(names, ["golden-1", "golden-2", "golden-3"]);
        for topic in image.topics.values() {
            let leaders: Vec<_> =
                topic.partitions.iter().map(|partition| (partition.leader, partition.isr.len())).collect();
            assert_eq!(leaders, [(1, 1), (1, 1)]);
        }
    }

    #[test]
    fn a_copy_that_is_given_up_asks_for_no_more_time() {
        let now = Now { mono: Duration::from_secs(1), wall_ms: 1_790_000_000_000 };
        let config = NodeConfig::new(1, "cluster", Default::default()).unwrap();
        let (log, store) = (MemoryMetadataLog::default(), MemoryElectionStore::default());
        let timings = QuorumConfig::lab(1, vec![3000]);
        let mut quorum = Quorum::new(timings, Box::new(log), Box::new(store), 1, now).unwrap();
        let mut snapshots = MetadataSnapshots::new(&config, now);
        assert_eq!(snapshots.next_deadline(), Duration::MAX);
        snapshots.applied(30 << 20, SnapshotId { end_offset: 9, epoch: 1 }, 0);
        assert_eq!(snapshots.next_deadline(), Duration::ZERO);
        snapshots.give_up(&mut quorum);
        assert_eq!(snapshots.next_deadline(), Duration::MAX);
    }
}
