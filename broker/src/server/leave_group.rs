//! LeaveGroup v0–5.
//!
//! Source: `kafka.server.KafkaApis.handleLeaveGroupRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::LeaveGroupRequestData;
use crate::types::Now;

/// Members leave their group.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: LeaveGroupRequestData) -> Handled {
    group_bridge::ask(broker, context, |groups, to, client, _| groups.leave_group(now, to, client, &request))
}
