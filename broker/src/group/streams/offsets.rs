//! Who may commit and fetch offsets of a streams group.
//!
//! Source: `StreamsGroup.validateOffsetCommit`, `validateOffsetFetch` (KIP-1251: by the epoch in which a task was given).

use std::sync::Arc;

use super::group::StreamsGroup;
use super::member::Member;
use crate::protocol::ErrorCode;

/// The version from which members of streams groups may commit.
const MEMBER_EPOCH: i16 = 9;

impl StreamsGroup {
    /// Whether a member may commit these partitions.
    pub fn validate_commit<'a>(
        &self,
        member_id: &str,
        epoch: i32,
        api_version: i16,
        partitions: impl Iterator<Item = (&'a Arc<str>, i32)>,
    ) -> Result<(), ErrorCode> {
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if api_version < MEMBER_EPOCH {
            return Err(ErrorCode::UnsupportedVersion);
        }
        self.check_epoch(member, epoch, partitions)
    }

    /// Whether a member may commit these partitions in a transaction. Who names neither member nor epoch may: older clients cannot.
    pub fn validate_txn_commit<'a>(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        epoch: i32,
        partitions: impl Iterator<Item = (&'a Arc<str>, i32)>,
    ) -> Result<(), ErrorCode> {
        if (epoch < 0 && self.is_empty()) || (epoch == -1 && member_id.is_empty() && instance_id.is_none()) {
            return Ok(());
        }
        let member = self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        // Its clients do not know the other error.
        self.check_epoch(member, epoch, partitions).map_err(|_| ErrorCode::IllegalGeneration)
    }

    /// Whether a member may fetch offsets.
    pub fn validate_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.member(id)).ok_or(ErrorCode::UnknownMemberId)?;
        if member.current.epoch == epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// Whether a commit of this epoch is in time: not older than the epoch in which the tasks of its partitions were given.
    fn check_epoch<'a>(
        &self,
        member: &Member,
        epoch: i32,
        partitions: impl Iterator<Item = (&'a Arc<str>, i32)>,
    ) -> Result<(), ErrorCode> {
        let known = member.current.epoch;
        if epoch == known {
            return Ok(());
        }
        let stale = Err(ErrorCode::StaleMemberEpoch);
        let Some(topology) = self.topology.as_ref().filter(|_| epoch < known) else { return stale };
        for (topic, partition) in partitions {
            let Some(part) = topology.reader_of(topic) else { return stale };
            let has = [&member.current.assigned, &member.current.revoking];
            let given = has.iter().find_map(|owned| owned.active.get(&part.id)?.get(&partition));
            if given.is_none_or(|given| epoch < *given) {
                return stale;
            }
        }
        Ok(())
    }
}
