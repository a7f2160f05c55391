//! Records: Produce, Fetch and its sessions, ListOffsets, OffsetForLeaderEpoch, DeleteRecords, producer ids, log directories.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::ConformanceError;
use crate::conformance::codec::hex;
use crate::conformance::mutate::Sweep;
use crate::conformance::records::{Batch, TIME_MS};
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of Produce", play: produce },
    Case { name: "batches", play: batches },
    Case { name: "acks", play: acks },
    Case { name: "idempotent producer", play: idempotent },
    Case { name: "each field of Fetch", play: fetch },
    Case { name: "fetched offsets", play: fetched_offsets },
    Case { name: "fetch session", play: fetch_session },
    Case { name: "each field of ListOffsets", play: list_offsets },
    Case { name: "listed offsets", play: listed_offsets },
    Case { name: "each field of OffsetForLeaderEpoch", play: leader_epochs },
    Case { name: "each field of DeleteRecords", play: delete_records },
    Case { name: "deleted records", play: deleted_records },
    Case { name: "each field of InitProducerId", play: init_producer_id },
    Case { name: "each field of DescribeLogDirs", play: describe_log_dirs },
    Case { name: "each field of AlterReplicaLogDirs", play: alter_replica_log_dirs },
];

/// A topic as a version names it: by name, or from `since` on by id.
fn named(side: &mut Side, version: i16, since: i16, key: &str, topic: &str) -> Outcome<Value> {
    let mut value = json!({});
    if version >= since {
        value["TopicId"] = json!(side.topic_id(topic)?);
    } else {
        value[key] = json!(topic);
    }
    Ok(value)
}

pub(super) fn produced(side: &mut Side, version: i16, topic: &str, partitions: &[(i32, Value)]) -> Outcome<Value> {
    let mut entry = named(side, version, 13, "Name", topic)?;
    let data = |(index, records): &(i32, Value)| json!({"Index": index, "Records": records});
    entry["PartitionData"] = partitions.iter().map(data).collect();
    Ok(json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [entry]}))
}

pub(super) fn write(side: &mut Side, topic: &str, batch: &Batch) -> Outcome {
    let body = produced(side, 9, topic, &[(0, json!(batch.hex()))])?;
    let answer = side.send(1, "Produce", 9, &body)?;
    match answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 0 {
        true => Ok(()),
        false => Err(ConformanceError::Step(format!("{topic} could not be written to: {answer}"))),
    }
}

fn produce(side: &mut Side) -> Outcome {
    side.topic("produced", 1, &[])?;
    // With acks=0 nothing may be answered: the case `acks` has these. Other time-outs are a race.
    Sweep::of("Produce")
        .without(&["Acks", "TimeoutMs"])
        .without_internal()
        .play(side, |side, version| produced(side, version, "produced", &[(0, json!(Batch::of(2).hex()))]))
}

/// Batches with a topic of their own.
const ODD: &[&str] = &[
    "codec 7",
    "gzip that is none",
    "snappy that is none",
    "lz4 that is none",
    "zstd that is none",
    "a negative epoch",
    "time -2",
];

fn batches(side: &mut Side) -> Outcome {
    let one = Batch::default;
    let control = Batch { attributes: 0x20, ..one() };
    let keyless = Batch { records: vec![(None, b"v".to_vec())], ..one() };
    let long = Batch { records: vec![(None, vec![b'x'; 1_100_000])], ..one() };
    let kinds: Vec<(&str, Vec<u8>)> = vec![
        ("one", one().bytes()),
        ("two batches", [one().bytes(), one().bytes()].concat()),
        ("a base offset", Batch { base_offset: 77, ..one() }.bytes()),
        ("a wrong checksum", Batch { corrupt: true, ..one() }.bytes()),
        ("magic 0", Batch { magic: 0, ..one() }.bytes()),
        ("magic 1", Batch { magic: 1, ..one() }.bytes()),
        ("magic 3", Batch { magic: 3, ..one() }.bytes()),
        ("magic -1", Batch { magic: -1, ..one() }.bytes()),
        ("a count too large", Batch { count: Some(2), ..one() }.bytes()),
        ("a count of 0", Batch { count: Some(0), ..one() }.bytes()),
        ("a negative count", Batch { count: Some(-1), ..one() }.bytes()),
        ("a count too small", Batch { count: Some(1), ..Batch::of(2) }.bytes()),
        ("a wrong last offset delta", Batch { last_offset_delta: Some(5), ..one() }.bytes()),
        ("a negative last offset delta", Batch { last_offset_delta: Some(-1), ..one() }.bytes()),
        ("no records", Batch { records: vec![], ..one() }.bytes()),
        ("a length too long", Batch { length_error: 10, ..one() }.bytes()),
        ("a length too short", Batch { length_error: -10, ..one() }.bytes()),
        ("ends early", one().bytes()[..40].to_vec()),
        ("only a header", one().bytes()[..61].to_vec()),
        ("trailing bytes", [one().bytes(), vec![0; 5]].concat()),
        ("a control batch", control.bytes()),
        ("codec 7", Batch { attributes: 7, ..one() }.bytes()),
        ("gzip that is none", Batch { attributes: 1, ..one() }.bytes()),
        ("snappy that is none", Batch { attributes: 2, ..one() }.bytes()),
        ("lz4 that is none", Batch { attributes: 3, ..one() }.bytes()),
        ("zstd that is none", Batch { attributes: 4, ..one() }.bytes()),
        ("log append time", Batch { attributes: 8, ..one() }.bytes()),
        ("transactional without a producer", Batch { attributes: 0x10, ..one() }.bytes()),
        ("a producer without a sequence", Batch { producer_id: 5, producer_epoch: 0, ..one() }.bytes()),
        ("a negative epoch", Batch { producer_id: 5, producer_epoch: -1, base_sequence: 0, ..one() }.bytes()),
        ("a sequence without a producer", Batch { base_sequence: 3, ..one() }.bytes()),
        ("time -1", Batch { time_ms: -1, ..one() }.bytes()),
        ("time -2", Batch { time_ms: -2, ..one() }.bytes()),
        ("time far ahead", Batch { time_ms: 9_000_000_000_000, ..one() }.bytes()),
        ("no key", keyless.bytes()),
        ("too large", long.bytes()),
    ];
    for (topic, configs) in [
        ("plain-batches", vec![]),
        ("compacted-batches", vec![("cleanup.policy", "compact")]),
        ("append-time-batches", vec![("message.timestamp.type", "LogAppendTime")]),
        ("zstd-batches", vec![("compression.type", "zstd")]),
    ] {
        side.topic(topic, 1, &configs)?;
        for version in [3, 5, 7, 8, 9, 12, 13] {
            // It is a megabyte each time.
            for (label, records) in kinds.iter().filter(|(label, _)| *label != "too large" || version == 13) {
                // What one side takes and the other does not must not move the offsets of what follows.
                let odd = format!("{}-{}", topic, label.replace(' ', "-"));
                let topic = if ODD.contains(label) { odd.as_str() } else { topic };
                if ODD.contains(label) && version == 3 {
                    side.topic(topic, 1, &configs)?;
                }
                let body = produced(side, version, topic, &[(0, json!(hex(records)))])?;
                side.ask(&format!("{label} to {topic}"), 1, "Produce", version, &body)?;
            }
        }
    }
    for version in [3, 8, 10, 12, 13] {
        let good = json!(Batch::of(1).hex());
        let mixed =
            produced(side, version, "plain-batches", &[(0, good.clone()), (9, good.clone()), (-1, good.clone())])?;
        side.ask("known and unknown partitions", 1, "Produce", version, &mixed)?;
        let twice = produced(side, version, "plain-batches", &[(0, good.clone()), (0, good.clone())])?;
        side.ask("a partition twice", 1, "Produce", version, &twice)?;
        let body = produced(side, version, "plain-batches", &[(0, good.clone())])?;
        side.ask("not the leader", 2, "Produce", version, &body)?;
    }
    Ok(())
}

fn acks(side: &mut Side) -> Outcome {
    side.topic("acknowledged", 1, &[])?;
    side.topic("lonely", 1, &[("min.insync.replicas", "4")])?;
    for version in 3..=13 {
        for acks in [1, -1, 0, 2, -2, i16::MIN, i16::MAX] {
            for topic in ["acknowledged", "lonely"] {
                let mut body = produced(side, version, topic, &[(0, json!(Batch::of(1).hex()))])?;
                body["Acks"] = json!(acks);
                side.ask_unanswered(&format!("acks {acks} to {topic}"), 1, "Produce", version, &body)?;
            }
        }
        // What goes wrong with acks=0 closes the connection.
        let mut body = produced(side, version, "acknowledged", &[(7, json!(Batch::of(1).hex()))])?;
        body["Acks"] = json!(0);
        side.ask_unanswered("acks 0 to an unknown partition", 1, "Produce", version, &body)?;
        side.ask_unanswered("acks 0 to another broker", 3, "Produce", version, &body)?;
    }
    Ok(())
}

fn idempotent(side: &mut Side) -> Outcome {
    for version in [3, 7, 9, 12, 13] {
        side.anew();
        let topic = side.fresh("sequenced");
        side.topic(&topic, 1, &[])?;
        let first = side.ask(
            "producer id",
            1,
            "InitProducerId",
            4,
            &json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000}),
        )?;
        let id = first["ProducerId"].as_i64().unwrap_or(-1);
        for (label, epoch, sequence) in [
            ("first", 0, 0),
            ("first again", 0, 0),
            ("gap", 0, 2),
            ("second", 0, 1),
            ("third", 0, 2),
            ("fourth", 0, 3),
            ("fifth", 0, 4),
            ("sixth", 0, 5),
            ("duplicate of the last", 0, 5),
            ("duplicate of the third", 0, 2),
            ("duplicate of the first, forgotten", 0, 0),
            ("a new epoch not from 0", 1, 5),
            ("a new epoch", 1, 0),
            ("the old epoch", 0, 6),
            ("the old epoch's duplicate", 0, 5),
            ("the new epoch's second", 1, 1),
            ("the largest sequence", 1, i32::MAX),
        ] {
            let body = produced(side, version, &topic, &[(0, json!(Batch::sequenced(id, epoch, sequence).hex()))])?;
            side.ask(label, 1, "Produce", version, &body)?;
        }
        for (label, id, sequence) in [
            ("unknown producer from 0", 900_001, 0),
            ("unknown producer from 5", 900_002, 5),
            ("two batches", 900_003, 0),
        ] {
            let records = match label {
                "two batches" => [Batch::sequenced(id, 0, 0).bytes(), Batch::sequenced(id, 0, 1).bytes()].concat(),
                _ => Batch::sequenced(id, 0, sequence).bytes(),
            };
            let body = produced(side, version, &topic, &[(0, json!(hex(&records)))])?;
            side.ask(label, 1, "Produce", version, &body)?;
        }
        let transactional = Batch { attributes: 0x10, ..Batch::sequenced(id, 2, 0) };
        let mut body = produced(side, version, &topic, &[(0, json!(transactional.hex()))])?;
        side.ask("transactional without an id", 1, "Produce", version, &body)?;
        body["TransactionalId"] = json!("nobody");
        if version < 12 && super::is_offered("EndTxn") {
            side.ask("transactional with an unknown id", 1, "Produce", version, &body)?;
        }
        body = produced(side, version, &topic, &[(0, json!(Batch::sequenced(id, 2, 0).hex()))])?;
        body["TransactionalId"] = json!("nobody");
        side.ask("an id for what is not transactional", 1, "Produce", version, &body)?;
    }
    Ok(())
}

pub(super) fn fetched(side: &mut Side, version: i16, topic: &str, offset: i64) -> Outcome<Value> {
    let mut entry = named(side, version, 13, "Topic", topic)?;
    entry["Partitions"] = json!([{"Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": 1_000_000}]);
    Ok(json!({"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1_000_000, "Topics": [entry]}))
}

/// Waits until what was written is committed, so that all may be read.
pub(super) fn committed(side: &mut Side, topic: &str, offset: i64) -> Outcome {
    let body =
        json!({"Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}], "ReplicaId": -1});
    side.wait(1, "the high watermark", "ListOffsets", 4, &body, |answer| {
        answer["Topics"][0]["Partitions"][0]["Offset"] == offset
    })?;
    Ok(())
}

pub(super) fn ten_batches(side: &mut Side, topic: &str) -> Outcome {
    for number in 0..10 {
        write(side, topic, &Batch { time_ms: TIME_MS + 1000 * number, ..Batch::of(2) })?;
    }
    committed(side, topic, 20)
}

fn fetch(side: &mut Side) -> Outcome {
    side.topic("fetched", 1, &[])?;
    ten_batches(side, "fetched")?;
    // Sessions have a case of their own. Who fetches as a replica, does not come in by a client's port with us.
    let skipped = ["MaxWaitMs", "SessionId", "SessionEpoch", "ReplicaId", "ReplicaState"];
    Sweep::of("Fetch").without(&skipped).play(side, |side, version| {
        let mut body = fetched(side, version, "fetched", 17)?;
        body["Topics"][0]["Partitions"][0]["CurrentLeaderEpoch"] = json!(0);
        body["ForgottenTopicsData"] = json!([]);
        Ok(body)
    })
}

fn fetched_offsets(side: &mut Side) -> Outcome {
    for version in 4..=18 {
        for offset in [0, 1, 2, 19, 20, 21, -1, i64::MAX] {
            let body = fetched(side, version, "fetched", offset)?;
            side.ask(&format!("from {offset}"), 1, "Fetch", version, &body)?;
        }
        for (label, max, partition_max) in [
            ("one byte", 1, 1),
            ("three batches", 300, 300),
            ("nothing", 0, 0),
            ("request's limit", 250, 1000),
            ("partition's limit", 1000, 250),
        ] {
            let mut body = fetched(side, version, "fetched", 0)?;
            body["MaxBytes"] = json!(max);
            body["Topics"][0]["Partitions"][0]["PartitionMaxBytes"] = json!(partition_max);
            side.ask(label, 1, "Fetch", version, &body)?;
        }
        let mut body = fetched(side, version, "fetched", 5)?;
        side.ask("not the leader", 2, "Fetch", version, &body)?;
        for epoch in [0, 1, 7, -1, -2] {
            body["Topics"][0]["Partitions"][0]["CurrentLeaderEpoch"] = json!(epoch);
            body["Topics"][0]["Partitions"][0]["LastFetchedEpoch"] = json!(epoch);
            side.ask(&format!("leader epoch and last epoch {epoch}"), 1, "Fetch", version, &body)?;
        }
        body = fetched(side, version, "fetched", 5)?;
        body["IsolationLevel"] = json!(1);
        side.ask("read committed", 1, "Fetch", version, &body)?;
        if version >= 11 {
            body["RackId"] = json!("b");
            side.ask("from another zone", 1, "Fetch", version, &body)?;
        }
    }
    Ok(())
}

fn fetch_session(side: &mut Side) -> Outcome {
    side.topic("fetched-too", 1, &[])?;
    for version in 7..=18 {
        let mut body = fetched(side, version, "fetched", 18)?;
        let other = fetched(side, version, "fetched-too", 0)?["Topics"][0].clone();
        let ask = |side: &mut Side, label: &str, mut body: Value, id: &Value, epoch: i32| {
            body["SessionId"] = id.clone();
            body["SessionEpoch"] = json!(epoch);
            side.ask(label, 1, "Fetch", version, &body)
        };
        let id = ask(side, "opens", body.clone(), &json!(0), 0)?["SessionId"].clone();
        let none = json!({"MaxWaitMs": 0, "Topics": []});
        ask(side, "nothing new", none.clone(), &id, 1)?;
        ask(side, "the same epoch again", none.clone(), &id, 1)?;
        ask(side, "an epoch too far", none.clone(), &id, 5)?;
        ask(side, "an unknown session", none.clone(), &json!(12345), 1)?;
        body["Topics"] = json!([other]);
        ask(side, "another partition", body.clone(), &id, 2)?;
        let mut forget = none.clone();
        let mut forgotten = named(side, version, 13, "Topic", "fetched-too")?;
        forgotten["Partitions"] = json!([0]);
        forget["ForgottenTopicsData"] = json!([forgotten]);
        ask(side, "forgets one", forget, &id, 3)?;
        let moved = fetched(side, version, "fetched", 0)?;
        ask(side, "moves back", moved, &id, 4)?;
        let mut unknown = fetched(side, version, "fetched", 0)?;
        unknown["Topics"][0]["Partitions"][0]["Partition"] = json!(5);
        ask(side, "an unknown partition", unknown.clone(), &id, 5)?;
        ask(side, "the unknown partition again", none.clone(), &id, 6)?;
        ask(side, "begins anew", unknown, &id, 0)?;
        ask(side, "the old one", none.clone(), &id, 7)?;
        let closed = fetched(side, version, "fetched", 0)?;
        ask(side, "closes", closed.clone(), &id, -1)?;
        ask(side, "without a session", closed.clone(), &json!(0), -1)?;
        ask(side, "a session with no partitions", none.clone(), &json!(0), 0)?;
        ask(side, "a negative epoch", closed, &json!(0), -2)?;
    }
    Ok(())
}

fn list_offsets(side: &mut Side) -> Outcome {
    Sweep::of("ListOffsets").without(&["TimeoutMs", "ReplicaId"]).play(side, |_, _| {
        let partition = json!({"PartitionIndex": 0, "CurrentLeaderEpoch": 0, "Timestamp": TIME_MS + 2500});
        Ok(json!({"ReplicaId": -1, "Topics": [{"Name": "fetched", "Partitions": [partition]}]}))
    })
}

fn listed_offsets(side: &mut Side) -> Outcome {
    side.topic("empty", 1, &[])?;
    for version in 1..=11 {
        for topic in ["fetched", "empty"] {
            for time in [-1, -2, -3, -4, -5, -6, -7, 0, TIME_MS, TIME_MS + 1, TIME_MS + 9001, TIME_MS + 9002, i64::MAX]
            {
                for isolation in [0, 1] {
                    let partition = json!({"PartitionIndex": 0, "Timestamp": time});
                    let body = json!({"ReplicaId": -1, "IsolationLevel": isolation, "Topics": [{"Name": topic, "Partitions": [partition]}]});
                    side.ask(&format!("{topic} at {time}, isolation {isolation}"), 1, "ListOffsets", version, &body)?;
                }
            }
        }
        let at = |index: i32| json!({"PartitionIndex": index, "Timestamp": -1});
        for (label, broker, partitions) in [
            ("not the leader", 2, json!([at(0)])),
            ("a partition twice", 1, json!([at(0), at(0), at(3)])),
            ("an unknown partition", 1, json!([at(3), at(0), at(-1)])),
        ] {
            let body = json!({"ReplicaId": -1, "Topics": [{"Name": "fetched", "Partitions": partitions}]});
            side.ask(label, broker, "ListOffsets", version, &body)?;
        }
        for replica in [-2, -3] {
            let body = json!({"ReplicaId": replica, "Topics": [{"Name": "fetched", "Partitions": [at(0)]}]});
            side.ask(&format!("replica {replica}"), 2, "ListOffsets", version, &body)?;
        }
    }
    Ok(())
}

fn leader_epochs(side: &mut Side) -> Outcome {
    Sweep::of("OffsetForLeaderEpoch").without(&["ReplicaId"]).play(side, |_, _| {
        let partition = json!({"Partition": 0, "CurrentLeaderEpoch": 0, "LeaderEpoch": 0});
        Ok(json!({"ReplicaId": -1, "Topics": [{"Topic": "fetched", "Partitions": [partition]}]}))
    })?;
    for version in 2..=4 {
        for epoch in [0, 1, 5, -1, -2] {
            let partition = json!({"Partition": 0, "CurrentLeaderEpoch": -1, "LeaderEpoch": epoch});
            let body = json!({"ReplicaId": -1, "Topics": [{"Topic": "fetched", "Partitions": [partition]}]});
            for broker in [1, 2] {
                side.ask(&format!("epoch {epoch} at {broker}"), broker, "OffsetForLeaderEpoch", version, &body)?;
            }
        }
    }
    Ok(())
}

fn delete_records(side: &mut Side) -> Outcome {
    side.topic("shortened", 1, &[])?;
    ten_batches(side, "shortened")?;
    Sweep::of("DeleteRecords").without(&["TimeoutMs", "Offset"]).play(side, |_, _| {
        Ok(json!({"Topics": [{"Name": "shortened", "Partitions": [{"PartitionIndex": 0, "Offset": 3}]}], "TimeoutMs": 30_000}))
    })
}

fn deleted_records(side: &mut Side) -> Outcome {
    side.topic("compact-only", 1, &[("cleanup.policy", "compact")])?;
    for version in 0..=2 {
        let topic = side.fresh("cut");
        side.topic(&topic, 1, &[])?;
        ten_batches(side, &topic)?;
        for (label, topic, broker, index, offset) in [
            ("to 5", topic.as_str(), 1, 0, 5),
            ("to 4", &topic, 1, 0, 4),
            ("past the end", &topic, 1, 0, 21),
            ("negative", &topic, 1, 0, -2),
            ("not the leader", &topic, 3, 0, 6),
            ("unknown partition", &topic, 1, 8, 6),
            ("unknown topic", "nobody", 1, 0, 6),
            ("compacted", "compact-only", 1, 0, 0),
            ("to the high watermark", &topic, 1, 0, -1),
        ] {
            let body = json!({"Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": index, "Offset": offset}]}], "TimeoutMs": 30_000});
            side.ask(label, broker, "DeleteRecords", version, &body)?;
        }
        let body = fetched(side, 12, &topic, 3)?;
        side.ask(&format!("what was deleted by {version}"), 1, "Fetch", 12, &body)?;
        let body = json!({"ReplicaId": -1, "Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -2}]}]});
        side.ask(&format!("earliest after {version}"), 1, "ListOffsets", 7, &body)?;
    }
    Ok(())
}

fn init_producer_id(side: &mut Side) -> Outcome {
    // With a transactional id it is asked in the cases of transactions.
    Sweep::of("InitProducerId").without(&["TransactionalId"]).play(side, |_, _| {
        Ok(json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000, "ProducerId": -1, "ProducerEpoch": -1}))
    })?;
    for version in 0..=5 {
        side.ask(
            "an empty transactional id",
            1,
            "InitProducerId",
            version,
            &json!({"TransactionalId": "", "TransactionTimeoutMs": 60_000}),
        )?;
    }
    Ok(())
}

fn describe_log_dirs(side: &mut Side) -> Outcome {
    // All partitions of a broker are those that chance placed there.
    Sweep::of("DescribeLogDirs")
        .except(&["Topics = null"])
        .play(side, |_, _| Ok(json!({"Topics": [{"Topic": "fetched", "Partitions": [0]}]})))
}

fn alter_replica_log_dirs(side: &mut Side) -> Outcome {
    Sweep::of("AlterReplicaLogDirs").play(side, |_, _| {
        Ok(json!({"Dirs": [{"Path": "/no/such/directory", "Topics": [{"Name": "fetched", "Partitions": [0]}]}]}))
    })
}
