//! The same requests to Apache Kafka 4.3 ×3 and to us ×3: `cargo run --release -p tests --bin conformance`.
//!
//! Needs Java 17 and Maven, which fetches Kafka's jars. Exits with 1 if there is a difference that nothing explains.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tests::conformance::cases::{self, Case};
use tests::conformance::clusters::{self, Kafka};
use tests::conformance::side::{Exchange, Side};
use tests::conformance::{ConformanceError, advertised, compare, definitions, golden, known};

#[derive(Parser)]
struct Arguments {
    /// Cases whose name contains one of these words only.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Write Kafka's answers to the golden files: those of the cases and exchanges that `cargo test` plays.
    #[arg(long)]
    record: bool,
    /// Keep all of Kafka's answers in a directory.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Take Kafka's answers from such a directory instead of asking it.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Each unexplained difference by itself, too.
    #[arg(long)]
    verbose: bool,
    /// Keep the directory with Kafka's logs.
    #[arg(long)]
    keep_kafka: bool,
    /// Read Kafka's message definitions from its jar anew.
    #[arg(long)]
    write_schemas: bool,
    /// Write the list of APIs into broker/README.md, and the differences that have a reason and the table of error codes into tests/README.md.
    #[arg(long)]
    write_tables: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, ConformanceError> {
    if arguments.write_schemas {
        return write_schemas();
    }
    if arguments.write_tables {
        return advertised::write().map(|()| true);
    }
    if arguments.record && !arguments.only.is_empty() {
        return Err(ConformanceError::Step("--record is of all cases, so that it cannot stand with --only".into()));
    }
    let chosen =
        |case: &&Case| arguments.only.is_empty() || arguments.only.iter().any(|word| case.name.contains(word.as_str()));
    let cases: Vec<&Case> = cases::all().filter(chosen).collect();
    let (kafka, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| kafkas(arguments, &cases));
        let ours = ours(&cases);
        let theirs = theirs.join().unwrap_or_else(|_| Err(ConformanceError::Step("Kafka's side panicked".into())));
        Ok::<_, ConformanceError>((theirs?, ours?))
    })?;
    if let Some(dir) = &arguments.keep {
        golden::write(dir, &kafka)?;
    }
    if arguments.record {
        golden::write(&golden::dir(), &golden::chosen(&kafka))?;
    }
    let report = compare::compare(&kafka, &ours);
    print(&report, arguments.verbose);
    Ok(report.red.is_empty())
}

fn kafkas(arguments: &Arguments, cases: &[&Case]) -> Result<Vec<Exchange>, ConformanceError> {
    if let Some(dir) = &arguments.against {
        let mut exchanges = golden::read(dir)?;
        exchanges.retain(|exchange| cases.iter().any(|case| exchange.key.contains(&format!(" {}: ", case.name))));
        return Ok(exchanges);
    }
    let kafka = Kafka::start(arguments.keep_kafka)?;
    if arguments.keep_kafka {
        eprintln!("Kafka's logs are in {}", kafka.dir.display());
    }
    play("Kafka", &kafka.bootstrap_servers, cases)
}

fn ours(cases: &[&Case]) -> Result<Vec<Exchange>, ConformanceError> {
    let serve = clusters::start_ours();
    play("ours", &serve.bootstrap_servers, cases)
}

fn play(who: &str, bootstrap_servers: &str, cases: &[&Case]) -> Result<Vec<Exchange>, ConformanceError> {
    let mut side = Side::connect(bootstrap_servers)?;
    for case in cases {
        let (began, before) = (std::time::Instant::now(), side.exchanges.len());
        side.play(case.name, case.play);
        let asked = side.exchanges.len() - before;
        eprintln!("{who}: {}, {asked} exchanges, {:.1} s", case.name, began.elapsed().as_secs_f64());
    }
    Ok(side.exchanges)
}

fn print(report: &compare::Report, verbose: bool) {
    if verbose {
        for one in &report.red {
            println!("{} {}: Kafka {}, ours {}", one.key, one.path, one.kafka, one.ours);
        }
        println!();
    }
    for known in known::KNOWN {
        let count = report.explained.get(known.id).map_or(0, Vec::len);
        println!("explained: {} ({count} fields): {}", known.id, known.reason);
    }
    let lines = report.lines();
    for line in &lines {
        println!("RED {line}");
    }
    println!(
        "{} exchanges, {} the same, {} explained fields, {} unexplained fields in {} groups",
        report.exchanges,
        report.same,
        report.explained.values().map(Vec::len).sum::<usize>(),
        report.red.len(),
        lines.len()
    );
}

fn write_schemas() -> Result<bool, ConformanceError> {
    let jar = tests::versus::server::kafka_jars()?.join("kafka-clients-4.3.0.jar");
    let text = definitions::from_jar(&jar)?;
    let file = tests::serve::root().join("tests/src/conformance/schemas.txt");
    let written = std::fs::write(&file, text);
    written.map(|()| true).map_err(|source| ConformanceError::Io { what: file.display().to_string(), source })
}
