//! The quorum of controllers, and its observers, the brokers.
//!
//! Source: `org.apache.kafka.raft.internals.KafkaRaftMetrics`; `org.apache.kafka.common.network.Selector` for the channel.

super::beans! {
    /// What the node is in the quorum: its label says it, its value is always 1.
    CURRENT_STATE: Attribute, Count, Node, "kafka.server", "raft-metrics", "current-state", ["current_state"];
    /// Id of the quorum's leader; -1 where none is known.
    CURRENT_LEADER: Attribute, Ordinal, Node, "kafka.server", "raft-metrics", "current-leader", [];
    /// For whom the node voted in its epoch; -1 for nobody.
    CURRENT_VOTE: Attribute, Ordinal, Node, "kafka.server", "raft-metrics", "current-vote", [];
    /// Epoch of the quorum, as the node knows it.
    CURRENT_EPOCH: Attribute, Ordinal, Node, "kafka.server", "raft-metrics", "current-epoch", [];
    /// Next offset of the node's metadata log.
    LOG_END_OFFSET: Attribute, Ordinal, Node, "kafka.server", "raft-metrics", "log-end-offset", [];
    /// Epoch of the last record of the node's metadata log.
    LOG_END_EPOCH: Attribute, Ordinal, Node, "kafka.server", "raft-metrics", "log-end-epoch", [];
    /// Committed end of the metadata log, as the node knows it.
    HIGH_WATERMARK: Attribute, Ordinal, Node, "kafka.server", "raft-metrics", "high-watermark", [];
    /// Voters of the quorum, as the node knows them.
    NUMBER_OF_VOTERS: Attribute, Count, Node, "kafka.server", "raft-metrics", "number-of-voters", [];
    /// Observers that fetched from this leader in the last five minutes.
    NUMBER_OF_OBSERVERS: Attribute, Count, Controller, "kafka.server", "raft-metrics", "number-of-observers", [];
    /// 1 while the log of this leader holds a change of the voters that is not committed yet.
    UNCOMMITTED_VOTER_CHANGE: Attribute, Count, Controller, "kafka.server", "raft-metrics", "uncommitted-voter-change", [];
    /// Mean time that a record took from this leader's log to its commit.
    COMMIT_LATENCY_AVG: Attribute, Millis, Node, "kafka.server", "raft-metrics", "commit-latency-avg", [];
    /// Longest time that a record took from this leader's log to its commit.
    COMMIT_LATENCY_MAX: Attribute, Millis, Node, "kafka.server", "raft-metrics", "commit-latency-max", [];
    /// Mean time from when the node stood to when there was a leader.
    ELECTION_LATENCY_AVG: Attribute, Millis, Node, "kafka.server", "raft-metrics", "election-latency-avg", [];
    /// Longest time from when the node stood to when there was a leader.
    ELECTION_LATENCY_MAX: Attribute, Millis, Node, "kafka.server", "raft-metrics", "election-latency-max", [];
    /// Records fetched from the leader.
    FETCH_RECORDS_RATE: Attribute, PerSecond, Node, "kafka.server", "raft-metrics", "fetch-records-rate", [];
    /// Records appended as leader.
    APPEND_RECORDS_RATE: Attribute, PerSecond, Node, "kafka.server", "raft-metrics", "append-records-rate", [];
    /// Share of the time that the node's thread, which does all else as well, had nothing to do.
    POLL_IDLE_RATIO: Attribute, Ratio, Node, "kafka.server", "raft-metrics", "poll-idle-ratio-avg", [];
    /// Requests sent to other members.
    REQUEST_TOTAL: Total, Count, Node, "kafka.server", "raft-channel-metrics", "request-total", [];
    /// Requests sent to other members.
    REQUEST_RATE: Attribute, PerSecond, Node, "kafka.server", "raft-channel-metrics", "request-rate", [];
    /// Mean size of requests to other members, as Kafka's wire would have it.
    REQUEST_SIZE_AVG: Attribute, Bytes, Node, "kafka.server", "raft-channel-metrics", "request-size-avg", [];
    /// Size of the largest request to another member, as Kafka's wire would have it.
    REQUEST_SIZE_MAX: Attribute, Bytes, Node, "kafka.server", "raft-channel-metrics", "request-size-max", [];
    /// Answers that came from other members.
    RESPONSE_TOTAL: Total, Count, Node, "kafka.server", "raft-channel-metrics", "response-total", [];
    /// Answers that came from other members.
    RESPONSE_RATE: Attribute, PerSecond, Node, "kafka.server", "raft-channel-metrics", "response-rate", [];
    /// Requests to other members, and their answers.
    NETWORK_IO_TOTAL: Total, Count, Node, "kafka.server", "raft-channel-metrics", "network-io-total", [];
    /// Requests to other members, and their answers.
    NETWORK_IO_RATE: Attribute, PerSecond, Node, "kafka.server", "raft-channel-metrics", "network-io-rate", [];
    /// Bytes that the requests to other members would be on Kafka's wire; nodes meet in memory.
    OUTGOING_BYTE_TOTAL: Total, Bytes, Node, "kafka.server", "raft-channel-metrics", "outgoing-byte-total", [];
    /// Bytes that the requests to other members would be on Kafka's wire.
    OUTGOING_BYTE_RATE: Attribute, BytesPerSecond, Node, "kafka.server", "raft-channel-metrics", "outgoing-byte-rate", [];
    /// Bytes that the answers of other members would be on Kafka's wire; nodes meet in memory.
    INCOMING_BYTE_TOTAL: Total, Bytes, Node, "kafka.server", "raft-channel-metrics", "incoming-byte-total", [];
    /// Bytes that the answers of other members would be on Kafka's wire.
    INCOMING_BYTE_RATE: Attribute, BytesPerSecond, Node, "kafka.server", "raft-channel-metrics", "incoming-byte-rate", [];
}
