//! A node as a process would see itself. All nodes of a cluster here are one process, so what the kernel knows of it each tells alike.
//!
//! Source: `kafka.server.KafkaServer` (`org.apache.kafka.server.metrics.LinuxIoMetricsCollector`), `org.apache.kafka.metadata.BrokerState`.

super::beans! {
    /// 1: catches up with the metadata; 2: waits to be unfenced; 3: at work; 6: hands its partitions over; 7: goes.
    BROKER_STATE: Gauge, Ordinal, Broker, "kafka.server", "KafkaServer", "BrokerState", [];
    /// Bytes that the process, with all nodes in it, has had read from disks, as Linux counts them.
    DISK_READ_BYTES: Gauge, Bytes, Broker, "kafka.server", "KafkaServer", "linux-disk-read-bytes", [];
    /// Bytes that the process, with all nodes in it, has had written to disks, as Linux counts them.
    DISK_WRITE_BYTES: Gauge, Bytes, Broker, "kafka.server", "KafkaServer", "linux-disk-write-bytes", [];
    /// Series of MBeans with a name that the broker tells.
    YAMMER_METRICS_COUNT: Gauge, Count, Broker, "kafka.server", "KafkaServer", "yammer-metrics-count", [];
    /// Bytes that the process, with all nodes in it, has had read from disks, as Linux counts them.
    CONTROLLER_DISK_READ_BYTES: Gauge, Bytes, Controller, "kafka.server", "ControllerServer", "linux-disk-read-bytes", [];
    /// Bytes that the process, with all nodes in it, has had written to disks, as Linux counts them.
    CONTROLLER_DISK_WRITE_BYTES: Gauge, Bytes, Controller, "kafka.server", "ControllerServer", "linux-disk-write-bytes", [];
    /// Series of MBeans with a name that the controller tells.
    CONTROLLER_YAMMER_METRICS_COUNT: Gauge, Count, Controller, "kafka.server", "ControllerServer", "yammer-metrics-count", [];
    /// Series of MBeans without a name that the node tells.
    KAFKA_METRICS_COUNT: Attribute, Count, Node, "kafka.server", "kafka-metrics-count", "count", [];
}
