//! When retention comes to records that a group has not read.

use std::collections::BTreeMap;

use super::lags::Row;
use super::verdict::{Judgement, Verdict};

/// How long it is until retention may delete a record before it is read, if all goes on as now, ms; 0: it may already. `None`: that will not
/// happen, or is not known. A log deletes whole segments only, and not at once, so that it may come later and never comes sooner.
pub fn overtaken_in_ms(row: &Row, partitions: &[Judgement], retention_ms: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    let mut known: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    let mut soonest: Option<i64> = None;
    for ((name, sample), judged) in row.names.iter().zip(&row.samples).zip(partitions) {
        let (Some(growth), true) = (growth(judged), sample.behind_ms >= 0) else { continue };
        let retention_ms = *known.entry(&name.0).or_insert_with(|| retention_ms(&name.0));
        let Some(left_ms) = retention_ms.map(|retention_ms| retention_ms - i64::from(sample.behind_ms)) else {
            continue;
        };
        let in_ms = (left_ms.max(0) as f64 / growth) as i64;
        soonest = Some(soonest.map_or(in_ms, |before| before.min(in_ms)));
    }
    soonest
}

/// By how much the oldest unread record grows older in a second that goes by, seconds; `None`: it does not.
fn growth(judged: &Judgement) -> Option<f64> {
    match judged.verdict {
        Verdict::Stalled => Some(1.0),
        Verdict::FallingBehind => {
            let growth = 1.0 - judged.read_per_s / judged.written_per_s;
            (growth.is_finite() && growth > 0.0).then_some(growth.min(1.0))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::lags::Sample;
    use super::*;

    fn judged(verdict: Verdict, read_per_s: f64) -> Judgement {
        Judgement { verdict, lag: 100, written_per_s: 100.0, read_per_s, ..Judgement::default() }
    }

    fn row(behind_ms: &[i32]) -> Row {
        let names: Vec<(Arc<str>, i32)> = (0..behind_ms.len()).map(|index| (Arc::from("t"), index as i32)).collect();
        let samples = behind_ms.iter().map(|behind_ms| Sample { committed: 1, lag: 100, behind_ms: *behind_ms });
        Row { at_ms: 0, members: 1, names: names.into(), samples: samples.collect() }
    }

    #[test]
    fn the_partition_that_loses_first_counts() {
        let hour = |_: &str| Some(3_600_000);
        let row = row(&[600_000, 1_800_000, 3_000_000]);
        let all =
            [judged(Verdict::Stalled, 0.0), judged(Verdict::FallingBehind, 50.0), judged(Verdict::KeepingUp, 100.0)];
        assert_eq!(overtaken_in_ms(&row, &all, hour), Some(3_000_000), "50 minutes, against an hour at half the pace");
        assert_eq!(overtaken_in_ms(&row, &all[2..], hour), None);
        assert_eq!(overtaken_in_ms(&row, &[judged(Verdict::KeepingUp, 1.0), all[1], all[2]], hour), Some(3_600_000));
        assert_eq!(overtaken_in_ms(&row, &all, |_| None), None, "it keeps records for ever");
    }

    #[test]
    fn what_is_not_known_is_not_foretold_and_what_is_late_is_late() {
        let minute = |_: &str| Some(60_000);
        let stalled = [judged(Verdict::Stalled, 0.0)];
        assert_eq!(overtaken_in_ms(&row(&[-1]), &stalled, minute), None);
        assert_eq!(overtaken_in_ms(&row(&[90_000]), &stalled, minute), Some(0));
        for read_per_s in [f64::NAN, 100.0, 200.0] {
            let behind = [judged(Verdict::FallingBehind, read_per_s)];
            assert_eq!(overtaken_in_ms(&row(&[1_000]), &behind, minute), None);
        }
    }
}
