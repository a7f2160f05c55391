//! Whatever is asked of share coordinators in whatever order: each is answered, and a successor knows what was committed.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tests::{Batch, Bench, Epochs, SHARD, delete, initialize, read, summary, write};
use crate::protocol::ErrorCode;

#[derive(Clone, Debug)]
enum Step {
    Initialize(i32, i32, i64),
    Read(i32, i32),
    Write(i32, Epochs, i64, Vec<Batch>),
    Delete(i32),
    Summary(i32),
    Commit,
    Refuse,
    Tick(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (partition, epoch) = (0..3i32, 0..4i32);
    let batch = (0..30i64, 0..6i64, 0..3i8, 1..4i16);
    let batch = batch.prop_map(|(first, length, state, count)| (first, first + length, state * 2, count));
    let batches = proptest::collection::vec(batch, 0..4);
    let step = prop_oneof![
        2 => (partition.clone(), epoch.clone(), -1..20i64).prop_map(|(part, epoch, at)| Step::Initialize(part, epoch, at)),
        2 => (partition.clone(), epoch.clone()).prop_map(|(part, epoch)| Step::Read(part, epoch)),
        6 => (partition.clone(), (epoch.clone(), epoch), -1..20i64, batches)
            .prop_map(|(part, epochs, at, batches)| Step::Write(part, epochs, at, batches)),
        1 => partition.clone().prop_map(Step::Delete),
        1 => partition.prop_map(Step::Summary),
        6 => Just(Step::Commit),
        1 => Just(Step::Refuse),
        1 => (1..400_000u64).prop_map(Step::Tick),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever is asked, lost and restarted: each is answered once, and what is left of the log makes the same state.
    #[test]
    fn a_successor_knows_the_same(steps in steps()) {
        let mut bench = Bench::new(3);
        let mut waiting: BTreeSet<u64> = BTreeSet::new();
        for step in steps {
            let asked = match step {
                Step::Initialize(part, epoch, at) => Some(bench.ask(initialize(part, epoch, at))),
                Step::Read(part, epoch) => Some(bench.ask(read(part, epoch))),
                Step::Write(part, epochs, at, batches) => Some(bench.ask(write(part, epochs, at, 0, &batches))),
                Step::Delete(part) => Some(bench.ask(delete(part))),
                Step::Summary(part) => Some(bench.ask(summary(part))),
                Step::Commit => {
                    bench.commit();
                    None
                }
                Step::Refuse => {
                    bench.refuse(ErrorCode::NotEnoughReplicas);
                    None
                }
                Step::Tick(ms) => {
                    let ms = bench.now.mono.as_millis() as u64 + ms;
                    bench.tick(ms);
                    None
                }
                Step::Restart => {
                    bench.appends.clear();
                    bench.coordinator.begin_load(SHARD);
                    for (offset, (key, value)) in bench.log.iter().enumerate().skip(bench.pruned_to) {
                        bench.coordinator.load_record(SHARD, offset as i64, key, value.as_deref()).unwrap();
                    }
                    bench.coordinator.finish_load(bench.now, SHARD);
                    bench.collect();
                    None
                }
            };
            waiting.extend(asked);
        }
        bench.commit();
        let ms = bench.now.mono.as_millis() as u64 + 10_000;
        bench.tick(ms);
        bench.commit();
        prop_assert!(waiting.iter().all(|asked| bench.answers.contains_key(asked)));
        let next = bench.successor();
        let states = |bench: &Bench| bench.entries().into_values().map(|entry| entry.state).collect::<Vec<_>>();
        prop_assert_eq!(states(&next), states(&bench));
        if bench.pruned_to == 0 {
            prop_assert_eq!(next.entries(), bench.entries());
        }
        prop_assert_eq!(next.coordinator.shards[&SHARD].slots.len(), bench.entries().len());
    }
}
