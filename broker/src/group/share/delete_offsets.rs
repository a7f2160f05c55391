//! DeleteShareGroupOffsets v0: an empty group forgets how far it has come with some topics.
//!
//! Source: `GroupCoordinatorShard.initiateDeleteShareGroupOffsets`, `completeDeleteShareGroupOffsets`,
//! `GroupMetadataManager.sharePartitionsEligibleForOffsetDeletion`, `GroupCoordinatorService.deleteShareGroupOffsets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::{Purpose, delete};
use super::state::StatePartitions;
use crate::group::api::{GroupResponse, Refusal, ReplyTo, ShareStateRequest, ShareStateResponse, opt_text, text};
use crate::group::consumer::Assignment;
use crate::group::coordinator::GroupCoordinator;
use crate::group::pending::Deferred;
use crate::group::work::Work;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    DeleteShareGroupOffsetsRequestData, DeleteShareGroupOffsetsResponseData, DeleteShareGroupOffsetsResponseTopic,
};
use crate::types::{Id, Now};

impl GroupCoordinator {
    /// Share states of some topics are deleted. Answered by [`GroupResponse::DeleteShareOffsets`] when the persister has done so, and that
    /// is written.
    pub fn delete_share_group_offsets(&mut self, now: Now, to: ReplyTo, request: &DeleteShareGroupOffsetsRequestData) {
        if let Err(refusal) = self.try_delete_share_offsets(now, to, request) {
            self.shared.reply(to, refused(refusal.error, refusal.message.as_deref()));
        }
        self.fail_refused(now);
    }

    fn try_delete_share_offsets(
        &mut self,
        now: Now,
        to: ReplyTo,
        request: &DeleteShareGroupOffsetsRequestData,
    ) -> Result<(), Refusal> {
        let group_id = request.group_id.as_str();
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId.into());
        }
        let (partition, shard, shared) = self.shard_for(group_id)?;
        Work { shared, shard, partition, now }.delete_share_offsets(to, request)
    }
}

impl Work<'_> {
    fn delete_share_offsets(
        &mut self,
        to: ReplyTo,
        request: &DeleteShareGroupOffsetsRequestData,
    ) -> Result<(), Refusal> {
        let group = self.known_share_group(request.group_id.as_str())?;
        if !group.is_empty() {
            return Err(ErrorCode::NonEmptyGroup.into());
        }
        let id = group.id.clone();
        let Some(state) = group.state() else {
            let response = DeleteShareGroupOffsetsResponseData::default();
            self.shared.reply(to, GroupResponse::DeleteShareOffsets(response));
            return Ok(());
        };
        let (mut state, mut partitions, mut refused) = (StatePartitions::clone(state), Assignment::new(), Vec::new());
        let topics = &self.shared.topics;
        for topic in &request.topics {
            let name = topic.topic_name.as_str();
            let unknown = ErrorCode::UnknownTopicOrPartition;
            let Some(facts) = topics.get(name) else {
                refused.push(topic_error(Some(name), Id::ZERO, unknown, &unknown.to_string()));
                continue;
            };
            match state.start_deleting(facts.id, topics) {
                Some(of_topic) => partitions.entry(facts.id).or_default().extend(of_topic),
                None => {
                    let message = "There is no offset information to delete.";
                    refused.push(topic_error(Some(name), Id::ZERO, unknown, message));
                }
            }
        }
        let state = state.named(topics);
        if partitions.is_empty() {
            let response = DeleteShareGroupOffsetsResponseData::default().with_responses(refused);
            return self.commit_state(&id, state, Some(Deferred::DeleteShareOffsets { to, response }));
        }
        self.commit_state(&id, state, None)?;
        let request = delete(&id, &partitions);
        let purpose = Purpose::DeleteOffsets { to, refused };
        self.ask_share_state(&id, purpose, ShareStateRequest::Delete(Box::new(request)));
        Ok(())
    }

    /// The persister has deleted states, or not.
    pub fn on_offsets_deleted(
        &mut self,
        to: ReplyTo,
        id: &Arc<str>,
        mut refused: Vec<DeleteShareGroupOffsetsResponseTopic>,
        response: &ShareStateResponse,
    ) -> Result<(), ErrorCode> {
        let mut topics: BTreeMap<Id, ErrorCode> = BTreeMap::new();
        for (topic, _, error) in response.partitions() {
            let known = topics.entry(topic).or_insert(ErrorCode::None);
            if *known == ErrorCode::None {
                *known = error;
            }
        }
        let name = |id: &Id| self.shared.topics.name(*id).map(|name| &**name);
        let mut done = Vec::new();
        for (topic, error) in &topics {
            match error {
                ErrorCode::None => done.push(
                    DeleteShareGroupOffsetsResponseTopic::default()
                        .with_topic_id((*topic).into())
                        .with_topic_name(text(name(topic).unwrap_or_default())),
                ),
                error => refused.push(topic_error(name(topic), *topic, *error, &error.to_string())),
            }
        }
        let is_done = !done.is_empty();
        done.append(&mut refused);
        let response = DeleteShareGroupOffsetsResponseData::default().with_responses(done);
        let state = self.find::<super::ShareGroup>(id).and_then(|group| group.state()).filter(|_| is_done);
        let Some(state) = state else {
            self.shared.reply(to, GroupResponse::DeleteShareOffsets(response));
            return Ok(());
        };
        let deleted = topics.iter().filter(|(_, error)| **error == ErrorCode::None).map(|(topic, _)| topic);
        let state = state.without_deleting(deleted, &self.shared.topics);
        let deferred = Deferred::DeleteShareOffsets { to, response };
        self.commit_state(id, state, Some(deferred)).map_err(|refusal| refusal.error)
    }
}

fn topic_error(name: Option<&str>, id: Id, error: ErrorCode, message: &str) -> DeleteShareGroupOffsetsResponseTopic {
    DeleteShareGroupOffsetsResponseTopic::default()
        .with_topic_name(text(name.unwrap_or_default()))
        .with_topic_id(id.into())
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
}

/// An answer that is only an error.
pub(in crate::group) fn refused(error: ErrorCode, message: Option<&str>) -> GroupResponse {
    let known = error.to_string();
    let response = DeleteShareGroupOffsetsResponseData::default()
        .with_error_code(error.code())
        .with_error_message(opt_text(Some(message.unwrap_or(&known))));
    GroupResponse::DeleteShareOffsets(response)
}
