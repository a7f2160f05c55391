//! Loggers of a broker, as configs of the resource BROKER_LOGGER: levels that are set, inherited and taken away. Asked for are loggers that
//! both sides have; Kafka has those of each of its classes.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[Case { name: "levels of loggers", play: levels }];

const BROKER_LOGGER: i8 = 8;

/// Whom the levels below reach: each is asked about after each change.
const LOGGERS: [&str; 9] = [
    "root",
    "kafka",
    "kafka.request.logger",
    "kafka.server.KafkaApis",
    "kafka.server.ReplicaManager",
    "org.apache.kafka",
    "org.apache.kafka.controller",
    "org.apache.kafka.storage.internals.log.Cleaner",
    "state.change.logger",
];

fn described(side: &mut Side, label: &str, version: i16, logger: &str, details: bool) -> Outcome {
    let resource = json!({"ResourceType": BROKER_LOGGER, "ResourceName": "1", "ConfigurationKeys": [logger]});
    let mut body = json!({"Resources": [resource], "IncludeSynonyms": details});
    if version >= 3 {
        body["IncludeDocumentation"] = json!(details);
    }
    side.ask(&format!("{logger} {label}"), 1, "DescribeConfigs", version, &body)?;
    Ok(())
}

fn levels(side: &mut Side) -> Outcome {
    for version in 1..=4 {
        for details in [false, true] {
            described(side, &format!("in the beginning, details {details}"), version, "kafka.request.logger", details)?;
        }
    }
    for logger in LOGGERS.into_iter().chain(["no.such.logger", ""]) {
        described(side, "in the beginning", 4, logger, false)?;
    }
    let set = |name: &str, level: &str| json!({"Name": name, "ConfigOperation": 0, "Value": level});
    let unset = |name: &str| json!({"Name": name, "ConfigOperation": 1, "Value": null});
    for (label, changes) in [
        ("one class", json!([set("kafka.server.KafkaApis", "DEBUG")])),
        ("all of kafka", json!([set("kafka", "ERROR")])),
        ("each level, one after the other", json!([set("org.apache.kafka", "TRACE")])),
        ("FATAL", json!([set("org.apache.kafka", "FATAL")])),
        ("the root", json!([set("root", "WARN")])),
        ("two at a time", json!([set("state.change.logger", "TRACE"), set("kafka.request.logger", "DEBUG")])),
        ("in small letters", json!([set("kafka", "debug")])),
        ("OFF", json!([set("kafka", "OFF")])),
        ("ALL", json!([set("kafka", "ALL")])),
        ("nothing", json!([set("kafka", "")])),
        ("null", json!([{"Name": "kafka", "ConfigOperation": 0, "Value": null}])),
        ("one good, one bad", json!([set("kafka", "TRACE"), set("no.such.logger", "INFO")])),
        ("one twice", json!([set("kafka", "TRACE"), set("kafka", "INFO")])),
        ("nobody unset", json!([unset("no.such.logger")])),
        ("unset", json!([unset("kafka")])),
        ("unset again", json!([unset("kafka")])),
        ("the root unset", json!([unset("root")])),
        ("subtracted", json!([{"Name": "kafka", "ConfigOperation": 3, "Value": "INFO"}])),
        ("unknown operation", json!([{"Name": "kafka", "ConfigOperation": 7, "Value": "INFO"}])),
        ("no changes", json!([])),
        (
            "all as before",
            json!([
                set("root", "INFO"),
                set("kafka", "INFO"),
                set("org.apache.kafka", "INFO"),
                unset("kafka.server.KafkaApis")
            ]),
        ),
        ("the rest as before", json!([set("state.change.logger", "INFO"), set("kafka.request.logger", "WARN")])),
    ] {
        changed(side, label, &changes)?;
    }
    Ok(())
}

/// Checked only first, which must change nothing; then done.
fn changed(side: &mut Side, label: &str, changes: &Value) -> Outcome {
    for validate_only in [true, false] {
        let resource = json!({"ResourceType": BROKER_LOGGER, "ResourceName": "1", "Configs": changes});
        let body = json!({"Resources": [resource], "ValidateOnly": validate_only});
        side.ask(&format!("{label}, validate {validate_only}"), 1, "IncrementalAlterConfigs", 1, &body)?;
        for logger in LOGGERS {
            described(side, &format!("after {label}, validate {validate_only}"), 4, logger, false)?;
        }
    }
    Ok(())
}
