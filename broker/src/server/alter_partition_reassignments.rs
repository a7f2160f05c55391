//! AlterPartitionReassignments v0–1: forwarded to the active controller.
//!
//! KIP-455, KIP-860. Source: `kafka.server.KafkaApis.handle` (forwarded), `ControllerApis.handleAlterPartitionReassignments`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::AlterPartitionReassignmentsRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: AlterPartitionReassignmentsRequestData,
) -> Handled {
    broker.forward(context, now, PeerRequest::AlterPartitionReassignments(Box::new(request)))
}
