//! Requests that wait in a broker.
//!
//! Source: `org.apache.kafka.server.purgatory.DelayedOperationPurgatory`, `DelayedProduce`, `DelayedDeleteRecords`, `kafka.server.DelayedFetch`,
//! `kafka.server.share.DelayedShareFetch`.

super::beans! {
    /// Requests that wait: consumers and followers for records, producers for their in-sync replicas.
    NUM_DELAYED_OPERATIONS: Gauge, Count, Broker, "kafka.server", "DelayedOperationPurgatory", "NumDelayedOperations", ["delayedOperation"];
    /// Partitions that the requests which wait are watching, each as often as there are requests.
    PURGATORY_SIZE: Gauge, Count, Broker, "kafka.server", "DelayedOperationPurgatory", "PurgatorySize", ["delayedOperation"];
    /// Fetch requests that waited for as long as they allowed.
    FETCH_EXPIRES: Meter, Count, Broker, "kafka.server", "DelayedFetchMetrics", "ExpiresPerSec", ["fetcherType"];
    /// Partitions whose in-sync replicas did not have a producer's records in time.
    PRODUCE_EXPIRES: Meter, Count, Broker, "kafka.server", "DelayedProduceMetrics", "ExpiresPerSec", [];
    /// Partitions whose replicas did not delete records in time.
    DELETE_RECORDS_EXPIRES: Meter, Count, Broker, "kafka.server", "DelayedDeleteRecordsMetrics", "ExpiresPerSec", [];
    /// ShareFetch requests that waited for as long as they allowed.
    SHARE_FETCH_EXPIRES: Meter, Count, Broker, "kafka.server", "DelayedShareFetchMetrics", "ExpiresPerSec", [];
}
