//! The metadata log's consensus: KRaft's protocol as a state machine.
//!
//! Controllers are its voters, brokers its observers; all run the same [`Quorum`]. Inputs are messages, ticks and records to append, each
//! with the time; outputs are messages and what changed. It writes its log and its vote through what it was handed, and knows no thread,
//! socket or clock, nor what the records that it replicates mean.
//!
//! With kraft.version 0 the voters are those of the configuration; from 1 on they stand in the log, and change while it runs.
//!
//! Source: `org.apache.kafka.raft.KafkaRaftClient`, `QuorumState`, `LeaderState`; KIP-595, KIP-630, KIP-631, KIP-835, KIP-853, KIP-996,
//! KIP-1166.

mod batch;
mod config;
mod control_state;
mod disk_log;
mod election_state;
mod follower;
mod join;
mod leader;
mod log_lines;
mod machine;
mod memory;
mod message;
mod metadata_log;
mod metrics;
mod observe;
mod outline;
mod replicas;
mod retention;
mod roles;
mod snapshot;
mod snapshot_fetch;
mod snapshot_files;
mod voter_changes;
mod voter_set;
mod votes;
mod wire_size;

#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod voter_scenarios;

pub use batch::{Committed, DataRecord, data_records, take_apart};
pub use config::QuorumConfig;
pub use disk_log::{DiskMetadataLog, METADATA_TOPIC, METADATA_TOPIC_ID};
pub use election_state::{ElectionState, ElectionStore, MemoryElectionStore, QuorumStateFile};
pub use machine::{AppendError, Output, Quorum, QuorumError};
pub use memory::MemoryMetadataLog;
pub use message::{
    FetchOutcome, FetchRequest, FetchResponse, FetchSnapshotOutcome, FetchSnapshotRequest, FetchSnapshotResponse,
    Message, VoteRequest, VoteResponse,
};
pub use metadata_log::{EpochEnd, MetadataLog, MetadataLogError};
pub use outline::{ElectionOutline, QuorumContent, QuorumOutline, QuorumRecord, QuorumWindow, outline};
pub use replicas::{QuorumReplicas, ReplicaState};
pub use roles::Role;
pub use snapshot::{Snapshot, SnapshotChunk, SnapshotId, SnapshotInfo, SnapshotPart, SnapshotWriter};
pub use voter_changes::{KRaftVersionError, VoterChangeError};
pub use voter_set::{KRAFT_VERSION_MAX, ReplicaKey, VoterSet};
pub use wire_size::message_bytes;
