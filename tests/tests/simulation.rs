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
    // Completed, cancelled, brokers added and removed. A move is cancelled in few of the seeds, and in which depends on all that is played.
    let mut counts = [0; 4];
    let mut seeds = 2000..2060;
    while seeds.start < 2008 || counts.contains(&0) {
        let seed = seeds.next().unwrap_or_else(|| panic!("not all of it happened in any seed: {counts:?}"));
        let plan = Plan { power_loss: seed % 2 == 0, ..moving.clone() };
        match sim::run(seed, &plan) {
            Ok(it) => {
                let here = [it.moves_completed, it.moves_cancelled, it.brokers_added, it.brokers_removed];
                counts = std::array::from_fn(|kind| counts[kind] + here[kind]);
            }
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
}

#[test]
fn a_seed_replays_exactly() {
    let plan = Plan { storm: Duration::from_secs(4), ..Plan::default() };
    let runs =
        [7, 7].map(|seed| sim::run(seed, &plan).map(|summary| format!("{summary:?}")).map_err(|v| v.to_string()));
    assert_eq!(runs[0], runs[1]);
}
