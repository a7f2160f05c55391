//! What a book finds, case by case.

use super::book::{Ack, Book, Seen};
use super::drain::Begin;
use super::leaf::Reader::{self, Committed, CommittedDrain, Drain, Everything};
use crate::monitor::ledger::{Acks, Kind};

fn ack(sequence: u64, offset: i64) -> Ack {
    Ack { producer: 1, sequence, partition: 0, offset, broker: 1, acks: Acks::All, at_ms: 1_000 + offset }
}

fn own(sequence: u64) -> Seen {
    Seen::Own { producer: 1, sequence, is_sound: true }
}

/// Numbers 0.. were sent and acknowledged at these offsets.
fn book(offsets: &[i64]) -> Book {
    let mut book = Book::default();
    for (sequence, offset) in offsets.iter().enumerate() {
        book.sent(1, sequence as u64);
        book.acknowledged(ack(sequence as u64, *offset));
    }
    book
}

fn read(book: &mut Book, reader: Reader, records: &[(i64, u64)]) {
    records.iter().for_each(|(offset, sequence)| book.read(reader, 0, *offset, own(*sequence), 9_000));
}

fn drain(book: &mut Book, from: i64, records: &[(i64, u64)]) {
    book.drain_begins(Drain, &[Begin { partition: 0, offset: from, is_cut: from > 0 }]);
    read(book, Drain, records);
    book.drain_ends(Drain, Acks::All, 9_999);
}

#[test]
fn an_acknowledgement_that_told_no_offset_is_known_by_its_time() {
    let mut book = book(&[0]);
    book.sent(1, 1);
    book.acknowledged(Ack { partition: 3, ..ack(1, -1) });
    drain(&mut book, 0, &[(0, 0)]);
    let [loss] = book.findings().losses() else { panic!("one is missing") };
    assert_eq!((loss.entry.sequence, loss.entry.partition, loss.entry.offset), (1, 3, None));
    assert_eq!((loss.entry.at_ms, loss.entry.broker), (Some(999), 1));
}

fn kinds(book: &Book) -> Vec<Kind> {
    Kind::ALL.into_iter().filter(|kind| book.findings().count(*kind) > 0).collect()
}

fn lost(book: &Book) -> Vec<(u64, Kind, bool)> {
    book.findings().losses().iter().map(|loss| (loss.entry.sequence, loss.kind, loss.was_read)).collect()
}

#[test]
fn what_is_acknowledged_and_read_is_well() {
    let mut book = book(&[0, 1, 2]);
    read(&mut book, Everything, &[(0, 0), (1, 1), (2, 2)]);
    read(&mut book, Committed, &[(0, 0), (1, 1), (2, 2)]);
    drain(&mut book, 0, &[(0, 0), (1, 1), (2, 2)]);
    assert_eq!((kinds(&book), lost(&book)), (vec![], vec![]));
    let sums = book.sums();
    assert_eq!((sums.sent, sums.acked, sums.unknown, sums.read, sums.read_committed), (3, 3, 0, 3, 3));
}

#[test]
fn a_record_that_readers_pass_is_lost_and_one_that_is_there_after_all_was_skipped() {
    let mut book = book(&[0, 1, 2]);
    read(&mut book, Everything, &[(0, 0), (2, 2)]);
    assert_eq!(lost(&book), [(1, Kind::LostWrite, false)]);
    drain(&mut book, 0, &[(0, 0), (1, 1), (2, 2)]);
    assert_eq!(lost(&book), []);
    assert_eq!(kinds(&book), [Kind::PollSkip]);
}

#[test]
fn a_cut_tail_is_found_when_all_is_read_once_more() {
    let mut book = book(&[0, 1, 2, 3]);
    read(&mut book, Everything, &[(0, 0), (1, 1), (2, 2)]);
    drain(&mut book, 0, &[(0, 0), (1, 1)]);
    assert_eq!(lost(&book), [(2, Kind::Unseen, true), (3, Kind::Unseen, false)]);
    assert_eq!(book.sums().lost, 2);
    let entry = book.findings().losses()[0].entry;
    assert_eq!((entry.offset, entry.at_ms, entry.broker), (Some(2), Some(1_002), 1), "it is known where and when");
}

#[test]
fn what_stands_in_the_place_of_another_took_it() {
    let mut book = book(&[0, 1]);
    book.sent(1, 2);
    book.acknowledged(ack(2, 1));
    assert_eq!(kinds(&book), [Kind::InconsistentOffsets]);
    assert_eq!(lost(&book), [(1, Kind::LostWrite, false)]);
    assert!(book.findings().first(Kind::InconsistentOffsets).contains("record 1 of producer 1"));
    read(&mut book, Everything, &[(0, 0), (1, 2)]);
    assert_eq!(book.findings().count(Kind::InconsistentOffsets), 1, "that is known already");
    // Another's record in its place.
    let mut book = self::book(&[0, 1]);
    book.read(Everything, 0, 1, Seen::Foreign, 9_000);
    assert_eq!(lost(&book).len(), 2, "the first was passed, the second is somebody else's");
    assert_eq!(kinds(&book), [Kind::InconsistentOffsets]);
}

#[test]
fn doubled_reordered_and_damaged_records_are_noted() {
    let mut book = book(&[0, 1, 2]);
    read(&mut book, Everything, &[(0, 0), (1, 1), (2, 2), (3, 1)]);
    assert_eq!(kinds(&book), [Kind::Duplicate]);
    let mut book = self::book(&[1, 0]);
    read(&mut book, Everything, &[(0, 1), (1, 0)]);
    assert_eq!(kinds(&book), [Kind::NonmonotonicSend]);
    let mut book = self::book(&[0]);
    book.read(Everything, 0, 0, Seen::Own { producer: 1, sequence: 0, is_sound: false }, 1);
    assert_eq!(kinds(&book), [Kind::Damaged]);
    let mut book = self::book(&[0, 1]);
    read(&mut book, Everything, &[(1, 1), (0, 0)]);
    assert!(kinds(&book).contains(&Kind::NonmonotonicPoll), "{:?}", kinds(&book));
}

#[test]
fn what_an_earlier_client_had_on_its_way_may_come_late() {
    let mut book = Book::default();
    (0..3).for_each(|sequence| book.sent(1, sequence));
    book.client_began(1, 2);
    read(&mut book, Everything, &[(0, 0), (1, 2), (2, 1)]);
    assert_eq!(kinds(&book), []);
}

#[test]
fn a_reader_that_was_sent_back_may_read_again() {
    let mut book = book(&[0, 1, 2]);
    read(&mut book, Everything, &[(0, 0), (1, 1), (2, 2)]);
    book.moved(Everything, 0, 1);
    read(&mut book, Everything, &[(1, 1), (2, 2)]);
    assert_eq!((kinds(&book), lost(&book)), (vec![], vec![]));
    book.moved(Everything, 0, 2);
    read(&mut book, Everything, &[(2, 2), (3, 2)]);
    assert_eq!(kinds(&book), [Kind::Duplicate], "behind where it had been nothing is read again");
}

#[test]
fn refused_aborted_and_unsent_records_must_not_be_read() {
    let mut book = Book::default();
    book.sent(1, 0);
    book.failed(1, 0);
    read(&mut book, Everything, &[(0, 0)]);
    assert_eq!(kinds(&book), [Kind::AbortedRead]);
    let mut book = Book::default();
    read(&mut book, Everything, &[(0, 0)]);
    assert!(book.findings().first(Kind::AbortedRead).contains("nobody sent it"));
    // Read first, refused then.
    let mut book = Book::default();
    book.sent(1, 0);
    read(&mut book, Everything, &[(0, 0)]);
    assert_eq!(kinds(&book), []);
    book.failed(1, 0);
    assert_eq!(kinds(&book), [Kind::AbortedRead]);
}

#[test]
fn a_transaction_is_promised_once_it_is_committed_and_never_read_before() {
    let mut book = Book::default();
    (0..4).for_each(|sequence| book.sent(1, sequence));
    book.delivered(ack(0, 0));
    read(&mut book, Everything, &[(0, 0)]);
    assert_eq!((book.sums().acked, kinds(&book)), (0, vec![]), "whoever reads everything may");
    book.commit_begins(1);
    read(&mut book, Committed, &[(0, 0)]);
    book.committed(1, 5);
    assert_eq!((book.sums().acked, kinds(&book)), (1, vec![]));
    book.delivered(ack(1, 2));
    book.aborted(1);
    assert_eq!(book.sums().aborted, 1);
    read(&mut book, Everything, &[(2, 1)]);
    assert_eq!(kinds(&book), []);
    read(&mut book, Committed, &[(2, 1)]);
    assert_eq!(kinds(&book), [Kind::AbortedRead]);
    book.delivered(ack(2, 4));
    read(&mut book, Committed, &[(4, 2)]);
    assert_eq!(kinds(&book), [Kind::AbortedRead, Kind::PrecommittedRead]);
    book.delivered(ack(3, 5));
    book.transaction_unknown(1);
    assert_eq!(book.sums().unknown, 2, "of two it is not known");
    book.drain_begins(CommittedDrain, &[Begin { partition: 0, offset: 0, is_cut: false }]);
    book.drain_ends(CommittedDrain, Acks::All, 9);
    assert_eq!(lost(&book), [(0, Kind::Unseen, true)], "only what was committed is missed");
}

#[test]
fn what_a_new_leader_lacks_is_lost_without_anybody_reading() {
    let mut book = book(&[0, 1, 2]);
    book.sent(1, 3);
    book.acknowledged(Ack { broker: 2, ..ack(3, 2) });
    book.vanished(0, 1, 1, 9);
    assert_eq!(book.sums().lost, 2, "what the new leader acknowledged is there");
    assert!(lost(&book).iter().all(|(sequence, kind, _)| [1, 2].contains(sequence) && *kind == Kind::LostWrite));
}

#[test]
fn what_retention_took_is_no_loss_and_neither_is_what_compaction_took() {
    let mut book = book(&[0, 1, 2]);
    drain(&mut book, 2, &[(2, 2)]);
    assert_eq!((lost(&book), book.sums().expired), (vec![], 2));
    let mut book = self::book(&[0, 1, 2]);
    book.set_compacted(true);
    read(&mut book, Everything, &[(0, 0), (2, 2)]);
    drain(&mut book, 0, &[(2, 2)]);
    assert_eq!((lost(&book), book.sums().expired), (vec![], 2));
}

#[test]
fn an_acknowledgement_without_an_offset_counts_too() {
    let mut book = Book::default();
    book.sent(1, 0);
    book.acknowledged(Ack { offset: -1001, ..ack(0, 0) });
    assert_eq!(book.sums().acked, 1);
    drain(&mut book, 0, &[]);
    assert_eq!(lost(&book), [(0, Kind::Unseen, false)]);
    let entry = book.findings().losses()[0].entry;
    assert_eq!((entry.partition, entry.offset), (0, None), "the client told the partition, and no place in it");
}
