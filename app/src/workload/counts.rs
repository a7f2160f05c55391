//! What a workload has done so far, counted by its threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters of one workload. They only grow.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records handed to the client library.
    pub sent: Count,
    /// Acknowledged by the cluster.
    pub acked: Count,
    /// Neither acknowledged nor certainly failed.
    pub unknown: Count,
    /// Refused for certain.
    pub failed: Count,
    /// Read.
    pub read: Count,
    error: Mutex<Option<String>>,
}

/// A counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    /// Why the workload cannot go on.
    pub fn fail(&self, why: String) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// Why it cannot go on, if so.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
