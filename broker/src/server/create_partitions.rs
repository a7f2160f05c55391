//! CreatePartitions v0–3: forwarded to the active controller.
//!
//! KIP-195. Source: `kafka.server.KafkaApis.handleCreatePartitionsRequest`, `ForwardingManager`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::CreatePartitionsRequestData;
use crate::types::Now;

/// From this version on, THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 3;

/// Forwards.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: CreatePartitionsRequestData,
) -> Handled {
    broker.forward_mutation(context, now, STRICT_SINCE, PeerRequest::CreatePartitions(Box::new(request)))
}
