//! Transactions and idempotent producers.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "add.partitions.to.txn.retry.backoff.max.ms",
        "How long a write waits in all, in ms, for the end of the last transaction of its producer before the \
         partition can join the new one (KIP-890, second part); then the client has to try again.",
    ),
    (
        "add.partitions.to.txn.retry.backoff.ms",
        "Pause between two such tries by the broker to have a partition join a transaction, in ms; see \
         add.partitions.to.txn.retry.backoff.max.ms.",
    ),
    (
        "producer.id.expiration.check.interval.ms",
        "How often producers that were silent for producer.id.expiration.ms are looked for, in ms. Accepted and kept \
         without effect here: that is done with retention (log.retention.check.interval.ms).",
    ),
    (
        "producer.id.expiration.ms",
        "A partition forgets a producer's id and sequence numbers when it wrote nothing for this long, in ms, unless \
         it has a transaction open. Longer than producers try again (delivery.timeout.ms), or duplicates may pass.",
    ),
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "How often the transaction coordinator looks for transactions that are past their time, to abort them, in ms.",
    ),
    (
        "transaction.max.timeout.ms",
        "Longest time that a producer may ask for its transactions, in ms; a longer one is refused with \
         INVALID_TRANSACTION_TIMEOUT.",
    ),
    (
        "transaction.partition.verification.enable",
        "Whether the leader of a partition asks the transaction coordinator, before it takes a transaction's first \
         records, if that transaction is open there (KIP-890). It keeps late writes from leaving a transaction \
         hanging.",
    ),
    (
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "How often the transaction coordinator looks for ids that are past transactional.id.expiration.ms, in ms.",
    ),
    (
        "transaction.state.log.load.buffer.size",
        "Bytes of __transaction_state that are read at a time when a broker begins to coordinate a part of the \
         transactions. Accepted and kept without effect here.",
    ),
    ("transaction.state.log.min.isr", "What __transaction_state gets as min.insync.replicas when it comes into being."),
    (
        "transaction.state.log.num.partitions",
        "Partitions of __transaction_state, when it comes into being. Which one holds a transactional id goes by their \
         number, so it must not change later.",
    ),
    (
        "transaction.state.log.replication.factor",
        "Replicas of __transaction_state, when it comes into being. With fewer brokers than this it cannot be created, \
         and no transaction begins.",
    ),
    (
        "transaction.state.log.segment.bytes",
        "Size in bytes at which a segment of __transaction_state is closed, given to the topic when it comes into \
         being.",
    ),
    (
        "transaction.two.phase.commit.enable",
        "Whether transactions may be part of a two-phase commit that somebody else coordinates (KIP-939). Accepted and \
         kept without effect here: who asks for it is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED.",
    ),
    (
        "transactional.id.expiration.ms",
        "The transaction coordinator forgets a transactional id that was not used for this long, in ms, unless its \
         transaction is open.",
    ),
];
