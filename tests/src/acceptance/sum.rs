//! Several rounds of a row, and what they came to.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{House, Judge, Report, arguments, play};
use crate::campaign::{Anomaly, Kind, Row};

/// Rounds of one row.
#[derive(Debug, Default)]
pub struct Sum {
    /// Rounds played.
    pub rounds: u64,
    /// Rounds with anomalies.
    pub failed: u64,
    /// Wall time, starts of the process included.
    pub took: Duration,
    /// Faults injected.
    pub faults: u64,
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Records acknowledged and lost where the row allows it.
    pub lost_as_allowed: u64,
    /// From faults to the next acknowledged writes.
    pub writable_after: Vec<Duration>,
    /// What clients were told.
    pub told: BTreeMap<String, u64>,
    /// How many of which kind.
    pub anomalies: BTreeMap<Kind, u64>,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.rounds += 1;
        self.failed += u64::from(!report.anomalies.is_empty());
        self.faults += report.faults;
        self.acknowledged += report.acknowledged;
        self.operations += report.operations;
        self.lost_as_allowed += report.lost_as_allowed;
        self.writable_after.extend(&report.writable_after);
        for (what, count) in &report.told {
            *self.told.entry(what.clone()).or_default() += count;
        }
        for anomaly in &report.anomalies {
            *self.anomalies.entry(anomaly.kind).or_default() += 1;
        }
    }

    /// Median and maximum of the times until writes went on, in ms.
    pub fn writable_ms(&self) -> Option<(u128, u128)> {
        let mut sorted = self.writable_after.clone();
        sorted.sort_unstable();
        Some((sorted.get(sorted.len() / 2)?.as_millis(), sorted.last()?.as_millis()))
    }

    /// One line for a row.
    pub fn line(&self, row: Row) -> String {
        let kinds: Vec<String> = self.anomalies.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let anomalies = if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") };
        let writable = self.writable_ms().map_or("-".to_owned(), |(median, max)| format!("{median}/{max} ms"));
        format!(
            "row {row:<10} {:<48} {:3} rounds {:5.0} s {:4} faults {:8} acknowledged {:6} lost as allowed, writable after {writable:>14}, anomalies: {anomalies}",
            row.title(),
            self.rounds,
            self.took.as_secs_f64(),
            self.faults,
            self.acknowledged,
            self.lost_as_allowed,
        )
    }
}

/// A round that went wrong.
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What it came to.
    pub report: Report,
    /// What the cluster left on disk, kept for a look at it.
    pub data_dir: PathBuf,
}

/// Plays rounds of a row, from this seed on, on one process; on a new one after a failure, which `told` hears of.
pub fn play_rounds(row: Row, seed: u64, rounds: u64, told: &mut dyn FnMut(&Failure)) -> Sum {
    let start = Instant::now();
    let mut sum = Sum::default();
    let mut house: Option<House> = None;
    for seed in seed..seed + rounds {
        let report = round(row, seed, &mut house);
        sum.add(&report);
        if !report.anomalies.is_empty() {
            let data_dir = house.take().map(|mut house| house.keep_data()).unwrap_or_default();
            told(&Failure { seed, report, data_dir });
        }
    }
    sum.took = start.elapsed();
    sum
}

fn round(row: Row, seed: u64, house: &mut Option<House>) -> Report {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let house = house.get_or_insert_with(|| House::start(arguments(row)));
        play(row, seed, house, Judge::ByTable)
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let what = format!("the round panicked: {}", text.unwrap_or("no message"));
        Report { anomalies: vec![Anomaly::new(Kind::NodeFailed, what)], ..Report::default() }
    })
}
