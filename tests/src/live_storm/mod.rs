//! A storm of faults on a running program, with its window, while clients that we did not write are at work; and what must be so afterwards.
//!
//! Two topics are written: `foreign` by librdkafka, with `flush.messages=1`, so that nothing that was acknowledged may be missing whatever
//! loses power (row 12 of the durability table); the others by built-in workloads, whose losses the ledger judges.

mod display;
mod health;
mod load;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::serve::Serve;
use crate::wait::wait_for;
use display::Display;
use health::WindowWatch;
use load::{CONSUMERS, Load, PRODUCERS};

const PARTITIONS: i32 = 6;
const TOPIC: &str = "foreign";
/// Anything that only has to come some time.
const PATIENCE: Duration = Duration::from_secs(90);
/// Faults are this long.
const FAULT_MS: (u64, u64) = (1_000, 10_000);
/// How soon after the last fault the cluster must be healthy.
const HEALTHY_WITHIN: Duration = Duration::from_secs(10);
/// The window must paint at least once in this time.
const FRAME_GAP_MAX_S: f64 = 10.0;
/// Memory that is no file's: some 190 MiB were seen after two minutes; what caches, series and the ledger may take beside that is bounded, and
/// adds up to less than the rest.
const ANON_MAX_KIB: u64 = 512 * 1024;
/// Whatever grows without a bound grows through the second half of a storm, when all caches are warm.
const GROWTH_MAX_KIB: u64 = 96 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const TELL_EVERY: Duration = Duration::from_secs(30);
const SHOWN: usize = 5;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// How long faults begin.
    pub seconds: u64,
    /// How many.
    pub faults: u32,
    /// Decides which.
    pub seed: u64,
    /// Without a window, also where there is a display.
    pub headless: bool,
}

/// What was wrong, and what was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// One line for each thing that is not as it must be.
    pub wrong: Vec<String>,
}

impl Report {
    fn must(&mut self, is_so: bool, what: impl FnOnce() -> String) {
        if !is_so {
            self.wrong.push(what());
        }
    }
}

/// Runs it.
///
/// # Panics
/// If the program cannot be started, or does not answer at all.
pub fn run(wish: &Wish) -> Report {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let heard = dir.path().join("stderr");
    let errors = File::create(&heard).expect("a file");
    let display = if wish.headless { None } else { Display::find() };
    let serve = match &display {
        Some(display) => Serve::start_window(&["--ephemeral"], &display.name, errors),
        None => {
            println!("no window: {}", if wish.headless { "--headless" } else { "neither a display nor Xvfb is here" });
            Serve::start_heard(&["--ephemeral"], errors)
        }
    };
    let mut report = Report::default();
    let has_window = display.is_some() && is_window_open(&serve, &heard);
    let seen = storm(&serve, wish, has_window, &mut report);
    println!("{seen}");
    let status = serve.terminate();
    report.must(status.success(), || format!("asked to end, the program ended with {status}"));
    let said = std::fs::read_to_string(&heard).unwrap_or_default();
    report.must(!said.contains("panicked"), || format!("a thread panicked: {said}"));
    report
}

/// Whether the window is there; where the machine lacks what a window needs, the program says so and runs without.
fn is_window_open(serve: &Serve, heard: &Path) -> bool {
    wait_for("the window, or why there is none", PATIENCE, || {
        let said = std::fs::read_to_string(heard).map_err(|error| error.to_string())?;
        if let Some(line) = said.lines().find(|line| line.contains("the window could not open")) {
            println!("no window: {line}");
            return Ok(false);
        }
        health::frames(serve).map(|_| true).ok_or_else(|| "no frame, and no word".into())
    })
}

/// Starts everything, and judges it; what was seen in the end, in one line.
fn storm(serve: &Serve, wish: &Wish, has_window: bool, report: &mut Report) -> String {
    let configs = json!({"min.insync.replicas": "2", "flush.messages": "1"});
    let topic = json!({"name": TOPIC, "partitions": PARTITIONS, "replication_factor": 3, "configs": configs});
    let (status, answer) = serve.post("/api/topics", &topic);
    assert_eq!(status / 100, 2, "{answer}");
    let built_in = json!({"topic": "built-in", "rate_per_s": 200, "producers": 1, "consumers": 2});
    let mut transactions = built_in.clone();
    (transactions["topic"], transactions["transaction_ms"]) = (json!("transactions"), json!(300));
    transactions["abort_percent"] = json!(10);
    let workloads: Vec<u64> = [built_in, transactions].iter().map(|wish| workload(serve, wish)).collect();
    wait_for("a healthy cluster", PATIENCE, || health::healthy(serve));
    let load = Load::new(&serve.bootstrap_servers, TOPIC);
    std::thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|number| {
                scope.spawn({
                    let load = &load;
                    move || load.produce(number)
                })
            })
            .collect();
        let consumers: Vec<_> = (0..CONSUMERS).map(|_| scope.spawn(|| load.consume())).collect();
        // Whatever goes wrong here, the clients are told to end, or the scope would wait for them forever.
        let _end = End(&load);
        wait_for("acknowledged records that are read", PATIENCE, || match (load.acked(), load.read()) {
            (100.., 100..) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let watched = watch(serve, wish, has_window, &load, report);
        load.stop.store(true, Ordering::Relaxed);
        producers.into_iter().for_each(|producer| producer.join().expect("a producer ends"));
        let repeated = clients(&load, report);
        load.leave.store(true, Ordering::Relaxed);
        consumers.into_iter().for_each(|consumer| consumer.join().expect("a consumer ends"));
        let ledger = ledger(serve, &workloads, report);
        format!(
            "{watched}; foreign clients: {} acknowledged, {} read by their group, {repeated} written twice by clients in another epoch; ledger: {ledger}",
            load.acked(),
            load.read()
        )
    })
}

struct End<'a>(&'a Load);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        self.0.leave.store(true, Ordering::Relaxed);
    }
}

fn workload(serve: &Serve, wish: &Value) -> u64 {
    let (status, answer) = serve.post("/api/workloads", wish);
    answer["id"].as_u64().unwrap_or_else(|| panic!("{wish}: {status} {answer}"))
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Faults of a run by state, and when the last was over.
fn steps(run: &Value) -> (Vec<&Value>, i64) {
    let steps: Vec<&Value> = run["steps"].as_array().into_iter().flatten().collect();
    let last_ms = steps.iter().filter_map(|step| step["ended_ms"].as_i64()).max().unwrap_or_default();
    (steps, last_ms)
}

fn count(steps: &[&Value], state: &str) -> usize {
    steps.iter().filter(|step| step["state"] == state).count()
}

/// Lets the storm rage, and looks meanwhile.
fn watch(serve: &Serve, wish: &Wish, has_window: bool, load: &Load, report: &mut Report) -> String {
    let for_ms = wish.seconds * 1000;
    let storm = json!({"name": "Foreign clients in a storm", "storm": {
        "seed": wish.seed, "for_ms": for_ms, "count": wish.faults,
        // A little faster, so that all have begun when the time is over.
        "rate_per_min": 1.15 * f64::from(wish.faults) * 60_000.0 / for_ms as f64,
        "min_duration_ms": FAULT_MS.0, "max_duration_ms": FAULT_MS.1}});
    let (status, answer) = serve.post("/api/scripts", &storm);
    assert_eq!(status, 200, "{answer}");
    let (began, mut told) = (Instant::now(), Instant::now());
    let mut window = WindowWatch::new();
    let mut memory: Vec<(u64, u64)> = Vec::new();
    let mut unanswered = 0;
    let over = loop {
        memory.extend(health::memory_kib(serve.pid()));
        if has_window {
            window.note(health::frames(serve).unwrap_or_else(|| window.frames()));
        }
        let run = match serve.request("GET", "/api/scripts", None) {
            Ok((_, all)) => all[0].clone(),
            Err(why) => {
                unanswered += 1;
                assert!(unanswered < 20, "nobody answers: {why}");
                Value::Null
            }
        };
        if run["phase"] == "ended" || run["phase"] == "stopped" {
            break run;
        }
        assert!(began.elapsed() < Duration::from_millis(for_ms) + PATIENCE, "the storm does not end: {run}");
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let (steps, _) = steps(&run);
            println!(
                "{:>5.0} s: {} of {} faults over, {} refused; {} acknowledged to foreign clients, {} read; {} MiB, of which {} of no file{}",
                began.elapsed().as_secs_f64(),
                count(&steps, "over"),
                steps.len(),
                count(&steps, "refused"),
                load.acked(),
                load.read(),
                memory.last().map_or(0, |(rss, _)| rss / 1024),
                memory.last().map_or(0, |(_, anon)| anon / 1024),
                if has_window { format!("; {} frames", window.frames()) } else { String::new() }
            );
        }
        std::thread::park_timeout(LOOK_EVERY);
    };
    let (all, last_ms) = steps(&over);
    let mut why = String::new();
    let healthy_after = wait_for("a healthy cluster", PATIENCE, || {
        health::healthy(serve).inspect_err(|now| why.clone_from(now)).map(|()| now_ms() - last_ms)
    });
    report.must(healthy_after <= HEALTHY_WITHIN.as_millis() as i64, || {
        format!("the cluster was healthy only {healthy_after} ms after the last fault; until then: {why}")
    });
    report.must(count(&all, "over") + count(&all, "refused") == all.len() && !all.is_empty(), || {
        format!("not every fault came and went: {over}")
    });
    if has_window {
        report.must(window.longest_gap_s <= FRAME_GAP_MAX_S && window.frames() > 0, || {
            format!("the window painted nothing for {:.1} s; {} frames in all", window.longest_gap_s, window.frames())
        });
    }
    let highest = |part: &[(u64, u64)]| part.iter().map(|(_, anon)| *anon).max().unwrap_or_default();
    let (first, second) = memory.split_at(memory.len() / 2);
    report.must(!second.is_empty() && highest(second) <= ANON_MAX_KIB, || {
        format!("{} KiB of memory, more than {ANON_MAX_KIB}", highest(second))
    });
    report.must(highest(second) <= highest(first) + GROWTH_MAX_KIB, || {
        format!("memory grew from {} to {} KiB in the second half", highest(first), highest(second))
    });
    format!(
        "{} faults in {:.0} s ({} refused); healthy {:.1} s after the last; memory at most {} MiB (first half {}); longest time without a frame {}",
        all.len(),
        began.elapsed().as_secs_f64(),
        count(&all, "refused"),
        healthy_after as f64 / 1000.0,
        highest(second).max(highest(first)) / 1024,
        highest(first) / 1024,
        if has_window {
            format!("{:.1} s of {} frames", window.longest_gap_s, window.frames())
        } else {
            "not known: no window".into()
        }
    )
}

fn some(of: &[String]) -> String {
    format!(
        "{} ({}{})",
        of.len(),
        of.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "),
        if of.len() > SHOWN { ", …" } else { "" }
    )
}

/// What was acknowledged to librdkafka is there, once, in order, and was read by the group. How many it wrote twice by itself.
fn clients(load: &Load, report: &mut Report) -> usize {
    let errors = load.errors();
    report.must(errors.is_empty(), || format!("writes that were given up: {errors:?}"));
    let unread = load.unread_by_group();
    report.must(unread.is_empty(), || format!("acknowledged, and never read by the group: {}", some(&unread)));
    let back = load.read_back(PARTITIONS);
    report.must(back.missing.is_empty(), || format!("acknowledged, and missing: {}", some(&back.missing)));
    report.must(back.twice.is_empty(), || format!("twice in the log: {}", some(&back.twice)));
    report.must(back.out_of_order.is_empty(), || format!("out of order: {}", some(&back.out_of_order)));
    report.must(back.records >= load.acked(), || format!("only {} records in the log", back.records));
    back.twice_in_another_epoch.len()
}

/// Whether nothing but records that stand twice, or in another order, is unexplained, and the workload's client library raised its epoch: then that
/// is its own doing, as it is of the foreign clients.
fn has_repeats_only(ledger: &Value) -> bool {
    if ledger["raised_epoch"] != true {
        return false;
    }
    let anomalies: Vec<Value> = ledger["anomalies"].as_array().cloned().unwrap_or_default();
    let unexplained = anomalies.iter().filter(|one| one["unexplained"] != 0);
    let is_repeat = |one: &Value| one["kind"] == "duplicate" || one["kind"] == "nonmonotonic_send";
    ledger["lost"] == ledger["lost_allowed"] && unexplained.clone().count() > 0 && unexplained.clone().all(is_repeat)
}

/// The ledger's verdicts, once it has read everything again.
fn ledger(serve: &Serve, workloads: &[u64], report: &mut Report) -> String {
    for id in workloads {
        let status = serve.delete(&format!("/api/workloads/{id}"));
        report.must(status == 200, || format!("workload {id} was not stopped: {status}"));
    }
    let all = wait_for("the ledger's last reading", PATIENCE, || {
        let all = serve.get("/api/ledger");
        let of: Vec<Value> = all.as_array().cloned().unwrap_or_default();
        let is_over =
            |one: &Value| (one["stage"] == "verified" || one["stage"] == "unfinished") && one["verdict"] != "looking";
        if of.len() >= workloads.len() && of.iter().all(is_over) { Ok(of) } else { Err(all.to_string()) }
    });
    let mut told = Vec::new();
    for one in &all {
        let is_kept = one["verdict"] != "red" || has_repeats_only(one);
        report.must(is_kept && one["stage"] == "verified", || format!("the ledger: {one:#}"));
        told.push(format!(
            "{}: {} ({} acknowledged, {} lost)",
            one["topic"], one["verdict"], one["acked"], one["lost"]
        ));
    }
    let vanished = serve.get("/api/ledger?of=clients");
    let foreign: Vec<&Value> = vanished.as_array().into_iter().flatten().filter(|one| one["topic"] == TOPIC).collect();
    report.must(foreign.is_empty(), || format!("what vanished of topic {TOPIC}: {foreign:?}"));
    format!("{}; vanished, of all clients: {}", told.join(", "), vanished.as_array().map_or(0, Vec::len))
}
