//! Replicas of a broker, and how records get from one to another.
//!
//! Source: `kafka.server.{ReplicaManager, AbstractFetcherManager, FetcherStats, ReplicationQuotaManager}`, `AssignmentsManager`,
//! `kafka.server.KafkaServer`.

super::beans! {
    /// Partitions that the broker leads.
    LEADER_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "LeaderCount", [];
    /// Replicas that the broker has.
    PARTITION_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "PartitionCount", [];
    /// Replicas whose log or log directory failed.
    OFFLINE_REPLICA_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "OfflineReplicaCount", [];
    /// Partitions led here with fewer in-sync replicas than replicas.
    UNDER_REPLICATED_PARTITIONS: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "UnderReplicatedPartitions", [];
    /// Partitions led here with fewer in-sync replicas than min.insync.replicas.
    UNDER_MIN_ISR_PARTITION_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "UnderMinIsrPartitionCount", [];
    /// Partitions led here with just as many in-sync replicas as min.insync.replicas.
    AT_MIN_ISR_PARTITION_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "AtMinIsrPartitionCount", [];
    /// Partitions led here that are being reassigned.
    REASSIGNING_PARTITIONS: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "ReassigningPartitions", [];
    /// Producers that the broker's replicas remember; one that wrote to several counts for each.
    PRODUCER_ID_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "ProducerIdCount", [];
    /// Partitions led here with a transaction that is open for five minutes longer than any may be.
    PARTITIONS_WITH_LATE_TRANSACTIONS_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaManager", "PartitionsWithLateTransactionsCount", [];
    /// Times that the controller agreed to take a replica out of an ISR.
    ISR_SHRINKS: Meter, Count, Broker, "kafka.server", "ReplicaManager", "IsrShrinksPerSec", [];
    /// Times that the controller agreed to take a replica into an ISR.
    ISR_EXPANDS: Meter, Count, Broker, "kafka.server", "ReplicaManager", "IsrExpandsPerSec", [];
    /// Changes of an ISR that the controller refused.
    FAILED_ISR_UPDATES: Meter, Count, Broker, "kafka.server", "ReplicaManager", "FailedIsrUpdatesPerSec", [];
    /// Record bytes fetched from leaders.
    REPLICATION_BYTES_IN: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "ReplicationBytesInPerSec", [];
    /// Record bytes given to followers.
    REPLICATION_BYTES_OUT: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "ReplicationBytesOutPerSec", [];
    /// Record bytes fetched for replicas that a reassignment adds here.
    REASSIGNMENT_BYTES_IN: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "ReassignmentBytesInPerSec", [];
    /// Record bytes given to replicas that a reassignment adds elsewhere.
    REASSIGNMENT_BYTES_OUT: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "ReassignmentBytesOutPerSec", [];
    /// Records by which the follower's replica that is farthest behind lacks of its leader's high watermark.
    FETCHER_MAX_LAG: Gauge, Count, Broker, "kafka.server", "ReplicaFetcherManager", "MaxLag", ["clientId"];
    /// Fetch requests per second to the leader that gets the fewest, over about a minute.
    FETCHER_MIN_FETCH_RATE: Gauge, PerSecond, Broker, "kafka.server", "ReplicaFetcherManager", "MinFetchRate", ["clientId"];
    /// Replicas that fetch no more until the metadata tells of a newer leader epoch.
    FETCHER_FAILED_PARTITIONS_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaFetcherManager", "FailedPartitionsCount", ["clientId"];
    /// Fetchers that ended in an error; here they are no threads, and end with the broker only.
    FETCHER_DEAD_THREAD_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaFetcherManager", "DeadThreadCount", ["clientId"];
    /// Fetch requests to a leader.
    FETCHER_REQUESTS: Meter, Count, Broker, "kafka.server", "FetcherStats", "RequestsPerSec", ["clientId", "brokerHost", "brokerPort"];
    /// Record bytes fetched from a leader.
    FETCHER_BYTES: Meter, Bytes, Broker, "kafka.server", "FetcherStats", "BytesPerSec", ["clientId", "brokerHost", "brokerPort"];
    /// Records that the farthest copy of a replica that moves between log directories lacks.
    ALTER_LOG_DIRS_MAX_LAG: Gauge, Count, Broker, "kafka.server", "ReplicaAlterLogDirsManager", "MaxLag", ["clientId"];
    /// Reads per second for replicas that move between log directories, over about a minute.
    ALTER_LOG_DIRS_MIN_FETCH_RATE: Gauge, PerSecond, Broker, "kafka.server", "ReplicaAlterLogDirsManager", "MinFetchRate", ["clientId"];
    /// Replicas that should move between log directories, and whose copy failed.
    ALTER_LOG_DIRS_FAILED_PARTITIONS_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaAlterLogDirsManager", "FailedPartitionsCount", ["clientId"];
    /// Movers between log directories that ended in an error; here they are no threads, and end with the broker only.
    ALTER_LOG_DIRS_DEAD_THREAD_COUNT: Gauge, Count, Broker, "kafka.server", "ReplicaAlterLogDirsManager", "DeadThreadCount", ["clientId"];
    /// Bytes per second of throttled replicas, given to followers.
    LEADER_REPLICATION_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "LeaderReplication", "byte-rate", [];
    /// Bytes per second of throttled replicas, fetched from leaders.
    FOLLOWER_REPLICATION_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "FollowerReplication", "byte-rate", [];
    /// Bytes per second of replicas that move between log directories.
    ALTER_LOG_DIRS_REPLICATION_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "AlterLogDirsReplication", "byte-rate", [];
    /// Replicas of whose log directory the controller has still to be told.
    QUEUED_REPLICA_TO_DIR_ASSIGNMENTS: Gauge, Count, Broker, "org.apache.kafka.server", "AssignmentsManager", "QueuedReplicaToDirAssignments", [];
    /// Replicas of whose log directory the controller has still to be told, by its other name.
    QUEUED_REPLICA_TO_DIR_ASSIGNMENTS_OLD: Gauge, Count, Broker, "kafka.server", "AssignmentsManager", "QueuedReplicaToDirAssignments", [];
}
