//! Compaction as Kafka's `LogCleanerTest`, `LogCleanerManagerTest` and `LogCleanerIntegrationTest` have it.

use super::*;
use crate::log::cleaning::{Cleaning, Means, Progress};
use crate::log::disk::Disk;
use crate::log::{AbortedTxn, AppendOrigin, CleanerConfig, CleaningOutcome, LogDir};
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};

pub(super) fn compacted() -> LogConfig {
    LogConfig { cleanup_compact: true, cleanup_delete: false, min_cleanable_dirty_ratio: 0.0, ..small() }
}

pub(super) fn keyed(timestamp_ms: i64, codec: Compression, records: &[(&str, Option<&str>)]) -> BytesMut {
    let mut builder = BatchBuilder::new(0, codec);
    for (key, value) in records {
        builder.push(timestamp_ms, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder.build_mut()
}

pub(super) fn put(log: &mut Log, at: i64, key: &str, value: Option<&str>) -> i64 {
    log.append_as_leader(now(at), keyed(at, Compression::None, &[(key, value)]), 0).unwrap().first_offset
}

fn put_by(log: &mut Log, producer: i64, epoch: i16, sequence: i32, is_transactional: bool, keys: &[&str]) -> i64 {
    let mut builder =
        BatchBuilder::new(0, Compression::None).producer(producer, epoch, sequence).transactional(is_transactional);
    keys.iter().for_each(|key| builder.push(1, Some(key.as_bytes()), Some(b"v"), &[]));
    log.append_as_leader(now(1), builder.build_mut(), 0).unwrap().first_offset
}

fn end(log: &mut Log, producer: i64, kind: ControlType) -> i64 {
    let mut builder =
        BatchBuilder::new(0, Compression::None).producer(producer, 0, -1).transactional(true).control(true);
    builder.push(1, Some(&control_key(kind)), Some(&encode_end_txn_marker(0)), &[]);
    log.append(now(1), builder.build_mut(), 0, AppendOrigin::Coordinator).unwrap().first_offset
}

pub(super) fn roll(log: &mut Log) {
    log.change(|log| log.roll(now(1))).unwrap();
}

const MEANS: Means = Means { map_bytes: 1 << 20, map_load_factor: 0.9, read_bytes: 300 };

pub(super) fn compact_with(log: &mut Log, at: i64, high_watermark: i64, means: Means) -> Result<Option<i64>, LogError> {
    let dirt = log.dirt(at, high_watermark).and_then(|dirt| dirt.due());
    let Some((_, section)) = dirt else { return Ok(None) };
    let mut cleaning = Cleaning::begin(log, section, means, now(at));
    loop {
        match cleaning.step(log, now(at), 200) {
            Ok(Progress::More(_)) => {}
            Ok(Progress::Done(offset)) => {
                cleaning.abort(log);
                log.cleaned_to = Some(offset);
                return Ok(Some(offset));
            }
            Err(error) => {
                cleaning.abort(log);
                return Err(error);
            }
        }
    }
}

/// One round over all that may be cleaned. Gives where it ended.
pub(super) fn compact(log: &mut Log, at: i64) -> Option<i64> {
    let end = log.log_end_offset();
    compact_with(log, at, end, MEANS).unwrap()
}

/// Offset, key and value of every data record.
pub(super) fn contents(log: &Log) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let mut found = Vec::new();
    let mut from = log.log_start_offset();
    loop {
        let read = log.read(from, 1000, i64::MAX, true).unwrap();
        if read.records.is_empty() {
            return found;
        }
        for (header, batch) in batches(&read.records).map(Result::unwrap) {
            crate::records::validate(batch).unwrap();
            if !header.is_control() {
                found.extend(
                    records(batch, 1 << 20)
                        .unwrap()
                        .map(Result::unwrap)
                        .map(|record| (record.offset, text(record.key.unwrap_or_default()), record.value.map(text))),
                );
            }
        }
        from = read.next_offset;
    }
}

pub(super) fn offsets(log: &Log) -> Vec<i64> {
    contents(log).into_iter().map(|(offset, ..)| offset).collect()
}

#[test]
fn the_last_of_each_key_stays_at_its_offset() {
    for codec in Compression::ALL {
        let disk = SimDisk::new();
        let mut log = open(&disk, compacted());
        for round in 0..10 {
            let keys = ["a", "b", "c"].map(|key| (key, Some("some value that repeats, some value that repeats")));
            log.append_as_leader(now(round), keyed(round, codec, &keys), 0).unwrap();
        }
        log.append_as_leader(now(10), keyed(10, codec, &[("b", Some("new")), ("d", Some("only"))]), 0).unwrap();
        roll(&mut log);
        let (segments, size) = (log.segment_count(), log.size_bytes());
        assert_eq!(compact(&mut log, 20), Some(32));
        assert_eq!(offsets(&log), [27, 29, 30, 31], "{}", codec.name());
        assert!(log.size_bytes() < size);
        let codecs: Vec<_> =
            headers(&log).iter().filter(|it| it.record_count > 0).map(|it| it.compression().unwrap()).collect();
        assert!(codecs.iter().all(|found| *found == codec));
        assert_eq!(compact(&mut log, 20), None, "it is clean");
        put(&mut log, 30, "b", Some("newer"));
        roll(&mut log);
        assert_eq!(compact(&mut log, 40), Some(33));
        assert_eq!(offsets(&log), [27, 29, 31, 32]);
        assert!(log.segment_count() < segments, "small neighbours become one");
        for from in 0..32 {
            let read = log.read(from, 1, i64::MAX, true).unwrap();
            assert!(read.next_offset > from, "a reader at {from} gets on");
        }
        let before = (headers(&log), log.size_bytes(), log.segment_count());
        log.close(now(1)).unwrap();
        let log = open_with(&disk, compacted(), clean(0)).unwrap();
        assert_eq!((headers(&log), log.size_bytes(), log.segment_count()), before);
    }
}

#[test]
fn the_active_segment_what_is_young_and_what_is_not_committed_stay() {
    let fill = |config: LogConfig| {
        let disk = SimDisk::new();
        let mut log = open(&disk, config);
        for at in 0..30 {
            put(&mut log, at * 100, "key", Some("value"));
        }
        log
    };
    let mut log = fill(compacted());
    let active = log.active_segment_base_offset();
    assert_eq!(compact(&mut log, 3000), Some(active));
    assert_eq!(offsets(&log), (active - 1..30).collect::<Vec<_>>());
    let mut log = fill(compacted());
    let end = compact_with(&mut log, 3000, 10, MEANS).unwrap().unwrap();
    assert!(end <= 10 && end > 0, "whole segments below the high watermark: {end}");
    assert_eq!(offsets(&log), (end - 1..30).collect::<Vec<_>>());
    let mut log = fill(LogConfig { min_compaction_lag_ms: 2000, ..compacted() });
    let end = compact(&mut log, 3000).unwrap();
    assert!(end <= 11 && end > 0, "older than the lag: {end}");
    assert_eq!(offsets(&log), (end - 1..30).collect::<Vec<_>>());
    let mut log = fill(LogConfig { min_cleanable_dirty_ratio: 1.0, ..compacted() });
    assert_eq!(compact(&mut log, 3000), None, "never dirtier than 1");
    let overdue = LogConfig { min_cleanable_dirty_ratio: 1.0, max_compaction_lag_ms: 1000, ..compacted() };
    let mut log = fill(overdue);
    assert_eq!(compact(&mut log, 1001), None);
    assert!(compact(&mut log, 3000).is_some());
}

#[test]
fn a_log_that_compacts_soon_rolls_soon() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { max_compaction_lag_ms: 100, segment_bytes: 1 << 20, ..compacted() });
    put(&mut log, 1, "a", Some("x"));
    put(&mut log, 101, "a", Some("x"));
    assert_eq!(log.segment_count(), 1);
    put(&mut log, 102, "a", Some("x"));
    assert_eq!(log.segment_count(), 2);
}

#[test]
fn tombstones_go_after_their_time() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { delete_retention_ms: 1000, ..compacted() });
    put(&mut log, 1, "a", Some("x"));
    put(&mut log, 2, "a", None);
    put(&mut log, 3, "b", Some("y"));
    roll(&mut log);
    assert_eq!(compact(&mut log, 500), Some(3));
    assert_eq!(offsets(&log), [1, 2]);
    let horizons: Vec<_> = headers(&log).iter().map(BatchHeader::delete_horizon_ms).collect();
    assert_eq!(horizons, [Some(1500), None], "the first round says when it may go");
    for (at, left) in [(1499, vec![1, 2, 3]), (1500, vec![2, 4])] {
        put(&mut log, 4, "other", Some("z"));
        roll(&mut log);
        compact(&mut log, at).unwrap();
        assert_eq!(offsets(&log), left, "at {at}");
    }
    let times: Vec<_> = headers(&log).iter().map(|header| header.max_timestamp).collect();
    assert_eq!(times, [3, 4]);
}

#[test]
fn a_dirty_section_that_does_not_fit_is_cleaned_in_parts() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    for round in 0..3 {
        for key in 0..40 {
            put(&mut log, round, &format!("key {key}"), Some("v"));
        }
    }
    roll(&mut log);
    let means = Means { map_bytes: 20 * 24, ..MEANS };
    let mut rounds = Vec::new();
    while let Some(end) = compact_with(&mut log, 10, 120, means).unwrap() {
        rounds.push(end);
        let kept = contents(&log);
        for key in 0..40 {
            assert!(kept.iter().any(|(offset, found, _)| *offset >= 80 && *found == format!("key {key}")));
        }
    }
    assert!(rounds.len() >= 6 && rounds.windows(2).all(|pair| pair[0] < pair[1]), "{rounds:?}");
    assert_eq!(rounds.last(), Some(&120));
    // Kafka too leaves duplicates of different parts until the next round meets them.
    assert!(offsets(&log).len() < 120);
}

#[test]
fn records_without_a_key_are_refused_and_old_ones_go() {
    let disk = SimDisk::new();
    let mut log = open(&disk, small());
    append(&mut log, 1, 2, 0);
    put(&mut log, 1, "a", Some("x"));
    log.set_config(compacted());
    for codec in [Compression::None, Compression::Zstd] {
        let mut builder = BatchBuilder::new(0, codec);
        builder.push(1, Some(b"key"), None, &[]);
        builder.push(1, None, Some(b"value"), &[]);
        let refused = log.append_as_leader(now(1), builder.build_mut(), 0).unwrap_err();
        let LogError::RejectedRecords(rejected) = &refused else { panic!("{refused}") };
        let message = "Compacted topic cannot accept message without key in topic partition t-0".to_owned();
        assert_eq!((rejected.count, &rejected.errors[..]), (1, &[(1, message)][..]));
    }
    roll(&mut log);
    compact(&mut log, 2).unwrap();
    assert_eq!(offsets(&log), [2]);
}

#[test]
fn producers_are_remembered_by_their_last_batch() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    put_by(&mut log, 7, 0, 0, false, &["a", "b"]);
    put_by(&mut log, 7, 0, 2, false, &["a", "b"]);
    put_by(&mut log, 8, 3, 0, false, &["a", "b"]);
    put(&mut log, 1, "a", Some("z"));
    put(&mut log, 1, "b", Some("z"));
    roll(&mut log);
    compact(&mut log, 2).unwrap();
    assert_eq!(offsets(&log), [6, 7]);
    let kept: Vec<_> = headers(&log).iter().map(|it| (it.base_offset, it.record_count, it.last_sequence())).collect();
    assert_eq!(kept, [(2, 0, 3), (4, 0, 1), (6, 1, -1), (7, 1, -1)]);
    log.close(now(1)).unwrap();
    for name in disk.list(&dir()).unwrap().into_iter().filter(|name| name.ends_with("snapshot")) {
        disk.remove_file(&file(&name)).unwrap();
    }
    let mut log = open_with(&disk, compacted(), clean(0)).unwrap();
    put_by(&mut log, 7, 0, 4, false, &["c"]);
    let stale = producer_batch(8, 2, 0, 1, false);
    log.set_config(small());
    assert!(matches!(log.append_as_leader(now(1), stale, 0), Err(LogError::InvalidProducerEpoch { .. })));
}

#[test]
fn aborted_records_go_and_their_markers_follow() {
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { delete_retention_ms: 1000, ..compacted() });
    put(&mut log, 1, "a", Some("committed"));
    put_by(&mut log, 1, 0, 0, true, &["a", "b"]); // 1, 2
    put_by(&mut log, 2, 0, 0, true, &["c"]); // 3
    roll(&mut log);
    put_by(&mut log, 1, 0, 2, true, &["a"]); // 4
    end(&mut log, 1, ControlType::Abort); // 5
    end(&mut log, 2, ControlType::Commit); // 6
    roll(&mut log);
    let aborted = AbortedTxn { producer_id: 1, first_offset: 1, last_offset: 5, last_stable_offset: 3 };
    assert_eq!(log.aborted_transactions(0, 7).unwrap(), [aborted]);
    compact(&mut log, 10).unwrap();
    // The last batch of producer 1 stays as a header, and so its marker and the entry in the index.
    assert_eq!(contents(&log).iter().map(|it| (it.0, it.1.as_str())).collect::<Vec<_>>(), [(0, "a"), (3, "c")]);
    assert_eq!(log.aborted_transactions(0, 7).unwrap(), [aborted]);
    let kept = |log: &Log| headers(log).iter().map(|it| it.base_offset).collect::<Vec<_>>();
    assert_eq!(kept(&log), [0, 3, 4, 5, 6]);
    // Once the producer is forgotten, nothing holds the batch; in the round after, the marker has nothing left to end, and its time begins.
    log.producers.expire(i64::MAX, 0);
    let horizon = |log: &Log| headers(log).iter().find(|it| it.base_offset == 5).map(BatchHeader::delete_horizon_ms);
    for (at, index, horizon_ms) in [(19, vec![aborted], None), (20, vec![], Some(1020))] {
        put(&mut log, 11, "d", Some("more"));
        roll(&mut log);
        compact(&mut log, at).unwrap();
        assert_eq!((horizon(&log), log.aborted_transactions(0, 7).unwrap()), (Some(horizon_ms), index), "at {at}");
    }
    for (at, is_there) in [(1019, true), (1020, false)] {
        put(&mut log, 12, &format!("e{at}"), Some("more"));
        roll(&mut log);
        compact(&mut log, at).unwrap();
        assert_eq!(kept(&log).contains(&5), is_there, "at {at}");
    }
    let before = kept(&log);
    assert_eq!(before[..3], [0, 3, 6]);
    log.close(now(1)).unwrap();
    assert_eq!(kept(&open_with(&disk, compacted(), clean(0)).unwrap()), before);
}

#[test]
fn an_open_transaction_holds_the_cleaner_back() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    for at in 0..12 {
        put(&mut log, at, "a", Some("x"));
    }
    let first = put_by(&mut log, 1, 0, 0, true, &["a"]);
    for at in 0..12 {
        put(&mut log, at, "a", Some("x"));
    }
    roll(&mut log);
    let end_offset = compact(&mut log, 20).unwrap();
    assert!(end_offset <= first);
    end(&mut log, 1, ControlType::Commit);
    roll(&mut log);
    assert_eq!(compact(&mut log, 20), Some(log.log_end_offset()));
    assert_eq!(offsets(&log), [24]);
}

#[test]
fn rot_makes_a_log_uncleanable_and_leaves_it_as_it_is() {
    let disk = SimDisk::new();
    let mut dir = LogDir::open(Arc::new(disk.clone()), "/data".into(), 1, "cluster", now(1)).unwrap();
    for partition in 0..2 {
        let log = dir.create_log(TopicPartition::new("t", partition), TOPIC_ID, compacted(), now(1)).unwrap();
        for at in 0..20 {
            put(log, at, "a", Some("value"));
        }
        roll(log);
    }
    let size = keyed(1, Compression::None, &[("a", Some("value"))]).len() as u64;
    flip(&disk, &file("00000000000000000000.log"), size + 70);
    let config = CleanerConfig { backoff: std::time::Duration::from_millis(50), ..CleanerConfig::default() };
    let mut outcomes = Vec::new();
    for at in 0..1000 {
        outcomes.extend(dir.clean(now(10 + at), &config, &|log| Some(log.log_end_offset())));
    }
    assert!(
        matches!(&outcomes[..], [
            CleaningOutcome::Uncleanable { partition: rotten, error: LogError::Corrupt { position, .. } },
            CleaningOutcome::Cleaned { partition: sound, to_offset: 20, .. },
        ] if (rotten.partition, sound.partition) == (0, 1) && *position == size),
        "{outcomes:?}"
    );
    assert_eq!(dir.uncleanable().len(), 1);
    // All but the active segment of the rotten one.
    let rotten = dir.log(&TopicPartition::new("t", 0)).unwrap();
    let active = rotten.segments.last().unwrap().size_bytes;
    let dirty = rotten.size_bytes() - active;
    assert_eq!(dir.uncleanable_bytes(), dirty);
    let gauges = dir.cleaner_gauges();
    assert_eq!((gauges.dirtiest_ratio, gauges.compaction_delay_ms), (0.0, 0), "nothing is left to be compacted");
    assert!(gauges.last.bytes_after > 0 && gauges.last.bytes_after < gauges.last.bytes_before, "{gauges:?}");
    assert_eq!(gauges.last.records_before, 20, "of the sound one");
    assert!(gauges.last_took < std::time::Duration::from_secs(1) && gauges.last_map_utilization > 0.0);
    assert!(dir.take_cleaner_bytes() >= gauges.last.bytes_before + gauges.last.bytes_after);
    assert_eq!(dir.take_cleaner_bytes(), 0);
    assert!(dir.logs().all(|log| log.offline().is_none()));
    assert!(disk.list(&dir.root().join("t-0")).unwrap().iter().all(|name| !name.contains("cleaned")));
    let text = disk.read(Path::new("/data/cleaner-offset-checkpoint"), 100).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "0\n1\nt 1 20\n");
    let log = dir.log(&TopicPartition::new("t", 1)).unwrap();
    assert_eq!((log.cleaned_to(), offsets(log)), (Some(20), vec![19]));
    dir.shutdown_clean(now(5000), 1).unwrap();
    let dir = LogDir::open(Arc::new(disk.clone()), "/data".into(), 1, "cluster", now(1)).unwrap();
    assert_eq!(dir.log(&TopicPartition::new("t", 1)).unwrap().cleaned_to(), Some(20));
}

#[test]
fn truncation_retention_and_deletion_end_a_round() {
    let name = TopicPartition::new("t", 0);
    let filled = |disk: &SimDisk| {
        let mut dir = LogDir::open(Arc::new(disk.clone()), "/data".into(), 1, "cluster", now(1)).unwrap();
        let log =
            dir.create_log(name.clone(), TOPIC_ID, LogConfig { cleanup_delete: true, ..compacted() }, now(1)).unwrap();
        for at in 0..200 {
            put(log, at, &format!("key {}", at % 50), Some("value"));
        }
        dir
    };
    for case in 0..3 {
        let disk = SimDisk::new();
        let mut dir = filled(&disk);
        // A step of the directory's is larger than the log, so that the round is entered by hand.
        let log = dir.log_mut(&name).unwrap();
        let (_, section) = log.dirt(300, 200).unwrap().due().unwrap();
        let mut cleaning = Cleaning::begin(log, section, MEANS, now(300));
        while !disk.list(log.dir()).unwrap().iter().any(|name| name.ends_with(".log.cleaned")) {
            cleaning.step(log, now(300), 1).unwrap();
        }
        assert!(!cleaning.is_void(log));
        match case {
            0 => drop(log.truncate_to(150).unwrap()),
            1 => log.truncate_fully_and_start_at(500).unwrap(),
            _ => {
                assert_eq!(log.apply_retention(now(1 << 40), 200).unwrap(), 0, "retention waits for the round");
                dir.delete_log(&name, now(1)).unwrap();
                dir.create_log(name.clone(), TOPIC_ID, compacted(), now(1)).unwrap();
            }
        }
        let log = dir.log_mut(&name).unwrap();
        assert!(cleaning.is_void(log), "case {case}");
        cleaning.abort(log);
        assert!(disk.list(log.dir()).unwrap().iter().all(|name| !name.contains("cleaned")));
        put(log, 400, "after", Some("all"));
    }
}

#[test]
fn a_truncation_lowers_the_checkpoint() {
    let disk = SimDisk::new();
    let mut log = open(&disk, compacted());
    for at in 0..40 {
        put(&mut log, at, "a", Some("x"));
    }
    roll(&mut log);
    compact(&mut log, 50).unwrap();
    assert_eq!(log.cleaned_to(), Some(40));
    let end = log.truncate_to(20).unwrap();
    assert!((1..=20).contains(&end), "what is left may end before, with a gap");
    assert_eq!(log.cleaned_to(), Some(end));
    for at in 0..40 {
        put(&mut log, at, "a", Some("x"));
    }
    roll(&mut log);
    assert_eq!(compact(&mut log, 50), Some(end + 40));
    log.cleaned_to = Some(1000);
    put(&mut log, 50, "a", Some("x"));
    roll(&mut log);
    assert_eq!(compact(&mut log, 50), Some(end + 41), "a checkpoint past the end is not believed");
}

#[test]
fn the_cleaner_keeps_to_its_rate() {
    let disk = SimDisk::new();
    let mut dir = LogDir::open(Arc::new(disk.clone()), "/data".into(), 1, "cluster", now(1)).unwrap();
    let config = LogConfig { segment_bytes: 1 << 20, ..compacted() };
    let log = dir.create_log(TopicPartition::new("t", 0), TOPIC_ID, config, now(1)).unwrap();
    let value = "x".repeat(100_000);
    for at in 0..60 {
        put(log, 1, &format!("{at}"), Some(&value));
    }
    let limited = CleanerConfig { max_bytes_per_second: 2e6, ..CleanerConfig::default() };
    let mut finished = None;
    for at in 0..60_000 {
        if dir.clean(now(at), &limited, &|log| Some(log.log_end_offset())).is_some() {
            finished.get_or_insert(at);
        }
    }
    // 5 MB are read twice and written once.
    assert!((6_000..10_000).contains(&finished.unwrap()), "{finished:?}");
}
