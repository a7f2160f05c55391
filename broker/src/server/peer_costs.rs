//! What a request between nodes would be on Kafka's wire, and which errors its answer carries. Nothing between nodes is encoded; this is for
//! the metrics that Kafka has of such requests.
//!
//! Source: `org.apache.kafka.common.protocol.ApiKeys`; `AbstractResponse.errorCounts`.

use super::peer::{PeerRequest, PeerResponse};
use crate::protocol::messages::FetchResponseData;
use crate::protocol::{Api, ErrorCode};
use crate::share_state::{StateRequest, StateResponse};

/// Kafka's name for what leaders ask about transactions without adding anything to them (AddPartitionsToTxn).
pub const VERIFICATION: &str = "AddPartitionsToTxnVerification";

/// A request as Kafka's metrics know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// API.
    pub name: &'static str,
    /// Its version: Kafka's nodes of one version speak the newest.
    pub version: i16,
    /// Size of the body.
    pub size_bytes: usize,
}

macro_rules! asked {
    ($name:literal, $version:expr, $data:expr) => {{
        let version = $version;
        Asked { name: $name, version, size_bytes: $data.encoded_len(version).unwrap_or(0) }
    }};
    ($api:ident, $data:expr) => {{
        let version = Api::$api.max_version();
        Asked { name: Api::$api.name(), version, size_bytes: $data.encoded_len(version).unwrap_or(0) }
    }};
}

/// `None`: it is no request of Kafka's.
pub fn asked(request: &PeerRequest) -> Option<Asked> {
    use PeerRequest as Ask;
    Some(match request.unmetered() {
        Ask::Fetch(data) => asked!(Fetch, data),
        Ask::OffsetForLeaderEpoch(data) => asked!(OffsetForLeaderEpoch, data),
        Ask::ListOffsets(data) => asked!(ListOffsets, data),
        Ask::AddPartitionsToTxn(data) if data.transactions.iter().all(|transaction| transaction.verify_only) => {
            Asked { name: VERIFICATION, ..asked!(AddPartitionsToTxn, data) }
        }
        Ask::AddPartitionsToTxn(data) => asked!(AddPartitionsToTxn, data),
        Ask::WriteTxnMarkers(data) => asked!(WriteTxnMarkers, data),
        Ask::ShareState(StateRequest::Initialize(data)) => asked!("InitializeShareGroupState", 0, data),
        Ask::ShareState(StateRequest::Read(data)) => asked!("ReadShareGroupState", 0, data),
        Ask::ShareState(StateRequest::Write(data)) => asked!("WriteShareGroupState", 1, data),
        Ask::ShareState(StateRequest::Delete(data)) => asked!("DeleteShareGroupState", 0, data),
        Ask::ShareState(StateRequest::Summary(data)) => asked!("ReadShareGroupStateSummary", 1, data),
        Ask::BrokerRegistration(data) => asked!("BrokerRegistration", 4, data),
        Ask::BrokerHeartbeat(data) => asked!("BrokerHeartbeat", 1, data),
        Ask::AlterPartition(data) => asked!("AlterPartition", 3, data),
        Ask::AssignReplicasToDirs(data) => asked!("AssignReplicasToDirs", 0, data),
        Ask::AllocateProducerIds(data) => asked!("AllocateProducerIds", 0, data),
        Ask::ControllerRegistration(data) => asked!("ControllerRegistration", 0, data),
        Ask::CreateTopics(data) => asked!(CreateTopics, data),
        Ask::DeleteTopics(data) => asked!(DeleteTopics, data),
        Ask::CreatePartitions(data) => asked!(CreatePartitions, data),
        Ask::IncrementalAlterConfigs(data) => asked!(IncrementalAlterConfigs, data),
        Ask::AlterConfigs(data) => asked!(AlterConfigs, data),
        Ask::AlterClientQuotas(data) => asked!(AlterClientQuotas, data),
        Ask::ElectLeaders(data) => asked!(ElectLeaders, data),
        Ask::AlterPartitionReassignments(data) => asked!(AlterPartitionReassignments, data),
        Ask::ListPartitionReassignments(data) => asked!(ListPartitionReassignments, data),
        Ask::UnregisterBroker(data) => asked!(UnregisterBroker, data),
        Ask::UpdateFeatures(data) => asked!(UpdateFeatures, data),
        Ask::AddRaftVoter(data) => asked!(AddRaftVoter, data),
        Ask::RemoveRaftVoter(data) => asked!(RemoveRaftVoter, data),
        Ask::DescribeQuorum(data) => asked!(DescribeQuorum, data),
        Ask::Metered { .. } | Ask::Rebalance(_) => return None,
    })
}

/// The API under whose name errors are counted.
pub fn api_name(asked: &Asked) -> &'static str {
    match asked.name {
        VERIFICATION => Api::AddPartitionsToTxn.name(),
        name => name,
    }
}

/// [`for_each_error`] of a follower's fetch.
pub fn for_each_error_of_fetch(data: &FetchResponseData, mut visit: impl FnMut(i16)) {
    visit(data.error_code);
    data.responses.iter().flat_map(|topic| &topic.partitions).for_each(|part| visit(part.error_code));
}

/// Calls `visit` with each error code of an answer, of the whole and of its parts, 0 where there is no error.
pub fn for_each_error(response: &PeerResponse, mut visit: impl FnMut(i16)) {
    use PeerResponse as Answer;
    macro_rules! each {
        ($list:expr) => {
            $list.iter().for_each(|part| visit(part.error_code))
        };
        ($list:expr, $inner:ident) => {
            $list.iter().flat_map(|part| &part.$inner).for_each(|part| visit(part.error_code))
        };
    }
    match response {
        Answer::BrokerRegistration(data) => visit(data.error_code),
        Answer::BrokerHeartbeat(data) => visit(data.error_code),
        Answer::AllocateProducerIds(data) => visit(data.error_code),
        Answer::ControllerRegistration(data) => visit(data.error_code),
        Answer::AssignReplicasToDirs(data) => visit(data.error_code),
        Answer::ListPartitionReassignments(data) => visit(data.error_code),
        Answer::UnregisterBroker(data) => failed(data.error_code).into_iter().for_each(visit),
        Answer::AddRaftVoter(data) => failed(data.error_code).into_iter().for_each(visit),
        Answer::RemoveRaftVoter(data) => failed(data.error_code).into_iter().for_each(visit),
        Answer::AddPartitionsToTxn(data) => {
            visit(data.error_code);
            let topics = data.results_by_transaction.iter().flat_map(|result| &result.topic_results);
            let parts = topics.flat_map(|topic| &topic.results_by_partition);
            parts.for_each(|part| visit(part.partition_error_code));
        }
        Answer::AlterPartition(data) => {
            visit(data.error_code);
            each!(data.topics, partitions);
        }
        Answer::UpdateFeatures(data) => {
            visit(data.error_code);
            each!(data.results);
        }
        Answer::AlterPartitionReassignments(data) => {
            visit(data.error_code);
            each!(data.responses, partitions);
        }
        Answer::ElectLeaders(data) => {
            visit(data.error_code);
            each!(data.replica_election_results, partition_result);
        }
        Answer::DescribeQuorum(data) => {
            visit(data.error_code);
            each!(data.topics, partitions);
        }
        Answer::CreateTopics(data) => each!(data.topics),
        Answer::DeleteTopics(data) => each!(data.responses),
        Answer::CreatePartitions(data) => each!(data.results),
        Answer::IncrementalAlterConfigs(data) => each!(data.responses),
        Answer::AlterConfigs(data) => each!(data.responses),
        Answer::AlterClientQuotas(data) => each!(data.entries),
        Answer::OffsetForLeaderEpoch(data) => each!(data.topics, partitions),
        Answer::ListOffsets(data) => each!(data.topics, partitions),
        Answer::WriteTxnMarkers(data) => {
            let topics = data.markers.iter().flat_map(|marker| &marker.topics);
            topics.flat_map(|topic| &topic.partitions).for_each(|part| visit(part.error_code));
        }
        Answer::ShareState(StateResponse::Initialize(data)) => each!(data.results, partitions),
        Answer::ShareState(StateResponse::Read(data)) => each!(data.results, partitions),
        Answer::ShareState(StateResponse::Write(data)) => each!(data.results, partitions),
        Answer::ShareState(StateResponse::Delete(data)) => each!(data.results, partitions),
        Answer::ShareState(StateResponse::Summary(data)) => each!(data.results, partitions),
        Answer::NotController { .. } => visit(ErrorCode::NotController.code()),
        Answer::Fetch(data) => for_each_error_of_fetch(data, visit),
        Answer::Rebalance(_) => {}
    }
}

/// Some answers count only if they tell of an error.
fn failed(code: i16) -> Option<i16> {
    (code != ErrorCode::None.code()).then_some(code)
}
