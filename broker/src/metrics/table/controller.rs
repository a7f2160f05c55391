//! Controllers. Most of this every controller tells, not only the active one: what the metadata holds, each as far as it has read its log.
//!
//! Source: `org.apache.kafka.controller.metrics.{QuorumControllerMetrics, ControllerMetadataMetrics}`.

super::beans! {
    /// 1 on the active controller, 0 on all others.
    ACTIVE_CONTROLLER_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "ActiveControllerCount", [];
    /// Topics of the cluster; every controller tells them.
    GLOBAL_TOPIC_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "GlobalTopicCount", [];
    /// Partitions of the cluster; every controller tells them.
    GLOBAL_PARTITION_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "GlobalPartitionCount", [];
    /// Partitions without a leader; every controller tells them.
    OFFLINE_PARTITIONS_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "OfflinePartitionsCount", [];
    /// Partitions that their preferred leader does not lead; every controller tells them.
    PREFERRED_REPLICA_IMBALANCE_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "PreferredReplicaImbalanceCount", [];
    /// Registered brokers that are not fenced.
    ACTIVE_BROKER_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "ActiveBrokerCount", [];
    /// Registered brokers that are fenced.
    FENCED_BROKER_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "FencedBrokerCount", [];
    /// Registered brokers in their controlled shutdown, and those that it fenced.
    CONTROLLED_SHUTDOWN_BROKER_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "ControlledShutdownBrokerCount", [];
    /// Where a registered broker stands: 10 fenced, 20 in its controlled shutdown, 30 active.
    BROKER_REGISTRATION_STATE: Gauge, Ordinal, Controller, "kafka.controller", "KafkaController", "BrokerRegistrationState", ["broker"];
    /// Time since the active controller heard of a broker, at most its session's length.
    TIME_SINCE_LAST_HEARTBEAT: Gauge, Millis, Controller, "kafka.controller", "KafkaController", "TimeSinceLastHeartbeatReceivedMs", ["broker"];
    /// Offset of the last metadata record that the controller applied; on the active one it may not be committed yet.
    LAST_APPLIED_RECORD_OFFSET: Gauge, Ordinal, Controller, "kafka.controller", "KafkaController", "LastAppliedRecordOffset", [];
    /// When the last metadata record that the controller applied was written.
    LAST_APPLIED_RECORD_TIMESTAMP: Gauge, Ordinal, Controller, "kafka.controller", "KafkaController", "LastAppliedRecordTimestamp", [];
    /// How long ago the last metadata record that the controller applied was written.
    LAST_APPLIED_RECORD_LAG: Gauge, Millis, Controller, "kafka.controller", "KafkaController", "LastAppliedRecordLagMs", [];
    /// Offset of the last metadata record that the controller knows to be committed.
    LAST_COMMITTED_RECORD_OFFSET: Gauge, Ordinal, Controller, "kafka.controller", "KafkaController", "LastCommittedRecordOffset", [];
    /// How often this node saw a new active controller.
    NEW_ACTIVE_CONTROLLERS_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "NewActiveControllersCount", [];
    /// Requests and timers that this controller worked on.
    EVENT_QUEUE_OPERATIONS_STARTED_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "EventQueueOperationsStartedCount", [];
    /// Requests that this controller gave up before it came to them: too many waited, or it led no more.
    EVENT_QUEUE_OPERATIONS_TIMED_OUT_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "EventQueueOperationsTimedOutCount", [];
    /// Heartbeats that this controller gave up before it came to them.
    TIMED_OUT_BROKER_HEARTBEAT_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "TimedOutBrokerHeartbeatCount", [];
    /// Metadata records, or snapshots of them, that this controller could not take in.
    METADATA_ERROR_COUNT: Gauge, Count, Controller, "kafka.controller", "KafkaController", "MetadataErrorCount", [];
    /// 1 if the node is configured with voters, and its log names the voters instead.
    IGNORED_STATIC_VOTERS: Gauge, Count, Controller, "kafka.controller", "KafkaController", "IgnoredStaticVoters", [];
    /// Leaders elected from outside ISR and ELR, as this controller read them in the log since its start.
    UNCLEAN_LEADER_ELECTIONS: Meter, Count, Controller, "kafka.controller", "ControllerStats", "UncleanLeaderElectionsPerSec", [];
    /// Leaders elected from the eligible leader replicas, as this controller read them in the log since its start.
    ELECTIONS_FROM_ELR: Meter, Count, Controller, "kafka.controller", "ControllerStats", "ElectionFromEligibleLeaderReplicasPerSec", [];
    /// How long a request waited among the messages to this controller until it came to it; timers, which wait for nothing, do not count.
    EVENT_QUEUE_TIME: Histogram, Millis, Controller, "kafka.controller", "ControllerEventManager", "EventQueueTimeMs", [];
    /// How long this controller worked on a request or a timer.
    EVENT_QUEUE_PROCESSING_TIME: Histogram, Millis, Controller, "kafka.controller", "ControllerEventManager", "EventQueueProcessingTimeMs", [];
    /// Share of the time that this controller's thread had nothing to do, since the reading before.
    AVG_IDLE_RATIO: Gauge, Ratio, Controller, "kafka.controller", "ControllerEventManager", "AvgIdleRatio", [];
    /// Share of the time that this controller's thread had nothing to do.
    REQUEST_HANDLER_IDLE: Meter, Ratio, Controller, "kafka.server", "KafkaRequestHandlerPool", "ControllerRequestHandlerAvgIdlePercent", [];
}
