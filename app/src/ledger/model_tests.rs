//! Books against a naive model that forgets nothing; and what they take of memory.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::book::{Ack, Book, Seen};
use super::drain::Begin;
use super::leaf::Reader::{Drain, Everything};
use crate::monitor::ledger::{Acks, Kind};

const PARTITIONS: i32 = 3;

/// What happens to one record.
#[derive(Clone, Copy, Debug)]
struct Fate {
    partition: i32,
    acknowledged: bool,
    /// It is not in the log in the end.
    cut: bool,
    /// It stands there twice.
    doubled: bool,
    /// Another's record comes before it.
    foreign: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    let rare = || prop::bool::weighted(0.06);
    (0..PARTITIONS, prop::bool::weighted(0.9), rare(), rare(), prop::bool::weighted(0.2)).prop_map(
        |(partition, acknowledged, cut, doubled, foreign)| Fate { partition, acknowledged, cut, doubled, foreign },
    )
}

/// A log as it is in the end, by partition: offset → record, or somebody else's.
type Logs = BTreeMap<i32, BTreeMap<i64, Option<(u32, u64)>>>;

struct World {
    logs: Logs,
    acks: Vec<Ack>,
    /// All that was sent.
    sent: Vec<(u32, u64)>,
}

fn world(fates: &[(u32, Fate)]) -> World {
    let mut world = World { logs: BTreeMap::new(), acks: Vec::new(), sent: Vec::new() };
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
    for (producer, fate) in fates {
        let sequence = next.entry(*producer).or_default();
        let record = (*producer, *sequence);
        *sequence += 1;
        world.sent.push(record);
        let log = world.logs.entry(fate.partition).or_default();
        let end = ends.entry(fate.partition).or_default();
        if fate.foreign {
            log.insert(*end, None);
            *end += 1;
        }
        for _ in 0..=u8::from(fate.doubled) {
            if !fate.cut {
                log.insert(*end, Some(record));
            }
            *end += 1;
        }
        if fate.acknowledged {
            let offset = *end - 1 - i64::from(fate.doubled);
            let (producer, sequence) = record;
            world.acks.push(Ack {
                producer,
                sequence,
                partition: fate.partition,
                offset,
                broker: 1,
                acks: Acks::All,
                at_ms: 0,
            });
        }
    }
    world
}

fn seen(record: Option<(u32, u64)>) -> Seen {
    record.map_or(Seen::Foreign, |(producer, sequence)| Seen::Own { producer, sequence, is_sound: true })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// In whatever order acknowledgements and reads come, in the end exactly what was acknowledged and is not in the log is lost, and exactly
    /// what stands there twice is doubled.
    #[test]
    fn in_the_end_it_says_what_the_model_says(
        fates in prop::collection::vec((1_u32..4, fate()), 1..120),
        order in any::<prop::sample::Index>(),
    ) {
        let world = world(&fates);
        let mut book = Book::default();
        world.sent.iter().for_each(|(producer, sequence)| book.sent(*producer, *sequence));
        let split = order.index(world.acks.len() + 1);
        world.acks[..split].iter().for_each(|ack| book.acknowledged(*ack));
        for (partition, log) in &world.logs {
            log.iter().for_each(|(offset, record)| book.read(Everything, *partition, *offset, seen(*record), 1));
        }
        world.acks[split..].iter().for_each(|ack| book.acknowledged(*ack));
        let begins: Vec<Begin> =
            world.logs.keys().map(|partition| Begin { partition: *partition, offset: 0, is_cut: false }).collect();
        book.drain_begins(Drain, &begins);
        for (partition, log) in &world.logs {
            log.iter().for_each(|(offset, record)| book.read(Drain, *partition, *offset, seen(*record), 2));
        }
        book.drain_ends(Drain, Acks::All, 3);

        let there: BTreeSet<(u32, u64)> = world.logs.values().flat_map(|log| log.values().flatten().copied()).collect();
        let expected: BTreeSet<(u32, u64)> = world
            .acks
            .iter()
            .map(|ack| (ack.producer, ack.sequence))
            .filter(|record| !there.contains(record))
            .collect();
        let found: BTreeSet<(u32, u64)> =
            book.findings().losses().iter().map(|loss| (loss.entry.producer, loss.entry.sequence)).collect();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(book.sums().lost, expected.len() as u64);
        let total: usize = world.logs.values().map(|log| log.values().flatten().count()).sum();
        let doubled = (total - there.len()) as u64;
        prop_assert_eq!(book.findings().count(Kind::Duplicate), doubled);
        prop_assert_eq!(book.findings().count(Kind::PollSkip), 0);
        prop_assert_eq!(book.findings().count(Kind::AbortedRead), 0);
    }
}

/// Sends, acknowledges and reads so many records of 4 producers on 6 partitions, with every 1,000th never acknowledged.
fn push(records: u64) -> (Book, usize) {
    let mut book = Book::default();
    let mut ends = [0_i64; 6];
    let mut sequences = [0_u64; 4];
    let mut most = 0;
    for number in 0..records {
        let producer = (number % 4) as u32;
        // As keys have it: neighbours are in other partitions.
        let partition = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % 6;
        let (sequence, offset) = (sequences[producer as usize], ends[partition]);
        sequences[producer as usize] += 1;
        ends[partition] += 1;
        book.sent(producer, sequence);
        if number % 1_000 != 0 {
            let partition = partition as i32;
            let ack = Ack { producer, sequence, partition, offset, broker: 1, acks: Acks::All, at_ms: number as i64 };
            book.acknowledged(ack);
        }
        let seen = Seen::Own { producer, sequence, is_sound: true };
        book.read(Everything, partition as i32, offset, seen, number as i64);
        if number % 1_000_000 == 0 {
            most = most.max(book.bytes());
        }
    }
    let most = most.max(book.bytes());
    (book, most)
}

fn is_bounded(records: u64, at_most: usize) {
    let (book, most) = push(records);
    println!("{records} records: at most {} KiB", most / 1024);
    assert!(most <= at_most, "{most} bytes");
    let sums = book.sums();
    assert_eq!((sums.sent, sums.acked, sums.lost), (records, records - records.div_ceil(1_000), 0));
    assert_eq!(sums.details_kept + sums.details_let_go, sums.acked, "what was let go is counted");
}

#[test]
fn ten_million_records_take_bounded_memory() {
    is_bounded(10_000_000, 32 << 20);
}

#[test]
#[ignore = "takes a minute without optimisation"]
fn a_hundred_million_records_take_bounded_memory() {
    is_bounded(100_000_000, 64 << 20);
}
