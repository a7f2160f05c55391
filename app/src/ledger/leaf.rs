//! One partition's page of a book: the newest acknowledgements with their offsets, and how far each reader is.

use std::collections::{BTreeMap, VecDeque};

use super::book::Ack;
use super::findings::Entry;
use super::set::NumberSet;
use crate::monitor::ledger::Acks;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// Follows, and reads everything.
    Everything,
    /// Follows, and reads what is committed.
    Committed,
    /// Reads everything once more when all producers have ended.
    Drain,
    /// The same, of what is committed.
    CommittedDrain,
}

impl Reader {
    /// All of them.
    pub const ALL: [Reader; 4] = [Reader::Everything, Reader::Committed, Reader::Drain, Reader::CommittedDrain];

    /// Whether it reads at read_committed.
    pub const fn is_committed(self) -> bool {
        matches!(self, Reader::Committed | Reader::CommittedDrain)
    }

    /// Whether it is one of the last readings.
    pub const fn is_drain(self) -> bool {
        matches!(self, Reader::Drain | Reader::CommittedDrain)
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Reader::Everything => "the reader of everything",
            Reader::Committed => "the reader of what is committed",
            Reader::Drain => "the last reading",
            Reader::CommittedDrain => "the last reading of what is committed",
        }
    }
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    pub(super) offset: i64,
    pub(super) sequence: u64,
    pub(super) at_ms: i64,
    pub(super) producer: u32,
    pub(super) broker: i32,
    pub(super) acks: Acks,
    /// A bit for each reader that has met or missed it.
    settled: u8,
}

impl Detail {
    pub(super) fn new(ack: &Ack) -> Detail {
        let Ack { producer, sequence, offset, broker, acks, at_ms, .. } = *ack;
        Detail { offset, sequence, at_ms, producer, broker, acks, settled: 0 }
    }

    pub(super) fn is(&self, producer: u32, sequence: u64) -> bool {
        (self.producer, self.sequence) == (producer, sequence)
    }

    pub(super) fn entry(&self, partition: i32) -> Entry {
        Entry {
            producer: self.producer,
            sequence: self.sequence,
            partition,
            offset: Some(self.offset),
            broker: self.broker,
            acks: self.acks,
            at_ms: Some(self.at_ms),
        }
    }
}

/// How far a reader is.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// Behind what it read last.
    pub(super) next: i64,
    /// Up to here it may be given again what it has read.
    pub(super) reread_to: i64,
    /// The number that it read last, by producer.
    pub(super) last: BTreeMap<u32, u64>,
}

/// A partition's page.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// Offsets that were acknowledged.
    pub(super) offsets: NumberSet,
    /// The newest, by offset; an offset may be there twice, the older one first.
    details: VecDeque<Detail>,
    positions: [Position; 4],
    /// First offset that the last reading found.
    pub(super) begins: i64,
}

impl Leaf {
    pub(super) fn position(&mut self, reader: Reader) -> &mut Position {
        &mut self.positions[reader as usize]
    }

    /// Adds an acknowledgement. What had been acknowledged at that offset before, if that is known.
    pub(super) fn put(&mut self, detail: Detail) -> Option<Detail> {
        let is_newest = self.details.back().is_none_or(|last| last.offset < detail.offset);
        if is_newest {
            self.details.push_back(detail);
            return None;
        }
        let after = self.details.partition_point(|known| known.offset <= detail.offset);
        let before = after.checked_sub(1).and_then(|index| self.details.get(index));
        let before = before.filter(|known| known.offset == detail.offset).copied();
        self.details.insert(after, detail);
        before
    }

    /// Lets go of the oldest until there are no more than so many; how many went.
    pub(super) fn let_go(&mut self, most: usize) -> u64 {
        let over = self.details.len().saturating_sub(most);
        self.details.drain(..over);
        over as u64
    }

    /// Those that a reader has met or missed now and not before: at offsets from `from` up to and including `to`. Each is given with whether it
    /// stands before `to`.
    pub(super) fn settle(&mut self, reader: Reader, from: i64, to: i64, mut each: impl FnMut(&Detail)) {
        let bit = 1 << reader as u8;
        let first = self.details.partition_point(|known| known.offset < from);
        for detail in self.details.range_mut(first..) {
            if detail.offset > to {
                break;
            }
            if detail.settled & bit == 0 {
                detail.settled |= bit;
                each(detail);
            }
        }
    }

    pub(super) fn details(&self) -> impl DoubleEndedIterator<Item = &Detail> {
        self.details.iter()
    }

    pub(super) fn kept(&self) -> usize {
        self.details.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.offsets.bytes()
            + self.details.capacity() * size_of::<Detail>()
            + self.positions.iter().map(|position| position.last.len() * 32).sum::<usize>()
            + size_of::<Leaf>()
    }
}
