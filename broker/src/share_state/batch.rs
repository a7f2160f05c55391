//! Delivery state by ranges of offsets, and how new ranges are laid over old ones.
//!
//! Source: `org.apache.kafka.server.share.persister.PersisterStateBatch`, `org.apache.kafka.coordinator.share.PersisterStateBatchCombiner`.

use std::collections::BTreeSet;

/// Offsets that are in the same state of delivery. Ordered by offsets, then by what counts more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateBatch {
    /// First offset.
    pub first_offset: i64,
    /// Last offset, inclusive; not less than the first.
    pub last_offset: i64,
    /// How often it was delivered.
    pub delivery_count: i16,
    /// 0: available; 2: acknowledged; 4: archived.
    pub delivery_state: i8,
}

impl StateBatch {
    /// Whether it names offsets that there can be.
    pub fn is_sound(&self) -> bool {
        self.first_offset >= 0 && self.first_offset <= self.last_offset
    }

    /// Of two batches over an offset the one with the higher rank counts: the later delivery, and of one delivery the later state.
    fn rank(&self) -> (i16, i8) {
        (self.delivery_count, self.delivery_state)
    }

    /// What is left of it from `start_offset` on.
    fn since(self, start_offset: i64) -> Option<StateBatch> {
        let first_offset = self.first_offset.max(start_offset);
        (first_offset <= self.last_offset).then_some(StateBatch { first_offset, ..self })
    }

    /// Whether `next`, which does not begin before it, has offsets in common with it or goes on where it ends in the same state.
    fn meets(&self, next: &StateBatch) -> bool {
        let goes_on = self.last_offset.checked_add(1) == Some(next.first_offset) && self.rank() == next.rank();
        next.first_offset <= self.last_offset || goes_on
    }
}

/// Lays `new` over `so_far` and drops what lies before `start_offset` (-1: nothing). Sound batches make ordered batches that share no offset.
/// Neighbours in the same state become one where they are met in order; as with Kafka, a few that come to be neighbours late stay two.
pub fn combine(so_far: &[StateBatch], new: &[StateBatch], start_offset: i64) -> Vec<StateBatch> {
    let all = so_far.iter().chain(new).copied();
    let kept: Vec<StateBatch> = match start_offset {
        -1 => all.collect(),
        start => all.filter_map(|batch| batch.since(start)).collect(),
    };
    if kept.len() < 2 {
        return kept;
    }
    let mut left: BTreeSet<StateBatch> = kept.into_iter().collect();
    let mut combined = Vec::with_capacity(left.len());
    while let Some(low) = left.pop_first() {
        match left.first().copied() {
            Some(high) if low.meets(&high) => {
                left.remove(&high);
                left.extend(overlay(low, high).into_iter().flatten());
            }
            _ => combined.push(low),
        }
    }
    combined
}

/// Two that meet, of which `high` begins no earlier, as up to three that share no offset.
fn overlay(low: StateBatch, high: StateBatch) -> [Option<StateBatch>; 3] {
    if low.rank() == high.rank() {
        return [Some(StateBatch { last_offset: low.last_offset.max(high.last_offset), ..low }), None, None];
    }
    // The pieces beyond exist only where there is an offset for them, so that none of the sums can overflow.
    if high.rank() < low.rank() {
        let rest = high.last_offset > low.last_offset;
        return [Some(low), rest.then(|| StateBatch { first_offset: low.last_offset + 1, ..high }), None];
    }
    let head = low.first_offset < high.first_offset;
    let tail = low.last_offset > high.last_offset;
    [
        head.then(|| StateBatch { last_offset: high.first_offset - 1, ..low }),
        Some(high),
        tail.then(|| StateBatch { first_offset: high.last_offset + 1, ..low }),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn batch((first_offset, last_offset, delivery_state, delivery_count): (i64, i64, i8, i16)) -> StateBatch {
        StateBatch { first_offset, last_offset, delivery_count, delivery_state }
    }

    fn combined(so_far: &[(i64, i64, i8, i16)], new: &[(i64, i64, i8, i16)], start: i64) -> Vec<(i64, i64, i8, i16)> {
        let batches = |them: &[(i64, i64, i8, i16)]| them.iter().copied().map(batch).collect::<Vec<_>>();
        let plain = |it: StateBatch| (it.first_offset, it.last_offset, it.delivery_state, it.delivery_count);
        combine(&batches(so_far), &batches(new), start).into_iter().map(plain).collect()
    }

    #[test]
    fn batches_lie_over_each_other_as_kafkas_do() {
        let table: &[(&[_], &[_], i64, &[_])] = &[
            (&[], &[], 0, &[]),
            (&[(1, 10, 0, 1)], &[], 5, &[(5, 10, 0, 1)]),
            (&[(1, 10, 0, 1)], &[], 11, &[]),
            (&[(1, 10, 0, 1)], &[], -1, &[(1, 10, 0, 1)]),
            // The same state: one.
            (&[(1, 10, 0, 1)], &[(11, 20, 0, 1)], -1, &[(1, 20, 0, 1)]),
            (&[(1, 10, 0, 1)], &[(12, 20, 0, 1)], -1, &[(1, 10, 0, 1), (12, 20, 0, 1)]),
            (&[(1, 10, 0, 1)], &[(5, 6, 0, 1)], -1, &[(1, 10, 0, 1)]),
            // A later delivery counts more, wherever it lies.
            (&[(1, 10, 0, 1)], &[(1, 10, 0, 2)], -1, &[(1, 10, 0, 2)]),
            (&[(1, 10, 0, 2)], &[(1, 10, 2, 1)], -1, &[(1, 10, 0, 2)]),
            (&[(1, 10, 0, 1)], &[(4, 6, 2, 1)], -1, &[(1, 3, 0, 1), (4, 6, 2, 1), (7, 10, 0, 1)]),
            (&[(1, 10, 2, 1)], &[(4, 6, 0, 1)], -1, &[(1, 10, 2, 1)]),
            (&[(1, 10, 0, 1)], &[(8, 14, 4, 1)], -1, &[(1, 7, 0, 1), (8, 14, 4, 1)]),
            (&[(1, 10, 4, 1)], &[(8, 14, 0, 1)], -1, &[(1, 10, 4, 1), (11, 14, 0, 1)]),
            // One that is done with does not grow any more: here the last two have the same state.
            (&[(0, 4, 2, 2), (5, 10, 0, 1)], &[(5, 12, 2, 2)], -1, &[(0, 4, 2, 2), (5, 12, 2, 2)]),
        ];
        for (so_far, new, start, wanted) in table {
            assert_eq!(combined(so_far, new, *start), *wanted, "{so_far:?} {new:?} {start}");
        }
    }

    /// Lines that Kafka's own class wrote; see `ShareState.java` beside them.
    const KAFKAS: &str = include_str!("../../tests/golden/share_state.txt");

    fn parsed(text: &str) -> Vec<StateBatch> {
        let one = |text: &str| {
            let numbers: Vec<i64> = text.split(',').map(|number| number.parse().unwrap()).collect();
            batch((numbers[0], numbers[1], numbers[2] as i8, numbers[3] as i16))
        };
        text.split(';').filter(|text| !text.is_empty()).map(one).collect()
    }

    #[test]
    fn whatever_lies_over_whatever_is_as_kafkas() {
        for line in KAFKAS.lines() {
            let fields: Vec<&str> = line.split('|').collect();
            let found = combine(&parsed(fields[1]), &parsed(fields[2]), fields[0].parse().unwrap());
            assert_eq!(found, parsed(fields[3]), "{line}");
        }
        assert_eq!(KAFKAS.lines().count(), 400);
    }

    #[test]
    fn the_last_offset_there_can_be_has_nothing_after_it() {
        let max = i64::MAX;
        let found = combined(&[(max - 1, max, 0, 1)], &[(max, max, 2, 1)], -1);
        assert_eq!(found, [(max - 1, max - 1, 0, 1), (max, max, 2, 1)]);
        assert_eq!(combined(&[(0, max, 2, 1)], &[(3, max, 0, 1)], -1), [(0, max, 2, 1)]);
    }

    fn batches() -> impl Strategy<Value = Vec<StateBatch>> {
        let one = (0..40i64, 0..12i64, 0..3i8, 1..4i16);
        let one = one.prop_map(|(first, length, state, count)| batch((first, first + length, state * 2, count)));
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        /// Offset by offset, what was laid there with the highest rank is there.
        #[test]
        fn each_offset_has_what_ranks_highest(so_far in batches(), new in batches(), start in -1..40i64) {
            let mut model: BTreeMap<i64, (i16, i8)> = BTreeMap::new();
            for it in so_far.iter().chain(&new) {
                for offset in it.first_offset.max(start)..=it.last_offset {
                    let at = model.entry(offset).or_insert(it.rank());
                    *at = (*at).max(it.rank());
                }
            }
            let found = combine(&so_far, &new, start);
            prop_assert!(found.windows(2).all(|pair| pair[0].last_offset < pair[1].first_offset), "{found:?}");
            let offsets = found.iter().flat_map(|it| (it.first_offset..=it.last_offset).map(|at| (at, it.rank())));
            prop_assert_eq!(offsets.collect::<BTreeMap<_, _>>(), model);
        }
    }
}
