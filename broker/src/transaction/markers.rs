//! From the decision to the end: markers to all partitions of a transaction, then the record that it is over.
//!
//! Source: `TransactionMarkerChannelManager`, `TransactionMarkerRequestCompletionHandler`.

use std::sync::Arc;

use super::api::{Marker, Output};
use super::coordinator::{Entry, Then, TransactionCoordinator};
use super::state::TransactionState;
use crate::types::{Now, TopicPartition};

impl TransactionCoordinator {
    /// Has the markers of a transaction sent; the producer that it leaves behind.
    pub(super) fn begin_completion(&mut self, now: Now, shard: i32, id: &Arc<str>) -> Option<(i64, i16)> {
        let holder = self.shards.get_mut(&shard)?;
        let coordinator_epoch = holder.epoch;
        let entry = holder.ids.get_mut(id)?;
        let next = entry.txn.prepare_complete(now.wall_ms).ok()?;
        let producer = (next.producer_id, next.producer_epoch);
        entry.completing = Some(next);
        let current = &entry.txn.current;
        let marker = Marker {
            shard,
            transactional_id: id.clone(),
            producer_id: current.producer_id,
            producer_epoch: current.producer_epoch,
            coordinator_epoch,
            commit: current.state == TransactionState::PrepareCommit,
            transaction_version: current.client_transaction_version,
        };
        let partitions = current.partitions.clone();
        match partitions.is_empty() {
            true => self.write_completion(now, shard, id),
            false => self.output(Output::SendMarker { marker, partitions }),
        }
        Some(producer)
    }

    /// A partition has its marker, or needs none, as it is gone.
    pub fn on_marker_written(&mut self, now: Now, marker: &Marker, partition: &TopicPartition) {
        let Some(entry) = self.ending(marker) else { return };
        let was_there = entry.txn.current.partitions.remove(partition);
        if was_there && entry.txn.current.partitions.is_empty() {
            self.write_completion(now, marker.shard, &marker.transactional_id);
        }
    }

    /// A partition knows a later producer epoch or a later coordinator: this end is not ours to bring about any more.
    pub fn on_marker_fenced(&mut self, marker: &Marker) {
        if let Some(entry) = self.ending(marker) {
            entry.completing = None;
        }
    }

    /// Whether a marker still has to be written.
    pub fn wants_marker(&mut self, marker: &Marker) -> bool {
        self.ending(marker).is_some()
    }

    fn ending(&mut self, marker: &Marker) -> Option<&mut Entry> {
        let shard = self.shards.get_mut(&marker.shard).filter(|shard| shard.epoch == marker.coordinator_epoch)?;
        let entry = shard.ids.get_mut(&marker.transactional_id)?;
        let current = &entry.txn.current;
        let same = (current.producer_id, current.producer_epoch) == (marker.producer_id, marker.producer_epoch);
        (same && entry.completing.is_some() && current.state.is_ending()).then_some(entry)
    }

    pub(super) fn write_completion(&mut self, now: Now, shard: i32, id: &Arc<str>) {
        let entry = self.shards.get_mut(&shard).and_then(|shard| shard.ids.get_mut(id));
        if let Some(next) = entry.and_then(|entry| entry.completing.clone()) {
            self.write(now, shard, id, next, Then::Completed);
        }
    }
}
