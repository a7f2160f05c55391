//! What a screen asks of the cluster beyond what nodes publish, and what was answered. Data only: whoever runs the cluster asks it as a
//! Kafka client ([`crate::monitor::command::Command::Inquire`]), and the newest answer to each question stands in the view.

use borsh::{BorshDeserialize, BorshSerialize};
pub mod configs;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use broker::log::LogOutline;
use broker::server::trace::TraceState;

use super::messages::volume::Volume;
pub use super::operation::ConfigResource;
use super::quorum::{LogFindings, LogWish};

/// A question.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// All configs of a topic, a broker or a group.
    Configs(ConfigResource),
    /// Producers of a topic's partitions, and the transactions that are open on them.
    Producers(Arc<str>),
    /// Replicas that are being moved.
    Reassignments,
    /// How far a share group has come.
    ShareOffsets(Arc<str>),
    /// What stands in the metadata log of a node.
    Quorum(LogWish),
    /// What stands in a file that a person named.
    File(#[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")] PathBuf),
    /// The log directories of a broker.
    LogDirs(i32),
    /// The offsets of a topic's first records at or after a time.
    OffsetsAt {
        /// Topic.
        topic: Arc<str>,
        /// Wall clock.
        timestamp_ms: i64,
    },
    /// How many records a topic has over time.
    Volume {
        /// Topic.
        topic: Arc<str>,
        /// Between these instants, of which the second is left out; `None`: from its first record to its last.
        span_ms: Option<(i64, i64)>,
    },
    /// What a replica's log consists of.
    Tape(TapeWish),
    /// Where the batch is that is followed.
    Trace,
}

/// Which log is looked at, and where.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapeWish {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The broker whose files are read.
    pub replica: i32,
    /// Batches that end at or after this offset are told.
    pub from: i64,
    /// And that begin before this one.
    pub to: i64,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Findings {
    /// To [`Query::Configs`].
    Configs(Vec<ConfigEntry>),
    /// To [`Query::Producers`].
    Producers(Vec<Producer>),
    /// To [`Query::ShareOffsets`], by topic and partition.
    ShareOffsets(Vec<ShareOffset>),
    /// To [`Query::Reassignments`].
    Reassignments(Vec<Reassignment>),
    /// To [`Query::Quorum`].
    Quorum(Box<LogFindings>),
    /// To [`Query::File`].
    File(Arc<str>),
    /// To [`Query::LogDirs`].
    LogDirs(Vec<LogDir>),
    /// To [`Query::OffsetsAt`]: by partition; `None`: there is no record at or after that time.
    OffsetsAt(Vec<(i32, Option<i64>)>),
    /// To [`Query::Volume`].
    Volume(Arc<Volume>),
    /// To [`Query::Tape`].
    Tape(Box<LogOutline>),
    /// To [`Query::Trace`].
    Trace(Box<TraceState>),
}

/// One config, as the broker tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` where it is secret or not set.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can be changed while the broker runs.
    pub read_only: bool,
    /// Whether it is secret.
    pub sensitive: bool,
    /// `string`, `int`, `long`, `list`, …
    pub kind: &'static str,
    /// What else would count, in order: the first is in force.
    pub synonyms: Vec<Synonym>,
    /// What it is for.
    pub doc: String,
}

/// What a config would be by another source.
#[derive(Clone, Debug, PartialEq)]
pub struct Synonym {
    /// Its name there (`log.retention.ms` for a topic's `retention.ms`).
    pub name: String,
    /// Value.
    pub value: Option<String>,
    /// Source.
    pub source: ConfigSource,
}

/// Where a config's value comes from. Source: `DescribeConfigsResponse.ConfigSource`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set on the broker while it ran.
    DynamicBroker,
    /// Set on all brokers while they ran.
    DynamicDefaultBroker,
    /// Set when the broker started.
    StaticBroker,
    /// Nobody set it.
    #[default]
    Default,
    /// Set on the broker's logger.
    BrokerLogger,
    /// Set on a client metrics subscription.
    ClientMetrics,
    /// Set on a group.
    Group,
    /// A source that this program does not know.
    Unknown,
}

impl ConfigSource {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            ConfigSource::Topic => "topic",
            ConfigSource::DynamicBroker => "broker, while running",
            ConfigSource::DynamicDefaultBroker => "all brokers",
            ConfigSource::StaticBroker => "broker, at its start",
            ConfigSource::Default => "default",
            ConfigSource::BrokerLogger => "logger",
            ConfigSource::ClientMetrics => "subscription",
            ConfigSource::Group => "group",
            ConfigSource::Unknown => "unknown",
        }
    }
}

/// A producer that a partition's leader knows.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct Producer {
    /// Partition.
    pub partition: i32,
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// Sequence number of its last record; -1: it has none.
    pub last_sequence: i32,
    /// When it wrote last, by the record's timestamp.
    pub last_timestamp_ms: i64,
    /// Where its open transaction begins in this partition; `None`: none is open.
    pub txn_start_offset: Option<i64>,
    /// The transaction, if its coordinator tells of it.
    pub transaction: Option<Arc<Transaction>>,
}

/// A transaction, as its coordinator tells.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    /// Transactional id.
    pub transactional_id: String,
    /// `Ongoing`, `PrepareCommit`, …
    pub state: String,
    /// After how long it is aborted.
    pub timeout_ms: i32,
    /// When it began; -1: it has not.
    pub started_ms: i64,
    /// Producer id.
    pub producer_id: i64,
}

/// Where a share group is in a partition.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct ShareOffset {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The first offset that is not yet done with; -1: nobody has read there yet.
    pub start_offset: i64,
    /// Records that are not yet done with, as the coordinator counts them; `None`: not told.
    pub lag: Option<i64>,
}

/// A partition whose replicas move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// All replicas now, those that come and those that go included.
    pub replicas: Vec<i32>,
    /// Those that come.
    pub adding: Vec<i32>,
    /// Those that go.
    pub removing: Vec<i32>,
}

/// A log directory of a broker.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct LogDir {
    /// Where it is.
    pub path: String,
    /// Why it cannot be used; `None`: it can.
    pub error: Option<String>,
    /// Size of the volume that it lies on; `None`: not known.
    pub total_bytes: Option<u64>,
    /// What of that could still be written.
    pub usable_bytes: Option<u64>,
    /// Replicas in it, the largest first.
    pub replicas: Vec<StoredReplica>,
}

/// A replica in a log directory.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct StoredReplica {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Bytes.
    pub size_bytes: u64,
    /// How far it is behind the high watermark, or a copy behind its original; `None`: not known.
    pub lag: Option<i64>,
    /// It is a copy that is being made, to take the place of one in another directory.
    pub is_future: bool,
}

/// What is known of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Inquiry {
    /// Whether an answer is on its way.
    pub under_way: bool,
    /// The newest answer: when it came, and what it was or why there is none.
    pub answer: Option<(i64, Result<Arc<Findings>, String>)>,
}

/// Answers that are kept; the oldest goes first.
const ANSWERS_KEPT: usize = 128;

/// Of these, so many may be of logs: they are large, and who looks at one moves on.
const LOGS_KEPT: usize = 6;

/// Questions under way at a time; whoever wants more asks again.
const UNDER_WAY_MAX: usize = 16;

/// All questions of late.
#[derive(Clone, Debug, Default)]
pub struct Inquiries {
    by_query: Arc<BTreeMap<Query, Inquiry>>,
}

impl Inquiries {
    /// What is known of a question; `None`: nobody asked.
    pub fn get(&self, query: &Query) -> Option<&Inquiry> {
        self.by_query.get(query)
    }

    /// Whether any answer is on its way.
    pub fn is_any_under_way(&self) -> bool {
        self.by_query.values().any(|inquiry| inquiry.under_way)
    }

    /// Whether these are the same, by pointer.
    pub fn is_same(&self, other: &Inquiries) -> bool {
        Arc::ptr_eq(&self.by_query, &other.by_query)
    }

    /// Each question that was answered, with its newest answer and when that came.
    pub fn answered(&self) -> impl Iterator<Item = (&Query, i64, &Result<Arc<Findings>, String>)> {
        let all = self.by_query.iter();
        all.filter_map(|(query, inquiry)| inquiry.answer.as_ref().map(|(at_ms, answer)| (query, *at_ms, answer)))
    }

    /// Somebody asks. False: the answer is on its way already, or too many others are.
    pub fn ask(&mut self, query: &Query) -> bool {
        let by_query = Arc::make_mut(&mut self.by_query);
        if by_query.values().filter(|inquiry| inquiry.under_way).count() >= UNDER_WAY_MAX {
            return false;
        }
        let inquiry = by_query.entry(query.clone()).or_insert(Inquiry { under_way: false, answer: None });
        !std::mem::replace(&mut inquiry.under_way, true)
    }

    /// It was answered.
    pub fn answer(&mut self, query: &Query, at_ms: i64, answer: Result<Arc<Findings>, String>) {
        let by_query = Arc::make_mut(&mut self.by_query);
        by_query.insert(query.clone(), Inquiry { under_way: false, answer: Some((at_ms, answer)) });
        bound(by_query, LOGS_KEPT, |query| matches!(query, Query::Tape(_) | Query::Quorum(_)));
        bound(by_query, ANSWERS_KEPT, |_| true);
    }
}

/// Drops the oldest of some questions until there are no more than `most` of them.
fn bound(by_query: &mut BTreeMap<Query, Inquiry>, most: usize, is_meant: impl Fn(&Query) -> bool) {
    let age = |inquiry: &Inquiry| inquiry.answer.as_ref().map_or(i64::MAX, |(at_ms, _)| *at_ms);
    while by_query.keys().filter(|query| is_meant(query)).count() > most {
        let meant = by_query.iter().filter(|(query, _)| is_meant(query));
        let Some(oldest) = meant.min_by_key(|(_, inquiry)| age(inquiry)).map(|(query, _)| query.clone()) else {
            return;
        };
        by_query.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: usize) -> Query {
        Query::Producers(format!("t{topic}").into())
    }

    #[test]
    fn a_question_is_asked_once_at_a_time_and_keeps_its_last_answer() {
        let mut inquiries = Inquiries::default();
        assert!(inquiries.get(&of(1)).is_none());
        assert!(inquiries.ask(&of(1)));
        assert!(!inquiries.ask(&of(1)), "its answer is on its way");
        let before = inquiries.clone();
        inquiries.answer(&of(1), 5, Err("No.".into()));
        assert!(!before.is_same(&inquiries));
        assert!(inquiries.ask(&of(1)));
        let known = inquiries.get(&of(1)).unwrap();
        assert_eq!((known.under_way, known.answer.as_ref().map(|(at_ms, _)| *at_ms)), (true, Some(5)));
    }

    #[test]
    fn old_answers_go() {
        let mut inquiries = Inquiries::default();
        inquiries.ask(&of(9999));
        for number in 0..500 {
            inquiries.answer(&of(number), number as i64, Ok(Arc::new(Findings::Producers(Vec::new()))));
        }
        assert_eq!(inquiries.by_query.len(), ANSWERS_KEPT);
        assert!(inquiries.get(&of(499)).is_some() && inquiries.get(&of(0)).is_none());
        assert!(inquiries.get(&of(9999)).is_some(), "what is under way stays");
    }

    #[test]
    fn of_logs_only_the_newest_few_are_kept() {
        let mut inquiries = Inquiries::default();
        let tape = |from| Query::Tape(TapeWish { topic: "t".into(), partition: 0, replica: 1, from, to: from + 10 });
        inquiries.answer(&of(1), 0, Err("No.".into()));
        for from in 0..20 {
            inquiries.answer(&tape(from), from, Ok(Arc::new(Findings::Tape(Box::default()))));
        }
        assert_eq!(inquiries.by_query.len(), LOGS_KEPT + 1);
        assert!(
            inquiries.get(&tape(19)).is_some() && inquiries.get(&tape(3)).is_none() && inquiries.get(&of(1)).is_some()
        );
    }
}
