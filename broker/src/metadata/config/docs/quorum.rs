//! The controllers' quorum and the metadata log.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "controller.quorum.append.linger.ms",
        "How long the active controller gathers records before it writes them to the metadata log, in ms. Accepted and \
         kept without effect here: each decision is written at once.",
    ),
    (
        "controller.quorum.auto.join.enable",
        "Whether a controller that has no vote joins the voters by itself as soon as it has caught up.",
    ),
    (
        "controller.quorum.bootstrap.servers",
        "Controllers to ask who leads the quorum, where voters can come and go (KIP-853). The cluster sets it itself \
         (--controllers).",
    ),
    (
        "controller.quorum.election.backoff.max.ms",
        "Most that a candidate waits, in ms, before it tries again after an election that nobody won; how long exactly \
         is random, so that two do not block each other.",
    ),
    (
        "controller.quorum.election.timeout.ms",
        "How long a candidate waits to be elected before it begins a new election, in ms. Some of it is random.",
    ),
    (
        "controller.quorum.fetch.max.bytes",
        "Bytes of the metadata log that a node asks the quorum's leader for at a time. A first batch that is larger \
         comes all the same.",
    ),
    (
        "controller.quorum.fetch.snapshot.max.bytes",
        "Bytes of a snapshot of the metadata that a node asks the quorum's leader for at a time.",
    ),
    (
        "controller.quorum.fetch.timeout.ms",
        "A voter that cannot fetch from the quorum's leader for this long, in ms, stands for election; a leader that \
         no majority fetches from steps down.",
    ),
    (
        "controller.quorum.request.timeout.ms",
        "How long a node waits for another's answer to a request of the quorum's, in ms.",
    ),
    ("controller.quorum.retry.backoff.ms", "Pause before a failed request of the quorum's is made again, in ms."),
    (
        "controller.quorum.voters",
        "Controllers with a vote, as id@host:port each, where voters are fixed from the start. The cluster sets it \
         itself (--controllers).",
    ),
    (
        "internal.metadata.delete.delay.millis",
        "How long files of the metadata log stay after they are deleted, in ms. Accepted and kept without effect here.",
    ),
    (
        "internal.metadata.log.segment.bytes",
        "Size of the metadata log's segments in place of metadata.log.segment.bytes, without its lower bound; for \
         tests.",
    ),
    (
        "internal.metadata.max.batch.size.in.bytes",
        "Largest batch of the metadata log, in bytes; for tests. Accepted and kept without effect here.",
    ),
    (
        "metadata.log.dir",
        "Directory of the metadata log; unset: the first of the log directories. The cluster sets it itself \
         (--data-dir).",
    ),
    (
        "metadata.log.max.record.bytes.between.snapshots",
        "Bytes of metadata records after which a node writes a new snapshot, so that a restart need not read the whole \
         log.",
    ),
    (
        "metadata.log.max.snapshot.interval.ms",
        "A node writes a snapshot of the metadata after this time, in ms, if anything changed since the last; 0: time \
         does not count.",
    ),
    ("metadata.log.segment.bytes", "Size in bytes at which a segment of the metadata log is closed."),
    ("metadata.log.segment.ms", "Age in ms at which a segment of the metadata log is closed although it is not full."),
    (
        "metadata.max.idle.interval.ms",
        "How often the active controller writes an empty record where nothing else happens, in ms; 0: never. Accepted \
         and kept without effect here: the quorum needs none to see that it lives.",
    ),
    (
        "metadata.max.retention.bytes",
        "Bytes that metadata log and snapshots may take together before the oldest go; -1: no limit. What the newest \
         snapshot does not cover stays.",
    ),
    (
        "metadata.max.retention.ms",
        "Age of the metadata log's segments and snapshots, in ms, above which they go; -1: no limit. What the newest \
         snapshot does not cover stays.",
    ),
];
