//! The desk's part that scripts need.

use std::time::Duration;

use broker::metadata::report::NodeState;
use broker::types::NodeId;

use super::desk::{Worker, now_ms, sentence};
use super::plan;
use super::scripts::World;
use crate::monitor::command::{FaultRequest, WorkloadSpec};
use crate::monitor::order::{Answer, Refusal};
use crate::monitor::run::Word;
use crate::monitor::script::Script;
use crate::monitor::script::seen::Seen;
use crate::monitor::script::storm::Shape;

impl Worker {
    pub(super) fn run_script(&mut self, script: Script) -> Answer {
        self.with_scripts(|scripts, world| scripts.begin(script, now_ms(), world))
    }

    pub(super) fn stop_script(&mut self, id: u64) -> Answer {
        self.with_scripts(|scripts, world| scripts.stop(id, now_ms(), world))
    }

    /// Does what scripts want done now.
    pub(super) fn go_on_with_scripts(&mut self) {
        if self.scripts.next_ms().is_some_and(|next_ms| next_ms <= now_ms()) {
            self.with_scripts(|scripts, world| scripts.go_on(now_ms(), world));
        }
    }

    /// Scripts act through the desk, which keeps them.
    fn with_scripts<T>(&mut self, act: impl FnOnce(&mut super::scripts::Scripts, &mut Worker) -> T) -> T {
        let mut scripts = std::mem::take(&mut self.scripts);
        let done = act(&mut scripts, self);
        // As with faults: what is under way must not go untold.
        let _ = self.tools.words.send_timeout(Word::Scripts(scripts.list()), Duration::from_secs(1));
        self.scripts = scripts;
        done
    }
}

impl World for Worker {
    fn check(&self, fault: &FaultRequest) -> Result<(), Refusal> {
        plan::plan(fault, &*self.tools.nodes).map(drop)
    }

    fn break_it(&mut self, fault: &FaultRequest) -> Result<(u64, String), Refusal> {
        let done = self.inject(fault)?;
        let id = done.id.ok_or_else(|| Refusal::failed("The fault has no id."))?;
        let what = self.faults.get(id).map(|(fault, _)| fault.what.clone()).unwrap_or(done.text);
        Ok((id, what))
    }

    fn heal_it(&mut self, fault: u64) -> Result<(), Refusal> {
        self.heal(fault).map(drop)
    }

    fn is_in_force(&self, fault: u64) -> bool {
        self.faults.get(fault).is_ok()
    }

    fn start_if_down(&mut self, nodes: &[NodeId]) {
        let held: Vec<NodeId> = self.faults.list().into_iter().flat_map(|fault| fault.node_ids).collect();
        for id in nodes {
            let is_down = self.tools.nodes.node_state(*id) == Some(NodeState::Killed);
            if is_down && !held.contains(id) && !self.stopping.contains(id) {
                self.start_by_itself(*id, "its disk was healed");
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape::of(&self.tools.slot.latest().snapshot)
    }

    fn look(&mut self) -> Seen {
        let workloads = self.tools.workloads.statuses();
        let view = self.tools.slot.latest();
        Seen::of(now_ms(), &view.snapshot, &workloads, &view.ledger)
    }

    fn start_load(&mut self, spec: &WorkloadSpec) -> Result<u64, Refusal> {
        let id = self.tools.workloads.start(spec.clone()).map_err(|why| Refusal::invalid(sentence(&why)))?;
        self.tell_workloads();
        Ok(id)
    }

    fn stop_load(&mut self, workload: u64) {
        // False: somebody else has stopped it.
        if self.tools.workloads.stop(workload) {
            self.tell_workloads();
        }
    }
}
