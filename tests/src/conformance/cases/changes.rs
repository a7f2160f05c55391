//! What changes under a client: topics that are deleted and made anew, leaders that move, several partitions in one fetch.

use serde_json::{Value, json};

use super::Case;
use super::data::{committed, fetched, produced, ten_batches, write};
use crate::conformance::mutate::Sweep;
use crate::conformance::records::{Batch, TIME_MS};
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "a deleted topic", play: deleted_topic },
    Case { name: "a topic made anew", play: made_anew },
    Case { name: "a leader that moves", play: moved_leader },
    Case { name: "fetches of several partitions", play: several },
    Case { name: "long polls", play: long_polls },
    Case { name: "sessions between brokers and versions", play: sessions },
    Case { name: "partitions of all brokers", play: all_brokers },
];

/// All brokers have forgotten a topic.
fn forgotten(side: &mut Side, topic: &str) -> Outcome {
    for broker in side.broker_ids() {
        let body = json!({"Topics": [{"Name": topic}]});
        side.wait(broker, "the deletion", "Metadata", 12, &body, |answer| answer["Topics"][0]["ErrorCode"] == 3)?;
    }
    Ok(())
}

/// Whatever can be asked of one partition, by an old id and a name.
fn ask_all(side: &mut Side, label: &str, topic: &str, id: &str) -> Outcome {
    for version in [3, 9, 12, 13] {
        let data = json!([{"Index": 0, "Records": Batch::of(1).hex()}]);
        let topics = json!([{"Name": topic, "TopicId": id, "PartitionData": data}]);
        let body = json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": topics});
        side.ask(label, 1, "Produce", version, &body)?;
    }
    for version in [4, 11, 12, 13, 15, 16, 18] {
        for epoch in [-1, 0] {
            let partition =
                json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1000, "CurrentLeaderEpoch": epoch});
            let topics = json!([{"Topic": topic, "TopicId": id, "Partitions": [partition]}]);
            let body = json!({"MaxWaitMs": 0, "MaxBytes": 1000, "Topics": topics});
            side.ask(&format!("{label}, leader epoch {epoch}"), 1, "Fetch", version, &body)?;
        }
    }
    for version in [1, 4, 7, 11] {
        let topics = json!([{"Name": topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]);
        side.ask(label, 1, "ListOffsets", version, &json!({"ReplicaId": -1, "Topics": topics}))?;
    }
    for version in [9, 12, 13] {
        side.ask(&format!("{label}, by name"), 2, "Metadata", version, &json!({"Topics": [{"Name": topic}]}))?;
    }
    side.ask(&format!("{label}, by id"), 2, "Metadata", 12, &json!({"Topics": [{"Name": null, "TopicId": id}]}))?;
    side.ask(
        label,
        2,
        "DescribeTopicPartitions",
        0,
        &json!({"Topics": [{"Name": topic}], "ResponsePartitionLimit": 10}),
    )?;
    let partition = json!({"Partition": 0, "CurrentLeaderEpoch": -1, "LeaderEpoch": 0});
    let body = json!({"ReplicaId": -1, "Topics": [{"Topic": topic, "Partitions": [partition]}]});
    side.ask(label, 1, "OffsetForLeaderEpoch", 4, &body)?;
    let body =
        json!({"Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": 0, "Offset": 0}]}], "TimeoutMs": 1000});
    side.ask(label, 1, "DeleteRecords", 2, &body)?;
    let resource = json!({"ResourceType": 2, "ResourceName": topic, "ConfigurationKeys": ["retention.ms"]});
    side.ask(label, 1, "DescribeConfigs", 4, &json!({"Resources": [resource]}))?;
    let partition = json!({"PartitionIndex": 0, "CommittedOffset": 1, "CommittedMetadata": ""});
    let at = side.coordinator("of changes", 0)?;
    for version in [8, 9, 10] {
        let topics = json!([{"Name": topic, "TopicId": id, "Partitions": [partition]}]);
        let body = json!({"GroupId": "of changes", "GenerationIdOrMemberEpoch": -1, "MemberId": "", "Topics": topics});
        side.ask(label, at, "OffsetCommit", version, &body)?;
        let topics = json!([{"Name": topic, "TopicId": id, "PartitionIndexes": [0]}]);
        let body = json!({"Groups": [{"GroupId": "of changes", "Topics": topics}], "RequireStable": false});
        side.ask(label, at, "OffsetFetch", version, &body)?;
    }
    Ok(())
}

fn deleted_topic(side: &mut Side) -> Outcome {
    side.topic("short-lived", 1, &[("retention.ms", "7000")])?;
    write(side, "short-lived", &Batch::of(1))?;
    committed(side, "short-lived", 1)?;
    let id = side.topic_id("short-lived")?;
    ask_all(side, "before", "short-lived", &id)?;
    side.send(1, "DeleteTopics", 6, &json!({"Topics": [{"Name": "short-lived"}], "TimeoutMs": 30_000}))?;
    forgotten(side, "short-lived")?;
    ask_all(side, "after", "short-lived", &id)
}

fn made_anew(side: &mut Side) -> Outcome {
    side.topic("reborn", 1, &[("retention.ms", "7000")])?;
    write(side, "reborn", &Batch::of(1))?;
    committed(side, "reborn", 1)?;
    let id = side.topic_id("reborn")?;
    let mut session = fetched(side, 13, "reborn", 0)?;
    session["SessionEpoch"] = json!(0);
    let opened = side.ask("a session opens", 1, "Fetch", 13, &session)?;
    side.send(1, "DeleteTopics", 6, &json!({"Topics": [{"Name": "reborn"}], "TimeoutMs": 30_000}))?;
    forgotten(side, "reborn")?;
    let next =
        |epoch: i32| json!({"SessionId": opened["SessionId"], "SessionEpoch": epoch, "MaxWaitMs": 0, "Topics": []});
    side.ask("the session when it is gone", 1, "Fetch", 13, &next(1))?;
    side.topic("reborn", 1, &[])?;
    side.ask("the session when it is back", 1, "Fetch", 13, &next(2))?;
    ask_all(side, "by the old id", "reborn", &id)?;
    let id = side.topic_id("reborn")?;
    ask_all(side, "by the new id", "reborn", &id)
}

fn moved_leader(side: &mut Side) -> Outcome {
    side.topic("moved-leader", 1, &[])?;
    write(side, "moved-leader", &Batch::of(2))?;
    committed(side, "moved-leader", 2)?;
    let partition = json!({"PartitionIndex": 0, "Replicas": [2, 1, 3]});
    let body = json!({"TimeoutMs": 30_000, "Topics": [{"Name": "moved-leader", "Partitions": [partition]}]});
    side.ask("another order", 1, "AlterPartitionReassignments", 1, &body)?;
    let body = json!({"ElectionType": 0, "TopicPartitions": [{"Topic": "moved-leader", "Partitions": [0]}], "TimeoutMs": 30_000});
    for label in ["the preferred leader", "again"] {
        side.ask(label, 1, "ElectLeaders", 2, &body)?;
        for broker in side.broker_ids() {
            let body = json!({"Topics": [{"Name": "moved-leader"}]});
            side.wait(broker, "the new leader", "Metadata", 12, &body, |answer| {
                answer["Topics"][0]["Partitions"][0]["LeaderId"] == 2
            })?;
        }
    }
    let end = json!({"ReplicaId": -1, "Topics": [{"Name": "moved-leader", "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]});
    side.wait(2, "the new leader's high watermark", "ListOffsets", 4, &end, |answer| {
        answer["Topics"][0]["Partitions"][0]["Offset"] == 2
    })?;
    side.ask("where it is", 3, "Metadata", 12, &json!({"Topics": [{"Name": "moved-leader"}]}))?;
    let records = json!(Batch { time_ms: TIME_MS + 5, ..Batch::of(1) }.hex());
    for version in [3, 9, 10, 12, 13] {
        let body = produced(side, version, "moved-leader", &[(0, records.clone())])?;
        side.ask("to the old leader", 1, "Produce", version, &body)?;
        side.ask("to the new leader", 2, "Produce", version, &body)?;
    }
    side.wait(2, "what was written", "ListOffsets", 4, &end, |answer| {
        answer["Topics"][0]["Partitions"][0]["Offset"] == 7
    })?;
    for version in 4..=18 {
        for broker in [1, 2] {
            for epoch in [-1, 0, 1, 2, 3] {
                let mut body = fetched(side, version, "moved-leader", 1)?;
                body["Topics"][0]["Partitions"][0]["CurrentLeaderEpoch"] = json!(epoch);
                if broker == 1 && (epoch < 0 || epoch == 1) && version >= 11 {
                    // What a follower has is a matter of when.
                    continue;
                }
                side.ask(&format!("of {broker}, leader epoch {epoch}"), broker, "Fetch", version, &body)?;
                body["Topics"][0]["Partitions"][0]["LastFetchedEpoch"] = json!(epoch);
                side.ask(&format!("of {broker}, both epochs {epoch}"), broker, "Fetch", version, &body)?;
            }
        }
    }
    for version in 1..=11 {
        for broker in [1, 2] {
            for epoch in [-1, 0, 1, 2] {
                for time in [-1, -2, TIME_MS + 5] {
                    let partition = json!({"PartitionIndex": 0, "CurrentLeaderEpoch": epoch, "Timestamp": time});
                    let body =
                        json!({"ReplicaId": -1, "Topics": [{"Name": "moved-leader", "Partitions": [partition]}]});
                    let label = format!("of {broker} at {time}, leader epoch {epoch}");
                    side.ask(&label, broker, "ListOffsets", version, &body)?;
                }
            }
        }
    }
    for version in 2..=4 {
        for broker in [1, 2] {
            for current in [-1, 0, 1, 2] {
                for epoch in [-1, 0, 1, 2] {
                    let partition = json!({"Partition": 0, "CurrentLeaderEpoch": current, "LeaderEpoch": epoch});
                    let body =
                        json!({"ReplicaId": -1, "Topics": [{"Topic": "moved-leader", "Partitions": [partition]}]});
                    let label = format!("of {broker}, epoch {epoch}, leader epoch {current}");
                    side.ask(&label, broker, "OffsetForLeaderEpoch", version, &body)?;
                }
            }
        }
    }
    Ok(())
}

/// One topic's partitions, all led by broker 1, each with two batches.
fn wide(side: &mut Side, topic: &str) -> Outcome {
    let assignments: Vec<Value> =
        (0..3).map(|index| json!({"PartitionIndex": index, "BrokerIds": [1, 2, 3]})).collect();
    let wanted = json!({"Name": topic, "NumPartitions": -1, "ReplicationFactor": -1, "Assignments": assignments});
    side.send(1, "CreateTopics", 7, &json!({"Topics": [wanted], "timeoutMs": 30_000}))?;
    side.settle(topic, 3)?;
    for index in 0..3 {
        for _ in 0..2 {
            let body = produced(side, 9, topic, &[(index, json!(Batch::of(2).hex()))])?;
            side.send(1, "Produce", 9, &body)?;
        }
        let partition = json!({"PartitionIndex": index, "Timestamp": -1});
        let body = json!({"ReplicaId": -1, "Topics": [{"Name": topic, "Partitions": [partition]}]});
        side.wait(1, "the high watermark", "ListOffsets", 4, &body, |answer| {
            answer["Topics"][0]["Partitions"][0]["Offset"] == 4
        })?;
    }
    Ok(())
}

fn several(side: &mut Side) -> Outcome {
    wide(side, "wide-a")?;
    wide(side, "wide-b")?;
    for version in [4, 7, 11, 12, 13, 15, 16, 18] {
        let mut topics = Vec::new();
        for topic in ["wide-a", "wide-b"] {
            let mut entry = fetched(side, version, topic, 0)?["Topics"][0].clone();
            let partition = |index: i32| json!({"Partition": index, "FetchOffset": 0, "PartitionMaxBytes": 1000});
            entry["Partitions"] = (0..3).map(partition).collect();
            topics.push(entry);
        }
        let body = |max: i32, topics: &[Value]| json!({"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": max, "SessionEpoch": -1, "Topics": topics});
        side.ask("all", 1, "Fetch", version, &body(100_000, &topics))?;
        // A batch is 99 bytes: whole ones fit, or the first alone.
        for max in [1, 99, 198, 297] {
            side.ask(&format!("at most {max}"), 1, "Fetch", version, &body(max, &topics))?;
        }
        let backwards = [topics[1].clone(), topics[0].clone()];
        side.ask("the other way round", 1, "Fetch", version, &body(198, &backwards))?;
        let twice = [topics[0].clone(), topics[1].clone(), topics[0].clone()];
        side.ask("one twice", 1, "Fetch", version, &body(100_000, &twice))?;
        let mut unknown = topics.clone();
        unknown[0]["Partitions"][1]["Partition"] = json!(9);
        unknown[0]["Partitions"][2]["FetchOffset"] = json!(99);
        side.ask("one unknown, one out of range", 1, "Fetch", version, &body(100_000, &unknown))?;
        if version >= 13 {
            unknown[0]["TopicId"] = json!(crate::conformance::normal::UNKNOWN_ID);
        } else {
            unknown[0]["Topic"] = json!("nobody");
        }
        side.ask("a topic unknown", 1, "Fetch", version, &body(100_000, &unknown))?;
        side.ask(
            "a topic twice unknown",
            1,
            "Fetch",
            version,
            &body(100_000, &[unknown[0].clone(), unknown[0].clone()]),
        )?;
    }
    Ok(())
}

fn long_polls(side: &mut Side) -> Outcome {
    for version in [4, 11, 13, 18] {
        for (label, min, offset, wait) in [
            ("nothing new", 1, 20, 50),
            ("more than there is", 1_000_000, 0, 50),
            ("enough", 1, 0, 5000),
            ("out of range", 1, 99, 5000),
        ] {
            let mut body = fetched(side, version, "fetched", offset)?;
            body["MinBytes"] = json!(min);
            body["MaxWaitMs"] = json!(wait);
            side.ask(label, 1, "Fetch", version, &body)?;
        }
        let mut body = fetched(side, version, "fetched", 20)?;
        body["MinBytes"] = json!(1);
        body["MaxWaitMs"] = json!(5000);
        body["Topics"][0]["Partitions"][0]["Partition"] = json!(9);
        body["MaxWaitMs"] = json!(50);
        side.ask("an unknown partition", 1, "Fetch", version, &body)?;
    }
    // Woken by what comes.
    side.topic("awaited", 1, &[])?;
    for (round, version) in [4, 11, 12, 18].into_iter().enumerate() {
        let mut body = fetched(side, version, "awaited", round as i64)?;
        body["MinBytes"] = json!(1);
        body["MaxWaitMs"] = json!(3500);
        let waiting = side.begin("waits for a record", (1, 5), "Fetch", version, &body)?;
        write(side, "awaited", &Batch::of(1))?;
        side.finish(&waiting)?;
    }
    Ok(())
}

fn sessions(side: &mut Side) -> Outcome {
    ten_batches_in(side, "session-topic")?;
    for (first, second) in [(11, 12), (12, 13), (13, 12), (13, 15), (12, 12), (18, 11)] {
        let mut body = fetched(side, first, "session-topic", 18)?;
        body["SessionEpoch"] = json!(0);
        let opened = side.ask(&format!("opens for {second}"), 1, "Fetch", first, &body)?;
        let next = json!({"SessionId": opened["SessionId"], "SessionEpoch": 1, "MaxWaitMs": 0, "Topics": []});
        side.ask(&format!("at another broker after {first}"), 2, "Fetch", second, &next)?;
        side.ask(&format!("goes on after {first}"), 1, "Fetch", second, &next)?;
        let mut forget = next.clone();
        forget["SessionEpoch"] = json!(2);
        let mut topic = fetched(side, second, "fetched", 0)?["Topics"][0].clone();
        topic["Partitions"] = json!([0, 7]);
        forget["ForgottenTopicsData"] = json!([topic]);
        side.ask(&format!("forgets what it never had after {first}"), 1, "Fetch", second, &forget)?;
        let mut all = fetched(side, second, "session-topic", 0)?["Topics"][0].clone();
        all["Partitions"] = json!([0]);
        forget["SessionEpoch"] = json!(3);
        forget["ForgottenTopicsData"] = json!([all]);
        side.ask(&format!("forgets all after {first}"), 1, "Fetch", second, &forget)?;
        forget["SessionEpoch"] = json!(4);
        forget["ForgottenTopicsData"] = json!([]);
        side.ask(&format!("goes on with nothing after {first}"), 1, "Fetch", second, &forget)?;
    }
    Ok(())
}

fn ten_batches_in(side: &mut Side, topic: &str) -> Outcome {
    side.topic(topic, 1, &[])?;
    ten_batches(side, topic)
}

/// Each broker is asked the same of a topic whose partitions each of them leads.
fn all_brokers(side: &mut Side) -> Outcome {
    side.topic("spread", 3, &[])?;
    for broker in 1..=3 {
        for version in [1, 4, 11] {
            let partitions: Vec<Value> =
                (0..3).map(|index| json!({"PartitionIndex": index, "Timestamp": -1})).collect();
            let body = json!({"ReplicaId": -1, "Topics": [{"Name": "spread", "Partitions": partitions}]});
            side.ask(&format!("at {broker}"), broker, "ListOffsets", version, &body)?;
        }
        for version in [2, 4] {
            let partitions: Vec<Value> = (0..3).map(|index| json!({"Partition": index, "LeaderEpoch": 0})).collect();
            let body = json!({"ReplicaId": -1, "Topics": [{"Topic": "spread", "Partitions": partitions}]});
            side.ask(&format!("at {broker}"), broker, "OffsetForLeaderEpoch", version, &body)?;
        }
        for version in [9, 10, 13] {
            let records = json!(Batch::of(1).hex());
            let body = produced(side, version, "spread", &[(0, records.clone()), (1, records.clone()), (2, records)])?;
            side.ask(&format!("at {broker}"), broker, "Produce", version, &body)?;
        }
        for version in 0..=2 {
            let partitions: Vec<Value> = (0..3).map(|index| json!({"PartitionIndex": index, "Offset": 0})).collect();
            let body = json!({"Topics": [{"Name": "spread", "Partitions": partitions}], "TimeoutMs": 30_000});
            side.ask(&format!("at {broker}"), broker, "DeleteRecords", version, &body)?;
        }
        Sweep::of("DescribeCluster").at(broker).play(side, |_, _| Ok(json!({"EndpointType": 1})))?;
        Sweep::of("DescribeTopicPartitions")
            .at(broker)
            .without_internal()
            .except(&["Topics = []", "Cursor.PartitionIndex = 2147483647"])
            .play(side, |_, _| Ok(json!({"Topics": [{"Name": "spread"}], "ResponsePartitionLimit": 2})))?;
    }
    Ok(())
}
