//! AlterShareGroupOffsets v0: from where on an empty group is to read.
//!
//! Source: `KafkaApis.handleAlterShareGroupOffsetsRequest`, `GroupMetadataManager.alterShareGroupOffsets`,
//! `GroupCoordinatorService.persisterInitialize`, `AlterShareGroupOffsetsResponse.Builder`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::{Purpose, initialize};
use super::records::ShareRecord;
use super::state::{TopicState, TopicStates};
use crate::group::api::{GroupResponse, Refusal, ReplyTo, ShareStateRequest, ShareStateResponse, opt_text, text};
use crate::group::coordinator::GroupCoordinator;
use crate::group::join::MAX_STRING;
use crate::group::pending::Deferred;
use crate::group::topics::Topics;
use crate::group::work::{Change, Work};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AlterShareGroupOffsetsRequestData, AlterShareGroupOffsetsRequestTopic, AlterShareGroupOffsetsResponseData,
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic, KafkaString,
};
use crate::types::{Id, Now};

/// Where each partition is to begin.
type Starts = BTreeMap<(Id, i32), i64>;

impl GroupCoordinator {
    /// An empty group is to read from elsewhere. Answered by [`GroupResponse::AlterShareOffsets`] when the persister has written it.
    pub fn alter_share_group_offsets(&mut self, now: Now, to: ReplyTo, request: &AlterShareGroupOffsetsRequestData) {
        if let Err(refusal) = self.try_alter_share_offsets(now, to, request) {
            let response = refused(refusal.error, refusal.message.as_deref());
            self.shared.reply(to, GroupResponse::AlterShareOffsets(response));
        }
        self.fail_refused(now);
    }

    fn try_alter_share_offsets(
        &mut self,
        now: Now,
        to: ReplyTo,
        request: &AlterShareGroupOffsetsRequestData,
    ) -> Result<(), Refusal> {
        let group_id = request.group_id.as_str();
        if group_id.is_empty() || group_id.len() > MAX_STRING {
            return Err(ErrorCode::InvalidGroupId.into());
        }
        let (partition, shard, shared) = self.shard_for(group_id)?;
        Work { shared, shard, partition, now }.alter_share_offsets(to, request)
    }
}

impl Work<'_> {
    fn alter_share_offsets(&mut self, to: ReplyTo, request: &AlterShareGroupOffsetsRequestData) -> Result<(), Refusal> {
        let id: Arc<str> = request.group_id.as_str().into();
        let base = self.share_base(&id, true)?;
        let group = base.as_ref().or_else(|| self.find(&id));
        if group.is_some_and(|group| !group.is_empty()) {
            return Err(ErrorCode::NonEmptyGroup.into());
        }
        let topics = &self.shared.topics;
        let (answer, initializing, starts) = sorted(request, topics);
        if let Some(((topic, index), _)) = starts.iter().find(|((_, index), _)| *index < 0) {
            let message = format!("Initialize share group parameters has invalid partitionId - {id} {topic} {index}");
            return Err(Refusal::new(ErrorCode::UnknownServerError, message));
        }
        if initializing.is_empty() {
            self.shared.reply(to, GroupResponse::AlterShareOffsets(answer));
            return Ok(());
        }
        let epoch = group.map_or(1, |group| group.epoch);
        let state = group.and_then(|group| group.state()).cloned().unwrap_or_default();
        let state = state.with_initializing(&initializing, topics);
        let records = vec![ShareRecord::State(Some(Arc::new(state)))];
        let change = Change { base, ..Change::of(records) };
        if starts.is_empty() {
            return self.commit_share(&id, change, Some(Deferred::AlterShareOffsets { to, response: answer }));
        }
        self.commit_share(&id, change, None)?;
        let mut asked = initialize(&id, epoch, &initializing);
        for topic in &mut asked.topics {
            for partition in &mut topic.partitions {
                let start = starts.get(&(Id::from(topic.topic_id), partition.partition));
                partition.start_offset = start.copied().unwrap_or(-1);
            }
            topic.partitions.retain(|partition| starts.contains_key(&(Id::from(topic.topic_id), partition.partition)));
        }
        asked.topics.retain(|topic| !topic.partitions.is_empty());
        let purpose = Purpose::Alter { to, response: answer };
        self.ask_share_state(&id, purpose, ShareStateRequest::Initialize(Box::new(asked)));
        Ok(())
    }
}

/// The answer if all goes well, the partitions that will be initialised, and from where on.
fn sorted(
    request: &AlterShareGroupOffsetsRequestData,
    topics: &Topics,
) -> (AlterShareGroupOffsetsResponseData, TopicStates, Starts) {
    let mut answer = AlterShareGroupOffsetsResponseData::default();
    let (mut initializing, mut starts) = (TopicStates::new(), Starts::new());
    // Topics that do not exist are answered first.
    for topic in request.topics.iter().filter(|topic| topics.get(topic.topic_name.as_str()).is_none()) {
        for partition in &topic.partitions {
            let error = ErrorCode::UnknownTopicOrPartition;
            add(&mut answer, topic, Id::ZERO, answer_of(partition.partition_index, error));
        }
    }
    for topic in &request.topics {
        let Some(facts) = topics.get(topic.topic_name.as_str()) else { continue };
        let state = initializing
            .entry(facts.id)
            .or_insert_with(|| TopicState { name: topic.topic_name.as_str().into(), partitions: Default::default() });
        topic_entry(&mut answer, topic, facts.id);
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let error = match index < facts.partitions {
                true => ErrorCode::None,
                false => ErrorCode::UnknownTopicOrPartition,
            };
            if error == ErrorCode::None {
                starts.insert((facts.id, index), partition.start_offset);
                state.partitions.insert(index);
            }
            add(&mut answer, topic, facts.id, answer_of(index, error));
        }
    }
    (answer, initializing, starts)
}

fn answer_of(index: i32, error: ErrorCode) -> AlterShareGroupOffsetsResponsePartition {
    let message = (error != ErrorCode::None).then(|| text(&error.to_string()));
    AlterShareGroupOffsetsResponsePartition::default()
        .with_partition_index(index)
        .with_error_code(error.code())
        .with_error_message(message)
}

fn topic_entry<'a>(
    answer: &'a mut AlterShareGroupOffsetsResponseData,
    topic: &AlterShareGroupOffsetsRequestTopic,
    id: Id,
) -> &'a mut AlterShareGroupOffsetsResponseTopic {
    let place = answer.responses.iter().position(|known| known.topic_name == topic.topic_name).unwrap_or_else(|| {
        let name: KafkaString = topic.topic_name.clone();
        let new = AlterShareGroupOffsetsResponseTopic::default().with_topic_name(name).with_topic_id(id.into());
        answer.responses.push(new);
        answer.responses.len() - 1
    });
    &mut answer.responses[place]
}

fn add(
    answer: &mut AlterShareGroupOffsetsResponseData,
    topic: &AlterShareGroupOffsetsRequestTopic,
    id: Id,
    partition: AlterShareGroupOffsetsResponsePartition,
) {
    topic_entry(answer, topic, id).partitions.push(partition);
}

/// The answer, with what the persister says of each partition.
pub(in crate::group) fn answered(
    mut answer: AlterShareGroupOffsetsResponseData,
    response: &ShareStateResponse,
) -> GroupResponse {
    let ShareStateResponse::Initialize(response) = response else { return refused_as_response() };
    let results = response.results.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (topic.topic_id, it)));
    let errors: BTreeMap<(Id, i32), (i16, Option<&KafkaString>)> = results
        .filter(|(_, it)| it.error_code != 0)
        .map(|(id, it)| ((Id::from(id), it.partition), (it.error_code, it.error_message.as_ref())))
        .collect();
    for topic in &mut answer.responses {
        for partition in topic.partitions.iter_mut().filter(|partition| partition.error_code == 0) {
            if let Some((code, message)) = errors.get(&(Id::from(topic.topic_id), partition.partition_index)) {
                partition.error_code = *code;
                partition.error_message = message.map(|message| text(message.as_str()));
            }
        }
    }
    GroupResponse::AlterShareOffsets(answer)
}

fn refused_as_response() -> GroupResponse {
    GroupResponse::AlterShareOffsets(refused(ErrorCode::UnknownServerError, None))
}

/// An answer that is only an error.
pub(in crate::group) fn refused(error: ErrorCode, message: Option<&str>) -> AlterShareGroupOffsetsResponseData {
    let known = error.to_string();
    AlterShareGroupOffsetsResponseData::default()
        .with_error_code(error.code())
        .with_error_message(opt_text(Some(message.unwrap_or(&known))))
}
