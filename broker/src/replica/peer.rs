//! The leader's side of a follower broker's fetch session: what it fetches, what there is to tell it, and its request that waits. A
//! partition is looked at only when the follower moved in it or something happened to it here. Pure.
//!
//! Source: `kafka.server.FetchSession` and `DelayedFetch`; KIP-227.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::protocol::ErrorCode;
use crate::protocol::messages::fetch_request::{FetchPartition, FetchRequestData};
use crate::types::{Id, TopicIdPartition};

/// One partition as a session holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub leader_epoch: i32,
    pub offset: i64,
    pub last_epoch: i32,
    pub log_start: i64,
    pub max_bytes: i32,
    /// High watermark and log start as last told; `None`: nothing yet, or an error.
    pub told: Option<(i64, i64)>,
    queued: bool,
}

impl Held {
    fn of(partition: &FetchPartition) -> Held {
        Held {
            leader_epoch: partition.current_leader_epoch,
            offset: partition.fetch_offset,
            last_epoch: partition.last_fetched_epoch,
            log_start: partition.log_start_offset,
            max_bytes: partition.partition_max_bytes,
            told: None,
            queued: false,
        }
    }
}

/// A request that waits for something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub correlation: u64,
    pub deadline: Duration,
    pub max_bytes: i32,
}

/// The session of one follower broker. There is one per broker: a new one takes the old one's place.
#[derive(Debug)]
pub struct PeerSession {
    pub id: i32,
    next_epoch: i32,
    /// Broker epoch under which the follower fetches (KIP-903).
    pub broker_epoch: i64,
    held: BTreeMap<TopicIdPartition, Held>,
    /// What the next answer looks at, in turn, so that no partition starves behind the size limit.
    queue: VecDeque<TopicIdPartition>,
    /// The part of `queue` of which it is not known yet whether it is worth an answer.
    pub fresh: Vec<TopicIdPartition>,
    pub waiting: Option<Waiting>,
    /// When it last fetched.
    pub last_fetch: Duration,
}

/// What a request changed in a session.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SessionUpdate {
    pub fetched: Vec<TopicIdPartition>,
    pub forgotten: Vec<TopicIdPartition>,
}

impl PeerSession {
    /// Begins a session with a full request.
    pub fn begin(id: i32, request: &FetchRequestData, now: Duration) -> (PeerSession, SessionUpdate) {
        let mut session = PeerSession {
            id,
            next_epoch: 1,
            broker_epoch: request.replica_state.replica_epoch,
            held: BTreeMap::new(),
            queue: VecDeque::new(),
            fresh: Vec::new(),
            waiting: None,
            last_fetch: now,
        };
        let update = session.update(request, now);
        (session, update)
    }

    /// Goes on with an incremental request.
    pub fn go_on(&mut self, request: &FetchRequestData, now: Duration) -> Result<SessionUpdate, ErrorCode> {
        if request.session_id != self.id || request.replica_state.replica_epoch != self.broker_epoch {
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        if request.session_epoch != self.next_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        self.next_epoch = if self.next_epoch == i32::MAX { 1 } else { self.next_epoch + 1 };
        Ok(self.update(request, now))
    }

    fn update(&mut self, request: &FetchRequestData, now: Duration) -> SessionUpdate {
        self.last_fetch = now;
        let mut update = SessionUpdate::default();
        for topic in &request.forgotten_topics_data {
            for &partition in &topic.partitions {
                let id = TopicIdPartition { topic_id: Id(topic.topic_id.to_bytes()), partition };
                self.held.remove(&id);
                update.forgotten.push(id);
            }
        }
        for topic in &request.topics {
            for partition in &topic.partitions {
                let id = TopicIdPartition { topic_id: Id(topic.topic_id.to_bytes()), partition: partition.partition };
                let mut held = Held::of(partition);
                if let Some(old) = self.held.get(&id) {
                    held.told = old.told;
                    held.queued = old.queued;
                }
                self.held.insert(id, held);
                self.notice(id);
                update.fetched.push(id);
            }
        }
        // A session's queue holds each partition once at most, and forgotten ones until their turn: it is bounded by what was asked for.
        update
    }

    /// Something happened to a partition: if this session holds it, it is looked at.
    pub fn notice(&mut self, id: TopicIdPartition) {
        let Some(held) = self.held.get_mut(&id) else { return };
        self.fresh.push(id);
        if !held.queued {
            held.queued = true;
            self.queue.push_back(id);
        }
    }

    /// A request has come: all that there may be to tell is looked at, and not only what happens from now on.
    pub fn wait(&mut self, waiting: Waiting) {
        self.waiting = Some(waiting);
        self.fresh.clear();
        self.fresh.extend(&self.queue);
    }

    /// How many partitions it has.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// One partition.
    pub fn held(&self, id: &TopicIdPartition) -> Option<&Held> {
        self.held.get(id)
    }

    /// How many partitions are to be looked at.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The next to be looked at.
    pub fn take_queued(&mut self) -> Option<(TopicIdPartition, Held)> {
        while let Some(id) = self.queue.pop_front() {
            if let Some(held) = self.held.get_mut(&id)
                && std::mem::take(&mut held.queued)
            {
                return Some((id, held.clone()));
            }
        }
        None
    }

    /// There is more to tell of it: it is looked at again in its turn.
    pub fn requeue(&mut self, id: TopicIdPartition) {
        if let Some(held) = self.held.get_mut(&id)
            && !held.queued
        {
            held.queued = true;
            self.queue.push_back(id);
        }
    }

    /// Remembers what the follower was told.
    pub fn told(&mut self, id: &TopicIdPartition, told: Option<(i64, i64)>) {
        if let Some(held) = self.held.get_mut(id) {
            held.told = told;
        }
    }
}
