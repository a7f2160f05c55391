//! Share groups (KIP-932) as their coordinator sees them: ShareGroupHeartbeat, ShareGroupDescribe, and the offsets of share groups
//! (Describe, Alter, Delete); and who keeps the state of a share partition (FindCoordinator of key type 2).

use serde_json::{Value, json};

use super::groups::{alone, leave_all};
use super::{Case, is_offered};
use crate::conformance::ConformanceError;
use crate::conformance::mutate::Sweep;
use crate::conformance::normal::{UNKNOWN_ID, base64};
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "share coordinators", play: coordinators },
    Case { name: "each field of ShareGroupHeartbeat", play: heartbeat },
    Case { name: "a share group's life", play: life },
    Case { name: "members of share groups that are refused", play: refused },
    Case { name: "each field of ShareGroupDescribe", play: describe },
    Case { name: "each field of DescribeShareGroupOffsets", play: describe_offsets },
    Case { name: "each field of AlterShareGroupOffsets", play: alter_offsets },
    Case { name: "each field of DeleteShareGroupOffsets", play: delete_offsets },
    Case { name: "offsets of share groups", play: offsets },
    Case { name: "share groups among others", play: among_others },
];

const HEARTBEAT: &str = "ShareGroupHeartbeat";
const TOPIC: &str = "shared";

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

/// Of ids that no topic has: where a real topic's state is kept goes by its random id.
fn coordinators(side: &mut Side) -> Outcome {
    if !is_offered(HEARTBEAT) {
        return Ok(());
    }
    // With leaders that are the same on both sides; else it would be created when it is first asked for.
    let configs = [("cleanup.policy", "delete"), ("compression.type", "producer"), ("retention.ms", "-1")];
    side.topic("__share_group_state", 50, &[&configs[..], &[("segment.bytes", "104857600")]].concat())?;
    let id = base64(UNKNOWN_ID);
    let good = format!("sharers:{id}:0");
    for version in 0..4 {
        side.ask("one", 2, "FindCoordinator", version, &json!({"Key": good, "KeyType": 2}))?;
    }
    let ask = |side: &mut Side, label: &str, version: i16, keys: Value| -> Outcome {
        let body = json!({"CoordinatorKeys": keys, "KeyType": 2});
        side.ask(label, 2, "FindCoordinator", version, &body).map(|_| ())
    };
    for version in 4..=6 {
        ask(side, "one", version, json!([good]))?;
        ask(side, "one of no form", version, json!(["sharers"]))?;
        ask(side, "none", version, json!([]))?;
        ask(side, "null", version, json!([null]))?;
    }
    // Of which form a key is to be, its parts, and what is not of it.
    let keys = [
        ("another partition", format!("sharers:{id}:1")),
        ("another group", format!("other sharers:{id}:0")),
        ("the greatest partition", format!("sharers:{id}:2147483647")),
        ("a partition too great", format!("sharers:{id}:2147483648")),
        ("a negative partition", format!("sharers:{id}:-1")),
        ("the least partition", format!("sharers:{id}:-2147483648")),
        ("a partition with a plus", format!("sharers:{id}:+7")),
        ("a partition with zeros", format!("sharers:{id}:007")),
        ("a partition with a blank", format!("sharers:{id}: 7")),
        ("a partition in words", format!("sharers:{id}:seven")),
        ("no partition", format!("sharers:{id}:")),
        ("nor its colon", format!("sharers:{id}")),
        ("colons behind it", format!("sharers:{id}:0::")),
        ("a group with colons", format!("a:b::c:{id}:0")),
        ("a group of colons", format!("::{id}:0")),
        ("a group of blanks", format!(" \t:{id}:0")),
        ("no group", format!(":{id}:0")),
        ("nor its colon", format!("{id}:0")),
        ("no topic", "sharers::0".to_owned()),
        ("the topic's name", format!("sharers:{TOPIC}:0")),
        ("a reserved id", "sharers:AAAAAAAAAAAAAAAAAAAAAQ:0".to_owned()),
        ("an id too short", format!("sharers:{}:0", &id[1..])),
        ("an id too long", format!("sharers:{id}A:0")),
        ("a padded id", format!("sharers:{id}==:0")),
        ("a badly padded id", format!("sharers:{id}=:0")),
        ("an id with too much padding", format!("sharers:{id}===:0")),
        ("an id with other last bits", format!("sharers:{}x:0", &id[..21])),
        ("an id of the other base64", "sharers:3q2+796tvu/erb7v3q2+7w:0".to_owned()),
        ("an id in hex", format!("sharers:{UNKNOWN_ID}:0")),
        ("nothing", String::new()),
        ("a colon", ":".to_owned()),
        ("two colons", "::".to_owned()),
        ("a long group", format!("{}:{id}:0", "x".repeat(300))),
    ];
    for (label, key) in &keys {
        ask(side, label, 6, json!([key]))?;
    }
    ask(side, "good and bad", 6, json!([good, "sharers", good, format!("b:{id}:3"), ""]))
}

fn joining(group: &str, member: &str) -> Value {
    json!({"GroupId": group, "MemberId": member, "MemberEpoch": 0, "SubscribedTopicNames": [TOPIC]})
}

fn beat(group: &str, member: &str, epoch: i32) -> Value {
    json!({"GroupId": group, "MemberId": member, "MemberEpoch": epoch})
}

/// How often the group's epoch was raised while its partitions got their state is a matter of time: from here on it is told.
fn raised(side: &mut Side, group: &str, member: &str, at: i32, from: i32) -> Outcome<i32> {
    const AGREED: i32 = 20;
    let mut epoch = from;
    let mut names = [json!([TOPIC, "nobody"]), json!([TOPIC])].into_iter().cycle();
    // Each other subscription raises it by one; an even number of them leaves the member as it was.
    while epoch < AGREED {
        let mut body = beat(group, member, epoch);
        body["SubscribedTopicNames"] = names.next().unwrap_or_default();
        let answer = side.send(at, HEARTBEAT, 1, &body)?;
        let next = answer["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
        if next <= epoch {
            return Err(ConformanceError::Step(format!("epoch {epoch} of group {group} was not raised: {answer}")));
        }
        epoch = next;
    }
    Ok(epoch)
}

/// All members leave.
fn empty(side: &mut Side, group: &str, at: i32) -> Outcome {
    let described = side.send(at, "ShareGroupDescribe", 1, &json!({"GroupIds": [group]}))?;
    for member in described["Groups"][0]["Members"].as_array().cloned().unwrap_or_default() {
        let id = member["MemberId"].as_str().unwrap_or_default();
        side.send(at, HEARTBEAT, 1, &beat(group, id, -1))?;
    }
    Ok(())
}

/// A member whose group's partitions all have a share state, and are assigned to it. In which epoch it is then.
fn settled(side: &mut Side, group: &str, member: &str, at: i32) -> Outcome<i32> {
    let epoch_of = |answer: &Value| answer["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
    let mut epoch = epoch_of(&side.send(at, HEARTBEAT, 1, &joining(group, member))?);
    let described = json!({"GroupIds": [group]});
    // It says its new epoch, too, so that the coordinator has no answer to lose.
    side.wait(at, "assigned partitions", "ShareGroupDescribe", 1, &described, |_| true)?;
    for _ in 0..200 {
        epoch = epoch_of(&side.send(at, HEARTBEAT, 1, &beat(group, member, epoch))?);
        let answer = side.send(at, "ShareGroupDescribe", 1, &described)?;
        let topics = answer["Groups"][0]["Members"][0]["Assignment"]["TopicPartitions"].as_array().map(Vec::len);
        if topics.is_some_and(|topics| topics > 0) {
            return Ok(epoch);
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    Ok(epoch)
}

fn heartbeat(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "swept sharers";
    let at = side.coordinator(group, 0)?;
    // Its partitions have their states before, so that nothing changes in between.
    let epoch = settled(side, group, "member-0", at)?;
    raised(side, group, "member-0", at, epoch)?;
    empty(side, group, at)?;
    Sweep::of(HEARTBEAT).at(at).without(&["GroupId"]).play(side, |side, _| {
        empty(side, group, at)?;
        Ok(joining(group, "member-1"))
    })?;
    empty(side, group, at)?;
    let epoch = side.send(at, HEARTBEAT, 1, &joining(group, "member-2"))?["MemberEpoch"].clone();
    Sweep::of(HEARTBEAT).at(at).without(&["GroupId", "SubscribedTopicNames", "RackId"]).play(side, |_, _| {
        let mut body = beat(group, "member-2", 0);
        body["MemberEpoch"] = epoch.clone();
        Ok(body)
    })?;
    empty(side, group, at)
}

fn life(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = side.fresh("sharers");
    let at = side.coordinator(&group, 0)?;
    let describe = json!({"GroupIds": [group], "IncludeAuthorizedOperations": true});
    side.ask("is described before", at, "ShareGroupDescribe", 1, &describe)?;
    side.ask("joins", at, HEARTBEAT, 1, &joining(&group, "member-1"))?;
    let epoch = settled(side, &group, "member-1", at)?;
    side.ask("is described", at, "ShareGroupDescribe", 1, &describe)?;
    side.ask("beats", at, HEARTBEAT, 1, &beat(&group, "member-1", epoch))?;
    for version in 5..=6 {
        let body = json!({"Groups": [group]});
        side.ask(&format!("is described as a classic group {version}"), at, "DescribeGroups", version, &body)?;
    }
    // Groups that other cases left are empty; which of them are this broker's, nobody knows.
    for types in ["share", "Share", "consumer"] {
        let body = json!({"StatesFilter": ["Stable"], "TypesFilter": [types]});
        side.ask(&format!("is listed among {types} groups"), at, "ListGroups", 5, &body)?;
    }
    side.ask("is described as a consumer group", at, "ConsumerGroupDescribe", 1, &json!({"GroupIds": [group]}))?;
    for (label, member, epoch) in [
        ("an unknown member", "nobody", epoch),
        ("an epoch ahead", "member-1", epoch + 1),
        ("the epoch before", "member-1", epoch - 1),
        ("an epoch far behind", "member-1", epoch - 2),
        ("a negative epoch", "member-1", -3),
    ] {
        side.ask(&format!("beats, {label}"), at, HEARTBEAT, 1, &beat(&group, member, epoch))?;
    }
    let joined = side.ask("another joins", at, HEARTBEAT, 1, &joining(&group, "member-2"))?;
    let newest = joined["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
    side.ask("the first beats in its old epoch", at, HEARTBEAT, 1, &beat(&group, "member-1", epoch))?;
    side.ask("and again", at, HEARTBEAT, 1, &beat(&group, "member-1", epoch))?;
    side.ask("and in the new one", at, HEARTBEAT, 1, &beat(&group, "member-1", newest))?;
    side.ask("two are described", at, "ShareGroupDescribe", 1, &describe)?;
    let mut epoch = newest;
    for (label, names) in [
        ("an unknown topic too", json!([TOPIC, "nobody"])),
        ("an unknown topic", json!(["nobody"])),
        ("no topic", json!([])),
        ("the first topic", json!([TOPIC])),
        ("the first topic twice", json!([TOPIC, TOPIC])),
    ] {
        let mut body = beat(&group, "member-2", epoch);
        body["SubscribedTopicNames"] = names;
        let answer = side.ask(&format!("subscribes to {label}"), at, HEARTBEAT, 1, &body)?;
        epoch = answer["MemberEpoch"].as_i64().unwrap_or(-9) as i32;
        side.ask(&format!("beats after {label}"), at, HEARTBEAT, 1, &beat(&group, "member-2", epoch))?;
        side.ask(&format!("is described after {label}"), at, "ShareGroupDescribe", 1, &describe)?;
    }
    side.ask("is deleted too early", at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;
    side.ask("an unknown member leaves", at, HEARTBEAT, 1, &beat(&group, "nobody", -1))?;
    for member in ["member-2", "member-1"] {
        side.ask(&format!("{member} leaves"), at, HEARTBEAT, 1, &beat(&group, member, -1))?;
        side.ask(&format!("{member} leaves again"), at, HEARTBEAT, 1, &beat(&group, member, -1))?;
    }
    side.ask("is described when empty", at, "ShareGroupDescribe", 1, &describe)?;
    side.ask("is deleted", at, "DeleteGroups", 2, &json!({"GroupsNames": [group, "nobody at all"]}))?;
    side.ask("is described when deleted", at, "ShareGroupDescribe", 1, &describe)?;
    side.ask("its offsets are described then", at, "DescribeShareGroupOffsets", 1, &all_offsets(&group))?;
    Ok(())
}

fn refused(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "choosy sharers";
    let at = side.coordinator(group, 0)?;
    settled(side, group, "member-0", at)?;
    empty(side, group, at)?;
    for (label, change) in [
        ("no group", json!({"GroupId": ""})),
        ("a blank group", json!({"GroupId": " "})),
        ("no member", json!({"MemberId": ""})),
        ("a blank member", json!({"MemberId": " "})),
        ("a member of 36 characters", json!({"MemberId": "m".repeat(36)})),
        ("a member of 37 characters", json!({"MemberId": "m".repeat(37)})),
        ("no member that leaves", json!({"MemberId": "", "MemberEpoch": -1})),
        ("no topics", json!({"SubscribedTopicNames": null})),
        ("an empty list of topics", json!({"SubscribedTopicNames": []})),
        ("an empty topic", json!({"SubscribedTopicNames": [""]})),
        ("an impossible topic", json!({"SubscribedTopicNames": ["no/topic"]})),
        ("an empty rack", json!({"RackId": ""})),
        ("a rack", json!({"RackId": "r"})),
        ("an epoch of -2", json!({"MemberEpoch": -2})),
        ("a member of an unknown group", json!({"MemberEpoch": 5})),
    ] {
        let mut body = joining(group, "member-1");
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        side.ask(label, at, HEARTBEAT, 1, &body)?;
        empty(side, group, at)?;
    }
    side.ask("beats in a group that is none", at, HEARTBEAT, 1, &beat(&format!("{group} none"), "member-1", 3))
        .map(|_| ())
}

fn describe(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "described sharers";
    let at = side.coordinator(group, 0)?;
    settled(side, group, "member-1", at)?;
    // Other names have another coordinator.
    Sweep::of("ShareGroupDescribe")
        .at(at)
        .without(&["GroupIds[0]"])
        .play(side, |_, _| Ok(json!({"GroupIds": [group], "IncludeAuthorizedOperations": false})))?;
    empty(side, group, at)
}

fn all_offsets(group: &str) -> Value {
    json!({"Groups": [{"GroupId": group, "Topics": null}]})
}

/// An empty group whose partitions begin here.
fn altered(side: &mut Side, group: &str, at: i32, start: i64) -> Outcome {
    let partitions: Vec<Value> = (0..3).map(|index| json!({"PartitionIndex": index, "StartOffset": start})).collect();
    let body = json!({"GroupId": group, "Topics": [{"TopicName": TOPIC, "Partitions": partitions}]});
    side.wait(at, "altered offsets", "AlterShareGroupOffsets", 0, &body, |answer| {
        let topics = answer["Responses"].as_array().cloned().unwrap_or_default();
        let mut partitions =
            topics.iter().flat_map(|topic| topic["Partitions"].as_array().cloned().unwrap_or_default());
        answer["ErrorCode"] == 0 && partitions.all(|partition| partition["ErrorCode"] == 0)
    })?;
    Ok(())
}

fn describe_offsets(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "sharers with offsets";
    let at = side.coordinator(group, 0)?;
    altered(side, group, at, 0)?;
    Sweep::of("DescribeShareGroupOffsets").at(at).without(&["GroupId"]).play(side, |_, _| {
        let topics = json!([{"TopicName": TOPIC, "Partitions": [0, 2]}]);
        Ok(json!({"Groups": [{"GroupId": group, "Topics": topics}]}))
    })
}

fn alter_offsets(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "sharers that are altered";
    let at = side.coordinator(group, 0)?;
    altered(side, group, at, 0)?;
    Sweep::of("AlterShareGroupOffsets").at(at).without(&["GroupId"]).play(side, |_, _| {
        let partitions = json!([{"PartitionIndex": 1, "StartOffset": 0}]);
        Ok(json!({"GroupId": group, "Topics": [{"TopicName": TOPIC, "Partitions": partitions}]}))
    })
}

fn delete_offsets(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = "sharers that forget";
    let at = side.coordinator(group, 0)?;
    Sweep::of("DeleteShareGroupOffsets").at(at).without(&["GroupId"]).play(side, |side, _| {
        altered(side, group, at, 0)?;
        Ok(json!({"GroupId": group, "Topics": [{"TopicName": TOPIC}]}))
    })
}

fn offsets(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = side.fresh("offsets of sharers");
    let at = side.coordinator(&group, 0)?;
    for version in 0..=1 {
        side.ask("of a group that is none", at, "DescribeShareGroupOffsets", version, &all_offsets(&group))?;
        let named = json!({"Groups": [{"GroupId": group, "Topics": [{"TopicName": TOPIC, "Partitions": [0, 9]},
            {"TopicName": "nobody", "Partitions": [0]}]}, {"GroupId": "", "Topics": null}, {"GroupId": group, "Topics": []}]});
        side.ask("of topics of a group that is none", at, "DescribeShareGroupOffsets", version, &named)?;
    }
    let alter = |topic: &str, partition: i32, start: i64| json!({"GroupId": group, "Topics": [{"TopicName": topic, "Partitions": [{"PartitionIndex": partition, "StartOffset": start}]}]});
    let forget = |topic: &str| json!({"GroupId": group, "Topics": [{"TopicName": topic}]});
    side.ask("are forgotten of a group that is none", at, "DeleteShareGroupOffsets", 0, &forget(TOPIC))?;
    side.ask("are altered of an unknown topic", at, "AlterShareGroupOffsets", 0, &alter("nobody", 0, 1))?;
    side.ask("of the group then", at, "ShareGroupDescribe", 1, &json!({"GroupIds": [group]}))?;
    altered(side, &group, at, 0)?;
    side.ask("are altered", at, "AlterShareGroupOffsets", 0, &alter(TOPIC, 1, 0))?;
    side.ask("of an altered group", at, "ShareGroupDescribe", 1, &json!({"GroupIds": [group]}))?;
    side.ask("are altered of a partition too many", at, "AlterShareGroupOffsets", 0, &alter(TOPIC, 3, 1))?;
    side.ask("are altered of no group", at, "AlterShareGroupOffsets", 0, &{
        let mut body = alter(TOPIC, 0, 1);
        body["GroupId"] = json!("");
        body
    })?;
    for version in 0..=1 {
        side.wait(at, "all states", "DescribeShareGroupOffsets", 1, &all_offsets(&group), |answer| {
            answer["Groups"][0]["Topics"][0]["Partitions"].as_array().is_some_and(|all| all.len() == 3)
        })?;
        side.ask("of all topics", at, "DescribeShareGroupOffsets", version, &all_offsets(&group))?;
    }
    settled(side, &group, "member-1", at)?;
    side.ask("are altered while somebody reads", at, "AlterShareGroupOffsets", 0, &alter(TOPIC, 1, 0))?;
    side.ask("are forgotten while somebody reads", at, "DeleteShareGroupOffsets", 0, &forget(TOPIC))?;
    side.ask("of a group with a member", at, "DescribeShareGroupOffsets", 1, &all_offsets(&group))?;
    empty(side, &group, at)?;
    side.ask("are forgotten of an unknown topic", at, "DeleteShareGroupOffsets", 0, &forget("nobody"))?;
    side.ask("are forgotten", at, "DeleteShareGroupOffsets", 0, &forget(TOPIC))?;
    side.ask("are forgotten again", at, "DeleteShareGroupOffsets", 0, &forget(TOPIC))?;
    side.ask("of a group that has forgotten", at, "DescribeShareGroupOffsets", 1, &all_offsets(&group))?;
    side.ask("go with the group", at, "DeleteGroups", 2, &json!({"GroupsNames": [group]})).map(|_| ())
}

fn among_others(side: &mut Side) -> Outcome {
    if !ready(side)? {
        return Ok(());
    }
    let group = side.fresh("sharers among others");
    let at = side.coordinator(&group, 0)?;
    settled(side, &group, "member-1", at)?;
    let classic = json!({"GroupId": group, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 5_000, "MemberId": "",
        "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": ""}]});
    for version in [3, 9] {
        side.ask(&format!("a classic member joins {version}"), at, "JoinGroup", version, &classic)?;
    }
    let consumer = json!({"GroupId": group, "MemberId": "member-2", "MemberEpoch": 0, "RebalanceTimeoutMs": 30_000,
        "SubscribedTopicNames": [TOPIC], "TopicPartitions": []});
    side.ask("a consumer joins", at, "ConsumerGroupHeartbeat", 1, &consumer)?;
    let member = json!({"GroupId": group, "GenerationId": 1, "MemberId": "member-1"});
    side.ask("a classic member beats", at, "Heartbeat", 4, &member)?;
    side.ask("a classic member syncs", at, "SyncGroup", 4, &member)?;
    let leaving = json!({"GroupId": group, "Members": [{"MemberId": "member-1"}]});
    side.ask("a classic member leaves", at, "LeaveGroup", 5, &leaving)?;
    let topic = json!({"Name": TOPIC, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 3}]});
    for (label, epoch) in [("nobody", -1), ("somebody", 3)] {
        let commit = json!({"GroupId": group, "MemberId": "", "GenerationIdOrMemberEpoch": epoch, "Topics": [topic]});
        for version in [8, 9] {
            side.ask(&format!("{label} commits {version}"), at, "OffsetCommit", version, &commit)?;
        }
    }
    let asked = json!({"GroupId": group, "Topics": [{"Name": TOPIC, "PartitionIndexes": [0]}]});
    side.ask("its offsets are asked for", at, "OffsetFetch", 9, &json!({"Groups": [asked]}))?;
    let all = json!({"GroupId": group, "Topics": null});
    side.ask("all its offsets are asked for", at, "OffsetFetch", 9, &json!({"Groups": [all]}))?;
    let gone = json!({"GroupId": group, "Topics": [{"Name": TOPIC, "Partitions": [{"PartitionIndex": 0}]}]});
    side.ask("its offsets are deleted", at, "OffsetDelete", 0, &gone)?;
    empty(side, &group, at)?;
    side.ask("a classic member joins when it is empty", at, "JoinGroup", 9, &classic)?;
    side.ask("a consumer joins when it is empty", at, "ConsumerGroupHeartbeat", 1, &consumer)?;
    side.send(at, "DeleteGroups", 2, &json!({"GroupsNames": [group]}))?;

    let one = alone(side, "classic and no sharer")?;
    side.ask("into a classic group", one.at, HEARTBEAT, 1, &joining(&one.group, "member-1"))?;
    let describe = json!({"GroupIds": [one.group, ""]});
    side.ask("a classic group", one.at, "ShareGroupDescribe", 1, &describe)?;
    leave_all(side, &one.group, one.at)?;
    side.ask("into an empty classic group", one.at, HEARTBEAT, 1, &joining(&one.group, "member-1"))?;
    Ok(())
}
