//! Groups of the consumer protocol (KIP-848), and OffsetDelete (KIP-496).

use serde_json::{Value, json};

use super::groups::{alone, leave_all};
use super::{Case, is_offered};
use crate::conformance::codec::hex;
use crate::conformance::mutate::Sweep;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of ConsumerGroupHeartbeat", play: heartbeat },
    Case { name: "a consumer's life", play: life },
    Case { name: "consumers that are refused", play: refused },
    Case { name: "static consumers", play: static_consumers },
    Case { name: "from classic to consumer and back", play: migration },
    Case { name: "each field of ConsumerGroupDescribe", play: describe },
    Case { name: "each field of OffsetDelete", play: offset_delete },
    Case { name: "deleted offsets", play: deleted_offsets },
];

const HEARTBEAT: &str = "ConsumerGroupHeartbeat";

fn joining(group: &str, member: &str) -> Value {
    json!({"GroupId": group, "MemberId": member, "MemberEpoch": 0, "RebalanceTimeoutMs": 30_000,
        "SubscribedTopicNames": ["fetched"], "TopicPartitions": []})
}

fn beat(group: &str, member: &str, epoch: i32) -> Value {
    json!({"GroupId": group, "MemberId": member, "MemberEpoch": epoch})
}

/// All members leave.
fn empty(side: &mut Side, group: &str, at: i32) -> Outcome {
    let described = side.send(at, "ConsumerGroupDescribe", 0, &json!({"GroupIds": [group]}))?;
    for member in described["Groups"][0]["Members"].as_array().cloned().unwrap_or_default() {
        let id = member["MemberId"].as_str().unwrap_or_default();
        side.send(at, HEARTBEAT, 0, &beat(group, id, -1))?;
    }
    Ok(())
}

fn heartbeat(side: &mut Side) -> Outcome {
    if !is_offered(HEARTBEAT) {
        return Ok(());
    }
    let at = side.coordinator("swept consumers", 0)?;
    // Each joins a group that is empty again.
    Sweep::of(HEARTBEAT).at(at).without(&["GroupId"]).play(side, |side, _| {
        empty(side, "swept consumers", at)?;
        Ok(joining("swept consumers", "member-1"))
    })?;
    empty(side, "swept consumers", at)?;
    // And each goes on as a member of one that it is alone in.
    let epoch = side.send(at, HEARTBEAT, 1, &joining("swept consumers", "member-2"))?["MemberEpoch"].clone();
    Sweep::of(HEARTBEAT)
        .at(at)
        .without(&["GroupId", "SubscribedTopicNames", "SubscribedTopicRegex", "InstanceId", "RackId"])
        .play(side, |_, _| {
            let mut body = beat("swept consumers", "member-2", 0);
            body["MemberEpoch"] = epoch.clone();
            Ok(body)
        })?;
    empty(side, "swept consumers", at)
}

fn life(side: &mut Side) -> Outcome {
    if !is_offered(HEARTBEAT) {
        return Ok(());
    }
    for version in 0..=1 {
        side.anew();
        let group = side.fresh("consumers");
        let at = side.coordinator(&group, 0)?;
        let describe = json!({"GroupIds": [group], "IncludeAuthorizedOperations": true});
        side.ask("is described before", at, "ConsumerGroupDescribe", version, &describe)?;
        let joined = side.ask("joins", at, HEARTBEAT, version, &joining(&group, "member-1"))?;
        let epoch = joined["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
        let mut owning = beat(&group, "member-1", epoch);
        owning["TopicPartitions"] = joined["Assignment"]["TopicPartitions"].clone();
        side.ask("beats with what it has", at, HEARTBEAT, version, &owning)?;
        side.ask("beats", at, HEARTBEAT, version, &beat(&group, "member-1", epoch))?;
        side.ask("is described", at, "ConsumerGroupDescribe", version, &describe)?;
        side.ask(
            &format!("is described as a classic group {version}"),
            at,
            "DescribeGroups",
            5 + version,
            &json!({"Groups": [group]}),
        )?;
        for (label, member, epoch) in [
            ("an unknown member", "nobody", epoch),
            ("an epoch ahead", "member-1", epoch + 1),
            ("an epoch far behind", "member-1", epoch - 1),
            ("a negative epoch", "member-1", -3),
        ] {
            side.ask(&format!("beats, {label}"), at, HEARTBEAT, version, &beat(&group, member, epoch))?;
        }
        for (label, names) in [
            ("another topic", json!(["fetched", "fetched-too"])),
            ("an unknown topic", json!(["nobody"])),
            ("no topic", json!([])),
            ("the first topic", json!(["fetched"])),
        ] {
            let mut body = beat(&group, "member-1", epoch);
            body["SubscribedTopicNames"] = names;
            let answer = side.ask(&format!("subscribes to {label}"), at, HEARTBEAT, version, &body)?;
            // The epoch goes on with each; the next beat must bring the newest.
            let newest = answer["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
            side.ask(&format!("beats after {label}"), at, HEARTBEAT, version, &beat(&group, "member-1", newest))?;
            let described = side.send(at, "ConsumerGroupDescribe", 0, &describe)?;
            let epoch = described["Groups"][0]["Members"][0]["MemberEpoch"].clone();
            side.ask(&format!("is described after {label}"), at, "ConsumerGroupDescribe", version, &describe)?;
            for (who, epoch) in [("in its epoch", epoch), ("in another", json!(77)), ("in none", json!(-1))] {
                let topic = json!({"Name": "fetched", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 3}]});
                let commit = json!({"GroupId": group, "MemberId": "member-1", "GenerationIdOrMemberEpoch": epoch, "Topics": [topic]});
                let label = format!("commits {who} after {label} {version}");
                side.ask(&label, at, "OffsetCommit", 8 + version, &commit)?;
                let asked = json!({"GroupId": group, "MemberId": "member-1", "MemberEpoch": epoch, "Topics": null});
                let label = label.replace("commits", "asks for its offsets");
                side.ask(&label, at, "OffsetFetch", 9, &json!({"Groups": [asked]}))?;
            }
        }
        side.ask(&format!("is deleted too early {version}"), at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;
        side.ask("an unknown member leaves", at, HEARTBEAT, version, &beat(&group, "nobody", -1))?;
        side.ask("leaves", at, HEARTBEAT, version, &beat(&group, "member-1", -1))?;
        side.ask("leaves again", at, HEARTBEAT, version, &beat(&group, "member-1", -1))?;
        side.ask("is described when empty", at, "ConsumerGroupDescribe", version, &describe)?;
        side.ask(&format!("is deleted {version}"), at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;
        side.ask("is described when deleted", at, "ConsumerGroupDescribe", version, &describe)?;
    }
    Ok(())
}

fn refused(side: &mut Side) -> Outcome {
    if !is_offered(HEARTBEAT) {
        return Ok(());
    }
    let group = "choosy consumers";
    let at = side.coordinator(group, 0)?;
    for version in 0..=1 {
        for (label, change) in [
            ("no group", json!({"GroupId": ""})),
            ("a blank group", json!({"GroupId": " "})),
            ("no member", json!({"MemberId": "", "MemberEpoch": 3})),
            ("no time-out", json!({"RebalanceTimeoutMs": -1})),
            ("a time-out of 0", json!({"RebalanceTimeoutMs": 0})),
            ("no topics", json!({"SubscribedTopicNames": null})),
            ("no partitions", json!({"TopicPartitions": null})),
            (
                "partitions that it has",
                json!({"TopicPartitions": [{"TopicId": "00000000000000000000000000000007", "Partitions": [0]}]}),
            ),
            ("an empty instance", json!({"InstanceId": ""})),
            ("an empty rack", json!({"RackId": ""})),
            ("an unknown assignor", json!({"ServerAssignor": "anarchic"})),
            ("an empty assignor", json!({"ServerAssignor": ""})),
            ("a static member that leaves", json!({"MemberEpoch": -2})),
            ("an epoch of -3", json!({"MemberEpoch": -3})),
            ("a member of an unknown group", json!({"MemberEpoch": 5})),
        ] {
            let mut body = joining(group, "member-1");
            for (key, value) in change.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            side.ask(label, at, HEARTBEAT, version, &body)?;
            empty(side, group, at)?;
        }
    }
    for (label, names, regex) in [
        ("a broken pattern", json!(null), "("),
        ("an empty pattern", json!(null), ""),
        ("a pattern and names", json!(["fetched"]), "fetch.*"),
        ("no pattern and no names", json!([]), ""),
    ] {
        let mut body = joining(group, "member-1");
        body["SubscribedTopicNames"] = names;
        body["SubscribedTopicRegex"] = json!(regex);
        side.ask(label, at, HEARTBEAT, 1, &body)?;
        empty(side, group, at)?;
    }
    // A classic group is no consumer group, and the other way round, while it has members.
    let one = alone(side, "classic all the same")?;
    for version in 0..=1 {
        side.ask("into a classic group", one.at, HEARTBEAT, version, &joining(&one.group, "member-1"))?;
        let describe = json!({"GroupIds": [one.group, ""]});
        side.ask("a classic group", one.at, "ConsumerGroupDescribe", version, &describe)?;
    }
    leave_all(side, &one.group, one.at)
}

fn static_consumers(side: &mut Side) -> Outcome {
    if !is_offered(HEARTBEAT) {
        return Ok(());
    }
    for version in 0..=1 {
        side.anew();
        let group = side.fresh("static consumers");
        let at = side.coordinator(&group, 0)?;
        let with = |mut body: Value, instance: &str| {
            body["InstanceId"] = json!(instance);
            body
        };
        let joined = side.ask("joins", at, HEARTBEAT, version, &with(joining(&group, "member-1"), "i"))?;
        let epoch = joined["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
        side.ask("beats", at, HEARTBEAT, version, &with(beat(&group, "member-1", epoch), "i"))?;
        side.ask("beats without its instance", at, HEARTBEAT, version, &beat(&group, "member-1", epoch))?;
        side.ask("beats as another instance", at, HEARTBEAT, version, &with(beat(&group, "member-1", epoch), "j"))?;
        side.ask("another takes its place", at, HEARTBEAT, version, &with(joining(&group, "member-2"), "i"))?;
        side.ask("another beats in its place", at, HEARTBEAT, version, &with(beat(&group, "member-2", epoch), "i"))?;
        side.ask("another leaves in its place", at, HEARTBEAT, version, &with(beat(&group, "member-2", -1), "i"))?;
        side.ask("goes for a while", at, HEARTBEAT, version, &with(beat(&group, "member-1", -2), "i"))?;
        let describe = json!({"GroupIds": [group]});
        side.ask("is described while away", at, "ConsumerGroupDescribe", version, &describe)?;
        side.ask("another comes in its place", at, HEARTBEAT, version, &with(joining(&group, "member-3"), "i"))?;
        side.ask("the one before beats", at, HEARTBEAT, version, &with(beat(&group, "member-1", epoch), "i"))?;
        side.ask("is described", at, "ConsumerGroupDescribe", version, &describe)?;
        side.ask("an unknown instance leaves", at, HEARTBEAT, version, &with(beat(&group, "member-3", -2), "k"))?;
        side.ask("leaves for good", at, HEARTBEAT, version, &with(beat(&group, "member-3", -1), "i"))?;
        side.ask("is described when empty", at, "ConsumerGroupDescribe", version, &describe)?;
    }
    Ok(())
}

/// A subscription of the consumer's embedded protocol, version 1.
fn subscription(topics: &[&str]) -> String {
    let mut bytes = vec![0, 1];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes.extend(0_i32.to_be_bytes());
    hex(&bytes)
}

/// An assignment of one partition, version 1.
fn assignment(topic: &str, partition: i32) -> String {
    let mut bytes = vec![0, 1];
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend((topic.len() as i16).to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend(partition.to_be_bytes());
    bytes.extend((-1_i32).to_be_bytes());
    hex(&bytes)
}

/// A classic member that a consumer joins, and that stays when it goes.
fn migration(side: &mut Side) -> Outcome {
    if !is_offered(HEARTBEAT) {
        return Ok(());
    }
    for version in [3, 5, 9] {
        side.anew();
        let group = side.fresh("migrates");
        let at = side.coordinator(&group, 0)?;
        let sync_version = version.min(5);
        let join = |member: &Value| {
            json!({"GroupId": group, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 5_000, "MemberId": member,
                "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": subscription(&["fetched"])}]})
        };
        let mut joined = side.ask("joins", at, "JoinGroup", version, &join(&json!("")))?;
        if version >= 4 {
            joined = side.ask("joins with its id", at, "JoinGroup", version, &join(&joined["MemberId"]))?;
        }
        let member = joined["MemberId"].clone();
        let sync = |generation: &Value| {
            json!({"GroupId": group, "GenerationId": generation, "MemberId": member, "ProtocolType": "consumer", "ProtocolName": "range",
                "Assignments": [{"MemberId": member, "Assignment": assignment("fetched", 0)}]})
        };
        side.ask(&format!("syncs {version}"), at, "SyncGroup", sync_version, &sync(&joined["GenerationId"]))?;
        side.ask(&format!("a consumer joins {version}"), at, HEARTBEAT, 1, &joining(&group, "member-1"))?;
        let describe = json!({"GroupIds": [group]});
        side.ask(&format!("is described as both {version}"), at, "ConsumerGroupDescribe", 1, &describe)?;
        let classic = json!({"Groups": [group]});
        side.ask(&format!("is described as classic {version}"), at, "DescribeGroups", 5, &classic)?;
        let beat_of = |generation: &Value| json!({"GroupId": group, "GenerationId": generation, "MemberId": member});
        let beats = beat_of(&joined["GenerationId"]);
        side.ask(&format!("the classic member beats {version}"), at, "Heartbeat", 4, &beats)?;
        let again = side.ask("the classic member joins again", at, "JoinGroup", version, &join(&member))?;
        side.ask(&format!("and syncs {version}"), at, "SyncGroup", sync_version, &sync(&again["GenerationId"]))?;
        side.ask(&format!("and beats {version}"), at, "Heartbeat", 4, &beat_of(&again["GenerationId"]))?;
        side.ask(&format!("is described after the sync {version}"), at, "ConsumerGroupDescribe", 1, &describe)?;
        side.ask(&format!("the consumer leaves {version}"), at, HEARTBEAT, 1, &beat(&group, "member-1", -1))?;
        side.ask(
            &format!("is described as a consumer group after {version}"),
            at,
            "ConsumerGroupDescribe",
            1,
            &describe,
        )?;
        side.ask(&format!("is described as classic after {version}"), at, "DescribeGroups", 5, &classic)?;
        let leaving = json!({"GroupId": group, "Members": [{"MemberId": member}]});
        side.ask(&format!("the classic member leaves {version}"), at, "LeaveGroup", 5, &leaving)?;
        side.ask(&format!("is described when empty {version}"), at, "DescribeGroups", 5, &classic)?;
        side.ask(
            &format!("a consumer comes to an empty one {version}"),
            at,
            HEARTBEAT,
            1,
            &joining(&group, "member-2"),
        )?;
        side.ask(&format!("and is described {version}"), at, "ConsumerGroupDescribe", 1, &describe)?;
        side.ask(&format!("a classic one joins it {version}"), at, "JoinGroup", 3, &join(&json!("")))?;
        side.ask(&format!("is described as mixed {version}"), at, "ConsumerGroupDescribe", 1, &describe)?;
        empty(side, &group, at)?;
    }
    Ok(())
}

fn describe(side: &mut Side) -> Outcome {
    if !is_offered("ConsumerGroupDescribe") {
        return Ok(());
    }
    let group = "described consumers";
    let at = side.coordinator(group, 0)?;
    side.send(at, HEARTBEAT, 1, &joining(group, "member-1"))?;
    // Other names have another coordinator.
    Sweep::of("ConsumerGroupDescribe")
        .at(at)
        .without(&["GroupIds[0]"])
        .play(side, |_, _| Ok(json!({"GroupIds": [group], "IncludeAuthorizedOperations": false})))?;
    empty(side, group, at)
}

fn offset_delete(side: &mut Side) -> Outcome {
    if !is_offered("OffsetDelete") {
        return Ok(());
    }
    let group = "forgetful";
    let at = side.coordinator(group, 0)?;
    Sweep::of("OffsetDelete").at(at).without(&["GroupId"]).play(side, |side, _| {
        let topic = json!({"Name": "fetched", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 3}]});
        let commit = json!({"GroupId": group, "GenerationIdOrMemberEpoch": -1, "MemberId": "", "Topics": [topic]});
        side.send(at, "OffsetCommit", 8, &commit)?;
        Ok(json!({"GroupId": group, "Topics": [{"Name": "fetched", "Partitions": [{"PartitionIndex": 0}]}]}))
    })
}

fn deleted_offsets(side: &mut Side) -> Outcome {
    if !is_offered("OffsetDelete") {
        return Ok(());
    }
    let one = alone(side, "forgets")?;
    let topics = json!([{"Name": "fetched", "Partitions": [{"PartitionIndex": 0}, {"PartitionIndex": 9}]},
        {"Name": "nobody", "Partitions": [{"PartitionIndex": 0}]}]);
    let topic = json!({"Name": "fetched", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 3}]});
    let commit = json!({"GroupId": one.group, "GenerationIdOrMemberEpoch": one.generation, "MemberId": one.member, "Topics": [topic]});
    side.send(one.at, "OffsetCommit", 8, &commit)?;
    let kept = json!({"GroupId": one.group, "Topics": null});
    let delete = json!({"GroupId": one.group, "Topics": topics});
    side.ask("while it has a member", one.at, "OffsetDelete", 0, &delete)?;
    side.ask("what is left then", one.at, "OffsetFetch", 7, &kept)?;
    leave_all(side, &one.group, one.at)?;
    side.ask("of an empty group", one.at, "OffsetDelete", 0, &delete)?;
    side.ask("what is left after", one.at, "OffsetFetch", 7, &kept)?;
    side.ask("again", one.at, "OffsetDelete", 0, &delete)?;
    side.ask("of no group", one.at, "OffsetDelete", 0, &json!({"GroupId": "", "Topics": topics}))?;
    let unknown = side.coordinator("unheard of", 0)?;
    side.ask("of an unknown group", unknown, "OffsetDelete", 0, &json!({"GroupId": "unheard of", "Topics": topics}))?;
    Ok(())
}
