//! A node's copy of the metadata: what it took in, and the snapshots that it made of it.
//!
//! Source: `org.apache.kafka.image.loader.metrics.MetadataLoaderMetrics`, `org.apache.kafka.image.publisher.metrics.SnapshotEmitterMetrics`,
//! `org.apache.kafka.server.metrics.{NodeMetrics, BrokerServerMetrics}`.

super::beans! {
    /// Finalized level of metadata.version.
    CURRENT_METADATA_VERSION: Gauge, Ordinal, Node, "kafka.server", "MetadataLoader", "CurrentMetadataVersion", [];
    /// Id of the active controller as the node knows it; -1 where none is known.
    CURRENT_CONTROLLER_ID: Gauge, Ordinal, Node, "kafka.server", "MetadataLoader", "CurrentControllerId", [];
    /// How often the node began anew with a snapshot of the metadata, at its start too.
    HANDLE_LOAD_SNAPSHOT_COUNT: Gauge, Count, Node, "kafka.server", "MetadataLoader", "HandleLoadSnapshotCount", [];
    /// Share of the time that the node's thread, which does all else as well, had nothing to do.
    AVG_IDLE_RATIO: Gauge, Ratio, Node, "kafka.server", "MetadataLoader", "AvgIdleRatio", [];
    /// Finalized level of a feature.
    FINALIZED_LEVEL: Gauge, Ordinal, Node, "kafka.server", "MetadataLoader", "FinalizedLevel", ["featureName"];
    /// Highest level of a feature that the node supports.
    MAXIMUM_SUPPORTED_LEVEL: Attribute, Ordinal, Node, "kafka.server", "node-metrics", "maximum-supported-level", ["feature-name"];
    /// Lowest level of a feature that the node supports.
    MINIMUM_SUPPORTED_LEVEL: Attribute, Ordinal, Node, "kafka.server", "node-metrics", "minimum-supported-level", ["feature-name"];
    /// Size of the last snapshot of the metadata that the node made; 0 before the first since its start.
    LATEST_SNAPSHOT_GENERATED_BYTES: Gauge, Bytes, Node, "kafka.server", "SnapshotEmitter", "LatestSnapshotGeneratedBytes", [];
    /// Time since the node last made a snapshot of the metadata, or since its start.
    LATEST_SNAPSHOT_GENERATED_AGE: Gauge, Millis, Node, "kafka.server", "SnapshotEmitter", "LatestSnapshotGeneratedAgeMs", [];
    /// Offset of the last metadata record that the broker took in.
    LAST_APPLIED_RECORD_OFFSET: Attribute, Ordinal, Broker, "kafka.server", "broker-metadata-metrics", "last-applied-record-offset", [];
    /// When the last metadata record that the broker took in was written.
    LAST_APPLIED_RECORD_TIMESTAMP: Attribute, Ordinal, Broker, "kafka.server", "broker-metadata-metrics", "last-applied-record-timestamp", [];
    /// How long ago the last metadata record that the broker took in was written.
    LAST_APPLIED_RECORD_LAG: Attribute, Millis, Broker, "kafka.server", "broker-metadata-metrics", "last-applied-record-lag-ms", [];
    /// Metadata records, or snapshots of them, that the broker could not read.
    METADATA_LOAD_ERROR_COUNT: Total, Count, Broker, "kafka.server", "broker-metadata-metrics", "metadata-load-error-count", [];
    /// Metadata records that the broker could not take in.
    METADATA_APPLY_ERROR_COUNT: Total, Count, Broker, "kafka.server", "broker-metadata-metrics", "metadata-apply-error-count", [];
    /// 1 if the broker is configured with voters, and the log names the voters instead.
    IGNORED_STATIC_VOTERS: Attribute, Count, Broker, "kafka.server", "broker-metadata-metrics", "ignored-static-voters", [];
    /// How long the broker worked on a batch of metadata.
    METADATA_BATCH_PROCESSING_TIME: Histogram, Micros, Broker, "kafka.server", "BrokerMetadataListener", "MetadataBatchProcessingTimeUs", [];
    /// Records of a batch of metadata.
    METADATA_BATCH_SIZES: Histogram, Count, Broker, "kafka.server", "BrokerMetadataListener", "MetadataBatchSizes", [];
}
