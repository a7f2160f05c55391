//! ListPartitionReassignments v0: forwarded to the active controller.
//!
//! KIP-455. Source: `kafka.server.KafkaApis.handle` (forwarded), `ControllerApis.handleListPartitionReassignments`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::ListPartitionReassignmentsRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: ListPartitionReassignmentsRequestData,
) -> Handled {
    broker.forward(context, now, PeerRequest::ListPartitionReassignments(Box::new(request)))
}
