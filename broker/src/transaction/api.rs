//! What goes in and out of the coordinator.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::logging::NodeLog;
use crate::protocol::ErrorCode;
use crate::types::{NodeId, TopicPartition};

/// Who waits for an answer; the caller's own number. Each is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyTo(pub u64);

/// Names one append until its fate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppendToken(pub u64);

/// Settings; names and units are those of Kafka's configuration.
#[derive(Clone, Debug)]
pub struct TransactionConfig {
    /// The broker.
    pub node_id: NodeId,
    /// Where it writes what happens; nowhere unless it is told.
    pub log: NodeLog,
    /// `transaction.max.timeout.ms`
    pub max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`
    pub expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiry_interval_ms: i64,
    /// `transaction.state.log.num.partitions`, until the topic is there.
    pub partitions: i32,
    /// Transactional ids that one broker coordinates at most; no setting of Kafka's.
    pub max_ids: usize,
}

impl Default for TransactionConfig {
    fn default() -> TransactionConfig {
        TransactionConfig {
            node_id: 0,
            log: NodeLog::default(),
            max_timeout_ms: 900_000,
            expiration_ms: 604_800_000,
            abort_interval_ms: 10_000,
            expiry_interval_ms: 3_600_000,
            partitions: 50,
            max_ids: 500_000,
        }
    }
}

/// Answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// InitProducerId: producer id and epoch.
    Init(Result<(i64, i16), ErrorCode>),
    /// AddPartitionsToTxn, AddOffsetsToTxn.
    Added(ErrorCode),
    /// EndTxn: producer id and epoch of the next transaction; -1 for clients below version 2.
    Ended(Result<(i64, i16), ErrorCode>),
}

/// The end of one transaction, as its partitions are to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Partition of `__transaction_state`.
    pub shard: i32,
    /// Whose.
    pub transactional_id: Arc<str>,
    /// Producer id.
    pub producer_id: i64,
    /// Epoch.
    pub producer_epoch: i16,
    /// Leader epoch of the shard.
    pub coordinator_epoch: i32,
    /// Commits, does not abort.
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
        answer: Answer,
    },
    /// Append these records (key, value) as one batch with acks=all, and tell the result by
    /// [`TransactionCoordinator::on_append_result`](super::TransactionCoordinator::on_append_result) once it is committed or refused.
    Append {
        /// Partition of `__transaction_state`.
        shard: i32,
        /// Names this append.
        token: AppendToken,
        /// Record timestamps.
        timestamp_ms: i64,
        /// The records; no value is a tombstone.
        records: Vec<(Bytes, Option<Bytes>)>,
    },
    /// Have this marker written to the leaders of these partitions, until each is told by
    /// [`TransactionCoordinator::on_marker_written`](super::TransactionCoordinator::on_marker_written).
    SendMarker {
        /// The marker.
        marker: Marker,
        /// Where.
        partitions: BTreeSet<TopicPartition>,
    },
}
