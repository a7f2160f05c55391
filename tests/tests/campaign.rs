//! The acceptance table as a simulation campaign, a seed of each row. More:
//! `cargo run --release -p tests --bin campaign -- --rows all --seeds 0..100`.

use tests::campaign::{self, Row};

/// The rows among so many threads: `cargo test` has no optimised build, and somebody waits for it.
const THREADS: usize = 2;

#[test]
fn each_row_keeps_its_promise() {
    let rows = Row::all();
    std::thread::scope(|scope| {
        for first in 0..THREADS {
            let rows = rows.iter().skip(first).step_by(THREADS);
            scope.spawn(|| rows.for_each(|row| keeps_its_promise(*row, 0)));
        }
    });
}

fn keeps_its_promise(row: Row, seed: u64) {
    let report = campaign::run(row, seed, false);
    assert!(report.anomalies.is_empty(), "row {row}, seed {seed}: {:#?}", report.anomalies);
    assert!(report.faults > 0 && report.operations > 0, "row {row}, seed {seed} did nothing: {report:?}");
}

/// Seeds that found something: a replica whose directory had failed was taken back into the ISR; a follower's index of aborted transactions
/// let readers pass by one of them.
#[test]
fn what_was_mended_stays_mended() {
    for (row, seed) in [("17", 1073), ("17", 1104), ("18", 30), ("19", 18), ("19", 25)] {
        for row in Row::parse(row).unwrap_or_default() {
            keeps_its_promise(row, seed);
        }
    }
}

/// Share groups: several seeds, since what a group and its members are differs from seed to seed.
#[test]
fn share_groups_keep_their_promise() {
    for seed in 1..4 {
        keeps_its_promise(Row::SHARE, seed);
    }
}

#[test]
fn a_seed_replays_to_the_same_end() {
    for row in Row::parse("9,18,share").unwrap_or_default() {
        let [one, other] = [7, 7].map(|seed| campaign::run(row, seed, false));
        assert_eq!(one, other, "row {row}");
    }
}
