//! One workload's history: what its producers were told, and what readers found.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use super::findings::{Entry, Findings, Loss};
use super::leaf::{Detail, Leaf, Reader};
use super::set::NumberSet;
use crate::monitor::ledger::{Acks, Kind};

/// Acknowledgements of which offset and time are kept, over all partitions of a workload.
pub const DETAILS_MAX: usize = 200_000;
/// At least so many are kept of each partition.
const DETAILS_MIN: usize = 16;
/// Acknowledgements within a transaction that is open; of more than these only the numbers are kept.
const OPEN_MAX: usize = 100_000;

/// Acknowledgements without an offset of which time and broker are kept: they are rare.
const PLACELESS_MAX: usize = 10_000;

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Producer within the workload.
    pub producer: u32,
    /// The record's number.
    pub sequence: u64,
    /// Where it was written.
    pub partition: i32,
    /// Where exactly; below 0: that was not told.
    pub offset: i64,
    /// The broker that acknowledged it; -1: not told.
    pub broker: i32,
    /// What for.
    pub acks: Acks,
    /// Wall clock.
    pub at_ms: i64,
}

/// What a reader was given at one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A record of this workload.
    Own {
        /// Its producer.
        producer: u32,
        /// Its number.
        sequence: u64,
        /// Its checksum is that of what it holds.
        is_sound: bool,
    },
    /// Somebody else's.
    Foreign,
}

/// What is known of one producer.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// Behind the last number that was handed over.
    sent: u64,
    pub(super) acked: NumberSet,
    /// Refused for certain.
    failed: NumberSet,
    /// Of transactions that were aborted.
    aborted: NumberSet,
    /// What each reader read.
    pub(super) seen: [NumberSet; 4],
    /// Acknowledged and gone.
    pub(super) lost: NumberSet,
    /// Found at more than one offset.
    doubled: NumberSet,
    /// The transaction that is open.
    open: Open,
    /// Numbers before it were sent by clients before this one, whose last requests may still arrive.
    client_began: u64,
}

#[derive(Debug, Default)]
struct Open {
    acks: Vec<Ack>,
    numbers: NumberSet,
    /// Whether its commit was asked for: from then on it may be read.
    commits: bool,
}

/// One workload's history.
#[derive(Debug, Default)]
pub struct Book {
    pub(super) senders: BTreeMap<u32, Sender>,
    pub(super) leaves: BTreeMap<i32, Leaf>,
    pub(super) findings: Findings,
    pub(super) details_let_go: u64,
    /// Acknowledged records that retention or somebody took before the last reading.
    pub(super) expired: u64,
    /// What a reader may pass over is no loss: records are compacted.
    is_compacted: bool,
    /// Acknowledgements that told no offset, oldest first; at most [`PLACELESS_MAX`].
    placeless: VecDeque<Ack>,
    /// A client library raised its producer epoch by itself.
    has_raised_epoch: bool,
}

/// What a book adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Handed over.
    pub sent: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Neither acknowledged nor certainly failed, with those on their way.
    pub unknown: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Of transactions that were aborted.
    pub aborted: u64,
    /// Read by the reader of everything.
    pub read: u64,
    /// Read by the reader of what is committed.
    pub read_committed: u64,
    /// Acknowledged and gone.
    pub lost: u64,
    /// Gone, as retention has it.
    pub expired: u64,
    /// Acknowledgements of which offset and time are kept.
    pub details_kept: u64,
    /// Acknowledgements of which only the number is.
    pub details_let_go: u64,
}

impl Book {
    /// A producer hands a record over: from now on it may be read.
    pub fn sent(&mut self, producer: u32, sequence: u64) {
        let sender = self.senders.entry(producer).or_default();
        sender.sent = sender.sent.max(sequence + 1);
    }

    /// A record that was said to be handed over was not, after all.
    pub fn not_sent(&mut self, producer: u32, sequence: u64) {
        let sender = self.senders.entry(producer).or_default();
        if sender.sent == sequence + 1 {
            sender.sent = sequence;
        }
    }

    /// A producer is another client from now on, whose first record has this number.
    pub fn client_began(&mut self, producer: u32, sequence: u64) {
        let sender = self.senders.entry(producer).or_default();
        sender.client_began = sequence;
        // A transaction that it left open is ended by its coordinator, as that sees fit.
        sender.open = Open::default();
    }

    /// The first offset of a partition that is known to be acknowledged.
    pub fn first_offset(&self, partition: i32) -> Option<i64> {
        self.leaves.get(&partition)?.details().next().map(|detail| detail.offset)
    }

    /// Behind the last offset of a partition that was acknowledged and is not known to be lost; 0 if there is none.
    pub fn acknowledged_end(&self, partition: i32) -> i64 {
        let Some(leaf) = self.leaves.get(&partition) else { return 0 };
        let is_lost = |detail: &&Detail| {
            self.senders.get(&detail.producer).is_some_and(|sender| sender.lost.contains(detail.sequence))
        };
        leaf.details().rev().find(|detail| !is_lost(detail)).map_or(0, |detail| detail.offset + 1)
    }

    /// A record was acknowledged.
    pub fn acknowledged(&mut self, ack: Ack) {
        let Ack { producer, sequence, partition, offset, .. } = ack;
        let sender = self.senders.entry(producer).or_default();
        if !sender.acked.insert(sequence) {
            return;
        }
        let Ok(place) = u64::try_from(offset) else {
            // A broker that has a batch already may not know any more where; when and by whom it was acknowledged is known all the same.
            if self.placeless.len() == PLACELESS_MAX {
                self.placeless.pop_front();
            }
            return self.placeless.push_back(ack);
        };
        let share = (DETAILS_MAX / self.leaves.len().max(1)).max(DETAILS_MIN);
        let leaf = self.leaves.entry(partition).or_default();
        let is_new = leaf.offsets.insert(place);
        let before = leaf.put(Detail::new(&ack));
        self.details_let_go += leaf.let_go(share);
        if is_new {
            return;
        }
        self.findings.note(Kind::InconsistentOffsets, partition, || {
            let of = |producer: u32, sequence: u64| format!("record {sequence} of producer {producer}");
            let now = of(producer, sequence);
            match before {
                Some(before) => {
                    let before = of(before.producer, before.sequence);
                    format!("At offset {offset} of partition {partition} {before} was acknowledged, and then {now}.")
                }
                None => {
                    format!("At offset {offset} of partition {partition} {now} was acknowledged, and another before.")
                }
            }
        });
        if let Some(before) = before {
            self.lose(before.entry(partition), Kind::LostWrite, ack.at_ms);
        }
    }

    /// A record was refused for certain.
    pub fn failed(&mut self, producer: u32, sequence: u64) {
        let sender = self.senders.entry(producer).or_default();
        sender.failed.insert(sequence);
        if sender.seen.iter().any(|seen| seen.contains(sequence)) {
            self.note_aborted_read(producer, sequence, -1, "and its producer was told that it was refused");
        }
    }

    /// A record was acknowledged within a transaction: nothing is promised yet.
    pub fn delivered(&mut self, ack: Ack) {
        let open = &mut self.senders.entry(ack.producer).or_default().open;
        open.numbers.insert(ack.sequence);
        if open.acks.len() < OPEN_MAX {
            open.acks.push(ack);
        }
    }

    /// A producer asks for its transaction to be committed: whatever is read of it from now on may be.
    pub fn commit_begins(&mut self, producer: u32) {
        self.senders.entry(producer).or_default().open.commits = true;
    }

    /// A transaction was committed: now all its records are promised.
    pub fn committed(&mut self, producer: u32, at_ms: i64) {
        let open = mem::take(&mut self.senders.entry(producer).or_default().open);
        for ack in &open.acks {
            self.acknowledged(Ack { at_ms, ..*ack });
        }
        let sender = self.senders.entry(producer).or_default();
        for sequence in open.numbers.without(&NumberSet::default()) {
            if sender.acked.insert(sequence) {
                self.details_let_go += 1;
            }
        }
    }

    /// A transaction was aborted.
    pub fn aborted(&mut self, producer: u32) {
        let sender = self.senders.entry(producer).or_default();
        let open = mem::take(&mut sender.open);
        let mut seen = Vec::new();
        for sequence in open.numbers.without(&NumberSet::default()) {
            sender.aborted.insert(sequence);
            if sender.seen[Reader::Committed as usize].contains(sequence) {
                seen.push(sequence);
            }
        }
        for sequence in seen {
            self.note_aborted_read(producer, sequence, -1, "and its transaction was aborted");
        }
    }

    /// A producer whose place another had taken wrote a record, which is in no transaction that can be committed; or was refused.
    pub fn never_committed(&mut self, producer: u32, sequence: u64, is_refused: bool) {
        if is_refused {
            return self.failed(producer, sequence);
        }
        let sender = self.senders.entry(producer).or_default();
        sender.aborted.insert(sequence);
        if sender.seen[Reader::Committed as usize].contains(sequence) {
            self.note_aborted_read(producer, sequence, -1, "and another producer had taken the place of its own");
        }
    }

    /// Nobody knows whether a transaction was committed.
    pub fn transaction_unknown(&mut self, producer: u32) {
        self.senders.entry(producer).or_default().open = Open::default();
    }

    /// A client library raised its producer epoch by itself, as it does where it cannot go on with its sequence numbers: what it does not know
    /// to be written it sends again, and no broker can tell that from new records.
    pub fn epoch_raised(&mut self) {
        self.has_raised_epoch = true;
    }

    /// Whether that happened.
    pub fn has_raised_epoch(&self) -> bool {
        self.has_raised_epoch
    }

    /// The topic's records are compacted, or not: then what is passed over need not be lost.
    pub fn set_compacted(&mut self, is_compacted: bool) {
        self.is_compacted = is_compacted;
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.is_compacted
    }

    /// A reader goes on at another place: what it reads next need not follow on what it read last.
    pub fn moved(&mut self, reader: Reader, partition: i32, next: i64) {
        let position = self.leaves.entry(partition).or_default().position(reader);
        position.reread_to = position.reread_to.max(position.next);
        position.next = next;
        position.last.clear();
    }

    /// A reader was given something.
    pub fn read(&mut self, reader: Reader, partition: i32, offset: i64, seen: Seen, now_ms: i64) {
        let leaf = self.leaves.entry(partition).or_default();
        let position = leaf.position(reader);
        let (expected, is_reread) = (position.next, offset < position.reread_to);
        position.next = offset + 1;
        if offset < expected {
            position.last.clear();
            self.findings.note(Kind::NonmonotonicPoll, partition, || {
                format!("{} got offset {offset} of partition {partition} after {}.", reader.name(), expected - 1)
            });
        }
        self.settle(reader, partition, (expected, offset), seen, now_ms);
        if let Seen::Own { producer, sequence, is_sound } = seen {
            if !is_sound {
                self.findings.note(Kind::Damaged, partition, || {
                    format!(
                        "Record {sequence} of producer {producer}, at offset {offset} of partition {partition}, is not as it was sent."
                    )
                });
            }
            self.own(reader, (partition, offset), (producer, sequence), is_reread);
        }
    }

    /// What was acknowledged up to this offset, and not met, is gone.
    fn settle(&mut self, reader: Reader, partition: i32, (from, to): (i64, i64), seen: Seen, now_ms: i64) {
        let Some(leaf) = self.leaves.get_mut(&partition) else { return };
        let mut missed: Vec<Entry> = Vec::new();
        leaf.settle(reader, from.min(to), to, |detail| {
            let is_met = detail.offset == to
                && matches!(seen, Seen::Own { producer, sequence, .. } if detail.is(producer, sequence));
            if !is_met {
                missed.push(detail.entry(partition));
            }
        });
        for entry in missed {
            let Some(sender) = self.senders.get(&entry.producer) else { continue };
            let had = sender.seen[reader as usize].contains(entry.sequence);
            if had || sender.lost.contains(entry.sequence) {
                continue;
            }
            if entry.offset == Some(to) {
                self.findings.note(Kind::InconsistentOffsets, partition, || {
                    format!(
                        "At offset {to} of partition {partition} record {} of producer {} was acknowledged, and another is read there.",
                        entry.sequence, entry.producer
                    )
                });
            } else if self.is_compacted {
                continue;
            }
            self.lose(entry, Kind::LostWrite, now_ms);
        }
    }

    /// A record of this workload was read.
    fn own(
        &mut self,
        reader: Reader,
        (partition, offset): (i32, i64),
        (producer, sequence): (u32, u64),
        is_reread: bool,
    ) {
        let sender = self.senders.entry(producer).or_default();
        let is_news = sender.seen[reader as usize].insert(sequence);
        let (sent, client_began) = (sender.sent, sender.client_began);
        let is_failed = sender.failed.contains(sequence);
        let is_aborted = reader.is_committed() && sender.aborted.contains(sequence);
        let is_early = reader.is_committed() && !sender.open.commits && sender.open.numbers.contains(sequence);
        let was_lost = sender.lost.remove(sequence);
        let at = |what: &str| {
            format!("Record {sequence} of producer {producer}, at offset {offset} of partition {partition}, {what}.")
        };
        if sequence >= sent {
            self.note_aborted_read(producer, sequence, partition, "and nobody sent it");
        } else if is_failed {
            self.note_aborted_read(producer, sequence, partition, "and its producer was told that it was refused");
        } else if is_aborted {
            self.note_aborted_read(producer, sequence, partition, "and its transaction was aborted");
        } else if is_early {
            let what = "was read as committed, and its transaction is open";
            self.findings.note(Kind::PrecommittedRead, partition, || at(what));
        }
        if was_lost {
            let loss = self.findings.find_again(producer, sequence);
            // That the log was cut back and read again is no fault of the reader's.
            if loss.is_some_and(|loss| loss.kind == Kind::LostWrite && !is_reread) {
                self.findings.note(Kind::PollSkip, partition, || at("had been passed over by a reader"));
            }
        }
        if !is_news && !is_reread {
            // All readers see the same log: it counts once.
            if self.senders.entry(producer).or_default().doubled.insert(sequence) {
                self.findings.note(Kind::Duplicate, partition, || at("was read before, at another offset"));
            }
            return;
        }
        let last = &mut self.leaves.entry(partition).or_default().position(reader).last;
        let before = last.get(&producer).copied();
        last.insert(producer, before.map_or(sequence, |before| before.max(sequence)));
        // What an earlier client of this number had on its way may come behind what this one sent.
        let is_late = before.is_some_and(|before| sequence < before) && sequence >= client_began;
        if is_late && reader == Reader::Everything {
            self.findings.note(Kind::NonmonotonicSend, partition, || {
                at(&format!("stands behind record {}, which was sent later", before.unwrap_or_default()))
            });
        }
    }

    /// Another leader began at an offset: what the one before acknowledged from there on is gone.
    pub fn vanished(&mut self, partition: i32, old_leader: i32, from: i64, now_ms: i64) {
        let Some(leaf) = self.leaves.get(&partition) else { return };
        let is_gone = |detail: &&Detail| detail.broker == old_leader && detail.offset >= from;
        let gone: Vec<Entry> = leaf.details().filter(is_gone).map(|detail| detail.entry(partition)).collect();
        gone.into_iter().for_each(|entry| self.lose(entry, Kind::LostWrite, now_ms));
    }

    fn note_aborted_read(&mut self, producer: u32, sequence: u64, partition: i32, why: &str) {
        self.findings.note(Kind::AbortedRead, partition, || {
            let place = if partition < 0 { String::new() } else { format!(" of partition {partition}") };
            format!("Record {sequence} of producer {producer}{place} was read, {why}.")
        });
    }

    /// An acknowledged record is gone.
    pub(super) fn lose(&mut self, entry: Entry, kind: Kind, found_ms: i64) {
        let Some(sender) = self.senders.get_mut(&entry.producer) else { return };
        if sender.lost.insert(entry.sequence) {
            let was_read = sender.seen.iter().any(|seen| seen.contains(entry.sequence));
            self.findings.lose(Loss { entry, kind, found_ms, was_read });
        }
    }

    /// What was found.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// What it adds up to.
    pub fn sums(&self) -> Sums {
        let sum = |of: fn(&Sender) -> u64| self.senders.values().map(of).sum::<u64>();
        let (sent, acked) = (sum(|one| one.sent), sum(|one| one.acked.len()));
        let (failed, aborted) = (sum(|one| one.failed.len()), sum(|one| one.aborted.len()));
        Sums {
            sent,
            acked,
            unknown: sent.saturating_sub(acked + failed + aborted),
            failed,
            aborted,
            read: sum(|one| one.seen[Reader::Everything as usize].len()),
            read_committed: sum(|one| one.seen[Reader::Committed as usize].len()),
            lost: sum(|one| one.lost.len()),
            expired: self.expired,
            details_kept: self.leaves.values().map(|leaf| leaf.kept() as u64).sum(),
            details_let_go: self.details_let_go,
        }
    }

    /// What it takes of memory, about.
    pub fn bytes(&self) -> usize {
        let sender = |one: &Sender| {
            let sets = [&one.acked, &one.failed, &one.aborted, &one.lost, &one.doubled, &one.open.numbers];
            let sets = sets.into_iter().chain(&one.seen).map(NumberSet::bytes).sum::<usize>();
            sets + one.open.acks.capacity() * size_of::<Ack>() + size_of::<Sender>()
        };
        self.senders.values().map(sender).sum::<usize>()
            + self.leaves.values().map(Leaf::bytes).sum::<usize>()
            + self.placeless.capacity() * size_of::<Ack>()
            + size_of_val(self.findings.losses())
    }

    /// What is known of a workload's history, for a reproduction.
    pub fn history(&self) -> impl Iterator<Item = (u32, [(&'static str, &NumberSet); 7])> {
        self.senders.iter().map(|(producer, sender)| {
            let seen = |reader: Reader| &sender.seen[reader as usize];
            let sets = [
                ("acknowledged", &sender.acked),
                ("refused", &sender.failed),
                ("aborted", &sender.aborted),
                ("lost", &sender.lost),
                ("read", seen(Reader::Everything)),
                ("read_committed", seen(Reader::Committed)),
                ("read_at_the_end", seen(Reader::Drain)),
            ];
            (*producer, sets)
        })
    }

    /// The newest acknowledgements, by partition and offset; then those that told none.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let placeless = self.placeless.iter().map(|ack| Entry {
            producer: ack.producer,
            sequence: ack.sequence,
            partition: ack.partition,
            offset: None,
            broker: ack.broker,
            acks: ack.acks,
            at_ms: Some(ack.at_ms),
        });
        let placed = self.leaves.iter();
        let placed = placed.flat_map(|(partition, leaf)| leaf.details().map(|detail| detail.entry(*partition)));
        placed.chain(placeless)
    }
}
