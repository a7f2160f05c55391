//! Between the group coordinator and the broker: callers behind its reply numbers, its appends in the local log of `__consumer_offsets`,
//! and the partitions of that topic that come to this broker and go.
//!
//! Source: `kafka.server.BrokerServer`'s wiring of `CoordinatorRuntime`, `CoordinatorPartitionWriter`, `CoordinatorLoaderImpl`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::coordinator_lines::LogLines;
use super::coordinator_log::{Change, CoordinatorLog, Loading};
use super::share_persister::{self, StateAsker, StateRequest, StateResponse};
use super::topic_metrics::OwnAppends;
use super::{latest_offsets, streams_group_heartbeat, write_txn_markers};
use crate::group::{
    AppendToken, Assignor, ClientInfo, ConsumerConfig, GroupConfig, GroupCoordinator, GroupResponse, OffsetsRecord,
    Output, ReplyTo, ShareConfig, ShareStateRequest, ShareStateResponse, StreamsBeat, StreamsConfig, TxnEnd,
    TxnProducer,
};
use crate::log::{AppendOrigin, AppendRules, TransactionCheck};
use crate::logging::Logger;
use crate::metadata::config::NodeConfig;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::Image;
use crate::metadata::report::{Event, GroupReport};
use crate::metrics::Collector;
use crate::metrics::table::groups;
use crate::planted::Bug;
use crate::protocol::{ErrorCode, Response};
use crate::records::control::{ControlType, control_type};
use crate::records::{self, BatchBuilder, Compression};
use crate::replica::ReplicaManager;
use crate::types::{Id, Now, TopicIdPartition, TopicPartition};

/// Where groups and offsets are kept.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Requests that may wait for the coordinator at once.
const MAX_CALLERS: usize = 100_000;

/// Read of a partition in one step while it is loaded; other work comes in between.
const LOAD_STEP_BYTES: usize = 4 * 1024 * 1024;

/// The coordinator, and what connects it with the broker.
pub struct GroupBridge {
    /// The coordinator. What it wants done is done by [`carry_out`].
    pub coordinator: GroupCoordinator,
    topic: Option<Id>,
    compression: Compression,
    /// `transaction.partition.verification.enable`
    verifies_transactions: bool,
    callers: BTreeMap<u64, Caller>,
    last_caller: u64,
    log: CoordinatorLog,
    /// What the coordinator is to be told as committed when all that a partition was loaded with is.
    loads: BTreeMap<i32, AppendToken>,
}

/// Who asked the coordinator.
enum Caller {
    Client(Box<RequestContext>),
    /// A transaction's marker, by the number that WriteTxnMarkers gave it.
    Marker(u64),
}

impl GroupBridge {
    /// A coordinator of nothing yet.
    pub fn new(config: &NodeConfig, seed: u64) -> GroupBridge {
        let id = config.node_id;
        config.log.info(Logger::GroupCoordinator, || format!("[GroupCoordinator id={id}] Started"));
        GroupBridge {
            coordinator: GroupCoordinator::new(group_config(config), seed),
            topic: None,
            compression: compression(config.i64("offsets.topic.compression.codec")),
            verifies_transactions: config.bool("transaction.partition.verification.enable"),
            callers: BTreeMap::new(),
            last_caller: 0,
            log: CoordinatorLog::that_stays().writing(LogLines::of_groups(config)),
            loads: BTreeMap::new(),
        }
    }

    /// When [`on_tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.log.is_reading() { Some(Duration::ZERO) } else { self.coordinator.next_deadline() }
    }

    /// Groups that changed since the last call.
    pub fn changed_reports(&mut self) -> Vec<GroupReport> {
        self.coordinator.changed_reports()
    }

    /// What was appended since this was last asked.
    pub(super) fn take_appends(&mut self) -> OwnAppends {
        self.log.take_appends()
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        let (loading, active) = self.coordinator.partition_counts();
        let (_, _, failed) = self.log.partition_counts();
        self.log.times.collect(out, &groups::TIMES, (loading, active, failed));
        self.coordinator.collect(out);
    }

    /// Partition of `__consumer_offsets` that holds a group.
    pub fn partition_for(&self, group_id: &str) -> i32 {
        self.coordinator.partition_for(group_id)
    }

    fn enter(&mut self, caller: Caller) -> Option<ReplyTo> {
        if self.callers.len() >= MAX_CALLERS {
            return None;
        }
        self.last_caller += 1;
        self.callers.insert(self.last_caller, caller);
        Some(ReplyTo(self.last_caller))
    }

    /// Tells the coordinator what became of its partitions and appends.
    fn follow_log(&mut self, now: Now) {
        for change in self.log.take_changes() {
            match change {
                Change::Begun { partition, .. } => self.coordinator.begin_load(now, partition),
                Change::Read(partition) => {
                    let token = self.coordinator.finish_load(now, partition);
                    match token {
                        Some(token) if Bug::OffsetCommitEarly.is_planted() => {
                            self.coordinator.on_append_result(now, token, Ok(()));
                        }
                        token => self.loads.extend(token.map(|token| (partition, token))),
                    }
                }
                Change::Loaded(partition) => {
                    if let Some(token) = self.loads.remove(&partition) {
                        self.coordinator.on_append_result(now, token, Ok(()));
                    }
                }
                Change::Gone(partition) => {
                    self.loads.remove(&partition);
                    self.coordinator.unload_partition(now, partition);
                }
                Change::Written { token, result } => {
                    self.coordinator.on_append_result(now, AppendToken(token), result.map(|_| ()));
                }
            }
        }
    }

    fn follow_image(&mut self, now: Now, image: &Image, delta: &ImageDelta) {
        self.coordinator.on_image(image, delta);
        let topic = image.topic(OFFSETS_TOPIC);
        let id = topic.map(|topic| topic.id);
        if id != self.topic {
            self.log.give_up_all();
            self.follow_log(now);
            self.topic = id;
        }
        if let Some(count) = topic.and_then(|topic| i32::try_from(topic.partitions.len()).ok()) {
            self.coordinator.set_partition_count(count);
        }
        let mut gone: BTreeMap<Arc<str>, BTreeSet<Id>> = BTreeMap::new();
        for topic in delta.topics_deleted.values() {
            gone.entry(topic.name.clone()).or_default().insert(topic.id);
        }
        if !gone.is_empty() {
            self.coordinator.on_topics_deleted(now, &gone);
        }
    }

    fn follow_replicas(&mut self, now: Now, replicas: &ReplicaManager, changes: &BTreeSet<TopicIdPartition>) {
        for id in changes.iter().filter(|id| Some(id.topic_id) == self.topic) {
            self.log.follow(now, replicas, *id);
        }
        self.follow_log(now);
    }

    /// Loads some more, and carries the coordinator's outputs out.
    fn act(&mut self, now: Now, replicas: &mut ReplicaManager) -> Vec<Done> {
        self.follow_log(now);
        let GroupBridge { log, coordinator, .. } = self;
        let errors = log.read_some(now, replicas, LOAD_STEP_BYTES, |record| load_record(coordinator, now, &record));
        self.follow_log(now);
        let event = |error| Done::Event(Event::Error { message: format!("{OFFSETS_TOPIC}: {error}") });
        let mut done: Vec<Done> = errors.into_iter().map(event).collect();
        for output in self.coordinator.take_outputs() {
            match output {
                Output::Reply { to, response } => {
                    let caller = self.callers.remove(&to.0);
                    done.extend(caller.and_then(|caller| answered(caller, response)));
                }
                Output::Append { partition, token, timestamp_ms, records, producer } => {
                    let what = What::Records(records, producer);
                    self.append(now, replicas, Append { partition, token, timestamp_ms, what });
                    done.push(Done::Append);
                }
                Output::AppendMarker { partition, token, timestamp_ms, end } => {
                    self.append(now, replicas, Append { partition, token, timestamp_ms, what: What::Marker(end) });
                    done.push(Done::Append);
                }
                Output::ShareState { number, request } => done.push(Done::ShareState(number, request)),
                Output::LatestOffsets { number, partitions } => done.push(Done::LatestOffsets(number, partitions)),
                Output::Event(event) => done.push(Done::Event(event)),
            }
        }
        done
    }

    fn append(&mut self, now: Now, replicas: &mut ReplicaManager, append: Append) {
        let Append { partition, token, timestamp_ms, what } = append;
        if !self.coordinator.wants(partition, token) {
            return;
        }
        let (batch, rules) = what.batch(timestamp_ms, self.compression, self.verifies_transactions);
        self.log.append(now, replicas, partition, token.0, batch, rules);
        // What builds upon one that was refused is not to be appended.
        self.follow_log(now);
        if Bug::OffsetCommitEarly.is_planted() {
            self.coordinator.on_append_result(now, token, Ok(()));
        }
    }
}

/// An append that the coordinator asked for.
struct Append {
    partition: i32,
    token: AppendToken,
    timestamp_ms: i64,
    what: What,
}

/// What is to be appended.
enum What {
    Records(Vec<OffsetsRecord>, Option<TxnProducer>),
    Marker(TxnEnd),
}

impl What {
    /// Its batch, and what the append is held to.
    fn batch(self, timestamp_ms: i64, compression: Compression, verifies: bool) -> (BytesMut, AppendRules) {
        match self {
            What::Records(records, producer) => {
                let mut batch = BatchBuilder::new(0, compression);
                let mut rules = AppendRules::of(AppendOrigin::Client);
                if let Some(producer) = producer {
                    batch = batch.producer(producer.id, producer.epoch, records::NO_SEQUENCE).transactional(true);
                    rules = AppendRules::of(AppendOrigin::Coordinator);
                    if verifies {
                        rules.check = TransactionCheck::Guard(producer.guard);
                    }
                }
                for record in &records {
                    batch.push(timestamp_ms, Some(&record.key), record.value.as_deref(), &[]);
                }
                (batch.build_mut(), rules)
            }
            What::Marker(end) => {
                let rules = AppendRules {
                    transaction_version: end.transaction_version,
                    ..AppendRules::of(AppendOrigin::Coordinator)
                };
                (write_txn_markers::control_batch(timestamp_ms, &end), rules)
            }
        }
    }
}

/// Tells the coordinator of one record in the log. What cannot be read is skipped, as Kafka does: one bad record must not take all groups
/// of a partition down.
fn load_record(coordinator: &mut GroupCoordinator, now: Now, record: &Loading<'_>) {
    let Loading { partition, header, key, value, is_committed, .. } = *record;
    let producer_id = header.producer_id;
    if header.is_control() {
        match control_type(key) {
            Ok(Some(ControlType::Commit)) => coordinator.load_marker(partition, producer_id, true, is_committed),
            Ok(Some(ControlType::Abort)) => coordinator.load_marker(partition, producer_id, false, is_committed),
            _ => {}
        }
    } else if header.is_transactional() {
        let _ = coordinator.load_txn_record(now, partition, producer_id, key, value, is_committed);
    } else {
        let _ = coordinator.load_record(now, partition, key, value, is_committed);
    }
}

/// Ends a producer's transaction on a partition of `__consumer_offsets`. `write_txn_markers` is told of it, under `number`, exactly once: when
/// the marker is committed, or with the error that kept it from being so.
///
/// Source: `KafkaApis.handleWriteTxnMarkersRequest`, `GroupCoordinator.completeTransaction`.
pub fn complete_transaction(broker: &mut Broker, now: Now, number: u64, partition: i32, end: TxnEnd) {
    match broker.groups.enter(Caller::Marker(number)) {
        Some(to) => broker.groups.coordinator.complete_transaction(now, to, partition, end),
        None => write_txn_markers::on_offsets_marker(broker, now, number, ErrorCode::NotLeaderOrFollower),
    }
}

/// What the transaction coordinator is told: it tries again with a leader that is ready.
fn marker_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator => {
            ErrorCode::NotLeaderOrFollower
        }
        other => other,
    }
}

/// Hands a request to the coordinator, which answers it now or later.
pub(super) fn ask(
    broker: &mut Broker,
    context: &RequestContext,
    act: impl FnOnce(&mut GroupCoordinator, ReplyTo, &ClientInfo, &Image),
) -> Handled {
    match broker.groups.enter(Caller::Client(Box::new(context.clone()))) {
        Some(to) => {
            let since = (broker.stopwatch)();
            act(&mut broker.groups.coordinator, to, &client_info(context), &broker.image);
            broker.groups.log.times.processed((broker.stopwatch)().saturating_sub(since));
        }
        None => {
            let reason = "too many requests wait for the group coordinator".to_owned();
            broker.out.closes.push((context.conn, reason));
        }
    }
    Handled::Later
}

/// The client behind a request.
pub(super) fn client_info(context: &RequestContext) -> ClientInfo {
    ClientInfo {
        client_id: context.header.client_id.clone().unwrap_or_default(),
        client_host: format!("/{}", context.client_host),
        api_version: context.header.api_version,
    }
}

/// Whether consumer groups are allowed: by the broker's configuration, and by the cluster's feature.
pub(super) fn has_consumer_protocol(broker: &Broker) -> bool {
    let level = broker.image.features.get("group.version").copied().unwrap_or(0);
    level >= 1 && broker.groups.coordinator.config().consumer.is_enabled
}

/// The share coordinators answered what was asked by [`super::share_persister::ask`] under this number.
pub fn on_share_state(broker: &mut Broker, now: Now, number: u64, response: StateResponse) {
    let response = match response {
        StateResponse::Initialize(response) => ShareStateResponse::Initialize(response),
        StateResponse::Delete(response) => ShareStateResponse::Delete(response),
        StateResponse::Summary(response) => ShareStateResponse::Summary(response),
        // It never reads or writes states.
        StateResponse::Read(_) | StateResponse::Write(_) => return,
    };
    broker.groups.coordinator.on_share_state(now, number, &response);
}

/// Whether streams groups are allowed, likewise.
pub(super) fn has_streams_protocol(broker: &Broker) -> bool {
    let level = broker.image.features.get("streams.version").copied().unwrap_or(0);
    level >= 1 && broker.groups.coordinator.config().streams.is_enabled
}

/// Lets time pass.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    broker.groups.coordinator.on_tick(now);
}

/// The image changed.
pub(super) fn on_image(broker: &mut Broker, now: Now, delta: &ImageDelta) {
    broker.groups.follow_image(now, &broker.image, delta);
    let interval_ms = |kind: &str| broker.config.i32(&format!("group.{kind}.assignment.interval.ms"));
    let (consumer, share, streams) = (interval_ms("consumer"), interval_ms("share"), interval_ms("streams"));
    broker.groups.coordinator.set_assignment_intervals_ms(consumer, share, streams);
    broker.groups.verifies_transactions = broker.config.bool("transaction.partition.verification.enable");
}

/// Replicas changed: some may have been won, lost or committed.
pub(super) fn on_changes(broker: &mut Broker, now: Now, changes: &BTreeSet<TopicIdPartition>) {
    broker.groups.follow_replicas(now, &broker.replicas, changes);
}

/// Does what the coordinator wants done. True if there was anything.
pub(super) fn carry_out(broker: &mut Broker, now: Now) -> bool {
    let done = broker.groups.act(now, &mut broker.replicas);
    let busy = !done.is_empty();
    for done in done {
        match done {
            Done::Reply(context, response) => broker.reply(now, &context, response),
            Done::Streams(context, beat) => streams_group_heartbeat::answer(broker, &context, now, *beat),
            Done::Marker(number, error) => write_txn_markers::on_offsets_marker(broker, now, number, error),
            Done::Event(event) => broker.events.push(event),
            Done::ShareState(number, request) => {
                share_persister::ask(broker, now, StateAsker::Groups(number), state_request(request));
            }
            Done::LatestOffsets(number, partitions) => latest_offsets::ask(broker, now, number, partitions),
            Done::Append => {}
        }
    }
    busy
}

/// What came of an output.
enum Done {
    Reply(Box<RequestContext>, Response),
    /// A member of a streams group is answered, and its internal topics are created.
    Streams(Box<RequestContext>, Box<StreamsBeat>),
    /// A transaction's marker is committed, or why not.
    Marker(u64, ErrorCode),
    Event(Event),
    /// A question to share coordinators.
    ShareState(u64, ShareStateRequest),
    /// A question to leaders of partitions.
    LatestOffsets(u64, BTreeSet<TopicPartition>),
    Append,
}

fn state_request(request: ShareStateRequest) -> StateRequest {
    match request {
        ShareStateRequest::Initialize(request) => StateRequest::Initialize(request),
        ShareStateRequest::Delete(request) => StateRequest::Delete(request),
        ShareStateRequest::Summary(request) => StateRequest::Summary(request),
    }
}

fn answered(caller: Caller, response: GroupResponse) -> Option<Done> {
    match (caller, response) {
        (Caller::Marker(number), GroupResponse::TxnCompleted(error)) => Some(Done::Marker(number, marker_error(error))),
        (Caller::Client(context), GroupResponse::StreamsHeartbeat(beat)) => Some(Done::Streams(context, beat)),
        (Caller::Client(context), response) => response_of(response).map(|response| Done::Reply(context, response)),
        (Caller::Marker(_), _) => None,
    }
}

/// `None`: it is no answer to a client.
fn response_of(response: GroupResponse) -> Option<Response> {
    Some(match response {
        GroupResponse::Join(response) => Response::JoinGroup(response),
        GroupResponse::Sync(response) => Response::SyncGroup(response),
        GroupResponse::Leave(response) => Response::LeaveGroup(response),
        GroupResponse::OffsetCommit(response) => Response::OffsetCommit(response),
        GroupResponse::OffsetFetch(response) => Response::OffsetFetch(response),
        GroupResponse::ConsumerHeartbeat(response) => Response::ConsumerGroupHeartbeat(response),
        GroupResponse::OffsetDelete(response) => Response::OffsetDelete(response),
        GroupResponse::Delete(response) => Response::DeleteGroups(response),
        GroupResponse::TxnOffsetCommit(response) => Response::TxnOffsetCommit(response),
        GroupResponse::ShareHeartbeat(response) => Response::ShareGroupHeartbeat(response),
        GroupResponse::DescribeShareOffsets(response) => Response::DescribeShareGroupOffsets(response),
        GroupResponse::AlterShareOffsets(response) => Response::AlterShareGroupOffsets(response),
        GroupResponse::DeleteShareOffsets(response) => Response::DeleteShareGroupOffsets(response),
        // This one has more to be done, and is not made here.
        GroupResponse::StreamsHeartbeat(_) | GroupResponse::TxnCompleted(_) => return None,
    })
}

fn group_config(config: &NodeConfig) -> GroupConfig {
    GroupConfig {
        node_id: config.node_id,
        log: config.log.clone(),
        min_session_timeout_ms: config.i32("group.min.session.timeout.ms"),
        max_session_timeout_ms: config.i32("group.max.session.timeout.ms"),
        initial_rebalance_delay_ms: config.i32("group.initial.rebalance.delay.ms"),
        max_size: config.i32("group.max.size"),
        offset_metadata_max_bytes: config.i32("offset.metadata.max.bytes"),
        offsets_retention_ms: config.i64("offsets.retention.minutes").saturating_mul(60_000),
        retention_check_interval_ms: config.i64("offsets.retention.check.interval.ms"),
        commit_timeout_ms: config.i32("offsets.commit.timeout.ms"),
        offsets_partitions: config.i32("offsets.topic.num.partitions"),
        consumer: consumer_config(config),
        share: share_config(config),
        streams: streams_config(config),
        ..GroupConfig::default()
    }
}

fn consumer_config(config: &NodeConfig) -> ConsumerConfig {
    let bounds = |what: &str| {
        let bound = |which: &str| config.i32(&format!("group.consumer.{which}.{what}.ms"));
        (bound("min"), bound("max"))
    };
    let policy = config.str("group.consumer.migration.policy").to_lowercase();
    ConsumerConfig {
        is_enabled: config.list("group.coordinator.rebalance.protocols").iter().any(|name| name == "consumer"),
        session_timeout_ms: config.i32("group.consumer.session.timeout.ms"),
        session_timeout_bounds_ms: bounds("session.timeout"),
        heartbeat_interval_ms: config.i32("group.consumer.heartbeat.interval.ms"),
        heartbeat_interval_bounds_ms: bounds("heartbeat.interval"),
        assignment_interval_ms: config.i32("group.consumer.assignment.interval.ms"),
        assignment_interval_bounds_ms: bounds("assignment.interval"),
        regex_refresh_interval_ms: config.i32("group.consumer.regex.refresh.interval.ms"),
        max_size: config.i32("group.consumer.max.size"),
        // Classes of somebody else's cannot be loaded here.
        assignors: config.list("group.consumer.assignors").iter().filter_map(|name| Assignor::of(name)).collect(),
        may_upgrade: ["upgrade", "bidirectional"].contains(&policy.as_str()),
        may_downgrade: ["downgrade", "bidirectional"].contains(&policy.as_str()),
    }
}

fn streams_config(config: &NodeConfig) -> StreamsConfig {
    let of = |what: &str| config.i32(&format!("group.streams.{what}"));
    let bounds = |what: &str| (of(&format!("min.{what}")), of(&format!("max.{what}")));
    StreamsConfig {
        is_enabled: config.list("group.coordinator.rebalance.protocols").iter().any(|name| name == "streams"),
        session_timeout_ms: of("session.timeout.ms"),
        session_timeout_bounds_ms: bounds("session.timeout.ms"),
        heartbeat_interval_ms: of("heartbeat.interval.ms"),
        heartbeat_interval_bounds_ms: bounds("heartbeat.interval.ms"),
        assignment_interval_ms: of("assignment.interval.ms"),
        assignment_interval_bounds_ms: bounds("assignment.interval.ms"),
        initial_rebalance_delay_ms: of("initial.rebalance.delay.ms"),
        num_standby_replicas: of("num.standby.replicas"),
        max_standby_replicas: of("max.standby.replicas"),
        max_size: of("max.size"),
    }
}

fn share_config(config: &NodeConfig) -> ShareConfig {
    let of = |what: &str| config.i32(&format!("group.share.{what}.ms"));
    let bounds = |what: &str| (of(&format!("min.{what}")), of(&format!("max.{what}")));
    ShareConfig {
        session_timeout_ms: of("session.timeout"),
        session_timeout_bounds_ms: bounds("session.timeout"),
        heartbeat_interval_ms: of("heartbeat.interval"),
        heartbeat_interval_bounds_ms: bounds("heartbeat.interval"),
        assignment_interval_ms: of("assignment.interval"),
        assignment_interval_bounds_ms: bounds("assignment.interval"),
        max_size: config.i32("group.share.max.size"),
        initialize_retry_interval_ms: of("initialize.retry.interval"),
    }
}

/// `offsets.topic.compression.codec`, `share.coordinator.state.topic.compression.codec`: what Kafka cannot name is none.
pub(super) fn compression(codec: i64) -> Compression {
    u8::try_from(codec).ok().and_then(|id| Compression::from_id(id).ok()).unwrap_or(Compression::None)
}

#[cfg(test)]
#[path = "group_bridge_tests.rs"]
mod tests;
