//! Share groups and their state.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "group.share.assignment.interval.ms",
        "Shortest time between two assignments of a share group, in ms; changes that come sooner wait, and are taken \
         together. A group may set its own (share.assignment.interval.ms).",
    ),
    (
        "group.share.assignors",
        "Assignor of share groups. Accepted and kept without effect here: it is always Kafka's own, simple.",
    ),
    (
        "group.share.delivery.count.limit",
        "How often a record is given to a share group before it counts as one that nobody can process, and is given no \
         more. A group may set its own (share.delivery.count.limit).",
    ),
    (
        "group.share.heartbeat.interval.ms",
        "How often a member of a share group is told to send a heartbeat, in ms. A group may set its own \
         (share.heartbeat.interval.ms).",
    ),
    (
        "group.share.initialize.retry.interval.ms",
        "Pause before the coordinator of a share group tries again to set up the state of a share partition, in ms.",
    ),
    ("group.share.max.assignment.interval.ms", "Most that a group may set as share.assignment.interval.ms."),
    ("group.share.max.delivery.count.limit", "Most that a group may set as share.delivery.count.limit."),
    ("group.share.max.heartbeat.interval.ms", "Most that a group may set as share.heartbeat.interval.ms."),
    ("group.share.max.partition.max.record.locks", "Most that a group may set as share.partition.max.record.locks."),
    ("group.share.max.record.lock.duration.ms", "Most that a group may set as share.record.lock.duration.ms."),
    ("group.share.max.session.timeout.ms", "Most that a group may set as share.session.timeout.ms."),
    (
        "group.share.max.share.sessions",
        "Share sessions that a broker has at a time, one for each member of a share group that fetches from it; one \
         more is refused with SHARE_SESSION_LIMIT_REACHED.",
    ),
    ("group.share.max.size", "Members that a share group may have; one more is refused with GROUP_MAX_SIZE_REACHED."),
    ("group.share.min.assignment.interval.ms", "Least that a group may set as share.assignment.interval.ms."),
    ("group.share.min.delivery.count.limit", "Least that a group may set as share.delivery.count.limit."),
    ("group.share.min.heartbeat.interval.ms", "Least that a group may set as share.heartbeat.interval.ms."),
    ("group.share.min.partition.max.record.locks", "Least that a group may set as share.partition.max.record.locks."),
    ("group.share.min.record.lock.duration.ms", "Least that a group may set as share.record.lock.duration.ms."),
    ("group.share.min.session.timeout.ms", "Least that a group may set as share.session.timeout.ms."),
    (
        "group.share.partition.max.record.locks",
        "Records of one partition that may be with members of a share group at a time without being acknowledged. A \
         group may set its own (share.partition.max.record.locks).",
    ),
    (
        "group.share.persister.class.name",
        "Java class that keeps the state of share partitions. Accepted and kept without effect here: it is always kept \
         in __share_group_state.",
    ),
    (
        "group.share.record.lock.duration.ms",
        "How long a record is a member's alone once it was given to it, in ms; if it is not acknowledged by then, \
         another member gets it. A group may set its own (share.record.lock.duration.ms).",
    ),
    (
        "group.share.session.timeout.ms",
        "A member of a share group that sends no heartbeat for this long, in ms, is out of the group. A group may set \
         its own (share.session.timeout.ms).",
    ),
    (
        "share.auto.offset.reset",
        "Where a share group begins in a partition that it never read: latest (what comes from now on), earliest, or \
         by_duration: and an ISO-8601 duration, such as by_duration:PT1H, for so far back.",
    ),
    (
        "share.coordinator.append.linger.ms",
        "How long the share coordinator gathers what it has to write, in ms; -1: as its load suggests. Accepted and \
         kept without effect here: what is there at a time is written together.",
    ),
    (
        "share.coordinator.cached.buffer.max.bytes",
        "Largest buffer that the share coordinator keeps for its next write, in bytes. Accepted and kept without \
         effect here: buffers are not kept.",
    ),
    (
        "share.coordinator.cold.partition.snapshot.interval.ms",
        "How often the share coordinator writes a new snapshot of share partitions that do not change, in ms, so that \
         what lies before can be deleted.",
    ),
    (
        "share.coordinator.load.buffer.size",
        "Bytes of __share_group_state that are read at a time when a broker begins to coordinate a part of it. \
         Accepted and kept without effect here.",
    ),
    (
        "share.coordinator.snapshot.update.records.per.snapshot",
        "Changes of a share partition's state that the share coordinator writes before it writes the whole state \
         again.",
    ),
    (
        "share.coordinator.state.topic.compression.codec",
        "Compression of what is written to __share_group_state: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. Another \
         number means none.",
    ),
    (
        "share.coordinator.state.topic.min.isr",
        "What __share_group_state gets as min.insync.replicas when it comes into being.",
    ),
    (
        "share.coordinator.state.topic.num.partitions",
        "Partitions of __share_group_state, when it comes into being. Which one holds a share partition goes by their \
         number, so it must not change later.",
    ),
    (
        "share.coordinator.state.topic.prune.interval.ms",
        "How often the share coordinator deletes what nobody needs from the beginning of __share_group_state, in ms.",
    ),
    (
        "share.coordinator.state.topic.replication.factor",
        "Replicas of __share_group_state, when it comes into being. With fewer brokers than this it cannot be created, \
         and no share group works.",
    ),
    (
        "share.coordinator.state.topic.segment.bytes",
        "Size in bytes at which a segment of __share_group_state is closed, given to the topic when it comes into \
         being.",
    ),
    (
        "share.coordinator.threads",
        "Threads of the share coordinator. Accepted and kept without effect here: a broker is one thread.",
    ),
    (
        "share.coordinator.write.timeout.ms",
        "How long the share coordinator waits for the replicas of __share_group_state, in ms, before a write fails.",
    ),
    (
        "share.fetch.purgatory.purge.interval.requests",
        "Finished requests after which waiting fetches of share groups are cleared up. Accepted and kept without \
         effect here: each goes as soon as it is done.",
    ),
    (
        "share.isolation.level",
        "Whether a share group gets records of transactions that are open or were aborted (read_uncommitted), or those \
         of committed ones only (read_committed).",
    ),
    (
        "share.renew.acknowledge.enable",
        "Whether members of a share group may renew their hold on a record that takes longer than \
         share.record.lock.duration.ms (KIP-1222).",
    ),
];
