//! Whether what is seen is what was expected. Fed with one look after the other; pure.

use std::collections::BTreeMap;

use super::seen::Seen;
use super::status::{Outcome, Verdict};
use super::{Expectation, Steady, seconds};

/// After the last fault, what was acknowledged is waited for this long where a partition cannot tell.
const LOSS_PATIENCE_MS: i64 = 60_000;

/// Partitions that are named in a sentence.
const NAMED: usize = 3;

/// What is said of the steady state now.
pub fn steady(checks: &[Steady], seen: &Seen) -> Vec<Verdict> {
    checks
        .iter()
        .map(|check| {
            let (holds, said) = match check {
                Steady::LeadersEverywhere(_) => (
                    seen.leaderless == 0 && seen.partitions > 0,
                    format!("{} of {} partitions have no leader that runs.", seen.leaderless, seen.partitions),
                ),
                Steady::InSyncEverywhere(_) => (
                    seen.out_of_sync == 0 && seen.partitions > 0,
                    format!("{} of {} partitions are not in sync.", seen.out_of_sync, seen.partitions),
                ),
                Steady::WritesPerSAtLeast(rate) => {
                    (seen.writes_per_s >= *rate, format!("{:.0} writes a second were acknowledged.", seen.writes_per_s))
                }
                Steady::LagAtMost(lag) => match seen.lag {
                    Some(behind) => (behind <= *lag, format!("Groups are {behind} records behind.")),
                    None => return unmeasured(check.words(), "No group reads and has offsets."),
                },
            };
            let outcome = if holds { Outcome::Held } else { Outcome::Open };
            Verdict { check: check.words(), outcome, seen: said }
        })
        .collect()
}

fn unmeasured(check: String, why: &str) -> Verdict {
    Verdict { check, outcome: Outcome::NotMeasured, seen: why.to_owned() }
}

/// The longest time that something was not as it should be, and since when it is not.
#[derive(Debug, Default)]
struct Gap {
    since_ms: Option<i64>,
    longest_ms: u64,
}

impl Gap {
    fn look(&mut self, is_fine: bool, at_ms: i64) {
        let since_ms = *self.since_ms.get_or_insert(at_ms);
        self.longest_ms = self.longest_ms.max(u64::try_from(at_ms - since_ms).unwrap_or(0));
        if is_fine {
            self.since_ms = None;
        }
    }
}

/// Judges a run from its first fault on.
#[derive(Debug)]
pub struct Judge {
    expectations: Vec<Expectation>,
    before: Seen,
    newest: Seen,
    /// By workload: what it had acknowledged when that grew last, and since when it has not grown.
    writes: BTreeMap<u64, (u64, Gap)>,
    leaders: Gap,
    calm_ms: Option<i64>,
    drained_ms: Option<i64>,
    in_sync_ms: Option<i64>,
    /// What had been acknowledged when the last fault was over.
    promised: Option<BTreeMap<(String, i32), i64>>,
    kept: Option<Result<(), String>>,
}

impl Judge {
    /// Before the first fault.
    pub fn new(expectations: &[Expectation], before: Seen) -> Judge {
        let since = |at_ms| Gap { since_ms: Some(at_ms), longest_ms: 0 };
        Judge {
            expectations: expectations.to_vec(),
            writes: before.acked.iter().map(|(id, acked)| (*id, (*acked, since(before.at_ms)))).collect(),
            leaders: Gap::default(),
            calm_ms: None,
            drained_ms: None,
            in_sync_ms: None,
            promised: None,
            kept: None,
            newest: before.clone(),
            before,
        }
    }

    /// A look. `is_calm`: nothing of the script is in force, and nothing is to come.
    pub fn look(&mut self, seen: Seen, is_calm: bool) {
        let at_ms = seen.at_ms;
        for (id, acked) in &seen.acked {
            let (known, gap) = self.writes.entry(*id).or_insert_with(|| (*acked, Gap::default()));
            gap.look(*acked > *known, at_ms);
            if *acked > *known {
                (*known, gap.since_ms) = (*acked, Some(at_ms));
            }
        }
        // A workload that no longer runs is not waited for.
        for (_, (_, gap)) in self.writes.iter_mut().filter(|(id, _)| !seen.acked.contains_key(id)) {
            gap.since_ms = None;
        }
        match seen.leaderless {
            0 if self.leaders.since_ms.is_none() => {}
            leaderless => self.leaders.look(leaderless == 0, at_ms),
        }
        if is_calm {
            self.calm_ms.get_or_insert(at_ms);
            self.look_at_the_end(&seen);
        }
        self.newest = seen;
    }

    fn look_at_the_end(&mut self, seen: &Seen) {
        if seen.lag.is_some_and(|lag| lag <= self.lag_allowed()) {
            self.drained_ms.get_or_insert(seen.at_ms);
        }
        if seen.out_of_sync == 0 && seen.partitions > 0 {
            self.in_sync_ms.get_or_insert(seen.at_ms);
        }
        let promised = self.promised.get_or_insert_with(|| seen.acked_ends.clone());
        let short: Vec<(&(String, i32), i64, Option<i64>)> = promised
            .iter()
            .map(|(name, end)| (name, *end, seen.high_watermarks.get(name).copied()))
            .filter(|(_, end, there)| there.is_none_or(|there| there < *end))
            .collect();
        let is_late = self.calm_ms.is_some_and(|calm_ms| seen.at_ms - calm_ms > LOSS_PATIENCE_MS);
        if self.kept.is_none() && (short.is_empty() || is_late) {
            self.kept = Some(if short.is_empty() { Ok(()) } else { Err(short_of(&short)) });
        }
    }

    /// As far behind as before, or a second's worth of what is written.
    fn lag_allowed(&self) -> i64 {
        self.before.lag.unwrap_or(0).max(self.before.writes_per_s as i64)
    }

    /// Whether every expectation is decided.
    pub fn is_done(&self) -> bool {
        self.calm_ms.is_some() && self.verdicts().iter().all(|verdict| verdict.outcome != Outcome::Open)
    }

    /// What is said now.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.expectations.iter().map(|expectation| self.verdict(*expectation)).collect()
    }

    fn verdict(&self, expectation: Expectation) -> Verdict {
        let check = expectation.words();
        let (outcome, seen) = match expectation {
            Expectation::WritesResumeWithinMs(limit_ms) => match self.longest_without_writes() {
                None => return unmeasured(check, "No built-in workload wrote."),
                Some((id, gap)) => {
                    let said = format!(
                        "The longest time without an acknowledged write was {} (workload {id}).",
                        seconds(gap.longest_ms)
                    );
                    (self.of_gap(gap.longest_ms, limit_ms, self.is_starving(limit_ms)), said)
                }
            },
            Expectation::LeadersEverywhereWithinMs(limit_ms) => {
                if self.newest.partitions == 0 {
                    return unmeasured(check, "There are no partitions.");
                }
                let said = match self.leaders.longest_ms {
                    0 if self.leaders.since_ms.is_none() => "No partition was seen without a leader.".to_owned(),
                    longest_ms => {
                        format!("The longest time with a partition without a leader was {}.", seconds(longest_ms))
                    }
                };
                (self.of_gap(self.leaders.longest_ms, limit_ms, self.leaders.since_ms.is_some()), said)
            }
            Expectation::LagDrainsWithinMs(limit_ms) => {
                let Some(lag) = self.newest.lag else { return unmeasured(check, "No group reads and has offsets.") };
                let allowed = self.lag_allowed();
                let waiting = format!("Groups are {lag} records behind; {allowed} are allowed.");
                self.after_calm(self.drained_ms, limit_ms, waiting, |took| {
                    format!("{took} after the last fault groups were at most {allowed} records behind.")
                })
            }
            Expectation::InSyncWithinMs(limit_ms) => {
                if self.newest.partitions == 0 {
                    return unmeasured(check, "There are no partitions.");
                }
                let waiting = format!("{} partitions are not in sync.", self.newest.out_of_sync);
                self.after_calm(self.in_sync_ms, limit_ms, waiting, |took| {
                    format!("{took} after the last fault all replicas were in sync.")
                })
            }
            Expectation::NothingLost(_) => match (&self.promised, &self.kept) {
                _ if self.missed().is_some() => (Outcome::Broken, self.missed().unwrap_or_default()),
                (Some(promised), _) if promised.is_empty() => {
                    return unmeasured(check, "No built-in workload had a write acknowledged.");
                }
                (Some(promised), Some(Ok(()))) => {
                    let partitions = promised.len();
                    let words = "partitions reach as far as was acknowledged, and the ledger misses no record.";
                    (Outcome::Held, format!("All {partitions} {words}"))
                }
                (_, Some(Err(short))) => (Outcome::Broken, short.clone()),
                _ => (Outcome::Open, "It is looked at when the last fault is over.".to_owned()),
            },
        };
        Verdict { check, outcome, seen }
    }

    /// What the ledger has come to miss since before the first fault: also where others stand at its offsets.
    fn missed(&self) -> Option<String> {
        let before = |id: &u64| self.before.lost.get(id).copied().unwrap_or(0);
        let missed = self.newest.lost.iter().map(|(id, lost)| (id, lost.saturating_sub(before(id))));
        let (id, lost) = missed.max_by_key(|(_, lost)| *lost).filter(|(_, lost)| *lost > 0)?;
        let records = if lost == 1 { "record" } else { "records" };
        Some(format!("The ledger of workload {id} misses {lost} acknowledged {records}."))
    }

    /// Of the workload that waited longest.
    fn longest_without_writes(&self) -> Option<(u64, &Gap)> {
        self.writes.iter().max_by_key(|(_, (_, gap))| gap.longest_ms).map(|(id, (_, gap))| (*id, gap))
    }

    /// A workload waits for a write, and for so long that it is not only between two.
    fn is_starving(&self, limit_ms: u64) -> bool {
        let waited = |gap: &Gap| gap.since_ms.map_or(0, |since_ms| self.newest.at_ms - since_ms);
        let longest = self.writes.values().map(|(_, gap)| waited(gap)).max().unwrap_or(0);
        longest > i64::try_from(limit_ms / 2).unwrap_or(i64::MAX)
    }

    fn of_gap(&self, longest_ms: u64, limit_ms: u64, waits: bool) -> Outcome {
        match self.calm_ms {
            _ if longest_ms > limit_ms => Outcome::Broken,
            // One look after the end is not enough to say that all went on.
            Some(calm_ms) if !waits && self.newest.at_ms > calm_ms => Outcome::Held,
            _ => Outcome::Open,
        }
    }

    fn after_calm(
        &self,
        done_ms: Option<i64>,
        limit_ms: u64,
        waiting: String,
        done: impl FnOnce(String) -> String,
    ) -> (Outcome, String) {
        let Some(calm_ms) = self.calm_ms else { return (Outcome::Open, waiting) };
        let since = |at_ms: i64| u64::try_from(at_ms - calm_ms).unwrap_or(0);
        match done_ms {
            Some(done_ms) if since(done_ms) <= limit_ms => (Outcome::Held, done(seconds(since(done_ms)))),
            Some(done_ms) => (Outcome::Broken, done(seconds(since(done_ms)))),
            None if since(self.newest.at_ms) > limit_ms => (Outcome::Broken, waiting),
            None => (Outcome::Open, waiting),
        }
    }
}

fn short_of(short: &[(&(String, i32), i64, Option<i64>)]) -> String {
    let one = |((topic, id), end, there): &(&(String, i32), i64, Option<i64>)| match there {
        Some(there) => format!("{topic}-{id} was acknowledged up to {end} and reaches {there}"),
        None => format!("{topic}-{id} was acknowledged up to {end} and has no leader"),
    };
    let named: Vec<String> = short.iter().take(NAMED).map(one).collect();
    match short.len().saturating_sub(NAMED) {
        0 => format!("{}.", named.join("; ")),
        more => format!("{}; and {more} more.", named.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at_ms: i64, acked: u64) -> Seen {
        let name = ("orders".to_owned(), 0);
        Seen {
            at_ms,
            acked: [(1, acked)].into(),
            writes_per_s: 100.0,
            lag: Some(5),
            partitions: 6,
            acked_ends: [(name.clone(), acked as i64)].into(),
            high_watermarks: [(name, acked as i64)].into(),
            ..Seen::default()
        }
    }

    fn outcomes(judge: &Judge) -> Vec<Outcome> {
        judge.verdicts().iter().map(|verdict| verdict.outcome).collect()
    }

    #[test]
    fn the_longest_gap_between_writes_counts() {
        let judged = |gap_ms: i64| {
            let mut judge = Judge::new(&[Expectation::WritesResumeWithinMs(2_000)], seen(0, 10));
            for (at_ms, acked) in [(100, 20), (200, 20), (200 + gap_ms, 30), (300 + gap_ms, 40)] {
                judge.look(seen(at_ms, acked), false);
            }
            assert!(!judge.is_done());
            for (at_ms, acked) in [(400 + gap_ms, 50), (500 + gap_ms, 60)] {
                judge.look(seen(at_ms, acked), true);
            }
            assert!(judge.is_done());
            judge.verdicts().remove(0)
        };
        let verdict = judged(1_500);
        assert_eq!(verdict.outcome, Outcome::Held);
        assert!(verdict.seen.contains("1.6 s (workload 1)"), "{verdict:?}");
        assert_eq!(judged(2_600).outcome, Outcome::Broken);
    }

    #[test]
    fn writes_that_never_resume_are_waited_for_and_then_it_is_broken() {
        let mut judge = Judge::new(&[Expectation::WritesResumeWithinMs(2_000)], seen(0, 10));
        judge.look(seen(100, 10), false);
        judge.look(seen(1_500, 10), true);
        judge.look(seen(1_600, 10), true);
        assert_eq!(outcomes(&judge), [Outcome::Open], "they may still come");
        judge.look(seen(2_200, 10), true);
        assert_eq!(outcomes(&judge), [Outcome::Broken]);
    }

    #[test]
    fn without_writers_groups_or_partitions_nothing_is_measured() {
        let all = [
            Expectation::WritesResumeWithinMs(1),
            Expectation::LagDrainsWithinMs(1),
            Expectation::LeadersEverywhereWithinMs(1),
            Expectation::InSyncWithinMs(1),
            Expectation::NothingLost(true),
        ];
        let empty = |at_ms| Seen { at_ms, ..Seen::default() };
        let mut judge = Judge::new(&all, empty(0));
        judge.look(empty(1), true);
        judge.look(empty(2), true);
        assert_eq!(outcomes(&judge), [Outcome::NotMeasured; 5]);
        assert!(judge.is_done());
    }

    #[test]
    fn leaders_lag_and_isr() {
        let all = [
            Expectation::LeadersEverywhereWithinMs(1_000),
            Expectation::LagDrainsWithinMs(1_000),
            Expectation::InSyncWithinMs(500),
        ];
        let with = |at_ms, leaderless, lag, out_of_sync| Seen {
            leaderless,
            out_of_sync,
            lag: Some(lag),
            ..seen(at_ms, at_ms as u64)
        };
        let mut judge = Judge::new(&all, seen(0, 0));
        for (look, is_calm, expected) in [
            (with(100, 2, 500, 4), false, [Outcome::Open; 3]),
            (with(900, 0, 900, 4), false, [Outcome::Open; 3]),
            (with(1_000, 0, 900, 4), true, [Outcome::Open; 3]),
            (with(1_400, 0, 900, 0), true, [Outcome::Held, Outcome::Open, Outcome::Held]),
            (with(1_900, 0, 100, 0), true, [Outcome::Held; 3]),
            (with(2_400, 0, 9_000, 3), true, [Outcome::Held; 3]),
        ] {
            judge.look(look, is_calm);
            assert_eq!(outcomes(&judge), expected);
        }
        let mut late = Judge::new(&all, seen(0, 0));
        late.look(with(100, 1, 500, 1), true);
        late.look(with(1_200, 1, 500, 1), true);
        assert_eq!(outcomes(&late), [Outcome::Broken; 3]);
    }

    #[test]
    fn what_was_acknowledged_must_be_there_in_the_end() {
        let expected = [Expectation::NothingLost(true)];
        let reaching = |at_ms, reaches: Option<i64>| {
            let name = ("orders".to_owned(), 0);
            let high_watermarks = reaches.map(|reaches| (name, reaches)).into_iter().collect();
            Seen { high_watermarks, ..seen(at_ms, 100) }
        };
        let mut judge = Judge::new(&expected, seen(0, 0));
        judge.look(reaching(10, Some(90)), false);
        judge.look(reaching(20, None), true);
        judge.look(reaching(30, Some(99)), true);
        assert_eq!(outcomes(&judge), [Outcome::Open], "a new leader may not know yet");
        judge.look(reaching(40, Some(100)), true);
        assert_eq!(outcomes(&judge), [Outcome::Held]);
        let mut judge = Judge::new(&expected, seen(0, 0));
        judge.look(reaching(20, Some(99)), true);
        judge.look(reaching(21 + LOSS_PATIENCE_MS, Some(99)), true);
        let verdict = judge.verdicts().remove(0);
        assert_eq!(verdict.outcome, Outcome::Broken);
        assert_eq!(verdict.seen, "orders-0 was acknowledged up to 100 and reaches 99.");
    }

    #[test]
    fn what_the_ledger_misses_is_lost_though_partitions_reach_as_far() {
        let missing = |at_ms, lost| Seen { lost: [(1, lost), (2, 0)].into(), ..seen(at_ms, 100) };
        let mut judge = Judge::new(&[Expectation::NothingLost(true)], missing(0, 3));
        judge.look(missing(10, 3), true);
        assert_eq!(outcomes(&judge), [Outcome::Held], "that was before");
        let mut judge = Judge::new(&[Expectation::NothingLost(true)], missing(0, 3));
        judge.look(missing(10, 10), false);
        let verdict = judge.verdicts().remove(0);
        assert_eq!(verdict.outcome, Outcome::Broken);
        assert_eq!(verdict.seen, "The ledger of workload 1 misses 7 acknowledged records.");
    }

    #[test]
    fn the_steady_state() {
        let checks = [
            Steady::LeadersEverywhere(true),
            Steady::InSyncEverywhere(true),
            Steady::WritesPerSAtLeast(100.0),
            Steady::LagAtMost(4),
        ];
        let said: Vec<Outcome> = steady(&checks, &seen(0, 1)).iter().map(|verdict| verdict.outcome).collect();
        assert_eq!(said, [Outcome::Held, Outcome::Held, Outcome::Held, Outcome::Open]);
        let empty: Vec<Outcome> = steady(&checks, &Seen::default()).iter().map(|verdict| verdict.outcome).collect();
        assert_eq!(empty, [Outcome::Open, Outcome::Open, Outcome::Open, Outcome::NotMeasured]);
    }
}
