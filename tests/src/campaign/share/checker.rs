//! What holds for share groups (KIP-932), judged by what members were given and what they said of it. Pure.
//!
//! What Kafka promises, and what not:
//! - An acknowledgement that was answered without an error is kept: no leader of a later reign, and none of the same, delivers the record again.
//!   A leader that does not know yet that it was deposed may, from what it knew (nothing that is said of that will be kept).
//! - In one reign a record is with one member until that says something of it, its lock runs out, or its session ends. Who leads next knows
//!   nothing of locks.
//! - A count is kept when a record is given back or its lock runs out, not when it is delivered. So counts are exact in one reign, and in a later
//!   one may be lower than told, but not lower than what was given back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::history::{Ack, Delivery, Fate, ShareHistory, Verdict};
use crate::campaign::history::{Anomaly, History, Kind, Outcome, Value};

/// Of each kind, no more than so many are told.
const TOLD_MAX: usize = 5;

/// Anomalies, each kind bounded.
#[derive(Default)]
struct Found {
    counts: HashMap<Kind, usize>,
    anomalies: Vec<Anomaly>,
}

impl Found {
    fn push(&mut self, kind: Kind, what: String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= TOLD_MAX {
            self.anomalies.push(Anomaly::new(kind, what));
        }
    }
}

/// What happened to one offset in one group.
#[derive(Default)]
struct Offset<'a> {
    deliveries: Vec<(usize, &'a Delivery)>,
}

/// All that was said of each delivery.
type Said<'a> = HashMap<usize, Vec<&'a Ack>>;

/// All anomalies.
pub(in crate::campaign) fn check(history: &History) -> Vec<Anomaly> {
    let share = &history.share;
    if share.groups.is_empty() {
        return Vec::new();
    }
    let mut found = Found::default();
    let said = said(share);
    for ((group, partition, offset), at) in &by_offset(share) {
        let name = format!("offset {offset} of partition {partition}, group {group}");
        check_values(&name, at, &mut found);
        check_counts(&name, share, *group, at, &said, &mut found);
        check_locks(&name, share, *group, at, &said, &mut found);
        check_kept(&name, share, *group, at, &said, &mut found);
    }
    check_refused(share, &said, &mut found);
    check_starts(share, &mut found);
    check_aborted(history, &mut found);
    for what in unsettled(history) {
        found.push(Kind::Unconsumed, what);
    }
    found.anomalies
}

fn by_offset(share: &ShareHistory) -> BTreeMap<(u32, u32, i64), Offset<'_>> {
    let mut offsets: BTreeMap<(u32, u32, i64), Offset<'_>> = BTreeMap::new();
    for (index, it) in share.deliveries.iter().enumerate() {
        offsets.entry((it.group, it.partition, it.offset)).or_default().deliveries.push((index, it));
    }
    offsets
}

fn said(share: &ShareHistory) -> Said<'_> {
    let mut said = Said::new();
    for ack in &share.acks {
        said.entry(ack.delivery).or_default().push(ack);
    }
    said
}

/// One offset has one record.
fn check_values(name: &str, at: &Offset<'_>, found: &mut Found) {
    let values: HashSet<Option<Value>> = at.deliveries.iter().map(|(_, it)| it.value).collect();
    if values.len() > 1 {
        found.push(Kind::InconsistentOffsets, format!("{name} was delivered as {values:?}"));
    }
}

/// `later` was certainly acquired after this was answered, by a leader that knows what was kept then.
fn is_after(ack: &Ack, told: Duration, later: &Delivery) -> bool {
    later.reign.0 > ack.reign || (later.asked > told && later.reign.0 >= ack.reign)
}

fn check_counts(name: &str, share: &ShareHistory, group: u32, at: &Offset<'_>, said: &Said<'_>, found: &mut Found) {
    let limit = share.groups.get(group as usize).map_or(i16::MAX, |group| group.delivery_limit);
    let mut counts: HashMap<(i32, i16), &Delivery> = HashMap::new();
    for (index, it) in &at.deliveries {
        if it.count < 1 || it.count > limit {
            found.push(Kind::DeliveryCount, format!("{name} was delivered as number {} of {limit}", it.count));
        }
        if let Some(reign) = it.exact_reign()
            && let Some(before) = counts.insert((reign, it.count), it)
        {
            let what = format!("{name} was delivered twice as number {}: {before:?} and {it:?}", it.count);
            found.push(Kind::DeliveryCount, what);
        }
        for back in said.get(index).into_iter().flatten().filter(|ack| ack.verdict == Verdict::Release) {
            let Some(told) = back.answered.filter(|_| back.fate == Fate::Kept) else { continue };
            let lower = at.deliveries.iter().find(|(_, later)| is_after(back, told, later) && later.count <= it.count);
            if let Some((_, lower)) = lower {
                let what = format!("{name} was given back as number {}, and delivered again: {lower:?}", it.count);
                found.push(Kind::DeliveryCount, what);
            }
        }
    }
}

/// Until when a member surely has what it was given, if it lets go of nothing: its lock, which it may have renewed before that ran out. (What
/// others are past already can be renewed too, to no effect.)
fn locked_until(delivery: &Delivery, acks: &[&Ack], lock: Duration) -> Duration {
    let renewals = acks.iter().filter(|ack| ack.verdict == Verdict::Renew && ack.fate == Fate::Kept);
    renewals.fold(delivery.asked + lock, |until, ack| match ack.answered {
        Some(told) if told < until => until.max(ack.sent + lock),
        _ => until,
    })
}

/// From when on it may have let go of it.
fn let_go(share: &ShareHistory, delivery: &Delivery, acks: &[&Ack]) -> Duration {
    let released = acks.iter().filter(|ack| ack.verdict == Verdict::Release).map(|ack| ack.sent);
    let over = share.sessions.get(delivery.session).copied().flatten();
    released.chain(over).min().unwrap_or(Duration::MAX)
}

fn check_locks(name: &str, share: &ShareHistory, group: u32, at: &Offset<'_>, said: &Said<'_>, found: &mut Found) {
    let Some(lock) = share.groups.get(group as usize).map(|group| group.lock) else { return };
    let mut reigns: BTreeMap<i32, Vec<(usize, &Delivery)>> = BTreeMap::new();
    for (index, it) in &at.deliveries {
        if let Some(reign) = it.exact_reign() {
            reigns.entry(reign).or_default().push((*index, it));
        }
    }
    for deliveries in reigns.values_mut() {
        deliveries.sort_by_key(|(_, it)| it.count);
        for pair in deliveries.windows(2) {
            let [(index, first), (_, second)] = pair else { continue };
            let acks = said.get(index).map_or(&[][..], Vec::as_slice);
            if second.left < locked_until(first, acks, lock) && second.left < let_go(share, first, acks) {
                let what =
                    format!("{name} was with a member for {lock:?}, and was given away: {first:?}, then {second:?}");
                found.push(Kind::LockedTwice, what);
            }
        }
    }
}

/// What was said and kept is final.
fn check_kept(name: &str, share: &ShareHistory, group: u32, at: &Offset<'_>, said: &Said<'_>, found: &mut Found) {
    let Some(group) = share.groups.get(group as usize) else { return };
    for (index, it) in &at.deliveries {
        for ack in said.get(index).into_iter().flatten() {
            let Some(told) = ack.answered.filter(|_| ack.fate == Fate::Kept && ack.verdict.is_final()) else {
                continue;
            };
            // When the lock of the last delivery runs out the record is past, and who comes late is told that all is well, as by Kafka. A
            // leader that was deposed can say so without keeping it.
            let acks = said.get(index).map_or(&[][..], Vec::as_slice);
            let is_past = it.count >= group.delivery_limit && told >= locked_until(it, acks, group.lock);
            // What was with another meanwhile would have been refused; what lies before the start offset is not, but was answered before.
            let is_later_count = |later: &Delivery| {
                let same = later.exact_reign().is_some() && later.exact_reign() == it.exact_reign();
                same && later.count > it.count && later.left > told
            };
            let again = at.deliveries.iter().find(|(_, later)| {
                let is_of_next = later.reign.0 > ack.reign;
                (is_after(ack, told, later) && !(is_of_next && is_past)) || is_later_count(later)
            });
            if let Some((_, again)) = again {
                let what = format!("{name} was delivered again though {:?} of {it:?} was kept: {again:?}", ack.verdict);
                found.push(Kind::DeliveredAgain, what);
                return;
            }
        }
    }
}

/// Who has records can say what became of them.
fn check_refused(share: &ShareHistory, said: &Said<'_>, found: &mut Found) {
    let mut requests: BTreeMap<(u64, u32), Vec<&Ack>> = BTreeMap::new();
    for ack in share.acks.iter().filter(|ack| ack.fate == Fate::Refused) {
        if let Some(delivery) = share.deliveries.get(ack.delivery) {
            requests.entry((ack.request, delivery.partition)).or_default().push(ack);
        }
    }
    let is_entitled = |ack: &Ack| {
        let (Some(it), Some(told)) = (share.deliveries.get(ack.delivery), ack.answered) else { return false };
        let Some(lock) = share.groups.get(it.group as usize).map(|group| group.lock) else { return false };
        let before: Vec<&Ack> =
            said.get(&ack.delivery).into_iter().flatten().copied().filter(|it| it.request < ack.request).collect();
        let only_renewed = before.iter().all(|ack| ack.verdict == Verdict::Renew && ack.fate == Fate::Kept);
        let over = share.sessions.get(it.session).copied().flatten().is_some_and(|over| over < told);
        it.exact_reign() == Some(ack.reign) && only_renewed && !over && told < locked_until(it, &before, lock)
    };
    for ((request, partition), acks) in requests {
        if let Some(first) = acks.first().filter(|_| acks.iter().all(|ack| is_entitled(ack))) {
            let it = &share.deliveries[first.delivery];
            let what = format!(
                "request {request} was refused for partition {partition}, though the member had all of it, from {it:?} on"
            );
            found.push(Kind::LockLost, what);
        }
    }
}

fn check_starts(share: &ShareHistory, found: &mut Found) {
    let mut highest: HashMap<(u32, u32), (i64, Duration)> = HashMap::new();
    for read in &share.starts {
        let key = (read.group, read.partition);
        let Some((start, left)) = highest.get(&key).copied() else {
            highest.insert(key, (read.start_offset, read.left));
            continue;
        };
        if read.start_offset < start && read.asked > left {
            let what = format!(
                "group {} was told to begin at {start} of partition {}, and later at {}",
                read.group, read.partition, read.start_offset
            );
            found.push(Kind::StartOffsetFell, what);
        }
        if read.start_offset > start {
            highest.insert(key, (read.start_offset, read.left));
        }
    }
}

fn check_aborted(history: &History, found: &mut Found) {
    let mut outcomes: HashMap<Value, Outcome> = HashMap::new();
    for send in history.sends() {
        let txn = send.txn.and_then(|txn| history.txns.get(txn as usize)).map(|txn| txn.outcome);
        outcomes.extend(send.values.iter().map(|value| (*value, txn.unwrap_or(send.outcome))));
    }
    for it in &history.share.deliveries {
        let committed = history.share.groups.get(it.group as usize).is_some_and(|group| group.committed);
        let Some(value) = it.value else { continue };
        match outcomes.get(&value) {
            Some(Outcome::Fail) if committed => {
                found.push(
                    Kind::AbortedRead,
                    format!("a record of a transaction that was aborted was delivered: {it:?}"),
                );
            }
            None => found.push(Kind::AbortedRead, format!("a record that nobody sent was delivered: {it:?}")),
            _ => {}
        }
    }
}

/// From which offset on a group reads for sure.
fn spans(share: &ShareHistory) -> BTreeMap<(u32, u32), i64> {
    let mut spans: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    // Where it begins is written down with the first that is kept of it.
    for ack in share.acks.iter().filter(|ack| ack.fate == Fate::Kept && ack.verdict != Verdict::Renew) {
        if let Some(it) = share.deliveries.get(ack.delivery) {
            let from = spans.entry((it.group, it.partition)).or_insert(it.offset);
            *from = it.offset.min(*from);
        }
    }
    spans
}

/// Records that were acknowledged to their producer and that a group is to have, and of which nothing final was said: the first few, each in a
/// sentence.
pub(in crate::campaign) fn unsettled(history: &History) -> Vec<String> {
    let share = &history.share;
    let mut last: HashMap<(u32, Value), usize> = HashMap::new();
    for (index, it) in share.deliveries.iter().enumerate() {
        if let Some(value) = it.value {
            last.insert((it.group, value), index);
        }
    }
    let mut settled: HashSet<(u32, Value)> = HashSet::new();
    for ack in share.acks.iter().filter(|ack| ack.verdict.is_final()) {
        let Some(it) = share.deliveries.get(ack.delivery) else { continue };
        let Some(value) = it.value else { continue };
        // Of what nobody knows it must have been so, if it was not delivered again.
        let is_last = last.get(&(it.group, value)) == Some(&ack.delivery);
        if ack.fate == Fate::Kept || (ack.fate == Fate::Unknown && is_last) {
            settled.insert((it.group, value));
        }
    }
    let spans = spans(share);
    let mut open = Vec::new();
    for send in history.sends() {
        let Outcome::Ok(base) = send.outcome else { continue };
        let txn = send.txn.and_then(|txn| history.txns.get(txn as usize)).map(|txn| txn.outcome);
        for (group, limits) in (0u32..).zip(&share.groups) {
            if limits.committed && txn.is_some_and(|outcome| !matches!(outcome, Outcome::Ok(_))) {
                continue;
            }
            for (index, value) in (0i64..).zip(&send.values) {
                let offset = base.map(|base| base + index);
                let begins = if limits.from_start { Some(0) } else { spans.get(&(group, send.partition)).copied() };
                let is_its = limits.from_start || begins.zip(offset).is_some_and(|(begins, offset)| offset >= begins);
                let is_spent = offset.is_some_and(|offset| share.spent.contains(&(group, send.partition, offset)));
                if is_its && !is_spent && !settled.contains(&(group, *value)) {
                    let last = last.get(&(group, *value)).map(|index| &share.deliveries[*index]);
                    open.push(format!(
                        "group {group} never had done with record {value} at {offset:?} of partition {}; last: {last:?}",
                        send.partition
                    ));
                }
                if open.len() >= TOLD_MAX {
                    return open;
                }
            }
        }
    }
    open
}
