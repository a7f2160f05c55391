//! Which decision each request asks for.

use crate::controller::{ControllerState, Decision, incremental_too_large, legacy_too_large, supported_features};
use crate::protocol::ErrorCode;
use crate::protocol::messages::controller_registration_request::Feature;
use crate::protocol::messages::create_topics_response::CreatableTopicResult;
use crate::protocol::messages::{ControllerRegistrationRequestData, CreateTopicsResponseData, KafkaString};
use crate::server::peer::{PeerRequest, PeerResponse};
use crate::types::{Id, NodeId, Now};

/// What becomes of a request.
pub(super) enum Asked {
    /// This is to be appended, and answered.
    Decided(Decision<PeerResponse>),
    /// Brokers answer this.
    NotForControllers,
}

pub(super) fn decide(state: &mut ControllerState, now: Now, request: &PeerRequest, next_offset: i64) -> Asked {
    use PeerRequest as Ask;
    use PeerResponse as Answer;
    Asked::Decided(match request {
        Ask::Metered { client_id, strict, request } => {
            state.meter(now, client_id, *strict);
            let asked = decide(state, now, request, next_offset);
            let throttle_time_ms = state.metered();
            return match asked {
                Asked::Decided(decision) => {
                    Asked::Decided(decision.map(|answer| with_throttle_time(answer, throttle_time_ms)))
                }
                Asked::NotForControllers => Asked::NotForControllers,
            };
        }
        Ask::BrokerRegistration(request) => {
            state.register_broker(now, request, next_offset).map(|data| Answer::BrokerRegistration(Box::new(data)))
        }
        Ask::BrokerHeartbeat(request) => {
            state.heartbeat(now, request, next_offset).map(|data| Answer::BrokerHeartbeat(Box::new(data)))
        }
        Ask::AlterPartition(request) => {
            state.alter_partition(request).map(|data| Answer::AlterPartition(Box::new(data)))
        }
        Ask::AssignReplicasToDirs(request) => {
            state.assign_directories(request).map(|data| Answer::AssignReplicasToDirs(Box::new(data)))
        }
        Ask::AllocateProducerIds(request) => {
            state.allocate_producer_ids(request).map(|data| Answer::AllocateProducerIds(Box::new(data)))
        }
        Ask::CreateTopics(request) => state.create_topics(request).map(|data| Answer::CreateTopics(Box::new(data))),
        Ask::DeleteTopics(request) => state.delete_topics(request).map(|data| Answer::DeleteTopics(Box::new(data))),
        Ask::CreatePartitions(request) => {
            state.create_partitions(request).map(|data| Answer::CreatePartitions(Box::new(data)))
        }
        Ask::IncrementalAlterConfigs(request) => {
            state.incremental_alter_configs(request).map(|data| Answer::IncrementalAlterConfigs(Box::new(data)))
        }
        Ask::AlterConfigs(request) => {
            state.legacy_alter_configs(request).map(|data| Answer::AlterConfigs(Box::new(data)))
        }
        Ask::AlterClientQuotas(request) => {
            state.alter_client_quotas(request).map(|data| Answer::AlterClientQuotas(Box::new(data)))
        }
        Ask::AlterPartitionReassignments(request) => {
            let decision = state.alter_partition_reassignments(request);
            decision.map(|data| Answer::AlterPartitionReassignments(Box::new(data)))
        }
        Ask::ListPartitionReassignments(request) => {
            let decision = state.list_partition_reassignments(request);
            decision.map(|data| Answer::ListPartitionReassignments(Box::new(data)))
        }
        Ask::UnregisterBroker(request) => {
            state.unregister_broker(request).map(|data| Answer::UnregisterBroker(Box::new(data)))
        }
        Ask::Rebalance(wish) => state.rebalance(wish).map(Answer::Rebalance),
        Ask::ElectLeaders(request) => state.elect_leaders(request).map(|data| Answer::ElectLeaders(Box::new(data))),
        Ask::ControllerRegistration(request) => {
            let decision = state.register_controller(request.controller_id, Id::from(request.incarnation_id));
            decision.map(|()| Answer::ControllerRegistration(Box::default()))
        }
        // The quorum has a part in these, and they never come here.
        Ask::UpdateFeatures(_) | Ask::AddRaftVoter(_) | Ask::RemoveRaftVoter(_) => return Asked::NotForControllers,
        Ask::AddPartitionsToTxn(_) | Ask::WriteTxnMarkers(_) => return Asked::NotForControllers,
        Ask::DescribeQuorum(_)
        | Ask::Fetch(_)
        | Ask::OffsetForLeaderEpoch(_)
        | Ask::ListOffsets(_)
        | Ask::ShareState(_) => {
            return Asked::NotForControllers;
        }
    })
}

fn with_throttle_time(mut answer: PeerResponse, throttle_time_ms: i32) -> PeerResponse {
    match &mut answer {
        PeerResponse::CreateTopics(data) => data.throttle_time_ms = throttle_time_ms,
        PeerResponse::DeleteTopics(data) => data.throttle_time_ms = throttle_time_ms,
        PeerResponse::CreatePartitions(data) => data.throttle_time_ms = throttle_time_ms,
        _ => {}
    }
    answer
}

/// The answer to a request whose records do not fit into one batch; only very long configs come to that.
pub(super) fn too_large(request: &PeerRequest) -> Option<PeerResponse> {
    let request = match request.unmetered() {
        PeerRequest::IncrementalAlterConfigs(request) => {
            return Some(PeerResponse::IncrementalAlterConfigs(Box::new(incremental_too_large(request))));
        }
        PeerRequest::AlterConfigs(request) => {
            return Some(PeerResponse::AlterConfigs(Box::new(legacy_too_large(request))));
        }
        PeerRequest::CreateTopics(request) => request,
        _ => return None,
    };
    let message = "Unable to perform excessively large batch operation.";
    let topics = request
        .topics
        .iter()
        .map(|topic| CreatableTopicResult {
            name: topic.name.clone(),
            error_code: ErrorCode::PolicyViolation.code(),
            error_message: Some(KafkaString::from_static(message)),
            ..Default::default()
        })
        .collect();
    Some(PeerResponse::CreateTopics(Box::new(CreateTopicsResponseData { topics, ..Default::default() })))
}

/// ControllerRegistration, version 0 (KIP-919).
pub(super) fn registration(controller_id: NodeId, incarnation: Id) -> PeerRequest {
    let features = supported_features()
        .into_iter()
        .map(|range| Feature {
            name: KafkaString::from(range.name),
            min_supported_version: range.min_supported_version,
            max_supported_version: range.max_supported_version,
            ..Default::default()
        })
        .collect();
    PeerRequest::ControllerRegistration(Box::new(ControllerRegistrationRequestData {
        controller_id,
        incarnation_id: incarnation.into(),
        features,
        ..Default::default()
    }))
}
