//! ElectLeaders v0–2: forwarded to the active controller, which answers once the elections are committed.
//!
//! KIP-183, KIP-460. Source: `kafka.server.KafkaApis` (`forwardToController`), `ControllerApis.handleElectLeaders`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::ElectLeadersRequestData;
use crate::types::Now;

/// Forwards. Version 0 knows preferred elections only.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: ElectLeadersRequestData) -> Handled {
    broker.forward(context, now, PeerRequest::ElectLeaders(Box::new(request)))
}
