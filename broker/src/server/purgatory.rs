//! Requests that wait: produces for their in-sync replicas, fetches for records. Each is watched by its partitions and by a deadline, and is
//! forgotten when its connection closes. Bounded.
//!
//! Source: `kafka.server.DelayedOperationPurgatory`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::broker::Broker;
use super::context::{ConnId, RequestContext};
use super::delete_records::DelayedDeleteRecords;
use super::fetch::DelayedFetch;
use super::produce::DelayedProduce;
use super::{delete_records, fetch, produce, share_fetch};
use crate::metrics::table::purgatory as bean;
use crate::metrics::{Collector, Meter};
use crate::protocol::Response;
use crate::replica::FollowerFetches;
use crate::types::{Now, TopicIdPartition};

/// Requests that may wait at once, and the partitions that they may watch together.
const MAX_WAITING: usize = 50_000;
const MAX_WATCHED: usize = 2_000_000;

/// What waits.
#[derive(Debug)]
pub enum Delayed {
    /// acks=all.
    Produce(DelayedProduce),
    /// A long poll.
    Fetch(DelayedFetch),
    /// Records that are deleted here, and not on all replicas yet.
    DeleteRecords(DelayedDeleteRecords),
    /// A share group's member waits for records; the number of its call.
    ShareFetch(u64),
}

/// Of each kind of [`Delayed`]: Kafka's name of the operation.
const OPERATIONS: [&str; 4] = ["Produce", "Fetch", "DeleteRecords", "ShareFetch"];

impl Delayed {
    /// Place in [`OPERATIONS`].
    fn operation(&self) -> usize {
        match self {
            Delayed::Produce(_) => 0,
            Delayed::Fetch(_) => 1,
            Delayed::DeleteRecords(_) => 2,
            Delayed::ShareFetch(_) => 3,
        }
    }

    /// How often Kafka counts it if its time is up.
    fn expirations(&self) -> u64 {
        match self {
            Delayed::Produce(delayed) => delayed.pending().count() as u64,
            Delayed::DeleteRecords(delayed) => delayed.pending().count() as u64,
            Delayed::Fetch(_) | Delayed::ShareFetch(_) => 1,
        }
    }
}

/// What waits of one operation, and what waited in vain.
#[derive(Debug, Default)]
struct Tally {
    waiting: usize,
    watched: usize,
    expired: Meter,
}

/// Why a request is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake<'a> {
    /// These partitions changed.
    Changed(&'a BTreeSet<TopicIdPartition>),
    /// Its time is up: it is answered as it stands.
    Expired,
}

#[derive(Debug)]
struct Waiting {
    context: RequestContext,
    deadline: Duration,
    watched: Vec<TopicIdPartition>,
    delayed: Delayed,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Purgatory {
    waiting: BTreeMap<u64, Waiting>,
    watchers: HashMap<TopicIdPartition, BTreeSet<u64>>,
    deadlines: BTreeSet<(Duration, u64)>,
    by_connection: BTreeMap<ConnId, BTreeSet<u64>>,
    watched: usize,
    last: u64,
    tallies: [Tally; OPERATIONS.len()],
    followers_expired: Meter,
}

impl Purgatory {
    /// Requests that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the first of them has waited long enough.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Lets a request wait. Given back if there is no room: then it must be answered at once.
    pub fn wait(
        &mut self,
        context: &RequestContext,
        deadline: Duration,
        mut watched: Vec<TopicIdPartition>,
        delayed: Delayed,
    ) -> Result<(), Delayed> {
        watched.sort_unstable();
        watched.dedup();
        if self.waiting.len() >= MAX_WAITING || self.watched + watched.len() > MAX_WATCHED {
            return Err(delayed);
        }
        self.last += 1;
        self.put(self.last, Waiting { context: context.clone(), deadline, watched, delayed });
        Ok(())
    }

    fn put(&mut self, number: u64, waiting: Waiting) {
        self.watched += waiting.watched.len();
        let tally = &mut self.tallies[waiting.delayed.operation()];
        tally.waiting += 1;
        tally.watched += waiting.watched.len();
        for id in &waiting.watched {
            self.watchers.entry(*id).or_default().insert(number);
        }
        self.deadlines.insert((waiting.deadline, number));
        self.by_connection.entry(waiting.context.conn).or_default().insert(number);
        self.waiting.insert(number, waiting);
    }

    fn take(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        self.watched -= waiting.watched.len();
        let tally = &mut self.tallies[waiting.delayed.operation()];
        tally.waiting -= 1;
        tally.watched -= waiting.watched.len();
        for id in &waiting.watched {
            if let Some(numbers) = self.watchers.get_mut(id) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.watchers.remove(id);
                }
            }
        }
        self.deadlines.remove(&(waiting.deadline, number));
        if let Some(numbers) = self.by_connection.get_mut(&waiting.context.conn) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_connection.remove(&waiting.context.conn);
            }
        }
        Some(waiting)
    }

    fn watching(&self, changes: &BTreeSet<TopicIdPartition>) -> BTreeSet<u64> {
        changes.iter().filter_map(|id| self.watchers.get(id)).flatten().copied().collect()
    }

    fn expired(&self, now: Duration) -> Option<u64> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, number)| *number)
    }

    /// Tells its series; followers' fetches wait elsewhere.
    pub fn collect(&mut self, out: &mut Collector, followers: FollowerFetches) {
        for (name, tally) in OPERATIONS.into_iter().zip(&self.tallies) {
            let (mut waiting, mut watched) = (tally.waiting, tally.watched);
            if name == "Fetch" {
                waiting += followers.waiting;
                watched += followers.watched;
            }
            out.count(&bean::NUM_DELAYED_OPERATIONS, [("delayedOperation", name.into())], waiting as u64);
            out.count(&bean::PURGATORY_SIZE, [("delayedOperation", name.into())], watched as u64);
        }
        let [produce, fetch, delete_records, share_fetch] = &mut self.tallies;
        out.meter(&bean::PRODUCE_EXPIRES, [], &mut produce.expired);
        out.meter(&bean::FETCH_EXPIRES, [("fetcherType", "consumer".into())], &mut fetch.expired);
        self.followers_expired.mark(followers.expired.saturating_sub(self.followers_expired.count()));
        out.meter(&bean::FETCH_EXPIRES, [("fetcherType", "follower".into())], &mut self.followers_expired);
        out.meter(&bean::DELETE_RECORDS_EXPIRES, [], &mut delete_records.expired);
        out.meter(&bean::SHARE_FETCH_EXPIRES, [], &mut share_fetch.expired);
    }

    fn forget_connection(&mut self, conn: ConnId) {
        for number in self.by_connection.get(&conn).cloned().unwrap_or_default() {
            self.take(number);
        }
    }
}

/// Partitions changed: whoever waits for them is looked at again.
pub fn on_changes(broker: &mut Broker, now: Now, changes: &BTreeSet<TopicIdPartition>) {
    for number in broker.purgatory.watching(changes) {
        look_again(broker, now, number, Wake::Changed(changes));
    }
}

/// Time has passed: whoever has waited long enough is answered.
pub fn on_tick(broker: &mut Broker, now: Now) {
    while let Some(number) = broker.purgatory.expired(now.mono) {
        look_again(broker, now, number, Wake::Expired);
    }
}

/// A connection is gone: what it waited for is forgotten.
pub fn on_disconnect(broker: &mut Broker, _now: Now, conn: ConnId) {
    broker.purgatory.forget_connection(conn);
}

fn look_again(broker: &mut Broker, now: Now, number: u64, wake: Wake<'_>) {
    let Some(mut waiting) = broker.purgatory.waiting.remove(&number) else { return };
    if wake == Wake::Expired {
        let expirations = waiting.delayed.expirations();
        broker.purgatory.tallies[waiting.delayed.operation()].expired.mark(expirations);
    }
    let answer = match &mut waiting.delayed {
        Delayed::Produce(delayed) => {
            produce::try_complete(broker, &waiting.context, delayed, wake).map(Response::Produce)
        }
        Delayed::Fetch(delayed) => {
            fetch::try_complete(broker, now, &waiting.context, delayed, wake).map(Response::Fetch)
        }
        Delayed::DeleteRecords(delayed) => {
            delete_records::try_complete(broker, delayed, wake).map(Response::DeleteRecords)
        }
        // Its acknowledgements may have to wait longer than its fetch: it sees to its answer itself.
        Delayed::ShareFetch(call) => {
            let call = *call;
            broker.purgatory.waiting.insert(number, waiting);
            if share_fetch::look_again(broker, now, call, wake) {
                broker.purgatory.take(number);
            }
            return;
        }
    };
    let context = answer.is_some().then(|| waiting.context.clone());
    broker.purgatory.waiting.insert(number, waiting);
    if let (Some(answer), Some(context)) = (answer, context) {
        broker.purgatory.take(number);
        broker.reply(now, &context, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Api, RequestHeader};
    use crate::types::Id;

    fn context(conn: ConnId) -> RequestContext {
        let header = RequestHeader { api_key: Api::Fetch, api_version: 12, correlation_id: 1, client_id: None };
        RequestContext {
            conn,
            seq: 0,
            header,
            client_host: [127, 0, 0, 1].into(),
            received: Now::default(),
            size_bytes: 0,
            body: None,
        }
    }

    fn id(partition: i32) -> TopicIdPartition {
        TopicIdPartition { topic_id: Id([1; 16]), partition }
    }

    fn wait(purgatory: &mut Purgatory, conn: ConnId, deadline_ms: u64, partitions: &[i32]) {
        let watched = partitions.iter().map(|partition| id(*partition)).collect();
        let deadline = Duration::from_millis(deadline_ms);
        purgatory.wait(&context(conn), deadline, watched, Delayed::Produce(DelayedProduce::default())).unwrap();
    }

    #[test]
    fn requests_are_found_by_partition_deadline_and_connection() {
        let mut purgatory = Purgatory::default();
        wait(&mut purgatory, 1, 300, &[0, 1, 1]);
        wait(&mut purgatory, 1, 100, &[1]);
        wait(&mut purgatory, 2, 200, &[2]);
        assert_eq!(purgatory.next_deadline(), Some(Duration::from_millis(100)));
        assert_eq!(purgatory.watching(&BTreeSet::from([id(1)])).len(), 2);
        assert_eq!(purgatory.expired(Duration::from_millis(99)), None);
        let first = purgatory.expired(Duration::from_millis(100)).unwrap();
        purgatory.take(first).unwrap();
        assert_eq!(purgatory.watching(&BTreeSet::from([id(1)])).len(), 1);
        purgatory.forget_connection(1);
        assert_eq!((purgatory.len(), purgatory.watched), (1, 1));
        assert_eq!((purgatory.tallies[0].waiting, purgatory.tallies[0].watched), (1, 1));
        purgatory.forget_connection(2);
        assert!(purgatory.is_empty() && purgatory.watchers.is_empty() && purgatory.deadlines.is_empty());
        assert!(purgatory.tallies.iter().all(|tally| tally.waiting == 0 && tally.watched == 0));
        assert!(purgatory.by_connection.is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let mut purgatory = Purgatory::default();
        let many: Vec<i32> = (0..MAX_WATCHED as i32).collect();
        wait(&mut purgatory, 1, 1, &many);
        let refused =
            purgatory.wait(&context(1), Duration::ZERO, vec![id(0)], Delayed::Produce(DelayedProduce::default()));
        assert!(refused.is_err());
    }
}
