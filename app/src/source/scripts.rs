//! Runs scripts of faults: breaks at the time what they say, looks how the cluster takes it, and heals at the end all that they broke. Who
//! carries out what it wants is handed in, and so is the time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use broker::types::NodeId;

use crate::monitor::command::{FaultKind, FaultRequest, WorkloadSpec};
use crate::monitor::order::{Answer, Done, Refusal};
use crate::monitor::script::judge::{self, Judge};
use crate::monitor::script::seen::Seen;
use crate::monitor::script::status::{Outcome, Phase, RUNS_KEPT, ScriptStatus, StepState, StepStatus, Verdict};
use crate::monitor::script::storm::Shape;
use crate::monitor::script::{STEPS_MAX, Script, Step};

/// How often is looked.
const LOOK_EVERY_MS: i64 = 100;

/// A fault without an end of its own lasts at least so long after the last began.
const OPEN_MS: u64 = 10_000;

/// What is expected is waited for this much longer than its own limits.
const SETTLE_MORE_MS: i64 = 90_000;

/// Whoever breaks, heals and looks.
pub trait World {
    /// Whether a fault makes sense on this cluster; why not.
    fn check(&self, fault: &FaultRequest) -> Result<(), Refusal>;
    /// Breaks something; the fault and what it does.
    fn break_it(&mut self, fault: &FaultRequest) -> Result<(u64, String), Refusal>;
    /// Heals it.
    fn heal_it(&mut self, fault: u64) -> Result<(), Refusal>;
    /// Whether it is in force.
    fn is_in_force(&self, fault: u64) -> bool;
    /// Nodes that a fault hit, and that are down without one: a disk that failed took them.
    fn start_if_down(&mut self, nodes: &[NodeId]);
    /// What the cluster is made of.
    fn shape(&self) -> Shape;
    /// How it is.
    fn look(&mut self) -> Seen;
    /// Starts a workload.
    fn start_load(&mut self, spec: &WorkloadSpec) -> Result<u64, Refusal>;
    /// Ends it.
    fn stop_load(&mut self, workload: u64);
}

/// All runs.
#[derive(Default)]
pub struct Scripts {
    over: VecDeque<ScriptStatus>,
    current: Option<Run>,
    last_id: u64,
}

struct Run {
    status: ScriptStatus,
    judge: Option<Judge>,
    workloads: Vec<u64>,
    hit: BTreeSet<NodeId>,
    /// When faults without an end of their own are healed, after the first moment.
    open_until_ms: u64,
    next_look_ms: i64,
    /// When the last fault was over.
    calm_ms: Option<i64>,
}

impl Scripts {
    /// Begins a run. One runs at a time.
    pub fn begin(&mut self, script: Script, now_ms: i64, world: &mut dyn World) -> Answer {
        if let Some(run) = &self.current {
            let words = format!("Script {} runs; stop it first, or wait until it is over.", run.status.id);
            return Err(Refusal::conflict(words));
        }
        let sentence = |why: String| Refusal::invalid(format!("The script makes no sense: {why}."));
        script.check().map_err(sentence)?;
        let mut steps = all_steps(&script, &world.shape());
        if steps.is_empty() {
            return Err(Refusal::invalid("The storm has no fault in its time: give it more time, or a higher rate."));
        }
        let workloads = start_loads(&script.workloads, world)?;
        if let Err(refusal) = name_workloads(&mut steps, &workloads).and_then(|()| check_steps(&steps, world)) {
            workloads.into_iter().for_each(|workload| world.stop_load(workload));
            return Err(refusal);
        }
        self.last_id += 1;
        let run = Run::new(self.last_id, script, steps, workloads, now_ms);
        let text = format!("Script {} is under way: {} faults.", self.last_id, run.status.steps.len());
        self.current = Some(run);
        self.go_on(now_ms, world);
        Ok(Done { id: Some(self.last_id), text })
    }

    /// Stops a run: what it broke is healed.
    pub fn stop(&mut self, id: u64, now_ms: i64, world: &mut dyn World) -> Answer {
        match self.current.take_if(|run| run.status.id == id) {
            Some(mut run) => {
                run.end(Phase::Stopped, Some("It was stopped."), now_ms, world);
                self.put_away(run.status);
                Ok(Done { id: Some(id), text: format!("Script {id} was stopped, and what it broke is healed.") })
            }
            None if self.over.iter().any(|status| status.id == id) => {
                Err(Refusal::conflict(format!("Script {id} is over already.")))
            }
            None => Err(Refusal::not_found(format!("There is no script {id}."))),
        }
    }

    /// Does what is due.
    pub fn go_on(&mut self, now_ms: i64, world: &mut dyn World) {
        let Some(run) = &mut self.current else { return };
        run.go_on(now_ms, world);
        if !run.status.phase.is_under_way()
            && let Some(run) = self.current.take()
        {
            self.put_away(run.status);
        }
    }

    /// When something is due; `None`: nothing runs.
    pub fn next_ms(&self) -> Option<i64> {
        let run = self.current.as_ref()?;
        Some(run.status.next_step_ms().map_or(run.next_look_ms, |step_ms| step_ms.min(run.next_look_ms)))
    }

    /// How they go, oldest first.
    pub fn list(&self) -> Vec<ScriptStatus> {
        self.over.iter().chain(self.current.as_ref().map(|run| &run.status)).cloned().collect()
    }

    fn put_away(&mut self, status: ScriptStatus) {
        if self.over.len() == RUNS_KEPT {
            self.over.pop_front();
        }
        self.over.push_back(status);
    }
}

fn all_steps(script: &Script, shape: &Shape) -> Vec<Step> {
    let storm = script.storm.iter().flat_map(|storm| storm.steps(shape));
    let mut steps: Vec<Step> = script.steps.iter().cloned().chain(storm).collect();
    steps.sort_by_key(|step| step.at_ms);
    steps.truncate(STEPS_MAX);
    steps
}

fn start_loads(specs: &[WorkloadSpec], world: &mut dyn World) -> Result<Vec<u64>, Refusal> {
    let mut started = Vec::new();
    for spec in specs {
        match world.start_load(spec) {
            Ok(workload) => started.push(workload),
            Err(refusal) => {
                started.into_iter().for_each(|workload| world.stop_load(workload));
                return Err(refusal);
            }
        }
    }
    Ok(started)
}

/// In a script that has workloads, `workload: 1` is the first of them.
fn name_workloads(steps: &mut [Step], workloads: &[u64]) -> Result<(), Refusal> {
    if workloads.is_empty() {
        return Ok(());
    }
    for named in steps.iter_mut().filter_map(|step| step.fault.workload.as_mut()) {
        let index = usize::try_from(*named).unwrap_or(0).wrapping_sub(1);
        let missing = || Refusal::invalid(format!("The script has no workload {named}: they are counted from 1."));
        *named = *workloads.get(index).ok_or_else(missing)?;
    }
    Ok(())
}

fn check_steps(steps: &[Step], world: &dyn World) -> Result<(), Refusal> {
    for (index, step) in steps.iter().enumerate() {
        let of_step = |refusal: Refusal| Refusal { text: format!("Step {}: {}", index + 1, refusal.text), ..refusal };
        world.check(&step.fault).map_err(of_step)?;
    }
    Ok(())
}

impl Run {
    fn new(id: u64, script: Script, steps: Vec<Step>, workloads: Vec<u64>, now_ms: i64) -> Run {
        let ends = steps.iter().map(|step| step.at_ms + step.fault.duration_ms.unwrap_or(OPEN_MS));
        let open_until_ms = ends.max().unwrap_or(0);
        let steps = steps.into_iter().map(|step| StepStatus {
            at_ms: step.at_ms,
            fault: step.fault,
            state: StepState::Waiting,
            fault_id: None,
            what: String::new(),
            began_ms: None,
            ended_ms: None,
        });
        let status = ScriptStatus {
            id,
            name: script.name.clone(),
            hypothesis: script.hypothesis.clone(),
            phase: Phase::Steadying,
            begun_ms: now_ms,
            first_ms: None,
            ended_ms: None,
            why: None,
            steps: steps.collect(),
            steady: Vec::new(),
            verdicts: Vec::new(),
            script: Arc::new(script),
        };
        Run { status, judge: None, workloads, hit: BTreeSet::new(), open_until_ms, next_look_ms: now_ms, calm_ms: None }
    }

    fn go_on(&mut self, now_ms: i64, world: &mut dyn World) {
        if self.status.phase == Phase::Running {
            self.end_steps(now_ms, world);
            self.begin_steps(now_ms, world);
        }
        if now_ms < self.next_look_ms {
            return;
        }
        self.next_look_ms = now_ms + LOOK_EVERY_MS;
        let seen = Seen { at_ms: now_ms, ..world.look() };
        match self.status.phase {
            Phase::Steadying => self.steady(seen, now_ms, world),
            Phase::Running => self.look(seen, false),
            Phase::Settling => {
                self.look(seen, true);
                self.settle(now_ms, world);
            }
            Phase::Ended | Phase::Stopped => {}
        }
    }

    fn steady(&mut self, seen: Seen, now_ms: i64, world: &mut dyn World) {
        let script = self.status.script.clone();
        self.status.steady = judge::steady(&script.steady, &seen);
        let judge = Judge::new(&script.expect, seen);
        self.status.verdicts = judge.verdicts();
        if self.status.steady.iter().all(|verdict| verdict.outcome == Outcome::Held) {
            self.judge = Some(judge);
            (self.status.phase, self.status.first_ms) = (Phase::Running, Some(now_ms));
            self.begin_steps(now_ms, world);
            return;
        }
        let patience_ms = i64::try_from(script.steady_within_ms).unwrap_or(i64::MAX);
        if now_ms - self.status.begun_ms >= patience_ms {
            let open = self.status.steady.iter_mut().filter(|verdict| verdict.outcome == Outcome::Open);
            open.for_each(|verdict| verdict.outcome = Outcome::Broken);
            let why = "The steady state did not come in time, so nothing was broken.";
            self.end(Phase::Stopped, Some(why), now_ms, world);
        }
    }

    fn begin_steps(&mut self, now_ms: i64, world: &mut dyn World) {
        let Some(first_ms) = self.status.first_ms else { return };
        let past_ms = u64::try_from(now_ms - first_ms).unwrap_or(0);
        let due = |step: &&mut StepStatus| step.state == StepState::Waiting && step.at_ms <= past_ms;
        for step in self.status.steps.iter_mut().filter(due) {
            match world.break_it(&step.fault) {
                Ok((fault, what)) => {
                    (step.state, step.fault_id, step.what) = (StepState::InForce, Some(fault), what);
                    step.began_ms = Some(now_ms);
                    self.hit.extend(world.shape().hit_by(&step.fault));
                }
                Err(refusal) => (step.state, step.what) = (StepState::Refused, refusal.text),
            }
        }
    }

    fn end_steps(&mut self, now_ms: i64, world: &mut dyn World) {
        let past_ms = self.status.first_ms.map_or(0, |first_ms| u64::try_from(now_ms - first_ms).unwrap_or(0));
        let open_is_over = past_ms >= self.open_until_ms;
        for step in self.status.steps.iter_mut().filter(|step| step.state == StepState::InForce) {
            let Some(fault) = step.fault_id else { continue };
            if open_is_over && world.is_in_force(fault) {
                // Refused: it was healed meanwhile, or its node cannot start; who looks at faults is told.
                let _ = world.heal_it(fault);
            }
            if open_is_over || !world.is_in_force(fault) {
                (step.state, step.ended_ms) = (StepState::Over, Some(now_ms));
                if is_of_disk(step.fault.kind) {
                    world.start_if_down(&world.shape().hit_by(&step.fault));
                }
            }
        }
        let is_over = |step: &StepStatus| !matches!(step.state, StepState::Waiting | StepState::InForce);
        if self.status.steps.iter().all(is_over) {
            self.heal_all(now_ms, world);
            self.status.phase = Phase::Settling;
            (self.calm_ms, self.next_look_ms) = (Some(now_ms), now_ms);
        }
    }

    fn look(&mut self, seen: Seen, is_calm: bool) {
        if let Some(judge) = &mut self.judge {
            judge.look(seen, is_calm);
            self.status.verdicts = judge.verdicts();
        }
    }

    fn settle(&mut self, now_ms: i64, world: &mut dyn World) {
        let limits = self.status.script.expect.iter().filter_map(|expectation| expectation.limit_ms());
        let patience_ms = i64::try_from(limits.max().unwrap_or(0)).unwrap_or(i64::MAX).saturating_add(SETTLE_MORE_MS);
        let is_late = self.calm_ms.is_some_and(|calm_ms| now_ms - calm_ms > patience_ms);
        if self.judge.as_ref().is_none_or(Judge::is_done) || is_late {
            self.end(Phase::Ended, None, now_ms, world);
        }
    }

    fn heal_all(&mut self, now_ms: i64, world: &mut dyn World) {
        for step in &mut self.status.steps {
            match (step.state, step.fault_id) {
                (StepState::InForce, Some(fault)) => {
                    if world.is_in_force(fault) {
                        let _ = world.heal_it(fault);
                    }
                    (step.state, step.ended_ms) = (StepState::Over, Some(now_ms));
                }
                (StepState::Waiting, _) => step.state = StepState::Skipped,
                _ => {}
            }
        }
        world.start_if_down(&self.hit.iter().copied().collect::<Vec<_>>());
    }

    fn end(&mut self, phase: Phase, why: Option<&str>, now_ms: i64, world: &mut dyn World) {
        self.heal_all(now_ms, world);
        self.workloads.drain(..).for_each(|workload| world.stop_load(workload));
        self.status.phase = phase;
        self.status.why = why.map(str::to_owned);
        self.status.ended_ms = Some(now_ms);
        let open = self.status.verdicts.iter_mut().filter(|verdict| verdict.outcome == Outcome::Open);
        open.for_each(leave_open);
    }
}

fn leave_open(verdict: &mut Verdict) {
    verdict.outcome = Outcome::NotMeasured;
    verdict.seen = format!("The script was over before that was known. {}", verdict.seen);
}

/// What may end a node that it hits, and does not start it again when it heals.
fn is_of_disk(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::DiskFull | FaultKind::DiskError | FaultKind::SlowDisk)
}
