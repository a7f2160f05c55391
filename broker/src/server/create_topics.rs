//! CreateTopics v2–7: forwarded to the active controller.
//!
//! KIP-4, KIP-464 (-1 for defaults), KIP-525 (configs in the answer), KIP-516 (topic ids). Source:
//! `kafka.server.KafkaApis.handleCreateTopicsRequest`, `ForwardingManager`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::CreateTopicsRequestData;
use crate::types::Now;

/// From this version on, THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 6;

/// Forwards.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: CreateTopicsRequestData) -> Handled {
    broker.forward_mutation(context, now, STRICT_SINCE, PeerRequest::CreateTopics(Box::new(request)))
}
