//! MSK's metrics that are not here, and why.

/// Metrics that are left out for one reason.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// Which kind of MSK has them: its standard clusters, or another.
    pub kind: &'static str,
    /// Their names.
    pub names: &'static [&'static str],
    /// Why, in one sentence.
    pub reason: &'static str,
}

/// All that are left out.
pub static LEFT_OUT: &[LeftOut] = &[
    LeftOut {
        kind: "Standard",
        names: &["ClientConnectionCount"],
        reason: "It counts authenticated connections by kind, and no listener authenticates clients yet; ConnectionCount has all of them.",
    },
    LeftOut {
        kind: "Standard",
        names: &["HeapMemoryAfterGC"],
        reason: "There is no JVM and no garbage collection; MemoryUsed tells the program's memory.",
    },
    LeftOut {
        kind: "Standard",
        names: &[
            "NetworkRxDropped",
            "NetworkRxErrors",
            "NetworkRxPackets",
            "NetworkTxDropped",
            "NetworkTxErrors",
            "NetworkTxPackets",
            "TcpConnections",
        ],
        reason: "Packets are counted by network interface, and all brokers and clients share the machine's loopback.",
    },
    LeftOut {
        kind: "Standard",
        names: &[
            "TrafficShaping",
            "BwInAllowanceExceeded",
            "BwOutAllowanceExceeded",
            "ConnTrackAllowanceExceeded",
            "PpsAllowanceExceeded",
        ],
        reason: "No instance's network allowance is imposed on brokers here, so that nothing is ever shaped.",
    },
    LeftOut {
        kind: "Standard",
        names: &["ZooKeeperRequestLatencyMsMean", "ZooKeeperSessionState"],
        reason: "There is no ZooKeeper: the metadata quorum stands in its place.",
    },
    LeftOut {
        kind: "Standard",
        names: &["IAMNumberOfConnectionRequests", "IAMTooManyConnections"],
        reason: "There is no listener with IAM authentication.",
    },
    LeftOut {
        kind: "Standard",
        names: &[
            "RemoteFetchBytesPerSec",
            "RemoteCopyBytesPerSec",
            "RemoteFetchErrorsPerSec",
            "RemoteFetchRequestsPerSec",
            "RemoteCopyErrorsPerSec",
            "RemoteLogSizeBytes",
            "RemoteCopyLagBytes",
            "RemoteLogManagerTasksAvgIdlePercent",
            "RemoteLogReaderAvgIdlePercent",
            "RemoteLogReaderTaskQueueSize",
        ],
        reason: "There is no tiered storage.",
    },
    LeftOut {
        kind: "Standard",
        names: &["FetchMessageConversionsPerSec"],
        reason: "Records are given as they are stored.",
    },
    LeftOut {
        kind: "Standard",
        names: &[
            "VolumeQueueLength",
            "VolumeReadBytes",
            "VolumeReadOps",
            "VolumeTotalReadTime",
            "VolumeWriteBytes",
            "VolumeWriteOps",
            "VolumeTotalWriteTime",
        ],
        reason: "The kernel counts these by disk, and brokers share the machine's disks and page cache.",
    },
    LeftOut {
        kind: "Serverless",
        names: &[
            "BytesInPerSec",
            "BytesOutPerSec",
            "FetchMessageConversionsPerSec",
            "MaxEstimatedTimeLag",
            "MaxOffsetLag",
            "MessagesInPerSec",
            "ProduceMessageConversionsPerSec",
            "SumOffsetLag",
        ],
        reason: "Only serverless clusters have these, by topic without a broker; the same is here by broker, and EstimatedMaxTimeLag for the time.",
    },
    LeftOut {
        kind: "MSK Connect",
        names: &[
            "BytesInPerSec",
            "BytesOutPerSec",
            "CpuUtilization",
            "ErroredTaskCount",
            "MemoryUtilization",
            "RebalanceCompletedTotal",
            "RebalanceTimeAvg",
            "RebalanceTimeMax",
            "RebalanceTimeSinceLast",
            "RunningTaskCount",
            "SinkRecordReadRate",
            "SinkRecordSendRate",
            "SourceRecordPollRate",
            "SourceRecordWriteRate",
            "TaskStartupAttemptsTotal",
            "TaskStartupSuccessPercentage",
            "WorkerCount",
            "SinkConsumerByteRate",
        ],
        reason: "There are no connectors here.",
    },
    LeftOut {
        kind: "MSK Replicator",
        names: &[
            "ReplicationLatency",
            "MessageLag",
            "ReplicatorBytesInPerSec",
            "ReplicatorThroughput",
            "ReplicationFailures",
            "AuthError",
            "ThrottleTime",
            "ReplicatorFailure",
            "KafkaClusterPingSuccessCount",
            "ConsumerGroupCount",
            "ConsumerGroupOffsetSyncFailure",
            "OffsetLag",
        ],
        reason: "There is no replicator between clusters here.",
    },
];
