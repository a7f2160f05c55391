//! The last reading: when the producers have ended, all is read once more from the beginning, and what is not there is gone.

use std::collections::HashMap;

use super::book::Book;
use super::findings::Entry;
use super::leaf::Reader;
use super::set::NumberSet;
use crate::monitor::ledger::{Acks, Kind};

/// Where the last reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// What the workload wrote before is not in the log any more.
    pub is_cut: bool,
}

impl Book {
    /// The last reading of one kind begins.
    pub fn drain_begins(&mut self, reader: Reader, begins: &[Begin]) {
        self.senders.values_mut().for_each(|sender| sender.seen[reader as usize] = NumberSet::default());
        for Begin { partition, offset, is_cut } in begins {
            let leaf = self.leaves.entry(*partition).or_default();
            *leaf.position(reader) = super::leaf::Position { next: *offset, ..Default::default() };
            leaf.begins = leaf.begins.max(if *is_cut { *offset } else { 0 });
        }
    }

    /// It has come to the end: what was acknowledged and not read is gone.
    pub fn drain_ends(&mut self, reader: Reader, acks: Acks, now_ms: i64) {
        // What somebody took from the beginning of a log is no loss.
        let has_expired = self.leaves.values().any(|leaf| leaf.begins > 0);
        let mut missing: Vec<(u32, u64)> = Vec::new();
        for (producer, sender) in &self.senders {
            let gone = sender.acked.without(&sender.seen[reader as usize]);
            missing.extend(gone.filter(|sequence| !sender.lost.contains(*sequence)).map(|gone| (*producer, gone)));
        }
        if missing.is_empty() {
            return;
        }
        let known: HashMap<(u32, u64), Entry> =
            self.entries().map(|entry| ((entry.producer, entry.sequence), entry)).collect();
        let mut expired = 0;
        for (producer, sequence) in missing {
            let entry = known.get(&(producer, sequence)).copied();
            let begins = entry.and_then(|entry| self.leaves.get(&entry.partition)).map_or(0, |leaf| leaf.begins);
            let is_expired = match entry.and_then(|entry| entry.offset) {
                Some(offset) => offset < begins,
                None => has_expired,
            };
            if is_expired || self.is_compacted() {
                expired += 1;
                continue;
            }
            let unknown = Entry { producer, sequence, partition: -1, offset: None, broker: -1, acks, at_ms: None };
            self.lose(entry.unwrap_or(unknown), Kind::Unseen, now_ms);
        }
        // Both readings miss the same.
        self.expired = self.expired.max(expired);
    }
}
