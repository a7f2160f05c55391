//! What a person asks for. Commands go one way, from the window and the HTTP API to whoever runs the cluster; answers come back as
//! [`Notice`]s and as the next snapshots.

use std::path::PathBuf;

use broker::server::trace::TraceWish;
use serde::{Deserialize, Serialize};

use super::cloudwatch::watch::Change;
use super::files::Save;
use super::inquiry::Query;
use super::logs::Wish;
use super::messages::export::Export;
use super::messages::read::ReadWish;
use super::operation::Operation;
use super::order::Answer;
pub use super::workload::{WorkloadChange, WorkloadSpec};

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Break something.
    InjectFault(FaultRequest),
    /// Heal one fault.
    HealFault(u64),
    /// Heal all faults: stopped, killed and paused nodes run again.
    HealAllFaults,
    /// Start (or resume) a node that was stopped, killed or paused.
    StartNode(i32),
    /// Add a broker.
    AddBroker(NewBroker),
    /// Remove a broker: its replicas move to the others, then it leaves for good.
    RemoveBroker(i32),
    /// A broker that is being removed stays after all.
    KeepBroker(i32),
    /// Add a controller, and make it a voter of the metadata quorum.
    AddController(NewController),
    /// Remove a controller from the voters, and for good.
    RemoveController(i32),
    /// Create a topic; -1 takes the broker's default.
    CreateTopic {
        /// Its name.
        name: String,
        /// How many.
        partitions: i32,
        /// Replicas of each partition.
        replication_factor: i16,
        /// Topic configs that are set.
        configs: Vec<(String, String)>,
    },
    /// Delete a topic.
    DeleteTopic {
        /// Its name.
        name: String,
    },
    /// Do something to topics, groups or configs.
    Operate(Operation),
    /// Ask something; the answer stands in [`super::view::View::inquiries`].
    Inquire(Query),
    /// Read a topic; what is found stands in [`super::view::View::messages`]. `None`: read no more.
    Read(Option<ReadWish>),
    /// Write records to a file; how far it is stands in [`super::view::View::export`]. `None`: no more.
    Export(Option<Export>),
    /// Write a file that a person named.
    Save(Save),
    /// Have a broker read and check every byte of its logs.
    Scrub {
        /// Which; without it, every broker that runs.
        broker: Option<i32>,
    },
    /// Follow a batch on its way through the cluster.
    Trace(TraceOrder),
    /// Start a built-in workload.
    StartWorkload(WorkloadSpec),
    /// Stop one.
    StopWorkload(u64),
    /// Change one while it runs.
    ChangeWorkload {
        /// Which.
        id: u64,
        /// What.
        change: WorkloadChange,
    },
    /// Have a consumer of a workload crash: it is gone, and its group learns of it only when its session times out.
    CrashConsumer {
        /// Whose.
        id: u64,
        /// Which; without it, the first that runs.
        consumer: Option<u32>,
    },
    /// Start consumers of a workload again that crashed.
    ReviveConsumer {
        /// Whose.
        id: u64,
        /// Which; without it, all.
        consumer: Option<u32>,
    },
    /// Write all that is needed to see again what the ledger found.
    ExportLedger(LedgerExport),
    /// Change what is monitored, or alarms.
    Monitoring(Change),
    /// Change levels of loggers, or where logs are delivered to.
    Logs(Wish),
}

/// A reproduction that is to be written, as `POST /api/ledger/ID/export` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerExport {
    /// The workload's.
    pub id: u64,
    /// A folder, in which one of its own is made; without it, beside the cluster's data.
    pub folder: Option<PathBuf>,
}

/// A broker to be added, as `POST /api/brokers` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewBroker {
    /// Its id; without it, the lowest that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<i32>,
    /// Its zone; without it, the one with the fewest brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its client port; without it, as `--kafka-port` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether it gets its share of replicas and leaderships.
    pub rebalance: bool,
}

impl Default for NewBroker {
    fn default() -> NewBroker {
        NewBroker { broker: None, zone: None, port: None, rebalance: true }
    }
}

/// A controller to be added, as `POST /api/controllers` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewController {
    /// Its id; without it, the lowest that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<i32>,
}

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
    /// Node whose messages it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i32>,
    /// Node that they are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i32>,
    /// The other way too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub both_ways: Option<bool>,
    /// How late messages are, or how slow each operation of a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// How much later at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u64>,
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
    /// Decides how much of what was being written survives a loss of power; without it, chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Cuts the last bytes off instead of flipping them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<bool>,
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
            probability: None,
            skew_ms: None,
            log_dir: None,
            operations: None,
            topic: None,
            partition: None,
            seed: None,
            cut_off: None,
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
    /// Both.
    All,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// All brokers of a zone are killed.
    ZoneOutage,
    /// The node's wall clock is wrong.
    ClockSkew,
}

/// The answer to a command, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Whether it worked.
    pub ok: bool,
    /// One sentence.
    pub text: String,
}

impl Notice {
    /// An answer that nobody waits for.
    pub fn of(answer: Answer) -> Notice {
        match answer {
            Ok(done) => Notice { ok: true, text: done.text },
            Err(refusal) => Notice { ok: false, text: refusal.text },
        }
    }
}
/// Which batch is to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceOrder {
    /// The next that is written as wished.
    Follow(TraceWish),
    /// None any more.
    Stop,
}
