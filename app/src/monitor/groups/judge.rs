//! How groups stand: a verdict for each partition, and of these one for the group, in a sentence.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::lags::{Name, Row, Sample};
use super::verdict::{self, Around, Held, Judgement, Verdict};
use crate::monitor::names::grouped;
use crate::monitor::snapshot::{Group, Snapshot, Topic};

/// How a group stands.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The worst of its partitions.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// When it will have read all, at this pace; `None`: never, or not known.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub caught_up_in_s: Option<f64>,
    /// How old the oldest record is that waits; `None`: not known.
    pub behind_ms: Option<i64>,
    /// When retention may delete a record before it is read, at this pace; `None`: it will not, or that is not known.
    pub overtaken_in_ms: Option<i64>,
    /// Its partitions, in the order of [`Row::names`].
    pub partitions: Vec<Judgement>,
}

/// A group's partitions, and what was said of each.
type HeldRow = (Arc<[Name]>, Vec<Held>);

/// What was said of each partition last.
#[derive(Debug, Default)]
pub struct Judges {
    held: BTreeMap<Arc<str>, HeldRow>,
}

impl Judges {
    /// Forgets groups that are gone.
    pub fn keep(&mut self, snapshot: &Snapshot) {
        if self.held.len() > snapshot.groups.len() {
            let known: std::collections::BTreeSet<&Arc<str>> = snapshot.groups.iter().map(|group| &group.id).collect();
            self.held.retain(|id, _| known.contains(id));
        }
    }

    /// Judges a group by its rows, the newest of which is new.
    pub fn judge(&mut self, group: &Group, rows: &VecDeque<Arc<Row>>, topics: &[Arc<Topic>]) -> Standing {
        let Some(newest) = rows.back() else {
            let reason = if group.offsets.is_empty() && group.shared.is_empty() {
                "It has committed no offset yet, so that nothing is known of its lag."
            } else {
                "More partitions are read than are watched."
            };
            return Standing { reason: reason.into(), ..Standing::default() };
        };
        let (names, held) = self
            .held
            .entry(group.id.clone())
            .or_insert_with(|| (newest.names.clone(), vec![Held::default(); newest.names.len()]));
        if !Arc::ptr_eq(names, &newest.names) {
            let carried = newest.names.iter().map(|name| {
                let known = names.binary_search(name).ok().and_then(|index| held.get(index));
                known.copied().unwrap_or_default()
            });
            *held = carried.collect();
            *names = newest.names.clone();
        }
        let deserted_ms = deserted_ms(rows);
        let mut samples = Vec::with_capacity(rows.len());
        let mut partitions = Vec::with_capacity(held.len());
        for (index, (name, held)) in newest.names.iter().zip(held.iter_mut()).enumerate() {
            take(rows, newest, name, index, &mut samples);
            let around = Around { log_start: log_start(topics, name), deserted_ms };
            let said = verdict::judge(&samples, around, held.verdict);
            partitions.push(Judgement { verdict: held.settle(said.verdict), ..said });
        }
        standing(newest, partitions, group)
    }
}

/// For how long nobody has been in the group.
fn deserted_ms(rows: &VecDeque<Arc<Row>>) -> Option<i64> {
    let newest = rows.back().filter(|row| row.members == 0)?;
    let first = rows.iter().rev().take_while(|row| row.members == 0).last()?;
    // Nobody was there from the start: nobody knows for how long.
    let since_ms = if first.at_ms == rows.front()?.at_ms { i64::MAX } else { newest.at_ms - first.at_ms };
    Some(since_ms)
}

fn take(rows: &VecDeque<Arc<Row>>, newest: &Row, name: &Name, index: usize, samples: &mut Vec<(i64, Sample)>) {
    samples.clear();
    // All is read: that is all there is to say, and most partitions are like that.
    if newest.samples[index].lag == 0 {
        samples.push((newest.at_ms, newest.samples[index]));
        return;
    }
    for row in rows {
        let sample = if Arc::ptr_eq(&row.names, &newest.names) { Some(row.samples[index]) } else { row.get(name) };
        let Some(sample) = sample else { continue };
        // It was set back: what was before is another course.
        if samples.last().is_some_and(|(_, before)| sample.committed < before.committed) {
            samples.clear();
        }
        samples.push((row.at_ms, sample));
    }
}

fn log_start(topics: &[Arc<Topic>], (topic, partition): &Name) -> i64 {
    let found = topics.binary_search_by(|known| known.name.cmp(topic)).ok();
    let partitions = found.map(|index| &topics[index].partitions);
    let known = partitions.and_then(|partitions| partitions.iter().find(|known| known.id == *partition));
    known.map_or(0, |known| known.log_start_offset)
}

fn standing(row: &Row, partitions: Vec<Judgement>, group: &Group) -> Standing {
    let verdict = partitions.iter().map(|judged| judged.verdict).max().unwrap_or_default();
    let waiting = || partitions.iter().filter(|judged| judged.lag > 0);
    let times = waiting().map(Judgement::caught_up_in_s).collect::<Option<Vec<f64>>>();
    let slowest = times.and_then(|times| times.into_iter().reduce(f64::max));
    let behind = row.samples.iter().map(|sample| if sample.lag == 0 { 0 } else { sample.behind_ms });
    let behind_ms = behind.clone().max().filter(|_| behind.into_iter().all(|ms| ms >= 0)).map(i64::from);
    // A share group commits no offsets: its members acknowledge records.
    let done = if group.has_lag() { "committed" } else { "acknowledged" };
    let reason = reason(row, &partitions, verdict, done);
    let caught_up_in_s = slowest.filter(|_| verdict == Verdict::Recovering);
    Standing { verdict, reason, caught_up_in_s, behind_ms, overtaken_in_ms: None, partitions }
}

/// `demo-3`, or `2 of 6 partitions`.
fn which(row: &Row, partitions: &[Judgement], verdict: Verdict) -> String {
    let mut such = partitions.iter().enumerate().filter(|(_, judged)| judged.verdict == verdict);
    match (such.next(), such.count() + 1, partitions.len()) {
        (Some((index, _)), 1, _) => format!("{}-{}", row.names[index].0, row.names[index].1),
        (_, some, all) if some < all => format!("{some} of {all} partitions"),
        (_, _, all) => format!("all {all} partitions"),
    }
}

fn reason(row: &Row, partitions: &[Judgement], verdict: Verdict, done: &str) -> String {
    let such = || partitions.iter().filter(|judged| judged.verdict == verdict);
    let lag: i64 = partitions.iter().map(|judged| judged.lag).sum();
    let records = |records: i64| format!("{} {}", grouped(records), if records == 1 { "record" } else { "records" });
    let per_s = |per_s: f64| grouped(per_s.round() as i64);
    let written: f64 = such().map(|judged| judged.written_per_s).filter(|rate| rate.is_finite()).sum();
    let read: f64 = such().map(|judged| judged.read_per_s).filter(|rate| rate.is_finite()).sum();
    match verdict {
        Verdict::Watching if row.samples.is_empty() => "It has committed no offset yet.".into(),
        Verdict::Watching => "It has not been watched for long enough to tell.".into(),
        Verdict::KeepingUp if lag == 0 => "It has read all that there is.".into(),
        Verdict::KeepingUp => format!("It stays {} behind, and no further.", records(lag)),
        Verdict::Recovering => format!(
            "It catches up in {}: reads {} records a second, while {} are written.",
            which(row, partitions, verdict),
            per_s(read),
            per_s(written)
        ),
        Verdict::FallingBehind => format!(
            "It is too slow in {}: reads {} records a second, while {} are written.",
            which(row, partitions, verdict),
            per_s(read),
            per_s(written)
        ),
        Verdict::Stalled if such().any(|judged| judged.is_deserted) => {
            format!("Nobody is in the group, and {} wait.", records(lag))
        }
        Verdict::Stalled => {
            let still_s = such().map(|judged| judged.still_ms).max().unwrap_or(0) / 1000;
            let waiting: i64 = such().map(|judged| judged.lag).sum();
            let place = which(row, partitions, verdict);
            format!("In {place} nothing was {done} for {still_s} s, though {} wait.", records(waiting))
        }
        Verdict::Overtaken => {
            let lost: i64 = such().map(|judged| judged.lost).sum();
            format!("{} of {} were deleted before it read them.", records(lost), which(row, partitions, verdict))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::groups::lags::Lags;
    use crate::monitor::snapshot::{GroupOffset, Member, Partition};

    struct Course {
        lags: Lags,
        judges: Judges,
        second: i64,
    }

    impl Course {
        fn new() -> Course {
            Course { lags: Lags::default(), judges: Judges::default(), second: 0 }
        }

        /// One second: committed and end of each partition, and where logs begin.
        fn second(&mut self, members: usize, places: &[(i64, i64)], log_start_offset: i64) -> Standing {
            self.second += 1;
            let offset = |(partition, (committed_offset, end)): (usize, &(i64, i64))| GroupOffset {
                topic: "t".into(),
                partition: partition as i32,
                committed_offset: *committed_offset,
                lag: end - committed_offset,
                lag_ms: Some((end - committed_offset) * 2),
            };
            let group = Group {
                id: "g".into(),
                members: vec![Member::default(); members],
                offsets: places.iter().enumerate().map(offset).collect(),
                ..Group::of_kind("classic")
            };
            let partition = |id| Partition { id, log_start_offset, ..Partition::default() };
            let topic = Topic { partitions: (0..places.len() as i32).map(partition).collect(), ..Topic::named("t") };
            let snapshot =
                Snapshot { groups: vec![Arc::new(group)], topics: vec![Arc::new(topic)], ..Snapshot::default() };
            self.lags.record(self.second * 1000, &snapshot);
            self.judges.judge(&snapshot.groups[0], &self.lags.of("g"), &snapshot.topics)
        }
    }

    #[test]
    fn the_group_is_as_its_worst_partition() {
        let mut course = Course::new();
        let mut standing = Standing::default();
        for second in 1..60 {
            let read = |per_s: i64| (second / 5 * 5 * per_s, second * 100);
            standing = course.second(2, &[read(100), read(60), (second * 100, second * 100)], 0);
        }
        assert_eq!(standing.verdict, Verdict::FallingBehind);
        assert_eq!(standing.reason, "It is too slow in t-1: reads 60 records a second, while 100 are written.");
        let verdicts: Vec<Verdict> = standing.partitions.iter().map(|judged| judged.verdict).collect();
        assert_eq!(verdicts, [Verdict::KeepingUp, Verdict::FallingBehind, Verdict::KeepingUp]);
        assert!(standing.behind_ms.is_some_and(|ms| ms > 4_000));
    }

    #[test]
    fn sentences_name_what_is_wrong() {
        let mut course = Course::new();
        assert_eq!(course.second(1, &[(10, 10)], 0).reason, "It has read all that there is.");
        let standing = course.second(1, &[(10, 40)], 15);
        assert_eq!(standing.reason, "5 records of t-0 were deleted before it read them.");
        for _ in 0..5 {
            course.second(0, &[(10, 40)], 0);
        }
        let standing = course.second(0, &[(10, 40)], 0);
        assert_eq!(
            (standing.verdict, standing.reason.as_str()),
            (Verdict::Stalled, "Nobody is in the group, and 30 records wait.")
        );
        let mut course = Course::new();
        let mut standing = Standing::default();
        for _ in 0..30 {
            standing = course.second(1, &[(10, 40), (7, 7)], 0);
        }
        assert_eq!(standing.reason, "In t-0 nothing was committed for 29 s, though 30 records wait.");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_group_that_is_set_back_begins_anew() {
        let mut course = Course::new();
        for second in 1..40 {
            course.second(1, &[(second * 100, second * 100 + 5)], 0);
        }
        let standing = course.second(1, &[(0, 4_000)], 0);
        assert_ne!(standing.verdict, Verdict::Stalled);
        let mut last = standing;
        for second in 1..40 {
            last = course.second(1, &[(second * 50, 4_000)], 0);
        }
        assert_eq!(last.verdict, Verdict::Recovering);
        assert!(last.caught_up_in_s.is_some_and(|s| (35.0..50.0).contains(&s)), "{:?}", last.caught_up_in_s);
    }
}
