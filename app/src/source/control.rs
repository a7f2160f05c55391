//! What the command desk needs of a cluster: break nodes, start them again, say how they are.

use broker::metadata::report::NodeState;
use broker::types::NodeId;

use crate::monitor::order::Refusal;

/// Control over nodes. Methods may block for as long as a node takes to start or to stop.
pub trait NodeControl: Send + Sync {
    /// All nodes, running or not.
    fn node_ids(&self) -> Vec<NodeId>;
    /// What was last done with a node; `None`: there is no such node.
    fn node_state(&self, id: NodeId) -> Option<NodeState>;
    /// Controlled shutdown; returns when the node is gone.
    fn stop(&self, id: NodeId, cause: &str) -> Result<(), Refusal>;
    /// Drops its runtime as it stands.
    fn kill(&self, id: NodeId, cause: &str) -> Result<(), Refusal>;
    /// Blocks it.
    fn pause(&self, id: NodeId, cause: &str) -> Result<(), Refusal>;
    /// Asks a broker to read and check every byte of its logs.
    fn scrub(&self, id: NodeId) -> Result<(), Refusal>;
    /// Starts it, or resumes it if it is paused.
    fn start(&self, id: NodeId, cause: &str) -> Result<(), Refusal>;
}
