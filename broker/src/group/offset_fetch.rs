//! OffsetFetch v1–10: KIP-447 (v7: require stable), KIP-709 (v8: several groups), KIP-848 (v9; v10: topic ids).
//!
//! Source: `KafkaApis.handleOffsetFetchRequest`, `OffsetMetadataManager.fetchOffsets`, `OffsetFetchResponse`.

use std::collections::BTreeMap;

use super::api::{ClientInfo, GroupResponse, ReplyTo, text};
use super::coordinator::{GroupCoordinator, GroupOffsets, Shard, Step};
use super::kind::Group;
use super::open_offsets::Latest;
use super::pending::{Deferred, Gather, fetch_error, fetched};
use super::record::OffsetAndMetadata;
use crate::metadata::image::Image;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    OffsetFetchRequestData, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseData,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use crate::types::{Id, Now};

const GROUPS: i16 = 8;
const TOPIC_IDS: i16 = 10;

impl GroupCoordinator {
    /// Committed offsets are asked for. Answered by [`GroupResponse::OffsetFetch`]; if they must be stable, when all that is written
    /// is committed, and with UNSTABLE_OFFSET_COMMIT where a transaction is open.
    pub fn offset_fetch(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &OffsetFetchRequestData,
        image: &Image,
    ) {
        let asked: Vec<OffsetFetchRequestGroup> = match client.api_version {
            ..GROUPS => vec![single_group(request)],
            _ => request.groups.clone(),
        };
        if asked.is_empty() {
            return self.shared.reply(to, GroupResponse::OffsetFetch(response(Vec::new(), client.api_version)));
        }
        let gather = self.shared.next_number();
        let (waiting, groups) = (asked.len(), vec![None; asked.len()]);
        self.shared.gathers.insert(gather, Gather::Fetch { to, api_version: client.api_version, waiting, groups });
        for (index, group) in asked.iter().enumerate() {
            self.fetch_group(now, gather, index, client.api_version, group, request.require_stable, image);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one group of a request, and where its answer goes")]
    fn fetch_group(
        &mut self,
        now: Now,
        gather: u64,
        index: usize,
        api_version: i16,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
        image: &Image,
    ) {
        let group_id = request.group_id.as_str();
        match self.shard_for(group_id) {
            Err(error) => {
                let group = failed(request, fetch_error(error), api_version);
                let answer = fetched(&mut self.shared.gathers, gather, index, group);
                self.shared.reply_all(answer);
            }
            Ok((_, shard, shared)) if let Some(error) = forbidden(shard, request, require_stable) => {
                let group = failed(request, error, api_version);
                let answer = fetched(&mut shared.gathers, gather, index, group);
                shared.reply_all(answer);
            }
            Ok((partition, shard, shared)) => {
                let group = Box::new(fetch(shard, request, require_stable, api_version, image));
                let deferred = Deferred::Fetch { gather, index, group };
                if require_stable {
                    Step { shared, log: &mut shard.log, partition, now }.defer(deferred);
                } else {
                    deferred.settle(Ok(()), shared);
                }
            }
        }
    }
}

/// A consumer or streams group tells its offsets to members of the right epoch only, and to those who do not say that they are members.
fn forbidden(shard: &Shard, request: &OffsetFetchRequestGroup, require_stable: bool) -> Option<ErrorCode> {
    let id = request.group_id.as_str();
    // Who does not wait for what is on its way is held to what is committed.
    let group = if require_stable { shard.groups.get(id) } else { shard.committed_group(id) };
    let member_id = request.member_id.as_ref().map(|id| id.as_str());
    match group? {
        Group::Consumer(group) => group.validate_fetch(member_id, request.member_epoch).err(),
        Group::Streams(group) => group.validate_fetch(member_id, request.member_epoch).err(),
        _ => None,
    }
}

fn single_group(request: &OffsetFetchRequestData) -> OffsetFetchRequestGroup {
    let topics = request.topics.as_ref().map(|topics| {
        let topic = |topic: &crate::protocol::messages::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name.clone())
                .with_partition_indexes(topic.partition_indexes.clone())
        };
        topics.iter().map(topic).collect()
    });
    OffsetFetchRequestGroup::default().with_group_id(request.group_id.clone()).with_topics(topics)
}

/// What the client sees: committed offsets, and with `latest` also those that it will wait for.
fn fetch(
    shard: &Shard,
    request: &OffsetFetchRequestGroup,
    latest: bool,
    api_version: i16,
    image: &Image,
) -> OffsetFetchResponseGroup {
    let group_id = request.group_id.as_str();
    let latest = if latest { shard.latest(group_id) } else { Latest::default() };
    let committed = shard.offsets.get(group_id);
    let topics = match &request.topics {
        Some(topics) => topics.iter().map(|topic| one_topic(topic, committed, &latest, api_version, image)).collect(),
        None => all_topics(committed, &latest, api_version, image),
    };
    OffsetFetchResponseGroup::default().with_group_id(request.group_id.clone()).with_topics(topics)
}

fn one_topic(
    topic: &OffsetFetchRequestTopics,
    committed: Option<&GroupOffsets>,
    latest: &Latest<'_>,
    api_version: i16,
    image: &Image,
) -> OffsetFetchResponseTopics {
    let id = Id::from(topic.topic_id);
    let name = match api_version {
        TOPIC_IDS.. => image.topics.get(&id).map(|found| &*found.name),
        _ => Some(topic.name.as_str()),
    };
    let partition = |index: &i32| match name {
        None => no_offset(*index, ErrorCode::UnknownTopicId),
        Some(name) => {
            if latest.is_unstable(name, *index) {
                return no_offset(*index, ErrorCode::UnstableOffsetCommit);
            }
            let found = match latest.changed.get(&(name, *index)) {
                Some(pending) => *pending,
                None => committed.and_then(|topics| topics.get(name)?.get(index)),
            };
            // Committed for a topic of the same name that was deleted since: not an offset of this one.
            let same = |found: &&OffsetAndMetadata| id.is_zero() || found.topic_id.is_zero() || found.topic_id == id;
            found.filter(same).map_or_else(|| no_offset(*index, ErrorCode::None), |found| an_offset(*index, found))
        }
    };
    OffsetFetchResponseTopics::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_partitions(topic.partition_indexes.iter().map(partition).collect())
}

fn all_topics(
    committed: Option<&GroupOffsets>,
    latest: &Latest<'_>,
    api_version: i16,
    image: &Image,
) -> Vec<OffsetFetchResponseTopics> {
    let mut offsets: BTreeMap<&str, BTreeMap<i32, &OffsetAndMetadata>> = BTreeMap::new();
    for (topic, partitions) in committed.into_iter().flatten() {
        offsets.entry(topic).or_default().extend(partitions.iter().map(|(index, offset)| (*index, offset)));
    }
    for ((topic, index), value) in &latest.changed {
        match value {
            Some(value) => drop(offsets.entry(topic).or_default().insert(*index, value)),
            None => drop(offsets.entry(topic).or_default().remove(index)),
        }
    }
    offsets.retain(|_, partitions| !partitions.is_empty());
    let mut answers = Vec::new();
    for (topic, partitions) in offsets {
        let mut answer = OffsetFetchResponseTopics::default().with_name(text(topic));
        if api_version >= TOPIC_IDS {
            let stored = partitions.values().map(|offset| offset.topic_id).find(|id| !id.is_zero());
            // A topic that has no id any more cannot be named in this version.
            let Some(id) = stored.or_else(|| image.topic_ids.get(topic).copied()) else { continue };
            answer.topic_id = id.into();
        }
        let partition = |(index, offset): (i32, &OffsetAndMetadata)| match latest.is_unstable(topic, index) {
            true => no_offset(index, ErrorCode::UnstableOffsetCommit),
            false => an_offset(index, offset),
        };
        answer.partitions = partitions.into_iter().map(partition).collect();
        answers.push(answer);
    }
    answers
}

fn an_offset(index: i32, offset: &OffsetAndMetadata) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset.offset)
        .with_committed_leader_epoch(offset.leader_epoch)
        .with_metadata(Some(text(&offset.metadata)))
}

fn no_offset(index: i32, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(text("")))
        .with_error_code(error.code())
}

/// A group that cannot be answered. Before version 2 only partitions had room for an error.
fn failed(request: &OffsetFetchRequestGroup, error: ErrorCode, api_version: i16) -> OffsetFetchResponseGroup {
    let topics = match api_version {
        2.. => Vec::new(),
        _ => request
            .topics
            .iter()
            .flatten()
            .map(|topic| {
                OffsetFetchResponseTopics::default()
                    .with_name(topic.name.clone())
                    .with_partitions(topic.partition_indexes.iter().map(|index| no_offset(*index, error)).collect())
            })
            .collect(),
    };
    OffsetFetchResponseGroup::default()
        .with_group_id(request.group_id.clone())
        .with_topics(topics)
        .with_error_code(error.code())
}

/// The answer in the shape of its version: up to 7 there is one group, and it is the response.
pub(super) fn response(groups: Vec<OffsetFetchResponseGroup>, api_version: i16) -> OffsetFetchResponseData {
    if api_version >= GROUPS {
        return OffsetFetchResponseData::default().with_groups(groups);
    }
    let Some(group) = groups.into_iter().next() else { return OffsetFetchResponseData::default() };
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    let topic = |topic: OffsetFetchResponseTopics| {
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    };
    OffsetFetchResponseData::default()
        .with_error_code(group.error_code)
        .with_topics(group.topics.into_iter().map(topic).collect())
}
