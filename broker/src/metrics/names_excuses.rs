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
pub(super) const WANTED_NOT_YET: &[&str] = &[];

/// Families of Kafka's whose beans are not in the table yet.
pub(super) const KAFKAS_NOT_YET: &[&str] = &[];
