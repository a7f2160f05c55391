//! How much a line matters.

use std::fmt;

/// From the least important to the most; `ERROR` and `FATAL` are ours to read, `TRACE` and `DEBUG` to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[repr(u8)]
pub enum Level {
    /// Every step.
    Trace,
    /// What happens in normal work, by the request.
    Debug,
    /// What changes.
    Info,
    /// What is unusual and is coped with.
    Warn,
    /// What failed.
    Error,
    /// What the node dies of.
    Fatal,
}

impl Level {
    /// All, the least important first.
    pub const ALL: [Level; 6] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

    /// As Kafka writes it: `INFO`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }

    /// By its name, in capitals, as Kafka wants it.
    pub fn of(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
