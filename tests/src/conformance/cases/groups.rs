//! Groups of the classic protocol and their offsets.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::mutate::Sweep;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of JoinGroup", play: join_group },
    Case { name: "a member's life", play: life },
    Case { name: "two members", play: two_members },
    Case { name: "static members", play: static_members },
    Case { name: "joins that are refused", play: refused },
    Case { name: "each field of SyncGroup", play: sync_group },
    Case { name: "each field of Heartbeat", play: heartbeat },
    Case { name: "each field of LeaveGroup", play: leave_group },
    Case { name: "each field of DescribeGroups", play: describe_groups },
    Case { name: "each field of ListGroups", play: list_groups },
    Case { name: "each field of OffsetCommit", play: offset_commit },
    Case { name: "each field of OffsetFetch", play: offset_fetch },
    Case { name: "offsets", play: offsets },
    Case { name: "each field of DeleteGroups", play: delete_groups },
    Case { name: "group deletions", play: group_deletions },
];

/// A member of a group that is alone in it, and stable.
pub(super) struct Alone {
    pub(super) group: String,
    pub(super) at: i32,
    pub(super) member: Value,
    pub(super) generation: Value,
}

fn joining(group: &str, member: &Value, instance: Option<&str>) -> Value {
    json!({"GroupId": group, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 5_000, "MemberId": member, "GroupInstanceId": instance,
        "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": "0x0102"}, {"Name": "roundrobin", "Metadata": "0x03"}]})
}

/// One group of one member.
pub(super) fn alone(side: &mut Side, what: &str) -> Outcome<Alone> {
    let group = side.fresh(what);
    let at = side.coordinator(&group, 0)?;
    // Version 3 lets a new member in at once.
    let joined = side.send(at, "JoinGroup", 3, &joining(&group, &json!(""), None))?;
    let (member, generation) = (joined["MemberId"].clone(), joined["GenerationId"].clone());
    let assignment = json!([{"MemberId": member, "Assignment": "0x0a0b"}]);
    let body = json!({"GroupId": group, "GenerationId": generation, "MemberId": member, "Assignments": assignment});
    side.send(at, "SyncGroup", 1, &body)?;
    Ok(Alone { group, at, member, generation })
}

/// The broker that coordinates most names of the sweeps would differ from name to name: one group each, asked where it is.
fn coordinated(side: &mut Side, group: &str) -> Outcome<i32> {
    side.coordinator(group, 0)
}

fn join_group(side: &mut Side) -> Outcome {
    let at = coordinated(side, "swept")?;
    // A rebalance of other members is not waited for: each join is into a group that is left again.
    Sweep::of("JoinGroup").at(at).without(&["RebalanceTimeoutMs", "GroupId"]).play(side, |side, version| {
        leave_all(side, "swept", at)?;
        let first = joining("swept", &json!(""), None);
        let member = match version {
            4.. => side.send(at, "JoinGroup", version, &first)?["MemberId"].clone(),
            _ => json!(""),
        };
        Ok(joining("swept", &member, None))
    })?;
    leave_all(side, "swept", at)
}

pub(super) fn leave_all(side: &mut Side, group: &str, at: i32) -> Outcome {
    let described = side.send(at, "DescribeGroups", 5, &json!({"Groups": [group]}))?;
    for member in described["Groups"][0]["Members"].as_array().into_iter().flatten() {
        let leaving = json!({"GroupId": group, "Members": [{"MemberId": member["MemberId"], "GroupInstanceId": member["GroupInstanceId"]}]});
        side.send(at, "LeaveGroup", 4, &leaving)?;
    }
    // Those whom a group expects have Kafka wait for a moment before it takes it for empty.
    side.wait(at, "an empty group", "DescribeGroups", 5, &json!({"Groups": [group]}), |answer| {
        ["Empty", "Dead"].iter().any(|state| answer["Groups"][0]["GroupState"] == *state)
    })?;
    Ok(())
}

fn life(side: &mut Side) -> Outcome {
    for version in 0..=9 {
        side.anew();
        let group = side.fresh("life");
        let at = side.coordinator(&group, 0)?;
        let sync_version = version.min(5);
        let mut joined = side.ask("joins", at, "JoinGroup", version, &joining(&group, &json!(""), None))?;
        if version >= 4 {
            side.ask(
                &format!("is expected {version}"),
                at,
                "DescribeGroups",
                sync_version,
                &json!({"Groups": [group]}),
            )?;
            joined =
                side.ask("joins with its id", at, "JoinGroup", version, &joining(&group, &joined["MemberId"], None))?;
        }
        let (member, generation) = (joined["MemberId"].clone(), joined["GenerationId"].clone());
        let beat = json!({"GroupId": group, "GenerationId": generation, "MemberId": member});
        side.ask(&format!("beats before it syncs {version}"), at, "Heartbeat", version.min(4), &beat)?;
        side.ask(
            &format!("is described before it syncs {version}"),
            at,
            "DescribeGroups",
            version.min(6),
            &json!({"Groups": [group]}),
        )?;
        let commit = |generation: &Value, member: &Value| {
            json!({"GroupId": group, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
                "Topics": [{"Name": "fetched", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5}]}]})
        };
        side.ask(&format!("commits before it syncs {version}"), at, "OffsetCommit", 7, &commit(&generation, &member))?;
        let sync = |generation: Value, member: &Value, protocol: Value| {
            json!({"GroupId": group, "GenerationId": generation, "MemberId": member, "ProtocolType": "consumer", "ProtocolName": protocol,
                "Assignments": [{"MemberId": member, "Assignment": "0x0a0b"}]})
        };
        side.ask(
            &format!("syncs for another generation {version}"),
            at,
            "SyncGroup",
            sync_version,
            &sync(json!(9), &member, json!("range")),
        )?;
        side.ask(
            &format!("an unknown member syncs {version}"),
            at,
            "SyncGroup",
            sync_version,
            &sync(generation.clone(), &json!("nobody"), json!("range")),
        )?;
        side.ask(
            &format!("syncs for another protocol {version}"),
            at,
            "SyncGroup",
            sync_version,
            &sync(generation.clone(), &member, json!("sticky")),
        )?;
        side.ask(
            &format!("syncs {version}"),
            at,
            "SyncGroup",
            sync_version,
            &sync(generation.clone(), &member, json!("range")),
        )?;
        side.ask(
            &format!("syncs again {version}"),
            at,
            "SyncGroup",
            sync_version,
            &sync(generation.clone(), &member, json!("range")),
        )?;
        side.ask(&format!("beats {version}"), at, "Heartbeat", version.min(4), &beat)?;
        side.ask(
            &format!("commits {version}"),
            at,
            "OffsetCommit",
            version.clamp(2, 9),
            &commit(&generation, &member),
        )?;
        side.ask(
            &format!("commits for another generation {version}"),
            at,
            "OffsetCommit",
            version.clamp(2, 9),
            &commit(&json!(9), &member),
        )?;
        side.ask(
            &format!("an unknown member commits {version}"),
            at,
            "OffsetCommit",
            version.clamp(2, 9),
            &commit(&generation, &json!("nobody")),
        )?;
        side.ask(
            &format!("somebody outside commits {version}"),
            at,
            "OffsetCommit",
            version.clamp(2, 9),
            &commit(&json!(-1), &json!("")),
        )?;
        side.ask(
            &format!("is described {version}"),
            at,
            "DescribeGroups",
            version.min(6),
            &json!({"Groups": [group], "IncludeAuthorizedOperations": true}),
        )?;
        side.ask(&format!("rejoins {version}"), at, "JoinGroup", version, &joining(&group, &member, None))?;
        side.ask(&format!("beats for the old generation {version}"), at, "Heartbeat", version.min(4), &beat)?;
        for (label, member) in [
            ("an unknown member leaves", json!("nobody")),
            ("leaves", member.clone()),
            ("leaves again", member.clone()),
        ] {
            let body = if version >= 3 {
                json!({"GroupId": group, "Members": [{"MemberId": member}]})
            } else {
                json!({"GroupId": group, "MemberId": member})
            };
            side.ask(&format!("{label} {version}"), at, "LeaveGroup", sync_version, &body)?;
        }
        side.ask(
            &format!("is described when empty {version}"),
            at,
            "DescribeGroups",
            version.min(6),
            &json!({"Groups": [group]}),
        )?;
        side.ask(&format!("beats when gone {version}"), at, "Heartbeat", version.min(4), &beat)?;
        side.ask(
            &format!("commits when gone {version}"),
            at,
            "OffsetCommit",
            version.clamp(2, 9),
            &commit(&generation, &member),
        )?;
    }
    Ok(())
}

fn two_members(side: &mut Side) -> Outcome {
    for version in [0, 2, 3, 5, 7, 9] {
        side.anew();
        let one = alone(side, "pair")?;
        let at = one.at;
        let mut member = json!("");
        if version >= 4 {
            member = side.ask("second gets its id", at, "JoinGroup", version, &joining(&one.group, &member, None))?["MemberId"].clone();
        }
        let mut joining_second = joining(&one.group, &member, None);
        joining_second["Protocols"][0]["Metadata"] = json!("0x0202");
        let second = side.begin("second joins", (at, 2), "JoinGroup", version, &joining_second)?;
        let beat = json!({"GroupId": one.group, "GenerationId": one.generation, "MemberId": one.member});
        side.wait(at, "the rebalance", "Heartbeat", 3, &beat, |answer| answer["ErrorCode"] == 27)?;
        side.ask(&format!("beats in the rebalance {version}"), at, "Heartbeat", 4, &beat)?;
        let body =
            json!({"GroupId": one.group, "GenerationId": one.generation, "MemberId": one.member, "Assignments": []});
        side.ask(&format!("syncs in the rebalance {version}"), at, "SyncGroup", version.min(5), &json!({"GroupId": one.group,
            "GenerationId": one.generation, "MemberId": one.member, "ProtocolType": "consumer", "ProtocolName": "range", "Assignments": []}))?;
        let _ = body;
        side.ask(
            &format!("is described in the rebalance {version}"),
            at,
            "DescribeGroups",
            version.min(6),
            &json!({"Groups": [one.group]}),
        )?;
        let first = side.ask("first rejoins", at, "JoinGroup", version, &joining(&one.group, &one.member, None))?;
        let second = side.finish(&second)?;
        let generation = first["GenerationId"].clone();
        let sync = |member: &Value, assignments: Value| {
            json!({"GroupId": one.group, "GenerationId": generation, "MemberId": member, "ProtocolType": "consumer", "ProtocolName": "range",
                "Assignments": assignments})
        };
        let follower =
            side.begin("second syncs", (at, 2), "SyncGroup", version.min(5), &sync(&second["MemberId"], json!([])))?;
        let assignments = json!([{"MemberId": one.member, "Assignment": "0x01"}, {"MemberId": second["MemberId"], "Assignment": "0x02"}]);
        side.ask("first syncs", at, "SyncGroup", version.min(5), &sync(&one.member, assignments))?;
        side.finish(&follower)?;
        let described = side.send(at, "DescribeGroups", 5, &json!({"Groups": [one.group]}))?;
        debug_assert!(described.is_object());
        let leaving = json!({"GroupId": one.group, "Members": [{"MemberId": second["MemberId"]}, {"MemberId": "nobody"}, {"MemberId": second["MemberId"]}]});
        side.ask(&format!("second leaves, twice {version}"), at, "LeaveGroup", 3 + version % 3, &leaving)?;
        leave_all(side, &one.group, at)?;
    }
    Ok(())
}

fn static_members(side: &mut Side) -> Outcome {
    for version in 5..=9 {
        side.anew();
        let group = side.fresh("static");
        let at = side.coordinator(&group, 0)?;
        let first = side.ask("joins", at, "JoinGroup", version, &joining(&group, &json!(""), Some("i")))?;
        let (member, generation) = (first["MemberId"].clone(), first["GenerationId"].clone());
        let sync = |member: &Value, instance: &str| {
            json!({"GroupId": group, "GenerationId": generation, "MemberId": member, "GroupInstanceId": instance, "ProtocolType": "consumer",
                "ProtocolName": "range", "Assignments": [{"MemberId": member, "Assignment": "0x0a"}]})
        };
        let sync_version = 3 + (version - 5).min(2);
        side.ask(&format!("syncs {version}"), at, "SyncGroup", sync_version, &sync(&member, "i"))?;
        side.ask(&format!("syncs as another instance {version}"), at, "SyncGroup", sync_version, &sync(&member, "j"))?;
        let again = side.ask("comes again", at, "JoinGroup", version, &joining(&group, &json!(""), Some("i")))?;
        side.ask(&format!("the one before syncs {version}"), at, "SyncGroup", sync_version, &sync(&member, "i"))?;
        side.ask("the one before joins", at, "JoinGroup", version, &joining(&group, &member, Some("i")))?;
        let beat = |member: &Value, instance: Value| json!({"GroupId": group, "GenerationId": generation, "MemberId": member, "GroupInstanceId": instance});
        side.ask(&format!("the one before beats {version}"), at, "Heartbeat", 4, &beat(&member, json!("i")))?;
        side.ask(
            &format!("the one before beats without its instance {version}"),
            at,
            "Heartbeat",
            3,
            &beat(&member, json!(null)),
        )?;
        side.ask(&format!("beats {version}"), at, "Heartbeat", 3, &beat(&again["MemberId"], json!("i")))?;
        side.ask(
            &format!("an unknown instance beats {version}"),
            at,
            "Heartbeat",
            4,
            &beat(&again["MemberId"], json!("k")),
        )?;
        let commit = |member: &Value| {
            json!({"GroupId": group, "GenerationIdOrMemberEpoch": generation, "MemberId": member, "GroupInstanceId": "i",
                "Topics": [{"Name": "fetched", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5}]}]})
        };
        side.ask(&format!("the one before commits {version}"), at, "OffsetCommit", 8, &commit(&member))?;
        side.ask(&format!("commits {version}"), at, "OffsetCommit", 8, &commit(&again["MemberId"]))?;
        side.ask(&format!("is described {version}"), at, "DescribeGroups", version - 3, &json!({"Groups": [group]}))?;
        let leave = |member: Value, instance: Value| json!({"GroupId": group, "Members": [{"MemberId": member, "GroupInstanceId": instance}]});
        side.ask(
            &format!("the one before leaves {version}"),
            at,
            "LeaveGroup",
            sync_version,
            &leave(member.clone(), json!("i")),
        )?;
        side.ask(
            &format!("an unknown instance leaves {version}"),
            at,
            "LeaveGroup",
            sync_version,
            &leave(json!(""), json!("k")),
        )?;
        side.ask(&format!("is taken out {version}"), at, "LeaveGroup", sync_version, &leave(json!(""), json!("i")))?;
        side.ask(
            &format!("is described when empty {version}"),
            at,
            "DescribeGroups",
            version - 3,
            &json!({"Groups": [group]}),
        )?;
    }
    Ok(())
}

fn refused(side: &mut Side) -> Outcome {
    let one = alone(side, "choosy")?;
    for version in 0..=9 {
        let mut ask = |label: &str, change: &[(&str, Value)]| {
            let mut body = joining(&one.group, &json!(""), None);
            for (key, value) in change {
                body[*key] = value.clone();
            }
            side.ask(label, one.at, "JoinGroup", version, &body)
        };
        ask("another type", &[("ProtocolType", json!("connect"))])?;
        ask("no type", &[("ProtocolType", json!(""))])?;
        ask("no protocols", &[("Protocols", json!([]))])?;
        ask("other protocols", &[("Protocols", json!([{"Name": "sticky", "Metadata": "0x"}]))])?;
        ask("an unknown member", &[("MemberId", json!("nobody"))])?;
        ask("too short a session", &[("SessionTimeoutMs", json!(5_999))])?;
        ask("too long a session", &[("SessionTimeoutMs", json!(1_800_001))])?;
        ask("no group", &[("GroupId", json!(""))])?;
    }
    leave_all(side, &one.group, one.at)
}

fn sync_group(side: &mut Side) -> Outcome {
    let one = alone(side, "synced")?;
    Sweep::of("SyncGroup").at(one.at).without(&["GroupId"]).play(side, |_, _| {
        Ok(json!({"GroupId": one.group, "GenerationId": one.generation, "MemberId": one.member, "ProtocolType": "consumer",
            "ProtocolName": "range", "Assignments": [{"MemberId": one.member, "Assignment": "0x0a0b"}]}))
    })?;
    leave_all(side, &one.group, one.at)
}

fn heartbeat(side: &mut Side) -> Outcome {
    let one = alone(side, "beating")?;
    Sweep::of("Heartbeat")
        .at(one.at)
        .without(&["GroupId"])
        .play(side, |_, _| Ok(json!({"GroupId": one.group, "GenerationId": one.generation, "MemberId": one.member})))?;
    for version in 0..=4 {
        side.ask(
            "no group",
            one.at,
            "Heartbeat",
            version,
            &json!({"GroupId": "", "GenerationId": 1, "MemberId": "m"}),
        )?;
    }
    leave_all(side, &one.group, one.at)
}

fn leave_group(side: &mut Side) -> Outcome {
    let one = alone(side, "left")?;
    Sweep::of("LeaveGroup").at(one.at).without(&["GroupId"]).play(side, |_, version| {
        Ok(match version {
            3.. => json!({"GroupId": one.group, "Members": [{"MemberId": "nobody", "GroupInstanceId": "none", "Reason": "conformance"}]}),
            _ => json!({"GroupId": one.group, "MemberId": "nobody"}),
        })
    })?;
    for version in 0..=5 {
        side.ask("no group", one.at, "LeaveGroup", version, &json!({"GroupId": ""}))?;
    }
    leave_all(side, &one.group, one.at)
}

fn describe_groups(side: &mut Side) -> Outcome {
    let one = alone(side, "described")?;
    Sweep::of("DescribeGroups")
        .at(one.at)
        .without(&["Groups[0]"])
        .play(side, |_, _| Ok(json!({"Groups": [one.group]})))?;
    for version in 0..=6 {
        let groups = json!([one.group, one.group]);
        side.ask(
            "one twice, and one that is not",
            one.at,
            "DescribeGroups",
            version,
            &json!({"Groups": groups, "IncludeAuthorizedOperations": true}),
        )?;
    }
    leave_all(side, &one.group, one.at)
}

fn list_groups(side: &mut Side) -> Outcome {
    // All of one broker's groups would not tell whose they are: states and types that nobody has, and a few that only these have.
    Sweep::of("ListGroups")
        .without(&["StatesFilter", "TypesFilter"])
        .versions(4..=5)
        .play(side, |_, _| Ok(json!({"StatesFilter": ["Dead"], "TypesFilter": ["share"]})))?;
    let one = alone(side, "listed")?;
    let names = |answer: &Value| answer["ErrorCode"] == 0;
    side.wait(one.at, "the list", "ListGroups", 0, &json!({}), names)?;
    for (label, states, types) in [
        ("stable", json!(["Stable"]), json!([])),
        ("in small letters", json!(["stable"]), json!(["classic"])),
        ("dead", json!(["Dead"]), json!([])),
        ("no such state", json!(["Happy"]), json!([])),
        ("no such type", json!([]), json!(["anarchic"])),
        ("consumer", json!([]), json!(["consumer"])),
        ("rebalancing", json!(["PreparingRebalance", "CompletingRebalance"]), json!(["Classic"])),
    ] {
        for version in 4..=5 {
            let body = json!({"StatesFilter": states, "TypesFilter": types});
            side.ask(label, one.at, "ListGroups", version, &body)?;
        }
    }
    leave_all(side, &one.group, one.at)
}

fn commit_of(side: &mut Side, version: i16, group: &str) -> Outcome<Value> {
    let mut topic = json!({"Partitions": [{"PartitionIndex": 0, "CommittedOffset": 7, "CommittedLeaderEpoch": 0, "CommittedMetadata": "m"}]});
    match version {
        10.. => topic["TopicId"] = json!(side.topic_id("fetched")?),
        _ => topic["Name"] = json!("fetched"),
    }
    Ok(json!({"GroupId": group, "GenerationIdOrMemberEpoch": -1, "MemberId": "", "Topics": [topic]}))
}

fn offset_commit(side: &mut Side) -> Outcome {
    let at = coordinated(side, "committed")?;
    Sweep::of("OffsetCommit")
        .at(at)
        .without(&["GroupId"])
        .play(side, |side, version| commit_of(side, version, "committed"))
}

fn offset_fetch(side: &mut Side) -> Outcome {
    let at = coordinated(side, "committed")?;
    let body = commit_of(side, 9, "committed")?;
    side.send(at, "OffsetCommit", 9, &body)?;
    Sweep::of("OffsetFetch").at(at).without(&["GroupId"]).play(side, |side, version| {
        let mut topic = json!({"PartitionIndexes": [0, 1]});
        match version {
            10.. => topic["TopicId"] = json!(side.topic_id("fetched")?),
            _ => topic["Name"] = json!("fetched"),
        }
        Ok(match version {
            8.. => json!({"Groups": [{"GroupId": "committed", "MemberId": null, "MemberEpoch": -1, "Topics": [topic]}], "RequireStable": false}),
            _ => json!({"GroupId": "committed", "Topics": [topic]}),
        })
    })
}

fn offsets(side: &mut Side) -> Outcome {
    let at = coordinated(side, "kept")?;
    for version in 2..=9 {
        let long = "m".repeat(4097);
        for (label, topic, index, offset, metadata) in [
            ("an offset", "fetched", 0, 11, json!("m")),
            ("the same again", "fetched", 0, 11, json!("m")),
            ("lower", "fetched", 0, 3, json!("")),
            ("no metadata", "fetched", 0, 3, json!(null)),
            ("long metadata", "fetched", 0, 4, json!(long)),
            ("negative", "fetched", 0, -5, json!("")),
            ("unknown partition", "fetched", 6, 3, json!("")),
            ("unknown topic", "nobody", 0, 3, json!("")),
            ("bad topic", "a b", 0, 3, json!("")),
        ] {
            let partition = json!({"PartitionIndex": index, "CommittedOffset": offset, "CommittedMetadata": metadata});
            let body = json!({"GroupId": "kept", "GenerationIdOrMemberEpoch": -1, "MemberId": "", "Topics": [{"Name": topic, "Partitions": [partition]}]});
            side.ask(label, at, "OffsetCommit", version, &body)?;
            let fetch_version = version.min(7);
            let body = json!({"GroupId": "kept", "Topics": null});
            side.ask(&format!("all after {label} {version}"), at, "OffsetFetch", fetch_version, &body)?;
        }
    }
    for version in 8..=9 {
        for (label, groups) in [
            ("two groups", json!([{"GroupId": "kept", "Topics": null}, {"GroupId": "kept", "Topics": []}])),
            ("none", json!([])),
            (
                "a topic twice",
                json!([{"GroupId": "kept", "Topics": [{"Name": "fetched", "PartitionIndexes": [0]}, {"Name": "fetched", "PartitionIndexes": [0]}]}]),
            ),
            ("member of nothing", json!([{"GroupId": "kept", "MemberId": "nobody", "MemberEpoch": 3, "Topics": null}])),
        ] {
            side.ask(label, at, "OffsetFetch", version, &json!({"Groups": groups, "RequireStable": true}))?;
        }
    }
    Ok(())
}

fn delete_groups(side: &mut Side) -> Outcome {
    let at = coordinated(side, "to be deleted")?;
    Sweep::of("DeleteGroups").at(at).play(side, |_, _| Ok(json!({"GroupsNames": ["to be deleted"]})))
}

fn group_deletions(side: &mut Side) -> Outcome {
    for version in 0..=2 {
        let one = alone(side, "doomed")?;
        let delete = json!({"GroupsNames": [one.group, one.group]});
        side.ask("while it has a member", one.at, "DeleteGroups", version, &delete)?;
        leave_all(side, &one.group, one.at)?;
        side.ask("twice", one.at, "DeleteGroups", version, &delete)?;
        side.ask("again", one.at, "DeleteGroups", version, &json!({"GroupsNames": [one.group, ""]}))?;
    }
    Ok(())
}
