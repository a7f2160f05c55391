//! Members and timings of the quorum.

use std::time::Duration;

use super::voter_set::{KRAFT_VERSION_MAX, ReplicaKey};
use crate::logging::NodeLog;
use crate::records::control::{VoterDescription, VoterEndpoint};
use crate::types::{Id, NodeId};

/// Kafka's `KafkaRaftClient.MAX_FETCH_WAIT_MS`.
const FETCH_MAX_WAIT: Duration = Duration::from_millis(500);

/// Kafka's default of `controller.quorum.request.timeout.ms`.
const VOTER_CHANGE_TIMEOUT: Duration = Duration::from_millis(2000);

/// A known bug in how voters change; see [`QuorumConfig::has`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoterBug {
    /// A change is taken while another one is not committed.
    TwoChangesAtOnce,
    /// Voters count from the commit of their record on, not from its append.
    CountCommittedVoters,
    /// Voters whose record was cut off count on.
    KeepTruncatedVoters,
    /// A leader changes voters before it has committed a record of its own epoch.
    ChangeBeforeOwnEpoch,
    /// A replica that is made a voter may have acknowledged what is not on its disk.
    AcknowledgeUnsynced,
}

/// Who votes, and how patient everybody is. Fields carry the names of Kafka's `controller.quorum.*` configurations.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// This node.
    pub id: NodeId,
    /// Its metadata log's directory; [`Id::ZERO`] if that is not known, as with kraft.version 0 it need not be.
    pub directory_id: Id,
    /// Where it listens, as the voters record says it.
    pub endpoints: Vec<VoterEndpoint>,
    /// `controller.quorum.voters`: all voters, as long as the log names none. A node that is not among them is an observer.
    pub voters: Vec<NodeId>,
    /// `controller.quorum.bootstrap.servers`: whom to ask for the leader beside the voters that it knows.
    pub bootstrap: Vec<NodeId>,
    /// It is a controller: it votes, or may be made a voter, and so has on its disk whatever it acknowledges.
    pub can_become_voter: bool,
    /// `controller.quorum.auto.join.enable`: as an observer it asks the leader to be made a voter.
    pub auto_join: bool,
    /// `controller.quorum.election.timeout.ms`: how long an election may last. Drawn anew each time between this and twice this.
    pub election_timeout: Duration,
    /// `controller.quorum.fetch.timeout.ms`: how long a follower goes without its leader before it stands (plus up to a quarter, so that
    /// followers do not stand at the same moment); one and a half times this, how long a leader goes without a majority.
    pub fetch_timeout: Duration,
    /// `controller.quorum.election.backoff.max.ms`: longest wait after a lost election.
    pub election_backoff_max: Duration,
    /// `controller.quorum.request.timeout.ms`: when an unanswered request is repeated. Sooner where waiting that long would itself cost
    /// an election, see [`QuorumConfig::vote_retry`] and [`QuorumConfig::fetch_retry`].
    pub request_timeout: Duration,
    /// `controller.quorum.retry.backoff.ms`: pause after a refused request.
    pub retry_backoff: Duration,
    /// `controller.quorum.fetch.max.bytes`: how much one fetch answers; the first batch always goes, whatever its size.
    pub fetch_max_bytes: usize,
    /// `controller.quorum.fetch.snapshot.max.bytes`: how much of a snapshot one answer holds.
    pub fetch_snapshot_max_bytes: usize,
    /// Largest batch that [`super::Quorum::append`] takes.
    pub max_batch_bytes: usize,
    /// `metadata.log.segment.bytes`
    pub segment_bytes: u64,
    /// `metadata.log.segment.ms`
    pub segment_ms: i64,
    /// `metadata.max.retention.bytes`: of log and snapshots together; what the newest snapshot stands for goes first. -1: no limit.
    pub max_retention_bytes: i64,
    /// Where it writes what happens; nowhere unless it is told.
    pub log: NodeLog,
    /// A known bug, to see that the simulation catches it.
    #[cfg(test)]
    pub(crate) planted: Option<VoterBug>,
    /// `metadata.max.retention.ms`: how old the last record of a snapshot may be, if there is a newer snapshot. -1: no limit.
    pub max_retention_ms: i64,
}

impl QuorumConfig {
    /// Kafka's defaults.
    pub fn kafka(id: NodeId, voters: Vec<NodeId>) -> QuorumConfig {
        QuorumConfig {
            id,
            directory_id: Id::ZERO,
            endpoints: Vec::new(),
            bootstrap: Vec::new(),
            can_become_voter: voters.contains(&id),
            auto_join: false,
            #[cfg(test)]
            planted: None,
            voters,
            election_timeout: Duration::from_millis(1000),
            fetch_timeout: Duration::from_millis(2000),
            election_backoff_max: Duration::from_millis(1000),
            request_timeout: Duration::from_millis(2000),
            retry_backoff: Duration::from_millis(20),
            fetch_max_bytes: 1024 * 1024,
            fetch_snapshot_max_bytes: 1024 * 1024,
            max_batch_bytes: 8 * 1024 * 1024,
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            max_retention_bytes: 100 << 20,
            max_retention_ms: 604_800_000,
            log: NodeLog::default(),
        }
    }

    /// For one machine and impatient eyes: a dead leader is replaced in about 200 to 400 ms.
    pub fn lab(id: NodeId, voters: Vec<NodeId>) -> QuorumConfig {
        QuorumConfig {
            election_timeout: Duration::from_millis(150),
            fetch_timeout: Duration::from_millis(240),
            election_backoff_max: Duration::from_millis(100),
            request_timeout: Duration::from_millis(80),
            ..QuorumConfig::kafka(id, voters)
        }
    }

    /// This replica.
    pub fn key(&self) -> ReplicaKey {
        ReplicaKey { id: self.id, directory_id: self.directory_id }
    }

    /// What it says of itself as a voter.
    pub fn description(&self) -> VoterDescription {
        VoterDescription {
            id: self.id,
            directory_id: self.directory_id,
            endpoints: self.endpoints.clone(),
            min_kraft_version: 0,
            max_kraft_version: KRAFT_VERSION_MAX,
        }
    }

    /// How long a change of the voters may take: an impatient quorum is not impatient with people.
    pub fn voter_change_timeout(&self) -> Duration {
        self.request_timeout.max(VOTER_CHANGE_TIMEOUT)
    }

    /// Whether this member has a known bug. Only in this room's own tests.
    #[cfg(test)]
    pub(super) fn has(&self, bug: VoterBug) -> bool {
        self.planted == Some(bug)
    }

    /// No.
    #[cfg(not(test))]
    pub(super) const fn has(&self, _: VoterBug) -> bool {
        false
    }

    /// How long a leader keeps a fetch that finds nothing new.
    pub fn fetch_max_wait(&self) -> Duration {
        FETCH_MAX_WAIT.min(self.fetch_timeout / 3)
    }

    /// When a fetch without an answer is given up.
    pub fn fetch_retry(&self) -> Duration {
        self.fetch_max_wait() + self.request_timeout.min(self.fetch_timeout / 4)
    }

    /// When a vote request without an answer is repeated.
    pub fn vote_retry(&self) -> Duration {
        self.request_timeout.min(self.election_timeout / 3)
    }

    /// How long a leader stays one without hearing from a majority. Source: `LeaderState.CHECK_QUORUM_TIMEOUT_FACTOR`.
    pub fn check_quorum_timeout(&self) -> Duration {
        self.fetch_timeout * 3 / 2
    }
}
