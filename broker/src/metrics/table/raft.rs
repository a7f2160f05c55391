//! The quorum of controllers.
//!
//! Source: `org.apache.kafka.raft.internals.KafkaRaftMetrics`.

super::beans! {
    /// Next offset of the node's metadata log.
    LOG_END_OFFSET: Attribute, Ordinal, Controller, "kafka.server", "raft-metrics", "log-end-offset", [];
    /// Committed end of the metadata log, as the node knows it.
    HIGH_WATERMARK: Attribute, Ordinal, Controller, "kafka.server", "raft-metrics", "high-watermark", [];
}
