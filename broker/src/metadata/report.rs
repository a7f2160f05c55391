//! What a node tells the world about itself. Nodes publish, at most 20 times a second and only what changed; nobody asks them.

use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

use super::config::NodeSettings;
use super::connections::ConnectionsReport;
use super::image::Image;
pub use super::report_cause::{Cause, Why};
pub use super::report_members::{MemberChange, MemberIdentity};
use crate::metrics::MetricsReport;
use crate::types::{Id, NodeId, TopicIdPartition, TopicPartition};

/// One publication. Travels over a bounded crossbeam channel; a full channel delays state (the next report carries it), never events
/// silently: the number of dropped events is told in [`Event::DroppedEvents`].
#[derive(Clone, Debug)]
pub enum Report {
    /// A broker's state.
    Broker(Arc<BrokerReport>),
    /// A controller's state.
    Controller(Arc<ControllerReport>),
    /// The cluster started, stopped, killed, paused or resumed a node.
    Lifecycle {
        /// Node.
        node_id: NodeId,
        /// New state.
        state: NodeState,
        /// Wall clock.
        at_ms: i64,
    },
    /// Something happened on a node.
    Event(NodeEvent),
    /// Brokers or controllers come or go for good.
    Membership(MembershipReport),
    /// What a node measured, once a second.
    Metrics(Arc<MetricsReport>),
    /// A broker's connections, once a second.
    Connections(Arc<ConnectionsReport>),
}

/// Who belongs to the cluster, and what is being changed about that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipReport {
    /// All brokers, running or not.
    pub brokers: Vec<NodeId>,
    /// All controllers, running or not, whether they vote or not.
    pub controllers: Vec<NodeId>,
    /// The broker that is being removed.
    pub leaving: Option<NodeId>,
    /// Replicas that move because of that, or to give a new broker its share.
    pub moving: Option<Moving>,
}

/// How far a move of replicas is.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Moving {
    /// Partitions that are not yet where they are to be.
    pub partitions_left: usize,
    /// Partitions whose reassignment is under way.
    pub ongoing: usize,
    /// What it waits for, if it cannot go on.
    pub waiting_for: Option<String>,
}

/// What the cluster did with a node; how the window and the API name it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Recovering its log, registering.
    Starting,
    /// At work.
    Running,
    /// In controlled shutdown.
    Stopping,
    /// Stopped politely.
    Stopped,
    /// Its runtime was dropped where it stood (SIGKILL).
    Killed,
    /// Its thread is blocked (SIGSTOP).
    Paused,
}

/// A broker's state. Counters only ever grow within one incarnation.
#[derive(Clone, Debug, Default)]
pub struct BrokerReport {
    /// Node id.
    pub node_id: NodeId,
    /// Random per start: counters restart with it.
    pub incarnation: Id,
    /// Wall clock.
    pub at_ms: i64,
    /// Its broker epoch, -1 before registration.
    pub broker_epoch: i64,
    /// As the controller last told it.
    pub fenced: bool,
    /// Where it listens.
    pub host: String,
    /// Port of its client listener.
    pub port: u16,
    /// Log directories that failed, until its next start.
    pub offline_log_dirs: Vec<String>,
    /// What it was started with, if that changed since its last report.
    pub settings: Option<Arc<NodeSettings>>,
    /// The image it holds, if it changed since its last report.
    pub image: Option<Arc<Image>>,
    /// Replicas whose state changed since the last report.
    pub partitions: Vec<ReplicaReport>,
    /// Replicas that this broker no longer hosts.
    pub removed: Vec<TopicPartition>,
    /// Groups that it coordinates and that changed; `None` as state means gone (deleted, or moved to another coordinator).
    pub groups: Vec<GroupReport>,
    /// All share partitions whose state it keeps, if anything in them changed since the last report.
    pub shared: Option<Arc<[ShareProgress]>>,
    /// Traffic.
    pub counters: BrokerCounters,
    /// What clients pushed to it, if that changed since the last report.
    pub client_metrics: Option<Arc<[Arc<ClientMetricsReport>]>>,
}

/// The last values that a client pushed to one broker (KIP-714).
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct ClientMetricsReport {
    /// Unique per client instance.
    pub client_instance_id: Id,
    /// `client.id`, or empty.
    pub client_id: String,
    /// As it called itself in ApiVersions, or `unknown`.
    pub software_name: String,
    /// As it called itself in ApiVersions, or `unknown`.
    pub software_version: String,
    /// Its address.
    pub host: String,
    /// Wall clock of its last push.
    pub at_ms: i64,
    /// How often it is to push.
    pub push_interval_ms: i32,
    /// Values that were not kept, for there were too many series.
    pub series_dropped: u64,
    /// By name and labels, each once.
    pub series: Vec<ClientSeries>,
}

/// One series of a client.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct ClientSeries {
    /// As the client names it: `org.apache.kafka.producer.connection.creation.total`.
    pub name: String,
    /// Labels, with names that Prometheus allows.
    pub labels: std::collections::BTreeMap<String, String>,
    /// It only grows, from 0 when the client first pushed it to this broker.
    pub is_counter: bool,
    /// Last value.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub value: f64,
}

/// One replica on one broker.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaReport {
    /// Which partition.
    pub partition: TopicPartition,
    /// Whether this broker leads it.
    pub is_leader: bool,
    /// Leader epoch that it acts in.
    pub leader_epoch: i32,
    /// First offset.
    pub log_start_offset: i64,
    /// Next offset to be written.
    pub log_end_offset: i64,
    /// High watermark as this replica knows it.
    pub high_watermark: i64,
    /// Last stable offset.
    pub last_stable_offset: i64,
    /// As leader: its log end when its epoch began; else -1.
    pub epoch_start_offset: i64,
    /// As leader: behind the last record that it acknowledged to a client in its epoch; else, or if there is none, -1.
    pub acknowledged_end_offset: i64,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// How many segments.
    pub segments: u32,
    /// Its size for each 100 bytes of `retention.bytes`; 0 without that.
    pub retention_size_percent: u32,
    /// Log directory that holds it.
    pub log_dir: Arc<str>,
}

/// Traffic of one broker since it started.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct BrokerCounters {
    /// Records appended here as leader, those of the broker's own coordinators included.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Record bytes read by consumers.
    pub bytes_out: u64,
    /// Record bytes fetched from leaders, as a follower.
    pub replication_bytes_in: u64,
    /// Record bytes given to followers, as a leader.
    pub replication_bytes_out: u64,
    /// Open client connections now.
    pub connections: u64,
    /// Client connections ever accepted.
    pub connections_total: u64,
    /// Appends to a partition that failed for a reason which is not expected of clients.
    pub failed_produce_requests: u64,
    /// Reads of a partition that failed for a reason which is not expected of clients.
    pub failed_fetch_requests: u64,
    /// ISR shrinks proposed by this leader.
    pub isr_shrinks: u64,
    /// ISR expansions proposed by this leader.
    pub isr_expands: u64,
    /// By API: how many requests, and how long from arrival to answer.
    pub requests: Vec<RequestCounters>,
    /// Per topic: (name, messages in, bytes in, bytes out).
    pub topics: Vec<(Arc<str>, u64, u64, u64)>,
}

/// Requests of one API since the broker started; percentiles over the last few seconds.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct RequestCounters {
    /// API name as Kafka's metrics name it: `Produce`, `FetchConsumer`, `Metadata`, …
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub api: &'static str,
    /// Answered since start.
    pub count: u64,
    /// Sum of total times since start, µs.
    pub total_time_us: u64,
    /// Median of the last interval, µs (0 if there was no request).
    pub p50_us: u64,
    /// 99th percentile of the last interval, µs.
    pub p99_us: u64,
    /// Longest of the last interval, µs.
    pub max_us: u64,
}

/// A consumer group as its coordinator holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupReport {
    /// Group id.
    pub group_id: Arc<str>,
    /// `classic`, `consumer` or `share`, as ListGroups names it.
    pub group_type: &'static str,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`, or, of a consumer group, `Empty`, `Assigning`, `Reconciling`,
    /// `Stable`; `None`: this broker no longer has it.
    pub state: Option<&'static str>,
    /// Generation, or epoch of a consumer group.
    pub generation: i32,
    /// `consumer`, or what the members said.
    pub protocol_type: String,
    /// Chosen assignor, as `range`.
    pub protocol: String,
    /// Members.
    pub members: Vec<MemberReport>,
    /// Committed offsets.
    pub offsets: Vec<(TopicPartition, i64)>,
}

/// How far a share group has come in a partition, as the share coordinator has it (KIP-932, KIP-1226).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareProgress {
    /// The share group.
    pub group_id: Arc<str>,
    /// The partition.
    pub id: TopicIdPartition,
    /// First offset that is not done with (SPSO).
    pub start_offset: i64,
    /// Offsets from there on whose delivery is complete; -1: not known.
    pub delivery_complete_count: i32,
}

/// A member of a group.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct MemberReport {
    /// Member id.
    pub member_id: String,
    /// `client.id`.
    pub client_id: String,
    /// Its host as the coordinator saw it.
    pub client_host: String,
    /// Static membership (`group.instance.id`).
    pub instance_id: Option<String>,
    /// `client.rack`, where it told it.
    pub rack_id: Option<String>,
    /// Topics that it reads, as it said, by name.
    pub topics: Vec<Arc<str>>,
    /// The epoch that it is in; 0 of a classic group's, which has no epochs.
    pub epoch: i32,
    /// What it was given, decoded from the consumer protocol; empty where the blob is not in that format.
    pub assignment: Vec<TopicPartition>,
    /// What it is to have, where the coordinator works that out; `None`: the group's protocol has no targets.
    pub target: Option<Vec<TopicPartition>>,
}

/// A controller's (or observer's) view of the quorum.
#[derive(Clone, Debug, Default)]
pub struct ControllerReport {
    /// Node id.
    pub node_id: NodeId,
    /// Wall clock.
    pub at_ms: i64,
    /// `leader`, `follower`, `candidate`, `prospective`, `unattached`, `resigned`.
    pub role: &'static str,
    /// Leader that it knows, or -1.
    pub leader_id: NodeId,
    /// Quorum epoch.
    pub epoch: i32,
    /// Whom it voted for in that epoch, or -1.
    pub voted_for: NodeId,
    /// Version of KRaft's protocol that is finalized, as its log says.
    pub kraft_version: i16,
    /// Next offset of its metadata log.
    pub log_end_offset: i64,
    /// High watermark that it knows.
    pub high_watermark: i64,
    /// As leader: (node, log end offset, ms since it last fetched) of the voters.
    pub voters: Vec<(NodeId, i64, i64)>,
    /// As leader: the same of the observers (brokers).
    pub observers: Vec<(NodeId, i64, i64)>,
    /// The image it holds, if it changed since its last report.
    pub image: Option<Arc<Image>>,
}

/// Something that happened, on which node and when.
#[derive(Clone, Debug)]
pub struct NodeEvent {
    /// Node that tells it.
    pub node_id: NodeId,
    /// Wall clock.
    pub at_ms: i64,
    /// What.
    pub event: Event,
}

/// What can happen. Causes come from the deciding node, not from guessing by time.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub enum Event {
    /// A controller became the active one.
    ControllerElected {
        /// Quorum epoch.
        epoch: i32,
        /// Whom it knew as the leader before it, and in which epoch.
        previous: Option<(NodeId, i32)>,
    },
    /// A controller is no longer the active one.
    ControllerResigned {
        /// Quorum epoch.
        epoch: i32,
        /// Epoch that it is in now: later, if another election made it resign.
        seen_epoch: i32,
        /// Why.
        #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
        reason: &'static str,
    },
    /// A broker registered.
    BrokerRegistered {
        /// Broker.
        broker_id: NodeId,
        /// Its epoch.
        broker_epoch: i64,
        /// Which start of it.
        incarnation: Id,
    },
    /// The active controller fenced a broker.
    BrokerFenced {
        /// Broker.
        broker_id: NodeId,
        /// Epoch of the incarnation that is fenced.
        broker_epoch: i64,
        /// Which start of it that is.
        incarnation: Id,
        /// Why.
        reason: FenceReason,
    },
    /// The active controller let a broker take part.
    BrokerUnfenced {
        /// Broker.
        broker_id: NodeId,
        /// Its epoch.
        broker_epoch: i64,
        /// Which start of it.
        incarnation: Id,
    },
    /// A partition got another leader (-1: none).
    LeaderElected {
        /// Partition.
        partition: TopicPartition,
        /// Leader before.
        from: NodeId,
        /// Leader after.
        to: NodeId,
        /// Its epoch.
        leader_epoch: i32,
        /// Whether it came from outside of the ISR, so that records may be lost.
        unclean: bool,
        /// Why, in words.
        cause: String,
        /// Why.
        because: Cause,
    },
    /// A partition's ISR changed.
    IsrChanged {
        /// Partition.
        partition: TopicPartition,
        /// Before.
        from: Vec<NodeId>,
        /// After.
        to: Vec<NodeId>,
        /// Why, in words.
        cause: String,
        /// Why.
        because: Cause,
    },
    /// A topic was created.
    TopicCreated {
        /// Topic.
        topic: String,
        /// Number of partitions.
        partitions: i32,
        /// Replicas of each.
        replication_factor: i16,
    },
    /// A dynamic config was set, or went back to its default.
    ConfigChanged {
        /// Of what, in words: `topic t`, `broker 1`, `all brokers`, `group g`.
        resource: String,
        /// Key.
        key: String,
        /// The new value, `[hidden]` where it may be a secret; none: back to the default.
        value: Option<String>,
    },
    /// A feature was finalized at another level.
    FeatureChanged {
        /// Name.
        feature: String,
        /// Level before.
        from: i16,
        /// Level now; 0 is off.
        to: i16,
    },
    /// A topic was deleted.
    TopicDeleted {
        /// Topic.
        topic: String,
    },
    /// Partitions were added.
    PartitionsAdded {
        /// Topic.
        topic: String,
        /// Number of partitions.
        partitions: i32,
    },
    /// A partition's replicas are being reassigned, or were (then none is on its way).
    ReplicasChanged {
        /// Partition.
        partition: TopicPartition,
        /// Before.
        from: Vec<NodeId>,
        /// Now, those on their way included.
        to: Vec<NodeId>,
        /// On their way in.
        adding: Vec<NodeId>,
        /// On their way out.
        removing: Vec<NodeId>,
    },
    /// A broker came, or goes, for good.
    MembershipChanged {
        /// Broker.
        broker_id: NodeId,
        /// How far that is.
        step: MembershipStep,
    },
    /// A controller came or went for good.
    ControllersChanged {
        /// Controller.
        controller_id: NodeId,
        /// It votes; or it is gone.
        is_added: bool,
    },
    /// A group began to rebalance, or ended.
    GroupRebalance {
        /// Group.
        group_id: String,
        /// Generation.
        generation: i32,
        /// New state.
        #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
        state: &'static str,
        /// Why.
        reason: String,
        /// Members of whom something became since the group's state was last told ([`Event::GroupMember`]), by id.
        members: Vec<String>,
    },
    /// Something became of a member of a group.
    GroupMember {
        /// Group.
        group_id: String,
        /// Who.
        member: MemberIdentity,
        /// What.
        change: MemberChange,
    },
    /// A replica cut its log back to follow the leader's epoch.
    LogTruncated {
        /// Partition.
        partition: TopicPartition,
        /// Log end offset before.
        from_offset: i64,
        /// Log end offset after.
        to_offset: i64,
        /// Epoch of the leader that it follows.
        leader_epoch: i32,
        /// Why, in words.
        cause: String,
    },
    /// The node was started, stopped, killed, paused or resumed, by a fault or by hand.
    NodeStateChanged {
        /// New state.
        state: NodeState,
        /// Which start of a broker it concerns: the one that it registers with.
        incarnation: Id,
        /// Why.
        cause: Why,
    },
    /// A client connection was closed for what it sent.
    ConnectionRejected {
        /// Address.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The node met an error it survived (a disk error, a bad record).
    Error {
        /// One sentence.
        message: String,
    },
    /// The channel was full: so many events of this node were not told.
    DroppedEvents {
        /// How many.
        count: u64,
    },
}

/// Steps of a broker's coming and going.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub enum MembershipStep {
    /// It was added.
    Added {
        /// Its zone.
        zone: Option<String>,
    },
    /// It is being removed: its replicas move away.
    Leaving {
        /// How many it had.
        replicas: usize,
    },
    /// It stays after all.
    Stays,
    /// It is gone: empty, stopped, unregistered.
    Removed,
}

/// Why a broker was fenced.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceReason {
    /// No heartbeat for this long.
    SessionExpired {
        /// For how long, ms.
        missed_ms: u64,
    },
    /// It asked for it: controlled shutdown is complete.
    ControlledShutdown,
    /// A new incarnation registered.
    Reregistered,
    /// It was unregistered.
    Unregistered,
}
