//! What only topics, groups and client metrics subscriptions have, or what reads better there than the text of the broker config behind it.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "flush.ms",
        "Longest time in ms that records wait before they are flushed to disk. The default is never: durability comes \
         from the replicas, and the operating system writes when it sees fit.",
    ),
    (
        "follower.replication.throttled.replicas",
        "Replicas of the topic that count against follower.replication.throttled.rate while they follow, as \
         partition:broker with commas between, or * for all. Tools that move replicas set it, and take it off again.",
    ),
    ("internal.segment.bytes", "Size of segments in place of segment.bytes, without its lower bound; for tests."),
    (
        "interval.ms",
        "How often the clients of the subscription push their metrics, in ms, from 100 to 3600000. Where several \
         subscriptions match a client, the shortest interval counts.",
    ),
    (
        "leader.replication.throttled.replicas",
        "Replicas of the topic that count against leader.replication.throttled.rate while they lead, as \
         partition:broker with commas between, or * for all. Tools that move replicas set it, and take it off again.",
    ),
    (
        "match",
        "Which clients the subscription is for: expressions as name=regex with commas between, which all must match \
         the whole of the client's value. Names: client_instance_id, client_id, client_software_name, \
         client_software_version, client_source_address, client_source_port. Empty: all clients.",
    ),
    (
        "metrics",
        "Metrics that the subscription asks for, as beginnings of their names with commas between, such as \
         org.apache.kafka.producer. The one entry * asks for all; empty asks for none.",
    ),
    (
        "retention.ms",
        "How long records are kept before their segment may be deleted, in ms; -1: for ever. A segment goes when its \
         newest record is older.",
    ),
    (
        "segment.jitter.ms",
        "Most that is taken off segment.ms at random, so that not all partitions begin a new segment at once.",
    ),
    (
        "segment.ms",
        "Age in ms at which a segment is closed although it is not full, so that retention and compaction can get at \
         it.",
    ),
];
