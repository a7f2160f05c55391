//! What holds for transactions beyond what holds for their records: all or nothing, and with them the offsets of their group. Pure.
//!
//! That no record of an aborted, fenced or timed-out transaction is read, and each of a committed one exactly once and in order, the checker
//! finds in the view of readers of committed records: there such a transaction's sends have failed.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::history::{Anomaly, History, Kind, Outcome, Value};

/// Of each kind, no more than so many are told.
const TOLD_MAX: usize = 5;

/// How a transaction stands in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Committed,
    Aborted,
}

/// All anomalies. A history without a final read of committed records is not asked for anything.
pub(super) fn check(history: &History) -> Vec<Anomaly> {
    let mut read: HashSet<Value> = HashSet::new();
    let mut there: HashSet<Value> = HashSet::new();
    let mut drained = false;
    for poll in history.polls().filter(|poll| poll.committed) {
        drained |= poll.drain;
        read.extend(poll.records.iter().map(|(_, value)| *value));
        if poll.drain {
            there.extend(poll.records.iter().map(|(_, value)| *value));
        }
    }
    if !drained {
        return Vec::new();
    }
    let mut values: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    for send in history.sends() {
        if let Some(txn) = send.txn {
            values.entry(txn as usize).or_default().extend(&send.values);
        }
    }
    let (mut torn, mut ends) = (Vec::new(), Vec::new());
    for (index, txn) in history.txns.iter().enumerate() {
        let mine = values.get(&index).map_or(&[][..], Vec::as_slice);
        let present = mine.iter().filter(|value| there.contains(value)).count();
        let seen = mine.iter().any(|value| read.contains(value));
        if txn.outcome != Outcome::Fail && (present > 0 || seen) && present < mine.len() {
            let missing: Vec<&Value> = mine.iter().filter(|value| !there.contains(value)).collect();
            let what = format!(
                "of the {} records of transaction {index} (process {}, {:?}), {present} are there, and {missing:?} are not",
                mine.len(),
                txn.process,
                txn.outcome
            );
            torn.push(Anomaly::new(Kind::TornTransaction, what));
        }
        ends.push(match txn.outcome {
            Outcome::Ok(_) => End::Committed,
            Outcome::Info if present > 0 => End::Committed,
            _ => End::Aborted,
        });
    }
    torn.truncate(TOLD_MAX);
    torn.extend(check_offsets(history, &ends));
    torn
}

/// Each offset that was read is that of the last transaction before that was committed.
fn check_offsets(history: &History, ends: &[End]) -> Vec<Anomaly> {
    let mut by_process: HashMap<u32, Vec<(usize, i64)>> = HashMap::new();
    for (index, (txn, end)) in history.txns.iter().zip(ends).enumerate() {
        if let Some(offset) = txn.offset.filter(|_| *end == End::Committed) {
            by_process.entry(txn.process).or_default().push((index, offset));
        }
    }
    let mut torn = Vec::new();
    for read in &history.offsets {
        let committed = by_process.get(&read.process).map_or(&[][..], Vec::as_slice);
        let before = committed.partition_point(|(index, _)| *index < read.after);
        let expected = before.checked_sub(1).map_or(-1, |last| committed[last].1);
        if read.offset != expected && torn.len() < TOLD_MAX {
            let what = format!(
                "the group of process {} had committed {} when {} transactions had begun, and its last transaction that was committed says {expected}",
                read.process, read.offset, read.after
            );
            torn.push(Anomaly::new(Kind::TornOffsets, what));
        }
    }
    torn
}
