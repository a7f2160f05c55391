//! ShareGroupHeartbeat v1 (KIP-932). Answered when what it changes is committed to `__consumer_offsets`.
//!
//! Source: `kafka.server.KafkaApis.handleShareGroupHeartbeat`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use super::share_state_bridge::has_share_groups;
use crate::protocol::messages::{ShareGroupHeartbeatRequestData, ShareGroupHeartbeatResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// A member is alive, joins or leaves.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: ShareGroupHeartbeatRequestData,
) -> Handled {
    if !has_share_groups(broker) {
        let response = ShareGroupHeartbeatResponseData::default().with_error_code(ErrorCode::UnsupportedVersion.code());
        return Handled::Reply(Response::ShareGroupHeartbeat(response));
    }
    group_bridge::ask(broker, context, |groups, to, client, _| groups.share_group_heartbeat(now, to, client, &request))
}
