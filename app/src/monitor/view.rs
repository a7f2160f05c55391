//! What a reader (the window, HTTP) gets of the monitor: the newest snapshot, series, events and notices, all behind `Arc`s.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker::metadata::connections::ConnectionsReport;
use broker::metadata::report::Event;
use broker::metrics::MetricsReport;

use super::cloudwatch::watch::CloudwatchView;
use super::command::Notice;
use super::fact::Fact;
use super::groups::GroupsView;
use super::inquiry::Inquiries;
use super::ledger::LedgerView;
use super::logs::LogsView;
use super::messages::export::ExportView;
use super::messages::read::MessagesView;
use super::snapshot::Snapshot;

/// All that the window draws from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The newest snapshot.
    pub snapshot: Arc<Snapshot>,
    /// Time series of the last minutes, one point a second.
    pub series: Arc<SeriesStore>,
    /// What nodes measured last, by node, of those that are at work; renewed once a second.
    pub metrics: Arc<Measured>,
    /// Connections of clients, by broker, of those that are at work; renewed once a second.
    pub connections: Arc<Connected>,
    /// CloudWatch's metrics and alarms.
    pub cloudwatch: CloudwatchView,
    /// The newest events (at most [`EVENTS_KEPT`]), oldest first.
    pub events: Arc<VecDeque<Arc<EventEntry>>>,
    /// How groups stand, and their generations.
    pub groups: GroupsView,
    /// The nodes' logs.
    pub logs: LogsView,
    /// What screens asked of the cluster.
    pub inquiries: Inquiries,
    /// What is read of a topic, for somebody who looks.
    pub messages: MessagesView,
    /// Records that are being written to a file.
    pub export: ExportView,
    /// The durability ledger.
    pub ledger: LedgerView,
    /// Answers to commands that arrived since the window last looked (the reader drains its own copy).
    pub notices: Vec<Notice>,
}

impl View {
    /// A group's generations.
    pub fn plays(&self, group: &str) -> Option<Arc<super::groups::theatre::Play>> {
        self.groups.plays.get(group).cloned()
    }
}

/// Reports of what nodes measured, by node.
pub type Measured = BTreeMap<i32, Arc<MetricsReport>>;

/// Connections of clients, by broker.
pub type Connected = BTreeMap<i32, Arc<ConnectionsReport>>;

/// How many events are kept.
pub const EVENTS_KEPT: usize = 5_000;

/// How many points a series keeps: 15 minutes at one a second.
pub const SERIES_POINTS_KEPT: usize = 900;

/// An event, ready to be shown and served (`GET /api/events`).
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, serde::Serialize)]
pub struct EventEntry {
    /// Grows by one with each event.
    pub seq: u64,
    /// Wall clock.
    pub at_ms: i64,
    /// Node that told it; -1: the program itself.
    pub node_id: i32,
    /// `leader_elected`, `isr_changed`, `broker_fenced`, …
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub kind: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
    /// Why, in one sentence; empty where nothing is known.
    pub cause: String,
    /// Partition, topic, group or node that it is about, as text to filter by.
    pub subject: String,
    /// Events that it followed from, by seq, as who decided it told: not by time.
    pub because_of: Vec<u64>,
    /// Events that followed from it, although they were told before it.
    pub led_to: Vec<u64>,
    /// What it says, as plain data.
    #[serde(skip)]
    pub fact: Fact,
    /// As a node told it; `None`: no node did.
    #[serde(skip)]
    pub event: Option<Arc<Event>>,
}

/// How grave an event is.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good news or plain facts.
    Info,
    /// Redundancy or time is being lost.
    Warning,
    /// Something is unavailable or at risk.
    Critical,
}

impl Severity {
    /// As it is told to programs.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = super::cloudwatch::alarm::NotOneOf;

    fn from_str(text: &str) -> Result<Severity, Self::Err> {
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter()
            .find(|severity| severity.name() == text)
            .ok_or(super::cloudwatch::alarm::NotOneOf("info, warning, critical"))
    }
}

/// Named series; all share one time axis.
#[derive(Clone, Debug, Default)]
pub struct SeriesStore {
    /// Wall clock of each point, ms, ascending; at most [`SERIES_POINTS_KEPT`].
    pub at_ms: VecDeque<i64>,
    /// The series; each has as many points as `at_ms` (NaN where it was not known).
    pub series: Vec<Arc<Series>>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it measures.
    pub metric: Metric,
    /// Broker (as `1`), group id, or empty for the cluster as a whole.
    pub label: String,
    /// Points; NaN where it was not known.
    pub points: VecDeque<f64>,
}

/// What the window charts.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Per broker and cluster.
    MessagesInPerS,
    /// Per broker and cluster.
    BytesInPerS,
    /// Per broker and cluster.
    BytesOutPerS,
    /// Per broker.
    ProduceP50Ms,
    /// Per broker.
    ProduceP99Ms,
    /// Per broker.
    FetchP50Ms,
    /// Per broker.
    FetchP99Ms,
    /// Cluster.
    UnderReplicatedPartitions,
    /// Cluster.
    UnderMinIsrPartitions,
    /// Cluster.
    OfflinePartitions,
    /// Per group.
    GroupLag,
    /// Answers with an error code that brokers gave, followers' fetches apart: how many since the last point. Per code.
    ErrorAnswers,
}

impl SeriesStore {
    /// A series by metric and label (empty label: the cluster).
    pub fn get(&self, metric: Metric, label: &str) -> Option<&Arc<Series>> {
        self.series.iter().find(|series| series.metric == metric && series.label == label)
    }

    /// All series of one metric.
    pub fn of(&self, metric: Metric) -> impl Iterator<Item = &Arc<Series>> {
        self.series.iter().filter(move |series| series.metric == metric)
    }
}
