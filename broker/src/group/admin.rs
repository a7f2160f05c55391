//! ListGroups v0–5 (KIP-518: states, KIP-848: types), DescribeGroups v0–6 (KIP-1043: GROUP_ID_NOT_FOUND), DeleteGroups v0–2.
//!
//! Source: `GroupMetadataManager.listGroups`, `describeGroups`, `GroupCoordinatorShard.deleteGroups`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::api::{GroupResponse, OffsetsRecord, ReplyTo, opt_text, text};
use super::classic::{ClassicGroup, GroupState, Member};
use super::consumer::ConsumerGroup;
use super::coordinator::{GroupCoordinator, Shard, Shared, Step};
use super::kind::Group;
use super::pending::{Change, Deferred, Gather, Then, deleted};
use super::rebalance::session;
use super::record;
use super::share::ShareGroup;
use super::streams::StreamsGroup;
use super::timer::TimerKey;
use super::work::encode;
use crate::logging::Level;
use crate::protocol::ErrorCode;
use crate::protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::protocol::messages::{
    DeletableGroupResult, DeleteGroupsRequestData, DeleteGroupsResponseData, DescribeGroupsRequestData,
    DescribeGroupsResponseData, ListGroupsRequestData, ListGroupsResponseData, ListedGroup,
};
use crate::types::Now;

/// Records of one append at most, so that its batch stays well below `max.message.bytes`.
const RECORDS_PER_APPEND: usize = 2_000;

impl GroupCoordinator {
    /// The groups of this coordinator.
    pub fn list_groups(&self, request: &ListGroupsRequestData) -> ListGroupsResponseData {
        if self.shards.values().any(|shard| shard.loading) {
            return ListGroupsResponseData::default().with_error_code(ErrorCode::CoordinatorLoadInProgress.code());
        }
        let lower = |filter: &[crate::protocol::messages::KafkaString]| -> BTreeSet<String> {
            filter.iter().map(|name| name.as_str().trim().to_lowercase()).collect()
        };
        let (states, types) = (lower(&request.states_filter), lower(&request.types_filter));
        let groups = self
            .shards
            .values()
            .flat_map(|shard| shard.groups.keys().filter_map(|id| Some((id, shard.committed_group(id)?))));
        let has_state = |group: &Group| states.is_empty() || states.contains(&group.state_name().to_lowercase());
        let has_type = |group: &Group| types.is_empty() || types.contains(group.type_name());
        let wanted = groups.filter(|(_, group)| has_state(group) && has_type(group));
        let listed = wanted.map(|(id, group)| {
            ListedGroup::default()
                .with_group_id(text(id))
                .with_protocol_type(text(group.protocol_type()))
                .with_group_state(text(group.state_name()))
                .with_group_type(text(group.type_name()))
        });
        ListGroupsResponseData::default().with_groups(listed.collect())
    }

    /// Groups in full.
    pub fn describe_groups(
        &mut self,
        api_version: i16,
        request: &DescribeGroupsRequestData,
    ) -> DescribeGroupsResponseData {
        let groups = request.groups.iter().map(|id| match self.shard_for(id.as_str()) {
            Err(error) => DescribedGroup::default().with_group_id(id.clone()).with_error_code(error.code()),
            Ok((_, shard, _)) => match shard.committed_group(id.as_str()) {
                Some(Group::Classic(group)) => describe(group),
                Some(_) => not_found(id.as_str(), "is not a classic group", api_version),
                None => not_found(id.as_str(), "not found", api_version),
            },
        });
        let groups = groups.collect();
        DescribeGroupsResponseData::default().with_groups(groups)
    }

    /// Groups are deleted with their offsets. Answered by [`GroupResponse::Delete`] when that is written.
    pub fn delete_groups(&mut self, now: Now, to: ReplyTo, request: &DeleteGroupsRequestData) {
        let ids: BTreeSet<&str> = request.groups_names.iter().map(|id| id.as_str()).collect();
        if ids.is_empty() {
            return self.shared.reply(to, GroupResponse::Delete(DeleteGroupsResponseData::default()));
        }
        let gather = self.shared.next_number();
        self.shared.gathers.insert(gather, Gather::Delete { to, waiting: ids.len(), results: Vec::new() });
        for id in ids {
            if !self.delete_share_states(now, gather, id) {
                self.delete_group_now(now, gather, id, None);
            }
        }
        self.fail_refused(now);
    }

    /// One group is deleted, unless its share states could not be.
    pub(super) fn delete_group_now(&mut self, now: Now, gather: u64, id: &str, states: Option<ErrorCode>) {
        match states.map_or_else(|| self.delete_group(now, id), Err) {
            Err(error) => self.shared.group_not_deleted(gather, id, error),
            Ok(partition) => {
                let Some(shard) = self.shards.get_mut(&partition) else { return };
                let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition, now };
                step.defer(Deferred::Delete { gather, results: deletion(id, ErrorCode::None) });
            }
        }
    }

    fn delete_group(&mut self, now: Now, id: &str) -> Result<i32, ErrorCode> {
        let (partition, shard, shared) = self.shard_for(id)?;
        match shard.groups.get(id) {
            None => Err(ErrorCode::GroupIdNotFound),
            Some(Group::Classic(group)) if group.is_in(GroupState::Dead) => Err(ErrorCode::GroupIdNotFound),
            Some(group) if group.is_empty() => {
                shared.note(partition, Level::Info, id, || "Is deleted, as somebody asked".to_owned());
                shard.delete(shared, partition, now, id, Vec::new());
                Ok(partition)
            }
            Some(_) => Err(ErrorCode::NonEmptyGroup),
        }
    }
}

impl Shared {
    /// A group of a DeleteGroups stays.
    pub(super) fn group_not_deleted(&mut self, gather: u64, id: &str, error: ErrorCode) {
        let answer = deleted(&mut self.gathers, gather, deletion(id, error));
        self.reply_all(answer);
    }
}

fn deletion(id: &str, error: ErrorCode) -> Vec<DeletableGroupResult> {
    vec![DeletableGroupResult::default().with_group_id(text(id)).with_error_code(error.code())]
}

impl Shard {
    /// Takes an empty group out and writes tombstones for all that the log knows of it. `expired` are changes already decided on.
    pub(super) fn delete(
        &mut self,
        shared: &mut Shared,
        partition: i32,
        now: Now,
        id: &str,
        expired: Vec<(OffsetsRecord, Change)>,
    ) {
        let Some(group) = self.groups.remove(id) else { return };
        shared.group_count = shared.group_count.saturating_sub(1);
        let group_id = group.id().clone();
        shared.dirty.insert(group_id.clone());
        let mut entries = if expired.is_empty() { self.tombstones(&group_id) } else { expired };
        let records = match &group {
            Group::Classic(group) => {
                forget_timers(shared, group);
                record::encode_group(id, None).into_iter().collect()
            }
            Group::Consumer(group) => encode::<ConsumerGroup>(id, &group.tombstones()).unwrap_or_default(),
            Group::Share(group) => encode::<ShareGroup>(id, &group.tombstones()).unwrap_or_default(),
            Group::Streams(group) => {
                shared.timers.cancel(&TimerKey::FirstAssignment(group_id.clone()));
                encode::<StreamsGroup>(id, &group.tombstones()).unwrap_or_default()
            }
        };
        entries.extend(records.into_iter().map(|record| (record, Change::GroupTombstone(group_id.clone()))));
        let mut step = Step { shared, log: &mut self.log, partition, now };
        step.append_in_pieces(entries, Some(Then::Deleted(vec![group])));
    }

    /// Tombstones for all offsets of a group, committed, on their way or of open transactions.
    fn tombstones(&self, group: &Arc<str>) -> Vec<(OffsetsRecord, Change)> {
        let committed = self.offsets.get(group).into_iter().flatten();
        let committed = committed.flat_map(|(topic, offsets)| offsets.keys().map(move |index| (topic.clone(), *index)));
        let pending = self.log.offsets_of(group).filter(|(_, _, value)| value.is_some());
        let pending = pending.map(|(topic, index, _)| (topic.clone(), index));
        let open = self.open_offsets(group).map(|(topic, index)| (topic.clone(), index));
        let keys: BTreeSet<(Arc<str>, i32)> = committed.chain(pending).chain(open).collect();
        keys.into_iter().filter_map(|(topic, index)| tombstone(group, topic, index)).collect()
    }
}

/// An offset's tombstone, as record and as change.
pub(super) fn tombstone(group: &Arc<str>, topic: Arc<str>, partition: i32) -> Option<(OffsetsRecord, Change)> {
    let record = record::encode_offset(group, &topic, partition, None).ok()?;
    Some((record, Change::Offset { group: group.clone(), topic, partition, value: None }))
}

/// No deadline is left of a group that goes.
pub(super) fn forget_timers(shared: &mut Shared, group: &ClassicGroup) {
    for member in group.member_ids().iter().chain(&group.pending_joins) {
        shared.timers.cancel(&session(&group.id, member));
    }
    shared.timers.cancel(&TimerKey::Join(group.id.clone()));
    shared.timers.cancel(&TimerKey::Sync(group.id.clone()));
}

impl Step<'_> {
    /// Appends many records, in batches that fit.
    pub(super) fn append_in_pieces(&mut self, mut entries: Vec<(OffsetsRecord, Change)>, then: Option<Then>) {
        while entries.len() > RECORDS_PER_APPEND {
            let rest = entries.split_off(RECORDS_PER_APPEND);
            let (records, changes) = std::mem::replace(&mut entries, rest).into_iter().unzip();
            self.append(records, changes, None);
        }
        if !entries.is_empty() {
            let (records, changes) = entries.into_iter().unzip();
            self.append(records, changes, then);
        }
    }
}

fn describe(group: &ClassicGroup) -> DescribedGroup {
    let protocol = group.protocol_name.as_deref().filter(|_| group.is_in(GroupState::Stable));
    let member = |member: &Member| {
        DescribedGroupMember::default()
            .with_member_id(text(&member.id))
            .with_group_instance_id(opt_text(member.instance_id.as_deref()))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_member_metadata(protocol.map(|protocol| member.metadata(protocol)).unwrap_or_default())
            .with_member_assignment(member.assignment.clone())
    };
    DescribedGroup::default()
        .with_group_id(text(&group.id))
        .with_group_state(text(group.state().name()))
        .with_protocol_type(text(group.protocol_type.as_deref().unwrap_or("")))
        .with_protocol_data(text(protocol.unwrap_or("")))
        .with_members(group.members().map(member).collect())
}

fn not_found(id: &str, why: &str, api_version: i16) -> DescribedGroup {
    let group = DescribedGroup::default().with_group_id(text(id)).with_group_state(text(GroupState::Dead.name()));
    if api_version < 6 {
        return group;
    }
    group
        .with_error_code(ErrorCode::GroupIdNotFound.code())
        .with_error_message(Some(text(&format!("Group {id} {why}."))))
}
