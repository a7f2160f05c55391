//! The roles that a member plays, and what it keeps while playing each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::config::QuorumConfig;
use super::replicas::Members;
use super::snapshot::SnapshotId;
use super::voter_changes::VoterChange;
use super::voter_set::VoterSet;
use crate::types::{NodeId, Now};

/// What a member is in its epoch. Observers are unattached or followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Knows an epoch but no leader; looks for one.
    Unattached,
    /// Asks whether an election would be worth it (KIP-996).
    Prospective,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Fetches from the leader.
    Follower,
    /// Led, and will not again in this epoch.
    Resigned,
}

impl Role {
    /// As the window and the API name it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Unattached => "unattached",
            Role::Prospective => "prospective",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Resigned => "resigned",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role with its own memory. Times are `Now::mono`.
#[derive(Debug)]
pub(super) enum State {
    Unattached { stand_at: Duration },
    Prospective(Election),
    Candidate(Election),
    Leader(Leader),
    Follower(Follower),
    Resigned { until: Duration },
}

impl State {
    pub fn role(&self) -> Role {
        match self {
            State::Unattached { .. } => Role::Unattached,
            State::Prospective(_) => Role::Prospective,
            State::Candidate(_) => Role::Candidate,
            State::Leader(_) => Role::Leader,
            State::Follower(_) => Role::Follower,
            State::Resigned { .. } => Role::Resigned,
        }
    }
}

/// One round of votes or pre-votes.
#[derive(Debug)]
pub(super) struct Election {
    /// Whose votes count.
    voters: BTreeSet<NodeId>,
    pub granted: BTreeSet<NodeId>,
    pub rejected: BTreeSet<NodeId>,
    /// When requests without an answer are repeated.
    pub repeat_at: Duration,
    /// When the round is over, won or not.
    pub ends_at: Duration,
}

impl Election {
    /// It grants itself its own vote, if that counts.
    pub fn new(now: Now, config: &QuorumConfig, voters: &VoterSet, lasts: Duration) -> Election {
        Election {
            voters: voters.ids().collect(),
            granted: Some(config.id).filter(|_| voters.is_voter(config.key())).into_iter().collect(),
            rejected: BTreeSet::new(),
            repeat_at: now.mono + config.vote_retry(),
            ends_at: now.mono + lasts,
        }
    }

    pub fn count(&mut self, from: NodeId, granted: bool) {
        if !self.voters.contains(&from) {
            return;
        }
        if granted {
            self.granted.insert(from);
        } else if !self.granted.contains(&from) {
            self.rejected.insert(from);
        }
    }

    fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    pub fn is_won(&self) -> bool {
        self.granted.len() >= self.majority()
    }

    /// Too many said no for the rest to make a majority.
    pub fn is_lost(&self) -> bool {
        self.voters.len() - self.rejected.len() < self.majority()
    }

    pub fn unanswered(&self, own: NodeId) -> Vec<NodeId> {
        let answered = |voter: &NodeId| self.granted.contains(voter) || self.rejected.contains(voter);
        self.voters.iter().copied().filter(|voter| *voter != own && !answered(voter)).collect()
    }
}

/// A leader's memory.
#[derive(Debug)]
pub(super) struct Leader {
    /// Offset of the LeaderChange record: the high watermark may only pass it, never stop short of it in this epoch.
    pub epoch_start_offset: i64,
    pub members: Members,
    /// Fetches that found nothing new, one per member.
    pub waiting: BTreeMap<NodeId, WaitingFetch>,
    /// A change of the voters that somebody waits for; one at a time.
    pub change: Option<VoterChange>,
    /// With kraft.version 0: the voters of the configuration, with what each said of itself. Needed to write them into the log.
    pub described: VoterSet,
    /// When to announce itself again to voters that do not know it yet.
    pub announce_at: Duration,
}

/// A fetch that waits at the leader.
#[derive(Clone, Debug)]
pub(super) struct WaitingFetch {
    pub correlation: u64,
    pub fetch_offset: i64,
    pub high_watermark: i64,
    pub answer_at: Duration,
}

/// A follower's memory.
#[derive(Debug)]
pub(super) struct Follower {
    pub leader: NodeId,
    /// When a voter stands for election itself.
    pub stand_at: Duration,
    /// The leader answered a fetch in this epoch, and is not known to be gone: a reason to hold others back (KIP-996).
    pub leader_is_alive: bool,
}

/// The one fetch that a follower or an unattached member has under way, and whom to ask next.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    pub in_flight: Option<InFlight>,
    pub next_at: Duration,
    /// Fetches that failed since one succeeded.
    pub failures: u32,
    /// Turns through the voters in search of the leader.
    pub rotation: usize,
    /// A snapshot on its way here; until it is whole, its pieces are fetched and no records.
    pub download: Option<Download>,
}

/// A snapshot that is being fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Download {
    pub id: SnapshotId,
    /// First byte that is missing.
    pub position: u64,
}

/// A fetch under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub correlation: u64,
    pub to: NodeId,
    pub give_up_at: Duration,
}
