//! What a follower asks of its leader in matters of voters: a voter to be known as it is, a controller that is an observer to be made a voter.
//!
//! Source: `KafkaRaftClient.pollFollowerAsVoter`, `pollFollowerAsObserver`; KIP-853, `controller.quorum.auto.join.enable`.

use std::time::Duration;

use super::machine::Quorum;
use super::message::Message;
use super::roles::State;
use super::voter_set::ReplicaKey;
use crate::types::{Id, NodeId, Now};

impl Quorum {
    /// What there is to ask, and of whom.
    fn wish(&self) -> Option<(NodeId, Message)> {
        let State::Follower(follower) = &self.state else { return None };
        if !self.config.can_become_voter || self.config.directory_id == Id::ZERO {
            return None;
        }
        let (epoch, id) = (self.election.epoch, self.config.id);
        let (voters, version) = (self.control.voters(), self.control.kraft_version());
        let message = if self.is_voter() {
            let voter = self.config.description();
            let is_known = match version {
                0 => self.described_in == epoch,
                _ => voters.get(id) == Some(&voter),
            };
            if is_known {
                return None;
            }
            Message::UpdateVoterRequest { epoch, voter }
        } else if self.config.auto_join && version > 0 {
            match voters.get(id) {
                // Its directory is another one now: what it was can never come back.
                Some(old) => {
                    let voter = ReplicaKey { id, directory_id: old.directory_id };
                    Message::RemoveVoterRequest { epoch, voter }
                }
                None => {
                    let (voter, endpoints) = (self.config.key(), self.config.endpoints.clone());
                    Message::AddVoterRequest { epoch, voter, endpoints }
                }
            }
        } else {
            return None;
        };
        Some((follower.leader, message))
    }

    pub(super) fn poll_wish(&mut self, now: Now) {
        if now.mono < self.wish_at {
            return;
        }
        if let Some((leader, message)) = self.wish() {
            self.wish_at = now.mono + self.config.fetch_timeout;
            self.send(leader, message);
        }
    }

    pub(super) fn wish_deadline(&self) -> Duration {
        if self.wish().is_some() { self.wish_at } else { Duration::MAX }
    }

    /// The leader knows what this voter is.
    pub(super) fn on_voter_updated(&mut self, from: NodeId, epoch: i32) {
        if epoch == self.election.epoch && self.leader() == Some(from) {
            self.described_in = epoch;
        }
    }
}
