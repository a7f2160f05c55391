//! Metrics of requests: where their time goes, and how busy who serves them is.

use super::super::statistics::Statistic::Average;
use super::{BrokerReading, Definition, Feed, Level, Unit};

const fn time(name: &'static str, meaning: &'static str, value: fn(&BrokerReading) -> Option<f64>) -> Definition {
    Definition::new(name, Level::PerBroker, Unit::Milliseconds, Average, meaning, Feed::Broker(value))
}

/// The mean of a histogram of `kafka.network:type=RequestMetrics` over the last second.
fn mean(broker: &BrokerReading, bean: &'static str, request: &'static str) -> Option<f64> {
    broker.means.get(&(bean, request)).copied()
}

/// Rows of one part of a request's time.
macro_rules! times {
    ($(($name:literal, $bean:literal, $request:literal, $meaning:literal),)+) => {
        [$(time($name, $meaning, |broker| mean(broker, $bean, $request)).prometheus(
            concat!("kafka_network_RequestMetrics_Mean{name=\"", $bean, "\",request=\"", $request, "\"}"),
            concat!(
                "kafka_network_RequestMetrics_Mean{node_id=\"$broker\",name=\"", $bean, "\",request=\"", $request, "\"}"
            ),
        )),+]
    };
}

/// Means over a second; no value in a second without such a request.
pub(super) static ALL: &[Definition] = &times![
    ("ProduceLocalTimeMsMean", "LocalTimeMs", "Produce", "Mean time of a produce request at the leader."),
    (
        "ProduceRequestQueueTimeMsMean",
        "RequestQueueTimeMs",
        "Produce",
        "Mean time of a produce request before it was looked at."
    ),
    (
        "ProduceResponseQueueTimeMsMean",
        "ResponseQueueTimeMs",
        "Produce",
        "Mean time of a produce response before it was written."
    ),
    (
        "ProduceResponseSendTimeMsMean",
        "ResponseSendTimeMs",
        "Produce",
        "Mean time to write a produce response to its connection."
    ),
    ("FetchConsumerLocalTimeMsMean", "LocalTimeMs", "FetchConsumer", "Mean time of a consumer's fetch at the leader."),
    (
        "FetchConsumerRequestQueueTimeMsMean",
        "RequestQueueTimeMs",
        "FetchConsumer",
        "Mean time of a consumer's fetch before it was looked at."
    ),
    (
        "FetchConsumerResponseQueueTimeMsMean",
        "ResponseQueueTimeMs",
        "FetchConsumer",
        "Mean time of a response to a consumer's fetch before it was written."
    ),
    (
        "FetchConsumerResponseSendTimeMsMean",
        "ResponseSendTimeMs",
        "FetchConsumer",
        "Mean time to write the response to a consumer's fetch to its connection."
    ),
    ("FetchFollowerLocalTimeMsMean", "LocalTimeMs", "FetchFollower", "Mean time of a follower's fetch at the leader."),
    (
        "FetchFollowerTotalTimeMsMean",
        "TotalTimeMs",
        "FetchFollower",
        "Mean time of a follower's fetch; it counts the wait for new records."
    ),
];
