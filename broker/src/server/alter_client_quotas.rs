//! AlterClientQuotas v0–1: forwarded to the active controller.
//!
//! KIP-546. Source: `kafka.server.KafkaApis` (`forwardToController`), `ControllerApis.handleAlterClientQuotas`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::AlterClientQuotasRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: AlterClientQuotasRequestData,
) -> Handled {
    broker.forward(context, now, PeerRequest::AlterClientQuotas(Box::new(request)))
}
