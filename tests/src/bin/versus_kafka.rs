//! Apache Kafka 4.3 ×3 and us ×3 under the same load, in alternation: `cargo run --release -p tests --bin versus_kafka`.
//!
//! Replication factor 3, acks=all, min.insync.replicas 2, 4 partitions. Needs Java 17 and Maven, which fetches Kafka's jars.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::versus::server::{Installed, Kind, Server};
use tests::versus::{VersusError, load, process};

#[derive(Parser)]
struct Arguments {
    /// Rounds; in each, both are started, measured and stopped.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Records of 100 bytes per round; a third as many of 1 KB.
    #[arg(long, default_value_t = 3_000_000)]
    records: u64,
    /// Seconds at 500 records a second.
    #[arg(long, default_value_t = 10)]
    latency_s: u64,
    /// One short round, to see that it works.
    #[arg(long)]
    quick: bool,
}

/// What is measured, with whether more is better.
const MEASURES: [(&str, bool); 18] = [
    ("start, s", false),
    ("memory idle, MB", false),
    ("produce 100 B, records/s", true),
    ("  server CPU, s per million", false),
    ("consume 100 B, records/s", true),
    ("  server CPU, s per million ", false),
    ("produce 1 KB, records/s", true),
    ("  server CPU, s per million  ", false),
    ("consume 1 KB, records/s", true),
    ("  server CPU, s per million   ", false),
    ("latency at 500/s p50, ms", false),
    ("latency at 500/s p99, ms", false),
    ("ProducerPerformance 100 B, records/s", true),
    ("  server CPU, s per million    ", false),
    ("ConsumerPerformance 100 B, records/s", true),
    ("memory after, MB", false),
    ("leader killed until next acknowledgement (session 9 s), s", false),
    ("the same, our lab profile (session 1.5 s), s", false),
];

type Figures = BTreeMap<usize, f64>;

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        (arguments.rounds, arguments.records, arguments.latency_s) = (1, 300_000, 3);
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), VersusError> {
    let installed = Installed::prepare()?;
    let (mut ours, mut kafkas) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        // Who goes first changes with each round.
        let mut order = [Kind::Ours, Kind::Kafka];
        if round % 2 == 0 {
            order.reverse();
        }
        for kind in order {
            let mut figures = measure(&installed, kind, arguments)?;
            if kind == Kind::Ours {
                figures.insert(17, failover(&installed, Kind::OursLab)?);
            }
            eprintln!("  {kind:?}: {}", listed(&figures));
            if kind == Kind::Ours { ours.push(figures) } else { kafkas.push(figures) }
        }
    }
    print_table(&ours, &kafkas);
    Ok(())
}

fn listed(figures: &Figures) -> String {
    let one = |(index, value): (&usize, &f64)| format!("{} = {}", MEASURES[*index].0.trim(), shown(*value));
    figures.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn measure(installed: &Installed, kind: Kind, arguments: &Arguments) -> Result<Figures, VersusError> {
    let mut server = installed.start(kind)?;
    let mut figures = Figures::new();
    figures.insert(0, server.start.as_secs_f64());
    figures.insert(1, megabytes(&server));
    let bootstrap = server.bootstrap_servers.clone();
    // Both warm up: Kafka's first seconds run in the interpreter.
    load::create_topic(&bootstrap, "warm")?;
    load::produce(&bootstrap, "warm", arguments.records / 3, 100)?;
    load::consume(&bootstrap, "warm", arguments.records / 3)?;
    // Before the loads, whose gigabytes the disk writes for a while.
    load::create_topic(&bootstrap, "latency")?;
    let latency = load::latency(&bootstrap, "latency", arguments.latency_s)?;
    figures.insert(10, latency.p50_ms);
    figures.insert(11, latency.p99_ms);
    for (topic, records, bytes, at) in [("small", arguments.records, 100, 2), ("large", arguments.records / 3, 1000, 6)]
    {
        load::create_topic(&bootstrap, topic)?;
        let (took, cpu) = costing(&server, || load::produce(&bootstrap, topic, records, bytes))?;
        insert_rate(&mut figures, at, records, took, cpu);
        let (took, cpu) = costing(&server, || load::consume(&bootstrap, topic, records))?;
        insert_rate(&mut figures, at + 2, records, took, cpu);
    }
    kafkas_own_clients(installed, &server, arguments.records, &mut figures)?;
    figures.insert(15, megabytes(&server));
    figures.insert(16, kill_leader(&mut server)?);
    Ok(figures)
}

fn kafkas_own_clients(
    installed: &Installed,
    server: &Server,
    records: u64,
    figures: &mut Figures,
) -> Result<(), VersusError> {
    load::create_topic(&server.bootstrap_servers, "java")?;
    let count = records.to_string();
    let bootstrap = format!("bootstrap.servers={}", server.bootstrap_servers);
    let (text, cpu) = costing(server, || {
        let arguments = ["--topic", "java", "--num-records", &count, "--record-size", "100", "--throughput", "-1"];
        let properties = [
            "--command-property",
            &bootstrap,
            "acks=all",
            "batch.size=262144",
            "linger.ms=10",
            "buffer.memory=268435456",
        ];
        installed.tool("org.apache.kafka.tools.ProducerPerformance", &[&arguments[..], &properties[..]].concat())
    })?;
    // 3000000 records sent, 512345.6 records/sec (48.8 MB/sec), …
    let rate = text.lines().rev().find_map(|line| line.split(", ").nth(1)?.split(' ').next()?.parse::<f64>().ok());
    figures.insert(12, rate.ok_or_else(|| VersusError::Other(format!("ProducerPerformance said: {text}")))?);
    figures.insert(13, cpu.as_secs_f64() / (records as f64 / 1e6));
    let arguments = [
        "--bootstrap-server",
        &server.bootstrap_servers,
        "--topic",
        "java",
        "--num-records",
        &count,
        "--timeout",
        "60000",
    ];
    let text = installed.tool("org.apache.kafka.tools.ConsumerPerformance", &arguments)?;
    // start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
    let rate = text.lines().rev().find_map(|line| line.split(", ").nth(9)?.trim().parse::<f64>().ok());
    figures.insert(14, rate.ok_or_else(|| VersusError::Other(format!("ConsumerPerformance said: {text}")))?);
    Ok(())
}

fn costing<T>(server: &Server, work: impl FnOnce() -> Result<T, VersusError>) -> Result<(T, Duration), VersusError> {
    let pids = server.pids();
    let before = process::cpu(&pids);
    let result = work()?;
    Ok((result, process::cpu(&pids).saturating_sub(before)))
}

fn insert_rate(figures: &mut Figures, at: usize, records: u64, took: Duration, cpu: Duration) {
    figures.insert(at, records as f64 / took.as_secs_f64().max(1e-9));
    figures.insert(at + 1, cpu.as_secs_f64() / (records as f64 / 1e6));
}

fn megabytes(server: &Server) -> f64 {
    process::rss_bytes(&server.pids()) as f64 / 1e6
}

fn failover(installed: &Installed, kind: Kind) -> Result<f64, VersusError> {
    kill_leader(&mut installed.start(kind)?)
}

fn kill_leader(server: &mut Server) -> Result<f64, VersusError> {
    let bootstrap = server.bootstrap_servers.clone();
    load::create_topic(&bootstrap, "killed")?;
    let leader = load::leader(&bootstrap, "killed")?;
    Ok(load::unavailability(&bootstrap, "killed", || server.kill(leader))?.as_secs_f64())
}

fn median(all: &[Figures], index: usize) -> Option<f64> {
    let mut values: Vec<f64> = all.iter().filter_map(|figures| figures.get(&index)).copied().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn shown(value: f64) -> String {
    match value {
        10_000.0.. => format!("{:.0} k", value / 1000.0),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn print_table(ours: &[Figures], kafkas: &[Figures]) {
    println!("| median of {} | Brokerscope | Apache Kafka 4.3 | ratio, above 1 is better |", ours.len());
    println!("|---|---|---|---|");
    for (index, (name, more_is_better)) in MEASURES.iter().enumerate() {
        let (mine, theirs) = (median(ours, index), median(kafkas, index));
        let ratio = mine.zip(theirs).map(|(mine, theirs)| if *more_is_better { mine / theirs } else { theirs / mine });
        let cell = |value: Option<f64>| value.map_or("–".into(), shown);
        println!("| {} | {} | {} | {} |", name.trim_end(), cell(mine), cell(theirs), cell(ratio));
    }
}
