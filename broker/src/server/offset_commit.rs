//! OffsetCommit v2–10. Answered when the offsets are committed to `__consumer_offsets`.
//!
//! Source: `kafka.server.KafkaApis.handleOffsetCommitRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use crate::protocol::messages::OffsetCommitRequestData;
use crate::types::Now;

/// Offsets are committed.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    mut request: OffsetCommitRequestData,
) -> Handled {
    // A topic without partitions is not answered.
    request.topics.retain(|topic| !topic.partitions.is_empty());
    group_bridge::ask(broker, context, |groups, to, client, image| {
        groups.offset_commit(now, to, client, &request, image)
    })
}
