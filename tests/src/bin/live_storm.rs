//! A storm of faults on a running Brokerscope with its window, while foreign clients are at work:
//! `cargo run -p tests --bin live_storm -- --seconds 120 --faults 40`.

use std::process::ExitCode;

use clap::Parser;
use tests::live_storm::{Wish, run};

#[derive(Parser)]
struct Arguments {
    /// So long faults begin.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// So many, about: what would take the controllers' majority is left out.
    #[arg(long, default_value_t = 40)]
    faults: u32,
    /// Decides which faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Without a window, also where there is a display.
    #[arg(long)]
    headless: bool,
}

fn main() -> ExitCode {
    let Arguments { seconds, faults, seed, headless } = Arguments::parse();
    println!("a storm of {faults} faults in {seconds} s, seed {seed}");
    let report = run(&Wish { seconds: seconds.max(1), faults: faults.max(1), seed, headless });
    for wrong in &report.wrong {
        println!("WRONG: {wrong}");
    }
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
