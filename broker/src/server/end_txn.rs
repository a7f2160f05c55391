//! EndTxn v0–5: commit or abort. Answered when it is committed how the transaction ends; its markers follow. From v5 on the answer carries the
//! producer's epoch for the next transaction (KIP-890).
//!
//! Source: `kafka.server.KafkaApis.handleEndTxnRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::init_producer_id;
use super::txn_bridge::{self, Caller, fenced_for};
use crate::protocol::messages::{EndTxnRequestData, EndTxnResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::transaction::EndTxn;
use crate::types::Now;

/// The version from which each end gives a new epoch.
const VERSION_2: i16 = 5;

/// Ends a transaction.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: EndTxnRequestData) -> Handled {
    let caller = Caller::End(Box::new(context.clone()));
    let transaction_version = if context.header.api_version >= VERSION_2 { 2 } else { 0 };
    let handled = txn_bridge::ask(broker, context, caller, |broker, to| {
        let end = EndTxn {
            transactional_id: request.transactional_id.as_str(),
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            commit: request.committed,
            transaction_version,
        };
        let ids = &mut broker.producer_ids;
        broker.transactions.coordinator.end_txn(now, to, end, &mut || ids.take());
    });
    init_producer_id::ask_for_block(broker, now);
    handled
}

pub(super) fn response(version: i16, result: Result<(i64, i16), ErrorCode>) -> Response {
    let (producer_id, producer_epoch) = result.unwrap_or((-1, -1));
    let error = fenced_for(result.err().unwrap_or(ErrorCode::None), version, 2);
    let response = EndTxnResponseData::default().with_error_code(error.code());
    Response::EndTxn(response.with_producer_id(producer_id).with_producer_epoch(producer_epoch))
}
