//! The durability ledger as data: what was promised of each acknowledged record, what became of it, and whether that was allowed.

use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

use serde::Serialize;

/// Losses that are named one by one in a view, of each workload.
pub const LOSSES_NAMED_MAX: usize = 200;

/// Losses that the watch over foreign clients keeps, the newest.
pub const VANISHED_MAX: usize = 200;

/// What a record was acknowledged by.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Acks {
    /// The leader alone.
    #[serde(rename = "1")]
    Leader,
    /// All in-sync replicas.
    #[serde(rename = "all")]
    All,
}

impl Acks {
    /// As Kafka's clients have it.
    pub const fn name(self) -> &'static str {
        match self {
            Acks::Leader => "1",
            Acks::All => "all",
        }
    }
}

/// What can be wrong with a history: `jepsen.tests.kafka`'s anomalies, as far as producers and consumers apart from each other can have them.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Acknowledged, and passed over by a reader, or another record stands in its place.
    LostWrite,
    /// Acknowledged, and not there when all was read again from the beginning.
    Unseen,
    /// Two records at one offset.
    InconsistentOffsets,
    /// One record at two offsets.
    Duplicate,
    /// A record that was refused or aborted was read, or one that nobody sent.
    AbortedRead,
    /// A record was read as committed before its transaction was.
    PrecommittedRead,
    /// A reader passed over a record that is there.
    PollSkip,
    /// A reader was given older records again.
    NonmonotonicPoll,
    /// A producer's records stand in another order than it sent them.
    NonmonotonicSend,
    /// A record is not as it was sent: its checksum differs.
    Damaged,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] = [
        Kind::LostWrite,
        Kind::Unseen,
        Kind::InconsistentOffsets,
        Kind::Duplicate,
        Kind::AbortedRead,
        Kind::PrecommittedRead,
        Kind::PollSkip,
        Kind::NonmonotonicPoll,
        Kind::NonmonotonicSend,
        Kind::Damaged,
    ];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::LostWrite => "lost write",
            Kind::Unseen => "unseen",
            Kind::InconsistentOffsets => "inconsistent offsets",
            Kind::Duplicate => "duplicate",
            Kind::AbortedRead => "aborted read",
            Kind::PrecommittedRead => "precommitted read",
            Kind::PollSkip => "poll skip",
            Kind::NonmonotonicPoll => "nonmonotonic poll",
            Kind::NonmonotonicSend => "nonmonotonic send",
            Kind::Damaged => "damaged",
        }
    }
}

/// How far the reading is.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Readers follow the producers.
    #[default]
    Following,
    /// The producers have ended; all is read once more, from the beginning.
    Draining,
    /// That is done.
    Verified,
    /// It could not be done to the end.
    Unfinished,
}

/// What is to be thought of it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    #[default]
    Green,
    /// Something was lost that could be lost by what was promised, or could not be verified.
    Allowed,
    /// Something is missing, and what took it is not told yet.
    Looking,
    /// A promise was broken.
    Red,
}

/// An event that had a part in a loss.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRef {
    /// As in `GET /api/events`.
    pub seq: u64,
    /// Wall clock.
    pub at_ms: i64,
    /// One sentence.
    pub text: String,
    /// Why, in one sentence.
    pub cause: String,
}

/// A fault that had a part in a loss.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultRef {
    /// As in `GET /api/faults`.
    pub id: u64,
    /// `kill`, `power_loss`, …
    pub kind: String,
    /// `broker 2 is killed`.
    pub what: String,
    /// When it began.
    pub since_ms: i64,
    /// When it ended; `None`: it is in force.
    pub ended_ms: Option<i64>,
}

/// A replica that held a record, and how that is known.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Broker.
    pub node_id: i32,
    /// In a few words.
    pub how: String,
}

/// A record by its names.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecordRef {
    /// Producer within the workload.
    pub producer: u32,
    /// Its number.
    pub sequence: u64,
    /// Offset at which it was acknowledged; `None`: that was not told, or is not known any more.
    pub offset: Option<i64>,
    /// When it was acknowledged; `None`: that is not known any more.
    pub acknowledged_ms: Option<i64>,
}

/// Acknowledged records of one partition, one behind the other, that are gone for one reason.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct NamedLoss {
    /// Within the workload, from 1.
    pub number: u64,
    /// `lost_write` or `unseen`.
    pub kind: Kind,
    /// Partition; -1: not known any more.
    pub partition: i32,
    /// How many records.
    pub records: u64,
    /// The first of them.
    pub first: RecordRef,
    /// The last of them.
    pub last: RecordRef,
    /// What they were acknowledged by.
    pub acks: Acks,
    /// Who led when they were acknowledged; -1: not known.
    pub leader: i32,
    /// In which epoch; -1: not known.
    pub leader_epoch: i32,
    /// In-sync replicas at that time.
    pub isr: Vec<i32>,
    /// `min.insync.replicas` at that time.
    pub min_isr: i32,
    /// When the loss was found.
    pub found_ms: i64,
    /// Replicas that held them.
    pub held: Vec<Held>,
    /// What took them, in the order in which it happened.
    pub events: Vec<EventRef>,
    /// Faults that had a part in it.
    pub faults: Vec<FaultRef>,
    /// Whether what was promised allows it.
    pub allowed: bool,
    /// Row of the acceptance table; `None`: no row is about that.
    pub row: Option<u8>,
    /// That row in words.
    pub row_name: String,
    /// All of it in a few sentences.
    pub story: String,
}

/// How often an anomaly was found.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct AnomalyCount {
    /// Which.
    pub kind: Kind,
    /// How often.
    pub count: u64,
    /// How often no promise allows it.
    pub unexplained: u64,
    /// The first, in a sentence.
    pub first: String,
}

/// What the ledger says of one workload.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Serialize)]
pub struct LedgerStatus {
    /// The workload's.
    pub id: u64,
    /// Its topic.
    pub topic: String,
    /// How far the reading is.
    pub stage: Stage,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// That in a sentence.
    pub words: String,
    /// Handed to the client library.
    pub sent: u64,
    /// Acknowledged; of a transaction, once that is committed.
    pub acked: u64,
    /// Neither acknowledged nor certainly failed, with those on their way.
    pub unknown: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Of transactions that were aborted.
    pub aborted: u64,
    /// Of these, read by the reader that reads everything.
    pub read: u64,
    /// Read by the reader that reads what is committed.
    pub read_committed: u64,
    /// Acknowledged and gone.
    pub lost: u64,
    /// Of these, gone as what was promised allows.
    pub lost_allowed: u64,
    /// Read at more than one offset.
    pub duplicated: u64,
    /// Read in another order than sent.
    pub reordered: u64,
    /// Aborted or refused, and read all the same.
    pub aborted_but_seen: u64,
    /// Whatever no row of the acceptance table allows: losses and other anomalies.
    pub unexplained: u64,
    /// Acknowledged and removed before the last reading: retention, compaction, deletion of records.
    pub expired: u64,
    /// Anomalies by kind.
    pub anomalies: Vec<AnomalyCount>,
    /// Losses, oldest first; at most [`LOSSES_NAMED_MAX`].
    pub losses: Vec<Arc<NamedLoss>>,
    /// Lost records that are counted and not named.
    pub losses_not_named: u64,
    /// Acknowledgements of which offset and time are still known.
    pub details_kept: u64,
    /// Acknowledgements of which only the number is.
    pub details_let_go: u64,
    /// What the ledger takes of memory for this workload.
    pub memory_bytes: u64,
    /// Why the last reading could not be done, and other things that are in its way.
    pub trouble: Option<String>,
    /// A client library of its producers raised its epoch by itself, and may have written records twice.
    pub raised_epoch: bool,
    /// A violation stops it.
    pub stop_on_violation: bool,
}

/// Acknowledged records of anybody's clients that vanished.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Vanished {
    /// Grows by one with each.
    pub number: u64,
    /// When it was seen.
    pub at_ms: i64,
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Leader before.
    pub old_leader: i32,
    /// Its epoch.
    pub old_epoch: i32,
    /// Leader now.
    pub new_leader: i32,
    /// Its epoch.
    pub new_epoch: i32,
    /// First offset that is gone.
    pub from_offset: i64,
    /// First offset behind them.
    pub to_offset: i64,
    /// What was acknowledged by all in-sync replicas ended here: offsets before it are gone although nothing may take them but unclean
    /// elections and losses of power.
    pub committed_end: i64,
    /// Whether the election was unclean; `None`: its event was not seen.
    pub unclean: Option<bool>,
    /// One sentence.
    pub words: String,
}

/// All that the ledger says.
#[derive(Clone, Debug, Default)]
pub struct LedgerView {
    /// By workload.
    pub workloads: Arc<Vec<Arc<LedgerStatus>>>,
    /// Of all clients, newest last; at most [`VANISHED_MAX`].
    pub vanished: Arc<Vec<Vanished>>,
    /// Grows with each change.
    pub generation: u64,
}
