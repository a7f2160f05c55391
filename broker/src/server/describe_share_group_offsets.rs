//! DescribeShareGroupOffsets v0–1 (KIP-932; v1: lag, KIP-1226). Answered when the persister, and for the lag the partitions' leaders, have
//! answered.
//!
//! Source: `kafka.server.KafkaApis.handleDescribeShareGroupOffsetsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use super::share_state_bridge::has_share_groups;
use crate::protocol::messages::{
    DescribeShareGroupOffsetsRequestData, DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsResponseData,
    DescribeShareGroupOffsetsResponseGroup,
};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// Tells how far groups have come.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    _now: Now,
    request: DescribeShareGroupOffsetsRequestData,
) -> Handled {
    if !has_share_groups(broker) {
        let refused = |group: &DescribeShareGroupOffsetsRequestGroup| {
            DescribeShareGroupOffsetsResponseGroup::default()
                .with_group_id(group.group_id.clone())
                .with_error_code(ErrorCode::UnsupportedVersion.code())
        };
        let groups = request.groups.iter().map(refused).collect();
        let response = DescribeShareGroupOffsetsResponseData::default().with_groups(groups);
        return Handled::Reply(Response::DescribeShareGroupOffsets(response));
    }
    group_bridge::ask(broker, context, |groups, to, _, _| groups.describe_share_group_offsets(to, &request))
}
