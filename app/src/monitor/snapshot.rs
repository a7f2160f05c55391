//! The cluster at one instant, joined from all that its nodes publish. Immutable: the window, the HTTP API and the exporter all read it.
//!
//! Serialised, it is `GET /api/cluster` (design.md, section 10). Fields marked `skip` are for the window only.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker::metadata::config::NodeSettings;
use broker::metadata::image::Image;
use broker::metadata::report::{BrokerCounters, ClientMetricsReport, Moving, NodeState};
use serde::Serialize;

use super::fault::FaultRequest;
use super::script::status::ScriptStatus;
pub use super::workload::WorkloadStatus;

/// One instant.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// Cluster id, 22 characters.
    pub cluster_id: String,
    /// `lab`, `kafka` or `msk`.
    pub profile: String,
    /// Grows by one with each snapshot.
    pub sequence: u64,
    /// Wall clock of the joining.
    pub at_ms: i64,
    /// The controllers.
    pub quorum: Quorum,
    /// What the metadata log adds up to, as the newest of the nodes' images has it.
    #[serde(skip)]
    pub image: Arc<Image>,
    /// The brokers, by id.
    pub brokers: Vec<Broker>,
    /// What each broker was started with, as far as it told, by its id.
    #[serde(skip)]
    pub settings: Arc<BTreeMap<i32, Arc<NodeSettings>>>,
    /// Brokers that come or go for good; left out while none does.
    #[serde(skip_serializing_if = "Membership::is_idle")]
    pub membership: Membership,
    /// The topics, by name; internal ones too.
    pub topics: Vec<Arc<Topic>>,
    /// The groups, by id.
    pub groups: Vec<Arc<Group>>,
    /// Cluster-wide sums over all partitions and brokers.
    #[serde(skip)]
    pub totals: Totals,
    /// Built-in workloads.
    #[serde(skip)]
    pub workloads: Vec<WorkloadStatus>,
    /// Faults that are active.
    #[serde(skip)]
    pub faults: Vec<ActiveFault>,
    /// Faults that are over, in the order of their ends; at most [`PAST_FAULTS_MAX`].
    #[serde(skip)]
    pub past_faults: Arc<VecDeque<PastFault>>,
    /// Scripts of faults that run or ran, oldest first; `GET /api/scripts`.
    #[serde(skip)]
    pub scripts: Arc<Vec<ScriptStatus>>,
    /// What clients pushed of their own metrics, by client instance; `GET /api/client-metrics`.
    #[serde(skip)]
    pub client_metrics: Vec<Arc<ClientMetricsReport>>,
}

/// What is being changed about who belongs to the cluster.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The broker that is being removed.
    pub leaving: Option<i32>,
    /// How far replicas are that move because of that, or to give a new broker its share.
    pub moving: Option<Moving>,
}

impl Membership {
    /// Nothing is being changed.
    pub fn is_idle(&self) -> bool {
        *self == Membership::default()
    }
}

/// The controllers' consensus.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quorum {
    /// Active controller, or -1.
    pub leader_id: i32,
    /// Its epoch.
    pub epoch: i32,
    /// Committed end of the metadata log.
    pub high_watermark: i64,
    /// Controllers.
    pub voters: Vec<Voter>,
    /// Brokers that follow the metadata log.
    pub observers: Vec<Observer>,
    /// Version of KRaft's protocol that is finalized: from 1 on voters stand in the log.
    #[serde(skip)]
    pub kraft_version: i16,
}

/// A controller.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Voter {
    /// Node id.
    pub id: i32,
    /// What the cluster did with it.
    pub state: NodeState,
    /// `leader`, `follower`, `candidate`, `prospective`, `unattached`, `resigned`; `observer`: it does not vote (yet); `offline` while it is
    /// not running.
    pub role: String,
    /// Next offset of its metadata log.
    pub log_end_offset: i64,
    /// Leader that it knows, or -1.
    #[serde(skip)]
    pub leader_id: i32,
    /// Quorum epoch that it is in.
    #[serde(skip)]
    pub epoch: i32,
    /// Whom it voted for in that epoch, or -1.
    #[serde(skip)]
    pub voted_for: i32,
    /// Committed end of the metadata log as it knows it.
    #[serde(skip)]
    pub high_watermark: i64,
    /// How long ago it last fetched, as the leader tells, ms; `None`: it has not, or leads itself.
    #[serde(skip)]
    pub fetched_ago_ms: Option<i64>,
}

/// A broker as the quorum sees it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Observer {
    /// Node id.
    pub id: i32,
    /// How far it has fetched the metadata log.
    pub log_end_offset: i64,
    /// How long ago it last fetched, as the leader tells, ms; `None`: it has not.
    #[serde(skip)]
    pub fetched_ago_ms: Option<i64>,
}

/// A broker.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Broker {
    /// Node id.
    pub id: i32,
    /// Availability zone, as `broker.rack`.
    pub rack: Option<String>,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// What the cluster did with it.
    pub state: NodeState,
    /// As the controller holds it.
    pub fenced: bool,
    /// Broker epoch, -1 before registration.
    pub epoch: i64,
    /// Partitions that it leads.
    pub leaders: usize,
    /// Replicas that are assigned to it.
    pub replicas: usize,
    /// Log directories that failed; nothing in the JSON if all is well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offline_log_dirs: Vec<String>,
    /// Replicas assigned to it that are not in the ISR.
    #[serde(skip)]
    pub out_of_sync_replicas: usize,
    /// Bytes of its logs.
    #[serde(skip)]
    pub log_size_bytes: u64,
    /// Traffic since its start.
    #[serde(skip)]
    pub counters: BrokerCounters,
    /// Rates over the last second or so.
    #[serde(skip)]
    pub rates: Rates,
}

/// Rates per second.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Records appended by clients.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub messages_in_per_s: f64,
    /// Bytes appended by clients.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub bytes_in_per_s: f64,
    /// Bytes read by consumers.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub bytes_out_per_s: f64,
    /// Record bytes fetched from leaders, as a follower.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub replication_in_per_s: f64,
    /// Record bytes given to followers, as a leader.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub replication_out_per_s: f64,
    /// Requests answered.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub requests_per_s: f64,
    /// Produce latency over the last interval, ms.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub produce_p50_ms: f64,
    /// Produce latency over the last interval, ms.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub produce_p99_ms: f64,
    /// Consumer fetch latency over the last interval (long polls included), ms.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub fetch_p50_ms: f64,
    /// Consumer fetch latency over the last interval (long polls included), ms.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub fetch_p99_ms: f64,
}

/// A topic.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Name.
    pub name: Arc<str>,
    /// Id, 22 characters.
    pub topic_id: String,
    /// `__consumer_offsets` and its kind.
    pub internal: bool,
    /// Partitions; the index is the id.
    pub partitions: Vec<Partition>,
    /// `min.insync.replicas` as it applies to this topic.
    #[serde(skip)]
    pub min_insync_replicas: i32,
    /// Bytes on all replicas.
    #[serde(skip)]
    pub size_bytes: u64,
    /// Records appended per second, over the last second or so.
    #[serde(skip)]
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub messages_in_per_s: f64,
    /// Bytes appended per second.
    #[serde(skip)]
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub bytes_in_per_s: f64,
}

/// A partition.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Serialize)]
pub struct Partition {
    /// Index.
    pub id: i32,
    /// Leader, or -1.
    pub leader: i32,
    /// Leader epoch.
    pub leader_epoch: i32,
    /// Replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// In-sync replicas.
    pub isr: Vec<i32>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<i32>,
    /// First offset.
    pub log_start_offset: i64,
    /// High watermark.
    pub high_watermark: i64,
    /// Last stable offset.
    pub last_stable_offset: i64,
    /// Log end of each replica that has told one.
    pub log_end_offsets: BTreeMap<i32, i64>,
    /// Bytes of the leader's log.
    pub size_bytes: u64,
    /// What each replica told of its log.
    #[serde(skip)]
    pub logs: Vec<ReplicaLog>,
    /// The leader's log end when its epoch began, as it told itself; `None`: it has not.
    #[serde(skip)]
    pub epoch_start_offset: Option<i64>,
    /// Behind the last record that a leader acknowledged to a client in its epoch: epoch and offset, of each broker that has told one.
    #[serde(skip)]
    pub acknowledged_ends: Vec<(i32, i64)>,
}

/// A replica's log.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicaLog {
    /// Broker that holds it.
    pub node_id: i32,
    /// First offset.
    pub log_start_offset: i64,
    /// Next offset.
    pub log_end_offset: i64,
    /// Bytes.
    pub size_bytes: u64,
    /// Segments.
    pub segments: u32,
    /// Its size for each 100 bytes of `retention.bytes`; 0 without that.
    pub retention_size_percent: u32,
}

impl Topic {
    /// One of which nothing but the name is known.
    pub fn named(name: &str) -> Topic {
        Topic {
            name: name.into(),
            topic_id: String::new(),
            internal: false,
            partitions: Vec::new(),
            min_insync_replicas: 1,
            size_bytes: 0,
            messages_in_per_s: 0.0,
            bytes_in_per_s: 0.0,
        }
    }
}

impl Partition {
    /// Has no leader.
    pub fn is_offline(&self) -> bool {
        self.leader < 0
    }

    /// Some replica is not in the ISR.
    pub fn is_under_replicated(&self) -> bool {
        self.isr.len() < self.replicas.len()
    }

    /// `min.insync.replicas` of the topic, or all replicas where these are fewer.
    pub fn min_isr(&self, topic: &Topic) -> usize {
        usize::try_from(topic.min_insync_replicas).unwrap_or(0).min(self.replicas.len())
    }
}

/// A consumer group.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Group id.
    pub id: Arc<str>,
    /// `classic`, `consumer`, `share` or `streams`.
    #[serde(rename = "type")]
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub kind: &'static str,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`; a consumer or Streams group's `Assigning` and `Reconciling`
    /// stand in place of both rebalances, and a Streams group may be `NotReady`.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub state: &'static str,
    /// Generation of a classic group, epoch of any other.
    pub generation: i32,
    /// Chosen assignor.
    pub protocol: String,
    /// Broker that coordinates it.
    #[serde(skip)]
    pub coordinator: i32,
    /// Members.
    pub members: Vec<Member>,
    /// Committed offsets and lag.
    pub offsets: Vec<GroupOffset>,
    /// Sum of the lags.
    #[serde(skip)]
    pub total_lag: i64,
    /// How far a share group has come; of others empty.
    #[serde(rename = "share_offsets", skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SharedOffset>,
}

impl Group {
    /// One of which nothing but the kind is known.
    pub fn of_kind(kind: &'static str) -> Group {
        Group {
            id: "".into(),
            kind,
            state: "Empty",
            generation: 0,
            protocol: String::new(),
            coordinator: -1,
            members: Vec::new(),
            offsets: Vec::new(),
            total_lag: 0,
            shared: Vec::new(),
        }
    }

    /// Whether its lag is that of committed offsets: a share group commits none, but see [`Group::shared`].
    pub fn has_lag(&self) -> bool {
        self.kind != "share"
    }

    /// Whether it is known how far it is behind.
    pub fn is_measured(&self) -> bool {
        self.has_lag() || !self.shared.is_empty()
    }

    /// Records that wait for it: of a share group, those that are not acknowledged, archived or out of deliveries.
    pub fn lag(&self) -> i64 {
        self.total_lag + self.shared.iter().map(|offset| offset.lag).sum::<i64>()
    }

    /// What counts its rebalances.
    pub fn counter(&self) -> &'static str {
        if self.kind == "classic" { "generation" } else { "epoch" }
    }
}

/// A member of a group.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Serialize)]
pub struct Member {
    /// Member id.
    pub id: String,
    /// `client.id`.
    pub client_id: String,
    /// Host as the coordinator saw it.
    pub host: String,
    /// Partitions that it was given.
    pub assignment: Vec<AssignedPartition>,
    /// Static membership (`group.instance.id`).
    #[serde(skip)]
    pub instance_id: Option<String>,
    /// `client.rack`, where it told it.
    #[serde(skip)]
    pub rack_id: Option<String>,
    /// Topics that it reads, as it said.
    #[serde(skip)]
    pub topics: Vec<Arc<str>>,
}

/// A partition that a member holds.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssignedPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
}

/// A group's position in one partition.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct GroupOffset {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// Next offset that the group would read.
    pub committed_offset: i64,
    /// High watermark minus committed offset; never below 0.
    pub lag: i64,
    /// How old the first record is that the group has not read, by its timestamp, ms; `None` where that is not known.
    pub lag_ms: Option<i64>,
}

/// A share group's position in one partition.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct SharedOffset {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// The first offset that it is not done with (SPSO).
    pub start_offset: i64,
    /// Records up to the high watermark that it is not done with (KIP-1226).
    pub lag: i64,
    /// How old the record at the start offset is, by its timestamp, ms; `None` where that is not known.
    pub lag_ms: Option<i64>,
}

/// Sums over the cluster.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Topics, internal ones included.
    pub topics: usize,
    /// Partitions, internal ones included.
    pub partitions: usize,
    /// Replicas.
    pub replicas: usize,
    /// Partitions with fewer in-sync replicas than replicas.
    pub under_replicated_partitions: usize,
    /// Partitions with fewer in-sync replicas than min.insync.replicas.
    pub under_min_isr_partitions: usize,
    /// Partitions without a leader.
    pub offline_partitions: usize,
    /// Controllers that hold themselves for the active one (1 is healthy).
    pub active_controllers: usize,
    /// Bytes on all replicas.
    pub log_size_bytes: u64,
    /// Lag of all groups.
    pub total_lag: i64,
    /// Summed rates (latencies: the worst broker's).
    pub rates: Rates,
}

/// How many faults that are over are remembered.
pub const PAST_FAULTS_MAX: usize = 200;

/// A fault that is over.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct PastFault {
    /// As it was.
    pub fault: ActiveFault,
    /// When it ended.
    pub ended_ms: i64,
}

/// A fault that is in force, as `GET /api/faults` gives it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct ActiveFault {
    /// Id.
    pub id: u64,
    /// `stop`, `kill`, `cut`, …
    pub kind: String,
    /// Node that it hits, the first if there are several.
    pub node_id: i32,
    /// All nodes that it hits.
    pub node_ids: Vec<i32>,
    /// What it does, in a few words: `broker 2 is killed`.
    pub what: String,
    /// When it began.
    pub since_ms: i64,
    /// When it ends by itself; `None`: until healed.
    pub until_ms: Option<i64>,
    /// As it was asked for.
    pub request: Arc<FaultRequest>,
}
