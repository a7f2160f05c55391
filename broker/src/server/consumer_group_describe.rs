//! ConsumerGroupDescribe v0–1 (KIP-848).
//!
//! Source: `kafka.server.KafkaApis.handleConsumerGroupDescribe`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::{describe_groups, group_bridge};
use crate::protocol::messages::consumer_group_describe_response::DescribedGroup;
use crate::protocol::messages::{ConsumerGroupDescribeRequestData, ConsumerGroupDescribeResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// Describes consumer groups.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: ConsumerGroupDescribeRequestData,
) -> Handled {
    if !group_bridge::has_consumer_protocol(broker) {
        let refused = |id: &crate::protocol::messages::KafkaString| {
            DescribedGroup::default().with_group_id(id.clone()).with_error_code(ErrorCode::UnsupportedVersion.code())
        };
        let groups = request.group_ids.iter().map(refused).collect();
        let response = ConsumerGroupDescribeResponseData::default().with_groups(groups);
        return Handled::Reply(Response::ConsumerGroupDescribe(response));
    }
    let mut response = broker.groups.coordinator.consumer_group_describe(&request);
    if request.include_authorized_operations {
        for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = describe_groups::GROUP_OPERATIONS;
        }
    }
    Handled::Reply(Response::ConsumerGroupDescribe(response))
}
