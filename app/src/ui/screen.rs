//! The screens by name.

use std::fmt;
use std::str::FromStr;

/// The screens, by the names that `brokerscope screenshot --screen` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Screen {
    /// What this is, how to connect, what to try.
    Start,
    /// Zones, nodes and the partition map.
    #[default]
    Cluster,
    /// All topics.
    Topics,
    /// One topic's partitions.
    Topic,
    /// Consumer groups.
    Groups,
    /// Brokers: load, disks, configs.
    Brokers,
    /// Voters, the metadata log, and what it adds up to.
    Quorum,
    /// Connections, requests, one batch on its way.
    Wire,
    /// Built-in producers and consumers.
    Workloads,
    /// What is broken, was broken, and is to be broken by a script.
    Faults,
    /// What acknowledged records were worth.
    Ledger,
    /// Charts.
    Metrics,
    /// What is watched, and rings.
    Alarms,
    /// What happened.
    Events,
    /// What the nodes write down.
    Logs,
    /// All widgets in all states: for those who build screens, and not in the nav.
    Gallery,
}

impl Screen {
    /// All that one can go to.
    pub const ALL: [Screen; 15] = [
        Screen::Start,
        Screen::Cluster,
        Screen::Topics,
        Screen::Topic,
        Screen::Groups,
        Screen::Brokers,
        Screen::Quorum,
        Screen::Wire,
        Screen::Workloads,
        Screen::Faults,
        Screen::Ledger,
        Screen::Metrics,
        Screen::Alarms,
        Screen::Events,
        Screen::Logs,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Screen::Start => "start",
            Screen::Cluster => "cluster",
            Screen::Topics => "topics",
            Screen::Topic => "topic",
            Screen::Groups => "groups",
            Screen::Brokers => "brokers",
            Screen::Quorum => "quorum",
            Screen::Wire => "wire",
            Screen::Workloads => "workloads",
            Screen::Faults => "faults",
            Screen::Ledger => "ledger",
            Screen::Metrics => "metrics",
            Screen::Alarms => "alarms",
            Screen::Events => "events",
            Screen::Logs => "logs",
            Screen::Gallery => "gallery",
        }
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no screen of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no screen '{0}': choose {names}", names = names())]
pub struct UnknownScreen(pub String);

/// `cluster, topics or logs`.
fn names() -> String {
    let names = Screen::ALL.map(Screen::name);
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

impl FromStr for Screen {
    type Err = UnknownScreen;

    fn from_str(name: &str) -> Result<Screen, UnknownScreen> {
        Screen::ALL
            .into_iter()
            .chain([Screen::Gallery])
            .find(|screen| screen.name() == name)
            .ok_or_else(|| UnknownScreen(name.to_owned()))
    }
}
