//! What clients with quotas do, and what waits because of quotas or on its way to the controller; and since when the broker runs.
//!
//! Source: `org.apache.kafka.server.quota.ClientQuotaManager`, `kafka.server.ClientRequestQuotaManager`,
//! `org.apache.kafka.server.metrics.ForwardingManagerMetrics`, `org.apache.kafka.common.utils.AppInfoParser`.

super::beans! {
    /// Bytes per second of the producers that share a quota.
    PRODUCE_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "Produce", "byte-rate", ["user", "client-id"];
    /// Mean time for which producers that share a quota were made to wait.
    PRODUCE_THROTTLE_TIME: Attribute, Millis, Broker, "kafka.server", "Produce", "throttle-time", ["user", "client-id"];
    /// Answers after which producers wait now because of their quota.
    PRODUCE_QUEUE_SIZE: Attribute, Count, Broker, "kafka.server", "Produce", "queue-size", [];
    /// Bytes per second of the consumers that share a quota.
    FETCH_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "Fetch", "byte-rate", ["user", "client-id"];
    /// Mean time for which consumers that share a quota were made to wait.
    FETCH_THROTTLE_TIME: Attribute, Millis, Broker, "kafka.server", "Fetch", "throttle-time", ["user", "client-id"];
    /// Answers after which consumers wait now because of their quota.
    FETCH_QUEUE_SIZE: Attribute, Count, Broker, "kafka.server", "Fetch", "queue-size", [];
    /// Share of the broker's thread that clients which share a quota took; 100 is all of it.
    REQUEST_TIME: Attribute, Percent, Broker, "kafka.server", "Request", "request-time", ["user", "client-id"];
    /// Share of the broker's thread that other brokers' fetches and markers took, and clients' Produce with acks=0, if somebody has a quota of
    /// time; 100 is all of it.
    EXEMPT_REQUEST_TIME: Attribute, Percent, Broker, "kafka.server", "Request", "exempt-request-time", [];
    /// Mean time for which clients that share a quota of time were made to wait.
    REQUEST_THROTTLE_TIME: Attribute, Millis, Broker, "kafka.server", "Request", "throttle-time", ["user", "client-id"];
    /// Answers after which clients wait now because of their quota of time.
    REQUEST_QUEUE_SIZE: Attribute, Count, Broker, "kafka.server", "Request", "queue-size", [];
    /// Answers after which clients wait now because of their quota of changes to topics.
    MUTATION_QUEUE_SIZE: Attribute, Count, Broker, "kafka.server", "ControllerMutation", "queue-size", [];
    /// Clients' requests that are to be sent to the active controller and are not yet.
    FORWARDING_QUEUE_LENGTH: Attribute, Count, Broker, "kafka.server", "ForwardingManager", "QueueLength", [];
    /// 99th percentile of the time that clients' requests waited until they were sent to the controller that answered them.
    FORWARDING_QUEUE_TIME_P99: Attribute, Millis, Broker, "kafka.server", "ForwardingManager", "QueueTimeMs.p99", [];
    /// 99.9th percentile of the time that clients' requests waited until they were sent to the controller that answered them.
    FORWARDING_QUEUE_TIME_P999: Attribute, Millis, Broker, "kafka.server", "ForwardingManager", "QueueTimeMs.p999", [];
    /// 99th percentile of the time that the active controller took to answer clients' requests.
    FORWARDING_REMOTE_TIME_P99: Attribute, Millis, Broker, "kafka.server", "ForwardingManager", "RemoteTimeMs.p99", [];
    /// 99.9th percentile of the time that the active controller took to answer clients' requests.
    FORWARDING_REMOTE_TIME_P999: Attribute, Millis, Broker, "kafka.server", "ForwardingManager", "RemoteTimeMs.p999", [];
    /// When the broker started, in ms since 1970.
    START_TIME: Attribute, Ordinal, Broker, "kafka.server", "app-info", "start-time-ms", [];
}
