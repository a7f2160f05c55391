//! Traffic of a broker, of all topics and of each.
//!
//! Source: `org.apache.kafka.storage.log.metrics.BrokerTopicMetrics`.

super::beans! {
    /// Records appended by clients.
    MESSAGES_IN: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "MessagesInPerSec", ["topic"];
    /// Record bytes appended by clients.
    BYTES_IN: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "BytesInPerSec", ["topic"];
    /// Record bytes given to consumers.
    BYTES_OUT: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "BytesOutPerSec", ["topic"];
    /// Produce requests refused, in whole or in part.
    FAILED_PRODUCE_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "FailedProduceRequestsPerSec", ["topic"];
    /// Fetch requests refused, in whole or in part.
    FAILED_FETCH_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "FailedFetchRequestsPerSec", ["topic"];
}
