//! DescribeQuorum v0–2: forwarded to the active controller, the only node that knows how far the others are.
//!
//! KIP-595, KIP-836 (fetch times), KIP-853 (directory ids, endpoints; left out for older versions when the answer is encoded). Source:
//! `kafka.server.KafkaApis.handleDescribeQuorumRequest`, `KafkaRaftClient.handleDescribeQuorumRequest`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::DescribeQuorumRequestData;
use crate::types::Now;

/// Forwards.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: DescribeQuorumRequestData) -> Handled {
    broker.forward(context, now, PeerRequest::DescribeQuorum(Box::new(request)))
}
