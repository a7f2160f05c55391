//! What a leader knows of the others' logs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::voter_set::{ReplicaKey, VoterSet};
use crate::types::{Id, NodeId, Now};

/// Kafka forgets an observer after so long without a fetch (`LeaderState.OBSERVER_SESSION_TIMEOUT_MS`).
const OBSERVER_SESSION: Duration = Duration::from_secs(300);
/// Far more brokers than fit into one process; nothing may grow without end.
const MAX_OBSERVERS: usize = 1024;

/// A replica that fetched that long ago may be made a voter.
const CAUGHT_UP_WITHIN_MS: i64 = 3_600_000;

/// One member's log as the leader knows it. Times are the leader's wall clock; -1 where Kafka says "never".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// The member.
    pub node_id: NodeId,
    /// Its directory; zero if that is not known.
    pub directory_id: Id,
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

    /// From when on it is to be told who leads.
    pub fn needs_announcement(&self, forgetful: Duration) -> Duration {
        if self.acknowledged { self.heard + forgetful } else { Duration::ZERO }
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

    fn state(&self, key: ReplicaKey) -> ReplicaState {
        ReplicaState {
            node_id: key.id,
            directory_id: key.directory_id,
            log_end_offset: self.end_offset.unwrap_or(-1),
            last_fetch_ms: self.last_fetch_ms,
            last_caught_up_ms: self.last_caught_up_ms,
        }
    }
}

/// The leader's view of all other members.
#[derive(Clone, Debug)]
pub(super) struct Members {
    /// The other voters. Their directories are those of the voter set, and zero where that does not know them.
    pub voters: BTreeMap<NodeId, Progress>,
    directories: BTreeMap<NodeId, Id>,
    observers: BTreeMap<ReplicaKey, Progress>,
}

impl Members {
    pub fn new(now: Now, voters: &VoterSet, leader: ReplicaKey) -> Members {
        let mut members = Members { voters: BTreeMap::new(), directories: BTreeMap::new(), observers: BTreeMap::new() };
        members.update(now, voters, leader);
        members
    }

    /// Other voters count: what is known of each goes with it. Source: `LeaderState.updateVoterAndObserverStates`.
    pub fn update(&mut self, now: Now, voters: &VoterSet, leader: ReplicaKey) {
        let mut before = std::mem::take(&mut self.voters);
        let directories = std::mem::take(&mut self.directories);
        for key in voters.keys().filter(|key| key.id != leader.id) {
            let known = directories.get(&key.id).copied().unwrap_or_default();
            let same = known == Id::ZERO || key.directory_id == Id::ZERO || known == key.directory_id;
            let kept = if same { before.remove(&key.id) } else { None };
            let progress = kept.or_else(|| self.observers.remove(&key)).unwrap_or_else(|| Progress::new(now));
            self.voters.insert(key.id, progress);
            self.directories.insert(key.id, key.directory_id);
        }
        for (id, progress) in before {
            let directory_id = directories.get(&id).copied().unwrap_or_default();
            self.observers.entry(ReplicaKey { id, directory_id }).or_insert(progress);
        }
    }

    fn voter(&mut self, from: ReplicaKey) -> Option<&mut Progress> {
        let directory_id = self.directories.get(&from.id)?;
        if [Id::ZERO, from.directory_id].contains(directory_id) { self.voters.get_mut(&from.id) } else { None }
    }

    /// A member is alive and knows this leader.
    pub fn heard(&mut self, now: Now, from: ReplicaKey) {
        if let Some(voter) = self.voter(from) {
            voter.heard = now.mono;
            voter.acknowledged = true;
        }
    }

    /// A member has the leader's log up to `fetch_offset`.
    pub fn fetched(&mut self, now: Now, from: ReplicaKey, fetch_offset: i64, leader_end: i64) {
        if let Some(voter) = self.voter(from) {
            voter.fetched(now, fetch_offset, leader_end);
            return;
        }
        if !self.observers.contains_key(&from) {
            self.forget_observers(now);
        }
        let observer = self.observers.entry(from).or_insert_with(|| Progress::new(now));
        observer.heard = now.mono;
        observer.acknowledged = true;
        observer.fetched(now, fetch_offset, leader_end);
    }

    /// Whether an observer has had all that this leader had, and fetched within the last hour. Source: `LeaderState.isReplicaCaughtUp`.
    pub fn has_caught_up(&self, now: Now, key: ReplicaKey) -> bool {
        self.observers.get(&key).is_some_and(|observer| {
            observer.last_caught_up_ms > 0 && observer.last_fetch_ms > now.wall_ms - CAUGHT_UP_WITHIN_MS
        })
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

    pub fn describe(&self, now: Now, voters: &VoterSet, leader: &ReplicaState) -> QuorumReplicas {
        let voter = |key: ReplicaKey| match self.voters.get(&key.id) {
            Some(voter) => Some(voter.state(key)),
            None if key.id == leader.node_id => Some(leader.clone()),
            None => None,
        };
        let live = |(key, observer): (&ReplicaKey, &Progress)| {
            (now.mono.saturating_sub(observer.heard) < OBSERVER_SESSION).then(|| observer.state(*key))
        };
        let mut observers: Vec<_> = self.observers.iter().filter_map(live).collect();
        if voters.get(leader.node_id).is_none() {
            // It leads until its removal is committed.
            observers.push(leader.clone());
            observers.sort_by_key(|observer| observer.node_id);
        }
        QuorumReplicas { voters: voters.keys().filter_map(voter).collect(), observers }
    }
}
