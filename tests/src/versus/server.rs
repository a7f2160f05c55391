//! Three brokers of Kafka's or of ours as processes. Dropping one kills it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{VersusError, io};
use crate::serve::root;

/// The longest that a cluster may take to start.
const START: Duration = Duration::from_secs(120);
const BROKERS: usize = 3;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `brokerscope serve` with Kafka's own timings (session 9 s).
    Ours,
    /// The same with the lab's timings (session 1.5 s).
    OursLab,
    /// Apache Kafka 4.3, three combined nodes.
    Kafka,
}

/// A running cluster.
pub struct Server {
    children: Vec<Child>,
    /// What clients connect to.
    pub bootstrap_servers: String,
    /// From the first process's start until a topic with three replicas could be created.
    pub start: Duration,
    http: Option<String>,
    _dir: tempfile::TempDir,
}

/// Where the program and the jars are.
pub struct Installed {
    program: PathBuf,
    jars: PathBuf,
}

/// What makes Kafka log by log4j, as its own distribution does: levels of loggers exist only then.
const LOG4J: &str = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4";

/// Has Maven fetch Kafka's jars if they are not there yet; where they are.
///
/// # Errors
/// mvn failed.
pub fn kafka_jars() -> Result<PathBuf, VersusError> {
    let kafka = root().join("tests/kafka");
    let jars = kafka.join(".cache/jars");
    if !jars.join("kafka_2.13-4.3.0.jar").exists() {
        let mut mvn = Command::new("mvn");
        mvn.args(["-q", "-B", "-f"]).arg(kafka.join("pom.xml")).arg("dependency:copy-dependencies");
        fetch(&mut mvn, &jars)?;
    }
    Ok(jars)
}

/// The same for what binds Kafka's logging to log4j. It stands before the other jars in the class path, as the first binding is taken.
///
/// # Errors
/// mvn failed.
pub fn log4j_jars() -> Result<PathBuf, VersusError> {
    let jars = root().join("tests/kafka/.cache/log4j");
    if !jars.exists() {
        let mut mvn = Command::new("mvn");
        mvn.args(["-q", "-B", "dependency:copy", &format!("-Dartifact={LOG4J}")]);
        fetch(&mut mvn, &jars)?;
    }
    Ok(jars)
}

fn fetch(mvn: &mut Command, into: &Path) -> Result<(), VersusError> {
    let output = format!("-DoutputDirectory={}", into.display());
    let status = mvn.arg(output).status().map_err(io("mvn does not start; install Maven and Java 17"))?;
    if status.success() {
        return Ok(());
    }
    Err(VersusError::Other("mvn could not fetch Kafka's jars from Maven Central".into()))
}

/// Java with Kafka's jars, up to the name of the class.
pub fn java(jars: &Path, heap: &str, log_level: &str) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{heap}"))
        .arg(format!("-Dorg.slf4j.simpleLogger.defaultLogLevel={log_level}"))
        .arg("-cp")
        .arg(format!("{}/*", jars.display()));
    java
}

/// The same, logging by log4j as that file says.
pub fn java_with_log4j(jars: &Path, log4j: &Path, configuration: &Path, heap: &str) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{heap}"))
        .arg(format!("-Dlog4j2.configurationFile={}", configuration.display()))
        .arg("-cp")
        .arg(format!("{}/*:{}/*", log4j.display(), jars.display()));
    java
}

impl Installed {
    /// Builds ours, and has Maven fetch Kafka's jars if they are not there yet.
    ///
    /// # Errors
    /// cargo or mvn failed.
    pub fn prepare() -> Result<Installed, VersusError> {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--package", "brokerscope", "--bin", "brokerscope"])
            .current_dir(root())
            .status()
            .map_err(io("cargo does not start"))?;
        let exe = std::env::current_exe().map_err(io("this program has no path"))?;
        let program = exe.with_file_name("brokerscope");
        if !cargo.success() || !program.exists() {
            return Err(VersusError::Other(format!(
                "cargo did not build {}; run this with --release",
                program.display()
            )));
        }
        let jars = kafka_jars()?;
        Ok(Installed { program, jars })
    }

    fn java(&self, heap: &str) -> Command {
        java(&self.jars, heap, "error")
    }

    /// Runs one of Kafka's own tools to its end; what it printed.
    ///
    /// # Errors
    /// It failed.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, VersusError> {
        let output = self
            .java("512m")
            .arg(class)
            .args(arguments)
            .output()
            .map_err(io("java does not start; install Java 17"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        Err(VersusError::Other(format!("{class} failed: {text}{}", String::from_utf8_lossy(&output.stderr))))
    }

    /// Starts a cluster with no data.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self, kind: Kind) -> Result<Server, VersusError> {
        let dir = tempfile::tempdir().map_err(io("no temporary directory"))?;
        let mut server = match kind {
            Kind::Kafka => self.start_kafka(dir)?,
            Kind::Ours => self.start_ours(dir, "kafka")?,
            Kind::OursLab => self.start_ours(dir, "lab")?,
        };
        let began = server.1;
        super::load::create_first_topic(&server.0.bootstrap_servers, began + START)?;
        server.0.start = began.elapsed();
        Ok(server.0)
    }

    fn start_ours(&self, dir: tempfile::TempDir, profile: &str) -> Result<(Server, Instant), VersusError> {
        let ready = dir.path().join("ready.json");
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .args(["serve", "--kafka-port", "0", "--http-port", "0", "--profile", profile, "--data-dir"])
            .arg(dir.path().join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .stdout(Stdio::null())
            .spawn()
            .map_err(io("brokerscope does not start"))?;
        let value: serde_json::Value = loop {
            if let Some(value) = std::fs::read_to_string(&ready).ok().and_then(|text| serde_json::from_str(&text).ok())
            {
                break value;
            }
            if began.elapsed() > START || child.try_wait().is_ok_and(|ended| ended.is_some()) {
                let _ = child.kill();
                return Err(VersusError::Other("brokerscope did not get ready".into()));
            }
            std::thread::yield_now();
        };
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let (bootstrap_servers, http) = (text("bootstrap_servers"), Some(text("http")));
        Ok((Server { children: vec![child], bootstrap_servers, start: Duration::ZERO, http, _dir: dir }, began))
    }

    fn start_kafka(&self, dir: tempfile::TempDir) -> Result<(Server, Instant), VersusError> {
        let ports = free_ports(2 * BROKERS)?;
        let (clients, controllers) = ports.split_at(BROKERS);
        let voters: Vec<String> =
            controllers.iter().enumerate().map(|(index, port)| format!("{}@127.0.0.1:{port}", index + 1)).collect();
        let mut files = Vec::new();
        for (index, (port, controller)) in clients.iter().zip(controllers).enumerate() {
            let node = index + 1;
            let file = dir.path().join(format!("{node}.properties"));
            std::fs::write(&file, properties(dir.path(), node, *port, *controller, &voters.join(",")))
                .map_err(io("the properties cannot be written"))?;
            let path = file.display().to_string();
            self.tool("kafka.tools.StorageTool", &["format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", &path])?;
            files.push(file);
        }
        let began = Instant::now();
        let mut children = Vec::new();
        for file in files {
            let log = std::fs::File::create(file.with_extension("log")).map_err(io("a log file"))?;
            let child = self
                .java("1G")
                .arg("kafka.Kafka")
                .arg(&file)
                .stdout(log)
                .stderr(Stdio::null())
                .spawn()
                .map_err(io("java does not start; install Java 17"))?;
            children.push(child);
        }
        let bootstrap: Vec<String> = clients.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let bootstrap_servers = bootstrap.join(",");
        Ok((Server { children, bootstrap_servers, start: Duration::ZERO, http: None, _dir: dir }, began))
    }
}

fn properties(dir: &Path, node: usize, port: u16, controller: u16, voters: &str) -> String {
    format!(
        "process.roles=broker,controller\nnode.id={node}\ncontroller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}/data-{node}\nbroker.rack={node}\n\
         default.replication.factor=3\nmin.insync.replicas=2\noffsets.topic.replication.factor=3\n\
         transaction.state.log.replication.factor=3\ngroup.initial.rebalance.delay.ms=0\n",
        dir.display()
    )
}

/// Ports that were free a moment ago, below those that the system gives to outgoing connections.
///
/// # Errors
/// There are not so many.
pub fn free_ports(count: usize) -> Result<Vec<u16>, VersusError> {
    let free = (20_000..30_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(count).collect();
    if ports.len() < count {
        return Err(VersusError::Other("there are no free ports between 20000 and 30000".into()));
    }
    Ok(ports)
}

impl Server {
    /// Its processes.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Kills a broker at once (SIGKILL; ours: the broker's runtime is dropped where it stands).
    ///
    /// # Errors
    /// There is no such broker.
    pub fn kill(&mut self, broker: i32) -> Result<(), VersusError> {
        if let Some(http) = &self.http {
            let body = serde_json::json!({"kind": "kill", "broker": broker});
            return match ureq::post(format!("{http}/api/faults")).send_json(body) {
                Ok(_) => Ok(()),
                Err(error) => Err(VersusError::Other(format!("the kill was refused: {error}"))),
            };
        }
        let index = usize::try_from(broker - 1).unwrap_or(usize::MAX);
        let child = self.children.get_mut(index);
        let child = child.ok_or_else(|| VersusError::Other(format!("there is no broker {broker}")))?;
        child.kill().map_err(io(format!("broker {broker} cannot be killed")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may be dead already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
