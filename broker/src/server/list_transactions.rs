//! ListTransactions v0–2: the transactional ids that this broker coordinates; by duration (v1, KIP-994) and by pattern (v2, KIP-1152).
//!
//! Source: `kafka.server.KafkaApis.handleListTransactionsRequest`, `TransactionStateManager.listTransactionStates`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::protocol::messages::list_transactions_response::TransactionState as Listed;
use crate::protocol::messages::{ListTransactionsRequestData, ListTransactionsResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::transaction::{ListFilter, TransactionState};
use crate::types::Now;

/// Lists transactional ids.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    now: Now,
    request: ListTransactionsRequestData,
) -> Handled {
    Handled::Reply(Response::ListTransactions(list(broker, now, request)))
}

fn list(broker: &Broker, now: Now, request: ListTransactionsRequestData) -> ListTransactionsResponseData {
    let answer = ListTransactionsResponseData::default();
    let states: Vec<_> =
        request.state_filters.iter().map(|name| (name, TransactionState::from_name(name.as_str()))).collect();
    let unknown = states.iter().filter(|(_, state)| state.is_none()).map(|(name, _)| (*name).clone()).collect();
    let pattern = request.transactional_id_pattern.as_ref().map_or("", |pattern| pattern.as_str());
    let pattern = match pattern.is_empty() {
        true => None,
        false => match crate::group::compile_pattern(pattern) {
            Some(regex) => Some(regex),
            None => return answer.with_error_code(ErrorCode::InvalidRegularExpression.code()),
        },
    };
    let filter = ListFilter {
        producer_ids: request.producer_id_filters,
        states: (!states.is_empty()).then(|| states.iter().filter_map(|(_, state)| *state).collect()),
        duration_ms: request.duration_filter,
        pattern,
    };
    let listed = |(id, producer_id, state): (String, i64, TransactionState)| {
        Listed::default()
            .with_transactional_id(text(&id))
            .with_producer_id(producer_id)
            .with_transaction_state(text(state.name()))
    };
    match broker.transactions.coordinator.list(now, &filter) {
        Err(error) => answer.with_error_code(error.code()),
        Ok(found) => {
            answer.with_unknown_state_filters(unknown).with_transaction_states(found.into_iter().map(listed).collect())
        }
    }
}
