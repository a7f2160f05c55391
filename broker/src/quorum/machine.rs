//! The member of the quorum: its inputs and outputs, its changes of role, its timers. What each role does with a message stands in
//! `votes.rs`, `leader.rs` and `follower.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::batch;
use super::config::QuorumConfig;
use super::control_state::ControlState;
use super::disk_log::DiskMetadataLog;
use super::election_state::{ElectionState, ElectionStore, QuorumStateFile};
use super::message::Message;
use super::metadata_log::{MetadataLog, MetadataLogError, contains};
use super::metrics::QuorumMetrics;
use super::replicas::Members;
use super::roles::{Election, Fetching, Follower, Leader, State};
use super::snapshot::SnapshotId;
use super::voter_changes::VoterChangeError;
use super::voter_set::{ReplicaKey, VoterSet};
use crate::log::disk::Disk;
use crate::logging::Level;
use crate::types::{Id, NodeId, Now};

/// What the member wants done, or tells. In order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// It leads now. It may append at once, but what stands in its log is committed only when the high watermark passes
    /// [`Quorum::epoch_start_offset`].
    BecameLeader {
        /// In which epoch.
        epoch: i32,
    },
    /// It leads no more. Appends that the high watermark has not passed may or may not survive.
    LostLeadership {
        /// Epoch in which it led.
        epoch: i32,
        /// Why.
        reason: &'static str,
    },
    /// It knows another leader, or none, or another epoch.
    LeaderChanged {
        /// The leader.
        leader: Option<NodeId>,
        /// The epoch.
        epoch: i32,
    },
    /// Everything below is committed, and [`Quorum::read_committed`] gives it.
    HighWatermark(i64),
    /// Uncommitted records from this offset on were cut off, to follow the leader.
    Truncated(i64),
    /// A snapshot took the place of the whole log: [`Quorum::read_snapshot`] gives it, and reading goes on where it ends.
    SnapshotInstalled(SnapshotId),
    /// A change of the voters that was asked for came to this.
    VoterChange {
        /// As given with the wish.
        token: u64,
        /// The outcome.
        outcome: Result<(), VoterChangeError>,
    },
    /// The disk failed, or the log contradicts the leader's below the high watermark. The member is dead; so should its node be.
    Failed(QuorumError),
}

/// Why a member cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] MetadataLogError),
    /// The vote could not be kept.
    #[error("the quorum state cannot be kept: {0}")]
    ElectionState(String),
    /// The leader's log contradicts what this member knows to be committed.
    #[error("the leader's log leaves this one at offset {offset}, below the high watermark {high_watermark}")]
    CommittedRecordsDiverge {
        /// Where.
        offset: i64,
        /// What was committed.
        high_watermark: i64,
    },
    /// No voters, or one twice.
    #[error("{0:?} are no voters: at least one is needed, and each once")]
    InvalidVoters(Vec<NodeId>),
}

/// Why records were not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another member leads, if any.
    #[error("this member does not lead the quorum in epoch {epoch}")]
    NotLeader {
        /// Who does.
        leader: Option<NodeId>,
        /// Epoch.
        epoch: i32,
    },
    /// The records do not fit into one batch.
    #[error("{size_bytes} bytes are more than one batch of metadata may take ({limit_bytes})")]
    TooLarge {
        /// Size of the batch.
        size_bytes: usize,
        /// Limit.
        limit_bytes: usize,
    },
    /// There is nothing to append.
    #[error("a batch without records cannot be appended")]
    Empty,
    /// The log failed; an [`Output::Failed`] says so too.
    #[error(transparent)]
    Failed(#[from] QuorumError),
}

/// One member of the quorum. See the room's head for what it may do.
pub struct Quorum {
    pub(super) config: QuorumConfig,
    pub(super) log: Box<dyn MetadataLog>,
    store: Box<dyn ElectionStore>,
    rng: StdRng,
    pub(super) election: ElectionState,
    pub(super) state: State,
    pub(super) fetching: Fetching,
    pub(super) high_watermark: i64,
    pub(super) next_correlation: u64,
    /// When to look for snapshots and segments that nobody needs any more.
    pub(super) clean_at: Duration,
    pub(super) outputs: Vec<Output>,
    /// What the log says of the quorum: its version, its voters.
    pub(super) control: ControlState,
    /// When to ask the leader (again) for what a follower wishes of it.
    pub(super) wish_at: Duration,
    /// Epoch whose leader knows what this voter is; matters with kraft.version 0 only.
    pub(super) described_in: i32,
    pub(super) metrics: QuorumMetrics,
    pub(super) failure: Option<QuorumError>,
    told_leader: (Option<NodeId>, i32),
}

impl Quorum {
    /// A member with its log and its `quorum-state` in `__cluster_metadata-0` of the log directory `root`.
    pub fn open(
        config: QuorumConfig,
        disk: Arc<dyn Disk>,
        root: &Path,
        seed: u64,
        now: Now,
    ) -> Result<Quorum, QuorumError> {
        let log = DiskMetadataLog::open(Arc::clone(&disk), root, &config, now)?;
        let store = QuorumStateFile::new(disk, &DiskMetadataLog::dir(root));
        Quorum::new(config, Box::new(log), Box::new(store), seed, now)
    }

    /// A member that starts, or starts again, with what `log` and `store` hold.
    pub fn new(
        config: QuorumConfig,
        mut log: Box<dyn MetadataLog>,
        store: Box<dyn ElectionStore>,
        seed: u64,
        now: Now,
    ) -> Result<Quorum, QuorumError> {
        let mut voters = config.voters.clone();
        voters.sort_unstable();
        voters.dedup();
        if (voters.is_empty() && config.bootstrap.is_empty()) || voters.len() != config.voters.len() {
            return Err(QuorumError::InvalidVoters(config.voters));
        }
        let snapshot = log.snapshots().last().map(|snapshot| snapshot.id);
        if let Some(id) = snapshot.filter(|id| !contains(&*log, *id)) {
            // It stopped after a snapshot was here, and before the log was gone.
            log.restart_at_snapshot(id)?;
        }
        let control = ControlState::load(&*log, VoterSet::of_ids(voters), config.max_batch_bytes)?;
        let mut election = store.load().map_err(|error| QuorumError::ElectionState(error.to_string()))?;
        if log.last_epoch() > election.epoch {
            election = ElectionState { epoch: log.last_epoch(), leader: None, voted: None };
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let fetching = Fetching { next_at: now.mono, rotation: rng.random_range(0..64), ..Fetching::default() };
        let mut quorum = Quorum {
            next_correlation: rng.random(),
            // A snapshot holds what is committed, and nothing else.
            high_watermark: snapshot.map_or(0, |id| id.end_offset).max(log.start_offset()),
            clean_at: now.mono,
            state: State::Resigned { until: now.mono },
            told_leader: (None, election.epoch),
            outputs: Vec::new(),
            control,
            wish_at: now.mono,
            described_in: -1,
            metrics: QuorumMetrics::default(),
            failure: None,
            fetching,
            config,
            log,
            store,
            rng,
            election,
        };
        quorum.state = quorum.first_state(now);
        quorum.tell_start();
        quorum.tell_leader();
        Ok(quorum)
    }

    /// Nobody waits a whole time-out for a start: a pre-vote does no harm, and finds the leader if there is one. A member that led before
    /// starts as resigned: it may neither lead nor vote again in that epoch (`QuorumState.initialize`).
    fn first_state(&mut self, now: Now) -> State {
        let soon = now.mono + self.random_between(Duration::ZERO, self.config.election_timeout / 5);
        match self.election.leader {
            Some(leader) if leader == self.config.id => State::Resigned { until: soon },
            Some(leader) => State::Follower(Follower { leader, stand_at: soon, leader_is_alive: false }),
            None => State::Unattached { stand_at: soon },
        }
    }

    /// A message arrived.
    pub fn on_message(&mut self, now: Now, from: NodeId, message: Message) {
        if self.failure.is_some() || from == self.config.id {
            return;
        }
        self.metrics.received(&self.config, &message);
        let handled = match message {
            Message::VoteRequest(request) => self.on_vote_request(now, from, &request),
            Message::VoteResponse(response) => self.on_vote_response(now, from, &response),
            Message::BeginQuorumEpochRequest { epoch, voter_directory_id } => {
                self.on_begin_quorum_epoch(now, from, epoch, voter_directory_id)
            }
            Message::BeginQuorumEpochResponse { epoch, leader } => self.on_epoch_begun(now, from, epoch, leader),
            Message::EndQuorumEpochRequest { epoch, preferred_successors } => {
                self.on_end_quorum_epoch(now, from, epoch, &preferred_successors)
            }
            Message::FetchRequest(request) => self.on_fetch_request(now, from, &request),
            Message::FetchResponse(response) => self.on_fetch_response(now, from, response),
            Message::FetchSnapshotRequest(request) => self.on_fetch_snapshot_request(now, from, &request),
            Message::FetchSnapshotResponse(response) => self.on_fetch_snapshot_response(now, from, response),
            Message::UpdateVoterRequest { epoch, voter } => self.on_update_voter(now, from, epoch, voter),
            other => {
                self.on_voter_message(now, from, other);
                Ok(())
            }
        };
        let handled = handled.and_then(|()| self.poll_fetch(now));
        self.poll_wish(now);
        self.fail_if(handled);
        self.measure(now);
    }

    fn on_voter_message(&mut self, now: Now, from: NodeId, message: Message) {
        match message {
            Message::UpdateVoterResponse { epoch } => self.on_voter_updated(from, epoch),
            Message::AddVoterRequest { epoch, voter, endpoints }
                if epoch == self.election.epoch && voter.id == from =>
            {
                self.add_voter(now, None, voter, endpoints, false);
            }
            Message::RemoveVoterRequest { epoch, voter } if epoch == self.election.epoch && voter.id == from => {
                self.remove_voter(now, None, voter);
            }
            Message::VersionsRequest { correlation } => self.on_versions_request(from, correlation),
            Message::VersionsResponse { correlation, min_kraft_version, max_kraft_version } => {
                self.on_versions_response(now, from, correlation, min_kraft_version, max_kraft_version);
            }
            _ => {}
        }
    }

    /// The time of [`Quorum::next_deadline`] has come. Early or late calls do no harm.
    ///
    /// A leader syncs its log here, so that all that was appended since the last tick shares one sync.
    pub fn on_tick(&mut self, now: Now) {
        if self.failure.is_some() {
            return;
        }
        let handled = match self.state {
            State::Unattached { stand_at } if self.may_stand() && now.mono >= stand_at => self.become_prospective(now),
            State::Unattached { .. } => Ok(()),
            State::Prospective(_) | State::Candidate(_) => self.tick_election(now),
            State::Leader(_) => self.tick_leader(now),
            State::Follower(ref follower) if self.may_stand() && now.mono >= follower.stand_at => {
                self.tell(Level::Info, || format!("Leader {} has not answered a fetch for too long", follower.leader));
                self.become_prospective(now)
            }
            State::Follower(_) => Ok(()),
            State::Resigned { until } if now.mono >= until => {
                let unattached = self.become_unattached(now, self.election.epoch, "resigned");
                self.stand_soon(now);
                unattached
            }
            State::Resigned { .. } => Ok(()),
        };
        let handled = handled.and_then(|()| self.clean_if_due(now)).and_then(|()| self.poll_fetch(now));
        self.poll_wish(now);
        self.fail_if(handled);
        self.measure(now);
    }

    /// When [`Quorum::on_tick`] wants to be called (`Now::mono`); zero means at once, `Duration::MAX` never.
    pub fn next_deadline(&self) -> Duration {
        if self.failure.is_some() {
            return Duration::MAX;
        }
        match &self.state {
            State::Unattached { stand_at } => self.fetch_deadline().min(self.standing_deadline(*stand_at)),
            State::Prospective(election) | State::Candidate(election) => election.repeat_at.min(election.ends_at),
            State::Leader(leader) => self.leader_deadline(leader),
            State::Follower(follower) => {
                self.fetch_deadline().min(self.standing_deadline(follower.stand_at)).min(self.wish_deadline())
            }
            State::Resigned { until } => *until,
        }
    }

    /// Appends records, as one batch, if this member leads. They are committed when the high watermark passes the offset returned (that of
    /// the last of them). Followers are told at once; the sync follows with the next tick, which is due at once.
    pub fn append(&mut self, now: Now, records: &[Bytes]) -> Result<i64, AppendError> {
        if let Some(failure) = &self.failure {
            return Err(AppendError::Failed(failure.clone()));
        }
        if !matches!(self.state, State::Leader(_)) {
            return Err(AppendError::NotLeader { leader: self.leader(), epoch: self.election.epoch });
        }
        if records.is_empty() {
            return Err(AppendError::Empty);
        }
        let epoch = self.election.epoch;
        let batch = batch::data_batch(self.log.end_offset(), epoch, now.wall_ms, records);
        let limit_bytes = self.config.max_batch_bytes;
        if batch.len() > limit_bytes {
            return Err(AppendError::TooLarge { size_bytes: batch.len(), limit_bytes });
        }
        // What holds none of the quorum's own records changes nothing there.
        let appended = self.log.append_leader(now, batch, epoch).map_err(QuorumError::from);
        let told = appended.and_then(|_| self.answer_waiting(now));
        if let Err(error) = &told {
            let error = error.clone();
            self.fail_if(told);
            return Err(AppendError::Failed(error));
        }
        self.metrics.appended(now, self.log.end_offset(), records.len() as i64);
        Ok(self.log.end_offset() - 1)
    }

    /// Stops leading, politely: followers are told, and the one with the longest log stands at once. For a controlled shutdown.
    pub fn resign(&mut self, now: Now) {
        if self.failure.is_none() && matches!(self.state, State::Leader(_)) {
            self.resign_because(now, "resigned");
        }
    }

    /// The network says that nobody listens at `node`. A hint only: whoever searches goes on to the next; no election begins for it.
    pub fn on_peer_down(&mut self, now: Now, node: NodeId) {
        if self.failure.is_some() {
            return;
        }
        self.voter_is_down(node);
        match &mut self.state {
            State::Leader(leader) => {
                leader.waiting.remove(&node);
            }
            State::Follower(follower) if follower.leader == node => follower.leader_is_alive = false,
            _ => {}
        }
        if self.fetching.in_flight.is_some_and(|fetch| fetch.to == node) {
            self.fetch_failed(now);
        }
        let polled = self.poll_fetch(now);
        self.fail_if(polled);
    }

    /// What there is to send and to tell since the last call, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(super) fn is_voter(&self) -> bool {
        self.control.voters().is_voter(self.config.key())
    }

    /// Also one that was taken out, as long as that is not known to be committed: without it the others may not come to a majority, and its
    /// log may be the longest. Raft's dissertation, 4.2.2; Kafka does not.
    pub(super) fn may_stand(&self) -> bool {
        let fallback = self.control.voters_to_fall_back_on(self.high_watermark);
        self.config.can_become_voter
            && (self.is_voter() || fallback.is_some_and(|voters| voters.is_voter(self.config.key())))
    }

    /// Directory of a voter, as far as it is known.
    pub(super) fn directory_of(&self, voter: NodeId) -> Id {
        self.control.voters().get(voter).map_or(Id::ZERO, |voter| voter.directory_id)
    }

    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        self.metrics.sent(&self.config, &message);
        self.outputs.push(Output::Send { to, message });
    }

    pub(super) fn random_between(&mut self, from: Duration, to: Duration) -> Duration {
        self.rng.random_range(from..=to)
    }

    pub(super) fn random_election_timeout(&mut self) -> Duration {
        self.random_between(self.config.election_timeout, self.config.election_timeout * 2)
    }

    pub(super) fn random_fetch_timeout(&mut self) -> Duration {
        self.random_between(self.config.fetch_timeout, self.config.fetch_timeout * 5 / 4)
    }

    fn standing_deadline(&self, stand_at: Duration) -> Duration {
        if self.may_stand() { stand_at } else { Duration::MAX }
    }

    /// Keeps epoch, vote and leader durably, before anybody hears of them.
    fn persist(&mut self, election: ElectionState) -> Result<(), QuorumError> {
        if election != self.election {
            self.store.store(&election).map_err(|error| QuorumError::ElectionState(error.to_string()))?;
            self.election = election;
        }
        Ok(())
    }

    /// Takes a role. A leader that leaves its role answers the fetches that wait, so that nobody waits for the dead.
    pub(super) fn take_role(&mut self, now: Now, state: State, reason: &'static str, led_epoch: i32) {
        let before = std::mem::replace(&mut self.state, state);
        self.fetching.in_flight = None;
        self.fetching.failures = 0;
        self.fetching.next_at = now.mono;
        self.wish_at = now.mono;
        self.stop_download();
        self.tell_transition(&before, reason);
        if let State::Leader(leader) = before {
            self.drop_voter_change(leader.change);
            self.outputs.push(Output::LostLeadership { epoch: led_epoch, reason });
            self.dismiss(leader.waiting);
        }
        self.tell_leader();
    }

    fn dismiss(&mut self, waiting: BTreeMap<NodeId, super::roles::WaitingFetch>) {
        for (to, fetch) in waiting {
            self.refuse_fetch(to, fetch.correlation);
        }
    }

    fn tell_leader(&mut self) {
        let told = (self.leader(), self.election.epoch);
        if told != self.told_leader {
            self.told_leader = told;
            self.outputs.push(Output::LeaderChanged { leader: told.0, epoch: told.1 });
        }
    }

    /// It has waited already: a pre-vote does no harm.
    fn stand_soon(&mut self, now: Now) {
        let soon = now.mono + self.random_between(Duration::ZERO, self.config.election_timeout / 5);
        if let State::Unattached { stand_at } = &mut self.state {
            *stand_at = soon.min(*stand_at);
        }
    }

    /// Goes to a higher epoch that it heard of, with the leader that it was told, if any.
    pub(super) fn adopt_epoch(&mut self, now: Now, epoch: i32, leader: Option<NodeId>) -> Result<(), QuorumError> {
        match leader.filter(|leader| *leader != self.config.id) {
            Some(leader) => self.become_follower(now, epoch, leader),
            None => self.become_unattached(now, epoch, "a higher epoch was seen"),
        }
    }

    pub(super) fn become_unattached(&mut self, now: Now, epoch: i32, reason: &'static str) -> Result<(), QuorumError> {
        let led_epoch = self.election.epoch;
        if epoch > self.election.epoch {
            self.persist(ElectionState { epoch, leader: None, voted: None })?;
        }
        // Epochs that others bump must not keep this one from standing: its timer runs on.
        let running = match self.state {
            State::Unattached { stand_at } => stand_at,
            _ => Duration::MAX,
        };
        let stand_at = running.min(now.mono + self.random_election_timeout());
        self.take_role(now, State::Unattached { stand_at }, reason, led_epoch);
        Ok(())
    }

    /// Votes for `candidate` in this epoch; the vote is durable when this returns.
    pub(super) fn vote_for(&mut self, now: Now, candidate: ReplicaKey) -> Result<(), QuorumError> {
        self.persist(ElectionState { voted: Some(candidate), ..self.election })?;
        let stand_at = now.mono + self.random_election_timeout();
        self.take_role(now, State::Unattached { stand_at }, "voted", self.election.epoch);
        Ok(())
    }

    pub(super) fn become_follower(&mut self, now: Now, epoch: i32, leader: NodeId) -> Result<(), QuorumError> {
        let led_epoch = self.election.epoch;
        // One that comes back to a leader of which it has not heard for long gives it less time than one that hears of a new leader.
        let returns = epoch == self.election.epoch && self.election.leader == Some(leader);
        let voted = if epoch == self.election.epoch { self.election.voted } else { None };
        self.persist(ElectionState { epoch, leader: Some(leader), voted })?;
        let patience = if returns { self.random_election_timeout() } else { self.random_fetch_timeout() };
        let follower = Follower { leader, stand_at: now.mono + patience, leader_is_alive: false };
        self.take_role(now, State::Follower(follower), "another leads", led_epoch);
        Ok(())
    }

    pub(super) fn become_prospective(&mut self, now: Now) -> Result<(), QuorumError> {
        let lasts = self.random_election_timeout();
        let election = Election::new(now, &self.config, self.control.voters(), lasts);
        self.take_role(now, State::Prospective(election), "stands again", self.election.epoch);
        self.metrics.stands(now, self.election.epoch);
        self.ask_for_votes(now)
    }

    pub(super) fn become_candidate(&mut self, now: Now) -> Result<(), QuorumError> {
        let epoch = self.election.epoch + 1;
        self.persist(ElectionState { epoch, leader: None, voted: Some(self.config.key()) })?;
        let lasts = self.random_election_timeout();
        let election = Election::new(now, &self.config, self.control.voters(), lasts);
        self.take_role(now, State::Candidate(election), "stands again", epoch);
        self.ask_for_votes(now)
    }

    pub(super) fn become_leader(&mut self, now: Now, granting: Vec<NodeId>) -> Result<(), QuorumError> {
        let epoch = self.election.epoch;
        self.persist(ElectionState { leader: Some(self.config.id), ..self.election })?;
        // Only a record of its own epoch can be counted as committed (Raft's figure 8), so it writes one at once.
        let epoch_start_offset = self.log.end_offset();
        let (id, voters) = (self.config.id, self.control.voters());
        let batch = batch::leader_change_batch(epoch_start_offset, epoch, now.wall_ms, id, voters, granting);
        let members = Members::new(now, voters, self.config.key());
        let mut described = voters.clone();
        described.describe(self.config.description());
        self.log.append_leader(now, batch, epoch)?;
        self.metrics.appended(now, self.log.end_offset(), 1);
        let leader = Leader {
            epoch_start_offset,
            members,
            change: None,
            described,
            waiting: BTreeMap::new(),
            announce_at: now.mono,
        };
        self.take_role(now, State::Leader(leader), "", epoch);
        self.outputs.push(Output::BecameLeader { epoch });
        self.announce(now);
        Ok(())
    }

    pub(super) fn resign_because(&mut self, now: Now, reason: &'static str) {
        let State::Leader(leader) = &self.state else { return };
        let successors = leader.members.successors();
        let epoch = self.election.epoch;
        self.tell(Level::Info, || format!("Resigns as leader of epoch {epoch}: {reason}; may succeed: {successors:?}"));
        let until = now.mono + self.random_election_timeout();
        self.take_role(now, State::Resigned { until }, reason, epoch);
        let others: Vec<NodeId> = self.control.voters().ids().filter(|voter| *voter != self.config.id).collect();
        for to in others {
            let preferred_successors = successors.clone();
            self.send(to, Message::EndQuorumEpochRequest { epoch, preferred_successors });
        }
    }

    pub(super) fn fail_if(&mut self, result: Result<(), QuorumError>) {
        let Err(error) = result else { return };
        if let State::Leader(leader) = &mut self.state {
            let change = leader.change.take();
            self.drop_voter_change(change);
            self.outputs.push(Output::LostLeadership { epoch: self.election.epoch, reason: "its log failed" });
        }
        self.state = State::Resigned { until: Duration::MAX };
        self.failure = Some(error.clone());
        self.tell_leader();
        self.outputs.push(Output::Failed(error));
    }
}
