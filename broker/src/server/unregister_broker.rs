//! UnregisterBroker v0: forwarded to the active controller.
//!
//! KIP-500. Source: `kafka.server.KafkaApis.handle` (forwarded), `ControllerApis.handleUnregisterBroker`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::UnregisterBrokerRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: UnregisterBrokerRequestData,
) -> Handled {
    broker.forward(context, now, PeerRequest::UnregisterBroker(Box::new(request)))
}
