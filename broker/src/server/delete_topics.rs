//! DeleteTopics v1–6: forwarded to the active controller, if topics may be deleted at all.
//!
//! KIP-4, KIP-516 (by id from v6). Source: `kafka.server.KafkaApis.handleDeleteTopicsRequest`, `ControllerApis.deleteTopics`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::delete_topics_request::DeleteTopicState;
use crate::protocol::messages::delete_topics_response::DeletableTopicResult;
use crate::protocol::messages::{DeleteTopicsRequestData, DeleteTopicsResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// From this version on, THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 5;

/// TOPIC_DELETION_DISABLED exists from this version on.
const DISABLED_SINCE: i16 = 3;

/// Forwards in the shape of version 6, whatever the client's.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: DeleteTopicsRequestData) -> Handled {
    let request = in_newest_shape(request);
    if !broker.config.bool("delete.topic.enable") {
        return Handled::Reply(Response::DeleteTopics(disabled(&request, context.header.api_version)));
    }
    broker.forward_mutation(context, now, STRICT_SINCE, PeerRequest::DeleteTopics(Box::new(request)))
}

/// Before version 6, topics came as names only.
fn in_newest_shape(mut request: DeleteTopicsRequestData) -> DeleteTopicsRequestData {
    let names = std::mem::take(&mut request.topic_names);
    request.topics.extend(names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name))));
    request
}

fn disabled(request: &DeleteTopicsRequestData, version: i16) -> DeleteTopicsResponseData {
    let error = if version < DISABLED_SINCE { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
    let result = |topic: &DeleteTopicState| {
        DeletableTopicResult::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_error_code(error.code())
            .with_error_message(Some("Topic deletion is disabled.".to_owned().into()))
    };
    DeleteTopicsResponseData::default().with_responses(request.topics.iter().map(result).collect())
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::text;
    use super::*;

    #[test]
    fn names_become_topics() {
        let request = in_newest_shape(DeleteTopicsRequestData::default().with_topic_names(vec![text("a"), text("b")]));
        assert!(request.topic_names.is_empty());
        let names: Vec<_> = request.topics.iter().map(|topic| topic.name.as_ref().unwrap().as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn deletion_can_be_switched_off() {
        let request = in_newest_shape(DeleteTopicsRequestData::default().with_topic_names(vec![text("a")]));
        assert_eq!(disabled(&request, 2).responses[0].error_code, ErrorCode::InvalidRequest.code());
        assert_eq!(disabled(&request, 3).responses[0].error_code, ErrorCode::TopicDeletionDisabled.code());
    }
}
