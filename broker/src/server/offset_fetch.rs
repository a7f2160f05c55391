//! OffsetFetch v1–10.
//!
//! Source: `kafka.server.KafkaApis.handleOffsetFetchRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::OffsetFetchRequestData;
use crate::types::Now;

/// Committed offsets are asked for.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: OffsetFetchRequestData) -> Handled {
    group_bridge::ask(broker, context, |groups, to, client, image| {
        groups.offset_fetch(now, to, client, &request, image)
    })
}
