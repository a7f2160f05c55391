//! The metadata log on disk: `__cluster_metadata-0`, an ordinary log in Kafka's files, with `quorum-state` beside it.
//!
//! Source: `KafkaMetadataLog`, `Topic.CLUSTER_METADATA_TOPIC_PARTITION`, `Uuid.METADATA_TOPIC_ID`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::config::QuorumConfig;
use super::metadata_log::{EpochEnd, MetadataLog, MetadataLogError};
use super::snapshot::{SnapshotChunk, SnapshotId, SnapshotInfo, SnapshotPart};
use super::snapshot_files::SnapshotFiles;
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
    snapshots: SnapshotFiles,
}

impl DiskMetadataLog {
    /// Where the metadata log of a node stands in its log directory.
    pub fn dir(root: &Path) -> PathBuf {
        root.join(format!("{METADATA_TOPIC}-0"))
    }

    /// Opens the log in the log directory `root`, or begins one. What lies before the newest snapshot is not read again; the rest is checked
    /// at each start.
    pub fn open(disk: Arc<dyn Disk>, root: &Path, config: &QuorumConfig, now: Now) -> Result<Self, MetadataLogError> {
        let log_config = LogConfig {
            max_message_bytes: config.max_batch_bytes,
            retention_ms: -1,
            retention_bytes: -1,
            cleanup_delete: false,
            segment_bytes: config.segment_bytes,
            segment_ms: config.segment_ms,
            ..LogConfig::default()
        };
        let topic_partition = TopicPartition::new(METADATA_TOPIC, 0);
        let dir = DiskMetadataLog::dir(root);
        let mut snapshots = SnapshotFiles::open(Arc::clone(&disk), &dir, config.max_batch_bytes)?;
        // A snapshot became whole only after the log below it was durable.
        let recovery_point = snapshots.known().last().map_or(0, |newest| newest.id.end_offset);
        let recovery = Recovery { recovery_point, ..Recovery::UNKNOWN };
        let mut log = Log::open(disk, dir, topic_partition, Some(METADATA_TOPIC_ID), log_config, recovery, now)?;
        let start = log.log_start_offset();
        if start > recovery_point && config.can_become_voter {
            let reason = format!(
                "it begins at offset {start}, and no snapshot of what was before can be read; remove the directory once the other voters \
                 are in good health, and this one will fetch everything anew"
            );
            return Err(MetadataLogError::Storage(reason));
        }
        if start > recovery_point {
            // Nobody relies on an observer's copy.
            log.truncate_fully_and_start_at(0)?;
        }
        let covers = snapshots.known().iter().find(|snapshot| snapshot.id.end_offset >= log.log_start_offset());
        if let Some(id) = covers.map(|snapshot| snapshot.id) {
            snapshots.delete_before(id)?;
        }
        Ok(DiskMetadataLog { log, snapshots })
    }

    /// The snapshot that the log goes on from, if it begins where one ends.
    fn base(&self) -> Option<SnapshotId> {
        let start = self.log.log_start_offset();
        self.snapshots.known().iter().map(|snapshot| snapshot.id).find(|id| id.end_offset == start)
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
        self.log.latest_epoch().unwrap_or_else(|| self.base().map_or(0, |base| base.epoch))
    }

    fn end_offset_for_epoch(&self, epoch: i32) -> EpochEnd {
        let first = self.log.leader_epochs().entries().first().map(|(first, _)| *first);
        match self.log.end_offset_for_epoch(epoch) {
            // The log is empty, or knows only higher epochs: then the epoch ends before it.
            _ if first.is_none_or(|first| epoch < first) => {
                let known = self.base().map(|base| base.epoch).filter(|base| *base <= epoch);
                EpochEnd { epoch: known.unwrap_or(epoch), end_offset: self.start_offset() }
            }
            // Kafka's "not known": the log knows only lower epochs.
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

    fn size_bytes(&self) -> u64 {
        self.log.size_bytes()
    }

    fn snapshots(&self) -> &[SnapshotInfo] {
        self.snapshots.known()
    }

    fn read_snapshot(
        &self,
        id: SnapshotId,
        position: u64,
        max_bytes: usize,
    ) -> Result<Option<SnapshotChunk>, MetadataLogError> {
        self.snapshots.read(id, position, max_bytes)
    }

    fn write_snapshot_part(&mut self, part: SnapshotPart, position: u64, bytes: &[u8]) -> Result<(), MetadataLogError> {
        self.snapshots.write_part(part, position, bytes)
    }

    fn complete_snapshot(&mut self, part: SnapshotPart) -> Result<bool, MetadataLogError> {
        self.snapshots.complete(part)
    }

    fn discard_snapshot_part(&mut self, part: SnapshotPart) -> Result<(), MetadataLogError> {
        self.snapshots.discard_part(part)
    }

    fn restart_at_snapshot(&mut self, id: SnapshotId) -> Result<(), MetadataLogError> {
        self.log.truncate_fully_and_start_at(id.end_offset)?;
        self.snapshots.delete_before(id)
    }

    fn delete_before_snapshot(
        &mut self,
        now: Now,
        id: SnapshotId,
        high_watermark: i64,
    ) -> Result<(), MetadataLogError> {
        if id.end_offset > self.log.log_start_offset() {
            self.log.set_log_start_offset(id.end_offset)?;
            self.log.apply_retention(now, high_watermark)?;
        }
        self.snapshots.delete_before(id)
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
    use crate::quorum::snapshot::SnapshotWriter;

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

    /// A log of `records` batches, with whole snapshots that end at `ends`.
    fn with_snapshots(disk: &SimDisk, records: i64, ends: &[i64]) -> DiskMetadataLog {
        let mut log = open(disk).unwrap();
        for _ in 0..records {
            log.append_leader(NOW, data_batch(0, 1, 0, &[Bytes::from_static(b"x")]), 1).unwrap();
        }
        log.sync(NOW).unwrap();
        for &end_offset in ends {
            make_snapshot(&mut log, SnapshotId { end_offset, epoch: 1 });
        }
        log
    }

    fn make_snapshot(log: &mut DiskMetadataLog, id: SnapshotId) {
        let mut writer = SnapshotWriter::new(id, 7);
        for bytes in [writer.header(5, 0, None), writer.data(&[Bytes::from_static(b"all")]), writer.footer()] {
            log.write_snapshot_part(writer.part, writer.position, &bytes).unwrap();
            writer.position += bytes.len() as u64;
        }
        assert_eq!(log.complete_snapshot(writer.part), Ok(true));
    }

    fn names(disk: &SimDisk, suffix: &str) -> Vec<String> {
        let all = disk.list(Path::new("/data/__cluster_metadata-0")).unwrap();
        all.into_iter().filter(|name| name.ends_with(suffix)).collect()
    }

    fn ends(log: &DiskMetadataLog) -> Vec<i64> {
        log.snapshots().iter().map(|snapshot| snapshot.id.end_offset).collect()
    }

    #[test]
    fn snapshots_survive_a_power_loss_and_parts_do_not_survive_a_start() {
        let disk = SimDisk::new();
        let mut log = with_snapshots(&disk, 10, &[4, 8]);
        let half = SnapshotPart { id: SnapshotId { end_offset: 10, epoch: 1 }, is_fetched: false };
        log.write_snapshot_part(half, 0, b"half of it").unwrap();
        disk.kill();
        assert_eq!(names(&disk, ".part").len(), 1);
        let log = open(&disk).unwrap();
        assert_eq!(names(&disk, ".part").len(), 0);
        assert_eq!((ends(&log), log.start_offset(), log.end_offset()), (vec![4, 8], 0, 10));
        disk.power_loss();
        let log = open(&disk).unwrap();
        assert_eq!((ends(&log), log.end_offset()), (vec![4, 8], 10));
        assert_eq!(log.snapshots()[1].last_contained_ms, 5);
    }

    /// Whichever byte is damaged, and wherever the file is torn.
    #[test]
    fn a_damaged_snapshot_gives_way_to_the_one_before_it() {
        let disk = SimDisk::new();
        with_snapshots(&disk, 10, &[4, 8]);
        let path = DiskMetadataLog::dir(Path::new("/data")).join(SnapshotId { end_offset: 8, epoch: 1 }.file_name());
        let whole = disk.read(&path, 1 << 20).unwrap();
        for (damaged, is_torn) in
            [(0, true), (20, true), (70, false), (whole.len() - 1, false), (whole.len() - 1, true)]
        {
            let mut bytes = whole.clone();
            if is_torn {
                bytes.truncate(damaged);
            } else {
                bytes[damaged] ^= 1;
            }
            disk.write_atomically(&path, &bytes).unwrap();
            let log = open(&disk).unwrap();
            assert_eq!((ends(&log), log.start_offset(), log.end_offset()), (vec![4], 0, 10));
            assert!(!disk.exists(&path));
        }
    }

    #[test]
    fn the_beginning_goes_and_epochs_are_known_all_the_same() {
        let disk = SimDisk::new();
        let mut log = with_snapshots(&disk, 10, &[4, 8]);
        let newest = SnapshotId { end_offset: 8, epoch: 1 };
        log.delete_before_snapshot(NOW, newest, 10).unwrap();
        assert_eq!((ends(&log), log.start_offset()), (vec![8], 8));
        assert!(matches!(log.read(7, 100, 10), Err(MetadataLogError::OutOfRange { start: 8, .. })));
        // It all goes, and the log begins anew where the snapshot ends.
        make_snapshot(&mut log, SnapshotId { end_offset: 20, epoch: 3 });
        log.restart_at_snapshot(SnapshotId { end_offset: 20, epoch: 3 }).unwrap();
        for restart in [false, true] {
            if restart {
                disk.kill();
                log = open(&disk).unwrap();
            }
            assert_eq!((ends(&log), log.start_offset(), log.end_offset(), log.last_epoch()), (vec![20], 20, 20, 3));
            assert_eq!(log.end_offset_for_epoch(5), EpochEnd { epoch: 3, end_offset: 20 });
            assert_eq!(log.end_offset_for_epoch(3), EpochEnd { epoch: 3, end_offset: 20 });
            assert_eq!(log.end_offset_for_epoch(2), EpochEnd { epoch: 2, end_offset: 20 });
        }
        log.append_leader(NOW, data_batch(0, 6, 0, &[Bytes::from_static(b"x")]), 6).unwrap();
        assert_eq!(log.end_offset_for_epoch(4), EpochEnd { epoch: 3, end_offset: 20 });
        assert_eq!(log.end_offset_for_epoch(6), EpochEnd { epoch: 6, end_offset: 21 });
        log.sync(NOW).unwrap();
        disk.power_loss();
        let log = open(&disk).unwrap();
        assert_eq!((log.start_offset(), log.end_offset(), log.last_epoch()), (20, 21, 6));
    }

    #[test]
    fn a_log_without_the_snapshot_that_it_needs_is_an_observers_to_drop() {
        let disk = SimDisk::new();
        let mut log = with_snapshots(&disk, 10, &[8]);
        make_snapshot(&mut log, SnapshotId { end_offset: 20, epoch: 3 });
        log.restart_at_snapshot(SnapshotId { end_offset: 20, epoch: 3 }).unwrap();
        let name = SnapshotId { end_offset: 20, epoch: 3 }.file_name();
        disk.write_atomically(&DiskMetadataLog::dir(Path::new("/data")).join(name), b"gone").unwrap();
        assert!(
            matches!(open(&disk), Err(MetadataLogError::Storage(reason)) if reason.contains("begins at offset 20"))
        );
        let observer = QuorumConfig::lab(1, vec![3000]);
        let log = DiskMetadataLog::open(Arc::new(disk.clone()), Path::new("/data"), &observer, NOW).unwrap();
        assert_eq!((log.start_offset(), log.end_offset(), ends(&log)), (0, 0, Vec::new()));
    }
}
