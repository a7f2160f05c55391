//! Scripts on a world that does as it is told.

use std::collections::BTreeMap;

use broker::types::NodeId;

use super::scripts::{Scripts, World};
use crate::monitor::command::{FaultKind, FaultRequest, WorkloadSpec};
use crate::monitor::order::{Refusal, RefusalKind};
use crate::monitor::script::seen::Seen;
use crate::monitor::script::status::{Outcome, Phase, ScriptStatus, StepState};
use crate::monitor::script::storm::{Shape, Storm};
use crate::monitor::script::{Expectation, Script, Steady, Step};

#[derive(Default)]
struct FakeWorld {
    now_ms: i64,
    in_force: BTreeMap<u64, (FaultRequest, Option<i64>)>,
    last: u64,
    log: Vec<String>,
    seen: Seen,
    refuses: Option<FaultKind>,
    loads: u64,
}

impl FakeWorld {
    fn say(&mut self, words: String) {
        self.log.push(format!("{} {words}", self.now_ms));
    }

    /// As the desk, which heals what is due before it goes on with scripts.
    fn pass(&mut self, scripts: &mut Scripts, until_ms: i64) {
        while self.now_ms < until_ms {
            self.now_ms += 50;
            let now_ms = self.now_ms;
            self.in_force.retain(|_, (_, end_ms)| end_ms.is_none_or(|end_ms| end_ms > now_ms));
            scripts.go_on(now_ms, self);
        }
    }
}

impl World for FakeWorld {
    fn check(&self, fault: &FaultRequest) -> Result<(), Refusal> {
        match fault.broker {
            Some(9) => Err(Refusal::not_found("There is no broker 9.")),
            _ => Ok(()),
        }
    }

    fn break_it(&mut self, fault: &FaultRequest) -> Result<(u64, String), Refusal> {
        if self.refuses == Some(fault.kind) {
            return Err(Refusal::conflict("It is down already."));
        }
        self.last += 1;
        let end_ms = fault.duration_ms.map(|duration_ms| self.now_ms + duration_ms as i64);
        self.in_force.insert(self.last, (fault.clone(), end_ms));
        self.say(format!("{} {:?}", fault.kind.name(), fault.broker.or(fault.workload.map(|id| id as i32))));
        Ok((self.last, fault.kind.name().into()))
    }

    fn heal_it(&mut self, fault: u64) -> Result<(), Refusal> {
        self.in_force.remove(&fault);
        self.say(format!("heal {fault}"));
        Ok(())
    }

    fn is_in_force(&self, fault: u64) -> bool {
        self.in_force.contains_key(&fault)
    }

    fn start_if_down(&mut self, nodes: &[NodeId]) {
        self.say(format!("start {nodes:?}"));
    }

    fn shape(&self) -> Shape {
        let brokers = (1..=3).map(|id| (id, Some("a".to_owned()))).collect();
        Shape { brokers, controllers: vec![3000, 3001, 3002] }
    }

    fn look(&mut self) -> Seen {
        self.seen.clone()
    }

    fn start_load(&mut self, spec: &WorkloadSpec) -> Result<u64, Refusal> {
        if spec.topic == "bad" {
            return Err(Refusal::invalid("Bad."));
        }
        self.loads += 1;
        self.say(format!("load {}", spec.topic));
        Ok(self.loads + 40)
    }

    fn stop_load(&mut self, workload: u64) {
        self.say(format!("stop load {workload}"));
    }
}

fn step(at_ms: u64, kind: FaultKind, duration_ms: Option<u64>) -> Step {
    Step { at_ms, fault: FaultRequest { broker: Some(1), duration_ms, ..FaultRequest::new(kind) } }
}

fn newest(scripts: &Scripts) -> ScriptStatus {
    scripts.list().pop().unwrap()
}

fn states(scripts: &Scripts) -> Vec<StepState> {
    newest(scripts).steps.iter().map(|step| step.state).collect()
}

#[test]
fn faults_begin_at_their_times_and_all_are_healed_in_the_end() {
    let (mut scripts, mut world) = (Scripts::default(), FakeWorld::default());
    let steps = vec![
        step(3_000, FaultKind::DiskFull, Some(1_000)),
        step(1_000, FaultKind::Kill, Some(500)),
        step(1_200, FaultKind::Isolate, None),
    ];
    let script = Script { steps, expect: vec![Expectation::LeadersEverywhereWithinMs(100)], ..Script::new() };
    world.seen.partitions = 3;
    assert_eq!(scripts.begin(script.clone(), 0, &mut world).unwrap().id, Some(1));
    assert_eq!(newest(&scripts).next_step_ms(), Some(1_000));
    let again = scripts.begin(script, 0, &mut world).unwrap_err();
    assert_eq!(again.kind, RefusalKind::Conflict, "one at a time");
    world.pass(&mut scripts, 1_250);
    assert_eq!(states(&scripts), [StepState::InForce, StepState::InForce, StepState::Waiting]);
    world.pass(&mut scripts, 3_500);
    assert_eq!(states(&scripts), [StepState::Over, StepState::InForce, StepState::InForce]);
    world.pass(&mut scripts, 11_150);
    assert_eq!(states(&scripts), [StepState::Over, StepState::InForce, StepState::Over], "it has no end of its own");
    assert_eq!(newest(&scripts).phase, Phase::Running);
    world.pass(&mut scripts, 12_000);
    let status = newest(&scripts);
    assert_eq!((status.phase, status.outcome()), (Phase::Ended, Outcome::Held));
    let expected = [
        "1000 kill Some(1)",
        "1200 isolate Some(1)",
        "3000 disk_full Some(1)",
        "4000 start [1]",
        "11200 heal 2",
        "11200 start [1]",
        "11300 start [1]",
    ];
    assert_eq!(world.log, expected);
    assert!(scripts.next_ms().is_none() && world.in_force.is_empty());
}

#[test]
fn a_stop_heals_what_the_script_broke_and_nothing_else() {
    let (mut scripts, mut world) = (Scripts::default(), FakeWorld::default());
    let others = FaultRequest { broker: Some(2), ..FaultRequest::new(FaultKind::Pause) };
    world.break_it(&others).unwrap();
    let workloads = vec![WorkloadSpec { topic: "orders".into(), ..WorkloadSpec::default() }];
    let crash = FaultRequest { workload: Some(1), ..FaultRequest::new(FaultKind::CrashConsumer) };
    let steps = vec![Step { at_ms: 100, fault: crash }, step(9_000, FaultKind::Kill, None)];
    let expect = vec![Expectation::NothingLost(true)];
    scripts.begin(Script { workloads, steps, expect, ..Script::new() }, 0, &mut world).unwrap();
    world.pass(&mut scripts, 500);
    assert_eq!(scripts.stop(7, 500, &mut world).unwrap_err().kind, RefusalKind::NotFound);
    scripts.stop(1, 500, &mut world).unwrap();
    assert_eq!(scripts.stop(1, 500, &mut world).unwrap_err().kind, RefusalKind::Conflict);
    let expected = [
        "0 pause Some(2)",
        "0 load orders",
        "100 crash_consumer Some(41)",
        "500 heal 2",
        "500 start []",
        "500 stop load 41",
    ];
    assert_eq!(world.log, expected, "the script's own workload was meant");
    assert_eq!(states(&scripts), [StepState::Over, StepState::Skipped]);
    let status = newest(&scripts);
    assert_eq!((status.phase, status.verdicts[0].outcome), (Phase::Stopped, Outcome::NotMeasured));
    assert_eq!(world.in_force.len(), 1);
}

#[test]
fn nothing_is_broken_before_the_steady_state_and_none_where_it_does_not_come() {
    let (mut scripts, mut world) = (Scripts::default(), FakeWorld::default());
    let script = Script {
        steady: vec![Steady::WritesPerSAtLeast(10.0)],
        steady_within_ms: 2_000,
        steps: vec![step(0, FaultKind::Kill, Some(100))],
        ..Script::new()
    };
    scripts.begin(script.clone(), 0, &mut world).unwrap();
    world.pass(&mut scripts, 1_000);
    assert_eq!((newest(&scripts).phase, world.log.len()), (Phase::Steadying, 0));
    world.seen.writes_per_s = 20.0;
    world.pass(&mut scripts, 1_100);
    assert_eq!(newest(&scripts).phase, Phase::Running);
    assert_eq!(world.log, ["1100 kill Some(1)"]);
    world.pass(&mut scripts, 2_000);
    assert_eq!(newest(&scripts).phase, Phase::Ended);
    world.seen.writes_per_s = 0.0;
    let at_ms = world.now_ms;
    scripts.begin(script, at_ms, &mut world).unwrap();
    world.pass(&mut scripts, at_ms + 2_500);
    let status = newest(&scripts);
    assert_eq!((status.phase, status.steady[0].outcome), (Phase::Stopped, Outcome::Broken));
    assert!(status.why.unwrap().contains("nothing was broken"));
    assert!(!world.log.iter().any(|line| line.starts_with("2") && line.contains("kill")), "{:?}", world.log);
}

#[test]
fn a_refused_fault_is_told_and_the_script_goes_on() {
    let (mut scripts, mut world) = (Scripts::default(), FakeWorld::default());
    world.refuses = Some(FaultKind::Stop);
    let steps = vec![step(100, FaultKind::Stop, Some(100)), step(200, FaultKind::Kill, Some(100))];
    scripts.begin(Script { steps, ..Script::new() }, 0, &mut world).unwrap();
    world.pass(&mut scripts, 1_000);
    assert_eq!(states(&scripts), [StepState::Refused, StepState::Over]);
    assert_eq!(newest(&scripts).steps[0].what, "It is down already.");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_begins() {
    let (mut scripts, mut world) = (Scripts::default(), FakeWorld::default());
    let wrong = Step { at_ms: 5, fault: FaultRequest { broker: Some(9), ..FaultRequest::new(FaultKind::Kill) } };
    let load = |topic: &str| WorkloadSpec { topic: topic.into(), ..WorkloadSpec::default() };
    let crash = FaultRequest { workload: Some(2), ..FaultRequest::new(FaultKind::CrashConsumer) };
    for (script, expected) in [
        (Script::new(), "steps, or a storm"),
        (
            Script { steps: vec![step(1, FaultKind::Kill, None), wrong], ..Script::new() },
            "Step 2: There is no broker 9.",
        ),
        (
            Script {
                workloads: vec![load("good"), load("bad")],
                steps: vec![step(1, FaultKind::Kill, None)],
                ..Script::new()
            },
            "Bad.",
        ),
        (
            Script { workloads: vec![load("good")], steps: vec![Step { at_ms: 1, fault: crash }], ..Script::new() },
            "no workload 2",
        ),
        (Script { storm: Some(Storm { for_ms: 1, ..Storm::default() }), ..Script::new() }, "no fault in its time"),
    ] {
        let refusal = scripts.begin(script, 0, &mut world).unwrap_err();
        assert!(refusal.text.contains(expected), "{refusal}");
    }
    assert_eq!(world.log, ["0 load good", "0 stop load 41", "0 load good", "0 stop load 42"]);
    assert!(scripts.list().is_empty());
}

#[test]
fn a_storm_is_run_as_it_was_drawn() {
    let storm = Storm { seed: 11, for_ms: 20_000, rate_per_min: 30.0, max_duration_ms: 2_000, ..Storm::default() };
    let run = || {
        let (mut scripts, mut world) = (Scripts::default(), FakeWorld::default());
        scripts.begin(Script { storm: Some(storm.clone()), ..Script::new() }, 0, &mut world).unwrap();
        world.pass(&mut scripts, 40_000);
        assert_eq!(newest(&scripts).phase, Phase::Ended);
        assert!(states(&scripts).iter().all(|state| *state == StepState::Over));
        world.log
    };
    let log = run();
    assert!(log.len() > 5);
    assert_eq!(run(), log);
}
