//! What the members of the metadata quorum say to each other. Flat, since there is one partition only.
//!
//! Messages may be lost, doubled, delayed and reordered: each says of which epoch it is, fetches have a number, and whoever needs an answer
//! asks again.
//!
//! Source: KIP-595 (Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch), KIP-996 (pre-vote), KIP-853.

use bytes::Bytes;

use super::snapshot::{SnapshotChunk, SnapshotId};
use super::voter_set::ReplicaKey;
use crate::records::control::{VoterDescription, VoterEndpoint};
use crate::types::{Id, NodeId};

/// One message; sender and receiver stand on its envelope.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A candidate (or, with `pre_vote`, a prospective one) asks for a vote.
    VoteRequest(VoteRequest),
    /// The answer.
    VoteResponse(VoteResponse),
    /// A new leader announces itself.
    BeginQuorumEpochRequest {
        /// Its epoch.
        epoch: i32,
        /// Directory of the voter that it means; zero if it does not know that.
        voter_directory_id: Id,
    },
    /// The answer.
    BeginQuorumEpochResponse {
        /// Epoch of the one who answers.
        epoch: i32,
        /// Leader that it knows in that epoch.
        leader: Option<NodeId>,
    },
    /// A leader that stops proposes who should stand next, best first.
    EndQuorumEpochRequest {
        /// Epoch that ends.
        epoch: i32,
        /// The other voters, the one with the longest log first.
        preferred_successors: Vec<NodeId>,
    },
    /// A follower or observer asks for records after what it has.
    FetchRequest(FetchRequest),
    /// The answer.
    FetchResponse(FetchResponse),
    /// A follower or observer asks for a part of a snapshot (KIP-630).
    FetchSnapshotRequest(FetchSnapshotRequest),
    /// The answer.
    FetchSnapshotResponse(FetchSnapshotResponse),
    /// A voter tells its leader what it is, where the leader does not know: its directory, its endpoints, the versions that it speaks. Kafka:
    /// UpdateRaftVoter (API 82), which controllers' listeners have and brokers' have not. Controllers here meet in memory, so no port offers it.
    UpdateVoterRequest {
        /// Epoch of both.
        epoch: i32,
        /// What it is.
        voter: VoterDescription,
    },
    /// The answer: the leader knows.
    UpdateVoterResponse {
        /// Epoch of the one who answers.
        epoch: i32,
    },
    /// A controller that is an observer asks to be made a voter (`controller.quorum.auto.join.enable`). Asked again until the log says so.
    AddVoterRequest {
        /// Epoch of both.
        epoch: i32,
        /// Itself.
        voter: ReplicaKey,
        /// Where it listens.
        endpoints: Vec<VoterEndpoint>,
    },
    /// The same, of one that stands among the voters with a directory that it no longer has: away with that.
    RemoveVoterRequest {
        /// Epoch of both.
        epoch: i32,
        /// What it was.
        voter: ReplicaKey,
    },
    /// The leader asks a node that is to be made a voter which versions of KRaft's protocol it speaks (Kafka: ApiVersions).
    VersionsRequest {
        /// Names the change for which it asks.
        correlation: u64,
    },
    /// The answer.
    VersionsResponse {
        /// Of the request.
        correlation: u64,
        /// Lowest.
        min_kraft_version: i16,
        /// Highest.
        max_kraft_version: i16,
    },
}

/// See [`Message::VoteRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct VoteRequest {
    /// Epoch that the candidate stands in (its current one, for a pre-vote).
    pub epoch: i32,
    /// Epoch of the last record of its log.
    pub last_epoch: i32,
    /// Its log end offset.
    pub log_end_offset: i64,
    /// Directory of the candidate.
    pub directory_id: Id,
    /// Directory of the voter that it means; zero if it does not know that.
    pub voter_directory_id: Id,
    /// Only asks whether it would be worth standing (KIP-996).
    pub pre_vote: bool,
}

/// See [`Message::VoteResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct VoteResponse {
    /// Epoch of the one who answers.
    pub epoch: i32,
    /// Leader that it knows in that epoch.
    pub leader: Option<NodeId>,
    /// Epoch that was asked about.
    pub request_epoch: i32,
    /// Whether this answers a pre-vote.
    pub pre_vote: bool,
    /// Yes or no.
    pub granted: bool,
}

/// See [`Message::FetchRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct FetchRequest {
    /// Names the request; the answer repeats it, so that a late answer is told from the awaited one.
    pub correlation: u64,
    /// Directory of the asker.
    pub directory_id: Id,
    /// Epoch that the asker believes in.
    pub epoch: i32,
    /// First offset that it lacks.
    pub fetch_offset: i64,
    /// Epoch of the last record that it has.
    pub last_fetched_epoch: i32,
    /// High watermark that it knows (KIP-1166): the leader answers at once if its own is higher.
    pub high_watermark: i64,
}

/// See [`Message::FetchResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct FetchResponse {
    /// Of the request.
    pub correlation: u64,
    /// Epoch of the one who answers.
    pub epoch: i32,
    /// Leader that it knows in that epoch.
    pub leader: Option<NodeId>,
    /// What it found.
    pub outcome: FetchOutcome,
}

/// What a fetch found.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchOutcome {
    /// Whole batches from the offset asked for (perhaps none), and the leader's high watermark.
    Records {
        /// The batches.
        records: Bytes,
        /// Of the leader; it may lie past the asker's log.
        high_watermark: i64,
        /// Of the leader.
        log_start_offset: i64,
    },
    /// The asker's log leaves the leader's at or before this epoch's end: cut back and ask again.
    Diverging {
        /// The leader's largest epoch that is not larger than the asker's last one.
        epoch: i32,
        /// Where that ends in the leader's log.
        end_offset: i64,
    },
    /// The leader's log begins later, or the asker's last epoch is older than all that it knows: here is a snapshot to begin with.
    Snapshot(SnapshotId),
    /// The one asked does not lead (in that epoch).
    NotLeader,
}

/// See [`Message::FetchSnapshotRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct FetchSnapshotRequest {
    /// As in [`FetchRequest`].
    pub correlation: u64,
    /// Directory of the asker.
    pub directory_id: Id,
    /// Epoch that the asker believes in.
    pub epoch: i32,
    /// Which.
    pub id: SnapshotId,
    /// First byte that it lacks.
    pub position: u64,
}

/// See [`Message::FetchSnapshotResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct FetchSnapshotResponse {
    /// Of the request.
    pub correlation: u64,
    /// Epoch of the one who answers.
    pub epoch: i32,
    /// Leader that it knows in that epoch.
    pub leader: Option<NodeId>,
    /// What it found.
    pub outcome: FetchSnapshotOutcome,
}

/// What a fetch of a snapshot found.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchSnapshotOutcome {
    /// Some of it.
    Chunk {
        /// Of the request.
        position: u64,
        /// What stands there, and how large the whole is.
        chunk: SnapshotChunk,
    },
    /// The leader does not have it any more.
    NotFound,
    /// The one asked does not lead (in that epoch).
    NotLeader,
}
