//! AddRaftVoter v0–1: forwarded to the active controller, which leads the quorum.
//!
//! KIP-853. Source: `kafka.server.KafkaApis` (`forwardToController`), `KafkaRaftClient.handleAddVoterRequest`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::AddRaftVoterRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: AddRaftVoterRequestData) -> Handled {
    broker.forward(context, now, PeerRequest::AddRaftVoter(Box::new(request)))
}
