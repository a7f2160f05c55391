//! What a leader knows of the others' logs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::types::{NodeId, Now};

/// Kafka forgets an observer after so long without a fetch (`LeaderState.OBSERVER_SESSION_TIMEOUT_MS`).
const OBSERVER_SESSION: Duration = Duration::from_secs(300);
/// Far more brokers than fit into one process; nothing may grow without end.
const MAX_OBSERVERS: usize = 1024;

/// One member's log as the leader knows it. Times are the leader's wall clock; -1 where Kafka says "never".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// The member.
    pub node_id: NodeId,
    /// Next offset of its log, as far as it acknowledged it; -1 while it has not fetched in this epoch.
    pub log_end_offset: i64,
    /// When it last fetched.
    pub last_fetch_ms: i64,
    /// When it last had all that the leader had.
    pub last_caught_up_ms: i64,
}

/// All members as the leader knows them, for DescribeQuorum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumReplicas {
    /// Voters, the leader itself among them.
    pub voters: Vec<ReplicaState>,
    /// Observers that fetched in the last five minutes.
    pub observers: Vec<ReplicaState>,
}

/// Progress of one other member within the leader's epoch.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub end_offset: Option<i64>,
    /// When it was last heard of (the start of the epoch, at first).
    pub heard: Duration,
    /// It knows who leads: it fetched, or answered BeginQuorumEpoch.
    pub acknowledged: bool,
    last_fetch_ms: i64,
    last_caught_up_ms: i64,
    /// Log end of the leader at the fetch before, and when that was: having all of *that* now means having been caught up then.
    leader_end_at_last_fetch: i64,
}

impl Progress {
    fn new(now: Now) -> Progress {
        Progress {
            end_offset: None,
            heard: now.mono,
            acknowledged: false,
            last_fetch_ms: -1,
            last_caught_up_ms: -1,
            leader_end_at_last_fetch: -1,
        }
    }

    /// Source: `LeaderState.ReplicaState.updateFollowerState`.
    fn fetched(&mut self, now: Now, fetch_offset: i64, leader_end: i64) {
        if fetch_offset >= leader_end {
            self.last_caught_up_ms = now.wall_ms;
        } else if self.leader_end_at_last_fetch >= 0 && fetch_offset >= self.leader_end_at_last_fetch {
            self.last_caught_up_ms = self.last_fetch_ms;
        }
        self.last_fetch_ms = now.wall_ms;
        self.leader_end_at_last_fetch = leader_end;
        self.end_offset = Some(fetch_offset);
    }

    fn state(&self, node_id: NodeId) -> ReplicaState {
        ReplicaState {
            node_id,
            log_end_offset: self.end_offset.unwrap_or(-1),
            last_fetch_ms: self.last_fetch_ms,
            last_caught_up_ms: self.last_caught_up_ms,
        }
    }
}

/// The leader's view of all other members.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub voters: BTreeMap<NodeId, Progress>,
    observers: BTreeMap<NodeId, Progress>,
}

impl Members {
    pub fn new(now: Now, other_voters: impl Iterator<Item = NodeId>) -> Members {
        Members { voters: other_voters.map(|id| (id, Progress::new(now))).collect(), observers: BTreeMap::new() }
    }

    /// A member is alive and knows this leader.
    pub fn heard(&mut self, now: Now, from: NodeId) {
        if let Some(voter) = self.voters.get_mut(&from) {
            voter.heard = now.mono;
            voter.acknowledged = true;
        }
    }

    /// A member has the leader's log up to `fetch_offset`.
    pub fn fetched(&mut self, now: Now, from: NodeId, fetch_offset: i64, leader_end: i64) {
        if let Some(voter) = self.voters.get_mut(&from) {
            voter.fetched(now, fetch_offset, leader_end);
            return;
        }
        if !self.observers.contains_key(&from) {
            self.forget_observers(now);
        }
        let observer = self.observers.entry(from).or_insert_with(|| Progress::new(now));
        observer.heard = now.mono;
        observer.fetched(now, fetch_offset, leader_end);
    }

    fn forget_observers(&mut self, now: Now) {
        self.observers.retain(|_, observer| now.mono.saturating_sub(observer.heard) < OBSERVER_SESSION);
        if self.observers.len() >= MAX_OBSERVERS {
            let stalest = self.observers.iter().min_by_key(|(_, observer)| observer.heard).map(|(id, _)| *id);
            stalest.map(|id| self.observers.remove(&id));
        }
    }

    /// Voters, the one with the longest log first: who should lead next.
    pub fn successors(&self) -> Vec<NodeId> {
        let mut voters: Vec<_> = self.voters.iter().map(|(id, voter)| (voter.end_offset, *id)).collect();
        voters.sort_by_key(|(end_offset, id)| (std::cmp::Reverse(*end_offset), *id));
        voters.into_iter().map(|(_, id)| id).collect()
    }

    pub fn describe(&self, now: Now, leader: ReplicaState) -> QuorumReplicas {
        let mut voters: Vec<_> = self.voters.iter().map(|(id, voter)| voter.state(*id)).collect();
        voters.push(leader);
        voters.sort_by_key(|voter| voter.node_id);
        let live = |(id, observer): (&NodeId, &Progress)| {
            (now.mono.saturating_sub(observer.heard) < OBSERVER_SESSION).then(|| observer.state(*id))
        };
        QuorumReplicas { voters, observers: self.observers.iter().filter_map(live).collect() }
    }
}
