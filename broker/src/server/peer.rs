//! What nodes say to each other: typed Kafka messages passed in memory, record bytes by reference. None of this is reachable from a
//! client port, so nothing a client sends can act as a replica or a controller.

use crate::controller::{Rebalance, RebalanceProgress};
use crate::protocol::messages::{
    AddPartitionsToTxnRequestData, AddPartitionsToTxnResponseData, AddRaftVoterRequestData, AddRaftVoterResponseData,
    AllocateProducerIdsRequestData, AllocateProducerIdsResponseData, AlterClientQuotasRequestData,
    AlterClientQuotasResponseData, AlterConfigsRequestData, AlterConfigsResponseData,
    AlterPartitionReassignmentsRequestData, AlterPartitionReassignmentsResponseData, AlterPartitionRequestData,
    AlterPartitionResponseData, AssignReplicasToDirsRequestData, AssignReplicasToDirsResponseData,
    BrokerHeartbeatRequestData, BrokerHeartbeatResponseData, BrokerRegistrationRequestData,
    BrokerRegistrationResponseData, ControllerRegistrationRequestData, ControllerRegistrationResponseData,
    CreatePartitionsRequestData, CreatePartitionsResponseData, CreateTopicsRequestData, CreateTopicsResponseData,
    DeleteTopicsRequestData, DeleteTopicsResponseData, DescribeQuorumRequestData, DescribeQuorumResponseData,
    ElectLeadersRequestData, ElectLeadersResponseData, FetchRequestData, FetchResponseData,
    IncrementalAlterConfigsRequestData, IncrementalAlterConfigsResponseData, ListOffsetsRequestData,
    ListOffsetsResponseData, ListPartitionReassignmentsRequestData, ListPartitionReassignmentsResponseData,
    OffsetForLeaderEpochRequestData, OffsetForLeaderEpochResponseData, RemoveRaftVoterRequestData,
    RemoveRaftVoterResponseData, UnregisterBrokerRequestData, UnregisterBrokerResponseData, UpdateFeaturesRequestData,
    UpdateFeaturesResponseData, WriteTxnMarkersRequestData, WriteTxnMarkersResponseData,
};
use crate::quorum;
use crate::share_state::{StateRequest, StateResponse};

/// One message between two nodes.
#[derive(Clone, Debug)]
pub enum PeerMessage {
    /// The metadata quorum's own traffic: one-way, lost without notice, repeated by its own timers.
    Quorum(quorum::Message),
    /// A request; `correlation` is the sender's.
    Request {
        /// The asker's number.
        correlation: u64,
        /// What.
        body: PeerRequest,
    },
    /// Its answer.
    Response {
        /// The asker's number.
        correlation: u64,
        /// What.
        body: PeerResponse,
    },
    /// The network's answer where nobody listens: the node is down (connection refused). 0: to a message of the quorum's.
    Refused {
        /// The asker's number.
        correlation: u64,
    },
}

/// Requests between brokers (Fetch, OffsetForLeaderEpoch, those of transactions and of share state) and from brokers to the active controller (all others).
#[derive(Clone, Debug)]
pub enum PeerRequest {
    /// A follower fetches from a leader.
    Fetch(Box<FetchRequestData>),
    /// A follower asks where an epoch ended.
    OffsetForLeaderEpoch(Box<OffsetForLeaderEpochRequestData>),
    /// A group coordinator asks where partitions end.
    ListOffsets(Box<ListOffsetsRequestData>),
    /// A leader asks a transaction coordinator of a partition, or tells it.
    AddPartitionsToTxn(Box<AddPartitionsToTxnRequestData>),
    /// A transaction coordinator has transactions ended.
    WriteTxnMarkers(Box<WriteTxnMarkersRequestData>),
    /// A share coordinator is asked about the state of share partitions (KIP-932).
    ShareState(StateRequest),
    /// KRaft broker lifecycle.
    BrokerRegistration(Box<BrokerRegistrationRequestData>),
    /// KRaft broker lifecycle.
    BrokerHeartbeat(Box<BrokerHeartbeatRequestData>),
    /// A leader proposes an ISR.
    AlterPartition(Box<AlterPartitionRequestData>),
    /// A broker tells which directories hold its replicas (KIP-858).
    AssignReplicasToDirs(Box<AssignReplicasToDirsRequestData>),
    /// KIP-730.
    AllocateProducerIds(Box<AllocateProducerIdsRequestData>),
    /// A standby controller makes itself known (KIP-919).
    ControllerRegistration(Box<ControllerRegistrationRequestData>),
    /// Forwarded for a client that has a quota of mutations: CreateTopics, DeleteTopics or CreatePartitions.
    Metered {
        /// The client's id.
        client_id: String,
        /// What is over the quota is refused; an old version has it done, and the client wait.
        strict: bool,
        /// What it asks for.
        request: Box<PeerRequest>,
    },
    /// Forwarded for a client.
    CreateTopics(Box<CreateTopicsRequestData>),
    /// Forwarded for a client.
    DeleteTopics(Box<DeleteTopicsRequestData>),
    /// Forwarded for a client.
    CreatePartitions(Box<CreatePartitionsRequestData>),
    /// Forwarded for a client.
    IncrementalAlterConfigs(Box<IncrementalAlterConfigsRequestData>),
    /// Forwarded for a client.
    AlterConfigs(Box<AlterConfigsRequestData>),
    /// Forwarded for a client.
    AlterClientQuotas(Box<AlterClientQuotasRequestData>),
    /// Forwarded for a client.
    ElectLeaders(Box<ElectLeadersRequestData>),
    /// Forwarded for a client.
    AlterPartitionReassignments(Box<AlterPartitionReassignmentsRequestData>),
    /// Forwarded for a client.
    ListPartitionReassignments(Box<ListPartitionReassignmentsRequestData>),
    /// Forwarded for a client.
    UnregisterBroker(Box<UnregisterBrokerRequestData>),
    /// The cluster itself, when brokers come and go: no message of Kafka's, and not to be had from a client port.
    Rebalance(Rebalance),
    /// Forwarded for a client.
    UpdateFeatures(Box<UpdateFeaturesRequestData>),
    /// Forwarded for a client.
    AddRaftVoter(Box<AddRaftVoterRequestData>),
    /// Forwarded for a client.
    RemoveRaftVoter(Box<RemoveRaftVoterRequestData>),
    /// Forwarded for a client.
    DescribeQuorum(Box<DescribeQuorumRequestData>),
}

impl PeerRequest {
    /// What is asked for, whoever pays.
    pub fn unmetered(&self) -> &PeerRequest {
        match self {
            PeerRequest::Metered { request, .. } => request,
            request => request,
        }
    }
}

/// Answers.
#[derive(Clone, Debug)]
pub enum PeerResponse {
    /// To [`PeerRequest::Fetch`].
    Fetch(Box<FetchResponseData>),
    /// To [`PeerRequest::OffsetForLeaderEpoch`].
    OffsetForLeaderEpoch(Box<OffsetForLeaderEpochResponseData>),
    /// To [`PeerRequest::ListOffsets`].
    ListOffsets(Box<ListOffsetsResponseData>),
    /// To [`PeerRequest::AddPartitionsToTxn`].
    AddPartitionsToTxn(Box<AddPartitionsToTxnResponseData>),
    /// To [`PeerRequest::WriteTxnMarkers`].
    WriteTxnMarkers(Box<WriteTxnMarkersResponseData>),
    /// To [`PeerRequest::ShareState`].
    ShareState(StateResponse),
    /// To [`PeerRequest::BrokerRegistration`].
    BrokerRegistration(Box<BrokerRegistrationResponseData>),
    /// To [`PeerRequest::BrokerHeartbeat`].
    BrokerHeartbeat(Box<BrokerHeartbeatResponseData>),
    /// To [`PeerRequest::AlterPartition`].
    AlterPartition(Box<AlterPartitionResponseData>),
    /// To [`PeerRequest::AssignReplicasToDirs`].
    AssignReplicasToDirs(Box<AssignReplicasToDirsResponseData>),
    /// To [`PeerRequest::AllocateProducerIds`].
    AllocateProducerIds(Box<AllocateProducerIdsResponseData>),
    /// To [`PeerRequest::ControllerRegistration`].
    ControllerRegistration(Box<ControllerRegistrationResponseData>),
    /// To [`PeerRequest::CreateTopics`].
    CreateTopics(Box<CreateTopicsResponseData>),
    /// To [`PeerRequest::DeleteTopics`].
    DeleteTopics(Box<DeleteTopicsResponseData>),
    /// To [`PeerRequest::CreatePartitions`].
    CreatePartitions(Box<CreatePartitionsResponseData>),
    /// To [`PeerRequest::IncrementalAlterConfigs`].
    IncrementalAlterConfigs(Box<IncrementalAlterConfigsResponseData>),
    /// To [`PeerRequest::AlterConfigs`].
    AlterConfigs(Box<AlterConfigsResponseData>),
    /// To [`PeerRequest::AlterPartitionReassignments`].
    AlterPartitionReassignments(Box<AlterPartitionReassignmentsResponseData>),
    /// To [`PeerRequest::ListPartitionReassignments`].
    ListPartitionReassignments(Box<ListPartitionReassignmentsResponseData>),
    /// To [`PeerRequest::UnregisterBroker`].
    UnregisterBroker(Box<UnregisterBrokerResponseData>),
    /// To [`PeerRequest::Rebalance`].
    Rebalance(RebalanceProgress),
    /// To [`PeerRequest::AlterClientQuotas`].
    AlterClientQuotas(Box<AlterClientQuotasResponseData>),
    /// To [`PeerRequest::ElectLeaders`].
    ElectLeaders(Box<ElectLeadersResponseData>),
    /// To [`PeerRequest::UpdateFeatures`].
    UpdateFeatures(Box<UpdateFeaturesResponseData>),
    /// To [`PeerRequest::AddRaftVoter`].
    AddRaftVoter(Box<AddRaftVoterResponseData>),
    /// To [`PeerRequest::RemoveRaftVoter`].
    RemoveRaftVoter(Box<RemoveRaftVoterResponseData>),
    /// To [`PeerRequest::DescribeQuorum`].
    DescribeQuorum(Box<DescribeQuorumResponseData>),
    /// The node asked is a controller but not the active one: ask `leader_id` (-1: not known).
    NotController {
        /// Node, or -1.
        leader_id: i32,
    },
}
