//! What a leader does when voters come, go, or change: one change at a time, each a record of the whole new set, which counts from the moment
//! at which it stands in the log.
//!
//! Source: `AddVoterHandler`, `RemoveVoterHandler`, `UpdateVoterHandler`, `LeaderState.maybeAppendUpgradedKRaftVersion`; KIP-853.

use std::time::Duration;

use bytes::Bytes;

use super::batch::control_batch;
use super::config::VoterBug;
use super::machine::{Output, Quorum, QuorumError};
use super::message::Message;
use super::metadata_log::MetadataLogError;
use super::roles::State;
use super::voter_set::{KRAFT_VERSION_MAX, ReplicaKey, VoterSet, list};
use crate::logging::Level;
use crate::records::control::{ControlType, VoterDescription, VoterEndpoint, encode_kraft_version, encode_voters};
use crate::types::{NodeId, Now};

/// Why voters were not changed. The texts are Kafka's; an empty one is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoterChangeError {
    /// Another member leads, or this one does not any more: what was asked for may or may not happen.
    #[error("")]
    NotLeader,
    /// It was appended, or the new voter was asked, and that took too long. It may still be committed.
    #[error("")]
    TimedOut,
    /// One at a time.
    #[error("Request timed out waiting for leader to handle previous voter change request")]
    OperationPending,
    /// Nothing of this leader's own epoch is committed yet.
    #[error("Request timed out waiting for leader to establish HWM and fence previous voter changes")]
    EpochNotCommitted,
    /// kraft.version is 0.
    #[error("Cluster doesn't support {verb} voter because the kraft.version feature is {level}")]
    Unsupported {
        /// adding or removing
        verb: &'static str,
        /// Of kraft.version.
        level: i16,
    },
    /// The change before is not committed.
    #[error(
        "Request timed out waiting for voters to commit the latest voter change at {offset} with HWM {high_watermark}"
    )]
    Uncommitted {
        /// Of its record, as Java's Optional prints it.
        offset: String,
        /// High watermark.
        high_watermark: i64,
    },
    /// There is a voter of that id.
    #[error("The voter id for {voter} is already part of the set of voters {voters}.")]
    Duplicate {
        /// Who.
        voter: ReplicaKey,
        /// All voters.
        voters: String,
    },
    /// There is no such voter, or it is the last.
    #[error("Cannot remove voter {voter} from the set of voters {voters}")]
    NotFound {
        /// Who.
        voter: ReplicaKey,
        /// All voters.
        voters: String,
    },
    /// Nobody listens there.
    #[error("Aborted add voter operation for since API_VERSIONS returned an error BROKER_NOT_AVAILABLE")]
    NotAvailable,
    /// It does not speak the quorum's version.
    #[error(
        "Aborted add voter operation for {voter} since the kraft.version range (min: {min}, max: {max} doesn't support the \
         finalized version {version}"
    )]
    UnsupportedByVoter {
        /// Who.
        voter: ReplicaKey,
        /// Lowest version that it speaks.
        min: i16,
        /// Highest.
        max: i16,
        /// The quorum's.
        version: i16,
    },
    /// It has not had all of the log yet, or not for an hour.
    #[error("Aborted add voter operation for {0} since it is lagging behind")]
    Lagging(ReplicaKey),
}

/// Why kraft.version was not raised. The texts are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KRaftVersionError {
    /// It does not lead.
    #[error("Upgrade kraft version failed because the replica is not the current leader")]
    NotLeader,
    /// It never falls.
    #[error("Invalid upgrade of kraft.version from version {from} to {to} because the new version is a downgrade")]
    Downgrade {
        /// Now.
        from: i16,
        /// Wanted.
        to: i16,
    },
    /// Not every voter has said that it speaks it.
    #[error("Invalid upgrade of kraft.version to {0} because not all of the voters support it")]
    Unsupported(i16),
    /// The log failed.
    #[error(transparent)]
    Failed(#[from] QuorumError),
}

/// A change that is not done yet.
#[derive(Debug)]
pub(super) struct VoterChange {
    token: Option<u64>,
    step: Step,
    pub give_up_at: Duration,
}

#[derive(Debug)]
enum Step {
    /// Which versions does the new voter speak?
    AskVersions { correlation: u64, voter: ReplicaKey, endpoints: Vec<VoterEndpoint>, ack_when_committed: bool },
    /// The record stands there.
    Commit { offset: i64 },
}

impl Quorum {
    /// Makes a replica a voter, if it has caught up and nothing else is under way. An [`Output::VoterChange`] with this token tells the outcome:
    /// when the record is committed, or (without `ack_when_committed`) when it stands in the log.
    pub fn add_voter(
        &mut self,
        now: Now,
        token: Option<u64>,
        voter: ReplicaKey,
        endpoints: Vec<VoterEndpoint>,
        ack_when_committed: bool,
    ) {
        self.tell(Level::Info, || format!("Is asked to add voter {voter}"));
        // As `LeaderState.isOperationPending` does: who waits for the one before is told before it is forgotten.
        self.expire_voter_change(now);
        let checked = self.check_change(now, "adding").and_then(|voters| match voters.get(voter.id) {
            Some(_) => Err(VoterChangeError::Duplicate { voter, voters: list(voters.keys()) }),
            None => Ok(()),
        });
        if let Err(error) = checked {
            return self.tell_change(token, Err(error));
        }
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1);
        let give_up_at = now.mono + self.config.voter_change_timeout();
        let step = Step::AskVersions { correlation, voter, endpoints, ack_when_committed };
        if let State::Leader(leader) = &mut self.state {
            leader.change = Some(VoterChange { token, step, give_up_at });
        }
        self.send(voter.id, Message::VersionsRequest { correlation });
    }

    /// Takes a voter out; the outcome comes as with [`Quorum::add_voter`], once that is committed. A leader that takes itself out leads until
    /// then, without a vote, and then resigns.
    pub fn remove_voter(&mut self, now: Now, token: Option<u64>, voter: ReplicaKey) {
        self.tell(Level::Info, || format!("Is asked to remove voter {voter}"));
        self.expire_voter_change(now);
        let checked = self.check_change(now, "removing").and_then(|voters| {
            voters.without(voter).ok_or_else(|| VoterChangeError::NotFound { voter, voters: list(voters.keys()) })
        });
        match checked {
            Ok(voters) => {
                let appended = self.append_voters(now, &voters);
                self.wait_for_commit(now, token, appended);
            }
            Err(error) => self.tell_change(token, Err(error)),
        }
    }

    /// Whether kraft.version can be raised to this one (`false`: it is there already).
    ///
    /// # Errors
    /// It does not lead, the version is lower than the present one, or a voter has not said that it supports it.
    pub fn check_kraft_version(&self, version: i16) -> Result<bool, KRaftVersionError> {
        let State::Leader(leader) = &self.state else { return Err(KRaftVersionError::NotLeader) };
        let from = self.control.kraft_version();
        if version == from {
            return Ok(false);
        }
        if version < from {
            return Err(KRaftVersionError::Downgrade { from, to: version });
        }
        if version > KRAFT_VERSION_MAX || !leader.described.supports(version) {
            return Err(KRaftVersionError::Unsupported(version));
        }
        Ok(true)
    }

    /// Finalizes a higher kraft.version: from then on the voters stand in the log. The offset of its record, or `None` if nothing had to be
    /// written.
    ///
    /// # Errors
    /// As [`Quorum::check_kraft_version`]; or the log failed.
    pub fn upgrade_kraft_version(&mut self, now: Now, version: i16) -> Result<Option<i64>, KRaftVersionError> {
        if !self.check_kraft_version(version)? {
            return Ok(None);
        }
        let described = self.described_voters();
        let content = [
            (ControlType::KRaftVersion, encode_kraft_version(version)),
            (ControlType::KRaftVoters, encode_voters(&described.to_vec())),
        ];
        let appended = self.append_control(now, &content);
        self.fail_if(appended.clone().map(drop));
        Ok(Some(appended?))
    }

    /// One change at a time, and only by a leader that has committed a record of its own epoch (otherwise two leaders' changes could come to
    /// majorities that do not meet).
    fn check_change(&self, now: Now, verb: &'static str) -> Result<&VoterSet, VoterChangeError> {
        let State::Leader(leader) = &self.state else { return Err(VoterChangeError::NotLeader) };
        if self.failure().is_some() {
            return Err(VoterChangeError::NotLeader);
        }
        let careless = self.config.has(VoterBug::TwoChangesAtOnce);
        let is_pending = leader.change.as_ref().is_some_and(|change| now.mono < change.give_up_at);
        if is_pending && !careless {
            return Err(VoterChangeError::OperationPending);
        }
        let high_watermark = self.high_watermark;
        if high_watermark <= leader.epoch_start_offset && !self.config.has(VoterBug::ChangeBeforeOwnEpoch) {
            return Err(VoterChangeError::EpochNotCommitted);
        }
        let level = self.control.kraft_version();
        if level < 1 {
            return Err(VoterChangeError::Unsupported { verb, level });
        }
        match self.control.last_entry() {
            Some((offset, voters)) if offset < high_watermark || careless => Ok(voters),
            entry => {
                let offset = entry.map_or("Optional.empty".to_owned(), |(offset, _)| format!("Optional[{offset}]"));
                Err(VoterChangeError::Uncommitted { offset, high_watermark })
            }
        }
    }

    fn tell_change(&mut self, token: Option<u64>, outcome: Result<(), VoterChangeError>) {
        self.tell(Level::Info, || match &outcome {
            Ok(()) => "The change of voters is done".to_owned(),
            Err(error) => format!("Voters were not changed: {error:?}"),
        });
        if let Some(token) = token {
            self.outputs.push(Output::VoterChange { token, outcome });
        }
    }

    fn append_voters(&mut self, now: Now, voters: &VoterSet) -> Result<i64, QuorumError> {
        self.append_control(now, &[(ControlType::KRaftVoters, encode_voters(&voters.to_vec()))])
    }

    /// Appends records of the quorum's own, as leader: what they say counts at once. The offset of the last of them.
    fn append_control(&mut self, now: Now, content: &[(ControlType, Bytes)]) -> Result<i64, QuorumError> {
        let epoch = self.election.epoch;
        let batch = control_batch(self.log.end_offset(), epoch, now.wall_ms, content);
        let taken_in = batch.clone();
        let first = self.log.append_leader(now, batch, epoch)?;
        self.metrics.appended(now, self.log.end_offset(), content.len() as i64);
        // The log has given it its offset; the copy was made with the same.
        let before = self.control.last_entry().map(|(offset, _)| offset);
        self.control.take_in(&taken_in).map_err(MetadataLogError::from)?;
        self.tell_voters(before);
        let key = self.config.key();
        if let State::Leader(leader) = &mut self.state {
            leader.members.update(now, self.control.voters(), key);
        }
        self.advance_high_watermark();
        self.answer_waiting(now)?;
        Ok(first + content.len() as i64 - 1)
    }

    fn wait_for_commit(&mut self, now: Now, token: Option<u64>, appended: Result<i64, QuorumError>) {
        match appended {
            Ok(offset) if offset < self.high_watermark => self.tell_change(token, Ok(())),
            Ok(offset) => {
                let give_up_at = now.mono + self.config.voter_change_timeout();
                if let State::Leader(leader) = &mut self.state {
                    leader.change = Some(VoterChange { token, step: Step::Commit { offset }, give_up_at });
                }
            }
            Err(error) => {
                self.tell_change(token, Err(VoterChangeError::NotLeader));
                self.fail_if(Err(error));
            }
        }
    }

    pub(super) fn on_versions_request(&mut self, from: NodeId, correlation: u64) {
        let max_kraft_version = if self.config.can_become_voter { KRAFT_VERSION_MAX } else { 0 };
        self.send(from, Message::VersionsResponse { correlation, min_kraft_version: 0, max_kraft_version });
    }

    /// Takes the change out if it waits for this node's versions.
    fn take_asking(&mut self, from: NodeId, correlation: Option<u64>) -> Option<VoterChange> {
        let State::Leader(leader) = &mut self.state else { return None };
        leader.change.take_if(|change| match &change.step {
            Step::AskVersions { correlation: asked, voter, .. } => {
                voter.id == from && correlation.is_none_or(|correlation| correlation == *asked)
            }
            Step::Commit { .. } => false,
        })
    }

    pub(super) fn on_versions_response(&mut self, now: Now, from: NodeId, correlation: u64, min: i16, max: i16) {
        let Some(change) = self.take_asking(from, Some(correlation)) else { return };
        let Step::AskVersions { voter, endpoints, ack_when_committed, .. } = change.step else { return };
        let version = self.control.kraft_version();
        if !(min..=max).contains(&version) {
            let error = VoterChangeError::UnsupportedByVoter { voter, min, max, version };
            return self.tell_change(change.token, Err(error));
        }
        let State::Leader(leader) = &self.state else { return };
        if !leader.members.has_caught_up(now, voter) {
            return self.tell_change(change.token, Err(VoterChangeError::Lagging(voter)));
        }
        let description = VoterDescription {
            id: voter.id,
            directory_id: voter.directory_id,
            endpoints,
            min_kraft_version: min,
            max_kraft_version: max,
        };
        // Another change may have come in between only where the voter says something of itself.
        let checked = self.check_change(now, "adding").and_then(|voters| {
            let duplicate = || VoterChangeError::Duplicate { voter, voters: list(voters.keys()) };
            voters.with(description).ok_or_else(duplicate)
        });
        let voters = match checked {
            Ok(voters) => voters,
            Err(error) => return self.tell_change(change.token, Err(error)),
        };
        let appended = self.append_voters(now, &voters);
        if ack_when_committed || appended.is_err() {
            return self.wait_for_commit(now, change.token, appended);
        }
        self.tell_change(change.token, Ok(()));
        self.wait_for_commit(now, None, appended);
    }

    /// Nobody listens at the node that was to be made a voter.
    pub(super) fn voter_is_down(&mut self, node: NodeId) {
        if let Some(change) = self.take_asking(node, None) {
            self.tell_change(change.token, Err(VoterChangeError::NotAvailable));
        }
    }

    /// The high watermark moved.
    pub(super) fn voter_change_committed(&mut self) {
        let high_watermark = self.high_watermark;
        let State::Leader(leader) = &mut self.state else { return };
        let is_done =
            |change: &mut VoterChange| matches!(change.step, Step::Commit { offset } if offset < high_watermark);
        if let Some(change) = leader.change.take_if(is_done) {
            self.tell_change(change.token, Ok(()));
        }
    }

    pub(super) fn expire_voter_change(&mut self, now: Now) {
        let State::Leader(leader) = &mut self.state else { return };
        if let Some(change) = leader.change.take_if(|change| now.mono >= change.give_up_at) {
            self.tell_change(change.token, Err(VoterChangeError::TimedOut));
        }
    }

    /// It leads no more.
    pub(super) fn drop_voter_change(&mut self, change: Option<VoterChange>) {
        if let Some(change) = change {
            self.tell_change(change.token, Err(VoterChangeError::NotLeader));
        }
    }

    /// A leader that is no voter, and everybody who counts knows it.
    pub(super) fn resign_if_removed(&mut self, now: Now) {
        let is_committed = self.control.last_entry().is_some_and(|(offset, _)| offset < self.high_watermark);
        if self.is_leader() && is_committed && !self.is_voter() {
            self.resign_because(now, "it was removed from the voters");
        }
    }

    /// A voter says what it is.
    pub(super) fn on_update_voter(
        &mut self,
        now: Now,
        from: NodeId,
        epoch: i32,
        voter: VoterDescription,
    ) -> Result<(), QuorumError> {
        if !self.is_leader() || epoch != self.election.epoch || voter.id != from {
            return Ok(());
        }
        self.describe_voter(now, voter)?;
        self.send(from, Message::UpdateVoterResponse { epoch });
        Ok(())
    }

    /// The same of this leader.
    pub(super) fn describe_itself(&mut self, now: Now) -> Result<(), QuorumError> {
        if self.control.kraft_version() > 0 && self.is_leader() {
            self.describe_voter(now, self.config.description())
        } else {
            Ok(())
        }
    }

    /// With kraft.version 0 it is only remembered, until the version is raised.
    fn describe_voter(&mut self, now: Now, voter: VoterDescription) -> Result<(), QuorumError> {
        let version = self.control.kraft_version();
        if version == 0 {
            if let State::Leader(leader) = &mut self.state {
                leader.described.describe(voter);
            }
            return Ok(());
        }
        let is_news = self.control.voters().get(voter.id).is_some_and(|known| *known != voter);
        let supports = (voter.min_kraft_version..=voter.max_kraft_version).contains(&version);
        if !is_news || !supports {
            return Ok(());
        }
        // Refused: it will say so again.
        let Ok(Some(voters)) = self.check_change(now, "updating").map(|voters| voters.updated(voter)) else {
            return Ok(());
        };
        self.append_voters(now, &voters).map(drop)
    }
}
