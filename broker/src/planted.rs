//! Known bugs, planted one at a time, to see that a campaign catches them. Only with the cargo feature `planted`, which no product build has:
//! without it every question is answered `false` when the code is compiled, and nothing of this is left.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A follower of a new leader cuts its log at its own high watermark and trusts the rest (before KIP-101).
    TruncateByHighWatermark,
    /// A leader does not compare the epoch of a follower's last record with its own log (before KIP-595, KIP-279).
    SkipEpochCheckOnFetch,
    /// acks=all is answered once the leader has the records.
    AckBeforeIsr,
    /// A follower is taken into the ISR wherever its log ends.
    GrowIsrEarly,
    /// A broker that started again stays in the ISR (before KIP-903, KIP-966).
    LoseBrokerEpoch,
    /// A follower that may be in the ISR already does not hold the high watermark back (before KIP-497).
    HighWatermarkWithoutMaximalIsr,
    /// `min.insync.replicas` counts as 1.
    MinIsrNotChecked,
    /// The controller accepts a proposal for an ISR that is no more (KIP-497).
    StaleAlterPartition,
    /// A follower appends whatever it is sent.
    AppendWithoutContinuity,
    /// Sequence numbers of idempotent producers are not looked at.
    SequenceCheckOff,
    /// A log that is opened forgets its producers.
    ProducersNotRebuilt,
    /// A replica that is in neither ISR nor ELR is elected, though unclean elections are off.
    UncleanLeader,
    /// Batches are not checked when a log is recovered, and a torn tail is not cut.
    TornTailKept,
    /// Consumers are shown what is not committed.
    ShowUncommitted,
    /// A shrunken ISR counts before the controller has agreed.
    ShrinkIsrAlone,
    /// A replica that restarted since the leader saw it catch up is let into the ISR (before KIP-903).
    IneligibleReplica,
    /// A leader whose proposal is refused as outdated takes it for not done, though it may have been (before KIP-497's maximal ISR).
    WithdrawOnInvalidVersion,
    /// The high watermark goes where a majority of the replicas is, in the ISR or not.
    HighWatermarkByMajority,
    /// A follower whose log leaves the leader's keeps its own end.
    TruncateToOwnEnd,
    /// What a producer snapshot holds is not restored, though the batches below it are not replayed.
    ProducerSnapshotIgnored,
    /// `flush.messages` is not heeded.
    FlushIgnored,
    /// Votes are written, but not synced.
    VoteUnsynced,
    /// A voter promises the leader what it has not synced.
    MetadataUnsynced,
    /// A follower's fetch session loses sight of all partitions of a topic but the first, once they are level.
    SessionDropsPartition,
    /// A broker that started again after a crash stays eligible (before KIP-966).
    UncleanRestartStaysEligible,
    /// The marker of a clean stop is not removed at the start, so that a later crash looks clean.
    CleanMarkerKept,
    /// A new leader does not get a new epoch.
    LeaderEpochNotRaised,
    /// A leader that missed another's reign goes on with what it knew of its followers.
    MissedReignIgnored,
    /// A committed offset is acknowledged before it is replicated.
    OffsetCommitEarly,
    /// A transaction's end is not written to the partitions with index 1.
    MarkerSkipped,
    /// Where a transaction is committed, its partitions are told that it is aborted.
    CommitMarkerAborts,
    /// Where a transaction is aborted, its partitions are told that it is committed.
    AbortMarkerCommits,
    /// A marker counts as written before it is replicated.
    MarkerEarly,
    /// The last stable offset is the high watermark.
    LastStableOffsetIgnored,
    /// Readers of committed records are not told which transactions were aborted.
    AbortedListOmitted,
    /// When a log is recovered, what it says of aborted transactions is not written into the index.
    AbortedIndexNotRebuilt,
    /// The transaction coordinator takes any epoch of a producer.
    ProducerNotFenced,
    /// The transaction coordinator answers before its record is replicated.
    TransactionAnsweredEarly,
    /// A new transaction coordinator does not go on with transactions that were ending.
    MarkersNotResumed,
    /// A new transaction coordinator knows nothing of the one before.
    TransactionsNotLoaded,
    /// Transactions are open for as long as they like.
    TransactionTimeoutIgnored,
    /// The transaction coordinator is not asked before a transaction's first records are written.
    TransactionNotVerified,
    /// Offsets of an aborted transaction are committed.
    AbortedOffsetsCommitted,
    /// A new group coordinator forgets the offsets of open transactions.
    OpenOffsetsNotLoaded,
    /// The leader of a share partition answers an acknowledgement before it is kept.
    ShareAckEarly,
    /// The share coordinator answers before its record is replicated.
    ShareStateEarly,
    /// A new share coordinator knows nothing of the one before.
    ShareStateNotLoaded,
    /// The share coordinator takes any leader epoch, so that a leader that was deposed overwrites what its successor wrote.
    ShareEpochIgnored,
    /// The share coordinator does not record the epoch of a leader that reads.
    ShareReadNotFencing,
    /// A snapshot of share state lacks the last batch in flight.
    ShareSnapshotDropsBatch,
    /// A snapshot of share state has the start offset from before.
    ShareSnapshotKeepsStart,
    /// How often a record was delivered is not kept.
    ShareCountNotKept,
    /// Locks of records in share groups never run out.
    ShareLockForever,
    /// A lock that runs out takes a record back that was acknowledged meanwhile.
    ShareLockTakesBack,
    /// Records are given to a member of a share group that another has.
    ShareLockIgnored,
    /// A lock that is renewed runs out when it would have.
    ShareRenewIgnored,
    /// Any member of a share group can say what became of a record that another has.
    ShareOwnerNotChecked,
    /// Records are delivered to a share group however often they were.
    ShareLimitIgnored,
    /// Records of aborted transactions are delivered to share groups that read what is committed.
    ShareAbortedDelivered,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 59] = [
        Bug::TruncateByHighWatermark,
        Bug::SkipEpochCheckOnFetch,
        Bug::AckBeforeIsr,
        Bug::GrowIsrEarly,
        Bug::LoseBrokerEpoch,
        Bug::HighWatermarkWithoutMaximalIsr,
        Bug::MinIsrNotChecked,
        Bug::StaleAlterPartition,
        Bug::AppendWithoutContinuity,
        Bug::SequenceCheckOff,
        Bug::ProducersNotRebuilt,
        Bug::UncleanLeader,
        Bug::TornTailKept,
        Bug::ShowUncommitted,
        Bug::ShrinkIsrAlone,
        Bug::IneligibleReplica,
        Bug::WithdrawOnInvalidVersion,
        Bug::HighWatermarkByMajority,
        Bug::TruncateToOwnEnd,
        Bug::ProducerSnapshotIgnored,
        Bug::FlushIgnored,
        Bug::VoteUnsynced,
        Bug::MetadataUnsynced,
        Bug::SessionDropsPartition,
        Bug::UncleanRestartStaysEligible,
        Bug::CleanMarkerKept,
        Bug::LeaderEpochNotRaised,
        Bug::MissedReignIgnored,
        Bug::OffsetCommitEarly,
        Bug::MarkerSkipped,
        Bug::CommitMarkerAborts,
        Bug::AbortMarkerCommits,
        Bug::MarkerEarly,
        Bug::LastStableOffsetIgnored,
        Bug::AbortedListOmitted,
        Bug::AbortedIndexNotRebuilt,
        Bug::ProducerNotFenced,
        Bug::TransactionAnsweredEarly,
        Bug::MarkersNotResumed,
        Bug::TransactionsNotLoaded,
        Bug::TransactionTimeoutIgnored,
        Bug::TransactionNotVerified,
        Bug::AbortedOffsetsCommitted,
        Bug::OpenOffsetsNotLoaded,
        Bug::ShareAckEarly,
        Bug::ShareStateEarly,
        Bug::ShareStateNotLoaded,
        Bug::ShareEpochIgnored,
        Bug::ShareReadNotFencing,
        Bug::ShareSnapshotDropsBatch,
        Bug::ShareSnapshotKeepsStart,
        Bug::ShareCountNotKept,
        Bug::ShareLockForever,
        Bug::ShareLockTakesBack,
        Bug::ShareLockIgnored,
        Bug::ShareRenewIgnored,
        Bug::ShareOwnerNotChecked,
        Bug::ShareLimitIgnored,
        Bug::ShareAbortedDelivered,
    ];

    /// By its name, as in the source.
    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name)
    }

    /// Whether this thread's nodes have it.
    #[cfg(feature = "planted")]
    pub fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }

    /// No.
    #[cfg(not(feature = "planted"))]
    #[inline(always)]
    pub const fn is_planted(self) -> bool {
        false
    }
}

/// Names the bug (`AckBeforeIsr`) that all threads of a process have from their beginning.
#[cfg(feature = "planted")]
pub const ENVIRONMENT: &str = "BROKERSCOPE_PLANTED";

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> =
        std::cell::Cell::new(std::env::var(ENVIRONMENT).ok().and_then(|name| Bug::named(&name)));
}

/// From now on this thread's nodes have a bug, or none.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
