//! The follower's side: one fetcher per leader broker, with one request under way at a time. It keeps what the leader's fetch session
//! holds, and names in a request only what differs from it, so that ten thousand idle partitions cost nothing. Pure: offsets are handed in.
//!
//! Source: `kafka.server.AbstractFetcherThread`, `org.apache.kafka.clients.FetchSessionHandler`; KIP-227.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::metrics::Meter;
use crate::protocol::messages::KafkaUuid;
use crate::protocol::messages::fetch_request::{FetchPartition, FetchRequestData, FetchTopic, ForgottenTopic};
use crate::types::TopicIdPartition;

/// Where a follower's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPosition {
    /// Log end offset.
    pub offset: i64,
    /// Epoch of the last record, or -1.
    pub last_epoch: i32,
    /// Log start offset.
    pub log_start: i64,
}

/// Limits of one request.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub partition_max_bytes: i32,
    /// After so long without an answer it is taken for lost.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    BackingOff(Duration),
    /// The leader is in a newer epoch than we: only the image helps.
    AwaitingImage,
}

#[derive(Clone, Debug)]
struct Fetched {
    leader_epoch: i32,
    status: Status,
    /// Whether the last answer left nothing below the leader's high watermark to be fetched.
    level: bool,
    /// Records below the leader's high watermark that were missing then.
    lag: i64,
    /// What the leader's session holds: (leader epoch, position).
    sent: Option<(i32, FetchPosition)>,
}

#[derive(Debug)]
struct InFlight {
    id: u64,
    deadline: Duration,
}

/// Fetches from one leader.
#[derive(Debug)]
pub struct Fetcher {
    session_id: i32,
    session_epoch: i32,
    partitions: BTreeMap<TopicIdPartition, Fetched>,
    to_send: BTreeSet<TopicIdPartition>,
    to_forget: BTreeSet<TopicIdPartition>,
    waking: BTreeSet<(Duration, TopicIdPartition)>,
    in_flight: Option<InFlight>,
    retry_at: Duration,
    pub requests: Meter,
    /// Of records that were appended.
    pub bytes: Meter,
}

impl Fetcher {
    pub fn new() -> Fetcher {
        Fetcher {
            session_id: 0,
            session_epoch: 0,
            partitions: BTreeMap::new(),
            to_send: BTreeSet::new(),
            to_forget: BTreeSet::new(),
            waking: BTreeSet::new(),
            in_flight: None,
            retry_at: Duration::ZERO,
            requests: Meter::default(),
            bytes: Meter::default(),
        }
    }

    /// True when nothing is left to fetch. A request that is under way is nobody's concern then: should it hang, since the leader lost its
    /// power, it must not hold up what begins when that one leads again (Kafka shuts idle fetcher threads down).
    pub fn is_idle(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Fetches a partition, or goes on with it in a new epoch; forgets its errors.
    pub fn add(&mut self, id: TopicIdPartition, leader_epoch: i32) {
        let sent = self.partitions.get(&id).and_then(|fetched| fetched.sent);
        self.forget_waking(&id);
        self.to_forget.remove(&id);
        self.partitions.insert(id, Fetched { leader_epoch, status: Status::Ready, level: false, lag: 0, sent });
        self.to_send.insert(id);
    }

    /// Stops fetching a partition; whether it was fetched.
    pub fn remove(&mut self, id: &TopicIdPartition) -> bool {
        self.forget_waking(id);
        self.to_send.remove(id);
        let Some(fetched) = self.partitions.remove(id) else { return false };
        if fetched.sent.is_some() {
            self.to_forget.insert(*id);
        }
        true
    }

    /// The log end has moved: the session must learn of it.
    pub fn moved(&mut self, id: TopicIdPartition) {
        if self.partitions.contains_key(&id) {
            self.to_send.insert(id);
        }
    }

    /// How many records below the leader's high watermark this replica lacks.
    pub fn note_lag(&mut self, id: &TopicIdPartition, lag: i64) {
        if let Some(fetched) = self.partitions.get_mut(id) {
            (fetched.level, fetched.lag) = (lag <= 0, lag.max(0));
        }
    }

    /// The greatest of these.
    pub fn max_lag(&self) -> i64 {
        self.partitions.values().map(|fetched| fetched.lag).max().unwrap_or(0)
    }

    /// Partitions that are left out until the image brings a new epoch.
    pub fn awaiting_image(&self) -> usize {
        self.partitions.values().filter(|fetched| fetched.status == Status::AwaitingImage).count()
    }

    /// Those of the chosen that would be fetched, and have not been level with the leader since its reign began.
    pub fn behind(&self, chosen: impl Fn(&TopicIdPartition) -> bool) -> Vec<TopicIdPartition> {
        let waits = |fetched: &Fetched| fetched.status == Status::Ready && !fetched.level;
        let behind = self.partitions.iter().filter(|(id, fetched)| waits(fetched) && chosen(id));
        behind.map(|(id, _)| *id).collect()
    }

    /// Whether a request may be sent now.
    pub fn may_send(&self, now: Duration) -> bool {
        self.in_flight.is_none() && now >= self.retry_at
    }

    /// Leaves a partition out until `until`.
    pub fn back_off(&mut self, id: TopicIdPartition, until: Duration) {
        self.suspend(id, Status::BackingOff(until));
        self.waking.insert((until, id));
    }

    /// Leaves a partition out until [`Fetcher::add`] brings a new epoch.
    pub fn await_image(&mut self, id: TopicIdPartition) {
        self.suspend(id, Status::AwaitingImage);
    }

    fn suspend(&mut self, id: TopicIdPartition, status: Status) {
        self.forget_waking(&id);
        self.to_send.remove(&id);
        if let Some(fetched) = self.partitions.get_mut(&id) {
            fetched.status = status;
            if fetched.sent.take().is_some() {
                self.to_forget.insert(id);
            }
        }
    }

    fn forget_waking(&mut self, id: &TopicIdPartition) {
        if let Some(Fetched { status: Status::BackingOff(until), .. }) = self.partitions.get(id) {
            self.waking.remove(&(*until, *id));
        }
    }

    /// Whether an answer about this partition still fits a log that ends at `log_end`.
    pub fn expects(&self, id: &TopicIdPartition, log_end: i64) -> bool {
        self.partitions.get(id).is_some_and(|fetched| {
            let asked = fetched.sent.map(|(epoch, position)| (epoch, position.offset));
            fetched.status == Status::Ready && asked == Some((fetched.leader_epoch, log_end))
        })
    }

    /// Wakes what has backed off for long enough; gives up a request that was lost, and gives whether there was one.
    pub fn on_tick(&mut self, now: Duration, back_off: Duration) -> bool {
        while let Some(&(until, id)) = self.waking.first() {
            if until > now {
                break;
            }
            self.waking.pop_first();
            if let Some(fetched) = self.partitions.get_mut(&id) {
                fetched.status = Status::Ready;
                self.to_send.insert(id);
            }
        }
        if self.in_flight.as_ref().is_some_and(|in_flight| in_flight.deadline <= now) {
            self.in_flight = None;
            self.failed(now, back_off);
            return true;
        }
        if self.retry_at <= now {
            self.retry_at = Duration::ZERO;
        }
        false
    }

    /// Takes in that request `id` has ended. False if it had been given up before, and its answer must not be read.
    pub fn ended(&mut self, id: u64) -> bool {
        self.in_flight.take_if(|in_flight| in_flight.id == id).is_some()
    }

    /// The request failed as a whole: the session is begun anew, later.
    pub fn failed(&mut self, now: Duration, back_off: Duration) {
        self.restart_session();
        self.retry_at = now + back_off;
    }

    /// Begins the session anew with the next request, which names the old one so that the leader can drop it.
    pub fn restart_session(&mut self) {
        self.session_epoch = 0;
        self.to_forget.clear();
        for (id, fetched) in &mut self.partitions {
            fetched.sent = None;
            if fetched.status == Status::Ready {
                self.to_send.insert(*id);
            }
        }
    }

    /// The leader granted or continued a session.
    pub fn continue_session(&mut self, session_id: i32) {
        if session_id == 0 {
            self.session_id = 0;
            self.restart_session();
            return;
        }
        self.session_id = session_id;
        self.session_epoch = if self.session_epoch == i32::MAX { 1 } else { self.session_epoch + 1 };
    }

    /// The next request, if one is due. `position` tells where a partition's log stands; `None` for one that has failed.
    pub fn take_request(
        &mut self,
        now: Duration,
        request_id: u64,
        limits: &FetchLimits,
        mut position: impl FnMut(&TopicIdPartition) -> Option<FetchPosition>,
    ) -> Option<FetchRequestData> {
        if !self.may_send(now) {
            return None;
        }
        let mut updates = Vec::new();
        for id in std::mem::take(&mut self.to_send) {
            let Some(fetched) = self.partitions.get_mut(&id) else { continue };
            let Some(position) = position(&id) else { continue };
            if fetched.status != Status::Ready || fetched.sent == Some((fetched.leader_epoch, position)) {
                continue;
            }
            fetched.sent = Some((fetched.leader_epoch, position));
            updates.push((id, fetched.leader_epoch, position));
        }
        let incremental = self.session_epoch != 0;
        let nothing_held = !self.partitions.values().any(|fetched| fetched.sent.is_some());
        if nothing_held && (!incremental || self.to_forget.is_empty()) {
            return None;
        }
        let request = FetchRequestData {
            session_id: self.session_id,
            session_epoch: self.session_epoch,
            max_wait_ms: limits.max_wait_ms,
            min_bytes: limits.min_bytes,
            max_bytes: limits.max_bytes,
            topics: fetch_topics(&updates, limits.partition_max_bytes),
            forgotten_topics_data: forgotten_topics(&std::mem::take(&mut self.to_forget)),
            ..FetchRequestData::default()
        };
        self.requests.mark(1);
        self.in_flight = Some(InFlight { id: request_id, deadline: now + limits.timeout });
        Some(request)
    }

    /// When [`Fetcher::on_tick`] or [`Fetcher::take_request`] has something to do next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let own = match &self.in_flight {
            Some(in_flight) => Some(in_flight.deadline),
            None => (!self.partitions.is_empty() && self.retry_at > Duration::ZERO).then_some(self.retry_at),
        };
        let waking = self.waking.first().map(|(until, _)| *until);
        own.into_iter().chain(waking).min()
    }
}

fn fetch_topics(updates: &[(TopicIdPartition, i32, FetchPosition)], max_bytes: i32) -> Vec<FetchTopic> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (id, leader_epoch, position) in updates {
        let topic_id = KafkaUuid::from(id.topic_id);
        if topics.last().is_none_or(|topic| topic.topic_id != topic_id) {
            topics.push(FetchTopic { topic_id, ..FetchTopic::default() });
        }
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(FetchPartition {
                partition: id.partition,
                current_leader_epoch: *leader_epoch,
                fetch_offset: position.offset,
                last_fetched_epoch: position.last_epoch,
                log_start_offset: position.log_start,
                partition_max_bytes: max_bytes,
                ..FetchPartition::default()
            });
        }
    }
    topics
}

fn forgotten_topics(ids: &BTreeSet<TopicIdPartition>) -> Vec<ForgottenTopic> {
    let mut topics: Vec<ForgottenTopic> = Vec::new();
    for id in ids {
        let topic_id = KafkaUuid::from(id.topic_id);
        if topics.last().is_none_or(|topic| topic.topic_id != topic_id) {
            topics.push(ForgottenTopic { topic_id, ..ForgottenTopic::default() });
        }
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(id.partition);
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;

    /// A request that hangs, since its leader lost its power, is nobody's concern once that one does not lead any more.
    #[test]
    fn a_hanging_fetch_does_not_hold_up_the_next_reign() {
        let (now, id) = (Duration::ZERO, TopicIdPartition { topic_id: Id([1; 16]), partition: 0 });
        let timeout = Duration::from_secs(30);
        let limits =
            FetchLimits { max_wait_ms: 500, min_bytes: 1, max_bytes: 1 << 20, partition_max_bytes: 1 << 20, timeout };
        let position = |_: &TopicIdPartition| Some(FetchPosition { offset: 5, last_epoch: 1, log_start: 0 });
        let mut fetcher = Fetcher::new();
        fetcher.add(id, 1);
        assert!(fetcher.take_request(now, 7, &limits, position).is_some());
        assert!(!fetcher.is_idle());
        fetcher.remove(&id);
        assert!(fetcher.is_idle(), "it is dropped, with its request");
        let mut next = Fetcher::new();
        next.add(id, 3);
        assert!(next.take_request(now, 8, &limits, position).is_some());
        assert!(!next.ended(7), "an answer to what was given up is not taken in");
    }
}
