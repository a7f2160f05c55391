//! Groups and offsets that a broker coordinates.
//!
//! Source: `org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetrics`,
//! `org.apache.kafka.coordinator.common.runtime.CoordinatorRuntimeMetricsImpl`.

super::beans! {
    /// Classic groups that the broker coordinates.
    NUM_GROUPS: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroups", [];
    /// Classic groups whose members are to join anew.
    NUM_GROUPS_PREPARING_REBALANCE: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroupsPreparingRebalance", [];
    /// Classic groups whose members wait for their assignment.
    NUM_GROUPS_COMPLETING_REBALANCE: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroupsCompletingRebalance", [];
    /// Classic groups whose members are assigned.
    NUM_GROUPS_STABLE: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroupsStable", [];
    /// Classic groups that are being removed.
    NUM_GROUPS_DEAD: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroupsDead", [];
    /// Classic groups without members.
    NUM_GROUPS_EMPTY: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroupsEmpty", [];
    /// Offsets that the broker keeps for groups.
    NUM_OFFSETS: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumOffsets", [];
    /// Groups that the broker coordinates, by protocol.
    GROUP_COUNT: Attribute, Count, Broker, "kafka.server", "group-coordinator-metrics", "group-count", ["protocol"];
    /// Consumer groups that the broker coordinates, by state.
    CONSUMER_GROUP_COUNT: Attribute, Count, Broker, "kafka.server", "group-coordinator-metrics", "consumer-group-count", ["state"];
    /// Share groups that the broker coordinates, by state.
    SHARE_GROUP_COUNT: Attribute, Count, Broker, "kafka.server", "group-coordinator-metrics", "share-group-count", ["state"];
    /// Streams groups that the broker coordinates, by state.
    STREAMS_GROUP_COUNT: Attribute, Count, Broker, "kafka.server", "group-coordinator-metrics", "streams-group-count", ["state"];
    /// Offsets committed.
    OFFSET_COMMIT_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "offset-commit-count", [];
    /// Offsets committed.
    OFFSET_COMMIT_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "offset-commit-rate", [];
    /// Offsets that went after their retention.
    OFFSET_EXPIRATION_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "offset-expiration-count", [];
    /// Offsets that went after their retention.
    OFFSET_EXPIRATION_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "offset-expiration-rate", [];
    /// Offsets deleted at the request of a client.
    OFFSET_DELETION_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "offset-deletion-count", [];
    /// Offsets deleted at the request of a client.
    OFFSET_DELETION_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "offset-deletion-rate", [];
    /// Rebalances of classic groups that led to an assignment.
    CLASSIC_REBALANCE_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "group-completed-rebalance-count", [];
    /// Rebalances of classic groups that led to an assignment.
    CLASSIC_REBALANCE_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "group-completed-rebalance-rate", [];
    /// Rebalances of consumer groups.
    CONSUMER_REBALANCE_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "consumer-group-rebalance-count", [];
    /// Rebalances of consumer groups.
    CONSUMER_REBALANCE_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "consumer-group-rebalance-rate", [];
    /// Rebalances of share groups.
    SHARE_REBALANCE_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "share-group-rebalance-count", [];
    /// Rebalances of share groups.
    SHARE_REBALANCE_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "share-group-rebalance-rate", [];
    /// Rebalances of streams groups.
    STREAMS_REBALANCE_COUNT: Total, Count, Broker, "kafka.server", "group-coordinator-metrics", "streams-group-rebalance-count", [];
    /// Rebalances of streams groups.
    STREAMS_REBALANCE_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "streams-group-rebalance-rate", [];
    /// Longest time that the coordinator worked on a request.
    PROCESSING_MAX: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-processing-time-ms-max", [];
    /// Median of the time that the coordinator worked on a request.
    PROCESSING_P50: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-processing-time-ms-p50", [];
    /// 95th percentile of the time that the coordinator worked on a request.
    PROCESSING_P95: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-processing-time-ms-p95", [];
    /// 99th percentile of the time that the coordinator worked on a request.
    PROCESSING_P99: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-processing-time-ms-p99", [];
    /// 99.9th percentile of the time that the coordinator worked on a request.
    PROCESSING_P999: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-processing-time-ms-p999", [];
    /// Longest time that what the coordinator wrote waited for its commit.
    PURGATORY_MAX: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-purgatory-time-ms-max", [];
    /// Median of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P50: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-purgatory-time-ms-p50", [];
    /// 95th percentile of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P95: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-purgatory-time-ms-p95", [];
    /// 99th percentile of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P99: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-purgatory-time-ms-p99", [];
    /// 99.9th percentile of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P999: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "event-purgatory-time-ms-p999", [];
    /// Longest time that the log took to take a batch of the coordinator.
    FLUSH_MAX: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "batch-flush-time-ms-max", [];
    /// Median of the time that the log took to take a batch of the coordinator.
    FLUSH_P50: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "batch-flush-time-ms-p50", [];
    /// 95th percentile of the time that the log took to take a batch of the coordinator.
    FLUSH_P95: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "batch-flush-time-ms-p95", [];
    /// 99th percentile of the time that the log took to take a batch of the coordinator.
    FLUSH_P99: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "batch-flush-time-ms-p99", [];
    /// 99.9th percentile of the time that the log took to take a batch of the coordinator.
    FLUSH_P999: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "batch-flush-time-ms-p999", [];
    /// Batches that the coordinator wrote.
    FLUSH_RATE: Attribute, PerSecond, Broker, "kafka.server", "group-coordinator-metrics", "batch-flush-rate", [];
    /// Mean time that loading a partition took.
    LOAD_AVG: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "partition-load-time-avg", [];
    /// Longest time that loading a partition took.
    LOAD_MAX: Attribute, Millis, Broker, "kafka.server", "group-coordinator-metrics", "partition-load-time-max", [];
    /// Partitions of the coordinator's topic that the broker leads, by how they are.
    NUM_PARTITIONS: Attribute, Count, Broker, "kafka.server", "group-coordinator-metrics", "num-partitions", ["state"];
}

/// The times of this coordinator.
pub static TIMES: super::CoordinatorBeans = super::CoordinatorBeans {
    processing: [&PROCESSING_MAX, &PROCESSING_P50, &PROCESSING_P95, &PROCESSING_P99, &PROCESSING_P999],
    purgatory: [&PURGATORY_MAX, &PURGATORY_P50, &PURGATORY_P95, &PURGATORY_P99, &PURGATORY_P999],
    flush: [&FLUSH_MAX, &FLUSH_P50, &FLUSH_P95, &FLUSH_P99, &FLUSH_P999],
    flush_rate: &FLUSH_RATE,
    load: [&LOAD_AVG, &LOAD_MAX],
    partitions: &NUM_PARTITIONS,
};
