//! AddOffsetsToTxn v0–4: a client below `transaction.version` 2 says of which group it will commit offsets.
//!
//! KIP-98, KIP-890. Source: `kafka.server.KafkaApis.handleAddOffsetsToTxnRequest`.

use std::collections::BTreeSet;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge::OFFSETS_TOPIC;
use super::txn_bridge::{self, Caller};
use crate::protocol::messages::AddOffsetsToTxnRequestData;
use crate::types::{Now, TopicPartition};

/// Answers when the group's partition is in the transaction.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: AddOffsetsToTxnRequestData) -> Handled {
    let partition = broker.groups.partition_for(request.group_id.as_str());
    let partitions = BTreeSet::from([TopicPartition { topic: OFFSETS_TOPIC.into(), partition }]);
    let caller = Caller::AddOffsets(Box::new(context.clone()));
    txn_bridge::ask(broker, context, caller, |broker, to| {
        let producer = (request.producer_id, request.producer_epoch);
        let coordinator = &mut broker.transactions.coordinator;
        coordinator.add_partitions(now, to, request.transactional_id.as_str(), producer, &partitions, 0);
    })
}
