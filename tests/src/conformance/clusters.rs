//! Both clusters with the same settings: one controller (3000), three brokers (1, 2, 3) in the zones a, b, c.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use broker::logging::Logger;

use super::{ConformanceError, io};
use crate::serve::Serve;
use crate::versus::server::{free_ports, java, java_with_log4j, kafka_jars, log4j_jars};

/// What both brokers are configured with.
const SETTINGS: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("default.replication.factor", "3"),
    ("min.insync.replicas", "2"),
    ("offsets.topic.replication.factor", "3"),
    ("transaction.state.log.replication.factor", "3"),
    ("transaction.state.log.min.isr", "2"),
    ("share.coordinator.state.topic.min.isr", "2"),
    ("share.coordinator.state.topic.replication.factor", "3"),
    ("group.initial.rebalance.delay.ms", "0"),
    // Each change of a consumer group is assigned at once, and not the second that it happens to fall in.
    ("group.consumer.assignment.interval.ms", "0"),
    ("group.share.assignment.interval.ms", "0"),
    // A new partition is not fetched before the fetch under way is answered.
    ("replica.fetch.wait.max.ms", "20"),
    // What was produced with timestamps of long ago stays, however long this takes.
    ("log.initial.task.delay.ms", "86400000"),
    ("leader.imbalance.check.interval.seconds", "3000"),
];
const BROKERS: u16 = 3;

/// Ours.
pub fn start_ours() -> Serve {
    let settings: Vec<String> = SETTINGS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments = vec!["--ephemeral", "--profile", "kafka", "--controllers", "1"];
    for setting in &settings {
        arguments.extend(["--set", setting]);
    }
    Serve::start_with(&arguments)
}

/// Apache Kafka's. Dropping it kills it.
pub struct Kafka {
    children: Vec<Child>,
    /// What clients connect to.
    pub bootstrap_servers: String,
    /// Where its nodes' logs are.
    pub dir: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

impl Kafka {
    /// Formats and starts four nodes. With `keep`, their directory stays when it ends.
    ///
    /// # Errors
    /// Java, Maven or one of the nodes does not do its part.
    pub fn start(keep: bool) -> Result<Kafka, ConformanceError> {
        let (jars, log4j) = (kafka_jars()?, log4j_jars()?);
        let temporary = tempfile::tempdir().map_err(io("no temporary directory"))?;
        let dir = temporary.path().to_path_buf();
        let ports = free_ports(usize::from(BROKERS) + 1)?;
        let mut files = vec![properties(&dir, 3000, ports[0], ports[0])?];
        for (broker, port) in (1..=BROKERS).zip(&ports[1..]) {
            files.push(properties(&dir, broker, *port, ports[0])?);
        }
        format(&jars, &files)?;
        let logging = dir.join("log4j2.properties");
        std::fs::write(&logging, logging_properties()).map_err(io("the properties cannot be written"))?;
        let mut children = Vec::new();
        for file in &files {
            let log = std::fs::File::create(file.with_extension("log")).map_err(io("a log file"))?;
            let errors = log.try_clone().map_err(io("a log file"))?;
            let mut node = java_with_log4j(&jars, &log4j, &logging, "512m");
            node.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "kafka.Kafka"])
                .arg(file)
                .stdout(log)
                .stderr(errors);
            children.push(node.spawn().map_err(io("java does not start; install Java 17"))?);
        }
        let servers: Vec<String> = ports[1..].iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let bootstrap_servers = servers.join(",");
        let kept = if keep {
            // Its path is told by who asked to keep it.
            let _ = temporary.keep();
            None
        } else {
            Some(temporary)
        };
        Ok(Kafka { children, bootstrap_servers, dir, _dir: kept })
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may be dead already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The loggers of Kafka's own `config/log4j2.yaml`, with one place for all lines.
fn logging_properties() -> String {
    let mut text = String::from(
        "appender.c.type=Console\nappender.c.name=C\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=[%d] %p %m (%c)%n\n\
         rootLogger.level=INFO\nrootLogger.appenderRef.c.ref=C\nrootLogger.appenderRef.c.level=WARN\n",
    );
    let configured = Logger::ALL.iter().filter(|logger| **logger != Logger::Root);
    for (logger, level) in configured.filter_map(|logger| Some((*logger, logger.configured()?))) {
        let number = logger as u8;
        text.push_str(&format!("logger.l{number}.name={}\nlogger.l{number}.level={level}\n", logger.name()));
    }
    text
}

fn properties(dir: &Path, node: u16, port: u16, controller: u16) -> Result<PathBuf, ConformanceError> {
    let role = if node == 3000 { "controller" } else { "broker" };
    let listener = if node == 3000 { "CONTROLLER" } else { "PLAINTEXT" };
    let mut text = format!(
        "process.roles={role}\nnode.id={node}\nlisteners={listener}://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
         controller.quorum.voters=3000@127.0.0.1:{controller}\nlog.dirs={}/data-{node}\n",
        dir.display()
    );
    if node != 3000 {
        let zone = char::from(b'a' + (node as u8 - 1));
        text.push_str(&format!("broker.rack={zone}\n"));
    }
    for (name, value) in SETTINGS {
        text.push_str(&format!("{name}={value}\n"));
    }
    let file = dir.join(format!("{node}.properties"));
    std::fs::write(&file, text).map_err(io("the properties cannot be written"))?;
    Ok(file)
}

fn format(jars: &Path, files: &[PathBuf]) -> Result<(), ConformanceError> {
    let mut running = Vec::new();
    for file in files {
        let mut tool = java(jars, "256m", "error");
        tool.args([
            "-XX:TieredStopAtLevel=1",
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "-c",
        ])
        .arg(file);
        let started = tool.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        running.push(started.map_err(io("java does not start; install Java 17"))?);
    }
    for tool in running {
        let output = tool.wait_with_output().map_err(io("java"))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(ConformanceError::Step(format!("a directory could not be formatted: {why}")));
        }
    }
    Ok(())
}
