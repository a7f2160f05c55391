//! UpdateFeatures v0–2: forwarded to the active controller.
//!
//! KIP-584. Source: `kafka.server.KafkaApis` (`forwardToController`), `ControllerApis.handleUpdateFeatures`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::UpdateFeaturesRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: UpdateFeaturesRequestData) -> Handled {
    broker.forward(context, now, PeerRequest::UpdateFeatures(Box::new(request)))
}
