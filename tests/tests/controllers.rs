//! Controllers come and go under load: the metadata quorum's voters change, its leader dies and leaves, and the cluster goes on.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::clients;
use tests::serve::Serve;
use tests::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(120);

/// Controllers by what they are in the quorum; the leader's id first.
fn quorum(cluster: &Value) -> (i64, Vec<(i64, String)>) {
    let voters = cluster["quorum"]["voters"].as_array().cloned().unwrap_or_default();
    let role = |voter: &Value| (voter["id"].as_i64().unwrap(), voter["role"].as_str().unwrap().to_owned());
    (cluster["quorum"]["leader_id"].as_i64().unwrap(), voters.iter().map(role).collect())
}

/// Waits until these controllers are there, one leads, and all others follow and vote; the leader.
fn wait_for_quorum(serve: &Serve, ids: &[i64]) -> i64 {
    wait_for(&format!("controllers {ids:?} to vote"), PATIENCE, || {
        let (leader, controllers) = quorum(&serve.cluster());
        let is_well = controllers.iter().all(|(id, role)| *role == if *id == leader { "leader" } else { "follower" });
        let are_there = controllers.iter().map(|(id, _)| *id).eq(ids.iter().copied());
        if is_well && are_there && ids.contains(&leader) {
            Ok(leader)
        } else {
            Err(format!("{leader} {controllers:?}"))
        }
    })
}

/// The quorum's leader does what only an active controller can.
fn create_topic(serve: &Serve, name: &str) {
    clients::create_topic(&serve.bootstrap_servers, name, 3, 3);
    wait_for("its leaders", PATIENCE, || match (0..3).all(|partition| serve.leader(name, partition) > 0) {
        true => Ok(()),
        false => Err(serve.cluster()["topics"].to_string()),
    });
}

/// Sends numbered records until it is told to stop; how many were acknowledged.
fn send_until(bootstrap_servers: &str, stop: &AtomicBool) -> u64 {
    let settings = [("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "2")];
    let producer = clients::producer(bootstrap_servers, &settings);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        clients::send(&producer, "load", Some((number % 3) as i32), "k", &number.to_string());
        number += 1;
        if number % 500 == 0 {
            clients::flush(&producer, number);
        }
    }
    clients::flush(&producer, number);
    number
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_fourth_controller_votes_the_leader_dies_and_goes_and_a_restart_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", dir.path().to_str().unwrap()];
    let serve = Serve::start_with(&arguments);
    wait_for_quorum(&serve, &[3000, 3001, 3002]);
    create_topic(&serve, "load");
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let stop_on_drop = StopOnDrop(&stop);
        let sent = scope.spawn(|| send_until(&serve.bootstrap_servers, &stop));
        let start = Instant::now();
        assert_eq!(serve.post("/api/controllers", &json!({})), (200, json!({"id": 3003})));
        println!("controller 3003 was added after {} ms", start.elapsed().as_millis());
        let first = wait_for_quorum(&serve, &[3000, 3001, 3002, 3003]);
        create_topic(&serve, "with-four");

        // Without its leader, the new one counts: three of four.
        let kill = serve.fault(&json!({"kind": "kill", "controller": first}));
        wait_for("another leader", PATIENCE, || match serve.active_controller() {
            leader if leader != first && leader != -1 => Ok(leader),
            leader => Err(leader.to_string()),
        });
        create_topic(&serve, "with-three-of-four");
        // Two that are down of four would be no majority of those who are left: no other one can go, only the dead one.
        let start = Instant::now();
        assert_eq!(serve.delete(&format!("/api/controllers/{first}")), 200);
        println!("the dead leader was removed after {} ms", start.elapsed().as_millis());
        assert_eq!(serve.delete(&format!("/api/faults/{kill}")), 404, "what was wrong with it went with it");
        let left: Vec<i64> = [3000, 3001, 3002, 3003].into_iter().filter(|id| *id != first).collect();
        let second = wait_for_quorum(&serve, &left);

        // A leader takes itself out, and another one takes over.
        let start = Instant::now();
        assert_eq!(serve.delete(&format!("/api/controllers/{second}")), 200);
        println!("the leader was removed after {} ms", start.elapsed().as_millis());
        let left: Vec<i64> = left.into_iter().filter(|id| *id != second).collect();
        wait_for_quorum(&serve, &left);
        create_topic(&serve, "with-two");
        drop(stop_on_drop);
        (sent.join().unwrap(), left)
    });
    let (sent, left) = sent;
    println!("{sent} records were acknowledged meanwhile");
    assert_eq!(clients::read_all(&serve.bootstrap_servers, "load", 3).len() as u64, sent);
    let gone: Vec<i64> = [3000, 3001, 3002, 3003].into_iter().filter(|id| !left.contains(id)).collect();
    for id in &gone {
        assert!(!dir.path().join(format!("controller-{id}")).exists(), "its directory is removed");
        assert_eq!(serve.delete(&format!("/api/controllers/{id}")), 404);
    }
    let (status, answer) = serve.post("/api/controllers", &json!({"controller": left[0]}));
    assert_eq!(
        (status, answer["error"].as_str()),
        (409, Some(&*format!("There is a controller {} already.", left[0])))
    );
    let kinds = serve.get("/api/events?after=0").to_string();
    assert!(kinds.contains("controller_added") && kinds.contains("controller_removed"));
    assert!(serve.terminate().success());

    // As the data directory has it, whether the options are the old ones or the new ones.
    for controllers in ["3", "2"] {
        let serve = Serve::start_with(&["--data-dir", dir.path().to_str().unwrap(), "--controllers", controllers]);
        wait_for_quorum(&serve, &left);
        assert_eq!(clients::read_all(&serve.bootstrap_servers, "load", 3).len() as u64, sent);
        create_topic(&serve, &format!("again-{controllers}"));
        assert!(serve.terminate().success());
    }
}
