//! SyncGroup v0–5. Answered when the leader's assignment is committed.
//!
//! Source: `kafka.server.KafkaApis.handleSyncGroupRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::SyncGroupRequestData;
use crate::types::Now;

/// A member asks for its assignment.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: SyncGroupRequestData) -> Handled {
    group_bridge::ask(broker, context, |groups, to, client, _| groups.sync_group(now, to, client, &request))
}
