//! How long clients are made to wait for what they did: counted when an answer goes, told in it, and enforced by the connection, which is
//! not read from meanwhile (KIP-219). Where no quota is set, none of this happens.
//!
//! Source: `kafka.server.RequestHandlerHelper`, `kafka.server.KafkaApis.handleProduceRequest`, `handleFetchRequest`,
//! `kafka.server.ClientRequestQuotaManager`.

use std::time::Duration;

use super::api_log;
use super::broker::Broker;
use super::context::RequestContext;
use crate::protocol::Response;
use crate::quota::{ANONYMOUS, Client};
use crate::types::Now;

pub(super) fn client(context: &RequestContext) -> Client<'_> {
    Client { user: ANONYMOUS, client_id: context.header.client_id.as_deref().unwrap_or_default() }
}

pub(super) fn millis(now: Now) -> u64 {
    u64::try_from(now.mono.as_millis()).unwrap_or(u64::MAX)
}

fn wait(time_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(time_ms).unwrap_or(0))
}

/// Counts what an answer stands for and tells in it how long the client is to wait.
pub(super) fn on_reply(broker: &mut Broker, now: Now, context: &RequestContext, response: &mut Response) -> Duration {
    if !broker.quotas.is_enabled() {
        return Duration::ZERO;
    }
    let time_ms = match response {
        // Counted before it is known what is in it.
        Response::Fetch(fetched) => fetched.throttle_time_ms,
        Response::ShareFetch(fetched) => fetched.throttle_time_ms,
        // Brokers ask this.
        Response::WriteTxnMarkers(_) => {
            end_exempt(broker);
            0
        }
        Response::Produce(_) => produced(broker, now, context).max(asked(broker, now, context)),
        // A controller may have its own reason to have the client wait.
        _ => {
            let told_ms = response.throttle_time_ms_mut().map_or(0, |time| *time);
            broker.quotas.mutation_delays.add(millis(now), told_ms);
            told_ms.max(asked(broker, now, context))
        }
    };
    if let Some(told) = response.throttle_time_ms_mut() {
        *told = time_ms;
    }
    wait(time_ms)
}

/// Produce with acks=0, whose time does not count.
pub(super) fn on_no_reply(broker: &mut Broker, now: Now, context: &RequestContext) -> Duration {
    end_exempt(broker);
    wait(produced(broker, now, context))
}

fn produced(broker: &mut Broker, now: Now, context: &RequestContext) -> i32 {
    let time_ms = broker.quotas.produce.throttle_time_ms(client(context), context.size_bytes as f64, millis(now));
    api_log::throttled(broker, context, "Produce", time_ms);
    time_ms
}

fn asked(broker: &mut Broker, now: Now, context: &RequestContext) -> i32 {
    let percent = spent_percent(broker);
    let time_ms = broker.quotas.request.throttle_time_ms(client(context), percent, millis(now));
    api_log::throttled(broker, context, "Request", time_ms);
    time_ms
}

/// Counts a fetch of so many bytes. If the client is to wait, it gets none of them, and they do not count.
pub(super) fn fetched(broker: &mut Broker, now: Now, context: &RequestContext, size_bytes: usize) -> i32 {
    let (client, now_ms, bytes) = (client(context), millis(now), size_bytes as f64);
    let asked_ms = asked(broker, now, context);
    let fetched_ms = broker.quotas.fetch.throttle_time_ms(client, bytes, now_ms);
    api_log::throttled(broker, context, "Fetch", fetched_ms);
    let time_ms = fetched_ms.max(asked_ms);
    if time_ms > 0 {
        broker.quotas.fetch.record(client, -bytes, now_ms);
    }
    time_ms
}

/// Percent of a second that went by since the work on the present request was last counted.
fn spent_percent(broker: &mut Broker) -> f64 {
    let stopwatch = broker.stopwatch;
    let Some(since) = &mut broker.working_since else { return 0.0 };
    let at = stopwatch();
    let spent = at.saturating_sub(*since);
    *since = at;
    spent.as_secs_f64() * 100.0
}

/// The work on the present request counts against nobody's quota.
fn end_exempt(broker: &mut Broker) {
    if let Some(since) = broker.working_since.take() {
        let took = (broker.stopwatch)().saturating_sub(since);
        broker.quotas.spent_exempt(took);
    }
}

/// Work on a request begins.
pub(super) fn begin_work(broker: &mut Broker) {
    broker.working_since = broker.quotas.request.is_enabled().then(broker.stopwatch);
}

/// Work on a request ends for now: what was not counted with its answer counts for the next one.
pub(super) fn end_work(broker: &mut Broker, now: Now, context: &RequestContext) {
    if broker.working_since.is_some() {
        let percent = spent_percent(broker);
        broker.quotas.request.record(client(context), percent, millis(now));
        broker.working_since = None;
    }
}
