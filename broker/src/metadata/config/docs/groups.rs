//! Classic and consumer groups, and committed offsets.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "group.consumer.assignment.interval.ms",
        "Shortest time between two assignments of a consumer group, in ms; changes that come sooner wait, and are \
         taken together. A group may set its own (consumer.assignment.interval.ms).",
    ),
    (
        "group.consumer.assignors",
        "Assignors that the coordinator offers to consumer groups; the first counts for members that name none. Only \
         uniform and range here: classes of somebody else's cannot be loaded.",
    ),
    (
        "group.consumer.heartbeat.interval.ms",
        "How often a member of a consumer group is told to send a heartbeat, in ms. A group may set its own \
         (consumer.heartbeat.interval.ms).",
    ),
    ("group.consumer.max.assignment.interval.ms", "Most that a group may set as consumer.assignment.interval.ms."),
    ("group.consumer.max.heartbeat.interval.ms", "Most that a group may set as consumer.heartbeat.interval.ms."),
    ("group.consumer.max.session.timeout.ms", "Most that a group may set as consumer.session.timeout.ms."),
    (
        "group.consumer.max.size",
        "Members that a consumer group may have; one more is refused with GROUP_MAX_SIZE_REACHED.",
    ),
    (
        "group.consumer.migration.policy",
        "Whether a group with members may turn from the classic to the consumer protocol (upgrade), back (downgrade), \
         both ways (bidirectional) or not at all (disabled). An empty group always may.",
    ),
    ("group.consumer.min.assignment.interval.ms", "Least that a group may set as consumer.assignment.interval.ms."),
    ("group.consumer.min.heartbeat.interval.ms", "Least that a group may set as consumer.heartbeat.interval.ms."),
    ("group.consumer.min.session.timeout.ms", "Least that a group may set as consumer.session.timeout.ms."),
    (
        "group.consumer.regex.refresh.interval.ms",
        "How often the coordinator looks anew which topics match the expressions that members of a consumer group \
         subscribed to, in ms.",
    ),
    (
        "group.consumer.session.timeout.ms",
        "A member of a consumer group that sends no heartbeat for this long, in ms, loses its partitions to the \
         others. A group may set its own (consumer.session.timeout.ms).",
    ),
    (
        "group.coordinator.append.linger.ms",
        "How long the group coordinator gathers what it has to write, in ms; -1: as its load suggests. Accepted and \
         kept without effect here: what is there at a time is written together.",
    ),
    (
        "group.coordinator.background.threads",
        "Threads that work out assignments and expressions of groups. Accepted and kept without effect here: a broker \
         is one thread.",
    ),
    (
        "group.coordinator.cached.buffer.max.bytes",
        "Largest buffer that the group coordinator keeps for its next write, in bytes. Accepted and kept without \
         effect here: buffers are not kept.",
    ),
    (
        "group.coordinator.rebalance.protocols",
        "Protocols that groups may use: classic, consumer (KIP-848), streams (KIP-1071). Share groups go by the \
         feature share.version.",
    ),
    (
        "group.coordinator.threads",
        "Threads of the group coordinator. Accepted and kept without effect here: a broker is one thread.",
    ),
    (
        "group.initial.rebalance.delay.ms",
        "How long an empty classic group waits for more members after its first, in ms, before it assigns partitions. \
         More wait saves rebalances, and delays the first record.",
    ),
    ("group.max.session.timeout.ms", "Longest session timeout that a member of a classic group may ask for, in ms."),
    ("group.max.size", "Members that a classic group may have; one more is refused with GROUP_MAX_SIZE_REACHED."),
    ("group.min.session.timeout.ms", "Shortest session timeout that a member of a classic group may ask for, in ms."),
    (
        "offset.metadata.max.bytes",
        "Longest note that a client may commit together with an offset, in bytes; a longer one is refused with \
         OFFSET_METADATA_TOO_LARGE.",
    ),
    (
        "offsets.commit.timeout.ms",
        "How long a commit of offsets waits for the replicas of __consumer_offsets, in ms, before it fails.",
    ),
    (
        "offsets.load.buffer.size",
        "Bytes of __consumer_offsets that are read at a time when a broker begins to coordinate a part of the groups. \
         Accepted and kept without effect here.",
    ),
    (
        "offsets.retention.check.interval.ms",
        "How often the coordinator looks for committed offsets that are past offsets.retention.minutes, in ms.",
    ),
    (
        "offsets.retention.minutes",
        "How long committed offsets are kept, in minutes, after their group became empty, or after the commit where a \
         consumer commits without being a member.",
    ),
    (
        "offsets.topic.compression.codec",
        "Compression of what is written to __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. Another number \
         means none.",
    ),
    (
        "offsets.topic.num.partitions",
        "Partitions of __consumer_offsets, when it comes into being. Which one holds a group goes by their number, so \
         it must not change later.",
    ),
    (
        "offsets.topic.replication.factor",
        "Replicas of __consumer_offsets, when it comes into being. With fewer brokers than this it cannot be created, \
         and no group works.",
    ),
    (
        "offsets.topic.segment.bytes",
        "Size in bytes at which a segment of __consumer_offsets is closed, given to the topic when it comes into \
         being. Smaller compacts sooner and loads faster.",
    ),
];
