//! Follows one produced batch on its way: from the client to the leader's log, to the followers, under the high watermark, back to the
//! client, and on to who fetches it. All nodes of a cluster share one desk; while nobody asks it costs each of them one look at a number.
//!
//! Times are those of the stopwatch that all nodes of a process share.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::broker::Broker;
use super::context::{ConnId, RequestContext};
use super::request_times::Stations;
use crate::protocol::Response;
use crate::protocol::messages::fetch_response::PartitionData;
use crate::records::BatchHeader;
use crate::replica::{AppendError, Appended};
use crate::types::{Id, NodeId, TopicIdPartition};

/// Fetches that are told of one batch.
const FETCHES_MAX: usize = 16;
/// Who asks does not wait longer for a batch.
const ARMED_MAX: Duration = Duration::from_secs(60);
/// It is not followed for longer.
const FOLLOWED_MAX: Duration = Duration::from_secs(120);
/// How long fetches are waited for once all replicas have it and the client has its answer.
const FETCHES_WAIT: Duration = Duration::from_secs(10);

const IDLE: u8 = 0;
const ARMED: u8 = 1;
const FOLLOWING: u8 = 2;

/// Which batch is to be followed: the next that a client writes to …
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceWish {
    /// … this topic; `None`: any but an internal one.
    pub topic: Option<String>,
    /// … this partition of it; `None`: any.
    pub partition: Option<i32>,
}

/// Where it was seen.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub enum Station {
    /// The leader read the last byte of the request.
    Arrived,
    /// Its thread began to work on it.
    Begun,
    /// It is in the leader's log.
    Appended,
    /// It was refused with this error code.
    Refused(i16),
    /// The leader sent it to a follower, in its answer to a fetch.
    SentTo(NodeId),
    /// It is in this follower's log.
    Replicated(NodeId),
    /// The leader knows so, from the follower's next fetch.
    Confirmed(NodeId),
    /// The high watermark passed it: it is committed, and consumers may read it.
    Committed,
    /// Somebody leads under this later epoch without it: it is lost.
    Lost(i32),
    /// The answer to the producer was ready, with this error code.
    Answered(i16),
    /// It was written to the socket. Without an answer (acks=0): the request was done with.
    Acknowledged,
    /// A consumer fetched it.
    Fetched {
        /// As it calls itself.
        client_id: String,
        /// Where it comes from.
        connection: ConnId,
    },
}

/// A batch was seen somewhere.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// On the stopwatch.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub at: Duration,
    /// On this node.
    pub node_id: NodeId,
    /// Where.
    pub station: Station,
}

/// A batch and its way.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset of its first record; -1: it was refused.
    pub first_offset: i64,
    /// Of its last.
    pub last_offset: i64,
    /// The broker that it was sent to.
    pub leader: NodeId,
    /// Under this epoch.
    pub leader_epoch: i32,
    /// In-sync replicas when it was appended.
    pub isr: Vec<NodeId>,
    /// All replicas then.
    pub replicas: Vec<NodeId>,
    /// Bytes of the batch.
    pub size_bytes: usize,
    /// What the producer asked for.
    pub acks: i16,
    /// Version of the Produce request.
    pub version: i16,
    /// The producer.
    pub client_id: String,
    /// Its software, name and version.
    pub software: (String, String),
    /// Its connection.
    pub connection: ConnId,
    /// When the leader got it; wall clock.
    pub at_ms: i64,
    /// In the order in which it was seen.
    pub steps: Vec<Step>,
    /// Nothing more is to come.
    pub is_over: bool,
}

/// What of it is looked for.
#[derive(Debug, Default)]
struct Mark {
    /// Its partition; `None`: nothing was followed yet.
    id: Option<TopicIdPartition>,
    /// Its place in the order of its connection.
    seq: u64,
    /// Consumers' fetches that are being answered: broker, connection, place in its order.
    fetches: Vec<(NodeId, ConnId, u64)>,
}

/// What the desk knows.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceState {
    /// The next batch of these is waited for.
    pub wish: Option<TraceWish>,
    /// It was not written in time.
    pub timed_out: bool,
    /// The last that was followed.
    pub trace: Option<Trace>,
}

#[derive(Debug, Default)]
struct Inner {
    state: TraceState,
    armed_at: Duration,
    mark: Mark,
}

/// See the module.
#[derive(Debug, Default)]
pub struct TraceDesk {
    stage: AtomicU8,
    inner: Mutex<Inner>,
}

impl TraceDesk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment or one push: it is whole even if a thread panicked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, stage: u8) -> bool {
        self.stage.load(Ordering::Acquire) == stage
    }

    /// Waits for a batch from now on, and forgets the last.
    pub fn follow(&self, wish: TraceWish, now: Duration) {
        let mut inner = self.lock();
        inner.state = TraceState { wish: Some(wish), ..TraceState::default() };
        inner.armed_at = now;
        self.stage.store(ARMED, Ordering::Release);
    }

    /// Waits no longer; what was seen stays.
    pub fn stop(&self) {
        let mut inner = self.lock();
        self.end(&mut inner);
    }

    fn end(&self, inner: &mut Inner) {
        inner.state.wish = None;
        if let Some(trace) = &mut inner.state.trace {
            trace.is_over = true;
        }
        self.stage.store(IDLE, Ordering::Release);
    }

    /// What is known now.
    pub fn look(&self, now: Duration) -> TraceState {
        let mut inner = self.lock();
        self.end_if_due(&mut inner, now);
        inner.state.clone()
    }

    fn end_if_due(&self, inner: &mut Inner, now: Duration) {
        let armed = inner.state.wish.is_some();
        if armed && now.saturating_sub(inner.armed_at) >= ARMED_MAX {
            inner.state.timed_out = true;
            return self.end(inner);
        }
        let Some(trace) = inner.state.trace.as_ref().filter(|trace| !trace.is_over) else { return };
        let last = trace.steps.last().map_or(now, |step| step.at);
        let first = trace.steps.first().map_or(now, |step| step.at);
        let waits_for_fetches_only = trace.is_settled() && now.saturating_sub(last) >= FETCHES_WAIT;
        if trace.is_refused() || trace.is_lost() || waits_for_fetches_only || now.saturating_sub(first) >= FOLLOWED_MAX
        {
            self.end(inner);
        }
    }

    fn change(&self, now: Duration, change: impl FnOnce(&mut Trace, &mut Mark)) {
        let mut inner = self.lock();
        let Inner { state, mark, .. } = &mut *inner;
        if let Some(trace) = state.trace.as_mut().filter(|trace| !trace.is_over) {
            change(trace, mark);
            trace.steps.sort_by_key(|step| step.at);
        }
        self.end_if_due(&mut inner, now);
    }

    /// Whether what a broker does is looked at.
    pub fn is_following(&self) -> bool {
        self.is(FOLLOWING)
    }

    /// A produce request was done with.
    pub fn sent(&self, node_id: NodeId, conn: ConnId, seq: u64, stations: &Stations) {
        self.change(stations.sent, |trace, mark| {
            if (trace.leader, trace.connection, mark.seq) == (node_id, conn, seq) {
                trace.see(stations.arrived, node_id, Station::Arrived);
                trace.see(stations.begun.max(stations.arrived), node_id, Station::Begun);
                trace.see(stations.sent, node_id, Station::Acknowledged);
                return;
            }
            let Some(place) = mark.fetches.iter().position(|fetch| *fetch == (node_id, conn, seq)) else { return };
            mark.fetches.swap_remove(place);
            let of_it = |step: &&mut Step| {
                let by_it = matches!(&step.station, Station::Fetched { connection, .. } if *connection == conn);
                by_it && step.node_id == node_id
            };
            if let Some(step) = trace.steps.iter_mut().find(of_it) {
                step.at = stations.sent;
            }
        });
    }
}

impl Trace {
    fn see(&mut self, at: Duration, node_id: NodeId, station: Station) {
        if !self.has(node_id, &station) {
            self.steps.push(Step { at, node_id, station });
        }
    }

    fn has(&self, node_id: NodeId, station: &Station) -> bool {
        self.steps.iter().any(|step| step.node_id == node_id && step.station == *station)
    }

    /// Refused, and the client knows.
    fn is_refused(&self) -> bool {
        self.first_offset < 0 && self.has(self.leader, &Station::Acknowledged)
    }

    fn fetches(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.station, Station::Fetched { .. })).count()
    }

    fn is_lost(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.station, Station::Lost(_)))
    }

    /// Whether a log that ends its batches of an epoch as told has it: another batch may stand at its offsets, of a later epoch.
    fn is_in(&self, (epoch, end): (i32, i64)) -> bool {
        epoch == self.leader_epoch && end > self.last_offset
    }

    /// On all replicas that were in sync, under the high watermark, and acknowledged.
    fn is_settled(&self) -> bool {
        let confirmed = |id: &NodeId| *id == self.leader || self.has(self.leader, &Station::Confirmed(*id));
        self.has(self.leader, &Station::Committed)
            && self.has(self.leader, &Station::Acknowledged)
            && self.isr.iter().all(confirmed)
    }
}

impl Broker {
    /// A part of a produce request was appended, or refused.
    pub(super) fn trace_append(
        &self,
        context: &RequestContext,
        id: TopicIdPartition,
        (acks, size_bytes): (i16, usize),
        result: &Result<Appended, AppendError>,
    ) {
        if !self.trace.is(ARMED) {
            return;
        }
        let Some(topic) = self.image.topics.get(&id.topic_id) else { return };
        let at = (self.stopwatch)();
        let mut inner = self.trace.lock();
        self.trace.end_if_due(&mut inner, at);
        let Some(wish) = &inner.state.wish else { return };
        let is_wanted = wish.topic.as_ref().map_or(!topic.name.starts_with("__"), |name| **name == *topic.name)
            && wish.partition.is_none_or(|partition| partition == id.partition);
        if !is_wanted {
            return;
        }
        let partition = self.replicas.partition(&id);
        let (name, version) = self.connections.software(context.conn);
        let replicas = topic.partition(id.partition).map(|image| image.replicas.clone()).unwrap_or_default();
        let mut trace = Trace {
            topic: topic.name.to_string(),
            partition: id.partition,
            first_offset: result.as_ref().map_or(-1, |appended| appended.first_offset),
            last_offset: result.as_ref().map_or(-1, |appended| appended.last_offset),
            leader: self.config.node_id,
            leader_epoch: partition.map_or(-1, |partition| partition.leader_epoch()),
            isr: partition.map_or_else(Vec::new, |partition| partition.isr().to_vec()),
            replicas,
            size_bytes,
            acks,
            version: context.header.api_version,
            client_id: context.header.client_id.as_deref().unwrap_or_default().to_owned(),
            software: (name.to_owned(), version.to_owned()),
            connection: context.conn,
            at_ms: context.received.wall_ms,
            steps: Vec::new(),
            is_over: false,
        };
        let station = match result {
            Ok(_) => Station::Appended,
            Err(error) => Station::Refused(error.code.code()),
        };
        trace.see(at, self.config.node_id, station);
        inner.state = TraceState { trace: Some(trace), ..TraceState::default() };
        inner.mark = Mark { id: Some(id), seq: context.seq, fetches: Vec::new() };
        self.trace.stage.store(FOLLOWING, Ordering::Release);
    }

    /// The answer to a client is ready.
    pub(super) fn trace_answer(&self, context: &RequestContext, response: &Response) {
        let Response::Produce(answer) = response else { return };
        let at = (self.stopwatch)();
        // What it was waiting for has come to pass by now.
        self.trace_progress(at);
        self.trace.change(at, |trace, mark| {
            let of_it = (trace.leader, trace.connection, mark.seq);
            if of_it != (self.config.node_id, context.conn, context.seq) {
                return;
            }
            let is_topic =
                |name: &str, id: Id| name == trace.topic || mark.id.is_some_and(|known| id == known.topic_id);
            let topics =
                answer.responses.iter().filter(|topic| is_topic(topic.name.as_str(), Id::from(topic.topic_id)));
            let mut parts = topics.flat_map(|topic| &topic.partition_responses);
            let code = parts.find(|part| part.index == trace.partition).map_or(0, |part| part.error_code);
            trace.see(at, self.config.node_id, Station::Answered(code));
        });
    }

    /// Records are on their way to a consumer, or to the follower of that id.
    pub(super) fn trace_fetch(
        &self,
        id: TopicIdPartition,
        part: &PartitionData,
        reader: Result<&RequestContext, NodeId>,
    ) {
        let Some(records) = part.records.as_deref().filter(|records| !records.is_empty()) else { return };
        let at = (self.stopwatch)();
        self.trace.change(at, |trace, mark| {
            if mark.id != Some(id) || trace.first_offset < 0 || !holds(records, trace) {
                return;
            }
            let node_id = self.config.node_id;
            match reader {
                Err(follower) => trace.see(at, node_id, Station::SentTo(follower)),
                Ok(context) if trace.fetches() < FETCHES_MAX => {
                    let client_id = context.header.client_id.as_deref().unwrap_or_default().to_owned();
                    let station = Station::Fetched { client_id, connection: context.conn };
                    if !trace.has(node_id, &station) {
                        trace.see(at, node_id, station);
                        mark.fetches.push((node_id, context.conn, context.seq));
                    }
                }
                Ok(_) => {}
            }
        });
    }

    /// Looks where the batch is by now. Called after each thing that a broker did.
    pub fn trace_progress(&self, at: Duration) {
        self.trace.change(at, |trace, mark| {
            let Some(id) = mark.id.filter(|_| trace.first_offset >= 0) else { return };
            let Some(partition) = self.replicas.partition(&id) else { return };
            let me = self.config.node_id;
            let Some(log) = self.replicas.log(&id) else { return };
            let has_it = trace.is_in(log.end_offset_for_epoch(trace.leader_epoch));
            if !partition.is_leader() {
                if has_it {
                    trace.see(at, me, Station::Replicated(me));
                }
                return;
            }
            if !has_it {
                // What retention took is not lost.
                let epoch = partition.leader_epoch();
                if epoch > trace.leader_epoch && log.log_start_offset() <= trace.first_offset {
                    trace.see(at, me, Station::Lost(epoch));
                }
                return;
            }
            let ends: BTreeSet<NodeId> =
                partition.follower_log_ends().filter(|(_, end)| *end > trace.last_offset).map(|(id, _)| id).collect();
            for id in ends {
                trace.see(at, me, Station::Confirmed(id));
            }
            if partition.high_watermark() > trace.last_offset {
                trace.see(at, me, Station::Committed);
            }
        });
    }
}

/// Whether it is among these.
fn holds(mut records: &[u8], trace: &Trace) -> bool {
    let offset = trace.first_offset;
    while let Ok(header) = BatchHeader::parse(records) {
        if (header.base_offset..=header.last_offset()).contains(&offset) {
            return header.partition_leader_epoch == trace.leader_epoch;
        }
        match records.get(header.size_bytes()..) {
            Some(rest) if header.base_offset <= offset => records = rest,
            _ => return false,
        }
    }
    false
}
