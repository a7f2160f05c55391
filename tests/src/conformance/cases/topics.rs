//! Topics and their replicas: CreateTopics, DeleteTopics, CreatePartitions, elections, reassignments.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::mutate::Sweep;
use crate::conformance::normal::UNKNOWN_ID;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of CreateTopics", play: create_topics },
    Case { name: "creations", play: creations },
    Case { name: "each field of DeleteTopics", play: delete_topics },
    Case { name: "deletions", play: deletions },
    Case { name: "each field of CreatePartitions", play: create_partitions },
    Case { name: "more partitions", play: more_partitions },
    Case { name: "each field of ElectLeaders", play: elect_leaders },
    Case { name: "elections", play: elections },
    Case { name: "each field of AlterPartitionReassignments", play: alter_reassignments },
    Case { name: "reassignments", play: reassignments },
    Case { name: "each field of ListPartitionReassignments", play: list_reassignments },
];

const TIMEOUTS: &[&str] = &["timeoutMs", "TimeoutMs"];

fn create_topics(side: &mut Side) -> Outcome {
    // By number of partitions, and by assignment.
    Sweep::of("CreateTopics").without(TIMEOUTS).play(side, |side, _| {
        let config = json!({"Name": "retention.ms", "Value": "1000000"});
        let topic =
            json!({"Name": side.fresh("created"), "NumPartitions": 2, "ReplicationFactor": 3, "Configs": [config]});
        Ok(json!({"Topics": [topic], "timeoutMs": 30_000}))
    })?;
    Sweep::of("CreateTopics").without(TIMEOUTS).versions(7..=7).play(side, |side, _| {
        let assignments =
            json!([{"PartitionIndex": 0, "BrokerIds": [1, 2]}, {"PartitionIndex": 1, "BrokerIds": [2, 3]}]);
        let name = side.fresh("assigned");
        let topic = json!({"Name": name, "NumPartitions": -1, "ReplicationFactor": -1, "Assignments": assignments});
        Ok(json!({"Topics": [topic], "timeoutMs": 30_000}))
    })
}

fn creations(side: &mut Side) -> Outcome {
    let long = "n".repeat(249);
    let longer = "n".repeat(250);
    for version in [2, 4, 5, 7] {
        for validate_only in [true, false] {
            let mut ask = |label: &str, topics: Value| {
                let body = json!({"Topics": topics, "timeoutMs": 30_000, "validateOnly": validate_only});
                let label = format!("{label}{}", if validate_only { ", to be validated" } else { "" });
                side.ask(&label, 2, "CreateTopics", version, &body)
            };
            let named = |name: &str| json!({"Name": name, "NumPartitions": 1, "ReplicationFactor": 1});
            let plain =
                |what: &str| json!({"Name": format!("{what}-{version}"), "NumPartitions": 1, "ReplicationFactor": 1});
            let with = |what: &str, key: &str, value: Value| {
                let mut topic = plain(what);
                topic[key] = value;
                topic
            };
            ask(
                "names",
                json!([
                    named(""),
                    named("."),
                    named(".."),
                    named("a/b"),
                    named(&longer),
                    named("ü"),
                    named("_ok.name-1")
                ]),
            )?;
            ask("the longest name", json!([named(&long)]))?;
            ask("a name that collides", json!([named("_ok_name-1")]))?;
            ask(
                "two that collide with each other",
                json!([named(&format!("a.{version}")), named(&format!("a_{version}"))]),
            )?;
            ask("one that exists and one that does not", json!([named("described"), plain("new")]))?;
            ask("the same twice", json!([plain("twice"), plain("twice"), plain("once")]))?;
            ask("the internal topic", json!([named("__cluster_metadata")]))?;
            for count in [0, -1, -2, 10_001] {
                ask(&format!("{count} partitions"), json!([with("partitions", "NumPartitions", json!(count))]))?;
            }
            for factor in [0, -2, 4, i16::MAX] {
                ask(
                    &format!("replication factor {factor}"),
                    json!([with("factor", "ReplicationFactor", json!(factor))]),
                )?;
            }
            for (label, assignments) in [
                ("no replicas", json!([{"PartitionIndex": 0, "BrokerIds": []}])),
                ("an unknown broker", json!([{"PartitionIndex": 0, "BrokerIds": [1, 9]}])),
                ("a broker twice", json!([{"PartitionIndex": 0, "BrokerIds": [1, 1]}])),
                ("a negative broker", json!([{"PartitionIndex": 0, "BrokerIds": [-1]}])),
                ("a gap", json!([{"PartitionIndex": 0, "BrokerIds": [1]}, {"PartitionIndex": 2, "BrokerIds": [1]}])),
                ("not from 0", json!([{"PartitionIndex": 1, "BrokerIds": [1]}])),
                (
                    "a partition twice",
                    json!([{"PartitionIndex": 0, "BrokerIds": [1]}, {"PartitionIndex": 0, "BrokerIds": [2]}]),
                ),
                (
                    "factors that differ",
                    json!([{"PartitionIndex": 0, "BrokerIds": [1]}, {"PartitionIndex": 1, "BrokerIds": [1, 2]}]),
                ),
                (
                    "backwards",
                    json!([{"PartitionIndex": 1, "BrokerIds": [1]}, {"PartitionIndex": 0, "BrokerIds": [2]}]),
                ),
            ] {
                let mut topic = with("assigned", "Assignments", assignments);
                ask(&format!("assignment and number: {label}"), json!([topic.clone()]))?;
                topic["NumPartitions"] = json!(-1);
                ask(&format!("assignment and factor: {label}"), json!([topic.clone()]))?;
                topic["ReplicationFactor"] = json!(-1);
                topic["Name"] = json!(format!("assigned-{label}-{version}").replace(' ', "-"));
                ask(&format!("assignment: {label}"), json!([topic.clone()]))?;
            }
            for (name, value) in CONFIGS {
                let config = json!([{"Name": name, "Value": value}]);
                ask(&format!("{name} = {value:?}"), json!([with("configured", "Configs", config)]))?;
            }
            let twice = json!([{"Name": "retention.ms", "Value": "1"}, {"Name": "retention.ms", "Value": "2"}]);
            ask("a config twice", json!([with("config-twice", "Configs", twice)]))?;
        }
    }
    Ok(())
}

/// Values of a topic's configs, each wrong in its own way, but for some.
pub(super) const CONFIGS: &[(&str, Option<&str>)] = &[
    ("no.such.config", Some("1")),
    ("", Some("1")),
    ("retention.ms", None),
    ("retention.ms", Some("")),
    ("retention.ms", Some("a lot")),
    ("retention.ms", Some("-2")),
    ("retention.ms", Some("-1")),
    ("retention.ms", Some("9223372036854775808")),
    ("retention.ms", Some(" 5 ")),
    ("retention.bytes", Some("1.5")),
    ("segment.bytes", Some("13")),
    ("segment.bytes", Some("2147483648")),
    ("cleanup.policy", Some("keep")),
    ("cleanup.policy", Some("compact,delete")),
    ("cleanup.policy", Some("")),
    ("cleanup.policy", Some("delete,delete")),
    ("compression.type", Some("brotli")),
    ("compression.gzip.level", Some("10")),
    ("min.insync.replicas", Some("0")),
    ("min.insync.replicas", Some("-1")),
    ("unclean.leader.election.enable", Some("yes")),
    ("unclean.leader.election.enable", Some("TRUE")),
    ("message.timestamp.type", Some("Yesterday")),
    ("message.format.version", Some("3.0")),
    ("min.cleanable.dirty.ratio", Some("1.1")),
    ("min.cleanable.dirty.ratio", Some("NaN")),
    ("max.compaction.lag.ms", Some("0")),
    ("min.compaction.lag.ms", Some("-1")),
    ("leader.replication.throttled.replicas", Some("nonsense")),
    ("leader.replication.throttled.replicas", Some("0:1,1:2")),
    ("remote.storage.enable", Some("true")),
    ("local.retention.ms", Some("10")),
    ("file.delete.delay.ms", Some("-1")),
    ("index.interval.bytes", Some("-1")),
    ("segment.ms", Some("0")),
    ("flush.messages", Some("0")),
    ("preallocate", Some("perhaps")),
    ("delete.retention.ms", Some("-1")),
    ("max.message.bytes", Some("-1")),
];

fn delete_topics(side: &mut Side) -> Outcome {
    Sweep::of("DeleteTopics").without(TIMEOUTS).without_internal().play(side, |side, version| {
        let name = side.fresh("deleted");
        side.topic(&name, 1, &[])?;
        Ok(match version {
            6.. => json!({"Topics": [{"Name": name}], "TimeoutMs": 30_000}),
            _ => json!({"TopicNames": [name], "TimeoutMs": 30_000}),
        })
    })
}

fn deletions(side: &mut Side) -> Outcome {
    for version in [1, 4, 5] {
        let name = side.fresh("deleted");
        side.topic(&name, 1, &[])?;
        for (label, names) in [
            ("unknown", json!(["nobody", ""])),
            ("twice", json!([name, name, "nobody"])),
            ("none", json!([])),
            ("once", json!([name])),
        ] {
            side.ask(label, 3, "DeleteTopics", version, &json!({"TopicNames": names, "TimeoutMs": 30_000}))?;
        }
        let gone = json!({"TopicNames": [name], "TimeoutMs": 30_000});
        side.ask("again", 3, "DeleteTopics", version, &gone)?;
    }
    let name = side.fresh("deleted");
    side.topic(&name, 2, &[])?;
    let id = side.topic_id(&name)?;
    for (label, topics) in [
        ("unknown id", json!([{"Name": null, "TopicId": UNKNOWN_ID}])),
        ("name and id", json!([{"Name": name, "TopicId": id}])),
        ("neither", json!([{"Name": null}])),
        ("by name and by id", json!([{"Name": name}, {"Name": null, "TopicId": id}])),
        ("unknown id twice", json!([{"Name": null, "TopicId": UNKNOWN_ID}, {"Name": null, "TopicId": UNKNOWN_ID}])),
        ("by id", json!([{"Name": null, "TopicId": id}])),
        ("by id again", json!([{"Name": null, "TopicId": id}])),
    ] {
        side.ask(label, 3, "DeleteTopics", 6, &json!({"Topics": topics, "TimeoutMs": 30_000}))?;
    }
    Ok(())
}

fn create_partitions(side: &mut Side) -> Outcome {
    Sweep::of("CreatePartitions").without(&["TimeoutMs", "Count"]).without_internal().play(side, |side, _| {
        let name = side.fresh("grown");
        side.topic(&name, 1, &[])?;
        let topic = json!({"Name": name, "Count": 2, "Assignments": [{"BrokerIds": [1, 2, 3]}]});
        Ok(json!({"Topics": [topic], "TimeoutMs": 30_000}))
    })
}

fn more_partitions(side: &mut Side) -> Outcome {
    for version in 0..=3 {
        for validate_only in [true, false] {
            let name = side.fresh("grows");
            side.topic(&name, 2, &[])?;
            for (label, count, assignments) in [
                ("the same", 2, json!(null)),
                ("fewer", 1, json!(null)),
                ("too few assigned", 4, json!([{"BrokerIds": [1, 2, 3]}])),
                ("too many assigned", 3, json!([{"BrokerIds": [1, 2, 3]}, {"BrokerIds": [1, 2, 3]}])),
                ("none assigned", 3, json!([])),
                ("another factor", 3, json!([{"BrokerIds": [1, 2]}])),
                ("unknown broker", 3, json!([{"BrokerIds": [1, 2, 7]}])),
                ("a broker twice", 3, json!([{"BrokerIds": [1, 2, 2]}])),
                ("no replicas", 3, json!([{"BrokerIds": []}])),
                ("one more", 3, json!([{"BrokerIds": [3, 2, 1]}])),
                ("two more", 5, json!(null)),
            ] {
                let topic = json!({"Name": name, "Count": count, "Assignments": assignments});
                let body = json!({"Topics": [topic], "TimeoutMs": 30_000, "ValidateOnly": validate_only});
                side.ask(&format!("{label}, validate {validate_only}"), 1, "CreatePartitions", version, &body)?;
            }
            let twice = json!([{"Name": name, "Count": 9, "Assignments": null}, {"Name": name, "Count": 10, "Assignments": null}, {"Name": "nobody", "Count": 3, "Assignments": null}]);
            let body = json!({"Topics": twice, "TimeoutMs": 30_000, "ValidateOnly": validate_only});
            side.ask(&format!("twice, validate {validate_only}"), 1, "CreatePartitions", version, &body)?;
        }
    }
    Ok(())
}

fn elect_leaders(side: &mut Side) -> Outcome {
    side.topic("elected", 3, &[])?;
    Sweep::of("ElectLeaders").without(TIMEOUTS).play(side, |_, _| {
        Ok(json!({"ElectionType": 0, "TopicPartitions": [{"Topic": "elected", "Partitions": [0, 1]}], "TimeoutMs": 30_000}))
    })
}

fn elections(side: &mut Side) -> Outcome {
    for version in 0..=2 {
        for election in [0, 1, 2, -1] {
            for (label, topics) in [
                ("unknown topic", json!([{"Topic": "nobody", "Partitions": [0]}])),
                ("unknown partition", json!([{"Topic": "elected", "Partitions": [7, 0]}])),
                ("a partition twice", json!([{"Topic": "elected", "Partitions": [0, 0]}])),
                (
                    "a topic twice",
                    json!([{"Topic": "elected", "Partitions": [0]}, {"Topic": "elected", "Partitions": [1]}]),
                ),
                ("no partitions", json!([{"Topic": "elected", "Partitions": []}])),
                ("none", json!([])),
            ] {
                let body = json!({"ElectionType": election, "TopicPartitions": topics, "TimeoutMs": 30_000});
                side.ask(&format!("type {election}, {label}"), 2, "ElectLeaders", version, &body)?;
            }
        }
    }
    Ok(())
}

fn alter_reassignments(side: &mut Side) -> Outcome {
    side.topic("moved", 2, &[])?;
    Sweep::of("AlterPartitionReassignments").without(TIMEOUTS).without_internal().play(side, |_, _| {
        let partition = json!({"PartitionIndex": 0, "Replicas": [1, 2, 3]});
        Ok(json!({"TimeoutMs": 30_000, "Topics": [{"Name": "moved", "Partitions": [partition]}]}))
    })
}

fn reassignments(side: &mut Side) -> Outcome {
    for version in 0..=1 {
        for allow in [true, false] {
            let name = side.fresh("moves");
            side.topic(&name, 2, &[])?;
            for (label, replicas) in [
                ("nothing to call off", json!(null)),
                ("no replicas", json!([])),
                ("unknown broker", json!([1, 2, 8])),
                ("negative broker", json!([-1, 2, 3])),
                ("a broker twice", json!([1, 1, 2])),
                ("the same", json!([1, 2, 3])),
                ("another order", json!([3, 1, 2])),
                ("fewer", json!([3, 1])),
            ] {
                let partition = json!({"PartitionIndex": 0, "Replicas": replicas});
                let body = json!({"TimeoutMs": 30_000, "AllowReplicationFactorChange": allow, "Topics": [{"Name": name, "Partitions": [partition]}]});
                side.ask(
                    &format!("{label}, factor may change {allow}"),
                    1,
                    "AlterPartitionReassignments",
                    version,
                    &body,
                )?;
            }
            let partition = |index: i32| json!({"PartitionIndex": index, "Replicas": [1, 2, 3]});
            for (label, topics) in [
                ("unknown topic", json!([{"Name": "nobody", "Partitions": [partition(0)]}])),
                ("unknown partition", json!([{"Name": name, "Partitions": [partition(9), partition(-1)]}])),
                ("partition twice", json!([{"Name": name, "Partitions": [partition(1), partition(1)]}])),
                (
                    "topic twice",
                    json!([{"Name": name, "Partitions": [partition(1)]}, {"Name": name, "Partitions": [partition(0)]}]),
                ),
            ] {
                let body = json!({"TimeoutMs": 30_000, "AllowReplicationFactorChange": allow, "Topics": topics});
                side.ask(
                    &format!("{label}, factor may change {allow}"),
                    1,
                    "AlterPartitionReassignments",
                    version,
                    &body,
                )?;
            }
        }
    }
    Ok(())
}

fn list_reassignments(side: &mut Side) -> Outcome {
    side.topic("listed", 1, &[])?;
    let body = json!({"TimeoutMs": 30_000, "Topics": null});
    side.wait(1, "the moves", "ListPartitionReassignments", 0, &body, |answer| answer["Topics"] == json!([]))?;
    Sweep::of("ListPartitionReassignments")
        .without(TIMEOUTS)
        .play(side, |_, _| Ok(json!({"TimeoutMs": 30_000, "Topics": [{"Name": "listed", "PartitionIndexes": [0]}]})))
}
