//! Which handler a request goes to, and which answer a forwarded request gets.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::peer::{PeerRequest, PeerResponse};
use super::{
    add_offsets_to_txn, add_partitions_to_txn, add_raft_voter, alter_client_quotas, alter_configs,
    alter_partition_reassignments, alter_replica_log_dirs, alter_share_group_offsets, api_versions,
    consumer_group_describe, consumer_group_heartbeat, create_partitions, create_topics, delete_groups, delete_records,
    delete_share_group_offsets, delete_topics, describe_client_quotas, describe_cluster, describe_configs,
    describe_groups, describe_log_dirs, describe_producers, describe_quorum, describe_share_group_offsets,
    describe_topic_partitions, describe_transactions, elect_leaders, end_txn, fetch, find_coordinator,
    get_telemetry_subscriptions, heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group,
    list_config_resources, list_groups, list_offsets, list_partition_reassignments, list_transactions, metadata,
    offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch, produce, push_telemetry, remove_raft_voter,
    share_acknowledge, share_fetch, share_group_describe, share_group_heartbeat, streams_group_describe,
    streams_group_heartbeat, sync_group, txn_offset_commit, unregister_broker, update_features, write_txn_markers,
};
use crate::controller::client_quotas_refused;
use crate::protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use crate::protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use crate::protocol::messages::create_topics_response::CreatableTopicResult;
use crate::protocol::messages::delete_topics_response::DeletableTopicResult;
use crate::protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use crate::protocol::messages::{
    AddRaftVoterResponseData, AlterPartitionReassignmentsResponseData, CreatePartitionsResponseData,
    CreateTopicsResponseData, DeleteTopicsResponseData, DescribeQuorumResponseData, ElectLeadersResponseData,
    ListPartitionReassignmentsResponseData, RemoveRaftVoterResponseData, UnregisterBrokerResponseData,
    UpdateFeaturesResponseData,
};
use crate::protocol::{ErrorCode, Request, Response};
use crate::types::Now;

/// Hands a request to its API.
pub(super) fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: Request) -> Handled {
    match request {
        Request::Produce(r) => produce::handle(broker, context, now, r),
        Request::Fetch(r) => fetch::handle(broker, context, now, r),
        Request::ListOffsets(r) => list_offsets::handle(broker, context, now, r),
        Request::Metadata(r) => metadata::handle(broker, context, now, r),
        Request::OffsetCommit(r) => offset_commit::handle(broker, context, now, r),
        Request::OffsetFetch(r) => offset_fetch::handle(broker, context, now, r),
        Request::FindCoordinator(r) => find_coordinator::handle(broker, context, now, r),
        Request::JoinGroup(r) => join_group::handle(broker, context, now, r),
        Request::Heartbeat(r) => heartbeat::handle(broker, context, now, r),
        Request::LeaveGroup(r) => leave_group::handle(broker, context, now, r),
        Request::SyncGroup(r) => sync_group::handle(broker, context, now, r),
        Request::DescribeGroups(r) => describe_groups::handle(broker, context, now, r),
        Request::ListGroups(r) => list_groups::handle(broker, context, now, r),
        Request::AddPartitionsToTxn(r) => add_partitions_to_txn::handle(broker, context, now, r),
        Request::AddOffsetsToTxn(r) => add_offsets_to_txn::handle(broker, context, now, r),
        Request::EndTxn(r) => end_txn::handle(broker, context, now, r),
        Request::WriteTxnMarkers(r) => write_txn_markers::handle(broker, context, now, r),
        Request::TxnOffsetCommit(r) => txn_offset_commit::handle(broker, context, now, r),
        Request::DescribeProducers(r) => describe_producers::handle(broker, context, now, r),
        Request::DescribeTransactions(r) => describe_transactions::handle(broker, context, now, r),
        Request::ListTransactions(r) => list_transactions::handle(broker, context, now, r),
        Request::ApiVersions(r) => api_versions::handle(broker, context, now, r),
        Request::CreateTopics(r) => create_topics::handle(broker, context, now, r),
        Request::DeleteTopics(r) => delete_topics::handle(broker, context, now, r),
        Request::DeleteRecords(r) => delete_records::handle(broker, context, now, r),
        Request::InitProducerId(r) => init_producer_id::handle(broker, context, now, r),
        Request::OffsetForLeaderEpoch(r) => offset_for_leader_epoch::handle(broker, context, now, r),
        Request::DescribeConfigs(r) => describe_configs::handle(broker, context, now, r),
        Request::AlterConfigs(r) => alter_configs::handle(broker, context, now, r),
        Request::IncrementalAlterConfigs(r) => incremental_alter_configs::handle(broker, context, now, r),
        Request::GetTelemetrySubscriptions(r) => get_telemetry_subscriptions::handle(broker, context, now, r),
        Request::PushTelemetry(r) => push_telemetry::handle(broker, context, now, r),
        Request::ListConfigResources(r) => list_config_resources::handle(broker, context, now, r),
        Request::AlterPartitionReassignments(r) => alter_partition_reassignments::handle(broker, context, now, r),
        Request::ListPartitionReassignments(r) => list_partition_reassignments::handle(broker, context, now, r),
        Request::UnregisterBroker(r) => unregister_broker::handle(broker, context, now, r),
        Request::ConsumerGroupHeartbeat(r) => consumer_group_heartbeat::handle(broker, context, now, r),
        Request::ConsumerGroupDescribe(r) => consumer_group_describe::handle(broker, context, now, r),
        Request::ShareGroupHeartbeat(r) => share_group_heartbeat::handle(broker, context, now, r),
        Request::ShareGroupDescribe(r) => share_group_describe::handle(broker, context, now, r),
        Request::DescribeShareGroupOffsets(r) => describe_share_group_offsets::handle(broker, context, now, r),
        Request::AlterShareGroupOffsets(r) => alter_share_group_offsets::handle(broker, context, now, r),
        Request::DeleteShareGroupOffsets(r) => delete_share_group_offsets::handle(broker, context, now, r),
        Request::StreamsGroupHeartbeat(r) => streams_group_heartbeat::handle(broker, context, now, r),
        Request::StreamsGroupDescribe(r) => streams_group_describe::handle(broker, context, now, r),
        Request::OffsetDelete(r) => offset_delete::handle(broker, context, now, r),
        Request::DescribeClientQuotas(r) => describe_client_quotas::handle(broker, context, now, r),
        Request::AlterClientQuotas(r) => alter_client_quotas::handle(broker, context, now, r),
        Request::ElectLeaders(r) => elect_leaders::handle(broker, context, now, r),
        Request::UpdateFeatures(r) => update_features::handle(broker, context, now, r),
        Request::AlterReplicaLogDirs(r) => alter_replica_log_dirs::handle(broker, context, now, r),
        Request::DescribeLogDirs(r) => describe_log_dirs::handle(broker, context, now, r),
        Request::CreatePartitions(r) => create_partitions::handle(broker, context, now, r),
        Request::DeleteGroups(r) => delete_groups::handle(broker, context, now, r),
        Request::DescribeQuorum(r) => describe_quorum::handle(broker, context, now, r),
        Request::AddRaftVoter(r) => add_raft_voter::handle(broker, context, now, r),
        Request::RemoveRaftVoter(r) => remove_raft_voter::handle(broker, context, now, r),
        Request::DescribeCluster(r) => describe_cluster::handle(broker, context, now, r),
        Request::ShareFetch(r) => share_fetch::handle(broker, context, now, r),
        Request::ShareAcknowledge(r) => share_acknowledge::handle(broker, context, now, r),
        Request::DescribeTopicPartitions(r) => describe_topic_partitions::handle(broker, context, now, r),
    }
}

/// The controller's answer to a client's request. `None`: it is no answer to anything that is forwarded.
pub(super) fn forwarded(answer: PeerResponse) -> Option<Response> {
    match answer {
        PeerResponse::CreateTopics(response) => Some(Response::CreateTopics(*response)),
        PeerResponse::DeleteTopics(response) => Some(Response::DeleteTopics(*response)),
        PeerResponse::CreatePartitions(response) => Some(Response::CreatePartitions(*response)),
        PeerResponse::AlterPartitionReassignments(response) => Some(Response::AlterPartitionReassignments(*response)),
        PeerResponse::ListPartitionReassignments(response) => Some(Response::ListPartitionReassignments(*response)),
        PeerResponse::UnregisterBroker(response) => Some(Response::UnregisterBroker(*response)),
        PeerResponse::AlterClientQuotas(response) => Some(Response::AlterClientQuotas(*response)),
        PeerResponse::ElectLeaders(response) => Some(Response::ElectLeaders(*response)),
        PeerResponse::UpdateFeatures(response) => Some(Response::UpdateFeatures(*response)),
        PeerResponse::AddRaftVoter(response) => Some(Response::AddRaftVoter(*response)),
        PeerResponse::RemoveRaftVoter(response) => Some(Response::RemoveRaftVoter(*response)),
        PeerResponse::DescribeQuorum(response) => Some(Response::DescribeQuorum(*response)),
        _ => None,
    }
}

/// An answer without what its version has no room for: ElectLeaders has a top-level error from version 1 on.
pub(super) fn fit(mut response: Response, version: i16) -> Response {
    if let Response::ElectLeaders(answer) = &mut response
        && version == 0
    {
        answer.error_code = ErrorCode::None.code();
    }
    response
}

/// The answer to a client's request that no controller answered: each item carries the error. `None`: it is not forwarded for clients.
pub(super) fn refusal(request: &PeerRequest, error: ErrorCode) -> Option<Response> {
    let code = error.code();
    match request.unmetered() {
        PeerRequest::CreateTopics(request) => {
            let result = |name| CreatableTopicResult::default().with_name(name).with_error_code(code);
            let topics = request.topics.iter().map(|topic| result(topic.name.clone())).collect();
            Some(Response::CreateTopics(CreateTopicsResponseData::default().with_topics(topics)))
        }
        PeerRequest::DeleteTopics(request) => {
            let by_name = request.topic_names.iter().cloned().map(|name| (Some(name), Default::default()));
            let by_state = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
            let result =
                |(name, id)| DeletableTopicResult::default().with_name(name).with_topic_id(id).with_error_code(code);
            let responses = by_name.chain(by_state).map(result).collect();
            Some(Response::DeleteTopics(DeleteTopicsResponseData::default().with_responses(responses)))
        }
        PeerRequest::CreatePartitions(request) => {
            let result = |name| CreatePartitionsTopicResult::default().with_name(name).with_error_code(code);
            let results = request.topics.iter().map(|topic| result(topic.name.clone())).collect();
            Some(Response::CreatePartitions(CreatePartitionsResponseData::default().with_results(results)))
        }
        PeerRequest::AlterPartitionReassignments(request) => {
            let result =
                |index: i32| ReassignablePartitionResponse::default().with_partition_index(index).with_error_code(code);
            let responses = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| result(partition.partition_index)).collect();
                ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
            });
            let response = AlterPartitionReassignmentsResponseData::default().with_error_code(code);
            Some(Response::AlterPartitionReassignments(response.with_responses(responses.collect())))
        }
        PeerRequest::ListPartitionReassignments(_) => Some(Response::ListPartitionReassignments(
            ListPartitionReassignmentsResponseData::default().with_error_code(code),
        )),
        PeerRequest::UnregisterBroker(_) => {
            Some(Response::UnregisterBroker(UnregisterBrokerResponseData::default().with_error_code(code)))
        }
        PeerRequest::ElectLeaders(request) => {
            let result = |index: &i32| PartitionResult::default().with_partition_id(*index).with_error_code(code);
            let topics = request.topic_partitions.iter().flatten().map(|topic| {
                ReplicaElectionResult::default()
                    .with_topic(topic.topic.clone())
                    .with_partition_result(topic.partitions.iter().map(result).collect())
            });
            let response = ElectLeadersResponseData::default().with_error_code(code);
            Some(Response::ElectLeaders(response.with_replica_election_results(topics.collect())))
        }
        PeerRequest::AlterClientQuotas(request) => {
            let message = "No controller answered in time: try again.";
            Some(Response::AlterClientQuotas(client_quotas_refused(request, error, message)))
        }
        PeerRequest::UpdateFeatures(_) => {
            Some(Response::UpdateFeatures(UpdateFeaturesResponseData::default().with_error_code(code)))
        }
        PeerRequest::AddRaftVoter(_) => {
            Some(Response::AddRaftVoter(AddRaftVoterResponseData::default().with_error_code(code)))
        }
        PeerRequest::RemoveRaftVoter(_) => {
            Some(Response::RemoveRaftVoter(RemoveRaftVoterResponseData::default().with_error_code(code)))
        }
        PeerRequest::DescribeQuorum(_) => {
            Some(Response::DescribeQuorum(DescribeQuorumResponseData::default().with_error_code(code)))
        }
        _ => None,
    }
}
