//! CreatePartitions v0–3: forwarded to the active controller.
//!
//! KIP-195. Source: `kafka.server.KafkaApis.handleCreatePartitionsRequest`, `ForwardingManager`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::CreatePartitionsRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: CreatePartitionsRequestData,
) -> Handled {
    broker.forward(context, now, PeerRequest::CreatePartitions(Box::new(request)))
}
