//! Metrics of brokers, and of topics on brokers.

use super::super::statistics::Statistic::{self, Average, Maximum, Sum};
use super::{BrokerReading, Definition, Feed, Level, Unit};

type Value = fn(&BrokerReading) -> Option<f64>;

const fn default(
    name: &'static str,
    unit: Unit,
    statistic: Statistic,
    meaning: &'static str,
    value: Value,
) -> Definition {
    Definition::new(name, Level::Default, unit, statistic, meaning, Feed::Broker(value))
}

const fn more(name: &'static str, unit: Unit, statistic: Statistic, meaning: &'static str, value: Value) -> Definition {
    Definition::new(name, Level::PerBroker, unit, statistic, meaning, Feed::Broker(value))
}

/// Of brokers that run: one that is down or paused tells nothing.
pub(super) static ALL: &[Definition] = &[
    default("PartitionCount", Unit::Count, Maximum, "Replicas on the broker.", |broker| Some(broker.replicas as f64))
        .seed()
        .prometheus("kafka_server_replicamanager_partitioncount", "kafka_server_replicamanager_partitioncount{node_id=\"$broker\"}"),
    default("LeaderCount", Unit::Count, Maximum, "Partitions that the broker leads.", |broker| Some(broker.leaders as f64))
        .seed()
        .prometheus("kafka_server_replicamanager_leadercount", "kafka_server_replicamanager_leadercount{node_id=\"$broker\"}"),
    default(
        "UnderMinIsrPartitionCount",
        Unit::Count,
        Maximum,
        "Partitions that the broker leads with an ISR smaller than min.insync.replicas: writes with acks=all are refused.",
        |broker| Some(broker.under_min_isr as f64),
    )
    .seed()
    .prometheus(
        "kafka_server_replicamanager_underminisrpartitioncount",
        "kafka_server_replicamanager_underminisrpartitioncount{node_id=\"$broker\"}",
    ),
    default(
        "UnderReplicatedPartitions",
        Unit::Count,
        Maximum,
        "Partitions that the broker leads with an ISR smaller than their replicas. 0 when all is well.",
        |broker| Some(broker.under_replicated as f64),
    )
    .seed()
    .prometheus(
        "kafka_server_replicamanager_underreplicatedpartitions",
        "kafka_server_replicamanager_underreplicatedpartitions{node_id=\"$broker\"}",
    ),
    default(
        "KafkaDataLogsDiskUsed",
        Unit::Percent,
        Maximum,
        "How full the broker's disk is with its data logs: their bytes, as part of these and of what the file system still has for them.",
        |broker| broker.data_percent,
    )
    .seed(),
    default(
        "KafkaAppLogsDiskUsed",
        Unit::Percent,
        Maximum,
        "How full the broker's disk is with its application log: 0 while that is kept in memory only.",
        |broker| broker.app_log_percent,
    )
    .seed(),
    default(
        "RootDiskUsed",
        Unit::Percent,
        Maximum,
        "How full the machine's root file system is, as df tells it; the same on every broker.",
        |broker| {
            let root = broker.host.reading.root?;
            let all = (root.used + root.available) as f64;
            (all > 0.0).then(|| 100.0 * root.used as f64 / all)
        },
    )
    .seed(),
    default(
        "ProduceTotalTimeMsMean",
        Unit::Milliseconds,
        Average,
        "Mean time from a produce request's arrival to its answer, over a second; no value in a second without one.",
        |broker| broker.traffic.as_ref()?.mean_ms("Produce"),
    )
    .seed()
    .prometheus(
        "kafka_network_requestmetrics_totaltimems",
        "rate(kafka_network_requestmetrics_totaltimems_sum{node_id=\"$broker\",request=\"Produce\"}[1m]) / rate(kafka_network_requestmetrics_totaltimems_count{node_id=\"$broker\",request=\"Produce\"}[1m])",
    ),
    more(
        "FetchConsumerTotalTimeMsMean",
        Unit::Milliseconds,
        Average,
        "Mean time from a consumer's fetch to its answer, over a second; it counts the wait for new records.",
        |broker| broker.traffic.as_ref()?.mean_ms("FetchConsumer"),
    )
    .seed()
    .prometheus(
        "kafka_network_requestmetrics_totaltimems",
        "rate(kafka_network_requestmetrics_totaltimems_sum{node_id=\"$broker\",request=\"FetchConsumer\"}[1m]) / rate(kafka_network_requestmetrics_totaltimems_count{node_id=\"$broker\",request=\"FetchConsumer\"}[1m])",
    ),
    default("BytesInPerSec", Unit::BytesPerSecond, Average, "Record bytes that clients wrote, per second.", |broker| {
        let traffic = broker.traffic.as_ref()?;
        Some(traffic.per_s(traffic.grown.bytes_in))
    })
    .prometheus(
        "kafka_server_brokertopicmetrics_bytesin_total",
        "rate(kafka_server_brokertopicmetrics_bytesin_total{node_id=\"$broker\",topic=\"\"}[1m])",
    ),
    default("BytesOutPerSec", Unit::BytesPerSecond, Average, "Record bytes that consumers read, per second.", |broker| {
        let traffic = broker.traffic.as_ref()?;
        Some(traffic.per_s(traffic.grown.bytes_out))
    })
    .prometheus(
        "kafka_server_brokertopicmetrics_bytesout_total",
        "rate(kafka_server_brokertopicmetrics_bytesout_total{node_id=\"$broker\",topic=\"\"}[1m])",
    ),
    default("MessagesInPerSec", Unit::CountPerSecond, Average, "Records that clients wrote, per second.", |broker| {
        let traffic = broker.traffic.as_ref()?;
        Some(traffic.per_s(traffic.grown.messages_in))
    })
    .prometheus(
        "kafka_server_brokertopicmetrics_messagesin_total",
        "rate(kafka_server_brokertopicmetrics_messagesin_total{node_id=\"$broker\",topic=\"\"}[1m])",
    ),
    default(
        "ConnectionCount",
        Unit::Count,
        Average,
        "Open connections of clients; brokers reach each other without connections here.",
        |broker| Some(broker.connections as f64),
    )
    .prometheus(
        "kafka_server_socket_server_metrics_connection_count",
        "sum(kafka_server_socket_server_metrics_connection_count{node_id=\"$broker\"})",
    ),
    default(
        "UserPartitionExists",
        Unit::Count,
        Maximum,
        "1 if the broker has a replica of a topic that is not internal.",
        |broker| Some(if broker.has_user_partition { 1.0 } else { 0.0 }),
    ),
    default(
        "CpuUser",
        Unit::Percent,
        Average,
        "CPU time of the broker's thread in the program's own code, of one processor: a broker is one thread here.",
        |broker| Some(broker.cpu?.user_percent),
    ),
    default("CpuSystem", Unit::Percent, Average, "CPU time of the broker's thread in the kernel, of one processor.", |broker| {
        Some(broker.cpu?.system_percent)
    }),
    default("CpuIdle", Unit::Percent, Average, "What CpuUser and CpuSystem leave of one processor.", |broker| {
        let cpu = broker.cpu?;
        Some((100.0 - cpu.user_percent - cpu.system_percent).max(0.0))
    }),
    default(
        "CpuIoWait",
        Unit::Percent,
        Average,
        "Time that the machine's processors idled while an I/O was under way; the same on every broker.",
        |broker| broker.host.io_wait_percent,
    ),
    default(
        "MemoryUsed",
        Unit::Bytes,
        Average,
        "Resident memory of the whole program, all nodes and the window; the same on every broker.",
        |broker| Some(broker.host.reading.memory?.program as f64),
    )
    .prometheus("process_resident_memory_bytes", "process_resident_memory_bytes"),
    default("MemoryFree", Unit::Bytes, Average, "Free memory of the machine; the same on every broker.", |broker| {
        Some(broker.host.reading.memory?.free as f64)
    }),
    default("MemoryBuffered", Unit::Bytes, Average, "The machine's buffers; the same on every broker.", |broker| {
        Some(broker.host.reading.memory?.buffered as f64)
    }),
    default("MemoryCached", Unit::Bytes, Average, "The machine's page cache; the same on every broker.", |broker| {
        Some(broker.host.reading.memory?.cached as f64)
    }),
    default("SwapFree", Unit::Bytes, Average, "Free swap space of the machine; the same on every broker.", |broker| {
        Some(broker.host.reading.memory?.swap_free as f64)
    }),
    default("SwapUsed", Unit::Bytes, Average, "Swap space of the machine in use; the same on every broker.", |broker| {
        Some(broker.host.reading.memory?.swap_used as f64)
    }),
    default(
        "CPUCreditBalance",
        Unit::Count,
        Average,
        "Simulated: CPU credits that a kafka.t3.small would have left, from 0 at the start, with this broker's CPU time.",
        |broker| Some(broker.credits.balance),
    )
    .simulated(),
    more(
        "CpuCreditUsage",
        Unit::Count,
        Sum,
        "Simulated: CPU credits that a kafka.t3.small would have spent, with this broker's CPU time.",
        |broker| broker.cpu.map(|_| broker.credits.spent),
    )
    .simulated(),
    default(
        "BurstBalance",
        Unit::Percent,
        Average,
        "Simulated: I/O credits that a small gp2 volume would have left, with what this broker writes in pieces of 256 KiB.",
        |broker| Some(broker.burst.percent()),
    )
    .simulated(),
    more("ConnectionCreationRate", Unit::CountPerSecond, Average, "Connections that clients opened, per second.", |broker| {
        let traffic = broker.traffic.as_ref()?;
        Some(traffic.per_s(traffic.grown.connections_total))
    })
    .prometheus(
        "kafka_server_socket_server_metrics_connection_creation_total",
        "sum(rate(kafka_server_socket_server_metrics_connection_creation_total{node_id=\"$broker\"}[1m]))",
    ),
    more("ConnectionCloseRate", Unit::CountPerSecond, Average, "Connections of clients that were closed, per second.", |broker| {
        let traffic = broker.traffic.as_ref()?;
        Some(traffic.per_s(traffic.connections_closed))
    }),
    more(
        "ReplicationBytesInPerSec",
        Unit::BytesPerSecond,
        Average,
        "Record bytes that the broker fetched from leaders, per second.",
        |broker| {
            let traffic = broker.traffic.as_ref()?;
            Some(traffic.per_s(traffic.grown.replication_bytes_in))
        },
    )
    .prometheus(
        "kafka_server_brokertopicmetrics_replicationbytesin_total",
        "rate(kafka_server_brokertopicmetrics_replicationbytesin_total{node_id=\"$broker\"}[1m])",
    ),
    more(
        "ReplicationBytesOutPerSec",
        Unit::BytesPerSecond,
        Average,
        "Record bytes that the broker gave to followers, per second.",
        |broker| {
            let traffic = broker.traffic.as_ref()?;
            Some(traffic.per_s(traffic.grown.replication_bytes_out))
        },
    )
    .prometheus(
        "kafka_server_brokertopicmetrics_replicationbytesout_total",
        "rate(kafka_server_brokertopicmetrics_replicationbytesout_total{node_id=\"$broker\"}[1m])",
    ),
    more(
        "KafkaFileDescriptorsUsagePercent",
        Unit::Percent,
        Maximum,
        "Open file descriptors of the whole program, of its limit; the same on every broker.",
        |broker| broker.host.reading.files_percent,
    ),
    more(
        "KafkaMemoryMappedFilesUsagePercent",
        Unit::Percent,
        Maximum,
        "Memory maps of the whole program, of the kernel's limit; looked at every ten seconds, the same on every broker.",
        |broker| broker.host.reading.maps_percent,
    ),
];

const fn topic(
    name: &'static str,
    level: Level,
    unit: Unit,
    meaning: &'static str,
    value: fn(&super::Traffic, (u64, u64, u64)) -> f64,
) -> Definition {
    Definition::new(name, level, unit, Average, meaning, Feed::BrokerTopic(value))
}

/// Of topics that had traffic on a broker since it started.
pub(super) static TOPICS: &[Definition] = &[
    topic(
        "BytesInPerSec",
        Level::Default,
        Unit::BytesPerSecond,
        "Record bytes of the topic that clients wrote, per second.",
        |traffic, (_, bytes_in, _)| traffic.per_s(bytes_in),
    )
    .prometheus(
        "kafka_server_brokertopicmetrics_bytesin_total",
        "rate(kafka_server_brokertopicmetrics_bytesin_total{node_id=\"$broker\",topic=\"$topic\"}[1m])",
    ),
    topic(
        "BytesOutPerSec",
        Level::Default,
        Unit::BytesPerSecond,
        "Record bytes of the topic that consumers read, per second.",
        |traffic, (_, _, bytes_out)| traffic.per_s(bytes_out),
    )
    .prometheus(
        "kafka_server_brokertopicmetrics_bytesout_total",
        "rate(kafka_server_brokertopicmetrics_bytesout_total{node_id=\"$broker\",topic=\"$topic\"}[1m])",
    ),
    topic(
        "MessagesInPerSec",
        Level::PerTopicPerBroker,
        Unit::CountPerSecond,
        "Records of the topic that clients wrote, per second.",
        |traffic, (messages, _, _)| traffic.per_s(messages),
    )
    .prometheus(
        "kafka_server_brokertopicmetrics_messagesin_total",
        "rate(kafka_server_brokertopicmetrics_messagesin_total{node_id=\"$broker\",topic=\"$topic\"}[1m])",
    ),
];
