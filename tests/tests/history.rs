//! What is recorded is what was: a failover is replayed at every instant that somebody saw, and a recording opens without a cluster.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tests::clients::PATIENCE;
use tests::serve::{Serve, program};
use tests::wait::wait_for;

/// Instants that must have been seen for the comparison to say something.
const INSTANTS_LEAST: usize = 40;

/// A broker is killed and comes back under load; all that `/api/cluster` said meanwhile, by the snapshot's time.
fn watched_failover(serve: &Serve) -> BTreeMap<i64, Value> {
    let workload = json!({"topic": "watched", "partitions": 6, "rate_per_s": 300, "producers": 1, "consumers": 2});
    serve.post("/api/workloads", &workload);
    wait_for("records that are read", PATIENCE, || match serve.get("/api/workloads")[0]["read"].as_u64() {
        Some(1..) => Ok(()),
        read => Err(format!("{read:?}")),
    });
    let (is_over, instants) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeMap::new();
            while !is_over.load(Ordering::Relaxed) {
                let cluster = serve.cluster();
                seen.insert(cluster["at_ms"].as_i64().unwrap(), cluster);
                instants.store(seen.len(), Ordering::Relaxed);
            }
            seen
        });
        serve.fault(&json!({"kind": "kill", "broker": 2}));
        wait_for("other leaders", PATIENCE, || {
            let cluster = serve.cluster();
            let is_out = |partition: &Value| !partition["isr"].as_array().unwrap().contains(&json!(2));
            if partitions(&cluster).iter().all(is_out) { Ok(()) } else { Err(cluster["brokers"].to_string()) }
        });
        serve.delete("/api/faults");
        wait_for("whole ISRs", PATIENCE, || {
            let cluster = serve.cluster();
            let is_whole = |partition: &Value| {
                partition["isr"].as_array().unwrap().len() == partition["replicas"].as_array().unwrap().len()
            };
            if partitions(&cluster).iter().all(is_whole) { Ok(()) } else { Err("not yet".into()) }
        });
        wait_for("enough that was seen", PATIENCE, || match instants.load(Ordering::Relaxed) {
            INSTANTS_LEAST.. => Ok(()),
            few => Err(format!("{few} instants")),
        });
        is_over.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    })
}

fn partitions(cluster: &Value) -> Vec<Value> {
    let topics = cluster["topics"].as_array().unwrap();
    topics.iter().flat_map(|topic| topic["partitions"].as_array().unwrap().clone()).collect()
}

#[test]
fn a_failover_is_replayed_as_it_was() {
    let serve = Serve::start();
    let seen = watched_failover(&serve);
    let newest = *seen.last_key_value().unwrap().0;
    let extent = wait_for("a recording of all of it", PATIENCE, || {
        let extent = serve.get("/api/history");
        if extent["until_ms"].as_i64() >= Some(newest) { Ok(extent) } else { Err(extent.to_string()) }
    });
    let (mut same, mut left_out) = (0, 0_u64);
    for (at_ms, was) in &seen {
        let is = serve.get(&format!("/api/history/cluster?at_ms={at_ms}"));
        if is["sequence"] == was["sequence"] {
            assert_eq!(is, *was, "at {at_ms}");
            same += 1;
        } else {
            // The recorder was behind: then it shows what was before, and counts what it left out.
            assert!(is["sequence"].as_u64() < was["sequence"].as_u64(), "at {at_ms}");
            left_out += 1;
        }
    }
    println!("{same} instants are the same, {left_out} were left out: {extent}");
    assert!(left_out <= extent["missed"].as_u64().unwrap(), "{left_out} left out: {extent}");
    assert!(same as u64 > 3 * left_out, "{same} recorded, {left_out} left out");
    let leaders = |cluster: &Value| partitions(cluster).iter().map(|one| one["leader"].clone()).collect::<Vec<_>>();
    let all: Vec<Vec<Value>> = seen.values().map(leaders).collect();
    assert!(all.iter().any(|leaders| *leaders != all[0]), "leaders changed meanwhile");
    let before = extent["from_ms"].as_i64().unwrap() - 1;
    let (status, answer) = serve.request("GET", &format!("/api/history/cluster?at_ms={before}"), None).unwrap();
    assert_eq!((status, answer["error"].as_str().unwrap().starts_with("Nothing is recorded before")), (404, true));
    let (status, _) = serve.request("GET", "/api/history/cluster?at_ms=noon", None).unwrap();
    assert_eq!(status, 400);
    opens_everywhere(&serve, *seen.first_key_value().unwrap().0);
}

/// The recording is opened without a cluster, on every screen.
fn opens_everywhere(serve: &Serve, at_ms: i64) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("failover.brokerscope");
    let mut response = ureq::get(format!("{}/api/history/recording", serve.http)).call().unwrap();
    let bytes = response.body_mut().with_config().limit(200 * 1024 * 1024).read_to_vec().unwrap();
    println!("a recording of {} bytes", bytes.len());
    std::fs::write(&file, bytes).unwrap();
    let picture = dir.path().join("picture.png");
    for screen in ["cluster", "topics", "topic", "groups", "brokers", "quorum", "faults", "metrics", "events", "logs"] {
        let output = open(&file, &["--screen", screen, "--at-ms", &at_ms.to_string(), "--out"], &picture);
        assert!(output.status.success(), "{screen}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"), "{screen}");
        std::fs::remove_file(&picture).unwrap();
    }
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&file, bytes).unwrap();
    let output = open(&file, &["--out"], &picture);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot be opened: it is damaged") && told.trim().lines().count() == 1, "{told}");
}

fn open(file: &Path, arguments: &[&str], picture: &Path) -> Output {
    Command::new(program()).arg("open").arg(file).args(arguments).arg(picture).output().unwrap()
}
