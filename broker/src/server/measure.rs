//! Once a second: a broker's components tell what they measured.

use super::broker::Broker;
use super::group_bridge::OFFSETS_TOPIC;
use super::share_state_bridge::SHARE_STATE_TOPIC;
use super::throttle;
use super::topic_metrics::OwnAppends;
use super::txn_bridge::TRANSACTION_TOPIC;
use super::upkeep;
use crate::metrics::table::{metadata, node as bean, quotas, raft};
use crate::metrics::{Collector, MetricsReport};
use crate::types::Now;

/// What was measured, if a second has passed since the last time.
pub(super) fn report(broker: &mut Broker, now: Now) -> Option<MetricsReport> {
    let mut out = broker.rounds.begin(now)?;
    count_own_appends(broker);
    broker.metrics.collect(&mut out);
    let held = broker.verifier.held_frames();
    broker.metrics.network.collect(&mut out, &broker.connections, held);
    broker.replicas.collect(&mut out, &broker.image);
    broker.metadata.collect(&mut out, &broker.image);
    let followers = broker.replicas.follower_fetches();
    broker.quotas.collect(&mut out, throttle::millis(now));
    out.count(&quotas::FORWARDING_QUEUE_LENGTH, [], broker.requests.unsent() as u64);
    broker.forward_times.collect(&mut out);
    out.value(&quotas::START_TIME, [], broker.upkeep.started_ms as f64);
    broker.purgatory.collect(&mut out, followers);
    broker.sessions.collect(&mut out, followers);
    broker.shares.sessions.collect(&mut out);
    broker.telemetry.collect(&mut out);
    broker.groups.collect(&mut out);
    broker.transactions.collect(&mut out);
    broker.verifier.collect(&mut out);
    broker.share_states.collect(&mut out);
    broker.shares.collect(&mut out, &broker.image);
    collect_node(broker, &mut out);
    Some(out.finish(broker.config.node_id, broker.incarnation))
}

fn count_own_appends(broker: &mut Broker) {
    for (name, appends) in [
        (OFFSETS_TOPIC, broker.groups.take_appends()),
        (TRANSACTION_TOPIC, broker.transactions.take_appends()),
        (SHARE_STATE_TOPIC, broker.share_states.take_appends()),
    ] {
        if let Some(topic) = broker.image.topic(name).filter(|_| appends != OwnAppends::default()) {
            broker.metrics.topics.own_appends(topic, appends);
        }
    }
}

/// The broker as a whole; last, since it counts the others.
fn collect_node(broker: &Broker, out: &mut Collector) {
    let idle = broker.metrics.network.idle_share();
    out.value(&raft::POLL_IDLE_RATIO, [], idle);
    out.value(&metadata::AVG_IDLE_RATIO, [], idle);
    out.value(&bean::BROKER_STATE, [], upkeep::state(broker).into());
    if let Some((read, written)) = (broker.disk_bytes)() {
        out.count(&bean::DISK_READ_BYTES, [], read);
        out.count(&bean::DISK_WRITE_BYTES, [], written);
    }
    let (named, unnamed) = out.counts();
    out.count(&bean::KAFKA_METRICS_COUNT, [], unnamed + 1);
    out.count(&bean::YAMMER_METRICS_COUNT, [], named + 1);
}
