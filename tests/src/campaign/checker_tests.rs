//! A hand-written history for each anomaly, which must be found; and its innocent twin, in which nothing may be.

use super::checker::check;
use super::history::{History, Kind, Op, Outcome, Poll, Promise, Send, Value, Window};

fn send(process: u32, values: &[Value], outcome: Outcome) -> Op {
    Op::Send(Send { process, partition: 0, values: values.to_vec(), acks: -1, outcome, txn: None })
}

fn ok(process: u32, base: i64, values: &[Value]) -> Op {
    send(process, values, Outcome::Ok(Some(base)))
}

fn poll(process: u32, records: &[(i64, Value)]) -> Op {
    Op::Poll(Poll { process, partition: 0, records: records.to_vec(), drain: false, committed: false, txn: None })
}

fn drain(records: &[(i64, Value)]) -> Op {
    Op::Poll(Poll { process: 99, partition: 0, records: records.to_vec(), drain: true, committed: false, txn: None })
}

fn in_txn(op: Op, number: u32) -> Op {
    match op {
        Op::Send(send) => Op::Send(Send { txn: Some(number), ..send }),
        Op::Poll(poll) => Op::Poll(Poll { txn: Some(number), ..poll }),
        assign => assign,
    }
}

fn on(op: Op, partition: u32) -> Op {
    match op {
        Op::Send(send) => Op::Send(Send { partition, ..send }),
        Op::Poll(poll) => Op::Poll(Poll { partition, ..poll }),
        assign => assign,
    }
}

fn with_acks(op: Op, acks: i16) -> Op {
    match op {
        Op::Send(send) => Op::Send(Send { acks, ..send }),
        other => other,
    }
}

fn kinds_under(ops: Vec<Op>, promise: &Promise) -> Vec<Kind> {
    let mut kinds: Vec<Kind> =
        check(&History { ops, ..History::default() }, promise).into_iter().map(|anomaly| anomaly.kind).collect();
    kinds.dedup();
    kinds
}

fn kinds(ops: Vec<Op>) -> Vec<Kind> {
    kinds_under(ops, &Promise::default())
}

fn window(from: i64, to: i64, acks_all: bool) -> Promise {
    Promise { windows: vec![Window { partition: 0, from, to, acks_all }], ..Promise::default() }
}

#[test]
fn a_sound_history_has_no_anomaly() {
    let ops = vec![
        ok(1, 0, &[1, 2]),
        poll(7, &[(0, 1), (1, 2)]),
        send(2, &[3], Outcome::Info),
        ok(1, 3, &[4]),
        send(2, &[5], Outcome::Fail),
        send(2, &[6], Outcome::Info),
        poll(7, &[(2, 3), (3, 4)]),
        Op::Assign { process: 7, partition: 0 },
        poll(7, &[(0, 1)]),
        send(1, &[8], Outcome::Ok(None)),
        drain(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 8)]),
    ];
    assert_eq!(kinds(ops), []);
}

#[test]
fn gaps_of_control_records_are_no_skips() {
    assert_eq!(kinds(vec![ok(1, 0, &[1]), ok(1, 5, &[2]), drain(&[(0, 1), (5, 2)])]), []);
}

#[test]
fn inconsistent_offsets() {
    let found = kinds(vec![ok(1, 0, &[1]), send(2, &[2], Outcome::Info), poll(7, &[(0, 2)])]);
    assert!(found.contains(&Kind::InconsistentOffsets), "{found:?}");
    let found =
        kinds(vec![send(1, &[1], Outcome::Info), send(2, &[2], Outcome::Info), poll(7, &[(0, 2)]), poll(8, &[(0, 1)])]);
    assert_eq!(found, [Kind::InconsistentOffsets]);
}

#[test]
fn duplicates() {
    assert_eq!(kinds(vec![ok(1, 0, &[1]), drain(&[(0, 1), (1, 1)])]), [Kind::Duplicate]);
    assert_eq!(kinds(vec![send(1, &[1], Outcome::Info), poll(7, &[(0, 1)]), poll(8, &[(1, 1)])]), [Kind::Duplicate]);
}

#[test]
fn aborted_reads() {
    assert_eq!(kinds(vec![send(1, &[1], Outcome::Fail), poll(7, &[(0, 1)])]), [Kind::AbortedRead]);
    assert_eq!(kinds(vec![poll(7, &[(0, 1)])]), [Kind::AbortedRead], "nobody sent it");
}

#[test]
fn precommitted_reads() {
    let own = vec![in_txn(ok(1, 0, &[1]), 5), in_txn(poll(1, &[(0, 1)]), 5)];
    assert_eq!(kinds(own), [Kind::PrecommittedRead]);
    let others = vec![in_txn(ok(1, 0, &[1]), 5), in_txn(poll(1, &[(0, 1)]), 6)];
    assert_eq!(kinds(others), []);
}

#[test]
fn lost_writes_need_no_drain() {
    let found = kinds(vec![ok(1, 0, &[1]), ok(2, 1, &[2]), ok(1, 2, &[3]), poll(7, &[(0, 1)]), poll(7, &[(2, 3)])]);
    assert!(found.contains(&Kind::LostWrite), "{found:?}");
    // The tail may still be read.
    assert_eq!(kinds(vec![ok(1, 0, &[1]), ok(1, 1, &[2]), poll(7, &[(0, 1)])]), []);
}

#[test]
fn unseen_finds_a_cut_tail_which_lost_write_misses() {
    assert_eq!(kinds(vec![ok(1, 0, &[1]), ok(1, 1, &[2]), drain(&[(0, 1)])]), [Kind::Unseen]);
    assert_eq!(kinds(vec![ok(1, 0, &[1]), send(1, &[2], Outcome::Ok(None)), drain(&[(0, 1)])]), [Kind::Unseen]);
}

#[test]
fn poll_skips_and_steps_back() {
    let sent = || vec![ok(1, 0, &[1]), ok(1, 1, &[2]), ok(1, 2, &[3]), poll(8, &[(0, 1), (1, 2), (2, 3)])];
    let with = |ops: Vec<Op>| sent().into_iter().chain(ops).collect::<Vec<_>>();
    assert_eq!(kinds(with(vec![poll(7, &[(0, 1)]), poll(7, &[(2, 3)])])), [Kind::PollSkip]);
    assert_eq!(kinds(with(vec![poll(7, &[(0, 1), (2, 3)])])), [Kind::PollSkip], "within one poll");
    assert_eq!(kinds(with(vec![poll(7, &[(1, 2)]), poll(7, &[(0, 1)])])), [Kind::NonmonotonicPoll]);
    assert_eq!(kinds(with(vec![poll(7, &[(1, 2)]), poll(7, &[(1, 2)])])), [Kind::NonmonotonicPoll], "twice the same");
    let reset = Op::Assign { process: 7, partition: 0 };
    assert_eq!(kinds(with(vec![poll(7, &[(1, 2)]), reset, poll(7, &[(0, 1)])])), []);
}

#[test]
fn nonmonotonic_sends() {
    assert_eq!(kinds(vec![ok(1, 1, &[1]), ok(1, 0, &[2])]), [Kind::NonmonotonicSend]);
    assert_eq!(kinds(vec![ok(1, 1, &[1]), ok(2, 0, &[2])]), [], "two producers are in no order");
    assert_eq!(kinds(vec![on(ok(1, 1, &[1]), 3), ok(1, 0, &[2])]), [], "nor two partitions");
    let repeats = Promise { repeaters: [1].into(), ..Promise::default() };
    assert_eq!(kinds_under(vec![ok(1, 1, &[1]), ok(1, 0, &[2])], &repeats), [], "one was repeated behind the next");
}

#[test]
fn cycles_of_writes() {
    // Two batches mixed: 1, 11, 2, 12.
    let mixed = vec![
        send(1, &[1, 2], Outcome::Info),
        send(2, &[11, 12], Outcome::Info),
        poll(7, &[(0, 1), (1, 11), (2, 2), (3, 12)]),
    ];
    assert_eq!(kinds(mixed), [Kind::G1c]);
    // Two transactions, each first in one partition.
    let crossed = vec![
        in_txn(ok(1, 0, &[1]), 1),
        in_txn(ok(2, 1, &[2]), 2),
        in_txn(on(ok(2, 0, &[3]), 1), 2),
        in_txn(on(ok(1, 1, &[4]), 1), 1),
    ];
    assert_eq!(kinds(crossed), [Kind::G1c]);
}

#[test]
fn cycles_of_writes_and_reads() {
    let ops = vec![
        in_txn(ok(1, 0, &[1]), 1),
        in_txn(on(ok(2, 0, &[2]), 1), 2),
        in_txn(poll(2, &[(0, 1)]), 2),
        in_txn(on(poll(1, &[(0, 2)]), 1), 1),
    ];
    assert_eq!(kinds(ops), [Kind::G1c]);
}

#[test]
fn a_window_forgives_what_lies_in_it_and_nothing_else() {
    let lost = |acks| {
        vec![ok(1, 0, &[1]), with_acks(ok(1, 1, &[2]), acks), send(2, &[3], Outcome::Info), drain(&[(0, 1), (1, 3)])]
    };
    assert_eq!(kinds_under(lost(1), &window(1, 2, false)), []);
    assert_eq!(kinds_under(lost(-1), &window(1, 2, true)), []);
    assert!(kinds_under(lost(-1), &window(1, 2, false)).contains(&Kind::Unseen), "acks=all is not forgiven");
    assert!(kinds_under(lost(1), &window(2, 9, true)).contains(&Kind::Unseen), "below the window");
    assert!(kinds(lost(1)).contains(&Kind::Unseen));
}

#[test]
fn a_reader_may_see_what_an_allowed_loss_took_back() {
    let ops = || {
        vec![
            ok(1, 0, &[1]),
            ok(1, 1, &[2]),
            poll(7, &[(0, 1), (1, 2)]),
            ok(1, 1, &[3]),
            poll(7, &[(1, 3)]),
            drain(&[(0, 1), (1, 3)]),
        ]
    };
    assert_eq!(kinds_under(ops(), &window(1, 2, true)), []);
    assert!(kinds(ops()).contains(&Kind::InconsistentOffsets));
    assert!(
        kinds_under(ops(), &window(1, 2, false)).contains(&Kind::NonmonotonicPoll),
        "acks=1 is never seen before it counts"
    );
}

#[test]
fn where_nothing_is_promised_readers_still_see_one_log() {
    let promise = Promise { nothing_to_senders: true, ..Promise::default() };
    assert_eq!(kinds_under(vec![ok(1, 0, &[1]), ok(1, 1, &[2]), drain(&[(0, 1)])], &promise), []);
    let two = vec![send(1, &[1], Outcome::Info), send(1, &[2], Outcome::Info), poll(7, &[(0, 1)]), drain(&[(0, 2)])];
    assert_eq!(kinds_under(two, &promise), [Kind::InconsistentOffsets]);
}

#[test]
fn what_is_sent_again_after_a_licensed_loss_makes_no_cycle() {
    // 1 and 2 were read, lost before their senders were told, and sent again in the other order.
    let ops = vec![
        ok(3, 4, &[9]),
        send(1, &[1], Outcome::Info),
        send(2, &[2], Outcome::Info),
        poll(7, &[(4, 9), (5, 1), (6, 2)]),
        drain(&[(4, 9), (7, 2), (8, 1)]),
    ];
    assert_eq!(kinds_under(ops.clone(), &window(4, 7, true)), []);
    assert!(kinds(ops).contains(&Kind::G1c));
}
