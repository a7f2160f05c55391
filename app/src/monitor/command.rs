//! What a person asks for. Commands go one way, from the window and the HTTP API to whoever runs the cluster; answers come back as
//! [`Notice`]s and as the next snapshots.

use std::path::PathBuf;

use broker::server::trace::TraceWish;
use serde::{Deserialize, Serialize};

use super::cloudwatch::watch::Change;
pub use super::fault::{End, FaultKind, FaultRequest, Operations};
use super::files::Save;
use super::inquiry::Query;
use super::logs::Wish;
use super::messages::export::Export;
use super::messages::read::ReadWish;
use super::operation::Operation;
use super::order::Answer;
use super::script::Script;
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
    /// Run a script of faults.
    RunScript(Box<Script>),
    /// Stop one: what it broke is healed.
    StopScript(u64),
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
