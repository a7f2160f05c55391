//! What an operator asks of the controller: configs, elections, features. Kafka's errors, in its words.

use super::KRaftFeature;
use super::alter_configs::AlterOp;
use super::testing::{Harness, text};
use crate::metadata::MetadataRecord;
use crate::metadata::config::{RESOURCE_BROKER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_configs_request as legacy;
use crate::protocol::messages::elect_leaders_request::TopicPartitions;
use crate::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use crate::protocol::messages::update_features_request::FeatureUpdateKey;
use crate::protocol::messages::{
    AlterConfigsRequestData, ElectLeadersRequestData, IncrementalAlterConfigsRequestData, UpdateFeaturesRequestData,
};

type Op<'a> = (AlterOp, &'a str, &'a str);
type Entries = &'static [(&'static str, &'static str)];
type Told = (ErrorCode, Option<String>);

fn resource(kind: i8, name: &str, ops: &[Op<'_>]) -> AlterConfigsResource {
    let config = |(op, key, value): &Op<'_>| AlterableConfig {
        name: text(key),
        config_operation: *op as i8,
        value: (*op != AlterOp::Delete).then(|| text(value)),
        ..Default::default()
    };
    AlterConfigsResource {
        resource_type: kind,
        resource_name: text(name),
        configs: ops.iter().map(config).collect(),
        ..Default::default()
    }
}

fn told(code: i16, message: Option<&crate::protocol::messages::KafkaString>) -> Told {
    (ErrorCode::from(code), message.map(|message| message.as_str().to_owned()))
}

impl Harness {
    fn alter_all(&mut self, resources: Vec<AlterConfigsResource>, validate_only: bool) -> Vec<Told> {
        let request = IncrementalAlterConfigsRequestData { resources, validate_only, ..Default::default() };
        let decision = self.state.incremental_alter_configs(&request);
        let response = self.commit(decision);
        response.responses.iter().map(|one| told(one.error_code, one.error_message.as_ref())).collect()
    }

    fn alter_config(&mut self, kind: i8, name: &str, ops: &[Op<'_>]) -> Told {
        self.alter_all(vec![resource(kind, name, ops)], false).remove(0)
    }

    fn set_all(&mut self, kind: i8, name: &str, configs: &[(&str, &str)]) -> Told {
        let config = |(key, value): &(&str, &str)| legacy::AlterableConfig {
            name: text(key),
            value: Some(text(value)),
            ..Default::default()
        };
        let resource = legacy::AlterConfigsResource {
            resource_type: kind,
            resource_name: text(name),
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = AlterConfigsRequestData { resources: vec![resource], ..Default::default() };
        let decision = self.state.legacy_alter_configs(&request);
        let response = self.commit(decision);
        told(response.responses[0].error_code, response.responses[0].error_message.as_ref())
    }

    fn configs(&self, kind: i8, name: &str) -> Vec<(String, String)> {
        let configs = self.state.image().configs.get(&(kind, name.into()));
        configs.iter().flat_map(|configs| configs.iter()).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// (index, error) of each partition that is told of, by topic; the top-level error.
    fn elect(&mut self, election_type: i8, topics: Option<&[(&str, &[i32])]>) -> (ErrorCode, Vec<(i32, ErrorCode)>) {
        let topics = topics.map(|topics| {
            let asked = |(topic, partitions): &(&str, &[i32])| TopicPartitions {
                topic: text(topic),
                partitions: partitions.to_vec(),
                ..Default::default()
            };
            topics.iter().map(asked).collect()
        });
        let request = ElectLeadersRequestData { election_type, topic_partitions: topics, ..Default::default() };
        let decision = self.state.elect_leaders(&request);
        let response = self.commit(decision);
        let results = response.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        let results = results.map(|one| (one.partition_id, ErrorCode::from(one.error_code))).collect();
        (ErrorCode::from(response.error_code), results)
    }

    fn update_feature(&mut self, name: &str, level: i16, upgrade_type: i8) -> Result<(), String> {
        let update =
            FeatureUpdateKey { feature: text(name), max_version_level: level, upgrade_type, ..Default::default() };
        let request = UpdateFeaturesRequestData { feature_updates: vec![update], ..Default::default() };
        let decision = self.state.update_features(&request, &KRaftFeature { voters: vec![3000], ..Default::default() });
        let response = self.commit(decision);
        match ErrorCode::from(response.error_code) {
            ErrorCode::None => Ok(()),
            error => {
                assert_eq!(error, ErrorCode::InvalidUpdateVersion);
                let message = response.error_message.unwrap();
                let start = "The update failed for all features since the following feature had an error: ";
                Err(message.as_str().strip_prefix(start).unwrap().to_owned())
            }
        }
    }
}

const OK: Told = (ErrorCode::None, None);

#[test]
fn a_topics_configs_are_set_appended_to_and_deleted() {
    use AlterOp::*;
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    let steps: [(&[Op<'_>], Entries); 5] = [
        (
            &[(Set, "retention.ms", "60000"), (Append, "cleanup.policy", "compact")],
            &[("cleanup.policy", "delete,compact"), ("retention.ms", "60000")],
        ),
        (&[(Subtract, "cleanup.policy", "delete")], &[("cleanup.policy", "compact"), ("retention.ms", "60000")]),
        (&[(Delete, "retention.ms", "")], &[("cleanup.policy", "compact")]),
        (&[(Delete, "segment.ms", "")], &[("cleanup.policy", "compact")]),
        (&[(Delete, "cleanup.policy", "")], &[]),
    ];
    for (ops, expected) in steps {
        assert_eq!(harness.alter_config(RESOURCE_TOPIC, "t", ops), OK);
        let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(harness.configs(RESOURCE_TOPIC, "t"), expected);
    }
    let offset = harness.next_offset();
    assert_eq!(harness.alter_config(RESOURCE_TOPIC, "t", &[(Delete, "segment.ms", "")]), OK);
    assert_eq!(harness.next_offset(), offset, "nothing changes, nothing is written");
}

#[test]
fn changes_are_told_and_secrets_are_not() {
    use AlterOp::{Delete, Set};
    let mut harness = Harness::with_brokers(&[], 1);
    harness.create_at("t", &[1], &[]);
    harness.events.clear();
    harness.alter_config(RESOURCE_TOPIC, "t", &[(Set, "retention.ms", "7")]);
    harness.alter_config(RESOURCE_TOPIC, "t", &[(Delete, "retention.ms", "")]);
    harness.alter_config(RESOURCE_BROKER, "", &[(Set, "plugin.token", "hunter2")]);
    harness.alter_config(RESOURCE_BROKER, "1", &[(Set, "log.retention.ms", "8")]);
    harness.alter_config(RESOURCE_BROKER, "1", &[(Set, "log.retention.ms", "8")]);
    harness.update_feature("group.version", 0, 2).unwrap();
    let config = |resource: &str, key: &str, value: Option<&str>| Event::ConfigChanged {
        resource: resource.to_owned(),
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    let expected = [
        config("topic t", "retention.ms", Some("7")),
        config("topic t", "retention.ms", None),
        config("all brokers", "plugin.token", Some("[hidden]")),
        config("broker 1", "log.retention.ms", Some("8")),
        Event::FeatureChanged { feature: "group.version".to_owned(), from: 1, to: 0 },
    ];
    assert_eq!(harness.events, expected);
}

#[test]
fn the_old_request_replaces_all() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[("retention.ms", "1"), ("segment.ms", "2")]);
    assert_eq!(harness.set_all(RESOURCE_TOPIC, "t", &[("retention.ms", "3"), ("flush.ms", "4")]), OK);
    let expected = [("flush.ms", "4"), ("retention.ms", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(harness.configs(RESOURCE_TOPIC, "t"), expected);
    assert_eq!(harness.set_all(RESOURCE_TOPIC, "t", &[("nope", "3")]).0, ErrorCode::InvalidConfig);
    assert_eq!(harness.configs(RESOURCE_TOPIC, "t"), expected);
}

#[test]
fn changes_that_are_refused() {
    use AlterOp::*;
    use ErrorCode as E;
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    let long = "x".repeat(32_768);
    let cases: Vec<(i8, &str, Op<'_>, ErrorCode, &str)> = vec![
        (RESOURCE_TOPIC, "", (Set, "retention.ms", "1"), E::InvalidRequest, "Default topic resources are not allowed."),
        (RESOURCE_TOPIC, "u", (Set, "retention.ms", "1"), E::UnknownTopicOrPartition, "The topic 'u' does not exist."),
        (RESOURCE_TOPIC, "u", (Set, "nope", "1"), E::InvalidConfig, "Unknown topic config name: nope"),
        (
            RESOURCE_TOPIC,
            "a/b",
            (Set, "retention.ms", "1"),
            E::InvalidTopicException,
            "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        ),
        (
            RESOURCE_TOPIC,
            "t",
            (Set, "retention.ms", "x"),
            E::InvalidConfig,
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (
            RESOURCE_TOPIC,
            "t",
            (Append, "retention.ms", "1"),
            E::InvalidConfig,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            RESOURCE_TOPIC,
            "t",
            (Subtract, "nope", "1"),
            E::InvalidConfig,
            "Can't SUBTRACT to key nope because its type is not LIST.",
        ),
        (
            RESOURCE_TOPIC,
            "t",
            (Set, "leader.replication.throttled.replicas", &long),
            E::InvalidConfig,
            "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
        ),
        (
            RESOURCE_TOPIC,
            "t",
            (Set, "remote.storage.enable", "true"),
            E::InvalidConfig,
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
        (RESOURCE_BROKER, "7", (Set, "log.retention.ms", "1"), E::BrokerIdNotRegistered, "No node with id 7 found."),
        (
            RESOURCE_BROKER,
            "x",
            (Set, "log.retention.ms", "1"),
            E::InvalidRequest,
            "Unable to parse broker name as a base 10 number.",
        ),
        (
            RESOURCE_BROKER,
            "1",
            (Set, "min.insync.replicas", "1"),
            E::InvalidConfig,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ),
        (
            RESOURCE_BROKER,
            "",
            (Delete, "min.insync.replicas", ""),
            E::InvalidConfig,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
        ),
        (
            RESOURCE_GROUP,
            "",
            (Set, "consumer.session.timeout.ms", "50000"),
            E::InvalidRequest,
            "Default group resources are not allowed.",
        ),
        (RESOURCE_GROUP, "g", (Set, "nope", "1"), E::InvalidConfig, "Unknown group config name: nope"),
        (
            RESOURCE_CLIENT_METRICS,
            "",
            (Set, "interval.ms", "100"),
            E::InvalidRequest,
            "Subscription name can't be empty",
        ),
        (
            RESOURCE_CLIENT_METRICS,
            "m",
            (Set, "nope", "1"),
            E::InvalidRequest,
            "Unknown client metrics configuration: nope",
        ),
        (
            RESOURCE_CLIENT_METRICS,
            "m",
            (Set, "interval.ms", "99"),
            E::InvalidRequest,
            "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        (
            RESOURCE_CLIENT_METRICS,
            "m",
            (Set, "match", "color=red"),
            E::InvalidConfig,
            "Illegal client matching pattern: color=red",
        ),
        (99, "m", (Set, "match", "1"), E::InvalidRequest, "Unknown resource type 99"),
    ];
    let offset = harness.next_offset();
    for (kind, name, op, error, message) in cases {
        assert_eq!(harness.alter_config(kind, name, &[op]), (error, Some(message.to_owned())), "{kind} {name}");
    }
    assert_eq!(harness.next_offset(), offset);
    assert_eq!(harness.alter_config(RESOURCE_GROUP, "g", &[(Set, "consumer.session.timeout.ms", "50000")]), OK);
    assert_eq!(harness.alter_config(RESOURCE_CLIENT_METRICS, "m", &[(Set, "match", "client_id=a.*")]), OK);
    assert_eq!(harness.alter_config(RESOURCE_BROKER, "3000", &[(Set, "log.retention.ms", "1")]), OK, "a controller");
}

#[test]
fn a_resource_changes_as_a_whole_or_not_at_all() {
    use AlterOp::Set;
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    harness.create_at("u", &[1, 2, 3], &[]);
    let both = || {
        vec![
            resource(RESOURCE_TOPIC, "t", &[(Set, "segment.ms", "1"), (Set, "retention.ms", "x")]),
            resource(RESOURCE_TOPIC, "u", &[(Set, "segment.ms", "1")]),
        ]
    };
    let outcome = harness.alter_all(both(), true);
    assert_eq!((outcome[0].0, outcome[1].0), (ErrorCode::InvalidConfig, ErrorCode::None));
    assert!(harness.configs(RESOURCE_TOPIC, "u").is_empty(), "only asked");
    harness.alter_all(both(), false);
    assert!(harness.configs(RESOURCE_TOPIC, "t").is_empty());
    assert_eq!(harness.configs(RESOURCE_TOPIC, "u").len(), 1);
}

#[test]
fn more_than_can_be_appended_at_once_is_refused() {
    use AlterOp::Set;
    let mut harness = Harness::with_brokers(&[], 1);
    let groups = (0..=10_000)
        .map(|group| resource(RESOURCE_GROUP, &format!("g{group}"), &[(Set, "consumer.session.timeout.ms", "50000")]));
    let offset = harness.next_offset();
    let outcomes = harness.alter_all(groups.collect(), false);
    assert_eq!(outcomes.len(), 10_001);
    let message = "Unable to perform excessively large batch operation.".to_owned();
    assert!(outcomes.iter().all(|outcome| *outcome == (ErrorCode::PolicyViolation, Some(message.clone()))));
    assert_eq!(harness.next_offset(), offset);
}

#[test]
fn another_minimum_clears_the_elr() {
    use AlterOp::Set;
    for (kind, name) in [(RESOURCE_TOPIC, "t"), (RESOURCE_BROKER, "")] {
        let mut harness = Harness::with_brokers(&[], 3);
        harness.create_at("t", &[1, 2, 3], &[("min.insync.replicas", "2")]);
        harness.create_at("u", &[1, 2, 3], &[("min.insync.replicas", "2")]);
        harness.kill(3);
        harness.kill(2);
        assert_eq!(harness.seats("t"), (1, vec![1], vec![2]));
        let epoch = harness.partition("t").partition_epoch;
        assert_eq!(harness.alter_config(kind, name, &[(Set, "min.insync.replicas", "1")]), OK);
        assert_eq!(harness.seats("t"), (1, vec![1], vec![]));
        assert_eq!(harness.partition("t").partition_epoch, epoch + 1);
        let others = if kind == RESOURCE_TOPIC { vec![2] } else { vec![] };
        assert_eq!(harness.seats("u"), (1, vec![1], others));
        let last = harness.log.last().unwrap();
        assert!(matches!(last, MetadataRecord::ClearElr(_)), "{last:?}");
    }
}

#[test]
fn the_controller_itself_obeys_dynamic_configs() {
    use AlterOp::{Delete, Set};
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    let min_isr = |harness: &Harness| harness.state.topic_config("t").min_insync_replicas;
    assert_eq!(min_isr(&harness), 1);
    harness.alter_config(RESOURCE_BROKER, "", &[(Set, "min.insync.replicas", "2")]);
    assert_eq!(min_isr(&harness), 2);
    harness.alter_config(RESOURCE_BROKER, "", &[(Set, "log.cleaner.max.compaction.lag.ms", "10")]);
    let clash = [(Set, "min.compaction.lag.ms", "11")];
    assert_eq!(harness.alter_config(RESOURCE_TOPIC, "t", &clash).0, ErrorCode::InvalidConfig);
    harness.alter_config(RESOURCE_BROKER, "", &[(Delete, "log.cleaner.max.compaction.lag.ms", "")]);
    assert_eq!(harness.alter_config(RESOURCE_TOPIC, "t", &clash), OK);
}

#[test]
fn leave_to_elect_uncleanly_elects_at_once() {
    use AlterOp::Set;
    for (kind, name) in [(RESOURCE_TOPIC, "t"), (RESOURCE_BROKER, "")] {
        let mut harness = Harness::with_brokers(&[], 3);
        harness.create_at("t", &[1, 2], &[]);
        harness.kill(2);
        harness.kill(1);
        harness.start(2, 20);
        harness.tick();
        assert_eq!(harness.partition("t").leader, -1, "2 was out of the ISR when the last leader went");
        harness.alter_config(kind, name, &[(Set, "unclean.leader.election.enable", "true")]);
        assert!(harness.state.next_deadline() <= harness.now.mono);
        harness.tick();
        let partition = harness.partition("t");
        assert_eq!((partition.leader, partition.isr.clone(), partition.recovering), (2, vec![2], true));
    }
}

#[test]
fn elections_that_are_asked_for() {
    use ErrorCode as E;
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    harness.create_at("u", &[2, 3], &[]);
    harness.kill(1);
    assert_eq!(harness.partition("t").leader, 2);
    assert_eq!(harness.elect(0, Some(&[("t", &[0])])), (E::None, vec![(0, E::PreferredLeaderNotAvailable)]));
    assert_eq!(harness.elect(1, Some(&[("t", &[0])])), (E::None, vec![(0, E::ElectionNotNeeded)]));
    harness.start(1, 10);
    assert_eq!(harness.propose("t", &[2, 3, 1]), E::None);
    let asked: &[(&str, &[i32])] = &[("t", &[0, 1]), ("u", &[0]), ("x", &[0])];
    let expected =
        vec![(0, E::None), (1, E::UnknownTopicOrPartition), (0, E::ElectionNotNeeded), (0, E::UnknownTopicOrPartition)];
    assert_eq!(harness.elect(0, Some(asked)), (E::None, expected));
    assert_eq!(harness.partition("t").leader, 1);
    assert_eq!(harness.elect(0, None), (E::None, vec![]), "of all: only what was not as wished");
    assert_eq!(harness.elect(0, Some(&[])), (E::None, vec![]));
    assert_eq!(harness.elect(7, Some(&[("t", &[0])])), (E::InvalidRequest, vec![(0, E::InvalidRequest)]));
}

#[test]
fn an_unclean_election_on_request() {
    use ErrorCode as E;
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2], &[]);
    harness.kill(2);
    harness.kill(1);
    assert_eq!(harness.elect(1, None), (E::None, vec![(0, E::EligibleLeadersNotAvailable)]));
    harness.start(2, 20);
    assert_eq!(harness.elect(0, None), (E::None, vec![(0, E::PreferredLeaderNotAvailable)]));
    assert_eq!(harness.elect(1, None), (E::None, vec![(0, E::None)]));
    let partition = harness.partition("t");
    assert_eq!((partition.leader, partition.isr.clone(), partition.recovering), (2, vec![2], true));
    // The leader has truncated nothing and followers follow: it says that it has recovered with its first proposal.
    assert_eq!(harness.propose("t", &[2]), E::None);
    assert!(!harness.partition("t").recovering);
}

#[test]
fn features_in_kafkas_words() {
    let mut harness = Harness::with_brokers(&[], 1);
    let refused = [
        (
            "metadata.version",
            31,
            1,
            "Invalid update version 31 for feature metadata.version. Local controller 3000 only supports versions 7-30",
        ),
        (
            "metadata.version",
            29,
            1,
            "Invalid update version 29 for feature metadata.version. Can't downgrade the version of this feature \
             without setting the upgrade type to either safe or unsafe downgrade.",
        ),
        (
            "metadata.version",
            29,
            2,
            "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade because \
             it might delete metadata information.",
        ),
        (
            "metadata.version",
            29,
            3,
            "Unsupported metadata.version downgrade from 30 to 29. Unsafe metadata downgrade is not supported in this \
             version.",
        ),
        (
            "nope",
            1,
            1,
            "Invalid update version 1 for feature nope. Local controller 3000 does not support this feature.",
        ),
        (
            "group.version",
            -1,
            1,
            "Invalid update version -1 for feature group.version. A feature version cannot be less than 0.",
        ),
        (
            "group.version",
            0,
            0,
            "Invalid update version 0 for feature group.version. The controller does not support the given upgrade type.",
        ),
    ];
    let offset = harness.next_offset();
    for (name, level, upgrade_type, message) in refused {
        assert_eq!(harness.update_feature(name, level, upgrade_type).unwrap_err(), message);
    }
    assert_eq!(harness.next_offset(), offset);
    harness.update_feature("group.version", 0, 2).unwrap();
    assert!(!harness.state.image().features.contains_key("group.version"));
    assert!(
        harness.update_feature("group.version", 1, 2).unwrap_err().ends_with("Can't downgrade to a newer version.")
    );
    harness.update_feature("group.version", 1, 1).unwrap();
    assert_eq!(harness.state.image().features["group.version"], 1);
}

#[test]
fn elr_goes_and_comes_back_empty() {
    use AlterOp::Set;
    const ELR: &str = "eligible.leader.replicas.version";
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[("min.insync.replicas", "2")]);
    harness.kill(3);
    harness.kill(2);
    assert_eq!(harness.seats("t"), (1, vec![1], vec![2]));
    harness.update_feature(ELR, 0, 2).unwrap();
    assert_eq!(harness.seats("t"), (1, vec![1], vec![]));
    assert_eq!(harness.alter_config(RESOURCE_BROKER, "1", &[(Set, "min.insync.replicas", "2")]), OK);
    harness.update_feature(ELR, 1, 1).unwrap();
    assert!(harness.configs(RESOURCE_BROKER, "1").is_empty(), "brokers must agree");
    assert_eq!(harness.configs(RESOURCE_BROKER, ""), [("min.insync.replicas".to_owned(), "1".to_owned())]);
}
