//! Share sessions: which partitions a member reads from this broker, and which request of it comes next.
//!
//! Source: `org.apache.kafka.server.share.session.ShareSessionCache`, `ShareSession`, `org.apache.kafka.server.share.context.ShareSessionContext`,
//! `SharePartitionManager.newContext`, `acknowledgeSessionUpdate`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::metrics::table::sessions as bean;
use crate::metrics::{Collector, Meter};
use crate::protocol::ErrorCode;
use crate::types::TopicIdPartition;

/// A session begins.
pub const INITIAL_EPOCH: i32 = 0;
/// A session ends.
pub const FINAL_EPOCH: i32 = -1;

/// Partitions of all sessions together; Kafka leaves that to the heap.
const MAX_PARTITIONS: usize = 1_000_000;

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey {
    /// Group.
    pub group: Arc<str>,
    /// Member.
    pub member: Arc<str>,
}

/// What a fetch reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: its session ends.
    Final,
    /// These, in the session's order.
    Partitions(Vec<TopicIdPartition>),
}

/// What an answer says of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Partition.
    pub partition: TopicIdPartition,
    /// It carries records.
    pub has_records: bool,
    /// It carries an error.
    pub is_error: bool,
}

#[derive(Clone, Debug)]
struct Session {
    connection: u64,
    /// Epoch of the next request.
    epoch: i32,
    /// By place in the order.
    order: BTreeMap<u64, Entry>,
    places: BTreeMap<TopicIdPartition, u64>,
    last_place: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    partition: TopicIdPartition,
    /// The next answer names it, whatever there is to say.
    is_due: bool,
}

impl Session {
    fn new(connection: u64) -> Session {
        let (order, places) = (BTreeMap::new(), BTreeMap::new());
        Session { connection, epoch: next_epoch(INITIAL_EPOCH), order, places, last_place: 0 }
    }

    fn add(&mut self, partition: TopicIdPartition, is_due: bool) {
        if !self.places.contains_key(&partition) {
            self.put_last(Entry { partition, is_due });
        }
    }

    fn put_last(&mut self, entry: Entry) {
        self.last_place += 1;
        self.places.insert(entry.partition, self.last_place);
        self.order.insert(self.last_place, entry);
    }

    fn remove(&mut self, partition: &TopicIdPartition) -> Option<Entry> {
        self.places.remove(partition).and_then(|place| self.order.remove(&place))
    }

    fn partitions(&self) -> Vec<TopicIdPartition> {
        self.order.values().map(|entry| entry.partition).collect()
    }

    fn shape(&mut self, told: &Told) -> bool {
        let Some(place) = self.places.get(&told.partition).copied() else { return told.has_records || told.is_error };
        let Some(entry) = self.order.get_mut(&place) else { return true };
        let keep = told.has_records || told.is_error || entry.is_due;
        entry.is_due = told.is_error;
        if told.has_records {
            let moved = self.order.remove(&place);
            moved.into_iter().for_each(|entry| self.put_last(entry));
        }
        keep
    }
}

fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        FINAL_EPOCH => FINAL_EPOCH,
        i32::MAX => 1,
        epoch => epoch + 1,
    }
}

/// The sessions of this broker.
#[derive(Clone, Debug)]
pub struct ShareSessions {
    /// `group.share.max.share.sessions`
    max: usize,
    sessions: BTreeMap<SessionKey, Session>,
    by_connection: BTreeMap<u64, BTreeSet<SessionKey>>,
    by_group: BTreeMap<Arc<str>, usize>,
    partitions: usize,
    /// Sessions that ended with their connection.
    evictions: Meter,
}

impl ShareSessions {
    /// Of no members yet.
    pub fn new(max: usize) -> ShareSessions {
        ShareSessions {
            max,
            sessions: BTreeMap::new(),
            by_connection: BTreeMap::new(),
            by_group: BTreeMap::new(),
            partitions: 0,
            evictions: Meter::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        out.count(&bean::SHARE_SESSIONS, [], self.sessions.len() as u64);
        out.count(&bean::SHARE_SESSION_PARTITIONS, [], self.partitions as u64);
        out.meter(&bean::SHARE_SESSION_EVICTIONS, [], &mut self.evictions);
    }

    /// Whether a member of the group has a session.
    pub fn has_group(&self, group: &str) -> bool {
        self.by_group.contains_key(group)
    }

    /// A fetch of a member: its session begins, goes on, or ends with it (then the session is there until [`ShareSessions::end`]).
    ///
    /// # Errors
    /// There is no such session, it is at another epoch, acknowledgements come before any record, or there are too many sessions.
    pub fn fetch(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        connection: u64,
        (added, forgotten): (&[TopicIdPartition], &[TopicIdPartition]),
        has_acknowledgements: bool,
    ) -> Result<Plan, ErrorCode> {
        match epoch {
            FINAL_EPOCH if self.sessions.contains_key(key) => Ok(Plan::Final),
            FINAL_EPOCH => Err(ErrorCode::ShareSessionNotFound),
            INITIAL_EPOCH if has_acknowledgements => Err(ErrorCode::InvalidRequest),
            INITIAL_EPOCH => self.begin(key, connection, added),
            epoch => self.go_on(key, epoch, added, forgotten),
        }
    }

    fn begin(&mut self, key: &SessionKey, connection: u64, added: &[TopicIdPartition]) -> Result<Plan, ErrorCode> {
        self.end(key);
        // Kafka does not foresee that a partition is named twice.
        let mut named = HashSet::new();
        if !added.iter().all(|partition| named.insert(partition)) {
            return Err(ErrorCode::UnknownServerError);
        }
        if self.sessions.len() >= self.max || self.partitions + added.len() > MAX_PARTITIONS {
            return Err(ErrorCode::ShareSessionLimitReached);
        }
        let mut session = Session::new(connection);
        added.iter().for_each(|partition| session.add(*partition, false));
        self.partitions += session.places.len();
        let plan = session.partitions();
        self.sessions.insert(key.clone(), session);
        self.by_connection.entry(connection).or_default().insert(key.clone());
        *self.by_group.entry(Arc::clone(&key.group)).or_default() += 1;
        Ok(Plan::Partitions(plan))
    }

    fn go_on(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        added: &[TopicIdPartition],
        forgotten: &[TopicIdPartition],
    ) -> Result<Plan, ErrorCode> {
        let room = MAX_PARTITIONS.saturating_sub(self.partitions);
        let session = self.sessions.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        let before = session.places.len();
        let new: HashSet<_> = added.iter().filter(|partition| !session.places.contains_key(partition)).collect();
        if new.len() > room {
            return Err(ErrorCode::ShareSessionLimitReached);
        }
        added.iter().for_each(|partition| session.add(*partition, true));
        for partition in forgotten {
            session.remove(partition);
        }
        session.epoch = next_epoch(epoch);
        self.partitions = self.partitions + session.places.len() - before;
        Ok(Plan::Partitions(session.partitions()))
    }

    /// Acknowledgements of a member without a fetch.
    ///
    /// # Errors
    /// They cannot begin a session; there is none, or it is at another epoch.
    pub fn acknowledge(&mut self, key: &SessionKey, epoch: i32) -> Result<(), ErrorCode> {
        if epoch == INITIAL_EPOCH {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        let session = self.sessions.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if epoch == FINAL_EPOCH {
            return Ok(());
        }
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.epoch = next_epoch(epoch);
        Ok(())
    }

    /// Which partitions the answer to a fetch of `epoch` names. What had records stands last from now on.
    ///
    /// # Errors
    /// The session is at another epoch by now.
    pub fn shape(&mut self, key: &SessionKey, epoch: i32, told: &[Told]) -> Result<Vec<bool>, ErrorCode> {
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            return Ok(vec![true; told.len()]);
        }
        self.check(key, epoch)?;
        let Some(session) = self.sessions.get_mut(key) else {
            return Ok(told.iter().map(|told| told.has_records || told.is_error).collect());
        };
        Ok(told.iter().map(|told| session.shape(told)).collect())
    }

    /// Whether the answer to a fetch of `epoch` still belongs to the session.
    ///
    /// # Errors
    /// The session is at another epoch by now.
    pub fn check(&self, key: &SessionKey, epoch: i32) -> Result<(), ErrorCode> {
        match self.sessions.get(key) {
            Some(session) if epoch > 0 && session.epoch != next_epoch(epoch) => {
                Err(ErrorCode::InvalidShareSessionEpoch)
            }
            _ => Ok(()),
        }
    }

    /// A session ends; what it read.
    pub fn end(&mut self, key: &SessionKey) -> Option<Vec<TopicIdPartition>> {
        let session = self.sessions.remove(key)?;
        self.partitions -= session.places.len();
        if let Some(keys) = self.by_connection.get_mut(&session.connection) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_connection.remove(&session.connection);
            }
        }
        if let Some(members) = self.by_group.get_mut(&key.group) {
            *members -= 1;
            if *members == 0 {
                self.by_group.remove(&key.group);
            }
        }
        Some(session.partitions())
    }

    /// A connection is gone, and with it the sessions that began on it; what they read.
    pub fn on_disconnect(&mut self, connection: u64) -> Vec<(SessionKey, Vec<TopicIdPartition>)> {
        let keys = self.by_connection.get(&connection).cloned().unwrap_or_default();
        self.evictions.mark(keys.len() as u64);
        keys.into_iter().filter_map(|key| self.end(&key).map(|partitions| (key, partitions))).collect()
    }
}

/// The order in which the partitions of a fetch get their turn: each time another one is first.
///
/// Source: `org.apache.kafka.server.share.fetch.PartitionRotateStrategy`.
pub fn rotate<T>(partitions: &mut [T], session_epoch: i32) {
    let steps = usize::try_from(session_epoch).unwrap_or(0);
    if steps > 0 && !partitions.is_empty() {
        partitions.rotate_left(steps % partitions.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;

    fn key(member: &str) -> SessionKey {
        SessionKey { group: "g".into(), member: member.into() }
    }

    fn id(partition: i32) -> TopicIdPartition {
        TopicIdPartition { topic_id: Id([1; 16]), partition }
    }

    fn told(partition: i32, has_records: bool, is_error: bool) -> Told {
        Told { partition: id(partition), has_records, is_error }
    }

    fn fetch(
        sessions: &mut ShareSessions,
        member: &str,
        epoch: i32,
        added: &[TopicIdPartition],
        forgotten: &[TopicIdPartition],
    ) -> Result<Vec<TopicIdPartition>, ErrorCode> {
        match sessions.fetch(&key(member), epoch, 7, (added, forgotten), false)? {
            Plan::Final => Ok(Vec::new()),
            Plan::Partitions(partitions) => Ok(partitions),
        }
    }

    #[test]
    fn a_session_from_beginning_to_end() {
        let mut sessions = ShareSessions::new(2);
        assert_eq!(fetch(&mut sessions, "a", 1, &[], &[]), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(fetch(&mut sessions, "a", -1, &[], &[]), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(fetch(&mut sessions, "a", 0, &[id(0), id(1), id(0)], &[]), Err(ErrorCode::UnknownServerError));
        assert_eq!(fetch(&mut sessions, "a", 0, &[id(0), id(1)], &[]), Ok(vec![id(0), id(1)]));
        assert_eq!(fetch(&mut sessions, "a", 2, &[], &[]), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(fetch(&mut sessions, "a", 1, &[id(2)], &[id(0)]), Ok(vec![id(1), id(2)]));
        assert_eq!(sessions.acknowledge(&key("a"), 0), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.acknowledge(&key("a"), 1), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.acknowledge(&key("a"), 2), Ok(()));
        assert_eq!(sessions.acknowledge(&key("b"), 2), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(fetch(&mut sessions, "a", 3, &[], &[]), Ok(vec![id(1), id(2)]));
        assert_eq!(sessions.acknowledge(&key("a"), -1), Ok(()));
        assert_eq!(fetch(&mut sessions, "a", -1, &[], &[]), Ok(vec![]));
        assert_eq!(sessions.end(&key("a")), Some(vec![id(1), id(2)]));
        assert!(!sessions.has_group("g") && sessions.by_connection.is_empty() && sessions.partitions == 0);
    }

    #[test]
    fn sessions_are_bounded_and_go_with_their_connection() {
        let mut sessions = ShareSessions::new(2);
        fetch(&mut sessions, "a", 0, &[id(0)], &[]).unwrap();
        fetch(&mut sessions, "b", 0, &[id(1)], &[]).unwrap();
        assert_eq!(fetch(&mut sessions, "c", 0, &[], &[]), Err(ErrorCode::ShareSessionLimitReached));
        fetch(&mut sessions, "b", 0, &[id(2)], &[]).unwrap();
        assert!(sessions.on_disconnect(8).is_empty());
        assert_eq!(sessions.on_disconnect(7), [(key("a"), vec![id(0)]), (key("b"), vec![id(2)])]);
        assert!(sessions.is_empty() && sessions.by_group.is_empty());
    }

    #[test]
    fn acknowledgements_do_not_begin_a_session() {
        let mut sessions = ShareSessions::new(2);
        let refused = sessions.fetch(&key("a"), 0, 1, (&[], &[]), true);
        assert_eq!(refused, Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn answers_name_what_is_new_or_has_something_to_say() {
        let mut sessions = ShareSessions::new(2);
        fetch(&mut sessions, "a", 0, &[id(0), id(1)], &[]).unwrap();
        assert_eq!(sessions.shape(&key("a"), 0, &[told(0, false, false), told(1, false, false)]), Ok(vec![true, true]));
        fetch(&mut sessions, "a", 1, &[id(2)], &[]).unwrap();
        let all = [told(0, true, false), told(1, false, false), told(2, false, false)];
        assert_eq!(sessions.shape(&key("a"), 1, &all), Ok(vec![true, false, true]));
        let order = fetch(&mut sessions, "a", 2, &[], &[]).unwrap();
        assert_eq!(order, [id(1), id(2), id(0)], "who had records waits for the others");
        assert_eq!(sessions.shape(&key("a"), 2, &[told(2, false, true)]), Ok(vec![true]));
        fetch(&mut sessions, "a", 3, &[], &[]).unwrap();
        assert_eq!(sessions.shape(&key("a"), 3, &[told(2, false, false)]), Ok(vec![true]), "the error is over");
        assert_eq!(sessions.shape(&key("a"), 2, &[]), Err(ErrorCode::InvalidShareSessionEpoch));
    }

    #[test]
    fn each_partition_gets_its_turn() {
        for (epoch, expected) in [(-1, [1, 2, 3]), (0, [1, 2, 3]), (1, [2, 3, 1]), (3, [1, 2, 3]), (5, [3, 1, 2])] {
            let mut partitions = [1, 2, 3];
            rotate(&mut partitions, epoch);
            assert_eq!(partitions, expected, "{epoch}");
        }
    }
}
