//! How far behind groups were, second by second: one row a second and group, shared with readers as it is.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::monitor::snapshot::{Group, Snapshot, Topic};

/// Rows that are kept of each group: two minutes.
pub const ROWS_KEPT: usize = 120;

/// Partitions that are watched over all groups; groups beyond are not watched at all.
pub const PARTITIONS_MAX: usize = 10_000;

/// Lags of so few records that are markers of transactions count as none.
const MARKERS_MAX: i64 = 2;

/// A partition's name.
pub type Name = (Arc<str>, i32);

/// Where a group was in one partition.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What it had committed; of a share group, the end of what it was done with, wherever the records are that it was not.
    pub committed: i64,
    /// Records that waited; what only markers of transactions stand in does not count.
    pub lag: i64,
    /// How old the oldest of them was; -1: not known.
    pub behind_ms: i32,
}

impl Sample {
    /// Where the partition ended.
    pub fn end(&self) -> i64 {
        self.committed.max(0).saturating_add(self.lag)
    }
}

/// Where a group was in all of its partitions.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Wall clock.
    pub at_ms: i64,
    /// Members that it had.
    pub members: usize,
    /// Its partitions, in order; the same as of the row before, as long as they are the same.
    pub names: Arc<[Name]>,
    /// One for each name.
    pub samples: Box<[Sample]>,
}

impl Row {
    /// Where it was in one partition.
    pub fn get(&self, name: &Name) -> Option<Sample> {
        let index = self.names.binary_search(name).ok()?;
        self.samples.get(index).copied()
    }
}

/// All rows.
#[derive(Debug, Default)]
pub struct Lags {
    by_group: BTreeMap<Arc<str>, Arc<VecDeque<Arc<Row>>>>,
}

impl Lags {
    /// Adds a row to each group.
    pub fn record(&mut self, at_ms: i64, snapshot: &Snapshot) {
        let mut room = PARTITIONS_MAX;
        let mut kept = BTreeMap::new();
        for group in snapshot.groups.iter().filter(|group| !(group.offsets.is_empty() && group.shared.is_empty())) {
            let Some(left) = room.checked_sub(group.offsets.len() + group.shared.len()) else { continue };
            room = left;
            let mut rows = self.by_group.remove(&group.id).unwrap_or_default();
            let row = Arc::new(row(at_ms, group, &snapshot.topics, rows.back()));
            let all = Arc::make_mut(&mut rows);
            if all.len() == ROWS_KEPT {
                all.pop_front();
            }
            all.push_back(row);
            kept.insert(group.id.clone(), rows);
        }
        self.by_group = kept;
    }

    /// A group's rows, oldest first.
    pub fn of(&self, group: &str) -> Arc<VecDeque<Arc<Row>>> {
        self.by_group.get(group).cloned().unwrap_or_default()
    }

    /// Bytes that the samples take.
    #[cfg(test)]
    pub fn sample_bytes(&self) -> usize {
        let rows = self.by_group.values().flat_map(|rows| rows.iter());
        rows.map(|row| row.samples.len() * size_of::<Sample>()).sum()
    }
}

fn sample(committed: i64, lag: i64, lag_ms: Option<i64>) -> Sample {
    let nothing = lag <= MARKERS_MAX && lag_ms == Some(0);
    Sample {
        committed,
        lag: if nothing { 0 } else { lag },
        behind_ms: lag_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX)),
    }
}

fn row(at_ms: i64, group: &Group, topics: &[Arc<Topic>], before: Option<&Arc<Row>>) -> Row {
    let committed = group.offsets.iter().map(|offset| {
        let sample = sample(offset.committed_offset, offset.lag, offset.lag_ms);
        ((offset.topic.clone(), offset.partition), sample)
    });
    // What is done with out of order counts as progress too, though the start offset waits.
    let shared = group.shared.iter().map(|offset| {
        let known = topics.binary_search_by(|known| known.name.cmp(&offset.topic)).ok();
        let mut partitions = known.iter().flat_map(|index| &topics[*index].partitions);
        let end = partitions.find(|known| known.id == offset.partition).map(|known| known.high_watermark);
        let done = end.map_or(offset.start_offset, |end| (end - offset.lag).max(offset.start_offset));
        ((offset.topic.clone(), offset.partition), sample(done, offset.lag, offset.lag_ms))
    });
    let mut named: Vec<(Name, Sample)> = committed.chain(shared).collect();
    named.sort_by(|one, other| one.0.cmp(&other.0));
    let samples = named.iter().map(|(_, sample)| *sample).collect();
    let same = before.filter(|before| before.names.iter().eq(named.iter().map(|(name, _)| name)));
    let names = match same {
        Some(before) => before.names.clone(),
        None => named.into_iter().map(|(name, _)| name).collect(),
    };
    Row { at_ms, members: group.members.len(), names, samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::snapshot::GroupOffset;

    fn snapshot(groups: usize, partitions: i32, committed_offset: i64) -> Snapshot {
        let offset =
            |partition| GroupOffset { topic: "t".into(), partition, committed_offset, lag: 3, lag_ms: Some(40) };
        let group = |index| {
            let offsets = (0..partitions).rev().map(offset).collect();
            Arc::new(Group { id: format!("g{index:04}").into(), offsets, ..Group::of_kind("classic") })
        };
        Snapshot { groups: (0..groups).map(group).collect(), ..Snapshot::default() }
    }

    #[test]
    fn rows_are_bounded_and_share_their_names() {
        let mut lags = Lags::default();
        for second in 0..200 {
            lags.record(second * 1000, &snapshot(1, 3, second));
        }
        let rows = lags.of("g0000");
        assert_eq!((rows.len(), rows[0].at_ms), (ROWS_KEPT, 80_000));
        assert!(Arc::ptr_eq(&rows[0].names, &rows[119].names));
        assert_eq!(rows[119].get(&("t".into(), 2)), Some(Sample { committed: 199, lag: 3, behind_ms: 40 }));
        assert_eq!(rows[119].get(&("t".into(), 3)), None);
        lags.record(0, &snapshot(0, 0, 0));
        assert!(lags.of("g0000").is_empty(), "groups that went are forgotten");
    }

    #[test]
    fn memory_is_bounded() {
        let mut lags = Lags::default();
        for second in 0..150 {
            lags.record(second * 1000, &snapshot(300, 50, second));
        }
        assert!(!lags.of("g0199").is_empty() && lags.of("g0200").is_empty(), "10,000 partitions are watched");
        assert_eq!(lags.sample_bytes(), PARTITIONS_MAX * ROWS_KEPT * 24);
    }

    #[test]
    fn what_only_markers_stand_in_is_no_lag() {
        let mut snapshot = snapshot(1, 1, 7);
        let set = |snapshot: &mut Snapshot, lag, lag_ms| {
            let offset = &mut Arc::make_mut(&mut snapshot.groups[0]).offsets[0];
            (offset.lag, offset.lag_ms) = (lag, lag_ms);
        };
        for (lag, lag_ms, expected) in [(1, Some(0), 0), (1, Some(5), 1), (1, None, 1), (9, Some(0), 9)] {
            set(&mut snapshot, lag, lag_ms);
            assert_eq!(row(0, &snapshot.groups[0], &[], None).samples[0].lag, expected);
        }
    }
}
