//! Random histories against a model that keeps one entry for each offset.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MEMBERS: [&str; 3] = ["a", "b", "c"];
const LIMIT: i32 = 4;

#[derive(Clone, Debug)]
enum Step {
    /// Records are appended: so many batches of so many.
    Append(u8, u8),
    /// A member fetches at most so many; `true`: strictly.
    Acquire(usize, u8, bool),
    /// A member acknowledges a part of what it has (from, how many, type).
    Acknowledge(usize, u8, u8, i8),
    /// A member goes.
    Release(usize),
    /// Time passes, ms.
    Wait(u8),
    /// What is to be kept is sent.
    Send,
    /// The write under way is answered.
    Answer(bool),
    /// The log begins later by so many.
    LogStart(u8),
    /// Another leader reads what was kept; a write that is under way was kept, or was not.
    Reload(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1u8..4, 1u8..6).prop_map(|(batches, records)| Step::Append(batches, records)),
        4 => (0usize..3, 1u8..12, any::<bool>()).prop_map(|(member, max, strict)| Step::Acquire(member, max, strict)),
        5 => (0usize..3, 0u8..8, 1u8..8, 0i8..5).prop_map(|(m, from, len, kind)| Step::Acknowledge(m, from, len, kind)),
        1 => (0usize..3).prop_map(Step::Release),
        2 => (1u8..80).prop_map(Step::Wait),
        4 => Just(Step::Send),
        4 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(Step::Answer),
        1 => (1u8..6).prop_map(Step::LogStart),
        1 => any::<bool>().prop_map(Step::Reload),
    ]
}

/// What is true of one offset.
#[derive(Clone, Debug, Default)]
struct Record {
    holder: Option<usize>,
    locked_until: Duration,
    deliveries: i32,
    /// An acknowledgement that ends it, by its number, which is not kept yet.
    ending: Option<u64>,
    /// It was accepted or rejected, and that was kept: nobody may get it again.
    is_over: bool,
}

struct World {
    partition: SharePartition,
    limits: ShareLimits,
    now: Duration,
    batches: Vec<LogBatch>,
    log_start: i64,
    log_end: i64,
    records: BTreeMap<i64, Record>,
    /// What the share coordinator has: start offset, and states by offset.
    kept_start: i64,
    kept: BTreeMap<i64, (i8, i16)>,
    /// The write under way, and the number of its last change.
    sent: Option<(StateWrite, u64)>,
    asked: u64,
    seen_start: i64,
}

impl World {
    fn new() -> World {
        let limits = ShareLimits { delivery_count_limit: LIMIT, max_record_locks: 20, ..limits() };
        World {
            partition: SharePartition::load(&kept(0, &[])).unwrap(),
            limits,
            now: at(1),
            batches: Vec::new(),
            log_start: 0,
            log_end: 0,
            records: BTreeMap::new(),
            kept_start: 0,
            kept: BTreeMap::new(),
            sent: None,
            asked: 0,
            seen_start: 0,
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append(batches, records) => {
                for _ in 0..batches {
                    let last = self.log_end + i64::from(records) - 1;
                    self.batches.push(LogBatch { base: self.log_end, last, is_aborted: false });
                    self.log_end = last + 1;
                }
            }
            Step::Acquire(member, max, strict) => self.acquire(member, i64::from(max), strict),
            Step::Acknowledge(member, from, len, kind) => self.acknowledge(member, from, len, kind),
            Step::Release(member) => {
                self.partition.release(&self.limits, MEMBERS[member]);
                self.asked = self.asked.max(self.partition.last_change);
                for record in self.records.values_mut().filter(|record| record.holder == Some(member)) {
                    record.holder = None;
                }
            }
            Step::Wait(ms) => self.wait(u64::from(ms)),
            Step::Send => self.send(),
            Step::Answer(is_kept) => self.answer(is_kept),
            Step::LogStart(by) => {
                self.log_start = (self.log_start + i64::from(by)).min(self.log_end);
                self.partition.move_log_start(self.log_start);
                for (_, record) in self.records.range_mut(..self.log_start) {
                    record.holder = None;
                }
            }
            Step::Reload(was_kept) => self.reload(was_kept),
        }
        self.check();
    }

    fn acquire(&mut self, member: usize, max_records: i64, strict: bool) {
        let fetch_offset = self.partition.next_fetch_offset();
        assert!(fetch_offset >= self.log_start, "what is gone is not asked for");
        if !self.partition.can_acquire(self.limits.max_record_locks) {
            return;
        }
        let read: Vec<LogBatch> =
            self.batches.iter().filter(|batch| batch.last >= fetch_offset).take(3).copied().collect();
        let mode = if strict { AcquireMode::RecordLimit } else { AcquireMode::BatchOptimized };
        let name: Arc<str> = MEMBERS[member].into();
        let ask = Acquire { member: &name, mode, batch_size: 3, max_records, fetch_offset };
        let acquired = self.partition.acquire(self.now, &self.limits, &ask, &read);
        let count: i64 = acquired.iter().map(AcquiredRange::len).sum();
        assert!(!strict || count <= max_records);
        assert!(read.is_empty() || !acquired.is_empty(), "{fetch_offset} was asked for, and nothing taken");
        for range in acquired {
            for offset in range.first_offset..=range.last_offset {
                assert!(offset >= self.log_start && offset < self.log_end);
                let record = self.records.entry(offset).or_default();
                assert!(!record.is_over, "offset {offset} was done");
                assert!(record.ending.is_none(), "offset {offset} is being acknowledged");
                assert!(record.holder.is_none(), "offset {offset} is with another member");
                assert_eq!(i32::from(range.delivery_count), record.deliveries + 1);
                record.deliveries += 1;
                assert!(record.deliveries <= LIMIT, "offset {offset} is delivered too often");
                record.holder = Some(member);
                record.locked_until = self.now + self.limits.record_lock;
            }
        }
    }

    fn acknowledge(&mut self, member: usize, from: u8, len: u8, kind: i8) {
        let held = self.records.iter().filter(|(_, record)| record.holder == Some(member) && record.ending.is_none());
        let held: Vec<i64> = held.map(|(offset, _)| *offset).collect();
        let Some(first) = held.get(usize::from(from) % held.len().max(1)).copied() else { return };
        let last = (first..).zip(first..first + i64::from(len)).take_while(|(offset, _)| held.contains(offset)).last();
        let last = last.map_or(first, |(offset, _)| offset);
        let one = Acknowledgement { first_offset: first, last_offset: last, types: vec![kind] };
        let number = self.partition.acknowledge(self.now, &self.limits, MEMBERS[member], &[one]);
        let number = number.unwrap_or_else(|refusal| panic!("{first}-{last}: {refusal}"));
        self.asked = self.asked.max(number.unwrap_or(0));
        for offset in first..=last {
            let record = self.records.get_mut(&offset).unwrap();
            match kind {
                4 => record.locked_until = self.now + self.limits.record_lock,
                2 => record.holder = None,
                _ => {
                    record.ending = number;
                    record.holder = None;
                }
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        self.now += at(ms);
        self.partition.expire_locks(self.now, &self.limits);
        for record in self.records.values_mut() {
            if record.holder.is_some() && record.locked_until <= self.now {
                record.holder = None;
            }
        }
    }

    fn send(&mut self) {
        let through = self.partition.queued_to;
        if let Some(write) = self.partition.take_write() {
            assert!(self.sent.is_none());
            self.sent = Some((write, through));
        }
    }

    fn store(&mut self, write: &StateWrite, through: u64) {
        for batch in &write.batches {
            for offset in batch.first_offset..=batch.last_offset {
                self.kept.insert(offset, (batch.delivery_state, batch.delivery_count));
            }
        }
        self.kept_start = self.kept_start.max(write.start_offset);
        self.kept = self.kept.split_off(&self.kept_start);
        for record in self.records.values_mut() {
            if record.ending.is_some_and(|number| number <= through) {
                (record.ending, record.is_over) = (None, true);
            }
        }
    }

    fn answer(&mut self, is_kept: bool) {
        let Some((write, through)) = self.sent.take() else { return };
        if is_kept {
            self.store(&write, through);
        }
        assert_eq!(self.partition.written(self.now, &self.limits, is_kept), Some(through));
        if !is_kept {
            // Who has what is as it was before, as far as locks have not run out: ask the partition.
            self.recall(through);
        }
    }

    /// Takes from the partition who has what again after a failed write.
    fn recall(&mut self, through: u64) {
        for (offset, record) in &mut self.records {
            if record.ending.is_some_and(|number| number <= through) {
                record.ending = None;
            }
            let batch = self.partition.batches.range(..=*offset).next_back();
            let piece = batch.and_then(|(_, batch)| batch.touching(*offset, *offset).next());
            let Some((_, piece)) = piece.filter(|(_, piece)| piece.state == RecordState::Acquired) else { continue };
            record.holder = MEMBERS.iter().position(|name| piece.belongs_to(name));
            record.locked_until = piece.locked_until.unwrap();
        }
    }

    fn reload(&mut self, was_kept: bool) {
        if let Some((write, through)) = self.sent.take().filter(|_| was_kept) {
            self.store(&write, through);
        }
        let mut batches: Vec<StateBatch> = Vec::new();
        for (offset, (delivery_state, delivery_count)) in &self.kept {
            batches.push(StateBatch {
                first_offset: *offset,
                last_offset: *offset,
                delivery_state: *delivery_state,
                delivery_count: *delivery_count,
            });
        }
        let state = KeptState { state_epoch: 3, start_offset: self.kept_start, batches };
        self.partition = SharePartition::load(&state).unwrap();
        self.partition.move_log_start(self.log_start);
        self.seen_start = self.kept_start;
        for (offset, record) in &mut self.records {
            record.holder = None;
            record.ending = None;
            if *offset < self.kept_start {
                // Nothing is kept of it but that it is done: how often it was delivered still tells whether that is so.
                continue;
            }
            record.deliveries = self.kept.get(offset).map_or(0, |(_, count)| i32::from(*count));
        }
    }

    fn check(&mut self) {
        let start = self.partition.start_offset();
        assert!(start >= self.seen_start, "the start offset went back");
        self.seen_start = start;
        for (offset, record) in self.records.range(start..) {
            let batch = self.partition.batches.range(..=*offset).next_back();
            let piece = batch.and_then(|(_, batch)| batch.touching(*offset, *offset).next());
            let holder = piece.and_then(|(_, piece)| MEMBERS.iter().position(|name| piece.belongs_to(name)));
            assert_eq!(holder, record.holder, "who has offset {offset}");
        }
        // What lies before the start is done: accepted, rejected, spent, gone, or a gap that was said to be one.
        for (offset, record) in self.records.range(self.log_start..start.max(self.log_start)) {
            let spent = record.deliveries >= LIMIT;
            assert!(record.holder.is_none(), "offset {offset} was left behind");
            assert!(record.is_over || spent, "offset {offset} was skipped");
        }
        for offset in self.log_start..start {
            assert!(self.records.contains_key(&offset), "offset {offset} was never delivered");
        }
    }

    /// Everything comes to an end if a member goes on long enough.
    fn drain(&mut self) {
        self.answer(true);
        for _ in 0..400 {
            self.wait(LOCK_MS);
            self.acquire(0, 10, false);
            let held: Vec<i64> =
                self.records.iter().filter(|(_, record)| record.holder == Some(0)).map(|(offset, _)| *offset).collect();
            for offset in held {
                let one = Acknowledgement { first_offset: offset, last_offset: offset, types: vec![1] };
                let number = self.partition.acknowledge(self.now, &self.limits, MEMBERS[0], &[one]).unwrap();
                let record = self.records.get_mut(&offset).unwrap();
                (record.holder, record.ending) = (None, number);
            }
            self.send();
            self.answer(true);
            self.check();
        }
        assert_eq!(self.partition.start_offset(), self.log_end.max(self.log_start), "something is left");
        assert!(self.partition.is_empty() && self.partition.is_kept());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn each_record_is_with_one_member_until_it_is_done(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.drain();
    }
}
