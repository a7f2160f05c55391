//! Looks for the anomalies of `jepsen.tests.kafka` in a recorded history. Pure.
//!
//! The version order of a partition is the map from offsets to values that acknowledged sends and all reads tell, with the offsets counted
//! densely. What a row of the acceptance table allows to be lost is left out of it.

use std::collections::{HashMap, HashSet};

use super::cycles;
use super::history::{Anomaly, History, Kind, Op, Outcome, Poll, Promise, Send, Value};
use super::{share, transactions};

/// Of each kind, no more than so many are told.
const TOLD_MAX: usize = 5;

/// What is known of one value.
#[derive(Clone, Copy, Debug)]
struct Written {
    process: u32,
    partition: u32,
    acks: i16,
    outcome: Outcome,
    /// Its own offset, as its sender was told.
    told: Option<i64>,
    /// Read at this offset at last.
    read: Option<i64>,
    /// Read by the final drain.
    drained: bool,
    /// Position of its send among the operations.
    op: usize,
}

/// Anomalies, of each kind the first few.
#[derive(Default)]
struct Found {
    anomalies: Vec<Anomaly>,
    counts: HashMap<Kind, usize>,
}

impl Found {
    fn add(&mut self, kind: Kind, what: impl FnOnce() -> String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= TOLD_MAX {
            self.anomalies.push(Anomaly::new(kind, what()));
        }
    }
}

/// All anomalies in a history that the promise does not allow. A history without a final drain is not asked for unseen values.
pub fn check(history: &History, promise: &Promise) -> Vec<Anomaly> {
    let mut anomalies = check_records(history, promise);
    anomalies.extend(share::check(history));
    anomalies
}

fn check_records(history: &History, promise: &Promise) -> Vec<Anomaly> {
    if history.txns.is_empty() {
        return check_view(history, promise);
    }
    let mut anomalies = check_view(&history.uncommitted(), promise);
    anomalies.extend(check_view(&history.committed(), promise));
    anomalies.extend(transactions::check(history));
    anomalies
}

/// As one kind of reader sees it.
fn check_view(history: &History, promise: &Promise) -> Vec<Anomaly> {
    let mut found = Found::default();
    let mut written = writers(history, &mut found);
    let drained = take_reads(history, &mut written, &mut found);
    let orders = version_orders(history, &written, promise);
    check_offsets(&orders, promise, &mut found);
    check_duplicates(history, &written, promise, &mut found);
    if drained && !promise.nothing_to_senders {
        check_unseen(&written, promise, &mut found);
    }
    if !promise.nothing_to_senders {
        check_lost_writes(&written, &orders, promise, &mut found);
        check_sends(history, &written, promise, &mut found);
    }
    check_polls(history, &orders, promise, &mut found);
    let settled = settled(history, orders, promise);
    cycles::check(history, &settled, promise, &mut |what| found.add(Kind::G1c, || what));
    found.anomalies
}

fn writers(history: &History, found: &mut Found) -> HashMap<Value, Written> {
    let mut written = HashMap::new();
    for (op, send) in sends(history) {
        for (index, value) in send.values.iter().enumerate() {
            let told = match send.outcome {
                Outcome::Ok(Some(base)) => Some(base + index as i64),
                _ => None,
            };
            let entry = Written {
                process: send.process,
                partition: send.partition,
                acks: send.acks,
                outcome: send.outcome,
                told,
                read: None,
                drained: false,
                op,
            };
            if written.insert(*value, entry).is_some() {
                found.add(Kind::Duplicate, || format!("{value} was sent twice: the history is not well formed"));
            }
        }
    }
    written
}

fn sends(history: &History) -> impl Iterator<Item = (usize, &Send)> {
    let all = history.ops.iter().enumerate();
    all.filter_map(|(index, op)| if let Op::Send(send) = op { Some((index, send)) } else { None })
}

/// Notes what was read. True if there was a final drain.
fn take_reads(history: &History, written: &mut HashMap<Value, Written>, found: &mut Found) -> bool {
    let mut drained = false;
    for poll in history.polls() {
        drained |= poll.drain;
        for (offset, value) in &poll.records {
            let Some(entry) = written.get_mut(value) else {
                found.add(Kind::AbortedRead, || format!("{value} was read at {offset}, and nobody sent it"));
                continue;
            };
            if entry.outcome == Outcome::Fail {
                found.add(Kind::AbortedRead, || {
                    format!(
                        "{value} was read at offset {offset} of partition {}, and its send had failed",
                        poll.partition
                    )
                });
            }
            if entry.partition != poll.partition {
                found.add(Kind::InconsistentOffsets, || {
                    format!("{value} was sent to partition {} and read from {}", entry.partition, poll.partition)
                });
            }
            entry.read = Some(*offset);
            entry.drained |= poll.drain;
            if poll.txn.is_some()
                && let Some(Op::Send(send)) = history.ops.get(entry.op)
                && send.txn == poll.txn
            {
                found.add(Kind::PrecommittedRead, || format!("a transaction read {value}, which it sent itself"));
            }
        }
    }
    drained
}

/// Whether an acknowledged value is gone, and may be.
fn is_forgiven(written: &Written, promise: &Promise) -> bool {
    !written.drained
        && (promise.nothing_to_senders
            || written.told.is_some_and(|offset| promise.may_lose(written.partition, offset, written.acks)))
}

/// Values by offset, of one partition.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Sorted, each pair once.
    pub(super) entries: Vec<(i64, Value)>,
    /// Offsets, sorted, each once: the place is the dense index.
    pub(super) offsets: Vec<i64>,
}

impl Order {
    fn index_of(&self, offset: i64) -> Option<usize> {
        self.offsets.binary_search(&offset).ok()
    }
}

fn version_orders(history: &History, written: &HashMap<Value, Written>, promise: &Promise) -> HashMap<u32, Order> {
    let mut orders: HashMap<u32, Order> = HashMap::new();
    for (value, entry) in written {
        if let Some(offset) = entry.told.filter(|_| !is_forgiven(entry, promise)) {
            orders.entry(entry.partition).or_default().entries.push((offset, *value));
        }
    }
    for poll in history.polls() {
        orders.entry(poll.partition).or_default().entries.extend(&poll.records);
    }
    for order in orders.values_mut() {
        order.entries.sort_unstable();
        order.entries.dedup();
        order.offsets = order.entries.iter().map(|(offset, _)| *offset).collect();
        order.offsets.dedup();
    }
    orders
}

/// Cycles that there are only because records were lost under a licence, each with what it is made of.
pub fn cycles_by_loss(history: &History, promise: &Promise) -> Vec<String> {
    let mut found = Found::default();
    let mut written = writers(history, &mut found);
    take_reads(history, &mut written, &mut found);
    let orders = version_orders(history, &written, promise);
    let mut told = Vec::new();
    cycles::check(history, &orders, promise, &mut |what| told.push(what));
    let settled = settled(history, orders, promise);
    cycles::check(history, &settled, promise, &mut |what| told.retain(|other| *other != what));
    let describe = |what: String| {
        let ops: Vec<usize> =
            what.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        let values: Vec<Value> = ops.iter().filter_map(|op| history.ops.get(*op)).flat_map(values_of).collect();
        let reads = history.polls().flat_map(|poll| {
            let of = |(offset, value): &(i64, Value)| (poll.partition, *offset, *value, poll.drain);
            poll.records.iter().filter(|(_, value)| values.contains(value)).map(of).collect::<Vec<_>>()
        });
        let ops: Vec<&Op> = ops.iter().filter_map(|op| history.ops.get(*op)).collect();
        format!(
            "{what}: {ops:?}; read (partition, offset, value, in the end): {:?}; lost: {:?}",
            reads.collect::<HashSet<_>>(),
            promise.windows
        )
    };
    told.into_iter().map(describe).collect()
}

fn values_of(op: &Op) -> Vec<Value> {
    match op {
        Op::Send(send) => send.values.clone(),
        _ => Vec::new(),
    }
}

/// The orders without what was lost under a licence and read before: a batch of which nobody knew whether it was written may be sent again
/// after that, and then stands behind others that it had stood before. What the final drain read counts everywhere.
fn settled(history: &History, mut orders: HashMap<u32, Order>, promise: &Promise) -> HashMap<u32, Order> {
    let drains = history.polls().filter(|poll| poll.drain);
    let kept: HashSet<(u32, i64, Value)> =
        drains.flat_map(|poll| poll.records.iter().map(|(offset, value)| (poll.partition, *offset, *value))).collect();
    for (partition, order) in &mut orders {
        let stands = |entry: &(i64, Value)| {
            !promise.may_differ(*partition, entry.0) || kept.contains(&(*partition, entry.0, entry.1))
        };
        order.entries.retain(stands);
    }
    orders
}

fn check_offsets(orders: &HashMap<u32, Order>, promise: &Promise, found: &mut Found) {
    for (partition, order) in sorted(orders) {
        for pair in order.entries.windows(2) {
            let ((offset, one), (next, other)) = (pair[0], pair[1]);
            if offset == next && !promise.may_differ(partition, offset) {
                found.add(Kind::InconsistentOffsets, || {
                    format!("at offset {offset} of partition {partition} stand {one} and {other}")
                });
            }
        }
    }
}

fn sorted(orders: &HashMap<u32, Order>) -> Vec<(u32, &Order)> {
    let mut all: Vec<(u32, &Order)> = orders.iter().map(|(partition, order)| (*partition, order)).collect();
    all.sort_unstable_by_key(|(partition, _)| *partition);
    all
}

fn check_duplicates(history: &History, written: &HashMap<Value, Written>, promise: &Promise, found: &mut Found) {
    let mut seen: HashMap<Value, i64> = HashMap::new();
    let mut look = |value: Value, partition: u32, offset: i64, found: &mut Found| {
        let before = *seen.entry(value).or_insert(offset);
        let repeated = written.get(&value).is_some_and(|entry| promise.repeaters.contains(&entry.process));
        let allowed = repeated || promise.may_differ(partition, offset) || promise.may_differ(partition, before);
        if before != offset && !allowed {
            seen.insert(value, offset);
            found.add(Kind::Duplicate, || {
                format!("{value} stands at offsets {before} and {offset} of partition {partition}")
            });
        }
    };
    for (_, send) in sends(history) {
        for value in &send.values {
            let entry = &written[value];
            if let Some(offset) = entry.told.filter(|_| !is_forgiven(entry, promise)) {
                look(*value, send.partition, offset, found);
            }
        }
    }
    for poll in history.polls() {
        for (offset, value) in &poll.records {
            look(*value, poll.partition, *offset, found);
        }
    }
}

fn by_value(written: &HashMap<Value, Written>) -> Vec<(Value, &Written)> {
    let mut all: Vec<(Value, &Written)> = written.iter().map(|(value, entry)| (*value, entry)).collect();
    all.sort_unstable_by_key(|(value, _)| *value);
    all
}

fn check_unseen(written: &HashMap<Value, Written>, promise: &Promise, found: &mut Found) {
    for (value, entry) in by_value(written) {
        let acknowledged = matches!(entry.outcome, Outcome::Ok(_));
        if acknowledged && !entry.drained && !is_forgiven(entry, promise) {
            found.add(Kind::Unseen, || {
                let told = entry.told.map_or("an offset not told".into(), |offset| format!("offset {offset}"));
                format!(
                    "{value} was acknowledged at {told} of partition {} (acks={}) and is not there",
                    entry.partition, entry.acks
                )
            });
        }
    }
}

fn check_lost_writes(
    written: &HashMap<Value, Written>,
    orders: &HashMap<u32, Order>,
    promise: &Promise,
    found: &mut Found,
) {
    // The last value read of each partition, as a dense index.
    let mut bounds: HashMap<u32, usize> = HashMap::new();
    for entry in written.values() {
        let index = entry.read.and_then(|offset| orders.get(&entry.partition)?.index_of(offset));
        if let Some(index) = index {
            let bound = bounds.entry(entry.partition).or_default();
            *bound = (*bound).max(index);
        }
    }
    for (value, entry) in by_value(written) {
        let Some(offset) = entry.told.filter(|_| entry.read.is_none() && !is_forgiven(entry, promise)) else {
            continue;
        };
        let index = orders.get(&entry.partition).and_then(|order| order.index_of(offset));
        let bound = bounds.get(&entry.partition);
        if index.zip(bound).is_some_and(|(index, bound)| index <= *bound) {
            found.add(Kind::LostWrite, || {
                format!("{value} was acknowledged at offset {offset} of partition {}, nobody read it, but what comes after it", entry.partition)
            });
        }
    }
}

fn check_sends(history: &History, written: &HashMap<Value, Written>, promise: &Promise, found: &mut Found) {
    let mut last: HashMap<(u32, u32), (i64, Value)> = HashMap::new();
    for (_, send) in sends(history) {
        for value in &send.values {
            let entry = &written[value];
            let Some(offset) = entry.told.filter(|_| !is_forgiven(entry, promise)) else { continue };
            let key = (send.process, send.partition);
            if let Some((before, previous)) = last.insert(key, (offset, *value))
                && offset <= before
                && !promise.may_differ(send.partition, before)
                && !promise.repeaters.contains(&send.process)
            {
                found.add(Kind::NonmonotonicSend, || {
                    format!(
                        "producer {} sent {previous} and then {value} to partition {}; they stand at {before} and {offset}",
                        send.process, send.partition
                    )
                });
            }
        }
    }
}

fn check_polls(history: &History, orders: &HashMap<u32, Order>, promise: &Promise, found: &mut Found) {
    let mut last: HashMap<(u32, u32), i64> = HashMap::new();
    let mut fresh: HashSet<(u32, u32)> = HashSet::new();
    for op in &history.ops {
        match op {
            Op::Assign { process, partition } => {
                last.remove(&(*process, *partition));
                fresh.insert((*process, *partition));
            }
            Op::Poll(poll) => check_poll(poll, orders, promise, &mut last, found),
            Op::Send(_) => {}
        }
    }
}

fn check_poll(
    poll: &Poll,
    orders: &HashMap<u32, Order>,
    promise: &Promise,
    last: &mut HashMap<(u32, u32), i64>,
    found: &mut Found,
) {
    let Some(order) = orders.get(&poll.partition) else { return };
    let key = (poll.process, poll.partition);
    for (offset, _) in &poll.records {
        let Some(before) = last.insert(key, *offset) else { continue };
        let (Some(from), Some(to)) = (order.index_of(before), order.index_of(*offset)) else { continue };
        if to == from + 1 || promise.may_reread(poll.partition, before.min(*offset)) {
            continue;
        }
        let kind = if to > from { Kind::PollSkip } else { Kind::NonmonotonicPoll };
        found.add(kind, || {
            format!("consumer {} read offset {offset} of partition {} after {before}", poll.process, poll.partition)
        });
    }
}
