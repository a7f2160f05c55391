//! What goes in and out of the coordinator.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::streams::StreamsBeat;
use crate::log::VerificationGuard;
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AlterShareGroupOffsetsResponseData, ConsumerGroupHeartbeatResponseData, DeleteGroupsResponseData,
    DeleteShareGroupOffsetsResponseData, DeleteShareGroupStateRequestData, DeleteShareGroupStateResponseData,
    DescribeShareGroupOffsetsResponseData, InitializeShareGroupStateRequestData, InitializeShareGroupStateResponseData,
    JoinGroupResponseData, KafkaString, LeaveGroupResponseData, OffsetCommitResponseData, OffsetDeleteResponseData,
    OffsetFetchResponseData, ReadShareGroupStateSummaryRequestData, ReadShareGroupStateSummaryResponseData,
    ShareGroupHeartbeatResponseData, SyncGroupResponseData, TxnOffsetCommitResponseData,
};
use crate::types::TopicPartition;

/// Who waits for an answer; the caller's own number. Each is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyTo(pub u64);

/// Names one append until its fate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppendToken(pub u64);

/// What the coordinator must know of the client behind a request.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// `client.id`; empty if it gave none.
    pub client_id: String,
    /// Its address as Java prints it: `/127.0.0.1`.
    pub client_host: String,
    /// Version of the API it used.
    pub api_version: i16,
}

/// One record for `__consumer_offsets`; no value is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetsRecord {
    /// Key.
    pub key: Bytes,
    /// Value.
    pub value: Option<Bytes>,
}

/// The producer of a transactional append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnProducer {
    /// Producer id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Under which the transaction coordinator was asked; none if the transaction is open on the partition, or nobody asks.
    pub guard: Option<VerificationGuard>,
}

/// The end of a producer's transaction on one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnEnd {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Epoch of the transaction coordinator.
    pub coordinator_epoch: i32,
    /// Committed, or aborted.
    pub commit: bool,
    /// `transaction.version` of the transaction.
    pub transaction_version: i16,
}

/// What the coordinator wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer a request.
    Reply {
        /// Whom.
        to: ReplyTo,
        /// With what.
        response: GroupResponse,
    },
    /// Append these records, in this order, as one batch with acks=all, and tell the result by
    /// [`GroupCoordinator::on_append_result`](super::GroupCoordinator::on_append_result) once it is committed or refused.
    Append {
        /// Partition of `__consumer_offsets`.
        partition: i32,
        /// Names this append.
        token: AppendToken,
        /// Record timestamps.
        timestamp_ms: i64,
        /// The records.
        records: Vec<OffsetsRecord>,
        /// Whose transaction they are part of.
        producer: Option<TxnProducer>,
    },
    /// Append the marker that ends a transaction on this partition, and tell the result in the same way.
    AppendMarker {
        /// Partition of `__consumer_offsets`.
        partition: i32,
        /// Names this append.
        token: AppendToken,
        /// Timestamp of the record.
        timestamp_ms: i64,
        /// The transaction, and how it ends.
        end: TxnEnd,
    },
    /// Ask the persister of share states, and tell its answer by
    /// [`GroupCoordinator::on_share_state`](super::GroupCoordinator::on_share_state), exactly once.
    ShareState {
        /// Names this question.
        number: u64,
        /// What is asked.
        request: ShareStateRequest,
    },
    /// Ask the leaders of these partitions where they end, and tell it by
    /// [`GroupCoordinator::on_latest_offsets`](super::GroupCoordinator::on_latest_offsets), exactly once.
    LatestOffsets {
        /// Names this question.
        number: u64,
        /// Which.
        partitions: BTreeSet<TopicPartition>,
    },
    /// Something worth telling.
    Event(Event),
}

/// What is asked of the persister of share states, for partitions of one group.
#[derive(Clone, Debug)]
pub enum ShareStateRequest {
    /// States for new partitions.
    Initialize(Box<InitializeShareGroupStateRequestData>),
    /// No more states for these.
    Delete(Box<DeleteShareGroupStateRequestData>),
    /// How far these have come.
    Summary(Box<ReadShareGroupStateSummaryRequestData>),
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum ShareStateResponse {
    /// To [`ShareStateRequest::Initialize`].
    Initialize(Box<InitializeShareGroupStateResponseData>),
    /// To [`ShareStateRequest::Delete`].
    Delete(Box<DeleteShareGroupStateResponseData>),
    /// To [`ShareStateRequest::Summary`].
    Summary(Box<ReadShareGroupStateSummaryResponseData>),
}

/// Answers that may come later than the call that caused them.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupResponse {
    /// JoinGroup.
    Join(JoinGroupResponseData),
    /// SyncGroup.
    Sync(SyncGroupResponseData),
    /// LeaveGroup.
    Leave(LeaveGroupResponseData),
    /// OffsetCommit.
    OffsetCommit(OffsetCommitResponseData),
    /// TxnOffsetCommit.
    TxnOffsetCommit(TxnOffsetCommitResponseData),
    /// The marker of a transaction is committed, or why not.
    TxnCompleted(ErrorCode),
    /// OffsetFetch.
    OffsetFetch(OffsetFetchResponseData),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteResponseData),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponseData),
    /// StreamsGroupHeartbeat, and the topics that are to be created because of it.
    StreamsHeartbeat(Box<StreamsBeat>),
    /// DeleteGroups.
    Delete(DeleteGroupsResponseData),
    /// ShareGroupHeartbeat.
    ShareHeartbeat(ShareGroupHeartbeatResponseData),
    /// DescribeShareGroupOffsets.
    DescribeShareOffsets(DescribeShareGroupOffsetsResponseData),
    /// AlterShareGroupOffsets.
    AlterShareOffsets(AlterShareGroupOffsetsResponseData),
    /// DeleteShareGroupOffsets.
    DeleteShareOffsets(DeleteShareGroupOffsetsResponseData),
}

/// Why a request is refused, and in which words.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Error code.
    pub error: ErrorCode,
    /// What the client is told beside the code.
    pub message: Option<String>,
}

impl Refusal {
    /// With a message.
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { error, message: Some(message.into()) }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Refusal {
        Refusal { error, message: None }
    }
}

/// A protocol string of its own memory: what is kept must not hold a whole request frame alive.
pub(super) fn text(value: &str) -> KafkaString {
    KafkaString::from(value.to_owned())
}

/// The same for an optional one.
pub(super) fn opt_text(value: Option<&str>) -> Option<KafkaString> {
    value.map(text)
}
