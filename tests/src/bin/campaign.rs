//! The acceptance table as a simulation campaign: `cargo run --release -p tests --bin campaign -- --rows all --seeds 0..100`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// Seeds played at once.
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
    transactions: (u64, u64),
    shared: (u64, u64),
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
        self.transactions.0 += report.transactions.0;
        self.transactions.1 += report.transactions.1;
        self.shared.0 += report.shared.0;
        self.shared.1 += report.shared.1;
        self.failed_seeds += u64::from(!report.anomalies.is_empty());
        for anomaly in &report.anomalies {
            *self.anomalies.entry(anomaly.kind).or_default() += 1;
        }
    }

    fn line(&self, row: Row) -> String {
        let kinds: Vec<String> = self.anomalies.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let anomalies = if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") };
        let transactions = match self.transactions {
            (0, 0) => String::new(),
            (committed, others) => format!("  transactions: {committed} committed, {others} not"),
        };
        let shared = match self.shared {
            (0, 0) => String::new(),
            (deliveries, kept) => format!("  shared: {deliveries} deliveries, {kept} acknowledgements kept"),
        };
        format!(
            "row {row:<10} {:<52} {:5} seeds {:6.2} h {:7} faults {:9} acknowledged {:6} lost as allowed  {:5.0} s{transactions}{shared}  anomalies: {anomalies}",
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

/// What is being played of a row.
struct Work {
    row: Row,
    next_seed: u64,
    /// Seeds that somebody plays now.
    playing: usize,
    sum: Sum,
}

impl Work {
    fn is_given_out(&self, seeds: &Range<u64>, hours: Option<Duration>) -> bool {
        hours.map_or(self.next_seed >= seeds.end, |hours| self.sum.simulated >= hours)
    }
}

/// Plays seeds until there are no more; several threads do, each the row that has come least far.
fn play(works: &Mutex<Vec<Work>>, seeds: &Range<u64>, arguments: &Arguments) {
    let hours = arguments.hours.map(|hours| Duration::from_secs_f64(hours * 3600.0));
    loop {
        let (index, row, seed) = {
            let mut works = lock(works);
            let open = works.iter_mut().enumerate().filter(|(_, work)| !work.is_given_out(seeds, hours));
            let Some((index, work)) = open.min_by_key(|(_, work)| (work.next_seed, work.sum.simulated)) else { return };
            let seed = work.next_seed;
            work.next_seed += 1;
            work.playing += 1;
            (index, work.row, seed)
        };
        let start = Instant::now();
        let report = campaign::run(row, seed, arguments.verbose);
        tell(row, seed, &report, arguments.verbose);
        let mut works = lock(works);
        let work = &mut works[index];
        work.playing -= 1;
        work.sum.add(&report);
        work.sum.wall += start.elapsed();
        if work.playing == 0 && work.is_given_out(seeds, hours) {
            println!("{}", work.sum.line(row));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(row: Row, seed: u64, report: &Report, verbose: bool) {
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
    if verbose {
        println!("end of row {row}, seed {seed}: fingerprint {:016x}", report.fingerprint);
    }
}

/// Planted bugs: `broker::planted`.
#[cfg(feature = "planted")]
mod planted {
    use std::collections::BTreeMap;
    use std::ops::Range;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use broker::planted::{Bug, plant};
    use tests::campaign::{self, Row};

    /// After it was caught, so many more seeds of all rows tell which other rows see it.
    const SEEDS_AT_LEAST: u64 = 2;

    /// Plants all bugs, or the one that is named, each for itself, and prints a table. False: one was not caught, or there is no such bug.
    pub(super) fn hunt(name: &str, rows: &[Row], seeds: &Range<u64>, jobs: usize) -> bool {
        let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(|bug| name == "all" || format!("{bug:?}") == name).collect();
        std::panic::set_hook(Box::new(|_| {}));
        println!(
            "| bug | caught first by run | of row, seed | as | wall s | by which rows |\n|---|---|---|---|---|---|"
        );
        let (next, caught) = (AtomicUsize::new(0), Mutex::new(0));
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if catch(*bug, rows, seeds) {
                            *super::lock(&caught) += 1;
                        }
                    }
                });
            }
        });
        let caught = caught.into_inner().unwrap_or_default();
        println!("{caught} of {} planted bugs caught", bugs.len());
        !bugs.is_empty() && caught == bugs.len()
    }

    /// One seed of one row in which the bug was seen.
    struct Catch {
        run: u64,
        row: Row,
        seed: u64,
        kind: String,
    }

    fn catch(bug: Bug, rows: &[Row], seeds: &Range<u64>) -> bool {
        let start = Instant::now();
        let mut catches: Vec<Catch> = Vec::new();
        let mut run = 0;
        for seed in seeds.clone() {
            for row in rows {
                plant(Some(bug));
                let told = catch_unwind(AssertUnwindSafe(|| campaign::run(*row, seed, false)));
                plant(None);
                run += 1;
                let kind = match told {
                    Ok(report) if report.anomalies.is_empty() => continue,
                    Ok(report) => report.anomalies[0].kind.to_string(),
                    Err(_) => "a node panicked".to_owned(),
                };
                catches.push(Catch { run, row: *row, seed, kind });
            }
            if !catches.is_empty() && seed + 1 >= seeds.start + SEEDS_AT_LEAST {
                break;
            }
        }
        let wall_s = start.elapsed().as_secs_f64();
        let Some(first) = catches.first() else {
            println!("| {bug:?} | **not caught** in {run} runs | | | {wall_s:.0} | |");
            return false;
        };
        let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for Catch { row, kind, .. } in &catches {
            let rows = by_kind.entry(kind).or_default();
            if !rows.contains(&row.to_string()) {
                rows.push(row.to_string());
            }
        }
        let by: Vec<String> = by_kind.iter().map(|(kind, rows)| format!("{kind}: {}", rows.join(", "))).collect();
        println!(
            "| {bug:?} | {} of {run} | row {}, seed {} | {} | {wall_s:.0} | {} |",
            first.run,
            first.row,
            first.seed,
            first.kind,
            by.join("; ")
        );
        true
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(rows) = Row::parse(&arguments.rows) else {
        eprintln!(
            "--rows takes all, truncation, share, numbers from 1 to 19 and ranges of them, not '{}'",
            arguments.rows
        );
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
        return if planted::hunt(name, &rows, &seeds, arguments.jobs) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let start = Instant::now();
    let work = |row: &Row| Work { row: *row, next_seed: seeds.start, playing: 0, sum: Sum::default() };
    let works = Mutex::new(rows.iter().map(work).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| play(&works, &seeds, &arguments));
        }
    });
    let mut total = Sum::default();
    for work in works.into_inner().unwrap_or_else(PoisonError::into_inner) {
        total.seeds += work.sum.seeds;
        total.simulated += work.sum.simulated;
        total.faults += work.sum.faults;
        total.acknowledged += work.sum.acknowledged;
        total.failed_seeds += work.sum.failed_seeds;
    }
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
