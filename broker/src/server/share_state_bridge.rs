//! Between the share coordinator and the broker: who asks it, and its records in `__share_group_state`.
//!
//! Source: `org.apache.kafka.coordinator.share.ShareCoordinatorService`, `kafka.server.KafkaApis` (its handlers of APIs 83 to 87).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::broker::Broker;
use super::coordinator_lines::LogLines;
use super::coordinator_log::{Change, CoordinatorLog};
use super::group_bridge;
use super::peer::{PeerMessage, PeerResponse};
use super::topic_metrics::OwnAppends;
use crate::log::{AppendOrigin, AppendRules};
use crate::logging::Logger;
use crate::metadata::config::NodeConfig;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::Image;
use crate::metadata::report::Event;
use crate::metrics::table::shares as bean;
use crate::metrics::{Collector, Windowed};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::records::{BatchBuilder, Compression};
use crate::share_state::{
    AppendToken, Output, PartResponse, ReplyTo, ShareCoordinator, ShareCoordinatorConfig, StateKind, StateRequest,
    StateResponse,
};
use crate::types::{Id, NodeId, Now, TopicIdPartition};

/// Where the state of share partitions is kept.
pub const SHARE_STATE_TOPIC: &str = "__share_group_state";

/// The feature that says whether there are share groups.
const VERSION_FEATURE: &str = "share.version";

/// Share partitions about which questions may wait at once.
const MAX_PARTS: usize = 100_000;

/// Read in one step while partitions are loaded; other work comes in between.
const LOAD_STEP_BYTES: usize = 4 * 1024 * 1024;

/// A request of which some share partitions are answered.
#[derive(Debug)]
struct Gathering {
    to: NodeId,
    correlation: u64,
    kind: StateKind,
    parts: Vec<(TopicIdPartition, Option<PartResponse>)>,
    left: usize,
    since: Duration,
}

/// The coordinator, and what connects it with the broker.
#[derive(Debug)]
pub struct ShareStateBridge {
    /// The coordinator. What it wants done is done by [`carry_out`].
    pub coordinator: ShareCoordinator,
    topic: Option<Id>,
    compression: Compression,
    log: CoordinatorLog,
    gathering: BTreeMap<u64, Gathering>,
    last_request: u64,
    /// Which part of which request waits behind a reply number.
    callers: BTreeMap<ReplyTo, (u64, usize)>,
    last_caller: u64,
    /// Up to where each partition was last pruned.
    pruned: BTreeMap<i32, i64>,
    /// States that were to be written.
    writes: Windowed,
    /// Milliseconds from a request to write to its answer.
    write_latency: Windowed,
}

impl ShareStateBridge {
    /// What was appended since this was last asked.
    pub(super) fn take_appends(&mut self) -> OwnAppends {
        self.log.take_appends()
    }

    /// A coordinator of nothing yet.
    pub fn new(config: &NodeConfig) -> ShareStateBridge {
        let id = config.node_id;
        config.log.info(Logger::ShareCoordinator, || format!("[ShareCoordinator id={id}] Started"));
        ShareStateBridge {
            coordinator: ShareCoordinator::new(coordinator_config(config)),
            topic: None,
            compression: group_bridge::compression(config.i64("share.coordinator.state.topic.compression.codec")),
            log: CoordinatorLog::default().writing(LogLines::of_shares(config)),
            gathering: BTreeMap::new(),
            last_request: 0,
            callers: BTreeMap::new(),
            last_caller: 0,
            pruned: BTreeMap::new(),
            writes: Windowed::default(),
            write_latency: Windowed::default(),
        }
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.log.times.collect(out, &bean::TIMES, self.log.partition_counts());
        (0..self.coordinator.take_writes()).for_each(|_| self.writes.once());
        self.writes.turn(out.now().mono);
        self.write_latency.turn(out.now().mono);
        out.count(&bean::WRITE_TOTAL, [], self.writes.count());
        out.value(&bean::WRITE_RATE, [], self.writes.rate());
        out.value(&bean::WRITE_LATENCY_AVG, [], self.write_latency.average());
        out.value(&bean::WRITE_LATENCY_MAX, [], self.write_latency.max());
        for (partition, offset) in &self.pruned {
            let labels = [("topic", SHARE_STATE_TOPIC.into()), ("partition", (*partition).into())];
            out.value(&bean::LAST_PRUNED_OFFSET, labels, *offset as f64);
        }
    }

    /// When [`on_tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.log.is_reading() {
            return Some(Duration::ZERO);
        }
        self.coordinator.next_deadline()
    }

    fn build(&self, records: &[(bytes::Bytes, Option<bytes::Bytes>)], timestamp_ms: i64) -> bytes::BytesMut {
        let mut batch = BatchBuilder::new(0, self.compression);
        for (key, value) in records {
            batch.push(timestamp_ms, Some(key), value.as_deref(), &[]);
        }
        batch.build_mut()
    }

    /// A request is answered whole.
    fn answered(&mut self, now: Now, kind: StateKind, since: Duration) {
        if kind == StateKind::Write {
            self.write_latency.record(now.mono.saturating_sub(since).as_secs_f64() * 1_000.0);
        }
    }

    /// Takes an answer in; whom to send all of them to, if it was the last.
    fn gather(&mut self, to: ReplyTo, response: PartResponse) -> Option<Gathering> {
        let (request, index) = self.callers.remove(&to)?;
        let gathering = self.gathering.get_mut(&request)?;
        if let Some((_, slot)) = gathering.parts.get_mut(index).filter(|(_, slot)| slot.is_none()) {
            *slot = Some(response);
            gathering.left -= 1;
        }
        if gathering.left == 0 { self.gathering.remove(&request) } else { None }
    }
}

/// Whether the cluster has share groups: `share.version` is 1 or more. Without, requests about them are answered UNSUPPORTED_VERSION.
///
/// Source: `kafka.server.KafkaApis.isShareGroupProtocolEnabled`.
pub fn has_share_groups(broker: &Broker) -> bool {
    broker.image.features.get(VERSION_FEATURE).is_some_and(|level| *level >= 1)
}

/// Another broker, or this one itself, asks the coordinator. Its answer comes when every share partition has one.
pub(super) fn start(broker: &mut Broker, now: Now, to: NodeId, correlation: u64, request: StateRequest) {
    let (kind, group_id) = (request.kind(), request.group_id().clone());
    // As Kafka: who names no group is answered nothing about it.
    let parts = if group_id.is_empty() { Vec::new() } else { request.split() };
    if parts.is_empty() {
        return answer(broker, to, correlation, StateResponse::join(kind, []));
    }
    if broker.share_states.callers.len() + parts.len() > MAX_PARTS {
        let error = ErrorCode::CoordinatorNotAvailable;
        let refuse = |id: TopicIdPartition| {
            (id, PartResponse::refusal(kind, id.partition, error, "Too many requests wait for the share coordinator."))
        };
        let parts = parts.into_iter().map(|(id, _)| refuse(id));
        return answer(broker, to, correlation, StateResponse::join(kind, parts));
    }
    let work_began = (broker.stopwatch)();
    let bridge = &mut broker.share_states;
    bridge.last_request += 1;
    let number = bridge.last_request;
    let waiting = parts.iter().map(|(id, _)| (*id, None)).collect();
    bridge
        .gathering
        .insert(number, Gathering { to, correlation, kind, parts: waiting, left: parts.len(), since: now.mono });
    for (index, (id, part)) in parts.into_iter().enumerate() {
        bridge.last_caller += 1;
        let caller = ReplyTo(bridge.last_caller);
        bridge.callers.insert(caller, (number, index));
        let is_known = has_partition(&broker.image, id);
        bridge.coordinator.ask(now, caller, group_id.as_str(), id, part, is_known);
    }
    let took = (broker.stopwatch)().saturating_sub(work_began);
    broker.share_states.log.times.processed(took);
}

fn has_partition(image: &Image, id: TopicIdPartition) -> bool {
    let index = usize::try_from(id.partition).ok();
    image.topics.get(&id.topic_id).is_some_and(|topic| index.is_some_and(|index| index < topic.partitions.len()))
}

fn answer(broker: &mut Broker, to: NodeId, correlation: u64, response: StateResponse) {
    let body = PeerResponse::ShareState(response);
    broker.out.peer.push((to, PeerMessage::Response { correlation, body }));
}

/// Lets time pass.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    let (is_current, image) = (broker.takes_part(), &broker.image);
    broker.share_states.coordinator.on_tick(now, &|topic| is_current && !image.topics.contains_key(&topic));
}

/// The image changed.
pub(super) fn on_image(broker: &mut Broker, now: Now, delta: &ImageDelta) {
    let (image, bridge) = (&broker.image, &mut broker.share_states);
    let topic = image.topic(SHARE_STATE_TOPIC);
    let id = topic.map(|topic| topic.id);
    if id != bridge.topic {
        bridge.log.give_up_all();
        bridge.topic = id;
    }
    if let Some(count) = topic.and_then(|topic| i32::try_from(topic.partitions.len()).ok()) {
        bridge.coordinator.set_partition_count(count);
    }
    if !delta.topics_deleted.is_empty() {
        bridge.coordinator.forget_topics(now, &|topic| delta.topics_deleted.contains_key(&topic));
    }
}

/// Replicas changed: some may have been won, lost or committed.
pub(super) fn on_changes(broker: &mut Broker, now: Now, changes: &BTreeSet<TopicIdPartition>) {
    let (bridge, replicas) = (&mut broker.share_states, &broker.replicas);
    for id in changes.iter().filter(|id| Some(id.topic_id) == bridge.topic) {
        bridge.log.follow(now, replicas, *id);
    }
}

/// Does what the coordinator wants done. True if there was anything.
pub(super) fn carry_out(broker: &mut Broker, now: Now) -> bool {
    // The coordinator must know of a shard before its first record comes, and have all of them before it hears that it is whole.
    let mut busy = follow_log(broker, now);
    let ShareStateBridge { log, coordinator, .. } = &mut broker.share_states;
    // A record that cannot be read is skipped: one bad record must not take all share partitions of a shard down.
    let errors = log.read_some(now, &broker.replicas, LOAD_STEP_BYTES, |record| {
        if !record.header.is_control() {
            let _ = coordinator.load_record(record.partition, record.offset, record.key, record.value);
        }
    });
    let event = |error| Event::Error { message: format!("{SHARE_STATE_TOPIC}: {error}") };
    broker.events.extend(errors.into_iter().map(event));
    busy |= follow_log(broker, now);
    for output in broker.share_states.coordinator.take_outputs() {
        busy = true;
        match output {
            Output::Reply { to, response } => {
                let gathered = broker.share_states.gather(to, response);
                if let Some(Gathering { to, correlation, kind, parts, since, .. }) = gathered {
                    broker.share_states.answered(now, kind, since);
                    let parts = parts.into_iter().filter_map(|(id, response)| Some((id, response?)));
                    answer(broker, to, correlation, StateResponse::join(kind, parts));
                }
            }
            Output::Append { shard, token, timestamp_ms, records } => {
                let batch = broker.share_states.build(&records, timestamp_ms);
                let rules = AppendRules::of(AppendOrigin::Coordinator);
                let log = &mut broker.share_states.log;
                log.append(now, &mut broker.replicas, shard, token.0, batch, rules);
                if Bug::ShareStateEarly.is_planted() {
                    broker.share_states.coordinator.on_append_result(now, token, Ok(0));
                }
            }
            Output::Prune { shard, offset } => prune(broker, now, shard, offset),
        }
    }
    busy
}

/// Tells the coordinator what became of its shards and appends.
fn follow_log(broker: &mut Broker, now: Now) -> bool {
    // What is committed here is of topics that the image has, unless they are gone since; but one from before this broker's registration may
    // lack topics that came later.
    let is_current = broker.takes_part();
    let (image, bridge) = (&broker.image, &mut broker.share_states);
    let changes = bridge.log.take_changes();
    let busy = !changes.is_empty();
    for change in changes {
        let coordinator = &mut bridge.coordinator;
        match change {
            Change::Begun { partition, .. } => coordinator.begin_load(partition),
            Change::Read(_) => {}
            Change::Loaded(partition) => {
                coordinator.finish_load(now, partition);
                coordinator.forget_topics(now, &|topic| is_current && !image.topics.contains_key(&topic));
            }
            Change::Gone(partition) => coordinator.unload(partition),
            Change::Written { token, result } => coordinator.on_append_result(now, AppendToken(token), result),
        }
    }
    busy
}

/// Deletes the head of a log that nobody needs; if that fails now, it will be tried again.
fn prune(broker: &mut Broker, now: Now, partition: i32, offset: i64) {
    let Some(topic_id) = broker.share_states.topic else { return };
    if broker.replicas.delete_records(now, &TopicIdPartition { topic_id, partition }, offset).is_ok() {
        broker.share_states.coordinator.on_pruned(partition, offset);
        broker.share_states.pruned.insert(partition, offset);
        let id = broker.config.node_id;
        broker.config.log.debug(Logger::ShareCoordinator, || {
            format!("[ShareCoordinator id={id}] {SHARE_STATE_TOPIC}-{partition} was pruned up to offset {offset}")
        });
    }
}

fn coordinator_config(config: &NodeConfig) -> ShareCoordinatorConfig {
    ShareCoordinatorConfig {
        partitions: config.i32("share.coordinator.state.topic.num.partitions"),
        updates_per_snapshot: config.i32("share.coordinator.snapshot.update.records.per.snapshot"),
        write_timeout: config.millis("share.coordinator.write.timeout.ms"),
        cold_interval: config.millis("share.coordinator.cold.partition.snapshot.interval.ms"),
        prune_interval: config.millis("share.coordinator.state.topic.prune.interval.ms"),
        ..ShareCoordinatorConfig::default()
    }
}
