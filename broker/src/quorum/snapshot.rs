//! Snapshots of the metadata log (KIP-630): what they are called, and the batches that they are made of.
//!
//! `<end offset>-<epoch>.checkpoint` holds a header, the records that give what all records below the end offset gave, and a footer. While it
//! is written or fetched it is called `….checkpoint.part`. The batches count their own offsets, from 0.
//! Source: `org.apache.kafka.snapshot.Snapshots`, `RecordsSnapshotWriter`, `RecordsSnapshotReader`.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

use crate::records::control::{
    self, ControlType, VoterDescription, control_key, control_type, encode_kraft_version, encode_snapshot_footer,
    encode_snapshot_header, encode_voters,
};
use crate::records::{self, BatchBuilder, BatchError, Compression};

const SUFFIX: &str = ".checkpoint";
/// Suffix of what is not whole yet.
pub(super) const PART_SUFFIX: &str = ".checkpoint.part";
/// Digits of the offset and of the epoch in a name.
const OFFSET_DIGITS: usize = 20;
const EPOCH_DIGITS: usize = 10;

/// Names a snapshot, and says what it stands for.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// First offset that is not in it.
    pub end_offset: i64,
    /// Epoch of the record before that.
    pub epoch: i32,
}

impl SnapshotId {
    /// Kafka's name of the file.
    pub fn file_name(self) -> String {
        format!("{:0OFFSET_DIGITS$}-{:0EPOCH_DIGITS$}{SUFFIX}", self.end_offset, self.epoch)
    }

    /// From the name of a whole snapshot's file.
    pub fn from_file_name(name: &str) -> Option<SnapshotId> {
        let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(offset, OFFSET_DIGITS) || !digits(epoch, EPOCH_DIGITS) {
            return None;
        }
        Some(SnapshotId { end_offset: offset.parse().ok()?, epoch: epoch.parse().ok()? })
    }
}

/// A snapshot on its way: one that this member makes, or one that it fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotPart {
    /// What it will be.
    pub id: SnapshotId,
    /// It comes from the leader.
    pub is_fetched: bool,
}

impl SnapshotPart {
    /// Name of the file; both kinds of the same snapshot may be under way.
    pub fn file_name(self) -> String {
        let name = self.id.file_name();
        let stem = name.strip_suffix(SUFFIX).unwrap_or(&name);
        format!("{stem}-{}{PART_SUFFIX}", if self.is_fetched { "fetched" } else { "made" })
    }
}

/// What the log knows of a whole snapshot.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its name.
    pub id: SnapshotId,
    /// Size of the file.
    pub size_bytes: u64,
    /// When the last record in it was written.
    pub last_contained_ms: i64,
}

/// Some of a snapshot's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotChunk {
    /// Size of the whole.
    pub size_bytes: u64,
    /// Bytes from the position asked for.
    pub bytes: Bytes,
}

/// A snapshot that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub id: SnapshotId,
    /// When the last record in it was written.
    pub last_contained_ms: i64,
    /// Version of KRaft's protocol that was spoken there; 0 if nothing is said.
    pub kraft_version: i16,
    /// Voters there, if the version has any in the log.
    pub voters: Option<Vec<VoterDescription>>,
    /// Encoded metadata records.
    pub records: Vec<Bytes>,
}

/// Takes a snapshot apart; refuses one that is torn or damaged anywhere.
pub(super) fn read(id: SnapshotId, bytes: &[u8], max_batch_bytes: usize) -> Result<Snapshot, BatchError> {
    let mut snapshot = Snapshot { id, last_contained_ms: -1, kraft_version: 0, voters: None, records: Vec::new() };
    let mut next_offset = 0;
    let (mut begun, mut ended) = (false, false);
    for batch in records::batches(bytes) {
        let (_, batch) = batch?;
        let header = records::validate(batch)?;
        if header.base_offset != next_offset || ended {
            return Err(BatchError::Invalid("a snapshot's batches do not follow each other"));
        }
        next_offset = header.next_offset();
        for record in records::records(batch, max_batch_bytes)? {
            let record = record?;
            let value = record.value.ok_or(BatchError::Invalid("a snapshot's record has no value"))?;
            if !header.is_control() {
                if !begun || ended {
                    return Err(BatchError::Invalid("a snapshot has records outside of header and footer"));
                }
                snapshot.records.push(value);
                continue;
            }
            match control_type(&record.key.unwrap_or_default())? {
                Some(ControlType::SnapshotHeader) if !begun => {
                    begun = true;
                    snapshot.last_contained_ms = control::decode_snapshot_header(&value)?;
                }
                Some(ControlType::SnapshotFooter) if begun && !ended => ended = true,
                Some(ControlType::KRaftVersion) if begun && !ended => {
                    snapshot.kraft_version = control::decode_kraft_version(&value)?;
                }
                Some(ControlType::KRaftVoters) if begun && !ended => {
                    snapshot.voters = Some(control::decode_voters(&value)?);
                }
                _ => return Err(BatchError::Invalid("a snapshot has a control record where none may stand")),
            }
        }
    }
    if ended { Ok(snapshot) } else { Err(BatchError::Invalid("a snapshot ends before its footer")) }
}

/// When the last record in a snapshot was written, from its first batch.
pub(super) fn last_contained_ms(first_bytes: &[u8]) -> Result<i64, BatchError> {
    let first = records::batches(first_bytes).next().ok_or(BatchError::Invalid("a snapshot is empty"))?;
    let (_, batch) = first?;
    for record in records::records(batch, first_bytes.len())? {
        let record = record?;
        if control_type(&record.key.unwrap_or_default())? == Some(ControlType::SnapshotHeader) {
            return control::decode_snapshot_header(&record.value.unwrap_or_default());
        }
    }
    Err(BatchError::Invalid("a snapshot does not begin with its header"))
}

/// Version of KRaft's protocol and voters, from a snapshot's first batch.
pub(super) fn control_state(first_bytes: &[u8]) -> Result<(i16, Option<Vec<VoterDescription>>), BatchError> {
    let first = records::batches(first_bytes).next().ok_or(BatchError::Invalid("a snapshot is empty"))?;
    let (_, batch) = first?;
    let mut state = (0, None);
    for record in records::records(batch, first_bytes.len())? {
        let record = record?;
        let value = record.value.unwrap_or_default();
        match control_type(&record.key.unwrap_or_default())? {
            Some(ControlType::KRaftVersion) => state.0 = control::decode_kraft_version(&value)?,
            Some(ControlType::KRaftVoters) => state.1 = Some(control::decode_voters(&value)?),
            _ => {}
        }
    }
    Ok(state)
}

/// Makes a snapshot's batches, one after the other. What it makes is to be written at `position`.
#[derive(Debug)]
pub struct SnapshotWriter {
    /// What it makes.
    pub(super) part: SnapshotPart,
    /// Where in the file the next batch goes.
    pub(super) position: u64,
    next_offset: i64,
    now_ms: i64,
}

impl SnapshotWriter {
    pub(super) fn new(id: SnapshotId, now_ms: i64) -> SnapshotWriter {
        SnapshotWriter { part: SnapshotPart { id, is_fetched: false }, position: 0, next_offset: 0, now_ms }
    }

    /// Its name.
    pub fn id(&self) -> SnapshotId {
        self.part.id
    }

    /// The first batch: the header, and from kraft.version 1 on the version and the voters.
    pub(super) fn header(
        &mut self,
        last_contained_ms: i64,
        kraft_version: i16,
        voters: Option<&[VoterDescription]>,
    ) -> Bytes {
        let mut content = vec![(ControlType::SnapshotHeader, encode_snapshot_header(last_contained_ms))];
        if kraft_version > 0 {
            content.push((ControlType::KRaftVersion, encode_kraft_version(kraft_version)));
            content.extend(voters.map(|voters| (ControlType::KRaftVoters, encode_voters(voters))));
        }
        self.control(&content)
    }

    pub(super) fn footer(&mut self) -> Bytes {
        self.control(&[(ControlType::SnapshotFooter, encode_snapshot_footer())])
    }

    fn control(&mut self, content: &[(ControlType, Bytes)]) -> Bytes {
        let mut builder = self.builder().control(true);
        for (control_type, value) in content {
            builder.push(self.now_ms, Some(&control_key(*control_type)), Some(value), &[]);
        }
        self.built(builder, content.len())
    }

    pub(super) fn data(&mut self, values: &[Bytes]) -> Bytes {
        let mut builder = self.builder();
        for value in values {
            builder.push(self.now_ms, None, Some(value), &[]);
        }
        self.built(builder, values.len())
    }

    fn builder(&self) -> BatchBuilder {
        BatchBuilder::new(self.next_offset, Compression::None).leader_epoch(self.part.id.epoch)
    }

    fn built(&mut self, builder: BatchBuilder, count: usize) -> Bytes {
        self.next_offset += count as i64;
        builder.build_mut().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SnapshotId = SnapshotId { end_offset: 42, epoch: 3 };

    fn whole(writer: &mut SnapshotWriter, kraft_version: i16) -> Vec<u8> {
        let voters = [VoterDescription {
            id: 3000,
            directory_id: crate::types::Id([7; 16]),
            endpoints: Vec::new(),
            min_kraft_version: 0,
            max_kraft_version: 1,
        }];
        let mut bytes = writer.header(99, kraft_version, Some(&voters)).to_vec();
        bytes.extend_from_slice(&writer.data(&[Bytes::from_static(b"a"), Bytes::from_static(b"b")]));
        bytes.extend_from_slice(&writer.data(&[Bytes::from_static(b"c")]));
        bytes.extend_from_slice(&writer.footer());
        bytes
    }

    #[test]
    fn names_are_kafkas() {
        assert_eq!(ID.file_name(), "00000000000000000042-0000000003.checkpoint");
        assert_eq!(SnapshotId::from_file_name(&ID.file_name()), Some(ID));
        for wrong in ["42-3.checkpoint", "00000000000000000042-0000000003.checkpoint.part", "x", "-.checkpoint"] {
            assert_eq!(SnapshotId::from_file_name(wrong), None, "{wrong}");
        }
        let part = SnapshotPart { id: ID, is_fetched: true };
        assert_eq!(part.file_name(), "00000000000000000042-0000000003-fetched.checkpoint.part");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_less() {
        for kraft_version in [0, 1] {
            let bytes = whole(&mut SnapshotWriter::new(ID, 1000), kraft_version);
            let snapshot = read(ID, &bytes, 1 << 20).unwrap();
            assert_eq!(snapshot.records, ["a", "b", "c"]);
            assert_eq!((snapshot.last_contained_ms, snapshot.kraft_version), (99, kraft_version));
            assert_eq!(snapshot.voters.is_some(), kraft_version > 0);
            assert_eq!(last_contained_ms(&bytes), Ok(99));
            for cut in 0..bytes.len() {
                assert!(read(ID, &bytes[..cut], 1 << 20).is_err(), "cut at {cut}");
            }
            for position in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[position] ^= 0x10;
                // The leader epoch of a batch is outside of its checksum.
                let same = read(ID, &damaged, 1 << 20).is_ok_and(|read| read == snapshot);
                assert!(same || read(ID, &damaged, 1 << 20).is_err(), "damaged at {position}");
            }
        }
    }
}
