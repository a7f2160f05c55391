//! OffsetCommit v2–10: KIP-848 (v9: GROUP_ID_NOT_FOUND), KIP-848 topic ids (v10).
//!
//! Source: `KafkaApis.handleOffsetCommitRequest`, `OffsetMetadataManager.commitOffset`, `ClassicGroup.validateOffsetCommit`.

use std::sync::Arc;

use super::api::{ClientInfo, GroupResponse, OffsetsRecord, ReplyTo};
use super::classic::{ClassicGroup, GroupState};
use super::coordinator::{GroupCoordinator, Step};
use super::join::MAX_STRING;
use super::kind::Group;
use super::pending::{Change, Deferred};
use super::record::{self, OffsetAndMetadata};
use crate::metadata::image::{Image, TopicImage};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    KafkaString, OffsetCommitRequestData, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponseData, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::types::{Id, Now};

/// The version from which topics are named by id.
const TOPIC_IDS: i16 = 10;

/// A topic of a request, if it exists: its name and id.
type Known = Option<(Arc<str>, Id)>;

impl GroupCoordinator {
    /// Offsets are committed. Answered by [`GroupResponse::OffsetCommit`] when they are safe.
    pub fn offset_commit(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &OffsetCommitRequestData,
        image: &Image,
    ) {
        let by_id = client.api_version >= TOPIC_IDS;
        let (mut response, mut known) = (OffsetCommitResponseData::default(), Vec::new());
        for topic in &request.topics {
            let found = if by_id { topic_by_id(image, topic) } else { image.topic(topic.name.as_str()) };
            response.topics.push(check_topic(topic, found, by_id));
            known.push(found.map(|found| (found.name.clone(), found.id)));
        }
        let any_valid = partitions(&response).any(|partition| partition.error_code == 0);
        if any_valid && let Err(error) = self.try_commit(now, to, client, request, &known, &mut response) {
            let valid = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            valid.filter(|it| it.error_code == 0).for_each(|it| it.error_code = error.code());
        } else if any_valid {
            return self.fail_refused(now);
        }
        self.shared.reply(to, GroupResponse::OffsetCommit(response));
    }

    fn try_commit(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &OffsetCommitRequestData,
        topics: &[Known],
        response: &mut OffsetCommitResponseData,
    ) -> Result<(), ErrorCode> {
        let group_id = request.group_id.as_str();
        if group_id.len() > MAX_STRING {
            return Err(ErrorCode::InvalidGroupId);
        }
        let (partition, shard, shared) = self.shard_for(group_id)?;
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        match shard.groups.get(group_id) {
            Some(Group::Consumer(group)) => {
                let (member_id, epoch) = (request.member_id.as_str(), request.generation_id_or_member_epoch);
                let asked = step.committed_partitions(request, topics, response);
                let asked = asked.iter().map(|((_, id), partition)| (*id, *partition));
                group.validate_commit(member_id, epoch, client.api_version, asked)?;
            }
            Some(Group::Classic(group)) => {
                validate(group, request)?;
                // A commit is as good as a heartbeat.
                if matches!(group.state(), GroupState::Stable | GroupState::PreparingRebalance) {
                    step.restart_session(group, request.member_id.as_str());
                }
            }
            Some(Group::Streams(group)) => {
                let (member_id, epoch) = (request.member_id.as_str(), request.generation_id_or_member_epoch);
                let asked = step.committed_partitions(request, topics, response);
                let asked = asked.iter().map(|((name, _), partition)| (name, *partition));
                group.validate_commit(member_id, epoch, client.api_version, asked)?;
            }
            Some(Group::Share(_)) => return Err(ErrorCode::GroupIdNotFound),
            // A consumer that only stores offsets: its group is made when they are committed.
            None if request.generation_id_or_member_epoch < 0 => {}
            None if client.api_version >= 9 => return Err(ErrorCode::GroupIdNotFound),
            None => return Err(ErrorCode::IllegalGeneration),
        }
        let offsets = request.topics.iter().map(|topic| topic.partitions.len()).sum();
        let is_known = shard.groups.contains_key(group_id);
        step.check_room(offsets, is_known)?;
        if !is_known {
            step.shared.note_simple_group(partition, group_id);
        }
        step.commit(to, request, topics, response)
    }
}

impl Step<'_> {
    /// Whether so many offsets more may be kept, of a group that is known or not.
    pub(super) fn check_room(&self, offsets: usize, known: bool) -> Result<(), ErrorCode> {
        let limits = &self.shared.config.limits;
        if !known && self.shared.group_count >= limits.groups {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if self.shared.offset_count + offsets > limits.offsets
            || self.shared.offset_metadata_bytes > limits.offset_metadata_bytes
        {
            return Err(ErrorCode::InvalidCommitOffsetSize);
        }
        Ok(())
    }

    /// Partitions that are to be committed, but for those whose metadata is too large.
    fn committed_partitions<'a>(
        &self,
        request: &OffsetCommitRequestData,
        topics: &'a [Known],
        response: &OffsetCommitResponseData,
    ) -> Vec<(&'a (Arc<str>, Id), i32)> {
        let mut partitions = Vec::new();
        for ((topic, known), answer) in request.topics.iter().zip(topics).zip(&response.topics) {
            let Some(known) = known else { continue };
            for (partition, answer) in topic.partitions.iter().zip(&answer.partitions) {
                if answer.error_code == 0 && !self.metadata_is_too_large(partition.committed_metadata.as_ref()) {
                    partitions.push((known, partition.partition_index));
                }
            }
        }
        partitions
    }

    fn commit(
        &mut self,
        to: ReplyTo,
        request: &OffsetCommitRequestData,
        topics: &[Known],
        response: &mut OffsetCommitResponseData,
    ) -> Result<(), ErrorCode> {
        let group: Arc<str> = request.group_id.as_str().into();
        let (mut records, mut changes): (Vec<OffsetsRecord>, Vec<Change>) = (Vec::new(), Vec::new());
        let answers = response.topics.iter_mut().zip(topics).zip(&request.topics);
        for ((answer, name), topic) in answers {
            let Some((name, id)) = name else { continue };
            for (answer, partition) in answer.partitions.iter_mut().zip(&topic.partitions) {
                if answer.error_code != 0 {
                    continue;
                }
                if self.metadata_is_too_large(partition.committed_metadata.as_ref()) {
                    answer.error_code = ErrorCode::OffsetMetadataTooLarge.code();
                    continue;
                }
                let value = self.offset_of(request, *id, partition);
                let record = record::encode_offset(&group, name, partition.partition_index, Some(&value));
                records.push(record.map_err(|_| ErrorCode::UnknownServerError)?);
                self.shared.note_offset(self.partition, &group, (name, partition.partition_index), &value, || {
                    format!("of member '{}'", request.member_id.as_str())
                });
                changes.push(Change::Offset {
                    group: group.clone(),
                    topic: name.clone(),
                    partition: partition.partition_index,
                    value: Some(value),
                });
            }
        }
        let response = std::mem::take(response);
        if records.is_empty() {
            self.shared.reply(to, GroupResponse::OffsetCommit(response));
            return Ok(());
        }
        self.shared.metrics.committing(records.len());
        self.append(records, changes, None);
        self.defer(Deferred::Commit { to, response });
        Ok(())
    }

    /// Kafka counts Java's chars, though the setting says bytes.
    pub(super) fn metadata_is_too_large(&self, metadata: Option<&KafkaString>) -> bool {
        let max = usize::try_from(self.shared.config.offset_metadata_max_bytes).unwrap_or(0);
        let metadata = metadata.map_or("", |metadata| metadata.as_str());
        metadata.len() > max && metadata.encode_utf16().count() > max
    }

    fn offset_of(
        &self,
        request: &OffsetCommitRequestData,
        topic_id: Id,
        partition: &OffsetCommitRequestPartition,
    ) -> OffsetAndMetadata {
        OffsetAndMetadata {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch.max(-1),
            metadata: partition.committed_metadata.as_ref().map_or_else(String::new, ToString::to_string),
            commit_timestamp_ms: self.now.wall_ms,
            expire_timestamp_ms: match request.retention_time_ms {
                -1 => None,
                ms => Some(self.now.wall_ms.saturating_add(ms)),
            },
            topic_id,
        }
    }
}

fn validate(group: &ClassicGroup, request: &OffsetCommitRequestData) -> Result<(), ErrorCode> {
    let generation = request.generation_id_or_member_epoch;
    let member_id = request.member_id.as_str();
    let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
    if generation < 0 && group.is_in(GroupState::Empty) {
        return Ok(());
    }
    if generation < 0 && member_id.is_empty() && instance_id.is_none() {
        // Somebody outside the group; while it has members, only they commit.
        return Err(ErrorCode::UnknownMemberId);
    }
    group.validate_member(member_id, instance_id)?;
    if generation != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    if group.is_in(GroupState::CompletingRebalance) {
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

fn topic_by_id<'a>(image: &'a Image, topic: &OffsetCommitRequestTopic) -> Option<&'a Arc<TopicImage>> {
    image.topics.get(&Id::from(topic.topic_id))
}

fn check_topic(
    topic: &OffsetCommitRequestTopic,
    found: Option<&Arc<TopicImage>>,
    by_id: bool,
) -> OffsetCommitResponseTopic {
    let check = |partition: &OffsetCommitRequestPartition| match found {
        None if by_id => ErrorCode::UnknownTopicId,
        Some(found) if found.partition(partition.partition_index).is_some() => ErrorCode::None,
        _ => ErrorCode::UnknownTopicOrPartition,
    };
    let answer = |partition: &OffsetCommitRequestPartition| {
        OffsetCommitResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(check(partition).code())
    };
    OffsetCommitResponseTopic::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_partitions(topic.partitions.iter().map(answer).collect())
}

fn partitions(response: &OffsetCommitResponseData) -> impl Iterator<Item = &OffsetCommitResponsePartition> {
    response.topics.iter().flat_map(|topic| &topic.partitions)
}
