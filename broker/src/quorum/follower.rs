//! What a follower, an observer or one in search of a leader does: fetches, cuts its log back where it diverges, appends.
//!
//! Source: `KafkaRaftClient.handleFetchResponse`, `maybeSendAnyVoterFetch`, `ReplicatedLog.truncateToEndOffset`; KIP-595.

use std::time::Duration;

use bytes::Bytes;

use super::batch;
use super::config::VoterBug;
use super::log_lines::or_none;
use super::machine::{Output, Quorum, QuorumError};
use super::message::{FetchOutcome, FetchRequest, FetchResponse, FetchSnapshotRequest, Message};
use super::metadata_log::MetadataLogError;
use super::roles::{InFlight, State};
use crate::logging::Level;
use crate::planted::Bug;
use crate::types::{NodeId, Now};

/// Longest pause between two attempts to find the leader, in units of `retry_backoff`.
const BACKOFF_LIMIT: u32 = 8;

impl Quorum {
    /// Sends the next fetch if one is due and none is under way.
    pub(super) fn poll_fetch(&mut self, now: Now) -> Result<(), QuorumError> {
        if self.fetching.in_flight.is_some_and(|fetch| now.mono >= fetch.give_up_at) {
            self.fetch_failed(now);
        }
        if self.fetching.in_flight.is_some() || now.mono < self.fetching.next_at {
            return Ok(());
        }
        let Some(to) = self.fetch_target() else { return Ok(()) };
        // The offset in a voter's fetch is a promise that it has everything below, whatever happens to its power.
        // What may become a voter promises it beforehand, since the leader counts what it acknowledged as soon as it is one.
        let promises =
            self.is_voter() || (self.config.can_become_voter && !self.config.has(VoterBug::AcknowledgeUnsynced));
        let promises = promises && !Bug::MetadataUnsynced.is_planted();
        if promises && self.log.synced_offset() < self.log.end_offset() {
            self.log.sync(now)?;
        }
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1);
        self.fetching.in_flight = Some(InFlight { correlation, to, give_up_at: now.mono + self.config.fetch_retry() });
        if let Some(download) = self.fetching.download {
            let (id, position) = (download.id, download.position);
            let (directory_id, epoch) = (self.config.directory_id, self.election.epoch);
            let request = FetchSnapshotRequest { correlation, directory_id, epoch, id, position };
            self.send(to, Message::FetchSnapshotRequest(request));
            return Ok(());
        }
        let request = FetchRequest {
            correlation,
            directory_id: self.config.directory_id,
            epoch: self.election.epoch,
            fetch_offset: self.log.end_offset(),
            last_fetched_epoch: self.log.last_epoch(),
            high_watermark: self.high_watermark,
        };
        self.send(to, Message::FetchRequest(request));
        Ok(())
    }

    /// A voter fetches from its leader and nobody else. An observer whose leader does not answer, and all who know no leader, ask the voters
    /// in turn.
    fn fetch_target(&mut self) -> Option<NodeId> {
        match &self.state {
            State::Follower(follower) if self.is_voter() || self.fetching.failures == 0 => Some(follower.leader),
            State::Follower(_) | State::Unattached { .. } => {
                let known = self.whom_to_ask();
                self.fetching.rotation = self.fetching.rotation.wrapping_add(1);
                known.get(self.fetching.rotation % known.len().max(1)).copied()
            }
            _ => None,
        }
    }

    /// The other voters that it knows, and those that it was told to ask.
    fn whom_to_ask(&self) -> Vec<NodeId> {
        let mut known: Vec<NodeId> = self.control.voters().ids().chain(self.config.bootstrap.iter().copied()).collect();
        known.sort_unstable();
        known.dedup();
        known.retain(|id| *id != self.config.id);
        known
    }

    /// Once around the voters without a pause, then slower and slower.
    pub(super) fn fetch_failed(&mut self, now: Now) {
        self.fetching.in_flight = None;
        self.fetching.failures = self.fetching.failures.saturating_add(1);
        let searches = !matches!(self.state, State::Follower(_)) || !self.is_voter();
        let free = if searches { self.whom_to_ask().len() as u32 } else { 0 };
        let doublings = self.fetching.failures.saturating_sub(free);
        let units = if searches { (1 << doublings.min(31)) >> 1 } else { 1 };
        self.fetching.next_at = now.mono + self.config.retry_backoff * units.min(BACKOFF_LIMIT);
    }

    pub(super) fn fetch_deadline(&self) -> Duration {
        match self.fetching.in_flight {
            Some(fetch) => fetch.give_up_at,
            None if self.whom_to_ask().is_empty() => Duration::MAX,
            None => self.fetching.next_at,
        }
    }

    pub(super) fn on_fetch_response(
        &mut self,
        now: Now,
        from: NodeId,
        response: FetchResponse,
    ) -> Result<(), QuorumError> {
        if !self.is_awaited(now, from, response.correlation, response.epoch, response.leader)? {
            return Ok(());
        }
        match response.outcome {
            FetchOutcome::NotLeader => self.on_not_leader(now, from, response.leader),
            FetchOutcome::Records { .. } | FetchOutcome::Diverging { .. } | FetchOutcome::Snapshot(_)
                if response.leader != Some(from) =>
            {
                self.fetch_failed(now);
                Ok(())
            }
            FetchOutcome::Records { records, high_watermark, .. } => {
                self.heard_from_leader(now, from)?;
                self.append_fetched(now, &records, high_watermark)
            }
            FetchOutcome::Diverging { epoch, end_offset } => {
                self.heard_from_leader(now, from)?;
                self.cut_back(epoch, end_offset)
            }
            FetchOutcome::Snapshot(id) => {
                self.heard_from_leader(now, from)?;
                self.begin_download(now, id)
            }
        }
    }

    /// Whether this is the answer to the fetch that is under way, from this epoch; goes to a higher epoch if it tells of one.
    pub(super) fn is_awaited(
        &mut self,
        now: Now,
        from: NodeId,
        correlation: u64,
        epoch: i32,
        leader: Option<NodeId>,
    ) -> Result<bool, QuorumError> {
        if epoch > self.election.epoch {
            self.adopt_epoch(now, epoch, leader)?;
            return Ok(false);
        }
        let awaited = self.fetching.in_flight.take_if(|fetch| fetch.correlation == correlation && fetch.to == from);
        if awaited.is_some() && epoch < self.election.epoch {
            self.fetch_failed(now);
            return Ok(false);
        }
        Ok(awaited.is_some())
    }

    pub(super) fn on_not_leader(&mut self, now: Now, from: NodeId, leader: Option<NodeId>) -> Result<(), QuorumError> {
        let other = leader.filter(|leader| *leader != self.config.id && *leader != from);
        match (&self.state, other) {
            (State::Unattached { .. }, Some(leader)) => {
                return self.become_follower(now, self.election.epoch, leader);
            }
            (State::Follower(follower), None) if follower.leader == from => self.leader_is_gone(now),
            _ => {}
        }
        self.fetch_failed(now);
        Ok(())
    }

    /// The leader itself says that it leads no more.
    fn leader_is_gone(&mut self, now: Now) {
        let soon = now.mono + self.random_between(Duration::ZERO, self.config.election_timeout / 2);
        if let State::Follower(follower) = &mut self.state {
            follower.leader_is_alive = false;
            follower.stand_at = follower.stand_at.min(soon);
        }
    }

    pub(super) fn heard_from_leader(&mut self, now: Now, leader: NodeId) -> Result<(), QuorumError> {
        if !matches!(&self.state, State::Follower(follower) if follower.leader == leader) {
            self.become_follower(now, self.election.epoch, leader)?;
        }
        let stand_at = now.mono + self.random_fetch_timeout();
        if let State::Follower(follower) = &mut self.state {
            follower.stand_at = stand_at;
            follower.leader_is_alive = true;
        }
        self.fetching.failures = 0;
        self.fetching.next_at = now.mono;
        Ok(())
    }

    fn append_fetched(&mut self, now: Now, records: &Bytes, high_watermark: i64) -> Result<(), QuorumError> {
        let (end_offset, last_epoch) = (self.log.end_offset(), self.log.last_epoch());
        if batch::continues(records, end_offset, last_epoch, self.election.epoch).is_err() {
            // Damaged on its way, or nonsense: it is asked for again.
            self.tell(Level::Info, || {
                format!(
                    "{} bytes of records that do not continue the log at offset {end_offset} were not appended",
                    records.len()
                )
            });
            self.fetch_failed(now);
            return Ok(());
        }
        if !records.is_empty() {
            self.log.append_follower(now, records)?;
            self.metrics.fetched(self.log.end_offset() - end_offset);
            let before = self.control.last_entry().map(|(offset, _)| offset);
            self.control.take_in(records).map_err(MetadataLogError::from)?;
            self.tell_voters(before);
        }
        let high_watermark = high_watermark.min(self.log.end_offset());
        if high_watermark > self.high_watermark {
            self.high_watermark = high_watermark;
            self.tell(Level::Debug, || format!("High watermark of the follower is {high_watermark}"));
            self.outputs.push(Output::HighWatermark(high_watermark));
        }
        Ok(())
    }

    /// The leader has no such records: its log ends in `epoch` (or this one's last epoch before that) where it says. Several rounds may be
    /// needed when the two differ over several epochs.
    fn cut_back(&mut self, epoch: i32, end_offset: i64) -> Result<(), QuorumError> {
        let own = self.log.end_offset_for_epoch(epoch);
        let offset = if own.epoch == epoch { own.end_offset.min(end_offset) } else { own.end_offset };
        if offset < self.high_watermark {
            let high_watermark = self.high_watermark;
            return Err(QuorumError::CommittedRecordsDiverge { offset, high_watermark });
        }
        if offset < self.log.end_offset() {
            let end_offset = self.log.end_offset();
            self.log.truncate_to(offset)?;
            if !self.config.has(VoterBug::KeepTruncatedVoters) {
                self.control.truncate_to(self.log.end_offset());
            }
            self.tell(Level::Info, || {
                let leader = or_none(self.leader());
                format!("Truncated from offset {end_offset} to {} to follow leader {leader}, whose log ends epoch {epoch} there", self.log.end_offset())
            });
            self.outputs.push(Output::Truncated(self.log.end_offset()));
        }
        Ok(())
    }
}
