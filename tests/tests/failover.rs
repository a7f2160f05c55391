//! Nodes die in mid-stream: nothing acknowledged is lost, nothing is doubled, and there is a new leader in time.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::time::{Duration, Instant};

use serde_json::json;
use tests::clients;
use tests::serve::Serve;
use tests::wait::wait_for;

const RECORDS: u64 = 40_000;

/// Numbered records through an idempotent producer; `breaks` is called once in mid-stream. Every record must be read back exactly once.
fn stream_through(serve: &Serve, topic: &str, breaks: impl FnOnce(&Serve)) {
    clients::create_topic(&serve.bootstrap_servers, topic, 1, 3);
    let settings = [("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "1"), ("batch.num.messages", "100")];
    let producer = clients::producer(&serve.bootstrap_servers, &settings);
    let mut breaks = Some(breaks);
    for number in 0..RECORDS {
        if number == RECORDS / 2
            && let Some(breaks) = breaks.take()
        {
            breaks(serve);
        }
        clients::send(&producer, topic, Some(0), "k", &number.to_string());
    }
    clients::flush(&producer, RECORDS);
    let read = clients::read_all(&serve.bootstrap_servers, topic, 1);
    let values: Vec<u64> = read.iter().map(|record| record.value.parse().unwrap()).collect();
    assert_eq!(values, (0..RECORDS).collect::<Vec<_>>(), "each record once, in order");
}

fn kill_leader(serve: &Serve, topic: &str) {
    let old = serve.some_leader(topic, 0);
    let start = Instant::now();
    serve.fault(&json!({"kind": "kill", "broker": old}));
    let new = wait_for("another leader", clients::PATIENCE, || match serve.leader(topic, 0) {
        leader if leader > 0 && leader != old => Ok(leader),
        leader => Err(format!("leader {leader}")),
    });
    println!("{topic}: leader {old} killed, leader {new} after {} ms", start.elapsed().as_millis());
}

fn kill_active_controller(serve: &Serve) {
    let old = serve.some_active_controller();
    let start = Instant::now();
    serve.fault(&json!({"kind": "kill", "controller": old}));
    let new = wait_for("another active controller", clients::PATIENCE, || match serve.active_controller() {
        leader if leader > 0 && leader != old => Ok(leader),
        leader => Err(format!("leader {leader}")),
    });
    println!("controller {old} killed, {new} active after {} ms", start.elapsed().as_millis());
}

#[test]
fn the_partition_leader_dies() {
    let serve = Serve::start();
    stream_through(&serve, "leader-dies", |serve| kill_leader(serve, "leader-dies"));
}

#[test]
fn the_active_controller_dies() {
    let serve = Serve::start();
    stream_through(&serve, "controller-dies", kill_active_controller);
}

#[test]
fn both_die() {
    let serve = Serve::start();
    stream_through(&serve, "both-die", |serve| {
        let controller = serve.some_active_controller();
        serve.fault(&json!({"kind": "kill", "controller": controller}));
        kill_leader(serve, "both-die");
    });
}

#[test]
fn a_killed_broker_comes_back_into_the_isr() {
    let serve = Serve::start();
    let topic = "comes-back";
    stream_through(&serve, topic, |serve| kill_leader(serve, topic));
    let (status, _) = serve.post("/api/faults", &json!({"kind": "kill", "broker": 99}));
    assert_eq!(status / 100, 4, "there is no broker 99");
    assert_eq!(serve.delete("/api/faults") / 100, 2);
    wait_for("a full ISR", clients::PATIENCE, || {
        let cluster = serve.cluster();
        let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
        let entry = topics.iter().find(|entry| entry["name"] == topic).cloned().unwrap_or_default();
        let partition = &entry["partitions"][0];
        match partition["isr"].as_array().map(Vec::len) {
            Some(3) => Ok(()),
            _ => Err(partition.to_string()),
        }
    });
}

#[test]
fn a_paused_leader_is_replaced_and_cannot_acknowledge_when_it_returns() {
    let serve = Serve::start();
    let topic = "paused";
    stream_through(&serve, topic, |serve| {
        let old = serve.some_leader(topic, 0);
        let fault = serve.fault(&json!({"kind": "pause", "broker": old}));
        wait_for("another leader", clients::PATIENCE, || match serve.leader(topic, 0) {
            leader if leader > 0 && leader != old => Ok(()),
            leader => Err(format!("leader {leader}")),
        });
        assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
    });
}

#[test]
fn data_survives_a_stop_and_a_kill_of_the_whole_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let arguments = ["--data-dir", path];
    let produce = |serve: &Serve, from: u64, to: u64| {
        let settings = [("acks", "all"), ("enable.idempotence", "true")];
        let producer = clients::producer(&serve.bootstrap_servers, &settings);
        for number in from..to {
            clients::send(&producer, "kept", Some((number % 3) as i32), "k", &number.to_string());
        }
        clients::flush(&producer, to - from);
    };
    let read = |serve: &Serve| {
        let read = clients::read_all(&serve.bootstrap_servers, "kept", 3);
        let mut values: Vec<u64> = read.iter().map(|record| record.value.parse().unwrap()).collect();
        values.sort_unstable();
        values
    };
    let serve = Serve::start_with(&arguments);
    clients::create_topic(&serve.bootstrap_servers, "kept", 3, 3);
    produce(&serve, 0, 1000);
    assert!(serve.terminate().success(), "SIGTERM is a polite end");

    let serve = Serve::start_with(&arguments);
    assert_eq!(read(&serve), (0..1000).collect::<Vec<_>>());
    produce(&serve, 1000, 2000);
    // Dropping it is a SIGKILL.
    drop(serve);

    let serve = Serve::start_with(&arguments);
    assert_eq!(read(&serve), (0..2000).collect::<Vec<_>>());
    let status = serve.terminate();
    assert_eq!(status.code(), Some(0));
}

/// A patience that would show a stop that waits for a time-out of its own.
#[test]
fn every_broker_can_be_stopped_politely_one_after_the_other_under_load() {
    let serve = Serve::start();
    let topic = "rolling";
    stream_through(&serve, topic, |serve| {
        for broker in 1..=3 {
            let fault = serve.fault(&json!({"kind": "stop", "broker": broker}));
            assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
            wait_for("all replicas in sync", Duration::from_secs(60), || {
                let cluster = serve.cluster();
                let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
                let entry = topics.iter().find(|entry| entry["name"] == topic).cloned().unwrap_or_default();
                let isr = entry["partitions"][0]["isr"].as_array().map(Vec::len);
                if isr == Some(3) { Ok(()) } else { Err(entry.to_string()) }
            });
        }
    });
}
