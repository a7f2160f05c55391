//! Control records: what a log says about itself. Keys are the same for all (version, type); values differ.
//!
//! Source: `org.apache.kafka.common.record.ControlRecordType`, `EndTransactionMarker`, `LeaderChangeMessage.json`,
//! `SnapshotHeaderRecord.json`, `SnapshotFooterRecord.json`, `KRaftVersionRecord.json`, `VotersRecord.json`;
//! KIP-98, KIP-595, KIP-630, KIP-853.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::{BufMut, Bytes, BytesMut};

use super::BatchError;
use super::varint::{read_unsigned, write_unsigned};
use crate::types::{Id, NodeId};

/// What a control record says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i16)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort = 0,
    /// A transaction was committed.
    Commit = 1,
    /// A leader of the quorum starts its epoch.
    LeaderChange = 2,
    /// A snapshot begins.
    SnapshotHeader = 3,
    /// A snapshot ends.
    SnapshotFooter = 4,
    /// The quorum's protocol version.
    KRaftVersion = 5,
    /// The quorum's voters.
    KRaftVoters = 6,
}

const ALL: [ControlType; 7] = [
    ControlType::Abort,
    ControlType::Commit,
    ControlType::LeaderChange,
    ControlType::SnapshotHeader,
    ControlType::SnapshotFooter,
    ControlType::KRaftVersion,
    ControlType::KRaftVoters,
];

/// The type that a control record's key names; `None` for one that Kafka does not know (yet): readers skip those.
pub fn control_type(key: &[u8]) -> Result<Option<ControlType>, BatchError> {
    let Some(key) = key.first_chunk::<4>() else {
        return Err(BatchError::Invalid("a control record's key is shorter than four bytes"));
    };
    if i16::from_be_bytes([key[0], key[1]]) < 0 {
        return Err(BatchError::Invalid("a control record's key has a negative version"));
    }
    let id = i16::from_be_bytes([key[2], key[3]]);
    Ok(usize::try_from(id).ok().and_then(|id| ALL.get(id).copied()))
}

/// The key of a control record.
pub fn control_key(control_type: ControlType) -> [u8; 4] {
    let id = (control_type as i16).to_be_bytes();
    [0, 0, id[0], id[1]]
}

/// Value of an abort or commit marker.
pub fn encode_end_txn_marker(coordinator_epoch: i32) -> Bytes {
    let mut out = BytesMut::with_capacity(6);
    out.put_i16(0);
    out.put_i32(coordinator_epoch);
    out.freeze()
}

/// Coordinator epoch in the value of an abort or commit marker.
pub fn decode_end_txn_marker(value: &[u8]) -> Result<i32, BatchError> {
    let mut reader = Reader(value);
    if reader.i16()? < 0 {
        return Err(BatchError::Invalid("a transaction marker has a negative version"));
    }
    reader.i32()
}

/// A voter named in a [`LeaderChange`].
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Voter {
    /// Node id.
    pub id: NodeId,
    /// Directory id; written with version 1 only.
    pub directory_id: Id,
}

/// First record of a quorum leader's epoch.
#[derive(BorshSerialize, BorshDeserialize, Clone, PartialEq, Eq, Debug)]
pub struct LeaderChange {
    /// 0, or 1 (with directory ids) from kraft.version 1 on.
    pub version: i16,
    /// The new leader.
    pub leader_id: NodeId,
    /// All voters.
    pub voters: Vec<Voter>,
    /// Those that voted for the leader.
    pub granting_voters: Vec<Voter>,
}

impl LeaderChange {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(self.version);
        out.put_i32(self.leader_id);
        for voters in [&self.voters, &self.granting_voters] {
            write_unsigned(&mut out, voters.len() as u64 + 1);
            for voter in voters {
                out.put_i32(voter.id);
                if self.version >= 1 {
                    out.put_slice(&voter.directory_id.0);
                }
                write_unsigned(&mut out, 0);
            }
        }
        write_unsigned(&mut out, 0);
        out.freeze()
    }

    /// From the record's value.
    pub fn decode(value: &[u8]) -> Result<LeaderChange, BatchError> {
        let mut reader = Reader(value);
        let version = reader.i16()?;
        if !(0..=1).contains(&version) {
            return Err(BatchError::Invalid("a leader change has an unknown version"));
        }
        let leader_id = reader.i32()?;
        let voter = |reader: &mut Reader<'_>| {
            let id = reader.i32()?;
            let directory_id = if version >= 1 { reader.id()? } else { Id::ZERO };
            reader.skip_tags()?;
            Ok(Voter { id, directory_id })
        };
        let voters = reader.array(voter)?;
        let granting_voters = reader.array(voter)?;
        reader.skip_tags()?;
        Ok(LeaderChange { version, leader_id, voters, granting_voters })
    }
}

/// Value of a snapshot's first record.
pub fn encode_snapshot_header(last_contained_log_timestamp_ms: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(11);
    out.put_i16(0);
    out.put_i64(last_contained_log_timestamp_ms);
    write_unsigned(&mut out, 0);
    out.freeze()
}

/// Timestamp in the value of a snapshot's first record.
pub fn decode_snapshot_header(value: &[u8]) -> Result<i64, BatchError> {
    let mut reader = Reader(value);
    reader.i16()?;
    let timestamp_ms = reader.i64()?;
    reader.skip_tags()?;
    Ok(timestamp_ms)
}

/// Value of a snapshot's last record.
pub fn encode_snapshot_footer() -> Bytes {
    Bytes::from_static(&[0, 0, 0])
}

/// Value of the record that says which version of KRaft's protocol the quorum speaks.
pub fn encode_kraft_version(kraft_version: i16) -> Bytes {
    let mut out = BytesMut::with_capacity(5);
    out.put_i16(0);
    out.put_i16(kraft_version);
    write_unsigned(&mut out, 0);
    out.freeze()
}

/// See [`encode_kraft_version`].
pub fn decode_kraft_version(value: &[u8]) -> Result<i16, BatchError> {
    let mut reader = Reader(value);
    reader.i16()?;
    let kraft_version = reader.i16()?;
    reader.skip_tags()?;
    Ok(kraft_version)
}

/// Where a voter listens.
#[derive(BorshSerialize, BorshDeserialize, Clone, PartialEq, Eq, Debug)]
pub struct VoterEndpoint {
    /// Listener name.
    pub name: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A voter as the voters record describes it.
#[derive(BorshSerialize, BorshDeserialize, Clone, PartialEq, Eq, Debug)]
pub struct VoterDescription {
    /// Node id.
    pub id: NodeId,
    /// Directory id.
    pub directory_id: Id,
    /// Its listeners.
    pub endpoints: Vec<VoterEndpoint>,
    /// Lowest version of KRaft's protocol that it speaks.
    pub min_kraft_version: i16,
    /// Highest.
    pub max_kraft_version: i16,
}

/// Value of the record that names the quorum's voters.
pub fn encode_voters(voters: &[VoterDescription]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    write_unsigned(&mut out, voters.len() as u64 + 1);
    for voter in voters {
        out.put_i32(voter.id);
        out.put_slice(&voter.directory_id.0);
        write_unsigned(&mut out, voter.endpoints.len() as u64 + 1);
        for endpoint in &voter.endpoints {
            write_string(&mut out, &endpoint.name);
            write_string(&mut out, &endpoint.host);
            out.put_u16(endpoint.port);
            write_unsigned(&mut out, 0);
        }
        out.put_i16(voter.min_kraft_version);
        out.put_i16(voter.max_kraft_version);
        write_unsigned(&mut out, 0);
        write_unsigned(&mut out, 0);
    }
    write_unsigned(&mut out, 0);
    out.freeze()
}

/// See [`encode_voters`].
pub fn decode_voters(value: &[u8]) -> Result<Vec<VoterDescription>, BatchError> {
    let mut reader = Reader(value);
    reader.i16()?;
    let voters = reader.array(|reader| {
        let id = reader.i32()?;
        let directory_id = reader.id()?;
        let endpoints = reader.array(|reader| {
            let endpoint = VoterEndpoint { name: reader.string()?, host: reader.string()?, port: reader.i16()? as u16 };
            reader.skip_tags()?;
            Ok(endpoint)
        })?;
        let (min_kraft_version, max_kraft_version) = (reader.i16()?, reader.i16()?);
        reader.skip_tags()?;
        reader.skip_tags()?;
        Ok(VoterDescription { id, directory_id, endpoints, min_kraft_version, max_kraft_version })
    })?;
    reader.skip_tags()?;
    Ok(voters)
}

fn write_string(out: &mut BytesMut, text: &str) {
    write_unsigned(out, text.len() as u64 + 1);
    out.put_slice(text.as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], BatchError> {
        let Some((taken, rest)) = self.0.split_at_checked(size) else {
            return Err(BatchError::Incomplete { needed: size, have: self.0.len() });
        };
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], BatchError> {
        let mut fixed = [0; N];
        fixed.copy_from_slice(self.take(N)?);
        Ok(fixed)
    }

    fn i16(&mut self) -> Result<i16, BatchError> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    fn i32(&mut self) -> Result<i32, BatchError> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    fn i64(&mut self) -> Result<i64, BatchError> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    fn id(&mut self) -> Result<Id, BatchError> {
        Ok(Id(self.fixed()?))
    }

    fn string(&mut self) -> Result<String, BatchError> {
        let size = read_unsigned(&mut self.0)?.checked_sub(1).ok_or(BatchError::Invalid("a string is null"))?;
        let bytes = self.take(size as usize)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| BatchError::Invalid("a string is not UTF-8"))
    }

    fn array<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, BatchError>) -> Result<Vec<T>, BatchError> {
        let count = read_unsigned(&mut self.0)?.checked_sub(1).ok_or(BatchError::Invalid("an array is null"))?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn skip_tags(&mut self) -> Result<(), BatchError> {
        for _ in 0..read_unsigned(&mut self.0)? {
            read_unsigned(&mut self.0)?;
            let size = read_unsigned(&mut self.0)?;
            self.take(size as usize)?;
        }
        Ok(())
    }
}
