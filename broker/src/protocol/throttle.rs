//! Where answers tell how long a client was made to wait.
//!
//! Source: `org.apache.kafka.common.requests.AbstractResponse.maybeSetThrottleTimeMs`.

use super::api::Response;

macro_rules! throttle_times {
    ($($name:ident),+; without: $($without:ident),+) => {
        impl Response {
            /// Throttle time, ms. `None`: its message has no room for one; versions that have none leave it out.
            pub fn throttle_time_ms_mut(&mut self) -> Option<&mut i32> {
                match self {
                    $(Response::$name(body) => Some(&mut body.throttle_time_ms),)+
                    $(Response::$without(_) => None,)+
                }
            }
        }
    };
}

throttle_times! {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    OffsetCommit,
    OffsetFetch,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    LeaveGroup,
    SyncGroup,
    DescribeGroups,
    ListGroups,
    ApiVersions,
    CreateTopics,
    DeleteTopics,
    DeleteRecords,
    InitProducerId,
    OffsetForLeaderEpoch,
    AddPartitionsToTxn,
    AddOffsetsToTxn,
    EndTxn,
    TxnOffsetCommit,
    DescribeConfigs,
    AlterConfigs,
    AlterReplicaLogDirs,
    DescribeLogDirs,
    CreatePartitions,
    DeleteGroups,
    ElectLeaders,
    IncrementalAlterConfigs,
    AlterPartitionReassignments,
    ListPartitionReassignments,
    OffsetDelete,
    DescribeClientQuotas,
    AlterClientQuotas,
    UpdateFeatures,
    DescribeCluster,
    DescribeProducers,
    UnregisterBroker,
    DescribeTransactions,
    ListTransactions,
    ConsumerGroupHeartbeat,
    ConsumerGroupDescribe,
    GetTelemetrySubscriptions,
    PushTelemetry,
    ListConfigResources,
    DescribeTopicPartitions,
    ShareGroupHeartbeat,
    ShareGroupDescribe,
    ShareFetch,
    ShareAcknowledge,
    AddRaftVoter,
    RemoveRaftVoter,
    StreamsGroupHeartbeat,
    StreamsGroupDescribe,
    DescribeShareGroupOffsets,
    AlterShareGroupOffsets,
    DeleteShareGroupOffsets;
    without: DescribeQuorum, WriteTxnMarkers
}
