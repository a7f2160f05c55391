//! How many bytes a message between members would be on Kafka's wire. Members here meet in memory, so that nothing is ever encoded; the sizes
//! are for who compares this quorum's traffic with one of Kafka's.
//!
//! Source: Kafka's message definitions, by the codec's own computation; `org.apache.kafka.common.requests.RequestHeader`.

use bytes::Bytes;

use super::config::QuorumConfig;
use super::disk_log::{METADATA_TOPIC, METADATA_TOPIC_ID};
use super::machine::Quorum;
use super::message::{FetchOutcome, FetchRequest, FetchResponse, FetchSnapshotOutcome, Message};
use super::snapshot::SnapshotId;
use crate::protocol::messages::{
    self as kafka, KafkaString, add_raft_voter_request, begin_quorum_epoch_request, begin_quorum_epoch_response,
    end_quorum_epoch_request, fetch_request, fetch_response, fetch_snapshot_request, fetch_snapshot_response,
    update_raft_voter_request, vote_request, vote_response,
};
use crate::records::control::VoterEndpoint;
use crate::types::{Id, NO_NODE, NodeId};

/// A size, API key, API version, correlation id, the length of the client's id, and no tagged fields.
const REQUEST_HEADER_BYTES: usize = 4 + 2 + 2 + 4 + 2 + 1;
/// A size, a correlation id, and no tagged fields.
const RESPONSE_HEADER_BYTES: usize = 4 + 4 + 1;
/// What controllers call themselves to each other: `raft-client-3000`.
const CLIENT_ID_PREFIX: &str = "raft-client-";
/// Of Fetch.
const FETCH_VERSION: i16 = 18;
/// As long as any id in Kafka's spelling.
const CLUSTER_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

fn text(text: &str) -> KafkaString {
    KafkaString::from(text.to_owned())
}

fn cluster_id() -> Option<KafkaString> {
    Some(KafkaString::from_static(CLUSTER_ID))
}

/// Whether it is a request; all else are answers.
pub(super) fn is_request(message: &Message) -> bool {
    match message {
        Message::VoteRequest(_)
        | Message::BeginQuorumEpochRequest { .. }
        | Message::EndQuorumEpochRequest { .. }
        | Message::FetchRequest(_)
        | Message::FetchSnapshotRequest(_)
        | Message::UpdateVoterRequest { .. }
        | Message::AddVoterRequest { .. }
        | Message::RemoveVoterRequest { .. }
        | Message::VersionsRequest { .. } => true,
        Message::VoteResponse(_)
        | Message::BeginQuorumEpochResponse { .. }
        | Message::FetchResponse(_)
        | Message::FetchSnapshotResponse(_)
        | Message::UpdateVoterResponse { .. }
        | Message::VersionsResponse { .. } => false,
    }
}

/// What Kafka calls a request, and the version at which its size is told here; `None`: it is an answer.
fn request_name(message: &Message) -> Option<(&'static str, i16)> {
    Some(match message {
        Message::VoteRequest(_) => ("Vote", 2),
        Message::BeginQuorumEpochRequest { .. } => ("BeginQuorumEpoch", 1),
        Message::EndQuorumEpochRequest { .. } => ("EndQuorumEpoch", 1),
        Message::FetchRequest(_) => ("Fetch", FETCH_VERSION),
        Message::FetchSnapshotRequest(_) => ("FetchSnapshot", 1),
        Message::UpdateVoterRequest { .. } => ("UpdateRaftVoter", 0),
        Message::AddVoterRequest { .. } => ("AddRaftVoter", 0),
        Message::RemoveVoterRequest { .. } => ("RemoveRaftVoter", 0),
        Message::VersionsRequest { .. } => ("ApiVersions", 4),
        _ => return None,
    })
}

/// Bytes of a request that `config`'s member sends, or of an answer that it gets.
pub(super) fn wire_bytes(config: &QuorumConfig, message: &Message) -> usize {
    let header = match is_request(message) {
        true => REQUEST_HEADER_BYTES + CLIENT_ID_PREFIX.len() + digits(config.id),
        false => RESPONSE_HEADER_BYTES,
    };
    // Only a string of more than 32 kB would not be encoded, and there is none.
    header + body_bytes(config, message).unwrap_or(0)
}

/// About the bytes of a message of any member.
pub fn message_bytes(message: &Message) -> usize {
    // Of a member, only the digits of its id count.
    const ANY: NodeId = 3000;
    wire_bytes(&QuorumConfig::lab(ANY, vec![ANY]), message)
}

fn digits(id: NodeId) -> usize {
    id.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1)
}

impl Quorum {
    /// What a request would be in Kafka's words: its name, its version, and the bytes of its body. `None`: it is an answer.
    pub fn request_cost(&self, message: &Message) -> Option<(&'static str, i16, usize)> {
        let (name, version) = request_name(message)?;
        Some((name, version, body_bytes(&self.config, message).unwrap_or(0)))
    }
}

/// Only what has no fixed size matters, and tagged fields, which are there only where they differ from their default.
fn body_bytes(config: &QuorumConfig, message: &Message) -> Option<usize> {
    match message {
        Message::FetchRequest(request) => fetch_request_bytes(config.id, request),
        Message::FetchResponse(response) => fetch_response_bytes(response),
        Message::FetchSnapshotRequest(request) => snapshot_request_bytes(request.directory_id),
        Message::FetchSnapshotResponse(response) => snapshot_response_bytes(&response.outcome),
        Message::UpdateVoterRequest { voter, .. } => update_voter_bytes(&voter.endpoints),
        Message::AddVoterRequest { endpoints, .. } => add_voter_bytes(endpoints),
        Message::RemoveVoterRequest { .. } => {
            kafka::RemoveRaftVoterRequestData { cluster_id: cluster_id(), ..Default::default() }.encoded_len(0).ok()
        }
        Message::UpdateVoterResponse { .. } => kafka::UpdateRaftVoterResponseData::default().encoded_len(0).ok(),
        Message::VersionsRequest { .. } => kafka::ApiVersionsRequestData::default().encoded_len(4).ok(),
        Message::VersionsResponse { .. } => kafka::ApiVersionsResponseData::default().encoded_len(4).ok(),
        election => election_bytes(config, election),
    }
}

/// A message about the one partition that there is, in topics that have a `topic_name`.
macro_rules! of_partition {
    ($data:ident, $version:literal, $module:ident, $partition:expr $(, $field:ident: $value:expr)*) => {{
        let (topic_name, partitions) = (KafkaString::from_static(METADATA_TOPIC), vec![$partition]);
        let topics = vec![$module::TopicData { topic_name, partitions, ..Default::default() }];
        kafka::$data { topics, $($field: $value,)* ..Default::default() }.encoded_len($version).ok()
    }};
}

fn election_bytes(config: &QuorumConfig, message: &Message) -> Option<usize> {
    let endpoints = config.endpoints.iter();
    match message {
        Message::VoteRequest(_) => {
            let partition = vote_request::PartitionData::default();
            of_partition!(VoteRequestData, 2, vote_request, partition, cluster_id: cluster_id())
        }
        Message::VoteResponse(_) => {
            of_partition!(VoteResponseData, 2, vote_response, vote_response::PartitionData::default())
        }
        Message::BeginQuorumEpochRequest { .. } => {
            let partition = begin_quorum_epoch_request::PartitionData::default();
            let leader_endpoints = endpoints.map(|endpoint| begin_quorum_epoch_request::LeaderEndpoint {
                name: text(&endpoint.name),
                host: text(&endpoint.host),
                ..Default::default()
            });
            of_partition!(BeginQuorumEpochRequestData, 1, begin_quorum_epoch_request, partition,
                cluster_id: cluster_id(), leader_endpoints: leader_endpoints.collect())
        }
        Message::BeginQuorumEpochResponse { .. } => {
            let partition = begin_quorum_epoch_response::PartitionData::default();
            of_partition!(BeginQuorumEpochResponseData, 1, begin_quorum_epoch_response, partition)
        }
        Message::EndQuorumEpochRequest { preferred_successors, .. } => {
            let candidates = vec![end_quorum_epoch_request::ReplicaInfo::default(); preferred_successors.len()];
            let partition =
                end_quorum_epoch_request::PartitionData { preferred_candidates: candidates, ..Default::default() };
            let leader_endpoints = endpoints.map(|endpoint| end_quorum_epoch_request::LeaderEndpoint {
                name: text(&endpoint.name),
                host: text(&endpoint.host),
                ..Default::default()
            });
            of_partition!(EndQuorumEpochRequestData, 1, end_quorum_epoch_request, partition,
                cluster_id: cluster_id(), leader_endpoints: leader_endpoints.collect())
        }
        _ => None,
    }
}

fn fetch_request_bytes(replica_id: NodeId, request: &FetchRequest) -> Option<usize> {
    let partition = fetch_request::FetchPartition {
        replica_directory_id: request.directory_id.into(),
        high_watermark: request.high_watermark,
        ..Default::default()
    };
    let (topic_id, partitions) = (METADATA_TOPIC_ID.into(), vec![partition]);
    let topics = vec![fetch_request::FetchTopic { topic_id, partitions, ..Default::default() }];
    let replica_state = fetch_request::ReplicaState { replica_id, ..Default::default() };
    let request = kafka::FetchRequestData { cluster_id: cluster_id(), replica_state, topics, ..Default::default() };
    request.encoded_len(FETCH_VERSION).ok()
}

fn fetch_response_bytes(response: &FetchResponse) -> Option<usize> {
    let (leader_id, leader_epoch) = (response.leader.unwrap_or(NO_NODE), response.epoch);
    let mut partition = fetch_response::PartitionData {
        current_leader: fetch_response::LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() },
        records: Some(Bytes::new()),
        ..Default::default()
    };
    match &response.outcome {
        FetchOutcome::Records { records, .. } => partition.records = Some(records.clone()),
        FetchOutcome::Diverging { epoch, end_offset } => {
            let (epoch, end_offset) = (*epoch, *end_offset);
            partition.diverging_epoch = fetch_response::EpochEndOffset { epoch, end_offset, ..Default::default() };
        }
        FetchOutcome::Snapshot(SnapshotId { end_offset, epoch }) => {
            let (epoch, end_offset) = (*epoch, *end_offset);
            partition.snapshot_id = fetch_response::SnapshotId { end_offset, epoch, ..Default::default() };
        }
        FetchOutcome::NotLeader => {}
    }
    let (topic_id, partitions) = (METADATA_TOPIC_ID.into(), vec![partition]);
    let responses = vec![fetch_response::FetchableTopicResponse { topic_id, partitions, ..Default::default() }];
    kafka::FetchResponseData { responses, ..Default::default() }.encoded_len(FETCH_VERSION).ok()
}

fn snapshot_request_bytes(directory_id: Id) -> Option<usize> {
    let partition =
        fetch_snapshot_request::PartitionSnapshot { replica_directory_id: directory_id.into(), ..Default::default() };
    let (name, partitions) = (KafkaString::from_static(METADATA_TOPIC), vec![partition]);
    let topics = vec![fetch_snapshot_request::TopicSnapshot { name, partitions, ..Default::default() }];
    kafka::FetchSnapshotRequestData { cluster_id: cluster_id(), topics, ..Default::default() }.encoded_len(1).ok()
}

fn snapshot_response_bytes(outcome: &FetchSnapshotOutcome) -> Option<usize> {
    let piece = match outcome {
        FetchSnapshotOutcome::Chunk { chunk, .. } => chunk.bytes.clone(),
        FetchSnapshotOutcome::NotFound | FetchSnapshotOutcome::NotLeader => Bytes::new(),
    };
    let partition = fetch_snapshot_response::PartitionSnapshot { unaligned_records: Some(piece), ..Default::default() };
    let (name, partitions) = (KafkaString::from_static(METADATA_TOPIC), vec![partition]);
    let topics = vec![fetch_snapshot_response::TopicSnapshot { name, partitions, ..Default::default() }];
    kafka::FetchSnapshotResponseData { topics, ..Default::default() }.encoded_len(1).ok()
}

fn update_voter_bytes(endpoints: &[VoterEndpoint]) -> Option<usize> {
    let listener = |endpoint: &VoterEndpoint| update_raft_voter_request::Listener {
        name: text(&endpoint.name),
        host: text(&endpoint.host),
        ..Default::default()
    };
    let listeners = endpoints.iter().map(listener).collect();
    let request = kafka::UpdateRaftVoterRequestData { cluster_id: cluster_id(), listeners, ..Default::default() };
    request.encoded_len(0).ok()
}

fn add_voter_bytes(endpoints: &[VoterEndpoint]) -> Option<usize> {
    let listener = |endpoint: &VoterEndpoint| add_raft_voter_request::Listener {
        name: text(&endpoint.name),
        host: text(&endpoint.host),
        ..Default::default()
    };
    let listeners = endpoints.iter().map(listener).collect();
    kafka::AddRaftVoterRequestData { cluster_id: cluster_id(), listeners, ..Default::default() }.encoded_len(1).ok()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    /// What a frame takes, written out: its size, a header as Kafka's, and the body as the codec writes it.
    fn framed(header: usize, body: &BytesMut) -> usize {
        4 + header + body.len()
    }

    #[test]
    fn a_fetch_and_its_answer_take_what_the_codec_writes() {
        let config = QuorumConfig::lab(3000, vec![3000, 3001]);
        let request = FetchRequest {
            correlation: 7,
            directory_id: Id([3; 16]),
            epoch: 4,
            fetch_offset: 100,
            last_fetched_epoch: 4,
            high_watermark: 99,
        };
        let partition = fetch_request::FetchPartition {
            current_leader_epoch: 4,
            fetch_offset: 100,
            last_fetched_epoch: 4,
            partition_max_bytes: 1,
            replica_directory_id: Id([3; 16]).into(),
            high_watermark: 99,
            ..Default::default()
        };
        let topic = fetch_request::FetchTopic {
            topic_id: METADATA_TOPIC_ID.into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let replica_state = fetch_request::ReplicaState { replica_id: 3000, ..Default::default() };
        let data = kafka::FetchRequestData {
            cluster_id: cluster_id(),
            replica_state,
            max_wait_ms: 500,
            topics: vec![topic],
            ..Default::default()
        };
        let mut body = BytesMut::new();
        data.write(&mut body, 18).unwrap();
        // Key, version, correlation id, "raft-client-3000", tags.
        let expected = framed(2 + 2 + 4 + 2 + 16 + 1, &body);
        assert_eq!(wire_bytes(&config, &Message::FetchRequest(request)), expected);

        let records = Bytes::from(vec![9u8; 300]);
        let outcome = FetchOutcome::Records { records: records.clone(), high_watermark: 5, log_start_offset: 0 };
        let answer = Message::FetchResponse(FetchResponse { correlation: 7, epoch: 4, leader: Some(3001), outcome });
        let partition = fetch_response::PartitionData {
            high_watermark: 5,
            current_leader: fetch_response::LeaderIdAndEpoch { leader_id: 3001, leader_epoch: 4, ..Default::default() },
            records: Some(records),
            ..Default::default()
        };
        let topic = fetch_response::FetchableTopicResponse {
            topic_id: METADATA_TOPIC_ID.into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let mut body = BytesMut::new();
        kafka::FetchResponseData { responses: vec![topic], ..Default::default() }.write(&mut body, 18).unwrap();
        assert_eq!(wire_bytes(&config, &answer), framed(4 + 1, &body));
    }

    #[test]
    fn every_message_has_a_size() {
        let config = QuorumConfig::lab(3000, vec![3000, 3001]);
        let messages = [
            Message::BeginQuorumEpochRequest { epoch: 1, voter_directory_id: Id::ZERO },
            Message::BeginQuorumEpochResponse { epoch: 1, leader: None },
            Message::EndQuorumEpochRequest { epoch: 1, preferred_successors: vec![3001, 3002] },
            Message::UpdateVoterResponse { epoch: 1 },
            Message::VersionsRequest { correlation: 1 },
        ];
        for message in messages {
            let header = if is_request(&message) { REQUEST_HEADER_BYTES + 16 } else { RESPONSE_HEADER_BYTES };
            assert!(wire_bytes(&config, &message) > header, "{message:?}");
        }
    }
}
