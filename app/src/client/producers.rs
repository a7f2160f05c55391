//! Who writes to a topic, and which transactions are open on it. KIP-664.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::protocol::ErrorCode;
use broker::protocol::messages::describe_producers_request::TopicRequest;
use broker::protocol::messages::{
    DescribeProducersRequestData, DescribeTransactionsRequestData, KafkaString, ListTransactionsRequestData,
};

use super::cluster::{Client, Partition, To};
use super::error::ClientError;
use crate::monitor::inquiry::{Producer, Transaction};

/// Transactions looked up for one answer.
const TRANSACTIONS_MAX: usize = 100;

/// The producers of a topic's partitions, as their leaders know them, with their transactions where these are open.
pub fn producers(client: &mut Client, topic: &str) -> Result<Vec<Producer>, ClientError> {
    let mut found = client.persist(|client, until| {
        let known = client.metadata(&[topic], until)?;
        let indexes = known.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.partition_index);
        let partitions: Vec<Partition<'_>> = indexes.map(|index| (topic, index)).collect();
        let mut found = Vec::new();
        for (leader, led) in client.by_leader(&partitions, until)? {
            let answer = client.call(To::Broker(leader), until, |_| {
                let indexes = led.iter().map(|(_, partition)| *partition).collect();
                let wanted = TopicRequest::default().with_name(topic.to_owned().into()).with_partition_indexes(indexes);
                DescribeProducersRequestData::default().with_topics(vec![wanted])
            })?;
            for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                let message = partition.error_message.as_ref().map(KafkaString::as_str);
                ClientError::check(partition.error_code, message)?;
                found.extend(partition.active_producers.into_iter().map(|told| Producer {
                    partition: partition.partition_index,
                    producer_id: told.producer_id,
                    producer_epoch: told.producer_epoch,
                    last_sequence: told.last_sequence,
                    last_timestamp_ms: told.last_timestamp,
                    txn_start_offset: (told.current_txn_start_offset >= 0).then_some(told.current_txn_start_offset),
                    transaction: None,
                }));
            }
        }
        Ok(found)
    })?;
    let mut open: Vec<i64> =
        found.iter().filter(|one| one.txn_start_offset.is_some()).map(|one| one.producer_id).collect();
    open.sort_unstable();
    open.dedup();
    open.truncate(TRANSACTIONS_MAX);
    if !open.is_empty() {
        let by_producer: BTreeMap<i64, Arc<Transaction>> =
            transactions(client, &open)?.into_iter().map(|told| (told.producer_id, Arc::new(told))).collect();
        for one in found.iter_mut().filter(|one| one.txn_start_offset.is_some()) {
            one.transaction = by_producer.get(&one.producer_id).cloned();
        }
    }
    found.sort_by_key(|one| (one.partition, one.producer_id));
    Ok(found)
}

/// The transactions of these producers, as their coordinators know them.
pub fn transactions(client: &mut Client, producer_ids: &[i64]) -> Result<Vec<Transaction>, ClientError> {
    client.persist(|client, until| {
        let mut ids: Vec<String> = Vec::new();
        // Any broker may coordinate one.
        for broker in client.broker_ids(until)? {
            let answer = client.call(To::Broker(broker), until, |_| {
                ListTransactionsRequestData::default().with_producer_id_filters(producer_ids.to_vec())
            });
            // One that is down coordinates none.
            let answer = match answer {
                Err(ClientError::Unreachable { .. } | ClientError::Lost { .. }) => continue,
                answer => answer?,
            };
            ClientError::check(answer.error_code, None)?;
            ids.extend(answer.transaction_states.iter().map(|told| told.transactional_id.as_str().to_owned()));
        }
        let mut found = Vec::new();
        for id in &ids {
            let answer = client.call(To::Transaction(id), until, |_| {
                DescribeTransactionsRequestData::default().with_transactional_ids(vec![id.clone().into()])
            })?;
            for told in answer.transaction_states {
                if ErrorCode::from(told.error_code) == ErrorCode::TransactionalIdNotFound {
                    // It ended for good meanwhile.
                    continue;
                }
                ClientError::check(told.error_code, None)?;
                found.push(Transaction {
                    transactional_id: told.transactional_id.as_str().to_owned(),
                    state: told.transaction_state.as_str().to_owned(),
                    timeout_ms: told.transaction_timeout_ms,
                    started_ms: told.transaction_start_time_ms,
                    producer_id: told.producer_id,
                });
            }
        }
        Ok(found)
    })
}
