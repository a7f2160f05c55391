//! Scripts of faults: what is to break when, at random if wished, what must hold before and what is expected after.
//!
//! All of it is pure: [`storm`] turns a seed into faults, [`judge`] says of what is seen whether it is as expected, [`record`] makes a
//! script of what was done by hand. Who runs a script (`source`) tells how it goes in a [`status::ScriptStatus`].

pub mod judge;
pub mod record;
pub mod seen;
pub mod status;
pub mod storm;
#[cfg(test)]
mod storm_tests;
mod text;

pub use text::ScriptError;

use serde::{Deserialize, Serialize};

use super::fault::FaultRequest;
use super::workload::WorkloadSpec;
use storm::Storm;

/// Faults of one script; more are a slip of the hand.
pub const STEPS_MAX: usize = 1_000;

/// How late the last fault of a script may begin: a day.
pub const LATEST_MS: u64 = 24 * 3600 * 1000;

/// Workloads that a script may start.
pub const WORKLOADS_MAX: usize = 8;

/// Checks of one kind in a script.
const CHECKS_MAX: usize = 32;

/// Longest limit of an expectation: an hour.
const LIMIT_MAX_MS: u64 = 3600 * 1000;

/// A script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What whoever wrote it believes, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hypothesis: String,
    /// Workloads that are started before, and stopped at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadSpec>,
    /// What must hold, all at once, before anything is broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steady: Vec<Steady>,
    /// How long that is waited for.
    #[serde(default = "steady_within_ms")]
    pub steady_within_ms: u64,
    /// Faults at their times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Faults at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
    /// What is expected of the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
}

fn steady_within_ms() -> u64 {
    30_000
}

/// One fault of a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When it begins, from the first moment on.
    pub at_ms: u64,
    /// What is broken.
    pub fault: FaultRequest,
}

/// What must hold before anything is broken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steady {
    /// Every partition has a leader.
    LeadersEverywhere(bool),
    /// Every replica is in sync.
    InSyncEverywhere(bool),
    /// Built-in workloads write at least so many records a second that are acknowledged.
    WritesPerSAtLeast(f64),
    /// All groups together are at most so many records behind.
    LagAtMost(i64),
}

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// No workload is without an acknowledged write for longer.
    WritesResumeWithinMs(u64),
    /// What was acknowledged is there when all is over.
    NothingLost(bool),
    /// After the last fault groups catch up so soon.
    LagDrainsWithinMs(u64),
    /// No partition is without a leader for longer.
    LeadersEverywhereWithinMs(u64),
    /// After the last fault all replicas are in sync so soon.
    InSyncWithinMs(u64),
}

impl Steady {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Steady::LeadersEverywhere(_) => "every partition has a leader".into(),
            Steady::InSyncEverywhere(_) => "every replica is in sync".into(),
            Steady::WritesPerSAtLeast(rate) => format!("at least {rate} writes a second are acknowledged"),
            Steady::LagAtMost(lag) => format!("groups are at most {lag} records behind"),
        }
    }
}

impl Expectation {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Expectation::WritesResumeWithinMs(ms) => format!("writes resume within {}", seconds(*ms)),
            Expectation::NothingLost(_) => "nothing that was acknowledged is lost".into(),
            Expectation::LagDrainsWithinMs(ms) => format!("lag drains within {}", seconds(*ms)),
            Expectation::LeadersEverywhereWithinMs(ms) => {
                format!("every partition has a leader again within {}", seconds(*ms))
            }
            Expectation::InSyncWithinMs(ms) => format!("every replica is in sync within {}", seconds(*ms)),
        }
    }

    /// Its limit, if it has one.
    pub fn limit_ms(&self) -> Option<u64> {
        match self {
            Expectation::NothingLost(_) => None,
            Expectation::WritesResumeWithinMs(ms)
            | Expectation::LagDrainsWithinMs(ms)
            | Expectation::LeadersEverywhereWithinMs(ms)
            | Expectation::InSyncWithinMs(ms) => Some(*ms),
        }
    }
}

/// `1.4 s`.
pub(super) fn seconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        _ => format!("{} s", (ms as f64 / 100.0).round() / 10.0),
    }
}

impl Default for Script {
    fn default() -> Script {
        Script::new()
    }
}

impl Script {
    /// One that does nothing yet.
    pub fn new() -> Script {
        Script {
            name: String::new(),
            hypothesis: String::new(),
            workloads: Vec::new(),
            steady: Vec::new(),
            steady_within_ms: steady_within_ms(),
            steps: Vec::new(),
            storm: None,
            expect: Vec::new(),
        }
    }

    /// Refuses what makes no sense, in one sentence that names the field.
    ///
    /// # Errors
    /// That sentence, without a full stop.
    pub fn check(&self) -> Result<(), String> {
        if self.steps.is_empty() && self.storm.is_none() {
            return Err("a script has steps, or a storm, or both".into());
        }
        if self.steps.len() > STEPS_MAX {
            return Err(format!("steps are at most {STEPS_MAX}, not {}", self.steps.len()));
        }
        if let Some(index) = self.steps.iter().position(|step| step.at_ms > LATEST_MS) {
            return Err(format!("steps[{index}].at_ms is at most {LATEST_MS}"));
        }
        if self.workloads.len() > WORKLOADS_MAX {
            return Err(format!("workloads are at most {WORKLOADS_MAX}"));
        }
        if self.steady.len().max(self.expect.len()) > CHECKS_MAX {
            return Err(format!("steady and expect have at most {CHECKS_MAX} lines each"));
        }
        if !(1..=LIMIT_MAX_MS).contains(&self.steady_within_ms) {
            return Err(format!("steady_within_ms is between 1 and {LIMIT_MAX_MS}"));
        }
        for (index, check) in self.steady.iter().enumerate() {
            check.check().map_err(|why| format!("steady[{index}].{why}"))?;
        }
        for (index, expectation) in self.expect.iter().enumerate() {
            expectation.check().map_err(|why| format!("expect[{index}].{why}"))?;
        }
        match &self.storm {
            Some(storm) => storm.check().map_err(|why| format!("storm.{why}")),
            None => Ok(()),
        }
    }
}

impl Steady {
    fn check(&self) -> Result<(), String> {
        match self {
            Steady::LeadersEverywhere(false) => Err("leaders_everywhere is true, or left out".into()),
            Steady::InSyncEverywhere(false) => Err("in_sync_everywhere is true, or left out".into()),
            Steady::WritesPerSAtLeast(rate) if !(*rate > 0.0 && rate.is_finite()) => {
                Err("writes_per_s_at_least is above 0".into())
            }
            Steady::LagAtMost(lag) if *lag < 0 => Err("lag_at_most is at least 0".into()),
            _ => Ok(()),
        }
    }
}

impl Expectation {
    fn check(&self) -> Result<(), String> {
        match self.limit_ms() {
            Some(limit_ms) if !(1..=LIMIT_MAX_MS).contains(&limit_ms) => {
                Err(format!("its limit is between 1 and {LIMIT_MAX_MS} ms"))
            }
            None if *self == Expectation::NothingLost(false) => Err("nothing_lost is true, or left out".into()),
            _ => Ok(()),
        }
    }
}
