//! Faults between brokers and their clients, of narrow links, of syncs and of bits, on a real cluster, seen from outside.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tests::clients;
use tests::serve::Serve;
use tests::wait::wait_for;

/// An answer that has not come after this does not come while the line is cut: on a sound one it takes a millisecond.
const SILENCE: Duration = Duration::from_millis(700);

/// A connection that asks for ApiVersions.
struct Asker {
    stream: TcpStream,
    asked: i32,
}

impl Asker {
    fn connect(serve: &Serve, broker: usize) -> Asker {
        let stream = TcpStream::connect(&serve.addresses()[broker - 1]).unwrap();
        stream.set_nodelay(true).unwrap();
        Asker { stream, asked: 0 }
    }

    fn ask(&mut self) {
        self.asked += 1;
        let mut frame = vec![0, 0, 0, 10, 0, 18, 0, 0];
        frame.extend(self.asked.to_be_bytes());
        // No client id.
        frame.extend((-1_i16).to_be_bytes());
        self.stream.write_all(&frame).unwrap();
    }

    /// The next answer, if there is one in time; it must be to what was asked last.
    fn answer(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut head = [0; 8];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(error) => panic!("the connection ended: {error}"),
        }
        let [length, correlation] = [0, 4].map(|at| i32::from_be_bytes(head[at..at + 4].try_into().unwrap()));
        assert_eq!(correlation, self.asked);
        let mut rest = vec![0; length as usize - 4];
        self.stream.read_exact(&mut rest).unwrap();
        true
    }

    fn round_trip(&mut self) -> Duration {
        let start = Instant::now();
        self.ask();
        assert!(self.answer(clients::PATIENCE));
        start.elapsed()
    }
}

fn create(serve: &Serve, topic: &str, configs: &Value) {
    let wish = json!({"name": topic, "partitions": 1, "replication_factor": 3, "configs": configs});
    let (status, answer) = serve.post("/api/topics", &wish);
    assert_eq!(status / 100, 2, "{answer}");
    wait_for_isr(serve, topic, 3);
}

fn partition(serve: &Serve, topic: &str) -> Value {
    let cluster = serve.cluster();
    let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
    topics.iter().find(|entry| entry["name"] == topic).map(|entry| entry["partitions"][0].clone()).unwrap_or_default()
}

fn wait_for_isr(serve: &Serve, topic: &str, size: usize) {
    wait_for("the ISR", clients::PATIENCE, || {
        let partition = partition(serve, topic);
        let is = partition["isr"].as_array().map(Vec::len) == Some(size) && partition["leader"].as_i64() > Some(0);
        if is { Ok(()) } else { Err(partition.to_string()) }
    });
}

fn produce(serve: &Serve, topic: &str, from: u64, to: u64, bytes: usize) {
    let settings = [("acks", "all"), ("enable.idempotence", "true"), ("batch.num.messages", "20")];
    let producer = clients::producer(&serve.bootstrap_servers, &settings);
    for number in from..to {
        clients::send(&producer, topic, Some(0), "k", &format!("{number:0bytes$}"));
    }
    clients::flush(&producer, to - from);
}

fn read(serve: &Serve, topic: &str) -> Vec<u64> {
    let read = clients::read_all(&serve.bootstrap_servers, topic, 1);
    read.iter().map(|record| record.value.parse().unwrap()).collect()
}

fn heal(serve: &Serve, fault: u64) {
    assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
}

#[test]
fn a_line_that_is_cut_is_silent_and_goes_on_when_it_heals() {
    let serve = Serve::start();
    for (from, to) in [(json!("clients"), json!(1)), (json!(1), json!("clients"))] {
        let mut known = Asker::connect(&serve, 1);
        known.round_trip();
        let fault = serve.fault(&json!({"kind": "cut", "from": from, "to": to}));
        known.ask();
        let mut new = Asker::connect(&serve, 1);
        new.ask();
        assert!(!known.answer(SILENCE) && !new.answer(SILENCE), "nothing passes, and nothing is closed");
        assert!(Asker::connect(&serve, 2).round_trip() < clients::PATIENCE, "other brokers are reached");
        heal(&serve, fault);
        assert!(known.answer(clients::PATIENCE) && new.answer(clients::PATIENCE), "what was sent is there");
        known.round_trip();
    }
}

#[test]
fn a_line_that_is_slow_lets_everything_pass_late() {
    let serve = Serve::start();
    let mut asker = Asker::connect(&serve, 1);
    asker.round_trip();
    let delay = json!({"kind": "delay", "from": "clients", "to": 1, "both_ways": true, "delay_ms": 150});
    let fault = serve.fault(&delay);
    assert!(asker.round_trip() >= Duration::from_millis(300), "there and back");
    heal(&serve, fault);
    let fault = serve.fault(&json!({"kind": "delay", "from": 1, "to": "clients", "delay_ms": 150}));
    assert!(asker.round_trip() >= Duration::from_millis(150));
    heal(&serve, fault);
    wait_for("a quick answer", clients::PATIENCE, || match asker.round_trip() {
        time if time < Duration::from_millis(100) => Ok(()),
        time => Err(format!("{time:?}")),
    });
}

#[test]
fn a_line_that_loses_and_one_that_is_narrow_lose_nothing_for_good() {
    let serve = Serve::start();
    create(&serve, "lossy", &json!({}));
    for broker in 1..=3 {
        let drop = json!({"kind": "drop", "from": "clients", "to": broker, "both_ways": true, "probability": 0.2});
        serve.fault(&drop);
    }
    produce(&serve, "lossy", 0, 200, 10);
    assert_eq!(read(&serve, "lossy"), (0..200).collect::<Vec<_>>());
    assert_eq!(serve.delete("/api/faults") / 100, 2);
    for broker in 1..=3 {
        let narrow = json!({"kind": "bandwidth", "from": "clients", "to": broker, "bytes_per_s": 40_000});
        serve.fault(&narrow);
    }
    let start = Instant::now();
    produce(&serve, "lossy", 200, 300, 800);
    assert!(start.elapsed() >= Duration::from_millis(1_500), "80 kB at 40 kB/s took {:?}", start.elapsed());
    assert_eq!(serve.delete("/api/faults") / 100, 2);
    assert_eq!(read(&serve, "lossy"), (0..300).collect::<Vec<_>>());
}

#[test]
fn a_follower_behind_a_narrow_link_leaves_the_isr_until_it_heals() {
    let serve = Serve::start();
    create(&serve, "narrow", &json!({}));
    let leader = serve.some_leader("narrow", 0);
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    // Ten seconds for each message of a hundred bytes.
    let fault = serve.fault(&json!({"kind": "bandwidth", "from": leader, "to": follower, "bytes_per_s": 10}));
    produce(&serve, "narrow", 0, 100, 50);
    wait_for_isr(&serve, "narrow", 2);
    heal(&serve, fault);
    wait_for_isr(&serve, "narrow", 3);
    assert_eq!(read(&serve, "narrow"), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_leader_that_cannot_sync_is_replaced() {
    let serve = Serve::start_with(&["--ephemeral", "--log-dirs", "2"]);
    // Of the topics some lie on the second disk of broker 1, whatever the first choice is.
    let topics: Vec<String> = (0..8).map(|number| format!("synced-{number}")).collect();
    for topic in &topics {
        create(&serve, topic, &json!({"flush.messages": "1"}));
        produce(&serve, topic, 0, 10, 10);
    }
    let fault = serve.fault(&json!({"kind": "disk_error", "broker": 1, "log_dir": "disk-2", "operations": "syncs"}));
    for topic in &topics {
        produce(&serve, topic, 10, 20, 10);
        assert_eq!(read(&serve, topic), (0..20).collect::<Vec<_>>(), "what is not synced is not acknowledged by it");
    }
    let faults = serve.get("/api/faults");
    assert_eq!(faults[0]["what"], "the disk of broker 1 cannot be synced");
    wait_for("the directory to be offline", clients::PATIENCE, || {
        let cluster = serve.cluster();
        let offline = cluster["brokers"][0]["offline_log_dirs"].clone();
        if offline.as_array().is_some_and(|dirs| dirs.len() == 1) {
            Ok(())
        } else {
            Err(cluster["brokers"][0].to_string())
        }
    });
    heal(&serve, fault);
    let stop = serve.fault(&json!({"kind": "stop", "broker": 1}));
    wait_for("the broker's stop", clients::PATIENCE, || {
        let state = serve.cluster()["brokers"][0]["state"].clone();
        if state == "stopped" { Ok(()) } else { Err(state.to_string()) }
    });
    heal(&serve, stop);
    topics.iter().for_each(|topic| wait_for_isr(&serve, topic, 3));
}

/// What broker 1 finds wrong with its logs.
fn scrubbed(serve: &Serve) -> Vec<Value> {
    let runs = || {
        let scrubs = serve.get("/api/scrub");
        scrubs.as_array().and_then(|all| all.iter().find(|one| one["broker"] == 1).cloned()).unwrap_or_default()
    };
    let before = runs()["started_at_ms"].clone();
    let (status, answer) = serve.post("/api/scrub", &json!({"broker": 1}));
    assert_eq!(status, 200, "{answer}");
    wait_for("the scrub", clients::PATIENCE, || {
        let run = runs();
        let is_over = run["started_at_ms"] != before && run["is_done"] == true;
        if is_over { Ok(run["findings"].as_array().cloned().unwrap_or_default()) } else { Err(run.to_string()) }
    })
}

#[test]
fn a_rotten_bit_is_found_by_its_checksum_and_flips_back() {
    let serve = Serve::start();
    create(&serve, "rotten", &json!({}));
    create(&serve, "sound", &json!({}));
    produce(&serve, "rotten", 0, 500, 30);
    produce(&serve, "sound", 0, 500, 30);
    wait_for_isr(&serve, "rotten", 3);
    assert_eq!(scrubbed(&serve), Vec::<Value>::new());
    let rot = json!({"kind": "bit_rot", "broker": 1, "topic": "rotten", "seed": 7});
    let fault = serve.fault(&rot);
    let told = wait_for("the fault to be told", clients::PATIENCE, || {
        let faults = serve.get("/api/faults");
        faults[0]["what"].as_str().map(str::to_owned).ok_or(faults.to_string())
    });
    assert!(told.contains("rotten-0/00000000000000000000.log, byte "), "{told}");
    let found = scrubbed(&serve);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["partition"], "rotten-0");
    assert!(found[0]["problem"].as_str().unwrap().contains("checksum"), "{found:?}");
    let offset = found[0]["first_offset"].as_i64().unwrap();
    assert!(told.contains(&format!("in the batch at offset {offset})")), "{told}, found at {offset}");
    heal(&serve, fault);
    assert_eq!(scrubbed(&serve), Vec::<Value>::new());
    assert_eq!(read(&serve, "rotten"), (0..500).collect::<Vec<_>>());
    let nothing = json!({"kind": "bit_rot", "broker": 1, "topic": "nobody"});
    let (status, answer) = serve.post("/api/faults", &nothing);
    assert_eq!((status, answer["error"].as_str()), (409, Some("Broker 1 holds no record of that in its files.")));
}

/// What a consumer says that checks what it reads (librdkafka's `check.crcs`; Java's does so unless it is told otherwise), up to the end.
fn errors_of_a_reader_that_checks(serve: &Serve, topic: &str) -> Vec<RDKafkaErrorCode> {
    let consumer: BaseConsumer = clients::config(&serve.bootstrap_servers)
        .set("group.id", "checks")
        .set("check.crcs", "true")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    all.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&all).unwrap();
    let (mut errors, began) = (Vec::new(), Instant::now());
    loop {
        assert!(began.elapsed() < clients::PATIENCE, "{topic} has no end: {errors:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Err(KafkaError::PartitionEOF(_))) => return errors,
            Some(Err(error)) => {
                let code = error.rdkafka_error_code().unwrap();
                // Some clients stay at the damaged batch.
                if errors.contains(&code) {
                    return errors;
                }
                errors.push(code);
            }
            Some(Ok(_)) | None => {}
        }
    }
}

#[test]
fn a_rotten_bit_reaches_a_consumer_that_checks_for_it() {
    let serve = Serve::start();
    let wish = json!({"name": "single", "partitions": 1, "replication_factor": 1});
    assert_eq!(serve.post("/api/topics", &wish).0, 200);
    let leader = serve.some_leader("single", 0);
    produce(&serve, "single", 0, 500, 30);
    assert_eq!(errors_of_a_reader_that_checks(&serve, "single"), []);
    // What was written of late is served from memory, as from a page cache: it is read from the disk after a start.
    let stop = serve.fault(&json!({"kind": "stop", "broker": leader}));
    wait_for("a partition without a leader", clients::PATIENCE, || match serve.leader("single", 0) {
        -1 => Ok(()),
        leader => Err(format!("leader {leader}")),
    });
    heal(&serve, stop);
    assert_eq!(serve.some_leader("single", 0), leader);
    let fault = serve.fault(&json!({"kind": "bit_rot", "broker": leader, "topic": "single", "seed": 3}));
    wait_for("the fault to be told", clients::PATIENCE, || {
        let faults = serve.get("/api/faults");
        faults[0]["what"].as_str().map(drop).ok_or(faults.to_string())
    });
    assert_eq!(errors_of_a_reader_that_checks(&serve, "single"), [RDKafkaErrorCode::BadMessage]);
    heal(&serve, fault);
    assert_eq!(errors_of_a_reader_that_checks(&serve, "single"), []);
}

fn workload(serve: &Serve, id: u64) -> Value {
    let all = serve.get("/api/workloads");
    all.as_array().and_then(|all| all.iter().find(|one| one["id"] == id)).cloned().unwrap_or_default()
}

fn until(serve: &Serve, id: u64, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, clients::PATIENCE, || {
        let status = workload(serve, id);
        if is_so(&status) { Ok(status) } else { Err(status.to_string()) }
    })
}

fn start_workload(serve: &Serve, wish: &Value) -> u64 {
    let (status, answer) = serve.post("/api/workloads", wish);
    answer["id"].as_u64().unwrap_or_else(|| panic!("{wish}: {status} {answer}"))
}

#[test]
fn a_zombie_producer_is_fenced_and_nothing_that_it_writes_is_committed() {
    let serve = Serve::start();
    let count = |status: &Value, field: &str| status[field].as_u64().unwrap_or_default();
    let wish = json!({"topic": "undead", "partitions": 3, "rate_per_s": 300, "consumers": 0, "transaction_ms": 200});
    let id = start_workload(&serve, &wish);
    until(&serve, id, "commits", |status| count(status, "transactions_committed") >= 3);
    let zombie = json!({"kind": "zombie_producer", "workload": id, "producer": 1});

    let fault = serve.fault(&zombie);
    let frozen = until(&serve, id, "a frozen producer, and its aborted transaction", |status| {
        status["frozen"] == json!([1]) && count(status, "transactions_aborted") == 1
    });
    let committed = count(&frozen, "transactions_committed");
    let after = until(&serve, id, "commits of whoever took its place", |status| {
        count(status, "transactions_committed") >= committed + 3
    });
    assert_eq!((&after["frozen"], count(&after, "fenced"), count(&after, "failed")), (&json!([1]), 0, 0));
    let (status, answer) = serve.post("/api/faults", &zombie);
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("Producer 1 of workload 1 does not run, or is frozen already."))
    );
    heal(&serve, fault);
    let first = until(&serve, id, "the zombie to be refused", |status| {
        count(status, "fenced") > 0 && status["frozen"] == json!([])
    });
    assert!(count(&first, "failed") > 0 && first["error"].is_null(), "the records that it wrote: {first}");

    // One that heals by itself.
    let until_fenced = count(&first, "fenced");
    let mut short = zombie;
    short["duration_ms"] = json!(1_500);
    serve.fault(&short);
    until(&serve, id, "the next zombie to be refused", |status| {
        count(status, "fenced") > until_fenced && status["frozen"] == json!([])
    });
    assert_eq!(serve.get("/api/faults"), json!([]));

    let (code, _) = serve.request("PATCH", &format!("/api/workloads/{id}"), Some(&json!({"paused": true}))).unwrap();
    assert_eq!(code, 200);
    let all = until(&serve, id, "the last transaction's end", |status| {
        let ends = ["acked", "aborted", "failed"].map(|field| count(status, field)).iter().sum::<u64>();
        status["sent_per_s"] == 0.0 && count(status, "sent") == ends
    });
    let read = |isolation: &str| {
        let read: Vec<String> = clients::read_as(&serve.bootstrap_servers, "undead", 3, isolation).concat();
        let distinct: std::collections::BTreeSet<&String> = read.iter().collect();
        assert_eq!(distinct.len(), read.len(), "{isolation}: no record twice");
        read.len() as u64
    };
    assert_eq!(read("read_committed"), count(&all, "acked"), "what was committed, and nothing of the zombies: {all}");
    assert_eq!(
        read("read_uncommitted"),
        count(&all, "acked") + count(&all, "aborted"),
        "what they wrote once they were fenced is not even in the log: {all}"
    );
    assert_eq!(count(&all, "transactions_aborted"), 2, "the two in which they froze");
    wait_for("the ledger to have read everything", clients::PATIENCE, || {
        let ledger = serve.get("/api/ledger");
        let of = ledger.as_array().and_then(|all| all.first()).cloned().unwrap_or_default();
        if of["read_committed"] == all["acked"] && of["verdict"] == "green" { Ok(()) } else { Err(ledger.to_string()) }
    });
}

#[test]
fn a_workload_without_transactions_has_no_zombies() {
    let serve = Serve::start();
    let id = start_workload(&serve, &json!({"topic": "plain", "rate_per_s": 10, "consumers": 0}));
    let (status, answer) = serve.post("/api/faults", &json!({"kind": "zombie_producer", "workload": id}));
    let words = "The producers of workload 1 make no transactions, so none can be fenced: give it a transaction_ms.";
    assert_eq!((status, answer["error"].as_str()), (400, Some(words)));
    let (status, answer) = serve.post("/api/faults", &json!({"kind": "zombie_producer", "workload": 9}));
    assert_eq!((status, answer["error"].as_str()), (404, Some("There is no workload 9.")));
    assert_eq!(serve.get("/api/faults"), json!([]));
}
