//! Which leader epoch began at which offset: the memory by which diverged logs are told apart.
//!
//! Source: `org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache`; KIP-101, KIP-279. File: `leader-epoch-checkpoint`.

use super::checkpoint;

/// Kafka's "no epoch" and "no offset".
pub const UNDEFINED_EPOCH: i32 = -1;
/// See [`UNDEFINED_EPOCH`].
pub const UNDEFINED_OFFSET: i64 = -1;

/// The epochs of one log, ascending in epoch and in start offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<(i32, i64)>,
}

impl LeaderEpochs {
    /// Epochs and their start offsets.
    pub fn entries(&self) -> &[(i32, i64)] {
        &self.entries
    }

    /// Epoch of the last entry.
    pub fn latest(&self) -> Option<i32> {
        self.entries.last().map(|&(epoch, _)| epoch)
    }

    /// Epoch that the record at `offset` was written in.
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        let after = self.entries.partition_point(|&(_, start)| start <= offset);
        after.checked_sub(1).map(|index| self.entries[index].0)
    }

    /// Notes that `epoch` begins at `start_offset`; whatever contradicts that was never committed and goes. True if that is news.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 || start_offset < 0 {
            return false;
        }
        if self.entries.last().is_some_and(|&(last, start)| last == epoch && start <= start_offset) {
            return false;
        }
        self.entries.retain(|&(other, start)| other < epoch && start < start_offset);
        self.entries.push((epoch, start_offset));
        true
    }

    /// The largest epoch that is not larger than `epoch`, and the offset where it ends; (-1, -1) where that is not known.
    pub fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> (i32, i64) {
        let unknown = (UNDEFINED_EPOCH, UNDEFINED_OFFSET);
        match self.latest() {
            _ if epoch == UNDEFINED_EPOCH => return unknown,
            Some(latest) if latest == epoch => return (epoch, log_end_offset),
            _ => {}
        }
        let higher = self.entries.partition_point(|&(other, _)| other <= epoch);
        match (self.entries.get(higher), higher.checked_sub(1)) {
            (None, _) => unknown,
            (Some(&(_, end)), None) => (epoch, end),
            (Some(&(_, end)), Some(floor)) => (self.entries[floor].0, end),
        }
    }

    /// Forgets epochs that begin at or after `end_offset`. True if there were any.
    pub fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|&(_, start)| start < end_offset);
        self.entries.len() != before
    }

    /// Forgets what lies before `start_offset`; the epoch there now begins there. True if anything changed.
    pub fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let passed = self.entries.partition_point(|&(_, start)| start <= start_offset);
        let Some(last) = passed.checked_sub(1) else { return false };
        if last == 0 && self.entries[0].1 == start_offset {
            return false;
        }
        self.entries[last].1 = start_offset;
        self.entries.drain(..last);
        true
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn encode(&self) -> String {
        checkpoint::encode(self.entries.iter().map(|(epoch, start)| format!("{epoch} {start}")))
    }

    pub(super) fn decode(text: &[u8]) -> Result<LeaderEpochs, String> {
        let mut epochs = LeaderEpochs::default();
        for line in checkpoint::decode(text)? {
            let entry =
                line.split_once(' ').and_then(|(epoch, start)| Some((epoch.parse().ok()?, start.parse().ok()?)));
            let Some((epoch, start)) = entry.filter(|&(epoch, start): &(i32, i64)| epoch >= 0 && start >= 0) else {
                return Err(format!("'{line}' is not an epoch and an offset"));
            };
            if epochs.entries.last().is_some_and(|&(last, last_start)| last >= epoch || last_start > start) {
                return Err(format!("epoch {epoch} is out of order"));
            }
            epochs.entries.push((epoch, start));
        }
        Ok(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in entries {
            epochs.assign(epoch, start);
        }
        epochs
    }

    #[test]
    fn end_offsets_as_kafka_gives_them() {
        let cache = epochs(&[(2, 10), (4, 20), (5, 30)]);
        for (epoch, expected) in
            [(-1, (-1, -1)), (0, (0, 10)), (2, (2, 20)), (3, (2, 20)), (4, (4, 30)), (5, (5, 42)), (6, (-1, -1))]
        {
            assert_eq!(cache.end_offset_for(epoch, 42), expected, "epoch {epoch}");
        }
        assert_eq!(LeaderEpochs::default().end_offset_for(0, 7), (-1, -1));
    }

    #[test]
    fn a_new_epoch_removes_what_contradicts_it() {
        let mut cache = epochs(&[(1, 0), (3, 10), (5, 20)]);
        assert!(cache.assign(4, 15));
        assert_eq!(cache.entries(), [(1, 0), (3, 10), (4, 15)]);
        assert!(!cache.assign(4, 18));
        assert!(cache.assign(6, 10));
        assert_eq!(cache.entries(), [(1, 0), (6, 10)]);
        assert!(!cache.assign(-1, 30));
    }

    #[test]
    fn truncation_from_both_ends() {
        let mut cache = epochs(&[(1, 0), (3, 10), (5, 20)]);
        assert!(!cache.truncate_from_start(0));
        assert!(cache.truncate_from_start(15));
        assert_eq!(cache.entries(), [(3, 15), (5, 20)]);
        assert_eq!([cache.epoch_at(14), cache.epoch_at(15), cache.epoch_at(99)], [None, Some(3), Some(5)]);
        assert!(!cache.truncate_from_end(21));
        assert!(cache.truncate_from_end(20));
        assert_eq!(cache.entries(), [(3, 15)]);
    }

    #[test]
    fn damaged_files_are_refused() {
        assert_eq!(LeaderEpochs::decode(b"0\n2\n0 0\n3 15\n").unwrap(), epochs(&[(0, 0), (3, 15)]));
        for text in [
            "",
            "1\n0\n",
            "0\n2\n0 0\n",
            "0\n1\n0\n",
            "0\n1\nx 1\n",
            "0\n2\n3 0\n1 5\n",
            "0\n1\n0 0",
            "0\n1\n0 0\nmore\n",
        ] {
            assert!(LeaderEpochs::decode(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn order_holds_and_files_survive(steps in prop::collection::vec((0..20i32, 0..100i64, 0..4u8), 0..40)) {
            let mut cache = LeaderEpochs::default();
            for (epoch, offset, step) in steps {
                match step {
                    0 => { cache.truncate_from_end(offset); }
                    1 => { cache.truncate_from_start(offset); }
                    _ => { cache.assign(epoch, offset); }
                }
                prop_assert!(cache.entries().windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
            }
            prop_assert_eq!(LeaderEpochs::decode(cache.encode().as_bytes()), Ok(cache));
        }
    }
}
