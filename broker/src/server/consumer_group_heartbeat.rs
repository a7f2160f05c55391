//! ConsumerGroupHeartbeat v0–1 (KIP-848). Answered when what it changes is committed to `__consumer_offsets`.
//!
//! Source: `kafka.server.KafkaApis.handleConsumerGroupHeartbeatRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequestData, ConsumerGroupHeartbeatResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// A member is alive, joins or leaves.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: ConsumerGroupHeartbeatRequestData,
) -> Handled {
    if !group_bridge::has_consumer_protocol(broker) {
        let response =
            ConsumerGroupHeartbeatResponseData::default().with_error_code(ErrorCode::UnsupportedVersion.code());
        return Handled::Reply(Response::ConsumerGroupHeartbeat(response));
    }
    group_bridge::ask(broker, context, |groups, to, client, _| {
        groups.consumer_group_heartbeat(now, to, client, &request);
    })
}
