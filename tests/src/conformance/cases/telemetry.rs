//! Client telemetry: GetTelemetrySubscriptions, PushTelemetry. Kafka answers them though it lists them only with a plugin for what is pushed;
//! metrics that cannot be read are nothing to it without one, so that those are not asked.

use serde_json::{Value, json};

use super::Case;
use crate::conformance::mutate::Sweep;
use crate::conformance::side::{Outcome, Side};

pub(super) const CASES: &[Case] = &[
    Case { name: "each field of GetTelemetrySubscriptions", play: get },
    Case { name: "what is pushed, and refused", play: push },
    Case { name: "a client's pushes, one after the other", play: sequence },
    Case { name: "a subscription to client metrics", play: subscription },
];

const GET: &str = "GetTelemetrySubscriptions";
const PUSH: &str = "PushTelemetry";

/// `MetricsData` with one empty `ResourceMetrics`.
const EMPTY_METRICS: &str = "0x0a00";

fn get(side: &mut Side) -> Outcome {
    // An id that the broker gives is random, and so is what hangs on it.
    let sweep = Sweep { except: &["\"00000000000000000000000000000000\""], ..Sweep::of(GET) };
    sweep.play(side, |_, _| Ok(json!({"ClientInstanceId": instance(1)})))
}

fn instance(number: u32) -> String {
    format!("7e1e3e7200000000{number:016x}")
}

struct Client {
    id: String,
    subscription_id: Value,
}

impl Client {
    fn new(side: &mut Side, label: &str, number: u32) -> Outcome<Client> {
        let id = instance(number);
        let answer = side.ask(&format!("{label}, asked"), 1, GET, 0, &json!({"ClientInstanceId": id}))?;
        Ok(Client { id, subscription_id: answer["SubscriptionId"].clone() })
    }

    fn get(&self, side: &mut Side, label: &str) -> Outcome<Value> {
        side.ask(label, 1, GET, 0, &json!({"ClientInstanceId": self.id}))
    }

    fn push(&self, side: &mut Side, label: &str, changes: &Value) -> Outcome {
        let mut body = json!({"ClientInstanceId": self.id, "SubscriptionId": self.subscription_id, "Terminating": false,
            "CompressionType": 0, "Metrics": EMPTY_METRICS});
        for (field, value) in changes.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        side.ask(label, 1, PUSH, 0, &body)?;
        Ok(())
    }
}

fn push(side: &mut Side) -> Outcome {
    let zero = "0".repeat(32);
    let one = format!("{}1", "0".repeat(31));
    let large = format!("0x{}", "00".repeat(1_048_577));
    let cases = [
        ("plain", json!({})),
        ("empty", json!({"Metrics": "0x"})),
        ("gzip, empty", json!({"CompressionType": 1, "Metrics": "0x"})),
        ("snappy, empty", json!({"CompressionType": 2, "Metrics": "0x"})),
        ("lz4, empty", json!({"CompressionType": 3, "Metrics": "0x"})),
        ("zstd, empty", json!({"CompressionType": 4, "Metrics": "0x"})),
        ("codec 5", json!({"CompressionType": 5})),
        ("codec -1", json!({"CompressionType": -1})),
        ("codec 127", json!({"CompressionType": 127})),
        ("another subscription", json!({"SubscriptionId": 7})),
        ("another subscription, codec 5", json!({"SubscriptionId": 7, "CompressionType": 5})),
        ("too large", json!({"Metrics": large})),
        ("too large, codec 5", json!({"Metrics": large, "CompressionType": 5})),
        ("terminating", json!({"Terminating": true})),
        ("terminating, another subscription", json!({"Terminating": true, "SubscriptionId": 7})),
        ("id zero", json!({"ClientInstanceId": zero})),
        ("id one", json!({"ClientInstanceId": one})),
        ("an id that never asked", json!({"ClientInstanceId": instance(99)})),
    ];
    for (number, (label, changes)) in (10..).zip(&cases) {
        let client = Client::new(side, label, number)?;
        client.push(side, label, changes)?;
        client.push(side, &format!("{label}, and again"), &json!({}))?;
        client.get(side, &format!("{label}, and asked again"))?;
        client.push(side, &format!("{label}, after that"), &json!({}))?;
    }
    Ok(())
}

fn sequence(side: &mut Side) -> Outcome {
    let client = Client::new(side, "first", 50)?;
    client.get(side, "asked too early")?;
    client.push(side, "the first push", &json!({}))?;
    client.push(side, "too early", &json!({}))?;
    client.push(side, "the last push", &json!({"Terminating": true}))?;
    client.push(side, "one more last push", &json!({"Terminating": true}))?;
    client.push(side, "one after the last", &json!({}))?;
    client.push(side, "one after the one after the last", &json!({}))?;
    client.get(side, "asked after the last")?;
    Ok(())
}

fn subscription(side: &mut Side) -> Outcome {
    let client = Client::new(side, "before", 60)?;
    alter(
        side,
        json!([
            {"Name": "metrics", "ConfigOperation": 0, "Value": "*"},
            {"Name": "interval.ms", "ConfigOperation": 0, "Value": "3600000"},
            {"Name": "match", "ConfigOperation": 0, "Value": "client_source_address=127[.].*"},
        ]),
    )?;
    listed(side, true)?;
    let new = Client::new(side, "a new client", 61)?;
    client.push(side, "with the former subscription", &json!({}))?;
    let answer = client.get(side, "asked after that")?;
    let client = Client { subscription_id: answer["SubscriptionId"].clone(), ..client };
    client.push(side, "with the new subscription", &json!({}))?;
    new.push(side, "the new client", &json!({}))?;
    for name in ["metrics", "interval.ms", "match"] {
        alter(side, json!([{"Name": name, "ConfigOperation": 1, "Value": null}]))?;
    }
    listed(side, false)?;
    Client::new(side, "after", 62)?;
    Ok(())
}

fn alter(side: &mut Side, configs: Value) -> Outcome {
    let body = json!({"Resources": [{"ResourceType": 16, "ResourceName": "pushed", "Configs": configs}], "ValidateOnly": false});
    side.send(1, "IncrementalAlterConfigs", 1, &body)?;
    Ok(())
}

fn listed(side: &mut Side, wanted: bool) -> Outcome {
    side.wait(1, "the subscription", "ListConfigResources", 1, &json!({"ResourceTypes": [16]}), |answer| {
        let mut names = answer["ConfigResources"].as_array().into_iter().flatten().map(|one| &one["ResourceName"]);
        names.any(|name| name == "pushed") == wanted
    })?;
    Ok(())
}
