//! What is asked of the persister, and what becomes of its answers.
//!
//! Whatever is asked follows a record that says so, and only when that is committed: who takes the group over finds it there. A heartbeat does
//! not wait for the persister; others do.
//!
//! Source: `GroupCoordinatorService.persisterInitialize`, `handlePersisterInitializeResponse`, `performShareGroupsDeletion`,
//! `deleteShareGroupOffsetsState`; `GroupMetadataManager.initializeShareGroupState`, `uninitializeShareGroupState`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::describe_offsets::Describing;
use super::group::ShareGroup;
use super::records::ShareRecord;
use super::state::{StatePartitions, TopicStates};
use super::{alter_offsets, delete_offsets};
use crate::group::api::{GroupResponse, Output, Refusal, ReplyTo, ShareStateRequest, ShareStateResponse, text};
use crate::group::consumer::Assignment;
use crate::group::coordinator::{GroupCoordinator, Shared};
use crate::group::pending::Deferred;
use crate::group::work::{Change, Work};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AlterShareGroupOffsetsResponseData, DeleteShareGroupOffsetsResponseTopic, DeleteShareGroupStateRequestData,
    DeleteStateData, InitializeShareGroupStateRequestData, InitializeStateData, delete_share_group_state_request,
    initialize_share_group_state_request,
};
use crate::types::{Id, Now};

/// What is asked of the persister, until it answers.
#[derive(Debug)]
pub(in crate::group) struct Ask {
    pub group: Arc<str>,
    pub purpose: Purpose,
}

/// What for.
#[derive(Debug)]
pub(in crate::group) enum Purpose {
    /// New partitions that members read.
    Initialize,
    /// AlterShareGroupOffsets.
    Alter { to: ReplyTo, response: AlterShareGroupOffsetsResponseData },
    /// DeleteShareGroupOffsets, with the topics that are refused.
    DeleteOffsets { to: ReplyTo, refused: Vec<DeleteShareGroupOffsetsResponseTopic> },
    /// DeleteGroups.
    DeleteGroup { gather: u64 },
    /// DescribeShareGroupOffsets.
    Describe(Box<Describing>),
}

/// A partition of the persister's answer, whatever it was asked for.
pub(in crate::group) type Answered = (Id, i32, ErrorCode);

impl Work<'_> {
    /// Asks the persister once all that is on its way is committed.
    pub(in crate::group) fn ask_share_state(&mut self, group: &Arc<str>, purpose: Purpose, request: ShareStateRequest) {
        let number = self.shared.next_number();
        self.shared.asks.insert(number, Ask { group: group.clone(), purpose });
        self.step().defer(Deferred::ShareState { number, request });
    }

    /// Writes a change of a share group.
    pub fn commit_share(
        &mut self,
        id: &Arc<str>,
        change: Change<ShareGroup>,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        let tells_state = change.records.iter().any(|record| matches!(record, ShareRecord::State(_)));
        self.commit(id, change, deferred)?;
        let now_ms = self.now.wall_ms;
        if tells_state && let Some(group) = self.shard.groups.get_mut(id).and_then(crate::group::kind::Group::share_mut)
        {
            group.state_at_ms = now_ms;
        }
        Ok(())
    }

    /// Writes which partitions have share states now.
    pub fn commit_state(
        &mut self,
        id: &Arc<str>,
        state: StatePartitions,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        self.commit_share(id, Change::of(vec![ShareRecord::State(Some(Arc::new(state)))]), deferred)
    }

    /// The states of an empty group that is to be deleted go first. False: it has none.
    fn start_deleting_states(&mut self, gather: u64, id: &str) -> Result<bool, ErrorCode> {
        let Some(group) = self.find::<ShareGroup>(id).filter(|group| group.is_empty()) else { return Ok(false) };
        let Some(state) = group.state() else { return Ok(false) };
        let id = group.id.clone();
        let (state, partitions) = state.with_all_deleting(&self.shared.topics);
        self.commit_state(&id, state, None).map_err(|refusal| refusal.error)?;
        if partitions.is_empty() {
            return Ok(false);
        }
        let request = ShareStateRequest::Delete(Box::new(delete(&id, &partitions)));
        self.ask_share_state(&id, Purpose::DeleteGroup { gather }, request);
        Ok(true)
    }

    fn share_state(&self, id: &str) -> Option<&Arc<StatePartitions>> {
        self.find::<ShareGroup>(id)?.state()
    }

    /// The persister has initialised partitions, or not.
    fn on_initialized(&mut self, id: &Arc<str>, answered: &[Answered]) {
        let Some(state) = self.share_state(id) else { return };
        let partitions = by_topic(answered.iter());
        let failed = answered.iter().any(|(_, _, error)| *error != ErrorCode::None);
        let topics = &self.shared.topics;
        let after = match failed {
            false => state.with_initialized(&partitions, topics),
            true if state.initializing.is_empty() || partitions.is_empty() => return,
            true => state.without_initializing(&partitions, topics),
        };
        // What cannot be written is asked for again after a while.
        let _ = self.commit_state(id, after, None);
    }
}

impl GroupCoordinator {
    /// The persister's answer to [`Output::ShareState`].
    pub fn on_share_state(&mut self, now: Now, number: u64, response: &ShareStateResponse) {
        let Some(Ask { group, purpose }) = self.shared.asks.remove(&number) else { return };
        match purpose {
            Purpose::Describe(describing) => self.on_summary(number, describing, response, &group),
            Purpose::DeleteGroup { gather } => {
                let error =
                    response.partitions().into_iter().map(|(_, _, error)| error).rfind(|it| *it != ErrorCode::None);
                self.delete_group_now(now, gather, &group, error);
            }
            Purpose::Initialize => {
                if let Ok((partition, shard, shared)) = self.shard_for(&group) {
                    Work { shared, shard, partition, now }.on_initialized(&group, &response.partitions());
                }
            }
            Purpose::Alter { to, response: answer } => {
                let answered = response.partitions();
                let is_well = answered.iter().all(|(_, _, error)| *error == ErrorCode::None);
                if is_well && let Ok((partition, shard, shared)) = self.shard_for(&group) {
                    Work { shared, shard, partition, now }.on_initialized(&group, &answered);
                }
                self.shared.reply(to, alter_offsets::answered(answer, response));
            }
            Purpose::DeleteOffsets { to, refused } => {
                let done = self.shard_for(&group).and_then(|(partition, shard, shared)| {
                    Work { shared, shard, partition, now }.on_offsets_deleted(to, &group, refused, response)
                });
                if let Err(error) = done {
                    self.shared.reply(to, delete_offsets::refused(error, None));
                }
            }
        }
        self.fail_refused(now);
    }
}

impl GroupCoordinator {
    /// Deletes the share states of a group that is to be deleted. False: there are none, or it is no such group.
    pub(in crate::group) fn delete_share_states(&mut self, now: Now, gather: u64, id: &str) -> bool {
        let Ok((partition, shard, shared)) = self.shard_for(id) else { return false };
        match (Work { shared, shard, partition, now }).start_deleting_states(gather, id) {
            Ok(waits) => waits,
            Err(error) => {
                self.shared.group_not_deleted(gather, id, error);
                true
            }
        }
    }

    /// Topics were deleted. Share coordinators see that for themselves, and delete their states.
    pub(in crate::group) fn forget_share_states(&mut self, now: Now, gone: &BTreeSet<Id>) {
        for (partition, shard) in self.shards.iter_mut().filter(|(_, shard)| !shard.loading) {
            let ids: Vec<Arc<str>> = shard.groups.keys().cloned().collect();
            let mut work = Work { shared: &mut self.shared, shard, partition: *partition, now };
            for id in ids {
                let state = work.share_state(&id).and_then(|state| state.without_topics(gone, &work.shared.topics));
                if let Some(state) = state {
                    // A topic that does not exist is assigned to nobody, whether this could be written or not.
                    let _ = work.commit_state(&id, state, None);
                }
            }
        }
    }
}

/// The record before a question is committed, or not.
pub(in crate::group) fn ready(
    shared: &mut Shared,
    number: u64,
    request: ShareStateRequest,
    result: Result<(), ErrorCode>,
) {
    let Err(error) = result else { return shared.outputs.push(Output::ShareState { number, request }) };
    let Some(Ask { group, purpose }) = shared.asks.remove(&number) else { return };
    let error = crate::group::pending::append_error(error);
    match purpose {
        // It is asked for again when it has not been answered for a while.
        Purpose::Initialize | Purpose::Describe(_) => {}
        Purpose::Alter { to, .. } => {
            shared.reply(to, GroupResponse::AlterShareOffsets(alter_offsets::refused(error, None)))
        }
        Purpose::DeleteOffsets { to, .. } => shared.reply(to, delete_offsets::refused(error, None)),
        Purpose::DeleteGroup { gather } => shared.group_not_deleted(gather, &group, error),
    }
}

/// As the persister is asked for the states of new partitions: nothing is known of where they begin.
pub fn initialize(group: &str, state_epoch: i32, partitions: &TopicStates) -> InitializeShareGroupStateRequestData {
    let topics = partitions.iter().map(|(id, topic)| {
        let partition = |index: &i32| {
            initialize_share_group_state_request::PartitionData::default()
                .with_partition(*index)
                .with_state_epoch(state_epoch)
                .with_start_offset(-1)
        };
        InitializeStateData::default()
            .with_topic_id((*id).into())
            .with_partitions(topic.partitions.iter().map(partition).collect())
    });
    InitializeShareGroupStateRequestData::default().with_group_id(text(group)).with_topics(topics.collect())
}

/// As the persister is asked to delete states.
pub fn delete(group: &str, partitions: &Assignment) -> DeleteShareGroupStateRequestData {
    let topics = partitions.iter().map(|(id, partitions)| {
        let partition = |index: &i32| delete_share_group_state_request::PartitionData::default().with_partition(*index);
        DeleteStateData::default()
            .with_topic_id((*id).into())
            .with_partitions(partitions.iter().map(partition).collect())
    });
    DeleteShareGroupStateRequestData::default().with_group_id(text(group)).with_topics(topics.collect())
}

/// Partitions by topic.
pub fn by_topic<'a>(answered: impl Iterator<Item = &'a Answered>) -> Assignment {
    let mut topics = Assignment::new();
    for (topic, partition, _) in answered {
        topics.entry(*topic).or_default().insert(*partition);
    }
    topics
}

impl ShareStateResponse {
    /// What became of each partition.
    pub(in crate::group) fn partitions(&self) -> Vec<Answered> {
        macro_rules! of {
            ($response:expr) => {{
                let topics = $response.results.iter();
                let partitions = topics.flat_map(|topic| topic.partitions.iter().map(move |it| (topic.topic_id, it)));
                partitions.map(|(id, it)| (Id::from(id), it.partition, ErrorCode::from(it.error_code))).collect()
            }};
        }
        match self {
            ShareStateResponse::Initialize(response) => of!(response),
            ShareStateResponse::Delete(response) => of!(response),
            ShareStateResponse::Summary(response) => of!(response),
        }
    }
}
