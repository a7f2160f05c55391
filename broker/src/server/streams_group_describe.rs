//! StreamsGroupDescribe v0 (KIP-1071).
//!
//! Source: `kafka.server.KafkaApis.handleStreamsGroupDescribe`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::{describe_groups, group_bridge};
use crate::protocol::messages::streams_group_describe_response::DescribedGroup;
use crate::protocol::messages::{StreamsGroupDescribeRequestData, StreamsGroupDescribeResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// Describes streams groups.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: StreamsGroupDescribeRequestData,
) -> Handled {
    if !group_bridge::has_streams_protocol(broker) {
        let refused = |id: &crate::protocol::messages::KafkaString| {
            DescribedGroup::default().with_group_id(id.clone()).with_error_code(ErrorCode::UnsupportedVersion.code())
        };
        let groups = request.group_ids.iter().map(refused).collect();
        let response = StreamsGroupDescribeResponseData::default().with_groups(groups);
        return Handled::Reply(Response::StreamsGroupDescribe(response));
    }
    let mut response = broker.groups.coordinator.streams_group_describe(&request);
    if request.include_authorized_operations {
        for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = describe_groups::GROUP_OPERATIONS;
        }
    }
    Handled::Reply(Response::StreamsGroupDescribe(response))
}
