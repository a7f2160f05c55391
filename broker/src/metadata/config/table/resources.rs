//! Configs of Kafka 4.3 that belong to topics, groups and client metrics subscriptions, each sorted by name.
//!
//! Source: `LogConfig`, `GroupConfig`, `ClientMetricsConfigs`.

use super::super::def::{Check::*, ConfigDef, Importance::*, Kind::*, Update::*, def, unset};

pub(super) const TOPIC: &[ConfigDef] = &[
    def("cleanup.policy", List, "delete", Medium, PerTopic, ListOf(&["compact", "delete"]))
        .broker(&["log.cleanup.policy"]),
    def("compression.gzip.level", Int, "-1", Medium, PerTopic, GzipLevel).broker(&["compression.gzip.level"]),
    def("compression.lz4.level", Int, "9", Medium, PerTopic, Between(1, 17)).broker(&["compression.lz4.level"]),
    def(
        "compression.type",
        String,
        "producer",
        Medium,
        PerTopic,
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    )
    .broker(&["compression.type"]),
    def("compression.zstd.level", Int, "3", Medium, PerTopic, Between(-131_072, 22))
        .broker(&["compression.zstd.level"]),
    def("delete.retention.ms", Long, "86400000", Medium, PerTopic, AtLeast(0))
        .broker(&["log.cleaner.delete.retention.ms"]),
    def("file.delete.delay.ms", Long, "60000", Medium, PerTopic, AtLeast(0)).broker(&["log.segment.delete.delay.ms"]),
    def("flush.messages", Long, "9223372036854775807", Medium, PerTopic, AtLeast(1))
        .broker(&["log.flush.interval.messages"]),
    def("flush.ms", Long, "9223372036854775807", Medium, PerTopic, AtLeast(0))
        .broker(&["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]),
    def("follower.replication.throttled.replicas", List, "", Medium, PerTopic, ThrottledReplicas),
    def("index.interval.bytes", Int, "4096", Medium, PerTopic, AtLeast(0)).broker(&["log.index.interval.bytes"]),
    unset("internal.segment.bytes", Int, Medium, PerTopic, Any).internal(),
    def("leader.replication.throttled.replicas", List, "", Medium, PerTopic, ThrottledReplicas),
    def("local.retention.bytes", Long, "-2", Medium, PerTopic, AtLeast(-2)).broker(&["log.local.retention.bytes"]),
    def("local.retention.ms", Long, "-2", Medium, PerTopic, AtLeast(-2)).broker(&["log.local.retention.ms"]),
    def("max.compaction.lag.ms", Long, "9223372036854775807", Medium, PerTopic, AtLeast(1))
        .broker(&["log.cleaner.max.compaction.lag.ms"]),
    def("max.message.bytes", Int, "1048588", Medium, PerTopic, AtLeast(0)).broker(&["message.max.bytes"]),
    def("message.timestamp.after.max.ms", Long, "3600000", Medium, PerTopic, AtLeast(0))
        .broker(&["log.message.timestamp.after.max.ms"]),
    def("message.timestamp.before.max.ms", Long, "9223372036854775807", Medium, PerTopic, AtLeast(0))
        .broker(&["log.message.timestamp.before.max.ms"]),
    def("message.timestamp.type", String, "CreateTime", Medium, PerTopic, OneOf(&["CreateTime", "LogAppendTime"]))
        .broker(&["log.message.timestamp.type"]),
    def("min.cleanable.dirty.ratio", Double, "0.5", Medium, PerTopic, BetweenFloat(0.0, 1.0))
        .broker(&["log.cleaner.min.cleanable.ratio"]),
    def("min.compaction.lag.ms", Long, "0", Medium, PerTopic, AtLeast(0))
        .broker(&["log.cleaner.min.compaction.lag.ms"]),
    def("min.insync.replicas", Int, "1", Medium, PerTopic, AtLeast(1)).broker(&["min.insync.replicas"]),
    def("preallocate", Boolean, "false", Medium, PerTopic, Any).broker(&["log.preallocate"]),
    def("remote.log.copy.disable", Boolean, "false", Medium, PerTopic, Any),
    def("remote.log.delete.on.disable", Boolean, "false", Medium, PerTopic, Any),
    def("remote.storage.enable", Boolean, "false", Medium, PerTopic, Any),
    def("retention.bytes", Long, "-1", Medium, PerTopic, Any).broker(&["log.retention.bytes"]),
    def("retention.ms", Long, "604800000", Medium, PerTopic, AtLeast(-1)).broker(&[
        "log.retention.ms",
        "log.retention.minutes",
        "log.retention.hours",
    ]),
    def("segment.bytes", Int, "1073741824", Medium, PerTopic, AtLeast(1_048_576)).broker(&["log.segment.bytes"]),
    def("segment.index.bytes", Int, "10485760", Medium, PerTopic, AtLeast(4)).broker(&["log.index.size.max.bytes"]),
    def("segment.jitter.ms", Long, "0", Medium, PerTopic, AtLeast(0))
        .broker(&["log.roll.jitter.ms", "log.roll.jitter.hours"]),
    def("segment.ms", Long, "604800000", Medium, PerTopic, AtLeast(1)).broker(&["log.roll.ms", "log.roll.hours"]),
    def("unclean.leader.election.enable", Boolean, "false", Medium, PerTopic, Any)
        .broker(&["unclean.leader.election.enable"]),
];

pub(super) const GROUP: &[ConfigDef] = &[
    def("consumer.assignment.interval.ms", Int, "1000", Medium, PerGroup, AtLeast(0))
        .broker(&["group.consumer.assignment.interval.ms"]),
    def("consumer.heartbeat.interval.ms", Int, "5000", Medium, PerGroup, AtLeast(1))
        .broker(&["group.consumer.heartbeat.interval.ms"]),
    def("consumer.session.timeout.ms", Int, "45000", Medium, PerGroup, AtLeast(1))
        .broker(&["group.consumer.session.timeout.ms"]),
    def("share.assignment.interval.ms", Int, "1000", Medium, PerGroup, AtLeast(0))
        .broker(&["group.share.assignment.interval.ms"]),
    def("share.auto.offset.reset", String, "latest", Medium, PerGroup, OffsetReset)
        .broker(&["share.auto.offset.reset"]),
    def("share.delivery.count.limit", Int, "5", Medium, PerGroup, AtLeast(2))
        .broker(&["group.share.delivery.count.limit"]),
    def("share.heartbeat.interval.ms", Int, "5000", Medium, PerGroup, AtLeast(1))
        .broker(&["group.share.heartbeat.interval.ms"]),
    def(
        "share.isolation.level",
        String,
        "read_uncommitted",
        Medium,
        PerGroup,
        OneOf(&["read_committed", "read_uncommitted"]),
    )
    .broker(&["share.isolation.level"]),
    def("share.partition.max.record.locks", Int, "2000", Medium, PerGroup, AtLeast(100))
        .broker(&["group.share.partition.max.record.locks"]),
    def("share.record.lock.duration.ms", Int, "30000", Medium, PerGroup, AtLeast(1000))
        .broker(&["group.share.record.lock.duration.ms"]),
    def("share.renew.acknowledge.enable", Boolean, "true", Medium, PerGroup, Any)
        .broker(&["share.renew.acknowledge.enable"]),
    def("share.session.timeout.ms", Int, "45000", Medium, PerGroup, AtLeast(1))
        .broker(&["group.share.session.timeout.ms"]),
    def("streams.assignment.interval.ms", Int, "1000", Medium, PerGroup, AtLeast(0))
        .broker(&["group.streams.assignment.interval.ms"]),
    def("streams.heartbeat.interval.ms", Int, "5000", Medium, PerGroup, AtLeast(1))
        .broker(&["group.streams.heartbeat.interval.ms"]),
    def("streams.initial.rebalance.delay.ms", Int, "3000", Medium, PerGroup, AtLeast(0))
        .broker(&["group.streams.initial.rebalance.delay.ms"]),
    def("streams.num.standby.replicas", Int, "0", Medium, PerGroup, AtLeast(0))
        .broker(&["group.streams.num.standby.replicas"]),
    def("streams.session.timeout.ms", Int, "45000", Medium, PerGroup, AtLeast(1))
        .broker(&["group.streams.session.timeout.ms"]),
];

pub(super) const CLIENT_METRICS: &[ConfigDef] = &[
    def("interval.ms", Int, "300000", Medium, PerSubscription, Any),
    def("match", List, "", Medium, PerSubscription, Distinct),
    def("metrics", List, "", Medium, PerSubscription, Distinct),
];
