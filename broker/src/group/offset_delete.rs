//! OffsetDelete v0 (KIP-496): offsets of topics that nobody in the group reads.
//!
//! Source: `KafkaApis.handleOffsetDeleteRequest`, `OffsetMetadataManager.deleteOffsets`, `ClassicGroup.validateOffsetDelete`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::admin::tombstone;
use super::api::{GroupResponse, ReplyTo};
use super::classic::GroupState;
use super::coordinator::{GroupCoordinator, Shard, Step};
use super::kind::Group;
use super::pending::{Deferred, append_error};
use crate::metadata::image::Image;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    OffsetDeleteRequestData, OffsetDeleteRequestTopic, OffsetDeleteResponseData, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use crate::types::Now;

impl GroupCoordinator {
    /// Committed offsets are deleted. Answered by [`GroupResponse::OffsetDelete`] when their tombstones are committed.
    pub fn offset_delete(&mut self, now: Now, to: ReplyTo, request: &OffsetDeleteRequestData, image: &Image) {
        if let Err(error) = self.try_delete_offsets(now, to, request, image) {
            self.shared.reply(to, GroupResponse::OffsetDelete(refused(error)));
        }
        self.fail_refused(now);
    }

    fn try_delete_offsets(
        &mut self,
        now: Now,
        to: ReplyTo,
        request: &OffsetDeleteRequestData,
        image: &Image,
    ) -> Result<(), ErrorCode> {
        let group_id = request.group_id.as_str();
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let (partition, shard, shared) = self.shard_for(group_id)?;
        let group = shard.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        validate(group)?;
        // What does not exist is told first, as Kafka does.
        let mut topics = Vec::new();
        for topic in &request.topics {
            let unknown = |index: &i32| !exists(image, topic, *index);
            let refused = answers(topic, ErrorCode::UnknownTopicOrPartition, unknown);
            if !refused.is_empty() || (topic.partitions.is_empty() && image.topic(topic.name.as_str()).is_none()) {
                add(&mut topics, topic, refused);
            }
        }
        // Only what is told of what exists and what does not is put together by topic.
        let is_mixed = !topics.is_empty();
        let mut keys: BTreeSet<(Arc<str>, i32)> = BTreeSet::new();
        for topic in &request.topics {
            let error = match group.is_subscribed_to(topic.name.as_str()) {
                true => ErrorCode::GroupSubscribedToTopic,
                false => ErrorCode::None,
            };
            let known = answers(topic, error, |index| exists(image, topic, *index));
            if known.is_empty() {
                continue;
            }
            let deleted = known.iter().filter(|answer| answer.error_code == 0).map(|answer| answer.partition_index);
            let stored = deleted.filter(|index| shard.has_offset(group_id, topic.name.as_str(), *index));
            keys.extend(stored.map(|index| (topic.name.as_str().into(), index)));
            if is_mixed {
                add(&mut topics, topic, known);
            } else {
                topics.push(answer_of(topic, known));
            }
        }
        let id = group.id().clone();
        let entries: Vec<_> = keys.into_iter().filter_map(|(topic, index)| tombstone(&id, topic, index)).collect();
        let response = OffsetDeleteResponseData::default().with_topics(topics);
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        if entries.is_empty() {
            step.shared.reply(to, GroupResponse::OffsetDelete(response));
        } else {
            step.shared.metrics.deleting(entries.len());
            step.append_in_pieces(entries, None);
            step.defer(Deferred::OffsetDelete { to, response });
        }
        Ok(())
    }
}

impl Shard {
    /// Whether an offset is stored, on its way, or of an open transaction.
    fn has_offset(&self, group: &str, topic: &str, partition: i32) -> bool {
        let key = (group.into(), topic.into(), partition);
        if self.open.is_open(&key) || self.log.txn_offsets().any(|(of, _)| *of == key) {
            return true;
        }
        let on_its_way =
            self.log.offsets_of(group).filter(|(of, index, _)| &***of == topic && *index == partition).last();
        match on_its_way {
            Some((_, _, value)) => value.is_some(),
            None => self.offsets.get(group).and_then(|topics| topics.get(topic)?.get(&partition)).is_some(),
        }
    }
}

fn validate(group: &Group) -> Result<(), ErrorCode> {
    let group = match group {
        Group::Classic(group) => group,
        Group::Consumer(_) | Group::Streams(_) => return Ok(()),
        Group::Share(_) => return Err(ErrorCode::GroupIdNotFound),
    };
    match group.state() {
        GroupState::Dead => Err(ErrorCode::GroupIdNotFound),
        GroupState::Empty => Ok(()),
        // Which topics its members read is not known of other protocols.
        _ if !group.uses_consumer_protocol() => Err(ErrorCode::NonEmptyGroup),
        _ => Ok(()),
    }
}

fn exists(image: &Image, topic: &OffsetDeleteRequestTopic, index: i32) -> bool {
    image.topic(topic.name.as_str()).is_some_and(|found| found.partition(index).is_some())
}

fn answers(
    topic: &OffsetDeleteRequestTopic,
    error: ErrorCode,
    wanted: impl Fn(&i32) -> bool,
) -> Vec<OffsetDeleteResponsePartition> {
    let indexes = topic.partitions.iter().map(|partition| partition.partition_index).filter(wanted);
    let answer =
        |index| OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error.code());
    indexes.map(answer).collect()
}

fn add(
    topics: &mut Vec<OffsetDeleteResponseTopic>,
    topic: &OffsetDeleteRequestTopic,
    partitions: Vec<OffsetDeleteResponsePartition>,
) {
    match topics.iter_mut().find(|known| known.name == topic.name) {
        Some(known) => known.partitions.extend(partitions),
        None => topics.push(answer_of(topic, partitions)),
    }
}

fn answer_of(
    topic: &OffsetDeleteRequestTopic,
    partitions: Vec<OffsetDeleteResponsePartition>,
) -> OffsetDeleteResponseTopic {
    OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
}

/// An answer that is only an error.
pub(super) fn refused(error: ErrorCode) -> OffsetDeleteResponseData {
    OffsetDeleteResponseData::default().with_error_code(append_error(error).code())
}
