//! The exporter: the names under which operators know Kafka's metrics. What we cannot say truthfully is left out.
//!
//! * [`beans`]: the table of MBeans, as MSK's open monitoring and as Strimzi's rules name them; [`partitions`] are told from the snapshot.
//! * [`topics`] and [`groups`]: what kafka_exporter, kafka-lag-exporter and MSK say of topics and of consumers' lag.
//! * [`process`] and [`machine`]: what a JVM, a container and node_exporter would say, as far as this program and its machine have it.
//!
//! All nodes stand behind `/metrics`, so that each series of a node carries its `node_id` there; at its own endpoint a node speaks for itself,
//! without that label, as it would from its own exporter.

pub mod beans;
pub mod detail;
pub mod families;
pub mod groups;
pub mod machine;
pub mod partitions;
pub mod process;
pub mod threads;
pub mod topics;

use std::collections::BTreeMap;
use std::path::Path;

use broker::metadata::report::NodeState;
use broker::metrics::MetricsReport;

use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::View;
use detail::Detail;
use families::Families;

/// Whose metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All nodes, and the cluster as a whole.
    Cluster,
    /// One broker, as the JMX exporter beside it would say it (MSK's port 11001).
    Broker(i32),
    /// One controller.
    Controller(i32),
    /// What kafka_exporter would say: topics, groups, clients.
    Exporter,
    /// What node_exporter and the kubelet would say of a node's machine (MSK's port 11002).
    Machine(i32),
}

impl Scope {
    fn has(self, node_id: i32) -> bool {
        match self {
            Scope::Cluster => true,
            Scope::Broker(id) | Scope::Controller(id) | Scope::Machine(id) => id == node_id,
            Scope::Exporter => false,
        }
    }
}

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'v> {
    /// From what.
    pub view: &'v View,
    /// Where the cluster's data lives.
    pub data_dir: &'v Path,
    /// How much of `/metrics`; a node's own endpoint gives all, as MSK's open monitoring does whatever the monitoring level.
    pub detail: Detail,
    /// Frames that the window has painted; `None`: there is no window.
    pub window_frames: Option<u64>,
}

/// The exposition.
///
/// # Errors
/// The encoder refuses a family.
pub fn text(shown: Shown<'_>, scope: Scope) -> prometheus::Result<String> {
    let mut families = Families::default();
    let snapshot = &*shown.view.snapshot;
    match scope {
        Scope::Cluster => {
            let nodes = Nodes::of(shown.view, scope);
            beans::add(&mut families, snapshot, &nodes, shown.detail);
            exporter(&mut families, snapshot);
            process::add(&mut families);
            window(&mut families, shown.window_frames);
        }
        Scope::Broker(_) | Scope::Controller(_) => {
            let nodes = Nodes::of(shown.view, scope);
            beans::add(&mut families, snapshot, &nodes, Detail::PerPartition);
            process::add(&mut families);
        }
        Scope::Exporter => exporter(&mut families, snapshot),
        Scope::Machine(node_id) => machine::add(&mut families, node_id, shown.data_dir),
    }
    families.finish()
}

/// Whoever watches from outside sees by it that the window is alive.
fn window(families: &mut Families, frames: Option<u64>) {
    if let Some(frames) = frames {
        let help = "Frames that the window has painted since it was opened.";
        families.counter("brokerscope_window_frames_total", help).add(&[], frames as f64);
    }
}

fn exporter(families: &mut Families, snapshot: &Snapshot) {
    topics::add(families, snapshot);
    groups::add(families, snapshot);
    super::client_metrics::add(families, &snapshot.client_metrics);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    families.gauge("brokerscope_build_info", "The program's version.").add(&version, 1.0);
}

/// Nodes that would answer a scrape: one that is down or paused has no series.
#[derive(Debug, Default)]
pub struct Nodes<'v> {
    by_id: BTreeMap<i32, Node<'v>>,
}

/// A node, and what it measured last.
#[derive(Debug)]
pub struct Node<'v> {
    /// Its id as a label, where there are several nodes.
    pub label: Option<String>,
    /// `None`: it has not told yet.
    pub report: Option<&'v MetricsReport>,
}

impl<'v> Nodes<'v> {
    fn of(view: &'v View, scope: Scope) -> Nodes<'v> {
        let snapshot = &*view.snapshot;
        let brokers = snapshot.brokers.iter().map(|broker| (broker.id, broker.state));
        let controllers = snapshot.quorum.voters.iter().map(|voter| (voter.id, voter.state));
        let answers =
            |state: NodeState| matches!(state, NodeState::Running | NodeState::Starting | NodeState::Stopping);
        let mut nodes = Nodes::default();
        for (id, state) in brokers.chain(controllers) {
            if scope.has(id) && answers(state) {
                let label = (scope == Scope::Cluster).then(|| id.to_string());
                let report = view.metrics.get(&id).map(|report| &**report);
                nodes.by_id.insert(id, Node { label, report });
            }
        }
        nodes
    }

    /// The node, if it is among them.
    pub fn get(&self, id: i32) -> Option<&Node<'v>> {
        self.by_id.get(&id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Node<'v>> {
        self.by_id.values()
    }
}

#[cfg(test)]
mod tests;
