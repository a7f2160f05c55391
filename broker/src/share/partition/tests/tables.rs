//! Single steps, as Kafka takes them.

use super::*;

const GAP: i8 = 0;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;
const RENEW: i8 = 4;

#[test]
fn what_was_kept_is_loaded() {
    for (name, state, offsets) in [
        ("nothing", kept(7, &[]), (7, 7)),
        ("all done", kept(0, &[(0, 4, 2, 1), (5, 9, 4, 5)]), (10, 10)),
        ("done at the beginning", kept(0, &[(0, 4, 2, 1), (5, 9, 0, 1)]), (5, 5)),
        ("given away by the leader before", kept(0, &[(0, 9, 1, 1)]), (0, 0)),
        ("a gap at the beginning", kept(0, &[(5, 9, 2, 1)]), (0, 0)),
        ("a gap inside", kept(0, &[(0, 4, 2, 1), (8, 9, 2, 1)]), (5, 5)),
        ("a gap after what is free", kept(0, &[(0, 4, 0, 1), (8, 9, 2, 1)]), (0, 0)),
        ("on its way to a dead letter queue", kept(0, &[(0, 4, 3, 1)]), (5, 5)),
    ] {
        assert_eq!(Stage::loaded(&state).offsets(), offsets, "{name}");
    }
    for state in [
        kept(5, &[(4, 9, 0, 1)]),
        kept(0, &[(4, 3, 0, 1)]),
        kept(0, &[(0, 4, 0, 1), (4, 9, 0, 1)]),
        kept(0, &[(0, 4, 7, 1)]),
        kept(0, &[(0, i64::MAX, 0, 1)]),
    ] {
        assert!(SharePartition::load(&state).is_err(), "{state:?}");
    }
}

#[test]
fn batches_come_in_about_the_size_that_is_wanted() {
    let mut stage = Stage::new(0);
    stage.batch_size = 5;
    let batches = log(&[(0, 1), (2, 5), (6, 6), (7, 20)]);
    assert_eq!(stage.acquire("a", 500, &batches), [(0, 5, 1), (6, 20, 1)]);
    assert_eq!(stage.offsets(), (0, 21));
}

#[test]
fn the_last_batch_of_the_log_comes_whole_unless_the_limit_is_strict() {
    let mut stage = Stage::new(0);
    assert_eq!(stage.acquire("a", 7, &log(&[(0, 4), (5, 14), (15, 19)])), [(0, 14, 1)]);
    let mut stage = Stage::new(0);
    stage.mode = AcquireMode::RecordLimit;
    assert_eq!(stage.acquire("a", 7, &log(&[(0, 4), (5, 14), (15, 19)])), [(0, 6, 1)]);
    assert_eq!(stage.offsets(), (0, 7), "what is left of the batch is free");
    assert_eq!(stage.acquire("b", 3, &log(&[(5, 14)])), [(7, 9, 1)]);
    assert_eq!(stage.acquire("b", 50, &log(&[(5, 14), (15, 19)])), [(10, 14, 1), (15, 19, 1)]);
}

#[test]
fn no_more_locks_than_allowed() {
    let mut stage = Stage::new(0);
    stage.limits.max_record_locks = 10;
    assert_eq!(stage.acquire("a", 500, &log(&[(0, 6), (7, 12), (13, 19)])), [(0, 12, 1)]);
    assert!(!stage.partition.can_acquire(10));
    assert_eq!(stage.acquire("a", 500, &log(&[(13, 19)])), []);
    stage.acknowledge("a", 4, 5, &[RELEASE]).unwrap();
    stage.keep();
    assert!(stage.partition.can_acquire(10), "what was given back may be delivered again");
    assert_eq!(stage.acquire("b", 500, &log(&[(0, 6), (7, 12), (13, 19)])), [(4, 5, 2)]);
}

#[test]
fn a_record_is_with_one_member_until_it_is_done() {
    let mut stage = Stage::new(10);
    assert_eq!(stage.acquire("a", 500, &log(&[(8, 14)])), [(10, 14, 1)]);
    assert_eq!(stage.acquire("b", 500, &log(&[(8, 14)])), []);
    assert_eq!(stage.acknowledge("a", 10, 14, &[ACCEPT]), Ok(Some(1)));
    assert_eq!(stage.offsets(), (10, 15), "it is not kept yet");
    let write = stage.partition.take_write().unwrap();
    assert_eq!((write.state_epoch, write.start_offset, write.delivery_complete_count), (3, 10, 5));
    assert_eq!(stage.partition.written(at(1), &limits(), true), Some(1));
    assert_eq!(stage.offsets(), (15, 15));
    assert!(stage.partition.is_empty() && stage.partition.is_kept());
}

#[test]
fn offsets_of_a_batch_go_their_own_ways() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 500, &log(&[(0, 5)]));
    stage.acknowledge("a", 0, 5, &[ACCEPT, RELEASE, REJECT, GAP, RENEW, ACCEPT]).unwrap();
    assert_eq!(stage.keep(), [(0, 0, 2, 1), (1, 1, 0, 1), (2, 2, 4, 1), (3, 3, 4, 1), (5, 5, 2, 1)]);
    assert_eq!(stage.offsets(), (1, 1));
    assert_eq!(stage.acquire("b", 500, &log(&[(0, 5)])), [(1, 1, 2)]);
    stage.acknowledge("b", 1, 1, &[ACCEPT]).unwrap();
    stage.acknowledge("a", 4, 4, &[ACCEPT]).unwrap();
    stage.keep();
    assert_eq!(stage.offsets(), (6, 6));
}

#[test]
fn acknowledgements_that_do_not_stand_change_nothing() {
    let mut stage = Stage::new(10);
    stage.acquire("a", 500, &log(&[(10, 14)]));
    stage.acquire("b", 500, &log(&[(15, 19)]));
    stage.acknowledge("b", 15, 16, &[ACCEPT]).unwrap();
    stage.keep();
    for (member, first, last, types, refusal) in [
        ("a", 15, 25, &[ACCEPT][..], Refusal::LastOffsetPast),
        ("a", 30, 35, &[ACCEPT], Refusal::FirstOffsetPast),
        ("a", 5, 9, &[ACCEPT], Refusal::NotInFlight),
        ("b", 10, 14, &[ACCEPT], Refusal::NotOwnerOfBatch),
        ("b", 10, 11, &[ACCEPT], Refusal::NotOwnerOfBatch),
        ("a", 17, 19, &[ACCEPT], Refusal::NotOwnerOfOffset),
        ("b", 15, 19, &[ACCEPT], Refusal::OffsetNotAcquired),
        ("a", 10, 14, &[5], Refusal::UnknownType),
        ("a", 10, 14, &[], Refusal::UnknownType),
    ] {
        let before = format!("{:?}", stage.partition);
        let result = stage.acknowledge(member, first, last, types);
        // What lies before the start is passed over.
        let expected = if last < 10 { Ok(None) } else { Err(refusal) };
        assert_eq!(result, expected, "{member} {first}-{last}");
        assert_eq!(format!("{:?}", stage.partition), before, "{member} {first}-{last}");
    }
    // All or nothing.
    let one = |first, last| Acknowledgement { first_offset: first, last_offset: last, types: vec![ACCEPT] };
    let before = stage.offsets();
    let refused = stage.partition.acknowledge(at(0), &limits(), "a", &[one(10, 12), one(17, 17)]);
    assert_eq!((refused, stage.keep()), (Err(Refusal::NotOwnerOfOffset), vec![]));
    assert_eq!(stage.offsets(), before);
    assert_eq!(stage.acknowledge("a", 10, 14, &[ACCEPT]), Ok(Some(2)));
    assert_eq!(stage.acknowledge("a", 10, 14, &[ACCEPT]), Err(Refusal::OffsetNotAcquired), "it is under way");
}

#[test]
fn what_could_not_be_kept_is_taken_back() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 500, &log(&[(0, 9)]));
    stage.acknowledge("a", 0, 9, &[ACCEPT]).unwrap();
    stage.fail();
    assert_eq!(stage.offsets(), (0, 10));
    assert_eq!(stage.acknowledge("a", 0, 9, &[ACCEPT]), Ok(Some(2)), "its member has it as before");
    stage.now = at(LOCK_MS);
    stage.fail();
    assert_eq!(stage.offsets(), (0, 0), "the lock ran out meanwhile");
    assert_eq!(stage.keep(), [(0, 9, 0, 1)]);
    assert_eq!(stage.acquire("b", 500, &log(&[(0, 9)])), [(0, 9, 2)]);
}

#[test]
fn locks_run_out_unless_they_are_renewed() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 500, &log(&[(0, 9)]));
    stage.now = at(60);
    stage.acknowledge("a", 0, 4, &[RENEW]).unwrap();
    stage.now = at(99);
    assert!(!stage.partition.expire_locks(stage.now, &limits()));
    stage.now = at(100);
    assert_eq!(stage.partition.next_lock_end(), Some(at(100)));
    assert!(stage.partition.expire_locks(stage.now, &limits()));
    assert_eq!((stage.keep(), stage.offsets()), (vec![(5, 9, 0, 1)], (0, 5)));
    assert_eq!(stage.partition.next_lock_end(), Some(at(160)));
    stage.now = at(160);
    assert!(stage.partition.expire_locks(stage.now, &limits()));
    assert_eq!(stage.partition.next_lock_end(), None);
    stage.limits.may_renew = false;
    assert_eq!(stage.acquire("a", 500, &log(&[(0, 9)])), [(0, 9, 2)], "neighbours of one state come together");
    assert_eq!(stage.acknowledge("a", 0, 9, &[RENEW]), Err(Refusal::RenewDisabled));
}

#[test]
fn records_are_delivered_so_often_and_not_more() {
    let mut stage = Stage::new(0);
    stage.limits.delivery_count_limit = 2;
    for delivery in [1, 2] {
        assert_eq!(stage.acquire("a", 500, &log(&[(0, 4)])), [(0, 4, delivery)]);
        stage.acknowledge("a", 0, 4, &[RELEASE]).unwrap();
        stage.keep();
    }
    assert_eq!(stage.offsets(), (5, 5));
}

#[test]
fn what_fails_often_comes_with_fewer_others_and_at_last_alone() {
    let mut stage = Stage::new(0);
    let all = log(&[(0, 15)]);
    for delivery in 1..=3 {
        assert_eq!(stage.acquire("a", 500, &all), [(0, 15, delivery)]);
        stage.now += at(LOCK_MS);
        stage.partition.expire_locks(stage.now, &limits());
        stage.keep();
    }
    assert_eq!(stage.acquire("a", 500, &all), [(0, 7, 4)]);
    assert_eq!(stage.acquire("b", 500, &all), [(8, 15, 4)]);
    stage.partition.release(&limits(), "a");
    stage.keep();
    assert_eq!(stage.acquire("a", 500, &all), [(0, 0, 5)]);
    assert_eq!(stage.acquire("a", 500, &all), [(1, 1, 5)]);
    assert_eq!(stage.acknowledge("a", 0, 1, &[RELEASE]), Ok(Some(5)));
    assert_eq!(stage.keep(), [(0, 1, 4, 5)], "that was the last time");
    assert_eq!(stage.offsets(), (2, 2));
}

#[test]
fn the_last_attempt_waits_for_a_fetch_of_its_own() {
    let mut stage = Stage::loaded(&kept(0, &[(0, 4, 0, 1), (5, 5, 0, 4), (6, 9, 0, 1)]));
    let all = log(&[(0, 9), (10, 14)]);
    assert_eq!(stage.acquire("a", 500, &all), [(0, 4, 2)]);
    assert_eq!(stage.acquire("a", 500, &all), [(5, 5, 5)]);
    assert_eq!(stage.acquire("a", 500, &all), [(6, 9, 2), (10, 14, 1)]);
}

#[test]
fn gaps_between_what_was_kept_are_looked_into_once() {
    let mut stage = Stage::loaded(&kept(0, &[(5, 9, 2, 1), (15, 19, 0, 1), (30, 39, 4, 5)]));
    assert_eq!(stage.acquire("a", 500, &log(&[(0, 9), (10, 24)])), [(0, 4, 1), (10, 14, 1), (15, 19, 2), (20, 24, 1)]);
    assert_eq!(stage.offsets(), (0, 25));
    // Offsets 25 to 39 are not in the log any more.
    assert_eq!(stage.acquire("a", 500, &log(&[(40, 44)])), [(40, 44, 1)]);
    assert_eq!(stage.offsets(), (0, 45));
    stage.acknowledge("a", 0, 4, &[ACCEPT]).unwrap();
    stage.acknowledge("a", 10, 24, &[ACCEPT]).unwrap();
    stage.keep();
    assert_eq!(stage.offsets(), (40, 45));
}

#[test]
fn what_compaction_took_away_is_not_waited_for() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 500, &log(&[(0, 9)]));
    stage.acknowledge("a", 0, 9, &[RELEASE]).unwrap();
    stage.keep();
    assert_eq!(stage.acquire("a", 500, &log(&[(12, 14)])), [(12, 14, 1)]);
    assert_eq!(stage.offsets(), (12, 15));
}

#[test]
fn the_log_begins_later_now() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 5, &log(&[(0, 4)]));
    stage.acquire("b", 500, &log(&[(5, 14)]));
    stage.partition.move_log_start(8);
    assert_eq!(stage.offsets(), (8, 15));
    assert_eq!(stage.acknowledge("a", 0, 4, &[ACCEPT]), Ok(None), "what is gone is gone");
    assert_eq!(stage.acknowledge("b", 5, 14, &[ACCEPT]), Ok(Some(1)));
    assert_eq!(stage.keep(), [(8, 14, 2, 1)]);
    assert_eq!(stage.offsets(), (15, 15));
    stage.partition.move_log_start(3);
    assert_eq!(stage.offsets(), (15, 15), "the start offset never goes back");
    stage.partition.move_log_start(20);
    assert_eq!(stage.offsets(), (20, 20));
}

#[test]
fn aborted_records_are_delivered_to_nobody() {
    let mut stage = Stage::new(0);
    let mut batches = log(&[(0, 4), (5, 9), (10, 14)]);
    batches[1].is_aborted = true;
    assert_eq!(stage.acquire("a", 500, &batches), [(0, 4, 1), (10, 14, 1)]);
    stage.acknowledge("a", 0, 4, &[ACCEPT]).unwrap();
    stage.keep();
    assert_eq!(stage.offsets(), (10, 15));
    // Nothing but aborted records, more of them than there may be locks: they do not stand in the way.
    stage.limits.max_record_locks = 10;
    let mut stage = Stage { partition: Stage::new(0).partition, ..stage };
    let aborted = |base, last| [LogBatch { base, last, is_aborted: true }];
    assert_eq!(stage.acquire("a", 500, &aborted(0, 9)), []);
    assert_eq!(stage.offsets(), (10, 10));
    assert!(stage.partition.can_acquire(10));
}

#[test]
fn a_member_that_goes_gives_its_records_back() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 5, &log(&[(0, 4)]));
    stage.acquire("b", 500, &log(&[(5, 9)]));
    stage.acknowledge("a", 1, 2, &[ACCEPT]).unwrap();
    stage.keep();
    assert_eq!(stage.partition.release(&limits(), "a"), Some(2));
    assert_eq!(stage.offsets(), (0, 10), "not before that is kept");
    assert_eq!(stage.keep(), [(0, 0, 0, 1), (3, 4, 0, 1)]);
    assert_eq!(stage.offsets(), (0, 0));
    assert_eq!(stage.partition.release(&limits(), "a"), None);
}

#[test]
fn one_write_at_a_time_and_what_comes_meanwhile_goes_with_the_next() {
    let mut stage = Stage::new(0);
    stage.acquire("a", 500, &log(&[(0, 9)]));
    assert_eq!(stage.acknowledge("a", 0, 1, &[ACCEPT]), Ok(Some(1)));
    assert_eq!(stage.partition.take_write().unwrap().batches.len(), 1);
    assert_eq!(stage.acknowledge("a", 2, 3, &[ACCEPT]), Ok(Some(2)));
    assert_eq!(stage.acknowledge("a", 4, 5, &[REJECT]), Ok(Some(3)));
    assert_eq!(stage.partition.take_write(), None);
    assert_eq!(stage.partition.written(at(0), &limits(), true), Some(1));
    assert_eq!(stage.offsets(), (2, 10));
    let write = stage.partition.take_write().unwrap();
    assert_eq!((write.start_offset, write.delivery_complete_count, write.batches.len()), (2, 4, 2));
    assert_eq!(stage.partition.written(at(0), &limits(), false), Some(3));
    assert_eq!((stage.offsets(), stage.partition.is_kept()), ((2, 10), true));
}
