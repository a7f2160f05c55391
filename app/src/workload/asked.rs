//! What a workload is asked to do, which changes while it runs: its threads look at it again and again.

use std::sync::{Arc, PoisonError, RwLock};

use crate::monitor::workload::WorkloadSpec;

/// The newest spec. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Asked(Arc<RwLock<Arc<WorkloadSpec>>>);

impl Asked {
    /// At first.
    pub fn new(spec: WorkloadSpec) -> Asked {
        Asked(Arc::new(RwLock::new(Arc::new(spec))))
    }

    /// As it is now.
    pub fn get(&self) -> Arc<WorkloadSpec> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on.
    pub fn set(&self, spec: WorkloadSpec) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(spec);
    }
}
