//! Faults of disks, links and power on a real cluster, asked for over HTTP: what was promised holds, and what was not promised is really lost.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::clients;
use tests::serve::{Serve, root};
use tests::wait::wait_for;

const NODES: [(&str, i64); 6] =
    [("broker", 1), ("broker", 2), ("broker", 3), ("controller", 3000), ("controller", 3001), ("controller", 3002)];

fn produce(serve: &Serve, topic: &str, partitions: u64, from: u64, to: u64) {
    produce_to(&serve.bootstrap_servers, topic, partitions, from, to);
}

fn produce_to(bootstrap_servers: &str, topic: &str, partitions: u64, from: u64, to: u64) {
    let settings = [("acks", "all"), ("enable.idempotence", "true"), ("batch.num.messages", "20")];
    let producer = clients::producer(bootstrap_servers, &settings);
    for number in from..to {
        clients::send(&producer, topic, Some((number % partitions) as i32), "k", &number.to_string());
    }
    clients::flush(&producer, to - from);
}

fn read(serve: &Serve, topic: &str, partitions: i32) -> Vec<u64> {
    let read = clients::read_all(&serve.bootstrap_servers, topic, partitions);
    let mut values: Vec<u64> = read.iter().map(|record| record.value.parse().unwrap()).collect();
    values.sort_unstable();
    values
}

fn create(serve: &Serve, topic: &str, partitions: u32, configs: &Value) {
    let wish = json!({"name": topic, "partitions": partitions, "replication_factor": 3, "configs": configs});
    let (status, answer) = serve.post("/api/topics", &wish);
    assert_eq!(status / 100, 2, "{answer}");
    wait_for_full_isr(serve, topic);
}

fn partitions(serve: &Serve, topic: &str) -> Vec<Value> {
    let cluster = serve.cluster();
    let entry =
        cluster["topics"].as_array().and_then(|topics| topics.iter().find(|entry| entry["name"] == topic).cloned());
    entry.and_then(|entry| entry["partitions"].as_array().cloned()).unwrap_or_default()
}

fn wait_for_full_isr(serve: &Serve, topic: &str) {
    wait_for("a full ISR with equal logs", clients::PATIENCE, || {
        let partitions = partitions(serve, topic);
        let whole = |partition: &Value| {
            let ends = partition["log_end_offsets"].as_object().cloned().unwrap_or_default();
            partition["leader"].as_i64() > Some(0)
                && partition["isr"].as_array().map(Vec::len) == Some(3)
                && ends.len() == 3
                && ends.values().all(|end| *end == partition["high_watermark"])
        };
        if !partitions.is_empty() && partitions.iter().all(whole) { Ok(()) } else { Err(json!(partitions).to_string()) }
    });
}

fn state(serve: &Serve, id: i64) -> String {
    let cluster = serve.cluster();
    let nodes = cluster["brokers"].as_array().into_iter().chain(cluster["quorum"]["voters"].as_array()).flatten();
    nodes.into_iter().find(|node| node["id"] == id).and_then(|node| node["state"].as_str()).unwrap_or("unknown").into()
}

fn wait_for_another_leader(serve: &Serve, topic: &str, partition: usize, old: i64) -> i64 {
    wait_for("another leader", clients::PATIENCE, || match serve.leader(topic, partition) {
        leader if leader > 0 && leader != old => Ok(leader),
        leader => Err(format!("leader {leader}")),
    })
}

fn heal_all(serve: &Serve) {
    assert_eq!(serve.delete("/api/faults") / 100, 2);
}

/// Broker epochs, by broker, of those that take part.
fn epochs(serve: &Serve) -> Vec<(i64, i64)> {
    let cluster = serve.cluster();
    let brokers = cluster["brokers"].as_array().cloned().unwrap_or_default();
    let part = brokers.iter().filter(|broker| broker["state"] == "running" && broker["fenced"] == false);
    part.filter_map(|broker| Some((broker["id"].as_i64()?, broker["epoch"].as_i64()?))).collect()
}

/// What is told is what was before, until all brokers take part as new incarnations.
fn heal_all_and_wait(serve: &Serve, before: &[(i64, i64)], topic: &str) {
    assert_eq!(before.len(), 3, "all brokers took part");
    heal_all(serve);
    wait_for("all brokers to be back", clients::PATIENCE, || {
        let now = epochs(serve);
        let anew = |(id, epoch): &(i64, i64)| now.iter().any(|(other, later)| other == id && later > epoch);
        if now.len() == 3 && before.iter().all(anew) { Ok(()) } else { Err(format!("{before:?} and then {now:?}")) }
    });
    wait_for_full_isr(serve, topic);
}

fn cut_the_power_of_all(serve: &Serve) {
    for (kind, id) in NODES {
        serve.fault(&json!({"kind": "power_loss", kind: id}));
    }
    wait_for("all to be told", clients::PATIENCE, || {
        let faults = serve.get("/api/faults");
        let told = faults.as_array().into_iter().flatten().filter(|fault| fault["kind"] == "power_loss").count();
        if told == NODES.len() { Ok(()) } else { Err(faults.to_string()) }
    });
}

#[test]
fn a_power_loss_of_all_takes_nothing_that_was_flushed() {
    let serve = Serve::start();
    create(&serve, "flushed", 3, &json!({"flush.messages": "1"}));
    produce(&serve, "flushed", 3, 0, 600);
    let before = epochs(&serve);
    cut_the_power_of_all(&serve);
    heal_all_and_wait(&serve, &before, "flushed");
    assert_eq!(read(&serve, "flushed", 3), (0..600).collect::<Vec<_>>());
    produce(&serve, "flushed", 3, 600, 700);
    assert_eq!(read(&serve, "flushed", 3), (0..700).collect::<Vec<_>>());
}

#[test]
fn a_power_loss_of_all_takes_an_unsynced_tail_and_the_cluster_goes_on() {
    let serve = Serve::start();
    create(&serve, "unflushed", 1, &json!({}));
    produce(&serve, "unflushed", 1, 0, 2000);
    let before = epochs(&serve);
    cut_the_power_of_all(&serve);
    heal_all_and_wait(&serve, &before, "unflushed");
    let kept = read(&serve, "unflushed", 1);
    assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>(), "what is left is a beginning");
    assert!(kept.len() < 2000, "nothing was synced, so something of the end is gone");
    produce(&serve, "unflushed", 1, 2000, 2100);
    wait_for_full_isr(&serve, "unflushed");
    let expected: Vec<u64> = (0..kept.len() as u64).chain(2000..2100).collect();
    assert_eq!(read(&serve, "unflushed", 1), expected);
}

#[test]
fn a_kill_of_all_takes_nothing() {
    let serve = Serve::start();
    create(&serve, "killed", 1, &json!({}));
    produce(&serve, "killed", 1, 0, 1000);
    let before = epochs(&serve);
    for (kind, id) in NODES {
        serve.fault(&json!({"kind": "kill", kind: id}));
    }
    heal_all_and_wait(&serve, &before, "killed");
    assert_eq!(read(&serve, "killed", 1), (0..1000).collect::<Vec<_>>(), "a kill loses no page cache");
}

/// Writes until a partition whose leader cannot write has another one; all that was acknowledged is there.
fn one_directory_fails(kind: &str) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let serve = Serve::start_with(&["--data-dir", data, "--log-dirs", "2"]);
    let topic = kind.replace('_', "-");
    // So many that broker 1 leads some in each of its directories, however they fall.
    let count = 36;
    create(&serve, &topic, count, &json!({}));
    produce(&serve, &topic, count.into(), 0, 600);
    let on_disk =
        |disk: u32, partition: usize| dir.path().join(format!("broker-1/disk-{disk}/{topic}-{partition}")).is_dir();
    let led = |serve: &Serve, disk| {
        let partitions = partitions(serve, &topic);
        (0..count as usize).filter(|p| partitions[*p]["leader"] == 1 && on_disk(disk, *p)).collect::<Vec<usize>>()
    };
    let (sound, broken) = (led(&serve, 1), led(&serve, 2));
    assert!(!sound.is_empty() && !broken.is_empty(), "broker 1 leads partitions on both directories");
    let fault = serve.fault(&json!({"kind": kind, "broker": 1, "log_dir": "disk-2"}));
    produce(&serve, &topic, count.into(), 600, 1200);
    for partition in broken {
        wait_for_another_leader(&serve, &topic, partition, 1);
    }
    assert!(sound.iter().all(|partition| serve.leader(&topic, *partition) == 1), "the other directory goes on");
    assert_eq!(state(&serve, 1), "running");
    assert_eq!(read(&serve, &topic, count as i32), (0..1200).collect::<Vec<_>>());
    // As with Kafka, a directory that failed is taken in again by the next start.
    assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
    let stop = serve.fault(&json!({"kind": "stop", "broker": 1}));
    wait_for("the broker's stop", clients::PATIENCE, || match state(&serve, 1).as_str() {
        "stopped" => Ok(()),
        other => Err(other.to_string()),
    });
    assert_eq!(serve.delete(&format!("/api/faults/{stop}")) / 100, 2);
    wait_for_full_isr(&serve, &topic);
    assert_eq!(read(&serve, &topic, count as i32), (0..1200).collect::<Vec<_>>());
}

#[test]
fn a_full_directory_moves_its_leaders() {
    one_directory_fails("disk_full");
}

#[test]
fn a_failing_directory_moves_its_leaders() {
    one_directory_fails("disk_error");
}

#[test]
fn an_isolated_leader_is_replaced_and_comes_back() {
    let serve = Serve::start();
    create(&serve, "isolated", 1, &json!({}));
    produce(&serve, "isolated", 1, 0, 100);
    let old = serve.some_leader("isolated", 0);
    let fault = serve.fault(&json!({"kind": "isolate", "broker": old}));
    wait_for_another_leader(&serve, "isolated", 0, old);
    // Clients still reach the one that is isolated, and it still believes that it leads; so ask the others.
    let addresses = serve.addresses();
    let others =
        addresses.iter().enumerate().filter(|(index, _)| *index as i64 + 1 != old).map(|(_, address)| address.as_str());
    produce_to(&others.collect::<Vec<_>>().join(","), "isolated", 1, 100, 200);
    assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
    wait_for_full_isr(&serve, "isolated");
    assert_eq!(read(&serve, "isolated", 1), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_follower_that_is_cut_off_leaves_the_isr_until_it_heals() {
    let serve = Serve::start();
    create(&serve, "cut", 1, &json!({}));
    let leader = serve.some_leader("cut", 0);
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    serve.fault(&json!({"kind": "cut", "from": follower, "to": leader}));
    produce(&serve, "cut", 1, 0, 100);
    // Acknowledged without it, so it had to leave; the picture of the cluster is drawn some times a second.
    wait_for("its leaving the ISR", clients::PATIENCE, || {
        let isr = &partitions(&serve, "cut")[0]["isr"];
        if isr.as_array().unwrap().contains(&json!(follower)) { Err(isr.to_string()) } else { Ok(()) }
    });
    heal_all(&serve);
    wait_for_full_isr(&serve, "cut");
    assert_eq!(read(&serve, "cut", 1), (0..100).collect::<Vec<_>>());
}

#[test]
fn late_and_lossy_links_and_a_slow_disk_lose_nothing() {
    let serve = Serve::start();
    create(&serve, "trouble", 3, &json!({}));
    let from_all = |to: i64| (1..=3).filter(move |from| *from != to).map(move |from| (from, to));
    for (from, to) in from_all(1) {
        serve.fault(&json!({"kind": "delay", "from": from, "to": to, "delay_ms": 5, "jitter_ms": 20}));
    }
    for (from, to) in from_all(2) {
        serve.fault(&json!({"kind": "drop", "from": from, "to": to, "probability": 0.2}));
    }
    serve.fault(&json!({"kind": "slow_disk", "broker": 3, "delay_ms": 5}));
    serve.fault(&json!({"kind": "clock_skew", "broker": 3, "skew_ms": 3_600_000}));
    produce(&serve, "trouble", 3, 0, 600);
    assert_eq!(read(&serve, "trouble", 3), (0..600).collect::<Vec<_>>());
    heal_all(&serve);
    wait_for_full_isr(&serve, "trouble");
}

#[test]
fn a_damaged_log_is_cut_and_fetched_again() {
    let serve = Serve::start();
    // At the end one is left: below min.insync.replicas its high watermark would stay where it last heard of it (KIP-966).
    create(&serve, "damaged", 1, &json!({"min.insync.replicas": "1"}));
    produce(&serve, "damaged", 1, 0, 500);
    let old = serve.some_leader("damaged", 0);
    let fault = serve.fault(&json!({"kind": "corrupt_tail", "broker": old, "topic": "damaged", "partition": 0}));
    wait_for_another_leader(&serve, "damaged", 0, old);
    assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
    wait_for_full_isr(&serve, "damaged");
    // Led by the one that was damaged, it is whole.
    let others: Vec<i64> = (1..=3).filter(|id| *id != old).collect();
    for broker in &others {
        serve.fault(&json!({"kind": "stop", "broker": broker}));
    }
    wait_for("its leadership", clients::PATIENCE, || match serve.leader("damaged", 0) {
        leader if leader == old => Ok(()),
        leader => Err(format!("leader {leader}")),
    });
    assert_eq!(read(&serve, "damaged", 1), (0..500).collect::<Vec<_>>());
}

#[test]
fn a_kill_ends_a_stop_at_once() {
    let serve = Serve::start();
    create(&serve, "stopping", 1, &json!({}));
    // Cut off from the controllers it cannot hand over, so its controlled shutdown waits until its patience is over.
    serve.fault(&json!({"kind": "isolate", "broker": 1}));
    serve.fault(&json!({"kind": "stop", "broker": 1}));
    wait_for("the stop to begin", clients::PATIENCE, || match state(&serve, 1).as_str() {
        "stopping" => Ok(()),
        other => Err(other.to_string()),
    });
    let start = Instant::now();
    serve.fault(&json!({"kind": "kill", "broker": 1}));
    assert!(start.elapsed() < Duration::from_secs(3), "the kill took {:?}", start.elapsed());
    wait_for("the kill", clients::PATIENCE, || match state(&serve, 1).as_str() {
        "killed" => Ok(()),
        other => Err(other.to_string()),
    });
    heal_all(&serve);
    wait_for_full_isr(&serve, "stopping");
}

#[test]
fn a_zone_goes_out_and_comes_back_by_itself() {
    let serve = Serve::start();
    create(&serve, "zone", 1, &json!({}));
    serve.fault(&json!({"kind": "zone_outage", "zone": "b", "duration_ms": 3000}));
    wait_for("the outage", clients::PATIENCE, || match state(&serve, 2).as_str() {
        "killed" => Ok(()),
        other => Err(other.to_string()),
    });
    wait_for("its end", clients::PATIENCE, || match state(&serve, 2).as_str() {
        "running" => Ok(()),
        other => Err(other.to_string()),
    });
    wait_for_full_isr(&serve, "zone");
    // Its nodes run before it is told that nothing holds them any more.
    wait_for("the fault to be over", clients::PATIENCE, || match serve.get("/api/faults") {
        faults if faults == json!([]) => Ok(()),
        faults => Err(faults.to_string()),
    });
}

/// What the README says one may send is taken, one after the other.
#[test]
fn the_readme_is_right() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let serve = Serve::start_with(&["--ephemeral", "--log-dirs", "2"]);
    create(&serve, "orders", 1, &json!({}));
    produce(&serve, "orders", 1, 0, 10);
    let workload = json!({"topic": "load", "rate_per_s": 10, "transaction_ms": 500});
    let (status, answer) = serve.post("/api/workloads", &workload);
    assert_eq!((status, &answer["id"]), (200, &json!(1)), "{answer}");
    let bodies: Vec<Value> = readme
        .lines()
        .filter(|line| line.contains("-d '{\"kind\""))
        .map(|line| serde_json::from_str(line.split('\'').find(|part| part.starts_with('{')).unwrap()).unwrap())
        .collect();
    let mut kinds: Vec<&str> = bodies.iter().map(|body| body["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 19, "{kinds:?}");
    for body in &bodies {
        let (status, answer) = serve.post("/api/faults", body);
        assert_eq!(status, 200, "{body}: {answer}");
        heal_all(&serve);
        wait_for("all nodes to run", clients::PATIENCE, || {
            let down: Vec<_> = NODES.iter().filter(|(_, id)| state(&serve, *id) != "running").collect();
            if down.is_empty() { Ok(()) } else { Err(format!("{down:?}")) }
        });
    }
}
