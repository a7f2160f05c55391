//! Nodes for tests that do as they are told and remember it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use broker::fault::{Damage, Direction, DiskFault, LinkEffect, Rot};
use broker::metadata::report::{NodeState, Why};
use broker::server::trace::{TraceState, TraceWish};
use broker::types::NodeId;
use crossbeam_channel::{Receiver, Sender, unbounded};

use super::control::NodeControl;
use crate::monitor::order::Refusal;

const PATIENCE: Duration = Duration::from_secs(20);

/// What was done to a node, or to what is around it.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    State(NodeId, NodeState),
    PowerLoss(NodeId),
    CorruptTails(NodeId),
    BreakLinks(Vec<Direction>),
    HealLinks(u64),
    BreakDisk(NodeId, DiskFault),
    HealDisk(NodeId, u64),
    Skew(NodeId, i64),
    Rot(NodeId, u64),
    Mend(NodeId, u64),
}

/// A stop waits until it is let through, or the node is killed.
pub struct FakeNodes {
    states: Mutex<BTreeMap<NodeId, NodeState>>,
    stops_pass: Mutex<bool>,
    passed: Condvar,
    wish: Mutex<Option<TraceWish>>,
    done: Sender<Done>,
}

impl FakeNodes {
    /// Brokers 1 to 3 in zones a and b, and controller 3000; all run.
    pub fn of_three_brokers() -> (FakeNodes, Receiver<Done>) {
        let (done, all_done) = unbounded();
        let states = Mutex::new([1, 2, 3, 3000].map(|id| (id, NodeState::Running)).into());
        (
            FakeNodes { states, stops_pass: Mutex::default(), passed: Condvar::new(), wish: Mutex::default(), done },
            all_done,
        )
    }

    fn set(&self, id: NodeId, state: NodeState) -> Result<(), Refusal> {
        self.states.lock().unwrap().insert(id, state);
        self.tell(Done::State(id, state));
        Ok(())
    }

    fn tell(&self, done: Done) {
        // A test that looks at no deeds has dropped the other end.
        let _ = self.done.send(done);
    }

    /// Lets stops end.
    pub fn let_stops_pass(&self) {
        *self.stops_pass.lock().unwrap() = true;
        self.passed.notify_all();
    }
}

impl NodeControl for FakeNodes {
    fn node_ids(&self) -> Vec<NodeId> {
        self.states.lock().unwrap().keys().copied().collect()
    }

    fn node_state(&self, id: NodeId) -> Option<NodeState> {
        self.states.lock().unwrap().get(&id).copied()
    }

    fn stop(&self, id: NodeId, _: &Why) -> Result<(), Refusal> {
        let passes = self.stops_pass.lock().unwrap();
        let waiting = |passes: &mut bool| !*passes && self.node_state(id) != Some(NodeState::Killed);
        drop(self.passed.wait_timeout_while(passes, PATIENCE, waiting).unwrap());
        if self.node_state(id) == Some(NodeState::Killed) { Ok(()) } else { self.set(id, NodeState::Stopped) }
    }

    fn kill(&self, id: NodeId, _: &Why) -> Result<(), Refusal> {
        let passes = self.stops_pass.lock().unwrap();
        self.set(id, NodeState::Killed)?;
        drop(passes);
        self.passed.notify_all();
        Ok(())
    }

    fn power_loss(&self, id: NodeId, _: u64, why: &Why) -> Result<(), Refusal> {
        self.tell(Done::PowerLoss(id));
        self.kill(id, why)
    }

    fn pause(&self, id: NodeId, _: &Why) -> Result<(), Refusal> {
        self.set(id, NodeState::Paused)
    }

    fn follow(&self, wish: TraceWish) {
        *self.wish.lock().unwrap() = Some(wish);
    }

    fn stop_following(&self) {
        *self.wish.lock().unwrap() = None;
    }

    fn trace(&self) -> TraceState {
        TraceState { wish: self.wish.lock().unwrap().clone(), ..TraceState::default() }
    }

    fn scrub(&self, id: NodeId) -> Result<(), Refusal> {
        match self.node_state(id) {
            Some(NodeState::Running) => Ok(()),
            _ => Err(Refusal::conflict("It does not run.")),
        }
    }

    fn start(&self, id: NodeId, _: &Why) -> Result<(), Refusal> {
        self.set(id, NodeState::Running)
    }

    fn zone(&self, id: NodeId) -> Option<String> {
        (id < 3000).then(|| if id % 2 == 1 { "a".into() } else { "b".into() })
    }

    fn log_dir(&self, id: NodeId, log_dir: &Path) -> Result<PathBuf, Refusal> {
        if Path::new("/data").ends_with(log_dir) {
            return Ok("/data".into());
        }
        Err(Refusal::not_found(format!("Broker {id} has no log directory {}.", log_dir.display())))
    }

    fn log_dirs(&self, _: NodeId) -> Result<Vec<PathBuf>, Refusal> {
        Ok(vec!["/data".into()])
    }

    fn corrupt_tails(
        &self,
        id: NodeId,
        _: Option<&Path>,
        _: Damage,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<usize, Refusal> {
        self.tell(Done::CorruptTails(id));
        Ok(["a-0", "a-1", "b-0"].into_iter().filter(|log| chosen(log)).count())
    }

    fn rot(
        &self,
        id: NodeId,
        _: Option<&Path>,
        seed: u64,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Rot>, Refusal> {
        let Some(log) = ["a-0", "a-1", "b-0"].into_iter().find(|log| chosen(log)) else { return Ok(None) };
        self.tell(Done::Rot(id, seed));
        Ok(Some(Rot { path: Path::new(log).join("0.log"), position: seed, was: 1, is: 3, base_offset: 17 }))
    }

    fn mend_rot(&self, id: NodeId, rot: &Rot) -> Result<bool, Refusal> {
        self.tell(Done::Mend(id, rot.position));
        Ok(rot.position != 0)
    }

    fn break_links(&self, directions: Vec<Direction>, _: LinkEffect) -> u64 {
        self.tell(Done::BreakLinks(directions));
        70
    }

    fn heal_links(&self, fault: u64) {
        self.tell(Done::HealLinks(fault));
    }

    fn break_disk(&self, id: NodeId, fault: DiskFault) -> Result<u64, Refusal> {
        self.tell(Done::BreakDisk(id, fault));
        Ok(80)
    }

    fn heal_disk(&self, id: NodeId, fault: u64) -> Result<(), Refusal> {
        self.tell(Done::HealDisk(id, fault));
        Ok(())
    }

    fn skew_clock(&self, id: NodeId, skew_ms: i64) -> Result<(), Refusal> {
        self.tell(Done::Skew(id, skew_ms));
        Ok(())
    }
}
