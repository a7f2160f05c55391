//! ListGroups v0–5: the groups of this broker's coordinator; clients ask every broker.
//!
//! Source: `kafka.server.KafkaApis.handleListGroupsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use crate::protocol::Response;
use crate::protocol::messages::ListGroupsRequestData;
use crate::types::Now;

/// Lists groups.
pub fn handle(broker: &mut Broker, _context: &RequestContext, _now: Now, request: ListGroupsRequestData) -> Handled {
    Handled::Reply(Response::ListGroups(broker.groups.coordinator.list_groups(&request)))
}
