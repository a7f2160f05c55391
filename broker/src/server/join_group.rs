//! JoinGroup v0–9. Answered when the rebalance is over, or at once if it is refused.
//!
//! Source: `kafka.server.KafkaApis.handleJoinGroupRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::JoinGroupRequestData;
use crate::types::Now;

/// A member wants to join its group.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: JoinGroupRequestData) -> Handled {
    group_bridge::ask(broker, context, |groups, to, client, _| groups.join_group(now, to, client, &request))
}
