//! Scripts of faults on a real cluster: from HTTP and from the command line, with verdicts that are measured, and everything healed at the end.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::clients::PATIENCE;
use tests::serve::{Serve, program};
use tests::wait::wait_for;

/// A script runs for a while, and its verdicts take theirs.
const RUN_PATIENCE: Duration = Duration::from_secs(150);

const SCRIPT: &str = "
name: A leader dies
hypothesis: Producers go on with another leader, and nothing is lost.
workloads:
  - {topic: scripted, partitions: 3, rate_per_s: 300, producers: 1, consumers: 1}
steady:
  - leaders_everywhere: true
  - in_sync_everywhere: true
  - writes_per_s_at_least: 100
steps:
  - {at_ms: 500, fault: {kind: kill, broker: 1, duration_ms: 3000}}
  - {at_ms: 800, fault: {kind: delay, from: clients, to: 2, both_ways: true, delay_ms: 20, duration_ms: 2000}}
  - {at_ms: 1000, fault: {kind: kill, broker: 1, duration_ms: 100}}
  - {at_ms: 1500, fault: {kind: crash_consumer, workload: 1, duration_ms: 1500}}
expect:
  - writes_resume_within_ms: 30000
  - nothing_lost: true
  - lag_drains_within_ms: 60000
  - in_sync_within_ms: 60000
";

/// Sends YAML; status and answer.
fn post_yaml(serve: &Serve, content_type: &str, body: &str) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("{}/api/scripts", serve.http);
    let mut response = agent.post(url).header("content-type", content_type).send(body).unwrap();
    (response.status().as_u16(), response.body_mut().read_json().unwrap_or(Value::Null))
}

fn run(serve: &Serve, id: u64) -> Value {
    let all = serve.get("/api/scripts");
    all.as_array().and_then(|all| all.iter().find(|one| one["id"] == id).cloned()).unwrap_or_default()
}

fn wait_for_phase(serve: &Serve, id: u64, phase: &str) -> Value {
    wait_for(phase, RUN_PATIENCE, || {
        let run = run(serve, id);
        if run["phase"] == phase { Ok(run) } else { Err(run.to_string()) }
    })
}

fn wait_for_health(serve: &Serve) {
    wait_for("a sound cluster", PATIENCE, || {
        let (cluster, faults) = (serve.cluster(), serve.get("/api/faults"));
        let nodes = cluster["brokers"].as_array().into_iter().chain(cluster["quorum"]["voters"].as_array()).flatten();
        let all_run = nodes.clone().count() == 6 && nodes.clone().all(|node| node["state"] == "running");
        if all_run && faults == json!([]) { Ok(()) } else { Err(format!("{faults} {cluster}")) }
    });
}

fn outcomes(run: &Value) -> Vec<String> {
    let verdicts = run["verdicts"].as_array().into_iter().flatten();
    verdicts.map(|verdict| verdict["outcome"].as_str().unwrap().to_owned()).collect()
}

fn states(run: &Value) -> Vec<String> {
    let steps = run["steps"].as_array().into_iter().flatten();
    steps.map(|step| step["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_script_breaks_heals_and_judges() {
    let serve = Serve::start();
    let (status, answer) = post_yaml(&serve, "application/yaml", SCRIPT);
    assert_eq!((status, &answer["id"]), (200, &json!(1)), "{answer}");
    let (status, answer) = post_yaml(&serve, "application/yaml; charset=utf-8", SCRIPT);
    assert_eq!(status, 409, "one runs at a time: {answer}");
    let over = wait_for_phase(&serve, 1, "ended");
    assert_eq!(outcomes(&over), ["held"; 4], "{over:#}");
    assert_eq!(states(&over), ["over", "over", "refused", "over"], "{over:#}");
    assert!(over["steps"][2]["what"].as_str().unwrap().contains("killed"), "{over:#}");
    wait_for_health(&serve);
    wait_for("its workload to end with it", PATIENCE, || match serve.get("/api/workloads") {
        workloads if workloads == json!([]) => Ok(()),
        workloads => Err(workloads.to_string()),
    });

    // What was done is a script, and that is one that runs.
    let (status, yaml) = serve.get_text("/api/scripts/recorded");
    assert_eq!(status, 200, "{yaml}");
    assert!(yaml.contains("kind: kill") && yaml.contains("clients"), "{yaml}");
    let again = yaml.replace("kind: crash_consumer", "kind: pause").replace("workload: 1", "broker: 3");
    let again = again.replace("    consumer: 1\n", "");
    let (status, answer) = post_yaml(&serve, "application/yaml", &again);
    assert_eq!(status, 200, "{answer}: {again}");
    let over = wait_for_phase(&serve, 2, "ended");
    assert!(outcomes(&over).is_empty());
    wait_for_health(&serve);
}

#[test]
fn a_storm_that_is_stopped_heals_what_it_broke() {
    let serve = Serve::start();
    let storm = json!({"storm": {"seed": 5, "rate_per_min": 120, "kinds": ["pause", "isolate", "slow_disk"],
        "min_duration_ms": 20_000, "max_duration_ms": 30_000, "for_ms": 60_000}});
    let (status, answer) = serve.post("/api/scripts", &storm);
    assert_eq!(status, 200, "{answer}");
    wait_for("something to be broken", PATIENCE, || {
        let faults = serve.get("/api/faults");
        if faults.as_array().map(Vec::len) > Some(1) { Ok(()) } else { Err(faults.to_string()) }
    });
    assert_eq!(serve.delete("/api/scripts/9"), 404);
    assert_eq!(serve.delete("/api/scripts/1"), 200);
    let over = wait_for_phase(&serve, 1, "stopped");
    assert!(states(&over).contains(&"over".to_owned()) && states(&over).contains(&"skipped".to_owned()), "{over:#}");
    assert_eq!(serve.delete("/api/scripts/1"), 409, "it is over");
    wait_for_health(&serve);
}

#[test]
fn what_is_no_script_is_refused_with_its_line() {
    let serve = Serve::start();
    for (content_type, body, expected, word) in [
        ("application/yaml", "steps:\n  - {at_ms: 1, fault: {kind: kil, broker: 1}}\n", 400, "line 2"),
        (
            "application/yaml",
            "steps:\n  - {at_ms: 1, fault: {kind: kill, broker: 9}}\n",
            404,
            "Step 1: There is no broker 9.",
        ),
        ("application/yaml", "name: x\n", 400, "steps, or a storm"),
        ("application/json", "[1]", 400, "script"),
        ("text/plain", "storm: {seed: 1}\n", 415, "application/json"),
    ] {
        let (status, answer) = post_yaml(&serve, content_type, body);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(status == expected && error.contains(word), "{body}: {status} {answer}");
    }
    assert_eq!(serve.get("/api/scripts"), json!([]));
    assert_eq!(serve.get_text("/api/scripts/recorded").0, 404);
}

#[test]
fn the_command_line_runs_a_script_and_refuses_what_is_none() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"steps:\n  - at_ms: 5\n    fault: {kind: kill, brokr: 1}\n").unwrap();
    let path = file.path().to_str().unwrap();
    let output = Command::new(program()).args(["serve", "--ephemeral", "--faults", path]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("line 3") && said.contains("brokr"), "{said}");

    let mut file = tempfile::NamedTempFile::new().unwrap();
    let script =
        "steps:\n  - {at_ms: 100, fault: {kind: pause, broker: 2, duration_ms: 300}}\nexpect: [nothing_lost: true]\n";
    file.write_all(script.as_bytes()).unwrap();
    let serve = Serve::start_with(&["--ephemeral", "--faults", file.path().to_str().unwrap()]);
    let over = wait_for_phase(&serve, 1, "ended");
    assert_eq!(
        (states(&over), outcomes(&over)),
        (vec!["over".to_owned()], vec!["not_measured".to_owned()]),
        "{over:#}"
    );
}
