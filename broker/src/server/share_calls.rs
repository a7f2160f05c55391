//! Requests of share groups' members that are not answered yet: their acknowledgements are not kept, or there are no records for them.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::Broker;
use super::context::{ConnId, RequestContext};
use super::share_bridge::{self, AckResult, ShareKey};
use super::share_fetch::{Part, ShareFetch};
use super::topic_metrics::TopicMetrics;
use super::{share_acknowledge, share_fetch};
use crate::protocol::{ErrorCode, Response};
use crate::share::SessionKey;
use crate::share::session::FINAL_EPOCH;
use crate::types::{Now, TopicIdPartition};

/// Calls that may wait at once.
const MAX_CALLS: usize = 50_000;

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) context: RequestContext,
    pub(super) session: SessionKey,
    pub(super) epoch: i32,
    /// Partitions whose acknowledgements are not kept yet.
    pub(super) unkept: usize,
    /// What became of the others.
    pub(super) acknowledged: Vec<(TopicIdPartition, AckResult)>,
    pub(super) work: Work,
}

/// What it asks besides.
#[derive(Debug)]
pub(super) enum Work {
    /// ShareAcknowledge: nothing.
    None,
    /// ShareFetch: records, which are waited for.
    Records(ShareFetch),
    /// ShareFetch: what there was.
    Read(Vec<Part>),
    /// It is refused, but not at once.
    Refused(ErrorCode),
}

impl Call {
    fn is_complete(&self) -> bool {
        self.unkept == 0 && matches!(self.work, Work::None | Work::Read(_))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: BTreeMap<u64, Call>,
    by_connection: BTreeMap<ConnId, BTreeSet<u64>>,
    /// Fetches that wait for records, by share partition.
    watching: BTreeMap<ShareKey, BTreeSet<u64>>,
    last: u64,
}

impl Calls {
    /// A number for a call that is to come; `None`: there are too many.
    pub(super) fn number(&mut self) -> Option<u64> {
        if self.calls.len() >= MAX_CALLS {
            return None;
        }
        self.last += 1;
        Some(self.last)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.by_connection.is_empty() && self.watching.is_empty()
    }

    pub(super) fn put(&mut self, number: u64, call: Call) {
        if let Work::Records(fetch) = &call.work {
            for key in fetch.keys() {
                self.watching.entry(key).or_default().insert(number);
            }
        }
        self.by_connection.entry(call.context.conn).or_default().insert(number);
        self.calls.insert(number, call);
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Call> {
        let call = self.calls.remove(&number)?;
        if let Work::Records(fetch) = &call.work {
            for key in fetch.keys() {
                forget(&mut self.watching, &key, number);
            }
        }
        forget(&mut self.by_connection, &call.context.conn, number);
        Some(call)
    }

    /// Fetches that wait for records of a share partition.
    pub(super) fn watching(&self, key: &ShareKey) -> Vec<u64> {
        self.watching.get(key).into_iter().flatten().copied().collect()
    }

    pub(super) fn forget_connection(&mut self, conn: ConnId) {
        for number in self.by_connection.get(&conn).cloned().unwrap_or_default() {
            self.take(number);
        }
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<u64>>, key: &K, number: u64) {
    if let Some(numbers) = index.get_mut(key) {
        numbers.remove(&number);
        if numbers.is_empty() {
            index.remove(key);
        }
    }
}

/// The acknowledgements that a call brought for a partition are kept, or refused.
pub(super) fn acknowledged(broker: &mut Broker, now: Now, number: u64, id: TopicIdPartition, result: AckResult) {
    let Some(mut call) = broker.shares.calls.take(number) else { return };
    let of_topic = |(other, result): &(TopicIdPartition, AckResult)| result.is_err() && other.topic_id == id.topic_id;
    if result.is_err() && !call.acknowledged.iter().any(of_topic) {
        share_fetch::count_topics(broker, std::iter::once(id), TopicMetrics::acknowledgement_failed);
    }
    call.acknowledged.push((id, result));
    call.unkept = call.unkept.saturating_sub(1);
    settle(broker, now, number, call);
}

/// A call is answered if it is complete; else it waits on.
pub(super) fn settle(broker: &mut Broker, now: Now, number: u64, call: Call) {
    let context = call.context.clone();
    if let Some(response) = answer_or_wait(broker, now, number, call) {
        broker.reply(now, &context, response);
    }
}

/// The answer to a call if it is complete; else it waits.
pub(super) fn answer_or_wait(broker: &mut Broker, now: Now, number: u64, call: Call) -> Option<Response> {
    if !call.is_complete() {
        broker.shares.calls.put(number, call);
        return None;
    }
    let Call { context, session, epoch, acknowledged, work, .. } = call;
    let response = match work {
        Work::Read(parts) => {
            Response::ShareFetch(share_fetch::answer(broker, now, &context, (&session, epoch), parts, acknowledged))
        }
        _ => Response::ShareAcknowledge(share_acknowledge::answer(broker, &session, acknowledged)),
    };
    if epoch == FINAL_EPOCH {
        share_bridge::end_session(broker, &session);
    }
    Some(response)
}
