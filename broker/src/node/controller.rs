//! A controller without its thread: a member of the quorum, and while it leads, the active controller.
//!
//! It takes in what is committed; when it leads and all that it inherited is committed, it decides (`controller::ControllerState`), appends,
//! and answers when that is committed. What it decided and could not commit is forgotten with its leadership.
//!
//! Source: `org.apache.kafka.controller.QuorumController`, `kafka.server.ControllerApis`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Delivered;
pub use super::controller_error::{ControllerError, ControllerStartError};
use super::controller_metrics::ControllerMetrics;
use super::controller_requests::{self as requests, Asked};
use super::controller_times::ControllerTimes;
use super::controller_voters::VoterAsker;
use crate::controller::{ControllerState, Decision, QuorumView, describe_quorum, log_record};
use crate::log::LogDir;
use crate::log::disk::Disk;
use crate::metadata::config::NodeConfig;
use crate::metadata::image::Image;
use crate::metadata::report::{ControllerReport, Event};
use crate::metadata::{ImageDelta, MetadataRecord};
use crate::metrics::Rounds;
use crate::quorum::{AppendError, DiskMetadataLog, Output, Quorum, QuorumError, QuorumStateFile, take_apart};
use crate::server::metadata_snapshots::{MetadataSnapshots, image_of, snapshot_to_begin_with};
use crate::server::peer::{PeerMessage, PeerRequest, PeerResponse};
use crate::types::{Id, NO_NODE, NodeId, Now};

/// Answers that wait for their records to be committed, and requests that wait for a new leader to have read its log. More are refused,
/// and come again.
const MAX_WAITING: usize = 10_000;
/// How much of the log is taken in at once.
const READ_BYTES: usize = 1024 * 1024;
/// Being called this much later than asked for means that this node stood still.
const STALL: Duration = Duration::from_millis(100);
/// A standby that is not registered asks again after this long.
const REGISTER_RETRY: Duration = Duration::from_millis(500);
/// A report in which only the ages of fetches differ can wait this long.
const QUIET_REPORT_MS: i64 = 1_000;

/// What a controller has to send and to tell.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Messages, each with its receiver.
    pub peer: Vec<(NodeId, PeerMessage)>,
    /// What happened.
    pub events: Vec<Event>,
}

/// An answer, or events, that wait for their records.
#[derive(Debug)]
struct Pending {
    offset: i64,
    answer: Option<(NodeId, u64, PeerResponse)>,
    events: Vec<Event>,
}

/// What a leader has beside the log.
struct Leadership {
    epoch: i32,
    /// Present once everything inherited is committed.
    state: Option<ControllerState>,
    /// Came before that.
    early: VecDeque<(NodeId, u64, PeerRequest)>,
    pending: VecDeque<Pending>,
}

/// One controller.
pub struct Controller {
    pub(super) config: NodeConfig,
    pub(super) incarnation: Id,
    rng: StdRng,
    pub(super) quorum: Quorum,
    /// Who waits for a change of the voters.
    pub(super) voter_askers: BTreeMap<u64, VoterAsker>,
    pub(super) committed: Arc<Image>,
    registered_at: BTreeMap<NodeId, i64>,
    pub(super) next_offset: i64,
    pub(super) snapshots: MetadataSnapshots,
    leadership: Option<Leadership>,
    /// The leader that it last knew, and its epoch.
    last_leader: Option<(NodeId, i32)>,
    pub(super) outbox: Outbox,
    asked_for: Duration,
    register_at: Duration,
    pub(super) next_correlation: u64,
    reported: Option<ControllerReport>,
    image_reported: bool,
    leaves: bool,
    hands_over: bool,
    failure: Option<ControllerError>,
    pub(super) rounds: Rounds,
    pub(super) metrics: ControllerMetrics,
    pub(super) times: ControllerTimes,
    /// Tells how time goes by while it works, which the time told to it does not. It stands still unless the node sets it.
    pub(super) stopwatch: fn() -> Duration,
    /// Bytes that the process had read from and written to disks, if the node knows.
    pub(super) disk_bytes: fn() -> Option<(u64, u64)>,
}

pub use crate::server::metadata_follower::quorum_config;

impl Controller {
    /// A controller with its metadata log in the first of its log directories.
    pub fn new(
        config: NodeConfig,
        disk: Arc<dyn Disk>,
        seed: u64,
        now: Now,
    ) -> Result<Controller, ControllerStartError> {
        let root = config.log_dirs.first().ok_or(ControllerStartError::NoLogDir)?.clone();
        // Makes the directory this node's own, or says whose it is.
        let dir = LogDir::open(Arc::clone(&disk), root.clone(), config.node_id, &config.cluster_id, now)?;
        let quorum_config = quorum_config(&config, dir.directory_id());
        let log = DiskMetadataLog::open(Arc::clone(&disk), &root, &quorum_config, now).map_err(QuorumError::from)?;
        let store = QuorumStateFile::new(disk, &DiskMetadataLog::dir(&root));
        let quorum = Quorum::new(quorum_config, Box::new(log), Box::new(store), seed, now)?;
        Ok(Controller::with_quorum(config, quorum, seed, now))
    }

    /// A controller over a member of the quorum that its caller made.
    pub fn with_quorum(config: NodeConfig, quorum: Quorum, seed: u64, now: Now) -> Controller {
        // The same seed at another start must not give the same ids again.
        let mut rng = StdRng::seed_from_u64(mixed(seed, now.wall_ms as u64));
        let mut controller = Controller {
            incarnation: Id::random(&mut rng),
            next_offset: 0,
            snapshots: MetadataSnapshots::new(&config, now),
            committed: Arc::new(Image::default()),
            registered_at: BTreeMap::new(),
            leadership: None,
            last_leader: None,
            outbox: Outbox::default(),
            asked_for: Duration::MAX,
            register_at: now.mono,
            next_correlation: 0,
            voter_askers: BTreeMap::new(),
            reported: None,
            image_reported: false,
            leaves: false,
            hands_over: false,
            failure: None,
            rounds: Rounds::new(now),
            times: ControllerTimes::default(),
            metrics: ControllerMetrics::new(quorum.log_end_offset(), now),
            stopwatch: || Duration::ZERO,
            disk_bytes: || None,
            config,
            rng,
            quorum,
        };
        controller.settle(now);
        controller
    }

    /// A message is here, and waited for nothing.
    pub fn on_peer_message(&mut self, now: Now, from: NodeId, message: PeerMessage) {
        self.take_message(now, from, message, None);
    }

    /// A message was waiting.
    pub fn on_delivered(&mut self, now: Now, delivered: Delivered) {
        self.take_message(now, delivered.from, delivered.message, Some(delivered.arrived));
    }

    fn take_message(&mut self, now: Now, from: NodeId, message: PeerMessage, arrived: Option<Duration>) {
        if self.failure.is_some() {
            return;
        }
        let (since, is_operation) = ((self.stopwatch)(), matches!(message, PeerMessage::Request { .. }));
        let arrived = arrived.unwrap_or(since);
        let begun = self.times.begin(&self.quorum, from, &message, (arrived, since));
        if is_operation {
            self.metrics.waited(since.saturating_sub(arrived));
        }
        self.note_stall(now);
        match message {
            PeerMessage::Quorum(message) => self.quorum.on_message(now, from, message),
            PeerMessage::Request { correlation, body } => self.on_request(now, from, correlation, body),
            PeerMessage::Refused { .. } => self.quorum.on_peer_down(now, from),
            // Its own registration: what counts is the record, once it is committed.
            PeerMessage::Response { .. } => {}
        }
        self.settle(now);
        let at = (self.stopwatch)();
        self.times.worked(begun, at, &self.outbox.peer);
        self.metrics.worked(at.saturating_sub(since), is_operation);
    }

    /// The time of [`Controller::next_deadline`] has come. Early calls do no harm.
    pub fn on_tick(&mut self, now: Now) {
        if self.failure.is_some() {
            return;
        }
        let since = (self.stopwatch)();
        self.note_stall(now);
        self.quorum.on_tick(now);
        self.settle(now);
        self.make_snapshot(now);
        let at = (self.stopwatch)();
        self.times.worked(None, at, &self.outbox.peer);
        self.metrics.worked(at.saturating_sub(since), true);
    }

    /// When [`Controller::on_tick`] wants to be called (`Now::mono`); `None`: only a message can change anything.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.failure.is_some() {
            return None;
        }
        let own = self.active().map_or(Duration::MAX, ControllerState::next_deadline);
        let register = if self.wants_registration() { self.register_at } else { Duration::MAX };
        let deadline = self.quorum.next_deadline().min(own).min(register).min(self.snapshots.next_deadline());
        (deadline < Duration::MAX).then_some(deadline)
    }

    /// What there is to send and to tell since the last call.
    pub fn take_outbox(&mut self) -> Outbox {
        self.times.taken();
        std::mem::take(&mut self.outbox)
    }

    /// Why it stands still, if it does: its node should stop.
    pub fn failure(&self) -> Option<&ControllerError> {
        self.failure.as_ref()
    }

    /// The member of the quorum.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Everything committed that it knows.
    pub fn image(&self) -> &Arc<Image> {
        &self.committed
    }

    /// Whether it is the active controller, and past taking over.
    pub fn is_active(&self) -> bool {
        self.active().is_some()
    }

    pub(super) fn active(&self) -> Option<&ControllerState> {
        self.leadership.as_ref()?.state.as_ref()
    }

    /// Hands leadership over, if it has it.
    pub fn begin_shutdown(&mut self, now: Now) {
        self.leaves = true;
        self.hands_over = self.quorum.is_leader();
        self.quorum.resign(now);
        self.settle(now);
    }

    /// It had nothing to hand over, or another leads now, or there is nobody to hand over to.
    pub fn has_handed_over(&self) -> bool {
        let alone = self.quorum.voters().len() <= 1;
        self.failure.is_some()
            || !self.hands_over
            || alone
            || self.quorum.leader().is_some_and(|leader| leader != self.config.node_id)
    }

    /// Closes its log.
    pub fn shutdown(&mut self, now: Now) -> Result<(), ControllerError> {
        // A leader syncs with its tick; a follower has synced what it acknowledged.
        self.quorum.on_tick(now);
        self.settle(now);
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// If this node was paused or starved, its brokers' silence is its own.
    fn note_stall(&mut self, now: Now) {
        let stall = now.mono.saturating_sub(self.asked_for);
        if stall >= STALL
            && let Some(state) = self.leadership.as_mut().and_then(|leadership| leadership.state.as_mut())
        {
            state.forgive(stall);
        }
    }

    /// Follows up on everything until nothing is left to be done now.
    fn settle(&mut self, now: Now) {
        loop {
            let outputs = self.quorum.take_outputs();
            let (idle, end) = (outputs.is_empty(), self.quorum.log_end_offset());
            for output in outputs {
                self.on_output(output);
            }
            if let Err(error) = self.begin_with_snapshot(now).and_then(|()| self.take_in_committed()) {
                self.metrics.metadata_failed();
                self.fail(error);
            }
            self.release();
            self.take_over(now);
            self.act(now);
            if (idle && self.quorum.log_end_offset() == end) || self.failure.is_some() {
                break;
            }
        }
        self.register_at_leader(now);
        // "At once" is a deadline of zero.
        self.asked_for = self.next_deadline().map_or(Duration::MAX, |deadline| deadline.max(now.mono));
    }

    fn on_output(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => self.outbox.peer.push((to, PeerMessage::Quorum(message))),
            Output::BecameLeader { epoch } => {
                self.leadership =
                    Some(Leadership { epoch, state: None, early: VecDeque::new(), pending: VecDeque::new() });
            }
            Output::LostLeadership { reason, .. } => self.step_down(reason),
            Output::Failed(error) => self.fail(error.into()),
            Output::VoterChange { token, outcome } => self.voter_change_done(token, outcome),
            Output::LeaderChanged { leader, epoch } => {
                if let Some(leader) = leader {
                    self.metrics.saw_active_controller();
                    // Itself is noted when it is active: until then it wants to know who was before.
                    if leader != self.config.node_id {
                        self.last_leader = Some((leader, epoch));
                    }
                }
                self.tell_leader(leader, epoch);
            }
            // What these tell is read from the quorum itself.
            Output::HighWatermark(_) | Output::Truncated(_) | Output::SnapshotInstalled(_) => {}
        }
    }

    fn fail(&mut self, error: ControllerError) {
        if self.failure.is_none() {
            self.outbox.events.push(Event::Error { message: error.to_string() });
            self.failure = Some(error);
            self.step_down("failed");
        }
    }

    /// At a start, and where the log has passed by: what was committed stands in a snapshot.
    fn begin_with_snapshot(&mut self, now: Now) -> Result<(), ControllerError> {
        let broken = |why| ControllerError::Log { offset: 0, why };
        let Some(snapshot) = snapshot_to_begin_with(&self.quorum, self.next_offset).map_err(broken)? else {
            return Ok(());
        };
        let image = image_of(&snapshot).map_err(broken)?;
        // Which record registered a broker is forgotten; that it came before the snapshot is not.
        self.registered_at = image.brokers.keys().map(|id| (*id, image.offset)).collect();
        self.committed = Arc::new(image);
        self.next_offset = snapshot.id.end_offset;
        self.snapshots.loaded(now, &snapshot);
        self.image_reported = false;
        Ok(())
    }

    /// Makes the next snapshot, or goes on with it.
    fn make_snapshot(&mut self, now: Now) {
        if self.failure.is_some() {
            return;
        }
        let image = || Arc::clone(&self.committed);
        if let Err(message) = self.snapshots.tick(now, &mut self.quorum, image) {
            self.outbox.events.push(Event::Error { message });
        }
        self.asked_for = self.next_deadline().map_or(Duration::MAX, |deadline| deadline.max(now.mono));
    }

    /// Applies what was committed since the last call.
    fn take_in_committed(&mut self) -> Result<(), ControllerError> {
        while self.next_offset < self.quorum.high_watermark() {
            let bytes = self.quorum.read_committed(self.next_offset, READ_BYTES).map_err(QuorumError::from)?;
            let at = self.next_offset;
            let broken = |offset: i64, why: String| ControllerError::Log { offset, why };
            let max_batch_bytes = self.quorum.config().max_batch_bytes;
            let committed = take_apart(&bytes, max_batch_bytes).map_err(|why| broken(at, why.to_string()))?;
            // What the active controller appended it has told then.
            let is_active = self.active().is_some();
            let image = Arc::make_mut(&mut self.committed);
            let mut delta = ImageDelta::default();
            for data in committed.records.into_iter().filter(|data| data.offset >= at) {
                let record = MetadataRecord::decode(&data.value).map_err(|why| broken(data.offset, why.to_string()))?;
                self.metrics.before(image, data.offset, committed.last_timestamp_ms, &record);
                if !is_active {
                    log_record(&self.config.log, self.config.node_id, image, &record);
                }
                image
                    .apply(data.offset, data.epoch, &record, &mut delta)
                    .map_err(|why| broken(data.offset, why.to_string()))?;
                if let MetadataRecord::RegisterBroker(registration) = &record {
                    self.registered_at.insert(registration.broker_id, data.offset);
                }
            }
            self.image_reported &= delta.is_empty();
            match committed.end {
                Some(end) if end.end_offset > self.next_offset => {
                    self.next_offset = end.end_offset;
                    self.snapshots.applied(bytes.len(), end, committed.last_timestamp_ms);
                }
                // Nothing below the high watermark where there should be something: the next tick tries again.
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Sends the answers whose records are committed, and tells their events.
    fn release(&mut self) {
        let Some(leadership) = self.leadership.as_mut() else { return };
        let high_watermark = self.quorum.high_watermark();
        while leadership.pending.front().is_some_and(|first| first.offset < high_watermark) {
            let Some(done) = leadership.pending.pop_front() else { break };
            self.outbox.events.extend(done.events);
            if let Some((to, correlation, body)) = done.answer {
                self.outbox.peer.push((to, PeerMessage::Response { correlation, body }));
            }
        }
    }

    /// A leader becomes the active controller once everything that it inherited is committed and taken in.
    fn take_over(&mut self, now: Now) {
        let inherited = self.quorum.epoch_start_offset().is_some_and(|start| self.next_offset > start);
        let Some(leadership) = self.leadership.as_mut().filter(|leadership| leadership.state.is_none() && inherited)
        else {
            return;
        };
        let image = Image::clone(&self.committed);
        let seed = mixed(self.rng.random(), leadership.epoch as u64);
        let state = ControllerState::new(self.config.clone(), image, self.registered_at.clone(), seed, now);
        let bootstrap = state.bootstrap();
        leadership.state = Some(state);
        let epoch = leadership.epoch;
        let early = std::mem::take(&mut leadership.early);
        self.tell_takeover(epoch);
        let previous = self.last_leader.filter(|(_, of_epoch)| *of_epoch < epoch);
        self.outbox.events.push(Event::ControllerElected { epoch, previous });
        self.last_leader = Some((self.config.node_id, epoch));
        self.commit(now, bootstrap);
        if let Some(state) = self.active() {
            let registration = state.register_controller(self.config.node_id, self.incarnation);
            self.commit(now, registration);
        }
        for (from, correlation, request) in early {
            self.on_request(now, from, correlation, request);
        }
    }

    /// What the active controller does of its own accord.
    fn act(&mut self, now: Now) {
        loop {
            let Some(state) = self.leadership.as_mut().and_then(|leadership| leadership.state.as_mut()) else { return };
            let Some(decision) = state.tick(now) else { return };
            if !self.commit(now, decision) {
                return;
            }
        }
    }

    /// Appends a decision that nobody waits for. False: it could not be.
    fn commit(&mut self, now: Now, decision: Decision<()>) -> bool {
        if decision.records.is_empty() {
            self.outbox.events.extend(decision.events);
            return true;
        }
        match self.append(now, &decision.records) {
            Ok(offset) => {
                self.wait_for(Pending { offset, answer: None, events: decision.events });
                true
            }
            Err(_) => false,
        }
    }

    fn wait_for(&mut self, pending: Pending) {
        if let Some(leadership) = self.leadership.as_mut() {
            leadership.pending.push_back(pending);
        }
    }

    /// Appends records as one batch and takes them in; the offset of the last.
    fn append(&mut self, now: Now, records: &[MetadataRecord]) -> Result<i64, AppendError> {
        let values: Vec<_> = records.iter().map(MetadataRecord::encode).collect();
        let last = self.quorum.append(now, &values)?;
        self.metrics.appended(now);
        let first = last + 1 - records.len() as i64;
        let Some(Leadership { epoch, state: Some(state), .. }) = self.leadership.as_mut() else { return Ok(last) };
        let mut delta = ImageDelta::default();
        for (offset, record) in (first..).zip(records) {
            if let Err(why) = state.replay(now, offset, *epoch, record, &mut delta) {
                // Cannot be: each decision is made from the very image that it is applied to.
                self.fail(ControllerError::Log { offset, why: why.to_string() });
                break;
            }
        }
        Ok(last)
    }

    fn step_down(&mut self, reason: &'static str) {
        let Some(leadership) = self.leadership.take() else { return };
        if leadership.state.is_some() {
            self.tell_resignation(leadership.epoch, reason, leadership.pending.len() + leadership.early.len());
            let seen_epoch = self.quorum.epoch();
            self.outbox.events.push(Event::ControllerResigned { epoch: leadership.epoch, seen_epoch, reason });
        }
        let unanswered = leadership.pending.into_iter().filter_map(|pending| pending.answer);
        let waiting = unanswered.map(|(to, correlation, _)| (to, correlation));
        leadership.early.iter().for_each(|(_, _, request)| self.metrics.gave_up(request));
        let early = leadership.early.into_iter().map(|(to, correlation, _)| (to, correlation));
        for (to, correlation) in waiting.chain(early) {
            self.refuse(to, correlation);
        }
    }

    pub(super) fn refuse(&mut self, to: NodeId, correlation: u64) {
        let leader_id = self.quorum.leader().unwrap_or(NO_NODE);
        let body = PeerResponse::NotController { leader_id };
        self.outbox.peer.push((to, PeerMessage::Response { correlation, body }));
    }

    fn on_request(&mut self, now: Now, from: NodeId, correlation: u64, request: PeerRequest) {
        if let PeerRequest::DescribeQuorum(asked) = &request
            && let Some(replicas) = self.quorum.replicas(now)
        {
            let view = QuorumView {
                leader_id: self.config.node_id,
                epoch: self.quorum.epoch(),
                high_watermark: self.quorum.high_watermark(),
                voters: self.quorum.described_voters().clone(),
                replicas,
            };
            let body = PeerResponse::DescribeQuorum(Box::new(describe_quorum(asked, &view, &self.committed)));
            self.outbox.peer.push((from, PeerMessage::Response { correlation, body }));
            return;
        }
        match &request {
            PeerRequest::AddRaftVoter(asked) => return self.add_raft_voter(now, (from, correlation), asked),
            PeerRequest::RemoveRaftVoter(asked) => return self.remove_raft_voter(now, (from, correlation), asked),
            _ => {}
        }
        let Some(leadership) = self.leadership.as_mut() else { return self.refuse(from, correlation) };
        let Some(state) = leadership.state.as_mut() else {
            if leadership.early.len() < MAX_WAITING {
                leadership.early.push_back((from, correlation, request));
            } else {
                self.metrics.gave_up(&request);
                self.refuse(from, correlation);
            }
            return;
        };
        if leadership.pending.len() >= MAX_WAITING {
            self.metrics.gave_up(&request);
            return self.refuse(from, correlation);
        }
        if let PeerRequest::UpdateFeatures(asked) = &request {
            return self.update_features(now, (from, correlation), asked);
        }
        match requests::decide(state, now, &request, self.quorum.log_end_offset()) {
            Asked::Decided(decision) => {
                self.tell_answer(from, &request, &decision.response);
                self.answer(now, (from, correlation), &request, decision);
            }
            Asked::NotForControllers => {
                self.tell_unexpected(from, &request, "controllers do not answer it");
                self.refuse(from, correlation);
            }
        }
    }

    pub(super) fn answer(
        &mut self,
        now: Now,
        asker: (NodeId, u64),
        request: &PeerRequest,
        decision: Decision<PeerResponse>,
    ) {
        let (to, correlation) = asker;
        let offset = if decision.records.is_empty() {
            // A read: what it saw may not be committed yet.
            self.quorum.log_end_offset() - 1
        } else {
            match self.append(now, &decision.records) {
                Ok(offset) => offset,
                Err(AppendError::TooLarge { .. }) => {
                    let body = requests::too_large(request);
                    let refusal = body.map(|body| PeerMessage::Response { correlation, body });
                    return match refusal {
                        Some(refusal) => self.outbox.peer.push((to, refusal)),
                        None => self.refuse(to, correlation),
                    };
                }
                Err(AppendError::NotLeader { .. }) => return self.refuse(to, correlation),
                Err(why) => {
                    self.tell_unexpected(to, request, &why.to_string());
                    return self.refuse(to, correlation);
                }
            }
        };
        let answer = Some((to, correlation, decision.response));
        self.wait_for(Pending { offset, answer, events: decision.events });
        self.release();
    }

    fn wants_registration(&self) -> bool {
        let known = self.committed.controllers.get(&self.config.node_id);
        let registered = known.is_some_and(|known| known.incarnation == self.incarnation);
        let follows = self.quorum.leader().is_some_and(|leader| leader != self.config.node_id);
        // Before the first records there is nothing to register with.
        follows && !registered && !self.leaves && !self.committed.features.is_empty()
    }

    /// A standby makes itself known to the active controller, so that the cluster knows all its controllers (KIP-919).
    fn register_at_leader(&mut self, now: Now) {
        if self.failure.is_some() || !self.wants_registration() || now.mono < self.register_at {
            return;
        }
        let Some(leader) = self.quorum.leader() else { return };
        self.register_at = now.mono + REGISTER_RETRY;
        self.next_correlation += 1;
        let body = requests::registration(self.config.node_id, self.incarnation);
        self.outbox.peer.push((leader, PeerMessage::Request { correlation: self.next_correlation, body }));
    }

    /// Its state, if that changed since the last report.
    pub fn report(&mut self, now: Now) -> Option<ControllerReport> {
        let replicas = self.quorum.replicas(now).unwrap_or_default();
        let age = |replica: &crate::quorum::ReplicaState| {
            let since = if replica.last_fetch_ms < 0 { -1 } else { (now.wall_ms - replica.last_fetch_ms).max(0) };
            (replica.node_id, replica.log_end_offset, since)
        };
        let report = ControllerReport {
            node_id: self.config.node_id,
            at_ms: now.wall_ms,
            role: self.quorum.role().name(),
            leader_id: self.quorum.leader().unwrap_or(NO_NODE),
            epoch: self.quorum.epoch(),
            voted_for: self.quorum.voted_for().unwrap_or(NO_NODE),
            kraft_version: self.quorum.kraft_version(),
            log_end_offset: self.quorum.log_end_offset(),
            high_watermark: self.quorum.high_watermark(),
            voters: replicas.voters.iter().map(age).collect(),
            observers: replicas.observers.iter().map(age).collect(),
            image: (!self.image_reported).then(|| self.committed.clone()),
        };
        if report.image.is_none() && self.reported.as_ref().is_some_and(|last| is_old_news(last, &report)) {
            return None;
        }
        self.image_reported = true;
        self.reported = Some(ControllerReport { image: None, ..report.clone() });
        Some(report)
    }
}

/// Nothing differs, or only how long ago fetches were, and that was told a moment ago.
fn is_old_news(last: &ControllerReport, report: &ControllerReport) -> bool {
    let ends = |members: &[(NodeId, i64, i64)]| members.iter().map(|(id, end, _)| (*id, *end)).collect::<Vec<_>>();
    let same = last.role == report.role
        && last.leader_id == report.leader_id
        && last.epoch == report.epoch
        && last.voted_for == report.voted_for
        && last.kraft_version == report.kraft_version
        && last.log_end_offset == report.log_end_offset
        && last.high_watermark == report.high_watermark
        && ends(&last.voters) == ends(&report.voters)
        && ends(&last.observers) == ends(&report.observers);
    let ages_differ = last.voters != report.voters || last.observers != report.observers;
    same && (!ages_differ || report.at_ms.saturating_sub(last.at_ms) < QUIET_REPORT_MS)
}

fn mixed(a: u64, b: u64) -> u64 {
    a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
