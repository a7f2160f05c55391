//! The log against a list of batches, through appends, truncations, stops, kills and losses of power.

use bytes::Bytes;
use proptest::prelude::*;

use super::files::{check_from_outside, outside};
use super::*;
use crate::log::disk::Disk;
use crate::records::validate;

#[derive(Clone, Debug)]
enum Step {
    Append { records: i32, idempotent: bool, new_epoch: bool },
    Truncate(prop::sample::Index),
    Restart(i64),
    SetStart(prop::sample::Index),
    Retention,
    Roll,
    Flush,
    Checkpoint,
    Close,
    Kill,
    PowerLoss(prop::sample::Index),
    Damage(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let append = (1..5i32, any::<bool>(), prop::bool::weighted(0.2));
    prop_oneof![
        20 => append.prop_map(|(records, idempotent, new_epoch)| Step::Append { records, idempotent, new_epoch }),
        3 => any::<prop::sample::Index>().prop_map(Step::Truncate),
        1 => (0..1000i64).prop_map(Step::Restart),
        1 => any::<prop::sample::Index>().prop_map(Step::SetStart),
        1 => Just(Step::Retention),
        1 => Just(Step::Roll),
        2 => Just(Step::Flush),
        2 => Just(Step::Checkpoint),
        2 => Just(Step::Close),
        3 => Just(Step::Kill),
        3 => any::<prop::sample::Index>().prop_map(Step::PowerLoss),
        2 => (0..4u8).prop_map(Step::Damage),
    ]
}

/// What should be in the log.
#[derive(Default)]
struct Model {
    batches: Vec<Bytes>,
    start: i64,
    empty_at: i64,
    epoch: i32,
    sequence: i32,
    recovery_point: i64,
    checkpoint: (i64, i64),
}

impl Model {
    fn headers(&self) -> Vec<BatchHeader> {
        self.batches.iter().map(|batch| BatchHeader::parse(batch).unwrap()).collect()
    }

    fn end(&self) -> i64 {
        self.headers().last().map_or(self.empty_at, BatchHeader::next_offset)
    }

    /// After a loss of power the log may be any older one, as long as what was durable is there and all of it is sound.
    fn adopt(&mut self, log: &Log) {
        let durable: Vec<&Bytes> = self
            .batches
            .iter()
            .filter(|batch| BatchHeader::parse(batch).unwrap().next_offset() <= self.recovery_point)
            .collect();
        let found = read_all(log);
        for batch in durable {
            let header = BatchHeader::parse(batch).unwrap();
            if header.base_offset >= log.log_start_offset() {
                assert!(found.contains(batch), "the durable batch at {} is lost", header.base_offset);
            }
        }
        self.batches = found;
        self.start = log.log_start_offset();
        self.empty_at = log.log_end_offset();
        self.recovery_point = log.recovery_point();
        self.sequence = log.producer_states().next().map_or(0, |state| state.last_sequence() + 1);
        self.epoch = self.epoch.max(log.latest_epoch().unwrap_or(0)) + 1;
    }
}

fn read_all(log: &Log) -> Vec<Bytes> {
    let mut found = Vec::new();
    let mut from = log.log_start_offset();
    while from < log.log_end_offset() {
        let read = log.read(from, 1 << 20, i64::MAX, true).unwrap();
        assert!(read.next_offset > from, "a reader at {from} gets on");
        found.extend(batches(&read.records).map(|batch| read.records.slice_ref(batch.unwrap().1)));
        from = read.next_offset;
    }
    found
}

fn check(log: &Log, model: &Model) {
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (model.start, model.end()));
    let seen: Vec<Bytes> = model
        .batches
        .iter()
        .filter(|batch| BatchHeader::parse(batch).unwrap().next_offset() > model.start)
        .cloned()
        .collect();
    assert_eq!(read_all(log), seen);
    let mut next = None;
    let mut epochs: Vec<(i32, i64)> = Vec::new();
    for batch in &seen {
        let header = validate(batch).unwrap();
        assert!(next.is_none_or(|next| next == header.base_offset));
        next = Some(header.next_offset());
        if epochs.last().is_none_or(|last| last.0 != header.partition_leader_epoch) {
            epochs.push((header.partition_leader_epoch, header.base_offset.max(model.start)));
        }
    }
    // An epoch may begin at the end, with nothing in it.
    let entries = log.leader_epochs().entries();
    let filled = entries.partition_point(|(_, start)| *start < model.end());
    assert_eq!((&entries[..filled], entries.len() - filled <= 1), (&epochs[..], true));
    for (offset, end) in [(model.start, model.end()), ((model.start + model.end()) / 2, model.end())] {
        if offset < end {
            let read = log.read(offset, 1, end, true).unwrap();
            let header = BatchHeader::parse(&read.records).unwrap();
            assert!(header.base_offset <= offset && offset <= header.last_offset());
        }
    }
    let last = model.headers().iter().rev().find(|header| header.has_producer_id()).map(BatchHeader::last_sequence);
    if let Some(last) = last {
        assert_eq!(log.producer_states().next().map(|state| state.last_sequence()), Some(last));
    }
}

fn run(steps: Vec<Step>, config: LogConfig) {
    let disk = SimDisk::new();
    let mut files = outside(&disk);
    let mut log = open(&disk, config.clone());
    let mut model = Model::default();
    let mut clock = 0;
    let reopen = |disk: &SimDisk, model: &Model, is_clean: bool| {
        let (recovery_point, start) = model.checkpoint;
        let recovery = if is_clean {
            clean(model.start)
        } else {
            Recovery { clean_shutdown: false, recovery_point, log_start_offset: start, ..Recovery::UNKNOWN }
        };
        open_with(disk, config.clone(), recovery).unwrap()
    };
    for step in steps {
        clock += 1;
        match step {
            Step::Append { records, idempotent, new_epoch } => {
                model.epoch += i32::from(new_epoch);
                let bytes = if idempotent {
                    producer_batch(7, 0, model.sequence, records, false)
                } else {
                    batch(clock, records)
                };
                let info = log.append_as_leader(now(clock), bytes, model.epoch).unwrap();
                assert_eq!(info.first_offset, model.end());
                model.sequence += if idempotent { records } else { 0 };
                let read = log.read(info.first_offset, 1 << 20, i64::MAX, true).unwrap();
                model.batches.push(read.records);
            }
            Step::Truncate(index) => {
                let offset = model.start + index.index((model.end() - model.start) as usize + 1) as i64;
                log.truncate_to(offset).unwrap();
                let first = model.batches.first().map(|batch| BatchHeader::parse(batch).unwrap().base_offset);
                model.batches.retain(|batch| BatchHeader::parse(batch).unwrap().next_offset() <= offset);
                if model.batches.is_empty() {
                    model.empty_at = first.unwrap_or(model.empty_at);
                }
                if model.end() < model.start {
                    model.batches.clear();
                    model.empty_at = model.start;
                }
                model.recovery_point = model.recovery_point.min(model.end());
                model.sequence = log.producer_states().next().map_or(0, |state| state.last_sequence() + 1);
                assert_eq!(log.recovery_point().min(log.log_end_offset()), log.recovery_point());
            }
            Step::Restart(by) => {
                let offset = model.end() + by;
                log.truncate_fully_and_start_at(offset).unwrap();
                model = Model {
                    start: offset,
                    empty_at: offset,
                    epoch: model.epoch,
                    checkpoint: model.checkpoint,
                    ..Model::default()
                };
                model.checkpoint.1 = offset;
            }
            Step::SetStart(index) => {
                model.start += index.index((model.end() - model.start) as usize + 1) as i64;
                log.set_log_start_offset(model.start).unwrap();
                model.checkpoint.1 = model.start;
            }
            Step::Retention => {
                log.apply_retention(now(clock), model.end()).unwrap();
                model.empty_at = model.end();
                model.batches.retain(|batch| BatchHeader::parse(batch).unwrap().next_offset() > log.log_start_offset());
                model.start = log.log_start_offset();
                model.checkpoint.1 = model.start;
            }
            Step::Roll => log.change(|log| log.roll(now(clock))).unwrap(),
            Step::Flush => {
                log.flush(now(clock)).unwrap();
                model.recovery_point = model.end();
                assert_eq!(log.recovery_point(), model.end());
            }
            Step::Checkpoint => model.checkpoint = (log.recovery_point(), model.start),
            Step::Close => {
                // The directory writes its checkpoints before it leaves the clean marker.
                model.checkpoint = (log.close(now(clock)).unwrap(), model.start);
                disk.power_loss();
                log = reopen(&disk, &model, true);
                model.recovery_point = model.end();
            }
            Step::Kill => {
                disk.kill();
                log = reopen(&disk, &model, false);
                model.recovery_point = log.recovery_point();
            }
            Step::PowerLoss(index) => {
                disk.power_loss_keeping(|unsynced| index.index(unsynced + 1));
                log = reopen(&disk, &model, false);
                model.adopt(&log);
            }
            Step::Damage(kind) => {
                disk.kill();
                let suffix = ["index", "timeindex", "snapshot", "leader-epoch-checkpoint"][usize::from(kind)];
                let found = disk.list(&dir()).unwrap().into_iter().rfind(|name| name.ends_with(suffix));
                if let Some(name) = found {
                    disk.remove_file(&file(&name)).unwrap();
                }
                log = reopen(&disk, &model, false);
                model.recovery_point = log.recovery_point();
            }
        }
        check(&log, &model);
        check_from_outside(&mut files, &log);
    }
}

proptest! {
    #[test]
    fn the_log_is_its_model(
        steps in prop::collection::vec(step(), 1..60),
        segment_batches in 1..8u64,
        preallocate in any::<bool>(),
    ) {
        run(steps, LogConfig { segment_bytes: 150 * segment_batches, preallocate, retention_ms: -1, ..small() });
    }
}
