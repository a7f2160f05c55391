//! Streams groups (KIP-1071).

use serde_json::{Value, json};

use super::groups::{alone, leave_all};
use super::{Case, is_offered};
use crate::conformance::mutate::Sweep;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of StreamsGroupHeartbeat", play: heartbeat },
    Case { name: "a stream's life", play: life },
    Case { name: "streams that are refused", play: refused },
    Case { name: "topologies", play: topologies },
    Case { name: "streams that others join", play: two_members },
    Case { name: "each field of StreamsGroupDescribe", play: describe },
];

const HEARTBEAT: &str = "StreamsGroupHeartbeat";
const DESCRIBE: &str = "StreamsGroupDescribe";
const TOPIC: &str = "streamed";

/// Whether we offer them; a topic that they read is there then.
fn ready(side: &mut Side) -> Outcome<bool> {
    if !is_offered(HEARTBEAT) {
        return Ok(false);
    }
    if side.topic_id(TOPIC).is_err() {
        side.topic(TOPIC, 3, &[])?;
    }
    Ok(true)
}

/// A part of a topology that only reads.
fn part(id: &str, sources: &[&str]) -> Value {
    json!({"SubtopologyId": id, "SourceTopics": sources, "SourceTopicRegex": [], "StateChangelogTopics": [],
        "RepartitionSinkTopics": [], "RepartitionSourceTopics": [], "CopartitionGroups": []})
}

fn internal(name: &str, partitions: i32) -> Value {
    json!({"Name": name, "Partitions": partitions, "ReplicationFactor": 0, "TopicConfigs": []})
}

fn joining(group: &str, member: &str) -> Value {
    json!({"GroupId": group, "MemberId": member, "MemberEpoch": 0, "EndpointInformationEpoch": -1, "RebalanceTimeoutMs": 30_000,
        "Topology": {"Epoch": 0, "Subtopologies": [part("0", &[TOPIC])]},
        "ActiveTasks": [], "StandbyTasks": [], "WarmupTasks": [], "ProcessId": "process-1", "ClientTags": []})
}

fn beat(group: &str, member: &str, epoch: i32) -> Value {
    json!({"GroupId": group, "MemberId": member, "MemberEpoch": epoch, "EndpointInformationEpoch": 0, "RebalanceTimeoutMs": -1})
}

fn changed(mut body: Value, change: &Value) -> Value {
    for (key, value) in change.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

/// All members leave.
fn empty(side: &mut Side, group: &str, at: i32) -> Outcome {
    let described = side.send(at, DESCRIBE, 0, &json!({"GroupIds": [group]}))?;
    for member in described["Groups"][0]["Members"].as_array().cloned().unwrap_or_default() {
        let id = member["MemberId"].as_str().unwrap_or_default();
        side.send(at, HEARTBEAT, 0, &beat(group, id, -1))?;
    }
    Ok(())
}

/// It goes, so that the next topology is its first.
fn delete(side: &mut Side, group: &str, at: i32) -> Outcome {
    empty(side, group, at)?;
    side.send(at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;
    Ok(())
}

fn heartbeat(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let at = side.coordinator("swept streams", 0)?;
    // Each joins a group that is new.
    Sweep::of(HEARTBEAT).at(at).without(&["GroupId"]).play(side, |side, _| {
        delete(side, "swept streams", at)?;
        Ok(joining("swept streams", "member-1"))
    })?;
    delete(side, "swept streams", at)?;
    // And each goes on as a member of one that it is alone in.
    let epoch = side.send(at, HEARTBEAT, 0, &joining("swept streams", "member-2"))?["MemberEpoch"].clone();
    Sweep::of(HEARTBEAT).at(at).without(&["GroupId", "RackId", "ClientTags", "ProcessId", "UserEndpoint"]).play(
        side,
        |_, _| {
            let mut body = beat("swept streams", "member-2", 0);
            body["MemberEpoch"] = epoch.clone();
            Ok(body)
        },
    )?;
    delete(side, "swept streams", at)
}

fn life(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = side.fresh("streams");
    let at = side.coordinator(&group, 0)?;
    let describe = json!({"GroupIds": [group], "IncludeAuthorizedOperations": true});
    side.ask("is described before", at, DESCRIBE, 0, &describe)?;
    let joined = side.ask("joins", at, HEARTBEAT, 0, &joining(&group, "member-1"))?;
    let epoch = joined["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
    side.ask("is described", at, DESCRIBE, 0, &describe)?;
    side.ask("beats", at, HEARTBEAT, 0, &beat(&group, "member-1", epoch))?;
    let owning = json!({"ActiveTasks": [], "StandbyTasks": [], "WarmupTasks": []});
    side.ask("beats with what it has", at, HEARTBEAT, 0, &changed(beat(&group, "member-1", epoch), &owning))?;
    side.ask("is described after a beat", at, DESCRIBE, 0, &describe)?;
    side.ask("joins again", at, HEARTBEAT, 0, &joining(&group, "member-1"))?;
    for version in [5, 6] {
        let body = json!({"Groups": [group]});
        side.ask(&format!("is described as a classic group {version}"), at, "DescribeGroups", version, &body)?;
    }
    side.ask("is described as a consumer group", at, "ConsumerGroupDescribe", 1, &json!({"GroupIds": [group]}))?;
    for (label, member, epoch) in [
        ("an unknown member", "nobody", epoch),
        ("an epoch ahead", "member-1", epoch + 1),
        ("an epoch far behind", "member-1", epoch - 1),
        ("a negative epoch", "member-1", -3),
        ("an epoch of -2", "member-1", -2),
    ] {
        side.ask(&format!("beats, {label}"), at, HEARTBEAT, 0, &beat(&group, member, epoch))?;
    }
    for (label, active) in [
        ("a task that it has not", json!([{"SubtopologyId": "0", "Partitions": [0]}])),
        ("a task that there is not", json!([{"SubtopologyId": "0", "Partitions": [99]}])),
        ("a task of -1", json!([{"SubtopologyId": "0", "Partitions": [-1]}])),
        ("an unknown subtopology", json!([{"SubtopologyId": "9", "Partitions": [0]}])),
    ] {
        let change = json!({"ActiveTasks": active, "StandbyTasks": [], "WarmupTasks": []});
        side.ask(&format!("owns {label}"), at, HEARTBEAT, 0, &changed(beat(&group, "member-1", epoch), &change))?;
    }
    let topic = json!({"Name": TOPIC, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 3}]});
    for (who, member, epoch) in [
        ("in its epoch", "member-1", epoch),
        ("in another", "member-1", 77),
        ("in an earlier one", "member-1", 0),
        ("in none", "member-1", -1),
        ("as nobody", "", -1),
    ] {
        let commit =
            json!({"GroupId": group, "MemberId": member, "GenerationIdOrMemberEpoch": epoch, "Topics": [topic]});
        for version in [8, 9] {
            side.ask(&format!("commits {who} {version}"), at, "OffsetCommit", version, &commit)?;
        }
        let asked = json!({"GroupId": group, "MemberId": member, "MemberEpoch": epoch, "Topics": null});
        side.ask(&format!("asks for its offsets {who}"), at, "OffsetFetch", 9, &json!({"Groups": [asked]}))?;
    }
    let deleted = json!({"GroupId": group, "Topics": [{"Name": TOPIC, "Partitions": [{"PartitionIndex": 0}]}]});
    side.ask("its offsets are deleted", at, "OffsetDelete", 0, &deleted)?;
    side.ask("is deleted too early", at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;
    side.ask("an unknown member leaves", at, HEARTBEAT, 0, &beat(&group, "nobody", -1))?;
    side.ask(
        "is shut down",
        at,
        HEARTBEAT,
        0,
        &changed(beat(&group, "member-1", epoch), &json!({"ShutdownApplication": true})),
    )?;
    side.ask("hears of it", at, HEARTBEAT, 0, &beat(&group, "member-1", epoch))?;
    side.ask("leaves", at, HEARTBEAT, 0, &beat(&group, "member-1", -1))?;
    side.ask("leaves again", at, HEARTBEAT, 0, &beat(&group, "member-1", -1))?;
    side.ask("is described when empty", at, DESCRIBE, 0, &describe)?;
    side.ask("its offsets are deleted when empty", at, "OffsetDelete", 0, &deleted)?;
    side.ask("is deleted", at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;
    side.ask("is described when deleted", at, DESCRIBE, 0, &describe)?;
    Ok(())
}

fn refused(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "choosy streams";
    let at = side.coordinator(group, 0)?;
    let task = json!([{"SubtopologyId": "0", "Partitions": [0]}]);
    for (label, change) in [
        ("no group", json!({"GroupId": ""})),
        ("a blank group", json!({"GroupId": " "})),
        ("no member", json!({"MemberId": ""})),
        ("no time-out", json!({"RebalanceTimeoutMs": -1})),
        ("an instance", json!({"InstanceId": "i"})),
        ("an empty rack", json!({"RackId": ""})),
        ("no active tasks", json!({"ActiveTasks": null})),
        ("no standby tasks", json!({"StandbyTasks": null})),
        ("active tasks", json!({"ActiveTasks": task})),
        ("warm-up tasks", json!({"WarmupTasks": task})),
        ("no topology", json!({"Topology": null})),
        ("task offsets", json!({"TaskOffsets": []})),
        ("task end offsets", json!({"TaskEndOffsets": []})),
        ("a static member that leaves", json!({"MemberEpoch": -2})),
        ("an epoch of -3", json!({"MemberEpoch": -3, "Topology": null})),
        ("a topology later", json!({"MemberEpoch": 5})),
        ("a member of an unknown group", json!({"MemberEpoch": 5, "Topology": null})),
        ("a member that leaves an unknown group", json!({"MemberEpoch": -1, "Topology": null})),
    ] {
        side.ask(label, at, HEARTBEAT, 0, &changed(joining(group, "member-1"), &change))?;
        delete(side, group, at)?;
    }
    // A classic group is no streams group, and the other way round, while it has members.
    let one = alone(side, "classic and no stream")?;
    side.ask("into a classic group", one.at, HEARTBEAT, 0, &joining(&one.group, "member-1"))?;
    side.ask("a classic group", one.at, DESCRIBE, 0, &json!({"GroupIds": [one.group, ""]}))?;
    leave_all(side, &one.group, one.at)
}

fn topologies(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "formed streams";
    let at = side.coordinator(group, 0)?;
    let with = |mut part: Value, field: &str, value: Value| {
        part[field] = value;
        part
    };
    let copartition = |sources: &[i16], repartition: &[i16]| json!([{"SourceTopics": sources, "SourceTopicRegex": [], "RepartitionSourceTopics": repartition}]);
    let reads = || part("0", &[TOPIC]);
    for (label, parts) in [
        ("none", json!([])),
        ("no source", json!([part("0", &[])])),
        ("a source that is not", json!([part("0", &["streams-nowhere"])])),
        ("five sources that are not", json!([part("0", &["s-e", "s-d", "s-c", "s-b", "s-a"])])),
        ("an internal topic", json!([part("0", &["__consumer_offsets"])])),
        ("a bad name", json!([part("0", &["a b", "c"])])),
        ("an expression", json!([with(reads(), "SourceTopicRegex", json!(["f.*"]))])),
        ("a sized changelog", json!([with(reads(), "StateChangelogTopics", json!([internal("s-log", 3)]))])),
        (
            "a repartition topic that nobody writes",
            json!([with(reads(), "RepartitionSourceTopics", json!([internal("s-rep", 0)]))]),
        ),
        (
            "a loop",
            json!([with(
                with(part("0", &[]), "RepartitionSourceTopics", json!([internal("s-rep", 0)])),
                "RepartitionSinkTopics",
                json!(["s-rep"])
            )]),
        ),
        ("a place that there is not", json!([with(reads(), "CopartitionGroups", copartition(&[1], &[]))])),
        ("a subtopology twice", json!([reads(), reads()])),
        (
            "a repartition topic of another size",
            json!([with(
                with(reads(), "RepartitionSourceTopics", json!([internal("s-rep", 9)])),
                "CopartitionGroups",
                copartition(&[0], &[0])
            )]),
        ),
        (
            "a repartition topic of -1",
            json!([with(reads(), "RepartitionSourceTopics", json!([internal("s-rep", -1)]))]),
        ),
    ] {
        let topology = json!({"Topology": {"Epoch": 0, "Subtopologies": parts}});
        side.ask(&format!("of {label}"), at, HEARTBEAT, 0, &changed(joining(group, "member-1"), &topology))?;
        side.ask(&format!("of {label}, described"), at, DESCRIBE, 0, &json!({"GroupIds": [group]}))?;
        delete(side, group, at)?;
    }
    let of_epoch = |epoch: i32, parts: Value| json!({"Topology": {"Epoch": epoch, "Subtopologies": parts}});
    for (label, first, then) in [
        ("the same", of_epoch(3, json!([reads()])), of_epoch(3, json!([reads()]))),
        ("an older epoch", of_epoch(3, json!([reads()])), of_epoch(2, json!([reads()]))),
        ("a later epoch", of_epoch(3, json!([reads()])), of_epoch(4, json!([reads()]))),
        ("another of the same epoch", of_epoch(3, json!([reads()])), of_epoch(3, json!([part("1", &[TOPIC])]))),
        ("an epoch of -1", of_epoch(-1, json!([reads()])), of_epoch(-1, json!([reads()]))),
    ] {
        side.ask(&format!("before {label}"), at, HEARTBEAT, 0, &changed(joining(group, "member-1"), &first))?;
        side.ask(&format!("then {label}"), at, HEARTBEAT, 0, &changed(joining(group, "member-2"), &then))?;
        delete(side, group, at)?;
    }
    Ok(())
}

/// Two processes, of which one has an endpoint; and groups of other kinds in place of this one.
fn two_members(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = side.fresh("joined streams");
    let at = side.coordinator(&group, 0)?;
    let endpoint = json!({"UserEndpoint": {"Host": "host", "Port": 4711}, "ClientTags": [{"Key": "zone", "Value": "a"}], "RackId": "r"});
    side.ask("joins with an endpoint", at, HEARTBEAT, 0, &changed(joining(&group, "member-1"), &endpoint))?;
    let other = json!({"ProcessId": "process-2"});
    side.ask("another joins", at, HEARTBEAT, 0, &changed(joining(&group, "member-2"), &other))?;
    side.ask(
        "a consumer does not",
        at,
        "ConsumerGroupHeartbeat",
        1,
        &json!({"GroupId": group, "MemberId": "c", "MemberEpoch": 0,
        "RebalanceTimeoutMs": 30_000, "SubscribedTopicNames": [TOPIC], "TopicPartitions": []}),
    )?;
    let join = json!({"GroupId": group, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 5_000, "MemberId": "",
        "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": ""}]});
    side.ask("a classic member does not", at, "JoinGroup", 5, &join)?;
    let generation = json!({"GroupId": group, "GenerationId": 1, "MemberId": "member-1"});
    side.ask("nor does it beat", at, "Heartbeat", 4, &generation)?;
    side.ask("nor sync", at, "SyncGroup", 4, &generation)?;
    side.ask("nor leave", at, "LeaveGroup", 5, &json!({"GroupId": group, "Members": [{"MemberId": "member-1"}]}))?;
    let duplicate = json!({"ClientTags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]});
    side.ask("tags twice", at, HEARTBEAT, 0, &changed(joining(&group, "member-3"), &duplicate))?;
    delete(side, &group, at)
}

fn describe(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "described streams";
    let at = side.coordinator(group, 0)?;
    side.send(at, HEARTBEAT, 0, &joining(group, "member-1"))?;
    // Other names have another coordinator.
    Sweep::of(DESCRIBE)
        .at(at)
        .without(&["GroupIds[0]"])
        .play(side, |_, _| Ok(json!({"GroupIds": [group], "IncludeAuthorizedOperations": false})))?;
    delete(side, group, at)
}
