//! What the log says about the quorum itself: its version, and its voters, both from the moment at which they stand in the log, committed or
//! not, and back again when that is cut off.
//!
//! Source: `org.apache.kafka.raft.internals.PartitionListener` (`KRaftControlRecordStateMachine`), `VoterSetHistory`; KIP-853.

use std::collections::BTreeMap;

use super::metadata_log::{MetadataLog, MetadataLogError};
use super::snapshot;
use super::voter_set::VoterSet;
use crate::records::control::{ControlType, control_type, decode_kraft_version, decode_voters};
use crate::records::{self, BatchError};

/// What is read of the log at once, when a member starts.
const READ_BYTES: usize = 1024 * 1024;
/// What a snapshot's first batch takes at most: a header, and the description of all voters.
pub(super) const FIRST_BATCH_MAX_BYTES: usize = 64 * 1024;

/// Version and voters, each by the offset of its record.
#[derive(Debug)]
pub(super) struct ControlState {
    /// Voters of the configuration: those that count as long as the log names none.
    fixed: VoterSet,
    voters: BTreeMap<i64, VoterSet>,
    versions: BTreeMap<i64, i16>,
    next_offset: i64,
    max_batch_bytes: usize,
}

impl ControlState {
    /// As the newest snapshot and the log after it have it.
    pub fn load(
        log: &dyn MetadataLog,
        fixed: VoterSet,
        max_batch_bytes: usize,
    ) -> Result<ControlState, MetadataLogError> {
        let (voters, versions) = Default::default();
        let mut state = ControlState { fixed, voters, versions, next_offset: 0, max_batch_bytes };
        state.reload(log)?;
        Ok(state)
    }

    /// Forgets everything, and reads it anew.
    pub fn reload(&mut self, log: &dyn MetadataLog) -> Result<(), MetadataLogError> {
        self.voters.clear();
        self.versions.clear();
        self.next_offset = log.start_offset();
        if let Some(newest) = log.snapshots().last().map(|newest| newest.id)
            && let Some(chunk) = log.read_snapshot(newest, 0, FIRST_BATCH_MAX_BYTES)?
        {
            let (version, voters) = snapshot::control_state(&chunk.bytes)?;
            let last = newest.end_offset - 1;
            self.versions.insert(last, version);
            self.voters.extend(voters.map(|voters| (last, VoterSet::of_voters(voters))));
            self.next_offset = newest.end_offset.max(self.next_offset);
        }
        while self.next_offset < log.end_offset() {
            let batches = log.read(self.next_offset, READ_BYTES, log.end_offset())?;
            let before = self.next_offset;
            self.take_in(&batches)?;
            if self.next_offset == before {
                break;
            }
        }
        Ok(())
    }

    /// Batches were appended. Whether other voters count from here on.
    pub fn take_in(&mut self, batches: &[u8]) -> Result<bool, BatchError> {
        let mut is_changed = false;
        for batch in records::batches(batches) {
            let (header, bytes) = batch?;
            // A read begins with the batch that holds the offset asked for; what it holds before that is known.
            let from = std::mem::replace(&mut self.next_offset, header.next_offset());
            if !header.is_control() {
                continue;
            }
            for record in records::records(bytes, self.max_batch_bytes)? {
                let record = record?;
                let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
                if record.offset < from {
                    continue;
                }
                match control_type(&key)? {
                    Some(ControlType::KRaftVersion) => {
                        self.versions.insert(record.offset, decode_kraft_version(&value)?);
                    }
                    Some(ControlType::KRaftVoters) => {
                        self.voters.insert(record.offset, VoterSet::of_voters(decode_voters(&value)?));
                        is_changed = true;
                    }
                    _ => {}
                }
            }
        }
        Ok(is_changed)
    }

    /// The log was cut: what stood there from `offset` on counts no more.
    pub fn truncate_to(&mut self, offset: i64) {
        self.voters.split_off(&offset);
        self.versions.split_off(&offset);
        self.next_offset = self.next_offset.min(offset);
    }

    /// The log begins at `offset` now: of what was before, the last counts.
    pub fn forget_before(&mut self, offset: i64) {
        forget(&mut self.voters, offset);
        forget(&mut self.versions, offset);
    }

    /// The voters that count.
    pub fn voters(&self) -> &VoterSet {
        self.voters.last_key_value().map_or(&self.fixed, |(_, voters)| voters)
    }

    /// The same, with the offset of their record; `None` while the log names none.
    pub fn last_entry(&self) -> Option<(i64, &VoterSet)> {
        self.voters.last_key_value().map(|(offset, voters)| (*offset, voters))
    }

    /// The last voters that are known to be committed, if everything below `high_watermark` is.
    pub fn committed_voters(&self, high_watermark: i64) -> &VoterSet {
        self.voters.range(..high_watermark).next_back().map_or(&self.fixed, |(_, voters)| voters)
    }

    /// The voters before the last change, if that may not be committed: a change is made only where the one before it is.
    pub fn voters_to_fall_back_on(&self, high_watermark: i64) -> Option<&VoterSet> {
        let mut latest = self.voters.iter().rev();
        latest.next().filter(|(offset, _)| **offset >= high_watermark)?;
        Some(latest.next().map_or(&self.fixed, |(_, voters)| voters))
    }

    /// Version of KRaft's protocol: from 1 on the voters stand in the log.
    pub fn kraft_version(&self) -> i16 {
        self.versions.last_key_value().map_or(0, |(_, version)| *version)
    }

    /// Version and voters as the log up to `end_offset` has them: what a snapshot that ends there has to say.
    pub fn at(&self, end_offset: i64) -> (i16, Option<&VoterSet>) {
        let version = self.versions.range(..end_offset).next_back().map_or(0, |(_, version)| *version);
        (version, self.voters.range(..end_offset).next_back().map(|(_, voters)| voters))
    }
}

fn forget<T>(entries: &mut BTreeMap<i64, T>, offset: i64) {
    if let Some(last) = entries.range(..=offset).next_back().map(|(at, _)| *at) {
        *entries = entries.split_off(&last);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::quorum::MemoryMetadataLog;
    use crate::quorum::batch::{control_batch, data_batch};
    use crate::quorum::snapshot::{SnapshotId, SnapshotWriter};
    use crate::records::control::{encode_kraft_version, encode_voters};
    use crate::types::{NodeId, Now};

    fn append(log: &mut MemoryMetadataLog, ids: &[NodeId]) {
        let voters = VoterSet::of_ids(ids.iter().copied()).to_vec();
        let version = (ControlType::KRaftVersion, encode_kraft_version(1));
        let content = [version, (ControlType::KRaftVoters, encode_voters(&voters))];
        log.append_leader(Now::default(), control_batch(0, 1, 0, &content), 1).unwrap();
        log.append_leader(Now::default(), data_batch(0, 1, 0, &[Bytes::from_static(b"x")]), 1).unwrap();
    }

    fn ids(voters: &VoterSet) -> Vec<NodeId> {
        voters.ids().collect()
    }

    fn load(log: &MemoryMetadataLog) -> ControlState {
        ControlState::load(log, VoterSet::of_ids([1]), 1 << 20).unwrap()
    }

    #[test]
    fn the_log_says_who_votes_and_takes_it_back() {
        let mut log = MemoryMetadataLog::default();
        assert_eq!((ids(load(&log).voters()), load(&log).kraft_version()), (vec![1], 0));
        append(&mut log, &[1, 2]);
        append(&mut log, &[1, 2, 3]);
        let mut state = load(&log);
        assert_eq!((ids(state.voters()), state.kraft_version()), (vec![1, 2, 3], 1));
        assert_eq!(state.last_entry().map(|(offset, _)| offset), Some(4));
        assert_eq!((ids(state.committed_voters(4)), ids(state.committed_voters(5))), (vec![1, 2], vec![1, 2, 3]));
        assert_eq!(ids(state.committed_voters(1)), [1]);
        let before = |high_watermark| state.voters_to_fall_back_on(high_watermark).map(ids);
        assert_eq!((before(5), before(4), before(0)), (None, Some(vec![1, 2]), Some(vec![1, 2])));
        assert_eq!(state.at(1), (1, None));
        assert_eq!(state.at(2).1.map(ids), Some(vec![1, 2]));
        state.truncate_to(4);
        assert_eq!(ids(state.voters()), [1, 2]);
        state.truncate_to(0);
        assert_eq!((ids(state.voters()), state.kraft_version()), (vec![1], 0));
        state.reload(&log).unwrap();
        state.forget_before(4);
        assert_eq!((state.voters.len(), ids(state.voters())), (1, vec![1, 2, 3]));
    }

    #[test]
    fn a_snapshot_says_it_where_the_log_is_gone() {
        let mut log = MemoryMetadataLog::default();
        append(&mut log, &[1, 2]);
        append(&mut log, &[1, 2, 3]);
        log.sync(Now::default()).unwrap();
        let state = load(&log);
        let id = SnapshotId { end_offset: 3, epoch: 1 };
        let mut writer = SnapshotWriter::new(id, 0);
        let (version, voters) = state.at(id.end_offset);
        let header = writer.header(0, version, voters.map(VoterSet::to_vec).as_deref());
        let footer = writer.footer();
        log.write_snapshot_part(writer.part, 0, &header).unwrap();
        log.write_snapshot_part(writer.part, header.len() as u64, &footer).unwrap();
        assert_eq!(log.complete_snapshot(writer.part), Ok(true));
        assert_eq!(ids(load(&log).voters()), [1, 2, 3], "the log goes on after it");
        log.restart_at_snapshot(id).unwrap();
        let state = load(&log);
        assert_eq!((ids(state.voters()), state.kraft_version()), (vec![1, 2], 1));
        assert_eq!(state.last_entry().map(|(offset, _)| offset), Some(2));
    }
}
