//! Each bug is planted into a program of its own; what provokes it is done with faults, as anybody can. Then all is healed, the workload is
//! stopped, and all is read once more: with the bug a promise was broken, and without it, by the same faults, none.

use super::*;

#[path = "planted_cases.rs"]
mod cases;
use cases::CASES;

/// A workload to be watched, what is done to its cluster, and with which settings.
struct Case {
    /// It may be seen in this one of the ways to break something.
    bugs: &'static [&'static str],
    /// Kafka's own keys, for all nodes.
    settings: &'static [&'static str],
    /// Configs of the topic.
    configs: fn() -> Value,
    /// Fields of the workload.
    workload: fn() -> Value,
    provoke: fn(&Scene<'_>),
}

/// A topic of one partition on brokers 1 to 3, and a workload that writes to it.
struct Scene<'a> {
    serve: &'a Serve,
    topic: &'static str,
    id: u64,
    leader: i64,
    followers: [i64; 2],
}

const TOPIC: &str = "planted";
/// What comes only with the bug is waited for no longer.
const SOON: Duration = Duration::from_secs(12);

/// Looks until something is so, or the time is over.
fn soon(is_so: impl FnMut() -> bool) -> bool {
    within(SOON, is_so)
}

fn within(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = std::time::Instant::now();
    while !is_so() {
        if began.elapsed() > patience {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    true
}

impl Scene<'_> {
    fn acked(&self) -> u64 {
        number(&ledger(self.serve, self.id), "acked")
    }

    fn partition(&self) -> Value {
        let cluster = self.serve.cluster();
        let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
        topics.iter().find(|one| one["name"] == self.topic).map(|one| one["partitions"][0].clone()).unwrap_or_default()
    }

    /// Whether so many more records are acknowledged soon.
    fn acknowledges(&self, more: u64) -> bool {
        let before = self.acked();
        soon(|| self.acked() >= before + more)
    }

    fn must_acknowledge(&self, more: u64) {
        let before = self.acked();
        until(self.serve, self.id, "more acknowledged records", |ledger| number(ledger, "acked") >= before + more);
    }

    fn wait_for_isr(&self, size: usize) {
        wait_for(&format!("an ISR of {size}"), PATIENCE, || {
            let partition = self.partition();
            let is = partition["isr"].as_array().map(Vec::len) == Some(size);
            if is { Ok(()) } else { Err(partition.to_string()) }
        });
    }

    fn end_of(&self, broker: i64) -> i64 {
        self.partition()["log_end_offsets"][broker.to_string().as_str()].as_i64().unwrap_or_default()
    }

    fn is_led_by(&self, brokers: &[i64]) -> bool {
        brokers.contains(&self.serve.leader(self.topic, 0))
    }

    fn hit(&self, kind: &str, broker: i64) -> u64 {
        self.serve.fault(&json!({"kind": kind, "broker": broker}))
    }

    fn cut(&self, from: &Value, to: &Value) -> u64 {
        self.serve.fault(&json!({"kind": "cut", "from": from, "to": to}))
    }

    fn hit_each(&self, kind: &str, brokers: &[i64]) {
        for broker in brokers {
            self.hit(kind, *broker);
        }
    }

    fn heal(&self, fault: u64) {
        assert_eq!(self.serve.delete(&format!("/api/faults/{fault}")), 200);
    }

    fn heal_all(&self) {
        assert_eq!(self.serve.delete("/api/faults"), 200);
    }

    fn wait_until_stopped(&self, broker: i64) {
        wait_for("a stopped broker", PATIENCE, || {
            let state = self.serve.cluster()["brokers"][broker as usize - 1]["state"].clone();
            if state == "stopped" { Ok(()) } else { Err(state.to_string()) }
        });
    }

    fn delay(&self, from: i64, to: i64, delay_ms: u64) {
        self.serve.fault(&json!({"kind": "delay", "from": from, "to": to, "delay_ms": delay_ms}));
    }

    fn controllers(&self) -> impl Iterator<Item = i64> {
        let all = self.serve.cluster()["quorum"]["voters"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter_map(|one| one["id"].as_i64())
    }

    fn hit_controller(&self, kind: &str, controller: i64) -> u64 {
        self.serve.fault(&json!({"kind": kind, "controller": controller}))
    }

    fn stop(&self, broker: i64) {
        self.hit("stop", broker);
        self.wait_until_stopped(broker);
    }

    fn kill_all(&self) {
        self.hit_each("kill", &[1, 2, 3]);
    }

    /// The leader alone, cut off from all other nodes, and then no more.
    fn leader_alone(&self) {
        self.hit("isolate", self.leader);
        self.acknowledges(50);
        self.hit("kill", self.leader);
        soon(|| self.is_led_by(&self.followers));
    }

    /// Only one of the followers is left.
    fn left_with(&self, follower: i64) {
        let others: Vec<i64> = (1..=3).filter(|id| *id != follower).collect();
        self.hit_each("kill", &others);
        // A session may be long.
        within(2 * SOON, || self.is_led_by(&[follower]));
    }

    /// What clients send arrives, and no answer comes back.
    fn unanswered(&self) {
        let (acked, end) = (self.acked(), self.end_of(self.leader));
        for id in 1..=3 {
            self.cut(&json!(id), &json!("clients"));
        }
        wait_for("records that nobody knows to be written", PATIENCE, || {
            let (now, reached) = (self.acked(), self.end_of(self.leader));
            if reached - end > (now - acked) as i64 + 5 { Ok(()) } else { Err(format!("{reached}, {now}")) }
        });
    }
}

/// Plays a case; what the ledger says of it in the end.
fn play(case: &Case, serve: &Serve, is_planted: bool) -> Value {
    let wish = json!({"name": TOPIC, "partitions": 1, "replication_factor": 3, "configs": (case.configs)()});
    let (status, answer) = serve.post("/api/topics", &wish);
    assert_eq!(status, 200, "{answer}");
    let leader = serve.some_leader(TOPIC, 0);
    let mut wish = json!({"topic": TOPIC, "rate_per_s": 300, "consumers": 0, "linger_ms": 0});
    for (name, value) in (case.workload)().as_object().expect("fields") {
        wish[name.as_str()] = value.clone();
    }
    let id = start(serve, &wish);
    let others: Vec<i64> = (1..=3).filter(|id| *id != leader).collect();
    let scene = Scene { serve, topic: TOPIC, id, leader, followers: [others[0], others[1]] };
    scene.wait_for_isr(3);
    scene.must_acknowledge(200);
    (case.provoke)(&scene);
    scene.heal_all();
    // A bug may keep a replica away, or have ended the producer.
    soon(|| scene.partition()["isr"].as_array().map(Vec::len) == Some(3));
    // Or ends replication for good. A producer may have ended without any bug: brokers that start anew know its last batch only.
    let before = scene.acked();
    let goes_on = || {
        let all = serve.get("/api/workloads");
        let has_failed = all.as_array().is_some_and(|all| all.iter().any(|one| one["state"] == "failed"));
        has_failed || scene.acked() >= before + 50
    };
    assert!(within(PATIENCE, goes_on) || is_planted, "writes do not go on");
    verified(serve, id);
    until(serve, id, "a verdict", |ledger| ledger["verdict"] != "looking")
}

/// Plays every other case, with each of its bugs; all that is not as it must be is told at once.
fn broken(first: usize) {
    let mut wrong = Vec::new();
    for case in CASES.iter().skip(first).step_by(TURNS) {
        for bug in case.bugs {
            if std::env::var(ONLY).is_ok_and(|only| !only.split(',').any(|one| one == *bug)) {
                continue;
            }
            let played = std::panic::catch_unwind(|| play(case, &Serve::start_planted(bug, case.settings), true));
            let end = played.unwrap_or_default();
            println!("{bug}: {} {}", end["verdict"], end["words"]);
            if end["verdict"] != "red" {
                wrong.push(format!("{bug}: {end:#}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names the bugs to be tried, with commas between them; without it all are.
const ONLY: &str = "BROKERSCOPE_PLANTED_ONLY";

/// So many bugs are under way at a time.
const TURNS: usize = 2;

#[test]
fn each_bug_of_the_table_breaks_a_promise() {
    broken(0);
}

#[test]
fn each_other_bug_of_the_table_breaks_a_promise() {
    broken(1);
}

/// The same faults without a bug.
#[test]
fn without_a_bug_nothing_is_broken() {
    let mut wrong = Vec::new();
    for case in &CASES {
        let arguments: Vec<&str> = ["--ephemeral"].into_iter().chain(case.settings.iter().copied()).collect();
        let end = std::panic::catch_unwind(|| play(case, &Serve::start_with(&arguments), false)).unwrap_or_default();
        println!("without {:?}: {} {}", case.bugs, end["verdict"], end["words"]);
        if !(end["verdict"] == "green" || end["verdict"] == "allowed") {
            wrong.push(format!("without {:?}: {end:#}", case.bugs));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn stops_red(serve: &Serve, id: u64) -> Value {
    let red = until(serve, id, "a broken promise", |ledger| ledger["verdict"] == "red");
    wait_for("the workload is stopped", PATIENCE, || {
        let all = serve.get("/api/workloads");
        let is_gone = all.as_array().is_some_and(|all| all.iter().all(|one| one["id"] != id));
        if is_gone { Ok(()) } else { Err(all.to_string()) }
    });
    red
}

/// At once, and by name.
#[test]
fn a_workload_that_is_to_stop_stops_when_a_promise_is_broken() {
    let serve = Serve::start_planted("AckBeforeIsr", &[]);
    let leader = topic(&serve, "early", 3);
    let wish = json!({"topic": "early", "rate_per_s": 300, "consumers": 0, "linger_ms": 0, "stop_on_violation": true});
    let id = start(&serve, &wish);
    until(&serve, id, "records are acknowledged", |ledger| number(ledger, "acked") > 200);
    isolate(&serve, leader);
    let before = number(&ledger(&serve, id), "acked");
    until(&serve, id, "the leader acknowledges alone", |ledger| number(ledger, "acked") > before + 50);
    serve.fault(&json!({"kind": "kill", "broker": leader}));
    let red = stops_red(&serve, id);
    assert!(number(&red, "unexplained") > 0, "{red:#}");
    assert_eq!(red["losses"][0]["allowed"], false, "{red:#}");
    assert_eq!(red["losses"][0]["leader"], leader, "{red:#}");
}

#[test]
fn aborted_records_are_shown_as_committed() {
    for bug in ["AbortedListOmitted", "AbortMarkerCommits", "LastStableOffsetIgnored"] {
        let serve = Serve::start_planted(bug, &[]);
        let wish = json!({"topic": "shown", "partitions": 2, "rate_per_s": 500, "consumers": 0, "transaction_ms": 200,
                          "abort_percent": 50, "stop_on_violation": true});
        let id = start(&serve, &wish);
        let red = stops_red(&serve, id);
        assert!(number(&red, "aborted_but_seen") > 0, "{bug}: {red:#}");
    }
}

#[test]
fn committed_records_are_not_shown() {
    let serve = Serve::start_planted("CommitMarkerAborts", &[]);
    let wish = json!({"topic": "hidden", "partitions": 2, "rate_per_s": 500, "consumers": 0, "transaction_ms": 200});
    let id = start(&serve, &wish);
    until(&serve, id, "transactions are committed", |ledger| number(ledger, "acked") > 500);
    verified(&serve, id);
    let end = until(&serve, id, "a broken promise", |ledger| ledger["verdict"] == "red");
    assert!(number(&end, "lost") > 0, "{end:#}");
}
