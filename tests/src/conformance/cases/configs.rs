//! Configs: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::mutate::Sweep;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of DescribeConfigs", play: describe_configs },
    Case { name: "all configs", play: all_configs },
    Case { name: "each field of AlterConfigs", play: alter_configs },
    Case { name: "each field of IncrementalAlterConfigs", play: incremental },
    Case { name: "config changes", play: changes },
    Case { name: "each field of ListConfigResources", play: list_resources },
];

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const FIRST_WITH_DOCUMENTATION: i16 = 3;

fn describe_configs(side: &mut Side) -> Outcome {
    side.topic("configured", 1, &[("retention.ms", "5000"), ("min.insync.replicas", "1")])?;
    Sweep::of("DescribeConfigs").without(&["ConfigurationKeys"]).play(side, |_, _| {
        let resource = json!({"ResourceType": TOPIC, "ResourceName": "configured", "ConfigurationKeys": ["retention.ms", "cleanup.policy"]});
        Ok(json!({"Resources": [resource], "IncludeSynonyms": true, "IncludeDocumentation": false}))
    })
}

fn all_configs(side: &mut Side) -> Outcome {
    side.topic("for-tests", 1, &[("internal.segment.bytes", "4096")])?;
    for keys in [json!(null), json!(["internal.segment.bytes"])] {
        for details in [false, true] {
            let resource = json!({"ResourceType": TOPIC, "ResourceName": "for-tests", "ConfigurationKeys": keys});
            let body = json!({"Resources": [resource], "IncludeSynonyms": details, "IncludeDocumentation": details});
            side.ask(
                &format!("topic with a config for tests, keys {keys}, details {details}"),
                1,
                "DescribeConfigs",
                4,
                &body,
            )?;
        }
    }
    for version in 1..=4 {
        for (label, kind, name, keys) in [
            ("topic", TOPIC, "configured", json!(null)),
            ("topic, no keys", TOPIC, "configured", json!([])),
            ("topic, unknown key", TOPIC, "configured", json!(["no.such.key"])),
            ("topic, a key twice", TOPIC, "configured", json!(["retention.ms", "retention.ms"])),
            ("unknown topic", TOPIC, "nobody", json!(null)),
            ("bad topic", TOPIC, "a b", json!(null)),
            ("group", GROUP, "any group", json!(null)),
            ("empty group", GROUP, "", json!(null)),
            ("client metrics", CLIENT_METRICS, "any", json!(null)),
            ("empty client metrics", CLIENT_METRICS, "", json!(null)),
            ("brokers' default", BROKER, "", json!(null)),
            ("another broker", BROKER, "2", json!(["log.retention.ms"])),
            ("unknown broker", BROKER, "77", json!(null)),
            ("broker that is no number", BROKER, "one", json!(null)),
            ("loggers of another", BROKER_LOGGER, "2", json!(["root"])),
            ("loggers of none", BROKER_LOGGER, "", json!(null)),
            ("loggers of what is no number", BROKER_LOGGER, "one", json!(null)),
            ("unknown type", 3, "x", json!(null)),
            ("type 0", 0, "x", json!(null)),
        ] {
            for synonyms in [false, true] {
                let resource = json!({"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys});
                let body =
                    json!({"Resources": [resource], "IncludeSynonyms": synonyms, "IncludeDocumentation": synonyms});
                side.ask(&format!("{label}, synonyms {synonyms}"), 1, "DescribeConfigs", version, &body)?;
            }
        }
        let mut body = json!({"Resources": [{"ResourceType": BROKER, "ResourceName": "1", "ConfigurationKeys": null}], "IncludeSynonyms": true});
        side.ask("broker", 1, "DescribeConfigs", version, &body)?;
        if version >= FIRST_WITH_DOCUMENTATION {
            body["IncludeDocumentation"] = json!(true);
            side.ask("broker, with documentation", 1, "DescribeConfigs", version, &body)?;
            body["IncludeDocumentation"] = json!(false);
        }
        body["Resources"] = json!([
            {"ResourceType": TOPIC, "ResourceName": "configured", "ConfigurationKeys": ["retention.ms"]},
            {"ResourceType": TOPIC, "ResourceName": "nobody", "ConfigurationKeys": ["retention.ms"]},
            {"ResourceType": TOPIC, "ResourceName": "configured", "ConfigurationKeys": ["segment.ms"]},
        ]);
        side.ask("one twice", 1, "DescribeConfigs", version, &body)?;
    }
    Ok(())
}

fn alter_configs(side: &mut Side) -> Outcome {
    side.topic("altered", 1, &[])?;
    Sweep::of("AlterConfigs").play(side, |_, _| {
        let configs = json!([{"Name": "retention.ms", "Value": "6000"}]);
        Ok(json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": "altered", "Configs": configs}], "ValidateOnly": false}))
    })
}

fn incremental(side: &mut Side) -> Outcome {
    side.topic("incremented", 1, &[])?;
    Sweep::of("IncrementalAlterConfigs").play(side, |_, _| {
        let configs = json!([{"Name": "retention.ms", "ConfigOperation": 0, "Value": "6000"}]);
        Ok(json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": "incremented", "Configs": configs}], "ValidateOnly": false}))
    })
}

fn described(side: &mut Side, label: &str, kind: i8, name: &str, keys: Value) -> Outcome {
    // What was just changed is known by the controller at once, and by the brokers soon: ask for what comes of it later.
    let body = json!({"Resources": [{"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}], "IncludeSynonyms": true});
    side.ask(label, 1, "DescribeConfigs", 4, &body)?;
    Ok(())
}

fn changes(side: &mut Side) -> Outcome {
    side.topic("changed", 1, &[])?;
    for version in 0..=1 {
        for (name, value) in super::topics::CONFIGS {
            for operation in 0..=3 {
                let configs = json!([{"Name": name, "ConfigOperation": operation, "Value": value}]);
                for validate_only in [true, false] {
                    let resource = json!({"ResourceType": TOPIC, "ResourceName": "changed", "Configs": configs});
                    let body = json!({"Resources": [resource], "ValidateOnly": validate_only});
                    let label = format!("{name} {operation} {value:?}, validate {validate_only}");
                    side.ask(&label, 1, "IncrementalAlterConfigs", version, &body)?;
                    if operation > 0 && version == 0 {
                        break;
                    }
                }
            }
        }
    }
    let one = |name: &str, operation: i8, value: Option<&str>| json!({"Name": name, "ConfigOperation": operation, "Value": value});
    let retention = one("retention.ms", 0, Some("1"));
    for (label, kind, name, configs) in [
        ("a key twice", TOPIC, "changed", json!([retention, one("retention.ms", 1, None)])),
        ("none", TOPIC, "changed", json!([])),
        ("unknown topic", TOPIC, "nobody", json!([retention])),
        ("empty topic", TOPIC, "", json!([retention])),
        ("bad topic", TOPIC, "a b", json!([retention])),
        ("broker", BROKER, "1", json!([one("log.retention.ms", 0, Some("100000000"))])),
        ("broker, read-only", BROKER, "1", json!([one("broker.id", 0, Some("5"))])),
        ("broker, read-only too", BROKER, "1", json!([one("log.dirs", 0, Some("/tmp"))])),
        ("broker, unknown", BROKER, "1", json!([one("no.such.config", 0, Some("5"))])),
        ("broker, wrong", BROKER, "1", json!([one("log.retention.ms", 0, Some("soon"))])),
        ("broker, threads", BROKER, "1", json!([one("num.io.threads", 0, Some("1000"))])),
        ("broker, threads 0", BROKER, "1", json!([one("num.io.threads", 0, Some("0"))])),
        ("all brokers, per-broker config", BROKER, "", json!([one("listeners", 0, Some("PLAINTEXT://:1"))])),
        ("all brokers, wrong", BROKER, "", json!([one("log.cleaner.threads", 0, Some("-1"))])),
        ("another broker", BROKER, "2", json!([one("log.retention.ms", 1, None)])),
        ("unknown broker", BROKER, "77", json!([one("log.retention.ms", 0, Some("5"))])),
        ("broker that is no number", BROKER, "one", json!([one("log.retention.ms", 0, Some("5"))])),
        ("group", GROUP, "changed-group", json!([one("consumer.session.timeout.ms", 0, Some("50000"))])),
        ("group, too short", GROUP, "changed-group", json!([one("consumer.session.timeout.ms", 0, Some("5"))])),
        ("group, unknown", GROUP, "changed-group", json!([one("no.such.config", 0, Some("5"))])),
        ("empty group", GROUP, "", json!([one("consumer.session.timeout.ms", 0, Some("50000"))])),
        ("client metrics", CLIENT_METRICS, "changed-metrics", json!([one("interval.ms", 0, Some("5000"))])),
        ("client metrics, wrong", CLIENT_METRICS, "changed-metrics", json!([one("interval.ms", 0, Some("5"))])),
        ("client metrics, match", CLIENT_METRICS, "changed-metrics", json!([one("match", 0, Some("nonsense"))])),
        ("client metrics, unknown", CLIENT_METRICS, "changed-metrics", json!([one("no.such", 0, Some("5"))])),
        ("empty client metrics", CLIENT_METRICS, "", json!([one("interval.ms", 0, Some("5000"))])),
        ("loggers, unknown", BROKER_LOGGER, "1", json!([one("no.such.logger", 0, Some("INFO"))])),
        ("loggers, no level", BROKER_LOGGER, "1", json!([one("kafka", 0, Some("LOUD"))])),
        ("loggers, appended", BROKER_LOGGER, "1", json!([one("kafka", 2, Some("INFO"))])),
        ("unknown type", 5, "x", json!([retention])),
    ] {
        for validate_only in [true, false] {
            let body = json!({"Resources": [{"ResourceType": kind, "ResourceName": name, "Configs": configs}], "ValidateOnly": validate_only});
            side.ask(&format!("{label}, validate {validate_only}"), 1, "IncrementalAlterConfigs", 1, &body)?;
            let body = json!({"Resources": [{"ResourceType": kind, "ResourceName": name, "Configs": legacy(&configs)}], "ValidateOnly": true});
            if !validate_only {
                side.ask(label, 1, "AlterConfigs", 2, &body)?;
            }
        }
    }
    let twice = json!({"ResourceType": TOPIC, "ResourceName": "changed", "Configs": [retention]});
    let other = json!({"ResourceType": TOPIC, "ResourceName": "nobody", "Configs": [retention]});
    side.ask("a resource twice", 1, "IncrementalAlterConfigs", 1, &json!({"Resources": [twice, other, twice]}))?;
    let body = json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": "changed", "Configs": [one("segment.ms", 0, Some("77777"))]}]});
    side.send(1, "IncrementalAlterConfigs", 1, &body)?;
    let query =
        json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": "changed", "ConfigurationKeys": ["segment.ms"]}]});
    side.wait(1, "the last change", "DescribeConfigs", 4, &query, |answer| {
        answer["Results"][0]["Configs"][0]["Value"] == "77777"
    })?;
    described(side, "topic, after all changes", TOPIC, "changed", json!(null))?;
    described(side, "broker, after all changes", BROKER, "1", json!(["log.retention.ms", "num.io.threads"]))?;
    described(side, "group, after all changes", GROUP, "changed-group", json!(null))?;
    described(side, "client metrics, after all changes", CLIENT_METRICS, "changed-metrics", json!(null))
}

fn legacy(configs: &Value) -> Value {
    configs
        .as_array()
        .into_iter()
        .flatten()
        .map(|config| json!({"Name": config["Name"], "Value": config["Value"]}))
        .collect()
}

fn list_resources(side: &mut Side) -> Outcome {
    Sweep::of("ListConfigResources").play(side, |_, _| Ok(json!({"ResourceTypes": [CLIENT_METRICS]})))?;
    for types in
        [json!([]), json!([4]), json!([8]), json!([16]), json!([32]), json!([16, 16]), json!([4, 3]), json!([0])]
    {
        side.ask(&format!("types {types}"), 1, "ListConfigResources", 1, &json!({"ResourceTypes": types}))?;
    }
    Ok(())
}
