//! Streams groups.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "group.streams.assignment.interval.ms",
        "Shortest time between two assignments of a Streams group, in ms; changes that come sooner wait, and are taken \
         together. A group may set its own (streams.assignment.interval.ms).",
    ),
    (
        "group.streams.heartbeat.interval.ms",
        "How often a member of a Streams group is told to send a heartbeat, in ms. A group may set its own \
         (streams.heartbeat.interval.ms).",
    ),
    (
        "group.streams.initial.rebalance.delay.ms",
        "How long an empty Streams group waits for more members after its first, in ms, before it assigns tasks. A \
         group may set its own (streams.initial.rebalance.delay.ms).",
    ),
    ("group.streams.max.assignment.interval.ms", "Most that a group may set as streams.assignment.interval.ms."),
    ("group.streams.max.heartbeat.interval.ms", "Most that a group may set as streams.heartbeat.interval.ms."),
    ("group.streams.max.session.timeout.ms", "Most that a group may set as streams.session.timeout.ms."),
    (
        "group.streams.max.size",
        "Members that a Streams group may have; one more is refused with GROUP_MAX_SIZE_REACHED.",
    ),
    ("group.streams.max.standby.replicas", "Most that a group may set as streams.num.standby.replicas."),
    ("group.streams.min.assignment.interval.ms", "Least that a group may set as streams.assignment.interval.ms."),
    ("group.streams.min.heartbeat.interval.ms", "Least that a group may set as streams.heartbeat.interval.ms."),
    ("group.streams.min.session.timeout.ms", "Least that a group may set as streams.session.timeout.ms."),
    (
        "group.streams.num.standby.replicas",
        "Copies of each stateful task's state that other members of a Streams group keep up to date, ready to take \
         over. A group may set its own (streams.num.standby.replicas).",
    ),
    (
        "group.streams.session.timeout.ms",
        "A member of a Streams group that sends no heartbeat for this long, in ms, loses its tasks to the others. A \
         group may set its own (streams.session.timeout.ms).",
    ),
];
