//! Tiered storage, which is not there yet.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "follower.fetch.last.tiered.offset.enable",
        "Whether a follower without any data begins behind what is in remote storage already, and copies only the rest \
         from its leader. Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "remote.fetch.max.wait.ms",
        "Longest time that a fetch waits for remote storage, in ms. Accepted and kept without effect here: there is no \
         remote storage.",
    ),
    (
        "remote.list.offsets.request.timeout.ms",
        "Longest time that a look-up of an offset by its timestamp waits for remote storage, in ms. Accepted and kept \
         without effect here: there is no remote storage.",
    ),
    (
        "remote.log.copy.disable",
        "Whether a topic in remote storage stops copying segments there; what was copied stays readable. Accepted and \
         kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.delete.on.disable",
        "Whether a topic's data in remote storage is deleted once remote.storage.enable is taken from it. Accepted and \
         kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.index.file.cache.total.size.bytes",
        "Room on local disks for the indexes of remote segments, in bytes. Accepted and kept without effect here: \
         there is no remote storage.",
    ),
    (
        "remote.log.index.file.cache.ttl.ms",
        "How long an unused index of a remote segment stays cached on local disks, in ms; -1: until room is needed. \
         Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.copier.thread.pool.size",
        "Threads that copy closed segments to remote storage. Accepted and kept without effect here: there is no \
         remote storage.",
    ),
    (
        "remote.log.manager.copy.max.bytes.per.second",
        "Most bytes that a broker copies to remote storage in a second, over all partitions; the default is no limit. \
         Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.copy.quota.window.num",
        "Windows over which the rate of copies to remote storage is measured. Accepted and kept without effect here: \
         there is no remote storage.",
    ),
    (
        "remote.log.manager.copy.quota.window.size.seconds",
        "Length of a window of the rate of copies to remote storage, in seconds. Accepted and kept without effect \
         here: there is no remote storage.",
    ),
    (
        "remote.log.manager.expiration.thread.pool.size",
        "Threads that delete from remote storage what is past its retention. Accepted and kept without effect here: \
         there is no remote storage.",
    ),
    (
        "remote.log.manager.fetch.max.bytes.per.second",
        "Most bytes that a broker reads from remote storage in a second, over all partitions; the default is no limit. \
         Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.fetch.quota.window.num",
        "Windows over which the rate of reads from remote storage is measured. Accepted and kept without effect here: \
         there is no remote storage.",
    ),
    (
        "remote.log.manager.fetch.quota.window.size.seconds",
        "Length of a window of the rate of reads from remote storage, in seconds. Accepted and kept without effect \
         here: there is no remote storage.",
    ),
    (
        "remote.log.manager.follower.thread.pool.size",
        "Threads by which followers learn up to where their partitions lie in remote storage. Accepted and kept \
         without effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.task.interval.ms",
        "How often copying to remote storage and deletion from it take their turn, in ms. Accepted and kept without \
         effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.task.retry.backoff.max.ms",
        "Longest pause before a failed remote storage task is tried again, in ms. Accepted and kept without effect \
         here: there is no remote storage.",
    ),
    (
        "remote.log.manager.task.retry.backoff.ms",
        "First pause before a failed remote storage task is tried again, in ms; it grows from try to try. Accepted and \
         kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.task.retry.jitter",
        "How much at random, as a part of 1, the pauses of remote storage tasks that are tried again differ from each \
         other. Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.manager.thread.pool.size",
        "Older name, deprecated by Kafka, of remote.log.manager.follower.thread.pool.size. Accepted and kept without \
         effect here: there is no remote storage.",
    ),
    (
        "remote.log.metadata.custom.metadata.max.bytes",
        "Most bytes that a remote storage plugin may have noted with each segment. Accepted and kept without effect \
         here: there is no remote storage.",
    ),
    (
        "remote.log.metadata.manager.class.name",
        "Java class that keeps track of the segments in remote storage; Kafka's own does it in a topic. Accepted and \
         kept without effect here: there is no remote storage.",
    ),
    (
        "remote.log.metadata.manager.class.path",
        "Where the JVM finds the class of remote.log.metadata.manager.class.name. Accepted and kept without effect \
         here: there is no remote storage.",
    ),
    (
        "remote.log.metadata.manager.impl.prefix",
        "Beginning of the keys that are handed to the class that keeps track of remote segments. Accepted and kept \
         without effect here: there is no remote storage.",
    ),
    (
        "remote.log.metadata.manager.listener.name",
        "Listener over which the class that keeps track of remote segments reaches its own cluster. Accepted and kept \
         without effect here: there is no remote storage.",
    ),
    (
        "remote.log.reader.max.pending.tasks",
        "Reads from remote storage that may queue up; beyond, fetches fail. Accepted and kept without effect here: \
         there is no remote storage.",
    ),
    (
        "remote.log.reader.threads",
        "Threads that read from remote storage for fetches. Accepted and kept without effect here: there is no remote \
         storage.",
    ),
    (
        "remote.log.storage.manager.class.name",
        "Java class (a plugin) that stores segments in some remote storage, and reads them there. Accepted and kept \
         without effect here: there is no remote storage.",
    ),
    (
        "remote.log.storage.manager.class.path",
        "Where the JVM finds the class of remote.log.storage.manager.class.name. Accepted and kept without effect \
         here: there is no remote storage.",
    ),
    (
        "remote.log.storage.manager.impl.prefix",
        "Beginning of the keys that are handed to the remote storage plugin. Accepted and kept without effect here: \
         there is no remote storage.",
    ),
    (
        "remote.log.storage.system.enable",
        "Whether a broker offers tiered storage at all, so that topics may ask for it (remote.storage.enable). \
         Accepted and kept without effect here: there is no remote storage.",
    ),
    (
        "remote.storage.enable",
        "Whether a topic's closed segments also go to remote storage (KIP-405). Only false is taken here: true is \
         refused with INVALID_CONFIG, as by a Kafka whose brokers have no remote storage.",
    ),
];
