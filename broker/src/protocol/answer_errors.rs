//! Which error codes an answer carries, of the whole and of its parts.
//!
//! Source: `org.apache.kafka.common.requests.AbstractResponse.errorCounts`.

use super::api::Response;

macro_rules! visit {
    ($visitor:ident, $at:expr;) => {};
    ($visitor:ident, $at:expr; error $($rest:tt)*) => {
        $visitor($at.error_code);
        visit!($visitor, $at; $($rest)*);
    };
    ($visitor:ident, $at:expr; maybe $list:ident { $($inner:tt)* } $($rest:tt)*) => {
        for part in $at.$list.iter().flatten() {
            visit!($visitor, part; $($inner)*);
        }
        visit!($visitor, $at; $($rest)*);
    };
    ($visitor:ident, $at:expr; $list:ident { $($inner:tt)* } $($rest:tt)*) => {
        for part in &$at.$list {
            visit!($visitor, part; $($inner)*);
        }
        visit!($visitor, $at; $($rest)*);
    };
}

macro_rules! errors {
    ($($name:ident [$($path:tt)*])+) => {
        impl Response {
            /// Calls `visitor` with each error code, 0 where there is no error.
            pub fn for_each_error(&self, mut visitor: impl FnMut(i16)) {
                match self {
                    $(Response::$name(body) => {
                        visit!(visitor, body; $($path)*);
                    })+
                }
            }
        }
    };
}

errors! {
    Produce [responses { partition_responses { error } }]
    Fetch [error responses { partitions { error } }]
    ListOffsets [topics { partitions { error } }]
    Metadata [topics { error partitions { error } } error]
    OffsetCommit [topics { partitions { error } }]
    OffsetFetch [topics { partitions { error } } error groups { topics { partitions { error } } error }]
    FindCoordinator [error coordinators { error }]
    JoinGroup [error]
    Heartbeat [error]
    LeaveGroup [error members { error }]
    SyncGroup [error]
    DescribeGroups [groups { error }]
    ListGroups [error]
    ApiVersions [error]
    CreateTopics [topics { error }]
    DeleteTopics [responses { error }]
    DeleteRecords [topics { partitions { error } }]
    InitProducerId [error]
    OffsetForLeaderEpoch [topics { partitions { error } }]
    AddPartitionsToTxn [error]
    AddOffsetsToTxn [error]
    EndTxn [error]
    WriteTxnMarkers [markers { topics { partitions { error } } }]
    TxnOffsetCommit [topics { partitions { error } }]
    DescribeConfigs [results { error }]
    AlterConfigs [responses { error }]
    AlterReplicaLogDirs [results { partitions { error } }]
    DescribeLogDirs [error results { error }]
    CreatePartitions [results { error }]
    DeleteGroups [results { error }]
    ElectLeaders [error replica_election_results { partition_result { error } }]
    IncrementalAlterConfigs [responses { error }]
    AlterPartitionReassignments [error responses { partitions { error } }]
    ListPartitionReassignments [error]
    OffsetDelete [error topics { partitions { error } }]
    DescribeClientQuotas [error]
    AlterClientQuotas [entries { error }]
    DescribeQuorum [error topics { partitions { error } }]
    UpdateFeatures [error results { error }]
    DescribeCluster [error]
    DescribeProducers [topics { partitions { error } }]
    UnregisterBroker [error]
    DescribeTransactions [transaction_states { error }]
    ListTransactions [error]
    ConsumerGroupHeartbeat [error]
    ConsumerGroupDescribe [groups { error }]
    GetTelemetrySubscriptions [error]
    PushTelemetry [error]
    ListConfigResources [error]
    DescribeTopicPartitions [topics { error partitions { error } }]
    ShareGroupHeartbeat [error]
    ShareGroupDescribe [groups { error }]
    ShareFetch [error responses { partitions { error } }]
    ShareAcknowledge [error responses { partitions { error } }]
    AddRaftVoter [error]
    RemoveRaftVoter [error]
    StreamsGroupHeartbeat [error]
    StreamsGroupDescribe [groups { error }]
    DescribeShareGroupOffsets [groups { topics { partitions { error } } error }]
    AlterShareGroupOffsets [error responses { partitions { error } }]
    DeleteShareGroupOffsets [error responses { error }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use crate::protocol::messages::{FetchResponseData, HeartbeatResponseData};

    fn errors(response: impl Into<Response>) -> Vec<i16> {
        let mut errors = Vec::new();
        response.into().for_each_error(|error| errors.push(error));
        errors
    }

    #[test]
    fn all_levels_are_visited() {
        assert_eq!(errors(HeartbeatResponseData { error_code: 27, ..HeartbeatResponseData::default() }), [27]);
        let part = |error_code| PartitionData { error_code, ..PartitionData::default() };
        let topic = FetchableTopicResponse { partitions: vec![part(0), part(1)], ..FetchableTopicResponse::default() };
        let fetched = FetchResponseData { responses: vec![topic], error_code: 70, ..FetchResponseData::default() };
        assert_eq!(errors(fetched), [70, 0, 1]);
    }
}
