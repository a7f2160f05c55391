//! RemoveRaftVoter v0: forwarded to the active controller, which leads the quorum.
//!
//! KIP-853. Source: `kafka.server.KafkaApis` (`forwardToController`), `KafkaRaftClient.handleRemoveVoterRequest`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::RemoveRaftVoterRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: RemoveRaftVoterRequestData) -> Handled {
    broker.forward(context, now, PeerRequest::RemoveRaftVoter(Box::new(request)))
}
