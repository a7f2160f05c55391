//! Metrics of the cluster, of groups, and of groups' partitions.

use super::super::statistics::Statistic::{Average, Maximum};
use super::{Definition, Feed, Level, Unit};

const fn cluster(
    name: &'static str,
    statistic: super::Statistic,
    meaning: &'static str,
    value: fn(&super::ClusterReading) -> Option<f64>,
) -> Definition {
    Definition::new(name, Level::Default, Unit::Count, statistic, meaning, Feed::Cluster(value))
}

/// Of the cluster.
pub(super) static ALL: &[Definition] = &[
    Definition::new(
        "ActiveControllerCount",
        Level::Default,
        Unit::Count,
        Maximum,
        "Active controllers: 1 as Maximum is healthy. Each controller tells a value each second, so that Average is 1 divided by their number.",
        Feed::Controllers,
    )
    .seed()
    .prometheus("kafka_controller_kafkacontroller_activecontrollercount", "sum(kafka_controller_kafkacontroller_activecontrollercount)"),
    cluster(
        "OfflinePartitionsCount",
        Maximum,
        "Partitions without a leader: nobody can write to them or read them. Must be 0.",
        |cluster| Some(cluster.offline_partitions as f64),
    )
    .seed()
    .prometheus("kafka_controller_kafkacontroller_offlinepartitionscount", "max(kafka_controller_kafkacontroller_offlinepartitionscount)"),
    cluster("GlobalPartitionCount", Maximum, "Partitions of all topics, replicas not counted.", |cluster| {
        Some(cluster.partitions as f64)
    })
    .seed()
    .prometheus("kafka_controller_kafkacontroller_globalpartitioncount", "max(kafka_controller_kafkacontroller_globalpartitioncount)"),
    cluster("GlobalTopicCount", Maximum, "Topics, internal ones included.", |cluster| Some(cluster.topics as f64))
        .seed()
        .prometheus("kafka_controller_kafkacontroller_globaltopiccount", "max(kafka_controller_kafkacontroller_globaltopiccount)"),
    Definition::new(
        "KafkaDataLogsDiskUsed",
        Level::Default,
        Unit::Percent,
        Maximum,
        "How full the disk is with data logs: all brokers' log bytes, as part of these and of what the file system still has for them.",
        Feed::Cluster(|cluster| cluster.data_percent),
    )
    .seed(),
    Definition::new(
        "StorageUsed",
        Level::Default,
        Unit::Bytes,
        Average,
        "Bytes of all partitions, replicas not counted (MSK gives it for Express brokers).",
        Feed::Cluster(|cluster| Some(cluster.leader_bytes as f64)),
    )
    .prometheus("kafka_log_log_size", "sum(max by (topic, partition) (kafka_log_log_size))"),
];

const fn group(
    name: &'static str,
    unit: Unit,
    statistic: super::Statistic,
    meaning: &'static str,
    value: fn(&super::GroupReading) -> Option<f64>,
) -> Definition {
    Definition::new(name, Level::Default, unit, statistic, meaning, Feed::Group(value))
}

/// Of groups that are stable or empty, in each topic that they committed offsets of.
pub(super) static GROUPS: &[Definition] = &[
    group(
        "SumOffsetLag",
        Unit::Count,
        Maximum,
        "Records that the group has not read, over all partitions of the topic.",
        |group| Some(group.sum_lag() as f64),
    )
    .prometheus("kafka_consumergroup_lag", "sum(kafka_consumergroup_lag{consumergroup=\"$group\",topic=\"$topic\"})"),
    group(
        "MaxOffsetLag",
        Unit::Count,
        Maximum,
        "Records that the group has not read of the partition where these are most.",
        |group| Some(group.max_lag() as f64),
    )
    .prometheus("kafka_consumergroup_lag", "max(kafka_consumergroup_lag{consumergroup=\"$group\",topic=\"$topic\"})"),
    group(
        "EstimatedMaxTimeLag",
        Unit::Seconds,
        Maximum,
        "Age of the oldest record that the group has not read: how long ago the log passed the committed offset, not a guess from rates.",
        |group| group.max_of(|partition| partition.lag_s),
    ),
    group(
        "RollingEstimatedTimeLagMax",
        Unit::Seconds,
        Average,
        "The same, over the last minute or so (exponentially weighted), of the partition where it is greatest.",
        |group| group.max_of(|partition| partition.rolling_s),
    ),
];

const fn partition(
    name: &'static str,
    unit: Unit,
    meaning: &'static str,
    value: fn(&super::PartitionLag) -> Option<f64>,
) -> Definition {
    Definition::new(name, Level::PerTopicPerPartition, unit, Average, meaning, Feed::GroupPartition(value))
}

/// Of the same groups, in each partition.
pub(super) static PARTITIONS: &[Definition] = &[
    partition("OffsetLag", Unit::Count, "Records of the partition that the group has not read.", |partition| {
        Some(partition.lag as f64)
    })
    .prometheus(
        "kafka_consumergroup_lag",
        "kafka_consumergroup_lag{consumergroup=\"$group\",topic=\"$topic\",partition=\"$partition\"}",
    ),
    partition(
        "EstimatedTimeLag",
        Unit::Seconds,
        "Age of the oldest record of the partition that the group has not read.",
        |partition| partition.lag_s,
    ),
    partition(
        "RollingEstimatedTimeLag",
        Unit::Seconds,
        "The same, over the last minute or so (exponentially weighted).",
        |partition| partition.rolling_s,
    ),
];
