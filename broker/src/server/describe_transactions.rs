//! DescribeTransactions v0: the state of transactional ids that this broker coordinates (KIP-664).
//!
//! Source: `kafka.server.KafkaApis.handleDescribeTransactionsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::protocol::Response;
use crate::protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use crate::protocol::messages::{DescribeTransactionsRequestData, DescribeTransactionsResponseData, KafkaString};
use crate::types::Now;

/// Tells the states of transactional ids.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: DescribeTransactionsRequestData,
) -> Handled {
    let states = request.transactional_ids.into_iter().map(|id| describe(broker, id)).collect();
    let response = DescribeTransactionsResponseData::default().with_transaction_states(states);
    Handled::Reply(Response::DescribeTransactions(response))
}

fn describe(broker: &mut Broker, id: KafkaString) -> TransactionState {
    let found = broker.transactions.coordinator.describe(id.as_str());
    let answer = TransactionState::default().with_transactional_id(id);
    let current = match found {
        Ok(current) => current,
        Err(error) => return answer.with_error_code(error.code()),
    };
    let mut topics: Vec<TopicData> = Vec::new();
    for it in &current.partitions {
        match topics.last_mut().filter(|topic| topic.topic.as_str() == &*it.topic) {
            Some(topic) => topic.partitions.push(it.partition),
            None => {
                topics.push(TopicData::default().with_topic(text(&it.topic)).with_partitions(vec![it.partition]));
            }
        }
    }
    answer
        .with_transaction_state(text(current.state.name()))
        .with_transaction_timeout_ms(current.timeout_ms)
        .with_transaction_start_time_ms(current.start_timestamp_ms)
        .with_producer_id(current.producer_id)
        .with_producer_epoch(current.producer_epoch)
        .with_topics(topics)
}
