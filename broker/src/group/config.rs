//! Settings of the coordinator, with Kafka's defaults.

use super::consumer::assign::Assignor;
use crate::logging::NodeLog;
use crate::types::NodeId;

/// `group.*` and `offsets.*` settings, and our own bounds.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// The broker.
    pub node_id: NodeId,
    /// Where it writes what happens; nowhere unless it is told.
    pub log: NodeLog,
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`
    pub max_size: i32,
    /// How long a new member may wait for its first JoinGroup to be answered; fixed in Kafka.
    pub new_member_join_timeout_ms: i32,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`, in ms
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`
    pub commit_timeout_ms: i32,
    /// `offsets.topic.num.partitions`
    pub offsets_partitions: i32,
    /// Groups of the consumer protocol.
    pub consumer: ConsumerConfig,
    /// Streams groups.
    pub streams: StreamsConfig,
    /// Share groups.
    pub share: ShareConfig,
    /// Bounds that Kafka leaves to the heap.
    pub limits: Limits,
}

impl Default for GroupConfig {
    fn default() -> GroupConfig {
        GroupConfig {
            node_id: 0,
            log: NodeLog::default(),
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            max_size: i32::MAX,
            new_member_join_timeout_ms: 5 * 60 * 1000,
            offset_metadata_max_bytes: 4096,
            offsets_retention_ms: 10_080 * 60_000,
            retention_check_interval_ms: 600_000,
            commit_timeout_ms: 5_000,
            offsets_partitions: 50,
            consumer: ConsumerConfig::default(),
            streams: StreamsConfig::default(),
            share: ShareConfig::default(),
            limits: Limits::default(),
        }
    }
}

/// `group.consumer.*` settings.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// `group.coordinator.rebalance.protocols` has `consumer`.
    pub is_enabled: bool,
    /// `group.consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.consumer.min.session.timeout.ms`, `group.consumer.max.session.timeout.ms`
    pub session_timeout_bounds_ms: (i32, i32),
    /// `group.consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.min.heartbeat.interval.ms`, `group.consumer.max.heartbeat.interval.ms`
    pub heartbeat_interval_bounds_ms: (i32, i32),
    /// `group.consumer.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.consumer.min.assignment.interval.ms`, `group.consumer.max.assignment.interval.ms`
    pub assignment_interval_bounds_ms: (i32, i32),
    /// `group.consumer.regex.refresh.interval.ms`
    pub regex_refresh_interval_ms: i32,
    /// `group.consumer.max.size`
    pub max_size: i32,
    /// `group.consumer.assignors`, the default first
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`: classic groups may become consumer groups.
    pub may_upgrade: bool,
    /// `group.consumer.migration.policy`: consumer groups may become classic groups.
    pub may_downgrade: bool,
}

impl Default for ConsumerConfig {
    fn default() -> ConsumerConfig {
        ConsumerConfig {
            is_enabled: true,
            session_timeout_ms: 45_000,
            session_timeout_bounds_ms: (45_000, 60_000),
            heartbeat_interval_ms: 5_000,
            heartbeat_interval_bounds_ms: (5_000, 15_000),
            assignment_interval_ms: 1_000,
            assignment_interval_bounds_ms: (0, 15_000),
            regex_refresh_interval_ms: 600_000,
            max_size: i32::MAX,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            may_upgrade: true,
            may_downgrade: true,
        }
    }
}

impl ConsumerConfig {
    /// The assignor of this name, or the default.
    pub fn assignor(&self, name: Option<&str>) -> Assignor {
        let asked = name.and_then(Assignor::of).filter(|assignor| self.assignors.contains(assignor));
        asked.or_else(|| self.assignors.first().copied()).unwrap_or(Assignor::Uniform)
    }
}

/// `group.streams.*` settings.
#[derive(Clone, Debug)]
pub struct StreamsConfig {
    /// `group.coordinator.rebalance.protocols` has `streams`.
    pub is_enabled: bool,
    /// `group.streams.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.streams.min.session.timeout.ms`, `group.streams.max.session.timeout.ms`
    pub session_timeout_bounds_ms: (i32, i32),
    /// `group.streams.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.streams.min.heartbeat.interval.ms`, `group.streams.max.heartbeat.interval.ms`
    pub heartbeat_interval_bounds_ms: (i32, i32),
    /// `group.streams.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.streams.min.assignment.interval.ms`, `group.streams.max.assignment.interval.ms`
    pub assignment_interval_bounds_ms: (i32, i32),
    /// `group.streams.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.streams.num.standby.replicas`
    pub num_standby_replicas: i32,
    /// `group.streams.max.standby.replicas`
    pub max_standby_replicas: i32,
    /// `group.streams.max.size`
    pub max_size: i32,
}

impl Default for StreamsConfig {
    fn default() -> StreamsConfig {
        StreamsConfig {
            is_enabled: true,
            session_timeout_ms: 45_000,
            session_timeout_bounds_ms: (45_000, 60_000),
            heartbeat_interval_ms: 5_000,
            heartbeat_interval_bounds_ms: (5_000, 15_000),
            assignment_interval_ms: 1_000,
            assignment_interval_bounds_ms: (0, 15_000),
            initial_rebalance_delay_ms: 3_000,
            num_standby_replicas: 0,
            max_standby_replicas: 2,
            max_size: i32::MAX,
        }
    }
}

/// `group.share.*` settings that the group coordinator needs.
#[derive(Clone, Debug)]
pub struct ShareConfig {
    /// `group.share.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.share.min.session.timeout.ms`, `group.share.max.session.timeout.ms`
    pub session_timeout_bounds_ms: (i32, i32),
    /// `group.share.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.share.min.heartbeat.interval.ms`, `group.share.max.heartbeat.interval.ms`
    pub heartbeat_interval_bounds_ms: (i32, i32),
    /// `group.share.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.share.min.assignment.interval.ms`, `group.share.max.assignment.interval.ms`
    pub assignment_interval_bounds_ms: (i32, i32),
    /// `group.share.max.size`
    pub max_size: i32,
    /// `group.share.initialize.retry.interval.ms`: how long the persister may take for new partitions' states before it is asked again.
    pub initialize_retry_interval_ms: i32,
}

impl Default for ShareConfig {
    fn default() -> ShareConfig {
        ShareConfig {
            session_timeout_ms: 45_000,
            session_timeout_bounds_ms: (45_000, 60_000),
            heartbeat_interval_ms: 5_000,
            heartbeat_interval_bounds_ms: (5_000, 15_000),
            assignment_interval_ms: 1_000,
            assignment_interval_bounds_ms: (0, 15_000),
            max_size: 200,
            initialize_retry_interval_ms: 30_000,
        }
    }
}

/// What one group has settings of its own for (configs of resource type GROUP).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupOverrides {
    /// `consumer.session.timeout.ms`
    pub session_timeout_ms: Option<i32>,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: Option<i32>,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval_ms: Option<i32>,
    /// `streams.session.timeout.ms`
    pub streams_session_timeout_ms: Option<i32>,
    /// `streams.heartbeat.interval.ms`
    pub streams_heartbeat_interval_ms: Option<i32>,
    /// `streams.assignment.interval.ms`
    pub streams_assignment_interval_ms: Option<i32>,
    /// `streams.initial.rebalance.delay.ms`
    pub streams_initial_rebalance_delay_ms: Option<i32>,
    /// `streams.num.standby.replicas`
    pub streams_num_standby_replicas: Option<i32>,
    /// `share.session.timeout.ms`
    pub share_session_timeout_ms: Option<i32>,
    /// `share.heartbeat.interval.ms`
    pub share_heartbeat_interval_ms: Option<i32>,
    /// `share.assignment.interval.ms`
    pub share_assignment_interval_ms: Option<i32>,
}

/// What one coordinator will hold at most. A request beyond a bound is refused with an error that clients know.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Groups on this coordinator.
    pub groups: usize,
    /// Members of one group, those included that were only given an id (`group.max.size` may ask for less).
    pub members_per_group: usize,
    /// Subscriptions and names of one member.
    pub member_bytes: usize,
    /// Subscriptions and names of all members of one group.
    pub group_bytes: usize,
    /// Committed offsets on this coordinator.
    pub offsets: usize,
    /// Bytes of commit metadata on this coordinator.
    pub offset_metadata_bytes: usize,
    /// Appends of one partition that are not yet committed.
    pub pending_appends: usize,
    /// Their bytes.
    pub pending_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            groups: 100_000,
            members_per_group: 20_000,
            member_bytes: 1024 * 1024,
            group_bytes: 64 * 1024 * 1024,
            offsets: 2_000_000,
            offset_metadata_bytes: 128 * 1024 * 1024,
            pending_appends: 20_000,
            pending_bytes: 64 * 1024 * 1024,
        }
    }
}
