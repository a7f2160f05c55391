use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::super::endpoints::testing::*;
use super::*;
use crate::protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use crate::protocol::{Api, RequestHeader};
use crate::types::Now;

fn context() -> RequestContext {
    RequestContext {
        conn: 1,
        seq: 0,
        header: RequestHeader {
            api_key: Api::IncrementalAlterConfigs,
            api_version: 1,
            correlation_id: 1,
            client_id: None,
        },
        client_host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        received: Now { mono: Duration::ZERO, wall_ms: 0 },
        size_bytes: 0,
        body: None,
    }
}

fn image() -> Image {
    let mut image = image_of_brokers(3);
    let set = |entries: &[(&str, &str)]| {
        let entries = entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Arc::new(entries.collect::<BTreeMap<_, _>>())
    };
    image.configs.insert((RESOURCE_BROKER, "1".into()), set(&[("log.retention.ms", "5")]));
    image
}

struct Asked {
    kind: i8,
    name: KafkaString,
    changes: Vec<(&'static str, Option<i8>, Option<&'static str>)>,
}

fn asked(kind: i8, name: &str, changes: &[(&'static str, Option<i8>, Option<&'static str>)]) -> Asked {
    Asked { kind, name: text(name), changes: changes.to_vec() }
}

fn altering(asked: &[Asked], incremental: bool) -> AlteringConfigs {
    let config = NodeConfig::new(1, "cluster", BTreeMap::new()).unwrap();
    let resources: Vec<Resource<'_>> = asked
        .iter()
        .map(|one| Resource {
            kind: one.kind,
            name: &one.name,
            changes: one
                .changes
                .iter()
                .map(|(key, operation, value)| Change { key, operation: *operation, value: *value })
                .collect(),
        })
        .collect();
    AlteringConfigs::new(&context(), &image(), &config, &resources, incremental)
}

/// What the broker itself refuses; `None`: it goes to the controller.
fn refused(asked: Asked, incremental: bool) -> Option<(ErrorCode, String)> {
    altering(&[asked], incremental).resources.remove(0).2
}

#[test]
fn what_the_broker_refuses_itself() {
    use ErrorCode as E;
    let set = |key, value| asked(RESOURCE_BROKER, "1", &[(key, Some(0), Some(value))]);
    let cases = [
        (
            asked(RESOURCE_TOPIC, "t", &[("a", Some(0), Some("1")), ("a", Some(1), None)]),
            E::InvalidRequest,
            "Error due to duplicate config keys",
        ),
        (
            asked(RESOURCE_TOPIC, "t", &[("a", Some(0), None), ("b", Some(2), None), ("c", Some(1), None)]),
            E::InvalidRequest,
            "Null value not supported for : a, b",
        ),
        (asked(99, "t", &[("a", Some(0), Some("1"))]), E::InvalidRequest, "Unknown resource type 99"),
        (
            asked(RESOURCE_BROKER, "x", &[("a", Some(0), Some("1"))]),
            E::InvalidRequest,
            "Node id must be an integer, but it is: x",
        ),
        (
            asked(RESOURCE_BROKER, "2", &[("a", Some(0), Some("1"))]),
            E::InvalidRequest,
            "Unexpected broker id, expected 1, but received 2",
        ),
        (asked(RESOURCE_BROKER, "1", &[("a", Some(9), Some("1"))]), E::InvalidRequest, "Unknown operations type 9"),
        (set("num.partitions", "3"), E::InvalidRequest, "Cannot update these configs dynamically: [num.partitions]"),
        (
            set("log.retention.ms", "x"),
            E::InvalidRequest,
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
        ),
        (
            asked(RESOURCE_BROKER, "", &[("log.retention.ms", Some(2), Some("1"))]),
            E::InvalidConfig,
            "Config value append is not allowed for config key: log.retention.ms",
        ),
        (
            asked(RESOURCE_BROKER, "", &[("no.such", Some(3), Some("1"))]),
            E::InvalidConfig,
            "Unknown config name: no.such",
        ),
        (
            asked(RESOURCE_BROKER_LOGGER, "1", &[("kafka", Some(0), Some("INFO"))]),
            E::InvalidConfig,
            "Logger kafka does not exist!",
        ),
        (
            asked(RESOURCE_BROKER_LOGGER, "1", &[("kafka", Some(2), Some("INFO"))]),
            E::InvalidRequest,
            "APPEND operation is not allowed for the BROKER_LOGGER resource",
        ),
        (asked(RESOURCE_BROKER_LOGGER, "2", &[]), E::InvalidRequest, "Unexpected node id. Expected 1, but received 2"),
    ];
    for (asked, error, message) in cases {
        assert_eq!(refused(asked, true), Some((error, message.to_owned())));
    }
    let legacy = asked(RESOURCE_BROKER_LOGGER, "1", &[("kafka", None, Some("INFO"))]);
    assert_eq!(refused(legacy, false), Some((E::InvalidRequest, "Unknown resource type 8".to_owned())));
    for passed in [
        set("log.retention.ms", "6"),
        set("no.such.key", "6"),
        asked(RESOURCE_BROKER, "", &[("log.cleanup.policy", Some(2), Some("compact"))]),
        asked(RESOURCE_BROKER, "1", &[("log.retention.ms", Some(1), None)]),
        asked(RESOURCE_TOPIC, "", &[("a", Some(0), Some("1"))]),
    ] {
        assert_eq!(refused(passed, true), None);
    }
}

#[test]
fn both_parts_make_one_answer_in_the_order_of_the_request() {
    let twice = || asked(RESOURCE_TOPIC, "twice", &[("a", Some(0), Some("1"))]);
    let one = |name| asked(RESOURCE_TOPIC, name, &[("a", Some(0), Some("1"))]);
    let altering = altering(&[twice(), one("t"), twice(), asked(RESOURCE_BROKER_LOGGER, "1", &[]), one("u")], true);
    let left: Vec<bool> = (0..6).map(|index| altering.is_left(index)).collect();
    assert_eq!(left, [false, true, false, false, true, false]);
    let outcome = |name: &str, error: ErrorCode| {
        AlterConfigsResourceResponse::default()
            .with_resource_type(RESOURCE_TOPIC)
            .with_resource_name(text(name))
            .with_error_code(error.code())
    };
    let part = IncrementalAlterConfigsResponseData::default()
        .with_responses(vec![outcome("u", ErrorCode::InvalidConfig), outcome("t", ErrorCode::None)]);
    let told = |response: Response| -> Vec<(String, ErrorCode)> {
        let Response::IncrementalAlterConfigs(response) = response else { panic!() };
        let name = |one: &AlterConfigsResourceResponse| one.resource_name.as_str().to_owned();
        response.responses.iter().map(|one| (name(one), ErrorCode::from(one.error_code))).collect()
    };
    use ErrorCode as E;
    let expected = |t: E, u: E| {
        [("twice", E::InvalidRequest), ("t", t), ("twice", E::InvalidRequest), ("1", E::None), ("u", u)]
            .map(|(name, error)| (name.to_owned(), error))
    };
    let answer = altering.answer(&PeerResponse::IncrementalAlterConfigs(Box::new(part)));
    assert_eq!(told(answer), expected(E::None, E::InvalidConfig));
    let timed_out = altering.refusal(E::RequestTimedOut);
    assert_eq!(told(timed_out), expected(E::RequestTimedOut, E::RequestTimedOut));
}
