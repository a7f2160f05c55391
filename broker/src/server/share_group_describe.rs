//! ShareGroupDescribe v1 (KIP-932).
//!
//! Source: `kafka.server.KafkaApis.handleShareGroupDescribe`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::describe_groups;
use super::share_state_bridge::has_share_groups;
use crate::protocol::messages::share_group_describe_response::DescribedGroup;
use crate::protocol::messages::{KafkaString, ShareGroupDescribeRequestData, ShareGroupDescribeResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// Describes share groups.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: ShareGroupDescribeRequestData,
) -> Handled {
    if !has_share_groups(broker) {
        let refused = |id: &KafkaString| {
            DescribedGroup::default().with_group_id(id.clone()).with_error_code(ErrorCode::UnsupportedVersion.code())
        };
        let groups = request.group_ids.iter().map(refused).collect();
        let response = ShareGroupDescribeResponseData::default().with_groups(groups);
        return Handled::Reply(Response::ShareGroupDescribe(response));
    }
    let mut response = broker.groups.coordinator.share_group_describe(&request);
    if request.include_authorized_operations {
        for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = describe_groups::GROUP_OPERATIONS;
        }
    }
    Handled::Reply(Response::ShareGroupDescribe(response))
}
