//! How many bytes a message between nodes would be on Kafka's wire. Nothing between nodes is encoded; this is for links that let only so
//! much pass per second.

use super::peer::{PeerMessage, PeerRequest, PeerResponse};
use super::peer_costs::asked;
use crate::protocol::Api;
use crate::quorum;
use crate::share_state::StateResponse;

/// A size, API key, API version, correlation id, a client id of a few letters, and no tagged fields.
const REQUEST_HEADER_BYTES: usize = 4 + 2 + 2 + 4 + 2 + 16 + 1;
/// A size, a correlation id, and no tagged fields.
const RESPONSE_HEADER_BYTES: usize = 4 + 4 + 1;

/// The bytes, with those of the frame.
pub fn wire_bytes(message: &PeerMessage) -> usize {
    match message {
        PeerMessage::Quorum(message) => quorum::message_bytes(message),
        PeerMessage::Request { body, .. } => REQUEST_HEADER_BYTES + request_bytes(body),
        PeerMessage::Response { body, .. } => RESPONSE_HEADER_BYTES + response_bytes(body),
        // A reset is a packet without data.
        PeerMessage::Refused { .. } => 0,
    }
}

/// What is no request of Kafka's has no size there.
fn request_bytes(request: &PeerRequest) -> usize {
    asked(request).map_or(0, |asked| asked.size_bytes)
}

fn response_bytes(response: &PeerResponse) -> usize {
    use PeerResponse as Answer;
    macro_rules! bytes {
        ($api:ident, $data:expr) => {
            $data.encoded_len(Api::$api.max_version()).unwrap_or(0)
        };
        ($version:literal, $data:expr) => {
            $data.encoded_len($version).unwrap_or(0)
        };
    }
    match response {
        Answer::Fetch(data) => bytes!(Fetch, data),
        Answer::OffsetForLeaderEpoch(data) => bytes!(OffsetForLeaderEpoch, data),
        Answer::ListOffsets(data) => bytes!(ListOffsets, data),
        Answer::AddPartitionsToTxn(data) => bytes!(AddPartitionsToTxn, data),
        Answer::WriteTxnMarkers(data) => bytes!(WriteTxnMarkers, data),
        Answer::ShareState(StateResponse::Initialize(data)) => bytes!(0, data),
        Answer::ShareState(StateResponse::Read(data)) => bytes!(0, data),
        Answer::ShareState(StateResponse::Write(data)) => bytes!(1, data),
        Answer::ShareState(StateResponse::Delete(data)) => bytes!(0, data),
        Answer::ShareState(StateResponse::Summary(data)) => bytes!(1, data),
        Answer::BrokerRegistration(data) => bytes!(4, data),
        Answer::BrokerHeartbeat(data) => bytes!(1, data),
        Answer::AlterPartition(data) => bytes!(3, data),
        Answer::AssignReplicasToDirs(data) => bytes!(0, data),
        Answer::AllocateProducerIds(data) => bytes!(0, data),
        Answer::ControllerRegistration(data) => bytes!(0, data),
        Answer::CreateTopics(data) => bytes!(CreateTopics, data),
        Answer::DeleteTopics(data) => bytes!(DeleteTopics, data),
        Answer::CreatePartitions(data) => bytes!(CreatePartitions, data),
        Answer::IncrementalAlterConfigs(data) => bytes!(IncrementalAlterConfigs, data),
        Answer::AlterConfigs(data) => bytes!(AlterConfigs, data),
        Answer::AlterClientQuotas(data) => bytes!(AlterClientQuotas, data),
        Answer::ElectLeaders(data) => bytes!(ElectLeaders, data),
        Answer::AlterPartitionReassignments(data) => bytes!(AlterPartitionReassignments, data),
        Answer::ListPartitionReassignments(data) => bytes!(ListPartitionReassignments, data),
        Answer::UnregisterBroker(data) => bytes!(UnregisterBroker, data),
        Answer::UpdateFeatures(data) => bytes!(UpdateFeatures, data),
        Answer::AddRaftVoter(data) => bytes!(AddRaftVoter, data),
        Answer::RemoveRaftVoter(data) => bytes!(RemoveRaftVoter, data),
        Answer::DescribeQuorum(data) => bytes!(DescribeQuorum, data),
        Answer::Rebalance(_) | Answer::NotController { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::FetchResponseData;
    use crate::protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};

    #[test]
    fn records_are_most_of_a_fetch() {
        let answer = |bytes: usize| {
            let records = Some(bytes::Bytes::from(vec![7; bytes]));
            let part = PartitionData::default().with_records(records);
            let topic = FetchableTopicResponse::default().with_partitions(vec![part]);
            let body = PeerResponse::Fetch(Box::new(FetchResponseData::default().with_responses(vec![topic])));
            wire_bytes(&PeerMessage::Response { correlation: 1, body })
        };
        assert!(answer(100_000) - answer(0) >= 100_000 && answer(0) < 200);
        let body = PeerRequest::BrokerHeartbeat(Box::default());
        assert!((40..100).contains(&wire_bytes(&PeerMessage::Request { correlation: 1, body })));
        let vote = quorum::Message::BeginQuorumEpochResponse { epoch: 1, leader: None };
        assert!((9..200).contains(&wire_bytes(&PeerMessage::Quorum(vote))));
    }
}
