//! What the tests of the names do not find in the table, and why.
//!
//! Patterns are of `family`, or of `family{NAME}` for one value of the label `name`; `*` stands for anything.

/// Wanted names that are left out, each with the reason.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    ("kafka_server_BrokerTopicMetrics_*{Remote*", "Tiered storage is not part of the cluster."),
    ("kafka_server_brokertopicmetrics_remote*", "Tiered storage is not part of the cluster."),
    ("kafka_log_remote_RemoteLogManager_Value{*", "Tiered storage is not part of the cluster."),
    ("kafka_controller_KafkaController_Value{*ToDeleteCount}", "Only controllers with ZooKeeper have it."),
    ("kafka_controller_KafkaController_Value{ControllerState}", "Only controllers with ZooKeeper have it."),
    ("kafka_consumer_group_ConsumerLagMetrics_Value{*", "Of no MBean: the exporter takes it from the groups' offsets."),
    (
        "java_lang_Memory_HeapMemoryUsage_used",
        "There is no heap of a JVM; `jvm_memory_used_bytes` tells the program's memory.",
    ),
    (
        "kafka_network_RequestMetrics_*{MessageConversionsTimeMs}",
        "A conversion is part of its append, and is not timed alone.",
    ),
    (
        "kafka_network_requestmetrics_messageconversionstimems*",
        "A conversion is part of its append, and is not timed alone.",
    ),
    ("kafka_network_RequestMetrics_*{TemporaryMemoryBytes}", "What a conversion takes is not measured."),
    ("kafka_server_BrokerTopicMetrics_*{FetchMessageConversionsPerSec}", "Records are given as they are stored."),
    ("kafka_server_brokertopicmetrics_fetchmessageconversions_total", "Records are given as they are stored."),
    ("kafka_network_SocketServer_Value{MemoryPool*}", "There is no pool of request memory."),
    ("kafka_server_socket_server_metrics_MemoryPool*", "There is no pool of request memory."),
    ("kafka_network_SocketServer_Value{ExpiredConnectionsKilledCount}", "Nobody authenticates."),
    ("kafka_server_socket_server_metrics_expired_connections_killed_count", "Nobody authenticates."),
    ("kafka_server_socket_server_metrics_failed_authentication_total", "Nobody authenticates."),
    ("kafka_server_socket_server_metrics_io_ratio", "The thread that reads and writes does all else as well."),
];

/// Wanted names whose beans are not in the table yet.
pub(super) const WANTED_NOT_YET: &[&str] = &[
    "kafka_server_KafkaServer_*",
    "kafka_server_Request_exempt_request_time",
    "kafka_server_kafkaserver_linux_disk_read_bytes",
    "kafka_server_kafkaserver_linux_disk_write_bytes",
];

/// Families of Kafka's whose beans are not in the table yet.
pub(super) const KAFKAS_NOT_YET: &[&str] = &[
    "kafka_controller_ControllerEventManager{EventQueueTimeMs}",
    "kafka_coordinator_group_*",
    "kafka_coordinator_transaction_TransactionMarkerChannelManager{LogAppendRetryQueueSize}",
    "kafka_coordinator_transaction_TransactionMarkerChannelManager{UnknownDestinationQueueSize}",
    "kafka_log_Log{RetentionSizeInPercent}",
    "kafka_server_AddPartitionsManager_*",
    "kafka_server_AddPartitionsToTxnManager{VerificationFailureRate}",
    "kafka_server_AddPartitionsToTxnManager{VerificationTimeMs}",
    "kafka_server_ControllerServer{*",
    "kafka_server_KafkaRequestHandlerPool{ControllerRequestHandlerAvgIdlePercent}",
    "kafka_server_KafkaServer{*",
    "kafka_server_MetadataLoader{AvgIdleRatio}",
    "kafka_server_Persister_*",
    "kafka_server_ShareGroupMetrics{*",
    "kafka_server_SharePartitionMetrics{*",
    "kafka_server_alter_*",
    "kafka_server_app_info_StartTimeMs",
    "kafka_server_app_info_start_time_ms",
    "kafka_server_directory_*",
    "kafka_server_forwarding_*",
    "kafka_server_group_*",
    "kafka_server_heartbeat_*",
    "kafka_server_kafka_metrics_count_count",
    "kafka_server_raft_channel_metrics_connection_*",
    "kafka_server_raft_channel_metrics_failed_*",
    "kafka_server_raft_channel_metrics_io_*",
    "kafka_server_raft_channel_metrics_reauthentication_latency_avg",
    "kafka_server_raft_channel_metrics_reauthentication_latency_max",
    "kafka_server_raft_channel_metrics_select",
    "kafka_server_raft_channel_metrics_select_rate",
    "kafka_server_raft_channel_metrics_successful_*",
    "kafka_server_raft_metrics_number_unknown_voter_connections",
    "kafka_server_raft_metrics_poll_idle_ratio_avg",
    "kafka_server_registration_*",
    "kafka_server_replica_*",
    "kafka_server_share_*",
    "kafka_server_transaction_coordinator_metrics_partition_load_time_avg",
    "kafka_server_transaction_coordinator_metrics_partition_load_time_max",
    "kafka_server_txn_*",
];
