//! AlterShareGroupOffsets v0 (KIP-932). Answered when share coordinators have written the states.
//!
//! Source: `kafka.server.KafkaApis.handleAlterShareGroupOffsetsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use super::share_state_bridge::has_share_groups;
use crate::protocol::messages::{AlterShareGroupOffsetsRequestData, AlterShareGroupOffsetsResponseData, KafkaString};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// From where on an empty group is to read.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: AlterShareGroupOffsetsRequestData,
) -> Handled {
    if !has_share_groups(broker) {
        let error = ErrorCode::UnsupportedVersion;
        let response = AlterShareGroupOffsetsResponseData::default()
            .with_error_code(error.code())
            .with_error_message(Some(KafkaString::from(error.to_string())));
        return Handled::Reply(Response::AlterShareGroupOffsets(response));
    }
    group_bridge::ask(broker, context, |groups, to, _, _| groups.alter_share_group_offsets(now, to, &request))
}
