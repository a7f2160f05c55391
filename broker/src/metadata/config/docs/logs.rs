//! Logs: segments, retention, cleaning, compression, and topics as they come into being.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "alter.config.policy.class.name",
        "Java class that may refuse changes of configs. Accepted and kept without effect here: there is no JVM to load \
         it.",
    ),
    (
        "auto.create.topics.enable",
        "Whether a topic that a client asks for by name comes into being if it is not there. The client must want that \
         too (allow.auto.create.topics of consumers).",
    ),
    (
        "compression.gzip.level",
        "Level at which a broker compresses where compression.type is gzip: 1 is fastest, 9 smallest, and -1 leaves it \
         to the library. Batches that a producer already compressed that way keep their level.",
    ),
    (
        "compression.lz4.level",
        "Level at which a broker would compress where compression.type is lz4. Accepted and kept without effect here: \
         our lz4 knows only its fastest level.",
    ),
    (
        "compression.type",
        "How records lie on disk: gzip, snappy, lz4, zstd or uncompressed, or producer for what each batch came with. \
         Batches that came otherwise are compressed anew by the leader, which costs it CPU time.",
    ),
    (
        "compression.zstd.level",
        "Level at which a broker compresses where compression.type is zstd: the higher, the smaller and slower; \
         negative levels trade size for speed.",
    ),
    (
        "cordoned.log.dirs",
        "Log directories that are to receive no new replicas. Cannot be set to anything here yet, since placement does \
         not look at it; the change is refused with INVALID_CONFIG.",
    ),
    (
        "create.topic.policy.class.name",
        "Java class that may refuse topics that somebody wants to create. Accepted and kept without effect here: there \
         is no JVM to load it.",
    ),
    ("log.cleaner.backoff.ms", "Pause of the cleaner after it found no log that needs compaction, in ms."),
    (
        "log.cleaner.dedupe.buffer.size",
        "Memory for the table of keys that compaction works with, in bytes. The more keys it holds, the more of a log \
         one round can compact.",
    ),
    (
        "log.cleaner.delete.retention.ms",
        "How long a tombstone (a record without value) and a transaction's marker stay in a compacted log after the \
         round that first met them, in ms. A consumer that starts from the beginning has that long to see what was \
         deleted.",
    ),
    (
        "log.cleaner.enable",
        "Whether logs with the compact policy are compacted. Without it they grow for ever, the consumer offsets among \
         them.",
    ),
    (
        "log.cleaner.io.buffer.load.factor",
        "How full the table of keys may become in a round of compaction, as a part of 1. Fuller means longer rounds \
         and slower look-ups.",
    ),
    ("log.cleaner.io.buffer.size", "Memory for reading and writing while a log is compacted, in bytes."),
    (
        "log.cleaner.io.max.bytes.per.second",
        "Most bytes that compaction reads and writes in a second, both counted together. The default is no limit.",
    ),
    (
        "log.cleaner.max.compaction.lag.ms",
        "Longest time that a record of a compacted log may lie there uncompacted, in ms: once one is older, the log is \
         compacted whatever its dirty ratio. The default is no limit.",
    ),
    (
        "log.cleaner.min.cleanable.ratio",
        "Part of a log, from 0 to 1, that must be dirty (not compacted yet) before compaction begins. Lower saves \
         space, and costs more rounds.",
    ),
    (
        "log.cleaner.min.compaction.lag.ms",
        "How long a record is safe from compaction after it was written, in ms. The active segment is never compacted.",
    ),
    (
        "log.cleaner.threads",
        "Number of threads that compact. Accepted and kept without effect here: a broker compacts in small steps on \
         its own thread. A change while the cluster runs may at most double it, or halve it.",
    ),
    (
        "log.cleanup.policy",
        "What becomes of old segments: delete removes them by age and size, compact keeps the last record of each key, \
         and both together do both. With an empty list nothing is removed.",
    ),
    (
        "log.dir",
        "Directory of the logs where log.dirs names none. The cluster sets directories itself (--data-dir, \
         --ephemeral).",
    ),
    (
        "log.dir.failure.timeout.ms",
        "A broker that cannot tell the controller within this time, in ms, that one of its log directories failed \
         gives up and stops, so that others can lead.",
    ),
    (
        "log.dirs",
        "Directories of the logs, each perhaps on a disk of its own. The cluster sets them itself for each broker \
         (--data-dir, --ephemeral).",
    ),
    (
        "log.flush.interval.messages",
        "Number of records after which a log is flushed to disk. The default is never: durability comes from the \
         replicas, and the operating system writes when it sees fit.",
    ),
    (
        "log.flush.interval.ms",
        "Longest time in ms that records wait before they are flushed to disk. Unset: log.flush.scheduler.interval.ms, \
         whose default is never.",
    ),
    (
        "log.flush.offset.checkpoint.interval.ms",
        "How often it is noted, in ms, up to where logs are flushed, which shortens recovery after a crash. Accepted \
         and kept without effect here: it is written together with the high watermarks \
         (replica.high.watermark.checkpoint.interval.ms).",
    ),
    (
        "log.flush.scheduler.interval.ms",
        "How often Kafka looks, in ms, whether a log is due to be flushed. Here it matters only as the default of \
         log.flush.interval.ms.",
    ),
    (
        "log.flush.start.offset.checkpoint.interval.ms",
        "How often it is noted, in ms, where logs begin, so that deleted records do not come back. Accepted and kept \
         without effect here: it is written together with the high watermarks \
         (replica.high.watermark.checkpoint.interval.ms).",
    ),
    (
        "log.index.interval.bytes",
        "Bytes of a log between two entries of its offset index. Smaller finds an offset faster, and makes the index \
         larger.",
    ),
    (
        "log.index.size.max.bytes",
        "Largest offset or time index of a segment, in bytes. A full index closes its segment.",
    ),
    (
        "log.initial.task.delay.ms",
        "How long after its start a broker first looks for segments that are due to be deleted, in ms; a setting for \
         tests.",
    ),
    (
        "log.local.retention.bytes",
        "Bytes of a partition that stay on local disks once they are in remote storage; -2: as retention.bytes. \
         Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "log.local.retention.ms",
        "How long records stay on local disks once they are in remote storage, in ms; -2: as retention.ms. Accepted \
         and kept without effect here: there is no remote storage.",
    ),
    (
        "log.message.timestamp.after.max.ms",
        "How far in the future of the broker's clock a record's timestamp may lie, in ms; later ones are refused with \
         INVALID_TIMESTAMP. Does not count for LogAppendTime.",
    ),
    (
        "log.message.timestamp.before.max.ms",
        "How far in the past of the broker's clock a record's timestamp may lie, in ms; earlier ones are refused with \
         INVALID_TIMESTAMP. The default is no limit. Does not count for LogAppendTime.",
    ),
    (
        "log.message.timestamp.type",
        "Whose time records carry: CreateTime leaves the producer's, LogAppendTime puts the leader's in its place.",
    ),
    (
        "log.preallocate",
        "Whether a new segment's file gets its full length at once, which keeps the file system from growing it bit by \
         bit.",
    ),
    (
        "log.retention.bytes",
        "Size in bytes that a partition may have before its oldest segments are deleted; -1: no limit. It counts for \
         each partition, not for a topic as a whole.",
    ),
    ("log.retention.check.interval.ms", "How often a broker looks for segments that are due to be deleted, in ms."),
    (
        "log.retention.hours",
        "How long records are kept before their segment may be deleted, in hours; -1: for ever. Decides only where \
         neither log.retention.ms nor log.retention.minutes is set.",
    ),
    (
        "log.retention.minutes",
        "How long records are kept before their segment may be deleted, in minutes; -1: for ever. log.retention.ms \
         goes before it.",
    ),
    (
        "log.retention.ms",
        "How long records are kept before their segment may be deleted, in ms; -1: for ever. Goes before \
         log.retention.minutes and log.retention.hours.",
    ),
    (
        "log.roll.hours",
        "Age in hours at which a segment is closed although it is not full. Decides only where log.roll.ms is not set.",
    ),
    (
        "log.roll.jitter.hours",
        "Most hours that are taken off a segment's age limit at random. Decides only where log.roll.jitter.ms is not \
         set.",
    ),
    (
        "log.roll.jitter.ms",
        "Most that is taken off a segment's age limit at random, in ms, so that not all partitions begin a new segment \
         at once. Goes before log.roll.jitter.hours.",
    ),
    ("log.roll.ms", "Age in ms at which a segment is closed although it is not full. Goes before log.roll.hours."),
    (
        "log.segment.bytes",
        "Size in bytes at which a segment is closed and the next one begins. Retention and compaction work on closed \
         segments only.",
    ),
    (
        "log.segment.delete.delay.ms",
        "How long a deleted segment's files stay on disk under another name, in ms, for the sake of who still reads \
         them.",
    ),
    (
        "message.max.bytes",
        "Largest batch of records that is taken, in bytes, compressed as it comes. Consumers get the first batch even \
         if it is larger than what they asked for.",
    ),
    (
        "min.insync.replicas",
        "How many replicas must be in sync, the leader among them, for a write with acks=all to be taken; with fewer \
         it fails with NOT_ENOUGH_REPLICAS. Three replicas and 2 here survive the loss of any one broker. It counts \
         for no more than there are replicas.",
    ),
    ("num.partitions", "Partitions of a topic that is created without saying how many."),
    (
        "num.recovery.threads.per.data.dir",
        "Threads that open and recover the logs of one directory. Accepted and kept without effect here: a broker \
         recovers on its own thread. A change while the cluster runs may at most double it, or halve it.",
    ),
];
