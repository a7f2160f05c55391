//! The durability ledger on a running cluster: what is kept is green, what acks=1 loses is allowed and named, and what a planted bug loses is red.

use std::time::Duration;

use serde_json::{Value, json};
use tests::serve::Serve;
use tests::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(90);

fn start(serve: &Serve, wish: &Value) -> u64 {
    let (status, answer) = serve.post("/api/workloads", wish);
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_u64().expect("an id")
}

fn ledger(serve: &Serve, id: u64) -> Value {
    let all = serve.get("/api/ledger");
    all.as_array().and_then(|all| all.iter().find(|one| one["id"] == id)).cloned().unwrap_or_default()
}

/// Waits until the ledger is as wanted.
fn until(serve: &Serve, id: u64, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, PATIENCE, || {
        let ledger = ledger(serve, id);
        if is_so(&ledger) { Ok(ledger) } else { Err(ledger.to_string()) }
    })
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_default()
}

/// Stops the workload and waits until everything was read once more.
fn verified(serve: &Serve, id: u64) -> Value {
    assert_eq!(serve.delete(&format!("/api/workloads/{id}")), 200);
    until(serve, id, "the last reading", |ledger| ledger["stage"] == "verified" || ledger["stage"] == "unfinished")
}

/// Creates a topic whose one partition is led by broker 1.
fn topic(serve: &Serve, name: &str, replicas: i64) -> i64 {
    let wish = json!({"name": name, "partitions": 1, "replication_factor": replicas});
    let (status, answer) = serve.post("/api/topics", &wish);
    assert_eq!(status, 200, "{answer}");
    serve.some_leader(name, 0)
}

/// No follower and no controller hears of a broker any more; clients do.
fn isolate(serve: &Serve, broker: i64) -> u64 {
    serve.fault(&json!({"kind": "isolate", "broker": broker}))
}

#[test]
fn what_all_in_sync_replicas_have_survives_a_kill() {
    let serve = Serve::start();
    for (topic, more) in [("kept", json!({})), ("kept-txn", json!({"transaction_ms": 200, "abort_percent": 30}))] {
        let mut wish = json!({"topic": topic, "partitions": 3, "rate_per_s": 500, "consumers": 0});
        more.as_object().expect("fields").iter().for_each(|(name, value)| wish[name.as_str()] = value.clone());
        let id = start(&serve, &wish);
        until(&serve, id, "records are acknowledged and read", |ledger| {
            number(ledger, "acked") > 500 && number(ledger, "read_committed") > 500
        });
        let leader = serve.some_leader(topic, 0);
        let fault = serve.fault(&json!({"kind": "kill", "broker": leader}));
        let before = number(&ledger(&serve, id), "acked");
        until(&serve, id, "writes go on", |ledger| number(ledger, "acked") > before + 500);
        assert_eq!(serve.delete(&format!("/api/faults/{fault}")), 200);
        let end = verified(&serve, id);
        assert_eq!(end["verdict"], "green", "{end:#}");
        assert_eq!((number(&end, "lost"), number(&end, "unexplained")), (0, 0), "{end:#}");
        assert!(number(&end, "acked") > 1_000 && end["stage"] == "verified", "{end:#}");
    }
    assert_eq!(serve.get("/api/ledger?of=clients"), json!([]), "and nobody else lost anything");
}

/// The leader is cut off from its followers and from the controllers, acknowledges with acks=1 what nobody else gets, and is killed.
fn lose_what_only_the_leader_has(serve: &Serve, name: &str) -> (u64, i64, u64) {
    let leader = topic(serve, name, 3);
    let id = start(
        serve,
        &json!({"topic": name, "rate_per_s": 300, "consumers": 0, "acks": "1", "producers": 1, "linger_ms": 0}),
    );
    until(serve, id, "records are acknowledged", |ledger| number(ledger, "acked") > 200);
    isolate(serve, leader);
    let cut_at = number(&ledger(serve, id), "acked");
    until(serve, id, "the leader acknowledges alone", |ledger| number(ledger, "acked") > cut_at + 100);
    let fault = serve.fault(&json!({"kind": "kill", "broker": leader}));
    (id, leader, fault)
}

#[test]
fn what_acks_1_loses_is_allowed_and_named() {
    let serve = Serve::start();
    let (id, leader, fault) = lose_what_only_the_leader_has(&serve, "alone");
    let seen =
        until(&serve, id, "the loss is found", |ledger| number(ledger, "lost") > 0 && ledger["verdict"] == "allowed");
    let loss = &seen["losses"][0];
    assert_eq!((&loss["allowed"], &loss["row"], &loss["acks"]), (&json!(true), &json!(2), &json!("1")), "{loss:#}");
    assert_eq!(loss["leader"], leader, "{loss:#}");
    assert!(loss["leader_epoch"].as_i64() >= Some(0), "{loss:#}");
    assert!(loss["first"]["acknowledged_ms"].as_i64() > Some(0) && loss["first"]["offset"].is_i64(), "{loss:#}");
    let faults = loss["faults"].as_array().expect("faults");
    assert!(faults.iter().any(|one| one["id"] == fault && one["kind"] == "kill"), "{loss:#}");
    let events = loss["events"].as_array().expect("events");
    let elected = format!("(was broker {leader})");
    assert!(events.iter().any(|event| event["text"].as_str().is_some_and(|text| text.contains(&elected))), "{loss:#}");
    assert!(loss["held"].as_array().is_some_and(|held| held.iter().any(|one| one["node_id"] == leader)), "{loss:#}");
    // The old leader comes back, and cuts off what only it had.
    assert_eq!(serve.delete("/api/faults"), 200);
    until(&serve, id, "the truncation is in the story", |ledger| {
        let story = ledger["losses"][0]["story"].as_str().unwrap_or_default().to_owned();
        story.contains("cut its log of alone-0 back")
    });
    let end = verified(&serve, id);
    assert_eq!((&end["verdict"], number(&end, "unexplained")), (&json!("allowed"), 0), "{end:#}");
    assert_eq!(number(&end, "lost"), number(&end, "lost_allowed"), "{end:#}");
    // The brokers' own word, without the workload's.
    let vanished = wait_for("it is told of all clients", PATIENCE, || {
        let told = serve.get("/api/ledger?of=clients");
        let is_it = |one: &Value| one["topic"] == "alone" && one["old_leader"] == leader;
        told.as_array().and_then(|all| all.iter().find(|one| is_it(one)).cloned()).ok_or_else(|| told.to_string())
    });
    assert!(vanished["to_offset"].as_i64() > vanished["from_offset"].as_i64(), "{vanished:#}");
    reproduction(&serve, id);
}

/// What is exported holds what it says.
fn reproduction(serve: &Serve, id: u64) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (status, answer) = serve.post(&format!("/api/ledger/{id}/export"), &json!({"folder": dir.path()}));
    assert_eq!(status, 200, "{answer}");
    let made = std::fs::read_dir(dir.path()).expect("a folder").next().expect("one").expect("entry").path();
    let read = |name: &str| std::fs::read_to_string(made.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let json_of = |name: &str| -> Value { serde_json::from_str(&read(name)).expect("JSON") };
    assert_eq!(json_of("workload.json")["acks"], "1");
    assert!(json_of("ledger.json")["lost"].as_u64() > Some(0));
    assert!(json_of("faults.json").as_array().is_some_and(|faults| faults.len() >= 2));
    assert!(json_of("history.json")[0]["numbers"]["lost"]["records"].as_u64() > Some(0));
    assert!(read("acknowledged.csv").lines().count() > 100);
    // What happened is a script that runs as it is.
    let script = read("script.yaml");
    assert!(script.contains("kind: kill") && script.contains("nothing_lost: true"), "{script}");
    let begun = ureq::post(format!("{}/api/scripts", serve.http))
        .header("content-type", "application/yaml")
        .send(&script)
        .unwrap_or_else(|error| panic!("{error}: {script}"));
    assert_eq!(begun.status(), 200, "{script}");
    wait_for("the script under way", PATIENCE, || {
        let all = serve.get("/api/scripts");
        let steps = all[0]["steps"].as_array().map_or(0, Vec::len);
        if steps >= 2 { Ok(()) } else { Err(all.to_string()) }
    });
    assert_eq!(serve.delete("/api/scripts/1"), 200);
    let logs = std::fs::read_dir(made.join("logs/loss-1")).expect("logs").count();
    assert_eq!(logs, 3, "one of each replica");
    for (wish, status) in
        [(json!({"folder": "here"}), 400), (json!({"folder": "/no/such/place"}), 503), (json!({"x": 1}), 400)]
    {
        assert_eq!(serve.post(&format!("/api/ledger/{id}/export"), &wish).0, status, "{wish}");
    }
    assert_eq!(serve.post("/api/ledger/999/export", &json!({})).0, 404);
}

/// Bugs of the campaign, planted in the running program: the ledger turns red, and stops the workload.
#[cfg(feature = "planted")]
#[path = "ledger/planted.rs"]
mod planted;
