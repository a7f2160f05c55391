//! StreamsGroupHeartbeat v0 (KIP-1071). Answered when what it changes is committed to `__consumer_offsets`; internal topics that the
//! application lacks are created then.
//!
//! Source: `kafka.server.KafkaApis.handleStreamsGroupHeartbeat`.

use std::time::Duration;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use super::{auto_create, group_bridge};
use crate::controller::{check_topic_name, is_internal};
use crate::group::{MISSING_INTERNAL_TOPICS, StreamsBeat};
use crate::protocol::messages::{StreamsGroupHeartbeatRequestData, StreamsGroupHeartbeatResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// Failures of topics that a status spells out.
const FAILURES_TOLD: usize = 3;

/// A member is alive, joins or leaves.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: StreamsGroupHeartbeatRequestData,
) -> Handled {
    let refused = |error: ErrorCode, message: Option<String>| {
        let response = StreamsGroupHeartbeatResponseData::default()
            .with_error_code(error.code())
            .with_error_message(message.as_deref().map(text))
            .with_status(Some(Vec::new()));
        Handled::Reply(Response::StreamsGroupHeartbeat(response))
    };
    if !group_bridge::has_streams_protocol(broker) {
        return refused(ErrorCode::UnsupportedVersion, None);
    }
    if let Err(message) = check_topics(&request) {
        return refused(ErrorCode::StreamsInvalidTopology, Some(message));
    }
    group_bridge::ask(broker, context, |groups, to, client, _| {
        groups.streams_group_heartbeat(now, to, client, &request);
    })
}

/// A topology may not name Kafka's own topics, nor topics that cannot be.
fn check_topics(request: &StreamsGroupHeartbeatRequestData) -> Result<(), String> {
    let parts = || request.topology.iter().flat_map(|topology| &topology.subtopologies);
    let names = || {
        parts().flat_map(|part| {
            let internal = part.repartition_source_topics.iter().chain(&part.state_changelog_topics);
            let named = part.source_topics.iter().chain(&part.repartition_sink_topics);
            named.chain(internal.map(|topic| &topic.name)).map(|name| name.as_str())
        })
    };
    let distinct = |wanted: &dyn Fn(&str) -> bool| {
        let mut found: Vec<&str> = Vec::new();
        for name in names().filter(|name| wanted(name)) {
            if !found.contains(&name) && found.len() < MAX_TOLD {
                found.push(name);
            }
        }
        found.join(",")
    };
    let prohibited = distinct(&is_internal);
    if names().any(is_internal) {
        return Err(format!("Use of Kafka internal topics {prohibited} in a Kafka Streams topology is prohibited."));
    }
    let is_invalid = |name: &str| check_topic_name(name).is_err();
    if names().any(is_invalid) {
        return Err(format!("Topic names {} are not valid topic names.", distinct(&is_invalid)));
    }
    Ok(())
}

/// Names that a refusal spells out at most.
const MAX_TOLD: usize = 100;

/// What the heartbeat has come to is answered, and what is missing is created; why that failed before is told.
pub(super) fn answer(broker: &mut Broker, context: &RequestContext, now: Now, beat: StreamsBeat) {
    let StreamsBeat { mut response, missing } = beat;
    if !missing.is_empty() {
        let interval_ms = u64::try_from(response.heartbeat_interval_ms).unwrap_or(0);
        let failures =
            auto_create::create_internal(broker, context, now, missing, Duration::from_millis(interval_ms * 2));
        let mut statuses = response.status.iter_mut().flatten();
        if let Some(status) = statuses.find(|status| status.status_code == MISSING_INTERNAL_TOPICS)
            && !failures.is_empty()
        {
            let first: Vec<String> =
                failures.iter().take(FAILURES_TOLD).map(|(topic, why)| format!("{topic} ({why})")).collect();
            let more = match failures.len().saturating_sub(FAILURES_TOLD) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let detail = status.status_detail.as_str();
            status.status_detail = text(&format!("{detail}; Creation failed: {}{more}.", first.join(", ")));
        }
    }
    broker.reply(now, context, Response::StreamsGroupHeartbeat(response));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::streams_group_heartbeat_request::{Subtopology, TopicInfo, Topology};

    #[test]
    fn topics_of_a_topology_are_nobody_elses() {
        let check = |sources: &[&str], changelog: &str| {
            let part = Subtopology::default()
                .with_source_topics(sources.iter().map(|name| text(name)).collect())
                .with_state_changelog_topics(vec![TopicInfo::default().with_name(text(changelog))]);
            let topology = Topology::default().with_subtopologies(vec![part.clone(), part]);
            let request = StreamsGroupHeartbeatRequestData::default().with_topology(Some(Box::new(topology)));
            check_topics(&request)
        };
        assert_eq!(check(&["t"], "app-store-changelog"), Ok(()));
        let prohibited = "Use of Kafka internal topics __consumer_offsets,__transaction_state in a Kafka Streams topology is \
                          prohibited.";
        assert_eq!(check(&["__consumer_offsets", "a b"], "__transaction_state"), Err(prohibited.to_owned()));
        assert_eq!(check(&["a b", ".."], "c"), Err("Topic names a b,.. are not valid topic names.".to_owned()));
        assert_eq!(check_topics(&StreamsGroupHeartbeatRequestData::default()), Ok(()));
    }
}
