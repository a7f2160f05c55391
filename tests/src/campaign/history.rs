//! What clients did and what they were told, in the order in which it began. Plain data: the checker needs nothing else.

use std::collections::HashSet;
use std::fmt;

pub use super::share::ShareHistory;

/// What a record says of itself: unique among all records that are ever sent.
pub type Value = u64;

/// What a sender knows of a batch in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged; the offset of its first record, where that was told.
    Ok(Option<i64>),
    /// Nobody knows: a time-out, a disconnect, NOT_LEADER, NOT_ENOUGH_REPLICAS_AFTER_APPEND, or it has not ended.
    Info,
    /// It was certainly not written.
    Fail,
}

/// One batch to one partition, or what a transaction wrote there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Who sent it.
    pub process: u32,
    /// Where to.
    pub partition: u32,
    /// Its records, in order.
    pub values: Vec<Value>,
    /// 0, 1 or -1 (all).
    pub acks: i16,
    /// What became of it.
    pub outcome: Outcome,
    /// The transaction that it is part of: sends and polls with one number are one operation.
    pub txn: Option<u32>,
}

/// What one answer brought a consumer from one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Who read.
    pub process: u32,
    /// Where from.
    pub partition: u32,
    /// Offsets and values, in order.
    pub records: Vec<(i64, Value)>,
    /// Part of the read from the beginning to the end, after all faults.
    pub drain: bool,
    /// Read with `isolation.level=read_committed`.
    pub committed: bool,
    /// As [`Send::txn`].
    pub txn: Option<u32>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A producer sent.
    Send(Send),
    /// A consumer read.
    Poll(Poll),
    /// A consumer took another position: what it reads next need not follow on what it read last.
    Assign {
        /// Who.
        process: u32,
        /// Where.
        partition: u32,
    },
}

/// A transaction: the sends that name its place among all transactions, and the offset that it committed for its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Txn {
    /// The transactional id, as a process: one that comes back under the same id is the same process.
    pub process: u32,
    /// `Ok`: its commit was acknowledged. `Info`: it was asked for, and nobody knows. `Fail`: it was aborted, given up, fenced or timed out,
    /// so that it can never be committed.
    pub outcome: Outcome,
    /// Committed with it for its group.
    pub offset: Option<i64>,
}

/// A group's committed offset, as it was told while none of its transactional id's transactions was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRead {
    /// As [`Txn::process`].
    pub process: u32,
    /// Of all transactions, so many had begun.
    pub after: usize,
    /// -1: none.
    pub offset: i64,
}

/// A recorded history.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// All operations.
    pub ops: Vec<Op>,
    /// All transactions, in the order in which they began.
    pub txns: Vec<Txn>,
    /// What groups had committed.
    pub offsets: Vec<OffsetRead>,
    /// What share groups were given, and said.
    pub share: ShareHistory,
}

impl History {
    /// Notes a batch that is being sent; its place, for [`History::ended`].
    pub fn began(&mut self, send: Send) -> usize {
        self.ops.push(Op::Send(send));
        self.ops.len() - 1
    }

    /// What became of a batch.
    pub fn ended(&mut self, index: usize, outcome: Outcome) {
        if let Some(Op::Send(send)) = self.ops.get_mut(index) {
            send.outcome = outcome;
        }
    }

    /// All batches.
    pub fn sends(&self) -> impl Iterator<Item = &Send> {
        self.ops.iter().filter_map(|op| if let Op::Send(send) = op { Some(send) } else { None })
    }

    /// All reads.
    pub fn polls(&self) -> impl Iterator<Item = &Poll> {
        self.ops.iter().filter_map(|op| if let Op::Poll(poll) = op { Some(poll) } else { None })
    }

    /// As readers of uncommitted records see it: transactions are nothing to them.
    pub fn uncommitted(&self) -> History {
        let ops = self.ops.iter().filter(|op| !matches!(op, Op::Poll(poll) if poll.committed));
        let plain = |op: &Op| match op {
            Op::Send(send) => Op::Send(Send { txn: None, ..send.clone() }),
            other => other.clone(),
        };
        History { ops: ops.map(plain).collect(), ..History::default() }
    }

    /// As readers of committed records see it: what was sent in a transaction is written once that is committed.
    pub fn committed(&self) -> History {
        let ops = self.ops.iter().filter(|op| !matches!(op, Op::Poll(poll) if !poll.committed));
        let settled = |op: &Op| {
            let Op::Send(send) = op else { return op.clone() };
            let outcome = match send.txn.and_then(|txn| self.txns.get(txn as usize)) {
                Some(txn) if !matches!(txn.outcome, Outcome::Ok(_)) => txn.outcome,
                _ => send.outcome,
            };
            Op::Send(Send { outcome, txn: None, ..send.clone() })
        };
        History { ops: ops.map(settled).collect(), ..History::default() }
    }

    /// How many transactions came to this end.
    pub fn transactions(&self, wanted: impl Fn(Outcome) -> bool) -> u64 {
        self.txns.iter().filter(|txn| wanted(txn.outcome)).count() as u64
    }

    /// How many records were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        let ok = self.sends().filter(|send| matches!(send.outcome, Outcome::Ok(_)));
        ok.map(|send| send.values.len() as u64).sum()
    }
}

/// Offsets at which acknowledged records may be lost, and others may stand in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where.
    pub partition: u32,
    /// First offset.
    pub from: i64,
    /// First offset behind it.
    pub to: i64,
    /// Also what was acknowledged with acks=all; else only acks=1.
    pub acks_all: bool,
}

/// What a row of the acceptance table lets happen in this history.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    /// Where loss is allowed.
    pub windows: Vec<Window>,
    /// Nothing is promised to senders at all (row 1); what was read must still be one log.
    pub nothing_to_senders: bool,
    /// Senders that repeat what they know too little of: that their records stand there twice, or one that was repeated behind the next, is their
    /// own doing (what waits at an old leader goes on at the new one, where the next may be already).
    pub repeaters: HashSet<u32>,
}

impl Promise {
    pub(super) fn may_lose(&self, partition: u32, offset: i64, acks: i16) -> bool {
        self.windows.iter().any(|window| {
            window.partition == partition
                && (window.from..window.to).contains(&offset)
                && (window.acks_all || acks != -1)
        })
    }

    pub(super) fn may_differ(&self, partition: u32, offset: i64) -> bool {
        let here = |window: &&Window| window.acks_all && window.partition == partition;
        self.windows.iter().filter(here).any(|window| (window.from..window.to).contains(&offset))
    }

    /// A reader may have seen what was lost, and others in its place.
    pub(super) fn may_reread(&self, partition: u32, offset: i64) -> bool {
        let seen = |window: &&Window| window.acks_all && window.partition == partition && window.from <= offset;
        self.windows.iter().any(|window| seen(&window))
    }
}

/// What is wrong with a history, or with the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Two values at one offset.
    InconsistentOffsets,
    /// One value at two offsets.
    Duplicate,
    /// A failed or aborted writer's value was read (G1a).
    AbortedRead,
    /// An operation read its own send.
    PrecommittedRead,
    /// A value was never read, though later ones were.
    LostWrite,
    /// Acknowledged, and not there in the end.
    Unseen,
    /// A consumer passed over a record.
    PollSkip,
    /// A consumer went back.
    NonmonotonicPoll,
    /// A producer's records stand in another order than it sent them.
    NonmonotonicSend,
    /// A cycle over write-write and write-read edges.
    G1c,
    /// Replicas differ below the high watermark.
    ReplicasDiffer,
    /// The high watermark fell, or committed records are not in a new leader's log.
    HighWatermarkFell,
    /// A member of the ISR lacks committed records.
    IsrLacksCommitted,
    /// Two leaders in one epoch.
    TwoLeaders,
    /// Leader epochs are not what the batches say.
    EpochChain,
    /// acks=all was answered before the record was committed.
    AcknowledgedTooEarly,
    /// A record was shown above the high watermark, or one that must stay invisible.
    ReadAboveHighWatermark,
    /// Writes, or the partition, did not come back in time, or were there when they must not be.
    Availability,
    /// A leader was elected that must not be.
    WrongLeader,
    /// The cluster did not become whole again.
    Liveness,
    /// A producer whose last batch was acknowledged was told that its next is out of order.
    SequenceLost,
    /// A committed offset was acknowledged and is forgotten.
    CommitLost,
    /// A part of a transaction was read, and another part was not there.
    TornTransaction,
    /// An offset was committed and its transaction was not, or the other way round.
    TornOffsets,
    /// Who was fenced got something acknowledged, or who came next was not told apart from it.
    NotFenced,
    /// Who had nobody to fence it was fenced.
    FencedForNothing,
    /// The last stable offset is not at the first open transaction.
    LastStableOffset,
    /// A transaction stays open.
    HangingTransaction,
    /// A share group was given a record again that it was done with.
    DeliveredAgain,
    /// A record was with two members of a share group.
    LockedTwice,
    /// Who had a record of a share group could not say what became of it.
    LockLost,
    /// A delivery of a share group has a number that it cannot have.
    DeliveryCount,
    /// The start offset of a share group went back.
    StartOffsetFell,
    /// A share group never had done with a record.
    Unconsumed,
    /// A client was told what it must never be told.
    UnexpectedError,
    /// A node could not start or stopped for no reason that was made.
    NodeFailed,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::InconsistentOffsets => "inconsistent offsets",
            Kind::Duplicate => "duplicate",
            Kind::AbortedRead => "aborted read",
            Kind::PrecommittedRead => "precommitted read",
            Kind::LostWrite => "lost write",
            Kind::Unseen => "unseen",
            Kind::PollSkip => "poll skip",
            Kind::NonmonotonicPoll => "nonmonotonic poll",
            Kind::NonmonotonicSend => "nonmonotonic send",
            Kind::G1c => "G1c",
            Kind::ReplicasDiffer => "replicas differ",
            Kind::HighWatermarkFell => "high watermark fell",
            Kind::IsrLacksCommitted => "ISR lacks committed records",
            Kind::TwoLeaders => "two leaders",
            Kind::EpochChain => "epoch chain",
            Kind::AcknowledgedTooEarly => "acknowledged too early",
            Kind::ReadAboveHighWatermark => "read above high watermark",
            Kind::Availability => "availability",
            Kind::WrongLeader => "wrong leader",
            Kind::Liveness => "liveness",
            Kind::SequenceLost => "sequence lost",
            Kind::CommitLost => "commit lost",
            Kind::TornTransaction => "torn transaction",
            Kind::TornOffsets => "torn offsets",
            Kind::NotFenced => "not fenced",
            Kind::FencedForNothing => "fenced for nothing",
            Kind::LastStableOffset => "last stable offset",
            Kind::HangingTransaction => "hanging transaction",
            Kind::DeliveredAgain => "delivered again",
            Kind::LockedTwice => "locked twice",
            Kind::LockLost => "lock lost",
            Kind::DeliveryCount => "delivery count",
            Kind::StartOffsetFell => "start offset fell",
            Kind::Unconsumed => "unconsumed",
            Kind::UnexpectedError => "unexpected error",
            Kind::NodeFailed => "node failed",
        })
    }
}

/// An anomaly, with what is needed to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Which.
    pub kind: Kind,
    /// One sentence.
    pub what: String,
}

impl Anomaly {
    /// An anomaly.
    pub fn new(kind: Kind, what: impl Into<String>) -> Anomaly {
        Anomaly { kind, what: what.into() }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}
