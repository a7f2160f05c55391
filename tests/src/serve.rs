//! A `brokerscope serve` process on free ports, with an ephemeral cluster, and its HTTP API.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::wait::wait_for;

/// The longest that a cluster may take to be ready on a busy machine; nothing is measured by it.
const READY: Duration = Duration::from_secs(60);

/// The program, built if need be with the profile of the running test.
///
/// # Panics
/// If cargo cannot build it.
pub fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            // …/target/<profile>/deps/<test>
            let test = std::env::current_exe().expect("a test has a path");
            let deps = test.parent().expect("a program lies in a directory");
            // …/target/<profile>/<program> lies one level higher.
            let profile_dir =
                if deps.ends_with("deps") { deps.parent().expect("deps lies in target/<profile>") } else { deps };
            let profile_dir = profile_dir.to_path_buf();
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--bin", "brokerscope"]);
            let is_release = profile_dir.file_name().is_some_and(|name| name == "release");
            match (is_release, cfg!(feature = "planted")) {
                // With a test beside it the libraries are built as `cargo test` has built them already, instead of a second time.
                (false, false) => build.args(["--test", "layering"]),
                // As the tests with planted bugs are run (tests/README.md), for the same reason.
                (false, true) => {
                    build.args(["--workspace", "--features", "tests/planted,brokerscope/planted", "--test", "ledger"])
                }
                (true, false) => build.args(["--package", "brokerscope", "--release"]),
                (true, true) => build.args(["--package", "brokerscope", "--release", "--features", "planted"]),
            };
            let built = build.current_dir(root()).status().expect("cargo runs");
            assert!(built.success(), "cargo could not build brokerscope");
            profile_dir.join("brokerscope")
        })
        .clone()
}

/// The top of the project.
///
/// # Panics
/// Never: this crate lies one level below it.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the project").to_path_buf()
}

/// A running `brokerscope serve`. Dropping it kills it.
pub struct Serve {
    child: Child,
    /// `127.0.0.1:…,…`
    pub bootstrap_servers: String,
    /// `http://127.0.0.1:…`
    pub http: String,
    agent: ureq::Agent,
    _dir: tempfile::TempDir,
}

impl Serve {
    /// Starts an ephemeral cluster in the lab profile on free ports and waits until it takes writes.
    pub fn start() -> Serve {
        Serve::start_with(&["--ephemeral"])
    }

    /// Starts with more arguments (`--ephemeral` or `--data-dir` among them).
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    pub fn start_with(arguments: &[&str]) -> Serve {
        Serve::spawn(Some("serve"), arguments, &[], Stdio::inherit())
    }

    /// Starts the program with its window on a display (`:99`), and what it says on standard error in a file.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    pub fn start_window(arguments: &[&str], display: &str, errors: File) -> Serve {
        Serve::spawn(None, arguments, &[("DISPLAY", display)], errors.into())
    }

    /// As [`Serve::start_with`], with what it says on standard error in a file.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    pub fn start_heard(arguments: &[&str], errors: File) -> Serve {
        Serve::spawn(Some("serve"), arguments, &[], errors.into())
    }

    /// Starts one with a planted bug (feature `planted`), by its name, and more arguments.
    #[cfg(feature = "planted")]
    pub fn start_planted(bug: &str, arguments: &[&str]) -> Serve {
        let arguments: Vec<&str> = ["--ephemeral"].into_iter().chain(arguments.iter().copied()).collect();
        Serve::spawn(Some("serve"), &arguments, &[(broker::planted::ENVIRONMENT, bug)], Stdio::inherit())
    }

    fn spawn(word: Option<&str>, arguments: &[&str], environment: &[(&str, &str)], errors: Stdio) -> Serve {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ready_file = dir.path().join("ready.json");
        let mut child = Command::new(program())
            .args(word)
            .args(["--kafka-port", "0", "--http-port", "0", "--ready-file"])
            .arg(&ready_file)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("brokerscope starts");
        let ready: Value = wait_for("the ready file", READY, || {
            if let Some(status) = child.try_wait().expect("a child can be asked") {
                panic!("brokerscope ended early: {status}");
            }
            let text = std::fs::read_to_string(&ready_file).map_err(|error| error.to_string())?;
            serde_json::from_str(&text).map_err(|error| error.to_string())
        });
        let text = |key: &str| ready[key].as_str().expect("the ready file has it").to_string();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        Serve { child, bootstrap_servers: text("bootstrap_servers"), http: text("http"), agent, _dir: dir }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Addresses of the brokers, broker 1 first.
    pub fn addresses(&self) -> Vec<String> {
        self.bootstrap_servers.split(',').map(str::to_string).collect()
    }

    /// GET, as text with its status.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn get_text(&self, path: &str) -> (u16, String) {
        let mut response = self.agent.get(format!("{}{path}", self.http)).call().expect("HTTP answers");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("text"))
    }

    /// GET, as text, of what may go wrong.
    ///
    /// # Errors
    /// Nobody answers, or not with success.
    pub fn try_text(&self, path: &str) -> Result<String, String> {
        let mut response = self.agent.get(format!("{}{path}", self.http)).call().map_err(|error| error.to_string())?;
        let text = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(text) } else { Err(text) }
    }

    /// GET, as JSON.
    ///
    /// # Panics
    /// If the answer is no JSON.
    pub fn get(&self, path: &str) -> Value {
        let (status, text) = self.get_text(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("GET {path}: {status} {text}: {error}"))
    }

    /// POST JSON; status and answer.
    ///
    /// # Panics
    /// If the answer is no JSON.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut response = self.agent.post(format!("{}{path}", self.http)).send_json(body).expect("HTTP answers");
        (response.status().as_u16(), response.body_mut().read_json().unwrap_or(Value::Null))
    }

    /// DELETE; status.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn delete(&self, path: &str) -> u16 {
        self.agent.delete(format!("{}{path}", self.http)).call().expect("HTTP answers").status().as_u16()
    }

    /// A request that may go wrong; status and answer.
    ///
    /// # Errors
    /// Nobody answers, or not with JSON.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        let url = format!("{}{path}", self.http);
        let sent = match (method, body) {
            ("GET", _) => self.agent.get(url).call(),
            ("DELETE", _) => self.agent.delete(url).call(),
            ("PUT", body) => self.agent.put(url).send_json(body),
            ("PATCH", body) => self.agent.patch(url).send_json(body),
            (_, body) => self.agent.post(url).send_json(body),
        };
        let mut response = sent.map_err(|error| format!("{method} {path}: {error}"))?;
        let status = response.status().as_u16();
        let answer = response.body_mut().read_json().map_err(|error| format!("{method} {path}: {status}, {error}"))?;
        Ok((status, answer))
    }

    /// `GET /api/cluster`.
    pub fn cluster(&self) -> Value {
        self.get("/api/cluster")
    }

    /// Injects a fault (`{"kind":"kill","broker":2}`); its id.
    ///
    /// # Panics
    /// If it is refused.
    pub fn fault(&self, body: &Value) -> u64 {
        let (status, answer) = self.post("/api/faults", body);
        answer["id"].as_u64().unwrap_or_else(|| panic!("{body}: {status} {answer}"))
    }

    /// Leader of a partition now; -1 if none or not known.
    pub fn leader(&self, topic: &str, partition: usize) -> i64 {
        let cluster = self.cluster();
        let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
        topics
            .iter()
            .find(|entry| entry["name"] == topic)
            .and_then(|entry| entry["partitions"][partition]["leader"].as_i64())
            .unwrap_or(-1)
    }

    /// Active controller now; -1 if none is known.
    pub fn active_controller(&self) -> i64 {
        self.cluster()["quorum"]["leader_id"].as_i64().unwrap_or(-1)
    }

    /// The leader of a partition, waited for: on a busy machine there may be none for a moment.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn some_leader(&self, topic: &str, partition: usize) -> i64 {
        wait_for("a leader", READY, || match self.leader(topic, partition) {
            leader if leader > 0 => Ok(leader),
            leader => Err(format!("leader {leader}")),
        })
    }

    /// The active controller, waited for.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn some_active_controller(&self) -> i64 {
        wait_for("an active controller", READY, || match self.active_controller() {
            leader if leader > 0 => Ok(leader),
            leader => Err(format!("leader {leader}")),
        })
    }

    /// SIGTERM, and how it ended.
    ///
    /// # Panics
    /// If it does not end.
    pub fn terminate(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        wait_for("the end of brokerscope", READY, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        })
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
