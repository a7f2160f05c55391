//! Who votes.
//!
//! Source: `org.apache.kafka.raft.VoterSet`, `ReplicaKey`; KIP-853.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use std::fmt;

use crate::records::control::VoterDescription;
use crate::types::{Id, NodeId};

/// Highest version of KRaft's protocol that this member speaks (`KRaftVersion.KRAFT_VERSION_1`): voters stand in the log.
pub const KRAFT_VERSION_MAX: i16 = 1;

/// One replica of the metadata log: a node that comes back with another directory has forgotten its votes, and is another replica.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// Node.
    pub id: NodeId,
    /// Its log directory; [`Id::ZERO`] where that is not known.
    pub directory_id: Id,
}

impl fmt::Display for ReplicaKey {
    /// As Kafka's messages have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.directory_id {
            Id::ZERO => write!(f, "ReplicaKey(id={}, directoryId=<undefined>)", self.id),
            directory_id => write!(f, "ReplicaKey(id={}, directoryId={directory_id})", self.id),
        }
    }
}

/// A set of voters, each id once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoterSet(BTreeMap<NodeId, VoterDescription>);

impl VoterSet {
    /// Voters as `controller.quorum.voters` names them: of their directories and of what they support nothing is known.
    pub fn of_ids(ids: impl IntoIterator<Item = NodeId>) -> VoterSet {
        let voter = |id| VoterDescription {
            id,
            directory_id: Id::ZERO,
            endpoints: Vec::new(),
            min_kraft_version: 0,
            max_kraft_version: 0,
        };
        VoterSet(ids.into_iter().map(|id| (id, voter(id))).collect())
    }

    /// As a voters record has them.
    pub fn of_voters(voters: Vec<VoterDescription>) -> VoterSet {
        VoterSet(voters.into_iter().map(|voter| (voter.id, voter)).collect())
    }

    /// All of them, by id.
    pub fn voters(&self) -> impl Iterator<Item = &VoterDescription> {
        self.0.values()
    }

    /// For a voters record.
    pub fn to_vec(&self) -> Vec<VoterDescription> {
        self.0.values().cloned().collect()
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.keys().copied()
    }

    /// Their ids and directories.
    pub fn keys(&self) -> impl Iterator<Item = ReplicaKey> + '_ {
        self.0.values().map(|voter| ReplicaKey { id: voter.id, directory_id: voter.directory_id })
    }

    /// Voter of this id, whatever its directory.
    pub fn get(&self, id: NodeId) -> Option<&VoterDescription> {
        self.0.get(&id)
    }

    /// Whether this replica votes. Where the set does not know a voter's directory, its id is enough.
    pub fn is_voter(&self, key: ReplicaKey) -> bool {
        self.get(key.id).is_some_and(|voter| [Id::ZERO, key.directory_id].contains(&voter.directory_id))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all: nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Smallest number of voters that is more than half.
    pub fn majority(&self) -> usize {
        self.len() / 2 + 1
    }

    /// With one more; `None` if there is one of that id.
    pub fn with(&self, voter: VoterDescription) -> Option<VoterSet> {
        if self.0.contains_key(&voter.id) {
            return None;
        }
        let mut voters = self.0.clone();
        voters.insert(voter.id, voter);
        Some(VoterSet(voters))
    }

    /// Without this one; `None` if it is not in it, or alone in it.
    pub fn without(&self, key: ReplicaKey) -> Option<VoterSet> {
        if self.len() < 2 || !self.keys().any(|known| known == key) {
            return None;
        }
        let mut voters = self.0.clone();
        voters.remove(&key.id);
        Some(VoterSet(voters))
    }

    /// With what a voter says of itself; `None` if it is not one.
    pub fn updated(&self, voter: VoterDescription) -> Option<VoterSet> {
        if !self.is_voter(ReplicaKey { id: voter.id, directory_id: voter.directory_id }) {
            return None;
        }
        let mut voters = self.0.clone();
        voters.insert(voter.id, voter);
        Some(VoterSet(voters))
    }

    /// Keeps what a voter says of itself, whatever was known of its directory.
    pub(super) fn describe(&mut self, voter: VoterDescription) {
        if let Some(known) = self.0.get_mut(&voter.id) {
            *known = voter;
        }
    }

    /// Whether all of them speak this version of KRaft's protocol.
    pub fn supports(&self, version: i16) -> bool {
        self.voters().all(|voter| (voter.min_kraft_version..=voter.max_kraft_version).contains(&version))
    }
}

/// `[ReplicaKey(…), ReplicaKey(…)]`, as Kafka's messages have it.
pub(super) fn list(keys: impl Iterator<Item = ReplicaKey>) -> String {
    let keys: Vec<String> = keys.map(|key| key.to_string()).collect();
    format!("[{}]", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(id: NodeId, directory: u8) -> VoterDescription {
        let endpoints = Vec::new();
        VoterDescription {
            id,
            directory_id: Id([directory; 16]),
            endpoints,
            min_kraft_version: 0,
            max_kraft_version: 1,
        }
    }

    fn key(id: NodeId, directory: u8) -> ReplicaKey {
        ReplicaKey { id, directory_id: Id([directory; 16]) }
    }

    #[test]
    fn a_voter_is_its_directory_where_that_is_known() {
        let named = VoterSet::of_ids([1, 2]);
        assert!(named.is_voter(key(1, 7)) && !named.is_voter(key(3, 7)) && !named.supports(1));
        let described = VoterSet::of_voters(vec![voter(1, 7), voter(2, 8)]);
        assert!(described.is_voter(key(1, 7)) && !described.is_voter(key(1, 8)) && !described.is_voter(key(1, 0)));
        assert!(described.supports(1) && described.supports(0) && !described.supports(2));
        assert_eq!(VoterSet::of_voters(described.to_vec()), described);
    }

    #[test]
    fn one_comes_one_goes() {
        let set = VoterSet::of_voters(vec![voter(1, 7)]);
        assert_eq!(set.without(key(1, 7)), None, "nobody would be left");
        assert_eq!(set.with(voter(1, 8)), None, "one directory per id");
        let two = set.with(voter(2, 8)).unwrap();
        assert_eq!((two.len(), two.majority()), (2, 2));
        assert_eq!(two.without(key(2, 7)), None, "that is another directory");
        assert_eq!(two.without(key(2, 8)), Some(set.clone()));
        assert_eq!(two.updated(voter(2, 9)), None);
        let mut moved = voter(2, 8);
        moved.max_kraft_version = 2;
        assert_eq!(two.updated(moved.clone()).unwrap().get(2), Some(&moved));
        assert_eq!(key(3, 0).to_string(), "ReplicaKey(id=3, directoryId=<undefined>)");
    }
}
