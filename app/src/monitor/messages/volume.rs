//! How many records a topic has over time, told by offsets alone: what lies between the offsets at which two instants stand. Nothing is read for
//! it, so it is quick however large the topic is; and what compaction took away, and transactions' markers, count as if they were records.

use borsh::{BorshDeserialize, BorshSerialize};

/// Bars at most.
pub const BARS_MAX: usize = 60;
/// Offsets that are asked for at most: of a topic of many partitions there are fewer bars.
const LOOKUPS_MAX: usize = 20_000;
/// Fewer bars show nothing.
const BARS_MIN: usize = 8;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long a bar may last: what people count time by.
const STEPS_MS: [i64; 30] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND_MS,
    2 * SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
];

/// A stretch of time in bars of equal length.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars {
    /// Where the first begins.
    pub from_ms: i64,
    /// How long each lasts.
    pub step_ms: i64,
    /// How many.
    pub count: usize,
}

impl Bars {
    /// Over `first_ms` to `last_ms`, both included, of a topic of so many partitions.
    pub fn over(first_ms: i64, last_ms: i64, partitions: usize) -> Bars {
        let most = (LOOKUPS_MAX / partitions.max(1)).clamp(BARS_MIN, BARS_MAX) as i64;
        let last_ms = last_ms.max(first_ms);
        let fits = |step_ms: &i64| last_ms.div_euclid(*step_ms) - first_ms.div_euclid(*step_ms) < most;
        let known = STEPS_MS.into_iter().find(fits);
        // Records that claim to be of the year 1 are told too.
        let step_ms = known.unwrap_or_else(|| {
            let month_ms = 30 * DAY_MS;
            ((last_ms.saturating_sub(first_ms) / (most - 1)) / month_ms + 1) * month_ms
        });
        let from_ms = first_ms.div_euclid(step_ms) * step_ms;
        let count = (last_ms.saturating_sub(from_ms) / step_ms + 1).clamp(1, most);
        Bars { from_ms, step_ms, count: count as usize }
    }

    /// Where the bar of that number begins; of the number after the last: where that ends.
    pub fn begin_ms(&self, index: usize) -> i64 {
        self.from_ms.saturating_add(self.step_ms.saturating_mul(index as i64))
    }

    /// Where the last ends.
    pub fn end_ms(&self) -> i64 {
        self.begin_ms(self.count)
    }

    /// The instants between bars, the two ends left out.
    pub fn cuts_ms(&self) -> impl Iterator<Item = i64> + '_ {
        (1..self.count).map(|index| self.begin_ms(index))
    }
}

/// What was found.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// The bars; `None`: there is no record.
    pub bars: Option<Bars>,
    /// By partition how many records each bar has.
    pub counts: Vec<(i32, Vec<u64>)>,
}

impl Volume {
    /// Of `bars`, each partition with the offsets where they begin and where the last ends: one more than there are bars.
    pub fn between(bars: Bars, offsets: Vec<(i32, Vec<i64>)>) -> Volume {
        let count = |(partition, offsets): (i32, Vec<i64>)| {
            let counts = offsets.windows(2).map(|pair| (pair[1] - pair[0]).max(0) as u64).collect();
            (partition, counts)
        };
        Volume { bars: Some(bars), counts: offsets.into_iter().map(count).collect() }
    }

    /// Of one partition, or of all, by bar.
    pub fn of(&self, partition: Option<i32>) -> Vec<u64> {
        let mut sums = vec![0; self.bars.map_or(0, |bars| bars.count)];
        for (_, counts) in self.counts.iter().filter(|(id, _)| partition.is_none_or(|only| only == *id)) {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bars_last_what_people_count_by() {
        let hour = Bars::over(7 * HOUR_MS + 1, 8 * HOUR_MS - 1, 6);
        assert_eq!(hour, Bars { from_ms: 7 * HOUR_MS, step_ms: MINUTE_MS, count: 60 });
        assert_eq!(hour.end_ms(), 8 * HOUR_MS);
        assert_eq!(Bars::over(5, 5, 1), Bars { from_ms: 5, step_ms: 1, count: 1 });
        // Of many partitions there are fewer.
        assert_eq!(Bars::over(0, HOUR_MS - 1, 1_000).step_ms, 5 * MINUTE_MS);
        assert_eq!(Bars::over(0, 59_999, 1_000_000), Bars { from_ms: 0, step_ms: 10_000, count: 6 });
    }

    #[test]
    fn what_lies_between_two_offsets_is_what_was_written_then() {
        let bars = Bars { from_ms: 0, step_ms: 10, count: 3 };
        let volume = Volume::between(bars, vec![(0, vec![5, 7, 12, 12]), (2, vec![0, 0, 0, 4])]);
        assert_eq!((volume.of(Some(0)), volume.of(Some(2))), (vec![2, 5, 0], vec![0, 0, 4]));
        assert_eq!(volume.of(None), [2, 5, 4]);
        assert_eq!(volume.of(Some(9)), [0, 0, 0]);
    }

    proptest! {
        #[test]
        fn all_of_it_lies_in_some_bar(first in any::<i64>(), span in 0_i64..i64::MAX, partitions in 0_usize..5_000) {
            let (first, last) = (first / 4, (first / 4).saturating_add(span / 4));
            let bars = Bars::over(first, last, partitions);
            prop_assert!((1..=BARS_MAX).contains(&bars.count));
            prop_assert!(bars.from_ms <= first && bars.end_ms() > last, "{bars:?}");
            prop_assert!((bars.count.saturating_sub(1)) * partitions <= LOOKUPS_MAX.max(BARS_MIN * partitions));
        }

        #[test]
        fn nothing_is_lost_between_bars(mut offsets in prop::collection::vec(0_i64..1_000, 2..20)) {
            offsets.sort_unstable();
            let bars = Bars { from_ms: 0, step_ms: 1, count: offsets.len() - 1 };
            let all = (offsets[offsets.len() - 1] - offsets[0]) as u64;
            prop_assert_eq!(Volume::between(bars, vec![(0, offsets)]).of(None).iter().sum::<u64>(), all);
        }
    }
}
