//! The acceptance table as a simulation campaign: `cargo run --release -p tests --bin campaign -- --rows all --seeds 0..100`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use tests::campaign::{self, Report, Row};

#[derive(Parser)]
struct Arguments {
    /// Rows of the acceptance table: `all`, `4`, `4-6`, `10,truncation`.
    #[arg(long, default_value = "all")]
    rows: String,
    /// First seed and end (exclusive), as 0..100.
    #[arg(long, default_value = "0..20")]
    seeds: String,
    /// Instead of an end: goes on from the first seed until each row has had so many simulated hours.
    #[arg(long)]
    hours: Option<f64>,
    /// Rows played at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Plants a bug into the broker, or `all` one after another, and looks for the row and seed that catch it.
    #[cfg(feature = "planted")]
    #[arg(long)]
    planted: Option<String>,
    /// Tells everything that happens.
    #[arg(long)]
    verbose: bool,
}

/// What a row came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    rounds: u64,
    simulated: Duration,
    wall: Duration,
    faults: u64,
    acknowledged: u64,
    lost_as_allowed: u64,
    anomalies: BTreeMap<campaign::Kind, u64>,
    failed_seeds: u64,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.rounds += report.rounds;
        self.simulated += report.simulated;
        self.faults += report.faults;
        self.acknowledged += report.acknowledged;
        self.lost_as_allowed += report.lost_as_allowed;
        self.failed_seeds += u64::from(!report.anomalies.is_empty());
        for anomaly in &report.anomalies {
            *self.anomalies.entry(anomaly.kind).or_default() += 1;
        }
    }

    fn line(&self, row: Row) -> String {
        let kinds: Vec<String> = self.anomalies.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let anomalies = if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") };
        format!(
            "row {row:<10} {:<52} {:5} seeds {:6.2} h {:7} faults {:9} acknowledged {:6} lost as allowed  {:5.0} s  anomalies: {anomalies}",
            row.title(),
            self.seeds,
            self.simulated.as_secs_f64() / 3600.0,
            self.faults,
            self.acknowledged,
            self.lost_as_allowed,
            self.wall.as_secs_f64(),
        )
    }
}

fn play(row: Row, seeds: &std::ops::Range<u64>, arguments: &Arguments) -> Sum {
    let start = Instant::now();
    let mut sum = Sum::default();
    let hours = arguments.hours.map(|hours| Duration::from_secs_f64(hours * 3600.0));
    let mut seed = seeds.start;
    while hours.map_or(seed < seeds.end, |hours| sum.simulated < hours) {
        let report = campaign::run(row, seed, arguments.verbose);
        sum.add(&report);
        if !report.anomalies.is_empty() {
            let mut text = format!("ANOMALY: row {row}, seed {seed}, after {:.3} s", report.simulated.as_secs_f64());
            for anomaly in &report.anomalies {
                text.push_str(&format!("\n    {anomaly}"));
            }
            println!(
                "{text}\n    replay: cargo run --release -p tests --bin campaign -- --rows {row} --seeds {seed}..{} --verbose",
                seed + 1
            );
        }
        if arguments.verbose {
            println!("end of row {row}, seed {seed}: fingerprint {:016x}", report.fingerprint);
        }
        seed += 1;
    }
    sum.wall = start.elapsed();
    sum
}

/// Planted bugs: `broker::planted`.
#[cfg(feature = "planted")]
mod planted {
    use std::collections::BTreeMap;
    use std::ops::Range;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;

    use broker::planted::{Bug, plant};
    use tests::campaign::{self, Row};

    /// All bugs, or the one that is named. False: one was not caught, or there is no such bug.
    pub(super) fn hunt(name: &str, rows: &[Row], seeds: &Range<u64>) -> bool {
        let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(|bug| name == "all" || format!("{bug:?}") == name).collect();
        std::panic::set_hook(Box::new(|_| {}));
        let caught = bugs.iter().filter(|bug| catch(**bug, rows, seeds)).count();
        println!("{caught} of {} planted bugs caught", bugs.len());
        !bugs.is_empty() && caught == bugs.len()
    }

    fn catch(bug: Bug, rows: &[Row], seeds: &Range<u64>) -> bool {
        let start = Instant::now();
        let mut catchers: BTreeMap<String, (u64, String)> = BTreeMap::new();
        let mut first = None;
        let mut played = 0;
        for seed in seeds.clone() {
            for row in rows {
                plant(Some(bug));
                let told = catch_unwind(AssertUnwindSafe(|| campaign::run(*row, seed, false)));
                plant(None);
                played += 1;
                let kind = match told {
                    Ok(report) if report.anomalies.is_empty() => continue,
                    Ok(report) => report.anomalies[0].kind.to_string(),
                    Err(_) => "a node panicked".to_owned(),
                };
                first.get_or_insert(played);
                catchers.entry(row.to_string()).or_insert((seed, kind));
            }
            // One more pass over all rows tells which others see it.
            if first.is_some() && seed > seeds.start {
                break;
            }
        }
        let by: Vec<String> =
            catchers.iter().map(|(row, (seed, kind))| format!("{row} (seed {seed}: {kind})")).collect();
        match first {
            Some(first) => println!(
                "{bug:?}: caught by run {first} of {played} ({:.1} s), by rows {}",
                start.elapsed().as_secs_f64(),
                by.join(", ")
            ),
            None => println!("{bug:?}: NOT CAUGHT in {played} runs ({:.1} s)", start.elapsed().as_secs_f64()),
        }
        first.is_some()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(rows) = Row::parse(&arguments.rows) else {
        eprintln!("--rows takes all, truncation, numbers from 1 to 18 and ranges of them, not '{}'", arguments.rows);
        return ExitCode::from(2);
    };
    let range =
        arguments.seeds.split_once("..").and_then(|(a, b)| Some(a.parse::<u64>().ok()?..b.parse::<u64>().ok()?));
    let Some(seeds) = range else {
        eprintln!("--seeds takes a range as 0..100, not '{}'", arguments.seeds);
        return ExitCode::from(2);
    };
    #[cfg(feature = "planted")]
    if let Some(name) = &arguments.planted {
        return if planted::hunt(name, &rows, &seeds) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    let total = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.clamp(1, rows.len()) {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sum = play(*row, &seeds, &arguments);
                    println!("{}", sum.line(*row));
                    let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    total.seeds += sum.seeds;
                    total.simulated += sum.simulated;
                    total.faults += sum.faults;
                    total.acknowledged += sum.acknowledged;
                    total.failed_seeds += sum.failed_seeds;
                }
            });
        }
    });
    println!("row 19         transactions: not applicable yet, there is no transaction coordinator");
    let total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!(
        "{} seeds, {:.1} simulated hours, {} faults, {} acknowledged records, {} seeds with anomalies, {:.0} s",
        total.seeds,
        total.simulated.as_secs_f64() / 3600.0,
        total.faults,
        total.acknowledged,
        total.failed_seeds,
        start.elapsed().as_secs_f64()
    );
    if total.failed_seeds == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
