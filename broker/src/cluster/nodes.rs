//! The cluster: its seats, and what one may do with them. Methods may block for as long as a node takes to start or stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::ClusterError;
use super::config::{ClusterConfig, FIRST_CONTROLLER_ID};
use super::seat::{House, Seat};
use crate::fault::{Damage, Direction, DiskFault, LinkEffect, Links, Tail};
use crate::log::RealDisk;
use crate::log::disk::Disk;
use crate::metadata::report::{NodeState, Report};
use crate::node::{Clock, Readiness, ScrubDesk};
use crate::replica::ScrubProgress;
use crate::types::{Id, NodeId};

/// Says which cluster a data directory belongs to.
const CLUSTER_FILE: &str = "cluster.properties";
/// It holds two short lines.
const CLUSTER_FILE_MAX_BYTES: u64 = 64 * 1024;

/// A running cluster. Dropping it kills its nodes; [`Cluster::shutdown`] is the polite end.
pub struct Cluster {
    house: House,
    seats: BTreeMap<NodeId, Mutex<Seat>>,
    /// Of the brokers; beside the seats, which are taken for as long as a node takes to stop.
    scrubs: BTreeMap<NodeId, Arc<ScrubDesk>>,
}

impl Cluster {
    /// Starts all nodes. They are at work when [`Cluster::wait_ready`] says so.
    ///
    /// # Errors
    /// A port is taken, the data directory is of another cluster or cannot be written, a configuration is wrong.
    pub fn start(config: ClusterConfig, reports: Sender<Report>) -> Result<Cluster, ClusterError> {
        config.check()?;
        let cluster_id = settle_cluster_id(&config)?;
        let (voters, brokers) = (config.voters(), config.broker_ids());
        let port_of = |broker: NodeId| match config.kafka_port {
            0 => Ok(0),
            first => u16::try_from(u32::from(first) + broker as u32 - 1).map_err(|_| {
                ClusterError::Config(format!("--kafka-port {first} leaves no port below 65536 for broker {broker}"))
            }),
        };
        let ports = brokers.iter().map(|id| port_of(*id)).collect::<Result<Vec<u16>, _>>()?;
        let house = House {
            config,
            cluster_id,
            links: Arc::new(Links::default()),
            reports,
            clock: Clock::start(),
            readiness: Arc::new(Readiness::default()),
        };
        let seats = voters.iter().map(|id| (*id, 0)).chain(brokers.iter().copied().zip(ports));
        let seats: BTreeMap<NodeId, Seat> = seats.map(|(id, port)| (id, Seat::new(id, port, &house))).collect();
        let scrubs = brokers.iter().filter_map(|id| Some((*id, seats.get(id)?.scrubs()))).collect();
        let seats = seats.into_iter().map(|(id, seat)| (id, Mutex::new(seat))).collect();
        let cluster = Cluster { house, seats, scrubs };
        for id in voters.iter().chain(&brokers) {
            cluster.seat(*id)?.start(&cluster.house, "the cluster starts")?;
        }
        Ok(cluster)
    }

    fn seat(&self, node_id: NodeId) -> Result<MutexGuard<'_, Seat>, ClusterError> {
        let seat = self.seats.get(&node_id).ok_or(ClusterError::UnknownNode(node_id))?;
        // A seat is put in order by its next use (`Seat::state`), so a panic while it was held does no harm.
        Ok(seat.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Cluster id, 22 characters.
    pub fn cluster_id(&self) -> &str {
        &self.house.cluster_id
    }

    /// What it was started with.
    pub fn config(&self) -> &ClusterConfig {
        &self.house.config
    }

    /// Ids of the brokers.
    pub fn broker_ids(&self) -> Vec<NodeId> {
        self.seats.keys().copied().filter(|id| *id < FIRST_CONTROLLER_ID).collect()
    }

    /// Ids of the controllers.
    pub fn controller_ids(&self) -> Vec<NodeId> {
        self.seats.keys().copied().filter(|id| *id >= FIRST_CONTROLLER_ID).collect()
    }

    /// What clients connect to: `127.0.0.1:9092,127.0.0.1:9093,…`.
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<String> = self
            .broker_ids()
            .into_iter()
            .filter_map(|id| Some(std::net::SocketAddr::new(self.house.config.bind, self.seat(id).ok()?.port)))
            .map(|address| address.to_string())
            .collect();
        addresses.join(",")
    }

    /// Waits until all brokers are registered and unfenced, so that the cluster takes writes.
    ///
    /// # Errors
    /// Not within `timeout`.
    pub fn wait_ready(&self, timeout: Duration) -> Result<(), ClusterError> {
        match self.house.readiness.wait_for(&self.broker_ids(), timeout) {
            true => Ok(()),
            false => Err(ClusterError::NotReady(timeout.as_millis())),
        }
    }

    /// A node's state.
    ///
    /// # Errors
    /// No such node.
    pub fn node_state(&self, node_id: NodeId) -> Result<NodeState, ClusterError> {
        Ok(self.seat(node_id)?.state())
    }

    /// Controlled shutdown (SIGTERM); returns when the node is gone.
    ///
    /// # Errors
    /// No such node, or it does not run.
    pub fn stop_node(&self, node_id: NodeId, cause: &str) -> Result<(), ClusterError> {
        let stop = self.seat(node_id)?.begin_stop(&self.house, cause)?;
        stop.wait();
        self.seat(node_id)?.finish_stop(&self.house, &stop);
        Ok(())
    }

    /// Kills a node (SIGKILL): its runtime is dropped as it stands, also while it is stopping.
    ///
    /// # Errors
    /// No such node, or it does not run.
    pub fn kill_node(&self, node_id: NodeId, cause: &str) -> Result<(), ClusterError> {
        self.seat(node_id)?.kill(&self.house, cause)
    }

    /// Blocks a node (SIGSTOP).
    ///
    /// # Errors
    /// No such node, or it does not run.
    pub fn pause_node(&self, node_id: NodeId, cause: &str) -> Result<(), ClusterError> {
        self.seat(node_id)?.pause(&self.house, cause)
    }

    /// Starts a node that was stopped or killed, resumes one that is paused.
    ///
    /// # Errors
    /// No such node, it runs already, or its port is taken.
    pub fn start_node(&self, node_id: NodeId, cause: &str) -> Result<(), ClusterError> {
        self.seat(node_id)?.start(&self.house, cause)
    }

    /// Asks a broker to read and check every byte of its logs; [`Cluster::scrubs`] tells how far it is. One that is under way goes on.
    ///
    /// # Errors
    /// No such broker, or it does not run.
    pub fn start_scrub(&self, broker: NodeId) -> Result<(), ClusterError> {
        match self.scrubs.contains_key(&broker) {
            true => self.seat(broker)?.scrub(&self.house),
            false => Err(ClusterError::UnknownNode(broker)),
        }
    }

    /// Of each broker that was asked for a scrub since it started: how far it is, and what it found.
    pub fn scrubs(&self) -> Vec<(NodeId, ScrubProgress)> {
        self.scrubs.iter().filter_map(|(id, desk)| Some((*id, desk.progress()?))).collect()
    }

    /// Kills a node and takes from its files what was not synced. A node that is down loses what its page cache still held. `seed` decides
    /// how much of what was being appended reached the disk.
    ///
    /// # Errors
    /// No such node, or the machine's own disk failed.
    pub fn power_loss_node(&self, node_id: NodeId, seed: u64, cause: &str) -> Result<(), ClusterError> {
        self.seat(node_id)?.power_loss(&self.house, seed, cause)
    }

    /// Damages the ends of the last segments of the partitions (`topic-0`) that `chosen` accepts, on a node that is down.
    ///
    /// # Errors
    /// No such node or log directory, it runs, or the machine's own disk failed.
    pub fn corrupt_tails(
        &self,
        node_id: NodeId,
        log_dir: Option<&Path>,
        damage: Damage,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Tail>, ClusterError> {
        let log_dirs = match log_dir {
            Some(log_dir) => vec![self.log_dir(node_id, log_dir)?],
            None => self.log_dirs(node_id)?,
        };
        self.seat(node_id)?.corrupt_tails(&log_dirs, damage, chosen)
    }

    /// Breaks a node's disk until it is healed, over all its deaths and starts; the id of the fault.
    ///
    /// # Errors
    /// No such node or log directory.
    pub fn break_disk(&self, node_id: NodeId, mut fault: DiskFault) -> Result<u64, ClusterError> {
        if let Some(log_dir) = &mut fault.log_dir {
            *log_dir = self.log_dir(node_id, log_dir)?;
        }
        Ok(self.seat(node_id)?.drive.break_it(fault))
    }

    /// Ends a fault of a node's disk.
    ///
    /// # Errors
    /// No such node.
    pub fn heal_disk(&self, node_id: NodeId, fault_id: u64) -> Result<(), ClusterError> {
        self.seat(node_id)?.drive.heal(fault_id);
        Ok(())
    }

    /// Breaks links between nodes (not those to clients) until they are healed; the id of the fault.
    pub fn break_links(&self, directions: Vec<Direction>, effect: LinkEffect) -> u64 {
        self.house.links.break_them(directions, effect)
    }

    /// Ends a fault of links.
    pub fn heal_links(&self, fault_id: u64) {
        self.house.links.heal(fault_id);
    }

    /// Sets by how much a node's wall clock is ahead; its time-outs run on monotonic time and do not notice.
    ///
    /// # Errors
    /// No such node.
    pub fn skew_clock(&self, node_id: NodeId, skew_ms: i64) -> Result<(), ClusterError> {
        self.seat(node_id)?.clock.set_skew_ms(skew_ms);
        Ok(())
    }

    /// A node's log directories.
    ///
    /// # Errors
    /// No such node.
    pub fn log_dirs(&self, node_id: NodeId) -> Result<Vec<PathBuf>, ClusterError> {
        let port = self.seat(node_id)?.port;
        Ok(self.house.config.node(node_id, &self.house.cluster_id, port)?.log_dirs)
    }

    /// The log directory of a node that is named by its path or by the end of it (`disk-2`).
    ///
    /// # Errors
    /// No such node or log directory.
    pub fn log_dir(&self, node_id: NodeId, log_dir: &Path) -> Result<PathBuf, ClusterError> {
        let known = self.log_dirs(node_id)?;
        let mut named = known.iter().filter(|dir| !log_dir.as_os_str().is_empty() && dir.ends_with(log_dir));
        if let (Some(dir), None) = (named.next(), named.next()) {
            return Ok(dir.clone());
        }
        let known = known.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
        Err(ClusterError::UnknownLogDir { node_id, log_dir: log_dir.to_path_buf(), known })
    }

    /// Controlled shutdown of everything: the brokers together, while the controllers still answer them, then the controllers.
    pub fn shutdown(self) {
        for group in [self.broker_ids(), self.controller_ids()] {
            // A seat that is empty or dead needs no stop.
            let begin =
                |id: &NodeId| Some((*id, self.seat(*id).ok()?.begin_stop(&self.house, "the cluster stops").ok()?));
            for (id, stop) in group.iter().filter_map(begin).collect::<Vec<_>>() {
                stop.wait();
                if let Ok(mut seat) = self.seat(id) {
                    seat.finish_stop(&self.house, &stop);
                }
            }
        }
    }
}

/// Reads which cluster lives in the data directory, or founds one there.
fn settle_cluster_id(config: &ClusterConfig) -> Result<String, ClusterError> {
    let disk = RealDisk::new();
    let path = config.data_dir.join(CLUSTER_FILE);
    let fail = |reason: String| ClusterError::DataDir { path: config.data_dir.clone(), reason };
    disk.create_dir_all(&config.data_dir).map_err(|error| fail(error.to_string()))?;
    if disk.exists(&path) {
        let bytes = disk.read(&path, CLUSTER_FILE_MAX_BYTES).map_err(|error| fail(error.to_string()))?;
        let content = String::from_utf8_lossy(&bytes);
        return check_cluster_file(&content, config.controllers, config.log_dirs, &path).map_err(fail);
    }
    let cluster_id = Id::random(&mut rand::rng()).to_string();
    let content =
        format!("cluster.id={cluster_id}\ncontrollers={}\nlog.dirs={}\n", config.controllers, config.log_dirs);
    disk.write_atomically(&path, content.as_bytes()).map_err(|error| fail(error.to_string()))?;
    Ok(cluster_id)
}

fn check_cluster_file(content: &str, controllers: u32, log_dirs: u32, path: &Path) -> Result<String, String> {
    let value = |key: &str| {
        content.lines().find_map(|line| line.split_once('=').filter(|(name, _)| *name == key).map(|(_, v)| v.trim()))
    };
    let cluster_id = value("cluster.id")
        .filter(|id| id.parse::<Id>().is_ok())
        .ok_or_else(|| format!("{} names no cluster.id; restore it, or choose another --data-dir", path.display()))?;
    let kept: Option<u32> = value("controllers").and_then(|count| count.parse().ok());
    match kept {
        Some(kept) if kept != controllers => Err(format!(
            "its quorum has {kept} controllers, not {controllers}; start it with --controllers {kept}, or choose another --data-dir"
        )),
        _ => Ok(()),
    }?;
    // Files from before there could be several say nothing.
    match value("log.dirs").and_then(|count| count.parse().ok()).unwrap_or(1) {
        kept if kept != log_dirs => Err(format!(
            "its brokers have {kept} log directories each, not {log_dirs}; start it with --log-dirs {kept}, or choose another --data-dir"
        )),
        _ => Ok(cluster_id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_dir_remembers_its_cluster() {
        let path = Path::new("/data/cluster.properties");
        let good = "cluster.id=AAAAAAAAAAAAAAAAAAAAAQ\ncontrollers=3\n";
        assert_eq!(check_cluster_file(good, 3, 1, path), Ok("AAAAAAAAAAAAAAAAAAAAAQ".to_string()));
        assert!(check_cluster_file(good, 1, 1, path).is_err_and(|reason| reason.contains("--controllers 3")));
        assert!(check_cluster_file(good, 3, 2, path).is_err_and(|reason| reason.contains("--log-dirs 1")));
        let two = format!("{good}log.dirs=2\n");
        assert!(check_cluster_file(&two, 3, 2, path).is_ok() && check_cluster_file(&two, 3, 1, path).is_err());
        assert!(check_cluster_file("cluster.id=../..\n", 3, 1, path).is_err());
        assert!(check_cluster_file("", 3, 1, path).is_err());
    }
}
