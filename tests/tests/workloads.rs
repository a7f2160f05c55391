//! Built-in workloads over HTTP: what is changed is felt at once, a crash is a crash, transactions are atomic.

use std::time::Duration;

use serde_json::{Value, json};
use tests::serve::Serve;
use tests::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(40);

fn start(serve: &Serve, wish: Value) -> u64 {
    let (status, answer) = serve.post("/api/workloads", &wish);
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_u64().expect("an id")
}

fn change(serve: &Serve, id: u64, change: &Value) -> (u16, Value) {
    serve.request("PATCH", &format!("/api/workloads/{id}"), Some(change)).expect("an answer")
}

fn status(serve: &Serve, id: u64) -> Value {
    let all = serve.get("/api/workloads");
    all.as_array().and_then(|all| all.iter().find(|one| one["id"] == id)).cloned().unwrap_or_default()
}

/// Waits until the status is as wanted.
fn until(serve: &Serve, id: u64, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, PATIENCE, || {
        let status = status(serve, id);
        if is_so(&status) { Ok(status) } else { Err(status.to_string()) }
    })
}

fn group(serve: &Serve, id: &str) -> Value {
    let cluster = serve.cluster();
    let groups = cluster["groups"].as_array().cloned().unwrap_or_default();
    groups.into_iter().find(|group| group["id"] == id).unwrap_or_default()
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn what_is_changed_is_felt_while_the_workload_runs() {
    let serve = Serve::start();
    let id = start(&serve, json!({"topic": "felt", "rate_per_s": 200, "payload": "clickstream", "record_bytes": 400}));
    let is_near = |value: f64, expected: f64| (value - expected).abs() < expected * 0.15;
    until(&serve, id, "200 a second", |status| is_near(number(status, "read_per_s"), 200.0));
    let (code, answer) = change(&serve, id, &json!({"rate_per_s": 1500}));
    assert_eq!((code, &answer["message"]), (200, &Value::Null), "nothing starts anew");
    let felt = until(&serve, id, "1,500 a second", |status| is_near(number(status, "acked_per_s"), 1500.0));
    assert_eq!(felt["restarts"], 0);
    assert!(
        felt["ack"]["count"].as_u64() > Some(0) && number(&felt["ack"], "p99_ms") >= number(&felt["ack"], "p50_ms")
    );
    assert!(number(&felt["end_to_end"], "max_ms") > 0.0, "{felt}");

    let (_, answer) = change(&serve, id, &json!({"compression": "lz4", "linger_ms": 20}));
    assert_eq!(answer["message"], "The producers of workload 1 start anew with that.");
    until(&serve, id, "the producer was made anew", |status| {
        status["restarts"] == 1 && is_near(number(status, "acked_per_s"), 1500.0)
    });

    change(&serve, id, &json!({"paused": true}));
    until(&serve, id, "nothing is sent", |status| number(status, "sent_per_s") == 0.0);
    change(&serve, id, &json!({"paused": false, "rate_per_s": 0}));
    let fast = until(&serve, id, "as fast as it can", |status| number(status, "acked_per_s") > 3000.0);
    assert_eq!(fast["state"], "running");
    change(&serve, id, &json!({"rate_per_s": 100, "consumers": 3}));
    wait_for("three members", PATIENCE, || {
        let group = group(&serve, "brokerscope-demo-1");
        let members = group["members"].as_array().map_or(0, Vec::len);
        if members == 3 && group["state"] == "Stable" { Ok(()) } else { Err(group.to_string()) }
    });

    for (wish, expected) in [
        (json!({"rate_per_s": 2_000_000}), "between 0 and 1000000"),
        (json!({"topic": "other"}), "stays as it is"),
        (json!({"speed": 7}), "unknown field"),
        (json!({"keys": 0}), "between 1 and"),
        (json!({"transaction_ms": 100, "idempotent": false}), "idempotent must be true"),
    ] {
        let (code, answer) = change(&serve, id, &wish);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(code == 400 && error.contains(expected), "{wish}: {answer}");
    }
    assert_eq!(change(&serve, 77, &json!({"rate_per_s": 1})).0, 404);
}

#[test]
fn a_consumer_that_crashes_is_missed_when_its_session_times_out() {
    let serve = Serve::start();
    let id = start(&serve, json!({"topic": "crash", "partitions": 4, "rate_per_s": 100, "consumers": 2}));
    let name = format!("brokerscope-demo-{id}");
    let members = |wanted: usize| {
        wait_for(&format!("{wanted} members"), PATIENCE, || {
            let group = group(&serve, &name);
            let members = group["members"].as_array().map_or(0, Vec::len);
            if members == wanted && group["state"] == "Stable" { Ok(group) } else { Err(group.to_string()) }
        })
    };
    let before = members(2);
    let (code, answer) = serve.post(&format!("/api/workloads/{id}/crash"), &json!({"consumer": 1}));
    assert_eq!((code, &answer["consumer"]), (200, &json!(1)), "{answer}");
    until(&serve, id, "one has crashed", |status| status["members"][0]["state"] == "crashed");
    assert_eq!(group(&serve, &name)["members"].as_array().map(Vec::len), Some(2), "nobody has told the coordinator");
    let after = members(1);
    assert!(after["generation"].as_i64() > before["generation"].as_i64());
    let events = serve.get("/api/events");
    let told = events.as_array().expect("events").iter().filter(|event| event["subject"] == name.as_str());
    let told: Vec<String> = told.map(|event| format!("{} {}", event["text"], event["cause"])).collect();
    assert!(told.iter().any(|text| text.contains("session")), "{told:#?}");
    assert_eq!(serve.post(&format!("/api/workloads/{id}/crash"), &json!({"consumer": 1})).0, 400, "it is gone");
    assert_eq!(serve.post(&format!("/api/workloads/{id}/revive"), &json!({})).0, 200);
    members(2);
    assert_eq!(serve.post(&format!("/api/workloads/{id}/revive"), &json!({})).0, 400, "all run");
}

#[test]
fn transactions_are_read_as_a_whole_or_not_at_all() {
    let serve = Serve::start();
    let wish = json!({"topic": "atomic", "partitions": 3, "rate_per_s": 500, "consumers": 0, "transaction_ms": 200,
                      "abort_percent": 40});
    let id = start(&serve, wish);
    until(&serve, id, "some are committed, some aborted", |status| {
        status["transactions_committed"].as_u64() >= Some(5) && status["transactions_aborted"].as_u64() >= Some(5)
    });
    change(&serve, id, &json!({"paused": true}));
    let is_settled = |status: &Value| {
        let count = |field: &str| status[field].as_u64().unwrap_or_default();
        number(status, "sent_per_s") == 0.0 && count("sent") == count("acked") + count("aborted")
    };
    let sent = until(&serve, id, "the last transaction has ended", is_settled);
    let reader = |isolation: &str| {
        start(
            &serve,
            json!({"topic": "atomic", "producers": 0, "consumers": 1, "group": isolation, "isolation": isolation}),
        )
    };
    let (committed, everything) = (reader("read_committed"), reader("read_uncommitted"));
    until(&serve, committed, "all committed records are read", |status| status["read"] == sent["acked"]);
    until(&serve, everything, "all records are read", |status| status["read"] == sent["sent"]);
    assert_eq!(status(&serve, committed)["read"], sent["acked"], "and not one more");
}
