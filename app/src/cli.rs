//! The command line (design.md, section 10).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::monitor::cloudwatch::catalog::Level;
use broker::metadata::config::{NodeConfig, parse_assignment, parse_properties};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A desktop window on a real Kafka-compatible cluster that runs inside it.
///
/// Without a subcommand the window opens on a running cluster; any Kafka client connects to it. Where there is no display, the cluster runs
/// as with `serve`.
#[derive(Debug, Parser)]
#[command(name = "brokerscope", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of opening the window.
    #[command(subcommand)]
    pub command: Option<Subcommands>,
    /// The cluster behind the window.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// What there is beside the window.
#[derive(Debug, Subcommand)]
pub enum Subcommands {
    /// Run the same cluster without a window, until SIGINT or SIGTERM.
    Serve(ServeArgs),
    /// Open a recording: every screen as it was, without a cluster.
    Open(OpenArgs),
    /// Start a cluster under load and write a picture of a screen. Needs no display.
    Screenshot(ScreenshotArgs),
}

/// The cluster without a window.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Run a script of faults (YAML) when the cluster takes writes, and print its verdicts.
    #[arg(long, value_name = "FILE.yaml")]
    pub faults: Option<PathBuf>,
}

/// A recording.
#[derive(Clone, Debug, Args)]
pub struct OpenArgs {
    /// As it was saved from the window, or by GET /api/history/recording.
    #[arg(value_name = "FILE.brokerscope")]
    pub file: PathBuf,
    /// Write a picture instead of opening the window; needs no display.
    #[arg(long, value_name = "FILE.png")]
    pub out: Option<PathBuf>,
    /// Screen to show in it.
    #[arg(long, value_name = "NAME", default_value = "cluster", requires = "out")]
    pub screen: String,
    /// Which time to show in it, ms since 1970. [default: the last]
    #[arg(long, value_name = "MS", requires = "out")]
    pub at_ms: Option<i64>,
}

/// Sets of timings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// Short time-outs: a killed broker is noticed within two seconds.
    Lab,
    /// Apache Kafka's defaults.
    Kafka,
    /// Amazon MSK's defaults.
    Msk,
}

impl ProfileArg {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ProfileArg::Lab => "lab",
            ProfileArg::Kafka => "kafka",
            ProfileArg::Msk => "msk",
        }
    }
}

/// What the cluster is made of and where it listens.
#[derive(Clone, Debug, Args)]
pub struct ClusterArgs {
    /// Brokers, numbered from 1.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub brokers: u32,
    /// Controllers, numbered from 3000.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub controllers: u32,
    /// Availability zones that the brokers are spread over.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub zones: u32,
    /// Log directories (disks) of each broker.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub log_dirs: u32,
    /// Where the data lives; what is there is used. [default: the platform's data directory]
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub data_dir: Option<PathBuf>,
    /// Keep the data in a temporary directory that is removed at the end.
    #[arg(long)]
    pub ephemeral: bool,
    /// Port of broker 1; broker i listens on PORT+i-1; 0 picks free ports.
    #[arg(long, value_name = "PORT", default_value_t = 9092)]
    pub kafka_port: u16,
    /// Port of the HTTP API; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 11001)]
    pub http_port: u16,
    /// Loopback address that everything listens on.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind: IpAddr,
    /// Timings and defaults.
    #[arg(long, value_enum, default_value_t = ProfileArg::Lab)]
    pub profile: ProfileArg,
    /// Kafka broker configs, as a Java properties file.
    #[arg(long, value_name = "FILE.properties")]
    pub config: Option<PathBuf>,
    /// One Kafka broker config; wins over the file. May be given often.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Which of Amazon MSK's metrics are kept: DEFAULT, PER_BROKER, PER_TOPIC_PER_BROKER or PER_TOPIC_PER_PARTITION.
    /// [default: as it was last in this data directory, else PER_BROKER]
    #[arg(long, value_name = "LEVEL")]
    pub monitoring_level: Option<Level>,
    /// Deliver brokers' logs to this folder every five minutes, as Amazon MSK delivers them to S3.
    #[arg(long, value_name = "DIR")]
    pub deliver_logs: Option<PathBuf>,
    /// Written when the cluster takes writes: {"bootstrap_servers":"…","http":"http://…","pid":…}.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

impl ClusterArgs {
    /// An ephemeral cluster on free ports, with the defaults for the rest.
    pub fn throwaway() -> ClusterArgs {
        ClusterArgs {
            brokers: 3,
            controllers: 3,
            zones: 3,
            log_dirs: 1,
            data_dir: None,
            ephemeral: true,
            kafka_port: 0,
            http_port: 0,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            profile: ProfileArg::Lab,
            config: None,
            set: Vec::new(),
            monitoring_level: None,
            deliver_logs: None,
            ready_file: None,
        }
    }

    /// Refuses what clap cannot see, in one sentence; gives the broker configs that were asked for.
    ///
    /// # Errors
    /// One sentence: bad usage.
    pub fn overrides(&self) -> Result<BTreeMap<String, String>, String> {
        if !self.bind.is_loopback() {
            return Err(format!(
                "--bind {} is refused: beyond loopback the listeners need authentication, which this version does not have",
                self.bind
            ));
        }
        let last_port = u64::from(self.kafka_port) + u64::from(self.brokers) - 1;
        if self.kafka_port != 0 && last_port > u64::from(u16::MAX) {
            return Err(format!("--kafka-port {} leaves no ports for {} brokers", self.kafka_port, self.brokers));
        }
        if self.kafka_port != 0 && (u64::from(self.kafka_port)..=last_port).contains(&u64::from(self.http_port)) {
            return Err(format!("--http-port {} is one of the brokers' ports; choose another", self.http_port));
        }
        let mut overrides = match &self.config {
            None => BTreeMap::new(),
            Some(path) => {
                let in_file = |what: String| format!("--config {}: {what}", path.display());
                let text = std::fs::read_to_string(path).map_err(|error| in_file(error.to_string()))?;
                parse_properties(&text).map_err(|error| in_file(error.to_string()))?
            }
        };
        for assignment in &self.set {
            let (key, value) = parse_assignment(assignment).map_err(|error| format!("--set: {error}"))?;
            overrides.insert(key, value);
        }
        NodeConfig::new(1, "check", overrides.clone()).map_err(|error| error.to_string())?;
        Ok(overrides)
    }
}

/// A picture.
#[derive(Clone, Debug, Args)]
pub struct ScreenshotArgs {
    /// Screen to show: cluster, topics, topic (also topic-messages, topic-configs, topic-producers), groups, metrics (also metrics-13, metrics-all, metrics-explorer, metrics-mbeans), alarms, events,
    /// logs or gallery (all widgets).
    #[arg(long, value_name = "NAME", requires = "out", required_unless_present = "all")]
    pub screen: Option<String>,
    /// File to write.
    #[arg(long, value_name = "FILE.png", requires = "screen")]
    pub out: Option<PathBuf>,
    /// Write all screens, as DIR/SCREEN.png.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["screen", "out"])]
    pub all: Option<PathBuf>,
    /// Size in points.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1600x1000", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pixels per point: 2 for sharp pictures.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_scale)]
    pub scale: f32,
    /// Dark or light.
    #[arg(long, value_enum, default_value_t = ThemeArg::Dark)]
    pub theme: ThemeArg,
    /// Seconds of load before the picture is taken.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub after: u64,
    /// Kill this broker five seconds before the picture is taken.
    #[arg(long, value_name = "BROKER")]
    pub kill: Option<i32>,
}

/// Themes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// For long days.
    Dark,
    /// For bright rooms.
    Light,
}

/// Largest side of a picture.
const SIDE_MAX: u32 = 8192;

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| (200..=SIDE_MAX).contains(side));
    let (width, height) = text.split_once('x').ok_or("WIDTHxHEIGHT is expected, as 1600x1000")?;
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok((width, height)),
        _ => Err(format!("width and height are between 200 and {SIDE_MAX}")),
    }
}

fn parse_scale(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|scale| (0.5..=4.0).contains(scale))
        .ok_or_else(|| "a factor from 0.5 to 4 is expected".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, i32> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.exit_code())
    }

    fn serve(options: &str) -> ClusterArgs {
        match parse(&format!("brokerscope serve {options}")).unwrap().command {
            Some(Subcommands::Serve(args)) => args.cluster,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_contracts() {
        let Cli { command, cluster } = parse("brokerscope").unwrap();
        assert!(command.is_none());
        for args in [cluster, serve("")] {
            assert_eq!((args.brokers, args.controllers, args.zones), (3, 3, 3));
            assert_eq!((args.kafka_port, args.http_port, args.log_dirs), (9092, 11001, 1));
            assert_eq!(
                (args.bind.to_string().as_str(), args.profile, args.ephemeral),
                ("127.0.0.1", ProfileArg::Lab, false)
            );
            assert_eq!(args.overrides(), Ok(BTreeMap::new()));
        }
    }

    #[test]
    fn options_stand_before_or_after_serve_only() {
        assert_eq!(parse("brokerscope --brokers 5 --ephemeral").unwrap().cluster.brokers, 5);
        assert_eq!(serve("").monitoring_level, None);
        let level = serve("--monitoring-level PER_TOPIC_PER_PARTITION").monitoring_level;
        assert_eq!(level, Some(Level::PerTopicPerPartition));
        assert_eq!(serve("--brokers 5 --kafka-port 0 --http-port 0 --ephemeral").brokers, 5);
        for line in [
            "brokerscope --brokers 5 serve",
            "brokerscope --brokers 0",
            "brokerscope --brokers -1",
            "brokerscope --kafka-port 65536",
            "brokerscope --profile fast",
            "brokerscope --monitoring-level some",
            "brokerscope --bind nowhere",
            "brokerscope --data-dir x --ephemeral",
            "brokerscope attach",
            "brokerscope open",
            "brokerscope open x.brokerscope --at-ms 5",
            "brokerscope nonsense",
            "brokerscope screenshot",
            "brokerscope screenshot --screen cluster",
            "brokerscope screenshot --out x.png",
            "brokerscope screenshot --screen cluster --out x.png --size 1x1",
            "brokerscope screenshot --screen cluster --out x.png --size wide",
            "brokerscope screenshot --screen cluster --out x.png --theme blue",
            "brokerscope screenshot --all d --screen cluster --out x.png",
        ] {
            assert_eq!(parse(line).map(drop), Err(2), "{line}");
        }
        assert_eq!(parse("brokerscope --help").map(drop), Err(0));
        assert_eq!(parse("brokerscope serve --help").map(drop), Err(0));
        assert_eq!(parse("brokerscope --version").map(drop), Err(0));
    }

    #[test]
    fn screenshots() {
        let line = "brokerscope screenshot --screen groups --out g.png --size 1200x800 --theme light";
        let Some(Subcommands::Screenshot(args)) = parse(line).unwrap().command else { panic!("no screenshot") };
        assert_eq!((args.size, args.theme), ((1200, 800), ThemeArg::Light));
        assert!(parse("brokerscope screenshot --all screenshots").is_ok());
    }

    #[test]
    fn configs_are_checked_and_the_command_line_wins() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"num.partitions=4\nlog.segment.bytes=1048576\n").unwrap();
        let path = file.path().display();
        let overrides = serve(&format!("--config {path} --set num.partitions=8")).overrides().unwrap();
        assert_eq!(overrides["num.partitions"], "8");
        assert_eq!(overrides["log.segment.bytes"], "1048576");
        for (options, expected) in [
            ("--set num.partitions", "KEY=VALUE"),
            ("--set num.partitions=many", "num.partitions"),
            ("--set no.such.key=1", "no.such.key"),
            ("--config /does/not/exist", "/does/not/exist"),
            ("--bind 0.0.0.0", "authentication"),
            ("--kafka-port 65534 --brokers 3", "65534"),
            ("--kafka-port 11000", "11001"),
        ] {
            let error = serve(options).overrides().unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{options}: {error}");
        }
        assert!(serve("--kafka-port 65533 --brokers 3").overrides().is_ok());
    }
}
