//! DescribeShareGroupOffsets v0–1 (v1: lag, KIP-1226): how far a group has come, as the persister knows it. Any broker answers for topics that
//! are named; for all topics of a group only its coordinator.
//!
//! Source: `KafkaApis.handleDescribeShareGroupOffsetsRequest`, `GroupCoordinatorService.describeShareGroupOffsets`,
//! `describeShareGroupAllOffsets`, `computeShareGroupLagAndBuildResponse`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ask::{Ask, Purpose};
use super::group::ShareGroup;
use crate::group::api::{GroupResponse, Output, ReplyTo, ShareStateRequest, ShareStateResponse, opt_text, text};
use crate::group::consumer::Assignment;
use crate::group::coordinator::{GroupCoordinator, Shared};
use crate::group::kind::Recorded;
use crate::group::pending::{Gather, share_offsets_described};
use crate::protocol::ErrorCode;
use crate::protocol::messages::read_share_group_state_summary_response::PartitionResult;
use crate::protocol::messages::{
    DescribeShareGroupOffsetsRequestData, DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
    DescribeShareGroupOffsetsResponseData, DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition, DescribeShareGroupOffsetsResponseTopic,
    ReadShareGroupStateSummaryRequestData, ReadStateSummaryData, read_share_group_state_summary_request,
};
use crate::types::{Id, TopicPartition};

/// Ends of partitions, as their leaders tell them.
pub type LatestOffsets = BTreeMap<TopicPartition, Result<i64, ErrorCode>>;

/// No start offset, and no lag, is known.
const UNKNOWN: i64 = -1;

/// One group of a request, until the persister and the partitions' leaders have answered.
#[derive(Debug)]
pub(in crate::group) struct Describing {
    gather: u64,
    index: usize,
    names: BTreeMap<Id, Arc<str>>,
    /// Topics that do not exist.
    unknown: Vec<DescribeShareGroupOffsetsResponseTopic>,
    /// What the persister said.
    summary: Vec<(Id, Vec<PartitionResult>)>,
}

impl GroupCoordinator {
    /// How far groups have come. Answered by [`GroupResponse::DescribeShareOffsets`].
    pub fn describe_share_group_offsets(&mut self, to: ReplyTo, request: &DescribeShareGroupOffsetsRequestData) {
        let waiting = request.groups.len();
        if waiting == 0 {
            let response = DescribeShareGroupOffsetsResponseData::default();
            return self.shared.reply(to, GroupResponse::DescribeShareOffsets(response));
        }
        let gather = self.shared.next_number();
        self.shared.gathers.insert(gather, Gather::ShareOffsets { to, waiting, groups: vec![None; waiting] });
        for (index, group) in request.groups.iter().enumerate() {
            let asked = self.asked(group);
            let describing =
                Describing { gather, index, names: BTreeMap::new(), unknown: Vec::new(), summary: Vec::new() };
            self.describe_offsets_of(group, describing, asked);
        }
    }

    /// Partitions that are asked for by id, or why none can be.
    fn asked(&mut self, group: &DescribeShareGroupOffsetsRequestGroup) -> Result<Assignment, ErrorCode> {
        if let Some(topics) = &group.topics {
            return named(topics, &self.shared);
        }
        let (_, shard, shared) = self.shard_for(group.group_id.as_str())?;
        let state = shard.groups.get(group.group_id.as_str()).and_then(ShareGroup::of).and_then(ShareGroup::state);
        let initialized = state.into_iter().flat_map(|state| &state.initialized);
        let known = initialized.filter(|(id, _)| shared.topics.name(**id).is_some());
        Ok(known.map(|(id, topic)| (*id, topic.partitions.clone())).collect())
    }

    fn describe_offsets_of(
        &mut self,
        group: &DescribeShareGroupOffsetsRequestGroup,
        mut describing: Describing,
        asked: Result<Assignment, ErrorCode>,
    ) {
        let id = group.group_id.as_str();
        let partitions = match asked {
            Ok(partitions) => partitions,
            Err(error) => {
                let answer = failed(id, error);
                return self.shared.offsets_described(describing.gather, describing.index, answer);
            }
        };
        let unknown = group.topics.iter().flatten();
        let unknown = unknown.filter(|topic| self.shared.topics.get(topic.topic_name.as_str()).is_none());
        describing.unknown = unknown.map(nothing_of).collect();
        for topic in partitions.keys() {
            if let Some(name) = self.shared.topics.name(*topic) {
                describing.names.insert(*topic, name.clone());
            }
        }
        if partitions.is_empty() {
            let answer = DescribeShareGroupOffsetsResponseGroup::default()
                .with_group_id(text(id))
                .with_topics(describing.unknown);
            return self.shared.offsets_described(describing.gather, describing.index, answer);
        }
        // What Kafka's persister takes for a mistake of its caller's.
        let is_wrong = |partitions: &BTreeSet<i32>| partitions.is_empty() || partitions.iter().any(|index| *index < 0);
        if id.is_empty() || partitions.values().any(is_wrong) {
            let answer = failed(id, ErrorCode::UnknownServerError);
            return self.shared.offsets_described(describing.gather, describing.index, answer);
        }
        let number = self.shared.next_number();
        let purpose = Purpose::Describe(Box::new(describing));
        self.shared.asks.insert(number, Ask { group: id.into(), purpose });
        let request = ShareStateRequest::Summary(Box::new(summary_of(id, &partitions)));
        self.shared.outputs.push(Output::ShareState { number, request });
    }

    /// The persister has answered: where it knows how far a partition is done, its end is asked for.
    pub(super) fn on_summary(
        &mut self,
        number: u64,
        mut describing: Box<Describing>,
        response: &ShareStateResponse,
        group: &Arc<str>,
    ) {
        let ShareStateResponse::Summary(response) = response else {
            let answer = failed(group, ErrorCode::UnknownServerError);
            return self.shared.offsets_described(describing.gather, describing.index, answer);
        };
        describing.summary =
            response.results.iter().map(|topic| (Id::from(topic.topic_id), topic.partitions.clone())).collect();
        let mut partitions: BTreeSet<TopicPartition> = BTreeSet::new();
        for (id, results) in &describing.summary {
            let Some(name) = describing.names.get(id) else { continue };
            let known = results.iter().filter(|result| has_lag(result));
            partitions.extend(known.map(|it| TopicPartition { topic: name.clone(), partition: it.partition }));
        }
        let ask = Ask { group: group.clone(), purpose: Purpose::Describe(describing) };
        self.shared.asks.insert(number, ask);
        if partitions.is_empty() {
            return self.on_latest_offsets(number, &LatestOffsets::new());
        }
        self.shared.outputs.push(Output::LatestOffsets { number, partitions });
    }

    /// The answer to [`Output::LatestOffsets`].
    pub fn on_latest_offsets(&mut self, number: u64, offsets: &LatestOffsets) {
        let Some(Ask { group, purpose: Purpose::Describe(describing) }) = self.shared.asks.remove(&number) else {
            return;
        };
        let Describing { gather, index, names, unknown, summary } = *describing;
        let mut topics = Vec::new();
        for (id, results) in summary {
            let Some(name) = names.get(&id) else { continue };
            let partition = |result: &PartitionResult| {
                let key = TopicPartition { topic: name.clone(), partition: result.partition };
                partition_of(result, offsets.get(&key).copied())
            };
            topics.push(
                DescribeShareGroupOffsetsResponseTopic::default()
                    .with_topic_name(text(name))
                    .with_topic_id(id.into())
                    .with_partitions(results.iter().map(partition).collect()),
            );
        }
        topics.extend(unknown);
        let answer = DescribeShareGroupOffsetsResponseGroup::default().with_group_id(text(&group)).with_topics(topics);
        self.shared.offsets_described(gather, index, answer);
    }
}

impl Shared {
    fn offsets_described(&mut self, gather: u64, index: usize, group: DescribeShareGroupOffsetsResponseGroup) {
        let answer = share_offsets_described(&mut self.gathers, gather, index, group);
        self.reply_all(answer);
    }
}

fn named(topics: &[DescribeShareGroupOffsetsRequestTopic], shared: &Shared) -> Result<Assignment, ErrorCode> {
    let mut partitions = Assignment::new();
    for topic in topics {
        if let Some(facts) = shared.topics.get(topic.topic_name.as_str()) {
            partitions.entry(facts.id).or_default().extend(&topic.partitions);
        }
    }
    Ok(partitions)
}

fn summary_of(group: &str, partitions: &Assignment) -> ReadShareGroupStateSummaryRequestData {
    let topics = partitions.iter().map(|(id, partitions)| {
        let partition =
            |index: &i32| read_share_group_state_summary_request::PartitionData::default().with_partition(*index);
        ReadStateSummaryData::default()
            .with_topic_id((*id).into())
            .with_partitions(partitions.iter().map(partition).collect())
    });
    ReadShareGroupStateSummaryRequestData::default().with_group_id(text(group)).with_topics(topics.collect())
}

/// Whether it is known how much of a partition is done.
fn has_lag(result: &PartitionResult) -> bool {
    result.error_code == 0 && result.start_offset != UNKNOWN && result.delivery_complete_count != -1
}

fn partition_of(
    result: &PartitionResult,
    end: Option<Result<i64, ErrorCode>>,
) -> DescribeShareGroupOffsetsResponsePartition {
    let answer = DescribeShareGroupOffsetsResponsePartition::default().with_partition_index(result.partition);
    match end.filter(|_| has_lag(result)) {
        // Nothing known counts as nothing there, not as an error.
        None if result.error_code != 0 => answer.with_start_offset(UNKNOWN).with_leader_epoch(0).with_lag(UNKNOWN),
        None => answer.with_start_offset(result.start_offset).with_leader_epoch(result.leader_epoch).with_lag(UNKNOWN),
        Some(Err(error)) => answer
            .with_lag(UNKNOWN)
            .with_error_code(error.code())
            .with_error_message(opt_text(Some(&error.to_string()))),
        Some(Ok(end)) => answer
            .with_start_offset(result.start_offset)
            .with_leader_epoch(result.leader_epoch)
            .with_lag(end.saturating_sub(result.start_offset).saturating_sub(result.delivery_complete_count.into())),
    }
}

/// A topic that does not exist has no offsets.
fn nothing_of(topic: &DescribeShareGroupOffsetsRequestTopic) -> DescribeShareGroupOffsetsResponseTopic {
    let partition = |index: &i32| {
        DescribeShareGroupOffsetsResponsePartition::default()
            .with_partition_index(*index)
            .with_start_offset(UNKNOWN)
            .with_lag(UNKNOWN)
    };
    DescribeShareGroupOffsetsResponseTopic::default()
        .with_topic_name(topic.topic_name.clone())
        .with_partitions(topic.partitions.iter().map(partition).collect())
}

fn failed(id: &str, error: ErrorCode) -> DescribeShareGroupOffsetsResponseGroup {
    DescribeShareGroupOffsetsResponseGroup::default()
        .with_group_id(text(id))
        .with_error_code(error.code())
        .with_error_message(opt_text(Some(&error.to_string())))
}
