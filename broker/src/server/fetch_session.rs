//! Fetch sessions of clients: what a consumer fetches again and again is named once. The cache is bounded in sessions and in partitions.
//!
//! Source: `kafka.server.FetchSession`; KIP-227.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::current_leader::TopicKey;
use crate::logging::{Logger, NodeLog};
use crate::metadata::config::NodeConfig;
use crate::metrics::table::sessions as bean;
use crate::metrics::{Collector, Meter};
use crate::protocol::ErrorCode;
use crate::protocol::messages::FetchRequestData;
use crate::replica::FollowerFetches;
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

    /// Whether this is news to the client.
    fn would_be_news(&self, key: &FetchKey, told: &Told) -> bool {
        let Some(cached) = self.cached.get(key) else { return true };
        let changed = cached.high_watermark != told.high_watermark || cached.log_start_offset != told.log_start_offset;
        changed || told.has_records || told.is_error
    }

    /// Takes in what the client is about to be told; true if it is news.
    fn is_news(&mut self, key: &FetchKey, told: &Told) -> bool {
        let is_news = self.would_be_news(key, told);
        let Some(cached) = self.cached.get_mut(key) else { return true };
        // After an error the next sound answer is news, whatever it says.
        cached.high_watermark = if told.is_error { -1 } else { told.high_watermark };
        cached.log_start_offset = told.log_start_offset;
        is_news
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
    evictions: Meter,
    rng: StdRng,
    log: NodeLog,
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
                // Any negative epoch is none.
                current_leader_epoch: partition.current_leader_epoch.max(-1),
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
            evictions: Meter::default(),
            rng: StdRng::seed_from_u64(seed ^ 0xfe7c_4e55),
            log: config.log.clone(),
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

    /// Which of the partitions looked at [`FetchSessions::shape`] would let stay.
    pub fn would_keep(&self, plan: &FetchPlan, told: &[(FetchKey, Told)]) -> Vec<bool> {
        let session = match plan.mode {
            FetchMode::Incremental { session_id, .. } => self.sessions.get(&session_id),
            _ => None,
        };
        told.iter().map(|(key, told)| session.is_none_or(|session| session.would_be_news(key, told))).collect()
    }

    /// Under which session id a client is told to wait: nothing is told of its partitions, and the session stays as it is.
    pub fn throttled(&self, plan: &FetchPlan) -> Result<i32, ErrorCode> {
        match plan.mode {
            FetchMode::Sessionless | FetchMode::Full { .. } => Ok(0),
            FetchMode::Incremental { session_id, epoch } => match self.sessions.get(&session_id) {
                Some(session) if session.next_epoch == next_epoch(epoch) => Ok(session_id),
                Some(_) => Err(ErrorCode::InvalidFetchSessionEpoch),
                None => Err(ErrorCode::FetchSessionIdNotFound),
            },
        }
    }

    fn create(&mut self, now: Now, by_id: bool, plan: &FetchPlan, told: &[(FetchKey, Told)]) -> i32 {
        let size = plan.partitions.len();
        let fits = self.cached_partitions + size <= MAX_CACHED_PARTITIONS && self.make_room(now, size);
        if !fits {
            self.log.debug(Logger::FetchManager, || format!("No room for a fetch session of {size} partitions."));
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
        self.log.debug(Logger::FetchManager, || {
            format!("Created fetch session {id} of {size} partitions; there are {} sessions.", self.sessions.len())
        });
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
            self.evict(id);
            return true;
        }
        let smallest = self
            .sessions
            .iter()
            .filter(|(_, session)| now.mono.saturating_sub(session.created) > EVICTION_AFTER)
            .min_by_key(|(id, session)| (session.cached.len(), **id));
        match smallest {
            Some((&id, session)) if session.cached.len() < size => {
                self.evict(id);
                true
            }
            _ => false,
        }
    }

    fn evict(&mut self, id: i32) {
        self.evictions.mark(1);
        self.log.debug(Logger::FetchManager, || format!("Fetch session {id} makes room for another."));
        self.remove(id);
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.cached_partitions -= session.cached.len();
        }
    }

    /// Tells its series; followers' sessions are kept elsewhere.
    pub fn collect(&mut self, out: &mut Collector, followers: FollowerFetches) {
        out.count(&bean::FETCH_SESSIONS, [], (self.sessions.len() + followers.sessions) as u64);
        out.count(&bean::FETCH_SESSION_PARTITIONS, [], (self.cached_partitions + followers.partitions) as u64);
        out.meter(&bean::FETCH_SESSION_EVICTIONS, [], &mut self.evictions);
    }

    /// Partitions held by all sessions.
    pub fn cached_partitions(&self) -> usize {
        self.cached_partitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::KafkaString;
    use crate::protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall_ms: 0 }
    }

    fn sessions(slots: &str) -> FetchSessions {
        let overrides = [("max.incremental.fetch.session.cache.slots".to_owned(), slots.to_owned())].into();
        FetchSessions::new(&NodeConfig::new(1, "sessions", overrides).unwrap(), 7)
    }

    fn request(session_id: i32, session_epoch: i32, partitions: &[(i32, i64)]) -> FetchRequestData {
        let partitions = partitions
            .iter()
            .map(|&(partition, fetch_offset)| FetchPartition { partition, fetch_offset, ..FetchPartition::default() })
            .collect();
        let topic = KafkaString::from_static("t");
        let topics = vec![FetchTopic { topic, partitions, ..FetchTopic::default() }];
        FetchRequestData { session_id, session_epoch, topics, ..FetchRequestData::default() }
    }

    fn told(high_watermark: i64, has_records: bool) -> Told {
        Told { high_watermark, log_start_offset: 0, has_records, is_error: false }
    }

    /// Answers a request as if each partition had this to tell; which partitions stay in the answer, and the session.
    fn answer(sessions: &mut FetchSessions, now: Now, plan: &FetchPlan, each: &[Told]) -> (i32, Vec<i32>) {
        let told: Vec<(FetchKey, Told)> =
            plan.partitions.iter().zip(each).map(|((key, _), told)| (key.clone(), *told)).collect();
        let mut kept = vec![true; told.len()];
        let id = sessions.shape(now, plan, &told, |index, keep| kept[index] = keep).unwrap();
        let left = told.iter().zip(kept).filter(|(_, keep)| *keep).map(|((key, _), _)| key.partition).collect();
        (id, left)
    }

    fn begin(sessions: &mut FetchSessions, now: Now, count: i32) -> i32 {
        let partitions: Vec<(i32, i64)> = (0..count).map(|partition| (partition, 0)).collect();
        let plan = sessions.plan(now, &request(0, 0, &partitions), false).unwrap();
        answer(sessions, now, &plan, &vec![told(0, false); partitions.len()]).0
    }

    #[test]
    fn a_session_tells_only_what_is_news() {
        let mut cache = sessions("10");
        let id = begin(&mut cache, at(0), 3);
        assert_ne!(id, 0);
        let plan = cache.plan(at(1), &request(id, 1, &[]), false).unwrap();
        assert_eq!(plan.partitions.len(), 3, "all are looked at");
        let (same, left) = answer(&mut cache, at(1), &plan, &[told(0, false), told(5, false), told(0, false)]);
        assert_eq!((same, left), (id, vec![1]));
        let plan = cache.plan(at(2), &request(id, 2, &[]), false).unwrap();
        assert_eq!(answer(&mut cache, at(2), &plan, &[told(0, false), told(5, false), told(0, false)]).1, [0; 0]);
    }

    #[test]
    fn who_was_served_stands_last() {
        let mut cache = sessions("10");
        let id = begin(&mut cache, at(0), 3);
        let plan = cache.plan(at(1), &request(id, 1, &[]), false).unwrap();
        answer(&mut cache, at(1), &plan, &[told(1, true), told(0, false), told(0, false)]);
        let plan = cache.plan(at(2), &request(id, 2, &[(0, 1)]), false).unwrap();
        let order: Vec<i32> = plan.partitions.iter().map(|(key, _)| key.partition).collect();
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(plan.partitions[2].1.offset, 1, "and what the request names is taken over");
    }

    #[test]
    fn epochs_ids_and_topic_ids_must_fit() {
        let mut cache = sessions("10");
        let id = begin(&mut cache, at(0), 1);
        let error =
            |cache: &mut FetchSessions, request: &FetchRequestData, by_id| cache.plan(at(1), request, by_id).err();
        assert_eq!(error(&mut cache, &request(id, 2, &[]), false), Some(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(error(&mut cache, &request(id + 1, 1, &[]), false), Some(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(error(&mut cache, &request(id, 1, &[]), true), Some(ErrorCode::FetchSessionTopicIdError));
        let plan = cache.plan(at(1), &request(id, 1, &[]), false).unwrap();
        cache.plan(at(1), &request(id, 2, &[]), false).unwrap();
        let late = cache.shape(at(1), &plan, &[], |_, _| {});
        assert_eq!(late, Err(ErrorCode::InvalidFetchSessionEpoch), "the session went on without it");
    }

    #[test]
    fn a_session_ends_when_it_is_closed_or_empty() {
        let mut cache = sessions("10");
        let id = begin(&mut cache, at(0), 2);
        let plan = cache.plan(at(1), &request(id, -1, &[(0, 0)]), false).unwrap();
        assert_eq!((plan.mode, cache.len()), (FetchMode::Sessionless, 0));
        let id = begin(&mut cache, at(0), 2);
        let mut forget = request(id, 1, &[]);
        let topic = KafkaString::from_static("t");
        forget.forgotten_topics_data = vec![ForgottenTopic { topic, partitions: vec![0, 1], ..Default::default() }];
        let plan = cache.plan(at(1), &forget, false).unwrap();
        assert_eq!((plan.mode, plan.partitions.len(), cache.len()), (FetchMode::Sessionless, 0, 0));
        assert_eq!(cache.cached_partitions(), 0);
    }

    #[test]
    fn the_cache_is_bounded_and_evicts_as_kafka_does() {
        let mut cache = sessions("2");
        let small = begin(&mut cache, at(0), 1);
        let large = begin(&mut cache, at(0), 5);
        assert_eq!(begin(&mut cache, at(10), 9), 0, "nobody had his time yet");
        cache.plan(at(100), &request(small, 1, &[]), false).unwrap();
        cache.plan(at(100), &request(large, 1, &[]), false).unwrap();
        assert_eq!(begin(&mut cache, at(121), 1), 0, "a small one for a small one is no gain");
        assert_ne!(begin(&mut cache, at(121), 2), 0, "the smallest makes room for a larger one");
        assert!(cache.plan(at(121), &request(small, 2, &[]), false).is_err());
        cache.plan(at(200), &request(large, 2, &[]), false).unwrap();
        assert_ne!(begin(&mut cache, at(300), 1), 0, "what was not used for two minutes makes room for any");
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.cached_partitions(), 6);
        assert_eq!(cache.evictions.count(), 2);
    }

    #[test]
    fn a_partition_named_twice_counts_once() {
        let mut cache = sessions("10");
        let plan = cache.plan(at(0), &request(0, 0, &[(4, 1), (4, 2)]), false).unwrap();
        assert_eq!(plan.partitions.len(), 1);
        assert_eq!(plan.partitions[0].1.offset, 2);
    }
}
