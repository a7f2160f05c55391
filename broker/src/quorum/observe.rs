//! What a member of the quorum tells of itself and of its log.

use bytes::Bytes;

use super::config::QuorumConfig;
use super::machine::{Quorum, QuorumError};
use super::metadata_log::MetadataLogError;
use super::replicas::QuorumReplicas;
use super::roles::{Role, State};
use super::voter_set::VoterSet;
use crate::types::{NodeId, Now};

impl Quorum {
    /// Whole batches from the one that holds `from` on, all below the high watermark; empty if there is none yet. The quorum's own control
    /// batches are among them: see [`super::data_records`].
    pub fn read_committed(&self, from: i64, max_bytes: usize) -> Result<Bytes, MetadataLogError> {
        if from >= self.high_watermark {
            return Ok(Bytes::new());
        }
        self.log.read(from, max_bytes, self.high_watermark)
    }

    /// The same up to the log's end: committed or not. A new leader needs it to know what it inherits.
    pub fn read_uncommitted(&self, from: i64, max_bytes: usize) -> Result<Bytes, MetadataLogError> {
        self.log.read(from, max_bytes, self.log.end_offset())
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// Members and timings.
    pub fn config(&self) -> &QuorumConfig {
        &self.config
    }

    /// What it is now.
    pub fn role(&self) -> Role {
        self.state.role()
    }

    /// Whether it leads.
    pub fn is_leader(&self) -> bool {
        matches!(self.state, State::Leader(_))
    }

    /// The leader that it follows, or itself.
    pub fn leader(&self) -> Option<NodeId> {
        match &self.state {
            State::Leader(_) => Some(self.config.id),
            State::Follower(follower) => Some(follower.leader),
            _ => None,
        }
    }

    /// Its epoch.
    pub fn epoch(&self) -> i32 {
        self.election.epoch
    }

    /// Whom it voted for in its epoch.
    pub fn voted_for(&self) -> Option<NodeId> {
        self.election.voted.map(|voted| voted.id)
    }

    /// As leader: offset of the first record of its epoch. Once the high watermark is past it, everything before is committed.
    pub fn epoch_start_offset(&self) -> Option<i64> {
        match &self.state {
            State::Leader(leader) => Some(leader.epoch_start_offset),
            _ => None,
        }
    }

    /// Everything below is committed. Starts at the newest snapshot's end with each start of the node, and only grows.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// First offset of its log.
    pub fn log_start_offset(&self) -> i64 {
        self.log.start_offset()
    }

    /// Next offset to be written.
    pub fn log_end_offset(&self) -> i64 {
        self.log.end_offset()
    }

    /// As leader: how far everybody is, for DescribeQuorum.
    pub fn replicas(&self, now: Now) -> Option<QuorumReplicas> {
        match &self.state {
            State::Leader(leader) => {
                Some(leader.members.describe(now, self.control.voters(), &self.own_replica_state(now)))
            }
            _ => None,
        }
    }

    /// Why it is dead, if it is.
    pub fn failure(&self) -> Option<&QuorumError> {
        self.failure.as_ref()
    }

    /// The voters that count: the last that its log names, committed or not, or those of its configuration.
    pub fn voters(&self) -> &VoterSet {
        self.control.voters()
    }

    /// As leader: the same, with what each voter said of itself, also where the log does not say it yet (kraft.version 0).
    pub fn described_voters(&self) -> &VoterSet {
        match &self.state {
            State::Leader(leader) if self.control.kraft_version() == 0 => &leader.described,
            _ => self.control.voters(),
        }
    }

    /// Version of KRaft's protocol that is finalized: from 1 on the voters stand in the log.
    pub fn kraft_version(&self) -> i16 {
        self.control.kraft_version()
    }
}
