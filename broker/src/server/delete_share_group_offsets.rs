//! DeleteShareGroupOffsets v0 (KIP-932). Answered when share coordinators have deleted the states.
//!
//! Source: `kafka.server.KafkaApis.handleDeleteShareGroupOffsetsRequest`.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::group_bridge;
use super::share_state_bridge::has_share_groups;
use crate::protocol::messages::{DeleteShareGroupOffsetsRequestData, DeleteShareGroupOffsetsResponseData, KafkaString};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// An empty group forgets how far it has come with some topics.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: DeleteShareGroupOffsetsRequestData,
) -> Handled {
    if !has_share_groups(broker) {
        let error = ErrorCode::UnsupportedVersion;
        let response = DeleteShareGroupOffsetsResponseData::default()
            .with_error_code(error.code())
            .with_error_message(Some(KafkaString::from(error.to_string())));
        return Handled::Reply(Response::DeleteShareGroupOffsets(response));
    }
    group_bridge::ask(broker, context, |groups, to, _, _| groups.delete_share_group_offsets(now, to, &request))
}
