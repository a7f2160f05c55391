//! The cluster: its seats, and what one may do with them. Methods may block for as long as a node takes to start or stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::ClusterError;
use super::config::{ClusterConfig, FIRST_CONTROLLER_ID};
use super::membership::Membership;
use super::remembered::Remembered;
use super::seat::{House, Seat};
use super::voice::Voice;
use crate::fault::{self, Damage, Direction, DiskFault, LinkEffect, Rot, Tail};
use crate::logging::{LogLine, NodeLog};
use crate::metadata::report::{NodeState, Report, Why};
use crate::node::{ScrubDesk, stopwatch};
use crate::replica::ScrubProgress;
use crate::server::trace::{TraceState, TraceWish};
use crate::types::NodeId;

/// A running cluster. Dropping it kills its nodes; [`Cluster::shutdown`] is the polite end.
pub struct Cluster {
    pub(super) house: House,
    pub(super) membership: Membership,
    pub(super) voice: Voice,
    note: Option<String>,
    /// Of all nodes that there may ever be; who belongs to the cluster is the membership's to say.
    seats: BTreeMap<NodeId, Mutex<Seat>>,
    /// Of the brokers; beside the seats, which are taken for as long as a node takes to stop.
    scrubs: BTreeMap<NodeId, Arc<ScrubDesk>>,
}

impl Cluster {
    /// Starts all nodes, which publish to `reports` and write their logs to `log_lines`; neither is waited for. They are at work when [`Cluster::wait_ready`] says so.
    ///
    /// # Errors
    /// A port is taken, the data directory is of another cluster or cannot be written, a configuration is wrong.
    pub fn start(
        config: ClusterConfig,
        reports: Sender<Report>,
        log_lines: Sender<LogLine>,
    ) -> Result<Cluster, ClusterError> {
        config.check()?;
        let remembered = Remembered::settle(&config)?;
        let note = remembered.differs_from(&config);
        // Kafka's defaults for replication are capped by as many brokers as there are.
        let controllers = remembered.founding_controllers;
        let config = ClusterConfig { brokers: remembered.brokers.len() as u32, controllers, ..config };
        let house = House::new(config, remembered.cluster_id.clone(), reports, log_lines);
        let membership = Membership::new(remembered);
        let voice = Voice::new(&house.links);
        let ids = house.config.possible_controller_ids().chain(house.config.possible_broker_ids());
        let seats: BTreeMap<NodeId, Seat> = ids.map(|id| (id, Seat::new(id, 0, &house))).collect();
        let brokers = seats.iter().filter(|(id, _)| **id < FIRST_CONTROLLER_ID);
        let scrubs = brokers.map(|(id, seat)| (*id, seat.scrubs())).collect();
        let seats = seats.into_iter().map(|(id, seat)| (id, Mutex::new(seat))).collect();
        let cluster = Cluster { house, membership, voice, note, seats, scrubs };
        cluster.settle_controllers();
        let brokers = cluster.membership.brokers();
        for (id, place) in &brokers {
            cluster.seat(*id)?.renew(&cluster.house, place)?;
        }
        for id in cluster.controller_ids().iter().chain(brokers.keys()) {
            cluster.seat(*id)?.start(&cluster.house, &"the cluster starts".into())?;
        }
        cluster.tell_membership();
        Ok(cluster)
    }

    pub(super) fn seat(&self, node_id: NodeId) -> Result<MutexGuard<'_, Seat>, ClusterError> {
        let seat = self.seats.get(&node_id).filter(|_| self.membership.has(node_id));
        let seat = seat.ok_or(ClusterError::UnknownNode(node_id))?;
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

    /// One sentence, if the brokers are those that the data directory remembers and not those that were asked for.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Ids of the brokers.
    pub fn broker_ids(&self) -> Vec<NodeId> {
        self.membership.brokers().into_keys().collect()
    }

    /// Ids of the controllers.
    pub fn controller_ids(&self) -> Vec<NodeId> {
        self.membership.controllers()
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
    pub fn stop_node(&self, node_id: NodeId, why: impl Into<Why>) -> Result<(), ClusterError> {
        let stop = self.seat(node_id)?.begin_stop(&self.house, &why.into())?;
        stop.wait();
        self.seat(node_id)?.finish_stop(&self.house, &stop);
        Ok(())
    }

    /// Kills a node (SIGKILL): its runtime is dropped as it stands, also while it is stopping.
    ///
    /// # Errors
    /// No such node, or it does not run.
    pub fn kill_node(&self, node_id: NodeId, why: impl Into<Why>) -> Result<(), ClusterError> {
        self.seat(node_id)?.kill(&self.house, &why.into())
    }

    /// Blocks a node (SIGSTOP).
    ///
    /// # Errors
    /// No such node, or it does not run.
    pub fn pause_node(&self, node_id: NodeId, why: impl Into<Why>) -> Result<(), ClusterError> {
        self.seat(node_id)?.pause(&self.house, &why.into())
    }

    /// Starts a node that was stopped or killed, resumes one that is paused.
    ///
    /// # Errors
    /// No such node, it runs already, its port is taken, or it is being unregistered.
    pub fn start_node(&self, node_id: NodeId, why: impl Into<Why>) -> Result<(), ClusterError> {
        let mut seat = self.seat(node_id)?;
        self.membership.check_start(node_id)?;
        seat.start(&self.house, &why.into())
    }

    /// Asks a broker to read and check every byte of its logs; [`Cluster::scrubs`] tells how far it is. One that is under way goes on.
    ///
    /// # Errors
    /// No such broker, or it does not run.
    pub fn start_scrub(&self, broker: NodeId) -> Result<(), ClusterError> {
        match broker < FIRST_CONTROLLER_ID {
            true => self.seat(broker)?.scrub(&self.house),
            false => Err(ClusterError::UnknownNode(broker)),
        }
    }

    /// Of each broker that was asked for a scrub since it started: how far it is, and what it found.
    pub fn scrubs(&self) -> Vec<(NodeId, ScrubProgress)> {
        let members = self.scrubs.iter().filter(|(id, _)| self.membership.has(**id));
        members.filter_map(|(id, desk)| Some((*id, desk.progress()?))).collect()
    }

    /// Follows the next batch that a client writes as wished; [`Cluster::trace`] tells where it is. What was followed before is forgotten.
    pub fn follow(&self, wish: TraceWish) {
        self.house.trace.follow(wish, stopwatch());
    }

    /// Waits no longer for a batch to be followed, or for what becomes of it.
    pub fn stop_following(&self) {
        self.house.trace.stop();
    }

    /// The batch that is followed, or was followed last.
    pub fn trace(&self) -> TraceState {
        self.house.trace.look(stopwatch())
    }

    /// Kills a node and takes from its files what was not synced. A node that is down loses what its page cache still held. `seed` decides
    /// how much of what was being appended reached the disk.
    ///
    /// # Errors
    /// No such node, or the machine's own disk failed.
    pub fn power_loss_node(&self, node_id: NodeId, seed: u64, why: impl Into<Why>) -> Result<(), ClusterError> {
        self.seat(node_id)?.power_loss(&self.house, seed, &why.into())
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

    /// Flips one bit on a broker's disk, in a batch of the logs (`topic-0`) that `chosen` accepts, whether it runs or not. `None`: these
    /// hold no record.
    ///
    /// # Errors
    /// No such node or log directory, or the machine's own disk failed.
    pub fn rot(
        &self,
        node_id: NodeId,
        log_dir: Option<&Path>,
        seed: u64,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Rot>, ClusterError> {
        let log_dirs = match log_dir {
            Some(log_dir) => vec![self.log_dir(node_id, log_dir)?],
            None => self.log_dirs(node_id)?,
        };
        let failed = |source| ClusterError::Files { node_id, wish: "given a rotten bit", source };
        fault::rot(&log_dirs, seed, chosen).map_err(failed)
    }

    /// Flips it back; false: the file is another by now.
    ///
    /// # Errors
    /// The machine's own disk failed.
    pub fn mend_rot(&self, node_id: NodeId, rot: &Rot) -> Result<bool, ClusterError> {
        fault::mend(rot).map_err(|source| ClusterError::Files { node_id, wish: "mended", source })
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

    /// Breaks links between nodes, or between a broker and its clients ([`fault::CLIENTS`]), until they are healed; the id of the fault.
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

    /// The application logs of its nodes, to read and change their levels. Those of a node that is down are those it had; they end with
    /// its next start. Never waits for a node.
    pub fn node_logs(&self) -> BTreeMap<NodeId, NodeLog> {
        let mut logs = self.house.logs();
        logs.retain(|id, _| self.membership.has(*id));
        logs
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
            let begin = |id: &NodeId| {
                Some((*id, self.seat(*id).ok()?.begin_stop(&self.house, &"the cluster stops".into()).ok()?))
            };
            for (id, stop) in group.iter().filter_map(begin).collect::<Vec<_>>() {
                stop.wait();
                if let Ok(mut seat) = self.seat(id) {
                    seat.finish_stop(&self.house, &stop);
                }
            }
        }
    }
}
