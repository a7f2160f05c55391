//! TxnOffsetCommit v0–5: KIP-98, KIP-447 (v3: member and generation), KIP-890 (v4, v5); and the markers that end transactions on
//! `__consumer_offsets`.
//!
//! Source: `KafkaApis.handleTxnOffsetCommitRequest`, `OffsetMetadataManager.commitTransactionalOffset`,
//! `CoordinatorRuntime.scheduleTransactionCompletion`.

use std::collections::HashMap;
use std::sync::Arc;

use super::api::{ClientInfo, GroupResponse, OffsetsRecord, Output, ReplyTo, TxnEnd, TxnProducer, text};
use super::classic::{ClassicGroup, GroupState};
use super::coordinator::{GroupCoordinator, Step};
use super::join::MAX_STRING;
use super::kind::Group;
use super::pending::{Change, Deferred};
use super::record::{self, Decoded, OffsetAndMetadata, RecordError, decode};
use crate::log::VerificationGuard;
use crate::logging::{Level, Logger};
use crate::metadata::image::Image;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    TxnOffsetCommitRequestData, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponseData, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::types::{Id, Now};

/// From this version on clients understand COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296).
const LOADING: i16 = 2;

/// What a marker takes in the log.
const MARKER_BYTES: usize = 78;

/// A topic of a request that exists: its name and id, and those of the partitions asked for that do.
struct Known<'a> {
    name: Arc<str>,
    id: Id,
    partitions: Vec<&'a TxnOffsetCommitRequestPartition>,
}

impl GroupCoordinator {
    /// Offsets are committed as part of a transaction: they count when its marker is written. The caller has asked the transaction
    /// coordinator, and got `guard`. Answered by [`GroupResponse::TxnOffsetCommit`] when they are safe.
    pub fn txn_offset_commit(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &TxnOffsetCommitRequestData,
        guard: Option<VerificationGuard>,
        image: &Image,
    ) {
        let (known, mut answers) = check_topics(request, image);
        let outcome = match known.is_empty() {
            true => Ok(false),
            false => self.try_commit_txn(now, to, client, request, guard, &known, &mut answers),
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => self.shared.reply(to, committed(answers.response, client.api_version, Ok(()))),
            Err(error) => {
                answers.add_all(&known, error);
                self.shared.reply(to, committed(answers.response, client.api_version, Ok(())));
            }
        }
        self.fail_refused(now);
    }

    /// True if the answer waits for an append.
    #[expect(clippy::too_many_arguments, reason = "a request, and what is known of it")]
    fn try_commit_txn(
        &mut self,
        now: Now,
        to: ReplyTo,
        client: &ClientInfo,
        request: &TxnOffsetCommitRequestData,
        guard: Option<VerificationGuard>,
        topics: &[Known<'_>],
        answers: &mut Answers,
    ) -> Result<bool, ErrorCode> {
        let group_id = request.group_id.as_str();
        if group_id.is_empty() || group_id.len() > MAX_STRING {
            return Err(ErrorCode::InvalidGroupId);
        }
        let (partition, shard, shared) = self.shard_for(group_id)?;
        let mut step = Step { shared, log: &mut shard.log, partition, now };
        match shard.groups.get(group_id) {
            Some(Group::Classic(group)) => validate(group, request)?,
            Some(Group::Consumer(group)) => {
                let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
                let asked = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (topic.id, *it)));
                let asked = asked.filter(|(_, it)| !step.metadata_is_too_large(it.committed_metadata.as_ref()));
                let asked = asked.map(|(id, it)| (id, it.partition_index));
                group.validate_txn_commit(request.member_id.as_str(), instance_id, request.generation_id, asked)?;
            }
            Some(Group::Streams(group)) => {
                let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
                let asked = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (&topic.name, *it)));
                let asked = asked.filter(|(_, it)| !step.metadata_is_too_large(it.committed_metadata.as_ref()));
                let asked = asked.map(|(name, it)| (name, it.partition_index));
                group.validate_txn_commit(request.member_id.as_str(), instance_id, request.generation_id, asked)?;
            }
            Some(Group::Share(_)) => return Err(ErrorCode::GroupIdNotFound),
            // A consumer that only stores offsets: its group is made when they are written.
            None if request.generation_id < 0 => {}
            None => return Err(ErrorCode::IllegalGeneration),
        }
        let offsets = topics.iter().map(|topic| topic.partitions.len()).sum();
        let is_known = shard.groups.contains_key(group_id);
        step.check_room(offsets, is_known)?;
        if !is_known {
            step.shared.note_simple_group(partition, group_id);
        }
        let (records, changes) = step.txn_records(request, topics, answers)?;
        if records.is_empty() {
            return Ok(false);
        }
        let producer = TxnProducer { id: request.producer_id, epoch: request.producer_epoch, guard };
        step.shared.metrics.committing(records.len());
        step.append_as(Some(producer), records, changes, None);
        let response = std::mem::take(&mut answers.response);
        step.defer(Deferred::TxnCommit { to, api_version: client.api_version, response });
        Ok(true)
    }

    /// A producer's transaction is ended on a partition of `__consumer_offsets`. Answered by [`GroupResponse::TxnCompleted`] when its
    /// marker is committed, or with the error, as it is, that kept it from being so.
    pub fn complete_transaction(&mut self, now: Now, to: ReplyTo, partition: i32, end: TxnEnd) {
        let refusal = match self.shards.get(&partition) {
            None => Some(ErrorCode::NotCoordinator),
            Some(shard) if shard.loading => Some(ErrorCode::CoordinatorLoadInProgress),
            Some(_) => None,
        };
        if let Some(error) = refusal {
            return self.shared.reply(to, GroupResponse::TxnCompleted(error));
        }
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        let mut step = Step { shared: &mut self.shared, log: &mut shard.log, partition, now };
        step.shared.note_as(Logger::OffsetMetadata, partition, Level::Debug, || {
            let what = if end.commit { "committed" } else { "aborted" };
            format!("The transaction of producer {} is {what}, and with it the offsets in it", end.producer_id)
        });
        let changes = vec![Change::EndTxn {
            producer_id: end.producer_id,
            commit: end.commit || Bug::AbortedOffsetsCommitted.is_planted(),
        }];
        let timestamp_ms = now.wall_ms;
        step.ask(MARKER_BYTES, changes, None, |token| Output::AppendMarker { partition, token, timestamp_ms, end });
        step.defer(Deferred::EndTxn { to });
        self.fail_refused(now);
    }

    /// The same as [`GroupCoordinator::load_record`] for a record that a producer wrote in a transaction: its end is yet to come.
    pub fn load_txn_record(
        &mut self,
        now: Now,
        partition: i32,
        producer_id: i64,
        key: &[u8],
        value: Option<&[u8]>,
        committed: bool,
    ) -> Result<(), RecordError> {
        if Bug::OpenOffsetsNotLoaded.is_planted() {
            return Ok(());
        }
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.loading) else { return Ok(()) };
        // A tombstone, or the state of a group, is not held up by a transaction.
        let Decoded::Offset { group, topic, partition: index, value: Some(value) } = decode(key, value)? else {
            return self.load_record(now, partition, key, value, committed);
        };
        let key = (group.into(), topic.into(), index);
        if committed {
            shard.need_group(&mut self.shared, now, &key.0);
            shard.put_open(&mut self.shared, key, producer_id, value);
        } else {
            shard.tail.push(Change::TxnOffset { producer_id, key, value });
        }
        Ok(())
    }

    /// The same for the marker that ends a producer's transaction.
    pub fn load_marker(&mut self, partition: i32, producer_id: i64, commit: bool, committed: bool) {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.loading) else { return };
        if committed {
            shard.end_transaction(&mut self.shared, producer_id, commit);
        } else {
            shard.tail.push(Change::EndTxn { producer_id, commit });
        }
    }
}

impl Step<'_> {
    /// The records of a commit, and what they change. Partitions are answered on the way.
    fn txn_records(
        &self,
        request: &TxnOffsetCommitRequestData,
        topics: &[Known<'_>],
        answers: &mut Answers,
    ) -> Result<(Vec<OffsetsRecord>, Vec<Change>), ErrorCode> {
        let group: Arc<str> = request.group_id.as_str().into();
        let mut entries = Vec::new();
        let mut results = Vec::new();
        for topic in topics {
            for partition in &topic.partitions {
                let index = partition.partition_index;
                if self.metadata_is_too_large(partition.committed_metadata.as_ref()) {
                    results.push((&*topic.name, index, ErrorCode::OffsetMetadataTooLarge));
                    continue;
                }
                let value = self.txn_offset_of(partition);
                let record = record::encode_offset(&group, &topic.name, index, Some(&value));
                let record = record.map_err(|_| ErrorCode::UnknownServerError)?;
                self.shared.note_offset(self.partition, &group, (&topic.name, index), &value, || {
                    let (producer, member) = (request.producer_id, request.member_id.as_str());
                    format!("in the transaction of producer {producer}, of member '{member}'")
                });
                let key = (group.clone(), topic.name.clone(), index);
                entries.push((record, Change::TxnOffset { producer_id: request.producer_id, key, value }));
                results.push((&*topic.name, index, ErrorCode::None));
            }
        }
        // Only now that nothing can fail: a refusal answers all of them.
        results.into_iter().for_each(|(topic, index, error)| answers.add(topic, index, error));
        Ok(entries.into_iter().unzip())
    }

    fn txn_offset_of(&self, partition: &TxnOffsetCommitRequestPartition) -> OffsetAndMetadata {
        OffsetAndMetadata {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch.max(-1),
            metadata: partition.committed_metadata.as_ref().map_or_else(String::new, ToString::to_string),
            commit_timestamp_ms: self.now.wall_ms,
            expire_timestamp_ms: None,
            // As Kafka: this API has no topic ids, and none is looked up for it.
            topic_id: Id::ZERO,
        }
    }
}

/// Before version 3 there were neither member nor generation: who names none is not held to any. And the group's state does not matter.
fn validate(group: &ClassicGroup, request: &TxnOffsetCommitRequestData) -> Result<(), ErrorCode> {
    let generation = request.generation_id;
    let member_id = request.member_id.as_str();
    let instance_id = request.group_instance_id.as_ref().map(|id| id.as_str());
    if generation < 0 && (group.is_in(GroupState::Empty) || (member_id.is_empty() && instance_id.is_none())) {
        return Ok(());
    }
    group.validate_member(member_id, instance_id)?;
    if generation == group.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
}

/// Tells what exists from what does not; the latter is answered first, as Kafka does.
fn check_topics<'a>(request: &'a TxnOffsetCommitRequestData, image: &Image) -> (Vec<Known<'a>>, Answers) {
    let (mut known, mut answers) = (Vec::new(), Answers::default());
    for topic in &request.topics {
        let found = image.topic(topic.name.as_str());
        let exists = |it: &&TxnOffsetCommitRequestPartition| {
            found.is_some_and(|found| found.partition(it.partition_index).is_some())
        };
        let (partitions, unknown): (Vec<_>, Vec<_>) = topic.partitions.iter().partition(exists);
        if found.is_none() {
            answers.topic(topic.name.as_str());
        }
        for it in unknown {
            answers.add(topic.name.as_str(), it.partition_index, ErrorCode::UnknownTopicOrPartition);
        }
        if let Some(found) = found.filter(|_| !partitions.is_empty()) {
            known.push(Known { name: found.name.clone(), id: found.id, partitions });
        }
    }
    (known, answers)
}

/// An answer that grows partition by partition.
#[derive(Default)]
struct Answers {
    response: TxnOffsetCommitResponseData,
    places: HashMap<String, usize>,
}

impl Answers {
    fn topic(&mut self, name: &str) -> Option<&mut TxnOffsetCommitResponseTopic> {
        let topics = &mut self.response.topics;
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                topics.push(TxnOffsetCommitResponseTopic::default().with_name(text(name)));
                self.places.insert(name.to_owned(), topics.len() - 1);
                topics.len() - 1
            }
        };
        topics.get_mut(place)
    }

    fn add(&mut self, topic: &str, index: i32, error: ErrorCode) {
        if let Some(topic) = self.topic(topic) {
            topic.partitions.push(answer(index, error));
        }
    }

    fn add_all(&mut self, topics: &[Known<'_>], error: ErrorCode) {
        for topic in topics {
            for partition in &topic.partitions {
                self.add(&topic.name, partition.partition_index, error);
            }
        }
    }
}

fn answer(index: i32, error: ErrorCode) -> TxnOffsetCommitResponsePartition {
    TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(error.code())
}

/// The answer to a commit that was written, or could not be: then it fails as a whole, but for what does not exist.
pub(super) fn committed(
    mut response: TxnOffsetCommitResponseData,
    api_version: i16,
    result: Result<(), ErrorCode>,
) -> GroupResponse {
    let loading = ErrorCode::CoordinatorLoadInProgress.code();
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let depends = [ErrorCode::None.code(), ErrorCode::OffsetMetadataTooLarge.code()];
        if let Err(error) = result
            && depends.contains(&partition.error_code)
        {
            partition.error_code = error.code();
        }
        if api_version < LOADING && partition.error_code == loading {
            partition.error_code = ErrorCode::CoordinatorNotAvailable.code();
        }
    }
    GroupResponse::TxnOffsetCommit(response)
}

/// The answer to a TxnOffsetCommit that is refused before the coordinator has seen it: each partition carries the error.
///
/// Source: `TxnOffsetCommitRequest.getErrorResponse`.
pub fn txn_offset_commit_refused(request: &TxnOffsetCommitRequestData, code: ErrorCode) -> TxnOffsetCommitResponseData {
    let topic = |topic: &TxnOffsetCommitRequestTopic| {
        let partitions = topic.partitions.iter().map(|partition| answer(partition.partition_index, code));
        TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    };
    TxnOffsetCommitResponseData::default().with_topics(request.topics.iter().map(topic).collect())
}
