//! Asks the coordinators whether a transaction is still to be ended (ListTransactions, KIP-664). One that has added a partition and written
//! nothing to it holds no last stable offset back, and is seen in no offset until its marker comes.

use broker::protocol::messages::ListTransactionsRequestData;
use broker::protocol::{Api, Call, ErrorCode, Request, RequestHeader, decode_response, encode_request};

use crate::conformance::wire::{Connection, Reply};

/// States from which a marker is still to come.
const OPEN: [&str; 4] = ["Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"];

/// Whether there is one at any of these brokers. A broker that cannot tell counts as one that has one.
pub(super) fn are_there(bootstrap_servers: &str) -> bool {
    !bootstrap_servers.split(',').all(|address| is_none_at(address).unwrap_or(false))
}

fn is_none_at(address: &str) -> Option<bool> {
    let mut connection = Connection::open(address).ok()?;
    let header = RequestHeader {
        api_key: Api::ListTransactions,
        api_version: 0,
        correlation_id: connection.next_correlation_id(),
        client_id: Some("acceptance".into()),
    };
    let states = OPEN.map(|state| state.to_owned().into()).to_vec();
    let request: Request = ListTransactionsRequestData::default().with_state_filters(states).into();
    connection.send_bytes(&encode_request(&header, &request).ok()?);
    let Reply::Frame(answered) = connection.receive() else { return None };
    let response = decode_response(&header, answered.into()).ok()?;
    let answer = <ListTransactionsRequestData as Call>::answer(response)?;
    Some(ErrorCode::from(answer.error_code) == ErrorCode::None && answer.transaction_states.is_empty())
}
