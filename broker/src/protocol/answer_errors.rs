//! Which error codes an answer carries, of the whole and of its parts.
//!
//! Source: `org.apache.kafka.common.requests.AbstractResponse.errorCounts`.

use super::api::Response;

/// `error`: a code, whatever it is; `failed`: one that counts only if it is none of 0; `code`: one in a field of another name; `since`, `below`:
/// only in these versions; all others: lists.
macro_rules! visit {
    ($visitor:ident, $version:ident, $at:expr;) => {};
    ($visitor:ident, $version:ident, $at:expr; error $($rest:tt)*) => {
        visit!($visitor, $version, $at; code error_code $($rest)*);
    };
    ($visitor:ident, $version:ident, $at:expr; failed $($rest:tt)*) => {
        if $at.error_code != 0 {
            $visitor($at.error_code);
        }
        visit!($visitor, $version, $at; $($rest)*);
    };
    ($visitor:ident, $version:ident, $at:expr; code $field:ident $($rest:tt)*) => {
        $visitor($at.$field);
        visit!($visitor, $version, $at; $($rest)*);
    };
    ($visitor:ident, $version:ident, $at:expr; since $first:literal { $($inner:tt)* } $($rest:tt)*) => {
        if $version >= $first {
            visit!($visitor, $version, $at; $($inner)*);
        }
        visit!($visitor, $version, $at; $($rest)*);
    };
    ($visitor:ident, $version:ident, $at:expr; below $first:literal { $($inner:tt)* } $($rest:tt)*) => {
        if $version < $first {
            visit!($visitor, $version, $at; $($inner)*);
        }
        visit!($visitor, $version, $at; $($rest)*);
    };
    ($visitor:ident, $version:ident, $at:expr; $list:ident { $($inner:tt)* } $($rest:tt)*) => {
        for part in &$at.$list {
            visit!($visitor, $version, part; $($inner)*);
        }
        visit!($visitor, $version, $at; $($rest)*);
    };
}

macro_rules! errors {
    ($($name:ident [$($path:tt)*])+) => {
        impl Response {
            /// Calls `visitor` with each error code of an answer of this version, 0 where there is no error: those that Kafka counts.
            pub fn for_each_error(&self, version: i16, mut visitor: impl FnMut(i16)) {
                match self {
                    $(Response::$name(body) => {
                        visit!(visitor, version, body; $($path)*);
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
    Metadata [topics { error partitions { error } }]
    OffsetCommit [topics { partitions { error } }]
    OffsetFetch [
        since 2 { below 8 { error } }
        below 8 { topics { partitions { error } } }
        since 8 { groups { topics { partitions { error } } error } }
    ]
    FindCoordinator [below 4 { error } since 4 { coordinators { error } }]
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
    AddPartitionsToTxn [
        below 4 { results_by_topic_v3_and_below { results_by_partition { code partition_error_code } } }
        since 4 { error results_by_transaction { topic_results { results_by_partition { code partition_error_code } } } }
    ]
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
    UnregisterBroker [failed]
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
    AddRaftVoter [failed]
    RemoveRaftVoter [failed]
    StreamsGroupHeartbeat [error]
    StreamsGroupDescribe [groups { error }]
    DescribeShareGroupOffsets [groups { topics { partitions { error } } failed }]
    AlterShareGroupOffsets [error responses { partitions { error } }]
    DeleteShareGroupOffsets [error responses { error }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use crate::protocol::messages::find_coordinator_response::Coordinator;
    use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
    use crate::protocol::messages::*;

    fn errors(version: i16, response: impl Into<Response>) -> Vec<i16> {
        let mut errors = Vec::new();
        response.into().for_each_error(version, |error| errors.push(error));
        errors
    }

    #[test]
    fn all_levels_are_visited() {
        assert_eq!(errors(4, HeartbeatResponseData { error_code: 27, ..HeartbeatResponseData::default() }), [27]);
        let part = |error_code| PartitionData { error_code, ..PartitionData::default() };
        let topic = FetchableTopicResponse { partitions: vec![part(0), part(1)], ..FetchableTopicResponse::default() };
        let fetched = FetchResponseData { responses: vec![topic], error_code: 70, ..FetchResponseData::default() };
        assert_eq!(errors(13, fetched), [70, 0, 1]);
    }

    /// By `errorCounts` of `OffsetFetchResponse`, `FindCoordinatorResponse`, `AddPartitionsToTxnResponse`, `AddRaftVoterResponse`.
    #[test]
    fn what_a_version_has_not_does_not_count() {
        let group = OffsetFetchResponseGroup { error_code: 15, ..OffsetFetchResponseGroup::default() };
        let offsets = OffsetFetchResponseData { error_code: 16, groups: vec![group], ..Default::default() };
        for (version, expected) in [(1, vec![]), (2, vec![16]), (7, vec![16]), (8, vec![15])] {
            assert_eq!(errors(version, offsets.clone()), expected, "version {version}");
        }
        let coordinators = [0, 15].map(|error_code| Coordinator { error_code, ..Coordinator::default() }).to_vec();
        let found = FindCoordinatorResponseData { coordinators, error_code: 14, ..Default::default() };
        assert_eq!((errors(3, found.clone()), errors(4, found)), (vec![14], vec![0, 15]));
        let part = |code| AddPartitionsToTxnPartitionResult { partition_error_code: code, ..Default::default() };
        let topic = AddPartitionsToTxnTopicResult {
            results_by_partition: vec![part(0), part(48)],
            ..AddPartitionsToTxnTopicResult::default()
        };
        let result = AddPartitionsToTxnResult { topic_results: vec![topic.clone()], ..Default::default() };
        let old = AddPartitionsToTxnResponseData { results_by_topic_v3_and_below: vec![topic], ..Default::default() };
        let new = AddPartitionsToTxnResponseData { results_by_transaction: vec![result], ..Default::default() };
        assert_eq!((errors(3, old), errors(5, new)), (vec![0, 48], vec![0, 0, 48]));
        let voted = |error_code| AddRaftVoterResponseData { error_code, ..Default::default() };
        assert_eq!((errors(0, voted(0)), errors(0, voted(41))), (vec![], vec![41]));
    }
}
