//! A hand-written history of a share group for each anomaly, which must be found; and its innocent twin, in which nothing may be.

use std::time::Duration;

use super::checker::check;
use super::history::{Ack, Delivery, Fate, ShareGroup, ShareHistory, StartRead, Verdict};
use crate::campaign::history::{History, Kind, Op, Outcome, Send, Txn};

/// An acknowledgement is answered by the leader that delivered.
const OF_DELIVERY: i32 = -1;
const LOCK: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Offset 0, asked for at this time and given a millisecond later, by the leader of this reign.
fn given(member: u32, count: i16, at_ms: u64, reign: i32) -> Delivery {
    Delivery {
        group: 0,
        member,
        session: member as usize,
        partition: 0,
        offset: 0,
        value: Some(7),
        count,
        asked: ms(at_ms),
        left: ms(at_ms + 1),
        reign: (reign, reign),
    }
}

/// What is said of a delivery at this time, and answered a millisecond later.
fn said(delivery: usize, verdict: Verdict, at_ms: u64, fate: Fate) -> Ack {
    let request = at_ms;
    Ack { delivery, verdict, request, sent: ms(at_ms), answered: Some(ms(at_ms + 1)), reign: OF_DELIVERY, fate }
}

fn kept(delivery: usize, verdict: Verdict, at_ms: u64) -> Ack {
    said(delivery, verdict, at_ms, Fate::Kept)
}

fn history(deliveries: &[Delivery], acks: &[Ack]) -> History {
    let answered = |ack: &Ack| {
        let reign = deliveries.get(ack.delivery).map_or(OF_DELIVERY, |it| it.reign.1);
        Ack { reign: if ack.reign == OF_DELIVERY { reign } else { ack.reign }, ..*ack }
    };
    let group = ShareGroup { from_start: true, committed: false, lock: LOCK, delivery_limit: 3 };
    let share = ShareHistory {
        groups: vec![group],
        deliveries: deliveries.to_vec(),
        acks: acks.iter().map(answered).collect(),
        sessions: vec![None; 4],
        ..ShareHistory::default()
    };
    let send = Send { process: 1, partition: 0, values: vec![7], acks: -1, outcome: Outcome::Ok(Some(0)), txn: None };
    History { ops: vec![Op::Send(send)], share, ..History::default() }
}

fn told(history: &History) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = check(history).into_iter().map(|anomaly| anomaly.kind).collect();
    kinds.dedup();
    kinds
}

/// What it is called, deliveries, acknowledgements that were kept, what is told of them.
type Row<'a> = (&'a str, &'a [Delivery], &'a [Ack], &'a [Kind]);

#[test]
fn what_was_kept_is_final() {
    use Verdict::{Accept, Reject};
    let first = given(0, 1, 0, 1);
    let (last, by_next) = (given(0, 3, 0, 1), given(1, 3, 2_000, 2));
    let table: [(&str, &[Delivery], Ack, &[Kind]); 12] = [
        ("once", &[first], kept(0, Accept, 10), &[]),
        ("later, by the same", &[first, given(1, 2, 2_000, 1)], kept(0, Accept, 10), &[Kind::DeliveredAgain]),
        ("rejected", &[first, given(1, 2, 2_000, 1)], kept(0, Reject, 10), &[Kind::DeliveredAgain]),
        ("by the next leader", &[first, given(1, 1, 2_000, 2)], kept(0, Accept, 10), &[Kind::DeliveredAgain]),
        (
            "by the next leader, before it was told",
            &[first, given(1, 1, 5, 2)],
            kept(0, Accept, 10),
            &[Kind::DeliveredAgain],
        ),
        ("by one deposed", &[first, given(1, 1, 2_000, 0)], kept(0, Accept, 10), &[]),
        ("what others are past already", &[first, given(1, 2, 2_000, 1)], kept(0, Accept, 2_500), &[]),
        ("the last, in time", &[last, by_next], kept(0, Accept, 10), &[Kind::DeliveredAgain]),
        ("the last, past already", &[last, by_next], kept(0, Accept, 1_500), &[]),
        ("not the last", &[first, given(1, 1, 2_000, 2)], kept(0, Accept, 1_500), &[Kind::DeliveredAgain]),
        ("before", &[first, given(1, 2, 2_000, 1)], kept(1, Accept, 2_500), &[]),
        ("not kept", &[first, given(1, 2, 2_000, 1)], said(1, Accept, 2_500, Fate::Unknown), &[]),
    ];
    for (name, deliveries, ack, expected) in table {
        assert_eq!(told(&history(deliveries, &[ack])), expected, "{name}");
    }
}

#[test]
fn a_lock_is_one_members() {
    use Verdict::{Accept, Release, Renew};
    let (first, soon, late) = (given(0, 1, 0, 1), given(1, 2, 500, 1), given(1, 2, 1_000, 1));
    let accept = |at_ms| kept(1, Accept, at_ms);
    let table: [Row<'_>; 8] = [
        ("ran out", &[first, late], &[accept(1_100)], &[]),
        ("did not", &[first, soon], &[accept(600)], &[Kind::LockedTwice]),
        ("given back", &[first, soon], &[kept(0, Release, 300), accept(600)], &[]),
        (
            "given back later",
            &[first, soon],
            &[said(0, Release, 700, Fate::Unknown), accept(600)],
            &[Kind::LockedTwice],
        ),
        ("renewed", &[first, late], &[kept(0, Renew, 500), accept(1_100)], &[Kind::LockedTwice]),
        ("renewed too late", &[first, late], &[kept(0, Renew, 1_050), accept(1_100)], &[]),
        ("not renewed", &[first, late], &[said(0, Renew, 500, Fate::Unknown), accept(1_100)], &[]),
        ("of another reign", &[first, given(1, 1, 500, 2)], &[accept(600)], &[]),
    ];
    for (name, deliveries, acks, expected) in table {
        assert_eq!(told(&history(deliveries, acks)), expected, "{name}");
    }
    let mut over = history(&[first, soon], &[accept(600)]);
    over.share.sessions[0] = Some(ms(400));
    assert_eq!(told(&over), [], "its session ended");
}

#[test]
fn deliveries_are_counted() {
    use Verdict::{Accept, Release};
    let (first, accept) = (given(0, 1, 0, 1), kept(1, Accept, 3_000));
    let back = kept(0, Release, 10);
    let table: [Row<'_>; 6] = [
        ("none", &[given(0, 0, 0, 1), given(1, 1, 2_000, 1)], &[accept], &[Kind::DeliveryCount]),
        ("too many", &[first, given(1, 4, 2_000, 1)], &[accept], &[Kind::DeliveryCount]),
        ("twice the same", &[first, given(1, 1, 2_000, 1)], &[accept], &[Kind::DeliveryCount]),
        ("again by the next leader", &[first, given(1, 1, 2_000, 2)], &[accept], &[]),
        ("again though it was given back", &[first, given(1, 1, 2_000, 2)], &[back, accept], &[Kind::DeliveryCount]),
        ("one more", &[first, given(1, 2, 2_000, 2)], &[back, accept], &[]),
    ];
    for (name, deliveries, acks, expected) in table {
        assert_eq!(told(&history(deliveries, acks)), expected, "{name}");
    }
}

#[test]
fn who_has_it_may_say_what_became_of_it() {
    use Verdict::Accept;
    let (first, next) = (given(0, 1, 0, 1), given(1, 2, 2_000, 1));
    let refused = |at_ms| said(0, Accept, at_ms, Fate::Refused);
    let accept = kept(1, Accept, 2_100);
    assert_eq!(told(&history(&[first, next], &[refused(500), accept])), [Kind::LockLost]);
    assert_eq!(told(&history(&[first, next], &[refused(1_200), accept])), [], "the lock ran out");
    let mut over = history(&[first, next], &[refused(500), accept]);
    over.share.sessions[0] = Some(ms(400));
    assert_eq!(told(&over), [], "its session ended");
    let elsewhere = Ack { reign: 2, ..refused(500) };
    assert_eq!(told(&history(&[first, next], &[elsewhere, accept])), [], "the leader had been deposed meanwhile");
}

#[test]
fn everything_is_done_with_in_the_end() {
    use Verdict::{Accept, Gap, Release};
    let first = given(0, 1, 0, 1);
    let table: [Row<'_>; 6] = [
        ("never delivered", &[], &[], &[Kind::Unconsumed]),
        ("delivered", &[first], &[], &[Kind::Unconsumed]),
        ("given back", &[first], &[kept(0, Release, 10)], &[Kind::Unconsumed]),
        ("perhaps accepted", &[first], &[said(0, Accept, 10, Fate::Unknown)], &[]),
        ("refused", &[first], &[said(0, Accept, 1_200, Fate::Refused)], &[Kind::Unconsumed]),
        ("taken for a gap", &[Delivery { value: None, ..first }], &[kept(0, Gap, 10)], &[Kind::Unconsumed]),
    ];
    for (name, deliveries, acks, expected) in table {
        assert_eq!(told(&history(deliveries, acks)), expected, "{name}");
    }
    let mut spent = history(&[given(0, 3, 0, 1)], &[]);
    spent.share.spent.insert((0, 0, 0));
    assert_eq!(told(&spent), [], "delivered too often");
    let mut latest = history(&[], &[]);
    latest.share.groups[0].from_start = false;
    assert_eq!(told(&latest), [], "it began later");
}

#[test]
fn start_offsets_do_not_fall() {
    let read = |start_offset, at_ms| StartRead {
        group: 0,
        partition: 0,
        start_offset,
        lag: -1,
        asked: ms(at_ms),
        left: ms(at_ms + 10),
    };
    for (starts, expected) in [
        (vec![read(-1, 0), read(0, 20), read(5, 40)], vec![]),
        (vec![read(5, 0), read(4, 20)], vec![Kind::StartOffsetFell]),
        (vec![read(5, 0), read(-1, 20)], vec![Kind::StartOffsetFell]),
        (vec![read(5, 0), read(4, 5)], vec![]),
    ] {
        let mut history = history(&[given(0, 1, 0, 1)], &[kept(0, Verdict::Accept, 10)]);
        history.share.starts = starts;
        assert_eq!(told(&history), expected);
    }
}

#[test]
fn aborted_transactions_are_not_for_readers_of_committed_records() {
    for (committed, outcome, expected) in
        [(true, Outcome::Fail, vec![Kind::AbortedRead]), (true, Outcome::Info, vec![]), (false, Outcome::Fail, vec![])]
    {
        let mut history = history(&[given(0, 1, 0, 1)], &[kept(0, Verdict::Accept, 10)]);
        history.share.groups[0].committed = committed;
        history.txns.push(Txn { process: 1, outcome, offset: None });
        if let Some(Op::Send(send)) = history.ops.first_mut() {
            send.txn = Some(0);
        }
        assert_eq!(told(&history), expected);
    }
    let mut nobodys = history(&[given(0, 1, 0, 1)], &[kept(0, Verdict::Accept, 10)]);
    nobodys.ops.clear();
    assert_eq!(told(&nobodys), [Kind::AbortedRead]);
}
