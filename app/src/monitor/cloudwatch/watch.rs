//! All that is watched: once a second it takes in what is known, looks at the alarms, and gives out a view.

use std::sync::Arc;

use broker::types::Now;

use super::advice::AlarmSet;
use super::alarm::{Alarm, AlarmState, Verdict};
use super::alarms::{Alarms, Transition};
use super::catalog::{self, Level};
use super::measure::Measure;
use super::memory::Remembered;
use super::store::Store;
use crate::monitor::host::HostReading;
use crate::monitor::order::{Answer, Done};
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::Measured;

/// The value of the dimension `Cluster Name`.
pub const CLUSTER_NAME: &str = "brokerscope";

/// What may be changed about monitoring.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Which metrics are computed, as MSK's UpdateMonitoring changes it.
    Level(Level),
    /// How many alarms of ours there are.
    AlarmSet(AlarmSet),
    /// A new alarm, or another in the place of one.
    PutAlarm(Box<Alarm>),
    /// No longer these alarms.
    DeleteAlarms(Vec<String>),
    /// This state, until the next evaluation.
    SetAlarmState {
        /// Which alarm.
        name: String,
        /// Which state.
        state: AlarmState,
        /// Why.
        reason: String,
        /// The same for programs.
        data: Option<String>,
    },
}

/// What readers get. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CloudwatchView {
    /// Which metrics are computed.
    pub level: Level,
    /// What was measured.
    pub store: Arc<Store>,
    /// Alarms.
    pub alarms: Arc<Alarms>,
}

impl Default for CloudwatchView {
    fn default() -> CloudwatchView {
        CloudwatchView { level: Level::PerBroker, store: Arc::default(), alarms: Arc::default() }
    }
}

impl CloudwatchView {
    /// Another where something is to be remembered that was not before.
    pub fn mark(&self) -> (Level, AlarmSet, u64) {
        (self.level, self.alarms.set, self.alarms.last_seq())
    }
}

/// The store, the alarms, and what feeds them.
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
    /// Goes on with what is remembered of the last run.
    pub fn recall(&mut self, remembered: Remembered) {
        self.view.level = remembered.level.unwrap_or(self.view.level);
        self.view.alarms = Arc::new(remembered.alarms);
    }

    /// Takes in a second. Alarms look at periods that are over, so that they come first.
    pub fn tick(&mut self, now: Now, snapshot: &Snapshot, measured: &Measured, host: HostReading) -> Vec<Transition> {
        let changes = Arc::make_mut(&mut self.view.alarms).tick(now.wall_ms, &self.cluster_name, &self.view.store);
        let readings = self.measure.look(now, snapshot, measured, host);
        let data = catalog::data(&self.cluster_name, self.view.level, &readings);
        Arc::make_mut(&mut self.view.store).put(now.wall_ms.div_euclid(1000), data);
        changes
    }

    /// Changes something; what was kept of metrics that are no longer computed stays until it is too old.
    pub fn change(&mut self, now_ms: i64, change: Change) -> (Answer, Option<Transition>) {
        let alarms = Arc::make_mut(&mut self.view.alarms);
        let mut transition = None;
        let outcome = match change {
            Change::Level(level) => {
                self.view.level = level;
                Ok(format!("The monitoring level is {level}."))
            }
            Change::AlarmSet(set) => {
                alarms.set_size(now_ms, set, &self.cluster_name, &self.view.store);
                Ok("Alarms were chosen anew.".into())
            }
            Change::PutAlarm(alarm) => {
                let text = format!("Alarm {} was put.", alarm.name);
                alarms.put(now_ms, *alarm).map(|()| text)
            }
            Change::DeleteAlarms(names) => alarms.delete(now_ms, &names).map(|()| "The alarms were deleted.".into()),
            Change::SetAlarmState { name, state, reason, data } => {
                let text = format!("Alarm {name} is {state}.");
                alarms.set_state(now_ms, &name, Verdict { state, reason }, data).map(|change| {
                    transition = change;
                    text
                })
            }
        };
        (outcome.map(|text| Done { id: None, text }), transition)
    }

    /// What there is to read.
    pub fn view(&self) -> CloudwatchView {
        self.view.clone()
    }
}
