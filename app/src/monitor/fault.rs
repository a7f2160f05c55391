//! A fault as it is asked for, over HTTP, in a script or in the window.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fault, as `POST /api/faults` takes it. Which fields a kind takes is said in `source::plan`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// What.
    pub kind: FaultKind,
    /// Broker that it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<i32>,
    /// Controller that it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<i32>,
    /// Zone that it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whose messages it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<End>,
    /// Whom they are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<End>,
    /// The other way too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub both_ways: Option<bool>,
    /// How late messages are, how slow each operation of a disk, or how long a consumer takes over each record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// How much later at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u64>,
    /// How many bytes pass in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<u64>,
    /// Share of messages that is lost, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How far a wall clock is ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<i64>,
    /// One log directory of the node, by its path or the end of it (`disk-2`); without it, its whole disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_dir: Option<String>,
    /// Which operations of a disk fail; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Operations>,
    /// Only logs of this topic; without it, of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Only this partition of the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// Decides how much of what was being written survives a loss of power, and which bit rots; without it, chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Cuts the last bytes off instead of flipping them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<bool>,
    /// Built-in workload whose client it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<u64>,
    /// Which of its consumers; without it, the first that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<u32>,
    /// Which of its producers; without it, the first that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<u32>,
    /// Heals by itself after this long; without it, until healed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl FaultRequest {
    /// A fault of which nothing but the kind is said.
    pub fn new(kind: FaultKind) -> FaultRequest {
        FaultRequest {
            kind,
            broker: None,
            controller: None,
            zone: None,
            from: None,
            to: None,
            both_ways: None,
            delay_ms: None,
            jitter_ms: None,
            bytes_per_s: None,
            probability: None,
            skew_ms: None,
            log_dir: None,
            operations: None,
            topic: None,
            partition: None,
            seed: None,
            cut_off: None,
            workload: None,
            consumer: None,
            producer: None,
            duration_ms: None,
        }
    }
}

/// Operations of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operations {
    /// Reads.
    Reads,
    /// Writes, syncs, and changes of names.
    Writes,
    /// Syncs alone: what is written is there, and may not survive.
    Syncs,
    /// All of them.
    All,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Controlled shutdown (SIGTERM).
    Stop,
    /// The runtime is dropped where it stands (SIGKILL).
    Kill,
    /// A kill, after which files lose the bytes that were not synced.
    PowerLoss,
    /// The node's thread blocks (SIGSTOP): sockets accept, nobody answers.
    Pause,
    /// No message between the node and any other passes; clients still reach it.
    Isolate,
    /// No message passes from one node to another.
    Cut,
    /// Messages from one node to another are late.
    Delay,
    /// Only so many bytes per second pass from one node to another.
    Bandwidth,
    /// A share of the messages from one node to another is lost.
    Drop,
    /// Each operation of the node's disk takes longer.
    SlowDisk,
    /// Nothing can grow on the node's disk.
    DiskFull,
    /// Operations of the node's disk fail.
    DiskError,
    /// A kill, after which the last bytes of its logs are damaged.
    CorruptTail,
    /// A bit of one log on the node's disk flips, while it runs.
    BitRot,
    /// All brokers of a zone are killed.
    ZoneOutage,
    /// The node's wall clock is wrong.
    ClockSkew,
    /// A workload's consumers take longer over each record.
    SlowConsumer,
    /// A workload's consumer is gone without leaving its group.
    CrashConsumer,
    /// A workload's producer stands still in its transaction, another takes its place, and then it goes on.
    ZombieProducer,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 19] = [
        FaultKind::Stop,
        FaultKind::Kill,
        FaultKind::PowerLoss,
        FaultKind::Pause,
        FaultKind::ZoneOutage,
        FaultKind::Isolate,
        FaultKind::Cut,
        FaultKind::Delay,
        FaultKind::Bandwidth,
        FaultKind::Drop,
        FaultKind::SlowDisk,
        FaultKind::DiskFull,
        FaultKind::DiskError,
        FaultKind::CorruptTail,
        FaultKind::BitRot,
        FaultKind::ClockSkew,
        FaultKind::SlowConsumer,
        FaultKind::CrashConsumer,
        FaultKind::ZombieProducer,
    ];

    /// As the HTTP API and scripts name it.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Stop => "stop",
            FaultKind::Kill => "kill",
            FaultKind::PowerLoss => "power_loss",
            FaultKind::Pause => "pause",
            FaultKind::Isolate => "isolate",
            FaultKind::Cut => "cut",
            FaultKind::Delay => "delay",
            FaultKind::Bandwidth => "bandwidth",
            FaultKind::Drop => "drop",
            FaultKind::SlowDisk => "slow_disk",
            FaultKind::DiskFull => "disk_full",
            FaultKind::DiskError => "disk_error",
            FaultKind::CorruptTail => "corrupt_tail",
            FaultKind::BitRot => "bit_rot",
            FaultKind::ZoneOutage => "zone_outage",
            FaultKind::ClockSkew => "clock_skew",
            FaultKind::SlowConsumer => "slow_consumer",
            FaultKind::CrashConsumer => "crash_consumer",
            FaultKind::ZombieProducer => "zombie_producer",
        }
    }
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A node, by its id.
    Node(i32),
    /// `clients`: all clients of the broker at the other end.
    Clients,
}

impl End {
    /// What clients are called.
    pub const CLIENTS: &'static str = "clients";

    /// The node, if it is one.
    pub fn node(self) -> Option<i32> {
        match self {
            End::Node(id) => Some(id),
            End::Clients => None,
        }
    }
}

impl From<i32> for End {
    fn from(id: i32) -> End {
        End::Node(id)
    }
}

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            End::Node(id) => serializer.serialize_i32(*id),
            End::Clients => serializer.serialize_str(End::CLIENTS),
        }
    }
}

struct EndVisitor;

impl Visitor<'_> for EndVisitor {
    type Value = End;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node's id, or \"clients\"")
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<End, E> {
        i32::try_from(id).map(End::Node).map_err(|_| E::invalid_value(de::Unexpected::Signed(id), &self))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<End, E> {
        i32::try_from(id).map(End::Node).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(id), &self))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<End, E> {
        // YAML has numbers that look like words to a reader that does not know what is expected.
        match (word, word.parse()) {
            (End::CLIENTS, _) => Ok(End::Clients),
            (_, Ok(id)) => Ok(End::Node(id)),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<End, D::Error> {
        deserializer.deserialize_any(EndVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ends_are_ids_or_the_word_clients() {
        let request = |from| json!({"kind": "cut", "from": from, "to": 2});
        for (from, end) in [(json!(1), End::Node(1)), (json!("clients"), End::Clients)] {
            let read: FaultRequest = serde_json::from_value(request(from.clone())).unwrap();
            assert_eq!((read.from, read.to), (Some(end), Some(End::Node(2))));
            assert_eq!(serde_json::to_value(&read).unwrap(), request(from));
        }
        for from in [json!("everybody"), json!(1.5), json!(i64::MAX), json!([1])] {
            let error = serde_json::from_value::<FaultRequest>(request(from)).unwrap_err().to_string();
            assert!(error.contains("a node's id, or \"clients\""), "{error}");
        }
    }

    #[test]
    fn kinds_are_called_as_they_are_written() {
        for kind in FaultKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.name()));
        }
    }
}
