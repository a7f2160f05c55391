//! Heartbeat v0–4.
//!
//! Source: `kafka.server.KafkaApis.handleHeartbeatRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use crate::protocol::Response;
use crate::protocol::messages::HeartbeatRequestData;
use crate::types::Now;

/// A member is alive.
pub fn handle(broker: &mut Broker, _context: &RequestContext, now: Now, request: HeartbeatRequestData) -> Handled {
    Handled::Reply(Response::Heartbeat(broker.groups.coordinator.heartbeat(now, &request)))
}
