//! How a script goes, as `GET /api/scripts` gives it.

use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

use serde::Serialize;

use super::Script;
use crate::monitor::fault::FaultRequest;

/// Runs that are remembered.
pub const RUNS_KEPT: usize = 20;

/// Where a run stands.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The steady state is waited for.
    Steadying,
    /// Faults begin and end.
    Running,
    /// All faults are over; what is expected is waited for.
    Settling,
    /// It is over, and every expectation has its verdict.
    Ended,
    /// It was stopped, or could not begin.
    Stopped,
}

impl Phase {
    /// Whether something is still to come.
    pub fn is_under_way(self) -> bool {
        matches!(self, Phase::Steadying | Phase::Running | Phase::Settling)
    }
}

/// What became of a step.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its time has not come.
    Waiting,
    /// It is in force.
    InForce,
    /// It is over.
    Over,
    /// It was refused; the script went on.
    Refused,
    /// The script was stopped before its time came.
    Skipped,
}

/// One fault of a run.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct StepStatus {
    /// When it was to begin, after the first moment.
    pub at_ms: u64,
    /// As it is asked for.
    pub fault: FaultRequest,
    /// How it is.
    pub state: StepState,
    /// The fault that it became.
    pub fault_id: Option<u64>,
    /// What it does, or why it was refused, in a few words.
    pub what: String,
    /// When it began, by the wall clock.
    pub began_ms: Option<i64>,
    /// When it was over.
    pub ended_ms: Option<i64>,
}

/// Whether something is as expected.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// That is not known yet.
    Open,
    /// It is.
    Held,
    /// It is not.
    Broken,
    /// Nothing was there to measure it by.
    NotMeasured,
}

/// What is said of a check.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What was to be.
    pub check: String,
    /// Whether it was.
    pub outcome: Outcome,
    /// What was seen, in one sentence.
    pub seen: String,
}

/// A run of a script.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct ScriptStatus {
    /// Its id.
    pub id: u64,
    /// What the script is called.
    pub name: String,
    /// What was believed.
    pub hypothesis: String,
    /// Where it stands.
    pub phase: Phase,
    /// When it was begun.
    pub begun_ms: i64,
    /// The first moment of its steps: when the steady state was seen.
    pub first_ms: Option<i64>,
    /// When it was over.
    pub ended_ms: Option<i64>,
    /// Why it ended before its time, in one sentence.
    pub why: Option<String>,
    /// Its faults, in the order of their times.
    pub steps: Vec<StepStatus>,
    /// What had to hold before.
    pub steady: Vec<Verdict>,
    /// What was expected.
    pub verdicts: Vec<Verdict>,
    /// The script itself.
    #[serde(skip)]
    pub script: Arc<Script>,
}

impl ScriptStatus {
    /// When the next step begins, by the wall clock.
    pub fn next_step_ms(&self) -> Option<i64> {
        let waiting = self.steps.iter().filter(|step| step.state == StepState::Waiting);
        let next = waiting.map(|step| step.at_ms).min()?;
        Some(self.first_ms?.saturating_add_unsigned(next))
    }

    /// All verdicts in one; `Open` while it runs.
    pub fn outcome(&self) -> Outcome {
        let is = |outcome| self.verdicts.iter().any(|verdict| verdict.outcome == outcome);
        match () {
            () if is(Outcome::Broken) => Outcome::Broken,
            () if self.phase.is_under_way() || is(Outcome::Open) => Outcome::Open,
            () if self.verdicts.is_empty() || is(Outcome::NotMeasured) => Outcome::NotMeasured,
            () => Outcome::Held,
        }
    }
}
