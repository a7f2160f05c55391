//! Topics created, grown and deleted: Kafka's errors, in its words.

use super::testing::{Harness, outcome, text};
use crate::metadata::MetadataRecord;
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use crate::protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use crate::protocol::messages::delete_topics_request::DeleteTopicState;
use crate::protocol::messages::{CreatePartitionsRequestData, CreateTopicsRequestData, DeleteTopicsRequestData};
use crate::types::Id;

fn topic(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic { name: text(name), num_partitions: partitions, replication_factor: factor, ..Default::default() }
}

fn by_hand(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(index, replicas): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *index,
        broker_ids: replicas.to_vec(),
        ..Default::default()
    };
    CreatableTopic { assignments: assignments.iter().map(assignment).collect(), ..topic(name, -1, -1) }
}

fn with_config(topic: CreatableTopic, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig { name: text(key), value: value.map(text), ..Default::default() };
    CreatableTopic { configs: vec![config], ..topic }
}

#[test]
fn a_topic_is_created_as_asked() {
    let mut harness = Harness::with_brokers(&[], 3);
    let response = harness.create_topics(vec![with_config(topic("t", 6, 3), "retention.ms", Some("60000"))]);
    let result = &response.topics[0];
    assert_eq!((result.error_code, result.num_partitions, result.replication_factor), (0, 6, 3));
    let image = harness.state.image();
    let created = image.topic("t").unwrap();
    assert_eq!(Id::from(result.topic_id), created.id);
    assert_eq!(created.partitions.len(), 6);
    for partition in &created.partitions {
        assert_eq!((partition.leader, partition.leader_epoch), (partition.replicas[0], 0));
        assert_eq!(partition.isr, partition.replicas);
        assert!(partition.directories.iter().all(|dir| !dir.is_zero()));
    }
    let names: Vec<&str> = harness.log[harness.log.len() - 8..].iter().map(MetadataRecord::name).collect();
    assert_eq!(names[..3], ["TopicRecord", "ConfigRecord", "PartitionRecord"]);
    let configs = result.configs.as_ref().unwrap();
    let of = |key: &str| {
        let config = configs.iter().find(|config| config.name.as_str() == key).unwrap();
        (config.value.as_ref().unwrap().as_str().to_owned(), config.config_source)
    };
    assert_eq!(of("retention.ms"), ("60000".to_owned(), 1));
    assert_eq!(of("min.insync.replicas"), ("1".to_owned(), 3), "the dynamic default that came with ELR");
    assert_eq!(of("cleanup.policy"), ("delete".to_owned(), 5));
    assert!(configs.is_sorted_by_key(|config| config.name.as_str()));
    assert_eq!(harness.events, [Event::TopicCreated { topic: "t".to_owned(), partitions: 6, replication_factor: 3 }]);
}

#[test]
fn defaults_come_from_the_configuration() {
    let mut harness = Harness::with_brokers(&[("num.partitions", "4"), ("default.replication.factor", "2")], 3);
    assert_eq!(harness.create("t", -1, -1).0, ErrorCode::None);
    let created = harness.state.image().topic("t").unwrap();
    assert_eq!((created.partitions.len(), created.partitions[0].replicas.len()), (4, 2));
}

#[test]
fn topics_that_cannot_be() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create("a.b", 1, 1);
    harness.kill(3);
    use ErrorCode as E;
    let cases = [
        (topic("a.b", 1, 1), E::TopicAlreadyExists, "Topic 'a.b' already exists."),
        (topic("a_b", 1, 1), E::InvalidTopicException, "Topic 'a_b' collides with existing topic: a.b"),
        (topic("", 1, 1), E::InvalidTopicException, "Topic name is invalid: the empty string is not allowed"),
        (
            topic("__cluster_metadata", 1, 1),
            E::InvalidRequest,
            "Creation of internal topic __cluster_metadata is prohibited.",
        ),
        (topic("t", 0, 1), E::InvalidPartitions, "Number of partitions was set to an invalid non-positive value."),
        (
            topic("t", 1, 0),
            E::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (
            topic("t", 1, 4),
            E::InvalidReplicationFactor,
            "Unable to replicate the partition 4 time(s): The target replication factor of 4 cannot be reached because \
             only 3 broker(s) are registered or some brokers have all their log directories cordoned.",
        ),
        (topic("t", 10_001, 1), E::PolicyViolation, "Excessively large number of partitions per request."),
        (topic("t", 10_000, 1), E::PolicyViolation, "Unable to perform excessively large batch operation."),
        (
            with_config(topic("t", 1, 1), "retention.ms", None),
            E::InvalidConfig,
            "Null value not supported for topic configs: retention.ms",
        ),
        (with_config(topic("t", 1, 1), "foo", Some("1")), E::InvalidConfig, "Unknown topic config name: foo"),
        (
            CreatableTopic { replication_factor: 1, ..by_hand("t", &[(0, &[1])]) },
            E::InvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ),
        (
            CreatableTopic { num_partitions: 1, ..by_hand("t", &[(0, &[1])]) },
            E::InvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ),
        (
            by_hand("t", &[(0, &[1]), (0, &[2])]),
            E::InvalidReplicaAssignment,
            "Found multiple manual partition assignments for partition 0",
        ),
        (
            by_hand("t", &[(1, &[1])]),
            E::InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            by_hand("t", &[(0, &[])]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            by_hand("t", &[(0, &[1, 9])]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            by_hand("t", &[(0, &[1, 1])]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (
            by_hand("t", &[(0, &[1, 2]), (1, &[1])]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with \
             previous partitions, which have 2 replica(s).",
        ),
        (
            by_hand("t", &[(0, &[3])]),
            E::InvalidReplicaAssignment,
            "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled \
             shutdown.",
        ),
    ];
    for (topic, code, message) in cases {
        let before = harness.next_offset();
        let response = harness.create_topics(vec![topic]);
        assert_eq!(outcome(&response, 0), (code, Some(message.to_owned())));
        assert_eq!(harness.next_offset(), before);
    }
    for broker in [1, 2] {
        harness.kill(broker);
    }
    assert_eq!(
        harness.create("t", 1, 1),
        (
            E::InvalidReplicationFactor,
            Some("Unable to replicate the partition 1 time(s): All brokers are currently fenced.".to_owned())
        )
    );
}

#[test]
fn good_topics_are_created_beside_bad_ones_and_a_name_only_once() {
    let mut harness = Harness::with_brokers(&[], 1);
    let topics = vec![topic("dup", 1, 1), topic("bad name", 1, 1), topic("good", 1, 1), topic("dup", 2, 1)];
    let response = harness.create_topics(topics);
    let outcomes: Vec<_> =
        response.topics.iter().map(|t| (t.name.as_str().to_owned(), ErrorCode::from(t.error_code))).collect();
    assert_eq!(
        outcomes,
        [
            ("bad name".to_owned(), ErrorCode::InvalidTopicException),
            ("good".to_owned(), ErrorCode::None),
            ("dup".to_owned(), ErrorCode::InvalidRequest),
        ]
    );
    assert_eq!(response.topics[2].error_message, Some(text("Duplicate topic name.")));
    assert_eq!(harness.state.image().topics.len(), 1);
}

#[test]
fn validation_alone_creates_nothing() {
    let mut harness = Harness::with_brokers(&[], 1);
    let request = CreateTopicsRequestData { topics: vec![topic("t", 1, 1)], validate_only: true, ..Default::default() };
    let decision = harness.state.create_topics(&request);
    assert_eq!(decision.response.topics[0].error_code, 0);
    assert!(decision.records.is_empty() && decision.events.is_empty());
}

#[test]
fn a_replica_on_a_fenced_broker_is_not_in_sync() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.kill(3);
    assert_eq!(harness.create("t", 3, 3).0, ErrorCode::None);
    for partition in &harness.state.image().topic("t").unwrap().partitions {
        assert_eq!((partition.replicas.len(), partition.isr.len()), (3, 2));
        assert!(!partition.isr.contains(&3) && partition.leader != 3);
    }
}

fn grow(harness: &mut Harness, count: i32, assignments: Option<&[&[i32]]>) -> (ErrorCode, Option<String>) {
    let assignment =
        |replicas: &&[i32]| CreatePartitionsAssignment { broker_ids: replicas.to_vec(), ..Default::default() };
    let topic = CreatePartitionsTopic {
        name: text("t"),
        count,
        assignments: assignments.map(|all| all.iter().map(assignment).collect()),
        ..Default::default()
    };
    let request = CreatePartitionsRequestData { topics: vec![topic], validate_only: false, ..Default::default() };
    let decision = harness.state.create_partitions(&request);
    let response = harness.commit(decision);
    let result = &response.results[0];
    (ErrorCode::from(result.error_code), result.error_message.as_ref().map(|message| message.as_str().to_owned()))
}

#[test]
fn a_topic_grows() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create("t", 2, 2);
    let refused = |code: ErrorCode, message: &str| (code, Some(message.to_owned()));
    let invalid = ErrorCode::InvalidPartitions;
    assert_eq!(grow(&mut harness, 2, None), refused(invalid, "Topic already has 2 partition(s)."));
    assert_eq!(
        grow(&mut harness, 1, None),
        refused(invalid, "The topic t currently has 2 partition(s); 1 would not be an increase.")
    );
    let assignment = ErrorCode::InvalidReplicaAssignment;
    assert_eq!(
        grow(&mut harness, 4, Some(&[&[1, 2]])),
        refused(assignment, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.")
    );
    assert_eq!(grow(&mut harness, 3, Some(&[&[1]])).0, assignment);
    assert_eq!(grow(&mut harness, i32::MAX, None).0, ErrorCode::PolicyViolation);
    assert_eq!(grow(&mut harness, 3, Some(&[&[3, 1]])), (ErrorCode::None, None));
    assert_eq!(grow(&mut harness, 9, None), (ErrorCode::None, None));
    let grown = harness.state.image().topic("t").unwrap();
    assert_eq!((grown.partitions.len(), &grown.partitions[2].replicas[..]), (9, &[3, 1][..]));
    assert!(grown.partitions.iter().all(|partition| partition.replicas.len() == 2));
    assert_eq!(harness.events.last(), Some(&Event::PartitionsAdded { topic: "t".to_owned(), partitions: 9 }));
}

#[test]
fn partitions_of_an_unknown_topic() {
    let mut harness = Harness::with_brokers(&[], 1);
    assert_eq!(grow(&mut harness, 3, None), (ErrorCode::UnknownTopicOrPartition, None));
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut harness = Harness::with_brokers(&[], 1);
    for name in ["a", "b", "c", "d"] {
        harness.create(name, 1, 1);
    }
    let id = |harness: &Harness, name: &str| harness.state.image().topic_ids[name];
    let named = |name: &str, id: Id| DeleteTopicState {
        name: Some(text(name)).filter(|name| !name.is_empty()),
        topic_id: id.into(),
        ..Default::default()
    };
    let (b, c) = (id(&harness, "b"), id(&harness, "c"));
    let request = DeleteTopicsRequestData {
        topic_names: vec![text("a")],
        topics: vec![
            named("", b),
            named("x", Id::ZERO),
            named("", Id(7u128.to_be_bytes())),
            named("", Id::ZERO),
            named("d", c),
            named("c", Id::ZERO),
            named("", c),
            named("d", Id::ZERO),
            named("d", Id::ZERO),
        ],
        ..Default::default()
    };
    let decision = harness.state.delete_topics(&request);
    let response = harness.commit(decision);
    let codes: Vec<ErrorCode> = response.responses.iter().map(|result| ErrorCode::from(result.error_code)).collect();
    use ErrorCode as E;
    assert_eq!(
        codes,
        [
            E::None,
            E::None,
            E::UnknownTopicOrPartition,
            E::UnknownTopicId,
            E::InvalidRequest,
            E::InvalidRequest,
            E::InvalidRequest,
            E::InvalidRequest,
        ]
    );
    let names: Vec<_> = harness.state.image().topic_ids.keys().map(|name| name.to_string()).collect();
    assert_eq!(names, ["c", "d"], "c was asked for by name and by id, d named twice");
    assert_eq!(Id::from(response.responses[6].topic_id), c);
    assert_eq!(response.responses[1].name, Some(text("b")));
}

#[test]
fn deletion_can_be_disabled() {
    let mut harness = Harness::with_brokers(&[("delete.topic.enable", "false")], 1);
    harness.create("a", 1, 1);
    let request = DeleteTopicsRequestData { topic_names: vec![text("a")], ..Default::default() };
    let decision = harness.state.delete_topics(&request);
    assert_eq!(decision.response.responses[0].error_code, ErrorCode::TopicDeletionDisabled.code());
    assert!(decision.records.is_empty());
}
