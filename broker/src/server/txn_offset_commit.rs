//! TxnOffsetCommit v0–5: offsets of a group, committed when a transaction is. The transaction coordinator is asked (or, for clients of
//! `transaction.version` 2, told) of the group's partition before.
//!
//! KIP-98, KIP-447 (v3: member and generation), KIP-890 (v4: TRANSACTION_ABORTABLE, v5: version 2).
//! Source: `kafka.server.KafkaApis.handleTxnOffsetCommitRequest`, `GroupCoordinatorService.commitTransactionalOffsets`,
//! `CoordinatorPartitionWriter.maybeStartTransactionVerification`.

use std::collections::BTreeSet;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge::{self, OFFSETS_TOPIC};
use super::txn_verification::{self, Asker, Question, Support};
use crate::group::txn_offset_commit_refused;
use crate::log::VerificationGuard;
use crate::protocol::messages::TxnOffsetCommitRequestData;
use crate::protocol::{ErrorCode, Response};
use crate::records::NO_SEQUENCE;
use crate::types::{Now, TopicIdPartition, TopicPartition};

/// Offsets are committed within a transaction.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: TxnOffsetCommitRequestData) -> Handled {
    let support = Support::of_offset_commit(context.header.api_version);
    let partition = broker.groups.partition_for(request.group_id.as_str());
    let Some(guard) = start(broker, now, partition, &request, support) else {
        return commit(broker, context, now, request, None);
    };
    let question = Question {
        transactional_id: request.transactional_id.to_string(),
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        partitions: BTreeSet::from([TopicPartition { topic: OFFSETS_TOPIC.into(), partition }]),
        support,
    };
    let asker = Asker::OffsetCommit { request: Box::new(request), guard: Some(guard) };
    txn_verification::ask(broker, now, context, question, asker);
    Handled::Later
}

/// The guard under which the transaction coordinator is to be asked. Where the partition is not led here or the producer is fenced, the group
/// coordinator says so.
fn start(
    broker: &mut Broker,
    now: Now,
    partition: i32,
    request: &TxnOffsetCommitRequestData,
    support: Support,
) -> Option<VerificationGuard> {
    let adds = support == Support::AddsOnWrite;
    if !adds && !broker.config.bool("transaction.partition.verification.enable") {
        return None;
    }
    let topic = broker.image.topic(OFFSETS_TOPIC)?;
    let id = TopicIdPartition { topic_id: topic.id, partition };
    let producer = (request.producer_id, request.producer_epoch);
    broker.replicas.start_verification(now, &id, producer, NO_SEQUENCE, adds).ok().flatten()
}

/// The transaction coordinator has answered.
pub(super) fn verified(
    broker: &mut Broker,
    now: Now,
    context: &RequestContext,
    request: &TxnOffsetCommitRequestData,
    guard: Option<VerificationGuard>,
    error: Option<ErrorCode>,
) {
    match error {
        None => drop(commit(broker, context, now, request.clone(), guard)),
        Some(error) => {
            let mut response = txn_offset_commit_refused(request, told(error, context.header.api_version));
            // Partitions that are not there were not asked about.
            for topic in &mut response.topics {
                for partition in &mut topic.partitions {
                    if broker.image.partition(topic.name.as_str(), partition.partition_index).is_none() {
                        partition.error_code = ErrorCode::UnknownTopicOrPartition.code();
                    }
                }
            }
            broker.reply(now, context, Response::TxnOffsetCommit(response));
        }
    }
}

/// What clients of this API are told where the coordinator could not be asked, or did not agree.
fn told(error: ErrorCode, version: i16) -> ErrorCode {
    match error {
        // A producer before Kafka 2.3 does not survive being told that something is loaded (KAFKA-7296).
        ErrorCode::NetworkException | ErrorCode::CoordinatorLoadInProgress if version < 2 => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NetworkException => ErrorCode::CoordinatorLoadInProgress,
        error => error,
    }
}

fn commit(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: TxnOffsetCommitRequestData,
    guard: Option<VerificationGuard>,
) -> Handled {
    group_bridge::ask(broker, context, |groups, to, client, image| {
        groups.txn_offset_commit(now, to, client, &request, guard, image)
    })
}
