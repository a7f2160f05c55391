//! Appends whose fate is not known yet, and what is to be done when it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::api::{AppendToken, GroupResponse, ReplyTo, ShareStateRequest};
use super::coordinator::Shared;
use super::kind::Group;
use super::open_offsets::OffsetKey;
use super::record::OffsetAndMetadata;
use super::share::{alter_offsets, ask, delete_offsets};
use super::streams::{self, StreamsBeat};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AlterShareGroupOffsetsResponseData, ConsumerGroupHeartbeatResponseData, DeletableGroupResult,
    DeleteShareGroupOffsetsResponseData, DescribeShareGroupOffsetsResponseData, DescribeShareGroupOffsetsResponseGroup,
    JoinGroupResponseData, LeaveGroupResponseData, OffsetCommitResponseData, OffsetDeleteResponseData,
    OffsetFetchResponseGroup, ShareGroupHeartbeatResponseData, SyncGroupResponseData, TxnOffsetCommitResponseData,
};

/// What a committed append changes in memory.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A committed offset, or its tombstone.
    Offset { group: Arc<str>, topic: Arc<str>, partition: i32, value: Option<OffsetAndMetadata> },
    /// An offset of a transaction that is not ended.
    TxnOffset { producer_id: i64, key: OffsetKey, value: OffsetAndMetadata },
    /// The end of a producer's transaction.
    EndTxn { producer_id: i64, commit: bool },
    /// A group's tombstone.
    GroupTombstone(Arc<str>),
}

/// What a group does when its append is committed or has failed.
#[derive(Debug)]
pub(super) enum Then {
    /// A group was made by this JoinGroup.
    NewGroup { group: Arc<str>, join: ReplyTo },
    /// Members get their assignments.
    Sync { group: Arc<str>, generation: i32, assignments: BTreeMap<Arc<str>, Bytes> },
    /// A static member came back under a new id, without a rebalance.
    StaticJoin(Box<StaticJoin>),
    /// Groups were taken out to be deleted; they come back if that could not be written.
    Deleted(Vec<Group>),
    /// A group is no longer what it was (or, with `None`, is new); it is again, if that could not be written.
    Replaced { group: Arc<str>, before: Option<Box<Group>> },
}

/// See [`Then::StaticJoin`].
#[derive(Debug)]
pub(super) struct StaticJoin {
    pub(super) group: Arc<str>,
    pub(super) old_member: Arc<str>,
    pub(super) new_member: Arc<str>,
    pub(super) old_protocols: Vec<(String, Bytes)>,
    pub(super) old_rebalance_timeout_ms: i32,
    pub(super) old_session_timeout_ms: i32,
    pub(super) old_leader: Option<Arc<str>>,
    pub(super) can_skip_assignment: bool,
}

/// An answer that waits for an append.
#[derive(Debug)]
pub(super) enum Deferred {
    /// OffsetCommit.
    Commit { to: ReplyTo, response: OffsetCommitResponseData },
    /// TxnOffsetCommit.
    TxnCommit { to: ReplyTo, api_version: i16, response: TxnOffsetCommitResponseData },
    /// The end of a transaction.
    EndTxn { to: ReplyTo },
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat { to: ReplyTo, response: ConsumerGroupHeartbeatResponseData },
    /// StreamsGroupHeartbeat.
    StreamsHeartbeat { to: ReplyTo, beat: Box<StreamsBeat> },
    /// JoinGroup of a classic member in a consumer group.
    Join { to: ReplyTo, response: JoinGroupResponseData },
    /// SyncGroup of such a one.
    Sync { to: ReplyTo, response: SyncGroupResponseData },
    /// OffsetDelete.
    OffsetDelete { to: ReplyTo, response: OffsetDeleteResponseData },
    /// LeaveGroup.
    Leave { to: ReplyTo, api_version: i16, response: LeaveGroupResponseData },
    /// One group of an OffsetFetch that asked for stable offsets.
    Fetch { gather: u64, index: usize, group: Box<OffsetFetchResponseGroup> },
    /// Some groups of a DeleteGroups.
    Delete { gather: u64, results: Vec<DeletableGroupResult> },
    /// ShareGroupHeartbeat.
    ShareHeartbeat { to: ReplyTo, response: ShareGroupHeartbeatResponseData },
    /// AlterShareGroupOffsets.
    AlterShareOffsets { to: ReplyTo, response: AlterShareGroupOffsetsResponseData },
    /// DeleteShareGroupOffsets.
    DeleteShareOffsets { to: ReplyTo, response: DeleteShareGroupOffsetsResponseData },
    /// No answer, but a question to the persister.
    ShareState { number: u64, request: ShareStateRequest },
}

/// One append on its way.
#[derive(Debug)]
pub(super) struct PendingAppend {
    pub(super) token: AppendToken,
    pub(super) size_bytes: usize,
    pub(super) changes: Vec<Change>,
    pub(super) then: Option<Then>,
    /// Until when `then` waits.
    pub(super) deadline: Duration,
    /// Answers that wait for it, each until its own time.
    pub(super) deferred: Vec<(Duration, Deferred)>,
}

impl PendingAppend {
    /// Takes what has waited long enough, and tells when the next will have.
    pub(super) fn take_due(&mut self, now: Duration) -> (Option<Then>, Vec<Deferred>, Option<Duration>) {
        let then = if self.deadline <= now { self.then.take() } else { None };
        let due =
            self.deferred.extract_if(.., |(deadline, _)| *deadline <= now).map(|(_, deferred)| deferred).collect();
        let waiting = self.deferred.iter().map(|(deadline, _)| *deadline);
        let next = waiting.chain(self.then.is_some().then_some(self.deadline)).min();
        (then, due, next)
    }
}

/// Appends of one partition on their way, in log order.
#[derive(Debug, Default)]
pub(super) struct PendingLog {
    pub(super) appends: VecDeque<PendingAppend>,
    pub(super) size_bytes: usize,
}

impl PendingLog {
    /// Takes one out.
    pub(super) fn take(&mut self, token: AppendToken) -> Option<PendingAppend> {
        // Results come in log order, so this is nearly always the first.
        let index = self.appends.iter().position(|append| append.token == token)?;
        let append = self.appends.remove(index)?;
        self.size_bytes -= append.size_bytes;
        Some(append)
    }

    /// The group's state before the oldest change of it that is not known to be committed: outer `None` if there is none such.
    pub(super) fn group_before<'a>(&'a self, group: &str) -> Option<Option<&'a Group>> {
        self.appends.iter().find_map(|append| match &append.then {
            Some(Then::Replaced { group: of, before }) if **of == *group => Some(before.as_deref()),
            _ => None,
        })
    }

    /// Changes of a group that came after `token`: they build on one that did not come to be.
    pub(super) fn later_changes(&self, group: &str, token: AppendToken) -> Vec<AppendToken> {
        let is_later = |append: &&PendingAppend| {
            append.token > token && matches!(&append.then, Some(Then::Replaced { group: of, .. }) if **of == *group)
        };
        self.appends.iter().filter(is_later).map(|append| append.token).collect()
    }

    /// Whether an append's fate is not known yet.
    pub(super) fn is_pending(&self, token: AppendToken) -> bool {
        self.appends.iter().rev().any(|append| append.token == token)
    }

    /// One by its token.
    pub(super) fn get_mut(&mut self, token: AppendToken) -> Option<&mut PendingAppend> {
        self.appends.iter_mut().find(|append| append.token == token)
    }

    /// The newest.
    pub(super) fn last_mut(&mut self) -> Option<&mut PendingAppend> {
        self.appends.back_mut()
    }

    /// The newest one's token.
    pub(super) fn last_token(&self) -> Option<AppendToken> {
        self.appends.back().map(|append| append.token)
    }

    /// What is written but not committed, oldest first.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.appends.iter().flat_map(|append| &append.changes)
    }

    /// Offsets of transactions that are written but not committed, oldest first.
    pub(super) fn txn_offsets(&self) -> impl Iterator<Item = (&OffsetKey, &OffsetAndMetadata)> {
        self.changes().filter_map(|change| match change {
            Change::TxnOffset { key, value, .. } => Some((key, value)),
            _ => None,
        })
    }

    /// Offsets of a group that are written but not committed, oldest first.
    pub(super) fn offsets_of<'a>(
        &'a self,
        group: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, i32, Option<&'a OffsetAndMetadata>)> {
        self.changes().filter_map(move |change| match change {
            Change::Offset { group: of, topic, partition, value } if **of == *group => {
                Some((topic, *partition, value.as_ref()))
            }
            _ => None,
        })
    }
}

/// A request whose parts are answered by several partitions.
#[derive(Debug)]
pub(super) enum Gather {
    /// OffsetFetch.
    Fetch { to: ReplyTo, api_version: i16, waiting: usize, groups: Vec<Option<OffsetFetchResponseGroup>> },
    /// DeleteGroups.
    Delete { to: ReplyTo, waiting: usize, results: Vec<DeletableGroupResult> },
    /// DescribeShareGroupOffsets.
    ShareOffsets { to: ReplyTo, waiting: usize, groups: Vec<Option<DescribeShareGroupOffsetsResponseGroup>> },
}

/// The error that a client is told when an append failed.
///
/// Source: `GroupMetadataManager.appendGroupMetadataErrorToResponseError`, `CoordinatorOperationExceptionHelper`.
pub(super) fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}

/// The same for OffsetFetch, whose older clients retry on NOT_COORDINATOR only.
pub(super) fn fetch_error(error: ErrorCode) -> ErrorCode {
    match append_error(error) {
        ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
        other => other,
    }
}

impl Deferred {
    /// Does what waited for an append.
    pub(super) fn settle(self, result: Result<(), ErrorCode>, shared: &mut Shared) {
        let answer = match self {
            Deferred::ShareState { number, request } => return ask::ready(shared, number, request, result),
            answer => answer.resolve(result, &mut shared.gathers),
        };
        shared.reply_all(answer);
    }

    /// Whom and what to answer at once; `None` where a gather goes on.
    fn resolve(
        self,
        result: Result<(), ErrorCode>,
        gathers: &mut BTreeMap<u64, Gather>,
    ) -> Option<(ReplyTo, GroupResponse)> {
        match self {
            Deferred::ShareState { .. } => None,
            Deferred::ShareHeartbeat { to, response } => {
                let failed =
                    |error| ShareGroupHeartbeatResponseData::default().with_error_code(append_error(error).code());
                Some((to, GroupResponse::ShareHeartbeat(result.map_or_else(failed, |()| response))))
            }
            Deferred::AlterShareOffsets { to, response } => {
                let failed = |error| alter_offsets::refused(append_error(error), None);
                Some((to, GroupResponse::AlterShareOffsets(result.map_or_else(failed, |()| response))))
            }
            Deferred::DeleteShareOffsets { to, response } => Some((
                to,
                match result {
                    Ok(()) => GroupResponse::DeleteShareOffsets(response),
                    Err(error) => delete_offsets::refused(append_error(error), None),
                },
            )),
            Deferred::Commit { to, mut response } => {
                if let Err(error) = result {
                    fail_commit(&mut response, append_error(error));
                }
                Some((to, GroupResponse::OffsetCommit(response)))
            }
            Deferred::TxnCommit { to, api_version, response } => {
                let result = result.map_err(append_error);
                Some((to, super::txn_offsets::committed(response, api_version, result)))
            }
            Deferred::EndTxn { to } => Some((to, GroupResponse::TxnCompleted(result.err().unwrap_or(ErrorCode::None)))),
            Deferred::ConsumerHeartbeat { to, response } => {
                let failed =
                    |error| ConsumerGroupHeartbeatResponseData::default().with_error_code(append_error(error).code());
                Some((to, GroupResponse::ConsumerHeartbeat(result.map_or_else(failed, |()| response))))
            }
            Deferred::StreamsHeartbeat { to, beat } => {
                let failed = |error| Box::new(streams::refused(&append_error(error).into()));
                Some((to, GroupResponse::StreamsHeartbeat(result.map_or_else(failed, |()| beat))))
            }
            Deferred::Join { to, response } => {
                let failed = |error| super::rebalance::join_error(response.member_id.as_str(), append_error(error));
                let response = result.err().map(failed).unwrap_or_else(|| response.clone());
                Some((to, GroupResponse::Join(response)))
            }
            Deferred::Sync { to, response } => {
                let failed = |error| super::rebalance::sync_error(append_error(error));
                Some((to, GroupResponse::Sync(result.map_or_else(failed, |()| response))))
            }
            Deferred::OffsetDelete { to, response } => {
                let response = result.map_or_else(super::offset_delete::refused, |()| response);
                Some((to, GroupResponse::OffsetDelete(response)))
            }
            Deferred::Leave { to, api_version, response } => {
                let response = match result {
                    Ok(()) => response,
                    Err(error) => LeaveGroupResponseData::default().with_error_code(append_error(error).code()),
                };
                Some((to, GroupResponse::Leave(super::leave::for_version(response, api_version))))
            }
            Deferred::Fetch { gather, index, group } => {
                let group = match result {
                    Ok(()) => *group,
                    Err(error) => OffsetFetchResponseGroup::default()
                        .with_group_id(group.group_id)
                        .with_error_code(fetch_error(error).code()),
                };
                fetched(gathers, gather, index, group)
            }
            Deferred::Delete { gather, mut results } => {
                if let Err(error) = result {
                    results.iter_mut().for_each(|result| result.error_code = append_error(error).code());
                }
                deleted(gathers, gather, results)
            }
        }
    }
}

/// Kafka refuses the whole commit when it could not be written; topics that do not exist keep their own error.
fn fail_commit(response: &mut OffsetCommitResponseData, error: ErrorCode) {
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let depends = [ErrorCode::None.code(), ErrorCode::OffsetMetadataTooLarge.code()];
        if depends.contains(&partition.error_code) {
            partition.error_code = error.code();
        }
    }
}

/// A group of an OffsetFetch is there. Answers when all are.
pub(super) fn fetched(
    gathers: &mut BTreeMap<u64, Gather>,
    id: u64,
    index: usize,
    group: OffsetFetchResponseGroup,
) -> Option<(ReplyTo, GroupResponse)> {
    let Some(Gather::Fetch { to, api_version, waiting, groups }) = gathers.get_mut(&id) else { return None };
    *groups.get_mut(index)? = Some(group);
    *waiting -= 1;
    if *waiting > 0 {
        return None;
    }
    let (to, api_version, groups) = (*to, *api_version, std::mem::take(groups));
    gathers.remove(&id);
    let response = super::offset_fetch::response(groups.into_iter().flatten().collect(), api_version);
    Some((to, GroupResponse::OffsetFetch(response)))
}

/// A group of a DescribeShareGroupOffsets is there. Answers when all are.
pub(super) fn share_offsets_described(
    gathers: &mut BTreeMap<u64, Gather>,
    id: u64,
    index: usize,
    group: DescribeShareGroupOffsetsResponseGroup,
) -> Option<(ReplyTo, GroupResponse)> {
    let Some(Gather::ShareOffsets { to, waiting, groups }) = gathers.get_mut(&id) else { return None };
    *groups.get_mut(index)? = Some(group);
    *waiting -= 1;
    if *waiting > 0 {
        return None;
    }
    let (to, groups) = (*to, std::mem::take(groups));
    gathers.remove(&id);
    let groups = groups.into_iter().flatten().collect();
    let response = DescribeShareGroupOffsetsResponseData::default().with_groups(groups);
    Some((to, GroupResponse::DescribeShareOffsets(response)))
}

/// Some groups of a DeleteGroups are done. Answers when all are.
pub(super) fn deleted(
    gathers: &mut BTreeMap<u64, Gather>,
    id: u64,
    done: Vec<DeletableGroupResult>,
) -> Option<(ReplyTo, GroupResponse)> {
    let Some(Gather::Delete { to, waiting, results }) = gathers.get_mut(&id) else { return None };
    *waiting = waiting.saturating_sub(done.len());
    results.extend(done);
    if *waiting > 0 {
        return None;
    }
    let (to, results) = (*to, std::mem::take(results));
    gathers.remove(&id);
    let response = crate::protocol::messages::DeleteGroupsResponseData::default().with_results(results);
    Some((to, GroupResponse::Delete(response)))
}
