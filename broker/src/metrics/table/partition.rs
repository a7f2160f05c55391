//! Partitions and their logs. There is one of each for every replica, so no report carries them: whoever reads metrics takes them from the
//! cluster's state.
//!
//! Source: `kafka.cluster.Partition`, `org.apache.kafka.storage.internals.log.UnifiedLog`, `kafka.server.FetcherLagMetrics`.

super::beans! {
    /// 1: some replica of a led partition is not in sync.
    UNDER_REPLICATED: Gauge, Count, State, "kafka.cluster", "Partition", "UnderReplicated", ["topic", "partition"];
    /// In-sync replicas of a led partition.
    IN_SYNC_REPLICAS_COUNT: Gauge, Count, State, "kafka.cluster", "Partition", "InSyncReplicasCount", ["topic", "partition"];
    /// Replicas of a led partition.
    REPLICAS_COUNT: Gauge, Count, State, "kafka.cluster", "Partition", "ReplicasCount", ["topic", "partition"];
    /// 1: a led partition has fewer in-sync replicas than min.insync.replicas.
    UNDER_MIN_ISR: Gauge, Count, State, "kafka.cluster", "Partition", "UnderMinIsr", ["topic", "partition"];
    /// 1: a led partition has exactly min.insync.replicas in-sync replicas.
    AT_MIN_ISR: Gauge, Count, State, "kafka.cluster", "Partition", "AtMinIsr", ["topic", "partition"];
    /// High watermark minus last stable offset of a led partition.
    LAST_STABLE_OFFSET_LAG: Gauge, Count, State, "kafka.cluster", "Partition", "LastStableOffsetLag", ["topic", "partition"];
    /// Bytes of a replica's log.
    SIZE: Gauge, Bytes, State, "kafka.log", "Log", "Size", ["topic", "partition"];
    /// Segments of a replica's log.
    NUM_LOG_SEGMENTS: Gauge, Count, State, "kafka.log", "Log", "NumLogSegments", ["topic", "partition"];
    /// Bytes of a replica's log for each 100 of its retention.bytes; 0 without that.
    RETENTION_SIZE_IN_PERCENT: Gauge, Percent, State, "kafka.log", "Log", "RetentionSizeInPercent", ["topic", "partition"];
    /// First offset of a replica's log.
    LOG_START_OFFSET: Gauge, Ordinal, State, "kafka.log", "Log", "LogStartOffset", ["topic", "partition"];
    /// Next offset of a replica's log.
    LOG_END_OFFSET: Gauge, Ordinal, State, "kafka.log", "Log", "LogEndOffset", ["topic", "partition"];
    /// Records by which a follower's log ends before the leader's high watermark.
    CONSUMER_LAG: Gauge, Count, State, "kafka.server", "FetcherLagMetrics", "ConsumerLag", ["clientId", "topic", "partition"];
}
