//! The loggers that nodes have: Kafka's classes and its loggers that are no class, where there is a part of ours that does what they do.

use super::Level;

/// The file that Kafka's `log4j2.yaml` sends a logger's lines to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// `server.log`.
    Server,
    /// `state-change.log`.
    StateChange,
    /// `kafka-request.log`.
    Request,
    /// `log-cleaner.log`.
    Cleaner,
    /// `controller.log`.
    Controller,
}

impl File {
    /// All files.
    pub const ALL: [File; 5] = [File::Server, File::StateChange, File::Request, File::Cleaner, File::Controller];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            File::Server => "server.log",
            File::StateChange => "state-change.log",
            File::Request => "kafka-request.log",
            File::Cleaner => "log-cleaner.log",
            File::Controller => "controller.log",
        }
    }
}

macro_rules! loggers {
    ($($variant:ident = $name:literal, $level:expr, $file:ident, $what:literal;)+) => {
        /// A logger, by Kafka's name for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Logger {
            $(#[doc = $what] $variant,)+
        }

        impl Logger {
            /// All, in the order of their names but for the root.
            pub const ALL: &[Logger] = &[$(Logger::$variant,)+];

            /// As in Kafka.
            pub fn name(self) -> &'static str {
                match self { $(Logger::$variant => $name,)+ }
            }

            /// The level that Kafka's configuration file gives it itself; the others have that of the next above.
            pub fn configured(self) -> Option<Level> {
                match self { $(Logger::$variant => $level,)+ }
            }

            /// Where its lines go.
            pub fn file(self) -> File {
                match self { $(Logger::$variant => File::$file,)+ }
            }

            /// What it tells of.
            pub fn what(self) -> &'static str {
                match self { $(Logger::$variant => $what,)+ }
            }
        }
    };
}

loggers! {
    Root = "root", Some(Level::Info), Server, "All loggers that have no level of their own.";
    Kafka = "kafka", Some(Level::Info), Server, "All whose names begin with kafka.";
    Partition = "kafka.cluster.Partition", None, Server, "A leader's partition: ISR, high watermark, what it appends.";
    TransactionCoordinator = "kafka.coordinator.transaction.TransactionCoordinator", None, Server, "Transactions: their ids, ends and time-outs.";
    TransactionMarkers = "kafka.coordinator.transaction.TransactionMarkerChannelManager", None, Server, "Markers that end transactions.";
    TransactionState = "kafka.coordinator.transaction.TransactionStateManager", None, Server, "Partitions of __transaction_state that are loaded and given up.";
    LogManager = "kafka.log.LogManager", None, Server, "Log directories: loading, flushing, failing.";
    ConnectionQuotas = "kafka.network.ConnectionQuotas", None, Server, "Limits of connections.";
    Acceptor = "kafka.network.DataPlaneAcceptor", None, Server, "New connections.";
    Processor = "kafka.network.Processor", None, Server, "Connections: what they send, and why they end.";
    RequestChannel = "kafka.network.RequestChannel$", Some(Level::Warn), Request, "Updates of the metrics of requests.";
    SocketServer = "kafka.network.SocketServer", None, Server, "Listeners.";
    RequestLogger = "kafka.request.logger", Some(Level::Warn), Request, "Each request when it is done: what was asked and answered, and its times: DEBUG.";
    AutoTopicCreation = "kafka.server.AutoTopicCreationManager", None, Server, "Topics that are created because somebody asked for them.";
    BrokerServer = "kafka.server.BrokerServer", None, Server, "A broker's start and end.";
    ControllerApis = "kafka.server.ControllerApis", None, Server, "Requests to controllers.";
    ControllerServer = "kafka.server.ControllerServer", None, Server, "A controller's start and end.";
    AlterPartitionManager = "kafka.server.DefaultAlterPartitionManager", None, Server, "ISRs that are proposed to the controller.";
    DynamicBrokerConfig = "kafka.server.DynamicBrokerConfig", None, Server, "Configs that change while the broker runs.";
    ForwardingManager = "kafka.server.ForwardingManagerImpl", None, Server, "Requests that are passed on to the controller.";
    KafkaApis = "kafka.server.KafkaApis", None, Server, "Requests: each that fails unexpectedly; at DEBUG what is answered.";
    AlterLogDirs = "kafka.server.ReplicaAlterLogDirsThread", None, Server, "Replicas that move to another log directory.";
    ReplicaFetcherManager = "kafka.server.ReplicaFetcherManager", None, Server, "Whom followers fetch from.";
    ReplicaFetcher = "kafka.server.ReplicaFetcherThread", None, Server, "Followers: fetching, truncation.";
    ReplicaManager = "kafka.server.ReplicaManager", None, Server, "Replicas: taking on and giving up, failed directories.";
    RuntimeLoggerManager = "kafka.server.logger.RuntimeLoggerManager", None, Server, "Levels that are changed.";
    MetadataPublisher = "kafka.server.metadata.BrokerMetadataPublisher", None, Server, "Metadata that takes effect.";
    DynamicConfigPublisher = "kafka.server.metadata.DynamicConfigPublisher", None, Server, "Configs of topics and brokers that take effect.";
    SharePartition = "kafka.server.share.SharePartition", None, Server, "Records of share groups: acquired, accepted, given back.";
    SharePartitionManager = "kafka.server.share.SharePartitionManager", None, Server, "Sessions of share groups.";
    ApacheKafka = "org.apache.kafka", Some(Level::Info), Server, "All whose names begin with org.apache.kafka.";
    Controller = "org.apache.kafka.controller", Some(Level::Info), Controller, "All that controllers decide.";
    BrokerHeartbeats = "org.apache.kafka.controller.BrokerHeartbeatManager", None, Controller, "Brokers' sessions.";
    QuotaControl = "org.apache.kafka.controller.ClientQuotaControlManager", None, Controller, "Quotas that are set.";
    ClusterControl = "org.apache.kafka.controller.ClusterControlManager", None, Controller, "Brokers that register, and are fenced and unfenced.";
    ConfigurationControl = "org.apache.kafka.controller.ConfigurationControlManager", None, Controller, "Configs that are set.";
    FeatureControl = "org.apache.kafka.controller.FeatureControlManager", None, Controller, "Features and their levels.";
    ProducerIdControl = "org.apache.kafka.controller.ProducerIdControlManager", None, Controller, "Blocks of producer ids.";
    QuorumController = "org.apache.kafka.controller.QuorumController", None, Controller, "The active controller: becoming it, and ceasing to be.";
    ReplicationControl = "org.apache.kafka.controller.ReplicationControlManager", None, Controller, "Topics, leaders, ISRs, reassignments.";
    CoordinatorRuntime = "org.apache.kafka.coordinator.common.runtime.CoordinatorRuntime", None, Server, "Partitions of the coordinators' topics that are loaded and given up.";
    GroupCoordinator = "org.apache.kafka.coordinator.group.GroupCoordinatorService", None, Server, "The group coordinator.";
    GroupMetadata = "org.apache.kafka.coordinator.group.GroupMetadataManager", None, Server, "Groups: members, rebalances, epochs.";
    OffsetMetadata = "org.apache.kafka.coordinator.group.OffsetMetadataManager", None, Server, "Offsets: commits, expiry.";
    ShareCoordinator = "org.apache.kafka.coordinator.share.ShareCoordinatorService", None, Server, "The share coordinator.";
    MetadataLoader = "org.apache.kafka.image.loader.MetadataLoader", None, Server, "Metadata that is read.";
    SnapshotGenerator = "org.apache.kafka.image.publisher.SnapshotGenerator", None, Server, "Snapshots of the metadata.";
    RaftClient = "org.apache.kafka.raft.KafkaRaftClient", None, Server, "The quorum: votes, fetches, who is in.";
    QuorumState = "org.apache.kafka.raft.QuorumState", None, Server, "A member of the quorum that changes its role.";
    RaftLog = "org.apache.kafka.raft.internals.KafkaRaftLog", None, Server, "The metadata log on the disk.";
    BrokerLifecycle = "org.apache.kafka.server.BrokerLifecycleManager", None, Server, "A broker's registration, heartbeats, fencing and shutdown.";
    ClientMetrics = "org.apache.kafka.server.ClientMetricsManager", None, Server, "Clients that push metrics.";
    FetchManager = "org.apache.kafka.server.FetchManager", None, Server, "Fetch sessions.";
    ClientQuotas = "org.apache.kafka.server.quota.ClientQuotaManager", None, Server, "Clients that do more than they may.";
    Cleaner = "org.apache.kafka.storage.internals.log.Cleaner", Some(Level::Info), Cleaner, "Logs that are being compacted.";
    LocalLog = "org.apache.kafka.storage.internals.log.LocalLog", None, Server, "Segments.";
    LogCleaner = "org.apache.kafka.storage.internals.log.LogCleaner", Some(Level::Info), Cleaner, "Which logs are compacted when.";
    LogLoader = "org.apache.kafka.storage.internals.log.LogLoader", None, Server, "Logs that are loaded, and recovered after a crash.";
    ProducerState = "org.apache.kafka.storage.internals.log.ProducerStateManager", None, Server, "What is known of idempotent producers.";
    UnifiedLog = "org.apache.kafka.storage.internals.log.UnifiedLog", None, Server, "A partition's log: rolling, retention, truncation.";
    StateChange = "state.change.logger", Some(Level::Info), StateChange, "Partitions that become led or followed, by broker.";
}

impl Logger {
    /// By Kafka's name.
    pub fn of(name: &str) -> Option<Logger> {
        Logger::ALL.iter().copied().find(|logger| logger.name() == name)
    }

    /// The next above it: the longest other name, up to a dot, with which its own begins; else the root.
    pub fn parent(self) -> Option<Logger> {
        if self == Logger::Root {
            return None;
        }
        let mut rest = self.name();
        while let Some((above, _)) = rest.rsplit_once('.') {
            if let Some(parent) = Logger::of(above) {
                return Some(parent);
            }
            rest = above;
        }
        Some(Logger::Root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_each_there_once_in_order() {
        let names: Vec<&str> = Logger::ALL.iter().skip(1).map(|logger| logger.name()).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        for (index, logger) in Logger::ALL.iter().enumerate() {
            assert_eq!(*logger as usize, index);
            assert_eq!(Logger::of(logger.name()), Some(*logger));
        }
    }

    #[test]
    fn parents() {
        for (logger, parent) in [
            (Logger::Root, None),
            (Logger::Kafka, Some(Logger::Root)),
            (Logger::RuntimeLoggerManager, Some(Logger::Kafka)),
            (Logger::RequestLogger, Some(Logger::Kafka)),
            (Logger::QuorumController, Some(Logger::Controller)),
            (Logger::Controller, Some(Logger::ApacheKafka)),
            (Logger::RaftLog, Some(Logger::ApacheKafka)),
            (Logger::StateChange, Some(Logger::Root)),
        ] {
            assert_eq!(logger.parent(), parent, "{}", logger.name());
        }
    }
}
