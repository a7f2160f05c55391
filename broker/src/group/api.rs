//! What goes in and out of the coordinator.

use bytes::Bytes;

use crate::metadata::report::Event;
use crate::protocol::messages::{
    ConsumerGroupHeartbeatResponseData, DeleteGroupsResponseData, JoinGroupResponseData, KafkaString,
    LeaveGroupResponseData, OffsetCommitResponseData, OffsetDeleteResponseData, OffsetFetchResponseData,
    SyncGroupResponseData,
};

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
    },
    /// Something worth telling.
    Event(Event),
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
    /// OffsetFetch.
    OffsetFetch(OffsetFetchResponseData),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteResponseData),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponseData),
    /// DeleteGroups.
    Delete(DeleteGroupsResponseData),
}

/// A protocol string of its own memory: what is kept must not hold a whole request frame alive.
pub(super) fn text(value: &str) -> KafkaString {
    KafkaString::from(value.to_owned())
}

/// The same for an optional one.
pub(super) fn opt_text(value: Option<&str>) -> Option<KafkaString> {
    value.map(text)
}
