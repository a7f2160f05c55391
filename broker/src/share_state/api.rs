//! What goes in and out of the coordinator.

use std::time::Duration;

use bytes::Bytes;

use super::request::PartResponse;

/// Who waits for an answer; the caller's own number, greater than all before. Each is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyTo(pub u64);

/// Names one append until its fate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppendToken(pub u64);

/// Settings; names and units are those of Kafka's configuration.
#[derive(Clone, Debug)]
pub struct ShareCoordinatorConfig {
    /// `share.coordinator.state.topic.num.partitions`, until the topic is there.
    pub partitions: i32,
    /// `share.coordinator.snapshot.update.records.per.snapshot`
    pub updates_per_snapshot: i32,
    /// `share.coordinator.write.timeout.ms`
    pub write_timeout: Duration,
    /// `share.coordinator.cold.partition.snapshot.interval.ms`
    pub cold_interval: Duration,
    /// `share.coordinator.state.topic.prune.interval.ms`
    pub prune_interval: Duration,
    /// Share partitions that one broker coordinates at most; no setting of Kafka's.
    pub max_share_partitions: usize,
}

impl Default for ShareCoordinatorConfig {
    fn default() -> ShareCoordinatorConfig {
        ShareCoordinatorConfig {
            partitions: 50,
            updates_per_snapshot: 500,
            write_timeout: Duration::from_secs(5),
            cold_interval: Duration::from_secs(300),
            prune_interval: Duration::from_secs(300),
            max_share_partitions: 500_000,
        }
    }
}

/// What the coordinator wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer a request.
    Reply {
        /// Whom.
        to: ReplyTo,
        /// With what.
        response: PartResponse,
    },
    /// Append these records (key, value) as one batch with acks=all, and tell the result by
    /// [`ShareCoordinator::on_append_result`](super::ShareCoordinator::on_append_result) once it is committed or refused.
    Append {
        /// Partition of `__share_group_state`.
        shard: i32,
        /// Names this append.
        token: AppendToken,
        /// Record timestamps.
        timestamp_ms: i64,
        /// The records; no value is a tombstone.
        records: Vec<(Bytes, Option<Bytes>)>,
    },
    /// Delete the records before this offset, which nobody needs any more, and tell by
    /// [`ShareCoordinator::on_pruned`](super::ShareCoordinator::on_pruned) if that was done.
    Prune {
        /// Partition of `__share_group_state`.
        shard: i32,
        /// First offset that stays.
        offset: i64,
    },
}
