//! Metrics of requests: where their time goes, and how busy who serves them is.

use super::super::measure::{ALL_REQUESTS, REQUEST_BYTES};
use super::super::statistics::Statistic::{Average, Sum};
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
    (
        "ProduceMessageConversionsTimeMsMean",
        "MessageConversionsTimeMs",
        "Produce",
        "Mean time that a produce request's records took to be converted to the topic's codec or timestamps."
    ),
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
    (
        "FetchFollowerRequestQueueTimeMsMean",
        "RequestQueueTimeMs",
        "FetchFollower",
        "Mean time of a follower's fetch before it was looked at; followers reach leaders in memory."
    ),
    (
        "FetchFollowerResponseQueueTimeMsMean",
        "ResponseQueueTimeMs",
        "FetchFollower",
        "Mean time of a response to a follower before it was handed over."
    ),
    (
        "FetchFollowerResponseSendTimeMsMean",
        "ResponseSendTimeMs",
        "FetchFollower",
        "Mean time to hand a response over to a follower."
    ),
    (
        "ProduceThrottleTime",
        "ThrottleTimeMs",
        "Produce",
        "Mean time that producers were not listened to because of quotas, over all produce requests."
    ),
    (
        "FetchThrottleTime",
        "ThrottleTimeMs",
        "FetchConsumer",
        "Mean time that consumers were not listened to because of quotas, over all their fetches."
    ),
];

const fn more(
    name: &'static str,
    unit: Unit,
    statistic: super::Statistic,
    meaning: &'static str,
    value: fn(&BrokerReading) -> Option<f64>,
) -> Definition {
    Definition::new(name, Level::PerBroker, unit, statistic, meaning, Feed::Broker(value))
}

/// Of who serves requests, and of what goes through its sockets.
pub(super) static SERVERS: &[Definition] = &[
    Definition::new(
        "RequestBytesMean",
        Level::Default,
        Unit::Bytes,
        Average,
        "Mean size of a request, over a second.",
        Feed::Broker(|broker| mean(broker, REQUEST_BYTES, ALL_REQUESTS)),
    ),
    more(
        "NetworkProcessorAvgIdlePercent",
        Unit::Percent,
        Average,
        "Share of the last seconds in which the broker's thread slept as it had nothing to do: it serves the network and requests alike.",
        |broker| broker.idle_percent("SocketServer", "NetworkProcessorAvgIdlePercent"),
    )
    .prometheus(
        "kafka_network_socketserver_networkprocessoravgidle_percent",
        "100 * kafka_network_socketserver_networkprocessoravgidle_percent{node_id=\"$broker\"}",
    ),
    more(
        "RequestHandlerAvgIdlePercent",
        Unit::Percent,
        Average,
        "Share of the last minute in which the broker's thread slept as it had nothing to do.",
        |broker| broker.idle_percent("KafkaRequestHandlerPool", "RequestHandlerAvgIdlePercent"),
    )
    .prometheus(
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
        "100 * kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent{node_id=\"$broker\"}",
    ),
    more(
        "ProduceMessageConversionsPerSec",
        Unit::CountPerSecond,
        Average,
        "Produce requests whose records had to be converted, per second.",
        |broker| broker.conversions,
    )
    .prometheus(
        "kafka_server_brokertopicmetrics_producemessageconversions_total",
        "rate(kafka_server_brokertopicmetrics_producemessageconversions_total{node_id=\"$broker\",topic=\"\"}[1m])",
    ),
    more(
        "TrafficBytes",
        Unit::Bytes,
        Sum,
        "Bytes that client connections read and wrote in a second; Sum is those of a period.",
        |broker| broker.sockets.map(|(read, written)| read + written),
    ),
    Definition::new(
        "NetworkRxThroughput",
        Level::Default,
        Unit::BytesPerSecond,
        Average,
        "Bytes that client connections brought, per second; brokers reach each other in memory.",
        Feed::Broker(|broker| broker.sockets.map(|(read, _)| read)),
    ),
    Definition::new(
        "NetworkTxThroughput",
        Level::Default,
        Unit::BytesPerSecond,
        Average,
        "Bytes that client connections took, per second; brokers reach each other in memory.",
        Feed::Broker(|broker| broker.sockets.map(|(_, written)| written)),
    ),
];
