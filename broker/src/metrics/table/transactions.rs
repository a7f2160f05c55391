//! Transactions that a broker coordinates, and those that write to it.
//!
//! Source: `kafka.coordinator.transaction.{TransactionStateManager, TransactionMarkerChannelManager}`,
//! `org.apache.kafka.server.transaction.AddPartitionsToTxnManager`.

super::beans! {
    /// Mean time that loading a partition of transactional ids took.
    LOAD_AVG: Attribute, Millis, Broker, "kafka.server", "transaction-coordinator-metrics", "partition-load-time-avg", [];
    /// Longest time that loading a partition of transactional ids took.
    LOAD_MAX: Attribute, Millis, Broker, "kafka.server", "transaction-coordinator-metrics", "partition-load-time-max", [];
    /// Transactions with markers for partitions that have no leader now.
    UNKNOWN_DESTINATION_QUEUE_SIZE: Gauge, Count, Broker, "kafka.coordinator.transaction", "TransactionMarkerChannelManager", "UnknownDestinationQueueSize", [];
    /// How long it took to ask transactions' coordinators about writes.
    VERIFICATION_TIME: Histogram, Millis, Broker, "kafka.server", "AddPartitionsToTxnManager", "VerificationTimeMs", [];
    /// Partitions to which a transaction's coordinator did not let it write.
    VERIFICATION_FAILURES: Meter, Count, Broker, "kafka.server", "AddPartitionsToTxnManager", "VerificationFailureRate", [];
}
