//! What stands in a member's directory: its vote, its snapshots, the elections that its log tells of, and the records themselves. Read from
//! outside, of a member that runs or of one that is dead; no node is asked, and nothing is changed.
//!
//! What the records mean is not known here; the quorum's own are told apart and read.

use borsh::{BorshDeserialize, BorshSerialize};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::disk_log::DiskMetadataLog;
use super::election_state::{ElectionState, ElectionStore, QuorumStateFile};
use super::metadata_log::MetadataLogError;
use super::snapshot::{self, SnapshotId, SnapshotInfo};
use crate::log::disk::Disk;
use crate::log::{Contents, LogFiles, LogReader, RealDisk};
use crate::records::control::{
    ControlType, LeaderChange, VoterDescription, control_type, decode_kraft_version, decode_snapshot_header,
    decode_voters,
};
use crate::records::{self, BatchError, BatchHeader};
use crate::types::{NO_NODE, NodeId};

/// Descriptors that are open at a time, at most.
const OPEN_FILES_MAX: usize = 4;
/// What one batch may unpack to.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Elections that are told: the newest.
const ELECTIONS_MAX: usize = 50;
/// Snapshots that are told: the newest.
const SNAPSHOTS_MAX: usize = 50;
/// A snapshot's first batch takes no more.
const SNAPSHOT_HEAD_BYTES: u64 = 64 * 1024;

/// What of a member's log is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumWindow {
    /// First offset whose record is told.
    pub from: i64,
    /// First offset whose record is not told any more.
    pub to: i64,
    /// Bytes of batches that are read at most.
    pub bytes_max: usize,
}

/// What stands in a member's directory.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct QuorumOutline {
    /// Epoch, leader and vote, as it wrote them down; `None`: it wrote down none, or not legibly.
    pub state: Option<ElectionState>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<SnapshotInfo>,
    /// Base offset and size of each segment.
    pub segments: Vec<(i64, u64)>,
    /// The elections of late, oldest first, as far as its log goes back.
    pub elections: Vec<ElectionOutline>,
    /// Records of the window, by offset.
    pub records: Vec<QuorumRecord>,
    /// They are told up to this offset only: there were too many.
    pub cut_at: Option<i64>,
}

/// An election, as the log tells it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct ElectionOutline {
    /// The epoch that it began.
    pub epoch: i32,
    /// Offset of the epoch's first record.
    pub start_offset: i64,
    /// When that was written, by the leader's clock; -1: the record is not there any more.
    pub at_ms: i64,
    /// Who won; -1: the record is not there any more.
    pub leader_id: NodeId,
    /// Who could vote.
    pub voters: Vec<NodeId>,
    /// Who voted for the leader.
    pub granting: Vec<NodeId>,
}

/// One record of the metadata log.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct QuorumRecord {
    /// Offset.
    pub offset: i64,
    /// Epoch of the leader that wrote it.
    pub epoch: i32,
    /// When, by that leader's clock.
    pub timestamp_ms: i64,
    /// First offset of its batch: what stands in one batch was committed together.
    pub batch: i64,
    /// What it says.
    pub content: QuorumContent,
}

/// What a record says.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub enum QuorumContent {
    /// A metadata record, encoded.
    Data(Bytes),
    /// A leader began its epoch.
    LeaderChange(LeaderChange),
    /// The quorum's protocol version.
    KRaftVersion(i16),
    /// The voters.
    Voters(Vec<VoterDescription>),
    /// A snapshot begins; when the last record in it was written.
    SnapshotHeader(i64),
    /// A snapshot ends.
    SnapshotFooter,
    /// A control record of another kind, or one that cannot be read.
    Unknown,
}

/// Reads what stands in the log directory `root` of a member.
///
/// # Errors
/// There is no metadata log, or it cannot be read.
pub fn outline(root: &Path, window: &QuorumWindow) -> Result<QuorumOutline, MetadataLogError> {
    let disk = RealDisk::with_max_open_files(OPEN_FILES_MAX);
    let dir = DiskMetadataLog::dir(root);
    let mut files = LogReader::default().log(&dir);
    let segments = files.segments()?;
    let told = files.contents(window.from, window.to, window.bytes_max)?;
    let state = QuorumStateFile::new(Arc::new(disk.clone()), &dir).load().ok();
    Ok(QuorumOutline {
        state: state.filter(|state| *state != ElectionState::default()),
        snapshots: snapshots(&disk, &dir),
        elections: elections(&mut files, segments.first().map_or(0, |(base, _)| *base)),
        segments,
        records: records_of(&told)?.into_iter().filter(|one| (window.from..window.to).contains(&one.offset)).collect(),
        cut_at: told.cut_at,
    })
}

fn snapshots(disk: &dyn Disk, dir: &Path) -> Vec<SnapshotInfo> {
    let names = disk.list(dir).unwrap_or_default();
    let mut ids: Vec<SnapshotId> = names.iter().filter_map(|name| SnapshotId::from_file_name(name)).collect();
    ids.sort_unstable();
    let newest = &ids[ids.len().saturating_sub(SNAPSHOTS_MAX)..];
    newest.iter().filter_map(|id| snapshot_info(disk, dir, *id)).collect()
}

/// `None`: it is gone meanwhile, or does not begin as a snapshot.
fn snapshot_info(disk: &dyn Disk, dir: &Path, id: SnapshotId) -> Option<SnapshotInfo> {
    let file = disk.open(&dir.join(id.file_name()), false).ok()?;
    let size_bytes = file.len().ok()?;
    let head = file.read_at(size_bytes.min(SNAPSHOT_HEAD_BYTES) as usize, 0).ok()?;
    Some(SnapshotInfo { id, size_bytes, last_contained_ms: snapshot::last_contained_ms(&head).ok()? })
}

/// Each epoch begins with the record of its leader.
fn elections(files: &mut LogFiles, log_start: i64) -> Vec<ElectionOutline> {
    let epochs = files.leader_epochs();
    let newest = &epochs[epochs.len().saturating_sub(ELECTIONS_MAX)..];
    let election = |(epoch, start_offset): &(i32, i64)| {
        let unknown = ElectionOutline {
            epoch: *epoch,
            start_offset: *start_offset,
            at_ms: -1,
            leader_id: NO_NODE,
            voters: Vec::new(),
            granting: Vec::new(),
        };
        if *start_offset < log_start {
            return unknown;
        }
        let first = files.contents(*start_offset, start_offset + 1, 1).ok().and_then(|told| records_of(&told).ok());
        let first = first.and_then(|all| all.into_iter().find(|one| one.offset == *start_offset));
        match first {
            Some(QuorumRecord { content: QuorumContent::LeaderChange(change), timestamp_ms, .. }) => ElectionOutline {
                at_ms: timestamp_ms,
                leader_id: change.leader_id,
                voters: change.voters.iter().map(|voter| voter.id).collect(),
                granting: change.granting_voters.iter().map(|voter| voter.id).collect(),
                ..unknown
            },
            _ => unknown,
        }
    };
    newest.iter().map(election).collect()
}

fn records_of(contents: &Contents) -> Result<Vec<QuorumRecord>, MetadataLogError> {
    let mut found = Vec::new();
    for batch in &contents.batches {
        // A batch that is being written, or was cut off meanwhile, is the end.
        let Ok(header) = records::validate(batch) else { break };
        append_records(&mut found, &header, batch).map_err(MetadataLogError::from)?;
    }
    Ok(found)
}

fn append_records(found: &mut Vec<QuorumRecord>, header: &BatchHeader, batch: &[u8]) -> Result<(), BatchError> {
    for record in records::records(batch, BATCH_BYTES_MAX)? {
        let record = record?;
        let value = record.value.unwrap_or_default();
        let content = if header.is_control() {
            control(&record.key.unwrap_or_default(), &value).unwrap_or(QuorumContent::Unknown)
        } else {
            QuorumContent::Data(value)
        };
        found.push(QuorumRecord {
            offset: record.offset,
            epoch: header.partition_leader_epoch,
            timestamp_ms: record.timestamp_ms,
            batch: header.base_offset,
            content,
        });
    }
    Ok(())
}

fn control(key: &[u8], value: &[u8]) -> Result<QuorumContent, BatchError> {
    Ok(match control_type(key)? {
        Some(ControlType::LeaderChange) => QuorumContent::LeaderChange(LeaderChange::decode(value)?),
        Some(ControlType::KRaftVersion) => QuorumContent::KRaftVersion(decode_kraft_version(value)?),
        Some(ControlType::KRaftVoters) => QuorumContent::Voters(decode_voters(value)?),
        Some(ControlType::SnapshotHeader) => QuorumContent::SnapshotHeader(decode_snapshot_header(value)?),
        Some(ControlType::SnapshotFooter) => QuorumContent::SnapshotFooter,
        _ => QuorumContent::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::super::batch::{data_batch, leader_change_batch};
    use super::super::config::QuorumConfig;
    use super::super::metadata_log::MetadataLog;
    use super::super::snapshot::SnapshotWriter;
    use super::super::voter_set::{ReplicaKey, VoterSet};
    use super::*;
    use crate::types::{Id, Now};

    const NOW: Now = Now { mono: std::time::Duration::from_secs(1), wall_ms: 1000 };
    const ALL: QuorumWindow = QuorumWindow { from: 0, to: i64::MAX, bytes_max: 1 << 20 };

    /// Two epochs of some records, and a snapshot; segments of a few batches.
    fn write(root: &Path) -> DiskMetadataLog {
        let disk = Arc::new(RealDisk::new());
        let config = QuorumConfig { segment_bytes: 300, ..QuorumConfig::lab(3000, vec![3000, 3001, 3002]) };
        let mut log = DiskMetadataLog::open(disk.clone(), root, &config, NOW).unwrap();
        let voters = VoterSet::of_ids([3000, 3001, 3002]);
        for (epoch, leader, granting) in [(1, 3000, vec![3000, 3001]), (4, 3002, vec![3000, 3002])] {
            let change = leader_change_batch(0, epoch, 10 * i64::from(epoch), leader, &voters, granting);
            log.append_leader(NOW, change, epoch).unwrap();
            for number in 0..5_i64 {
                let values = [Bytes::from(format!("{epoch}-{number}a")), Bytes::from(format!("{epoch}-{number}b"))];
                log.append_leader(NOW, data_batch(0, epoch, 100 + number, &values), epoch).unwrap();
            }
        }
        let mut writer = SnapshotWriter::new(SnapshotId { end_offset: 11, epoch: 1 }, 7);
        for bytes in [writer.header(104, 0, None), writer.data(&[Bytes::from_static(b"all")]), writer.footer()] {
            log.write_snapshot_part(writer.part, writer.position, &bytes).unwrap();
            writer.position += bytes.len() as u64;
        }
        assert_eq!(log.complete_snapshot(writer.part), Ok(true));
        log.sync(NOW).unwrap();
        let mut state = QuorumStateFile::new(disk, &DiskMetadataLog::dir(root));
        let voted = Some(ReplicaKey { id: 3002, directory_id: Id::ZERO });
        state.store(&ElectionState { epoch: 4, leader: Some(3002), voted }).unwrap();
        log
    }

    fn offsets(outline: &QuorumOutline) -> Vec<i64> {
        outline.records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn everything_is_told_while_the_log_is_open() {
        let root = tempfile::tempdir().unwrap();
        let log = write(root.path());
        let told = outline(root.path(), &ALL).unwrap();
        assert_eq!(offsets(&told), (0..log.end_offset()).collect::<Vec<_>>());
        assert_eq!((told.cut_at, told.state.unwrap().epoch, told.state.unwrap().voted.unwrap().id), (None, 4, 3002));
        assert!(told.segments.len() > 2, "{:?}", told.segments);
        let elections: Vec<_> = told
            .elections
            .iter()
            .map(|one| (one.epoch, one.start_offset, one.leader_id, one.granting.clone()))
            .collect();
        assert_eq!(elections, [(1, 0, 3000, vec![3000, 3001]), (4, 11, 3002, vec![3000, 3002])]);
        assert_eq!(told.elections[1].at_ms, 40);
        let snapshot = told.snapshots[0];
        assert_eq!((snapshot.id.end_offset, snapshot.last_contained_ms, told.snapshots.len()), (11, 104, 1));
        assert_eq!(told.records[2].content, QuorumContent::Data(Bytes::from_static(b"1-0b")));
        assert_eq!((told.records[2].batch, told.records[1].batch, told.records[3].batch), (1, 1, 3));
    }

    #[test]
    fn a_part_is_told_as_that_part_and_no_more_than_may_be_read() {
        let root = tempfile::tempdir().unwrap();
        let log = write(root.path());
        let window = |from, to, bytes_max| outline(root.path(), &QuorumWindow { from, to, bytes_max }).unwrap();
        for from in 0..=log.end_offset() {
            for to in [from, from + 1, from + 4, i64::MAX] {
                assert_eq!(offsets(&window(from, to, 1 << 20)), (from..to.min(log.end_offset())).collect::<Vec<_>>());
            }
        }
        // Reading goes on where it was cut, and so comes to everything.
        let (mut from, mut all) = (0, Vec::new());
        loop {
            let told = window(from, i64::MAX, 200);
            all.extend(offsets(&told));
            match told.cut_at {
                Some(cut_at) => from = cut_at,
                None => break,
            }
        }
        assert_eq!(all, (0..log.end_offset()).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_damaged_or_torn_ends_the_records_and_what_is_not_there_is_refused() {
        let root = tempfile::tempdir().unwrap();
        write(root.path());
        let dir = DiskMetadataLog::dir(root.path());
        let last = outline(root.path(), &ALL).unwrap().segments.last().copied().unwrap();
        let path = dir.join(format!("{:020}.log", last.0));
        let whole = std::fs::read(&path).unwrap();
        let before = offsets(&outline(root.path(), &ALL).unwrap());
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let told = offsets(&outline(root.path(), &ALL).unwrap());
            assert!(before.starts_with(&told), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x21;
            std::fs::write(&path, &damaged).unwrap();
            // Whatever it says, it says no more than there is, and does not panic.
            let told = outline(root.path(), &ALL);
            assert!(told.is_err() || told.unwrap().records.len() <= before.len(), "damaged at {at}");
        }
        std::fs::write(dir.join("quorum-state"), "nonsense").unwrap();
        std::fs::write(dir.join("00000000000000000009-0000000001.checkpoint"), "nonsense").unwrap();
        std::fs::write(&path, &whole).unwrap();
        let told = outline(root.path(), &ALL).unwrap();
        assert_eq!((told.state, told.snapshots.len(), offsets(&told)), (None, 1, before));
        assert!(outline(&root.path().join("elsewhere"), &ALL).is_err());
    }
}
