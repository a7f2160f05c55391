//! What is done in the window as lines for a shell: with Kafka's tools where these have it, with AWS' client for alarms, and over our HTTP API
//! for what neither knows (faults, workloads, the coming and going of nodes).
//!
//! Pure: from a command and the addresses of this cluster to text. Everything that comes from outside is quoted here, and nowhere else.

pub mod aws;
mod operations;
pub mod perf;
mod quote;

use broker::logging::Level;
use broker::metadata::report::NodeState;
use serde::Serialize;
use serde_json::json;

use super::app::Scene;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::{Command, LedgerExport};
use crate::monitor::logs::Wish;
use crate::monitor::names::is_controller;
use crate::monitor::snapshot::Snapshot;
use crate::ui::model::fault_on;
pub use quote::quoted;

/// One line, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is: `As a command`.
    pub title: &'static str,
    /// The line.
    pub text: String,
}

/// Where the lines lead.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Bootstrap servers, `host:port,…`.
    pub bootstrap: &'a str,
    /// The HTTP API; without it, nothing that needs it is told.
    pub http: Option<&'a str>,
    /// The cluster as it is.
    pub snapshot: &'a Snapshot,
}

impl<'a> Around<'a> {
    /// Of what is shown.
    pub fn scene(scene: &Scene<'a>) -> Around<'a> {
        let model = scene.model;
        Around { bootstrap: &model.bootstrap, http: scene.options.http.as_deref(), snapshot: model.snapshot() }
    }
}

/// How most lines are called.
pub const AS_A_COMMAND: &str = "As a command";
const OVER_HTTP: &str = "The same over HTTP";

/// All lines that together, or each by itself, do what a command does.
pub fn lines(command: &Command, around: &Around<'_>) -> Vec<Line> {
    let kafka = kafka(command, around);
    let title = if kafka.is_empty() { AS_A_COMMAND } else { OVER_HTTP };
    let web = web(command, around).map(|text| Line { title, text });
    kafka.into_iter().chain(web).collect()
}

/// The first of them; empty where there is none.
pub fn line(command: &Command, around: &Around<'_>) -> String {
    lines(command, around).into_iter().next().map_or_else(String::new, |line| line.text)
}

fn tool(name: &str, around: &Around<'_>) -> String {
    format!("{name} --bootstrap-server {}", servers(around))
}

/// While no broker listens, a shell's variable stands for what is not known.
fn servers<'a>(around: &Around<'a>) -> &'a str {
    if around.bootstrap.is_empty() { "$BOOTSTRAP_SERVERS" } else { around.bootstrap }
}

fn kafka(command: &Command, around: &Around<'_>) -> Vec<Line> {
    let line = |title: &'static str, text: String| Line { title, text };
    match command {
        Command::CreateTopic { name, partitions, replication_factor, configs } => {
            let mut text = format!("{} --create --topic {}", tool("kafka-topics.sh", around), quoted(name));
            // -1 leaves it to the broker, and so does saying nothing.
            if *partitions > 0 {
                text += &format!(" --partitions {partitions}");
            }
            if *replication_factor > 0 {
                text += &format!(" --replication-factor {replication_factor}");
            }
            for (key, value) in configs {
                text += &format!(" --config {}", quoted(&format!("{key}={value}")));
            }
            vec![line(AS_A_COMMAND, text)]
        }
        Command::DeleteTopic { name } => {
            let text = format!("{} --delete --topic {}", tool("kafka-topics.sh", around), quoted(name));
            vec![line(AS_A_COMMAND, text)]
        }
        Command::RemoveBroker(id) => {
            let others: Vec<String> = around
                .snapshot
                .brokers
                .iter()
                .map(|broker| broker.id)
                .filter(|other| other != id)
                .map(|id| id.to_string())
                .collect();
            let moves = format!(
                "{} --generate --broker-list {} --topics-to-move-json-file topics.json",
                tool("kafka-reassign-partitions.sh", around),
                others.join(",")
            );
            let leave = format!("{} --id {id}", tool("kafka-cluster.sh unregister", around));
            vec![
                line("As commands: plan the moves, and --execute them", moves),
                line("Stop the broker, and unregister it", leave),
            ]
        }
        Command::RemoveController(id) => {
            let tool = tool("kafka-metadata-quorum.sh", around);
            let text = format!("{tool} remove-controller --controller-id {id} --controller-directory-id ID");
            vec![line("As a command (describe --replication tells the directory's id)", text)]
        }
        Command::Operate(operation) => operations::lines(operation, around),
        Command::Logs(Wish::SetLevel { node, logger, level }) => {
            let text = set_level(around, *node, logger, *level);
            text.map(|text| line("The same with Kafka's tools", text)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// One line for all brokers, which differ in `--entity-name` only. Controllers meet in memory: Kafka's tools do not reach them.
fn set_level(around: &Around<'_>, node: Option<i32>, logger: &str, level: Option<Level>) -> Option<String> {
    let ids: Vec<String> = match node {
        Some(id) if is_controller(id) => return None,
        Some(id) => vec![id.to_string()],
        // Who does not run keeps the tool waiting.
        None => {
            let up = around.snapshot.brokers.iter().filter(|broker| broker.state == NodeState::Running);
            up.map(|broker| broker.id.to_string()).collect()
        }
    };
    let change = match level {
        Some(level) => format!("--add-config {}", quoted(&format!("{logger}={level}"))),
        None => format!("--delete-config {}", quoted(logger)),
    };
    let tool = tool("kafka-configs.sh", around);
    let command = |name: &str| format!("{tool} --entity-type broker-loggers --entity-name {name} --alter {change}");
    match ids.as_slice() {
        [] => None,
        [id] => Some(command(id)),
        many => Some(format!("for b in {}; do {}; done", many.join(" "), command("$b"))),
    }
}

fn web(command: &Command, around: &Around<'_>) -> Option<String> {
    let http = around.http?;
    let call = |method: &str, path: &str, body: Option<String>| curl(http, method, path, body.as_deref());
    Some(match command {
        Command::InjectFault(request) => call("POST", "/api/faults", json_of(request)),
        Command::HealFault(id) => call("DELETE", &format!("/api/faults/{id}"), None),
        Command::HealAllFaults => call("DELETE", "/api/faults", None),
        Command::RunScript(script) => call("POST", "/api/scripts", json_of(script)),
        Command::StopScript(id) => call("DELETE", &format!("/api/scripts/{id}"), None),
        Command::StartNode(id) => match fault_on(around.snapshot, *id) {
            Some(fault) => call("DELETE", &format!("/api/faults/{}", fault.id), None),
            None => {
                let role = if is_controller(*id) { "controllers" } else { "brokers" };
                call("POST", &format!("/api/{role}/{id}/start"), None)
            }
        },
        Command::AddBroker(new) => call("POST", "/api/brokers", json_of(new)),
        Command::RemoveBroker(id) => call("DELETE", &format!("/api/brokers/{id}"), None),
        Command::KeepBroker(id) => call("DELETE", &format!("/api/brokers/{id}/removal"), None),
        Command::AddController(new) => call("POST", "/api/controllers", json_of(new)),
        Command::RemoveController(id) => call("DELETE", &format!("/api/controllers/{id}"), None),
        // Kafka's tools do it.
        Command::CreateTopic { .. } | Command::DeleteTopic { .. } | Command::Operate(_) => return None,
        // To look is nothing that one would do again by a script.
        Command::Inquire(_) | Command::Read(_) | Command::Save(_) | Command::Export(_) | Command::Trace(_) => {
            return None;
        }
        Command::Scrub { broker } => {
            let body = broker.map_or_else(|| json!({}), |broker| json!({ "broker": broker }));
            call("POST", "/api/scrub", json_of(&body))
        }
        Command::StartWorkload(spec) => call("POST", "/api/workloads", json_of(spec)),
        Command::StopWorkload(id) => call("DELETE", &format!("/api/workloads/{id}"), None),
        Command::ChangeWorkload { id, change } => call("PATCH", &format!("/api/workloads/{id}"), json_of(change)),
        Command::CrashConsumer { id, consumer } => {
            let body = consumer.map_or_else(|| json!({}), |consumer| json!({ "consumer": consumer }));
            call("POST", &format!("/api/workloads/{id}/crash"), json_of(&body))
        }
        Command::ReviveConsumer { id, consumer } => {
            let body = consumer.map_or_else(|| json!({}), |consumer| json!({ "consumer": consumer }));
            call("POST", &format!("/api/workloads/{id}/revive"), json_of(&body))
        }
        Command::ExportLedger(LedgerExport { id, folder }) => {
            let body = folder.as_ref().map_or_else(|| json!({}), |folder| json!({ "folder": folder }));
            call("POST", &format!("/api/ledger/{id}/export"), json_of(&body))
        }
        Command::Monitoring(change) => monitoring(http, change),
        Command::Logs(Wish::SetLevel { node, logger, level }) => {
            let mut body = json!({ "logger": logger, "level": level.map(Level::name) });
            if let Some(node) = node {
                body["node"] = json!(node);
            }
            call("PUT", "/api/loggers", json_of(&body))
        }
        Command::Logs(Wish::Deliver(folder)) => {
            let folder = folder.as_ref().map(|folder| folder.display().to_string());
            call("PUT", "/api/log-delivery", json_of(&json!({ "folder": folder })))
        }
    })
}

fn monitoring(http: &str, change: &Change) -> String {
    let put = |body: serde_json::Value| curl(http, "PUT", "/api/monitoring", json_of(&body).as_deref());
    match change {
        Change::Level(level) => put(json!({ "level": level })),
        Change::AlarmSet(set) => put(json!({ "alarm_set": set })),
        Change::PutAlarm(alarm) => aws::put(http, alarm),
        Change::DeleteAlarms(names) => aws::delete(http, names),
        Change::SetAlarmState { name, state, reason, .. } => aws::set_state(http, name, state.name(), reason),
    }
}

fn json_of(body: &impl Serialize) -> Option<String> {
    serde_json::to_string(body).ok()
}

fn curl(http: &str, method: &str, path: &str, body: Option<&str>) -> String {
    // POST is what curl does with data by itself; to say it makes the line read the same as the others.
    let mut line = format!("curl -X {method}");
    if method != "DELETE" {
        line += " -H 'content-type: application/json'";
    }
    if let Some(body) = body {
        line += &format!(" -d {}", quoted(body));
    }
    format!("{line} {}", quoted(&format!("{http}{path}")))
}

#[cfg(test)]
mod tests;
