//! Share groups: the state of their partitions that a broker coordinates, and the partitions that it leads.
//!
//! Source: `org.apache.kafka.coordinator.share.metrics.ShareCoordinatorMetrics`,
//! `org.apache.kafka.coordinator.common.runtime.CoordinatorRuntimeMetricsImpl`, `org.apache.kafka.server.share.metrics.ShareGroupMetrics`.

super::beans! {
    /// States of share partitions that were to be written, also where that was refused, or for a read by a new leader.
    WRITE_TOTAL: Total, Count, Broker, "kafka.server", "share-coordinator-metrics", "write-total", [];
    /// States of share partitions that were to be written, also where that was refused, or for a read by a new leader.
    WRITE_RATE: Attribute, PerSecond, Broker, "kafka.server", "share-coordinator-metrics", "write-rate", [];
    /// Mean time from a request to write states to its answer.
    WRITE_LATENCY_AVG: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "write-latency-avg", [];
    /// Longest time from a request to write states to its answer.
    WRITE_LATENCY_MAX: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "write-latency-max", [];
    /// Longest time that the coordinator worked on a request.
    PROCESSING_MAX: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-processing-time-ms-max", [];
    /// Median of the time that the coordinator worked on a request.
    PROCESSING_P50: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-processing-time-ms-p50", [];
    /// 95th percentile of the time that the coordinator worked on a request.
    PROCESSING_P95: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-processing-time-ms-p95", [];
    /// 99th percentile of the time that the coordinator worked on a request.
    PROCESSING_P99: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-processing-time-ms-p99", [];
    /// 99.9th percentile of the time that the coordinator worked on a request.
    PROCESSING_P999: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-processing-time-ms-p999", [];
    /// Longest time that what the coordinator wrote waited for its commit.
    PURGATORY_MAX: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-purgatory-time-ms-max", [];
    /// Median of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P50: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-purgatory-time-ms-p50", [];
    /// 95th percentile of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P95: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-purgatory-time-ms-p95", [];
    /// 99th percentile of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P99: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-purgatory-time-ms-p99", [];
    /// 99.9th percentile of the time that what the coordinator wrote waited for its commit.
    PURGATORY_P999: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "event-purgatory-time-ms-p999", [];
    /// Longest time that the log took to take a batch of the coordinator.
    FLUSH_MAX: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "batch-flush-time-ms-max", [];
    /// Median of the time that the log took to take a batch of the coordinator.
    FLUSH_P50: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "batch-flush-time-ms-p50", [];
    /// 95th percentile of the time that the log took to take a batch of the coordinator.
    FLUSH_P95: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "batch-flush-time-ms-p95", [];
    /// 99th percentile of the time that the log took to take a batch of the coordinator.
    FLUSH_P99: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "batch-flush-time-ms-p99", [];
    /// 99.9th percentile of the time that the log took to take a batch of the coordinator.
    FLUSH_P999: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "batch-flush-time-ms-p999", [];
    /// Batches that the coordinator wrote.
    FLUSH_RATE: Attribute, PerSecond, Broker, "kafka.server", "share-coordinator-metrics", "batch-flush-rate", [];
    /// Mean time that loading a partition took.
    LOAD_AVG: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "partition-load-time-avg", [];
    /// Longest time that loading a partition took.
    LOAD_MAX: Attribute, Millis, Broker, "kafka.server", "share-coordinator-metrics", "partition-load-time-max", [];
    /// Partitions of the coordinator's topic that the broker leads, by how they are.
    NUM_PARTITIONS: Attribute, Count, Broker, "kafka.server", "share-coordinator-metrics", "num-partitions", ["state"];
    /// Records that members acknowledged, by what they said of them.
    RECORD_ACKNOWLEDGEMENTS: Meter, Count, Broker, "kafka.server", "ShareGroupMetrics", "RecordAcknowledgementsPerSec", ["ackType"];
    /// How long it took to read what was kept of share partitions.
    PARTITION_LOAD_TIME: Histogram, Millis, Broker, "kafka.server", "ShareGroupMetrics", "PartitionLoadTimeMs", [];
    /// Records of a share partition from its start offset to its end, of at most 1,000 share partitions.
    IN_FLIGHT_MESSAGE_COUNT: Gauge, Count, Broker, "kafka.server", "SharePartitionMetrics", "InFlightMessageCount", ["group", "topic", "partition"];
    /// Batches of a share partition that are in flight, of at most 1,000 share partitions.
    IN_FLIGHT_BATCH_COUNT: Gauge, Count, Broker, "kafka.server", "SharePartitionMetrics", "InFlightBatchCount", ["group", "topic", "partition"];
    /// Offsets of batches that came in flight, of at most 1,000 share partitions.
    IN_FLIGHT_BATCH_MESSAGE_COUNT: Histogram, Count, Broker, "kafka.server", "SharePartitionMetrics", "InFlightBatchMessageCount", ["group", "topic", "partition"];
    /// Of the share partitions that a fetch asked for, how many had records to give or could have, of the first 1,000 groups.
    FETCH_RATIO: Histogram, Percent, Broker, "kafka.server", "ShareGroupMetrics", "RequestTopicPartitionsFetchRatio", ["group"];
    /// How long fetches waited until a share partition could be acquired from, of the first 1,000 groups.
    ACQUIRE_TIME: Histogram, Millis, Broker, "kafka.server", "ShareGroupMetrics", "TopicPartitionsAcquireTimeMs", ["group"];
    /// Up to which offset the log of a partition of states was last pruned.
    LAST_PRUNED_OFFSET: Attribute, Ordinal, Broker, "kafka.server", "share-coordinator-metrics", "last-pruned-offset", ["topic", "partition"];
    /// Records that members held for longer than they may, of at most 1,000 share partitions.
    ACQUISITION_LOCK_TIMEOUTS: Meter, Count, Broker, "kafka.server", "SharePartitionMetrics", "AcquisitionLockTimeoutPerSec", ["group", "topic", "partition"];
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
