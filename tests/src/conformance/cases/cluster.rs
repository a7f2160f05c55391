//! What the cluster is: ApiVersions, Metadata, FindCoordinator, DescribeCluster, DescribeQuorum, features, raft voters.

use serde_json::json;

use super::Case;
use crate::conformance::mutate::Sweep;
use crate::conformance::normal::UNKNOWN_ID;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of ApiVersions", play: api_versions },
    Case { name: "each field of Metadata", play: metadata },
    Case { name: "metadata", play: metadata_kinds },
    Case { name: "each field of DescribeCluster", play: describe_cluster },
    Case { name: "each field of DescribeTopicPartitions", play: describe_topic_partitions },
    Case { name: "pages of partitions", play: pages },
    Case { name: "each field of FindCoordinator", play: find_coordinator },
    Case { name: "each field of DescribeQuorum", play: describe_quorum },
    Case { name: "each field of UpdateFeatures", play: update_features },
    Case { name: "features", play: features },
    Case { name: "each field of UnregisterBroker", play: unregister_broker },
    Case { name: "new voters", play: add_raft_voter },
    Case { name: "each field of RemoveRaftVoter", play: remove_raft_voter },
    Case { name: "voters in the log", play: voters_in_the_log },
];

fn api_versions(side: &mut Side) -> Outcome {
    Sweep::of("ApiVersions")
        .play(side, |_, _| Ok(json!({"ClientSoftwareName": "conformance", "ClientSoftwareVersion": "1.0"})))
}

fn metadata(side: &mut Side) -> Outcome {
    side.topic("described", 3, &[])?;
    Sweep::of("Metadata").without(&["AllowAutoTopicCreation"]).play(side, |_, version| {
        let topics = json!([{"Name": "described"}]);
        Ok(json!({"Topics": topics, "AllowAutoTopicCreation": version == 4}))
    })
}

fn metadata_kinds(side: &mut Side) -> Outcome {
    let id = side.topic_id("described")?;
    for version in 0..=13 {
        let named = |names: &[&str]| names.iter().map(|name| json!({"Name": name})).collect::<Vec<_>>();
        for (label, names) in [
            ("two unknown", vec!["nobody-b", "nobody-a"]),
            ("known between unknown", vec!["nobody-b", "described", "nobody-a"]),
            ("known twice", vec!["described", "described"]),
            ("bad names", vec!["", ".", "..", "a b", "described"]),
        ] {
            let body = json!({"Topics": named(&names), "AllowAutoTopicCreation": false, "IncludeTopicAuthorizedOperations": true});
            side.ask(label, 1, "Metadata", version, &body)?;
        }
        if version >= 10 {
            for (label, id) in [("by id", id.as_str()), ("by an unknown id", UNKNOWN_ID)] {
                let body = json!({"Topics": [{"Name": null, "TopicId": id}], "AllowAutoTopicCreation": false});
                side.ask(label, 2, "Metadata", version, &body)?;
            }
            let both = json!({"Topics": [{"Name": "described", "TopicId": id}], "AllowAutoTopicCreation": false});
            side.ask("by name and id", 1, "Metadata", version, &both)?;
            let mixed = json!({"Topics": [{"Name": null, "TopicId": id}, {"Name": "described"}], "AllowAutoTopicCreation": false});
            side.ask("one by id, one by name", 1, "Metadata", version, &mixed)?;
        }
    }
    Ok(())
}

fn describe_cluster(side: &mut Side) -> Outcome {
    Sweep::of("DescribeCluster")
        .play(side, |_, _| Ok(json!({"IncludeClusterAuthorizedOperations": true, "EndpointType": 1})))
}

fn describe_topic_partitions(side: &mut Side) -> Outcome {
    Sweep::of("DescribeTopicPartitions").without_internal().play(side, |_, _| {
        Ok(json!({"Topics": [{"Name": "described"}], "ResponsePartitionLimit": 2000,
            "Cursor": {"TopicName": "described", "PartitionIndex": 1}}))
    })
}

fn pages(side: &mut Side) -> Outcome {
    side.topic("paged-b", 5, &[])?;
    side.topic("paged-a", 5, &[])?;
    let topics = json!([{"Name": "paged-b"}, {"Name": "nobody"}, {"Name": "paged-a"}, {"Name": "paged-a"}]);
    for limit in [1, 3, 5, 6, 100] {
        let mut cursor = json!(null);
        for page in 0..12 {
            let body = json!({"Topics": topics, "ResponsePartitionLimit": limit, "Cursor": cursor});
            let answer = side.ask(&format!("page {page} of {limit}"), 1, "DescribeTopicPartitions", 0, &body)?;
            if answer["NextCursor"].is_null() {
                break;
            }
            cursor = answer["NextCursor"].clone();
        }
    }
    for (label, topic, partition) in [
        ("before the first", "a", 0),
        ("between", "paged-aa", 3),
        ("after the last", "z", 0),
        ("past the partitions", "paged-a", 9),
    ] {
        let body = json!({"Topics": topics, "ResponsePartitionLimit": 4, "Cursor": {"TopicName": topic, "PartitionIndex": partition}});
        side.ask(label, 1, "DescribeTopicPartitions", 0, &body)?;
    }
    Ok(())
}

fn find_coordinator(side: &mut Side) -> Outcome {
    side.coordinator("a group", 0)?;
    Sweep::of("FindCoordinator").without(&["KeyType"]).play(side, |_, version| {
        Ok(if version >= 4 { json!({"CoordinatorKeys": ["a group"]}) } else { json!({"Key": "a group"}) })
    })?;
    for version in 0..=6 {
        // Those of share groups (2) have a case of their own.
        for key_type in [1, -1, 3, i8::MIN, i8::MAX] {
            if key_type == 1 && !super::is_offered("EndTxn") {
                continue;
            }
            let body = match version {
                4.. => json!({"CoordinatorKeys": ["a group", "", "a group"], "KeyType": key_type}),
                _ => json!({"Key": "a group", "KeyType": key_type}),
            };
            side.ask(&format!("key type {key_type}"), 2, "FindCoordinator", version, &body)?;
        }
        if version >= 4 {
            side.ask("keys", 2, "FindCoordinator", version, &json!({"CoordinatorKeys": ["a group", "", "a group"]}))?;
        }
    }
    Ok(())
}

fn describe_quorum(side: &mut Side) -> Outcome {
    Sweep::of("DescribeQuorum").play(side, |_, _| {
        Ok(json!({"Topics": [{"TopicName": "__cluster_metadata", "Partitions": [{"PartitionIndex": 0}]}]}))
    })
}

fn update_features(side: &mut Side) -> Outcome {
    Sweep::of("UpdateFeatures").without(&["ValidateOnly", "timeoutMs"]).play(side, |_, _| {
        let update =
            json!({"Feature": "no.such.feature", "MaxVersionLevel": 1, "AllowDowngrade": false, "UpgradeType": 1});
        Ok(json!({"timeoutMs": 60_000, "FeatureUpdates": [update], "ValidateOnly": true}))
    })
}

fn features(side: &mut Side) -> Outcome {
    for version in 1..=2 {
        for feature in [
            "metadata.version",
            "kraft.version",
            "group.version",
            "transaction.version",
            "share.version",
            "streams.version",
            "eligible.leader.replicas.version",
        ] {
            for level in [-1, 0, 1, 2, 3, 7, 20, 99] {
                for upgrade in [1, 2, 3] {
                    let update = json!({"Feature": feature, "MaxVersionLevel": level, "UpgradeType": upgrade});
                    let body = json!({"timeoutMs": 60_000, "FeatureUpdates": [update], "ValidateOnly": true});
                    side.ask(&format!("{feature} to {level} by {upgrade}"), 1, "UpdateFeatures", version, &body)?;
                }
            }
        }
        let good = json!({"Feature": "group.version", "MaxVersionLevel": 1, "UpgradeType": 1});
        let bad = json!({"Feature": "no.such.feature", "MaxVersionLevel": 1, "UpgradeType": 1});
        for (label, updates) in [("good, bad", json!([good, bad])), ("bad, good", json!([bad, good]))] {
            let body = json!({"timeoutMs": 60_000, "FeatureUpdates": updates, "ValidateOnly": true});
            side.ask(label, 1, "UpdateFeatures", version, &body)?;
        }
    }
    Ok(())
}

fn unregister_broker(side: &mut Side) -> Outcome {
    Sweep::of("UnregisterBroker").without(&["BrokerId"]).play(side, |_, _| Ok(json!({"BrokerId": 99})))?;
    for id in [-1, 0, 98, 3000, i32::MIN, i32::MAX] {
        side.ask(&format!("broker {id}"), 1, "UnregisterBroker", 0, &json!({"BrokerId": id}))?;
    }
    Ok(())
}

/// The same under kraft.version 1, to which there is no way back.
fn voters_in_the_log(side: &mut Side) -> Outcome {
    let update = json!({"Feature": "kraft.version", "MaxVersionLevel": 1, "AllowDowngrade": false, "UpgradeType": 1});
    for label in ["kraft.version to 1", "and again"] {
        let body = json!({"timeoutMs": 60_000, "FeatureUpdates": [update], "ValidateOnly": false});
        side.ask(label, 1, "UpdateFeatures", 1, &body)?;
    }
    side.wait(
        1,
        "kraft.version 1",
        "ApiVersions",
        3,
        &json!({"ClientSoftwareName": "c", "ClientSoftwareVersion": "1"}),
        |answer| {
            let features = answer["FinalizedFeatures"].as_array();
            features
                .is_some_and(|all| all.iter().any(|one| one["Name"] == "kraft.version" && one["MaxVersionLevel"] == 1))
        },
    )?;
    add_raft_voter(side)?;
    remove_raft_voter(side)?;
    describe_quorum(side)?;
    features(side)
}

fn add_raft_voter(side: &mut Side) -> Outcome {
    for version in 0..=1 {
        let listener = json!({"Name": "CONTROLLER", "Host": "127.0.0.1", "Port": 9});
        for (label, cluster, voter, listeners) in [
            ("another cluster", json!("another"), 3001, json!([listener])),
            ("the voter itself with another directory", json!(null), 3000, json!([listener])),
            ("no listeners", json!(null), 3001, json!([])),
            ("another listener", json!(null), 3001, json!([{"Name": "OTHER", "Host": "127.0.0.1", "Port": 9}])),
            ("one that does not listen", json!(null), 3001, json!([listener])),
        ] {
            // Kafka's answer to a second one is a matter of how long ago the first one was.
            if label == "one that does not listen" && version == 1 {
                continue;
            }
            let body = json!({"ClusterId": cluster, "TimeoutMs": 500, "VoterId": voter, "VoterDirectoryId": UNKNOWN_ID, "Listeners": listeners});
            side.ask(label, 1, "AddRaftVoter", version, &body)?;
        }
    }
    Ok(())
}

fn remove_raft_voter(side: &mut Side) -> Outcome {
    Sweep::of("RemoveRaftVoter")
        .without(&["VoterId", "ClusterId"])
        .play(side, |_, _| Ok(json!({"ClusterId": null, "VoterId": 77, "VoterDirectoryId": UNKNOWN_ID})))?;
    side.ask(
        "another cluster",
        1,
        "RemoveRaftVoter",
        0,
        &json!({"ClusterId": "another", "VoterId": 77, "VoterDirectoryId": UNKNOWN_ID}),
    )?;
    side.ask(
        "the last one with another directory",
        1,
        "RemoveRaftVoter",
        0,
        &json!({"VoterId": 3000, "VoterDirectoryId": UNKNOWN_ID}),
    )?;
    Ok(())
}
