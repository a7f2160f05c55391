//! Logs, their directories, and compaction.
//!
//! Source: `kafka.log.LogManager`, `org.apache.kafka.storage.internals.log.{LogFlushStats, LogCleaner, LogCleanerManager}`,
//! `org.apache.kafka.storage.internals.utils.Throttler`.

super::beans! {
    /// Log directories that failed.
    OFFLINE_LOG_DIRECTORY_COUNT: Gauge, Count, Broker, "kafka.log", "LogManager", "OfflineLogDirectoryCount", [];
    /// 1 if a log directory failed, 0 otherwise.
    LOG_DIRECTORY_OFFLINE: Gauge, Count, Broker, "kafka.log", "LogManager", "LogDirectoryOffline", ["logDirectory"];
    /// Log directories that get no new replicas.
    CORDONED_LOG_DIRECTORY_COUNT: Gauge, Count, Broker, "kafka.log", "LogManager", "CordonedLogDirectoryCount", [];
    /// 1 if a log directory gets no new replicas, 0 otherwise.
    LOG_DIRECTORY_CORDONED: Gauge, Count, Broker, "kafka.log", "LogManager", "LogDirectoryCordoned", ["logDirectory"];
    /// How often replicas' logs were made durable, and how long that took.
    LOG_FLUSH_RATE_AND_TIME: Timer, Millis, Broker, "kafka.log", "LogFlushStats", "LogFlushRateAndTimeMs", [];
    /// Bytes written for each 100 that were read, in the last round of compaction.
    CLEANER_RECOPY_PERCENT: Gauge, Percent, Broker, "kafka.log", "LogCleaner", "cleaner-recopy-percent", [];
    /// How full the map of keys was in the last round of compaction.
    MAX_BUFFER_UTILIZATION_PERCENT: Gauge, Percent, Broker, "kafka.log", "LogCleaner", "max-buffer-utilization-percent", [];
    /// How long the last round of compaction took.
    MAX_CLEAN_TIME: Gauge, Seconds, Broker, "kafka.log", "LogCleaner", "max-clean-time-secs", [];
    /// By how much a log was late after its max.compaction.lag.ms when one to be compacted was last looked for.
    MAX_COMPACTION_DELAY: Gauge, Seconds, Broker, "kafka.log", "LogCleaner", "max-compaction-delay-secs", [];
    /// Cleaners that ended in an error; here they are no threads, and end with the broker only.
    CLEANER_DEAD_THREAD_COUNT: Gauge, Count, Broker, "kafka.log", "LogCleaner", "DeadThreadCount", [];
    /// Logs that cannot be compacted, since their bytes make no sense.
    UNCLEANABLE_PARTITIONS_COUNT: Gauge, Count, Broker, "kafka.log", "LogCleanerManager", "uncleanable-partitions-count", ["logDirectory"];
    /// Bytes of logs that cannot be compacted.
    UNCLEANABLE_BYTES: Gauge, Bytes, Broker, "kafka.log", "LogCleanerManager", "uncleanable-bytes", ["logDirectory"];
    /// How dirty the dirtiest log was when one to be compacted was last looked for.
    MAX_DIRTY_PERCENT: Gauge, Percent, Broker, "kafka.log", "LogCleanerManager", "max-dirty-percent", [];
    /// Time since a log to be compacted was last looked for.
    TIME_SINCE_LAST_RUN: Gauge, Millis, Broker, "kafka.log", "LogCleanerManager", "time-since-last-run-ms", [];
    /// Bytes read and written by compaction.
    CLEANER_IO: Meter, Bytes, Broker, "kafka.utils", "Throttler", "cleaner-io", [];
}
