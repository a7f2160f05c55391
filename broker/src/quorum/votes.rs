//! Elections: pre-votes, votes, and the announcements of a leader that begins or ends its epoch.
//!
//! Source: `KafkaRaftClient.handleVoteRequest`, `EpochElection`, the `canGrantVote` of each state; KIP-595, KIP-996.

use std::time::Duration;

use super::machine::{Quorum, QuorumError};
use super::message::{Message, VoteRequest, VoteResponse};
use super::roles::{Election, State};
use super::voter_set::ReplicaKey;
use crate::logging::Level;
use crate::types::{Id, NodeId, Now};

impl Quorum {
    pub(super) fn on_vote_request(&mut self, now: Now, from: NodeId, request: &VoteRequest) -> Result<(), QuorumError> {
        // Where voters change, its own log may lag: whoever can vote does, and for one whom it does not know as a voter too (KIP-853).
        let voters = self.control.voters();
        let is_stranger = self.control.kraft_version() == 0 && !voters.is_empty() && voters.get(from).is_none();
        if !self.config.can_become_voter || is_stranger {
            return Ok(());
        }
        if request.epoch > self.election.epoch {
            self.become_unattached(now, request.epoch, "a higher epoch was seen")?;
        }
        let up_to_date = (request.last_epoch, request.log_end_offset) >= (self.log.last_epoch(), self.log.end_offset());
        let candidate = ReplicaKey { id: from, directory_id: request.directory_id };
        let granted = request.epoch == self.election.epoch
            && self.is_meant(request.voter_directory_id)
            && if request.pre_vote {
                self.grants_pre_vote(up_to_date)
            } else {
                self.grants_vote(candidate, up_to_date)
            };
        let refusal = (!granted).then(|| self.refusal(request, candidate, up_to_date));
        self.tell_vote(from, request, refusal);
        if granted && !request.pre_vote {
            self.vote_for(now, candidate)?;
        }
        if !granted && !up_to_date && request.epoch == self.election.epoch {
            self.hasten_own_election(now, from);
        }
        let response = VoteResponse {
            epoch: self.election.epoch,
            leader: self.known_leader(),
            request_epoch: request.epoch,
            pre_vote: request.pre_vote,
            granted,
        };
        self.send(from, Message::VoteResponse(response));
        Ok(())
    }

    /// Why a vote was not given.
    fn refusal(&self, request: &VoteRequest, candidate: ReplicaKey, up_to_date: bool) -> &'static str {
        if request.epoch < self.election.epoch {
            "the epoch is over"
        } else if !self.is_meant(request.voter_directory_id) {
            "the voter that was asked has another directory"
        } else if !up_to_date {
            "its log is not up to date with this one"
        } else if request.pre_vote || self.is_leader() {
            "there is a leader"
        } else if self.election.voted.is_some_and(|voted| voted != candidate) {
            "another candidate has the vote of this epoch"
        } else {
            "there is a leader, or was one, in this epoch"
        }
    }

    /// Whether one who means the voter with this directory means this replica.
    fn is_meant(&self, directory_id: Id) -> bool {
        [Id::ZERO, self.config.directory_id].contains(&directory_id) || self.config.directory_id == Id::ZERO
    }

    /// Whoever hears from a leader holds others back.
    fn grants_pre_vote(&self, up_to_date: bool) -> bool {
        match &self.state {
            State::Leader(_) => false,
            State::Follower(follower) => up_to_date && !follower.leader_is_alive,
            _ => up_to_date,
        }
    }

    fn grants_vote(&self, from: ReplicaKey, up_to_date: bool) -> bool {
        match self.state {
            State::Unattached { .. } | State::Prospective(_) => match self.election.voted {
                Some(voted) => voted == from,
                None => up_to_date && self.election.leader.is_none(),
            },
            State::Candidate(_) | State::Leader(_) | State::Follower(_) | State::Resigned { .. } => false,
        }
    }

    /// Leader of this epoch, as one tells others: also one that it is about to leave.
    fn known_leader(&self) -> Option<NodeId> {
        match self.state {
            State::Resigned { .. } => None,
            _ => self.leader().or(self.election.leader).filter(|leader| *leader != self.config.id || self.is_leader()),
        }
    }

    /// It had to refuse one whose log is shorter, and has no leader either: then it should stand itself, soon.
    fn hasten_own_election(&mut self, now: Now, from: NodeId) {
        let soon = now.mono + self.random_between(Duration::ZERO, self.config.retry_backoff);
        match &mut self.state {
            State::Unattached { stand_at } => *stand_at = soon.min(*stand_at),
            State::Follower(follower) if !follower.leader_is_alive => follower.stand_at = soon.min(follower.stand_at),
            State::Prospective(election) => {
                // It refused before, hearing from a leader then; now it stands itself.
                election.rejected.remove(&from);
                election.repeat_at = soon.min(election.repeat_at);
            }
            _ => {}
        }
    }

    pub(super) fn on_vote_response(
        &mut self,
        now: Now,
        from: NodeId,
        response: &VoteResponse,
    ) -> Result<(), QuorumError> {
        if response.epoch > self.election.epoch {
            return self.adopt_epoch(now, response.epoch, response.leader);
        }
        if response.epoch < self.election.epoch || response.request_epoch != self.election.epoch {
            return Ok(());
        }
        let leader = response.leader.filter(|leader| *leader != self.config.id);
        match &mut self.state {
            State::Prospective(election) if response.pre_vote => {
                election.count(from, response.granted);
                if self.election.leader.is_none() && leader.is_some() && !response.granted {
                    return self.become_follower_of(now, leader);
                }
                if leader == Some(from) {
                    return self.become_follower_of(now, leader);
                }
                self.judge_pre_votes(now)
            }
            State::Candidate(election) if !response.pre_vote => {
                election.count(from, response.granted);
                if leader.is_some() {
                    return self.become_follower_of(now, leader);
                }
                self.judge_votes(now)
            }
            _ => Ok(()),
        }
    }

    fn become_follower_of(&mut self, now: Now, leader: Option<NodeId>) -> Result<(), QuorumError> {
        match leader {
            Some(leader) => self.become_follower(now, self.election.epoch, leader),
            None => Ok(()),
        }
    }

    fn judge_pre_votes(&mut self, now: Now) -> Result<(), QuorumError> {
        let State::Prospective(election) = &self.state else { return Ok(()) };
        if election.is_won() {
            self.become_candidate(now)
        } else if election.is_lost() {
            self.tell_lost(election, "become a candidate");
            self.return_to_leader(now)
        } else {
            Ok(())
        }
    }

    fn judge_votes(&mut self, now: Now) -> Result<(), QuorumError> {
        let longest = self.config.election_backoff_max;
        let State::Candidate(election) = &self.state else { return Ok(()) };
        if election.is_won() {
            let granting = election.granted.iter().copied().collect();
            return self.become_leader(now, granting);
        }
        if election.is_lost() && election.ends_at > now.mono + longest {
            self.tell_lost(election, "lead");
            let backoff = self.random_between(Duration::ZERO, longest);
            if let State::Candidate(election) = &mut self.state {
                election.ends_at = now.mono + backoff;
            }
        }
        Ok(())
    }

    fn tell_lost(&self, election: &Election, aim: &str) {
        self.tell(Level::Info, || {
            let (granted, rejected) = (&election.granted, &election.rejected);
            let epoch = self.election.epoch;
            format!(
                "Too few votes are left to {aim} in epoch {epoch}: granted by {granted:?}, rejected by {rejected:?}"
            )
        });
    }

    /// A pre-vote that came to nothing: back to the leader of this epoch, if there is one, else wait for the round's end.
    fn return_to_leader(&mut self, now: Now) -> Result<(), QuorumError> {
        match self.election.leader {
            Some(leader) if leader != self.config.id => self.become_follower(now, self.election.epoch, leader),
            _ => Ok(()),
        }
    }

    pub(super) fn tick_election(&mut self, now: Now) -> Result<(), QuorumError> {
        let (State::Prospective(election) | State::Candidate(election)) = &self.state else { return Ok(()) };
        if now.mono >= election.ends_at {
            let is_prospective = matches!(self.state, State::Prospective(_));
            self.tell(Level::Info, || {
                let (epoch, granted) = (self.election.epoch, &election.granted);
                format!(
                    "The election of epoch {epoch} took too long: granted by {granted:?}, rejected by {:?}",
                    election.rejected
                )
            });
            return match self.election.leader {
                Some(leader) if is_prospective && leader != self.config.id => {
                    self.become_follower(now, self.election.epoch, leader)
                }
                _ => self.become_prospective(now),
            };
        }
        if now.mono >= election.repeat_at { self.ask_for_votes(now) } else { Ok(()) }
    }

    /// Asks those that have not answered yet; one that votes alone has won.
    pub(super) fn ask_for_votes(&mut self, now: Now) -> Result<(), QuorumError> {
        let repeat_at = now.mono + self.config.vote_retry();
        let (State::Prospective(election) | State::Candidate(election)) = &mut self.state else { return Ok(()) };
        election.repeat_at = repeat_at;
        let asked = election.unanswered(self.config.id);
        let pre_vote = matches!(self.state, State::Prospective(_));
        for to in asked {
            let request = VoteRequest {
                epoch: self.election.epoch,
                last_epoch: self.log.last_epoch(),
                log_end_offset: self.log.end_offset(),
                directory_id: self.config.directory_id,
                voter_directory_id: self.directory_of(to),
                pre_vote,
            };
            self.send(to, Message::VoteRequest(request));
        }
        if pre_vote { self.judge_pre_votes(now) } else { self.judge_votes(now) }
    }

    pub(super) fn on_begin_quorum_epoch(
        &mut self,
        now: Now,
        from: NodeId,
        epoch: i32,
        voter_directory_id: Id,
    ) -> Result<(), QuorumError> {
        if !self.is_meant(voter_directory_id) {
            return Ok(());
        }
        if epoch > self.election.epoch {
            self.become_follower(now, epoch, from)?;
        } else if epoch == self.election.epoch {
            match self.state {
                State::Unattached { .. } | State::Prospective(_) | State::Candidate(_) => {
                    self.become_follower(now, epoch, from)?;
                }
                State::Leader(_) | State::Follower(_) | State::Resigned { .. } => {}
            }
        }
        let response = Message::BeginQuorumEpochResponse { epoch: self.election.epoch, leader: self.known_leader() };
        self.send(from, response);
        Ok(())
    }

    pub(super) fn on_epoch_begun(
        &mut self,
        now: Now,
        from: NodeId,
        epoch: i32,
        leader: Option<NodeId>,
    ) -> Result<(), QuorumError> {
        if epoch > self.election.epoch {
            return self.adopt_epoch(now, epoch, leader);
        }
        if let State::Leader(state) = &mut self.state
            && epoch == self.election.epoch
            && leader == Some(self.config.id)
        {
            let directory_id = self.control.voters().get(from).map_or(Id::ZERO, |voter| voter.directory_id);
            state.members.heard(now, ReplicaKey { id: from, directory_id });
        }
        Ok(())
    }

    /// The leader goes: its first successor stands at once, the others after it, one after the other.
    pub(super) fn on_end_quorum_epoch(
        &mut self,
        now: Now,
        from: NodeId,
        epoch: i32,
        successors: &[NodeId],
    ) -> Result<(), QuorumError> {
        if !self.may_stand() || epoch < self.election.epoch {
            return Ok(());
        }
        if epoch > self.election.epoch {
            self.become_unattached(now, epoch, "a higher epoch was seen")?;
        }
        let position = successors.iter().position(|successor| *successor == self.config.id);
        let delay = match position.and_then(|position| u32::try_from(position).ok()) {
            Some(position) if position < 16 => self.config.election_timeout / 2 * position,
            _ => self.random_election_timeout(),
        };
        self.tell(Level::Debug, || format!("Leader {from} ends epoch {epoch}: stands in {} ms", delay.as_millis()));
        match &mut self.state {
            State::Unattached { stand_at } => *stand_at = now.mono + delay,
            State::Follower(follower) if follower.leader == from => {
                follower.leader_is_alive = false;
                follower.stand_at = now.mono + delay;
                // Nothing more is to be had from it.
                self.fetching.in_flight = None;
                self.fetching.next_at = now.mono + delay + self.config.retry_backoff;
            }
            _ => {}
        }
        Ok(())
    }
}
