//! The desk with fake nodes and fake workloads.

use std::sync::Arc;
use std::time::Duration;

use broker::metadata::report::NodeState;
use broker::types::NodeId;
use crossbeam_channel::Receiver;

use super::brokers_tests::FakeBrokers;
use super::desk::{Desk, Tools, WorkloadRunner};
use super::fake_nodes::{Done, FakeNodes};
use crate::monitor::command::{Command, FaultKind, FaultRequest, WorkloadChange, WorkloadSpec};
use crate::monitor::logs::Wish;
use crate::monitor::logs::run::Asked;
use crate::monitor::order::{Answer, Orders, Refusal, RefusalKind};
use crate::monitor::run::Word;
use crate::monitor::slot::ViewSlot;
use crate::monitor::snapshot::{ActiveFault, WorkloadStatus};
use crate::monitor::workload::Restarts;

const PATIENCE: Duration = Duration::from_secs(20);

struct FakeWorkloads;

impl WorkloadRunner for FakeWorkloads {
    fn start(&mut self, spec: WorkloadSpec) -> Result<u64, String> {
        if spec.topic.is_empty() { Err("'' is no topic name".into()) } else { Ok(1) }
    }

    fn change(&mut self, id: u64, change: &WorkloadChange) -> Result<Restarts, Option<String>> {
        if id != 1 {
            return Err(None);
        }
        let spec = WorkloadSpec::default();
        Ok(Restarts::between(&spec, &spec.changed(change).map_err(Some)?))
    }

    fn crash(&mut self, _: u64, consumer: Option<u32>) -> Result<u32, Option<String>> {
        consumer.ok_or_else(|| Some("no consumer runs".into()))
    }

    fn revive(&mut self, _: u64, _: Option<u32>) -> Result<(), Option<String>> {
        Ok(())
    }

    fn freeze(&mut self, id: u64, producer: Option<u32>) -> Result<u32, Option<String>> {
        match id {
            1 => Ok(producer.unwrap_or(1)),
            2 => Err(Some("the producers of workload 2 make no transactions".into())),
            _ => Err(None),
        }
    }

    fn wake(&mut self, id: u64, _: u32) -> Result<(), Option<String>> {
        if id == 1 { Ok(()) } else { Err(None) }
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
    done: Receiver<Done>,
    words: Receiver<Word>,
    asked: Receiver<Asked>,
    slot: ViewSlot,
    orders: Orders,
    desk: Desk,
}

fn open() -> Setup {
    let (nodes, done) = FakeNodes::of_three_brokers();
    let nodes = Arc::new(nodes);
    let (words_out, words) = crossbeam_channel::unbounded();
    let slot = ViewSlot::default();
    let (orders, taken) = Orders::new();
    let (logs, asked) = crossbeam_channel::bounded(8);
    let tools = Tools {
        nodes: nodes.clone(),
        brokers: Arc::new(FakeBrokers::default()),
        workloads: Box::new(FakeWorkloads),
        bootstrap_servers: Arc::new(|| "127.0.0.1:1".into()),
        words: words_out,
        logs,
        slot: slot.clone(),
        ledger: super::desk::LedgerTools {
            shelf: crate::ledger::Shelf::default(),
            facts: super::ledger::SharedFacts::default(),
            data_dir: std::env::temp_dir(),
        },
    };
    let desk = Desk::open(tools, taken).unwrap();
    Setup { nodes, done, words, asked, slot, orders, desk }
}

impl Setup {
    fn ask(&self, command: Command) -> Answer {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.orders.ask(command, move |outcome| answer.send(outcome).unwrap());
        answered.recv_timeout(PATIENCE).unwrap()
    }

    fn inject(&self, kind: FaultKind, id: NodeId, duration_ms: Option<u64>) -> Result<u64, RefusalKind> {
        let (broker, controller) = if id < 3000 { (Some(id), None) } else { (None, Some(id)) };
        let answer =
            self.ask(Command::InjectFault(FaultRequest { broker, controller, duration_ms, ..FaultRequest::new(kind) }));
        answer.map(|done| done.id.unwrap()).map_err(|refusal| refusal.kind)
    }

    fn next_change(&self) -> (NodeId, NodeState) {
        match self.next_done() {
            Done::State(id, state) => (id, state),
            other => panic!("{other:?}"),
        }
    }

    fn next_done(&self) -> Done {
        self.done.recv_timeout(PATIENCE).unwrap()
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
    assert_eq!(setup.inject(FaultKind::Pause, 1, None), Err(RefusalKind::Conflict));
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
fn a_stop_that_drags_on_is_ended_by_a_kill() {
    let setup = open();
    assert_eq!(setup.inject(FaultKind::Stop, 1, None), Ok(1));
    assert_eq!(setup.inject(FaultKind::Kill, 1, None), Ok(2));
    assert_eq!(setup.next_change(), (1, NodeState::Killed));
    assert_eq!(setup.faults(1)[0].kind, "stop");
    assert_eq!(setup.faults(1)[0].kind, "kill");
    assert!(setup.ask(Command::HealFault(2)).is_ok());
    assert_eq!(setup.next_change(), (1, NodeState::Running));
}

#[test]
fn a_zone_falls_and_rises_as_one_fault() {
    let setup = open();
    let outage = FaultRequest { zone: Some("a".into()), ..FaultRequest::new(FaultKind::ZoneOutage) };
    assert_eq!(setup.inject(FaultKind::Kill, 3, None), Ok(1));
    assert_eq!(setup.next_change(), (3, NodeState::Killed));
    assert_eq!(setup.ask(Command::InjectFault(outage.clone())).unwrap().id, Some(2));
    assert_eq!(setup.next_change(), (1, NodeState::Killed));
    assert_eq!(setup.ask(Command::InjectFault(outage)).unwrap_err().kind, RefusalKind::Conflict);
    assert_eq!(setup.faults(2)[1].node_ids, [1], "broker 3 was down before");
    assert!(setup.ask(Command::HealFault(2)).is_ok());
    assert_eq!(setup.next_change(), (1, NodeState::Running));
}

#[test]
fn what_is_around_a_node_breaks_beside_what_holds_it_down() {
    let setup = open();
    let send = |request| setup.ask(Command::InjectFault(request)).unwrap();
    let cut = FaultRequest {
        from: Some(1.into()),
        to: Some(2.into()),
        duration_ms: Some(1),
        ..FaultRequest::new(FaultKind::Cut)
    };
    assert_eq!(send(cut).text, "Broker 1 to broker 2 is cut.");
    assert_eq!(setup.next_done(), Done::BreakLinks(vec![(1, 2)]));
    assert_eq!(setup.next_done(), Done::HealLinks(70));
    let full = setup.inject(FaultKind::DiskFull, 1, None).unwrap();
    assert!(matches!(setup.next_done(), Done::BreakDisk(1, _)));
    setup.inject(FaultKind::PowerLoss, 1, None).unwrap();
    assert_eq!(setup.next_done(), Done::PowerLoss(1));
    assert_eq!(setup.next_change(), (1, NodeState::Killed));
    let skew =
        |skew_ms| FaultRequest { broker: Some(2), skew_ms: Some(skew_ms), ..FaultRequest::new(FaultKind::ClockSkew) };
    send(skew(5));
    send(skew(-5));
    assert_eq!((setup.next_done(), setup.next_done()), (Done::Skew(2, 5), Done::Skew(2, -5)));
    assert_eq!(
        setup.faults(3).iter().map(|fault| fault.kind.as_str()).collect::<Vec<_>>(),
        ["disk_full", "power_loss", "clock_skew"]
    );
    assert!(setup.ask(Command::HealFault(full)).is_ok());
    assert_eq!(setup.next_done(), Done::HealDisk(1, 80));
    let tails = FaultRequest { broker: Some(3), topic: Some("a".into()), ..FaultRequest::new(FaultKind::CorruptTail) };
    assert_eq!(send(tails).text, "Broker 3 is killed, with damaged logs (2 logs).");
    assert_eq!((setup.next_change(), setup.next_done()), ((3, NodeState::Killed), Done::CorruptTails(3)));
    assert!(setup.ask(Command::HealAllFaults).is_ok());
    assert_eq!(setup.next_done(), Done::Skew(2, 0));
    assert_eq!((setup.next_change(), setup.next_change()), ((1, NodeState::Running), (3, NodeState::Running)));
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
    let change = |id: u64, name: &str| Command::ChangeWorkload { id, change: WorkloadChange::of(name, 9) };
    assert_eq!(setup.ask(change(1, "rate_per_s")).unwrap().text, "", "it acts at once, and is to be seen");
    assert_eq!(setup.ask(change(1, "linger_ms")).unwrap().text, "The producers of workload 1 start anew with that.");
    assert_eq!(setup.ask(change(7, "linger_ms")).unwrap_err().kind, RefusalKind::NotFound);
    assert!(
        setup.ask(change(1, "speed")).unwrap_err().text.starts_with("The change is not as expected: unknown field")
    );
    let crashed = setup.ask(Command::CrashConsumer { id: 1, consumer: Some(2) }).unwrap();
    assert_eq!(crashed.text, "Consumer 2 of workload 1 crashed; its group learns of it when its session times out.");
    assert_eq!(setup.ask(Command::CrashConsumer { id: 1, consumer: None }).unwrap_err().text, "No consumer runs.");
    let revived = setup.ask(Command::ReviveConsumer { id: 1, consumer: None }).unwrap();
    assert_eq!(revived.text, "The consumers of workload 1 that crashed start again.");
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

#[test]
fn the_keeper_of_the_logs_answers_for_itself() {
    let setup = open();
    let wish = Wish::SetLevel { node: Some(1), logger: "kafka".into(), level: None };
    assert!(setup.orders.send(Command::Logs(wish.clone())));
    let (asked, reply) = setup.asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(asked, wish);
    reply(Err(Refusal::conflict("No.")));
    assert_eq!(setup.slot.take().notices[0].text, "No.", "who does not wait is told in the window");
    drop(setup.asked);
    let (answer, answered) = crossbeam_channel::bounded(1);
    setup.orders.ask(Command::Logs(wish), move |outcome| answer.send(outcome).unwrap());
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap().unwrap_err().kind, RefusalKind::Failed);
}
