//! Settings of the coordinator, with Kafka's defaults.

/// `group.*` and `offsets.*` settings, and our own bounds.
#[derive(Clone, Debug)]
pub struct GroupConfig {
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
    /// Bounds that Kafka leaves to the heap.
    pub limits: Limits,
}

impl Default for GroupConfig {
    fn default() -> GroupConfig {
        GroupConfig {
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
            limits: Limits::default(),
        }
    }
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
