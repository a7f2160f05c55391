//! The one table of offered APIs. What stands here is decoded, dispatched and advertised; nothing else is.
//!
//! Source: `org.apache.kafka.common.protocol.ApiKeys` and the message definitions of Kafka 4.3.

use bytes::{Bytes, BytesMut};
use kacrab_protocol::{Result, generated as messages};

macro_rules! apis {
    ($($name:ident = $key:literal, $min:literal..=$max:literal, flexible $flexible:literal, $request:ident, $response:ident;)+) => {
        /// An API that is offered to clients.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Api {
            $(#[doc = concat!("`", stringify!($name), "`, API key ", stringify!($key), ", versions ", stringify!($min), " to ", stringify!($max), ".")]
            $name = $key,)+
        }

        impl Api {
            /// All offered APIs, by key.
            pub const ALL: &'static [Api] = &[$(Api::$name),+];

            /// The API of this key, if it is offered.
            pub fn from_key(key: i16) -> Option<Api> {
                match key {
                    $($key => Some(Api::$name),)+
                    _ => None,
                }
            }

            /// Number on the wire.
            pub fn key(self) -> i16 {
                match self { $(Api::$name => $key,)+ }
            }

            /// Kafka's name of it, as in its metrics.
            pub fn name(self) -> &'static str {
                match self { $(Api::$name => stringify!($name),)+ }
            }

            /// Oldest version that is answered.
            pub fn min_version(self) -> i16 {
                match self { $(Api::$name => $min,)+ }
            }

            /// Newest version that is answered.
            pub fn max_version(self) -> i16 {
                match self { $(Api::$name => $max,)+ }
            }

            fn first_flexible_version(self) -> i16 {
                match self { $(Api::$name => $flexible,)+ }
            }
        }

        /// A request of a client.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Request {
            $(#[doc = concat!("`", stringify!($name), "`.")]
            $name(messages::$request),)+
        }

        impl Request {
            /// Which API it is of.
            pub fn api(&self) -> Api {
                match self { $(Request::$name(_) => Api::$name,)+ }
            }

            /// Reads a request's body.
            pub(super) fn read(api: Api, body: &mut Bytes, version: i16) -> Result<Request> {
                Ok(match api { $(Api::$name => Request::$name(messages::$request::read(body, version)?),)+ })
            }

            /// Writes a request's body.
            pub(super) fn write(&self, out: &mut BytesMut, version: i16) -> Result<()> {
                match self { $(Request::$name(body) => body.write(out, version),)+ }
            }

            /// Bytes that the body takes.
            pub(super) fn encoded_len(&self, version: i16) -> Result<usize> {
                match self { $(Request::$name(body) => body.encoded_len(version),)+ }
            }
        }

        $(impl From<messages::$request> for Request {
            fn from(body: messages::$request) -> Request {
                Request::$name(body)
            }
        })+

        $(impl Call for messages::$request {
            const API: Api = Api::$name;
            type Answer = messages::$response;

            fn answer(response: Response) -> Option<Self::Answer> {
                match response {
                    Response::$name(body) => Some(body),
                    _ => None,
                }
            }
        })+

        /// An answer to a client.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Response {
            $(#[doc = concat!("`", stringify!($name), "`.")]
            $name(messages::$response),)+
        }

        impl Response {
            /// Which API it is of.
            pub fn api(&self) -> Api {
                match self { $(Response::$name(_) => Api::$name,)+ }
            }

            /// Reads a response's body.
            pub(super) fn read(api: Api, body: &mut Bytes, version: i16) -> Result<Response> {
                Ok(match api { $(Api::$name => Response::$name(messages::$response::read(body, version)?),)+ })
            }

            /// Writes a response's body.
            pub(super) fn write(&self, out: &mut BytesMut, version: i16) -> Result<()> {
                match self { $(Response::$name(body) => body.write(out, version),)+ }
            }

            /// Bytes that the body takes.
            pub(super) fn encoded_len(&self, version: i16) -> Result<usize> {
                match self { $(Response::$name(body) => body.encoded_len(version),)+ }
            }
        }

        $(impl From<messages::$response> for Response {
            fn from(body: messages::$response) -> Response {
                Response::$name(body)
            }
        })+
    };
}

apis! {
    Produce = 0, 3..=13, flexible 9, ProduceRequestData, ProduceResponseData;
    Fetch = 1, 4..=18, flexible 12, FetchRequestData, FetchResponseData;
    ListOffsets = 2, 1..=11, flexible 6, ListOffsetsRequestData, ListOffsetsResponseData;
    Metadata = 3, 0..=13, flexible 9, MetadataRequestData, MetadataResponseData;
    OffsetCommit = 8, 2..=10, flexible 8, OffsetCommitRequestData, OffsetCommitResponseData;
    OffsetFetch = 9, 1..=10, flexible 6, OffsetFetchRequestData, OffsetFetchResponseData;
    FindCoordinator = 10, 0..=6, flexible 3, FindCoordinatorRequestData, FindCoordinatorResponseData;
    JoinGroup = 11, 0..=9, flexible 6, JoinGroupRequestData, JoinGroupResponseData;
    Heartbeat = 12, 0..=4, flexible 4, HeartbeatRequestData, HeartbeatResponseData;
    LeaveGroup = 13, 0..=5, flexible 4, LeaveGroupRequestData, LeaveGroupResponseData;
    SyncGroup = 14, 0..=5, flexible 4, SyncGroupRequestData, SyncGroupResponseData;
    DescribeGroups = 15, 0..=6, flexible 5, DescribeGroupsRequestData, DescribeGroupsResponseData;
    ListGroups = 16, 0..=5, flexible 3, ListGroupsRequestData, ListGroupsResponseData;
    ApiVersions = 18, 0..=4, flexible 3, ApiVersionsRequestData, ApiVersionsResponseData;
    CreateTopics = 19, 2..=7, flexible 5, CreateTopicsRequestData, CreateTopicsResponseData;
    DeleteTopics = 20, 1..=6, flexible 4, DeleteTopicsRequestData, DeleteTopicsResponseData;
    DeleteRecords = 21, 0..=2, flexible 2, DeleteRecordsRequestData, DeleteRecordsResponseData;
    InitProducerId = 22, 0..=5, flexible 2, InitProducerIdRequestData, InitProducerIdResponseData;
    OffsetForLeaderEpoch = 23, 2..=4, flexible 4, OffsetForLeaderEpochRequestData, OffsetForLeaderEpochResponseData;
    AddPartitionsToTxn = 24, 0..=5, flexible 3, AddPartitionsToTxnRequestData, AddPartitionsToTxnResponseData;
    AddOffsetsToTxn = 25, 0..=4, flexible 3, AddOffsetsToTxnRequestData, AddOffsetsToTxnResponseData;
    EndTxn = 26, 0..=5, flexible 3, EndTxnRequestData, EndTxnResponseData;
    WriteTxnMarkers = 27, 1..=2, flexible 1, WriteTxnMarkersRequestData, WriteTxnMarkersResponseData;
    TxnOffsetCommit = 28, 0..=5, flexible 3, TxnOffsetCommitRequestData, TxnOffsetCommitResponseData;
    DescribeConfigs = 32, 1..=4, flexible 4, DescribeConfigsRequestData, DescribeConfigsResponseData;
    AlterConfigs = 33, 0..=2, flexible 2, AlterConfigsRequestData, AlterConfigsResponseData;
    AlterReplicaLogDirs = 34, 1..=2, flexible 2, AlterReplicaLogDirsRequestData, AlterReplicaLogDirsResponseData;
    DescribeLogDirs = 35, 1..=5, flexible 2, DescribeLogDirsRequestData, DescribeLogDirsResponseData;
    CreatePartitions = 37, 0..=3, flexible 2, CreatePartitionsRequestData, CreatePartitionsResponseData;
    DeleteGroups = 42, 0..=2, flexible 2, DeleteGroupsRequestData, DeleteGroupsResponseData;
    ElectLeaders = 43, 0..=2, flexible 2, ElectLeadersRequestData, ElectLeadersResponseData;
    IncrementalAlterConfigs = 44, 0..=1, flexible 1, IncrementalAlterConfigsRequestData, IncrementalAlterConfigsResponseData;
    AlterPartitionReassignments = 45, 0..=1, flexible 0, AlterPartitionReassignmentsRequestData, AlterPartitionReassignmentsResponseData;
    ListPartitionReassignments = 46, 0..=0, flexible 0, ListPartitionReassignmentsRequestData, ListPartitionReassignmentsResponseData;
    OffsetDelete = 47, 0..=0, flexible 1, OffsetDeleteRequestData, OffsetDeleteResponseData;
    DescribeClientQuotas = 48, 0..=1, flexible 1, DescribeClientQuotasRequestData, DescribeClientQuotasResponseData;
    AlterClientQuotas = 49, 0..=1, flexible 1, AlterClientQuotasRequestData, AlterClientQuotasResponseData;
    DescribeQuorum = 55, 0..=2, flexible 0, DescribeQuorumRequestData, DescribeQuorumResponseData;
    UpdateFeatures = 57, 0..=2, flexible 0, UpdateFeaturesRequestData, UpdateFeaturesResponseData;
    DescribeCluster = 60, 0..=2, flexible 0, DescribeClusterRequestData, DescribeClusterResponseData;
    DescribeProducers = 61, 0..=0, flexible 0, DescribeProducersRequestData, DescribeProducersResponseData;
    UnregisterBroker = 64, 0..=0, flexible 0, UnregisterBrokerRequestData, UnregisterBrokerResponseData;
    DescribeTransactions = 65, 0..=0, flexible 0, DescribeTransactionsRequestData, DescribeTransactionsResponseData;
    ListTransactions = 66, 0..=2, flexible 0, ListTransactionsRequestData, ListTransactionsResponseData;
    ConsumerGroupHeartbeat = 68, 0..=1, flexible 0, ConsumerGroupHeartbeatRequestData, ConsumerGroupHeartbeatResponseData;
    ConsumerGroupDescribe = 69, 0..=1, flexible 0, ConsumerGroupDescribeRequestData, ConsumerGroupDescribeResponseData;
    GetTelemetrySubscriptions = 71, 0..=0, flexible 0, GetTelemetrySubscriptionsRequestData, GetTelemetrySubscriptionsResponseData;
    PushTelemetry = 72, 0..=0, flexible 0, PushTelemetryRequestData, PushTelemetryResponseData;
    ListConfigResources = 74, 0..=1, flexible 0, ListConfigResourcesRequestData, ListConfigResourcesResponseData;
    DescribeTopicPartitions = 75, 0..=0, flexible 0, DescribeTopicPartitionsRequestData, DescribeTopicPartitionsResponseData;
    ShareGroupHeartbeat = 76, 1..=1, flexible 0, ShareGroupHeartbeatRequestData, ShareGroupHeartbeatResponseData;
    ShareGroupDescribe = 77, 1..=1, flexible 0, ShareGroupDescribeRequestData, ShareGroupDescribeResponseData;
    ShareFetch = 78, 1..=2, flexible 0, ShareFetchRequestData, ShareFetchResponseData;
    ShareAcknowledge = 79, 1..=2, flexible 0, ShareAcknowledgeRequestData, ShareAcknowledgeResponseData;
    AddRaftVoter = 80, 0..=1, flexible 0, AddRaftVoterRequestData, AddRaftVoterResponseData;
    RemoveRaftVoter = 81, 0..=0, flexible 0, RemoveRaftVoterRequestData, RemoveRaftVoterResponseData;
    StreamsGroupHeartbeat = 88, 0..=0, flexible 0, StreamsGroupHeartbeatRequestData, StreamsGroupHeartbeatResponseData;
    StreamsGroupDescribe = 89, 0..=0, flexible 0, StreamsGroupDescribeRequestData, StreamsGroupDescribeResponseData;
    DescribeShareGroupOffsets = 90, 0..=1, flexible 0, DescribeShareGroupOffsetsRequestData, DescribeShareGroupOffsetsResponseData;
    AlterShareGroupOffsets = 91, 0..=0, flexible 0, AlterShareGroupOffsetsRequestData, AlterShareGroupOffsetsResponseData;
    DeleteShareGroupOffsets = 92, 0..=0, flexible 0, DeleteShareGroupOffsetsRequestData, DeleteShareGroupOffsetsResponseData;
}

/// A request whose answer is known by its type: what our own clients ask with.
pub trait Call: Into<Request> {
    /// Which API it is of.
    const API: Api;
    /// What is answered.
    type Answer;

    /// The answer in a response; `None`: it answers something else.
    fn answer(response: Response) -> Option<Self::Answer>;
}

impl Api {
    /// True for a version that is answered.
    pub fn supports(self, version: i16) -> bool {
        (self.min_version()..=self.max_version()).contains(&version)
    }

    /// Oldest version in ApiVersions. Produce says 0 though 0 to 2 are refused: old librdkafka takes a higher minimum for a
    /// broker without compression (KAFKA-18659).
    pub fn advertised_min_version(self) -> i16 {
        if self == Api::Produce { 0 } else { self.min_version() }
    }

    /// True where lengths are varints and tagged fields follow.
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.first_flexible_version()
    }

    /// Version of the header in front of a request.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// Version of the header in front of a response. ApiVersions stays at 0: who reads it does not know our versions yet (KIP-511).
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self != Api::ApiVersions && self.is_flexible(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kacrab_protocol::version::{request_header_version, response_header_version};

    #[test]
    fn header_versions_are_those_of_the_message_definitions() {
        for api in Api::ALL {
            for version in api.min_version()..=api.max_version() {
                assert_eq!(api.request_header_version(version), request_header_version(api.key(), version), "{api:?}");
                assert_eq!(
                    api.response_header_version(version),
                    response_header_version(api.key(), version),
                    "{api:?}"
                );
            }
        }
    }

    #[test]
    fn keys_and_names() {
        for api in Api::ALL {
            assert_eq!(Api::from_key(api.key()), Some(*api));
            assert_eq!(format!("{api:?}"), api.name());
        }
        assert!(Api::ALL.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        // What is not offered: inter-broker requests never enter through a client's port.
        for key in [-1, 4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, i16::MAX] {
            assert_eq!(Api::from_key(key), None, "{key}");
        }
    }

    /// The column `valid_4_3` of Kafka's own list.
    #[test]
    fn versions_are_those_of_kafka_4_3() {
        let kafka: &[(i16, i16, i16)] = &[
            (0, 3, 13),
            (1, 4, 18),
            (2, 1, 11),
            (3, 0, 13),
            (8, 2, 10),
            (9, 1, 10),
            (10, 0, 6),
            (11, 0, 9),
            (12, 0, 4),
            (13, 0, 5),
            (14, 0, 5),
            (15, 0, 6),
            (16, 0, 5),
            (18, 0, 4),
            (19, 2, 7),
            (20, 1, 6),
            (21, 0, 2),
            (22, 0, 5),
            (23, 2, 4),
            (24, 0, 5),
            (25, 0, 4),
            (26, 0, 5),
            (27, 1, 2),
            (28, 0, 5),
            (32, 1, 4),
            (33, 0, 2),
            (34, 1, 2),
            (35, 1, 5),
            (37, 0, 3),
            (42, 0, 2),
            (43, 0, 2),
            (44, 0, 1),
            (45, 0, 1),
            (46, 0, 0),
            (47, 0, 0),
            (48, 0, 1),
            (49, 0, 1),
            (55, 0, 2),
            (57, 0, 2),
            (60, 0, 2),
            (61, 0, 0),
            (64, 0, 0),
            (65, 0, 0),
            (66, 0, 2),
            (68, 0, 1),
            (69, 0, 1),
            (71, 0, 0),
            (72, 0, 0),
            (74, 0, 1),
            (75, 0, 0),
            (76, 1, 1),
            (77, 1, 1),
            (78, 1, 2),
            (79, 1, 2),
            (80, 0, 1),
            (81, 0, 0),
            (88, 0, 0),
            (89, 0, 0),
            (90, 0, 1),
            (91, 0, 0),
            (92, 0, 0),
        ];
        let ours: Vec<_> = Api::ALL.iter().map(|api| (api.key(), api.min_version(), api.max_version())).collect();
        assert_eq!(ours, kafka);
        assert_eq!(Api::Produce.advertised_min_version(), 0);
        assert_eq!(Api::Fetch.advertised_min_version(), 4);
    }
}
