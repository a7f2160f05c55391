//! What a member must never forget: its epoch, its vote in it, and the leader it knew. In Kafka's `quorum-state` file.
//!
//! Source: `org.apache.kafka.raft.FileQuorumStateStore`, `QuorumStateData.json` (versions 0 and 1; 1 is written).

use borsh::{BorshDeserialize, BorshSerialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::voter_set::ReplicaKey;
use crate::log::disk::Disk;
use crate::planted::Bug;
use crate::types::{Id, NO_NODE, NodeId};

/// Kafka's name of the file, in the metadata log's directory.
const FILE_NAME: &str = "quorum-state";
const DATA_VERSION: i16 = 1;
/// The file takes some 120 bytes; version 0 lists the voters as well.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Epoch, vote and leader of a member.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ElectionState {
    /// Largest epoch that it heard of.
    pub epoch: i32,
    /// Leader of that epoch.
    pub leader: Option<NodeId>,
    /// Whom it voted for in that epoch.
    pub voted: Option<ReplicaKey>,
}

/// Keeps an [`ElectionState`]. When `store` returns, the state survives a power loss.
pub trait ElectionStore: Send {
    /// What was last stored; the default if nothing was.
    fn load(&self) -> io::Result<ElectionState>;
    /// Stores it durably: all of it, or none.
    fn store(&mut self, state: &ElectionState) -> io::Result<()>;
}

/// Kafka's `quorum-state` file.
pub struct QuorumStateFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// The names of the directories above are durable.
    is_rooted: bool,
}

impl QuorumStateFile {
    /// The file in `dir` (the metadata log's own directory), which need not exist.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> QuorumStateFile {
        QuorumStateFile { disk, path: dir.join(FILE_NAME), is_rooted: false }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuorumStateData {
    leader_id: i32,
    leader_epoch: i32,
    voted_id: i32,
    #[serde(default)]
    voted_directory_id: Option<String>,
    #[serde(rename = "data_version")]
    data_version: i16,
}

impl ElectionStore for QuorumStateFile {
    fn load(&self) -> io::Result<ElectionState> {
        let bytes = match self.disk.read(&self.path, MAX_FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ElectionState::default()),
            read => read?,
        };
        let invalid = |what: String| {
            let message = format!("{} is not a quorum state: {what}", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        let data: QuorumStateData = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        if !(0..=DATA_VERSION).contains(&data.data_version) {
            return Err(invalid(format!("version {} is not known", data.data_version)));
        }
        if data.leader_epoch < 0 {
            return Err(invalid(format!("epoch {} is negative", data.leader_epoch)));
        }
        let node = |id: i32| (id != NO_NODE).then_some(id);
        let directory_id = match data.voted_directory_id.as_deref() {
            Some(text) => text.parse().map_err(|_| invalid(format!("{text} is no directory id")))?,
            None => Id::ZERO,
        };
        let voted = node(data.voted_id).map(|id| ReplicaKey { id, directory_id });
        Ok(ElectionState { epoch: data.leader_epoch, leader: node(data.leader_id), voted })
    }

    fn store(&mut self, state: &ElectionState) -> io::Result<()> {
        let data = QuorumStateData {
            leader_id: state.leader.unwrap_or(NO_NODE),
            leader_epoch: state.epoch,
            voted_id: state.voted.map_or(NO_NODE, |voted| voted.id),
            voted_directory_id: Some(state.voted.map_or(Id::ZERO, |voted| voted.directory_id).to_string()),
            data_version: DATA_VERSION,
        };
        let bytes = serde_json::to_vec(&data)?;
        if let Some(dir) = self.path.parent().filter(|_| !self.is_rooted) {
            // A vote is not durable in a directory that may itself be forgotten.
            self.disk.create_dir_all(dir)?;
            for above in dir.ancestors().skip(1).take(2) {
                self.disk.sync_dir(above)?;
            }
            self.is_rooted = true;
        }
        if Bug::VoteUnsynced.is_planted() {
            return self.disk.replace(&self.path, &bytes);
        }
        self.disk.write_atomically(&self.path, &bytes)
    }
}

/// In memory, for simulations: clones share what is stored, so a restarted member finds it.
#[derive(Clone, Debug, Default)]
pub struct MemoryElectionStore(Arc<Mutex<ElectionState>>);

impl ElectionStore for MemoryElectionStore {
    fn load(&self) -> io::Result<ElectionState> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn store(&mut self, state: &ElectionState) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = *state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SimDisk;

    const DIR: &str = "/data/__cluster_metadata-0";

    fn file(disk: &SimDisk) -> QuorumStateFile {
        QuorumStateFile::new(Arc::new(disk.clone()), Path::new(DIR))
    }

    fn with_text(text: &str) -> io::Result<ElectionState> {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new(DIR)).unwrap();
        disk.write_atomically(&Path::new(DIR).join("quorum-state"), text.as_bytes()).unwrap();
        file(&disk).load()
    }

    #[test]
    fn the_file_is_kafkas() {
        let disk = SimDisk::new();
        file(&disk).store(&ElectionState { epoch: 4, leader: Some(3001), voted: None }).unwrap();
        let bytes = disk.read(&Path::new(DIR).join("quorum-state"), 1000).unwrap();
        // As FileQuorumStateStore of Kafka 4.3 writes it.
        let expected = r#"{"leaderId":3001,"leaderEpoch":4,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn both_of_kafkas_versions_are_read() {
        let version_0 = r#"{"clusterId":"abc","leaderId":3001,"leaderEpoch":4,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":3000}],"data_version":0}"#;
        assert_eq!(with_text(version_0).unwrap(), ElectionState { epoch: 4, leader: Some(3001), voted: None });
        let version_1 = r#"{"leaderId":-1,"leaderEpoch":7,"votedId":3000,"votedDirectoryId":"AAAAAAAAAAEAAAAAAAAAAg","data_version":1}"#;
        let directory_id = "AAAAAAAAAAEAAAAAAAAAAg".parse().unwrap();
        let voted = Some(ReplicaKey { id: 3000, directory_id });
        assert_eq!(with_text(version_1).unwrap(), ElectionState { epoch: 7, leader: None, voted });
    }

    #[test]
    fn what_is_not_understood_is_refused_since_a_vote_would_be_forgotten() {
        for text in [
            "",
            "{}",
            "nonsense",
            r#"{"leaderId":1,"leaderEpoch":-1,"votedId":-1,"data_version":1}"#,
            r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"data_version":2}"#,
            r#"{"leaderId":1,"leaderEpoch":1,"votedId":1,"votedDirectoryId":"x","data_version":1}"#,
            r#"{"leaderId":1,"leaderEpoch":99999999999,"votedId":-1,"data_version":1}"#,
        ] {
            assert_eq!(with_text(text).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text}");
        }
    }

    #[test]
    fn a_vote_outlives_a_power_loss_even_in_a_new_directory() {
        let disk = SimDisk::new();
        assert_eq!(file(&disk).load().unwrap(), ElectionState::default());
        let mut state =
            ElectionState { epoch: 1, leader: None, voted: Some(ReplicaKey { id: 2, directory_id: Id([3; 16]) }) };
        file(&disk).store(&state).unwrap();
        disk.power_loss();
        assert_eq!(file(&disk).load().unwrap(), state);
        state.leader = Some(2);
        let mut file = file(&disk);
        disk.fail_writes(Some(io::ErrorKind::StorageFull));
        assert!(file.store(&state).is_err());
        disk.fail_writes(None);
        disk.power_loss();
        assert_eq!(file.load().unwrap().leader, None, "the old state, whole");
    }
}
