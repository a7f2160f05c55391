//! The machine, on snapshots that are made up; the scenarios themselves are gone through on a cluster in `program::guide_tests`.

use super::*;
use crate::monitor::snapshot::{Topic, WorkloadStatus};

static TOY: Scenario = Scenario {
    title: "Toy",
    what: "Nothing.",
    steps: &[
        Step {
            title: "First",
            why: "Because.",
            watch: Watch::Cluster,
            act: |_, _| vec![Command::HealAllFaults],
            see: |facts, now| {
                let grown = now.sequence.saturating_sub(facts.before().sequence);
                Seen::when(grown >= 2, format!("{grown} of 2"))
            },
        },
        Step {
            title: "Second",
            why: "Because.",
            watch: Watch::Cluster,
            act: |facts, _| vec![Command::StartNode(facts.mark(0).sequence as i32)],
            see: |_, _| Seen::Yes("at once".into()),
        },
    ],
};

fn at(sequence: u64, at_ms: i64) -> Arc<Snapshot> {
    Arc::new(Snapshot { sequence, at_ms, ..Snapshot::default() })
}

#[test]
fn a_step_is_over_when_it_is_seen_and_not_before() {
    let mut run = Run::of(&TOY);
    assert_eq!(run.begin(&at(5, 1_000)), [Command::HealAllFaults]);
    assert_eq!(run.begin(&at(5, 1_000)), [], "it is begun once");
    run.look(&at(9, 1_000));
    assert!(matches!(run.phase, Phase::Doing { .. }), "a snapshot of before says nothing");
    run.look(&at(6, 1_100));
    assert!(matches!(&run.phase, Phase::Doing { seen, is_late: false, .. } if seen == "1 of 2"));
    run.next();
    assert_eq!(run.step, 0, "nobody goes on before it is seen");
    run.look(&at(6, 1_000 + LATE_MS + 1));
    assert!(matches!(&run.phase, Phase::Doing { is_late: true, .. }));
    run.look(&at(7, 1_000 + LATE_MS + 2));
    assert_eq!(run.phase, Phase::Done("2 of 2".into()));
    run.next();
    assert_eq!((run.step, run.phase.clone(), run.told.len()), (1, Phase::Ready, 1));
    assert_eq!(run.begin(&at(8, 90_000)), [Command::StartNode(5)], "it remembers how each step began");
    run.look(&at(9, 90_001));
    assert!(run.is_at_end());
    run.next();
    assert!(run.is_at_end(), "there is no next");
}

#[test]
fn what_was_made_is_removed_once_nobody_writes_to_it() {
    let mut run = Run::of(&TOY);
    let workload = WorkloadStatus { id: 4, topic: "guide-x".into(), ..WorkloadStatus::default() };
    let own = WorkloadStatus { id: 5, topic: "mine".into(), ..WorkloadStatus::default() };
    let topics = ["guide-x", "mine"].map(|name| Arc::new(Topic::named(name))).to_vec();
    let busy = Snapshot { workloads: vec![workload, own.clone()], topics: topics.clone(), ..Snapshot::default() };
    assert_eq!(run.leave(&busy), [Command::StopWorkload(4)]);
    assert_eq!(run.look(&busy), []);
    let still = Snapshot { workloads: vec![own], topics, ..Snapshot::default() };
    assert_eq!(run.look(&still), [Command::DeleteTopic { name: "guide-x".into() }]);
    assert_eq!(run.look(&still), [], "once");
    run.look(&Snapshot::default());
    assert_eq!(run.phase, Phase::Over);
}

#[test]
fn scenarios_are_whole() {
    for scenario in SCENARIOS {
        assert!(scenario.steps.len() >= 2 && scenario.what.ends_with('.'), "{}", scenario.title);
        for step in scenario.steps {
            assert!(step.why.ends_with('.') && !step.title.ends_with('.'), "{}: {}", scenario.title, step.title);
            // On a cluster on which nothing was done, nothing is seen.
            let nothing = (step.see)(&Facts::default(), &Snapshot::default());
            assert!(matches!(nothing, Seen::NotYet(_)), "{}: {}", scenario.title, step.title);
            if let Watch::Topic(name) | Watch::Group(name) = step.watch {
                assert!(name.starts_with(PREFIX), "{name}");
            }
        }
    }
}

#[test]
fn what_stands_in_the_way_is_said() {
    assert!(Run::obstacle(&Snapshot::default()).is_some_and(|why| why.contains("three brokers")));
}
