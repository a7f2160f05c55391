//! What the coordinator does unasked: snapshots of share partitions that have had none for long, so that the log before them can go; that
//! head of the log; and the state of topics that are gone.
//!
//! Source: `ShareCoordinatorShard.snapshotColdPartitions`, `maybeCleanupShareState`, `ShareCoordinatorOffsetsManager`.

use super::api::Output;
use super::coordinator::{Shard, ShareCoordinator};
use super::record::SharePartitionKey;
use super::state::{Entry, Record, ShareState};
use crate::types::{Id, Now};

impl ShareCoordinator {
    /// Lets time pass. `is_gone` tells that the cluster has no such topic.
    pub fn on_tick(&mut self, now: Now, is_gone: &dyn Fn(Id) -> bool) {
        self.expire(now);
        if self.next_cold_at.is_some_and(|at| at <= now.mono) {
            self.next_cold_at = Some(now.mono + self.config.cold_interval);
            // What was being written when its topic went has been passed over then.
            self.forget_topics(now, is_gone);
            self.snapshot_cold(now);
        }
        if self.next_prune_at.is_some_and(|at| at <= now.mono) {
            self.next_prune_at = Some(now.mono + self.config.prune_interval);
            self.prune();
        }
    }

    /// Has the state of topics that are gone deleted. Kafka does so only when it hears of the deletion; here a successor that did not is
    /// asked again when it has loaded a shard, and from time to time.
    pub fn forget_topics(&mut self, now: Now, is_gone: &dyn Fn(Id) -> bool) {
        for (shard, key) in self.keys_of_topics(is_gone) {
            self.write(now, shard, &key, Record::Tombstone, None);
        }
    }

    /// Snapshots what has had none for an interval, unless nothing at all has changed in a shard.
    fn snapshot_cold(&mut self, now: Now) {
        let interval_ms = i64::try_from(self.config.cold_interval.as_millis()).unwrap_or(i64::MAX);
        let mut found: Vec<(i32, SharePartitionKey, Record)> = Vec::new();
        for (number, shard) in self.shards.iter().filter(|(_, shard)| !shard.is_loading) {
            if shard.entries().all(|(_, entry)| is_rewritten(&entry.state)) {
                continue;
            }
            for (key, entry) in shard.entries() {
                let age_ms = now.wall_ms.saturating_sub(entry.state.write_timestamp_ms);
                if age_ms >= interval_ms && shard.slots.get(key).is_some_and(|slot| !slot.is_writing) {
                    found.push((*number, key.clone(), rewritten(&entry.state, now)));
                }
            }
        }
        for (shard, key, record) in found {
            self.write(now, shard, &key, record, None);
        }
    }

    fn prune(&mut self) {
        let loaded = self.shards.iter().filter(|(_, shard)| !shard.is_loading);
        let redundant = loaded.filter_map(|(number, shard)| {
            let offset = shard.needed_offset();
            (offset > shard.pruned_to).then_some((*number, offset))
        });
        for (shard, offset) in redundant.collect::<Vec<_>>() {
            self.output(Output::Prune { shard, offset });
        }
    }

    /// The records before `offset` are deleted.
    pub fn on_pruned(&mut self, partition: i32, offset: i64) {
        if let Some(shard) = self.shards.get_mut(&partition) {
            shard.pruned_to = shard.pruned_to.max(offset);
        }
    }
}

impl Shard {
    fn entries(&self) -> impl Iterator<Item = (&SharePartitionKey, &Entry)> {
        self.slots.iter().filter_map(|(key, slot)| Some((key, slot.entry.as_ref()?)))
    }

    /// The first offset that is needed to know all share partitions; where there is none, that of the last tombstone.
    fn needed_offset(&self) -> i64 {
        self.entries().map(|(_, entry)| entry.needed_offset).min().unwrap_or(self.last_offset)
    }
}

fn is_rewritten(state: &ShareState) -> bool {
    state.create_timestamp_ms != state.write_timestamp_ms
}

fn rewritten(state: &ShareState, now: Now) -> Record {
    Record::Snapshot(ShareState {
        snapshot_epoch: state.snapshot_epoch.wrapping_add(1),
        write_timestamp_ms: now.wall_ms,
        ..state.clone()
    })
}
