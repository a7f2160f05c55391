//! How a group does in one partition, from a window of samples and not from a threshold: a group may be a million records behind and
//! keep up, and another ten and never come closer.
//!
//! Where a group stands is seen only when it commits, and between two commits its lag grows by what was written meanwhile. So lags are
//! compared as they were right after commits, and a group that commits seldom is given more time before it is said to stand still.

use super::lags::Sample;
use borsh::{BorshDeserialize, BorshSerialize};

/// What is said of a group or a partition, best first.
#[derive(
    BorshSerialize,
    BorshDeserialize,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has not been watched for long enough, or there is nothing to go by.
    #[default]
    Watching,
    /// It reads as fast as is written.
    KeepingUp,
    /// It comes closer to the end.
    Recovering,
    /// The end moves away from it.
    FallingBehind,
    /// It commits nothing though records wait.
    Stalled,
    /// Records were deleted before it read them.
    Overtaken,
}

/// A verdict, and what it rests on.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Default)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Records that wait.
    pub lag: i64,
    /// Records written per second, between the commits that were seen; NaN: not known.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub written_per_s: f64,
    /// Records read per second, as its commits tell; NaN: not known.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub read_per_s: f64,
    /// For how long nothing was committed though records waited.
    pub still_ms: i64,
    /// Records that were deleted unread.
    pub lost: i64,
    /// Nobody is in the group.
    pub is_deserted: bool,
}

impl Judgement {
    /// When it will have read all, at this pace; `None`: never, or not known.
    pub fn caught_up_in_s(&self) -> Option<f64> {
        let gain = self.read_per_s - self.written_per_s;
        (self.verdict == Verdict::Recovering && gain > 0.0).then(|| self.lag as f64 / gain)
    }
}

/// What is known beside the samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// First offset of the partition.
    pub log_start: i64,
    /// For how long nobody has been in the group; `None`: somebody is.
    pub deserted_ms: Option<i64>,
}

/// Before this, nothing is said of a trend.
const WATCH_MS: i64 = 20_000;
/// Nothing committed for this long, while records wait, is a stall; longer where commits are rare.
const STILL_MS: i64 = 20_000;
/// So many times the longest pause between commits that was seen.
const PAUSES: i64 = 3;
/// A rebalance may leave a group without members for a moment.
const DESERTED_MS: i64 = 3_000;
/// A trend is looked for in the newest minute, if there were this many commits in it.
const RECENT_MS: i64 = 60_000;
const COMMITS_FEW: usize = 6;
/// What changes by less than this is noise: records, seconds of what is written, share of the lag.
const NOISE_RECORDS: f64 = 10.0;
const NOISE_S: f64 = 2.0;
const NOISE_SHARE: f64 = 0.05;

/// A commit that was seen: when, where, and how far behind it was right after.
#[derive(Clone, Copy)]
struct Commit {
    at_ms: i64,
    committed: i64,
    lag: i64,
    end: i64,
}

/// Judges a partition by its samples, oldest first. `before`: what was said last, which stands where nothing else can be said.
pub fn judge(samples: &[(i64, Sample)], around: Around, before: Verdict) -> Judgement {
    let Some(&(now_ms, last)) = samples.last() else { return Judgement::default() };
    let commits = commits(samples);
    let (written_per_s, read_per_s) = rates(&commits);
    let still_ms = still_ms(samples, &commits, now_ms);
    let is_deserted = around.deserted_ms.is_some_and(|ms| ms >= DESERTED_MS);
    let lost = if last.committed >= 0 { (around.log_start - last.committed).max(0) } else { 0 };
    let verdict = if lost > 0 {
        Verdict::Overtaken
    } else if last.lag == 0 {
        Verdict::KeepingUp
    } else if is_deserted || still_ms >= patience_ms(&commits) {
        Verdict::Stalled
    } else {
        trend(samples, &commits, before)
    };
    Judgement { verdict, lag: last.lag, written_per_s, read_per_s, still_ms, lost, is_deserted }
}

fn commits(samples: &[(i64, Sample)]) -> Vec<Commit> {
    let moved = samples.windows(2).filter(|pair| pair[1].1.committed > pair[0].1.committed);
    let commit = |pair: &[(i64, Sample)]| {
        let (at_ms, sample) = pair[1];
        Commit { at_ms, committed: sample.committed, lag: sample.lag, end: sample.end() }
    };
    moved.map(commit).collect()
}

/// Between the first commit and the last: elsewhere it is not known what was read.
fn rates(commits: &[Commit]) -> (f64, f64) {
    let unknown = (f64::NAN, f64::NAN);
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return unknown };
    let over_s = (last.at_ms - first.at_ms) as f64 / 1e3;
    if over_s <= 0.0 {
        return unknown;
    }
    ((last.end - first.end).max(0) as f64 / over_s, (last.committed - first.committed) as f64 / over_s)
}

/// Since the last commit, or since there was something to read.
fn still_ms(samples: &[(i64, Sample)], commits: &[Commit], now_ms: i64) -> i64 {
    let idle = samples.iter().rev().find(|(_, sample)| sample.lag == 0).map(|(at_ms, _)| *at_ms);
    let moved = commits.last().map(|commit| commit.at_ms);
    let begin = samples.first().map_or(now_ms, |(at_ms, _)| *at_ms);
    now_ms - idle.into_iter().chain(moved).max().unwrap_or(begin)
}

fn patience_ms(commits: &[Commit]) -> i64 {
    let pauses = commits.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
    STILL_MS.max(PAUSES * pauses.max().unwrap_or(0))
}

fn trend(samples: &[(i64, Sample)], commits: &[Commit], before: Verdict) -> Verdict {
    let (begin_ms, now_ms) = (samples[0].0, samples[samples.len() - 1].0);
    if now_ms - begin_ms < WATCH_MS {
        return Verdict::Watching;
    }
    let recent = commits.partition_point(|commit| commit.at_ms < now_ms - RECENT_MS);
    let recent = if commits.len() - recent >= COMMITS_FEW { &commits[recent..] } else { commits };
    let from_ms = if recent.len() < commits.len() { now_ms - RECENT_MS } else { begin_ms };
    let middle = recent.partition_point(|commit| commit.at_ms < from_ms + (now_ms - from_ms) / 2);
    let (Some(earlier), Some(later)) = (median(&recent[..middle]), median(&recent[middle..])) else {
        // It committed in one half only: what was true then may still be.
        return if before == Verdict::Stalled { Verdict::Watching } else { before };
    };
    let (written_per_s, _) = rates(recent);
    let written_per_s = if written_per_s.is_finite() { written_per_s } else { 0.0 };
    let noise = NOISE_RECORDS.max(NOISE_S * written_per_s).max(NOISE_SHARE * earlier);
    if later > earlier + noise {
        Verdict::FallingBehind
    } else if later < earlier - noise && later > noise.min(NOISE_S * written_per_s + NOISE_RECORDS) {
        Verdict::Recovering
    } else {
        Verdict::KeepingUp
    }
}

fn median(commits: &[Commit]) -> Option<f64> {
    let mut lags: Vec<i64> = commits.iter().map(|commit| commit.lag).collect();
    let middle = lags.len() / 2;
    (!lags.is_empty()).then(|| *lags.select_nth_unstable(middle).1 as f64)
}

/// So many seconds in a row must say the same before another verdict is believed.
const SURE_AFTER: u8 = 3;

/// A verdict that does not waver.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    /// What is said.
    pub verdict: Verdict,
    next: Verdict,
    times: u8,
}

impl Held {
    /// Takes in what the newest samples say.
    pub fn settle(&mut self, said: Verdict) -> Verdict {
        let at_once = self.verdict == Verdict::Watching || matches!(said, Verdict::Overtaken);
        self.times = if said == self.next { self.times.saturating_add(1) } else { 1 };
        self.next = said;
        if at_once || self.times >= SURE_AFTER {
            self.verdict = said;
        }
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A group that is written to and reads at these paces, and commits every so many seconds: (seconds, written/s, read/s).
    fn course(phases: &[(i64, i64, i64)], commit_every_s: i64, lag: i64) -> Vec<(i64, Sample)> {
        let (mut end, mut position) = (10_000 + lag, 10_000);
        let (mut committed, mut second) = (position, 0);
        let mut samples = Vec::new();
        for (seconds, written, read) in phases {
            for _ in 0..*seconds {
                end += written;
                position = (position + read).min(end);
                second += 1;
                if second % commit_every_s == 0 {
                    committed = position;
                }
                samples.push((second * 1000, Sample { committed, lag: end - committed, behind_ms: -1 }));
            }
        }
        let skip = samples.len().saturating_sub(crate::monitor::groups::lags::ROWS_KEPT);
        samples.split_off(skip)
    }

    #[test]
    fn verdict_table() {
        use Verdict::{FallingBehind, KeepingUp, Recovering, Stalled, Watching};
        for (what, phases, every_s, lag, expected) in [
            ("as fast as is written", &[(60, 1000, 1000)][..], 5, 0, KeepingUp),
            ("far behind, and no further", &[(60, 1000, 1000)], 5, 1_000_000, KeepingUp),
            ("too slow", &[(60, 1000, 700)], 5, 0, FallingBehind),
            ("too slow, each second", &[(60, 1000, 700)], 1, 0, FallingBehind),
            ("too slow, and commits seldom", &[(120, 1000, 700)], 25, 0, FallingBehind),
            ("comes closer", &[(60, 1000, 3000)], 5, 500_000, Recovering),
            ("comes closer, and nothing is written", &[(60, 0, 500)], 5, 100_000, Recovering),
            ("has caught up just now", &[(60, 1000, 5000)], 5, 50_000, KeepingUp),
            ("stands still", &[(60, 1000, 1000), (30, 1000, 0)], 5, 0, Stalled),
            ("paused for less than its patience", &[(60, 1000, 1000), (12, 1000, 0)], 5, 0, KeepingUp),
            ("commits seldom, and is given time", &[(90, 1000, 1000)], 30, 0, KeepingUp),
            ("never committed while it was watched", &[(40, 10, 0)], 5, 0, Stalled),
            ("nothing is written", &[(60, 0, 0)], 5, 0, KeepingUp),
            ("nothing is read or written, and records wait", &[(60, 0, 0)], 5, 40, Stalled),
            ("only just seen", &[(10, 1000, 700)], 2, 0, Watching),
        ] {
            let samples = course(phases, every_s, lag);
            // As it goes: what is said of each second may rest on what was said before.
            let mut held = Held::default();
            for until in 1..=samples.len() {
                held.settle(judge(&samples[..until], Around::default(), held.verdict).verdict);
            }
            assert_eq!(held.verdict, expected, "{what}");
        }
    }

    #[test]
    fn deletion_and_desertion_are_told_apart() {
        let samples = course(&[(30, 100, 100)], 5, 0);
        let committed = samples[samples.len() - 1].1.committed;
        let around = Around { log_start: committed + 7, deserted_ms: None };
        let judged = judge(&samples, around, Verdict::KeepingUp);
        assert_eq!((judged.verdict, judged.lost), (Verdict::Overtaken, 7));
        let samples = course(&[(30, 100, 100), (4, 100, 0)], 5, 0);
        for (deserted_ms, verdict) in
            [(None, Verdict::KeepingUp), (Some(1_000), Verdict::KeepingUp), (Some(4_000), Verdict::Stalled)]
        {
            let judged = judge(&samples, Around { log_start: 0, deserted_ms }, Verdict::KeepingUp);
            assert_eq!((judged.verdict, judged.is_deserted), (verdict, verdict == Verdict::Stalled));
        }
        assert_eq!(judge(&[], Around::default(), Verdict::KeepingUp), Judgement::default());
        let never = [(0, Sample { committed: -1, lag: 5, behind_ms: -1 })];
        assert_eq!(judge(&never, Around { log_start: 9, deserted_ms: None }, Verdict::Watching).lost, 0);
    }

    #[test]
    fn how_long_until_all_is_read() {
        let judged = judge(&course(&[(60, 1000, 3000)], 5, 500_000), Around::default(), Verdict::Watching);
        assert_eq!(judged.verdict, Verdict::Recovering);
        // 500,000 records behind at first, 2,000 nearer each second, for 60 seconds.
        let left_s = judged.caught_up_in_s().unwrap();
        assert!((180.0..200.0).contains(&left_s), "{left_s}");
        let slow = judge(&course(&[(60, 1000, 700)], 5, 0), Around::default(), Verdict::Watching);
        assert_eq!(slow.caught_up_in_s(), None);
    }

    #[test]
    fn a_verdict_needs_three_seconds_to_change() {
        let mut held = Held::default();
        assert_eq!(held.settle(Verdict::KeepingUp), Verdict::KeepingUp);
        for said in [Verdict::FallingBehind, Verdict::KeepingUp, Verdict::FallingBehind, Verdict::FallingBehind] {
            assert_eq!(held.settle(said), Verdict::KeepingUp);
        }
        assert_eq!(held.settle(Verdict::FallingBehind), Verdict::FallingBehind);
        assert_eq!(held.settle(Verdict::Overtaken), Verdict::Overtaken);
    }

    proptest! {
        /// What is written comes and goes, the group reads all of it, at most a second late, and commits when it likes: it keeps up all the time.
        #[test]
        fn noise_makes_no_verdict(
            seconds in proptest::collection::vec((500i64..1_500, 1i64..8, 0i64..1_000), 30..150),
            lag in prop_oneof![Just(0i64), 0i64..100_000],
        ) {
            let (mut end, mut committed, mut next) = (lag, 0i64, 0usize);
            let (mut samples, mut held) = (Vec::new(), Held::default());
            for (second, (written, pause, late)) in seconds.iter().enumerate() {
                end += written;
                if second >= next {
                    committed = committed.max(end - lag - late);
                    next = second + *pause as usize;
                }
                samples.push((second as i64 * 1000, Sample { committed, lag: end - committed, behind_ms: -1 }));
                let skip = samples.len().saturating_sub(crate::monitor::groups::lags::ROWS_KEPT);
                let said = judge(&samples[skip..], Around::default(), held.verdict).verdict;
                let held = held.settle(said);
                prop_assert!(matches!(held, Verdict::Watching | Verdict::KeepingUp), "second {second}: {held:?}");
            }
        }
    }
}
