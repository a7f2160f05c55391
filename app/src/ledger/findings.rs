//! What a book found: losses, each with what is known of the record, and other anomalies, counted.

use std::collections::BTreeMap;

use crate::monitor::ledger::{Acks, Kind};

/// Lost records that are kept one by one; more are only counted.
pub const LOSSES_MAX: usize = 20_000;

/// What is known of an acknowledged record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Producer within the workload.
    pub producer: u32,
    /// Its number.
    pub sequence: u64,
    /// Partition; -1: not known any more.
    pub partition: i32,
    /// Where it was acknowledged; `None`: that was not told, or is not known any more.
    pub offset: Option<i64>,
    /// The broker that acknowledged it; -1: not told, or not known any more.
    pub broker: i32,
    /// What it was acknowledged by.
    pub acks: Acks,
    /// Wall clock of the acknowledgement; `None`: not known any more.
    pub at_ms: Option<i64>,
}

/// An acknowledged record that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The record.
    pub entry: Entry,
    /// How that was found: [`Kind::LostWrite`] or [`Kind::Unseen`].
    pub kind: Kind,
    /// When it was found.
    pub found_ms: i64,
    /// It had been read before.
    pub was_read: bool,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Findings {
    losses: Vec<Loss>,
    /// Lost records that are not among these.
    not_kept: u64,
    counts: BTreeMap<(Kind, i32), u64>,
    first: BTreeMap<Kind, String>,
    /// Grows with each change.
    generation: u64,
}

impl Findings {
    /// A record is gone.
    pub fn lose(&mut self, loss: Loss) {
        self.generation += 1;
        if self.losses.len() < LOSSES_MAX {
            self.losses.push(loss);
        } else {
            self.not_kept += 1;
        }
    }

    /// A record that was taken for lost is there. What was known of its loss, if that was kept.
    pub fn find_again(&mut self, producer: u32, sequence: u64) -> Option<Loss> {
        self.generation += 1;
        let is_it = |loss: &Loss| (loss.entry.producer, loss.entry.sequence) == (producer, sequence);
        match self.losses.iter().position(is_it) {
            Some(index) => Some(self.losses.remove(index)),
            None => {
                self.not_kept = self.not_kept.saturating_sub(1);
                None
            }
        }
    }

    /// Notes an anomaly.
    pub fn note(&mut self, kind: Kind, partition: i32, what: impl FnOnce() -> String) {
        self.generation += 1;
        *self.counts.entry((kind, partition)).or_default() += 1;
        self.first.entry(kind).or_insert_with(what);
    }

    /// Lost records, in the order in which that was found.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Lost records of which nothing is kept.
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// How often each anomaly was found, by partition.
    pub fn counts(&self) -> &BTreeMap<(Kind, i32), u64> {
        &self.counts
    }

    /// How often an anomaly was found.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.range((kind, i32::MIN)..=(kind, i32::MAX)).map(|(_, count)| count).sum()
    }

    /// The first anomaly of a kind, in a sentence.
    pub fn first(&self, kind: Kind) -> &str {
        self.first.get(&kind).map_or("", String::as_str)
    }

    /// Grows with each change.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}
