//! What a broker remembers of its clients between their requests.
//!
//! Source: `org.apache.kafka.server.FetchSession.FetchSessionCache`, `FetchSessionCacheShard`, `org.apache.kafka.server.share.session.
//! ShareSessionCache`, `org.apache.kafka.server.ClientMetricsManager.ClientMetricsStats`.

super::beans! {
    /// Fetch sessions of consumers and of followers.
    FETCH_SESSIONS: Gauge, Count, Broker, "kafka.server", "FetchSessionCache", "NumIncrementalFetchSessions", [];
    /// Partitions in fetch sessions.
    FETCH_SESSION_PARTITIONS: Gauge, Count, Broker, "kafka.server", "FetchSessionCache", "NumIncrementalFetchPartitionsCached", [];
    /// Fetch sessions that had to make room for others.
    FETCH_SESSION_EVICTIONS: Meter, Count, Broker, "kafka.server", "FetchSessionCache", "IncrementalFetchSessionEvictionsPerSec", [];
    /// Sessions of share groups' members.
    SHARE_SESSIONS: Gauge, Count, Broker, "kafka.server", "ShareSessionCache", "ShareSessionsCount", [];
    /// Partitions in sessions of share groups' members.
    SHARE_SESSION_PARTITIONS: Gauge, Count, Broker, "kafka.server", "ShareSessionCache", "SharePartitionsCount", [];
    /// Sessions of share groups' members that ended with their connection.
    SHARE_SESSION_EVICTIONS: Meter, Count, Broker, "kafka.server", "ShareSessionCache", "ShareSessionEvictionsPerSec", [];
    /// Client instances that this broker asks for their metrics.
    CLIENT_METRICS_INSTANCES: Attribute, Count, Broker, "kafka.server", "client-metrics", "instance-count", [];
    /// Pushes of metrics, per second, for a subscription that is not or no longer the client's.
    UNKNOWN_SUBSCRIPTION_RATE: Attribute, PerSecond, Broker, "kafka.server", "client-metrics", "unknown-subscription-request-rate", [];
    /// Pushes of metrics for a subscription that is not or no longer the client's.
    UNKNOWN_SUBSCRIPTION_COUNT: Total, Count, Broker, "kafka.server", "client-metrics", "unknown-subscription-request-count", [];
}
