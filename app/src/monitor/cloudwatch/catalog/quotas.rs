//! Metrics of quotas: what clients that were made to wait did, how long they waited, and how many answers wait now.

use broker::metrics::table::quotas as beans;
use broker::metrics::{Bean, Series};

use super::super::statistics::Statistic::Average;
use super::{BrokerReading, Definition, Feed, Level, Unit};

/// Clients that share a quota (labels `user` and `client-id`) with two of their numbers; empty where nobody has one.
fn sharers<'b>(
    broker: &'b BrokerReading,
    one: &'static Bean,
    other: &'static Bean,
) -> impl Iterator<Item = (f64, f64)> + 'b {
    let report = broker.report.as_deref();
    let of = |bean| report.into_iter().flat_map(move |report| report.of(bean));
    let number = |series: &Series| Some(series.value()).filter(|value| value.is_finite()).unwrap_or(0.0);
    // One loop tells both, so that they come in the same order.
    of(one).zip(of(other)).map(move |(one, other)| (number(one), number(other)))
}

/// Bytes per second of those that had to wait; `None`: nobody has such a quota.
fn throttled_rate(broker: &BrokerReading, rate: &'static Bean, wait: &'static Bean) -> Option<f64> {
    let mut sharers = sharers(broker, rate, wait).peekable();
    sharers.peek()?;
    Some(sharers.filter(|(_, wait_ms)| *wait_ms > 0.0).map(|(rate, _)| rate).sum())
}

/// Mean wait of those that had to; `None`: nobody has such a quota.
fn mean_wait(broker: &BrokerReading, rate: &'static Bean, wait: &'static Bean) -> Option<f64> {
    let mut sharers = sharers(broker, rate, wait).peekable();
    sharers.peek()?;
    let waits: Vec<f64> = sharers.map(|(_, wait_ms)| wait_ms).filter(|wait_ms| *wait_ms > 0.0).collect();
    Some(if waits.is_empty() { 0.0 } else { waits.iter().sum::<f64>() / waits.len() as f64 })
}

/// A number of the broker itself.
fn own(broker: &BrokerReading, bean: &'static Bean) -> Option<f64> {
    broker.report.as_deref()?.of(bean).next().map(Series::value)
}

/// A second has so many ms in one percent.
const MS_PER_PERCENT: f64 = 10.0;

const fn of_broker(
    name: &'static str,
    unit: Unit,
    meaning: &'static str,
    value: fn(&BrokerReading) -> Option<f64>,
) -> Definition {
    Definition::new(name, Level::PerBroker, unit, Average, meaning, Feed::Broker(value))
}

/// All of them.
pub(super) static ALL: &[Definition] = &[
    of_broker(
        "ProduceThrottleByteRate",
        Unit::BytesPerSecond,
        "Bytes per second of the producers that their quota made wait; there once somebody has such a quota.",
        |broker| throttled_rate(broker, &beans::PRODUCE_BYTE_RATE, &beans::PRODUCE_THROTTLE_TIME),
    )
    .prometheus(
        "kafka_server_Produce_byte_rate",
        "sum(kafka_server_Produce_byte_rate{node_id=\"$broker\"} and kafka_server_Produce_throttle_time{node_id=\"$broker\"} > 0)",
    ),
    of_broker(
        "ProduceThrottleQueueSize",
        Unit::Count,
        "Answers after which producers wait now because of their quota.",
        |broker| own(broker, &beans::PRODUCE_QUEUE_SIZE),
    )
    .prometheus("kafka_server_Produce_queue_size", "kafka_server_Produce_queue_size{node_id=\"$broker\"}"),
    of_broker(
        "FetchThrottleByteRate",
        Unit::BytesPerSecond,
        "Bytes per second of the consumers that their quota made wait; there once somebody has such a quota.",
        |broker| throttled_rate(broker, &beans::FETCH_BYTE_RATE, &beans::FETCH_THROTTLE_TIME),
    )
    .prometheus(
        "kafka_server_Fetch_byte_rate",
        "sum(kafka_server_Fetch_byte_rate{node_id=\"$broker\"} and kafka_server_Fetch_throttle_time{node_id=\"$broker\"} > 0)",
    ),
    of_broker(
        "FetchThrottleQueueSize",
        Unit::Count,
        "Answers after which consumers wait now because of their quota.",
        |broker| own(broker, &beans::FETCH_QUEUE_SIZE),
    )
    .prometheus("kafka_server_Fetch_queue_size", "kafka_server_Fetch_queue_size{node_id=\"$broker\"}"),
    Definition::new(
        "RequestTime",
        Level::Default,
        Unit::Milliseconds,
        Average,
        "Time of the broker's thread that clients with a quota of time took, in each second; there once somebody has such a quota.",
        Feed::Broker(|broker| {
            let mut sharers = sharers(broker, &beans::REQUEST_TIME, &beans::REQUEST_THROTTLE_TIME).peekable();
            sharers.peek()?;
            Some(sharers.map(|(percent, _)| percent * MS_PER_PERCENT).sum())
        }),
    )
    .prometheus(
        "kafka_server_Request_request_time",
        "10 * sum(kafka_server_Request_request_time{node_id=\"$broker\"})",
    ),
    of_broker(
        "RequestThrottleTime",
        Unit::Milliseconds,
        "Mean wait of the clients that their quota of time made wait; there once somebody has such a quota.",
        |broker| mean_wait(broker, &beans::REQUEST_TIME, &beans::REQUEST_THROTTLE_TIME),
    )
    .prometheus(
        "kafka_server_Request_throttle_time",
        "avg(kafka_server_Request_throttle_time{node_id=\"$broker\"} > 0) or vector(0)",
    ),
    of_broker(
        "RequestExemptFromThrottleTime",
        Unit::Milliseconds,
        "Time of the broker's thread that requests took which no quota of time counts, in each second; 0 until somebody has such a quota.",
        |broker| own(broker, &beans::EXEMPT_REQUEST_TIME).map(|percent| percent * MS_PER_PERCENT),
    )
    .prometheus(
        "kafka_server_Request_exempt_request_time",
        "10 * kafka_server_Request_exempt_request_time{node_id=\"$broker\"}",
    ),
    of_broker(
        "RequestThrottleQueueSize",
        Unit::Count,
        "Answers after which clients wait now because of their quota of time.",
        |broker| own(broker, &beans::REQUEST_QUEUE_SIZE),
    )
    .prometheus("kafka_server_Request_queue_size", "kafka_server_Request_queue_size{node_id=\"$broker\"}"),
];
