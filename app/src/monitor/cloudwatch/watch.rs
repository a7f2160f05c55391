//! All that is watched: once a second it takes in what is known, and gives out a view.

use std::sync::Arc;

use broker::types::Now;

use super::catalog::{self, Level};
use super::measure::Measure;
use super::store::Store;
use crate::monitor::host::HostReading;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::Measured;

/// The value of the dimension `Cluster Name`.
pub const CLUSTER_NAME: &str = "brokerscope";

/// What readers get. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CloudwatchView {
    /// Which metrics are computed.
    pub level: Level,
    /// What was measured.
    pub store: Arc<Store>,
}

impl Default for CloudwatchView {
    fn default() -> CloudwatchView {
        CloudwatchView { level: Level::PerBroker, store: Arc::default() }
    }
}

/// The store, and what feeds it.
#[derive(Debug)]
pub struct Watch {
    cluster_name: Arc<str>,
    measure: Measure,
    view: CloudwatchView,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch { cluster_name: CLUSTER_NAME.into(), measure: Measure::default(), view: CloudwatchView::default() }
    }
}

impl Watch {
    /// Takes in a second.
    pub fn tick(&mut self, now: Now, snapshot: &Snapshot, measured: &Measured, host: HostReading) {
        let readings = self.measure.look(now, snapshot, measured, host);
        let data = catalog::data(&self.cluster_name, self.view.level, &readings);
        Arc::make_mut(&mut self.view.store).put(now.wall_ms.div_euclid(1000), data);
    }

    /// From now on, these metrics are computed; what was kept of others stays until it is too old.
    pub fn set_level(&mut self, level: Level) {
        self.view.level = level;
    }

    /// What there is to read.
    pub fn view(&self) -> CloudwatchView {
        self.view.clone()
    }
}
