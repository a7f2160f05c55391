//! OffsetDelete v0. Answered when the tombstones are committed to `__consumer_offsets`.
//!
//! Source: `kafka.server.KafkaApis.handleOffsetDeleteRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::OffsetDeleteRequestData;
use crate::types::Now;

/// Committed offsets are deleted.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: OffsetDeleteRequestData) -> Handled {
    group_bridge::ask(broker, context, |groups, to, _, image| groups.offset_delete(now, to, &request, image))
}
