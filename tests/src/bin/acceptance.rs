//! The acceptance table on the real thing: `cargo run --release -p tests --bin acceptance -- --rows all --rounds 20`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use tests::acceptance::{Failure, Sum, play_rounds};
use tests::campaign::Row;

#[derive(Parser)]
struct Arguments {
    /// Rows of the acceptance table: `all`, `4`, `4-6`, `10,truncation`.
    #[arg(long, default_value = "all")]
    rows: String,
    /// Rounds of each row.
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Seed of the first round; each next has the next.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Rows played at once, each on a process of its own.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Prints what clients were told, too.
    #[arg(long)]
    verbose: bool,
}

fn tell(row: Row, failure: &Failure) {
    let mut text =
        format!("ANOMALY: row {row}, seed {}, after {:.1} s", failure.seed, failure.report.took.as_secs_f64());
    for anomaly in &failure.report.anomalies {
        text.push_str(&format!("\n    {anomaly}"));
    }
    let seed = failure.seed;
    text.push_str(&format!(
        "\n    again: cargo run --release -p tests --bin acceptance -- --rows {row} --seed {seed} --rounds 1"
    ));
    if failure.data_dir != Path::new("") {
        let diary = failure.data_dir.join("diary.txt");
        let kept = std::fs::write(&diary, failure.report.diary.join("\n"));
        let diary = kept.map_or_else(|error| error.to_string(), |()| diary.display().to_string());
        text.push_str(&format!("\n    what happened: {diary}; the cluster's files lie beside it"));
    }
    println!("{text}");
}

/// The processes under test have this program's environment.
#[cfg(feature = "planted")]
fn say_what_is_planted() -> Result<(), String> {
    use broker::planted::{Bug, ENVIRONMENT};
    let name =
        std::env::var(ENVIRONMENT).map_err(|_| format!("{ENVIRONMENT} must name a bug, such as AckBeforeIsr"))?;
    let bug = Bug::named(&name).ok_or_else(|| format!("{ENVIRONMENT}: there is no bug '{name}' in broker::planted"))?;
    println!("planted: {bug:?}; anomalies are what should come");
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(rows) = Row::parse(&arguments.rows).filter(|rows| !rows.is_empty()) else {
        eprintln!("--rows takes all, truncation, numbers from 1 to 19 and ranges of them, not '{}'", arguments.rows);
        return ExitCode::from(2);
    };
    #[cfg(feature = "planted")]
    if let Err(what) = say_what_is_planted() {
        eprintln!("{what}");
        return ExitCode::from(2);
    }
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    let sums: Mutex<Vec<Sum>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.clamp(1, rows.len()) {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sum = play_rounds(*row, arguments.seed, arguments.rounds, &mut |failure| tell(*row, failure));
                    println!("{}", sum.line(*row));
                    if arguments.verbose {
                        println!("    {:?}", sum.told);
                    }
                    sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(sum);
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let total = |of: fn(&Sum) -> u64| sums.iter().map(of).sum::<u64>();
    let failed = total(|sum| sum.failed);
    println!(
        "{} rounds, {} faults, {} acknowledged records, {} operations, {failed} rounds with anomalies, {:.0} s",
        total(|sum| sum.rounds),
        total(|sum| sum.faults),
        total(|sum| sum.acknowledged),
        total(|sum| sum.operations),
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
