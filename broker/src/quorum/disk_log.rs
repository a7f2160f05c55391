//! The metadata log on disk: `__cluster_metadata-0`, an ordinary log in Kafka's files, with `quorum-state` beside it.
//!
//! Source: `KafkaMetadataLog`, `Topic.CLUSTER_METADATA_TOPIC_PARTITION`, `Uuid.METADATA_TOPIC_ID`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::config::QuorumConfig;
use super::metadata_log::{EpochEnd, MetadataLog, MetadataLogError};
use crate::log::disk::Disk;
use crate::log::{AppendOrigin, Log, LogConfig, LogError, Recovery};
use crate::types::{Id, Now, TopicPartition};

/// Name of the topic that holds the cluster's metadata.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// Its topic id, the same in every cluster: `AAAAAAAAAAAAAAAAAAAAAQ`.
pub const METADATA_TOPIC_ID: Id = Id(1u128.to_be_bytes());

/// The metadata log over [`Log`].
pub struct DiskMetadataLog {
    log: Log,
}

impl DiskMetadataLog {
    /// Where the metadata log of a node stands in its log directory.
    pub fn dir(root: &Path) -> PathBuf {
        root.join(format!("{METADATA_TOPIC}-0"))
    }

    /// Opens the log in the log directory `root`, or begins one. As in Kafka, all of it is checked at each start.
    pub fn open(disk: Arc<dyn Disk>, root: &Path, config: &QuorumConfig, now: Now) -> Result<Self, MetadataLogError> {
        let log_config = LogConfig {
            max_message_bytes: config.max_batch_bytes,
            retention_ms: -1,
            retention_bytes: -1,
            cleanup_delete: false,
            ..LogConfig::default()
        };
        let topic_partition = TopicPartition::new(METADATA_TOPIC, 0);
        let dir = DiskMetadataLog::dir(root);
        let log = Log::open(disk, dir, topic_partition, Some(METADATA_TOPIC_ID), log_config, Recovery::UNKNOWN, now)?;
        if log.log_start_offset() > 0 {
            let start = log.log_start_offset();
            let reason =
                format!("it begins at offset {start}, and what was before stands in a snapshot, which is not read yet");
            return Err(MetadataLogError::Storage(reason));
        }
        Ok(DiskMetadataLog { log })
    }
}

impl From<LogError> for MetadataLogError {
    fn from(error: LogError) -> MetadataLogError {
        match error {
            LogError::OffsetOutOfRange { requested, log_start_offset, log_end_offset } => {
                MetadataLogError::OutOfRange { offset: requested, start: log_start_offset, end: log_end_offset }
            }
            other => MetadataLogError::Storage(other.to_string()),
        }
    }
}

impl MetadataLog for DiskMetadataLog {
    fn start_offset(&self) -> i64 {
        self.log.log_start_offset()
    }

    fn end_offset(&self) -> i64 {
        self.log.log_end_offset()
    }

    fn synced_offset(&self) -> i64 {
        self.log.recovery_point()
    }

    fn last_epoch(&self) -> i32 {
        self.log.latest_epoch().unwrap_or(0)
    }

    fn end_offset_for_epoch(&self, epoch: i32) -> EpochEnd {
        match self.log.end_offset_for_epoch(epoch) {
            // Kafka's "not known": the log is empty, or knows only lower epochs.
            (-1, _) if self.log.latest_epoch().is_none() => EpochEnd { epoch, end_offset: self.start_offset() },
            (-1, _) => EpochEnd { epoch: self.last_epoch(), end_offset: self.end_offset() },
            (epoch, end_offset) => EpochEnd { epoch, end_offset },
        }
    }

    fn append_leader(&mut self, now: Now, batch: BytesMut, epoch: i32) -> Result<i64, MetadataLogError> {
        Ok(self.log.append(now, batch, epoch, AppendOrigin::Coordinator)?.first_offset)
    }

    fn append_follower(&mut self, now: Now, batches: &Bytes) -> Result<(), MetadataLogError> {
        self.log.append_as_follower(now, batches)?;
        Ok(())
    }

    fn truncate_to(&mut self, offset: i64) -> Result<(), MetadataLogError> {
        self.log.truncate_to(offset)?;
        Ok(())
    }

    fn read(&self, from: i64, max_bytes: usize, up_to: i64) -> Result<Bytes, MetadataLogError> {
        Ok(self.log.read(from, max_bytes, up_to, true)?.records)
    }

    fn sync(&mut self, now: Now) -> Result<(), MetadataLogError> {
        Ok(self.log.flush(now)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::log::SimDisk;
    use crate::quorum::MemoryMetadataLog;
    use crate::quorum::batch::data_batch;

    const NOW: Now = Now { mono: Duration::from_secs(1), wall_ms: 1_790_000_000_000 };

    fn open(disk: &SimDisk) -> Result<DiskMetadataLog, MetadataLogError> {
        let config = QuorumConfig::lab(3000, vec![3000]);
        DiskMetadataLog::open(Arc::new(disk.clone()), Path::new("/data"), &config, NOW)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append { epochs_later: i32, records: usize },
        Truncate { by: i64 },
        Sync,
        Kill,
        PowerLoss,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..3i32, 1..4usize).prop_map(|(epochs_later, records)| Step::Append { epochs_later, records }),
            1 => (0..6i64).prop_map(|by| Step::Truncate { by }),
            2 => Just(Step::Sync),
            1 => Just(Step::Kill),
            1 => Just(Step::PowerLoss),
        ]
    }

    fn check_same(disk: &DiskMetadataLog, memory: &MemoryMetadataLog) -> Result<(), TestCaseError> {
        prop_assert_eq!(disk.end_offset(), memory.end_offset());
        prop_assert_eq!(disk.last_epoch(), memory.last_epoch());
        for epoch in 0..memory.last_epoch() + 2 {
            prop_assert_eq!(disk.end_offset_for_epoch(epoch), memory.end_offset_for_epoch(epoch), "epoch {}", epoch);
        }
        for from in 0..=memory.end_offset() {
            for (max_bytes, up_to) in [(1, i64::MAX), (200, i64::MAX), (1 << 20, memory.end_offset() / 2)] {
                prop_assert_eq!(disk.read(from, max_bytes, up_to), memory.read(from, max_bytes, up_to));
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_log_on_disk_does_what_the_one_in_memory_does(steps in prop::collection::vec(step(), 1..25)) {
            let disk = SimDisk::new();
            let mut memory = MemoryMetadataLog::default();
            let mut log = open(&disk).unwrap();
            let mut epoch = 1;
            for step in steps {
                match step {
                    Step::Append { epochs_later, records } => {
                        epoch += epochs_later;
                        let batch = data_batch(0, epoch, NOW.wall_ms, &vec![Bytes::from_static(b"value"); records]);
                        let base_offset = memory.append_leader(NOW, batch.clone(), epoch).unwrap();
                        prop_assert_eq!(log.append_leader(NOW, batch, epoch), Ok(base_offset));
                    }
                    Step::Truncate { by } => {
                        let offset = (memory.end_offset() - by).max(0);
                        memory.truncate_to(offset).unwrap();
                        log.truncate_to(offset).unwrap();
                        // Without a sync the cut may come back, as it was or in part.
                        memory.sync(NOW).unwrap();
                        log.sync(NOW).unwrap();
                    }
                    Step::Sync => {
                        memory.sync(NOW).unwrap();
                        log.sync(NOW).unwrap();
                        prop_assert_eq!(log.synced_offset(), log.end_offset());
                    }
                    Step::Kill => {
                        disk.kill();
                        log = open(&disk).unwrap();
                    }
                    Step::PowerLoss => {
                        memory.power_loss(0);
                        disk.power_loss();
                        log = open(&disk).unwrap();
                    }
                }
                check_same(&log, &memory)?;
            }
        }
    }

    #[test]
    fn followers_get_what_the_leader_wrote_and_nothing_else() {
        let mut leader = open(&SimDisk::new()).unwrap();
        for epoch in [1, 1, 4] {
            leader.append_leader(NOW, data_batch(0, epoch, 0, &[Bytes::from_static(b"x")]), epoch).unwrap();
        }
        let batches = leader.read(0, 1 << 20, i64::MAX).unwrap();
        let mut follower = open(&SimDisk::new()).unwrap();
        follower.append_follower(NOW, &batches).unwrap();
        assert_eq!((follower.end_offset(), follower.last_epoch()), (3, 4));
        assert_eq!(follower.end_offset_for_epoch(3), EpochEnd { epoch: 1, end_offset: 2 });
        assert!(follower.append_follower(NOW, &batches).is_err(), "it has them already");
        assert_eq!(follower.read(4, 1, i64::MAX), Err(MetadataLogError::OutOfRange { offset: 4, start: 0, end: 3 }));
    }

    #[test]
    fn a_full_disk_is_told() {
        let disk = SimDisk::new();
        let mut log = open(&disk).unwrap();
        disk.fail_writes(Some(std::io::ErrorKind::StorageFull));
        let batch = data_batch(0, 1, 0, &[Bytes::from_static(b"x")]);
        assert!(matches!(log.append_leader(NOW, batch, 1), Err(MetadataLogError::Storage(_))));
    }
}
