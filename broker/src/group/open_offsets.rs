//! Offsets of transactions that are not ended: pending until a marker commits or aborts them.
//!
//! Source: `OffsetMetadataManager` (`pendingTransactionalOffsets`, `OpenTransactions`, `replayEndTransactionMarker`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::coordinator::{Shard, Shared};
use super::pending::Change;
use super::record::OffsetAndMetadata;

/// Group, topic and partition.
pub(super) type OffsetKey = (Arc<str>, Arc<str>, i32);

/// Offsets of open transactions, by what they are of and by producer id. In the order of the log: of two offsets of one partition the later
/// one counts, whichever transaction ends first.
#[derive(Clone, Debug)]
pub(super) struct OpenOffsets<K, V> {
    partitions: BTreeMap<K, OpenPartition<V>>,
    producers: BTreeMap<i64, BTreeSet<K>>,
    last_order: u64,
}

/// One partition's open transactions.
#[derive(Clone, Debug)]
struct OpenPartition<V> {
    /// Place in the log of the newest offset that is committed since the oldest of these: what comes before it is not to replace it.
    committed_to: u64,
    /// Place in the log and offset, by producer id; never empty.
    offsets: BTreeMap<i64, (u64, V)>,
}

impl<K, V> Default for OpenOffsets<K, V> {
    fn default() -> OpenOffsets<K, V> {
        OpenOffsets { partitions: BTreeMap::new(), producers: BTreeMap::new(), last_order: 0 }
    }
}

impl<K: Ord + Clone, V> OpenOffsets<K, V> {
    /// A transaction's offset is written. Returns the one that it replaces.
    pub(super) fn put(&mut self, key: K, producer_id: i64, value: V) -> Option<V> {
        self.last_order += 1;
        self.producers.entry(producer_id).or_default().insert(key.clone());
        let nothing = || OpenPartition { committed_to: 0, offsets: BTreeMap::new() };
        let partition = self.partitions.entry(key).or_insert_with(nothing);
        partition.offsets.insert(producer_id, (self.last_order, value)).map(|(_, value)| value)
    }

    /// An offset outside of transactions is written: those that are open already will not replace it.
    pub(super) fn overtake(&mut self, key: &K) {
        if let Some(partition) = self.partitions.get_mut(key) {
            partition.committed_to = self.last_order;
        }
    }

    /// A tombstone is written: it is one for open offsets too.
    pub(super) fn clear(&mut self, key: &K) -> Vec<V> {
        let Some(partition) = self.partitions.remove(key) else { return Vec::new() };
        let mut values = Vec::with_capacity(partition.offsets.len());
        for (producer_id, (_, value)) in partition.offsets {
            if let Some(keys) = self.producers.get_mut(&producer_id) {
                keys.remove(key);
                if keys.is_empty() {
                    self.producers.remove(&producer_id);
                }
            }
            values.push(value);
        }
        values
    }

    /// A producer's transaction is ended: its offsets, and which of them are to be stored.
    pub(super) fn end(&mut self, producer_id: i64, commit: bool) -> Vec<(K, V, bool)> {
        let mut ended = Vec::new();
        for key in self.producers.remove(&producer_id).unwrap_or_default() {
            let Some(partition) = self.partitions.get_mut(&key) else { continue };
            let Some((order, value)) = partition.offsets.remove(&producer_id) else { continue };
            let counts = commit && order > partition.committed_to;
            if counts {
                partition.committed_to = order;
            }
            if partition.offsets.is_empty() {
                self.partitions.remove(&key);
            }
            ended.push((key, value, counts));
        }
        ended
    }

    /// Whether a transaction is open here.
    pub(super) fn is_open(&self, key: &K) -> bool {
        self.partitions.contains_key(key)
    }

    /// All offsets.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.partitions.values().flat_map(OpenPartition::values)
    }
}

impl<V> OpenPartition<V> {
    fn values(&self) -> impl Iterator<Item = &V> {
        self.offsets.values().map(|(_, value)| value)
    }
}

impl OpenOffsets<OffsetKey, OffsetAndMetadata> {
    /// Partitions of a group with open transactions.
    pub(super) fn of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a OffsetKey> {
        self.entries(group).map(|(key, _)| key)
    }

    /// All partitions with open transactions, and their offsets.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OffsetKey, &OffsetAndMetadata)> {
        self.partitions.iter().flat_map(|(key, partition)| partition.values().map(move |value| (key, value)))
    }

    fn entries<'a>(
        &'a self,
        group: &'a str,
    ) -> impl Iterator<Item = (&'a OffsetKey, &'a OpenPartition<OffsetAndMetadata>)> {
        // Nothing to look for is the usual case.
        let first: Option<OffsetKey> = (!self.partitions.is_empty()).then(|| (group.into(), "".into(), i32::MIN));
        let entries = first.map(|first| self.partitions.range(first..));
        entries.into_iter().flatten().take_while(move |((of, ..), _)| **of == *group)
    }

    /// The same of one group, to be looked at as if what is on its way were there.
    fn view<'a>(&'a self, group: &'a str) -> OpenOffsets<(&'a str, i32), &'a OffsetAndMetadata> {
        let mut view = OpenOffsets { last_order: self.last_order, ..OpenOffsets::default() };
        for ((_, topic, index), partition) in self.entries(group) {
            let key = (&**topic, *index);
            for producer_id in partition.offsets.keys() {
                view.producers.entry(*producer_id).or_default().insert(key);
            }
            let offsets = partition.offsets.iter().map(|(id, (order, value))| (*id, (*order, value))).collect();
            view.partitions.insert(key, OpenPartition { committed_to: partition.committed_to, offsets });
        }
        view
    }
}

/// A group's offsets as they will be when all that is on its way is committed.
#[derive(Default)]
pub(super) struct Latest<'a> {
    /// What differs from the committed ones; `None` is none any more.
    pub(super) changed: BTreeMap<(&'a str, i32), Option<&'a OffsetAndMetadata>>,
    open: OpenOffsets<(&'a str, i32), &'a OffsetAndMetadata>,
}

impl Latest<'_> {
    /// Whether a transaction is open that may yet change this partition's offset.
    pub(super) fn is_unstable(&self, topic: &str, partition: i32) -> bool {
        self.open.is_open(&(topic, partition))
    }
}

impl Shard {
    /// A group's offsets as those see them who wait for what is on its way.
    pub(super) fn latest<'a>(&'a self, group: &'a str) -> Latest<'a> {
        let mut latest = Latest { changed: BTreeMap::new(), open: self.open.view(group) };
        for change in self.log.changes() {
            match change {
                Change::Offset { group: of, topic, partition, value } if **of == *group => {
                    let key = (&**topic, *partition);
                    match value {
                        Some(_) => latest.open.overtake(&key),
                        None => drop(latest.open.clear(&key)),
                    }
                    latest.changed.insert(key, value.as_ref());
                }
                Change::TxnOffset { producer_id, key: (of, topic, partition), value } if **of == *group => {
                    latest.open.put((topic, *partition), *producer_id, value);
                }
                Change::EndTxn { producer_id, commit } => {
                    let ended = latest.open.end(*producer_id, *commit);
                    let stored = ended.into_iter().filter(|(.., counts)| *counts);
                    latest.changed.extend(stored.map(|(key, value, _)| (key, Some(value))));
                }
                _ => {}
            }
        }
        latest
    }

    /// Partitions of a group with open transactions, those on their way included.
    pub(super) fn open_offsets<'a>(&'a self, group: &'a str) -> impl Iterator<Item = (&'a Arc<str>, i32)> {
        let on_their_way = self.log.txn_offsets().map(|(key, _)| key).filter(move |(of, ..)| **of == *group);
        self.open.of_group(group).chain(on_their_way).map(|(_, topic, index)| (topic, *index))
    }

    /// A transaction's offset is committed to the log: it is pending.
    pub(super) fn put_open(&mut self, shared: &mut Shared, key: OffsetKey, producer_id: i64, value: OffsetAndMetadata) {
        shared.count_offset(&value);
        if let Some(before) = self.open.put(key, producer_id, value) {
            shared.discount_offset(&before);
        }
    }

    /// The marker of a producer's transaction is committed: its offsets are stored, or dropped.
    pub(super) fn end_transaction(&mut self, shared: &mut Shared, producer_id: i64, commit: bool) {
        for ((group, topic, partition), value, counts) in self.open.end(producer_id, commit) {
            shared.discount_offset(&value);
            if counts {
                shared.dirty.insert(group.clone());
                self.store_offset(shared, &group, &topic, partition, Some(value));
            }
        }
    }

    /// An offset outside of transactions, or a tombstone, is committed.
    pub(super) fn settle_open(&mut self, shared: &mut Shared, key: &OffsetKey, is_tombstone: bool) {
        if is_tombstone {
            self.open.clear(key).iter().for_each(|value| shared.discount_offset(value));
        } else {
            self.open.overtake(key);
        }
    }
}

impl Shared {
    /// An offset is kept.
    pub(super) fn count_offset(&mut self, offset: &OffsetAndMetadata) {
        self.offset_count += 1;
        self.offset_metadata_bytes += offset.metadata.len();
    }

    /// An offset is kept no more.
    pub(super) fn discount_offset(&mut self, offset: &OffsetAndMetadata) {
        self.offset_count = self.offset_count.saturating_sub(1);
        self.offset_metadata_bytes = self.offset_metadata_bytes.saturating_sub(offset.metadata.len());
    }
}
