//! Sets of tasks. A task is a partition of a subtopology; a member has it as active, as a standby that follows the state, or to warm up.
//!
//! Source: `TasksTuple`, `TasksTupleWithEpochs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Partitions by subtopology.
pub type Tasks = BTreeMap<Arc<str>, BTreeSet<i32>>;

/// Partitions by subtopology, each with the epoch in which its member got it.
pub type TasksSince = BTreeMap<Arc<str>, BTreeMap<i32, i32>>;

/// Tasks that a member should have, or says that it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskSet {
    /// Active tasks.
    pub active: Tasks,
    /// Standby tasks.
    pub standby: Tasks,
    /// Tasks to warm up.
    pub warmup: Tasks,
}

/// Tasks that a member has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owned {
    /// Active tasks.
    pub active: TasksSince,
    /// Standby tasks.
    pub standby: Tasks,
    /// Tasks to warm up.
    pub warmup: Tasks,
}

impl TaskSet {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Whether any of `owned` is among them, and of the same kind.
    pub fn contains_any(&self, owned: &Owned) -> bool {
        let is_among = |own: &Tasks, others: &Tasks| {
            own.iter().any(|(id, tasks)| others.get(id).is_some_and(|others| !tasks.is_disjoint(others)))
        };
        let is_active = self.active.iter().any(|(id, tasks)| {
            owned.active.get(id).is_some_and(|owned| tasks.iter().any(|task| owned.contains_key(task)))
        });
        is_active || is_among(&self.standby, &owned.standby) || is_among(&self.warmup, &owned.warmup)
    }

    /// Whether all of them are among `owned`, and of the same kind.
    pub fn is_within(&self, owned: &Owned) -> bool {
        let within = |own: &Tasks, others: &Tasks| {
            own.iter().all(|(id, tasks)| others.get(id).is_some_and(|others| tasks.is_subset(others)))
        };
        let active = self.active.iter().all(|(id, tasks)| {
            owned.active.get(id).is_some_and(|owned| tasks.iter().all(|task| owned.contains_key(task)))
        });
        active && within(&self.standby, &owned.standby) && within(&self.warmup, &owned.warmup)
    }
}

impl Owned {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Takes these in too.
    pub fn extend(&mut self, more: Owned) {
        for (id, tasks) in more.active {
            self.active.entry(id).or_default().extend(tasks);
        }
        for (own, more) in [(&mut self.standby, more.standby), (&mut self.warmup, more.warmup)] {
            for (id, tasks) in more {
                own.entry(id).or_default().extend(tasks);
            }
        }
    }

    /// Its active tasks without their epochs.
    pub fn active_tasks(&self) -> Tasks {
        self.active.iter().map(|(id, tasks)| (id.clone(), tasks.keys().copied().collect())).collect()
    }
}
