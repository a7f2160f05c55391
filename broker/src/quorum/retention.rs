//! Making snapshots, and forgetting what they make superfluous.
//!
//! Source: `KafkaRaftClient.createSnapshot`, `KafkaMetadataLog.createNewSnapshot`, `maybeClean`; KIP-630.

use std::time::Duration;

use bytes::Bytes;

use super::machine::{Quorum, QuorumError};
use super::metadata_log::{MetadataLogError, contains};
use super::snapshot::{self, Snapshot, SnapshotId, SnapshotInfo, SnapshotWriter};
use super::voter_set::VoterSet;
use crate::logging::Level;
use crate::types::Now;

/// Kafka looks for what can go once a minute.
const CLEAN_INTERVAL: Duration = Duration::from_secs(60);
/// Far more than any image takes.
const MAX_SNAPSHOT_BYTES: usize = 1 << 30;

impl Quorum {
    /// The newest whole snapshot.
    pub fn latest_snapshot(&self) -> Option<SnapshotId> {
        self.log.snapshots().last().map(|snapshot| snapshot.id)
    }

    /// Size of a whole snapshot.
    pub fn snapshot_bytes(&self, id: SnapshotId) -> Option<u64> {
        self.log.snapshots().iter().find(|snapshot| snapshot.id == id).map(|snapshot| snapshot.size_bytes)
    }

    /// Reads the newest snapshot.
    pub fn read_snapshot(&self) -> Result<Option<Snapshot>, MetadataLogError> {
        let Some(id) = self.latest_snapshot() else { return Ok(None) };
        let Some(chunk) = self.log.read_snapshot(id, 0, MAX_SNAPSHOT_BYTES)? else { return Ok(None) };
        Ok(Some(snapshot::read(id, &chunk.bytes, self.config.max_batch_bytes)?))
    }

    /// Begins a snapshot of all that is committed below `id.end_offset`, whose last record was written at `last_contained_ms`. `None`: it is
    /// not committed, not the end of a batch in this log, or there already.
    pub fn begin_snapshot(
        &mut self,
        now: Now,
        id: SnapshotId,
        last_contained_ms: i64,
    ) -> Result<Option<SnapshotWriter>, MetadataLogError> {
        let newest = self.latest_snapshot().map_or(0, |newest| newest.end_offset);
        let is_new = id.end_offset > newest && id.end_offset > self.log.start_offset();
        if self.failure().is_some() || !is_new || id.end_offset > self.high_watermark || !contains(&*self.log, id) {
            self.tell_of_log(Level::Debug, || {
                format!("No snapshot {} is made: it is not new, or not committed", id.file_name())
            });
            return Ok(None);
        }
        let mut writer = SnapshotWriter::new(id, now.wall_ms);
        let (kraft_version, voters) = self.control.at(id.end_offset);
        let voters = voters.map(VoterSet::to_vec);
        let header = writer.header(last_contained_ms, kraft_version, voters.as_deref());
        self.write_part(&mut writer, &header)?;
        Ok(Some(writer))
    }

    /// Adds records, as one batch.
    pub fn write_snapshot(&mut self, writer: &mut SnapshotWriter, records: &[Bytes]) -> Result<(), MetadataLogError> {
        let batch = writer.data(records);
        self.write_part(writer, &batch)
    }

    fn write_part(&mut self, writer: &mut SnapshotWriter, bytes: &[u8]) -> Result<(), MetadataLogError> {
        self.log.write_snapshot_part(writer.part, writer.position, bytes)?;
        writer.position += bytes.len() as u64;
        Ok(())
    }

    /// Ends the snapshot: from here on it may take the place of what it stands for. False: another one did so meanwhile.
    pub fn finish_snapshot(&mut self, now: Now, mut writer: SnapshotWriter) -> Result<bool, MetadataLogError> {
        let footer = writer.footer();
        self.write_part(&mut writer, &footer)?;
        if writer.id().end_offset <= self.log.start_offset() {
            self.log.discard_snapshot_part(writer.part)?;
            return Ok(false);
        }
        // A start trusts the log below its newest snapshot: nothing there may be lost with the power.
        if self.log.synced_offset() < writer.id().end_offset {
            self.log.sync(now)?;
        }
        let (id, size_bytes) = (writer.id(), writer.position);
        let is_whole = self.log.complete_snapshot(writer.part)?;
        if is_whole {
            self.tell_of_log(Level::Info, || format!("Snapshot {} of {size_bytes} bytes is whole", id.file_name()));
            self.clean(now)?;
        }
        Ok(is_whole)
    }

    /// Gives a snapshot up.
    pub fn abandon_snapshot(&mut self, writer: SnapshotWriter) {
        // A part that cannot be removed now is removed at the next start.
        let _ = self.log.discard_snapshot_part(writer.part);
    }

    pub(super) fn clean_if_due(&mut self, now: Now) -> Result<(), QuorumError> {
        if now.mono >= self.clean_at {
            self.clean_at = now.mono + CLEAN_INTERVAL;
            self.clean(now)?;
        }
        Ok(())
    }

    /// Forgets the oldest snapshot, and the log before the next one, as long as there are two and the limits are passed.
    fn clean(&mut self, now: Now) -> Result<(), MetadataLogError> {
        loop {
            let &[oldest, next, ..] = self.log.snapshots() else { return Ok(()) };
            let is_old = self.config.max_retention_ms >= 0
                && now.wall_ms.saturating_sub(oldest.last_contained_ms) > self.config.max_retention_ms;
            if !is_old && !self.is_too_large() {
                return Ok(());
            }
            self.tell_of_log(Level::Info, || {
                let why = if is_old {
                    "its last record is older than metadata.max.retention.ms"
                } else {
                    "of metadata.max.retention.bytes"
                };
                format!(
                    "Snapshot {}, and the log before offset {}, are deleted: {why}",
                    oldest.id.file_name(),
                    next.id.end_offset
                )
            });
            self.log.delete_before_snapshot(now, next.id, self.high_watermark)?;
            self.control.forget_before(self.log.start_offset());
        }
    }

    fn is_too_large(&self) -> bool {
        let snapshots: u64 = self.log.snapshots().iter().map(|snapshot: &SnapshotInfo| snapshot.size_bytes).sum();
        let limit = u64::try_from(self.config.max_retention_bytes);
        limit.is_ok_and(|limit| self.log.size_bytes() + snapshots > limit)
    }
}
