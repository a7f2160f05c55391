//! Runs the simulated cluster over a range of seeds: `cargo run --release -p tests --bin storm -- --seeds 0..1000`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tests::sim::{self, Plan, Summary};

#[derive(Parser)]
struct Arguments {
    /// First seed and end (exclusive), as 0..1000.
    #[arg(long, default_value = "0..1000")]
    seeds: String,
    /// Simulated seconds of load and faults per seed.
    #[arg(long, default_value_t = 12)]
    storm_s: u64,
    /// Move replicas between five brokers meanwhile, or let brokers come and go.
    #[arg(long)]
    moves: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let range =
        arguments.seeds.split_once("..").and_then(|(a, b)| Some(a.parse::<u64>().ok()?..b.parse::<u64>().ok()?));
    let Some(seeds) = range else {
        eprintln!("--seeds takes a range as 0..1000, not '{}'", arguments.seeds);
        return ExitCode::from(2);
    };
    let (start, count) = (Instant::now(), seeds.end.saturating_sub(seeds.start));
    let (mut total, mut violations) = (Summary::default(), 0);
    for seed in seeds {
        let storm = std::time::Duration::from_secs(arguments.storm_s);
        // Every other seed may lose power, too.
        let brokers = if arguments.moves { 5 } else { Plan::default().brokers };
        let plan = Plan { storm, power_loss: seed % 2 == 1, moves: arguments.moves, brokers, ..Plan::default() };
        match sim::run(seed, &plan) {
            Ok(summary) => {
                total.simulated += summary.simulated;
                total.faults += summary.faults;
                total.moves_completed += summary.moves_completed;
                total.moves_cancelled += summary.moves_cancelled;
                total.brokers_added += summary.brokers_added;
                total.brokers_removed += summary.brokers_removed;
                total.acknowledged += summary.acknowledged;
                total.messages += summary.messages;
            }
            Err(violation) => {
                violations += 1;
                println!("seed {seed}: {violation}");
            }
        }
    }
    println!(
        "{count} seeds, {:.1} simulated hours, {} faults, {} moves completed, {} cancelled, {} brokers added, {} removed, {} acknowledged records, {} messages, {violations} violations, {:.0} s",
        total.simulated.as_secs_f64() / 3600.0,
        total.faults,
        total.moves_completed,
        total.moves_cancelled,
        total.brokers_added,
        total.brokers_removed,
        total.acknowledged,
        total.messages,
        start.elapsed().as_secs_f64()
    );
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
