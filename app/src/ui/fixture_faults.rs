//! Faults of the example cluster: what was broken before, and a script that has broken some of it.

use std::sync::Arc;

use super::fixture;
use crate::monitor::command::{End, FaultKind, FaultRequest};
use crate::monitor::script::status::{Outcome, Phase, ScriptStatus, StepState, StepStatus, Verdict};
use crate::monitor::script::{Script, Step};
use crate::monitor::snapshot::{ActiveFault, PastFault};
use crate::monitor::view::View;

fn requests() -> [FaultRequest; 4] {
    let node = |kind, broker, duration_ms| FaultRequest {
        broker: Some(broker),
        duration_ms: Some(duration_ms),
        ..FaultRequest::new(kind)
    };
    let late = FaultRequest {
        from: Some(End::Clients),
        to: Some(End::Node(1)),
        both_ways: Some(true),
        delay_ms: Some(120),
        duration_ms: Some(20_000),
        ..FaultRequest::new(FaultKind::Delay)
    };
    [
        node(FaultKind::Pause, 3, 4_000),
        late,
        node(FaultKind::Kill, 2, 60_000),
        FaultRequest { zone: Some("a".into()), duration_ms: Some(5_000), ..FaultRequest::new(FaultKind::ZoneOutage) },
    ]
}

fn fault(id: u64, what: &str, since_ms: i64, until_ms: Option<i64>, request: FaultRequest) -> ActiveFault {
    let node_ids: Vec<i32> = request.broker.or(request.to.and_then(End::node)).into_iter().collect();
    ActiveFault {
        id,
        kind: request.kind.name().into(),
        node_id: node_ids.first().copied().unwrap_or(-1),
        node_ids,
        what: what.into(),
        since_ms,
        until_ms,
        request: Arc::new(request),
    }
}

fn step(index: usize, at_ms: u64, state: StepState, what: &str) -> StepStatus {
    let fault = requests()[index].clone();
    StepStatus { at_ms, fault, state, fault_id: None, what: what.into(), began_ms: None, ended_ms: None }
}

fn verdict(check: &str, outcome: Outcome, seen: &str) -> Verdict {
    Verdict { check: check.into(), outcome, seen: seen.into() }
}

/// The incident, with a script that runs and a history.
pub fn view() -> View {
    let mut view = fixture::incident();
    let snapshot = Arc::make_mut(&mut view.snapshot);
    let now_ms = snapshot.at_ms;
    let [pause, late, kill, outage] = requests();
    let past = fault(5, "broker 3 is paused", now_ms - 52_000, Some(now_ms - 48_000), pause);
    snapshot.past_faults = Arc::new([PastFault { fault: past, ended_ms: now_ms - 48_000 }].into());
    let words = "clients and broker 1 is late by 120 ms";
    snapshot.faults = vec![
        fault(7, "broker 2 is killed", now_ms - 30_000, None, kill),
        fault(6, words, now_ms - 8_000, Some(now_ms + 12_000), late),
    ];
    let script = Script { steps: vec![Step { at_ms: 60_000, fault: outage }], ..Script::new() };
    let run = ScriptStatus {
        id: 3,
        name: "Two things at once".into(),
        hypothesis: "Producers go on with another leader, and nothing is lost.".into(),
        phase: Phase::Running,
        begun_ms: now_ms - 55_000,
        first_ms: Some(now_ms - 53_000),
        ended_ms: None,
        why: None,
        steps: vec![
            step(0, 1_000, StepState::Over, "broker 3 is paused"),
            step(2, 23_000, StepState::InForce, "broker 2 is killed"),
            step(2, 30_000, StepState::Refused, "Broker 2 is killed, so it cannot be killed."),
            step(1, 45_000, StepState::InForce, words),
            step(3, 60_000, StepState::Waiting, ""),
        ],
        steady: vec![verdict("every replica is in sync", Outcome::Held, "0 of 22 partitions are not in sync.")],
        verdicts: vec![
            verdict(
                "writes resume within 2 s",
                Outcome::Broken,
                "The longest time without an acknowledged write was 2.4 s (workload 2).",
            ),
            verdict(
                "nothing that was acknowledged is lost",
                Outcome::Open,
                "It is looked at when the last fault is over.",
            ),
            verdict("lag drains within 30 s", Outcome::NotMeasured, "No group reads and has offsets."),
        ],
        script: Arc::new(script),
    };
    snapshot.scripts = Arc::new(vec![run]);
    view
}
