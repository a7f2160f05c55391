//! What a leader does: answers fetches, counts acknowledgements, moves the high watermark, and gives up when too few are left.
//!
//! Source: `LeaderState.maybeUpdateHighWatermark`, `KafkaRaftClient.handleFetchRequest`, `validateFetchOffsetAndEpoch`; KIP-595, KIP-835, KIP-1166.

use std::time::Duration;

use super::config::VoterBug;
use super::machine::{Output, Quorum, QuorumError};
use super::message::{FetchOutcome, FetchRequest, FetchResponse, Message};
use super::replicas::ReplicaState;
use super::roles::{Leader, State, WaitingFetch};
use super::voter_set::ReplicaKey;
use crate::logging::Level;
use crate::types::{NodeId, Now};

impl Quorum {
    pub(super) fn on_fetch_request(
        &mut self,
        now: Now,
        from: NodeId,
        request: &FetchRequest,
    ) -> Result<(), QuorumError> {
        if request.epoch > self.election.epoch {
            // One that knows of a higher epoch can never follow this leader: better an election than a member left behind.
            self.become_unattached(now, request.epoch, "a higher epoch was seen")?;
        }
        let State::Leader(leader) = &mut self.state else {
            self.refuse_fetch(from, request.correlation);
            return Ok(());
        };
        if request.epoch < self.election.epoch {
            self.refuse_fetch(from, request.correlation);
            return Ok(());
        }
        let member = ReplicaKey { id: from, directory_id: request.directory_id };
        leader.members.heard(now, member);
        leader.waiting.remove(&from);
        if let Some(id) = self.snapshot_for(request) {
            self.answer_fetch(from, request.correlation, FetchOutcome::Snapshot(id));
            return Ok(());
        }
        let State::Leader(leader) = &mut self.state else { return Ok(()) };
        let end = self.log.end_offset_for_epoch(request.last_fetched_epoch);
        if end.epoch != request.last_fetched_epoch || end.end_offset < request.fetch_offset {
            self.tell(Level::Info, || {
                let (offset, epoch) = (request.fetch_offset, request.last_fetched_epoch);
                format!("Log of {from} diverges: it fetches from offset {offset} after epoch {epoch}, here {end:?}")
            });
            let outcome = FetchOutcome::Diverging { epoch: end.epoch, end_offset: end.end_offset };
            self.answer_fetch(from, request.correlation, outcome);
            return Ok(());
        }
        leader.members.fetched(now, member, request.fetch_offset, self.log.end_offset());
        let fetch = WaitingFetch {
            correlation: request.correlation,
            fetch_offset: request.fetch_offset,
            high_watermark: request.high_watermark,
            answer_at: now.mono + self.config.fetch_max_wait(),
        };
        leader.waiting.insert(from, fetch);
        self.advance_high_watermark();
        self.answer_waiting(now)?;
        self.resign_if_removed(now);
        Ok(())
    }

    fn answer_fetch(&mut self, to: NodeId, correlation: u64, outcome: FetchOutcome) {
        let (epoch, leader) = (self.election.epoch, self.leader());
        self.send(to, Message::FetchResponse(FetchResponse { correlation, epoch, leader, outcome }));
    }

    pub(super) fn refuse_fetch(&mut self, to: NodeId, correlation: u64) {
        self.answer_fetch(to, correlation, FetchOutcome::NotLeader);
    }

    /// Answers the fetches for which there is something new, or which have waited long enough.
    pub(super) fn answer_waiting(&mut self, now: Now) -> Result<(), QuorumError> {
        let end_offset = self.log.end_offset();
        let high_watermark = self.high_watermark;
        let State::Leader(leader) = &mut self.state else { return Ok(()) };
        let is_due = |_: &NodeId, fetch: &mut WaitingFetch| {
            fetch.fetch_offset < end_offset || fetch.high_watermark < high_watermark || fetch.answer_at <= now.mono
        };
        let due: Vec<_> = leader.waiting.extract_if(.., is_due).collect();
        for (to, fetch) in due {
            let records = self.log.read(fetch.fetch_offset, self.config.fetch_max_bytes, end_offset)?;
            let log_start_offset = self.log.start_offset();
            let outcome = FetchOutcome::Records { records, high_watermark, log_start_offset };
            self.answer_fetch(to, fetch.correlation, outcome);
        }
        Ok(())
    }

    /// A majority has everything below the new high watermark, safe from a power loss, this leader's own epoch's first record included
    /// (Raft's figure 8: an older epoch's record on a majority may still be overwritten).
    pub(super) fn advance_high_watermark(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        let voters = match self.config.has(VoterBug::CountCommittedVoters) {
            true => self.control.committed_voters(self.high_watermark),
            false => self.control.voters(),
        };
        // One that is no voter (any more) leads on until that is committed, and does not count.
        let own = Some(self.log.synced_offset()).filter(|_| voters.is_voter(self.config.key()));
        let others = voters
            .ids()
            .filter(|voter| *voter != self.config.id)
            .map(|voter| leader.members.voters.get(&voter).and_then(|progress| progress.end_offset).unwrap_or(-1));
        let mut acknowledged: Vec<i64> = others.chain(own).collect();
        acknowledged.sort_unstable_by_key(|offset| std::cmp::Reverse(*offset));
        let Some(&on_majority) = acknowledged.get(voters.majority() - 1) else { return };
        // Where voters changed, fewer may have it than before; what was committed stays so.
        if on_majority > leader.epoch_start_offset && on_majority > self.high_watermark {
            self.high_watermark = on_majority;
            self.tell(Level::Debug, || format!("High watermark of the leader is {on_majority}"));
            self.outputs.push(Output::HighWatermark(on_majority));
            self.voter_change_committed();
        }
    }

    pub(super) fn tick_leader(&mut self, now: Now) -> Result<(), QuorumError> {
        if self.log.synced_offset() < self.log.end_offset() {
            self.log.sync(now)?;
            self.advance_high_watermark();
        }
        self.answer_waiting(now)?;
        self.resign_if_removed(now);
        self.expire_voter_change(now);
        self.describe_itself(now)?;
        let State::Leader(leader) = &self.state else { return Ok(()) };
        let announce = now.mono >= leader.announce_at;
        if now.mono >= self.check_quorum_deadline(leader) {
            self.resign_because(now, "no majority fetched in time");
        } else if announce {
            self.announce(now);
        }
        Ok(())
    }

    /// Tells voters that have not fetched yet, or not for long, who leads: they may know none of those who could tell them. Source: `beginQuorumEpochTimer`.
    pub(super) fn announce(&mut self, now: Now) {
        let announce_at = now.mono + self.config.fetch_timeout / 3;
        let State::Leader(leader) = &mut self.state else { return };
        leader.announce_at = announce_at;
        let forgetful = self.config.fetch_timeout;
        let ignorant =
            leader.members.voters.iter().filter(|(_, voter)| voter.needs_announcement(forgetful) <= now.mono);
        let ignorant: Vec<NodeId> = ignorant.map(|(id, _)| *id).collect();
        for to in ignorant {
            let (epoch, voter_directory_id) = (self.election.epoch, self.directory_of(to));
            self.send(to, Message::BeginQuorumEpochRequest { epoch, voter_directory_id });
        }
    }

    /// When too many voters will have been silent for too long.
    fn check_quorum_deadline(&self, leader: &Leader) -> Duration {
        let voters = self.control.voters();
        let needed = voters.majority() - usize::from(voters.is_voter(self.config.key()));
        if needed == 0 {
            return Duration::MAX;
        }
        let mut heard: Vec<Duration> = leader.members.voters.values().map(|voter| voter.heard).collect();
        heard.sort_unstable_by_key(|heard| std::cmp::Reverse(*heard));
        heard.get(needed - 1).map_or(Duration::MAX, |heard| *heard + self.config.check_quorum_timeout())
    }

    pub(super) fn leader_deadline(&self, leader: &Leader) -> Duration {
        if self.log.synced_offset() < self.log.end_offset() {
            return Duration::ZERO;
        }
        let answer_at = leader.waiting.values().map(|fetch| fetch.answer_at).min().unwrap_or(Duration::MAX);
        let forgetful = self.config.fetch_timeout;
        let needed = leader.members.voters.values().map(|voter| voter.needs_announcement(forgetful)).min();
        let announce_at = needed.map_or(Duration::MAX, |needed| leader.announce_at.max(needed));
        let change_at = leader.change.as_ref().map_or(Duration::MAX, |change| change.give_up_at);
        self.check_quorum_deadline(leader).min(answer_at).min(announce_at).min(change_at)
    }

    pub(super) fn own_replica_state(&self, now: Now) -> ReplicaState {
        ReplicaState {
            node_id: self.config.id,
            directory_id: self.config.directory_id,
            log_end_offset: self.log.end_offset(),
            last_fetch_ms: now.wall_ms,
            last_caught_up_ms: now.wall_ms,
        }
    }
}
