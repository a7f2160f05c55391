//! DeleteRecords on the leader: its log begins later from now on, and its followers' logs follow.
//!
//! Source: `kafka.cluster.Partition.deleteRecordsOnLeader`, `lowWatermarkIfLeader`; KIP-107.

use super::manager::ReplicaManager;
use crate::log::Log;
use crate::protocol::ErrorCode;
use crate::types::{Now, TopicIdPartition};

/// `DeleteRecordsRequest.HIGH_WATERMARK`: everything that is committed.
const UP_TO_HIGH_WATERMARK: i64 = -1;

impl ReplicaManager {
    /// Deletes what lies before `offset` in a partition led here. Gives the offset that the low watermark must reach, for which
    /// [`ReplicaManager::low_watermark`] is asked.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR; POLICY_VIOLATION where records may only be compacted; OFFSET_OUT_OF_RANGE for a
    /// negative offset or one past the high watermark.
    pub fn delete_records(&mut self, _now: Now, id: &TopicIdPartition, offset: i64) -> Result<i64, ErrorCode> {
        let partition = self.partitions.get(id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        partition.leader_for(-1)?;
        let high_watermark = partition.high_watermark();
        let log = self.dir.log_mut(partition.name()).ok_or(ErrorCode::KafkaStorageError)?;
        if log.config().cleanup_compact && !log.config().cleanup_delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let offset = if offset == UP_TO_HIGH_WATERMARK { high_watermark } else { offset };
        if offset < 0 || offset > high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if offset > log.log_start_offset() {
            if let Err(error) = log.set_log_start_offset(offset) {
                self.fail_log(id, &error);
                return Err(ErrorCode::KafkaStorageError);
            }
            self.touch(*id);
        }
        Ok(offset)
    }

    /// The least log start offset of a partition led here: its own, that of every follower whose broker is alive, and that of a copy on
    /// the way to another directory. -1 while a follower's is not known.
    pub fn low_watermark(&self, id: &TopicIdPartition) -> Result<i64, ErrorCode> {
        let partition = self.partitions.get(id).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let leader = partition.leader_for(-1)?;
        let log = self.dir.log(partition.name()).ok_or(ErrorCode::KafkaStorageError)?;
        let alive = leader.followers.iter().filter(|(id, _)| self.brokers.alive_epoch(**id).is_some());
        let starts = alive.map(|(_, follower)| follower.log_start_offset);
        let future = self.dir.future(partition.name()).map(Log::log_start_offset);
        Ok(starts.chain(future).fold(log.log_start_offset(), i64::min))
    }
}
