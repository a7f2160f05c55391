//! A real Prometheus (Debian's package) on a free port, with the configuration of `assets/prometheus` turned to a running `brokerscope serve`.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::serve::{Serve, root};
use crate::wait::wait_for;

/// How long it may take to start on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// Whether a program can be run here.
pub fn is_installed(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// A running Prometheus. Dropping it kills it.
pub struct Prometheus {
    child: Child,
    url: String,
    agent: ureq::Agent,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes and judges `serve` once a second.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(serve: &Serve) -> Prometheus {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let assets = root().join("assets/prometheus");
        let address = serve.http.trim_start_matches("http://");
        for entry in fs::read_dir(&assets).expect("the assets are there").flatten() {
            let text = fs::read_to_string(entry.path()).expect("a file of the assets");
            let text = text.replace("127.0.0.1:11001", address).replace("_interval: 10s", "_interval: 1s");
            fs::write(dir.path().join(entry.file_name()), text).expect("a copy of it");
        }
        // Between the look and the start another may take it; then the start fails, and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let listen = format!("127.0.0.1:{port}");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={listen}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        let prometheus = Prometheus { child, url: format!("http://{listen}"), agent, _dir: dir };
        wait_for("Prometheus", READY, || {
            let asked = prometheus.agent.get(format!("{}/-/ready", prometheus.url)).call();
            match asked.map(|response| response.status().as_u16()) {
                Ok(200) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        prometheus
    }

    /// What a query returns now: labels and value of each series (a scalar has no labels).
    ///
    /// # Errors
    /// The query is refused, or nobody answers.
    pub fn query(&self, expression: &str) -> Result<Vec<(Value, String)>, String> {
        let asked = self.agent.get(format!("{}/api/v1/query", self.url)).query("query", expression).call();
        let mut response = asked.map_err(|error| error.to_string())?;
        let answer: Value = response.body_mut().read_json().map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(format!("{expression}: {answer}"));
        }
        let series = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(series.iter().map(|series| (series["metric"].clone(), text(&series["value"][1]))).collect())
    }

    /// Names of the alerts that fire now, with what they are about (`instance`, or empty).
    ///
    /// # Errors
    /// As of [`Prometheus::query`].
    pub fn firing(&self) -> Result<Vec<(String, String)>, String> {
        let alerts = self.query("ALERTS{alertstate=\"firing\"}")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(alerts.iter().map(|(labels, _)| (text(&labels["alertname"]), text(&labels["instance"]))).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `promtool check metrics` has to complain of an exposition; nothing if it cannot even be parsed is an error.
///
/// # Errors
/// The text is no exposition.
///
/// # Panics
/// If promtool does not run.
pub fn lint(exposition: &str) -> Result<Vec<String>, String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = promtool.stdin.take().expect("it was piped");
    let text = exposition.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = promtool.wait_with_output().expect("promtool ends");
    // It may have stopped reading at the first fault, which it tells.
    let _ = writer.join();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let complaints = || said.lines().map(str::to_owned).collect();
    match output.status.code() {
        // 3: it reads well, and the names could be better.
        Some(0) => Ok(Vec::new()),
        Some(3) => Ok(complaints()),
        _ => Err(said),
    }
}
