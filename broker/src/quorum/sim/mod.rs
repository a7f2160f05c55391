//! The quorum under a deterministic simulation: one thread, one queue of events, one seed.
//!
//! `cargo test` runs a hundred seeds. More, or one that failed: `QUORUM_SEEDS=0..1000 cargo test -p broker quorum::sim -- --nocapture`.

mod chaos;
mod checker;
mod state;
mod world;

pub(super) use world::World;

use super::config::VoterBug;
use std::ops::Range;
use std::time::Instant;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("QUORUM_SEEDS") else { return 0..100 };
    let (from, to) = text.split_once("..").expect("QUORUM_SEEDS is FROM..TO");
    from.parse().expect("a seed")..to.parse().expect("a seed")
}

#[test]
fn random_faults_break_no_promise() {
    let started = Instant::now();
    let mut total = checker::Tally::default();
    for seed in seeds() {
        let tally = chaos::run(seed);
        total.add(&tally);
    }
    eprintln!("{:?} took {:?}: {total:?}", seeds(), started.elapsed());
    // A simulation in which nothing happens proves nothing.
    assert!(total.elections > 0 && total.committed > 0 && total.truncations > 0 && total.crashes > 0, "{total:?}");
    assert!(total.snapshots_made > 0 && total.snapshots_installed > 0 && total.snapshots_loaded > 0, "{total:?}");
}

#[test]
fn random_faults_with_kafkas_files_break_no_promise() {
    let started = Instant::now();
    let mut total = checker::Tally::default();
    let all = seeds();
    // Files cost more than memory, so a fifth of the seeds must do.
    let seeds = all.start..all.start + (all.end - all.start).div_ceil(5);
    for seed in seeds.clone() {
        total.add(&chaos::run_with_files(seed));
    }
    eprintln!("{seeds:?} with files took {:?}: {total:?}", started.elapsed());
    assert!(total.snapshots_made > 0 && total.snapshots_installed > 0 && total.snapshots_loaded > 0, "{total:?}");
    assert!(total.elections > 0 && total.committed > 0 && total.crashes > 0, "{total:?}");
}

#[test]
fn voters_that_come_and_go_break_no_promise() {
    let started = Instant::now();
    let mut total = checker::Tally::default();
    for seed in seeds() {
        total.add(&chaos::run_with_changes(seed, None));
    }
    eprintln!("{:?} with changes took {:?}: {total:?}", seeds(), started.elapsed());
    assert!(total.voter_changes > 100 && total.voter_changes_refused > 0, "{total:?}");
    assert!(total.elections > 0 && total.committed > 0 && total.truncations > 0 && total.crashes > 0, "{total:?}");
    assert!(total.snapshots_made > 0 && total.snapshots_installed > 0 && total.snapshots_loaded > 0, "{total:?}");
}

#[test]
fn voters_that_come_and_go_break_no_promise_with_kafkas_files() {
    let all = seeds();
    let mut total = checker::Tally::default();
    for seed in all.start..all.start + (all.end - all.start).div_ceil(5) {
        total.add(&chaos::run_with_changes_and_files(seed));
    }
    assert!(total.voter_changes > 0 && total.snapshots_loaded > 0 && total.crashes > 0, "{total:?}");
}

/// A check that finds nothing proves nothing.
#[test]
fn known_bugs_in_changing_voters_are_caught() {
    for bug in [
        VoterBug::TwoChangesAtOnce,
        VoterBug::CountCommittedVoters,
        VoterBug::KeepTruncatedVoters,
        VoterBug::AcknowledgeUnsynced,
    ] {
        let caught =
            seeds().find(|seed| std::panic::catch_unwind(|| chaos::run_with_changes(*seed, Some(bug))).is_err());
        eprintln!("{bug:?} is caught with seed {caught:?}");
        assert!(caught.is_some(), "{bug:?} is not caught");
    }
}

#[test]
fn a_seed_replays_exactly() {
    assert_eq!(chaos::run(7), chaos::run(7));
}
