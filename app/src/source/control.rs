//! What the command desk needs of a cluster: break nodes, start them again, say how they are.

use std::path::{Path, PathBuf};

use broker::fault::{Damage, Direction, DiskFault, LinkEffect, Rot};
use broker::metadata::report::{NodeState, Why};
use broker::server::trace::{TraceState, TraceWish};
use broker::types::NodeId;

use crate::monitor::order::Refusal;

/// Control over nodes. Methods may block for as long as a node takes to start or to stop.
pub trait NodeControl: Send + Sync {
    /// All nodes, running or not.
    fn node_ids(&self) -> Vec<NodeId>;
    /// What was last done with a node; `None`: there is no such node.
    fn node_state(&self, id: NodeId) -> Option<NodeState>;
    /// Controlled shutdown; returns when the node is gone.
    fn stop(&self, id: NodeId, why: &Why) -> Result<(), Refusal>;
    /// Drops its runtime as it stands.
    fn kill(&self, id: NodeId, why: &Why) -> Result<(), Refusal>;
    /// Drops its runtime as it stands if it runs, and takes from its files what was not synced.
    fn power_loss(&self, id: NodeId, seed: u64, why: &Why) -> Result<(), Refusal>;
    /// Blocks it.
    fn pause(&self, id: NodeId, why: &Why) -> Result<(), Refusal>;
    /// Asks a broker to read and check every byte of its logs.
    fn scrub(&self, id: NodeId) -> Result<(), Refusal>;
    /// Starts it, or resumes it if it is paused.
    fn start(&self, id: NodeId, why: &Why) -> Result<(), Refusal>;
    /// Zone of a broker; `None`: it stands in none.
    fn zone(&self, id: NodeId) -> Option<String>;
    /// The log directory of a node that is named by its path or by the end of it.
    fn log_dir(&self, id: NodeId, log_dir: &Path) -> Result<PathBuf, Refusal>;
    /// The log directories of a node.
    fn log_dirs(&self, id: NodeId) -> Result<Vec<PathBuf>, Refusal>;
    /// Damages the ends of the logs (`topic-0`) that are `chosen`, on a node that is down; how many.
    fn corrupt_tails(
        &self,
        id: NodeId,
        log_dir: Option<&Path>,
        damage: Damage,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<usize, Refusal>;
    /// Flips a bit of the logs (`topic-0`) that are `chosen`; `None`: they hold no record.
    fn rot(
        &self,
        id: NodeId,
        log_dir: Option<&Path>,
        seed: u64,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Rot>, Refusal>;
    /// Flips it back; false: the file is another by now.
    fn mend_rot(&self, id: NodeId, rot: &Rot) -> Result<bool, Refusal>;
    /// Breaks links between nodes, or to clients; the id to heal them by.
    fn break_links(&self, directions: Vec<Direction>, effect: LinkEffect) -> u64;
    /// Ends that.
    fn heal_links(&self, fault: u64);
    /// Breaks a node's disk; the id to heal it by.
    fn break_disk(&self, id: NodeId, fault: DiskFault) -> Result<u64, Refusal>;
    /// Ends that.
    fn heal_disk(&self, id: NodeId, fault: u64) -> Result<(), Refusal>;
    /// Follows the next batch that a client writes as wished.
    fn follow(&self, wish: TraceWish);
    /// Follows nothing any more.
    fn stop_following(&self);
    /// The batch that is followed, or was followed last.
    fn trace(&self) -> TraceState;
    /// Sets by how much a node's wall clock is ahead.
    fn skew_clock(&self, id: NodeId, skew_ms: i64) -> Result<(), Refusal>;
}
