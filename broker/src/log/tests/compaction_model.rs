//! Whatever is written, and however it is compacted: what must stay stays, what may go goes, and readers get on.

use std::collections::BTreeMap;

use super::compaction::{compact_with, compacted, contents, roll};
use super::files::{check_from_outside, outside};
use super::*;
use crate::log::AppendOrigin;
use crate::log::cleaning::Means;
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};
use proptest::prelude::*;

const RETENTION_MS: i64 = 1000;

#[derive(Clone, Debug)]
enum Step {
    /// Keys and whether they get a value; the codec; a producer, if any.
    Append(Vec<(u8, bool)>, usize, Option<bool>),
    End(bool),
    Roll,
    Wait(i64),
    Compact(prop::sample::Index, u64),
    Reopen(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::collection::vec((0..6u8, prop::bool::weighted(0.8)), 1..5), 0..5usize, prop::option::of(any::<bool>()))
            .prop_map(|(records, codec, producer)| Step::Append(records, codec, producer)),
        2 => any::<bool>().prop_map(Step::End),
        1 => Just(Step::Roll),
        2 => (1..RETENTION_MS).prop_map(Step::Wait),
        3 => (any::<prop::sample::Index>(), 2..40u64).prop_map(|(index, slots)| Step::Compact(index, slots)),
        1 => any::<bool>().prop_map(Step::Reopen),
    ]
}

struct Written {
    key: String,
    value: Option<String>,
    /// Of a transaction that is open, committed or aborted; or of none.
    txn: Option<usize>,
}

#[derive(Default)]
struct Model {
    records: BTreeMap<i64, Written>,
    /// Of each transaction: whether it was committed, once it has ended.
    txns: Vec<Option<bool>>,
    open: bool,
    sequences: [i32; 2],
    now_ms: i64,
    /// When a round of compaction first went over a tombstone.
    first_cleaned_ms: BTreeMap<i64, i64>,
}

impl Model {
    fn is_aborted(&self, record: &Written) -> bool {
        record.txn.is_some_and(|txn| self.txns[txn] == Some(false))
    }
}

fn append(log: &mut Log, model: &mut Model, records: &[(u8, bool)], codec: usize, producer: Option<bool>) {
    let mut builder = BatchBuilder::new(0, Compression::ALL[codec]);
    let mut txn = None;
    if let Some(transactional) = producer {
        let id = usize::from(transactional);
        builder = builder.producer(id as i64 + 5, 0, model.sequences[id]).transactional(transactional);
        model.sequences[id] += records.len() as i32;
        if transactional {
            if !model.open {
                model.open = true;
                model.txns.push(None);
            }
            txn = Some(model.txns.len() - 1);
        }
    }
    let base = log.log_end_offset();
    for (index, (key, has_value)) in records.iter().enumerate() {
        let (key, value) = (format!("key {key}"), has_value.then(|| format!("value {}", base + index as i64)));
        builder.push(model.now_ms, Some(key.as_bytes()), value.as_deref().map(str::as_bytes), &[(b"h", None)]);
        model.records.insert(base + index as i64, Written { key, value, txn });
    }
    log.append_as_leader(now(model.now_ms), builder.build_mut(), 0).unwrap();
}

fn end(log: &mut Log, model: &mut Model, commit: bool) {
    if !std::mem::take(&mut model.open) {
        return;
    }
    let kind = if commit { ControlType::Commit } else { ControlType::Abort };
    let mut builder = BatchBuilder::new(0, Compression::None).producer(6, 0, -1).transactional(true).control(true);
    builder.push(model.now_ms, Some(&control_key(kind)), Some(&encode_end_txn_marker(0)), &[]);
    log.append(now(model.now_ms), builder.build_mut(), 0, AppendOrigin::Coordinator).unwrap();
    *model.txns.last_mut().unwrap() = Some(commit);
}

fn check(log: &Log, model: &Model) {
    let found: BTreeMap<i64, (String, Option<String>)> =
        contents(log).into_iter().map(|(offset, key, value)| (offset, (key, value))).collect();
    for (offset, (key, value)) in &found {
        let written = &model.records[offset];
        assert_eq!((key, value), (&written.key, &written.value), "offset {offset}");
    }
    let clean = log.cleaned_to().unwrap_or(0);
    let mut later: BTreeMap<&str, i64> = BTreeMap::new();
    for (offset, written) in model.records.iter().rev() {
        let is_there = found.contains_key(offset);
        if model.is_aborted(written) {
            continue;
        }
        let is_last = !later.contains_key(written.key.as_str());
        let old = model.first_cleaned_ms.get(offset).is_some_and(|first| first + RETENTION_MS <= model.now_ms);
        if *offset >= clean {
            assert!(is_there, "offset {offset} was not cleaned and is gone");
        } else if is_last && (written.value.is_some() || !old) {
            assert!(is_there, "offset {offset}, the last of {}, is gone", written.key);
        }
        later.insert(&written.key, *offset);
    }
    let (start, log_end) = (log.log_start_offset(), log.log_end_offset());
    let all = headers(log);
    for from in start..log_end {
        let read = log.read(from, 1, i64::MAX, true).unwrap();
        let expected = all.iter().find(|header| header.last_offset() >= from).map(|header| header.base_offset);
        assert_eq!(read.base_offset, expected, "a reader at {from}");
    }
    let aborted = log.aborted_transactions(0, log_end).unwrap();
    for (offset, written) in model.records.iter().filter(|(offset, _)| found.contains_key(*offset)) {
        let covers = |txn: &&crate::log::AbortedTxn| (txn.first_offset..=txn.last_offset).contains(offset);
        let is_told = written.txn.is_some() && aborted.iter().any(|txn| covers(&txn));
        assert_eq!(is_told, model.is_aborted(written), "offset {offset}");
    }
    let last = |id: i64| log.producer_states().find(|state| state.producer_id == id).map(|state| state.last_sequence());
    for (id, next) in model.sequences.iter().enumerate().filter(|(_, next)| **next > 0) {
        assert_eq!(last(id as i64 + 5), Some(next - 1));
    }
}

fn run(steps: Vec<Step>, segment_bytes: u64) {
    let disk = SimDisk::new();
    let mut files = outside(&disk);
    let config = LogConfig { delete_retention_ms: RETENTION_MS, segment_bytes, ..compacted() };
    let mut log = open(&disk, config.clone());
    let mut model = Model { now_ms: 1, ..Model::default() };
    for step in steps {
        model.now_ms += 1;
        match step {
            Step::Append(records, codec, producer) => append(&mut log, &mut model, &records, codec, producer),
            Step::End(commit) => end(&mut log, &mut model, commit),
            Step::Roll => roll(&mut log),
            Step::Wait(ms) => model.now_ms += ms,
            Step::Compact(index, slots) => {
                let high_watermark = index.index(log.log_end_offset() as usize + 1) as i64;
                let means = Means { map_bytes: slots * 24, map_load_factor: 0.9, read_bytes: 100 };
                if let Some(end) = compact_with(&mut log, model.now_ms, high_watermark, means).unwrap() {
                    assert!(end <= high_watermark);
                    for offset in
                        model.records.range(..log.segments.last().unwrap().base_offset).map(|(offset, _)| *offset)
                    {
                        model.first_cleaned_ms.entry(offset).or_insert(model.now_ms);
                    }
                }
            }
            Step::Reopen(is_clean) => {
                let cleaned_to = log.cleaned_to().unwrap_or(-1);
                if is_clean {
                    log.close(now(model.now_ms)).unwrap();
                } else {
                    disk.kill();
                }
                let recovery = Recovery { clean_shutdown: is_clean, cleaned_to, ..Recovery::UNKNOWN };
                log = open_with(&disk, config.clone(), recovery).unwrap();
            }
        }
        check(&log, &model);
        check_from_outside(&mut files, &log);
    }
}

proptest! {
    #[test]
    fn compaction_keeps_what_it_must(steps in prop::collection::vec(step(), 1..60), segment_batches in 1..6u64) {
        run(steps, 250 * segment_batches);
    }
}
