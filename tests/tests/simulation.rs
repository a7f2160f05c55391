//! The whole cluster, simulated: kills, pauses, cuts and power losses, and not one acknowledged record lost. More seeds:
//! `cargo run --release -p tests --bin storm -- --seeds 0..1000`.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::time::Duration;

use tests::sim::{self, Plan};

fn storm(seeds: std::ops::Range<u64>, plan: &Plan) {
    for seed in seeds {
        match sim::run(seed, plan) {
            Ok(summary) => {
                assert!(summary.acknowledged > 0 && summary.faults > 0, "seed {seed} did nothing: {summary:?}")
            }
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
}

#[test]
fn kills_pauses_and_cuts_lose_nothing() {
    storm(0..12, &Plan { storm: Duration::from_secs(8), ..Plan::default() });
}

#[test]
fn a_power_loss_loses_nothing_that_two_replicas_have() {
    storm(1000..1012, &Plan { storm: Duration::from_secs(8), power_loss: true, ..Plan::default() });
}

#[test]
fn replicas_that_move_take_all_that_is_committed_with_them() {
    let moving = Plan { storm: Duration::from_secs(8), brokers: 5, moves: true, ..Plan::default() };
    let (mut completed, mut cancelled, mut added, mut removed) = (0, 0, 0, 0);
    for seed in 2000..2008 {
        let plan = Plan { power_loss: seed % 2 == 0, ..moving.clone() };
        match sim::run(seed, &plan) {
            Ok(summary) => {
                completed += summary.moves_completed;
                cancelled += summary.moves_cancelled;
                added += summary.brokers_added;
                removed += summary.brokers_removed;
            }
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    let counts = [completed, cancelled, added, removed];
    assert!(counts.iter().all(|count| *count > 0), "completed, cancelled, brokers added and removed: {counts:?}");
}

#[test]
fn a_seed_replays_exactly() {
    let plan = Plan { storm: Duration::from_secs(4), ..Plan::default() };
    let runs =
        [7, 7].map(|seed| sim::run(seed, &plan).map(|summary| format!("{summary:?}")).map_err(|v| v.to_string()));
    assert_eq!(runs[0], runs[1]);
}
