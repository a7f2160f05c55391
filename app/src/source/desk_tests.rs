//! The desk with fake nodes and fake workloads.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use broker::metadata::report::NodeState;
use broker::types::NodeId;
use crossbeam_channel::Receiver;

use super::control::NodeControl;
use super::desk::{Desk, Tools, WorkloadRunner};
use crate::monitor::command::{Command, FaultKind, FaultRequest, WorkloadSpec};
use crate::monitor::order::{Answer, Orders, Refusal, RefusalKind};
use crate::monitor::run::Word;
use crate::monitor::slot::ViewSlot;
use crate::monitor::snapshot::{ActiveFault, WorkloadStatus};

const PATIENCE: Duration = Duration::from_secs(20);

/// Nodes that do as they are told. A stop waits until it is let through.
struct FakeNodes {
    states: Mutex<BTreeMap<NodeId, NodeState>>,
    stops_pass: Mutex<bool>,
    passed: Condvar,
    changed: crossbeam_channel::Sender<(NodeId, NodeState)>,
}

impl FakeNodes {
    fn set(&self, id: NodeId, state: NodeState) -> Result<(), Refusal> {
        self.states.lock().unwrap().insert(id, state);
        self.changed.send((id, state)).unwrap();
        Ok(())
    }

    fn let_stops_pass(&self) {
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

    fn stop(&self, id: NodeId, _: &str) -> Result<(), Refusal> {
        let passes = self.stops_pass.lock().unwrap();
        drop(self.passed.wait_timeout_while(passes, PATIENCE, |passes| !*passes).unwrap());
        self.set(id, NodeState::Stopped)
    }

    fn kill(&self, id: NodeId, _: &str) -> Result<(), Refusal> {
        self.set(id, NodeState::Killed)
    }

    fn pause(&self, id: NodeId, _: &str) -> Result<(), Refusal> {
        self.set(id, NodeState::Paused)
    }

    fn scrub(&self, id: NodeId) -> Result<(), Refusal> {
        match self.node_state(id) {
            Some(NodeState::Running) => Ok(()),
            _ => Err(Refusal::conflict("It does not run.")),
        }
    }

    fn start(&self, id: NodeId, _: &str) -> Result<(), Refusal> {
        self.set(id, NodeState::Running)
    }
}

struct FakeWorkloads;

impl WorkloadRunner for FakeWorkloads {
    fn start(&mut self, spec: WorkloadSpec) -> Result<u64, String> {
        if spec.topic.is_empty() { Err("'' is no topic name".into()) } else { Ok(1) }
    }

    fn stop(&mut self, id: u64) -> bool {
        id == 1
    }

    fn statuses(&mut self) -> Vec<WorkloadStatus> {
        Vec::new()
    }

    fn stop_all(&mut self, _: Duration) {}
}

struct Setup {
    nodes: Arc<FakeNodes>,
    changes: Receiver<(NodeId, NodeState)>,
    words: Receiver<Word>,
    slot: ViewSlot,
    orders: Orders,
    desk: Desk,
}

fn open() -> Setup {
    let (changed, changes) = crossbeam_channel::unbounded();
    let states = [1, 2, 3, 3000].map(|id| (id, NodeState::Running)).into();
    let nodes = Arc::new(FakeNodes {
        states: Mutex::new(states),
        stops_pass: Mutex::default(),
        passed: Condvar::new(),
        changed,
    });
    let (words_out, words) = crossbeam_channel::unbounded();
    let slot = ViewSlot::default();
    let (orders, taken) = Orders::new();
    let tools = Tools {
        nodes: nodes.clone(),
        workloads: Box::new(FakeWorkloads),
        bootstrap_servers: "127.0.0.1:1".into(),
        words: words_out,
        slot: slot.clone(),
    };
    let desk = Desk::open(tools, taken).unwrap();
    Setup { nodes, changes, words, slot, orders, desk }
}

impl Setup {
    fn ask(&self, command: Command) -> Answer {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.orders.ask(command, move |outcome| answer.send(outcome).unwrap());
        answered.recv_timeout(PATIENCE).unwrap()
    }

    fn inject(&self, kind: FaultKind, id: NodeId, duration_ms: Option<u64>) -> Result<u64, RefusalKind> {
        let (broker, controller) = if id < 3000 { (Some(id), None) } else { (None, Some(id)) };
        let answer = self.ask(Command::InjectFault(FaultRequest { kind, broker, controller, duration_ms }));
        answer.map(|done| done.id.unwrap()).map_err(|refusal| refusal.kind)
    }

    fn next_change(&self) -> (NodeId, NodeState) {
        self.changes.recv_timeout(PATIENCE).unwrap()
    }

    /// The faults as they were told last, once they are `count`.
    fn faults(&self, count: usize) -> Vec<ActiveFault> {
        loop {
            if let Word::Faults(faults) = self.words.recv_timeout(PATIENCE).unwrap()
                && faults.len() == count
            {
                return faults;
            }
        }
    }
}

#[test]
fn a_kill_holds_until_it_is_healed() {
    let setup = open();
    assert_eq!(setup.inject(FaultKind::Kill, 2, None), Ok(1));
    assert_eq!(setup.next_change(), (2, NodeState::Killed));
    assert_eq!(setup.faults(1)[0].node_id, 2);
    assert_eq!(setup.inject(FaultKind::Kill, 2, None), Err(RefusalKind::Conflict));
    assert_eq!(setup.inject(FaultKind::Pause, 2, None), Err(RefusalKind::Conflict));
    assert_eq!(setup.inject(FaultKind::Kill, 9, None), Err(RefusalKind::NotFound));
    assert_eq!(setup.ask(Command::HealFault(5)).unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(setup.ask(Command::HealFault(1)).unwrap().id, Some(1));
    assert_eq!(setup.next_change(), (2, NodeState::Running));
    setup.faults(0);
    setup.desk.close();
}

#[test]
fn a_pause_heals_by_itself_and_a_start_ends_a_fault() {
    let setup = open();
    assert_eq!(setup.inject(FaultKind::Pause, 3000, Some(1)), Ok(1));
    assert_eq!(setup.next_change(), (3000, NodeState::Paused));
    assert_eq!(setup.next_change(), (3000, NodeState::Running));
    assert_eq!(setup.inject(FaultKind::Kill, 1, Some(3_600_000)), Ok(2));
    assert!(setup.ask(Command::StartNode(1)).is_ok());
    assert_eq!(setup.ask(Command::StartNode(1)).unwrap_err().kind, RefusalKind::Conflict);
    assert_eq!(setup.ask(Command::StartNode(9)).unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(setup.ask(Command::HealFault(2)).unwrap_err().kind, RefusalKind::NotFound);
}

#[test]
fn the_desk_goes_on_while_a_node_stops() {
    let setup = open();
    assert_eq!(setup.inject(FaultKind::Stop, 1, None), Ok(1));
    assert_eq!(setup.inject(FaultKind::Kill, 1, None), Err(RefusalKind::Conflict));
    assert_eq!(setup.ask(Command::StartNode(1)).unwrap_err().kind, RefusalKind::Conflict);
    assert_eq!(setup.inject(FaultKind::Kill, 2, None), Ok(2));
    assert_eq!(setup.next_change(), (2, NodeState::Killed));
    // Healed before it has stopped: it starts as soon as it has.
    assert!(setup.ask(Command::HealAllFaults).is_ok());
    assert_eq!(setup.next_change(), (2, NodeState::Running));
    setup.nodes.let_stops_pass();
    assert_eq!(setup.next_change(), (1, NodeState::Stopped));
    assert_eq!(setup.next_change(), (1, NodeState::Running));
}

#[test]
fn commands_without_a_reply_become_notices() {
    let setup = open();
    let (wake, woken) = crossbeam_channel::unbounded();
    setup.slot.on_change(move || wake.send(()).unwrap());
    assert!(setup.orders.send(Command::StopWorkload(5)));
    woken.recv_timeout(PATIENCE).unwrap();
    assert!(setup.orders.send(Command::StartWorkload(WorkloadSpec::default())));
    woken.recv_timeout(PATIENCE).unwrap();
    let notices = setup.slot.take().notices;
    assert_eq!((notices[0].ok, notices[0].text.as_str()), (false, "There is no workload 5."));
    assert_eq!((notices[1].ok, notices[1].text.as_str()), (true, "Workload 1 writes and reads topic demo."));
    let nameless = WorkloadSpec { topic: String::new(), ..WorkloadSpec::default() };
    let refusal = setup.ask(Command::StartWorkload(nameless)).unwrap_err();
    assert_eq!((refusal.kind, refusal.text.as_str()), (RefusalKind::Invalid, "'' is no topic name."));
}

#[test]
fn a_closed_desk_says_so() {
    let setup = open();
    let orders = setup.orders.clone();
    setup.desk.close();
    let (answer, answered) = crossbeam_channel::bounded(1);
    orders.ask(Command::HealAllFaults, move |outcome| answer.send(outcome).unwrap());
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap().unwrap_err().kind, RefusalKind::Failed);
}

#[test]
fn brokers_are_asked_for_scrubs() {
    let setup = open();
    let ask = |broker| setup.ask(Command::Scrub { broker }).map_err(|refusal| refusal.kind).map(|done| done.id);
    assert_eq!((ask(Some(1)), ask(None)), (Ok(None), Ok(None)));
    assert_eq!([ask(Some(9)), ask(Some(3000))], [Err(RefusalKind::NotFound), Err(RefusalKind::NotFound)]);
    setup.inject(FaultKind::Kill, 2, None).unwrap();
    assert_eq!((ask(Some(2)), ask(None)), (Err(RefusalKind::Conflict), Ok(None)));
}
