//! Records for members of share groups, and what became of them (KIP-932, KIP-1206, KIP-1222): ShareFetch, ShareAcknowledge.

use serde_json::{Value, json};

use super::data::write;
use super::{Case, is_offered};
use crate::conformance::mutate::Sweep;
use crate::conformance::records::Batch;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of ShareFetch", play: fetch },
    Case { name: "each field of ShareAcknowledge", play: acknowledge },
    Case { name: "share sessions", play: sessions },
    Case { name: "a share member's records", play: records },
    Case { name: "records that are given back", play: redelivery },
    Case { name: "acquired to a limit", play: limits },
];

const FETCH: &str = "ShareFetch";
const ACKNOWLEDGE: &str = "ShareAcknowledge";
const UNKNOWN_TOPIC: &str = "00000000000000000000000000000001";
/// A member.
const ME: &str = "member-1";
/// Another one.
const OTHER: &str = "member-2";

/// The group begins with the first record.
fn from_earliest(side: &mut Side, group: &str) -> Outcome {
    let config = json!({"Name": "share.auto.offset.reset", "ConfigOperation": 0, "Value": "earliest"});
    let resource = json!({"ResourceType": 32, "ResourceName": group, "Configs": [config]});
    side.send(1, "IncrementalAlterConfigs", 1, &json!({"Resources": [resource], "ValidateOnly": false}))?;
    side.wait(1, "the group's config", "DescribeConfigs", 4, &described(group), |answer| {
        answer["Results"][0]["Configs"].to_string().contains("earliest")
    })?;
    Ok(())
}

fn described(group: &str) -> Value {
    json!({"Resources": [{"ResourceType": 32, "ResourceName": group, "ConfigurationKeys": ["share.auto.offset.reset"]}]})
}

/// What `member` acknowledges of the topic's first partition.
fn partition(batches: &Value) -> Value {
    json!([{"PartitionIndex": 0, "AcknowledgementBatches": batches}])
}

fn batch(first: i64, last: i64, types: &[i8]) -> Value {
    json!({"FirstOffset": first, "LastOffset": last, "AcknowledgeTypes": types})
}

/// A fetch that does not wait, if there is nothing.
fn fetching(group: &str, member: &str, epoch: i32, topic: &str, batches: &Value) -> Value {
    json!({"GroupId": group, "MemberId": member, "ShareSessionEpoch": epoch, "MaxWaitMs": 1, "MinBytes": 1,
        "MaxBytes": 1_000_000, "MaxRecords": 500, "BatchSize": 500, "ForgottenTopicsData": [],
        "Topics": [{"TopicId": topic, "Partitions": partition(batches)}]})
}

fn acknowledging(group: &str, member: &str, epoch: i32, topic: &str, batches: &Value) -> Value {
    json!({"GroupId": group, "MemberId": member, "ShareSessionEpoch": epoch,
        "Topics": [{"TopicId": topic, "Partitions": partition(batches)}]})
}

fn end(side: &mut Side, group: &str, member: &str) -> Outcome {
    let body = json!({"GroupId": group, "MemberId": member, "ShareSessionEpoch": -1, "Topics": []});
    side.send(1, ACKNOWLEDGE, 1, &body)?;
    Ok(())
}

/// A session of a member of a topic without records.
fn begin(side: &mut Side, group: &str, topic: &str) -> Outcome {
    side.send(1, FETCH, 1, &fetching(group, ME, 0, topic, &json!([])))?;
    Ok(())
}

/// A member of the group subscribes to the topic: without one, nothing is kept for the group. Its partitions are assigned when that is begun.
fn join(side: &mut Side, group: &str, topic: &str) -> Outcome {
    let at = side.coordinator(group, 0)?;
    let body = json!({"GroupId": group, "MemberId": "joiner", "MemberEpoch": 0, "SubscribedTopicNames": [topic]});
    side.wait(at, "a share group's partitions", "ShareGroupHeartbeat", 1, &body, |answer| {
        answer["Assignment"]["TopicPartitions"].as_array().is_some_and(|all| !all.is_empty())
    })?;
    Ok(())
}

/// Waits until the brokers can keep share state: their topic is made with the first need for it.
fn warm(side: &mut Side) -> Outcome {
    let name = side.fresh("share-warm");
    side.topic(&name, 1, &[])?;
    write(side, &name, &Batch::of(1))?;
    from_earliest(side, "warm sharers")?;
    join(side, "warm sharers", &name)?;
    let topic = side.topic_id(&name)?;
    let body = waiting(fetching("warm sharers", ME, 0, &topic, &json!([])));
    side.wait(1, "share state", FETCH, 1, &body, |answer| {
        answer["Responses"][0]["Partitions"][0]["AcquiredRecords"].as_array().is_some_and(|all| !all.is_empty())
    })?;
    end(side, "warm sharers", ME)
}

/// Groups of which nothing is kept: whether that is found out before a fetch is answered is a race.
const OTHER_GROUPS: [&str; 3] = ["GroupId = \"\"", "GroupId = \"unknown\"", "GroupId = 252 bytes"];

/// Another member holds the partition at the leader, on a connection of its own.
fn hold(side: &mut Side, group: &str, topic: &str) -> Outcome {
    let mut body = fetching(group, OTHER, 0, topic, &json!([]));
    body["MaxWaitMs"] = json!(1_500);
    let pending = side.begin("another holds the partition", (1, 9), FETCH, 1, &body)?;
    side.finish(&pending).map(|_| ())
}

fn fetch(side: &mut Side) -> Outcome {
    if !is_offered(FETCH) {
        return Ok(());
    }
    warm(side)?;
    side.topic("share-swept", 1, &[])?;
    let topic = side.topic_id("share-swept")?;
    let group = "swept sharers";
    join(side, group, "share-swept")?;
    hold(side, group, &topic)?;
    // That would be waited for.
    let later = ["MaxWaitMs = 2147483647"];
    Sweep::of(FETCH).except(&[&later[..], &OTHER_GROUPS].concat()).play(side, |side, _| {
        end(side, group, ME)?;
        Ok(fetching(group, ME, 0, &topic, &json!([])))
    })?;
    side.anew();
    // And as the second request of a session, with something to say.
    Sweep::of(FETCH).except(&later).without(&["GroupId", "MemberId"]).play(side, |side, _| {
        begin(side, group, &topic)?;
        let mut body = fetching(group, ME, 1, &topic, &json!([batch(0, 1, &[1])]));
        body["ForgottenTopicsData"] = json!([{"TopicId": topic, "Partitions": [1]}]);
        Ok(body)
    })?;
    end(side, group, ME)
}

fn acknowledge(side: &mut Side) -> Outcome {
    if !is_offered(ACKNOWLEDGE) {
        return Ok(());
    }
    warm(side)?;
    side.topic("share-acknowledged", 1, &[])?;
    let topic = side.topic_id("share-acknowledged")?;
    let group = "sweeping sharers";
    join(side, group, "share-acknowledged")?;
    hold(side, group, &topic)?;
    Sweep::of(ACKNOWLEDGE).except(&OTHER_GROUPS).play(side, |side, _| {
        begin(side, group, &topic)?;
        Ok(acknowledging(group, ME, 1, &topic, &json!([batch(0, 1, &[1])])))
    })?;
    end(side, group, ME)
}

fn sessions(side: &mut Side) -> Outcome {
    if !is_offered(FETCH) {
        return Ok(());
    }
    warm(side)?;
    side.topic("share-sessions", 2, &[])?;
    let topic = side.topic_id("share-sessions")?;
    for version in 1..=2 {
        side.anew();
        let group = side.fresh("sharers");
        join(side, &group, "share-sessions")?;
        let none = json!([]);
        // From here on the leader has what was kept of the partition, so that no fetch waits for that.
        let mut loads = fetching(&group, OTHER, 0, &topic, &none);
        loads["MaxWaitMs"] = json!(1_500);
        side.send(1, FETCH, 1, &loads)?;
        let ask = |side: &mut Side, label: &str, epoch: i32, change: &dyn Fn(&mut Value)| -> Outcome {
            let mut body = fetching(&group, ME, epoch, &topic, &none);
            change(&mut body);
            side.ask(label, 1, FETCH, version, &body).map(|_| ())
        };
        let nothing = |body: &mut Value| body["Topics"] = json!([]);
        ask(side, "goes on before it began", 1, &|_| {})?;
        ask(side, "ends before it began", -1, &|_| {})?;
        ask(side, "begins with nothing", 0, &nothing)?;
        ask(side, "begins with an acknowledgement", 0, &|body| {
            body["Topics"][0]["Partitions"] = partition(&json!([batch(0, 0, &[1])]));
        })?;
        ask(side, "begins", 0, &|_| {})?;
        ask(side, "begins again", 0, &|_| {})?;
        ask(side, "with a stale epoch", 5, &|_| {})?;
        ask(side, "goes on", 1, &nothing)?;
        ask(side, "goes on twice", 1, &nothing)?;
        ask(side, "adds a partition of another leader", 2, &|body| {
            body["Topics"][0]["Partitions"][0]["PartitionIndex"] = json!(1)
        })?;
        ask(side, "adds a partition that is not there", 3, &|body| {
            body["Topics"][0]["Partitions"][0]["PartitionIndex"] = json!(7)
        })?;
        ask(side, "adds a topic that is not there", 4, &|body| body["Topics"][0]["TopicId"] = json!(UNKNOWN_TOPIC))?;
        ask(side, "hears of all errors again", 5, &nothing)?;
        let forgotten =
            |ids: &[i32]| json!([{"TopicId": topic, "Partitions": ids}, {"TopicId": UNKNOWN_TOPIC, "Partitions": [0]}]);
        ask(side, "forgets them", 6, &|body| {
            nothing(body);
            body["ForgottenTopicsData"] = forgotten(&[1, 7]);
        })?;
        ask(side, "has none of them", 7, &nothing)?;
        ask(side, "wants no record", 8, &|body| body["MaxRecords"] = json!(0))?;
        ask(side, "wants no byte", 9, &|body| body["MaxBytes"] = json!(0))?;
        let body = json!({"GroupId": group, "MemberId": ME, "ShareSessionEpoch": 0, "Topics": []});
        side.ask("acknowledges at the beginning", 1, ACKNOWLEDGE, version, &body)?;
        let body = json!({"GroupId": group, "MemberId": ME, "ShareSessionEpoch": 10, "Topics": []});
        side.ask("acknowledges nothing", 1, ACKNOWLEDGE, version, &body)?;
        side.ask("acknowledges nothing twice", 1, ACKNOWLEDGE, version, &body)?;
        ask(side, "goes on after that", 11, &nothing)?;
        ask(side, "ends", -1, &nothing)?;
        ask(side, "ends twice", -1, &nothing)?;
        side.ask("acknowledges without a session", 1, ACKNOWLEDGE, version, &body)?;
    }
    Ok(())
}

/// A topic of three batches of three records, and a group that begins with the first.
fn shared(side: &mut Side, what: &str, version: i16) -> Outcome<(String, String)> {
    let name = format!("share-{what}-{version}");
    side.topic(&name, 1, &[])?;
    for _ in 0..3 {
        write(side, &name, &Batch::of(3))?;
    }
    let group = format!("{what} sharers {version}");
    from_earliest(side, &group)?;
    join(side, &group, &name)?;
    Ok((group, side.topic_id(&name)?))
}

/// A fetch that waits for records.
fn waiting(mut body: Value) -> Value {
    body["MaxWaitMs"] = json!(5_000);
    body
}

fn records(side: &mut Side) -> Outcome {
    if !is_offered(FETCH) {
        return Ok(());
    }
    warm(side)?;
    for version in 1..=2 {
        side.anew();
        let (group, topic) = shared(side, "records", version)?;
        let none = json!([]);
        side.ask("gets records", 1, FETCH, version, &waiting(fetching(&group, ME, 0, &topic, &none)))?;
        side.ask("another gets none", 1, FETCH, version, &fetching(&group, OTHER, 0, &topic, &none))?;
        let mut epoch = 0;
        let mut ask = |side: &mut Side, label: &str, batches: Value, is_renewal: bool| -> Outcome {
            epoch += 1;
            let mut body = acknowledging(&group, ME, epoch, &topic, &batches);
            if version >= 2 {
                body["IsRenewAck"] = json!(is_renewal);
            }
            side.ask(label, 1, ACKNOWLEDGE, version, &body).map(|_| ())
        };
        ask(side, "accepts a batch", json!([batch(0, 2, &[1])]), false)?;
        ask(side, "accepts it again", json!([batch(0, 2, &[1])]), false)?;
        ask(side, "accepts what is past", json!([batch(100, 110, &[1])]), false)?;
        ask(side, "accepts beyond the end", json!([batch(3, 110, &[1])]), false)?;
        ask(side, "accepts backwards", json!([batch(5, 3, &[1])]), false)?;
        ask(side, "accepts out of order", json!([batch(6, 6, &[1]), batch(3, 3, &[1])]), false)?;
        ask(side, "too few types", json!([batch(3, 5, &[1, 1])]), false)?;
        ask(side, "too many types", json!([batch(3, 3, &[1, 1])]), false)?;
        ask(side, "an unknown type", json!([batch(3, 3, &[5])]), false)?;
        ask(side, "renews without saying so", json!([batch(3, 3, &[4])]), false)?;
        ask(side, "renews", json!([batch(3, 3, &[4])]), true)?;
        ask(side, "of each kind", json!([batch(3, 6, &[1, 2, 3, 0])]), false)?;
        ask(side, "one that it gave back", json!([batch(4, 4, &[1])]), false)?;
        ask(side, "one that stands and one that does not", json!([batch(7, 7, &[1]), batch(3, 3, &[1])]), false)?;
        let not_mine = acknowledging(&group, OTHER, 1, &topic, &json!([batch(7, 8, &[1])]));
        side.ask("another accepts them", 1, ACKNOWLEDGE, version, &not_mine)?;
        let mut unknown = acknowledging(&group, OTHER, 2, UNKNOWN_TOPIC, &json!([batch(7, 8, &[1])]));
        side.ask("of an unknown topic", 1, ACKNOWLEDGE, version, &unknown)?;
        unknown = acknowledging(&group, OTHER, 3, &topic, &json!([batch(7, 8, &[1])]));
        unknown["Topics"][0]["Partitions"][0]["PartitionIndex"] = json!(9);
        side.ask("of an unknown partition", 1, ACKNOWLEDGE, version, &unknown)?;
        let again = fetching(&group, OTHER, 4, &topic, &none);
        side.ask("another gets what was given back", 1, FETCH, version, &waiting(again))?;
        let with_fetch = fetching(&group, OTHER, 5, &topic, &json!([batch(4, 4, &[1])]));
        side.ask("accepts it with a fetch", 1, FETCH, version, &with_fetch)?;
        let wrong = fetching(&group, OTHER, 6, &topic, &json!([batch(4, 4, &[1])]));
        side.ask("accepts it twice with a fetch", 1, FETCH, version, &wrong)?;
        let last = fetching(&group, ME, -1, &topic, &json!([batch(7, 8, &[1])]));
        side.ask("accepts the rest and ends", 1, FETCH, version, &last)?;
        side.ask("another ends", 1, ACKNOWLEDGE, version, &acknowledging(&group, OTHER, -1, &topic, &none))?;
    }
    Ok(())
}

fn redelivery(side: &mut Side) -> Outcome {
    if !is_offered(FETCH) {
        return Ok(());
    }
    warm(side)?;
    for version in 1..=2 {
        side.anew();
        let (group, topic) = shared(side, "given-back", version)?;
        let none = json!([]);
        let begun = waiting(fetching(&group, ME, 0, &topic, &none));
        side.ask("delivery 1", 1, FETCH, version, &begun)?;
        for delivery in 2..=3 {
            let back = acknowledging(&group, ME, 2 * delivery - 3, &topic, &json!([batch(0, 8, &[2])]));
            side.ask(&format!("gives all back after delivery {}", delivery - 1), 1, ACKNOWLEDGE, version, &back)?;
            let more = waiting(fetching(&group, ME, 2 * delivery - 2, &topic, &none));
            side.ask(&format!("delivery {delivery}"), 1, FETCH, version, &more)?;
        }
        end(side, &group, ME)?;
    }
    Ok(())
}

fn limits(side: &mut Side) -> Outcome {
    if !is_offered(FETCH) {
        return Ok(());
    }
    warm(side)?;
    for (what, mode, max_records, batch_size) in
        [("loose", 0, 4, 500), ("strict", 1, 4, 500), ("small", 0, 500, 2), ("unknown", 2, 500, 500)]
    {
        side.anew();
        let (group, topic) = shared(side, &format!("limits-{what}"), 2)?;
        for (epoch, label) in ["first", "second", "third", "fourth"].into_iter().enumerate() {
            let mut body = fetching(&group, ME, epoch as i32, &topic, &json!([]));
            body["ShareAcquireMode"] = json!(mode);
            body["MaxRecords"] = json!(max_records);
            body["BatchSize"] = json!(batch_size);
            let body = if epoch == 0 { waiting(body) } else { body };
            side.ask(&format!("{what}, {label}"), 1, FETCH, 2, &body)?;
        }
        end(side, &group, ME)?;
    }
    Ok(())
}
