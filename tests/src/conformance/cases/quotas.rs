//! Client quotas: DescribeClientQuotas, AlterClientQuotas.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::mutate::Sweep;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of AlterClientQuotas", play: alter },
    Case { name: "each field of DescribeClientQuotas", play: describe },
    Case { name: "quotas that are refused", play: refused },
    Case { name: "quotas that are set and removed", play: set_and_removed },
    Case { name: "filters of quotas", play: filters },
    Case { name: "a quota of mutations", play: mutations },
];

fn entity(parts: &[(&str, Option<&str>)]) -> Value {
    parts.iter().map(|(kind, name)| json!({"EntityType": kind, "EntityName": name})).collect()
}

fn entry(parts: &[(&str, Option<&str>)], ops: &[(&str, Option<f64>)]) -> Value {
    let op = |(key, value): &(&str, Option<f64>)| json!({"Key": key, "Value": value.unwrap_or(0.0), "Remove": value.is_none()});
    json!({"Entity": entity(parts), "Ops": ops.iter().map(op).collect::<Vec<_>>()})
}

/// Nobody who asks here has this client id.
const NOBODY: &[(&str, Option<&str>)] = &[("client-id", Some("nobody"))];

fn alter(side: &mut Side) -> Outcome {
    Sweep::of("AlterClientQuotas").without(&["ValidateOnly"]).play(side, |_, _| {
        Ok(json!({"Entries": [entry(NOBODY, &[("producer_byte_rate", Some(1000.0))])], "ValidateOnly": true}))
    })
}

fn describe(side: &mut Side) -> Outcome {
    Sweep::of("DescribeClientQuotas").play(side, |_, _| {
        let components = json!([{"EntityType": "client-id", "MatchType": 0, "Match": "no-such-client"}]);
        Ok(json!({"Components": components, "Strict": false}))
    })
}

fn refused(side: &mut Side) -> Outcome {
    let user: &[(&str, Option<&str>)] = &[("user", Some("nobody"))];
    let both: &[(&str, Option<&str>)] = &[("user", Some("nobody")), ("client-id", None)];
    let good: &[(&str, Option<f64>)] = &[("producer_byte_rate", Some(1000.0))];
    let ip: &[(&str, Option<&str>)] = &[("ip", Some("127.0.0.9"))];
    for version in 0..=1 {
        for (label, parts) in [
            ("nobody", &[][..]),
            ("an unknown type", &[("group", Some("g"))][..]),
            ("an empty type", &[("", Some("g"))][..]),
            ("an empty user", &[("user", Some(""))][..]),
            ("an empty client id", &[("client-id", Some(""))][..]),
            ("an empty address", &[("ip", Some(""))][..]),
            ("a user and an address", &[("user", Some("nobody")), ("ip", None)][..]),
            ("a type twice", &[("user", Some("nobody")), ("user", None)][..]),
            ("both", both),
            ("both, the other way round", &[("client-id", None), ("user", Some("nobody"))][..]),
            ("an address", ip),
            ("an address of six", &[("ip", Some("::1"))][..]),
        ] {
            let body = json!({"Entries": [entry(parts, good)], "ValidateOnly": true});
            side.ask(label, 1, "AlterClientQuotas", version, &body)?;
        }
        for key in [
            "producer_byte_rate",
            "consumer_byte_rate",
            "request_percentage",
            "controller_mutation_rate",
            "connection_creation_rate",
            "no_such_rate",
            "",
        ] {
            for value in [-1.0, 0.0, 0.5, 1.0, 1e-7, 1.000_000_1, 32_768.0, 2_147_483_647.0, 2_147_483_648.0, 9.3e18] {
                for (who, parts) in [("a user", user), ("an address", ip)] {
                    let body = json!({"Entries": [entry(parts, &[(key, Some(value))])], "ValidateOnly": true});
                    side.ask(&format!("{key} of {who}: {value}"), 1, "AlterClientQuotas", version, &body)?;
                }
            }
            let body = json!({"Entries": [entry(user, &[(key, None)])], "ValidateOnly": true});
            side.ask(&format!("{key} removed"), 1, "AlterClientQuotas", version, &body)?;
        }
        let bad: &[(&str, Option<f64>)] = &[("no_such_rate", Some(1.0))];
        for (label, entries) in [
            ("none", json!([])),
            ("no keys", json!([entry(user, &[])])),
            ("a key twice", json!([entry(user, &[good[0], good[0]])])),
            ("a key set and removed", json!([entry(user, &[good[0], ("producer_byte_rate", None)])])),
            ("an entity twice", json!([entry(user, good), entry(user, good)])),
            ("an entity twice in other words", json!([entry(both, good), entry(&[both[1], both[0]], good)])),
            ("an entity twice, once refused", json!([entry(user, bad), entry(user, good)])),
            ("good, bad", json!([entry(user, good), entry(NOBODY, bad)])),
            ("two bad keys", json!([entry(user, &[("no_such_rate", Some(1.0)), ("request_percentage", Some(0.0))])])),
            ("two bad parts", json!([entry(&[("user", Some("")), ("group", Some("g"))], good)])),
        ] {
            let body = json!({"Entries": entries, "ValidateOnly": true});
            side.ask(label, 1, "AlterClientQuotas", version, &body)?;
        }
    }
    Ok(())
}

/// What all brokers tell of.
fn told(side: &mut Side, label: &str, version: i16, entries: usize) -> Outcome {
    for broker in side.broker_ids() {
        let body = json!({"Components": [], "Strict": false});
        side.wait(broker, "the quotas", "DescribeClientQuotas", 1, &body, |answer| {
            answer["Entries"].as_array().is_some_and(|all| all.len() == entries)
        })?;
        side.ask(label, broker, "DescribeClientQuotas", version, &body)?;
    }
    Ok(())
}

fn set_and_removed(side: &mut Side) -> Outcome {
    for version in 0..=1 {
        told(side, "before", version, 0)?;
        let keys = [("producer_byte_rate", Some(1e9)), ("request_percentage", Some(250.5))];
        let body = json!({"Entries": [entry(NOBODY, &keys)], "ValidateOnly": false});
        side.ask("set", 1, "AlterClientQuotas", version, &body)?;
        told(side, "set", version, 1)?;
        side.ask("set again", 2, "AlterClientQuotas", version, &body)?;
        let body = json!({"Entries": [entry(NOBODY, &[("producer_byte_rate", None)])], "ValidateOnly": false});
        side.ask("one removed", 3, "AlterClientQuotas", version, &body)?;
        side.wait(1, "the removal", "DescribeClientQuotas", 1, &json!({"Components": []}), |answer| {
            answer["Entries"][0]["Values"].as_array().is_some_and(|all| all.len() == 1)
        })?;
        side.ask("one is left", 1, "DescribeClientQuotas", version, &json!({"Components": []}))?;
        let body = json!({"Entries": [entry(NOBODY, &[("request_percentage", None)])], "ValidateOnly": false});
        side.ask("all removed", 1, "AlterClientQuotas", version, &body)?;
        side.ask("removed again", 1, "AlterClientQuotas", version, &body)?;
        told(side, "after", version, 0)?;
    }
    Ok(())
}

fn filters(side: &mut Side) -> Outcome {
    let rate = [("producer_byte_rate", Some(1e9))];
    let set = [
        entry(&[("user", Some("nobody"))], &rate),
        entry(&[("user", Some("nobody")), ("client-id", Some("nobody"))], &rate),
        entry(&[("user", Some("nobody")), ("client-id", None)], &rate),
        entry(NOBODY, &rate),
        entry(&[("ip", Some("127.0.0.9"))], &[("connection_creation_rate", Some(1000.0))]),
    ];
    side.ask("set", 1, "AlterClientQuotas", 1, &json!({"Entries": set, "ValidateOnly": false}))?;
    told(side, "all", 1, set.len())?;
    let component =
        |kind: &str, how: i8, name: Option<&str>| json!({"EntityType": kind, "MatchType": how, "Match": name});
    for version in 0..=1 {
        for strict in [false, true] {
            let mut ask = |label: &str, components: Value| {
                let body = json!({"Components": components, "Strict": strict});
                side.ask(&format!("{label}, strict {strict}"), 1, "DescribeClientQuotas", version, &body)
            };
            ask("everything", json!([]))?;
            for kind in ["user", "client-id", "ip", "group", ""] {
                for how in [-1, 0, 1, 2, 3] {
                    for name in [None, Some("nobody"), Some("127.0.0.9"), Some("")] {
                        let label = format!("{kind} {how} {}", name.unwrap_or("null"));
                        ask(&label, json!([component(kind, how, name)]))?;
                    }
                }
            }
            let any = |kind: &str| component(kind, 2, None);
            for (label, kinds) in [
                ("user and client id", ["user", "client-id"]),
                ("client id and user", ["client-id", "user"]),
                ("user twice", ["user", "user"]),
                ("user and address", ["user", "ip"]),
                ("address and client id", ["ip", "client-id"]),
                ("user and unknown", ["user", "group"]),
            ] {
                ask(label, json!([any(kinds[0]), any(kinds[1])]))?;
            }
            ask(
                "a user's default client id",
                json!([component("user", 0, Some("nobody")), component("client-id", 1, None)]),
            )?;
        }
    }
    let removed: Vec<Value> = set
        .into_iter()
        .map(|mut entry| {
            entry["Ops"][0]["Remove"] = json!(true);
            entry
        })
        .collect();
    side.ask("removed", 1, "AlterClientQuotas", 1, &json!({"Entries": removed, "ValidateOnly": false}))?;
    told(side, "none", 1, 0)
}

/// One partition a second, of which there are eleven at once: who takes more is refused for some seconds, each on a connection of its own,
/// since the connection is muted as well.
fn mutations(side: &mut Side) -> Outcome {
    let who: &[(&str, Option<&str>)] = &[("user", Some("ANONYMOUS"))];
    let quota = |rate| json!({"Entries": [entry(who, &[("controller_mutation_rate", rate)])], "ValidateOnly": false});
    side.ask("set", 1, "AlterClientQuotas", 1, &quota(Some(1.0)))?;
    told(side, "set", 1, 1)?;
    let create = |name: &str, partitions: i32| {
        let topic = json!({"Name": name, "NumPartitions": partitions, "ReplicationFactor": 1});
        json!({"Topics": [topic], "timeoutMs": 10_000, "validateOnly": false})
    };
    side.ask("more than there is", 1, "CreateTopics", 7, &create("mutated", 25))?;
    side.ask("nothing is left", 2, "CreateTopics", 6, &create("mutated-2", 1))?;
    let delete = json!({"TopicNames": ["mutated"], "TimeoutMs": 10_000});
    side.ask("nothing is left", 3, "DeleteTopics", 5, &delete)?;
    for broker in side.broker_ids() {
        side.hang_up((broker, 0));
    }
    let grow = json!({"Topics": [{"Name": "mutated", "Count": 26, "Assignments": null}], "TimeoutMs": 10_000});
    side.ask("nothing is left", 1, "CreatePartitions", 3, &grow)?;
    side.ask("nothing is left, to an old version", 2, "CreateTopics", 5, &create("mutated-3", 1))?;
    for broker in side.broker_ids() {
        side.hang_up((broker, 0));
    }
    side.ask("removed", 1, "AlterClientQuotas", 1, &quota(None))?;
    told(side, "removed", 1, 0)
}
