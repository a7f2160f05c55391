//! DeleteGroups v0–2. Answered when the tombstones are committed.
//!
//! Source: `kafka.server.KafkaApis.handleDeleteGroupsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::DeleteGroupsRequestData;
use crate::types::Now;

/// Groups are deleted with their offsets.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: DeleteGroupsRequestData) -> Handled {
    group_bridge::ask(broker, context, |groups, to, _, _| groups.delete_groups(now, to, &request))
}
