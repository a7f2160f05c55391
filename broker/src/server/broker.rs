//! The broker as one synchronous state machine: frames of clients, messages of peers and the passing of time in; answers, messages and
//! events out. No await, no socket, no clock of its own, so the same code runs on a node's thread and in a simulation.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng;

use super::add_partitions_to_txn::AddingPartitions;
use super::auto_create::AutoCreation;
use super::connections::Connections;
use super::context::{ClientResponse, ConnId, Handled, Outbox, RequestContext};
use super::fetch_session::FetchSessions;
use super::follower_times::FollowerTimes;
use super::forward_times::ForwardTimes;
use super::group_bridge::GroupBridge;
use super::init_producer_id::ProducerIds;
use super::latest_offsets::LatestOffsetsClient;
use super::lifecycle::{Lifecycle, Standing};
use super::metadata_follower::MetadataFollower;
use super::metrics::Metrics;
use super::peer::PeerMessage;
use super::peer_requests::PeerRequests;
use super::peer_times::PeerTimes;
use super::purgatory::Purgatory;
use super::request_metrics::Answered;
use super::share_bridge::ShareBridge;
use super::share_persister::SharePersister;
use super::share_state_bridge::ShareStateBridge;
use super::trace::TraceDesk;
use super::txn_bridge::TxnBridge;
use super::txn_verification::Verifier;
use super::write_txn_markers::MarkerWrites;
use super::{
    api_log, dispatch, forward, group_bridge, lifecycle_log, measure, purgatory, request_log, share_bridge,
    share_persister, share_state_bridge, throttle, txn_bridge, txn_verification, upkeep, write_txn_markers,
};
use crate::log::disk::Disk;
use crate::logging::Logger;
use crate::metadata::config::NodeConfig;
use crate::metadata::image::Image;
use crate::metadata::report::{BrokerReport, Event};
use crate::metrics::{MetricsReport, Rounds};
use crate::protocol::{self, Response};
use crate::quota::ClientQuotas;
use crate::replica::{ReplicaManager, ReplicaManagerError};
use crate::telemetry::{Instances, Received};
use crate::types::{Id, NodeId, Now};

/// A broker that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Its log directories do not open.
    #[error(transparent)]
    Replicas(#[from] ReplicaManagerError),
    /// Its copy of the metadata log does not open.
    #[error("the metadata log does not open: {0}")]
    Metadata(String),
}

/// See the module. Handlers are given all of it; each touches what is its own.
pub struct Broker {
    /// Configuration.
    pub config: NodeConfig,
    /// Random per start.
    pub incarnation: Id,
    /// The cluster as far as this broker knows it.
    pub image: Image,
    /// The active controller, as far as it is known.
    pub active_controller: Option<NodeId>,
    /// Its copy of the metadata log.
    pub metadata: MetadataFollower,
    /// Its replicas.
    pub replicas: ReplicaManager,
    /// The groups it coordinates.
    pub groups: GroupBridge,
    /// The transactions it coordinates.
    pub transactions: TxnBridge,
    /// The state of share partitions that it coordinates.
    pub share_states: ShareStateBridge,
    /// What it asks of share coordinators.
    pub persister: SharePersister,
    /// Questions where partitions end.
    pub latest_offsets: LatestOffsetsClient,
    /// The share partitions that it leads.
    pub shares: ShareBridge,
    /// Requests that wait for a transaction's coordinator.
    pub verifier: Verifier,
    /// Partitions that are being added to transactions.
    pub adding_partitions: AddingPartitions,
    /// Transaction markers that are being written here.
    pub marker_writes: MarkerWrites,
    /// Fetch sessions of clients.
    pub sessions: FetchSessions,
    /// Requests that wait for something.
    pub purgatory: Purgatory,
    /// Producer ids to be given out.
    pub producer_ids: ProducerIds,
    /// Its standing with the controller.
    pub lifecycle: Lifecycle,
    /// Requests to other nodes that are under way.
    pub requests: PeerRequests,
    /// Topics that it asked the controller for on behalf of clients.
    pub auto_creation: AutoCreation,
    /// What is known of clients' connections.
    pub connections: Connections,
    /// Clients that are asked for their metrics.
    pub telemetry: Instances,
    /// Metrics that clients pushed.
    pub client_metrics: Received,
    /// What it counts.
    pub metrics: Metrics,
    /// What its clients may do, and did.
    pub quotas: ClientQuotas,
    /// Tells how much time went by while a request was worked on, which the time told to it does not. It stands still unless the node sets it.
    pub stopwatch: fn() -> Duration,
    /// Where a batch that somebody follows is told of.
    pub trace: Arc<TraceDesk>,
    pub(super) working_since: Option<Duration>,
    /// Bytes that the process had read from and written to disks, if the node knows.
    pub disk_bytes: fn() -> Option<(u64, u64)>,
    /// What happened since the node last looked.
    pub events: Vec<Event>,
    /// What is to be sent since the node last looked.
    pub out: Outbox,
    pub(super) upkeep: upkeep::Upkeep,
    pub(super) rounds: Rounds,
    pub(super) follower_fetches: FollowerTimes,
    pub(super) forward_times: ForwardTimes,
    pub(super) peer_times: PeerTimes<u64>,
    failure: Option<String>,
}

impl Broker {
    /// Opens the log directories and starts to register.
    ///
    /// # Errors
    /// The log directories, or the metadata log in the first, do not open.
    pub fn open(config: NodeConfig, disk: Arc<dyn Disk>, seed: u64, now: Now) -> Result<Broker, BrokerError> {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let incarnation = Id::random(&mut rng);
        let mut replicas = ReplicaManager::open(&config, disk.clone(), now)?;
        let metadata = MetadataFollower::open(&config, disk, seed, now).map_err(BrokerError::Metadata)?;
        let heartbeat = config.millis("broker.heartbeat.interval.ms");
        let telemetry_max_bytes = usize::try_from(config.i64("telemetry.max.bytes")).unwrap_or(0);
        let events = replicas.take_events();
        let mut broker = Broker {
            incarnation,
            image: Image { offset: -1, ..Image::default() },
            active_controller: None,
            metadata,
            replicas,
            groups: GroupBridge::new(&config, seed),
            transactions: TxnBridge::new(&config),
            share_states: ShareStateBridge::new(&config),
            persister: SharePersister::default(),
            latest_offsets: LatestOffsetsClient::default(),
            shares: ShareBridge::new(&config),
            verifier: Verifier::default(),
            adding_partitions: AddingPartitions::default(),
            marker_writes: MarkerWrites::default(),
            sessions: FetchSessions::new(&config, seed),
            purgatory: Purgatory::default(),
            producer_ids: ProducerIds::default(),
            lifecycle: Lifecycle::new(heartbeat, now),
            requests: PeerRequests::default(),
            auto_creation: AutoCreation::default(),
            connections: Connections::default(),
            telemetry: Instances::new(telemetry_max_bytes, seed),
            client_metrics: Received::default(),
            metrics: Metrics::default(),
            quotas: ClientQuotas::new(&config),
            stopwatch: || Duration::ZERO,
            trace: Arc::default(),
            working_since: None,
            disk_bytes: || None,
            events,
            out: Outbox::default(),
            upkeep: upkeep::Upkeep::new(now),
            rounds: Rounds::new(now),
            follower_fetches: FollowerTimes::default(),
            forward_times: ForwardTimes::default(),
            peer_times: PeerTimes::default(),
            failure: None,
            config,
        };
        broker.pump(now);
        Ok(broker)
    }

    /// A client connected from there.
    pub fn on_connect(&mut self, now: Now, conn: ConnId, address: SocketAddr) {
        self.metrics.network.connected();
        self.connections.opened(conn, address, now);
    }

    /// A client sent a whole frame. Answers come by `out.responses`, each once.
    pub fn on_client_frame(&mut self, now: Now, conn: ConnId, seq: u64, client_host: IpAddr, frame: Bytes) {
        match self.verifier.hold(conn, seq, client_host, frame) {
            Ok(None) => {}
            Ok(Some(frame)) => {
                self.handle_frame(now, conn, seq, client_host, frame);
                self.pump(now);
            }
            Err(reason) => self.close(conn, client_host, reason),
        }
    }

    /// Closes a connection, as what came on it makes no sense.
    fn close(&mut self, conn: ConnId, client_host: IpAddr, reason: String) {
        self.config.log.error(Logger::Processor, || {
            let id = self.connections.id(&self.config, conn, client_host);
            format!("Closing socket for {id} because of error: {reason}")
        });
        self.out.closes.push((conn, reason));
    }

    pub(super) fn handle_frame(&mut self, now: Now, conn: ConnId, seq: u64, client_host: IpAddr, frame: Bytes) {
        let size_bytes = frame.len();
        throttle::begin_work(self);
        let kept = request_log::kept(&self.config.log, &frame);
        match protocol::decode_request(frame) {
            Ok((header, request)) => {
                let body = request_log::body(kept, &header, &request);
                let context = RequestContext { conn, seq, header, client_host, received: now, size_bytes, body };
                api_log::handling(self, &context);
                self.connections.asked(conn, &context.header);
                match dispatch::handle(self, &context, now, request) {
                    Handled::Reply(response) => self.reply(now, &context, response),
                    Handled::NoReply => self.end_without_reply(now, &context),
                    Handled::Later => {}
                }
                throttle::end_work(self, now, &context);
            }
            Err(error) => self.close(conn, client_host, error.to_string()),
        }
    }

    /// Answers a request.
    pub fn reply(&mut self, now: Now, context: &RequestContext, mut response: Response) {
        let muted_for = throttle::on_reply(self, now, context, &mut response);
        let version = context.header.api_version;
        let Broker { metrics, connections, .. } = self;
        let is_unexpected = metrics.requests.answer(version, &response, |code| {
            connections.failed(context.conn, context.header.api_key, version, code);
        });
        api_log::answered(self, context, &response, is_unexpected);
        if self.trace.is_following() {
            self.trace_answer(context, &response);
        }
        match protocol::encode_response(&context.header, &response) {
            Ok(frame) => self.respond(context, Some(frame), muted_for),
            Err(error) => {
                // The answer does not fit the version asked for: a bug of ours. The client must not wait for ever.
                let message = format!("an answer to {} could not be encoded: {error}", context.api_name());
                self.config.log.error(Logger::KafkaApis, || format!("{}{message}", api_log::prefix(self)));
                self.events.push(Event::Error { message: message.clone() });
                self.out.closes.push((context.conn, message));
            }
        }
    }

    /// Ends a request that gets no answer by protocol.
    pub(super) fn end_without_reply(&mut self, now: Now, context: &RequestContext) {
        let muted_for = throttle::on_no_reply(self, now, context);
        self.respond(context, None, muted_for);
    }

    fn respond(&mut self, context: &RequestContext, frame: Option<bytes::BytesMut>, muted_for: Duration) {
        let logged = request_log::answered(self, context, frame.as_deref());
        let (api, version) = (context.header.api_key, context.header.api_version);
        let answered = Answered { api, version, size_bytes: context.size_bytes, muted_for };
        self.out.responses.push(ClientResponse { conn: context.conn, seq: context.seq, answered, frame, logged });
    }

    /// A client's connection is gone: nothing that it waits for is worth keeping.
    pub fn on_disconnect(&mut self, now: Now, conn: ConnId) {
        purgatory::on_disconnect(self, now, conn);
        share_bridge::on_disconnect(self, conn);
        self.verifier.on_disconnect(conn);
        self.marker_writes.on_disconnect(conn);
        self.connections.closed(conn);
        self.telemetry.on_disconnect(conn);
    }

    /// Another node sent something, which waited for nothing.
    pub fn on_peer_message(&mut self, now: Now, from: NodeId, message: PeerMessage) {
        forward::on_peer_message(self, now, from, message);
        self.pump(now);
    }

    /// The same, of something that has been waiting since `arrived`, on the stopwatch.
    pub fn on_peer_message_since(&mut self, now: Now, from: NodeId, message: PeerMessage, arrived: Duration) {
        forward::on_peer_message_since(self, now, from, message, Some(arrived));
        self.pump(now);
    }

    /// Time has passed.
    pub fn on_tick(&mut self, now: Now) {
        self.metadata.on_tick(now);
        self.replicas.on_tick(now);
        group_bridge::on_tick(self, now);
        txn_bridge::on_tick(self, now);
        share_state_bridge::on_tick(self, now);
        share_persister::on_tick(self, now);
        txn_verification::on_tick(self, now);
        write_txn_markers::on_tick(self, now);
        share_bridge::on_tick(self, now);
        purgatory::on_tick(self, now);
        self.telemetry.on_tick(now);
        self.client_metrics.on_tick(now);
        forward::on_tick(self, now);
        upkeep::on_tick(self, now);
        self.pump(now);
    }

    /// When `on_tick` has something to do at the latest, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Duration> {
        [
            self.metadata.next_deadline(),
            Some(self.replicas.next_deadline()),
            self.groups.next_deadline(),
            self.transactions.next_deadline(),
            self.share_states.next_deadline(),
            self.persister.next_deadline(),
            self.verifier.next_deadline(),
            self.marker_writes.next_deadline(),
            self.shares.next_deadline(),
            self.purgatory.next_deadline(),
            self.requests.next_deadline(),
            self.telemetry.next_deadline(),
            self.client_metrics.next_deadline(),
            self.lifecycle.next_deadline(self.active_controller.is_some()),
            Some(self.upkeep.next_deadline()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets one thing lead to the next until nothing is left to be done now: new metadata changes replicas, replicas release waiting
    /// requests, those cause appends, and so on.
    fn pump(&mut self, now: Now) {
        loop {
            let mut busy = upkeep::follow_metadata(self, now);
            let changes = self.replicas.take_changes();
            if !changes.is_empty() {
                busy = true;
                group_bridge::on_changes(self, now, &changes);
                txn_bridge::on_changes(self, now, &changes);
                share_state_bridge::on_changes(self, now, &changes);
                write_txn_markers::on_changes(self, now, &changes);
                share_bridge::on_changes(self, now, &changes);
                purgatory::on_changes(self, now, &changes);
            }
            busy |= group_bridge::carry_out(self, now);
            busy |= txn_bridge::carry_out(self, now);
            busy |= txn_verification::go_on(self, now);
            busy |= share_state_bridge::carry_out(self, now);
            busy |= share_persister::carry_out(self, now);
            busy |= share_bridge::carry_out(self, now);
            busy |= forward::hear_oneself(self, now);
            if !busy {
                break;
            }
        }
        upkeep::poll_lifecycle(self, now);
        lifecycle_log::on_change(self);
        forward::send_outputs(self, now);
        self.events.extend(self.replicas.take_events());
    }

    /// Why it cannot go on, if so: it should halt where it stands, as a process that was killed.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref().or(self.replicas.halted())
    }

    /// It cannot go on.
    pub(super) fn fail(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    /// Whether it is registered, unfenced, and knows so.
    pub fn takes_part(&self) -> bool {
        let me = self.image.brokers.get(&self.config.node_id);
        me.is_some_and(|broker| !broker.fenced && broker.epoch == self.lifecycle.broker_epoch())
            && self.lifecycle.standing() == Standing::Active
    }

    /// Whether it takes writes and can tell where its partitions end.
    pub fn is_ready(&self) -> bool {
        self.takes_part() && self.replicas.is_settled()
    }

    /// Begins a controlled shutdown: leadership is moved away first.
    pub fn begin_shutdown(&mut self, now: Now, patience: Duration) {
        self.lifecycle.begin_shutdown(now, patience);
        self.pump(now);
    }

    /// Whether a controlled shutdown has got so far that the broker may go.
    pub fn may_stop(&self) -> bool {
        self.lifecycle.standing() == Standing::MayStop
    }

    /// The clean end: logs flushed, checkpoints and the clean-shutdown marker written.
    ///
    /// # Errors
    /// The disk refused; the next start will recover.
    pub fn shutdown(&mut self, now: Now) -> Result<(), String> {
        self.replicas.shutdown(now).map_err(|error| error.to_string())
    }

    /// What was measured, if a second has passed since the last time.
    pub fn metrics_report(&mut self, now: Now) -> Option<MetricsReport> {
        measure::report(self, now)
    }

    /// What changed since the last report; `None`: nothing.
    pub fn report(&mut self, now: Now) -> Option<BrokerReport> {
        upkeep::report(self, now)
    }
}
