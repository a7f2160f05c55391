//! Transactions (KIP-98, KIP-360, KIP-447, KIP-664, KIP-890): played as soon as we offer their APIs.

use serde_json::{Value, json};

use super::data::produced;
use super::groups::{alone, leave_all};
use super::{Case, is_offered};
use crate::conformance::mutate::Sweep;
use crate::conformance::records::Batch;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of InitProducerId with an id", play: init_producer_id },
    Case { name: "each field of AddPartitionsToTxn", play: add_partitions },
    Case { name: "each field of AddOffsetsToTxn", play: add_offsets },
    Case { name: "each field of TxnOffsetCommit", play: txn_offset_commit },
    Case { name: "each field of EndTxn", play: end_txn },
    Case { name: "each field of DescribeProducers", play: describe_producers },
    Case { name: "each field of DescribeTransactions", play: describe_transactions },
    Case { name: "each field of ListTransactions", play: list_transactions },
    Case { name: "a transaction's life", play: life },
    Case { name: "fenced producers", play: fenced },
    Case { name: "offsets in a transaction", play: offsets },
];

/// A transactional id with its producer.
struct Producer {
    transactional: String,
    at: i32,
    id: Value,
    epoch: Value,
}

impl Producer {
    fn of(side: &mut Side, transactional: &str) -> Outcome<Producer> {
        let at = side.coordinator(transactional, 1)?;
        let body = json!({"TransactionalId": transactional, "TransactionTimeoutMs": 60_000});
        // Until the coordinator has its partition and what was begun before is at its end.
        let retried = |answer: &Value| ![14, 15, 16, 51].contains(&answer["ErrorCode"].as_i64().unwrap_or_default());
        let answer = side.wait(at, "a producer id", "InitProducerId", 4, &body, retried)?;
        let (id, epoch) = (answer["ProducerId"].clone(), answer["ProducerEpoch"].clone());
        Ok(Producer { transactional: transactional.to_owned(), at, id, epoch })
    }

    fn body(&self) -> Value {
        json!({"TransactionalId": self.transactional, "ProducerId": self.id, "ProducerEpoch": self.epoch})
    }

    fn with(&self, more: &Value) -> Value {
        let mut body = self.body();
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        body
    }

    /// AddPartitionsToTxn in the shape of a version.
    fn add(&self, version: i16, topics: &Value) -> Value {
        match version {
            4.. => json!({"Transactions": [self.with(&json!({"VerifyOnly": false, "Topics": topics}))]}),
            _ => json!({"V3AndBelowTransactionalId": self.transactional, "V3AndBelowProducerId": self.id,
                "V3AndBelowProducerEpoch": self.epoch, "V3AndBelowTopics": topics}),
        }
    }

    /// A batch of its transaction.
    fn batch(&self, sequence: i32) -> Batch {
        let id = self.id.as_i64().unwrap_or(-1);
        let epoch = self.epoch.as_i64().unwrap_or(-1) as i16;
        Batch { attributes: 0x10, ..Batch::sequenced(id, epoch, sequence) }
    }

    fn end(&self, side: &mut Side, committed: bool) -> Outcome {
        let body = self.with(&json!({"Committed": committed}));
        side.wait(self.at, "the end of the transaction", "EndTxn", 3, &body, |answer| answer["ErrorCode"] != 51)?;
        Ok(())
    }
}

fn one_topic(topic: &str) -> Value {
    json!([{"Name": topic, "Partitions": [0]}])
}

fn init_producer_id(side: &mut Side) -> Outcome {
    if !is_offered("EndTxn") {
        return Ok(());
    }
    let producer = Producer::of(side, "swept producer")?;
    // Kafka waits no longer than the transaction may last for its record: in one millisecond that goes either way.
    let sweep = Sweep::of("InitProducerId").at(producer.at).without(&["TransactionalId"]);
    sweep.except(&["TransactionTimeoutMs = 1"]).play(side, |side, version| {
        let producer = Producer::of(side, "swept producer")?;
        let body = json!({"TransactionalId": "swept producer", "TransactionTimeoutMs": 60_000});
        Ok(if version >= 3 { producer.with(&body) } else { body })
    })
}

fn add_partitions(side: &mut Side) -> Outcome {
    if !is_offered("AddPartitionsToTxn") {
        return Ok(());
    }
    side.topic("transacted", 1, &[])?;
    let producer = Producer::of(side, "adds partitions")?;
    let names = ["TransactionalId", "V3AndBelowTransactionalId"];
    Sweep::of("AddPartitionsToTxn").at(producer.at).without(&names).play(side, |side, version| {
        producer.end(side, false)?;
        let producer = Producer::of(side, "adds partitions")?;
        Ok(producer.add(version, &one_topic("transacted")))
    })
}

fn add_offsets(side: &mut Side) -> Outcome {
    if !is_offered("AddOffsetsToTxn") {
        return Ok(());
    }
    let producer = Producer::of(side, "adds offsets")?;
    Sweep::of("AddOffsetsToTxn").at(producer.at).without(&["TransactionalId"]).play(side, |side, _| {
        let producer = Producer::of(side, "adds offsets")?;
        Ok(producer.with(&json!({"GroupId": "transacted group"})))
    })
}

fn txn_offset_commit(side: &mut Side) -> Outcome {
    if !is_offered("TxnOffsetCommit") {
        return Ok(());
    }
    let at = side.coordinator("transacted group", 0)?;
    // A small id may be somebody's, on one of the sides.
    let sweep = Sweep::of("TxnOffsetCommit").at(at).without(&["GroupId", "TransactionalId"]);
    sweep.except(&["ProducerId = 1"]).play(side, |side, _| {
        let producer = Producer::of(side, "commits offsets")?;
        let add = producer.with(&json!({"GroupId": "transacted group"}));
        side.send(producer.at, "AddOffsetsToTxn", 3, &add)?;
        let partition = json!({"PartitionIndex": 0, "CommittedOffset": 4, "CommittedMetadata": "m"});
        let topics = json!([{"Name": "fetched", "Partitions": [partition]}]);
        Ok(producer.with(&json!({"GroupId": "transacted group", "MemberId": "", "Topics": topics})))
    })
}

fn end_txn(side: &mut Side) -> Outcome {
    if !is_offered("EndTxn") {
        return Ok(());
    }
    let producer = Producer::of(side, "ends")?;
    // Ended once more while the markers are on their way, it is CONCURRENT_TRANSACTIONS; afterwards it is done already.
    Sweep::of("EndTxn").at(producer.at).without(&["TransactionalId"]).seeding_last().play(side, |side, _| {
        let producer = Producer::of(side, "ends")?;
        let add = producer.add(3, &one_topic("transacted"));
        side.wait(producer.at, "a partition in the transaction", "AddPartitionsToTxn", 3, &add, |answer| {
            answer["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"][0]["PartitionErrorCode"] == 0
        })?;
        Ok(producer.with(&json!({"Committed": true})))
    })
}

fn describe_producers(side: &mut Side) -> Outcome {
    if !is_offered("DescribeProducers") {
        return Ok(());
    }
    Sweep::of("DescribeProducers")
        .without_internal()
        .play(side, |_, _| Ok(json!({"Topics": [{"Name": "sequenced-1", "PartitionIndexes": [0]}]})))?;
    let body = json!({"Topics": [{"Name": "sequenced-1", "PartitionIndexes": [0, 0, 7]}, {"Name": "nobody", "PartitionIndexes": [0]}]});
    for broker in [1, 2] {
        side.ask(&format!("at broker {broker}"), broker, "DescribeProducers", 0, &body)?;
    }
    Ok(())
}

fn describe_transactions(side: &mut Side) -> Outcome {
    if !is_offered("DescribeTransactions") {
        return Ok(());
    }
    let producer = Producer::of(side, "described producer")?;
    Sweep::of("DescribeTransactions")
        .at(producer.at)
        .without(&["TransactionalIds[0]"])
        .play(side, |_, _| Ok(json!({"TransactionalIds": ["described producer"]})))
}

fn list_transactions(side: &mut Side) -> Outcome {
    if !is_offered("ListTransactions") {
        return Ok(());
    }
    Sweep::of("ListTransactions").without(&["DurationFilter"]).play(side, |_, version| {
        let mut body = json!({"StateFilters": ["Dead"], "ProducerIdFilters": [987_654_321], "DurationFilter": -1});
        if version >= 2 {
            body["TransactionalIdPattern"] = json!("nobody.*");
        }
        Ok(body)
    })?;
    for version in 0..=2 {
        for states in [json!(["Happy"]), json!(["Ongoing"]), json!(["ongoing"])] {
            let body = json!({"StateFilters": states});
            side.ask(&format!("states {states}"), 1, "ListTransactions", version, &body)?;
        }
    }
    for pattern in ["(", "no such id", "described prod.*", ""] {
        let body = json!({"TransactionalIdPattern": pattern, "StateFilters": ["Empty"], "ProducerIdFilters": [1]});
        side.ask(&format!("pattern {pattern}"), 1, "ListTransactions", 2, &body)?;
    }
    Ok(())
}

fn read_both(side: &mut Side, label: &str, topic: &str) -> Outcome {
    for isolation in [0, 1] {
        let partition = json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1_000_000});
        let body = json!({"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1_000_000, "IsolationLevel": isolation,
            "Topics": [{"Topic": topic, "Partitions": [partition]}]});
        side.ask(&format!("{label}, isolation {isolation}"), 1, "Fetch", 11, &body)?;
        let partition = json!({"PartitionIndex": 0, "Timestamp": -1});
        let body = json!({"ReplicaId": -1, "IsolationLevel": isolation, "Topics": [{"Name": topic, "Partitions": [partition]}]});
        side.ask(&format!("{label}, end, isolation {isolation}"), 1, "ListOffsets", 7, &body)?;
    }
    Ok(())
}

/// Waits until what was written, markers too, may be read.
fn stable(side: &mut Side, topic: &str, offset: i64) -> Outcome {
    let partition = json!({"PartitionIndex": 0, "Timestamp": -1});
    let body = json!({"ReplicaId": -1, "IsolationLevel": 1, "Topics": [{"Name": topic, "Partitions": [partition]}]});
    side.wait(1, "the last stable offset", "ListOffsets", 7, &body, |answer| {
        answer["Topics"][0]["Partitions"][0]["Offset"] == offset
    })?;
    Ok(())
}

fn life(side: &mut Side) -> Outcome {
    if !is_offered("EndTxn") {
        return Ok(());
    }
    for version in 0..=4 {
        for committed in [true, false] {
            side.anew();
            let topic = side.fresh("transactions");
            side.topic(&topic, 1, &[])?;
            let transactional = side.fresh("producer");
            let producer = Producer::of(side, &transactional)?;
            let how = format!("{version} {committed}");
            let end = producer.with(&json!({"Committed": committed}));
            let describe = json!({"TransactionalIds": [transactional]});
            side.ask(&format!("ends before it begins {how}"), producer.at, "EndTxn", version, &end)?;
            side.ask(&format!("is described {how}"), producer.at, "DescribeTransactions", 0, &describe)?;
            let records = json!(producer.batch(0).hex());
            let mut body = produced(side, 9, &topic, &[(0, records)])?;
            body["TransactionalId"] = json!(transactional);
            side.ask(&format!("writes before it begins {how}"), 1, "Produce", 9, &body)?;
            let add_version = version.min(3);
            let add = producer.add(add_version, &one_topic(&topic));
            side.ask(&format!("adds {how}"), producer.at, "AddPartitionsToTxn", add_version, &add)?;
            side.ask(&format!("adds again {how}"), producer.at, "AddPartitionsToTxn", add_version, &add)?;
            let unknown = producer.add(
                add_version,
                &json!([{"Name": topic, "Partitions": [0, 9]}, {"Name": "nobody", "Partitions": [0]}]),
            );
            side.ask(&format!("adds what is not {how}"), producer.at, "AddPartitionsToTxn", add_version, &unknown)?;
            side.ask(&format!("writes {how}"), 1, "Produce", 9, &body)?;
            stable(side, &topic, 0)?;
            read_both(side, &format!("is read while open {how}"), &topic)?;
            side.ask(&format!("ends {how}"), producer.at, "EndTxn", version, &end)?;
            stable(side, &topic, 2)?;
            side.wait(producer.at, "the end", "DescribeTransactions", 0, &describe, |answer| {
                let state = answer["TransactionStates"][0]["TransactionState"].as_str();
                state.is_some_and(|state| state.starts_with("Complete"))
            })?;
            side.ask(&format!("ends again {how}"), producer.at, "EndTxn", version, &end)?;
            let other = producer.with(&json!({"Committed": !committed}));
            side.ask(&format!("ends otherwise {how}"), producer.at, "EndTxn", version, &other)?;
            read_both(side, &format!("is read when ended {how}"), &topic)?;
            side.ask(&format!("writes when ended {how}"), 1, "Produce", 9, &body)?;
        }
    }
    Ok(())
}

fn fenced(side: &mut Side) -> Outcome {
    if !is_offered("EndTxn") {
        return Ok(());
    }
    side.anew();
    side.topic("fenced", 1, &[])?;
    let old = Producer::of(side, "fenced producer")?;
    side.send(old.at, "AddPartitionsToTxn", 3, &old.add(3, &one_topic("fenced")))?;
    let new = Producer::of(side, "fenced producer")?;
    for version in 0..=3 {
        let add = old.add(version, &one_topic("fenced"));
        side.ask("the old one adds", old.at, "AddPartitionsToTxn", version, &add)?;
        let offsets = old.with(&json!({"GroupId": "transacted group"}));
        side.ask("the old one adds offsets", old.at, "AddOffsetsToTxn", version, &offsets)?;
        side.ask("the old one ends", old.at, "EndTxn", version, &old.with(&json!({"Committed": true})))?;
    }
    let mut wrong = new.body();
    wrong["ProducerId"] = json!(987_654_321);
    for version in 0..=3 {
        let body = json!({"Committed": true, "TransactionalId": "fenced producer", "ProducerId": 987_654_321, "ProducerEpoch": 0});
        side.ask("another id ends", old.at, "EndTxn", version, &body)?;
    }
    for version in 3..=5 {
        let body = old.with(&json!({"TransactionTimeoutMs": 60_000}));
        side.ask("the old one begins anew", old.at, "InitProducerId", version, &body)?;
        wrong["TransactionTimeoutMs"] = json!(60_000);
        side.ask("another id begins anew", old.at, "InitProducerId", version, &wrong)?;
    }
    for (label, time) in [("too long", i32::MAX), ("0", 0), ("negative", -1)] {
        let body = json!({"TransactionalId": "fenced producer", "TransactionTimeoutMs": time});
        side.ask(&format!("a time-out that is {label}"), old.at, "InitProducerId", 4, &body)?;
    }
    Ok(())
}

fn offsets(side: &mut Side) -> Outcome {
    if !is_offered("TxnOffsetCommit") {
        return Ok(());
    }
    for version in 0..=4 {
        for committed in [true, false] {
            side.anew();
            let one = alone(side, "transacting")?;
            let transactional = side.fresh("offsets producer");
            let producer = Producer::of(side, &transactional)?;
            let how = format!("{version} {committed}");
            let partition = json!({"PartitionIndex": 0, "CommittedOffset": 4, "CommittedMetadata": "m"});
            let topics = json!([{"Name": "fetched", "Partitions": [partition]}]);
            let mut commit = producer.with(&json!({"GroupId": one.group, "Topics": topics}));
            side.ask(&format!("commits before it begins {how}"), one.at, "TxnOffsetCommit", version, &commit)?;
            let add = producer.with(&json!({"GroupId": one.group}));
            side.ask(&format!("adds offsets {how}"), producer.at, "AddOffsetsToTxn", version.min(3), &add)?;
            side.ask(&format!("commits {how}"), one.at, "TxnOffsetCommit", version, &commit)?;
            if version >= 3 {
                for (label, member, generation) in [
                    ("its member", one.member.clone(), one.generation.clone()),
                    ("an unknown member", json!("nobody"), one.generation.clone()),
                    ("another generation", one.member.clone(), json!(77)),
                ] {
                    commit["MemberId"] = member;
                    commit["GenerationId"] = generation;
                    side.ask(&format!("commits as {label} {how}"), one.at, "TxnOffsetCommit", version, &commit)?;
                }
            }
            for stable in [false, true] {
                let group = json!({"GroupId": one.group, "Topics": [{"Name": "fetched", "PartitionIndexes": [0]}]});
                let label = format!("what is committed while it is open, stable {stable} {how}");
                side.ask(&label, one.at, "OffsetFetch", 8, &json!({"Groups": [group], "RequireStable": stable}))?;
            }
            let end = producer.with(&json!({"Committed": committed}));
            side.ask(&format!("ends {how}"), producer.at, "EndTxn", version, &end)?;
            let group = json!({"GroupId": one.group, "Topics": [{"Name": "fetched", "PartitionIndexes": [0]}]});
            let body = json!({"Groups": [group], "RequireStable": true});
            side.wait(one.at, "the end", "OffsetFetch", 8, &body, |answer| {
                answer["Groups"][0]["Topics"][0]["Partitions"][0]["ErrorCode"] == 0
            })?;
            side.ask(&format!("what is committed after {how}"), one.at, "OffsetFetch", 8, &body)?;
            leave_all(side, &one.group, one.at)?;
        }
    }
    Ok(())
}
