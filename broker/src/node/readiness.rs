//! Which brokers take part (registered and unfenced), told by the brokers themselves, for whoever waits for a cluster to be ready.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::types::NodeId;

/// Shared by the nodes of one cluster.
#[derive(Default)]
pub struct Readiness {
    ready: Mutex<HashSet<NodeId>>,
    changed: Condvar,
}

impl Readiness {
    fn lock(&self) -> MutexGuard<'_, HashSet<NodeId>> {
        // A set of numbers is whole even if a thread panicked while it held the lock.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node takes part, or no longer does.
    pub fn tell(&self, node_id: NodeId, ready: bool) {
        let changed = match ready {
            true => self.lock().insert(node_id),
            false => self.lock().remove(&node_id),
        };
        if changed {
            self.changed.notify_all();
        }
    }

    /// The node is gone.
    pub fn forget(&self, node_id: NodeId) {
        self.tell(node_id, false);
    }

    /// Waits until all of them take part; false: not in time.
    pub fn wait_for(&self, nodes: &[NodeId], timeout: Duration) -> bool {
        let all_there = |ready: &HashSet<NodeId>| nodes.iter().all(|id| ready.contains(id));
        let (ready, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |ready| !all_there(ready))
            .unwrap_or_else(PoisonError::into_inner);
        all_there(&ready)
    }
}
