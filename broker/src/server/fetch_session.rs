//! Fetch sessions of clients: what a consumer fetches again and again is named once. The cache is bounded in sessions and in partitions.
//!
//! Source: `kafka.server.FetchSession`; KIP-227.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::current_leader::TopicKey;
use crate::metadata::config::NodeConfig;
use crate::protocol::ErrorCode;
use crate::protocol::messages::FetchRequestData;
use crate::types::{Id, Now};

/// A session that was not used for so long may be evicted for any other (Kafka's constant).
const EVICTION_AFTER: Duration = Duration::from_secs(120);
/// Partitions that all sessions may hold together; beyond that a fetch gets no session.
const MAX_CACHED_PARTITIONS: usize = 500_000;

/// A partition as a session names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchKey {
    /// Topic.
    pub topic: TopicKey,
    /// Partition index.
    pub partition: i32,
}

/// What a client wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchParams {
    /// First offset wanted.
    pub offset: i64,
    /// Leader epoch that the client believes in, or -1.
    pub current_leader_epoch: i32,
    /// Epoch of the last record that it has, or -1.
    pub last_fetched_epoch: i32,
    /// Limit.
    pub max_bytes: i32,
}

/// What a client was told of a partition, as far as it decides whether there is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// High watermark.
    pub high_watermark: i64,
    /// Log start offset.
    pub log_start_offset: i64,
    /// Whether there were records.
    pub has_records: bool,
    /// Whether it was an error or a diverging epoch.
    pub is_error: bool,
}

#[derive(Debug)]
struct Cached {
    place: u64,
    params: FetchParams,
    high_watermark: i64,
    log_start_offset: i64,
}

#[derive(Debug)]
struct Session {
    by_id: bool,
    next_epoch: i32,
    created: Duration,
    last_used: Duration,
    next_place: u64,
    cached: HashMap<FetchKey, Cached>,
    /// Partitions in turn: those that were last served stand last.
    order: BTreeMap<u64, FetchKey>,
}

impl Session {
    fn put(&mut self, key: FetchKey, params: FetchParams) {
        if let Some(cached) = self.cached.get_mut(&key) {
            cached.params = params;
            return;
        }
        let place = self.take_place();
        self.order.insert(place, key.clone());
        self.cached.insert(key, Cached { place, params, high_watermark: -1, log_start_offset: -1 });
    }

    fn take_place(&mut self) -> u64 {
        self.next_place += 1;
        self.next_place
    }

    fn remove(&mut self, key: &FetchKey) {
        if let Some(cached) = self.cached.remove(key) {
            self.order.remove(&cached.place);
        }
    }

    fn move_to_end(&mut self, key: &FetchKey) {
        let place = self.take_place();
        if let Some(cached) = self.cached.get_mut(key) {
            self.order.remove(&cached.place);
            cached.place = place;
            self.order.insert(place, key.clone());
        }
    }

    /// Takes in what the client is about to be told; true if it is news.
    fn is_news(&mut self, key: &FetchKey, told: &Told) -> bool {
        let Some(cached) = self.cached.get_mut(key) else { return true };
        let changed =
            cached.high_watermark != told.high_watermark || cached.log_start_offset != told.log_start_offset;
        // After an error the next sound answer is news, whatever it says.
        cached.high_watermark = if told.is_error { -1 } else { told.high_watermark };
        cached.log_start_offset = told.log_start_offset;
        changed || told.has_records || told.is_error
    }
}

/// How an answer is to be shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchMode {
    /// All partitions, no session.
    Sessionless,
    /// All partitions, and a session for what follows if there is room.
    Full {
        /// Whether topics go by id.
        by_id: bool,
    },
    /// Only what is news.
    Incremental {
        /// Session.
        session_id: i32,
        /// Epoch of the request.
        epoch: i32,
    },
}

/// What a request means: how to answer, and all partitions to look at, in turn.
#[derive(Clone, Debug)]
pub struct FetchPlan {
    /// How to answer.
    pub mode: FetchMode,
    /// What to look at.
    pub partitions: Vec<(FetchKey, FetchParams)>,
}

/// The cache of sessions.
pub struct FetchSessions {
    sessions: BTreeMap<i32, Session>,
    cached_partitions: usize,
    max_sessions: usize,
    rng: StdRng,
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

fn requested(request: &FetchRequestData, by_id: bool) -> impl Iterator<Item = (FetchKey, FetchParams)> {
    request.topics.iter().flat_map(move |topic| {
        let key = TopicKey::of(by_id, &topic.topic, Id::from(topic.topic_id));
        topic.partitions.iter().map(move |partition| {
            let params = FetchParams {
                offset: partition.fetch_offset,
                current_leader_epoch: partition.current_leader_epoch,
                last_fetched_epoch: partition.last_fetched_epoch,
                max_bytes: partition.partition_max_bytes,
            };
            (FetchKey { topic: key.clone(), partition: partition.partition }, params)
        })
    })
}

/// A request that names a partition twice means it once, as its last mention has it.
fn distinct(request: &FetchRequestData, by_id: bool) -> Vec<(FetchKey, FetchParams)> {
    let mut places = HashMap::new();
    let mut partitions: Vec<(FetchKey, FetchParams)> = Vec::new();
    for (key, params) in requested(request, by_id) {
        match places.get(&key) {
            Some(&place) => partitions[place] = (key, params),
            None => {
                places.insert(key.clone(), partitions.len());
                partitions.push((key, params));
            }
        }
    }
    partitions
}

impl FetchSessions {
    /// An empty cache. `seed` makes session ids that one client cannot guess for another.
    pub fn new(config: &NodeConfig, seed: u64) -> FetchSessions {
        let slots = config.i64("max.incremental.fetch.session.cache.slots");
        FetchSessions {
            sessions: BTreeMap::new(),
            cached_partitions: 0,
            max_sessions: usize::try_from(slots).unwrap_or(0),
            rng: StdRng::seed_from_u64(seed ^ 0xfe7c_4e55),
        }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// What a request means.
    pub fn plan(&mut self, now: Now, request: &FetchRequestData, by_id: bool) -> Result<FetchPlan, ErrorCode> {
        let (session_id, epoch) = (request.session_id, request.session_epoch);
        if epoch == 0 || epoch == -1 {
            self.remove(session_id);
            let mode = if epoch == 0 { FetchMode::Full { by_id } } else { FetchMode::Sessionless };
            return Ok(FetchPlan { mode, partitions: distinct(request, by_id) });
        }
        let room = MAX_CACHED_PARTITIONS - self.cached_partitions.min(MAX_CACHED_PARTITIONS);
        let session = self.sessions.get_mut(&session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.next_epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let before = session.cached.len();
        for topic in &request.forgotten_topics_data {
            let topic_key = TopicKey::of(by_id, &topic.topic, Id::from(topic.topic_id));
            for &partition in &topic.partitions {
                session.remove(&FetchKey { topic: topic_key.clone(), partition });
            }
        }
        for (key, params) in requested(request, by_id) {
            session.put(key, params);
        }
        let after = session.cached.len();
        self.cached_partitions = self.cached_partitions + after - before;
        if after.saturating_sub(before) > room {
            self.remove(session_id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        if after == 0 {
            self.remove(session_id);
            return Ok(FetchPlan { mode: FetchMode::Sessionless, partitions: Vec::new() });
        }
        let Some(session) = self.sessions.get_mut(&session_id) else { return Err(ErrorCode::FetchSessionIdNotFound) };
        session.last_used = now.mono;
        session.next_epoch = next_epoch(epoch);
        let partitions = session
            .order
            .values()
            .filter_map(|key| session.cached.get(key).map(|cached| (key.clone(), cached.params)))
            .collect();
        Ok(FetchPlan { mode: FetchMode::Incremental { session_id, epoch }, partitions })
    }

    /// Shapes an answer: which of the partitions looked at (with what is to be told of each) go into it, and under which session id.
    /// `keep` is called for each in order, true if it stays.
    pub fn shape(
        &mut self,
        now: Now,
        plan: &FetchPlan,
        told: &[(FetchKey, Told)],
        mut keep: impl FnMut(usize, bool),
    ) -> Result<i32, ErrorCode> {
        match plan.mode {
            FetchMode::Sessionless => Ok(0),
            FetchMode::Full { by_id } => Ok(self.create(now, by_id, plan, told)),
            FetchMode::Incremental { session_id, epoch } => {
                let session = self.sessions.get_mut(&session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
                if session.next_epoch != next_epoch(epoch) {
                    return Err(ErrorCode::InvalidFetchSessionEpoch);
                }
                for (index, (key, told)) in told.iter().enumerate() {
                    keep(index, session.is_news(key, told));
                    if told.has_records {
                        session.move_to_end(key);
                    }
                }
                Ok(session_id)
            }
        }
    }

    fn create(&mut self, now: Now, by_id: bool, plan: &FetchPlan, told: &[(FetchKey, Told)]) -> i32 {
        let size = plan.partitions.len();
        let fits = size > 0 && self.cached_partitions + size <= MAX_CACHED_PARTITIONS && self.make_room(now, size);
        if !fits {
            return 0;
        }
        let mut session = Session {
            by_id,
            next_epoch: 1,
            created: now.mono,
            last_used: now.mono,
            next_place: 0,
            cached: HashMap::with_capacity(size),
            order: BTreeMap::new(),
        };
        for (key, params) in &plan.partitions {
            session.put(key.clone(), *params);
        }
        for (key, told) in told {
            session.is_news(key, told);
            if told.has_records {
                session.move_to_end(key);
            }
        }
        let id = self.new_id();
        self.sessions.insert(id, session);
        self.cached_partitions += size;
        id
    }

    fn new_id(&mut self) -> i32 {
        loop {
            let id = self.rng.random_range(1..=i32::MAX);
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Evicts one session if the cache is full: one that is long unused, or a smaller one than the new one that has had its time.
    fn make_room(&mut self, now: Now, size: usize) -> bool {
        if self.sessions.len() < self.max_sessions {
            return true;
        }
        let unused = self.sessions.iter().min_by_key(|(id, session)| (session.last_used, **id));
        if let Some((&id, session)) = unused
            && now.mono.saturating_sub(session.last_used) > EVICTION_AFTER
        {
            self.remove(id);
            return true;
        }
        let smallest = self
            .sessions
            .iter()
            .filter(|(_, session)| now.mono.saturating_sub(session.created) > EVICTION_AFTER)
            .min_by_key(|(id, session)| (session.cached.len(), **id));
        match smallest {
            Some((&id, session)) if session.cached.len() < size => {
                self.remove(id);
                true
            }
            _ => false,
        }
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.cached_partitions -= session.cached.len();
        }
    }

    /// Partitions held by all sessions.
    pub fn cached_partitions(&self) -> usize {
        self.cached_partitions
    }
}
