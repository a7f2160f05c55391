//! FindCoordinator v0–6: KIP-699 (v4: several keys), KIP-890 (v5), KIP-932 (v6: share groups).
//!
//! Source: `kafka.server.KafkaApis.handleFindCoordinatorRequest`.

use super::auto_create;
use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints;
use super::group_bridge::OFFSETS_TOPIC;
use super::share_state_bridge::SHARE_STATE_TOPIC;
use super::txn_bridge::TRANSACTION_TOPIC;
use crate::metadata::image::{Endpoint, Image};
use crate::protocol::messages::find_coordinator_response::Coordinator;
use crate::protocol::messages::{FindCoordinatorRequestData, FindCoordinatorResponseData, KafkaString};
use crate::protocol::{ErrorCode, Response};
use crate::share_state::SharePartitionKey;
use crate::types::{NO_NODE, NodeId, Now};

/// `FindCoordinatorRequest.CoordinatorType`
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// The version from which several keys are asked for at once.
const BATCHED: i16 = 4;

/// The version from which share coordinators are asked for.
const WITH_SHARE: i16 = 6;

/// What was found, or why not.
type Found = Result<(NodeId, Endpoint), ErrorCode>;

/// Tells which brokers coordinate these groups.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: FindCoordinatorRequestData) -> Handled {
    let (version, key_type) = (context.header.api_version, request.key_type);
    let response = if version >= BATCHED {
        let find = |key: KafkaString| {
            let found = find(broker, now, version, key_type, key.as_str());
            coordinator(key, key_type, found)
        };
        let coordinators = request.coordinator_keys.into_iter().map(find).collect();
        FindCoordinatorResponseData::default().with_coordinators(coordinators)
    } else {
        single(find(broker, now, version, key_type, request.key.as_str()))
    };
    Handled::Reply(Response::FindCoordinator(response))
}

fn find(broker: &mut Broker, now: Now, version: i16, key_type: i8, key: &str) -> Found {
    let (topic, partition) = match key_type {
        GROUP => (OFFSETS_TOPIC, broker.groups.partition_for(key)),
        TRANSACTION => (TRANSACTION_TOPIC, broker.transactions.partition_for(key)),
        SHARE if version >= WITH_SHARE => {
            let key = key.parse::<SharePartitionKey>().map_err(|_| ErrorCode::InvalidRequest)?;
            (SHARE_STATE_TOPIC, broker.share_states.coordinator.partition_for(&key.group_id, key.id))
        }
        // No other kind is known.
        _ => return Err(ErrorCode::InvalidRequest),
    };
    if broker.image.topic(topic).is_none() {
        auto_create::create(broker, None, now, &[topic]);
        return Err(ErrorCode::CoordinatorNotAvailable);
    }
    leader_of(&broker.image, topic, partition).ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// The broker that leads a partition of a coordinator's topic, if it is in service.
fn leader_of(image: &Image, topic: &str, partition: i32) -> Option<(NodeId, Endpoint)> {
    let leader = image.partition(topic, partition)?.leader;
    let broker = endpoints::reachable(image, leader).filter(|broker| !broker.fenced)?;
    Some((leader, endpoints::of(broker)?.clone()))
}

fn coordinator(key: KafkaString, key_type: i8, found: Found) -> Coordinator {
    let answer = Coordinator::default().with_key(key);
    match &found {
        Ok((id, at)) => answer.with_node_id(*id).with_host(at.host.clone().into()).with_port(i32::from(at.port)),
        Err(error) => answer.with_node_id(NO_NODE).with_port(-1).with_error_code(error.code()),
    }
    // Java's empty string, where the schema would allow none; but a key type that is none is refused as an exception is.
    .with_error_message(Some(match found {
        Err(error) if !(GROUP..=SHARE).contains(&key_type) => KafkaString::from(error.to_string()),
        _ => KafkaString::default(),
    }))
}

fn single(found: Found) -> FindCoordinatorResponseData {
    let error = found.as_ref().err().copied().unwrap_or(ErrorCode::None);
    let answer = FindCoordinatorResponseData::default()
        .with_error_code(error.code())
        .with_error_message(Some(KafkaString::from(error.to_string())));
    match found {
        Ok((id, at)) => answer.with_node_id(id).with_host(at.host.into()).with_port(i32::from(at.port)),
        Err(_) => answer.with_node_id(NO_NODE).with_port(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::testing::{add_topic, change_broker, image_of_brokers};
    use super::*;

    #[test]
    fn the_leader_of_the_partition_is_the_coordinator() {
        let mut image = image_of_brokers(3);
        assert_eq!(leader_of(&image, OFFSETS_TOPIC, 0), None);
        add_topic(&mut image, OFFSETS_TOPIC, &[&[2, 1, 3], &[3, 1, 2]]);
        let (id, at) = leader_of(&image, OFFSETS_TOPIC, 1).unwrap();
        assert_eq!((id, at.host.as_str(), at.port), (3, "127.0.0.1", 9094));
        assert_eq!(leader_of(&image, OFFSETS_TOPIC, 2), None);
        change_broker(&mut image, 3, |broker| broker.fenced = true);
        assert_eq!(leader_of(&image, OFFSETS_TOPIC, 1), None);
    }

    #[test]
    fn share_coordinators_are_asked_for_by_share_partition() {
        use super::super::data_tests::{ALONE, Outcome, Site, image};
        let topic_id = "AQIDBAUGBwgJCgsMDQ4PEA";
        let key = format!("a:group:{topic_id}:7");
        let mut image = image(1, 0, ALONE, ALONE);
        let ask = |site: &mut Site, version: i16, keys: &[&str]| -> Vec<(i16, i32)> {
            let mut keys = keys.iter().map(|key| KafkaString::from((*key).to_owned()));
            let request = FindCoordinatorRequestData::default().with_key_type(SHARE);
            let request = match version {
                ..BATCHED => request.with_key(keys.next_back().unwrap()),
                _ => request.with_coordinator_keys(keys.collect()),
            };
            let Outcome::Answer(Response::FindCoordinator(answer)) = site.ask(version, request) else { panic!() };
            if version < BATCHED {
                return vec![(answer.error_code, answer.node_id)];
            }
            answer.coordinators.iter().map(|found| (found.error_code, found.node_id)).collect()
        };
        let bad = ["g:7", "", ":AQIDBAUGBwgJCgsMDQ4PEA:7", "g:AQ:7", "g:AQIDBAUGBwgJCgsMDQ4PEA:x"];
        let mut site = Site::with(image.clone());
        for version in 1..=5 {
            assert_eq!(ask(&mut site, version, &[&key]), [(42, NO_NODE)], "not before version 6: {version}");
        }
        assert_eq!(ask(&mut site, 6, &bad), [(42, NO_NODE); 5]);
        assert_eq!(ask(&mut site, 6, &[&key]), [(15, NO_NODE)], "its topic is asked for");
        let shards: Vec<&[NodeId]> = (0..50).map(|shard| if shard % 2 == 0 { &[1][..] } else { &[2][..] }).collect();
        add_topic(&mut image, SHARE_STATE_TOPIC, &shards);
        let mut site = Site::with(image);
        let shard = |group: &str, partition| {
            let topic_id = topic_id.parse().unwrap();
            crate::share_state::partition_for(group, crate::types::TopicIdPartition { topic_id, partition }, 50)
        };
        let wanted = [("a:group", 7), ("grp", 7), ("g", -1)].map(|(group, index)| (0, 1 + shard(group, index) % 2));
        let keys = [key.clone(), format!("grp:{topic_id}:7"), format!("g:{topic_id}:-1")];
        assert_eq!(ask(&mut site, 6, &keys.each_ref().map(String::as_str)), wanted);
    }

    #[test]
    fn answers_are_kafkas() {
        let at = Endpoint { name: "PLAINTEXT".into(), host: "h".into(), port: 9092, security_protocol: 0 };
        let answer = single(Ok((1, at.clone())));
        assert_eq!((answer.error_code, answer.node_id, answer.port), (0, 1, 9092));
        assert_eq!(answer.error_message.unwrap().as_str(), "NONE");
        let answer = single(Err(ErrorCode::CoordinatorNotAvailable));
        assert_eq!((answer.error_code, answer.node_id, answer.port), (15, -1, -1));
        assert_eq!(answer.error_message.unwrap().as_str(), "The coordinator is not available.");
        let answer = coordinator(KafkaString::from_static("g"), GROUP, Ok((1, at)));
        assert_eq!((answer.key.as_str(), answer.error_code, answer.node_id), ("g", 0, 1));
        for (key_type, message) in [(SHARE, ""), (3, "INVALID_REQUEST"), (-1, "INVALID_REQUEST")] {
            let answer = coordinator(KafkaString::from_static("g"), key_type, Err(ErrorCode::InvalidRequest));
            assert_eq!((answer.error_code, answer.node_id, answer.port), (42, -1, -1));
            assert_eq!(answer.error_message.unwrap().is_empty(), message.is_empty(), "key type {key_type}");
        }
    }
}
