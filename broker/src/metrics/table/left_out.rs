//! What a running Kafka exposes and this program does not, and why. Families as the JMX exporter names them, or `family{NAME}` for one value of
//! the label `name`, or of others where they are named; `*` stands for anything.

/// Links between nodes.
const LINK: &str =
    "Nodes here are linked in memory: there is no connection, selector or authentication to be measured.";
/// Events of coordinators.
const NO_QUEUE: &str = "A coordinator here is called, and has no queue of events and no thread of its own.";
/// Batches of coordinators.
const NO_LINGER: &str = "A coordinator's records are written as they come, and wait in no buffer.";

/// A family, and the reason in one sentence.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "kafka_network_SocketServer{MemoryPoolAvailable}",
        "There is no pool of request memory: requests are bounded by connection instead.",
    ),
    (
        "kafka_network_SocketServer{MemoryPoolUsed}",
        "There is no pool of request memory: requests are bounded by connection instead.",
    ),
    (
        "kafka_network_SocketServer{ExpiredConnectionsKilledCount}",
        "Nobody authenticates, so that no authentication expires.",
    ),
    (
        "kafka_server_socket_server_metrics_MemoryPool*",
        "There is no pool of request memory: requests are bounded by connection instead.",
    ),
    (
        "kafka_server_socket_server_metrics_expired_connections_killed_count",
        "Nobody authenticates, so that no authentication expires.",
    ),
    ("kafka_server_socket_server_metrics_*authentication*", "Nobody authenticates."),
    (
        "kafka_server_socket_server_metrics_io_ratio",
        "The thread that reads and writes does all else as well: the share of it is not known apart.",
    ),
    (
        "kafka_server_socket_server_metrics_io_time_ns*",
        "The thread that reads and writes does all else as well: the share of it is not known apart.",
    ),
    (
        "kafka_server_BrokerTopicMetrics{FetchMessageConversionsPerSec}",
        "Records are given as they are stored: no client is old enough to need others.",
    ),
    ("kafka_server_DelayedOperationPurgatory{delayedOperation=AlterAcls}", "There are no ACLs."),
    ("kafka_server_DelayedOperationPurgatory{delayedOperation=RemoteFetch}", "There is no tiered storage."),
    ("kafka_server_DelayedOperationPurgatory{delayedOperation=RemoteListOffsets}", "There is no tiered storage."),
    ("kafka_server_DelayedRemoteListOffsetsMetrics{ExpiresPerSec}", "There is no tiered storage."),
    (
        "kafka_server_DelayedProduceMetrics{topic=*;partition=*}",
        "Of all partitions together only: a slow follower would make a series of each.",
    ),
    ("kafka_server_client_metrics_*{client_instance_id=*}", "A series of each client instance would have no bound."),
    ("kafka_server_AddPartitionsManager_*", LINK),
    ("kafka_server_Persister_*", LINK),
    ("kafka_server_alter_*", LINK),
    ("kafka_server_directory_*", LINK),
    ("kafka_server_forwarding_*", LINK),
    ("kafka_server_heartbeat_*", LINK),
    ("kafka_server_registration_*", LINK),
    ("kafka_server_replica_*", LINK),
    ("kafka_server_txn_*", LINK),
    ("kafka_server_raft_channel_metrics_connection_*", LINK),
    ("kafka_server_raft_channel_metrics_failed_*", LINK),
    ("kafka_server_raft_channel_metrics_io_*", LINK),
    ("kafka_server_raft_channel_metrics_reauthentication_latency_avg", LINK),
    ("kafka_server_raft_channel_metrics_reauthentication_latency_max", LINK),
    ("kafka_server_raft_channel_metrics_select", LINK),
    ("kafka_server_raft_channel_metrics_select_rate", LINK),
    ("kafka_server_raft_channel_metrics_successful_*", LINK),
    (
        "kafka_server_raft_metrics_number_unknown_voter_connections",
        "Members of the quorum reach each other by id, and need to know no address.",
    ),
    ("kafka_server_group_coordinator_metrics_background_*", NO_QUEUE),
    ("kafka_server_group_coordinator_metrics_event_queue_*", NO_QUEUE),
    ("kafka_server_group_coordinator_metrics_thread_idle_ratio_avg", NO_QUEUE),
    ("kafka_server_group_coordinator_metrics_batch_buffer_*", NO_LINGER),
    ("kafka_server_group_coordinator_metrics_batch_linger_*", NO_LINGER),
    ("kafka_server_share_coordinator_metrics_event_queue_*", NO_QUEUE),
    ("kafka_server_share_coordinator_metrics_thread_idle_ratio_avg", NO_QUEUE),
    ("kafka_server_share_coordinator_metrics_batch_buffer_*", NO_LINGER),
    ("kafka_server_share_coordinator_metrics_batch_linger_*", NO_LINGER),
    (
        "kafka_coordinator_transaction_TransactionMarkerChannelManager{LogAppendRetryQueueSize}",
        "The end of a transaction that cannot be written yet waits in no queue: it stays with its transaction.",
    ),
    ("kafka_server_SharePartitionMetrics{FetchLock*", "A broker is one thread, and a share partition needs no lock."),
    ("kafka_server_app_info_StartTimeMs", "The same as `start-time-ms`, under the name of an older bean."),
    (
        "kafka_server_app_info_start_time_ms{client_id=*}",
        "Nodes have no client libraries of Kafka's, each of which tells when it began.",
    ),
];
