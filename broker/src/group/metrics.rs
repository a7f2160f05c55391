//! What a group coordinator measures.
//!
//! Source: `org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetrics`.

use std::collections::BTreeMap;

use super::coordinator::GroupCoordinator;
use super::kind::Group;
use crate::metrics::table::groups as bean;
use crate::metrics::{Bean, Collector, Windowed};

/// States of each kind, as Kafka names them.
const CLASSIC: [(&str, &Bean); 5] = [
    ("PreparingRebalance", &bean::NUM_GROUPS_PREPARING_REBALANCE),
    ("CompletingRebalance", &bean::NUM_GROUPS_COMPLETING_REBALANCE),
    ("Stable", &bean::NUM_GROUPS_STABLE),
    ("Dead", &bean::NUM_GROUPS_DEAD),
    ("Empty", &bean::NUM_GROUPS_EMPTY),
];
const CONSUMER: [&str; 5] = ["Empty", "Assigning", "Reconciling", "Stable", "Dead"];
const SHARE: [&str; 3] = ["Empty", "Stable", "Dead"];
const STREAMS: [&str; 6] = ["Empty", "NotReady", "Assigning", "Reconciling", "Stable", "Dead"];

/// The instruments.
#[derive(Debug, Default)]
pub(super) struct GroupMetrics {
    commits: Windowed,
    expirations: Windowed,
    deletions: Windowed,
    classic_rebalances: Windowed,
    consumer_rebalances: Windowed,
    share_rebalances: Windowed,
    streams_rebalances: Windowed,
}

impl GroupMetrics {
    /// So many offsets are being committed.
    pub fn committing(&mut self, offsets: usize) {
        self.commits.record(offsets as f64);
    }

    /// So many offsets are too old.
    pub fn expiring(&mut self, offsets: usize) {
        self.expirations.record(offsets as f64);
    }

    /// A client had so many offsets deleted.
    pub fn deleting(&mut self, offsets: usize) {
        self.deletions.record(offsets as f64);
    }

    /// A classic group has an assignment, or a group of another kind a new epoch.
    pub fn rebalanced(&mut self, group: &Group) {
        match group {
            Group::Classic(_) => self.classic_rebalances.once(),
            Group::Consumer(_) => self.consumer_rebalances.once(),
            Group::Share(_) => self.share_rebalances.once(),
            Group::Streams(_) => self.streams_rebalances.once(),
        }
    }

    /// A classic group has its assignment.
    pub fn classic_rebalanced(&mut self) {
        self.classic_rebalances.once();
    }

    fn collect(&mut self, out: &mut Collector) {
        for (windowed, count, rate) in [
            (&mut self.commits, &bean::OFFSET_COMMIT_COUNT, &bean::OFFSET_COMMIT_RATE),
            (&mut self.expirations, &bean::OFFSET_EXPIRATION_COUNT, &bean::OFFSET_EXPIRATION_RATE),
            (&mut self.deletions, &bean::OFFSET_DELETION_COUNT, &bean::OFFSET_DELETION_RATE),
            (&mut self.classic_rebalances, &bean::CLASSIC_REBALANCE_COUNT, &bean::CLASSIC_REBALANCE_RATE),
            (&mut self.consumer_rebalances, &bean::CONSUMER_REBALANCE_COUNT, &bean::CONSUMER_REBALANCE_RATE),
            (&mut self.share_rebalances, &bean::SHARE_REBALANCE_COUNT, &bean::SHARE_REBALANCE_RATE),
            (&mut self.streams_rebalances, &bean::STREAMS_REBALANCE_COUNT, &bean::STREAMS_REBALANCE_RATE),
        ] {
            windowed.turn(out.now().mono);
            out.value(count, [], windowed.total());
            out.value(rate, [], windowed.sum_rate());
        }
    }
}

impl GroupCoordinator {
    /// Partitions that are being loaded, and those that are.
    pub fn partition_counts(&self) -> (usize, usize) {
        let loading = self.shards.values().filter(|shard| shard.loading).count();
        (loading, self.shards.len() - loading)
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for group in self.shards.values().filter(|shard| !shard.loading).flat_map(|shard| shard.groups.values()) {
            *counts.entry((group.type_name(), group.state_name())).or_default() += 1;
        }
        let of = |kind, state| counts.get(&(kind, state)).copied().unwrap_or(0);
        let all = |kind| counts.iter().filter(|((of, _), _)| *of == kind).map(|(_, count)| *count).sum::<u64>();
        for kind in ["classic", "consumer", "share", "streams"] {
            out.count(&bean::GROUP_COUNT, [("protocol", kind.into())], all(kind));
        }
        out.count(&bean::NUM_GROUPS, [], all("classic"));
        for (state, bean) in CLASSIC {
            out.count(bean, [], of("classic", state));
        }
        let kinds: [(&str, &[&'static str], &'static Bean); 3] = [
            ("consumer", &CONSUMER, &bean::CONSUMER_GROUP_COUNT),
            ("share", &SHARE, &bean::SHARE_GROUP_COUNT),
            ("streams", &STREAMS, &bean::STREAMS_GROUP_COUNT),
        ];
        for (kind, states, bean) in kinds {
            for state in states {
                out.count(bean, [("state", (*state).into())], of(kind, state));
            }
        }
        out.count(&bean::NUM_OFFSETS, [], self.shared.offset_count as u64);
        self.shared.metrics.collect(out);
    }
}
