//! Topics are deleted, by name or by id.
//!
//! DeleteTopics versions 1-6; KIP-516.
//! Source: `ControllerApis.deleteTopics`, `ReplicationControlManager.deleteTopics`. Kafka shuffles its answers so that they do not tell
//! absent topics from forbidden ones; they stand in the order of the request here.

use std::collections::{BTreeMap, BTreeSet};

use super::create_topics::{ApiError, error};
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::record::RemoveTopicRecord;
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::delete_topics_request::DeleteTopicState;
use crate::protocol::messages::delete_topics_response::DeletableTopicResult;
use crate::protocol::messages::{DeleteTopicsRequestData, DeleteTopicsResponseData, KafkaString};
use crate::types::Id;

impl ControllerState {
    /// DeleteTopics.
    pub fn delete_topics(&mut self, request: &DeleteTopicsRequestData) -> Decision<DeleteTopicsResponseData> {
        let by_name = |name: &KafkaString| DeleteTopicState { name: Some(name.clone()), ..Default::default() };
        let asked: Vec<DeleteTopicState> =
            request.topic_names.iter().map(by_name).chain(request.topics.iter().cloned()).collect();
        let mut times: BTreeMap<(Option<&str>, Id), usize> = BTreeMap::new();
        for topic in &asked {
            *times.entry(key(topic)).or_default() += 1;
        }
        let mut changes = Changes::default();
        let mut response = DeleteTopicsResponseData::default();
        let claimed = self.claimed(&asked);
        for topic in &asked {
            if topic.name.is_none() && claimed.contains(&Id::from(topic.topic_id)) {
                // Told with the name.
                continue;
            }
            let outcome = match times.get_mut(&key(topic)) {
                // Told already.
                Some(0) => continue,
                Some(count) if *count > 1 => {
                    *count = 0;
                    let what = if topic.name.is_some() { "name" } else { "id" };
                    Err(error(ErrorCode::InvalidRequest, format!("Duplicate topic {what}.")))
                }
                _ => self.delete_topic(topic, &claimed, &mut changes),
            };
            let mut answer = answer(topic, outcome);
            if let Some(id) = self.id_of(topic).filter(|id| claimed.contains(id)) {
                answer.topic_id = id.into();
            }
            response.responses.push(answer);
        }
        changes.with(response)
    }

    /// The id of a topic that is asked for by name alone.
    fn id_of(&self, topic: &DeleteTopicState) -> Option<Id> {
        let name = topic.name.as_ref().filter(|_| topic.topic_id.is_nil())?;
        self.image.topic_ids.get(name.as_str()).copied()
    }

    /// Topics that are asked for by name and by id: neither deletes them.
    fn claimed(&self, asked: &[DeleteTopicState]) -> BTreeSet<Id> {
        let by_id = |topic: &&DeleteTopicState| topic.name.is_none();
        let ids: BTreeSet<Id> = asked.iter().filter(by_id).map(|topic| Id::from(topic.topic_id)).collect();
        asked.iter().filter_map(|topic| self.id_of(topic)).filter(|id| ids.contains(id)).collect()
    }

    /// The name and id of what was deleted.
    fn delete_topic(
        &mut self,
        topic: &DeleteTopicState,
        claimed: &BTreeSet<Id>,
        changes: &mut Changes,
    ) -> Result<(String, Id), ApiError> {
        if !self.config.bool("delete.topic.enable") {
            return Err(error(ErrorCode::TopicDeletionDisabled, ErrorCode::TopicDeletionDisabled.to_string()));
        }
        let plain = |code: ErrorCode| error(code, code.to_string());
        let id = Id::from(topic.topic_id);
        let topic_id = match &topic.name {
            None if id.is_zero() => {
                return Err(error(ErrorCode::InvalidRequest, "Neither topic name nor id were specified."));
            }
            None => id,
            Some(_) if !id.is_zero() => {
                return Err(error(ErrorCode::InvalidRequest, "You may not specify both topic name and topic id."));
            }
            Some(name) => {
                let known = self.image.topic_ids.get(name.as_str());
                let known = *known.ok_or_else(|| plain(ErrorCode::UnknownTopicOrPartition))?;
                if claimed.contains(&known) {
                    return Err(error(
                        ErrorCode::InvalidRequest,
                        "The provided topic name maps to an ID that was already supplied.",
                    ));
                }
                known
            }
        };
        let image = self.image.topics.get(&topic_id).ok_or_else(|| plain(ErrorCode::UnknownTopicId))?.clone();
        self.charge(image.partitions.len())?;
        changes.push(RemoveTopicRecord { topic_id });
        changes.events.push(Event::TopicDeleted { topic: image.name.to_string() });
        Ok((image.name.to_string(), topic_id))
    }
}

fn key(topic: &DeleteTopicState) -> (Option<&str>, Id) {
    (topic.name.as_ref().map(KafkaString::as_str), Id::from(topic.topic_id))
}

fn answer(topic: &DeleteTopicState, outcome: Result<(String, Id), ApiError>) -> DeletableTopicResult {
    match outcome {
        Ok((name, id)) => {
            DeletableTopicResult { name: Some(KafkaString::from(name)), topic_id: id.into(), ..Default::default() }
        }
        Err((code, message)) => DeletableTopicResult {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            error_code: code.code(),
            error_message: message.map(KafkaString::from),
            ..Default::default()
        },
    }
}
