//! Every metric that MSK's documents name is either computed or left out with a reason.

use std::collections::BTreeSet;

use super::catalog::{self, LEFT_OUT, Level};
use super::store::Dimension;

/// (name, kind of MSK, level) of all 160 that the documents name.
const NAMED: &[(&str, &str, &str)] = &[
    ("ActiveControllerCount", "Standard", "DEFAULT"),
    ("BurstBalance", "Standard", "DEFAULT"),
    ("BytesInPerSec", "Standard", "DEFAULT"),
    ("BytesOutPerSec", "Standard", "DEFAULT"),
    ("ClientConnectionCount", "Standard", "DEFAULT"),
    ("ConnectionCount", "Standard", "DEFAULT"),
    ("CPUCreditBalance", "Standard", "DEFAULT"),
    ("CpuIdle", "Standard", "DEFAULT"),
    ("CpuIoWait", "Standard", "DEFAULT"),
    ("CpuSystem", "Standard", "DEFAULT"),
    ("CpuUser", "Standard", "DEFAULT"),
    ("GlobalPartitionCount", "Standard", "DEFAULT"),
    ("GlobalTopicCount", "Standard", "DEFAULT"),
    ("EstimatedMaxTimeLag", "Standard", "DEFAULT"),
    ("KafkaAppLogsDiskUsed", "Standard", "DEFAULT"),
    ("KafkaDataLogsDiskUsed", "Standard", "DEFAULT"),
    ("LeaderCount", "Standard", "DEFAULT"),
    ("MaxOffsetLag", "Standard", "DEFAULT"),
    ("MemoryBuffered", "Standard", "DEFAULT"),
    ("MemoryCached", "Standard", "DEFAULT"),
    ("MemoryFree", "Standard", "DEFAULT"),
    ("MemoryUsed", "Standard", "DEFAULT"),
    ("HeapMemoryAfterGC", "Standard", "DEFAULT"),
    ("MessagesInPerSec", "Standard", "DEFAULT"),
    ("NetworkRxDropped", "Standard", "DEFAULT"),
    ("NetworkRxErrors", "Standard", "DEFAULT"),
    ("NetworkRxPackets", "Standard", "DEFAULT"),
    ("NetworkTxDropped", "Standard", "DEFAULT"),
    ("NetworkTxErrors", "Standard", "DEFAULT"),
    ("NetworkTxPackets", "Standard", "DEFAULT"),
    ("OfflinePartitionsCount", "Standard", "DEFAULT"),
    ("PartitionCount", "Standard", "DEFAULT"),
    ("ProduceTotalTimeMsMean", "Standard", "DEFAULT"),
    ("RequestBytesMean", "Standard", "DEFAULT"),
    ("RequestTime", "Standard", "DEFAULT"),
    ("RollingEstimatedTimeLagMax", "Standard", "DEFAULT"),
    ("RootDiskUsed", "Standard", "DEFAULT"),
    ("StorageUsed", "Standard", "DEFAULT"),
    ("SumOffsetLag", "Standard", "DEFAULT"),
    ("SwapFree", "Standard", "DEFAULT"),
    ("SwapUsed", "Standard", "DEFAULT"),
    ("TrafficShaping", "Standard", "DEFAULT"),
    ("UnderMinIsrPartitionCount", "Standard", "DEFAULT"),
    ("UnderReplicatedPartitions", "Standard", "DEFAULT"),
    ("UserPartitionExists", "Standard", "DEFAULT"),
    ("ZooKeeperRequestLatencyMsMean", "Standard", "DEFAULT"),
    ("ZooKeeperSessionState", "Standard", "DEFAULT"),
    ("NetworkRxThroughput", "Standard", "DEFAULT"),
    ("NetworkTxThroughput", "Standard", "DEFAULT"),
    ("BwInAllowanceExceeded", "Standard", "PER_BROKER"),
    ("BwOutAllowanceExceeded", "Standard", "PER_BROKER"),
    ("ConnTrackAllowanceExceeded", "Standard", "PER_BROKER"),
    ("PpsAllowanceExceeded", "Standard", "PER_BROKER"),
    ("ConnectionCloseRate", "Standard", "PER_BROKER"),
    ("ConnectionCreationRate", "Standard", "PER_BROKER"),
    ("CpuCreditUsage", "Standard", "PER_BROKER"),
    ("FetchConsumerLocalTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchConsumerRequestQueueTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchConsumerResponseQueueTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchConsumerResponseSendTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchConsumerTotalTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchFollowerLocalTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchFollowerRequestQueueTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchFollowerResponseQueueTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchFollowerResponseSendTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchFollowerTotalTimeMsMean", "Standard", "PER_BROKER"),
    ("ProduceLocalTimeMsMean", "Standard", "PER_BROKER"),
    ("ProduceRequestQueueTimeMsMean", "Standard", "PER_BROKER"),
    ("ProduceResponseQueueTimeMsMean", "Standard", "PER_BROKER"),
    ("ProduceResponseSendTimeMsMean", "Standard", "PER_BROKER"),
    ("ProduceTotalTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchMessageConversionsPerSec", "Standard", "PER_BROKER"),
    ("ProduceMessageConversionsPerSec", "Standard", "PER_BROKER"),
    ("ProduceMessageConversionsTimeMsMean", "Standard", "PER_BROKER"),
    ("FetchThrottleByteRate", "Standard", "PER_BROKER"),
    ("FetchThrottleQueueSize", "Standard", "PER_BROKER"),
    ("FetchThrottleTime", "Standard", "PER_BROKER"),
    ("ProduceThrottleByteRate", "Standard", "PER_BROKER"),
    ("ProduceThrottleQueueSize", "Standard", "PER_BROKER"),
    ("ProduceThrottleTime", "Standard", "PER_BROKER"),
    ("IAMNumberOfConnectionRequests", "Standard", "PER_BROKER"),
    ("IAMTooManyConnections", "Standard", "PER_BROKER"),
    ("KafkaFileDescriptorsUsagePercent", "Standard", "PER_BROKER"),
    ("KafkaMemoryMappedFilesUsagePercent", "Standard", "PER_BROKER"),
    ("NetworkProcessorAvgIdlePercent", "Standard", "PER_BROKER"),
    ("ReplicationBytesInPerSec", "Standard", "PER_BROKER"),
    ("ReplicationBytesOutPerSec", "Standard", "PER_BROKER"),
    ("RequestExemptFromThrottleTime", "Standard", "PER_BROKER"),
    ("RequestHandlerAvgIdlePercent", "Standard", "PER_BROKER"),
    ("RequestThrottleQueueSize", "Standard", "PER_BROKER"),
    ("RequestThrottleTime", "Standard", "PER_BROKER"),
    ("TcpConnections", "Standard", "PER_BROKER"),
    ("TrafficBytes", "Standard", "PER_BROKER"),
    ("VolumeQueueLength", "Standard", "PER_BROKER"),
    ("VolumeReadBytes", "Standard", "PER_BROKER"),
    ("VolumeReadOps", "Standard", "PER_BROKER"),
    ("VolumeTotalReadTime", "Standard", "PER_BROKER"),
    ("VolumeWriteBytes", "Standard", "PER_BROKER"),
    ("VolumeWriteOps", "Standard", "PER_BROKER"),
    ("VolumeTotalWriteTime", "Standard", "PER_BROKER"),
    ("RemoteFetchBytesPerSec", "Standard", "PER_BROKER"),
    ("RemoteFetchBytesPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("RemoteCopyBytesPerSec", "Standard", "PER_BROKER"),
    ("RemoteCopyBytesPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("RemoteFetchErrorsPerSec", "Standard", "PER_BROKER"),
    ("RemoteFetchErrorsPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("RemoteFetchRequestsPerSec", "Standard", "PER_BROKER"),
    ("RemoteFetchRequestsPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("RemoteCopyErrorsPerSec", "Standard", "PER_BROKER"),
    ("RemoteCopyErrorsPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("RemoteLogSizeBytes", "Standard", "PER_BROKER"),
    ("RemoteLogSizeBytes", "Standard", "PER_TOPIC_PER_BROKER"),
    ("RemoteCopyLagBytes", "Standard", "PER_BROKER"),
    ("RemoteLogManagerTasksAvgIdlePercent", "Standard", "PER_BROKER"),
    ("RemoteLogReaderAvgIdlePercent", "Standard", "PER_BROKER"),
    ("RemoteLogReaderTaskQueueSize", "Standard", "PER_BROKER"),
    ("FetchMessageConversionsPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("MessagesInPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("ProduceMessageConversionsPerSec", "Standard", "PER_TOPIC_PER_BROKER"),
    ("EstimatedTimeLag", "Standard", "PER_TOPIC_PER_PARTITION"),
    ("OffsetLag", "Standard", "PER_TOPIC_PER_PARTITION"),
    ("RollingEstimatedTimeLag", "Standard", "PER_TOPIC_PER_PARTITION"),
    ("BytesInPerSec", "Serverless", ""),
    ("BytesOutPerSec", "Serverless", ""),
    ("FetchMessageConversionsPerSec", "Serverless", ""),
    ("MaxEstimatedTimeLag", "Serverless", ""),
    ("MaxOffsetLag", "Serverless", ""),
    ("MessagesInPerSec", "Serverless", ""),
    ("ProduceMessageConversionsPerSec", "Serverless", ""),
    ("SumOffsetLag", "Serverless", ""),
    ("BytesInPerSec", "MSK Connect", ""),
    ("BytesOutPerSec", "MSK Connect", ""),
    ("CpuUtilization", "MSK Connect", ""),
    ("ErroredTaskCount", "MSK Connect", ""),
    ("MemoryUtilization", "MSK Connect", ""),
    ("RebalanceCompletedTotal", "MSK Connect", ""),
    ("RebalanceTimeAvg", "MSK Connect", ""),
    ("RebalanceTimeMax", "MSK Connect", ""),
    ("RebalanceTimeSinceLast", "MSK Connect", ""),
    ("RunningTaskCount", "MSK Connect", ""),
    ("SinkRecordReadRate", "MSK Connect", ""),
    ("SinkRecordSendRate", "MSK Connect", ""),
    ("SourceRecordPollRate", "MSK Connect", ""),
    ("SourceRecordWriteRate", "MSK Connect", ""),
    ("TaskStartupAttemptsTotal", "MSK Connect", ""),
    ("TaskStartupSuccessPercentage", "MSK Connect", ""),
    ("WorkerCount", "MSK Connect", ""),
    ("SinkConsumerByteRate", "MSK Connect", ""),
    ("ReplicationLatency", "MSK Replicator", ""),
    ("MessageLag", "MSK Replicator", ""),
    ("ReplicatorBytesInPerSec", "MSK Replicator", ""),
    ("ReplicatorThroughput", "MSK Replicator", ""),
    ("ReplicationFailures", "MSK Replicator", ""),
    ("AuthError", "MSK Replicator", ""),
    ("ThrottleTime", "MSK Replicator", ""),
    ("ReplicatorFailure", "MSK Replicator", ""),
    ("KafkaClusterPingSuccessCount", "MSK Replicator", ""),
    ("ConsumerGroupCount", "MSK Replicator", ""),
    ("ConsumerGroupOffsetSyncFailure", "MSK Replicator", ""),
    ("OffsetLag", "MSK Replicator", ""),
];

#[test]
fn every_metric_is_computed_or_left_out_with_a_reason() {
    assert_eq!(NAMED.len(), 160);
    let is_left_out =
        |name: &str, kind: &str| LEFT_OUT.iter().any(|left| left.kind == kind && left.names.contains(&name));
    for (name, kind, level) in NAMED {
        let level: Option<Level> = level.parse().ok();
        let rows = || catalog::all().filter(|row| *kind == "Standard" && row.name == *name);
        let computed = rows().any(|row| level.is_some_and(|level| row.level <= level));
        assert_ne!(computed, is_left_out(name, kind), "{name} of {kind}");
    }
    let named = |name: &str, kind: &str| NAMED.iter().any(|(one, of, _)| *one == name && *of == kind);
    assert!(catalog::all().all(|row| named(row.name, "Standard")));
    for left in LEFT_OUT {
        assert!(left.names.iter().all(|name| named(name, left.kind)), "{left:?}");
        assert!(left.reason.ends_with('.') && !left.reason.contains('\n'), "{left:?}");
    }
}

#[test]
fn rows_are_told_apart_and_say_what_they_are() {
    let mut seen = BTreeSet::new();
    for row in catalog::all() {
        assert!(seen.insert((row.name, row.dimensions())), "{} is there twice", row.name);
        assert!(row.meaning.ends_with('.'), "{}", row.name);
        assert_eq!(row.is_simulated, row.meaning.starts_with("Simulated: "), "{}", row.name);
        assert_eq!(row.dimensions()[0], Dimension::ClusterName);
        assert_eq!(row.prometheus.is_some(), row.promql.is_some());
    }
}

#[test]
fn the_seeds_are_thirteen_and_all_there_at_the_default_level() {
    let names: BTreeSet<&str> = catalog::all().filter(|row| row.is_seed).map(|row| row.name).collect();
    let expected = [
        "ActiveControllerCount",
        "FetchConsumerTotalTimeMsMean",
        "GlobalPartitionCount",
        "GlobalTopicCount",
        "KafkaAppLogsDiskUsed",
        "KafkaDataLogsDiskUsed",
        "LeaderCount",
        "OfflinePartitionsCount",
        "PartitionCount",
        "ProduceTotalTimeMsMean",
        "RootDiskUsed",
        "UnderMinIsrPartitionCount",
        "UnderReplicatedPartitions",
    ];
    assert_eq!(names, expected.into());
    let level = super::watch::CloudwatchView::default().level;
    assert!(catalog::all().filter(|row| row.is_seed).all(|row| row.level <= level));
}
