//! What a broker's log tells of its logs on disk.

use std::time::Duration;

use super::super::{CleanerConfig, LogDir};
use super::*;
use crate::log::disk::Disk;
use crate::logging::testing::Reader;
use crate::logging::{Level, Logger};

const INFO: Level = Level::Info;

fn start(disk: &SimDisk, reader: &Reader) -> LogDir {
    LogDir::open_with(Arc::new(disk.clone()), "/data".into(), 1, "cluster", now(1), reader.log.clone()).unwrap()
}

fn name() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn fill(dir: &mut LogDir, config: LogConfig, batches: i64) {
    let log = dir.create_log(name(), TOPIC_ID, config, now(1)).unwrap();
    for at in 0..batches {
        log.append_as_leader(now(at), batch(at, 2), 0).unwrap();
    }
}

#[test]
fn a_log_tells_what_it_does() {
    let (disk, reader) = (SimDisk::new(), Reader::new(1));
    let mut dir = start(&disk, &reader);
    reader.expect(&[
        (Logger::LogManager, INFO, &["Log directory /data is not there yet"]),
        (Logger::LogManager, INFO, &["no logs in /data"]),
        (Logger::LogManager, INFO, &["0 logs in /data were loaded in 0ms"]),
    ]);
    fill(&mut dir, LogConfig { retention_ms: 1000, ..small() }, 12);
    let segments = dir.log(&name()).unwrap().segment_count();
    assert!(segments > 2);
    reader.expect(&[(
        Logger::LocalLog,
        INFO,
        &["[LocalLog partition=t-0, dir=/data/t-0] A new segment begins at offset "],
    )]);
    let log = dir.log_mut(&name()).unwrap();
    log.set_log_start_offset(1).unwrap();
    log.truncate_to(20).unwrap();
    let deleted = log.apply_retention(now(5000), 20).unwrap();
    assert_eq!(log.log_start_offset(), 20);
    reader.expect(&[
        (Logger::UnifiedLog, INFO, &["[UnifiedLog partition=t-0, dir=/data] Log start offset goes from 0 to 1"]),
        (Logger::UnifiedLog, INFO, &["Truncating to offset 20 from 24"]),
        (Logger::UnifiedLog, INFO, &["Rolling the active segment"]),
        (Logger::UnifiedLog, INFO, &["Deleting segment (baseOffset=0, size=", "due to log retention time 1000ms"]),
        (
            Logger::UnifiedLog,
            INFO,
            &[&format!("{deleted} segment(s) are deleted; log start offset 20, 0 bytes are left")],
        ),
    ]);
    dir.shutdown_clean(now(6000), 7).unwrap();
    reader.expect(&[(Logger::LogManager, INFO, &["1 logs in /data are flushed and closed", "broker epoch 7"])]);
    start(&disk, &reader);
    reader.expect(&[
        (Logger::LogManager, INFO, &["1 logs in /data need no recovery"]),
        (
            Logger::LogManager,
            INFO,
            &["log of t-0 in /data/t-0 with 1 segments, local-log-start-offset 20 and log-end-offset 20 in 0ms (1/1"],
        ),
    ]);
}

#[test]
fn retention_by_size_and_by_start_say_so() {
    let (disk, reader) = (SimDisk::new(), Reader::new(1));
    let mut dir = start(&disk, &reader);
    fill(&mut dir, LogConfig { retention_ms: -1, retention_bytes: 100, ..small() }, 12);
    let log = dir.log_mut(&name()).unwrap();
    let second = log.segments[1].base_offset;
    log.set_log_start_offset(second).unwrap();
    reader.take();
    log.apply_retention(now(5000), 24).unwrap();
    reader.expect(&[
        (Logger::UnifiedLog, INFO, &["baseOffset=0, ", &format!("due to log start offset {second}")]),
        (Logger::UnifiedLog, INFO, &[&format!("baseOffset={second}, "), "due to log retention size 100"]),
    ]);
}

#[test]
fn recovery_tells_what_it_found_and_cut() {
    let (disk, reader) = (SimDisk::new(), Reader::new(1));
    let mut dir = start(&disk, &reader);
    fill(&mut dir, LogConfig::default(), 3);
    drop(dir);
    let path = Path::new("/data/t-0/00000000000000000000.log");
    let mut file = disk.open(path, false).unwrap();
    let len = file.len().unwrap();
    file.truncate(len - 3).unwrap();
    drop(file);
    reader.take();
    let dir = start(&disk, &reader);
    assert_eq!(dir.log(&name()).unwrap().log_end_offset(), 4);
    reader.expect(&[
        (Logger::LogManager, INFO, &["1 logs in /data are recovered: there is no clean shutdown file"]),
        (
            Logger::LogLoader,
            INFO,
            &["[LogLoader partition=t-0, dir=/data] Recovered unflushed segment 0 up to offset 4, 1 of 1"],
        ),
        (Logger::LogLoader, Level::Warn, &["Corruption in segment 0: it is truncated to offset 4, by "]),
        (Logger::LogManager, INFO, &["log-end-offset 4"]),
    ]);
}

#[test]
fn a_failure_is_told_once() {
    let (disk, reader) = (SimDisk::new(), Reader::new(1));
    let mut dir = start(&disk, &reader);
    fill(&mut dir, small(), 1);
    reader.take();
    disk.fail_writes(Some(std::io::ErrorKind::StorageFull));
    let log = dir.log_mut(&name()).unwrap();
    for at in 0..3 {
        log.append_as_leader(now(at), batch(at, 2), 0).unwrap_err();
    }
    let lines = reader.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].logger, lines[0].level), (Logger::UnifiedLog, Level::Error));
}

#[test]
fn the_cleaner_tells_sizes_before_and_after() {
    let (disk, reader) = (SimDisk::new(), Reader::new(1));
    let mut dir = start(&disk, &reader);
    let compacted =
        LogConfig { cleanup_compact: true, cleanup_delete: false, min_cleanable_dirty_ratio: 0.1, ..small() };
    let log = dir.create_log(name(), TOPIC_ID, compacted, now(1)).unwrap();
    for at in 0..20 {
        let mut one = BatchBuilder::new(0, Compression::None);
        one.push(at, Some(b"the key"), Some(b"a value"), &[]);
        log.append_as_leader(now(at), one.build_mut(), 0).unwrap();
    }
    let active = log.active_segment_base_offset();
    reader.take();
    let config = CleanerConfig { backoff: Duration::from_millis(50), ..CleanerConfig::default() };
    for at in 0..1000 {
        dir.clean(now(100 + at), &config, &|log| Some(log.log_end_offset()));
    }
    reader.expect(&[
        (Logger::Cleaner, INFO, &[&format!("Cleaning of log t-0 begins: dirty section = [0, {active})")]),
        (Logger::Cleaner, INFO, &["A cleaned segment of ", "takes the place of segment(s) 0 in log t-0"]),
        (
            Logger::LogCleaner,
            INFO,
            &[
                &format!("cleaned log t-0 (dirty section = [0, {active}])"),
                &format!("({active} messages). End size: "),
                "(1 messages)",
                "fewer messages",
            ],
        ),
    ]);
}

#[test]
fn producers_snapshots_are_told() {
    let (disk, reader) = (SimDisk::new(), Reader::new(1));
    let mut dir = start(&disk, &reader);
    let log = dir.create_log(name(), TOPIC_ID, LogConfig::default(), now(1)).unwrap();
    let mut builder = BatchBuilder::new(0, Compression::None).producer(5, 0, 0);
    builder.push(1, None, Some(b"value"), &[]);
    log.append_as_leader(now(2), builder.build_mut(), 0).unwrap();
    dir.shutdown_clean(now(3), 1).unwrap();
    reader.expect(&[(
        Logger::ProducerState,
        INFO,
        &["[ProducerStateManager partition=t-0] Snapshot at offset 1 with 1 producer ids written in 0 ms"],
    )]);
    let mut dir = start(&disk, &reader);
    reader.expect(&[(
        Logger::ProducerState,
        INFO,
        &["Loaded the snapshot at offset 1; 1 producers are known at offset 1"],
    )]);
    reader.set(Logger::ProducerState, Level::Debug);
    dir.log_mut(&name()).unwrap().apply_retention(now(1 << 40), 1).unwrap();
    reader.expect(&[(Logger::ProducerState, Level::Debug, &["1 producers were silent for too long"])]);
}
