//! The embedded cluster: nodes as threads of this process (crate `broker`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broker::cluster::{self, Cluster, ClusterConfig, ClusterError};
use broker::fault::{Damage, Direction, DiskFault, LinkEffect, Rot};
use broker::metadata::config::{NodeConfig, cap_replication, profile_overrides};
use broker::metadata::report::{NodeState, Why};
use broker::server::trace::{TraceState, TraceWish};
use broker::types::NodeId;

use super::brokers::BrokerControl;
use super::control::NodeControl;
use crate::monitor::command::NewBroker;
use crate::monitor::join::Facts;
use crate::monitor::logs::levels::{KnownLog, KnownLogs};
use crate::monitor::order::Refusal;

/// What the monitor should know before the nodes tell anything.
pub fn facts(config: &ClusterConfig, cluster_id: &str) -> Facts {
    let brokers = 1..=config.brokers as NodeId;
    let node_config = node_config(config);
    let controllers = (0..config.controllers as NodeId).map(|index| crate::monitor::names::FIRST_CONTROLLER_ID + index);
    Facts {
        cluster_id: cluster_id.into(),
        profile: config.profile.name().into(),
        node_ids: brokers.chain(controllers).collect(),
        default_min_insync_replicas: node_config.as_ref().map_or(1, |config| config.i32("min.insync.replicas")),
        node_config: node_config.map(Arc::new),
        data_dir: config.data_dir.clone(),
    }
}

/// As each broker has it, but for what differs between brokers.
fn node_config(config: &ClusterConfig) -> Option<NodeConfig> {
    let mut overrides: BTreeMap<String, String> = profile_overrides(config.profile.name()).unwrap_or_default();
    cap_replication(&mut overrides, config.brokers);
    overrides.extend(config.overrides.clone());
    // Overrides that make no configuration are refused when the cluster starts.
    NodeConfig::new(1, "facts", overrides).ok()
}

/// The cluster as the command desk sees it.
pub struct Embedded {
    cluster: Arc<Cluster>,
}

impl Embedded {
    /// Takes a running cluster.
    pub fn new(cluster: Arc<Cluster>) -> Embedded {
        Embedded { cluster }
    }
}

fn refusal(error: &ClusterError) -> Refusal {
    let text = format!("{error}.");
    let mut chars = text.chars();
    let text = chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or(text);
    match error {
        ClusterError::UnknownNode(_) | ClusterError::UnknownLogDir { .. } => Refusal::not_found(text),
        ClusterError::WrongState { .. } | ClusterError::Refused(_) => Refusal::conflict(text),
        ClusterError::OutOfRange { .. } | ClusterError::Config(_) => Refusal::invalid(text),
        _ => Refusal::failed(text),
    }
}

impl NodeControl for Embedded {
    fn node_ids(&self) -> Vec<NodeId> {
        let mut ids = self.cluster.broker_ids();
        ids.extend(self.cluster.controller_ids());
        ids
    }

    fn node_state(&self, id: NodeId) -> Option<NodeState> {
        self.cluster.node_state(id).ok()
    }

    fn stop(&self, id: NodeId, why: &Why) -> Result<(), Refusal> {
        self.cluster.stop_node(id, why).map_err(|error| refusal(&error))
    }

    fn kill(&self, id: NodeId, why: &Why) -> Result<(), Refusal> {
        self.cluster.kill_node(id, why).map_err(|error| refusal(&error))
    }

    fn pause(&self, id: NodeId, why: &Why) -> Result<(), Refusal> {
        self.cluster.pause_node(id, why).map_err(|error| refusal(&error))
    }

    fn scrub(&self, id: NodeId) -> Result<(), Refusal> {
        self.cluster.start_scrub(id).map_err(|error| refusal(&error))
    }

    fn start(&self, id: NodeId, why: &Why) -> Result<(), Refusal> {
        self.cluster.start_node(id, why).map_err(|error| refusal(&error))
    }

    fn power_loss(&self, id: NodeId, seed: u64, why: &Why) -> Result<(), Refusal> {
        self.cluster.power_loss_node(id, seed, why).map_err(|error| refusal(&error))
    }

    fn zone(&self, id: NodeId) -> Option<String> {
        self.cluster.zone(id)
    }

    fn log_dir(&self, id: NodeId, log_dir: &Path) -> Result<PathBuf, Refusal> {
        self.cluster.log_dir(id, log_dir).map_err(|error| refusal(&error))
    }

    fn log_dirs(&self, id: NodeId) -> Result<Vec<PathBuf>, Refusal> {
        self.cluster.log_dirs(id).map_err(|error| refusal(&error))
    }

    fn corrupt_tails(
        &self,
        id: NodeId,
        log_dir: Option<&Path>,
        damage: Damage,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<usize, Refusal> {
        let tails = self.cluster.corrupt_tails(id, log_dir, damage, chosen);
        tails.map(|tails| tails.len()).map_err(|error| refusal(&error))
    }

    fn rot(
        &self,
        id: NodeId,
        log_dir: Option<&Path>,
        seed: u64,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Rot>, Refusal> {
        self.cluster.rot(id, log_dir, seed, chosen).map_err(|error| refusal(&error))
    }

    fn mend_rot(&self, id: NodeId, rot: &Rot) -> Result<bool, Refusal> {
        self.cluster.mend_rot(id, rot).map_err(|error| refusal(&error))
    }

    fn break_links(&self, directions: Vec<Direction>, effect: LinkEffect) -> u64 {
        self.cluster.break_links(directions, effect)
    }

    fn heal_links(&self, fault: u64) {
        self.cluster.heal_links(fault);
    }

    fn break_disk(&self, id: NodeId, fault: DiskFault) -> Result<u64, Refusal> {
        self.cluster.break_disk(id, fault).map_err(|error| refusal(&error))
    }

    fn heal_disk(&self, id: NodeId, fault: u64) -> Result<(), Refusal> {
        self.cluster.heal_disk(id, fault).map_err(|error| refusal(&error))
    }

    fn follow(&self, wish: TraceWish) {
        self.cluster.follow(wish);
    }

    fn stop_following(&self) {
        self.cluster.stop_following();
    }

    fn trace(&self) -> TraceState {
        self.cluster.trace()
    }

    fn skew_clock(&self, id: NodeId, skew_ms: i64) -> Result<(), Refusal> {
        self.cluster.skew_clock(id, skew_ms).map_err(|error| refusal(&error))
    }
}

impl BrokerControl for Embedded {
    fn add(&self, wish: &NewBroker) -> Result<NodeId, Refusal> {
        let wish = cluster::NewBroker { id: wish.broker, zone: wish.zone.clone(), port: wish.port };
        self.cluster.add_broker(&wish).map_err(|error| refusal(&error))
    }

    fn spread(&self) -> Result<(), Refusal> {
        self.cluster.spread().map_err(|error| refusal(&error))
    }

    fn begin_removal(&self, id: NodeId) -> Result<(), Refusal> {
        self.cluster.begin_removal(id).map_err(|error| refusal(&error))
    }

    fn finish_removal(&self, id: NodeId) -> Result<bool, Refusal> {
        let ended = self.cluster.finish_removal(id).map_err(|error| refusal(&error))?;
        Ok(ended == cluster::Removal::Done)
    }

    fn keep(&self, id: NodeId) -> Result<(), Refusal> {
        self.cluster.keep_broker(id).map_err(|error| refusal(&error))
    }

    fn add_controller(&self, id: Option<NodeId>) -> Result<NodeId, Refusal> {
        self.cluster.add_controller(id).map_err(|error| refusal(&error))
    }

    fn remove_controller(&self, id: NodeId) -> Result<(), Refusal> {
        self.cluster.remove_controller(id).map_err(|error| refusal(&error))
    }

    fn controller_change(&self) -> Option<cluster::ControllerChange> {
        self.cluster.controller_change()
    }

    fn finish_controller_change(&self) -> Result<Option<cluster::ControllerChange>, Refusal> {
        self.cluster.finish_controller_change().map_err(|error| refusal(&error))
    }

    fn leaving(&self) -> Option<NodeId> {
        self.cluster.leaving()
    }

    fn end(&self) {
        self.cluster.end_changes();
    }
}

/// The application logs of its nodes, and which of them run. Never waits for a node.
pub fn known_logs(cluster: &Cluster) -> KnownLogs {
    let is_up = |id| !matches!(cluster.node_state(id), Ok(NodeState::Stopped | NodeState::Killed) | Err(_));
    cluster.node_logs().into_iter().map(|(id, log)| (id, KnownLog { log, is_up: is_up(id) })).collect()
}

/// Ends a cluster whose users have let go of it; waits for them for a while, as a controlled stop of one node may be under way.
pub fn shut_down(mut cluster: Arc<Cluster>, patience: Duration) {
    let deadline = std::time::Instant::now() + patience;
    loop {
        match Arc::try_unwrap(cluster) {
            Ok(cluster) => return cluster.shutdown(),
            // Dropping the last share kills what is left.
            Err(_) if std::time::Instant::now() > deadline => return,
            Err(shared) => cluster = shared,
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
