//! A hand-written history with transactions for each anomaly, which must be found; and its innocent twin, in which nothing may be.

use super::checker::check;
use super::history::{History, Kind, OffsetRead, Op, Outcome, Poll, Promise, Send, Txn, Value};

const OK: Outcome = Outcome::Ok(None);

/// A batch in a transaction, at an offset of a partition.
fn send(txn: u32, partition: u32, base: i64, values: &[Value]) -> Op {
    let outcome = Outcome::Ok(Some(base));
    Op::Send(Send { process: 1, partition, values: values.to_vec(), acks: -1, outcome, txn: Some(txn) })
}

fn drain(committed: bool, partition: u32, records: &[(i64, Value)]) -> Op {
    Op::Poll(Poll { process: 99, partition, records: records.to_vec(), drain: true, committed, txn: None })
}

fn poll(partition: u32, records: &[(i64, Value)]) -> Op {
    Op::Poll(Poll { process: 7, partition, records: records.to_vec(), drain: false, committed: true, txn: None })
}

fn txn(outcome: Outcome) -> Txn {
    Txn { process: 1, outcome, offset: None }
}

/// One transaction: 1 and 2 in partition 0, 3 in partition 1; then everything is read, and of what is committed this.
fn kinds(outcome: Outcome, first: &[(i64, Value)], second: &[(i64, Value)]) -> Vec<Kind> {
    let ops = vec![
        send(0, 0, 0, &[1, 2]),
        send(0, 1, 0, &[3]),
        drain(false, 0, &[(0, 1), (1, 2)]),
        drain(false, 1, &[(0, 3)]),
        drain(true, 0, first),
        drain(true, 1, second),
    ];
    told(History { ops, txns: vec![txn(outcome)], ..History::default() })
}

fn told(history: History) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = check(&history, &Promise::default()).into_iter().map(|anomaly| anomaly.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn all_or_nothing_is_sound() {
    let (first, second) = ([(0, 1), (1, 2)], [(0, 3)]);
    assert_eq!(kinds(OK, &first, &second), []);
    assert_eq!(kinds(Outcome::Info, &first, &second), []);
    assert_eq!(kinds(Outcome::Info, &[], &[]), []);
    assert_eq!(kinds(Outcome::Fail, &[], &[]), [], "readers of uncommitted records may see it");
}

#[test]
fn records_of_an_aborted_transaction() {
    assert_eq!(kinds(Outcome::Fail, &[(0, 1), (1, 2)], &[]), [Kind::AbortedRead]);
    let ops = vec![send(0, 0, 0, &[1]), poll(0, &[(0, 1)]), drain(false, 0, &[(0, 1)]), drain(true, 0, &[])];
    assert_eq!(told(History { ops, txns: vec![txn(Outcome::Fail)], ..History::default() }), [Kind::AbortedRead]);
}

#[test]
fn a_committed_transaction_that_is_not_there() {
    assert_eq!(kinds(OK, &[], &[]), [Kind::Unseen]);
    assert_eq!(kinds(OK, &[(0, 1), (1, 2)], &[]), [Kind::Unseen, Kind::TornTransaction]);
}

#[test]
fn half_of_a_transaction_of_which_nobody_knows() {
    assert_eq!(kinds(Outcome::Info, &[(0, 1), (1, 2)], &[]), [Kind::TornTransaction]);
    assert_eq!(kinds(Outcome::Info, &[], &[(0, 3)]), [Kind::TornTransaction]);
}

#[test]
fn what_was_read_as_committed_is_there_in_the_end() {
    let ops = vec![send(0, 0, 0, &[1]), poll(0, &[(0, 1)]), drain(false, 0, &[(0, 1)]), drain(true, 0, &[])];
    let history = History { ops, txns: vec![txn(Outcome::Info)], ..History::default() };
    assert_eq!(told(history), [Kind::TornTransaction]);
}

#[test]
fn a_reader_that_passes_over_a_committed_record() {
    let ops = |polled: &[(i64, Value)]| {
        vec![
            send(0, 0, 0, &[1]),
            send(1, 0, 2, &[2]),
            send(2, 0, 4, &[3]),
            poll(0, polled),
            drain(false, 0, &[(0, 1), (2, 2), (4, 3)]),
            drain(true, 0, &[(0, 1), (4, 3)]),
        ]
    };
    let txns = vec![txn(OK), txn(Outcome::Fail), txn(OK)];
    let sound = History { ops: ops(&[(0, 1), (4, 3)]), txns: txns.clone(), ..History::default() };
    assert_eq!(told(sound), [], "what was aborted is no gap");
    let mut skipped = ops(&[(0, 1)]);
    skipped.insert(4, poll(0, &[(4, 3)]));
    skipped.insert(2, send(3, 0, 3, &[4]));
    skipped.pop();
    skipped.push(drain(true, 0, &[(0, 1), (3, 4), (4, 3)]));
    let txns = [txns, vec![txn(OK)]].concat();
    assert!(told(History { ops: skipped, txns, ..History::default() }).contains(&Kind::PollSkip));
}

#[test]
fn offsets_go_with_their_transactions() {
    let table = [
        ([OK, OK], 2, 1, true),
        ([OK, OK], 2, 0, false),
        ([OK, Outcome::Fail], 2, 0, true),
        ([OK, Outcome::Fail], 2, 1, false),
        ([OK, OK], 1, 0, true),
        ([OK, OK], 0, -1, true),
        ([OK, OK], 0, 0, false),
        ([Outcome::Fail, Outcome::Fail], 2, -1, true),
        // Its record is there, so it was committed.
        ([OK, Outcome::Info], 2, 1, true),
        ([OK, Outcome::Info], 2, 0, false),
    ];
    for (outcomes, after, offset, is_sound) in table {
        let there: Vec<(i64, Value)> = (0..2)
            .filter(|index| outcomes[*index as usize] != Outcome::Fail)
            .map(|index| (index, index as Value))
            .collect();
        let all = [(0, 0), (1, 1)];
        let ops = vec![send(0, 0, 0, &[0]), send(1, 0, 1, &[1]), drain(false, 0, &all), drain(true, 0, &there)];
        let txns = (0..).zip(outcomes).map(|(index, outcome)| Txn { offset: Some(index), ..txn(outcome) }).collect();
        let offsets = vec![OffsetRead { process: 1, after, offset }];
        let found = told(History { ops, txns, offsets, ..History::default() });
        let expected: &[Kind] = if is_sound { &[] } else { &[Kind::TornOffsets] };
        assert_eq!(found, expected, "{outcomes:?} {after} {offset}");
    }
}
