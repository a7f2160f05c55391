//! DescribeGroups v0–6.
//!
//! Source: `kafka.server.KafkaApis.handleDescribeGroupsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use crate::protocol::Response;
use crate::protocol::messages::{DescribeGroupsRequestData, DescribeGroupsResponseData};
use crate::types::Now;

/// Everything that can be done with a group, as bits numbered by `AclOperation`: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS,
/// ALTER_CONFIGS. There is no authorizer, so everybody may do everything.
pub(super) const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Describes groups.
pub fn handle(broker: &mut Broker, context: &RequestContext, _now: Now, request: DescribeGroupsRequestData) -> Handled {
    let mut response = broker.groups.coordinator.describe_groups(context.header.api_version, &request);
    if request.include_authorized_operations {
        tell_operations(&mut response);
    }
    Handled::Reply(Response::DescribeGroups(response))
}

fn tell_operations(response: &mut DescribeGroupsResponseData) {
    for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
        group.authorized_operations = GROUP_OPERATIONS;
    }
}
