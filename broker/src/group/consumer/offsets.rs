//! Who may commit and fetch offsets of a consumer group.
//!
//! Source: `ConsumerGroup.validateOffsetCommit`, `validateOffsetFetch` (KIP-1251: by the epoch in which a partition was given).

use super::group::ConsumerGroup;
use super::member::{Member, Owned};
use crate::protocol::ErrorCode;
use crate::types::Id;

/// The version from which members of consumer groups may commit.
const MEMBER_EPOCH: i16 = 9;

impl ConsumerGroup {
    /// Whether a member may commit these partitions.
    pub fn validate_commit(
        &self,
        member_id: &str,
        epoch: i32,
        api_version: i16,
        partitions: impl Iterator<Item = (Id, i32)>,
    ) -> Result<(), ErrorCode> {
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !member.is_classic() && api_version < MEMBER_EPOCH {
            return Err(ErrorCode::UnsupportedVersion);
        }
        member.check_epoch(epoch, partitions)
    }

    /// Whether a member may commit these partitions in a transaction. Who names neither member nor epoch may: older clients cannot.
    pub fn validate_txn_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        epoch: i32,
        partitions: impl Iterator<Item = (Id, i32)>,
    ) -> Result<(), ErrorCode> {
        if (epoch < 0 && self.is_empty()) || (epoch == -1 && member_id.is_empty() && instance_id.is_none()) {
            return Ok(());
        }
        let member = self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        // Its clients do not know the other error.
        member.check_epoch(epoch, partitions).map_err(|_| ErrorCode::IllegalGeneration)
    }

    /// Whether a member may fetch offsets.
    pub fn validate_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.member(id)).ok_or(ErrorCode::UnknownMemberId)?;
        if member.current.epoch == epoch { Ok(()) } else { Err(stale(member)) }
    }
}

impl Member {
    /// Whether a commit of this epoch is in time: not older than the epoch in which the partitions were given.
    fn check_epoch(&self, epoch: i32, partitions: impl Iterator<Item = (Id, i32)>) -> Result<(), ErrorCode> {
        let known = self.current.epoch;
        if epoch == known {
            return Ok(());
        }
        if epoch > known {
            return Err(stale(self));
        }
        for (topic, partition) in partitions {
            let given_in = |owned: &Owned| owned.get(&topic).and_then(|epochs| epochs.get(&partition)).copied();
            let given = given_in(&self.current.assigned).or_else(|| given_in(&self.current.revoking));
            if given.is_none_or(|given| epoch < given) {
                return Err(stale(self));
            }
        }
        Ok(())
    }
}

fn stale(member: &Member) -> ErrorCode {
    if member.is_classic() { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch }
}
