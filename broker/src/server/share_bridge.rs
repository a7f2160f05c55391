//! Between the share partitions that this broker leads and the broker: they come with the first fetch of their group and go with its last
//! session, with the leadership, or when the share coordinator says that this is not their leader; what they want kept is sent, and who waits for
//! that is told; their locks run out.
//!
//! Source: `kafka.server.share.SharePartitionManager`, `SharePartitionCache`, `SharePartition.maybeInitialize`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use super::context::ConnId;
use super::share_calls::{self, Calls};
use super::share_metrics::{self, ShareMetrics};
use super::share_persister::{self, StateAsker, StateRequest, StateResponse};
use super::{purgatory, share_fetch, share_limits};
use crate::logging::{Level, Logger};
use crate::metadata::config::NodeConfig;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::Image;
use crate::metadata::report::Event;
use crate::metrics::Collector;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    KafkaString, ReadShareGroupStateRequestData, WriteShareGroupStateRequestData, read_share_group_state_request,
    read_share_group_state_response, write_share_group_state_request,
};
use crate::replica::{Isolation, OffsetView, timestamps};
use crate::share::{
    Acknowledgement, KeptState, OffsetReset, RecordState, Refusal, SessionKey, SharePartition, ShareSessions,
    StateBatch, StateWrite,
};
use crate::types::{Id, Now, TopicIdPartition};

/// Share partitions led here at once; Kafka leaves that to the heap.
const MAX_PARTITIONS: usize = 200_000;

/// Share partitions that are told one by one each second.
const TOLD_PARTITIONS_MAX: usize = 1_000;

/// A start offset that was never set.
const UNINITIALIZED_START_OFFSET: i64 = -1;

/// A share partition: a group's view of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShareKey {
    /// Partition.
    pub(super) id: TopicIdPartition,
    /// Group.
    pub(super) group: Arc<str>,
}

/// What became of one partition's acknowledgements: an error with the words that Kafka has for it.
pub(super) type AckResult = Result<(), (ErrorCode, Option<String>)>;

/// A share partition that is led here.
#[derive(Debug)]
struct Led {
    /// Tells it from one of the same key before it.
    incarnation: u64,
    leader_epoch: i32,
    /// `None` until what was kept of it is read.
    partition: Option<SharePartition>,
    /// Who waits for a change that is not sent yet: (change, call), in order.
    waiting: VecDeque<(u64, u64)>,
    /// When [`on_tick`] looks at its locks.
    alarm: Option<Duration>,
    /// No member of the group has a session here any more: it goes as soon as everything is kept.
    is_leaving: bool,
    /// When it was first asked for.
    since: Duration,
}

/// A question to the share coordinator.
#[derive(Debug)]
struct Asked {
    key: ShareKey,
    incarnation: u64,
    /// `None`: it is a read. Else the calls that wait for the write.
    write: Option<Vec<u64>>,
}

/// See the module.
#[derive(Debug)]
pub struct ShareBridge {
    /// Sessions of members.
    pub(super) sessions: ShareSessions,
    /// Requests that wait.
    pub(super) calls: Calls,
    partitions: BTreeMap<ShareKey, Led>,
    by_group: BTreeMap<Arc<str>, BTreeSet<TopicIdPartition>>,
    alarms: BTreeSet<(Duration, ShareKey)>,
    asked: BTreeMap<u64, Asked>,
    /// Keys of the writes among them.
    writing: BTreeSet<ShareKey>,
    /// Share partitions that may have something to send, or to leave.
    dirty: BTreeSet<ShareKey>,
    /// Partitions whose waiting fetches are to be looked at again.
    woken: BTreeSet<TopicIdPartition>,
    last_number: u64,
    pub(super) metrics: ShareMetrics,
    /// What is asked is kept here instead, for tests to answer.
    #[cfg(test)]
    pub(super) captured: Option<Vec<(u64, StateRequest)>>,
}

impl ShareBridge {
    /// Nothing yet.
    pub fn new(config: &NodeConfig) -> ShareBridge {
        let max_sessions = usize::try_from(config.i64("group.share.max.share.sessions")).unwrap_or(0);
        ShareBridge {
            sessions: ShareSessions::new(max_sessions),
            calls: Calls::default(),
            partitions: BTreeMap::new(),
            by_group: BTreeMap::new(),
            alarms: BTreeSet::new(),
            asked: BTreeMap::new(),
            writing: BTreeSet::new(),
            dirty: BTreeSet::new(),
            woken: BTreeSet::new(),
            last_number: 0,
            metrics: ShareMetrics::default(),
            #[cfg(test)]
            captured: None,
        }
    }

    /// Nothing is led, and nobody waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let indices = self.by_group.is_empty() && self.alarms.is_empty() && self.dirty.is_empty();
        let asked = self.asked.is_empty() && self.writing.is_empty();
        indices && asked && self.partitions.is_empty() && self.sessions.is_empty() && self.calls.is_empty()
    }

    /// Tells its series. `image`: names of topics.
    pub fn collect(&mut self, out: &mut Collector, image: &Image) {
        self.metrics.collect(out);
        let led = self.partitions.iter_mut().filter_map(|(key, led)| Some((key, led.partition.as_mut()?)));
        for (key, partition) in led.take(TOLD_PARTITIONS_MAX) {
            let Some(topic) = image.topics.get(&key.id.topic_id) else { continue };
            share_metrics::collect_partition(out, key, &topic.name, partition);
        }
    }

    /// When [`on_tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.dirty.is_empty() && self.woken.is_empty() {
            true => self.alarms.first().map(|(at, _)| *at),
            // A connection closed: what its member had is to be given back.
            false => Some(Duration::ZERO),
        }
    }

    /// The share partition, once it is loaded.
    pub(super) fn partition_mut(&mut self, key: &ShareKey) -> Option<&mut SharePartition> {
        self.partitions.get_mut(key)?.partition.as_mut()
    }

    /// Calls `look` with each stretch of offsets of a share partition that is in flight here, as [`SharePartition::each_state`].
    pub fn with_states(&self, group: &str, id: TopicIdPartition, look: impl FnMut(i64, i64, RecordState, i32)) {
        let key = ShareKey { id, group: Arc::from(group) };
        if let Some(partition) = self.partitions.get(&key).and_then(|led| led.partition.as_ref()) {
            partition.each_state(look);
        }
    }

    /// Something was done with a share partition: its locks, and what it wants kept, may be others now.
    pub(super) fn touched(&mut self, key: &ShareKey) {
        let Some(led) = self.partitions.get_mut(key) else { return };
        let alarm = led.partition.as_ref().and_then(SharePartition::next_lock_end);
        if alarm != led.alarm {
            if let Some(before) = std::mem::replace(&mut led.alarm, alarm) {
                self.alarms.remove(&(before, key.clone()));
            }
            self.alarms.extend(alarm.map(|at| (at, key.clone())));
        }
        self.dirty.insert(key.clone());
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn insert(&mut self, now: Now, key: &ShareKey, leader_epoch: i32) {
        let led = Led {
            incarnation: self.number(),
            leader_epoch,
            partition: None,
            waiting: VecDeque::new(),
            alarm: None,
            is_leaving: false,
            since: now.mono,
        };
        self.partitions.insert(key.clone(), led);
        self.by_group.entry(Arc::clone(&key.group)).or_default().insert(key.id);
    }

    fn remove(&mut self, key: &ShareKey) -> Option<Led> {
        let led = self.partitions.remove(key)?;
        if let Some(at) = led.alarm {
            self.alarms.remove(&(at, key.clone()));
        }
        if let Some(ids) = self.by_group.get_mut(&key.group) {
            ids.remove(&key.id);
            if ids.is_empty() {
                self.by_group.remove(&key.group);
            }
        }
        self.dirty.remove(key);
        self.woken.insert(key.id);
        Some(led)
    }

    fn of_topic_partition(&self, id: TopicIdPartition) -> Vec<ShareKey> {
        let from = ShareKey { id, group: Arc::from("") };
        self.partitions.range(from..).map(|(key, _)| key).take_while(|key| key.id == id).cloned().collect()
    }
}

/// Sees to it that the share partition is led here: if need be, what was kept of it is read.
///
/// # Errors
/// The partition is not led here.
pub(super) fn lead(broker: &mut Broker, now: Now, key: &ShareKey) -> Result<(), ErrorCode> {
    let leader_epoch = match broker.replicas.partition(&key.id) {
        Some(partition) if partition.is_offline() => return Err(ErrorCode::KafkaStorageError),
        Some(partition) if partition.is_leader() => partition.leader_epoch(),
        _ => return Err(ErrorCode::NotLeaderOrFollower),
    };
    let shares = &mut broker.shares;
    if let Some(led) = shares.partitions.get_mut(key) {
        led.is_leaving = false;
        return Ok(());
    }
    if shares.partitions.len() >= MAX_PARTITIONS {
        return Err(ErrorCode::UnknownServerError);
    }
    shares.insert(now, key, leader_epoch);
    // A write of who led it here before is waited for: it could change what is read.
    if !shares.writing.contains(key) {
        read(broker, now, key);
    }
    Ok(())
}

/// A line about a share partition.
fn tell(broker: &Broker, level: Level, key: &ShareKey, message: impl FnOnce() -> String) {
    broker.config.log.write(Logger::SharePartition, level, || {
        let topic = broker.image.topics.get(&key.id.topic_id);
        let topic = topic.map_or_else(|| key.id.topic_id.to_string(), |topic| topic.name.to_string());
        let id = broker.config.node_id;
        format!("[SharePartition {}-{topic}-{} broker={id}] {}", key.group, key.id.partition, message())
    });
}

/// A line about a member's session.
pub(super) fn tell_session(broker: &Broker, level: Level, session: &SessionKey, message: impl FnOnce() -> String) {
    broker.config.log.write(Logger::SharePartitionManager, level, || {
        let id = broker.config.node_id;
        format!(
            "[SharePartitionManager id={id}] Session of member {} of group {}: {}",
            session.member,
            session.group,
            message()
        )
    });
}

fn read(broker: &mut Broker, now: Now, key: &ShareKey) {
    let Some(led) = broker.shares.partitions.get(key) else { return };
    let part = read_share_group_state_request::PartitionData::default()
        .with_partition(key.id.partition)
        .with_leader_epoch(led.leader_epoch);
    let topic = read_share_group_state_request::ReadStateData::default()
        .with_topic_id(key.id.topic_id.into())
        .with_partitions(vec![part]);
    let request = ReadShareGroupStateRequestData::default().with_group_id(group_id(key)).with_topics(vec![topic]);
    let asked = Asked { key: key.clone(), incarnation: led.incarnation, write: None };
    ask(broker, now, asked, StateRequest::Read(Box::new(request)));
}

fn ask(broker: &mut Broker, now: Now, asked: Asked, request: StateRequest) {
    let number = broker.shares.number();
    broker.shares.asked.insert(number, asked);
    #[cfg(test)]
    if let Some(captured) = &mut broker.shares.captured {
        captured.push((number, request));
        return;
    }
    share_persister::ask(broker, now, StateAsker::Partitions(number), request);
}

fn group_id(key: &ShareKey) -> KafkaString {
    KafkaString::from(key.group.to_string())
}

/// The share coordinators answered what was asked by [`super::share_persister::ask`] under this number.
pub fn on_share_state(broker: &mut Broker, now: Now, number: u64, response: StateResponse) {
    let Some(asked) = broker.shares.asked.remove(&number) else { return };
    let is_current = |broker: &Broker| {
        broker.shares.partitions.get(&asked.key).is_some_and(|led| led.incarnation == asked.incarnation)
    };
    match response {
        StateResponse::Read(response) if is_current(broker) => {
            let results = response.results.into_iter().flat_map(|topic| topic.partitions);
            let result = results.into_iter().find(|result| result.partition == asked.key.id.partition);
            let loaded =
                result.ok_or(ErrorCode::UnknownServerError).and_then(|result| load(broker, now, &asked.key, result));
            match loaded {
                Ok(()) => drop(broker.shares.woken.insert(asked.key.id)),
                Err(error) => {
                    tell(broker, Level::Error, &asked.key, || format!("could not be initialized: {error:?}"));
                    give_up(broker, now, &asked.key, error);
                }
            }
        }
        StateResponse::Write(response) => {
            let results = response.results.iter().flat_map(|topic| &topic.partitions);
            let result = results.into_iter().find(|result| result.partition == asked.key.id.partition);
            let code = result.map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code);
            let message = result.and_then(|result| result.error_message.as_ref().map(|text| text.to_string()));
            written(broker, now, asked, code, message);
        }
        _ => {}
    }
}

/// What a refusal of the share coordinator is to a client.
///
/// Source: `SharePartition.fetchPersisterError`.
fn told(code: i16) -> ErrorCode {
    match ErrorCode::from(code) {
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress => {
            ErrorCode::CoordinatorNotAvailable
        }
        error @ (ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition) => error,
        ErrorCode::FencedLeaderEpoch | ErrorCode::FencedStateEpoch => ErrorCode::NotLeaderOrFollower,
        _ => ErrorCode::UnknownServerError,
    }
}

fn load(
    broker: &mut Broker,
    now: Now,
    key: &ShareKey,
    result: read_share_group_state_response::PartitionResult,
) -> Result<(), ErrorCode> {
    if result.error_code != 0 {
        return Err(told(result.error_code));
    }
    let start_offset = match result.start_offset {
        UNINITIALIZED_START_OFFSET => first_start_offset(broker, now, key)?,
        start_offset => start_offset,
    };
    let batches = result.state_batches.iter().map(|batch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
    });
    let kept = KeptState { state_epoch: result.state_epoch, start_offset, batches: batches.collect() };
    let partition = SharePartition::load(&kept).map_err(|error| {
        let (group, id) = (&key.group, &key.id);
        let message = format!("share group {group} cannot read {}-{}: {error}", id.topic_id, id.partition);
        broker.events.push(Event::Error { message });
        ErrorCode::UnknownServerError
    })?;
    tell(broker, Level::Debug, key, || {
        let (epoch, batches) = (kept.state_epoch, kept.batches.len());
        format!("initialized: state epoch {epoch}, start offset {start_offset}, {batches} batches in flight")
    });
    if let Some(led) = broker.shares.partitions.get_mut(key) {
        led.partition = Some(partition);
        broker.shares.metrics.loaded(now.mono.saturating_sub(led.since));
    }
    broker.shares.touched(key);
    Ok(())
}

/// Where a group begins that has no start offset yet.
fn first_start_offset(broker: &mut Broker, now: Now, key: &ShareKey) -> Result<i64, ErrorCode> {
    let timestamp = match share_limits::offset_reset(broker, &key.group) {
        OffsetReset::Earliest => timestamps::EARLIEST,
        OffsetReset::Latest => timestamps::LATEST,
        OffsetReset::ByDuration(duration_ms) => now.wall_ms.saturating_sub(duration_ms).max(0),
    };
    let leader_epoch = broker.shares.partitions.get(key).map_or(-1, |led| led.leader_epoch);
    let view = OffsetView { isolation: Some(Isolation::ReadUncommitted), leader_only: true };
    let found = broker.replicas.find_offset(&key.id, timestamp, view, leader_epoch)?;
    if found.offset < 0 { Err(ErrorCode::OffsetNotAvailable) } else { Ok(found.offset) }
}

/// A write was answered: whoever waits for it is told.
fn written(broker: &mut Broker, now: Now, asked: Asked, code: i16, message: Option<String>) {
    let key = asked.key;
    broker.shares.writing.remove(&key);
    let limits = share_limits::limits(broker, &key.group);
    let led = broker.shares.partitions.get_mut(&key);
    let is_current = led.as_ref().is_some_and(|led| led.incarnation == asked.incarnation);
    if let Some(partition) = led.filter(|_| is_current).and_then(|led| led.partition.as_mut()) {
        partition.written(now.mono, &limits, code == 0);
        broker.shares.touched(&key);
        broker.shares.woken.insert(key.id);
    }
    let error = told(code);
    if code != 0 {
        tell(broker, Level::Error, &key, || {
            let why = message.as_deref().unwrap_or("no reason is given");
            format!("its state could not be written: {:?}, {why}", ErrorCode::from(code))
        });
    }
    for call in asked.write.unwrap_or_default() {
        let result = if code == 0 { Ok(()) } else { Err((error, message.clone())) };
        share_calls::acknowledged(broker, now, call, key.id, result);
    }
    if !is_current {
        read(broker, now, &key);
        return;
    }
    let is_fenced = matches!(
        error,
        ErrorCode::NotLeaderOrFollower | ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition
    );
    if code != 0 && is_fenced {
        give_up(broker, now, &key, error);
    }
}

/// The share partition is not led here any more, or could not be read: who waits for it is told, the next who asks has it read anew.
fn give_up(broker: &mut Broker, now: Now, key: &ShareKey, error: ErrorCode) {
    let Some(led) = broker.shares.remove(key) else { return };
    tell(broker, Level::Debug, key, || format!("is given up, after leader epoch {}: {error:?}", led.leader_epoch));
    for (_, call) in led.waiting {
        share_calls::acknowledged(broker, now, call, key.id, Err((error, None)));
    }
    share_fetch::lost(broker, key, error);
}

/// A member's acknowledgements of one partition: their result, or `None`: `call` is told it when they are kept.
pub(super) fn acknowledge(
    broker: &mut Broker,
    now: Now,
    session: &SessionKey,
    id: TopicIdPartition,
    acknowledgements: &[Acknowledgement],
    call: u64,
) -> Option<AckResult> {
    let key = ShareKey { id, group: Arc::clone(&session.group) };
    let limits = share_limits::limits(broker, &key.group);
    let shares = &mut broker.shares;
    let unknown = (ErrorCode::UnknownTopicOrPartition, Some(ErrorCode::UnknownTopicOrPartition.to_string()));
    let Some(led) = shares.partitions.get_mut(&key) else { return Some(Err(unknown)) };
    // Nobody can have records of what is not read yet.
    let Some(partition) = led.partition.as_mut() else {
        let refusal = Refusal::NotInFlight;
        return Some(Err((refusal.code(), Some(refusal.to_string()))));
    };
    let result = partition.acknowledge(now.mono, &limits, &session.member, acknowledgements);
    if let Ok(Some(change)) = result {
        led.waiting.push_back((change, call));
    }
    if result.is_ok() {
        shares.metrics.acknowledged(acknowledgements);
    }
    shares.touched(&key);
    match result {
        Ok(Some(_)) if Bug::ShareAckEarly.is_planted() => Some(Ok(())),
        Ok(Some(_)) => None,
        Ok(None) => Some(Ok(())),
        Err(refusal) => Some(Err((refusal.code(), Some(refusal.to_string())))),
    }
}

/// A session ends: what its member has can be given to others.
pub(super) fn end_session(broker: &mut Broker, session: &SessionKey) {
    if let Some(partitions) = broker.shares.sessions.end(session) {
        tell_session(broker, Level::Debug, session, || "it ended".to_owned());
        release(broker, session, partitions);
    }
}

fn release(broker: &mut Broker, session: &SessionKey, partitions: Vec<TopicIdPartition>) {
    let limits = share_limits::limits(broker, &session.group);
    for id in partitions {
        let key = ShareKey { id, group: Arc::clone(&session.group) };
        if let Some(partition) = broker.shares.partition_mut(&key) {
            partition.release(&limits, &session.member);
            broker.shares.touched(&key);
        }
    }
    leave_if_empty(broker, &session.group);
}

/// Nobody of the group reads here any more: its share partitions go. What is still with members who had their partition taken away meanwhile is
/// given back first, so that its deliveries are kept; Kafka forgets these.
fn leave_if_empty(broker: &mut Broker, group: &Arc<str>) {
    let limits = share_limits::limits(broker, group);
    let shares = &mut broker.shares;
    if shares.sessions.has_group(group) {
        return;
    }
    for id in shares.by_group.get(group).cloned().unwrap_or_default() {
        let key = ShareKey { id, group: Arc::clone(group) };
        if let Some(led) = shares.partitions.get_mut(&key) {
            led.is_leaving = true;
            led.partition.as_mut().and_then(|partition| partition.release_all(&limits));
            shares.dirty.insert(key);
        }
    }
}

/// A connection is gone: what waited for it is forgotten, and the sessions that began on it end.
pub fn on_disconnect(broker: &mut Broker, conn: ConnId) {
    broker.shares.calls.forget_connection(conn);
    for (session, partitions) in broker.shares.sessions.on_disconnect(conn) {
        tell_session(broker, Level::Debug, &session, || "it ended with its connection".to_owned());
        release(broker, &session, partitions);
    }
}

/// Partitions changed: those that are not led here any more, or anew, are given up.
pub(super) fn on_changes(broker: &mut Broker, now: Now, changes: &BTreeSet<TopicIdPartition>) {
    if broker.shares.partitions.is_empty() {
        return;
    }
    for id in changes {
        let led = broker.replicas.partition(id).filter(|partition| partition.is_leader() && !partition.is_offline());
        let epoch = led.map(|partition| partition.leader_epoch());
        for key in broker.shares.of_topic_partition(*id) {
            let same = broker.shares.partitions.get(&key).is_some_and(|led| Some(led.leader_epoch) == epoch);
            if !same {
                give_up(broker, now, &key, ErrorCode::NotLeaderOrFollower);
            }
        }
    }
}

/// Topics that are deleted take their share partitions with them.
pub(super) fn on_image(broker: &mut Broker, now: Now, delta: &ImageDelta) {
    let gone: BTreeSet<Id> = delta.topics_deleted.keys().copied().collect();
    if gone.is_empty() {
        return;
    }
    let keys = broker.shares.partitions.keys().filter(|key| gone.contains(&key.id.topic_id));
    for key in keys.cloned().collect::<Vec<_>>() {
        give_up(broker, now, &key, ErrorCode::UnknownTopicOrPartition);
    }
}

/// Lets time pass: locks run out.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    while let Some((_, key)) = broker.shares.alarms.first().filter(|(at, _)| *at <= now.mono).cloned() {
        let limits = share_limits::limits(broker, &key.group);
        let shares = &mut broker.shares;
        if shares.partition_mut(&key).is_some_and(|partition| partition.expire_locks(now.mono, &limits)) {
            shares.woken.insert(key.id);
            shares.touched(&key);
            tell(broker, Level::Debug, &key, || "acquisition locks ran out".to_owned());
            continue;
        }
        shares.touched(&key);
    }
}

/// Sends what is to be kept, lets go who leaves, wakes who waits. True if there was anything.
pub(super) fn carry_out(broker: &mut Broker, now: Now) -> bool {
    let dirty = std::mem::take(&mut broker.shares.dirty);
    let woken = std::mem::take(&mut broker.shares.woken);
    let busy = !dirty.is_empty() || !woken.is_empty();
    for key in dirty {
        send_write(broker, now, &key);
    }
    if !woken.is_empty() {
        purgatory::on_changes(broker, now, &woken);
    }
    busy
}

fn send_write(broker: &mut Broker, now: Now, key: &ShareKey) {
    let shares = &mut broker.shares;
    let Some(led) = shares.partitions.get_mut(key) else { return };
    let is_kept = led.partition.as_ref().is_none_or(SharePartition::is_kept);
    let Some(write) = led.partition.as_mut().and_then(SharePartition::take_write) else {
        if is_kept && led.is_leaving {
            give_up(broker, now, key, ErrorCode::NotLeaderOrFollower);
        }
        return;
    };
    // All that was queued goes with this write, and nothing of what comes later.
    let waiting = std::mem::take(&mut led.waiting).into_iter().map(|(_, call)| call).collect();
    let asked = Asked { key: key.clone(), incarnation: led.incarnation, write: Some(waiting) };
    let leader_epoch = led.leader_epoch;
    shares.writing.insert(key.clone());
    ask(broker, now, asked, StateRequest::Write(Box::new(write_request(key, leader_epoch, &write))));
}

fn write_request(key: &ShareKey, leader_epoch: i32, write: &StateWrite) -> WriteShareGroupStateRequestData {
    let batch = |batch: &StateBatch| {
        write_share_group_state_request::StateBatch::default()
            .with_first_offset(batch.first_offset)
            .with_last_offset(batch.last_offset)
            .with_delivery_state(batch.delivery_state)
            .with_delivery_count(batch.delivery_count)
    };
    let part = write_share_group_state_request::PartitionData::default()
        .with_partition(key.id.partition)
        .with_state_epoch(write.state_epoch)
        .with_leader_epoch(leader_epoch)
        .with_start_offset(write.start_offset)
        .with_delivery_complete_count(write.delivery_complete_count)
        .with_state_batches(write.batches.iter().map(batch).collect());
    let topic = write_share_group_state_request::WriteStateData::default()
        .with_topic_id(key.id.topic_id.into())
        .with_partitions(vec![part]);
    WriteShareGroupStateRequestData::default().with_group_id(group_id(key)).with_topics(vec![topic])
}
